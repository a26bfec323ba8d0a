# mypy: allow-subclassing-any
"""The table of findings: two lines a row, parts folded under their leader."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QFontMetrics
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QTreeWidget,
    QTreeWidgetItem,
)

from osteotrace_napari import wording
from osteotrace_napari.colours import (
    CHOSEN_COLOUR,
    LINE_COLOUR,
    PROGRESS_COLOURS,
    QUIET_COLOUR,
    STATE_COLOURS,
    TEXT_COLOUR,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import Finding
    from osteotrace_napari.panels.finding_rows import FindingRow

COLUMNS: Final = ("Finding", "Value", "Prior", "State")
FINDING, VALUE, PRIOR, STATE = range(len(COLUMNS))
ROW_PX: Final = 44
MARGIN_PX: Final = 6
# The second line's letters beside those of the first.
SMALL: Final = 0.88
# Of a date; the day stands in the tooltip.
_YEAR_AND_MONTH: Final = 7
_WIDTHS_PX: Final = {VALUE: 132, PRIOR: 124, STATE: 92}
# Of a font: a value is written smaller before it is cut.
_SMALLER: Final = (1.0, 0.92, 0.84, 0.76)
_UID_ROLE: Final = Qt.ItemDataRole.UserRole
_ABOVE_COLOUR: Final = Qt.ItemDataRole.UserRole + 1
_BELOW: Final = Qt.ItemDataRole.UserRole + 2
_BELOW_COLOUR: Final = Qt.ItemDataRole.UserRole + 3
_STYLE: Final = f"""
QHeaderView::section {{ background: transparent; border: 0; padding: 2px 6px;
    color: {QUIET_COLOUR}; }}
"""


class FindingTable(QTreeWidget):
    """Findings in the order they were made.

    Signals
    -------
    clicked_on : str
        Tracking UID of the row that was clicked.
    chosen : str
        Tracking UID of the row that is selected now, or empty.
    """

    clicked_on = Signal(str)
    chosen = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, FindingRow] = {}
        self._items: dict[str, QTreeWidgetItem] = {}
        self.setColumnCount(len(COLUMNS))
        self.setHeaderLabels(list(COLUMNS))
        self.setItemDelegate(_TwoLines(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Keys stay with the canvas.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setIndentation(16)
        self.setStyleSheet(_STYLE)
        self.setUniformRowHeights(True)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        header.setSectionResizeMode(FINDING, QHeaderView.ResizeMode.Stretch)
        for column, width in _WIDTHS_PX.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, width)
        self.setColumnHidden(PRIOR, True)
        self.itemClicked.connect(lambda item, _: self.clicked_on.emit(_uid(item)))
        self.itemSelectionChanged.connect(lambda: self.chosen.emit(self.current))

    @property
    def current(self) -> str:
        """Tracking UID of the selected finding, or empty."""
        items = self.selectedItems()
        return _uid(items[0]) if items else ""

    def row(self, uid: str) -> FindingRow | None:
        """Return a row as it is shown; None where there is none."""
        return self._rows.get(uid)

    def said(self, uid: str, column: int) -> tuple[str, str]:
        """Return both lines of a cell."""
        item = self._items[uid]
        return item.text(column), str(item.data(column, _BELOW) or "")

    def show_rows(self, rows: Sequence[FindingRow]) -> None:
        """Show findings; what stays is left where it is, folded as it is."""
        old, self._rows = self._rows, {row.uid: row for row in rows}
        shape = [(row.uid, self._leader(row)) for row in rows]
        if shape != [
            (row.uid, row.leader if row.leader in old else "") for row in old.values()
        ]:
            self._build(shape)
            old = {}
        for row in rows:
            if old.get(row.uid) != row:
                self._fill(self._items[row.uid], row)
        self.setColumnHidden(PRIOR, all(row.prior is None for row in rows))

    def select(self, uid: str) -> None:
        """Select a finding and bring it in sight; nothing where there is none."""
        item = self._items.get(uid)
        if item is None or uid == self.current:
            return
        if item.parent() is not None:
            item.parent().setExpanded(True)
        self.setCurrentItem(item)
        self.scrollToItem(item)

    def step(self, by: int) -> str:
        """Select the next (1) or previous (-1) row in sight and return its UID."""
        uids = [uid for uid, item in self._items.items() if _in_sight(item)]
        if not uids:
            return ""
        here = uids.index(self.current) if self.current in uids else -max(by, 0)
        self.select(uids[(here + by) % len(uids)])
        return self.current

    def resizeEvent(self, event: Any) -> None:
        """Keep the selected row in sight."""
        super().resizeEvent(event)
        for item in self.selectedItems():
            self.scrollToItem(item)

    def drawBranches(self, painter: Any, area: Any, index: Any) -> None:
        """Paint the ground of a row and, of a leader, whether its parts are folded."""
        if self.selectionModel().isSelected(index):
            painter.fillRect(area, QColor(CHOSEN_COLOUR))
        if not self.model().hasChildren(index):
            return
        painter.setPen(QColor(TEXT_COLOUR))
        place = area.adjusted(
            area.width() - self.indentation(), 3, 0, -area.height() // 2
        )
        sign = "▾" if self.isExpanded(index) else "▸"
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, sign)

    def _leader(self, row: FindingRow) -> str:
        return row.leader if row.leader in self._rows else ""

    def _build(self, shape: list[tuple[str, str]]) -> None:
        chosen = self.current
        unfolded = {uid for uid, item in self._items.items() if item.isExpanded()}
        self.blockSignals(True)
        self.clear()
        self._items = {uid: QTreeWidgetItem() for uid, _ in shape}
        for uid, leader in shape:
            if leader:
                self._items[leader].addChild(self._items[uid])
            else:
                self.addTopLevelItem(self._items[uid])
        for uid in unfolded & set(self._items):
            self._items[uid].setExpanded(True)
        self.setRootIsDecorated(any(leader for _, leader in shape))
        self.select(chosen)
        self.blockSignals(False)
        if self.current != chosen:
            self.chosen.emit(self.current)

    def _fill(self, item: QTreeWidgetItem, row: FindingRow) -> None:
        item.setData(FINDING, _UID_ROLE, row.uid)
        for column, (above, colour, below, below_colour, tip) in enumerate(_cells(row)):
            item.setText(column, above)
            item.setData(column, _ABOVE_COLOUR, colour)
            item.setData(column, _BELOW, below)
            item.setData(column, _BELOW_COLOUR, below_colour)
            item.setToolTip(column, tip)


def _cells(row: FindingRow) -> tuple[tuple[str, str, str, str, str], ...]:
    """Return each column's two lines with their colours, and its tooltip."""
    finding, state = row.finding, wording.state(row.finding)
    doubt = state if state in (wording.FLAGGED, wording.NOT_MEASURED) else ""
    about = wording.sentence(finding.measurements) if finding.measurements else ""
    value = wording.value(finding) if state != wording.NOT_MEASURED else "—"
    prior = row.prior
    return (
        (
            wording.kind(finding),
            TEXT_COLOUR,
            f"{finding.label} · {wording.place(finding)}",
            QUIET_COLOUR,
            _tip(wording.whole(finding)),
        ),
        (
            value,
            STATE_COLOURS[state],
            wording.quantity(finding),
            QUIET_COLOUR,
            _tip("\n".join(filter(None, (_quantity(finding), about)))),
        ),
        ("", TEXT_COLOUR, "", QUIET_COLOUR, "")
        if prior is None
        else (
            f"{prior.value} ?" if prior.proposed else prior.value,
            QUIET_COLOUR,
            f"{prior.date[:_YEAR_AND_MONTH]} {wording.change_word(prior.verdict)}",
            TEXT_COLOUR if prior.verdict in wording.CHANGES else QUIET_COLOUR,
            _tip("\n".join(filter(None, (prior.date, prior.sentence)))),
        ),
        (
            row.progress,
            PROGRESS_COLOURS[row.progress],
            doubt,
            STATE_COLOURS[state],
            _tip(about if doubt else ""),
        ),
    )


