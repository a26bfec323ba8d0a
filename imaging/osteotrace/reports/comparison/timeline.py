"""What stands on the time axis of a comparison, as data: to be drawn, listed or clicked.

Dates stay as they were given; the days that a partial one may mean are kept beside it.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.findings.dates import days
from osteotrace.measurements.measurement import COVERAGE_FACTOR_95
from osteotrace.reports.comparison import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.comparison import Comparison, Event, Lesion, Seen, Step
    from osteotrace.findings import DrugCourse

Lane = Literal[
    "study", "drug", "pain", "score", "laboratory", "procedure", "statement", "fracture",
    "value",
]  # fmt: skip
LANES: Final[tuple[Lane, ...]] = Lane.__args__  # type: ignore[attr-defined]

# Quantities of many kinds: lesions of two kinds do not share their scale.
_BARE: Final = ("Volume", "Thickness", "Length", "Mean", "Median", "Share of the bone")


class TimelinePoint(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One thing on the time axis.

    Parameters
    ----------
    lane : str
        What it is: ``"study"``, ``"drug"``, ``"pain"``, ... ``"value"`` of a lesion.
    row : str
        What shares its row or its scale: the drug, the score, the vertebral level, the
        quantity of lesions.
    label : str
        What stands beside it, e.g. a lesion's name.
    what : str
        What it is in words, without its date.
    text : str
        All of it in words.
    start, end : str
        Dates as they were given, whole or partial; `end` empty for one moment.
    first, last : date or None
        First and last day that it may span; None where not known: then it stands on no
        axis. A course that goes on ends at the last day of the axis.
    ongoing : bool
        True of a course that has no end.
    value, low, high : float or None
        A value with its 95 % interval.
    unit : str
        UCUM unit of the value.
    absent : bool
        True where a lesion was looked for and not found.
    study : int or None
        Number of the study that it belongs to.
    tracking_uid : str
        Of the lesion that it belongs to, else empty.
    approximate, proposed : bool
        True of an estimated date; of what no named reader has said.
    is_part : bool
        True of a part of another lesion, such as a fragment.
    """

    lane: Lane
    row: str
    label: str
    what: str = ""
    text: str
    start: str
    end: str = ""
    first: date | None = None
    last: date | None = None
    ongoing: bool = False
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    absent: bool = False
    study: int | None = None
    tracking_uid: str = ""
    approximate: bool = False
    proposed: bool = False
    is_part: bool = False


def timeline_points(comparison: Comparison) -> tuple[TimelinePoint, ...]:
    """Return everything on the time axis, lane by lane, by date within each."""
    every = [
        *_studies(comparison),
        *_drugs(comparison),
        *_events(comparison),
        *_fractures(comparison),
        *(
            point
            for lesion in comparison.lesions
            for point in _values(comparison, lesion)
        ),
    ]
    order = {lane: place for place, lane in enumerate(LANES)}

    # Stable: lesions stay in their order, and what has no date stands last.
    def by_lane(point: TimelinePoint) -> tuple[int, date]:
        dated = point.first or point.last or date.max
        return order[point.lane], date.min if point.lane == "value" else dated

    return tuple(sorted(every, key=by_lane))


def _studies(comparison: Comparison) -> Iterator[TimelinePoint]:
    for study in comparison.studies:
        first, last = _days(study.date)
        kinds = ", ".join(dict.fromkeys(one.modality for one in study.series))
        told = (study.name, study.date or "no date", kinds)
        yield TimelinePoint(
            lane="study",
            row="Studies",
            label=study.name or study.date or f"study {study.number + 1}",
            what=kinds,
            text=", ".join(dict.fromkeys(filter(None, told))),
            start=study.date,
            first=first,
            last=last,
            study=study.number,
        )


def _drugs(comparison: Comparison) -> Iterator[TimelinePoint]:
    for course in comparison.drugs:
        first, last = _days(course.first_dose)[0], _days(course.last_dose)[1]
        ongoing = not course.last_dose and course.ongoing is not False
        if first is None and not ongoing:
            # Only its end is known: it stands where it ended.
            first = _days(course.last_dose)[0]
        yield TimelinePoint(
            lane="drug",
            row=course.drug,
            label=course.drug,
            what=_given(course),
            text=_course(course),
            start=course.first_dose,
            end=course.last_dose,
            first=first,
            last=last,
            ongoing=ongoing,
            approximate=course.approximate,
        )


def _given(course: DrugCourse) -> str:
    route = "" if course.route == "unknown" else course.route
    dose = "" if course.dose is None else f"{course.dose:g} {course.unit}"
    doses = "" if course.doses is None else f"{course.doses} doses"
    return ", ".join(filter(None, (course.drug, route, doses, dose)))


def _course(course: DrugCourse) -> str:
    told = [_given(course)]
    if course.first_dose and course.last_dose:
        told.append(f"{course.first_dose} to {course.last_dose}")
    elif course.last_dose:
        told.append(f"until {course.last_dose}")
    elif course.first_dose:
        told.append(f"from {course.first_dose}")
    if course.approximate:
        told.append("dates approximate")
    return ", ".join(told)


def _events(comparison: Comparison) -> Iterator[TimelinePoint]:
    given = {course.drug for course in comparison.drugs}
    broken = bool(comparison.fractures)
    for event in comparison.events:
        # What the comparison has as a record of its own is drawn from that.
        known = (
            event.kind == "study"
            or (event.kind == "drug" and event.what.partition(",")[0] in given)
            or (event.kind == "fracture" and broken)
        )
        if not known:
            yield _event(event)


