"""Work beside the window: it goes on turning, tells how far it is, and can be stopped."""

from __future__ import annotations

import threading
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.synthetic import SERIES_UID, SeriesSpec, write_to

from osteotrace.errors import OsteotraceError
from osteotrace.series import scan
from osteotrace.volume import load as load_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from osteotrace.series import Catalogue
    from osteotrace.volume import Volume
    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
FILES = 5_000


class Outcome:
    """What a job came to."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.problems: list[OsteotraceError] = []
        self.told: list[tuple[int, int]] = []
        self.stopped = 0
        self.threads: set[int] = set()

    def of(self, work: Callable[..., Any], *, counts: bool = False) -> Any:
        """Start work and note what comes of it."""
        from osteotrace_napari import loading

        return loading.start(
            work,
            done=lambda result: self._note(self.results, result),
            failed=lambda problem: self._note(self.problems, problem),
            progress=(lambda *told: self._note(self.told, told)) if counts else None,
            cancelled=self._stopped,
        )

    @property
    def is_over(self) -> bool:
        return bool(self.results or self.problems or self.stopped)

    def _note(self, kept: list[Any], what: Any) -> None:
        self.threads.add(threading.get_ident())
        kept.append(what)

    def _stopped(self) -> None:
        self.stopped += 1


@pytest.fixture
def outcome() -> Outcome:
    return Outcome()


@pytest.fixture(scope="module")
def many_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a series of 5,000 slices of 16 × 16: one file, written again and again."""
    folder = tmp_path_factory.mktemp("many") / "series"
    uid, height = f"{SERIES_UID}.77777", "77777.77777"

    def marked(data: Any, _: int) -> None:
        data.SOPInstanceUID = uid
        data.file_meta.MediaStorageSOPInstanceUID = uid
        data.ImagePositionPatient = ["0", "0", height]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]

    voxels = np.zeros((1, 16, 16), np.uint16)
    (file,) = write_to(folder, SeriesSpec(voxels=voxels, edit=marked)).iterdir()
    content = file.read_bytes()
    file.unlink()
    for number in range(FILES):
        there = content.replace(uid.encode(), f"{SERIES_UID}.{number + 10_000}".encode())
        there = there.replace(height.encode(), f"{0.5 * number:011.5f}".encode())
        (folder / f"{number:05d}.dcm").write_bytes(there)
    return folder


@pytest.fixture
def ticking() -> Iterator[threading.Event]:
    """Give an event that the window's own loop sets again and again."""
    from qtpy.QtCore import QTimer

    ticked = threading.Event()
    timer = QTimer()
    timer.timeout.connect(ticked.set)
    timer.start(0)
    yield ticked
    timer.stop()


def wait_for_the_window(ticked: threading.Event) -> None:
    """Wait, in the worker, until the window's loop has turned."""
    ticked.clear()
    assert ticked.wait(PATIENCE_MS / 1000), "the window is frozen"


# What comes back


def test_results_and_problems_come_in_the_windows_thread(
    qtbot: Any, outcome: Outcome
) -> None:
    problem = OsteotraceError("a", expected="b", advice="c")

    def fail() -> None:
        raise problem

    outcome.of(lambda: 42)
    outcome.of(fail)
    qtbot.waitUntil(
        lambda: bool(outcome.results and outcome.problems), timeout=PATIENCE_MS
    )
    assert outcome.results == [42]
    assert outcome.problems == [problem]
    assert outcome.threads == {threading.get_ident()}


def test_what_nobody_foresaw_becomes_words(qtbot: Any, outcome: Outcome) -> None:
    def fail() -> None:
        raise RecursionError("deep inside")

    outcome.of(fail)
    qtbot.waitUntil(lambda: outcome.is_over, timeout=PATIENCE_MS)
    assert outcome.problems[0].found == "an unexpected problem (RecursionError)"


def test_work_is_done_in_a_thread_of_its_own(qtbot: Any, outcome: Outcome) -> None:
    outcome.of(threading.get_ident)
    qtbot.waitUntil(lambda: outcome.is_over, timeout=PATIENCE_MS)
    assert outcome.results != [threading.get_ident()]


# The window goes on


