"""Balls from centre to edge: sequestra, moth-eaten bone, gas, values, rims, cement.

Some take a second ball that the first is read beside, drawn with Shift held: the sound
side of moth-eaten bone, the airway of gas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.geometry import distance
from osteotrace.protocol import Where
from osteotrace_napari.canvas.marks import Ball, Mark
from osteotrace_napari.tools.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview, Record

# What is read beside the circle is what is recorded.
RADIUS_DECIMALS: Final = 1
# Held while a second ball is drawn.
SECOND: Final = "Shift"


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
    second : str
        Its key for the ball that is drawn with `SECOND` held; empty without one.
    second_title : str
        What that one is, in words.
    aim : str
        Where it is drawn, in words.
    """

    name: str
    title: str
    key: str = "region"
    second: str = ""
    second_title: str = ""
    aim: str = ""


REGIONS: Final = (
    Marked("sequestra", "Sequestra"),
    Marked(
        "moth_eaten",
        "Moth-eaten bone",
        second="reference",
        second_title="Reference",
        aim="on the sound side for a reference",
    ),
    Marked("gas", "Gas", second="airway", second_title="Airway", aim="in the airway"),
    Marked("intensity", "Values in a region"),
    Marked("sclerotic_rim", "Sclerotic rim of a lesion", "lesion"),
    Marked("periosteal_reaction", "Periosteal reaction"),
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
    complete : callable
        As ``record``, but what is marked belongs to the finding made last.
    modifiers : callable
        Returns the keys held with the mouse.
    """

    def __init__(
        self,
        marked: Marked,
        *,
        preview: Preview,
        record: Record,
        complete: Record,
        modifiers: Callable[[], frozenset[str]],
    ) -> None:
        super().__init__(preview=preview)
        self.marked = marked
        self.name = marked.name
        self._record = record
        self._complete = complete
        self._modifiers = modifiers
        self._is_second = False
        # A second ball has a finding that it belongs to.
        self._made = False

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        marked = self.marked
        if self.start is not None:
            title = marked.second_title if self._is_second else marked.title
            return f"{title}: how far it reaches."
        if self._made and marked.second:
            return f"{marked.title}: {SECOND} and drag {marked.aim}, or mark the next."
        return f"{marked.title}: drag from the middle to beyond its edge."

    def begin(self, view: ReadingView) -> None:
        """Wait for the first point of a new finding."""
        self._made = False

    def accepted(self) -> None:
        """Go on to a new finding."""
        self._made = False

    def pressed(self, view: ReadingView, point: Point) -> None:
        """Take the first point, of a second ball where its key is held, or the last."""
        if self.start is None:
            self._is_second = bool(self.marked.second) and SECOND in self._modifiers()
        super().pressed(view, point)

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
            if self._is_second:
                self._complete(self.name, view, **{self.marked.second: where})
            else:
                self._made = True
                self._record(self.name, view, **{self.marked.key: where})


def radius_mm(centre: Point, edge: Point) -> float:
    """Return the radius of a ball as it is shown and recorded."""
    return round(distance(centre, edge), RADIUS_DECIMALS)


def region_tools(
    *,
    preview: Preview,
    record: Record,
    complete: Record,
    modifiers: Callable[[], frozenset[str]],
) -> tuple[Region, ...]:
    """Return the tool of each of `REGIONS`."""
    return tuple(
        Region(
            each,
            preview=preview,
            record=record,
            complete=complete,
            modifiers=modifiers,
        )
        for each in REGIONS
    )
