"""The search from everywhere: every turn up to 66 degrees, every shift, at once.

For each of some 200 turns the similarity at all shifts comes from fast Fourier
transforms with masks (Padfield, IEEE Trans Image Process 2012;21:2706): correlation where
both are CT, else the share of the variance of one image's ranks that classes of the other
explain (the correlation ratio, Roche et al., MICCAI 1998): it needs no like grey values.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.alignment.images import Field
from osteotrace.alignment.poses import Pose, turns_within

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from osteotrace.alignment.images import Prepared
    from osteotrace.geometry import Array

# Patients lie turned by up to 60 degrees from one date to another; a little beyond.
MOST_TURN_DEG: Final = 66.0
# Farthest that a turn may lie from one that is tried: a peak is some 25 degrees wide.
# Alike images tell a peak from farther off than unlike ones do.
TURNS_APART_DEG: Final = {True: 14.0, False: 12.0}
# Voxels of the coarse images and the most along one axis, and the cubes' size, mm.
COARSE_VOXELS: Final = 10_000
COARSE_LENGTH: Final = 34
COARSE_STEP_MM: Final = (2.5, 9.0)
# Least share of the smaller image, or region, that has to lie in the other.
LEAST_OVERLAP: Final = 0.35
# From the middles on each other: so much of the smaller image may leave the larger.
MOST_OUTSIDE: Final = 0.45
# Places kept for each turn.
PEAKS: Final = 2
# A turned CT is laid out no longer than this times its longest side beside another CT:
# what is cut off are corners.
LONGEST_SIDE: Final = 1.2
# Classes of the one image, of equal size, that have to explain the ranks of the other.
CLASSES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A pose that the search proposes, and the evidence for it (`stages.Place`)."""

    pose: Pose
    evidence: float


def step_for(*images: Prepared) -> float:
    """Return the size of cubes for the search, mm."""
    extents = [np.array(i.image.GetSize()) * i.image.GetSpacing() for i in images]
    by_size = max(float(np.prod(extent)) / COARSE_VOXELS for extent in extents) ** (1 / 3)
    # The ends of a long image sweep far on a small turn: they want larger cubes.
    by_length = max(float(extent.max()) for extent in extents) / COARSE_LENGTH
    return float(np.clip(max(by_size, by_length), *COARSE_STEP_MM))


def search(
    first: Prepared,
    second: Prepared,
    step_mm: float,
    *,
    alike: bool,
    progress: Callable[[float], None] | None = None,
) -> list[Candidate]:
    """Return poses from the first to the second image, the best first.

    Parameters
    ----------
    first, second : Prepared
        Unless they are alike, the first is told in classes: CT beside MR.
    step_mm : float
        Size of the cubes.
    alike : bool
        Both are CT.
    """
    still = _Still.of(first, first.coarse(step_mm), alike)
    turns = turns_within(MOST_TURN_DEG, TURNS_APART_DEG[alike])
    moving = second.coarse(step_mm)
    if not alike:
        moving = _ranked(moving)
    found: list[list[Candidate]] = []
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        # `map` gives results in the order of the turns, whoever is quicker.
        for done, peaks in enumerate(
            pool.map(lambda turn: still.peaks(second, moving, turn), turns), 1
        ):
            found.append(peaks)
            if progress is not None:
                progress(done / len(turns))
    every = [candidate for peaks in found for candidate in peaks]
    return sorted(every, key=lambda c: -c.evidence)


