"""Verbs that look at images: scan and convert."""

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osteotrace.cli import options, output
from osteotrace.cli.options import AllowGaps, DicomPath, Json, SeriesUid, VolumeNumber
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.series import Catalogue, Series, VolumeHeader

# A presentation state may name hundreds of instances.
MAX_REFERENCES = 5
FORMATS = (".nrrd", ".nii", ".nii.gz")


def scan(
    path: DicomPath,
    identities: Annotated[
        bool, typer.Option("--identities", help="Show PatientID, not its pseudonym.")
    ] = False,
    index: Annotated[
        bool,
        typer.Option("--index/--no-index", help="Use the cache of headers, or do not."),
    ] = True,
    json: Json = False,
) -> int:
    """List patients, studies, series and volumes, with each one's geometry verdict."""
    catalogue = options.scan(path, index=index)
    if json:
        output.print_json([s.as_dict(identities=identities) for s in catalogue])
    else:
        _print_catalogue(catalogue, identities=identities)
    return _report_damaged(catalogue, as_json=json)


def _print_catalogue(catalogue: "Catalogue", *, identities: bool) -> None:
    study: tuple[str, str] | None = None
    for one in catalogue:
        who = one.identity
        if (who.patient_id, who.study_uid) != study:
            study = (who.patient_id, who.study_uid)
            patient = who.patient_id if identities else who.patient
            words = [patient, f"study of {who.date or 'no date'}", who.study_description]
            output.print_line("  ".join([*filter(None, words), who.study_uid]))
        output.print_line(
            f"  {who.modality or '--'}  {who.description!r}  {who.series_uid}"
        )
        for volume in one.volumes:
            output.print_line(f"    {_volume_line(volume)}")
        for line in _remarks(one):
            output.print_line(f"      {line}")
    for name, stations in catalogue.exams.items():
        output.print_line(f"exam {name}")
        for station in stations:
            output.print_line(f"  {station.identity.series_uid}")
    _print_summary(catalogue)


def _volume_line(volume: "VolumeHeader") -> str:
    """Return one volume: the verdict first, then its size, spacing and kind."""
    from osteotrace.series.wording import verdict_in_words

    fields: dict[str, Any] = volume.as_dict()
    words = [f"{verdict_in_words(volume):<30}", f"volume {volume.k}"]
    if fields["rows"]:
        words.append(f"{fields['n_slices']} × {fields['rows']} × {fields['columns']}")
    if volume.grid is not None:
        sizes = (f"{mm:.4g}" for mm in volume.grid.spacing if not math.isnan(mm))
        words.append(" × ".join(sizes) + " mm")
    words.append(volume.kind)
    return "  ".join(filter(None, words))


def _remarks(series: "Series") -> list[str]:
    notes = dict.fromkeys(note for volume in series.volumes for note in volume.notes)
    lines = [f"note: {note}" for note in dict.fromkeys([*series.notes, *notes])]
    shown = series.refers_to[:MAX_REFERENCES]
    lines += [f"refers to {uid}" for uid in shown]
    if len(series.refers_to) > len(shown):
        lines.append(f"and to {len(series.refers_to) - len(shown)} more")
    return lines


def _print_summary(catalogue: "Catalogue") -> None:
    volumes = [volume for series in catalogue for volume in series.volumes]
    good = sum(volume.measurable for volume in volumes)
    output.print_line(
        f"{len(catalogue)} series with {len(volumes)} volumes, {good} can be measured"
    )
    others = Counter(file.reason for file in catalogue.skipped if not file.damaged)
    for reason, count in others.most_common():
        output.print_line(f"left out: {count} × {reason}")


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
    allow_gaps: AllowGaps = False,
    json: Json = False,
) -> None:
    """Write one volume as NRRD or NIfTI, rescaled, its LPS geometry kept.

    A tilted or unevenly spaced one is resampled onto a straight grid first.
    """
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
    loaded = options.load(path, series, volume, allow_gaps=allow_gaps)
    with store.new_file(out) as draft:
        written = write_image(loaded, draft)
    done = {
        "file": str(out),
        "series_uid": written.identity.series_uid,
        "shape": list(written.grid.shape),
        "spacing_mm": written.grid.spacing.tolist(),
        "unit": written.unit,
        "resampled": written is not loaded,
        "notes": list(written.notes),
    }
    if json:
        output.print_json(done)
        return
    sizes = " × ".join(str(n) for n in written.grid.shape)
    how = "resampled" if written is not loaded else "not resampled"
    output.print_line(f"{out}: {sizes} voxels, {how}")
    for note in written.notes:
        output.print_line(f"  {note}")
