"""Several studies in one folder: what is marked stays with the study it was marked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fixtures.copied_study import copied
from tests.fixtures.sessions import END, START

from osteotrace.errors import OsteotraceError
from osteotrace.session import Held, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.series import VolumeHeader

OTHER_STUDY = "2.25.2001"


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Session]:
    """Open a folder in a session whose drafts lie beside it."""

    def opened(folder: Path) -> Session:
        session = Session(reader="Dr Kim", drafts=tmp_path / "drafts")
        session.open(folder)
        return session

    return opened


def headers(session: Session) -> list[VolumeHeader]:
    """Return the volumes that are open, by study date and then by patient."""
    every = [one for series in session.catalogue or () for one in series.volumes]
    key = lambda one: (one.identity.date, one.identity.patient_id)  # noqa: E731
    return sorted(every, key=key)


@pytest.fixture
def two(small_study: Path, tmp_path: Path, opened: Callable[..., Session]) -> Session:
    """Open a folder with two studies of a patient in one frame of reference."""
    copied(small_study, tmp_path / "in" / "a", StudyDate="20230620")
    later = {"StudyInstanceUID": OTHER_STUDY, "StudyDate": "20240115"}
    copied(small_study, tmp_path / "in" / "bb", **later)
    return opened(tmp_path / "in")


def test_what_was_measured_before_another_study_was_loaded_is_refused_there(
    two: Session,
) -> None:
    first, second = headers(two)
    before = two.load(first)
    prepared = two.prepare("caliper", before, start=START, end=END)
    two.load(second)
    with pytest.raises(OsteotraceError, match="another study, of 2023-06-20") as told:
        two.record(prepared)
    assert "load the study of 2023-06-20" in told.value.advice
    assert two.findings == ()
    # Back on its own study it is recorded: nothing is lost.
    two.load(first)
    (finding,) = two.record(prepared)
    assert finding.series_uid == first.identity.series_uid


def test_no_mark_stroke_or_label_lands_in_a_study_that_is_not_read(two: Session) -> None:
    first, second = headers(two)
    two.load(second)
    other = two.view(first)
    lines = len(two.draft.done)
    mask = two.masks.begin(other)
    for mark in (
        lambda: two.add("caliper", other, start=START, end=END),
        lambda: two.masks.stroke(mask, other, [START], 3.0),
        lambda: two.levels.add(other, START),
    ):
        with pytest.raises(OsteotraceError, match="another study"):
            mark()
    assert (len(two.draft.done), two.held, two.draft.levels) == (lines, (), ())
    assert two.masks.on(other) == ()


def test_looking_at_another_study_leaves_the_reading(two: Session) -> None:
    first, second = headers(two)
    read = two.load(first)
    two.add("caliper", read, start=START, end=END)
    two.view(second)
    assert two.is_read(first)
    assert not two.is_read(second)
    (finding,) = two.findings
    two.move(finding.tracking_uid, end=(0.3, 5.4, 0.0))
    assert two.is_read(first)
    assert [one.series_uid for one in two.draft.series] == [first.identity.series_uid]


def test_patients_without_a_named_study_have_drafts_of_their_own(
    small_study: Path, tmp_path: Path, opened: Callable[..., Session]
) -> None:
    copied(small_study, tmp_path / "in" / "a", StudyInstanceUID="")
    other = {"StudyInstanceUID": "", "PatientID": "TEST-2"}
    copied(small_study, tmp_path / "in" / "bb", **other)
    session = opened(tmp_path / "in")
    one, two = headers(session)
    session.add("caliper", session.load(one), start=START, end=END)
    session.load(two)
    assert session.findings == ()
    start = session.draft.start
    assert start is not None
    assert start.patient == two.identity.patient
    session.load(one)
    assert len(session.findings) == 1


def test_a_copy_under_another_pseudonym_has_a_draft_of_its_own(
    small_study: Path, tmp_path: Path, opened: Callable[..., Session]
) -> None:
    copied(small_study, tmp_path / "in" / "a")
    copied(small_study, tmp_path / "copy" / "a", PatientID="SOMEONE-ELSE")
    held: dict[str, tuple[Held, ...]] = {}
    for round_ in (1, 2):
        for name in ("in", "copy"):
            session = opened(tmp_path / name)
            (header,) = headers(session)
            volume = session.load(header)
            start = session.draft.start
            assert start is not None
            assert start.patient == header.identity.patient
            assert session.held == held.get(name, ())
            for _ in range(round_):
                session.add("caliper", volume, start=START, end=END)
            held[name] = session.held
            session.close()
    assert len(held["in"]) == 3
    session = opened(tmp_path / "copy")
    session.load(headers(session)[0])
    session.begin_anew()
    session.close()
    session = opened(tmp_path / "in")
    session.load(headers(session)[0])
    assert session.held == held["in"]


def test_beginning_anew_is_of_the_study_that_was_loaded_last(
    two: Session, opened: Callable[..., Session], tmp_path: Path
) -> None:
    first, second = headers(two)
    two.add("caliper", two.load(second), start=START, end=END)
    two.close()
    (file,) = (tmp_path / "drafts").iterdir()
    damaged = file.read_bytes().replace(b"CAL-1", b"CAL-9", 1)
    file.write_bytes(damaged)
    again = opened(tmp_path / "in")
    volume = again.load(first)
    with pytest.raises(OsteotraceError, match="damaged"):
        again.load(second)
    again.load(first)
    again.add("caliper", volume, start=START, end=END)
    again.begin_anew()
    assert again.is_read(first)
    assert again.findings == ()
    assert file.read_bytes() == damaged


def test_a_finding_without_a_mark_says_so_when_it_is_to_be_moved(two: Session) -> None:
    two.load(headers(two)[0])
    absent = two.absent("sequestrum", "mandible")
    with pytest.raises(OsteotraceError, match="marks no place on the images"):
        two.move(absent.tracking_uid, start=START)
