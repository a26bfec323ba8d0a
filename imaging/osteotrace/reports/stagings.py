"""Stages as people read them: the interval, its reasons, and what is missing."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from osteotrace.about import RESEARCH_USE_STATEMENT
from osteotrace.codes import SITES
from osteotrace.reports.criterion_words import in_words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osteotrace.findings import Reason, StagingResult

# Characters of a line of text.
WIDTH: Final = 100


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
    yield str(result)
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
    yield from _question(result)


def _question(result: StagingResult) -> Iterator[str]:
    if result.ask is None:
        return
    elsewhere = result.ask.site and result.ask.site != result.site
    where = f" ({SITES[result.ask.site].meaning})" if elsewhere else ""
    yield f"  ask first: {result.ask.text}{where}"


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
    results: Iterable[StagingResult],
    patient: str,
    *,
    reasons: bool = True,
    beside: Iterable[str] = (),
) -> str:
    """Return the stages of a patient as text, the statement of research use below.

    All stages of a date stand first, one a line; what each rests on and lacks follows.

    Parameters
    ----------
    results : iterable of StagingResult
        From `osteotrace.staging.stage`.
    patient : str
        Pseudonym.
    reasons : bool
        False leaves all but the stages and the questions to ask first out.
    beside : iterable of str
        Lines that stand below the stages, such as contradictions and notices.
    """
    every = list(results)
    blocks = []
    for date in dict.fromkeys(result.date for result in every):
        staged = [result for result in every if result.date == date]
        overview = [f"{patient or 'patient'} at {date}"]
        for result in staged:
            overview.append(f"  {result}")
            if not reasons:
                overview += [f"  {line}" for line in _question(result)]
        blocks.append(overview)
        if reasons:
            blocks += [list(lines(result)) for result in staged]
    after = list(beside)
    if after:
        blocks.insert(1 if blocks else 0, after)
    pages = ["\n".join(map(_wrapped, block)) for block in blocks]
    return "\n\n".join([*pages, RESEARCH_USE_STATEMENT]) + "\n"


def _wrapped(line: str) -> str:
    """Return a line within the width of a page, what follows indented below it."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line,
        WIDTH,
        subsequent_indent=f"{indent}    " if indent else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
