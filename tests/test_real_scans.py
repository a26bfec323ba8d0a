"""Real scans are loaded right or refused with the right verdict.

Truth is computed from each file's own tags, with pydicom alone (tests/fixtures/
real_scans.py), and independently of that by the manifest that comes with the scans.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.real_scans import TrueStack, true_images, true_stack

from osteotrace.errors import OsteotraceError
from osteotrace.series import Catalogue, Series, VolumeHeader, scan
from osteotrace.volume import ARBITRARY, HOUNSFIELD, Volume, load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from osteotrace.geometry import Grid

# The goals for geometry: mm, cosines (what a decimal string of a header carries).
PLACE_MM = 0.01
COSINE = 1e-5


def only_volume(catalogue: Catalogue) -> VolumeHeader:
    (series,) = catalogue
    (volume,) = series.volumes
    return volume


def grid_of(header: VolumeHeader) -> Grid:
    assert header.grid is not None
    return header.grid


def bounding_box(grid: Grid) -> Any:
    corners = grid.corners()
    # The middle slices of an uneven or sheared stack lie between the outer ones.
    return np.array([corners.min(axis=0), corners.max(axis=0)])


def check_grid(grid: Grid, truth: TrueStack) -> None:
    first = truth.images[0]
    assert grid.shape == truth.stored.shape
    assert grid.row_direction == pytest.approx(truth.row, abs=COSINE)
    assert grid.column_direction == pytest.approx(truth.column, abs=COSINE)
    assert grid.pixel_spacing == pytest.approx(first.spacing, abs=PLACE_MM)
    assert grid.slice_gaps == pytest.approx(truth.gaps, abs=PLACE_MM)
    assert grid.origins == pytest.approx(truth.origins, abs=PLACE_MM)
    assert bounding_box(grid) == pytest.approx(truth.bounding_box(), abs=PLACE_MM)


def check_loaded(volume: Volume, truth: TrueStack) -> None:
    check_grid(volume.grid, truth)
    np.testing.assert_array_equal(volume.voxels, truth.stored)
    np.testing.assert_array_equal(volume.rescaled(), truth.values)
    assert [i.sop_instance_uid for i in volume.instances] == [
        i.header.get("SOPInstanceUID") or i.header.file_meta.MediaStorageSOPInstanceUID
        for i in truth.images
    ]


def check_manifest(header: VolumeHeader, volume: Volume, truth: dict[str, Any]) -> None:
    grid, values = volume.grid, volume.rescaled()
    assert grid.shape == (truth["n_slices"], *truth["rows_cols"])
    assert grid.row_direction == pytest.approx(truth["row_dir"], abs=COSINE)
    assert grid.column_direction == pytest.approx(truth["col_dir"], abs=COSINE)
    spacing = truth["pixel_spacing_row_col"]
    assert grid.pixel_spacing == pytest.approx(spacing, abs=PLACE_MM)
    box = np.array(truth["voxel_centre_bbox_lps"])
    assert bounding_box(grid) == pytest.approx(box, abs=PLACE_MM)
    gaps = {float(gap): n for gap, n in truth["gap_along_normal_mm"].items()}
    assert _counted(grid.slice_gaps.tolist(), gaps) == gaps
    shown = {float(g): n for g, n in header.as_dict()["slice_gaps_mm"].items()}
    assert _counted(shown.keys(), gaps, shown) == gaps
    assert abs(grid.tilt_deg) == pytest.approx(truth["shear_angle_deg"], abs=0.01)
    assert values.min() == truth["hu_min"]
    assert values.max() == truth["hu_max"]
    assert values.mean() == pytest.approx(truth["hu_mean"], abs=1e-4)
    if "bone_thr_hu" in truth:
        _check_bone(grid, values > truth["bone_thr_hu"], truth)


def _counted(
    found: Iterable[float], true: dict[float, int], counts: dict[float, int] | None = None
) -> dict[float, int]:
    """Return how many of the gaps found are each true gap, within `PLACE_MM`."""
    counted: Counter[float] = Counter()
    for gap in found:
        nearest = min(true, key=lambda t: abs(t - gap))
        assert gap == pytest.approx(nearest, abs=PLACE_MM)
        counted[nearest] += 1 if counts is None else counts[gap]
    return dict(counted)


def _check_bone(grid: Grid, bone: Any, truth: dict[str, Any]) -> None:
    ml = bone.sum() * float(np.prod(grid.spacing)) / 1000
    assert ml == pytest.approx(truth["bone_volume_ml"], rel=0.005)
    centre = grid.to_patient(np.argwhere(bone)).mean(axis=0)
    assert centre == pytest.approx(np.array(truth["bone_centroid_lps"]), abs=0.1)


# Folders that hold one volume and nothing else that is DICOM, with their verdicts.
ONE_VOLUME = {
    "jaw_ct_cerr": ("regular",),
    "spine_ct_j2k/example_ct_dicom": ("regular",),
    "ct_tilt_no_tag": ("tilted",),
    "compressed_mr/compressed_jpeg": ("regular",),
    "compressed_mr/compressed_jpegls": ("regular",),
    "compressed_mr/compressed_rle": ("regular",),
    "mr_nonsquare": ("regular",),
    "mixed_junk_folder": ("regular",),
    "oblique_ct_synth": ("regular",),
    "seg_liver_ct/ct-3slice": ("regular",),
    "seg_liver_ct/23x38x3/image": ("regular",),
    "seg_liver_ct/23x38x3/multiframe": ("regular",),
    "enh_mr_siemens": ("regular",),
    "enh_mr_philips/anatomical": ("regular",),
}


@pytest.mark.parametrize("folder", ONE_VOLUME)
def test_a_real_volume_lies_where_its_tags_say_and_holds_its_stored_values(
    real_dicom: Path, folder: str
) -> None:
    header = only_volume(scan(real_dicom / folder))
    assert header.verdicts == ONE_VOLUME[folder]
    truth = true_stack(true_images(real_dicom / folder))
    check_grid(grid_of(header), truth)
    check_loaded(load(header), truth)


@pytest.mark.parametrize(
    "folder", ["jaw_ct_cerr", "spine_ct_j2k/example_ct_dicom", "ct_tilt_no_tag"]
)
def test_a_real_volume_agrees_with_the_manifest(
    real_dicom: Path, real_truth: dict[str, dict[str, Any]], folder: str
) -> None:
    header = only_volume(scan(real_dicom / folder))
    volume = load(header)
    assert volume.unit == HOUNSFIELD
    check_manifest(header, volume, real_truth[folder.split("/")[0]])


def test_every_truth_of_the_manifest_is_graded(
    real_truth: dict[str, dict[str, Any]],
) -> None:
    graded = {"jaw_ct_cerr", "spine_ct_j2k", "ct_tilt_no_tag", "ct_missing_slice"}
    assert {name for name, truth in real_truth.items() if truth} == graded


def test_a_tilt_without_its_tag_has_its_sign_and_size(real_dicom: Path) -> None:
    header = only_volume(scan(real_dicom / "ct_tilt_no_tag"))
    # The column direction climbs by -14 degrees while the table moves straight up.
    assert grid_of(header).tilt_deg == pytest.approx(-14.0, abs=0.01)
    assert header.as_dict()["tilt_deg"] == pytest.approx(-14.0, abs=0.01)


def test_a_missing_slice_is_refused_and_loads_at_true_positions_when_asked(
    real_dicom: Path, real_truth: dict[str, dict[str, Any]]
) -> None:
    folder = real_dicom / "ct_missing_slice"
    header = only_volume(scan(folder))
    assert header.verdicts == ("missing_slices",)
    with pytest.raises(OsteotraceError, match="missing_slices"):
        load(header)
    volume = load(header, allow_gaps=True)
    check_loaded(volume, true_stack(true_images(folder)))
    check_manifest(header, volume, real_truth["ct_missing_slice"])
    assert volume.notes
    assert load(only_volume(scan(real_dicom / "jaw_ct_cerr"))).notes == ()


def test_slices_at_one_position_are_no_volume(real_dicom: Path) -> None:
    header = only_volume(scan(real_dicom / "ct_not_a_volume"))
    assert header.verdicts == ("duplicate_positions",)
    with pytest.raises(OsteotraceError, match="duplicate_positions"):
        load(header)


def test_mixed_bits_stored_are_not_clipped(real_dicom: Path) -> None:
    folder = real_dicom / "jaw_ct_cerr"
    assert {i.header.BitsStored for i in true_images(folder)} == {12, 13}
    assert load(only_volume(scan(folder))).rescaled().max() == 3844


def test_a_series_without_sop_class_is_read(real_dicom: Path) -> None:
    header = only_volume(scan(real_dicom / "spine_ct_j2k" / "example_ct_dicom"))
    (file, *_) = (real_dicom / "spine_ct_j2k" / "example_ct_dicom").iterdir()
    (image,) = true_images(file)
    assert not image.header.SOPClassUID
    assert header.identity.modality == "CT"


def split(
    folder: Path, key: Any, headers: Iterable[VolumeHeader]
) -> list[tuple[VolumeHeader, TrueStack]]:
    """Pair volumes with the stacks of a folder's images that share a key, by key."""
    groups: dict[Any, list[Any]] = {}
    for image in true_images(folder):
        groups.setdefault(key(image), []).append(image)
    stacks = [true_stack(groups[k]) for k in sorted(groups)]
    return list(zip(headers, stacks, strict=True))


