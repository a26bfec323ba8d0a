"""Holes through a cortex: found by its missing mass, summed with a collar.

A hole narrower than the point spread spreads its missing mass around; summed over a
collar, the mass is whole again, as with the excess density of a small fragment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.cortical_surface import CorticalSurface

# A hole has this much area, mm², where more than the first share of the mass is missing,
# and reaches as far as the second share is (measurement.md: holes of 0.6 to 1 mm³).
LEAST_AREA_MM2: Final = 0.8
CORE_SHARE: Final = 0.4
RIM_SHARE: Final = 0.25
# Missing mass is summed this far around a hole, mm.
COLLAR_MM: Final = 1.5
# Intact cortex is cut into patches about this wide, mm, to see how far its sum strays;
# fewer patches than this say nothing, then white noise over this area, mm², stands in.
PATCH_MM: Final = 4.0
LEAST_PATCHES: Final = 8
CORRELATED_MM2: Final = 4.0
# Holes just too small to be found: one of this area is never excluded, mm².
HIDDEN_AREA_MM2: Final = 1.5
# How far the fraction strays from the true share on phantoms, as a share of itself: of
# the whole, and of each 4 mm² of holes by their own shape and the marrow eaten behind.
MODEL_SHARE: Final = 0.07
HOLE_SHARE: Final = 0.45
HOLE_MM2: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Breaches:
    """What is missing of a region's cortex.

    Parameters
    ----------
    fraction : float
        Share of the cortex's mass, 0 to 1.
    area : float
        mm², each place counted by the share of its mass that is missing.
    count : int
    at : (n,) bool
        Which points of the surface lie in a hole.
    spread : float
        SD of the deficit over intact cortex, noise and texture, 0 to 1.
    u_noise, u_hidden, u_model : float
        Standard uncertainties of the fraction.
    """

    fraction: float
    area: float
    count: int
    at: NDArray[np.bool_]
    spread: float
    u_noise: float
    u_hidden: float
    u_model: float

    @property
    def uncertainty(self) -> float:
        """Standard uncertainty of the fraction."""
        return float(np.linalg.norm([self.u_noise, self.u_hidden, self.u_model]))


def find_breaches(surface: CorticalSurface) -> Breaches:
    """Return the holes through the region's cortex."""
    deficit = surface.deficit
    inside = surface.in_region
    at, count = _holes(surface, deficit)
    collar = inside & _within(surface.points, at, COLLAR_MM)
    weight = surface.area * surface.expected
    whole = float(weight[inside].sum())
    fraction = float(np.clip((weight * deficit)[collar].sum() / whole, 0.0, 1.0))
    area = float(max(0.0, (surface.area * deficit)[collar].sum()))
    intact = inside & ~collar
    spread = _lower_spread(deficit[inside])
    density = _strayed(surface, deficit, intact, spread)
    summed = float(surface.area[collar].sum())
    each = HOLE_SHARE / np.sqrt(max(area, HOLE_MM2) / HOLE_MM2)
    return Breaches(
        fraction=fraction,
        area=area,
        count=count,
        at=at,
        spread=spread,
        u_noise=float(np.sqrt(density * summed)) / surface.whole_area,
        u_hidden=min(1.0, HIDDEN_AREA_MM2 / surface.whole_area),
        u_model=fraction * float(np.hypot(MODEL_SHARE, each)),
    )


def _holes(surface: CorticalSurface, deficit: Array) -> tuple[NDArray[np.bool_], int]:
    from scipy.sparse.csgraph import connected_components

    rim = np.flatnonzero((deficit > RIM_SHARE) & surface.in_region)
    at = np.zeros(len(deficit), dtype=bool)
    if len(rim) == 0:
        return at, 0
    joined = surface.neighbours[rim][:, rim]
    count, label = connected_components(joined, directed=False)
    core = surface.area[rim] * (deficit[rim] > CORE_SHARE)
    large = np.bincount(label, core, minlength=count) >= LEAST_AREA_MM2
    at[rim[large[label]]] = True
    return at, int(large.sum())


def _within(points: Array, at: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    from scipy.spatial import cKDTree

    if not at.any():
        return at
    away, _ = cKDTree(points[at]).query(points, distance_upper_bound=reach)
    return np.asarray(away <= reach)


def _lower_spread(deficit: Array) -> float:
    """Return the SD of intact cortex: from places with more mass than is usual."""
    below = deficit[deficit < 0]
    return 1.4826 * float(np.median(-below)) if len(below) else 0.0


def _strayed(
    surface: CorticalSurface, deficit: Array, intact: NDArray[np.bool_], spread: float
) -> float:
    """Return the variance of a sum of deficits over intact cortex, for each mm², mm²."""
    cells = np.floor(surface.points[intact] / PATCH_MM).astype(int)
    if len(cells) == 0:
        return spread**2 * CORRELATED_MM2
    _, label = np.unique(cells, axis=0, return_inverse=True)
    label = label.ravel()
    area = np.bincount(label, surface.area[intact])
    total = np.bincount(label, (surface.area * deficit)[intact])
    large = area > 0.3 * PATCH_MM**2
    if large.sum() < LEAST_PATCHES:
        return spread**2 * CORRELATED_MM2
    mean = total[large] / area[large]
    return float(np.var(mean, ddof=1) * np.mean(area[large]))
