"""The last fits at full resolution, the checks, and the record of what passed them.

Independent fits, each from its own points and its own displaced start, have to end in one
place; the accepted pose is fitted to all of their points together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.alignment.alignment import Alignment, Start
from osteotrace.alignment.bending import Bending, bending
from osteotrace.alignment.certainty import (
    MEASURES,
    MIDDLE_POINTS,
    check_doubtful,
    check_near,
    check_place,
    check_rival,
    ends_apart,
    refined,
    refused,
    standing,
)
from osteotrace.alignment.fitting import Fit, Sample, Target
from osteotrace.alignment.judging import covariance
from osteotrace.alignment.sampling import edge_sample
from osteotrace.alignment.stages import Level
from osteotrace.measurements.measurement import Method

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.alignment.poses import Pose
    from osteotrace.alignment.stages import Pairing, Place
    from osteotrace.geometry import Array

METHOD: Final = Method(name="osteotrace rigid alignment", version="1")
# Parts that lie off by so much (root mean square, mm) are no noise: by what alike and
# unlike images of rigid phantoms show, 0.1 and 0.4 mm. From this share on one has grown.
BENT_MM: Final = {True: 0.3, False: 0.5}
# On thick slices it takes this share of them.
BENT_SHARE: Final = 0.25
GROWN: Final = 0.008
FIRST_SEED: Final = 11
# Points of each of the last fits, and whether it is robust.
# Plain fits, which find the mean, are asked where robust ones disagree; unlike images,
# which tell less of each other, are asked with more points.
TRIES: Final = {
    True: ((50_000, True), (50_000, False)),
    False: ((25_000, True), (100_000, True)),
}
# Where the last fits begin, from the best place so far: turn (rad) and shift (mm).
DISPLACED: Final = (
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.020, -0.015, 0.010, 0.8, -0.7, 0.9),
    (-0.015, 0.020, -0.020, -0.9, 0.8, -0.6),
)
FINE_REACH_MM: Final = 2.0
# Least likeness: correlation of CT with CT, else information as a correlation.
FLOORS: Final = {"CT-CT": 0.80, "MR-MR": 0.70, "CT-MR": 0.65}
LOCAL_FLOORS: Final = {"CT-CT": 0.75, "MR-MR": 0.50, "CT-MR": 0.40}
# What interpolation and sampling leave, as a share of a voxel's diagonal.
INTERPOLATION_SHARE: Final = 0.006
# CT and MR do not see one edge in one place: marrow fat, chemical shift, mm.
MODEL_ERROR_MM: Final = {"CT-CT": 0.0, "MR-MR": 0.02, "CT-MR": 0.05}


def finished(
    pairing: Pairing,
    begun: tuple[list[Place], Level],
    *,
    name: str,
    tell: Callable[[float], None],
    near: Pose | None = None,
) -> Alignment:
    """Return the alignment from the best place, or refuse it with the reason.

    Parameters
    ----------
    pairing : Pairing
    begun : (list of Place, Level)
        The best place and its rivals, and the level at which they were found.
    name : str
        What is aligned, in words.
    tell : callable
        Takes the share of the work that is done.
    near : Pose, optional
        Where a local alignment began; it may not end far from there.
    """
    floor = (FLOORS if near is None else LOCAL_FLOORS)[pairing.pair]
    middle = Level.of(pairing, begun[1].step_mm / 2, MIDDLE_POINTS)
    best, rivals = refined(begun[0], middle)
    check_place(best, floor, middle, name)
    rival = standing(best, rivals, pairing, middle)
    check_rival(best, rival, middle, name)
    ending = _ended(pairing, best.pose, name)
    tell(0.95)
    judged = middle.judged(ending.pose)
    check_place(judged, floor, middle, name)
    bent = bending(ending.sample, ending.target, ending.pose, alike=pairing.alike)
    if near is None:
        check_doubtful(judged, rival, bent, middle, name)
    else:
        check_near(ending.pose.apart(near, ending.sample.corners()), name)
    found = _record(pairing, ending, judged, middle, bent)
    tell(1.0)
    return msgspec.structs.replace(
        found, region=name, floor=floor, notes=_notes(bent, pairing, near is None)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Ending:
    """The fits that agree: the one to all points first, then those of the starts."""

    sample: Sample
    target: Target
    poses: list[Pose]
    apart_mm: float
    robust: bool

    @property
    def pose(self) -> Pose:
        """The accepted one."""
        return self.poses[0]


def _ended(pairing: Pairing, start: Pose, name: str) -> _Ending:
    """Return the last fits, or refuse them where they end in no one place."""
    target, problem = Target(pairing.read, pairing.read.fine()), ""
    for count, robust in TRIES[pairing.alike]:
        samples = _samples(pairing, count)
        whole = _together(samples)
        fits = _fits(pairing, [whole, *samples], target, start, robust)
        poses, corners = [fit.pose for fit in fits], whole.corners()
        apart = max(a.apart(b, corners) for a in poses for b in poses)
        problem = ends_apart(fits, apart, name)
        if not problem:
            return _Ending(whole, target, poses, apart, robust)
    raise refused(problem)


def _record(
    pairing: Pairing, ending: _Ending, judged: Place, middle: Level, bent: Bending
) -> Alignment:
    forward = pairing.forward(ending.pose)
    x, y, z = (round(float(v), 6) for v in forward.centre)
    u_mm, u_deg = _error(ending, pairing, bent)
    corners = ending.sample.corners()
    return Alignment(
        transform=forward.transform(
            pairing.earlier.volume.frame_of_reference_uid,
            pairing.later.volume.frame_of_reference_uid,
        ),
        pair=pairing.pair,
        region="",
        centre=(x, y, z),
        similarity=judged.similarity,
        similarity_measure=MEASURES[pairing.alike],
        floor=0.0,
        overlap=judged.overlap,
        starts=tuple(_start(pose, ending.pose, middle, corners) for pose in ending.poses),
        agreement_mm=ending.apart_mm,
        u_mm=u_mm,
        u_deg=u_deg,
        method=METHOD,
    )


def _samples(pairing: Pairing, count: int) -> list[Sample]:
    """Return as many independent samples as there are starts."""
    own, onto = pairing.sampled.fine(), float(pairing.read.spacing.min())
    seeds = range(FIRST_SEED, FIRST_SEED + len(DISPLACED))
    return [
        edge_sample(
            pairing.sampled,
            own,
            count,
            seed=seed,
            onto_mm=onto,
            between=not pairing.alike,
        )
        for seed in seeds
    ]


def _fits(
    pairing: Pairing, samples: list[Sample], target: Target, start: Pose, robust: bool
) -> list[Fit]:
    """Return the fit to all points, and one from each start to its own points.

    What robust fits leave out may differ where a patient bent: they then disagree.
    """
    fits: list[Fit] = []
    for sample, nudge in zip(samples, (DISPLACED[0], *DISPLACED), strict=True):
        begin = start.about(sample.points.mean(axis=0)).moved(nudge)
        fits.append(
            pairing.fit(sample, target, begin, FINE_REACH_MM, last=True, robust=robust)
        )
    return fits


def _start(pose: Pose, accepted: Pose, middle: Level, corners: Array) -> Start:
    return Start(
        rotation_deg=pose.rotation_deg,
        similarity=middle.judged(pose).similarity,
        apart_mm=pose.apart(accepted, corners),
    )


def _is_bent(bent: Bending, pairing: Pairing) -> bool:
    coarsest = max(float(p.spacing.max()) for p in (pairing.earlier, pairing.later))
    limit = max(BENT_MM[pairing.alike], BENT_SHARE * coarsest)
    return bent.off_mm >= limit or abs(bent.scale) >= GROWN


def _notes(bent: Bending, pairing: Pairing, whole: bool) -> tuple[str, ...]:
    if not _is_bent(bent, pairing):
        return ()
    notes = [
        f"parts of the region lie {bent.off_mm:.1f} mm (root mean square) from where one "
        "rigid transform puts them: the patient bent, a bone moved or grew; u says so, "
        "and single bones align better"
    ]
    larger = -bent.scale if pairing.later_is_sampled else bent.scale
    if whole and larger >= GROWN:
        notes.append(
            f"the later images are {100 * larger:.1f} % larger: has the patient grown?"
        )
    return tuple(notes)


def _error(ending: _Ending, pairing: Pairing, bent: Bending) -> tuple[float, float]:
    """Return the standard uncertainty of place (mm, one axis) and of turn (degrees)."""
    spread = covariance(
        ending.sample,
        ending.target,
        ending.pose,
        alike=pairing.alike,
        robust=ending.robust,
    )
    both = (pairing.earlier, pairing.later)
    voxel = max(float(np.linalg.norm(image.spacing)) for image in both)
    model = np.hypot(INTERPOLATION_SHARE * voxel, MODEL_ERROR_MM[pairing.pair])
    if _is_bent(bent, pairing):
        model = np.hypot(model, bent.off_mm / np.sqrt(3))
    shift = float(np.trace(spread[3:, 3:])) / 3
    turn = float(np.trace(spread[:3, :3])) / 3
    return float(np.hypot(np.sqrt(shift), model)), float(np.degrees(np.sqrt(turn)))


def _together(samples: list[Sample]) -> Sample:
    first = samples[0]
    return replace(
        first,
        points=np.concatenate([s.points for s in samples]),
        values=np.concatenate([s.values for s in samples]),
        block=np.concatenate([s.block for s in samples]),
    )
