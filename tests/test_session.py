"""A session: what a reader does is kept, can be taken back, and survives a crash."""

from __future__ import annotations

import getpass
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.caliper import measure
from osteotrace.session import RECORDS_FOLDER, Session
from osteotrace.session.draft import UNDO_DEPTH
from osteotrace.session.journal import Journal, drafts_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from osteotrace.findings import Finding
    from osteotrace.volume import Volume

CT_SERIES = "2.25.1002"
MR_SERIES = "2.25.1003"
START, END = (0.0, -6.0, 0.0), (0.3, 5.5, 0.0)


@pytest.fixture
def new_session(tmp_path: Path, small_study: Path) -> Iterator[Callable[..., Session]]:
    """Make sessions that share one drafts folder and count time and UIDs up."""
    made: list[Session] = []

    def make(reader: str = "tester") -> Session:
        count = iter(range(1, 100_000))
        session = Session(
            reader=reader,
            drafts=tmp_path / "drafts",
            now=lambda: datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
            new_uid=lambda: f"2.25.9{len(made)}.{next(count)}",
        )
        made.append(session)
        session.open(small_study)
        return session

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(new_session: Callable[[], Session]) -> Session:
    return new_session()


def load(session: Session, series_uid: str = CT_SERIES) -> Volume:
    assert session.catalogue is not None
    return session.load(session.catalogue.choose(series_uid))


def add(session: Session, volume: Volume, **said: Any) -> Finding:
    (finding,) = session.add("caliper", volume, start=START, end=END, **said)
    return finding


def accepted(session: Session, volume: Volume, **said: Any) -> Finding:
    finding = add(session, volume, **said)
    session.accept(finding.tracking_uid)
    return finding


def journal_file(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "drafts").iterdir()
    return file


def test_a_caliper_of_the_session_is_the_library_caliper_bit_for_bit(
    session: Session,
) -> None:
    volume = load(session)
    finding = add(session, volume)
    assert finding.measurements == measure(volume, START, END).measurements
    assert session.findings == (finding,)


def test_a_caliper_of_the_session_may_say_what_it_measures(session: Session) -> None:
    volume = load(session)
    said: dict[str, Any] = {"between": "structure", "walls": "bone"}
    expected = measure(volume, START, END, **said)
    assert session.caliper(volume, START, END, **said) == expected
    assert expected != measure(volume, START, END)


def test_a_finding_names_the_series_that_it_was_marked_on(session: Session) -> None:
    assert add(session, load(session)).series_uid == CT_SERIES


def test_loading_twice_gives_the_same_volume_and_lists_the_series_once(
    session: Session,
) -> None:
    assert load(session) is load(session)
    load(session, MR_SERIES)
    assert session.assessment is not None
    assert [s.series_uid for s in session.assessment.series] == [CT_SERIES, MR_SERIES]


def test_a_finding_leads_back_to_the_volume_it_was_marked_on(session: Session) -> None:
    finding = add(session, load(session))
    header = session.header_of(finding)
    assert header is not None
    assert header.identity.series_uid == CT_SERIES


def test_undo_and_redo_walk_through_add_edit_and_delete(session: Session) -> None:
    first = add(session, load(session))
    second = add(session, load(session), label="PAL-1")
    edited = session.edit_finding(
        first.tracking_uid, kind="palatal_bony_defect", site="hard_palate"
    )
    session.delete_finding(second.tracking_uid)
    states: list[tuple[Finding, ...]] = [
        (edited,),
        (edited, second),
        (first, second),
        (first,),
        (),
    ]
    assert session.findings == states[0]
    for state in states[1:]:
        assert session.undo()
        assert session.findings == state
    assert not session.undo()
    for state in reversed(states[:-1]):
        assert session.redo()
        assert session.findings == state
    assert not session.redo()


def test_a_deleted_finding_comes_back_to_its_own_place(session: Session) -> None:
    volume = load(session)
    made = [add(session, volume) for _ in range(3)]
    session.delete_finding(made[1].tracking_uid)
    session.undo()
    assert session.findings == tuple(made)


def test_a_new_change_after_undo_ends_the_redo(session: Session) -> None:
    volume = load(session)
    add(session, volume)
    session.undo()
    kept = add(session, volume)
    assert not session.can_redo
    assert session.findings == (kept,)


def test_labels_count_up_and_are_not_given_twice(session: Session) -> None:
    volume = load(session)
    first = add(session, volume)
    session.delete_finding(first.tracking_uid)
    assert (first.label, add(session, volume).label) == ("CAL-1", "CAL-2")


def test_undo_reaches_back_as_far_as_its_depth(session: Session) -> None:
    finding = add(session, load(session))
    for n in range(UNDO_DEPTH + 5):
        session.edit_finding(finding.tracking_uid, note=str(n))
    undone = 0
    while session.undo():
        undone += 1
    assert undone == UNDO_DEPTH
    assert session.findings[0].note == "4"


