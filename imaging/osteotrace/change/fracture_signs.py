"""Why a vertebra is called newly broken at a date, against what was read of it before."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.change.level_readings import CERTAINTIES, HEIGHTS, least_sure
from osteotrace.change.verdicts import change, why_not_comparable
from osteotrace.findings import Certainty
from osteotrace.measurements.measurement import COVERAGE_FACTOR_95

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.change.level_readings import LevelReading
    from osteotrace.measurements.measurement import Measurement

# A height that fell by both of these is a fracture (clinical rule; [K], its paper was
# looked for and not found).
LEAST_FALL_PERCENT: Final = 20.0
LEAST_FALL_MM: Final = 4.0
# A rise of the semiquantitative grade that is a fracture, and the grade that is of low
# confidence alone (Samelson, Osteoporos Int 2011, 10.1007/s00198-010-1290-6).
LEAST_RISE: Final = 1
MILD: Final = 1
Basis = Literal[
    "stated new", "present after absent", "grade read", "grade measured", "height"
]


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One reason to call a fracture new.

    Parameters
    ----------
    basis : str
        ``stated new`` and ``present after absent`` by a reader; ``grade read`` where
        the reader's own grade rose by one or more; ``grade measured`` where the
        proposed grade did; ``height`` where a height fell by 20 % and 4 mm or more.
    certainty : str
        How sure this sign is.
    text : str
        In words, with the dates and who read them.
    since : str
        Date of the images that it is compared with; empty where there are none.
    accepted : bool
        True where named readers answer for it; else it is a proposal.
    """

    basis: Basis
    certainty: Certainty
    text: str
    since: str = ""
    accepted: bool = True


def signs_of_fracture(
    now: Sequence[LevelReading], earlier: Sequence[LevelReading], *, cemented: bool
) -> list[Sign]:
    """Return why a level broke at a date, the deciding sign first.

    Parameters
    ----------
    now : sequence of LevelReading
        Of one level at one date.
    earlier : sequence of LevelReading
        Of that level, oldest first, from its last fracture on.
    cemented : bool
        True where it may hold cement: then only what a reader states as new counts.
    """
    named, before = ([one for one in each if one.named] for each in (now, earlier))
    said = _stated_new(named)
    if any(one.new is False for one in named):
        return said
    unnamed = _stated_new([one for one in now if not one.named])
    if cemented:
        return said + _proposed(unnamed)
    said += [*_present_after_absent(named, before), *_grade_read(named, before)]
    if _denied(named) or _graded_alike(named, before):
        return said
    if not any(one.new is False for one in now):
        unnamed += [*_present_after_absent(now, earlier), *_grade_read(now, earlier)]
    told = {(sign.basis, sign.text) for sign in said}
    unnamed = [sign for sign in unnamed if (sign.basis, sign.text) not in told]
    measured = [*_grade_measured(now, earlier), *_height(now, earlier)]
    measured.sort(key=lambda sign: -CERTAINTIES.index(sign.certainty))
    return [*said, *_proposed(unnamed), *measured]


def _proposed(signs: Iterable[Sign]) -> list[Sign]:
    """Return signs for which no named reader answers: possible at most."""
    return [
        msgspec.structs.replace(
            sign, accepted=False, certainty=least_sure("possible", sign.certainty)
        )
        for sign in signs
    ]


def _words(reading: LevelReading) -> str:
    return " ".join(
        word
        for word in (
            f"on {reading.date}" if reading.date else "at no date",
            f"({reading.by})" if reading.by else "",
        )
        if word
    )


def _sureness(now: Iterable[LevelReading]) -> Certainty:
    """Return how surely a fracture is stated at a date; possible where denied too."""
    readings = list(now)
    present = [one.certainty for one in readings if one.fractured]
    if any(one.fractured is False for one in readings):
        return least_sure("possible", *present)
    return max(present, key=CERTAINTIES.index) if present else "definite"


def _stated_new(now: Sequence[LevelReading]) -> list[Sign]:
    sure = _sureness(now)
    if any(one.new is False for one in now):
        sure = least_sure("possible", sure)
    return [
        Sign(basis="stated new", certainty=sure, text=f"stated as new {_words(one)}")
        for one in now
        if one.new
    ]


def _present_after_absent(
    now: Sequence[LevelReading], earlier: Sequence[LevelReading]
) -> list[Sign]:
    """Return a sign where the level was last looked at without a fracture."""
    present = [one for one in now if one.fractured]
    stated = [one for one in earlier if one.fractured is not None]
    if not present or not stated:
        return []
    last = [one for one in stated if one.date == stated[-1].date]
    if any(one.fractured for one in last):
        return []
    sure = least_sure(_sureness(now), *(one.certainty for one in last))
    if any(one.fractured for one in stated):
        sure = least_sure("possible", sure)
    return [
        Sign(
            basis="present after absent",
            certainty=sure,
            text=f"fracture {_words(present[0])}, none {_words(last[0])}",
            since=last[0].date,
        )
    ]


