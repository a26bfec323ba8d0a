"""The Study tab: what lies there, in words and pictures, and the ways to ask for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from osteotrace.series import scan
from osteotrace.session.roles import StudyRoles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.series import VolumeHeader
    from osteotrace_napari.panels.study import StudyList
    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000


@pytest.fixture
def tab(qtbot: Any) -> StudyList:
    """Give the tab alone, shown."""
    from osteotrace_napari.panels.study import StudyList

    made = StudyList()
    made.resize(490, 600)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def settled(qtbot: Any, tab: StudyList) -> Callable[[], None]:
    """Return a wait until no thumbnail is being made."""

    def wait() -> None:
        qtbot.waitUntil(lambda: tab.is_settled, timeout=PATIENCE_MS)

    return wait


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Return two studies of one patient, half a year apart."""
    from tests.fixtures.synthetic import SeriesSpec, write_to

    for number, date in enumerate(("20250301", "20250901")):

        def dated(data: Any, _: int, date: str = date) -> None:
            data.StudyDate = date

        spec = SeriesSpec(
            voxels=np.zeros((3, 20, 24), np.uint16),
            study_uid=f"2.25.700{number}",
            series_uid=f"2.25.710{number}",
            frame_uid=f"2.25.720{number}",
            edit=dated,
        )
        write_to(tmp_path / "course" / date, spec)
    return tmp_path / "course"


def lines(tab: StudyList) -> dict[str, tuple[str, str]]:
    """Return what each row says by its name."""
    from osteotrace_napari.panels.study_rows import LINES_ROLE

    told = [row.data(0, LINES_ROLE) for row in tab.tree.rows()]
    return {name: (size, geometry) for name, size, geometry in told}


def choose(tab: StudyList, description: str) -> VolumeHeader:
    """Make a row the current one and return its volume."""
    from osteotrace_napari.panels.study_rows import HEADER_ROLE

    for row in tab.tree.rows():
        header: VolumeHeader = row.data(0, HEADER_ROLE)
        if header.identity.description == description:
            tab.tree.setCurrentItem(row)
            return header
    raise AssertionError(f"no series {description!r}")


def place_of(tab: StudyList, description: str) -> Any:
    """Return where a row lies on the screen."""
    choose(tab, description)
    return tab.tree.visualItemRect(tab.tree.currentItem()).center()


# What it says


def test_each_series_says_its_size_and_its_geometry(
    tab: StudyList, small_study: Path
) -> None:
    tab.show_catalogue(scan(small_study))
    assert lines(tab) == {
        "CT Bone 0.8": (
            "CT  ·  20 slices  ·  0.5 × 0.6 × 0.8 mm",
            "regular, can be measured",
        ),
        "MR T2 sag": (
            "MR  ·  9 slices  ·  0.7 × 0.9 × 2 mm",
            "regular, can be measured",
        ),
        "CT Scout": ("CT  ·  1 image", "cannot be measured: a localizer"),
    }


def test_patient_and_study_stand_above_their_series(tab: StudyList, course: Path) -> None:
    tab.show_catalogue(scan(course))
    assert tab.tree.topLevelItemCount() == 1
    patient = tab.tree.topLevelItem(0)
    assert patient.text(0).startswith("P-")
    assert [study.text(0) for study in tab.tree.studies()] == ["2025-03-01", "2025-09-01"]


def test_a_patients_id_is_nowhere_in_it(tab: StudyList, small_study: Path) -> None:
    from qtpy.QtCore import Qt

    tab.show_catalogue(scan(small_study))
    items = [tab.tree.topLevelItem(0), *tab.tree.studies(), *tab.tree.rows()]
    roles = (
        Qt.ItemDataRole.DisplayRole,
        Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.AccessibleTextRole,
    )
    said = " ".join(str(item.data(0, role)) for item in items for role in roles)
    assert "TEST-1" not in said
    assert "Test^One" not in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ct_missing_slice", "cannot be measured: 1 slice missing"),
        ("ct_not_a_volume", "cannot be measured: several images at one position"),
        ("seg_liver_ct/liver.dcm", "a segmentation"),
    ],
)
def test_real_series_that_cannot_be_measured_say_why(
    tab: StudyList, real_dicom: Path, name: str, words: str
) -> None:
    tab.show_catalogue(scan(real_dicom / name))
    ((_, geometry),) = lines(tab).values()
    assert geometry == words


def test_what_is_on_the_canvas_is_marked(tab: StudyList, small_study: Path) -> None:
    from qtpy.QtCore import Qt

    tab.show_catalogue(scan(small_study))
    header = choose(tab, "T2 sag")
    choose(tab, "Scout")
    tab.mark_open(header)
    bold = [
        row.data(0, Qt.ItemDataRole.AccessibleTextRole).split(",")[0]
        for row in tab.tree.rows()
        if row.data(0, Qt.ItemDataRole.FontRole) is not None
    ]
    assert bold == ["MR T2 sag"]
    assert tab.tree.current_header is header


