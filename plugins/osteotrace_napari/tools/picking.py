"""Which mark, and which point of it, lies under the mouse: pure maths on the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace_napari.canvas import drawing
from osteotrace_napari.canvas.marks import Ball

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.geometry import Array
    from osteotrace_napari.canvas.drawing import Place
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.tools.grips import Grip

# As far from a line or a point as a hand aims, pixels.
NEAR_PX: Final = 7.0


def nearest_grip(grips: Sequence[Grip], place: Place, pixel: Array) -> Grip | None:
    """Return the grip under the mouse, of those the slice shows; points before edges."""
    away = [(_from_grip(grip, place, pixel), bool(grip.radius)) for grip in grips]
    near = [k for k, (distance, _) in enumerate(away) if distance <= NEAR_PX]
    if not near:
        return None
    return grips[min(near, key=lambda k: (away[k][1], away[k][0]))]


def nearest_mark(marks: Iterable[Mark], place: Place, pixel: Array) -> Mark | None:
    """Return the recorded mark nearest to the mouse, of those that lie near it."""
    away = [(_from_mark(mark, place, pixel), mark) for mark in marks if mark.uid]
    near = [pair for pair in away if pair[0] <= NEAR_PX]
    return min(near, key=lambda pair: pair[0])[1] if near else None


def _from_grip(grip: Grip, place: Place, pixel: Array) -> float:
    if grip.radius:
        ball = Ball(centre=grip.point, radius=grip.radius)
        return _from_circle(ball, place, pixel)
    if not place.passes([grip.point]):
        return float("inf")
    return float(np.hypot(*(place.to_canvas(grip.point) - pixel)))


def _from_circle(ball: Ball, place: Place, pixel: Array) -> float:
    radius = place.cut_radius(ball) * place.zoom
    if radius <= 0:
        return float("inf")
    return abs(float(np.hypot(*(place.to_canvas(ball.centre) - pixel))) - radius)


def _from_mark(mark: Mark, place: Place, pixel: Array) -> float:
    picture = drawing.picture([mark], place)
    away = [_from_line(stroke.points, stroke.closed, pixel) for stroke in picture.strokes]
    away += [float(np.hypot(dot.x - pixel[0], dot.y - pixel[1])) for dot in picture.dots]
    if mark.box:
        low, high = (f(place.to_canvas(mark.box), axis=0) for f in (np.min, np.max))
        away.append(
            float(np.hypot(*np.maximum(np.maximum(low - pixel, pixel - high), 0)))
        )
    return min(away, default=float("inf"))


def _from_line(points: Array, closed: bool, pixel: Array) -> float:
    """Return how far a pixel lies from a line through (n, 2) others."""
    starts = points if closed else points[:-1]
    steps = (np.roll(points, -1, axis=0) if closed else points[1:]) - starts
    lengths = np.maximum((steps**2).sum(axis=1), 1e-12)
    along = np.clip(((pixel - starts) * steps).sum(axis=1) / lengths, 0.0, 1.0)
    return float(np.hypot(*(starts + along[:, None] * steps - pixel).T).min())
