"""Two points by one drag, or by click and click: what lines and balls have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace_napari.tools.tool import shares_space

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview


class Span:
    """Takes a first and a last point; what they mean is the tool's.

    The last point is where the button came up, however fast the mouse was. A click leaves
    the first point, and the next click is the last. Points may come from two views of one
    frame of reference.

    Parameters
    ----------
    preview : callable
        Shows what is being drawn, or None.

    Attributes
    ----------
    start : (x, y, z) or None
        The first point while the last is being placed.
    """

    def __init__(self, *, preview: Preview) -> None:
        self.start: Point | None = None
        self._preview = preview
        self._view: ReadingView | None = None
        self._second = False

    def begin(self, view: ReadingView) -> None:
        """Wait for the first point."""

    def pressed(self, view: ReadingView, point: Point) -> None:
        """Take the first point, or begin the click that gives the last."""
        if self._view is not None and not shares_space(self._view, view):
            self._drop()
        self._second = self.start is not None
        if self.start is None:
            self.start, self._view = point, view

    def moved(self, view: ReadingView, point: Point) -> None:
        """Follow the mouse with the last point."""
        if self.start is None or self._view is None or point == self.start:
            return
        if shares_space(self._view, view):
            self._following(self._view, self.start, point)

    def released(self, view: ReadingView, point: Point, was_click: bool) -> None:
        """Take the last point, unless this was the click of the first."""
        start, first = self.start, self._view
        if start is None or first is None or not shares_space(first, view):
            return
        if was_click and not self._second:
            self._clicked(first, start)
        # A click where the first one was is a slip of the hand: wait for another one.
        elif point != start:
            self._drop()
            self._finished(first, start, point)

    def cancel(self) -> bool:
        """Drop the first point; False where there is none."""
        pending = self.start is not None
        self._drop()
        return pending

    def entered(self) -> bool:
        """Leave the Enter key to the finding in hand."""
        return False

    def accepted(self) -> None:
        """Stay in hand for the next one."""

    def _drop(self) -> None:
        self.start, self._view, self._second = None, None, False
        self._preview(None)

    def _clicked(self, view: ReadingView, point: Point) -> None:
        """The first point was a click: the last one comes later."""

    def _following(self, view: ReadingView, start: Point, end: Point) -> None:
        raise NotImplementedError

    def _finished(self, view: ReadingView, start: Point, end: Point) -> None:
        raise NotImplementedError
