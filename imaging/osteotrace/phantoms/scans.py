"""A sample case: the anatomy, how it was scanned, and what is known of it.

Everything here is in the anatomical frame of its case: mm to the left, posterior and
superior of an origin that the anatomy names. `ground_truth` turns it into patient LPS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.geometry import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from osteotrace.codes import Concept
    from osteotrace.phantoms.dicom_series import SeriesLabel
    from osteotrace.phantoms.rendering import Level, Part, Pose
    from osteotrace.phantoms.shapes import Array, Shape

# What a true signal ratio is, and why a mean over a whole mask comes out lower.
RATIO_DEFINITION: Final = (
    "of the tissues; a mean over the whole mask reads up to 15 % lower for its edge"
)

Vector = tuple[float, float, float]
Box = tuple["Sequence[float]", "Sequence[float]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Voxels that a label series marks: those whose centre lies in a shape.

    Parameters
    ----------
    label : str
        SegmentLabel (0062,0005).
    shape : callable
        Signed distance in mm of (3, n) points.
    box : (low, high)
        Corners in anatomical mm that hold it.
    property_type : Concept
        SegmentedPropertyTypeCodeSequence (0062,000F).
    lesion : bool
        A morphological abnormality; an anatomical structure otherwise.
    laterality : str
        A key of `osteotrace.codes.LATERALITIES`, or nothing.
    """

    label: str
    shape: Shape
    box: Box
    property_type: Concept
    lesion: bool = False
    laterality: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """One series of a case: geometry, point spread and noise.

    Parameters
    ----------
    modality : str
        ``CT`` or ``MR``.
    label : SeriesLabel
        Names for the header.
    grid : Grid
        The voxels.
    pose : Pose
        Where the anatomy lies in the frame of reference of this series.
    levels : mapping
        Tissue to HU or signal.
    subsamples : (slice, row, column)
        As in `render`.
    psf_sigma_mm : (slice, row, column)
        Standard deviation of the Gaussian point spread along the axes; the voxel's own
        box comes on top.
    noise_sd : float
        Standard deviation of the noise, HU or signal; on MR that of either channel.
    noise_correlation_fwhm_mm : (slice, row, column)
        Full width at half maximum of the noise's autocorrelation; 0 is white.
    segments : callable
        Gives what its label series marks; nothing where there is no label series.
    """

    modality: str
    label: SeriesLabel
    grid: Grid
    pose: Pose
    levels: Mapping[str, Level]
    subsamples: tuple[int, int, int]
    psf_sigma_mm: Vector
    noise_sd: float
    noise_correlation_fwhm_mm: Vector
    segments: Callable[[], tuple[Segment, ...]] = tuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A known distance between two flat parallel walls, in the anatomical frame.

    Parameters
    ----------
    name : str
        What is measured.
    modality : str
        Of the scan it is measured on.
    value_mm : float
        True perpendicular distance.
    tolerance_mm : float
        How near a reading has to come.
    centre : Vector
        Midpoint between the walls' centres; the walls face each other along the
        posterior axis.
    flat_mm : (left to right, superior to inferior)
        Extent over which both walls are flat.
    rough_offsets_mm : (start, end)
        From the true edges, anterior wall first, to the rough points a reader clicks.
    """

    name: str
    modality: str
    value_mm: float
    tolerance_mm: float
    centre: Vector
    flat_mm: tuple[float, float]
    rough_offsets_mm: tuple[Vector, Vector]


@dataclass(frozen=True, slots=True)
class Known:
    """A known quantity: its value, unit, and how near a reading has to come.

    Parameters
    ----------
    value : float
    unit : str
        A key of `osteotrace.codes.UNITS`.
    tolerance : float
        In the same unit.
    definition : str
        What exactly the value is.
    """

    value: float
    unit: str
    tolerance: float
    definition: str


@dataclass(frozen=True, slots=True)
class Ball:
    """A region that a reader marks by its middle and its size."""

    centre: Vector
    radius_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFinding:
    """A lesion or a bone of which values are known, and where a reader marks it.

    Parameters
    ----------
    label : str
        Its name within the case.
    kind, site, laterality : str
        Keys of `osteotrace.codes.KINDS`, ``SITES`` and ``LATERALITIES``.
    modality : str
        Of the scan it is measured on.
    values : mapping
        Key of `osteotrace.codes.QUANTITIES` to what is known of it.
    points : mapping
        Role to a rough point that a reader clicks.
    balls : mapping
        Role to a region that a reader marks.
    segments : mapping
        Role to the label of a segment of the label series.
    directions : mapping
        Role to a unit vector.
    """

    label: str
    kind: str
    site: str
    modality: str
    values: Mapping[str, Known]
    laterality: str = ""
    points: Mapping[str, Vector] = field(default_factory=dict)
    balls: Mapping[str, Ball] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    directions: Mapping[str, Vector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomCase:
    """A scene, its scans and what is known of it."""

    name: str
    title: str
    parts: Callable[[], tuple[Part, ...]]
    scans: tuple[Scan, ...]
    gaps: tuple[Gap, ...] = ()
    findings: Callable[[], tuple[KnownFinding, ...]] = tuple

    def scan(self, modality: str) -> Scan:
        """Return the scan of a modality."""
        return next(scan for scan in self.scans if scan.modality == modality)


def grid_around(
    centre: Array,
    *,
    row_direction: Sequence[float] | Array,
    column_direction: Sequence[float] | Array,
    spacing_mm: Vector,
    shape: tuple[int, int, int],
) -> Grid:
    """Return a grid of (slice, row, column) spacing and shape around an LPS centre.

    Origins are rounded to 1e-9 mm, so that a DICOM decimal string holds them.
    """
    row, column = np.array(row_direction), np.array(column_direction)
    normal = np.cross(row, column)
    steps = np.stack([normal, column, row]) * np.array(spacing_mm)[:, None]
    first = centre - 0.5 * (np.array(shape) - 1) @ steps
    return Grid(
        row_direction=row,
        column_direction=column,
        pixel_spacing=np.array(spacing_mm[1:]),
        origins=np.round(first + np.arange(shape[0])[:, None] * steps[0], 9),
        rows=shape[1],
        columns=shape[2],
    )


def integrated_volume(shape: Shape, box: Box, *, step_mm: float = 0.5) -> float:
    """Return the volume of a shape, mm3, summed over cubes of a given size.

    A cube that the surface crosses counts by how far the surface lies from its middle,
    so the sum is good to some thousandths even where a lesion is a few cubes wide.

    Parameters
    ----------
    shape : callable
        Its distance must be right near the surface.
    box : (low, high)
        Corners in anatomical mm that hold it.
    """
    axes = [
        np.arange(low + step_mm / 2, high, step_mm)
        for low, high in zip(*box, strict=True)
    ]
    total = 0.0
    for z in axes[2]:
        x, y = np.meshgrid(axes[0], axes[1], indexing="ij")
        points = np.stack([x.ravel(), y.ravel(), np.full(x.size, z)])
        total += float(np.clip(0.5 - shape(points) / step_mm, 0.0, 1.0).sum())
    return total * step_mm**3
