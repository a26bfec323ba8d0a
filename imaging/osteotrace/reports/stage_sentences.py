"""The stages of a reading as the sentences of a pasted paragraph.

What is open from end to end says how much is not known, what is narrower some of it. A
stage set by a reader says by whom and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.codes import SITES, STAGINGS
from osteotrace.codes.sites import VERTEBRAE
from osteotrace.reports.criterion_words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osteotrace.findings import StagingResult

# Unknowns of a stage that are named; the rest are counted.
MOST_UNKNOWNS: Final = 3


def sentences(results: Iterable[StagingResult], study_date: str) -> Iterator[str]:
    """Yield a line a staging system, the bones that it staged beside each other."""
    systems: dict[tuple[str, str], list[StagingResult]] = {}
    for result in results:
        systems.setdefault((result.system, result.date), []).append(result)
    for (system, date), staged in systems.items():
        told = [_staged(result) for result in staged]
        at = f" at {date}" if date != study_date else ""
        yield stopped(f"{STAGINGS[system].meaning}{at}: {'; '.join(told)}")


def _staged(result: StagingResult) -> str:
    place = result.site.upper() if result.site in VERTEBRAE else ""
    if result.site and not place:
        place = lower(SITES[result.site].meaning)
    if result.override is not None:
        return f"{place} {_set(result)}".strip()
    words = f"{place} {result.as_text}".strip()
    unknown = dict.fromkeys(
        words_of(one.criterion, site=result.site) for one in result.blocking
    )
    if not unknown:
        return words
    if _is_open(result):
        return f"{words}, open ({len(unknown)} not known)"
    named = list(unknown)[:MOST_UNKNOWNS]
    rest = len(unknown) - len(named)
    more = f" and {rest} more" if rest else ""
    return f"{words} (not known: {', '.join(named)}{more})"


def _set(result: StagingResult) -> str:
    """Return a stage set by a reader, with who says why and what was computed."""
    own = result.override
    assert own is not None
    computed = msgspec.structs.replace(result, override=None).as_text
    why = " ".join(own.reason.split()).rstrip(".")
    return f"{own.stage} (set by {own.author}: {why}; computed {computed})"


def _is_open(result: StagingResult) -> bool:
    """Tell whether nothing is settled: the interval is all stages of a system."""
    ends = (result.stages[0], result.stages[-1])
    return len(result.stages) > 1 and (result.lowest, result.highest) == ends


def lower(words: str) -> str:
    """Return words as they stand within a sentence; abbreviations keep their capitals."""
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


def stopped(words: str) -> str:
    """Return words that end as a sentence does."""
    return words if words.endswith((".", "!", "?")) else f"{words}."
