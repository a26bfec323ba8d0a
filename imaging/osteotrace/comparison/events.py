"""What happened beside the images, in time: drugs, pain, tests and procedures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.change import cement_dates
from osteotrace.codes import FACTS
from osteotrace.codes.facts import FUNCTION, LABORATORY, PAIN, RISK
from osteotrace.comparison.records import Event, EventKind
from osteotrace.findings.dates import days

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osteotrace.change import IncidentFracture
    from osteotrace.comparison.study_readings import StudyReading
    from osteotrace.findings import Case, DrugCourse, Fact

_GROUPS: Final[dict[str, EventKind]] = {
    PAIN: "pain",
    LABORATORY: "laboratory",
    FUNCTION: "score",
    RISK: "score",
}


# Notes of facts up to this many characters stand beside what is stated.
SHORT_NOTE: Final = 40


def events_of(
    case: Case,
    readings: Sequence[StudyReading],
    fractures: Iterable[IncidentFracture] = (),
) -> tuple[Event, ...]:
    """Return everything that has a date, the earliest first; what has none comes last.

    Parameters
    ----------
    case : Case
        Its drugs, its dated facts, and the first images with bone cement.
    readings : sequence of StudyReading
    fractures : iterable of IncidentFracture

    Returns
    -------
    tuple of Event
        A fact without a date holds at every date: it is no event. What is not known is
        none either.
    """
    found = [
        *_of_drugs(case),
        *_of_facts(case.stated()),
        *_of_cement(case),
        *_of_fractures(fractures),
        *(Event(kind="study", what=_images(one), start=one.date) for one in readings),
    ]
    return tuple(sorted(dict.fromkeys(found), key=_by_date))


def _by_date(one: Event) -> tuple[bool, tuple[object, ...], str, str]:
    start = one.start or one.end
    return (not start, days(start) if start else (), one.kind, one.what)


def _images(one: StudyReading) -> str:
    return ", ".join(sorted(one.modalities - {""})) or "images"


def _of_drugs(case: Case) -> Iterator[Event]:
    read = (course for one in case.current() for course in one.drugs)
    for course in dict.fromkeys((*case.drugs, *read)):
        yield Event(
            kind="drug",
            what=_course(course),
            start=course.first_dose,
            # A course of one dose ends on its day; one that nobody ended goes on.
            end=course.last_dose or (course.first_dose if course.doses == 1 else ""),
            value=course.dose,
            unit=course.unit,
            approximate=course.approximate,
        )


def _course(course: DrugCourse) -> str:
    return course.drug if course.route == "unknown" else f"{course.drug}, {course.route}"


def _of_facts(facts: Iterable[Fact]) -> Iterator[Event]:
    for fact in facts:
        if not fact.date or fact.value is None:
            continue
        definition = FACTS.get(fact.name)
        number = isinstance(fact.value, int | float) and not isinstance(fact.value, bool)
        group = _GROUPS.get(definition.group) if definition else None
        yield Event(
            kind=group if group and (number or group != "score") else "statement",
            what=_said(fact, number=number),
            start=fact.date,
            end=fact.until,
            value=float(fact.value) if number else None,
            unit=fact.unit if number else "",
            site=fact.site,
            approximate=fact.approximate,
        )


def _said(fact: Fact, *, number: bool) -> str:
    """Return what a fact states, e.g. ``"pus: no"``; a number stands apart."""
    name = fact.name.replace("_", " ")
    if fact.name in _SPOKEN:
        name = _SPOKEN[fact.name]
    if number:
        return name
    said = {True: "yes", False: "no"}.get(fact.value, str(fact.value))  # type: ignore[arg-type]
    if fact.name == "other":
        return said
    # A few words of the source say what a yes or a choice leaves out: "fistula healed".
    short = bool(fact.note) and len(fact.note) <= SHORT_NOTE
    return f"{name}: {said} ({fact.note})" if short else f"{name}: {said}"


_SPOKEN: Final = {
    "pain_vas": "pain VAS",
    "crp": "CRP",
    "esr": "ESR",
    "wbc": "white blood cells",
    "vcf_new": "new vertebral fracture",
    "t_score": "T-score",
    "frax_mof": "FRAX, major",
    "frax_hip": "FRAX, hip",
    "genant_grade": "Genant grade",
}


def _of_cement(case: Case) -> Iterator[Event]:
    for site, date in cement_dates(case).items():
        if date:
            # The images say that it is there by then, not when it came.
            yield Event(
                kind="procedure",
                what=f"bone cement in {site.upper()}, by these images",
                start=date,
                site=site,
                approximate=True,
            )


def _of_fractures(fractures: Iterable[IncidentFracture]) -> Iterator[Event]:
    for one in fractures:
        if one.first_seen:
            what = f"new fracture of {one.site.upper()}"
            yield Event(
                kind="fracture",
                what=f"{what}, suspected" if one.suspected else what,
                start=one.first_seen,
                site=one.site,
                approximate=one.approximate,
            )
