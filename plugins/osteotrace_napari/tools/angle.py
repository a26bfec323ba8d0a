"""An angle: three clicks with the vertex second, or both ends of two lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace_napari.canvas.marks import Line, Mark, Spot
from osteotrace_napari.tools.clicks import Clicks

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.regions import Point
    from osteotrace_napari.tools.tool import Preview, Record

ARMS: Final = ("start", "vertex", "end")
LINES: Final = ("first_start", "first_end", "second_start", "second_end")
# Three points make an angle at a vertex; every other quantity is one between two lines.
AT_VERTEX: Final = "angle"


class Angle(Clicks):
    """An angle from three or four points.

    Parameters
    ----------
    preview, record : callable
        As every tool is given them.
    value : callable
        Of view and keys of the entry: returns the value in words, for the eye.

    Attributes
    ----------
    quantity : str
        One of `osteotrace.measurements.angle.ANGLES`.
    """

    name = "angle"

    def __init__(
        self, *, preview: Preview, record: Record, value: Callable[..., str]
    ) -> None:
        super().__init__(preview=preview)
        self.quantity = AT_VERTEX
        self._record = record
        self._value = value

    @property
    def keys(self) -> tuple[str, ...]:
        """The entry's keys, in the order of the clicks."""
        return ARMS if self.quantity == AT_VERTEX else LINES

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        name = self.quantity.replace("_", " ").capitalize()
        key = self.keys[len(self.points)].replace("_", " line, ")
        words = {"start": "end of the first arm", "end": "end of the second arm"}
        return (
            f"{name}: {words.get(key, key)}, {len(self.points) + 1} of {len(self.keys)}"
        )

    def use(self, quantity: str) -> None:
        """Measure another angle from now on."""
        self._clear()
        self.quantity = quantity

    def _placed(self) -> None:
        if len(self.points) < len(self.keys):
            self._show()
            return
        view, where = self._view, dict(zip(self.keys, self.points, strict=True))
        assert view is not None
        self._clear()
        self._record(self.name, view, quantity=self.quantity, **where)

    def _mark(self, points: tuple[Point, ...]) -> Mark:
        text = ""
        if len(points) == len(self.keys) and self._view is not None:
            where = dict(zip(self.keys, points, strict=True))
            text = self._value(self._view, quantity=self.quantity, **where)
        if self.keys is ARMS:
            parts = [points] if len(points) > 1 else []
        else:
            parts = [pair for pair in (points[:2], points[2:]) if len(pair) == 2]
        return Mark(
            lines=tuple(Line(points=part) for part in parts),
            spots=tuple(Spot(point=point) for point in points),
            text=text,
        )
