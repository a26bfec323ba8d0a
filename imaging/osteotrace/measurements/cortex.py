"""Thickness of a cortex at one place, its density held fixed (Treece and Gee).

A cortex thinner than the point spread shows neither its density nor its width, only their
product. With the density known, two blurred edges fit its width without bias (Treece et
al., Medical Image Analysis 2010;14:276-290): a wrong density errs by its own share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import angle_deg, unit_vector
from osteotrace.measurements import noise
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Method,
    measured,
    not_measured,
)
from osteotrace.measurements.profiles import Line, Sampler, line_between
from osteotrace.measurements.region_values import METAL_HU
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array
    from osteotrace.measurements.profiles import Bundle
    from osteotrace.volume import Volume

METHOD: Final = Method(name="two blurred edges, density fixed", version="1")
NAME: Final = "cortical_thickness"
LOW_RELIABILITY: Final = (
    "low reliability: jaw cortical width repeats poorly between readers "
    "(ICC 0.29 to 0.48); not for trends"
)
# How far the profile reaches from the point, mm, its step, and the bundle it is a mean
# of: half width and lines a side.
REACH_MM: Final = 6.0
SAMPLE_MM: Final = 0.1
HALF_WIDTH_MM: Final = 0.75
LINES: Final = 5
# The outer edge lies within this of the point, mm.
FARTHEST_MM: Final = 3.0
# The outer surface is sought by tilting the line; beyond this angle it is another one.
MOST_TILT_DEG: Final = 40.0
# Side of the cube that the slope of the grey values is read from, mm.
SLOPE_MM: Final = 1.0
# Density of the cortex where it is read from the image: this percentile of the values
# within this distance, and the standard uncertainty of it as a share of its step.
DENSITY_PERCENTILE: Final = 99.0
DENSITY_REACH_MM: Final = 15.0
DENSITY_SHARE: Final = 0.08
# The fit needs this much behind the cortex, mm, and is repeated on these shares of the
# marrow beyond: its trabeculae lead each of them elsewhere.
LEAST_MARROW_MM: Final = 1.5
MARROW_SHARES: Final = (0.0, 0.5)
MARROW_LEAST_MM: Final = 0.04
# Blur that the fit may find, mm, and widths, mm.
SIGMA_RANGE_MM: Final = (0.15, 2.5)
WIDTH_RANGE_MM: Final = (0.05, 6.0)
# Slices farther apart than this many times the cortex blur it away.
MOST_SLICES_PER_CORTEX: Final = 3.0
# A cortex stands out from what lies on both sides by this share of its density's step.
LEAST_PEAK: Final = 0.1
LEAST_STEP_HU: Final = 150.0
# The fit of noise-free phantoms errs by this share of the voxel's extent.
VOXEL_SHARE: Final = 0.02
DRAWS: Final = 40


def thickness(
    volume: Volume,
    point: ArrayLike,
    direction: ArrayLike,
    *,
    density: float | None = None,
    density_uncertainty: float | None = None,
) -> LesionReading:
    """Measure the thickness of a cortex perpendicular to its outer surface.

    Parameters
    ----------
    volume : Volume
    point : (x, y, z)
        LPS mm, on the outer surface, within `FARTHEST_MM`.
    direction : (x, y, z)
        Into the bone, roughly; of any length.
    density : float, optional
        Grey value of dense cortex; as a rule the 99th percentile within
        `DENSITY_REACH_MM`, which needs a cortex of 3 mm somewhere around.
    density_uncertainty : float, optional
        Its standard uncertainty; zero where the density is given.

    Returns
    -------
    LesionReading
        cortical_thickness (mm), or why it was not measured.

    Raises
    ------
    OsteotraceError
        If the point lies outside the volume, or the direction has no length.
    """
    at = np.asarray(point, dtype=np.float64)
    into = _checked(volume, at, direction)
    sampler = Sampler(volume, [at], REACH_MM + FARTHEST_MM)
    sources = tuple(i.source for i in volume.slices_between([at, at + 3.0 * into]))
    known = _density(volume, at, density, density_uncertainty)
    try:
        first = _fit(_profile(sampler, volume, at, into), known)
        _require_thin_slices(volume, first, into)
        normal = _normal(sampler, volume, at + first.outer * into, into)
        profile = _profile(sampler, volume, at, normal)
        fit = _fit(profile, known)
        behind = fit.outer + fit.width + LEAST_MARROW_MM
        rest = max(0.0, float(fit.t[-1]) - behind)
        again = [_fit(profile, known, behind + s * rest).width for s in MARROW_SHARES]
        _require_thin_slices(volume, fit, normal)
        _require_cortex(volume, fit)
    except _NoCortex as missing:
        reason = not_measured(NAME, str(missing), method=METHOD, sources=sources)
        return LesionReading(measurements=(reason,))
    line = line_between(at, at + normal, towards=volume.grid.normal)
    terms = {
        "u edge noise": _noise(volume, profile, line, fit),
        "u marrow": max(MARROW_LEAST_MM, float(np.ptp([fit.width, *again])) / 2),
        # A wrong density errs by its own share (Treece and Gee).
        "u density": fit.width * known.uncertainty / fit.step,
        "u voxel": VOXEL_SHARE * _voxel_extent(volume, normal),
    }
    flags = [*volume.notes, LOW_RELIABILITY]
    if known.read:
        flags.append("density read from the image: a thin cortex has none of its own")
    if volume.unit != HOUNSFIELD:
        flags.append("uncalibrated grey values")
    value = measured(
        NAME,
        fit.width,
        "mm",
        method=METHOD,
        sources=sources,
        uncertainty=float(np.linalg.norm(list(terms.values()))),
        definition=(
            "perpendicular to the outer surface, between two edges of equal blur, the "
            f"cortex's density fixed at {known.value:.0f}"
        ),
        flags=flags,
        details=(
            *(Detail(name, float(u), "mm") for name, u in terms.items()),
            Detail("density", known.value, volume.unit),
            Detail("blur", fit.sigma, "mm"),
        ),
    )
    return LesionReading(measurements=(value,))


class _NoCortex(Exception):
    """No cortex at the point, with the reason."""


@dataclass(frozen=True, slots=True)
class _Density:
    value: float
    uncertainty: float
    read: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fit:
    """A fitted cortex, mm along the line from the point."""

    outer: float
    width: float
    sigma: float
    outside: float
    inside: float
    density: float
    residual: float
    sensitivity: Array
    t: Array

    @property
    def step(self) -> float:
        """How far the density stands out from both sides."""
        return max(1.0, self.density - 0.5 * (self.outside + self.inside))


def _checked(volume: Volume, at: Array, direction: ArrayLike) -> Array:
    into = np.asarray(direction, dtype=np.float64)
    if not np.isfinite(into).all() or not np.linalg.norm(into) > 0:
        raise OsteotraceError(
            "a direction without length",
            expected="a vector into the bone",
            advice="give the direction from outside into the bone",
        )
    if not (np.isfinite(at).all() and bool(volume.grid.contains(at))):
        raise OsteotraceError(
            f"the point {tuple(at.tolist())} outside the volume",
            expected="an LPS mm point inside it",
            advice="pick a point on the outer surface of the bone",
        )
    return unit_vector(into)


def _density(
    volume: Volume, at: Array, given: float | None, uncertainty: float | None
) -> _Density:
    if given is not None:
        return _Density(float(given), float(uncertainty or 0.0), False)
    values = volume.rescaled(volume.grid.box_around([at], DENSITY_REACH_MM))
    values = values[values < METAL_HU]
    value = float(np.percentile(values, DENSITY_PERCENTILE)) if values.size else 0.0
    own = DENSITY_SHARE * abs(value - float(np.median(values))) if values.size else 0.0
    return _Density(value, own if uncertainty is None else float(uncertainty), True)


def _profile(sampler: Sampler, volume: Volume, at: Array, into: Array) -> Bundle:
    line = line_between(at, at + into, towards=volume.grid.normal)
    bundle = sampler.bundle(line, (-REACH_MM, REACH_MM), SAMPLE_MM, HALF_WIDTH_MM, LINES)
    if len(bundle.t) < REACH_MM / SAMPLE_MM:
        raise _NoCortex("the line across the cortex leaves the volume")
    return bundle


def _normal(sampler: Sampler, volume: Volume, at: Array, into: Array) -> Array:
    """Return the direction in which the grey values rise at the outer edge."""
    line = line_between(at, at + into, towards=volume.grid.normal)
    seen = sampler.bundle(line, (-SLOPE_MM, SLOPE_MM), SLOPE_MM / 4, SLOPE_MM, 9)
    if len(seen.t) == 0:
        raise _NoCortex("the line across the cortex leaves the volume")
    rest = seen.values - seen.values.mean()
    slopes = [
        (rest * place).sum() / (np.broadcast_to(place, rest.shape) ** 2).sum()
        for place in (seen.t[None, :], seen.u[:, None], seen.v[:, None])
    ]
    rise = slopes[0] * line.direction + slopes[1] * line.u + slopes[2] * line.v
    if not np.linalg.norm(rise) > 0 or angle_deg(rise, into) > MOST_TILT_DEG:
        raise _NoCortex(
            f"no outer surface within {MOST_TILT_DEG:.0f}° of the direction given"
        )
    return unit_vector(rise)


def _fit(bundle: Bundle, known: _Density, until: float = np.inf) -> _Fit:
    """Fit a profile, as far as the marrow goes or until a place on the line, mm."""
    from scipy.optimize import least_squares

    t, values = bundle.t, bundle.mean
    near = np.abs(t) <= FARTHEST_MM + 1.0
    peak = int(np.flatnonzero(near)[values[near].argmax()])
    # Behind the marrow lies the other cortex: the profile ends in the marrow.
    end = _marrow_end(t, values, peak)
    end = min(end, int(np.searchsorted(t, until, side="right")))
    keep = slice(0, end)
    t, values = t[keep], values[keep]
    outside, inside = float(np.median(values[:10])), float(values[-1])
    step = max(known.value - 0.5 * (outside + inside), 1.0)
    mass = float(np.clip(values - max(outside, inside), 0, None).sum()) * SAMPLE_MM
    width = float(np.clip(mass / step, 0.2, 4.0))
    start = [bundle.t[peak] - width / 2, np.log(width), np.log(0.7), outside, inside]
    low = [
        -REACH_MM,
        np.log(WIDTH_RANGE_MM[0]),
        np.log(SIGMA_RANGE_MM[0]),
        *[-2000.0] * 2,
    ]
    high = [REACH_MM, np.log(WIDTH_RANGE_MM[1]), np.log(SIGMA_RANGE_MM[1]), *[4000.0] * 2]

    def left(p: Array) -> Array:
        return _model(p, t, known.value) - values

    clipped = np.clip(start, np.array(low) + 1e-6, np.array(high) - 1e-6)
    scale = [0.3, 0.3, 0.3, 100.0, 100.0]
    found = least_squares(left, clipped, bounds=(low, high), x_scale=scale)
    place, log_width, log_sigma, before, after = found.x
    sensitivity = -np.linalg.pinv(np.asarray(found.jac))[1] * np.exp(log_width)
    return _Fit(
        outer=float(place),
        width=float(np.exp(log_width)),
        sigma=float(np.exp(log_sigma)),
        outside=float(before),
        inside=float(after),
        density=known.value,
        residual=float(np.sqrt(np.mean(found.fun**2))),
        sensitivity=np.asarray(sensitivity),
        t=t,
    )


def _marrow_end(t: Array, values: Array, peak: int) -> int:
    """Return the sample where the marrow ends: the other cortex begins, or the line."""
    behind = values[peak:]
    lowest = peak + int(behind.argmin())
    rise = np.flatnonzero(
        values[lowest:] > values[lowest] + 0.15 * (values[peak] - values[lowest])
    )
    end = lowest + int(rise[0]) if len(rise) else len(values)
    return max(end, min(len(values), peak + round(LEAST_MARROW_MM / SAMPLE_MM)))


def _model(p: Array, t: Array, density: float) -> Array:
    """Return the profile of a cortex of fixed density under a Gaussian blur."""
    from scipy.special import ndtr

    place, log_width, log_sigma, before, after = p
    sigma = np.exp(log_sigma)
    outer = ndtr((t - place) / sigma)
    inner = ndtr((t - place - np.exp(log_width)) / sigma)
    return np.asarray(before + (density - before) * outer + (after - density) * inner)


def _require_thin_slices(volume: Volume, fit: _Fit, normal: Array) -> None:
    blur = float(volume.grid.spacing[0] * abs(normal @ volume.grid.normal))
    if blur > MOST_SLICES_PER_CORTEX * fit.width:
        raise _NoCortex(
            f"slices blur {blur:.1f} mm along the line, over "
            f"{MOST_SLICES_PER_CORTEX:.0f} times the cortex"
        )


def _require_cortex(volume: Volume, fit: _Fit) -> None:
    if abs(fit.outer) > FARTHEST_MM:
        raise _NoCortex(
            f"the outer edge lies {abs(fit.outer):.1f} mm from the point, at most "
            f"{FARTHEST_MM:.0f} mm are allowed"
        )
    if volume.unit == HOUNSFIELD and fit.step < LEAST_STEP_HU:
        raise _NoCortex(f"no cortex: its density stands out by {fit.step:.0f} HU only")
    shown = _model(_parameters(fit), fit.t, fit.density).max()
    if shown - max(fit.outside, fit.inside) < LEAST_PEAK * fit.step:
        raise _NoCortex("no cortex stands out between soft tissue and marrow")
    low, high = WIDTH_RANGE_MM
    if not low * 1.02 < fit.width < high * 0.98:
        raise _NoCortex(f"the fitted width of {fit.width:.1f} mm is at its limit")


def _parameters(fit: _Fit) -> Array:
    return np.array(
        [fit.outer, np.log(fit.width), np.log(fit.sigma), fit.outside, fit.inside]
    )


def _noise(volume: Volume, bundle: Bundle, line: Line, fit: _Fit) -> float:
    """Return u of the width from the image's own noise, mm."""
    floor = noise.tissue_floor(volume.unit, (fit.outside, fit.inside, fit.density))
    # Soft tissue beside the bone shows how much noise to expect in a block.
    beside = bundle.between(-REACH_MM, fit.outer - 2.0 * fit.sigma).values
    expected = float(np.std(beside - beside.mean(axis=0))) if beside.size else 0.0
    reach = volume.grid.box_around([line.start], 35.0)
    near = volume.cropped(reach)
    blocks = noise.homogeneous_blocks(near, line.start, floor=floor, residual=expected)
    white = noise.CORRELATION_FACTOR * fit.residual * np.linalg.norm(fit.sensitivity)
    if not len(blocks.centres):
        return float(white)
    length = float(fit.t[-1] - fit.t[0])
    shifts = []
    generator = np.random.default_rng(_seed(line.start, line.direction))
    for draw in range(DRAWS):
        k = draw % len(blocks.samplers)
        middle = blocks.centres[k] + generator.uniform(-1.5, 1.5, 3)
        moved = Line(
            start=middle - 0.5 * length * line.direction,
            direction=line.direction,
            u=line.u,
            v=line.v,
        )
        seen = blocks.samplers[k].bundle(
            moved, (0.0, length), SAMPLE_MM, HALF_WIDTH_MM, LINES
        )
        if len(seen.t) == len(fit.t):
            shifts.append(float(fit.sensitivity @ seen.mean))
    if len(shifts) < DRAWS // 2:
        return float(white)
    return float(np.std(shifts, ddof=1))


def _seed(start: Array, direction: Array) -> list[int]:
    numbers = np.concatenate([start, direction]).astype(np.float64)
    return [int(n) for n in np.frombuffer(numbers.tobytes(), dtype=np.uint32)]


def _voxel_extent(volume: Volume, direction: Array) -> float:
    grid = volume.grid
    frame = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    spacing = np.nan_to_num(grid.spacing, nan=1.0)
    return float(np.linalg.norm((frame @ direction) * spacing))
