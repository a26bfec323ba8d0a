"""The reading window: opened, looked at, measured in, saved from, as a reader would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from osteotrace.measurements.caliper import AS_DRAWN, measure
from osteotrace.regions import extent
from osteotrace_napari import wording
from osteotrace_napari.canvas.drawing import CROSSES_PLANE
from osteotrace_napari.canvas.layers import PLANES
from osteotrace_napari.canvas.marks import Mark, caliper_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.findings import Finding
    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
# Rough points of the 12 mm gap of the small CT, in one axial slice.
START: Point = (0.0, -6.6, 0.0)
END: Point = (0.6, 5.2, 0.0)
GAP_MM = 12.0


def idle(room: ReadingRoom, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)


def letters(room: ReadingRoom) -> str:
    return "".join(room.view.letters.values())


def row_texts(room: ReadingRoom) -> list[str]:
    """Return what stands in the row of the first finding."""
    table, uid = room.dock.findings.table, room.session.held[0].uid
    cells = [table.said(uid, column) for column in range(table.columnCount())]
    return [line for cell in cells for line in cell]


def drawn_points(finding: Finding) -> tuple[Point, ...]:
    (drawn,) = (r for r in finding.regions if r.role == AS_DRAWN)
    return extent(drawn)


def pixel_mm(viewer: Any) -> float:
    return float(1.0 / viewer.scene.camera.zoom)


# Opening


def test_a_folder_with_two_series_asks_which_and_says_why_one_cannot_be_read(
    room: ReadingRoom, qtbot: Any, small_study: Path
) -> None:
    room.opening.open(small_study)
    assert room.busy
    idle(room, qtbot)
    verdicts = {
        h.identity.description: wording.verdict(h) for h in room.dock.study.headers()
    }
    assert verdicts == {
        "Bone 0.8": "regular, can be measured",
        "T2 sag": "regular, can be measured",
        "Scout": "a localizer",
    }
    assert room.view.volume is None
    assert "2 series can be measured" in room.dock.message.text()


def test_a_double_click_on_a_series_opens_it(
    room: ReadingRoom, qtbot: Any, small_study: Path
) -> None:
    room.opening.open(small_study)
    idle(room, qtbot)
    rows = room.dock.study.tree.rows()
    headers = room.dock.study.headers()
    row = next(
        item
        for item, header in zip(rows, headers, strict=True)
        if header.identity.description == "T2 sag"
    )
    room.dock.study.tree.itemDoubleClicked.emit(row, 0)
    idle(room, qtbot)
    assert room.view.volume is not None
    assert room.view.volume.identity.modality == "MR"


def test_a_folder_with_one_series_opens_it_at_once(
    room: ReadingRoom, qtbot: Any, small_study: Path
) -> None:
    room.opening.open(small_study / "ct")
    idle(room, qtbot)
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    assert room.view.volume is not None
    assert room.view.volume.identity.description == "Bone 0.8"


def test_a_folder_opened_through_napari_goes_to_the_panel(
    viewer: Any, room: ReadingRoom, qtbot: Any, small_study: Path
) -> None:
    viewer.open(small_study / "ct", plugin="osteotrace")
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    assert [layer.name for layer in viewer.layers] == ["Bone 0.8"]


def test_a_dropped_folder_opens_without_a_question(
    viewer: Any, room: ReadingRoom, qtbot: Any, small_study: Path, tmp_path: Path
) -> None:
    from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
    from qtpy.QtGui import QDragEnterEvent, QDropEvent
    from qtpy.QtWidgets import QApplication

    def drop(path: Path) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        how = (
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        for event in (
            QDragEnterEvent(QPoint(50, 50), *how),
            QDropEvent(QPointF(50, 50), *how),
        ):
            QApplication.sendEvent(viewer.window._qt_viewer, event)

    drop(small_study / "ct")
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    np.save(tmp_path / "points.npy", np.zeros((4, 4)))
    drop(tmp_path / "points.npy")
    assert "points" in viewer.layers


def test_junk_is_one_clear_line_and_the_window_goes_on(
    room: ReadingRoom,
    qtbot: Any,
    load: Callable[[str], None],
    tmp_path: Path,
) -> None:
    junk = tmp_path / "junk"
    junk.mkdir()
    for content in (None, "text.txt"):
        if content is not None:
            (junk / content).write_text("no image")
        room.opening.open(junk)
        idle(room, qtbot)
        said = room.dock.message.text()
        assert "expected" in said
        assert "Traceback" not in said
        assert "\n" not in said
    load("CT")
    assert room.view.volume is not None


def test_a_series_that_cannot_be_measured_is_looked_at_with_the_reason(
    room: ReadingRoom, hand: Hand, qtbot: Any, small_study: Path
) -> None:
    room.opening.open(small_study)
    idle(room, qtbot)
    scout = next(h for h in room.dock.study.headers() if h.verdicts == ("localizer",))
    room.opening.load(scout)
    idle(room, qtbot)
    assert "cannot be measured: a localizer" in room.dock.message.text()
    assert "a localizer" in room.view.place_text
    assert " mm" not in room.view.place_text
    assert letters(room) == ""
    hand.key("Shift+C")
    assert room.pointer.tool is None
    assert "Nothing can be measured here: a localizer" in room.dock.message.text()


# Looking


def test_a_volume_opens_in_its_own_plane_with_its_letters(
    viewer: Any, room: ReadingRoom, load: Callable[[str], None]
) -> None:
    sides = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}
    for modality, plane in (("CT", "axial"), ("MR", "sagittal")):
        load(modality)
        assert room.view.plane_view.plane == plane
        assert letters(room) == sides[plane]
        for name, expected in sides.items():
            room.dock.controls.planes[name].click()
            assert letters(room) == expected


def test_every_slice_of_every_plane_can_be_reached(
    viewer: Any, room: ReadingRoom, load: Callable[[str], None]
) -> None:
    load("CT")
    assert room.view.volume is not None
    for plane in PLANES:
        room.view.set_plane(plane)
        last = room.view.slice_count - 1
        room.view.go_to_slice(10_000)
        assert room.view.slice_index == last
        axis = room.view.plane_view.order[0]
        shown = viewer.layers[0]._slice.image.view
        kept = np.moveaxis(room.view.volume.voxels, axis, 0)[last]
        assert sorted(shown.ravel()) == sorted(kept.ravel())


def test_windows_follow_the_modality(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    assert tuple(room.view.image.contrast_limits) == (-500, 1500)
    hand.key("F2")
    assert tuple(room.view.image.contrast_limits) == (-160, 240)
    room.dock.controls.windows[0].click()
    assert tuple(room.view.image.contrast_limits) == (-500, 1500)
    load("MR")
    values = room.view.image.data
    # "T2 sag" is fluid-sensitive.
    bright = tuple(room.view.image.contrast_limits)
    assert bright == pytest.approx(np.percentile(values, [40, 99.9]), abs=1)
    hand.key("F3")
    whole = tuple(room.view.image.contrast_limits)
    assert whole == pytest.approx(np.percentile(values, [1, 99.5]), abs=1)
    hand.key("F5")
    assert tuple(room.view.image.contrast_limits) == bright


def test_the_canvas_says_who_what_where_and_research_use(
    viewer: Any, room: ReadingRoom, load: Callable[[str], None]
) -> None:
    load("CT")
    room.view.go_to_slice(10)
    said = room.view.place_text
    for part in ("P-", "CT Bone 0.8", "axial 11 / 20", "S 0.0 mm", "W 2000  L 500"):
        assert part in said
    assert "TEST-1" not in said
    assert "Research use only" in said
    assert str(viewer.layers[0].units[0]) == "millimeter"


def test_a_right_drag_changes_the_window_and_not_the_zoom(
    viewer: Any, room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    zoom = viewer.scene.camera.zoom
    start, end = hand.pixel(START), hand.pixel(END)
    qtbot.mousePress(hand.canvas, hand.right, pos=start)
    hand.move(end, button=hand.right)
    qtbot.mouseRelease(hand.canvas, hand.right, pos=end)
    assert viewer.scene.camera.zoom == zoom
    assert room.view.window.level != 500


def test_a_hundred_slice_changes_leave_the_last_one_right(
    viewer: Any, room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    hand.caliper(START, END)
    for n in range(100):
        room.view.go_to_slice(n % room.view.slice_count)
        if n % 20 == 0:
            room.view.set_plane(PLANES[n // 20 % 3])
        qtbot.wait(1)
    room.view.set_plane("axial")
    room.view.go_to([START, END])
    assert room.view.texts == [wording.value(room.session.findings[0])]


# Measuring


def test_a_dragged_caliper_is_the_librarys_number_bit_for_bit(
    viewer: Any, room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    assert room.view.volume is not None
    start, end = drawn_points(finding)
    half_pixel = pixel_mm(viewer)
    assert np.abs(np.subtract(start, START)).max() <= half_pixel
    assert np.abs(np.subtract(end, END)).max() <= half_pixel
    library = measure(room.view.volume, start, end)
    assert finding.measurements == library.measurements
    assert finding.regions == library.regions
    first = finding.measurements[0]
    assert str(first) == str(library.value)
    assert wording.amount(library.value) in row_texts(room)  # type: ignore[arg-type]
    assert room.view.texts == [wording.amount(library.value)]  # type: ignore[arg-type]
    assert library.value.value == pytest.approx(GAP_MM, abs=0.05)  # type: ignore[union-attr]


def test_a_fast_flick_ends_where_the_button_was_released(
    viewer: Any, room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    room.view.go_to([START, END])
    hand.key("Shift+U")
    hand.key("Shift+C")
    hand.flick(START, END)
    (finding,) = room.session.findings
    length = np.linalg.norm(np.subtract(START, END))
    assert finding.measurements[0].value == pytest.approx(  # type: ignore[union-attr]
        length, abs=2 * pixel_mm(viewer)
    )


def test_two_clicks_make_a_caliper_with_a_live_value_between_them(
    viewer: Any, room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    room.view.go_to([START, END])
    hand.key("Shift+C")
    hand.click(START)
    assert not room.session.findings
    hand.move(hand.pixel((0.5, 4.0, 0.0)))
    hand.move(hand.pixel(END))
    qtbot.waitUntil(lambda: bool(room.view.texts), timeout=PATIENCE_MS)
    assert room.view.texts[0].endswith("mm")
    hand.click(END)
    (finding,) = room.session.findings
    assert np.abs(np.subtract(drawn_points(finding), (START, END))).max() <= (
        pixel_mm(viewer)
    )
    assert room.view.texts == [wording.value(finding)]


def test_a_double_click_is_no_caliper(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    hand.key("Shift+C")
    hand.click(START)
    qtbot.mouseDClick(hand.canvas, hand.left, pos=hand.pixel(START))
    assert not room.session.findings


def test_escape_drops_the_first_point_and_then_puts_the_caliper_away(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    hand.key("Shift+C")
    hand.click(START)
    hand.key("Esc")
    caliper = room.tool_box.tools["caliper"]
    assert (caliper.start, room.pointer.tool) == (None, caliper)  # type: ignore[attr-defined]
    hand.key("Esc")
    buttons = room.dock.findings.tools.buttons
    assert (room.pointer.tool, buttons["caliper"].isChecked()) == (None, False)
    assert not room.session.findings


def test_a_caliper_that_cannot_be_fitted_is_kept_as_drawn_and_says_why(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    # Both ends lie in soft tissue, far from any wall.
    finding = hand.caliper((-15.0, 0.0, 0.0), (15.0, 0.0, 0.0))
    assert wording.state(finding) == wording.NOT_MEASURED
    (label,) = room.view.texts
    assert label.startswith("not measured; as drawn 30.")
    assert room.dock.message.text().startswith("CAL-1: not measured: ")
    assert wording.NOT_MEASURED in " ".join(row_texts(room))


def test_a_caliper_beyond_the_image_is_one_clear_line(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    room.take_up("caliper")
    hand.drag([(-26.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
    assert not room.session.findings
    assert "expected" in room.dock.message.text()


def test_a_caliper_is_shown_in_every_plane_that_passes_it_and_no_other_frame(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    text = wording.value(finding)
    for plane in PLANES:
        room.view.set_plane(plane)
        room.view.go_to([START, END])
        crosses = CROSSES_PLANE if plane == "coronal" else ""
        assert room.view.texts == [text + crosses]
        assert room.view.scene_picture().strokes
    room.view.set_plane("axial")
    room.view.go_to_slice(0)
    assert room.view.texts == []
    assert not room.view.scene_picture().strokes
    load("MR")
    room.view.go_to_slice(4)
    assert room.view.texts == []


def test_a_caliper_stays_in_sight_where_it_was_drawn(
    room: ReadingRoom, load: Callable[[str], None]
) -> None:
    load("CT")
    assert room.view.volume is not None
    to_patient = room.view.volume.grid.to_patient
    drawn, fitted = (
        tuple(tuple(point) for point in to_patient([[k, 30, 20], [k, 60, 20]]).tolist())
        for k in (9.0, 10.4)
    )
    mark = Mark(lines=caliper_lines(drawn, fitted), text="1 mm")
    room.view.show_marks([mark])
    seen = []
    for k in range(room.view.slice_count):
        room.view.go_to_slice(k)
        if room.view.texts:
            seen.append(k)
    assert seen == [9, 10]


# Findings


def test_kind_and_site_are_chosen_from_the_vocabulary(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    first = hand.caliper(START, END)
    for field, key in (("kind", "palatal_bony_defect"), ("site", "hard_palate")):
        room.dock.findings.form.edited.emit(field, key)
    edited = room.session.finding(first.tracking_uid)
    assert (edited.kind, edited.site) == ("palatal_bony_defect", "hard_palate")
    assert "Palatal defect" in row_texts(room)


def test_enter_accepts_the_finding_and_the_tool_stays_in_hand(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    room.view.go_to([START, END])
    hand.key("Shift+C")
    hand.drag([START, END])
    (one,) = room.session.held
    assert not one.accepted
    hand.key("Return")
    (one,) = room.session.held
    assert one.accepted
    assert room.pointer.tool is room.tool_box.tools["caliper"]


def test_delete_undo_and_redo_by_key_and_button(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)

    def findings() -> list[Finding]:
        return list(room.session.findings)

    hand.key("Shift+Del")
    assert findings() == []
    assert room.view.texts == []
    hand.key("Ctrl+Z")
    assert findings() == [finding]
    room.dock.undo.click()
    assert findings() == []
    hand.key("Ctrl+Shift+Z")
    assert findings() == [finding]
    assert room.view.texts == [wording.value(finding)]


def test_a_click_on_a_finding_goes_to_its_slice_and_series(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    there = room.view.slice_index
    room.view.go_to_slice(0)
    room.dock.findings.selected.emit(finding.tracking_uid)
    assert room.view.slice_index == there
    load("MR")
    room.dock.findings.selected.emit(finding.tracking_uid)
    idle(room, qtbot)
    assert room.opening.header is not None
    assert room.opening.header.identity.modality == "CT"
    assert room.view.slice_index == there
    assert room.dock.findings.current == finding.tracking_uid


def test_a_reading_is_there_again_in_the_next_window(
    room: ReadingRoom,
    hand: Hand,
    load: Callable[[str], None],
    small_study: Path,
) -> None:
    from osteotrace.session import Session

    load("CT")
    finding = hand.caliper(START, END)
    room.session.close()
    again = Session()
    again.load(again.open(small_study).choose("2.25.1002"))
    assert again.findings == (finding,)
    again.close()


# Keys


def test_a_key_of_naparis_own_tools_never_loses_a_finding(
    viewer: Any, room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    for key in ("5", "Ctrl+A", "3", "1", "Del", "Backspace", "L"):
        viewer.layers.selection.active = room.view.image
        hand.key(key)
        hand.key("PgUp")
        hand.key("PgDown")
        assert room.session.findings == (finding,), key
        assert room.view.texts == [wording.value(finding)], key
        assert room.view.scene_picture().strokes, key


def test_without_its_image_the_window_is_empty_and_the_reading_stays(
    viewer: Any, room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    viewer.layers.remove(room.view.image)
    assert room.view.texts == []
    assert letters(room) == ""
    hand.key("Shift+C")
    hand.key("F2")
    assert room.session.findings == (finding,)
    load("CT")
    room.view.go_to([START, END])
    assert room.view.texts == [wording.value(finding)]


# Saving


def test_a_saved_reading_reads_back_equal_beside_the_folder(
    room: ReadingRoom,
    hand: Hand,
    load: Callable[[str], None],
    small_study: Path,
    qtbot: Any,
) -> None:
    from osteotrace.records import sr

    load("CT")
    hand.caliper(START, END)
    hand.key("Return")
    before = sorted(small_study.rglob("*"))
    reading = room.session.assessment
    hand.key("Ctrl+S")
    idle(room, qtbot)
    records = small_study.parent / "osteotrace-records"
    assert str(records) in room.dock.message.text()
    (path,) = records.glob("*.dcm")
    saved = sr.read(path)
    assert reading is not None
    assert (saved.findings, saved.series) == (reading.findings, reading.series)
    assert sorted(small_study.rglob("*")) == before


def test_saving_into_the_dicom_folder_is_refused_in_words(
    room: ReadingRoom,
    hand: Hand,
    load: Callable[[str], None],
    small_study: Path,
    qtbot: Any,
) -> None:
    load("CT")
    hand.caliper(START, END)
    hand.key("Return")
    room.keeping.save(small_study)
    idle(room, qtbot)
    assert "inside the DICOM folder" in room.dock.message.text()
