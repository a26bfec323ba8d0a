"""Bias, SD and coverage of the edge-fitted caliper on gaps of known width.

Two flat walls with a gap between them are rendered with a Gaussian point spread,
averaged over each voxel and covered with white or correlated noise. Every repeat moves
the gap against the voxel grid and clicks up to 1 mm beside the edges, in all three
directions. Beside the caliper stand the two things people do without it: the distance
between the nearest voxels over a 50 % threshold, and the distance between the clicks.

    python benchmarks/caliper.py            # some ten minutes on one core
    python benchmarks/caliper.py --repeats 10 --coverage-repeats 40
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from osteotrace.geometry import distance, unit_vector
from osteotrace.measurements import caliper, edge_pairs, edges
from osteotrace.measurements.measurement import Measurement
from osteotrace.phantoms.walls import Walls, photograph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

# Clicks fall within this distance of the edges in x, y and z, mm.
CLICK_MM = 1.0


def label(walls: Walls) -> str:
    """Return the first cells of a row."""
    slice_mm, row_mm, column_mm = walls.spacing
    noise = "correlated" if any(walls.correlation_fwhm_mm) else "white"
    lean = np.degrees(np.arccos(unit_vector(walls.normal)[1]))
    return (
        f"{walls.gap_mm:g} mm | {column_mm:g} × {row_mm:g} × {slice_mm:g} "
        f"| {walls.noise:g} HU {noise} | {lean:.0f}°"
    )


def leaning(degrees: float) -> tuple[float, float, float]:
    """Return a normal that leaves the rows' direction towards columns and slices."""
    lean = np.tan(np.radians(degrees)) / np.sqrt(1.25)
    return (float(lean), 1.0, float(lean / 2))


def white_noise_bound(walls: Walls) -> float:
    """Return the Cramér-Rao bound on the SD of the gap for a bundle along an axis, mm.

    Each layer of voxels across the line is averaged with the weights that linear
    interpolation gives the bundle; the place and blur of both edges and the three
    plateaus are free. No unbiased estimate from that weighting has a smaller SD.
    """
    slice_mm, row_mm, column_mm = walls.spacing
    voxels = _effective_count(column_mm) * _effective_count(slice_mm)
    reach = walls.gap_mm / 2 + edges.PLATEAU_MM
    t = np.arange(-reach, reach, row_mm) + row_mm / 2
    step = walls.wall - walls.inside
    columns, inside = [], np.ones_like(t)
    for side in (-1, 1):
        z = (side * t - walls.gap_mm / 2) / walls.blur_mm
        bell = step * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        columns += [bell / walls.blur_mm, bell * z, ndtr(z)]
        inside = inside - ndtr(z)
    jacobian = np.stack([*columns, inside], axis=1)
    covariance = np.linalg.inv(jacobian.T @ jacobian) * walls.noise**2 / voxels
    # The gap is the sum of both edges' distances from its middle.
    return float(np.sqrt(covariance[0, 0] + covariance[3, 3] + 2 * covariance[0, 3]))


def _effective_count(pitch: float) -> float:
    """Return how many independent voxels a row of the bundle averages, (Σw)²/Σw²."""
    lines = np.linspace(-1, 1, edge_pairs.LINES_A_SIDE) * edge_pairs.HALF_WIDTH_MM
    counts = []
    for phase in np.linspace(0, pitch, 20, endpoint=False):
        centres = np.arange(-8, 9) * pitch + phase
        near = np.abs(lines[:, None] - centres) / pitch
        weights = np.maximum(0, 1 - near).sum(axis=0)
        counts.append(weights.sum() ** 2 / (weights**2).sum())
    return float(np.mean(counts))


def threshold_length(walls: Walls, volume: Volume, start: Array, end: Array) -> float:
    """Return the length between the nearest voxels over 50 % along the clicked line."""
    direction = unit_vector(end - start)
    t = np.arange(-4, np.linalg.norm(end - start) + 4, 0.05)
    index = np.round(volume.grid.to_index(start + t[:, None] * direction)).astype(int)
    last = np.array(volume.grid.shape) - 1
    values = volume.voxels[tuple(np.clip(index, 0, last).T)]
    soft = values < 0.5 * (walls.inside + walls.wall)
    middle = len(t) // 2
    low = middle - int(np.argmin(soft[middle::-1]))
    high = middle + int(np.argmin(soft[middle:]))
    return float(t[high] - t[low])


@dataclass(frozen=True, slots=True)
class Repeat:
    """One repeat: errors of the three ways, and the caliper's uncertainty."""

    fitted: float
    thresholded: float
    clicked: float
    uncertainty: float
    covered: bool
    accepted: bool


