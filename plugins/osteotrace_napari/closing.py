# mypy: allow-subclassing-any
"""When a window has closed: not where its reader was asked and stayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject

if TYPE_CHECKING:
    from collections.abc import Callable


class Closing(QObject):
    """Does something when a window closes, while all that is in it still lives.

    napari asks before it closes a window, and a reader may stay. A window that does
    close is hidden first of all.

    Parameters
    ----------
    window : QWidget
    call : callable
        Called without arguments; may be called again.
    """

    def __init__(self, window: Any, call: Callable[[], object]) -> None:
        super().__init__(window)
        self._call = call
        self._asked = False
        window.installEventFilter(self)

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Tell a window that closes from one that is only asked to, or put aside."""
        kind = event.type()
        if kind == QEvent.Type.Close:
            self._asked = True
        elif kind == QEvent.Type.Show:
            self._asked = False
        # Nobody is asked about a window that is not seen; it is not hidden again.
        unseen = kind == QEvent.Type.Close and not watched.isVisible()
        hidden = kind == QEvent.Type.Hide and self._asked and not event.spontaneous()
        if unseen or hidden:
            self._asked = False
            self._call()
        return False
