"""Vertebrae of known heights, in memory: intact, wedge, biconcave, crush, depressed.

A body with concave endplates, a waist, a thin bright shell, trabecular texture and
rounded rims; pedicles, laminae and spinous process; a disc and the next body above and
below. The anatomical origin is the middle of the body. `truth` reads the heights off the
analytic outer surface, by the definition of `osteotrace.measurements.vertebra`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, render
from osteotrace.phantoms.shapes import complement, intersection, smoothstep, tube, union

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.geometry import Grid
    from osteotrace.phantoms.shapes import Array, Shape

# Grey values of the tissues: HU on CT, signal on a T2-weighted MR.
CT: Final[Mapping[str, Level]] = {
    "soft tissue": Level(40.0),
    "disc": Level(90.0),
    "canal": Level(20.0),
    "cortex": Level(850.0),
    "trabecular": Level(150.0, 25.0),
    "cement": Level(1900.0),
}
MR: Final[Mapping[str, Level]] = {
    "soft tissue": Level(110.0),
    "disc": Level(170.0),
    "canal": Level(420.0),
    "cortex": Level(15.0),
    "trabecular": Level(230.0, 12.0),
    "cement": Level(10.0),
}
# The outline of a body is a superellipse of this power.
_POWER: Final = 2.5
# Rims are rounded over about this, and the posterior wall is hollow by this, mm.
_ROUNDING_MM: Final = 1.5
_HOLLOW_MM: Final = 1.5
# Slices are rendered about this thin, mm: the point spread needs it.
_THIN_MM: Final = 1.0
# How far the next body reaches beyond its endplate, mm.
_NEIGHBOUR_MM: Final = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dip:
    """A Gaussian depression of an endplate at (x, y); depth and sigma in mm."""

    x: float
    y: float
    depth: float
    sigma: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertebra:
    """One vertebra; all lengths in mm.

    Parameters
    ----------
    depth, width : float
        Antero-posterior and lateral size of the body at its rims.
    posterior, anterior : float
        Nominal heights at its rims; `truth` gives those of the definition.
    upper_share : float
        Share of a wedge that the superior endplate takes.
    hollow_superior, hollow_inferior : float
        Depth of the concave endplates.
    dip : Dip or None
        A local depression of the superior endplate.
    waist : float
        Share by which the body narrows at mid-height.
    plate : float
        Thickness of endplates and wall.
    disc : float
        Thickness of the discs.
    cement : float
        Radius of a ball of cement in the middle of the body; 0 for none.
    """

    depth: float = 32.0
    width: float = 44.0
    posterior: float = 27.0
    anterior: float = 26.0
    upper_share: float = 0.7
    hollow_superior: float = 1.5
    hollow_inferior: float = 1.5
    dip: Dip | None = None
    waist: float = 0.07
    plate: float = 0.8
    disc: float = 8.0
    cement: float = 0.0

    def superior(self, x: Array, y: Array) -> Array:
        """Return the height of the superior endplate's outer surface."""
        return self._endplate(x, y, self.upper_share, self.hollow_superior, self.dip)

    def inferior(self, x: Array, y: Array) -> Array:
        """Return the height of the inferior endplate's outer surface."""
        share = 1 - self.upper_share
        return -self._endplate(x, y, share, self.hollow_inferior, None)

    def _endplate(
        self, x: Array, y: Array, share: float, hollow: float, dip: Dip | None
    ) -> Array:
        slope = share * (self.posterior - self.anterior) / (0.8 * self.depth)
        middle = 0.25 * (self.posterior + self.anterior)
        radius = (2 * x / self.width) ** 2 + (2 * y / self.depth) ** 2
        height = middle + slope * y - hollow * np.maximum(1 - radius, 0) ** 2
        if dip is not None:
            beside = ((x - dip.x) ** 2 + (y - dip.y) ** 2) / dip.sigma**2
            height = height - dip.depth * np.exp(-0.5 * beside)
        return np.asarray(height)


