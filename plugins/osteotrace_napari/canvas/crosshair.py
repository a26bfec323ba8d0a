"""One patient point that linked views share: scrolling one moves it in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace_napari.canvas import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView

_LEFT_BUTTON: Final = 1


class Crosshair:
    """Keeps views at one patient point, LPS mm.

    Attributes
    ----------
    point : (x, y, z) or None
        Where the views are; None where nothing is shown.
    active : bool
        Whether a click or drag of the left button moves it; Shift and a move always do.
    on_move : list of callable
        Called without arguments after the point moved.
    """

    def __init__(self) -> None:
        self.point: Point | None = None
        self.active = False
        self.on_move: list[Callable[[], None]] = []
        self._views: tuple[ReadingView, ...] = ()
        self._known: dict[ReadingView, Callable[[], None]] = {}
        self._moving = False

    def link(self, views: Sequence[ReadingView]) -> None:
        """Link these views and no others; the first one says where they start."""
        for view in self._views:
            if view not in views:
                view.show_crosshair(None)
        for view in views:
            if view not in self._known:
                self._listen(view)
        self._views = tuple(views)
        if self._views:
            self._scrolled(self._views[0])

    def release(self) -> None:
        """Forget every view."""
        self.link(())
        for view, call in self._known.items():
            view.on_slice.remove(call)
        self._known.clear()

    def move_to(
        self, point: Sequence[float], *, source: ReadingView | None = None
    ) -> None:
        """Bring every linked view to a point; the source stays where it is."""
        x, y, z = (float(each) for each in point)
        self.point, self._moving = (x, y, z), True
        try:
            for view in self._linked(source):
                if view is not source:
                    view.go_to([self.point])
                view.show_crosshair(self.point if len(self._views) > 1 else None)
        finally:
            self._moving = False
        for call in self.on_move:
            call()

    def _listen(self, view: ReadingView) -> None:
        def scrolled() -> None:
            self._scrolled(view)

        def moved(viewer: Any, event: Any) -> None:
            if "Shift" in event.modifiers and not event.is_dragging:
                self._point_at(view, event)

        def pressed(viewer: Any, event: Any) -> Iterator[None]:
            if not self.active or event.button != _LEFT_BUTTON or event.handled:
                return
            while event.type in ("mouse_press", "mouse_move"):
                event.handled = True
                self._point_at(view, event)
                yield

        self._known[view] = scrolled
        view.on_slice.append(scrolled)
        view.viewer.mouse_move_callbacks.append(moved)
        view.viewer.mouse_drag_callbacks.append(pressed)

    def _point_at(self, view: ReadingView, event: Any) -> None:
        if view in self._views and view.volume is not None:
            self.move_to(view.point(event).tolist(), source=view)

    def _scrolled(self, view: ReadingView) -> None:
        """Follow a view: the point keeps its place in the plane and takes the slice."""
        if self._moving or view not in self._views or view.volume is None:
            return
        grid, axis = view.grid, view.plane_view.order[0]
        if self.point is None:
            index = (np.array(grid.shape) - 1) / 2
        else:
            index = np.clip(grid.to_index(self.point), 0, np.array(grid.shape) - 1)
        index[axis] = view.slice_index
        self.move_to(grid.to_patient(index).tolist(), source=view)

    def _linked(self, source: ReadingView | None) -> Iterator[ReadingView]:
        """Yield the linked views that lie in the space of the source."""
        for view in self._views:
            if view.volume is not None and (
                source is None or layers.share_space(source.volume, view.volume)
            ):
                yield view
