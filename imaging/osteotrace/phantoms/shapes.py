"""Solids as signed distances: negative inside, zero on the surface, mm.

A shape is a function of points, a (3, n) float64 array of left, posterior and superior
mm in the anatomical frame, that returns (n,) signed distances. The zero level is exact;
away from it the value may be a bound of the distance instead of the distance itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[np.float64]
Shape = Callable[[Array], Array]


def smoothstep(part: Array) -> Array:
    """Return a smooth passage from 0 to 1 while its argument goes from 0 to 1."""
    part = np.clip(part, 0.0, 1.0)
    return np.asarray(part * part * (3 - 2 * part))


def remembered(shape: Shape) -> Shape:
    """Return a shape that works the same points out once, however often it is asked.

    Shapes are built from each other; a palate that four layers share is the costly one.
    Only the last array of points is kept, by identity.
    """
    last: list[tuple[Array, Array]] = []

    def distance(points: Array) -> Array:
        if not last or last[0][0] is not points:
            last[:] = [(points, shape(points))]
        return last[0][1]

    return distance


def ellipsoid(centre: Sequence[float], radii: Sequence[float]) -> Shape:
    """Return an ellipsoid; its distance is first order: level over gradient."""
    middle = np.array(centre)[:, None]
    axes = np.array(radii)[:, None]

    def distance(points: Array) -> Array:
        scaled = (points - middle) / axes
        level = np.sqrt((scaled * scaled).sum(axis=0))
        scaled /= axes
        slope = np.sqrt((scaled * scaled).sum(axis=0))
        return np.asarray(level * (level - 1) / np.maximum(slope, 1e-9))

    return distance


def full_ellipsoid(centre: Sequence[float], radii: Sequence[float]) -> Shape:
    """Return an ellipsoid of third power, which fills more of its bounding box."""
    middle = np.array(centre)[:, None]
    axes = np.array(radii)[:, None]

    def distance(points: Array) -> Array:
        scaled = np.abs(points - middle) / axes
        squared = scaled * scaled
        level = np.cbrt((squared * scaled).sum(axis=0))
        squared /= axes
        slope = np.sqrt((squared * squared).sum(axis=0))
        return np.asarray(level * level * (level - 1) / np.maximum(slope, 1e-9))

    return distance


def rounded_box(
    centre: Sequence[float], halves: Sequence[float], *, rounding: float = 0.0
) -> Shape:
    """Return a box whose edges are rounded and whose faces stay where they are.

    An infinite half length makes a prism along that axis.
    """
    middle = np.array(centre)[:, None]
    core = np.array(halves)[:, None] - rounding

    def distance(points: Array) -> Array:
        beyond = np.abs(points - middle) - core
        outside = np.sqrt((np.maximum(beyond, 0) ** 2).sum(axis=0))
        return np.asarray(outside + np.minimum(beyond.max(axis=0), 0) - rounding)

    return distance


def tube(
    path: Sequence[Sequence[float]], radii: Sequence[float], *, axes: Sequence[int]
) -> Shape:
    """Return a tube around a polyline in the plane of the given axes.

    Parameters
    ----------
    path : sequence of points
        Its corners, as many coordinates each as there are axes.
    radii : sequence of float
        Radius at each corner, mm; linear in between.
    axes : sequence of int
        Which of left, posterior, superior the corners name; two of them give a sheet
        that goes on for ever along the third.
    """
    corners = np.array(path, dtype=np.float64)
    chosen = list(axes)

    def distance(points: Array) -> Array:
        own = points[chosen]
        best = np.full(points.shape[1], np.inf)
        for a, b, ra, rb in zip(
            corners[:-1], corners[1:], radii[:-1], radii[1:], strict=True
        ):
            step = (b - a)[:, None]
            part = ((own - a[:, None]) * step).sum(axis=0) / (step**2).sum()
            part = np.clip(part, 0, 1)
            gap = own - a[:, None] - part * step
            length = np.sqrt((gap**2).sum(axis=0))
            np.minimum(best, length - (ra + part * (rb - ra)), out=best)
        return best

    return distance


def below(height: Callable[[Array, Array], Array]) -> Shape:
    """Return everything inferior to a height field over left and posterior."""
    return lambda points: points[2] - height(points[0], points[1])


def halfspace(axis: int, bound: float, *, above: bool) -> Shape:
    """Return all points above (or below) a bound on one axis."""
    sign = -1.0 if above else 1.0
    return lambda points: sign * (points[axis] - bound)


def mirrored(shape: Shape) -> Shape:
    """Return a shape of the left side on both sides."""

    def distance(points: Array) -> Array:
        return shape(np.stack([np.abs(points[0]), points[1], points[2]]))

    return distance


def union(*shapes: Shape) -> Shape:
    """Return what lies in any of the shapes."""
    return lambda points: np.minimum.reduce([shape(points) for shape in shapes])


def intersection(*shapes: Shape) -> Shape:
    """Return what lies in all of the shapes."""
    return lambda points: np.maximum.reduce([shape(points) for shape in shapes])


def complement(shape: Shape) -> Shape:
    """Return what lies outside a shape."""
    return lambda points: -shape(points)


def turned(shape: Shape, *, about: Sequence[float], yaw_deg: float) -> Shape:
    """Return a shape turned about the superior axis through a point."""
    angle = np.radians(yaw_deg)
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    back = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    middle = np.array(about)[:, None]
    return lambda points: shape(back @ (points - middle) + middle)


def grown(shape: Shape, margin: float) -> Shape:
    """Return a shape with its surface moved outwards (inwards where negative), mm."""
    return lambda points: shape(points) - margin


def smooth_union(first: Shape, second: Shape, *, blend: float) -> Shape:
    """Return the union of two shapes with its inner corner filleted over `blend` mm."""

    def distance(points: Array) -> Array:
        a, b = first(points), second(points)
        overlap = np.maximum(blend - np.abs(a - b), 0) / blend
        return np.minimum(a, b) - overlap**2 * blend / 4

    return distance
