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

# A distance below this is one of rounding, mm.
NOTHING_MM: Final = 1e-6


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
        Where they lie; a crop of the image that holds every drawn voxel will do, widened
        as `reach` has it where the stack is not straight. Along
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
    spacing = _in_plane(grid, axis)
    heights, offsets = _places(grid, axis)
    sides = [np.flatnonzero(planes.any(axis=others)) for others in ((0, 2), (0, 1))]
    rows, columns = (
        slice(max(int(on[0]) - margin, 0), int(on[-1]) + 1 + margin)
        for on, margin in zip(sides, _margins(offsets / spacing), strict=True)
    )
    for below, above in pairwise(drawn):
        if above - below > 1:
            pair = planes[below : above + 1, rows, columns]
            part = slice(below, above + 1)
            pair[1:-1] = _between(pair, heights[part], offsets[part], spacing)
    return np.moveaxis(planes, 0, axis)


def reach(
    box: tuple[slice, slice, slice], grid: Grid, *, axis: int = 0
) -> tuple[slice, slice, slice]:
    """Return where a mask in a box of an image may come to lie when it is filled.

    Parameters
    ----------
    box : three slices
        Holds every drawn voxel.
    grid : Grid
        Of the image.
    axis : {0, 1, 2}
        As in `filled`.
    """
    _, offsets = _places(grid.cropped(box), axis)
    margins = _margins(offsets / _in_plane(grid, axis))
    margins.insert(axis, 0)
    a, b, c = (
        slice(max(side.start - margin, 0), min(side.stop + margin, count))
        for side, margin, count in zip(box, margins, grid.shape, strict=True)
    )
    return a, b, c


def _margins(offsets: Array) -> list[int]:
    """Return how many voxels beside two planes an outline between them may lie.

    None in a straight stack; where planes lie aside of each other, as far as they do.
    """
    return [int(wide) for wide in np.ceil(np.ptp(offsets, axis=0)).tolist()]


def _in_plane(grid: Grid, axis: int) -> Array:
    """Return the spacing within the planes across an axis, mm, (2,)."""
    return np.nan_to_num(np.delete(grid.spacing, axis), nan=1.0)


def _places(grid: Grid, axis: int) -> tuple[Array, Array]:
    """Return where planes lie along an axis, mm, and how far aside of the first."""
    if axis > 0:
        count = grid.shape[axis]
        return grid.spacing[axis] * np.arange(count), np.zeros((count, 2))
    frame = np.stack([grid.column_direction, grid.row_direction])
    offsets = (grid.origins - grid.origins[0]) @ frame.T
    # Rounding alone moves no plane of a straight stack aside.
    return grid.slice_positions, np.where(np.abs(offsets) < NOTHING_MM, 0.0, offsets)


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
    drift = _apart(*ends) * spacing + offsets[-1] - offsets[0]
    if not all(_is_one_piece(plane) for plane in ends):
        drift = np.zeros(2)
    shares = (heights[1:-1] - heights[0]) / (heights[-1] - heights[0])
    # Voxels that either outline is moved by, to each plane.
    moves = [
        (offset - offsets[1:-1] + parts[:, None] * drift) / spacing
        for offset, parts in ((offsets[0], shares), (offsets[-1], shares - 1.0))
    ]
    # What comes from beyond the border is a distance too, not the border's own.
    beyond = 1 + int(np.ceil(np.abs(moves).max()))
    distances = [_signed_distance(plane, spacing, beyond) for plane in ends]
    found = []
    for share, *pair in zip(shares, *moves, strict=True):
        first, last = (
            _moved(distance, beyond - move, planes.shape[1:])
            for distance, move in zip(distances, pair, strict=True)
        )
        found.append((1.0 - share) * first + share * last > NOTHING_MM)
    return np.array(found)


def _signed_distance(plane: NDArray[np.bool_], spacing: Array, beyond: int) -> Array:
    """Return the mm to the outline of a plane, positive inside.

    Parameters
    ----------
    plane : (rows, columns) bool array
    spacing : (2,) array
        mm.
    beyond : int
        Voxels on each side of the plane that the distances are taken in too. Nothing
        lies there: an outline at the edge of the image is an outline too.
    """
    from scipy.ndimage import distance_transform_edt

    wide = np.pad(plane, beyond)
    inside, outside = (
        distance_transform_edt(part, sampling=spacing.tolist()) for part in (wide, ~wide)
    )
    return np.asarray(inside - outside, dtype=np.float64)


def _apart(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Array:
    """Return the voxels from the middle of one plane to that of another."""
    first, last = np.argwhere(one), np.argwhere(other)
    # In whole numbers: the same to the bit wherever the crop begins.
    apart = last.sum(axis=0) * len(first) - first.sum(axis=0) * len(last)
    return np.asarray(apart / (len(first) * len(last)))


def _is_one_piece(plane: NDArray[np.bool_]) -> bool:
    from scipy.ndimage import label

    return bool(label(plane, structure=np.ones((3, 3)))[1] == 1)


def _moved(distance: Array, first: Array, shape: tuple[int, ...]) -> Array:
    """Return distances in a window that begins at an index, which may be a fraction."""
    from scipy.ndimage import affine_transform

    return np.asarray(
        affine_transform(distance, np.ones(2), first, output_shape=shape, order=1)
    )
