# mypy: allow-subclassing-any
"""The strip that offers what an interrupted session left behind."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout

from osteotrace_napari.colours import WARNING_COLOUR
from osteotrace_napari.panels.buttons import button


class RecoveryStrip(QFrame):
    """Says what was recovered, and asks whether to go on with it.

    Signals
    -------
    continued, begun_anew : no arguments
        What the reader chose; the strip hides itself.
    """

    continued = Signal()
    begun_anew = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setObjectName("recovery")
        self.setStyleSheet(
            f"#recovery {{ border: 1px solid {WARNING_COLOUR}; border-radius: 4px; }}"
        )
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.go_on = button("Go on with it")
        self.anew = button("Begin anew")
        self.anew.setToolTip("What was recovered is set aside, not deleted.")
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.anew)
        row.addWidget(self.go_on)
        layout = QVBoxLayout(self)
        layout.addWidget(self.words)
        layout.addLayout(row)
        for made, signal in ((self.go_on, self.continued), (self.anew, self.begun_anew)):
            made.clicked.connect(self.hide)
            made.clicked.connect(lambda _, signal=signal: signal.emit())
        self.hide()

    def offer(self, words: str) -> None:
        """Ask about what was recovered, in words."""
        self.words.setText(words)
        self.show()
