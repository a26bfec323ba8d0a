"""The planes of pictures, and what a volume or a mask looks like on one.

A picture is resampled once, linearly, onto square pixels, and is for eyes only: no
number is read from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import HALF_VOXEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

    Box = tuple[slice, slice, slice]

PIXELS: Final = 640


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A picture's plane: centre and unit vectors in LPS, and its width in mm."""

    name: str
    centre: Array
    right: Array
    down: Array
    width: float

    @property
    def normal(self) -> Array:
        """Unit vector into the picture, ``right × down``."""
        return np.cross(self.right, self.down)

    def to_picture(self, points: Any) -> Array:
        """Turn (n, 3) LPS mm into (n, 2) mm right of and below the centre."""
        offset = np.asarray(points, dtype=np.float64) - self.centre
        return np.stack([offset @ self.right, offset @ self.down], axis=-1)

    def points(self, pixels: int = PIXELS) -> Array:
        """Return the (pixels, pixels, 3) LPS mm of the picture's pixels."""
        step = self.width / pixels
        along = (np.arange(pixels) + 0.5) * step - self.width / 2
        return np.asarray(
            self.centre + along[:, None, None] * self.down + along[:, None] * self.right
        )


def reslice(volume: Volume, plane: Plane, pixels: int = PIXELS) -> NDArray[np.float64]:
    """Return (pixels, pixels) values on a plane, NaN outside the volume.

    Linear between the true places of the voxels, tilted and uneven stacks included.
    """

    def read(box: Box) -> NDArray[np.float32]:
        slices, rows, columns = box
        values = np.empty([side.stop - side.start for side in box], dtype=np.float32)
        # Slice by slice: an oblique plane may touch a large part of the volume.
        for n, k in enumerate(range(slices.start, slices.stop)):
            values[n] = volume.rescaled((slice(k, k + 1), rows, columns))[0]
        return values

    return _sampled(read, volume.grid.shape, _index(volume.grid, plane, pixels))


def share_of_mask(
    mask: Mask, plane: Plane, grid: Grid, pixels: int = PIXELS
) -> NDArray[np.float64]:
    """Return (pixels, pixels) shares of a mask on a plane: its outline lies at 0.5.

    ``grid`` is that of the volume: a mask in one slice does not know how thick it is,
    nor one in an uneven stack how far its neighbours lie.
    """
    try:
        first = np.array([side.start for side in mask.box_on(grid)])
    except OsteotraceError:
        grid, first = mask.grid, np.zeros(3)
    # One empty voxel all around, so that the outline closes.
    padded = np.pad(mask.voxels, 1)
    index = _index(grid, plane, pixels) - first[:, None, None] + 1

    def read(box: Box) -> NDArray[np.float32]:
        return padded[box].astype(np.float32)

    return np.nan_to_num(_sampled(read, padded.shape, index), copy=False)


def _index(grid: Grid, plane: Plane, pixels: int) -> Array:
    """Return the (3, pixels, pixels) slice, row and column of a picture's pixels."""
    if not grid.is_even:
        return np.moveaxis(grid.to_index(plane.points(pixels)), -1, 0)
    # On an even stack the index changes by the same from pixel to pixel.
    to_index = np.linalg.inv(grid.affine())
    centre = to_index[:3, :3] @ plane.centre + to_index[:3, 3]
    right, down = (to_index[:3, :3] @ axis for axis in (plane.right, plane.down))
    along = (np.arange(pixels) + 0.5) * plane.width / pixels - plane.width / 2
    rows, columns = down[:, None] * along, right[:, None] * along
    return np.asarray(centre[:, None, None] + rows[:, :, None] + columns[:, None, :])


def _sampled(
    read: Callable[[Box], NDArray[np.float32]], shape: tuple[int, ...], index: Array
) -> NDArray[np.float64]:
    """Return values between voxels, NaN farther out than half a voxel.

    Parameters
    ----------
    read : callable
        Gives the voxels of a box.
    shape : (3,) tuple
        Of all voxels.
    index : (3, rows, columns) array
    """
    from scipy.ndimage import map_coordinates

    last = np.array(shape)[:, None, None] - 1
    within = (index >= -HALF_VOXEL) & (index <= last + HALF_VOXEL)
    inside: NDArray[np.bool_] = np.asarray(within.all(axis=0))
    values = np.full(inside.shape, np.nan)
    if not inside.any():
        return values
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    seen = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    at = np.clip(index[:, *seen], 0, last)
    low = np.floor(at.min(axis=(1, 2))).astype(int)
    high = np.ceil(at.max(axis=(1, 2))).astype(int)
    a, b, c = (slice(x, y + 1) for x, y in zip(low.tolist(), high.tolist(), strict=True))
    at -= low[:, None, None]
    values[seen] = map_coordinates(read((a, b, c)), at, order=1, mode="nearest")
    values[~inside] = np.nan
    return values
