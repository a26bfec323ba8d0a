"""What to bear in mind of a case at a date, whatever it is staged by.

A notice changes no stage: a question that is still open, and what makes numbers hard to
compare. What contradicts itself is told by `osteotrace.staging.contradictions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.findings.dates import months_between
from osteotrace.staging.evidence import Evidence, dates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.findings import Case

# Below this age in years bones grow, and a length of one date is no norm for another.
ADULT_AGE: Final = 18.0
_MONTHS_A_YEAR: Final = 12
_SUSPECT: Final = ("mass", "lymphadenopathy")


def notices(case: Case, date: str) -> tuple[str, ...]:
    """Return what to bear in mind at a date, in words.

    Parameters
    ----------
    case : Case
        The patient.
    date : str
        ISO 8601 day.
    """
    evidence = Evidence(case, date)
    return (*_open_malignancy(evidence), *_growth(evidence))


def _open_malignancy(evidence: Evidence) -> Iterator[str]:
    """Yield the question of a malignancy while there is a mass or nodes.

    A negative cytology does not answer it; a named person does.
    """
    found = [
        f"{finding.label} ({finding.kind}, {assessment.study_date})"
        for assessment, finding in evidence.findings(_SUSPECT)
        if finding.presence == "present"
    ]
    if not found or evidence.truth("malignancy_excluded").possible == (True,):
        return
    said = [str(fact.value) for fact in evidence.facts("cytology") if fact.value]
    cytology = f"; cytology: {'; '.join(said)}, which excludes nothing" if said else ""
    yield f"is a malignant cause excluded? {', '.join(found)}{cytology}"


def _growth(evidence: Evidence) -> Iterator[str]:
    age = _age(evidence)
    if age is not None and age < ADULT_AGE:
        yield (
            f"a growing patient, {age:.0f} years old: a change in mm is confounded by "
            "growth; compare both sides, and the index"
        )


def _age(evidence: Evidence) -> float | None:
    """Return the age at the date, as stated, else from the last day it was stated."""
    earlier = [day for day in dates(evidence.case) if day < evidence.date]
    for day in (evidence.date, *reversed(earlier)):
        stated = Evidence(evidence.case, day).number("age")
        if stated is not None:
            return stated.low + months_between(day, evidence.date)[0] / _MONTHS_A_YEAR
    return None