def test_two_orientations_under_one_series_are_two_volumes(real_dicom: Path) -> None:
    folder = real_dicom / "mr_two_orientations"
    (series,) = scan(folder)

    def orientation(instance: Any) -> tuple[float, ...]:
        return tuple(instance.orientation)

    headers = sorted(series.volumes, key=lambda h: orientation(h.instances[0]))
    pairs = split(folder, orientation, headers)
    assert len(pairs) == 2
    for header, truth in pairs:
        assert header.verdicts == ("regular",)
        check_loaded(load(header), truth)
    assert [h.kind.split(",")[0] for h in headers] == ["sagittal", "axial"]


def test_time_points_told_apart_by_instance_number_alone(real_dicom: Path) -> None:
    folder = real_dicom / "dynamic_mr_philips"
    (series,) = scan(folder)
    # Instances 50 to 53 are the four times of one slice, 250 to 253 of the next.
    pairs = split(folder, lambda i: int(i.header.InstanceNumber) % 200, series.volumes)
    assert [len(truth.images) for _, truth in pairs] == [2, 2, 2, 2]
    for header, truth in pairs:
        assert header.verdicts == ("regular",)
        check_loaded(load(header), truth)


def test_time_points_of_one_enhanced_object(real_dicom: Path) -> None:
    folder = real_dicom / "enh_mr_philips" / "fmri"

    def time_point(image: Any) -> int:
        groups = image.header.PerFrameFunctionalGroupsSequence[image.frame - 1]
        return int(groups.FrameContentSequence[0].TemporalPositionIndex)

    (series,) = scan(folder)
    pairs = split(folder, time_point, series.volumes)
    assert [len(truth.images) for _, truth in pairs] == [8, 8, 8, 8]
    for header, truth in pairs:
        assert header.verdicts == ("regular",)
        check_loaded(load(header), truth)
        uid = truth.images[0].header.SOPInstanceUID
        names = [f"{uid}/frames/{image.frame}" for image in truth.images]
        assert [instance.source for instance in header.instances] == names


