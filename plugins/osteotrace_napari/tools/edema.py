"""Marrow edema: a click into it, then a ball in normal marrow; it is grown from these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.protocol import Where
from osteotrace_napari.canvas.marks import Ball, Mark, Spot
from osteotrace_napari.tools.region import RADIUS_DECIMALS, radius_mm
from osteotrace_napari.tools.spans import Span
from osteotrace_napari.tools.tool import shares_space

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview, Record


class MarrowEdema(Span):
    """A seed in the edema, and a ball of normal marrow that it is told apart from.

    Parameters
    ----------
    preview, record : callable
        As every tool is given them.

    Attributes
    ----------
    seed : (x, y, z) or None
        The point in the edema, once it was placed.
    """

    name = "marrow_edema"

    def __init__(self, *, preview: Preview, record: Record) -> None:
        super().__init__(preview=preview)
        self.seed: Point | None = None
        self._seeded: ReadingView | None = None
        self._record = record

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        if self.seed is None:
            return "Marrow edema: click into it."
        if self.start is None:
            return "Marrow edema: now drag in normal marrow, from the middle of it."
        return "Normal marrow: how far it reaches."

    def pressed(self, view: ReadingView, point: Point) -> None:
        """Take the seed, or the middle of the ball in normal marrow."""
        if self._seeded is not None and not shares_space(self._seeded, view):
            self._forget()
        super().pressed(view, point)

    def released(self, view: ReadingView, point: Point, was_click: bool) -> None:
        """Place the seed where the button comes up, or end the ball."""
        if self.seed is not None:
            super().released(view, point, was_click)
        elif self.start is not None:
            self._drop()
            self.seed, self._seeded = point, view
            self._show()

    def cancel(self) -> bool:
        """Drop the ball that was begun, then the seed; False where there is none."""
        if super().cancel():
            self._show()
            return True
        pending = self.seed is not None
        self._forget()
        return pending

    def _following(self, view: ReadingView, start: Point, end: Point) -> None:
        radius = radius_mm(start, end)
        if self.seed is not None and radius > 0:
            ball = Ball(centre=start, radius=radius)
            self._show(ball, text=f"r {radius:.{RADIUS_DECIMALS}f} mm")

    def _finished(self, view: ReadingView, start: Point, end: Point) -> None:
        seed, radius = self.seed, radius_mm(start, end)
        if seed is None or radius <= 0:
            self._show()
            return
        # Growing takes a while: both stay to be seen until the finding is there.
        self._show(Ball(centre=start, radius=radius), text="marrow edema …")
        self.seed = self._seeded = None
        reference = Where(centre=start, radius=radius)
        self._record(self.name, view, seed=seed, reference=reference)

    def _show(self, *balls: Ball, text: str = "") -> None:
        if self.seed is not None:
            spots = (Spot(point=self.seed, label="edema"),)
            self._preview(Mark(spots=spots, balls=balls, text=text))

    def _forget(self) -> None:
        self.seed = self._seeded = None
        self._drop()
