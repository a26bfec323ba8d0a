"""What is shown of a stage: the interval, what it rests on, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.findings import StagingResult
from osteotrace.reports.criterion_words import in_words, words_of
from osteotrace.reports.shown.cards import Card, card_of, counted, table, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable


@title_of.register(StagingResult)
def _(result: StagingResult) -> str:
    date = f" at {result.date}" if result.date else ""
    missing = f"; {counted(len(result.blocking), 'unknown')}" if result.blocking else ""
    return f"{result}{date}{missing}"


@card_of.register(StagingResult)
def _(result: StagingResult) -> Card:
    keys = {one.criterion for one in result.reasons}
    keys |= {one.criterion for one in result.blocking}

    def said(words: str) -> str:
        return in_words(words, keys, site=result.site)

    is_profile = len(result.stages) == 1 and bool(result.parts)
    missing = (words_of(one.criterion, site=result.site) for one in result.blocking)
    facts = (
        ("possible", "" if is_profile else ", ".join(result.possible)),
        ("not known", ", ".join(dict.fromkeys(missing))),
        ("ask first", result.ask.text if result.ask else ""),
        ("rules that hold", _rules(result, certain=True)),
        ("rules that may hold", _rules(result, certain=False)),
        ("source", result.source),
    )
    reasons = [
        (said(one.criterion), said(one.value), one.basis, said("; ".join(one.because)))
        for one in result.reasons
        if one.because
    ]
    parts = (said(one.text) for one in result.parts[is_profile:] if one.text)
    override = result.override
    return Card(
        kind="Stage",
        title=f"{result} at {result.date}",
        facts=facts,
        tables=(table(("criterion", "known as", "basis", "because"), reasons),),
        lines=(
            *(f"set by {one.author}: {one.reason}" for one in [override] if one),
            *parts,
            *(said(note) for note in result.notes),
            *(f"contradiction: {said(one)}" for one in result.conflicts),
        ),
    )


def _rules(result: StagingResult, *, certain: bool) -> str:
    return _listed(f"{one.id}" for one in result.rules if one.certain is certain)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
