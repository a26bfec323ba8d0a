"""Balls from centre to edge: sequestra, moth-eaten bone, gas, values, rims, edema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.geometry import distance
from osteotrace.protocol import Where
from osteotrace_napari.canvas.marks import Ball, Mark
from osteotrace_napari.tools.spans import Span

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview, Record

# What is read beside the circle is what is recorded.
RADIUS_DECIMALS: Final = 1


@dataclass(frozen=True, slots=True)
class Marked:
    """What a ball stands for.

    Parameters
    ----------
    name : str
        Key of `osteotrace.protocol.entries.TABLES`.
    title : str
        What the reader marks, in words.
    key : str
        The entry's key for the ball.
    """

    name: str
    title: str
    key: str = "region"


REGIONS: Final = (
    Marked("sequestra", "Sequestra"),
    Marked("moth_eaten", "Moth-eaten bone"),
    Marked("gas", "Gas"),
    Marked("intensity", "Values in a region"),
    Marked("sclerotic_rim", "Sclerotic rim of a lesion", "lesion"),
    Marked("periosteal_reaction", "Periosteal reaction"),
    Marked("marrow_edema", "Marrow edema", "edema"),
    Marked("cement", "Bone cement"),
)


class Region(Span):
    """A ball around what is looked for.

    Parameters
    ----------
    marked : Marked
        One of `REGIONS`.
    preview, record : callable
        As every tool is given them.
    """

    def __init__(self, marked: Marked, *, preview: Preview, record: Record) -> None:
        super().__init__(preview=preview)
        self.marked = marked
        self.name = marked.name
        self._record = record

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        if self.start is not None:
            return f"{self.marked.title}: how far it reaches."
        return f"{self.marked.title}: drag from the middle to beyond its edge."

    def _following(self, view: ReadingView, start: Point, end: Point) -> None:
        radius = radius_mm(start, end)
        if radius > 0:
            ball = Ball(centre=start, radius=radius)
            text = f"r {radius:.{RADIUS_DECIMALS}f} mm"
            self._preview(Mark(balls=(ball,), text=text))

    def _finished(self, view: ReadingView, start: Point, end: Point) -> None:
        radius = radius_mm(start, end)
        if radius > 0:
            where = Where(centre=start, radius=radius)
            self._record(self.name, view, **{self.marked.key: where})


def radius_mm(centre: Point, edge: Point) -> float:
    """Return the radius of a ball as it is shown and recorded."""
    return round(distance(centre, edge), RADIUS_DECIMALS)


def region_tools(*, preview: Preview, record: Record) -> tuple[Region, ...]:
    """Return the tool of each of `REGIONS`."""
    return tuple(Region(each, preview=preview, record=record) for each in REGIONS)
