"""One patient point that linked views share: scrolling one moves it in the others.

Views of two studies share it through a link, which knows where a place of one lies in the
other. A change in one view moves the others once; what they do then moves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace_napari.canvas import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from osteotrace.regions import Point
    from osteotrace_napari.canvas.linking import Link, LinkName
    from osteotrace_napari.canvas.view import ReadingView

_LEFT_BUTTON: Final = 1


class Crosshair:
    """Keeps views at one patient point, LPS mm.

    Attributes
    ----------
    point : (x, y, z) or None
        Where the views are, in the space of the first one; None where nothing is shown.
    active : bool
        Whether a click or drag of the left button moves it; Shift and a move always do.
    on_move : list of callable
        Called without arguments after the point moved.
    """

    def __init__(self) -> None:
        self.point: Point | None = None
        self.active = False
        self.on_move: list[Callable[[], None]] = []
        self._link: Link | None = None
        self._views: tuple[ReadingView, ...] = ()
        # Where views are that do not follow the first one.
        self._at: dict[ReadingView, Point] = {}
        self._known: dict[ReadingView, Callable[[], None]] = {}
        self._moving = False

    def link(self, views: Sequence[ReadingView], through: Link | None = None) -> None:
        """Link these views and no others; the first one says where they start.

        Parameters
        ----------
        views : sequence of ReadingView
        through : Link, optional
            Joins two studies; without one, views of one space share the point as it is.
        """
        self._link, self._at = through, {}
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
        """Bring every linked view to a point; the source stays where it is.

        Parameters
        ----------
        point : (x, y, z)
            LPS mm in the space of the source, of the first view without one.
        source : ReadingView, optional
        """
        x, y, z = (float(each) for each in point)
        if not self._views:
            self.point = (x, y, z)
        first = self._views[:1] if source is None else (source,)
        self._moving = True
        try:
            # The others follow the slice that the first one then shows.
            for view in (*first, *(v for v in self._views if v not in first)):
                self._bring(view, (x, y, z), source)
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

    def place_in(self, view: ReadingView) -> Point | None:
        """Return where a view is, LPS mm of its own space."""
        return self._at.get(view)

    def _bring(self, view: ReadingView, point: Point, source: ReadingView | None) -> None:
        """Bring one view to where a point of the source lies in it."""
        place = self._across(view, point, source)
        moves = source is None or view is source or self._is_on("slices")
        if place is not None and moves:
            self._at[view] = place
            if view is self._views[0]:
                self.point = place
            if view is not source:
                view.go_to([self._on_slice(view, point, source) or place])
        is_seen = len(self._views) > 1 or self._link is not None
        is_own = view is (source or self._views[0])
        if is_own or self._link is None or self._is_on("cursor"):
            if place is not None:
                view.show_crosshair(place if is_seen else None)
        else:
            view.show_crosshair(None)

    def _across(
        self, view: ReadingView, point: Point, source: ReadingView | None
    ) -> Point | None:
        """Return where a point of the source lies in a view; None where unknown."""
        start = source or self._views[0]
        if view is start:
            return None if view.volume is None else point
        if start.volume is None or view.volume is None:
            return None
        if self._link is not None:
            return self._link.across(point, start.volume, view.volume)
        share = source is None or layers.share_space(start.volume, view.volume)
        return point if share else None

    def _on_slice(
        self, view: ReadingView, point: Point, source: ReadingView | None
    ) -> Point | None:
        """Return where a point lies in a view once it is on the slice the source shows.

        Two studies seen on one lattice show the same slice of it, also where a point lies
        midway between two; None for views that are not.
        """
        start = source or self._views[0]
        if view is start or start.lattice is None or start.lattice is not view.lattice:
            return None
        index = start.grid.to_index(point)
        index[start.plane_view.order[0]] = start.slice_index
        x, y, z = start.grid.to_patient(index).tolist()
        return self._across(view, (x, y, z), source)

    def _is_on(self, name: LinkName) -> bool:
        return self._link is None or self._link.is_on(name)

    def _scrolled(self, view: ReadingView) -> None:
        """Follow a view: the point keeps its place in the plane and takes the slice."""
        if self._moving or view not in self._views or view.volume is None:
            return
        grid, axis = view.grid, view.plane_view.order[0]
        place = self._at.get(view, self.point if view is self._views[0] else None)
        if place is None:
            index = (np.array(grid.shape) - 1) / 2
        else:
            index = np.clip(grid.to_index(place), 0, np.array(grid.shape) - 1)
        index[axis] = view.slice_index
        self.move_to(grid.to_patient(index).tolist(), source=view)
