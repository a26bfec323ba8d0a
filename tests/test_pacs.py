"""A real archive: studies are found, fetched, and readings sent and read back."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from tests.fixtures.kept_readings import gap
from tests.fixtures.small_study import CT_SERIES_UID, STUDY_UID

from osteotrace import pacs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fixtures.orthanc import Orthanc

    from osteotrace.errors import OsteotraceError
    from osteotrace.pacs import Archive, Connection
    from osteotrace.session import Session


@pytest.fixture(params=["web", "dimse"])
def make_archive(
    request: pytest.FixtureRequest, orthanc: Orthanc
) -> Callable[..., Archive]:
    """Return what makes the tests' archive in each protocol, with changes."""
    return getattr(orthanc, request.param)  # type: ignore[no-any-return]


@pytest.fixture
def archive(make_archive: Callable[..., Archive]) -> Iterator[Connection]:
    """Return a connection to the tests' archive."""
    with pacs.connect(make_archive()) as connection:
        yield connection


@pytest.fixture
def some_files(small_study: Path, tmp_path: Path) -> Path:
    """Three CT slices and an MR slice of the small study, to be changed at will."""
    folder = tmp_path / "some"
    (folder / "ct").mkdir(parents=True)
    (folder / "mr").mkdir()
    for name in ("ct/000.dcm", "ct/001.dcm", "ct/002.dcm", "mr/000.dcm"):
        shutil.copy(small_study / name, folder / name)
    return folder


def test_what_was_sent_is_found_by_each_key(
    archive: Connection, some_files: Path
) -> None:
    archive.send([some_files])
    for key in (
        {"study_uid": STUDY_UID},
        {"patient_id": "TEST-1"},
        {"patient_name": "Test*"},
        {"patient_name": "Test^One"},
        {"date_from": "2024-01-02", "date_to": "2024-01-02"},
        {"date_from": "2024-01-01"},
        {"modality": "MR"},
        {},
    ):
        (found,) = archive.find(pacs.Query(**key))  # type: ignore[arg-type]
        assert found.study_uid == STUDY_UID
        assert (found.patient_id, found.date) == ("TEST-1", "2024-01-02")
        assert found.time == "10:11:12"
        assert set(found.modalities) == {"CT", "MR"}
        assert (found.n_series, found.n_instances) == (2, 4)
    for other in (
        {"patient_id": "TEST-2"},
        {"patient_name": "Test^Two"},
        {"date_to": "2024-01-01"},
        {"modality": "PT"},
        {"study_uid": "2.25.9"},
    ):
        assert archive.find(pacs.Query(**other)) == ()  # type: ignore[arg-type]


def test_a_study_is_shown_without_its_patient(
    archive: Connection, some_files: Path
) -> None:
    from osteotrace.pseudonym import pseudonym

    archive.send([some_files])
    (found,) = archive.find(pacs.Query(patient_id="TEST-1"))
    assert found.patient == pseudonym("TEST-1")
    for shown in (repr(found), repr(pacs.Query(patient_id="TEST-1"))):
        assert "TEST" not in shown
        assert "Test" not in shown


def test_a_study_is_fetched_whole_and_as_it_was(
    archive: Connection, some_files: Path, tmp_path: Path
) -> None:
    sent = archive.send([some_files])
    told: list[tuple[int, int]] = []
    fetched = archive.fetch(
        STUDY_UID, tmp_path / "back", progress=lambda *done: told.append(done)
    )
    assert (fetched.n_series, fetched.n_instances) == (2, 4)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    files = {path.stem: path for path in fetched.folder.rglob("*.dcm")}
    assert sorted(files) == sorted(sent.stored)
    for original in some_files.rglob("*.dcm"):
        before = pydicom.dcmread(original)
        after = pydicom.dcmread(files[before.SOPInstanceUID])
        assert after == before
        assert after.PixelData == before.PixelData
    assert fetched.n_bytes == sum(path.stat().st_size for path in files.values())


def test_one_series_is_fetched(
    archive: Connection, some_files: Path, tmp_path: Path
) -> None:
    archive.send([some_files])
    fetched = archive.fetch(STUDY_UID, tmp_path / "ct", series_uid=CT_SERIES_UID)
    assert (fetched.n_series, fetched.n_instances) == (1, 3)
    assert [path.name for path in fetched.folder.iterdir()] == [CT_SERIES_UID]


def test_what_is_there_already_is_not_sent_again(
    archive: Connection, some_files: Path
) -> None:
    first = archive.send([some_files / "ct" / "000.dcm"])
    second = archive.send([some_files])
    assert second.already_there == first.stored
    assert len(second.stored) == 3
    assert archive.send([some_files]).stored == ()


