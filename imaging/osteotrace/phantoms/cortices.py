"""Pieces of a jaw-like arch with a thin cortex, eaten by holes: phantoms with truth.

The bone is a ring of rounded-rectangular section, seen in part: the lesion's side at the
origin, the other side across the ring. Its cortex may be thinner than the point spread.
Holes go through the cortex, ragged and of random size, until they have taken the wanted
share of it. Nothing is written to disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from osteotrace.phantoms import in_memory
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, render
from osteotrace.phantoms.shapes import (
    Array,
    Shape,
    full_ellipsoid,
    intersection,
    tube,
    union,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Grid
    from osteotrace.regions import Mask

# The ring: radius of its middle line, half width and half height of its section, and
# the radius of the section's corners, mm.
RING_MM: Final = 20.0
HALF_WIDTH_MM: Final = 5.0
HALF_HEIGHT_MM: Final = 9.0
CORNER_MM: Final = 4.0
# Image around the ring's piece, mm: (across, along, up), and with the other side.
IMAGE_MM: Final = (22.0, 46.0, 30.0)
BOTH_SIDES_MM: Final = (62.0, 46.0, 30.0)
# Truth is counted on points this far apart, mm.
COUNTED_MM: Final = 0.25
# Radii of the holes' parts and how far these lie apart, mm.
HOLE_RADII_MM: Final = (0.5, 1.2)
RAGGED_MM: Final = 0.8
# A hole lies within this of its middle along each axis, mm.
HOLE_REACH_MM: Final = 9.0
# Radii of the caverns in the trabecular bone, mm.
CAVERN_RADII_MM: Final = (0.9, 1.8)

Density = Literal["normal", "osteoporotic"]
LEVELS: Final[dict[Density, dict[str, Level]]] = {
    "normal": {
        "soft tissue": Level(50.0),
        "cortex": Level(1300.0),
        "trabecular": Level(350.0, 90.0),
        "periosteal bone": Level(700.0),
    },
    # Marrow as dark as soft tissue and a porous, paler cortex.
    "osteoporotic": {
        "soft tissue": Level(50.0),
        "cortex": Level(1100.0, 110.0),
        "trabecular": Level(70.0, 45.0),
        "periosteal bone": Level(700.0),
    },
}


Maker = Callable[[Array, np.random.Generator], Shape]


@dataclass(frozen=True, slots=True)
class Eaten:
    """Holes, and the share, 0 to 1, of the region's bone that they take together."""

    parts: tuple[Part, ...]
    share: float


