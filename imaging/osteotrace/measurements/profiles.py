"""Grey-value profiles along bundles of parallel lines through a volume.

SimpleITK interpolates linearly on an oriented grid laid over the voxels, sheared where
the stack is tilted; unevenly spaced slices are interpolated between their true places.
What comes back is a plain array. Nothing here looks for edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.geometry import orthogonal_pair, unit_vector
from osteotrace.volume.resampling import interpolated

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.volume import Volume

# Voxels kept around a window so that linear interpolation has its neighbours.
PADDING_VOXELS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A directed line with its lateral frame.

    Parameters
    ----------
    start : (3,) float64
        LPS mm, where t is zero.
    direction, u, v : (3,) float64
        Right-handed orthonormal frame, LPS; t runs along ``direction``.
    """

    start: Array
    direction: Array
    u: Array
    v: Array

    def point(self, t: float) -> Array:
        """Return the LPS mm point at t mm."""
        return np.asarray(self.start + t * self.direction)


def line_between(start: ArrayLike, end: ArrayLike, *, towards: ArrayLike) -> Line:
    """Return the line from one LPS mm point to another, u leaning towards a vector."""
    a = np.asarray(start, dtype=np.float64)
    direction = unit_vector(np.asarray(end, dtype=np.float64) - a)
    u, v = orthogonal_pair(direction, towards=towards)
    return Line(start=a, direction=direction, u=u, v=v)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """Samples of a bundle of parallel lines.

    Parameters
    ----------
    values : (lines, samples) float64
        In the rescaled unit of the volume.
    t : (samples,) float64
        mm along the line.
    u, v : (lines,) float64
        mm across it.
    """

    values: Array
    t: Array
    u: Array
    v: Array

    @property
    def mean(self) -> Array:
        """Mean profile over the lines, (samples,)."""
        return np.asarray(self.values.mean(axis=0))

    def between(self, low: float, high: float) -> Bundle:
        """Return the samples with low <= t <= high."""
        keep = (self.t >= low) & (self.t <= high)
        return Bundle(values=self.values[:, keep], t=self.t[keep], u=self.u, v=self.v)


class Sampler:
    """A window of a volume, ready to be interpolated.

    Parameters
    ----------
    volume : Volume
        On a grid of any kind: regular, tilted, uneven.
    points : (n, 3) array
        LPS mm; the window holds all of them.
    margin : float
        mm kept around them.
    """

    def __init__(self, volume: Volume, points: ArrayLike, margin: float) -> None:
        box = _window(volume.grid, np.asarray(points, dtype=np.float64), margin)
        corner = np.array([side.start for side in box])
        self._field = field_over(volume.grid, volume.rescaled(box), corner)

    def bundle(
        self,
        line: Line,
        t: tuple[float, float],
        step: float,
        half_width: float,
        lines: int,
    ) -> Bundle:
        """Sample a square bundle of lines.

        Parameters
        ----------
        line : Line
            Its middle.
        t : (low, high)
            mm along the line.
        step : float
            mm between samples.
        half_width : float
            mm from the middle to the outermost line.
        lines : int
            Lines a side; ``lines`` squared in all.

        Returns
        -------
        Bundle
            Without the samples that lie outside the volume; empty where a line leaves
            it in between.
        """
        count = round((t[1] - t[0]) / step) + 1
        across = 2 * half_width / (lines - 1)
        corner = line.point(t[0]) - half_width * (line.u + line.v)
        axes = np.stack([line.direction * step, line.u * across, line.v * across], axis=1)
        sampled = self._field.lattice(corner, axes, (count, lines, lines))
        values = sampled.reshape(lines * lines, count)
        offsets = np.linspace(-half_width, half_width, lines)
        v, u = np.meshgrid(offsets, offsets, indexing="ij")
        along: Array = t[0] + step * np.arange(count, dtype=np.float64)
        inside = np.flatnonzero(np.isfinite(values).all(axis=0))
        if len(inside) == 0 or np.ptp(inside) != len(inside) - 1:
            inside = inside[:0]
        return Bundle(values=values[:, inside], t=along[inside], u=u.ravel(), v=v.ravel())


