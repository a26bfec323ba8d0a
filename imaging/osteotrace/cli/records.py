"""The verb that turns a saved assessment into another format: export."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from osteotrace.cli import output
from osteotrace.cli.options import Json
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.reports.export import Form


class Format(StrEnum):
    """What file an assessment can be exported to."""

    CSV = "csv"
    JSON = "json"
    TEXT = "text"
    PARAGRAPH = "paragraph"
    MARKUPS = "markups"


class Profile(StrEnum):
    """Which viewer DICOM objects are written for."""

    OHIF = "ohif"
    SLICER = "slicer"


def export(
    record: Annotated[
        Path,
        typer.Argument(
            metavar="RECORD",
            help="A saved assessment, JSON or DICOM SR, or an SR, SEG or Slicer markups "
            "file of other software.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="PATH", help="New file; with --profile a folder."),
    ],
    format: Annotated[
        Format | None,
        typer.Option("--format", help="What file to write.", show_default=False),
    ] = None,
    profile: Annotated[
        Profile | None,
        typer.Option(
            "--profile",
            help="Write what a viewer shows, as DICOM objects; needs --images.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="PATH", help="The study that was read."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a saved assessment as a file for others, or for OHIF or 3D Slicer."""
    from osteotrace.records import assessments
    from osteotrace.reports import export as exports
    from osteotrace.series import scan

    form = _form(format, profile)
    catalogue = None if images is None else scan(images)
    assessment = assessments.read(record, images=catalogue)
    written = exports.export(
        assessment,
        out,
        form=form,
        images=catalogue,
        record=record if profile is not None and record.suffix == ".dcm" else None,
    )
    if json:
        files = [str(file) for file in written]
        done = {"files": files, "format": form}
        output.print_json({**done, "assessment_uid": assessment.assessment_uid})
        return
    for file in written:
        typer.echo(f"{file}: {form} of {len(assessment.findings)} finding(s)")
    for line in assessment.not_understood:
        output.print_line(f"not understood: {line}")


def _form(format: Format | None, profile: Profile | None) -> "Form":
    if (format is None) == (profile is None):
        raise OsteotraceError(
            "both --format and --profile" if format else "neither --format nor --profile",
            expected="one of them",
            advice="choose a file (--format) or a viewer (--profile)",
            usage=True,
        )
    if profile is not None:
        return _VIEWERS[profile]
    assert format is not None
    return _FILES[format]


_FILES: "Final[dict[Format, Form]]" = {
    Format.CSV: "csv",
    Format.JSON: "json",
    Format.TEXT: "text",
    Format.PARAGRAPH: "paragraph",
    Format.MARKUPS: "markups",
}
_VIEWERS: "Final[dict[Profile, Form]]" = {
    Profile.OHIF: "ohif",
    Profile.SLICER: "slicer",
}
