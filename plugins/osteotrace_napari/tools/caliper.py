"""Lines between two points: the caliper with its live value, the soft-tissue gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from osteotrace_napari.canvas.marks import Mark, caliper_lines
from osteotrace_napari.tools.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.regions import Point
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview, Record


class Live(Protocol):
    """Shows a line with its value while its end is being placed."""

    def begin(self, view: ReadingView) -> None:
        """Get ready to measure on what a view shows."""
        ...

    def follow(self, view: ReadingView, start: Point, end: Point) -> None:
        """Show the line, and its value as soon as it is known."""
        ...

    def stop(self) -> None:
        """Forget the line."""
        ...


class Caliper(Span):
    """A length from edge to edge.

    Parameters
    ----------
    preview, record : callable
        As every tool is given them.
    live : Live
        Shows the line and its value under the mouse.
    snapped : callable
        Tells whether the ends move onto edges, or the line is measured as drawn.
    """

    name = "caliper"

    def __init__(
        self, *, preview: Preview, record: Record, live: Live, snapped: Callable[[], bool]
    ) -> None:
        super().__init__(preview=preview)
        self._record = record
        self._live = live
        self._snapped = snapped

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        if self.start is not None:
            return "Caliper: the other edge."
        how = "snaps to edges" if self._snapped() else "as drawn"
        return f"Caliper ({how}): drag from edge to edge, or click one and the other."

    def begin(self, view: ReadingView) -> None:
        """Wait for the first point."""
        self._live.begin(view)

    def _following(self, view: ReadingView, start: Point, end: Point) -> None:
        self._live.follow(view, start, end)

    def _finished(self, view: ReadingView, start: Point, end: Point) -> None:
        self._record(self.name, view, start=start, end=end, snap=self._snapped())

    def _drop(self) -> None:
        self._live.stop()
        super()._drop()


class Gap(Span):
    """A line whose value comes when it is drawn, such as a soft-tissue gap.

    Parameters
    ----------
    name : str
        An entry with ``start`` and ``end``.
    prompt : str
        What is to be done.
    more : mapping of str to object
        Further keys of the entry.
    """

    def __init__(
        self, name: str, prompt: str, *, preview: Preview, record: Record, **more: Any
    ) -> None:
        super().__init__(preview=preview)
        self.name = name
        self._prompt = prompt
        self._record = record
        self._more = more

    @property
    def prompt(self) -> str:
        """What is to be done next."""
        return self._prompt

    def _following(self, view: ReadingView, start: Point, end: Point) -> None:
        self._preview(Mark(lines=caliper_lines((start, end))))

    def _finished(self, view: ReadingView, start: Point, end: Point) -> None:
        self._record(self.name, view, start=start, end=end, **self._more)


def soft_tissue_gap(*, preview: Preview, record: Record) -> Gap:
    """Return the tool of `osteotrace.protocol.entries.SoftTissueGapEntry`."""
    return Gap(
        "soft_tissue_gap",
        "Soft-tissue gap: drag from one margin to the other.",
        preview=preview,
        record=record,
    )
