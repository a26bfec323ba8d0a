"""The value beside a line while the mouse moves it: quick at once, whole when it rests.

The line follows every move. A quick value is measured at the move where the last one took
no longer than since it was measured, else a moment later, so that measuring takes at most
half of the window's time. Once the mouse rests, the value comes with its uncertainty,
measured beside the window.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np
from qtpy.QtCore import QTimer

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import as_stored
from osteotrace_napari.canvas.marks import Mark, caliper_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.tool import Preview

# A mouse that has not moved for this long rests.
REST_MS: Final = 250
# How often it is looked whether the whole value is there.
_LOOK_MS: Final = 20
# Half of the line that is measured before there is one, mm.
_WARM_MM: Final = 5.0


class LiveValue:
    """Shows a caliper's value while its end is being placed.

    Parameters
    ----------
    measure : callable
        Of volume, start, end and ``quick``: returns the mark with its value; raises
        `OsteotraceError` where nothing can be measured. Touches no widget.
    preview : callable
        Shows a mark, or none.
    """

    def __init__(
        self,
        measure: Callable[[Volume, Point, Point, bool], Mark],
        preview: Preview,
    ) -> None:
        self._measure = measure
        self._preview = preview
        self._line: tuple[Volume, Point, Point] | None = None
        self._text = ""
        self._ready_at = 0.0
        self._soon = _single_shot(self._quick)
        self._rest = _single_shot(self._whole)
        self._look = QTimer()
        self._look.setInterval(_LOOK_MS)
        self._look.timeout.connect(self._looked)
        self._threads: ThreadPoolExecutor | None = None
        self._coming: Future[Mark] | None = None
        self._of: tuple[Volume, Point, Point] | None = None

    def begin(self, view: ReadingView) -> None:
        """Measure once beside the window: the first time in an image takes longest."""
        if view.volume is None or self._coming is not None:
            return
        middle = view.volume.grid.to_patient((np.array(view.volume.grid.shape) - 1) / 2)
        half = np.array([0.0, _WARM_MM, 0.0])
        start, end = as_stored(middle - half), as_stored(middle + half)
        self._thread().submit(self._marked, view.volume, start, end, True)

    def follow(self, view: ReadingView, start: Point, end: Point) -> None:
        """Show the line now, and its value as soon as there is time."""
        if view.volume is None:
            return
        self._line = (view.volume, start, end)
        self._rest.start(REST_MS)
        wait = self._ready_at - perf_counter()
        if wait <= 0:
            self._quick()
            return
        self._preview(Mark(lines=caliper_lines((start, end)), text=self._text))
        if not self._soon.isActive():
            self._soon.start(max(1, round(1000 * wait)))

    def stop(self) -> None:
        """Forget the line; a value that is still being measured is not shown."""
        self._line, self._text = None, ""
        for timer in (self._soon, self._rest, self._look):
            timer.stop()

    def _quick(self) -> None:
        if self._line is None:
            return
        began = perf_counter()
        mark = self._marked(*self._line, True)
        now = perf_counter()
        self._ready_at = now + (now - began)
        self._text = mark.text
        self._preview(mark)

    def _whole(self) -> None:
        """Measure the line at rest, unless one before it is still being measured."""
        if self._line is None:
            return
        if self._coming is None:
            self._of = self._line
            self._coming = self._thread().submit(self._marked, *self._line, False)
        self._look.start()

    def _thread(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, "osteotrace live value")
        return self._threads

    def _looked(self) -> None:
        if self._coming is None or not self._coming.done():
            return
        mark, self._coming = self._coming.result(), None
        self._look.stop()
        if self._of == self._line and self._line is not None:
            self._preview(mark)
        elif self._line is not None:
            self._rest.start(REST_MS)

    def _marked(self, volume: Volume, start: Point, end: Point, quick: bool) -> Mark:
        try:
            return self._measure(volume, start, end, quick)
        except OsteotraceError as problem:
            return Mark(lines=caliper_lines((start, end)), text=problem.found)


def _single_shot(call: Callable[[], None]) -> QTimer:
    timer = QTimer()
    timer.setSingleShot(True)
    timer.timeout.connect(call)
    return timer
