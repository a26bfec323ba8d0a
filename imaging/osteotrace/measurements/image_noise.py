"""The noise of an image: its size and correlation in homogeneous voxels, drawn again.

Real CT noise is correlated over a millimetre; draws without that would flatter every
uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fewer homogeneous voxels than this tell nothing of the noise.
LEAST_VOXELS: Final = 60
# Neighbours correlate between nothing and this.
MOST_CORRELATION: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNoise:
    """Gaussian noise of an image.

    Parameters
    ----------
    standard_deviation : float
        Of a voxel.
    correlation : (slice, row, column)
        Between neighbouring voxels along each axis.
    """

    standard_deviation: float
    correlation: tuple[float, float, float]

    def draw(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return noise of this size and correlation."""
        field = generator.standard_normal(shape).astype(np.float32)
        for axis, correlation in enumerate(self.correlation):
            field = _along(field, axis, _blend(shape[axis], correlation))
        return np.asarray(self.standard_deviation * field, dtype=np.float32)


def noise_in(values: NDArray[Any], homogeneous: NDArray[np.bool_]) -> ImageNoise:
    """Return the noise of the homogeneous voxels of an image.

    Parameters
    ----------
    values : (slices, rows, columns) array
    homogeneous : bool array of that shape
        Voxels of one tissue.
    """
    if homogeneous.sum() < LEAST_VOXELS:
        homogeneous = np.ones_like(homogeneous)
    middle = float(np.median(values[homogeneous]))
    spread = 1.4826 * float(np.median(np.abs(values[homogeneous] - middle)))
    # What lies farther out is structure.
    usual = homogeneous & (np.abs(values - middle) <= 3 * max(spread, 1e-6))
    rest = np.where(usual, values - values[usual].mean(), 0.0)
    sd = float(np.sqrt((rest[usual] ** 2).mean()))
    correlation = []
    for axis in range(3):
        own, there = np.moveaxis(rest, axis, 0), np.moveaxis(usual, axis, 0)
        both = there[:-1] & there[1:]
        product = float((own[:-1] * own[1:])[both].mean()) if both.any() else 0.0
        correlation.append(
            float(np.clip(product / max(sd**2, 1e-9), 0, MOST_CORRELATION))
        )
    a, b, c = correlation
    return ImageNoise(standard_deviation=sd, correlation=(a, b, c))


def _blend(count: int, correlation: float) -> NDArray[np.float32]:
    """Return the matrix that gives white noise a Gaussian correlation along an axis."""
    if correlation <= 0.01:
        return np.eye(count, dtype=np.float32)
    # A kernel of sigma s gives neighbours the correlation exp(-1 / (4 s²)).
    sigma = np.sqrt(-1 / (4 * np.log(correlation)))
    lag = np.arange(count)[:, None] - np.arange(count)[None, :]
    kernel = np.exp(-0.5 * (lag / sigma) ** 2)
    kernel /= np.sqrt((kernel**2).sum(axis=1, keepdims=True))
    return np.asarray(kernel, dtype=np.float32)


def _along(
    field: NDArray[np.float32], axis: int, matrix: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.moveaxis(np.tensordot(matrix, field, axes=(1, axis)), 0, axis)
