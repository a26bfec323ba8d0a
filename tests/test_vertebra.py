"""Vertebral bodies from masks, against phantoms of known heights."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace import OsteotraceError
from osteotrace.measurements import vertebra
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.measurements.vertebra.plates import (
    Samples,
    Shape,
    Spread,
    Tissues,
    fit_plate,
    pooled,
)
from osteotrace.phantoms import vertebrae
from osteotrace.phantoms.in_memory import noisy, true_mask
from osteotrace.phantoms.rendering import Pose
from osteotrace.phantoms.vertebrae import MR, Dip, Truth, Vertebra
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from osteotrace.geometry import Grid
    from osteotrace.volume import Volume

INTACT = Vertebra()
WEDGE = Vertebra(anterior=16.0)
BICONCAVE = Vertebra(hollow_superior=6.0, hollow_inferior=4.0)
DEPRESSED = Vertebra(dip=Dip(x=0.0, y=2.0, depth=3.0))
TILTED = Pose.turned(pitch_deg=20.0, roll_deg=4.0, yaw_deg=8.0, origin=(0.2, 0.3, 0.4))
FINE = (1.0, 0.7, 0.7)
THICK = (3.0, 0.7, 0.7)


@cache
def truth(shape: Vertebra) -> Truth:
    return vertebrae.truth(shape)


@cache
def picture(
    shape: Vertebra,
    spacing: tuple[float, float, float] = FINE,
    modality: str = "CT",
    arch: bool = False,
) -> tuple[np.ndarray, Grid, Mask]:
    grid = vertebrae.grid_around(shape, spacing, margin_mm=11.0, arch=arch)
    levels = vertebrae.CT if modality == "CT" else MR
    clean = vertebrae.clean_image(shape, grid, pose=TILTED, levels=levels)
    solid = vertebrae.whole(shape) if arch else vertebrae.body(shape)
    return clean, grid, true_mask(solid, grid, pose=TILTED)


def photograph(
    shape: Vertebra, spacing: tuple[float, float, float] = FINE, *, seed: int = 1
) -> tuple[Volume, Mask]:
    clean, grid, mask = picture(shape, spacing)
    noise = {"noise": 30.0, "correlation_fwhm_mm": (1.0, 1.0, 1.0)}
    return noisy(clean, grid, seed=seed, **noise), mask  # type: ignore[arg-type]


def number(reading: vertebra.VertebraReading, name: str) -> Measurement:
    found = reading.reading[name]
    assert isinstance(found, Measurement), str(found)
    return found


def heights(reading: vertebra.VertebraReading) -> list[float]:
    return [
        number(reading, f"height_{where}").value
        for where in ("anterior", "middle", "posterior")
    ]


@pytest.mark.parametrize("shape", [INTACT, WEDGE, BICONCAVE, DEPRESSED])
def test_heights_and_losses_on_ct_of_1_mm_are_those_of_the_outer_surface(
    shape: Vertebra,
) -> None:
    volume, mask = photograph(shape)
    reading = vertebra.from_mask(mask, level="L1", volume=volume)
    true = truth(shape)
    assert heights(reading) == pytest.approx(
        [true.anterior, true.middle, true.posterior], abs=0.35
    )
    assert number(reading, "height_loss_own_anterior").value == pytest.approx(
        true.loss_anterior, abs=1.3
    )
    assert number(reading, "height_loss_own_middle").value == pytest.approx(
        true.loss_middle, abs=1.3
    )
    assert number(reading, "wedge_angle").value == pytest.approx(true.wedge_deg, abs=1.0)
    assert number(reading, "endplate_depression_superior").value == pytest.approx(
        true.depression_superior, abs=0.6
    )
    assert reading.reading.value.name == "height_anterior"


def test_a_mask_alone_gives_heights_with_a_wider_uncertainty() -> None:
    volume, mask = photograph(WEDGE)
    alone = vertebra.from_mask(mask, level="L1")
    fitted = vertebra.from_mask(mask, level="L1", volume=volume)
    true = truth(WEDGE)
    assert heights(alone) == pytest.approx(
        [true.anterior, true.middle, true.posterior], abs=0.6
    )
    wide = number(alone, "height_anterior").uncertainty or 0.0
    narrow = number(fitted, "height_anterior").uncertainty or 0.0
    assert wide > 1.3 * narrow
    assert "mask alone" in number(alone, "height_anterior").definition
    assert "grey values" in number(fitted, "height_anterior").definition


def test_a_swollen_mask_reads_the_same_once_the_image_is_seen() -> None:
    import SimpleITK as sitk

    volume, mask = photograph(INTACT)
    whole = mask.on(volume.grid).astype(np.uint8)
    grown = sitk.GetArrayFromImage(
        sitk.BinaryDilate(sitk.GetImageFromArray(whole), [1, 1, 1])
    ).astype(bool)
    swollen = Mask.of(grown, volume.grid, role="body", frame_of_reference_uid="2.25.2")
    plain = vertebra.from_mask(mask, level="L1", volume=volume)
    wide = vertebra.from_mask(swollen, level="L1", volume=volume)
    assert heights(wide) == pytest.approx(heights(plain), abs=0.25)
    without = heights(vertebra.from_mask(swollen, level="L1"))
    assert without[1] > heights(plain)[1] + 1.0


def test_slices_of_3_mm_stay_within_their_wider_uncertainty() -> None:
    volume, mask = photograph(INTACT, THICK)
    reading = vertebra.from_mask(mask, level="L1", volume=volume)
    true = truth(INTACT)
    assert heights(reading) == pytest.approx(
        [true.anterior, true.middle, true.posterior], abs=1.2
    )
    assert (number(reading, "height_middle").uncertainty or 0) > 0.2


def test_mr_heights_are_read_between_dark_plates() -> None:
    clean, grid, mask = picture(WEDGE, FINE, "MR")
    volume = noisy(clean, grid, noise=8.0, modality="MR", seed=3)
    reading = vertebra.from_mask(mask, level="L1", volume=volume)
    true = truth(WEDGE)
    assert "grey values" in reading.basis
    assert heights(reading) == pytest.approx(
        [true.anterior, true.middle, true.posterior], abs=0.5
    )


def test_the_body_is_found_in_a_whole_vertebra_and_flagged() -> None:
    clean, grid, mask = picture(INTACT, FINE, "CT", True)
    volume = noisy(clean, grid, noise=20.0)
    reading = vertebra.from_mask(mask, level="L1", volume=volume)
    true = truth(INTACT)
    assert heights(reading) == pytest.approx(
        [true.anterior, true.middle, true.posterior], abs=0.35
    )
    assert any("posterior elements" in f for f in number(reading, "body_volume").flags)


def test_uncertainty_is_made_of_named_terms_and_is_the_same_every_time() -> None:
    volume, mask = photograph(WEDGE)
    first = vertebra.from_mask(mask, level="L1", volume=volume)
    height = number(first, "height_anterior")
    terms = [d.value for d in height.details if d.name.startswith("u ")]
    assert height.uncertainty == pytest.approx(np.sqrt(np.sum(np.square(terms))))
    assert {d.name for d in height.details} == {
        "u noise", "u plate", "u frame", "u voxel",
    }  # fmt: skip
    assert vertebra.from_mask(mask, level="L1", volume=volume) == first


def test_intervals_cover_the_truth() -> None:
    """A short version of benchmarks/families/vertebra.py: 24 intervals of 6 readings."""
    covered = []
    for shape in (INTACT, WEDGE):
        true = truth(shape)
        for seed in range(3):
            volume, mask = photograph(shape, seed=10 + seed)
            reading = vertebra.from_mask(mask, level="L1", volume=volume)
            for name, value in (
                ("height_anterior", true.anterior),
                ("height_middle", true.middle),
                ("height_posterior", true.posterior),
                ("height_loss_own_anterior", true.loss_anterior),
            ):
                low, high = number(reading, name).interval95 or (0.0, 0.0)
                covered.append(low <= value <= high)
                # An interval that covers by being wide covers nothing.
                assert high - low < (1.0 if "loss" not in name else 4.0)
    assert sum(covered) >= 20


def test_the_proposed_grade_and_type_follow_the_losses() -> None:
    volume, mask = photograph(WEDGE)
    reading = vertebra.from_mask(mask, level="L1", volume=volume)
    grade = number(reading, "genant_grade")
    assert truth(WEDGE).loss_anterior == pytest.approx(37.5, abs=0.2)
    assert grade.value == 2
    assert "wedge" in grade.definition
    assert number(reading, "deformity_type").value == 1


def test_a_plate_thinner_than_the_blur_ends_at_its_outer_surface() -> None:
    """Half of the maximum of this plate lies 0.8 mm outside."""
    generator = np.random.default_rng(4)
    z = generator.uniform(-6, 4, 4000)
    spread = Spread(box=1.0, sigma=0.7)
    fine = np.linspace(-0.5, 0.5, 101)

    def blurred_step(at: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        return np.asarray(np.mean([ndtr((at + f) / 0.7) for f in fine], axis=0))

    values = 90 + 760 * blurred_step(0.3 - z) - 700 * blurred_step(-0.5 - z)
    values = values + generator.normal(0, 20, len(z))
    x, y = generator.uniform(-5, 5, (2, len(z)))
    samples = Samples(x=x, y=y, z=z, values=values, brighter=np.zeros_like(z))
    fit = fit_plate(
        samples,
        Shape(columns=np.ones((len(z), 1)), start=np.zeros(1), expected=np.array([2.0])),
        Tissues(inside=150, plate=850, outside=90, noise=20),
        spread,
    )
    outer = fit.coefficients[0] + 0.5 * fit.thickness
    assert outer == pytest.approx(0.3, abs=0.03)
    assert fit.thickness == pytest.approx(0.8, abs=0.05)
    u = pooled(fit.influence.sum(axis=0), samples)
    assert 0.001 < u < 0.05


# --- what is refused and flagged -----------------------------------------------------


def blank(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    from osteotrace.phantoms.in_memory import straight_grid

    extent = tuple(n * s for n, s in zip(shape[::-1], spacing[::-1], strict=True))
    return straight_grid(extent, spacing, centre=(0, 0, 0))


def marked(voxels: np.ndarray, grid: Grid) -> Mask:
    return Mask.of(voxels, grid, role="body", frame_of_reference_uid="2.25.2")


@pytest.mark.parametrize("level", ["C1", "C2", "S1", "sacrum", "X9", ""])
def test_a_level_without_a_body_is_refused(level: str) -> None:
    _, mask = photograph(INTACT)
    with pytest.raises(OsteotraceError, match=r"from C3 to L5"):
        vertebra.from_mask(mask, level=level)


def test_a_transitional_level_is_measured_with_a_note() -> None:
    _, mask = photograph(INTACT)
    reading = vertebra.from_mask(mask, level="l6")
    assert reading.level == "L6"
    assert any("transitional" in f for f in number(reading, "height_middle").flags)


def test_one_voxel_or_a_sheet_is_no_body() -> None:
    grid = blank((30, 30, 30), (1.0, 1.0, 1.0))
    dot = np.zeros(grid.shape, bool)
    dot[15, 15, 15] = True
    with pytest.raises(OsteotraceError, match="a mask of 1 voxels"):
        vertebra.from_mask(marked(dot, grid), level="L1")
    sheet = np.zeros(grid.shape, bool)
    sheet[14:16, 3:27, 3:27] = True
    with pytest.raises(OsteotraceError, match="mm high"):
        vertebra.from_mask(marked(sheet, grid), level="L1")


@pytest.mark.parametrize("disc", [6, 0])
def test_a_mask_of_two_bodies_is_refused(disc: int) -> None:
    grid = blank((70, 40, 50), (1.0, 1.0, 1.0))
    two = np.zeros(grid.shape, bool)
    two[5:31, 5:35, 5:45] = True
    two[31 + disc : 57 + disc, 5:35, 5:45] = True
    with pytest.raises(OsteotraceError, match="two bodies"):
        vertebra.from_mask(marked(two, grid), level="L1")


def test_a_mask_cut_off_by_the_image_is_refused() -> None:
    volume, mask = photograph(INTACT)
    inside = mask.on(volume.grid)
    top = int(np.flatnonzero(inside.any(axis=(1, 2)))[-1])
    cut = volume.cropped((slice(0, top - 3), slice(None), slice(None)))
    with pytest.raises(OsteotraceError, match="reaches the last slice"):
        vertebra.from_mask(marked(inside[: top - 3], cut.grid), level="L1", volume=cut)


def test_a_mask_off_the_image_is_refused() -> None:
    volume, _ = photograph(INTACT)
    _, elsewhere = photograph(INTACT, THICK)
    with pytest.raises(OsteotraceError, match="are not those of the image"):
        vertebra.from_mask(elsewhere, level="L1", volume=volume)


def box_body(slice_mm: float) -> Mask:
    grid = blank((round(60 / slice_mm), 60, 70), (slice_mm, 1.0, 1.0))
    places = grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1))
    x, y, z = np.moveaxis(np.abs(places), -1, 0)
    return marked((x < 21) & (y < 15) & (z < 13), grid)


def test_slices_over_3_mm_are_flagged_and_over_6_mm_refused() -> None:
    flagged = number(vertebra.from_mask(box_body(4.0), level="L1"), "height_middle")
    assert any("4.0 mm long along the body" in flag for flag in flagged.flags)
    refused = vertebra.from_mask(box_body(8.0), level="L1")
    value = refused.reading.value
    assert isinstance(value, NotMeasured)
    assert "too thick" in value.reason
    assert refused.heights is None


def test_an_image_without_endplates_falls_back_on_the_mask_and_says_so() -> None:
    volume, mask = photograph(INTACT)
    flat = noisy(np.full(volume.grid.shape, 900.0), volume.grid, noise=20.0)
    reading = vertebra.from_mask(mask, level="L1", volume=flat)
    value = number(reading, "height_middle")
    assert any("not fitted to the image" in flag for flag in value.flags)
    assert "mask alone" in value.definition


def test_cement_in_the_body_is_flagged() -> None:
    filled = Vertebra(anterior=22.0, cement=7.0)
    volume, mask = photograph(filled)
    reading = vertebra.from_mask(mask, level="L1", volume=volume)
    assert reading.cemented
    assert any("cement" in flag for flag in number(reading, "height_anterior").flags)
    plain_volume, plain_mask = photograph(INTACT)
    plain = vertebra.from_mask(plain_mask, level="L1", volume=plain_volume)
    assert not plain.cemented
    assert number(plain, "height_anterior").flags == ()


def test_notes_of_the_volume_stay_with_every_number() -> None:
    from dataclasses import replace

    volume, mask = photograph(INTACT)
    noted = replace(volume, notes=("voxels were resampled",))
    reading = vertebra.from_mask(mask, level="L1", volume=noted)
    for row in reading.reading.measurements:
        if isinstance(row, Measurement) and row.name != "deformity_type":
            assert "voxels were resampled" in row.flags
