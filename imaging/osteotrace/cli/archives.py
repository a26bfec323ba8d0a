"""Verbs that speak to an archive of images (PACS): query, fetch and send."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osteotrace.about import SOFTWARE_NAME
from osteotrace.cli import options, output
from osteotrace.cli.options import Json
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.pacs import StudyFound
    from osteotrace.pacs.ledger import Row
    from osteotrace.pacs.worklist import Wanted

ArchiveName = Annotated[
    str,
    typer.Option("--archive", metavar="NAME", help="An archive of the file of archives."),
]
ArchivesFile = Annotated[
    Path | None,
    typer.Option(
        "--archives",
        metavar="FILE",
        help="The file of archives (TOML). [default: archives.toml of your settings]",
        show_default=False,
    ),
]
# A list that one can look through.
DEFAULT_LIMIT = 100


def query(
    archive: ArchiveName,
    patient_id: Annotated[
        str,
        typer.Option("--patient-id", metavar="ID", help="PatientID; * and ? allowed."),
    ] = "",
    patient_name: Annotated[
        str,
        typer.Option(
            "--patient-name", metavar="NAME", help="Family^Given; * and ? allowed."
        ),
    ] = "",
    accession: Annotated[
        str, typer.Option("--accession", metavar="NUMBER", help="Accession number.")
    ] = "",
    study: Annotated[
        str, typer.Option("--study", metavar="UID", help="StudyInstanceUID.")
    ] = "",
    date_from: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="First study date.")
    ] = "",
    date_to: Annotated[
        str, typer.Option("--to", metavar="YYYY-MM-DD", help="Last study date.")
    ] = "",
    modality: Annotated[
        str, typer.Option("--modality", metavar="CT|MR|…", help="One of the study's.")
    ] = "",
    description: Annotated[
        str,
        typer.Option(
            "--description", metavar="TEXT", help="Study description; * and ? allowed."
        ),
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="Most studies to list.")
    ] = DEFAULT_LIMIT,
    identities: Annotated[
        bool, typer.Option("--identities", help="Name the patients.")
    ] = False,
    worklist: Annotated[
        Path | None,
        typer.Option("--worklist", metavar="FILE", help="Write a worklist for fetch."),
    ] = None,
    archives: ArchivesFile = None,
    json: Json = False,
) -> None:
    """List the studies of an archive that fit, newest first."""
    from osteotrace import pacs

    asked = pacs.Query(
        study_uid=study,
        patient_id=patient_id,
        patient_name=patient_name,
        accession_number=accession,
        date_from=date_from,
        date_to=date_to,
        modality=modality,
        description=description,
        limit=limit,
    )
    with pacs.connect(pacs.named(archive, archives)) as connection:
        found = connection.find(asked)
    if worklist is not None:
        _write_worklist(worklist, found)
    if json:
        output.print_json([_as_json(one, identities=identities) for one in found])
    else:
        _print_studies(found, identities=identities)
        if len(found) == limit:
            typer.echo(f"The first {limit}; there may be more (--limit).")


def fetch(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder that gets a folder a study."),
    ],
    archive: ArchiveName,
    worklist: Annotated[
        Path | None,
        typer.Argument(
            metavar="WORKLIST",
            help="CSV with a column study_uid, accession_number or patient_id (and date, "
            "modality, series_uid).",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        list[str] | None,
        typer.Option("--study", metavar="UID", help="A study; repeatable."),
    ] = None,
    archives: ArchivesFile = None,
    json: Json = False,
) -> int:
    """Fetch studies from an archive: each whole or not at all; call again to go on."""
    from osteotrace import pacs
    from osteotrace.pacs import lists

    wanted = _wanted(worklist, study or [])
    with (
        pacs.connect(pacs.named(archive, archives)) as connection,
        options.progress("fetching studies") as tell,
    ):
        rows = lists.fetch_all(connection, wanted, out, progress=tell)
    got = [row for row in rows if row["status"] == lists.FETCHED]
    if not json:
        instances = sum(int(row["n_instances"]) for row in got)
        typer.echo(f"{len(got)} studies with {instances} instances in {out}")
        typer.echo(f"  {out / lists.FETCHED_FILE}")
    return _told(rows, as_json=json)


def send(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="DICOM files, or folders of which every DICOM file is sent.",
            show_default=False,
        ),
    ],
    archive: ArchiveName,
    ledger: Annotated[
        Path | None,
        typer.Option(
            "--ledger", metavar="FILE", help="Write what became of each study (CSV)."
        ),
    ] = None,
    archives: ArchivesFile = None,
    json: Json = False,
) -> int:
    """Send files to an archive, read each back and compare; call again to go on."""
    from osteotrace import pacs
    from osteotrace.pacs import lists
    from osteotrace.pacs.ledger import FAILED

    with (
        pacs.connect(pacs.named(archive, archives)) as connection,
        options.progress("sending studies") as tell,
    ):
        rows = lists.send_all(connection, paths, ledger=ledger, progress=tell)
    if not json:
        for row in rows:
            if row["status"] != FAILED:
                typer.echo(
                    f"study {row['study_uid']}: {row['n_sent']} sent and read back, "
                    f"{row['n_already_there']} already there"
                )
    return _told(rows, as_json=json)


def _wanted(worklist: Path | None, studies: list[str]) -> "tuple[Wanted, ...]":
    from osteotrace.pacs.worklist import Wanted, read

    if (worklist is None) == (not studies):
        raise OsteotraceError(
            "both a worklist and --study"
            if studies
            else "neither a worklist nor --study",
            expected="one of them",
            advice="name a CSV file, or studies by --study UID",
            usage=True,
        )
    if worklist is not None:
        return read(worklist)
    # As if they stood in a file below its header.
    return tuple(
        Wanted(line=line, study_uid=uid) for line, uid in enumerate(studies, start=2)
    )


def _told(rows: "tuple[Row, ...]", *, as_json: bool) -> int:
    """Print the lines of a ledger, failures on standard error; return the exit code."""
    from osteotrace.pacs.ledger import FAILED

    failed = [row for row in rows if row["status"] == FAILED]
    if as_json:
        output.print_json(list(rows))
    for row in failed if not as_json else ():
        line, uid = row.get("line", ""), row["study_uid"]
        # A file that is no DICOM is of no study: its reason names it.
        name = f"study {uid}: " if uid else f"line {line}: " if line else ""
        typer.echo(f"{SOFTWARE_NAME}: {name}{_printable(row['reason'])}", err=True)
    return 1 if failed else 0


def _write_worklist(file: Path, found: "tuple[StudyFound, ...]") -> None:
    from osteotrace.records.store import write_once
    from osteotrace.reports import tables

    rows = [{"study_uid": one.study_uid, "date": one.date} for one in found]
    write_once(file, tables.to_csv(rows, ("study_uid", "date")).encode("utf-8"))


def _as_json(one: "StudyFound", *, identities: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "study_uid": one.study_uid,
        "patient": one.patient,
        "date": one.date,
        "time": one.time,
        "description": one.description,
        "modalities": list(one.modalities),
        "n_series": one.n_series,
        "n_instances": one.n_instances,
    }
    if identities:
        shown |= {
            "patient_id": one.patient_id,
            "issuer": one.issuer,
            "patient_name": one.patient_name,
            "birth_date": one.birth_date,
            "accession_number": one.accession_number,
        }
    return shown


def _print_studies(found: "tuple[StudyFound, ...]", *, identities: bool) -> None:
    """Print two lines a study: a UID takes half a terminal, and is copied whole."""
    for one in found:
        who = (one.patient_id, one.patient_name) if identities else (one.patient,)
        cells = (
            *who,
            one.date or "no date",
            " ".join(one.modalities),
            f"{one.n_instances} images" if one.n_instances else "",
            one.description,
        )
        typer.echo("  ".join(filter(None, map(_printable, cells))))
        typer.echo(f"  {_printable(one.study_uid)}")
    typer.echo(f"{len(found)} {'study' if len(found) == 1 else 'studies'}")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
