"""Both halves of a mandible-like arch, the left one expanded by a known amount.

A band along a polyline from the symphysis to the angle, of known width and height, with a
cortex around its marrow. It lives in memory only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.in_memory import noisy, straight_grid, true_mask
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, render
from osteotrace.phantoms.shapes import grown, halfspace, intersection, tube, union

if TYPE_CHECKING:
    from osteotrace.geometry import Array, Grid
    from osteotrace.phantoms.shapes import Shape
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

# Corners of the left half's middle line, symphysis to angle: left and posterior mm.
ARCH_MM: Final = ((0.0, -30.0), (14.0, -25.0), (26.0, 2.0), (32.0, 22.0))
HALF_HEIGHT_MM: Final = 11.0
FIELD_MM: Final = (92.0, 84.0, 40.0)
FIELD_CENTRE_MM: Final = (0.0, -6.0, 0.0)
LEVELS: Final = {
    "soft tissue": Level(60.0),
    "cortex": Level(1300.0),
    "marrow": Level(350.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JawHalves:
    """A pair of jaw halves, and the CT it is seen in.

    Parameters
    ----------
    width_mm : float
        Bucco-lingual width of the right half.
    expansion_mm : float
        How much wider the left half is, from the body onwards; it passes to nothing at
        the symphysis.
    cortex_mm : float
        Thickness of the cortex.
    spacing : (slice, row, column)
        mm between voxels.
    offset : (x, y, z)
        Where the arch lies against the voxels, LPS mm.
    """

    width_mm: float = 11.0
    expansion_mm: float = 3.0
    cortex_mm: float = 2.5
    spacing: tuple[float, float, float] = (1.0, 0.5, 0.5)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 30.0
    correlation_fwhm_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def grid(self) -> Grid:
        """The voxels."""
        return straight_grid(FIELD_MM, self.spacing, centre=FIELD_CENTRE_MM)

    @property
    def pose(self) -> Pose:
        """Where the arch lies."""
        return Pose.turned(origin=self.offset)

    def widths(self) -> tuple[float, float]:
        """Return the true widths of left and right in the body, mm."""
        return self.width_mm + self.expansion_mm, self.width_mm

    def shape(self, side: str) -> Shape:
        """Return one half (``"left"`` or ``"right"``) as a solid."""
        sign = 1.0 if side == "left" else -1.0
        path = [(sign * x, y) for x, y in ARCH_MM]
        wide = self.widths()[0 if side == "left" else 1] / 2
        radii = [self.width_mm / 2, *[wide] * (len(path) - 1)]
        band = tube(path, radii, axes=(0, 1))
        return intersection(
            band,
            halfspace(2, -HALF_HEIGHT_MM, above=True),
            halfspace(2, HALF_HEIGHT_MM, above=False),
            halfspace(0, 0.0, above=side == "left"),
        )

    def mask(self, side: str) -> Mask:
        """Return the voxels of one half whose centre lies in it."""
        return true_mask(self.shape(side), self.grid, pose=self.pose, role=side)

    def volume_mm3(self, side: str) -> float:
        """Return the true volume of one half, from its outline at 0.05 mm."""
        step = 0.05
        x = np.arange(0.025, 45.0, step) * (1.0 if side == "left" else -1.0)
        y = np.arange(-42.0, 34.0, step)
        points = np.stack(np.meshgrid(x, y, [0.0])).reshape(3, -1)
        area = float((self.shape(side)(points) <= 0).sum()) * step**2
        return area * 2 * HALF_HEIGHT_MM


@lru_cache(maxsize=16)
def clean_jaw(jaw: JawHalves) -> Array:
    """Return the noise-free image of a pair of jaw halves."""
    whole = union(jaw.shape("left"), jaw.shape("right"))
    core = union(*(grown(jaw.shape(side), -jaw.cortex_mm) for side in ("left", "right")))
    layers = (Layer(shape=whole, tissue="cortex"), Layer(shape=core, tissue="marrow"))
    return render(
        [Part(name="jaw", layers=layers, box=((-99.0,) * 3, (99.0,) * 3))],
        LEVELS,
        jaw.grid,
        jaw.pose,
        background="soft tissue",
        psf_sigma_mm=(0.6, 0.6, 0.6),
        subsamples=(2, 2, 2),
    )


def photograph_jaw(jaw: JawHalves, *, seed: int = 0) -> Volume:
    """Return one repeat of a pair of jaw halves as a CT volume."""
    return noisy(
        clean_jaw(jaw),
        jaw.grid,
        noise=jaw.noise,
        correlation_fwhm_mm=jaw.correlation_fwhm_mm,
        seed=seed,
    )
