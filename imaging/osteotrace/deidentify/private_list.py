"""The list of old files and what became of them: for whoever may see both."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.records.store import write_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from osteotrace.deidentify.tree import Deidentified

COLUMNS: Final = ("file", "became", "left_out_because", "detail")
# A cell that begins so is a formula to spreadsheets.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def check_place(place: Path, out: Path) -> None:
    """Refuse a place for the list where it would be passed on, or that is taken.

    Raises
    ------
    OsteotraceError
    """
    if out.resolve() in place.resolve().parents:
        raise OsteotraceError(
            "a private list inside the result",
            expected="a place that is not passed on",
            advice="choose another --private-list",
            usage=True,
        )
    if place.exists():
        raise OsteotraceError(
            "a private list that exists",
            expected="a new file",
            advice="choose another --private-list, or move the old one away",
            usage=True,
        )


def write_list(place: Path, done: Deidentified) -> Path:
    """Write the list, readable by its owner alone; errors as `write_once`."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in sorted(_rows(done)):
        table.writerow(
            [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row]
        )
    return write_once(place, stream.getvalue().encode("utf-8", "surrogateescape"))


def _rows(done: Deidentified) -> Iterator[tuple[str, str, str, str]]:
    for source, made in done.written:
        yield str(source), str(made), "", ""
    for one in done.refused:
        yield str(one.path), "", one.reason, one.detail
