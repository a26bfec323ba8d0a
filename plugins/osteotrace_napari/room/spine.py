"""The Measure tab: levels named and confirmed, how the tool in hand measures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from osteotrace.findings import marked_volume
from osteotrace.protocol.entries import VertebraEntry
from osteotrace.session.level_labels import doubts

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.session import Levels
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room.reading_room import ReadingRoom

# What a vertebra is called, without and with a fracture.
_KINDS: Final = {False: "vertebra", True: "vcf"}


class Spine:
    """Shows the labelled levels and takes what is said of them."""

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room

    def connect(self) -> None:
        """Take what the Measure tab says."""
        room, tab = self._room, self._room.dock.measure
        room.pointer.on_prompt.append(self._prompted)
        tab.level_chosen.connect(self.choose)
        tab.snap_chosen.connect(self.snap)
        tab.angle_chosen.connect(self._angle)
        tab.said_of_vertebra.connect(self._say_of_vertebra)
        labels = tab.levels
        labels.label_asked.connect(partial(room.keyboard.press, "levels"))
        labels.named.connect(self._say("name"))
        labels.shifted.connect(self._say("shift"))
        labels.counted.connect(
            lambda counts: self._change(
                lambda volume: room.session.levels.count(volume, **counts)
            )
        )
        labels.removed.connect(self._remove)
        labels.confirmed.connect(self._confirm_shown)

    def show(self) -> None:
        """Show levels, the value being drawn and the selected finding."""
        room, tab = self._room, self._room.dock.measure
        tool, volume = room.pointer.tool, room.measured(room.view)
        vertebra = room.tool_box.vertebra
        if vertebra.follow(room.view) and tool is vertebra:
            room.pointer.show_prompt()
        tab.show_tool(tool)
        tab.show_snap(snapped=room.snapped)
        row = room.dock.findings.current_row
        tab.show_finding(None if row is None else row.finding)
        tab.show_vertebra(self._entry(), self._doubts())
        tab.show_levels(
            None if volume is None else room.session.levels.of(volume),
            chosen=vertebra.level,
            measured=self.measured(room.view),
            labelling=tool is not None and tool.name == "levels",
        )

    def _prompted(self) -> None:
        """Say in the tab, too, what is to be done next."""
        tool = self._room.pointer.tool
        self._room.dock.measure.prompt.setText("" if tool is None else tool.prompt)

    def show_labels(self) -> None:
        """Show the labels as they are now, where they are being made."""
        tool = self._room.pointer.tool
        if tool is not None and tool.name == "levels":
            tool.begin(self._room.view)
        self._room.pointer.show_prompt()

    def confirm(self, volume: Volume) -> bool:
        """Confirm the labels, put their tool away and say what comes next."""
        room = self._room
        if not room.ask(partial(room.session.levels.confirm, volume)):
            return False
        tool = room.tool_box.tools["levels"]
        if room.pointer.tool is tool:
            words = tool.prompt
            room.pointer.take_up(None)
        else:
            words = "Levels confirmed."
        room.say(words)
        room.refresh()
        return True

    def _confirm_shown(self) -> None:
        volume = self._room.measured(self._room.view)
        if volume is not None:
            self.confirm(volume)
        self._room.focus_canvas()

    def choose(self, level: str) -> None:
        """Measure a level next, and show where it was labelled."""
        room = self._room
        room.tool_box.vertebra.choose(level)
        if room.pointer.tool is not room.tool_box.vertebra:
            room.take_up("vertebra")
        levels = self._levels()
        point = None if levels is None else levels.point(level)
        if point is not None:
            room.view.go_to([point])
        room.pointer.show_prompt()
        self.show()
        room.focus_canvas()

    def snap(self, on: bool) -> None:
        """Let calipers move onto edges, or take them as drawn."""
        self._room.snapped = on
        words = "snap to edges" if on else "are taken as drawn"
        self._room.say(f"Calipers {words}.")
        self._room.pointer.show_prompt()
        self.show()

    def _angle(self, quantity: str) -> None:
        room = self._room
        room.tool_box.angle.quantity = quantity
        while room.tool_box.angle.cancel():
            pass
        room.pointer.show_prompt()
        room.focus_canvas()

    def _entry(self) -> VertebraEntry | None:
        """Return the entry of the selected finding, where it is a vertebra."""
        uid = self._room.dock.findings.current
        held = (one for one in self._room.session.held if one.uid == uid)
        entry = next((one.entry for one in held), None)
        return entry if isinstance(entry, VertebraEntry) else None

    def _doubts(self) -> list[str]:
        """Return what the labels say against the selected vertebra, as they are now."""
        room, entry = self._room, self._entry()
        volume = room.measured(room.view)
        if entry is None or volume is None or entry.points is None:
            return []
        if volume.frame_of_reference_uid != entry.frame_of_reference_uid:
            return []
        levels = room.session.levels.of(volume)
        return doubts(levels, entry.level, entry.points.values())

    def _say_of_vertebra(self, key: str, on: bool) -> None:
        """Say that the selected vertebra is fractured, or holds cement, or not."""
        room, uid, entry = self._room, self._room.dock.findings.current, self._entry()
        where: dict[str, Any] = {key: on}
        if key == "fractured" and entry is not None and entry.kind in _KINDS.values():
            where["kind"] = _KINDS[on]
        room.ask(partial(room.session.move, uid, **where))
        room.refresh(select=uid)

    def _levels(self) -> Levels | None:
        volume = self._room.measured(self._room.view)
        return None if volume is None else self._room.session.levels.of(volume)

    def measured(self, view: ReadingView) -> set[str]:
        """Return the levels that are measured on what a view shows."""
        volume = self._room.measured(view)
        return {
            one.entry.level.upper()
            for one in self._room.session.held
            if isinstance(one.entry, VertebraEntry)
            and volume is not None
            and marked_volume(one.finding, [volume]) is not None
        }

    def _say(self, what: str) -> Callable[..., None]:
        """Return what changes the levels by one of their methods."""

        def said(*words: Any) -> None:
            levels = self._room.session.levels
            self._change(lambda volume: getattr(levels, what)(volume, *words))

        return said

    def _remove(self, at: int) -> None:
        levels = self._levels()
        if levels is not None and 0 <= at < len(levels.labels):
            point = levels.labels[at].point
            self._change(lambda volume: self._room.session.levels.remove(volume, point))

    def _change(self, change: Callable[[Volume], Levels]) -> None:
        room = self._room
        volume = room.measured(room.view)
        if volume is not None and room.ask(lambda: change(volume)):
            room.say("")
        self.show_labels()
        room.refresh()
        room.focus_canvas()
