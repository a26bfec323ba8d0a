# mypy: allow-subclassing-any
"""Buttons of what is seen: window presets, planes, views and the slab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QComboBox, QGridLayout, QHBoxLayout, QWidget

from osteotrace_napari import keys
from osteotrace_napari.canvas.layers import PLANES
from osteotrace_napari.panels.buttons import button

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace_napari.canvas.windows import Window

# Thickness offered for a slab, mm; none is a single slice.
SLABS_MM: Final = (0.0, 3.0, 5.0, 10.0, 20.0)
# How a slab is shown: the library's name and what is read.
SLAB_MODES: Final = {"mean": "mean", "max": "maximum"}
SPACING_PX: Final = 4


class Controls(QWidget):
    """Rows of buttons above the tabs.

    Signals
    -------
    window_chosen : int
        Number of the preset.
    plane_chosen : str
    linked_toggled, beside_toggled : bool
        Three linked planes; two series side by side.
    slab_chosen : float, str
        Thickness in mm, 0 for a single slice; a key of `SLAB_MODES`.
    """

    window_chosen = Signal(int)
    plane_chosen = Signal(str)
    linked_toggled = Signal(bool)
    beside_toggled = Signal(bool)
    slab_chosen = Signal(float, str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.windows: list[Any] = []
        self._window_row = _row()
        self._group = QButtonGroup(self)
        self.planes: dict[str, Any] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(SPACING_PX)
        for number, line in enumerate(
            (self._window_row, self._plane_row(), self._view_row())
        ):
            layout.addLayout(line, number, 0)
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

    def show_state(
        self, *, plane: str, window: str, linked: bool = False, beside: bool = False
    ) -> None:
        """Show which plane, window and arrangement are on."""
        if plane in self.planes:
            self.planes[plane].setChecked(True)
        for made in self.windows:
            made.setChecked(bool(window) and made.text().split("   ")[0] == window)
        for made, on in ((self.linked, linked), (self.beside, beside)):
            made.blockSignals(True)
            made.setChecked(on)
            made.blockSignals(False)

    def show_slab(self, mm: float, mode: str) -> None:
        """Show how thick a slab is seen, and how."""
        for number in range(self.slab.count()):
            listed_mm, listed_mode = self.slab.itemData(number)
            if listed_mm == mm and (not mm or listed_mode == mode):
                self.slab.setCurrentIndex(number)

    def _plane_row(self) -> QHBoxLayout:
        row = _row()
        for plane in PLANES:
            made = button(plane.capitalize(), key=keys.key_of(plane), checkable=True)
            made.clicked.connect(lambda _, plane=plane: self.plane_chosen.emit(plane))
            self._group.addButton(made)
            self.planes[plane] = made
            row.addWidget(made)
        return row

    def _view_row(self) -> QHBoxLayout:
        self.linked = button(
            "Three planes", key=keys.key_of("linked_views"), checkable=True
        )
        self.linked.toggled.connect(self.linked_toggled)
        self.beside = button(
            "Side by side", key=keys.key_of("side_by_side"), checkable=True
        )
        self.beside.toggled.connect(self.beside_toggled)
        self.slab = QComboBox()
        self.slab.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.slab.setToolTip(
            "Slab: the mean or maximum over a thickness across the plane"
        )
        self.slab.addItem("one slice", (0.0, "mean"))
        for mode, words in SLAB_MODES.items():
            for mm in SLABS_MM[1:]:
                self.slab.addItem(f"{words} of {mm:g} mm", (mm, mode))
        self.slab.activated.connect(
            lambda _: self.slab_chosen.emit(*self.slab.currentData())
        )
        row = _row()
        for made in (self.linked, self.beside, self.slab):
            row.addWidget(made)
        return row


def _row() -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(SPACING_PX)
    return row
