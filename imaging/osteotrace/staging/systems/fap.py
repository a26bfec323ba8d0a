"""The functional-aesthetic profile FAP-0: anatomy, function, appearance, pain, infection.

Case report S0 says that staging "only has an anatomical consideration, without concern
for function or aesthetics"; the profile sets those beside the anatomy. It is a profile
and never a sum: no axis is added to another, none is ranked. Research use, not validated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace import staging
from osteotrace.codes import FACTS
from osteotrace.codes.facts import AESTHETICS, FUNCTION, JAW, JAW_IMAGES
from osteotrace.findings import StagingPart, StagingResult
from osteotrace.findings.dates import days, not_after
from osteotrace.staging import jaw
from osteotrace.staging.evidence import Evidence, dates
from osteotrace.staging.profile.axes import Axis, aesthetics, function, infection, pain
from osteotrace.staging.profile.change import durability
from osteotrace.staging.profile.lengths import measurements
from osteotrace.staging.profile.tables import SOURCE, SYSTEM, VERSION
from osteotrace.staging.rule_table import fired_rule, reasons

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osteotrace.findings import Case, Fact, FiredRule, Question

SYSTEMS: Final = (SYSTEM,)
ENABLED: Final = True
# A profile has no order: its one "stage" is the profile, and its parts are the axes.
PROFILE: Final = "profile"
_NOTES: Final = (
    "FAP-0: research use, not validated; a profile, never a sum",
    "anatomy is staged by systems of their own: their questions stand with them",
)
# Edition of AAOMS, and reading of SICMF-SIPMO, that stand in the profile.
_AAOMS: Final = "aaoms_2022"
_SIPMO: Final = "sipmo_strict"
_BROWN: Final = "brown"
_HEALED: Final = "healed"


def stage(case: Case, date: str) -> tuple[StagingResult, ...]:
    """Return the profile at a date; none where nothing of the jaw or face is known."""
    if not (jaw.is_known(case) or _is_asked(case)):
        return ()
    evidence = Evidence(case, date)
    axes = (function(evidence), aesthetics(evidence), pain(evidence), infection(evidence))
    anatomy = _anatomy(evidence)
    change = durability(evidence)
    line = [anatomy[0].text, *(axis.part.text for axis in axes)]
    if change.lowest != "?":
        line.append(change.text)
    whole = StagingPart(
        name=PROFILE, lowest=PROFILE, highest=PROFILE, text=" | ".join(line)
    )
    return (
        StagingResult(
            system=SYSTEM,
            version=VERSION,
            date=date,
            stages=(PROFILE,),
            lowest=PROFILE,
            highest=PROFILE,
            possible=(PROFILE,),
            source=SOURCE,
            rules=_rules(axes),
            reasons=tuple(
                reason
                for axis in axes
                for reason in reasons(
                    axis.evaluation.table.needed, axis.evaluation.observed
                )
            ),
            blocking=tuple(one.asked() for axis in axes for one in axis.open),
            ask=_best_question(axes),
            parts=(whole, *anatomy, *_lines(axes), change),
            notes=_NOTES,
            conflicts=tuple(dict.fromkeys(evidence.conflicts)),
        ),
    )


def _is_asked(case: Case) -> bool:
    """Tell whether anything of function or appearance was stated."""
    stated = [*case.facts, *(fact for one in case.current() for fact in one.facts)]
    return any(
        FACTS[fact.name].group in (FUNCTION, AESTHETICS)
        for fact in stated
        if fact.name in FACTS
    )


def _lines(axes: Sequence[Axis]) -> list[StagingPart]:
    return [part for axis in axes for part in (axis.part, *axis.beside)]


def _rules(axes: Sequence[Axis]) -> tuple[FiredRule, ...]:
    return tuple(
        fired_rule(rule, done.table, certain=len(done.rules) == 1)
        for axis in axes
        for done in (*axis.under, axis.evaluation)
        for rule in done.rules
    )


def _best_question(axes: Sequence[Axis]) -> Question | None:
    """Return the question that narrows its axis most; ties go to the first axis."""
    narrowed = [
        (axis.evaluation.width - axis.evaluation.left_after(one)[0], one)
        for axis in axes
        for one in axis.open
    ]
    best = max(narrowed, key=lambda pair: pair[0], default=None)
    return None if best is None else best[1].asked()


# Anatomy -----------------------------------------------------------------------------


def _anatomy(evidence: Evidence) -> list[StagingPart]:
    """Return the axis A, and beside it what other tables and measurements say."""
    status = _status(evidence)
    staged = _staged_day(evidence, status)
    prior = "" if staged == evidence.date else f"prior, {staged}"
    lines = [_aaoms(evidence, staged, status)]
    for result in staging.stage(evidence.case, staged, systems=[_SIPMO]):
        beside = f" ({prior}), strict" if prior else ", strict"
        lines.append(_of("A SICMF-SIPMO", result, "SICMF-SIPMO", beside))
    for result in staging.stage(evidence.case, evidence.date, systems=[_BROWN]):
        lines.append(_of("A Brown", result, "Brown and Shaw", ", borrowed"))
    days_of = [f"stage of {staged}"] if prior else []
    if status.words and (prior or status.is_carried):
        days_of.append(f"status of {status.when}")
    if days_of:
        lines.append(_line("A dates", ", ".join(days_of)))
    return lines + _gaps(evidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Status:
    """Active or healed as last stated, up to the date.

    Parameters
    ----------
    words : str
        The status; empty where none was stated, or two on one day.
    when : str
        The day it was stated for, as stated; the date itself where it holds there.
    is_carried : bool
        True where it was stated for an earlier day and not for the date.
    """

    words: str = ""
    when: str = ""
    is_carried: bool = False

    @property
    def is_healed(self) -> bool:
        """True where the disease was last stated to be healed."""
        return self.words == _HEALED


def _status(evidence: Evidence) -> _Status:
    """Return the status at the date, else the last one that was stated before."""
    now = evidence.choice("status")
    if now.because:
        return _Status(words=now.as_text if now.known else "", when=evidence.date)
    told = [
        (days(until or since)[1], days(until)[0].isoformat() if until else since, since)
        for fact, since, until in _dated(evidence.case, "status")
        if fact.value is not None and not_after(until or since, evidence.date)
    ]
    if not told:
        return _Status()
    _, last, since = max(told)
    then = Evidence(evidence.case, last).choice("status")
    words = then.as_text if then.known else ""
    return _Status(words=words, when=since, is_carried=True)


def _dated(case: Case, name: str) -> Iterator[tuple[Fact, str, str]]:
    """Yield each dated statement of a fact with its first day and its last."""
    for fact in case.stated():
        if fact.name == name and fact.date:
            yield fact, fact.date, fact.until


def _aaoms(evidence: Evidence, staged: str, status: _Status) -> StagingPart:
    """Return the line of AAOMS.

    What another visit tells bears its day, but for the stage before a disease that is
    stated as healed at the date: its day stands beside, in the line of dates.
    """
    words = f", {status.words}" if status.words else ""
    if status.words and status.is_carried:
        words += f" ({status.when})"
    prior = ""
    if staged != evidence.date:
        is_told_healed = status.is_healed and not status.is_carried
        prior = " (prior)" if is_told_healed else f" (prior, {staged})"
    for result in staging.stage(evidence.case, staged, systems=[_AAOMS]):
        return StagingPart(
            name="A",
            lowest=result.lowest,
            highest=result.highest,
            text=f"A: AAOMS {result.as_text}{prior}{words}",
        )
    return StagingPart(name="A", lowest="?", highest="?", text=f"A?{words}")


def _of(name: str, result: StagingResult, system: str, after: str) -> StagingPart:
    beside = "".join(
        f", {part.text}" for part in result.parts if part.name == "horizontal"
    )
    return StagingPart(
        name=name,
        lowest=result.lowest,
        highest=result.highest,
        text=f"{system} {result.as_text}{beside}{after}",
    )


def _staged_day(evidence: Evidence, status: _Status) -> str:
    """Return the day that anatomy is staged at: the date, or the last one before.

    The last one before is that of which something of the jaw was stated or read, and the
    disease not as healed. It counts where the disease is healed at the date, or was when
    the jaw was last spoken of, and where the date says nothing of the jaw and leaves a
    wider interval.
    """
    earlier = [day for day in dates(evidence.case) if day < evidence.date]
    spoken = (day for day in reversed(earlier) if _is_active(evidence.case, day))
    last = next(spoken, None)
    if last is None:
        return evidence.date
    if status.is_healed and not status.is_carried:
        return last
    if _speaks_of_the_jaw(evidence):
        return evidence.date
    if status.is_healed and not_after(last, status.when):
        return last
    return min((evidence.date, last), key=lambda day: _width(evidence.case, day))


def _is_active(case: Case, day: str) -> bool:
    """Tell whether a day speaks of the jaw, and not of a healed disease."""
    then = Evidence(case, day)
    return then.choice("status").possible != (_HEALED,) and _speaks_of_the_jaw(then)


def _width(case: Case, day: str) -> int:
    """Return how many stages of AAOMS lie between the ends of a day's interval."""
    for result in staging.stage(case, day, systems=[_AAOMS]):
        order = result.stages
        return order.index(result.highest) - order.index(result.lowest)
    return 0


