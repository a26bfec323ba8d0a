"""Why a vertebra is called newly broken at a date, against what was read of it before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from osteotrace.change.level_readings import CERTAINTIES, least_sure
from osteotrace.findings import Certainty

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.change.level_readings import LevelReading

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
    """

    basis: Basis
    certainty: Certainty
    text: str
    since: str = ""


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
    said = _stated_new(now)
    if cemented or any(one.new is False for one in now):
        return said
    return [*said, *_present_after_absent(now, earlier), *_grade_read(now, earlier)]


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
        and one.grade_read - other.grade_read >= 1
    ]
