"""Worklists and the verbs query, fetch and send, on a real archive."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pydicom
import pytest
from pydicom.uid import UID
from tests.fixtures.small_protocol import PALATAL_GAP
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID, STUDY_UID

from osteotrace import pacs
from osteotrace.pacs import contents, lists, worklist
from osteotrace.pseudonym import pseudonym
from osteotrace.records import sr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command_line import Outcome
    from tests.fixtures.orthanc import Orthanc

    from osteotrace.errors import OsteotraceError


def write_studies(folder: Path, template: Path, count: int) -> list[str]:
    """Write studies of one slice, each of a patient of its own; return their UIDs."""
    folder.mkdir()
    uids = []
    for number in range(count):
        one = pydicom.dcmread(template)
        one.PatientID, one.PatientName = f"ID-{number}", f"Name^{number}"
        one.AccessionNumber, one.StudyDate = f"A{number}", f"2024010{number + 1}"
        one.StudyInstanceUID = f"2.25.500{number}"
        one.SeriesInstanceUID = f"2.25.600{number}"
        one.SOPInstanceUID = UID(f"2.25.700{number}")
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.save_as(folder / f"{number}.dcm")
        uids.append(str(one.StudyInstanceUID))
    return uids


@pytest.fixture
def template(small_study: Path) -> Path:
    """Return one CT slice."""
    return small_study / "ct" / "000.dcm"


@pytest.fixture
def settings(orthanc: Orthanc, tmp_path: Path) -> Path:
    """Return a file of archives: the tests' Orthanc in both protocols, and one away."""
    from tests.fixtures.orthanc import AET, PASSWORD_VARIABLE, USER, free_port

    file = tmp_path / "archives.toml"
    file.write_text(
        f"""
        [web]
        url = "http://127.0.0.1:{orthanc.http_port}/dicom-web"
        user = "{USER}"
        password_variable = "{PASSWORD_VARIABLE}"

        [dimse]
        host = "127.0.0.1"
        port = {orthanc.dicom_port}
        aet = "{AET}"

        [away]
        url = "http://127.0.0.1:{free_port()}/dicom-web"
        first_pause_s = 0
        """
    )
    return file


def lines_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def rows_by_line(rows: Any) -> dict[str, dict[str, str]]:
    return {row["line"]: row for row in rows}


