"""What a script is given prints well, turns into a data frame, and gives nothing away."""

from __future__ import annotations

import pickle
import re
import runpy
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from tests.fixtures.assessments import assessment, caliper_finding
from tests.fixtures.compared import ball, case, compared, finding, reading
from tests.fixtures.comparisons import staging
from tests.fixtures.shown_records import differences
from tests.test_documents import assert_examples_run

import osteotrace as ot
from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.reports import tables
from osteotrace.series import SkippedFile

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "docs/notebooks"
EVIL = '<script>alert("x")</script>'
BARE = "<script>"
LINK = re.compile(r"\]\(([^)#]+)")


class _Tags(HTMLParser):
    """The elements that a page opens and closes."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def html_of(record: object) -> str:
    """The card of a record, which is whole HTML and carries the statement."""
    card = record._repr_html_()  # type: ignore[attr-defined]
    tags = _Tags()
    tags.feed(card)
    assert not tags.open, f"{tags.open} are never closed"
    assert "script" not in tags.opened
    assert RESEARCH_USE_SHORT in card
    return str(card)


@pytest.fixture(scope="module")
def catalogue(small_study: Path) -> ot.Catalogue:
    return ot.scan(small_study)


@pytest.fixture(scope="module")
def records(small_study: Path, catalogue: ot.Catalogue) -> dict[str, Any]:
    """One record of each kind that shows itself, by the name of its class."""
    ct = next(one for one in catalogue if one.identity.modality == "CT")
    volume = ot.load(ct)
    ground = reading("2024-01-02", finding("GAS-1", gas_volume=10.0))
    later = reading("2024-07-02", finding("GAS-1", gas_volume=40.0))
    gap = caliper_finding()
    made = [
        catalogue,
        ct,
        ct.volumes[0],
        volume,
        volume.grid,
        gap,
        *gap.measurements,
        *gap.regions,
        assessment(gap),
        case(ground, later),
        compared(ground, later),
        compared(ground, later).lesions[0],
        ball((0.0, 0.0, 0.0), 3.0, "2.25.9"),
        staging("1", "3", "2024-01-02"),
        ot.caliper(volume, (0.0, -6.0, 0.0), (0.0, 6.0, 0.0), snap=False),
        ot.read_protocol("sample_maxilla"),
    ]
    return {type(one).__name__: one for one in made}


# How it prints -----------------------------------------------------------------------


def test_every_record_shows_itself_in_all_four_ways(records: dict[str, Any]) -> None:
    assert len(records) >= 17
    for name, record in records.items():
        line = repr(record)
        assert line.startswith(f"<{name} "), line
        assert "\n" not in line
        assert len(line) < 200
        assert max(map(len, record.described().splitlines())) <= 100, name
        assert RESEARCH_USE_SHORT in record.described()
        assert "osteotrace" in html_of(record)
        assert len(record.frame().columns) > 1, name


def test_a_catalogue_says_what_can_be_measured(catalogue: ot.Catalogue) -> None:
    assert repr(catalogue).startswith("<Catalogue 1 patient, 1 study, 3 series;")
    frame = catalogue.frame()
    assert len(frame) == sum(len(series.volumes) for series in catalogue)
    row = frame[frame["modality"] == "MR"].iloc[0]
    assert (row["slice_mm"], row["row_mm"], row["column_mm"]) == (2.0, 0.7, 0.9)
    assert row["measurable"]


def test_a_scan_of_thousands_shows_its_first_series_and_each_note_once(
    catalogue: ot.Catalogue,
) -> None:
    noted = [replace(one, notes=("a note",)) for one in catalogue]
    many = replace(catalogue, series=tuple(noted * 400))
    assert f"and {1200 - 30} more: see .frame()" in str(many)
    assert str(many).count("a note") == 1
    assert "series 0, 1, 2, 3, 4, 5, 6, 7 and 1192 more: a note" in str(many)
    assert len(many.frame()) == 1200


def test_a_volume_shows_its_middle_slice_and_where_its_sides_are(
    records: dict[str, Any],
) -> None:
    card = html_of(records["Volume"])
    assert "data:image/png;base64," in card
    assert "left R, right L, top A, bottom P" in card


def test_a_reading_s_frame_is_its_table(records: dict[str, Any]) -> None:
    made = records["Assessment"]
    frame = made.frame()
    assert list(frame.columns) == list(tables.COLUMNS)
    expected = [row["value"] for row in tables.rows(made)]
    assert [None if np.isnan(value) else value for value in frame["value"]] == expected


def test_a_number_at_the_prompt_is_the_number_of_the_table(
    records: dict[str, Any],
) -> None:
    value = records["Measurement"]
    row = value.frame().iloc[0]
    assert (row["value"], row["unit"]) == (value.value, value.unit)
    assert value.as_text in html_of(value)
    assert repr(value.value) in value.described()


def test_several_records_make_one_frame(records: dict[str, Any]) -> None:
    made = records["Assessment"]
    both = ot.frame([made, made])
    assert len(both) == 2 * len(made.frame())
    assert ot.frame(made).equals(made.frame())
    assert ot.frame([]).empty


def test_records_of_two_kinds_are_no_frame(
    records: dict[str, Any], refusal: Callable[[Callable[[], object]], ot.OsteotraceError]
) -> None:
    mixed = refusal(lambda: ot.frame([records["Assessment"], records["Volume"]]))
    assert "Assessment and Volume" in mixed.found
    assert "int for a data frame" in refusal(lambda: ot.frame([1])).found
    assert "NoneType" in refusal(lambda: ot.frame(None)).found


def test_a_long_table_says_how_many_rows_it_leaves_out() -> None:
    many = reading("2024-01-02", *(finding(f"G-{k}", gas_volume=1.0) for k in range(40)))
    assert "and 10 more: see .frame()" in str(many)
    assert "and 10 more: see .frame()" in html_of(many)
    assert len(many.frame()) == 40


def test_a_study_that_failed_shows_why() -> None:
    why = ot.OsteotraceError("no series", expected="a CT", advice="give one", where="/x")
    failed = ot.StudyReading(study_uid="2.25.6", patient="P-1", error=why)
    assert repr(failed) == "<StudyReading P-1, study 2.25.6: failed>"
    assert "give one" in html_of(failed)
    assert "/x" not in html_of(failed)
    done = ot.StudyReading(study_uid="2.25.6", patient="P-1", assessment=assessment())
    frame = ot.frame([failed, done])
    assert frame["status"].tolist()[0] == "failed"


# How its parts are found --------------------------------------------------------------


def test_a_catalogue_gives_series_by_number_or_uid_and_one_catalogue_a_study(
    catalogue: ot.Catalogue, refusal: Callable[[Callable[[], object]], ot.OsteotraceError]
) -> None:
    uids = [series.identity.series_uid for series in catalogue]
    assert catalogue[0] is catalogue[uids[0]]
    with pytest.raises(KeyError):
        catalogue["1.2.3"]
    (study,) = catalogue.studies
    assert study.series == catalogue.series
    several = refusal(lambda: ot.load(catalogue))
    assert "2 volumes" in several.found
    assert "in Python: series_uid=" in several.advice
    ct = next(one for one in catalogue if one.identity.modality == "CT")
    volume = ot.load(catalogue, series_uid=ct.identity.series_uid)
    assert volume.shape == volume.grid.shape
    assert volume.spacing.tolist() == volume.grid.spacing.tolist()


def test_findings_values_and_lesions_are_found_by_their_names(
    records: dict[str, Any],
) -> None:
    made = records["Assessment"]
    gap = made.findings[0]
    assert made[gap.label] is made[gap.tracking_uid] is gap
    assert gap[gap.measurements[0].name] is gap.measurements[0]
    assert records["CaliperReading"]["distance"] is records["CaliperReading"].value
    assert records["Comparison"]["GAS-1"] is records["Comparison"].lesions[0]
    for whole in (made, gap, records["CaliperReading"], records["Comparison"]):
        with pytest.raises(KeyError, match="of another name"):
            whole["of another name"]
    twice = assessment(gap, msgspec.structs.replace(gap, tracking_uid="2.25.3"))
    with pytest.raises(KeyError, match="2 findings"):
        twice[gap.label]


def test_a_scan_without_a_study_is_no_study(
    refusal: Callable[[Callable[[], object]], ot.OsteotraceError],
) -> None:
    nothing = ot.Catalogue(root=Path("x"), series=(), skipped=())
    assert repr(nothing) == "<Catalogue no series>"
    assert refusal(lambda: ot.measure(nothing, "sample_maxilla")).found == "no study"


# What it does not give away ----------------------------------------------------------


def test_every_text_of_a_record_is_escaped(records: dict[str, Any]) -> None:
    bad = msgspec.structs.replace(caliper_finding(), label=EVIL, note=EVIL)
    made = msgspec.structs.replace(assessment(bad), reader=EVIL, protocol=EVIL)
    compared_bad = compared(reading("2024-01-02", bad), reading("2024-07-02", bad))
    named = msgspec.structs.replace(records["Catalogue"].series[0].identity)
    named = msgspec.structs.replace(named, description=EVIL, patient=EVIL)
    series = [
        ot.Series(identity=named, volumes=one.volumes, notes=(EVIL,))
        for one in records["Catalogue"]
    ]
    strange = ot.Catalogue(root=Path("x"), series=tuple(series), skipped=())
    for record in (bad, made, compared_bad, strange, series[0]):
        card = html_of(record)
        assert BARE not in card
        assert "&lt;script&gt;" in card


def test_what_steers_a_terminal_is_taken_out(records: dict[str, Any]) -> None:
    bad = msgspec.structs.replace(caliper_finding(), label="\x1b[31mred\x07")
    for words in (repr(bad), bad.described(), str(assessment(bad))):
        assert "\x1b" not in words
        assert "\x07" not in words


def test_no_path_no_name_and_no_identifier_is_shown(
    small_study: Path, records: dict[str, Any]
) -> None:
    broken = SkippedFile(path=small_study / "DOE_JANE.dcm", reason="cut", damaged=True)
    scanned = records["Catalogue"]
    made = ot.Catalogue(root=scanned.root, series=scanned.series, skipped=(broken,))
    assert "damaged: 1 file, cut" in str(made)
    for record in (made, *records.values()):
        for words in (repr(record), record.described(), html_of(record)):
            for secret in ("TEST-1", "Test^One", "DOE_JANE", str(small_study.parent)):
                assert secret not in words


# Records are what they were ----------------------------------------------------------


def test_records_that_show_themselves_are_equal_after_pickle_and_json(
    records: dict[str, Any],
) -> None:
    for name in ("Assessment", "Comparison", "StagingResult", "Finding", "Protocol"):
        record = records[name]
        assert pickle.loads(pickle.dumps(record)) == record
        if name != "Protocol":
            text = msgspec.json.encode(record)
            assert msgspec.json.decode(text, type=type(record)) == record


def test_a_test_that_compares_two_records_says_where_they_differ(
    records: dict[str, Any],
) -> None:
    made = records["Assessment"]
    gap = made.findings[0]
    value = msgspec.structs.replace(gap.measurements[0], value=1.5)
    measurements = (value, *gap.measurements[1:])
    other = assessment(msgspec.structs.replace(gap, measurements=measurements))
    (place,) = differences(made, other, "Assessment")
    said = f"Assessment.findings[0].measurements[0].value: {gap.measurements[0].value!r}"
    assert place == f"{said} != 1.5"
    assert not list(differences(made, made, "Assessment"))


def test_a_record_with_an_unknown_code_still_has_a_line() -> None:
    strange = msgspec.structs.replace(caliper_finding(), kind="of another version")
    assert repr(strange).startswith("<Finding with an unknown code")


# Patients ----------------------------------------------------------------------------


def test_a_case_is_staged_from_records_and_facts_as_by_hand(tmp_path: Path) -> None:
    facts = ROOT / "sample_dicom/facts/maxilla_before.toml"
    made = reading("2023-06-20", finding("GAS-1", gas_volume=10.0))
    file = ot.save(made, tmp_path / "reading.json")
    whole = ot.read_case(tmp_path, facts=facts)
    by_path = ot.stage(file, facts=facts)
    assert by_path == ot.stage(whole) == ot.stage(made, facts=facts)
    assert by_path
    assert ot.stage(facts=facts)[0].system == by_path[0].system


def test_neither_records_nor_facts_is_said(
    refusal: Callable[[Callable[[], object]], ot.OsteotraceError], tmp_path: Path
) -> None:
    assert "neither records nor facts" in refusal(ot.read_case).found
    assert "nothing to stage" in refusal(ot.stage).found
    for patient in ("P-1", "P-2"):
        made = msgspec.structs.replace(reading("2024-01-02"), patient=patient)
        ot.save(made, tmp_path / f"{patient}.json")
    assert "records of 2 patients" in refusal(lambda: ot.read_case(tmp_path)).found


# Documents ---------------------------------------------------------------------------


def test_the_page_on_scripting_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sample_dicom", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    assert_examples_run(ROOT / "docs/scripting.md", least=40)


def test_the_page_on_scripting_names_the_whole_front_door() -> None:
    page = (ROOT / "docs/scripting.md").read_text()
    missing = [name for name in ot.__all__ if f"`{name}`" not in page]
    assert missing == ["__version__"]


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """The notebooks as their script writes them, by name."""
    made = runpy.run_path(str(ROOT / "docs/make_notebooks.py"))
    return {name: made["text"](name) for name in made["NOTEBOOKS"]}


def test_the_notebooks_are_as_their_script_writes_them(written: dict[str, str]) -> None:
    assert {file.stem for file in NOTEBOOKS.glob("*.ipynb")} == set(written)
    for name, text in written.items():
        stored = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
        assert stored == text, "run docs/make_notebooks.py"
        made = nbformat.reads(stored, 4)
        nbformat.validate(made)
        assert not any(cell.get("outputs") for cell in made.cells)
        assert any(RESEARCH_USE_SHORT in cell.source for cell in made.cells)
        for link in LINK.findall("\n".join(cell.source for cell in made.cells)):
            assert (NOTEBOOKS / link).is_file(), f"{link} leads nowhere"


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a kernel writes (history, connection, results) out of the user's home."""
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "TMPDIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))


