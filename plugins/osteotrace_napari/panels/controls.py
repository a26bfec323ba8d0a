# mypy: allow-subclassing-any
"""Window, plane and caliper buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QPushButton, QWidget

from osteotrace_napari import keys
from osteotrace_napari.canvas.layers import PLANES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace_napari.canvas.windows import Window


def button(text: str, *, key: str = "", checkable: bool = False) -> QPushButton:
    """Return a push button that leaves the keys to the canvas."""
    made = QPushButton(f"{text}   {key}" if key else text)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setCheckable(checkable)
    made.setMinimumHeight(30)
    return made


class Controls(QWidget):
    """Rows of buttons above the lists.

    Signals
    -------
    window_chosen : int
        Number of the preset.
    plane_chosen : str
    caliper_toggled, snap_toggled : bool
    """

    window_chosen = Signal(int)
    plane_chosen = Signal(str)
    caliper_toggled = Signal(bool)
    snap_toggled = Signal(bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.windows: list[QPushButton] = []
        self._window_row = QHBoxLayout()
        self._window_row.setSpacing(4)
        planes = QHBoxLayout()
        planes.setSpacing(4)
        self._group = QButtonGroup(self)
        self.planes: dict[str, QPushButton] = {}
        for plane in PLANES:
            made = button(plane.capitalize(), key=keys.key_of(plane), checkable=True)
            made.clicked.connect(lambda _, plane=plane: self.plane_chosen.emit(plane))
            self._group.addButton(made)
            self.planes[plane] = made
            planes.addWidget(made)
        self.caliper = button("Caliper", key=keys.key_of("caliper"), checkable=True)
        self.caliper.toggled.connect(self.caliper_toggled)
        self.snap = button("Snap to edges", checkable=True)
        self.snap.setChecked(True)
        self.snap.setToolTip("Off: the length is taken between the points as drawn.")
        self.snap.toggled.connect(self.snap_toggled)
        tools = QHBoxLayout()
        tools.setSpacing(4)
        tools.addWidget(self.caliper, stretch=3)
        tools.addWidget(self.snap, stretch=2)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(4)
        for row, line in enumerate((self._window_row, planes, tools)):
            layout.addLayout(line, row, 0)
        self.setEnabled(False)

    def offer_windows(self, presets: Sequence[Window], *, first_key: int) -> None:
        """Offer window presets, on function keys from the first one on."""
        for old in self.windows:
            self._window_row.removeWidget(old)
            old.deleteLater()
        self.windows = []
        for n, preset in enumerate(presets):
            made = button(preset.name, key=f"F{first_key + n}", checkable=True)
            made.setToolTip(f"W {preset.width:.0f}  L {preset.level:.0f}")
            made.clicked.connect(lambda _, n=n: self.window_chosen.emit(n))
            self._window_row.addWidget(made)
            self.windows.append(made)

    def show_state(self, *, plane: str, window: str, caliper: bool) -> None:
        """Show which plane, window and tool are on."""
        self.planes[plane].setChecked(True)
        for made, text in ((b, b.text()) for b in self.windows):
            made.setChecked(bool(window) and text.split("   ")[0] == window)
        self.caliper.blockSignals(True)
        self.caliper.setChecked(caliper)
        self.caliper.blockSignals(False)