def test_the_window_turns_while_five_thousand_files_are_scanned(
    qtbot: Any, outcome: Outcome, many_files: Path, ticking: threading.Event
) -> None:
    steps: list[int] = []

    def work(progress: Callable[[int, int], None]) -> Catalogue:
        def told(done: int, total: int) -> None:
            progress(done, total)
            if done not in steps and len(steps) < 100:
                steps.append(done)
                wait_for_the_window(ticking)

        return scan(many_files, index=False, progress=told)

    outcome.of(work, counts=True)
    qtbot.waitUntil(lambda: outcome.is_over, timeout=2 * PATIENCE_MS)
    (catalogue,) = outcome.results
    assert catalogue.series[0].n_instances == FILES
    assert len(steps) > 2
    # What the window showed of it.
    shares = [done / total for done, total in outcome.told]
    assert shares == sorted(shares)


def test_the_window_turns_while_five_thousand_slices_are_loaded(
    qtbot: Any, outcome: Outcome, many_files: Path, ticking: threading.Event
) -> None:
    header = scan(many_files).choose()

    def work(progress: Callable[[int, int], None]) -> Volume:
        def told(done: int, total: int) -> None:
            progress(done, total)
            if done % 500 == 0:
                wait_for_the_window(ticking)

        return load_volume(header, progress=told)

    outcome.of(work, counts=True)
    qtbot.waitUntil(lambda: outcome.is_over, timeout=2 * PATIENCE_MS)
    (volume,) = outcome.results
    assert volume.grid.shape == (FILES, 16, 16)


def test_progress_is_looked_at_and_not_sent(qtbot: Any, outcome: Outcome) -> None:
    over = threading.Event()

    def work(progress: Callable[[int, int], None]) -> None:
        for done in range(100_000):
            progress(done, 100_000)
        assert over.wait(PATIENCE_MS / 1000)

    outcome.of(work, counts=True)
    qtbot.waitUntil(lambda: (99_999, 100_000) in outcome.told, timeout=PATIENCE_MS)
    over.set()
    qtbot.waitUntil(lambda: outcome.is_over, timeout=PATIENCE_MS)
    assert len(outcome.told) < 5_000


# Stopping


def test_work_stops_at_its_next_step(qtbot: Any, outcome: Outcome) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    after: list[str] = []

    def work(progress: Callable[[int, int], None]) -> None:
        progress(1, 3)
        begun.set()
        assert goes_on.wait(PATIENCE_MS / 1000)
        progress(2, 3)
        after.append("not reached")

    job = outcome.of(work, counts=True)
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE_MS)
    job.cancel()
    goes_on.set()
    qtbot.waitUntil(lambda: outcome.is_over, timeout=PATIENCE_MS)
    assert after == []
    assert outcome.results == outcome.problems == []


def test_what_was_done_before_it_could_stop_comes_as_ever(
    qtbot: Any, outcome: Outcome
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def work(progress: Callable[[int, int], None]) -> str:
        begun.set()
        assert goes_on.wait(PATIENCE_MS / 1000)
        return "done"

    job = outcome.of(work, counts=True)
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE_MS)
    job.cancel()
    goes_on.set()
    qtbot.waitUntil(lambda: outcome.is_over, timeout=PATIENCE_MS)
    assert outcome.results == ["done"]
    assert outcome.stopped == 0


def test_a_scan_that_is_stopped_leaves_what_was_open(
    room: ReadingRoom, qtbot: Any, small_study: Path, many_files: Path
) -> None:
    room.opening.open(small_study)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    catalogue = room.session.catalogue
    room.opening.open(many_files)
    room.background.cancel()
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert room.dock.message.text() == "Stopped."
    assert room.session.catalogue is catalogue
    assert len(room.dock.study.headers()) == 3


# Opening


def test_a_dock_shows_how_many_slices_are_loaded(room: ReadingRoom, qtbot: Any) -> None:
    bar, go_on = room.dock.progress, threading.Event()

    def work(progress: Callable[[int, int], None]) -> int:
        progress(70, 300)
        assert go_on.wait(PATIENCE_MS / 1000)
        return 300

    done: list[int] = []
    room.background.start("Loading 300 slices …", work, done.append, counts=True)
    qtbot.waitUntil(
        lambda: (bar.value(), bar.maximum()) == (70, 300), timeout=PATIENCE_MS
    )
    assert bar.isVisible()
    go_on.set()
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert done == [300]
    assert not bar.isVisible()


def test_a_folder_of_many_files_opens_whole(
    room: ReadingRoom, qtbot: Any, many_files: Path
) -> None:
    room.opening.open(many_files)
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=2 * PATIENCE_MS)
    assert room.view.volume is not None
    assert room.view.volume.grid.shape[0] == FILES


