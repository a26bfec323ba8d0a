"""A brush: the voxels that a pointer drawn over an image touches.

A voxel is touched where its centre lies within the radius, in mm, of the line through the
pointer's places, or where that line passes through it. The brush is a disc in the plane
of voxels that is shown, along any axis of the array, or a ball. Distances are those of
the patient, so spacing, tilt and uneven gaps do not deform it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import HALF_VOXEL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array, Grid

Window = tuple[slice, slice, slice]

# Room for rounding where a voxel centre lies on the rim of the brush, mm.
ROUNDING_MM: Final = 1e-6
# Between two places the line is followed in steps of this share of a voxel.
STEP_SHARE: Final = 0.5
# A place less than this many voxels from the one before adds nothing.
LEAST_STEP: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Touched:
    """Voxels of a grid, as a window and what is touched in it.

    Parameters
    ----------
    window : (slice, row, column) ranges of step one
    voxels : (slices, rows, columns) bool array
        Of the window alone.
    """

    window: Window
    voxels: NDArray[np.bool_]


def disc(
    grid: Grid, places: ArrayLike, radius_mm: float, *, axis: int = 0
) -> Touched | None:
    """Return the voxels of one plane that a disc drawn along a line touches.

    Parameters
    ----------
    grid : Grid
    places : (n, 3) array
        Where the pointer was, LPS mm, in order; one is a click. The plane is that of the
        first; the others are put into it along the axis.
    radius_mm : float
    axis : {0, 1, 2}
        The axis of the array (slice, row, column) that the plane is across.

    Returns
    -------
    Touched or None
        None where the line lies outside the grid.

    Raises
    ------
    OsteotraceError
        If a place is not finite, or the radius or the axis is none.
    """
    at = _checked(grid, places, radius_mm)
    if axis not in (0, 1, 2):
        raise ValueError(f"the axis {axis} of an array of three")
    plane = int(np.floor(at[0, axis] + HALF_VOXEL))
    if not 0 <= plane < grid.shape[axis]:
        return None
    at[:, axis] = plane
    return _drawn(grid, at, radius_mm, axis)


def ball(grid: Grid, places: ArrayLike, radius_mm: float) -> Touched | None:
    """Return the voxels that a ball drawn along a line touches.

    Parameters, result and errors as in `disc`.
    """
    return _drawn(grid, _checked(grid, places, radius_mm), radius_mm, None)


def _checked(grid: Grid, places: ArrayLike, radius_mm: float) -> Array:
    """Return the places as (n, 3) indices."""
    points = np.asarray(places, dtype=np.float64).reshape(-1, 3)
    if len(points) == 0 or not np.isfinite(points).all() or not 0 <= radius_mm < np.inf:
        raise OsteotraceError(
            f"a stroke of {len(points)} places with a brush of {radius_mm:g} mm",
            expected="finite LPS mm places and a radius of 0 mm or more",
            advice="draw the stroke again",
            usage=True,
        )
    return grid.to_index(points)


def _drawn(grid: Grid, at: Array, radius: float, axis: int | None) -> Touched | None:
    """Return what a brush drawn along (n, 3) indices touches, in one plane or in all."""
    at = _thinned(at)
    reach = _reach(grid, radius)
    whole = _window(at - reach, at + reach, grid.shape)
    if axis is not None:
        whole[axis] = (int(at[0, axis]), int(at[0, axis]) + 1)
    low, high = np.array(whole).T
    if (low >= high).any():
        return None
    index = np.indices(high - low) + low[:, None, None, None]
    centres = grid.to_patient(np.moveaxis(index, 0, -1))
    voxels = np.zeros(high - low, dtype=bool)
    places = grid.to_patient(at)
    for k in range(max(len(at) - 1, 1)):
        ends = at[[k, min(k + 1, len(at) - 1)]]
        near = _window(ends - reach, ends + reach, grid.shape)
        part = tuple(
            slice(max(first - start, 0), max(end - start, 0))
            for (first, end), start in zip(near, low, strict=True)
        )
        voxels[part] |= _near(centres[part], places[k : k + 2], radius)
        _mark_passed(voxels, ends - low)
    if not voxels.any():
        return None
    window = tuple(slice(int(x), int(y)) for x, y in zip(low, high, strict=True))
    return Touched(window=(window[0], window[1], window[2]), voxels=voxels)


def _thinned(at: Array) -> Array:
    """Return places without those that hardly differ from the one before, last kept."""
    kept = [0]
    for k in range(1, len(at)):
        if np.abs(at[k] - at[kept[-1]]).max() >= LEAST_STEP:
            kept.append(k)
    if kept[-1] != len(at) - 1:
        kept.append(len(at) - 1)
    return at[kept]


def _reach(grid: Grid, radius: float) -> Array:
    """Return how many slices, rows and columns a radius reaches at most."""
    if len(grid.origins) < 2:
        return np.array([0.0, *(radius / grid.pixel_spacing)])
    gaps = grid.slice_gaps
    # Slices of a tilted stack lean: what lies above lies also aside.
    frame = np.stack([grid.column_direction, grid.row_direction])
    lean = np.abs(np.diff(grid.origins, axis=0) @ frame.T / gaps[:, None]).max(axis=0)
    return np.array([radius / gaps.min(), *(radius * (1.0 + lean) / grid.pixel_spacing)])


def _window(low: Array, high: Array, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the first voxel and the end of a window that holds indices."""
    first = np.clip(np.floor(low.min(axis=0)), 0, shape).astype(int)
    end = np.clip(np.ceil(high.max(axis=0)) + 1, 0, shape).astype(int)
    return [(int(a), int(b)) for a, b in zip(first, end, strict=True)]


def _near(centres: Array, ends: Array, radius: float) -> NDArray[np.bool_]:
    """Tell which voxel centres lie within a radius of a line, all LPS mm."""
    away = centres - ends[0]
    way = ends[-1] - ends[0]
    length2 = float(way @ way)
    if length2:
        share = np.clip(away @ (way / length2), 0.0, 1.0)
        away -= share[..., None] * way
    # Compared squared: a root of every voxel is time that a drag has not.
    limit = (radius + ROUNDING_MM) ** 2
    return np.asarray(np.einsum("...i,...i->...", away, away) <= limit)


def _mark_passed(voxels: NDArray[np.bool_], ends: Array) -> None:
    """Mark the voxels that a line between two indices passes through."""
    steps = int(np.ceil(np.abs(ends[1] - ends[0]).max() / STEP_SHARE)) + 1
    on = np.floor(np.linspace(ends[0], ends[1], max(steps, 2)) + HALF_VOXEL)
    on = on[((on >= 0) & (on < voxels.shape)).all(axis=1)]
    voxels[tuple(on.astype(np.intp).T)] = True
