# mypy: allow-subclassing-any
"""The keyboard of the reading room: keys caught before napari's layers and menus.

napari asks its menus first, then the active layer, then the viewer, and each canvas has a
viewer of its own; a key bound there works or not by what is selected. Keys are taken
here where Qt delivers them, on every canvas alike, so that they do the same whichever
layer is active and whichever canvas has the focus. In a field of the panel they stay the
field's own, but for those that no field uses.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QTextEdit

from osteotrace_napari import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LEAVING: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
# The widget's own property that says what its keys are.
_PLACE: Final = "osteotrace_keys"


class _Place(Enum):
    CANVAS = "every key is a command"
    PANEL = "what a field leaves over; napari gets none of it"
    NAPARI = "what napari's own fields leave over"
    FIELD = "keys that no field uses, before a list takes them as its search"


class Keyboard(QObject):
    """Runs commands by their present keys.

    Parameters
    ----------
    commands : mapping of str to callable
        What each command of `keys.COMMANDS` does; one without an entry has no key.
    parent : QObject
        What it lives as long as.
    before : callable, optional
        Called before each command: what is half typed in a form is taken first.
    leave : callable, optional
        Called where Enter or Esc is pressed in a panel: the keys go to the canvas again.
    """

    def __init__(
        self,
        commands: Mapping[str, Callable[[], object]],
        *,
        parent: QObject,
        before: Callable[[], object] | None = None,
        leave: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self.commands = dict(commands)
        self._before = before
        self._leave = leave
        self._held = keys.present()
        self._panels: list[Any] = []
        QApplication.instance().focusChanged.connect(self._focus_moved)

    def refresh(self) -> None:
        """Take the keys as they are now, after a reader changed them."""
        self._held = keys.present()

    def watch_viewer(self, qt_viewer: Any) -> None:
        """Take the keys of a canvas, and of the window that holds it."""
        self._watch(qt_viewer.canvas.native, _Place.CANVAS)
        self._watch(qt_viewer, _Place.CANVAS)

    def watch_window(self, qt_window: Any) -> None:
        """Take the keys of a napari window: its canvas, layer docks and menus."""
        qt_viewer = qt_window._qt_viewer
        self.watch_viewer(qt_viewer)
        self._watch(qt_window, _Place.CANVAS)
        # The list deletes layers on any Delete, Shift or not.
        self._watch(qt_viewer.layers, _Place.CANVAS)
        for dock in (qt_viewer.dockLayerList, qt_viewer.dockLayerControls):
            self._watch(dock, _Place.NAPARI)

    def watch_panel(self, panel: Any) -> None:
        """Take from a panel the keys that its fields leave over."""
        self._panels.append(panel)
        self._watch(panel, _Place.PANEL)

    def press(self, name: str) -> None:
        """Do a command as if its key were pressed."""
        if self._before is not None:
            self._before()
        self.commands[name]()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take a key press, and before it the menus' chance at the key."""
        kind = event.type()
        if kind not in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            return False
        place = _Place[watched.property(_PLACE)]
        command = self._command_at(event, place)
        if kind == QEvent.Type.ShortcutOverride:
            if command is not None:
                event.accept()
            return command is not None
        return self._pressed(event, place, command)

    def _pressed(self, event: Any, place: _Place, command: str | None) -> bool:
        if command is None:
            if place is _Place.PANEL and event.key() in _LEAVING and self._leave:
                self._leave()
            return place is _Place.PANEL
        if not event.isAutoRepeat() or keys.command_of(command).repeats:
            self.press(command)
        return True

    def _command_at(self, event: Any, place: _Place) -> str | None:
        if place is not _Place.CANVAS and keys.is_text(event):
            return None
        command = self._held.get(keys.text_of(event.keyCombination()))
        return command if command in self.commands else None

    def _focus_moved(self, _: Any, field: Any) -> None:
        """Take the keys of a field that has the focus; those of text stay its own."""
        if isinstance(field, (QLineEdit, QTextEdit, QAbstractSpinBox, type(None))):
            return
        if any(panel.isAncestorOf(field) for panel in self._panels):
            self._watch(field, _Place.FIELD)

    def _watch(self, widget: QObject, place: _Place) -> None:
        widget.setProperty(_PLACE, place.name)
        widget.installEventFilter(self)


def guard(guarded: Any) -> None:
    """Let none of napari's own keys act on one of our layers, or on its viewer.

    They paint, delete and turn behind the journal's back: ``2`` takes napari's brush up,
    ``Ctrl+Y`` makes the view three-dimensional. A user's own layers keep their keys.
    """
    # napari asks every action for its name, so a function and not `...`.
    guarded.bind_key(..., _nothing, overwrite=True)


def release(guarded: Any) -> None:
    """Leave the keys to napari again."""
    guarded.bind_key(..., None, overwrite=True)


def _nothing(_guarded: Any) -> None:
    """Do what napari's own keys are to do on our layers."""
