"""One edge, found near a rough place on a line and fitted below the voxel size.

The edge is a plane blurred by a Gaussian between two local, free plateaus: an error
function along the line whose place may tilt across the bundle. Found by its gradient,
anchored to the reader's point; fitted by least squares over every sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.geometry import unit_vector

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.measurements.profiles import Bundle, Line

# Where an edge is looked for around the reader's point, mm, and how much nearer ones
# are preferred (SD of a Gaussian prior, mm).
SEARCH_MM: Final = 3.0
PRIOR_MM: Final = 2.0
# Smoothing of the profile before its gradient is taken, mm.
GRADIENT_SIGMA_MM: Final = 0.4
# How far a plateau is followed from the edge, mm: five sigma of a typical 0.6 mm blur.
PLATEAU_MM: Final = 3.0
# A plateau ends half way to an edge with at least this share of the gradient.
NEIGHBOUR_SHARE: Final = 0.6
# The fit needs this much of each plateau, mm.
LEAST_PLATEAU_MM: Final = 0.5
# The blur is fitted as its logarithm, within e^±3 mm.
MOST_LOG_SIGMA: Final = 3.0
# A line whose steepest slope is less than this share of the step, per mm, is level.
NO_SLOPE: Final = 1e-6
# So many sigma from the edge its slope is 0 in double precision; the square of a place
# that a step of the fit threw far away would overflow.
NO_BELL: Final = 40.0
# The least-squares fit: first and greatest damping, steps allowed, and the last step's
# size in mm, far below any uncertainty.
INITIAL_DAMPING: Final = 1e-3
MOST_DAMPING: Final = 1e9
MOST_STEPS: Final = 60
SETTLED_MM: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Candidate:
    """A gradient extremum: mm along the line, and slope in value per mm (signed)."""

    t: float
    slope: float

    def score(self, anchor: float) -> float:
        """Return the gradient weighted by nearness to the reader's point."""
        away = (self.t - anchor) / PRIOR_MM
        return abs(self.slope) * float(np.exp(-0.5 * away * away))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edge:
    """A fitted edge.

    Parameters
    ----------
    t : float
        mm along the line, at its middle.
    slopes : (2,) float64
        Tilt across the bundle: mm along the line for each mm along u and v.
    sigma : float
        Blur, mm.
    before, after : float
        Plateaus at smaller and larger t.
    half_maximum : float
        mm along the line of the half-way crossing between plateaus read directly.
    jacobian : (lines * samples, 6) float64
        Of the fitted samples by place, tilts, log blur and plateaus.
    window : (low, high)
        mm along the line of the samples that were fitted.
    half_width : float
        mm from the middle of the bundle to its outermost line.
    lines_a_side : int
        Lines along each side of the bundle.
    residual : float
        Root mean square of what the fit left, value units.
    bulge : float
        How far the wall leaves its plane at the corner of the bundle, mm: a quadratic
        surface fitted to what each line left.
    curvature : float
        Mean curvature of the wall, 1/mm, positive where its centre lies at larger t.
    curvature_spread : float
        Its SD, were the lines of the bundle independent.
    pull : float
        mm by which `t` was moved back (`uncurved`).
    """

    t: float
    slopes: Array
    sigma: float
    before: float
    after: float
    half_maximum: float
    jacobian: Array
    window: tuple[float, float]
    half_width: float
    lines_a_side: int
    residual: float
    bulge: float
    curvature: float
    curvature_spread: float
    pull: float = 0.0

    @property
    def sensitivity(self) -> Array:
        """Return mm of t for each unit of noise in each sample, (lines, samples).

        The first row of the linearised estimator.
        """
        samples = len(self.jacobian) // self.lines_a_side**2
        return np.asarray(np.linalg.pinv(self.jacobian)[0].reshape(-1, samples))

    @property
    def step(self) -> float:
        """Size of the step between the plateaus, unsigned."""
        return abs(self.after - self.before)

    def uncurved(self, curvature: float) -> Edge:
        """Return the edge where a wall of a mean curvature lies.

        A blurred wall of mean curvature H lies s² H towards its centre (as by mean
        curvature flow), and a plane fitted to it as far again as it bends on average
        over the bundle.

        Parameters
        ----------
        curvature : float
            1/mm, positive where the centre lies at larger t.
        """
        across = np.linspace(-self.half_width, self.half_width, self.lines_a_side)
        pull = curvature * (self.sigma**2 + float(np.mean(across**2)))
        return replace(
            self,
            t=self.t - pull,
            half_maximum=self.half_maximum - pull,
            pull=pull,
        )

    def normal(self, line: Line) -> Array:
        """Unit normal of the fitted plane, LPS, pointing along the line."""
        tilted = line.direction - self.slopes[0] * line.u - self.slopes[1] * line.v
        return unit_vector(tilted)


