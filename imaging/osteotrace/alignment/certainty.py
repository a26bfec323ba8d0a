"""What makes a place certain enough to be an answer, or the refusal with its figures.

A place is alike enough, has no rival elsewhere, is reached by independent starts, and is
not explained by a bent patient alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.alignment.searching import LEAST_OVERLAP
from osteotrace.alignment.stages import Level
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.alignment.bending import Bending
    from osteotrace.alignment.fitting import Fit
    from osteotrace.alignment.stages import Pairing, Place

# Farthest that the ends of independent starts may lie apart, mm (measurement.md).
AGREEMENT_MM: Final = 0.3
# Points of the levels at which places are told apart.
MIDDLE_POINTS: Final = 12_000
MEASURES: Final = {True: "correlation", False: "information correlation"}
# Likeness that a rigid patient reaches. Below it the images have to overlap by so much of
# the larger one, a rival may have so little of the evidence, and the parts have to be so
# much alike, each at its own place.
SURE: Final = {"CT-CT": 0.95, "MR-MR": 0.85, "CT-MR": 0.80}
DOUBTFUL_OVERLAP, DOUBTFUL_RIVAL, PARTS_ALIKE = 0.6, 0.7, 0.95
# Rivals that are fitted finer, and how near an end is no other place, mm.
RIVALS, NEAR_MM = 4, 3.0
# A place nearer than this (mm), and so much below the best, may be on the way up to it.
SLOPE_MM, SLOPE_RISE = 15.0, 1.01
# Most that the evidence for another place may be of that for the accepted one.
MOST_RIVAL: Final = 0.85
# Farthest that a local fit may end from where the global pose puts the region, mm.
LOCAL_REACH_MM: Final = 12.0


def refined(places: list[Place], middle: Level) -> tuple[Place, list[Place]]:
    """Return the best place, fitted finer, and its rivals elsewhere, the best first.

    Two ends near each other are one place that is not reached yet: whether it is one is
    for the independent starts to tell.
    """
    if not places:
        raise refused("no place at which enough of both studies lies on each other")
    fitted = [middle.fitted(place.pose) for place in places[: 1 + RIVALS]]
    best, *rest = sorted(fitted, key=lambda place: -place.evidence)
    corners = middle.sample.corners()
    near = max(NEAR_MM, 1.5 * middle.step_mm)
    rivals = [
        place
        for place in rest
        if place.pose.apart(best.pose, corners) > near
        and not on_slope(place, best, middle)
    ]
    return best, rivals


def standing(
    best: Place, rivals: list[Place], pairing: Pairing, middle: Level
) -> Place | None:
    """Return the best rival that stays elsewhere when it is fitted finer.

    One that runs to the best place was no place: its fit had stopped on the way.
    """
    finer = None
    for rival in rivals:
        if rival.evidence < MOST_RIVAL * best.evidence:
            return rival
        if finer is None:
            finer = Level.of(pairing, middle.step_mm / 2, MIDDLE_POINTS)
            ahead = finer.fitted(best.pose)
        end = finer.fitted(rival.pose)
        if end.pose.apart(ahead.pose, finer.sample.corners()) > NEAR_MM:
            return rival
    return None


def on_slope(place: Place, best: Place, middle: Level) -> bool:
    """Tell whether a near place only lies on the way up to the best: no dip between."""
    far = place.pose.apart(best.pose, middle.sample.corners())
    if far > SLOPE_MM or best.evidence < SLOPE_RISE * place.evidence:
        return False
    way = [middle.judged(place.pose.towards(best.pose, k / 5)) for k in range(1, 5)]
    return min(step.evidence for step in way) >= place.evidence


def check_place(place: Place, floor: float, level: Level, name: str) -> None:
    """Refuse a place where too little is compared, or too little alike."""
    measure = MEASURES[level.pairing.alike]
    if place.overlap < LEAST_OVERLAP:
        raise refused(
            f"{100 * place.overlap:.0f} % of {name} in both studies at the best place, "
            f"where {100 * LEAST_OVERLAP:.0f} % is the least"
        )
    if place.similarity < floor:
        raise refused(
            f"a best {measure} of {place.similarity:.3f} over {name}, where {floor} is "
            f"the least for {level.pairing.pair}"
        )


def check_rival(best: Place, rival: Place | None, level: Level, name: str) -> None:
    """Refuse a best place that another one is nearly as good as."""
    if rival is None or rival.evidence < MOST_RIVAL * best.evidence:
        return
    measure = MEASURES[level.pairing.alike]
    apart = rival.pose.apart(best.pose, level.sample.corners())
    raise refused(
        f"two places of {name} that fit nearly alike: {measure} {best.similarity:.3f} "
        f"over {100 * best.overlap:.0f} % and {rival.similarity:.3f} over "
        f"{100 * rival.overlap:.0f} %, {apart:.0f} mm apart"
    )


def check_doubtful(
    place: Place, rival: Place | None, bent: Bending, level: Level, name: str
) -> None:
    """Refuse a likeness that only a bent patient explains, unless all else is clear.

    A spine laid on another level may be as alike as one that bent.
    """
    pairing = level.pairing
    if place.similarity >= SURE[pairing.pair]:
        return
    figures = (
        f"{MEASURES[pairing.alike]} {place.similarity:.3f} over {name}, less than the "
        f"{SURE[pairing.pair]} of a rigid patient,"
    )
    if place.overlap_of_larger < DOUBTFUL_OVERLAP:
        share = 100 * place.overlap_of_larger
        raise refused(f"{figures} and only {share:.0f} % of the larger image compared")
    if not pairing.alike:
        return
    if rival is not None and rival.evidence > DOUBTFUL_RIVAL * place.evidence:
        share = 100 * rival.evidence / place.evidence
        raise refused(f"{figures} and another place with {share:.0f} % of its evidence")
    if bent.likeness < PARTS_ALIKE:
        raise refused(
            f"{figures} and parts that are no better alike by themselves: "
            f"{bent.likeness:.3f} where {PARTS_ALIKE} is the least"
        )


def check_near(far: float, name: str) -> None:
    """Refuse a local fit that ended far from where the global pose puts it."""
    if far > LOCAL_REACH_MM:
        raise refused(
            f"a fit of {name} that left its place by {far:.0f} mm, where "
            f"{LOCAL_REACH_MM:g} mm is the most"
        )


def ends_apart(fits: list[Fit], apart: float, name: str) -> str:
    """Return in words why the ends of fits are no one place, or nothing."""
    moving = [fit for fit in fits if not fit.settled]
    if moving:
        return (
            f"{len(moving)} of {len(fits)} fits of {name} that were still moving after "
            f"{max(fit.steps for fit in moving)} steps"
        )
    if apart > AGREEMENT_MM:
        return (
            f"{len(fits) - 1} independent starts of {name} that ended up to "
            f"{apart:.3f} mm apart, where {AGREEMENT_MM} mm is the most"
        )
    return ""


def refused(found: str) -> OsteotraceError:
    """Return the error of an alignment that is not certain."""
    return OsteotraceError(
        found,
        expected="one place that fits, and fits for certain",
        advice="align a part that both studies show and that did not change (a bone as "
        "the region, lesions left out), or compare without a transform",
    )
