"""Sclerotic rims and periosteal new bone of known thickness and extent."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace import OsteotraceError
from osteotrace.measurements import rims
from osteotrace.measurements.measurement import LesionReading, Measurement, NotMeasured
from osteotrace.phantoms import in_memory
from osteotrace.phantoms.rims import PeriostealBone, RimmedLesion
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

DENSITY = 1000.0


@functools.cache
def clean(scene: RimmedLesion | PeriostealBone) -> Array:
    return scene.clean()


def scan(scene: RimmedLesion | PeriostealBone, seed: int = 0) -> Volume:
    return in_memory.noisy(
        clean(scene), scene.grid, noise=30.0, correlation_fwhm_mm=(1.0,) * 3, seed=seed
    )


def measurement(reading: LesionReading, name: str) -> Measurement:
    value = reading[name]
    assert isinstance(value, Measurement), str(value)
    return value


def covers(value: Measurement, truth: float) -> bool:
    assert value.interval95 is not None
    return value.interval95[0] <= truth <= value.interval95[1]


@pytest.mark.parametrize(
    ("width", "covered"), [(1.0, 1.0), (1.5, 0.6), (1.5, 0.3), (2.5, 1.0)]
)
def test_a_rim_is_read_within_its_intervals(width: float, covered: float) -> None:
    scene = RimmedLesion(rim_mm=width, covered=covered)
    reading = rims.sclerotic_rim(scan(scene), scene.mask())
    thickness = measurement(reading, "sclerotic_rim_thickness")
    assert covers(thickness, width)
    assert thickness.value == pytest.approx(width, abs=0.35)
    assert covers(measurement(reading, "mean_value"), DENSITY)
    assert covers(measurement(reading, "sclerotic_rim_completeness"), 100 * covered)


def test_a_thin_rim_says_that_density_and_thickness_trade() -> None:
    scene = RimmedLesion(rim_mm=1.0)
    value = measurement(
        rims.sclerotic_rim(scan(scene), scene.mask()), "sclerotic_rim_thickness"
    )
    assert any("trade against" in flag for flag in value.flags)


def test_without_a_rim_there_is_no_thickness_and_no_completeness() -> None:
    scene = RimmedLesion(rim_mm=0.0)
    reading = rims.sclerotic_rim(scan(scene), scene.mask())
    thickness = reading["sclerotic_rim_thickness"]
    assert isinstance(thickness, NotMeasured)
    assert "no rim" in thickness.reason
    assert measurement(reading, "sclerotic_rim_completeness").value == 0.0


@pytest.mark.parametrize(
    ("thickness", "length", "gap"), [(1.5, 14.0, 0.0), (3.0, 18.0, 0.0), (2.5, 14.0, 1.0)]
)
def test_new_bone_is_read_within_its_intervals(
    thickness: float, length: float, gap: float
) -> None:
    scene = PeriostealBone(thickness_mm=thickness, length_mm=length, gap_mm=gap)
    reading = rims.periosteal_reaction(scan(scene), scene.region())
    assert covers(measurement(reading, "periosteal_thickness"), thickness)
    assert covers(measurement(reading, "periosteal_length"), length)


def test_bare_cortex_has_no_reaction() -> None:
    scene = PeriostealBone(thickness_mm=0.0)
    value = rims.periosteal_reaction(scan(scene), scene.region()).value
    assert isinstance(value, NotMeasured)
    assert "no new bone" in value.reason


def box_mask(volume: Volume, box: tuple[slice, slice, slice]) -> Mask:
    voxels = np.zeros(volume.grid.shape, dtype=bool)
    voxels[box] = True
    return Mask.of(voxels, volume.grid, role="region", frame_of_reference_uid="")


@pytest.mark.parametrize("measure", [rims.sclerotic_rim, rims.periosteal_reaction])
def test_bad_regions_name_their_reason(measure) -> None:  # type: ignore[no-untyped-def]
    scene = RimmedLesion()
    volume = scan(scene)
    one = box_mask(volume, (slice(5, 6), slice(9, 10), slice(9, 10)))
    value = measure(volume, one).value
    assert isinstance(value, NotMeasured)
    assert "one voxel" in value.reason
    metal = clean(scene).copy()
    at = np.argwhere(scene.mask().on(scene.grid))[50]
    metal[tuple(at)] = 7000.0
    value = measure(in_memory.as_volume(metal, scene.grid), scene.mask()).value
    assert isinstance(value, NotMeasured)
    assert "metal" in value.reason
    with pytest.raises(OsteotraceError, match="voxels are not those of the image"):
        measure(volume, replace(scene, spacing=(0.7, 0.5, 0.5)).mask())


def test_soft_tissue_has_no_periosteum() -> None:
    scene = PeriostealBone()
    noise = np.random.default_rng(2).normal(50, 30, scene.grid.shape)
    volume = in_memory.as_volume(noise, scene.grid)
    value = rims.periosteal_reaction(volume, scene.region()).value
    assert isinstance(value, NotMeasured)
    assert "no bone" in value.reason


def test_thick_slices_and_uncalibrated_values_are_said() -> None:
    scene = RimmedLesion(rim_mm=2.5, spacing=(2.0, 0.5, 0.5))
    volume = replace(scan(scene), unit="1")
    value = measurement(
        rims.sclerotic_rim(volume, scene.mask()), "sclerotic_rim_completeness"
    )
    assert any("2.0 mm apart" in flag for flag in value.flags)
    assert any("uncalibrated" in flag for flag in value.flags)


def test_the_same_input_gives_the_same_reading() -> None:
    scene = RimmedLesion(rim_mm=2.5)
    volume = scan(scene)
    first = rims.sclerotic_rim(volume, scene.mask())
    assert first == rims.sclerotic_rim(volume, scene.mask())
