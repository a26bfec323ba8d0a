"""The change of every lesion as a table: the same in CSV and in Parquet, nothing lost."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.parquet as pq
import pytest
from tests.fixtures import comparisons

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.errors import OsteotraceError
from osteotrace.reports.comparison import write_tables
from osteotrace.reports.comparison.tables import COLUMNS, rows

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.comparison import Comparison


def in_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def as_text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else repr(cell) if isinstance(cell, float) else str(cell)


@pytest.mark.parametrize("name", ["maxilla", "mandible", "spine"])
def test_both_files_say_the_same(name: str, tmp_path: Path) -> None:
    text, parquet = write_tables(tmp_path / "new", getattr(comparisons, name)())
    told = in_csv(text)
    kept = pq.read_table(parquet).to_pylist()
    assert list(told[0]) == list(kept[0]) == list(COLUMNS)
    assert told == [{key: as_text(cell) for key, cell in row.items()} for row in kept]


def test_a_row_tells_the_whole_of_a_change() -> None:
    first = rows(comparisons.maxilla())[0]
    told = {key: cell for key, cell in first.items() if cell not in (None, "")}
    months = told.pop("months_low")
    assert told.pop("months_high") == months == pytest.approx(6.87, abs=0.01)
    assert told.pop("per_month") == pytest.approx(0.02 / months)
    assert told.pop("delta") == pytest.approx(0.02)
    assert told.pop("percent") == pytest.approx(100 * 0.02 / 12.07)
    assert told.pop("tracking_uid").startswith("2.25.")
    assert told == {
        "patient": "P-TEST0001",
        "label": "PAL-1",
        "kind": "palatal_bony_defect",
        "site": "hard_palate",
        "span": "step",
        "earlier_study": 0,
        "later_study": 1,
        "earlier_date": "2023-06-20",
        "later_date": "2024-01-15",
        "earlier_name": "before",
        "later_name": "after",
        "earlier_assessment_uid": "2.25.300",
        "later_assessment_uid": "2.25.301",
        "state": "stable",
        "state_reason": "because it is stable",
        "proposed": False,
        "match_basis": "tracked",
        "quantity": "palatal_gap_ap",
        "code": "M-GAPAP",
        "coding_scheme": "99OSTEO",
        "is_primary": True,
        "verdict": "within measurement error",
        "is_real": False,
        "earlier_value": 12.07,
        "earlier_u": 0.02,
        "later_value": 12.09,
        "later_u": 0.02,
        "unit": "mm",
        "limit": comparisons.LIMIT,
        "limit_origin": "assumed",
        "u_registration": 0.0,
        "reader": "reader two",
        "recorded": "2024-02-01T10:00:00+00:00",
        "software": "osteotrace 0.1.0",
        "statement": RESEARCH_USE_SHORT,
    }


def test_a_lesion_that_is_gone_has_its_row() -> None:
    (gone,) = (row for row in rows(comparisons.maxilla()) if row["label"] == "SEQ-1")
    assert (gone["state"], gone["quantity"]) == ("resolved", "excess_density_volume")
    assert gone["delta"] is gone["verdict"] is None


def test_a_change_without_a_valid_repeatability_is_not_real_and_says_why() -> None:
    moth, other = (row for row in rows(comparisons.maxilla()) if row["label"] == "MOTH-1")
    assert (moth["verdict"], moth["is_real"]) == ("decreased", False)
    assert moth["inapplicable"] == "kernel B70f, later B30f"
    assert moth["proposed"] is True
    assert (moth["match_basis"], moth["match_overlap"]) == ("overlap", 0.62)
    assert (other["is_primary"], other["verdict"]) == (False, "not comparable")
    assert other["reason"].startswith("not measured at the later date")


def test_more_than_two_dates_have_their_steps_and_the_whole() -> None:
    table = [row for row in rows(comparisons.mandible()) if row["label"] == "ASYM-1"]
    spans = [(row["span"], row["earlier_study"], row["later_study"]) for row in table]
    assert spans == [*(("step", n, n + 1) for n in range(4)), ("whole", 0, 4)]
    assert table[-1]["delta"] == pytest.approx(6.0 - 31.2)


def hostile() -> Comparison:
    made = comparisons.maxilla()
    first = msgspec.structs.replace(made.lesions[0], label='=cmd|"/c calc"!A1')
    return msgspec.structs.replace(made, lesions=(first, *made.lesions[1:]))


def test_a_spreadsheet_runs_no_label_as_a_formula(tmp_path: Path) -> None:
    text, parquet = write_tables(tmp_path, hostile())
    assert in_csv(text)[0]["label"] == '\'=cmd|"/c calc"!A1'
    assert pq.read_table(parquet)["label"][0].as_py() == '=cmd|"/c calc"!A1'


@pytest.mark.parametrize("taken", ["comparison.csv", "comparison.parquet"])
def test_nothing_is_overwritten_and_nothing_half_written(
    taken: str, tmp_path: Path
) -> None:
    (tmp_path / taken).write_text("kept")
    with pytest.raises(OsteotraceError, match="a file that exists"):
        write_tables(tmp_path, comparisons.maxilla())
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "kept"


def test_the_same_comparison_gives_the_same_files(tmp_path: Path) -> None:
    first, second = (
        [path.read_bytes() for path in write_tables(tmp_path / name, comparisons.spine())]
        for name in ("a", "b")
    )
    assert first == second


def test_no_lesion_leaves_the_head_alone(tmp_path: Path) -> None:
    empty = msgspec.structs.replace(comparisons.maxilla(), lesions=())
    text, parquet = write_tables(tmp_path, empty)
    assert in_csv(text) == []
    assert pq.read_table(parquet).column_names == list(COLUMNS)
