"""Outlines of a grey field below its sampling: area, hull, diameters, chords, curvature.

A field is a (rows, columns) array of grey values on an even lattice in some plane; an
outline is an (n, 2) float64 array of corners in mm in that plane, in the order of the
field's axes, closed without repeating its first corner. Sizes come from such outlines
and never from a mask, whose corners are half a voxel off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array

# An outline needs this many corners.
LEAST_CORNERS: Final = 3
# Chords are smoothed over at most this share of the outline's width on each side.
MOST_SMOOTHED_SHARE: Final = 0.2


def contours(
    field: Array, level: float, *, origin: Sequence[float], step: Sequence[float]
) -> list[Array]:
    """Return the closed outlines of a grey field at a level, below its sampling.

    Marching squares with linear interpolation (Lorensen and Cline 1987,
    10.1145/37402.37422), by scikit-image: SimpleITK has no such operation.

    Parameters
    ----------
    field : (rows, columns) float64
        NaN where there is no value: an outline that meets one is open and left out.
    level : float
    origin : (a, b)
        mm of ``field[0, 0]``.
    step : (a, b)
        mm between rows and between columns.

    Returns
    -------
    list of (n, 2) float64
        In mm; an outline that reaches the border of the field is open and left out.
    """
    from skimage.measure import find_contours

    found = []
    for line in find_contours(field, level):
        closed = len(line) > LEAST_CORNERS and bool((line[0] == line[-1]).all())
        if closed:
            found.append(np.asarray(origin) + line[:-1] * np.asarray(step))
    return found


def contour_around(
    field: Array,
    level: float,
    point: ArrayLike,
    *,
    origin: Sequence[float],
    step: Sequence[float],
) -> Array | None:
    """Return the smallest closed outline around a point, or None where there is none.

    Parameters
    ----------
    point : (2,) array
        mm, in the frame of ``origin``.
    field, level, origin, step
        As in `contours`.
    """
    found = contours(field, level, origin=origin, step=step)
    holding = [line for line in found if contains(line, point)]
    return min(holding, key=area, default=None)


def contains(outline: Array, point: ArrayLike) -> bool:
    """Tell whether a point lies inside an outline (even-odd rule)."""
    a, b = (float(x) for x in np.asarray(point, dtype=np.float64))
    first, last = outline, np.roll(outline, -1, axis=0)
    spans = (first[:, 0] > a) != (last[:, 0] > a)
    rise = last[spans] - first[spans]
    crossing = first[spans, 1] + (a - first[spans, 0]) / rise[:, 0] * rise[:, 1]
    return bool(np.count_nonzero(crossing > b) % 2)


def signed_area(outline: Array) -> float:
    """Return the area inside an outline, mm2; positive from the first axis to the second.

    Gauss's area formula, exact for the polygon.
    """
    # From its own middle, or places far from the origin would cost digits.
    own = outline - outline.mean(axis=0)
    after = np.roll(own, -1, axis=0)
    return float(0.5 * np.sum(own[:, 0] * after[:, 1] - own[:, 1] * after[:, 0]))


def area(outline: Array) -> float:
    """Return the area inside an outline, mm2."""
    return abs(signed_area(outline))


def counted_turns(outline: Array) -> Array:
    """Return an outline that turns from the first axis to the second."""
    return outline if signed_area(outline) > 0 else outline[::-1].copy()


def perimeter(outline: Array) -> float:
    """Return the length of an outline, mm."""
    return float(np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1).sum())


def evenly_spaced(outline: Array, step: float, *, least: int = 16) -> Array:
    """Return an outline with corners at equal steps along it, about ``step`` mm apart."""
    closed = np.concatenate([outline, outline[:1]])
    lengths = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(least, round(along[-1] / step))
    places = along[-1] * np.arange(count) / count
    return np.stack([np.interp(places, along, closed[:, k]) for k in (0, 1)], axis=1)


def smoothed(values: Array, reach: int) -> Array:
    """Smooth (n, ...) values around a closed outline without pulling it inwards.

    A parabola through ``2 reach + 1`` neighbours (Savitzky and Golay 1964,
    10.1021/ac60214a047): a circle keeps its radius where a mean would shrink it.
    """
    from scipy.signal import savgol_filter

    width = min(2 * reach + 1, len(values) - (1 - len(values) % 2))
    if width < 5:
        return values
    return np.asarray(savgol_filter(values, width, 2, axis=0, mode="wrap"))


def normals(outline: Array) -> Array:
    """Return the (n, 2) outward unit normals at the corners of an outline."""
    tangent = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
    turned = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    turned /= np.maximum(np.linalg.norm(turned, axis=1), np.finfo(float).tiny)[:, None]
    return turned if signed_area(outline) > 0 else -turned


def curvatures(outline: Array, reach: int = 1) -> Array:
    """Return the (n,) curvatures of an evenly spaced outline, 1/mm; convex is positive.

    Parameters
    ----------
    outline : (n, 2) array
        From `evenly_spaced`.
    reach : int
        Corners on each side that the tangents are taken over.
    """
    ahead = np.roll(outline, -reach, axis=0) - outline
    behind = outline - np.roll(outline, reach, axis=0)
    turn = behind[:, 0] * ahead[:, 1] - behind[:, 1] * ahead[:, 0]
    forward = (ahead * behind).sum(axis=1)
    length = 0.5 * (np.linalg.norm(ahead, axis=1) + np.linalg.norm(behind, axis=1))
    bend = np.arctan2(turn, forward) / np.maximum(length, np.finfo(float).tiny)
    return np.asarray(bend if signed_area(outline) > 0 else -bend)


def convex_hull(points: ArrayLike) -> Array:
    """Return the corners of the convex hull of (n, 2) points, in order; (n, 3) in none.

    Points on one line or in one plane of space come back as they are: they have no hull.
    """
    from scipy.spatial import ConvexHull, QhullError

    array = np.asarray(points, dtype=np.float64)
    try:
        return np.asarray(array[ConvexHull(array).vertices])
    except (QhullError, ValueError):
        return array


def longest_diameter(points: ArrayLike) -> tuple[float, Array]:
    """Return the greatest distance between two of (n, 2) or (n, 3) points, and the two.

    On the convex hull, as the greatest distance lies between two of its corners; between
    them every pair is tried: hulls are small.
    """
    array = np.asarray(points, dtype=np.float64)
    corners = convex_hull(array)
    apart = np.linalg.norm(corners[:, None] - corners[None], axis=2)
    a, b = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return float(apart[a, b]), corners[[a, b]]


def least_width(outline: Array) -> tuple[float, Array]:
    """Return the least distance between parallel lines that hold an outline between them.

    Rotating calipers (Shamos 1978): one of the lines lies on a side of the convex hull.

    Returns
    -------
    float
        mm.
    (2,) float64
        Unit vector across the lines.
    """
    hull = convex_hull(outline)
    side = np.roll(hull, -1, axis=0) - hull
    long = np.linalg.norm(side, axis=1) > 0
    side = side[long] / np.linalg.norm(side[long], axis=1)[:, None]
    across = np.stack([-side[:, 1], side[:, 0]], axis=1)
    widths = np.ptp(hull @ across.T, axis=0)
    k = int(np.argmin(widths))
    return float(widths[k]), across[k]


def chords(outline: Array, axis: int, places: ArrayLike) -> list[NDArray[np.float64]]:
    """Return where lines along one axis cross an outline.

    Parameters
    ----------
    outline : (n, 2) array
    axis : {0, 1}
        The axis that the lines run along.
    places : (m,) array
        mm of each line on the other axis.

    Returns
    -------
    list of (k,) float64
        mm along the axis of the crossings with each line, ascending; k is even.
    """
    ahead = np.roll(outline, -1, axis=0)
    found = []
    for place in np.asarray(places, dtype=np.float64):
        spans = (outline[:, 1 - axis] > place) != (ahead[:, 1 - axis] > place)
        a, b = outline[spans], ahead[spans]
        share = (place - a[:, 1 - axis]) / (b[:, 1 - axis] - a[:, 1 - axis])
        found.append(np.sort(a[:, axis] + share * (b[:, axis] - a[:, axis])))
    return found


def longest_chord(
    outline: Array, axis: int, *, step: float = 0.1, over: float = 0.0
) -> tuple[Array, Array]:
    """Return the ends of the longest chord inside an outline along one axis.

    Parameters
    ----------
    outline : (n, 2) array
    axis : {0, 1}
        The axis that it runs along.
    step : float
        mm between the lines that are tried.
    over : float
        The ends of chords this far on each side, mm, are smoothed by a parabola, so that
        a ripple of the outline is not taken for its greatest extent.

    Returns
    -------
    (2,) float64, (2,) float64
        Its ends, the one at the smaller coordinate first.
    """
    low, high = outline[:, 1 - axis].min(), outline[:, 1 - axis].max()
    count = max(5, int((high - low) / step) + 1)
    places = low + (high - low) * (np.arange(count) + 0.5) / count
    ends = np.full((count, 2), np.nan)
    for k, crossings in enumerate(chords(outline, axis, places)):
        pairs = crossings.reshape(-1, 2)
        if len(pairs):
            ends[k] = pairs[np.argmax(pairs[:, 1] - pairs[:, 0])]
    best = int(np.nanargmax(ends[:, 1] - ends[:, 0]))
    place, first, last = float(places[best]), float(ends[best, 0]), float(ends[best, 1])
    near = np.abs(places - place) <= min(over, MOST_SMOOTHED_SHARE * (high - low))
    # Chords that jump to another part of the shape are another chord.
    near &= np.abs(ends - ends[best]).max(axis=1) < max(over, step)
    if over > 0 and np.count_nonzero(near) >= 5:
        place, first, last = _parabola(places[near], ends[near], place)
    return _at(axis, first, place), _at(axis, last, place)


def _parabola(places: Array, ends: Array, near: float) -> tuple[float, float, float]:
    """Return where parabolas through both ends are farthest apart, and both ends."""
    terms = np.polyfit(places - near, ends, 2)
    bend, slope = terms[0, 1] - terms[0, 0], terms[1, 1] - terms[1, 0]
    shift = -slope / (2 * bend) if bend < 0 else 0.0
    shift = float(np.clip(shift, *(places[[0, -1]] - near)))
    first, last = np.array([shift**2, shift, 1.0]) @ terms
    return near + shift, float(first), float(last)


def _at(axis: int, along: float, across: float) -> Array:
    return np.array([along, across] if axis == 0 else [across, along])
