"""Grey values of a region, and what the image's correlated noise does to their mean."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.measurements import intensity
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.phantoms.in_memory import (
    FRAME_OF_REFERENCE_UID,
    as_volume,
    noisy,
    straight_grid,
    true_mask,
)
from osteotrace.phantoms.shapes import ellipsoid
from osteotrace.regions import Mask
from osteotrace.segmentation import marked
from osteotrace.volume import ARBITRARY

if TYPE_CHECKING:
    from osteotrace.geometry import Array, Grid
    from osteotrace.volume import Volume

SPACING = (1.5, 0.9, 0.8)
GRID = straight_grid((50.0, 44.0, 42.0), SPACING, centre=(0.0, -10.0, 30.0))
BALL = ellipsoid((1.0, -9.0, 31.0), (6.0, 5.0, 6.0))
CORRELATED = (1.6, 1.5, 1.5)


CENTRE = (1.2, -9.3, 31.4)


def tilted(grid: Grid) -> Grid:
    """Return a grid whose slices are sheared by 15°, as a gantry tilt leaves them."""
    origins = grid.origins.copy()
    origins[:, 1] += np.tan(np.radians(15)) * (grid.slice_positions - CENTRE[2])
    return replace(grid, origins=origins)


def uneven(grid: Grid) -> Grid:
    """Return a grid whose upper half has twice the gap."""
    origins = grid.origins.copy()
    half = len(origins) // 2
    origins[half:, 2] += grid.slice_positions[half:] - grid.slice_positions[half - 1]
    return replace(grid, origins=origins)


def bright(grid: Grid, *shown: Mask, noise: float = 20.0) -> Volume:
    """Return an image of soft tissue where masks are bright."""
    clean = np.full(grid.shape, 60.0)
    for mask in shown:
        clean[mask.on(grid)] = 760.0
    return noisy(clean, grid, noise=noise)


def marked_ball(grid: Grid, radius: float) -> Mask:
    return marked.ball(
        as_volume(np.zeros(grid.shape), grid), CENTRE, radius, role="drawn"
    )


def marked_box(grid: Grid, size: Array, middle: Array) -> Mask:
    corners = (middle + step * size for step in (-0.5, 0.5))
    return marked.box(as_volume(np.zeros(grid.shape), grid), *corners, role="drawn")


def value(reading: Measurement | NotMeasured) -> Measurement:
    assert isinstance(reading, Measurement), str(reading)
    return reading


def voxels(*indices: tuple[int, int, int]) -> Mask:
    marked = np.zeros(GRID.shape, dtype=bool)
    for index in indices:
        marked[index] = True
    return Mask.of(
        marked, GRID, role="drawn", frame_of_reference_uid=FRAME_OF_REFERENCE_UID
    )


def test_the_five_values_are_those_of_the_voxels_of_the_region() -> None:
    volume = noisy(np.full(GRID.shape, 60.0), GRID, noise=25.0, seed=1)
    mask = true_mask(BALL, GRID)
    inside = volume.rescaled()[mask.on(GRID)]
    reading = intensity.measure(volume, mask)
    assert reading.value.name == "mean_value"
    expected = {
        "mean_value": inside.mean(),
        "median_value": np.median(inside),
        "value_sd": inside.std(ddof=1),
        "minimum_value": inside.min(),
        "maximum_value": inside.max(),
    }
    for name, number in expected.items():
        found = value(reading[name])
        assert found.value == pytest.approx(number)
        assert found.unit == "[hnsf'U]"
        assert not found.flags
        assert set(found.sources) <= {i.source for i in volume.instances}
        assert len(found.sources) == mask.voxels.shape[0]


@pytest.mark.parametrize("correlation", [(0.0, 0.0, 0.0), CORRELATED])
def test_intervals_of_mean_and_median_hold_the_truth(
    correlation: tuple[float, float, float],
) -> None:
    clean = np.full(GRID.shape, 60.0)
    repeats = 40
    held = {"mean_value": 0, "median_value": 0}
    naive = 0
    for seed in range(repeats):
        x, y, z = np.random.default_rng(seed).uniform(-4, 4, 3).tolist()
        mask = true_mask(ellipsoid((x, y - 10, z + 30), (6.0, 5.0, 6.0)), GRID)
        volume = noisy(
            clean, GRID, noise=30.0, correlation_fwhm_mm=correlation, seed=seed
        )
        reading = intensity.measure(volume, mask)
        for name in held:
            low, high = value(reading[name]).interval95 or (0, 0)
            held[name] += low <= 60.0 <= high
        inside = volume.rescaled()[mask.on(GRID)]
        off = abs(inside.mean() - 60.0)
        naive += bool(off <= 1.96 * inside.std() / np.sqrt(len(inside)))
    # 95 % of 40 is 38; three binomial SD allow 33.9.
    assert min(held.values()) >= 34
    if any(correlation):
        assert naive < 34


def test_the_uncertainty_grows_with_correlation_at_the_same_noise() -> None:
    clean, mask = np.full(GRID.shape, 60.0), true_mask(BALL, GRID)
    white = value(intensity.measure(noisy(clean, GRID, noise=30.0), mask).value)
    correlated = noisy(clean, GRID, noise=30.0, correlation_fwhm_mm=CORRELATED)
    other = value(intensity.measure(correlated, mask).value)
    assert white.uncertainty is not None
    assert other.uncertainty is not None
    count = mask.voxels.sum()
    assert white.uncertainty == pytest.approx(30 / np.sqrt(count), rel=0.25)
    assert other.uncertainty > 1.4 * white.uncertainty


GRIDS = [GRID, tilted(GRID), uneven(GRID)]


@pytest.mark.parametrize("grid", GRIDS, ids=["even", "tilted", "uneven"])
def test_the_volume_is_the_sum_of_the_voxels_and_its_interval_holds_a_balls(
    grid: Grid,
) -> None:
    radius = 7.0
    ball = marked_ball(grid, radius)
    reading = intensity.measure(bright(grid, ball), ball)
    found = value(reading.measurements[-1])
    assert (found.name, found.unit) == ("voxel_volume", "mm3")
    gaps = np.gradient(grid.slice_positions)
    per_slice = ball.on(grid).sum(axis=(1, 2)) * gaps
    assert found.value == pytest.approx(per_slice.sum() * 0.9 * 0.8)
    truth = 4 / 3 * np.pi * radius**3
    assert found.value == pytest.approx(truth, rel=0.03)
    low, high = found.interval95 or (0, 0)
    assert low <= truth <= high
    assert found.uncertainty is not None
    assert found.uncertainty < 0.1 * truth
    assert set(found.sources) == set(value(reading.value).sources)


def test_intervals_hold_boxes_whose_faces_fall_anywhere_between_voxels() -> None:
    # Whole planes of voxels are in or out together: sums are off by several percent.
    small = straight_grid((30.0, 30.0, 30.0), SPACING, centre=CENTRE)
    held = repeats = 0
    errors = []
    for grid in (small, tilted(small), uneven(small)):
        for seed in range(10):
            generator = np.random.default_rng(seed)
            middle = np.array(CENTRE) + generator.uniform(-1.5, 1.5, 3)
            size = generator.uniform(9.0, 14.0, 3)
            box = marked_box(grid, size, middle)
            found = value(intensity.measure(bright(grid, box), box)["voxel_volume"])
            low, high = found.interval95 or (0, 0)
            held += low <= size.prod() <= high
            repeats += 1
            errors.append(found.value / size.prod() - 1)
            assert found.uncertainty is not None
            assert found.uncertainty < 0.15 * found.value
    assert np.std(errors) > 0.04
    # 95 % less three binomial SD.
    assert held / repeats >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / repeats)


def test_a_region_drawn_beside_the_border_that_is_seen_has_a_less_certain_volume() -> (
    None
):
    ball, wide = marked_ball(GRID, 6.0), marked_ball(GRID, 7.0)
    volume = bright(GRID, ball)
    tight = value(intensity.measure(volume, ball)["voxel_volume"])
    loose = value(intensity.measure(volume, wide)["voxel_volume"])
    assert loose.value == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.03)
    for found in (tight, loose):
        low, high = found.interval95 or (0, 0)
        assert low <= 4 / 3 * np.pi * 6**3 <= high
    assert (loose.uncertainty or 0) > 2 * (tight.uncertainty or 0)


def test_a_border_that_is_not_seen_is_as_drawn_and_said() -> None:
    ball = marked_ball(GRID, 6.0)
    found = value(intensity.measure(bright(GRID), ball)["voxel_volume"])
    assert "not seen in the image" in found.definition
    seen = value(intensity.measure(bright(GRID, ball), ball)["voxel_volume"])
    assert "not seen" not in seen.definition
    assert (found.uncertainty or 0) > (seen.uncertainty or 0)


def test_one_voxel_has_the_noise_of_one_voxel_and_no_spread() -> None:
    volume = noisy(np.full(GRID.shape, 60.0), GRID, noise=30.0)
    reading = intensity.measure(volume, voxels((14, 20, 30)))
    mean = value(reading.value)
    assert mean.uncertainty == pytest.approx(30.0, rel=0.1)
    assert "the region is a single voxel" in mean.flags
    assert isinstance(reading["value_sd"], NotMeasured)
    assert "one voxel has no spread" in str(reading["value_sd"])


def test_cone_beam_values_are_marked_as_uncalibrated() -> None:
    volume = noisy(np.full(GRID.shape, 60.0), GRID, noise=30.0)
    # What loading gives for a cone beam CT: modality CT, but no Hounsfield unit.
    mean = value(
        intensity.measure(replace(volume, unit=ARBITRARY), true_mask(BALL, GRID)).value
    )
    assert mean.unit == "1"
    assert intensity.UNCALIBRATED in mean.flags
    # Grey values that mean nothing do not make a volume less.
    size = intensity.measure(replace(volume, unit=ARBITRARY), true_mask(BALL, GRID))
    assert not value(size["voxel_volume"]).flags


def test_mr_signal_says_that_only_ratios_compare() -> None:
    volume = noisy(np.full(GRID.shape, 200.0), GRID, noise=10.0, modality="MR")
    mean = value(intensity.measure(volume, true_mask(BALL, GRID)).value)
    assert mean.unit == "1"
    assert intensity.NO_UNIT in mean.flags


@pytest.mark.parametrize(
    ("place", "words"), [((14, 24, 31), "metal in"), ((14, 24, 41), "metal within")]
)
def test_metal_in_or_beside_a_region_is_flagged(
    place: tuple[int, int, int], words: str
) -> None:
    clean = np.full(GRID.shape, 60.0)
    mask = true_mask(BALL, GRID)
    inside = np.argwhere(mask.on(GRID))
    if words == "metal within":
        k, row, column = inside.max(axis=0).tolist()
        place = (k + 1, row, column)
    clean[place] = 3071.0
    volume = noisy(clean, GRID, noise=5.0)
    assert any(
        words in flag for flag in value(intensity.measure(volume, mask).value).flags
    )


def test_a_region_of_mostly_border_voxels_says_partial_volume() -> None:
    volume = noisy(np.full(GRID.shape, 60.0), GRID, noise=30.0)
    thin = true_mask(ellipsoid((1.0, -9.0, 31.0), (6.0, 6.0, 1.5)), GRID)
    flags = value(intensity.measure(volume, thin).value).flags
    assert any("partial volume" in flag for flag in flags)


def test_what_was_done_to_the_voxels_stays_with_every_value() -> None:
    volume = replace(
        noisy(np.full(GRID.shape, 60.0), GRID, noise=30.0), notes=("two slices missing",)
    )
    for reading in intensity.measure(volume, true_mask(BALL, GRID)).measurements:
        assert "two slices missing" in value(reading).flags


def test_a_small_region_without_any_homogeneous_block_has_no_uncertainty() -> None:
    grid = straight_grid((6.0, 6.0, 6.0), (1.0, 1.0, 1.0), centre=(0.0, 0.0, 0.0))
    marked = np.zeros(grid.shape, dtype=bool)
    marked[2:4, 3, 3] = True
    mask = Mask.of(marked, grid, role="drawn", frame_of_reference_uid="")
    volume = noisy(np.full(grid.shape, 60.0), grid, noise=30.0)
    reading = intensity.measure(volume, mask)
    for name, number in (("mean_value", None), ("voxel_volume", 2.0)):
        found = value(reading[name])
        assert found.uncertainty is None
        assert "no homogeneous block" in found.uncertainty_reason
        assert number is None or found.value == pytest.approx(number)


def test_a_mask_off_the_volume_or_of_another_frame_is_refused() -> None:
    volume = noisy(np.full(GRID.shape, 60.0), GRID, noise=30.0)
    far = straight_grid((50.0, 44.0, 42.0), SPACING, centre=(0.0, -10.0, 90.0))
    marked = np.ones(far.shape, dtype=bool)
    off = Mask.of(marked, far, role="drawn", frame_of_reference_uid="")
    with pytest.raises(OsteotraceError, match="not those of the image"):
        intensity.measure(volume, off)
    other = Mask.of(marked, GRID, role="drawn", frame_of_reference_uid="2.25.99")
    with pytest.raises(OsteotraceError, match="another frame of reference"):
        intensity.measure(volume, other)


def test_voxels_without_a_finite_value_are_refused() -> None:
    volume = as_volume(np.full(GRID.shape, 60.0), GRID)
    holes = np.full(GRID.shape, 60.0, dtype=np.float32)
    holes[14, 20, 30] = np.nan
    with pytest.raises(OsteotraceError, match="without a finite value"):
        intensity.measure(replace(volume, voxels=holes), voxels((14, 20, 30)))


def test_a_single_slice_says_so_and_its_own_spread_stands_for_the_noise() -> None:
    grid = GRID.cropped((slice(14, 15), slice(0, GRID.rows), slice(0, GRID.columns)))
    volume = noisy(np.full(GRID.shape, 60.0), GRID, noise=30.0).cropped(
        (slice(14, 15), slice(0, GRID.rows), slice(0, GRID.columns))
    )
    marked = np.zeros(grid.shape, dtype=bool)
    marked[0, 15:25, 20:30] = True
    mask = Mask.of(marked, grid, role="drawn", frame_of_reference_uid="")
    reading = intensity.measure(volume, mask)
    mean = value(reading.value)
    assert mean.uncertainty == pytest.approx(3.0, rel=0.5)
    assert "the region itself" in mean.definition
    assert isinstance(reading["voxel_volume"], NotMeasured)
    assert "a single slice has no thickness" in str(reading["voxel_volume"])
    assert any("single slice" in flag for flag in mean.flags)


def test_unevenly_spaced_slices_are_measured_where_they_lie_and_flagged() -> None:
    origins = GRID.origins.copy()
    origins[20:, 2] += 1.5
    grid = replace(GRID, origins=origins)
    volume = noisy(np.full(grid.shape, 60.0), GRID, noise=30.0)
    volume = replace(volume, grid=grid)
    mean = value(intensity.measure(volume, true_mask(BALL, grid)).value)
    assert mean.value == pytest.approx(60.0, abs=4.0)
    assert any("unevenly spaced" in flag for flag in mean.flags)


def test_the_same_input_gives_the_same_reading() -> None:
    volume = noisy(np.full(GRID.shape, 60.0), GRID, noise=30.0, seed=4)
    mask = true_mask(BALL, GRID)
    assert intensity.measure(volume, mask) == intensity.measure(volume, mask)
