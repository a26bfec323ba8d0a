"""The reading layout: napari's own layer docks shown or hidden."""

from __future__ import annotations

from typing import Any


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


def toggle_own_docks(viewer: Any) -> None:
    """Show napari's own layer docks, or hide them."""
    show_own_docks(viewer, not own_docks_shown(viewer))
