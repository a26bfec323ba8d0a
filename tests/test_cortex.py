"""Cortical thickness on slabs of known width, thinner than the point spread included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from osteotrace import OsteotraceError
from osteotrace.measurements import cortex
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.phantoms.walls import Walls, photograph

DENSE = 1300.0


def slab(width: float, **changes: object) -> Walls:
    plain = Walls(
        gap_mm=20.0, wall=DENSE, normal=(0.2, 1.0, -0.1), spacing=(0.6, 0.5, 0.5)
    )
    return replace(plain, depth_mm=width, **changes)  # type: ignore[arg-type]


def outer_point(walls: Walls, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the far side of the second wall, and the direction into it."""
    start, end = walls.edges(offset)
    unit = (end - start) / np.linalg.norm(end - start)
    return end + walls.depth_mm * unit, -unit


def read(
    walls: Walls, *, seed: int, offset: float = 0.0, move: float = 0.4
) -> Measurement:
    point, into = outer_point(walls, offset)
    moved = point + np.random.default_rng(seed).normal(0, move, 3)
    volume = photograph(walls, offset=offset, seed=seed)
    value = cortex.thickness(volume, moved, into, density=DENSE).value
    assert isinstance(value, Measurement), str(value)
    return value


@pytest.mark.parametrize("width", [0.5, 0.75, 1.0, 2.0, 3.0])
def test_a_noise_free_cortex_is_read_to_a_hundredth(width: float) -> None:
    for offset in (0.0, 0.13, 0.31):
        value = read(slab(width, noise=0.0), seed=1, offset=offset)
        assert value.value == pytest.approx(width, abs=0.01)


def test_noise_leaves_no_bias_and_the_interval_covers() -> None:
    errors, covered = [], []
    for seed in range(20):
        correlation = (1.0, 1.0, 1.0) if seed % 2 else (0.0, 0.0, 0.0)
        walls = slab(0.75, noise=30.0, correlation_fwhm_mm=correlation)
        value = read(walls, seed=seed, offset=0.05 * seed)
        assert value.interval95 is not None
        errors.append(value.value - 0.75)
        covered.append(value.interval95[0] <= 0.75 <= value.interval95[1])
    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) < 0.03
    assert np.mean(covered) >= 0.9


def test_a_wrong_density_errs_by_its_share_and_the_uncertainty_says_so() -> None:
    walls = slab(1.0, noise=0.0)
    point, into = outer_point(walls)
    wrong = 1.1 * (DENSE - 50.0) + 50.0
    value = cortex.thickness(
        photograph(walls), point, into, density=wrong, density_uncertainty=125.0
    ).value
    assert isinstance(value, Measurement)
    assert value.value == pytest.approx(1.0 / 1.1, abs=0.02)
    terms = {d.name: d.value for d in value.details}
    assert terms["u density"] == pytest.approx(0.09, abs=0.02)
    assert value.interval95 is not None
    assert value.interval95[0] < 1.0 < value.interval95[1]


def test_thickness_is_perpendicular_whatever_the_direction_given() -> None:
    walls = slab(2.0, noise=0.0)
    point, into = outer_point(walls)
    oblique = into + 0.35 * np.array([1.0, 0.0, 0.3])
    value = cortex.thickness(photograph(walls), point, oblique, density=DENSE).value
    assert isinstance(value, Measurement)
    assert value.value == pytest.approx(2.0, abs=0.03)


def test_every_value_warns_of_its_low_reliability() -> None:
    value = read(slab(1.5), seed=3)
    assert cortex.LOW_RELIABILITY in value.flags


def test_a_density_read_from_the_image_is_said() -> None:
    walls = slab(3.0)
    point, into = outer_point(walls)
    value = cortex.thickness(photograph(walls), point, into).value
    assert isinstance(value, Measurement)
    assert any("density read from the image" in flag for flag in value.flags)
    assert value.interval95 is not None
    assert value.interval95[0] < 3.0 < value.interval95[1]


def test_the_same_input_gives_the_same_value() -> None:
    assert read(slab(1.0), seed=5) == read(slab(1.0), seed=5)


def reason(walls: Walls, point: np.ndarray, into: np.ndarray) -> str:
    value = cortex.thickness(photograph(walls), point, into, density=DENSE).value
    assert isinstance(value, NotMeasured)
    return value.reason


def test_soft_tissue_has_no_cortex() -> None:
    walls = slab(1.5)
    _, into = outer_point(walls)
    assert reason(walls, np.zeros(3), into)


def test_slices_far_thicker_than_the_cortex_are_refused() -> None:
    walls = slab(0.75, normal=(0.0, 0.1, 1.0), spacing=(3.0, 0.5, 0.5), noise=5.0)
    point, into = outer_point(walls)
    assert "slices blur" in reason(walls, point, into)


def test_a_point_outside_the_volume_is_an_error() -> None:
    walls = slab(1.5)
    with pytest.raises(OsteotraceError, match="outside the volume"):
        cortex.thickness(photograph(walls), [500.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    with pytest.raises(OsteotraceError, match="without length"):
        cortex.thickness(photograph(walls), np.zeros(3), [0.0, 0.0, 0.0])