def test_changed_content_under_an_old_uid_is_refused_before_anything_is_sent(
    archive: Connection, some_files: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    archive.send([some_files / "ct" / "001.dcm"])
    changed = pydicom.dcmread(some_files / "ct" / "001.dcm")
    changed.SeriesDescription = "Changed"
    changed.save_as(some_files / "ct" / "001.dcm")
    problem = refusal(lambda: archive.send([some_files]))
    assert "other content under the UID of 001.dcm" in problem.found
    assert "SeriesDescription" in problem.found
    assert "nothing was sent" in problem.found
    (found,) = archive.find(pacs.Query())
    assert found.n_instances == 1


def test_an_old_uid_in_another_study_is_refused_too(
    archive: Connection, some_files: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    file = some_files / "ct" / "001.dcm"
    archive.send([file])
    moved = pydicom.dcmread(file)
    moved.StudyInstanceUID = "2.25.77"
    moved.save_as(file)
    problem = refusal(lambda: archive.send([file]))
    assert "StudyInstanceUID" in problem.found
    assert archive.find(pacs.Query(study_uid="2.25.77")) == ()


def test_an_archive_that_is_meant_to_change_an_element_may(
    make_archive: Callable[..., Archive], some_files: Path
) -> None:
    file = some_files / "ct" / "001.dcm"
    with pacs.connect(make_archive(may_change=("InstitutionName",))) as archive:
        archive.send([file])
        changed = pydicom.dcmread(file)
        changed.InstitutionName = "Elsewhere"
        changed.save_as(file)
        assert archive.send([file]).already_there == (changed.SOPInstanceUID,)


def test_no_such_study_is_one_line_and_leaves_no_folder(
    archive: Connection, tmp_path: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    problem = refusal(lambda: archive.fetch("2.25.404", tmp_path / "back"))
    assert "no study 2.25.404" in str(problem)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused(
    archive: Connection,
    some_files: Path,
    tmp_path: Path,
    refusal: Callable[..., OsteotraceError],
) -> None:
    archive.send([some_files])
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    problem = refusal(lambda: archive.fetch(STUDY_UID, tmp_path / "taken"))
    assert "never overwritten" in str(problem)
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["notes.txt"]


def test_a_fetch_that_is_stopped_leaves_nothing(
    archive: Connection, some_files: Path, tmp_path: Path
) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Stopped

    archive.send([some_files])
    with pytest.raises(Stopped):
        archive.fetch(STUDY_UID, tmp_path / "back", progress=stop)
    assert not (tmp_path / "back").exists()
    # And the connection is as good as before.
    assert archive.fetch(STUDY_UID, tmp_path / "back").n_instances == 4


@pytest.fixture
def outgoing(orthanc: Orthanc) -> Iterator[Connection]:
    """Return a connection for what is the same in each protocol."""
    with pacs.connect(orthanc.web()) as connection:
        yield connection


def test_a_damaged_reading_is_refused_before_anything_is_sent(
    outgoing: Connection,
    reading_session: Session,
    tmp_path: Path,
    refusal: Callable[..., OsteotraceError],
) -> None:
    gap(reading_session, label="PAL-1")
    record = reading_session.save(tmp_path / "records")[0]
    content = record.read_bytes()
    record.chmod(0o600)
    record.write_bytes(content.replace(b"PAL-1", b"PAL-2"))
    assert "SHA-256" in str(refusal(lambda: outgoing.send([record])))
    assert outgoing.find(pacs.Query()) == ()


def test_two_files_of_one_uid_that_differ_are_refused(
    outgoing: Connection, some_files: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    changed = pydicom.dcmread(some_files / "ct" / "001.dcm")
    changed.KVP = "80"
    changed.save_as(some_files / "copy.dcm")
    assert "KVP" in refusal(lambda: outgoing.send([some_files])).found
    assert outgoing.find(pacs.Query()) == ()


def test_nothing_to_send_is_said(
    outgoing: Connection, tmp_path: Path, refusal: Callable[..., OsteotraceError]
) -> None:
    (tmp_path / "table.csv").write_text("a,b")
    assert "no DICOM file to send" in str(refusal(lambda: outgoing.send([tmp_path])))


def test_an_archive_that_nobody_answers_for_is_one_line(
    make_archive: Callable[..., Archive], refusal: Callable[..., OsteotraceError]
) -> None:
    from tests.fixtures.orthanc import free_port

    port = free_port()
    known = make_archive()
    away: dict[str, Any] = (
        {"url": f"http://127.0.0.1:{port}/dicom-web"} if known.web else {"port": port}
    )
    with pacs.connect(make_archive(**away)) as archive:
        problem = refusal(lambda: archive.find(pacs.Query(patient_id="TEST-1")))
    assert str(port) in problem.found
    assert "refused" in problem.found
    assert "TEST-1" not in str(problem)
    assert "\n" not in str(problem)
