"""Keys in the real room: every canvas, a user's own layers, form, help, settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from tests.fixtures.stacks import IRREGULAR, volume_on

from osteotrace_napari import keys
from osteotrace_napari.canvas.display import RESAMPLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

# Rough points of the 12 mm gap of the small CT, in one axial slice.
START: Point = (0.0, -6.6, 0.0)
END: Point = (0.6, 5.2, 0.0)
PATIENCE_MS = 60_000
# What napari's Shapes, Points and Labels do on bare keys.
LAYER_KEYS = (*"1234567LEPFZXMSADRTI", "Del", "Backspace", "Ctrl+A", "Ctrl+V", "Space")


@pytest.fixture(autouse=True)
def own_keys() -> Iterator[None]:
    """Leave the keys as they were."""
    before = keys.changed()
    yield
    keys.use(before)


def press(qtbot: Any, target: Any, key: str) -> None:
    from qtpy.QtGui import QKeySequence

    combination = QKeySequence(key)[0]
    target.setFocus()
    qtbot.keyClick(target, combination.key(), combination.keyboardModifiers())


def activate(room: ReadingRoom, qtbot: Any) -> None:
    """Have the room's window be the one that keys go to."""
    window = room.viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE_MS)


def in_hand(room: ReadingRoom) -> str:
    """Return the name of the tool in hand, empty without one."""
    return "" if room.pointer.tool is None else room.pointer.tool.name


def listen(room: ReadingRoom) -> list[str]:
    """Let every command of the room say its name instead."""
    called: list[str] = []
    commands = room.keyboard.commands
    room.keyboard.commands = {name: partial(called.append, name) for name in commands}
    return called


def users_layers(viewer: Any, scale: Any) -> dict[str, Any]:
    """Add layers as a user does, with something selected in each."""
    made = {
        "shapes": viewer.add_shapes(
            [[[10, 20, 20], [10, 30, 30]]], shape_type="line", scale=scale
        ),
        "points": viewer.add_points([[10, 20, 20], [10, 30, 30]], scale=scale),
        "labels": viewer.add_labels(
            viewer.layers[0].data.astype("uint8") * 0, scale=scale
        ),
    }
    made["shapes"].selected_data = {0}
    made["points"].selected_data = {0}
    return made


