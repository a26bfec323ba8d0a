# mypy: allow-subclassing-any
"""The reading panel in a napari window: found, made and docked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import napari  # noqa: TC002  napari reads the annotations to hand its viewer over
from qtpy.QtCore import QEvent, QObject

from osteotrace_napari import reader
from osteotrace_napari.panels.reading import ReadingPanel, show_own_docks

if TYPE_CHECKING:
    from osteotrace.session import Session

PANEL_NAME: Final = "osteotrace reading"


def reading_panel(viewer: Any, session: Session | None = None) -> ReadingPanel:
    """Return the reading panel of a viewer, docked at the right; made where needed."""
    panel: ReadingPanel | None = viewer.window._qt_window.findChild(ReadingPanel)
    if panel is None:
        panel = ReadingPanel(viewer, session)
        viewer.window.add_dock_widget(panel, name=PANEL_NAME, area="right")
        show_own_docks(viewer, False)
        dropped = DicomDrop(panel)
        panel.setAcceptDrops(True)
        for target in (panel, viewer.window._qt_viewer):
            target.installEventFilter(dropped)
    return panel


class DicomDrop(QObject):
    """Takes DICOM dropped onto a reading window, before napari asks for a reader."""

    def __init__(self, panel: ReadingPanel) -> None:
        super().__init__(panel)
        self._panel = panel

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Open what was dropped where it is DICOM; leave the rest to napari."""
        if event.type() == QEvent.Type.DragEnter and event.mimeData().hasUrls():
            event.acceptProposedAction()
            return True
        if event.type() != QEvent.Type.Drop:
            return False
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls()]
        if not paths or not reader.holds_dicom(paths[0]):
            return False
        event.acceptProposedAction()
        self._panel.open(reader.root_of(paths))
        return True


def caliper(viewer: napari.Viewer) -> None:
    """Take the caliper up, from napari's menu."""
    reading_panel(viewer).commands["caliper"]()


def save_record(viewer: napari.Viewer) -> None:
    """Save the reading as DICOM SR, from napari's menu."""
    reading_panel(viewer).commands["save"]()
