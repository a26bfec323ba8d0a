"""A vertebra by six clicks: prompts that advance by themselves, level after level.

The points go once around the body. After the sixth the finding is recorded and the next
level is chosen; accepting it takes the view there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.vertebra import marking
from osteotrace.measurements.vertebra.levels import checked
from osteotrace.session.level_labels import doubts
from osteotrace.session.levels import column
from osteotrace_napari import keys
from osteotrace_napari.canvas.marks import DRAWN_WIDTH_PX, Line, Mark, Spot
from osteotrace_napari.tools.clicks import Clicks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from osteotrace.regions import Point
    from osteotrace.session.levels import Levels
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview, Record

# As a reader names the places, and the letters beside the points.
_WORDS: Final = {
    "superior_anterior": ("anterior superior corner", "as"),
    "superior_middle": ("middle of the superior endplate", "ms"),
    "superior_posterior": ("posterior superior corner", "ps"),
    "inferior_posterior": ("posterior inferior corner", "pi"),
    "inferior_middle": ("middle of the inferior endplate", "mi"),
    "inferior_anterior": ("anterior inferior corner", "ai"),
}
_MEASURED: Final = "measured already; delete its finding, or choose another level"


def _none(view: ReadingView) -> Collection[str]:
    return ()


class Vertebra(Clicks):
    """Six points a vertebra.

    Parameters
    ----------
    preview, record : callable
        As every tool is given them.
    levels : callable
        Of a view: the labels of what it shows, None without any.
    measured : callable
        Of a view: the levels that are measured on what it shows; each is measured once.

    Attributes
    ----------
    level : str
        What the vertebra is called; empty until one is chosen.
    downwards : bool
        Whether the reader goes towards the feet.
    """

    name = "vertebra"

    def __init__(
        self,
        *,
        preview: Preview,
        record: Record,
        levels: Callable[[ReadingView], Levels | None],
        measured: Callable[[ReadingView], Collection[str]] = _none,
    ) -> None:
        super().__init__(preview=preview)
        self.level = ""
        self.downwards = True
        self._record = record
        self._levels = levels
        self._measured = measured
        self._warning = ""
        self._last = ""
        self._made_on: ReadingView | None = None
        # Where the level was labelled: its name may change.
        self._label: Point | None = None

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        if not self.level:
            key = keys.key_of("levels")
            return (
                f"Vertebra: label the levels ({key}), or choose one in the Measure tab."
            )
        if self._warning:
            esc = keys.key_of("cancel")
            back = f"; {esc} takes the last point back" if self.points else ""
            return f"{self.level}: {self._warning}{back}."
        place, _ = _WORDS[marking.ORDER[len(self.points)]]
        return f"{self.level}: {place}, {len(self.points) + 1} of {len(marking.ORDER)}"

    def choose(self, level: str) -> None:
        """Measure this level next; points of another one are dropped."""
        self._clear()
        self.level, self._label = level.strip().upper(), None
        order = column(13, 6)
        if self._last in order and self.level in order and self.level != self._last:
            self.downwards = order.index(self.level) > order.index(self._last)

    def begin(self, view: ReadingView) -> None:
        """Choose the uppermost labelled level to be measured, where none is chosen."""
        self.follow(view)
        if not self.level:
            self.level = self._uppermost(view)
            self._keep_label(view)
        self._point_out(view)

    def follow(self, view: ReadingView) -> bool:
        """Call the level as its label is called now; tell whether it changed.

        Where its label is gone it is the uppermost that is left.
        """
        before, levels = self.level, self._levels(view)
        if self._label is not None and view.volume is not None:
            labels = () if levels is None else levels.labels
            names = {label.point: label.level for label in labels}
            if not names.get(self._label):
                self._clear()
            self.level = names.get(self._label) or self._uppermost(view)
        self._keep_label(view)
        return self.level != before

    def _uppermost(self, view: ReadingView) -> str:
        levels, done = self._levels(view), self._measured(view)
        names = () if levels is None else levels.names
        return next((x for x in names if x not in done and _has_body(x)), "")

    def _keep_label(self, view: ReadingView) -> None:
        levels = self._levels(view) if self.level else None
        self._label = None if levels is None else levels.point(self.level)

    def moved(self, view: ReadingView, point: Point) -> None:
        """Show the point that would be placed; none beyond the sixth."""
        if not self.points:
            self._point_out(view)
        elif len(self.points) < len(marking.ORDER):
            super().moved(view, point)

    def released(self, view: ReadingView, point: Point, was_click: bool) -> None:
        """Place a point of the chosen level."""
        if self.level and self.level in self._measured(view):
            self._warning = _MEASURED
        elif self.level and len(self.points) < len(marking.ORDER):
            super().released(view, point, was_click)

    def cancel(self) -> bool:
        """Take the last point back; False where there is none."""
        taken = super().cancel()
        self._warning = self._mixed_up()
        return taken

    def accepted(self) -> None:
        """Take the view to the level that comes next."""
        view = self._made_on
        levels = None if view is None else self._levels(view)
        point = None if levels is None else levels.point(self.level)
        if view is not None and point is not None:
            view.go_to([point])
            self._point_out(view)

    def _point_out(self, view: ReadingView) -> None:
        """Show where the level to be measured was labelled."""
        levels = self._levels(view)
        point = None if levels is None else levels.point(self.level)
        if point is not None:
            self._preview(Mark(spots=(Spot(point=point, label=self.level),)))

    def _placed(self) -> None:
        self._warning = self._mixed_up()
        view = self._view
        assert view is not None
        if len(self.points) < len(marking.ORDER) or self._warning:
            self._show()
            return
        points, level = dict(self._named(self.points)), self.level
        said = doubts(self._levels(view), level, self.points)
        self._made_on = view
        self._clear()
        self._advance(view)
        self._record(self.name, view, level=level, points=points, note="; ".join(said))

    def _advance(self, view: ReadingView) -> None:
        """Choose the next level to be measured in the direction the reader goes."""
        done = {*self._measured(view), self.level}
        self._last, beside = self.level, self.level
        while beside in done:
            beside = self._beside(beside, self._levels(view))
        self.level = beside if _has_body(beside) else ""
        self._keep_label(view)

    def _beside(self, level: str, levels: Levels | None) -> str:
        """Return the level next to another one; empty at the end."""
        if levels is not None and level in levels.names:
            return levels.beside(level, downwards=self.downwards)
        names = column()
        at = names.index(level) + (1 if self.downwards else -1) if level in names else -1
        return names[at] if 0 <= at < len(names) else ""

    def _clear(self) -> None:
        super()._clear()
        self._warning = ""

    def _mixed_up(self) -> str:
        volume = None if self._view is None else self._view.volume
        return marking.mixed_up(dict(self._named(self.points)), volume)

    def _named(self, points: Sequence[Point]) -> list[tuple[str, Point]]:
        return list(zip(marking.ORDER, points, strict=False))

    def _mark(self, points: tuple[Point, ...]) -> Mark:
        named = dict(self._named(points))
        pairs = [
            (named[f"superior_{where}"], named[f"inferior_{where}"])
            for where in ("posterior", "middle", "anterior")
            if f"inferior_{where}" in named
        ]
        heights = marking.heights_as_marked(named)
        return Mark(
            lines=tuple(Line(points=pair, width=DRAWN_WIDTH_PX) for pair in pairs),
            spots=tuple(
                Spot(point=point, label=_WORDS[name][1]) for name, point in named.items()
            ),
            text=self._said(heights),
        )

    def _said(self, heights: dict[str, float]) -> str:
        values = "  ".join(f"{where} {mm:.1f}" for where, mm in heights.items())
        return f"{self.level}  {values} mm" if values else self.level


def _has_body(level: str) -> bool:
    """Tell whether a level has a body with two endplates to measure."""
    try:
        checked(level)
    except OsteotraceError:
        return False
    return True
