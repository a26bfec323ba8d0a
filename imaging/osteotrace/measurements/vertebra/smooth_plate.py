"""One smooth surface a plate, fitted to the voxels around a mask's surface.

Thick slices alone do not tell where in a slice a plate lies; its whole surface does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.vertebra import plates
from osteotrace.measurements.vertebra.frame import STRIP_MM
from osteotrace.measurements.vertebra.plates import Plate, Samples, Shape, Tissues
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

# Attenuation of endplates and walls, HU: a bone of 0.8 mm never shows its own. Assumed:
# the middle of 500 (osteoporotic) to 1000.
PLATE_HU: Final = 750.0
# Signal of compact bone on MR, as a share of the marrow's (assumed).
PLATE_SIGNAL_SHARE: Final = 0.05
# Image used inside and outside of a plate, mm, and in extents of a voxel across it.
_INSIDE_MM: Final = (6.0, 2.2)
_OUTSIDE_MM: Final = (3.5, 1.4)
# Surfaces are polynomials of this degree along the depth.
_DEGREE: Final = 6
# How far the whole plate may lie from the mask's surface, mm plus share of a voxel.
_REACH: Final = (1.5, 0.6)
LEAST_VOXELS: Final = 30
# What shines in from the walls is read under the endplate, this deep beside a share of
# the voxel's extent, in bins along the depth, mm.
_DEEP: Final = (1.5, 0.6)
_DEEPEST_MM: Final = 9.0
_BIN_MM: Final = 1.0
_WALL_BINS: Final = 4
# Voxels longer than this along the body are thick; where their fits start besides, mm
# from the mask's surface.
_THICK_MM: Final = 1.6
_STARTS_MM: Final = (-2.0, -1.2, -0.4, 0.4)
# Every so many voxels serve to find a plate roughly.
_THINNING: Final = 5


class NotSeen(Exception):
    """The grey values show no such plate; the reason is the message."""


def thickness_told(fitted: float) -> float:
    """Return the likeliest thickness where density and thickness are both unsure.

    A fit at the assumed density gives their product; its surprise is shared out by
    what each is expected to vary.
    """
    own, density = plates.THICKNESS_LOG_SD**2, plates.DENSITY_LOG_SD**2
    share = own / (own + density)
    return float(plates.THICKNESS_MM ** (1 - share) * fitted**share)


def thickness_log_sd() -> float:
    """Return the relative standard uncertainty of `thickness_told`."""
    own, density = plates.THICKNESS_LOG_SD**2, plates.DENSITY_LOG_SD**2
    return float(np.sqrt(own * density / (own + density)))


def _legendre(part: Array) -> Array:
    """Return Legendre polynomials up to `_DEGREE` at places from 0 to 1."""
    return np.asarray(np.polynomial.legendre.legvander(2 * part - 1, _DEGREE))


def surface_columns(x: Array, y: Array, depth: float) -> Array:
    """Return the basis of a smooth surface at (n,) places across and along."""
    across, part = x / STRIP_MM, y / depth
    beside = [across, across * (2 * part - 1), across**2, across**2 * (2 * part - 1)]
    return np.concatenate([_legendre(part), np.stack(beside, axis=1)], axis=1)


# mm that each coefficient of the smooth surface may move from the mask's.
_EXPECTED: Final = np.array([2.0, 0.6, 0.6, 0.35, 0.3, 0.2, 0.2, 0.6, 0.3, 0.3, 0.2])


def mask_surface(x: Array, y: Array, z: Array, depth: float) -> Array:
    """Return the coefficients of the smooth surface nearest to a mask's columns."""
    seen = np.isfinite(z)
    if seen.sum() < LEAST_VOXELS:
        raise NotSeen("the mask has too few columns")
    columns = surface_columns(x[seen], y[seen], depth)
    # A little stiffness: terraces of thick slices are no anatomy.
    stiff = np.diag(0.2 / _EXPECTED)
    solved, *_ = np.linalg.lstsq(
        np.concatenate([columns, stiff]),
        np.concatenate([z[seen], np.zeros(len(stiff))]),
        rcond=None,
    )
    return np.asarray(solved)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmoothPlate:
    """A plate's smooth fit, with what its windows are fitted from."""

    samples: Samples
    base: Array
    plate: Plate
    tissues: Tissues
    spread: plates.Spread
    depth: float

    def surface(self, x: Array, y: Array) -> Array:
        """Return z of the smooth surface's middle."""
        coefficients = self.base + self.plate.coefficients
        return np.asarray(surface_columns(x, y, self.depth) @ coefficients)


