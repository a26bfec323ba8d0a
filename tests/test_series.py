"""A folder's headers tell its series, volumes and whether each can be measured."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian
from tests.fixtures.synthetic import FRAME_UID, OBLIQUE_COLUMN, OBLIQUE_ROW, SERIES_UID

from osteotrace.errors import OsteotraceError
from osteotrace.series import Catalogue, VolumeHeader, scan
from osteotrace.series.catalogue import MEASURABLE
from osteotrace.series.wording import VERDICTS, verdict_in_words
from osteotrace.volume.loading import ADVICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.fixtures.synthetic import WriteSeries


def only_volume(catalogue: Catalogue) -> VolumeHeader:
    (series,) = catalogue
    (volume,) = series.volumes
    return volume


def test_a_regular_oblique_series_is_one_regular_volume(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = only_volume(scan(write_series(ramp)))
    assert volume.verdicts == ("regular",)
    assert volume.grid is not None
    assert volume.grid.shape == (5, 6, 7)
    assert volume.grid.spacing == pytest.approx([0.6, 0.45, 0.4], abs=1e-6)
    assert volume.grid.row_direction == pytest.approx(OBLIQUE_ROW, abs=1e-7)
    assert volume.grid.column_direction == pytest.approx(OBLIQUE_COLUMN, abs=1e-7)
    assert volume.frame_of_reference_uid == FRAME_UID


def test_slices_are_ordered_along_the_normal_whatever_the_file_names(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    volume = only_volume(scan(write_series(ramp)))
    uids = [instance.sop_instance_uid for instance in volume.instances]
    assert uids == [f"{SERIES_UID}.{n}" for n in range(1, 6)]
    assert volume.grid is not None
    assert (np.diff(volume.grid.slice_positions) > 0).all()


def test_instance_number_and_slice_thickness_decide_nothing(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    def mislead(data: Dataset, number: int) -> None:
        data.InstanceNumber = 10 - number
        data.SliceThickness = 0.1

    volume = only_volume(scan(write_series(ramp, edit=mislead)))
    assert volume.instances[0].sop_instance_uid == f"{SERIES_UID}.1"
    assert volume.grid is not None
    assert volume.grid.spacing[0] == pytest.approx(0.6, abs=1e-6)


def without(keyword: str) -> dict[str, Any]:
    return {"edit": lambda data, _: delattr(data, keyword)}


def with_value(keyword: str, value: Any) -> dict[str, Any]:
    return {"edit": lambda data, _: setattr(data, keyword, value)}


@pytest.mark.parametrize(
    ("options", "verdicts"),
    [
        ({"shear": 0.25}, ("tilted",)),
        ({"shear": -0.25}, ("tilted",)),
        ({"heights": (0.0, 0.6, 1.8, 2.4, 3.0)}, ("missing_slices",)),
        ({"heights": (0.0, 0.6, 1.5, 2.1, 3.0)}, ("uneven",)),
        ({"heights": (0.0, 0.6, 1.5, 2.1, 3.0), "shear": 0.2}, ("uneven", "tilted")),
        ({"heights": (0.0, 0.6, 0.6, 1.2, 1.8)}, ("duplicate_positions",)),
        (without("PixelSpacing"), ("no_spacing",)),
        (with_value("PixelSpacing", ["0", "0.4"]), ("no_spacing",)),
        (without("ImagePositionPatient"), ("not_an_image",)),
        (with_value("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), ("unreadable",)),
        (with_value("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), ("localizer",)),
        (with_value("Modality", "DX"), ("projection",)),
        (with_value("Modality", "PT"), ("not_an_image",)),
        (with_value("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2.1"), ("unreadable",)),
    ],
)
def test_what_cannot_be_measured_has_its_verdict(
    write_series: WriteSeries,
    ramp: NDArray[Any],
    options: dict[str, Any],
    verdicts: tuple[str, ...],
) -> None:
    assert only_volume(scan(write_series(ramp, **options))).verdicts == verdicts


def test_gaps_whose_small_errors_add_up_are_uneven(write_series: WriteSeries) -> None:
    gaps = np.repeat([0.5 * 1.0049, 0.5 * 0.9951], 25)
    heights = (0.0, *np.cumsum(gaps))
    voxels = np.zeros((len(heights), 3, 4), np.uint16)
    assert only_volume(scan(write_series(voxels, heights=heights))).verdicts == (
        "uneven",
    )


def test_slices_shifted_to_and_fro_in_their_plane_are_uneven(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    def shift(data: Dataset, number: int) -> None:
        place = np.array(data.ImagePositionPatient, dtype=float)
        moved = place + 0.06 * (number % 2) * np.array(OBLIQUE_ROW)
        data.ImagePositionPatient = [f"{x:.8f}" for x in moved]

    assert only_volume(scan(write_series(ramp, edit=shift))).verdicts == ("uneven",)


def test_imager_pixel_spacing_is_no_pixel_spacing(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    def swap(data: Dataset, _: int) -> None:
        data.ImagerPixelSpacing = data.PixelSpacing
        del data.PixelSpacing

    assert only_volume(scan(write_series(ramp, edit=swap))).verdicts == ("no_spacing",)


def test_a_lone_slice_is_no_volume(write_series: WriteSeries, ramp: NDArray[Any]) -> None:
    assert only_volume(scan(write_series(ramp[:1]))).verdicts == ("single_slice",)


def test_a_tilt_is_measured_from_positions_with_its_sign(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    grid = only_volume(scan(write_series(ramp, shear=-0.25))).grid
    assert grid is not None
    assert grid.tilt_deg == pytest.approx(-np.degrees(np.arctan(0.25)), abs=1e-3)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("FrameOfReferenceUID", "2.25.99"),
        ("EchoTime", "80"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "PHASE"]),
        ("ImageOrientationPatient", [0, 1, 0, 0, 0, -1]),
    ],
)
def test_what_differs_inside_a_series_makes_two_volumes(
    write_series: WriteSeries, ramp: NDArray[Any], keyword: str, value: Any
) -> None:
    def differ(data: Dataset, number: int) -> None:
        if number >= 3:
            setattr(data, keyword, value)

    (series,) = scan(write_series(ramp, edit=differ))
    assert [len(volume.instances) for volume in series.volumes] == [3, 2]
    assert [volume.k for volume in series.volumes] == [0, 1]


def test_cosines_that_differ_in_the_last_digits_are_one_orientation(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    # 0.0005 is where rounding to three digits would split the series.
    def jitter(data: Dataset, number: int) -> None:
        tiny = 0.0005 + (-1) ** number * 1e-6
        data.ImageOrientationPatient = [f"{x:.8f}" for x in (1, tiny, 0, -tiny, 1, 0)]

    straight: dict[str, Any] = {"row": (1.0, 0.0, 0.0), "column": (0.0, 1.0, 0.0)}
    volume = only_volume(scan(write_series(ramp, edit=jitter, **straight)))
    assert volume.verdicts == ("regular",)


def test_a_copy_of_an_image_is_used_once_and_noted(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    (folder / "copy.dcm").write_bytes((folder / "image0001.dcm").read_bytes())
    (series,) = scan(folder)
    assert series.n_instances == 5
    assert series.notes == ("the same SOP instance lies there twice; one copy is used",)


def test_one_series_uid_under_two_patients_is_two_series(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    def other(data: Dataset, number: int) -> None:
        if number >= 3:
            data.PatientID = "TEST-2"

    catalogue = scan(write_series(ramp, edit=other))
    assert sorted(series.n_instances for series in catalogue) == [2, 3]


def test_one_series_under_several_studies_is_noted(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    def other(data: Dataset, number: int) -> None:
        data.StudyInstanceUID = f"2.25.{number + 1}"

    (series,) = scan(write_series(ramp, edit=other))
    assert series.notes == ("its images name different studies; the first one's is used",)


def test_a_series_without_a_frame_of_reference_is_noted(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    def without(data: Dataset, number: int) -> None:
        del data.FrameOfReferenceUID

    (series,) = scan(write_series(ramp, edit=without))
    assert series.notes == (
        "no FrameOfReferenceUID (0020,0052): measured, but no DICOM SR",
    )


def test_an_identifier_that_only_the_file_meta_information_has_is_used(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    for file in folder.iterdir():
        data = dcmread(file)
        del data.SOPInstanceUID, data.SOPClassUID
        data.save_as(file)
    volume = only_volume(scan(folder))
    assert volume.instances[0].sop_instance_uid == f"{SERIES_UID}.1"
    assert volume.verdicts == ("regular",)


def test_images_whose_series_uid_was_blanked_out_are_still_one_series(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    (series,) = scan(write_series(ramp, series_uid=""))
    assert series.volumes[0].verdicts == ("regular",)
    assert series.notes == ("no Series Instance UID: no DICOM SR",)


def test_other_files_are_passed_over_and_damaged_ones_told_apart(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    (folder / "notes.txt").write_text("hello")
    (folder / "empty.dcm").touch()
    (folder / "cut.dcm").write_bytes((folder / "image0001.dcm").read_bytes()[:400])
    catalogue = scan(folder)
    damaged = {file.path.name: file.damaged for file in catalogue.skipped}
    assert damaged == {"notes.txt": False, "empty.dcm": False, "cut.dcm": True}
    assert only_volume(catalogue).verdicts == ("regular",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_in_the_folder_is_not_waited_for(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    os.mkfifo(folder / "pipe")
    assert len(scan(folder)) == 1


def test_a_deflated_file_lies_among_the_others(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    data = dcmread(folder / "image0001.dcm")
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(folder / "image0001.dcm")
    volume = only_volume(scan(folder))
    assert volume.verdicts == ("regular",)
    assert len(volume.instances) == len(ramp)


def test_values_of_the_wrong_type_are_a_damaged_header_not_a_crash(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp)
    file = folder / "image0001.dcm"
    data = dcmread(file)
    data.EchoTime = ["1", "2"]
    data.save_as(file)
    (skipped,) = scan(folder).skipped
    assert skipped.reason == (
        "a damaged DICOM file: (0018,0081) reads b'1\\\\2 ', which is no number"
    )


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda folder: folder, "an empty folder"),
        (lambda folder: folder / "absent", "no such file or folder"),
        (lambda folder: text_file(folder), "a file that is not DICOM"),
        (lambda folder: text_file(folder).parent, "no DICOM file among 1 × a file"),
    ],
)
def test_a_path_without_dicom_is_refused_with_what_is_there(
    tmp_path: Path, make: Callable[[Path], Path], found: str
) -> None:
    with pytest.raises(OsteotraceError) as caught:
        scan(make(tmp_path))
    assert caught.value.found.startswith(found)


def text_file(folder: Path) -> Path:
    file = folder / "letter.txt"
    file.write_text("Dear colleague")
    return file


def test_the_one_measurable_volume_needs_no_choice(small_study: Path) -> None:
    with pytest.raises(OsteotraceError) as caught:
        scan(small_study).choose()
    assert caught.value.usage
    assert caught.value.found == "2 volumes that fit the choice"
    assert caught.value.advice.count("--series") == 2
    assert scan(small_study / "ct").choose().identity.modality == "CT"


def test_a_series_is_chosen_by_its_uid(small_study: Path) -> None:
    for series in scan(small_study):
        assert scan(small_study).choose(series.identity.series_uid) is not None
    with pytest.raises(OsteotraceError, match="no volume that fit"):
        scan(small_study).choose("1.2.3")


def test_patients_show_as_pseudonyms_unless_asked_otherwise(small_study: Path) -> None:
    (series,) = scan(small_study / "ct")
    assert series.as_dict()["patient"] == series.identity.patient
    assert series.as_dict()["patient"].startswith("P-")
    assert series.as_dict(identities=True)["patient"] == "TEST-1"
    assert "TEST-1" not in repr(series)


REGULAR = {
    "jaw_ct_cerr": "jaw_ct_cerr",
    "spine_ct_j2k": "spine_ct_j2k/example_ct_dicom",
}


@pytest.mark.parametrize("name", REGULAR)
def test_real_series_have_the_geometry_of_their_tags(
    real_dicom: Path, real_truth: dict[str, dict[str, Any]], name: str
) -> None:
    truth = real_truth[name]
    volume = only_volume(scan(real_dicom / REGULAR[name]))
    grid = volume.grid
    assert volume.verdicts == ("regular",)
    assert grid is not None
    assert grid.shape == (truth["n_slices"], *truth["rows_cols"])
    assert grid.pixel_spacing == pytest.approx(truth["pixel_spacing_row_col"])
    assert grid.row_direction == pytest.approx(truth["row_dir"])
    assert grid.column_direction == pytest.approx(truth["col_dir"])
    assert grid.origins[0] == pytest.approx(truth["first_ipp_sorted"])
    assert grid.origins[-1] == pytest.approx(truth["last_ipp_sorted"])
    box = truth["voxel_centre_bbox_lps"]
    assert grid.corners().min(axis=0) == pytest.approx(box[0], abs=1e-3)
    assert grid.corners().max(axis=0) == pytest.approx(box[1], abs=1e-3)


def test_a_real_tilt_without_its_tag_is_found_from_positions(
    real_dicom: Path, real_truth: dict[str, dict[str, Any]]
) -> None:
    volume = only_volume(scan(real_dicom / "ct_tilt_no_tag"))
    assert volume.verdicts == ("tilted",)
    assert volume.grid is not None
    truth = real_truth["ct_tilt_no_tag"]["shear_angle_deg"]
    assert abs(volume.grid.tilt_deg) == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize(
    ("folder", "verdicts"),
    [
        ("ct_missing_slice", [("missing_slices",)]),
        ("ct_not_a_volume", [("duplicate_positions",)]),
        ("dynamic_mr_philips", [("regular",)] * 4),
        ("mr_two_orientations", [("regular",), ("regular",)]),
        ("mr_nonsquare", [("regular",)]),
        ("oblique_ct_synth", [("regular",)]),
        ("mixed_junk_folder", [("regular",)]),
        ("enh_mr_siemens", [("regular",)]),
    ],
)
def test_real_traps_have_their_verdicts(
    real_dicom: Path, folder: str, verdicts: list[tuple[str, ...]]
) -> None:
    (series,) = scan(real_dicom / folder)
    assert [volume.verdicts for volume in series.volumes] == verdicts


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "regular"),
        ({"shear": 0.25}, "tilted by 14.0°"),
        ({"shear": -0.25}, "tilted by -14.0°"),
        ({"heights": (0.0, 0.6, 1.8, 2.4, 3.0)}, "1 slice missing"),
        ({"heights": (0.0, 0.6, 1.3, 2.4, 3.1)}, "uneven gaps of 0.6 to 1.1 mm"),
        ({"heights": (0.0, 0.6, 0.6, 1.2, 1.8)}, "several images at one position"),
        (
            {"heights": (0.0, 0.6, 1.8, 2.4, 3.0), "shear": 0.25},
            "1 slice missing, tilted by 14.0°",
        ),
    ],
)
def test_a_verdict_is_said_in_words_with_its_figures(
    write_series: WriteSeries, ramp: NDArray[Any], options: dict[str, Any], words: str
) -> None:
    assert verdict_in_words(only_volume(scan(write_series(ramp, **options)))) == words


def test_every_verdict_that_forbids_loading_has_words_and_advice() -> None:
    assert set(VERDICTS) == set(ADVICE) | MEASURABLE
