# mypy: allow-subclassing-any
"""The labels of a file on the series shown: what each is, named anew, and recorded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from osteotrace.session.levels import column
from osteotrace_napari.colours import (
    CHOSEN_COLOUR,
    LINE_COLOUR,
    QUIET_COLOUR,
    WARNING_COLOUR,
)
from osteotrace_napari.panels.buttons import button

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.session.opened_labels import OpenedLabels

NO_LEVEL: Final = "—"
NO_LABELS: Final = "No label file is open on this series."
_NUMBER: Final = Qt.ItemDataRole.UserRole
_ROWS_PX: Final = 150


class LabelList(QWidget):
    """Labels of a file, and what can be done with them.

    Signals
    -------
    opened : ()
        A file is to be chosen.
    closed : ()
    shifted : int
        Every level so many further down.
    renamed : int, str
        The number of a label and its level, empty for none.
    measured : ()
        All levels are to be measured.
    recorded : list of int
        The chosen labels are to be recorded as what the panel says.
    """

    opened = Signal()
    closed = Signal()
    shifted = Signal(int)
    renamed = Signal(int, str)
    measured = Signal()
    recorded = Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.open = button("Open labels …")
        self.open.setToolTip("DICOM SEG, NIfTI, NRRD or MetaImage")
        self.open.clicked.connect(lambda: self.opened.emit())
        self.move = QCheckBox("Move labels of other voxels onto this series")
        self.move.setToolTip("By the nearest voxel, in the same frame of reference alone")
        self.move.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.close_file = button("Close")
        self.close_file.clicked.connect(lambda: self.closed.emit())
        self.rows = self._list()
        self._make_levels()
        self.measure = button("Measure all levels")
        self.measure.clicked.connect(lambda: self.measured.emit())
        self.record = button("Record selected")
        self.record.setToolTip("As what is chosen above")
        self.record.clicked.connect(lambda: self.recorded.emit(self.selected))
        self.said = QLabel()
        self.said.setWordWrap(True)
        self._arrange()
        self.show_labels(None)

    def _list(self) -> QListWidget:
        made = QListWidget()
        made.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        made.setStyleSheet(
            f"QListView {{ background: transparent; border: 1px solid {LINE_COLOUR}; }}"
            f"QListView::item:selected {{ background: {CHOSEN_COLOUR}; }}"
            "QListView::item { padding: 2px 4px; }"
        )
        made.setFixedHeight(_ROWS_PX)
        made.itemSelectionChanged.connect(self._selected_changed)
        return made

    def _make_levels(self) -> None:
        """Make what names the labels."""
        self.up = button("↑ one level")
        self.up.setToolTip("Every level one further up: L1 becomes T12")
        self.up.clicked.connect(partial(self._shift, -1))
        self.down = button("↓ one level")
        self.down.setToolTip("Every level one further down: L1 becomes L2")
        self.down.clicked.connect(partial(self._shift, 1))
        self.name = QComboBox()
        self.name.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.name.addItem("is called …", None)
        self.name.addItem("no level", "")
        for level in column(13, 6):
            self.name.addItem(level, level)
        self.name.activated.connect(self._named)

    @property
    def selected(self) -> list[int]:
        """The numbers of the chosen labels."""
        return [int(item.data(_NUMBER)) for item in self.rows.selectedItems()]

    @property
    def is_open(self) -> bool:
        """Whether labels of a file are shown."""
        return bool(self.rows.count())

    def show_labels(
        self,
        labels: OpenedLabels | None,
        *,
        colours: Sequence[str] = (),
        doubts: Mapping[int, Sequence[str]] | None = None,
        measured: Sequence[str] = (),
    ) -> None:
        """Show the labels of a file, what speaks against them, and what is measured.

        Parameters
        ----------
        labels : OpenedLabels or None
        colours : sequence of str
            Of each label on the canvas.
        doubts : mapping of int to sequence of str
            By number, in sentences.
        measured : sequence of str
            Levels that have been measured.
        """
        doubts = doubts or {}
        self._fill(labels, colours, doubts, measured)
        there = labels is not None
        file = None if labels is None else labels.file
        # DICOM names its files by number: the folder says more.
        self.title.setText(f"{file.parent.name}/{file.name}" if file else NO_LABELS)
        for widget in (self.rows, self.up, self.down, self.name, self.close_file):
            widget.setVisible(there)
        for widget in (self.measure, self.record, self.said):
            widget.setVisible(there)
        every = [] if labels is None else [*labels.vertebrae]
        for widget in (self.up, self.down):
            widget.setEnabled(bool(labels and any(x.level for x in labels.labels)))
        left = [level for level in every if level not in measured]
        self.measure.setEnabled(bool(left))
        self._say([] if labels is None else list(labels.notes), doubts)
        self._selected_changed()

    def _fill(
        self,
        labels: OpenedLabels | None,
        colours: Sequence[str],
        doubts: Mapping[int, Sequence[str]],
        measured: Sequence[str],
    ) -> None:
        chosen = self.selected
        self.rows.clear()
        for n, label in enumerate(labels.labels if labels is not None else ()):
            said = list(doubts.get(label.number, ()))
            done = "   measured" if label.level and label.level in measured else ""
            own = f"   {label.name}" if label.name != label.meant else ""
            item = QListWidgetItem(f"{label.meant or NO_LEVEL}{own}{done}")
            item.setData(_NUMBER, label.number)
            item.setToolTip("; ".join(said) or label.name)
            if said:
                item.setForeground(QColor(WARNING_COLOUR))
            if colours:
                item.setIcon(_square(colours[n % len(colours)]))
            self.rows.addItem(item)
            item.setSelected(label.number in chosen)

    def _say(self, notes: list[str], doubts: Mapping[int, Sequence[str]]) -> None:
        notes += [text for said in doubts.values() for text in said]
        self.said.setText("; ".join(dict.fromkeys(notes)))
        colour = WARNING_COLOUR if any(doubts.values()) else QUIET_COLOUR
        self.said.setStyleSheet(f"color: {colour};")

    def _selected_changed(self) -> None:
        count = len(self.selected)
        self.record.setEnabled(count > 0)
        self.name.setEnabled(count == 1)
        self.name.setCurrentIndex(0)

    def _shift(self, by: int, *_: object) -> None:
        self.shifted.emit(by)

    def _named(self, *_: object) -> None:
        level, chosen = self.name.currentData(), self.selected
        if level is not None and len(chosen) == 1:
            self.renamed.emit(chosen[0], str(level))

    def _arrange(self) -> None:
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.title, 0, 0)
        layout.addWidget(self.open, 0, 1)
        layout.addWidget(self.rows, 1, 0, 5, 1)
        for n, widget in enumerate(
            (self.up, self.down, self.name, self.close_file), start=1
        ):
            layout.addWidget(widget, n, 1)
        layout.addWidget(self.measure, 6, 0)
        layout.addWidget(self.record, 6, 1)
        layout.addWidget(self.move, 7, 0, 1, 2)
        layout.addWidget(self.said, 8, 0, 1, 2)
        layout.setColumnStretch(0, 1)


def _square(colour: str) -> Any:
    """Return a small square of a colour."""
    from qtpy.QtGui import QIcon, QPixmap

    made = QPixmap(10, 10)
    made.fill(QColor(colour))
    return QIcon(made)
