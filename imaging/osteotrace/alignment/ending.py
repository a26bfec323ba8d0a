"""The last fits at full resolution, the checks, and the record of what passed them.

Independent fits, each from its own points and its own displaced start, have to end in one
place; the accepted pose is fitted to all of their points together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment.alignment import Alignment, Start
from osteotrace.alignment.fitting import Fit, Sample, Target
from osteotrace.alignment.judging import covariance
from osteotrace.alignment.sampling import edge_sample
from osteotrace.alignment.searching import LEAST_OVERLAP
from osteotrace.alignment.stages import Level, Place
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Method

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.alignment.poses import Pose
    from osteotrace.alignment.stages import Pairing
    from osteotrace.geometry import Array

METHOD: Final = Method(name="osteotrace rigid alignment", version="1")
# Points of each of the last fits.
FINE_POINTS: Final = {True: 50_000, False: 20_000}
# Where the last fits begin, from the best place so far: turn (rad) and shift (mm).
DISPLACED: Final = (
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.020, -0.015, 0.010, 0.8, -0.7, 0.9),
    (-0.015, 0.020, -0.020, -0.9, 0.8, -0.6),
)
FINE_REACH_MM: Final = 2.0
# Farthest that the ends of independent starts may lie apart, mm (measurement.md).
AGREEMENT_MM: Final = 0.3
# Least likeness: correlation of CT with CT, else information as a correlation.
FLOORS: Final = {"CT-CT": 0.80, "MR-MR": 0.55, "CT-MR": 0.45}
LOCAL_FLOORS: Final = {"CT-CT": 0.75, "MR-MR": 0.50, "CT-MR": 0.40}
MEASURES: Final = {True: "correlation", False: "information correlation"}
# Most that the evidence for another place may be of that for the accepted one.
MOST_RIVAL: Final = 0.8
# Farthest that a local fit may end from where the global pose puts the region, mm.
LOCAL_REACH_MM: Final = 12.0
# What interpolation and sampling leave, as a share of a voxel's diagonal.
INTERPOLATION_SHARE: Final = 0.01
# CT and MR do not see one edge in one place: marrow fat, chemical shift, mm.
MODEL_ERROR_MM: Final = {"CT-CT": 0.0, "MR-MR": 0.03, "CT-MR": 0.10}


def finished(
    pairing: Pairing,
    begun: tuple[Place, Place | None, Level],
    *,
    name: str,
    local: bool,
    tell: Callable[[float], None],
) -> Alignment:
    """Return the alignment from the best place, or refuse it with the reason."""
    best, rival, level = begun
    floor = (LOCAL_FLOORS if local else FLOORS)[pairing.pair]
    middle = Level.of(pairing, level.step_mm / 2, 12_000)
    best = middle.fitted(best.pose)
    rival = middle.fitted(rival.pose) if rival is not None else None
    if rival is not None and rival.pose.apart(best.pose, level.sample.corners()) < 1.0:
        rival = None
    if rival is not None and rival.evidence > best.evidence:
        best, rival = rival, best
    _check_place(best, floor, middle, name)
    _check_rival(best, rival, middle, name)
    target = Target(pairing.read, pairing.read.fine())
    fits, samples = [], []
    own = pairing.sampled.fine()
    for number, nudge in enumerate(DISPLACED):
        sample = edge_sample(
            pairing.sampled,
            own,
            FINE_POINTS[pairing.alike],
            seed=11 + number,
            onto_mm=float(pairing.read.spacing.min()),
        )
        start = best.pose.about(sample.points.mean(axis=0)).moved(nudge)
        fits.append(pairing.fit(sample, target, start, FINE_REACH_MM, last=True))
        samples.append(sample)
        tell(0.75 + 0.07 * number)
    whole = _together(samples)
    start = fits[0].pose.about(whole.points.mean(axis=0))
    last = pairing.fit(whole, target, start, FINE_REACH_MM, last=True)
    corners = whole.corners()
    apart = max(a.pose.apart(b.pose, corners) for a in fits for b in fits)
    apart = max(apart, *(a.pose.apart(last.pose, corners) for a in fits))
    if not (last.settled and all(fit.settled for fit in fits)):
        raise _refused(f"fits of {name} that were still moving after {last.steps} steps")
    if apart > AGREEMENT_MM:
        raise _refused(
            f"{len(fits)} independent starts of {name} that ended up to {apart:.2f} mm "
            f"apart, where {AGREEMENT_MM} mm is the most"
        )
    judged = middle.judged(last.pose)
    _check_place(judged, floor, middle, name)
    u_mm, u_deg = _error(whole, target, last.pose, pairing)
    tell(1.0)
    return _record(
        pairing, last.pose, judged, fits, apart, (u_mm, u_deg), floor, name, corners
    )


def _record(
    pairing: Pairing,
    pose: Pose,
    judged: Place,
    fits: list[Fit],
    apart: float,
    error: tuple[float, float],
    floor: float,
    name: str,
    corners: Array,
) -> Alignment:
    forward = pairing.forward(pose)
    x, y, z = (round(float(v), 6) for v in forward.centre)
    starts = tuple(
        Start(
            rotation_deg=fit.pose.rotation_deg,
            similarity=judged.similarity,
            apart_mm=fit.pose.apart(pose, corners),
        )
        for fit in fits
    )
    return Alignment(
        transform=forward.transform(
            pairing.earlier.volume.frame_of_reference_uid,
            pairing.later.volume.frame_of_reference_uid,
        ),
        pair=pairing.pair,
        region=name,
        centre=(x, y, z),
        similarity=judged.similarity,
        similarity_measure=MEASURES[pairing.alike],
        floor=floor,
        overlap=judged.overlap,
        starts=starts,
        agreement_mm=apart,
        u_mm=error[0],
        u_deg=error[1],
        method=METHOD,
    )


def _error(
    sample: Sample, target: Target, pose: Pose, pairing: Pairing
) -> tuple[float, float]:
    spread = covariance(sample, target, pose, alike=pairing.alike)
    voxel = max(
        float(np.linalg.norm(p.spacing)) for p in (pairing.earlier, pairing.later)
    )
    model = np.hypot(INTERPOLATION_SHARE * voxel, MODEL_ERROR_MM[pairing.pair])
    shift = float(np.trace(spread[3:, 3:])) / 3
    turn = float(np.trace(spread[:3, :3])) / 3
    return float(np.sqrt(shift + model**2)), float(np.degrees(np.sqrt(turn)))


def _together(samples: list[Sample]) -> Sample:
    first = samples[0]
    return replace(
        first,
        points=np.concatenate([s.points for s in samples]),
        values=np.concatenate([s.values for s in samples]),
        block=np.concatenate([s.block for s in samples]),
    )


def _check_place(place: Place, floor: float, level: Level, name: str) -> None:
    measure = MEASURES[level.pairing.alike]
    if place.overlap < LEAST_OVERLAP:
        raise _refused(
            f"{100 * place.overlap:.0f} % of {name} in both studies at the best place, "
            f"where {100 * LEAST_OVERLAP:.0f} % is the least"
        )
    if place.similarity < floor:
        raise _refused(
            f"a best {measure} of {place.similarity:.3f} over {name}, where {floor} is "
            f"the least for {level.pairing.pair}"
        )


def _check_rival(best: Place, rival: Place | None, level: Level, name: str) -> None:
    if rival is None or rival.evidence < MOST_RIVAL * best.evidence:
        return
    measure = MEASURES[level.pairing.alike]
    apart = rival.pose.apart(best.pose, level.sample.corners())
    raise _refused(
        f"two places of {name} that fit nearly alike: {measure} {best.similarity:.3f} "
        f"over {100 * best.overlap:.0f} % and {rival.similarity:.3f} over "
        f"{100 * rival.overlap:.0f} %, {apart:.0f} mm apart"
    )


def _refused(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="one place that fits, and fits for certain",
        advice="align a part that both studies show and that did not change (a bone as "
        "the region, lesions left out), or compare without a transform",
    )
