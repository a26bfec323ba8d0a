"""A window that is closed, or that its reader is asked about and that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.window_frame import press_close

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
# Rough points of the 12 mm gap of the small CT, in one axial slice.
START: Point = (0.0, -6.6, 0.0)
END: Point = (0.6, 5.2, 0.0)


class Question:
    """napari's question before a window closes, answered without asking."""

    answer = 0
    asked = 0

    def __init__(self, *about: object, **how: object) -> None:
        Question.asked += 1

    def exec_(self) -> int:
        return self.answer


@pytest.fixture
def question(monkeypatch: pytest.MonkeyPatch) -> type[Question]:
    """Have napari ask before it closes a window."""
    from napari._qt import qt_main_window
    from napari.settings import get_settings

    monkeypatch.setattr(qt_main_window, "ConfirmCloseDialog", Question)
    monkeypatch.setattr(get_settings().application, "confirm_close_window", True)
    Question.answer = Question.asked = 0
    return Question


def close_by_hand(room: ReadingRoom, qtbot: Any, question: type[Question]) -> None:
    """Close a window as its frame does; napari asks then."""
    press_close(int(room.viewer.window._qt_window.winId()))
    qtbot.waitUntil(lambda: question.asked == 1, timeout=PATIENCE_MS)


def test_a_close_that_is_refused_leaves_the_reading_as_it_is(
    room: ReadingRoom,
    hand: Hand,
    load: Callable[[str], None],
    qtbot: Any,
    question: type[Question],
) -> None:
    load("CT")
    first = hand.caliper(START, END)
    hand.key("F6")
    assert len(room.views) == 3
    close_by_hand(room, qtbot, question)
    assert room.viewer.window._qt_window.isVisible()
    assert len(room.views) == 3
    assert room.arrangement.is_linked
    second = hand.caliper(START, (-4.0, 5.2, 0.0))
    assert room.session.findings == (first, second)


def test_a_close_that_is_answered_ends_the_reading(
    room: ReadingRoom,
    hand: Hand,
    load: Callable[[str], None],
    qtbot: Any,
    question: type[Question],
) -> None:
    from qtpy.QtWidgets import QDialog

    load("CT")
    hand.caliper(START, END)
    hand.key("F6")
    question.answer = QDialog.DialogCode.Accepted
    close_by_hand(room, qtbot, question)
    qtbot.waitUntil(lambda: room.session.draft.start is None, timeout=PATIENCE_MS)
    assert len(room.views) == 1
    assert not room.arrangement.is_linked
    # napari closes a viewer once more; Qt has deleted its window.
    del room.viewer.window._qt_window


def test_a_window_that_is_hidden_for_a_while_goes_on_reading(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    window = room.viewer.window._qt_window
    window.hide()
    window.show()
    assert room.session.findings == (finding,)
