"""The closed and filled bone around a region, on a smoothed grid of equal steps.

A window of the image around a region is smoothed and resampled once, to equal steps, for
filters that want them. Its grey levels come from the image itself: no fixed Hounsfield
number decides what bone is, so cone beam values will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.region_values import METAL_HU
from osteotrace.volume import HOUNSFIELD
from osteotrace.volume.resampling import rectilinear_affine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

# Step of the even grid and smoothing before it, mm (measurement.md: s 0.5).
STEP_MM: Final = 0.6
SMOOTHING_MM: Final = 0.5
# Image kept around a region, mm: the bone's own neighbourhood.
MARGIN_MM: Final = 9.0
# Darker is air, where the image holds any; without HU, where it reaches far below zero.
AIR_CEILING_HU: Final = -300.0
AIR_FLOOR: Final = -500.0
# Bone stands out from soft tissue by at least this, HU, or multiples of the noise's SD.
LEAST_BONE_STEP_HU: Final = 150.0
LEAST_BONE_STEP_NOISE: Final = 5.0
# The envelope starts at this share of the way from soft tissue to the bone's 75th
# percentile: a cortex under 1 mm hardly reaches half way.
ENVELOPE_SHARE: Final = 0.3
BONE_PERCENTILE: Final = 75.0
# Breaches up to twice this wide are closed, mm.
CLOSING_MM: Final = 4.0
# Marrow spaces are filled up to this section, mm²: an orbit has twice as much.
MOST_FILLED_MM2: Final = 600.0
# Room around a mask that distances are taken from, in steps.
_PADDING: Final = 8


class NoBone(Exception):
    """No bone in a window, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A part of a volume around a region.

    Parameters
    ----------
    values : (slices, rows, columns) float64
        As they are, in the unit of the volume.
    spacing : (3,) float64
        mm between them.
    even : (slices, rows, columns) float32
        Smoothed by `SMOOTHING_MM`, in equal steps of `STEP_MM`; its first voxel centre
        is that of ``values``.
    region : bool array
        On the even grid.
    grid : Grid
        Of ``values``.
    notes : tuple of str
        What was done to the voxels.
    unit : str
        UCUM unit of the values.
    """

    values: Array
    spacing: Array
    even: NDArray[np.float32]
    region: NDArray[np.bool_]
    grid: Grid
    notes: tuple[str, ...]
    unit: str

    def to_patient(self, points: Array) -> Array:
        """Turn (n, 3) mm from the first voxel along the axes into LPS mm."""
        return self.grid.to_patient(points / self.spacing)


def open_window(volume: Volume, region: Mask) -> Window:
    """Return the window around a region.

    A tilted or uneven stack is resampled, and the window's notes say so.

    Raises
    ------
    OsteotraceError
        If the voxels of the region are not those of the volume, or it has one slice.
    """
    inside = region.on(volume.grid)
    if volume.grid.shape[0] < 2:
        raise OsteotraceError(
            "a single slice",
            expected="a volume of two slices or more",
            advice="measure a series with more slices",
        )
    box = volume.grid.box_around(region.grid.corners(), MARGIN_MM)
    part, inside = volume.cropped(box), inside[box]
    if rectilinear_affine(part.grid) is None:
        own, whole = part.grid, inside
        part = part.rectified()
        inside = _carried(whole, own, part.grid)
    spacing = part.grid.spacing
    values = part.rescaled()
    even, marked = _even(values, inside, spacing)
    return Window(
        values=values,
        spacing=spacing,
        even=even,
        region=marked,
        grid=part.grid,
        notes=part.notes,
        unit=part.unit,
    )


def _carried(inside: NDArray[np.bool_], own: Grid, target: Grid) -> NDArray[np.bool_]:
    """Return a mask on another grid: each voxel takes the nearest one's mark."""
    index = np.moveaxis(np.indices(target.shape), 0, -1)
    at = np.round(own.to_index(target.to_patient(index))).astype(int)
    within = ((at >= 0) & (at < own.shape)).all(axis=-1)
    at = np.clip(at, 0, np.array(own.shape) - 1)
    return np.asarray(within & inside[at[..., 0], at[..., 1], at[..., 2]])


