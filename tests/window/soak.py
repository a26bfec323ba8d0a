"""A long reading in the real window, in a process of its own; prints what it weighed.

Slices are changed and painted; findings are made, edited, undone, redone and deleted, so
that the reading is as large at the end as it was at the beginning.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_BYTES: Final = 4096
PATIENCE_S: Final = 120.0
# The beginning fills caches and is not weighed.
WARM_UP_SHARE: Final = 0.2
# Every other step there and back, through the middle slices.
SPAN: Final = 40


class LongReading:
    """The window with a study open.

    Parameters
    ----------
    study : Path
    ends : (start, end)
        LPS mm, of a line that can be measured.
    """

    def __init__(self, study: Path, ends: tuple[list[float], list[float]]) -> None:
        import napari

        from osteotrace_napari.window import reading_room

        self.viewer = napari.Viewer(title="osteotrace", show_welcome_screen=False)
        self.room = reading_room(self.viewer)
        self.ends = ends
        self.painted = 0
        self.room.opening.open(study)
        self.wait(lambda: self.view.volume is not None and not self.room.busy)
        canvas = self.view.qt_viewer.canvas._scene_canvas
        canvas.events.draw.connect(self._paint)

    @property
    def view(self) -> Any:
        """The canvas that is read."""
        return self.room.arrangement.main

    def _paint(self, event: Any) -> None:
        self.painted += 1

    def wait(self, done: Callable[[], bool]) -> None:
        """Let the window live until something has happened."""
        from qtpy.QtWidgets import QApplication

        give_up = time.monotonic() + PATIENCE_S
        while not done():
            QApplication.processEvents()
            if time.monotonic() > give_up:
                sys.exit("the window does not follow")

    def change_slice(self, n: int) -> None:
        """Show another slice, and see it painted."""
        before, first = self.painted, self.view.slice_count // 2 - SPAN // 2
        target = first + (n % SPAN if n // SPAN % 2 == 0 else SPAN - 1 - n % SPAN)
        if target == self.view.slice_index:
            target -= 1
        self.view.go_to_slice(target)
        self.wait(lambda: self.painted > before)

    def make_finding(self, n: int) -> None:
        """Make a finding, edit it, take all of it back and do it again; delete it."""
        session, (start, end) = self.room.session, self.ends
        before = len(session.held)
        self.room.marking.record(
            "caliper",
            self.view,
            start=tuple(start),
            end=(end[0], end[1], end[2] + 0.01 * (n % 50)),
        )
        self.wait(lambda: len(session.held) == before + 1 and not self.room.busy)
        uid = session.held[-1].uid
        self.room.marking.edit(uid, "note", f"note {n}")
        for command in ("undo", "undo", "redo", "redo"):
            self.room.press(command)
        self.wait(lambda: len(session.held) == before + 1)
        assert session.finding(uid).note == f"note {n}"
        session.delete_finding(uid)
        self.room.refresh()
        self.wait(lambda: len(session.held) == before)

    def weight(self) -> dict[str, Any]:
        """Return the megabytes in memory and how many objects of which type live."""
        from qtpy.QtWidgets import QApplication

        QApplication.processEvents()
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        kinds = Counter(type(each).__qualname__ for each in gc.get_objects())
        return {
            "megabytes": pages * PAGE_BYTES / 1e6,
            "objects": sum(kinds.values()),
            "kinds": dict(kinds),
        }


def grown(before: dict[str, int], after: dict[str, int]) -> list[tuple[str, int]]:
    """Return the types that most objects were added of."""
    more = ((kind, count - before.get(kind, 0)) for kind, count in after.items())
    return list(islice(sorted(more, key=lambda each: -each[1]), 12))


def main() -> None:
    """Read for as long as told; print the weight after the warm-up and at the end."""
    study, ends, slices, findings = sys.argv[1:]
    reading = LongReading(Path(study), json.loads(ends))
    counts = {reading.make_finding: int(findings), reading.change_slice: int(slices)}
    for step, count in counts.items():
        for n in range(int(np.ceil(count * WARM_UP_SHARE))):
            step(n)
    first = reading.weight()
    for step, count in counts.items():
        for n in range(count):
            step(n)
    last = reading.weight()
    more = grown(first.pop("kinds"), last.pop("kinds"))
    sys.stdout.write(json.dumps({"first": first, "last": last, "more": more}) + "\n")
    reading.viewer.close()


if __name__ == "__main__":
    main()
