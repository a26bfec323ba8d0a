"""A reading window on a real display with a small study open, and a hand to use it."""

from __future__ import annotations

import gc
import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtCore import QPoint

    from osteotrace.findings import Finding
    from osteotrace_napari.room import ReadingRoom

# For slow machines; nothing waits this long that goes well.
PATIENCE_MS = 60_000
# Qt drops mouse moves that follow each other faster.
HAND_MS = 20

Point = tuple[float, float, float]


_SCREEN: pytest.StashKey[Any] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several processes a screen of its own: windows share a focus."""
    if not hasattr(config, "workerinput"):
        return
    from tests.window.screen import Screen

    screen = Screen(Path(tempfile.mkdtemp(prefix="osteotrace-screen-")))
    config.stash[_SCREEN] = screen
    os.environ["DISPLAY"] = screen.display


def pytest_unconfigure(config: pytest.Config) -> None:
    """Put the screen away."""
    screen = config.stash.get(_SCREEN, None)
    if screen is not None:
        screen.close()


@pytest.fixture(autouse=True)
def own_drafts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the drafts of a test its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="session")
def loaded() -> None:
    """Load what a window needs, and leave that out of every search for garbage.

    The end of each window is one, through half a million objects of modules.
    """
    for name in ("napari.viewer", "osteotrace_napari.window"):
        import_module(name)
    gc.collect()
    gc.freeze()


@pytest.fixture
def viewer(request: pytest.FixtureRequest, loaded: None) -> Any:
    """Give an empty napari window, shown."""
    if not os.environ.get("DISPLAY"):
        pytest.fail("no display: run it under xvfb-run, as make test does")
    made = request.getfixturevalue("make_napari_viewer")(show=True)
    made.window._qt_window.resize(900, 600)
    return made


@pytest.fixture
def room(viewer: Any) -> ReadingRoom:
    """Give the reading room, docked, with nothing open."""
    from osteotrace_napari.window import reading_room

    return reading_room(viewer)


@pytest.fixture
def load(room: ReadingRoom, qtbot: Any, small_study: Path) -> Callable[[str], None]:
    """Open the small study and load its series of a modality."""

    def load(modality: str) -> None:
        if room.session.catalogue is None:
            room.opening.open(small_study)
            qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
        header = next(
            header
            for header in room.dock.study.headers()
            if header.identity.modality == modality and header.verdicts == ("regular",)
        )
        room.opening.load(header)
        qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
        qtbot.wait(HAND_MS)

    return load


class Hand:
    """A reader's mouse and keyboard on the canvas."""

    def __init__(self, room: ReadingRoom, qtbot: Any) -> None:
        from qtpy.QtCore import Qt

        self.room = room
        self.qtbot = qtbot
        self.canvas = room.viewer.window._qt_viewer.canvas.native
        self.left = Qt.MouseButton.LeftButton
        self.right = Qt.MouseButton.RightButton

    def pixel(self, point: Point) -> QPoint:
        """Return where a patient point lies on the canvas."""
        from qtpy.QtCore import QPoint

        x, y = self.room.view.to_canvas(point).tolist()
        return QPoint(round(x), round(y))

    def move(self, to: QPoint, *, button: Any = None) -> None:
        """Move the mouse, with a button held where one is given."""
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        held = Qt.MouseButton.NoButton if button is None else button
        there = QPointF(to)
        QApplication.sendEvent(
            self.canvas,
            QMouseEvent(
                QEvent.Type.MouseMove,
                there,
                QPointF(self.canvas.mapToGlobal(to)),
                Qt.MouseButton.NoButton,
                held,
                Qt.KeyboardModifier.NoModifier,
            ),
        )
        self.qtbot.wait(HAND_MS)

    def drag(self, points: Sequence[Point]) -> None:
        """Press at the first point, move through all, release at the last."""
        pixels = [self.pixel(point) for point in points]
        self.qtbot.mousePress(self.canvas, self.left, pos=pixels[0])
        for to in pixels[1:]:
            self.move(to, button=self.left)
        self.qtbot.mouseRelease(self.canvas, self.left, pos=pixels[-1])
        self.qtbot.wait(HAND_MS)

    def flick(self, start: Point, end: Point) -> None:
        """Press, and release elsewhere before any move is delivered."""
        self.qtbot.mousePress(self.canvas, self.left, pos=self.pixel(start))
        self.qtbot.mouseRelease(self.canvas, self.left, pos=self.pixel(end))
        self.qtbot.wait(HAND_MS)

    def click(self, point: Point) -> None:
        """Click without moving."""
        self.qtbot.mouseClick(self.canvas, self.left, pos=self.pixel(point))
        self.qtbot.wait(HAND_MS)

    def key(self, text: str) -> None:
        """Press a key where the keyboard focus is, as ``"Ctrl+Z"``."""
        from qtpy.QtCore import Qt
        from qtpy.QtGui import QKeySequence

        combination = QKeySequence(text)[0]
        self.canvas.setFocus(Qt.FocusReason.OtherFocusReason)
        self.qtbot.keyClick(
            self.canvas, combination.key(), combination.keyboardModifiers()
        )
        self.qtbot.wait(HAND_MS)

    def caliper(self, start: Point, end: Point) -> Finding:
        """Draw a caliper by drag and return its finding."""
        self.room.view.go_to([start, end])
        self.room.take_up("caliper")
        self.drag([start, _between(start, end), end])
        self.room.pointer.take_up(None)
        return self.room.session.findings[-1]


def _between(start: Point, end: Point) -> Point:
    x, y, z = ((a + b) / 2 for a, b in zip(start, end, strict=True))
    return x, y, z


@pytest.fixture
def hand(room: ReadingRoom, qtbot: Any) -> Hand:
    """Give a reader's hand."""
    return Hand(room, qtbot)
