"""A lumbar spine that can break: bodies between height fields, discs, arches, canal.

Each vertebra has a frame of its own: mm to the left, posterior and superior of the
middle of its body, tilted in the sagittal plane. The column is stacked from the sacrum
upwards, so a body that loses height lowers and bends what stands on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.rendering import Layer, Part
from osteotrace.phantoms.shapes import (
    complement,
    ellipsoid,
    grown,
    intersection,
    remembered,
    rounded_box,
    smoothstep,
    tube,
    union,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.phantoms.scans import Box, Vector
    from osteotrace.phantoms.shapes import Array, Shape

ENDPLATE_MM: Final = 0.9
# Of the superellipse that a body is in cross-section: rounded in front, flat behind.
CROSS_SECTION_POWER: Final = 2.6
WAIST: Final = 0.07
# Over which mm an edge between endplate and wall is rounded.
ROUNDED_MM: Final = 1.2
# Share of the depth over which the front of a crushed endplate slopes.
SLOPE_SHARE: Final = 0.85
# Share of a body's new wedge that the column above leans; the discs take up the rest.
BENT_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertebra:
    """One vertebra: its intact size, and what was lost of it.

    Parameters
    ----------
    name : str
        A key of `osteotrace.codes.SITES`.
    heights_mm : (anterior, middle, posterior)
        Of the intact body.
    depth_mm, width_mm : float
        Antero-posterior and left-right size at the endplates.
    tilt_deg : float
        How far the superior endplate of the intact column faces forwards.
    disc_below_mm : float
        Height of the disc that it stands on.
    front_loss_mm : float
        Height lost at the front of the superior endplate.
    depression_mm : float
        How far the middle of the superior endplate is pushed in beyond that.
    """

    name: str
    heights_mm: Vector
    depth_mm: float
    width_mm: float
    tilt_deg: float
    disc_below_mm: float
    front_loss_mm: float = 0.0
    depression_mm: float = 0.0

    def endplates(self, left: Array, posterior: Array) -> tuple[Array, Array]:
        """Return the heights of the superior and the inferior endplate, own frame."""
        front, middle, back = self.heights_mm
        share = np.clip(posterior / self.depth_mm + 0.5, 0.0, 1.0)
        side = np.clip(2 * left / self.width_mm, -1.0, 1.0)
        rim = 0.5 * (front + share * (back - front))
        deepest = 0.5 * (0.5 * (front + back) - middle)
        hollow = deepest * (1 - (2 * share - 1) ** 2) * (1 - side**2)
        lost = self.front_loss_mm * (1 - smoothstep(share / SLOPE_SHARE))
        pushed = self.depression_mm * np.exp(
            -(((share - 0.5) / 0.22) ** 2) - (side / 0.6) ** 2
        )
        return rim - hollow - lost - pushed, -rim + hollow

    @property
    def lowered_mm(self) -> float:
        """How far what stands on it comes down."""
        return 0.35 * self.front_loss_mm

    @property
    def bent_deg(self) -> float:
        """How far what stands on it leans forwards more."""
        return float(
            np.degrees(BENT_SHARE * np.arctan(self.front_loss_mm / self.depth_mm))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A vertebra in the column: where the middle of its body lies, and its tilt."""

    vertebra: Vertebra
    centre: Vector
    tilt_deg: float

    @property
    def axes(self) -> Array:
        """Left, posterior and superior of its frame as rows, anatomical."""
        cosine, sine = (
            float(turn(np.radians(self.tilt_deg))) for turn in (np.cos, np.sin)
        )
        return np.array([[1.0, 0, 0], [0, cosine, sine], [0, -sine, cosine]])

    def to_anatomy(self, own: Sequence[float] | Array) -> Array:
        """Turn (..., 3) mm of its own frame into the anatomical frame."""
        return np.asarray(np.asarray(own) @ self.axes + np.array(self.centre))

    def shape(self, own: Shape) -> Shape:
        """Return a shape of its own frame as one of the anatomical frame."""
        to_own = self._to_own
        return lambda points: own(to_own(points))

    @property
    def _to_own(self) -> Shape:
        axes, centre = self.axes, np.array(self.centre)[:, None]
        return remembered(lambda points: axes @ (points - centre))

    def box(self, low: Sequence[float] | Array, high: Sequence[float] | Array) -> Box:
        """Return the anatomical box around a box of its own frame."""
        corners = np.stack(
            np.meshgrid(*np.stack([low, high], axis=1), indexing="ij"), -1
        ).reshape(-1, 3)
        turned = self.to_anatomy(corners)
        return turned.min(axis=0), turned.max(axis=0)

    @property
    def body_box(self) -> Box:
        """The anatomical box that holds its body."""
        size = self.vertebra
        half = np.array([size.width_mm, size.depth_mm, max(size.heights_mm)]) / 2 + 1.5
        return self.box(-half, half)

    @property
    def body(self) -> Shape:
        """Its body, to the outer surface."""
        return self.shape(body(self.vertebra))


def body(vertebra: Vertebra) -> Shape:
    """Return the body of a vertebra in its own frame, to the outer surface."""
    half = np.array([vertebra.width_mm, vertebra.depth_mm])[:, None] / 2
    height = max(vertebra.heights_mm)

    @remembered
    def distance(points: Array) -> Array:
        top, bottom = vertebra.endplates(points[0], points[1])
        waist = 1 - WAIST * np.clip(1 - (2 * points[2] / height) ** 2, 0.0, 1.0)
        wall = _superellipse(points[:2] / waist, half)
        endplate = np.maximum(points[2] - top, bottom - points[2])
        overlap = np.maximum(ROUNDED_MM - np.abs(wall - endplate), 0.0) / ROUNDED_MM
        return np.asarray(np.maximum(wall, endplate) + overlap**2 * ROUNDED_MM / 4)

    return distance