@pytest.mark.parametrize("folder", ["enh_mr_philips/anatomical", "mr_nonsquare"])
def test_each_slice_keeps_its_own_rescale(real_dicom: Path, folder: str) -> None:
    volume = load(only_volume(scan(real_dicom / folder)))
    truth = true_stack(true_images(real_dicom / folder))
    assert volume.unit == ARBITRARY
    assert (volume.slope != 1).all()
    if folder == "mr_nonsquare":
        slopes = [float(i.header.RescaleSlope) for i in truth.images]
        assert len(set(slopes)) == 4
        assert volume.slope.tolist() == slopes


def test_one_scan_compressed_in_three_ways_has_the_same_voxels(real_dicom: Path) -> None:
    folders = ["compressed_jpeg", "compressed_jpegls", "compressed_rle"]
    volumes = [
        load(only_volume(scan(real_dicom / "compressed_mr" / folder)))
        for folder in folders
    ]
    syntaxes = {v.instances[0].attributes.format.transfer_syntax for v in volumes}
    assert len(syntaxes) == 3
    for other in volumes[1:]:
        np.testing.assert_array_equal(other.voxels, volumes[0].voxels)
        assert other.grid.origins == pytest.approx(volumes[0].grid.origins, abs=0)


def test_three_copies_of_one_scan_are_one_volume(real_dicom: Path) -> None:
    catalogue = scan(real_dicom / "compressed_mr")
    header = only_volume(catalogue)
    assert header.verdicts == ("regular",)
    assert len(header.instances) == 4
    (series,) = catalogue
    assert any("twice" in note or "copy" in note for note in series.notes)


