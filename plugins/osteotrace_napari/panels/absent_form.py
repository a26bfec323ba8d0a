# mypy: allow-subclassing-any
"""The strip that states what was looked for and is not there: kind and site, no mark."""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel

from osteotrace_napari.choices import KIND_CHOICES, SIDE_CHOICES, SITE_CHOICES
from osteotrace_napari.colours import LINE_COLOUR, QUIET_COLOUR
from osteotrace_napari.panels.buttons import button
from osteotrace_napari.panels.choice_field import ChoiceField

_FIELDS: Final = (
    ("kind", "Looked for", KIND_CHOICES, 0, 0),
    ("site", "in", SITE_CHOICES, 1, 0),
    ("laterality", "Side", SIDE_CHOICES, 1, 1),
)


class AbsentForm(QFrame):
    """Asks for a kind and a site; Enter goes on, and from the last field records.

    Signals
    -------
    stated : str, str, str
        Kind, site and side that were looked for; the finding is absent.
    left : ()
        It was put away: the keys go to the canvas again.
    """

    stated = Signal(str, str, str)
    left = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setObjectName("absent")
        self.setStyleSheet(
            f"#absent {{ border: 1px solid {LINE_COLOUR}; border-radius: 4px; }}"
        )
        self.fields: dict[str, ChoiceField] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        for name, title, choices, row, column in _FIELDS:
            field = ChoiceField(choices)
            field.left.connect(lambda name=name: self._left_field(name))
            label = QLabel(title)
            label.setStyleSheet(f"color: {QUIET_COLOUR};")
            layout.addWidget(label, row, 2 * column)
            layout.addWidget(field, row, 2 * column + 1)
            self.fields[name] = field
        self.record = button("Record as absent", key="Enter")
        self.record.clicked.connect(self._state)
        layout.addWidget(self.record, 0, 2, 1, 2)
        layout.setColumnStretch(1, 3)
        layout.setColumnStretch(3, 2)
        self.hide()

    def ask(self, *, kind: str = "", site: str = "", laterality: str = "") -> None:
        """Ask, beginning with what was said last."""
        given = {"kind": kind, "site": site, "laterality": laterality}
        for name, field in self.fields.items():
            field.show_value(given[name])
        self.show()
        self._go_to("kind")

    def put_away(self) -> None:
        """Hide it and give the keys back."""
        self.hide()
        self.left.emit()

    def _left_field(self, name: str) -> None:
        if self.fields[name].escaped:
            self.put_away()
            return
        names = list(self.fields)
        following = names[names.index(name) + 1 :]
        if following:
            self._go_to(following[0])
        else:
            self._state()

    def _state(self) -> None:
        for field in self.fields.values():
            field.take()
        kind, site, side = (field.value for field in self.fields.values())
        for name, value in (("kind", kind), ("site", site)):
            if not value:
                self._go_to(name)
                return
        self.put_away()
        self.stated.emit(kind, site, side)

    def _go_to(self, name: str) -> None:
        self.fields[name].setFocus(Qt.FocusReason.TabFocusReason)
        self.fields[name].selectAll()
