# mypy: allow-subclassing-any
"""Courses of drugs as stated at this reading, and a line to state another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from osteotrace.codes import DRUGS, ROUTES
from osteotrace.reports.text import drug_line
from osteotrace_napari.choices import Choice
from osteotrace_napari.colours import QUIET_COLOUR, TEXT_COLOUR
from osteotrace_napari.panels.answer_field import AnswerButton
from osteotrace_napari.panels.buttons import HEIGHT_PX
from osteotrace_napari.panels.choice_field import ChoiceField, TextField
from osteotrace_napari.panels.question_box import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import DrugCourse

_DRUG_CHOICES: Final = tuple(
    Choice(name, name, (of_class,) if of_class != "other" else ())
    for name, of_class in DRUGS.items()
)
_ROUTE_CHOICES: Final = tuple(
    Choice(name, "route not stated" if name == "unknown" else name, (meaning,))
    for name, meaning in ROUTES.items()
)
_DATE: Final = "YYYY-MM-DD"
_REMOVE_PX: Final = 26


class DrugList(QWidget):
    """The courses, each with a button that takes it out, and fields for one more.

    Signals
    -------
    added : str, str, str, str
        Drug, route, first dose and last dose; dates may be a month, a year or empty.
    removed : object
        The course that is taken out.
    left : ()
        The keys go to the canvas again.
    """

    added = Signal(str, str, str, str)
    removed = Signal(object)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(2)
        layout.addLayout(self._rows)
        self.drug = ChoiceField(_DRUG_CHOICES)
        self.drug.setPlaceholderText("drug")
        self.route = ChoiceField(_ROUTE_CHOICES)
        self.route.show_value("unknown")
        self.first, self.last = TextField(), TextField()
        self.first.setPlaceholderText(f"first dose, {_DATE}")
        self.last.setPlaceholderText("last dose, empty if unknown")
        self.add = QPushButton("Add")
        self.add.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.add.setMinimumHeight(HEIGHT_PX)
        self.add.clicked.connect(self._add)
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.addWidget(self.drug, 0, 0)
        grid.addWidget(self.route, 0, 1)
        grid.addWidget(self.first, 1, 0)
        grid.addWidget(self.last, 1, 1)
        grid.addWidget(self.add, 0, 2, 2, 1)
        layout.addLayout(grid)
        for field in (self.drug, self.route, self.first, self.last):
            field.left.connect(lambda field=field: self._left_field(field))

    def show_courses(self, courses: Sequence[DrugCourse]) -> None:
        """List the courses that this reading states."""
        while self._rows.count():
            old = self._rows.takeAt(0).widget()
            if old is not None:
                old.deleteLater()
        for course in courses:
            self._rows.addWidget(self._row(course))
        if not courses:
            self._rows.addWidget(words("None stated at this reading.", QUIET_COLOUR))

    def _row(self, course: DrugCourse) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(words(drug_line(course), TEXT_COLOUR), 1)
        line.addWidget(remove_button(lambda: self.removed.emit(course)))
        return row

    def _left_field(self, field: TextField) -> None:
        if field.escaped:
            self.left.emit()
        elif field is self.last:
            self._add()
        else:
            order = (self.drug, self.route, self.first, self.last)
            order[order.index(field) + 1].setFocus(Qt.FocusReason.TabFocusReason)

    def _add(self) -> None:
        for field in (self.drug, self.route, self.first, self.last):
            field.take()
        if not self.drug.value:
            self.drug.setFocus(Qt.FocusReason.TabFocusReason)
            return
        dates = self.first.text().strip(), self.last.text().strip()
        self.added.emit(self.drug.value, self.route.value or "unknown", *dates)

    def clear(self) -> None:
        """Empty the fields, as after a course was added."""
        self.drug.show_value("")
        self.route.show_value("unknown")
        self.first.show_value("")
        self.last.show_value("")


def remove_button(action: Any) -> QPushButton:
    """Return the button that takes a line out; undo brings it back."""
    made = AnswerButton("×")
    made.setToolTip("Take it out of the reading; undo brings it back")
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setFixedSize(_REMOVE_PX, _REMOVE_PX)
    made.setStyleSheet("padding: 0;")
    made.clicked.connect(action)
    return made
