"""A comparison on the terminal: registration, lesions, stagings, fractures."""

from typing import TYPE_CHECKING

import typer

from osteotrace.cli import comparison_lesions, output

if TYPE_CHECKING:
    from rich.console import Console

    from osteotrace.comparison import Comparison
    from osteotrace.findings import StagingResult

# What is no terminal has lines of so many characters at least.
_LEAST_WIDTH = 100
# Systems whose parts say more than the stage: months, and what each part adds.
_WITH_PARTS = ("rebound_fracture", "rai_cromris")


def show(found: "Comparison") -> None:
    """Print a comparison as tables and lines."""
    _studies(found)
    _registration(found)
    comparison_lesions.show(found, _console().width)
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
        read_by = one.reader or one.protocol if one.series else "nobody"
        who = "carried forward" if one.carried else read_by
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
