"""What the reader states of the patient, and the stages that follow from the reading.

Facts, courses of drugs and stages set by the reader are commands of the session: undone
and journaled as any other. Stages are those of ``osteotrace stage``: of the accepted
findings, what is stated, and the patient's other records.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace.codes import FACTS, ROUTES, STAGINGS, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.findings import (
    Case,
    DrugCourse,
    Fact,
    check_drug,
    check_fact,
    overridden,
)
from osteotrace.reading.case_facts import CaseFacts, StatedOverride
from osteotrace.session.changes import StatementsChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from osteotrace.findings import Assessment, Laterality, StagingResult
    from osteotrace.session.changes import Held
    from osteotrace.session.session import Session

# What holds at every date: stated without one where none is given.
_CONSTANT: Final = ("sex",)
_STUDY_DATE: Final = "of the study"


class Statements:
    """Facts, drugs, set stages and stages of the reading that a session holds.

    Parameters
    ----------
    session : Session
        Whose draft is changed.
    now : callable
        Returns the present time with its zone.
    others : callable, optional
        Returns the saved readings that are staged beside this one; those of other
        patients are left out. By default none.
    """

    def __init__(
        self,
        session: Session,
        now: Callable[[], datetime],
        others: Callable[[], Iterable[Assessment]] = tuple,
    ) -> None:
        self._session = session
        self._now = now
        self._others = others
        self._staged: tuple[tuple[object, ...], tuple[StagingResult, ...]] | None = None

    @property
    def stated(self) -> CaseFacts:
        """Everything that is stated of the patient at this reading."""
        return self._session.draft.statements

    @property
    def study_date(self) -> str:
        """The day that is staged; empty where the study names none."""
        start = self._session.draft.start
        return "" if start is None else start.study_date

    # Facts -----------------------------------------------------------------------

    def state(
        self,
        name: str,
        value: bool | float | str | None,
        *,
        unit: str = "",
        site: str = "",
        laterality: Laterality = "",
        date: str = _STUDY_DATE,
        until: str = "",
        approximate: bool = False,
        note: str = "",
    ) -> Fact:
        """State a fact as the reader; stated anew, it takes the place of the old.

        Parameters
        ----------
        name : str
            Key of `osteotrace.codes.FACTS`.
        value : bool, float, str or None
            None is unknown: asked, and not known.
        unit : str
            Of a number; the fact's own where empty and only one can be meant.
        date : str, optional
            When it held; by default the day of the study, and for what never changes
            every date.
        site, laterality, until, approximate, note
            As in `osteotrace.findings.Fact`.

        Raises
        ------
        OsteotraceError
            If no reader is named, or its definition does not allow it.
        """
        definition = look_up(FACTS, name, "clinical fact")
        # True and false are numbers to Python, and no answer to a number or a choice.
        if isinstance(value, int | float) and not isinstance(value, bool):
            as_choice = definition.answer == "choice"
            value = f"{value:g}" if as_choice else float(value)
        if definition.answer == "number" and value is not None and not unit:
            unit = "" if definition.unit_stated else definition.units[0]
        if date == _STUDY_DATE:
            date = "" if name in _CONSTANT else self.study_date
        with _finite():
            fact = Fact(
                name=name,
                value=value,
                source="entered",
                author=self._author(),
                recorded=self._time(),
                unit=unit,
                date=date,
                until=until,
                approximate=approximate,
                site=site,
                laterality=laterality,
                note=note,
            )
        check_fact(fact)
        if definition.sited and not definition.site_optional and not site:
            raise OsteotraceError(
                f"{name} of no bone",
                expected="the vertebra or bone that it is of",
                advice="give its site, such as l2",
                usage=True,
            )
        kept = tuple(one for one in self.stated.facts if one.subject != fact.subject)
        self._become(f"{_of(fact)} stated", facts=(*kept, fact))
        return fact

    def retract(self, fact: Fact) -> None:
        """Take a statement out of the reading; `undo` brings it back."""
        kept = _without(self.stated.facts, fact, "fact")
        self._become(f"{_of(fact)} no longer stated", facts=kept)

    # Drugs -----------------------------------------------------------------------

    def add_drug(self, drug: str, *, route: str = "unknown", **told: Any) -> DrugCourse:
        """State a course of a drug as the reader.

        Parameters
        ----------
        drug, route : str
            Keys of `osteotrace.codes.DRUGS` and ``ROUTES``.
        **told
            Dates, doses and notes as in `osteotrace.findings.DrugCourse`.

        Raises
        ------
        OsteotraceError
            If no reader is named, the drug or route is not known, or dates are out of
            order.
        """
        with _finite():
            course = DrugCourse(
                drug=drug,
                route=look_up(ROUTES, route, "route") and route,
                author=self._author(),
                recorded=self._time(),
                **told,
            )
        check_drug(course)
        self._become(f"{drug} stated", drugs=(*self.stated.drugs, course))
        return course

    def remove_drug(self, course: DrugCourse) -> None:
        """Take a course of a drug out of the reading; `undo` brings it back."""
        kept = _without(self.stated.drugs, course, "course of a drug")
        self._become(f"{course.drug} no longer stated", drugs=kept)

    # Stages ------------------------------------------------------------------------

    def override(self, system: str, stage: str, reason: str, *, site: str = "") -> None:
        """Set a stage beside the computed one, with the reason.

        Raises
        ------
        OsteotraceError
            If the system is not staged here, the stage is none of its own, or the
            reason or the reader is missing.
        """
        found = [
            one for one in self.stagings() if (one.system, one.site) == (system, site)
        ]
        if not found:
            raise OsteotraceError(
                f"a stage for {system} {site}".rstrip() + ", which is not staged here",
                expected="a system with a stage at the study's date",
                advice="choose one of the stages that are shown",
                usage=True,
            )
        told = overridden(
            found[0], stage, reason=reason, author=self._author(), recorded=self._time()
        )
        assert told.override is not None
        mine = StatedOverride(
            system=system,
            site=site,
            stage=stage,
            reason=told.override.reason,
            author=told.override.author,
            recorded=told.override.recorded,
            date=self.study_date,
        )
        self._become(
            f"{STAGINGS[system].meaning} set to {stage}",
            overrides=(*self._others_than(system, site), mine),
        )

    def withdraw(self, system: str, *, site: str = "") -> None:
        """Leave a stage as it is computed again."""
        self._become(
            f"{STAGINGS[system].meaning} as computed again",
            overrides=self._others_than(system, site),
        )

    def _others_than(self, system: str, site: str) -> tuple[StatedOverride, ...]:
        return tuple(
            one
            for one in self.stated.overrides
            if (one.system, one.site) != (system, site)
        )

    def stagings(self) -> tuple[StagingResult, ...]:
        """Return every system's stage at the date of the study, lowest to highest.

        Empty where nothing that is staged is known, or the study has no date.
        """
        draft, others = self._session.draft, tuple(self._others())
        whole = draft.assessment(accepted_only=True)
        if whole is None or not whole.study_date:
            return ()
        # Records are never changed in place: the same ones give the same stages.
        state = (draft.held, draft.statements, draft.predecessor_uid, *others)
        if self._staged is None or not is_same(self._staged[0], state):
            self._staged = state, self.staged(whole, others).stagings
        return self._staged[1]

    def staged(
        self, reading: Assessment, others: Iterable[Assessment] | None = None
    ) -> Assessment:
        """Return a reading of this study with what is stated, and its stages, within it.

        Parameters
        ----------
        reading : Assessment
            What is accepted; its own facts and drugs are those that are stated.
        others : iterable of Assessment, optional
            By default the saved readings.
        """
        from osteotrace.reading import cases

        bare = msgspec.structs.replace(reading, facts=(), drugs=(), stagings=())
        every = self._others() if others is None else others
        # A save that was interrupted left this very reading there.
        uid = reading.assessment_uid
        beside = tuple(one for one in every if one.assessment_uid != uid)
        plain = msgspec.structs.replace(self.stated, overrides=())
        whole = cases.staged(bare, plain, beside)
        # One whose finding is gone, or of another day, waits for it to come back.
        set_here = tuple(map(self._as_set, whole.stagings))
        if set_here == whole.stagings:
            return whole
        # A profile tells the stages that are set: it is staged with them in the record.
        return cases.staged(
            msgspec.structs.replace(bare, stagings=set_here), plain, beside
        )

    def _as_set(self, result: StagingResult) -> StagingResult:
        """Return a result with the stage that is set for it, as it is where none is."""
        place = (result.system, result.site, result.date)
        for one in self.stated.overrides:
            if (one.system, one.site, one.date) == place:
                return overridden(
                    result,
                    one.stage,
                    reason=one.reason,
                    author=one.author,
                    recorded=one.recorded,
                )
        return result

    def case(self) -> Case:
        """Return the patient as staged: what is accepted here, and the saved readings."""
        own = self._session.draft.assessment(accepted_only=True)
        if own is None:
            return Case(patient="")
        beside = (
            one
            for one in self._others()
            if one.patient == own.patient and one.assessment_uid != own.assessment_uid
        )
        return Case(patient=own.patient, assessments=(*beside, own))

    @property
    def not_counted(self) -> str:
        """What the stages leave out, in a sentence; empty where they count everything."""
        waiting = _leaders(one for one in self._session.draft.held if not one.accepted)
        if self._session.draft.start is None:
            return ""
        if not self.study_date:
            return "The study has no date: no stage is computed."
        if not waiting:
            return ""
        one = len(waiting) == 1
        return (
            f"{len(waiting)} draft{'' if one else 's'} ({', '.join(waiting)}) "
            f"{'does' if one else 'do'} not count for the stages until accepted."
        )

    # The draft -----------------------------------------------------------------------

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")

    def _author(self) -> str:
        reader = self._session.reader.strip()
        if reader:
            return reader
        raise OsteotraceError(
            "a statement of nobody",
            expected="the name of the reader: it is kept with what is stated",
            advice="name the reader first",
            usage=True,
        )

    def _become(self, what: str, **parts: Any) -> None:
        before = self.stated
        after = msgspec.structs.replace(before, **parts)
        if after != before:
            self._session.commit(what, StatementsChange(before=before, after=after))


@contextmanager
def _finite() -> Iterator[None]:
    """Turn the refusal of a number that is none into words for the reader."""
    try:
        yield
    except ValueError as problem:
        raise OsteotraceError(
            str(problem), expected="a number", advice="state another one", usage=True
        ) from problem


def _of(fact: Fact) -> str:
    """Return what a fact is of, in words, with its answer."""
    from osteotrace.reports.criterion_words import words_of
    from osteotrace.staging.sentences import answer

    key = f"{fact.site}.{fact.name}" if fact.site else fact.name
    return f"{words_of(key)} {answer(fact)}"


def _without(every: tuple[Any, ...], gone: Any, what: str) -> tuple[Any, ...]:
    if gone in every:
        return tuple(one for one in every if one != gone)
    raise OsteotraceError(
        f"a {what} that is not stated at this reading",
        expected=f"a {what} of the reading's own",
        advice="what other records state is amended there",
        usage=True,
    )


def _leaders(held: Iterable[Held]) -> tuple[str, ...]:
    return tuple(one.finding.label for one in held if not one.leader)


def is_same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Tell whether two states hold the very same things: masks take long to compare."""
    return len(one) == len(other) and all(
        a is b or (isinstance(a, str) and a == b) for a, b in zip(one, other, strict=True)
    )
