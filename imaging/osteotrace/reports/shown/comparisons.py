"""What is shown of a comparison: studies, lesions with their changes, stages, notes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from osteotrace.comparison import Comparison, Lesion
from osteotrace.reports.comparison import content, context, words
from osteotrace.reports.shown.cards import Card, card_of, counted, table, title_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.reports.comparison.content import LesionBlock

_LESIONS: Final = (
    "lesion", "what and where", "became", "quantity", "earlier → later", "Δ", "change"
)  # fmt: skip
_STUDIES: Final = ("#", "name", "date", "after", "images", "read by", "protocol")


@title_of.register(Comparison)
def _(comparison: Comparison) -> str:
    states = Counter(one.state for one in comparison.lesions)
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    lesions = counted(len(comparison.lesions), "lesion")
    studies = counted(len(comparison.studies), "study", "studies")
    return f"{studies} of {comparison.patient}, {lesions}{': ' if told else ''}{told}"


@card_of.register(Comparison)
def _(comparison: Comparison) -> Card:
    studies = [
        (
            str(one.number),
            one.name,
            one.date,
            one.after,
            one.images,
            one.reader or ("proposals" if one.carried else ""),
            one.protocol,
        )
        for one in context.study_rows(comparison)
    ]
    blocks = content.lesion_blocks(comparison, ())
    return Card(
        kind="Comparison",
        title=title_of(comparison),
        facts=(
            ("compared by", comparison.reader or "no named reader"),
            ("recorded", context.moment(comparison.recorded)),
            ("registration", "; ".join(_registrations(comparison))),
        ),
        tables=(
            table(_STUDIES, studies, "Studies"),
            table(_LESIONS, map(_row, blocks), "Lesions"),
            table(*_stages(comparison), "Stages"),
        ),
        lines=context.notes(comparison),
    )


@title_of.register(Lesion)
def _(lesion: Lesion) -> str:
    return f"{lesion.label}, {words.kind(lesion)}, {words.place(lesion)}: {lesion.state}"


@card_of.register(Lesion)
def _(lesion: Lesion) -> Card:
    steps = ([lesion.whole] if lesion.whole else []) + list(lesion.steps)
    rows = [
        (
            f"study {one.earlier + 1} to {one.later + 1}",
            f"{words.STATE_SYMBOLS[one.state]} {one.state}",
            words.quantity(one.primary) if one.primary else "",
            words.reason(one, beside_row=False),
            "proposed" if one.proposed else "",
        )
        for one in steps
    ]
    return Card(
        kind="Lesion",
        title=title_of(lesion),
        facts=(
            ("read at", counted(len(lesion.seen), "date")),
            ("one lesion by", "; ".join(map(words.basis, lesion.links))),
        ),
        tables=(table(("from, to", "became", "decided by", "why", ""), rows),),
    )


def _row(block: LesionBlock) -> tuple[str, ...]:
    state = f"{block.state.symbol} {block.state.word}"
    became = f"{state} (proposed)" if block.state.proposed else state
    head = (block.label, f"{block.kind}, {block.place}", became)
    row = block.row
    if row is None:
        return (*head, "", "", "", block.reason)
    ends = f"{_end(row.earlier, row.unit)} → {_end(row.later, row.unit)}"
    delta = f"{row.delta} {row.unit}".rstrip() if row.delta.strip(words.NONE) else ""
    told = filter(None, (delta, row.percent.strip(words.NONE)))
    verdict = "" if row.verdict is None else row.verdict.words
    why = "" if row.verdict is None else row.verdict.reason
    said = f"{verdict}: {why}" if why else verdict or block.reason
    return (*head, row.quantity, ends, ", ".join(told), said)


def _end(value: str, unit: str) -> str:
    """Return a value with its unit; words, such as "not assessed", have none."""
    return f"{value} {unit}".rstrip() if any(map(str.isdigit, value)) else value


def _stages(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    dates = [content.study_date(comparison, one.number) for one in comparison.studies]
    rows = [
        (row.system, row.site, *(cell.stage for cell in row.cells))
        for row in context.stage_rows(comparison)
    ]
    return ("system", "where", *dates), rows


def _registrations(comparison: Comparison) -> Iterator[str]:
    """Yield how well each pair of studies is laid over each other."""
    for pair in context.pair_blocks(comparison):
        told = [f"{one.region} {one.error}".strip() for one in pair.alignments]
        yield f"{pair.span}: {', '.join(told) or 'none'}"
