"""Make docs/pictures/plugin.png: the real window, the sample study, one caliper.

Run it on a display, or as ``make pictures`` does: under Xvfb. The caliper starts from
the rough points in sample_dicom/truth.json, as a reader's hand would.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.canvas.layers import Plane
    from osteotrace_napari.room import ReadingRoom

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES = REPOSITORY / "sample_dicom"
PICTURES = REPOSITORY / "docs" / "pictures"
WINDOW_SIZE = 1600, 1000
CASE, QUANTITY = "maxilla_after", "palatal_gap"
# Kind and site as a reader would choose them.
SAID = {"kind": "palatal_bony_defect", "site": "hard_palate"}
PATIENCE_S = 120.0
SETTLING_S = 1.0


def wait_until(done: Callable[[], bool]) -> None:
    """Let the window live until something has happened."""
    from qtpy.QtWidgets import QApplication

    give_up = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > give_up:
            sys.exit("the window did not get ready")
        QApplication.processEvents()
        time.sleep(0.01)


def settle() -> None:
    """Let the window draw itself."""
    over = time.monotonic() + SETTLING_S
    wait_until(lambda: time.monotonic() > over)


def open_sample(room: ReadingRoom) -> None:
    """Open the sample study and load the series of the quantity."""
    truth = json.loads((SAMPLES / "truth.json").read_text())
    quantity = truth["cases"][CASE]["quantities"][QUANTITY]
    room.opening.open(SAMPLES / CASE)
    wait_until(lambda: not room.busy)
    assert room.session.catalogue is not None
    room.opening.load(room.session.catalogue.choose(quantity["series_uid"]))
    wait_until(lambda: not room.busy)


def draw_caliper(room: ReadingRoom, plane: Plane) -> None:
    """Draw one caliper from the rough points, in a plane that shows it."""
    truth = json.loads((SAMPLES / "truth.json").read_text())
    edges = truth["cases"][CASE]["quantities"][QUANTITY]["edges"]
    start, end = (np.array(edge["rough_point_lps_mm"]) for edge in edges)
    room.arrangement.set_plane(plane)
    room.view.go_to([start, end])
    room.marking.record("caliper", room.view, start=start, end=end)
    (finding,) = room.session.findings
    for field, key in SAID.items():
        room.marking.edit(finding.tracking_uid, field, key)


def picture(viewer: Any, name: str) -> None:
    """Save the whole window."""
    settle()
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / name
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    print(path.relative_to(REPOSITORY))


def main() -> None:
    """Make the pictures."""
    # A draft of the person who runs this must not show up in a picture.
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()
    import napari

    from osteotrace_napari.window import reading_room

    viewer = napari.Viewer(title="osteotrace", show_welcome_screen=False)
    viewer.window._qt_window.resize(*WINDOW_SIZE)
    room = reading_room(viewer)
    open_sample(room)
    draw_caliper(room, "sagittal")
    picture(viewer, "plugin.png")
    viewer.close()


if __name__ == "__main__":
    main()
