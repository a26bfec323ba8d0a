"""Verbs that measure: caliper and measure."""

import json as json_text
from dataclasses import dataclass, replace
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
    from collections.abc import Iterator

    from osteotrace.findings import Assessment, Finding
    from osteotrace.reading import StudyReading
    from osteotrace.reading.case_facts import CaseFacts
    from osteotrace.reports.results import Results
    from osteotrace.series import SeriesIdentity

DEFAULT_PROTOCOL = "sample_maxilla"


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
    json: Json = False,
) -> int:
    """Measure every study below PATH by a protocol: records, table, pictures."""
    from osteotrace import protocol as protocols
    from osteotrace import reading
    from osteotrace.reading.case_facts import read_facts
    from osteotrace.reports import results

    checked = protocols.read(protocol)
    stated = None if facts is None else read_facts(facts)
    studies = reading.measure_studies(path, checked, masks=masks, reader=reader)
    if stated is not None:
        studies = _staged(studies, stated)
    with results.result_folder(out) as folder:
        done = [_keep(folder, study) for study in studies]
        if not any(study.files for study in done):
            # Leaving the block by an error leaves nothing behind.
            raise _none_measured(done)
    if json:
        _print_json(done)
    else:
        _print_text(done, out)
    return _report(done, as_json=json)


def _staged(
    studies: "Iterator[StudyReading]", stated: "CaseFacts"
) -> "Iterator[StudyReading]":
    """Yield each reading with the facts and its stages in it, beside those before it."""
    from osteotrace.reading import cases

    earlier: list[Assessment] = []
    for study in studies:
        if study.assessment is None:
            yield study
            continue
        try:
            done = cases.staged(study.assessment, stated, earlier)
        except OsteotraceError as problem:
            yield replace(study, assessment=None, error=problem)
            continue
        earlier.append(done)
        yield replace(study, assessment=done)


@dataclass(frozen=True, slots=True)
class _Done:
    """One study after writing: its files, or the error that there are none."""

    study: "StudyReading"
    files: "list[Path]"
    error: OsteotraceError | None


def _keep(folder: "Results", study: "StudyReading") -> _Done:
    error = study.error
    if study.assessment is not None and study.catalogue is not None:
        try:
            files = folder.add(study.assessment, study.volumes, study.catalogue)
        except OsteotraceError as problem:
            error = problem
        else:
            # The voxels are let go, so that a tree needs the memory of one study.
            return _Done(replace(study, volumes=()), files, None)
    assert error is not None
    folder.fail(study.study_uid, study.patient, error)
    return _Done(replace(study, volumes=(), assessment=None), [], error)


def _none_measured(done: list[_Done]) -> OsteotraceError:
    errors = [study.error for study in done if study.error is not None]
    if len(errors) == 1:
        return errors[0]
    return OsteotraceError(
        f"{len(errors)} studies of which none could be measured, the first because: "
        f"{errors[0]}",
        expected="a study that the protocol fits",
        advice="check the protocol against 'osteotrace scan'; nothing was written",
    )


def _print_json(done: list[_Done]) -> None:
    """Print one assessment, or JSON Lines for a tree, failures as lines."""
    from osteotrace.findings import to_json

    if len(done) == 1 and done[0].study.assessment is not None:
        typer.echo(to_json(done[0].study.assessment), nl=False)
        return
    for one in done:
        if one.study.assessment is not None:
            line = json_text.dumps(json_text.loads(to_json(one.study.assessment)))
        else:
            assert one.error is not None
            line = json_text.dumps(
                {
                    "study_uid": one.study.study_uid,
                    "patient": one.study.patient,
                    "error": one.error.as_dict(),
                }
            )
        typer.echo(line)


def _print_text(done: list[_Done], out: Path) -> None:
    from osteotrace.reports.results import TABLE

    for one in done:
        if one.study.assessment is not None:
            output.print_findings(one.study.assessment)
            for staging in one.study.assessment.stagings:
                typer.echo(f"  {staging}")
            for file in one.files:
                typer.echo(f"  {file}")
    typer.echo(f"Table: {out / TABLE}")
    output.print_statement()


def _report(done: list[_Done], *, as_json: bool) -> int:
    """Say what failed on standard error; return the exit code."""
    refusals = [
        refusal
        for one in done
        if one.study.assessment is not None
        for finding in one.study.assessment.findings
        if (refusal := output.refused(finding)) is not None
    ]
    # A tree's JSON Lines hold the failed studies already.
    errors = [] if as_json else [one.error for one in done if one.error is not None]
    for error in (*errors, *refusals):
        output.print_error(error, as_json=as_json)
    return 1 if refusals or any(one.error is not None for one in done) else 0
