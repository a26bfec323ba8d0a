"""The planes of pictures, and what a volume or a mask looks like on one.

A picture is resampled once, linearly, onto square pixels, and is for eyes only: no
number is read from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

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

    def points(self) -> Array:
        """Return the (pixels, pixels, 3) LPS mm of the picture's pixels."""
        step = self.width / PIXELS
        along = (np.arange(PIXELS) + 0.5) * step - self.width / 2
        return np.asarray(
            self.centre + along[:, None, None] * self.down + along[:, None] * self.right
        )


def reslice(volume: Volume, plane: Plane) -> NDArray[np.float64]:
    """Return (pixels, pixels) values on a plane, NaN outside the volume.

    Linear between the true places of the voxels, tilted and uneven stacks included.
    """
    from osteotrace.volume.resampling import interpolated

    points = plane.points()
    index = volume.grid.to_index(points)
    last = np.array(volume.grid.shape) - 1
    low = np.clip(np.floor(index.min(axis=(0, 1))), 0, last).astype(int)
    high = np.clip(np.ceil(index.max(axis=(0, 1))), 0, last).astype(int)
    values = np.empty(high - low + 1, dtype=np.float32)
    _, rows, columns = (slice(a, b + 1) for a, b in zip(low, high, strict=True))
    # Slice by slice: an oblique plane may touch a large part of the volume.
    for n, k in enumerate(range(low[0], high[0] + 1)):
        values[n] = volume.rescaled((slice(k, k + 1), rows, columns))[0]
    shown = interpolated(values, np.clip(index, 0, last) - low)
    return np.where(volume.grid.contains(points), shown, np.nan)


def share_of_mask(mask: Mask, plane: Plane, grid: Grid) -> NDArray[np.float64]:
    """Return (pixels, pixels) shares of a mask on a plane: its outline lies at 0.5.

    ``grid`` is that of the volume: a mask in one slice does not know how thick it is,
    nor one in an uneven stack how far its neighbours lie.
    """
    from osteotrace.volume.resampling import interpolated

    # One empty voxel all around, so that the outline closes.
    padded = np.pad(mask.voxels.astype(np.float32), 1)
    try:
        mask.on(grid)
        first = np.round(grid.to_index(mask.grid.origins[0]))
    except OsteotraceError:
        grid, first = mask.grid, np.zeros(3)
    index = grid.to_index(plane.points()) - first + 1
    last = np.array(padded.shape) - 1
    shown = interpolated(padded, np.clip(index, 0, last))
    inside = ((index >= 0) & (index <= last)).all(axis=-1)
    return np.where(inside, shown, 0.0)
