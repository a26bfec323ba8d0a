"""Keys: each does its command on every canvas, whichever layer is active.

Real key presses on the canvas widgets; no key is called by its function.
"""

from __future__ import annotations

import gc
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.protocol.entries import TABLES
from osteotrace_napari import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace_napari.keyboard import Keyboard

LAYERS = ("image", "labels", "shapes", "points", "vectors", "none")
# What napari's layers and viewer do on keys that are none of ours.
NAPARI_KEYS = (*"1234567LEPFZXMSADRTICVBYO", "Del", "Backspace", "Ctrl+A", "Ctrl+V")
# For slow machines; nothing waits this long that goes well.
PATIENCE_MS = 60_000
EVERY_KEY = tuple(keys.present({}).items())


@pytest.fixture(autouse=True)
def own_keys() -> Iterator[None]:
    """Leave the keys as they were."""
    before = keys.changed()
    keys.use({})
    yield
    keys.use(before)


# The table


def test_no_two_commands_have_one_key() -> None:
    keys.check({})
    every = [key for c in keys.COMMANDS for key in (c.key, *c.also)]
    assert len(set(every)) == len(every)


def test_every_command_has_a_name_a_group_and_words() -> None:
    assert len({c.name for c in keys.COMMANDS}) == len(keys.COMMANDS)
    for command in keys.COMMANDS:
        assert command.group in keys.GROUPS
        assert command.title
        assert keys.plain(command.key) == command.key


def test_every_measurement_of_a_protocol_has_a_key() -> None:
    names = {command.name for command in keys.COMMANDS}
    # A body and its reference are marked with the vertebra's tool.
    assert set(TABLES) - names == set()


def test_no_key_is_one_that_naparis_layers_use_bare() -> None:
    from napari.utils.shortcuts import default_shortcuts

    bare = {
        keys.plain(str(key))
        for action, held in default_shortcuts.items()
        for key in held
        if "viewer" not in action and "+" not in str(key)
    }
    # Enter and Esc end what is being drawn there, as they do here.
    assert set(keys.present({})) & bare <= {"Return", "Esc", "", "Left", "Right"}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Enter", "Return"),
        ("Shift+?", "?"),
        ("ctrl+shift+z", "Ctrl+Shift+Z"),
        ("PgDown", "PgDown"),
        ("nonsense key", ""),
        ("", ""),
    ],
)
def test_a_key_has_one_spelling(written: str, key: str) -> None:
    assert keys.plain(written) == key


def test_a_changed_key_takes_the_place_of_the_old_one() -> None:
    keys.use({"caliper": "Ctrl+L"})
    held = keys.present()
    assert held["Ctrl+L"] == "caliper"
    assert "Shift+C" not in held
    assert keys.key_of("caliper") == "Ctrl+L"


def test_a_key_that_another_command_has_is_refused_by_its_name() -> None:
    with pytest.raises(OsteotraceError, match=r"Shift\+Q.*sequestra in a region"):
        keys.use({"caliper": "Shift+Q"})
    assert keys.key_of("caliper") == "Shift+C"


def test_two_commands_may_change_their_keys_over() -> None:
    keys.use({"caliper": "Shift+Q", "sequestra": "Shift+C"})
    assert keys.present()["Shift+C"] == "sequestra"


def test_a_command_may_be_left_without_a_key() -> None:
    keys.use({"gas": "", "cement": ""})
    assert keys.key_of("gas") == ""
    assert set(keys.present().values()).isdisjoint({"gas", "cement"})


# The keyboard


