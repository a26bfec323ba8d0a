"""A mask drawn on some slices, filled in between them by the shape of its outlines.

Shape-based interpolation (Raya and Udupa, IEEE Trans Med Imaging 1990;9:32): between two
drawn slices, the distance to the outline runs linearly from that of one to that of the
other. Where either slice holds one piece, both are first brought onto the line through
their middles (Herman and others, 1992), so that an oblique structure stays in one piece.
Slices that were drawn are left as they are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid

# Voxels around the outlines that the distances are taken in.
_MARGIN: Final = 2


def drawn_slices(voxels: NDArray[np.bool_], axis: int = 0) -> NDArray[np.intp]:
    """Return which slices along an axis hold a voxel, ascending."""
    others = tuple(k for k in range(3) if k != axis)
    return np.flatnonzero(voxels.any(axis=others))


def filled(voxels: NDArray[np.bool_], grid: Grid, *, axis: int = 0) -> NDArray[np.bool_]:
    """Return a mask with the empty slices between drawn ones filled in.

    Parameters
    ----------
    voxels : (slices, rows, columns) bool array
    grid : Grid
        Where they lie; a crop of the image that holds every drawn voxel will do. Along
        the slices uneven gaps are honoured; along rows or columns, the distance between
        slices is taken as the typical one.
    axis : {0, 1, 2}
        The axis of the array that it was drawn across.

    Returns
    -------
    (slices, rows, columns) bool array
        Outlines without anything in common may leave slices between them empty.

    Raises
    ------
    OsteotraceError
        If no slice lies between two drawn ones.
    """
    if voxels.shape != grid.shape:
        raise ValueError(f"voxels {voxels.shape}, grid {grid.shape}")
    drawn = drawn_slices(voxels, axis)
    if not (np.diff(drawn) > 1).any():
        raise OsteotraceError(
            f"{len(drawn)} drawn slices with none between them",
            expected="two drawn slices with empty ones between",
            advice="draw on a slice farther away, on the same view",
        )
    planes = np.moveaxis(voxels, axis, 0).copy()
    window = _around(planes)
    spacing = np.nan_to_num(np.delete(grid.spacing, axis), nan=1.0)
    heights, offsets = _places(grid, axis)
    for below, above in pairwise(drawn):
        if above - below > 1:
            pair = planes[(slice(below, above + 1), *window)]
            part = slice(below, above + 1)
            pair[1:-1] = _between(pair, heights[part], offsets[part], spacing)
    return np.moveaxis(planes, 0, axis)


def _around(planes: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns that hold every outline, and a margin."""
    sides = []
    for others in ((0, 2), (0, 1)):
        on = np.flatnonzero(planes.any(axis=others))
        sides.append(slice(max(int(on[0]) - _MARGIN, 0), int(on[-1]) + 1 + _MARGIN))
    return sides[0], sides[1]


def _places(grid: Grid, axis: int) -> tuple[Array, Array]:
    """Return where planes lie along an axis, mm, and the first voxel of each, (n, 2)."""
    if axis > 0:
        count = grid.shape[axis]
        return grid.spacing[axis] * np.arange(count), np.zeros((count, 2))
    frame = np.stack([grid.column_direction, grid.row_direction])
    return grid.slice_positions, np.asarray(grid.origins @ frame.T)


def _between(
    planes: NDArray[np.bool_], heights: Array, offsets: Array, spacing: Array
) -> NDArray[np.bool_]:
    """Return the planes between the first and the last of some.

    Parameters
    ----------
    planes : (n, rows, columns) bool array
    heights : (n,) array
        mm.
    offsets : (n, 2) array
        mm, in the plane, of the first voxel of each.
    spacing : (2,) array
        mm, in the plane.
    """
    ends = planes[0], planes[-1]
    distances = [_signed_distance(plane, spacing) for plane in ends]
    middles = [_middle(plane) * spacing for plane in ends]
    drift = middles[1] + offsets[-1] - middles[0] - offsets[0]
    if not all(_is_one_piece(plane) for plane in ends):
        drift = np.zeros(2)
    found = []
    for k in range(1, len(planes) - 1):
        share = (heights[k] - heights[0]) / (heights[-1] - heights[0])
        moved = [
            _moved(distance, (offset - offsets[k] + part * drift) / spacing)
            for distance, offset, part in zip(
                distances, (offsets[0], offsets[-1]), (share, share - 1.0), strict=True
            )
        ]
        found.append((1.0 - share) * moved[0] + share * moved[1] > 0)
    return np.array(found)


def _signed_distance(plane: NDArray[np.bool_], spacing: Array) -> Array:
    """Return the mm to the outline of a plane, positive inside."""
    from scipy.ndimage import distance_transform_edt

    # Beyond the edge of the array lies nothing: an outline there is an outline too.
    wide = np.pad(plane, 1)
    inside, outside = (
        distance_transform_edt(part, sampling=spacing.tolist()) for part in (wide, ~wide)
    )
    return np.asarray((inside - outside)[1:-1, 1:-1], dtype=np.float64)


def _middle(plane: NDArray[np.bool_]) -> Array:
    return np.asarray(np.argwhere(plane).mean(axis=0))


def _is_one_piece(plane: NDArray[np.bool_]) -> bool:
    from scipy.ndimage import label

    return bool(label(plane, structure=np.ones((3, 3)))[1] == 1)


def _moved(distance: Array, voxels: Array) -> Array:
    """Return distances moved by so many voxels, rows and columns."""
    from scipy.ndimage import shift

    if not voxels.any():
        return distance
    return np.asarray(shift(distance, voxels, order=1, mode="nearest"))
