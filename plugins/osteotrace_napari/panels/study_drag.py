# mypy: allow-subclassing-any
"""A series dragged from the Study tab, and what takes it where it is dropped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QByteArray, QEvent, QMimeData, QObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from osteotrace.series import VolumeHeader

MIME_TYPE: Final = "application/x-osteotrace-series"
_ENTERING: Final = (QEvent.Type.DragEnter, QEvent.Type.DragMove)


def series_mime(header: VolumeHeader) -> QMimeData:
    """Return what a drag of a series carries: its UID and the volume's number in it."""
    told = json.dumps({"series_uid": header.identity.series_uid, "volume": header.k})
    mime = QMimeData()
    mime.setData(MIME_TYPE, QByteArray(told.encode()))
    return mime


def dragged(mime: Any, headers: Iterable[VolumeHeader]) -> VolumeHeader | None:
    """Return the series that a drag carries, None where it is none of these."""
    if not mime.hasFormat(MIME_TYPE):
        return None
    try:
        told = json.loads(bytes(mime.data(MIME_TYPE)))
        key = told["series_uid"], told["volume"]
    # Another program may use the name for something else.
    except (ValueError, KeyError, TypeError):
        return None
    return next((h for h in headers if (h.identity.series_uid, h.k) == key), None)


class SeriesDrop(QObject):
    """Takes series dropped onto a widget, as the canvas of a view is one.

    Parameters
    ----------
    widget : QWidget
        Accepts drops from now on.
    headers : callable
        Returns the series that there are.
    dropped : callable
        Called with the series that was dropped.
    """

    def __init__(
        self,
        widget: Any,
        headers: Callable[[], Iterable[VolumeHeader]],
        dropped: Callable[[VolumeHeader], object],
    ) -> None:
        super().__init__(widget)
        self._headers, self._dropped = headers, dropped
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take a series; leave everything else to the widget."""
        kind = event.type()
        if kind not in (*_ENTERING, QEvent.Type.Drop):
            return False
        header = dragged(event.mimeData(), self._headers())
        if header is None:
            return False
        event.acceptProposedAction()
        if kind == QEvent.Type.Drop:
            self._dropped(header)
        return True
