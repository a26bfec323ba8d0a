"""A piece of bone with the blurred shape that explains its image, and what repeats vary.

The point spread is the one that explains the largest pieces best. Each fit is repeated on
its own model under other noise: the repeats tell the spread and the bias of its size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace import geometry
from osteotrace.measurements.blurred_shapes import Fit, window_around

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.measurements.blurred_shapes import Shape, Window
    from osteotrace.measurements.bone_pieces import Pieces

# Point spreads tried on an image, sigma in mm, and what is assumed where no fragment is
# large enough to tell.
SIGMAS_MM: Final = (0.45, 0.6, 0.75)
ASSUMED_SIGMA_MM: Final = 0.6
ASSUMED_SIGMA_UNCERTAINTY_MM: Final = 0.1
FITTED_SIGMA_UNCERTAINTY_MM: Final = 0.03
MOST_FRAGMENTS_FOR_SIGMA: Final = 3
# Repeats of the fit with other noise.
REPEATS: Final = 8
# Below this longest diameter (mm) only a range of the volume is honest.
RANGE_BELOW_MM: Final = 4.0
# What the fitted surface loses at narrow ends, mm, and how many SD of the repeats the
# farthest of many noisy points lies too far out; found on
# phantoms of the family `osteotrace.phantoms.fragments`.
TIP_MM: Final = 0.22
OUTERMOST_SDS: Final = 1.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedFragment:
    """A piece with its fitted shape.

    Parameters
    ----------
    number : int
        Of the piece.
    window : Window
    shape : Shape
    repeats : tuple of Shape
        Fits of the model under other noise.
    volume_per_sigma : float
        mm3 for a mm of point spread.
    """

    number: int
    window: Window
    shape: Shape
    repeats: tuple[Shape, ...]
    volume_per_sigma: float

    @property
    def sd(self) -> tuple[float, float]:
        """Return the spread of length and volume over the repeats, mm and mm3."""
        lengths = [_length(shape) for shape in self.repeats]
        volumes = [shape.volume for shape in self.repeats]
        return float(np.std(lengths, ddof=1)), float(np.std(volumes, ddof=1))

    @property
    def length(self) -> float:
        """Return the longest diameter without the bias of its ends, mm."""
        return _length(self.shape) + TIP_MM - OUTERMOST_SDS * self.sd[0]

    @property
    def volume(self) -> float:
        """Return the volume without the bias that the repeats show, mm3."""
        again = float(np.mean([shape.volume for shape in self.repeats]))
        return self.shape.volume**2 / again

    @property
    def density(self) -> float:
        """Return the step from background to fragment without that bias."""
        again = float(np.mean([shape.density for shape in self.repeats]))
        return self.shape.density**2 / again


def _length(shape: Shape) -> float:
    a, b = shape.longest()
    return geometry.distance(a, b)


def fitted_fragments(
    pieces: Pieces, numbers: Sequence[int]
) -> tuple[list[FittedFragment], float, float]:
    """Fit pieces with the point spread that explains the image best.

    Returns
    -------
    fragments : list of FittedFragment
        Those that can be fitted, in the order of ``numbers``.
    sigma, uncertainty : float
        Of the point spread, mm.
    """
    windows = {number: window_around(pieces, number) for number in numbers}
    sizes = {number: int(windows[number].own.sum()) for number in numbers}
    largest = sorted(numbers, key=lambda number: (-sizes[number], number))
    trial = [
        {sigma: Fit(windows[n], sigma)(windows[n].image) for sigma in SIGMAS_MM}
        for n in largest[:MOST_FRAGMENTS_FOR_SIGMA]
    ]
    sigma, uncertainty = _best_sigma(trial)
    fragments = []
    for number in numbers:
        fragment = _fitted_one(number, windows[number], sigma)
        if fragment is not None:
            fragments.append(fragment)
    return fragments, sigma, uncertainty


def _best_sigma(trials: Sequence[dict[float, Shape | None]]) -> tuple[float, float]:
    """Return the sigma at the lowest residual of all fragments large enough to tell."""
    low, middle, high = SIGMAS_MM
    total = np.zeros(3)
    for trial in trials:
        shapes = [trial[sigma] for sigma in SIGMAS_MM]
        told = [shape for shape in shapes if shape is not None]
        if len(told) == 3 and _length(told[1]) >= RANGE_BELOW_MM:
            total += [shape.collar_voxels * shape.residual_sd**2 for shape in told]
    left, here, right = total
    bend = left - 2 * here + right
    if not total.any() or not bend > 0:
        return ASSUMED_SIGMA_MM, ASSUMED_SIGMA_UNCERTAINTY_MM
    step = 0.5 * (high - low)
    best = middle + 0.5 * step * (left - right) / bend
    reach = 0.5 * step
    return float(np.clip(best, low - reach, high + reach)), FITTED_SIGMA_UNCERTAINTY_MM


def _fitted_one(number: int, window: Window, sigma: float) -> FittedFragment | None:
    fit = Fit(window, sigma)
    shape = fit(window.image)
    if shape is None:
        return None
    text = f"{number} {window.corner} {window.image.shape}".encode()
    text += window.image.tobytes()
    seed = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    generator = np.random.Generator(np.random.PCG64(seed))
    again = [
        fit(shape.model + shape.noise.draw(shape.model.shape, generator))
        for _ in range(REPEATS)
    ]
    repeats = tuple(one for one in again if one is not None)
    if len(repeats) < REPEATS // 2:
        return None
    wider = Fit(window, sigma + ASSUMED_SIGMA_UNCERTAINTY_MM)(window.image)
    slope = 0.0
    if wider is not None:
        slope = (wider.volume - shape.volume) / ASSUMED_SIGMA_UNCERTAINTY_MM
    return FittedFragment(
        number=number,
        window=window,
        shape=shape,
        repeats=repeats,
        volume_per_sigma=slope,
    )
