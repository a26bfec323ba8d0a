"""The dental arches: a horseshoe, its own coordinates, and the teeth along it.

Arch coordinates of a point are the arc length from the midline (left positive), the
distance from the arch line (outwards positive) and the superior coordinate, all in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.shapes import remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from osteotrace.phantoms.shapes import Array, Shape

# Superellipse through the middle of the upper crowns; posterior to its centre the arch
# goes on straight. Intermolar width and depth of an adult upper arch.
ARCH_HALF_WIDTH_MM: Final = 24.5
ARCH_DEPTH_MM: Final = 42.0
ARCH_CENTRE_MM: Final = 20.0
ARCH_POWER: Final = 2.35

# Width of a tooth at its neck, as a share of its greatest width.
NECK_WIDTH: Final = 0.74

_TABLE_STEP_MM: Final = 0.25
_TABLE_LOW_MM: Final = (0.0, -70.0)
_TABLE_HIGH_MM: Final = (56.0, 70.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tooth:
    """The size of a tooth, mm: full widths, crown height, root length."""

    mesiodistal: float
    buccolingual: float
    crown: float
    root: float
    roots: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One jaw's teeth from the midline outwards, the same on both sides.

    Parameters
    ----------
    teeth : tuple of Tooth
        Central incisor first.
    cervix_mm : (anterior, posterior)
        Superior coordinate of the enamel's border at the midline and at the last tooth.
    occlusal : int
        -1 where the crowns point down (upper jaw), +1 where they point up.
    offset_mm : float
        Distance of the arch line from the upper one, outwards positive.
    """

    teeth: tuple[Tooth, ...]
    cervix_mm: tuple[float, float]
    occlusal: int
    offset_mm: float = 0.0

    @property
    def length_mm(self) -> float:
        """Arc length from the midline to the end of the last tooth."""
        return sum(tooth.mesiodistal for tooth in self.teeth)

    def cervix(self, along: Array) -> Array:
        """Return the superior coordinate of the enamel border at an arc length."""
        part = np.clip(np.abs(along) / self.length_mm, 0, 1)
        return np.asarray(
            self.cervix_mm[0] + part * (self.cervix_mm[1] - self.cervix_mm[0])
        )


# Wheeler's mean crown and root sizes, rounded to 0.5 mm.
UPPER: Final = Arch(
    teeth=(
        Tooth(mesiodistal=8.5, buccolingual=7.0, crown=10.5, root=13.0),
        Tooth(mesiodistal=6.5, buccolingual=6.0, crown=9.5, root=13.0),
        Tooth(mesiodistal=7.5, buccolingual=8.0, crown=10.5, root=16.5),
        Tooth(mesiodistal=7.0, buccolingual=9.0, crown=8.5, root=14.0, roots=2),
        Tooth(mesiodistal=7.0, buccolingual=9.0, crown=8.5, root=14.0),
        Tooth(mesiodistal=10.0, buccolingual=11.0, crown=7.5, root=12.5, roots=2),
        Tooth(mesiodistal=9.5, buccolingual=11.0, crown=7.0, root=11.5, roots=2),
    ),
    cervix_mm=(-12.0, -14.5),
    occlusal=-1,
)
LOWER: Final = Arch(
    teeth=(
        Tooth(mesiodistal=5.0, buccolingual=6.0, crown=9.0, root=12.5),
        Tooth(mesiodistal=5.5, buccolingual=6.5, crown=9.0, root=14.0),
        Tooth(mesiodistal=7.0, buccolingual=7.5, crown=10.0, root=16.0),
        Tooth(mesiodistal=7.0, buccolingual=7.5, crown=8.5, root=14.0),
        Tooth(mesiodistal=7.0, buccolingual=8.0, crown=8.0, root=14.5),
        Tooth(mesiodistal=11.0, buccolingual=10.5, crown=7.5, root=14.0, roots=2),
        Tooth(mesiodistal=10.5, buccolingual=10.0, crown=7.0, root=13.0, roots=2),
    ),
    cervix_mm=(-33.0, -31.5),
    occlusal=1,
    offset_mm=-2.0,
)


@cache
def _arch_table() -> NDArray[np.complex128]:
    """Return arc length + i · signed distance on a table of the left side."""
    from scipy.spatial import cKDTree

    angle = np.linspace(0, np.pi / 2, 1201)
    x = ARCH_HALF_WIDTH_MM * np.sin(angle) ** (2 / ARCH_POWER)
    y = ARCH_CENTRE_MM - ARCH_DEPTH_MM * np.cos(angle) ** (2 / ARCH_POWER)
    straight = np.arange(1, 401) * 0.125
    x = np.concatenate([x, np.full(len(straight), ARCH_HALF_WIDTH_MM)])
    y = np.concatenate([y, y[-1] + straight])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    axes = [
        np.arange(low, high + 1e-9, _TABLE_STEP_MM)
        for low, high in zip(_TABLE_LOW_MM, _TABLE_HIGH_MM, strict=True)
    ]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    left = places[..., 0]
    gap, nearest = cKDTree(np.stack([x, y], -1)).query(places)
    level = np.where(
        places[..., 1] < ARCH_CENTRE_MM,
        (left / ARCH_HALF_WIDTH_MM) ** ARCH_POWER
        + (np.abs(places[..., 1] - ARCH_CENTRE_MM) / ARCH_DEPTH_MM) ** ARCH_POWER,
        left / ARCH_HALF_WIDTH_MM,
    )
    return np.asarray(along[nearest] + 1j * np.where(level < 1, -gap, gap))


def arch_coordinates(points: Array) -> tuple[Array, Array]:
    """Return arc length (left positive) and distance outwards of (3, n) points, mm."""
    along, across = _looked_up(points)
    return along, across


