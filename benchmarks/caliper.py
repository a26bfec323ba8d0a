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
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from osteotrace.geometry import Grid, distance, unit_vector
from osteotrace.measurements import caliper, edge_pairs, edges
from osteotrace.measurements.measurement import Measurement
from osteotrace.series import Instance, SeriesIdentity
from osteotrace.volume import HOUNSFIELD, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from osteotrace.geometry import Array

SOFT_HU, BONE_HU = 50.0, 1050.0
WALL_DEPTH_MM = 6.0
CLICK_MM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One row of the table: a gap, its image and its noise."""

    gap_mm: float = 12.07
    # (slice, row, column), mm; the gap runs along the rows' direction of increase.
    spacing: tuple[float, float, float] = (1.0, 0.5, 0.5)
    noise_hu: float = 30.0
    # Sigma of the smoothing that correlates the noise, mm (slice, row, column).
    correlation: tuple[float, float, float] | None = None
    obliquity_deg: float = 0.0
    blur_mm: float = 0.6

    @property
    def label(self) -> str:
        s, r, c = self.spacing
        return (
            f"{self.gap_mm:g} mm | {c:g} × {r:g} × {s:g} | {self.noise_hu:g} HU "
            + ("correlated" if self.correlation else "white")
            + (f" | {self.obliquity_deg:g}°" if self.obliquity_deg else " | 0°")
        )

    @property
    def normal(self) -> Array:
        """Normal of the walls: tilted towards the columns and half as far to slices."""
        lean = np.tan(np.radians(self.obliquity_deg))
        return unit_vector([lean, 1.0, lean / 2])


def render(condition: Condition, offset: float, seed: int) -> Volume:
    """Return the phantom with its gap centred ``offset`` mm along the normal."""
    spacing = np.array(condition.spacing)
    extent = np.array([26.0, condition.gap_mm + 2 * WALL_DEPTH_MM + 40.0, 28.0])
    slices, rows, columns = (int(n) for n in np.round(extent / spacing))
    origin = -0.5 * (np.array([columns, rows, slices]) - 1) * spacing[::-1]
    origins = origin + np.arange(slices)[:, None] * [0.0, 0.0, spacing[0]]
    grid = Grid(
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 1.0, 0]),
        pixel_spacing=spacing[1:],
        origins=origins,
        rows=rows,
        columns=columns,
    )
    values = SOFT_HU + (BONE_HU - SOFT_HU) * _bone(condition, grid, offset)
    noise = np.random.default_rng(seed).standard_normal(grid.shape)
    if condition.correlation is not None:
        sigma = np.array(condition.correlation) / spacing
        noise = gaussian_filter(noise, sigma, mode="wrap")
        noise /= noise.std()
    stored = np.round(values + condition.noise_hu * noise).astype(np.int16)
    return _volume(stored, grid)


def _bone(condition: Condition, grid: Grid, offset: float) -> Array:
    """Return the bone share of each voxel, averaged over 2 × 2 × 2 places in it."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    height = grid.to_patient(index) @ condition.normal - offset
    voxel = grid.affine()[:3, :3].T @ condition.normal
    share = np.zeros(grid.shape)
    places = (-0.25, 0.25)
    for shift in np.stack(np.meshgrid(places, places, places), axis=-1).reshape(-1, 3):
        depth = np.abs(height + shift @ voxel)
        inner = (depth - condition.gap_mm / 2) / condition.blur_mm
        share += ndtr(inner) - ndtr(inner - WALL_DEPTH_MM / condition.blur_mm)
    return share / 8


def _volume(stored: NDArray[np.int16], grid: Grid) -> Volume:
    instances = tuple(
        Instance(
            path=Path(f"{k}"),
            sop_instance_uid=f"2.25.1.{k + 1}",
            sop_class_uid="",
            number=k,
            rows=grid.rows,
            columns=grid.columns,
            frame_of_reference_uid="2.25.2",
            image_type=(),
            echo_time=None,
            position=None,
            orientation=None,
            pixel_spacing=None,
        )
        for k in range(len(grid.origins))
    )
    identity = SeriesIdentity(
        study_uid="2.25.3",
        series_uid="2.25.4",
        modality="CT",
        description="",
        date="",
        patient="P-UNKNOWN",
        patient_id="",
    )
    return Volume(
        voxels=stored,
        grid=grid,
        slope=np.ones(len(stored)),
        intercept=np.zeros(len(stored)),
        unit=HOUNSFIELD,
        frame_of_reference_uid="2.25.2",
        instances=instances,
        identity=identity,
    )