def _superellipse(points: Array, halves: Array) -> Array:
    """Return the first-order distance of (2, n) points from a superellipse."""
    power = CROSS_SECTION_POWER
    scaled = np.abs(points) / halves
    level = (scaled**power).sum(axis=0) ** (1 / power)
    slope = np.sqrt(((scaled ** (power - 1) / halves) ** 2).sum(axis=0))
    slope = slope / np.maximum(level, 1e-9) ** (power - 1)
    return np.asarray((level - 1) / np.maximum(slope, 1e-3))


def stacked(vertebrae: Sequence[Vertebra], *, foot: Vector) -> tuple[Placed, ...]:
    """Return vertebrae stacked on each other, the lowest first, from the top of a foot.

    Parameters
    ----------
    vertebrae : sequence of Vertebra
        Lowest first; the disc below the lowest is left out.
    foot : Vector
        Middle of the inferior endplate of the lowest.
    """
    placed: list[Placed] = []
    top, leant, below = np.array(foot), 0.0, None
    for vertebra in vertebrae:
        tilt = vertebra.tilt_deg + leant
        up = _superior(tilt)
        if below is not None:
            top = top + vertebra.disc_below_mm * _superior(0.5 * (tilt + below))
        half = 0.25 * (vertebra.heights_mm[0] + vertebra.heights_mm[2])
        middle = top + half * up
        placed.append(
            Placed(
                vertebra=vertebra,
                centre=(float(middle[0]), float(middle[1]), float(middle[2])),
                tilt_deg=tilt,
            )
        )
        top = middle + (half - vertebra.lowered_mm) * up
        leant += vertebra.bent_deg
        below = tilt
    return tuple(placed)


def _superior(tilt_deg: float) -> Array:
    angle = np.radians(tilt_deg)
    return np.array([0.0, -np.sin(angle), np.cos(angle)])


def disc(lower: Placed, upper: Placed) -> Part:
    """Return the disc between two vertebrae; paint it before their bodies."""
    a, b = (np.array(placed.centre) for placed in (lower, upper))
    size = lower.vertebra
    middle = Placed(
        vertebra=size,
        centre=tuple(0.5 * (a + b)),
        tilt_deg=0.5 * (lower.tilt_deg + upper.tilt_deg),
    )
    halves = np.array([size.width_mm, size.depth_mm])[:, None] / 2
    reach = float(np.linalg.norm(b - a)) / 2

    def annulus(points: Array) -> Array:
        wall = _superellipse(points[:2], 0.98 * halves)
        return np.asarray(np.maximum(wall, np.abs(points[2]) - reach))

    nucleus = ellipsoid((0, 2.0, 0), (13.0, 9.0, 7.5))
    limit = [size.width_mm / 2 + 1, size.depth_mm / 2 + 1, reach + 1]
    return Part(
        name=f"disc on {size.name}",
        box=middle.box([-v for v in limit], limit),
        layers=(
            Layer(shape=middle.shape(annulus), tissue="annulus"),
            Layer(shape=middle.shape(nucleus), tissue="nucleus"),
        ),
    )


def arch(placed: Placed) -> Part:
    """Return pedicles, laminae, facets, transverse and spinous processes."""
    back = placed.vertebra.depth_mm / 2
    root = 13.0
    sided = (
        tube([(root, back - 3, 4), (root + 1, back + 12, 2)], (4.3, 4.6), axes=(0, 1, 2)),
        tube([(root + 2, back + 13, 2), (2, back + 27, -7)], (3.6, 3.4), axes=(0, 1, 2)),
        tube([(root + 2, back + 10, 2), (38, back + 13, 3)], (4.0, 2.6), axes=(0, 1, 2)),
        tube(
            [(root + 4, back + 13, 15), (root + 1, back + 17, -17)],
            (4.2, 4.6),
            axes=(0, 1, 2),
        ),
    )

    def mirrored(points: Array) -> Array:
        folded = np.stack([np.abs(points[0]), points[1], points[2]])
        return np.asarray(np.minimum.reduce([shape(folded) for shape in sided]))

    spinous = intersection(
        tube([(back + 26, -6), (back + 50, -15)], (5.0, 7.5), axes=(1, 2)),
        rounded_box((0, back + 40, -10), (2.9, 40, 40), rounding=2.5),
    )
    bone = remembered(placed.shape(remembered(union(mirrored, spinous))))
    return Part(
        name=f"arch of {placed.vertebra.name}",
        box=placed.box((-43, back - 8, -25), (43, back + 58, 22)),
        layers=(
            Layer(shape=bone, tissue="cortex"),
            Layer(shape=grown(bone, -1.5), tissue="arch marrow"),
        ),
    )


def body_part(placed: Placed, lesions: Sequence[Layer] = ()) -> Part:
    """Return a body: endplate and cortex, marrow, and the lesions within the marrow."""
    bone = remembered(placed.body)
    inner = grown(bone, -ENDPLATE_MM)
    within = tuple(
        Layer(shape=intersection(lesion.shape, inner), tissue=lesion.tissue)
        for lesion in lesions
    )
    return Part(
        name=f"body of {placed.vertebra.name}",
        box=placed.body_box,
        layers=(
            Layer(shape=bone, tissue="endplate"),
            Layer(shape=inner, tissue="marrow"),
            *within,
        ),
    )


def marrow(placed: Placed, lesion: Shape, *, without: Sequence[Shape] = ()) -> Shape:
    """Return what a lesion fills of the marrow of a body, less what covers it."""
    inner = grown(placed.body, -ENDPLATE_MM)
    return intersection(lesion, inner, *(complement(shape) for shape in without))