# Thumbnails


def test_each_series_has_its_picture_in_time(
    tab: StudyList, small_study: Path, settled: Callable[[], None]
) -> None:
    from osteotrace_napari.panels.study_rows import PICTURE_ROLE

    tab.show_catalogue(scan(small_study))
    assert all(row.data(0, PICTURE_ROLE) is None for row in tab.tree.rows())
    settled()
    sizes = [row.data(0, PICTURE_ROLE).size() for row in tab.tree.rows()]
    assert all(max(size.width(), size.height()) == 96 for size in sizes)


def test_thumbnails_wait_for_what_is_more_urgent(
    tab: StudyList,
    small_study: Path,
    settled: Callable[[], None],
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []

    def busy() -> bool:
        asked.append(True)
        return len(asked) < 3

    made: list[int] = []

    def make(_: VolumeHeader) -> Any:
        made.append(len(asked))
        return np.zeros((9, 9), np.uint8)

    monkeypatch.setattr("osteotrace.volume.thumbnails.thumbnail", make)
    tab.is_busy = busy
    tab.show_catalogue(scan(small_study))
    settled()
    assert min(made) >= 3


def test_the_list_answers_while_a_thumbnail_is_made(
    tab: StudyList,
    small_study: Path,
    qtbot: Any,
    settled: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, begun = threading.Event(), threading.Event()

    def slow(_: VolumeHeader) -> Any:
        begun.set()
        assert held.wait(PATIENCE_MS / 1000)
        return np.zeros((9, 9), np.uint8)

    monkeypatch.setattr("osteotrace.volume.thumbnails.thumbnail", slow)
    tab.show_catalogue(scan(small_study))
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE_MS)
    chosen: list[VolumeHeader] = []
    tab.chosen.connect(chosen.append)
    header = choose(tab, "T2 sag")
    tab.open_button.click()
    assert chosen == [header]
    held.set()
    settled()


def test_a_list_that_was_replaced_takes_no_old_picture(
    tab: StudyList,
    small_study: Path,
    course: Path,
    qtbot: Any,
    settled: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from osteotrace_napari.panels.study_rows import PICTURE_ROLE

    held, begun = threading.Event(), threading.Event()

    def slow(header: VolumeHeader) -> Any:
        if header.identity.study_uid == "2.25.1001":
            begun.set()
            assert held.wait(PATIENCE_MS / 1000)
        return np.zeros((9, 9), np.uint8)

    monkeypatch.setattr("osteotrace.volume.thumbnails.thumbnail", slow)
    tab.show_catalogue(scan(small_study))
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE_MS)
    tab.show_catalogue(scan(course))
    held.set()
    settled()
    assert [row.data(0, PICTURE_ROLE).width() for row in tab.tree.rows()] == [9, 9]


def test_a_series_without_a_picture_keeps_its_row(
    tab: StudyList, small_study: Path, settled: Callable[[], None], tmp_path: Path
) -> None:
    import shutil

    from osteotrace_napari.panels.study_rows import PICTURE_ROLE

    shutil.copytree(small_study, tmp_path / "study")
    catalogue = scan(tmp_path / "study")
    shutil.rmtree(tmp_path / "study" / "mr")
    tab.show_catalogue(catalogue)
    settled()
    pictures = [row.data(0, PICTURE_ROLE) is not None for row in tab.tree.rows()]
    assert sorted(pictures) == [False, True, True]


# Roles


def test_a_study_shows_its_role_and_tells_when_the_reader_gives_another(
    tab: StudyList, course: Path, tmp_path: Path, qtbot: Any
) -> None:
    roles = StudyRoles(tmp_path / "roles")
    catalogue = scan(course)
    tab.show_catalogue(catalogue, roles.of(catalogue))
    assert tab.roles() == {"2.25.7000": "before", "2.25.7001": "after"}
    given: list[tuple[str, str]] = []
    tab.role_chosen.connect(lambda *told: given.append(told))
    choice = tab.tree.itemWidget(tab.tree.studies()[1], 1)
    choice.setFocus()
    qtbot.keyClicks(choice, "follow")
    assert given == [("2.25.7001", "follow-up")]
    assert tab.roles()["2.25.7001"] == "follow-up"


def test_the_wheel_gives_no_role(tab: StudyList, course: Path) -> None:
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    catalogue = scan(course)
    tab.show_catalogue(catalogue)
    choice = tab.tree.itemWidget(tab.tree.studies()[0], 1)
    before = choice.currentIndex()
    event = QWheelEvent(
        QPointF(9, 9),
        QPointF(choice.mapToGlobal(QPoint(9, 9))),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(choice, event)
    assert choice.currentIndex() == before
    assert not event.isAccepted()


# Asking for a series


def test_a_double_click_asks_for_a_series(
    tab: StudyList, small_study: Path, qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    tab.show_catalogue(scan(small_study))
    chosen: list[VolumeHeader] = []
    tab.chosen.connect(chosen.append)
    at = place_of(tab, "Scout")
    viewport = tab.tree.viewport()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=at)
    assert [h.identity.description for h in chosen] == ["Scout"]


def test_the_keyboard_walks_the_list_and_asks(
    tab: StudyList, small_study: Path, qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    tab.show_catalogue(scan(small_study))
    told: list[tuple[str, str]] = []
    tab.chosen.connect(lambda h: told.append(("alone", h.identity.description)))
    tab.beside.connect(lambda h: told.append(("beside", h.identity.description)))
    order = [h.identity.description for h in tab.headers()]
    choose(tab, order[0])
    qtbot.keyClick(tab.tree, Qt.Key.Key_Return)
    qtbot.keyClick(tab.tree, Qt.Key.Key_Down)
    qtbot.keyClick(tab.tree, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert told == [("alone", order[0]), ("beside", order[1])]


def test_buttons_and_the_menu_ask_too(tab: StudyList, small_study: Path) -> None:
    tab.show_catalogue(scan(small_study))
    told: list[str] = []
    tab.chosen.connect(lambda _: told.append("alone"))
    tab.beside.connect(lambda _: told.append("beside"))
    tab.tree.setCurrentItem(None)
    assert not tab.open_button.isEnabled()
    choose(tab, "T2 sag")
    tab.open_button.click()
    tab.beside_button.click()
    menu = tab.tree.menu_of(tab.tree.currentItem())
    assert menu is not None
    assert [action.text() for action in menu.actions()] == ["Open", "Open beside"]
    for action in menu.actions():
        action.trigger()
    assert told == ["alone", "beside", "alone", "beside"]
    assert tab.tree.menu_of(tab.tree.studies()[0]) is None


def test_a_drag_carries_the_series_and_nothing_of_the_patient(
    tab: StudyList, small_study: Path
) -> None:
    from osteotrace_napari.panels.study_drag import MIME_TYPE, dragged, series_mime

    tab.show_catalogue(scan(small_study))
    header = choose(tab, "T2 sag")
    mime = series_mime(header)
    assert dragged(mime, tab.headers()) is header
    assert dragged(mime, []) is None
    assert mime.formats() == [MIME_TYPE]
    assert b"TEST-1" not in bytes(mime.data(MIME_TYPE))


@pytest.mark.parametrize("told", [b"", b"[]", b"{}", b"\xff", b'{"series_uid": "1"}'])
def test_a_drag_from_elsewhere_is_no_series(
    tab: StudyList, small_study: Path, told: bytes
) -> None:
    from qtpy.QtCore import QByteArray, QMimeData

    from osteotrace_napari.panels.study_drag import MIME_TYPE, dragged

    mime = QMimeData()
    mime.setData(MIME_TYPE, QByteArray(told))
    tab.show_catalogue(scan(small_study))
    assert dragged(mime, tab.headers()) is None


# In the reading room


def drop(target: Any, mime: Any) -> None:
    """Drop onto a widget as a mouse does."""
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QDragEnterEvent, QDropEvent
    from qtpy.QtWidgets import QApplication

    how = (
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(50, 50), *how))
    QApplication.sendEvent(target, QDropEvent(QPointF(50, 50), *how))


def test_a_series_dropped_onto_the_canvas_is_shown_there(
    room: ReadingRoom, qtbot: Any, small_study: Path
) -> None:
    from osteotrace_napari.panels.study_drag import series_mime

    room.opening.open(small_study)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    header = choose(room.dock.study, "T2 sag")
    drop(room.view.qt_viewer.canvas.native, series_mime(header))
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    assert room.view.volume is not None
    assert room.view.volume.identity.description == "T2 sag"


def test_a_role_given_in_the_window_is_there_the_next_time(
    room: ReadingRoom, qtbot: Any, course: Path
) -> None:
    room.opening.open(course)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    study = room.dock.study
    assert study.roles() == {"2.25.7000": "before", "2.25.7001": "after"}
    choice = study.tree.itemWidget(study.tree.studies()[0], 1)
    choice.setFocus()
    qtbot.keyClicks(choice, "after")
    room.opening.open(course)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert study.roles()["2.25.7000"] == "after"
