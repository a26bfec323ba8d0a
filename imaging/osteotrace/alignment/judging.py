"""How well a pose holds: likeness, overlap, and the error of its six numbers.

The error comes from the parts of the region: each pulls the pose its own way, and how
differently they pull says how far the pose may be off, whatever the reason: noise,
resampling, or a patient who is not rigid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment.fitting import (
    FEWEST_POINTS,
    Bins,
    Sample,
    Target,
    information,
    tukey,
    usual_residuals,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.alignment.poses import Pose
    from osteotrace.geometry import Array

# Numbers of a pose.
FREE: Final = 6
# Steps for the second derivatives of the information: rad and mm.
NUDGES: Final = (0.002, 0.002, 0.002, 0.1, 0.1, 0.1)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two images are at a pose, and how much of them was compared."""

    similarity: float
    overlap: float


def likeness(sample: Sample, target: Target, pose: Pose, *, alike: bool) -> Likeness:
    """Return the correlation, or for unlike images what their information amounts to.

    The information coefficient of correlation, √(1 - exp(-2 I)), is the correlation of
    two normal variables of that mutual information (Linfoot, Information and Control
    1957;1:85).
    """
    read = target.read(sample, pose)
    overlap = len(read.kept) / max(len(sample.points), 1)
    if len(read.kept) < FEWEST_POINTS:
        return Likeness(0.0, overlap)
    if not alike:
        value, _, _ = information(sample, read, Bins.of(sample, target))
        return Likeness(float(np.sqrt(1 - np.exp(-2 * max(value, 0.0)))), overlap)
    wanted = sample.values[read.kept]
    if min(np.std(wanted), np.std(read.values)) < 1.0:
        return Likeness(0.0, overlap)
    return Likeness(float(np.corrcoef(wanted, read.values)[0, 1]), overlap)


def covariance(
    sample: Sample, target: Target, pose: Pose, *, alike: bool, robust: bool = True
) -> Array:
    """Return the (6, 6) covariance of turn (rad) and shift (mm) of a fitted pose.

    The sandwich of the parts' own pulls between the inverse of the stiffness.
    """
    if alike:
        stiffness, pulls = _by_correlation(sample, target, pose, robust)
    else:
        stiffness, pulls = _by_information(sample, target, pose)
    scale = 1 / np.sqrt(np.maximum(np.diag(stiffness), 1e-12))
    inverse = np.linalg.pinv(stiffness * np.outer(scale, scale), hermitian=True)
    inverse = inverse * np.outer(scale, scale)
    count = len(pulls)
    spread = count / max(count - FREE, 1) * pulls.T @ pulls
    return np.asarray(inverse @ spread @ inverse)


def _by_correlation(
    sample: Sample, target: Target, pose: Pose, robust: bool
) -> tuple[Array, Array]:
    read = target.read(sample, pose)
    wanted = sample.values[read.kept]
    scale = usual_residuals(wanted, read.values)
    # A plain fit is its own least squares; a robust one leaves out what it left out.
    weights = tukey(wanted, read.values, scale) if robust else np.ones(len(wanted))
    level = np.column_stack([read.values, np.ones(len(wanted))])
    slopes = _without(level, weights, scale[0] * read.slopes)
    residual = _without(level, weights, wanted[:, None])
    weighted = slopes * weights[:, None]
    stiffness = np.einsum("ni,nj->ij", weighted, slopes)
    return stiffness, _summed(weighted * residual, sample, read.kept)


def _without(level: Array, weights: Array, columns: Array) -> Array:
    """Return columns less what gain and offset take up, which says nothing of a pose."""
    weighted = level * weights[:, None]
    normal = np.einsum("ni,nj->ij", weighted, level)
    taken = np.linalg.lstsq(normal, np.einsum("ni,nj->ij", weighted, columns), rcond=None)
    return np.asarray(columns - level @ taken[0])


def _by_information(sample: Sample, target: Target, pose: Pose) -> tuple[Array, Array]:
    bins = Bins.of(sample, target)

    def gradient(step: Array) -> Array:
        return information(sample, target.read(sample, pose.moved(step)), bins)[1]

    columns = []
    for k, nudge in enumerate(NUDGES):
        step = np.zeros(FREE)
        step[k] = nudge
        columns.append((gradient(step) - gradient(-step)) / (2 * nudge))
    bend = -np.stack(columns)
    read = target.read(sample, pose)
    _, _, each = information(sample, read, bins)
    return (bend + bend.T) / 2, _summed(each, sample, read.kept)


def _summed(each: Array, sample: Sample, kept: NDArray[np.intp]) -> Array:
    """Return the sums over the parts, what is left of the whole taken out."""
    block = sample.block[kept]
    count = int(sample.block.max()) + 1
    sums = [np.bincount(block, each[:, k], minlength=count) for k in range(FREE)]
    pulls = np.stack(sums, axis=-1)
    return np.asarray(pulls - pulls.mean(axis=0))
