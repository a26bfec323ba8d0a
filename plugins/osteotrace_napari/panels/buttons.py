"""Push buttons as every panel has them."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

HEIGHT_PX: Final = 30


def button(text: str, *, key: str = "", checkable: bool = False) -> QPushButton:
    """Return a push button that leaves the keys to the canvas."""
    made = QPushButton(f"{text}   {key}" if key else text)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setCheckable(checkable)
    made.setMinimumHeight(HEIGHT_PX)
    return made
