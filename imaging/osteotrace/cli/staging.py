"""The verb that stages: stage."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osteotrace.cli import output
from osteotrace.cli.options import Json
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.findings import Case, StagingResult
    from osteotrace.reading.case_facts import CaseFacts


def stage(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]",
            help="A record, a folder of records, or the folder of 'measure --out'.",
            show_default=False,
        ),
    ] = None,
    facts: Annotated[
        Path | None,
        typer.Option("--facts", metavar="FILE", help="Clinical facts (TOML)."),
    ] = None,
    template: Annotated[
        bool,
        typer.Option("--template", help="Print an empty file of facts, and stop."),
    ] = False,
    date: Annotated[
        str | None,
        typer.Option(
            "--date", metavar="YYYY-MM-DD", help="The day; by default the last."
        ),
    ] = None,
    all_dates: Annotated[
        bool, typer.Option("--all-dates", help="Every day of which something is known.")
    ] = False,
    system: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="NAME", help="Only this system; repeatable."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="DIR",
            help="Record the stages: a new record in this folder, which amends the "
            "reading of the date.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", metavar="PATH", help="With --save: the study that was read."
        ),
    ] = None,
    reader: Annotated[
        str, typer.Option("--reader", metavar="NAME", help="With --save: who stages.")
    ] = "",
    brief: Annotated[
        bool, typer.Option("--brief", help="Without rules and reasons.")
    ] = False,
    json: Json = False,
) -> int:
    """Stage by every system that applies: interval, reasons, what is missing."""
    from osteotrace.reading import cases

    if template and path is None and facts is None:
        from osteotrace.reading.facts_template import template as facts_template

        typer.echo(facts_template(), nl=False)
        return 0
    case, stated, failures = cases.one_case(path, facts)
    results = _staged(case, stated, date, system, all_dates=all_dates)
    if template:
        from osteotrace.reading.facts_template import template as facts_template

        typer.echo(facts_template(case, results), nl=False)
        return 0
    saved = None
    if save is not None:
        saved = _save(case, stated, results, save, images, reader)
    if json:
        output.print_json(_as_json(case, results, saved))
    else:
        _print(case, results, system, brief=brief)
        if saved is not None:
            typer.echo(f"Recorded: {saved}")
    for failure in failures:
        output.print_error(failure, as_json=json)
    return 1 if failures else 0


def _staged(
    case: "Case",
    stated: "CaseFacts",
    date: str | None,
    system: list[str] | None,
    *,
    all_dates: bool,
) -> "list[StagingResult]":
    from osteotrace import staging
    from osteotrace.reading import cases

    if date is not None and all_dates:
        raise OsteotraceError(
            "--date and --all-dates",
            expected="one of them",
            advice="leave one out",
            usage=True,
        )
    days = staging.dates(case) if all_dates else (date,)
    return [
        result
        for day in days or (None,)
        for result in cases.stages(case, day, systems=system, stated=stated)
    ]


def _save(
    case: "Case",
    stated: "CaseFacts",
    results: "list[StagingResult]",
    folder: Path,
    images: Path | None,
    reader: str,
) -> Path:
    from osteotrace.reading.staged_records import staged_record
    from osteotrace.records import record_folder
    from osteotrace.series import scan

    record = staged_record(case, stated, results, reader=reader)
    if record.study_uid and images is None:
        raise OsteotraceError(
            "a stage of a study to be recorded without its images",
            expected="the study that was read: its record is DICOM",
            advice="give --images PATH",
            usage=True,
        )
    if record.predecessor_uid:
        _check_lies_there(folder, record.predecessor_uid)
    # What names no study is recorded without images.
    scans = scan(images) if images is not None and record.study_uid else None
    return record_folder.add(folder, record, scans)


def _check_lies_there(folder: Path, uid: str) -> None:
    """Refuse a folder without the reading that is amended."""
    from osteotrace.records import record_folder

    try:
        record_folder.file_of(folder, uid)
    except OsteotraceError as problem:
        raise OsteotraceError(
            f"a folder without the reading that is amended, {uid}",
            expected="the folder that its record lies in: an amendment stands beside it",
            advice="give --save the study's folder, which holds that .dcm file",
            where=str(folder),
            usage=True,
        ) from problem


def _as_json(
    case: "Case", results: "list[StagingResult]", saved: Path | None
) -> dict[str, object]:
    import msgspec

    from osteotrace.about import RESEARCH_USE_STATEMENT
    from osteotrace.staging.contradictions import contradictions

    return {
        "patient": case.patient,
        "stagings": msgspec.to_builtins(results),
        "contradictions": list(contradictions(case)),
        "notices": _notices(case, results),
        "record": None if saved is None else str(saved),
        "statement": RESEARCH_USE_STATEMENT,
    }


def _notices(case: "Case", results: "list[StagingResult]") -> list[str]:
    """Return what to look at again at the dates that were staged, each once."""
    from osteotrace.staging.notices import notices

    dates = dict.fromkeys(result.date for result in results)
    return list(dict.fromkeys(one for date in dates for one in notices(case, date)))


def _print(
    case: "Case", results: "list[StagingResult]", system: list[str] | None, *, brief: bool
) -> None:
    from osteotrace import staging
    from osteotrace.reports import stagings
    from osteotrace.staging.contradictions import contradictions

    beside = [f"check: {conflict}" for conflict in contradictions(case)]
    beside += [f"notice: {notice}" for notice in _notices(case, results)]
    if not results:
        about = ", ".join(system or ()) or "a jaw, a spine or bone units"
        beside.insert(0, f"No stage: nothing is known of what {about} asks for.")
    staged = {result.date for result in results}
    others = [date for date in staging.dates(case) if date not in staged]
    if others and results:
        told = f"Other dates: {', '.join(others)} (--date, --all-dates)"
        beside.append(told)
    text = stagings.report(results, case.patient, reasons=not brief, beside=beside)
    typer.echo(text, nl=False)
