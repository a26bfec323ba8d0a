"""The verb that compares readers: agreement."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osteotrace.cli import output
from osteotrace.cli.options import Json
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.comparison.agreement_records import (
        Agreement,
        ClassAgreement,
        QuantityAgreement,
    )
    from osteotrace.findings import Assessment

_COLUMNS = (
    *("what", "unit", "pairs", "icc_absolute", "icc_consistency", "bias"),
    *("limits_of_agreement", "rc", "kappa_linear", "kappa_quadratic", "same", "notes"),
)
# Notes that the table on the terminal shows of each row; --json and --csv have them all.
_MOST_NOTES = 2


def agreement(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Records, or folders of records: both readings of the same studies.",
            show_default=False,
        ),
    ],
    readers: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--readers",
            metavar="A B",
            help="Who is compared; one name twice for one person's repeats.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="RC.json",
            help="New file: the site's own repeatability, for compare --repeatability.",
        ),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="New file: the table.")
    ] = None,
    json: Json = False,
) -> int:
    """Say how far two readings of the same studies agree: ICC, kappa, Bland-Altman."""
    from datetime import UTC, datetime

    import msgspec

    from osteotrace.comparison import agreement as agreements
    from osteotrace.records.store import write_once

    read, failures = _records(paths)
    found = agreements.agreement(read, readers=readers)
    if out is not None:
        now = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
        try:
            content = agreements.site_file(found, recorded=now)
        except OsteotraceError as too_few:
            # Too few lesions for a coefficient: how far the readings agree is told.
            failures.append(too_few)
            out = None
        else:
            write_once(out, content)
    if table is not None:
        write_once(table, _csv(found))
    if json:
        output.print_json(msgspec.to_builtins(found))
    else:
        _print(found)
        for file in filter(None, (out, table)):
            typer.echo(f"written: {file}")
        output.print_statement()
    for problem in failures:
        output.print_error(problem, as_json=json)
    return 1 if failures else 0


def _records(paths: list[Path]) -> "tuple[list[Assessment], list[OsteotraceError]]":
    from osteotrace.reading.cases import saved_cases

    read: list[Assessment] = []
    failures: list[OsteotraceError] = []
    for path in paths:
        below = saved_cases(path)
        read += [one for case in below.cases for one in case.assessments]
        failures += below.failures
    return read, failures


def _rows(found: "Agreement") -> list[dict[str, Any]]:
    """Return one row a quantity, then one a class."""
    return [
        *map(_quantity_row, found.quantities),
        *map(_class_row, found.classes),
    ]


def _quantity_row(one: "QuantityAgreement") -> dict[str, Any]:
    from osteotrace.change import Percent
    from osteotrace.codes import QUANTITIES

    row: dict[str, Any] = {
        "what": QUANTITIES[one.quantity].meaning,
        "unit": one.unit,
        "pairs": len(one.pairs),
        "notes": "; ".join(one.notes),
    }
    for name in ("absolute", "consistency"):
        icc = getattr(one, name)
        if icc is not None:
            row[f"icc_{name}"] = _between(icc.value, icc.interval95, ".3f")
    if one.limits is not None:
        limits = one.limits
        row["bias"] = _between(limits.bias, limits.bias_interval95, ".3g")
        row["limits_of_agreement"] = f"{limits.lower:.3g} to {limits.upper:.3g}"
    if one.repeatability is not None:
        own = one.repeatability
        shown = _between(own.coefficient, own.interval95, ".3g")
        # On the logarithmic scale the coefficient is a share of the smaller value.
        is_share = isinstance(own.repeatability.same_reader, Percent)
        row["rc"] = f"{shown} %" if is_share else shown
    return row


def _class_row(one: "ClassAgreement") -> dict[str, Any]:
    from osteotrace.comparison.agreement import title

    row: dict[str, Any] = {
        "what": title(one),
        "pairs": len(one.pairs),
        "same": sum(pair.first == pair.second for pair in one.pairs),
        "notes": "; ".join(one.notes),
    }
    for name in ("linear", "quadratic"):
        kappa = getattr(one, name)
        if kappa is not None:
            row[f"kappa_{name}"] = _between(kappa.value, kappa.interval95, ".2f")
    return row


def _between(value: float, ends: tuple[float, float], form: str) -> str:
    return f"{value:{form}} ({ends[0]:{form}} to {ends[1]:{form}})"


def _csv(found: "Agreement") -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, _COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_rows(found))
    return stream.getvalue().encode()


def _print(found: "Agreement") -> None:
    from rich.console import Console
    from rich.table import Table

    first, second = found.readers
    who = f"{first} twice" if found.by_one_reader else f"{first} and {second}"
    typer.echo(
        f"{who}: {_several(found.studies, 'study', 'studies')}, "
        f"{_several(len(found.lesions), 'lesion', 'lesions')} marked by both"
    )
    for title, columns, rows in (
        (
            "Quantities (95 % interval); bias is second less first, RC the repeatability",
            ("icc_absolute", "icc_consistency", "bias", "limits_of_agreement", "rc"),
            [_quantity_row(one) for one in found.quantities],
        ),
        (
            "Classes (95 % interval)",
            ("same", "kappa_linear", "kappa_quadratic"),
            [_class_row(one) for one in found.classes],
        ),
    ):
        if not rows:
            continue
        table = Table(title=title, title_justify="left")
        table.add_column("what")
        table.add_column("pairs", justify="right")
        for name in columns:
            table.add_column(_HEADINGS[name])
        for row in rows:
            unit = f" [{row['unit']}]" if row.get("unit") else ""
            cells = [str(row.get(name, "none")) for name in columns]
            table.add_row(f"{row['what']}{unit}", str(row["pairs"]), *cells)
        Console(highlight=False, markup=False).print(table)
        _print_notes(rows)
    for reader, label in found.alone:
        output.print_line(f"marked by {reader} alone: {label}")
    for note in found.notes:
        output.print_line(note)


_HEADINGS = {
    "icc_absolute": "ICC(A,1)",
    "icc_consistency": "ICC(C,1)",
    "bias": "bias",
    "limits_of_agreement": "limits of agreement",
    "rc": "RC",
    "same": "same class",
    "kappa_linear": "kappa, linear",
    "kappa_quadratic": "kappa, quadratic",
}


def _several(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _print_notes(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        notes = row["notes"].split("; ") if row["notes"] else []
        for note in notes[:_MOST_NOTES]:
            output.print_line(f"  {row['what']}: {note}")
        if len(notes) > _MOST_NOTES:
            output.print_line(f"  {row['what']}: and {len(notes) - _MOST_NOTES} more")