@dataclass(frozen=True, kw_only=True)
class EatenJaw:
    """A piece of a jaw with holes.

    Parameters
    ----------
    cortex_mm : float
        Mean thickness of the cortex.
    uneven : float
        Share by which that thickness swells and thins along the bone.
    density : {"normal", "osteoporotic"}
    destroyed : float
        Share of the region's cortex that holes take, 0 to 0.4.
    lucent : float
        Share of the region's trabecular bone that caverns take.
    half_length_mm : float
        The region reaches this far along the arch to both sides.
    both_sides : bool
        Whether the image holds the other side too.
    spacing : (slice, row, column)
        mm between voxels.
    blur_mm : float
        Sigma of the point spread.
    seed : int
        Of the holes, and of where the bone lies against the voxels.
    """

    cortex_mm: float = 1.5
    uneven: float = 0.15
    density: Density = "normal"
    destroyed: float = 0.0
    lucent: float = 0.0
    half_length_mm: float = 11.0
    both_sides: bool = False
    spacing: tuple[float, float, float] = (0.6, 0.5, 0.5)
    blur_mm: float = 0.6
    seed: int = 0

    @property
    def pose(self) -> Pose:
        """Where the bone lies in the patient: turned and off the voxel grid."""
        generator = np.random.default_rng([self.seed, 1])
        pitch, roll, yaw = generator.uniform(-12, 12, 3)
        return Pose.turned(
            pitch_deg=pitch,
            roll_deg=roll,
            yaw_deg=yaw,
            origin=generator.uniform(-0.5, 0.5, 3).tolist(),
        )

    @property
    def grid(self) -> Grid:
        """The voxels."""
        size = BOTH_SIDES_MM if self.both_sides else IMAGE_MM
        middle = (-RING_MM if self.both_sides else 0.0, 0.0, 0.0)
        return in_memory.straight_grid(
            size, self.spacing, centre=self.pose.to_patient(middle).tolist()
        )

    def marrow(self, points: Array) -> Array:
        """Signed distance of the space inside the cortex."""
        along = np.arctan2(points[1], points[0] + RING_MM) * RING_MM
        wave = np.sin(along / 3.1 + self.seed) * np.cos(points[2] / 4.3)
        return np.asarray(bone(points) + self.cortex_mm * (1 + self.uneven * wave))

    def in_region(self, points: Array) -> NDArray[np.bool_]:
        """Tell for (3, n) points whether they lie in the region's part of the arch."""
        along = np.arctan2(points[1], points[0] + RING_MM) * RING_MM
        return np.asarray(np.abs(along) <= self.half_length_mm)

    @cached_property
    def holes(self) -> Eaten:
        """The holes through the cortex, and the share of it that they take."""
        return self._eat(True, self.destroyed, self._hole, stream=2)

    @cached_property
    def caverns(self) -> Eaten:
        """The caverns in the trabecular bone, and the share of it that they take."""
        return self._eat(False, self.lucent, self._cavern, stream=3)

    def _eat(self, cortical: bool, share: float, make: Maker, *, stream: int) -> Eaten:
        generator = np.random.default_rng([self.seed, stream])
        counted = self._counted(cortical=cortical)
        gone = np.zeros(counted.shape[1], dtype=bool)
        parts: list[Part] = []
        while gone.mean() < share:
            middle = counted[:, generator.integers(counted.shape[1])]
            shape = make(middle, generator)
            gone |= shape(counted) <= 0
            box = (
                (middle - HOLE_REACH_MM).tolist(),
                (middle + HOLE_REACH_MM).tolist(),
            )
            layer = Layer(shape=shape, tissue="soft tissue")
            parts.append(Part(name="hole", layers=(layer,), box=box))
        return Eaten(tuple(parts), float(gone.mean()))

    def _counted(self, *, cortical: bool) -> Array:
        """Return the (3, n) points of the region's cortex, or of its marrow space."""
        reach = (HALF_WIDTH_MM + 4, self.half_length_mm + 3, HALF_HEIGHT_MM + 1)
        axes = [np.arange(-r, r, COUNTED_MM) for r in reach]
        points = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)
        points = points[:, self.in_region(points) & (bone(points) <= 0)]
        return points[:, (self.marrow(points) > 0) == cortical]

    def _hole(self, middle: Array, generator: np.random.Generator) -> Shape:
        normal = _normal(middle)
        surface = middle - bone(middle[:, None])[0] * normal
        depth = (1 + self.uneven) * self.cortex_mm
        parts = []
        for _ in range(generator.integers(2, 5)):
            aside = RAGGED_MM * generator.normal(size=3)
            start = surface + aside + (1.2 - aside @ normal) * normal
            end = start - (2.0 + depth) * normal
            radius = generator.uniform(*HOLE_RADII_MM)
            parts.append(tube([start, end], [radius, radius], axes=(0, 1, 2)))
        return union(*parts)

    def _cavern(self, middle: Array, generator: np.random.Generator) -> Shape:
        parts = []
        for _ in range(generator.integers(1, 4)):
            low, high = CAVERN_RADII_MM
            radii = generator.uniform(low, high, 3).tolist()
            place = middle + generator.normal(size=3)
            parts.append(full_ellipsoid(place.tolist(), radii))
        return intersection(union(*parts), self.marrow)

    def parts(self) -> list[Part]:
        """Return the scene."""
        wide, high = RING_MM + HALF_WIDTH_MM + 1, HALF_HEIGHT_MM + 1
        layers = (
            Layer(shape=bone, tissue="cortex"),
            Layer(shape=self.marrow, tissue="trabecular"),
        )
        box = ((-RING_MM - wide, -wide, -high), (-RING_MM + wide, wide, high))
        jaw = Part(name="jaw", layers=layers, box=box)
        return [jaw, *self.caverns.parts, *self.holes.parts]

    def clean(self) -> Array:
        """Return the noise-free image, (slices, rows, columns)."""
        return render(
            self.parts(),
            LEVELS[self.density],
            self.grid,
            self.pose,
            background="soft tissue",
            psf_sigma_mm=(self.blur_mm,) * 3,
            subsamples=(2, 2, 2),
        )

    def region(self, *, other_side: bool = False, margin_mm: float = 1.5) -> Mask:
        """Return the region as a reader draws it: the bone with a margin.

        Parameters
        ----------
        other_side : bool
            The same piece across the ring.
        """
        return self.region_on(self.grid, other_side=other_side, margin_mm=margin_mm)

    def region_on(
        self, grid: Grid, *, other_side: bool = False, margin_mm: float = 1.5
    ) -> Mask:
        """Return the region on another grid; parameters as in `region`."""

        def drawn(points: Array) -> Array:
            own = points.copy()
            if other_side:
                own[0] = -2 * RING_MM - own[0]
            away = bone(own) - margin_mm
            return np.where(self.in_region(own), away, np.maximum(away, 1.0))

        return in_memory.true_mask(drawn, grid, pose=self.pose, role="region")


def bone(points: Array) -> Array:
    """Signed distance of the ring; exact outside, and inside up to half its width."""
    ring = np.hypot(points[0] + RING_MM, points[1]) - RING_MM
    beyond = np.stack(
        [
            np.abs(ring) - (HALF_WIDTH_MM - CORNER_MM),
            np.abs(points[2]) - (HALF_HEIGHT_MM - CORNER_MM),
        ]
    )
    outside = np.sqrt((np.maximum(beyond, 0) ** 2).sum(axis=0))
    return np.asarray(outside + np.minimum(beyond.max(axis=0), 0) - CORNER_MM)


def _normal(point: Array) -> Array:
    """Return the outward unit normal of the bone at a (3,) point."""
    steps = 1e-3 * np.eye(3)
    rise = bone((point + steps).T) - bone((point - steps).T)
    return np.asarray(rise / np.linalg.norm(rise))
