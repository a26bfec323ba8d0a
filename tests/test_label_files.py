"""Labels from NIfTI, NRRD and MetaImage files, made up and real."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.label_images import write_nifti, write_slicer

import osteotrace as ot
from osteotrace import OsteotraceError
from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.segmentation.labels import bodies, read_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.segmentation.labels import LabelMap
    from osteotrace.volume import Volume

GRID = straight_grid((12, 15, 14), (2.0, 0.75, 0.5), centre=(10, -20, 300))


def drawn() -> NDArray[np.uint8]:
    """Return a label map of T12 (32) and L1 (31) and the cord (79)."""
    values = np.zeros(GRID.shape, np.uint8)
    values[1:4, 3:9, 4:12] = 31
    values[4:6, 3:9, 4:12] = 32
    values[1:6, 12:14, 6:9] = 79
    return values


NAMES = {31: "vertebrae_L1", 32: "vertebrae_T12", 79: "spinal_cord", 116: "sternum"}


def scan() -> Volume:
    return as_volume(np.zeros(GRID.shape), GRID)


def voxels_of(labels: LabelMap) -> dict[int, NDArray[np.bool_]]:
    return {label.number: label.mask.on(labels.grid) for label in labels}


def test_a_nifti_file_gives_its_labels_with_the_names_in_its_header(
    tmp_path: Path,
) -> None:
    labels = read_labels(write_nifti(tmp_path / "a.nii.gz", drawn(), GRID, NAMES))
    assert labels.names == ("vertebrae_L1", "vertebrae_T12", "spinal_cord")
    standard = [label.standard_name for label in labels]
    assert standard == ["L1", "T12", "spinal cord"]
    assert labels.empty == ("sternum",)
    for number, voxels in voxels_of(labels).items():
        assert (voxels == (drawn() == number)).all()
    assert labels["L1"].mask.frame_of_reference_uid == ""
    assert labels["L1"].mask.source_instances == ()


def test_labels_are_found_by_number_by_name_and_by_standard_name(tmp_path: Path) -> None:
    labels = read_labels(write_nifti(tmp_path / "a.nii", drawn(), GRID, NAMES))
    for key in (31, "vertebrae_L1", "L1", "l1", "L1 vertebra"):
        assert labels[key].number == 31
    assert "L1" in labels
    assert "L2" not in labels
    with pytest.raises(OsteotraceError, match="expected one of L1, T12, spinal cord"):
        labels["L2"]
    with pytest.raises(OsteotraceError, match="'sternum' without a voxel"):
        labels["sternum"]


def test_on_its_grid_labels_take_the_images_and_the_frame_of_reference_of_a_volume(
    tmp_path: Path,
) -> None:
    volume = scan()
    labels = read_labels(write_nifti(tmp_path / "a.nii", drawn(), GRID), like=volume)
    assert labels.frame_of_reference_uid == volume.frame_of_reference_uid
    assert labels.series_uid == volume.identity.series_uid
    mask = labels[31].mask
    assert mask.source_instances == tuple(v.source for v in volume.instances[1:4])
    assert (mask.on(volume.grid) == (drawn() == 31)).all()


def test_a_file_whose_axes_run_another_way_is_put_in_the_order_of_the_volume(
    tmp_path: Path,
) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(drawn())
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin(GRID.origins[0].tolist())
    turned = sitk.DICOMOrient(image, "PIR")
    assert turned.GetSize() != image.GetSize()
    sitk.WriteImage(turned, str(tmp_path / "a.nii.gz"))
    labels = read_labels(tmp_path / "a.nii.gz", like=scan())
    assert (labels[31].mask.on(GRID) == (drawn() == 31)).all()


def test_labels_off_the_grid_of_the_volume_are_refused_with_the_reason(
    tmp_path: Path,
) -> None:
    file = write_nifti(tmp_path / "a.nii", drawn(), GRID)
    larger = straight_grid((12, 15, 20), (2.0, 0.75, 0.5), centre=(10, -20, 300))
    aside = straight_grid((12, 15, 14), (2.0, 0.75, 0.5), centre=(10, -20, 300.3))
    for grid, reason in ((larger, "the image has 24 × 20 × 10"), (aside, "not at its")):
        volume = as_volume(np.zeros(grid.shape), grid)
        with pytest.raises(OsteotraceError, match=reason) as refused:
            read_labels(file, like=volume)
        assert refused.value.where == str(file)
        assert "assume_same_space" in refused.value.advice


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_the_type_of_the_voxels_does_not_matter(tmp_path: Path, kind: str) -> None:
    file = write_nifti(tmp_path / "a.nii", drawn().astype(kind), GRID)
    assert [label.number for label in read_labels(file)] == [31, 32, 79]


def test_a_stored_slope_applies_to_labels(tmp_path: Path) -> None:
    doubled = write_nifti(tmp_path / "a.nii", drawn(), GRID, slope=2.0)
    assert [label.number for label in read_labels(doubled)] == [62, 64, 158]


def test_numbers_beyond_65535_are_read(tmp_path: Path) -> None:
    large = drawn().astype(np.uint32)
    large[large == 31] = 3_000_000_000
    for background in (0, 7):
        values = np.where(large == 0, np.uint32(background), large)
        labels = read_labels(write_nifti(tmp_path / "a.nii", values, GRID))
        assert labels[3_000_000_000].mask.voxels.sum() == (drawn() == 31).sum()
        assert 7 in labels if background else 7 not in labels


def test_a_table_names_numbers_that_the_file_does_not(tmp_path: Path) -> None:
    file = write_nifti(tmp_path / "a.nii", drawn(), GRID)
    assert read_labels(file).names == ("label 31", "label 32", "label 79")
    assert [label.standard_name for label in read_labels(file)] == ["", "", ""]
    total = read_labels(file, table="totalsegmentator total")
    assert [label.standard_name for label in total] == ["L1", "T12", "spinal cord"]
    assert total.notes == ("labels named by the table 'totalsegmentator total'",)
    own = read_labels(file, table={31: "sequestrum"})
    assert own.names == ("sequestrum", "label 32", "label 79")
    with pytest.raises(OsteotraceError, match="expected one of totalsegmentator total"):
        read_labels(file, table="total")


def test_a_file_name_may_tell_the_table_and_says_so(tmp_path: Path) -> None:
    values = np.where(drawn() == 31, 20, np.where(drawn() == 32, 119, 0)).astype(np.uint8)
    file = write_nifti(tmp_path / "sub-1_seg-vert_msk.nii.gz", values, GRID)
    labels = read_labels(file)
    assert [label.standard_name for label in labels] == ["L1", "T12 disc"]
    assert "to which the name of the file points" in labels.notes[0]


def test_a_file_name_may_refine_the_names_in_a_file_but_not_change_their_level(
    tmp_path: Path,
) -> None:
    values = np.where(drawn() == 31, 20, np.where(drawn() == 32, 19, 0)).astype(np.uint8)
    names = {19: "vertebrae_T12", 20: "vertebrae_L2"}
    file = write_nifti(tmp_path / "vertebrae_pp_refined.nii", values, GRID, names)
    labels = read_labels(file)
    assert [label.standard_name for label in labels] == ["T12 body", "L2"]


def test_a_file_of_one_structure_names_it(tmp_path: Path) -> None:
    one = (drawn() == 31).astype(np.uint8)
    labels = read_labels(write_nifti(tmp_path / "vertebrae_L1.nii.gz", one, GRID))
    assert labels.names == ("vertebrae_L1",)
    assert labels["L1"].mask.role == "L1"
    assert labels.notes == ("the label has the name of its file",)
    # What is not understood may be anybody's name.
    other = read_labels(write_nifti(tmp_path / "Meier_L1.nii.gz", one, GRID))
    assert other.names == ("label 1",)
    many = read_labels(write_nifti(tmp_path / "L1.nii.gz", drawn(), GRID))
    assert many.names == ("label 31", "label 32", "label 79")


def test_bodies_are_what_vertebrae_and_body_labels_share(tmp_path: Path) -> None:
    parts = np.zeros(GRID.shape, np.uint8)
    parts[:4, 3:6] = 1
    names = {1: "vertebrae_body"}
    volume = scan()
    whole = read_labels(
        write_nifti(tmp_path / "a.nii", drawn(), GRID, NAMES), like=volume
    )
    body = read_labels(write_nifti(tmp_path / "b.nii", parts, GRID, names), like=volume)
    found = bodies(whole, body)
    assert [label.standard_name for label in found] == ["L1 body"]
    assert found.empty == ("vertebrae_T12 body",)
    mask = found["L1 body"].mask
    assert (mask.on(GRID) == ((drawn() == 31) & (parts == 1))).all()
    assert mask.source_instances == tuple(v.source for v in volume.instances[1:4])
    with pytest.raises(OsteotraceError, match="0 labels of vertebral bodies"):
        bodies(whole, whole)
    elsewhere = replace(body, frame_of_reference_uid="2.25.99")
    with pytest.raises(OsteotraceError, match="frame of reference"):
        bodies(whole, elsewhere)


# Slicer ------------------------------------------------------------------------------

PAIRS = {
    "Segment0_ID": "Segment_1", "Segment0_Name": "L1 body", "Segment0_LabelValue": "1",
    "Segment0_Layer": "0", "Segment0_Extent": "0 1 0 1 0 1",
    "Segment1_ID": "Segment_2", "Segment1_Name": "lesion α", "Segment1_LabelValue": "1",
    "Segment1_Layer": "1",
    "Segment1_Tags": "TerminologyEntry:Segmentation category and type - 3D Slicer "
    "General Anatomy list~SCT^85756007^Tissue~SCT^90228003^Hard palate~^^~list~^^~^^|",
    "Segment2_ID": "Segment_3", "Segment2_Name": "nothing yet",
    "Segment2_LabelValue": "2", "Segment2_Layer": "0",
    "Segmentation_SourceRepresentation": "Binary labelmap",
}  # fmt: skip


def test_a_slicer_file_gives_segments_that_overlap_with_their_names(
    tmp_path: Path,
) -> None:
    layers = [(drawn() == 31).astype(np.uint8), (drawn() > 0).astype(np.uint8)]
    file = write_slicer(tmp_path / "a.seg.nrrd", layers, GRID, PAIRS)
    labels = read_labels(file, like=scan())
    assert labels.names == ("L1 body", "lesion α")
    assert labels["L1 body"].standard_name == "L1 body"
    assert labels["lesion α"].standard_name == "hard palate"
    assert labels["lesion α"].tracking_identifier == "Segment_2"
    assert labels.empty == ("nothing yet",)
    for label, layer in zip(labels, layers, strict=True):
        assert (label.mask.on(GRID) == (layer == 1)).all()
    with pytest.raises(OsteotraceError, match="2 labels for 1"):
        labels[1]


def test_a_slicer_file_of_one_layer_is_three_dimensional(tmp_path: Path) -> None:
    file = write_slicer(tmp_path / "a.seg.nrrd", [(drawn() == 31).astype(np.uint8)], GRID,
                        PAIRS)  # fmt: skip
    labels = read_labels(file)
    assert (labels["L1 body"].mask.on(labels.grid) == (drawn() == 31)).all()
    assert labels.empty == ("lesion α", "nothing yet")


def test_a_slicer_file_of_many_segments_has_a_long_header(tmp_path: Path) -> None:
    pairs = {
        f"Segment{k}_{key}": value
        for k in range(200)
        for key, value in {
            "ID": f"s{k}", "Name": f"part {k}", "LabelValue": str(k + 1), "Layer": "0",
            "Tags": "T" * 500,
        }.items()
    }  # fmt: skip
    file = write_slicer(tmp_path / "a.seg.nrrd", [drawn()], GRID, pairs)
    assert read_labels(file).names == ("part 30", "part 31", "part 78")


def test_a_fractional_slicer_file_is_refused(tmp_path: Path) -> None:
    pairs = PAIRS | {"Segmentation_SourceRepresentation": "Fractional labelmap"}
    file = write_slicer(tmp_path / "a.seg.nrrd", [drawn()], GRID, pairs)
    with pytest.raises(OsteotraceError, match="Fractional labelmap"):
        read_labels(file)
    odd = PAIRS | {"Segment0_Layer": "first"}
    file = write_slicer(tmp_path / "b.seg.nrrd", [drawn()], GRID, odd)
    with pytest.raises(OsteotraceError, match="whole numbers"):
        read_labels(file)


def test_a_metaimage_holds_labels_without_names(tmp_path: Path) -> None:
    import SimpleITK as sitk

    sitk.WriteImage(sitk.GetImageFromArray(drawn()), str(tmp_path / "a.mha"))
    assert read_labels(tmp_path / "a.mha").names == ("label 31", "label 32", "label 79")


# On another grid ---------------------------------------------------------------------


def ellipsoid(volume_grid: Any, radii: tuple[float, float, float]) -> NDArray[np.uint8]:
    index = np.moveaxis(np.indices(volume_grid.shape), 0, -1)
    away = (volume_grid.to_patient(index) - [10, -20, 300]) / radii
    return np.asarray(np.linalg.norm(away, axis=-1) <= 1).astype(np.uint8)


FINE = straight_grid((44, 42, 40), (1.0, 0.6, 0.5), centre=(10.1, -20.2, 300.3))
COARSE = straight_grid((48, 45, 42), (1.5, 1.5, 1.5), centre=(10, -20, 300))


# The Gaussian moves a surface inwards by half its variance times the sum of both
# curvatures: here (0.8 × 1.5 mm)² / 12 mm, 3 % of the volume.
@pytest.mark.parametrize(("method", "kept"), [("nearest", 1.0), ("gaussian", 0.97)])
def test_labels_move_onto_another_grid_and_say_so(
    tmp_path: Path, method: Any, kept: float
) -> None:
    file = write_nifti(tmp_path / "a.nii", ellipsoid(COARSE, (14, 12, 10)), COARSE)
    volume = as_volume(np.zeros(FINE.shape), FINE)
    labels = read_labels(file)
    moved = labels.resampled_onto(volume, method=method, assume_same_space=True)
    mask = moved[1].mask
    size = mask.voxels.sum() * np.prod(FINE.spacing)
    assert size == pytest.approx(kept * 4 / 3 * np.pi * 14 * 12 * 10, rel=0.01)
    middle = mask.grid.to_patient(np.argwhere(mask.voxels)).mean(axis=0)
    assert middle == pytest.approx([10, -20, 300], abs=0.15)
    assert moved.frame_of_reference_uid == volume.frame_of_reference_uid
    assert set(mask.source_instances) <= {v.source for v in volume.instances}
    assert "1.5 × 1.5 × 1.5 mm to 1 × 0.6 × 0.5 mm" in moved.notes[-1]
    assert "taken to lie in the image's" in moved.notes[0]
    # Nearest keeps every voxel's own label.
    if method == "nearest":
        at = COARSE.to_index(FINE.to_patient(np.moveaxis(np.indices(FINE.shape), 0, -1)))
        expected = ellipsoid(COARSE, (14, 12, 10))[
            tuple(np.round(np.moveaxis(at, -1, 0)).astype(int))
        ]
        assert (mask.on(FINE) != (expected == 1)).mean() < 1e-4


def test_labels_move_onto_an_uneven_stack_by_the_nearest_voxel(tmp_path: Path) -> None:
    file = write_nifti(tmp_path / "a.nii", ellipsoid(COARSE, (14, 12, 10)), COARSE)
    heights = np.cumsum([1, 1, 2, 1, 1, 3] * 7)[:42, None] * [0, 0, 1.0]
    uneven = replace_origins(FINE, FINE.origins[0] + heights)
    volume = as_volume(np.zeros(uneven.shape), uneven)
    labels = read_labels(file)
    moved = labels.resampled_onto(volume, assume_same_space=True)[1].mask.on(uneven)
    assert (moved != (ellipsoid(uneven, (14, 12, 10)) == 1)).mean() < 0.02
    with pytest.raises(OsteotraceError, match="unevenly spaced"):
        labels.resampled_onto(volume, method="gaussian", assume_same_space=True)


def replace_origins(grid: Any, origins: NDArray[np.float64]) -> Any:
    from osteotrace.geometry import Grid

    return Grid(
        row_direction=grid.row_direction, column_direction=grid.column_direction,
        pixel_spacing=grid.pixel_spacing, origins=origins, rows=grid.rows,
        columns=grid.columns,
    )  # fmt: skip


def test_a_label_that_no_voxel_is_left_of_is_named_as_empty(tmp_path: Path) -> None:
    values = ellipsoid(FINE, (12, 12, 10))
    values[20, 30, 40] = 2
    file = write_nifti(tmp_path / "a.nii", values, FINE, {1: "L1", 2: "speck"})
    coarse = as_volume(np.zeros(COARSE.shape), COARSE)
    moved = read_labels(file).resampled_onto(coarse, assume_same_space=True)
    assert moved.names == ("L1",)
    assert moved.empty == ("speck",)
    aside = straight_grid((9, 9, 9), (1.0, 1.0, 1.0), centre=(900, 0, 0))
    with pytest.raises(OsteotraceError, match="none of which has a voxel"):
        read_labels(file).resampled_onto(
            as_volume(np.zeros(aside.shape), aside), assume_same_space=True
        )


def test_labels_of_no_known_space_do_not_move_unasked(tmp_path: Path) -> None:
    labels = read_labels(write_nifti(tmp_path / "a.nii", drawn(), GRID))
    volume = as_volume(np.zeros(FINE.shape), FINE)
    with pytest.raises(OsteotraceError, match="frame of reference of nobody"):
        labels.resampled_onto(volume)
    elsewhere = replace(labels, frame_of_reference_uid="2.25.99")
    with pytest.raises(OsteotraceError, match=r"frame of reference 2\.25\.99"):
        elsewhere.resampled_onto(volume, assume_same_space=True)


def test_labels_on_the_grid_already_stay_as_they_are(tmp_path: Path) -> None:
    labels = read_labels(write_nifti(tmp_path / "a.nii", drawn(), GRID), like=scan())
    same = labels.resampled_onto(scan())
    assert same.labels == labels.labels
    assert same.notes == labels.notes


# What is no label map ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda a: a * 0, "every voxel is 0"),
        (lambda a: a.astype("f4") + np.float32(0.25), "no whole numbers"),
        (lambda a: a.astype("f4") * np.float32("nan"), "no whole numbers"),
        (lambda a: np.where(a, np.float32("inf"), 0), "no whole numbers"),
        (lambda a: np.where(a, np.float32(1e30), 0), "no whole numbers"),
        (lambda a: a.astype("i2") - np.int16(1), "the value -1"),
        (lambda a: np.arange(a.size, dtype="u2").reshape(a.shape), "different values"),
    ],
)
def test_an_image_that_is_no_label_map_is_refused(
    tmp_path: Path, spoil: Callable[[Any], Any], reason: str
) -> None:
    file = write_nifti(tmp_path / "a.nii", spoil(drawn()), GRID)
    with pytest.raises(OsteotraceError, match=reason) as refused:
        read_labels(file)
    assert refused.value.where == str(file)


def test_a_damaged_or_absent_file_is_refused(tmp_path: Path) -> None:
    file = write_nifti(tmp_path / "a.nii.gz", drawn(), GRID, NAMES)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(OsteotraceError, match="damaged NIfTI"):
        read_labels(file)
    with pytest.raises(OsteotraceError, match="cannot be read"):
        read_labels(tmp_path / "none.nii.gz")


# Real files --------------------------------------------------------------------------


def truth_of(real_dicom: Path, folder: str) -> dict[str, dict[str, Any]]:
    entries = json.loads((real_dicom / "MANIFEST.json").read_text())
    entry = next(entry for entry in entries if entry["name"] == folder)
    return {image["file"]: image.get("labels", {}) for image in entry["nifti"]}


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("spine_ct_j2k", "example_seg_dicom.nii.gz"),
        ("spine_ct_j2k", "totalseg.nii.gz"),
        ("spine_ct_j2k", "totalseg_vertebrae_body.nii.gz"),
        ("spine_ct_j2k", "totalseg_vertebrae_pp_refined.nii.gz"),
        ("spine_mr_masks", "sub-mri_seg-vert_label-6_msk.nii.gz"),
        ("spine_mr_masks", "sub-mri_seg-subreg_label-6_msk.nii.gz"),
    ],
)
def test_real_labels_have_their_voxels_and_their_places(
    real_dicom: Path, folder: str, name: str
) -> None:
    labels = read_labels(next((real_dicom / folder).rglob(name)))
    truth = truth_of(real_dicom, folder)[name]
    assert [str(label.number) for label in labels] == list(truth)
    for label in labels:
        expected, mask = truth[str(label.number)], label.mask
        at = mask.grid.to_patient(np.argwhere(mask.voxels))
        assert len(at) == expected["voxels"]
        assert at.mean(axis=0) == pytest.approx(expected["centroid_lps"], abs=0.002)


def test_real_totalsegmentator_files_name_their_vertebrae(real_dicom: Path) -> None:
    folder = real_dicom / "spine_ct_j2k" / "spine_report" / "test_result"
    whole = read_labels(folder / "totalseg.nii.gz")
    assert [label.standard_name for label in whole] == [
        "S1", "L5", "L4", "L3", "L2", "L1", "T12", "T11",
    ]  # fmt: skip
    parts = read_labels(folder / "totalseg_vertebrae_body.nii.gz")
    assert [label.standard_name for label in parts] == ["vertebral body", "disc"]
    refined = read_labels(folder / "totalseg_vertebrae_pp_refined.nii.gz")
    cut = bodies(whole, parts)
    # The bodies that one task draws lie in those that the other two share.
    for level in ("T12", "L1", "L2", "L3", "L4", "L5"):
        one = refined[f"{level} body"].mask.on(refined.grid)
        other = cut[f"{level} body"].mask.on(cut.grid)
        assert (one & other).sum() / one.sum() > 0.96


def test_real_labels_lie_on_their_dicom_series(real_dicom: Path) -> None:
    folder = real_dicom / "spine_ct_j2k"
    volume = ot.load(folder / "example_ct_dicom")
    labels = read_labels(folder / "example_seg_dicom.nii.gz", like=volume)
    assert labels.frame_of_reference_uid == volume.frame_of_reference_uid
    vertebra = labels["T12"].mask.on(volume.grid)
    # Where the program says vertebra there is bone, and none beside the aorta's blood.
    assert np.median(volume.rescaled()[vertebra]) > 150
    assert labels["T12"].mask.source_instances[0] in {v.source for v in volume.instances}


def test_real_bodies_of_an_mr_follow_from_its_two_files(real_dicom: Path) -> None:
    folder = real_dicom / "spine_mr_masks"
    volume = ot.load(folder / "sub-mri_label-6_T2w.nii.gz")
    vertebrae = read_labels(folder / "sub-mri_seg-vert_label-6_msk.nii.gz", like=volume)
    parts = read_labels(folder / "sub-mri_seg-subreg_label-6_msk.nii.gz", like=volume)
    cut = bodies(vertebrae, parts)
    # Numbers 5 to 7 are C5 to C7 in TPTBox's table, which this sample does not follow.
    assert [label.number for label in cut] == [5, 6, 7]
    truth = truth_of(real_dicom, "spine_mr_masks")
    whole = truth["sub-mri_seg-subreg_label-6_msk.nii.gz"]["49"]["voxels"]
    assert sum(label.mask.voxels.sum() for label in cut) == whole
