"""What the image's own noise does to an estimate: the noise transplant.

Homogeneous blocks of the same image are sampled with the same bundle and pushed through
the linearised estimator. The noise keeps its true correlation, which a white-noise
formula would miss by a factor of 2.5 to 4.5 on CT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.profiles import Line, Sampler

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.measurements.edges import Edge
    from osteotrace.volume import Volume

# Side of a block that is judged for homogeneity, mm.
BLOCK_MM: Final = 14.0
# Blocks are looked for within this distance of the gap, mm.
REACH_MM: Final = 60.0
# Blocks whose SD is within this factor of the quietest tenth are homogeneous.
HOMOGENEOUS_FACTOR: Final = 1.2
QUIET_SHARE: Final = 0.1
# A block must lie above the darker plateau by this share of the step: noise in air is
# smaller (clipped in CT, Rician in MR) and would flatter the estimate.
TISSUE_SHARE: Final = -0.25
MOST_BLOCKS: Final = 12
# A block far noisier than what the edge fit left holds structure, not noise alone.
# Linear interpolation leaves about half of white noise's SD in a sample.
MOST_RESIDUALS: Final = 3.0
DRAWS: Final = 40
# The transplant's intervals cover 83–98 % of a nominal 95 %; this factor mends it.
INFLATION: Final = 1.0
# Correlated noise is this many times worse than its white-noise formula (CT, measured
# on phantoms): used only where no homogeneous block exists.
CORRELATION_FACTOR: Final = 3.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoiseField:
    """Homogeneous blocks of an image.

    Parameters
    ----------
    centres : (n, 3) float64
        LPS mm of the blocks' centres; n may be 0.
    standard_deviation : float
        Of single voxels around their linear trend, value units; NaN where n is 0.
    """

    centres: Array
    standard_deviation: float


def homogeneous_blocks(
    volume: Volume, around: Array, *, floor: float, residual: float
) -> NoiseField:
    """Find homogeneous blocks near a point.

    Parameters
    ----------
    volume : Volume
    around : (3,) array
        LPS mm.
    floor : float
        Blocks with a lower mean are left out (air).
    residual : float
        What the edge fits left, value units: the size of noise to expect.
    """
    spacing = volume.grid.spacing
    size = np.maximum(np.round(BLOCK_MM / spacing).astype(int), 3)
    shape = np.array(volume.grid.shape)
    centre = volume.grid.to_index(around)
    reach = REACH_MM / spacing
    low = np.clip(np.floor(centre - reach), 0, shape - 1).astype(int)
    high = np.clip(np.ceil(centre + reach), 1, shape).astype(int)
    values = volume.rescaled(tuple(slice(a, b) for a, b in zip(low, high, strict=True)))  # type: ignore[arg-type]
    starts, means, deviations = _blocks(values, size)
    nothing = NoiseField(centres=np.empty((0, 3)), standard_deviation=float("nan"))
    kept = np.flatnonzero(means > floor)
    if len(kept) == 0:
        return nothing
    spread = deviations[kept]
    quietest = float(np.quantile(spread, QUIET_SHARE))
    limit = min(HOMOGENEOUS_FACTOR * quietest, MOST_RESIDUALS * residual)
    quiet = kept[spread <= limit]
    if len(quiet) == 0:
        return nothing
    middle = starts[quiet] + low + (size - 1) / 2
    points = volume.grid.to_patient(middle)
    nearest = np.argsort(np.linalg.norm(points - around, axis=1), kind="stable")
    nearest = nearest[:MOST_BLOCKS]
    return NoiseField(
        centres=points[nearest],
        standard_deviation=float(np.median(deviations[quiet[nearest]])),
    )


def _blocks(values: Array, size: Array) -> tuple[Array, Array, Array]:
    """Return starts (n, 3), means and SDs around the linear trend of all blocks.

    Two tilings, shifted by half a block, stand for all positions.
    """
    found = [
        _tiling(values, size, offset)
        for offset in (np.zeros(3, dtype=int), size // 2)
        if (np.array(values.shape) - offset >= size).all()
    ]
    if not found:
        return np.empty((0, 3)), np.empty(0), np.empty(0)
    starts, means, deviations = zip(*found, strict=True)
    return np.concatenate(starts), np.concatenate(means), np.concatenate(deviations)


def _tiling(values: Array, size: Array, offset: Array) -> tuple[Array, Array, Array]:
    count = (np.array(values.shape) - offset) // size
    box = tuple(slice(o, o + n * s) for o, n, s in zip(offset, count, size, strict=True))
    (a, b, c), (n, m, k) = size, count
    tiles = values[box].reshape(n, a, m, b, k, c)
    mean = tiles.mean(axis=(1, 3, 5))
    variance = (tiles**2).mean(axis=(1, 3, 5)) - mean**2
    for axis, length in ((1, a), (3, b), (5, c)):
        line = np.arange(length) - (length - 1) / 2
        others = tuple(other for other in (1, 3, 5) if other != axis)
        marginal = np.moveaxis(tiles.mean(axis=others), (axis + 1) // 2, -1)
        slope = marginal @ line / (line @ line)
        variance -= slope**2 * np.mean(line * line)
    corners = np.moveaxis(np.indices((n, m, k)), 0, -1) * size + offset
    deviation = np.sqrt(np.maximum(variance, 0.0))
    return corners.reshape(-1, 3), mean.ravel(), deviation.ravel()


def transplant(
    volume: Volume, field: NoiseField, line: Line, edge: Edge, seed: int
) -> float:
    """Return the standard uncertainty of an edge's place from the image's noise.

    Parameters
    ----------
    volume : Volume
    field : NoiseField
        From `homogeneous_blocks`, with at least one block.
    line : Line
        The line the edge was fitted on.
    edge : Edge
    seed : int
        Derived from the input, so that repeats agree to the bit.

    Returns
    -------
    float
        mm.
    """
    generator = np.random.default_rng(seed)
    length = edge.window[1] - edge.window[0]
    count = edge.sensitivity.shape[1]
    room = np.maximum(BLOCK_MM - length, 2.0) / 2
    samplers = [Sampler(volume, [c], BLOCK_MM) for c in field.centres]
    shifts = []
    for draw in range(DRAWS):
        k = draw % len(samplers)
        middle = field.centres[k] + generator.uniform(-room, room, 3)
        start = middle - 0.5 * length * line.direction
        moved = Line(start=start, direction=line.direction, u=line.u, v=line.v)
        step = length / (count - 1)
        bundle = samplers[k].bundle(
            moved, (0.0, length), step, edge.half_width, edge.lines_a_side
        )
        if bundle.values.shape == edge.sensitivity.shape:
            shifts.append(float(np.sum(edge.sensitivity * bundle.values)))
    if len(shifts) < DRAWS // 2:
        return float("nan")
    return INFLATION * float(np.std(shifts, ddof=1))


def white_noise(edge: Edge) -> float:
    """Return the uncertainty from the fit's residual, with the correlation factor.

    A poorer estimate than `transplant`, for images without a homogeneous block.
    """
    return CORRELATION_FACTOR * edge.residual * float(np.linalg.norm(edge.sensitivity))
