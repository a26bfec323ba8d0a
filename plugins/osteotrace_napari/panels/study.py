# mypy: allow-subclassing-any
"""The Study list: each series' volumes with their verdict in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from osteotrace_napari import wording

if TYPE_CHECKING:
    from osteotrace.series import Catalogue, Series, VolumeHeader

_HEADER_ROLE = Qt.ItemDataRole.UserRole


class StudyList(QTreeWidget):
    """Studies, and under each its volumes; a double click asks for one."""

    chosen = Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setColumnCount(3)
        self.setHeaderLabels(["Series", "Slices", "Geometry"])
        self.setRootIsDecorated(False)
        self.setIndentation(10)
        self.setStyleSheet("QTreeView::item { padding: 5px 2px; }")
        self.setWordWrap(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = self.header()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.itemDoubleClicked.connect(self._double_clicked)

    def show_catalogue(self, catalogue: Catalogue) -> None:
        """List what lies below a path."""
        self.clear()
        studies: dict[str, QTreeWidgetItem] = {}
        for series in catalogue:
            who = series.identity
            if who.study_uid not in studies:
                study = QTreeWidgetItem(self, [f"{who.patient}   {who.date}"])
                study.setFirstColumnSpanned(True)
                study.setExpanded(True)
                study.setFlags(Qt.ItemFlag.ItemIsEnabled)
                studies[who.study_uid] = study
            for header in series.volumes:
                studies[who.study_uid].addChild(_row(series, header))
        self.expandAll()

    def mark_open(self, header: VolumeHeader) -> None:
        """Show which volume is on the canvas."""
        for item in self._rows():
            mine = item.data(0, _HEADER_ROLE)
            is_open = (mine.identity.series_uid, mine.k) == (
                header.identity.series_uid,
                header.k,
            )
            font = item.font(0)
            font.setBold(is_open)
            item.setFont(0, font)
            if is_open:
                self.setCurrentItem(item)

    def headers(self) -> list[VolumeHeader]:
        """Return the listed volumes, top to bottom."""
        return [item.data(0, _HEADER_ROLE) for item in self._rows()]

    def _rows(self) -> list[QTreeWidgetItem]:
        tops = [self.topLevelItem(n) for n in range(self.topLevelItemCount())]
        return [top.child(n) for top in tops for n in range(top.childCount())]

    def _double_clicked(self, item: QTreeWidgetItem, column: int) -> None:
        header = item.data(0, _HEADER_ROLE)
        if header is not None:
            self.chosen.emit(header)


def _row(series: Series, header: VolumeHeader) -> QTreeWidgetItem:
    who = series.identity
    name = wording.series_name(who)
    if len(series.volumes) > 1:
        name += f"  [{header.k}]"
    item = QTreeWidgetItem([name, str(len(header.instances)), wording.verdict(header)])
    item.setData(0, _HEADER_ROLE, header)
    tip = "\n".join([header.kind, wording.verdict(header), *series.notes])
    for column in range(3):
        item.setToolTip(column, tip)
    if not wording.can_load(header):
        for column in range(3):
            item.setForeground(column, Qt.GlobalColor.gray)
    return item
