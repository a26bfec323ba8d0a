"""A palatal defect: one click into the hole, or a drag from stump to stump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace_napari.canvas.marks import Mark, Spot, caliper_lines
from osteotrace_napari.tools.spans import Span

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview, Record


class PalatalDefect(Span):
    """A seed in the defect, or two rough points on its stumps.

    Parameters
    ----------
    preview, record : callable
        As every tool is given them.
    """

    name = "palatal_defect"

    def __init__(self, *, preview: Preview, record: Record) -> None:
        super().__init__(preview=preview)
        self._record = record

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        return "Palatal defect: click into the hole, or drag from stump to stump."

    def _clicked(self, view: ReadingView, point: Point) -> None:
        self._drop()
        # Measuring takes a while: the seed stays to be seen until its finding is there.
        self._preview(Mark(spots=(Spot(point=point),), text="palatal defect …"))
        self._record(self.name, view, seed=point)

    def _following(self, view: ReadingView, start: Point, end: Point) -> None:
        self._preview(Mark(lines=caliper_lines((start, end))))

    def _finished(self, view: ReadingView, start: Point, end: Point) -> None:
        self._record(self.name, view, start=start, end=end)
