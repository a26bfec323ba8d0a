"""What is known of a case at one date: facts, courses of drugs and findings.

Absence of a statement is unknown, never no. A finding answers for its kind only where a
named reader answers for the reading; else it is a proposal and stays unknown. Statements
that contradict each other count as unknown, and the contradiction is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS
from osteotrace.findings.dates import DAYS_A_MONTH, DAYS_A_WEEK, days
from osteotrace.staging import answers, sentences
from osteotrace.staging.rule_table import TRUTH, UNKNOWN, Observed
from osteotrace.staging.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from osteotrace.findings import Case, DrugCourse, Fact, Finding

# A number in a unit, times this, is the number in the first unit of its fact.
_FACTORS: Final = {
    ("d", "wk"): 1 / DAYS_A_WEEK,
    ("mo", "wk"): DAYS_A_MONTH / DAYS_A_WEEK,
    ("mg/L", "mg/dL"): 0.1,
    ("cm", "mm"): 10.0,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The numbers that a stated quantity may be, with who said so."""

    low: float
    high: float
    because: tuple[str, ...]


class Evidence(Statements):
    """What is known of a case at a date: three-valued answers, each with its reasons."""

    # Truths ----------------------------------------------------------------------

    def truth(
        self,
        name: str = "",
        *,
        kinds: Collection[str] = (),
        sites: Collection[str] | None = None,
        site: str = "",
        laterality: str | None = None,
        where: Callable[[Finding], bool] | None = None,
    ) -> Observed:
        """Return whether a fact holds, or a finding of some kinds is there.

        Where a fact and the findings differ, the contradiction is named and the answer is
        unknown. Findings answer no only where nothing that is asked was left out.

        Parameters
        ----------
        name : str
            Key of `osteotrace.codes.FACTS`, or empty.
        kinds, sites, where
            Findings that answer too, where they must lie, and what else is asked of them.
        site : str
            Bone that the fact is of, else empty.
        laterality : str, optional
            Side of the fact and of the findings; by default any.
        """
        stated = self._stated(name, site, laterality) if name else UNKNOWN
        if not kinds:
            return stated
        found = self.findings(kinds, sites=sites, laterality=laterality, where=where)
        seen, conflicts = answers.seen(
            tuple(found), self.is_of_the_day, sites=sites, laterality=laterality
        )
        self.conflicts.extend(conflicts)
        return self.agreed(name or " or ".join(kinds), stated, seen)

    def agreed(self, name: str, *given: Observed) -> Observed:
        """Return what several answers to one question agree on.

        Where they differ, or one contradicts itself, the answer is unknown.
        """
        known = [one for one in given if one.known]
        because = tuple(words for one in given for words in one.because)
        if len({one.possible for one in known}) > 1:
            sides = ("; ".join(one.because) for one in known)
            self.conflicts.append(f"{name}: {', but '.join(sides)}")
            return Observed(possible=TRUTH, because=because, contradicted=True)
        if any(one.contradicted for one in given):
            return Observed(possible=TRUTH, because=because, contradicted=True)
        if known:
            because = tuple(words for one in known for words in one.because)
            return Observed(
                possible=known[0].possible, basis=known[0].basis, because=because
            )
        return _unknown(given)

    def _stated(self, name: str, site: str, laterality: str | None = None) -> Observed:
        facts = self.facts(name, site=site, laterality=laterality)
        answer, conflicts = answers.stated_truth(
            facts, self.holds_on_date, laterality=laterality
        )
        self.conflicts.extend(conflicts)
        return answer

    def any_of(
        self,
        parts: Iterable[Observed],
        whole: Observed = UNKNOWN,
        *,
        complete: bool = True,
    ) -> Observed:
        """Return whether any part holds.

        Parameters
        ----------
        parts : iterable of Observed
            Each of them.
        whole : Observed
            A statement about all of them. That none holds, where one does, is named as a
            contradiction and unknown.
        complete : bool, default True
            Whether there is nothing beside the parts: then none holds if each does not.
        """
        every = list(parts)
        true = [one for one in every if one.possible == (True,)]
        if true and whole.possible == (False,):
            words = "; ".join(words for one in true for words in one.because)
            self.conflicts.append(f"{'; '.join(whole.because)}, but {words}")
            because = tuple(words for one in (*true, whole) for words in one.because)
            return Observed(possible=TRUTH, because=because, contradicted=True)
        if true or whole.possible == (True,):
            return _joined(True, [*true, *([whole] if whole.known else [])])
        if whole.possible == (False,):
            return _joined(False, [whole])
        none = all(one.possible == (False,) for one in every)
        if complete and every and none and not whole.contradicted:
            return _joined(False, every)
        return _unknown([*every, whole])

    # Numbers and choices ---------------------------------------------------------

    def _values(self, name: str, site: str, laterality: str | None = None) -> list[Fact]:
        """Return the facts of a name that answer it; name those that differ."""
        facts = [
            fact
            for fact in self.facts(name, site=site, laterality=laterality)
            if fact.value is not None and answers.counts(fact)
        ]
        open_ = [fact for fact in facts if not self.holds_on_date(fact)]
        differing = answers.differing_of_one_time(open_)
        if differing:
            self.conflicts.append(differing)
        return [fact for fact in facts if fact not in open_]

    def number(
        self, name: str, *, site: str = "", laterality: str | None = None
    ) -> Range | None:
        """Return a stated number in the first unit of its fact; None where unknown.

        Statements that differ are named as a contradiction, and span the range.
        """
        unit = FACTS[name].units[0]
        facts = self._values(name, site, laterality)
        values = [
            float(fact.value) * _FACTORS.get((fact.unit, unit), 1.0)
            for fact in facts
            if isinstance(fact.value, int | float)
        ]
        if not values:
            return None
        because = tuple(map(sentences.said, facts))
        if len(set(values)) > 1:
            self.conflicts.append(answers.two_ways(facts))
        return Range(low=min(values), high=max(values), because=because)

    def holds(
        self,
        name: str,
        test: Callable[[float], bool],
        *,
        site: str = "",
        laterality: str | None = None,
    ) -> Observed:
        """Return whether a stated number passes a test that is monotonic."""
        stated = self.number(name, site=site, laterality=laterality)
        if stated is None:
            said = self.facts(name, site=site, laterality=laterality)
            because = tuple(map(sentences.said, said))
            return Observed(possible=TRUTH, because=because)
        passed = {test(stated.low), test(stated.high)}
        return Observed(
            possible=tuple(value for value in TRUTH if value in passed),
            basis="entered",
            because=stated.because,
        )

    def choice(
        self, name: str, *, site: str = "", laterality: str | None = None
    ) -> Observed:
        """Return a stated choice; all choices where it is unknown."""
        facts = self._values(name, site, laterality)
        stated = {fact.value for fact in facts}
        if not stated:
            maybe = self.facts(name, site=site, laterality=laterality)
            because = tuple(sentences.said(one) for one in maybe if one.value is not None)
            return Observed(possible=FACTS[name].choices, because=because)
        because = tuple(map(sentences.said, facts))
        if len(stated) > 1:
            self.conflicts.append(answers.two_ways(facts))
        possible = tuple(value for value in FACTS[name].choices if value in stated)
        return Observed(possible=possible, basis=facts[0].source, because=because)

    # Drugs -----------------------------------------------------------------------

    def drug_given(self, drug_class: str) -> Observed:
        """Return whether a drug of a class was given by the date."""
        name = f"drug_{drug_class.replace(' ', '_')}"
        stated = self._stated(name, "") if name in FACTS else UNKNOWN
        courses = self.drugs(drug_class=drug_class)
        because = tuple(map(_given, courses))
        begun = [one for one in courses if self.begun(one)]
        if not begun:
            return replace(stated, because=(*stated.because, *because))
        given = Observed(possible=(True,), basis="entered", because=because)
        if stated.possible == (False,) and self._denied_before(name, begun):
            return given
        return self.agreed("drugs", given, stated)

    def _denied_before(self, name: str, courses: Iterable[DrugCourse]) -> bool:
        """Tell whether a drug was denied before the first dose alone, not after it."""
        denied = [fact.date for fact in self._values(name, "") if fact.value is False]
        first = [one.first_dose for one in courses]
        return all(denied) and any(
            dose and all(days(date)[1] < days(dose)[0] for date in denied)
            for dose in first
        )


