# mypy: allow-subclassing-any
"""The Measure tab: the tool in hand, what it says now, levels, the selected finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QScrollArea,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from osteotrace.codes import QUANTITIES
from osteotrace.measurements.angle import ANGLES
from osteotrace.measurements.measurement import NotMeasured
from osteotrace.session.levels import column
from osteotrace_napari import keys, wording
from osteotrace_napari.colours import LIVE_COLOUR, QUIET_COLOUR, WARNING_COLOUR
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.level_list import LevelList
from osteotrace_napari.panels.masks import MaskPanel

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from osteotrace.findings import Finding
    from osteotrace.measurements.measurement import Reading
    from osteotrace.protocol.entries import VertebraEntry
    from osteotrace.session import Levels
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.tools.tool import Tool

NOTHING_IN_HAND: Final = "No tool in hand."
NOTHING_SELECTED: Final = "No finding is selected."
# Levels whose body has two endplates: C3 to the last lumbar one.
_WITH_BODY: Final = column(13, 6)[2:-5]
# Keys of a vertebra's entry that a reader says, and how they read.
_SAID_OF_VERTEBRAE: Final = {"fractured": "Fractured", "cemented": "Bone cement"}
_OF_THE_SPINE: Final = ("levels", "vertebra")
_SPACING_PX: Final = 4
_PROMPT_LINES: Final = 3
_STYLE: Final = """
QTreeView { background: transparent; border: 0; }
QTreeView::item { padding: 3px 0; }
"""


class MeasureTab(QWidget):
    """What is being measured, and every value of what was.

    Signals
    -------
    snap_chosen : bool
        Whether calipers move onto edges.
    angle_chosen : str
        One of `osteotrace.measurements.angle.ANGLES`.
    level_chosen : str
        The vertebra that is measured next.
    said_of_vertebra : str, bool
        Key of the selected vertebra's entry, ``fractured`` or ``cemented``, and whether.
    """

    snap_chosen = Signal(bool)
    angle_chosen = Signal(str)
    level_chosen = Signal(str)
    said_of_vertebra = Signal(str, bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.title = QLabel()
        self.prompt = _quiet()
        # A hint of another length moves no button under the mouse.
        lines = _PROMPT_LINES * self.prompt.fontMetrics().lineSpacing()
        self.prompt.setMinimumHeight(lines)
        self.prompt.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.live = QLabel()
        self.live.setWordWrap(True)
        hidden = self.live.sizePolicy()
        hidden.setRetainSizeWhenHidden(True)
        self.live.setSizePolicy(hidden)
        self.live.setStyleSheet(f"color: {LIVE_COLOUR};")
        self.snapped = button("snaps to edges", key=keys.key_of("snap"), checkable=True)
        self.as_drawn = button("as drawn", checkable=True)
        self.angles = QComboBox()
        self.level = QComboBox()
        self.modes = QStackedWidget()
        self._mode_of: dict[str, QWidget] = {
            "": QWidget(),
            "caliper": self._snap_row(),
            "angle": self._angle_row(),
            "vertebra": self._level_row(),
        }
        for mode in self._mode_of.values():
            self.modes.addWidget(mode)
        self.levels_title = QLabel("<b>Levels</b>")
        self._spine_in_hand = False
        self.levels = LevelList()
        self.levels.chosen.connect(self.level_chosen)
        self.masks_title = QLabel("<b>Masks</b>")
        self.masks = MaskPanel()
        self.said_of: dict[str, QCheckBox] = {}
        self.references = self._reference_row()
        self.doubts = QLabel()
        self.doubts.setWordWrap(True)
        self.doubts.setStyleSheet(f"color: {WARNING_COLOUR};")
        self.values_title = QLabel()
        self.values = _values()
        self._arrange()
        self.show_tool(None)
        self.show_live(None)
        self.show_snap(snapped=True)
        self.show_finding(None)
        self.show_vertebra(None)

    def show_tool(self, tool: Tool | None) -> None:
        """Show which tool is in hand, and what it asks for next."""
        name = "" if tool is None else tool.name
        title = keys.command_of(name).title if name else NOTHING_IN_HAND
        self.title.setText(f"<b>{title[:1].upper()}{title[1:]}</b>")
        self.prompt.setText("" if tool is None else tool.prompt)
        mode = name if name in self._mode_of else ""
        self.modes.setCurrentWidget(self._mode_of[mode])
        self.modes.setVisible(bool(mode))
        self._show_section(in_hand=name in _OF_THE_SPINE)
        self.masks.brushes.setVisible(name == "mask")
        for widget in (self.masks_title, self.masks):
            widget.setVisible(name == "mask" or self.masks.labels.is_open)

    def show_live(self, mark: Mark | None) -> None:
        """Show what the tool in hand says of what is being drawn."""
        text = "" if mark is None else mark.text
        self.live.setText(text)
        self.live.setVisible(bool(text))

    def show_snap(self, *, snapped: bool) -> None:
        """Show whether calipers move onto edges."""
        self.snapped.setChecked(snapped)
        self.as_drawn.setChecked(not snapped)

    def show_angle(self, quantity: str) -> None:
        """Show which angle is measured."""
        self.angles.setCurrentIndex(ANGLES.index(quantity))

    def show_levels(
        self,
        levels: Levels | None,
        *,
        chosen: str = "",
        measured: Collection[str] = (),
        labelling: bool = False,
    ) -> None:
        """Show the labelled vertebrae, and which of them is measured next."""
        self.level.setCurrentIndex(max(self.level.findData(chosen), 0))
        self.levels.show_levels(
            levels, chosen=chosen, measured=measured, labelling=labelling
        )
        self._show_section()

    def _show_section(self, *, in_hand: bool | None = None) -> None:
        """Show the levels where there are some, or a tool of the spine is in hand."""
        if in_hand is not None:
            self._spine_in_hand = in_hand
        shown = self._spine_in_hand or self.levels.levels.count() > 0
        for widget in (self.levels_title, self.levels):
            widget.setVisible(shown)

    def show_finding(self, finding: Finding | None) -> None:
        """Show every measurement of the selected finding."""
        self.values.clear()
        if finding is None:
            self.values_title.setText(
                f"<span style='color:{QUIET_COLOUR}'>{NOTHING_SELECTED}</span>"
            )
            return
        self.values_title.setText(
            f"<b>{finding.label}</b>  {wording.kind(finding)}, {wording.place(finding)}"
        )
        for reading in finding.measurements:
            self.values.addTopLevelItem(_row(reading))

    def show_vertebra(
        self, entry: VertebraEntry | None, doubts: Sequence[str] = ()
    ) -> None:
        """Show what is said of the selected vertebra, and what its labels say against it.

        Nothing is shown where it is none.
        """
        self.references.setVisible(entry is not None)
        self.doubts.setText("; ".join(doubts))
        self.doubts.setVisible(bool(doubts))
        for key, box in self.said_of.items():
            box.setChecked(entry is not None and bool(getattr(entry, key)))

    def _reference_row(self) -> QWidget:
        row, layout = _row_of_widgets()
        for key, words in _SAID_OF_VERTEBRAE.items():
            box = QCheckBox(words)
            box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            box.setToolTip("Then it is no reference for the heights of its neighbours")
            box.clicked.connect(
                lambda on, key=key: self.said_of_vertebra.emit(key, bool(on))
            )
            layout.addWidget(box)
            self.said_of[key] = box
        return row

    def _snap_row(self) -> QWidget:
        group = QButtonGroup(self)
        row, layout = _row_of_widgets()
        for made, snapped in ((self.snapped, True), (self.as_drawn, False)):
            group.addButton(made)
            made.clicked.connect(lambda _, on=snapped: self.snap_chosen.emit(on))
            layout.addWidget(made)
        return row

    def _angle_row(self) -> QWidget:
        for quantity in ANGLES:
            self.angles.addItem(QUANTITIES[quantity].meaning, quantity)
        self.angles.activated.connect(
            lambda _: self.angle_chosen.emit(str(self.angles.currentData()))
        )
        return _labelled("Angle", self.angles)

    def _level_row(self) -> QWidget:
        self.level.addItem("choose …", "")
        for name in _WITH_BODY:
            self.level.addItem(name, name)
        self.level.activated.connect(self._level_taken)
        return _labelled("Level", self.level)

    def _level_taken(self, *_: object) -> None:
        level = str(self.level.currentData())
        if level:
            self.level_chosen.emit(level)

    def _arrange(self) -> None:
        content = QWidget()
        # What a tool asks for never makes the window taller: a canvas that is resized
        # moves its image under the mouse.
        scrolled = QScrollArea()
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QScrollArea.Shape.NoFrame)
        scrolled.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scrolled.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scrolled.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled)
        layout = QVBoxLayout(content)
        layout.setSpacing(2 * _SPACING_PX)
        for widget in (self.title, self.prompt, self.modes, self.live):
            layout.addWidget(widget)
        layout.addWidget(self.levels_title)
        layout.addWidget(self.levels)
        layout.addWidget(self.masks_title)
        layout.addWidget(self.masks)
        layout.addWidget(self.values_title)
        layout.addWidget(self.doubts)
        layout.addWidget(self.references)
        layout.addWidget(self.values, stretch=1)


def _row(reading: Reading) -> QTreeWidgetItem:
    """Return one measurement: what, how much, and what speaks against it below."""
    what = reading.code.meaning
    if isinstance(reading, NotMeasured):
        item = QTreeWidgetItem([what, wording.NOT_MEASURED])
        item.setForeground(1, QColor(QUIET_COLOUR))
        item.setToolTip(1, reading.reason)
        item.setToolTip(0, reading.reason)
        return item
    item = QTreeWidgetItem([what, wording.amount(reading)])
    item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    said = wording.sentence([reading])
    for place in (0, 1):
        item.setToolTip(place, said)
    if reading.flags:
        item.setForeground(1, QColor(WARNING_COLOUR))
    return item


def _values() -> QTreeWidget:
    made = QTreeWidget()
    made.setColumnCount(2)
    made.setHeaderHidden(True)
    made.setStyleSheet(_STYLE)
    made.setRootIsDecorated(False)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header = made.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
    return made


def _labelled(title: str, widget: QWidget) -> QWidget:
    row, layout = _row_of_widgets()
    label = QLabel(title)
    label.setStyleSheet(f"color: {QUIET_COLOUR};")
    widget.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    layout.addWidget(label)
    layout.addWidget(widget, stretch=1)
    return row


def _row_of_widgets() -> tuple[QWidget, QHBoxLayout]:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(_SPACING_PX)
    return row, layout


def _quiet() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setStyleSheet(f"color: {QUIET_COLOUR};")
    return label