class Room:
    """A napari window with every kind of layer, and a hand that listens."""

    def __init__(self, viewer: Any, qtbot: Any) -> None:
        from osteotrace_napari.keyboard import Keyboard, guard

        self.viewer, self.qtbot = viewer, qtbot
        self.called: list[str] = []
        self.layers = {
            "image": viewer.add_image(np.zeros((4, 20, 20), np.int16)),
            "labels": viewer.add_labels(np.zeros((4, 20, 20), np.uint8)),
            "shapes": viewer.add_shapes([[[0, 2, 2], [0, 8, 8]]], shape_type="line"),
            "points": viewer.add_points([[0, 3, 3], [0, 9, 9]]),
            "vectors": viewer.add_vectors(np.ones((1, 2, 3))),
            "none": None,
        }
        # Shapes, points and vectors are a user's own.
        for name in ("image", "labels"):
            guard(self.layers[name])
        self.keyboard: Keyboard = Keyboard(
            {c.name: partial(self.called.append, c.name) for c in keys.COMMANDS},
            parent=viewer.window._qt_window,
        )
        self.keyboard.watch_window(viewer.window._qt_window)
        self.beside: Any = None

    def open_beside(self) -> Any:
        """Put a second canvas up, as linked views have them, and return it."""
        from napari.components import ViewerModel
        from napari.qt import QtViewer

        model = ViewerModel()
        self.beside = QtViewer(model)
        model.add_image(np.zeros((4, 20, 20), np.int16))
        self.keyboard.watch_viewer(self.beside)
        self.beside.show()
        return self.beside

    @property
    def canvas(self) -> Any:
        return self.viewer.window._qt_viewer.canvas.native

    def activate(self, name: str) -> None:
        self.viewer.layers.selection.active = self.layers[name]
        if name in ("shapes", "points"):
            self.layers[name].selected_data = {0}

    def press(self, key: str, target: Any = None) -> list[str]:
        """Press a key and return the commands it was."""
        from qtpy.QtGui import QKeySequence

        combination = QKeySequence(key)[0]
        target = self.canvas if target is None else target
        target.setFocus()
        self.called.clear()
        self.qtbot.keyClick(
            target, combination.key(), combination.keyboardModifiers(), delay=0
        )
        return list(self.called)

    def state(self) -> tuple[object, ...]:
        """Return what a key of napari's could have changed on our own layers."""
        return (
            *(self.layers[name].mode for name in ("image", "labels")),
            self.layers["labels"].selected_label,
            self.layers["labels"].data.any(),
            self.layers["image"] in self.viewer.layers,
            self.layers["image"].visible,
            self.viewer.dims.ndisplay,
            self.viewer.dims.order,
        )


@pytest.fixture
def room(request: pytest.FixtureRequest, loaded: None, qtbot: Any) -> Iterator[Room]:
    """Give a window with layers; its second canvas is gone before napari counts them."""
    if not os.environ.get("DISPLAY"):
        pytest.fail("no display: run it under xvfb-run, as make test does")
    made = Room(request.getfixturevalue("make_napari_viewer")(show=True), qtbot)
    yield made
    if made.beside is None:
        return
    made.beside.close()
    made.beside.deleteLater()
    made.beside = None
    qtbot.wait(1)
    gc.collect()


@pytest.mark.plugin
def test_every_key_does_its_command_whichever_layer_is_active(room: Room) -> None:
    wrong = []
    for name in LAYERS:
        room.activate(name)
        for key, command in EVERY_KEY:
            if room.press(key) != [command]:
                wrong.append((name, key, room.called))
    assert wrong == []
    # None of them reached the layer: all are as they were.
    assert len(room.layers["shapes"].data) == 1
    assert len(room.layers["points"].data) == 2
    assert room.viewer.dims.ndisplay == 2


@pytest.mark.plugin
def test_every_key_does_its_command_while_another_canvas_has_the_focus(
    room: Room,
) -> None:
    beside = room.open_beside()
    for target in (beside.canvas.native, beside):
        assert {key: room.press(key, target) for key, _ in EVERY_KEY} == {
            key: [command] for key, command in EVERY_KEY
        }


@pytest.mark.plugin
def test_every_key_does_its_command_while_the_layer_list_has_the_focus(
    room: Room,
) -> None:
    listed = room.viewer.window._qt_viewer.layers
    before = len(room.viewer.layers)
    for key, command in EVERY_KEY:
        assert room.press(key, listed) == [command], key
    assert len(room.viewer.layers) == before


@pytest.mark.plugin
def test_both_enter_keys_are_one_and_a_sign_needs_no_shift_told(room: Room) -> None:
    from qtpy.QtCore import Qt

    room.canvas.setFocus()
    for key, held, command in (
        (Qt.Key.Key_Enter, Qt.KeyboardModifier.KeypadModifier, "accept"),
        (Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier, "help"),
        (Qt.Key.Key_Question, Qt.KeyboardModifier.NoModifier, "help"),
    ):
        room.called.clear()
        room.qtbot.keyClick(room.canvas, key, held)
        assert room.called == [command]


@pytest.mark.plugin
def test_naparis_own_keys_do_nothing_to_our_layers(room: Room) -> None:
    for name in ("image", "labels"):
        room.activate(name)
        before = room.state()
        for key in (*NAPARI_KEYS, "Ctrl+Y", "Ctrl+Del", "Shift+1", "Space"):
            assert room.press(key) == [], key
            assert room.state() == before, key


@pytest.mark.plugin
def test_naparis_own_keys_on_a_users_layer_are_no_commands_of_ours(room: Room) -> None:
    for name in ("shapes", "points"):
        room.activate(name)
        before = room.state()
        for key in NAPARI_KEYS:
            assert room.press(key) == [], key
        assert room.state() == before


@pytest.mark.plugin
def test_naparis_menus_leave_our_keys_to_us_and_keep_their_own(room: Room) -> None:
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
        QApplication.sendEvent(room.canvas, event)
        return bool(event.isAccepted())

    assert all(claimed(key) for key, _ in EVERY_KEY)
    assert not claimed("Ctrl+O")
    assert not claimed("Alt+S")


