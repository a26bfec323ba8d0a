"""Clinical facts and courses of drugs: what a person states, by whom and when.

What a fact may be called, and what answers and units it takes, is said in
`osteotrace.codes.FACTS`; whether it fits is checked by `check_fact` and `check_drug`.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from osteotrace.codes import (
    DRUGS,
    FACTS,
    LATERALITIES,
    ROUTES,
    SITES,
    UNITS,
    look_up,
)
from osteotrace.errors import OsteotraceError
from osteotrace.findings.dates import days

Source = Literal["measured", "entered", "derived"]


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clinical input: true, false or unknown, or a value, with who said it and when.

    Parameters
    ----------
    name : str
        Key of `osteotrace.codes.FACTS`, e.g. ``"exposed_bone"``.
    value : bool, float, str or None
        None is unknown: asked, and not known.
    unit : str
        UCUM unit of a number, else empty.
    source : str
        ``measured``, ``entered`` or ``derived``.
    author : str
        Who entered or accepted it.
    recorded : str
        ISO 8601 date and time of recording.
    date : str
        When it held: ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``; empty for at every date.
    until : str
        Last day it held, in the same forms. Where empty, a state holds on its date, and
        what lasts (`FactDefinition.lasting`) from then on.
    approximate : bool
        True where the date is an estimate.
    site : str
        Key of `osteotrace.codes.SITES` where the fact is of one bone, else empty.
    laterality : str
        Key of `osteotrace.codes.LATERALITIES`, or empty.
    note : str
        Free text, such as the words of the source.
    """

    name: str
    value: bool | float | str | None
    source: Source
    author: str
    recorded: str
    unit: str = ""
    date: str = ""
    until: str = ""
    approximate: bool = False
    site: str = ""
    laterality: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"{self.name} is {self.value}, which is no finite number")

    @property
    def subject(self) -> tuple[str, ...]:
        """What it is about, and by whom: stated anew, it takes the place of the old."""
        when = self.date, self.until
        return (self.name, *when, self.site, self.laterality, self.author)


class DrugCourse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One drug as given over a time, with who said it and when.

    Parameters
    ----------
    drug : str
        Key of `osteotrace.codes.DRUGS`.
    route : str
        Key of `osteotrace.codes.ROUTES`; ``unknown`` where not stated.
    first_dose, last_dose : str
        Dates, in the forms of `Fact.date`; empty where not known.
    approximate : bool
        True where a date is an estimate.
    ongoing : bool or None
        Whether it was still given when this was recorded; None where not known.
    doses : int or None
        How many were given.
    dose : float or None
        One dose, in ``unit``.
    unit : str
        UCUM unit of the dose, e.g. ``"mg"`` or ``"mg/kg"``; for a daily dose ``"mg/d"``.
    indication, note : str
        Free text.
    author, recorded
        As in `Fact`.
    """

    drug: str
    author: str
    recorded: str
    route: str = "unknown"
    first_dose: str = ""
    last_dose: str = ""
    approximate: bool = False
    ongoing: bool | None = None
    doses: int | None = None
    dose: float | None = None
    unit: str = ""
    indication: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.dose is not None and not math.isfinite(self.dose):
            raise ValueError(f"a dose of {self.drug} that is no finite number")


def check_fact(fact: Fact) -> None:
    """Refuse a fact that its definition does not allow.

    Raises
    ------
    OsteotraceError
        If the name is not known, the value is no answer to it, the unit is not one of
        the fact's, the number is out of range, it is of one bone and is asked of none,
        or a date is none or ends before it begins.
    """
    definition = look_up(FACTS, fact.name, "clinical fact")
    where = f"the fact {fact.name}"
    if fact.unit and fact.value is None:
        look_up(UNITS, fact.unit, "unit")
    if fact.site:
        look_up(SITES, fact.site, "site")
    if fact.laterality:
        look_up(LATERALITIES, fact.laterality, "laterality")
    if (fact.site or fact.laterality) and not definition.sited:
        raise OsteotraceError(
            f"{where} of one place, {' '.join((fact.laterality, fact.site)).strip()}",
            expected="a statement of the whole patient: it is asked of no bone or side",
            advice="leave the site and side out, and say them in the note",
        )
    if fact.value is not None:
        definition.check_answer(fact.value, fact.unit)
    _check_order(fact.date, fact.until, where)


def check_drug(course: DrugCourse) -> None:
    """Refuse a course of a drug that is not known, or whose dates are out of order."""
    look_up(DRUGS, course.drug, "drug")
    look_up(ROUTES, course.route, "route")
    if course.unit:
        look_up(UNITS, course.unit, "unit")
    if (course.dose is None) != (not course.unit):
        raise OsteotraceError(
            f"a dose of {course.drug} without unit, or a unit without dose",
            expected="a number and a UCUM unit, or neither",
            advice="give both",
        )
    _check_order(course.first_dose, course.last_dose, f"the drug {course.drug}")


def _check_order(first: str, last: str, where: str) -> None:
    for text in (first, last):
        if text:
            days(text)
    if first and last and days(last)[1] < days(first)[0]:
        raise OsteotraceError(
            f"{where} from {first} to {last}",
            expected="dates in order",
            advice="correct one of the dates",
        )
    if last and not first and where.startswith("the fact"):
        raise OsteotraceError(
            f"{where} with a last day, {last}, and no first",
            expected="both, the first alone, or neither",
            advice="give the day it was first seen",
        )
