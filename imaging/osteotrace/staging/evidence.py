"""What is known of a case at one date: facts, courses of drugs and findings.

Absence of a statement is unknown, never no. A finding answers for its kind only where a
named reader answers for the reading; else it is a proposal and stays unknown. Statements
that contradict each other count as unknown, and the contradiction is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS
from osteotrace.codes.facts import HISTORY, JAW, PAIN
from osteotrace.findings.dates import DAYS_A_MONTH, DAYS_A_WEEK
from osteotrace.staging import sentences
from osteotrace.staging.rule_table import TRUTH, UNKNOWN, Observed
from osteotrace.staging.statements import Statements

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from osteotrace.findings import Assessment, Case, Fact, Finding

# A number in a unit, times this, is the number in the first unit of its fact.
_FACTORS: Final = {
    ("d", "wk"): 1 / DAYS_A_WEEK,
    ("mo", "wk"): DAYS_A_MONTH / DAYS_A_WEEK,
    ("mg/L", "mg/dL"): 0.1,
    ("cm", "mm"): 10.0,
}
# Certainties with which a finding counts; a possible one is a suspicion.
_COUNTS: Final = ("definite", "probable")
# What no image shows: a value measured on one is no answer here.
_ONLY_STATED: Final = (HISTORY, JAW, PAIN)


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
        unknown.

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
        return self.agreed(name or " or ".join(kinds), stated, self._seen(tuple(found)))

    def agreed(self, name: str, *answers: Observed) -> Observed:
        """Return what several answers to one question agree on.

        Where they differ, or one contradicts itself, the answer is unknown.
        """
        known = [one for one in answers if one.known]
        because = tuple(words for one in answers for words in one.because)
        if len({one.possible for one in known}) > 1:
            sides = ("; ".join(one.because) for one in known)
            self.conflicts.append(f"{name}: {', but '.join(sides)}")
            return Observed(possible=TRUTH, because=because, contradicted=True)
        if any(one.contradicted for one in answers):
            return Observed(possible=TRUTH, because=because, contradicted=True)
        if known:
            because = tuple(words for one in known for words in one.because)
            return Observed(
                possible=known[0].possible, basis=known[0].basis, because=because
            )
        return _unknown(answers)

    def _stated(self, name: str, site: str, laterality: str | None = None) -> Observed:
        """Return what facts say: it holds where it holds at any place and side."""
        facts = self.facts(name, site=site, laterality=laterality)
        because = tuple(sentences.said(fact) for fact in facts)
        counting = [fact for fact in facts if _counts(fact)]
        places: dict[tuple[str, str], set[bool]] = {}
        for fact in counting:
            values = places.setdefault((fact.site, fact.laterality), set())
            if isinstance(fact.value, bool):
                values.add(fact.value)
        differing = [place for place, values in places.items() if len(values) > 1]
        for place in differing:
            here = [
                sentences.said(fact)
                for fact in counting
                if (fact.site, fact.laterality) == place and fact.value is not None
            ]
            self.conflicts.append(f"{name} is stated in two ways: {'; '.join(here)}")
        if {True} in places.values():
            because = tuple(
                sentences.said(fact) for fact in counting if fact.value is True
            )
            basis = next(fact.source for fact in counting if fact.value is True)
            return Observed(possible=(True,), basis=basis, because=because)
        if places and all(values == {False} for values in places.values()):
            because = tuple(
                sentences.said(fact) for fact in counting if fact.value is False
            )
            return Observed(possible=(False,), basis=counting[0].source, because=because)
        is_proposed = len(counting) < len(facts)
        return Observed(
            possible=TRUTH,
            basis="proposed" if is_proposed else "unknown",
            because=because,
            contradicted=bool(differing),
        )

    def _seen(self, found: Sequence[tuple[Assessment, Finding]]) -> Observed:
        present, absent, open_ = [], [], []
        proposed = False
        for assessment, finding in found:
            words = sentences.read(assessment, finding)
            if finding.presence == "unknown" or finding.certainty not in _COUNTS:
                open_.append(words)
            elif not assessment.reader.strip():
                open_.append(f"{words}, proposed and not accepted by a reader")
                proposed = True
            elif finding.presence == "present":
                present.append((assessment, finding))
            else:
                absent.append((assessment, finding))
        disputed = [one for one in present if any(_differs(one, no) for no in absent)]
        denied = [no for no in absent if any(_differs(one, no) for one in present)]
        if disputed:
            pairs = "; ".join(sentences.read(*one) for one in (*disputed, *denied))
            self.conflicts.append(f"readers of one study differ: {pairs}")
        # One lesion suffices: another of the kind looked for and absent is elsewhere.
        accepted = tuple(sentences.read(*one) for one in present if one not in disputed)
        if accepted:
            return Observed(possible=(True,), basis="measured", because=accepted)
        looked_for = tuple(sentences.read(*one) for one in absent)
        if disputed or open_ or not absent:
            because = (*open_, *(sentences.read(*one) for one in disputed), *looked_for)
            return Observed(
                possible=TRUTH,
                basis="proposed" if proposed else "unknown",
                because=because,
                contradicted=bool(disputed),
            )
        return Observed(possible=(False,), basis="measured", because=looked_for)

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
        """Return the facts of a name that answer it."""
        facts = self.facts(name, site=site, laterality=laterality)
        return [fact for fact in facts if fact.value is not None and _counts(fact)]

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
            self.conflicts.append(f"{name} is stated in two ways: {'; '.join(because)}")
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
        answers = {test(stated.low), test(stated.high)}
        return Observed(
            possible=tuple(value for value in TRUTH if value in answers),
            basis="entered",
            because=stated.because,
        )

    def choice(
        self, name: str, *, site: str = "", laterality: str | None = None
    ) -> Observed:
        """Return a stated choice; all choices where it is unknown."""
        facts = self._values(name, site, laterality)
        because = tuple(map(sentences.said, facts))
        stated = {fact.value for fact in facts}
        if not stated:
            return Observed(possible=FACTS[name].choices)
        if len(stated) > 1:
            self.conflicts.append(f"{name} is stated in two ways: {'; '.join(because)}")
        possible = tuple(value for value in FACTS[name].choices if value in stated)
        return Observed(possible=possible, basis=facts[0].source, because=because)

    # Drugs -----------------------------------------------------------------------

    def drug_given(self, drug_class: str) -> Observed:
        """Return whether a drug of a class was given by the date."""
        name = f"drug_{drug_class.replace(' ', '_')}"
        stated = self._stated(name, "") if name in FACTS else UNKNOWN
        courses = self.drugs(drug_class=drug_class)
        because = tuple(map(sentences.given, courses))
        if not any(self.begun(one) for one in courses):
            return replace(stated, because=(*stated.because, *because))
        given = Observed(possible=(True,), basis="entered", because=because)
        return self.agreed("drugs", given, stated)


def dates(case: Case) -> tuple[str, ...]:
    """Return the days at which something is stated or read, earliest first."""
    stated = [one.study_date for one in case.current()]
    parts = [case.facts, *(one.facts for one in case.current())]
    stated += [fact.date for facts in parts for fact in facts]
    exact = {text.split("T")[0] for text in stated}
    return tuple(sorted(text for text in exact if len(text) == len("2000-01-01")))


def _counts(fact: Fact) -> bool:
    """Tell whether a person answers for a fact, not images by themselves."""
    if fact.source == "entered":
        return True
    if fact.source == "measured" and FACTS[fact.name].group in _ONLY_STATED:
        return False
    return bool(fact.author.strip())


def _joined(value: bool, answers: Sequence[Observed]) -> Observed:
    bases = {one.basis for one in answers}
    return Observed(
        possible=(value,),
        basis=bases.pop() if len(bases) == 1 else "derived",
        because=tuple(words for one in answers for words in one.because),
    )


def _unknown(answers: Iterable[Observed]) -> Observed:
    every = list(answers)
    is_proposed = any(one.basis == "proposed" for one in every)
    return Observed(
        possible=TRUTH,
        basis="proposed" if is_proposed else "unknown",
        because=tuple(words for one in every for words in one.because),
        contradicted=any(one.contradicted for one in every),
    )


def _differs(one: tuple[Assessment, Finding], other: tuple[Assessment, Finding]) -> bool:
    """Tell whether two readers of one study say different things of one place."""
    (reading, finding), (second, denied) = one, other
    return (
        reading.study_uid == second.study_uid
        and reading.reader != second.reader
        and (finding.kind, finding.site, finding.laterality)
        == (denied.kind, denied.site, denied.laterality)
    )
