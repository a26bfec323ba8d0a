# mypy: allow-subclassing-any
"""A field that is typed into and completes itself; and one for free text.

Enter takes what is typed and leaves, Esc puts back what was there and leaves; neither key
goes any further, so that it never accepts a finding. Enter stays with what is no choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItem, QStandardItemModel
from qtpy.QtWidgets import QCompleter, QLineEdit, QToolButton

from osteotrace_napari.choices import matching
from osteotrace_napari.colours import (
    CHOSEN_COLOUR,
    LINE_COLOUR,
    PANEL_COLOUR,
    PROBLEM_COLOUR,
    TEXT_COLOUR,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace_napari.choices import Choice

HEIGHT_PX: Final = 28
_ARROW_PX: Final = 20
_SEARCH_ROLE: Final = Qt.ItemDataRole.UserRole + 1
_KEY_ROLE: Final = Qt.ItemDataRole.UserRole + 2
_ENTER: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_MOST_ROWS: Final = 12
_LIST_STYLE: Final = f"""
QListView {{ background: {PANEL_COLOUR}; color: {TEXT_COLOUR};
    border: 1px solid {LINE_COLOUR};
    selection-background-color: {CHOSEN_COLOUR}; selection-color: {TEXT_COLOUR}; }}
QListView::item {{ padding: 2px 4px; }}
"""
_BY_MOUSE: Final = Qt.FocusReason.MouseFocusReason
# Focus that comes and goes with a list or another window is no new start.
_SAME_FIELD: Final = (
    Qt.FocusReason.PopupFocusReason,
    Qt.FocusReason.ActiveWindowFocusReason,
)


class TextField(QLineEdit):
    """A line of text, taken when it is left.

    Signals
    -------
    taken : str
        The new text, where it is another one.
    left : ()
        Enter or Esc was pressed.

    Attributes
    ----------
    escaped : bool
        Whether the last key was Esc.
    """

    taken = Signal(str)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT_PX)
        self._given = ""
        self.escaped = False
        self.editingFinished.connect(self.take)

    def show_value(self, value: str) -> None:
        """Show what is said now; what is being typed stays."""
        typing = self.hasFocus() and self.text() != self._given_words()
        if value == self._given and typing:
            return
        self._given = value
        self._write(self._given_words())

    def take(self) -> None:
        """Take what is typed."""
        if self.text() != self._given:
            self._given = self.text()
            self.taken.emit(self._given)

    def put_back(self) -> None:
        """Forget what is typed."""
        self._write(self._given_words())

    def keyPressEvent(self, event: Any) -> None:
        """Let Enter take and Esc put back; the rest is typing."""
        self.escaped = event.key() == Qt.Key.Key_Escape
        is_enter = event.key() in _ENTER
        if not (is_enter or self.escaped):
            super().keyPressEvent(event)
            return
        event.accept()
        if self.escaped:
            self.put_back()
        elif not self._enter():
            return
        self.left.emit()

    def focusOutEvent(self, event: Any) -> None:
        """Show the beginning of what is too long."""
        super().focusOutEvent(event)
        if event.reason() not in _SAME_FIELD:
            self.setCursorPosition(0)

    def _enter(self) -> bool:
        """Take what is typed; False where it cannot be taken."""
        self.take()
        return True

    def _write(self, words: str) -> None:
        self.setText(words)
        if not self.hasFocus():
            self.setCursorPosition(0)

    def _given_words(self) -> str:
        return self._given


class _Completer(QCompleter):
    """Finds an entry by all its words and writes the one that is shown."""

    def pathFromIndex(self, index: Any) -> str:
        return str(index.data(Qt.ItemDataRole.DisplayRole))


class ChoiceField(TextField):
    """One of a list of choices, by a few letters of it or of a synonym.

    Its values are the keys of the choices.
    """

    def __init__(self, choices: Sequence[Choice], parent: Any = None) -> None:
        super().__init__(parent)
        self._choices = tuple(choices)
        self._words = {choice.key: choice.words for choice in choices}
        # A first click selects all, also where it gives the window its keys.
        self._is_entered = False
        # A completer owns no model: without an owner the list would be empty.
        completer = _Completer(_model(self._choices, self), self)
        completer.setCompletionRole(_SEARCH_ROLE)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setMaxVisibleItems(_MOST_ROWS)
        # The list is a window of its own, which the style of its field does not reach.
        completer.popup().setStyleSheet(_LIST_STYLE)
        completer.activated.connect(lambda *_: self.take())
        self.setCompleter(completer)
        self.textEdited.connect(lambda _: self._complain(""))
        self.arrow = QToolButton(self)
        self.arrow.setText("▾")
        self.arrow.setCursor(Qt.CursorShape.ArrowCursor)
        self.arrow.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.arrow.setStyleSheet("border: 0; background: transparent; padding: 0;")
        self.arrow.clicked.connect(self.show_all)
        self.setTextMargins(0, 0, _ARROW_PX, 0)

    @property
    def value(self) -> str:
        """Key of what is chosen."""
        return self._given

    def show_all(self) -> None:
        """Show the whole list."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.selectAll()
        self.completer().setCompletionPrefix("")
        self.completer().complete()

    def take(self) -> None:
        """Take the choice that the typed words mean; without one put the old back."""
        if self.text() == self._given_words():
            return
        choice = matching(self._choices, self.text())
        if choice is None:
            self.put_back()
            return
        changed, self._given = choice.key != self._given, choice.key
        self._write(choice.words)
        if changed:
            self.taken.emit(choice.key)

    def put_back(self) -> None:
        """Forget what is typed."""
        self._complain("")
        super().put_back()

    def selectAll(self) -> None:
        """Select all, its beginning in sight."""
        self.setSelection(len(self.text()), -len(self.text()))

    def focusInEvent(self, event: Any) -> None:
        """Let what is typed next take the place of what is there."""
        super().focusInEvent(event)
        if event.reason() not in _SAME_FIELD:
            self._is_entered = event.reason() != _BY_MOUSE
            self.selectAll()

    def mousePressEvent(self, event: Any) -> None:
        """Select all by the click that gives the keys; a further one sets the place."""
        super().mousePressEvent(event)
        if not self._is_entered:
            self.selectAll()
        self._is_entered = True

    def focusOutEvent(self, event: Any) -> None:
        """Select all again by the next click that gives the keys."""
        super().focusOutEvent(event)
        if event.reason() not in _SAME_FIELD:
            self._is_entered = False

    def keyPressEvent(self, event: Any) -> None:
        """Open the list with Down; else as any field."""
        popup = self.completer().popup()
        if event.key() == Qt.Key.Key_Down and not popup.isVisible():
            self.show_all()
            event.accept()
            return
        super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Let Tab take what is typed or pointed at; it stays with what is no choice."""
        return not self._enter() or bool(super().focusNextPrevChild(forward))

    def resizeEvent(self, event: Any) -> None:
        """Keep the arrow at the end."""
        super().resizeEvent(event)
        self.arrow.setGeometry(self.width() - _ARROW_PX, 0, _ARROW_PX, self.height())

    def _enter(self) -> bool:
        popup = self.completer().popup()
        pointed = popup.currentIndex() if popup.isVisible() else None
        if pointed is not None and pointed.isValid():
            self.setText(str(pointed.data(Qt.ItemDataRole.DisplayRole)))
        popup.hide()
        is_other = self.text() != self._given_words()
        if is_other and matching(self._choices, self.text()) is None:
            self._complain("None of the choices is like this; Esc puts back what was.")
            self.selectAll()
            return False
        self.take()
        return True

    def _complain(self, problem: str) -> None:
        """Show that what is typed is no choice, and why; nothing for no words."""
        colours = f"color: {PROBLEM_COLOUR}; selection-color: {PROBLEM_COLOUR};"
        self.setStyleSheet(colours if problem else "")
        self.setToolTip(problem)

    def _given_words(self) -> str:
        return self._words.get(self._given, "")


def _model(choices: Sequence[Choice], owner: Any) -> QStandardItemModel:
    model = QStandardItemModel(owner)
    for choice in choices:
        item = QStandardItem(choice.words)
        item.setData(choice.search, _SEARCH_ROLE)
        item.setData(choice.key, _KEY_ROLE)
        if choice.synonyms:
            item.setToolTip(", ".join(choice.synonyms))
        model.appendRow(item)
    return model
