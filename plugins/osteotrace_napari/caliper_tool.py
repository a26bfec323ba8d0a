"""The caliper under the mouse: two points by drag or by click and click.

napari's own line tool drops fast moves and the release point, so its lengths are short;
this tool takes the press and the release as they are. It measures nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.geometry import Array
    from osteotrace_napari.canvas.view import ReadingView

# A press and release within this many pixels is a click, not a drag.
CLICK_PX: Final = 4.0
_LEFT_BUTTON: Final = 1


class CaliperTool:
    """Take two points in patient LPS mm from the canvas.

    Parameters
    ----------
    view : ReadingView
        Where the points are taken.
    on_move : callable
        Called with both (3,) points while the second one is being placed.
    on_done : callable
        Called with both (3,) points when it is placed.
    on_end : callable
        Called when a caliper is cancelled or the tool put away.

    Attributes
    ----------
    active : bool
        Whether the left button places points.
    start : (3,) array or None
        The first point, while the second is being placed.
    """

    def __init__(
        self,
        view: ReadingView,
        *,
        on_move: Callable[[Array, Array], None],
        on_done: Callable[[Array, Array], None],
        on_end: Callable[[], None],
    ) -> None:
        self.view = view
        self.active = False
        self.start: Array | None = None
        self._on_move = on_move
        self._on_done = on_done
        self._on_end = on_end
        view.viewer.mouse_drag_callbacks.append(self._press)
        view.viewer.mouse_move_callbacks.append(self._hover)

    def set_active(self, active: bool) -> None:
        """Take the tool up or put it away."""
        self.active = active and self.view.volume is not None
        self.view.viewer.scene.camera.mouse_pan = not self.active
        self.view.viewer.cursor.style = "cross" if self.active else "standard"
        self.cancel()

    def cancel(self) -> bool:
        """Drop the first point; False where there is none."""
        pending, self.start = self.start is not None, None
        self._on_end()
        return pending

    def _press(self, viewer: Any, event: Any) -> Any:
        if not self.active or event.button != _LEFT_BUTTON or self.view.volume is None:
            return
        event.handled = True
        pressed_at = np.array(event.pos, dtype=np.float64)
        second_click = self.start is not None
        if not second_click:
            self.start = self.view.point(event)
        yield
        while event.type == "mouse_move":
            event.handled = True
            self._hover(viewer, event)
            yield
        # The release is the last point, however fast the mouse was.
        event.handled = True
        moved = np.hypot(*(np.array(event.pos) - pressed_at)) > CLICK_PX
        if self.start is not None and (moved or second_click):
            self._finish(self.view.point(event))

    def _hover(self, viewer: Any, event: Any) -> None:
        if self.active and self.start is not None and self.view.volume is not None:
            self._on_move(self.start, self.view.point(event))

    def _finish(self, end: Array) -> None:
        start = self.start
        # A double click leaves both points at one place: wait for another one.
        if start is None or np.array_equal(start, end):
            return
        self.start = None
        self._on_done(start, end)
