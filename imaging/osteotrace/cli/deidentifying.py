"""The verb that takes identities out of studies and readings: deidentify."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osteotrace.cli import output
from osteotrace.cli.options import Json, progress
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.deidentify import Deidentified


def deidentify(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A DICOM file, or a folder of studies with their readings.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="New folder for the result."),
    ],
    secret_file: Annotated[
        Path,
        typer.Option(
            "--secret-file",
            metavar="FILE",
            help="A secret of your own, 16 bytes or more: it maps UIDs and names, the "
            "same ones every time.",
        ),
    ],
    keep_dates: Annotated[
        bool, typer.Option("--keep-dates", help="Keep dates and times as they are.")
    ] = False,
    shift_dates: Annotated[
        bool,
        typer.Option(
            "--shift-dates",
            help="Move all dates of a patient back by the same number of weeks.",
        ),
    ] = False,
    keep_device: Annotated[
        bool,
        typer.Option("--keep-device", help="Keep serial number, station and software."),
    ] = False,
    keep_patient: Annotated[
        bool,
        typer.Option(
            "--keep-patient-characteristics", help="Keep sex, age, size and weight."
        ),
    ] = False,
    allow_burned_in: Annotated[
        bool,
        typer.Option(
            "--allow-burned-in",
            help="Take images with text burned in, and secondary captures: their pixels "
            "stay as they are.",
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Take up a run that was interrupted.")
    ] = False,
    private_list: Annotated[
        Path | None,
        typer.Option(
            "--private-list",
            metavar="FILE",
            help="New CSV of every file and what became of it. It names the old files: "
            "keep it as you keep them.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """De-identify CT, MR, SR, SEG and registrations (PS3.15 Annex E); pixels stay."""
    from osteotrace.deidentify import Options, deidentify_tree, read_secret
    from osteotrace.deidentify.private_list import check_place, write_list

    if keep_dates and shift_dates:
        raise OsteotraceError(
            "both --keep-dates and --shift-dates",
            expected="one of them, or neither: then dates are removed",
            advice="leave one out",
            usage=True,
        )
    secret = read_secret(secret_file)
    if private_list is not None:
        check_place(private_list, out)
    options = Options(
        dates="keep" if keep_dates else "shift" if shift_dates else "remove",
        device=keep_device,
        patient=keep_patient,
        burned_in=allow_burned_in,
    )
    with progress("de-identifying") as tell:
        done = deidentify_tree(path, out, secret, options, resume=resume, progress=tell)
    if private_list is not None:
        write_list(private_list, done)
    _print(done, as_json=json, listed=private_list is not None)
    if done.refused:
        raise typer.Exit(1)


def _print(done: "Deidentified", *, as_json: bool, listed: bool) -> None:
    """Print counts and reasons; a name or path of a source is never among them."""
    from osteotrace.reports.shown.cards import counted

    if as_json:
        output.print_json(done.as_dict())
        return
    typer.echo(
        f"{counted(done.studies, 'study', 'studies')}, "
        f"{done.objects} images and other objects, {counted(done.records, 'record')}"
        + (
            f"; there already: {counted(done.already, 'study', 'studies')}"
            if done.already
            else ""
        )
    )
    if done.lost_facts:
        typer.echo(
            f"{done.lost_facts} facts left out of readings: without their dates they "
            "would hold at every date"
        )
    if done.lost_predecessors:
        typer.echo(f"{done.lost_predecessors} amendments of records that are not here")
    for reason, count in done.reasons.items():
        typer.echo(f"left out {count}: {reason}", err=True)
    if done.refused and not listed:
        typer.echo("--private-list FILE tells which files were left out", err=True)
    typer.echo(
        "Pixels are as they were: text burned into them, and faces that head scans "
        "show, are not removed."
    )
