"""The mask in hand: what the brush asks, and what keys and panel say of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from osteotrace.errors import OsteotraceError
from osteotrace.segmentation import brush
from osteotrace_napari import keys
from osteotrace_napari.canvas.mask_values import around
from osteotrace_napari.room.mask_picture import MaskPicture
from osteotrace_napari.tools.mask import MaskBrush

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.regions import Point
    from osteotrace.session.marking import Prepared
    from osteotrace.session.mask_parts import Window
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room.reading_room import ReadingRoom


class Painting:
    """What the mask brush asks, and what is said of the mask in hand.

    Parameters
    ----------
    room : ReadingRoom

    Attributes
    ----------
    tool : MaskBrush
    picture : MaskPicture
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self.tool = MaskBrush(
            preview=room.marking.preview,
            painting=self,
            modifiers=lambda: room.pointer.modifiers,
        )
        self.picture = MaskPicture(room)
        # The mask in hand of each volume.
        self._uids: dict[tuple[str, int], str] = {}
        self._stroke: Window | None = None

    # What the brush asks -----------------------------------------------------------

    def why_not(self, view: ReadingView) -> str:
        """Return why nothing can be painted here; empty where it can."""
        volume = self._room.measured(view)
        if volume is None:
            return view.why_not_measured or "no series is shown"
        if view.shown is not volume:
            return "this plane is resampled; paint in the plane as it was scanned"
        return ""

    def is_begun(self, view: ReadingView) -> bool:
        """Tell whether a mask with a voxel in it is in hand here."""
        volume = self._room.measured(view)
        return volume is not None and self.uid(volume) in self._room.session.masks

    def recorded_as(self) -> str:
        """Return what the mask will be recorded as, in words."""
        volume = self._room.measured(self._room.view)
        uid = "" if volume is None else self.uid(volume)
        if uid and self._room.session.masks.is_finding(uid):
            return self._room.session.finding(uid).label
        return keys.command_of(self._panel.recorded_as).title

    def show_stroke(
        self, view: ReadingView, places: Sequence[Point], radius: float, *, erase: bool
    ) -> None:
        """Show what a stroke that goes on has touched last."""
        volume = self._room.measured(view)
        if volume is None:
            return
        axis = view.plane_view.order[0]
        touched = brush.disc(volume.grid, places, radius, axis=axis)
        if touched is not None:
            self.picture.stroke(volume, touched, erase=erase)
            self._stroke = around(self._stroke, touched.window)

    def drop_stroke(self, view: ReadingView) -> None:
        """Show the mask as it is."""
        volume, window, self._stroke = self._room.measured(view), self._stroke, None
        if volume is not None and window is not None:
            self.picture.touched(volume, window)

    def stroke(
        self, view: ReadingView, places: Sequence[Point], radius: float, *, erase: bool
    ) -> None:
        """Keep a stroke."""
        axis = view.plane_view.order[0]
        self._change(
            view,
            lambda uid, volume: self._room.session.masks.stroke(
                uid, volume, places, radius, axis=axis, erase=erase
            ),
        )
        self._stroke = None

    def grow(self, view: ReadingView, seed: Point) -> None:
        """Add what hangs together with a point, between the levels of the panel."""
        low, high = self._panel.levels
        self._change(
            view,
            lambda uid, volume: self._room.session.masks.grow(
                uid, volume, seed, low, high
            ),
        )

    def finish(self, view: ReadingView) -> None:
        """Have the mask measured beside the window, and recorded."""
        volume = self._room.measured(view)
        if volume is None:
            return
        uid, masks = self.uid(volume), self._room.session.masks
        tool = self._panel.recorded_as
        self._room.marking.measure(
            f"Measuring: {self.recorded_as()} …",
            partial(masks.prepare, uid, volume, tool),
            partial(self._finished, uid),
        )

    def _finished(self, uid: str, prepared: Prepared) -> None:
        record = partial(self._room.session.masks.record, uid)
        self._room.marking.take(prepared, record=record)
        self._told()

    # What the keys and the panel ask ---------------------------------------------------

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what each command of masks does."""
        return {
            "mask": partial(self._room.take_up, "mask"),
            "mask_larger": partial(self._resize, 1),
            "mask_smaller": partial(self._resize, -1),
            "mask_erase": self.toggle_erase,
            "mask_threshold": self.threshold,
            "mask_grow": self.wait_for_seed,
            "mask_interpolate": self.interpolate,
        }

    def connect(self) -> None:
        """Take what the mask panel says."""
        panel, press = self._panel, self._room.keyboard.press
        panel.asked.connect(press)
        panel.recorded.connect(self._record)
        panel.cleared.connect(self.clear)
        panel.taken_in_hand.connect(self.take_in_hand)
        panel.levels_asked.connect(self.bone_level)
        panel.kind_chosen.connect(lambda _: self._room.pointer.show_prompt())

    @property
    def _panel(self) -> Any:
        return self._room.dock.measure.masks

    def _resize(self, by: int) -> None:
        self.tool.resize(by)
        self._told()

    def toggle_erase(self) -> None:
        """Let a drag erase, or paint again."""
        self.tool.erases = not self.tool.erases
        self._told()

    def wait_for_seed(self) -> None:
        """Grow from the next click, or go back to the brush."""
        if self._room.pointer.tool is not self.tool:
            self._room.take_up("mask")
        self.tool.grows = not self.tool.grows
        self._told()

    def threshold(self) -> None:
        """Keep what lies between the levels of the panel in the mask in hand."""
        low, high = self._panel.levels
        self._change(
            self._room.view,
            lambda uid, volume: self._room.session.masks.threshold(
                uid, volume, low, high
            ),
        )

    def interpolate(self) -> None:
        """Fill the empty slices between painted ones of the plane shown."""
        view = self._room.view
        if view.volume is None:
            return
        axis = view.plane_view.order[0]
        self._change(
            view,
            lambda uid, volume: self._room.session.masks.interpolate(
                uid, volume, axis=axis
            ),
        )

    def clear(self) -> None:
        """Take every voxel out of the mask in hand."""
        self._change(
            self._room.view, lambda uid, volume: self._room.session.masks.clear(uid)
        )

    def take_in_hand(self) -> None:
        """Take the mask of the selected finding in hand."""
        room = self._room
        uid = room.dock.findings.current
        if not uid:
            room.say("Select a finding that was measured in a region first.")
            return
        found: list[str] = []
        if not room.ask(lambda: found.append(room.session.masks.begin_from(uid))):
            return
        volume = room.session.volume_of(room.session.finding(uid))
        self._uids[room.session.key_of(volume)] = found[0]
        if room.pointer.tool is not self.tool:
            room.take_up("mask")
        room.refresh(select=uid)

    def bone_level(self) -> None:
        """Propose the level that parts bone from soft tissue in the mask in hand."""
        from osteotrace.segmentation.thresholds import bone_threshold

        room = self._room
        volume = room.measured(room.view)
        if volume is None:
            return
        masks, uid = room.session.masks, self.uid(volume)
        found: list[Any] = []
        if room.ask(
            lambda: found.append(bone_threshold(volume, masks.mask(uid, volume)))
        ):
            self._panel.show_low(found[0].level)
            room.say(f"Bone from {found[0].level:.0f}: {found[0].definition}.")

    def _record(self) -> None:
        view = self._room.view
        if not self.is_begun(view):
            self._room.say("Nothing is painted yet.")
            return
        self.finish(view)

    # The mask in hand -------------------------------------------------------------------

    def uid(self, volume: Volume) -> str:
        """Return the UID of the mask in hand on a volume, or of the next one."""
        session = self._room.session
        try:
            key = session.key_of(volume)
        except OsteotraceError:
            return ""
        uid = self._uids.get(key, "")
        if uid in session.masks:
            return uid
        there = session.masks.on(volume)
        # A finding's mask that was taken back is not begun anew as that finding's.
        if there or not uid or session.masks.is_finding(uid):
            uid = there[-1] if there else session.masks.begin(volume)
        self._uids[key] = uid
        return uid

    def _change(self, view: ReadingView, change: Callable[[str, Volume], object]) -> None:
        """Change the mask in hand; a refusal is said, and nothing is changed."""
        room, why_not = self._room, self.why_not(view)
        volume = room.measured(view)
        if why_not or volume is None:
            room.say(f"Mask: {why_not}.", problem=True)
            return
        said = room.ask(lambda: change(self.uid(volume), volume))
        if said:
            room.say("")
        self.drop_stroke(view)
        room.refresh()
        self._told()

    def _told(self) -> None:
        self._panel.show_brush(self.tool)
        self._room.pointer.show_prompt()

    def show(self) -> None:
        """Show the masks of every view's volume, and the mask in hand in the panel."""
        room = self._room
        self.picture.show(self._in_hand)
        volume = room.measured(room.view)
        self._panel.show_brush(self.tool)
        self._panel.show_hand(
            is_begun=self.is_begun(room.view),
            unit="" if volume is None else volume.unit,
        )

    def _in_hand(self, volume: Volume) -> str:
        """Return the UID of the mask in hand of a volume; empty without one."""
        try:
            there = self._room.session.masks.on(volume)
        except OsteotraceError:
            return ""
        return self.uid(volume) if there else ""
