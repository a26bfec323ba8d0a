"""What in a case contradicts itself: named for the reader, never dropped or settled.

Gas and organism are separate facts, and neither says what the other is: gas may come
through an open fistula, and a culture grows what it grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.codes import DRUGS, FACTS, USUAL_ROUTES
from osteotrace.codes.drugs import ANTIANGIOGENIC, ANTIRESORPTIVE, IMMUNE_MODULATOR
from osteotrace.codes.facts import PALATE
from osteotrace.errors import OsteotraceError
from osteotrace.findings import check_drug, check_fact
from osteotrace.findings.dates import days
from osteotrace.staging import jaw, sentences
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.vertebrae import grades as vertebra_grades

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date as Day

    from osteotrace.findings import Case, DrugCourse

_MRONJ: Final = ("aaoms_2014", "aaoms_2022", "sipmo_strict", "sipmo_lenient")
_NO_STAGE: Final = ("not applicable", "at risk", "none")
# Courses that a fact of its own states too, and those that MRONJ follows.
_STATED_CLASSES: Final = (ANTIRESORPTIVE, ANTIANGIOGENIC, IMMUNE_MODULATOR)
_CAUSES: Final = (ANTIRESORPTIVE, ANTIANGIOGENIC)
# Facts and findings that are a consequence of a drug where they are staged as one.
_LATER_FACTS: Final = ("exposed_bone", "path_fracture")
_LATER_KIND: Final = "pathological_fracture"
# What is stated for every date holds at any.
_ANY_DAY: Final = "2000-01-01"


def contradictions(case: Case, date: str | None = None) -> tuple[str, ...]:
    """Return what contradicts itself, in words, each once.

    Parameters
    ----------
    case : Case
        The patient. It may hold what reading a record would have refused.
    date : str, optional
        ISO 8601 day whose statements are compared; by default every day at which
        something is stated or read. What concerns the whole record is always named.
    """
    found = [*_refused(case)]
    sound = _sound(case)
    found += [*_order_of_doses(sound), *_routes(sound), *_before_the_drug(sound)]
    for day in _moments(sound) if date is None else (date,):
        found += _at(Evidence(sound, day))
    return tuple(dict.fromkeys(found))


# The record by itself ----------------------------------------------------------------


def _courses(case: Case) -> tuple[DrugCourse, ...]:
    read = (course for one in case.current() for course in one.drugs)
    return tuple(dict.fromkeys([*case.drugs, *read]))


def _refused(case: Case) -> Iterator[str]:
    """Yield facts, drugs and studies that their definitions do not allow."""
    for fact in case.stated():
        try:
            check_fact(fact)
        except OsteotraceError as error:
            yield f"{sentences.said(fact)} does not count: {error}"
    for course in _courses(case):
        try:
            check_drug(course)
        except OsteotraceError as error:
            yield f"{sentences.given(course)}: {error}"
    for one in case.current():
        if one.study_date and _days(one.study_date) is None:
            uid, date = one.assessment_uid, one.study_date
            yield f"the reading {uid} has the study date {date!r}, which is none"


def _sound(case: Case) -> Case:
    """Return a case without what has no date that can be read; it was named already."""

    def has_dates(*texts: str) -> bool:
        return all(_days(text) is not None for text in texts if text)

    return msgspec.structs.replace(
        case,
        facts=tuple(one for one in case.facts if has_dates(one.date, one.until)),
        drugs=tuple(
            one for one in case.drugs if has_dates(one.first_dose, one.last_dose)
        ),
        assessments=tuple(
            msgspec.structs.replace(
                one,
                facts=tuple(f for f in one.facts if has_dates(f.date, f.until)),
                drugs=tuple(d for d in one.drugs if has_dates(d.first_dose, d.last_dose)),
            )
            for one in case.assessments
            if has_dates(one.study_date)
        ),
    )


def _days(text: str) -> tuple[Day, Day] | None:
    try:
        return days(text)
    except OsteotraceError:
        return None


def _order_of_doses(case: Case) -> Iterator[str]:
    """Yield doses that were recorded before they were given."""
    for course in _courses(case):
        recorded = _days(course.recorded)
        for dose in filter(None, (course.first_dose, course.last_dose)):
            if recorded is not None and days(dose)[0] > recorded[1]:
                yield (
                    f"{sentences.given(course)}: recorded on {course.recorded[:10]}, "
                    f"before the dose of {dose}"
                )


def _routes(case: Case) -> Iterator[str]:
    """Yield drugs that are stated by another route than the usual one."""
    for course in _courses(case):
        usual = USUAL_ROUTES.get(course.drug)
        if usual is not None and course.route not in (usual, "unknown"):
            yield (
                f"{course.drug} is normally {usual}, the record says {course.route} "
                f"({course.author})"
            )


def _before_the_drug(case: Case) -> Iterator[str]:
    """Yield what is stated or seen before the drug that it is staged as following."""
    for drug_class in _STATED_CLASSES:
        name = f"drug_{drug_class.replace(' ', '_')}"
        first = _first_dose(case, drug_class)
        for fact in case.stated():
            if fact.name == name and fact.value is True and _precedes(fact.date, first):
                yield f"{sentences.said(fact)}, before its first dose, {first}"
    first = _first_dose(case, *_CAUSES)
    for fact in case.stated():
        is_later = fact.name in _LATER_FACTS and fact.value is True
        if is_later and _precedes(fact.date, first):
            yield f"{sentences.said(fact)}, before the first dose of a drug, {first}"
    for one in case.current():
        for finding in one.findings:
            seen = finding.kind == _LATER_KIND and finding.presence == "present"
            if (
                seen
                and finding.site in jaw.JAW_SITES
                and _precedes(one.study_date, first)
            ):
                words = sentences.read(one, finding)
                yield f"{words}, before the first dose of a drug, {first}"
    yield from _fractures_before_denosumab(case)


def _fractures_before_denosumab(case: Case) -> Iterator[str]:
    """Yield vertebral fractures that were new before denosumab was given."""
    courses = [one for one in _courses(case) if one.drug == "denosumab"]
    first = _earliest(courses)
    for fact in case.stated():
        is_new = fact.name == "vcf_new" and fact.value is True
        if is_new and _precedes(fact.date, first):
            level = f"{fact.site.upper()}: " if fact.site else ""
            yield (
                f"{level}{sentences.said(fact)}, before the first dose of denosumab, "
                f"{first}"
            )


def _first_dose(case: Case, *classes: str) -> str:
    return _earliest([one for one in _courses(case) if DRUGS.get(one.drug) in classes])


def _earliest(courses: list[DrugCourse]) -> str:
    """Return the first dose of all; empty where one of them may have begun any time."""
    starts = [one.first_dose for one in courses]
    return min(starts, key=days) if starts and all(starts) else ""


def _precedes(one: str, other: str) -> bool:
    return bool(one and other) and days(one)[1] < days(other)[0]


# The statements of one day -----------------------------------------------------------


def _moments(case: Case) -> tuple[str, ...]:
    """Return the days at which a statement begins to hold: all overlaps begin there.

    One of a partial date holds for certain from the last day that it may mean.
    """
    stated = (fact.date for fact in case.stated() if fact.date)
    starts = {day for text in stated for day in days(text)}
    starts |= {days(one.study_date)[0] for one in case.current() if one.study_date}
    starts |= {
        days(result.date)[0]
        for one in case.current()
        for result in one.stagings
        if _days(result.date) is not None
    }
    return tuple(start.isoformat() for start in sorted(starts)) or (_ANY_DAY,)


def _at(evidence: Evidence) -> list[str]:
    """Return the contradictions between the statements of a day."""
    places = {
        (fact.name, fact.site if FACTS[fact.name].sited else "", fact.laterality)
        for fact in evidence.case.stated()
        if fact.name in FACTS
    }
    for name, site, side in sorted(places):
        match FACTS[name].answer:
            case "truth" if site:
                evidence.truth(name, site=site)
            case "truth":
                jaw.fact(evidence, name)
            case "number":
                evidence.number(name, site=site, laterality=side)
            case "choice" if name == "genant_grade":
                vertebra_grades.reader_grade(evidence, site)
            case "choice":
                evidence.choice(name, site=site, laterality=side)
    for drug_class in _STATED_CLASSES:
        evidence.drug_given(drug_class)
    for name, kinds in jaw.FACT_KINDS.items():
        evidence.truth(name, kinds=kinds, sites=jaw.JAW_SITES)
    for question in (jaw.pain, jaw.nonspecific, jaw.swelling, jaw.communication):
        question(evidence)
    found = (*_mronj(evidence), *_healed(evidence), *_no_defect(evidence))
    return [*found, *evidence.conflicts]


def _mronj(evidence: Evidence) -> Iterator[str]:
    """Yield what the definition of MRONJ excludes, and stages set in spite of it."""
    yield from jaw.exclusions(evidence)
    irradiated = evidence.truth("jaw_radiotherapy")
    if irradiated.possible != (True,):
        return
    for one in evidence.case.current():
        for result in one.stagings:
            if (
                result.system in _MRONJ
                and result.date == evidence.date
                and result.highest not in _NO_STAGE
            ):
                yield (
                    f"an MRONJ stage, {result.as_text} ({result.system}, {result.date}), "
                    f"with jaw radiotherapy ({'; '.join(irradiated.because)})"
                )


def _healed(evidence: Evidence) -> Iterator[str]:
    status = evidence.choice("status")
    exposed = evidence.truth("exposed_bone")
    if status.possible == ("healed",) and exposed.possible == (True,):
        yield f"{'; '.join(status.because)}, but {'; '.join(exposed.because)}"


def _no_defect(evidence: Evidence) -> Iterator[str]:
    """Yield how far a palatal defect reaches by statements, where none is there."""
    found = list(evidence.findings(("palatal_bony_defect",), sites=jaw.JAW_SITES))
    absent = [sentences.read(*one) for one in found if one[1].presence == "absent"]
    stated = [
        sentences.said(fact)
        for name, definition in FACTS.items()
        if definition.group == PALATE
        for fact in evidence.facts(name)
        if fact.value not in (None, False)
    ]
    if absent and len(absent) == len(found) and stated:
        yield f"{'; '.join(stated)}, but {'; '.join(absent)}"
