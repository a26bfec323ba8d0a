"""The verb that turns a saved assessment into another format: export."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osteotrace.cli import output
from osteotrace.cli.options import Json

if TYPE_CHECKING:
    from osteotrace.findings import Assessment


class Format(StrEnum):
    """What an assessment can be exported to."""

    CSV = "csv"
    JSON = "json"
    TEXT = "text"
    SLICER = "slicer"


def export(
    record: Annotated[
        Path,
        typer.Argument(
            metavar="RECORD",
            help="A saved assessment: JSON or DICOM SR.",
            show_default=False,
        ),
    ],
    format: Annotated[
        Format, typer.Option("--format", help="What to write.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="New file.")],
    json: Json = False,
) -> None:
    """Write a saved assessment as CSV, JSON, text or 3D Slicer markups."""
    from osteotrace.records import assessments, store

    assessment = assessments.read(record)
    store.write_once(out, _content(assessment, format))
    if json:
        done = {"file": str(out), "format": format.value}
        output.print_json({**done, "assessment_uid": assessment.assessment_uid})
    else:
        typer.echo(f"{out}: {format.value} of {len(assessment.findings)} finding(s)")


def _content(assessment: "Assessment", form: Format) -> bytes:
    from osteotrace import findings
    from osteotrace.reports import markups, tables, text

    if form is Format.JSON:
        return findings.to_json(assessment)
    if form is Format.CSV:
        return tables.to_csv(tables.rows(assessment)).encode()
    if form is Format.TEXT:
        return text.report(assessment).encode()
    return markups.to_markups(assessment).encode()
