"""Marrow edema of known volume: grown from one seed, weighed against its bone unit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.measurements import marrow
from osteotrace.measurements.measurement import LesionReading, Measurement, NotMeasured
from osteotrace.phantoms.in_memory import FRAME_OF_REFERENCE_UID, noisy
from osteotrace.phantoms.marrow import (
    Edema,
    bone_volume_mm3,
    clean_edema,
    photograph_edema,
)
from osteotrace.regions import Mask
from osteotrace.volume import open_image

if TYPE_CHECKING:
    from pathlib import Path

FINE = Edema(spacing=(1.2, 1.0, 0.9))
CLEAN = clean_edema(FINE)


def value(reading: Measurement | NotMeasured) -> Measurement:
    assert isinstance(reading, Measurement), str(reading)
    return reading


def read(edema: Edema, clean: np.ndarray, seed: int = 0) -> LesionReading:
    """Grow an edema from its centre and measure it beside bone and muscle."""
    volume = photograph_edema(edema, seed=seed, clean=clean)
    bone = edema.mask("bone")
    grown = marrow.grow(volume, edema.centre, within=bone, reference=edema.mask("normal"))
    return marrow.measure(volume, grown, bone=bone, muscle=edema.mask("muscle"))


def truths(edema: Edema, clean: np.ndarray) -> dict[str, float]:
    ratio = [clean[edema.mask(w).on(edema.grid)].mean() for w in ("edema", "muscle")]
    return {
        "edema_volume": edema.volume_mm3,
        "edema_percent": 100 * edema.volume_mm3 / bone_volume_mm3(),
        "signal_ratio_to_muscle": float(ratio[0] / ratio[1]),
    }


def test_a_grown_edema_has_its_true_volume_share_and_signal_ratio() -> None:
    reading = read(FINE, CLEAN)
    assert reading.value.name == "edema_volume"
    for name, truth in truths(FINE, CLEAN).items():
        found = value(reading[name])
        assert found.value == pytest.approx(truth, rel=0.02)
        assert found.uncertainty is not None
        assert found.uncertainty < 0.03 * truth
        assert not found.flags


@pytest.mark.parametrize("repeats", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_intervals_hold_the_truth_over_places_blurs_noises_and_spacings(
    repeats: int,
) -> None:
    held = total = 0
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        x, y, z = generator.uniform(-2, 2, 3).tolist()
        spacing = [(1.0, 1.0, 1.0), (3.0, 0.7, 0.7)][seed % 2]
        edema = Edema(
            centre=(x + 2, y, z),
            radii=(9.0, 7.0, 8.0),
            border_mm=float(generator.uniform(0.3, 1.2)),
            spacing=spacing,
            noise=float(generator.choice([6.0, 12.0, 20.0])),
            correlation_fwhm_mm=[(0.0, 0.0, 0.0), (0.0, 1.0, 1.0)][seed // 2 % 2],
        )
        clean = clean_edema(edema)
        reading = read(edema, clean, seed)
        for name, truth in truths(edema, clean).items():
            low, high = value(reading[name]).interval95 or (0, 0)
            held += low <= truth <= high
            total += 1
    # 95 % less three binomial SD.
    assert held / total >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / total)


def test_dark_edema_of_a_t1_image_grows_as_well() -> None:
    dark = Edema(spacing=FINE.spacing, plateau=90.0, marrow=300.0, outside=60.0)
    found = value(read(dark, clean_edema(dark))["edema_volume"])
    assert found.value == pytest.approx(dark.volume_mm3, rel=0.03)


def test_a_hand_drawn_region_that_is_too_wide_says_so_and_is_less_certain() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    wide = replace(FINE, radii=(11.5, 9.5, 10.5)).mask("edema")
    bone = FINE.mask("bone")
    found = value(marrow.measure(volume, wide, bone=bone)["edema_volume"])
    assert any("half-way surface" in flag for flag in found.flags)
    assert found.uncertainty is not None
    assert found.uncertainty > 0.1 * FINE.volume_mm3


def test_a_region_that_does_not_differ_from_its_surroundings_says_so() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    found = value(marrow.measure(volume, FINE.mask("muscle"))["edema_volume"])
    assert any("cannot be seen" in flag for flag in found.flags)


def test_without_bone_or_muscle_the_share_and_the_ratio_are_not_measured() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    reading = marrow.measure(volume, FINE.mask("edema"))
    assert isinstance(reading["edema_volume"], Measurement)
    assert "no mask of the bone unit" in str(reading["edema_percent"])
    assert "no mask of muscle" in str(reading["signal_ratio_to_muscle"])


def test_a_bone_unit_smaller_than_its_edema_gives_no_percentage() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    small = replace(FINE, radii=(5.0, 5.0, 5.0)).mask("edema")
    reading = marrow.measure(volume, FINE.mask("edema"), bone=small)
    assert "is smaller than the edema" in str(reading["edema_percent"])


def test_edema_beyond_the_bone_unit_is_left_out_and_flagged() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    aside = replace(FINE, centre=(16.0, 0.0, 0.0)).mask("edema")
    reading = marrow.measure(volume, aside, bone=FINE.mask("bone"))
    flags = value(reading["edema_percent"]).flags
    assert any("outside the bone unit" in flag for flag in flags)


def test_muscle_that_overlaps_the_edema_gives_no_ratio() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    reading = marrow.measure(volume, FINE.mask("edema"), muscle=FINE.mask("bone"))
    assert "share" in str(reading["signal_ratio_to_muscle"])
    assert isinstance(reading["signal_ratio_to_muscle"], NotMeasured)


def test_muscle_lost_in_the_noise_gives_no_ratio() -> None:
    faint = Edema(spacing=FINE.spacing, muscle=0.0, outside=0.0, noise=20.0)
    volume = photograph_edema(faint)
    reading = marrow.measure(volume, faint.mask("edema"), muscle=faint.mask("muscle"))
    assert "lost in the noise" in str(reading["signal_ratio_to_muscle"])


def test_few_thick_slices_are_flagged() -> None:
    thick = Edema(spacing=(6.0, 0.9, 0.9), radii=(8.0, 8.0, 5.0))
    found = value(read(thick, clean_edema(thick))["edema_volume"])
    assert any("slices too thick" in flag for flag in found.flags)


def test_a_ct_is_no_series_for_marrow_edema() -> None:
    volume = noisy(CLEAN, FINE.grid, noise=5.0)
    found = value(marrow.measure(volume, FINE.mask("edema"))["edema_volume"])
    assert any("no MR series" in flag for flag in found.flags)


def test_one_voxel_is_measured_only_with_a_warning() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    one = np.zeros(FINE.grid.shape, dtype=bool)
    one[18, 24, 31] = True
    mask = Mask.of(
        one, FINE.grid, role="drawn", frame_of_reference_uid=FRAME_OF_REFERENCE_UID
    )
    found = value(marrow.measure(volume, mask)["edema_volume"])
    assert "the edema is a single voxel" in found.flags


def test_a_single_slice_has_no_volume() -> None:
    box = (slice(18, 19), slice(0, FINE.grid.rows), slice(0, FINE.grid.columns))
    volume = photograph_edema(FINE, clean=CLEAN).cropped(box)
    marked = FINE.mask("edema").on(FINE.grid)[box]
    mask = Mask.of(marked, volume.grid, role="drawn", frame_of_reference_uid="")
    reading = marrow.measure(volume, mask)
    assert all("no thickness" in str(each) for each in reading.measurements)


def test_each_voxel_of_an_uneven_stack_counts_its_own_gap() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    heights = FINE.grid.slice_positions.copy()
    origins = FINE.grid.origins.copy()
    # The upper half of the stack is read at twice the gap.
    origins[19:, 2] += heights[19:] - heights[18]
    grid = replace(FINE.grid, origins=origins)
    mask = Mask.of(
        FINE.mask("edema").on(FINE.grid),
        grid,
        role="drawn",
        frame_of_reference_uid=FRAME_OF_REFERENCE_UID,
    )
    details = {
        detail.name: detail.value
        for detail in value(
            marrow.measure(replace(volume, grid=grid), mask)["edema_volume"]
        ).details
    }
    per_slice = FINE.mask("edema").on(FINE.grid).sum(axis=(1, 2))
    thickness = np.where(np.arange(len(heights)) < 18, 1.2, 2.4)
    thickness[18] = 1.8
    expected = float(per_slice @ thickness) * 1.0 * 0.9
    assert details["voxel sum"] == pytest.approx(expected, rel=1e-6)


def test_a_seed_in_normal_marrow_is_refused() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    with pytest.raises(OsteotraceError, match="does not differ"):
        marrow.grow(volume, (-15.0, 0.0, 0.0), reference=FINE.mask("normal"))


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        ((0.0, 0.0, 900.0), "outside the volume"),
        ((0.0, 30.0, 0.0), "outside the region"),
        ((0.0, np.nan, 0.0), "three finite numbers"),
    ],
)
def test_a_seed_that_lies_nowhere_useful_is_refused(
    seed: tuple[float, float, float], words: str
) -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    with pytest.raises(OsteotraceError, match=words):
        marrow.grow(volume, seed, within=FINE.mask("bone"), reference=FINE.mask("normal"))


def test_an_edema_that_leaks_to_the_border_is_refused_without_a_bone_unit() -> None:
    flooded = np.where(CLEAN > 200, CLEAN, 320.0)
    flooded[FINE.mask("normal").on(FINE.grid)] = 90.0
    volume = noisy(flooded, FINE.grid, noise=5.0, modality="MR")
    with pytest.raises(OsteotraceError, match="border of the volume"):
        marrow.grow(volume, FINE.centre, reference=FINE.mask("normal"))


def test_a_mask_of_another_frame_is_refused() -> None:
    volume = photograph_edema(FINE, clean=CLEAN)
    marked = FINE.mask("bone").on(FINE.grid)
    other = Mask.of(marked, FINE.grid, role="bone", frame_of_reference_uid="2.25.77")
    with pytest.raises(OsteotraceError, match="another frame of reference"):
        marrow.measure(volume, FINE.mask("edema"), bone=other)


def test_the_same_input_gives_the_same_reading() -> None:
    assert read(FINE, CLEAN) == read(FINE, CLEAN)


def test_real_vertebral_bodies_are_alike_beside_the_same_muscle(
    real_dicom: Path,
) -> None:
    folder = real_dicom / "spine_mr_masks"
    image, parts, levels = (
        open_image(folder / f"sub-mri_{name}.nii.gz")
        for name in ("label-6_T2w", "seg-subreg_label-6_msk", "seg-vert_label-6_msk")
    )
    volume = replace(
        image, identity=msgspec.structs.replace(image.identity, modality="MR")
    )
    body = np.round(parts.rescaled()) == 49
    vertebra = np.round(levels.rescaled())
    beside = np.zeros(volume.grid.shape, dtype=bool)
    # Paraspinal muscle, picked by eye: dark, right of the spinous processes.
    beside[4:16, 12:36, 42:58] = True
    beside &= parts.rescaled() == 0

    def mask(voxels: np.ndarray, role: str) -> Mask:
        return Mask.of(voxels, volume.grid, role=role, frame_of_reference_uid="")

    found = [
        value(
            marrow.measure(
                volume,
                mask(body & (vertebra == level), "body"),
                bone=mask(vertebra == level, "vertebra"),
                muscle=mask(beside, "muscle"),
            )["signal_ratio_to_muscle"]
        )
        for level in (5, 6, 7)
    ]
    # Normal marrow on T2: brighter than muscle, and the same at neighbouring levels.
    ratios = np.array([each.value for each in found])
    assert ratios == pytest.approx([3.63, 3.85, 3.84], abs=0.05)
    assert all(each.uncertainty is not None for each in found)
    assert all("cannot be seen" in " ".join(each.flags) for each in found)
