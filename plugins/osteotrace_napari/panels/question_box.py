# mypy: allow-subclassing-any
"""A question that stages lack the answer to, with what answers it beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from osteotrace.codes import SITES
from osteotrace.codes.sites import VERTEBRAE
from osteotrace_napari.colours import LINE_COLOUR, QUIET_COLOUR, TEXT_COLOUR
from osteotrace_napari.panels.answer_field import AnswerField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.session.questions import AnswerForm, Asked

_ONLY_MEASURED: Final = "answered by measuring it on the images"


class QuestionBox(QFrame):
    """One question: its words, the answers, and what else would answer it.

    Signals
    -------
    answered : str, object, str, str
        Fact (key of `osteotrace.codes.FACTS`), value (None for unknown), unit, site.
    left : ()
        The keys go to the canvas again.
    """

    answered = Signal(str, object, str, str)
    left = Signal()

    def __init__(self, asked: Asked, *, beside: str = "", parent: Any = None) -> None:
        super().__init__(parent)
        self.asked = asked
        self.fields: list[AnswerField] = []
        self.setObjectName("question")
        self.setStyleSheet(f"#question {{ border-top: 1px solid {LINE_COLOUR}; }}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 4)
        layout.setSpacing(4)
        first, others = next(iter(asked.forms), None), asked.forms[1:]
        # An answer stands beside the very question that it answers: of a fact, not of
        # what several facts make up.
        if first is None or (others and first.question != asked.text):
            layout.addWidget(words(_at(asked.site, asked.text), TEXT_COLOUR))
        if first is not None:
            self._add_asked(layout, first)
        if others:
            self._add_others(layout, others)
        told = "; ".join(filter(None, (_kinds(asked), beside)))
        if told:
            layout.addWidget(words(told, QUIET_COLOUR, small=True))

    def start(self) -> None:
        """Give the keys to the first answer."""
        if self.fields:
            self.fields[0].start()

    def _add(self, layout: QBoxLayout, form: AnswerForm) -> None:
        field = AnswerField(form)
        field.answered.connect(
            lambda value, unit: self.answered.emit(form.name, value, unit, form.site)
        )
        field.left.connect(self.left)
        self.fields.append(field)
        layout.addWidget(field)

    def _add_others(self, layout: QVBoxLayout, forms: Sequence[AnswerForm]) -> None:
        """Add the parts of a question folded below it."""
        fold = Fold("or by another fact" if len(forms) == 1 else "or by another of these")
        for form in forms:
            self._add_asked(fold.inside, form)
        layout.addWidget(fold)

    def _add_asked(self, layout: QVBoxLayout, form: AnswerForm) -> None:
        """Add a fact's question with its answers, beside it where there is room."""
        question = words(_at(form.site, form.question), TEXT_COLOUR)
        if not _is_short(form):
            layout.addWidget(question)
            self._add(layout, form)
            return
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(question, 1)
        self._add(line, form)
        layout.addLayout(line)


class Fold(QWidget):
    """A line that opens what is below it."""

    def __init__(self, title: str, parent: Any = None) -> None:
        super().__init__(parent)
        self.line = QToolButton()
        self.line.setText(title)
        self.line.setCheckable(True)
        self.line.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.line.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.line.setArrowType(Qt.ArrowType.RightArrow)
        self.line.setStyleSheet(
            f"QToolButton {{ border: 0; background: transparent; "
            f"color: {QUIET_COLOUR}; padding: 1px; }}"
        )
        self.line.toggled.connect(self._turned)
        self.body = QWidget()
        self.inside = QVBoxLayout(self.body)
        self.inside.setContentsMargins(12, 0, 0, 0)
        self.inside.setSpacing(3)
        self.body.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.line)
        layout.addWidget(self.body)

    def _turned(self, is_open: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.line.setArrowType(arrow)
        self.body.setVisible(is_open)


def words(text: str, colour: str, *, small: bool = False, bold: bool = False) -> QLabel:
    """Return a label that wraps, in a colour."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    size = " font-size: 11px;" if small else ""
    weight = " font-weight: bold;" if bold else ""
    label.setStyleSheet(f"color: {colour};{size}{weight}")
    return label


def place(site: str) -> str:
    """Return a bone as short as it is said: L2 for a vertebra."""
    if not site:
        return ""
    return site.upper() if site in VERTEBRAE else SITES[site].meaning


def _is_short(form: AnswerForm) -> bool:
    """Tell whether the answers have room beside the question."""
    units = [unit for unit in form.units if unit != "1"]
    return form.answer == "truth" or (form.answer == "number" and len(units) < 2)


def _at(site: str, text: str) -> str:
    return f"{place(site)}: {text}" if site else text


def _kinds(asked: Asked) -> str:
    if asked.kinds:
        kinds = " or ".join(kind.lower() for kind in asked.kinds)
        start = "or " if asked.forms else ""
        return f"{start}by a finding, present or absent: {kinds}"
    return "" if asked.forms else _ONLY_MEASURED
