"""What a caliper looks like on the canvas: its lines, its text, its colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.regions import extent
from osteotrace_napari import wording
from osteotrace_napari.colours import LIVE_COLOUR, STATE_COLOURS

if TYPE_CHECKING:
    from osteotrace.findings import Finding
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.regions import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One caliper to show.

    Parameters
    ----------
    uid : str
        Tracking UID of its finding; empty for the one being drawn.
    drawn, fitted : tuple of (x, y, z)
        The line as drawn, and the fitted line, empty where there is none; LPS mm.
    text : str
        What stands beside it.
    colour : str
        Of line and text.
    strong : bool
        Whether it is the selected one.
    """

    uid: str
    drawn: tuple[Point, ...]
    fitted: tuple[Point, ...]
    text: str
    colour: str
    strong: bool = False

    @property
    def points(self) -> tuple[Point, ...]:
        """The line that stands for the mark."""
        return self.fitted or self.drawn


def live_mark(reading: CaliperReading) -> Mark:
    """Return the mark of a caliper that is still being drawn."""
    return Mark(
        uid="",
        drawn=reading.drawn.points,
        fitted=() if reading.fitted is None else reading.fitted.points,
        text=wording.short(reading.measurements),
        colour=LIVE_COLOUR,
    )


def finding_mark(finding: Finding, *, strong: bool) -> Mark:
    """Return the mark of a recorded caliper; its value's own line comes first."""
    first = finding.regions[0]
    drawn = next((r for r in finding.regions if r.role == AS_DRAWN), first)
    return Mark(
        uid=finding.tracking_uid,
        drawn=extent(drawn),
        fitted=() if first.role == AS_DRAWN else extent(first),
        text=wording.value(finding),
        colour=STATE_COLOURS[wording.state(finding)],
        strong=strong,
    )
