# mypy: allow-subclassing-any
"""The form of one finding: what, where, how sure, whether there, and a note."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from osteotrace_napari.choices import (
    CERTAINTY_CHOICES,
    KIND_CHOICES,
    PRESENCE_CHOICES,
    SIDE_CHOICES,
    SITE_CHOICES,
)
from osteotrace_napari.colours import QUIET_COLOUR
from osteotrace_napari.panels.choice_field import ChoiceField, TextField

if TYPE_CHECKING:
    from osteotrace.findings import Finding

# Field, its label with the letter that Alt jumps by, row, column. The letters are none
# of napari's menus.
_FIELDS: Final = (
    ("kind", "&Kind", 0, 0),
    ("laterality", "Si&de", 0, 1),
    ("site", "S&ite", 1, 0),
    ("certainty", "Certaint&y", 1, 1),
    ("note", "&Note", 2, 0),
    ("presence", "P&resence", 2, 1),
)
_CHOICES: Final = {
    "kind": KIND_CHOICES,
    "site": SITE_CHOICES,
    "laterality": SIDE_CHOICES,
    "certainty": CERTAINTY_CHOICES,
    "presence": PRESENCE_CHOICES,
}
# The order of Tab: what is said most often first.
_TAB_ORDER: Final = ("site", "laterality", "certainty", "presence", "note", "kind")
# What is typed after Enter is no text but keys of the room.
_HINT_ROW: Final = 3
_HINT: Final = "Tab: next field   ·   Enter: take it and leave   ·   Esc: put it back"


class FindingForm(QWidget):
    """Fields for what a reader says of the selected finding.

    Signals
    -------
    edited : str, str
        Field (an attribute of `Finding`) and its new value.
    left : ()
        Enter or Esc was pressed: the keys go to the canvas again.
    """

    edited = Signal(str, str)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.fields: dict[str, TextField] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(6)
        for name, title, row, column in _FIELDS:
            field = ChoiceField(_CHOICES[name]) if name in _CHOICES else TextField()
            field.taken.connect(lambda value, name=name: self.edited.emit(name, value))
            field.left.connect(self.left)
            label = QLabel(title)
            label.setBuddy(field)
            label.setStyleSheet(f"color: {QUIET_COLOUR};")
            layout.addWidget(label, row, 2 * column)
            layout.addWidget(field, row, 2 * column + 1)
            self.fields[name] = field
        self.hint = QLabel(_HINT)
        self.hint.setStyleSheet(f"color: {QUIET_COLOUR}; font-size: 11px;")
        layout.addWidget(self.hint, _HINT_ROW, 0, 1, 4)
        layout.setColumnStretch(1, 3)
        layout.setColumnStretch(3, 2)
        for first, second in pairwise(_TAB_ORDER):
            QWidget.setTabOrder(self.fields[first], self.fields[second])
        self.show_finding(None)

    def show_finding(self, finding: Finding | None) -> None:
        """Show what is said of a finding; nothing to fill in without one."""
        self.setEnabled(finding is not None)
        for name, field in self.fields.items():
            field.show_value("" if finding is None else getattr(finding, name))
        if finding is None:
            self.fields["laterality"].clear()
            self.fields["laterality"].setPlaceholderText("")

    def start(self) -> None:
        """Give the keys to the first field."""
        first = self.fields[_TAB_ORDER[0]]
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)
        first.selectAll()

    def commit(self) -> None:
        """Take what is typed in the field that has the keys."""
        for field in self.fields.values():
            if field.hasFocus():
                field.take()
