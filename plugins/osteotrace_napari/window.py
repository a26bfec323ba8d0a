"""The reading panel in a napari window: found, made and docked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import napari  # noqa: TC002  napari reads the annotations to hand its viewer over

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
    return panel


def caliper(viewer: napari.Viewer) -> None:
    """Take the caliper up, from napari's menu."""
    reading_panel(viewer).commands["caliper"]()


def save_record(viewer: napari.Viewer) -> None:
    """Save the reading as DICOM SR, from napari's menu."""
    reading_panel(viewer).commands["save"]()
