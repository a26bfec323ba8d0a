"""The verb that compares: compare."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osteotrace.cli import comparison_tables, options, output
from osteotrace.cli.options import Json
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.reading.comparing import ComparisonReading

Folder = Path | None
# What --tables writes.
_TABLES = ("comparison.csv", "comparison.parquet")


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PRE POST [MORE...]",
            help="Studies of one patient: folders, zips, saved records, or with --in "
            "their StudyInstanceUIDs.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the report as a HTML page."),
    ] = None,
    tables: Annotated[
        Path | None,
        typer.Option("--tables", metavar="DIR", help="Write CSV and Parquet tables."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="DIR",
            help="Write the comparison as a DICOM SR, with its registrations.",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            metavar="NAME|FILE",
            help="What to measure in studies without a saved reading: once for all, or "
            "once a study in their order.",
        ),
    ] = None,
    facts: Annotated[
        Path | None,
        typer.Option(
            "--facts", metavar="FILE", help="Clinical facts (TOML): each date is staged."
        ),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option("--records", metavar="DIR", help="Saved readings of the studies."),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks", metavar="PATH", help="Labels that a protocol names; see measure."
        ),
    ] = None,
    tree: Annotated[
        Path | None,
        typer.Option("--in", metavar="TREE", help="Where study UIDs are looked up."),
    ] = None,
    reader: Annotated[
        str,
        typer.Option(
            "--reader",
            metavar="NAME",
            help="Whose readings are compared, and who compares.",
        ),
    ] = "",
    repeatability: Annotated[
        Path | None,
        typer.Option(
            "--repeatability", metavar="FILE", help="The site's own coefficients (JSON)."
        ),
    ] = None,
    confirm: Annotated[
        list[str] | None,
        typer.Option(
            "--confirm",
            metavar="EARLIER=LATER",
            help="Two findings are one lesion: labels or tracking UIDs; repeatable.",
        ),
    ] = None,
    refuse: Annotated[
        list[str] | None,
        typer.Option(
            "--refuse", metavar="EARLIER=LATER", help="Two findings are two lesions."
        ),
    ] = None,
    accept_flag: Annotated[
        list[str] | None,
        typer.Option(
            "--accept-flag",
            metavar="WORDS",
            help="Compare values in spite of the doubts that hold these words.",
        ),
    ] = None,
    other_patient: Annotated[
        bool,
        typer.Option("--other-patient", help="Two patient identifiers are one patient."),
    ] = False,
    registration: Annotated[
        bool,
        typer.Option(
            "--registration/--no-registration", help="Lay the studies over each other."
        ),
    ] = True,
    carry: Annotated[
        bool,
        typer.Option(
            "--carry/--no-carry",
            help="Look for lesions that a later reading does not speak of.",
        ),
    ] = True,
    json: Json = False,
) -> int:
    """Compare studies of one patient: lesions matched, their change, the timeline."""
    from osteotrace.reading import comparing

    _check_places(out, tables, save)
    both = set(confirm or ()) & set(refuse or ())
    if both:
        raise OsteotraceError(
            f"{', '.join(sorted(both))} confirmed and refused",
            expected="one lesion, or two",
            advice="leave out --confirm or --refuse",
            usage=True,
        )
    with options.progress("comparing") as tell:
        found = comparing.compare(
            *paths,
            protocols=protocol or (),
            records=records,
            masks=masks,
            tree=tree,
            facts=facts,
            confirmed=[_pair(words, "--confirm") for words in confirm or ()],
            refused=[_pair(words, "--refuse") for words in refuse or ()],
            repeatability=repeatability,
            accepted_flags=accept_flag or (),
            reader=reader,
            allow_two_patients=other_patient,
            register=registration,
            carry=carry,
            progress=tell,
        )
    if json:
        from osteotrace.comparison.json_records import to_json

        typer.echo(to_json(found.comparison), nl=False)
    else:
        comparison_tables.show(found.comparison)
        output.print_statement()
    failures = [*found.failures, *_written(found, out, tables, save, quiet=json)]
    for failure in failures:
        output.print_error(failure, as_json=json)
    return 1 if failures else 0


def _check_places(out: Folder, tables: Folder, save: Folder) -> None:
    """Refuse places that are taken, or where nothing can be written, before the work."""
    for folder in (tables, save):
        _check_free(folder if folder is not None and not folder.is_dir() else None)
    of_tables = () if tables is None else (tables / one for one in _TABLES)
    for file in (out, *of_tables):
        _check_free(file)
    for place in filter(None, (out, tables, save)):
        here = place.absolute()
        above = next(one for one in (here, *here.parents) if one.exists())
        if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
            raise OsteotraceError(
                f"{above} that cannot be written to",
                expected="a folder with the right to write",
                advice="choose another place",
                where=str(place),
                usage=True,
            )


def _check_free(file: Path | None) -> None:
    """Refuse a place that is taken before the work is done."""
    if file is not None and file.exists():
        raise OsteotraceError(
            "something of that name",
            expected="a new file",
            advice="choose another name: nothing is overwritten",
            where=str(file),
            usage=True,
        )


def _pair(words: str, option: str) -> tuple[str, str]:
    earlier, _, later = words.partition("=")
    if not (earlier.strip() and later.strip()):
        raise OsteotraceError(
            repr(words),
            expected="a finding of the earlier study, =, and one of the later",
            advice="write it as PAL-1=PAL-2",
            where=option,
            usage=True,
        )
    return earlier.strip(), later.strip()


def _written(
    found: "ComparisonReading", out: Folder, tables: Folder, save: Folder, *, quiet: bool
) -> list[OsteotraceError]:
    """Write what was asked for; return why something could not be."""
    from osteotrace.reading.comparing.saving import save as save_records
    from osteotrace.reports import comparison as reports

    def page() -> tuple[Path, ...]:
        assert out is not None
        pictures = reports.key_pictures(found.comparison, found.volumes)
        return (reports.write_page(out, found.comparison, pictures),)

    def records() -> tuple[Path, ...]:
        assert save is not None
        return save_records(found, save)

    def table() -> tuple[Path, ...]:
        assert tables is not None
        return reports.write_tables(tables, found.comparison)

    failures = []
    for place, write in ((out, page), (tables, table), (save, records)):
        if place is None:
            continue
        try:
            files = write()
        except OsteotraceError as problem:
            failures.append(problem)
            continue
        except OSError as problem:
            # One place that fails takes nothing from the others.
            why = problem.strerror or str(problem)
            failures.append(
                OsteotraceError(
                    f"a place that cannot be written to ({why})",
                    expected="a folder with room and the right to write",
                    advice="choose another place or make room",
                    where=str(place),
                )
            )
            continue
        for file in () if quiet else files:
            typer.echo(f"Written: {file}")
    return failures
