"""What a run leaves: tables that say the same in every form, and what each column means.

Also the picture of a case; the contact sheet has `test_contact_sheet`.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.fixtures import assessments, stated_assessments
from tests.fixtures.synthetic import wall_gap_options

import osteotrace as ot
from osteotrace import findings, reading
from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.codes import QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.geometry import as_stored
from osteotrace.measurements.measurement import Method, measured, not_measured
from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.records import publication
from osteotrace.regions import Polyline
from osteotrace.reports import columns, figures, results, tables
from osteotrace.reports.figures import case_views
from osteotrace.reports.results import run_tables, studies, wide
from osteotrace.segmentation.marked import ball, from_voxels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom import Dataset
    from tests.fixtures.synthetic import WriteSeries

    from osteotrace.findings import Assessment, Finding
    from osteotrace.reports.tables import Row

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
METHOD = Method(name="test", version="1")
REFUSED = OsteotraceError("a tilt", expected="none", advice="choose another")
FAILED = tables.failure_row(
    "1.2.9", "P-C", REFUSED, study_date="2024-05-06", protocol="spine", software="x 1"
)


def assessment() -> Assessment:
    """Return a reading of one caliper: three values, one of them not measured."""
    return assessments.assessment(assessments.caliper_finding())


def of_patient(patient: str, study_uid: str, **changes: Any) -> Assessment:
    return msgspec.structs.replace(
        assessment(), patient=patient, study_uid=study_uid, **changes
    )


def run() -> list[Row]:
    """Return the rows of four studies: two read, one staged, one that failed."""
    stated = stated_assessments.stated_assessment()
    read = [of_patient("P-A", "1.2.1"), of_patient("P-B", "1.2.2")]
    staged = msgspec.structs.replace(stated, patient="P-BB", study_uid="1.2.3")
    return [*(row for one in (*read, staged) for row in tables.rows(one)), FAILED]


def in_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


# Rows


def test_every_row_has_every_column_and_goes_through_json_unharmed() -> None:
    for row in run():
        assert tuple(row) == columns.NAMES
        assert json.loads(json.dumps(row)) == row


def test_what_has_no_value_has_its_row() -> None:
    looked_for = msgspec.structs.replace(
        assessment().findings[0], presence="absent", measurements=()
    )
    (row,) = tables.rows(of_patient("P-A", "1.2.1", findings=(looked_for,)))
    assert (row["status"], row["presence"], row["value"]) == ("no_value", "absent", None)
    (row,) = tables.rows(of_patient("P-A", "1.2.1", findings=()))
    assert (row["status"], row["label"]) == ("nothing_found", "")


def test_a_stage_is_a_row_with_what_is_not_known() -> None:
    stated = stated_assessments.stated_assessment()
    staged = [row for row in tables.rows(stated) if row["status"] == "staged"]
    assert [row["quantity"] for row in staged] == [one.system for one in stated.stagings]
    assert [row["stage"] for row in staged] == [one.as_text for one in stated.stagings]
    for row, result in zip(staged, stated.stagings, strict=True):
        assert all(one.criterion in row["reason"] for one in result.blocking)


def test_a_failed_study_says_what_is_known_of_it() -> None:
    told = {name: cell for name, cell in FAILED.items() if cell not in ("", None)}
    assert told == {
        "schema_version": columns.SCHEMA_VERSION,
        "patient": "P-C",
        "study_uid": "1.2.9",
        "study_date": "2024-05-06",
        "status": "failed",
        "reason": "found a tilt; expected none; choose another",
        "protocol": "spine",
        "software": "x 1",
        "statement": RESEARCH_USE_SHORT,
    }


@pytest.mark.parametrize(
    ("stack", "verdict", "between"),
    [
        ({}, "regular", 0.8),
        ({"shear": 0.3}, "tilted", 0.8),
        ({"heights": (0.0, 1.0, 1.4, 3.0, 4.5, 5.0, 6.8, 8.0)}, "uneven", 1.2),
    ],
    ids=["regular", "tilted", "uneven"],
)
def test_a_row_tells_which_scan_it_is_from_and_how_it_was_made(
    write_series: WriteSeries, stack: dict[str, Any], verdict: str, between: float
) -> None:
    options = wall_gap_options()
    options["voxels"] = options["voxels"][:8]

    def state(data: Dataset, _: int) -> None:
        data.ConvolutionKernel, data.SliceThickness = "B70f", 2.5
        data.Manufacturer = "Maker"

    folder = write_series(**(options | stack | {"edit": state}))
    volume = ot.load(folder)
    middle = volume.grid.to_patient(np.array(volume.grid.shape) / 2)
    line = ot.caliper(volume, middle, middle + np.array([3, 1, 0]), snap=False)
    made = reading.caliper_finding(line, tracking_uid="2.25.1", label="CAL-1")
    row = tables.rows(reading.assess([volume], [made]), ot.scan(folder))[0]
    assert row["geometry"] == verdict
    assert row["kernel"] == "B70f"
    assert row["device"] == "Maker"
    # The slice thickness is told, and the distance is that of the true positions.
    assert row["slice_thickness_mm"] == 2.5
    assert row["slice_spacing_mm"] == pytest.approx(between)
    assert (row["row_spacing_mm"], row["column_spacing_mm"]) == (0.5, 0.45)
    assert row["series_uid"] == volume.identity.series_uid


# Tables


def test_all_tables_say_the_same(tmp_path: Path) -> None:
    rows = run()
    results.write_tables(tmp_path, iter(rows))
    kept = pq.read_table(tmp_path / results.PARQUET).to_pylist()
    assert kept == rows
    told = in_csv(tmp_path / results.CSV)
    assert told == in_csv_of(rows)
    told_wide = in_csv(tmp_path / results.WIDE)
    assert [row["study_uid"] for row in told_wide] == ["1.2.1", "1.2.2", "1.2.3", "1.2.9"]
    for row in rows:
        if row["value"] is None:
            continue
        (study,) = (one for one in told_wide if one["study_uid"] == row["study_uid"])
        name = f"{row['label']}.{row['quantity']}"
        assert float(study[name]) == row["value"]
        assert study[f"{name}.unit"] == row["unit"]
        assert study[f"{name}.status"] == row["status"]
        assert study[f"{name}.u"] == ("" if row["u"] is None else repr(row["u"]))


def in_csv_of(rows: list[Row]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(tables.to_csv(rows), newline="")))


def test_the_wide_table_says_what_became_of_each_study(tmp_path: Path) -> None:
    results.write_tables(tmp_path, run())
    by_uid = {row["study_uid"]: row for row in in_csv(tmp_path / results.WIDE)}
    assert by_uid["1.2.9"]["status"] == "failed"
    assert by_uid["1.2.9"]["reason"] == FAILED["reason"]
    stages = [name for name in by_uid["1.2.3"] if name.startswith("stage.")]
    assert stages
    assert all(by_uid["1.2.1"][name] == "" for name in stages)
    read = by_uid["1.2.1"]
    values = [r for f in assessment().findings for r in f.measurements]
    assert int(read["n_findings"]) == len(assessment().findings)
    assert int(read["n_values"]) + int(read["n_not_measured"]) == len(values)


def test_two_findings_of_one_label_keep_both_values(tmp_path: Path) -> None:
    twice = msgspec.structs.replace(assessment(), findings=assessment().findings[:1] * 2)
    results.write_tables(tmp_path, tables.rows(twice))
    (study,) = in_csv(tmp_path / results.WIDE)
    row = tables.rows(twice)[0]
    name = f"{row['label']}.{row['quantity']}"
    assert study[name] == study[f"{name}#2"] == repr(row["value"])


def test_no_header_of_the_wide_table_starts_a_formula(tmp_path: Path) -> None:
    first = msgspec.structs.replace(assessment().findings[0], label='=cmd|"/c"!A1')
    hostile = msgspec.structs.replace(assessment(), findings=(first,))
    results.write_tables(tmp_path, tables.rows(hostile))
    (study,) = in_csv(tmp_path / results.WIDE)
    assert not any(name.startswith(("=", "+", "-", "@")) for name in study)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written.append(results.write_tables(tmp_path / name, run()))
    assert [file.name for file in written[0]] == [file.name for file in written[1]]
    for one, other in zip(*written, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_rows_are_written_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_tables, "ROWS_A_GROUP", 10)
    waiting: list[int] = []
    flush = run_tables._Parquet.flush

    def note(parquet: run_tables._Parquet) -> None:
        waiting.append(len(parquet._waiting))
        flush(parquet)

    monkeypatch.setattr(run_tables._Parquet, "flush", note)

    def many() -> Iterator[Row]:
        for number in range(40):
            yield from tables.rows(of_patient(f"P-{number:03}", f"1.2.{number}"))

    results.write_tables(tmp_path, many())
    a_study = len(tables.rows(assessment()))
    assert max(waiting) < 10 + a_study
    assert pq.read_metadata(tmp_path / results.PARQUET).num_row_groups == 10
    assert pq.read_table(tmp_path / results.PARQUET).num_rows == 40 * a_study


def test_the_schema_has_its_version_in_the_file_and_in_each_row(tmp_path: Path) -> None:
    results.write_tables(tmp_path, run())
    table = pq.read_table(tmp_path / results.PARQUET)
    version = str(columns.SCHEMA_VERSION)
    assert table.schema.metadata[b"schema_version"].decode() == version
    assert set(map(str, table["schema_version"].to_pylist())) == {version}
    assert table.schema.field("u").metadata[b"meaning"].startswith(b"Standard uncertain")


def test_every_column_is_described_with_its_unit_and_meaning(tmp_path: Path) -> None:
    results.write_tables(tmp_path, run())
    told = in_csv(tmp_path / results.DICTIONARY)
    assert all(row["type"] and row["unit"] and row["meaning"] for row in told)
    for name in (results.CSV, results.WIDE):
        with (tmp_path / name).open(encoding="utf-8", newline="") as lines:
            header = next(csv.reader(lines))
        assert [row["name"] for row in told if row["of"] == name] == header
    parquet = pq.read_schema(tmp_path / results.PARQUET)
    described = [row for row in told if row["of"] == results.PARQUET]
    assert [row["name"] for row in described] == parquet.names
    assert [row["type"] for row in described] == [str(kind) for kind in parquet.types]


def test_the_page_on_results_describes_every_column_and_status() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for column in {*columns.TABLE, *wide.COLUMNS}:
        told = f"| `{column.name}` | {column.kind} | {column.unit} | {column.meaning} |"
        assert told in page
    for status, meaning in columns.STATUSES.items():
        assert f"| `{status}` | {meaning} |" in page
    assert f"Version {columns.SCHEMA_VERSION} of these columns" in page


def test_every_quantity_of_the_table_is_in_the_dictionary_with_its_code(
    tmp_path: Path,
) -> None:
    rows = run()
    results.write_tables(tmp_path, rows)
    told = {
        row["name"]: row
        for row in in_csv(tmp_path / results.DICTIONARY)
        if row["of"] == "quantity"
    }
    assert set(told) == {row["quantity"] for row in rows} - {""}
    for row in rows:
        if row["value"] is not None:
            assert row["unit"] in told[row["quantity"]]["unit"].split(" or ")
            meaning = QUANTITIES[row["quantity"]].meaning
            assert told[row["quantity"]]["meaning"] == meaning


def test_tables_are_replaced_only_when_asked(tmp_path: Path) -> None:
    rows = run()
    results.write_tables(tmp_path, rows[:1])
    with pytest.raises(OsteotraceError, match="a table that exists"):
        results.write_tables(tmp_path, rows)
    assert len(in_csv(tmp_path / results.CSV)) == 1
    results.write_tables(tmp_path, rows, replace=True)
    assert len(in_csv(tmp_path / results.CSV)) == len(rows)


def test_a_full_disk_leaves_the_tables_that_were_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = results.write_tables(tmp_path, run()[:1])
    before = {file: file.read_bytes() for file in files}

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publication, "flush", full)
    with pytest.raises(OsteotraceError, match="No space left"):
        results.write_tables(tmp_path, run(), replace=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_run_without_a_study_has_tables_all_the_same(tmp_path: Path) -> None:
    results.write_tables(tmp_path, [])
    assert in_csv(tmp_path / results.CSV) == in_csv(tmp_path / results.WIDE) == []
    assert pq.read_table(tmp_path / results.PARQUET).num_rows == 0


# The picture of a case

CENTRE = (3.0, -20.0, 100.0)
VOLUME = as_volume(
    np.zeros((40, 100, 120)),
    straight_grid((60.0, 50.0, 60.0), (1.5, 0.5, 0.5), centre=CENTRE),
)


def sequestrum(label: str, radius: float = 9.0, **changes: Any) -> Finding:
    mask = ball(VOLUME, CENTRE, radius, role="fragment")
    value = measured(
        "longest_diameter", 2 * radius, "mm", method=METHOD, sources=(), uncertainty=0.04,
        region="fragment",
    )  # fmt: skip
    made = findings.Finding(
        tracking_uid="2.25.1",
        label=label,
        kind="sequestrum",
        site="maxilla",
        regions=(mask,),
        measurements=(value,),
    )
    return msgspec.structs.replace(made, **changes)


def case_of(*made: Finding) -> Assessment:
    return msgspec.structs.replace(assessment(), findings=made)


def coloured(image: Image.Image, colour: str) -> np.ndarray[Any, Any]:
    """Return rows and columns of the pixels of a colour, (n, 2)."""
    wanted = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)])
    off = np.abs(np.asarray(image, dtype=int) - wanted).max(axis=-1)
    return np.argwhere(off < 40)


def words_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gathers every text that is written into the picture."""
    from PIL import ImageDraw

    written: list[str] = []
    text = ImageDraw.ImageDraw.text

    def note(self: Any, xy: Any, words: str, *more: Any, **options: Any) -> None:
        written.append(words)
        text(self, xy, words, *more, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    return written


def test_the_outline_lies_where_the_mask_does() -> None:
    radius = 9.0
    seen = case_views.views(VOLUME, sequestrum("SEQ-1", radius), most=3, pixels=300)
    assert {view.name for view in seen} == {"axial", "coronal", "sagittal"}
    for view in seen:
        yellow = coloured(view.image, figures.drawing.FITTED_COLOUR)
        # The width of a view: 1.6 times the lesion, and no less than 30 mm.
        per_mm = 300 / 30
        middle = (yellow.min(axis=0) + yellow.max(axis=0)) / 2
        reach = (yellow.max(axis=0) - yellow.min(axis=0)) / 2 / per_mm
        assert middle == pytest.approx([149.5, 149.5], abs=9)
        # Half a slice of 1.5 mm is the coarsest step of the outline.
        assert reach == pytest.approx([radius, radius], abs=0.8)


def test_a_mask_of_two_parts_is_cut_where_most_of_it_lies() -> None:
    voxels = np.zeros(VOLUME.grid.shape, dtype=bool)
    voxels[15:25, 40:60, 20:40] = voxels[15:25, 40:60, 80:105] = True
    mask = from_voxels(VOLUME, voxels, role="fragment")
    seen = case_views.views(
        VOLUME, sequestrum("SEQ-1", regions=(mask,)), most=3, pixels=300
    )
    # Half way between both there is nothing to see: no view may lie there.
    assert all(len(coloured(view.image, figures.drawing.FITTED_COLOUR)) for view in seen)


def test_few_findings_have_three_planes_and_many_have_one() -> None:
    few = figures.case_picture(case_of(sequestrum("SEQ-1")), [VOLUME])
    many = figures.case_picture(
        case_of(*[sequestrum(f"S-{n}") for n in range(30)]), [VOLUME]
    )
    sizes = [Image.open(io.BytesIO(one.whole)).size for one in (few, many)]
    assert sizes[0][0] == sizes[1][0] == 1200
    # One row of three large views; four rows of six small ones.
    assert sizes[0][1] < 600 < sizes[1][1] < 1300
    small = Image.open(io.BytesIO(few.small))
    assert small.size == (450, 150)


def test_the_picture_of_a_case_is_the_same_each_time() -> None:
    case = case_of(sequestrum("SEQ-1"), sequestrum("SEQ-2", 4.0))
    first, second = (figures.case_picture(case, [VOLUME]) for _ in range(2))
    assert first == second
    assert first.whole.startswith(b"\xff\xd8")


def test_the_picture_of_a_case_tells_values_doubts_and_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = words_of(monkeypatch)
    value = sequestrum("SEQ-1").measurements[0]
    doubted = msgspec.structs.replace(value, flags=("the slices are thick",))
    lacking = not_measured("lucent_rim_width", "no host bone", method=METHOD)
    case = case_of(
        sequestrum("SEQ-1", measurements=(doubted,)),
        sequestrum("SEQ-2", measurements=(lacking,)),
        *(sequestrum(f"S-{n}") for n in range(30)),
    )
    figures.case_picture(case, [VOLUME])
    told = "\n".join(written)
    assert "18.00 ± 0.04 mm" in told
    assert "doubt: the slices" in told
    assert "not measured: no" in told
    assert "32 findings, of which 24 are shown" in told
    assert {"A", "P", "R", "L", "10 mm", "RESEARCH", RESEARCH_USE_SHORT} <= set(written)
    assert case.patient in told


def test_a_line_is_shown_on_its_own_plane() -> None:
    ends = [
        as_stored((CENTRE[0], CENTRE[1] + dy, CENTRE[2] + dz))
        for dy, dz in ((-8, -3), (8, 3))
    ]
    line = Polyline(
        role="as drawn",
        points=tuple(ends),
        frame_of_reference_uid=VOLUME.frame_of_reference_uid,
        source_instances=(VOLUME.instances[20].source,),
    )
    value = measured(
        "distance", 17.0, "mm", method=METHOD, sources=(), uncertainty=0.04,
        region="as drawn",
    )  # fmt: skip
    case = sequestrum("CAL-1", regions=(line,), measurements=(value,))
    first = case_views.views(VOLUME, case, most=1, pixels=300)[0]
    yellow = coloured(first.image, figures.drawing.FITTED_COLOUR)
    assert first.name == "near sagittal"
    long = np.hypot(*(yellow.max(axis=0) - yellow.min(axis=0)))
    width = max(3.5 * np.hypot(16, 6), 40)
    assert long / 300 * width == pytest.approx(np.hypot(16, 6), abs=1.0)


def test_a_finding_on_no_volume_has_its_words_and_no_view(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = words_of(monkeypatch)
    figures.case_picture(case_of(sequestrum("SEQ-1")), [])
    assert any("no view" in words for words in written)


# The folder of a study


def test_a_study_leaves_what_was_asked_for(small_study: Path, tmp_path: Path) -> None:
    volume, images = ot.load(small_study / "ct"), ot.scan(small_study)
    line = ot.caliper(volume, (0.1, -7.1, 0.2), (-0.4, 6.8, -0.3), snap=False)
    made = reading.caliper_finding(line, tracking_uid="2.25.1", label="CAL-1")
    case = reading.assess([volume], [made])
    asked: dict[tuple[bool, studies.Pictures], set[str]] = {
        (False, "none"): {"assessment.json"},
        (False, "case"): {"assessment.json", "case.jpg", "case_small.jpg"},
        (True, "finding"): {
            "assessment.json",
            f"{case.assessment_uid}.dcm",
            "caliper_1_CAL-1.png",
        },
    }
    for number, ((records, pictures), expected) in enumerate(asked.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        written = results.write_study(
            folder, case, [volume], images, records=records, pictures=pictures
        )
        assert {file.name for file in written} == expected
        assert {file.name for file in folder.iterdir()} == expected
        assert ot.read(written[0]) == case
