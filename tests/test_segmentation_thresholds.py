"""The self-referenced bone threshold and region growing, on phantoms of known truth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

import osteotrace as ot
from osteotrace import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.phantoms.in_memory import as_volume, noisy, straight_grid
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, render
from osteotrace.phantoms.shapes import Shape, ellipsoid, halfspace, rounded_box
from osteotrace.segmentation import marked
from osteotrace.segmentation.growing import between_levels, grown
from osteotrace.segmentation.labels import read_labels
from osteotrace.segmentation.thresholds import bone, bone_threshold
from osteotrace.volume import ARBITRARY

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

GRID = straight_grid((50, 50, 40), (1.0, 0.5, 0.5), centre=(0, 0, 0))
CORTEX, SOFT = 1000.0, 50.0
BLOCK = rounded_box((0, 0, 0), (10, 7, 12), rounding=3)
BLOCK_MM3 = 20 * 14 * 24 - (8 - np.pi * 4 / 3) * 27 - (4 - np.pi) * 9 * (14 + 8 + 18)


@cache
def scene(cortex: float = CORTEX, inside: float = CORTEX, wall: float = 2.0) -> NDArray:  # type: ignore[type-arg]
    """Return a block of bone in soft tissue, fat and air beside it, without noise."""
    everywhere = ((-25.0, -25.0, -20.0), (25.0, 25.0, 20.0))
    core = rounded_box((0, 0, 0), (10 - wall, 7 - wall, 12 - wall), rounding=2)

    def part(name: str, shape: Shape) -> Part:
        return Part(name=name, layers=(Layer(shape=shape, tissue=name),), box=everywhere)

    return render(
        [part("fat", rounded_box((-10, 18, 0), (15, 6, 20))),
         part("air", halfspace(1, -18, above=False)),
         part("cortex", BLOCK), part("core", core)],
        {"soft tissue": Level(SOFT), "fat": Level(-90.0), "air": Level(-1000.0),
         "cortex": Level(cortex), "core": Level(inside)},
        GRID, Pose.turned(), background="soft tissue", psf_sigma_mm=(0.6, 0.6, 0.6),
        subsamples=(3, 3, 3),
    )  # fmt: skip


def scan(noise: float = 30.0, seed: int = 1, **tissues: float) -> Volume:
    return noisy(scene(**tissues), GRID, noise=noise, seed=seed)


def around(volume: Volume, radius: float = 15.0) -> Mask:
    return marked.ball(volume, (0, 0, 0), radius, role="region")


@pytest.mark.parametrize("noise", [0.0, 10.0, 30.0, 60.0])
@pytest.mark.parametrize("cortex", [600.0, 1000.0, 1800.0])
def test_the_threshold_lies_half_way_between_soft_tissue_and_bone(
    noise: float, cortex: float
) -> None:
    volume = scan(noise, cortex=cortex, inside=cortex)
    found = bone_threshold(volume, around(volume))
    # The upper quarter of noisy bone begins 0.67 standard deviations high; voxels in
    # part soft tissue are among the bone and lower that again.
    assert cortex - 4 <= found.bone <= cortex + 0.67 * noise + 4
    assert found.soft_tissue == pytest.approx(SOFT, abs=0.2 * noise + 1)
    assert found.level == (found.soft_tissue + found.bone) / 2


def test_the_threshold_says_how_it_was_found() -> None:
    volume = scan()
    found = bone_threshold(volume, around(volume))
    assert found.unit == "[hnsf'U]"
    assert found.notes == ()
    assert f"{found.bone_voxels} voxels at or above the threshold" in found.definition
    assert f"({found.bone:.0f} HU)" in found.definition
    assert "75th percentile" in found.definition
    assert (found.method, found.version) == ("self-referenced bone threshold", "1")
    assert found.soft_tissue_spread == pytest.approx(30, rel=0.3)
    assert bone_threshold(volume, around(volume)) == found


def test_the_size_of_the_region_hardly_moves_the_threshold() -> None:
    volume = scan()
    levels = [bone_threshold(volume, around(volume, r)).level for r in (8, 11, 14, 18)]
    assert np.ptp(levels) < 0.03 * (CORTEX - SOFT)


def test_a_region_of_nothing_but_bone_takes_its_soft_tissue_from_around() -> None:
    volume = scan()
    inner = marked.box(volume, (-8, -5, -9), (8, 5, 9), role="region")
    assert bone_threshold(volume, inner).level == pytest.approx(535, abs=12)


def test_porous_bone_lowers_its_own_threshold() -> None:
    dense = scan(cortex=1200, inside=300, wall=1.5)
    porous = scan(cortex=500, inside=110, wall=1.5)
    levels = [bone_threshold(v, around(v)).level for v in (dense, porous)]
    assert levels[1] < 0.75 * levels[0]
    assert 150 < levels[1] < 350


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 0.0), (0.35, 700.0), (4.0, 9000.0)])
def test_on_uncalibrated_grey_values_the_same_voxels_are_bone(
    factor: float, offset: float
) -> None:
    hounsfield = scan()
    grey = replace(
        hounsfield, unit=ARBITRARY, slope=factor * hounsfield.slope,
        intercept=offset + factor * hounsfield.intercept,
    )  # fmt: skip
    region = around(hounsfield)
    own, found = bone(grey, region)
    assert "uncalibrated grey values" in found.notes[0]
    assert "HU" not in found.definition
    reference, level = bone(hounsfield, region)
    assert found.level == pytest.approx(offset + factor * level.level, abs=12 * factor)
    apart = own.on(GRID) ^ reference.on(GRID)
    assert apart.sum() < 0.01 * reference.voxels.sum()


@pytest.mark.parametrize("noise", [2.0, 10.0, 30.0, 60.0])
def test_uncalibrated_grey_values_need_no_air_in_the_image(noise: float) -> None:
    whole = scan(noise)
    inner = whole.cropped((slice(2, 38), slice(20, 74), slice(8, 92)))
    assert inner.rescaled().min() > -450
    grey = replace(inner, unit=ARBITRARY)
    region = marked.ball(grey, (0, 0, 0), 11.0, role="region")
    levels = [bone_threshold(v, region).level for v in (grey, inner)]
    assert levels[0] == pytest.approx(levels[1], abs=12)


def test_voxels_without_a_value_are_left_aside() -> None:
    volume = scan()
    values = volume.rescaled().astype(np.float32)
    values[:, :, :12] = np.nan
    values[18:22, 48:52, 48:52] = np.nan
    holed = replace(volume, voxels=values)
    region = around(volume)
    expected = bone_threshold(volume, region).level
    assert bone_threshold(holed, region).level == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("noise", [0.0, 30.0, 60.0])
def test_marked_bone_has_the_volume_of_the_block(noise: float) -> None:
    volume = scan(noise)
    mask, _ = bone(volume, around(volume, 17.0))
    size = mask.voxels.sum() * np.prod(GRID.spacing)
    assert size == pytest.approx(BLOCK_MM3, rel=0.02)
    assert mask.source_instances[0] in {image.source for image in volume.instances}


def test_a_threshold_of_the_other_side_can_be_given() -> None:
    volume = scan()
    found = bone_threshold(volume, around(volume))
    stricter = replace_level(found, 1060.0)
    few, used = bone(volume, around(volume), threshold=stricter, smoothing_mm=0)
    many, _ = bone(volume, around(volume), threshold=found, smoothing_mm=0)
    assert used is stricter
    assert few.voxels.sum() < 0.2 * many.voxels.sum()
    with pytest.raises(OsteotraceError, match="no voxel of 5000 or more"):
        bone(volume, around(volume), threshold=replace_level(found, 5000.0))


def replace_level(found, level: float):  # type: ignore[no-untyped-def]
    import msgspec

    return msgspec.structs.replace(found, level=level)


# Refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 5.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("tissue", [SOFT, -90.0])
def test_a_region_without_bone_is_refused(noise: float, tissue: float) -> None:
    volume = scan(noise, cortex=tissue, inside=tissue)
    with pytest.raises(OsteotraceError, match="no bone in the region"):
        bone_threshold(volume, around(volume))


def test_a_region_in_air_is_refused() -> None:
    volume = scan()
    air = marked.ball(volume, (0, -22, 0), 1.5, role="region")
    with pytest.raises(OsteotraceError, match="no bone in the region"):
        bone_threshold(volume, air)


def test_a_region_of_one_voxel_is_refused() -> None:
    volume = scan()
    one = np.zeros(GRID.shape, bool)
    one[20, 50, 50] = True
    with pytest.raises(OsteotraceError, match="no bone in the region"):
        bone_threshold(volume, marked.from_voxels(volume, one, role="region"))


def test_mr_is_refused() -> None:
    volume = scan()
    mr = replace(volume, identity=replace_modality(volume, "MR"), unit=ARBITRARY)
    with pytest.raises(OsteotraceError, match="an MR image"):
        bone_threshold(mr, around(mr))


def replace_modality(volume: Volume, modality: str):  # type: ignore[no-untyped-def]
    import msgspec

    return msgspec.structs.replace(volume.identity, modality=modality)


def test_a_mask_of_another_image_is_refused() -> None:
    volume = scan()
    grid = straight_grid((50, 50, 40), (1.0, 0.6, 0.5), centre=(0, 0, 0))
    other = as_volume(np.zeros(grid.shape), grid)
    with pytest.raises(OsteotraceError, match="not those of the image"):
        bone_threshold(volume, around(other))


def with_metal(volume: Volume, radius: float) -> Volume:
    values = volume.voxels.copy()
    index = np.moveaxis(np.indices(GRID.shape), 0, -1)
    away = np.linalg.norm(GRID.to_patient(index) - [0, 6, 0], axis=-1)
    values[away < radius] = 8000
    # A streak beside it.
    values[(away >= radius) & (away < radius + 2)] += 700
    return as_volume(values, GRID)


def test_metal_is_left_out_and_said() -> None:
    volume = scan()
    clean = bone_threshold(volume, around(volume))
    found = bone_threshold(with_metal(volume, 3.0), around(volume))
    assert found.level == pytest.approx(clean.level, rel=0.02)
    assert "within 3 mm of it left out of the bone threshold" in found.notes[0]


def test_a_region_full_of_metal_is_refused() -> None:
    volume = scan()
    with pytest.raises(OsteotraceError, match="metal in or beside"):
        bone_threshold(with_metal(volume, 14.0), around(volume))


@pytest.mark.parametrize("percentile", [0.0, 100.0, float("nan")])
def test_a_percentile_that_is_none_is_refused(percentile: float) -> None:
    volume = scan()
    with pytest.raises(OsteotraceError, match="percentile"):
        bone_threshold(volume, around(volume), percentile=percentile)


def test_uneven_slices_are_not_smoothed_unasked() -> None:
    origins = GRID.origins.copy()
    origins[20:, 2] += 1.5
    uneven = Grid(
        row_direction=GRID.row_direction, column_direction=GRID.column_direction,
        pixel_spacing=GRID.pixel_spacing, origins=origins, rows=GRID.rows,
        columns=GRID.columns,
    )  # fmt: skip
    volume = as_volume(scan().voxels.astype(float), uneven)
    region = marked.ball(volume, (0, 0, 0), 14.0, role="region")
    with pytest.raises(OsteotraceError, match="unevenly spaced"):
        bone(volume, region)
    mask, _ = bone(volume, region, smoothing_mm=0)
    assert mask.voxels.any()


# Growing -----------------------------------------------------------------------------


def two_blobs() -> tuple[Volume, NDArray[np.bool_], NDArray[np.bool_]]:
    values = np.zeros(GRID.shape)
    index = np.moveaxis(np.indices(GRID.shape), 0, -1)
    points = GRID.to_patient(index).reshape(-1, 3).T
    blobs = [
        (ellipsoid(centre, (5, 4, 6))(points) < 0).reshape(GRID.shape)
        for centre in ((-8, 0, 0), (9, 0, 0))
    ]
    for blob in blobs:
        values[blob] = 500
    return as_volume(values, GRID), blobs[0], blobs[1]


def test_only_what_hangs_together_with_the_seed_is_grown() -> None:
    volume, left, _ = two_blobs()
    region = marked.box(volume, (-20, -15, -15), (20, 15, 15), role="region")
    mask = grown(volume, (-8, 0, 0), 300, np.inf, within=region, role="blob")
    assert (mask.on(GRID) == left).all()
    assert mask.role == "blob"


@pytest.mark.parametrize("smoothing_mm", [-1.0, np.nan, np.inf])
def test_growing_refuses_a_smoothing_that_is_none(smoothing_mm: float) -> None:
    volume, _, _ = two_blobs()
    region = marked.ball(volume, (-8, 0, 0), 5, role="region")
    with pytest.raises(OsteotraceError, match="a smoothing of"):
        grown(
            volume, (-8, 0, 0), 300, np.inf, within=region, role="x",
            smoothing_mm=smoothing_mm,
        )  # fmt: skip


def test_growing_stays_in_its_region() -> None:
    volume, left, _ = two_blobs()
    half = marked.box(volume, (-20, -15, -15), (-8, 15, 15), role="region")
    mask = grown(volume, (-9, 0, 0), 300, 700, within=half, role="blob")
    assert (mask.on(GRID) == (left & half.on(GRID))).all()


def test_corners_join_only_where_they_may() -> None:
    values = np.zeros(GRID.shape)
    values[10, 10, 10] = values[11, 11, 11] = 500
    volume = as_volume(values, GRID)
    region = marked.from_voxels(volume, np.ones(GRID.shape, bool), role="region")
    seed = GRID.to_patient([10, 10, 10])
    faces = grown(volume, seed, 300, 700, within=region, role="a")
    corners = grown(volume, seed, 300, 700, within=region, role="a", across_corners=True)
    assert (faces.voxels.sum(), corners.voxels.sum()) == (1, 2)


def test_smoothing_grows_through_noise() -> None:
    volume = scan(250.0, seed=2)
    region = around(volume, 15.0)
    rough = grown(volume, (0, 0, 0), 525, np.inf, within=region, role="a")
    smooth = grown(volume, (0, 0, 0), 525, np.inf, within=region, role="a",
                   smoothing_mm=0.8)  # fmt: skip
    size = np.prod(GRID.spacing)
    truth = bone(scan(0.0), region)[0].voxels.sum() * size
    apart = [abs(m.voxels.sum() * size - truth) / truth for m in (rough, smooth)]
    assert apart[1] < 0.03
    assert apart[1] < apart[0]


def test_a_seed_elsewhere_is_refused() -> None:
    volume, _, _ = two_blobs()
    region = marked.box(volume, (-20, -15, -15), (20, 15, 15), role="region")
    for seed in ((0, 20, 0), (900, 0, 0), (np.nan, 0, 0)):
        with pytest.raises(OsteotraceError, match="in the region that is grown in"):
            grown(volume, seed, 300, 700, within=region, role="a")
    with pytest.raises(OsteotraceError, match="a seed where the image is 0"):
        grown(volume, (0, 0, 0), 300, 700, within=region, role="a")
    with pytest.raises(OsteotraceError, match="the lower one first"):
        grown(volume, (-8, 0, 0), 700, 300, within=region, role="a")


# Real scans --------------------------------------------------------------------------


def test_real_jaw_and_spine_have_plausible_thresholds(real_dicom: Path) -> None:
    spine = ot.load(real_dicom / "spine_ct_j2k" / "example_ct_dicom")
    labels = read_labels(
        real_dicom / "spine_ct_j2k" / "example_seg_dicom.nii.gz", like=spine
    )
    found = bone_threshold(spine, labels["T12"].mask)
    # Muscle, and the cortex and endplates of a vertebra.
    assert 0 < found.soft_tissue < 90
    assert 150 < found.level < 450
    jaw = ot.load(real_dicom / "jaw_ct_cerr")
    middle = jaw.grid.to_patient(np.array(jaw.grid.shape) / 2)
    voxels = jaw.rescaled() > 700
    centre = jaw.grid.to_patient(np.argwhere(voxels)).mean(axis=0)
    assert np.linalg.norm(centre - middle) < 80
    region = marked.ball(jaw, centre, 35.0, role="region", cut_at_edge=True)
    level = bone_threshold(jaw, region)
    assert 0 < level.soft_tissue < 90
    assert 250 < level.level < 900


# Between two levels ------------------------------------------------------------------


def test_what_lies_between_two_levels_in_a_region_is_marked_in_every_piece() -> None:
    volume, left, right = two_blobs()
    region = marked.box(volume, (-20, -15, -15), (9, 15, 15), role="region")
    mask = between_levels(volume, 300, 500, within=region, role="blobs")
    assert (mask.on(GRID) == ((left | right) & region.on(GRID))).all()
    assert mask.role == "blobs"


def test_levels_that_nothing_lies_between_are_refused() -> None:
    volume, _, _ = two_blobs()
    region = marked.ball(volume, (-8, 0, 0), 5, role="region")
    with pytest.raises(OsteotraceError, match="no voxel between 600 and 900"):
        between_levels(volume, 600, 900, within=region, role="x")
    with pytest.raises(OsteotraceError, match="values from 500 to 300"):
        between_levels(volume, 500, 300, within=region, role="x")
