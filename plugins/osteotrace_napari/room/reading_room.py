"""The reading room itself: what belongs to it, and what every part asks of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from osteotrace.errors import OsteotraceError
from osteotrace.session import Session
from osteotrace_napari import wording
from osteotrace_napari.canvas.arrangement import Arrangement
from osteotrace_napari.canvas.windows import FIRST_KEY, first_of
from osteotrace_napari.closing import Closing
from osteotrace_napari.keyboard import Keyboard
from osteotrace_napari.panels.finding_rows import FindingRow, PriorValue
from osteotrace_napari.panels.study_drag import SeriesDrop
from osteotrace_napari.room.archive import ArchiveAsking
from osteotrace_napari.room.background import Background
from osteotrace_napari.room.blinded import Blinded
from osteotrace_napari.room.commands import commands_of
from osteotrace_napari.room.comparing import Comparing
from osteotrace_napari.room.following import Following
from osteotrace_napari.room.helping import Helping
from osteotrace_napari.room.in_hand import ToolBox
from osteotrace_napari.room.keeping import TIME_OF_DAY, Keeping
from osteotrace_napari.room.label_files import LabelFiles
from osteotrace_napari.room.marking import Marking
from osteotrace_napari.room.more import More
from osteotrace_napari.room.opening import Opening
from osteotrace_napari.room.painting import Painting
from osteotrace_napari.room.spine import Spine
from osteotrace_napari.room.staging import Staging
from osteotrace_napari.templates import Templates
from osteotrace_napari.tools.pointer import Pointer

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.panels.reading_dock import ReadingDock

# Tools whose choices stand in the Measure tab.
IN_MEASURE_TAB: Final = frozenset({"levels", "vertebra", "angle", "mask"})


class ReadingRoom:
    """A session with its canvases and its dock.

    Parameters
    ----------
    viewer : napari.Viewer
    dock : ReadingDock
    session : Session, optional
        A new one by default.

    Attributes
    ----------
    arrangement : Arrangement
        The canvases.
    snapped : bool
        Whether calipers move onto edges.
    """

    def __init__(
        self, viewer: Any, dock: ReadingDock, session: Session | None = None
    ) -> None:
        self.viewer, self.dock = viewer, dock
        self.session = Session() if session is None else session
        self.snapped = True
        self.templates = Templates(self._study)
        self.helping = Helping(self)
        self.background = Background(dock)
        self.arrangement = Arrangement(viewer)
        self.blinded = Blinded(self)
        self.arrangement.on_made.append(self.blinded.watch)
        self.blinded.watch(self.arrangement.main)
        self.opening = Opening(self)
        self.marking = Marking(self)
        self.keeping = Keeping(self)
        self.spine = Spine(self)
        self.staging = Staging(self)
        self.comparing = Comparing(self)
        self.archive = ArchiveAsking(self)
        self.following = Following(self)
        self.pointer = Pointer(self.marking)
        self.painting = Painting(self)
        self.label_files = LabelFiles(self)
        self.tool_box = ToolBox(self)
        self.keyboard = Keyboard(
            commands_of(self),
            parent=dock,
            before=dock.findings.commit,
            leave=self.focus_canvas,
        )
        self.keyboard.watch_window(viewer.window._qt_window)
        self.keyboard.watch_panel(dock)
        dock.findings.tools.offer(self.keyboard.commands)
        self.more = More(self)
        self.arrangement.on_views.append(self._views_changed)
        self.arrangement.comparing.on_change.append(self._compared)
        self._views_changed()
        self._connect()
        self.refresh()

    # What is there ---------------------------------------------------------------

    @property
    def views(self) -> tuple[ReadingView, ...]:
        """The canvases that are shown."""
        return self.arrangement.views

    @property
    def view(self) -> ReadingView:
        """The canvas that was used last."""
        used = self.arrangement.current
        return used if used in self.views else self.arrangement.main

    def measured(self, view: ReadingView) -> Volume | None:
        """Return the volume that marks in a view measure: never a resampled one."""
        return None if view.why_not_measured else view.volume

    @property
    def busy(self) -> bool:
        """Whether something is being done beside the window."""
        return self.background.busy

    # Saying and asking --------------------------------------------------------------

    def say(self, words: str, *, problem: bool = False) -> None:
        """Say one thing below the tabs."""
        self.dock.say(words, problem=problem)

    def ask(self, question: Callable[[], object]) -> bool:
        """Ask the session; a refusal is said and False returned."""
        try:
            question()
        except OsteotraceError as problem:
            self.say(wording.refusal(problem), problem=True)
            return False
        return True

    def refresh(self, *, select: str = "") -> None:
        """Show the session as it is."""
        session = self.session
        self.dock.findings.show_findings(self._rows(), select=select)
        count = len([x for x in session.held if not x.leader])
        self.dock.show_draft(
            f"{count} finding{'' if count == 1 else 's'}  ·  {self._when()}",
            undo=session.can_undo,
            redo=session.can_redo,
            save=any(x.accepted for x in session.held)
            or bool(session.statements.stated.facts),
        )
        self.marking.show()
        self.painting.show()
        self.label_files.show()
        self.staging.show()
        self.comparing.show()
        self.archive.show()
        self.blinded.show()
        self.show_state()

    def _study(self) -> str:
        """Return the study that is read, empty before one is."""
        start = self.session.draft.start
        return "" if start is None else start.study_uid

    def _when(self) -> str:
        """Say when the last change was put on disk, or that a record holds them all."""
        draft = self.session.draft
        if draft.last_record is not None and not draft.is_changed:
            return f"saved {draft.last_record.at[TIME_OF_DAY]}"
        last = draft.last_saved
        return f"draft {last[TIME_OF_DAY]}" if last else "no change yet"

    def _rows(self) -> list[FindingRow]:
        priors = self.session.priors.all() if self.session.held else {}
        rows = []
        for one in self.session.held:
            prior = priors.get(one.uid)
            rows.append(
                FindingRow(
                    finding=one.finding,
                    accepted=one.accepted,
                    saved=one in self.session.draft.saved,
                    leader=one.leader,
                    prior=None
                    if prior is None
                    else PriorValue(
                        value=prior.value,
                        date=prior.date,
                        verdict=prior.verdict,
                        sentence=prior.as_text,
                        proposed=prior.matched == "proposed",
                    ),
                )
            )
        return rows

    # The views ---------------------------------------------------------------------

    def _views_changed(self) -> None:
        """Attach pointer and keys to the canvases that came."""
        for view in self.views:
            self.pointer.attach(view)
            if view is not self.arrangement.main and view.qt_viewer is not None:
                self.keyboard.watch_viewer(view.qt_viewer)
            if self.show_view not in view.on_window:
                SeriesDrop(
                    view.qt_viewer.canvas.native,
                    self.dock.study.headers,
                    partial(self.opening.dropped, view),
                )
                view.on_window.append(self.show_view)
        self.marking.show()

    def _compared(self) -> None:
        """Follow a change of how two studies are compared."""
        if self.pointer.tool is not None and self.measured(self.view) is None:
            self.pointer.take_up(None)
        if self.view.volume is not None:
            self.offer_windows()
        self.refresh()

    @property
    def first_window(self) -> int:
        """Number of the preset that what is shown opens with.

        As the reader set it, or else as the series is read.
        """
        header = self.opening.header
        if header is None:
            return 0
        wanted = self.helping.settings.first_window(header.identity.modality)
        return wanted or first_of(header.identity)

    def offer_windows(self) -> None:
        """Offer the presets of what is shown."""
        header = self.opening.header
        modality = "" if header is None else header.identity.modality
        self.dock.controls.setEnabled(True)
        self.dock.controls.offer_windows(
            self.view.presets, first_key=FIRST_KEY.get(modality, 1)
        )

    def show_state(self) -> None:
        """Show which tool is in hand, and what is seen."""
        tool = self.pointer.tool
        self.dock.findings.show_tool("" if tool is None else tool.name)
        self.spine.show()
        self.show_view()

    def show_view(self) -> None:
        """Show which plane, window and arrangement are on."""
        view = self.view
        if view.volume is None:
            self.dock.controls.setEnabled(view.image is not None)
            return
        self.dock.controls.show_state(
            plane=view.plane_view.plane,
            window=view.window.name,
            linked=self.arrangement.is_linked,
            beside=self.arrangement.beside is not None
            or self.arrangement.comparing.is_on,
        )

    def take_up(self, name: str) -> None:
        """Take a tool in hand; the one in hand is put away."""
        tool = self.tool_box.tools.get(name)
        in_hand = self.pointer.tool
        if self.measured(self.view) is None:
            why = self.view.why_not_measured or "no series is shown"
            self.say(f"Nothing can be measured here: {why}.", problem=True)
        elif tool is not None:
            self.pointer.take_up(None if tool is in_hand else tool)
            self.say("" if self.pointer.tool is None else tool.prompt)
            if self.pointer.tool is not None and name in IN_MEASURE_TAB:
                self.dock.tabs.setCurrentWidget(self.dock.measure)
        self.show_state()

    def focus_canvas(self) -> None:
        """Give the keys to the canvas."""
        self.view.qt_viewer.canvas.native.setFocus()

    # Wiring -----------------------------------------------------------------------

    def _connect(self) -> None:
        dock, press = self.dock, self.press
        dock.open_folder.clicked.connect(self.opening.ask_folder)
        dock.controls.window_chosen.connect(self.set_window)
        dock.controls.plane_chosen.connect(press)
        dock.controls.linked_toggled.connect(lambda _: press("linked_views"))
        dock.controls.beside_toggled.connect(lambda _: press("side_by_side"))
        dock.controls.slab_chosen.connect(self.set_slab)
        dock.study.is_busy = lambda: self.busy
        dock.study.chosen.connect(self.opening.load)
        dock.study.beside.connect(self.opening.open_beside)
        dock.study.role_chosen.connect(self.opening.give_role)
        findings = dock.findings
        findings.selected.connect(self.marking.jump)
        findings.chosen.connect(lambda _: self.marking.show())
        findings.chosen.connect(lambda _: self.spine.show())
        findings.edited.connect(self.marking.edit)
        findings.tool_chosen.connect(press)
        findings.asked.connect(press)
        findings.absent_stated.connect(self.marking.absent)
        findings.left.connect(self.focus_canvas)
        self.spine.connect()
        self.staging.connect()
        self.comparing.connect()
        self.archive.connect()
        self.following.connect()
        self.painting.connect()
        self.label_files.connect()
        for made, name in ((dock.undo, "undo"), (dock.redo, "redo"), (dock.save, "save")):
            made.clicked.connect(partial(self.press, name))
        dock.recovery.begun_anew.connect(self.keeping.begin_anew)
        window = self.viewer.window._qt_window
        self._closing = Closing(window, self.close)
        # However it goes: the reading must not be taken for a crash.
        window.destroyed.connect(self.session.close)

    def close(self) -> None:
        """End the reading with its window: what still runs comes back to nothing."""
        self.background.close()
        self.comparing.close()
        self.archive.close()
        self.session.close()

    def press(self, name: str, *_: object) -> None:
        """Do a command as if its key were pressed."""
        self.keyboard.press(name)

    def set_window(self, number: int) -> None:
        """Show the window preset of a number."""
        if 0 <= number < len(self.view.presets):
            self.view.set_window(self.view.presets[number])

    def set_slab(self, mm: float, mode: str) -> None:
        """Show a slab of some mm in every view."""
        for view in self.views:
            view.set_slab(mm, mode)
        self.dock.controls.show_slab(mm, mode)
        self.show_state()
