# mypy: allow-subclassing-any
"""The Stage tab: each system's stage as an interval, why, and what is missing as a form.

It shows a `StageSheet` and asks; whoever listens states the answers and shows the next
sheet. Stages that are open stay open, and the keys go on to the next question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from osteotrace.about import RESEARCH_USE_SHORT, RESEARCH_USE_STATEMENT
from osteotrace.reports.text import fact_line
from osteotrace.session.questions import Asked, StageSheet
from osteotrace_napari.colours import QUIET_COLOUR, TEXT_COLOUR, WARNING_COLOUR
from osteotrace_napari.panels.answer_field import AnswerField
from osteotrace_napari.panels.choice_field import TextField
from osteotrace_napari.panels.drug_list import DrugList, remove_button
from osteotrace_napari.panels.other_fact import OtherFact
from osteotrace_napari.panels.question_box import Fold, QuestionBox, words
from osteotrace_napari.panels.stage_row import SHORT_NAMES, StageRow

if TYPE_CHECKING:
    from osteotrace.findings import Fact

# How many questions stand above the stages.
_MOST_FIRST: Final = 3
_MOST_SYSTEMS: Final = 3
_ENTER: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_DATE_PX: Final = 104
_PROFILE: Final = "fap"
_NOTHING: Final = (
    "No stage yet: nothing is known of a jaw, a spine or bone units. Accept a finding, "
    "or state a fact below, such as exposed bone."
)


class StageTab(QWidget):
    """Stages, the questions that narrow them, drugs, and what is stated.

    Signals
    -------
    answered : str, object, str, str, str, str
        Fact (key of `osteotrace.codes.FACTS`), value (None for unknown), unit, site,
        laterality, and the date at which it held; empty for the study's.
    overridden : str, str, str, str
        System, site, stage and reason.
    withdrawn : str, str
        System and site whose stage is as computed again.
    drug_added : str, str, str, str
        Drug, route, first and last dose.
    drug_removed : object
        A course that this reading states.
    retracted : object
        A fact that this reading states.
    left : ()
        The keys go to the canvas again.
    """

    answered = Signal(str, object, str, str, str, str)
    overridden = Signal(str, str, str, str)
    withdrawn = Signal(str, str)
    drug_added = Signal(str, str, str, str)
    drug_removed = Signal(object)
    retracted = Signal(object)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.rows: list[StageRow] = []
        self.first: list[QuestionBox] = []
        self.sheet = StageSheet(date="")
        self._open: set[tuple[str, str]] = set()
        self._is_committing = False
        self.heading = words("", TEXT_COLOUR, bold=True)
        self.not_counted = words("", WARNING_COLOUR)
        self.problem = words("", WARNING_COLOUR)
        self.date = TextField()
        self.date.setFixedWidth(_DATE_PX)
        self.date.left.connect(self.left)
        self.drugs = DrugList()
        self.drugs.added.connect(self.drug_added)
        self.drugs.removed.connect(self.drug_removed)
        self.drugs.left.connect(self.left)
        self.checks = Fold("")
        self.other = OtherFact()
        self.other.answered.connect(self._answer)
        self.other.left.connect(self.left)
        self.stated = Fold("")
        self.area = QScrollArea()
        self.statement = words(RESEARCH_USE_SHORT, QUIET_COLOUR, small=True)
        self.statement.setToolTip(RESEARCH_USE_STATEMENT)
        self._arrange()
        self.show_stagings(self.sheet)

    # What is shown -----------------------------------------------------------------

    def show_stagings(self, sheet: StageSheet) -> None:
        """Show the stages of a reading; what was open stays open."""
        asking = self._asking()
        if sheet.stated.drugs != self.sheet.stated.drugs:
            self.drugs.clear()
        self.sheet = sheet
        self.heading.setText(f"Stages at {sheet.date}" if sheet.date else "Stages")
        self.date.setPlaceholderText(sheet.date or "YYYY-MM-DD")
        _say(self.not_counted, sheet.not_counted)
        self._show_checks()
        _say(self.problem, "")
        self._show_first()
        self._show_rows()
        self.drugs.show_courses(sheet.stated.drugs)
        self._show_stated()
        # Questions are made anew: the keys go to the one that is first now.
        if asking == "first" and self.first:
            self.first[0].start()
        for row in self.rows:
            if row.key == asking and row.questions:
                row.questions[0].start()

    def say_problem(self, problem: str) -> None:
        """Say why an answer, a drug or a stage was not taken."""
        _say(self.problem, problem)
        self.area.verticalScrollBar().setValue(0)

    def open(self, system: str, site: str = "") -> None:
        """Open one stage, as where it is asked for from elsewhere."""
        for row in self.rows:
            if row.key == (system, site):
                row.open()

    def start(self) -> None:
        """Give the keys to the most decisive question."""
        if self.first:
            self.first[0].start()

    def commit(self) -> None:
        """Take what is half typed as an answer, before another one shows new forms."""
        if self._is_committing:
            return
        self._is_committing = True
        for field in self.findChildren(AnswerField):
            if field.text is not None:
                field.text.take()
        self._is_committing = False

    def keyPressEvent(self, event: Any) -> None:
        """Let Enter press the button that has the keys, and Esc give them back."""
        focused = self.window().focusWidget()
        if event.key() == Qt.Key.Key_Escape:
            event.accept()
            self.left.emit()
        elif event.key() in _ENTER and isinstance(focused, QAbstractButton):
            event.accept()
            focused.click()
        else:
            super().keyPressEvent(event)

    # Inside -------------------------------------------------------------------------

    def _arrange(self) -> None:
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.setContentsMargins(4, 4, 8, 4)
        inside.setSpacing(6)
        head = QHBoxLayout()
        head.addWidget(self.heading, 1)
        label = QLabel("Answers held on")
        label.setStyleSheet(f"color: {QUIET_COLOUR};")
        head.addWidget(label)
        head.addWidget(self.date)
        inside.addLayout(head)
        inside.addWidget(self.problem)
        inside.addWidget(self.not_counted)
        inside.addWidget(self.checks)
        self._first_title = words("Most decisive questions", QUIET_COLOUR, bold=True)
        inside.addWidget(self._first_title)
        self._first_place = _column(inside)
        self._rows_title = words("Stages by system", QUIET_COLOUR, bold=True)
        inside.addWidget(self._rows_title)
        self._rows_place = _column(inside)
        self._nothing = words(_NOTHING, QUIET_COLOUR)
        inside.addWidget(self._nothing)
        inside.addWidget(words("Drugs", QUIET_COLOUR, bold=True))
        inside.addWidget(self.drugs)
        another = Fold("State another fact")
        another.inside.addWidget(self.other)
        inside.addWidget(another)
        inside.addWidget(self.stated)
        inside.addStretch(1)
        self.area.setWidget(content)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.statement)

    def _show_first(self) -> None:
        _empty(self._first_place)
        self.first = [
            QuestionBox(one, beside=_narrows(one))
            for one in self.sheet.first[:_MOST_FIRST]
            if one.forms
        ]
        for box in self.first:
            self._listen(box)
            self._first_place.addWidget(box)
        self._first_title.setVisible(bool(self.first))

    def _show_rows(self) -> None:
        _empty(self._rows_place)
        self.rows = []
        for result in self.sheet.results:
            key = result.system, result.site
            profile = self.sheet.profile if result.system == _PROFILE else ()
            row = StageRow(result, self.sheet.asked.get(key, ()), profile)
            self._listen(row)
            row.overridden.connect(self.overridden)
            row.withdrawn.connect(self.withdrawn)
            row.opened.connect(lambda is_open, key=key: self._opened(key, is_open))
            if key in self._open:
                row.open()
            self.rows.append(row)
            self._rows_place.addWidget(row)
        self._rows_title.setVisible(bool(self.rows))
        self._nothing.setVisible(not self.rows)

    def _show_checks(self) -> None:
        number = len(self.sheet.checks)
        self.checks.line.setText(f"{number} thing{'' if number == 1 else 's'} to check")
        self.checks.setVisible(bool(number))
        _empty(self.checks.inside)
        for one in self.sheet.checks:
            self.checks.inside.addWidget(words(one, WARNING_COLOUR))

    def _show_stated(self) -> None:
        facts = self.sheet.stated.facts
        self.stated.line.setText(f"Stated at this reading: {len(facts)}")
        self.stated.setVisible(bool(facts))
        _empty(self.stated.inside)
        for fact in facts:
            self.stated.inside.addWidget(self._fact(fact))

    def _fact(self, fact: Fact) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(words(fact_line(fact), TEXT_COLOUR), 1)
        line.addWidget(remove_button(lambda: self.retracted.emit(fact)))
        return row

    def _listen(self, asking: QuestionBox | StageRow) -> None:
        asking.answered.connect(self._answer)
        asking.left.connect(self.left)

    def _answer(self, name: str, value: object, unit: str, site: str) -> None:
        self.commit()
        date = self.date.text().strip()
        self.answered.emit(name, value, unit, site, "", date)

    def _opened(self, key: tuple[str, str], is_open: bool) -> None:
        if is_open:
            self._open.add(key)
        else:
            self._open.discard(key)

    def _asking(self) -> str | tuple[str, str]:
        """Return where the keys are: among the first questions, in a stage, or not."""
        focused = self.window().focusWidget()
        if focused is None:
            return ""
        if any(box.isAncestorOf(focused) for box in self.first):
            return "first"
        return next((row.key for row in self.rows if row.isAncestorOf(focused)), "")


def _column(inside: QVBoxLayout) -> QVBoxLayout:
    made = QVBoxLayout()
    made.setSpacing(0)
    inside.addLayout(made)
    return made


def _empty(layout: QVBoxLayout) -> None:
    while layout.count():
        old = layout.takeAt(0).widget()
        if old is not None:
            # It may be the one whose answer is being told of.
            old.hide()
            old.deleteLater()


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))


def _narrows(asked: Asked) -> str:
    """Return which stages a question keeps apart, in a few words."""
    systems = list(dict.fromkeys(SHORT_NAMES[system] for system, _ in asked.stages))
    named, rest = systems[:_MOST_SYSTEMS], len(systems) - _MOST_SYSTEMS
    return "narrows " + "; ".join(named) + (f" and {rest} more" if rest > 0 else "")
