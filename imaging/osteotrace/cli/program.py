"""The program: its verbs, its version, and its one way to fail."""

import importlib
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated

import typer

from osteotrace import about
from osteotrace.cli import (
    agreement,
    archives,
    comparing,
    deidentifying,
    images,
    measuring,
    output,
    records,
    staging,
    system,
)
from osteotrace.errors import OsteotraceError

app = typer.Typer(
    name=about.SOFTWARE_NAME,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: rich would double the time that --help takes.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
VERBS: dict[str, Callable[..., object]] = {
    "samples": system.samples,
    "scan": images.scan,
    "convert": images.convert,
    "caliper": measuring.caliper,
    "measure": measuring.measure,
    "stage": staging.stage,
    "compare": comparing.compare,
    "agreement": agreement.agreement,
    "export": records.export,
    "deidentify": deidentifying.deidentify,
    "query": archives.query,
    "fetch": archives.fetch,
    "send": archives.send,
    "open": system.open_viewer,
    "doctor": system.doctor,
}
for name, verb in VERBS.items():
    app.command(name)(verb)

# typer's own usage errors; newer typer carries its own click, so ask typer which.
_ClickException = importlib.import_module(typer.BadParameter.__module__).ClickException


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{about.SOFTWARE_NAME} {about.VERSION}")
        typer.echo(about.RESEARCH_USE_STATEMENT)
        raise typer.Exit


@app.callback(
    help="Measure, annotate and record bone lesions on CT and MRI DICOM.\n\n"
    "Points are patient LPS, mm (+x left, +y posterior, +z head).",
    epilog=about.RESEARCH_USE_SHORT,
)
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and the research-use statement.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None: ...


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        What follows the program's name; ``sys.argv`` by default.
    """
    given = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if not sys.warnoptions:
        # Readers warn about odd files line by line; the verdict is the one line here.
        warnings.simplefilter("ignore")
    try:
        code = app(given, standalone_mode=False, prog_name=about.SOFTWARE_NAME)
    except OsteotraceError as problem:
        output.print_error(problem, as_json="--json" in given)
        return 2 if problem.usage else 1
    except _ClickException as problem:
        return _refuse_usage(problem, given)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("osteotrace: stopped", err=True)
        return 1
    except BrokenPipeError:
        # The reader of a pipe went away (``osteotrace scan … | head``).
        _drop_output()
        return 1
    except (OSError, MemoryError) as problem:
        _drop_output()
        output.print_error(_exhausted(problem), as_json="--json" in given)
        return 1
    return code if isinstance(code, int) else 0


def _exhausted(problem: OSError | MemoryError) -> OsteotraceError:
    """Return the error for what no layer below has turned into one."""
    if isinstance(problem, MemoryError):
        found = "too little memory"
    else:
        found = f"a failure of the system ({problem.strerror or problem})"
    return OsteotraceError(
        found,
        expected="room and memory for what was asked",
        advice="make room, or ask for less at once",
        where=str(getattr(problem, "filename", None) or ""),
    )


def _drop_output() -> None:
    """Let what standard output still holds go: Python would fail on it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _refuse_usage(problem: Exception, given: list[str]) -> int:
    words = problem.format_message()  # type: ignore[attr-defined]
    error = OsteotraceError(
        " ".join(words.split()).rstrip("."),
        expected="a call as in the help",
        advice=f"see '{about.SOFTWARE_NAME} {_verb(given)}--help'",
        usage=True,
    )
    output.print_error(error, as_json="--json" in given)
    return 2


def _verb(given: list[str]) -> str:
    return next((f"{word} " for word in given if word in VERBS), "")
