"""Two studies of a patient in the window: one is read, the other looked at beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.copied_study import copied
from tests.fixtures.sessions import END, START

from osteotrace.errors import OsteotraceError

from .conftest import PATIENCE_MS

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.series import VolumeHeader
    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin


def opened(
    room: ReadingRoom, qtbot: Any, study: Path, folder: Path, **tags: Any
) -> tuple[VolumeHeader, VolumeHeader]:
    """Open two studies, the second with tags of its own, and load the first."""
    copied(study, folder / "in" / "a", StudyDate="20230620")
    other = {"StudyInstanceUID": "2.25.2001", "StudyDate": "20240115"}
    copied(study, folder / "in" / "bb", **(other | tags))
    room.opening.open(folder / "in")
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    first, second = sorted(room.dock.study.headers(), key=lambda one: one.identity.date)
    room.opening.load(first)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    return first, second


def test_a_study_beside_the_one_that_is_read_takes_no_mark(
    room: ReadingRoom, qtbot: Any, small_study: Path, tmp_path: Path
) -> None:
    first, second = opened(room, qtbot, small_study, tmp_path)
    room.opening.open_beside(second)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert room.session.is_read(first)
    assert len(room.views) == 2
    main, beside = room.views
    room.marking.record("caliper", beside, start=START, end=END)
    assert "another study" in room.dock.message.text()
    assert not room.session.can_undo
    room.marking.record("caliper", main, start=START, end=END)
    (finding,) = room.session.findings
    assert finding.series_uid == first.identity.series_uid


def test_a_series_that_cannot_stand_beside_leaves_what_is_read(
    room: ReadingRoom, qtbot: Any, small_study: Path, tmp_path: Path
) -> None:
    frame = {"FrameOfReferenceUID": "2.25.2002"}
    first, second = opened(room, qtbot, small_study, tmp_path, **frame)
    room.opening.open_beside(second)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert "another frame of reference" in room.dock.message.text()
    assert room.session.is_read(first)
    assert len(room.views) == 1


def test_an_offer_to_begin_anew_goes_with_the_study_that_it_was_of(
    room: ReadingRoom, qtbot: Any, small_study: Path, tmp_path: Path
) -> None:
    first, second = opened(room, qtbot, small_study, tmp_path)
    damaged = OsteotraceError(
        "a damaged draft", expected="a journal", advice="begin anew", where="x.jsonl"
    )
    room.keeping.offer_anew(second, damaged)
    assert room.dock.recovery.isVisibleTo(room.dock)
    room.opening.load(first)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert not room.dock.recovery.isVisibleTo(room.dock)