def candidates(bundle: Bundle, anchor: float) -> list[Candidate]:
    """Return the gradient extrema within `SEARCH_MM` of a place on the line."""
    return [c for c in _extrema(bundle) if abs(c.t - anchor) <= SEARCH_MM]


def _extrema(bundle: Bundle) -> list[Candidate]:
    """Return every extremum of the mean profile's gradient, in order."""
    if len(bundle.t) < 3:
        return []
    step = float(bundle.t[1] - bundle.t[0])
    gradient = np.gradient(_smooth(bundle.mean, GRADIENT_SIGMA_MM / step), step)
    size = np.abs(gradient)
    peak = np.flatnonzero((size[1:-1] >= size[:-2]) & (size[1:-1] > size[2:])) + 1
    return [Candidate(float(bundle.t[k]), float(gradient[k])) for k in peak]


def _smooth(profile: Array, sigma: float) -> Array:
    """Return a profile under a Gaussian of sigma samples, its ends held constant."""
    reach = int(np.ceil(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(profile, reach, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def fit(bundle: Bundle, candidate: Candidate) -> Edge | None:
    """Fit the tilted error function around a candidate.

    Returns
    -------
    Edge or None
        None where the fit does not settle near the candidate.
    """
    window = _window(bundle, candidate)
    part = bundle.between(*window)
    if candidate.t - window[0] < LEAST_PLATEAU_MM or window[1] - candidate.t < (
        LEAST_PLATEAU_MM
    ):
        return None
    solved = _least_squares(_start(part, candidate), part)
    if solved is None:
        return None
    t, a, b, log_sigma, before, after = solved.p
    if (
        not window[0] < t < window[1]
        or abs(log_sigma) >= MOST_LOG_SIGMA
        or before == after
    ):
        return None
    left = solved.left
    jacobian = _jacobian(solved, part)
    # A line that the fitted edge does not cross says nothing about the wall.
    crossed = np.abs(jacobian[:, 0]).reshape(part.values.shape).max(axis=1)
    if not (crossed > NO_SLOPE * abs(after - before)).all():
        return None
    bulge, curvature, spread = _bend(part, left.reshape(part.values.shape), jacobian)
    return Edge(
        t=float(t),
        slopes=np.array([a, b]),
        sigma=float(np.exp(log_sigma)),
        before=float(before),
        after=float(after),
        half_maximum=_half_maximum(part, float(t)),
        jacobian=jacobian,
        window=window,
        half_width=float(part.u.max()),
        lines_a_side=round(len(part.u) ** 0.5),
        bulge=bulge,
        curvature=curvature,
        curvature_spread=spread,
        residual=float(np.sqrt(np.mean(left**2))),
    )


def _bend(part: Bundle, left: Array, jacobian: Array) -> tuple[float, float, float]:
    """Return bulge, mean curvature and its spread, as in `Edge`."""
    rate = jacobian[:, 0].reshape(left.shape)
    shift = -(left * rate).sum(axis=1) / (rate * rate).sum(axis=1)
    u, v = part.u, part.v
    surface = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
    terms = np.linalg.lstsq(surface, shift, rcond=None)[0]
    _, _, _, uu, uv, vv = terms
    curvature = np.linalg.eigvalsh([[uu, uv / 2], [uv / 2, vv]])
    bulge = float(np.abs(curvature).max() * u.max() ** 2)
    rest = shift - surface @ terms
    variance = float(rest @ rest) / max(len(u) - surface.shape[1], 1)
    inverse = np.linalg.inv(surface.T @ surface)
    weight = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    spread = float(np.sqrt(variance * (weight @ inverse @ weight)))
    return bulge, float(uu + vv), spread


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Six parameters, and what the model gives with them.

    Parameters
    ----------
    p : (6,) float64
        Place, both tilts, log blur and both plateaus.
    z, share : (lines, samples) float64
        Place of each sample from the edge, in sigma, and share of the step done there.
    left : (lines * samples,) float64
        The model less the samples.
    """

    p: Array
    z: Array
    share: Array
    left: Array

    @property
    def cost(self) -> float:
        """Sum of the squared residuals."""
        return float(self.left @ self.left)


def _tried(p: Array, part: Bundle) -> _Trial:
    # Imported here: it takes longer than reading a header, and only fits need it.
    from scipy.special import ndtr

    t, a, b, log_sigma, before, after = p
    z = (part.t[None, :] - (t + a * part.u + b * part.v)[:, None]) * np.exp(-log_sigma)
    share = ndtr(z)
    left = (before + (after - before) * share - part.values).ravel()
    return _Trial(p=p, z=z, share=share, left=left)


def _least_squares(start: Array, part: Bundle) -> _Trial | None:
    """Return the parameters of least squared residual, or None where none settle.

    Levenberg-Marquardt (Marquardt 1963, 10.1137/0111030) on the normal equations,
    which six parameters of like scale leave well conditioned.
    """
    best, damping = _tried(start, part), INITIAL_DAMPING
    normal, gradient = _normal_equations(best, part)
    for _ in range(MOST_STEPS):
        scale = np.diag(np.maximum(np.diag(normal), np.finfo(float).tiny))
        try:
            move = -np.linalg.solve(normal + damping * scale, gradient)
        except np.linalg.LinAlgError:
            return None
        sane = bool(np.abs(best.p[3] + move[3]) <= MOST_LOG_SIGMA)
        new = _tried(best.p + move, part) if sane else None
        if new is not None and new.cost <= best.cost:
            gained = best.cost - new.cost
            settled = abs(move[0]) < SETTLED_MM and gained <= 1e-9 * best.cost
            best, damping = new, 0.1 * damping
            if settled:
                return best
            normal, gradient = _normal_equations(best, part)
        else:
            damping *= 10.0
            if damping > MOST_DAMPING:
                return None
    return None


def _normal_equations(trial: _Trial, part: Bundle) -> tuple[Array, Array]:
    jacobian = _jacobian(trial, part)
    return jacobian.T @ jacobian, jacobian.T @ trial.left


def _jacobian(trial: _Trial, part: Bundle) -> Array:
    *_, log_sigma, before, after = trial.p
    z, rate = trial.z, np.exp(-log_sigma)
    near = np.clip(z, -NO_BELL, NO_BELL)
    bell = (after - before) * np.exp(-0.5 * near * near) / np.sqrt(2 * np.pi)
    place = -bell * rate
    jacobian = np.empty((*z.shape, 6))
    jacobian[..., 0] = place
    jacobian[..., 1] = place * part.u[:, None]
    jacobian[..., 2] = place * part.v[:, None]
    jacobian[..., 3] = -bell * z
    jacobian[..., 4] = 1 - trial.share
    jacobian[..., 5] = trial.share
    return jacobian.reshape(-1, 6)


def _window(bundle: Bundle, candidate: Candidate) -> tuple[float, float]:
    """Follow each plateau half way to the next edge, or for `PLATEAU_MM`."""
    low = max(float(bundle.t[0]), candidate.t - PLATEAU_MM)
    high = min(float(bundle.t[-1]), candidate.t + PLATEAU_MM)
    for other in _extrema(bundle):
        if abs(other.slope) < NEIGHBOUR_SHARE * abs(candidate.slope):
            continue
        middle = 0.5 * (candidate.t + other.t)
        if other.t < candidate.t:
            low = max(low, middle)
        elif other.t > candidate.t:
            high = min(high, middle)
    return low, high


def _start(part: Bundle, candidate: Candidate) -> Array:
    mean = part.mean
    left = mean[part.t < candidate.t]
    right = mean[part.t > candidate.t]
    before, after = (
        np.median(left[: len(left) // 2 + 1]),
        np.median(right[len(right) // 2 :]),
    )
    slope = candidate.slope if candidate.slope else 1.0
    sigma = np.clip(abs((after - before) / slope) / np.sqrt(2 * np.pi), 0.2, 1.5)
    return np.array([candidate.t, 0.0, 0.0, np.log(sigma), before, after])


def _half_maximum(part: Bundle, near: float) -> float:
    """Return the half-way crossing nearest to a place, NaN where there is none."""
    mean = part.mean
    count = max(2, len(mean) // 5)
    level = 0.5 * (mean[:count].mean() + mean[-count:].mean())
    above = mean >= level
    crossing = np.flatnonzero(above[1:] != above[:-1])
    if len(crossing) == 0:
        return float("nan")
    share = (level - mean[crossing]) / (mean[crossing + 1] - mean[crossing])
    places = part.t[crossing] + share * (part.t[crossing + 1] - part.t[crossing])
    return float(places[np.argmin(np.abs(places - near))])
