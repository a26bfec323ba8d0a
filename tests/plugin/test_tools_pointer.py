"""The pointer: press and release as they are, in every view, whatever layer is active."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.fake_mouse import RIGHT, FakeMouse, on_slice, view_of

from osteotrace.geometry import as_stored
from osteotrace_napari.canvas.marks import Line, Mark
from osteotrace_napari.tools.grips import Grip
from osteotrace_napari.tools.pointer import CLICK_PX, Pointer

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView

pytestmark = pytest.mark.plugin


@dataclass
class Notes:
    """A tool that notes what it is told."""

    name: str = "notes"
    prompt: str = "what next"
    told: list[tuple[Any, ...]] = field(default_factory=list)
    pending: int = 0
    uses_enter: bool = False

    def begin(self, view: ReadingView) -> None:
        self.told.append(("begin",))

    def pressed(self, view: ReadingView, point: Point) -> None:
        self.told.append(("pressed", point))

    def moved(self, view: ReadingView, point: Point) -> None:
        self.told.append(("moved", point))

    def released(self, view: ReadingView, point: Point, was_click: bool) -> None:
        self.told.append(("released", point, was_click))

    def cancel(self) -> bool:
        self.pending -= 1
        return self.pending >= 0

    def entered(self) -> bool:
        return self.uses_enter

    def accepted(self) -> None:
        self.told.append(("accepted",))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [one for one in self.told if one[0] == kind]


@dataclass
class Shown:
    """Recorded marks that note what is done to them."""

    gripped: tuple[Grip, ...] = ()
    told: list[tuple[Any, ...]] = field(default_factory=list)

    def grips(self, view: ReadingView) -> tuple[Grip, ...]:
        return self.gripped

    def choose(self, uid: str) -> None:
        self.told.append(("choose", uid))

    def drag(self, grip: Grip, view: ReadingView, point: Point) -> None:
        self.told.append(("drag", grip.key, point))

    def drop(self, grip: Grip, view: ReadingView, point: Point) -> None:
        self.told.append(("drop", grip.key, point))

    def let_go(self) -> None:
        self.told.append(("let go",))


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def pointer(ct_view: ReadingView, shown: Shown) -> Pointer:
    made = Pointer(shown)
    made.attach(ct_view)
    return made


@pytest.fixture
def tool(pointer: Pointer) -> Notes:
    made = Notes()
    pointer.take_up(made)
    return made


def near(point: Point) -> Any:
    return pytest.approx(point, abs=1e-4)


# With a tool in hand


def test_a_flick_without_a_move_gives_the_points_of_a_slow_drag(
    mouse: FakeMouse, tool: Notes
) -> None:
    start, end = (on_slice(mouse.view, 0.0, y) for y in (-6.6, 5.2))
    mouse.flick(start, end)
    flicked = [*tool.of("pressed"), *tool.of("released")]
    tool.told.clear()
    path = [on_slice(mouse.view, 0.0, y) for y in np.linspace(-6.6, 5.2, 40)]
    mouse.drag(path)
    assert [*tool.of("pressed"), *tool.of("released")] == flicked
    assert flicked == [("pressed", near(start)), ("released", near(end), False)]
    assert len(tool.of("moved")) == 39


def test_the_release_counts_and_not_the_last_move(mouse: FakeMouse, tool: Notes) -> None:
    a, b, c = (on_slice(mouse.view, 0.0, y) for y in (-6.0, 0.0, 6.0))
    mouse.press(a)
    mouse.move(b)
    mouse.release(c)
    assert tool.of("released") == [("released", near(c), False)]


def test_points_are_given_as_a_record_stores_them(mouse: FakeMouse, tool: Notes) -> None:
    mouse.click(on_slice(mouse.view, 0.123456789, -3.3))
    (_, point, _) = tool.of("released")[0]
    assert point == as_stored(point)


def test_a_hand_that_trembles_clicks(mouse: FakeMouse, tool: Notes) -> None:
    start = on_slice(mouse.view, 0.0, 0.0)
    zoom = mouse.view.viewer.scene.camera.zoom
    inside = on_slice(mouse.view, 0.9 * CLICK_PX / zoom, 0.0)
    outside = on_slice(mouse.view, 1.1 * CLICK_PX / zoom, 0.0)
    mouse.drag([start, inside])
    mouse.drag([start, outside])
    assert [was_click for _, _, was_click in tool.of("released")] == [True, False]


def test_every_event_of_a_tool_is_consumed(mouse: FakeMouse, tool: Notes) -> None:
    a, b = (on_slice(mouse.view, 0.0, y) for y in (-6.0, 6.0))
    mouse.drag([a, b])
    assert [event.handled for event in mouse.events] == [True, True, True]


def test_other_buttons_and_the_box_to_zoom_are_left_to_the_view(
    mouse: FakeMouse, tool: Notes
) -> None:
    a, b = (on_slice(mouse.view, 0.0, y) for y in (-6.0, 6.0))
    mouse.drag([a, b], button=RIGHT)
    mouse.press(a, button=3)
    mouse.release(a, button=3)
    mouse.press(a, modifiers=("Alt",))
    mouse.release(b, modifiers=("Alt",))
    assert tool.of("pressed") == []


def test_a_double_click_neither_zooms_nor_marks(
    mouse: FakeMouse, pointer: Pointer, tool: Notes
) -> None:
    from napari.utils.interactions import mouse_double_click_callbacks

    zoom = mouse.view.viewer.scene.camera.zoom
    event = mouse.event("mouse_double_click", on_slice(mouse.view, 0.0, 0.0))
    mouse_double_click_callbacks(mouse.view.viewer, event)
    assert mouse.view.viewer.scene.camera.zoom == zoom
    assert event.handled
    assert tool.of("pressed") == []


def test_a_tool_keeps_the_camera_and_the_cursor_whatever_layer_is_active(
    mouse: FakeMouse, pointer: Pointer, tool: Notes
) -> None:
    viewer = mouse.view.viewer
    labels = viewer.add_labels(np.zeros(mouse.view.grid.shape, dtype=np.uint8))
    for layer in (labels, mouse.view.image, None, labels):
        viewer.layers.selection.active = layer
        assert not viewer.scene.camera.mouse_pan
        assert viewer.cursor.style == "cross"
        tool.told.clear()
        mouse.click(on_slice(mouse.view, 0.0, 0.0))
        assert len(tool.of("released")) == 1
    pointer.take_up(None)
    assert viewer.scene.camera.mouse_pan
    assert viewer.cursor.style == "standard"


def test_a_view_that_comes_later_has_the_tool_and_its_prompt(
    pointer: Pointer, tool: Notes, small_mr_volume: Volume
) -> None:
    other = view_of(small_mr_volume)
    pointer.attach(other)
    pointer.show_prompt()
    assert not other.viewer.scene.camera.mouse_pan
    FakeMouse(other).click((12.0, -10.0, 10.0))
    assert len(tool.of("released")) == 1
    assert pointer.view is other
    pointer.detach(other)
    FakeMouse(other).click((12.0, -10.0, 10.0))
    assert len(tool.of("released")) == 1
    assert pointer.view is not other


def test_the_prompt_stands_in_the_view_that_the_mouse_is_over(
    pointer: Pointer, tool: Notes, mouse: FakeMouse, small_ct_volume: Volume
) -> None:
    other = view_of(small_ct_volume)
    pointer.attach(other)
    pointer.show_prompt()
    assert (mouse.view._prompt, other._prompt) == ("what next", "")
    FakeMouse(other).move(on_slice(other, 0.0, 0.0), held=False)
    assert (mouse.view._prompt, other._prompt) == ("", "what next")
    pointer.detach(other)
    pointer.show_prompt()
    assert (mouse.view._prompt, other._prompt) == ("what next", "")
    pointer.take_up(None)
    assert mouse.view._prompt == ""


def test_escape_takes_a_point_back_and_then_puts_the_tool_away(
    pointer: Pointer, tool: Notes
) -> None:
    tool.pending = 2
    assert [pointer.cancel() for _ in range(4)] == [True, True, True, False]
    assert pointer.tool is None


def test_a_point_taken_back_never_puts_the_tool_away(
    pointer: Pointer, tool: Notes
) -> None:
    tool.pending = 1
    assert [pointer.take_back() for _ in range(3)] == [True, False, False]
    assert pointer.tool is tool


def test_a_tool_put_away_by_key_amid_a_drag_marks_nothing(
    mouse: FakeMouse, pointer: Pointer, tool: Notes
) -> None:
    mouse.press(on_slice(mouse.view, 0.0, 0.0))
    pointer.take_up(None)
    mouse.move(on_slice(mouse.view, 0.0, 5.0))
    mouse.release(on_slice(mouse.view, 0.0, 6.0))
    assert tool.of("moved") == []
    assert tool.of("released") == []


def test_enter_goes_to_the_tool_first(pointer: Pointer, tool: Notes) -> None:
    assert not pointer.entered()
    tool.uses_enter = True
    assert pointer.entered()
    pointer.accepted()
    assert tool.of("accepted") == [("accepted",)]
    pointer.take_up(None)
    assert not pointer.entered()


# With nothing in hand


def line_mark(view: ReadingView, uid: str, x: float) -> Mark:
    ends = (on_slice(view, x, -6.0), on_slice(view, x, 6.0))
    return Mark(uid=uid, lines=(Line(points=ends),))


def test_a_click_near_a_mark_chooses_it_and_elsewhere_nothing(
    mouse: FakeMouse, pointer: Pointer, shown: Shown
) -> None:
    view = mouse.view
    view.show_marks([line_mark(view, "A", 0.0), line_mark(view, "B", 8.0)])
    mouse.click(on_slice(view, 7.8, 2.0))
    mouse.click(on_slice(view, 4.0, 2.0))
    mouse.drag([on_slice(view, 0.0, 2.0), on_slice(view, 0.0, 6.0)])
    assert shown.told == [("choose", "B")]
    # The camera may pan: nothing was consumed.
    assert not any(event.handled for event in mouse.events)


def test_a_mark_on_another_slice_is_not_chosen(
    mouse: FakeMouse, pointer: Pointer, shown: Shown
) -> None:
    view = mouse.view
    view.show_marks([line_mark(view, "A", 0.0)])
    view.go_to_slice(view.slice_index + 3)
    mouse.click(on_slice(view, 0.0, 2.0))
    assert shown.told == []


def test_an_end_of_the_chosen_mark_is_dragged_to_where_the_button_comes_up(
    mouse: FakeMouse, pointer: Pointer, shown: Shown
) -> None:
    view = mouse.view
    start, end, to = (on_slice(view, 0.0, y) for y in (-6.0, 6.0, 9.0))
    shown.gripped = (Grip(key="start", point=start), Grip(key="end", point=end))
    mouse.drag([end, on_slice(view, 0.0, 7.5), to])
    assert shown.told == [
        ("drag", "end", near(on_slice(view, 0.0, 7.5))),
        ("drag", "end", near(to)),
        ("drop", "end", near(to)),
    ]
    shown.told.clear()
    mouse.flick(start, to)
    assert shown.told == [("drop", "start", near(to))]
    assert all(event.handled for event in mouse.events)


def test_an_end_that_is_only_clicked_stays(
    mouse: FakeMouse, pointer: Pointer, shown: Shown
) -> None:
    end = on_slice(mouse.view, 0.0, 6.0)
    shown.gripped = (Grip(key="end", point=end),)
    mouse.click(end)
    assert shown.told == [("let go",)]


def test_an_end_on_another_slice_is_not_taken(
    mouse: FakeMouse, pointer: Pointer, shown: Shown
) -> None:
    end = on_slice(mouse.view, 0.0, 6.0)
    shown.gripped = (Grip(key="end", point=end),)
    mouse.view.go_to_slice(mouse.view.slice_index + 2)
    mouse.flick(on_slice(mouse.view, 0.0, 6.0), on_slice(mouse.view, 0.0, 9.0))
    assert shown.told == []


def test_the_edge_of_a_ball_is_taken_where_its_circle_is_seen(
    mouse: FakeMouse, pointer: Pointer, shown: Shown
) -> None:
    centre = on_slice(mouse.view, 0.0, 0.0)
    shown.gripped = (
        Grip(key="region", point=centre),
        Grip(key="region", point=centre, radius=8.0),
    )
    mouse.flick(on_slice(mouse.view, 8.0, 0.0), on_slice(mouse.view, 10.0, 0.0))
    assert shown.told == [("drop", "region", near(on_slice(mouse.view, 10.0, 0.0)))]
