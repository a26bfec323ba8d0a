"""The lesions of a comparison on the terminal: a block each, as wide as the terminal."""

import textwrap
from typing import TYPE_CHECKING

from osteotrace.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.comparison import Comparison, Lesion, QuantityChange, Step

# A narrower terminal wraps by itself; longer lines than the widest are hard to read.
_LEAST_WIDTH = 60
_MOST_WIDTH = 100
# A reason is told in so many characters; the report has it in full.
_LONGEST_REASON = 160


def show(found: "Comparison", width: int) -> None:
    """Print how many lesions became what, then each with the quantity that decides.

    Parameters
    ----------
    found : Comparison
    width : int
        Characters of a line.
    """
    from osteotrace.reports.comparison import content

    within = min(max(width, _LEAST_WIDTH), _MOST_WIDTH)
    output.print_line(content.counted(content.lesion_blocks(found, ())))
    for lesion in found.lesions:
        if not _is_told_by_leader(found, lesion):
            _show_lesion(found, lesion, within)


def _show_lesion(found: "Comparison", lesion: "Lesion", width: int) -> None:
    from osteotrace.reports.comparison import words

    whole = (lesion.whole,) if lesion.whole is not None else ()
    spans = (*lesion.steps, *whole)
    last = spans[-1] if spans else None
    state = f"{words.STATE_SYMBOLS[lesion.state]} {lesion.state}"
    waits = " (proposed)" if last is not None and last.proposed else ""
    where = f"{words.kind(lesion)}, {words.place(lesion)}"
    _print(f"{lesion.label}: {state}{waits} · {where}", "", width)
    names = [one.name for one in found.studies]
    for step in spans:
        told = list(_told(lesion, step))
        if len(spans) > 1:
            told[:0] = [f"{names[step.earlier]} to {names[step.later]}: {step.state}"]
        _print("; ".join(filter(None, told)), "  ", width)


def _told(lesion: "Lesion", step: "Step") -> "Iterator[str]":
    """Yield the change of the quantity that decides, then why the state is what it is."""
    from osteotrace.reports.comparison import words

    first = step.changes[0] if step.changes else None
    if first is not None:
        yield _change(lesion, step, first)
    yield _short(words.reason(step, beside_row=True))


def _change(lesion: "Lesion", step: "Step", changed: "QuantityChange") -> str:
    from osteotrace.reports.comparison import words

    earlier, later = words.ends(lesion, step, changed)
    said = words.verdict(changed, step)
    unit = words.unit(changed.change.unit)
    values = f"{words.quantity(changed.name)} {earlier} → {later} {unit}".rstrip()
    if changed.change.verdict == "not comparable":
        # What went or came has no Δ, and its state stands above.
        only = "" if said.words == step.state else f", {said.words}"
        return f"{values}{only}" + (f": {_short(said.reason)}" if said.reason else "")
    figures = [f"Δ {words.delta(changed)}", words.percent(changed)]
    if rate := words.per_month(changed):
        figures.append(f"{rate} a month")
    if limit := words.limit(changed):
        figures.append(f"RC {limit}")
    why = f" ({_short(said.reason)})" if said.reason else ""
    return f"{values}, {', '.join(filter(None, figures))}: {said.words}{why}"


def _is_told_by_leader(found: "Comparison", lesion: "Lesion") -> bool:
    """Tell whether a part of a lesion says no more than the whole: all are gone."""
    from osteotrace.reports.comparison import words

    leader = words.leader_of(lesion, found.lesions)
    plain = not any(step.changes for step in lesion.steps)
    return leader is not None and plain and leader.state == lesion.state


def _short(reason: str) -> str:
    if len(reason) <= _LONGEST_REASON:
        return reason
    return reason[:_LONGEST_REASON].rpartition(" ")[0] + " …"


def _print(text: str, indent: str, width: int) -> None:
    for line in textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
    ):
        output.print_line(line)
