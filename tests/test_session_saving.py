"""Saving: what is accepted as one record, once; a failure loses nothing of the draft."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from tests.fixtures.sessions import END, START, gap, loaded

from osteotrace.errors import OsteotraceError
from osteotrace.protocol import Where
from osteotrace.records import sr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.session import Session

MIDDLE = (0.0, -0.25, 0.0)


@pytest.fixture
def session(reading_session: Session) -> Session:
    return reading_session


def draft(session: Session) -> str:
    """Mark a gap that is not accepted yet; return its tracking UID."""
    (finding,) = session.add("caliper", loaded(session), start=START, end=END)
    return finding.tracking_uid


def test_drafts_stay_drafts_when_what_is_accepted_is_saved(
    session: Session, tmp_path: Path
) -> None:
    kept = gap(session)
    waiting = draft(session)
    (path,) = session.save(tmp_path / "records")
    assert sr.read(path).findings == (kept,)
    assert [(one.uid, one.accepted) for one in session.held] == [
        (kept.tracking_uid, True),
        (waiting, False),
    ]
    session.accept(waiting)
    (second,) = session.save(tmp_path / "records")
    record = sr.read(second)
    assert record.findings == session.findings
    assert record.predecessor_uid == sr.read(path).assessment_uid


def test_drafts_alone_are_not_saved_and_the_error_names_them(
    session: Session, tmp_path: Path
) -> None:
    for _ in range(7):
        draft(session)
    with pytest.raises(OsteotraceError, match=r"7 draft\(s\).*CAL-5 and 2 more"):
        session.save(tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_a_save_of_what_is_saved_writes_nothing_new(
    session: Session, tmp_path: Path
) -> None:
    gap(session)
    files = session.save(tmp_path / "records")
    draft(session)
    assert session.save(tmp_path / "records") == files
    assert [*(tmp_path / "records").iterdir()] == [*files]


def test_masks_are_saved_as_a_segmentation_beside_the_report(
    session: Session, tmp_path: Path
) -> None:
    region = Where(centre=MIDDLE, radius=2.0)
    (finding,) = session.add("intensity", loaded(session), region=region)
    session.accept(finding.tracking_uid)
    report, segmentation = session.save(tmp_path / "records")
    assert {report, segmentation} == {*(tmp_path / "records").iterdir()}
    assert sr.read(report).findings == session.findings


def test_an_amendment_goes_into_another_folder_and_names_its_predecessor(
    session: Session, tmp_path: Path
) -> None:
    gap(session)
    (first,) = session.save(tmp_path / "records")
    gap(session)
    (second,) = session.save(tmp_path / "elsewhere")
    assert sr.read(second).predecessor_uid == sr.read(first).assessment_uid


def test_findings_that_were_saved_and_deleted_are_amended_away(
    session: Session, tmp_path: Path
) -> None:
    wrong = gap(session)
    session.save(tmp_path / "records")
    session.delete_finding(wrong.tracking_uid)
    (path,) = session.save(tmp_path / "records")
    assert sr.read(path).findings == ()


def assert_still_there(session: Session, make: Callable[[], Session]) -> None:
    """Close a session and take its draft up anew: all of it is there."""
    held = session.held
    assert held
    session.close()
    assert make().held == held


def test_a_folder_that_cannot_be_written_says_so_and_the_draft_is_kept(
    make_session: Callable[..., Session], tmp_path: Path
) -> None:
    session = make_session()
    gap(session)
    (tmp_path / "in the way").write_text("no folder")
    with pytest.raises(OsteotraceError, match="in the way"):
        session.save(tmp_path / "in the way" / "records")
    assert_still_there(session, make_session)


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_says_so_and_the_draft_is_kept(
    make_session: Callable[..., Session],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: int,
) -> None:
    session = make_session()
    gap(session)
    folder = tmp_path / "records"
    real = os.open

    def no_room(path: str, *flags: int, **named: int) -> int:
        if str(path).startswith(str(folder)) and flags[0] & os.O_CREAT:
            raise OSError(problem, os.strerror(problem), str(path))
        return real(path, *flags, **named)

    # Python's own files are opened elsewhere: refuse what they are written with too.
    monkeypatch.setattr(os, "open", no_room)
    monkeypatch.setattr("pathlib.Path.write_bytes", refusing(folder, problem))
    with pytest.raises(OsteotraceError, match=os.strerror(problem)):
        session.save(folder)
    monkeypatch.undo()
    assert not [*folder.glob("*.dcm")]
    assert_still_there(session, make_session)


def refusing(folder: Path, problem: int) -> Callable[[Path, bytes], int]:
    def write(path: Path, content: bytes) -> int:
        raise OSError(problem, os.strerror(problem), str(path))

    return write


def test_a_command_that_finds_the_disk_full_is_not_made_and_can_be_tried_again(
    make_session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_session()
    gap(session)
    before = session.held

    def full(handle: int, text: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for command in (session.undo, lambda: gap(session)):
            with pytest.raises(OsteotraceError, match="No space left"):
                command()
    assert session.held == before
    assert session.undo() == "caliper CAL-1 accepted"
    assert_still_there(session, make_session)


def test_what_comes_while_a_record_is_written_is_of_the_next_one(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = gap(session)
    write, late = sr.write, []

    def slow_write(*told: object, **how: object) -> Path:
        monkeypatch.undo()
        late.append(draft(session))
        session.accept(late[0])
        session.edit_finding(kept.tracking_uid, note="seen again")
        return write(*told, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(sr, "write", slow_write)
    (first,) = session.save(tmp_path / "records")
    assert sr.read(first).findings == (kept,)
    assert [one.finding for one in session.draft.saved] == [kept]
    assert session.draft.is_changed
    (second,) = session.save(tmp_path / "records")
    assert sr.read(second).findings == session.findings
    assert not session.draft.is_changed
