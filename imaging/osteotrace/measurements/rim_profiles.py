"""Profiles across the border of a lesion: lucent inside, its dense rim, bone around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.bone_envelope import STEP_MM, NoBone
from osteotrace.measurements.cortical_surface import adjacency, areas, mesh, profiles
from osteotrace.measurements.jackknife import GROUPS
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.bone_envelope import Window

# Profiles outwards from a lesion's border, and where they show lesion and bone, mm.
RIM_REACH_MM: Final = (-2.4, 6.6)
SAMPLE_MM: Final = 0.3
LESION_MM: Final = -1.2
BONE_MM: Final = 4.8
# Excess density of the rim lies within this of the border, mm.
RIM_WINDOW_MM: Final = (-1.5, 4.5)
# A rim stands out from the bone around by this share of the way to it from the lesion,
# and by this many HU or SDs of the bone's texture.
LEAST_RIM_HU: Final = 120.0
LEAST_RIM_SDS: Final = 3.0
# A place is covered where it has this share of the usual mass of the rim.
COVERED_SHARE: Final = 0.5
# A lesion with fewer border points than this is too small, as is one under this in mm.
LEAST_POINTS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rim:
    """Profiles across the border of a lesion."""

    values: Array
    t: Array
    area: Array
    covered: NDArray[np.bool_]
    cells: NDArray[np.intp]
    lesion: float
    bone: float
    excess: float
    least: float

    def cover(self, keep: NDArray[np.bool_]) -> float:
        """Return the share of the border that is covered."""
        whole = float(self.area[keep].sum())
        return float(self.area[keep & self.covered].sum()) / whole

    def fit(self, keep: NDArray[np.bool_]) -> tuple[float, float, float]:
        """Return thickness, density and blur of the mean covered profile."""
        from scipy.optimize import least_squares
        from scipy.special import ndtr

        chosen = keep & self.covered
        if not chosen.any():
            chosen = self.covered
        profile = np.average(self.values[chosen], axis=0, weights=self.area[chosen])
        t = self.t

        def left(p: Array) -> Array:
            start, log_width, log_sigma, density, inside, outside = p
            sigma = np.exp(log_sigma)
            first = ndtr((t - start) / sigma)
            second = ndtr((t - start - np.exp(log_width)) / sigma)
            model = inside + (density - inside) * first + (outside - density) * second
            return np.asarray(model - profile)

        top = float(profile.max())
        begin = [0.0, np.log(1.2), np.log(0.7), top * 1.1, self.lesion, self.bone]
        scale = [0.3, 0.3, 0.2, 100.0, 50.0, 50.0]
        found = least_squares(left, begin, x_scale=scale)
        width, sigma = float(np.exp(found.x[1])), float(np.exp(found.x[2]))
        if not (0.1 < width < RIM_WINDOW_MM[1] and 0.2 < sigma < 2.0):
            raise NoBone(f"the fitted rim of {width:.1f} mm is at the limit")
        return width, float(found.x[3]), sigma


def read_rim(window: Window) -> Rim:
    """Return the profiles across the border of a window's region.

    Raises
    ------
    NoBone
        If the lesion is too small.
    """
    points, faces, normals = mesh(window.region, smoothing_mm=STEP_MM)
    if len(points) < LEAST_POINTS:
        raise NoBone(f"the lesion is too small: {len(points)} points on its border")
    t = np.arange(RIM_REACH_MM[0], RIM_REACH_MM[1] + 1e-9, SAMPLE_MM)
    values = profiles(window, points, normals, t)
    lesion = float(np.median(values[:, t <= LESION_MM]))
    around = values[:, t >= BONE_MM].mean(axis=1)
    bone = float(np.median(around))
    _, average = adjacency(faces, len(points))
    base = np.where(t < 0.0, lesion, bone)
    reach = (t >= RIM_WINDOW_MM[0]) & (t <= RIM_WINDOW_MM[1])
    mass = ((values - base) * reach).sum(axis=1) * SAMPLE_MM
    for _ in range(2):
        mass = average @ mass
    texture = 1.4826 * float(np.median(np.abs(around - bone)))
    least = max(LEAST_RIM_HU if window.unit == HOUNSFIELD else 0.0,
                LEAST_RIM_SDS * texture)  # fmt: skip
    usual = np.percentile(mass, 90)
    strong = mass >= 0.7 * usual
    expected = float(np.median(mass[strong]))
    excess = float(values[strong].mean(axis=0)[reach].max()) - max(bone, lesion)
    covered = mass > COVERED_SHARE * expected
    if excess < least:
        covered = np.zeros(len(points), dtype=bool)
    away = points - points.mean(axis=0)
    turn = np.arctan2(away[:, 1], away[:, 2]) / (2 * np.pi) + 0.5
    cells = np.minimum((turn * GROUPS).astype(int), GROUPS - 1)
    return Rim(
        values=values,
        t=t,
        area=areas(points, faces, normals, 0.0),
        covered=covered,
        cells=cells,
        lesion=lesion,
        bone=bone,
        excess=excess,
        least=least,
    )
