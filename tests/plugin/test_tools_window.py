"""Tools under a real mouse: a window, its canvas, and the moves that Qt delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.fake_mouse import on_slice

from osteotrace.measurements.caliper import measure
from osteotrace_napari.canvas.marks import Mark, live_mark
from osteotrace_napari.canvas.view import ReadingView
from osteotrace_napari.tools.caliper import Caliper
from osteotrace_napari.tools.live import LiveValue
from osteotrace_napari.tools.pointer import Pointer

if TYPE_CHECKING:
    from qtpy.QtCore import QPoint

    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.tools.grips import Grip

pytestmark = pytest.mark.plugin

# Qt drops mouse moves that follow each other faster.
HAND_MS = 20
PATIENCE_MS = 20_000


class Desk:
    """A window with a volume, a pointer, a caliper, and a hand on the mouse."""

    def __init__(self, viewer: Any, volume: Volume, qtbot: Any) -> None:
        from qtpy.QtCore import Qt

        self.qtbot = qtbot
        self.viewer = viewer
        self.view = ReadingView(viewer)
        self.view.show(volume)
        self.view.go_to([(0.0, 0.0, 0.0)])
        self.recorded: list[dict[str, Any]] = []
        self.pointer = Pointer(self)
        self.pointer.attach(self.view)
        self.live = LiveValue(_live, self.view.show_preview)
        self.caliper = Caliper(
            preview=self.view.show_preview,
            record=self.record,
            live=self.live,
            snapped=lambda: True,
        )
        self.canvas = viewer.window._qt_viewer.canvas.native
        self.left, self.right = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
        qtbot.wait(HAND_MS)

    def record(self, tool: str, view: ReadingView, **where: Any) -> None:
        self.recorded.append(where)

    # Marks that were recorded: none here.

    def grips(self, view: ReadingView) -> tuple[Grip, ...]:
        return ()

    def choose(self, uid: str) -> None: ...
    def drag(self, grip: Grip, view: ReadingView, point: Point) -> None: ...
    def drop(self, grip: Grip, view: ReadingView, point: Point) -> None: ...
    def let_go(self) -> None: ...

    # The hand.

    def pixel(self, x: float, y: float) -> QPoint:
        from qtpy.QtCore import QPoint

        pixel = self.view.to_canvas(on_slice(self.view, x, y))
        return QPoint(round(float(pixel[0])), round(float(pixel[1])))

    def move(self, to: QPoint, button: Any = None) -> None:
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        held = Qt.MouseButton.NoButton if button is None else button
        QApplication.sendEvent(
            self.canvas,
            QMouseEvent(
                QEvent.Type.MouseMove,
                QPointF(to),
                QPointF(self.canvas.mapToGlobal(to)),
                Qt.MouseButton.NoButton,
                held,
                Qt.KeyboardModifier.NoModifier,
            ),
        )
        self.qtbot.wait(HAND_MS)

    def drag_through(self, *places: tuple[float, float], button: Any = None) -> None:
        button = button or self.left
        pixels = [self.pixel(*place) for place in places]
        self.qtbot.mousePress(self.canvas, button, pos=pixels[0])
        for to in pixels[1:]:
            self.move(to, button)
        self.qtbot.mouseRelease(self.canvas, button, pos=pixels[-1])
        self.qtbot.wait(HAND_MS)

    def flick(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.qtbot.mousePress(self.canvas, self.left, pos=self.pixel(*start))
        self.qtbot.mouseRelease(self.canvas, self.left, pos=self.pixel(*end))
        self.qtbot.wait(HAND_MS)

    def click(self, x: float, y: float) -> None:
        self.qtbot.mouseClick(self.canvas, self.left, pos=self.pixel(x, y))
        self.qtbot.wait(HAND_MS)


def _live(volume: Volume, start: Point, end: Point, quick: bool) -> Mark:
    return live_mark(measure(volume, start, end, quick=quick))


@pytest.fixture
def desk(viewer: Any, small_ct_volume: Volume, qtbot: Any) -> Any:
    made = Desk(viewer, small_ct_volume, qtbot)
    yield made
    made.live.stop()
    made.pointer.detach(made.view)


START, END = (0.0, -6.6), (0.6, 5.2)
GAP_MM = 12.0


def test_drag_flick_and_clicks_in_the_window_measure_the_same(
    desk: Desk, small_ct_volume: Volume
) -> None:
    desk.pointer.take_up(desk.caliper)
    desk.drag_through(START, (0.2, -2.0), (0.5, 2.0), END)
    desk.flick(START, END)
    desk.click(*START)
    desk.move(desk.pixel(0.3, 0.0))
    desk.click(*END)
    dragged, flicked, clicked = desk.recorded
    assert dragged == flicked == clicked
    reading = measure(small_ct_volume, dragged["start"], dragged["end"])
    assert getattr(reading.value, "value", 0.0) == pytest.approx(GAP_MM, abs=0.1)


def test_the_value_stands_beside_the_line_while_it_is_drawn_and_then_its_uncertainty(
    desk: Desk,
) -> None:
    desk.pointer.take_up(desk.caliper)
    desk.qtbot.mousePress(desk.canvas, desk.left, pos=desk.pixel(*START))
    for y in np.linspace(-6.0, 5.2, 12):
        desk.move(desk.pixel(0.6, float(y)), desk.left)
    (text,) = desk.view.texts
    assert text.endswith("mm")
    desk.qtbot.waitUntil(lambda: "±" in desk.view.texts[0], timeout=PATIENCE_MS)
    desk.qtbot.mouseRelease(desk.canvas, desk.left, pos=desk.pixel(*END))
    desk.qtbot.wait(HAND_MS)
    assert len(desk.recorded) == 1
    assert desk.view.texts == []


def test_a_tool_pans_and_zooms_nothing_and_leaves_window_and_level_to_the_right_button(
    desk: Desk,
) -> None:
    desk.pointer.take_up(desk.caliper)
    camera = desk.viewer.scene.camera
    before = (camera.zoom, tuple(camera.center))
    window = desk.view.window
    desk.drag_through(START, END)
    desk.qtbot.mouseDClick(desk.canvas, desk.left, pos=desk.pixel(*START))
    desk.qtbot.wait(HAND_MS)
    assert (camera.zoom, tuple(camera.center)) == before
    assert desk.view.window == window
    desk.drag_through((0.0, 0.0), (6.0, 3.0), button=desk.right)
    assert desk.view.window != window
    assert (camera.zoom, tuple(camera.center)) == before
    assert len(desk.recorded) == 1


def test_every_layer_may_be_active_while_a_tool_is_used(desk: Desk) -> None:
    mask = desk.viewer.add_labels(
        np.zeros(desk.view.grid.shape, dtype=np.uint8),
        scale=desk.view.image.scale,
        units=desk.view.image.units,
    )
    desk.pointer.take_up(desk.caliper)
    for layer in (mask, desk.view.image, None):
        desk.viewer.layers.selection.active = layer
        desk.qtbot.wait(HAND_MS)
        desk.drag_through(START, END)
    assert len(desk.recorded) == 3
    assert desk.recorded[0] == desk.recorded[1] == desk.recorded[2]
    assert not mask.data.any()


def test_with_nothing_in_hand_the_left_button_pans(desk: Desk) -> None:
    before = tuple(desk.viewer.scene.camera.center)
    desk.drag_through((0.0, 0.0), (3.0, 2.0), (6.0, 4.0))
    assert tuple(desk.viewer.scene.camera.center) != before
    assert desk.recorded == []
