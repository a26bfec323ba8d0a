"""The Compare tab and the canvas: two studies beside each other, matched and followed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtWidgets import QFileDialog

from osteotrace.errors import OsteotraceError
from osteotrace.session.comparing.showing import compare_sheet
from osteotrace_napari import loading, wording
from osteotrace_napari.canvas.linking import LINKS, Pair
from osteotrace_napari.canvas.marks import finding_mark
from osteotrace_napari.panels.compare_studies import SeenTogether
from osteotrace_napari.room.following import is_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.series import VolumeHeader
    from osteotrace.session.comparing.aligned_series import Aligned
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.compared_displays import CompareMode
    from osteotrace_napari.canvas.linking import LinkName
    from osteotrace_napari.panels.compare import CompareTab
    from osteotrace_napari.room.reading_room import ReadingRoom

    Progress = Callable[[int, int], None]

NOT_YET: Final = "they are being aligned, or were not yet"


class Comparing:
    """Shows the session's comparison, and hands over what the reader says of it.

    Parameters
    ----------
    room : ReadingRoom
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        # Whether the reader wants both on the canvas: they may still be loading.
        self._wanted = False
        # The alignment at work: the reading goes on beside it.
        self._job: loading.Job | None = None

    @property
    def _tab(self) -> CompareTab:
        return self._room.dock.compare

    @property
    def is_on(self) -> bool:
        """Whether two studies are compared on the canvas."""
        return self._room.arrangement.comparing.is_on

    def connect(self) -> None:
        """Take what the Compare tab says."""
        tab, view = self._tab, self._room.arrangement.comparing
        head = tab.studies
        head.pair_chosen.connect(self.choose)
        head.study_wanted.connect(self.ask_study)
        head.align_asked.connect(self.align)
        head.stop_asked.connect(self.stop)
        head.shown.connect(lambda on: self.show_both() if on else self.end())
        head.mode_chosen.connect(self.set_mode)
        head.link_toggled.connect(self.set_link)
        tab.study_chosen.connect(self.open_study)
        tab.left.connect(self._room.focus_canvas)
        view.on_change.append(self.show_seen)
        self._room.dock.tabs.currentChanged.connect(lambda _: self.show())

    # What is shown -----------------------------------------------------------------

    def show(self) -> None:
        """Show the comparison as it is, where the tab is looked at."""
        if self.is_on:
            self._show_marks()
        if self._room.dock.tabs.currentWidget() is self._tab:
            self._tab.show_comparison(compare_sheet(self._room.session.comparing))
            self.show_seen()

    def show_seen(self) -> None:
        """Show in the tab how both studies are seen."""
        view = self._room.arrangement.comparing
        link = view.link
        self._tab.studies.show_seen(
            SeenTogether(
                is_on=view.is_on,
                mode=view.mode,
                linked=frozenset(
                    name for name in LINKS if link is not None and link.is_on(name)
                ),
            )
        )

    def _show_marks(self) -> None:
        """Paint the other reading's marks on its own study."""
        room = self._room
        view, pair = room.arrangement.comparing, room.arrangement.comparing.pair
        chosen = room.session.comparing.chosen
        if pair is None or chosen is None:
            return
        sides: list[list[Any]] = []
        for study, volume in zip(chosen, pair.volumes, strict=True):
            others = () if study.is_read else study.findings
            sides.append([finding_mark(one) for one in others if is_in(one, volume)])
        view.show_marks(earlier=sides[0], later=sides[1])

    def do(self, what: Callable[[], object]) -> bool:
        """Do what was asked for; a refusal is said in the tab."""
        try:
            what()
        except OsteotraceError as problem:
            self._tab.say_problem(wording.refusal(problem))
            return False
        self._room.refresh()
        return True

    # Studies -----------------------------------------------------------------------

    def choose(self, earlier_uid: str, later_uid: str) -> None:
        """Stand two other studies beside each other."""
        comparing = self._room.session.comparing
        if self.do(lambda: comparing.choose(earlier_uid, later_uid)) and self.is_on:
            self.show_both()

    def ask_study(self) -> None:
        """Ask for the folder of another study, and open it to compare with."""
        folder = QFileDialog.getExistingDirectory(
            self._room.dock, "Open another study of this patient"
        )
        if folder:
            self.open(folder)

    def open(self, path: str | Path) -> None:
        """Read the headers of another folder; what is read stays."""
        room = self._room
        room.background.start(
            f"Reading headers in {Path(path).name} …",
            partial(room.session.comparing.open, path),
            lambda _: self._opened(),
            counts=True,
        )

    def _opened(self) -> None:
        self._room.say("The study is known to the comparison now.")
        self.show()

    def open_study(self, study_uid: str) -> None:
        """Show a study of the timeline beside the one that is read."""
        comparing = self._room.session.comparing
        studies = comparing.studies
        meant = next((one for one in studies if one.study_uid == study_uid), None)
        read = next((one for one in studies if one.is_read), None)
        if meant is None or read is None:
            return
        if meant is read:
            self.end()
        elif not meant.headers:
            self._room.say(
                f"The images of {meant.name} are not open: add its folder first.",
                problem=True,
            )
        elif self.do(lambda: comparing.choose(meant.study_uid, read.study_uid)):
            self.show_both()

    # On the canvas -----------------------------------------------------------------

    def toggle(self) -> None:
        """Show both studies, or the one that is read alone; of one, its other series."""
        room = self._room
        if self.is_on:
            self.end()
        elif room.arrangement.beside is None and self._headers() is not None:
            self.show_both()
        else:
            room.opening.toggle_beside()

    def end(self) -> None:
        """Show the study that is read alone."""
        self._wanted = False
        if self.is_on:
            self._room.arrangement.comparing.end()
        self.show_seen()
        self._room.refresh()

    def show_both(self) -> None:
        """Load both studies and show them; align them where that was not tried yet."""
        headers = self._headers()
        if headers is None:
            self._room.say(
                "There are no images of a second study to show: add its folder first.",
                problem=True,
            )
            self.show_seen()
            return
        self._wanted = True
        earlier, later = headers
        slices = len(earlier.instances) + len(later.instances)
        self._room.background.start(
            f"Loading {slices} slices …",
            partial(self._load, earlier, later),
            lambda volumes: self._loaded(*volumes),
            counts=True,
        )

    def _headers(self) -> tuple[VolumeHeader, VolumeHeader] | None:
        """Return the volumes that stand beside each other, the earlier one first."""
        comparing, shown = self._room.session.comparing, self._room.opening.header
        chosen = comparing.chosen
        if chosen is None or not all(one.headers for one in chosen):
            return None
        partner = None if shown is None else comparing.partner(shown)
        if shown is None or partner is None:
            pairs = comparing.pairs
            return (pairs[0].earlier, pairs[0].later) if pairs else None
        if shown.identity.study_uid == chosen[0].study_uid:
            return shown, partner
        return partner, shown

    def _load(
        self, earlier: VolumeHeader, later: VolumeHeader, progress: Progress
    ) -> tuple[Volume, Volume]:
        """Load both volumes, off the window's thread."""
        session = self._room.session
        first = session.view(earlier, progress=progress)
        return first, session.view(later, progress=progress)

    def _loaded(self, earlier: Volume, later: Volume) -> None:
        if not self._wanted:
            return
        if self._show_pair(earlier, later):
            found = self._room.session.comparing.transforms.between(earlier, later)
            if found is None:
                self.align()
        self._room.refresh()

    def _show_pair(self, earlier: Volume, later: Volume) -> bool:
        """Show two volumes with what joins them, or why nothing does."""
        room = self._room
        found = room.session.comparing.transforms.between(earlier, later)
        why = NOT_YET if found is None else found.as_text
        pair = Pair(
            earlier=earlier,
            later=later,
            alignment=None if found is None else found.alignment,
            why_not="" if found is not None and found.alignment else why,
        )
        if not room.ask(lambda: room.arrangement.comparing.show(pair)):
            return False
        room.say(room.arrangement.comparing.as_text)
        self._show_marks()
        return True

    def set_mode(self, mode: CompareMode) -> None:
        """Show both side by side, or in one picture."""
        room = self._room
        room.ask(lambda: room.arrangement.comparing.set_mode(mode))
        self.show_seen()

    def set_link(self, name: LinkName, on: bool) -> None:
        """Link slices, cursor or zoom, or leave each side to itself."""
        self._room.arrangement.comparing.set_link(name, on)
        self.show_seen()

    # Registration ------------------------------------------------------------------

    @property
    def is_aligning(self) -> bool:
        """Whether an alignment is at work."""
        return self._job is not None

    def align(self) -> None:
        """Lay the chosen studies over each other; the reading goes on meanwhile."""
        if self.is_aligning:
            return
        head = self._tab.studies
        head.show_aligning(0, 0)
        self._job = loading.start(
            self._room.session.comparing.prepare_alignment,
            done=self._aligned,
            failed=self._not_aligned,
            progress=head.show_aligning,
            cancelled=partial(self._not_aligned, None),
        )

    def stop(self) -> None:
        """Stop the alignment that is at work, at its next stage."""
        if self._job is not None:
            self._job.cancel()

    def close(self) -> None:
        """Let go of the alignment at work: the window is closed."""
        if self._job is not None:
            self._job.abandon()
        self._job = None

    def _not_aligned(self, problem: OsteotraceError | None) -> None:
        self._job = None
        self._tab.studies.show_aligned()
        told = "Stopped." if problem is None else wording.refusal(problem)
        self._room.say(told, problem=problem is not None)
        self.show()

    def _aligned(self, found: tuple[Aligned, ...]) -> None:
        room = self._room
        self._job = None
        self._tab.studies.show_aligned()
        room.session.comparing.keep(found)
        pair = room.arrangement.comparing.pair
        if pair is not None:
            self._show_pair(*pair.volumes)
        refused = [one for one in found if one.alignment is None]
        told = refused or found
        room.say(
            "; ".join(f"{one.pair.as_text}: {one.as_text}" for one in told),
            problem=bool(refused),
        )
        self.show()