def _speaks_of_the_jaw(evidence: Evidence) -> bool:
    """Tell whether anything of the jaw was stated or read of this very day."""
    groups = (JAW, JAW_IMAGES)
    facts = [fact for fact in evidence.case.facts if fact.date == evidence.date]
    for one in evidence.assessments():
        facts += [fact for fact in one.facts if fact.date in ("", evidence.date)]
    return any(
        FACTS[fact.name].group in groups for fact in facts if fact.name in FACTS
    ) or any(
        finding.site in jaw.JAW_SITES
        for one in evidence.assessments()
        for finding in one.findings
    )


def _gaps(evidence: Evidence) -> list[StagingPart]:
    """Return the palatal gap as measured at the date, and as reported elsewhere."""
    lines = [
        f"palatal gap {row.as_text} ({finding.label}, "
        f"{assessment.reader or 'not accepted by a reader'})"
        + ("" if row.accepted else f", doubtful: {', '.join(row.flags)}")
        for assessment, finding, row in measurements(evidence, ("palatal_gap_ap",))
    ]
    reported = evidence.number("reported_palatal_gap")
    if reported is not None:
        ends = dict.fromkeys((reported.low, reported.high))
        lines.append(
            f"palatal gap {' to '.join(f'{end:g}' for end in ends)} mm as reported, no "
            f"uncertainty: {'; '.join(reported.because)}"
        )
    return [_line("A gap", one) for one in lines]


def _line(name: str, text: str) -> StagingPart:
    """Return a line that has no level."""
    return StagingPart(name=name, lowest="", highest="", text=text)