def test_a_legacy_converted_ct_equals_the_single_frames_it_was_made_from(
    real_dicom: Path,
) -> None:
    folder = real_dicom / "seg_liver_ct" / "23x38x3"
    single = load(only_volume(scan(folder / "image")))
    converted = load(only_volume(scan(folder / "multiframe")))
    np.testing.assert_array_equal(converted.voxels, single.voxels)
    np.testing.assert_array_equal(converted.rescaled(), single.rescaled())
    assert converted.grid.origins == pytest.approx(single.grid.origins, abs=0)
    assert converted.grid.pixel_spacing == pytest.approx(single.grid.pixel_spacing, abs=0)
    assert converted.frame_of_reference_uid == single.frame_of_reference_uid
    # RescaleType says US, unspecified: these numbers are not called HU.
    assert converted.unit == single.unit == ARBITRARY


def by_uid(catalogue: Catalogue) -> dict[str, Series]:
    return {series.identity.series_uid: series for series in catalogue}


def test_segmentations_are_listed_with_the_series_they_refer_to(
    real_dicom: Path,
) -> None:
    folder = real_dicom / "seg_liver_ct"
    series = by_uid(scan(folder))
    assert len(series) == 6
    liver = true_images(folder / "ct-3slice")[0].header.SeriesInstanceUID
    small = true_images(folder / "23x38x3" / "image")[0].header.SeriesInstanceUID
    refers = {s.refers_to for s in series.values() if s.identity.modality == "SEG"}
    assert refers == {(liver,), (small,)}
    listed = [s for s in series.values() if s.identity.modality == "SEG"]
    assert len(listed) == 3
    for one in listed:
        assert [v.verdicts for v in one.volumes] == [("not_an_image",)]
        with pytest.raises(OsteotraceError, match="not_an_image"):
            load(one.volumes[0])
    assert series[liver].refers_to == ()


def test_other_files_of_a_real_folder_are_listed_with_a_reason(real_dicom: Path) -> None:
    folder = real_dicom / "mixed_junk_folder"
    catalogue = scan(folder)
    assert len(only_volume(catalogue).instances) == 16
    junk = {p for p in folder.rglob("*") if p.is_file() and p.suffix == ".hl7"}
    assert len(junk) == 11
    assert {skipped.path for skipped in catalogue.skipped} == junk
    assert all(skipped.reason and not skipped.damaged for skipped in catalogue.skipped)


def test_every_file_of_the_whole_tree_is_an_image_or_has_a_reason(
    real_dicom: Path,
) -> None:
    catalogue = scan(real_dicom)
    used = {i.path for s in catalogue for v in s.volumes for i in v.instances}
    skipped = {row.path for row in catalogue.skipped}
    there = {p for p in real_dicom.rglob("*") if p.is_file()}
    # Of the three copies of one compressed scan one is used, and its series says so.
    copies = {p for p in there if p.is_relative_to(real_dicom / "compressed_mr")}
    assert len(used & copies) == 4
    assert used | skipped | copies == there
    assert not used & skipped
    assert all(row.reason for row in catalogue.skipped)
    assert sum(len(s.volumes) for s in catalogue) == 27
    for one in catalogue:
        for header in one.volumes:
            if header.verdicts in {("regular",), ("tilted",)}:
                assert load(header).voxels.shape == grid_of(header).shape
            else:
                with pytest.raises(OsteotraceError):
                    load(header)


def test_the_scans_are_left_as_they_were(real_dicom: Path) -> None:
    def state() -> dict[str, tuple[int, int]]:
        found = {}
        for folder, _, names in os.walk(real_dicom):
            for name in names:
                status = os.stat(os.path.join(folder, name))
                found[os.path.join(folder, name)] = status.st_size, status.st_mtime_ns
        return found

    before = state()
    scan(real_dicom)
    assert state() == before
