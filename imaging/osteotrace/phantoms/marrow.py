"""Marrow edema of known volume in a bone unit, beside muscle.

It lives in memory only. The edema's border is soft: its signal falls from plateau to
normal marrow as a Gaussian step, and its volume is that within the half-way surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.in_memory import noisy, straight_grid, true_mask
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, blur, render
from osteotrace.phantoms.shapes import (
    ellipsoid,
    rounded_box,
)

if TYPE_CHECKING:
    from osteotrace.geometry import Array, Grid
    from osteotrace.phantoms.shapes import Shape
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

# The bone unit, as large as a lumbar vertebral body, and the muscle beside it, mm.
BONE_HALVES_MM: Final = (20.0, 15.0, 14.0)
BONE_ROUNDING_MM: Final = 4.0
MUSCLE_CENTRE_MM: Final = (0.0, 28.0, 0.0)
MUSCLE_HALVES_MM: Final = (18.0, 9.0, 14.0)
FIELD_MM: Final = (56.0, 68.0, 44.0)
FIELD_CENTRE_MM: Final = (0.0, 10.0, 0.0)
# Samples of a voxel's box along each axis for the edema's smooth profile.
_SUBSAMPLES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Edema:
    """An ellipsoid of edema in a bone unit, and the image it is seen in.

    Parameters
    ----------
    centre, radii : (x, y, z)
        LPS mm; the half-way surface.
    border_mm : float
        SD of the Gaussian step at its border; 0 for a sharp one.
    plateau, marrow, muscle, outside : float
        Signal on a fluid-sensitive, fat-suppressed series.
    spacing : (slice, row, column)
        mm between voxels.
    blur_mm : float
        Sigma of the point spread.
    noise : float
        SD of the noise of each channel; the image is Rician.
    correlation_fwhm_mm : (slice, row, column)
        Full width at half maximum of its autocorrelation; zeros for white noise.
    """

    centre: tuple[float, float, float] = (2.0, -1.0, 0.5)
    radii: tuple[float, float, float] = (10.0, 8.0, 9.0)
    border_mm: float = 0.8
    plateau: float = 320.0
    marrow: float = 90.0
    muscle: float = 70.0
    outside: float = 45.0
    spacing: tuple[float, float, float] = (3.0, 0.7, 0.7)
    blur_mm: float = 0.5
    noise: float = 10.0
    correlation_fwhm_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def volume_mm3(self) -> float:
        """Volume within the half-way surface."""
        return float(4 / 3 * np.pi * np.prod(self.radii))

    @property
    def shape(self) -> Shape:
        """The half-way surface."""
        return ellipsoid(self.centre, self.radii)

    @property
    def grid(self) -> Grid:
        """The voxels."""
        return straight_grid(FIELD_MM, self.spacing, centre=FIELD_CENTRE_MM)

    def mask(self, what: str) -> Mask:
        """Return the voxels of ``"edema"``, ``"bone"``, ``"muscle"`` or ``"normal"``.

        ``"muscle"`` and ``"normal"`` (marrow far from the edema) are drawn well inside
        the tissue, as a reader would.
        """
        shapes = {
            "edema": self.shape,
            "bone": _bone(),
            "muscle": rounded_box(MUSCLE_CENTRE_MM, [h - 3 for h in MUSCLE_HALVES_MM]),
            "normal": rounded_box((-14.0, 0.0, 0.0), (3.0, 9.0, 8.0)),
        }
        return true_mask(shapes[what], self.grid, role=what)


def bone_volume_mm3() -> float:
    """Return the volume of the bone unit: a box whose edges are rounded (Steiner)."""
    a, b, c = (2 * (half - BONE_ROUNDING_MM) for half in BONE_HALVES_MM)
    r = BONE_ROUNDING_MM
    return float(
        a * b * c
        + 2 * (a * b + b * c + a * c) * r
        + np.pi * (a + b + c) * r**2
        + 4 / 3 * np.pi * r**3
    )


def _bone() -> Shape:
    return rounded_box((0.0, 0.0, 0.0), BONE_HALVES_MM, rounding=BONE_ROUNDING_MM)


def clean_edema(edema: Edema) -> Array:
    """Return the noise-free image of an edema, (slices, rows, columns)."""
    levels = (edema.outside, edema.marrow, edema.muscle)
    anatomy = _anatomy(edema.spacing, levels, edema.blur_mm)
    grid = edema.grid
    share = blur(_edema_share(edema, grid), grid.spacing, (edema.blur_mm,) * 3)
    return np.asarray(anatomy + (edema.plateau - edema.marrow) * share)


@lru_cache(maxsize=8)
def _anatomy(
    spacing: tuple[float, float, float],
    levels: tuple[float, float, float],
    blur_mm: float,
) -> Array:
    """Return the image without edema: the same for every repeat of a family."""
    tissues = dict(zip(("outside", "marrow", "muscle"), map(Level, levels), strict=True))
    muscle = rounded_box(MUSCLE_CENTRE_MM, MUSCLE_HALVES_MM)
    layers = (Layer(shape=_bone(), tissue="marrow"), Layer(shape=muscle, tissue="muscle"))
    return render(
        [Part(name="bone unit", layers=layers, box=((-99.0,) * 3, (99.0,) * 3))],
        tissues,
        straight_grid(FIELD_MM, spacing, centre=FIELD_CENTRE_MM),
        Pose.turned(),
        background="outside",
        psf_sigma_mm=(blur_mm,) * 3,
        subsamples=(3, 3, 3),
    )


def _edema_share(edema: Edema, grid: Grid) -> Array:
    """Return the edema's share of each voxel, averaged over the voxel's box."""
    from scipy.special import ndtr

    share = np.zeros(grid.shape)
    radii = np.array(edema.radii)
    corners = np.array([edema.centre - radii, edema.centre + radii])
    box = grid.box_around(corners, 5 * edema.border_mm + 2.0)
    size = tuple(side.stop - side.start for side in box)
    index = np.moveaxis(np.indices(size), 0, -1).reshape(-1, 3)
    index = index + np.array([side.start for side in box], dtype=np.float64)
    cuts = (np.arange(_SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5
    for shift in np.stack(np.meshgrid(cuts, cuts, cuts), axis=-1).reshape(-1, 3):
        points = grid.to_patient(index + shift).T
        depth = -edema.shape(points) / max(edema.border_mm, 1e-3)
        share[box] += ndtr(depth).reshape(size) / _SUBSAMPLES**3
    return share


def photograph_edema(
    edema: Edema, *, seed: int = 0, clean: Array | None = None
) -> Volume:
    """Return one repeat of an edema as an MR volume; `clean` spares rendering again."""
    image = clean_edema(edema) if clean is None else clean
    return noisy(
        image,
        edema.grid,
        noise=edema.noise,
        correlation_fwhm_mm=edema.correlation_fwhm_mm,
        modality="MR",
        seed=seed,
    )
