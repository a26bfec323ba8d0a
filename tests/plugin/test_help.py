"""The help overlay: every command with its present key, gone with any key or click."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace_napari import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.plugin

# For slow machines; nothing waits this long that goes well.
PATIENCE_MS = 60_000


@pytest.fixture
def window(qtbot: Any) -> Any:
    """Give a window with a field that has the focus."""
    if not os.environ.get("DISPLAY"):
        pytest.fail("no display: run it under xvfb-run, as make test does")
    from napari.qt import get_stylesheet
    from qtpy.QtWidgets import QLineEdit, QWidget

    made = QWidget()
    made.setStyleSheet(get_stylesheet("dark"))
    qtbot.addWidget(made)
    made.resize(1500, 900)
    QLineEdit(made).setObjectName("field")
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow, timeout=PATIENCE_MS)
    return made


@pytest.fixture
def overlay(window: Any) -> Iterator[Any]:
    """Give the overlay, open."""
    from osteotrace_napari.panels.help import HelpOverlay

    before = keys.changed()
    keys.use({})
    made = HelpOverlay(window)
    made.open()
    yield made
    keys.use(before)


def test_every_command_is_listed_with_its_key_under_its_group(overlay: Any) -> None:
    words = overlay.words()
    for group in keys.GROUPS:
        assert group in words
    for command in keys.COMMANDS:
        assert keys.key_of(command.name) in words
        assert command.title in words
    for held, what in keys.MOUSE:
        assert held in words
        assert what in words


def test_a_changed_key_is_the_one_that_is_listed(overlay: Any) -> None:
    keys.use({"caliper": "Ctrl+L", "gas": ""})
    overlay.open()
    words = overlay.words()
    assert "Ctrl+L" in words
    assert "Shift+C" not in words
    assert words[words.index("gas in a region") - 1] == "none"


def test_only_what_the_room_has_is_listed(window: Any) -> None:
    from osteotrace_napari.panels.help import HelpOverlay

    made = HelpOverlay(window, names={"caliper"})
    made.open()
    assert "caliper" in made.words()
    assert keys.MASK not in made.words()


@pytest.mark.parametrize("key", ["Escape", "Return", "Question", "A", "F6", "Space"])
def test_any_key_closes_it_and_does_nothing_else(
    window: Any, overlay: Any, qtbot: Any, key: str
) -> None:
    from qtpy.QtCore import Qt

    field = window.findChild(type(window), "field")
    assert overlay.hasFocus()
    with qtbot.waitSignal(overlay.closed):
        qtbot.keyClick(overlay, getattr(Qt.Key, f"Key_{key}"))
    assert overlay.isHidden()
    assert field is None or field.text() == ""


def test_a_key_that_is_held_for_another_one_does_not_close_it(
    overlay: Any, qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    qtbot.keyClick(overlay, Qt.Key.Key_Shift)
    assert not overlay.isHidden()


@pytest.mark.parametrize("where", [(5, 5), (700, 400), (1490, 890)])
def test_a_click_anywhere_closes_it(
    overlay: Any, qtbot: Any, where: tuple[int, int]
) -> None:
    from qtpy.QtCore import QPoint, Qt

    point = QPoint(*where)
    target = overlay.childAt(point) or overlay
    with qtbot.waitSignal(overlay.closed):
        qtbot.mouseClick(
            target, Qt.MouseButton.LeftButton, pos=target.mapFrom(overlay, point)
        )
    assert overlay.isHidden()


@pytest.mark.parametrize("width", [1500, 960])
def test_it_covers_the_window_and_nothing_is_cut(
    window: Any, overlay: Any, qtbot: Any, width: int
) -> None:
    from qtpy.QtWidgets import QLabel

    window.resize(width, 640)
    qtbot.waitUntil(lambda: overlay.width() == width)
    qtbot.wait(1)
    assert overlay.rect() == window.rect()
    for label in overlay.findChildren(QLabel):
        if label.isVisible():
            assert label.width() >= label.sizeHint().width(), label.text()
            assert label.height() >= label.sizeHint().height(), label.text()
            right = label.mapTo(overlay, label.rect().bottomRight()).x()
            assert right < width, label.text()
