"""The reading window: opened, looked at, measured in, saved from, as a reader would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from osteotrace.measurements.caliper import AS_DRAWN, measure
from osteotrace.regions import extent
from osteotrace_napari import keys, wording
from osteotrace_napari.canvas.drawing import CROSSES_PLANE
from osteotrace_napari.canvas.layers import PLANES
from osteotrace_napari.canvas.marks import Mark, caliper_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Finding
    from osteotrace_napari.panels.reading import ReadingPanel

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
# Rough points of the 12 mm gap of the small CT, in one axial slice.
START: Point = (0.0, -6.6, 0.0)
END: Point = (0.6, 5.2, 0.0)
GAP_MM = 12.0


def idle(panel: ReadingPanel, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not panel.busy, timeout=PATIENCE_MS)


def letters(panel: ReadingPanel) -> str:
    return "".join(panel.view.letters.values())


def drawn_points(finding: Finding) -> tuple[Point, ...]:
    (drawn,) = (r for r in finding.regions if r.role == AS_DRAWN)
    return extent(drawn)


def pixel_mm(viewer: Any) -> float:
    return float(1.0 / viewer.scene.camera.zoom)


# Opening


def test_a_folder_with_two_series_asks_which_and_says_why_one_cannot_be_read(
    panel: ReadingPanel, qtbot: Any, small_study: Path
) -> None:
    panel.open(small_study)
    assert panel.busy
    idle(panel, qtbot)
    verdicts = {h.identity.description: wording.verdict(h) for h in panel.study.headers()}
    assert verdicts == {
        "Bone 0.8": "regular, can be measured",
        "T2 sag": "regular, can be measured",
        "Scout": "a localizer",
    }
    assert panel.view.volume is None
    assert "2 series can be read" in panel.message.text()


def test_a_double_click_on_a_series_opens_it(
    panel: ReadingPanel, qtbot: Any, small_study: Path
) -> None:
    panel.open(small_study)
    idle(panel, qtbot)
    study = panel.study.topLevelItem(0)
    row = next(
        study.child(n)
        for n in range(study.childCount())
        if "T2 sag" in study.child(n).text(0)
    )
    panel.study.itemDoubleClicked.emit(row, 0)
    idle(panel, qtbot)
    assert panel.view.volume is not None
    assert panel.view.volume.identity.modality == "MR"


def test_a_folder_with_one_series_opens_it_at_once(
    panel: ReadingPanel, qtbot: Any, small_study: Path
) -> None:
    panel.open(small_study / "ct")
    idle(panel, qtbot)
    qtbot.waitUntil(lambda: panel.view.volume is not None, timeout=PATIENCE_MS)
    assert panel.view.volume is not None
    assert panel.view.volume.identity.description == "Bone 0.8"


def test_a_folder_opened_through_napari_goes_to_the_panel(
    viewer: Any, panel: ReadingPanel, qtbot: Any, small_study: Path
) -> None:
    viewer.open(small_study / "ct", plugin="osteotrace")
    qtbot.waitUntil(lambda: panel.view.volume is not None, timeout=PATIENCE_MS)
    assert [layer.name for layer in viewer.layers] == ["Bone 0.8"]


def test_a_dropped_folder_opens_without_a_question(
    viewer: Any, panel: ReadingPanel, qtbot: Any, small_study: Path, tmp_path: Path
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
    qtbot.waitUntil(lambda: panel.view.volume is not None, timeout=PATIENCE_MS)
    np.save(tmp_path / "points.npy", np.zeros((4, 4)))
    drop(tmp_path / "points.npy")
    assert "points" in viewer.layers


def test_a_sample_opens_with_the_panel(
    viewer: Any, qtbot: Any, small_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from osteotrace_napari import sample_data
    from osteotrace_napari.window import reading_panel

    monkeypatch.setattr(sample_data, "sample_folder", lambda name: small_study)
    viewer.open_sample("osteotrace", "maxilla_after_ct")
    panel = reading_panel(viewer)
    qtbot.waitUntil(lambda: panel.view.volume is not None, timeout=PATIENCE_MS)
    assert [layer.name for layer in viewer.layers] == ["Bone 0.8"]
    assert letters(panel) == "RLAP"


def test_junk_is_one_clear_line_and_the_window_goes_on(
    panel: ReadingPanel,
    qtbot: Any,
    load: Callable[[str], None],
    tmp_path: Path,
) -> None:
    junk = tmp_path / "junk"
    junk.mkdir()
    for content in (None, "text.txt"):
        if content is not None:
            (junk / content).write_text("no image")
        panel.open(junk)
        idle(panel, qtbot)
        said = panel.message.text()
        assert "expected" in said
        assert "Traceback" not in said
        assert "\n" not in said
    load("CT")
    assert panel.view.volume is not None


def test_a_series_that_is_refused_says_so_and_shows_nothing(
    panel: ReadingPanel, qtbot: Any, small_study: Path
) -> None:
    panel.open(small_study)
    idle(panel, qtbot)
    scout = next(h for h in panel.study.headers() if h.verdicts == ("localizer",))
    panel.load(scout)
    idle(panel, qtbot)
    assert "localizer" in panel.message.text()
    assert panel.view.volume is None


# Looking


def test_a_volume_opens_in_its_own_plane_with_its_letters(
    viewer: Any, panel: ReadingPanel, load: Callable[[str], None]
) -> None:
    sides = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}
    for modality, plane in (("CT", "axial"), ("MR", "sagittal")):
        load(modality)
        assert panel.view.plane_view.plane == plane
        assert letters(panel) == sides[plane]
        for name, expected in sides.items():
            panel.controls.planes[name].click()
            assert letters(panel) == expected


def test_every_slice_of_every_plane_can_be_reached(
    viewer: Any, panel: ReadingPanel, load: Callable[[str], None]
) -> None:
    load("CT")
    assert panel.view.volume is not None
    for plane in PLANES:
        panel.view.set_plane(plane)
        last = panel.view.slice_count - 1
        panel.view.go_to_slice(10_000)
        assert panel.view.slice_index == last
        axis = panel.view.plane_view.order[0]
        shown = viewer.layers[0]._slice.image.view
        kept = np.moveaxis(panel.view.volume.voxels, axis, 0)[last]
        assert sorted(shown.ravel()) == sorted(kept.ravel())


def test_windows_follow_the_modality(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    assert tuple(panel.view.image.contrast_limits) == (-500, 1500)
    hand.key("F2")
    assert tuple(panel.view.image.contrast_limits) == (-160, 240)
    panel.controls.windows[0].click()
    assert tuple(panel.view.image.contrast_limits) == (-500, 1500)
    load("MR")
    values = panel.view.image.data
    whole = tuple(panel.view.image.contrast_limits)
    assert whole == pytest.approx(np.percentile(values, [1, 99.5]), abs=1)
    hand.key("F4")
    bright = tuple(panel.view.image.contrast_limits)
    assert bright == pytest.approx(np.percentile(values, [40, 99.9]), abs=1)
    hand.key("F5")
    assert tuple(panel.view.image.contrast_limits) == whole


def test_the_canvas_says_who_what_where_and_research_use(
    viewer: Any, panel: ReadingPanel, load: Callable[[str], None]
) -> None:
    load("CT")
    panel.view.go_to_slice(10)
    said = panel.view.place_text
    for part in ("P-", "CT Bone 0.8", "axial 11 / 20", "S 0.0 mm", "W 2000  L 500"):
        assert part in said
    assert "TEST-1" not in said
    assert "Research use only" in said
    assert str(viewer.layers[0].units[0]) == "millimeter"


def test_a_right_drag_changes_the_window_and_not_the_zoom(
    viewer: Any, panel: ReadingPanel, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    zoom = viewer.scene.camera.zoom
    start, end = hand.pixel(START), hand.pixel(END)
    qtbot.mousePress(hand.canvas, hand.right, pos=start)
    hand.move(end, button=hand.right)
    qtbot.mouseRelease(hand.canvas, hand.right, pos=end)
    assert viewer.scene.camera.zoom == zoom
    assert panel.view.window.level != 500


def test_three_hundred_slice_changes_leave_the_last_one_right(
    viewer: Any, panel: ReadingPanel, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    hand.caliper(START, END)
    for n in range(300):
        panel.view.go_to_slice(n % panel.view.slice_count)
        if n % 50 == 0:
            panel.view.set_plane(PLANES[n // 50 % 3])
        qtbot.wait(1)
    panel.view.set_plane("axial")
    panel.view.go_to([START, END])
    assert panel.view.texts == [wording.value(panel.session.findings[0])]


# Measuring


def test_a_dragged_caliper_is_the_librarys_number_bit_for_bit(
    viewer: Any, panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    assert panel.view.volume is not None
    start, end = drawn_points(finding)
    half_pixel = pixel_mm(viewer)
    assert np.abs(np.subtract(start, START)).max() <= half_pixel
    assert np.abs(np.subtract(end, END)).max() <= half_pixel
    library = measure(panel.view.volume, start, end)
    assert finding.measurements == library.measurements
    assert finding.regions == library.regions
    first = finding.measurements[0]
    assert str(first) == str(library.value)
    assert panel.findings.table.item(0, 3).text() == wording.amount(library.value)  # type: ignore[arg-type]
    assert panel.view.texts == [wording.amount(library.value)]  # type: ignore[arg-type]
    assert library.value.value == pytest.approx(GAP_MM, abs=0.05)  # type: ignore[union-attr]


def test_a_fast_flick_ends_where_the_button_was_released(
    viewer: Any, panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    panel.view.go_to([START, END])
    panel.controls.snap.click()
    hand.key("Shift+C")
    hand.flick(START, END)
    (finding,) = panel.session.findings
    length = np.linalg.norm(np.subtract(START, END))
    assert finding.measurements[0].value == pytest.approx(  # type: ignore[union-attr]
        length, abs=2 * pixel_mm(viewer)
    )


def test_two_clicks_make_a_caliper_with_a_live_value_between_them(
    viewer: Any, panel: ReadingPanel, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    panel.view.go_to([START, END])
    hand.key("Shift+C")
    hand.click(START)
    assert not panel.session.findings
    hand.move(hand.pixel((0.5, 4.0, 0.0)))
    hand.move(hand.pixel(END))
    qtbot.waitUntil(lambda: bool(panel.view.texts), timeout=PATIENCE_MS)
    assert panel.view.texts[0].endswith("mm")
    hand.click(END)
    (finding,) = panel.session.findings
    assert np.abs(np.subtract(drawn_points(finding), (START, END))).max() <= (
        pixel_mm(viewer)
    )
    assert panel.view.texts == [wording.value(finding)]


def test_a_double_click_is_no_caliper(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    hand.key("Shift+C")
    hand.click(START)
    qtbot.mouseDClick(hand.canvas, hand.left, pos=hand.pixel(START))
    assert not panel.session.findings


def test_escape_drops_the_first_point_and_then_puts_the_caliper_away(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    hand.key("Shift+C")
    hand.click(START)
    hand.key("Esc")
    assert (panel.tool.start, panel.tool.active) == (None, True)
    hand.key("Esc")
    assert (panel.tool.active, panel.controls.caliper.isChecked()) == (False, False)
    assert not panel.session.findings


def test_a_caliper_that_cannot_be_fitted_is_kept_as_drawn_and_says_why(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    # Both ends lie in soft tissue, far from any wall.
    finding = hand.caliper((-15.0, 0.0, 0.0), (15.0, 0.0, 0.0))
    assert wording.state(finding) == wording.NOT_MEASURED
    (label,) = panel.view.texts
    assert label.startswith("not measured; as drawn 30.")
    assert panel.message.text().startswith("CAL-1: not measured: ")
    assert panel.findings.table.item(0, 4).text() == wording.NOT_MEASURED


def test_a_caliper_beyond_the_image_is_one_clear_line(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    panel.tool.set_active(True)
    hand.drag([(-26.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
    assert not panel.session.findings
    assert "expected" in panel.message.text()


def test_a_caliper_is_shown_in_every_plane_that_passes_it_and_no_other_frame(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    text = wording.value(finding)
    for plane in PLANES:
        panel.view.set_plane(plane)
        panel.view.go_to([START, END])
        crosses = CROSSES_PLANE if plane == "coronal" else ""
        assert panel.view.texts == [text + crosses]
        assert panel.view.scene_picture().strokes
    panel.view.set_plane("axial")
    panel.view.go_to_slice(0)
    assert panel.view.texts == []
    assert not panel.view.scene_picture().strokes
    load("MR")
    panel.view.go_to_slice(4)
    assert panel.view.texts == []


def test_a_caliper_stays_in_sight_where_it_was_drawn(
    panel: ReadingPanel, load: Callable[[str], None]
) -> None:
    load("CT")
    assert panel.view.volume is not None
    to_patient = panel.view.volume.grid.to_patient
    drawn, fitted = (
        tuple(tuple(point) for point in to_patient([[k, 30, 20], [k, 60, 20]]).tolist())
        for k in (9.0, 10.4)
    )
    mark = Mark(lines=caliper_lines(drawn, fitted), text="1 mm")
    panel.view.show_marks([mark])
    seen = []
    for k in range(panel.view.slice_count):
        panel.view.go_to_slice(k)
        if panel.view.texts:
            seen.append(k)
    assert seen == [9, 10]


# Findings


def test_kind_and_site_are_chosen_from_the_vocabulary_and_kept_for_the_next(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    first = hand.caliper(START, END)
    for field, key in (("kind", "palatal_bony_defect"), ("site", "hard_palate")):
        combo = panel.findings.combos[field]
        combo.setCurrentIndex(combo.findData(key))
        combo.activated.emit(combo.currentIndex())
    edited = panel.session.finding(first.tracking_uid)
    assert (edited.kind, edited.site) == ("palatal_bony_defect", "hard_palate")
    assert panel.findings.table.item(0, 1).text() == "Palatal bony defect"
    assert panel.findings.table.item(0, 2).text() == "Hard palate structure"
    second = hand.caliper(END, START)
    assert (second.kind, second.site) == (edited.kind, edited.site)


def test_delete_undo_and_redo_by_key_and_button(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)

    def findings() -> list[Finding]:
        return list(panel.session.findings)

    hand.key("Shift+Del")
    assert findings() == []
    assert panel.view.texts == []
    hand.key("Ctrl+Z")
    assert findings() == [finding]
    panel.undo.click()
    assert findings() == []
    hand.key("Ctrl+Shift+Z")
    assert findings() == [finding]
    assert panel.view.texts == [wording.value(finding)]


def test_a_click_on_a_finding_goes_to_its_slice_and_series(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    there = panel.view.slice_index
    panel.view.go_to_slice(0)
    panel.findings.table.cellClicked.emit(0, 0)
    assert panel.view.slice_index == there
    load("MR")
    panel.findings.table.cellClicked.emit(0, 0)
    idle(panel, qtbot)
    assert panel.header is not None
    assert panel.header.identity.modality == "CT"
    assert panel.view.slice_index == there
    assert panel.findings.current == finding.tracking_uid


def test_a_reading_is_there_again_in_the_next_window(
    panel: ReadingPanel,
    hand: Hand,
    load: Callable[[str], None],
    small_study: Path,
) -> None:
    from osteotrace.session import Session

    load("CT")
    finding = hand.caliper(START, END)
    panel.session.close()
    again = Session()
    again.load(again.open(small_study).choose("2.25.1002"))
    assert again.findings == (finding,)
    again.close()


# Keys


def test_every_key_reaches_its_command_whichever_layer_is_active(
    viewer: Any,
    panel: ReadingPanel,
    hand: Hand,
    load: Callable[[str], None],
) -> None:
    load("CT")
    called: list[str] = []
    commands = {
        command: (lambda command=command: called.append(command))
        for command, _, _ in keys.KEYS
    }
    for target in (viewer, *viewer.layers):
        keys.bind(target, commands)
    for layer in (panel.view.image, None):
        viewer.layers.selection.active = layer
        called.clear()
        for _, key, _ in keys.KEYS:
            hand.key(keys.shown(key))
        assert called == [command for command, _, _ in keys.KEYS]


def test_naparis_menus_leave_our_keys_to_the_canvas(
    panel: ReadingPanel, hand: Hand
) -> None:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QKeyEvent, QKeySequence
    from qtpy.QtWidgets import QApplication

    def claimed(key: str) -> bool:
        combination = QKeySequence(key)[0]
        event = QKeyEvent(
            QEvent.Type.ShortcutOverride,
            combination.key(),
            combination.keyboardModifiers(),
        )
        event.ignore()
        QApplication.sendEvent(hand.canvas, event)
        return bool(event.isAccepted())

    assert all(claimed(keys.shown(key)) for _, key, _ in keys.KEYS)
    assert not claimed("Ctrl+O")


def test_a_key_of_naparis_own_tools_never_loses_a_finding(
    viewer: Any, panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    for key in ("5", "Ctrl+A", "3", "1", "Del", "Backspace", "L", "Ctrl+Del"):
        viewer.layers.selection.active = panel.view.image
        hand.key(key)
        hand.key("PgUp")
        hand.key("PgDown")
        assert panel.session.findings == (finding,), key
        assert panel.view.texts == [wording.value(finding)], key
        assert panel.view.scene_picture().strokes, key


def test_without_its_image_the_window_is_empty_and_the_reading_stays(
    viewer: Any, panel: ReadingPanel, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    viewer.layers.remove(panel.view.image)
    assert panel.view.texts == []
    assert letters(panel) == ""
    hand.key("Shift+C")
    hand.key("F2")
    assert panel.session.findings == (finding,)
    load("CT")
    panel.view.go_to([START, END])
    assert panel.view.texts == [wording.value(finding)]


# Saving


def test_a_saved_reading_reads_back_equal_beside_the_folder(
    panel: ReadingPanel,
    hand: Hand,
    load: Callable[[str], None],
    small_study: Path,
) -> None:
    from osteotrace.records import sr

    load("CT")
    hand.caliper(START, END)
    before = sorted(small_study.rglob("*"))
    reading = panel.session.assessment
    hand.key("Ctrl+S")
    said = panel.message.text()
    assert said.startswith("Saved ")
    path = said.removeprefix("Saved ")
    assert str(small_study.parent / "osteotrace-records") in path
    assert sr.read(Path(path)) == reading
    assert sorted(small_study.rglob("*")) == before


def test_saving_into_the_dicom_folder_is_refused_in_words(
    panel: ReadingPanel, hand: Hand, load: Callable[[str], None], small_study: Path
) -> None:
    load("CT")
    hand.caliper(START, END)
    panel.save_record(small_study)
    assert "inside the DICOM folder" in panel.message.text()
