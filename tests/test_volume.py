"""A volume's voxels are the stored values, each at its place in the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from tests.fixtures.synthetic import FRAME_UID, SERIES_UID, SeriesSpec

from osteotrace.errors import OsteotraceError
from osteotrace.reading import load
from osteotrace.series import scan
from osteotrace.volume import HOUNSFIELD, Volume, to_image
from osteotrace.volume import load as load_volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.fixtures.synthetic import WriteSeries


def test_voxels_are_stored_values_by_slice_row_column(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp))
    assert np.array_equal(volume.voxels, ramp)
    assert volume.voxels.dtype == np.uint16


def test_each_value_lies_where_its_own_header_says(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp))
    spec = SeriesSpec(voxels=ramp)
    expected = (
        spec.place(3) + 4 * 0.45 * np.array(spec.column) + 6 * 0.4 * np.array(spec.row)
    )
    index = volume.grid.to_index(expected)
    assert index == pytest.approx([3, 4, 6], abs=1e-5)
    assert volume.voxels[tuple(np.round(index).astype(int))] == 1346


def test_values_are_rescaled_slice_by_slice(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    def rescale(data: Dataset, number: int) -> None:
        data.RescaleSlope, data.RescaleIntercept = number + 1, -10 * number

    volume = load(write_series(ramp, edit=rescale))
    assert volume.rescaled()[2, 1, 3] == 3 * 1213 - 20
    window = (slice(2, 4), slice(1, 3), slice(3, 5))
    assert np.array_equal(volume.rescaled(window), volume.rescaled()[window])


def test_bits_stored_of_12_and_13_in_one_series_keep_their_values(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    bright = ramp.copy()
    bright[3] += 4000  # Beyond 12 bits: clipped, these would read 4095.
    volume = load(write_series(bright, bits_stored=(12, 12, 12, 13, 12)))
    assert np.array_equal(volume.voxels, bright)


def test_the_volume_knows_its_frame_its_images_and_its_unit(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp))
    assert volume.frame_of_reference_uid == FRAME_UID
    assert [i.sop_instance_uid for i in volume.instances] == [
        f"{SERIES_UID}.{n}" for n in range(1, 6)
    ]
    assert volume.unit == HOUNSFIELD


def test_mr_signal_has_no_unit(write_series: WriteSeries, ramp: NDArray[Any]) -> None:
    assert load(write_series(ramp, modality="MR")).unit == "1"


def test_voxels_cannot_be_written_to(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp))
    with pytest.raises(ValueError, match="read-only"):
        volume.voxels[0, 0, 0] = 1


def test_the_instances_between_two_points_are_those_of_their_slices(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp))
    points = volume.grid.to_patient([[3.2, 2, 2], [1.4, 5, 6]])
    uids = [i.sop_instance_uid for i in volume.slices_between(points)]
    assert uids == [f"{SERIES_UID}.{n}" for n in (2, 3, 4)]


def drop(keyword: str) -> Callable[[Dataset, int], None]:
    return lambda data, _: delattr(data, keyword)


@pytest.mark.parametrize(
    ("options", "found", "advice"),
    [
        ({"heights": (0.0, 0.6, 1.8, 2.4, 3.0)}, "missing_slices", "missing slices"),
        ({"heights": (0.0, 0.6, 0.6, 1.2, 1.8)}, "duplicate_positions", "one echo"),
        ({"edit": drop("PixelSpacing")}, "no_spacing", "without PixelSpacing"),
    ],
)
def test_a_volume_whose_verdict_forbids_it_is_refused_with_the_way_out(
    write_series: WriteSeries,
    ramp: NDArray[Any],
    options: dict[str, Any],
    found: str,
    advice: str,
) -> None:
    with pytest.raises(OsteotraceError) as caught:
        load(write_series(ramp, **options))
    assert found in caught.value.found
    assert advice in caught.value.advice


def colour(data: Dataset, _: int) -> None:
    data.PhotometricInterpretation = "PALETTE COLOR"


def two_frames(data: Dataset, _: int) -> None:
    data.NumberOfFrames = 2
    data.PixelData = data.PixelData * 2


def cut_off(data: Dataset, number: int) -> None:
    if number == 2:
        data.PixelData = data.PixelData[:-10]


def too_large(data: Dataset, _: int) -> None:
    data.Rows = data.Columns = 65535


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (drop("PixelData"), "without pixel data"),
        (
            cut_off,
            "missing_slices (series 2.25.5502, volume 0; damaged and left out: image",
        ),
        (colour, "PALETTE COLOR"),
        (two_frames, "2 frames"),
        (too_large, "84 bytes of pixels instead of 8589672450"),
    ],
)
def test_an_image_that_is_no_whole_grey_slice_is_refused(
    write_series: WriteSeries,
    ramp: NDArray[Any],
    edit: Callable[[Dataset, int], None],
    found: str,
) -> None:
    with pytest.raises(OsteotraceError) as caught:
        load(write_series(ramp, edit=edit))
    assert found in caught.value.found


def test_a_file_cut_off_within_its_pixels_is_named_where_its_slice_is_missing(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    file = folder / "image0003.dcm"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(OsteotraceError, match=r"missing_slices.*image0003\.dcm"):
        load(folder)
    (skipped,) = scan(folder).skipped
    assert skipped.reason == "an image cut off: 64 of 84 bytes of pixels are there"


def test_a_file_that_changed_after_the_scan_is_not_read_by_its_old_header(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    header = scan(folder).choose()
    file = folder / "image0003.dcm"
    file.write_bytes(file.read_bytes() + b"\0\0")
    with pytest.raises(OsteotraceError, match="scan the folder again"):
        load(header)


def with_gaps(folder: Path) -> Volume:
    return load_volume(scan(folder).choose(), allow_gaps=True)


def test_missing_slices_that_are_allowed_leave_every_slice_in_its_place(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    heights = (0.0, 0.6, 1.8, 2.4, 3.0)
    volume = with_gaps(write_series(ramp, heights=heights))
    places = volume.grid.slice_positions - volume.grid.slice_positions[0]
    assert places == pytest.approx(heights, abs=1e-6)
    assert np.array_equal(volume.voxels, ramp)
    (note,) = volume.notes
    assert note.startswith("1 slice missing, gaps up to 1.2 mm where 0.6 mm is usual")


def test_duplicates_that_are_allowed_leave_the_lowest_number_of_each_place(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = with_gaps(write_series(ramp, heights=(0.0, 0.6, 0.6, 1.2, 1.8)))
    assert np.array_equal(volume.voxels, ramp[[0, 1, 3, 4]])
    assert volume.notes == (
        "1 slices left out: others with a lower number lie at their positions",
    )


def test_a_tilted_stack_is_read_as_it_lies(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp, shear=0.25))
    assert np.array_equal(volume.voxels, ramp)
    assert volume.grid.tilt_deg == pytest.approx(np.degrees(np.arctan(0.25)), abs=1e-4)


def test_without_a_frame_of_reference_there_are_voxels_but_no_frame(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp, edit=drop("FrameOfReferenceUID")))
    assert volume.frame_of_reference_uid == ""


def test_a_ct_without_rescale_values_is_not_called_hounsfield(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    assert load(write_series(ramp, edit=drop("RescaleIntercept"))).unit == "1"


def raw_text(keyword: str, text: str) -> Callable[[Dataset, int], None]:
    """Return an edit that writes a decimal string as it stands, NaN included."""

    def edit(data: Dataset, _: int) -> None:
        setattr(data, keyword, 1)
        tag = data[keyword].tag
        padded = text.encode().ljust(len(text) + len(text) % 2)
        del data[keyword]
        data[tag] = RawDataElement(tag, "DS", len(padded), padded, 0, False, True)

    return edit


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("RescaleSlope", "0"),
        ("RescaleSlope", "0.0"),
        ("RescaleSlope", "nan"),
        ("RescaleSlope", "inf"),
        ("RescaleIntercept", "nan"),
        ("RescaleIntercept", "-inf"),
    ],
)
def test_a_rescale_that_gives_no_values_is_refused_by_its_tag(
    write_series: WriteSeries, ramp: NDArray[Any], keyword: str, text: str
) -> None:
    with pytest.raises(OsteotraceError) as caught:
        load(write_series(ramp, edit=raw_text(keyword, text)))
    assert f"a {keyword} (0028,105" in caught.value.found
    assert caught.value.where.endswith(".dcm")


def test_a_rescale_without_a_slope_has_the_slope_one(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp, edit=drop("RescaleSlope")))
    assert np.array_equal(volume.rescaled(), ramp - 1024.0)


def sampled(image: Any, point: NDArray[np.float64]) -> float:
    return float(image.EvaluateAtPhysicalPoint(point.tolist()))


def check_image_agrees(volume: Volume, image: Any, index: tuple[int, ...]) -> None:
    place = volume.grid.to_patient(index)
    assert sampled(image, place) == pytest.approx(volume.rescaled()[index])


def test_a_simpleitk_image_has_each_value_at_its_place(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp))
    image = to_image(volume)
    assert image.GetSize() == (7, 6, 5)
    assert image.GetPixelIDTypeAsString() == "16-bit signed integer"
    check_image_agrees(volume, image, (3, 4, 5))
    check_image_agrees(volume, image, (1, 2, 6))


def test_a_simpleitk_image_keeps_fractions(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = load(write_series(ramp, slope=0.5, intercept=0.25))
    check_image_agrees(volume, to_image(volume), (3, 4, 5))


def test_a_real_jaw_with_mixed_bits_has_the_values_of_its_tags(
    real_dicom: Path, real_truth: dict[str, dict[str, Any]]
) -> None:
    truth = real_truth["jaw_ct_cerr"]
    volume = load(real_dicom / "jaw_ct_cerr")
    values = volume.rescaled()
    assert values.min() == truth["hu_min"]
    assert values.max() == truth["hu_max"]
    assert values.mean() == pytest.approx(truth["hu_mean"], abs=1e-4)
    bone = np.argwhere(values > truth["bone_thr_hu"])
    centroid = volume.grid.to_patient(bone).mean(axis=0)
    assert centroid == pytest.approx(truth["bone_centroid_lps"], abs=2e-3)
    voxel_ml = np.prod(volume.grid.spacing) / 1000
    assert len(bone) * voxel_ml == pytest.approx(truth["bone_volume_ml"], abs=2e-3)


def test_real_jpeg_2000_slices_are_decoded_rightly(
    real_dicom: Path, real_truth: dict[str, dict[str, Any]]
) -> None:
    truth = real_truth["spine_ct_j2k"]
    values = load(real_dicom / "spine_ct_j2k" / "example_ct_dicom").rescaled()
    assert values.mean() == pytest.approx(truth["hu_mean"], abs=1e-4)
    assert (values.min(), values.max()) == (truth["hu_min"], truth["hu_max"])


def test_the_frames_of_a_real_enhanced_object_are_its_slices(real_dicom: Path) -> None:
    (file,) = (real_dicom / "enh_mr_siemens").rglob("*.dcm")
    frames = dcmread(file).pixel_array
    volume = load(file)
    assert [i.frame for i in volume.instances] == [*range(1, 9)]
    assert np.array_equal(volume.voxels, frames)


def test_reading_changes_no_file(write_series: WriteSeries, ramp: NDArray[Any]) -> None:
    folder = write_series(ramp)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    load(folder)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    assert dcmread(folder / "image0001.dcm").Rows == 6
