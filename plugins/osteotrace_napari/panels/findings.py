# mypy: allow-subclassing-any
"""The Findings list with its form: what was found, where, how much, in what state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from osteotrace.codes import KINDS, LATERALITIES, SITES
from osteotrace_napari import wording
from osteotrace_napari.colours import STATE_COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import Finding

_COLUMNS: Final = ("", "Kind", "Site", "Value", "State")
_UID_ROLE = Qt.ItemDataRole.UserRole
# A finding's side where nothing is said.
_NO_SIDE: Final = "not stated"


class FindingsList(QWidget):
    """A table of findings, and a form for the selected one.

    Signals
    -------
    selected : str
        Tracking UID of the finding a reader clicked.
    edited : str, str, str
        Tracking UID, field (``kind``, ``site`` or ``laterality``) and its new key.
    """

    selected = Signal(str)
    edited = Signal(str, str, str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._findings: tuple[Finding, ...] = ()
        self.table = _table()
        self.table.itemSelectionChanged.connect(self._row_selected)
        self.table.cellClicked.connect(self._row_clicked)
        self.combos = {
            "kind": _combo({name: c.meaning for name, c in KINDS.items()}),
            "site": _combo({name: c.meaning for name, c in SITES.items()}),
            "laterality": _combo(
                {"": _NO_SIDE, **{name: c.meaning for name, c in LATERALITIES.items()}}
            ),
        }
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        form = QFormLayout()
        form.setContentsMargins(0, 4, 0, 0)
        for field, title in (("kind", "Kind"), ("site", "Site"), ("laterality", "Side")):
            form.addRow(title, self.combos[field])
            self.combos[field].activated.connect(
                lambda _, field=field: self._edited(field)
            )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 2, 2)
        layout.addWidget(self.table, stretch=1)
        layout.addLayout(form)
        layout.addWidget(self.words)
        self.show_findings(())

    @property
    def current(self) -> str:
        """Tracking UID of the selected finding, or empty."""
        items = self.table.selectedItems()
        return "" if not items else str(items[0].data(_UID_ROLE))

    def show_findings(self, findings: Sequence[Finding], *, select: str = "") -> None:
        """List findings; one is selected by its tracking UID where it is there."""
        select = select or self.current
        self._findings = tuple(findings)
        self.table.blockSignals(True)
        self.table.clearSelection()
        self.table.setRowCount(len(findings))
        for row, finding in enumerate(findings):
            self._fill(row, finding)
        self.table.blockSignals(False)
        self.select(select)
        self._show_form()

    def select(self, tracking_uid: str) -> None:
        """Select a finding, silently where it is selected already."""
        for row, finding in enumerate(self._findings):
            if finding.tracking_uid == tracking_uid and self.current != tracking_uid:
                self.table.selectRow(row)

    def step(self, by: int) -> str:
        """Select the next (1) or previous (-1) finding and return its UID."""
        if not self._findings:
            return ""
        uids = [finding.tracking_uid for finding in self._findings]
        here = uids.index(self.current) if self.current in uids else -max(by, 0)
        self.select(uids[(here + by) % len(uids)])
        return self.current

    def _fill(self, row: int, finding: Finding) -> None:
        state = wording.state(finding)
        side = (
            f"{LATERALITIES[finding.laterality].meaning} " if finding.laterality else ""
        )
        texts = (
            finding.label,
            KINDS[finding.kind].meaning,
            side + SITES[finding.site].meaning,
            wording.value(finding) if state != wording.NOT_MEASURED else "—",
            state,
        )
        tip = wording.sentence(finding.measurements) if finding.measurements else ""
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setData(_UID_ROLE, finding.tracking_uid)
            item.setToolTip(tip)
            if column >= 3:
                item.setForeground(QColor(STATE_COLOURS[state]))
            self.table.setItem(row, column, item)

    def _current_finding(self) -> Finding | None:
        uid = self.current
        return next((f for f in self._findings if f.tracking_uid == uid), None)

    def _show_form(self) -> None:
        finding = self._current_finding()
        for field, combo in self.combos.items():
            combo.setEnabled(finding is not None)
            key = None if finding is None else getattr(finding, field)
            combo.setCurrentIndex(combo.findData(key))
        if finding is None:
            self.words.setText("" if self._findings else "No finding yet.")
            return
        said = wording.sentence(finding.measurements) if finding.measurements else ""
        more = wording.details(finding)
        self.words.setText("\n".join(part for part in (said, more) if part))

    def _row_selected(self) -> None:
        self._show_form()

    def _row_clicked(self, row: int, column: int) -> None:
        self.selected.emit(self.current)

    def _edited(self, field: str) -> None:
        if self.current:
            self.edited.emit(self.current, field, str(self.combos[field].currentData()))


def _table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    table.setHorizontalHeaderLabels(_COLUMNS)
    table.verticalHeader().hide()
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    # Keys stay with the canvas.
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setShowGrid(False)
    header = table.horizontalHeader()
    for column in range(len(_COLUMNS)):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    for column in (1, 2):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
    table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    return table


def _combo(entries: dict[str, str]) -> QComboBox:
    combo = QComboBox()
    combo.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    for name, text in entries.items():
        combo.addItem(text, name)
    return combo
