"""What is known of a case at one date: facts, courses of drugs and findings.

Absence of a statement is unknown, never no. A finding answers for its kind only where a
named reader answers for the reading; else it is a proposal and stays unknown. Statements
that contradict each other count as unknown, and the contradiction is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from osteotrace.codes import DRUGS, FACTS
from osteotrace.findings.dates import (
    DAYS_A_MONTH,
    DAYS_A_WEEK,
    days,
    months_between,
    not_after,
)
from osteotrace.staging.rule_table import TRUTH, UNKNOWN, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from osteotrace.findings import Assessment, Case, DrugCourse, Fact, Finding

# A number in a unit, times this, is the number in the first unit of its fact.
_FACTORS: Final = {
    ("d", "wk"): 1 / DAYS_A_WEEK,
    ("mo", "wk"): DAYS_A_MONTH / DAYS_A_WEEK,
    ("mg/L", "mg/dL"): 0.1,
    ("cm", "mm"): 10.0,
}
# Certainties with which a finding counts; a possible one is a suspicion.
_COUNTS: Final = ("definite", "probable")


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The numbers that a stated quantity may be, with who said so."""

    low: float
    high: float
    because: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What is known of a case at a date.

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

    # What is there ---------------------------------------------------------------

    def assessments(self, *, until: bool = False) -> tuple[Assessment, ...]:
        """Return the current readings of the date; with ``until``, all up to it."""
        return tuple(
            one
            for one in self.case.current()
            if one.study_date
            and (_same_day(one.study_date, self.date) or (until and self.past(one)))
        )

    def past(self, assessment: Assessment) -> bool:
        """Tell whether a reading is of the date or before it."""
        return not_after(assessment.study_date, self.date) is True

    def findings(
        self,
        kinds: Collection[str],
        *,
        sites: Collection[str] | None = None,
        until: bool = False,
    ) -> Iterator[tuple[Assessment, Finding]]:
        """Yield the findings of some kinds, at some sites if given."""
        for assessment in self.assessments(until=until):
            for finding in assessment.findings:
                if finding.kind in kinds and (sites is None or finding.site in sites):
                    yield assessment, finding

    def facts(self, name: str, *, site: str = "") -> tuple[Fact, ...]:
        """Return the facts of a name and site that hold at the date.

        Of what lasts, the latest statements up to the date count.
        """
        holding = [
            (since, fact)
            for since, fact in self._dated_facts()
            if fact.name == name
            and (fact.site == site or not FACTS[name].sited)
            and self._holds(fact, since)
        ]
        if FACTS[name].lasting:
            latest = max((days(since) for since, _ in holding if since), default=None)
            holding = [
                (since, fact)
                for since, fact in holding
                if latest is None or (since and days(since) == latest)
            ]
        return tuple(fact for _, fact in holding)

    def _dated_facts(self) -> Iterator[tuple[str, Fact]]:
        """Yield every fact with the first day it held; empty for at every date."""
        for fact in self.case.facts:
            yield fact.date, fact
        for one in self.case.current():
            for fact in one.facts:
                yield fact.date or one.study_date, fact

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
            f"{_said(fact)} at {since}"
            for since, fact in self._dated_facts()
            if fact.name == name and since and fact not in here
        )

    # Truths ----------------------------------------------------------------------

    def truth(
        self,
        name: str = "",
        *,
        kinds: Collection[str] = (),
        sites: Collection[str] | None = None,
        site: str = "",
    ) -> Observed:
        """Return whether a fact holds, or a finding of some kinds is there.

        A reader's fact outranks what the findings say; where both speak and differ, the
        contradiction is named and the answer is unknown.

        Parameters
        ----------
        name : str
            Key of `osteotrace.codes.FACTS`, or empty.
        kinds, sites
            Findings that answer too, and where they must lie.
        site : str
            Bone that the fact is of, else empty.
        """
        stated = self._stated(name, site) if name else UNKNOWN
        seen = self._seen(kinds, sites) if kinds else UNKNOWN
        if stated.known and seen.known and stated.possible != seen.possible:
            self.conflicts.append(
                f"{name}: {'; '.join(stated.because)}, but {'; '.join(seen.because)}"
            )
            return Observed(possible=TRUTH, because=(*stated.because, *seen.because))
        if stated.known:
            return stated
        if seen.known:
            return seen
        basis = seen.basis if seen.because else stated.basis
        return Observed(
            possible=TRUTH, basis=basis, because=(*stated.because, *seen.because)
        )

    def _stated(self, name: str, site: str) -> Observed:
        facts = self.facts(name, site=site)
        because = tuple(map(_said, facts))
        values = {fact.value for fact in facts if isinstance(fact.value, bool)}
        if len(values) == 1:
            (basis,) = {fact.source for fact in facts[:1]}
            return Observed(possible=(values.pop(),), basis=basis, because=because)
        if values:
            self.conflicts.append(f"{name} is stated in two ways: {'; '.join(because)}")
        return Observed(possible=TRUTH, because=because)

    def _seen(self, kinds: Collection[str], sites: Collection[str] | None) -> Observed:
        present, absent, open_ = [], [], []
        proposed = False
        for assessment, finding in self.findings(kinds, sites=sites):
            words = _read(assessment, finding)
            if finding.presence == "unknown" or finding.certainty not in _COUNTS:
                open_.append(words)
            elif not assessment.reader:
                open_.append(f"{words}, proposed and not accepted by a reader")
                proposed = True
            elif finding.presence == "present":
                present.append(words)
            else:
                absent.append(words)
        # One lesion suffices: another of the kind looked for and absent is elsewhere.
        if present:
            return Observed(possible=(True,), basis="measured", because=tuple(present))
        if open_ or not absent:
            return Observed(
                possible=TRUTH,
                basis="proposed" if proposed else "unknown",
                because=tuple(open_ + absent),
            )
        return Observed(possible=(False,), basis="measured", because=tuple(absent))

    def any_of(self, parts: Iterable[Observed], whole: Observed = UNKNOWN) -> Observed:
        """Return whether any part holds; ``whole`` is a statement about all of them."""
        every = list(parts)
        true = [one for one in every if one.possible == (True,)]
        if true or whole.possible == (True,):
            because = [words for one in (*true, whole) for words in one.because]
            return Observed(possible=(True,), basis="entered", because=tuple(because))
        if whole.possible == (False,) or (
            every and all(one.possible == (False,) for one in every)
        ):
            because = [words for one in (*every, whole) for words in one.because]
            return Observed(possible=(False,), basis="entered", because=tuple(because))
        because = [words for one in (*every, whole) for words in one.because]
        return Observed(possible=TRUTH, because=tuple(because))

    # Numbers and choices ---------------------------------------------------------

    def number(self, name: str, *, site: str = "") -> Range | None:
        """Return a stated number in the first unit of its fact; None where unknown.

        Statements that differ are named as a contradiction, and span the range.
        """
        unit = FACTS[name].units[0]
        values = []
        facts = [fact for fact in self.facts(name, site=site) if fact.value is not None]
        for fact in facts:
            assert isinstance(fact.value, int | float)
            values.append(float(fact.value) * _FACTORS.get((fact.unit, unit), 1.0))
        if not values:
            return None
        because = tuple(map(_said, facts))
        if len(set(values)) > 1:
            self.conflicts.append(f"{name} is stated in two ways: {'; '.join(because)}")
        return Range(low=min(values), high=max(values), because=because)

    def holds(
        self, name: str, test: Callable[[float], bool], *, site: str = ""
    ) -> Observed:
        """Return whether a stated number passes a test that is monotonic."""
        stated = self.number(name, site=site)
        if stated is None:
            because = tuple(map(_said, self.facts(name, site=site)))
            return Observed(possible=TRUTH, because=because)
        answers = {test(stated.low), test(stated.high)}
        return Observed(
            possible=tuple(value for value in TRUTH if value in answers),
            basis="entered",
            because=stated.because,
        )

    def choice(self, name: str, *, site: str = "") -> Observed:
        """Return a stated choice; all choices where it is unknown."""
        facts = [fact for fact in self.facts(name, site=site) if fact.value is not None]
        because = tuple(map(_said, facts))
        stated = {fact.value for fact in facts}
        if not stated:
            return Observed(possible=FACTS[name].choices)
        if len(stated) > 1:
            self.conflicts.append(f"{name} is stated in two ways: {'; '.join(because)}")
        possible = tuple(value for value in FACTS[name].choices if value in stated)
        return Observed(possible=possible, basis="entered", because=because)

    # Drugs -----------------------------------------------------------------------

    def drugs(self, *, drug: str = "", drug_class: str = "") -> tuple[DrugCourse, ...]:
        """Return the courses of a drug or class that began by the date, each once.

        A course without dates may have begun at any time: it counts.
        """
        courses = [*self.case.drugs]
        for one in self.case.current():
            courses += one.drugs
        return tuple(
            course
            for course in dict.fromkeys(courses)
            if (not drug or course.drug == drug)
            and (not drug_class or DRUGS[course.drug] == drug_class)
            and (
                not course.first_dose
                or not_after(course.first_dose, self.date) is not False
            )
        )

    def drug_given(self, drug_class: str) -> Observed:
        """Return whether a drug of a class was given by the date."""
        stated = self._stated(f"drug_{drug_class.replace(' ', '_')}", "")
        courses = self.drugs(drug_class=drug_class)
        certain = [
            one
            for one in courses
            if not one.first_dose or not_after(one.first_dose, self.date)
        ]
        because = tuple(
            f"{one.drug}, {one.route}{_since(one)} ({one.author})" for one in courses
        )
        if certain and stated.possible != (False,):
            return Observed(possible=(True,), basis="entered", because=because)
        if courses and stated.possible == (False,):
            self.conflicts.append(
                f"drugs: {'; '.join(because)}, but {'; '.join(stated.because)}"
            )
            return Observed(possible=TRUTH, because=(*because, *stated.because))
        return stated

    def months_since(self, date: str) -> tuple[float, float]:
        """Return the fewest and most months from a date to the one that is staged."""
        return months_between(date, self.date)


