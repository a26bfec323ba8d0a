# mypy: allow-subclassing-any
"""One clinical fact as it is asked: buttons, a list, a number with its unit, or a text.

Unknown is an answer to every one. What is stated already is shown pressed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QWidget

from osteotrace.codes import UNITS
from osteotrace_napari.colours import CHOSEN_COLOUR, PROBLEM_COLOUR, QUIET_COLOUR
from osteotrace_napari.panels.choice_field import HEIGHT_PX, TextField

if TYPE_CHECKING:
    from osteotrace.session.questions import AnswerForm

# Choices of up to so many letters in all are buttons, longer ones a list.
_MOST_LETTERS: Final = 16
_NUMBER_PX: Final = 72
_TRUTHS: Final = (("Yes", True), ("No", False))
_KEYS: Final = {Qt.Key.Key_Y: True, Qt.Key.Key_N: False, Qt.Key.Key_U: None}
_NOT_ANSWERED: Final = "choose …"
_UNKNOWN: Final = "Unknown"


class AnswerField(QWidget):
    """The answers to one fact.

    Signals
    -------
    answered : object, str
        The value (None for unknown) and the unit, empty where it has none.
    left : ()
        Enter or Esc was pressed in a text: the keys go to the canvas again.
    """

    answered = Signal(object, str)
    left = Signal()

    def __init__(self, form: AnswerForm, parent: Any = None) -> None:
        super().__init__(parent)
        self.form = form
        self.buttons: dict[object, QPushButton] = {}
        self.list: QComboBox | None = None
        self.text: TextField | None = None
        self.units: QComboBox | None = None
        self.problem = QLabel()
        self.problem.setStyleSheet(f"color: {PROBLEM_COLOUR};")
        self.problem.hide()
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._fill()
        self._add_button(_UNKNOWN, None)
        self._layout.addWidget(self.problem)
        if self.list is None:
            self._layout.addStretch(1)
        self._show_stated()

    def _fill(self) -> None:
        if self.form.answer == "truth":
            for words, value in _TRUTHS:
                self._add_button(words, value)
        elif self.form.answer == "choice":
            if sum(map(len, self.form.choices)) <= _MOST_LETTERS:
                for choice in self.form.choices:
                    self._add_button(choice, choice)
            else:
                self._add_list()
        else:
            self._add_text()

    def _add_button(self, words: str, value: object) -> None:
        made = AnswerButton(words)
        # Tab reaches it; a click leaves the keys where they are.
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.setCheckable(True)
        made.setFixedHeight(HEIGHT_PX)
        made.setStyleSheet(
            f"QPushButton {{ padding: 2px 9px; }}"
            f"QPushButton:checked {{ background: {CHOSEN_COLOUR}; }}"
        )
        made.clicked.connect(lambda: self._answer(value))
        self.buttons[value] = made
        self._layout.addWidget(made)

    def _add_list(self) -> None:
        self.list = Choices((_NOT_ANSWERED, *self.form.choices))
        self.list.activated.connect(self._chosen)
        self._layout.addWidget(self.list, 1)

    def _add_text(self) -> None:
        self.text = TextField()
        self.text.taken.connect(self._typed)
        self.text.left.connect(self.left)
        is_number = self.form.answer == "number"
        if is_number:
            self.text.setFixedWidth(_NUMBER_PX)
            self.text.setPlaceholderText(self.form.limits.replace(" or more", " …"))
        self._layout.addWidget(self.text, 0 if is_number else 1)
        named = [unit for unit in self.form.units if unit != "1"]
        if len(named) > 1:
            # Where the unit decides, none is taken for granted.
            first = ("unit …",) if self.form.unit_stated else ()
            self.units = Choices((*first, *named))
            self.units.activated.connect(lambda _: self._typed(self._typing()))
            self._layout.addWidget(self.units)
        elif named:
            label = QLabel(named[0])
            label.setToolTip(UNITS[named[0]].meaning)
            label.setStyleSheet(f"color: {QUIET_COLOUR};")
            self._layout.addWidget(label)

    def _show_stated(self) -> None:
        fact = self.form.stated
        for value, made in self.buttons.items():
            made.setChecked(fact is not None and fact.value == value)
        if fact is None or fact.value is None:
            return
        if self.list is not None and isinstance(fact.value, str):
            self.list.setCurrentText(fact.value)
        if self.text is not None:
            number = isinstance(fact.value, int | float)
            self.text.show_value(f"{fact.value:g}" if number else str(fact.value))
        if self.units is not None and fact.unit:
            self.units.setCurrentText(fact.unit)

    # Answering -------------------------------------------------------------------

    def start(self) -> None:
        """Give the keys to it."""
        reason = Qt.FocusReason.TabFocusReason
        first = self.text or self.list or next(iter(self.buttons.values()))
        first.setFocus(reason)

    def keyPressEvent(self, event: Any) -> None:
        """Let Y, N and U answer where a button has the keys; Esc goes back."""
        if event.key() == Qt.Key.Key_Escape:
            event.accept()
            self.left.emit()
            return
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if plain and event.key() in _KEYS and _KEYS[event.key()] in self.buttons:
            event.accept()
            self._answer(_KEYS[event.key()])
            return
        super().keyPressEvent(event)

    def _answer(self, value: object) -> None:
        # Pressed in only once it is stated.
        self._show_stated()
        self.answered.emit(value, "")

    def _chosen(self, place: int) -> None:
        if place:
            self.answered.emit(self.form.choices[place - 1], "")

    def _typing(self) -> str:
        assert self.text is not None
        return str(self.text.text())

    def _typed(self, words: str) -> None:
        words = words.strip()
        self._complain("")
        if not words:
            return
        if self.form.answer == "text":
            self.answered.emit(words, "")
            return
        try:
            number = float(words.replace(",", "."))
        except ValueError:
            self._complain("not a number")
            return
        unit = self._unit()
        if self.form.unit_stated and not unit:
            self._complain("in which unit?")
            return
        self.answered.emit(number, unit)

    def _unit(self) -> str:
        if self.units is None:
            return self.form.units[0]
        unit = str(self.units.currentText())
        return unit if unit in self.form.units else ""

    def _complain(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))


class AnswerButton(QPushButton):
    """A button that one click presses once.

    An answer puts the next question in the place of its own: the second click of a double
    click would answer that one too.
    """

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Let the second click press nothing."""
        event.accept()


class Choices(QComboBox):
    """A list to choose from, which a turning wheel does not change by chance."""

    def __init__(self, choices: tuple[str, ...], parent: Any = None) -> None:
        super().__init__(parent)
        self.addItems(choices)
        self.setFixedHeight(HEIGHT_PX)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(8)
        for place, choice in enumerate(choices):
            self.setItemData(place, choice, Qt.ItemDataRole.ToolTipRole)

    def wheelEvent(self, event: Any) -> None:
        """Let the wheel scroll the panel."""
        event.ignore()
