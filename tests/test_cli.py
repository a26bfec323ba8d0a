"""The command line: arguments in, library call, result out; every verb has --json."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.small_study import CT_SERIES_UID, MR_SERIES_UID
from tests.fixtures.synthetic import GAP_MM, SERIES_UID, wall_gap_options

import osteotrace as ot
from osteotrace import about, findings, protocol
from osteotrace.cli import system
from osteotrace.cli.program import VERBS
from osteotrace.reports import tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.fixtures.command_line import Outcome
    from tests.fixtures.synthetic import WriteSeries

    Run = Callable[..., Outcome]

START, END = (4.9, 0.9, 6.8), (15.8, -0.3, 5.6)
FROM_TO = ("--from", "4.9,0.9,6.8", "--to", "15.8,-0.3,5.6")


def parsed(text: str) -> findings.Assessment:
    return findings.from_json(text, findings.Assessment)


# The program


def test_help_lists_every_verb(osteotrace: Run) -> None:
    outcome = osteotrace("--help")
    assert outcome.code == 0
    for verb in VERBS:
        assert f"  {verb} " in outcome.out
    assert about.RESEARCH_USE_SHORT in outcome.out


def test_without_a_verb_the_help_is_shown(osteotrace: Run) -> None:
    assert osteotrace().out == osteotrace("--help").out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_json(osteotrace: Run, verb: str) -> None:
    outcome = osteotrace(verb, "--help")
    assert outcome.code == 0
    assert "--json" in outcome.out


def test_version_prints_the_version_and_the_whole_statement(osteotrace: Run) -> None:
    outcome = osteotrace("--version")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == f"osteotrace {about.VERSION}"
    assert outcome.out.splitlines()[1] == about.RESEARCH_USE_STATEMENT


# scan


def test_scan_json_is_a_list_of_series_with_their_volumes(
    osteotrace: Run, small_study: Path
) -> None:
    listed = json.loads(osteotrace("scan", small_study, "--json").out)
    assert [series["modality"] for series in listed] == ["CT", "CT", "MR"]
    ct = next(series for series in listed if series["series_uid"] == CT_SERIES_UID)
    assert set(ct) == {
        "study_uid", "series_uid", "modality", "description", "date", "n_instances",
        "patient", "notes", "refers_to", "exam", "volumes",
    }  # fmt: skip
    (volume,) = ct["volumes"]
    assert volume == {
        "k": 0,
        "rows": 96,
        "columns": 70,
        "n_slices": 20,
        "pixel_spacing_mm": [0.5, 0.6],
        "slice_gaps_mm": {"0.8": 19},
        "row_direction": [1, 0, 0],
        "column_direction": [0, 1, 0],
        "tilt_deg": 0,
        "kind": "axial, AXIAL",
        "verdicts": ["regular"],
        "notes": [],
    }


def test_scan_shows_series_verdicts_and_uids(osteotrace: Run, small_study: Path) -> None:
    outcome = osteotrace("scan", small_study)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert (
        f"    {'regular':<30}  volume 0  20 × 96 × 70  0.8 × 0.5 × 0.6 mm  "
        "axial, AXIAL" in lines
    )
    assert lines[-1] == "3 series with 3 volumes, 2 can be measured"
    assert "localizer" in outcome.out
    assert MR_SERIES_UID in outcome.out


@pytest.fixture
def tilted_and_gapped(write_series: WriteSeries, ramp: NDArray[Any]) -> Path:
    """A tilted series and one with a missing slice, in one folder."""
    heights = (0.0, 0.6, 1.8, 2.4, 3.0)
    write_series(ramp, folder="study/gap", series_uid="2.25.9", heights=heights)
    return write_series(ramp, folder="study/tilted", shear=0.25).parent


def test_convert_straightens_a_tilted_stack_and_says_so(
    osteotrace: Run, tilted_and_gapped: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tilted.nrrd"
    done = osteotrace("convert", tilted_and_gapped, "--out", out, "--json")
    assert json.loads(done.out)["resampled"] is True
    told = osteotrace("convert", tilted_and_gapped, "--out", tmp_path / "again.nrrd")
    assert "resampled" in told.out
    assert "not resampled" not in told.out


def test_a_gap_is_refused_until_it_is_allowed_and_then_said(
    osteotrace: Run, tilted_and_gapped: Path, tmp_path: Path
) -> None:
    asked = ("convert", tilted_and_gapped, "--series", "2.25.9", "--out")
    refused = osteotrace(*asked, tmp_path / "no.nrrd")
    assert refused.code == 1
    assert "missing_slices" in refused.err
    assert "allow gaps" in refused.err
    allowed = osteotrace(*asked, tmp_path / "yes.nrrd", "--allow-gaps")
    assert allowed.code == 0
    assert "1 slice missing, gaps up to 1.2 mm where 0.6 mm is usual" in allowed.out


def test_a_second_scan_from_the_index_says_the_same(
    osteotrace: Run, small_study: Path
) -> None:
    first = osteotrace("scan", small_study, "--json").out
    assert osteotrace("scan", small_study, "--json").out == first
    assert osteotrace("scan", small_study, "--json", "--no-index").out == first


def test_scan_shows_no_identity_unless_asked(osteotrace: Run, small_study: Path) -> None:
    for options in ((), ("--json",)):
        assert "TEST-1" not in osteotrace("scan", small_study, *options).out
        shown = osteotrace("scan", small_study, "--identities", *options).out
        assert "TEST-1" in shown
        assert "Test^One" not in shown


def test_scan_lists_what_is_whole_and_names_what_is_damaged(
    osteotrace: Run, write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    cut = folder / "cut.dcm"
    cut.write_bytes((folder / "image0001.dcm").read_bytes()[:400])
    outcome = osteotrace("scan", folder, "--json")
    assert outcome.code == 1
    assert json.loads(outcome.out)[0]["volumes"][0]["verdicts"] == ["regular"]
    assert json.loads(outcome.err)["error"]["where"] == str(cut)


# convert


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.nii.gz", "ct.nii"])
def test_a_converted_volume_has_each_value_at_its_place_in_lps(
    osteotrace: Run,
    write_series: WriteSeries,
    ramp: NDArray[Any],
    tmp_path: Path,
    name: str,
) -> None:
    import SimpleITK

    folder = write_series(ramp)
    outcome = osteotrace("convert", folder, "--out", tmp_path / name, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["shape"] == [5, 6, 7]
    image = SimpleITK.ReadImage(str(tmp_path / name))
    volume = ot.load(folder)
    for index in ((0, 0, 0), (3, 4, 5), (1, 2, 6)):
        place = volume.grid.to_patient(index)
        at = image.TransformPhysicalPointToContinuousIndex(place.tolist())
        assert at == pytest.approx(index[::-1], abs=1e-3)
        assert image.GetPixel(*index[::-1]) == int(ramp[index]) - 1024


def test_convert_takes_the_series_that_is_named(
    osteotrace: Run, small_study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mr.nrrd"
    named = ("--series", MR_SERIES_UID)
    outcome = osteotrace("convert", small_study, *named, "--out", out)
    assert outcome.code == 0
    assert outcome.out == f"{out}: 9 × 60 × 64 voxels, not resampled\n"


# caliper


def test_caliper_prints_value_uncertainty_interval_points_and_statement(
    osteotrace: Run, wall_gap: Path
) -> None:
    outcome = osteotrace("caliper", wall_gap, *FROM_TO)
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.out.startswith("Distance: 9.")
    assert "±" in outcome.out.splitlines()[0]
    assert "95 % interval" in outcome.out.splitlines()[0]
    assert "LPS mm" in outcome.out
    assert about.RESEARCH_USE_SHORT in outcome.out


def test_caliper_json_is_an_assessment_with_the_library_s_own_number(
    osteotrace: Run, wall_gap: Path
) -> None:
    outcome = osteotrace("caliper", wall_gap, *FROM_TO, "--json")
    (finding,) = parsed(outcome.out).findings
    primary = finding.measurements[0]
    direct = ot.caliper(ot.load(wall_gap), START, END).value
    assert isinstance(primary, ot.Measurement)
    assert isinstance(direct, ot.Measurement)
    assert primary == direct
    assert primary.value == pytest.approx(GAP_MM, abs=0.05)


def test_caliper_without_snap_is_the_two_point_length(
    osteotrace: Run, wall_gap: Path
) -> None:
    outcome = osteotrace("caliper", wall_gap, *FROM_TO, "--no-snap", "--json")
    primary = parsed(outcome.out).findings[0].measurements[0]
    assert isinstance(primary, ot.Measurement)
    stored = np.array([START, END], dtype=np.float32).astype(np.float64)
    assert primary.value == np.linalg.norm(stored[1] - stored[0])
    assert primary.uncertainty is None


def test_a_series_that_was_not_named_is_said_where_others_were_passed_over(
    osteotrace: Run, write_series: WriteSeries, tmp_path: Path
) -> None:
    options = wall_gap_options()
    write_series(folder="study/bone", **options)
    one = osteotrace("caliper", tmp_path, *FROM_TO, "--no-snap")
    assert one.err == ""
    heights = tuple(0.8 * n + 0.8 * (n > 5) for n in range(22))
    write_series(folder="study/gap", series_uid="2.25.9", heights=heights, **options)
    two = osteotrace("caliper", tmp_path, *FROM_TO, "--no-snap")
    assert (two.code, two.out) == (0, one.out)
    assert two.err.count("\n") == 1
    assert f"used CT series {SERIES_UID}, volume 0, the only one of 2" in two.err
    named = osteotrace("caliper", tmp_path, *FROM_TO, "--no-snap", "--series", SERIES_UID)
    assert (named.out, named.err) == (one.out, "")


def test_caliper_passes_on_what_lies_between_and_what_the_walls_must_be(
    osteotrace: Run, wall_gap: Path
) -> None:
    said = ("--between", "structure", "--walls", "bone")
    outcome = osteotrace("caliper", wall_gap, *FROM_TO, *said, "--json")
    options: dict[str, Any] = {"between": "structure", "walls": "bone"}
    expected = ot.caliper(ot.load(wall_gap), START, END, **options)
    assert expected != ot.caliper(ot.load(wall_gap), START, END)
    (finding,) = parsed(outcome.out).findings
    assert finding.measurements == expected.measurements


def test_caliper_takes_negative_coordinates(osteotrace: Run, small_study: Path) -> None:
    series = ("--series", CT_SERIES_UID, "--volume", "0")
    points = ("--from", "-0.1,-7.1,0.2", "--to=-0.4,6.8,-0.3")
    outcome = osteotrace("caliper", small_study, *series, *points)
    assert outcome.code == 0
    assert outcome.out.startswith("Distance: 1")


# measure and export


def test_measure_writes_everything_and_says_where(
    osteotrace: Run, small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    outcome = osteotrace(
        "measure", small_study, "--protocol", small_protocol, "--out", out
    )
    assert outcome.code == 0
    assert outcome.err == ""
    assert "12.00 ± 0.01 mm" in outcome.out
    assert about.RESEARCH_USE_SHORT in outcome.out
    written = [file for file in out.rglob("*") if file.is_file()]
    tables = [file.name for file in written if file.parent == out]
    assert "measurements.csv" in tables
    assert f"Table: {out / 'measurements.csv'}" in outcome.out
    study = [file for file in written if file.parent != out]
    assert len(study) == 4
    assert all(str(file) in outcome.out for file in study)


def test_measure_json_is_the_assessment_that_it_saved(
    osteotrace: Run, small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    options = ("--protocol", small_protocol, "--reader", "Dr A", "--json")
    outcome = osteotrace("measure", small_study, "--out", tmp_path / "out", *options)
    printed = parsed(outcome.out)
    (record,) = (tmp_path / "out").glob("*/*.dcm")
    assert ot.read(record) == printed
    assert printed.reader == "Dr A"
    assert printed.protocol_sha256 == protocol.read(small_protocol).sha256


def tree_of_two(write_series: WriteSeries, ramp: NDArray[Any], tmp_path: Path) -> Path:
    """Write two studies, of which the protocol fits one, and the protocol."""
    write_series(ramp, folder="tree/one")
    other = {"study_uid": "2.25.71", "series_uid": "2.25.72", "frame_uid": "2.25.73"}
    folder = write_series(ramp, folder="tree/two", **other).parent
    volume = ot.load(folder / "one")
    start, end = volume.grid.to_patient([[2, 1, 1], [2, 4, 5]]).tolist()
    (tmp_path / "tree.toml").write_text(
        'name = "tree"\n[[caliper]]\nlabel = "A"\nkind = "lesion"\nsite = "jaw"\n'
        'quantity = "distance"\nmodality = "CT"\nsnap = false\n'
        f'frame_of_reference_uid = "2.25.5503"\nstart = {start}\nend = {end}\n'
    )
    return folder


def test_a_tree_gives_json_lines_and_failures_as_lines_and_rows(
    osteotrace: Run, write_series: WriteSeries, ramp: NDArray[Any], tmp_path: Path
) -> None:
    tree = tree_of_two(write_series, ramp, tmp_path)
    options = ("--protocol", tmp_path / "tree.toml", "--json")
    outcome = osteotrace("measure", tree, "--out", tmp_path / "out", *options)
    assert outcome.code == 1
    good, bad = outcome.out.splitlines()
    assert parsed(good).findings[0].label == "A"
    assert json.loads(bad)["study_uid"] == "2.25.71"
    assert "frame of reference" in json.loads(bad)["error"]["found"]
    table = (tmp_path / "out" / "measurements.csv").read_text()
    assert ",failed," in table
    assert ",accepted," in table


def test_a_tree_s_failures_are_lines_on_standard_error(
    osteotrace: Run, write_series: WriteSeries, ramp: NDArray[Any], tmp_path: Path
) -> None:
    tree = tree_of_two(write_series, ramp, tmp_path)
    options = ("--protocol", tmp_path / "tree.toml")
    outcome = osteotrace("measure", tree, "--out", tmp_path / "out", *options)
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert (tmp_path / "out" / "measurements.csv").is_file()


@pytest.fixture
def record(small_study: Path, small_protocol: Path, tmp_path: Path) -> Path:
    """Return a saved assessment, as JSON."""
    return ot.save(ot.measure(small_study, small_protocol), tmp_path / "reading.json")


@pytest.mark.parametrize("form", ["csv", "json", "text", "markups"])
def test_export_writes_each_format(
    osteotrace: Run, record: Path, tmp_path: Path, form: str
) -> None:
    out = tmp_path / f"out.{form}"
    outcome = osteotrace("export", record, "--format", form, "--out", out, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["files"] == [str(out)]
    content = out.read_bytes().decode()
    assessment = ot.read(record)
    if form == "csv":
        assert content == tables.to_csv(tables.rows(assessment))
    if form == "json":
        assert ot.read(out) == assessment
    if form == "text":
        assert about.RESEARCH_USE_STATEMENT in content
    if form == "markups":
        assert json.loads(content)["markups"][0]["coordinateSystem"] == "LPS"


def test_export_reads_an_sr_as_it_reads_json(
    osteotrace: Run, record: Path, small_study: Path, tmp_path: Path
) -> None:
    assessment = ot.read(record)
    sr = ot.save(assessment, tmp_path / "sr", images=ot.scan(small_study))
    for source, name in ((record, "a.csv"), (sr, "b.csv")):
        osteotrace("export", source, "--format", "csv", "--out", tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize("viewer", ["ohif", "slicer"])
def test_export_for_a_viewer_writes_dicom_objects(
    osteotrace: Run, record: Path, small_study: Path, tmp_path: Path, viewer: str
) -> None:
    sr = ot.save(ot.read(record), tmp_path / "sr", images=ot.scan(small_study))
    outcome = osteotrace(
        "export", sr, "--profile", viewer, "--images", small_study,
        "--out", tmp_path / viewer, "--json",
    )  # fmt: skip
    assert outcome.code == 0
    files = json.loads(outcome.out)["files"]
    assert files
    assert sorted(map(str, (tmp_path / viewer).glob("*.dcm"))) == sorted(files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "neither --format nor --profile"),
        (("--format", "csv", "--profile", "ohif"), "both --format and --profile"),
        (("--profile", "ohif"), "without the images"),
    ],
)
def test_an_export_says_what_it_needs(
    osteotrace: Run, record: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    outcome = osteotrace("export", record, *arguments, "--out", tmp_path / "out")
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


# doctor, open, samples


def test_doctor_names_what_is_there(osteotrace: Run) -> None:
    outcome = osteotrace("doctor", "--json")
    assert outcome.code == 0
    said = json.loads(outcome.out)
    names = {check["name"]: check for check in said["checks"]}
    assert said["healthy"]
    assert names["numpy"]["version"] == np.__version__
    assert {"napari", "display", "dciodvfy", "dsrdump"} <= set(names)


def test_doctor_says_how_to_get_what_is_missing(
    osteotrace: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    outcome = osteotrace("doctor")
    assert outcome.code == 0
    assert "apt-get install dicom3tools" in outcome.out
    assert "xvfb-run" in outcome.out


def test_doctor_fails_where_a_needed_library_is_missing(
    osteotrace: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: ["no-such-library>=3"])
    outcome = osteotrace("doctor")
    assert outcome.code == 1
    assert "MISSING  no-such-library: pip install" in outcome.out


def test_open_without_a_display_says_what_to_do(
    osteotrace: Run, monkeypatch: pytest.MonkeyPatch, small_study: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    outcome = osteotrace("open", small_study)
    assert outcome.code == 1
    assert "found no display" in outcome.err
    assert "xvfb-run" in outcome.err


@pytest.mark.parametrize("missing", ["napari", "PySide6"])
def test_open_without_the_plugins_extra_says_how_to_get_it(
    osteotrace: Run, monkeypatch: pytest.MonkeyPatch, small_study: Path, missing: str
) -> None:
    absent = system.Check(missing, False, False, "", system.VIEWER_EXTRA)
    name = {"napari": "_viewer", "PySide6": "_qt"}[missing]
    monkeypatch.setattr(system, name, lambda: absent)
    monkeypatch.setenv("DISPLAY", ":99")
    outcome = osteotrace("open", small_study)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert f"found no {missing}" in outcome.err
    assert 'pip install "osteotrace[napari]"' in outcome.err


def test_open_of_what_is_not_there_is_a_wrong_call(
    osteotrace: Run, tmp_path: Path
) -> None:
    outcome = osteotrace("open", tmp_path / "gone.zip")
    assert outcome.code == 2
    assert "expected a DICOM folder, file, DICOMDIR or zip" in outcome.err


def test_a_viewer_that_is_killed_is_one_line_that_says_where_the_work_is(
    osteotrace: Run, monkeypatch: pytest.MonkeyPatch, small_study: Path, tmp_path: Path
) -> None:
    program = tmp_path / "killed_viewer.py"
    program.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(system, "VIEWER_MODULE", program.stem)
    outcome = osteotrace("open", small_study)
    assert outcome.code == 1
    assert "ended by signal 9" in outcome.err
    assert "in its draft" in outcome.err


def test_open_starts_the_viewer_as_a_new_process(
    osteotrace: Run, monkeypatch: pytest.MonkeyPatch, small_study: Path
) -> None:
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(system, "VIEWER_MODULE", "platform")  # Ends at once.
    outcome = osteotrace("open", small_study, "--json")
    assert outcome.code == 0
    said = json.loads(outcome.out[: outcome.out.index("}") + 1])
    assert said["command"] == [sys.executable, "-m", "platform", str(small_study)]


def test_samples_writes_the_sample_cases_where_it_is_told(
    osteotrace: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The cases themselves are tested with the phantoms; making them takes a while.
    def write(folder: Path, names: list[str] | None) -> tuple[Path, ...]:
        return tuple(folder / name for name in names or ["case"])

    monkeypatch.setattr("osteotrace.phantoms.write_samples", write)
    assert osteotrace("samples", tmp_path).out == f"{tmp_path / 'case'}\n"
    said = json.loads(osteotrace("samples", tmp_path, "--json").out)
    assert said == {"folder": str(tmp_path), "cases": ["case"]}
    some = osteotrace("samples", tmp_path, "--case", "b", "--case", "a", "--json")
    assert json.loads(some.out)["cases"] == ["b", "a"]


def test_the_installed_command_runs_as_a_process(wall_gap: Path) -> None:
    command = [sys.executable, "-m", "osteotrace.cli", "caliper", str(wall_gap)]
    done = subprocess.run(
        [*command, *FROM_TO], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("Distance: 9.")
