"""Verbs that measure: caliper and measure."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osteotrace.cli import options, output
from osteotrace.cli.options import (
    AllowGaps,
    DicomPath,
    Json,
    SeriesUid,
    Unit,
    VolumeNumber,
)
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, Finding
    from osteotrace.protocol import Protocol
    from osteotrace.protocol.outcomes import Pictures
    from osteotrace.reading.case_facts import CaseFacts
    from osteotrace.series import Catalogue, SeriesIdentity

DEFAULT_PROTOCOL = "sample_maxilla"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call of ``measure`` asks of every study."""

    protocol: "Protocol"
    masks: Path | None
    reader: str
    facts: "CaseFacts | None"
    allow_gaps: bool
    records: bool | None
    pictures: "Pictures | None"


class EachPicture(StrEnum):
    """What there is a picture of."""

    FINDING = "finding"
    CASE = "case"
    NONE = "none"


class BetweenEdges(StrEnum):
    """What a caliper's two edges bound."""

    AUTO = "auto"
    GAP = "gap"
    STRUCTURE = "structure"


class EdgeWalls(StrEnum):
    """What a caliper's walls must be."""

    ANY = "any"
    BONE = "bone"


def caliper(
    path: DicomPath,
    start: Annotated[
        str, typer.Option("--from", metavar="X,Y,Z", help="One rough point, LPS mm.")
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="X,Y,Z", help="The other rough point, LPS mm.")
    ],
    snap: Annotated[
        bool,
        typer.Option("--snap/--no-snap", help="Fit the edges, or keep the points."),
    ] = True,
    between: Annotated[
        BetweenEdges,
        typer.Option("--between", help="What lies between the two edges."),
    ] = BetweenEdges.AUTO,
    walls: Annotated[
        EdgeWalls,
        typer.Option("--walls", help="With 'bone', a wall of soft tissue is flagged."),
    ] = EdgeWalls.ANY,
    series: SeriesUid = None,
    volume: VolumeNumber = None,
    allow_gaps: AllowGaps = False,
    unit: Unit = None,
    json: Json = False,
) -> int:
    """Measure one distance in mm, with its uncertainty, between two edges."""
    from osteotrace import findings, reading

    a, b = options.point(start, "--from"), options.point(end, "--to")
    loaded = options.load(path, series, volume, allow_gaps=allow_gaps, unit=unit)
    result = reading.caliper(
        loaded, a, b, snap=snap, between=between.value, walls=walls.value
    )
    label = "caliper"
    tracking = reading.tracking_uid(loaded.identity.study_uid, f"{label} {a} {b}")
    finding = reading.caliper_finding(result, tracking_uid=tracking, label=label)
    assessment = reading.assess([loaded], [finding])
    error = output.refused(finding)
    if json:
        typer.echo(findings.to_json(assessment), nl=False)
    elif error is None:
        _print_caliper(finding, loaded.identity)
    if error is not None:
        output.print_error(error, as_json=json)
        return 1
    return 0


def _scan(identity: "SeriesIdentity") -> str:
    """Return which scan was measured, in words and without the patient's name."""
    series = repr(identity.description) if identity.description else "series"
    date = identity.date or "no date"
    return f"{identity.modality or 'image'} {series} of {identity.patient}, {date}"


def _print_caliper(finding: "Finding", identity: "SeriesIdentity") -> None:
    from osteotrace.measurements.measurement import Measurement
    from osteotrace.regions import extent
    from osteotrace.reports import text

    for reading in finding.measurements:
        for line in text.lines(reading):
            typer.echo(line)
        if reading is finding.measurements[0] and isinstance(reading, Measurement):
            typer.echo(f"  {reading.definition}")
    region = finding.regions[0]
    for end, (x, y, z) in zip(("from", "to"), extent(region), strict=True):
        typer.echo(f"{end} {x:.2f},{y:.2f},{z:.2f} (LPS mm, {region.role})")
    typer.echo(f"on {_scan(identity)}")
    output.print_statement()


