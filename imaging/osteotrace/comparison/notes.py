"""What to mind of a comparison as a whole, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.comparison.study_readings import MONTHS_OF_A_YEAR
from osteotrace.findings.dates import months_between
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from osteotrace.comparison.study_readings import StudyReading
    from osteotrace.findings import Case

# Up to this age bones grow: a change in mm is confounded by it (clinical rule).
GROWN_AT_YEARS: Final = 18.0


def notes_of(
    case: Case,
    readings: Sequence[StudyReading],
    *,
    accepted_flags: Collection[str] = (),
    reader: str = "",
) -> list[str]:
    """Return what to mind of the whole: patients, dates, readers, growth, doubts.

    Why studies were not aligned stands with their pair.
    """
    notes = []
    patients = {one.assessment.patient for one in readings} | {case.patient}
    if len(patients - {""}) > 1:
        notes.append(
            f"readings of {len(patients - {''})} patients: "
            + ", ".join(sorted(patients - {""}))
        )
    for one in readings:
        if not one.date:
            notes.append(
                f"{one.called} has no date: it stands where it was given, and no change "
                "a month is told beside it"
            )
        if one.others:
            who = one.assessment.reader or "a reader without a name"
            notes.append(
                f"{one.called} was also read by {', '.join(one.others)}: the reading of "
                f"{who} is compared"
            )
    notes += _growth(case, readings)
    notes += _let_pass(readings, accepted_flags, reader)
    return list(dict.fromkeys(notes))


def _growth(case: Case, readings: Sequence[StudyReading]) -> list[str]:
    """Return that the patient grows, where an age at the first study says so."""
    first = next((one.date for one in readings if one.date), "")
    ages = [
        _age_on(first, float(one.value), one.date)
        for one in case.stated()
        if one.name == "age" and isinstance(one.value, int | float)
    ]
    if not ages or min(ages) >= GROWN_AT_YEARS:
        return []
    return [
        f"a child, {max(min(ages), 0):.0f} years old at first: a change in mm is "
        "confounded by growth; indices and both sides beside each other are not"
    ]


def _let_pass(
    readings: Sequence[StudyReading], accepted_flags: Collection[str], reader: str
) -> list[str]:
    """Return which doubts about values were let pass, and by whom."""
    raised = dict.fromkeys(
        flag
        for one in readings
        for finding in one.assessment.findings
        for value in finding.measurements
        if isinstance(value, Measurement)
        for flag in value.flags
        if flag in accepted_flags
    )
    whom = reader or "a reader without a name"
    return [f"compared in spite of a doubt that {whom} let pass: {one}" for one in raised]


def _age_on(date: str, age: float, when: str) -> float:
    """Return how old somebody was on a date who had an age on another one, years.

    Where a date is missing it is that age.
    """
    if not date or not when:
        return age
    return age + sum(months_between(when, date)) / 2 / MONTHS_OF_A_YEAR
