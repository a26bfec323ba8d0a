"""What a command prints: results on standard output, what went wrong on the other."""

import json
from typing import TYPE_CHECKING, Any

import typer

from osteotrace.about import RESEARCH_USE_SHORT, SOFTWARE_NAME
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.findings import Assessment, Finding


def print_line(text: str) -> None:
    """Print a line of text from a header, control characters taken out."""
    typer.echo("".join(c if c.isprintable() else " " for c in text))


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_error(error: OsteotraceError, *, as_json: bool) -> None:
    """Print an error as one line on standard error."""
    if as_json:
        typer.echo(json.dumps({"error": error.as_dict()}, ensure_ascii=False), err=True)
    else:
        # A path or a header may hold line breaks or control characters: one line it is.
        words = "".join(c if c.isprintable() else " " for c in str(error))
        typer.echo(f"{SOFTWARE_NAME}: {' '.join(words.split())}", err=True)


def refused(finding: "Finding") -> OsteotraceError | None:
    """Return the error that a finding without a value is on the command line."""
    from osteotrace.measurements.caliper import AS_DRAWN
    from osteotrace.measurements.measurement import NotMeasured

    if not finding.measurements:
        return None
    primary = finding.measurements[0]
    if not isinstance(primary, NotMeasured):
        return None
    if not any(region.role == AS_DRAWN for region in finding.regions):
        return OsteotraceError(
            f"no value for {primary.code.meaning}: {primary.reason}",
            expected="a lesion that the images show well enough",
            advice="check the marks on the images; the other findings are written",
            where=finding.label,
        )
    return OsteotraceError(
        primary.reason,
        expected="an edge near each end of the line",
        advice="move the points onto the two edges, or use --no-snap",
        where=finding.label,
    )


def print_findings(assessment: "Assessment") -> None:
    """Print the headline values of findings, and what speaks against each."""
    from rich.console import Console
    from rich.table import Table

    from osteotrace.measurements.measurement import Measurement
    from osteotrace.reports import text

    title = f"{assessment.patient}, study of {assessment.study_date or 'no date'}"
    table = Table(title=title, title_justify="left")
    table.add_column("finding")
    table.add_column("quantity")
    table.add_column("value ± u", no_wrap=True)
    table.add_column("95 % interval", no_wrap=True)
    table.add_column("doubts")
    for finding in assessment.findings:
        if not finding.measurements:
            table.add_row(finding.label, finding.presence, "", "", "none")
        for number, reading in enumerate(text.headlines(finding)):
            value, doubts = "not measured", tuple(text.doubts(reading))
            if isinstance(reading, Measurement):
                value, doubts = text.value(reading), reading.flags
            table.add_row(
                finding.label if number == 0 else "",
                reading.code.meaning,
                value,
                text.interval(reading),
                "; ".join(doubts) or "none",
            )
    Console(highlight=False, markup=False).print(table)


def print_table(file: "Path") -> None:
    """Say where a table is, and what it is not for."""
    typer.echo(f"Table: {file}")
    print_statement()


def print_statement() -> None:
    """Print the short research-use statement."""
    typer.echo(RESEARCH_USE_SHORT)
