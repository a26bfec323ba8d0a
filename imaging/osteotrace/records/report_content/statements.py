"""Clinical facts and courses of drugs as content items, written and read side by side.

What was stated stands in containers of its own, and the observer of each item is the
person who stated it. A fact is named by the concept that DICOM has for it, else by one of
99OSTEO; its name in osteotrace stands below either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from osteotrace.codes import (
    DRUG_CLASS_CONCEPTS,
    DRUG_CONCEPTS,
    DRUGS,
    FACT_CONCEPTS,
    FACT_SOURCES,
    LATERALITIES,
    REPORT,
    ROUTE_CONCEPTS,
    SITES,
    TRUTH_VALUES,
    look_up,
    name_of,
)
from osteotrace.findings import DrugCourse, Fact
from osteotrace.findings.version_1 import date_anew, name_anew
from osteotrace.records.report_content.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    children,
    code,
    code_below,
    coded,
    concept_of,
    container,
    holding,
    moment,
    moment_below,
    number,
    number_of,
    person_name,
    text,
    text_below,
    text_of,
    texts,
    unit_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.codes import Concept
    from osteotrace.findings import Source
    from osteotrace.records.report_content.items import Relation


# What statements share ---------------------------------------------------------------


def stated_by(
    concept: Concept, author: str, recorded: str, relation: Relation = HAS_OBS_CONTEXT
) -> list[ContentItem]:
    """Return who stated something and when: the observer, and the name as recorded."""
    from highdicom.sr import PnameContentItem

    name = person_name(author)
    observer = [
        PnameContentItem(
            name=coded(REPORT["person_observer_name"]),
            value=name,
            relationship_type=relation,
        )
    ]
    return [
        *(observer if name else []),
        *texts(concept, author, relation),
        *moment(REPORT["recorded"], recorded, relation),
    ]


def truth(concept: str, value: bool | None, relation: Relation) -> ContentItem:
    """Return yes, no or unknown as a CODE item."""
    name = {True: "true", False: "false", None: "unknown"}[value]
    return code(REPORT[concept], TRUTH_VALUES[name], relation)


def truth_of(item: Dataset) -> bool | None:
    """Return what a CODE item of `truth` says."""
    name = name_of(TRUTH_VALUES, concept_of(item.ConceptCodeSequence))
    return {"true": True, "false": False}.get(name)


def truth_below(item: Dataset, concept: str) -> bool | None:
    """Return what a child of `truth` says; None where there is none."""
    return next(map(truth_of, children(item, REPORT[concept], "CODE")), None)


def named(
    concept: str, table: dict[str, Concept], name: str, relation: Relation
) -> list[ContentItem]:
    """Return a name of a table as a CODE item in a list, or an empty list."""
    if not name:
        return []
    return [code(REPORT[concept], look_up(table, name, concept), relation)]


def name_below(item: Dataset, concept: str, table: dict[str, Concept]) -> str:
    """Return the short name of a child's coded value, empty where there is none."""
    found = children(item, REPORT[concept], "CODE")
    return next((name_of(table, concept_of(c.ConceptCodeSequence)) for c in found), "")


# Facts -------------------------------------------------------------------------------


def facts_written(facts: Iterable[Fact]) -> list[ContentItem]:
    """Return the container of the facts in a list, or an empty list without any."""
    items = [_fact(fact) for fact in facts]
    return [container(REPORT["facts"], items)] if items else []


def _fact(fact: Fact) -> ContentItem:
    estimated = [truth("approximate", True, HAS_CONCEPT_MOD)] if fact.approximate else []
    return holding(
        _answer(fact),
        [
            text(REPORT["fact_name"], fact.name, HAS_CONCEPT_MOD),
            code(REPORT["fact_source"], FACT_SOURCES[fact.source], HAS_CONCEPT_MOD),
            *stated_by(REPORT["fact_author"], fact.author, fact.recorded),
            *texts(REPORT["fact_date"], fact.date, HAS_CONCEPT_MOD),
            *texts(REPORT["fact_until"], fact.until, HAS_CONCEPT_MOD),
            *estimated,
            *named("finding_site", SITES, fact.site, HAS_CONCEPT_MOD),
            *named("laterality", LATERALITIES, fact.laterality, HAS_CONCEPT_MOD),
            *texts(REPORT["comment"], fact.note, HAS_PROPERTIES),
        ],
    )


def _answer(fact: Fact) -> ContentItem:
    concept = FACT_CONCEPTS.get(fact.name, REPORT["fact"])
    match fact.value:
        case None:
            item = code(concept, TRUTH_VALUES["unknown"], CONTAINS)
        case bool():
            answer = TRUTH_VALUES["true" if fact.value else "false"]
            item = code(concept, answer, CONTAINS)
        case str():
            item = text(concept, fact.value, CONTAINS)
        case _:
            return number(concept, fact.value, fact.unit, CONTAINS)
    # As text: to validators a UCUM code says that there is a number.
    return holding(item, texts(REPORT["fact_unit"], fact.unit, HAS_CONCEPT_MOD))


