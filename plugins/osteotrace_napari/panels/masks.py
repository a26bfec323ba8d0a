# mypy: allow-subclassing-any
"""The mask in hand: brush, levels, what it becomes; and the labels of a file."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from osteotrace.session.mask_parts import MASK_KEYS
from osteotrace_napari import keys
from osteotrace_napari.colours import QUIET_COLOUR
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.label_list import LabelList

if TYPE_CHECKING:
    from osteotrace_napari.tools.mask import MaskBrush

# What a painted mask can be recorded as; a vertebra needs its level, and has labels.
RECORDED_AS: Final = (
    "intensity",
    *(t for t in MASK_KEYS if t not in ("intensity", "vertebra")),
)
# Levels before the reader sets any: bone on CT, and no upper end.
FIRST_LOW: Final = 300.0
FARTHEST: Final = 32768.0
NO_END: Final = "no end"
STEP: Final = 25.0
_SPACING_PX: Final = 4


class LevelField(QDoubleSpinBox):
    """A grey value; its farthest ones are open ends."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.setDecimals(0)
        self.setRange(-FARTHEST, FARTHEST)
        self.setSingleStep(STEP)
        self.setValue(value)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    @property
    def level(self) -> float:
        """The value, infinite at an open end."""
        value = float(self.value())
        return math.copysign(math.inf, value) if abs(value) >= FARTHEST else value

    def textFromValue(self, value: float) -> str:
        """Return what stands in the field."""
        return NO_END if abs(value) >= FARTHEST else f"{value:.0f}"


class MaskPanel(QWidget):
    """How masks are painted and recorded.

    Signals
    -------
    asked : str
        A command of `osteotrace_napari.keys`.
    recorded, cleared, taken_in_hand, levels_asked : ()
        The mask in hand is to be recorded or cleared, that of the selected finding taken
        in hand, or the level of its bone proposed.
    kind_chosen : str
        What the mask will be recorded as.
    """

    asked = Signal(str)
    recorded = Signal()
    cleared = Signal()
    taken_in_hand = Signal()
    levels_asked = Signal()
    kind_chosen = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.brush = QLabel()
        self.smaller = self._command("−", "mask_smaller")
        self.larger = self._command("+", "mask_larger")
        self.erase = self._command("Erase", "mask_erase", checkable=True)
        self.low, self.high = LevelField(FIRST_LOW), LevelField(FARTHEST)
        self.unit = QLabel()
        self.bone = button("Bone here")
        self.bone.setToolTip("The level half way between soft tissue and this bone")
        self.bone.clicked.connect(self.levels_asked)
        self.threshold = self._command("Threshold", "mask_threshold")
        self.threshold.setToolTip("Keep what lies between the levels in the mask")
        self.grow = self._command("Grow", "mask_grow", checkable=True)
        self.grow.setToolTip("Click a point: what hangs together with it is added")
        self.fill = self._command("Fill between slices", "mask_interpolate")
        self.clear = button("Clear")
        self.clear.clicked.connect(self.cleared)
        self.kinds = QComboBox()
        self.kinds.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        for tool in RECORDED_AS:
            title = keys.command_of(tool).title
            self.kinds.addItem(f"{title[:1].upper()}{title[1:]}", tool)
        self.kinds.activated.connect(lambda _: self.kind_chosen.emit(self.recorded_as))
        self.record = button("Record", key=keys.key_of("accept"))
        self.record.clicked.connect(self.recorded)
        self.take = button("Mask of the selected finding in hand")
        self.take.clicked.connect(self.taken_in_hand)
        self.labels = LabelList()
        self._arrange()
        self.show_hand(is_begun=False)

    @property
    def levels(self) -> tuple[float, float]:
        """The levels that a threshold and a growth lie between."""
        return self.low.level, self.high.level

    @property
    def recorded_as(self) -> str:
        """The tool that a mask is recorded with, a key of `mask_parts.MASK_KEYS`."""
        return str(self.kinds.currentData())

    def show_brush(self, brush: MaskBrush) -> None:
        """Show the size of the brush, and what a drag does."""
        self.brush.setText(f"Brush {brush.radius:.1f} mm")
        self.erase.setChecked(brush.erases)
        self.grow.setChecked(brush.grows)

    def show_low(self, low: float) -> None:
        """Show a lower level that was proposed."""
        self.low.setValue(round(low))

    def show_hand(self, *, is_begun: bool, unit: str = "") -> None:
        """Show whether a mask is in hand, and the unit of the levels."""
        self.unit.setText("HU" if unit == "[hnsf'U]" else "")
        for made in (self.threshold, self.fill, self.clear, self.record, self.bone):
            made.setEnabled(is_begun)

    def _command(self, text: str, name: str, *, checkable: bool = False) -> Any:
        made = button(text, checkable=checkable)
        made.setToolTip(keys.key_of(name))
        made.clicked.connect(partial(self._ask, name))
        return made

    def _ask(self, name: str, *_: object) -> None:
        self.asked.emit(name)

    def _arrange(self) -> None:
        # What only a mask in hand needs.
        self.brushes = QWidget()
        layout = QVBoxLayout(self.brushes)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(_SPACING_PX)
        layout.addLayout(_row(self.brush, self.smaller, self.larger, self.erase))
        grid = QGridLayout()
        grid.setSpacing(_SPACING_PX)
        for column, widget in enumerate(
            (_quiet("from"), self.low, _quiet("to"), self.high, self.unit, self.bone)
        ):
            grid.addWidget(widget, 0, column)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        layout.addLayout(grid)
        layout.addLayout(_row(self.threshold, self.grow, self.fill, self.clear))
        layout.addWidget(self.take)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(_SPACING_PX)
        outer.addWidget(self.brushes)
        outer.addLayout(_row(_quiet("as"), self.kinds, self.record))
        outer.addWidget(self.labels)


def _quiet(text: str) -> QLabel:
    made = QLabel(text)
    made.setStyleSheet(f"color: {QUIET_COLOUR};")
    return made


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(_SPACING_PX)
    for widget in widgets:
        row.addWidget(widget, stretch=isinstance(widget, QComboBox))
    return row