def body(vertebra: Vertebra, *, inset: float = 0.0) -> Shape:
    """Return the vertebral body, its whole surface moved inwards by `inset` mm."""

    def distance(points: Array) -> Array:
        x, y, z = points
        top = _from_height(z, vertebra.superior, x, y)
        bottom = -_from_height(z, vertebra.inferior, x, y)
        ends = np.maximum(top, bottom) + inset
        walls = _wall(vertebra, x, y, z) + inset
        overlap = np.maximum(_ROUNDING_MM - np.abs(ends - walls), 0) / _ROUNDING_MM
        return np.asarray(np.maximum(ends, walls) + overlap**2 * _ROUNDING_MM / 4)

    return distance


def _from_height(z: Array, height: object, x: Array, y: Array) -> Array:
    """Return the distance above a height field, first order."""
    assert callable(height)
    step = 0.05
    level = height(x, y)
    slopes = (height(x + step, y) - level, height(x, y + step) - level)
    steepness = np.sqrt(1 + (slopes[0] / step) ** 2 + (slopes[1] / step) ** 2)
    return np.asarray((z - level) / steepness)


def _wall(vertebra: Vertebra, x: Array, y: Array, z: Array) -> Array:
    """Return the distance outside the outline, which narrows to the waist."""
    rim = 0.5 * (vertebra.posterior + vertebra.anterior) / 2
    narrow = 1 - vertebra.waist * np.maximum(1 - (z / rim) ** 2, 0)
    across, along = 0.5 * vertebra.width * narrow, 0.5 * vertebra.depth * narrow
    hollow = _HOLLOW_MM * np.exp(-((x / 9.0) ** 2)) * smoothstep(y / along)
    u, v = np.abs(x) / across, np.abs(y + hollow) / along
    level = (u**_POWER + v**_POWER) ** (1 / _POWER)
    level = np.maximum(level, 1e-6)
    slope = np.hypot(u ** (_POWER - 1) / across, v ** (_POWER - 1) / along)
    return np.asarray((level - 1) * level ** (_POWER - 1) / np.maximum(slope, 1e-9))


def posterior_elements(vertebra: Vertebra) -> Shape:
    """Return pedicles, laminae and spinous process."""
    back = 0.5 * vertebra.depth
    arch = [
        tube(
            [(12 * side, back - 6, 4), (13 * side, back + 13, 3), (0, back + 22, 0)],
            [4.5, 4.0, 3.5],
            axes=(0, 1, 2),
        )
        for side in (-1, 1)
    ]
    spine = tube([(0, back + 22, 0), (0, back + 40, -7)], [3.5, 3.0], axes=(0, 1, 2))
    return union(*arch, spine)


def whole(vertebra: Vertebra) -> Shape:
    """Return the body with its posterior elements."""
    return union(body(vertebra), posterior_elements(vertebra))


def scene(vertebra: Vertebra) -> tuple[Part, ...]:
    """Return the vertebra between its discs and the next bodies, canal and arch."""
    v, half = vertebra, 0.5 * max(vertebra.posterior, vertebra.anterior)
    reach = half + vertebra.disc + _NEIGHBOUR_MM + 3.0
    back = 0.5 * vertebra.depth
    layers = [
        Layer(shape=intersection(_column(v, 0.0), complement(_slab(v))), tissue="disc"),
        Layer(
            shape=lambda p: np.hypot(p[0] / 1.2, p[1] - back - 9.0) - 7.0, tissue="canal"
        ),
        Layer(shape=posterior_elements(v), tissue="cortex"),
        *(
            Layer(shape=_neighbour(v, upper, inset), tissue=tissue)
            for upper in (True, False)
            for inset, tissue in ((0.0, "cortex"), (v.plate, "trabecular"))
        ),
        Layer(shape=body(v), tissue="cortex"),
        Layer(shape=body(v, inset=v.plate), tissue="trabecular"),
    ]
    if v.cement:
        layers.append(
            Layer(shape=lambda p: np.sqrt((p**2).sum(axis=0)) - v.cement, tissue="cement")
        )
    box = ((-30, -30, -reach), (30, back + 45, reach))
    return (Part(name="vertebra", box=box, layers=tuple(layers)),)


def _column(vertebra: Vertebra, inset: float) -> Shape:
    return lambda p: _wall(vertebra, p[0], p[1], np.full_like(p[0], 99.0)) + inset