def test_an_edit_that_changes_nothing_is_no_step_of_undo(session: Session) -> None:
    finding = add(session, load(session))
    session.edit_finding(finding.tracking_uid, kind=finding.kind)
    session.undo()
    assert session.findings == ()


def test_a_kind_outside_the_vocabulary_is_refused_and_nothing_changes(
    session: Session,
) -> None:
    finding = add(session, load(session))
    with pytest.raises(OsteotraceError, match="'nonsense'"):
        session.edit_finding(finding.tracking_uid, kind="nonsense")
    assert session.findings == (finding,)


def test_a_finding_that_is_not_there_cannot_be_deleted(session: Session) -> None:
    load(session)
    with pytest.raises(OsteotraceError, match="no finding"):
        session.delete_finding("2.25.404")


@pytest.mark.parametrize("problem", [KeyError("uid not found: 1234"), OSError("none")])
def test_a_user_without_a_login_name_reads_without_a_name(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def nobody() -> str:
        raise problem

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert Session().reader == ""


def test_a_closed_session_has_nothing_to_take_back(session: Session) -> None:
    add(session, load(session))
    session.close()
    assert (session.assessment, session.can_undo, session.undo()) == (None, False, "")


def test_without_a_study_nothing_can_be_recorded(
    new_session: Callable[[], Session],
) -> None:
    donor, empty = new_session(), new_session()
    volume = load(donor)
    with pytest.raises(OsteotraceError, match="no study"):
        add(empty, volume)


def test_a_reading_is_taken_up_again_with_its_undo(
    new_session: Callable[[], Session],
) -> None:
    before = new_session()
    volume = load(before)
    first, second = add(before, volume), add(before, volume)
    before.undo()
    assessment = before.assessment
    before.close()

    after = new_session()
    load(after)
    assert after.assessment == assessment
    after.redo()
    assert after.findings == (first, second)
    after.undo()
    assert after.undo()
    assert not after.findings


def test_a_torn_last_line_is_dropped_and_nothing_else(
    new_session: Callable[[], Session], tmp_path: Path
) -> None:
    before = new_session()
    volume = load(before)
    kept = add(before, volume)
    before.close()
    file = journal_file(tmp_path)
    whole = file.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for cut in (1, len(last) // 2, len(last) - 1):
        file.write_bytes(whole + last[:cut])
        after = new_session()
        load(after)
        assert after.findings == (kept,)
        assert file.read_bytes() == whole
        after.close()


def test_a_change_after_a_torn_line_starts_on_a_line_of_its_own(
    new_session: Callable[[], Session], tmp_path: Path
) -> None:
    before = new_session()
    load(before)
    before.close()
    with journal_file(tmp_path).open("ab") as file:
        file.write(b'{"type":"Cha')
    middle = new_session()
    kept = add(middle, load(middle))
    middle.close()
    after = new_session()
    load(after)
    assert after.findings == (kept,)


def test_damage_before_the_last_line_is_an_error_that_names_the_line(
    new_session: Callable[[], Session], tmp_path: Path
) -> None:
    before = new_session()
    add(before, load(before))
    before.close()
    file = journal_file(tmp_path)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], b"{}\n", *lines[2:]]))
    after = new_session()
    with pytest.raises(OsteotraceError, match="line 2"):
        load(after)


def test_one_study_is_read_in_one_window_at_a_time(
    new_session: Callable[[], Session],
) -> None:
    first, second = new_session(), new_session()
    load(first)
    with pytest.raises(OsteotraceError, match="another window"):
        load(second)
    first.close()
    load(second)


def test_two_readers_read_one_study_side_by_side(
    new_session: Callable[..., Session],
) -> None:
    first, second = new_session(), new_session("another tester")
    one, other = add(first, load(first), note="first"), add(second, load(second))
    assert (first.findings, second.findings) == ((one,), (other,))
    first.close()
    second.close()
    for reader, finding in (("tester", one), ("another tester", other)):
        again = new_session(reader)
        load(again)
        assert again.findings == (finding,)
        again.close()