def smooth_fit(
    volume: Volume,
    places: Array,
    values: Array,
    base: Array,
    depth: float,
    out: Array,
    *,
    most: int,
    walled: bool = False,
) -> SmoothPlate:
    """Fit a smooth surface to the voxels around the mask's.

    Parameters
    ----------
    places : (n, 3) array
        Across, along and outwards, mm.
    base : (k,) array
        Coefficients of the mask's surface.
    out : (3,) array
        LPS direction outwards.
    most : int
        About as many voxels are fitted.
    walled : bool
        True where a wall shines in at both ends of the depth.
    """
    spread = plates.spread_along(volume.grid, out)
    x, y, z = places.T
    inside_mm, outside_mm = (max(a, b * spread.box) for a, b in (_INSIDE_MM, _OUTSIDE_MM))
    near = (np.abs(x) <= STRIP_MM) & (y >= 0) & (y <= depth)
    x, y, z, values = x[near], y[near], z[near], values[near]
    columns = surface_columns(x, y, depth)
    z = z - columns @ base
    brighter = (
        _shining_in(y, z, values, depth, spread, volume.unit == HOUNSFIELD)
        if walled
        else np.zeros_like(values)
    )
    near = np.flatnonzero((z >= -inside_mm) & (z <= outside_mm))
    if len(near) < 2 * LEAST_VOXELS:
        raise NotSeen("too few voxels lie around the endplates")
    near = near[:: max(1, len(near) // most)]
    everything = Samples(x=x, y=y, z=z, values=values, brighter=brighter)
    samples = everything.kept(near)
    tissues = first_tissues(volume, samples)
    reach = _REACH[0] + _REACH[1] * spread.box
    thinned = samples.kept(np.arange(len(samples.z)) % _THINNING == 0)
    offset = plates.coarse_offset(thinned, tissues, spread, reach)
    # Thick slices have more than one minimum: more than one start finds the lowest.
    starts = [offset] + [
        at for at in _STARTS_MM if spread.box > _THICK_MM and abs(at - offset) > 0.5
    ]
    tries = [_smooth_from(at, columns[near], samples, tissues, spread) for at in starts]
    plate, tissues, _ = min(tries, key=lambda found: found[2])
    return SmoothPlate(
        samples=samples,
        base=base,
        plate=plate,
        tissues=tissues,
        spread=spread,
        depth=depth,
    )


def _smooth_from(
    offset: float,
    columns: Array,
    samples: Samples,
    tissues: Tissues,
    spread: plates.Spread,
) -> tuple[Plate, Tissues, float]:
    """Return the fit from one start, with the noise it found and its cost."""
    start = np.zeros(columns.shape[1])
    start[0] = offset
    shape = Shape(columns=columns, start=start, expected=_EXPECTED)
    plate = plates.fit_plate(samples, shape, tissues, spread)
    noise = max(plate.residual, 1e-3)
    shape = replace(shape, start=plate.coefficients)
    plate = plates.fit_plate(samples, shape, replace(tissues, noise=noise), spread)
    cost = len(samples.z) * (plate.residual / tissues.noise) ** 2
    cost += float(((plate.coefficients / _EXPECTED) ** 2).sum())
    return plate, replace(tissues, noise=max(plate.residual, 1e-3)), cost


def _shining_in(
    y: Array,
    z: Array,
    values: Array,
    depth: float,
    spread: plates.Spread,
    bright: bool,
) -> Array:
    """Return how much brighter than its middle the bone under an endplate is at y.

    Walls are bright on CT and dark on MR: what goes the other way is texture.
    """
    deep = (z < -(_DEEP[0] + _DEEP[1] * spread.box)) & (z > -_DEEPEST_MM)
    count = max(int(depth / _BIN_MM), 4)
    place = np.clip((y / depth * count).astype(int), 0, count - 1)
    held = np.bincount(place[deep], minlength=count)
    sums = np.bincount(place[deep], weights=values[deep], minlength=count)
    seen = np.flatnonzero(held > 0)
    if len(seen) < count // 2:
        return np.zeros_like(values)
    means = sums[seen] / held[seen]
    sign = 1.0 if bright else -1.0
    profile = sign * np.maximum(sign * (means - np.median(means)), 0.0)
    # Between the ends brightness is texture, which is no wall.
    profile[np.abs(seen + 0.5 - 0.5 * count) < 0.5 * count - _WALL_BINS] = 0.0
    return np.asarray(np.interp(y, (seen + 0.5) * depth / count, profile))


def first_tissues(volume: Volume, samples: Samples) -> Tissues:
    """Return the grey values that a fit starts from.

    Raises
    ------
    NotSeen
        If a plate of bone would not stand out from what lies beside it.
    """
    order = np.argsort(samples.z)
    quarter = max(len(order) // 4, 1)
    inside = float(np.median(samples.values[order[:quarter]]))
    outside = float(np.median(samples.values[order[-quarter:]]))
    in_hu = volume.unit == HOUNSFIELD
    plate = PLATE_HU if in_hu else PLATE_SIGNAL_SHARE * inside
    noise = 1.4826 * float(np.median(np.abs(samples.values[order[:quarter]] - inside)))
    tissues = Tissues(inside=inside, plate=plate, outside=outside, noise=max(noise, 1.0))
    # A plate no brighter (CT) or darker (MR) than what lies beside it has no place.
    toward = tissues.contrast if in_hu else -tissues.contrast
    if toward < 3 * tissues.noise:
        raise NotSeen("the plates do not stand out from what lies beside them")
    return tissues
