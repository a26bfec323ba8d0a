"""What the image's own noise does to an estimate: the noise transplant.

Homogeneous blocks of the same image are sampled with the same bundle and pushed through
the linearised estimator. The noise keeps its true correlation, which a white-noise
formula would miss by a factor of 2.5 to 4.5 on CT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.profiles import Line, Sampler
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.edges import Edge
    from osteotrace.volume import Volume

# Side of a block that is judged for homogeneity, mm.
BLOCK_MM: Final = 14.0
# How many blocks nearest to the gap are judged; finer images are thinned out to about
# this many voxels a block.
NEAREST_BLOCKS: Final = 200
MOST_VOXELS: Final = 20_000
# Blocks whose SD is within this factor of the quietest tenth are homogeneous.
HOMOGENEOUS_FACTOR: Final = 1.2
QUIET_SHARE: Final = 0.1
# Noise in air is smaller (clipped on CT, Rician on MR) and would flatter the estimate:
# blocks must be brighter than this HU, or, without HU, than the darkest plateau by this
# share of the way to the brightest.
AIR_CEILING_HU: Final = -300.0
TISSUE_SHARE: Final = 0.25
MOST_BLOCKS: Final = 12
# Half a bundle and half a block's room for it, in any direction, mm.
WINDOW_MM: Final = 10.0
# A block far noisier than what the edge fit left holds structure, not noise alone.
# Linear interpolation leaves about half of white noise's SD in a sample.
MOST_RESIDUALS: Final = 3.0
DRAWS: Final = 40
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
    samplers : tuple of Sampler
        One a block, its window large enough for a bundle in any direction.
    """

    centres: Array
    standard_deviation: float
    samplers: tuple[Sampler, ...] = ()


NOTHING: Final = NoiseField(centres=np.empty((0, 3)), standard_deviation=float("nan"))


def tissue_floor(unit: str, plateaus: Sequence[float]) -> float:
    """Return the grey value below which a block counts as air.

    Parameters
    ----------
    unit : str
        UCUM unit of the volume's values.
    plateaus : sequence of float
        Of both edges.
    """
    if unit == HOUNSFIELD:
        return AIR_CEILING_HU
    darkest, brightest = min(plateaus), max(plateaus)
    return darkest + TISSUE_SHARE * (brightest - darkest)


def homogeneous_blocks(
    volume: Volume,
    around: Array,
    *,
    floor: float,
    residual: float,
    block_mm: float = BLOCK_MM,
) -> NoiseField:
    """Find homogeneous blocks near a point.

    Parameters
    ----------
    volume : Volume
    around : (3,) array
        LPS mm.
    floor : float
        Blocks with a lower mean are left out (`tissue_floor`).
    residual : float
        What the edge fits left, value units: the size of noise to expect.
    block_mm : float
        Side of a block.
    """
    size = np.maximum(np.round(block_mm / volume.grid.spacing).astype(int), 3)
    starts = _block_starts(np.array(volume.grid.shape), size)
    centres = volume.grid.to_patient(starts + (size - 1) / 2)
    nearest = np.argsort(np.linalg.norm(centres - around, axis=1), kind="stable")
    nearest = nearest[:NEAREST_BLOCKS]
    if len(nearest) == 0:
        return NOTHING
    statistics = np.array([_mean_and_sd(volume, starts[k], size) for k in nearest])
    tissue = statistics[:, 0] > floor
    if not tissue.any():
        return NOTHING
    spread = statistics[:, 1]
    quietest = float(np.quantile(spread[tissue], QUIET_SHARE))
    limit = min(HOMOGENEOUS_FACTOR * quietest, MOST_RESIDUALS * residual)
    quiet = np.flatnonzero(tissue & (spread <= limit))[:MOST_BLOCKS]
    if len(quiet) == 0:
        return NOTHING
    found = centres[nearest[quiet]]
    return NoiseField(
        centres=found,
        standard_deviation=float(np.median(spread[quiet])),
        samplers=tuple(Sampler(volume, [centre], WINDOW_MM) for centre in found),
    )


def _block_starts(shape: NDArray[np.intp], size: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the (n, 3) first indices of two tilings, shifted by half a block."""
    starts = []
    for offset in (np.zeros(3, dtype=np.intp), size // 2):
        count = np.maximum((shape - offset) // size, 0)
        tiles = np.moveaxis(np.indices(tuple(count)), 0, -1).reshape(-1, 3)
        starts.append(tiles * size + offset)
    return np.concatenate(starts)


def _mean_and_sd(
    volume: Volume, start: NDArray[np.intp], size: NDArray[np.intp]
) -> tuple[float, float]:
    """Return the mean of a block and the SD around its linear trend."""
    thinning = max(1, round((float(np.prod(size)) / MOST_VOXELS) ** (1 / 3)))
    box = [slice(a, a + n, thinning) for a, n in zip(start, size, strict=True)]
    block = volume.rescaled((box[0], box[1], box[2]))
    rest = block - block.mean()
    variance = float(np.mean(rest * rest))
    heights = volume.grid.slice_positions[box[0]]
    places = (heights, np.arange(block.shape[1]), np.arange(block.shape[2]))
    for place, others in zip(places, ((1, 2), (0, 2), (0, 1)), strict=True):
        line = place - place.mean()
        length = float(line @ line)
        if length > 0:
            slope = float(rest.mean(axis=others) @ line) / length
            variance -= slope**2 * length / len(line)
    return float(block.mean()), float(np.sqrt(max(variance, 0.0)))


def transplant(field: NoiseField, line: Line, edge: Edge, seed: int) -> float:
    """Return the standard uncertainty of an edge's place from the image's noise.

    Parameters
    ----------
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
    sensitivity = edge.sensitivity
    length = edge.window[1] - edge.window[0]
    step = length / (sensitivity.shape[1] - 1)
    room = max(BLOCK_MM - length, 2.0) / 2
    shifts = []
    for draw in range(DRAWS):
        k = draw % len(field.samplers)
        middle = field.centres[k] + generator.uniform(-room, room, 3)
        moved = replace(line, start=middle - 0.5 * length * line.direction)
        bundle = field.samplers[k].bundle(
            moved, (0.0, length), step, edge.half_width, edge.lines_a_side
        )
        if bundle.values.shape == sensitivity.shape:
            shifts.append(float(np.sum(sensitivity * bundle.values)))
    if len(shifts) < DRAWS // 2:
        return float("nan")
    return float(np.std(shifts, ddof=1))


def white_noise(edge: Edge) -> float:
    """Return the uncertainty from the fit's residual, with the correlation factor.

    A poorer estimate than `transplant`, for images without a homogeneous block.
    """
    return CORRELATION_FACTOR * edge.residual * float(np.linalg.norm(edge.sensitivity))
