"""What was stated and read, in words, as the reasons of a stage keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, DrugCourse, Fact, Finding


def said(fact: Fact) -> str:
    """Return a fact: its answer, who gave it, and when it held."""
    about = "about " if fact.approximate else ""
    when = f", {about}{fact.date}" if fact.date else ""
    note = f": {fact.note}" if fact.note else ""
    who = f" ({fact.author}{when})" if fact.author or when else ""
    return f"{fact.name} {answer(fact)}{note}{who}"


def answer(fact: Fact) -> str:
    """Return the answer of a fact: yes, no, unknown, a number with unit, or a text."""
    if fact.value is None or isinstance(fact.value, bool):
        return {True: "yes", False: "no", None: "unknown"}[fact.value]
    if isinstance(fact.value, str):
        return fact.value
    return f"{fact.value:g} {fact.unit}".removesuffix(" 1")


def read(assessment: Assessment, finding: Finding) -> str:
    """Return a finding: whether it is there, who read it, and on which study."""
    sure = "" if finding.certainty == "definite" else f", {finding.certainty}"
    who = assessment.reader or "no reader"
    label = "" if finding.label.lower() == finding.kind else f"{finding.label} "
    return (
        f"{label}{finding.kind} {finding.presence}{sure} ({who}, {assessment.study_date})"
    )


def given(course: DrugCourse) -> str:
    """Return a course of a drug: its route, its dates, and who stated it."""
    ends = " to ".join(filter(None, (course.first_dose, course.last_dose)))
    route = course.route
    if route == "unknown":
        # "denosumab, unknown" would read as a drug that is not known.
        route = f"route not stated{',' if ends else ''}"
    about = "about " if course.approximate and ends else ""
    when = f" {about}{ends}" if ends else ""
    who = f" ({course.author})" if course.author else ""
    return f"{course.drug}, {route}{when}{who}"
