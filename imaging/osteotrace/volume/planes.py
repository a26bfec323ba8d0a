"""A volume along a plane through three landmarks: the midsagittal plane of a palate.

The volume is resampled once, linearly, onto slices parallel to the plane, the middle one
in it. The new grid is an ordinary one in the same patient space: what is marked on it has
its place in the scan, and its letters come from its own cosines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid, distance, unit_vector
from osteotrace.volume.resampling import (
    ROUNDING,
    lowest_value,
    require_slices,
    resampled,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array
    from osteotrace.volume.carrier import Volume

# What a window says beside a picture of it.
BADGE: Final = "resampled: plane through three landmarks"
# float32 voxels of 512 MB, beside as many as the scan has.
MOST_VOXELS: Final = 1 << 27
# Fewer planes first, up to this many times the spacing in plane; then coarser ones.
WIDEST_STEP: Final = 4.0
_FINE: Final = 1.001
# How many more slices, rows and columns a side may take than fit into it.
_ROUNDED_UP: Final = np.array([3, 2, 2])
# A third landmark nearer than this to the line through the others (mm), or than this
# share of their distance, leaves the turn about that line to chance.
LEAST_HEIGHT_MM: Final = 2.0
LEAST_HEIGHT_SHARE: Final = 0.02
# Where the rows of a picture run down to and the columns right to, LPS, by the axis that
# its plane lies across: as radiologists hold sagittal, coronal and axial pictures.
_DOWN: Final = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
_RIGHT: Final = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkPlane:
    """A plane in patient space.

    Parameters
    ----------
    centre : (3,) float64
        LPS mm of the middle of its landmarks.
    row_direction, column_direction : (3,) float64
        Unit vectors, LPS, of a picture in it, head or front up.
    tilt_deg_per_mm : float
        How far it turns, degrees, where the landmark that matters most is 1 mm off it.
    """

    centre: Array
    row_direction: Array
    column_direction: Array
    tilt_deg_per_mm: float

    @property
    def normal(self) -> Array:
        """Unit normal, ``row_direction × column_direction``, LPS."""
        return np.asarray(np.cross(self.row_direction, self.column_direction))


def along_plane(volume: Volume, landmarks: ArrayLike) -> Volume:
    """Return a volume resampled along the plane through three of its points.

    Parameters
    ----------
    volume : Volume
        Any of two slices or more.
    landmarks : (3, 3) array
        Three points, LPS mm, not in a line.

    Returns
    -------
    Volume
        An odd number of slices parallel to the plane, the middle one in it, that cover
        the volume. The spacing is the volume's smallest, the same along all axes unless
        that took more than `MOST_VOXELS`: then the slices lie farther apart, up to
        `WIDEST_STEP` times, and beyond that all is coarser. The last note says so.

    Raises
    ------
    OsteotraceError
        If a landmark lies outside the volume, the three lie in a line or nearly so, or
        the volume is a single slice.
    """
    require_slices(volume.grid)
    plane = plane_through(landmarks)
    outside = ~volume.grid.contains(np.asarray(landmarks, dtype=np.float64))
    if outside.any():
        raise OsteotraceError(
            f"{_counted(int(outside.sum()))} outside the scan",
            expected="three points inside it",
            advice="place the landmarks on the images of this series",
        )
    target = _grid_along(plane, volume.grid)
    fill = lowest_value(volume)
    note = _note(plane, volume.grid, target, fill)
    return resampled(volume, target, note=note, fill=fill)


def plane_through(landmarks: ArrayLike) -> LandmarkPlane:
    """Return the plane through three points, LPS mm.

    Raises
    ------
    OsteotraceError
        If they are not three places, or lie in a line or nearly so.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (3, 3) or not np.isfinite(points).all():
        raise OsteotraceError(
            f"{len(points) if points.ndim else 0} landmarks",
            expected="three points, x, y and z of each in mm",
            advice="place three landmarks",
            usage=True,
        )
    a, b, c = points
    longest = max(distance(a, b), distance(b, c), distance(c, a))
    across = np.cross(b - a, c - a)
    height = float(np.linalg.norm(across)) / longest if longest else 0.0
    if height < max(LEAST_HEIGHT_MM, LEAST_HEIGHT_SHARE * longest):
        raise OsteotraceError(
            f"three landmarks nearly in a line ({height:.1f} mm off it)",
            expected=f"the third at least {LEAST_HEIGHT_MM:g} mm, and "
            f"{LEAST_HEIGHT_SHARE:.0%} of their distance, from the line through the "
            "other two",
            advice="move one landmark farther from the line through the others",
        )
    row, column = _picture(unit_vector(across))
    return LandmarkPlane(
        centre=points.mean(axis=0),
        row_direction=row,
        column_direction=column,
        tilt_deg_per_mm=float(np.degrees(np.arctan2(1.0, height))),
    )