def _given(course: DrugCourse) -> str:
    """Return a course in words, with what is assumed where it has no date."""
    words = sentences.given(course)
    if course.first_dose or course.last_dose:
        return words
    return f"{words}: dates not stated, taken as given at any date"


def dates(case: Case) -> tuple[str, ...]:
    """Return the days at which something is stated or read, earliest first."""
    stated = [one.study_date for one in case.current()]
    parts = [case.facts, *(one.facts for one in case.current())]
    stated += [fact.date for facts in parts for fact in facts]
    exact = {text.split("T")[0] for text in stated}
    return tuple(sorted(text for text in exact if len(text) == len("2000-01-01")))


def _joined(value: bool, parts: Sequence[Observed]) -> Observed:
    bases = {one.basis for one in parts}
    return Observed(
        possible=(value,),
        basis=bases.pop() if len(bases) == 1 else "derived",
        because=tuple(words for one in parts for words in one.because),
    )


def _unknown(parts: Iterable[Observed]) -> Observed:
    every = list(parts)
    is_proposed = any(one.basis == "proposed" for one in every)
    return Observed(
        possible=TRUTH,
        basis="proposed" if is_proposed else "unknown",
        because=tuple(words for one in every for words in one.because),
        contradicted=any(one.contradicted for one in every),
    )
