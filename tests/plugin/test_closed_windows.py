"""A closed window lets go of all that it showed, as napari's own windows do."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
SETTLE_MS = 300


def collect(qtbot: Any) -> None:
    """Have Qt and Python delete what they have put off."""
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    qtbot.wait(SETTLE_MS)
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.collect()


def read(study: Path, make_viewer: Callable[..., Any], qtbot: Any) -> dict[str, Any]:
    """Open a window, load a study, use it, close it; return what should be gone."""
    from osteotrace_napari.window import reading_room

    viewer = make_viewer(show=True)
    room: ReadingRoom = reading_room(viewer)
    room.opening.open(study)
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    room.press("linked_views")
    room.press("caliper")
    volume = room.view.volume
    assert volume is not None
    assert len(room.views) == 3
    gone = {"viewer": viewer, "room": room, "session": room.session}
    kept = {name: ref(each) for name, each in gone.items()}
    kept["voxels"] = ref(volume.voxels)
    viewer.close()
    return kept


@pytest.mark.parametrize("windows", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_windows_that_showed_a_study_leave_nothing_in_memory(
    make_napari_viewer: Callable[..., Any], qtbot: Any, small_study: Path, windows: int
) -> None:
    study = small_study / "ct"
    closed = [read(study, make_napari_viewer, qtbot) for _ in range(windows)]
    collect(qtbot)
    left = [[name for name, each in one.items() if each() is not None] for one in closed]
    assert left == [[]] * windows