def white_noise_bound(condition: Condition) -> float:
    """Return the Cramér-Rao bound on the SD of the gap for a bundle along an axis, mm.

    Each layer of voxels across the line is averaged with the weights that linear
    interpolation gives the bundle; the place, blur and both plateaus of each edge are
    free. No unbiased estimate from that weighting has a smaller SD.
    """
    slice_mm, row_mm, column_mm = condition.spacing
    voxels = _effective_count(column_mm) * _effective_count(slice_mm)
    t = np.arange(-edges.PLATEAU_MM, edges.PLATEAU_MM, row_mm) + row_mm / 2
    z = t / condition.blur_mm
    bell = (BONE_HU - SOFT_HU) * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    jacobian = np.stack(
        [bell / condition.blur_mm, bell * z, 1 - ndtr(z), ndtr(z)], axis=1
    )
    variance = np.linalg.inv(jacobian.T @ jacobian)[0, 0] * condition.noise_hu**2 / voxels
    return float(np.sqrt(2 * variance))


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


def threshold_length(volume: Volume, start: Array, end: Array) -> float:
    """Return the length between the nearest voxels over 50 % along the clicked line."""
    direction = unit_vector(end - start)
    t = np.arange(-4, np.linalg.norm(end - start) + 4, 0.05)
    index = np.round(volume.grid.to_index(start + t[:, None] * direction)).astype(int)
    last = np.array(volume.grid.shape) - 1
    values = volume.voxels[tuple(np.clip(index, 0, last).T)]
    soft = values < 0.5 * (SOFT_HU + BONE_HU)
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


def repeats(condition: Condition, count: int, *, quick: bool) -> Iterator[Repeat]:
    """Yield repeats of one condition; refused readings raise."""
    for k in range(count):
        generator = np.random.default_rng([k, int(1000 * condition.gap_mm)])
        offset = generator.uniform(-0.5, 0.5)
        volume = render(condition, offset, seed=1_000_003 * k + 17)
        middle, half = (
            offset * condition.normal,
            0.5 * condition.gap_mm * condition.normal,
        )
        clicks = generator.uniform(-CLICK_MM, CLICK_MM, (2, 3))
        start, end = middle - half + clicks[0], middle + half + clicks[1]
        reading = caliper.measure(volume, start, end, quick=quick)
        value = reading.value
        if not isinstance(value, Measurement):
            raise SystemExit(f"{condition.label}: {value.reason}")
        interval = value.interval95
        yield Repeat(
            fitted=value.value - condition.gap_mm,
            thresholded=threshold_length(volume, start, end) - condition.gap_mm,
            clicked=distance(start, end) - condition.gap_mm,
            uncertainty=value.uncertainty or float("nan"),
            covered=interval is not None
            and interval[0] <= condition.gap_mm <= interval[1],
            accepted=value.accepted,
        )


def accuracy_table(count: int) -> None:
    """Print bias and SD under white noise, with the bound."""
    base = Condition()
    rows = [replace(base, gap_mm=g) for g in (4.0, 6.0, 8.0, 12.07, 16.0, 20.0)]
    rows += [
        replace(base, spacing=s)
        for s in ((0.3, 0.3, 0.3), (2.0, 0.5, 0.5), (3.0, 0.5, 0.5), (1.0, 1.0, 1.0))
    ]
    rows += [replace(base, noise_hu=n) for n in (10.0, 60.0, 120.0)]
    rows += [replace(base, obliquity_deg=d) for d in (10.0, 20.0)]
    print("Bias ± SD in mm; voxels are column × row × slice, the gap runs along rows.\n")
    print(
        "| gap | voxel mm | noise | obliquity | caliper | SD / white-noise bound "
        "| nearest voxel, 50 % threshold | two clicks |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for condition in rows:
        done = list(repeats(condition, count, quick=True))
        fitted = np.array([r.fitted for r in done])
        bound = white_noise_bound(condition)
        ratio = "" if condition.obliquity_deg else f"{fitted.std(ddof=1) / bound:.2f}"
        cells = [
            _bias_and_sd(fitted, 3),
            ratio,
            _bias_and_sd(np.array([r.thresholded for r in done]), 2),
            _bias_and_sd(np.array([r.clicked for r in done]), 2),
        ]
        print(f"| {condition.label} | " + " | ".join(cells) + " |", flush=True)


def coverage_table(count: int) -> None:
    """Print how often the 95 % interval holds the truth under correlated noise."""
    fine, coarse = (0.4, 0.5, 0.5), (0.8, 0.6, 0.6)
    base = Condition(correlation=fine)
    rows = [
        base,
        replace(base, gap_mm=6.0),
        replace(base, gap_mm=20.0),
        replace(base, obliquity_deg=15.0),
        replace(base, noise_hu=60.0),
        replace(base, correlation=coarse),
        replace(base, spacing=(0.6, 0.45, 0.4)),
        replace(base, spacing=(2.0, 0.5, 0.5), correlation=coarse),
    ]
    print("\nUnder correlated noise, with each reading's own standard uncertainty u.\n")
    print(
        "| gap | voxel mm | noise | obliquity | bias ± SD mm | root mean u² mm | 95 % "
        "intervals that hold the truth | flagged |"
    )
    print("|---|---|---|---|---|---|---|---|")
    pooled: list[Repeat] = []
    for condition in rows:
        done = list(repeats(condition, -(-count // len(rows)), quick=False))
        pooled += done
        print(f"| {condition.label} | {_covered(done)} |", flush=True)
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
