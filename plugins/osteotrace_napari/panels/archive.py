# mypy: allow-subclassing-any
"""The archive below the studies: ask for studies, fetch them, send the reading.

It shows an `ArchiveSheet` and asks; whoever listens speaks to the archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from osteotrace_napari.colours import QUIET_COLOUR
from osteotrace_napari.panels.busy_bar import BusyBar
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.choice_field import TextField
from osteotrace_napari.panels.compare_studies import choices, offer, silently
from osteotrace_napari.panels.question_box import Fold, words

if TYPE_CHECKING:
    from osteotrace.pacs.desk import ArchiveSheet

TITLE: Final = "Archive"
MODALITIES: Final = ("CT", "MR", "PT", "DX", "SR", "SEG")
HIDDEN: Final = (
    "Blinded: names, dates and descriptions are hidden until your own readings are saved."
)
_COLUMNS: Final = ("Patient", "Date", "Kind", "Description", "Images")
# The column that gives way where there is little room.
_DESCRIPTION: Final = 3
_ROWS_SHOWN: Final = 4
_ROW_PADDING_PX: Final = 2
# What the other columns take at most, px.
_MOST_PX: Final = {0: 160, 1: 100, 2: 72, 4: 60}
_SPACING_PX: Final = 4
_LEAST_DATE_PX: Final = 84
_UID_ROLE: Final = int(Qt.ItemDataRole.UserRole)
_ENTER: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the fields say."""

    patient_id: str = ""
    patient_name: str = ""
    date_from: str = ""
    date_to: str = ""
    modality: str = ""


