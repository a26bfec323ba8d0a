"""What is stated and read of a case at one date, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from osteotrace.codes import DRUGS, FACTS
from osteotrace.errors import OsteotraceError
from osteotrace.findings import check_fact
from osteotrace.findings.dates import days, months_between, not_after
from osteotrace.staging import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from osteotrace.findings import Assessment, Case, DrugCourse, Fact, Finding


@dataclass(frozen=True)
class Statements:
    """The facts, findings and courses of drugs that hold at a date.

    Parameters
    ----------
    case : Case
        The patient.
    date : str
        ISO 8601 date, ``YYYY-MM-DD``, that is staged.

    Attributes
    ----------
    conflicts : list of str
        Contradictions met while it was asked, in words.
    """

    case: Case
    date: str
    conflicts: list[str] = field(default_factory=list)

    @cached_property
    def _current(self) -> tuple[Assessment, ...]:
        return self.case.current()

    def assessments(self, *, until: bool = False) -> tuple[Assessment, ...]:
        """Return the current readings of the date; with ``until``, all up to it."""
        return tuple(
            one
            for one in self._current
            if one.study_date
            and (self._within(one.study_date) or (until and self.past(one)))
        )

    def past(self, assessment: Assessment) -> bool:
        """Tell whether a reading is of the date or before it."""
        return not_after(assessment.study_date, self.date) is True

    def is_of_the_day(self, assessment: Assessment) -> bool:
        """Tell whether a reading is of the date for certain, not of a month around it."""
        return days(assessment.study_date) == days(self.date)

    def _within(self, text: str) -> bool:
        """Tell whether the day that is staged is one that a partial date may mean."""
        first, last = days(text)
        return first <= days(self.date)[0] <= last

    def findings(
        self,
        kinds: Collection[str],
        *,
        sites: Collection[str] | None = None,
        laterality: str | None = None,
        where: Callable[[Finding], bool] | None = None,
        until: bool = False,
    ) -> Iterator[tuple[Assessment, Finding]]:
        """Yield the findings of some kinds; at some sites, or of a side, if given."""
        for assessment in self.assessments(until=until):
            for finding in assessment.findings:
                if (
                    finding.kind in kinds
                    and (sites is None or finding.site in sites)
                    and (laterality is None or finding.laterality == laterality)
                    and (where is None or where(finding))
                ):
                    yield assessment, finding

    def facts(
        self, name: str, *, site: str = "", laterality: str | None = None
    ) -> tuple[Fact, ...]:
        """Return the facts of a name that hold, or may hold, at the date.

        A partial date leaves open which day it means: `holds_on_date` tells which facts
        hold for certain. Of a number or choice that lasts, the latest statement counts. A
        fact that its definition does not allow is named as a contradiction and left out.

        Parameters
        ----------
        name : str
            Key of `osteotrace.codes.FACTS`.
        site : str
            The bone, where the fact may be of one.
        laterality : str, optional
            The side; by default any.
        """
        definition = FACTS[name]
        holding = tuple(
            fact
            for fact in self._facts
            if fact.name == name
            and (fact.site == site or not definition.sited)
            and (laterality is None or fact.laterality == laterality)
            and self._is_allowed(fact)
            and self._holds(fact) is not False
        )
        if definition.lasting and definition.answer != "truth":
            return _latest(holding)
        return holding

    def facts_until(self) -> tuple[Fact, ...]:
        """Return every fact of the date, of a date before it, or of every date."""
        return tuple(
            fact
            for fact in self._facts
            if not _refusal(fact)
            and (not fact.date or not_after(fact.date, self.date) is not False)
        )

    @cached_property
    def _facts(self) -> tuple[Fact, ...]:
        return self.case.stated()

    def _is_allowed(self, fact: Fact) -> bool:
        why = _refusal(fact)
        if why:
            self.conflicts.append(f"{sentences.said(fact)} does not count: {why}")
        return not why

    def holds_on_date(self, fact: Fact) -> bool:
        """Tell whether a fact holds at the date for certain."""
        return self._holds(fact) is True

    def _holds(self, fact: Fact) -> bool | None:
        """Tell whether a fact holds; None where a partial date leaves it open.

        It holds for certain from the last day on which it may have begun to the first on
        which it may have ended.
        """
        if not fact.date:
            return True
        today, begin = days(self.date), days(fact.date)
        if fact.until:
            end = days(fact.until)
        elif FACTS[fact.name].lasting:
            end = date.max, date.max
        else:
            end = begin
        if today[1] < begin[0] or today[0] > end[1]:
            return False
        # What is asked of a partial date is asked of the day that it means.
        if today == begin or (begin[1] <= today[0] and today[1] <= end[0]):
            return True
        return None

    def known_at(self, name: str) -> tuple[str, ...]:
        """Return in words what is stated of a fact at other dates."""
        here = self.facts(name)
        return tuple(
            f"{sentences.said(fact)} at {fact.date}"
            for fact in self._facts
            if fact.name == name and fact.date and fact not in here
        )

    def drugs(self, *, drug: str = "", drug_class: str = "") -> tuple[DrugCourse, ...]:
        """Return the courses of a drug or class that may have begun, each once.

        A course without dates may have begun at any time: it counts.
        """
        courses = [*self.case.drugs]
        for one in self._current:
            courses += one.drugs
        return tuple(
            course
            for course in dict.fromkeys(courses)
            if (not drug or course.drug == drug)
            and (not drug_class or DRUGS.get(course.drug) == drug_class)
            and self.begun(course) is not False
        )

    def begun(self, course: DrugCourse) -> bool | None:
        """Tell whether a course began by the date; None where its dates leave it open."""
        if course.first_dose:
            return not_after(course.first_dose, self.date)
        if course.last_dose:
            return not_after(course.last_dose, self.date) or None
        return True

    def months_since(self, date: str) -> tuple[float, float]:
        """Return the fewest and most months from a date to the one that is staged."""
        return months_between(date, self.date)


def _refusal(fact: Fact) -> str:
    """Return why a fact's definition does not allow it; empty where it does."""
    try:
        check_fact(fact)
    except OsteotraceError as error:
        return str(error)
    return ""


def _latest(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the answers of the latest date, and those for every date."""
    answers = tuple(fact for fact in facts if fact.value is not None)
    last = max((days(fact.date) for fact in answers if fact.date), default=None)
    return tuple(fact for fact in answers if not fact.date or days(fact.date) == last)
