"""What people get to read: tables, text, markups, a picture, and the result folder."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.fixtures.small_protocol import TEXT
from tests.fixtures.synthetic import GAP_MM, SeriesSpec, wall_gap_options

import osteotrace as ot
from osteotrace import findings, protocol, reading
from osteotrace.about import RESEARCH_USE_SHORT, RESEARCH_USE_STATEMENT
from osteotrace.errors import OsteotraceError
from osteotrace.records import sr
from osteotrace.regions import extent
from osteotrace.reports import figures, markups, results, tables, text
from osteotrace.volume.resampling import rectified

if TYPE_CHECKING:
    from tests.fixtures.synthetic import WriteSeries

    from osteotrace.findings import Assessment, Finding
    from osteotrace.geometry import Array


@pytest.fixture(scope="module")
def assessment(small_study: Path) -> Assessment:
    """The small study's reading: a fitted gap on CT, one as drawn on MR."""
    return ot.measure(small_study, protocol.parse(TEXT.encode(), Path("small.toml")))


def with_note(assessment: Assessment, **changes: Any) -> Assessment:
    first = msgspec.structs.replace(assessment.findings[0], **changes)
    return msgspec.structs.replace(assessment, findings=(first,))


def cells(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table, newline="")))


# Tables


def test_the_table_has_a_row_for_every_measurement(assessment: Assessment) -> None:
    rows = cells(tables.to_csv(tables.rows(assessment)))
    count = sum(len(finding.measurements) for finding in assessment.findings)
    assert len(rows) == count == 6
    assert [row["primary"] for row in rows].count("true") == 2


def test_numbers_in_the_table_keep_every_bit(assessment: Assessment) -> None:
    first = cells(tables.to_csv(tables.rows(assessment)))[0]
    primary = assessment.findings[0].measurements[0]
    assert isinstance(primary, ot.Measurement)
    assert primary.interval95 is not None
    assert float(first["value"]) == primary.value
    assert float(first["u"]) == primary.uncertainty
    assert float(first["interval95_low"]) == primary.interval95[0]
    points = [
        tuple(map(float, point.strip("()").split()))
        for point in first["points_lps_mm"].split(") (")
    ]
    assert tuple(points) == extent(assessment.findings[0].regions[0])


def test_a_row_says_whose_value_it_is_and_how_it_came_about(
    assessment: Assessment,
) -> None:
    first = cells(tables.to_csv(tables.rows(assessment)))[0]
    finding = assessment.findings[0]
    assert first["patient"] == assessment.patient
    assert first["series_uid"] == assessment.series[0].series_uid
    assert first["frame_of_reference_uid"] == finding.regions[0].frame_of_reference_uid
    assert (first["quantity"], first["code"]) == ("palatal_gap_ap", "M-GAPAP")
    assert (first["method"], first["unit"]) == ("osteotrace caliper", "mm")
    assert (first["status"], first["flags"], first["reason"]) == ("accepted", "", "")
    assert first["n_sources"] == str(len(finding.measurements[0].sources))
    assert first["statement"] == RESEARCH_USE_SHORT


def two_series_of_one_frame(write_series: WriteSeries) -> list[ot.Volume]:
    """Return two volumes in one frame of reference, the second one 100 HU brighter."""
    options = wall_gap_options()
    thin = write_series(folder="thin", series_uid="2.25.81", **options)
    options["voxels"] = options["voxels"] + 100
    soft = write_series(folder="soft", series_uid="2.25.82", **options)
    return [ot.load(thin), ot.load(soft)]


def test_a_row_names_the_series_measured_not_its_neighbour_in_the_frame(
    write_series: WriteSeries,
) -> None:
    volumes = two_series_of_one_frame(write_series)
    made = [
        reading.caliper_finding(
            ot.caliper(volume, (4.9, 0.9, 6.8), (15.8, -0.3, 5.6), snap=False),
            tracking_uid=f"2.25.{number}",
            label=f"CAL-{number}",
        )
        for number, volume in enumerate(volumes)
    ]
    rows = tables.rows(reading.assess(volumes, made))
    assert [row["series_uid"] for row in rows if row["primary"]] == ["2.25.81", "2.25.82"]


