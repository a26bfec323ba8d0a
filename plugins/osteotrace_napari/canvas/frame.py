"""How canvases stand in the window: a large one and a column, or two by two.

Held by Qt: what Python holds of a window outlives it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSplitter

if TYPE_CHECKING:
    from collections.abc import Sequence

# How much of the width the first canvas takes, by the number of canvases.
_FIRST_SHARE: Final = {2: 0.5, 3: 0.64, 4: 0.5}
_PARTS: Final = 10_000


class Frame:
    """Two columns of canvases in the place of the window's own canvas.

    Parameters
    ----------
    qt_viewer : QtViewer
        The window's canvas, the first of all.
    """

    def __init__(self, qt_viewer: Any) -> None:
        layout = qt_viewer.parentWidget().layout()
        self._frame = QSplitter(Qt.Orientation.Horizontal)
        self._columns = [QSplitter(Qt.Orientation.Vertical) for _ in range(2)]
        for column in self._columns:
            column.setChildrenCollapsible(False)
            self._frame.addWidget(column)
        self._frame.setChildrenCollapsible(False)
        layout.replaceWidget(qt_viewer, self._frame)
        self._columns[0].addWidget(qt_viewer)
        self._columns[1].hide()
        qt_viewer.show()

    def stand(
        self,
        others: Sequence[Any],
        count: int,
        *,
        first: Any,
        first_is_left: bool = True,
    ) -> None:
        """Place the other canvases, of which ``count`` are shown.

        Parameters
        ----------
        others : sequence of QtViewer
        count : int
        first : QtViewer
            The window's canvas with its sliders.
        first_is_left : bool
            Whether the first canvas stands left of the others.
        """
        for n, qt_viewer in enumerate(others):
            if n >= count:
                qt_viewer.hide()
                continue
            # Of four, the last stands below the first.
            column = self._columns[0] if n == 2 else self._columns[1]
            if column.indexOf(qt_viewer) < 0:
                column.addWidget(qt_viewer)
            qt_viewer.show()
        at = 0 if first_is_left else 1
        if self._frame.indexOf(self._columns[0]) != at:
            self._frame.insertWidget(at, self._columns[0])
        self._columns[1].setVisible(count > 0)
        # Two pictures side by side are level: only the first has sliders below it.
        below = first.dims.height() if count == 1 else 0
        self._columns[1].setContentsMargins(0, 0, 0, below)
        if count:
            share = int(_PARTS * _FIRST_SHARE[count + 1])
            sizes = [share, _PARTS - share]
            self._frame.setSizes(sizes if first_is_left else sizes[::-1])
            for column in self._columns:
                column.setSizes([_PARTS] * column.count())
