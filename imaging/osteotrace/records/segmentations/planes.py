"""The planes of one segmentation, and the masks on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from osteotrace.regions import SAME_VOXEL_SHARE

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.regions import Mask, Point

# Which region of which finding, both counted from 0.
Key = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A mask and its place on the planes of a segmentation.

    Parameters
    ----------
    key : (finding, region)
    mask : Mask
    planes : tuple of int
        The plane of each of its slices.
    row, column : int
        Of the first voxel of its box, the same on every plane.
    sources : tuple of str
        The image that each slice lies on; empty where it lies on none.
    """

    key: Key
    mask: Mask
    planes: tuple[int, ...]
    row: int
    column: int
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The planes of one segmentation, and the masks on them.

    Parameters
    ----------
    series_uid : str
        SeriesInstanceUID of the images; empty where the masks name none.
    frame_of_reference_uid : str
    orientation : six floats
        ImageOrientationPatient (0020,0037).
    pixel_spacing : two floats
        PixelSpacing (0028,0030), mm.
    slice_thickness : float or None
        SliceThickness (0018,0050) of the images, mm.
    rows, columns : int
    positions : tuple of (x, y, z)
        ImagePositionPatient (0020,0032) of every plane, LPS mm.
    masks : tuple of Placed
    """

    series_uid: str
    frame_of_reference_uid: str
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    slice_thickness: float | None
    rows: int
    columns: int
    positions: tuple[Point, ...]
    masks: tuple[Placed, ...]

    @property
    def heights(self) -> Array:
        """Distance of every plane along the normal of the planes, mm."""
        row, column = np.reshape(self.orientation, (2, 3))
        return np.asarray(np.array(self.positions) @ np.cross(row, column))

    @property
    def spacing_between_slices(self) -> float | None:
        """The step between planes, mm, where equal steps describe them all."""
        gaps = np.diff(np.unique(self.heights))
        if len(gaps) == 0:
            return None
        steps = gaps / gaps.min()
        even = np.abs(steps - np.round(steps)).max() <= SAME_VOXEL_SHARE
        # Over a few slices alone: gaps that are multiples may be slices left out.
        return float(gaps.min()) if even else None
