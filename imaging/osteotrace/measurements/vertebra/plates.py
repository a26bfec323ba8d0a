"""Where a thin bright plate ends: the outer surface of an endplate or a wall.

A plate thinner than the point spread shows its mass, not its faces: half of its maximum
lies up to a millimetre outside. So the model is physical: tissue inside, a plate of
stated density and free thickness, tissue outside, seen through the voxel's box and a
Gaussian point spread. It is fitted to the voxels themselves, never to resampled values.
The centre of the plate follows from its centroid and hardly from the assumptions; half
the thickness is added to reach the outer surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid

# Sigma of the point spread of body CT and MR beyond the voxel's box (assumed), mm.
POINT_SPREAD_MM: Final = 0.6
# Thickness of vertebral endplates and walls, and its log SD (assumed), mm.
THICKNESS_MM: Final = 0.8
THICKNESS_LOG_SD: Final = 0.35
# Log SD of the assumed density above its surroundings.
DENSITY_LOG_SD: Final = 0.22
# A plateau may differ from its median by this share of the plate's contrast.
_PLATEAU_SHARE: Final = 0.25
_MOST_STEPS: Final = 12
_SETTLED_MM: Final = 1e-3
_LONGEST_STEP_MM: Final = 0.5
# Neighbouring voxels share noise and texture: errors are pooled in cells this wide.
CELL_MM: Final = 2.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How a voxel blurs along one direction.

    Parameters
    ----------
    box : float
        Extent of the voxel along the direction by its longest side, mm.
    sigma : float
        Of everything else, mm.
    """

    box: float
    sigma: float


