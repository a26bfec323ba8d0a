# mypy: allow-subclassing-any
"""A row of the Study tab: thumbnail, name, size and geometry verdict of one volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QIcon, QImage, QPainter, QPixmap
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from osteotrace.series.wording import OBJECTS
from osteotrace_napari import wording
from osteotrace_napari.colours import LINE_COLOUR, QUIET_COLOUR, TEXT_COLOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.series import Series, VolumeHeader

HEADER_ROLE: Final = Qt.ItemDataRole.UserRole
LINES_ROLE: Final = Qt.ItemDataRole.UserRole + 1
PICTURE_ROLE: Final = Qt.ItemDataRole.UserRole + 2
STUDY_ROLE: Final = Qt.ItemDataRole.UserRole + 3

PICTURE_PX: Final = 64
_MARGIN_PX: Final = 5
_LEADING_PX: Final = 2
_GAP_PX: Final = 10
_TOP_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
_GREY: Final = "#838d98"
_GREY_CHOSEN: Final = "#b4bcc4"


def lines_of(series: Series, header: VolumeHeader) -> tuple[str, str, str]:
    """Return what a row says: name, size, geometry."""
    name = wording.series_name(header.identity) or "series without a name"
    if len(series.volumes) > 1:
        name += f"  [{header.k}]"
    return name, _size(header), geometry(header)


def geometry(header: VolumeHeader) -> str:
    """Return the geometry verdict in words, with what it means for measuring."""
    words = wording.verdict(header)
    if header.measurable or header.identity.modality in OBJECTS:
        return words
    return f"cannot be measured: {words}"


def _size(header: VolumeHeader) -> str:
    count = len(header.instances)
    words = [header.identity.modality or "no modality"]
    first = header.instances[0]
    if first.rows and first.columns:
        if not first.frame:
            count = max(count, first.attributes.format.frames)
        # Without a place in the patient, images are no slices.
        what = "image" if header.grid is None else "slice"
        words.append(f"{count} {what}{'' if count == 1 else 's'}")
    if header.measurable and header.grid is not None:
        sizes = header.grid.spacing[[1, 2, 0]]
        told = " × ".join(f"{mm:.3g}" for mm in sizes if not np.isnan(mm))
        words.append(f"{told} mm")
    return "  ·  ".join(words)


def pixmap_of(picture: NDArray[np.uint8]) -> QPixmap:
    """Return a grey picture for the screen."""
    grey = np.ascontiguousarray(picture)
    rows, columns = grey.shape
    image = QImage(grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
    # The pixmap is a copy: the array may go.
    return QPixmap.fromImage(image)


class SeriesDelegate(QStyledItemDelegate):
    """Paints the rows of series; patients and studies are painted as ever."""

    def sizeHint(self, option: Any, index: Any) -> QSize:
        """Return the room that a row takes."""
        usual = super().sizeHint(option, index)
        if index.data(LINES_ROLE) is None:
            return QSize(usual.width(), max(usual.height(), 28))
        return QSize(usual.width(), PICTURE_PX + 2 * _MARGIN_PX)

    def paint(self, painter: QPainter, option: Any, index: Any) -> None:
        """Paint one row."""
        lines = index.data(LINES_ROLE)
        if lines is None:
            super().paint(painter, option, index)
            return
        row = QStyleOptionViewItem(option)
        self.initStyleOption(row, index)
        row.text, row.icon = "", QIcon()
        style = row.widget.style()
        control = QStyle.ControlElement.CE_ItemViewItem
        style.drawControl(control, row, painter, row.widget)
        painter.save()
        # What the style set for a disabled or half-visible row must not hold here.
        painter.setOpacity(1.0)
        inside = option.rect.adjusted(_MARGIN_PX, _MARGIN_PX, -_MARGIN_PX, -_MARGIN_PX)
        box = QRect(inside.topLeft(), QSize(PICTURE_PX, PICTURE_PX))
        header = index.data(HEADER_ROLE)
        words = header.identity.modality
        _paint_picture(painter, box, index.data(PICTURE_ROLE), words)
        text = inside.adjusted(PICTURE_PX + _GAP_PX, 0, 0, 0)
        is_chosen = bool(row.state & QStyle.StateFlag.State_Selected)
        grey = "" if header.measurable else _GREY_CHOSEN if is_chosen else _GREY
        is_open = bool(index.data(Qt.ItemDataRole.FontRole))
        _paint_lines(painter, text, lines, grey=grey, is_open=is_open)
        painter.restore()


def _paint_picture(
    painter: QPainter, box: QRect, picture: QPixmap | None, words: str
) -> None:
    painter.fillRect(box, QColor("black"))
    if picture is None:
        painter.setPen(QColor(_GREY))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
    else:
        fitted = picture.size().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRect(box.topLeft(), fitted)
        place.moveCenter(box.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(place, picture)
    painter.setPen(QColor(LINE_COLOUR))
    painter.drawRect(box)


def _paint_lines(
    painter: QPainter,
    inside: QRect,
    lines: tuple[str, str, str],
    *,
    grey: str,
    is_open: bool,
) -> None:
    font = QFont(painter.font())
    height = painter.fontMetrics().height() + _LEADING_PX
    name, *rest = lines
    for number, line in enumerate(lines):
        font.setBold(number == 0 and is_open)
        painter.setFont(font)
        painter.setPen(QColor(grey or (TEXT_COLOUR if line is name else QUIET_COLOUR)))
        place = inside.adjusted(0, number * height, 0, 0)
        if line is rest[-1]:
            # A reason may need two lines.
            painter.drawText(place, _TOP_LEFT | Qt.TextFlag.TextWordWrap, line)
            continue
        told = painter.fontMetrics().elidedText(
            line, Qt.TextElideMode.ElideRight, place.width()
        )
        painter.drawText(place, _TOP_LEFT, told)
