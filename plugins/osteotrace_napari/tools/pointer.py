"""One pointer for all views: it hands the tool in hand the places of the left button.

The press and the release are taken as they are, so that a fast flick and a slow drag
give the same points: napari's own line tool drops fast moves and the release. Without a
tool in hand a click chooses the mark under it, and a point of the chosen mark can be
dragged elsewhere. Right button, middle button and wheel are left to the view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from osteotrace.geometry import as_stored
from osteotrace_napari.tools.picking import nearest_grip, nearest_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.geometry import Array
    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.grips import Grip
    from osteotrace_napari.tools.tool import Tool

# A press and release within this many pixels is a click, not a drag.
CLICK_PX: Final = 4.0
_LEFT_BUTTON: Final = 1


class Marks(Protocol):
    """What the pointer asks and tells about marks that were recorded."""

    def grips(self, view: ReadingView) -> Sequence[Grip]:
        """Return what can be moved of the chosen mark in a view."""
        ...

    def choose(self, uid: str) -> None:
        """Choose the finding of a mark."""
        ...

    def drag(self, grip: Grip, view: ReadingView, point: Point) -> None:
        """Show a grip where it would come to lie."""
        ...

    def drop(self, grip: Grip, view: ReadingView, point: Point) -> None:
        """Move a grip there."""
        ...

    def let_go(self) -> None:
        """Leave a grip that was dragged where it was."""
        ...


class Pointer:
    """The mouse in every view.

    Parameters
    ----------
    marks : Marks
        Recorded marks, for the hand without a tool.

    Attributes
    ----------
    tool : Tool or None
        What is in hand.
    view : ReadingView or None
        The view that the mouse was used in last.
    modifiers : frozenset of str
        Keys held with the mouse at the last event, as ``"Shift"``.
    on_prompt : list of callable
        Called without arguments after the prompt was shown.
    """

    def __init__(self, marks: Marks) -> None:
        self.tool: Tool | None = None
        self.view: ReadingView | None = None
        self.modifiers: frozenset[str] = frozenset()
        self.on_prompt: list[Callable[[], None]] = []
        self._marks = marks
        # The view that the mouse is over.
        self._hovered: ReadingView | None = None
        self._views: list[ReadingView] = []
        self._callbacks: dict[int, tuple[Any, ...]] = {}

    # Views -------------------------------------------------------------------------

    def attach(self, view: ReadingView) -> None:
        """Take the mouse of a view, too."""
        if view in self._views:
            return

        def press(viewer: Any, event: Any) -> Any:
            return self._press(view, event)

        def hover(viewer: Any, event: Any) -> None:
            self._hover(view, event)

        def double_click(viewer: Any, event: Any) -> None:
            # The second press of a fast pair: napari would zoom.
            event.handled = True

        def active_layer(event: Any = None) -> None:
            # napari gives the camera and the cursor back to the layer.
            self._arm(view)

        model = view.viewer
        model.mouse_drag_callbacks.append(press)
        model.mouse_move_callbacks.append(hover)
        model.mouse_double_click_callbacks[:] = [double_click]
        model.layers.selection.events.active.connect(active_layer)
        self._callbacks[id(view)] = (press, hover, double_click, active_layer)
        self._views.append(view)
        self.view = self.view or view
        self._arm(view)

    def detach(self, view: ReadingView) -> None:
        """Leave the mouse of a view to napari."""
        if view not in self._views:
            return
        press, hover, double_click, active_layer = self._callbacks.pop(id(view))
        model = view.viewer
        model.mouse_drag_callbacks.remove(press)
        model.mouse_move_callbacks.remove(hover)
        model.mouse_double_click_callbacks.remove(double_click)
        model.layers.selection.events.active.disconnect(active_layer)
        self._views.remove(view)
        view.prompt("")
        if self.view is view:
            self.view = self._views[0] if self._views else None

    # The tool in hand --------------------------------------------------------------

    def take_up(self, tool: Tool | None) -> None:
        """Take a tool in hand, or none; what another one had begun is dropped."""
        if self.tool is not None:
            while self.tool.cancel():
                pass
        self.tool = tool
        if tool is not None and self.view is not None and self.view.volume is not None:
            tool.begin(self.view)
        for view in self._views:
            self._arm(view)
        self.show_prompt()

    def take_back(self) -> bool:
        """Take the last point back; False where there is none."""
        taken = self.tool is not None and self.tool.cancel()
        self.show_prompt()
        return taken

    def cancel(self) -> bool:
        """Take the last point back, else put the tool away; False without a tool."""
        if self.tool is None:
            return False
        if not self.take_back():
            self.take_up(None)
        return True

    def entered(self) -> bool:
        """Give the Enter key to the tool; False where it has no use for it."""
        taken = self.tool is not None and self.tool.entered()
        self.show_prompt()
        return taken

    def accepted(self) -> None:
        """Tell the tool that the finding made last was accepted."""
        if self.tool is not None:
            self.tool.accepted()
            self.show_prompt()

    def show_prompt(self) -> None:
        """Say in the view that is used what is to be done next."""
        text = "" if self.tool is None else self.tool.prompt
        said_in = self._hovered if self._hovered in self._views else self.view
        for view in self._views:
            view.prompt(text if view is said_in else "")
        for call in self.on_prompt:
            call()

    def _arm(self, view: ReadingView) -> None:
        """Give a view's camera to the tool, or back."""
        model = view.viewer
        model.scene.camera.mouse_pan = self.tool is None
        model.cursor.style = "standard" if self.tool is None else "cross"

    # The mouse ---------------------------------------------------------------------

    def _press(self, view: ReadingView, event: Any) -> Any:
        # Alt and drag is napari's box to zoom into.
        if (
            event.button != _LEFT_BUTTON
            or view.volume is None
            or "Alt" in event.modifiers
        ):
            return None
        self.view = self._hovered = view
        self.modifiers = _modifiers(event)
        if self.tool is not None:
            return self._with_tool(view, event, self.tool)
        grip = nearest_grip(self._marks.grips(view), view.place, _pixel(event))
        if grip is not None:
            return self._with_grip(view, event, grip)
        return self._with_nothing(view, event)

    def _with_tool(self, view: ReadingView, event: Any, tool: Tool) -> Any:
        event.handled = True
        pressed_at = _pixel(event)
        tool.pressed(view, _point(view, event))
        yield
        while event.type == "mouse_move":
            event.handled = True
            # A key may have put the tool away meanwhile.
            if tool is self.tool:
                tool.moved(view, _point(view, event))
            yield
        event.handled = True
        if tool is self.tool and view.volume is not None:
            # The release is the last point, however fast the mouse was.
            was_click = _moved(pressed_at, event) <= CLICK_PX
            tool.released(view, _point(view, event), was_click)
            self.show_prompt()

    def _with_grip(self, view: ReadingView, event: Any, grip: Grip) -> Any:
        event.handled = True
        pressed_at = _pixel(event)
        yield
        while event.type == "mouse_move":
            event.handled = True
            if _moved(pressed_at, event) > CLICK_PX:
                self._marks.drag(grip, view, _point(view, event))
            yield
        event.handled = True
        if view.volume is not None and _moved(pressed_at, event) > CLICK_PX:
            self._marks.drop(grip, view, _point(view, event))
        else:
            self._marks.let_go()

    def _with_nothing(self, view: ReadingView, event: Any) -> Any:
        """Choose the mark that is clicked; a drag is the camera's."""
        pressed_at = _pixel(event)
        yield
        while event.type == "mouse_move":
            yield
        if view.volume is None or _moved(pressed_at, event) > CLICK_PX:
            return
        mark = nearest_mark(view.visible_marks, view.place, _pixel(event))
        if mark is not None:
            self._marks.choose(mark.uid)

    def _hover(self, view: ReadingView, event: Any) -> None:
        self.modifiers = _modifiers(event)
        if self.tool is None or view.volume is None:
            return
        if view is not self._hovered:
            self._hovered = view
            self.show_prompt()
        self.tool.moved(view, _point(view, event))


def _point(view: ReadingView, event: Any) -> Point:
    return as_stored(view.point(event))


def _pixel(event: Any) -> Array:
    return np.array(event.pos, dtype=np.float64)


def _moved(pressed_at: Array, event: Any) -> float:
    return float(np.hypot(*(_pixel(event) - pressed_at)))


def _modifiers(event: Any) -> frozenset[str]:
    # Keys of vispy, whose text is not their name.
    return frozenset(getattr(key, "name", key) for key in event.modifiers)
