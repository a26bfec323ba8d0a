"""``python -m osteotrace_napari [PATH]``: napari with the reading panel, a study open."""

from __future__ import annotations

import argparse
from typing import Any


def main(arguments: list[str] | None = None) -> None:
    """Open the window and run until it is closed."""
    parser = argparse.ArgumentParser(prog="osteotrace_napari", description=__doc__)
    parser.add_argument("path", nargs="?", help="DICOM file or folder")
    path = parser.parse_args(arguments).path

    import napari

    from osteotrace_napari.window import reading_room

    viewer = napari.Viewer(title="osteotrace", show_welcome_screen=False)
    room = reading_room(viewer)
    fill_screen(viewer.window._qt_window)
    if path is not None:
        room.opening.open(path)
    napari.run()


def fill_screen(window: Any) -> None:
    """Give a window the whole screen, where a window manager is there and where not."""
    window.setGeometry(window.screen().availableGeometry())
    window.showMaximized()


if __name__ == "__main__":
    main()
