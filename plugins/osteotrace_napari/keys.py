"""The keys of the reading panel, bound where napari looks first.

napari asks the active layer before the viewer, and its menus before both; so every key
is bound on the viewer and on each of our layers, and menu shortcuts that take one of our
keys are overridden while the window is a reading window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QKeySequence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Command, key in napari's spelling, what it does.
KEYS: Final[tuple[tuple[str, str, str], ...]] = (
    ("window_1", "F1", "bone window (CT)"),
    ("window_2", "F2", "soft-tissue window (CT)"),
    ("window_3", "F3", "window of the whole signal (MR)"),
    ("window_4", "F4", "window of the bright signal (MR)"),
    ("reset", "F5", "reset window and zoom"),
    ("layout", "F9", "napari's own layer docks"),
    ("axial", "Alt-1", "axial plane"),
    ("coronal", "Alt-2", "coronal plane"),
    ("sagittal", "Alt-3", "sagittal plane"),
    ("caliper", "Shift-C", "caliper"),
    ("cancel", "Escape", "cancel the caliper"),
    ("slices_back", "Shift-PageUp", "ten slices back"),
    ("slices_on", "Shift-PageDown", "ten slices on"),
    ("slice_back", "PageUp", "one slice back"),
    ("slice_on", "PageDown", "one slice on"),
    ("next", "N", "next finding"),
    ("previous", "Shift-N", "previous finding"),
    ("delete", "Shift-Delete", "delete the finding"),
    ("undo", "Control-Z", "undo"),
    ("redo", "Control-Shift-Z", "redo"),
    ("save", "Control-S", "save the reading as DICOM SR"),
)

# napari's names of keys, and those that people and Qt read.
_SHOWN: Final = {
    "Control": "Ctrl",
    "Delete": "Del",
    "PageUp": "PgUp",
    "PageDown": "PgDown",
    "Escape": "Esc",
    "-": "+",
}


def bind(target: Any, commands: Mapping[str, Callable[[], object]]) -> None:
    """Bind every key on a viewer or a layer."""
    for command, key, _ in KEYS:
        target.bind_key(key, _calling(commands[command]), overwrite=True)


def _calling(command: Callable[[], object]) -> Callable[[Any], None]:
    def call(_target: Any) -> None:
        command()

    return call


def shown(key: str) -> str:
    """Return a key as people read it: ``Ctrl+Z``."""
    for napari_name, name in _SHOWN.items():
        key = key.replace(napari_name, name)
    return key


def key_of(command: str) -> str:
    """Return the key of a command as people read it."""
    return next(shown(key) for name, key, _ in KEYS if name == command)


class MenuOverride(QObject):  # type: ignore[misc]
    """Keeps napari's menus from taking our keys before the canvas sees them."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._ours = {QKeySequence(shown(key)).toString() for _, key, _ in KEYS}

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Claim our keys from the menus; Qt then sends them as plain key presses."""
        if event.type() == QEvent.Type.ShortcutOverride:
            sequence = QKeySequence(event.keyCombination())
            if sequence.toString() in self._ours:
                event.accept()
                return True
        return False
