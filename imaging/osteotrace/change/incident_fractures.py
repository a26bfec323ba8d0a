"""Which vertebrae broke, and between which dates.

A fracture is incident where a reader says that it is new, where one is seen on a level
that was looked at before without it, where the semiquantitative grade rises by one or
more, or where a height falls by 20 % and 4 mm beyond repeatability. The last two are
proposals wherever the grade was not read by a person.
"""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from osteotrace.change.fracture_signs import Basis, Sign, signs_of_fracture
from osteotrace.change.level_readings import (
    ACCEPTED,
    CERTAINTIES,
    before,
    cement_dates,
    least_sure,
    level_readings,
)
from osteotrace.findings import Certainty
from osteotrace.findings.dates import days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.change.level_readings import LevelReading
    from osteotrace.findings import Case


class Fracture(msgspec.Struct, frozen=True, kw_only=True):
    """A fracture that was seen, while nothing says whether it was new.

    Parameters
    ----------
    site : str
        Key of `osteotrace.codes.SITES`.
    first_seen : str
        Date as it was given; empty where none was.
    certainty : str
        The reader's own.
    cemented : bool
        True where the level held bone cement when the fracture was first stated.
    """

    site: str
    first_seen: str
    certainty: Certainty
    cemented: bool = False


class IncidentFracture(msgspec.Struct, frozen=True, kw_only=True):
    """A vertebra that broke, or broke further, between two dates.

    Parameters
    ----------
    site : str
        Key of `osteotrace.codes.SITES`, e.g. ``"l2"``.
    first_seen : str
        Date it was first seen, as it was given: ``YYYY``, ``YYYY-MM`` or
        ``YYYY-MM-DD``; empty where a reader states it without a date.
    last_without : str
        Last date the level was seen without it; empty where no earlier images say.
    certainty : str
        ``definite``, ``probable``, ``possible`` or ``unknown``: never surer than the
        reader was. What numbers alone propose is ``probable`` at most, what nobody
        answers for by name ``possible``.
    signs : tuple of Sign
        Why, the one that decides first.
    approximate : bool
        True where ``first_seen`` is an estimate.
    """

    site: str
    first_seen: str
    last_without: str
    certainty: Certainty
    signs: tuple[Sign, ...]
    approximate: bool = False

    @property
    def suspected(self) -> bool:
        """True where it is not accepted: it then neither holds nor fails.

        A probable one is accepted, as everywhere; a proposed one is not.
        """
        return self.proposed or self.certainty not in ACCEPTED

    @property
    def proposed(self) -> bool:
        """True where no named reader says so: numbers alone, or a reading of nobody."""
        return not any(sign.accepted for sign in self.signs)

    @property
    def bases(self) -> tuple[Basis, ...]:
        """What it rests on, the deciding one first."""
        return tuple(dict.fromkeys(sign.basis for sign in self.signs))

    @property
    def onset(self) -> tuple[date | None, date | None]:
        """First and last day on which it may have happened; None where not known."""
        first = days(self.last_without)[0] if self.last_without else None
        return first, days(self.first_seen)[1] if self.first_seen else None


def incident_fractures(case: Case, *, until: str = "") -> tuple[IncidentFracture, ...]:
    """Return the vertebral fractures that arose, by date and then by level.

    Parameters
    ----------
    case : Case
        A patient over time. Findings of kind ``vcf`` with a level, present or absent;
        grades and heights in any finding of that level; the facts ``vcf_new`` and
        ``genant_grade``; findings of kind ``cement``.
    until : str
        Last date that counts (``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``); all where empty.
        What may lie after it is at most ``possible``.

    Returns
    -------
    tuple of IncidentFracture
        A level stands twice where it broke further later on. A level that was never
        looked at before, and of which no reader says that its fracture is new, is not
        here but in `fractures_of_unknown_age`.

    Notes
    -----
    A reader outranks numbers: a level stated as without fracture, or whose fracture is
    stated as not new (``vcf_new`` false), gives none at that date, whatever was measured.
    From the first date with bone cement on, only ``vcf_new`` counts on that level.
    """
    cement = cement_dates(case)
    found = [
        fracture
        for site, readings in level_readings(case).items()
        for fracture in _of_level(site, _until(readings, until), cement.get(site))
    ]
    found = [_within(fracture, until) for fracture in found]
    return tuple(sorted(found, key=_by_date))


