"""The true heights of a vertebral body, read off its analytic outer surface.

By the definition that `osteotrace.measurements.vertebra` prints with a height: up is the
bisector of the two endplates; in the mid-sagittal strip, the distance from endplate to
endplate at 10, 50 and 90 % of the depth at mid-height, each over ± 7 % of the depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from osteotrace.phantoms.shapes import Array, Shape

STRIP_MM: Final = 5.0
FRACTIONS: Final = (0.1, 0.5, 0.9)
WINDOW_SHARE: Final = 0.07
# The walls are read in this share of the height, above and below the middle.
WALL_SHARE: Final = 0.15
DEFINITION: Final = (
    "outer surface, from endplate to endplate along the bisector of the endplates, at "
    "10, 50 and 90 % of the depth at mid-height over ± 7 % of it, mid-sagittal ± 5 mm"
)

_PLACES: Final = 101
_STEP_MM: Final = 0.2
_REACH_MM: Final = 26.0
_MOST_TURNS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Morphometry:
    """What the definition gives.

    Parameters
    ----------
    heights_mm : (anterior, middle, posterior)
    endplate_deg : (superior, inferior)
        How far each endplate line rises from front to back, in the body's own frame.
    depression_mm : (superior, inferior)
        Deepest point under the line from rim to rim of each endplate.
    depth_mm : float
        Between the walls at mid-height.
    points : (2, 3, 3) float64
        Superior and inferior endplate at the three fractions, own frame, mm.
    """

    heights_mm: tuple[float, float, float]
    endplate_deg: tuple[float, float]
    depression_mm: tuple[float, float]
    depth_mm: float
    points: Array

    @property
    def wedge_deg(self) -> float:
        """Angle between the endplate lines, positive where the front is lower."""
        return self.endplate_deg[0] - self.endplate_deg[1]


def morphometry(body: Shape) -> Morphometry:
    """Return heights, angles and depressions of a body in its own frame.

    Parameters
    ----------
    body : callable
        Signed distance of (3, n) points, left, posterior and superior of about its
        middle.
    """
    pitch, middle = 0.0, 0.0
    for _ in range(_MOST_TURNS):
        places, plates, front, depth = _columns(body, pitch, middle)
        read = np.array(
            [[_window(places, p, f, depth) for f in FRACTIONS] for p in plates]
        )
        slopes = np.arctan((read[:, 2] - read[:, 0]) / (0.8 * depth))
        turn, now = float(slopes.mean()), float(read[:, 1].mean())
        if abs(turn) < 1e-5 and abs(now - middle) < 1e-4:
            break
        pitch, middle = pitch + turn, now
    along = front + np.array(FRACTIONS) * depth
    flat = np.stack([np.broadcast_to(along, read.shape), read], axis=-1)
    turned = flat @ _turn(pitch).T
    heights = read[0] - read[1]
    angles = np.degrees(slopes + pitch)
    return Morphometry(
        heights_mm=(float(heights[0]), float(heights[1]), float(heights[2])),
        endplate_deg=(float(angles[0]), float(angles[1])),
        depression_mm=(
            _depression(places, plates[0], depth),
            _depression(places, -plates[1], depth),
        ),
        depth_mm=depth,
        points=np.concatenate([np.zeros((2, 3, 1)), turned], axis=-1),
    )


def _turn(pitch: float) -> Array:
    """Return the rotation from (along, up) to own (posterior, superior)."""
    cosine, sine = np.cos(pitch), np.sin(pitch)
    return np.array([[cosine, -sine], [sine, cosine]])


def _columns(
    body: Shape, pitch: float, middle: float
) -> tuple[Array, tuple[Array, Array], float, float]:
    """Return places behind the front wall, both endplates there, front and depth."""
    left = np.linspace(-STRIP_MM, STRIP_MM, 5)
    axis = np.arange(-_REACH_MM, _REACH_MM, _STEP_MM)
    turn = _turn(pitch)

    def at(along: Array, up: Array) -> Array:
        x, s, v = np.broadcast_arrays(left[:, None, None], along, up)
        own = turn @ np.stack([s.ravel(), v.ravel()])
        return body(np.concatenate([x.reshape(1, -1), own])).reshape(x.shape)

    mid = at(np.zeros((1, 1, 1)), axis[None, None, :])[:, 0]
    height = float((_last(axis, mid) - _first(axis, mid)).mean())
    band = middle + np.linspace(-WALL_SHARE, WALL_SHARE, 7) * height
    lines = at(axis[None, None, :], band[None, :, None])
    front, back = float(_first(axis, lines).mean()), float(_last(axis, lines).mean())
    places = np.linspace(0.0, 1.0, _PLACES) * (back - front)
    columns = at((front + places)[None, :, None], axis[None, None, :])
    plates = (
        np.nanmean(_last(axis, columns), axis=0),
        np.nanmean(_first(axis, columns), axis=0),
    )
    return places, plates, front, back - front


def _first(axis: Array, values: Array) -> Array:
    """Return where values first fall below zero along their last axis."""
    inside = values < 0
    k = np.maximum(inside.argmax(axis=-1), 1)
    after = np.take_along_axis(values, k[..., None], -1)[..., 0]
    before = np.take_along_axis(values, k[..., None] - 1, -1)[..., 0]
    share = before / np.where(before > after, before - after, 1.0)
    found = axis[k - 1] + (axis[k] - axis[k - 1]) * share
    return np.where(inside.any(axis=-1), found, np.nan)


def _last(axis: Array, values: Array) -> Array:
    return _first(axis[::-1], values[..., ::-1])


def _window(places: Array, plate: Array, fraction: float, depth: float) -> float:
    inside = np.abs(places - fraction * depth) <= WINDOW_SHARE * depth + 1e-9
    return float(plate[inside].mean())


def _depression(places: Array, plate: Array, depth: float) -> float:
    """Return how deep a plate lies under the line between its front and back rim."""
    share = places / depth
    front = np.flatnonzero((share >= 0.03) & (share <= 0.25))
    back = np.flatnonzero((share >= 0.75) & (share <= 0.97))
    a, b = front[np.argmax(plate[front])], back[np.argmax(plate[back])]
    slope = (plate[b] - plate[a]) / (places[b] - places[a])
    line = plate[a] + slope * (places - places[a])
    return float((line - plate)[a : b + 1].max() / np.hypot(1, slope))