def _window(grid: Grid, points: Array, margin: float) -> tuple[slice, slice, slice]:
    """Return the voxels that points with a margin can touch, (slice, row, column)."""
    points = points.reshape(-1, 3)
    aside = margin * grid.normal
    ends = grid.to_index(np.concatenate([points - aside, points + aside]))[:, 0]
    slices = _clipped(ends.min(), ends.max(), len(grid.origins))
    # Each slice has its own origin, and a tilted stack moves it along.
    within = points - grid.origins[slices][:, None]
    sides = []
    for direction, spacing, count in (
        (grid.column_direction, grid.pixel_spacing[0], grid.rows),
        (grid.row_direction, grid.pixel_spacing[1], grid.columns),
    ):
        index = within @ direction / spacing
        reach = margin / spacing
        sides.append(_clipped(index.min() - reach, index.max() + reach, count))
    return slices, sides[0], sides[1]


def _clipped(low: float, high: float, count: int) -> slice:
    first, last = np.clip(
        [np.floor(low - PADDING_VOXELS), np.ceil(high + PADDING_VOXELS)], 0, count - 1
    ).astype(int)
    return slice(int(first), int(last) + 1)


def field_over(grid: Grid, values: Array, corner: NDArray[np.intp]) -> _Even | _Uneven:
    """Return values ready to be sampled on oriented lattices (`_Even.lattice`).

    Parameters
    ----------
    grid : Grid
        Of the whole volume.
    values : (slices, rows, columns) float64
        Of a window of it.
    corner : (3,) int
        Index of the window's first voxel in the volume; may lie outside it.
    """
    return (_Even if grid.is_even else _Uneven)(grid, values, corner)


class _Even:
    """A window of an even stack: one matrix turns mm into indices.

    Parameters
    ----------
    grid : Grid
        Of the whole volume.
    values : (slices, rows, columns) float64
    corner : (3,) int
        Index of the window's first voxel in the volume.
    """

    def __init__(self, grid: Grid, values: Array, corner: NDArray[np.intp]) -> None:
        import SimpleITK as sitk

        self._image: Any = sitk.GetImageFromArray(values)
        to_index = np.linalg.inv(grid.affine())
        # SimpleITK counts (column, row, slice): rows of the matrix are reversed.
        self._rotation = to_index[2::-1, :3]
        self._offset = to_index[2::-1, 3] - corner[::-1]

    def lattice(self, corner: Array, axes: Array, size: tuple[int, int, int]) -> Array:
        """Return the values at ``corner + axes @ (i, j, k)``, indexed k, j, i.

        NaN outside the window.
        """
        import SimpleITK as sitk

        transform = sitk.AffineTransform(3)
        transform.SetMatrix((self._rotation @ axes).ravel().tolist())
        transform.SetTranslation((self._rotation @ corner + self._offset).tolist())
        resample = sitk.ResampleImageFilter()
        resample.SetSize(size)
        resample.SetTransform(transform)
        resample.SetInterpolator(sitk.sitkLinear)
        resample.SetDefaultPixelValue(float("nan"))
        # A bundle is some thousand samples: starting threads costs more than it saves.
        resample.SetNumberOfThreads(1)
        return np.asarray(sitk.GetArrayFromImage(resample.Execute(self._image)))


class _Uneven:
    """A window of an unevenly spaced stack: each slice at its true place.

    Parameters and method as in `_Even`.
    """

    def __init__(self, grid: Grid, values: Array, corner: NDArray[np.intp]) -> None:
        self._grid, self._values, self._corner = grid, values, corner

    def lattice(self, corner: Array, axes: Array, size: tuple[int, int, int]) -> Array:
        steps = np.moveaxis(np.indices(size[::-1]), 0, -1)[..., ::-1]
        index = self._grid.to_index(corner + steps @ axes.T) - self._corner
        return interpolated(self._values, index)
