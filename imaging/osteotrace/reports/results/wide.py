"""One row a study: each value of each finding has its columns.

Which columns there are is known when the last study has been seen: until then the studies
wait in a file, so that ten thousand of them need no more memory than one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from osteotrace.reports import tables
from osteotrace.reports.columns import NOT_SELECTED, TABLE, Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from osteotrace.reports.tables import Row

# Columns of the table of measurements that say the same in every row of a study.
_SHARED_BEFORE: Final = ("schema_version", "patient", "study_uid", "study_date")
_SHARED_AFTER: Final = (
    "assessment_uid", "protocol", "protocol_sha256", "reader", "recorded", "software",
    "statement",
)  # fmt: skip
_OF_TABLE: Final = {column.name: column for column in TABLE}
# What became of a study, by the rows that it has: the first that fits.
STUDY_STATUSES: Final = {
    "failed": "it could not be measured",
    "not_measured": "a finding's own value could not be measured",
    "flagged": "a finding's own value has doubts",
    "nothing_found": "nothing was found",
    "accepted": "nothing speaks against any value",
    NOT_SELECTED: "the protocol selects nothing in it",
}
# Those of studies that have no more than one row, with its reason.
NOT_MEASURED_STUDIES: Final = ("failed", NOT_SELECTED)
COLUMNS: Final = (
    *(_OF_TABLE[name] for name in _SHARED_BEFORE),
    Column(
        "status",
        "string",
        "text",
        "What became of the study: "
        + "; ".join(f"{name}, {means}" for name, means in STUDY_STATUSES.items())
        + ".",
    ),
    Column("reason", "string", "text", "Why the study was not measured."),
    Column("n_findings", "int64", "1", "How many findings the study has."),
    Column("n_values", "int64", "1", "How many values were measured."),
    Column("n_flagged", "int64", "1", "How many of them have doubts."),
    Column("n_not_measured", "int64", "1", "How many could not be measured."),
    Column(
        "geometry",
        "string",
        "words, '; ' between",
        "Verdicts on the stacks of slices that were measured, each once.",
    ),
    *(_OF_TABLE[name] for name in _SHARED_AFTER),
)
# What each value has beside it, by the ending of the column.
ENDINGS: Final = {"": "value", ".u": "u", ".unit": "unit", ".status": "status"}


@dataclass(slots=True)
class Wide:
    """The studies of a run as they come, and the columns that they have.

    Parameters
    ----------
    waiting : Path
        New file that keeps the studies until `write`.
    """

    waiting: Path
    _stream: TextIO = field(init=False)
    # By label, the keys of its values with the row that each came from first.
    _keys: dict[str, dict[str, Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stream = self.waiting.open("w", encoding="utf-8")

    def add(self, rows: Sequence[Row]) -> None:
        """Keep the rows of one study, all of them."""
        made = study_row(rows)
        for key, row in keyed(rows):
            group = "stage" if row["status"] == "staged" else row["label"]
            self._keys.setdefault(group, {}).setdefault(key, row)
            made |= _cells(key, row)
        self._stream.write(json.dumps(made) + "\n")

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()

    def columns(self) -> Iterator[Column]:
        """Yield every column, those of one finding beside each other."""
        yield from COLUMNS
        for group in self._keys.values():
            for key, row in group.items():
                yield from _columns(key, row)

    def write(self, stream: TextIO) -> None:
        """Write the table as CSV."""
        self._stream.flush()
        with self.waiting.open(encoding="utf-8") as lines:
            studies = (json.loads(line) for line in lines)
            names = [column.name for column in self.columns()]
            tables.write_csv(stream, studies, names)


def study_row(rows: Sequence[Row]) -> Row:
    """Return the columns of a study that are no values of its findings."""
    first = rows[0]
    counts = {
        status: sum(row["status"] == status for row in rows)
        for status in ("accepted", "flagged", "not_measured")
    }
    labels = {(r["label"], r["tracking_uid"]) for r in rows if r["tracking_uid"]}
    verdicts = dict.fromkeys(row["geometry"] for row in rows if row["geometry"])
    return {
        **{name: first[name] for name in (*_SHARED_BEFORE, *_SHARED_AFTER)},
        "status": study_status(rows),
        "reason": study_reason(first),
        "n_findings": len(labels),
        "n_values": counts["accepted"] + counts["flagged"],
        "n_flagged": counts["flagged"],
        "n_not_measured": counts["not_measured"],
        "geometry": "; ".join(verdicts),
    }


def study_reason(first: Row) -> str:
    """Return, of the first row of a study, why the study was not measured."""
    return str(first["reason"]) if first["status"] in NOT_MEASURED_STUDIES else ""


def study_status(rows: Sequence[Row]) -> str:
    """Return what became of a study, a key of `STUDY_STATUSES`."""
    found = {row["status"] for row in rows if row["primary"] is not False}
    return next((status for status in STUDY_STATUSES if status in found), "accepted")


def keyed(rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """Yield the values and stages of a study, each with a name of its own."""
    seen: dict[str, int] = {}
    for row in rows:
        if row["status"] == "staged":
            parts = ["stage", row["quantity"], row["label"]]
        elif row["quantity"] or row["label"]:
            parts = [row["label"], row["quantity"]]
        else:
            continue
        name = ".".join(filter(None, parts))
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}#{seen[name]}"), row


def _cells(key: str, row: Row) -> dict[str, Any]:
    if row["status"] == "staged":
        return {key: row["stage"]}
    if row["status"] == "no_value":
        return {f"{key}.status": row["presence"]}
    return {f"{key}{ending}": row[name] for ending, name in ENDINGS.items()}


def _columns(key: str, row: Row) -> Iterator[Column]:
    where = f"of {row['label']}" if row["label"] else "of the patient"
    if row["status"] == "staged":
        yield Column(key, "string", "text", f"Stage by {row['quantity']} {where}.")
        return
    if row["status"] == "no_value":
        yield Column(
            f"{key}.status", "string", "text", f"Whether {row['label']} is there."
        )
        return
    what = f"{row['quantity']} {where}"
    unit = row["unit"] or f"as column '{key}.unit'"
    yield Column(key, "double", unit, f"Value of {what}.")
    yield Column(f"{key}.u", "double", unit, f"Standard uncertainty of {what}.")
    yield Column(f"{key}.unit", "string", "UCUM", f"Unit of {what}.")
    yield Column(f"{key}.status", "string", "text", "accepted, flagged or not_measured.")
