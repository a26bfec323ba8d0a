"""What ``measure`` does with a tree: a run of its own, told as it goes."""

import json
import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from osteotrace.about import SOFTWARE_NAME
from osteotrace.cli import output
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.batch import Progress, Run
    from osteotrace.batch.tasks import StudyOutcome
    from osteotrace.cli.measuring import Asked
    from osteotrace.series import Catalogue

# Failed studies that are named on standard error; the table names all.
MOST_NAMED: Final = 20
# How often (s) a log without a terminal is told how far the run is.
LOG_SECONDS: Final = 60.0


def measure(
    catalogue: "Catalogue",
    out: Path,
    asked: "Asked",
    *,
    worklist: Path | None,
    workers: int,
    scheduler: str,
    resume: bool,
    as_json: bool,
) -> int:
    """Measure a tree; return the exit code."""
    from osteotrace import batch
    from osteotrace.reports.shown.cards import counted

    only = None if worklist is None else _listed(catalogue, worklist)
    # What it would log of a lost worker or scheduler is told in words of ours.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with _progress() as tell, _ended_by_signals():
        try:
            run = batch.measure_tree(
                catalogue,
                asked.protocol,
                out,
                masks=asked.masks,
                facts=asked.facts,
                reader=asked.reader,
                allow_gaps=asked.allow_gaps,
                workers=workers,
                scheduler=scheduler,
                resume=resume,
                records=asked.records,
                pictures=asked.pictures,
                only=only,
                progress=tell,
            )
        except KeyboardInterrupt:
            output.print_error(_stopped(out), as_json=as_json)
            return 1
    if as_json:
        for study in run.studies():
            typer.echo(_as_json(run, study))
    else:
        _print_text(run)
        _print_failures(run)
    if run.n_not_selected and not run.n_done and not run.n_failed:
        output.print_error(_nothing_selected(run), as_json=as_json)
        return 1
    if run.n_not_selected and not as_json:
        typer.echo(
            f"{SOFTWARE_NAME}: {counted(run.n_not_selected, 'study', 'studies')} in "
            "which the protocol selects nothing; the table says why (status "
            "not_selected)",
            err=True,
        )
    return 1 if run.n_failed or run.n_not_measured else 0


def _listed(catalogue: "Catalogue", worklist: Path) -> frozenset[str]:
    """Return the studies that a worklist names; one of them has to be there."""
    from osteotrace.pacs.worklist import study_uids

    wanted = study_uids(worklist)
    if wanted.isdisjoint(one.identity.study_uid for one in catalogue):
        raise OsteotraceError(
            f"none of the {len(wanted)} studies of the worklist",
            expected="images of at least one of them",
            advice="check the folder, or fetch the studies first",
            where=str(catalogue.root),
        )
    return wanted


def _stopped(out: Path) -> OsteotraceError:
    return OsteotraceError(
        "a run that was stopped",
        expected="one that measures every study",
        advice="its tables hold what is done: the same call with --resume goes on",
        where=str(out),
    )


def _as_json(run: "Run", study: "StudyOutcome") -> str:
    """Return one line: the reading as it was saved, or why there is none."""
    if study.error is not None:
        why = {
            "study_uid": study.study_uid,
            "patient": study.patient,
            "error" if study.selected else "not_selected": study.error.error.as_dict(),
        }
        return json.dumps(why, ensure_ascii=False)
    from osteotrace.findings import to_json

    return json.dumps(json.loads(to_json(run.assessment(study))), ensure_ascii=False)


def _nothing_selected(run: "Run") -> OsteotraceError:
    """Return the error of a tree of which the protocol means nothing, with an example."""
    first = next(run.not_selected())
    assert first.error is not None
    return OsteotraceError(
        f"nothing that the protocol selects in any of {run.n_not_selected} studies; "
        f"of the first one: {first.error.found}",
        expected=first.error.expected,
        advice=first.error.advice,
        where=str(run.folder),
    )


def _print_text(run: "Run") -> None:
    from osteotrace.reports.shown.cards import counted

    other = f", {run.n_not_selected} not selected" if run.n_not_selected else ""
    done = counted(run.n_done, "study", "studies")
    typer.echo(f"{done} measured, {run.n_failed} failed{other}")
    for file in run.tables:
        if file.suffix in (".html", ".parquet"):
            typer.echo(f"  {file}")
    output.print_table(run.tables[0])


def _print_failures(run: "Run") -> None:
    """Name what failed on standard error, as far as one can read it."""
    from osteotrace.reports.shown.cards import counted

    for number, study in enumerate(run.failures()):
        if number == MOST_NAMED:
            more = run.n_failed - MOST_NAMED
            typer.echo(
                f"{SOFTWARE_NAME}: and {more} more studies; the table has a row of each",
                err=True,
            )
            break
        assert study.error is not None
        error = study.error.error
        error.where = f"study {study.study_uid} of {study.patient}"
        output.print_error(error, as_json=False)
    if run.n_not_measured:
        typer.echo(
            f"{SOFTWARE_NAME}: {counted(run.n_not_measured, 'finding')} without a value; "
            "the table says why (status not_measured)",
            err=True,
        )


@contextmanager
def _progress() -> "Iterator[Callable[[Progress], None]]":
    """Show how far a run is: a bar on a terminal, a line now and then in a log."""
    if not sys.stderr.isatty():
        yield _Log().tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("measuring", total=None)
        yield lambda far: bar.update(
            shown, completed=far.done, total=far.total, description=str(far)
        )


class _Log:
    """A line at a time, and not one a study."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def tell(self, far: "Progress") -> None:
        if time.monotonic() - self._last >= LOG_SECONDS:
            self._last = time.monotonic()
            typer.echo(f"{SOFTWARE_NAME}: {far}", err=True)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let what ends a job on a cluster (SIGTERM) end a run as Ctrl-C does."""
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:  # No main thread: whoever called looks after signals.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
