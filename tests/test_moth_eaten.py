"""Moth-eaten destruction against jaws with holes of known share."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import osteotrace as ot
from osteotrace import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.measurements import moth_eaten
from osteotrace.measurements.measurement import LesionReading, Measurement, NotMeasured
from osteotrace.phantoms import in_memory
from osteotrace.phantoms.cortices import EatenJaw
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

CORRELATED = (1.0, 1.0, 1.0)
THIN = EatenJaw(cortex_mm=0.75, density="osteoporotic", seed=7)
EATEN = EatenJaw(cortex_mm=1.5, destroyed=0.12, seed=4)


@functools.cache
def clean(jaw: EatenJaw) -> Array:
    return jaw.clean()


def scan(jaw: EatenJaw, *, noise: float = 30.0, seed: int = 0) -> Volume:
    return in_memory.noisy(
        clean(jaw), jaw.grid, noise=noise, correlation_fwhm_mm=CORRELATED, seed=seed
    )


@functools.cache
def eaten() -> tuple[Volume, Mask, LesionReading]:
    """Return one scan of the eaten jaw, its region and what is read from them."""
    volume, region = scan(EATEN), EATEN.region()
    return volume, region, moth_eaten.measure(volume, region)


def fraction(reading: LesionReading) -> Measurement:
    value = reading.value
    assert isinstance(value, Measurement), str(value)
    assert value.name == "cortical_breach_fraction"
    return value


@pytest.mark.parametrize(
    "jaw",
    [
        THIN,
        EatenJaw(cortex_mm=0.75, seed=3),
        EatenJaw(cortex_mm=1.5, density="osteoporotic", seed=5, spacing=(1.0, 0.5, 0.5)),
        EatenJaw(cortex_mm=3.0, seed=6),
    ],
    ids=["thin osteoporotic", "thin", "osteoporotic", "thick"],
)
@pytest.mark.parametrize("noise", [pytest.param(30.0, marks=pytest.mark.slow), 60.0])
def test_intact_cortex_has_no_breach(jaw: EatenJaw, noise: float) -> None:
    reading = moth_eaten.measure(scan(jaw, noise=noise), jaw.region())
    value = fraction(reading)
    assert value.value < 0.7
    assert value.interval95 is not None
    assert value.interval95[0] == 0.0


@pytest.mark.parametrize(
    "jaw",
    [
        replace(THIN, destroyed=0.02),
        EatenJaw(cortex_mm=3.0, destroyed=0.02, seed=9, spacing=(1.0, 0.5, 0.5)),
    ],
    ids=["thin osteoporotic", "thick"],
)
def test_two_percent_of_the_cortex_stand_out(jaw: EatenJaw) -> None:
    for noise in (30.0, 60.0):
        reading = moth_eaten.measure(scan(jaw, noise=noise), jaw.region())
        assert fraction(reading).value > 1.0
        count = reading["breach_count"]
        assert isinstance(count, Measurement)
        assert count.value >= 1


def test_the_fraction_is_the_share_of_the_cortex_within_its_interval() -> None:
    value = fraction(eaten()[2])
    truth = 100 * EATEN.holes.share
    assert value.interval95 is not None
    assert value.interval95[0] <= truth <= value.interval95[1]
    assert value.value == pytest.approx(truth, rel=0.25)
    terms = [d.value for d in value.details if d.name.startswith("u ")]
    assert value.uncertainty == pytest.approx(np.linalg.norm(terms))


def test_twice_the_noise_moves_the_fraction_by_less_than_a_tenth() -> None:
    readings = [
        fraction(moth_eaten.measure(scan(EATEN, noise=n, seed=2), EATEN.region()))
        for n in (30.0, 60.0)
    ]
    assert readings[1].value == pytest.approx(readings[0].value, rel=0.1)


def test_the_fraction_rises_with_the_share_destroyed() -> None:
    shares = [0.0, 0.04, 0.1, 0.25]
    jaw = EatenJaw(cortex_mm=1.0, seed=11, spacing=(1.0, 0.6, 0.6), half_length_mm=8.0)
    jaws = [replace(jaw, destroyed=share) for share in shares]
    values = [fraction(moth_eaten.measure(scan(j), j.region())).value for j in jaws]
    assert values == sorted(values)


def test_trabecular_loss_is_read_against_the_other_side() -> None:
    jaw = EatenJaw(lucent=0.2, both_sides=True, seed=2, half_length_mm=9.0)
    reading = moth_eaten.measure(
        scan(jaw), jaw.region(), reference=jaw.region(other_side=True)
    )
    lucent = reading["trabecular_lucent_fraction"]
    assert isinstance(lucent, Measurement), str(lucent)
    assert lucent.interval95 is not None
    assert lucent.interval95[0] <= 100 * jaw.caverns.share <= lucent.interval95[1]
    reference = {d.name: d.value for d in fraction(reading).details}["u reference side"]
    assert reference < 0.7


def test_without_a_reference_side_trabecular_loss_is_not_measured() -> None:
    lucent = eaten()[2]["trabecular_lucent_fraction"]
    assert isinstance(lucent, NotMeasured)
    assert "no reference side" in lucent.reason


def test_marrow_as_dark_as_soft_tissue_hides_trabecular_loss_and_says_so() -> None:
    jaw = EatenJaw(
        density="osteoporotic",
        both_sides=True,
        seed=2,
        half_length_mm=9.0,
        lucent=0.1,
        spacing=(1.0, 0.6, 0.6),
    )
    reading = moth_eaten.measure(
        scan(jaw), jaw.region(), reference=jaw.region(other_side=True)
    )
    lucent = reading["trabecular_lucent_fraction"]
    assert isinstance(lucent, NotMeasured)
    assert "no denser than soft tissue" in lucent.reason


def test_the_region_keeps_its_drawn_volume_and_marks_what_is_breached() -> None:
    _, region, reading = eaten()
    drawn = reading["voxel_volume"]
    assert isinstance(drawn, Measurement)
    expected = region.voxels.sum() * np.prod(EATEN.spacing)
    assert drawn.value == pytest.approx(expected)
    marked = {r.role: r for r in reading.regions}[moth_eaten.BREACHED]
    assert isinstance(marked, Mask)
    inside = marked.on(EATEN.grid)
    assert inside.any()
    assert not (inside & ~region.on(EATEN.grid)).any()


def test_the_same_input_gives_the_same_reading() -> None:
    _, _, reading = eaten()
    assert moth_eaten.measure(scan(EATEN), EATEN.region()) == reading


def test_sources_are_the_slices_of_the_region() -> None:
    _, region, reading = eaten()
    value = fraction(reading)
    assert len(value.sources) == len(region.origins)


def box_mask(volume: Volume, box: tuple[slice, slice, slice]) -> Mask:
    voxels = np.zeros(volume.grid.shape, dtype=bool)
    voxels[box] = True
    return Mask.of(
        voxels, volume.grid, role="region", frame_of_reference_uid="", source_instances=()
    )


def not_measured_reason(reading: LesionReading) -> str:
    for name in ("cortical_breach_fraction", "breach_count", "breach_area"):
        assert isinstance(reading[name], NotMeasured)
    value = reading.value
    assert isinstance(value, NotMeasured)
    return value.reason


def test_a_one_voxel_region_is_not_measured() -> None:
    volume, _, _ = eaten()
    region = box_mask(volume, (slice(20, 21), slice(20, 21), slice(20, 21)))
    assert "one voxel" in not_measured_reason(moth_eaten.measure(volume, region))


def test_a_region_of_soft_tissue_has_no_bone() -> None:
    volume = in_memory.as_volume(
        np.random.default_rng(1).normal(50, 30, EATEN.grid.shape), EATEN.grid
    )
    reason = not_measured_reason(moth_eaten.measure(volume, EATEN.region()))
    assert "no bone" in reason


def test_a_region_inside_the_marrow_has_no_cortex() -> None:
    volume, _, _ = eaten()
    middle = volume.grid.to_index(EATEN.pose.to_patient([0.0, 0.0, 0.0])).round()
    k, i, j = middle.astype(int).tolist()
    region = box_mask(volume, (slice(k, k + 3), slice(i, i + 3), slice(j, j + 3)))
    assert "no cortex" in not_measured_reason(moth_eaten.measure(volume, region))


def test_metal_in_the_region_is_refused() -> None:
    values = clean(EATEN).copy()
    at = np.argwhere(EATEN.region().on(EATEN.grid))[500]
    values[tuple(slice(x, x + 4) for x in at)] = 6000.0
    volume = in_memory.as_volume(values, EATEN.grid)
    assert "metal" in not_measured_reason(moth_eaten.measure(volume, EATEN.region()))


def test_metal_beside_the_region_is_flagged() -> None:
    values = clean(EATEN).copy()
    inside = np.argwhere(EATEN.region().on(EATEN.grid))
    values[:3, int(inside[:, 1].mean()), :3] = 6000.0
    volume = in_memory.as_volume(values, EATEN.grid)
    value = fraction(moth_eaten.measure(volume, EATEN.region()))
    assert any("metal near" in flag for flag in value.flags)
    assert value.value == pytest.approx(100 * EATEN.holes.share, rel=0.25)


def test_a_mask_of_another_image_is_an_error() -> None:
    other = replace(EATEN, seed=99)
    with pytest.raises(OsteotraceError, match="voxels are not those of the image"):
        moth_eaten.measure(scan(EATEN), other.region())


def test_thick_slices_are_flagged_and_too_thick_ones_refused() -> None:
    thick = replace(EATEN, spacing=(2.0, 0.5, 0.5))
    value = fraction(moth_eaten.measure(scan(thick), thick.region()))
    assert any("too thick" in flag for flag in value.flags)
    hopeless = replace(THIN, spacing=(4.0, 0.5, 0.5))
    reading = moth_eaten.measure(scan(hopeless), hopeless.region())
    assert "times the cortex" in not_measured_reason(reading)


def test_uncalibrated_grey_values_are_allowed_and_said() -> None:
    volume, region, reading = eaten()
    value = fraction(moth_eaten.measure(replace(volume, unit="1"), region))
    assert any("uncalibrated" in flag for flag in value.flags)
    assert value.value == pytest.approx(fraction(reading).value)


def test_a_grey_scale_of_another_slope_gives_the_same_fraction() -> None:
    volume, region, reading = eaten()
    shifted = in_memory.as_volume(0.8 * volume.voxels + 120.0, EATEN.grid)
    value = fraction(moth_eaten.measure(shifted, region)).value
    assert value == pytest.approx(fraction(reading).value, rel=0.03)


def test_a_tilted_stack_is_resampled_and_says_so() -> None:
    jaw = EATEN
    grid = jaw.grid
    lean = np.tan(np.radians(12)) * (grid.origins[:, 2] - grid.origins[:, 2].mean())
    tilted = Grid(
        row_direction=grid.row_direction,
        column_direction=grid.column_direction,
        pixel_spacing=grid.pixel_spacing,
        origins=grid.origins + lean[:, None] * grid.column_direction,
        rows=grid.rows,
        columns=grid.columns,
    )
    from osteotrace.phantoms.cortices import LEVELS
    from osteotrace.phantoms.rendering import render

    values = render(
        jaw.parts(), LEVELS["normal"], tilted, jaw.pose, background="soft tissue",
        psf_sigma_mm=(0.6, 0.6, 0.6),
    )  # fmt: skip
    volume = in_memory.noisy(values, tilted, noise=30.0)
    region = jaw.region_on(tilted)
    value = fraction(moth_eaten.measure(volume, region))
    assert any("resampled" in flag for flag in value.flags)
    assert value.value == pytest.approx(100 * jaw.holes.share, rel=0.25)


def test_an_intact_jaw_at_3_mm_slices_reads_a_range_from_zero(real_dicom: Path) -> None:
    volume = ot.load(real_dicom / "jaw_ct_cerr")
    right = box_mask(volume, (slice(1, 7), slice(155, 185), slice(200, 236)))
    left = box_mask(volume, (slice(1, 7), slice(155, 185), slice(256, 292)))
    sides = [
        fraction(moth_eaten.measure(volume, own, reference=other))
        for own, other in ((right, left), (left, right))
    ]
    for value in sides:
        assert value.is_range
        assert value.interval95 is not None
        assert value.interval95[0] == 0.0
        assert any("too thick" in flag for flag in value.flags)
    assert sides[0].value == pytest.approx(sides[1].value, abs=4.0)