def facts_read(document: Dataset, *, version: int, study_date: str) -> tuple[Fact, ...]:
    """Return the facts of a report, those of schema version 1 as they are kept today."""
    facts = tuple(
        _fact_of(item)
        for facts in children(document, REPORT["facts"])
        for item in children(facts)
    )
    return facts if version > 1 else tuple(_anew(fact, study_date) for fact in facts)


def _anew(fact: Fact, study_date: str) -> Fact:
    fields: dict[str, object] = msgspec.structs.asdict(fact)
    name_anew(fields)
    date_anew(fields, study_date)
    return msgspec.convert(fields, Fact)


def _fact_of(item: Dataset) -> Fact:
    source = name_of(FACT_SOURCES, code_below(item, REPORT["fact_source"]))
    unit = text_below(item, REPORT["fact_unit"])
    value: bool | float | str | None
    match item.ValueType:
        case "CODE":
            value = truth_of(item)
        case "NUM":
            value, unit = number_of(item), unit_of(item)
        case _:
            value = text_of(item)
    return Fact(
        name=text_below(item, REPORT["fact_name"]),
        value=value,
        unit=unit,
        source=cast("Source", source),
        author=text_below(item, REPORT["fact_author"]),
        recorded=moment_below(item, REPORT["recorded"]),
        date=text_below(item, REPORT["fact_date"]),
        until=text_below(item, REPORT["fact_until"]),
        approximate=truth_below(item, "approximate") or False,
        site=name_below(item, "finding_site", SITES),
        laterality=name_below(item, "laterality", LATERALITIES),
        note=text_below(item, REPORT["comment"]),
    )


# Courses of drugs --------------------------------------------------------------------


def drugs_written(courses: Iterable[DrugCourse]) -> list[ContentItem]:
    """Return the container of the courses in a list, or an empty list without any."""
    items = [_course(course) for course in courses]
    return [container(REPORT["drugs"], items)] if items else []


def _course(course: DrugCourse) -> ContentItem:
    estimated = [truth("approximate", True, CONTAINS)] if course.approximate else []
    numbers = (("doses", course.doses, "{counts}"), ("dose", course.dose, course.unit))
    drug_class = look_up(DRUGS, course.drug, "drug")
    return container(
        REPORT["drug_course"],
        [
            *stated_by(REPORT["author"], course.author, course.recorded),
            *named("drug", DRUG_CONCEPTS, course.drug, CONTAINS),
            *named("drug_class", DRUG_CLASS_CONCEPTS, drug_class, CONTAINS),
            *named("route", ROUTE_CONCEPTS, course.route, CONTAINS),
            *moment(REPORT["first_dose"], course.first_dose, CONTAINS),
            *moment(REPORT["last_dose"], course.last_dose, CONTAINS),
            *estimated,
            truth("ongoing", course.ongoing, CONTAINS),
            *(
                number(REPORT[name], value, unit, CONTAINS)
                for name, value, unit in numbers
                if value is not None
            ),
            *texts(REPORT["indication"], course.indication, CONTAINS),
            *texts(REPORT["comment"], course.note, CONTAINS),
        ],
    )


def drugs_read(document: Dataset) -> tuple[DrugCourse, ...]:
    """Return the courses of drugs of a report."""
    return tuple(
        _course_of(item)
        for drugs in children(document, REPORT["drugs"])
        for item in children(drugs, REPORT["drug_course"])
    )


def _course_of(item: Dataset) -> DrugCourse:
    doses = next(map(number_of, children(item, REPORT["doses"], "NUM")), None)
    dose = next(children(item, REPORT["dose"], "NUM"), None)
    return DrugCourse(
        drug=name_below(item, "drug", DRUG_CONCEPTS),
        author=text_below(item, REPORT["author"]),
        recorded=moment_below(item, REPORT["recorded"]),
        route=name_below(item, "route", ROUTE_CONCEPTS),
        first_dose=moment_below(item, REPORT["first_dose"]),
        last_dose=moment_below(item, REPORT["last_dose"]),
        approximate=truth_below(item, "approximate") or False,
        ongoing=truth_below(item, "ongoing"),
        doses=None if doses is None else int(doses),
        dose=None if dose is None else number_of(dose),
        unit="" if dose is None else unit_of(dose),
        indication=text_below(item, REPORT["indication"]),
        note=text_below(item, REPORT["comment"]),
    )