def dates(case: Case) -> tuple[str, ...]:
    """Return the days at which something is stated or read, earliest first."""
    stated = [one.study_date for one in case.current()]
    parts = [case.facts, *(one.facts for one in case.current())]
    stated += [fact.date for facts in parts for fact in facts]
    exact = {text.split("T")[0] for text in stated}
    return tuple(sorted(text for text in exact if len(text) == len("2000-01-01")))


def _same_day(one: str, other: str) -> bool:
    return days(one) == days(other)


def _said(fact: Fact) -> str:
    words = {True: "yes", False: "no", None: "unknown"}
    value = (
        words[fact.value]
        if fact.value is None or isinstance(fact.value, bool)
        else f"{fact.value:g} {fact.unit}".removesuffix(" 1")
        if isinstance(fact.value, int | float)
        else fact.value
    )
    about = "about " if fact.approximate else ""
    when = f", {about}{fact.date}" if fact.date else ""
    note = f": {fact.note}" if fact.note else ""
    who = f" ({fact.author}{when})" if fact.author or when else ""
    return f"{fact.name} {value}{note}{who}"


def _read(assessment: Assessment, finding: Finding) -> str:
    sure = "" if finding.certainty == "definite" else f", {finding.certainty}"
    who = assessment.reader or "no reader"
    return (
        f"{finding.label} {finding.kind} {finding.presence}{sure} "
        f"({who}, {assessment.study_date})"
    )


def _since(course: DrugCourse) -> str:
    ends = " to ".join(filter(None, (course.first_dose, course.last_dose)))
    return f" {ends}" if ends else ""
