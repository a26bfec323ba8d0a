"""A volume on another grid, one plane at a time: sampled when it is looked at.

For pictures alone. Whatever part of the grid is asked for is interpolated linearly from
the volume then and there, so that a slice of a registered study is seen at once and the
whole of it is never resampled. `osteotrace.volume.resampling` makes whole volumes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.volume.resampling import interpolated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid

    Key = tuple[tuple[int, int, int, int], ...]

# Planes kept: the one that is seen, and those beside it when a reader goes to and fro.
_KEPT: Final = 4
# A plane that crosses more slices than this is sampled from values made ready once.
_FEW_SLICES: Final = 8


class LaidPlanes:
    """Values on another grid, as an array that is made where it is read.

    Parameters
    ----------
    values : (slices, rows, columns) array
        Of the volume, rescaled; never changed.
    source : Grid
        Where they lie.
    target : Grid
        Where they are wanted, in the same frame of reference.

    Attributes
    ----------
    shape : (int, int, int)
        Of the target: slices, rows, columns.
    dtype : float32
        NaN lies where the volume has no voxel.
    """

    ndim: Final = 3
    dtype: Final = np.dtype(np.float32)

    def __init__(self, values: NDArray[Any], source: Grid, target: Grid) -> None:
        self.shape = target.shape
        self._values, self._source, self._target = values, source, target
        self._image: Any = None
        self._floats: NDArray[np.float32] | None = None
        self._kept: OrderedDict[Key, NDArray[np.float32]] = OrderedDict()

    @property
    def size(self) -> int:
        """How many voxels the target has."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        """Return the number of slices of the target."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Return a part of the target: an integer or a range for each of its axes."""
        wanted, dropped = ranges(key, self.shape)
        found = self._kept.pop(wanted, None)
        if found is None:
            found = self._sampled(wanted)
            found.setflags(write=False)
        self._kept[wanted] = found
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found.squeeze(axis=dropped)

    def _sampled(self, wanted: Key) -> NDArray[np.float32]:
        if self._source.is_even and self._target.is_even:
            return self._sampled_even(wanted)
        axes = [start + step * np.arange(count) for start, _, step, count in wanted]
        index = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        at = self._source.to_index(self._target.to_patient(index))
        return self._between_slices(at)

    def _between_slices(self, at: Array) -> NDArray[np.float32]:
        """Sample between the true places of uneven slices, from those that are near."""
        last = len(self._values) - 1
        low = int(np.clip(np.floor(at[..., 0].min()), 0, max(last - 1, 0)))
        high = int(np.clip(np.ceil(at[..., 0].max()), low, last))
        if self._floats is None and high - low > _FEW_SLICES:
            self._floats = self._values.astype(np.float32)
        values = self._values if self._floats is None else self._floats
        near = values[low : high + 1].astype(np.float32, copy=False)
        return interpolated(near, at - [low, 0, 0])

    def _sampled_even(self, wanted: Key) -> NDArray[np.float32]:
        """Sample through the one matrix that joins two even grids."""
        import SimpleITK as sitk

        if self._image is None:
            # SimpleITK samples its own memory alone: one copy, kept.
            self._image = sitk.GetImageFromArray(self._values)
        joined = np.linalg.inv(self._source.affine()) @ self._target.affine()
        matrix = joined[:3, :3] * [step for _, _, step, _ in wanted]
        first = joined @ [*(start for start, *_ in wanted), 1.0]
        transform = sitk.AffineTransform(3)
        # SimpleITK counts (column, row, slice): rows and columns are reversed.
        transform.SetMatrix(matrix[::-1, ::-1].ravel().tolist())
        transform.SetTranslation(first[2::-1].tolist())
        resample = sitk.ResampleImageFilter()
        resample.SetSize([count for *_, count in wanted[::-1]])
        resample.SetTransform(transform)
        resample.SetInterpolator(sitk.sitkLinear)
        resample.SetOutputPixelType(sitk.sitkFloat32)
        resample.SetDefaultPixelValue(float("nan"))
        sampled: NDArray[np.float32] = sitk.GetArrayFromImage(
            resample.Execute(self._image)
        )
        return sampled


def ranges(key: Any, shape: tuple[int, int, int]) -> tuple[Key, tuple[int, ...]]:
    """Return start, end, step and count of each axis, and the axes that are dropped.

    Parameters
    ----------
    key : int, slice, or a tuple of them
        As numpy takes it; axes that are not named are taken whole.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        rest = (slice(None),) * (len(shape) - len(parts) + 1)
        parts = (*parts[:at], *rest, *parts[at + 1 :])
    parts = (*parts, *(slice(None),) * (len(shape) - len(parts)))
    wanted, dropped = [], []
    for axis, (part, count) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(part, slice):
            start, end, step = part.indices(count)
            wanted.append((start, end, step, len(range(start, end, step))))
            continue
        index = int(part)
        if not -count <= index < count:
            raise IndexError(f"index {index} of an axis of {count}")
        index %= count
        wanted.append((index, index + 1, 1, 1))
        dropped.append(axis)
    return tuple(wanted), tuple(dropped)
