"""Verbs that look at images: scan and convert."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osteotrace.cli import options, output
from osteotrace.cli.options import DicomPath, Json, SeriesUid, VolumeNumber
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.series import Catalogue, VolumeHeader

FORMATS = (".nrrd", ".nii", ".nii.gz")


def scan(
    path: DicomPath,
    identities: Annotated[
        bool, typer.Option("--identities", help="Show PatientID, not its pseudonym.")
    ] = False,
    json: Json = False,
) -> int:
    """List patients, studies, series and volumes, with each one's geometry verdict."""
    from osteotrace import series

    catalogue = series.scan(path)
    if json:
        output.print_json([s.as_dict(identities=identities) for s in catalogue])
    else:
        _print_catalogue(catalogue, identities=identities)
    return _report_damaged(catalogue, as_json=json)


def _print_catalogue(catalogue: "Catalogue", *, identities: bool) -> None:
    study = ""
    for one in catalogue:
        who = one.identity
        if who.study_uid != study:
            study = who.study_uid
            patient = who.patient_id if identities else who.patient
            typer.echo(f"{patient}  study of {who.date or 'no date'}  {study}")
        typer.echo(f"  {who.modality or '--'}  {who.description!r}  {who.series_uid}")
        for note in one.notes:
            typer.echo(f"      note: {note}")
        for volume in one.volumes:
            typer.echo(f"      {_volume_line(volume)}")
    other = sum(not file.damaged for file in catalogue.skipped)
    if other:
        typer.echo(f"{other} other file(s) there are not DICOM images")


def _volume_line(volume: "VolumeHeader") -> str:
    fields: dict[str, Any] = volume.as_dict()
    spacing = fields["pixel_spacing_mm"]
    gaps = " and ".join(f"{n} × {gap}" for gap, n in fields["slice_gaps_mm"].items())
    words = [
        f"volume {volume.k}: {fields['n_slices']} × {fields['rows']} × "
        f"{fields['columns']}",
        "no spacing" if spacing is None else f"{spacing[0]:g} × {spacing[1]:g} mm pixels",
    ]
    if gaps:
        words.append(f"gaps {gaps} mm")
    if volume.kind:
        words.append(volume.kind)
    return f"{', '.join(words)}: {', '.join(volume.verdicts)}"


def _report_damaged(catalogue: "Catalogue", *, as_json: bool) -> int:
    damaged = [file for file in catalogue.skipped if file.damaged]
    for file in damaged:
        problem = OsteotraceError(
            file.reason,
            expected="a readable DICOM file",
            advice="fetch it again from its source",
            where=str(file.path),
        )
        output.print_error(problem, as_json=as_json)
    return 1 if damaged else 0


def convert(
    path: DicomPath,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help=f"New file: {', '.join(FORMATS)}."),
    ],
    series: SeriesUid = None,
    volume: VolumeNumber = None,
    json: Json = False,
) -> None:
    """Write one volume as NRRD or NIfTI, rescaled, its LPS geometry kept."""
    from osteotrace.records import store
    from osteotrace.volume import write_image

    if not out.name.endswith(FORMATS):
        raise OsteotraceError(
            f"the file name {out.name!r}",
            expected="a name that ends in " + ", ".join(FORMATS),
            advice="choose one of these formats",
            where="--out",
            usage=True,
        )
    loaded = options.load(path, series, volume)
    with store.new_file(out) as draft:
        write_image(loaded, draft)
    done = {
        "file": str(out),
        "series_uid": loaded.identity.series_uid,
        "shape": list(loaded.grid.shape),
        "spacing_mm": loaded.grid.spacing.tolist(),
        "unit": loaded.unit,
        "resampled": False,
    }
    if json:
        output.print_json(done)
    else:
        sizes = " × ".join(str(n) for n in loaded.grid.shape)
        typer.echo(f"{out}: {sizes} voxels, not resampled")
