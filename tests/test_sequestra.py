"""Sequestra against fragments of known size in a lucent cavity."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace import OsteotraceError, geometry
from osteotrace.measurements import sequestra
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.phantoms import fragments
from osteotrace.phantoms.in_memory import noisy, straight_grid
from osteotrace.phantoms.rendering import Pose, render
from osteotrace.regions import Mask, Polyline

if TYPE_CHECKING:
    from osteotrace.geometry import Array, Grid
    from osteotrace.measurements.measurement import LesionReading
    from osteotrace.measurements.sequestra import SequestraReading
    from osteotrace.phantoms.fragments import Fragment, Scene
    from osteotrace.volume import Volume

FINE = (1.0, 0.5, 0.5)


def clean(scene: Scene, grid: Grid) -> Array:
    return render(
        scene.parts, scene.levels, grid, Pose.turned(),
        background="soft tissue", psf_sigma_mm=(0.6, 0.6, 0.6), subsamples=(3, 3, 3),
    )  # fmt: skip


def photographed(
    scene: Scene,
    *,
    spacing: tuple[float, float, float] = FINE,
    noise: float = 30.0,
    seed: int = 1,
) -> tuple[Volume, Mask]:
    grid = scene.grid(spacing)
    volume = noisy(clean(scene, grid), grid, noise=noise, seed=seed)
    return volume, scene.region(grid)


@cache
def three() -> tuple[Scene, Volume, Mask, SequestraReading]:
    scene = fragments.scene(5, count=3, diameters_mm=(5.0, 9.0))
    volume, region = photographed(scene)
    return scene, volume, region, sequestra.find(volume, region)


def measured(reading: LesionReading, name: str) -> Measurement:
    value = reading[name]
    assert isinstance(value, Measurement), str(value)
    return value


def count(reading: SequestraReading) -> int:
    value = reading.summary.value
    assert isinstance(value, Measurement), str(value)
    return round(value.value)


def pairs(
    scene: Scene, reading: SequestraReading
) -> list[tuple[Fragment, LesionReading | None]]:
    """Return each true fragment with the reading whose voxels lie in it."""
    found = []
    for fragment in scene.fragments:
        match = None
        for one in reading.fragments:
            mask = one.regions[0]
            assert isinstance(mask, Mask)
            points = mask.grid.to_patient(np.argwhere(mask.voxels))
            if (fragment.shape(points.T) < 0.3).mean() > 0.6:
                match = one
        found.append((fragment, match))
    return found


def test_finds_every_fragment_and_nothing_else() -> None:
    scene, _, _, reading = three()
    assert count(reading) == len(scene.fragments) == 3
    assert all(one is not None for _, one in pairs(scene, reading))


def test_size_and_volume_of_each_fragment() -> None:
    scene, _, _, reading = three()
    for truth, one in pairs(scene, reading):
        assert one is not None
        length = measured(one, "longest_diameter")
        assert length.value == pytest.approx(truth.longest_diameter, abs=0.4)
        volume = measured(one, "excess_density_volume")
        assert volume.value == pytest.approx(truth.volume, rel=0.12)
        low, high = volume.interval95 or (0, 0)
        assert low <= truth.volume <= high


def test_the_longest_comes_first() -> None:
    _, _, _, reading = three()
    lengths = [measured(one, "longest_diameter").value for one in reading.fragments]
    assert lengths == sorted(lengths, reverse=True)


def test_the_value_is_the_length_of_the_stored_line() -> None:
    _, volume, _, reading = three()
    for one in reading.fragments:
        mask, line = one.regions
        assert isinstance(mask, Mask)
        assert isinstance(line, Polyline)
        assert mask.on(volume.grid).sum() == mask.voxels.sum()
        value = measured(one, "longest_diameter")
        assert value.region == line.role
        assert value.value == geometry.distance(*line.points)
        assert value.sources == line.source_instances


def test_values_say_what_partial_volume_does_to_them() -> None:
    scene, _, _, reading = three()
    for truth, one in pairs(scene, reading):
        assert one is not None
        median = measured(one, "median_value")
        assert median.unit == "[hnsf'U]"
        # Voxels of small pieces are hundreds of HU too low; the fitted value is not.
        assert median.value < truth.value
        fitted = {d.name: d.value for d in median.details}["fitted value of the fragment"]
        assert fitted == pytest.approx(truth.value, abs=150)
        assert any("partial volume" in flag for flag in median.flags)
        contrast = measured(one, "contrast_to_host")
        bone = {d.name: d.value for d in contrast.details}["bone around"]
        assert contrast.value == pytest.approx(median.value - bone)


def test_separated_fragments_are_complete() -> None:
    _, _, _, reading = three()
    for one in reading.fragments:
        value = measured(one, "separated_fraction")
        assert value.value > 98
        assert value.unit == "%"


def test_rim_width_towards_a_sclerotic_wall() -> None:
    for seed in range(9):
        scene = fragments.scene(seed, count=1, diameters_mm=(6.0, 8.0))
        if len(scene.parts[1].layers) < 3:
            continue
        volume, region = photographed(scene)
        (one,) = sequestra.find(volume, region).fragments
        truth = scene.fragments[0]
        ticks = np.linspace(-truth.reach_mm, truth.reach_mm, 60)
        axes = np.meshgrid(ticks, ticks, ticks, indexing="ij")
        points = np.stack([axis.ravel() for axis in axes]) + truth.centre[:, None]
        surface = points[:, np.abs(truth.shape(points)) < 0.1]
        rim = one["lucent_rim_width"]
        if isinstance(rim, NotMeasured):
            assert "over 6 mm" in rim.reason
            continue
        assert rim.value == pytest.approx(np.median(-scene.cavity(surface)), abs=0.5)
        return
    pytest.fail("no scene with a sclerotic wall")


def test_a_small_fragment_gets_a_range_and_says_so() -> None:
    scene = fragments.scene(8, count=1, diameters_mm=(3.5, 3.6))
    volume, region = photographed(scene, spacing=(1.0, 1.0, 1.0))
    (one,) = sequestra.find(volume, region).fragments
    value = measured(one, "excess_density_volume")
    assert value.is_range
    assert "only a range" in value.uncertainty_reason
    low, high = value.interval95 or (0, 0)
    assert low <= scene.fragments[0].volume <= high
    assert any(flag.startswith("below_resolution") for flag in value.flags)


@pytest.mark.parametrize("scenes", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_what_hangs_on_the_bone_by_a_bridge_is_no_fragment(scenes: int) -> None:
    found = 0
    for seed in range(scenes):
        scene = fragments.scene(seed, count=1, diameters_mm=(6, 9), attached=True)
        assert scene.fragments[0].attached
        found += count(sequestra.find(*photographed(scene)))
    assert found == 0


@pytest.mark.parametrize("osteoporotic", [False, True])
@pytest.mark.parametrize("cavity", [False, True])
@pytest.mark.parametrize("noise", [30.0, 60.0])
def test_no_fragment_where_there_is_none(
    *, osteoporotic: bool, cavity: bool, noise: float
) -> None:
    scene = fragments.control(7, osteoporotic=osteoporotic, cavity=cavity)
    reading = sequestra.find(*photographed(scene, noise=noise))
    assert count(reading) == 0
    assert reading.summary.presence == "absent"
    assert "left out" not in flags(reading)


def test_a_piece_that_the_region_cuts_is_told_and_not_counted() -> None:
    scene, volume, region, whole = three()
    axes = np.moveaxis(np.indices(region.grid.shape), 0, -1)
    points = region.grid.to_patient(axes)
    cut = scene.fragments[0]
    kept = region.voxels & (points[..., 2] <= cut.centre[2])
    part = Mask.of(kept, region.grid, role="marked region", frame_of_reference_uid="")
    reading = sequestra.find(volume, part)
    # The plane goes through two of the three; the third lies beyond it.
    assert (count(reading), count(whole)) == (0, 3)
    assert "2 separate piece(s) at the edge of the region left out" in flags(reading)
    assert "edge of the region" not in flags(whole)


def test_none_counted_beside_one_that_is_cut_is_not_known() -> None:
    scene = fragments.scene(5, count=1, diameters_mm=(7.0, 9.0))
    volume, region = photographed(scene)
    points = region.grid.to_patient(np.moveaxis(np.indices(region.grid.shape), 0, -1))
    kept = region.voxels & (points[..., 2] <= scene.fragments[0].centre[2])
    part = Mask.of(kept, region.grid, role="marked region", frame_of_reference_uid="")
    assert count(sequestra.find(volume, region)) == 1
    reading = sequestra.find(volume, part)
    assert (count(reading), reading.summary.presence) == (0, "unknown")


def test_a_crown_in_the_region_is_no_fragment() -> None:
    scene = fragments.scene(1, count=0)
    scene = fragments.beside(scene, "enamel", (0.0, 0.0, 0.0), 2.5)
    reading = sequestra.find(*photographed(scene))
    assert count(reading) == 0
    assert any("enamel or metal" in flag for flag in reading.summary.value.flags)  # type: ignore[union-attr]


def test_the_same_input_gives_the_same_bytes() -> None:
    _, volume, region, reading = three()
    assert sequestra.find(volume, region) == reading


def test_grey_values_of_a_cone_beam_are_marked_uncalibrated() -> None:
    _, volume, region, hounsfield = three()
    reading = sequestra.find(replace(volume, unit="1"), region)
    assert count(reading) == count(hounsfield)
    for one in reading.fragments:
        median = measured(one, "median_value")
        assert median.unit == "1"
        assert "uncalibrated grey values, not HU" in median.flags


# --- what is refused and flagged -----------------------------------------------------


def refusal(reading: SequestraReading) -> str:
    assert isinstance(reading.summary.value, NotMeasured), str(reading.summary.value)
    assert reading.fragments == ()
    return reading.summary.value.reason


def flags(reading: SequestraReading) -> str:
    value = reading.summary.value
    assert isinstance(value, Measurement), str(value)
    return "; ".join(value.flags)


def test_metal_in_the_region_is_refused() -> None:
    scene = fragments.scene(1, count=0)
    scene = fragments.beside(scene, "metal", (0.0, 0.0, 0.0), 2.0)
    assert "metal" in refusal(sequestra.find(*photographed(scene)))


def test_metal_near_the_region_is_flagged() -> None:
    scene = fragments.scene(5, count=1, diameters_mm=(6.0, 8.0))
    scene = fragments.beside(scene, "metal", (14.0, 0.0, 0.0), 2.0)
    assert "streaks of metal" in flags(sequestra.find(*photographed(scene)))


def test_soft_tissue_alone_is_refused() -> None:
    grid = straight_grid((24, 24, 20), FINE, centre=(0, 0, 0))
    volume = noisy(np.full(grid.shape, 40.0), grid, noise=30.0)
    voxels = np.zeros(grid.shape, bool)
    voxels[5:15, 12:36, 12:36] = True
    region = Mask.of(voxels, grid, role="region", frame_of_reference_uid="")
    assert "no bone" in refusal(sequestra.find(volume, region))


def test_slices_too_far_apart_are_flagged_and_then_refused() -> None:
    scene = fragments.scene(5, count=1, diameters_mm=(7.0, 9.0))
    wide = sequestra.find(*photographed(scene, spacing=(3.0, 0.6, 0.6)))
    assert "slices 3.0 mm apart" in flags(wide)
    wider = sequestra.find(*photographed(scene, spacing=(6.0, 0.6, 0.6)))
    assert "6.0 mm apart" in refusal(wider)


def test_one_voxel_is_no_region() -> None:
    _, volume, _, _ = three()
    voxels = np.zeros(volume.grid.shape, bool)
    voxels[16, 30, 30] = True
    region = Mask.of(voxels, volume.grid, role="region", frame_of_reference_uid="")
    assert "1 × 1 × 1 voxels" in refusal(sequestra.find(volume, region))


def test_a_mask_of_another_grid_is_a_clear_error() -> None:
    _, volume, _, _ = three()
    grid = straight_grid((20, 20, 20), FINE, centre=(100, 0, 0))
    voxels = np.ones(grid.shape, bool)
    region = Mask.of(voxels, grid, role="region", frame_of_reference_uid="")
    with pytest.raises(OsteotraceError, match="not those of the image"):
        sequestra.find(volume, region)


def test_a_region_at_the_border_of_the_volume_says_so() -> None:
    _, volume, _, _ = three()
    voxels = np.zeros(volume.grid.shape, bool)
    voxels[:, 20:50, 20:50] = True
    region = Mask.of(voxels, volume.grid, role="region", frame_of_reference_uid="")
    assert "border of the volume" in flags(sequestra.find(volume, region))


def test_a_tilted_stack_is_measured_and_says_what_was_done() -> None:
    scene, _, _, straight = three()
    grid = scene.grid(FINE)
    lean = np.arange(len(grid.origins))[:, None] * np.array([0.0, 0.15, 0.0])
    tilted = replace(grid, origins=grid.origins + lean - lean.mean(axis=0))
    volume = noisy(clean(scene, tilted), tilted, noise=30.0)
    reading = sequestra.find(volume, scene.region(tilted))
    assert count(reading) == count(straight)
    assert "resampled" in flags(reading)
    for here, there in zip(reading.fragments, straight.fragments, strict=True):
        assert measured(here, "longest_diameter").value == pytest.approx(
            measured(there, "longest_diameter").value, abs=0.6
        )


def test_what_was_done_to_the_voxels_is_told() -> None:
    _, volume, region, _ = three()
    reading = sequestra.find(replace(volume, notes=("resampled linearly",)), region)
    assert "resampled linearly" in flags(reading)
    for one in reading.fragments:
        for value in one.measurements:
            if isinstance(value, Measurement):
                assert "resampled linearly" in value.flags
