"""Two studies in one picture: swipe, checkerboard and difference, composed as it is seen.

An array for napari over the earlier study's slices: the part that is asked for is taken
from both studies and put together then and there. For looking; nothing is measured on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from osteotrace.volume.laid_planes import ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.volume.laid_planes import Key
    from osteotrace_napari.canvas.layers import PlaneView

    Values = NDArray[np.float32]

# Side of a square of the checkerboard, mm.
CHECKER_MM: Final = 20.0
LEAST_CHECKER_MM: Final = 1.0
MIDDLE: Final = 0.5


class Readable(Protocol):
    """Voxels that are read part by part."""

    @property
    def shape(self) -> tuple[int, ...]:
        """How many there are along each axis."""
        ...

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part."""
        ...


class Way(Protocol):
    """One way to put two pictures of the same places together."""

    def __call__(
        self, earlier: Values, later: Values, index: tuple[NDArray[Any], ...]
    ) -> Values:
        """Compose two parts, given the slices, rows and columns they are of."""
        ...


class Overlaid:
    """Two studies as one array, which is composed where it is read.

    Parameters
    ----------
    earlier, later : arrays of one shape
        The later one laid onto the slices of the earlier; NaN where it has no voxel.
    way : callable
        `Swipe`, `Checkerboard` or `difference`.
    gain, offset : float
        What brings later values to the scale of the earlier ones.
    """

    ndim: Final = 3
    dtype: Final = np.dtype(np.float32)

    def __init__(
        self,
        earlier: Readable,
        later: Readable,
        way: Way,
        *,
        gain: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        slices, rows, columns = earlier.shape
        self.shape = slices, rows, columns
        self.way = way
        self._earlier, self._later = earlier, later
        self._gain, self._offset = gain, offset

    def scaled(self, gain: float, offset: float) -> Overlaid:
        """Return the same picture with the later values on another scale."""
        return Overlaid(self._earlier, self._later, self.way, gain=gain, offset=offset)

    @property
    def size(self) -> int:
        """How many voxels there are."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        """Return the number of slices."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> Values:
        """Return a part: an integer or a range for each axis."""
        wanted, dropped = ranges(key, self.shape)
        # With every axis there, a way knows what lies where.
        box = tuple(slice(start, end, step) for start, end, step, _ in wanted)
        earlier = np.asarray(self._earlier[box], dtype=np.float32)
        later = self._later[box]
        if (self._gain, self._offset) != (1.0, 0.0):
            later = later * np.float32(self._gain) + np.float32(self._offset)
        composed = self.way(earlier, later, _places(wanted))
        return composed.squeeze(axis=dropped)


@dataclass(slots=True)
class Swipe:
    """The earlier picture on the left of a divider, the later one on its right.

    Parameters
    ----------
    axis : int
        The array axis across the canvas.
    count : int
        Voxels along it.
    leftwards : bool
        Whether rising indices go to the left.
    share : float
        Where the divider stands, from the left edge (0) to the right edge (1).
    """

    axis: int
    count: int
    leftwards: bool
    share: float = MIDDLE

    @classmethod
    def across(cls, view: PlaneView, shape: tuple[int, ...], share: float) -> Swipe:
        """Return a swipe across a plane."""
        axis = view.order[2]
        return cls(axis, shape[axis], view.orientation[1] == "left", share)

    @property
    def at(self) -> float:
        """The index along its axis where the divider stands."""
        from_low = 1 - self.share if self.leftwards else self.share
        return from_low * self.count - 0.5

    def share_at(self, index: float) -> float:
        """Return the share at an index along its axis, within the image."""
        from_low = min(max((index + 0.5) / self.count, 0.0), 1.0)
        return 1 - from_low if self.leftwards else from_low

    def __call__(
        self, earlier: Values, later: Values, index: tuple[NDArray[Any], ...]
    ) -> Values:
        """Compose two parts."""
        along = index[self.axis]
        is_later = along < self.at if self.leftwards else along > self.at
        return np.where(is_later, later, earlier)


@dataclass(frozen=True, slots=True)
class Checkerboard:
    """Squares of the two pictures in turn.

    Parameters
    ----------
    axes : (int, int)
        The array axes in the plane.
    spacing : (float, float)
        mm a voxel along each of them.
    side : float
        mm.
    """

    axes: tuple[int, int]
    spacing: tuple[float, float]
    side: float

    def __call__(
        self, earlier: Values, later: Values, index: tuple[NDArray[Any], ...]
    ) -> Values:
        """Compose two parts."""
        down, right = (
            np.floor(index[axis] * mm / self.side)
            for axis, mm in zip(self.axes, self.spacing, strict=True)
        )
        return np.where((down + right) % 2 == 1, later, earlier)


def difference(earlier: Values, later: Values, index: tuple[NDArray[Any], ...]) -> Values:
    """Return later minus earlier values; NaN where the later study has no voxel."""
    return np.asarray(later - earlier)


def _places(wanted: Key) -> tuple[NDArray[Any], ...]:
    """Return the slices, rows and columns of a part, each along its own axis."""
    places = []
    for axis, (start, _, step, count) in enumerate(wanted):
        shape = [1, 1, 1]
        shape[axis] = count
        places.append((start + step * np.arange(count)).reshape(shape))
    return tuple(places)
