# mypy: allow-subclassing-any
"""The reading room in a napari window: found, made and docked."""

from __future__ import annotations

from typing import Any, Final

import napari  # noqa: TC002  napari reads the annotations to hand its viewer over

from osteotrace.session import Session
from osteotrace_napari import loading, settings
from osteotrace_napari.dropping import StudyDrop
from osteotrace_napari.layout import show_own_docks
from osteotrace_napari.panels.reading_dock import ReadingDock
from osteotrace_napari.room import ReadingRoom

PANEL_NAME: Final = "osteotrace reading"


class ReadingPanel(ReadingDock):
    """The dock that napari's Plugins menu makes, with its room.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session, optional
        A new one by default.
    """

    def __init__(self, viewer: napari.Viewer, session: Session | None = None) -> None:
        # Before the buttons, which show the keys.
        chosen = settings.load()
        super().__init__()
        if session is None:
            session = Session(reader=chosen.reader or None)
        self.room = ReadingRoom(viewer, self, session)
        StudyDrop(self.room)


def reading_room(viewer: Any, session: Session | None = None) -> ReadingRoom:
    """Return the reading room of a window, docked at the right; made where needed."""
    panel: ReadingPanel | None = viewer.window._qt_window.findChild(ReadingPanel)
    if panel is None:
        panel = ReadingPanel(viewer, session)
        viewer.window.add_dock_widget(panel, name=PANEL_NAME, area="right")
        show_own_docks(viewer, False)
        loading.warm_up()
    return panel.room


def caliper(viewer: napari.Viewer) -> None:
    """Take the caliper up, from napari's menu."""
    reading_room(viewer).keyboard.press("caliper")


def save_record(viewer: napari.Viewer) -> None:
    """Save the reading as DICOM SR, from napari's menu."""
    reading_room(viewer).keyboard.press("save")
