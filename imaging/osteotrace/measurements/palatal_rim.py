"""The rim of a hole in a plate: an edge fitted at every place along it.

Profiles across a first outline are averaged over the layers of the plate and smoothed
along the rim; each gets an error function with its own plateaus, as the caliper's edges
have. A blurred rim of curvature k lies s² k / 2 inside the true one (s: sigma of the
edge; the outline at half height moves as by curvature flow), which is put back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements import outlines
from osteotrace.measurements.doubts import LEAST_STEP_HU, SIGMA_RANGE_MM
from osteotrace.measurements.edge_pairs import CannotFit
from osteotrace.measurements.edges import NEIGHBOUR_SHARE
from osteotrace.measurements.noise import AIR_CEILING_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.palatal_surface import Surface, Window

# Corners of the outline and samples of its profiles, mm.
RIM_STEP_MM: Final = 0.3
PROFILE_STEP_MM: Final = 0.2
PROFILE_MM: Final = 3.2
# Profiles are smoothed over this much of the rim on each side, mm: its curvature too.
ALONG_MM: Final = 1.2
CURVATURE_MM: Final = 1.8
# The edge is looked for within this distance of the first outline, mm.
SEARCH_MM: Final = 1.6
# A rise this near to the edge is part of it, mm.
OWN_EDGE_MM: Final = 1.0
LEAST_PLATEAU_MM: Final = 0.6
# Share of the rim that may have no edge of its own and takes its neighbours'.
MOST_UNFITTED: Final = 0.25
# The fit starts at a blur of 0.7 mm and takes this many steps.
FIRST_LOG_SIGMA: Final = -0.36
MOST_STEPS: Final = 14
LOG_RANGE: Final = (-3.0, 1.1)
# A lining is first taken to be 1 mm; blurs of lined edges that are tried, mm.
LINED_SIGMAS_MM: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.95, 1.1, 1.3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rim:
    """The fitted rim of a hole.

    Parameters
    ----------
    outline : (n, 2) float64
        Posterior and left mm, curvature corrected, evenly spaced at first.
    outward : (n, 2) float64
        Unit normals into the bone.
    sigma : float
        Blur of its edges, median, mm.
    shift : (n,) float64
        What the correction of the curvature moved outwards, mm.
    bend : (n,) float64
        Curvature, 1/mm; convex is positive.
    sensitivity : (n, samples) float64
        mm outwards for each unit of noise in a profile.
    places : (n, samples, 2) float64
        Of the samples.
    residual : float
        Root mean square of what the fits left in single samples.
    roughness : float
        Root mean square of what the fits left in the smoothed profiles, in the bone.
    unfitted : float
        Share of the rim without an edge of its own.
    brightest : float
        Greatest value in the profiles.
    lining : float or None
        Median thickness of the soft tissue that lines a hole with air in it, mm.
    """

    outline: Array
    outward: Array
    sigma: float
    shift: Array
    bend: Array
    sensitivity: Array
    places: Array
    residual: float
    roughness: float
    unfitted: float
    brightest: float
    lining: float | None

    def moved(self, outwards: Array) -> Array:
        """Return the outline with every corner moved outwards by (n,) mm."""
        return np.asarray(self.outline + outwards[:, None] * self.outward)

    def displacement(self, noise: Array) -> Array:
        """Return mm outwards that smoothed noise in the profiles would make, (n,)."""
        moved = -(self.sensitivity * noise).sum(axis=1)
        return outlines.smoothed(moved, round(ALONG_MM / RIM_STEP_MM))


def along_rim(profiles: Array) -> Array:
    """Smooth (n, samples) profiles along the rim."""
    return outlines.smoothed(profiles, round(ALONG_MM / RIM_STEP_MM))


def fitted_rim(
    window: Window,
    surface: Surface,
    coarse: Array,
    soft: float,
    layers: Array | None = None,
) -> Rim:
    """Fit the rim of a hole.

    Parameters
    ----------
    window : Window
    surface : Surface
    coarse : (n, 2) float64
        A first outline, posterior and left mm on the surface.
    soft : float
        Grey value of soft tissue.
    layers : (k,) array, optional
        Heights over the middle that are averaged, mm; the surface's by default.

    Raises
    ------
    CannotFit
        If too much of the rim has no edge.
    """
    line = outlines.evenly_spaced(outlines.counted_turns(coarse), RIM_STEP_MM)
    line = outlines.smoothed(line, round(ALONG_MM / RIM_STEP_MM))
    line = outlines.evenly_spaced(line, RIM_STEP_MM)
    outward = outlines.normals(line)
    t = np.arange(-PROFILE_MM, PROFILE_MM + 0.5 * PROFILE_STEP_MM, PROFILE_STEP_MM)
    places = line[:, None] + t[:, None] * outward[:, None]
    heights = surface.layers if layers is None else layers
    values = np.stack([window.at(surface.points(places, h)) for h in heights])
    if not np.isfinite(values).all():
        raise CannotFit("the rim of the hole lies at the border of the volume")
    profiles = along_rim(values.mean(axis=0))
    model, solved, used = _fitted_profiles(profiles, t, _opposite(line, outward), soft)
    sigmas = model.sigmas(solved)
    good = _trusted(solved, sigmas)
    unfitted = float(1 - good.mean())
    if unfitted > MOST_UNFITTED:
        raise CannotFit(f"{100 * unfitted:.0f} % of the rim of the hole has no bony edge")
    shift = _filled(solved[:, 0], good)
    sigma = float(np.median(sigmas[good]))
    drawn = line + shift[:, None] * outward
    drawn = outlines.smoothed(drawn, round(ALONG_MM / RIM_STEP_MM))
    bend = outlines.curvatures(
        outlines.smoothed(drawn, round(CURVATURE_MM / RIM_STEP_MM)), reach=2
    )
    bend = outlines.smoothed(bend, 3)
    correction = 0.5 * sigma**2 * bend
    outward = outlines.normals(drawn)
    left = (values - model.values(solved))[:, good[:, None] & used]
    return Rim(
        outline=drawn + correction[:, None] * outward,
        outward=outward,
        sigma=sigma,
        shift=correction,
        bend=bend,
        sensitivity=_sensitivity(model, solved, used, good),
        places=places,
        residual=float(np.sqrt(np.mean(left**2))),
        roughness=_roughness(profiles - model.values(solved), solved, t, used, sigma),
        unfitted=unfitted,
        brightest=float(values.max()),
        lining=float(np.median(np.exp(solved[good, 1])))
        if isinstance(model, _LinedStep)
        else None,
    )


def _fitted_profiles(
    profiles: Array, t: Array, opposite: Array, soft: float
) -> tuple[_Step | _LinedStep, Array, NDArray[np.bool_]]:
    """Fit every profile, as lined edges where the hole holds air."""
    used, place = _windows(profiles, t, opposite)
    start = _first_guess(profiles, t, used, place)
    plain = _Step(t=t)
    solved = _solved(plain, profiles, used, start)
    if np.median(solved[:, 2]) > AIR_CEILING_HU:
        return plain, solved, used
    # Through its lining the edge of air runs into that of bone: both are fitted.
    used |= (t < place[:, None]) & (
        t >= np.maximum(-PROFILE_MM, -0.5 * opposite)[:, None]
    )
    return *_lined(profiles, used, start, t, soft), used


def _opposite(line: Array, outward: Array) -> Array:
    """Return how far each corner's inward ray goes before it meets the outline, mm."""
    ahead = np.roll(line, -1, axis=0)
    side = ahead - line
    # Corner i, direction d = -outward, crosses side j where both shares are inside.
    inward = -outward
    apart = line[None] - line[:, None]
    turn = inward[:, None, 0] * side[None, :, 1] - inward[:, None, 1] * side[None, :, 0]
    turn = np.where(np.abs(turn) < 1e-12, np.nan, turn)
    along = (apart[..., 0] * side[None, :, 1] - apart[..., 1] * side[None, :, 0]) / turn
    share = (
        apart[..., 0] * inward[:, None, 1] - apart[..., 1] * inward[:, None, 0]
    ) / turn
    met = (share >= 0) & (share <= 1) & (along > RIM_STEP_MM)
    return np.asarray(np.where(met, along, 99.0).min(axis=1))


