# mypy: allow-subclassing-any
"""Any fact that no stage asks for just now: found by its words, stated by the reader."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from osteotrace.codes import FACTS
from osteotrace.session.questions import Asked, form
from osteotrace_napari.choices import SITE_CHOICES, Choice
from osteotrace_napari.panels.choice_field import ChoiceField
from osteotrace_napari.panels.question_box import QuestionBox

_CHOICES: Final = tuple(
    Choice(name, fact.question, (fact.group,)) for name, fact in FACTS.items()
)


class OtherFact(QWidget):
    """A field that finds a question, the bone where it is of one, and its answers.

    Signals
    -------
    answered : str, object, str, str
        Fact, value (None for unknown), unit, site.
    left : ()
        The keys go to the canvas again.
    """

    answered = Signal(str, object, str, str)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.fact = ChoiceField(_CHOICES)
        self.fact.setPlaceholderText("a word of the question, such as CRP or cancer")
        self.site = ChoiceField(SITE_CHOICES)
        self.site.setPlaceholderText("of which bone, such as L2")
        self.box: QuestionBox | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._layout.addWidget(self.fact)
        self._layout.addWidget(self.site)
        self.site.hide()
        for field in (self.fact, self.site):
            field.taken.connect(self._show)
            field.left.connect(self._left_field)

    def _show(self) -> None:
        """Show the question that is chosen; of one bone only once that is named."""
        if self.box is not None:
            self.box.hide()
            self.box.deleteLater()
            self.box = None
        if not self.fact.value:
            return
        definition = FACTS[self.fact.value]
        self.site.setVisible(definition.sited)
        site = self.site.value if definition.sited else ""
        if definition.sited and not definition.site_optional and not site:
            return
        chosen = form(self.fact.value, site=site)
        asked = Asked(
            criterion=chosen.name,
            words="",
            text=chosen.question,
            site=site,
            forms=(chosen,),
        )
        self.box = QuestionBox(asked)
        self.box.answered.connect(self.answered)
        self.box.left.connect(self.left)
        self._layout.addWidget(self.box)

    def _left_field(self) -> None:
        field = self.sender()
        if isinstance(field, ChoiceField) and field.escaped:
            self.left.emit()
        elif self.box is not None:
            self.box.start()
        elif self.site.isVisible():
            self.site.setFocus()
