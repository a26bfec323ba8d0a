"""Saves interrupted, doubled or slow: one UID has one content, and nothing waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.sessions import gap

from osteotrace.errors import OsteotraceError
from osteotrace.records import record_folder, sr
from osteotrace.session import Session, saving
from osteotrace.session.draft import Draft
from osteotrace.session.lines import Saved, Saving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_SECONDS = 30.0


class Killed(BaseException):
    """Stands for the end of a process."""


def killed_after_writing(
    session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Save, and be killed between record and journal; return the record."""

    def end(*told: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Session, "_note_saved", end)
        with pytest.raises(Killed):
            session.save(folder)
    (record,) = folder.glob("*.dcm")
    assert session._journal is not None
    session._journal.close()
    return record


def labels(record: Path) -> list[str]:
    return [one.label for one in sr.read(record).findings]


def test_a_record_that_was_interrupted_is_amended_wherever_the_next_one_goes(
    make_session: Callable[..., Session], tmp_path: Path, monkeypatch: Any
) -> None:
    session = make_session()
    gap(session)
    orphan = killed_after_writing(session, tmp_path / "a", monkeypatch)
    again = make_session()
    gap(again)
    (record,) = again.save(tmp_path / "b")
    assert record.name != orphan.name
    assert sr.read(record).predecessor_uid == sr.read(orphan).assessment_uid
    assert (labels(orphan), labels(record)) == (["CAL-1"], ["CAL-1", "CAL-2"])


def test_a_record_nobody_can_look_for_leaves_its_uid_unused(
    make_session: Callable[..., Session], tmp_path: Path, monkeypatch: Any
) -> None:
    session = make_session()
    gap(session)
    orphan = killed_after_writing(session, tmp_path / "stick", monkeypatch)
    (tmp_path / "stick").rename(tmp_path / "unplugged")
    again = make_session()
    gap(again)
    (record,) = again.save(tmp_path / "b")
    assert record.name != orphan.name
    uid = sr.read(record).assessment_uid
    again.close()
    assert make_session().draft.predecessor_uid == uid


def test_an_interrupted_record_whose_only_finding_is_deleted_is_amended_to_nothing(
    make_session: Callable[..., Session], tmp_path: Path, monkeypatch: Any
) -> None:
    session = make_session()
    gap(session)
    orphan = killed_after_writing(session, tmp_path / "a", monkeypatch)
    again = make_session()
    again.delete_finding(again.held[0].uid)
    (record,) = again.save(tmp_path / "a")
    assert sr.read(record).predecessor_uid == sr.read(orphan).assessment_uid
    assert labels(record) == []


def test_an_interrupted_save_that_is_repeated_gives_the_same_record(
    make_session: Callable[..., Session], tmp_path: Path, monkeypatch: Any
) -> None:
    session = make_session()
    gap(session)
    orphan = killed_after_writing(session, tmp_path / "a", monkeypatch)
    content = orphan.read_bytes()
    again = make_session()
    assert again.save(tmp_path / "a") == (orphan,)
    assert orphan.read_bytes() == content
    assert not again.draft.is_changed


def test_lines_of_saves_without_uid_and_folder_are_still_followed() -> None:
    """Journals of the days before held the time alone."""
    plain = msgspec.json.decode(b'{"type":"Saving","at":"2024-05-06"}', type=Saving)
    assert (plain.sop_instance_uid, plain.folder) == ("", "")
    from tests.test_session_drafts import started

    draft = Draft()
    for line in (started(3), plain, saved("2.25.2")):
        draft.apply(line)
    assert (draft.predecessor_uid, draft.is_changed) == ("2.25.2", False)


def saved(uid: str) -> Saved:
    return Saved(at="2024-05-06", sop_instance_uid=uid, next_uid=f"{uid}.1")


def test_a_record_saved_while_another_is_written_makes_no_draft() -> None:
    from tests.test_session_drafts import started

    draft = Draft()
    draft.apply(started(3))
    draft.apply(Saving(at="2024-05-06", sop_instance_uid="2.25.3", folder="/x"))
    with pytest.raises(OsteotraceError, match="another one is written"):
        draft.apply(saved("2.25.4"))
    draft.apply(saved("2.25.3"))


def beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_second_save_is_refused_while_the_first_is_at_work(
    make_session: Callable[..., Session], tmp_path: Path, monkeypatch: Any
) -> None:
    session = make_session()
    gap(session)
    writing, go_on, write = threading.Event(), threading.Event(), saving.write

    def slow(*told: Any) -> Any:
        writing.set()
        assert go_on.wait(MOST_SECONDS)
        return write(*told)

    monkeypatch.setattr(saving, "write", slow)
    first = beside(lambda: session.save(tmp_path / "records"))
    assert writing.wait(MOST_SECONDS)
    gap(session)
    with pytest.raises(OsteotraceError, match="second save while the first"):
        session.save(tmp_path / "records")
    go_on.set()
    first.join()
    assert [one.finding.label for one in session.draft.saved] == ["CAL-1"]
    (last,) = session.save(tmp_path / "records")
    assert labels(last) == ["CAL-1", "CAL-2"]


def test_the_window_does_not_wait_for_the_records_that_a_save_reads(
    make_session: Callable[..., Session], tmp_path: Path, monkeypatch: Any
) -> None:
    session = make_session()
    finding = gap(session)
    session.save(tmp_path / "records")
    gap(session)
    session.priors.refresh()
    reading, go_on, read = threading.Event(), threading.Event(), record_folder.read_cases

    def slow(*told: Any, **how: Any) -> Any:
        reading.set()
        assert go_on.wait(MOST_SECONDS)
        return read(*told, **how)

    monkeypatch.setattr(record_folder, "read_cases", slow)
    save = beside(lambda: session.save(tmp_path / "records"))
    assert reading.wait(MOST_SECONDS)
    edit = beside(lambda: session.edit_finding(finding.tracking_uid, note="seen"))
    edit.join(MOST_SECONDS / 3)
    is_waiting = edit.is_alive()
    go_on.set()
    save.join()
    edit.join()
    assert not is_waiting
    assert session.finding(finding.tracking_uid).note == "seen"
