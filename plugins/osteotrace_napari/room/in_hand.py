"""The tools a reader can take in hand, and what each of them is given to work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import NotMeasured
from osteotrace_napari.canvas.marks import live_mark
from osteotrace_napari.tools.angle import Angle
from osteotrace_napari.tools.caliper import Caliper, soft_tissue_gap
from osteotrace_napari.tools.edema import MarrowEdema
from osteotrace_napari.tools.landmarks import Landmarks
from osteotrace_napari.tools.levels import LabelLevels
from osteotrace_napari.tools.live import LiveValue
from osteotrace_napari.tools.palatal import PalatalDefect
from osteotrace_napari.tools.region import region_tools
from osteotrace_napari.tools.vertebra import Vertebra
from osteotrace_napari.wording import amount

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace.session import Levels
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room.reading_room import ReadingRoom
    from osteotrace_napari.tools.tool import Tool


class ToolBox:
    """Every tool, by its command.

    Parameters
    ----------
    room : ReadingRoom
        What tools show, ask and hand over goes through it.

    Attributes
    ----------
    tools : dict of str to Tool
    live : LiveValue
        The value beside the caliper under the mouse.
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        preview, record = room.marking.preview, room.marking.record
        self.live = LiveValue(self._live_mark, preview)
        self.vertebra = Vertebra(
            preview=preview,
            record=record,
            levels=self.levels,
            measured=self._room.spine.measured,
        )
        self.angle = Angle(preview=preview, record=record, value=self._angle)
        tools: tuple[Tool, ...] = (
            Caliper(
                preview=preview,
                record=record,
                live=self.live,
                snapped=lambda: room.snapped,
            ),
            soft_tissue_gap(preview=preview, record=record),
            PalatalDefect(preview=preview, record=record),
            *region_tools(
                preview=preview,
                record=record,
                complete=room.marking.complete,
                modifiers=lambda: room.pointer.modifiers,
            ),
            MarrowEdema(preview=preview, record=record),
            self.angle,
            Landmarks(preview=preview, plane=room.opening.show_plane),
            LabelLevels(preview=preview, labelling=self),
            self.vertebra,
            room.painting.tool,
        )
        self.tools = {tool.name: tool for tool in tools}

    def _live_mark(self, volume: Volume, start: Point, end: Point, quick: bool) -> Mark:
        reading = self._room.session.caliper(
            volume, start, end, snap=self._room.snapped, quick=quick
        )
        return live_mark(reading)

    def _angle(self, view: ReadingView, **where: Any) -> str:
        assert view.volume is not None
        try:
            (finding,) = self._room.session.measure("angle", view.volume, **where)
        except OsteotraceError:
            return ""
        first = finding.measurements[0]
        return "" if isinstance(first, NotMeasured) else amount(first)

    # What the labelling of levels asks ----------------------------------------------

    def levels(self, view: ReadingView) -> Levels | None:
        """Return the labels of what a view shows, None without any."""
        return None if view.volume is None else self._room.session.levels.of(view.volume)

    def add(self, view: ReadingView, point: Point) -> None:
        """Label one more vertebral body."""
        volume = view.volume
        if volume is not None:
            self._room.ask(lambda: self._room.session.levels.add(volume, point))
            self._room.refresh()

    def confirm(self, view: ReadingView) -> bool:
        """Confirm the labels and put their tool away; what is missing is said."""
        return view.volume is not None and self._room.spine.confirm(view.volume)
