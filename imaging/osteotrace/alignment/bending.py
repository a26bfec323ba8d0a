"""Whether a patient is rigid at all: what each part of a region would do by itself.

A spine bends where bodies collapse and a child grows; the mean pose is then well known
and still wrong for every part. The parts' own shifts tell that, and their trend with
place tells growth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment.fitting import (
    FEWEST_POINTS,
    Bins,
    Sample,
    Target,
    gain_and_offset,
    information,
)

if TYPE_CHECKING:
    from osteotrace.alignment.poses import Pose
    from osteotrace.geometry import Array

STEPS: Final = 5
# Farthest that a part is followed, mm.
FARTHEST_MM: Final = 8.0
# A part with less than this share of the usual stiffness would slide anywhere.
FIRM: Final = 0.2


@dataclass(frozen=True, slots=True)
class Bending:
    """How far parts lie from where one pose puts them.

    Parameters
    ----------
    off_mm : float
        Root mean square of the parts' own shifts, all three axes.
    scale : float
        By which the read image is larger than the sampled one, less one.
    likeness : float
        Median correlation of the parts, each at its own shift; of alike images only. One
        bone beside itself reaches it however the patient bent, its neighbour does not.
    """

    off_mm: float
    scale: float
    likeness: float


def bending(sample: Sample, target: Target, pose: Pose, *, alike: bool) -> Bending:
    """Return what the parts of a region would do, each by its own shift."""
    count = int(sample.block.max()) + 1
    shifts, firm = np.zeros((count, 3)), np.zeros(count)
    for _ in range(STEPS):
        # A shift of the read image is one of the sampled points, turned back.
        moved = sample.points + shifts[sample.block] @ pose.rotation
        steps, firm = _steps(replace(sample, points=moved), target, pose, alike, count)
        shifts = np.clip(shifts + steps, -FARTHEST_MM, FARTHEST_MM)
    held = firm >= FIRM * float(np.median(firm))
    middles = np.stack(
        [
            np.bincount(sample.block, sample.points[:, k], minlength=count)
            / np.maximum(np.bincount(sample.block, minlength=count), 1)
            for k in range(3)
        ],
        axis=-1,
    )
    away = (middles[held] - middles[held].mean(axis=0)) @ pose.rotation.T
    own = shifts[held]
    spread = float((away**2).sum())
    scale = float(((own - own.mean(axis=0)) * away).sum()) / max(spread, 1e-9)
    moved = sample.points + shifts[sample.block] @ pose.rotation
    return Bending(
        off_mm=float(np.sqrt((own**2).sum(axis=1).mean())),
        scale=scale,
        likeness=_likeness(replace(sample, points=moved), target, pose),
    )


def _likeness(sample: Sample, target: Target, pose: Pose) -> float:
    read = target.read(sample, pose)
    block, wanted = sample.block[read.kept], sample.values[read.kept]
    found = []
    for part in range(int(sample.block.max()) + 1):
        inside = block == part
        flat = inside.sum() < FEWEST_POINTS
        if not flat and min(np.std(wanted[inside]), np.std(read.values[inside])) > 0:
            found.append(np.corrcoef(wanted[inside], read.values[inside])[0, 1])
    return float(np.median(found)) if found else 0.0


def _steps(
    sample: Sample, target: Target, pose: Pose, alike: bool, count: int
) -> tuple[Array, Array]:
    """Return one step of each part's own fit, and how firmly it is held."""
    read = target.read(sample, pose)
    steps, firm = np.zeros((count, 3)), np.zeros(count)
    if len(read.kept) < FEWEST_POINTS:
        return steps, firm
    slopes = read.slopes[:, 3:]
    if alike:
        wanted = sample.values[read.kept]
        gain, offset = gain_and_offset(wanted, read.values)
        slopes = gain * slopes
        pulls = slopes * (wanted - gain * read.values - offset)[:, None]
    else:
        _, _, each = information(sample, read, Bins.of(sample, target))
        pulls = slopes = each[:, 3:] * len(each)
    block = sample.block[read.kept]
    for part in np.unique(block):
        own = slopes[block == part]
        stiffness = np.einsum("ni,nj->ij", own, own)
        firm[part] = max(float(np.linalg.eigvalsh(stiffness)[0]), 0.0)
        pull = pulls[block == part].sum(axis=0)
        steps[part] = np.linalg.pinv(stiffness, rcond=1e-3, hermitian=True) @ pull
    return np.clip(steps, -1.5, 1.5), firm
