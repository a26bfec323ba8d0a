# mypy: allow-subclassing-any
"""The help overlay: every command with its present key, over the whole window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from osteotrace_napari import keys
from osteotrace_napari.colours import LIVE_COLOUR, QUIET_COLOUR, TEXT_COLOUR

if TYPE_CHECKING:
    from collections.abc import Iterable

MOUSE: Final = "Mouse"
# Which groups stand in which column, so that the columns are of one height: the widest
# arrangement that a window has room for is taken.
_ARRANGEMENTS: Final = (
    (
        (keys.STUDY, keys.WINDOW),
        (keys.SLICES, keys.FINDINGS),
        (keys.TOOLS,),
        (keys.MASK, MOUSE, keys.HELP),
    ),
    (
        (keys.STUDY, keys.WINDOW, keys.HELP),
        (keys.SLICES, keys.FINDINGS),
        (keys.TOOLS, keys.MASK, MOUSE),
    ),
    (
        (keys.STUDY, keys.WINDOW, keys.MASK, MOUSE, keys.HELP),
        (keys.SLICES, keys.FINDINGS, keys.TOOLS),
    ),
)
_MARGIN_PX: Final = 28
# Margins and a scroll bar.
_AROUND_PX: Final = 2 * _MARGIN_PX + 16
# Keys that are held for another one.
_HELD: Final = (
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
)
_STYLE: Final = f"""
#help_overlay {{ background: rgba(10, 14, 20, 242); }}
#help_overlay QLabel {{ background: transparent; color: {TEXT_COLOUR}; }}
#help_overlay QLabel[part="title"] {{ font-size: 15pt; font-weight: 600; }}
#help_overlay QLabel[part="quiet"] {{ color: {QUIET_COLOUR}; }}
#help_overlay QLabel[part="group"] {{ color: {LIVE_COLOUR}; font-weight: 600; }}
#help_overlay QLabel[part="key"] {{ background: #26303c; border: 1px solid #46566a;
    border-radius: 4px; padding: 1px 6px; font-size: 9pt; }}
#help_overlay QScrollArea, #help_overlay QScrollArea > QWidget > QWidget {{
    background: transparent; border: 0; }}
"""


class HelpOverlay(QFrame):
    """Covers a window with the list of keys; any key or click closes it.

    Parameters
    ----------
    parent : QWidget
        What it covers, whole, however that is resized.
    names : iterable of str, optional
        Commands that the room has; all of `keys.COMMANDS` by default.

    Signals
    -------
    closed : no arguments
        The keys go to the canvas again.
    """

    closed = Signal()

    def __init__(self, parent: QWidget, names: Iterable[str] | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("help_overlay")
        self.setStyleSheet(_STYLE)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._names = None if names is None else frozenset(names)
        self._list: QScrollArea | None = None
        title = QHBoxLayout()
        title.addWidget(_label("Keys", "title"))
        title.addSpacing(16)
        title.addWidget(
            _label("Any key or a click closes this. To change keys:", "quiet")
        )
        self._settings = _label("", "key")
        title.addWidget(self._settings)
        title.addStretch(1)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(_MARGIN_PX, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX)
        self._layout.addLayout(title)
        parent.installEventFilter(self)
        self.hide()

    def open(self) -> None:
        """Show the keys as they are now."""
        self._settings.setText(keys.key_of("settings"))
        self._fill()
        self.setGeometry(self.parentWidget().rect())
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def put_away(self) -> None:
        """Close it and give the keys back."""
        if not self.isHidden():
            self.hide()
            self.closed.emit()

    def words(self) -> list[str]:
        """Return everything it says, in the order of its columns."""
        if self._list is None:
            return []
        return [label.text() for label in self._list.findChildren(QLabel)]

    def event(self, event: QEvent) -> bool:
        """Take every key before a menu or the canvas does, and close."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        if event.type() == QEvent.Type.KeyPress:
            if event.key() not in _HELD:
                self.put_away()
            event.accept()
            return True
        return bool(super().event(event))

    def mousePressEvent(self, event: Any) -> None:
        """Close on a click."""
        event.accept()
        self.put_away()

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Follow the size of what is covered; close where its list is clicked."""
        if event.type() == QEvent.Type.Resize and watched is self.parentWidget():
            self.setGeometry(watched.rect())
            if self.isVisible():
                self._fill()
        elif (
            event.type() == QEvent.Type.MouseButtonPress and watched is not self.parent()
        ):
            self.put_away()
            return True
        return False

    def _fill(self) -> None:
        if self._list is not None:
            self._layout.removeWidget(self._list)
            self._list.deleteLater()
        room = self.parentWidget().width() - _AROUND_PX
        inside = self._columns(_ARRANGEMENTS[0])
        for columns in _ARRANGEMENTS[1:]:
            if inside.minimumSizeHint().width() <= room:
                break
            inside.hide()
            inside.deleteLater()
            inside = self._columns(columns)
        self._list = QScrollArea()
        self._list.setWidgetResizable(True)
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setWidget(inside)
        self._list.viewport().installEventFilter(self)
        self._layout.addWidget(self._list, stretch=1)

    def _columns(self, columns: tuple[tuple[str, ...], ...]) -> QWidget:
        inside = QWidget(self)
        row = QHBoxLayout(inside)
        row.setContentsMargins(0, 12, 0, 0)
        row.setSpacing(_MARGIN_PX)
        for groups in columns:
            column = QVBoxLayout()
            column.setSpacing(18)
            for group in groups:
                lines = self._lines(group)
                if lines:
                    column.addLayout(_block(group, lines))
            column.addStretch(1)
            row.addLayout(column)
        row.addStretch(1)
        for label in inside.findChildren(QLabel):
            # A style sheet lets a layout press it flat else.
            label.ensurePolished()
            label.setMinimumSize(label.sizeHint())
        return inside

    def _lines(self, group: str) -> list[tuple[str, str]]:
        if group == MOUSE:
            return list(keys.MOUSE)
        return [
            (keys.key_of(command.name), command.title)
            for command in keys.COMMANDS
            if command.group == group
            and (self._names is None or command.name in self._names)
        ]


def _block(group: str, lines: list[tuple[str, str]]) -> QGridLayout:
    """Return a group: its name, and below it each key with what it does."""
    grid = QGridLayout()
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(5)
    grid.addWidget(_label(group, "group"), 0, 0, 1, 2)
    for row, (key, title) in enumerate(lines, start=1):
        shown = _label(key or "none", "key" if key else "quiet")
        shown.setAlignment(Qt.AlignmentFlag.AlignCenter)
        grid.addWidget(shown, row, 0)
        grid.addWidget(_label(title), row, 1)
    grid.setColumnStretch(1, 1)
    return grid


def _label(words: str, part: str = "") -> QLabel:
    label = QLabel(words)
    label.setProperty("part", part)
    return label