def test_a_worklist_names_studies_by_uid_accession_number_or_patient(
    tmp_path: Path,
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(
        "\ufeffStudyInstanceUID;Accession Number;PatientID;StudyDate;Modality;Remark\r\n"
        "1.2.3;;;;;first\r\n"
        ";A7;;;;\r\n"
        "\r\n"
        ";;'-17;20240131;CT;no formula\r\n",
        encoding="utf-8",
    )
    assert worklist.read(file) == (
        worklist.Wanted(line=2, study_uid="1.2.3"),
        worklist.Wanted(line=3, accession_number="A7"),
        worklist.Wanted(line=5, patient_id="-17", date="2024-01-31", modality="CT"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,date\nx,2024-01-01\n", "line 1: found no column that names a study"),
        ("study_uid\n1.2\n../x\n", "line 3: found the study_uid '../x'"),
        ("patient_id,date\n7,\n,2024-01-01\n", "line 3: found a line that names no"),
        ("patient_id\nA*\n", "line 2: found a wildcard in patient_id"),
        ("patient_id,date\n7,31.1.2024\n", "line 2: found the date '31.1.2024'"),
        ("", "line 1: found no column"),
    ],
)
def test_a_mistake_in_a_worklist_is_named_by_its_line(
    tmp_path: Path, text: str, told: str, refusal: Callable[..., OsteotraceError]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(text)
    assert told in str(refusal(lambda: worklist.read(file)))


@pytest.mark.parametrize("protocol", ["web", "dimse"])
def test_a_worklist_is_fetched_and_a_failure_is_a_line(
    orthanc: Orthanc, template: Path, tmp_path: Path, protocol: str
) -> None:
    uids = write_studies(tmp_path / "in", template, 3)
    wanted = (
        worklist.Wanted(line=2, study_uid=uids[0]),
        worklist.Wanted(line=3, accession_number="A1"),
        worklist.Wanted(line=4, patient_id="nobody"),
        worklist.Wanted(line=5, patient_id="ID-2", date="2024-01-03"),
        worklist.Wanted(line=6, patient_id="ID-2", date="2024-01-04"),
    )
    out = tmp_path / "out"
    with pacs.connect(getattr(orthanc, protocol)()) as archive:
        archive.send([tmp_path / "in"])
        rows = rows_by_line(lists.fetch_all(archive, wanted, out))
    assert [row["status"] for row in rows.values()] == [
        "fetched", "fetched", "failed", "fetched", "failed",
    ]  # fmt: skip
    assert [rows[line]["study_uid"] for line in "235"] == uids
    assert rows["3"]["patient"] == pseudonym("ID-1")
    assert "no such study" in rows["4"]["reason"]
    for uid in uids:
        assert len(list((out / uid).rglob("*.dcm"))) == 1
    written = rows_by_line(lines_of(out / "fetched.csv"))
    assert {line: row["status"] for line, row in written.items()} == {
        line: row["status"] for line, row in rows.items()
    }
    assert "ID-" not in (out / "fetched.csv").read_text()
    # What measures it next takes the ledger for a worklist.
    assert worklist.study_uids(out / "fetched.csv") == set(uids)


def test_a_worklist_that_was_stopped_is_gone_on_with(
    orthanc: Orthanc, template: Path, tmp_path: Path
) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Stopped

    uids = write_studies(tmp_path / "in", template, 3)
    wanted = tuple(
        worklist.Wanted(line=n, study_uid=uid) for n, uid in enumerate(uids, 2)
    )
    out, asked = tmp_path / "out", []
    with pacs.connect(orthanc.web()) as archive:
        archive.send([tmp_path / "in"])
        with pytest.raises(Stopped):
            lists.fetch_all(archive, wanted, out, progress=stop)
        assert sorted(path.name for path in out.iterdir()) == [*uids[:2], "fetched.csv"]
        # Images under a hidden name: of a call that was killed, and of one that runs.
        killed, running = out / ".osteotrace-draft-1", out / ".osteotrace-draft-2"
        for draft in (killed, running):
            draft.mkdir()
            (draft / "image.dcm").write_bytes(b"1")
        for path in (killed / "image.dcm", killed):
            os.utime(path, (time.time() - 3600,) * 2)
        # A stop in the middle of a line leaves half a line.
        with (out / "fetched.csv").open("a") as stream:
            stream.write("4,fetch")
        inner = archive.find

        def find(query: pacs.Query) -> tuple[pacs.StudyFound, ...]:
            asked.append(query.study_uid)
            return inner(query)

        archive.find = find  # type: ignore[method-assign]
        rows = lists.fetch_all(archive, wanted, out)
    assert (killed.exists(), running.exists()) == (False, True)
    assert asked == uids[2:]
    assert [row["study_uid"] for row in rows] == uids
    assert [row["status"] for row in lines_of(out / "fetched.csv")] == ["fetched"] * 3


def test_an_archive_that_goes_away_stops_the_list_and_keeps_what_is_done(
    orthanc: Orthanc,
    template: Path,
    tmp_path: Path,
    refusal: Callable[..., OsteotraceError],
) -> None:
    from tests.fixtures.orthanc import free_port

    uids = write_studies(tmp_path / "in", template, 2)
    wanted = tuple(
        worklist.Wanted(line=n, study_uid=uid) for n, uid in enumerate(uids, 2)
    )
    away = {"port": free_port(), "attempts": 2}
    with pacs.connect(orthanc.dimse()) as archive:
        archive.send([tmp_path / "in"])

        def leave(done: int, total: int) -> None:
            gone = msgspec.structs.replace(archive.archive, **away)
            archive.archive = archive._peer._archive = gone  # type: ignore[attr-defined]

        problem = refusal(
            lambda: lists.fetch_all(archive, wanted, tmp_path / "out", progress=leave)
        )
    assert "no archive at" in problem.found
    (row,) = lines_of(tmp_path / "out" / "fetched.csv")
    assert (row["study_uid"], row["status"]) == (uids[0], "fetched")


def test_an_answer_that_is_another_patients_is_not_fetched() -> None:
    wanted = worklist.Wanted(line=2, patient_id="ID-1")
    assert wanted.means(pacs.StudyFound(study_uid="1.2", patient="P", patient_id="ID-1"))
    assert not wanted.means(
        pacs.StudyFound(study_uid="1.2", patient="P", patient_id="ID-10")
    )


PROTOCOL = f"""
name = "gap and tissue"

{PALATAL_GAP}
[[intensity]]
label = "GAP-1"
kind = "soft_tissue_defect"
site = "hard_palate"
modality = "CT"
series = "bone*"
frame_of_reference_uid = "{CT_FRAME_UID}"
region = {{ centre = [0.0, -0.25, 0.0], radius = 3.0 }}
"""


def test_the_command_line_fetches_measures_and_sends_over_both_protocols(
    osteotrace: Callable[..., Outcome],
    orthanc: Orthanc,
    settings: Path,
    small_study: Path,
    tmp_path: Path,
) -> None:
    protocol, results = tmp_path / "protocol.toml", tmp_path / "results"
    protocol.write_text(PROTOCOL)
    for name in ("web", "dimse"):
        orthanc.empty()
        known = ("--archive", name, "--archives", settings)
        study, listed = tmp_path / name, tmp_path / f"{name}.csv"
        assert osteotrace("send", small_study / "ct", *known).code == 0
        asked = ("--patient-id", "TEST-1", "--worklist", listed)
        found = osteotrace("query", *asked, *known)
        assert (found.code, found.err) == (0, "")
        assert pseudonym("TEST-1") in found.out
        # Whole on a line of its own, however narrow the terminal.
        assert STUDY_UID in map(str.strip, found.out.splitlines())
        assert "Test" not in found.out
        fetched = osteotrace("fetch", listed, "--out", study, *known)
        assert (fetched.code, fetched.err) == (0, "")
        assert "1 studies with 20 instances" in fetched.out
        if not results.exists():
            measure = ("measure", study, "--out", results, "--protocol", protocol)
            assert osteotrace(*measure).code == 0
        ledger = tmp_path / f"{name}-sent.csv"
        sent = osteotrace("send", results, "--ledger", ledger, *known)
        assert (sent.code, sent.err) == (0, "")
        (row,) = lines_of(ledger)
        assert (row["study_uid"], row["status"]) == (STUDY_UID, "sent")
        assert (row["n_sent"], row["n_already_there"]) == ("2", "0")
        again = json.loads(osteotrace("send", results, "--json", *known).out)
        assert again[0]["status"] == "already there"
        check_read_back(orthanc, name, results, tmp_path / f"{name}-back")
    assert contents_below(tmp_path / "web") == contents_below(tmp_path / "dimse")


def contents_below(folder: Path) -> dict[str, dict[str, bytes]]:
    """Return what the files below a folder say, by name."""
    return {
        path.name: contents.content_of(pydicom.dcmread(path))
        for path in folder.rglob("*.dcm")
    }


def test_what_was_fetched_is_measured_and_what_failed_is_not(
    osteotrace: Callable[..., Outcome], template: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "fetched.csv"
    listed.write_text("line,status,study_uid\n2,fetched,2.25.4\n3,failed,2.25.5\n")
    assert worklist.study_uids(listed) == {"2.25.4"}
    measure = ("measure", template, "--out", tmp_path / "out")
    outcome = osteotrace(*measure, "--worklist", listed)
    assert (outcome.code, outcome.out) == (1, "")
    assert "none of the 1 studies of the worklist" in outcome.err


def check_read_back(orthanc: Orthanc, name: str, results: Path, back: Path) -> None:
    """The SR and the SEG come back with every element as it was written."""
    with pacs.connect(getattr(orthanc, name)()) as archive:
        archive.fetch(STUDY_UID, back)
    records = {path.name: pydicom.dcmread(path) for path in results.rglob("*.dcm")}
    assert {one.Modality for one in records.values()} == {"SR", "SEG"}
    for file, written in records.items():
        (path,) = back.rglob(file)
        assert pydicom.dcmread(path) == written
    (report,) = (file for file, one in records.items() if one.Modality == "SR")
    (before,), (after,) = results.rglob(report), back.rglob(report)
    segmentations = [path for path in back.rglob("*.dcm") if path != after]
    assert sr.read(after, segmentations=segmentations) == sr.read(before)


def test_the_command_line_names_patients_only_when_asked(
    osteotrace: Callable[..., Outcome], settings: Path, template: Path
) -> None:
    known = ("--archive", "web", "--archives", settings, "--json")
    osteotrace("send", template, *known)
    (plain,) = json.loads(osteotrace("query", *known).out)
    (named,) = json.loads(osteotrace("query", "--identities", *known).out)
    assert "TEST" not in json.dumps(plain)
    assert (named["patient_id"], named["patient_name"]) == ("TEST-1", "Test^One")
    assert {key: named[key] for key in plain} == plain


def test_a_series_alone_is_fetched(
    orthanc: Orthanc, small_study: Path, tmp_path: Path
) -> None:
    one = worklist.Wanted(line=2, study_uid=STUDY_UID, series_uid=CT_SERIES_UID)
    with pacs.connect(orthanc.web()) as archive:
        archive.send([small_study / "ct" / "000.dcm", small_study / "mr" / "000.dcm"])
        (row,) = lists.fetch_all(archive, [one], tmp_path / "out")
    assert (row["n_series"], row["n_instances"]) == ("1", "1")
    assert [path.name for path in (tmp_path / "out" / row["folder"]).iterdir()] == [
        CT_SERIES_UID
    ]


def test_a_study_that_is_refused_keeps_no_other_back(
    osteotrace: Callable[..., Outcome],
    orthanc: Orthanc,
    settings: Path,
    template: Path,
    tmp_path: Path,
) -> None:
    uids = write_studies(tmp_path / "in", template, 3)
    known = ("--archive", "web", "--archives", settings)
    osteotrace("send", tmp_path / "in" / "1.dcm", *known)
    changed = pydicom.dcmread(tmp_path / "in" / "1.dcm")
    changed.KVP = "80"
    changed.save_as(tmp_path / "in" / "1.dcm")
    shutil.copy(settings, tmp_path / "in" / "cut.dcm")
    (tmp_path / "in" / "cut.dcm").write_bytes(template.read_bytes()[:140])
    outcome = osteotrace("send", tmp_path / "in", "--ledger", tmp_path / "s.csv", *known)
    assert outcome.code == 1
    rows = lines_of(tmp_path / "s.csv")
    assert [(row["study_uid"], row["status"]) for row in rows] == [
        (uids[0], "sent"), (uids[1], "failed"), (uids[2], "sent"), ("", "failed"),
    ]  # fmt: skip
    assert "KVP" in rows[1]["reason"]
    assert len(outcome.err.splitlines()) == 2
    other = osteotrace("send", settings, *known)
    assert other.err.startswith(f"osteotrace: {settings}: found a file that is not DICOM")


@pytest.mark.parametrize("verb", ["query", "fetch", "send"])
def test_an_archive_that_is_away_is_one_line_and_exit_code_1(
    osteotrace: Callable[..., Outcome],
    settings: Path,
    template: Path,
    tmp_path: Path,
    verb: str,
) -> None:
    given: dict[str, tuple[object, ...]] = {
        "query": (),
        "fetch": ("--study", STUDY_UID, "--out", tmp_path / "out"),
        "send": (template,),
    }
    outcome = osteotrace(verb, *given[verb], "--archive", "away", "--archives", settings)
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 1
    assert "Connection refused" in outcome.err
    assert not (tmp_path / "out").exists()


def test_an_archive_that_nobody_named_is_wrong_usage(
    osteotrace: Callable[..., Outcome], settings: Path
) -> None:
    outcome = osteotrace("query", "--archive", "nowhere", "--archives", settings)
    assert outcome.code == 2
    assert "one of web, dimse, away" in outcome.err
