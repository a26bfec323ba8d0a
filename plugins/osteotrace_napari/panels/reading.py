# mypy: allow-subclassing-any
"""The reading panel: a session shown and asked, with one canvas beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog
from superqt.utils import qthrottled

from osteotrace.errors import OsteotraceError
from osteotrace.findings import shares_space
from osteotrace.regions import extent
from osteotrace.session import Session
from osteotrace_napari import keys, loading, wording
from osteotrace_napari.caliper_tool import CaliperTool
from osteotrace_napari.canvas import layers
from osteotrace_napari.canvas.marks import finding_mark, live_mark
from osteotrace_napari.canvas.view import ReadingView
from osteotrace_napari.keyboard import Keyboard, guard
from osteotrace_napari.panels.dock import ReadingDock

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.geometry import Array
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.volume import Volume

# A live value is measured at most this often while the mouse moves.
LIVE_INTERVAL_MS: Final = 50
FAST_SLICES: Final = 10
# CT presets lie on F1 and F2, MR presets on F3 and F4.
_FIRST_KEY: Final = {"CT": 1, "MR": 3}


class ReadingPanel(ReadingDock):
    """One dock: series, findings, caliper, undo and saving.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session, optional
        A new one by default.
    """

    def __init__(self, viewer: Any, session: Session | None = None) -> None:
        super().__init__()
        self.viewer = viewer
        self.session = Session() if session is None else session
        self.header: VolumeHeader | None = None
        self.view = ReadingView(viewer)
        self.tool = CaliperTool(
            self.view, on_move=self._live, on_done=self.measure, on_end=self._no_preview
        )
        self._live_measure = qthrottled(self._measure_live, timeout=LIVE_INTERVAL_MS)
        self._worker: Any = None
        self._showing = False
        self._after_load: Callable[[], None] | None = None
        self._last_said = {"kind": "lesion", "site": "jaw"}
        self._connect()
        self.commands = self._commands()
        self.keyboard = Keyboard(self.commands, parent=self)
        self.keyboard.watch_window(viewer.window._qt_window)
        self.view.on_slice.append(self._show_state)
        self.view.on_window.append(self._show_state)
        viewer.layers.events.inserted.connect(self._layer_inserted)
        viewer.layers.events.removed.connect(self._layer_removed)
        self.destroyed.connect(partial(_close, self.session))

    # Opening ---------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something is being loaded."""
        return self._worker is not None

    def open(self, path: str | Path) -> None:
        """Scan a file or folder in the background, then load it or list its series."""
        self._work(
            f"Reading headers in {Path(path).name} …",
            partial(self.session.open, path),
            self._opened,
        )

    def load(self, header: VolumeHeader) -> None:
        """Load a volume in the background and show it."""
        self._work(
            f"Loading {len(header.instances)} slices …",
            partial(self.session.load, header),
            partial(self._loaded, header),
        )

    def open_now(self, path: Path, *, modality: str) -> Volume:
        """Scan and load at once, for small samples; its layer is taken over later.

        Raises
        ------
        OsteotraceError
            If there is no series of the modality that can be read.
        """
        catalogue = self.session.open(path)
        self.study.show_catalogue(catalogue)
        uids = [
            s.identity.series_uid for s in catalogue if s.identity.modality == modality
        ]
        return self.session.load(catalogue.choose(uids[0] if uids else None))

    def adopt(self, layer: Any, volume: Volume) -> None:
        """Take over a layer that already shows a volume of this session."""
        header = self._header_of(volume)
        if header is not None:
            self._loaded(header, volume, layer=layer)

    def _work(
        self, words: str, work: Callable[[], Any], done: Callable[[Any], None]
    ) -> None:
        if self.busy:
            self.say("Still loading: one thing at a time.", problem=True)
            return

        def finished(result: Any) -> None:
            self._idle()
            done(result)

        def failed(problem: OsteotraceError) -> None:
            self._idle()
            self._after_load = None
            self.say(str(problem), problem=True)

        self.say(words)
        self.progress.show()
        self._worker = loading.start(work, done=finished, failed=failed)

    def _idle(self) -> None:
        self._worker = None
        self.progress.hide()

    def _opened(self, catalogue: Catalogue) -> None:
        self.study.show_catalogue(catalogue)
        loadable = [h for h in self.study.headers() if wording.can_load(h)]
        if len(loadable) == 1:
            self.load(loadable[0])
            return
        self.tabs.setCurrentWidget(self.study)
        if loadable:
            self.say(f"{len(loadable)} series can be read: double-click one.")
        else:
            self.say("No series here can be read; the list says why.", problem=True)

    def _loaded(self, header: VolumeHeader, volume: Volume, *, layer: Any = None) -> None:
        self.tool.set_active(False)
        self.header = header
        self._showing = True
        self.view.show(volume, layer=layer)
        self._showing = False
        guard(self.view.image)
        self.study.mark_open(header)
        self.controls.setEnabled(True)
        modality = header.identity.modality
        self.controls.offer_windows(self.view.presets, first_key=_FIRST_KEY[modality])
        self.show_title(volume)
        self.tabs.setCurrentWidget(self.findings)
        self.say("")
        self.refresh()
        after, self._after_load = self._after_load, None
        if after is not None:
            after()

    def _header_of(self, volume: Volume) -> VolumeHeader | None:
        for header in self.study.headers():
            if header.instances == volume.instances:
                return header
        return None

    def _layer_inserted(self, event: Any) -> None:
        volume = getattr(event.value, "metadata", {}).get("osteotrace")
        if volume is not None and not self._showing:
            # napari is still adding the layer: arrange the window after that.
            QTimer.singleShot(0, partial(self.adopt, event.value, volume))

    def _layer_removed(self, event: Any) -> None:
        if self._showing or self.view.volume is None:
            return
        if event.value is self.view.image:
            self._put_away()

    def _put_away(self) -> None:
        """Show no volume; the reading itself stays."""
        self.tool.set_active(False)
        self.view.clear()
        self.header = None
        self.controls.setEnabled(False)
        self.show_title(None)

    # Measuring -------------------------------------------------------------------

    def _live(self, start: Array, end: Array) -> None:
        self._live_measure(start, end)

    def _measure_live(self, start: Array, end: Array) -> None:
        if self.tool.start is None or self.view.volume is None:
            return
        try:
            reading = self.session.caliper(
                self.view.volume,
                start,
                end,
                snap=self.controls.snap.isChecked(),
                quick=True,
            )
        except OsteotraceError as problem:
            self.say(problem.found, problem=True)
            return
        self.view.show_preview(live_mark(reading))

    def measure(self, start: Array, end: Array) -> None:
        """Measure between two points, LPS mm, and record it as a finding."""
        self.view.show_preview(None)
        if self.view.volume is None:
            return
        try:
            reading = self.session.caliper(
                self.view.volume, start, end, snap=self.controls.snap.isChecked()
            )
            finding = self.session.add_caliper_finding(reading, **self._last_said)  # type: ignore[arg-type]
        except OsteotraceError as problem:
            self.say(str(problem), problem=True)
            return
        accepted = wording.state(finding) == wording.ACCEPTED
        say = (
            wording.value(finding) if accepted else wording.sentence(finding.measurements)
        )
        self.say(f"{finding.label}: {say}", problem=not accepted)
        self.refresh(select=finding.tracking_uid)

    def _no_preview(self) -> None:
        self.view.show_preview(None)

    # Findings --------------------------------------------------------------------

    def refresh(self, *, select: str = "") -> None:
        """Show the session as it is."""
        self.show_session(self.session, select=select)
        self._show_marks()
        self._show_state()

    def jump(self, tracking_uid: str) -> None:
        """Go to a finding's slice, loading its series where it is another one."""
        finding = self.session.finding(tracking_uid)
        header = self.session.header_of(finding)
        if header is None:
            self.say("The images of this finding are not in the opened folder.")
            return
        if self.header is not None and header.instances != self.header.instances:
            self._after_load = partial(self.jump, tracking_uid)
            self.load(header)
            return
        self.view.go_to(extent(finding.regions[0]))
        self.findings.select(tracking_uid)
        self._show_marks()

    def _show_marks(self) -> None:
        volume, chosen = self.view.volume, self.findings.current
        if volume is None:
            return
        self.view.show_marks(
            [
                finding_mark(finding, strong=finding.tracking_uid == chosen)
                for finding in self.session.findings
                if finding.regions and shares_space(finding, finding.regions[0], volume)
            ]
        )

    def edit(self, tracking_uid: str, field: str, key: str) -> None:
        """Give a finding another kind, site or side; the next one starts from them."""
        if self._asked(partial(self.session.edit_finding, tracking_uid, **{field: key})):  # type: ignore[arg-type]
            if field in self._last_said:
                self._last_said[field] = key
            self.refresh()

    def _delete(self) -> None:
        uid = self.findings.current
        if uid and self._asked(partial(self.session.delete_finding, uid)):
            self.say(f"Deleted; {keys.key_of('undo')} brings it back.")
            self.refresh()

    def _step(self, by: int) -> None:
        uid = self.findings.step(by)
        if uid:
            self.jump(uid)

    def _undo(self) -> None:
        if self._asked(self.session.undo):
            self.refresh()

    def _redo(self) -> None:
        if self._asked(self.session.redo):
            self.refresh()

    def _asked(self, question: Callable[[], object]) -> bool:
        """Ask the session; a refusal is said and False returned."""
        try:
            question()
        except OsteotraceError as problem:
            self.say(str(problem), problem=True)
            return False
        return True

    # Saving ----------------------------------------------------------------------

    def save_record(self, folder: Path | None = None) -> None:
        """Save the reading as DICOM SR beside the opened folder, or where told."""
        saved: list[Path] = []
        if self._asked(lambda: saved.append(self.session.save_sr(folder))):
            self.say(f"Saved {saved[0]}")
            self.refresh()

    def _save_elsewhere(self) -> None:
        start = str(self.session.records_folder().parent)
        folder = QFileDialog.getExistingDirectory(self, "Folder for records", start)
        if folder:
            self.save_record(Path(folder))

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a DICOM folder")
        if folder:
            self.open(folder)

    # The panel itself --------------------------------------------------------------

    def _commands(self) -> dict[str, Callable[[], object]]:
        view = self.view
        return {
            **{f"window_{n}": partial(self._window_key, n) for n in range(1, 5)},
            **{plane: partial(view.set_plane, plane) for plane in layers.PLANES},
            "reset": self._reset,
            "layout": self._toggle_layout,
            "caliper": self.controls.caliper.toggle,
            "cancel": self._cancel,
            "slice_back": partial(self._scroll, -1),
            "slice_on": partial(self._scroll, 1),
            "slices_back": partial(self._scroll, -FAST_SLICES),
            "slices_on": partial(self._scroll, FAST_SLICES),
            "next": partial(self._step, 1),
            "previous": partial(self._step, -1),
            "delete": self._delete,
            "undo": self._undo,
            "redo": self._redo,
            "save": self.save_record,
        }

    def _window_key(self, key: int) -> None:
        if self.header is not None:
            self._window(key - _FIRST_KEY[self.header.identity.modality])

    def _window(self, n: int) -> None:
        if 0 <= n < len(self.view.presets):
            self.view.set_window(self.view.presets[n])

    def _reset(self) -> None:
        self._window(0)
        self.viewer.reset_view()

    def _scroll(self, by: int) -> None:
        if self.view.volume is not None:
            self.view.go_to_slice(self.view.slice_index + by)

    def _cancel(self) -> None:
        if not self.tool.cancel():
            self.tool.set_active(False)
        self._show_state()

    def _caliper_toggled(self, on: bool) -> None:
        self.tool.set_active(on)
        if on:
            self.say("Caliper: drag from edge to edge, or click one and then the other.")

    def _connect(self) -> None:
        self.open_folder.clicked.connect(self._ask_folder)
        self.controls.window_chosen.connect(self._window)
        self.controls.plane_chosen.connect(self.view.set_plane)
        self.controls.caliper_toggled.connect(self._caliper_toggled)
        self.study.chosen.connect(self.load)
        self.findings.selected.connect(self.jump)
        self.findings.edited.connect(self.edit)
        self.undo.clicked.connect(self._undo)
        self.redo.clicked.connect(self._redo)
        self.save.clicked.connect(lambda: self.save_record())
        self.save_elsewhere.clicked.connect(self._save_elsewhere)

    def _toggle_layout(self) -> None:
        show_own_docks(self.viewer, not own_docks_shown(self.viewer))

    def _show_state(self) -> None:
        if self.view.volume is None:
            return
        self.controls.show_state(
            plane=self.view.plane_view.plane,
            window=self.view.window.name,
            caliper=self.tool.active,
        )


def own_docks_shown(viewer: Any) -> bool:
    """Tell whether napari's own layer docks are shown."""
    return bool(viewer.window._qt_viewer.dockLayerList.isVisible())


def show_own_docks(viewer: Any, visible: bool) -> None:
    """Show or hide napari's own layer docks."""
    for dock in (
        viewer.window._qt_viewer.dockLayerList,
        viewer.window._qt_viewer.dockLayerControls,
    ):
        dock.setVisible(visible)


def _close(session: Session, *_: object) -> None:
    session.close()
