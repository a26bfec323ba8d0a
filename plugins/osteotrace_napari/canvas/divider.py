"""The divider of a swipe under the mouse: taken hold of, dragged, and let go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.canvas.overlaying import Swipe
    from osteotrace_napari.canvas.view import ReadingView

# A divider is taken hold of from this many pixels away.
HOLD_PX: Final = 9.0
_LEFT_BUTTON: Final = 1


class DividerDrag:
    """Lets the left button drag the divider of a view.

    Parameters
    ----------
    view : ReadingView
    swipe : callable
        Returns the swipe that it shows, or None.
    put : callable
        Takes where the divider is to stand, 0 (left) to 1 (right).
    """

    def __init__(
        self,
        view: ReadingView,
        swipe: Callable[[], Swipe | None],
        put: Callable[[float], None],
    ) -> None:
        self._view, self._swipe, self._put = view, swipe, put
        # Before pointer and camera: near the divider, the drag is its own.
        view.viewer.mouse_drag_callbacks.insert(0, self._drag)
        view.viewer.mouse_move_callbacks.append(self._hover)
        self._hovered = False

    def _near(self, event: Any) -> bool:
        scene = self._view.scene()
        if scene is None or scene.divider is None:
            return False
        return abs(float(event.pos[0]) - scene.divider.x) <= HOLD_PX

    def _hover(self, viewer: Any, event: Any) -> None:
        """Show by the mouse's arrow what can be taken hold of."""
        near = self._swipe() is not None and self._near(event)
        if near != self._hovered:
            self._hovered = near
            viewer.cursor.style = "pointing" if near else "standard"

    def _drag(self, viewer: Any, event: Any) -> Any:
        swipe = self._swipe()
        if swipe is None or event.button != _LEFT_BUTTON or not self._near(event):
            return
        event.handled = True
        yield
        while event.type == "mouse_move":
            event.handled = True
            view = self._view
            index = view.grid.to_index(view.point(event))[swipe.axis]
            self._put(swipe.share_at(float(index)))
            yield
        event.handled = True
