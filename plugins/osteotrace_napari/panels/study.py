# mypy: allow-subclassing-any
"""The Study tab: patient, study with its role, series with thumbnail and verdict."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QDrag
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from osteotrace.session.roles import ROLES
from osteotrace_napari import loading
from osteotrace_napari.panels.archive import ArchiveBox
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.study_drag import series_mime
from osteotrace_napari.panels.study_rows import (
    HEADER_ROLE,
    LINES_ROLE,
    PICTURE_ROLE,
    STUDY_ROLE,
    SeriesDelegate,
    lines_of,
    pixmap_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from osteotrace.errors import OsteotraceError
    from osteotrace.series import Catalogue, Series, VolumeHeader
    from osteotrace.session.roles import Role

NO_ROLE: Final = "no role"
_ROLE_PX: Final = 112
_ENTER: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
# How long to wait before asking again whether something more urgent is done, ms.
_WAIT_MS: Final = 200


class StudyList(QWidget):
    """Patients, their studies, and under each its volumes; it asks for one of them.

    Signals
    -------
    chosen, beside : VolumeHeader
        A volume is to be shown, alone or beside the one that is.
    role_chosen : str, str
        StudyInstanceUID and the role that the reader gave the study.

    Attributes
    ----------
    tree : QTreeWidget
        The list.
    archive : ArchiveBox
        What lies elsewhere: it has signals of its own.
    is_busy : callable
        Whether something more urgent is being done: thumbnails wait for it.
    """

    chosen = Signal(object)
    beside = Signal(object)
    role_chosen = Signal(str, str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.tree = _Tree()
        self.archive = ArchiveBox()
        self.open_button = button("Open")
        self.beside_button = button("Open beside")
        self.open_button.setToolTip("Enter, double click, or drag the series to a view")
        self.beside_button.setToolTip("Shift+Enter: side by side with what is shown")
        self.is_busy: Callable[[], bool] = _never
        self._thumbnails = _Thumbnails(self)
        row = QHBoxLayout()
        for made in (self.open_button, self.beside_button):
            row.addWidget(made)
            made.setEnabled(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree, stretch=1)
        layout.addLayout(row)
        layout.addWidget(self.archive)
        self.setFocusProxy(self.tree)
        self.tree.asked.connect(self._asked)
        self.tree.currentItemChanged.connect(self._current_changed)
        self.open_button.clicked.connect(partial(self._pressed, False))
        self.beside_button.clicked.connect(partial(self._pressed, True))

    def show_catalogue(
        self,
        catalogue: Catalogue,
        roles: Mapping[str, Role] | None = None,
        *,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """List what lies below a path.

        Parameters
        ----------
        catalogue : Catalogue
        roles : mapping of str to str, optional
            The role of each study, by StudyInstanceUID.
        names : mapping of str to str, optional
            What studies are called whose dates and roles are hidden, in the order to
            list them.
        """
        self.tree.clear()
        hidden = names or {}
        order = {uid: place for place, uid in enumerate(hidden)}
        patients: dict[tuple[str, str], QTreeWidgetItem] = {}
        studies: dict[tuple[str, str, str], QTreeWidgetItem] = {}
        # Without names all are of one place, and stay in their order.
        for series in sorted(catalogue, key=lambda one: _place(one, order)):
            who = series.identity
            patient = who.patient_id, who.issuer
            if patient not in patients:
                patients[patient] = _heading(self.tree, who.patient)
            study = *patient, who.study_uid
            if study not in studies:
                words = "   ".join(filter(None, (who.date, who.study_description)))
                words = hidden.get(who.study_uid, words)
                studies[study] = _heading(patients[patient], words or "study of no date")
                studies[study].setData(0, STUDY_ROLE, who.study_uid)
                if not hidden:
                    role = (roles or {}).get(who.study_uid, "")
                    self._offer_roles(studies[study], who.study_uid, role)
            for header in series.volumes:
                _add_row(studies[study], series, header)
        self.tree.expandAll()
        self._thumbnails.start(self.tree.rows())

    def mark_open(self, header: VolumeHeader) -> None:
        """Show which volume is on the canvas."""
        for item in self.tree.rows():
            is_open = _key(item.data(0, HEADER_ROLE)) == _key(header)
            font = item.font(0)
            font.setBold(is_open)
            item.setData(0, Qt.ItemDataRole.FontRole, font if is_open else None)
            if is_open:
                self.tree.setCurrentItem(item)

    def headers(self) -> list[VolumeHeader]:
        """Return the listed volumes, top to bottom."""
        return [item.data(0, HEADER_ROLE) for item in self.tree.rows()]

    def roles(self) -> dict[str, Role]:
        """Return the role that is shown for each study."""
        return {
            study.data(0, STUDY_ROLE): self.tree.itemWidget(study, 1).currentData()
            for study in self.tree.studies()
            if self.tree.itemWidget(study, 1) is not None
        }

    @property
    def is_settled(self) -> bool:
        """Whether every thumbnail is there that can be made."""
        return self._thumbnails.is_settled

    def _offer_roles(self, study: QTreeWidgetItem, uid: str, role: Role) -> None:
        choice = _RoleChoice()
        for each in ROLES:
            choice.addItem(each or NO_ROLE, each)
        choice.setCurrentIndex(ROLES.index(role))
        choice.activated.connect(
            lambda _: self.role_chosen.emit(uid, choice.currentData())
        )
        self.tree.setItemWidget(study, 1, choice)

    def _asked(self, header: VolumeHeader, beside: bool) -> None:
        (self.beside if beside else self.chosen).emit(header)

    def _pressed(self, beside: bool, *_: object) -> None:
        header = self.tree.current_header
        if header is not None:
            self._asked(header, beside)

    def _current_changed(self, *_: object) -> None:
        for made in (self.open_button, self.beside_button):
            made.setEnabled(self.tree.current_header is not None)


def _place(series: Series, order: Mapping[str, int]) -> int:
    return order.get(series.identity.study_uid, len(order))


class _Tree(QTreeWidget):
    """The list itself: asks by double click, key and menu; its rows can be dragged."""

    asked = Signal(object, bool)

    def __init__(self) -> None:
        super().__init__()
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(10)
        self.setItemDelegate(SeriesDelegate(self))
        self.setDragEnabled(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QTreeWidget.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(1, _ROLE_PX)
        self.itemDoubleClicked.connect(self._double_clicked)
        self.customContextMenuRequested.connect(self._show_menu)

    @property
    def current_header(self) -> VolumeHeader | None:
        """The volume that is chosen in the list."""
        item = self.currentItem()
        header: VolumeHeader | None = None if item is None else item.data(0, HEADER_ROLE)
        return header

    def studies(self) -> list[QTreeWidgetItem]:
        """Return the items of studies, top to bottom."""
        tops = [self.topLevelItem(n) for n in range(self.topLevelItemCount())]
        return [top.child(n) for top in tops for n in range(top.childCount())]

    def rows(self) -> list[QTreeWidgetItem]:
        """Return the items of volumes, top to bottom."""
        return [s.child(n) for s in self.studies() for n in range(s.childCount())]

    def keyPressEvent(self, event: Any) -> None:
        """Open with Enter, beside with Shift+Enter."""
        header = self.current_header
        if event.key() in _ENTER and header is not None:
            beside = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.asked.emit(header, beside)
            event.accept()
            return
        super().keyPressEvent(event)

    def startDrag(self, actions: Any) -> None:
        """Drag the chosen volume with its thumbnail."""
        header = self.current_header
        if header is None:
            return
        drag = QDrag(self)
        drag.setMimeData(series_mime(header))
        picture = self.currentItem().data(0, PICTURE_ROLE)
        if picture is not None:
            drag.setPixmap(picture)
        drag.exec(Qt.DropAction.CopyAction)

    def menu_of(self, item: QTreeWidgetItem | None) -> QMenu | None:
        """Return the menu of a row, None where there is none."""
        header = None if item is None else item.data(0, HEADER_ROLE)
        if header is None:
            return None
        menu = QMenu(self)
        menu.addAction("Open", partial(self.asked.emit, header, False))
        menu.addAction("Open beside", partial(self.asked.emit, header, True))
        return menu

    def _show_menu(self, position: Any) -> None:
        menu = self.menu_of(self.itemAt(position))
        if menu is not None:
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.viewport().mapToGlobal(position))

    def _double_clicked(self, item: QTreeWidgetItem, _: int) -> None:
        header = item.data(0, HEADER_ROLE)
        if header is not None:
            self.asked.emit(header, False)


class _RoleChoice(QComboBox):
    """A role that the wheel does not change: it scrolls the list."""

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip(
            "Role of this study; kept on this computer, no DICOM file is changed"
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: Any) -> None:
        """Leave the wheel to the list."""
        event.ignore()


class _Thumbnails:
    """Fills the pictures in, one after the other, beside the window."""

    def __init__(self, panel: StudyList) -> None:
        self._panel = panel
        self._waiting: list[QTreeWidgetItem] = []
        self._job: Any = None
        self._timer = QTimer(panel)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._next)
        panel.destroyed.connect(self._stop)

    def _stop(self, *_: object) -> None:
        """Want no picture any more: the window is gone."""
        self._waiting = []
        if self._job is not None:
            self._job.abandon()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being made or waits."""
        return self._job is None and not self._waiting

    def start(self, items: list[QTreeWidgetItem]) -> None:
        """Make the pictures of these rows; those of earlier ones are wanted no more."""
        self._waiting = list(items)
        # The window is shown first.
        self._timer.start(0)

    def _next(self) -> None:
        if self._job is not None or not self._waiting:
            return
        if self._panel.is_busy():
            self._timer.start(_WAIT_MS)
            return
        from osteotrace.volume.thumbnails import thumbnail

        item = self._waiting.pop(0)
        self._job = loading.start(
            partial(thumbnail, item.data(0, HEADER_ROLE)),
            done=partial(self._made, item),
            failed=self._missed,
        )

    def _made(self, item: QTreeWidgetItem, picture: NDArray[Any]) -> None:
        # The list may show something else by now, or the window be closed.
        if isalive(self._panel) and any(item is row for row in self._panel.tree.rows()):
            item.setData(0, PICTURE_ROLE, pixmap_of(picture))
        self._missed()

    def _missed(self, _: OsteotraceError | None = None) -> None:
        """Go on: a series without a picture stays black, its verdict says why."""
        self._job = None
        if isalive(self._panel):
            self._timer.start(0)


def _heading(parent: Any, words: str) -> QTreeWidgetItem:
    item = QTreeWidgetItem(parent, [words])
    item.setFlags(Qt.ItemFlag.ItemIsEnabled)
    font = item.font(0)
    font.setBold(True)
    item.setFont(0, font)
    return item


def _add_row(study: QTreeWidgetItem, series: Series, header: VolumeHeader) -> None:
    lines = lines_of(series, header)
    item = QTreeWidgetItem(study)
    item.setFirstColumnSpanned(True)
    item.setData(0, HEADER_ROLE, header)
    item.setData(0, LINES_ROLE, lines)
    # For those who hear the screen.
    item.setData(0, Qt.ItemDataRole.AccessibleTextRole, ", ".join(lines))
    item.setToolTip(0, "\n".join(filter(None, [*lines, header.kind, *series.notes])))


def _key(header: VolumeHeader) -> tuple[str, int]:
    return header.identity.series_uid, header.k


def _never() -> bool:
    return False
