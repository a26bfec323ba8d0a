"""What is shown of a run: how many studies, why some failed, and its values in short."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from osteotrace.measurements.measurement import shown, shown_range
from osteotrace.reports.comparison.words import quantity
from osteotrace.reports.results import PARQUET
from osteotrace.reports.shown import Card, Table, counted, table
from osteotrace.reports.shown.cards import MOST_ROWS

if TYPE_CHECKING:
    from osteotrace.batch.run import Run

_SUMMED: Final = ("label", "kind", "quantity", "unit", "status", "value")


def run_title(run: Run) -> str:
    """Return how many studies were measured, failed, or were not selected."""
    failed = f", {run.n_failed} failed" if run.n_failed else ", none failed"
    other = f", {run.n_not_selected} not selected" if run.n_not_selected else ""
    return f"{counted(run.n_done, 'study', 'studies')} measured{failed}{other}"


def run_card(run: Run) -> Card:
    """Return what is shown of a run."""
    return Card(
        kind="Run",
        title=run_title(run),
        facts=(
            ("findings without a value", str(run.n_not_measured or "")),
            ("why not selected", _why_not_selected(run)),
            ("tables", ", ".join(file.name for file in run.tables)),
        ),
        tables=(_summary(run), _failures(run)),
    )


def _why_not_selected(run: Run) -> str:
    """Return the reason of the first of them; the table has that of each."""
    first = next(run.not_selected(), None) if run.n_not_selected else None
    return "" if first is None or first.error is None else first.error.found


def _failures(run: Run) -> Table:
    # A run may have thousands, and where none failed nothing is looked through.
    first = islice(run.failures(), min(run.n_failed, MOST_ROWS))
    rows = [
        (one.patient, one.date, f"found {one.error.found}; {one.error.advice}")
        for one in first
        if one.error is not None
    ]
    made = table(("patient", "date", "why it failed"), rows, "Failed")
    return Table(
        columns=made.columns,
        rows=made.rows,
        title=made.title,
        left_out=max(run.n_failed - len(made.rows), 0),
    )


def _summary(run: Run) -> Table:
    """Return how many values there are of each quantity, and within what bounds."""
    import pandas as pd

    columns = ("what", "quantity", "values", "flagged", "median", "lowest to highest")
    if not (run.folder / PARQUET).is_file():
        return table(columns, ())
    every = pd.read_parquet(run.folder / PARQUET, columns=list(_SUMMED))
    values = every[every["value"].notna()]
    above = ""
    rows = []
    for key, found in values.groupby(["kind", "quantity", "unit"], sort=True):
        kind = str(key[0]).replace("_", " ")
        rows.append(("" if kind == above else kind, *_quantity_row(key, found)))
        above = kind
    return table(columns, rows, "Values")


def _quantity_row(key: Any, found: Any) -> tuple[str, ...]:
    _, name, unit = key
    numbers = found["value"]
    low, high = float(numbers.min()), float(numbers.max())
    flagged = int((found["status"] == "flagged").sum())
    return (
        quantity(name),
        str(len(numbers)),
        str(flagged or ""),
        shown(float(numbers.median()), unit, None),
        shown_range(low, high, unit) if high > low else "",
    )
