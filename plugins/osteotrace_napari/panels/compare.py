# mypy: allow-subclassing-any
"""The Compare tab: two studies, their registration, matches, changes, and the timeline.

It shows a `CompareSheet` and asks; whoever listens compares and shows the next sheet. The
registration and its error stand above what scrolls: they are always seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from osteotrace.about import RESEARCH_USE_SHORT, RESEARCH_USE_STATEMENT
from osteotrace.session.comparing.sheet import CompareSheet
from osteotrace_napari import keys
from osteotrace_napari.colours import (
    PROBLEM_COLOUR,
    QUIET_COLOUR,
    TEXT_COLOUR,
    WARNING_COLOUR,
)
from osteotrace_napari.panels.answer_field import Choices
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.compare_rows import LesionBox, MatchBox
from osteotrace_napari.panels.question_box import Fold, words
from osteotrace_napari.panels.timeline import TimelineView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.session.comparing.sheet import LesionRow, MatchRow

MODES: Final = ("side by side", "swipe", "checkerboard", "difference")
# What goes together on both sides, by the name that the canvas has for it.
LINKS: Final = {"slices": "Slices", "cursor": "Cursor", "zoom": "Zoom"}
NOT_ALIGNED: Final = "Not aligned yet: matches rest on kind and site alone."
_ALIGNED, _REFUSED = "✓", "✗"
_SPACING_PX: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTogether:
    """How both studies are seen on the canvas now.

    Parameters
    ----------
    is_on : bool
        Whether they are.
    mode : str
        One of `MODES`.
    linked : frozenset of str
        Keys of `LINKS` that go together.
    """

    is_on: bool = False
    mode: str = MODES[0]
    linked: frozenset[str] = field(default_factory=frozenset)


class CompareTab(QWidget):
    """Two studies beside each other.

    Signals
    -------
    pair_chosen : str, str
        StudyInstanceUIDs of the earlier and of the later study.
    study_wanted, align_asked, carry_asked, export_asked : ()
        Open another study; align; carry marks forward; write a report.
    shown : bool
        Both are to be seen on the canvas, or the one that is read alone.
    mode_chosen : str
    link_toggled : str, bool
    confirmed, refused, linked : str, str
        Tracking UIDs of an earlier and a later finding: one lesion, two, linked by hand.
    lesion_chosen : str
        Tracking UID of a lesion that is to be seen at both dates.
    study_chosen : str
        StudyInstanceUID of a study on the timeline.
    left : ()
        The keys go to the canvas again.
    """

    pair_chosen = Signal(str, str)
    study_wanted = Signal()
    align_asked = Signal()
    carry_asked = Signal()
    export_asked = Signal()
    shown = Signal(bool)
    mode_chosen = Signal(str)
    link_toggled = Signal(str, bool)
    confirmed = Signal(str, str)
    refused = Signal(str, str)
    linked = Signal(str, str)
    lesion_chosen = Signal(str)
    study_chosen = Signal(str)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.sheet = CompareSheet()
        self.lesions: list[LesionBox] = []
        self.matches: list[MatchBox] = []
        self.chosen = ""
        self._open: set[str] = set()
        self._make()
        self._arrange()
        self.show_comparison(self.sheet)
        self.show_seen(SeenTogether())

    # What is shown -----------------------------------------------------------------

    def show_comparison(self, sheet: CompareSheet) -> None:
        """Show a comparison; the chosen lesion and what was open stay so."""
        self.sheet = sheet
        self._show_choices()
        self._show_registration()
        _say(self.hidden, sheet.hidden)
        _say(self.problem, sheet.problem)
        self._show_matches()
        self._show_lesions()
        self._show_by_hand()
        self._show_lines(self.differences, "How the studies differ", sheet.differences)
        self._show_lines(self.notes, "To mind", sheet.notes)
        self._show_lines(self.not_carried, "Not carried forward", sheet.not_carried)
        self._show_timeline()
        self._show_buttons()

    def show_seen(self, seen: SeenTogether) -> None:
        """Show how both studies are seen on the canvas."""
        self._block(self.beside, lambda: self.beside.setChecked(seen.is_on))
        place = MODES.index(seen.mode) if seen.mode in MODES else 0
        self._block(self.mode, lambda: self.mode.setCurrentIndex(place))
        self.mode.setEnabled(seen.is_on)
        for name, made in self.links.items():
            on = name in seen.linked
            self._block(made, lambda made=made, on=on: made.setChecked(on))
            made.setEnabled(seen.is_on)

    def choose(self, tracking_uid: str) -> None:
        """Show which lesion is looked at, and its values on the timeline."""
        self.chosen = tracking_uid
        for box in self.lesions:
            box.choose(box.row.tracking_uid == tracking_uid)
            if box.row.tracking_uid == tracking_uid:
                self.area.ensureWidgetVisible(box)
        self._show_timeline()

    def next_lesion(self, by: int) -> str:
        """Return the lesion after the chosen one, or before it; empty without any."""
        uids = [box.row.tracking_uid for box in self.lesions]
        if not uids:
            return ""
        if self.chosen not in uids:
            return uids[0 if by > 0 else -1]
        return uids[(uids.index(self.chosen) + by) % len(uids)]

    def say_problem(self, problem: str) -> None:
        """Say why something was not done."""
        _say(self.problem, problem)
        self.area.verticalScrollBar().setValue(0)

    # Inside ------------------------------------------------------------------------

    def _make(self) -> None:
        self.earlier, self.later = Choices(()), Choices(())
        for field_ in (self.earlier, self.later):
            field_.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            field_.activated.connect(lambda _: self._pair())
        self.add = button("Add study …")
        self.add.setToolTip("Open the folder of another study of this patient")
        self.add.clicked.connect(self.study_wanted)
        self.align = button("Align")
        self.align.clicked.connect(self.align_asked)
        self.registration = words(NOT_ALIGNED, QUIET_COLOUR)
        self.beside = button(
            "Before | after", key=keys.key_of("side_by_side"), checkable=True
        )
        self.beside.toggled.connect(self.shown)
        self.mode = Choices(MODES)
        self.mode.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.mode.activated.connect(lambda n: self.mode_chosen.emit(MODES[n]))
        self.links = {name: button(text, checkable=True) for name, text in LINKS.items()}
        for name, made in self.links.items():
            made.setToolTip(f"{LINKS[name]} go together on both sides")
            made.toggled.connect(lambda on, name=name: self.link_toggled.emit(name, on))
        self.hidden, self.problem = words("", WARNING_COLOUR), words("", PROBLEM_COLOUR)
        self.matches_title = words("", WARNING_COLOUR, bold=True)
        self.settled = Fold("")
        self.lesions_title = words("", TEXT_COLOUR, bold=True)
        self.by_hand = Fold("Link two findings by hand")
        self.first, self.last = Choices(()), Choices(())
        self.link = button("Link")
        self.link.clicked.connect(self._link)
        self.differences, self.notes, self.not_carried = Fold(""), Fold(""), Fold("")
        self.timeline = TimelineView()
        self.timeline.study_chosen.connect(self._study)
        self.carry = button("")
        self.carry.clicked.connect(self.carry_asked)
        self.export = button("Export report …")
        self.export.clicked.connect(self.export_asked)
        self.area = QScrollArea()

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(_SPACING_PX)
        layout.addLayout(self._studies())
        layout.addWidget(self.registration)
        layout.addLayout(_row(self.beside, self.mode, *self.links.values()))
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.setContentsMargins(2, 2, 8, 4)
        inside.setSpacing(_SPACING_PX)
        for widget in (self.hidden, self.problem, self.matches_title):
            inside.addWidget(widget)
        self._matches_place = _column(inside)
        inside.addWidget(self.lesions_title)
        self._lesions_place = _column(inside)
        inside.addWidget(self.settled)
        self.by_hand.inside.addLayout(_row(self.first, QLabel("↔"), self.last, self.link))
        for fold in (self.by_hand, self.not_carried, self.differences, self.notes):
            inside.addWidget(fold)
        inside.addStretch(1)
        self.area.setWidget(content)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.timeline)
        layout.addLayout(_row(self.carry, self.export))
        statement = words(RESEARCH_USE_SHORT, QUIET_COLOUR, small=True)
        statement.setToolTip(RESEARCH_USE_STATEMENT)
        layout.addWidget(statement)

    def _studies(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(_SPACING_PX)
        for row, (name, field_, made) in enumerate(
            (("Before", self.earlier, self.add), ("After", self.later, self.align))
        ):
            label = QLabel(name)
            label.setStyleSheet(f"color: {QUIET_COLOUR};")
            grid.addWidget(label, row, 0)
            grid.addWidget(field_, row, 1)
            grid.addWidget(made, row, 2)
        grid.setColumnStretch(1, 1)
        return grid

    def _show_choices(self) -> None:
        sheet = self.sheet
        for field_, chosen in (
            (self.earlier, sheet.earlier_uid),
            (self.later, sheet.later_uid),
        ):
            choices = [
                (one.study_uid, f"{one.name}  ·  {one.note}" if one.note else one.name)
                for one in sheet.studies
            ]
            self._block(field_, lambda f=field_, c=choices: _offer(f, c))
            place = next((n for n, (u, _) in enumerate(choices) if u == chosen), -1)
            self._block(field_, lambda f=field_, p=place: f.setCurrentIndex(p))
            field_.setEnabled(len(choices) > 1)

    def _show_registration(self) -> None:
        sheet = self.sheet
        colour, told = QUIET_COLOUR, NOT_ALIGNED
        if sheet.registration:
            sign = _ALIGNED if sheet.is_aligned else _REFUSED
            colour = TEXT_COLOUR if sheet.is_aligned else WARNING_COLOUR
            told = "\n".join(f"{sign} {line}" for line in sheet.registration)
        self.registration.setText("" if sheet.hidden else told)
        self.registration.setStyleSheet(f"color: {colour};")
        self.registration.setToolTip(told)
        is_two = bool(sheet.earlier_uid) and not sheet.hidden
        self.registration.setVisible(is_two)

    def _show_matches(self) -> None:
        _empty(self._matches_place)
        _empty(self.settled.inside)
        self.matches = []
        for row in self.sheet.matches:
            box = self._match(row)
            self.matches.append(box)
            place = self._matches_place if row.is_proposed else self.settled.inside
            place.addWidget(box)
        open_ = sum(row.is_proposed for row in self.sheet.matches)
        _say(self.matches_title, f"Matches to confirm: {open_}" if open_ else "")
        settled = len(self.matches) - open_
        self.settled.line.setText(f"Matches that are settled: {settled}")
        self.settled.setVisible(bool(settled))

    def _match(self, row: MatchRow) -> MatchBox:
        box = MatchBox(row)
        box.confirmed.connect(self.confirmed)
        box.refused.connect(self.refused)
        box.relinked.connect(self._relink)
        box.other.setVisible(bool(self.sheet.alone[0]))
        return box

    def _show_lesions(self) -> None:
        _empty(self._lesions_place)
        self.lesions = []
        for row in self.sheet.lesions:
            box = self._lesion(row)
            self.lesions.append(box)
            self._lesions_place.addWidget(box)
        count = len(self.lesions)
        _say(self.lesions_title, f"Lesions: {count}" if count else "")

    def _lesion(self, row: LesionRow) -> LesionBox:
        box = LesionBox(row)
        box.choose(row.tracking_uid == self.chosen)
        box.chosen.connect(self.lesion_chosen)
        if row.tracking_uid in self._open:
            box.more.line.setChecked(True)
        uid = row.tracking_uid
        box.opened.connect(lambda on: (self._open.add if on else self._open.discard)(uid))
        return box

    def _show_by_hand(self) -> None:
        firsts, lasts = self.sheet.alone
        _offer(self.first, firsts)
        every = [
            *lasts,
            *((row.later_uid, row.later) for row in self.sheet.matches if row.later),
        ]
        _offer(self.last, every)
        self.by_hand.setVisible(bool(firsts and every))

    def _show_lines(self, fold: Fold, title: str, lines: Iterable[str]) -> None:
        told = tuple(lines)
        _empty(fold.inside)
        for line in told:
            fold.inside.addWidget(words(line, QUIET_COLOUR, small=True))
        fold.line.setText(f"{title}: {len(told)}")
        fold.setVisible(bool(told))

    def _show_timeline(self) -> None:
        sheet = self.sheet
        shown = [
            number
            for number, uid in enumerate(sheet.timeline_uids)
            if uid in (sheet.earlier_uid, sheet.later_uid)
        ]
        self.timeline.show_points(sheet.timeline, lesion=self.chosen, shown=shown)
        self.timeline.setVisible(bool(sheet.timeline))

    def _show_buttons(self) -> None:
        sheet = self.sheet
        is_open = not sheet.hidden
        self.align.setText("Align again" if sheet.registration else "Align")
        self.align.setEnabled(sheet.can_align and is_open)
        self.beside.setEnabled(sheet.can_align and is_open)
        count = len(sheet.to_carry)
        marks = f"{count} mark{'' if count == 1 else 's'}"
        self.carry.setText(f"Carry {marks} forward" if count else "No mark to carry")
        self.carry.setToolTip(
            f"{', '.join(sheet.to_carry)}: through the registration, fitted anew; each "
            "is a draft until it is accepted"
        )
        self.carry.setEnabled(bool(count) and sheet.is_aligned and is_open)
        self.export.setEnabled(bool(sheet.lesions) and is_open)

    def _pair(self) -> None:
        uids = self.earlier.currentData(), self.later.currentData()
        if all(uids) and uids != (self.sheet.earlier_uid, self.sheet.later_uid):
            self.pair_chosen.emit(*uids)

    def _study(self, number: int) -> None:
        if number < len(self.sheet.timeline_uids):
            self.study_chosen.emit(self.sheet.timeline_uids[number])

    def _relink(self, later_uid: str) -> None:
        """Ask which earlier finding is meant, the later one chosen already."""
        self.by_hand.line.setChecked(True)
        self.last.setCurrentIndex(self.last.findData(later_uid))
        self.area.ensureWidgetVisible(self.by_hand)

    def _link(self) -> None:
        pair = self.first.currentData(), self.last.currentData()
        if all(pair):
            self.linked.emit(*pair)

    def _block(self, widget: Any, change: Any) -> None:
        """Change a widget without its telling of it: what is shown was not asked for."""
        widget.blockSignals(True)
        change()
        widget.blockSignals(False)


def _offer(field: QComboBox, choices: Iterable[tuple[str, str]]) -> None:
    """Offer choices by their keys; the one that was chosen stays where it can."""
    before = field.currentData()
    field.clear()
    for key, told in choices:
        field.addItem(told, key)
        field.setItemData(field.count() - 1, told, Qt.ItemDataRole.ToolTipRole)
    field.setCurrentIndex(max(field.findData(before), 0))


def _row(*widgets: QWidget) -> QHBoxLayout:
    made = QHBoxLayout()
    made.setSpacing(_SPACING_PX)
    for widget in widgets:
        made.addWidget(widget, 1 if isinstance(widget, QComboBox) else 0)
    return made


def _column(inside: QVBoxLayout) -> QVBoxLayout:
    made = QVBoxLayout()
    made.setSpacing(0)
    inside.addLayout(made)
    return made


def _empty(layout: QVBoxLayout) -> None:
    while layout.count():
        old = layout.takeAt(0).widget()
        if old is not None:
            # It may be the one whose click is being told of.
            old.hide()
            old.deleteLater()


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