@dataclass(frozen=True, slots=True, eq=False)
class _Still:
    """The image that stays, in layers, and their spectra for each size of frame."""

    field: Field
    layers: tuple[NDArray[np.float32], ...]
    total: float
    classes: bool
    spectra: dict[tuple[int, ...], list[Any]]

    @classmethod
    def of(cls, first: Prepared, field: Field, alike: bool) -> _Still:
        index = np.indices(field.values.shape).reshape(3, -1).T.astype(float)
        use = first.may_use(field.points(index)).reshape(field.values.shape)
        layers = tuple(_layers(field.values, use, alike))
        return cls(field, layers, float(use.sum()), not alike, {})

    def peaks(self, second: Prepared, moving: Field, turn: Array) -> list[Candidate]:
        """Return the best places for one turn."""
        steps = turn @ self.field.steps
        values, use, origin = _laid(
            second, moving, steps, None if self.classes else LONGEST_SIDE
        )
        size = self._frame(np.array(values.shape))
        score, overlap = self._scores(values, use, size)
        shared = overlap / max(min(self.total, float(use.sum())), 1.0)
        told = -0.5 * shared * np.log(1 - np.clip(score, 0.0, 0.9999) ** 2)
        score = np.where(shared >= LEAST_OVERLAP, told, -1.0)
        found = []
        for _ in range(PEAKS):
            peak = np.unravel_index(int(np.argmax(score)), score.shape)
            if score[peak] <= 0:
                break
            pose = self._pose(peak, size, values.shape, turn, origin)
            found.append(Candidate(pose, float(score[peak])))
            _clear(score, peak)
        return found

    def _frame(self, shape: NDArray[np.intp]) -> tuple[int, ...]:
        """Return a size in which shifts that leave enough overlap do not wrap."""
        from scipy.fft import next_fast_len

        own = np.array(self.field.values.shape)
        reach = np.maximum(own, shape) + np.ceil(MOST_OUTSIDE * np.minimum(own, shape))
        size = tuple(int(next_fast_len(int(n), real=True)) for n in reach)
        if size not in self.spectra:
            self.spectra[size] = [_spectrum(layer, size) for layer in self.layers]
        return size

    def _scores(
        self, values: Array, use: NDArray[np.bool_], size: tuple[int, ...]
    ) -> tuple[Array, Array]:
        grey = np.where(use, values - values[use].mean() if use.any() else 0.0, 0.0)
        mask = _spectrum(use, size)
        plain = _spectrum(grey, size)
        square = _spectrum(grey**2, size)
        if self.classes:
            return self._ratio(mask, plain, square, size)
        own_mask, own, own_square = self.spectra[size]

        def match(one: Any, other: Any) -> Array:
            return _matched(one, other, size)

        n = np.maximum(np.rint(match(own_mask, mask)), 0.0)
        safe = np.maximum(n, 1.0)
        a, b = match(own, mask), match(own_mask, plain)
        aa = np.maximum(match(own_square, mask) - a * a / safe, 0.0)
        bb = np.maximum(match(own_mask, square) - b * b / safe, 0.0)
        product = match(own, plain) - a * b / safe
        # Where one image is all but flat, rounding would look like likeness.
        low = 1e-3 * float(np.sqrt(aa.max() * bb.max())) + 1e-9
        return product / np.maximum(np.sqrt(aa * bb), low), n

    def _ratio(
        self, mask: Any, plain: Any, square: Any, size: tuple[int, ...]
    ) -> tuple[Array, Array]:
        n_all, total, between = (np.zeros(size) for _ in range(3))
        whole, *classes = self.spectra[size]
        for spectrum in classes:
            n = np.maximum(_matched(spectrum, mask, size), 0.0)
            s = _matched(spectrum, plain, size)
            n_all, total = n_all + n, total + s
            between += np.where(n > 0.5, s * s / np.maximum(n, 0.5), 0.0)
        mean = total * total / np.maximum(n_all, 1.0)
        spread = np.maximum(_matched(whole, square, size) - mean, 0.0)
        low = 1e-2 * float(spread.max()) + 1e-9
        share = np.clip((between - mean) / np.maximum(spread, low), 0.0, 1.0)
        return np.sqrt(share), n_all

    def _pose(
        self,
        peak: Any,
        size: tuple[int, ...],
        shape: tuple[int, ...],
        turn: Array,
        origin: Array,
    ) -> Pose:
        own, frame = np.array(self.field.values.shape), np.array(size)
        # Shifts wrap around: take the one that lays the middles nearest.
        shift = np.array(peak, dtype=float)
        usual = (own - np.array(shape)) / 2
        shift -= frame * np.rint((shift - usual) / frame)
        # Voxel j of the turned image lies on voxel j + shift of the first.
        start = self.field.points(shift[None])[0]
        centre = self.field.corners().mean(axis=0)
        return Pose(turn, centre, origin + turn @ (centre - start))


def _laid(
    second: Prepared, moving: Field, steps: Array, longest: float | None
) -> tuple[Array, NDArray[np.bool_], Array]:
    """Return the second image on turned axes, where it may be used, and its origin."""
    from scipy.ndimage import map_coordinates

    corners = moving.corners()
    middle = corners.mean(axis=0)
    spans = np.abs((corners - middle) @ np.linalg.inv(steps).T).max(axis=0)
    if longest is not None:
        spans = np.minimum(spans, 0.5 * longest * max(moving.values.shape))
    shape = tuple(int(n) for n in 2 * np.floor(spans).astype(int) + 1)
    origin = middle - steps @ ((np.array(shape) - 1) / 2)
    points = np.indices(shape).reshape(3, -1).T @ steps.T + origin
    at = moving.index(points)
    inside = ((at >= 0) & (at <= np.array(moving.values.shape) - 1)).all(axis=1)
    values = map_coordinates(moving.values, at.T, order=1, mode="nearest")
    use = inside & second.may_use(points)
    return values.reshape(shape), use.reshape(shape), origin


def _matched(own: Any, other: Any, size: tuple[int, ...]) -> Array:
    from scipy.fft import irfftn

    return np.asarray(irfftn(own * np.conj(other), size))


def _layers(
    values: NDArray[Any], use: NDArray[np.bool_], alike: bool
) -> list[NDArray[Any]]:
    if alike:
        grey = np.where(use, values - values[use].mean() if use.any() else 0.0, 0.0)
        return [use, grey, grey**2]
    shares = np.arange(1, CLASSES) / CLASSES
    cuts = np.unique(np.quantile(values[use], shares)) if use.any() else shares
    which = np.digitize(values, cuts)
    return [use, *(use & (which == k) for k in range(len(cuts) + 1))]


def _ranked(field: Field) -> Field:
    """Return a field of ranks, 0 to 1: a few bright voxels then outweigh no others."""
    from scipy.stats import rankdata

    ranks = rankdata(field.values.reshape(-1)).reshape(field.values.shape)
    values = (ranks / max(ranks.size, 1)).astype(np.float32)
    return Field(values, field.origin, field.steps)


def _spectrum(values: NDArray[Any], size: tuple[int, ...]) -> Any:
    from scipy.fft import rfftn

    return rfftn(np.asarray(values, dtype=np.float32), size)


def _clear(score: Array, peak: Any) -> None:
    """Take a peak and its neighbours out of an array that wraps around."""
    around = [
        np.arange(at - 2, at + 3) % n for at, n in zip(peak, score.shape, strict=True)
    ]
    score[np.ix_(*around)] = -1.0
