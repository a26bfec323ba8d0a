"""A comparison on the terminal: registration, lesions, stagings, fractures."""

from typing import TYPE_CHECKING

import typer

from osteotrace.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from osteotrace.comparison import Comparison, Lesion, QuantityChange, Step
    from osteotrace.findings import StagingResult

# Of two studies every quantity is shown; of more the one that decides.
_ALL_OF = 2
# Columns that the table of lesions takes; a narrower terminal gets lines.
_LEAST_WIDTH = 132
# Systems whose parts say more than the stage: months, and what each part adds.
_WITH_PARTS = ("rebound_fracture", "rai_cromris")
# A reason is told in so many characters; the report has it in full.
_LONGEST_REASON = 80
# What a caliper was before it was fitted is no result.
_NOT_SHOWN = ("length_as_drawn",)


def show(found: "Comparison") -> None:
    """Print a comparison as tables and lines."""
    _studies(found)
    _registration(found)
    _lesions(found)
    _stagings(found)
    _fractures(found)
    told = {refusal for pair in found.pairs for refusal in pair.refusals}
    for note in found.notes:
        # Why two studies are not aligned stands above.
        if not any(note.endswith(refusal) for refusal in told):
            output.print_line(f"Note: {note}")


def _print(table: object) -> None:
    _console().print(table)


def _console() -> "Console":
    """Return where tables are printed; what is no terminal is wide enough for them."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, _LEAST_WIDTH)
    return console


def _studies(found: "Comparison") -> None:
    from rich.table import Table

    table = Table(title=f"{found.patient}: studies", title_justify="left")
    for head in ("study", "date", "read by", "series"):
        table.add_column(head)
    for one in found.studies:
        series = "; ".join(f"{s.modality} {s.description}" for s in one.series)
        who = "carried forward" if one.carried else one.reader or one.protocol
        table.add_row(one.name, one.date or "no date", who, series or "none was read")
    _print(table)


def _registration(found: "Comparison") -> None:
    names = [one.name for one in found.studies]
    for pair in found.pairs:
        between = f"{names[pair.earlier]} to {names[pair.later]}"
        for alignment in pair.alignments:
            output.print_line(f"Registration, {between}: {alignment.as_text}")
        for refusal in pair.refusals:
            output.print_line(f"Not aligned, {between}: {refusal}")
        if pair.differences:
            told = "; ".join(
                f"{one.kind} {one.earlier} then {one.later}" for one in pair.differences
            )
            output.print_line(f"Made differently, {between}: {told}")


def _lesions(found: "Comparison") -> None:
    from rich.table import Table

    table = Table(title="Lesions", title_justify="left")
    heads = (
        *("lesion", "from, to", "state", "quantity", "earlier", "later", "Δ", "%"),
        *("a month", "RC", "verdict"),
    )
    for head in heads:
        table.add_column(head, overflow="fold")
    told = [one for one in found.lesions if not _is_told_by_leader(found, one)]
    if _console().width < _LEAST_WIDTH:
        for lesion in told:
            _lines(found, lesion, heads[3:])
        return
    for lesion in told:
        for number, row in enumerate(_rows(found, lesion)):
            named = f"{lesion.label}\n{_place(lesion)}" if number == 0 else ""
            table.add_row(named, *row)
        table.add_section()
    _print(table)


def _lines(found: "Comparison", lesion: "Lesion", heads: "Sequence[str]") -> None:
    """Print a lesion as lines, for a terminal too narrow for the table."""
    output.print_line(f"{lesion.label}, {_place(lesion)}")
    for dates, state, *cells in _rows(found, lesion):
        if dates:
            output.print_line(f"  {dates}: {state}")
        named = zip(heads, cells, strict=True)
        output.print_line(f"    {', '.join(f'{h} {c}' for h, c in named if c)}")


def _place(lesion: "Lesion") -> str:
    from osteotrace.reports.comparison import words

    return f"{words.kind(lesion)}, {words.place(lesion)}"


def _rows(found: "Comparison", lesion: "Lesion") -> "Iterator[tuple[str, ...]]":
    names = [one.name for one in found.studies]
    whole = (lesion.whole,) if lesion.whole is not None else ()
    for step in (*lesion.steps, *whole):
        dates = f"{names[step.earlier]} to {names[step.later]}"
        state = step.state + (" (proposed)" if step.proposed else "")
        shown = [one for one in step.changes if one.name not in _NOT_SHOWN]
        changes = shown if len(names) == _ALL_OF else shown[:1]
        if not changes:
            yield dates, state, _short(step.reason), "", "", "", "", "", "", ""
        for number, changed in enumerate(changes):
            first = (dates, state) if number == 0 else ("", "")
            yield *first, *_change(lesion, step, changed)


def _change(lesion: "Lesion", step: "Step", changed: "QuantityChange") -> tuple[str, ...]:
    from osteotrace.reports.comparison import words

    earlier, later = words.ends(lesion, step, changed)
    said = words.verdict(changed)
    unit = words.unit(changed.change.unit)
    reason = f": {_short(said.reason)}" if said.reason else ""
    return (
        f"{words.quantity(changed.name)}{f', {unit}' if unit else ''}",
        earlier,
        later,
        words.delta(changed),
        words.percent(changed),
        words.per_month(changed),
        words.limit(changed),
        f"{said.words}{reason}",
    )


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


def _stagings(found: "Comparison") -> None:
    from rich.table import Table

    if not found.stagings:
        return
    table = Table(title="Stagings", title_justify="left")
    table.add_column("system")
    for one in found.studies:
        table.add_column(one.name)
    for row in found.stagings:
        where = f" {row.site.upper()}" if row.site else ""
        table.add_row(f"{row.system}{where}", *map(_stage, row.results))
    _print(table)


def _stage(result: "StagingResult | None") -> str:
    if result is None:
        return "not staged"
    head = str(result).partition(": ")[2] or str(result)
    parts = result.parts if result.system in _WITH_PARTS else ()
    return "\n".join([head, *(part.text for part in parts if part.text)])


def _fractures(found: "Comparison") -> None:
    for one in found.fractures:
        since = f", not there on {one.last_without}" if one.last_without else ""
        proposed = ", proposed" if one.proposed else ""
        typer.echo(
            f"Fracture that arose: {one.site.upper()}, first seen "
            f"{one.first_seen or 'at an unknown date'}{since} ({one.certainty}{proposed})"
        )
