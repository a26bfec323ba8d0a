"""Two studies in one window: marks, drafts and records stay with the study shown."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.copied_study import copied

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.series import VolumeHeader
    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
# Rough points of the 12 mm gap of the small CT, in one axial slice.
START: Point = (0.0, -6.6, 0.0)
END: Point = (0.6, 5.2, 0.0)
SECOND_END: Point = (-4.0, 5.2, 0.0)
LATER = {"StudyInstanceUID": "2.25.2001", "StudyDate": "20240115"}


@pytest.fixture
def folders(small_study: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Give a folder with two studies, and one with the later of them alone."""
    both, later = tmp_path / "both", tmp_path / "elsewhere" / "later"
    copied(small_study, both / "a", StudyDate="20230620")
    copied(small_study, both / "bb", **LATER)
    copied(small_study, later / "ccc", **LATER)
    shutil.copytree(small_study / "mr", later / "mr")
    return both, later


def idle(room: ReadingRoom, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    qtbot.wait(20)


def opened(room: ReadingRoom, qtbot: Any, folder: Path) -> list[VolumeHeader]:
    """Open a folder and return its CTs by date, whatever it loads at once."""
    room.opening.open(folder)
    idle(room, qtbot)
    cts = [h for h in room.dock.study.headers() if h.identity.modality == "CT"]
    return sorted(cts, key=lambda header: header.identity.date)


def test_what_is_marked_while_another_study_loads_is_the_study_shown(
    room: ReadingRoom,
    hand: Hand,
    qtbot: Any,
    folders: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = opened(room, qtbot, folders[0])
    room.opening.load(first)
    idle(room, qtbot)
    shown, read = room.view.volume, room.session.draft.start
    loaded, go_on = threading.Event(), threading.Event()
    displays = room.arrangement.displays
    of = displays.of

    def waits(*of_what: Any) -> Any:
        made = of(*of_what)
        if threading.current_thread() is not threading.main_thread():
            loaded.set()
            go_on.wait(PATIENCE_MS / 1000)
        return made

    monkeypatch.setattr(displays, "of", waits)
    room.opening.load(second)
    qtbot.waitUntil(loaded.is_set, timeout=PATIENCE_MS)
    assert room.view.volume is shown
    finding = hand.caliper(START, END)
    hand.key("Enter")
    assert room.session.held_finding(finding.tracking_uid).accepted
    assert room.session.draft.start is read
    go_on.set()
    idle(room, qtbot)
    assert room.view.volume is not shown
    assert not room.session.findings
    room.opening.load(first)
    idle(room, qtbot)
    assert list(room.session.findings) == [finding]


def test_a_draft_is_taken_up_in_the_step_that_shows_its_study(
    room: ReadingRoom,
    qtbot: Any,
    folders: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = []
    load = room.session.load

    def noted(*what: Any, **how: Any) -> Any:
        taken.append(threading.current_thread() is threading.main_thread())
        return load(*what, **how)

    monkeypatch.setattr(room.session, "load", noted)
    for header in opened(room, qtbot, folders[0]):
        room.opening.load(header)
        idle(room, qtbot)
    assert taken == [True, True]


def test_a_second_folder_that_is_only_opened_leaves_the_reading_whole(
    room: ReadingRoom, hand: Hand, qtbot: Any, folders: tuple[Path, Path]
) -> None:
    both, later = folders
    first, _ = opened(room, qtbot, both)
    room.opening.load(first)
    idle(room, qtbot)
    before = hand.caliper(START, END)
    hand.key("Enter")
    # It has a CT and an MR: the reader is asked which, and loads none.
    (other,) = opened(room, qtbot, later)
    finding = hand.caliper(START, SECOND_END)
    hand.key("Enter")
    for key in ("F7", "N"):
        hand.key(key)
        idle(room, qtbot)
        assert "not in the opened folder" not in room.dock.message.text()
    assert room.view.volume is not None
    assert room.session.masks.begin(room.view.volume)
    hand.key("Ctrl+S")
    idle(room, qtbot)
    assert "Saved" in room.dock.message.text()
    assert str(both.parent) in room.dock.message.text()
    assert str(later.parent) not in room.dock.message.text()
    assert list(room.session.findings) == [before, finding]
    room.opening.load(other)
    idle(room, qtbot)
    assert not room.session.findings
    assert room.session.records_folder().is_relative_to(later.parent)