def repeats(walls: Walls, count: int, *, quick: bool) -> Iterator[Repeat]:
    """Yield repeats of one row; a refused reading ends the run."""
    for k in range(count):
        generator = np.random.default_rng([k, int(1000 * walls.gap_mm)])
        offset = generator.uniform(-0.5, 0.5)
        volume = photograph(walls, offset=offset, seed=1_000_003 * k + 17)
        clicks = generator.uniform(-CLICK_MM, CLICK_MM, (2, 3))
        start, end = (e + c for e, c in zip(walls.edges(offset), clicks, strict=True))
        value = caliper.measure(volume, start, end, quick=quick).value
        if not isinstance(value, Measurement):
            raise SystemExit(f"{label(walls)}: {value.reason}")
        low, high = value.interval95 or (np.nan, np.nan)
        yield Repeat(
            fitted=value.value - walls.gap_mm,
            thresholded=threshold_length(walls, volume, start, end) - walls.gap_mm,
            clicked=distance(start, end) - walls.gap_mm,
            uncertainty=value.uncertainty or float("nan"),
            covered=low <= walls.gap_mm <= high,
            accepted=value.accepted,
        )


def accuracy_table(count: int) -> None:
    """Print bias and SD under white noise, with the bound."""
    gaps = (4.0, 6.0, 8.0, 12.07, 16.0, 20.0)
    voxels = ((0.3, 0.3, 0.3), (2.0, 0.5, 0.5), (3.0, 0.5, 0.5), (1.0, 1.0, 1.0))
    rows = [Walls(gap_mm=gap) for gap in gaps]
    rows += [Walls(spacing=spacing) for spacing in voxels]
    rows += [Walls(noise=noise) for noise in (10.0, 60.0, 120.0)]
    rows += [Walls(normal=leaning(degrees)) for degrees in (10.0, 20.0)]
    print("Bias ± SD in mm; voxels are column × row × slice, the gap runs along rows.\n")
    print(
        "| gap | voxel mm | noise | obliquity | caliper | SD / white-noise bound "
        "| nearest voxel, 50 % threshold | two clicks |"
    )
    print("|---|---|---|---|---|---|---|---|")
    ratios: list[float] = []
    for walls in rows:
        done = list(repeats(walls, count, quick=True))
        fitted = np.array([r.fitted for r in done])
        aligned = walls.normal == Walls().normal
        ratio = float(fitted.std(ddof=1)) / white_noise_bound(walls)
        if len(ratios) < len(gaps):
            ratios.append(ratio)
        cells = [
            _bias_and_sd(fitted, 3),
            f"{ratio:.2f}" if aligned else "",
            _bias_and_sd(np.array([r.thresholded for r in done]), 2),
            _bias_and_sd(np.array([r.clicked for r in done]), 2),
        ]
        print(f"| {label(walls)} | " + " | ".join(cells) + " |", flush=True)
    pooled = np.sqrt(np.mean(np.square(ratios)))
    print(f"\nSD over the bound, gaps of 4 to 20 mm pooled: {pooled:.2f}")


def coverage_table(count: int) -> None:
    """Print how often the 95 % interval holds the truth under correlated noise."""
    base = Walls(correlation_fwhm_mm=(1.3, 1.6, 1.6))
    rows = [
        base,
        replace(base, gap_mm=6.0),
        replace(base, gap_mm=20.0),
        replace(base, normal=leaning(15.0)),
        replace(base, noise=60.0),
        replace(base, correlation_fwhm_mm=(0.6, 0.6, 0.6)),
        replace(base, spacing=(0.6, 0.45, 0.4)),
        replace(base, spacing=(2.0, 0.5, 0.5), correlation_fwhm_mm=(2.6, 2.0, 2.0)),
    ]
    print("\nUnder correlated noise, with each reading's own standard uncertainty u.\n")
    print(
        "| gap | voxel mm | noise | obliquity | bias ± SD mm | root mean u² mm "
        "| 95 % intervals that hold the truth | flagged |"
    )
    print("|---|---|---|---|---|---|---|---|")
    pooled: list[Repeat] = []
    for walls in rows:
        done = list(repeats(walls, -(-count // len(rows)), quick=False))
        pooled += done
        print(f"| {label(walls)} | {_covered(done)} |", flush=True)
    print(f"| all | | | | {_covered(pooled)} |")


def _covered(done: list[Repeat]) -> str:
    fitted = np.array([r.fitted for r in done])
    u = float(np.sqrt(np.mean([r.uncertainty**2 for r in done])))
    share = np.mean([r.covered for r in done])
    flagged = sum(not r.accepted for r in done)
    return (
        f"{_bias_and_sd(fitted, 3)} | {u:.3f} | {100 * share:.1f} % of {len(done)} "
        f"| {flagged}"
    )


def _bias_and_sd(errors: Array, places: int) -> str:
    return f"{errors.mean():+.{places}f} ± {errors.std(ddof=1):.{places}f}"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=60, help="a row, white noise")
    parser.add_argument("--coverage-repeats", type=int, default=400, help="in all")
    options = parser.parse_args()
    accuracy_table(options.repeats)
    coverage_table(options.coverage_repeats)


if __name__ == "__main__":
    main()
