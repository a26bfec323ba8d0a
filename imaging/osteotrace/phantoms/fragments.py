"""Fragments in a lucent cavity of a bone: scenes in memory, with size and volume known.

A bone with a cortex and trabecular marrow holds a cavity, and the cavity dense pieces of
irregular shape. Some hang on the wall by a bridge, some lie near each other, and a crown
or metal may lie beside them. Scenes without a piece are the controls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.in_memory import straight_grid, true_mask
from osteotrace.phantoms.rendering import Layer, Level, Part
from osteotrace.phantoms.shapes import (
    Shape,
    ellipsoid,
    grown,
    intersection,
    rounded_box,
    tube,
    union,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.geometry import Array, Grid
    from osteotrace.regions import Mask

# HU. The marrow's texture makes peaks and holes of 1 to 2 mm, as trabeculae do on CT.
LEVELS: Final = {
    "soft tissue": Level(45.0),
    "granulation": Level(35.0),
    "cortex": Level(1250.0),
    "marrow": Level(230.0, 90.0),
    "osteoporotic marrow": Level(60.0, 60.0),
    "thin cortex": Level(950.0),
    "enamel": Level(2700.0),
    "metal": Level(8000.0),
}
# Half sides of the bone, mm, and its cortex.
BONE_MM: Final = (15.0, 13.0, 12.0)
CORTEX_MM: Final = 2.0
THIN_CORTEX_MM: Final = 0.9
# Image around the bone, mm.
AROUND_MM: Final = 4.0
# A truth is integrated over a lattice of this many points across the shape's reach.
TRUTH_POINTS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fragment:
    """One piece.

    Parameters
    ----------
    shape : callable
        Signed distance, mm.
    reach_mm : float
        Radius of a ball around ``centre`` that holds it.
    centre : (3,) float64
        LPS mm.
    value : float
        HU.
    attached : bool
        True where a bridge joins it to the bone.
    volume, longest_diameter : float
        mm3 and mm, integrated over the shape.
    """

    shape: Shape
    reach_mm: float
    centre: Array
    value: float
    attached: bool
    volume: float
    longest_diameter: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A bone with its cavity and what lies in it, around the LPS origin.

    Parameters
    ----------
    parts, levels
        As `osteotrace.phantoms.rendering.render` takes them.
    fragments : tuple of Fragment
    cavity : callable
        Signed distance of the lucent area, mm; in a control, of the marked area.
    """

    parts: tuple[Part, ...]
    levels: dict[str, Level]
    fragments: tuple[Fragment, ...]
    cavity: Shape

    def grid(
        self,
        spacing_mm: Sequence[float],
        *,
        offset_mm: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> Grid:
        """Return a grid (slice, row, column) around the bone, shifted by (x, y, z)."""
        extent = [2 * (half + AROUND_MM) for half in BONE_MM]
        return straight_grid(extent, spacing_mm, centre=offset_mm)

    def region(self, grid: Grid, *, margin_mm: float = 1.0) -> Mask:
        """Return what a reader marks: the lucent area and a little of its wall."""
        return true_mask(grown(self.cavity, margin_mm), grid, role="marked region")


def scene(
    seed: int,
    *,
    count: int = 3,
    diameters_mm: tuple[float, float] = (3.5, 12.0),
    gap_mm: tuple[float, float] = (0.5, 1.5),
    rim_mm: float = 1.0,
    attached: bool = False,
    osteoporotic: bool = False,
    texture: float = 40.0,
) -> Scene:
    """Return a scene drawn at random, the same for the same seed.

    The cavity lies in the marrow, in half of the scenes with a sclerotic wall.

    Parameters
    ----------
    seed : int
    count : int
        Pieces wanted; as many as fit between the walls are placed.
    diameters_mm : (low, high)
        Of which the longest diameter of each is drawn, uniform.
    gap_mm : (low, high)
        Of which the gap between a piece and its nearest neighbour is drawn.
    rim_mm : float
        Least lucent rim between a piece and the bone.
    attached : bool
        Join the first piece to the bone by a bridge 2 to 3 mm thick.
    osteoporotic : bool
        A thin cortex and a poor marrow.
    texture : float
        Standard deviation of the texture within the pieces, HU.
    """
    generator = np.random.default_rng(seed)
    radii = generator.uniform([9.5, 8.0, 7.5], [10.5, 9.0, 8.5])
    cavity = ellipsoid((0.0, 0.0, 0.0), radii.tolist())
    pieces: list[Fragment] = []
    for k in range(count):
        for _ in range(30):
            piece = _piece(generator, diameters_mm, attached=attached and k == 0)
            placed = _placed(piece, pieces, cavity, rim_mm, gap_mm, generator)
            if placed is not None:
                pieces.append(placed)
                break
    levels = dict(LEVELS)
    wall = generator.choice([0.0, generator.uniform(1.0, 2.5)])
    layers = [Layer(shape=grown(cavity, wall), tissue="cortex")] if wall else []
    layers.append(Layer(shape=cavity, tissue="granulation"))
    for k, piece in enumerate(pieces):
        name = f"fragment {k}"
        levels[name] = Level(piece.value, texture)
        shape = piece.shape
        if piece.attached:
            shape = union(shape, _bridge(piece, generator))
        layers.append(Layer(shape=shape, tissue=name))
    return Scene(
        parts=(_bone(osteoporotic=osteoporotic), _part("cavity", layers)),
        levels=levels,
        fragments=tuple(pieces),
        cavity=cavity,
    )


def control(seed: int, *, osteoporotic: bool = False, cavity: bool = False) -> Scene:
    """Return a scene without any piece.

    Parameters
    ----------
    seed : int
        Of the place and size of the marked area.
    osteoporotic : bool
        A thin cortex and a poor marrow.
    cavity : bool
        Leave the cavity in; otherwise the marked area holds intact marrow, and the
        cortex too where it reaches that far.
    """
    generator = np.random.default_rng(seed)
    centre = generator.uniform([-5, -5, -4], [5, 5, 4])
    radii = generator.uniform([7, 6, 6], [10, 9, 8])
    area = ellipsoid(centre.tolist(), radii.tolist())
    parts = [_bone(osteoporotic=osteoporotic)]
    if cavity:
        parts.append(_part("cavity", [Layer(shape=area, tissue="granulation")]))
    return Scene(parts=tuple(parts), levels=dict(LEVELS), fragments=(), cavity=area)


def beside(scene: Scene, tissue: str, centre: Sequence[float], radius: float) -> Scene:
    """Return a scene with a ball of enamel or metal in it as well."""
    ball = Layer(shape=ellipsoid(centre, (radius,) * 3), tissue=tissue)
    return Scene(
        parts=(*scene.parts, _part(tissue, [ball])),
        levels=scene.levels,
        fragments=scene.fragments,
        cavity=scene.cavity,
    )


def turned(shape: Shape, rotation: Array, centre: Sequence[float] | Array) -> Shape:
    """Return a shape around its own origin turned and moved to a centre, LPS mm."""
    middle = np.asarray(centre, dtype=np.float64)[:, None]
    return lambda points: shape(rotation.T @ (points - middle))


def size_of(shape: Shape, centre: Array, reach_mm: float) -> tuple[float, float]:
    """Return the volume, mm3, and the longest diameter, mm, of a shape."""
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    ticks, pitch = np.linspace(-reach_mm, reach_mm, TRUTH_POINTS, retstep=True)
    axes = np.meshgrid(ticks, ticks, ticks, indexing="ij")
    points = np.stack([axis.ravel() for axis in axes]) + centre[:, None]
    distance = shape(points)
    cover = np.clip(0.5 - distance / pitch, 0.0, 1.0)
    near = points[:, np.abs(distance) < pitch]
    # Newton's step onto the surface, by the numerical gradient.
    step = 1e-4
    gradient = np.stack(
        [
            (shape(near + step * axis[:, None]) - shape(near - step * axis[:, None]))
            / (2 * step)
            for axis in np.eye(3)
        ]
    )
    near = near - shape(near) * gradient / np.maximum((gradient**2).sum(axis=0), 1e-6)
    hull = near.T[ConvexHull(near.T).vertices]
    return float(cover.sum() * pitch**3), float(pdist(hull).max())


def _bone(*, osteoporotic: bool) -> Part:
    cortex, marrow, wall = (
        ("thin cortex", "osteoporotic marrow", THIN_CORTEX_MM)
        if osteoporotic
        else ("cortex", "marrow", CORTEX_MM)
    )
    outer = rounded_box((0, 0, 0), BONE_MM, rounding=5.0)
    return _part(
        "bone",
        [
            Layer(shape=outer, tissue=cortex),
            Layer(shape=grown(outer, -wall), tissue=marrow),
        ],
    )


def _part(name: str, layers: Sequence[Layer]) -> Part:
    corner = np.array(BONE_MM) + AROUND_MM + 2.0
    return Part(
        name=name, layers=tuple(layers), box=((-corner).tolist(), corner.tolist())
    )


def _piece(
    generator: np.random.Generator, diameters_mm: tuple[float, float], *, attached: bool
) -> Fragment:
    """Return a piece around the origin: two or three blended lumps, one broken face."""
    longest = generator.uniform(*diameters_mm)
    flat = generator.uniform(0.45, 0.8, size=2)
    radii = 0.5 * longest * np.array([1.0, *flat])
    lumps = [ellipsoid((0, 0, 0), radii.tolist())]
    for _ in range(generator.integers(0, 3)):
        at = generator.uniform(-0.5, 0.5, 3) * radii
        own = radii * generator.uniform(0.5, 0.7, 3)
        lumps.append(ellipsoid(at.tolist(), own.tolist()))
    shape = union(*lumps)
    if generator.random() < 0.5:
        face = generator.normal(size=3)
        face /= np.linalg.norm(face)
        bound = 0.7 * float(np.linalg.norm(face * radii))
        shape = intersection(shape, _beyond(face, bound))
    turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    shape = turned(shape, turn, (0.0, 0.0, 0.0))
    reach = 0.75 * longest + 0.3
    return Fragment(
        shape=shape,
        reach_mm=reach,
        centre=np.zeros(3),
        value=float(generator.uniform(800.0, 1500.0)),
        attached=attached,
        volume=0.0,
        longest_diameter=0.0,
    )


def _beyond(normal: Array, bound: float) -> Shape:
    """Return the half space below a plane."""
    return lambda points: normal @ points - bound


def _placed(
    piece: Fragment,
    others: Sequence[Fragment],
    cavity: Shape,
    rim_mm: float,
    gap_mm: tuple[float, float],
    generator: np.random.Generator,
) -> Fragment | None:
    """Move a piece into the cavity, towards its nearest neighbour where there is one."""
    surface = _surface(piece)
    wanted = generator.uniform(*gap_mm)
    for _ in range(12):
        centre = generator.uniform(-6.0, 6.0, 3)
        if _clear(surface, centre, cavity, others) < (rim_mm, wanted):
            continue
        if others:
            target = min(others, key=lambda o: float(np.linalg.norm(o.centre - centre)))
            way = target.centre - centre
            for share in np.linspace(0.0, 1.0, 41)[1:]:
                moved = centre + share * way
                rim, gap = _clear(surface, moved, cavity, others)
                if rim < rim_mm or gap < wanted:
                    centre = centre + (share - 1 / 40) * way
                    break
        rim, gap = _clear(surface, centre, cavity, others)
        if rim < rim_mm or gap < wanted:
            continue
        volume, diameter = size_of(piece.shape, np.zeros(3), piece.reach_mm)
        return replace(
            piece,
            shape=turned(piece.shape, np.eye(3), centre),
            centre=centre,
            volume=volume,
            longest_diameter=diameter,
        )
    return None


def _surface(piece: Fragment) -> Array:
    """Return (3, n) points just inside the surface of a piece, mm."""
    ticks = np.linspace(-piece.reach_mm, piece.reach_mm, 30)
    axes = np.meshgrid(ticks, ticks, ticks, indexing="ij")
    points = np.stack([axis.ravel() for axis in axes])
    distance = piece.shape(points)
    return np.asarray(points[:, np.abs(distance) < 0.035 * piece.reach_mm])


def _clear(
    surface: Array, centre: Array, cavity: Shape, others: Sequence[Fragment]
) -> tuple[float, float]:
    """Return the least distance to the wall and to the other pieces, mm."""
    points = surface + centre[:, None]
    rim = float(-cavity(points).max())
    gaps = [float(other.shape(points).min()) for other in others]
    return rim, min(gaps, default=float("inf"))


def _bridge(piece: Fragment, generator: np.random.Generator) -> Shape:
    """Return a bar from the middle of a piece into the bone."""
    # Away from the middle of the cavity, so that it ends in the wall.
    way = piece.centre + generator.normal(size=3)
    way /= np.linalg.norm(way)
    end = piece.centre + 14.0 * way
    radius = generator.uniform(1.0, 1.5)
    return tube([piece.centre.tolist(), end.tolist()], [radius, radius], axes=(0, 1, 2))