def _picture(normal: Array) -> tuple[Array, Array]:
    """Return row and column direction of the picture across a normal."""
    axis = int(np.argmax(np.abs(normal)))
    ahead = np.cross(_RIGHT[axis], _DOWN[axis])
    normal = normal if normal @ ahead > 0 else -normal
    column = unit_vector(_DOWN[axis] - (_DOWN[axis] @ normal) * normal)
    return np.cross(column, normal), column


def _grid_along(plane: LandmarkPlane, source: Grid) -> Grid:
    """Return slices along a plane over a volume, the middle one in the plane."""
    axes = np.stack([plane.normal, plane.column_direction, plane.row_direction])
    ends = _corners(source) @ axes.T
    low, high = ends.min(axis=0), ends.max(axis=0)
    middle = float(plane.centre @ plane.normal)
    reach = max(high[0] - middle, middle - low[0])
    sides = np.array([2 * reach, *(high - low)[1:]])
    spacing = _affordable(sides, float(np.nanmin(source.spacing)))
    half = int(np.ceil(reach / spacing[0] - ROUNDING))
    rows, columns = (np.ceil(sides[1:] / spacing[1:] - ROUNDING) + 1).astype(int)
    heights = middle + spacing[0] * np.arange(-half, half + 1)
    corner = low[1] * axes[1] + low[2] * axes[2]
    return Grid(
        row_direction=plane.row_direction,
        column_direction=plane.column_direction,
        pixel_spacing=spacing[1:],
        origins=corner + heights[:, None] * axes[0],
        rows=int(rows),
        columns=int(columns),
    )


def _corners(grid: Grid) -> Array:
    """Return the corners of every slice: an uneven stack may bulge between its ends."""
    slices, rows, columns = grid.shape
    index = np.zeros((slices, 4, 3))
    index[..., 0] = np.arange(slices)[:, None]
    index[..., 1] = [0, 0, rows - 1, rows - 1]
    index[..., 2] = [0, columns - 1, 0, columns - 1]
    return grid.to_patient(index.reshape(-1, 3))


def _affordable(sides: Array, finest: float) -> Array:
    """Return the finest spacing (slice, row, column) within `MOST_VOXELS`, mm."""
    spacing = np.full(3, finest)

    def excess() -> float:
        return float(np.prod(sides / spacing + _ROUNDED_UP) / MOST_VOXELS)

    # In steps: the planes at either end do not grow fewer with the spacing.
    while excess() > 1 and spacing[0] < WIDEST_STEP * finest:
        spacing[0] = min(spacing[0] * max(excess(), _FINE), WIDEST_STEP * finest)
    while excess() > 1:
        spacing *= max(excess() ** (1 / 3), _FINE)
    return spacing


def _note(plane: LandmarkPlane, source: Grid, target: Grid, fill: float) -> str:
    finest, step, within = np.nanmin(source.spacing), *target.spacing[:2]
    words = [
        f"resampled linearly along a plane through three landmarks, {step:.3g} mm apart, "
        f"{within:.3g} mm in plane"
    ]
    if within > finest * (1 + ROUNDING):
        words.append(f"coarser than the scan's {finest:.3g} mm to save memory")
    words += [
        f"a landmark 1 mm off turns it by up to {plane.tilt_deg_per_mm:.1f}°",
        f"voxels outside the scan hold its lowest value, {fill:g}",
    ]
    return "; ".join(words)


def _counted(number: int) -> str:
    return "a landmark" if number == 1 else f"{number} landmarks"