def spread_along(grid: Grid, direction: Array) -> Spread:
    """Return how the voxels of a grid blur along a unit vector."""
    frame = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    sides = np.sort(np.abs(frame @ direction) * grid.spacing)
    variance = POINT_SPREAD_MM**2 + float((sides[:2] ** 2).sum()) / 12
    return Spread(box=float(sides[2]), sigma=float(np.sqrt(variance)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Voxels around a plate.

    Parameters
    ----------
    x, y : (n,) float64
        Places along the plate, mm.
    z : (n,) float64
        mm outwards from the surface that the fit starts from.
    values : (n,) float64
        Grey values.
    brighter : (n,) float64
        How much brighter than elsewhere the tissue inside is known to be there, as
        where the wall of the body shines in.
    """

    x: Array
    y: Array
    z: Array
    values: Array
    brighter: Array

    def kept(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Samples:
        """Return those marked."""
        return Samples(
            x=self.x[keep],
            y=self.y[keep],
            z=self.z[keep],
            values=self.values[keep],
            brighter=self.brighter[keep],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissues:
    """Grey values that a fit starts from.

    Parameters
    ----------
    inside, plate, outside : float
    noise : float
        SD of one voxel around the model.
    thickness : float
        Of the plate, mm.
    thickness_log_sd : float
    """

    inside: float
    plate: float
    outside: float
    noise: float
    thickness: float = THICKNESS_MM
    thickness_log_sd: float = THICKNESS_LOG_SD

    @property
    def contrast(self) -> float:
        """Plate against the mean of its sides."""
        return self.plate - 0.5 * (self.inside + self.outside)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """The family of surfaces that a plate's middle is fitted with.

    Parameters
    ----------
    columns : (n, k) float64
        Each basis function at each sample.
    start : (k,) float64
        Coefficients to start from, mm.
    expected : (k,) float64
        Standard deviations that the coefficients are expected to stay within, mm.
    """

    columns: Array
    start: Array
    expected: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plate:
    """A fitted plate.

    Parameters
    ----------
    coefficients : (k,) float64
        Of the surface of its middle, mm.
    thickness : float
        mm, given the density that was assumed.
    inside, outside : float
        Plateaus.
    residual : float
        RMS of what the model leaves.
    influence : (k + 1, n) float64
        What each voxel's rest moves each coefficient by, and half the thickness, mm.
    """

    coefficients: Array
    thickness: float
    inside: float
    outside: float
    residual: float
    influence: Array


def _step(x: Array, spread: Spread) -> tuple[Array, Array]:
    """Return a blurred unit step at x, and its slope."""
    from scipy.special import ndtr

    s, w = spread.sigma, spread.box
    b = (x + 0.5 * w) / s
    a = b - w / s
    lower, upper = ndtr(a), ndtr(b)
    density = (np.exp(-0.5 * b * b) - np.exp(-0.5 * a * a)) / np.sqrt(2 * np.pi)
    height = s / w * (b * upper - a * lower + density)
    return height, (upper - lower) / w


def fit_plate(samples: Samples, shape: Shape, tissues: Tissues, spread: Spread) -> Plate:
    """Fit a plate to voxels, with priors on what they cannot tell.

    Parameters
    ----------
    samples : Samples
    shape : Shape
    tissues : Tissues
    spread : Spread
        Along z.
    """
    loose = max(abs(tissues.contrast) * _PLATEAU_SHARE, tissues.noise)
    # The surface, then log thickness, inside, outside.
    others = [np.log(tissues.thickness), tissues.inside, tissues.outside]
    prior = np.concatenate([shape.start, others])
    width = np.concatenate([shape.expected, [tissues.thickness_log_sd, loose, loose]])
    pull_back = np.diag(1 / width**2)
    limit = np.full(len(prior), np.inf)
    limit[: len(shape.start)], limit[len(shape.start)] = _LONGEST_STEP_MM, 0.4
    state = prior.copy()
    for _ in range(_MOST_STEPS):
        model, slopes = _model(state, shape.columns, samples, tissues.plate, spread)
        rest = (samples.values - model) / tissues.noise
        jacobian = slopes / tissues.noise
        normal = jacobian.T @ jacobian + pull_back
        pull = jacobian.T @ rest + (prior - state) / width**2
        step = np.clip(np.linalg.solve(normal, pull), -limit, limit)
        state = state + step
        if np.abs(step[: len(shape.start) + 1]).max() < _SETTLED_MM:
            break
    count = len(shape.start)
    thickness = float(np.exp(state[count]))
    shifts = np.linalg.solve(normal, jacobian.T)[: count + 1] * rest
    shifts[count] *= 0.5 * thickness
    return Plate(
        coefficients=state[:count],
        thickness=thickness,
        inside=float(state[count + 1]),
        outside=float(state[count + 2]),
        residual=float(np.sqrt(np.mean(rest**2)) * tissues.noise),
        influence=shifts,
    )


def _model(
    state: Array, columns: Array, samples: Samples, plate: float, spread: Spread
) -> tuple[Array, Array]:
    """Return the model at the samples, and its slopes by the state, (n, k + 3)."""
    count = columns.shape[1]
    centre = columns @ state[:count]
    thickness, outside = np.exp(state[count]), state[count + 2]
    inside = state[count + 1] + samples.brighter
    z = samples.z
    outer, d_outer = _step(centre + 0.5 * thickness - z, spread)
    inner, d_inner = _step(centre - 0.5 * thickness - z, spread)
    model = outside + (plate - outside) * outer - (plate - inside) * inner
    by_outer, by_inner = (plate - outside) * d_outer, (plate - inside) * d_inner
    by_thickness = 0.5 * thickness * (by_outer + by_inner)
    slopes = np.concatenate(
        [
            (by_outer - by_inner)[:, None] * columns,
            np.stack([by_thickness, inner, 1 - outer], axis=1),
        ],
        axis=1,
    )
    return model, slopes


def pooled(shifts: Array, samples: Samples) -> float:
    """Return the standard uncertainty of a sum whose terms go together in cells.

    Parameters
    ----------
    shifts : (n,) array
        What each voxel's rest moves the estimate by, mm.
    """
    cells = np.stack([np.floor(samples.x / CELL_MM), np.floor(samples.y / CELL_MM)])
    cells -= cells.min(axis=1, keepdims=True)
    number = (cells[0] * (cells[1].max() + 1) + cells[1]).astype(int)
    sums = np.bincount(number, weights=shifts)
    count = len(np.unique(number))
    if count < 2:
        return float(np.sqrt((shifts**2).sum()))
    return float(np.sqrt((sums**2).sum() * count / (count - 1)))


def coarse_offset(
    samples: Samples, tissues: Tissues, spread: Spread, reach: float
) -> float:
    """Return about where the centre of a plate lies along z, mm.

    Tries places up to `reach` mm from the start, each with its best plateaus and the
    best amplitude of the plate (of the right sign).
    """
    sign = np.sign(tissues.contrast)
    best, found = np.inf, -0.5 * tissues.thickness
    for centre in np.arange(-reach, reach + 0.01, 0.4):
        inner, bump = _step(centre - samples.z, spread)
        columns = np.stack([inner, 1 - inner, bump], axis=1)
        values = samples.values - samples.brighter * inner
        solved, *_ = np.linalg.lstsq(columns, values, rcond=None)
        if solved[2] * sign <= 0:
            continue
        cost = float(((values - columns @ solved) ** 2).sum())
        if cost < best:
            best, found = cost, float(centre)
    return found
