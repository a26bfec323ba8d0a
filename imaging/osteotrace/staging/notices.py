"""What to bear in mind of a case at a date, whatever it is staged by.

A notice changes no stage: a question that is still open, and what makes numbers hard to
compare. What contradicts itself is told by `osteotrace.staging.contradictions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.findings.dates import days, months_between, not_after
from osteotrace.staging.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osteotrace.findings import Assessment, Case, Fact, Finding

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
    """Yield the question of a malignancy of a mass or nodes that were read up to a date.

    It lasts until a named person answers it, or a named reader finds each of them absent.
    A negative cytology does not answer it.
    """
    found = [
        f"{finding.label} ({finding.kind}, {assessment.study_date})"
        for since, assessment, finding in _suspects(evidence)
        if not _is_excluded(evidence, since)
    ]
    if not found:
        return
    said = [str(fact.value) for fact in _cytology(evidence)]
    cytology = f"; cytology: {'; '.join(said)}, which excludes nothing" if said else ""
    yield f"is a malignant cause excluded? {', '.join(found)}{cytology}"


def _suspects(evidence: Evidence) -> Iterator[tuple[str, Assessment, Finding]]:
    """Yield each mass or node that is not gone: since when, and its last reading."""
    read = sorted(
        evidence.findings(_SUSPECT, until=True), key=lambda pair: pair[0].study_date
    )
    seen = [pair for pair in read if pair[1].presence == "present"]
    lesions: list[tuple[Assessment, Finding]] = []
    for pair in reversed(seen):
        if not any(_same_lesion(pair[1], other) for _, other in lesions):
            lesions.append(pair)
    for last, lesion in reversed(lesions):
        gone = [
            one.study_date
            for one, other in read
            if other.presence == "absent"
            and one.reader.strip()
            and _denies(other, lesion, lesions)
        ]
        if any(date > last.study_date for date in gone):
            continue
        since = min(
            one.study_date
            for one, other in seen
            if _same_lesion(other, lesion)
            and not any(one.study_date < date for date in gone)
        )
        yield since, last, lesion


def _same_lesion(one: Finding, other: Finding) -> bool:
    if one.tracking_uid and one.tracking_uid == other.tracking_uid:
        return True
    names = ("label", "kind", "site", "laterality")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _denies(
    absent: Finding, lesion: Finding, lesions: Sequence[tuple[Assessment, Finding]]
) -> bool:
    """Tell whether an absence is that of a lesion, or of its kind at its place."""
    named = [other for _, other in lesions if _same_lesion(absent, other)]
    if named:
        return lesion in named
    names = ("kind", "site", "laterality")
    return all(getattr(absent, name) == getattr(lesion, name) for name in names)


def _is_excluded(evidence: Evidence, since: str) -> bool:
    """Tell whether a person excluded a malignancy, as last stated from a day on."""
    name = "malignancy_excluded"
    answer = evidence.truth(name)
    if answer.known or answer.contradicted:
        return answer.possible == (True,)
    answered = [
        day
        for first, fact in _stated(evidence, name)
        if isinstance(fact.value, bool)
        and (day := days(fact.until or first)[1].isoformat()) >= since
    ]
    return bool(answered) and Evidence(evidence.case, max(answered)).truth(
        name
    ).possible == (True,)


def _cytology(evidence: Evidence) -> tuple[Fact, ...]:
    """Return what cytology showed at the date or before."""
    dated = [fact for _, fact in _stated(evidence, "cytology") if fact.value]
    here = [fact for fact in evidence.facts("cytology") if fact.value]
    return tuple(dict.fromkeys([*dated, *here]))


def _stated(evidence: Evidence, name: str) -> Iterator[tuple[str, Fact]]:
    """Yield what was stated of a fact for days before the date, with the first day."""
    for fact in evidence.case.stated():
        since = fact.date
        if fact.name == name and since and not_after(fact.until or since, evidence.date):
            yield since, fact


def _growth(evidence: Evidence) -> Iterator[str]:
    age, since = _age(evidence)
    if age is not None and age < ADULT_AGE:
        when = "" if since else " as stated without a day"
        yield (
            f"a growing patient, {int(age)} years old{when}: a change in mm is "
            "confounded by growth; compare both sides, and the index"
        )


def _age(evidence: Evidence) -> tuple[float | None, str]:
    """Return the age at the date, and the day it was last stated at.

    A statement of a day counts before one without: years pass after it.
    """
    told = {
        days(since)[0].isoformat(): since
        for since, fact in _stated(evidence, "age")
        if fact.value is not None
    }
    for day in (evidence.date, *sorted(told, reverse=True)):
        # Asked of a year, it is asked of the day that the year means.
        since = told.get(day, day)
        stated = _dated_alone(evidence.case, since).number("age")
        if stated is not None:
            passed = months_between(since, evidence.date)[0] / _MONTHS_A_YEAR
            return stated.low + max(0.0, passed), since
    undated = evidence.number("age")
    return (None, "") if undated is None else (undated.low, "")


def _dated_alone(case: Case, day: str) -> Evidence:
    """Return what is known at a day, without what is stated for every date."""
    dated = tuple(fact for fact in case.facts if fact.date)
    return Evidence(msgspec.structs.replace(case, facts=dated), day)
