"""Points placed one click after the other: what angles, landmarks and vertebrae share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace_napari.tools.tool import shares_space

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview


class Clicks:
    """Takes points where the button comes up: one that is held follows the mouse.

    Points may come from several views of one frame of reference; in another one they
    begin anew.

    Parameters
    ----------
    preview : callable
        Shows what is being drawn, or None.

    Attributes
    ----------
    points : list of (x, y, z)
        Those placed so far, LPS mm.
    """

    def __init__(self, *, preview: Preview) -> None:
        self.points: list[Point] = []
        self._preview = preview
        self._view: ReadingView | None = None

    def begin(self, view: ReadingView) -> None:
        """Wait for the first point."""

    def pressed(self, view: ReadingView, point: Point) -> None:
        """Show the point under the button."""
        if self._view is not None and not shares_space(self._view, view):
            self._clear()
        self.moved(view, point)

    def moved(self, view: ReadingView, point: Point) -> None:
        """Show the point that would be placed."""
        if self.points and self._view is not None and shares_space(self._view, view):
            self._preview(self._mark((*self.points, point)))

    def released(self, view: ReadingView, point: Point, was_click: bool) -> None:
        """Place a point, unless it lies where the last one does."""
        if self.points and point == self.points[-1]:
            return
        if not self.points:
            self._view = view
        self.points.append(point)
        self._placed()

    def cancel(self) -> bool:
        """Take the last point back; False where there is none."""
        if not self.points:
            self._preview(None)
            return False
        self.points.pop()
        self._show()
        return True

    def entered(self) -> bool:
        """Leave the Enter key to the finding in hand."""
        return False

    def accepted(self) -> None:
        """Stay in hand for the next one."""

    def _show(self) -> None:
        self._preview(self._mark(tuple(self.points)) if self.points else None)

    def _clear(self) -> None:
        self.points, self._view = [], None
        self._preview(None)

    def _placed(self) -> None:
        """A point was placed: show it, or hand over what is complete."""
        raise NotImplementedError

    def _mark(self, points: tuple[Point, ...]) -> Mark:
        raise NotImplementedError