@remembered
def _looked_up(points: Array) -> Array:
    """Return arc length and distance, interpolated between the table's places."""
    table = _arch_table()
    last = np.array(table.shape)[:, None] - 2
    folded = np.stack([np.abs(points[0]), points[1]])
    place = (folded - np.array(_TABLE_LOW_MM)[:, None]) / _TABLE_STEP_MM
    low = np.clip(np.floor(place), 0, last).astype(np.intp)
    u, v = np.clip(place - low, 0.0, 1.0)
    flat, width = table.ravel(), table.shape[1]
    corner = low[0] * width + low[1]
    near = flat[corner] * (1 - v) + flat[corner + 1] * v
    far = flat[corner + width] * (1 - v) + flat[corner + width + 1] * v
    found = near * (1 - u) + far * u
    return np.stack([np.copysign(found.real, points[0]), found.imag])


def ridge(arch: Arch, *, half_width: Callable[[Array, Array], Array]) -> Shape:
    """Return the alveolar process along an arch, open towards its base.

    Parameters
    ----------
    arch : Arch
        Its crest lies 1.5 mm off the enamel border.
    half_width : callable
        Half of its width, mm, from arc length and depth below the crest.
    """

    def distance(points: Array) -> Array:
        along, across = arch_coordinates(points)
        crest = arch.cervix(along) - arch.occlusal * 1.5
        depth = arch.occlusal * (crest - points[2])
        width = half_width(along, depth)
        past = np.abs(along) - arch.length_mm - 2.0
        # The crest's edge is rounded by 2 mm, the end behind the last tooth by 5 mm.
        end = np.maximum(past + 5.0, 0.0)
        beside = np.abs(across - arch.offset_mm) - width
        beside = np.where(
            end > 0, np.hypot(np.maximum(beside + 5.0, 0), end) - 5.0, (beside)
        )
        beside, above = beside + 2.0, -depth + 2.0
        outside = np.hypot(np.maximum(beside, 0), np.maximum(above, 0))
        return np.asarray(outside + np.minimum(np.maximum(beside, above), 0) - 2.0)

    return distance


def _tooth_frame(arch: Arch, points: Array) -> tuple[NDArray[np.intp], Array]:
    """Return tooth number and (mesiodistal, buccolingual, occlusal) offsets, mm."""
    along, across = arch_coordinates(points)
    along = np.abs(along)
    widths = np.array([tooth.mesiodistal for tooth in arch.teeth])
    edges = np.cumsum(widths)
    number = np.minimum(np.searchsorted(edges, along), len(edges) - 1)
    middles = edges - 0.5 * widths
    height = arch.occlusal * (points[2] - arch.cervix(middles)[number])
    # Anterior crowns lean outwards, molars stand upright.
    lean = np.array([0.2, 0.2, 0.15, 0.08, 0.04, 0.0, 0.0])[number]
    outward = across - arch.offset_mm - lean * height
    return number, np.stack([along - middles[number], outward, height])


def _crown_widths(up: Array, incisor: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return relative mesiodistal and buccolingual width at a share of the crown."""
    bulge = np.sin(np.pi * np.minimum(up * 1.1, 0.5 + up * 0.35))
    wide = NECK_WIDTH + (1 - NECK_WIDTH) * bulge
    # Incisors end in an edge, the others in a slightly narrowed biting surface.
    edge = np.clip(1.05 - up**1.4, 0.18, 1.0)
    return wide, np.where(incisor, edge, wide * (1 - 0.35 * up * up * up * up))


def dental_organ(arch: Arch) -> tuple[Shape, Shape, Shape]:
    """Return the whole teeth, the roots and the pulps of an arch, each as one shape."""

    def shapes(points: Array) -> Array:
        number, (along, outward, height) = _tooth_frame(arch, points)

        def size(name: str) -> Array:
            return np.array([getattr(tooth, name) for tooth in arch.teeth])[number]

        crown, root = size("crown"), size("root")
        wide, deep = _crown_widths(np.clip(height / crown, 0, 1), number < 3)
        # Roots taper to a blunt apex.
        taper = NECK_WIDTH * np.sqrt(1 - np.clip(-height / root, 0, 1) ** 1.6) + 0.02
        a = 0.5 * size("mesiodistal") * np.where(height > 0, wide, taper)
        b = 0.5 * size("buccolingual") * np.where(height > 0, deep, taper)
        # Two roots part below the furcation, 3 mm under the neck.
        apart = np.where(size("roots") > 1, np.clip((-height - 3.0) / 3.0, 0, 1), 0.0)
        outward = np.where(apart > 0, np.abs(outward) - 0.55 * b * apart, outward)
        b = b * (1 - 0.5 * apart)
        cusps = np.where(number > 2, 0.7 * np.cos(2.2 * along) ** 2, 0.0)
        body = _cylinder(along / a, outward / b, a, b)
        core = _cylinder(along / (0.16 * a), outward / (0.16 * b), 0.16 * a, 0.16 * b)
        return np.stack(
            [
                np.maximum(body, np.maximum(height - crown + cusps, -height - root)),
                np.maximum(body, np.maximum(height, -height - root)),
                np.maximum(core, np.maximum(height - 0.45 * crown, -height - 0.9 * root)),
            ]
        )

    every = remembered(shapes)
    return (
        lambda points: every(points)[0],
        lambda points: every(points)[1],
        lambda points: every(points)[2],
    )


def _cylinder(u: Array, v: Array, a: Array, b: Array) -> Array:
    """Return the first-order distance from an ellipse with half axes a and b."""
    level = np.sqrt(u * u + v * v)
    slope = np.sqrt((u / a) ** 2 + (v / b) ** 2)
    return np.asarray(level * (level - 1) / np.maximum(slope, 1e-9))
