"""What is stated and read of a case at one date, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from osteotrace.codes import DRUGS, FACTS
from osteotrace.errors import OsteotraceError
from osteotrace.findings import check_fact
from osteotrace.findings.dates import days, months_between, not_after
from osteotrace.staging import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

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
        """Return the facts of a name that hold at the date.

        Of what lasts, the latest statements up to the date count, and what is stated for
        every date. A fact that its definition does not allow is named as a contradiction
        and left out.

        Parameters
        ----------
        name : str
            Key of `osteotrace.codes.FACTS`.
        site : str
            The bone, where the fact may be of one.
        laterality : str, optional
            The side; by default any.
        """
        holding = [
            (since, fact)
            for since, fact in self._dated_facts
            if fact.name == name
            and (fact.site == site or not FACTS[name].sited)
            and (laterality is None or fact.laterality == laterality)
            and self._is_allowed(fact)
            and self._holds(fact, since)
        ]
        if FACTS[name].lasting:
            latest = max((days(since) for since, _ in holding if since), default=None)
            holding = [
                (since, fact)
                for since, fact in holding
                if not since or days(since) == latest
            ]
        # A record and a file of facts may state the very same.
        return tuple(dict.fromkeys(fact for _, fact in holding))

    @cached_property
    def _dated_facts(self) -> tuple[tuple[str, Fact], ...]:
        """Every fact with the first day it held; empty for at every date."""
        own = [(fact.date, fact) for fact in self.case.facts]
        read = [
            (fact.date or one.study_date, fact)
            for one in self._current
            for fact in one.facts
        ]
        return (*own, *read)

    def _is_allowed(self, fact: Fact) -> bool:
        try:
            check_fact(fact)
        except OsteotraceError as error:
            self.conflicts.append(f"{sentences.said(fact)} does not count: {error}")
            return False
        return True

    def _holds(self, fact: Fact, since: str) -> bool:
        if not since:
            return True
        today = days(self.date)[0]
        first, last = days(since)
        if fact.until:
            return first <= today <= days(fact.until)[1]
        return first <= today and (FACTS[fact.name].lasting or today <= last)

    def known_at(self, name: str) -> tuple[str, ...]:
        """Return in words what is stated of a fact at other dates."""
        here = self.facts(name)
        return tuple(
            f"{sentences.said(fact)} at {since}"
            for since, fact in self._dated_facts
            if fact.name == name and since and fact not in here
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
