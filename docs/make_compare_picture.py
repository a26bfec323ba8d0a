"""Make docs/pictures/compare.png: the sample maxilla, before and after, in the window.

Both studies are measured by their protocols; the window lays the one over the other by
itself and shows them side by side. It needs a screen:

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_compare_picture.py
"""

from __future__ import annotations

import os
import shutil
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import osteotrace as ot
from osteotrace.records.sealed_json import sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.room import ReadingRoom

REPOSITORY: Final = Path(__file__).resolve().parents[1]
SAMPLES: Final = REPOSITORY / "sample_dicom"
PICTURE: Final = REPOSITORY / "docs" / "pictures" / "compare.png"
CASES: Final = ("maxilla_before", "maxilla_after")
LESION: Final = "palatal_gap"
WINDOW_PX: Final = (1600, 1000)
COLOURS: Final = 192
PATIENCE_MS: Final = 600_000


def main() -> None:
    with TemporaryDirectory(prefix="compare-") as folder:
        home = Path(folder)
        os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_STATE_HOME"] = str(home / "own")
        readings = [measured(home, case) for case in CASES]
        PICTURE.write_bytes(fewer_colours(compared(home, readings[1])))


def measured(home: Path, case: str) -> ot.Assessment:
    """Copy a case, measure it, and leave its reading in the folder of records."""
    shutil.copytree(SAMPLES / case, home / "studies" / case)
    reading = ot.measure(
        home / "studies" / case, SAMPLES / "protocols" / f"{case}.toml", reader="Dr Kim"
    )
    records = home / "records"
    records.mkdir(exist_ok=True)
    (records / f"{reading.assessment_uid}.json").write_bytes(sealed(reading))
    return reading


def compared(home: Path, later: ot.Assessment) -> bytes:
    """Return the window with both studies beside each other, as a PNG."""
    import napari

    from osteotrace.session import Session
    from osteotrace_napari.window import reading_room

    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(*WINDOW_PX)
    room = reading_room(viewer, Session(reader="Dr Kim", drafts=home / "drafts"))
    room.session.priors.use(home / "records")
    room.opening.open(home / "studies")
    wait(lambda: not room.busy)
    room.opening.load(series_of(room, later))
    wait(lambda: not room.busy)
    (record,) = (home / "records").glob(f"{later.assessment_uid}.json")
    room.keeping.open_record(record)
    room.keyboard.press("tab_compare")
    room.comparing.show_both()
    wait(lambda: not room.busy and not room.comparing.is_aligning)
    lesions = room.dock.compare.sheet.lesions
    chosen = next(one for one in lesions if one.label == LESION)
    room.following.go_to_lesion(chosen.tracking_uid)
    rest(1500)
    return picture_of(viewer.window._qt_window)


def series_of(room: ReadingRoom, reading: ot.Assessment) -> Any:
    """Return the CT volume of the study that was read."""
    return next(
        header
        for header in room.dock.study.headers()
        if header.identity.study_uid == reading.study_uid
        and header.identity.modality == "CT"
    )


def wait(done: Callable[[], bool]) -> None:
    """Let the window work until something is done."""
    from qtpy.QtCore import QElapsedTimer

    clock = QElapsedTimer()
    clock.start()
    rest(200)
    while not done():
        if clock.elapsed() > PATIENCE_MS:
            raise TimeoutError("the window did not come to rest")
        rest(50)


def rest(milliseconds: int) -> None:
    """Let the window work for a while."""
    from qtpy.QtTest import QTest

    QTest.qWait(milliseconds)


def picture_of(window: Any) -> bytes:
    """Return a window as it is seen, as a PNG."""
    from qtpy.QtCore import QBuffer
    from qtpy.QtWidgets import QApplication

    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    seen = QApplication.primaryScreen().grabWindow(window.winId())
    seen.save(buffer, "PNG")
    return bytes(buffer.data())


def fewer_colours(png: bytes) -> bytes:
    """Return a picture with a palette: a third of the bytes."""
    from PIL import Image

    out = BytesIO()
    image = Image.open(BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
