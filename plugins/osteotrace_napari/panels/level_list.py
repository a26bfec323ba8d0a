# mypy: allow-subclassing-any
"""The labelled vertebrae: which is which, how many there are, and confirming both."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from osteotrace.session.level_labels import gaps
from osteotrace.session.levels import column
from osteotrace_napari import keys
from osteotrace_napari.colours import (
    CHOSEN_COLOUR,
    LINE_COLOUR,
    LIVE_COLOUR,
    QUIET_COLOUR,
    STATE_COLOURS,
    WARNING_COLOUR,
)
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.wording import ACCEPTED

if TYPE_CHECKING:
    from collections.abc import Collection

    from osteotrace.session import Levels

# What a reader may count, and what it means for `osteotrace.session.levels.counted`.
COUNTS: Final[dict[str, dict[str, Any]]] = {
    "12 thoracic, 5 lumbar": {"thoracic": 12, "lumbar": 5, "transitional": ()},
    "S1 lumbarised, counted as L6": {
        "thoracic": 12,
        "lumbar": 6,
        "transitional": ("L6",),
    },
    "L5 sacralised": {"thoracic": 12, "lumbar": 5, "transitional": ("L5",)},
    "4 lumbar": {"thoracic": 12, "lumbar": 4, "transitional": ()},
    "13 thoracic: T13": {"thoracic": 13, "lumbar": 5, "transitional": ("T13",)},
    "11 thoracic": {"thoracic": 11, "lumbar": 5, "transitional": ()},
}
# Of a label before one of them was named.
UNNAMED: Final = "not named"
_LEVEL_ROLE: Final = Qt.ItemDataRole.UserRole
_ROWS_PX: Final = 172
_SAID_LINES: Final = 2


class LevelList(QWidget):
    """Labels from head to foot, and what can be said of them.

    Signals
    -------
    label_asked : ()
        The reader wants to label vertebrae.
    chosen : str
        A level was clicked: it is measured next.
    named : int, str
        Which label, and what it is called.
    shifted : int
        So many levels further down.
    counted : dict
        Keywords of `osteotrace.session.levels.counted`.
    removed : int
        Which label.
    confirmed : ()
    """

    label_asked = Signal()
    chosen = Signal(str)
    named = Signal(int, str)
    shifted = Signal(int)
    counted = Signal(object)
    removed = Signal(int)
    confirmed = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        # The label that was clicked; none after labels came or went.
        self._picked = -1
        self._make_list()
        self._make_names()
        self.count = _combo("How many vertebrae there are, and any transitional level")
        for words, counts in COUNTS.items():
            self.count.addItem(words, counts)
        self.count.activated.connect(
            lambda _: self.counted.emit(dict(self.count.currentData()))
        )
        self.confirm = button("Confirm levels")
        self.confirm.clicked.connect(self.confirmed)
        self.said = QLabel()
        self.said.setWordWrap(True)
        # What is said moves nothing that is below it.
        self.said.setMinimumHeight(_SAID_LINES * self.said.fontMetrics().lineSpacing())
        self.said.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._arrange()
        self.show_levels(None)

    def _make_list(self) -> None:
        self.levels = QListWidget()
        self.levels.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.levels.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.levels.setStyleSheet(
            f"QListView {{ background: transparent; border: 1px solid {LINE_COLOUR}; }}"
            f"QListView::item:selected {{ background: {CHOSEN_COLOUR}; }}"
            "QListView::item { padding: 2px 4px; }"
        )
        self.levels.setFixedHeight(_ROWS_PX)
        self.levels.itemClicked.connect(self._clicked)

    def _make_names(self) -> None:
        """Make what names the vertebrae."""
        self.label = button("Label", key=keys.key_of("levels"), checkable=True)
        self.label.clicked.connect(self.label_asked)
        self.name = _combo("What the selected vertebra is called; the others follow")
        self.name.addItem("is called …", "")
        for level in column(13, 6)[:-4]:
            self.name.addItem(level, level)
        self.name.activated.connect(self._named)
        self.up = button("↑ one level")
        self.up.setToolTip("Every name one level further up: L1 becomes T12")
        self.up.clicked.connect(partial(self._shift, -1))
        self.down = button("↓ one level")
        self.down.setToolTip("Every name one level further down: L1 becomes L2")
        self.down.clicked.connect(partial(self._shift, 1))
        self.remove = button("Remove")
        self.remove.setToolTip("Take the selected label away")
        self.remove.clicked.connect(lambda: self.removed.emit(self._selected()))

    def show_levels(
        self,
        levels: Levels | None,
        *,
        chosen: str = "",
        measured: Collection[str] = (),
        labelling: bool = False,
    ) -> None:
        """Show labels, the level that is measured next, and those that are measured."""
        if levels is None or len(levels.labels) != self.levels.count():
            self._picked = -1
        self.label.setChecked(labelling)
        self._fill(levels, chosen if not labelling else "", measured)
        there = levels is not None and bool(levels.labels)
        is_named = levels is not None and levels.is_named
        for widget in (self.name, self.remove, self.count):
            widget.setEnabled(there)
        for widget in (self.up, self.down):
            widget.setEnabled(is_named)
        done = levels is not None and levels.confirmed
        self.confirm.setEnabled(is_named and not done)
        self.confirm.setText("Levels confirmed" if done else "Confirm levels")
        self.name.setCurrentIndex(0)
        self._show_count(levels)
        self._say(levels)

    def _fill(
        self, levels: Levels | None, chosen: str, measured: Collection[str]
    ) -> None:
        self.levels.clear()
        transitional = () if levels is None else levels.transitional
        for label in () if levels is None else levels.labels:
            name = label.level or UNNAMED
            done = "   measured" if label.level in measured else ""
            odd = "   transitional" if label.level in transitional else ""
            item = QListWidgetItem(f"{name}{odd}{done}")
            item.setData(_LEVEL_ROLE, label.level)
            if label.level and label.level == chosen:
                item.setForeground(QColor(LIVE_COLOUR))
            elif done:
                item.setForeground(QColor(STATE_COLOURS[ACCEPTED]))
            self.levels.addItem(item)
        names = () if levels is None else levels.names
        # The lowest is what is named most often: the sacrum tells it.
        row = last = len(names) - 1
        if 0 <= self._picked <= last:
            row = self._picked
        elif chosen and chosen in names:
            row = names.index(chosen)
        self.levels.setCurrentRow(row)

    def _show_count(self, levels: Levels | None) -> None:
        now = levels and {
            "thoracic": levels.thoracic,
            "lumbar": levels.lumbar,
            "transitional": levels.transitional,
        }
        known = [n for n, counts in enumerate(COUNTS.values()) if counts == now]
        self.count.setCurrentIndex(known[0] if known else 0)

    def _say(self, levels: Levels | None) -> None:
        words, colour = "", QUIET_COLOUR
        if levels is None or not levels.labels:
            words = "No level is labelled. Click once into each visible vertebral body."
        elif not any(levels.names):
            words = "Select one of them and say what it is called; the others follow."
        elif gaps(levels):
            words, colour = "; ".join(gaps(levels)), WARNING_COLOUR
        elif not levels.confirmed:
            words = "Check names and count, then confirm."
        self.said.setText(words)
        self.said.setStyleSheet(f"color: {colour};")

    def _selected(self) -> int:
        return int(self.levels.currentRow())

    def _clicked(self, item: QListWidgetItem) -> None:
        level = str(item.data(_LEVEL_ROLE))
        self._picked = self.levels.row(item)
        # While labels are made, a click picks one to be named.
        if level and not self.label.isChecked():
            self.chosen.emit(level)

    def _named(self, *_: object) -> None:
        level = str(self.name.currentData())
        if level and self._selected() >= 0:
            self.named.emit(self._selected(), level)

    def _shift(self, by: int, *_: object) -> None:
        self.shifted.emit(by)

    def _arrange(self) -> None:
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        top = QHBoxLayout()
        top.setSpacing(4)
        for widget in (self.label, self.confirm):
            top.addWidget(widget)
        layout.addLayout(top, 0, 0, 1, 2)
        layout.addWidget(self.levels, 1, 0, 5, 1)
        for n, widget in enumerate(
            (self.name, self.up, self.down, self.remove, self.count), start=1
        ):
            layout.addWidget(widget, n, 1)
        layout.addWidget(self.said, 6, 0, 1, 2)
        layout.setColumnStretch(0, 1)
        layout.setColumnStretch(1, 1)


def _combo(tip: str) -> QComboBox:
    made = QComboBox()
    made.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    made.setToolTip(tip)
    return made