def test_a_picture_shows_the_volume_that_was_measured(
    write_series: WriteSeries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes = two_series_of_one_frame(write_series)
    drawn: list[ot.Volume] = []

    def note(volume: ot.Volume, _: Finding) -> bytes:
        drawn.append(volume)
        return b"picture"

    monkeypatch.setattr(figures, "caliper_picture", note)
    line = ot.caliper(volumes[0], (4.9, 0.9, 6.8), (15.8, -0.3, 5.6), snap=False)
    finding = reading.caliper_finding(line, tracking_uid="2.25.1", label="CAL-1")
    with results.result_folder(tmp_path / "out") as folder:
        folder.add(reading.assess(volumes, [finding]), volumes, ot.scan(tmp_path))
    assert [volume.identity.series_uid for volume in drawn] == ["2.25.81"]


def test_a_record_that_does_not_say_its_series_names_none_of_several(
    assessment: Assessment,
) -> None:
    unsaid = with_note(assessment, series_uid="")
    assert tables.rows(unsaid)[0]["series_uid"] == assessment.series[0].series_uid
    first, other = unsaid.series
    twin = msgspec.structs.replace(
        other, frame_of_reference_uid=first.frame_of_reference_uid
    )
    doubtful = msgspec.structs.replace(unsaid, series=(first, twin))
    assert tables.rows(doubtful)[0]["series_uid"] == ""


def test_what_was_not_measured_is_a_row_with_its_reason(
    assessment: Assessment,
) -> None:
    primary = assessment.findings[0].measurements[0]
    refused = ot.NotMeasured(
        name=primary.name, code=primary.code, reason="no wall", method=primary.method
    )
    made = with_note(assessment, measurements=(refused,))
    (row,) = cells(tables.to_csv(tables.rows(made)))
    assert (row["status"], row["reason"], row["value"]) == ("not_measured", "no wall", "")


def test_a_flagged_value_is_marked_with_its_flags(assessment: Assessment) -> None:
    primary = msgspec.structs.replace(
        assessment.findings[0].measurements[0], flags=("thin wall", "rival edge")
    )
    made = with_note(assessment, measurements=(primary,))
    (row,) = cells(tables.to_csv(tables.rows(made)))
    assert (row["status"], row["flags"]) == ("flagged", "thin wall; rival edge")


def test_a_failed_study_is_a_row() -> None:
    error = OsteotraceError("a tilt", expected="none", advice="choose another")
    (row,) = cells(tables.to_csv([tables.failure_row("1.2", "P-X", error)]))
    assert (row["status"], row["study_uid"]) == ("failed", "1.2")
    assert row["reason"] == "found a tilt; expected none; choose another"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_free_text_never_becomes_a_formula(assessment: Assessment, start: str) -> None:
    made = with_note(assessment, label=f"{start}HYPERLINK(0)")
    label = cells(tables.to_csv(tables.rows(made)))[0]["label"]
    assert label == f"'{start}HYPERLINK(0)"


def test_no_cell_of_ours_starts_a_formula_but_numbers(assessment: Assessment) -> None:
    for row in cells(tables.to_csv(tables.rows(assessment))):
        for column, cell in row.items():
            if cell.startswith(("=", "+", "-", "@")):
                float(cell)
                assert column in {"value", "u", "interval95_low", "interval95_high"}


def test_commas_quotes_and_line_breaks_stay_in_their_cell(
    assessment: Assessment,
) -> None:
    made = with_note(assessment, label='a, "b"\nc')
    assert cells(tables.to_csv(tables.rows(made)))[0]["label"] == 'a, "b"\nc'


def test_a_data_frame_has_the_rows_of_the_table(assessment: Assessment) -> None:
    frame = tables.frame([assessment, assessment])
    assert list(frame.columns) == list(tables.COLUMNS)
    assert len(frame) == 12
    assert frame["value"][0] == tables.rows(assessment)[0]["value"]


# Text and markups


def test_the_text_has_each_value_with_its_interval_and_the_statement(
    assessment: Assessment,
) -> None:
    words = text.report(assessment)
    assert "PAL-1: Palatal bony defect, Hard palate structure" in words
    assert "Palatal gap, antero-posterior: 12.00 ± 0.01 mm (95 % interval 11.97" in words
    assert "no uncertainty: the points are as drawn" in words
    assert words.rstrip().endswith(RESEARCH_USE_STATEMENT)


def test_slicer_markups_are_lines_in_lps_mm(assessment: Assessment) -> None:
    document = json.loads(markups.to_markups(assessment))
    regions = [region for finding in assessment.findings for region in finding.regions]
    assert len(document["markups"]) == len(regions)
    for markup, region in zip(document["markups"], regions, strict=True):
        assert markup["type"] == "Line"
        assert (markup["coordinateSystem"], markup["coordinateUnits"]) == ("LPS", "mm")
        positions = [tuple(point["position"]) for point in markup["controlPoints"]]
        assert tuple(positions) == extent(region)
        assert RESEARCH_USE_SHORT in markup["description"]


# The picture


def in_plane(plane: figures.Plane, point: Array) -> float:
    return float((point - plane.centre) @ plane.normal)


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        ((0, 0, 0), (0, 12, 0), "sagittal"),
        ((3, 0, 0), (-2, 12, 4), "sagittal"),
        ((0, 0, 0), (0.5, 0.2, 30), "sagittal"),
        ((0, 0, 0), (12, 1, 1), "axial"),
        ((0, 0, 0), (-12, 0, 0), "axial"),
    ],
)
def test_the_picture_holds_the_line_in_the_nearest_standard_plane(
    start: tuple[float, ...], end: tuple[float, ...], name: str
) -> None:
    plane = figures.caliper_plane(start, end)
    assert plane.name == name
    for point in (start, end):
        assert in_plane(plane, np.array(point)) == pytest.approx(0, abs=1e-9)
    frame = np.stack([plane.right, plane.down])
    assert frame @ frame.T == pytest.approx(np.eye(2), abs=1e-9)