@pytest.mark.plugin
def test_a_changed_key_works_and_the_old_one_is_free(room: Room) -> None:
    keys.use({"caliper": "Ctrl+L"})
    room.keyboard.refresh()
    assert room.press("Ctrl+L") == ["caliper"]
    room.activate("image")
    assert room.press("Shift+C") == []


@pytest.mark.plugin
def test_a_command_that_the_room_does_not_have_leaves_its_key_to_napari(
    room: Room,
) -> None:
    del room.keyboard.commands["mask_interpolate"]
    room.activate("shapes")
    assert room.press("Ctrl+I") == []


@pytest.mark.plugin
def test_a_key_held_down_scrolls_on_and_measures_once(room: Room) -> None:
    from qtpy.QtCore import QEvent, Qt
    from qtpy.QtGui import QKeyEvent
    from qtpy.QtWidgets import QApplication

    def hold(key: Any, held: Any) -> list[str]:
        room.called.clear()
        for again in (False, True, True):
            QApplication.sendEvent(
                room.canvas, QKeyEvent(QEvent.Type.KeyPress, key, held, "", again)
            )
        return list(room.called)

    none, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
    assert hold(Qt.Key.Key_PageDown, none) == ["slice_on"] * 3
    assert hold(Qt.Key.Key_C, shift) == ["caliper"]
    assert hold(Qt.Key.Key_Return, none) == ["accept"]


# A panel beside the canvas


@pytest.fixture
def panel(room: Room) -> Any:
    """Give a panel in napari's dock: a line of text, a list, a number, a tick box."""
    from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox, QVBoxLayout
    from qtpy.QtWidgets import QWidget as Widget

    made = Widget()
    made.fields = [QLineEdit(), QComboBox(), QSpinBox(), QCheckBox()]
    made.fields[1].addItems(["left", "right"])
    layout = QVBoxLayout(made)
    for field in made.fields:
        layout.addWidget(field)
    room.viewer.window.add_dock_widget(made, name="panel", area="right")
    room.keyboard.watch_panel(made)
    window = room.viewer.window._qt_window
    window.activateWindow()
    room.qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE_MS)
    return made


@pytest.mark.plugin
def test_enter_and_typing_in_a_field_are_no_commands(room: Room, panel: Any) -> None:
    for field in panel.fields:
        for key in ("Return", "Esc", "Shift+C", "Shift+Del", "N", "Shift+N", "?", "Up"):
            assert room.press(key, field) == [], (field, key)
    assert panel.fields[0].text().lower() == "cnn?"


@pytest.mark.plugin
def test_keys_that_no_field_uses_are_commands_there_too(room: Room, panel: Any) -> None:
    for field in panel.fields:
        for key, command in (
            ("F2", "window_2"),
            ("F6", "linked_views"),
            ("Ctrl+S", "save"),
            ("Ctrl+Shift+C", "copy_text"),
            ("Ctrl+G", "mask_grow"),
        ):
            assert room.press(key, field) == [command], (field, key)


@pytest.mark.plugin
def test_what_a_field_leaves_over_never_reaches_naparis_layers(
    room: Room, panel: Any
) -> None:
    room.activate("shapes")
    for key in ("3", "Del", "Backspace", "L"):
        for field in panel.fields[1:]:
            room.press(key, field)
    assert len(room.layers["shapes"].data) == 1
    assert str(room.layers["shapes"].mode) == "pan_zoom"


@pytest.mark.plugin
def test_enter_and_escape_in_a_panel_give_the_keys_back(room: Room, qtbot: Any) -> None:
    from qtpy.QtWidgets import QCheckBox

    from osteotrace_napari.keyboard import Keyboard

    left: list[str] = []
    box = QCheckBox()
    qtbot.addWidget(box)
    keyboard = Keyboard({}, parent=box, leave=partial(left.append, "left"))
    keyboard.watch_panel(box)
    for key in ("Return", "Esc", "Space"):
        room.press(key, box)
    assert left == ["left", "left"]


@pytest.mark.plugin
def test_what_is_half_typed_is_taken_before_a_command(room: Room, qtbot: Any) -> None:
    from qtpy.QtWidgets import QLineEdit

    from osteotrace_napari.keyboard import Keyboard

    order: list[str] = []
    field = QLineEdit()
    qtbot.addWidget(field)
    keyboard = Keyboard(
        {"save": partial(order.append, "saved")},
        parent=field,
        before=partial(order.append, "taken"),
    )
    keyboard.watch_panel(field)
    room.press("Ctrl+S", field)
    assert order == ["taken", "saved"]