def test_every_key_of_the_room_works_on_every_canvas_and_with_every_layer_active(
    room: ReadingRoom, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    room.keyboard.press("linked_views")
    qtbot.waitUntil(lambda: len(room.views) == 3)
    layers = list(room.viewer.layers)
    layers += users_layers(room.viewer, room.viewer.layers[0].scale).values()
    called = listen(room)
    held = {k: c for k, c in keys.present().items() if c in room.keyboard.commands}
    assert len(held) > 50
    wrong = []
    for layer in (*layers, None):
        room.viewer.layers.selection.active = layer
        canvases = [view.qt_viewer.canvas.native for view in room.views]
        # The other canvases have layers of their own: once is enough.
        for canvas in canvases if layer is None else canvases[:1]:
            for key, command in held.items():
                called.clear()
                press(qtbot, canvas, key)
                if called != [command]:
                    wrong.append((str(layer), key, list(called)))
    assert wrong == []


def test_naparis_own_keys_change_no_finding_and_no_mark(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    finding = hand.caliper(START, END)
    made = users_layers(room.viewer, room.viewer.layers[0].scale)
    before = room.view.visible_marks
    assert [mark.uid for mark in before] == [finding.tracking_uid]
    for layer in (*made.values(), room.view.image, None):
        room.viewer.layers.selection.active = layer
        for key in LAYER_KEYS:
            press(qtbot, hand.canvas, key)
            assert room.session.findings == (finding,), key
            if layer is room.view.image:
                assert room.view.image in room.viewer.layers, key
                assert room.view.image.visible, key
    room.view.go_to([START, END])
    assert room.view.visible_marks == before


def lies(view: ReadingView) -> tuple[object, ...]:
    """Return how the image of a view lies, and whether it is seen."""
    image, dims = view.image, view.viewer.dims
    place = (np.asarray(image.affine.affine_matrix), image.scale, image.translate)
    return (
        *(tuple(np.ravel(each).tolist()) for each in place),
        (str(image.mode), image.visible, dims.ndisplay, tuple(dims.order)),
        view.viewer.canvas.grid.enabled,
    )


def try_to_move(room: ReadingRoom, qtbot: Any) -> list[tuple[str, str]]:
    """Press napari's keys on every canvas and drag; return what moved an image."""
    moved: list[tuple[str, str]] = []
    for view in room.views:
        canvas, before = view.qt_viewer.canvas.native, lies(view)
        for active in (view.image, None):
            for key in ("2", "V", "Shift+V", "Ctrl+Y", "Ctrl+T", "Ctrl+Alt+T"):
                view.viewer.layers.selection.active = active
                press(qtbot, canvas, key)
                middle = canvas.rect().center()
                qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
                qtbot.wait(20)
                qtbot.mouseMove(canvas, middle + QPoint(40, 20))
                qtbot.mouseRelease(
                    canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(40, 20)
                )
                if lies(view) != before:
                    moved.append((view.plane_view.plane, key))
    return moved


def test_no_key_of_naparis_moves_turns_or_hides_an_image_of_ours(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    assert try_to_move(room, qtbot) == [], "as loaded"
    load("MR")
    assert try_to_move(room, qtbot) == [], "another series"
    hand.key("Alt+1")
    hand.key("F6")
    assert len(room.views) == 3
    assert try_to_move(room, qtbot) == [], "linked views"
    hand.key("F6")
    grid = IRREGULAR["tilted by +14° about rows"]
    room.arrangement.show(volume_on(grid, np.zeros(grid.shape, np.int16)))
    room.arrangement.set_plane("coronal")
    assert room.view.badges == (RESAMPLED,)
    assert try_to_move(room, qtbot) == [], "a plane that is resampled"


def test_no_button_of_naparis_moves_turns_or_tilts_an_image_of_ours(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    hand.key("F6")
    for view in room.views:
        before, viewer, image = lies(view), view.viewer, view.image
        viewer.dims.ndisplay = 3
        viewer.dims.order = viewer.dims.order[::-1]
        viewer.canvas.grid.enabled = True
        image.mode = "transform"
        image.affine = np.eye(4) * 1.1
        image.translate = (3.0, 0.0, 0.0)
        assert lies(view) == before
    room.viewer.layers.clear()
    # What is not ours is napari's to show.
    room.viewer.dims.ndisplay = 3
    assert room.viewer.dims.ndisplay == 3


def test_the_ends_of_nothing_are_no_place_to_go(room: ReadingRoom, hand: Hand) -> None:
    for key in ("Home", "End", "PgUp", "Alt+1"):
        hand.key(key)
    assert room.view.volume is None


def test_enter_in_the_form_takes_the_field_and_accepts_nothing(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    load("CT")
    activate(room, qtbot)
    finding = hand.caliper(START, END)
    uid = finding.tracking_uid
    hand.key("Ctrl+E")
    field = QApplication.focusWidget()
    assert field is room.dock.findings.form.fields["site"]
    qtbot.keyClicks(field, "upper jaw")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert room.session.finding(uid).site == "maxilla"
    assert not room.session.held_finding(uid).accepted
    assert hand.canvas.hasFocus()
    hand.key("Enter")
    assert room.session.held_finding(uid).accepted


def test_escape_in_the_form_leaves_the_tool_in_hand(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    load("CT")
    activate(room, qtbot)
    hand.caliper(START, END)
    hand.key("Shift+C")
    assert in_hand(room) == "caliper"
    hand.key("Ctrl+E")
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert in_hand(room) == "caliper"
    assert hand.canvas.hasFocus()


def test_a_note_half_typed_is_kept_when_the_reader_goes_on(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    load("CT")
    activate(room, qtbot)
    uid = hand.caliper(START, END).tracking_uid
    note = room.dock.findings.form.fields["note"]
    note.setFocus()
    qtbot.keyClicks(note, "seen twice")
    qtbot.keyClick(note, Qt.Key.Key_F2)
    assert room.session.finding(uid).note == "seen twice"


def test_the_overview_opens_on_a_question_mark_and_goes_with_any_key(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    load("CT")
    activate(room, qtbot)
    hand.key("?")
    overlay = QApplication.focusWidget()
    assert overlay.objectName() == "help_overlay"
    assert "caliper" in overlay.words()
    qtbot.keyClick(overlay, Qt.Key.Key_C, Qt.KeyboardModifier.ShiftModifier)
    assert overlay.isHidden()
    assert in_hand(room) == ""
    assert hand.canvas.hasFocus()


def test_a_key_changed_in_the_settings_works_at_once_and_is_shown(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    from osteotrace_napari.panels.settings import SettingsDialog

    load("CT")
    hand.key("Ctrl+K")
    (dialog,) = room.viewer.window._qt_window.findChildren(SettingsDialog)
    dialog.take_key("caliper", "Ctrl+L")
    dialog.accept()
    hand.key("Shift+C")
    assert in_hand(room) == ""
    hand.key("Ctrl+L")
    assert in_hand(room) == "caliper"
    assert room.dock.findings.tools.buttons["caliper"].key.text() == "Ctrl+L"


def test_a_slab_is_made_changed_and_put_away_by_keys(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None]
) -> None:
    load("CT")
    seen = []
    for key in ("Shift+S", "Shift+Up", "Shift+S", "Shift+Down", "Shift+S"):
        hand.key(key)
        mm, mode = room.view.slab
        seen.append((mm, mode if mm else ""))
        assert room.dock.controls.slab.currentData()[0] == mm
    assert seen == [(3.0, "mean"), (5.0, "mean"), (5.0, "max"), (3.0, "max"), (0.0, "")]


def test_settings_of_the_last_time_hold_in_the_next_window(
    viewer: Any, qtbot: Any, small_study: Path
) -> None:
    from osteotrace_napari import settings
    from osteotrace_napari.window import reading_room

    settings.save(
        settings.Settings(
            keys={"undo": "Ctrl+L"}, reader="Reader A", first_windows={"CT": "window_2"}
        )
    )
    keys.use({})
    room = reading_room(viewer)
    assert room.dock.undo.text().endswith("Ctrl+L")
    assert room.session.reader == "Reader A"
    room.opening.open(small_study / "ct")
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    assert room.view.window.name == "Soft tissue"
    room.set_window(0)
    room.keyboard.press("reset")
    assert room.view.window.name == "Soft tissue"
