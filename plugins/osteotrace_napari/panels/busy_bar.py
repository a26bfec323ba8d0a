# mypy: allow-subclassing-any
"""How far work is; where nobody counts, a bar that moves on twice a second.

Qt's own busy bar is drawn some thirty times a second, and every canvas of the window with
it. Where a processor draws them, that took three times as long as the work it told of.
"""

from __future__ import annotations

from typing import Any, Final

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QProgressBar

STEP_MS: Final = 500
STEPS: Final = 8
_HEIGHT_PX: Final = 6


class BusyBar(QProgressBar):
    """A flat bar without a text."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._counted = False
        self.setTextVisible(False)
        self.setMaximumHeight(_HEIGHT_PX)
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._step)
        self.show_progress(0, 0)

    def show_progress(self, done: int, of: int) -> None:
        """Show how much of the work is done; of none: that it goes on."""
        self._counted = of > 0
        if self._counted:
            self._timer.stop()
            self.setRange(0, of)
            self.setValue(done)
            return
        self.setRange(0, STEPS)
        self.setValue(1)
        if self.isVisible():
            self._timer.start()

    def showEvent(self, event: Any) -> None:
        """Move on while it is seen and nobody counts."""
        super().showEvent(event)
        if not self._counted:
            self._timer.start()

    def hideEvent(self, event: Any) -> None:
        """Rest."""
        super().hideEvent(event)
        self._timer.stop()

    def _step(self) -> None:
        self.setValue(self.value() % STEPS + 1)
