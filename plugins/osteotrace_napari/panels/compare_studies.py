# mypy: allow-subclassing-any
"""The head of the Compare tab: which two studies, their registration, how both are seen.

It stands above what scrolls: a comparison is never seen without its registration's error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from osteotrace_napari import keys
from osteotrace_napari.colours import QUIET_COLOUR, TEXT_COLOUR, WARNING_COLOUR
from osteotrace_napari.panels.answer_field import Choices
from osteotrace_napari.panels.busy_bar import BusyBar
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.question_box import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from osteotrace.session.comparing.sheet import CompareSheet

MODES: Final = ("side by side", "swipe", "checkerboard", "difference")
# What goes together on both sides, by the name that the canvas has for it.
LINKS: Final = {"slices": "Slices", "cursor": "Cursor", "zoom": "Zoom"}
NOT_ALIGNED: Final = "Not aligned yet: matches rest on kind and site alone."
ALIGNING: Final = "Aligning both studies: the reading can go on meanwhile."
SPACING_PX: Final = 4
_LEAST_LETTERS: Final = 5
_ALIGNED, _REFUSED = "✓", "✗"


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


class CompareStudies(QWidget):
    """Two studies, what joins them, and how they are seen.

    Signals
    -------
    pair_chosen : str, str
        StudyInstanceUIDs of the earlier and of the later study.
    study_wanted, align_asked, stop_asked : ()
        Open another study; align both, or stop aligning.
    shown : bool
        Both are to be seen on the canvas, or the one that is read alone.
    mode_chosen : str
    link_toggled : str, bool
    """

    pair_chosen = Signal(str, str)
    study_wanted = Signal()
    align_asked = Signal()
    stop_asked = Signal()
    shown = Signal(bool)
    mode_chosen = Signal(str)
    link_toggled = Signal(str, bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._pair: tuple[str, str] = ("", "")
        self._is_aligning = False
        self.earlier, self.later = choices(), choices()
        for each in (self.earlier, self.later):
            each.activated.connect(lambda _: self._choose())
        self.add = button("Add study …")
        self.add.setToolTip("Open the folder of another study of this patient")
        self.add.clicked.connect(self.study_wanted)
        self.align = button("Align")
        self.align.clicked.connect(self._align)
        self.registration = words(NOT_ALIGNED, QUIET_COLOUR)
        self.progress = BusyBar()
        self.progress.hide()
        self.beside = button(
            "Before | after", key=keys.key_of("side_by_side"), checkable=True
        )
        self.beside.toggled.connect(self.shown)
        self.mode = choices(MODES)
        self.mode.activated.connect(lambda n: self.mode_chosen.emit(MODES[n]))
        self.links = {name: self._link(name) for name in LINKS}
        self._arrange()
        self.show_seen(SeenTogether())

    def show_studies(self, sheet: CompareSheet) -> None:
        """Show which studies there are, which are chosen, and what joins them."""
        self._pair = sheet.earlier_uid, sheet.later_uid
        offered = [
            (one.study_uid, f"{one.name}  ·  {one.note}" if one.note else one.name)
            for one in sheet.studies
        ]
        for each, chosen in zip((self.earlier, self.later), self._pair, strict=True):
            offer(each, offered)
            silently(each, partial(_set_to, chosen))
            each.setEnabled(len(offered) > 1)
        self._show_registration(sheet)
        can = sheet.can_align and not sheet.hidden
        self.beside.setEnabled(can)
        self.align.setEnabled(can or self._is_aligning)
        if not self._is_aligning:
            self.align.setText("Align again" if sheet.registration else "Align")

    def show_aligning(self, done: int, of: int) -> None:
        """Show how far the alignment is; of none: that it goes on."""
        if not self._is_aligning:
            self._is_aligning = True
            self.align.setText("Stop")
            self.align.setEnabled(True)
            self.registration.setText(ALIGNING)
            self.registration.setStyleSheet(f"color: {QUIET_COLOUR};")
        self.progress.show_progress(done, of)
        self.progress.show()

    def show_aligned(self) -> None:
        """Show that no alignment is at work any more."""
        self._is_aligning = False
        self.progress.hide()

    def show_seen(self, seen: SeenTogether) -> None:
        """Show how both studies are seen on the canvas."""
        silently(self.beside, lambda w: w.setChecked(seen.is_on))
        place = MODES.index(seen.mode) if seen.mode in MODES else 0
        silently(self.mode, lambda w: w.setCurrentIndex(place))
        self.mode.setEnabled(seen.is_on)
        for name, made in self.links.items():
            silently(made, partial(_check, name in seen.linked))
            made.setEnabled(seen.is_on)

    def _show_registration(self, sheet: CompareSheet) -> None:
        self.registration.setVisible(bool(sheet.earlier_uid) and not sheet.hidden)
        if self._is_aligning:
            return
        colour, told = QUIET_COLOUR, NOT_ALIGNED
        if sheet.registration:
            sign = _ALIGNED if sheet.is_aligned else _REFUSED
            colour = TEXT_COLOUR if sheet.is_aligned else WARNING_COLOUR
            told = "\n".join(f"{sign} {line}" for line in sheet.registration)
        self.registration.setText(told)
        self.registration.setStyleSheet(f"color: {colour};")
        self.registration.setToolTip(told)

    def _link(self, name: str) -> Any:
        made = button(LINKS[name], checkable=True)
        made.setToolTip(f"{LINKS[name]} go together on both sides")
        made.toggled.connect(lambda on: self.link_toggled.emit(name, on))
        return made

    def _align(self) -> None:
        (self.stop_asked if self._is_aligning else self.align_asked).emit()

    def _choose(self) -> None:
        pair = self.earlier.currentData(), self.later.currentData()
        if all(pair) and pair != self._pair:
            self.pair_chosen.emit(*pair)

    def _arrange(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(SPACING_PX)
        rows = (("Before", self.earlier, self.add), ("After", self.later, self.align))
        for row, (name, each, made) in enumerate(rows):
            label = QLabel(name)
            label.setStyleSheet(f"color: {QUIET_COLOUR};")
            for column, widget in enumerate((label, each, made)):
                grid.addWidget(widget, row, column)
        grid.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(SPACING_PX)
        layout.addLayout(grid)
        layout.addWidget(self.registration)
        layout.addWidget(self.progress)
        layout.addLayout(line_of(self.beside, self.mode, *self.links.values()))


def choices(told: tuple[str, ...] = ()) -> Choices:
    """Return a list to choose from that leaves the keys to the canvas."""
    made = Choices(told)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    # Beside buttons it takes what is left, and has its whole text as its tooltip.
    made.setMinimumContentsLength(_LEAST_LETTERS)
    return made


def offer(field: QComboBox, told: Iterable[tuple[str, str]]) -> None:
    """Offer choices by their keys, silently; the one chosen stays where it can."""

    def fill(field: QComboBox) -> None:
        before = field.currentData()
        field.clear()
        for key, text in told:
            field.addItem(text, key)
            field.setItemData(field.count() - 1, text, Qt.ItemDataRole.ToolTipRole)
        field.setCurrentIndex(max(field.findData(before), 0))

    silently(field, fill)


def _check(on: bool, made: Any) -> None:
    made.setChecked(on)


def _set_to(key: str, field: QComboBox) -> None:
    field.setCurrentIndex(field.findData(key))


def silently(widget: Any, change: Callable[[Any], object]) -> None:
    """Change a widget without its telling of it: what is shown was not asked for."""
    widget.blockSignals(True)
    change(widget)
    widget.blockSignals(False)


def line_of(*widgets: QWidget) -> QHBoxLayout:
    """Return widgets beside each other; lists to choose from take what is left."""
    made = QHBoxLayout()
    made.setSpacing(SPACING_PX)
    for widget in widgets:
        made.addWidget(widget, 1 if isinstance(widget, QComboBox) else 0)
    return made
