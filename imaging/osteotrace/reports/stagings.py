"""Stages as people read them: the interval, its reasons, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.codes import SITES, STAGINGS
from osteotrace.reports.criterion_words import in_words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osteotrace.findings import Reason, StagingResult


def headline(result: StagingResult) -> str:
    """Return a result in one line: what was staged, and the stage.

    A profile has no stage: its first line stands there.
    """
    site = f", {SITES[result.site].meaning}" if result.site else ""
    stage = result.parts[0].text if _is_profile(result) else result.as_text
    return f"{STAGINGS[result.system].meaning}{site}: {stage}"


def _is_profile(result: StagingResult) -> bool:
    return len(result.stages) == 1 and bool(result.parts)


def lines(result: StagingResult, *, reasons: bool = True) -> Iterator[str]:
    """Yield a result as lines, the headline first.

    Parameters
    ----------
    result : StagingResult
        From `osteotrace.staging.stage`.
    reasons : bool
        Also the rules that fired, what they rest on, and the source.
    """
    yield headline(result)
    for part in result.parts[_is_profile(result) :]:
        text = part.text or _interval(part.name, part.lowest, part.highest)
        yield f"  {_in_words(text, result)}"
    if result.override is not None:
        yield (
            f"  set by {result.override.author}: {result.override.stage}, because "
            f"{result.override.reason}"
        )
    yield from (f"  note: {_in_words(note, result)}" for note in result.notes)
    yield from (f"  contradiction: {_in_words(one, result)}" for one in result.conflicts)
    if reasons:
        yield from _reasons(result)
    if result.blocking:
        unknown = (words_of(one.criterion, site=result.site) for one in result.blocking)
        yield "  not known: " + ", ".join(dict.fromkeys(unknown))
    if result.ask is not None:
        yield f"  ask first: {result.ask.text}"


def _reasons(result: StagingResult) -> Iterator[str]:
    for reason in result.reasons:
        if reason.because:
            yield f"  because: {_in_words(_reason(reason), result)}"
    for words, certain in (("rules that hold", True), ("rules that may hold", False)):
        rules = [one for one in result.rules if one.certain is certain]
        if rules:
            named = (f"{one.id} [{one.evidence}]" for one in rules)
            yield f"  {words}: {', '.join(named)}"
    yield f"  source: {result.source}"


def _reason(reason: Reason) -> str:
    head = f"{reason.criterion} {reason.value}"
    if len(reason.because) == 1 and reason.because[0].startswith(head):
        return reason.because[0]
    basis = "" if reason.basis == "unknown" else f", {reason.basis}"
    return f"{head}{basis}: {'; '.join(reason.because)}"


def _in_words(text: str, result: StagingResult) -> str:
    """Return a line without the keys of its criteria; records keep those."""
    keys = {one.criterion for one in result.reasons}
    keys |= {one.criterion for one in result.blocking}
    return in_words(text, keys, site=result.site)


def _interval(name: str, lowest: str, highest: str) -> str:
    return f"{name} {lowest}" if lowest == highest else f"{name} {lowest}..{highest}"


def report(
    results: Iterable[StagingResult], patient: str, *, reasons: bool = True
) -> str:
    """Return the stages of a patient as text, the statement of research use below."""
    from osteotrace.about import RESEARCH_USE_STATEMENT

    every = list(results)
    dates = list(dict.fromkeys(result.date for result in every))
    blocks = []
    for date in dates:
        blocks.append(f"{patient or 'patient'} at {date}")
        blocks += [
            "\n".join(lines(result, reasons=reasons))
            for result in every
            if result.date == date
        ]
    return "\n\n".join([*blocks, RESEARCH_USE_STATEMENT]) + "\n"
