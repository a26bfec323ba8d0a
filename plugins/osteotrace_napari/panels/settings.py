# mypy: allow-subclassing-any
"""The settings dialog: every key, the windows to open with, the reader, the drafts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTabWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from osteotrace.errors import OsteotraceError
from osteotrace_napari import keys
from osteotrace_napari import settings as kept
from osteotrace_napari.colours import (
    CHOSEN_COLOUR,
    LIVE_COLOUR,
    PROBLEM_COLOUR,
    QUIET_COLOUR,
)
from osteotrace_napari.panels.buttons import button

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.settings import Settings

_SIZE_PX: Final = (560, 620)
_KEY_COLUMN_PX: Final = 150
_NAME_ROLE: Final = Qt.ItemDataRole.UserRole
_HOW: Final = (
    "Select a command and press its new key. Backspace leaves it without one, "
    "Esc keeps what it has."
)
_MODALITIES: Final = {"CT": "CT opens with", "MR": "MR opens with"}
_HELD: Final = (
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
)


class SettingsDialog(QDialog):
    """Asks for a reader's settings; what is refused is said and changes nothing.

    Parameters
    ----------
    settings : Settings
        As they are.
    drafts : str
        Where drafts lie and when the last change was kept, in words.
    parent : QWidget, optional

    Signals
    -------
    chosen : Settings
        What the reader wants kept.
    """

    chosen = Signal(object)

    def __init__(self, settings: Settings, drafts: str = "", parent: Any = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("osteotrace: keys and settings")
        self.resize(*_SIZE_PX)
        self._changed = dict(settings.keys)
        self.list = _KeyList()
        self.list.pressed_key.connect(self.take_key)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setStyleSheet(f"color: {PROBLEM_COLOUR};")
        self.reader = QLineEdit(settings.reader)
        self.reader.setPlaceholderText("your login name")
        self.windows = {
            modality: _window_combo(modality, settings) for modality in _MODALITIES
        }
        self._drafts = drafts
        self._settings = settings
        self._arrange()
        self._fill()

    @property
    def wanted(self) -> Settings:
        """What the fields say."""
        return msgspec.structs.replace(
            self._settings,
            keys=kept.changes(self._changed),
            reader=self.reader.text().strip(),
            first_windows={
                modality: str(combo.currentData())
                for modality, combo in self.windows.items()
                if combo.currentIndex()
            },
        )

    def take_key(self, name: str, key: str) -> None:
        """Give a command a key, none for an empty one; refused where it is taken."""
        wanted = kept.changes({**self._changed, name: key})
        holder = keys.present(kept.changes(self._changed)).get(key)
        if key and holder not in (None, name):
            problem = keys.taken(key, str(holder))
            self.problem.setText(f"Found {problem.found}: {problem.advice}.")
            return
        self.problem.setText("")
        self._changed = wanted
        self._fill()

    def restore(self) -> None:
        """Give every command its own key again."""
        self._changed = {}
        self.problem.setText("")
        self._fill()

    def accept(self) -> None:
        """Hand over what is wanted; who keeps it may refuse with `refuse`."""
        self.problem.setText("")
        self.chosen.emit(self.wanted)
        if not self.problem.text():
            super().accept()

    def refuse(self, words: str) -> None:
        """Say why the settings could not be kept; the dialog stays."""
        self.problem.setText(words)

    def _fill(self) -> None:
        self.list.show_keys(self._changed)

    def _arrange(self) -> None:
        tabs = QTabWidget()
        tabs.addTab(self._keys_page(), "Keys")
        tabs.addTab(self._reading_page(), "Reading")
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        keep, cancel = button("Keep"), button("Cancel")
        keep.clicked.connect(self.accept)
        cancel.clicked.connect(self.reject)
        for made in (cancel, keep):
            made.setAutoDefault(False)
            made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            made.setMinimumWidth(96)
            buttons.addWidget(made)
        layout = QVBoxLayout(self)
        layout.addWidget(tabs, stretch=1)
        layout.addWidget(self.problem)
        layout.addLayout(buttons)

    def _keys_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addWidget(_quiet(_HOW))
        layout.addWidget(self.list, stretch=1)
        self.own = button("All keys as they come")
        self.own.clicked.connect(self.restore)
        layout.addWidget(self.own, alignment=Qt.AlignmentFlag.AlignLeft)
        return page

    def _reading_page(self) -> QWidget:
        page = QWidget()
        form = QFormLayout(page)
        form.setVerticalSpacing(10)
        form.addRow("Reader", self.reader)
        form.addRow("", _quiet("Stands in every record; used from the next study on."))
        for modality, title in _MODALITIES.items():
            form.addRow(title, self.windows[modality])
        if self._drafts:
            form.addRow("Drafts", _quiet(self._drafts))
        return page


class _KeyList(QTreeWidget):
    """Commands by group with their keys; a key that is pressed is the new one."""

    pressed_key = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setColumnCount(2)
        self.setHeaderLabels(["Command", "Key"])
        self.setIndentation(12)
        self.setRootIsDecorated(False)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setColumnWidth(1, _KEY_COLUMN_PX)
        self.setStyleSheet(
            "QTreeView::item { padding: 3px; }"
            f" QTreeView::item:selected {{ background: {CHOSEN_COLOUR}; }}"
        )
        self._items: dict[str, QTreeWidgetItem] = {}
        for group in keys.GROUPS:
            title = QTreeWidgetItem(self, [group])
            title.setFlags(Qt.ItemFlag.ItemIsEnabled)
            title.setForeground(0, QColor(LIVE_COLOUR))
            for command in keys.COMMANDS:
                if command.group == group:
                    item = QTreeWidgetItem(title, [command.title])
                    item.setData(0, _NAME_ROLE, command.name)
                    self._items[command.name] = item
        self.expandAll()

    def show_keys(self, changed: dict[str, str]) -> None:
        """Show the keys, those that differ in bold."""
        for name, item in self._items.items():
            own = keys.command_of(name).key
            key = changed.get(name, own)
            item.setText(1, keys.shown(key) or "none")
            font = item.font(1)
            font.setBold(key != own)
            item.setFont(1, font)

    def choose(self, name: str) -> None:
        """Select a command."""
        self.setCurrentItem(self._items[name])

    def said(self, name: str) -> str:
        """Return the key that is shown for a command."""
        return str(self._items[name].text(1))

    def event(self, event: QEvent) -> bool:
        """Let no menu and no search of the list take the key that is pressed."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: Any) -> None:
        """Take the key for the selected command."""
        bare = not event.modifiers()
        if bare and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            super().keyPressEvent(event)
            return
        item = self.currentItem()
        name = None if item is None else item.data(0, _NAME_ROLE)
        event.accept()
        if name is None or event.key() in (*_HELD, Qt.Key.Key_Escape):
            return
        if bare and event.key() == Qt.Key.Key_Backspace:
            self.pressed_key.emit(name, "")
            return
        self.pressed_key.emit(name, keys.text_of(event.keyCombination()))


def _window_combo(modality: str, settings: Settings) -> QComboBox:
    combo = QComboBox()
    for command in kept.FIRST_WINDOWS[modality]:
        combo.addItem(keys.command_of(command).title, command)
    combo.setCurrentIndex(settings.first_window(modality))
    return combo


def _quiet(words: str) -> QLabel:
    label = QLabel(words)
    label.setWordWrap(True)
    label.setStyleSheet(f"color: {QUIET_COLOUR};")
    return label


def ask(
    settings: Settings,
    *,
    drafts: str = "",
    parent: Any = None,
    done: Callable[[Settings], object],
) -> SettingsDialog:
    """Open the dialog; keep what is chosen, then call ``done`` with it.

    Parameters
    ----------
    settings, drafts, parent
        As in `SettingsDialog`.
    done : callable
        Called with the settings that are kept and in use.
    """
    dialog = SettingsDialog(settings, drafts, parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.chosen.connect(partial(_keep, dialog, done))
    dialog.open()
    return dialog


def _keep(
    dialog: SettingsDialog, done: Callable[[Settings], object], settings: Settings
) -> None:
    try:
        kept.save(settings)
    except OsteotraceError as problem:
        dialog.refuse(str(problem))
        return
    done(settings)
