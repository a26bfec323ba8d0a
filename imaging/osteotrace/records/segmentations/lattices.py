"""Planes for masks that lie on no image's grid but on that of a resampled volume.

Masks whose voxels are those of one grid share a segmentation, each slice at its own
place, as far apart as the grid has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.records.segmentations.planes import Placed, Stack
from osteotrace.regions import SAME_VOXEL_SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.records.segmentations.planes import Key
    from osteotrace.regions import Mask, Point

# Rows (0028,0010) and Columns (0028,0011) hold no more.
MOST_ROWS: Final = 65_535
# A plane that masks share spans no more pixels than this; beyond, each has its own.
MOST_PLANE_PIXELS: Final = 1 << 24


@dataclass(slots=True)
class Lattice:
    """Masks whose voxels are those of one grid, counted from the first of them."""

    series_uid: str
    first: Mask
    members: list[tuple[Key, Mask, NDArray[np.intp]]]

    @classmethod
    def around(cls, key: Key, mask: Mask, series_uid: str) -> Lattice:
        """Return the grid of one mask."""
        return cls(series_uid, mask, [(key, mask, np.zeros(2, np.intp))])

    def place(self, mask: Mask, series_uid: str) -> NDArray[np.intp] | None:
        """Return row and column of a mask's first voxel, None where it is no part."""
        if series_uid != self.series_uid or _shape(mask) != _shape(self.first):
            return None
        # Slices of a tilted stack move along their plane: it holds no other mask.
        if _off_lattice(self.first, self.first):
            return None
        if _off_lattice(mask, self.first):
            return None
        at = np.round(_pixels(mask, self.first)[0]).astype(np.intp)
        corners = [*self._corners(), at, at + np.array([mask.rows, mask.columns])]
        size = np.ptp(corners, axis=0)
        spans = size.max() <= MOST_ROWS and int(size.prod()) <= MOST_PLANE_PIXELS
        return at if spans else None

    def _corners(self) -> list[NDArray[np.intp]]:
        size = (np.array([mask.rows, mask.columns]) for _, mask, _ in self.members)
        starts = [at for *_, at in self.members]
        return [*starts, *(at + more for at, more in zip(starts, size, strict=True))]

    def stack(self) -> Stack:
        grid = self.first.grid
        corners = np.array(self._corners())
        low, high = corners.min(axis=0), corners.max(axis=0)
        near = SAME_VOXEL_SHARE * float(np.nanmin(grid.spacing))
        heights: list[float] = []
        positions: list[Point] = []
        placed = []
        for key, mask, at in self.members:
            row, column = (at - low).tolist()
            back = (
                row * grid.pixel_spacing[0] * grid.column_direction
                + column * grid.pixel_spacing[1] * grid.row_direction
            )
            numbers = []
            for origin in np.array(mask.origins):
                height = float(origin @ grid.normal)
                number = _nearest(heights, height, near)
                if number == len(heights):
                    heights.append(height)
                    x, y, z = (origin - back).tolist()
                    positions.append((x, y, z))
                numbers.append(number)
            placed.append(
                Placed(key=key, mask=mask, planes=tuple(numbers), row=row, column=column)
            )
        rows, columns = (high - low).tolist()
        return Stack(
            series_uid=self.series_uid,
            frame_of_reference_uid=self.first.frame_of_reference_uid,
            orientation=(*self.first.row_direction, *self.first.column_direction),
            pixel_spacing=self.first.pixel_spacing,
            slice_thickness=None,
            rows=rows,
            columns=columns,
            positions=tuple(positions),
            masks=tuple(placed),
        )


def _pixels(mask: Mask, first: Mask) -> Array:
    """Return row and column of the slices of a mask, from the first voxel of another."""
    grid = first.grid
    away = np.array(mask.origins) - grid.origins[0]
    pixels = np.stack([away @ grid.column_direction, away @ grid.row_direction], -1)
    return np.asarray(pixels / grid.pixel_spacing)


def _off_lattice(mask: Mask, first: Mask) -> bool:
    """Tell whether voxels of a mask are not under or over voxels of another."""
    pixels = _pixels(mask, first)
    return bool(np.abs(pixels - np.round(pixels[0])).max() > SAME_VOXEL_SHARE)


def _shape(mask: Mask) -> tuple[object, ...]:
    """Return what masks of one lattice have in common to the bit."""
    return (
        mask.frame_of_reference_uid,
        mask.row_direction,
        mask.column_direction,
        mask.pixel_spacing,
    )


def _nearest(heights: list[float], height: float, near: float) -> int:
    """Return the number of the plane at a height, or the next new number."""
    if heights:
        away = np.abs(np.array(heights) - height)
        if away.min() <= near:
            return int(away.argmin())
    return len(heights)


def add_to_a_lattice(
    lattices: list[Lattice], key: Key, mask: Mask, series_uid: str
) -> None:
    for lattice in lattices:
        at = lattice.place(mask, series_uid)
        if at is not None:
            lattice.members.append((key, mask, at))
            return
    lattices.append(Lattice.around(key, mask, series_uid))
