"""Three landmarks that a plane is laid through: the midsagittal plane of the palate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace_napari.canvas.marks import Line, Mark, Spot
from osteotrace_napari.tools.clicks import Clicks

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview

COUNT: Final = 3


class Landmarks(Clicks):
    """Three points for a plane.

    Parameters
    ----------
    preview : callable
        As every tool is given it.
    plane : callable
        Takes the view and the three points, LPS mm.
    """

    name = "landmarks"

    def __init__(
        self,
        *,
        preview: Preview,
        plane: Callable[[ReadingView, tuple[Point, ...]], None],
    ) -> None:
        super().__init__(preview=preview)
        self._plane = plane

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        done = len(self.points)
        return (
            f"Plane through three landmarks: {done + 1} of {COUNT}, far from each other; "
            "for the midsagittal plane three points of the midline"
        )

    def _placed(self) -> None:
        if len(self.points) < COUNT:
            self._show()
            return
        view, points = self._view, tuple(self.points)
        assert view is not None
        self._clear()
        self._plane(view, points)

    def _mark(self, points: tuple[Point, ...]) -> Mark:
        outline = (Line(points=points, closed=True),) if len(points) > 1 else ()
        spots = tuple(
            Spot(point=point, label=str(n)) for n, point in enumerate(points, start=1)
        )
        return Mark(lines=outline, spots=spots)