def _grade_read(
    now: Sequence[LevelReading], earlier: Sequence[LevelReading]
) -> list[Sign]:
    """Return a sign for every grade that a reader saw rise by one or more."""
    return [
        Sign(
            basis="grade read",
            certainty=least_sure(_sureness([one]), _sureness([other])),
            text=f"grade {other.grade_read:g} {_words(other)}, "
            f"{one.grade_read:g} {_words(one)}",
            since=other.date,
        )
        for one in now
        for other in earlier
        if one.grade_read is not None
        and other.grade_read is not None
        and one.grade_read - other.grade_read >= LEAST_RISE
    ]


def _denied(now: Sequence[LevelReading]) -> bool:
    """Tell whether readers state that there is no fracture."""
    stated = [one.fractured for one in now if one.fractured is not None]
    return bool(stated) and not any(stated)


def _graded_alike(now: Sequence[LevelReading], earlier: Sequence[LevelReading]) -> bool:
    """Tell whether readers graded the level at both dates and saw no rise."""
    last = [one.grade_read for one in now if one.grade_read is not None]
    first = [one.grade_read for one in earlier if one.grade_read is not None]
    return bool(last and first) and max(last) - min(first) < LEAST_RISE


def _grade_measured(
    now: Sequence[LevelReading], earlier: Sequence[LevelReading]
) -> list[Sign]:
    """Return a sign for every proposed grade that rose, a height beyond repeatability."""
    return [
        Sign(
            basis="grade measured",
            certainty=sure,
            text=f"proposed grade {was.as_text} {_words(other)}, {new.as_text} "
            f"{_words(one)}",
            since=other.date,
            accepted=False,
        )
        for one in now
        for other in earlier
        if (new := one.grade_measured) is not None
        and (was := other.grade_measured) is not None
        and (sure := _rise(other, one, was, new)) is not None
    ]


def _rise(
    other: LevelReading, one: LevelReading, was: Measurement, new: Measurement
) -> Certainty | None:
    """Return how sure a rise of the proposed grade is; None where there is none."""
    if why_not_comparable(was, new):
        return None
    first, last = (one.interval95 or (one.value, one.value) for one in (was, new))
    for_certain = last[0] - first[1] >= LEAST_RISE
    verdicts = {
        change(other.heights[name], one.heights[name], same_reader=one.by == other.by)
        for name in HEIGHTS
        if name in one.heights and name in other.heights
    }
    told = {verdict.verdict for verdict in verdicts} - {"not comparable"}
    if not told:
        return "possible" if for_certain else None
    if "decreased" not in told or last[1] - first[0] < LEAST_RISE:
        return None
    return "probable" if for_certain and last[0] > MILD else "possible"


def _height(now: Sequence[LevelReading], earlier: Sequence[LevelReading]) -> list[Sign]:
    """Return a sign for every height that fell by 20 % and 4 mm beyond repeatability."""
    return [
        Sign(
            basis="height",
            certainty=sure,
            text=f"{name.replace('_', ' ')} {was.as_text} {_words(other)}, "
            f"{new.as_text} {_words(one)}",
            since=other.date,
            accepted=False,
        )
        for one in now
        for other in earlier
        for name in HEIGHTS
        if (new := one.heights.get(name)) is not None
        and (was := other.heights.get(name)) is not None
        and (sure := _fall(was, new, same_reader=one.by == other.by)) is not None
    ]


def _fall(was: Measurement, new: Measurement, *, same_reader: bool) -> Certainty | None:
    """Return how sure a fall by 20 % and 4 mm is; None where there is none.

    It is probable where both falls lie 1.96 u beyond their cuts, and possible where they
    may reach them.
    """
    if new.unit != "mm" or was.value <= 0:
        return None
    if change(was, new, same_reader=same_reader).verdict != "decreased":
        return None
    fall = was.value - new.value
    percent = 100 * fall / was.value
    u_was, u_new = was.uncertainty or 0.0, new.uncertainty or 0.0
    reach = COVERAGE_FACTOR_95 * math.hypot(u_was, u_new)
    # d(100 (1 - new / was)): the relative uncertainties of a ratio add up in quadrature.
    ratio = new.value / was.value
    reach_percent = (
        COVERAGE_FACTOR_95 * 100 * math.hypot(u_new, ratio * u_was) / was.value
    )
    known = was.uncertainty is not None and new.uncertainty is not None
    if (
        known
        and fall - reach >= LEAST_FALL_MM
        and percent - reach_percent >= LEAST_FALL_PERCENT
    ):
        return "probable"
    may = fall + reach >= LEAST_FALL_MM and percent + reach_percent >= LEAST_FALL_PERCENT
    return "possible" if may else None