def _even(
    values: Array, inside: NDArray[np.bool_], spacing: Array
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    import SimpleITK as sitk
    from scipy.ndimage import gaussian_filter

    # SimpleITK's recursive filter wants four slices; scipy's takes any number.
    smooth = gaussian_filter(
        values.astype(np.float32), SMOOTHING_MM / spacing, mode="nearest"
    )
    size = [int((n - 1) * s / STEP_MM + 1e-6) + 1 for n, s in zip(
        values.shape[::-1], spacing[::-1].tolist(), strict=True)]  # fmt: skip

    def resampled(array: NDArray[Any], interpolator: int) -> NDArray[Any]:
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(spacing[::-1].tolist())
        out = sitk.Resample(
            image, size, sitk.Transform(), interpolator, [0.0] * 3, [STEP_MM] * 3
        )
        return np.asarray(sitk.GetArrayFromImage(out))

    marked = resampled(inside.astype(np.uint8), sitk.sitkNearestNeighbor)
    return resampled(smooth, sitk.sitkLinear), marked.astype(bool)


@dataclass(frozen=True, slots=True)
class Levels:
    """Grey levels of a window: soft tissue, and the bone's own 75th percentile."""

    soft: float
    bone: float

    @property
    def step(self) -> float:
        """How far bone stands out."""
        return self.bone - self.soft

    def at(self, share: float) -> float:
        """Return the level at a share of the way from soft tissue to bone."""
        return self.soft + share * self.step


def levels(window: Window) -> Levels:
    """Return the grey levels of a window.

    Raises
    ------
    NoBone
        If nothing in it stands out from soft tissue as bone does.
    """
    even = window.even
    tissue = even[(even > air_ceiling(window)) & (even < METAL_HU)]
    if len(tissue) < 2 or float(np.ptp(tissue)) == 0:
        raise NoBone("the region holds one grey value only")
    threshold = _otsu(tissue)
    soft = tissue[tissue < threshold]
    found = Levels(
        float(np.median(soft)),
        float(np.percentile(tissue[tissue >= threshold], BONE_PERCENTILE)),
    )
    # Half of the grey values around the median of soft tissue: its noise.
    spread = 1.4826 * float(np.median(np.abs(soft - found.soft)))
    least = LEAST_BONE_STEP_NOISE * spread
    if window.unit == HOUNSFIELD:
        least = max(least, LEAST_BONE_STEP_HU)
    if found.step < least:
        raise NoBone(
            f"no bone around the region: its brightest tissue stands out by "
            f"{found.step:.0f}, at least {least:.0f} is needed"
        )
    return found


def air_ceiling(window: Window) -> float:
    """Return the value below which there is air."""
    with_air = window.unit == HOUNSFIELD or float(window.even.min()) < AIR_FLOOR
    return AIR_CEILING_HU if with_air else -np.inf


def _otsu(values: NDArray[np.float32]) -> float:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(values).reshape(1, -1))
    method = sitk.OtsuThresholdImageFilter()
    method.Execute(image)
    return float(method.GetThreshold())


def envelope(window: Window, found: Levels) -> NDArray[np.bool_]:
    """Return the closed and filled bone of a window, on its even grid."""
    bone = window.even > found.at(ENVELOPE_SHARE)
    closed = bone | _closed(bone)
    return _filled(closed, window.even > air_ceiling(window))


def distances(mask: NDArray[np.bool_]) -> Array:
    """Return signed mm to the border of a mask on the even grid, negative inside."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing([STEP_MM] * 3)
    away = sitk.SignedMaurerDistanceMap(image, False, False, True)
    return np.asarray(sitk.GetArrayFromImage(away), dtype=np.float64)


def _closed(bone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask after closing by a ball, by two distance maps."""
    padded = np.pad(bone, _PADDING)
    grown = distances(padded) <= CLOSING_MM
    inner = (slice(_PADDING, -_PADDING),) * 3
    return np.asarray(distances(grown)[inner] <= -CLOSING_MM)


def _filled(bone: NDArray[np.bool_], tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what bone encloses in a section along any axis, air and large rooms left.

    A bone that the window cuts is open in three dimensions, and closed across it.
    """
    import SimpleITK as sitk

    filled = bone.copy()
    for axis in range(3):
        source, target = np.moveaxis(bone, axis, 0), np.moveaxis(filled, axis, 0)
        room = np.moveaxis(tissue, axis, 0)
        for k in range(len(source)):
            section = sitk.GetImageFromArray(source[k].astype(np.uint8))
            closed = sitk.GetArrayFromImage(sitk.BinaryFillhole(section)).astype(bool)
            holes = closed & ~source[k] & room[k]
            if not holes.any():
                continue
            labels = sitk.ConnectedComponent(sitk.GetImageFromArray(holes.astype("u1")))
            index = sitk.GetArrayFromImage(labels)
            size = np.bincount(index.ravel()) * STEP_MM**2
            target[k] |= holes & (size <= MOST_FILLED_MM2)[index]
    return filled
