"""Fits of a pose to two images: points of one read in the other, moved until they match.

`by_correlation` for images of like grey values: Gauss-Newton on the six numbers of the
pose together with gain and offset. `by_information` for unlike ones: the mutual
information of a smoothed joint histogram with its exact gradient (Mattes et al., IEEE
Trans Med Imaging 2003;22:120), climbed by scoring. Both are the same to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.alignment.images import Field, Prepared
    from osteotrace.alignment.poses import Pose
    from osteotrace.geometry import Array

# A fit has ended where no corner of the points moves farther than this, mm.
SETTLED_MM: Final = 5e-4
MOST_STEPS, FEW_STEPS = 60, 25
# Tukey's biweight: residuals beyond 4.685 robust standard deviations count nothing.
TUKEY: Final = 4.685
# After so many steps the scale of usual residuals stays as it is: the fit then settles.
WEIGHED_STEPS: Final = 25
MAD_TO_SD: Final = 1.4826
# A share of each direction's own stiffness that keeps a step short.
DAMPING: Final = 1e-3
# Bins of the joint histogram, and its margin for the cubic window.
BINS: Final = 32
# How much longer than the expected one a step of a climb may be.
LONGEST: Final = 16.0
SHORT_STEPS: Final = 3
# Fewest points that a fit rests on.
FEWEST_POINTS: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Points of the image that is sampled, with their values.

    Parameters
    ----------
    points : (n, 3) array
        LPS mm.
    values : (n,) array
    profile : (k, 3) array
        Offsets, mm, over which the other image is averaged: a thick slice's own reach.
    block : (n,) array of int
        Which part of the region a point belongs to.
    """

    points: Array
    values: Array
    profile: Array
    block: NDArray[np.intp]

    def part(self, which: NDArray[Any]) -> Sample:
        """Return some of the points."""
        return replace(
            self,
            points=self.points[which],
            values=self.values[which],
            block=self.block[which],
        )

    def corners(self) -> Array:
        """Return the (8, 3) corners of the box around the points, LPS mm."""
        ends = np.stack([self.points.min(axis=0), self.points.max(axis=0)])
        picks = np.indices((2, 2, 2)).reshape(3, -1).T
        return np.stack([ends[picks[:, k], k] for k in range(3)], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The image that points are read in."""

    prepared: Prepared
    field: Field

    def read(self, sample: Sample, pose: Pose) -> Reading:
        """Return what lies where a pose takes the points of a sample."""
        points = pose.apply(sample.points)
        values = np.zeros(len(points))
        gradients = np.zeros((len(points), 3))
        use = self.prepared.may_use(points)
        for offset in sample.profile @ pose.rotation.T:
            value, gradient, inside = self.field.at(points + offset)
            values += value
            gradients += gradient
            use &= inside
        count = len(sample.profile)
        kept = np.flatnonzero(use)
        g = gradients[kept] / count
        levers = points[kept] - pose.place
        return Reading(kept, values[kept] / count, np.hstack([np.cross(levers, g), g]))


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Values that were read, and how each changes with turn and shift."""

    kept: NDArray[np.intp]
    values: Array
    slopes: Array


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Where a fit ended.

    Parameters
    ----------
    pose : Pose
    steps : int
    settled : bool
        It ended because nothing moved any more, not because it ran out of steps.
    used : float
        Share of the points that lay in the other image.
    """

    pose: Pose
    steps: int
    settled: bool
    used: float


def by_correlation(
    sample: Sample,
    target: Target,
    start: Pose,
    *,
    robust: bool,
    reach_mm: float,
    settled_mm: float = SETTLED_MM,
    most_steps: int = MOST_STEPS,
) -> Fit:
    """Return the pose at which gain × read + offset is nearest to the sample.

    Parameters
    ----------
    sample : Sample
    target : Target
    start : Pose
    robust : bool
        What does not fit at all counts nothing: a changed lesion, a moved bone.
    reach_mm : float
        Farthest that one step may move a corner.
    settled_mm : float
        A step that moves no corner farther ends the fit.
    most_steps : int
    """
    pose, corners = start, sample.corners()
    weights: Array | None = None
    scale: tuple[float, float, float] | None = None
    length, moved = 1.0, np.inf
    for steps in range(1, most_steps + 1):
        read = target.read(sample, pose)
        used = len(read.kept) / len(sample.points)
        if len(read.kept) < FEWEST_POINTS:
            return Fit(pose, steps, False, used)
        wanted = sample.values[read.kept]
        if robust and steps <= WEIGHED_STEPS:
            scale = usual_residuals(wanted, read.values)
        if scale is not None:
            weights = tukey(wanted, read.values, scale)
        step = length * _newton_step(read, wanted, weights)
        trial = pose.moved(step)
        far = trial.apart(pose, corners)
        if far > reach_mm:
            trial = pose.moved(step * (reach_mm / far))
        elif far > 0.7 * moved:
            # Steps that do not shrink go to and fro: shorter ones end it.
            length = max(0.5 * length, 0.3)
        pose, moved = trial, min(far, reach_mm)
        if far < settled_mm:
            return Fit(pose, steps, True, used)
    return Fit(pose, most_steps, moved < 10 * settled_mm, used)


def usual_residuals(wanted: Array, values: Array) -> tuple[float, float, float]:
    """Return gain, offset, and the residual beyond which a point counts nothing."""
    gain, offset = gain_and_offset(wanted, values)
    residual = wanted - gain * values - offset
    middle = float(np.median(residual))
    spread = MAD_TO_SD * float(np.median(np.abs(residual - middle)))
    return gain, offset + middle, TUKEY * spread + 1e-9


def tukey(wanted: Array, values: Array, scale: tuple[float, float, float]) -> Array:
    """Return the weight of each point: none where it is far from the usual residuals."""
    gain, offset, limit = scale
    residual = (wanted - gain * values - offset) / limit
    return np.asarray(np.maximum(1 - residual**2, 0.0) ** 2)


def gain_and_offset(wanted: Array, values: Array) -> tuple[float, float]:
    """Return the line through the origin of neither that turns values into wanted."""
    spread = float(np.var(values))
    if spread <= 0:
        return 1.0, float(np.mean(wanted) - np.mean(values))
    both = float(np.mean((wanted - wanted.mean()) * (values - values.mean())))
    gain = both / spread
    return gain, float(np.mean(wanted) - gain * np.mean(values))


def _newton_step(read: Reading, wanted: Array, weights: Array | None) -> Array:
    columns = np.column_stack([read.slopes, read.values, np.ones(len(wanted))])
    weighted = columns if weights is None else columns * weights[:, None]
    # einsum adds in one order whatever the number of threads.
    normal = np.einsum("ni,nj->ij", weighted, columns)
    right = np.einsum("ni,n->i", weighted, wanted)
    damped = normal.copy()
    damped[np.arange(6), np.arange(6)] *= 1 + DAMPING
    scale = np.sqrt(np.diag(damped)) + 1e-12
    solved = np.linalg.lstsq(damped / np.outer(scale, scale), right / scale, rcond=1e-12)
    answer = solved[0] / scale
    gain = answer[6]
    return np.asarray(answer[:6] / gain if abs(gain) > 1e-3 else np.zeros(6))


# Mutual information ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """How grey values of both images fall into bins."""

    own: tuple[float, float]
    other: tuple[float, float]

    @classmethod
    def of(cls, sample: Sample, target: Target) -> Bins:
        """Return the bins over the ranges of both images."""
        ranges = [
            (float(v.min()), float(max(np.ptp(v), 1e-6)))
            for v in (sample.values, target.field.values)
        ]
        return cls(ranges[0], ranges[1])


def information(sample: Sample, read: Reading, bins: Bins) -> tuple[float, Array, Array]:
    """Return the mutual information (nats), its gradient a point, and the points' share.

    Returns
    -------
    information : float
    gradient : (6,) array
        By turn (rad) and shift (mm).
    each : (n, 6) array
        What each point that was read adds to it.
    """
    low, width = bins.own
    a = np.clip((sample.values[read.kept] - low) / width * BINS, 0, BINS - 1).astype(int)
    low, width = bins.other
    # Two bins of margin on either side hold the cubic window.
    scale = (BINS - 1) / width
    place = (read.values - low) * scale + 2.0
    first = np.clip(np.floor(place), 2, BINS + 1).astype(int)
    offset = place - first
    windows, slopes = _window(offset)
    table = np.zeros(BINS * (BINS + 5))
    at = a * (BINS + 5) + first
    for k in range(4):
        table += np.bincount(at + (k - 1), windows[k], minlength=len(table))
    joint = table.reshape(BINS, BINS + 5) / len(a)
    own, other = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(joint > 1e-12, np.log(joint / (own * other)), 0.0)
    level = logs.reshape(-1)
    pull = sum(slopes[k] * level[at + (k - 1)] for k in range(4)) * (scale / len(a))
    each = np.asarray(pull)[:, None] * read.slopes
    return float((joint * logs).sum()), each.sum(axis=0), each


def _window(offset: Array) -> tuple[list[Array], list[Array]]:
    """Return the cubic B-spline over four bins, and its slopes, at offsets in 0..1."""
    t, u = offset, 1 - offset
    values = [u**3 / 6, 2 / 3 - t * t + t**3 / 2, 2 / 3 - u * u + u**3 / 2, t**3 / 6]
    slopes = [-(u**2) / 2, -2 * t + 1.5 * t * t, 2 * u - 1.5 * u * u, t * t / 2]
    return values, slopes


def by_information(
    sample: Sample,
    target: Target,
    start: Pose,
    *,
    reach_mm: float,
    settled_mm: float,
    most_steps: int = MOST_STEPS,
) -> Fit:
    """Return the pose at which both images tell the most of each other.

    Each point's log-likelihood ratio has a slope; their spread is the Fisher information,
    whose inverse turns their sum into a step. A step that does not help is shortened.
    """
    bins, corners = Bins.of(sample, target), sample.corners()
    pose, length, short = start, 1.0, 0
    read = target.read(sample, pose)
    value, gradient, each = information(sample, read, bins)
    for steps in range(1, most_steps + 1):
        step = length * _scoring_step(gradient, each)
        far = pose.moved(step).apart(pose, corners)
        trial = pose.moved(step * min(1.0, reach_mm / max(far, 1e-12)))
        read = target.read(sample, trial)
        used = len(read.kept) / len(sample.points)
        if len(read.kept) < FEWEST_POINTS:
            return Fit(pose, steps, False, used)
        found, slope, points = information(sample, read, bins)
        if found >= value:
            pose, value, gradient, each = trial, found, slope, points
            length = min(2 * length, LONGEST)
        else:
            length *= 0.35
        # A ridge is climbed in short steps at first: only several in a row are an end.
        short = short + 1 if far < settled_mm else 0
        if short == SHORT_STEPS:
            return Fit(pose, steps, True, used)
    return Fit(pose, most_steps, False, used)


def _scoring_step(gradient: Array, each: Array) -> Array:
    spread = np.einsum("ni,nj->ij", each, each) * len(each)
    spread[np.arange(6), np.arange(6)] *= 1 + DAMPING
    scale = np.sqrt(np.diag(spread)) + 1e-12
    solved = np.linalg.lstsq(
        spread / np.outer(scale, scale), gradient / scale, rcond=1e-10
    )
    return np.asarray(solved[0] / scale)
