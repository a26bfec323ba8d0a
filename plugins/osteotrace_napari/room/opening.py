"""Studies and series: opened, loaded beside the window, shown, put side by side."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog

from osteotrace.errors import OsteotraceError
from osteotrace.session.roles import StudyRoles
from osteotrace.volume.planes import along_plane
from osteotrace_napari import wording
from osteotrace_napari.canvas.pictures import stand_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.regions import Point
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.session.roles import Role
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room.reading_room import ReadingRoom

    Progress = Callable[[int, int], None]


# Modality (0008,0060) of what belongs to images and is none itself.
_ON_IMAGES: Final = ("SEG", "SR")


class Opening:
    """Opens what a reader asks for and puts it on the canvas.

    Attributes
    ----------
    header : VolumeHeader or None
        Of the volume on the main canvas.
    catalogue : Catalogue or None
        What was opened last and is listed.
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self.header: VolumeHeader | None = None
        self.catalogue: Catalogue | None = None
        self.roles = StudyRoles()
        self._showing = False
        layers = room.viewer.layers.events
        layers.inserted.connect(self._layer_inserted)
        layers.removed.connect(self._layer_removed)

    def give_role(self, study_uid: str, role: Role) -> None:
        """Keep the role that the reader gave a study."""
        self._room.ask(lambda: self.roles.set(study_uid, role))

    # Asked for -------------------------------------------------------------------

    def open(self, path: str | Path) -> None:
        """Scan a folder, zip or file in the background, then load it or list it."""
        self._room.background.start(
            f"Reading headers in {Path(path).name} …",
            partial(self._room.session.open, path),
            self._opened,
            counts=True,
        )

    def ask_folder(self) -> None:
        """Ask for a folder and open it."""
        folder = QFileDialog.getExistingDirectory(self._room.dock, "Open a DICOM folder")
        if folder:
            self.open(folder)

    def load(
        self, header: VolumeHeader, *, then: Callable[[], None] | None = None
    ) -> None:
        """Load a volume in the background and show it, or its pictures alone.

        A segmentation or a report is opened on the series shown, or on one of its own
        space where that is another.
        """
        if header.identity.modality in _ON_IMAGES:
            self._open_on_images(header)
            return
        if not wording.can_load(header):
            self._look_at(header)
            return
        self._room.background.start(
            f"Loading {len(header.instances)} slices …",
            partial(self._view, header),
            partial(self._take_up, header, then=then),
            counts=True,
        )

    def _view(self, header: VolumeHeader, progress: Progress) -> Volume:
        """Load a volume and make what is shown of it, off the window's thread.

        What is read stays: until the volume is shown, marks are made on another one.
        """
        volume = self._room.session.view(header, progress=progress)
        self._room.arrangement.displays.of(volume)
        return volume

    def _open_on_images(self, header: VolumeHeader) -> None:
        take_up = partial(self._room.keeping.take_up, header.instances[0].path)
        frame, shown = header.frame_of_reference_uid, self._room.arrangement.main.volume
        if frame and (shown is None or shown.frame_of_reference_uid != frame):
            for each in self._room.dock.study.headers():
                if each.frame_of_reference_uid == frame and wording.can_load(each):
                    self.load(each, then=take_up)
                    return
        take_up()

    def open_beside(self, header: VolumeHeader) -> None:
        """Load a second volume and show it beside the first, whose study is read."""
        if self._room.view.volume is None:
            self.load(header)
            return
        self._room.background.start(
            f"Loading {len(header.instances)} slices …",
            partial(self._view, header),
            partial(self._show_beside, header),
            counts=True,
        )

    def dropped(self, view: ReadingView, header: VolumeHeader) -> None:
        """Show a series in the view that it was dropped on: the first, or beside it."""
        main = self._room.arrangement.main
        if view is main or main.volume is None:
            self.load(header)
        else:
            self.open_beside(header)

    def _show_beside(self, header: VolumeHeader, volume: Volume) -> None:
        room = self._room
        if room.ask(lambda: room.arrangement.show_beside(volume)):
            room.say("Side by side: both scroll to the same place of the patient.")
            if room.session.assessment is None or room.session.is_read(header):
                room.ask(lambda: room.session.load(header))
            else:
                day = room.blinded.day_of(header.identity) or "no stated date"
                room.say(f"Beside it to compare: the study of {day} is not read here.")
        room.refresh()

    def toggle_beside(self, on: bool | None = None) -> None:
        """Show the next series of the same space beside this one, or only this one."""
        room = self._room
        alone = room.arrangement.beside is None and room.arrangement.through is None
        if not (alone if on is None else on):
            room.arrangement.show_beside(None)
            room.arrangement.show_through(None)
            room.refresh()
            return
        header = self._partner()
        if header is None:
            room.say("No other series here lies in the same frame of reference.")
            room.refresh()
            return
        self.open_beside(header)

    def _partner(self) -> VolumeHeader | None:
        """Return the next volume of the frame of reference of the one shown."""
        if self.header is None:
            return None
        every = self._room.dock.study.headers()
        keys = [(h.identity.series_uid, h.k) for h in every]
        key = self.header.identity.series_uid, self.header.k
        # Another folder may have been opened since.
        here = keys.index(key) if key in keys else -1
        turned = every[here + 1 :] + every[:here]
        frame = self.header.frame_of_reference_uid
        return next(
            (
                h
                for h in turned
                if frame and h.frame_of_reference_uid == frame and wording.can_load(h)
            ),
            None,
        )

    def show_plane(self, view: ReadingView, landmarks: tuple[Point, ...]) -> None:
        """Show the plane through three landmarks beside the volume it is cut from."""
        volume = view.volume
        if volume is None:
            return
        self._room.background.start(
            "Resampling along the plane …",
            partial(along_plane, volume, landmarks),
            self._show_plane,
        )

    def _show_plane(self, cut: Volume) -> None:
        room = self._room
        room.pointer.take_up(None)
        if room.ask(lambda: room.arrangement.show_through(cut)):
            room.say("The plane is resampled; marks on it measure the images themselves.")
        room.refresh()

    def list_again(self) -> None:
        """List what was opened last, as it may be shown now."""
        room, catalogue = self._room, self.catalogue
        if catalogue is None:
            return
        room.dock.study.show_catalogue(
            catalogue, self.roles.of(catalogue), names=room.blinded.names_of(catalogue)
        )
        if self.header is not None:
            room.dock.study.mark_open(self.header)
            shown = room.arrangement.main.volume
            if shown is not None:
                room.dock.show_title(shown, day=room.blinded.day_of(shown.identity))

    # Arrived ---------------------------------------------------------------------

    def _opened(self, catalogue: Catalogue) -> None:
        room = self._room
        self.catalogue = catalogue
        self.list_again()
        loadable = [h for h in room.dock.study.headers() if wording.can_load(h)]
        if len(loadable) == 1:
            self.load(loadable[0])
            return
        room.dock.tabs.setCurrentWidget(room.dock.study)
        words = "No series here can be measured; the list says why."
        if loadable:
            words = f"{len(loadable)} series can be measured: double-click one."
        shown = "" if self.header is None else self.header.identity.study_uid
        if shown and all(s.identity.study_uid != shown for s in catalogue):
            assert self.header is not None
            before = self.header.identity.patient
            words += f" Until then canvas and findings are those of {before}."
        room.say(words, problem=not loadable)

    def _take_up(
        self,
        header: VolumeHeader,
        volume: Volume,
        *,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Take up the reading of a volume's study, and show the volume, as one step."""
        room = self._room
        try:
            # It is there already; what is left is the draft.
            room.session.load(header)
        except OsteotraceError as problem:
            room.say(wording.refusal(problem), problem=True)
            room.keeping.offer_anew(header, problem)
            return
        self._loaded(header, volume, then=then)

    def _show(self, volume: Volume, **how: Any) -> OsteotraceError | None:
        """Show a volume; return why not in every plane, where that is so."""
        self._showing = True
        try:
            self._room.arrangement.show(volume, **how)
        except OsteotraceError as problem:
            return problem
        finally:
            self._showing = False
        return None

    def _loaded(
        self,
        header: VolumeHeader,
        volume: Volume,
        *,
        layer: Any = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        room = self._room
        room.pointer.take_up(None)
        self.header = header
        problem = self._show(volume, layer=layer)
        room.dock.study.mark_open(header)
        room.set_window(room.first_window)
        room.offer_windows()
        room.dock.show_title(volume, day=room.blinded.day_of(volume.identity))
        room.dock.tabs.setCurrentWidget(room.dock.findings)
        room.say("")
        room.keeping.offer()
        if problem is not None:
            room.say(f"In its own plane alone: {wording.refusal(problem)}")
        room.refresh()
        # A series was chosen in the list: the keys are the canvas's again.
        room.focus_canvas()
        if then is not None:
            then()

    def _look_at(self, header: VolumeHeader) -> None:
        """Show a series that cannot be measured, with the reason in place of mm."""
        from osteotrace.volume.pictures import open_pictures

        self._room.background.start(
            f"Loading {len(header.instances)} images …",
            partial(open_pictures, header),
            partial(self._show_pictures, header),
            counts=True,
        )

    def _show_pictures(self, header: VolumeHeader, pictures: Any) -> None:
        room = self._room
        room.pointer.take_up(None)
        self.header = header
        looked_at = stand_in(pictures)
        # Where its other planes cannot be shown, its badge says enough.
        self._show(looked_at, why_no_mm=pictures.reason)
        day = room.blinded.day_of(looked_at.identity)
        room.dock.show_title(looked_at, day=day, why_no_mm=pictures.reason)
        room.dock.study.mark_open(header)
        room.offer_windows()
        room.say(pictures.badge)
        room.refresh()

    # napari's own ways ---------------------------------------------------------------

    def open_now(self, path: Path, *, modality: str) -> Volume:
        """Scan and load at once, for small samples; its layer is taken over later.

        Raises
        ------
        OsteotraceError
            If there is no series of the modality that can be read.
        """
        catalogue = self._room.session.open(path)
        self.catalogue = catalogue
        self._room.dock.study.show_catalogue(catalogue)
        uids = [
            s.identity.series_uid for s in catalogue if s.identity.modality == modality
        ]
        return self._room.session.load(catalogue.choose(uids[0] if uids else None))

    def _layer_inserted(self, event: Any) -> None:
        volume = getattr(event.value, "metadata", {}).get("osteotrace")
        if volume is not None and not self._showing:
            # napari is still adding the layer: arrange the window after that.
            QTimer.singleShot(0, partial(self._adopt, event.value, volume))

    def _adopt(self, layer: Any, volume: Volume) -> None:
        """Take over a layer that already shows a volume of this session."""
        for header in self._room.dock.study.headers():
            if header.instances == volume.instances:
                self._loaded(header, volume, layer=layer)

    def _layer_removed(self, event: Any) -> None:
        view = self._room.arrangement.main
        if not self._showing and event.value is view.image:
            # No volume is shown; the reading itself stays.
            self._room.pointer.take_up(None)
            self._room.arrangement.clear()
            self.header = None
            self._room.dock.show_title(None)
            self._room.refresh()
