# mypy: allow-subclassing-any
"""The Compare tab: two studies, their registration, matches, changes, and the timeline.

It shows a `CompareSheet` and asks; whoever listens compares and shows the next sheet. The
registration and its error stand above what scrolls: they are always seen.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from osteotrace.about import RESEARCH_USE_SHORT, RESEARCH_USE_STATEMENT
from osteotrace.session.comparing.sheet import CompareSheet
from osteotrace_napari.colours import (
    PROBLEM_COLOUR,
    QUIET_COLOUR,
    TEXT_COLOUR,
    WARNING_COLOUR,
)
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.compare_rows import LesionBox, MatchBox
from osteotrace_napari.panels.compare_studies import (
    CompareStudies,
    choices,
    line_of,
    offer,
)
from osteotrace_napari.panels.question_box import Fold, words
from osteotrace_napari.panels.timeline import TimelineView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.session.comparing.sheet import LesionRow, MatchRow

_SPACING_PX: Final = 4


class CompareTab(QWidget):
    """Two studies beside each other.

    Signals
    -------
    carry_asked, export_asked, save_asked : ()
        Carry marks forward; write a report; save the comparison as DICOM.
    confirmed, refused, linked : str, str
        Tracking UIDs of an earlier and a later finding: one lesion, two, linked by hand.
    lesion_chosen : str
        Tracking UID of a lesion that is to be seen at both dates.
    study_chosen : str
        StudyInstanceUID of a study on the timeline.
    doubt_settled : str, bool
        A flag of values, and whether it is let pass.
    left : ()
        The keys go to the canvas again.

    Attributes
    ----------
    studies : CompareStudies
        The head: it has signals of its own.
    """

    carry_asked = Signal()
    export_asked = Signal()
    save_asked = Signal()
    confirmed = Signal(str, str)
    refused = Signal(str, str)
    linked = Signal(str, str)
    lesion_chosen = Signal(str)
    study_chosen = Signal(str)
    doubt_settled = Signal(str, bool)
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

    # What is shown -----------------------------------------------------------------

    def show_comparison(self, sheet: CompareSheet) -> None:
        """Show a comparison; the chosen lesion and what was open stay so."""
        self.sheet = sheet
        self.studies.show_studies(sheet)
        _say(self.hidden, sheet.hidden)
        _say(self.problem, sheet.problem)
        self._show_matches()
        self._show_lesions()
        self._show_by_hand()
        self._show_lines(self.differences, "How the studies differ", sheet.differences)
        self._show_lines(self.notes, "To mind", sheet.notes)
        self._show_doubts()
        self._show_lines(self.not_carried, "Not carried forward", sheet.not_carried)
        self._show_timeline()
        self._show_buttons()

    def choose(self, tracking_uid: str) -> None:
        """Show which lesion is looked at, and its values on the timeline."""
        self.chosen = tracking_uid
        for box in self.lesions:
            box.choose(box.row.tracking_uid == tracking_uid)
        self._show_timeline()
        # Rows that were made just now have no place yet.
        QTimer.singleShot(0, self, self._reveal)

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

    def _reveal(self) -> None:
        for box in self.lesions:
            if box.row.tracking_uid == self.chosen:
                self.area.ensureWidgetVisible(box)

    # Inside ------------------------------------------------------------------------

    def _make(self) -> None:
        self.studies = CompareStudies()
        self.hidden, self.problem = words("", WARNING_COLOUR), words("", PROBLEM_COLOUR)
        self.matches_title = words("", WARNING_COLOUR, bold=True)
        self.settled = Fold("")
        self.lesions_title = words("", TEXT_COLOUR, bold=True)
        self.by_hand = Fold("Link two findings by hand")
        self.first, self.last = choices(), choices()
        self.link = button("Link")
        self.link.clicked.connect(self._link)
        self.differences, self.notes, self.not_carried = Fold(""), Fold(""), Fold("")
        self.doubts, self.judged_by = Fold(""), words("", QUIET_COLOUR, small=True)
        self.timeline = TimelineView()
        self.timeline.study_chosen.connect(self._study)
        self.carry = button("")
        self.carry.clicked.connect(self.carry_asked)
        self.export = button("Export report …")
        self.export.clicked.connect(self.export_asked)
        self.save = button("Save as DICOM")
        self.save.setToolTip("Write the comparison and its registrations as DICOM")
        self.save.clicked.connect(self.save_asked)
        self.area = QScrollArea()

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(_SPACING_PX)
        layout.addWidget(self.studies)
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
        self.by_hand.inside.addLayout(
            line_of(self.first, QLabel("↔"), self.last, self.link)
        )
        for fold in (
            *(self.by_hand, self.not_carried, self.differences, self.doubts),
            *(self.notes, self.judged_by),
        ):
            inside.addWidget(fold)
        inside.addStretch(1)
        self.area.setWidget(content)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.timeline)
        layout.addLayout(line_of(self.carry, self.export, self.save))
        statement = words(RESEARCH_USE_SHORT, QUIET_COLOUR, small=True)
        statement.setToolTip(RESEARCH_USE_STATEMENT)
        layout.addWidget(statement)

    def _show_matches(self) -> None:
        _empty(self._matches_place)
        _empty(self.settled.inside)
        self.matches = []
        for row in self.sheet.matches:
            box = self._match(row)
            self.matches.append(box)
            asks = _asks(row)
            (self._matches_place if asks else self.settled.inside).addWidget(box)
        open_ = sum(map(_asks, self.sheet.matches))
        _say(self.matches_title, f"Matches to confirm: {open_}" if open_ else "")
        settled = len(self.matches) - open_
        self.settled.line.setText(f"Matches that are carried or confirmed: {settled}")
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
        offer(self.first, firsts)
        every = [
            *lasts,
            *((row.later_uid, row.later) for row in self.sheet.matches if row.later),
        ]
        offer(self.last, every)
        self.by_hand.setVisible(bool(firsts and every))

    def _show_lines(self, fold: Fold, title: str, lines: Iterable[str]) -> None:
        told = tuple(lines)
        _empty(fold.inside)
        for line in told:
            fold.inside.addWidget(words(line, QUIET_COLOUR, small=True))
        fold.line.setText(f"{title}: {len(told)}")
        fold.setVisible(bool(told))

    def _show_doubts(self) -> None:
        """Show the doubts about values, each to be let pass by the reader."""
        _empty(self.doubts.inside)
        for flag, accepted in self.sheet.doubts:
            box = QCheckBox("Let pass")
            box.setChecked(accepted)
            box.toggled.connect(partial(self.doubt_settled.emit, flag))
            self.doubts.inside.addWidget(words(flag, QUIET_COLOUR, small=True))
            self.doubts.inside.addWidget(box)
        passed = sum(accepted for _, accepted in self.sheet.doubts)
        told = f", {passed} let pass" if passed else ""
        self.doubts.line.setText(f"Doubts about values: {len(self.sheet.doubts)}{told}")
        self.doubts.setVisible(bool(self.sheet.doubts))
        source = self.sheet.judged_by
        _say(
            self.judged_by,
            f"Judged by this site's repeatability: {source}" if source else "",
        )

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
        count = len(sheet.to_carry)
        marks = f"{count} mark{'' if count == 1 else 's'}"
        self.carry.setText(f"Carry {marks} forward" if count else "No mark to carry")
        self.carry.setToolTip(
            f"{', '.join(sheet.to_carry)}: through the registration, fitted anew; each "
            "is a draft until it is accepted"
        )
        self.carry.setEnabled(bool(count) and sheet.is_aligned and is_open)
        self.export.setEnabled(bool(sheet.lesions) and is_open)
        self.save.setEnabled(bool(sheet.lesions) and is_open)

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


def _asks(row: MatchRow) -> bool:
    """Tell whether a match is to be confirmed; a carried mark is accepted instead."""
    return row.is_proposed and not row.is_carried


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
