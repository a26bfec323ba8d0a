"""A lucent lesion with a sclerotic rim, and a cortex with new periosteal bone on it.

Both with truth in closed form: the rim's thickness, how much of the lesion it covers, the
new bone's thickness and length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms import in_memory
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, render
from osteotrace.phantoms.shapes import (
    Array,
    Shape,
    ellipsoid,
    grown,
    halfspace,
    intersection,
    rounded_box,
    union,
)

if TYPE_CHECKING:
    from osteotrace.geometry import Grid
    from osteotrace.regions import Mask

LEVELS: Final = {
    "soft tissue": Level(50.0),
    "trabecular": Level(320.0, 40.0),
    "rim": Level(1000.0),
    "cortex": Level(1300.0),
    "new bone": Level(750.0),
}
IMAGE_MM: Final = (36.0, 36.0, 32.0)


def _pose(seed: int) -> Pose:
    generator = np.random.default_rng([seed, 5])
    pitch, roll, yaw = generator.uniform(-15, 15, 3).tolist()
    place = generator.uniform(-0.5, 0.5, 3).tolist()
    return Pose.turned(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw, origin=place)


@dataclass(frozen=True, kw_only=True)
class RimmedLesion:
    """A ball of soft tissue in trabecular bone, with a dense rim over part of it.

    Parameters
    ----------
    radius_mm : float
        Of the lesion.
    rim_mm : float
        Thickness of the rim; 0 for none.
    covered : float
        Share of the lesion's surface that the rim covers.
    spacing : (slice, row, column)
        mm between voxels.
    seed : int
        Of the place against the voxels.
    """

    radius_mm: float = 6.0
    rim_mm: float = 1.5
    covered: float = 1.0
    spacing: tuple[float, float, float] = (0.6, 0.5, 0.5)
    seed: int = 0

    @property
    def grid(self) -> Grid:
        """The voxels."""
        return in_memory.straight_grid(IMAGE_MM, self.spacing, centre=(0.0, 0.0, 0.0))

    @property
    def lesion(self) -> Shape:
        """The lucent ball."""
        return ellipsoid((0.0, 0.0, 0.0), (self.radius_mm,) * 3)

    def clean(self) -> Array:
        """Return the noise-free image, (slices, rows, columns)."""
        # The cap of a ball above z = c has (1 - c / r) / 2 of its surface (Archimedes).
        bound = self.radius_mm * (1.0 - 2.0 * self.covered)

        def above(points: Array) -> Array:
            # A cone from the middle cuts the rim at right angles.
            away = np.sqrt((points**2).sum(axis=0))
            cosine = bound / self.radius_mm
            return np.asarray(cosine * away - points[2])

        bone = Layer(shape=grown(self.lesion, 40.0), tissue="trabecular")
        layers = [bone]
        if self.rim_mm > 0 and self.covered > 0:
            rim = grown(self.lesion, self.rim_mm)
            shape = rim if self.covered >= 1 else intersection(rim, above)
            layers.append(Layer(shape=shape, tissue="rim"))
        layers.append(Layer(shape=self.lesion, tissue="soft tissue"))
        box = ((-40.0,) * 3, (40.0,) * 3)
        return _rendered(layers, box, self.grid, self.seed)

    def mask(self) -> Mask:
        """Return the lesion as a reader draws it: without its rim."""
        return in_memory.true_mask(
            self.lesion, self.grid, pose=_pose(self.seed), role="lesion"
        )


@dataclass(frozen=True, kw_only=True)
class PeriostealBone:
    """A slab of bone with new bone on part of its outer surface.

    Parameters
    ----------
    thickness_mm : float
        Of the reaction, from the old cortex to the new bone's outer surface; 0 for none.
    length_mm : float
        Along the bone.
    gap_mm : float
        Lucent layer between the cortex and the new bone: 0 for a solid reaction, which
        is part of the thickness.
    cortex_mm : float
        Of the old cortex.
    spacing : (slice, row, column)
        mm between voxels.
    seed : int
        Of the place against the voxels.
    """

    thickness_mm: float = 2.0
    length_mm: float = 14.0
    gap_mm: float = 0.0
    cortex_mm: float = 2.0
    spacing: tuple[float, float, float] = (0.6, 0.5, 0.5)
    seed: int = 0

    @property
    def grid(self) -> Grid:
        """The voxels."""
        return in_memory.straight_grid(IMAGE_MM, self.spacing, centre=(0.0, 0.0, 0.0))

    def clean(self) -> Array:
        """Return the noise-free image, (slices, rows, columns)."""
        outer, marrow = halfspace(1, 0.0, above=False), -self.cortex_mm
        layers = [
            Layer(shape=outer, tissue="cortex"),
            Layer(shape=halfspace(1, marrow, above=False), tissue="trabecular"),
        ]
        if self.thickness_mm > 0:
            solid = 0.5 * (self.thickness_mm - self.gap_mm)
            middle = (0.0, self.thickness_mm - solid, 0.0)
            halves = (0.5 * self.length_mm, solid, 5.0)
            layers.append(Layer(shape=rounded_box(middle, halves), tissue="new bone"))
        box = ((-60.0,) * 3, (60.0,) * 3)
        return _rendered(layers, box, self.grid, self.seed)

    def region(self) -> Mask:
        """Return a region around the reaction and the old cortex under it."""
        halves = (0.5 * self.length_mm + 4.0, 5.0, 4.0)
        around = rounded_box((0.0, 1.0, 0.0), halves)
        return in_memory.true_mask(
            union(around), self.grid, pose=_pose(self.seed), role="region"
        )


def _rendered(layers: list[Layer], box: object, grid: Grid, seed: int) -> Array:
    part = Part(name="bone", layers=tuple(layers), box=box)  # type: ignore[arg-type]
    return render(
        [part],
        LEVELS,
        grid,
        _pose(seed),
        background="soft tissue",
        psf_sigma_mm=(0.6, 0.6, 0.6),
        subsamples=(2, 2, 2),
    )
