# mypy: allow-subclassing-any
"""What is painted over a canvas: letters, place, scale, marks, values, prompt.

One transparent widget that lies over napari's canvas and takes no mouse events. Painting
costs a slice change next to nothing; napari's own text and shapes cost as much as the
image. Every line and letter has a dark edge, so that it is crisp on any grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakMethod

from qtpy.QtCore import QEvent, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from osteotrace_napari.canvas import placing

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.canvas.drawing import Dot, Picture, Stroke
    from osteotrace_napari.canvas.scene import Divider, Scene, Status

LETTER_COLOUR: Final = "#ffd60a"
TEXT_COLOUR: Final = "#e8edf2"
BADGE_COLOUR: Final = "#ff9f43"
PROMPT_COLOUR: Final = "#7ae7ff"
CROSSHAIR_COLOUR: Final = "#4cd97b"
STATUS_COLOUR: Final = "#7bd88f"
LETTER_PX: Final = 21
TEXT_PX: Final = 13
VALUE_PX: Final = 16
PROMPT_PX: Final = 15
# The dark edge under a line, on each side.
EDGE_PX: Final = 1.3
DOT_PX: Final = 4.0
MARGIN_PX: Final = 10
# Left free below for the letter and the scale.
FOOT_PX: Final = 36.0
# Half the side of what a divider is dragged by.
GRIP_PX: Final = 11.0
# The crosshair leaves its centre free: what it points at is to be seen.
CROSSHAIR_GAP_PX: Final = 14
# The scale is the longest of these that takes up to this share of the canvas.
SCALES_MM: Final = (100, 50, 20, 10, 5, 2, 1)
SCALE_SHARE: Final = 0.25
_DARK: Final = QColor(0, 0, 0, 215)
_GROUND: Final = QColor(8, 12, 18, 205)
# Where a text is painted dark first, so that it has an edge.
_AROUND: Final = ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1), (-1, -1))


class Overlay(QWidget):
    """Paints a scene over a canvas.

    Parameters
    ----------
    canvas : QWidget
        napari's canvas; the overlay follows its size.
    scene : bound method
        Asked for the scene whenever it is painted; None paints nothing.
    """

    def __init__(self, canvas: QWidget, scene: Callable[[], Scene | None]) -> None:
        super().__init__(canvas)
        # The view owns the overlay, not the other way round: windows must be let go.
        self._scene = WeakMethod(scene)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        canvas.installEventFilter(self)
        self.setGeometry(canvas.rect())
        self.show()

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Follow the size of the canvas."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self.setGeometry(watched.rect())
            self.raise_()
        return False

    def paintEvent(self, event: Any) -> None:
        """Paint the scene as it is now."""
        ask = self._scene()
        scene = None if ask is None else ask()
        if scene is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        try:
            self._paint(painter, scene)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, scene: Scene) -> None:
        if scene.crosshair is not None:
            self._crosshair(painter, *scene.crosshair)
        for stroke in scene.picture.strokes:
            _stroke(painter, stroke)
        for dot in scene.picture.dots:
            _dot(painter, dot)
        self._letters(painter, scene.letters)
        self._place(painter, scene.place)
        self._badges(painter, scene.badges)
        foot = self._scale(painter, scene.zoom) if scene.zoom else QRectF()
        if scene.divider is not None:
            self._divider(painter, scene.divider)
        if scene.status.words:
            foot = self._status(painter, scene.status, foot)
        if scene.prompt:
            self._prompt(painter, scene.prompt, foot)
        self._values(painter, scene.picture)

    def _letters(self, painter: QPainter, letters: dict[str, str]) -> None:
        painter.setFont(_font(LETTER_PX, bold=True))
        area = QRectF(self.rect()).adjusted(MARGIN_PX, 4, -MARGIN_PX, -4)
        sides = {
            "left": Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
            "right": Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
            "top": Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter,
            "bottom": Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignHCenter,
        }
        for side, where in sides.items():
            _text(painter, area, where, letters.get(side, ""), LETTER_COLOUR)

    def _place(self, painter: QPainter, text: str) -> None:
        font = _font(TEXT_PX)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        whole = self.width() - 2.0 * MARGIN_PX
        # The first rows stop before the letter at the top.
        widths = [max(self.width() / 2 - 2 * LETTER_PX, 60.0)] * 2 + [whole]
        rows = placing.rows(text, widths, metrics.horizontalAdvance)
        area = QRectF(self.rect()).adjusted(MARGIN_PX, 8, -MARGIN_PX, -8)
        where = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        _text(painter, area, where, "\n".join(rows), TEXT_COLOUR)

    def _badges(self, painter: QPainter, badges: tuple[str, ...]) -> None:
        font = _font(TEXT_PX, bold=True)
        metrics, top = QFontMetricsF(font), 8.0
        painter.setFont(font)
        for badge in badges:
            width, height = metrics.horizontalAdvance(badge) + 16, metrics.height() + 6
            box = QRectF(self.width() - MARGIN_PX - width, top, width, height)
            _ground(painter, box, QColor(BADGE_COLOUR), fill=QColor(BADGE_COLOUR))
            painter.setPen(QColor("#1b1204"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, badge)
            top += height + 5

    def _scale(self, painter: QPainter, zoom: float) -> QRectF:
        """Paint the scale; return where it and its number stand."""
        most = self.width() * SCALE_SHARE
        length = next((mm for mm in SCALES_MM if mm * zoom <= most), SCALES_MM[-1])
        right, bottom = self.width() - MARGIN_PX - 4.0, self.height() - 16.0
        left = right - length * zoom
        tick = 10 if length > 10 else 1
        ends = [(left, bottom, right, bottom)]
        for mm in range(0, length + 1, tick):
            x, high = left + mm * zoom, 8 if mm in (0, length) else 5
            ends.append((x, bottom - high, x, bottom))
        for colour, width in ((_DARK, 4.0), (QColor(TEXT_COLOUR), 1.6)):
            pen = QPen(colour, width)
            pen.setCapStyle(Qt.PenCapStyle.SquareCap)
            painter.setPen(pen)
            for a, b, c, d in ends:
                painter.drawLine(QPointF(a, b), QPointF(c, d))
        painter.setFont(_font(TEXT_PX))
        area = QRectF(left - 60, bottom - 30, length * zoom + 60, 18)
        where = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        _text(painter, area, where, f"{length} mm", TEXT_COLOUR)
        return area.adjusted(0, 0, 0, 16)

    def _crosshair(self, painter: QPainter, x: float, y: float) -> None:
        gap, width, height = CROSSHAIR_GAP_PX, self.width(), self.height()
        pieces = (
            ((0, y), (x - gap, y)),
            ((x + gap, y), (width, y)),
            ((x, 0), (x, y - gap)),
            ((x, y + gap), (x, height)),
        )
        for colour, thick in ((QColor(0, 0, 0, 150), 3.0), (CROSSHAIR_COLOUR, 1.2)):
            painter.setPen(QPen(QColor(colour), thick))
            for a, b in pieces:
                painter.drawLine(QPointF(*a), QPointF(*b))

    def _status(self, painter: QPainter, status: Status, scale: QRectF) -> QRectF:
        """Paint the status above scale and letter; return where all this stands."""
        font = _font(TEXT_PX, bold=True)
        room = self.width() - 2.0 * MARGIN_PX - 17
        wrapped = int(Qt.TextFlag.TextWordWrap.value)
        bounds = QRectF(0, 0, max(room, 60.0), self.height())
        needed = QFontMetricsF(font).boundingRect(bounds, wrapped, status.words)
        width, height = needed.width() + 17, needed.height() + 8
        box = QRectF(MARGIN_PX, self.height() - FOOT_PX - height, width, height)
        colour = QColor(BADGE_COLOUR if status.is_warning else STATUS_COLOUR)
        _ground(painter, box, colour)
        painter.setFont(font)
        painter.setPen(colour)
        flags = wrapped | int(Qt.AlignmentFlag.AlignCenter.value)
        painter.drawText(box.adjusted(8, 0, -8, 0), flags, status.words)
        return box.united(scale)

    def _divider(self, painter: QPainter, divider: Divider) -> None:
        """Paint the divider with a grip in its middle, and what is on either side."""
        x, middle, high = divider.x, self.height() / 2, float(self.height())
        for colour, width in ((_DARK, 4.0), (QColor(TEXT_COLOUR), 1.6)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(QPointF(x, 0), QPointF(x, high))
        grip = QRectF(x - GRIP_PX, middle - GRIP_PX, 2 * GRIP_PX, 2 * GRIP_PX)
        _ground(painter, grip, QColor(TEXT_COLOUR), width=1.6)
        painter.setFont(_font(VALUE_PX, bold=True))
        _text(painter, grip, Qt.AlignmentFlag.AlignCenter, "↔", TEXT_COLOUR)
        top = middle - GRIP_PX - 34
        sides = (
            (QRectF(x - 412, top, 400, 24), Qt.AlignmentFlag.AlignRight, divider.left),
            (QRectF(x + 12, top, 400, 24), Qt.AlignmentFlag.AlignLeft, divider.right),
        )
        for area, where, words in sides:
            _text(painter, area, where, words, TEXT_COLOUR)

    def _prompt(self, painter: QPainter, text: str, foot: QRectF) -> None:
        """Paint the prompt in one row or two, above scale and status where they meet."""
        font = _font(PROMPT_PX, bold=True)
        metrics = QFontMetricsF(font)
        room = self.width() - 2.0 * MARGIN_PX - 24
        rows = placing.two_rows(text, room, metrics.horizontalAdvance)
        elide = Qt.TextElideMode.ElideRight
        rows = [metrics.elidedText(row, elide, room) for row in rows]
        width = max(metrics.horizontalAdvance(row) for row in rows) + 24
        height = len(rows) * metrics.height() + 10
        left = (self.width() - width) / 2
        box = QRectF(left, self.height() - FOOT_PX - height, width, height)
        if box.intersects(foot):
            box.moveBottom(foot.top() - 4)
        _ground(painter, box, QColor(PROMPT_COLOUR))
        painter.setFont(font)
        painter.setPen(QColor(PROMPT_COLOUR))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "\n".join(rows))

    def _values(self, painter: QPainter, picture: Picture) -> None:
        font = _font(VALUE_PX, bold=True)
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        taken: list[placing.Box] = [_dot_box(dot) for dot in picture.dots]
        # The selected one finds its place first and is painted last.
        boxes = []
        for label in sorted(picture.labels, key=lambda each: not each.strong):
            size = metrics.horizontalAdvance(label.text) + 16, metrics.height() + 6
            box = placing.beside(
                label.corners,
                size=size,
                canvas=(self.width(), self.height()),
                taken=taken,
            )
            taken.append(box)
            boxes.append((label, QRectF(*box)))
        for label, area in reversed(boxes):
            colour = QColor(label.colour)
            _ground(painter, area, colour, width=2.0 if label.strong else 1.0)
            painter.setPen(colour)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, label.text)


def _font(pixels: int, *, bold: bool = False) -> QFont:
    font = QFont()
    font.setPixelSize(pixels)
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return font


def _text(
    painter: QPainter,
    area: QRectF,
    where: Qt.AlignmentFlag,
    text: str,
    colour: str,
) -> None:
    if not text:
        return
    flags = int(where.value)
    painter.setPen(_DARK)
    for dx, dy in _AROUND:
        painter.drawText(area.translated(dx, dy), flags, text)
    painter.setPen(QColor(colour))
    painter.drawText(area, flags, text)


def _ground(
    painter: QPainter,
    box: QRectF,
    edge: QColor,
    *,
    fill: QColor = _GROUND,
    width: float = 1.0,
) -> None:
    painter.setPen(QPen(edge, width))
    painter.setBrush(fill)
    painter.drawRoundedRect(box, 4, 4)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _stroke(painter: QPainter, stroke: Stroke) -> None:
    line = QPolygonF([QPointF(x, y) for x, y in stroke.points.tolist()])
    for colour, width in (
        (_DARK, stroke.width + 2 * EDGE_PX),
        (QColor(stroke.colour), stroke.width),
    ):
        pen = QPen(colour, width)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        if stroke.dashed:
            # Dashes are counted in widths of the pen: both passes get the same ones.
            pen.setDashPattern([7.0 / width, 5.0 / width])
        painter.setPen(pen)
        if stroke.closed:
            painter.drawPolygon(line)
        else:
            painter.drawPolyline(line)


def _dot_box(dot: Dot) -> placing.Box:
    """Return what a point and its label take up."""
    return dot.x - 8, dot.y - 8, 16 + 8 * len(dot.label), 16


def _dot(painter: QPainter, dot: Dot) -> None:
    centre = QPointF(dot.x, dot.y)
    radius = DOT_PX * (1.3 if dot.strong else 1.0)
    if dot.hollow:
        for colour, width in ((_DARK, 1.5 + 2 * EDGE_PX), (QColor(dot.colour), 1.5)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(centre, radius, radius)
    else:
        painter.setPen(QPen(_DARK, EDGE_PX))
        painter.setBrush(QColor(dot.colour))
        painter.drawEllipse(centre, radius, radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)
    if dot.label:
        painter.setFont(_font(TEXT_PX, bold=True))
        area = QRectF(dot.x + radius + 4, dot.y - 10, 400, 20)
        where = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        _text(painter, area, where, dot.label, dot.colour)
