"""What stages lack, as questions that a form can ask, the most decisive first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.codes import FACTS, KINDS
from osteotrace.codes.facts import AESTHETICS, FUNCTION, PAIN, Answer
from osteotrace.findings import Fact, StagingResult
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.reports.criterion_words import in_words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from osteotrace.findings import Case, Question
    from osteotrace.session.statements import Statements

# System and bone of a stage.
Staged = tuple[str, str]
# What the functional-aesthetic profile is made of.
PROFILE_GROUPS: Final = (FUNCTION, AESTHETICS, PAIN)


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True):
    """One fact as a form asks for it; unknown is an answer to every one.

    Parameters
    ----------
    name : str
        Key of `osteotrace.codes.FACTS`.
    question : str
        In words.
    answer : str
        ``truth`` (yes or no), ``number``, ``choice`` or ``text``.
    units : tuple of str
        UCUM units of a number, the usual first; ``"1"`` alone for one without unit.
    unit_stated : bool
        True where the unit has to be chosen.
    choices : tuple of str
        Of a choice, in order.
    limits : str
        Of a number, in words.
    site : str
        The bone that is meant, or empty.
    group : str
        Heading that it is listed under.
    stated : Fact or None
        What holds at the date already, the latest statement.
    """

    name: str
    question: str
    answer: Answer
    units: tuple[str, ...] = ()
    unit_stated: bool = False
    choices: tuple[str, ...] = ()
    limits: str = ""
    site: str = ""
    group: str = ""
    stated: Fact | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An unknown that keeps stages apart, and what would answer it.

    Parameters
    ----------
    criterion : str
        As the stages name it, with a bone before it where it is of one.
    words : str
        What it is called.
    text : str
        The question.
    site : str
        The bone that is meant, or empty.
    forms : tuple of AnswerForm
        Facts that would answer it, the plainest first; none where only images do.
    kinds : tuple of str
        Words of the kinds of finding that would answer it, present or absent.
    stages : tuple of (system, site)
        The stages that it blocks.
    first : int
        How many of them would ask it before anything else.
    """

    criterion: str
    words: str
    text: str
    site: str = ""
    forms: tuple[AnswerForm, ...] = ()
    kinds: tuple[str, ...] = ()
    stages: tuple[Staged, ...] = ()
    first: int = 0


def form(name: str, *, site: str = "", stated: Fact | None = None) -> AnswerForm:
    """Return a fact of `osteotrace.codes.FACTS` as a form asks for it."""
    fact = FACTS[name]
    return AnswerForm(
        name=name,
        question=fact.question,
        answer=fact.answer,
        units=fact.units,
        unit_stated=fact.unit_stated,
        choices=fact.choices,
        limits=fact.limits,
        site=site if fact.sited else "",
        group=fact.group,
        stated=stated,
    )


def questions(
    results: Iterable[StagingResult], case: Case | None = None
) -> dict[Staged, tuple[Asked, ...]]:
    """Return what each stage lacks, the most decisive first.

    First stands what the stage itself asks first, then what blocks most of the stages.

    Parameters
    ----------
    results : iterable of StagingResult
        Stages of one date.
    case : Case, optional
        For what is stated already.
    """
    every = list(results)
    merged = {one.criterion: one for one in decisive(every, case)}
    order = {criterion: place for place, criterion in enumerate(merged)}
    found = {}
    for result in every:
        first = result.ask.criterion if result.ask else ""
        wanted = dict.fromkeys([first, *(q.criterion for q in result.blocking)])
        wanted.pop("", None)
        rest = sorted((one for one in wanted if one != first), key=order.__getitem__)
        named = ([first] if first else []) + rest
        found[result.system, result.site] = tuple(merged[name] for name in named)
    return found


def decisive(
    results: Iterable[StagingResult], case: Case | None = None
) -> tuple[Asked, ...]:
    """Return the questions of all stages, each once, the most decisive first.

    One that more stages ask before anything else goes first, then one that blocks more
    of them, then as the systems list them.
    """
    every = list(results)
    blocked: dict[str, list[tuple[Question, Staged]]] = {}
    for result in every:
        asked = (*result.blocking, *([result.ask] if result.ask else []))
        for question in dict.fromkeys(asked):
            of = (question, (result.system, result.site))
            blocked.setdefault(question.criterion, []).append(of)
    first = [one.ask.criterion for one in every if one.ask is not None]
    held = _held(every, case)
    merged = [
        _asked(asks, first.count(criterion), held) for criterion, asks in blocked.items()
    ]
    return tuple(sorted(merged, key=lambda one: (-one.first, -len(one.stages))))


