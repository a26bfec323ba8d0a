# mypy: allow-subclassing-any
"""One stage: what it is, and opened, why, what is missing, and how to set another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from osteotrace.codes import STAGINGS
from osteotrace.reports import stagings
from osteotrace_napari.colours import (
    LINE_COLOUR,
    QUIET_COLOUR,
    STATE_COLOURS,
    TEXT_COLOUR,
    WARNING_COLOUR,
)
from osteotrace_napari.panels.answer_field import Choices
from osteotrace_napari.panels.buttons import HEIGHT_PX
from osteotrace_napari.panels.choice_field import TextField
from osteotrace_napari.panels.question_box import Fold, QuestionBox, place, words
from osteotrace_napari.wording import ACCEPTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osteotrace.findings import StagingResult
    from osteotrace.session.questions import AnswerForm, Asked

# Systems in few words; the line's tooltip has them in full.
SHORT_NAMES: Final = {
    "aaoms_2014": "AAOMS 2014",
    "aaoms_2022": "AAOMS 2022",
    "sipmo_strict": "SICMF-SIPMO, CT needed",
    "sipmo_lenient": "SICMF-SIPMO, any listed sign",
    "genant": "Genant grade",
    "spinal_deformity_index": "Spinal Deformity Index",
    "of_class": "OF class",
    "brown": "Brown and Shaw class (borrowed)",
    "rebound_fracture": "Rebound fracture flag",
    "rai_cromris": "RAI-CROMRIS",
    "fap": "Functional-aesthetic profile",
}
# A stage stands beside its system where both have up to so many letters; those of the
# stage are larger.
_MOST_LETTERS: Final = 46
_STAGE_LETTER: Final = 1.45
# A stage of more letters is a line of its own, in plain size.
_LARGE_LETTERS: Final = 22
_NO_STAGE: Final = "stage …"
_STAGE_PX: Final = 17
# Lines of a result by how they begin: those of its forms are left out.
_ASKED: Final = ("not known:", "ask first:")
# What stands above everything else.
_FIRST: Final = ("contradiction:", "set by ")
_SMALL: Final = ("rules that", "source:")
_COLOURS: Final = (
    ("contradiction:", WARNING_COLOUR),
    ("note:", WARNING_COLOUR),
    ("set by ", STATE_COLOURS[ACCEPTED]),
    ("because:", TEXT_COLOUR),
)


class StageRow(QFrame):
    """A system's stage as a line that opens.

    Signals
    -------
    answered : str, object, str, str
        Fact, value (None for unknown), unit, site.
    overridden : str, str, str, str
        System, site, stage, reason.
    withdrawn : str, str
        System and site whose stage is as computed again.
    opened : bool
        It was opened or closed.
    left : ()
        The keys go to the canvas again.
    """

    answered = Signal(str, object, str, str)
    overridden = Signal(str, str, str, str)
    withdrawn = Signal(str, str)
    opened = Signal(bool)
    left = Signal()

    def __init__(
        self,
        result: StagingResult,
        asked: Sequence[Asked],
        profile: Sequence[AnswerForm] = (),
        parent: Any = None,
    ) -> None:
        super().__init__(parent)
        self.result = result
        self.asked = tuple(asked)
        self.profile = tuple(profile)
        self.questions: list[QuestionBox] = []
        self.setObjectName("stage")
        self.setStyleSheet(f"#stage {{ border-top: 1px solid {LINE_COLOUR}; }}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(2)
        self.stage = _stage(result)
        self.arrow = self._arrow()
        self._arrange_head(layout)
        self.body = QWidget()
        self._inside = QVBoxLayout(self.body)
        self._inside.setContentsMargins(18, 2, 0, 6)
        self._inside.setSpacing(5)
        self.body.hide()
        layout.addWidget(self.body)
        self._is_filled = False

    def _arrange_head(self, layout: QVBoxLayout) -> None:
        """Place the system, what is unknown and the stage: in one line, or in two."""
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.arrow)
        if self.asked:
            unknown = QLabel(f"{len(self.asked)} unknown")
            unknown.setStyleSheet(f"color: {QUIET_COLOUR}; font-size: 11px;")
            head.addWidget(unknown)
        head.addStretch(1)
        name = SHORT_NAMES.get(self.result.system, self.result.system)
        letters = len(name) + _STAGE_LETTER * len(self.stage.text())
        is_long = letters > _MOST_LETTERS
        if not is_long:
            head.addWidget(self.stage)
        layout.addLayout(head)
        if is_long:
            self.stage.setContentsMargins(18, 0, 0, 0)
            layout.addWidget(self.stage)

    @property
    def key(self) -> tuple[str, str]:
        """System and site."""
        return self.result.system, self.result.site

    def open(self, is_open: bool = True) -> None:
        """Show or hide what the stage rests on and lacks."""
        self.arrow.setChecked(is_open)

    def mousePressEvent(self, event: Any) -> None:
        """Open or close by a click on the stage itself."""
        if event.button() == Qt.MouseButton.LeftButton and event.pos().y() < (
            self.body.y() if self.body.isVisible() else self.height()
        ):
            self.arrow.toggle()
            event.accept()
            return
        super().mousePressEvent(event)

    # Inside ------------------------------------------------------------------------

    def _arrow(self) -> QToolButton:
        made = QToolButton()
        made.setText(_name(self.result))
        meaning = STAGINGS[self.result.system].meaning
        made.setToolTip(f"{meaning}\n{self.result.source}")
        made.setCheckable(True)
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        made.setArrowType(Qt.ArrowType.RightArrow)
        made.setStyleSheet(
            "QToolButton { border: 0; background: transparent; text-align: left; "
            f"color: {TEXT_COLOUR}; padding: 2px; }}"
        )
        made.toggled.connect(self._turned)
        return made

    def _turned(self, is_open: bool) -> None:
        # What is not looked at is not made.
        if is_open and not self._is_filled:
            self._fill()
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.arrow.setArrowType(arrow)
        self.body.setVisible(is_open)
        self.opened.emit(is_open)

    def _fill(self) -> None:
        self._is_filled = True
        for colour, told in _lines(self.result, _FIRST):
            self._inside.addWidget(words(told, colour))
        why = Fold("What it rests on")
        for colour, told in _lines(self.result):
            why.inside.addWidget(words(told, colour, small=told.startswith(_SMALL)))
        self.why = why
        self._inside.addWidget(why)
        # Before the questions: those of a stage that is wide open are many.
        if len(self.result.stages) > 1:
            self._inside.addWidget(self._override())
        if self.asked:
            self._inside.addWidget(words("What is missing", QUIET_COLOUR, bold=True))
        for one in self.asked:
            self._add_question(QuestionBox(one))
        self._add_profile()

    def _add_question(self, box: QuestionBox) -> None:
        box.answered.connect(self.answered)
        box.left.connect(self.left)
        self.questions.append(box)
        self._inside.addWidget(box)

    def _add_profile(self) -> None:
        """Add the facts of the profile, folded by their headings."""
        from osteotrace.session.questions import Asked, by_group

        for group, forms in by_group(self.profile).items():
            fold = Fold(f"{group}: {len(forms)} questions")
            for form in forms:
                one = Asked(
                    criterion=form.name, words="", text=form.question, forms=(form,)
                )
                box = QuestionBox(one)
                box.answered.connect(self.answered)
                box.left.connect(self.left)
                fold.inside.addWidget(box)
            self._inside.addWidget(fold)

    def _override(self) -> QWidget:
        fold = Fold("Set another stage, with the reason")
        # None is set by chance: it has to be chosen.
        self.choice = Choices((_NO_STAGE, *self.result.stages))
        self.reason = TextField()
        self.reason.setPlaceholderText("the reason, kept with the stage")
        self.set_button = _button("Set")
        self.set_button.clicked.connect(self._set)
        self.reason.left.connect(self._reason_left)
        line = QHBoxLayout()
        line.addWidget(self.choice)
        line.addWidget(self.reason, 1)
        line.addWidget(self.set_button)
        fold.inside.addLayout(line)
        if self.result.override is not None:
            self.choice.setCurrentText(self.result.override.stage)
            self.reason.show_value(self.result.override.reason)
            again = _button("Leave it as computed")
            again.clicked.connect(lambda: self.withdrawn.emit(*self.key))
            fold.inside.addWidget(again)
        self.override = fold
        return fold

    def _reason_left(self) -> None:
        if self.reason.escaped:
            self.left.emit()
        else:
            self._set()

    def _set(self) -> None:
        place = self.choice.currentIndex()
        if not place:
            self.choice.setFocus(Qt.FocusReason.TabFocusReason)
            return
        stage = self.result.stages[place - 1]
        self.overridden.emit(*self.key, stage, self.reason.text().strip())


def _button(text: str) -> QPushButton:
    made = QPushButton(text)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setMinimumHeight(HEIGHT_PX)
    return made


def _name(result: StagingResult) -> str:
    where = f" · {place(result.site)}" if result.site else ""
    return f" {SHORT_NAMES[result.system]}{where}"


def _stage(result: StagingResult) -> QLabel:
    """Return the stage in large letters: yellow where it is certain or set."""
    is_certain = result.definite and len(result.stages) > 1
    certain = is_certain or result.override is not None
    colour = STATE_COLOURS[ACCEPTED] if certain else TEXT_COLOUR
    words_ = result.as_text.replace("..", " … ")
    label = QLabel(words_)
    label.setTextFormat(Qt.TextFormat.PlainText)
    is_long = len(words_) > _LARGE_LETTERS
    label.setWordWrap(is_long)
    size = f"font-size: {_STAGE_PX}px; font-weight: bold;" if not is_long else ""
    label.setStyleSheet(f"color: {colour}; {size}")
    return label


def _lines(
    result: StagingResult, only: tuple[str, ...] = ()
) -> Iterator[tuple[str, str]]:
    """Yield colour and words of what a stage rests on; what is asked has its forms.

    With ``only``, the lines that begin so; else all the others.
    """
    for line in list(stagings.lines(result))[1:]:
        told = line.strip()
        if told.startswith(_ASKED) or bool(only) != told.startswith(_FIRST):
            continue
        colour = next(
            (c for start, c in _COLOURS if told.startswith(start)), QUIET_COLOUR
        )
        yield colour, told
