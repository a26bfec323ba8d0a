# mypy: allow-subclassing-any
"""One lesion over two dates, and one match to confirm, as rows of the Compare tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout

from osteotrace_napari import keys
from osteotrace_napari.colours import (
    CHOSEN_COLOUR,
    LINE_COLOUR,
    PROGRESS_COLOURS,
    QUIET_COLOUR,
    TEXT_COLOUR,
    WARNING_COLOUR,
)
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.question_box import Fold, words
from osteotrace_napari.wording import DRAFT

if TYPE_CHECKING:
    from osteotrace.session.comparing.sheet import LesionRow, MatchRow

_SPACING_PX: Final = 2
_MARGIN_PX, _PART_PX = 4, 20
_SAME: Final = ("stable", "absent")


class LesionBox(QFrame):
    """One lesion: its state, its deciding quantity earlier and later, and why.

    Signals
    -------
    chosen : str
        Its tracking UID: it is to be shown at both dates.
    opened : bool
    """

    chosen = Signal(str)
    opened = Signal(bool)

    def __init__(self, row: LesionRow, parent: Any = None) -> None:
        super().__init__(parent)
        self.row = row
        self.setObjectName("lesion")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("Show it at both dates")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_PART_PX if row.part_of else _MARGIN_PX, 5, 2, 4)
        layout.setSpacing(_SPACING_PX)
        head = QHBoxLayout()
        head.addWidget(words(_name(row), TEXT_COLOUR, bold=not row.part_of), 1)
        self.state = QLabel(row.state_words)
        self.state.setStyleSheet(f"color: {_colour(row)}; font-weight: bold;")
        head.addWidget(self.state, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(head)
        self.values = words(_values(row), TEXT_COLOUR)
        self.change = words(_change(row), QUIET_COLOUR)
        self.more = Fold("Why, and the other quantities")
        told = tuple(filter(None, (row.reason, row.limit, *row.others)))
        for line in told:
            self.more.inside.addWidget(words(line, QUIET_COLOUR, small=True))
        self.more.line.toggled.connect(self.opened)
        for widget, is_shown in (
            # A fragment without a value of its own has it beside its name.
            (self.values, not _is_short(row)),
            (self.change, bool(_change(row))),
            (self.more, bool(told) and not _is_short(row)),
        ):
            layout.addWidget(widget)
            widget.setVisible(is_shown)
        self.choose(False)

    def choose(self, is_chosen: bool) -> None:
        """Show whether it is the lesion that both views look at."""
        back = f"background: {CHOSEN_COLOUR};" if is_chosen else ""
        self.setStyleSheet(f"#lesion {{ border-top: 1px solid {LINE_COLOUR}; {back} }}")

    def mousePressEvent(self, event: Any) -> None:
        """Let a click anywhere on it choose it."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.chosen.emit(self.row.tracking_uid)
            return
        super().mousePressEvent(event)


class MatchBox(QFrame):
    """Two findings that may be one lesion, and what the reader says of it.

    Signals
    -------
    confirmed, refused : str, str
        Tracking UIDs of the earlier and of the later finding.
    relinked : str
        Tracking UID of the later finding: another earlier one is meant.
    """

    confirmed = Signal(str, str)
    refused = Signal(str, str)
    relinked = Signal(str)

    def __init__(self, row: MatchRow, parent: Any = None) -> None:
        super().__init__(parent)
        self.row = row
        self.setObjectName("match")
        self.setStyleSheet(f"#match {{ border-top: 1px solid {LINE_COLOUR}; }}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 5, 2, 4)
        layout.setSpacing(_SPACING_PX)
        colour = WARNING_COLOUR if row.is_proposed else TEXT_COLOUR
        asked = "? " if row.is_proposed else "✓ "
        self.pair = words(f"{asked}{row.earlier}  ↔  {row.later}", colour)
        layout.addWidget(self.pair)
        told = "; ".join(filter(None, (row.why, row.detail, row.said_by)))
        self.why = words(told, QUIET_COLOUR, small=True)
        layout.addWidget(self.why)
        line = QHBoxLayout()
        line.setSpacing(4)
        pair = row.earlier_uid, row.later_uid
        self.yes = button("Confirm")
        self.yes.setVisible(row.is_proposed)
        self.yes.setToolTip("One lesion: the later finding takes its tracking UID")
        self.yes.clicked.connect(lambda: self.confirmed.emit(*pair))
        self.no = button("Not the same")
        self.no.clicked.connect(lambda: self.refused.emit(*pair))
        self.other = button("Link to …")
        self.other.setToolTip("Another finding of the earlier date is meant")
        self.other.clicked.connect(lambda: self.relinked.emit(row.later_uid))
        for made in (self.yes, self.no, self.other):
            line.addWidget(made)
        line.addStretch(1)
        layout.addLayout(line)


def _colour(row: LesionRow) -> str:
    """Return a colour beside the words: proposals look as drafts do."""
    if row.is_proposed:
        return PROGRESS_COLOURS[DRAFT]
    return QUIET_COLOUR if row.state in _SAME else TEXT_COLOUR


def _name(row: LesionRow) -> str:
    if not row.part_of:
        return f"{row.label}  {row.what}"
    # A fragment is what its leader is.
    return f"{row.label}  {_values(row)}" if _is_short(row) else row.label


def _is_short(row: LesionRow) -> bool:
    """Tell whether a fragment says no more than whether it is there."""
    return bool(row.part_of) and not (row.quantity or row.others)


def _values(row: LesionRow) -> str:
    quantity = f"{row.quantity}: " if row.quantity else ""
    return f"{quantity}{row.earlier} → {row.later}"


def _change(row: LesionRow) -> str:
    delta = f"Δ {row.delta}" if row.delta else ""
    limit = row.limit.partition(",")[0]
    verdict = row.verdict
    if verdict and not delta:
        # Nothing was compared: the reason stands in full below, its first part here.
        verdict += f": {row.reason.partition(';')[0]}"
    draft = f"a draft: {keys.key_of('accept')} accepts it" if _waits(row) else ""
    return "  ·  ".join(filter(None, (delta, limit, verdict, draft)))


def _waits(row: LesionRow) -> bool:
    """Tell whether the reader has to accept it; fragments go with their leader."""
    return row.is_draft and not row.part_of