def fractures_of_unknown_age(case: Case, *, until: str = "") -> tuple[Fracture, ...]:
    """Return the fractures of which nothing says whether they were new when first seen.

    Parameters as in `incident_fractures`. A level whose fracture is stated as not new
    when it is first seen is left out: it is known to be old.
    """
    cement = cement_dates(case)
    incident: dict[str, str] = {}
    for one in incident_fractures(case, until=until):
        incident.setdefault(one.site, one.first_seen)
    found = []
    for site, readings in level_readings(case).items():
        seen = [one for one in _until(readings, until) if one.fractured]
        if not seen or any(
            one.new is False for one in seen if one.named and one.date == seen[0].date
        ):
            continue
        if site in incident and not before(seen[0].date, incident[site]):
            continue
        found.append(
            Fracture(
                site=site,
                first_seen=seen[0].date,
                certainty=seen[0].certainty,
                cemented=_cemented(seen[0], cement.get(site)),
            )
        )
    return tuple(found)


def _by_date(fracture: IncidentFracture) -> tuple[bool, tuple[object, ...]]:
    dated = bool(fracture.first_seen)
    return (not dated, days(fracture.first_seen) if dated else ())


def _last_day(text: str) -> date:
    return days(text)[1] if text else date.min


def _until(readings: Sequence[LevelReading], until: str) -> list[LevelReading]:
    """Return the readings that are not after a date for certain."""
    return [one for one in readings if not before(until, one.date)]


def _within(fracture: IncidentFracture, until: str) -> IncidentFracture:
    """Return a fracture, less sure where it may lie after the last date that counts."""
    if not until or not fracture.first_seen:
        return fracture
    if days(fracture.first_seen)[1] <= days(until)[1]:
        return fracture
    return msgspec.structs.replace(
        fracture, certainty=least_sure("possible", fracture.certainty)
    )


def _cemented(reading: LevelReading, since: str | None) -> bool:
    """Tell whether a level may hold cement at a reading."""
    return since is not None and not before(reading.date, since)


def _of_level(
    site: str, readings: Sequence[LevelReading], cement: str | None
) -> list[IncidentFracture]:
    """Return the fractures of one level, oldest first."""
    found: list[IncidentFracture] = []
    for seen in dict.fromkeys(one.date for one in readings):
        now = [one for one in readings if one.date == seen]
        last = found[-1].first_seen if found else ""
        earlier = [
            one
            for one in readings
            if before(one.date, seen) and not before(one.date, last)
        ]
        signs = signs_of_fracture(
            now, earlier, cemented=any(_cemented(n, cement) for n in now)
        )
        if not signs:
            continue
        new = IncidentFracture(
            site=site,
            first_seen=seen,
            last_without=max((s.since for s in signs), key=_last_day),
            certainty=signs[0].certainty,
            signs=tuple(signs),
            approximate=any(one.approximate for one in now),
        )
        if found and not before(found[-1].first_seen, seen):
            found[-1] = _one(found[-1], new)
        else:
            found.append(new)
    return found


def _one(first: IncidentFracture, again: IncidentFracture) -> IncidentFracture:
    """Return a fracture that is stated twice, with dates that overlap, as one.

    The date that is told most closely counts; the surer statement decides.
    """
    best, other = sorted(
        (first, again),
        key=lambda one: (one.proposed, -CERTAINTIES.index(one.certainty)),
    )
    closest = min((first, again), key=_spread)
    return msgspec.structs.replace(
        best,
        first_seen=closest.first_seen,
        approximate=closest.approximate,
        last_without=max(first.last_without, again.last_without, key=_last_day),
        signs=(*best.signs, *other.signs),
    )


def _spread(fracture: IncidentFracture) -> float:
    """Return how many days the date of a fracture may mean."""
    if not fracture.first_seen:
        return math.inf
    first, last = days(fracture.first_seen)
    return (last - first).days