def _event(event: Event) -> TimelinePoint:
    first, last = _days(event.start)
    if event.end:
        last = _days(event.end)[1]
    value = "" if event.value is None else f"{event.value:g} {words.unit(event.unit)}"
    when = " to ".join(filter(None, (event.start, event.end))) or "no date"
    about = "about " if event.approximate and event.start else ""
    site = words.place_of(event.site)
    lane: Lane = "procedure" if event.kind == "study" else event.kind
    is_told = bool(site) and site in event.what
    what = event.what if is_told or not site else f"{event.what}, {site}"
    named = site if lane == "fracture" and site else event.what
    if lane == "procedure":
        head = event.what.partition(",")[0]
        named = head if is_told or not site else f"{head}, {site}"
    # A fact says its answer behind a colon already.
    what = f"{what}: {value.strip()}" if value else what
    return TimelinePoint(
        lane=lane,
        row=named,
        label=named,
        what=what,
        text=f"{what}, {about}{when}",
        start=event.start,
        end=event.end,
        first=first,
        last=last,
        value=event.value,
        unit=event.unit,
        ongoing=lane == "drug" and not event.end,
        approximate=event.approximate,
    )


def _fractures(comparison: Comparison) -> Iterator[TimelinePoint]:
    for one in comparison.fractures:
        site = words.place_of(one.site)
        seen = _days(one.first_seen)
        without = f", not there on {one.last_without}" if one.last_without else ""
        seen_on = one.first_seen or "at no date"
        sure = "proposed" if one.proposed else one.certainty
        yield TimelinePoint(
            lane="fracture",
            row=site,
            label=site,
            what=f"{site} fracture, {sure}{without}",
            text=f"{site} fracture, {sure}, seen {seen_on}{without}",
            start=one.last_without or one.first_seen,
            end=one.first_seen,
            first=_days(one.last_without)[0] or seen[0],
            last=seen[1],
            approximate=one.approximate,
            proposed=one.proposed,
        )


# Lesions -----------------------------------------------------------------------------


def primary_of(lesion: Lesion) -> str:
    """Return the quantity that decides a lesion's state; empty where nothing is known."""
    steps = (*([lesion.whole] if lesion.whole else []), *reversed(lesion.steps))
    for step in steps:
        if step.primary:
            return step.primary
    for seen in reversed(lesion.seen):
        for finding in seen.findings:
            if finding.measurements:
                return finding.measurements[0].name
    return ""


def primary_values(lesion: Lesion) -> dict[int, tuple[float, float | None, str]]:
    """Return value, u and unit of the deciding quantity, by the number of the study."""
    name = primary_of(lesion)
    found: dict[int, tuple[float, float | None, str]] = {}
    for seen in lesion.seen:
        one = words.reading(lesion, seen.study, name)
        if one is not None:
            found[seen.study] = one.value, one.uncertainty, one.unit
    # A lesion in parts has its sum in the changes alone.
    for step in lesion.steps:
        for changed in step.changes:
            told = changed.change
            if told.name != name:
                continue
            pairs = zip(
                (step.earlier, step.later),
                (told.earlier, told.later),
                changed.uncertainties,
                strict=True,
            )
            for study, value, u in pairs:
                if value is not None:
                    found[study] = value, u, told.unit
    return found


def _values(comparison: Comparison, lesion: Lesion) -> Iterator[TimelinePoint]:
    name = primary_of(lesion)
    values = primary_values(lesion)
    for seen in lesion.seen:
        study = comparison.studies[seen.study]
        first, last = _days(study.date)
        absent = _is_absent(seen)
        value, u, unit = values.get(seen.study, (None, None, ""))
        if value is None and not absent:
            continue
        reach = None if u is None else COVERAGE_FACTOR_95 * u
        said = "looked for, none found"
        if value is not None:
            said = f"{words.number(value, unit, u)} {words.unit(unit)}".strip()
        step, when = _step_to(lesion, seen.study), study.date or study.name
        yield TimelinePoint(
            lane="value",
            row=_row(lesion, name),
            label=lesion.label,
            what=f"{lesion.label}, {words.place(lesion)}: {said}",
            text=f"{lesion.label}, {words.place(lesion)}: {said}, {when}",
            start=study.date,
            first=first,
            last=last,
            value=value,
            low=None if value is None or reach is None else value - reach,
            high=None if value is None or reach is None else value + reach,
            unit=unit,
            absent=absent,
            study=seen.study,
            tracking_uid=lesion.tracking_uid,
            is_part=words.leader_of(lesion, comparison.lesions) is not None,
            proposed=study.carried or (step is not None and step.proposed),
        )


def _row(lesion: Lesion, name: str) -> str:
    """Return what a plot of values is called; of a bare volume its kind is told."""
    told = words.quantity(name) if name else "Presence"
    return f"{words.kind(lesion)}: {told.lower()}" if told in _BARE else told


def _is_absent(seen: Seen) -> bool:
    return bool(seen.findings) and all(one.presence == "absent" for one in seen.findings)


def _step_to(lesion: Lesion, study: int) -> Step | None:
    return next((step for step in lesion.steps if step.later == study), None)


def _days(text: str) -> tuple[date | None, date | None]:
    return days(text) if text else (None, None)
