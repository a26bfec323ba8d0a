# mypy: allow-subclassing-any
"""A button for each kind of finding, with its key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QGridLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from osteotrace_napari import keys
from osteotrace_napari.colours import LIVE_COLOUR, QUIET_COLOUR

if TYPE_CHECKING:
    from collections.abc import Container

# Tool and what its button says; the first rows are always in sight.
TOOLS: Final = (
    ("caliper", "Caliper"),
    ("palatal_defect", "Palatal defect"),
    ("sequestra", "Sequestra"),
    ("moth_eaten", "Moth-eaten"),
    ("vertebra", "Vertebra"),
    ("angle", "Angle"),
    ("intensity", "Region"),
    ("mask", "Mask"),
)
MORE: Final = (
    ("levels", "Label the vertebrae"),
    ("gas", "Gas"),
    ("soft_tissue_gap", "Soft-tissue gap"),
    ("sclerotic_rim", "Sclerotic rim"),
    ("periosteal_reaction", "Periosteal reaction"),
    ("marrow_edema", "Marrow edema"),
    ("expansion", "Bone expansion"),
    ("cement", "Bone cement"),
    ("landmarks", "Plane through landmarks"),
)
_A_ROW: Final = 4
_HEIGHT_PX: Final = 42
_SPACING_PX: Final = 4


class ToolButtons(QWidget):
    """Takes tools up: a button a kind, the rarer ones in a menu.

    Signals
    -------
    chosen : str
        Name of the tool, as in `osteotrace_napari.keys.COMMANDS`.
    """

    chosen = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, _ToolButton] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(_SPACING_PX)
        for n, (name, title) in enumerate(TOOLS):
            made = _ToolButton(title)
            made.clicked.connect(partial(self._clicked, name))
            self.buttons[name] = made
            layout.addWidget(made, n // _A_ROW, n % _A_ROW)
        self.menu = QMenu(self)
        self.actions_of: dict[str, QAction] = {}
        for name, title in MORE:
            action = QAction(title, self.menu)
            action.triggered.connect(partial(self._clicked, name))
            self.menu.addAction(action)
            self.actions_of[name] = action
        self.more = _ToolButton("More")
        self.more.clicked.connect(self._show_menu)
        rows = len(TOOLS) // _A_ROW
        self.more.setFixedHeight(rows * _HEIGHT_PX + (rows - 1) * _SPACING_PX)
        layout.addWidget(self.more, 0, _A_ROW, rows, 1)
        for column in range(_A_ROW):
            layout.setColumnStretch(column, 4)
        layout.setColumnStretch(_A_ROW, 2)
        self.show_keys()

    def offer(self, names: Container[str]) -> None:
        """Offer these tools only: what a room does not have cannot be taken up."""
        for name, made in self.buttons.items():
            made.setEnabled(name in names)
        for name, action in self.actions_of.items():
            action.setVisible(name in names)

    def show_keys(self) -> None:
        """Show the keys as they are now."""
        for name, made in self.buttons.items():
            made.show_key(keys.key_of(name))
            made.setToolTip(keys.command_of(name).title)
        for name, title in MORE:
            key = keys.key_of(name)
            self.actions_of[name].setText(f"{title}\t{key}" if key else title)

    def show_tool(self, name: str) -> None:
        """Show which tool is in hand; none for an empty name."""
        for tool, made in self.buttons.items():
            made.setChecked(tool == name)
        rare = dict(MORE).get(name, "")
        self.more.setChecked(bool(rare))
        self.more.setToolTip(rare)

    def _clicked(self, name: str, *_: object) -> None:
        # The room says what is in hand; a click alone does not.
        if name in self.buttons:
            self.buttons[name].setChecked(not self.buttons[name].isChecked())
        self.chosen.emit(name)

    def _show_menu(self) -> None:
        self.more.setChecked(not self.more.isChecked())
        self.menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))


class _ToolButton(QPushButton):
    """A button with its key below its name."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCheckable(True)
        self.setFixedHeight(_HEIGHT_PX)
        self.setStyleSheet(
            f"QPushButton:checked {{ border: 1px solid {LIVE_COLOUR}; }}"
            " QLabel { background: transparent; padding: 0; }"
        )
        self.key = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(0)
        for label in (QLabel(title), self.key):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            layout.addWidget(label)
        self.key.setStyleSheet(f"color: {QUIET_COLOUR}; font-size: 8pt;")
        self.key.hide()

    def show_key(self, key: str) -> None:
        """Show the key below the name."""
        self.key.setText(key)
        self.key.setVisible(bool(key))