class ArchiveBox(Fold):
    """The archive, folded below the list of studies.

    Signals
    -------
    opened : ()
        It was unfolded.
    archive_chosen : str
    find_asked : Asked
    stop_asked, folder_wanted, send_asked : ()
        Stop what is at work; choose where studies go; send the reading.
    fetch_asked : list of str
        StudyInstanceUIDs.
    identities_wanted : bool
    left : ()
        The keys go to the canvas again.
    """

    opened = Signal()
    archive_chosen = Signal(str)
    find_asked = Signal(object)
    stop_asked = Signal()
    folder_wanted = Signal()
    fetch_asked = Signal(object)
    send_asked = Signal()
    identities_wanted = Signal(bool)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(TITLE, parent)
        self._doing = ""
        self._can_send = self._is_hidden = False
        self._make()
        self._arrange()
        self.line.toggled.connect(lambda on: self.opened.emit() if on else None)

    # What is shown -----------------------------------------------------------------

    def show_archive(self, sheet: ArchiveSheet) -> None:
        """Show the archives, what was found, and what can be done with it."""
        names = sheet.known.names
        self.why_none.setText(sheet.known.why_none)
        self.why_none.setVisible(bool(sheet.known.why_none))
        self.desk.setVisible(bool(names))
        offer(self.archive, [(name, name) for name in names])
        if sheet.chosen in names:
            place = names.index(sheet.chosen)
            silently(self.archive, lambda field: field.setCurrentIndex(place))
        self._show_hidden(sheet.hidden)
        self._show_rows(sheet)
        self.choose_folder.setToolTip(
            f"Fetched studies go to {sheet.folder or 'a folder that you choose'}, "
            "a folder a patient"
        )
        self._can_send = sheet.can_send
        self._show_buttons()

    def show_doing(self, doing: str) -> None:
        """Show what is at work; empty once nothing is."""
        self._doing = doing
        self.find.setText("Stop" if doing else "Find")
        self.progress.show_progress(0, 0)
        self.progress.setVisible(bool(doing))
        self.archive.setEnabled(not doing)
        if doing:
            self.told.setText(doing)
        self._show_buttons()

    @property
    def asked(self) -> Asked:
        """What the fields say."""
        return Asked(
            patient_id=self.patient_id.text(),
            patient_name=self.patient_name.text(),
            date_from=self.date_from.text(),
            date_to=self.date_to.text(),
            modality=self.modality.currentData(),
        )

    @property
    def selected(self) -> list[str]:
        """StudyInstanceUIDs of the chosen rows, top to bottom."""
        items = [
            self.table.topLevelItem(n) for n in range(self.table.topLevelItemCount())
        ]
        return [one.data(0, _UID_ROLE) for one in items if one.isSelected()]

    # Inside ------------------------------------------------------------------------

    def _make(self) -> None:
        self.why_none = words("", QUIET_COLOUR, small=True)
        self.hidden = words(HIDDEN, QUIET_COLOUR, small=True)
        self.hidden.hide()
        self.desk = QWidget()
        self.archive = choices()
        self.archive.setToolTip("An archive of your archives.toml")
        self.archive.activated.connect(
            lambda _: self.archive_chosen.emit(self.archive.currentData())
        )
        self.identities = QCheckBox("Names")
        self.identities.setToolTip("Name the patients; else they have their pseudonyms")
        self.identities.toggled.connect(self.identities_wanted)
        self.patient_id = _field("Patient ID", "* and ? stand for any letters")
        self.patient_name = _field(
            "Family name", "Its first letters do, and so does Family^Given"
        )
        self.date_from = _field("from YYYY-MM-DD", "First day, such as 2024-01-31")
        self.date_to = _field("to YYYY-MM-DD", "Last day, such as 2024-01-31")
        self.modality = choices()
        self.modality.setToolTip("Studies with such a series")
        offer(self.modality, [("", "any kind"), *((one, one) for one in MODALITIES)])
        self.fields = self.patient_id, self.patient_name, self.date_from, self.date_to
        for each in self.fields:
            each.entered.connect(self._find)
            each.left.connect(self.left)
        self.find = button("Find")
        self.find.clicked.connect(self._find_or_stop)
        self.table = _Table()
        self.table.asked.connect(self._fetch)
        self.table.itemSelectionChanged.connect(self._show_buttons)
        self.told = words("", QUIET_COLOUR, small=True)
        self.progress = BusyBar()
        self.progress.hide()
        self.choose_folder = button("Into …")
        self.choose_folder.clicked.connect(self.folder_wanted)
        self.fetch = button("Fetch")
        self.fetch.setToolTip("Enter or double click: fetch what is chosen, and open it")
        self.fetch.clicked.connect(self._fetch)
        self.send = button("Send the reading")
        self.send.setToolTip(
            "The record saved last, SR and SEG: each file is read back and compared"
        )
        self.send.clicked.connect(self.send_asked)

    def _arrange(self) -> None:
        inside = QVBoxLayout(self.desk)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(_SPACING_PX)
        who = (self.archive, 3), (self.patient_id, 3), (self.patient_name, 4)
        when = (self.date_from, 3), (self.date_to, 3), (self.modality, 2)
        inside.addLayout(_line(*who))
        inside.addLayout(_line(*when, (self.find, 0)))
        inside.addWidget(self.hidden)
        inside.addWidget(self.table, 1)
        inside.addLayout(_line((self.told, 1), (self.identities, 0)))
        inside.addWidget(self.progress)
        inside.addLayout(_line((self.fetch, 3), (self.choose_folder, 2), (self.send, 4)))
        self.inside.setContentsMargins(4, 0, 0, 0)
        self.inside.addWidget(self.why_none)
        self.inside.addWidget(self.desk)

    def _show_hidden(self, hidden: bool) -> None:
        """Show no name and no date while studies are read blinded, typed ones neither."""
        begins, self._is_hidden = hidden and not self._is_hidden, hidden
        self.hidden.setVisible(hidden)
        self.identities.setEnabled(not hidden)
        for each in (self.patient_name, self.date_from, self.date_to):
            each.setEnabled(not hidden)
        if begins:
            for each in self.fields:
                each.clear()
            silently(self.identities, lambda box: box.setChecked(False))

    def _show_rows(self, sheet: ArchiveSheet) -> None:
        chosen = set(self.selected)
        before = [
            self.table.topLevelItem(n) for n in range(self.table.topLevelItemCount())
        ]
        cells = [
            (one.study_uid, one.patient, one.day, one.modalities, one.description,
             one.images)
            for one in sheet.rows
        ]  # fmt: skip
        if [_said(item) for item in before] != cells:
            self.table.blockSignals(True)
            self.table.clear()
            for uid, *said in cells:
                self.table.add(uid, said)
                self.table.topLevelItem(self.table.topLevelItemCount() - 1).setSelected(
                    uid in chosen
                )
            self.table.blockSignals(False)
            self.table.fit()
        self.table.setVisible(bool(sheet.rows))
        self.identities.setVisible(bool(sheet.rows))
        if not self._doing:
            self.told.setText(sheet.told)
        self.told.setVisible(bool(self.told.text()))

    def _show_buttons(self) -> None:
        count = len(self.selected)
        self.fetch.setText(f"Fetch {count} studies" if count > 1 else "Fetch")
        self.fetch.setEnabled(bool(count) and not self._doing)
        self.send.setEnabled(self._can_send and not self._doing)
        self.choose_folder.setEnabled(not self._doing)
        self.told.setVisible(bool(self.told.text()))

    def _find_or_stop(self) -> None:
        if self._doing:
            self.stop_asked.emit()
        else:
            self._find()

    def _find(self) -> None:
        if not self._doing:
            self.find_asked.emit(self.asked)

    def _fetch(self) -> None:
        if self.selected and not self._doing:
            self.fetch_asked.emit(self.selected)