def _quantity(finding: Finding) -> str:
    return finding.measurements[0].code.meaning if finding.measurements else ""


def _tip(words: str) -> str:
    """Return a tooltip that wraps; rich text does."""
    return f"<div>{escape(words).replace(chr(10), '<br>')}</div>" if words else ""


def _uid(item: QTreeWidgetItem) -> str:
    return str(item.data(FINDING, _UID_ROLE))


def _in_sight(item: QTreeWidgetItem) -> bool:
    return item.parent() is None or item.parent().isExpanded()


def fitted(painter: Any, font: QFont, words: str, width: int) -> str:
    """Set a font that words have room in, down to a least one; return what has room."""
    fitting = QFont(font)
    for size in _SMALLER:
        fitting.setPointSizeF(font.pointSizeF() * size)
        if QFontMetrics(fitting).horizontalAdvance(words) <= width:
            break
    painter.setFont(fitting)
    return str(
        QFontMetrics(fitting).elidedText(words, Qt.TextElideMode.ElideRight, width)
    )


class _TwoLines(QStyledItemDelegate):
    """Paints a value and, below it in small, what it is of."""

    def sizeHint(self, option: Any, index: Any) -> QSize:
        return QSize(0, ROW_PX)

    def paint(self, painter: Any, option: Any, index: Any) -> None:
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(CHOSEN_COLOUR))
        painter.setPen(QColor(LINE_COLOUR))
        painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight())
        area = option.rect.adjusted(MARGIN_PX, 3, -MARGIN_PX, -4)
        half = area.height() // 2
        big, small = QFont(option.font), QFont(option.font)
        big.setBold(index.column() == VALUE)
        small.setPointSizeF(option.font.pointSizeF() * SMALL)
        lines = (
            (Qt.ItemDataRole.DisplayRole, _ABOVE_COLOUR, big, area.top()),
            (_BELOW, _BELOW_COLOUR, small, area.top() + half),
        )
        for role, colour, font, top in lines:
            words = index.data(role)
            if not words:
                continue
            painter.setPen(QColor(index.data(colour)))
            words = fitted(painter, font, str(words), area.width())
            line = area.adjusted(0, 0, 0, 0)
            line.setTop(top)
            line.setHeight(half)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, words)
        painter.restore()