def _windows(
    profiles: Array, t: Array, opposite: Array
) -> tuple[NDArray[np.bool_], Array]:
    """Return which samples belong to each profile's edge and plateaus, and its place."""
    slope = np.gradient(profiles, t, axis=1)
    near = np.where(np.abs(t) <= SEARCH_MM, slope * np.exp(-0.5 * t**2), -np.inf)
    edge = np.argmax(near, axis=1)
    own = np.take_along_axis(slope, edge[:, None], axis=1)[:, 0]
    low = np.maximum(-PROFILE_MM, -0.5 * opposite)
    high = np.full(len(profiles), PROFILE_MM)
    size = np.abs(slope)
    peak = np.zeros(slope.shape, dtype=bool)
    peak[:, 1:-1] = (size[:, 1:-1] >= size[:, :-2]) & (size[:, 1:-1] > size[:, 2:])
    peak &= size >= NEIGHBOUR_SHARE * own[:, None]
    for j, k in zip(*np.nonzero(peak), strict=True):
        same = slope[j, k] > 0
        if same and abs(t[k] - t[edge[j]]) < OWN_EDGE_MM:
            continue
        middle = 0.5 * (t[k] + t[edge[j]])
        if k < edge[j]:
            low[j] = max(low[j], middle)
        else:
            high[j] = min(high[j], middle)
    low = np.minimum(low, t[edge] - LEAST_PLATEAU_MM)
    high = np.maximum(high, t[edge] + LEAST_PLATEAU_MM)
    return (t >= low[:, None]) & (t <= high[:, None]), t[edge]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """From soft tissue to bone: one error function a profile.

    Parameters (place, log sigma, before, after), (n, 4).
    """

    t: Array

    def values(self, p: Array) -> Array:
        z = (self.t - p[:, :1]) * np.exp(-p[:, 1:2])
        return np.asarray(p[:, 2:3] + (p[:, 3:4] - p[:, 2:3]) * _share(z))

    def slopes(self, p: Array) -> Array:
        rate = np.exp(-p[:, 1:2])
        z = (self.t - p[:, :1]) * rate
        bell, share = (p[:, 3:4] - p[:, 2:3]) * _bell(z), _share(z)
        return np.stack([-bell * rate, -bell * z, 1 - share, share], axis=-1)

    def sigmas(self, p: Array) -> Array:
        return np.asarray(np.exp(p[:, 1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _LinedStep:
    """From air through a lining of soft tissue to bone, all under one known blur.

    Parameters (place of the bone, log thickness of the lining, before, after), (n, 4).
    """

    t: Array
    soft: float
    sigma: float

    def values(self, p: Array) -> Array:
        outer = _share((self.t - p[:, :1]) / self.sigma)
        inner = _share((self.t - p[:, :1] + np.exp(p[:, 1:2])) / self.sigma)
        return np.asarray(
            p[:, 2:3] + (self.soft - p[:, 2:3]) * inner + (p[:, 3:4] - self.soft) * outer
        )

    def slopes(self, p: Array) -> Array:
        lining = np.exp(p[:, 1:2])
        z, y = (self.t - p[:, :1]) / self.sigma, (self.t - p[:, :1] + lining) / self.sigma
        inner = (self.soft - p[:, 2:3]) * _bell(y) / self.sigma
        outer = (p[:, 3:4] - self.soft) * _bell(z) / self.sigma
        columns = [-inner - outer, inner * lining, 1 - _share(y), _share(z)]
        return np.stack(columns, axis=-1)

    def sigmas(self, p: Array) -> Array:
        return np.full(len(p), self.sigma)


def _share(z: Array) -> Array:
    """Return the normal distribution function."""
    from scipy.special import ndtr

    return np.asarray(ndtr(z))


def _bell(z: Array) -> Array:
    return np.asarray(np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))


def _solved(
    model: _Step | _LinedStep, profiles: Array, used: NDArray[np.bool_], start: Array
) -> Array:
    """Return the parameters of every profile, (n, 4).

    Levenberg-Marquardt (Marquardt 1963, 10.1137/0111030) on all profiles at once.
    """
    p = start.copy()
    damping = np.full(len(p), 1e-2)
    left = np.where(used, model.values(p) - profiles, 0.0)
    cost = (left**2).sum(axis=1)
    for _ in range(MOST_STEPS):
        jacobian = model.slopes(p) * used[..., None]
        normal = np.einsum("nti,ntj->nij", jacobian, jacobian)
        gradient = np.einsum("nti,nt->ni", jacobian, left)
        scale = np.einsum("nii->ni", normal) * damping[:, None] + 1e-9
        normal[:, range(4), range(4)] += scale
        new = p - np.linalg.solve(normal, gradient[..., None])[..., 0]
        new[:, 1] = np.clip(new[:, 1], *LOG_RANGE)
        new[:, 0] = np.clip(new[:, 0], -PROFILE_MM, PROFILE_MM)
        new_left = np.where(used, model.values(new) - profiles, 0.0)
        new_cost = (new_left**2).sum(axis=1)
        better = new_cost <= cost
        p[better], left[better], cost[better] = (
            new[better],
            new_left[better],
            new_cost[better],
        )
        damping = np.where(better, 0.2 * damping, 10 * damping)
    return p


def _first_guess(
    profiles: Array, t: Array, used: NDArray[np.bool_], place: Array
) -> Array:
    inner = used & (t < place[:, None])
    outer = used & (t > place[:, None])
    before = np.where(inner, profiles, np.inf).min(axis=1)
    after = np.where(outer, profiles, -np.inf).max(axis=1)
    return np.stack([place, np.full(len(place), FIRST_LOG_SIGMA), before, after], axis=1)


def _trusted(p: Array, sigmas: Array) -> NDArray[np.bool_]:
    step = p[:, 3] - p[:, 2]
    fine = (sigmas > SIGMA_RANGE_MM[0]) & (sigmas < SIGMA_RANGE_MM[1])
    return np.asarray(fine & (step > LEAST_STEP_HU) & (np.abs(p[:, 0]) < SEARCH_MM + 0.4))


def _lined(
    profiles: Array, used: NDArray[np.bool_], p: Array, t: Array, soft: float
) -> tuple[_LinedStep, Array]:
    """Fit lined edges; their common blur is the one that leaves least."""
    start = p.copy()
    start[:, 1] = 0.0
    costs = []
    for sigma in LINED_SIGMAS_MM:
        model = _LinedStep(t=t, soft=soft, sigma=sigma)
        solved = _solved(model, profiles, used, start)
        costs.append(_median_cost(model, solved, profiles, used))
    sigma = _lowest(np.array(LINED_SIGMAS_MM), np.array(costs))
    model = _LinedStep(t=t, soft=soft, sigma=sigma)
    return model, _solved(model, profiles, used, start)


def _median_cost(
    model: _LinedStep, p: Array, profiles: Array, used: NDArray[np.bool_]
) -> float:
    left = np.where(used, model.values(p) - profiles, 0.0)
    return float(np.median((left**2).sum(axis=1)))


def _lowest(places: Array, costs: Array) -> float:
    """Return where a parabola through the lowest of some costs is lowest."""
    k = int(np.clip(np.argmin(costs), 1, len(costs) - 2))
    terms = np.polyfit(places[k - 1 : k + 2], costs[k - 1 : k + 2], 2)
    low, high = places[0], places[-1]
    if terms[0] <= 0:
        return float(places[np.argmin(costs)])
    return float(np.clip(-terms[1] / (2 * terms[0]), low, high))


def _roughness(
    left: Array, p: Array, t: Array, used: NDArray[np.bool_], sigma: float
) -> float:
    bone = used & (t > p[:, :1] + 2 * sigma)
    return float(np.sqrt(np.mean(left[bone] ** 2))) if bone.any() else 0.0


def _filled(shift: Array, good: NDArray[np.bool_]) -> Array:
    """Return shifts with those not trusted taken from their neighbours on the rim."""
    if good.all():
        return shift
    n, known = len(shift), np.flatnonzero(good)
    around = np.concatenate([known - n, known, known + n])
    return np.interp(np.arange(n), around, np.tile(shift[known], 3))


def _sensitivity(
    model: _Step | _LinedStep, p: Array, used: NDArray[np.bool_], good: NDArray[np.bool_]
) -> Array:
    jacobian = model.slopes(p) * used[..., None]
    normal = np.einsum("nti,ntj->nij", jacobian, jacobian)
    normal[:, range(4), range(4)] += 1e-9
    first = np.linalg.solve(normal, np.broadcast_to(np.eye(4)[:, :1], (len(p), 4, 1)))
    rows = np.einsum("nti,ni->nt", jacobian, first[..., 0])
    rows[~good] = 0.0
    return np.asarray(rows)