def test_the_draft_is_its_owners_alone_and_names_no_one(
    session: Session, tmp_path: Path, small_study: Path
) -> None:
    files_before = sorted(small_study.rglob("*"))
    add(session, load(session))
    file = journal_file(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    text = file.read_text()
    assert "TEST-1" not in text
    assert "Test^One" not in text
    assert "2.25.1001" not in file.name
    assert sorted(small_study.rglob("*")) == files_before


def test_drafts_lie_in_the_users_state_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert drafts_folder() == tmp_path / "osteotrace" / "drafts"
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert drafts_folder() == tmp_path / ".local" / "state" / "osteotrace" / "drafts"


def test_a_line_that_cannot_be_written_is_refused_and_the_change_not_made(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    volume = load(session)
    kept = add(session, volume)
    whole = journal_file(tmp_path).read_bytes()

    def full(handle: int, text: bytes) -> int:
        return REAL_WRITE(handle, text[:10])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OsteotraceError, match="disk is full"):
        add(session, volume)
    assert session.findings == (kept,)
    assert journal_file(tmp_path).read_bytes() == whole


REAL_WRITE = os.write


def test_a_drafts_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OsteotraceError, match="XDG_STATE_HOME"):
        Journal("2.25.1", "tester", folder=tmp_path / "file" / "drafts")


def test_a_saved_record_reads_back_equal_and_the_next_one_amends_it(
    session: Session, tmp_path: Path
) -> None:
    from osteotrace.records import sr

    volume = load(session)
    accepted(session, volume, kind="palatal_bony_defect", site="hard_palate")
    assert session.assessment is not None
    saved = session.statements.staged(session.assessment)
    (first,) = session.save(tmp_path / "records")
    assert sr.read(first) == saved

    accepted(session, volume)
    amended = session.statements.staged(session.assessment)
    (second,) = session.save(tmp_path / "records")
    assert sr.read(second) == amended
    assert amended.predecessor_uid == saved.assessment_uid
    assert first != second


def test_a_save_that_was_killed_before_the_draft_told_of_it_is_finished_by_the_next(
    new_session: Callable[[], Session], tmp_path: Path
) -> None:
    from osteotrace.records import sr

    before = new_session()
    accepted(before, load(before), label="MAX-1")
    before.close()
    as_killed = journal_file(tmp_path).read_bytes()
    saving = new_session()
    load(saving)
    assert saving.assessment is not None
    saved = saving.statements.staged(saving.assessment)
    (first,) = saving.save(tmp_path / "records")
    saving.close()

    # As it was, the same reading is found saved; nothing is written twice.
    journal_file(tmp_path).write_bytes(as_killed)
    after = new_session()
    volume = load(after)
    assert after.save(tmp_path / "records") == (first,)
    assert [*first.parent.iterdir()] == [first]

    # And what was done meanwhile becomes an amendment of it.
    after.close()
    journal_file(tmp_path).write_bytes(as_killed)
    later = new_session()
    load(later)
    added = accepted(later, volume)
    second = sr.read(later.save(tmp_path / "records")[0])
    assert second.predecessor_uid == saved.assessment_uid
    assert second.findings == (*saved.findings, added)
    assert sr.read(first) == saved


def test_a_save_tried_again_later_writes_the_same_bytes(
    new_session: Callable[[], Session], small_study: Path, tmp_path: Path
) -> None:
    before = new_session()
    accepted(before, load(before))
    before.close()
    journal = journal_file(tmp_path)
    as_left, written = journal.read_bytes(), []
    for year in (2025, 2026):
        journal.write_bytes(as_left)

        def now(year: int = year) -> datetime:
            return datetime(year, 1, 2, tzinfo=UTC)

        later = Session(reader="tester", drafts=tmp_path / "drafts", now=now)
        later.open(small_study)
        load(later)
        written.append(later.save(tmp_path / str(year))[0].read_bytes())
        later.close()
    # So that a segmentation whose report did not follow is found to be its own.
    assert written[0] == written[1]


def test_accepted_findings_wait_in_the_draft_until_one_save_writes_them_all(
    session: Session, tmp_path: Path
) -> None:
    from osteotrace.records import sr

    volume = load(session)
    made = tuple(accepted(session, volume) for _ in range(3))
    assert not (tmp_path / "records").exists()
    (path,) = session.save(tmp_path / "records")
    assert [*path.parent.iterdir()] == [path]
    assert sr.read(path).findings == made


def test_records_go_beside_the_dicom_folder_never_inside(
    session: Session, small_study: Path
) -> None:
    accepted(session, load(session))
    assert session.records_folder() == small_study.parent / RECORDS_FOLDER
    with pytest.raises(OsteotraceError, match="inside the DICOM folder"):
        session.save(small_study / "records")
    assert not (small_study / "records").exists()


def test_a_reading_without_findings_is_not_saved(
    session: Session, tmp_path: Path
) -> None:
    load(session)
    with pytest.raises(OsteotraceError, match="nothing that is accepted"):
        session.save(tmp_path / "records")


def test_a_draft_line_that_cannot_follow_is_a_clear_error() -> None:
    from osteotrace.session.draft import Draft
    from osteotrace.session.lines import Undone

    with pytest.raises(OsteotraceError, match="starts no reading"):
        Draft().apply(Undone(at="2026-01-02T03:04:05+00:00"))
