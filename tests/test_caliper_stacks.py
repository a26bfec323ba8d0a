"""The caliper on tilted and unevenly spaced stacks: the number of a straight one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fixtures.stacks import EVEN, LEAN, UNEVEN, stack

from osteotrace.measurements import caliper, edges, noise
from osteotrace.measurements.measurement import Measurement
from osteotrace.measurements.profiles import Sampler, line_between
from osteotrace.phantoms.walls import Walls, photograph

if TYPE_CHECKING:
    from osteotrace.geometry import Grid

GAP_MM = 9.3
ROWS = 130
STACKS = {
    "straight": stack(rows=ROWS),
    "tilted by +14° about rows": stack(rows=ROWS, about_rows=LEAN),
    "tilted by -14° about rows": stack(rows=ROWS, about_rows=-LEAN),
    "tilted by 14° about columns": stack(rows=ROWS, about_columns=LEAN),
    "uneven": stack(UNEVEN, rows=ROWS),
    "uneven and tilted": stack(UNEVEN, rows=ROWS, about_rows=-LEAN),
}
WIDE = stack([*EVEN[:16], *(EVEN[15] + 4.0 + EVEN[:14])], rows=ROWS)


def value_on(
    grid: Grid, walls: Walls, *, seed: int = 3, at: tuple[float, float, float] = (0, 0, 0)
) -> Measurement:
    """Return the value of a caliper drawn through a place, 1 mm off at both ends."""
    moves = np.array([[0.5, -0.6, 0.4], [-0.4, 0.7, -0.5]])
    ends = np.array(walls.edges()) + moves + np.array(at)
    value = caliper.measure(photograph(walls, seed=seed, grid=grid), *ends).value
    assert isinstance(value, Measurement), str(value)
    return value


@pytest.mark.parametrize("grid", STACKS.values(), ids=STACKS.keys())
@pytest.mark.parametrize("normal", [(0.0, 1.0, 0.0), (0.3, 1.0, -0.2), (0.1, 1.0, 0.35)])
def test_a_known_gap_is_found_on_a_stack_of_any_kind(
    grid: Grid, normal: tuple[float, float, float]
) -> None:
    value = value_on(grid, Walls(gap_mm=GAP_MM, normal=normal))
    assert value.value == pytest.approx(GAP_MM, abs=0.05)
    assert value.region == caliper.PERPENDICULAR


@pytest.mark.parametrize("lean", [(LEAN, 0.0), (-LEAN, 0.0), (0.0, LEAN)])
def test_a_gap_across_the_slices_is_found_on_a_tilted_stack(
    lean: tuple[float, float],
) -> None:
    grid = stack(
        0.6 * np.arange(110),
        about_rows=lean[0],
        about_columns=lean[1],
        rows=80,
        columns=80,
    )
    value = value_on(grid, Walls(gap_mm=GAP_MM, normal=(0.0, 0.05, 1.0)))
    assert value.value == pytest.approx(GAP_MM, abs=0.05)


def test_a_wide_gap_between_slices_is_named_in_mm_with_the_usual_one() -> None:
    (gap,) = np.flatnonzero(WIDE.slice_gaps > 1.0)
    within = tuple((WIDE.slice_positions[gap] + 2.0) * WIDE.normal)
    value = value_on(WIDE, Walls(gap_mm=GAP_MM), at=within)
    assert "the line crosses a gap of 4.0 mm between slices (0.9 mm is usual)" in (
        value.flags
    )


def test_a_wide_gap_elsewhere_in_the_stack_raises_no_doubt() -> None:
    value = value_on(WIDE, Walls(gap_mm=GAP_MM), at=(0.0, 0.0, -8.0))
    assert value.flags == ()
    assert value.value == pytest.approx(GAP_MM, abs=0.05)


def test_a_line_drawn_across_a_wide_gap_is_doubted_without_a_fit_too() -> None:
    volume = photograph(Walls(gap_mm=GAP_MM), grid=WIDE)
    within = WIDE.slice_positions[15] + 2.0
    ends = np.array([[0, 0, within - 5.0], [0, 2, within + 5.0]])
    across = caliper.measure(volume, *ends, snap=False).value
    assert isinstance(across, Measurement)
    assert any("a gap of 4.0 mm" in flag for flag in across.flags)
    aside = caliper.measure(volume, (0, 0, -9.0), (0, 2, -2.0), snap=False).value
    assert isinstance(aside, Measurement)
    assert aside.flags == ()


def test_the_voxel_is_as_large_as_the_gap_where_the_line_runs() -> None:
    """The same line costs more uncertainty where slices lie farther apart."""
    heights = np.cumsum([0.0, *[0.6] * 40, *[0.8] * 40])
    grid = stack(heights, rows=80, columns=80)
    terms = []
    for middle in (-14.0, 14.0):
        walls = Walls(gap_mm=GAP_MM, normal=(0.0, 0.0, 1.0), noise=5.0)
        volume = photograph(walls, offset=middle, grid=grid)
        value = caliper.measure(volume, *walls.edges(middle)).value
        assert isinstance(value, Measurement), str(value)
        terms.append({d.name: d.value for d in value.details}["u voxel"])
    assert terms == pytest.approx([0.02 * 0.6, 0.02 * 0.8], rel=0.01)


@pytest.mark.parametrize(
    "kind",
    ["tilted by +14° about rows", pytest.param("uneven", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    "fwhm",
    [pytest.param((0.0, 0.0, 0.0), marks=pytest.mark.slow), (1.3, 1.6, 1.6)],
)
def test_the_transplanted_noise_predicts_the_spread_of_repeats(
    kind: str, fwhm: tuple[float, float, float]
) -> None:
    walls = Walls(correlation_fwhm_mm=fwhm)
    places, predicted = [], []
    for seed in range(24):
        volume = photograph(walls, seed=seed, grid=STACKS[kind])
        start, end = walls.edges()
        line = line_between(start, end, towards=volume.grid.normal)
        bundle = Sampler(volume, [start, end], 8.0).bundle(
            line, (-6.0, 18.0), 0.2, 1.0, 5
        )
        found = edges.candidates(bundle, 0.0)
        edge = edges.fit(bundle, max(found, key=lambda c: c.score(0.0)))
        assert edge is not None
        blocks = noise.homogeneous_blocks(
            volume, np.zeros(3), floor=-200.0, residual=edge.residual
        )
        places.append(edge.t)
        predicted.append(noise.transplant(blocks, line, edge, seed=1))
    spread = np.std(places, ddof=1)
    # 24 repeats know their own SD to 15 %.
    assert np.sqrt(np.mean(np.square(predicted))) == pytest.approx(spread, rel=0.40)


def test_a_slope_along_the_stack_is_no_noise_whatever_the_gaps() -> None:
    """Blocks on an uneven stack are judged around their trend in mm."""
    grid = stack(UNEVEN)
    quiet = photograph(Walls(inside=0.0, wall=0.0, noise=20.0), grid=grid, seed=1)
    slope = np.round(60.0 * grid.slice_positions)[:, None, None].astype(np.int16)
    sloping = replace(quiet, voxels=quiet.voxels + slope)
    blocks = noise.homogeneous_blocks(sloping, np.zeros(3), floor=-1e4, residual=20.0)
    assert blocks.standard_deviation == pytest.approx(20.0, rel=0.05)