def test_a_sagittal_picture_has_anterior_left_and_superior_up() -> None:
    plane = figures.caliper_plane((0, 0, 0), (1, 12, 2))
    assert plane.right @ (0, 1, 0) > 0.9
    assert plane.down @ (0, 0, -1) > 0.9


def test_an_axial_picture_has_right_left_and_anterior_up() -> None:
    plane = figures.caliper_plane((0, 0, 0), (-12, 1, 2))
    assert plane.right @ (1, 0, 0) > 0.9
    assert plane.down @ (0, 1, 0) > 0.9


def test_the_picture_shows_the_gap_where_the_caliper_says(small_study: Path) -> None:
    volume = ot.load(small_study / "ct")
    plane = figures.caliper_plane((0.0, -6.25, 0.0), (0.0, 5.75, 0.0))
    values = figures.reslice(volume, plane)
    middle = values[figures.PIXELS // 2]
    bright = np.flatnonzero(middle > 620)
    step = plane.width / figures.PIXELS
    inner = np.diff(bright).max() * step
    assert inner == pytest.approx(12.0, abs=0.3)
    assert np.isnan(values[0, 0])


@pytest.mark.parametrize(
    "stack",
    [
        {},
        {"shear": 0.3},
        {"heights": (0.0, 1.0, 1.4, 3.0, 4.5, 5.0, 6.8, 8.0)},
        {"shear": -0.3, "heights": (0.0, 1.0, 1.4, 3.0, 4.5, 5.0, 6.8, 8.0)},
    ],
    ids=["regular", "tilted", "uneven", "tilted and uneven"],
)
def test_the_picture_shows_every_voxel_in_its_true_place(
    write_series: WriteSeries, stack: dict[str, Any]
) -> None:
    # A value that is linear in patient space is met exactly, or something was moved.
    slope, field = 0.01, np.array([3.0, -4.0, 5.0])
    spec = SeriesSpec(voxels=np.zeros((8, 40, 50)), spacing=(1.0, 0.9, 0.8), **stack)
    r, c = np.indices(spec.voxels.shape[1:])[..., None]
    across = r * 0.9 * np.array(spec.column) + c * 0.8 * np.array(spec.row)
    places = np.stack([spec.place(k) + across for k in range(8)])
    stored = np.round((places @ field + 400) / slope)
    folder = write_series(
        stored, spacing=(1.0, 0.9, 0.8), slope=slope, intercept=-400, **stack
    )
    volume = ot.load(folder)
    middle = places[3:5, 15:25, 20:30].reshape(-1, 3).mean(axis=0)
    half = np.array([0.3, 5.0, 1.5])
    plane = figures.caliper_plane(middle - half, middle + half)
    values = figures.reslice(volume, plane)
    along = (np.arange(figures.PIXELS) + 0.5) / figures.PIXELS - 0.5
    rows, columns = along[:, None, None] * plane.down, along[:, None] * plane.right
    points = plane.centre + plane.width * (rows + columns)
    index = volume.grid.to_index(points)
    between = ((index >= 0) & (index <= np.array([7, 39, 49]))).all(axis=-1)
    assert between.sum() > 10_000
    off = values[between] - points[between] @ field
    assert np.abs(off).max() < slope
    assert (np.isfinite(values) == volume.grid.contains(points)).all()


def test_the_picture_is_a_png_and_the_same_each_time(
    small_study: Path, assessment: Assessment
) -> None:
    volume = ot.load(small_study / "ct")
    first, second = (
        figures.caliper_picture(volume, assessment.findings[0]) for _ in range(2)
    )
    assert first.startswith(b"\x89PNG")
    assert first == second


def words_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gathers every text that matplotlib is given to draw."""
    from matplotlib.text import Text

    written: list[str] = []
    set_text = Text.set_text

    def note(self: Text, words: str) -> None:
        written.append(words)
        set_text(self, words)

    monkeypatch.setattr(Text, "set_text", note)
    return written


def test_the_picture_carries_value_letters_scale_and_research_mark(
    small_study: Path, assessment: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = words_of(monkeypatch)
    figures.caliper_picture(ot.load(small_study / "ct"), assessment.findings[0])
    assert {"A", "P", "S", "I", "10 mm", "RESEARCH", RESEARCH_USE_SHORT} <= set(written)
    assert "12.00 ± 0.01 mm" in written


def test_a_finding_of_another_frame_is_not_drawn(
    small_study: Path, assessment: Assessment
) -> None:
    with pytest.raises(OsteotraceError, match="frame of reference"):
        figures.caliper_picture(ot.load(small_study / "mr"), assessment.findings[0])


# Files and folders


def fill(folder: Path, assessment: Assessment, study: Path) -> list[Path]:
    volumes = [ot.load(study / "ct"), ot.load(study / "mr")]
    with results.result_folder(folder) as made:
        return made.add(assessment, volumes, ot.scan(study))


def test_the_result_folder_holds_records_pictures_and_the_table(
    tmp_path: Path, assessment: Assessment, small_study: Path
) -> None:
    files = fill(tmp_path / "out", assessment, small_study)
    names = [file.name for file in files]
    assert names[0] == "assessment.json"
    assert names[1] == f"{assessment.assessment_uid}.dcm"
    assert names[2:] == ["caliper_1_PAL-1.png", "caliper_2_SOFT-1.png"]
    assert all(file.is_file() for file in files)
    assert ot.read(files[0]) == assessment
    assert ot.read(files[1]) == assessment
    whole = files[0].read_bytes()
    files[0].write_bytes(whole.replace(b'"value": 12.', b'"value": 712.', 1))
    assert files[0].read_bytes() != whole
    with pytest.raises(OsteotraceError, match="does not match its SHA-256"):
        ot.read(files[0])
    table = (tmp_path / "out" / "measurements.csv").read_bytes().decode()
    assert table == tables.to_csv(tables.rows(assessment, ot.scan(small_study)))
    assert RESEARCH_USE_STATEMENT in (tmp_path / "out" / "README.txt").read_text()


def test_a_study_that_cannot_be_written_leaves_nothing(
    tmp_path: Path,
    assessment: Assessment,
    small_study: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> bytes:
        raise OsteotraceError("a fault", expected="none", advice="report it")

    monkeypatch.setattr(figures, "caliper_picture", fail)
    with pytest.raises(OsteotraceError, match="a fault"):
        fill(tmp_path / "out", assessment, small_study)
    assert list(tmp_path.iterdir()) == []


def test_a_hostile_label_stays_inside_its_folder(
    tmp_path: Path, assessment: Assessment, small_study: Path
) -> None:
    finding: Finding = assessment.findings[0]
    made = with_note(assessment, label="../../x", measurements=finding.measurements)
    *_, picture = fill(tmp_path / "out", made, small_study)
    assert picture.name == "caliper_1_-x.png"
    assert picture.parent.parent == tmp_path / "out"


# What images do not say, and what was done to them


@pytest.fixture
def without_frame(write_series: WriteSeries) -> Path:
    """A series without FrameOfReferenceUID, as some anonymisers leave one."""
    return write_series(frame_uid="", **wall_gap_options())


def measured(volume: ot.Volume, **options: Any) -> Assessment:
    line = ot.caliper(volume, (4.9, 0.9, 6.8), (15.8, -0.3, 5.6), **options)
    finding = reading.caliper_finding(line, tracking_uid="2.25.1", label="CAL-1")
    return reading.assess([volume], [finding])


def test_a_reading_without_a_frame_of_reference_is_kept_as_it_is(
    without_frame: Path,
) -> None:
    volume = ot.load(without_frame)
    made = measured(volume)
    (finding,) = made.findings
    assert finding.regions[0].frame_of_reference_uid == ""
    assert findings.from_json(findings.to_json(made), findings.Assessment) == made
    row = cells(tables.to_csv(tables.rows(made)))[0]
    assert row["frame_of_reference_uid"] == ""
    assert row["series_uid"] == volume.identity.series_uid
    assert float(row["value"]) == pytest.approx(GAP_MM, abs=0.05)
    assert f"Distance: {text.value(finding.measurements[0])}" in text.report(made)
    assert figures.caliper_picture(volume, finding).startswith(b"\x89PNG")


def test_a_reading_of_no_dicom_file_is_kept_as_it_is(without_frame: Path) -> None:
    volume = replace(ot.load(without_frame), instances=())
    made = measured(volume)
    (finding,) = made.findings
    assert finding.source_instances == ()
    assert findings.from_json(findings.to_json(made), findings.Assessment) == made
    row = cells(tables.to_csv(tables.rows(made)))[0]
    assert (row["n_sources"], row["status"]) == ("0", "accepted")
    assert figures.caliper_picture(volume, finding).startswith(b"\x89PNG")


def test_a_frame_of_reference_and_none_are_not_one_frame(
    without_frame: Path, assessment: Assessment
) -> None:
    finding = measured(ot.load(without_frame)).findings[0]
    line = assessment.findings[0].regions[0]
    both = msgspec.structs.replace(finding, regions=(*finding.regions, line))
    made = msgspec.structs.replace(assessment, findings=(both,))
    row = tables.rows(made)[0]
    assert row["frame_of_reference_uid"] == line.frame_of_reference_uid


def test_the_result_folder_says_why_it_has_no_report(
    tmp_path: Path, without_frame: Path
) -> None:
    volume = ot.load(without_frame)
    made = measured(volume)
    with results.result_folder(tmp_path / "out") as folder:
        files = folder.add(made, [volume], ot.scan(without_frame, index=False))
    names = [file.name for file in files]
    assert names == ["assessment.json", results.NO_SR, "caliper_1_CAL-1.png"]
    assert "without a FrameOfReferenceUID (0020,0052)" in files[1].read_text()
    assert results.NO_SR in (tmp_path / "out" / "README.txt").read_text()
    assert len(cells((tmp_path / "out" / "measurements.csv").read_text())) == 4


def test_a_picture_without_a_frame_of_reference_is_of_its_own_images_only(
    without_frame: Path, write_series: WriteSeries
) -> None:
    options = wall_gap_options() | {"series_uid": "2.25.83", "frame_uid": ""}
    other = ot.load(write_series(folder="other", **options))
    finding = measured(ot.load(without_frame)).findings[0]
    with pytest.raises(OsteotraceError, match="frame of reference"):
        figures.caliper_picture(other, finding)


NOTE = "2 slices missing, nothing filled in"


@pytest.mark.parametrize("snap", [True, False], ids=["fitted", "as drawn"])
def test_no_number_leaves_the_notes_of_its_volume_behind(
    wall_gap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snap: bool
) -> None:
    volume = replace(ot.load(wall_gap), notes=(NOTE,))
    made = measured(volume, snap=snap)
    (finding,) = made.findings
    numbers = [m for m in finding.measurements if isinstance(m, ot.Measurement)]
    assert len(numbers) == (4 if snap else 2)
    assert all(number.flags == (NOTE,) for number in numbers)
    assert findings.from_json(findings.to_json(made), findings.Assessment) == made
    assert sr.read(sr.write(made, ot.scan(wall_gap, index=False), tmp_path)) == made
    for row in cells(tables.to_csv(tables.rows(made))):
        assert (row["status"], row["flags"]) == ("flagged", NOTE)
    assert text.report(made).count(NOTE) == len(numbers)
    written = words_of(monkeypatch)
    figures.caliper_picture(volume, finding)
    assert any(NOTE in words for words in written)


def test_a_number_of_a_resampled_volume_says_so_and_names_the_images(
    wall_gap: Path, tmp_path: Path
) -> None:
    volume = ot.load(wall_gap)
    made = measured(rectified(volume, 0.4))
    value = made.findings[0].measurements[0]
    assert isinstance(value, ot.Measurement)
    assert value.value == pytest.approx(GAP_MM, abs=0.1)
    assert any(flag.startswith("resampled linearly") for flag in value.flags)
    assert value.sources == measured(volume).findings[0].measurements[0].sources
    assert sr.read(sr.write(made, ot.scan(wall_gap, index=False), tmp_path)) == made
