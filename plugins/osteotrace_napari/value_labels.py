# mypy: allow-subclassing-any
"""Values beside their lines: Qt labels on the canvas, legible on any grey value.

napari's own text has neither ground nor outline and cannot be read on cortex.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QRect, Qt
from qtpy.QtWidgets import QLabel

if TYPE_CHECKING:
    from collections.abc import Sequence

    Pixel = tuple[float, float]

# Between a line and its label, and between labels.
GAP_PX: Final = 12
STEP_PX: Final = 6
TEXT_PX: Final = 17
_STYLE: Final = (
    "QLabel {{ color: {colour}; background: rgba(8, 12, 18, 205);"
    " border: 1px solid {colour}; border-radius: 4px; padding: 2px 7px;"
    " font-weight: 600; font-size: {size}px; }}"
)


class ValueLabels:
    """Labels on the canvas of a napari viewer, one a line."""

    def __init__(self, viewer: Any) -> None:
        self._canvas = viewer.window._qt_viewer.canvas.native
        self._labels: list[QLabel] = []

    @property
    def texts(self) -> list[str]:
        """What is shown now."""
        return [label.text() for label in self._labels if not label.isHidden()]

    def show(self, marks: Sequence[tuple[str, str, Pixel, Pixel]]) -> None:
        """Show a text in its colour beside each line from one pixel to another."""
        while len(self._labels) < len(marks):
            label = QLabel(self._canvas)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            self._labels.append(label)
        for label in self._labels[len(marks) :]:
            label.hide()
        taken: list[QRect] = []
        for label, (text, colour, start, end) in zip(self._labels, marks, strict=False):
            style = _STYLE.format(colour=colour, size=TEXT_PX)
            if label.styleSheet() != style:
                label.setStyleSheet(style)
            label.setText(text)
            label.adjustSize()
            rect = self._beside(start, end, label.width(), label.height(), taken)
            taken.append(rect)
            label.move(rect.topLeft())
            label.show()

    def _beside(
        self, start: Pixel, end: Pixel, width: int, height: int, taken: list[QRect]
    ) -> QRect:
        """Return a place across the line's middle, clear of the edges and the others."""
        a, b = np.array(start), np.array(end)
        step = b - a
        length = float(np.hypot(*step)) or 1.0
        across = np.array([-step[1], step[0]]) / length
        # To the right of an upright line, above a level one.
        if abs(across[0]) > abs(across[1]):
            across *= np.sign(across[0]) or 1.0
        else:
            across *= -(np.sign(across[1]) or 1.0)
        reach = GAP_PX + abs(across[0]) * width / 2 + abs(across[1]) * height / 2
        area = self._canvas.rect().adjusted(4, 4, -4, -4)
        for side in (1.0, -1.0):
            for further in range(12):
                centre = (a + b) / 2 + side * across * (reach + further * STEP_PX)
                x, y = centre - np.array([width, height]) / 2
                rect = QRect(int(x), int(y), width, height)
                if area.contains(rect) and not any(rect.intersects(t) for t in taken):
                    return rect
        centre = (a + b) / 2 + across * reach
        x, y = centre - np.array([width, height]) / 2
        return QRect(int(x), int(y), width, height)
