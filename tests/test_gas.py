"""Gas in bone and soft tissue against balls of known volume."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace import OsteotraceError
from osteotrace.measurements import gas
from osteotrace.measurements.measurement import (
    LesionReading,
    Measurement,
    NotMeasured,
)
from osteotrace.phantoms.in_memory import photograph, straight_grid, true_mask
from osteotrace.phantoms.rendering import Layer, Level, Part
from osteotrace.phantoms.shapes import ellipsoid, halfspace, tube, union
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from osteotrace.volume import Volume

LEVELS = {
    "soft tissue": Level(45.0),
    "gas": Level(-1000.0),
    "bone": Level(900.0),
}
CORNER = (14.0, 14.0, 14.0)
REGION = ellipsoid((0, 0, 0), (8.0, 8.0, 8.0))


def scene(
    radius: float,
    *,
    centre: tuple[float, float, float] = (0.2, -0.1, 0.3),
    spacing: tuple[float, float, float] = (1.0, 0.5, 0.5),
    noise: float = 30.0,
    correlated: bool = False,
    seed: int = 1,
    leak: bool = False,
    bone: bool = False,
) -> Volume:
    shape = ellipsoid(centre, (radius,) * 3)
    if leak:
        channel = tube([(0, 0), (0, 14)], [1.5, 1.5], axes=(0, 1))
        shape = union(shape, channel)
    layers = [Layer(shape=shape, tissue="gas")]
    if bone:
        wall = halfspace(0, -radius - 2.5, above=False)
        layers.insert(0, Layer(shape=wall, tissue="bone"))
    box = (tuple(-c for c in CORNER), CORNER)
    parts = [Part(name="scene", layers=tuple(layers), box=box)]
    grid = straight_grid([2 * c for c in CORNER], spacing, centre=(0, 0, 0))
    return photograph(
        parts, LEVELS, grid, noise=noise, seed=seed,
        correlation_fwhm_mm=(1.0, 1.0, 1.0) if correlated else (0, 0, 0),
    )  # fmt: skip


def around(volume: Volume, role: str = "region") -> Mask:
    return true_mask(REGION, volume.grid, role=role)


def measured(reading: LesionReading, name: str = "gas_volume") -> Measurement:
    value = reading[name]
    assert isinstance(value, Measurement), str(value)
    return value


def ball(radius: float) -> float:
    return float(4 / 3 * np.pi * radius**3)


@pytest.mark.parametrize("radius", [2.0, 3.0, 4.5])
@pytest.mark.parametrize("spacing", [(1.0, 0.5, 0.5), (2.0, 0.6, 0.6)])
def test_volume_of_a_ball_within_five_percent(
    radius: float, spacing: tuple[float, float, float]
) -> None:
    volume = scene(radius, spacing=spacing)
    value = measured(gas.measure(volume, around(volume)))
    assert value.value == pytest.approx(ball(radius), rel=0.05)
    assert value.unit == "mm3"


@pytest.mark.parametrize("spacing", [(1.0, 0.5, 0.5), (2.0, 0.6, 0.6)])
def test_a_small_pocket_is_measured_within_its_uncertainty(
    spacing: tuple[float, float, float],
) -> None:
    volume = scene(1.2, spacing=spacing)
    value = measured(gas.measure(volume, around(volume)))
    assert value.value == pytest.approx(ball(1.2), rel=0.15)
    low, high = value.interval95 or (0, 0)
    assert low <= ball(1.2) <= high


def test_a_count_of_dark_voxels_would_miss_a_third_of_a_small_pocket() -> None:
    volume = scene(1.2)
    dark = volume.rescaled() <= -500
    counted = dark.sum() * float(np.prod(volume.grid.spacing))
    assert counted < 0.85 * ball(1.2)


@pytest.mark.parametrize("correlated", [False, True])
def test_intervals_cover_the_truth(*, correlated: bool) -> None:
    covered = 0
    for seed in range(40):
        place = np.random.default_rng(seed).uniform(-0.5, 0.5, 3)
        volume = scene(
            2.2,
            centre=(float(place[0]), float(place[1]), float(place[2])),
            noise=45.0,
            correlated=correlated,
            seed=seed,
        )
        low, high = measured(gas.measure(volume, around(volume))).interval95 or (0, 0)
        covered += low <= ball(2.2) <= high
    # Of 40, a true coverage of 90 to 98 % gives at least 33 in 99 of 100 runs.
    assert covered >= 33


def test_bone_beside_the_gas_costs_little() -> None:
    volume = scene(2.5, bone=True)
    value = measured(gas.measure(volume, around(volume)))
    assert value.value == pytest.approx(ball(2.5), rel=0.06)


def test_enclosed_gas_does_not_touch_the_airway() -> None:
    volume = scene(2.0)
    value = measured(gas.measure(volume, around(volume)))
    details = {detail.name: detail.value for detail in value.details}
    assert details["touches airway (1 yes, 0 no, -1 unknown)"] == 0
    assert details["touches region border"] == 0
    assert value.flags == ()


def test_gas_that_goes_on_is_of_unknown_origin_until_the_airway_is_marked() -> None:
    volume = scene(2.0, leak=True)
    unknown = measured(gas.measure(volume, around(volume)))
    assert any("touches_airway unknown" in flag for flag in unknown.flags)
    assert any("goes on beyond" in flag for flag in unknown.flags)
    airway = true_mask(halfspace(1, 9.0, above=True), volume.grid, role="airway")
    known = measured(gas.measure(volume, around(volume), airway=airway))
    assert any(flag.startswith("touches_airway:") for flag in known.flags)
    elsewhere = true_mask(halfspace(1, -9.0, above=False), volume.grid, role="airway")
    free = measured(gas.measure(volume, around(volume), airway=elsewhere))
    assert not any("airway" in flag for flag in free.flags)


def test_the_lowest_voxel_is_given_without_an_uncertainty_and_says_why() -> None:
    volume = scene(4.0)
    lowest = measured(gas.measure(volume, around(volume)), "minimum_value")
    assert -1150 < lowest.value < -950
    assert lowest.uncertainty is None
    assert "one voxel" in lowest.uncertainty_reason


def test_a_pocket_smaller_than_the_blur_is_doubted() -> None:
    volume = scene(1.2)
    value = measured(gas.measure(volume, around(volume)))
    assert any("partial volume" in flag for flag in value.flags)


def test_the_same_input_gives_the_same_bytes() -> None:
    volume = scene(2.0)
    region = around(volume)
    assert gas.measure(volume, region) == gas.measure(volume, region)


def test_the_regions_are_the_gas_and_what_was_marked() -> None:
    volume = scene(3.0)
    reading = gas.measure(volume, around(volume))
    assert [region.role for region in reading.regions] == [gas.GAS, gas.REGION]
    assert measured(reading).region == gas.GAS


def refusal(reading: LesionReading) -> str:
    assert isinstance(reading.value, NotMeasured), str(reading.value)
    return reading.value.reason


def test_a_region_without_gas_is_refused() -> None:
    volume = scene(2.0)
    empty = true_mask(ellipsoid((9, 9, 9), (3, 3, 3)), volume.grid)
    reading = gas.measure(volume, empty)
    assert "no voxel of the region" in refusal(reading)
    # It was looked for and is not there, which is an answer.
    assert reading.presence == "absent"
    assert gas.measure(volume, around(volume)).presence == "present"


def test_grey_values_that_are_no_hu_are_refused() -> None:
    volume = replace(scene(2.0), unit="1")
    reading = gas.measure(volume, around(volume))
    assert "no Hounsfield units" in refusal(reading)
    # What the reader marked is there, whatever can be measured of it.
    assert reading.presence == "present"


def test_a_mask_of_another_grid_is_a_clear_error() -> None:
    volume = scene(2.0)
    other = straight_grid((28, 28, 28), (1.0, 0.7, 0.7), centre=(40, 0, 0))
    mask = Mask.of(
        np.ones(other.shape, bool), other, role="region", frame_of_reference_uid=""
    )
    with pytest.raises(OsteotraceError, match="not those of the image"):
        gas.measure(volume, mask)


def test_a_region_at_the_border_of_the_volume_says_so() -> None:
    volume = scene(2.0)
    whole = Mask.of(
        np.ones(volume.grid.shape, bool), volume.grid, role="region",
        frame_of_reference_uid="",
    )  # fmt: skip
    value = measured(gas.measure(volume, whole))
    assert any("border of the volume" in flag for flag in value.flags)


def test_what_was_done_to_the_voxels_is_told() -> None:
    volume = replace(scene(2.0), notes=("resampled",))
    assert "resampled" in measured(gas.measure(volume, around(volume))).flags