class _Field(TextField):
    """A line of text that Enter asks with; Esc leaves it."""

    entered = Signal()

    def keyPressEvent(self, event: Any) -> None:
        """Ask with Enter, and stay."""
        if event.key() in _ENTER:
            event.accept()
            self.take()
            self.entered.emit()
            return
        super().keyPressEvent(event)


class _Table(QTreeWidget):
    """The studies found; Enter and a double click ask for those that are chosen."""

    asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setColumnCount(len(_COLUMNS))
        self.setHeaderLabels(_COLUMNS)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_DESCRIPTION, QHeaderView.ResizeMode.Stretch)
        self.setStyleSheet(f"QTreeView::item {{ padding: {_ROW_PADDING_PX}px 0; }}")
        row = self.fontMetrics().height() + 2 * _ROW_PADDING_PX
        self.setMinimumHeight((_ROWS_SHOWN + 1) * row)
        self.itemDoubleClicked.connect(lambda *_: self.asked.emit())

    def fit(self) -> None:
        """Give each column what it needs, and the description what is left."""
        for column, most in _MOST_PX.items():
            title = self.header().sectionSizeHint(column)
            needed = max(self.sizeHintForColumn(column), title)
            self.setColumnWidth(column, min(needed, most))

    def add(self, study_uid: str, said: list[str]) -> None:
        """Add a row."""
        item = QTreeWidgetItem(self, said)
        item.setData(0, _UID_ROLE, study_uid)
        item.setTextAlignment(
            len(said) - 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        )
        whole = "\n".join(filter(None, said[:-1]))
        for column in range(len(said)):
            item.setToolTip(column, whole)

    def keyPressEvent(self, event: Any) -> None:
        """Ask with Enter."""
        if event.key() in _ENTER:
            event.accept()
            self.asked.emit()
            return
        super().keyPressEvent(event)


def _field(placeholder: str, tip: str) -> _Field:
    made = _Field()
    made.setPlaceholderText(placeholder)
    made.setToolTip(tip)
    made.setMinimumWidth(_LEAST_DATE_PX)
    return made


def _line(*parts: tuple[QWidget, int]) -> QHBoxLayout:
    made = QHBoxLayout()
    made.setSpacing(_SPACING_PX)
    for widget, stretch in parts:
        made.addWidget(widget, stretch)
    return made


def _said(item: QTreeWidgetItem) -> tuple[str, ...]:
    texts = (item.text(column) for column in range(item.columnCount()))
    return item.data(0, _UID_ROLE), *texts
