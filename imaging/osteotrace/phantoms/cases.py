"""The sample cases: which anatomy, scanned how, with which true lengths.

A case is a scene, the scans of it and its known gaps, all in one anatomical frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.phantoms import maxilla
from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.rendering import (
    Level,
    Part,
    Pose,
    correlated_noise,
    render,
    seed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from osteotrace.phantoms.shapes import Array

Vector = tuple[float, float, float]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomCase:
    """A scene, its scans and what is known of it."""

    name: str
    title: str
    parts: Callable[[], tuple[Part, ...]]
    scans: tuple[Scan, ...]
    gaps: tuple[Gap, ...]

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


def _maxilla_ct() -> Scan:
    pose = Pose.turned(
        pitch_deg=6.0, roll_deg=1.5, yaw_deg=-3.0, origin=(4.2, -31.5, 112.4)
    )
    return Scan(
        modality="CT",
        label=SeriesLabel(
            study="maxilla_after",
            name="CT",
            patient_id="SYN-MAXILLA",
            description="CT maxilla bone 0.6",
            study_description="Maxilla after treatment (synthetic)",
            body_part="MAXILLA",
            number=2,
            date="20240115",
        ),
        grid=grid_around(
            pose.to_patient((0.0, 2.0, -11.4)),
            row_direction=(1, 0, 0),
            column_direction=(0, 1, 0),
            spacing_mm=(0.6, 0.40, 0.45),
            shape=(86, 216, 168),
        ),
        pose=pose,
        levels=maxilla.HOUNSFIELD,
        subsamples=(2, 2, 2),
        psf_sigma_mm=(0.50, 0.55, 0.55),
        noise_sd=30.0,
        noise_correlation_fwhm_mm=(0.6, 0.7, 0.7),
    )


def _maxilla_mr() -> Scan:
    pose = Pose.turned(
        pitch_deg=-4.0, roll_deg=-1.0, yaw_deg=2.5, origin=(-3.1, 12.7, 24.9)
    )
    # The slices were planned on the face, one degree off its midplane.
    plane = Pose.turned(yaw_deg=1.5, roll_deg=-0.5).rotation
    return Scan(
        modality="MR",
        label=SeriesLabel(
            study="maxilla_after",
            name="MR",
            patient_id="SYN-MAXILLA",
            description="T2 TSE sagittal",
            study_description="Maxilla after treatment (synthetic)",
            body_part="MAXILLA",
            number=5,
            date="20240115",
        ),
        grid=grid_around(
            pose.to_patient((0.0, 3.0, -6.0)),
            row_direction=plane[:, 1],
            column_direction=-plane[:, 2],
            spacing_mm=(3.0, 0.55, 0.60),
            shape=(20, 120, 152),
        ),
        pose=pose,
        levels=maxilla.T2_SIGNAL,
        subsamples=(5, 2, 2),
        psf_sigma_mm=(0.0, 0.50, 0.50),
        noise_sd=20.0,
        noise_correlation_fwhm_mm=(0.0, 0.7, 0.7),
    )


def _maxilla_after() -> PhantomCase:
    return PhantomCase(
        name="maxilla_after",
        title="Maxilla after treatment: anterior palatal defect",
        parts=maxilla.parts,
        scans=(_maxilla_ct(), _maxilla_mr()),
        gaps=(
            Gap(
                name="palatal_gap",
                modality="CT",
                value_mm=maxilla.BONY_GAP_MM,
                tolerance_mm=0.05,
                centre=maxilla.DEFECT_CENTRE_MM,
                flat_mm=(13.0, 8.0),
                rough_offsets_mm=((0.7, 0.9, -0.8), (-0.8, 1.1, 0.6)),
            ),
            Gap(
                name="soft_tissue_gap",
                modality="MR",
                value_mm=maxilla.SOFT_TISSUE_GAP_MM,
                tolerance_mm=0.10,
                centre=maxilla.NOTCH_CENTRE_MM,
                flat_mm=(12.8, 9.0),
                rough_offsets_mm=((-0.9, 0.8, 0.7), (0.8, 1.0, -0.9)),
            ),
        ),
    )


_CASES: Final[dict[str, Callable[[], PhantomCase]]] = {"maxilla_after": _maxilla_after}
CASES: Final = tuple(_CASES)


def phantom_case(name: str) -> PhantomCase:
    """Return the description of a sample case.

    Raises
    ------
    OsteotraceError
        If there is no case of that name.
    """
    if name not in _CASES:
        raise OsteotraceError(
            f"no sample case {name!r}",
            expected=f"one of {', '.join(CASES)}",
            advice="choose one of these",
            usage=True,
        )
    return _CASES[name]()


def image(case: PhantomCase, scan: Scan, *, noise: bool = True) -> Array:
    """Return the image of one scan in HU or signal, (slices, rows, columns) float64.

    MR is the magnitude of two channels with independent noise (Rician); CT noise is
    additive.
    """
    clean = render(
        case.parts(),
        scan.levels,
        scan.grid,
        scan.pose,
        psf_sigma_mm=scan.psf_sigma_mm,
        subsamples=scan.subsamples,
    )
    if not noise:
        return clean
    if scan.modality == "CT":
        return np.asarray(clean + noise_field(case, scan, "attenuation"))
    real = clean + noise_field(case, scan, "real")
    return np.asarray(np.hypot(real, noise_field(case, scan, "imaginary")))


def noise_field(case: PhantomCase, scan: Scan, channel: str) -> Array:
    """Return the noise of one channel, seeded by the names of case, series, channel."""
    return correlated_noise(
        scan.grid.shape,
        scan.grid.spacing,
        sd=scan.noise_sd,
        correlation_fwhm_mm=scan.noise_correlation_fwhm_mm,
        seed=seed(case.name, scan.label.name, channel),
    )