def measure(
    path: DicomPath,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="New folder for everything written."),
    ],
    protocol: Annotated[
        str,
        typer.Option("--protocol", metavar="NAME|FILE", help="What to measure (TOML)."),
    ] = DEFAULT_PROTOCOL,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            metavar="PATH",
            help="Labels that the protocol names: DICOM SEG, NIfTI, NRRD, or a folder.",
        ),
    ] = None,
    reader: Annotated[
        str, typer.Option("--reader", metavar="NAME", help="Who answers for the reading.")
    ] = "",
    facts: Annotated[
        Path | None,
        typer.Option(
            "--facts",
            metavar="FILE",
            help="Clinical facts (TOML): each study is staged, and both are recorded.",
        ),
    ] = None,
    allow_gaps: AllowGaps = False,
    records: Annotated[
        bool | None,
        typer.Option(
            "--records/--no-records",
            help="Write DICOM SR and SEG. [default: of one study, not of a tree]",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        EachPicture | None,
        typer.Option(
            "--pictures",
            help="One a finding, one a case, or none. "
            "[default: a finding of one study, a case of a tree]",
            show_default=False,
        ),
    ] = None,
    worklist: Annotated[
        Path | None,
        typer.Option(
            "--worklist",
            metavar="FILE",
            help="Measure these studies only: a CSV with study_uid, as fetch writes.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Studies at once on this machine."),
    ] = None,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="Measure on a Dask cluster instead."
        ),
    ] = "",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a run that was stopped in --out."),
    ] = False,
    json: Json = False,
) -> int:
    """Measure every study below PATH by a protocol: records, tables, pictures."""
    from osteotrace import protocol as protocols
    from osteotrace import reading
    from osteotrace.batch.opening import check_place
    from osteotrace.cli import measured_trees
    from osteotrace.reading.case_facts import read_facts

    if workers is not None and scheduler:
        raise OsteotraceError(
            "both --workers and --scheduler",
            expected="workers of this machine, or a cluster that has its own",
            advice="leave one of them out",
            usage=True,
        )
    checked = protocols.read(protocol)
    stated = None if facts is None else read_facts(facts)
    check_place(out, resume=resume)
    catalogue = options.scan(path)
    asked = Asked(
        protocol=checked,
        masks=masks,
        reader=reader,
        facts=stated,
        allow_gaps=allow_gaps,
        records=records,
        pictures=None if pictures is None else pictures.value,
    )
    of_a_run = workers is not None or scheduler or resume or worklist is not None
    if not of_a_run and len(reading.by_study(catalogue)) == 1:
        return _measure_one(catalogue, out, asked, as_json=json)
    return measured_trees.measure(
        catalogue,
        out,
        asked,
        worklist=worklist,
        workers=1 if workers is None else workers,
        scheduler=scheduler,
        resume=resume,
        as_json=json,
    )


def _measure_one(
    catalogue: "Catalogue", out: Path, asked: Asked, *, as_json: bool
) -> int:
    """Measure one study: its folder appears when all of it is written, or not at all."""
    from osteotrace import findings, reading
    from osteotrace.records import store
    from osteotrace.reports import results, tables

    (study,) = reading.measure_studies(
        catalogue,
        asked.protocol,
        masks=asked.masks,
        facts=asked.facts,
        reader=asked.reader,
        allow_gaps=asked.allow_gaps,
    )
    if study.assessment is None:
        assert study.error is not None
        raise study.error
    said = asked.protocol.results
    records = said.records if asked.records is None else asked.records
    with store.new_folder(out) as draft:
        folder = draft / results.study_folder(study.assessment)
        folder.mkdir()
        files = results.write_study(
            folder,
            study.assessment,
            study.volumes,
            catalogue,
            records=records is not False,
            pictures=asked.pictures or said.pictures or "finding",
        )
        results.write_tables(draft, tables.rows(study.assessment, catalogue))
    if as_json:
        typer.echo(findings.to_json(study.assessment), nl=False)
    else:
        _print_one(study.assessment, [out / file.relative_to(draft) for file in files])
        output.print_table(out / results.TABLE)
    refusals = [output.refused(finding) for finding in study.assessment.findings]
    for error in filter(None, refusals):
        output.print_error(error, as_json=as_json)
    return 1 if any(refusals) else 0


def _print_one(assessment: "Assessment", files: "list[Path]") -> None:
    output.print_findings(assessment)
    for staging in assessment.stagings:
        typer.echo(f"  {staging}")
    for file in files:
        typer.echo(f"  {file}")
