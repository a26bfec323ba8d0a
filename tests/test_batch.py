"""A tree of studies: each measured once, its rows those of the library, failures too."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.study_trees import ASKED, COUNT, FIRST_VALUE, study_uid, write_study

import osteotrace as ot
from osteotrace import reading
from osteotrace.batch import Progress, measure_tree
from osteotrace.batch.journal import LINES, UNFINISHED
from osteotrace.batch.reserve import RESERVE
from osteotrace.reading.case_facts import read_facts
from osteotrace.reports import results, tables
from osteotrace.reports.columns import whole_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command_line import Outcome
    from tests.fixtures.study_trees import Measured

    Run = Callable[..., Outcome]


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / results.CSV).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_study_has_its_own_rows_in_the_order_of_patient_and_date(
    undisturbed: Measured,
) -> None:
    table = rows_of(undisturbed.out)
    means = {
        row["study_uid"]: row["value"] for row in table if row["quantity"] == "mean_value"
    }
    assert means == {study_uid(n): repr(FIRST_VALUE + n) for n in range(COUNT)}
    order = [(row["patient"], row["study_date"], row["study_uid"]) for row in table]
    assert order == sorted(order)


def test_the_rows_are_those_of_the_library(undisturbed: Measured) -> None:
    direct = [
        whole_row(row) | {"assessment_uid": ""}
        for study in reading.measure_studies(
            undisturbed.tree, undisturbed.protocol, now=ASKED["now"]
        )
        if study.assessment is not None
        for row in tables.rows(study.assessment, study.catalogue or ())
    ]
    told = [{**row, "assessment_uid": ""} for row in rows_of(undisturbed.out)]
    assert told == list(csv.DictReader(tables.to_csv(direct).splitlines()))


def test_a_reading_has_the_same_uid_wherever_it_is_made_and_another_if_it_differs(
    undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    asked = ASKED | {"now": None, "reader": "Dr A"}
    run = measure_tree(undisturbed.tree, undisturbed.protocol, tmp_path / "a", **asked)
    again = measure_tree(undisturbed.tree, undisturbed.protocol, tmp_path / "b", **asked)
    uids = [one.assessment_uid for one in run.assessments()]
    assert uids == [one.assessment_uid for one in again.assessments()]
    others = {row["assessment_uid"] for row in rows_of(undisturbed.out)}
    assert others.isdisjoint(uids)
    assert len(others) == len(set(uids)) == COUNT


def test_a_study_that_cannot_be_measured_is_a_row_with_its_reason(
    undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    write_study(tmp_path / "tree", 0)
    other = write_study(tmp_path / "tree", 1)
    for file in other.iterdir():
        data = ot_dataset(file)
        # The caliper's series is there, that of the intensity is not.
        data.SeriesDescription = "soft"
        data.save_as(file)
    run = measure_tree(
        tmp_path / "tree", undisturbed.protocol, tmp_path / "out", reader="Dr A", **ASKED
    )
    assert (run.n_done, run.n_failed, run.n_not_selected) == (1, 1, 0)
    (failed,) = [row for row in rows_of(tmp_path / "out") if row["status"] == "failed"]
    assert failed["study_uid"] == study_uid(1)
    assert failed["study_date"] == "2026-02-02"
    assert failed["protocol_sha256"]
    assert "no series" in failed["reason"]
    (told,) = run.failures()
    assert told.study_uid == study_uid(1)


def test_a_name_that_is_no_text_does_not_end_a_run(
    undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    write_study(tmp_path / "tree", 0)
    labels = tmp_path / os.fsdecode(b"masks/m\xfcller.nii.gz")
    labels.parent.mkdir()
    labels.write_bytes(b"none")
    protocol = tmp_path / "labels.toml"
    protocol.write_text(
        'name = "labels"\n[[intensity]]\nlabel = "A"\nmodality = "CT"\n'
        'region = { label = "no such" }\noptional = true\n'
    )
    call = (tmp_path / "tree", protocol, tmp_path / "out")
    run = measure_tree(*call, masks=labels.parent, **ASKED)
    assert run.n_not_selected == 1
    (row,) = rows_of(tmp_path / "out")
    assert "passed over: m\\udcfcller.nii.gz" in row["reason"]


def test_many_studies_that_nothing_but_the_uid_tells_apart_have_names_of_their_own() -> (
    None
):
    names = {results.folder_name("", "", f"2.25.{n}") for n in range(120_000)}
    assert len(names) == 120_000


def test_missing_slices_do_where_the_run_allows_them(
    undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    missing = sorted(write_study(tmp_path / "tree", 2).iterdir())[1]
    missing.unlink()
    call = (tmp_path / "tree", undisturbed.protocol)
    refused = measure_tree(*call, tmp_path / "refused", **ASKED)
    assert refused.n_failed == 1
    run = measure_tree(*call, tmp_path / "allowed", allow_gaps=True, **ASKED)
    assert (run.n_done, run.n_failed) == (1, 0)
    assert {row["geometry"] for row in rows_of(tmp_path / "allowed")} == {
        "missing_slices"
    }


def ot_dataset(file: Path) -> Any:
    import pydicom

    return pydicom.dcmread(file)


def test_a_run_leaves_tables_and_a_folder_a_study_and_nothing_else(
    undisturbed: Measured,
) -> None:
    left = {path.name for path in undisturbed.out.iterdir()}
    assert UNFINISHED not in left
    assert RESERVE not in left
    folders = [path for path in undisturbed.out.iterdir() if path.is_dir()]
    assert len(folders) == COUNT
    for folder in folders:
        assert [file.name for file in folder.iterdir()] == [results.RECORD]
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / results.RECORD).stat().st_mode & 0o777 == 0o600
    assert (undisturbed.out / "run.jsonl").stat().st_mode & 0o777 == 0o600


def test_no_file_of_a_run_tells_where_the_images_lie(undisturbed: Measured) -> None:
    for file in undisturbed.out.rglob("*"):
        if file.is_file():
            assert str(undisturbed.tree).encode() not in file.read_bytes(), file.name


def test_records_are_written_where_asked_and_give_the_reading_back(
    undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    write_study(tmp_path / "tree", 3)
    run = measure_tree(
        tmp_path / "tree", undisturbed.protocol, tmp_path / "out", records=True, **ASKED
    )
    (reading_,) = run.assessments()
    written = {ot_dataset(file).Modality: file for file in tmp_path.glob("out/*/*.dcm")}
    assert set(written) == {"SR", "SEG"}
    assert ot.read(written["SR"]) == reading_


def test_progress_counts_up_to_all(
    undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    told: list[Progress] = []
    measure_tree(
        undisturbed.tree,
        undisturbed.protocol,
        tmp_path / "out",
        progress=told.append,
        **ASKED,
    )
    assert [one.done for one in told] == list(range(COUNT + 1))
    assert all(one.total == COUNT for one in told)
    assert told[0].per_minute is None
    assert told[-1].seconds_left == 0


def test_how_far_a_run_is_reads_as_a_line() -> None:
    far = Progress(120, 1000, 2, per_minute=88.0, seconds_left=600.0)
    assert str(far) == "120 of 1000 studies, 2 failed, 88 a minute, 10 min left"
    assert str(Progress(0, 3, 0)) == "0 of 3 studies, 0 failed"
    assert "2 h 5 min left" in str(Progress(1, 9, 0, 1.0, 7500.0))


def test_a_patient_s_studies_are_staged_beside_those_before_them(
    undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    facts, tree = tmp_path / "facts.toml", tmp_path / "tree"
    facts.write_text('author = "Dr A"\n[always]\njaw_radiotherapy = false\n')
    for number in (0, 1):
        write_study(tree, number)
    run = measure_tree(tree, undisturbed.protocol, tmp_path / "out", facts=facts, **ASKED)
    direct = reading.measure_studies(
        tree, undisturbed.protocol, facts=read_facts(facts), now=ASKED["now"]
    )
    by_uid = {one.study_uid: one for one in run.assessments()}
    for study in direct:
        assert study.assessment is not None
        assert study.assessment.stagings
        assert by_uid[study.study_uid].stagings == study.assessment.stagings
        assert by_uid[study.study_uid].facts == study.assessment.facts
    # One line: they were one task.
    assert (tmp_path / "out" / LINES).read_bytes().count(b"\n") == 1


def test_the_command_measures_a_tree_and_says_what_failed(
    osteotrace: Run, undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    call = ("measure", undisturbed.tree, "--protocol", undisturbed.protocol)
    outcome = osteotrace(*call, "--out", tmp_path / "out", "--pictures", "none")
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.out.startswith(f"{COUNT} studies measured, 0 failed\n")
    assert str(tmp_path / "out" / results.CSV) in outcome.out
    again = osteotrace(*call, "--out", tmp_path / "out", "--pictures", "none")
    assert again.code == 2
    assert "--resume" in again.err
    assert len(again.err.splitlines()) == 1


def test_a_worklist_says_which_studies_are_measured(
    osteotrace: Run, undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    worklist = tmp_path / "worklist.csv"
    worklist.write_text(f"study_uid\n{study_uid(2)}\n2.25.4711\n")
    outcome = osteotrace(
        *("measure", undisturbed.tree, "--protocol", undisturbed.protocol),
        *("--out", tmp_path / "out", "--worklist", worklist, "--pictures", "none"),
    )
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert "2.25.4711" in line
    assert "no image of this study" in line
    studies = {row["study_uid"]: row["status"] for row in rows_of(tmp_path / "out")}
    assert studies == {study_uid(2): "accepted", "2.25.4711": "failed"}


@pytest.mark.parametrize("number", ["0", "-1"])
def test_the_wrong_number_of_workers_is_refused(
    osteotrace: Run, undisturbed: Measured, tmp_path: Path, number: str
) -> None:
    outcome = osteotrace(
        *("measure", undisturbed.tree, "--protocol", undisturbed.protocol),
        *("--out", tmp_path / "out", "--workers", number),
    )
    assert outcome.code == 2
    assert f"{number} workers" in outcome.err
    assert not (tmp_path / "out").exists()


def test_workers_of_this_machine_beside_a_cluster_are_refused(
    osteotrace: Run, undisturbed: Measured, tmp_path: Path
) -> None:
    outcome = osteotrace(
        *("measure", undisturbed.tree, "--protocol", undisturbed.protocol),
        *("--out", tmp_path / "out", "--workers", "2", "--scheduler", "tcp://x:1"),
    )
    assert outcome.code == 2
    assert "both --workers and --scheduler" in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("masked", [False, True])
def test_a_tree_with_nothing_that_the_protocol_means_still_has_its_table(
    osteotrace: Run,
    undisturbed: Measured,
    in_this_process: None,
    tmp_path: Path,
    masked: bool,
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(undisturbed.protocol.read_text().replace('"CT"', '"MR"'))
    masks = ("--masks", undisturbed.tree) if masked else ()
    outcome = osteotrace(
        *("measure", undisturbed.tree, "--protocol", other),
        *("--out", tmp_path / "out", *masks),
    )
    assert outcome.code == 1
    rows = rows_of(tmp_path / "out")
    assert [row["status"] for row in rows] == ["not_selected"] * COUNT
    assert all("no series" in row["reason"] for row in rows)
    (line,) = outcome.err.splitlines()
    assert f"in any of {COUNT} studies" in line
    assert "no series" in line
    assert outcome.out.startswith(f"0 studies measured, 0 failed, {COUNT} not selected\n")


def as_mr(folder: Path) -> None:
    for file in folder.iterdir():
        data = ot_dataset(file)
        data.Modality = "MR"
        data.save_as(file)


@pytest.fixture
def mixed(undisturbed: Measured, tmp_path: Path) -> Path:
    """Return a tree of one study that the protocol means and two that it does not."""
    write_study(tmp_path / "tree", 0)
    for number in (1, 2):
        as_mr(write_study(tmp_path / "tree", number))
    return tmp_path / "tree"


def test_studies_that_the_protocol_does_not_mean_have_not_failed(
    osteotrace: Run,
    undisturbed: Measured,
    in_this_process: None,
    mixed: Path,
    tmp_path: Path,
) -> None:
    call = ("measure", mixed, "--protocol", undisturbed.protocol, "--pictures", "none")
    outcome = osteotrace(*call, "--out", tmp_path / "out")
    assert outcome.code == 0
    assert outcome.out.startswith("1 study measured, 0 failed, 2 not selected\n")
    (line,) = outcome.err.splitlines()
    assert "2 studies in which the protocol selects nothing" in line
    statuses = {row["study_uid"]: row["status"] for row in rows_of(tmp_path / "out")}
    assert statuses == {
        study_uid(0): "accepted",
        study_uid(1): "not_selected",
        study_uid(2): "not_selected",
    }
    with (tmp_path / "out" / results.WIDE).open(encoding="utf-8", newline="") as stream:
        wide = {row["study_uid"]: row for row in csv.DictReader(stream)}
    assert wide[study_uid(1)]["status"] == "not_selected"
    assert "no series" in wide[study_uid(1)]["reason"]
    sheet = (tmp_path / "out" / "contact_sheet.html").read_text(encoding="utf-8")
    cards = re.findall(r'<article class="(\w+)"', sheet)
    assert cards == ["accepted", "not_selected", "not_selected"]
    told = osteotrace(*call, "--out", tmp_path / "json", "--json")
    assert (told.code, told.err) == (0, "")
    kinds = [set(json.loads(line)) for line in told.out.splitlines()]
    assert sum("not_selected" in kind for kind in kinds) == 2
    assert not any("error" in kind for kind in kinds)


def test_a_run_counts_what_is_not_selected_apart_and_looks_again_when_it_goes_on(
    undisturbed: Measured, in_this_process: None, mixed: Path, tmp_path: Path
) -> None:
    told: list[Progress] = []
    call = (mixed, undisturbed.protocol, tmp_path / "out")
    run = measure_tree(*call, progress=told.append, **ASKED)
    assert (run.n_done, run.n_failed, run.n_not_selected) == (1, 0, 2)
    assert [one.failed for one in told] == [0, 0, 0, 0]
    assert list(run.failures()) == []
    assert {one.study_uid for one in run.not_selected()} == {study_uid(1), study_uid(2)}
    assert "1 study measured, none failed, 2 not selected" in str(run)
    write_study(mixed, 1)  # The CT that it should have been.
    run = measure_tree(*call, resume=True, **ASKED)
    assert (run.n_done, run.n_failed, run.n_not_selected) == (2, 0, 1)


def test_a_series_that_is_meant_and_cannot_be_measured_has_failed(
    undisturbed: Measured, in_this_process: None, tmp_path: Path
) -> None:
    sorted(write_study(tmp_path / "tree", 2).iterdir())[1].unlink()
    optional = tmp_path / "optional.toml"
    asked = undisturbed.protocol.read_text()
    optional.write_text(asked.replace("[[caliper]]", "optional = true\n\n[[caliper]]"))
    only = asked[: asked.index("[[caliper]]")] + "optional = true\n"
    for text in (asked, only):
        optional.write_text(text)
        out = tmp_path / f"out {text == only}"
        run = measure_tree(tmp_path / "tree", optional, out, **ASKED)
        assert (run.n_failed, run.n_not_selected) == (1, 0)
        (failed,) = run.failures()
        assert failed.error is not None
        assert "missing slices" in failed.error.found


def test_what_the_page_tells_to_type_are_options_that_there_are(osteotrace: Run) -> None:
    page = (Path(__file__).parents[1] / "docs/batch.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    calls = " ".join(blocks).replace("\\\n", " ").splitlines()
    own = [call for call in calls if call.strip().startswith("osteotrace measure")]
    asked = {word for call in own for word in call.split() if word.startswith("--")}
    asked |= set(re.findall(r"`(--(?!n|t)[a-z-]+)", page)) - {"--hostfile"}
    told = osteotrace("measure", "--help").out
    assert len(own) >= 4
    assert {option for option in asked if option not in told} == set()
