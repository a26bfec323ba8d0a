"""Reading blinded: what is hidden, until when, and what the record says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.fixtures.sessions import NOW, gap, loaded
from tests.fixtures.small_study import STUDY_UID

from osteotrace.errors import OsteotraceError
from osteotrace.records import sr
from osteotrace.records.sealed_json import sealed
from osteotrace.session.blinding import (
    BLINDED,
    HIDDEN,
    UNBLINDED,
    Blinding,
    shown_order,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.session import Session

OTHERS = tuple(f"2.25.10{n}" for n in range(12))


def beside(session: Session, folder: Path, *, reader: str, study: str, date: str) -> str:
    """Keep a reading of the session's patient by somebody else; return its UID."""
    reading = session.assessment
    assert reading is not None
    uid = f"2.25.99.{len(reader)}.{study.removeprefix('2.25.')}"
    kept = msgspec.structs.replace(
        reading, assessment_uid=uid, reader=reader, study_uid=study, study_date=date
    )
    folder.mkdir(exist_ok=True)
    (folder / f"{uid}.json").write_bytes(sealed(kept))
    session.priors.refresh()
    return uid


def test_without_blinding_everything_is_as_it_is_called(
    reading_session: Session,
) -> None:
    blinding = reading_session.blinding
    assert not blinding.is_on
    assert not blinding.is_blind
    assert blinding.shows_priors
    assert blinding.why_hidden == ""
    assert blinding.name(STUDY_UID, "before") == "before"
    assert blinding.date(STUDY_UID, "2024-01-02") == "2024-01-02"
    assert blinding.order(("b", "a")) == ("b", "a")


def test_blinded_a_study_has_a_letter_and_no_date(reading_session: Session) -> None:
    blinding = reading_session.blinding
    blinding.begin("seed")
    assert blinding.is_blind
    assert not blinding.shows_priors
    assert not blinding.shows_roles
    assert blinding.why_hidden == HIDDEN
    assert blinding.name(STUDY_UID, "before") == "study A"
    assert blinding.date(STUDY_UID, "2024-01-02") == ""


def test_the_order_is_that_of_the_seed_and_not_of_the_dates() -> None:
    orders = {shown_order(OTHERS, str(seed)) for seed in range(20)}
    assert len(orders) == 20
    assert shown_order(reversed(OTHERS), "7") == shown_order(OTHERS, "7")
    # Over many seeds each study comes first about as often.
    first = [shown_order(OTHERS[:2], str(seed))[0] for seed in range(400)]
    assert 160 < first.count(OTHERS[0]) < 240


def test_priors_and_other_readers_are_hidden_until_the_own_reading_is_saved(
    make_session: Callable[..., Session], tmp_path: Path
) -> None:
    session = make_session()
    records = tmp_path / "records"
    session.blinding.begin("seed")
    before = beside(session, records, reader="Dr Lee", study="2.25.7", date="2023-01-02")
    same = beside(session, records, reader="Dr Who", study=STUDY_UID, date="2024-01-02")
    assert not session.priors.records
    gap(session)
    report, *_ = session.save(records)
    assert not session.blinding.is_blind
    assert session.blinding.shows_priors
    shown = {one.assessment_uid for one in session.priors.records}
    assert {before, same} <= shown
    # The record says how it was read; what is added with priors in sight does not.
    assert sr.read(report).protocol == BLINDED
    gap(session)
    amended, *_ = session.save(records)
    assert sr.read(amended).protocol == "interactive"
    assert sr.read(amended).predecessor_uid == sr.read(report).assessment_uid


def test_a_study_that_is_still_to_be_read_stays_hidden_beside_one_that_was(
    reading_session: Session, tmp_path: Path
) -> None:
    # As for a folder of two studies, of which the other one is read later.
    blinding = reading_session.blinding
    state = blinding.begin("seed")
    assert state.studies == (STUDY_UID,)
    both = msgspec.structs.replace(state, studies=(STUDY_UID, "2.25.7"))
    assert blinding._file is not None
    blinding._write(blinding._file, both)
    other = beside(
        reading_session,
        tmp_path / "records",
        reader="Dr Lee",
        study="2.25.7",
        date="2023-01-02",
    )
    blinding.note_saved(STUDY_UID)
    assert blinding.shows_priors
    assert blinding.hides("2.25.7")
    # Nor does the one that was read tell whether it is before or after.
    told = [blinding.shows_roles]
    assert blinding.name(STUDY_UID, "after") == "study A"
    assert blinding.date(STUDY_UID, "2024-01-02") == "2024-01-02"
    assert other not in {one.assessment_uid for one in reading_session.priors.records}
    blinding.note_saved("2.25.7")
    assert [*told, blinding.shows_roles] == [False, True]
    assert blinding.name(STUDY_UID, "after") == "after"


def test_a_restart_hides_what_was_hidden(make_session: Callable[..., Session]) -> None:
    first = make_session()
    first.blinding.begin("seed")
    first.close()
    assert make_session().blinding.is_blind
    # Another reader has a mode of their own.
    assert not make_session("Dr Lee").blinding.is_blind


def test_a_blinding_that_was_ended_is_told_by_the_record(
    reading_session: Session, tmp_path: Path
) -> None:
    reading_session.blinding.begin("seed")
    gap(reading_session)
    reading_session.blinding.end()
    assert reading_session.blinding.shows_priors
    report, *_ = reading_session.save(tmp_path / "records")
    assert sr.read(report).protocol == UNBLINDED


def test_it_begins_before_the_first_mark_and_once(reading_session: Session) -> None:
    gap(reading_session)
    with pytest.raises(OsteotraceError, match="with the date in sight"):
        reading_session.blinding.begin("seed")
    reading_session.begin_anew()
    loaded(reading_session)
    with pytest.raises(OsteotraceError, match="empty seed"):
        reading_session.blinding.begin(" ")
    reading_session.blinding.begin("seed")
    with pytest.raises(OsteotraceError, match="has begun"):
        reading_session.blinding.begin("another")


def test_a_saved_record_is_not_opened_beside_a_blinded_reading(
    reading_session: Session, tmp_path: Path
) -> None:
    reading_session.blinding.begin("seed")
    with pytest.raises(OsteotraceError, match="save your own reading first"):
        reading_session.open_record(tmp_path / "of somebody.dcm")


def test_a_damaged_state_shows_nothing(reading_session: Session) -> None:
    blinding = reading_session.blinding
    blinding.begin("seed")
    assert blinding._file is not None
    blinding._file.write_text("{")
    with pytest.raises(OsteotraceError, match="cannot be read") as caught:
        _ = Blinding(reading_session, lambda: NOW).is_blind
    assert str(blinding._file) in str(caught.value)
    assert not blinding._file.stat().st_mode & 0o077
