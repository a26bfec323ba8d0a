"""What staging by one published system gave at one date, with its reasons.

A stage is an interval over every assignment of what is not known. The record holds the
rules that fired, the unknowns that block, and the one question that would narrow it most.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from osteotrace.codes import SITES, STAGINGS
from osteotrace.errors import OsteotraceError
from osteotrace.shown import Shown

Evidence = Literal["V", "P", "K", "D", "S0", "S1", "S2", "S3"]
Basis = Literal["measured", "proposed", "entered", "derived", "unknown"]


class FiredRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that holds, for certain or for some assignment of the unknowns.

    Parameters
    ----------
    id, version : str
        Of the rule, e.g. ``"AAOMS22-STAGE3"`` and the version of its pack.
    outcome : str
        What it leads to.
    certain : bool
        True where it fires whatever the unknowns are.
    text : str
        The rule as it is evaluated.
    source : str
        The paper or table it was taken from.
    evidence : str
        How the wording was checked: V seen, P partly seen, K from general knowledge,
        D a choice of this project, S0 to S3 one of the founding papers.
    """

    id: str
    version: str
    outcome: str
    certain: bool
    text: str
    source: str
    evidence: Evidence


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A criterion as it was known: its value, and where that comes from.

    Parameters
    ----------
    criterion : str
        Name within the system; ``l2.one_endplate`` for that of one bone.
    value : str
        ``yes``, ``no``, ``unknown``, a number with unit, or the values still possible.
    basis : str
        ``proposed`` where images say so and no named reader has accepted it yet.
    because : tuple of str
        The facts, drugs and findings it rests on, with author and date.
    """

    criterion: str
    value: str
    basis: Basis
    because: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An unknown that blocks a definite stage, and how to ask for it.

    Parameters
    ----------
    criterion : str
        As in `Reason`.
    text : str
        The question in words.
    facts : tuple of str
        Keys of `osteotrace.codes.FACTS` that would answer it.
    kinds : tuple of str
        Keys of `osteotrace.codes.KINDS` whose finding, present or absent, would.
    site : str
        The bone that is meant, else empty.
    """

    criterion: str
    text: str
    facts: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    site: str = ""


class StagingPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line returned beside the stage, such as a case definition or one level's grade.

    Parameters
    ----------
    name : str
        E.g. ``"case definition"``, ``"SDI(T4-L4)"``, ``"F"``.
    lowest, highest : str
        Ends of its interval; ``"?"`` where nothing is known.
    text : str
        The line in words, e.g. ``"F1..3 (liquids 1..2; diet, speech unknown)"``.
    """

    name: str
    lowest: str
    highest: str
    text: str = ""


class Override(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reader's own stage in place of the computed one, with the reason."""

    stage: str
    reason: str
    author: str
    recorded: str


class StagingResult(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One system's stage of one case at one date.

    Parameters
    ----------
    system : str
        Key of `osteotrace.codes.STAGINGS`.
    version : str
        Of the rule pack.
    date : str
        ISO 8601 date that was staged.
    stages : tuple of str
        Every stage of the system, lowest first.
    lowest, highest : str
        Ends of the interval, members of ``stages``.
    possible : tuple of str
        Outcomes that some assignment of the unknowns gives, in the system's order.
    source : str
        The publication.
    site : str
        The bone that was staged, empty for the whole patient.
    rules : tuple of FiredRule
        Rules that fired, and those that may.
    reasons : tuple of Reason
        What was known of the criteria that decide.
    blocking : tuple of Question
        Unknowns on which the outcome depends.
    ask : Question or None
        The one whose answer would narrow the interval most.
    parts : tuple of StagingPart
        Lines beside the stage.
    notes : tuple of str
        What to check, e.g. where published copies of a rule disagree.
    conflicts : tuple of str
        Facts that contradict each other; they count as unknown.
    override : Override or None
        The reader's own stage, where one was set.
    """

    system: str
    version: str
    date: str
    stages: tuple[str, ...]
    lowest: str
    highest: str
    possible: tuple[str, ...]
    source: str
    site: str = ""
    rules: tuple[FiredRule, ...] = ()
    reasons: tuple[Reason, ...] = ()
    blocking: tuple[Question, ...] = ()
    ask: Question | None = None
    parts: tuple[StagingPart, ...] = ()
    notes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    override: Override | None = None

    @property
    def definite(self) -> bool:
        """True where the computed interval is one stage."""
        return self.lowest == self.highest

    @property
    def as_text(self) -> str:
        """The stage as people read it: one, an interval, or the reader's own.

        A profile has no stage: its first line stands there.
        """
        if len(self.stages) == 1 and self.parts:
            return self.parts[0].text
        computed = self.lowest if self.definite else f"{self.lowest}..{self.highest}"
        if self.override is None:
            return computed
        return f"{self.override.stage} (set by the reader; computed {computed})"

    def __str__(self) -> str:
        site = f", {SITES[self.site].meaning}" if self.site else ""
        return f"{STAGINGS[self.system].meaning}{site}: {self.as_text}"

    def part(self, name: str) -> StagingPart:
        """Return the line of a name; KeyError without one."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)


def overridden(
    result: StagingResult, stage: str, *, reason: str, author: str, recorded: str
) -> StagingResult:
    """Return a result with the reader's own stage set beside the computed one.

    Raises
    ------
    OsteotraceError
        If the stage is none of the system's, or the reason or the author is empty.
    """
    if stage not in result.stages:
        raise OsteotraceError(
            f"the stage {stage!r}",
            expected=f"one of {', '.join(result.stages)}",
            advice="choose a stage of the system",
            usage=True,
        )
    if not reason.strip() or not author.strip():
        raise OsteotraceError(
            "a stage set without a reason or without a name",
            expected="why, and who says so",
            advice="give both: they are kept with the stage",
            usage=True,
        )
    override = Override(
        stage=stage, reason=reason.strip(), author=author.strip(), recorded=recorded
    )
    return msgspec.structs.replace(result, override=override)
