# mypy: allow-subclassing-any
"""The time axis of a comparison, painted: studies to click, drugs, events, a lesion.

It shows `osteotrace.reports.comparison.timeline_points` and knows no more. What a colour
tells, a sign or the words beside it tell too.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QToolTip, QWidget

from osteotrace.measurements.measurement import COVERAGE_FACTOR_95
from osteotrace.reports.comparison import words
from osteotrace_napari.colours import (
    LINE_COLOUR,
    LIVE_COLOUR,
    QUIET_COLOUR,
    TEXT_COLOUR,
    WARNING_COLOUR,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osteotrace.reports.comparison.timeline import TimelinePoint

LEFT_PX: Final = 118
RIGHT_PX: Final = 22
ROW_PX: Final = 20
STUDY_PX: Final = 34
AXIS_PX: Final = 20
PLOT_PX: Final = 74
# How near to a study a click has to be.
REACH_PX: Final = 10
_SIGN_PX: Final = 5
_NAME_PX: Final = 5
_BAR_PX: Final = 8
_MARGIN: Final = 0.06
_LEAST_DAYS: Final = 20
# Steps of the axis: months, the shortest that leaves room for its labels is taken.
_STEPS: Final = (1, 2, 3, 6, 12, 24, 60, 120)
_LABEL_PX: Final = 52
_VALUE: Final = "value"
_STUDY: Final = "study"
_NOTHING: Final = "No date is known: nothing stands on the time axis."


class TimelineView(QWidget):
    """Everything on the time axis, lane by lane; a study can be clicked.

    Signals
    -------
    study_chosen : int
        Number of the study in the comparison.
    """

    study_chosen = Signal(int)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.points: tuple[TimelinePoint, ...] = ()
        self.lesion = ""
        self.shown: tuple[int, ...] = ()
        self.setMouseTracking(True)
        self.show_points(())

    def show_points(
        self,
        points: Sequence[TimelinePoint],
        *,
        lesion: str = "",
        shown: Sequence[int] = (),
    ) -> None:
        """Show what stands on the axis, with the values of one lesion.

        Parameters
        ----------
        points : sequence of TimelinePoint
        lesion : str
            Tracking UID of the lesion whose values are plotted.
        shown : sequence of int
            Numbers of the studies that are on the canvas.
        """
        self.points = tuple(point for point in points if _ends(point) is not None)
        self.lesion, self.shown = lesion, tuple(shown)
        self.setFixedHeight(self._height())
        self.update()

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows below the studies, by name."""
        named = (p.row for p in self.points if p.lane not in (_STUDY, _VALUE))
        return tuple(dict.fromkeys(named))

    @property
    def values(self) -> tuple[TimelinePoint, ...]:
        """The values of the lesion that is plotted."""
        return tuple(
            point
            for point in self.points
            if point.lane == _VALUE and point.tracking_uid == self.lesion
        )

    def place_of(self, number: int) -> QPointF:
        """Return where a study stands, in pixels of the widget."""
        for point in self.points:
            if point.lane == _STUDY and point.study == number:
                return QPointF(self._middle(point), STUDY_PX - 2 * _SIGN_PX)
        raise KeyError(number)

    # Qt ---------------------------------------------------------------------------------

    def mousePressEvent(self, event: Any) -> None:
        """Choose the study at the mouse, anywhere in its column."""
        number = self._study_at(event.position().x())
        if event.button() == Qt.MouseButton.LeftButton and number is not None:
            event.accept()
            self.study_chosen.emit(number)
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """Say what lies below the mouse, and whether it can be clicked."""
        x, y = event.position().x(), event.position().y()
        over = self._study_at(x) is not None
        hand, arrow = Qt.CursorShape.PointingHandCursor, Qt.CursorShape.ArrowCursor
        self.setCursor(hand if over else arrow)
        told = "\n".join(dict.fromkeys(one.text for one in self._at(x, y)))
        QToolTip.showText(event.globalPosition().toPoint(), told, self)

    def paintEvent(self, event: Any) -> None:
        """Paint the axis and every row."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.points:
            painter.setPen(QColor(QUIET_COLOUR))
            whole = QRectF(self.rect())
            painter.drawText(whole, int(Qt.AlignmentFlag.AlignLeft), _NOTHING)
            return
        self._paint_axis(painter)
        self._paint_studies(painter)
        for number, row in enumerate(self.rows):
            self._paint_row(painter, row, STUDY_PX + number * ROW_PX)
        if self.values:
            self._paint_plot(painter, STUDY_PX + len(self.rows) * ROW_PX)

    # Where things stand -----------------------------------------------------------------

    def _height(self) -> int:
        if not self.points:
            return ROW_PX
        plot = PLOT_PX if self.values else 0
        return STUDY_PX + len(self.rows) * ROW_PX + plot + AXIS_PX

    def _span(self) -> tuple[int, int]:
        """Return the first and the last day of the axis, as ordinals."""
        every = [day for p in self.points for day in _ends(p) or ()]
        first, last = min(every).toordinal(), max(every).toordinal()
        margin = max(round(_MARGIN * (last - first)), _LEAST_DAYS)
        return first - margin, last + margin

    def _x(self, day: date) -> float:
        first, last = self._span()
        width = self.width() - LEFT_PX - RIGHT_PX
        return float(LEFT_PX + width * (day.toordinal() - first) / (last - first))

    def _reach(self, point: TimelinePoint) -> tuple[float, float]:
        """Return from where to where a point reaches; what goes on, to the end."""
        ends = _ends(point)
        assert ends is not None
        end = self._x(ends[1])
        if point.ongoing:
            end = float(self.width() - RIGHT_PX)
        return self._x(ends[0]), end

    def _middle(self, point: TimelinePoint) -> float:
        return sum(self._reach(point)) / 2

    def _study_at(self, x: float) -> int | None:
        studies = [p for p in self.points if p.lane == _STUDY and p.study is not None]
        near = [p for p in studies if abs(self._middle(p) - x) <= REACH_PX]
        if not near:
            return None
        return min(near, key=lambda p: abs(self._middle(p) - x)).study

    def _at(self, x: float, y: float) -> Iterator[TimelinePoint]:
        """Yield what lies at a place of the widget."""
        rows = self.rows
        for point in self.points:
            if point.lane == _STUDY:
                in_row = y < STUDY_PX
            elif point.lane == _VALUE:
                in_row = point in self.values and y > STUDY_PX + len(rows) * ROW_PX
            else:
                top = STUDY_PX + rows.index(point.row) * ROW_PX
                in_row = top <= y < top + ROW_PX
            left, right = self._reach(point)
            if in_row and left - REACH_PX <= x <= right + REACH_PX:
                yield point

    # Painting ---------------------------------------------------------------------------

    def _paint_axis(self, painter: QPainter) -> None:
        bottom = self._height() - AXIS_PX
        painter.setPen(QPen(QColor(LINE_COLOUR), 1))
        painter.drawLine(LEFT_PX, bottom, self.width() - RIGHT_PX, bottom)
        for day, label in self._ticks():
            x = self._x(day)
            painter.setPen(QPen(QColor(LINE_COLOUR), 1))
            painter.drawLine(QPointF(x, bottom), QPointF(x, bottom + 4))
            painter.setPen(QColor(QUIET_COLOUR))
            box = QRectF(x - _LABEL_PX / 2, bottom + 3, _LABEL_PX, AXIS_PX - 3)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignHCenter), label)

    def _ticks(self) -> list[tuple[date, str]]:
        """Return the days that are labelled: whole years or months."""
        first, last = map(date.fromordinal, self._span())
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        room = max((self.width() - LEFT_PX - RIGHT_PX) / (1.2 * _LABEL_PX), 1)
        step = next((one for one in _STEPS if months / one <= room), _STEPS[-1])
        found = []
        for number in range(first.year * 12, last.year * 12 + 12, step):
            day = date(number // 12, number % 12 + 1, 1)
            if first <= day <= last:
                label = f"{day.year}" if step >= 12 else f"{day.year}-{day.month:02}"
                found.append((day, label))
        return found

    def _paint_studies(self, painter: QPainter) -> None:
        bottom = self._height() - AXIS_PX
        self._name(painter, "Studies", 0, STUDY_PX)
        last = float(LEFT_PX)
        for point in self.points:
            if point.lane != _STUDY:
                continue
            x, is_shown = self._middle(point), point.study in self.shown
            painter.setPen(QPen(QColor(LINE_COLOUR), 1))
            painter.drawLine(QPointF(x, STUDY_PX - _SIGN_PX), QPointF(x, bottom))
            colour = QColor(LIVE_COLOUR if is_shown else TEXT_COLOUR)
            painter.setPen(QPen(colour, 1.5))
            # Filled is on the canvas, open is not: no colour has to tell it.
            painter.setBrush(colour if is_shown else Qt.BrushStyle.NoBrush)
            y = STUDY_PX - 2 * _SIGN_PX
            painter.drawEllipse(QPointF(x, y), _SIGN_PX, _SIGN_PX)
            width = painter.fontMetrics().horizontalAdvance(point.label)
            left = min(max(x - width / 2, LEFT_PX), self.width() - width - 2)
            # Two labels never lie on each other; the tooltip has every one.
            if left >= last:
                painter.drawText(QPointF(left, 13.0), point.label)
                last = left + width + 8

    def _paint_row(self, painter: QPainter, row: str, top: int) -> None:
        self._name(painter, row, top, ROW_PX)
        for point in self.points:
            if point.row != row or point.lane in (_STUDY, _VALUE):
                continue
            self._paint_event(painter, point, top + ROW_PX / 2)

    def _paint_event(self, painter: QPainter, point: TimelinePoint, y: float) -> None:
        left, right = self._reach(point)
        colour = QColor(WARNING_COLOUR if point.lane == "fracture" else QUIET_COLOUR)
        style = Qt.PenStyle.DashLine if point.approximate else Qt.PenStyle.SolidLine
        painter.setPen(QPen(colour, 1.2, style))
        painter.setBrush(Qt.BrushStyle.NoBrush if point.proposed else colour)
        if right - left > 2 * _SIGN_PX:
            bar = QRectF(left, y - _BAR_PX / 2, right - left, _BAR_PX)
            painter.setOpacity(0.55 if point.approximate else 0.9)
            painter.drawRect(bar)
            painter.setOpacity(1.0)
            if point.ongoing:
                painter.drawPolygon(_arrow(right, y))
            return
        painter.drawPolygon(_diamond((left + right) / 2, y))
        if point.value is not None:
            painter.setPen(QColor(TEXT_COLOUR))
            painter.drawText(QPointF(right + _SIGN_PX + 3, y + 4), f"{point.value:g}")

    def _paint_plot(self, painter: QPainter, top: int) -> None:
        values = [p for p in self.values if p.value is not None or p.absent]
        name = f"{self.values[0].label}: {self.values[0].row}"
        self._name(painter, name, top, PLOT_PX)
        if not values:
            return
        ends = [e for p in values for e in (p.low, p.high, _number(p)) if e is not None]
        low, high = min(ends), max(ends)
        room = (high - low) or abs(high) or 1.0

        def y(value: float) -> float:
            share = (value - low + 0.1 * room) / (1.2 * room if high > low else room)
            return top + PLOT_PX - 8 - (PLOT_PX - 22) * min(max(share, 0.0), 1.0)

        painter.setPen(QPen(QColor(LIVE_COLOUR), 1.2))
        places = [QPointF(self._middle(p), y(_number(p))) for p in values]
        painter.drawPolyline(QPolygonF(places))
        for point, place in zip(values, places, strict=True):
            self._paint_value(painter, point, place, y)

    def _paint_value(
        self, painter: QPainter, point: TimelinePoint, place: QPointF, y: Any
    ) -> None:
        painter.setPen(QPen(QColor(LIVE_COLOUR), 1.2))
        if point.low is not None and point.high is not None:
            painter.drawLine(
                QPointF(place.x(), y(point.low)), QPointF(place.x(), y(point.high))
            )
        is_open = point.proposed or point.absent
        painter.setBrush(Qt.BrushStyle.NoBrush if is_open else QColor(LIVE_COLOUR))
        painter.drawEllipse(place, 3.5, 3.5)
        painter.setPen(QColor(TEXT_COLOUR))
        label = "absent" if point.value is None else _digits(point)
        width = painter.fontMetrics().horizontalAdvance(label)
        left = min(place.x() + 6, self.width() - width - 2)
        painter.drawText(QPointF(left, place.y() - 5), label)

    def _name(self, painter: QPainter, name: str, top: float, height: float) -> None:
        painter.setPen(QColor(QUIET_COLOUR))
        box = QRectF(_NAME_PX, top, LEFT_PX - 2 * _NAME_PX, height)
        how = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if height > ROW_PX:
            painter.drawText(box, int(how | Qt.TextFlag.TextWordWrap), name)
            return
        metrics = painter.fontMetrics()
        short = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, int(how), short)


def _digits(point: TimelinePoint) -> str:
    """Return a value in the digits that it supports."""
    u = None
    if point.low is not None and point.high is not None:
        u = (point.high - point.low) / (2 * COVERAGE_FACTOR_95)
    return words.number(point.value or 0.0, point.unit, u).partition(" ±")[0]


def _number(point: TimelinePoint) -> float:
    """Return a value; of what was looked for and not found, zero."""
    return 0.0 if point.value is None else point.value


def _ends(point: TimelinePoint) -> tuple[date, date] | None:
    """Return the first and the last day of a point; None where none is known."""
    days = [day for day in (point.first, point.last) if day is not None]
    if not days:
        return None
    first, last = min(days), max(days)
    return (first, last) if first < last else (first, first + timedelta(0))


def _diamond(x: float, y: float) -> QPolygonF:
    r = _SIGN_PX - 0.5
    corners = ((x - r, y), (x, y - r), (x + r, y), (x, y + r))
    return QPolygonF([QPointF(*one) for one in corners])


def _arrow(x: float, y: float) -> QPolygonF:
    corners = ((x, y - _BAR_PX), (x + _BAR_PX, y), (x, y + _BAR_PX))
    return QPolygonF([QPointF(*one) for one in corners])