def _slab(vertebra: Vertebra) -> Shape:
    """Return everything between the heights of the two endplates."""
    v = vertebra
    return lambda p: np.maximum(
        p[2] - v.superior(p[0], p[1]), v.inferior(p[0], p[1]) - p[2]
    )


def _neighbour(vertebra: Vertebra, upper: bool, inset: float) -> Shape:
    """Return the next body: hollow towards the disc, cut off behind."""
    v = vertebra
    sign = 1.0 if upper else -1.0
    share = v.upper_share if upper else 1 - v.upper_share
    slope = share * (v.posterior - v.anterior) / (0.8 * v.depth)
    middle = 0.25 * (v.posterior + v.anterior)

    def beyond(points: Array) -> Array:
        x, y, z = points
        radius = (2 * x / v.width) ** 2 + (2 * y / v.depth) ** 2
        hollow = 1.5 * np.maximum(1 - radius, 0) ** 2
        return np.asarray(middle + slope * y + v.disc + hollow - sign * z + inset)

    def end(points: Array) -> Array:
        return np.asarray(
            sign * points[2] - middle - slope * points[1] - v.disc - _NEIGHBOUR_MM
        )

    return intersection(_column(v, inset), beyond, end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the definition gives on the analytic outer surface.

    Parameters
    ----------
    anterior, middle, posterior : float
        Heights, mm.
    wedge_deg : float
        Angle between the endplate lines, positive where the front is lower.
    depth : float
        Between the walls at mid-height, mm.
    depression_superior, depression_inferior : float
        Deepest point below the line from rim to rim, mm.
    """

    anterior: float
    middle: float
    posterior: float
    wedge_deg: float
    depth: float
    depression_superior: float
    depression_inferior: float

    @property
    def loss_anterior(self) -> float:
        """Anterior loss against the own posterior height, %."""
        return 100 * (1 - self.anterior / self.posterior)

    @property
    def loss_middle(self) -> float:
        """Middle loss against the own posterior height, %."""
        return 100 * (1 - self.middle / self.posterior)


def truth(vertebra: Vertebra) -> Truth:
    """Return heights, wedge angle and depressions of the analytic outer surface."""
    shape = body(vertebra)
    pitch, middle = 0.0, 0.0
    for _ in range(6):
        tops, bottoms, places, depth = _profiles(shape, pitch, middle)
        fractions = (0.1, 0.5, 0.9)
        upper = [_window_mean(places, tops, f, depth) for f in fractions]
        lower = [_window_mean(places, bottoms, f, depth) for f in fractions]
        slopes = [(row[2] - row[0]) / (0.8 * depth) for row in (upper, lower)]
        angles = np.arctan(slopes)
        turn, middle_here = float(angles.mean()), 0.5 * (upper[1] + lower[1])
        if abs(turn) < 1e-5 and abs(middle_here - middle) < 1e-4:
            break
        pitch, middle = pitch + turn, middle_here
    heights = np.array(upper) - np.array(lower)
    return Truth(
        anterior=heights[0],
        middle=heights[1],
        posterior=heights[2],
        wedge_deg=float(np.degrees(angles[0] - angles[1])),
        depth=depth,
        depression_superior=_depression(places / depth, tops, depth),
        depression_inferior=_depression(places / depth, -bottoms, depth),
    )


def _profiles(
    shape: Shape, pitch: float, middle: float
) -> tuple[Array, Array, Array, float]:
    """Return top, bottom, place (mm behind the front wall) and depth in a frame."""
    across = np.linspace(-5, 5, 11)
    turned = Pose.turned(pitch_deg=float(np.degrees(pitch)))

    def at(u: Array, s: Array, v: Array) -> Array:
        points = np.stack(np.broadcast_arrays(u, s, v), axis=-1).reshape(-1, 3)
        values = shape(np.ascontiguousarray((points @ turned.rotation.T).T))
        return values.reshape(np.broadcast_shapes(u.shape, s.shape, v.shape))

    s = np.arange(-28, 28, 0.2)
    v = np.arange(-22, 22, 0.2)
    mid = at(across[:, None, None], np.zeros((1, 1, 1)), v[None, None, :])
    height = float((mid < 0).sum(axis=-1).mean() * 0.2)
    band = middle + np.linspace(-0.15, 0.15, 13) * height
    lines = at(across[:, None, None], s[None, None, :], band[None, :, None])
    front = float(_crossings(s, lines, first=True).mean())
    back = float(_crossings(s, lines, first=False).mean())
    depth = back - front
    places = np.linspace(0.0, 1.0, 101) * depth
    columns = at(across[:, None, None], (front + places)[None, :, None], v)
    tops = np.nanmean(_crossings(v, columns, first=False), axis=0)
    bottoms = np.nanmean(_crossings(v, columns, first=True), axis=0)
    return tops, bottoms, places, depth


def _crossings(axis: Array, values: Array, *, first: bool) -> Array:
    """Return where values first (or last) pass zero along their last axis."""
    inside = values < 0
    if not first:
        inside, values, axis = inside[..., ::-1], values[..., ::-1], axis[::-1]
    k = np.maximum(inside.argmax(axis=-1), 1)
    after = np.take_along_axis(values, k[..., None], -1)[..., 0]
    before = np.take_along_axis(values, k[..., None] - 1, -1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = axis[k - 1] + (axis[k] - axis[k - 1]) * before / (before - after)
    return np.where(inside.any(axis=-1), found, np.nan)


def _window_mean(places: Array, heights: Array, fraction: float, depth: float) -> float:
    inside = np.abs(places - fraction * depth) <= 0.07 * depth + 1e-9
    return float(heights[inside].mean())


def _depression(fractions: Array, heights: Array, depth: float) -> float:
    front, back = fractions <= 0.25, fractions >= 0.75
    seen = (fractions >= 0.05) & (fractions <= 0.95)
    places = fractions * depth
    a = np.flatnonzero(front & seen)[np.argmax(heights[front & seen])]
    b = np.flatnonzero(back & seen)[np.argmax(heights[back & seen])]
    slope = (heights[b] - heights[a]) / (places[b] - places[a])
    line = heights[a] + slope * (places - places[a])
    between = slice(a, b + 1)
    deepest = float((line - heights)[between].max())
    return deepest / float(np.hypot(1, slope))


def grid_around(
    vertebra: Vertebra,
    spacing_mm: Sequence[float],
    *,
    centre: Sequence[float] = (0.0, 0.0, 0.0),
    margin_mm: float = 6.0,
    arch: bool = False,
) -> Grid:
    """Return an axial grid around the body, with half of each disc, or all its arch."""
    height = max(vertebra.posterior, vertebra.anterior) + 2 * margin_mm + 8.0
    behind = 48.0 if arch else margin_mm + 8.0
    x, y, z = centre
    middle = (x, y + 0.5 * (behind - margin_mm), z)
    extent = (
        vertebra.width + 2 * margin_mm,
        vertebra.depth + margin_mm + behind,
        height,
    )
    return straight_grid(extent, spacing_mm, centre=middle)


def clean_image(
    vertebra: Vertebra,
    grid: Grid,
    *,
    pose: Pose | None = None,
    levels: Mapping[str, Level] = CT,
    blur_mm: float = 0.6,
) -> Array:
    """Return the noise-free image; draw noise on it with `in_memory.noisy`."""
    # A thick slice is the mean of thin ones, each with the whole point spread.
    parts = max(1, round(float(grid.spacing[0]) / _THIN_MM))
    step = grid.normal * grid.spacing[0] / parts
    shifts = (np.arange(parts) - 0.5 * (parts - 1))[:, None] * step
    origins = (grid.origins[:, None] + shifts).reshape(-1, 3)
    thin = replace(grid, origins=origins)
    image = render(
        scene(vertebra),
        levels,
        thin,
        pose or Pose.turned(),
        background="soft tissue",
        psf_sigma_mm=(blur_mm, blur_mm, blur_mm),
        subsamples=[max(2, round(float(size) / 0.35)) for size in thin.spacing],
    )
    return np.asarray(image.reshape(-1, parts, *image.shape[1:]).mean(axis=1))