def profile(case: Case | None = None, date: str = "") -> tuple[AnswerForm, ...]:
    """Return the facts of the functional-aesthetic profile, with what is stated."""
    held = _Held(case, date)
    return tuple(
        form(name, stated=held.fact(name))
        for group in PROFILE_GROUPS
        for name, fact in FACTS.items()
        if fact.group == group
    )


class _Held:
    """What is stated of a case at a date."""

    def __init__(self, case: Case | None, date: str) -> None:
        from osteotrace.staging import Evidence

        self._evidence = Evidence(case, date) if case is not None and date else None

    def fact(self, name: str, site: str = "") -> Fact | None:
        """Return the latest statement of a fact that holds at the date."""
        if self._evidence is None:
            return None
        found = self._evidence.facts(name, site=site)
        return max(found, key=lambda one: one.recorded, default=None)


def _held(results: Sequence[StagingResult], case: Case | None) -> _Held:
    return _Held(case, results[0].date if results else "")


def _asked(asks: Sequence[tuple[Question, Staged]], first: int, held: _Held) -> Asked:
    """Return one question of several stages; their facts and kinds together."""
    question = asks[0][0]
    named = dict.fromkeys(name for one, _ in asks for name in one.facts)
    facts = sorted(named, key=lambda name: not _is_plain(name, question))
    kinds = dict.fromkeys(kind for one, _ in asks for kind in one.kinds)
    return Asked(
        criterion=question.criterion,
        words=words_of(question.criterion),
        text=question.text,
        site=question.site,
        forms=tuple(
            form(name, site=question.site, stated=held.fact(name, question.site))
            for name in facts
        ),
        kinds=tuple(KINDS[kind].meaning for kind in kinds),
        stages=tuple(dict.fromkeys(staged for _, staged in asks)),
        first=first,
    )


def _is_plain(name: str, question: Question) -> bool:
    """Tell whether a fact asks what a criterion asks, not a part of it."""
    criterion = question.criterion.rpartition(".")[2]
    return name in criterion or FACTS[name].question == question.text


def by_group(forms: Iterable[AnswerForm]) -> Mapping[str, tuple[AnswerForm, ...]]:
    """Return forms below the headings that they are listed under, in order."""
    groups: dict[str, list[AnswerForm]] = {}
    for one in forms:
        groups.setdefault(one.group, []).append(one)
    return {group: tuple(ones) for group, ones in groups.items()}


class StageSheet(msgspec.Struct, frozen=True, kw_only=True):
    """The stages of a reading with everything that a form beside them shows.

    Parameters
    ----------
    date : str
        The day that is staged; empty where the study has none.
    results : tuple of StagingResult
        In the order of the systems.
    asked : mapping of (system, site) to tuple of Asked
        What each stage lacks, the most decisive first.
    first : tuple of Asked
        What all of them lack, likewise.
    profile : tuple of AnswerForm
        The facts of the functional-aesthetic profile.
    stated : CaseFacts
        What the reading itself states.
    checks : tuple of str
        Contradictions of what is stated, and what to look at again.
    not_counted : str
        What the stages leave out, in a sentence; or empty.
    """

    date: str
    results: tuple[StagingResult, ...] = ()
    asked: dict[Staged, tuple[Asked, ...]] = {}
    first: tuple[Asked, ...] = ()
    profile: tuple[AnswerForm, ...] = ()
    stated: CaseFacts = CaseFacts()
    checks: tuple[str, ...] = ()
    not_counted: str = ""


def stage_sheet(statements: Statements) -> StageSheet:
    """Return the stages of a session's reading as a form shows them."""
    from osteotrace.staging.contradictions import contradictions
    from osteotrace.staging.notices import notices

    results, case = statements.stagings(), statements.case()
    date = statements.study_date
    checks = [f"check: {one}" for one in contradictions(case)]
    checks += [f"notice: {one}" for one in notices(case, date)] if date else []
    return StageSheet(
        date=date,
        results=results,
        asked=questions(results, case),
        first=decisive(results, case),
        profile=profile(case, date),
        stated=statements.stated,
        checks=tuple(in_words(one) for one in checks),
        not_counted=statements.not_counted,
    )
