"""What an image file that is no DICOM holds: an array, and one matrix that places it.

Its axes may run any way in the patient. Here they become slices, rows and columns, of
their own or of a given grid; voxels are turned and flipped, never interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import permutations, product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import EVENNESS_MM, Grid, unit_vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from osteotrace.geometry import Array

# Two grids are the same where no voxel centre lies farther off than this, mm: float32
# headers hold a place to 0.0001 mm, and no voxel is as small.
SAME_GRID_MM: Final = 0.01

# No patient reaches as far from the origin, no voxel is as small, mm; and unit axes that
# enclose less than this lie in one plane.
FARTHEST_MM: Final = 1e6
LEAST_STEP_MM: Final = 1e-5
LEAST_DETERMINANT: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredImage:
    """An array of grey values with its place.

    Parameters
    ----------
    voxels : (n0, n1, n2) array
        Stored values, the axis that changes fastest last.
    affine : (4, 4) float64
        From indices along the array's own axes to patient LPS mm. One that places no
        image in space is an `OsteotraceError`.
    slope, intercept : float
        From stored values to values.
    notes : tuple of str
        What is doubtful about it, in words.
    """

    voxels: NDArray[Any] = field(repr=False)
    affine: Array
    slope: float = 1.0
    intercept: float = 0.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _in_space(self.affine, self.voxels.shape):
            raise OsteotraceError(
                "a matrix that places no image in space",
                expected="three axes of different directions, in mm",
                advice="write the image again with its geometry",
            )

    def turned(self, axes: tuple[int, ...], flipped: tuple[bool, ...]) -> StoredImage:
        """Return the image with its axes reordered, then some of them run backwards.

        Every voxel stays where it is in the patient.
        """
        voxels = self.voxels.transpose(axes)
        affine = self.affine[:, [*axes, 3]]
        for axis in np.flatnonzero(flipped).tolist():
            affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
            affine[:3, axis] *= -1
            voxels = np.flip(voxels, axis)
        return replace(self, voxels=voxels, affine=affine)

    def as_slices(self) -> tuple[StoredImage, Grid]:
        """Return the image as ascending slices, and their grid.

        The first axis counts the slices, unless only another choice leaves rows and
        columns at right angles; a sheared image becomes a tilted stack.

        Raises
        ------
        OsteotraceError
            If no two axes are at right angles, or there is one slice only.
        """
        for axes in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
            image = self.turned(axes, (False,) * 3)
            if image._has_square_slices():
                return image._ascending()
        raise OsteotraceError(
            "an image sheared along two axes",
            expected="rows and columns at right angles",
            advice="resample it onto a rectilinear grid first",
        )

    def on(self, grid: Grid) -> StoredImage | None:
        """Return the image with its voxels in the order of a grid, if it lies on that.

        None where a voxel centre would lie farther than `SAME_GRID_MM` from its place.
        """
        index = np.zeros((grid.shape[0], 4, 3))
        index[..., 0] = np.arange(grid.shape[0])[:, None]
        index[..., 1:] = list(product((0, grid.rows - 1), (0, grid.columns - 1)))
        expected = grid.to_patient(index)
        for image in self._turns():
            if image.voxels.shape == grid.shape:
                places = index @ image.affine[:3, :3].T + image.affine[:3, 3]
                if np.linalg.norm(places - expected, axis=-1).max() <= SAME_GRID_MM:
                    return image
        return None

    def _turns(self) -> Iterator[StoredImage]:
        """Yield the image in all 48 orders and directions of its axes."""
        for axes in permutations(range(3)):
            for flipped in product((False, True), repeat=3):
                yield self.turned(axes, flipped)

    def _has_square_slices(self) -> bool:
        row, column = self.affine[:3, 2], self.affine[:3, 1]
        slant = abs(unit_vector(row) @ unit_vector(column))
        length = np.linalg.norm(column) * (self.voxels.shape[1] - 1)
        return bool(slant * length <= EVENNESS_MM)

    def _ascending(self) -> tuple[StoredImage, Grid]:
        row, column = unit_vector(self.affine[:3, 2]), unit_vector(self.affine[:3, 1])
        normal = unit_vector(np.cross(row, column))
        down = bool(self.affine[:3, 0] @ normal < 0)
        image = self.turned((0, 1, 2), (down, False, False))
        slices, rows, columns = image.voxels.shape
        if slices < 2:
            raise OsteotraceError(
                "a single slice",
                expected="two slices or more",
                advice="give the whole volume; one slice has no extent across it",
            )
        steps = np.arange(slices)[:, None] * image.affine[:3, 0]
        spacing = np.linalg.norm(image.affine[:3, 1:3], axis=0)
        return image, Grid(
            row_direction=row,
            column_direction=np.cross(normal, row),
            pixel_spacing=spacing,
            origins=image.affine[:3, 3] + steps,
            rows=rows,
            columns=columns,
        )


def _in_space(affine: Array, shape: tuple[int, ...]) -> bool:
    """Tell whether a matrix spreads an array over three dimensions near the patient."""
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        reach = np.abs(affine[:3, 3]).max() + lengths @ (np.array(shape) - 1)
        # A comparison with NaN is false.
        if not (reach <= FARTHEST_MM and lengths.min() >= LEAST_STEP_MM):
            return False
        return bool(abs(np.linalg.det(affine[:3, :3] / lengths)) >= LEAST_DETERMINANT)
