"""From marks to findings: recorded, moved, accepted, deleted, shown and jumped to."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.findings import shares_space
from osteotrace.protocol import TABLES
from osteotrace.protocol.entries import CaliperEntry
from osteotrace.regions import extent
from osteotrace_napari import keys, wording
from osteotrace_napari.canvas.marks import Mark, finding_mark, proposed
from osteotrace_napari.tools import grips
from osteotrace_napari.tools.tool import shares_space as views_share_space

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.findings import Finding
    from osteotrace.protocol import Entry
    from osteotrace.regions import Point
    from osteotrace.session import Held
    from osteotrace.session.marking import Prepared
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room.reading_room import ReadingRoom
    from osteotrace_napari.tools.grips import Grip

# What is measured while the reader waits: some hundredths of a second.
AT_ONCE: Final = frozenset({"caliper", "angle", "vertebra", "soft_tissue_gap"})
# What is measured well enough to be accepted unseen.
_SOUND: Final = (wording.ACCEPTED, wording.STATED)


class Marking:
    """What tools hand over, and what the reader does with findings."""

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        # The finding that Enter accepts: the one made or chosen last.
        self._latest = ""
        # Whether a mark was handed over since, and is measured beside the window.
        self._awaits = False
        # The finding that was recorded by the last mark; empty where it was refused.
        self._taken = ""
        self._dragged: tuple[str, str] = ("", "")

    # Recording -------------------------------------------------------------------

    def preview(self, mark: Mark | None) -> None:
        """Show what is being drawn in every view of its space, or nothing."""
        first = self._room.pointer.view
        for view in self._room.views:
            seen = mark is not None and (first is None or views_share_space(first, view))
            view.show_preview(mark if seen else None)
        self._room.dock.measure.show_live(mark)

    def record(self, tool: str, view: ReadingView, **where: Any) -> None:
        """Measure what was marked, beside the window where it takes long; record it."""
        volume = self._room.measured(view)
        if volume is None:
            return
        said = {**self._room.templates.said(tool), **where}
        work = partial(self._room.session.prepare, tool, volume, **said)
        if tool in AT_ONCE:
            self._awaits = False
            prepared: list[Prepared] = []
            if self._room.ask(lambda: prepared.append(work())):
                self.take(prepared[0])
            self._measured()
            return
        self.measure(f"Measuring: {keys.command_of(tool).title} …", work)

    def measure(
        self,
        words: str,
        work: Callable[[], Prepared],
        take: Callable[[Prepared], object] | None = None,
    ) -> None:
        """Measure a mark beside the window; Enter waits for it."""
        self._awaits = True
        self._room.background.start(
            words,
            work,
            take or self.take,
            failed=lambda _: self._measured(),
            marks=True,
        )

    def complete(self, tool: str, view: ReadingView, **where: Any) -> None:
        """Measure the finding made or chosen last again, with more of it marked."""
        one = self._led_by(self._latest)
        volume = self._room.measured(view)
        title = keys.command_of(tool).title
        if volume is None:
            return
        if (
            one is None
            or type(one.entry) is not TABLES[tool]
            or not _is_marked_in(one.entry, volume)
        ):
            self._measured()
            self._room.say(
                f"No {title} is in hand: mark it, or choose one, then go on.",
                problem=True,
            )
            return
        work = partial(self._room.session.prepare_move, one.uid, **where)
        self.measure(f"Measuring {one.finding.label} …", work)

    def take(
        self,
        prepared: Prepared,
        record: Callable[[Prepared], tuple[Finding, ...]] | None = None,
    ) -> None:
        """Record what was measured, perhaps in a way of its own, and say its value."""
        found: list[Finding] = []
        record = record or self._room.session.record
        self._taken = ""
        if not self._room.ask(lambda: found.extend(record(prepared))):
            self._measured()
            return
        self._measured()
        first = found[0]
        self._taken = self._latest = first.tracking_uid
        sound = wording.state(first) in _SOUND
        words = wording.value(first) if sound else wording.sentence(first.measurements)
        accept = keys.key_of("accept")
        self._room.say(
            f"{first.label}: {words}.  {accept} accepts it.", problem=not sound
        )
        self._room.refresh(select=first.tracking_uid)

    def _measured(self) -> None:
        """Take the mark in hand off the canvas: its finding is there, or refused."""
        tool = self._room.pointer.tool
        if tool is None or getattr(tool, "start", None) is None:
            self.preview(None)

    # Showing ---------------------------------------------------------------------

    def show(self) -> None:
        """Show the marks of the reading in every view."""
        chosen = self._room.dock.findings.current
        held = [one for one in self._room.session.held if one.finding.regions]
        if self._dragged[0]:
            held = [one for one in held if one.uid != self._dragged[0]]
        for view in self._room.views:
            if view.volume is not None:
                view.show_marks(_marks(held, view.volume, chosen))

    def jump(self, uid: str, *, loaded: bool = False) -> None:
        """Go to a finding, loading its series where it is another one."""
        session, finding = self._room.session, self._room.session.finding(uid)
        self._hold(uid)
        self._room.dock.findings.select(uid)
        points = _reach(finding)
        if not points:
            self.show()
            return
        header = session.header_of(finding)
        if header is None:
            self._room.say("The images of this finding are not in the opened folder.")
            return
        views = [view for view in self._room.views if _is_seen(finding, view)]
        if not views and loaded:
            self._room.say("The images of this finding are not where it was marked.")
            return
        if not views:
            self._room.opening.load(header, then=partial(self.jump, uid, loaded=True))
            return
        self._room.arrangement.crosshair.move_to(np.mean(points, axis=0).tolist())
        for view in views:
            view.go_to(points)
        self.show()

    def step(self, by: int) -> None:
        """Go to the next (1) or previous (-1) finding."""
        uid = self._room.dock.findings.step(by)
        if uid:
            self.jump(uid)

    # What the reader says --------------------------------------------------------

    def edit(self, uid: str, field: str, value: str) -> None:
        """Change what is said of a finding; the next one of its kind starts from it."""
        said: dict[str, Any] = {field: value}
        change = partial(self._room.session.edit_finding, uid, **said)
        if self._room.ask(change):
            self._room.templates.remember(self._room.session.held_finding(uid))
            self._room.refresh()

    def absent(self, kind: str, site: str, laterality: str) -> None:
        """Record what was looked for and is not there; it is stated, so accepted."""
        made: list[Finding] = []
        state = partial(self._room.session.absent, accepted=True)
        if self._room.ask(lambda: made.append(state(kind, site, laterality))):  # type: ignore[arg-type]
            self._hold(made[0].tracking_uid)
            self._room.say(f"{made[0].label} accepted: looked for and absent.")
            self._room.refresh(select=self._latest)

    def accept(self) -> None:
        """Accept the finding in hand, once it is measured; its tool goes on."""
        if self._room.pointer.entered():
            return
        if self._awaits and self._room.background.then(self._accept_taken):
            self._room.say("It is accepted as soon as it is measured.")
            return
        self._accept(self._to_accept())

    def _accept_taken(self) -> None:
        """Accept what was measured meanwhile, where there is a value to accept."""
        one = self._led_by(self._taken)
        if one is not None and wording.state(one.finding) in _SOUND:
            self._accept(one)

    def _accept(self, one: Held | None) -> None:
        if one is None:
            self._room.say("Nothing waits to be accepted.")
            return
        if self._room.ask(partial(self._room.session.accept, one.uid)):
            self._room.say(f"{one.finding.label} accepted.")
            self._room.refresh(select=one.uid)
            self._room.pointer.accepted()

    def _to_accept(self) -> Held | None:
        """Return the draft that is selected, or the one made last."""
        drafts = {x.uid: x for x in self._room.session.held if not x.accepted}
        for uid in (self._room.dock.findings.current, self._latest):
            if uid in drafts:
                one = drafts[uid]
                return drafts.get(one.leader, one)
        return next((x for x in reversed(drafts.values()) if not x.leader), None)

    def delete(self) -> None:
        """Delete the selected finding; undo brings it back."""
        uid = self._room.dock.findings.current
        if uid and self._room.ask(partial(self._room.session.delete_finding, uid)):
            self._room.say(f"Deleted; {keys.key_of('undo')} brings it back.")
            self._room.refresh()

    def choose(self, uid: str) -> None:
        """Choose the finding whose mark was clicked."""
        self._hold(uid)
        self._room.dock.findings.select(uid)
        self._room.dock.tabs.setCurrentWidget(self._room.dock.findings)
        self.show()

    # Points of marks that are dragged ----------------------------------------------

    def grips(self, view: ReadingView) -> Sequence[Grip]:
        """Return what can be moved of the chosen mark in a view."""
        one = self._chosen()
        if one is None or one.entry is None or view.volume is None:
            return ()
        if self._room.measured(view) is None:
            return ()
        if not shares_space(one.finding, _marked(one.finding), view.volume):
            return ()
        return grips.grips_of(one.entry)

    def drag(self, grip: Grip, view: ReadingView, point: Point) -> None:
        """Show a mark as it would be with a point elsewhere."""
        one = self._chosen()
        if one is None or one.entry is None:
            return
        if self._dragged[0] != one.uid:
            self._dragged = (
                one.uid,
                view.volume.identity.series_uid if view.volume else "",
            )
            self.show()
        where = grips.moved(one.entry, grip, point)
        if isinstance(one.entry, CaliperEntry):
            ends = (where.get(key, getattr(one.entry, key)) for key in ("start", "end"))
            self._room.tool_box.live.follow(view, *ends)
        else:
            self.preview(grips.mark_of(one.entry, where))

    def drop(self, grip: Grip, view: ReadingView, point: Point) -> None:
        """Measure a mark with a point moved."""
        one = self._chosen()
        self.let_go()
        if one is None or one.entry is None:
            return
        where = grips.moved(one.entry, grip, point)
        work = partial(self._room.session.prepare_move, one.uid, **where)
        self.measure(f"Measuring {one.finding.label} …", work)

    def let_go(self) -> None:
        """Leave a mark as it was."""
        self._dragged = ("", "")
        self._room.tool_box.live.stop()
        self.preview(None)
        self.show()

    def _hold(self, uid: str) -> None:
        """Let Enter accept a finding: the one made or chosen last."""
        self._latest, self._awaits = uid, False

    def _chosen(self) -> Held | None:
        return self._led_by(self._room.dock.findings.current)

    def _led_by(self, uid: str) -> Held | None:
        """Return a held finding, or the one that it is a part of."""
        held = {one.uid: one for one in self._room.session.held}
        one = held.get(uid)
        return None if one is None else held.get(one.leader, one)


def _marked(finding: Finding) -> Any:
    return finding.regions[0]


def _is_marked_in(entry: Entry, volume: Volume) -> bool:
    frame = volume.frame_of_reference_uid
    return bool(frame) and entry.frame_of_reference_uid == frame


def _is_seen(finding: Finding, view: ReadingView) -> bool:
    volume = view.volume
    return volume is not None and shares_space(finding, _marked(finding), volume)


def _reach(finding: Finding) -> tuple[Point, ...]:
    return extent(finding.regions[0]) if finding.regions else ()


def _marks(held: Sequence[Held], volume: Volume, chosen: str) -> list[Mark]:
    return [
        _with_balls(finding_mark(one.finding, strong=one.uid == chosen), one)
        for one in held
        if shares_space(one.finding, one.finding.regions[0], volume)
    ]


def _with_balls(mark: Mark, one: Held) -> Mark:
    """Return a mark with the balls that its finding was looked for in, as it stands."""
    if one.registration and not one.accepted:
        # It was carried here, and waits for the reader.
        mark = proposed(mark)
    balls = () if one.entry is None else grips.mark_of(one.entry).balls
    return replace(mark, balls=balls, box=()) if balls else mark