def test_a_study_is_scanned_once_and_its_series_read_once(
    room: ReadingRoom,
    qtbot: Any,
    small_study: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from osteotrace.volume import loading as library

    calls: list[str] = []
    read = library.read_stored

    def scan_once(*args: Any, **options: Any) -> Any:
        calls.append("scan")
        return scan(*args, **options)

    def read_once(instances: Any, *args: Any, **options: Any) -> Any:
        calls.append(f"read {len(instances)}")
        return read(instances, *args, **options)

    monkeypatch.setattr("osteotrace.series.sources.scan", scan_once)
    monkeypatch.setattr(library, "read_stored", read_once)
    # Thumbnails are another matter: they come after.
    monkeypatch.setattr(room.dock.study, "is_busy", lambda: True)
    room.opening.open(small_study / "ct")
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert calls == ["scan", "read 20"]


def test_a_zip_opens_as_a_folder_does(
    room: ReadingRoom, qtbot: Any, small_study: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted((small_study / "ct").iterdir()):
            archive.write(file, f"a/{file.name}")
    room.opening.open(packed)
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    assert room.view.volume is not None
    expected = load_volume(scan(small_study / "ct").choose())
    assert (room.view.volume.voxels == expected.voxels).all()


# Dropping


def drop(target: Any, *paths: Path) -> Any:
    """Drop files onto a widget as a mouse does; return the event."""
    from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
    from qtpy.QtGui import QDragEnterEvent, QDropEvent
    from qtpy.QtWidgets import QApplication

    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    how = (
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    entering = QDragEnterEvent(QPoint(50, 50), *how)
    QApplication.sendEvent(target, entering)
    dropped = QDropEvent(QPointF(50, 50), *how)
    QApplication.sendEvent(target, dropped)
    assert entering.isAccepted()
    return dropped


@pytest.mark.parametrize("onto", ["canvas", "dock"])
def test_what_is_dropped_is_opened(
    room: ReadingRoom, qtbot: Any, small_study: Path, onto: str
) -> None:
    files = sorted((small_study / "ct").iterdir())
    target = room.dock if onto == "dock" else room.view.qt_viewer
    # Slices dropped one by one are their folder.
    dropped = [small_study / "ct"] if onto == "dock" else files[:2]
    assert drop(target, *dropped).isAccepted()
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    assert room.view.volume is not None
    assert room.view.volume.grid.shape[0] == 20


def test_a_zip_dropped_onto_the_window_is_opened(
    room: ReadingRoom, qtbot: Any, small_study: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted((small_study / "mr").iterdir()):
            archive.write(file, file.name)
    drop(room.view.qt_viewer, packed)
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    assert room.view.volume is not None
    assert room.view.volume.identity.modality == "MR"


JUNK = {
    "notes.txt": (b"no image", "a file that is not DICOM"),
    "empty": (None, "an empty folder"),
    "report.pdf": (b"%PDF-1.4", "a file that is not DICOM"),
    "broken.zip": (b"PK\x03\x04 and no more", "a zip that cannot be read"),
    "cut.dcm": (bytes(128) + b"DICM", "DICOM"),
}


def test_junk_dropped_onto_the_window_is_one_clear_sentence(
    room: ReadingRoom, qtbot: Any, tmp_path: Path
) -> None:
    for name, (content, words) in JUNK.items():
        path = tmp_path / name
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
        assert drop(room.view.qt_viewer, path).isAccepted()
        qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
        said = room.dock.message.text()
        assert words in said
        assert "expected" in said
        assert "\n" not in said
        assert "Traceback" not in said
    assert room.view.volume is None


def test_what_napari_reads_itself_stays_naparis(
    room: ReadingRoom, viewer: Any, tmp_path: Path
) -> None:
    np.save(tmp_path / "points.npy", np.zeros((4, 4)))
    drop(room.view.qt_viewer, tmp_path / "points.npy")
    assert "points" in viewer.layers
    assert not room.busy


@pytest.mark.parametrize(
    ("storage", "taker"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", "study"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "on images"),
        ("1.2.840.10008.5.1.4.1.1.88.34", "on images"),
    ],
)
def test_masks_and_reports_belong_to_the_images_shown(
    small_study: Path, tmp_path: Path, storage: str, taker: str
) -> None:
    from pydicom import dcmread
    from pydicom.uid import UID

    from osteotrace_napari.dropping import taker_of

    data = dcmread(next((small_study / "ct").iterdir()))
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = UID(storage)
    data.save_as(tmp_path / "a")
    assert taker_of([tmp_path / "a"]) == taker
    for name in ("mask.nii.gz", "mask.nrrd", "reading.json"):
        (tmp_path / name).touch()
        assert taker_of([tmp_path / name]) == "on images"
    assert taker_of([tmp_path]) == "study"