def run_notebooks(written: dict[str, str], *, slow: bool) -> list[nbformat.NotebookNode]:
    """Run all notebooks in one kernel, each from nothing; return what they show."""
    cells = []
    for text in written.values():
        cells.append(nbformat.v4.new_code_cell("%reset -f"))
        cells += [
            cell
            for cell in nbformat.reads(text, 4).cells
            if slow or "slow" not in cell.metadata.get("tags", ())
        ]
    whole = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(
        whole, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}}
    )
    client.execute()
    return [output for cell in whole.cells for output in cell.get("outputs", ())]


def shown_by(outputs: list[nbformat.NotebookNode]) -> str:
    assert not [one for one in outputs if one.output_type == "error"]
    return "".join(one.get("data", {}).get("text/html", "") for one in outputs)


@pytest.mark.usefixtures("own_folders")
def test_the_notebooks_run(written: dict[str, str]) -> None:
    shown = shown_by(run_notebooks(written, slow=False))
    assert "12.08 ± 0.01 mm" in shown
    assert "1 study measured, 1 failed" in shown
    assert "within measurement error" in shown
    assert shown.count(RESEARCH_USE_SHORT) >= 10


@pytest.mark.slow
@pytest.mark.usefixtures("own_folders")
def test_the_notebooks_run_with_their_long_cells(written: dict[str, str]) -> None:
    outputs = run_notebooks(written, slow=True)
    shown = shown_by(outputs)
    assert "Sequestrum" in shown
    assert "resolved" in shown
    plain = [one.get("data", {}).get("text/plain", "") for one in outputs]
    assert "True" in plain
    assert "False" not in plain
