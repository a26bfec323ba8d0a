"""Which label a protocol's region means: of this series, on its voxels, and only one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import dcmread
from pydicom.sr.codedict import codes
from tests.fixtures.label_images import write_nifti

import osteotrace as ot
from osteotrace import reading
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.protocol import Protocol, Where
from osteotrace.protocol.entries import IntensityEntry
from osteotrace.reading.images import StudyImages
from osteotrace.reading.lesions import findings_of

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.regions import Mask

VOXELS = (slice(4, 9), slice(20, 40), slice(10, 30))
COUNT = 5 * 20 * 20


@pytest.fixture
def study(small_study: Path, tmp_path: Path) -> Path:
    """Return a copy of a study, so that segmentations can be put into it."""
    return shutil.copytree(small_study, tmp_path / "study")


def write_seg(
    study: Path,
    file: Path,
    label: str = "lesion",
    *,
    uid: str = "2.25.6",
    voxels: tuple[slice, slice, slice] = VOXELS,
    **tags: Any,
) -> Path:
    """Write a segmentation of the CT of a study; ``tags`` change its images first."""
    images = [dcmread(image) for image in sorted((study / "ct").iterdir())]
    for image in images:
        for keyword, value in tags.items():
            setattr(image, keyword, value)
    images.sort(key=lambda image: float(image.ImagePositionPatient[2]))
    pixels = np.zeros((len(images), images[0].Rows, images[0].Columns), np.uint8)
    pixels[voxels] = 1
    file.parent.mkdir(exist_ok=True)
    Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=[
            SegmentDescription(
                segment_number=1,
                segment_label=label,
                segmented_property_category=codes.SCT.AnatomicalStructure,
                segmented_property_type=codes.SCT.Bone,
                algorithm_type="MANUAL",
            )
        ],
        series_instance_uid="2.25.5",
        series_number=5,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
    ).save_as(file)
    return file


def entry(label: str = "lesion") -> IntensityEntry:
    return IntensityEntry(label="A", modality="CT", region=Where(label=label))


def region(study: Path, masks: Path | None = None, label: str = "lesion") -> Mask:
    images = StudyImages(ot.scan(study), masks)
    volume = images.volume(entry())
    mask = images.region(volume, Where(label=label), "region")
    assert mask.on(volume.grid).sum() == mask.voxels.sum()
    return mask


def refused(study: Path, masks: Path | None = None, label: str = "lesion") -> str:
    with pytest.raises(OsteotraceError) as caught:
        region(study, masks, label)
    return str(caught.value)


def test_a_label_of_the_study_is_found_with_its_images(study: Path) -> None:
    write_seg(study, study / "seg" / "1.dcm")
    mask = region(study)
    assert (mask.role, mask.voxels.sum(), len(mask.source_instances)) == (
        "region", COUNT, 5,
    )  # fmt: skip


def test_a_segmentation_given_twice_is_one(study: Path, tmp_path: Path) -> None:
    file = write_seg(study, study / "seg" / "1.dcm")
    copied = tmp_path / "copy.dcm"
    shutil.copy(file, copied)
    for masks in (file, study, copied):
        assert region(study, masks).voxels.sum() == COUNT


def test_two_segmentations_of_one_label_are_refused_by_name(
    study: Path, tmp_path: Path
) -> None:
    write_seg(study, study / "seg" / "1.dcm")
    larger = (slice(4, 10), *VOXELS[1:])
    other = write_seg(study, tmp_path / "other.dcm", uid="2.25.66", voxels=larger)
    assert "2 segmentations with the label 'lesion': 1.dcm, other.dcm" in refused(
        study, other
    )


def test_the_same_voxels_under_one_name_are_one_label(
    study: Path, tmp_path: Path
) -> None:
    write_seg(study, study / "seg" / "1.dcm")
    again = write_seg(study, tmp_path / "again.dcm", uid="2.25.66")
    assert region(study, again).voxels.sum() == COUNT


def test_a_segmentation_of_another_series_is_passed_over(
    study: Path, tmp_path: Path
) -> None:
    file = write_seg(study, tmp_path / "other.dcm", SeriesInstanceUID="2.25.999")
    assert "other.dcm: drawn on another series, 2.25.999" in refused(study, file)
    shutil.copy(file, study / "other.dcm")
    assert "0 segmentations" in refused(study)


def test_a_segmentation_of_two_series_is_of_each(study: Path, tmp_path: Path) -> None:
    file = write_seg(study, tmp_path / "both.dcm")
    header = dcmread(file)
    (own,) = header.ReferencedSeriesSequence
    other = dcmread(file).ReferencedSeriesSequence[0]
    other.SeriesInstanceUID = "2.25.999"
    header.ReferencedSeriesSequence = [other, own]
    header.save_as(file)
    assert region(study, file).voxels.sum() == COUNT


def test_a_segmentation_of_another_space_is_passed_over(
    study: Path, tmp_path: Path
) -> None:
    file = write_seg(study, tmp_path / "other.dcm", FrameOfReferenceUID="2.25.888")
    assert "other.dcm: labels in the frame of reference 2.25.888" in refused(study, file)


def test_a_segmentation_on_another_grid_is_passed_over(
    study: Path, tmp_path: Path
) -> None:
    masks = tmp_path / "masks"
    write_seg(study, masks / "coarse.dcm", uid="2.25.66", PixelSpacing=[0.55, 0.66])
    assert "coarse.dcm: on another grid than the image" in refused(study, masks)
    write_seg(study, masks / "good.dcm")
    assert region(study, masks).voxels.sum() == COUNT


def test_a_folder_is_searched_for_files_without_an_ending_too(
    study: Path, tmp_path: Path
) -> None:
    write_seg(study, tmp_path / "masks" / "SEG0001")
    assert region(study, tmp_path / "masks").voxels.sum() == COUNT


def test_the_images_in_a_folder_are_not_told_of_as_labels(study: Path) -> None:
    assert "passed over" not in refused(study, study)
    (study / "broken.dcm").write_bytes(b"none")
    assert "passed over: broken.dcm: a file that is not DICOM" in refused(study, study)


def test_only_the_first_files_passed_over_are_told(study: Path, tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"{number}.nii").write_bytes(b"none")
    assert "4.nii" in (told := refused(study, tmp_path))
    assert told.endswith("and 3 more files")


def nifti(study: Path, file: Path, *names: str) -> Path:
    """Write labels on the grid of the CT of a study, one beside the other."""
    volume = ot.load(study / "ct")
    values = np.zeros(volume.grid.shape, np.uint8)
    for number in range(1, len(names) + 1):
        values[4 + number] = number
    return write_nifti(file, values, volume.grid, dict(enumerate(names, 1)))


def test_a_label_that_a_file_holds_twice_is_refused_by_file_and_number(
    study: Path, tmp_path: Path
) -> None:
    file = nifti(study, tmp_path / "spine.nii.gz", "vertebrae_L1", "L1 vertebra")
    told = refused(study, file, "L1")
    assert "2 labels for 'L1' (1 'vertebrae_L1', 2 'L1 vertebra') in spine.nii" in told


def test_an_empty_name_is_no_label(study: Path, tmp_path: Path) -> None:
    file = nifti(study, tmp_path / "a.nii.gz", "something unknown")
    assert "0 segmentations with the label ''" in refused(study, file, "")


def test_what_was_done_to_a_label_is_told(study: Path, tmp_path: Path) -> None:
    file = nifti(study, tmp_path / "vertebrae_L1.nii.gz")
    volume = ot.load(study / "ct")
    write_nifti(file, np.ones(volume.grid.shape, np.uint8), volume.grid)
    asked = entry()
    told = {
        "label": Where(label="L1"),
        "ball": Where(centre=tuple(volume.grid.corners().mean(axis=0)), radius=2.0),
    }
    for kind, where in told.items():
        both = IntensityEntry(
            label="I",
            modality=asked.modality,
            frame_of_reference_uid=asked.frame_of_reference_uid,
            region=where,
        )
        (finding,) = findings_of([both], StudyImages(ot.scan(study), file))
        note = "the label has the name of its file"
        flags = [getattr(m, "flags", ()) for m in finding.measurements]
        assert all((note in flagged) is (kind == "label") for flagged in flags)


def second_study(study: Path, place: Path, **tags: str) -> None:
    """Write the CT of a study again as that of another study, on the same grid."""
    place.mkdir()
    for number, image in enumerate(sorted((study / "ct").iterdir())):
        header = dcmread(image)
        header.StudyInstanceUID, header.SeriesInstanceUID = "2.25.71", "2.25.72"
        header.SOPInstanceUID = f"2.25.73.{number}"
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        for keyword, value in tags.items():
            setattr(header, keyword, value)
        header.save_as(place / image.name)


@pytest.mark.parametrize(
    "tags",
    [{"PatientID": "TEST-1", "FrameOfReferenceUID": "2.25.74"}, {"PatientID": "TEST-2"}],
    ids=["another space", "another patient"],
)
def test_labels_without_a_patient_are_not_used_where_two_scans_fit_them(
    study: Path, tmp_path: Path, tags: dict[str, str]
) -> None:
    file = nifti(study, tmp_path / "a.nii.gz", "lesion")
    protocol = Protocol(name="test", entries=(entry(),), sha256="0" * 64)
    second_study(study, study / "ct2", **tags)
    readings = list(reading.measure_studies(study, protocol, masks=file))
    assert len(readings) == 2
    for one in readings:
        assert one.assessment is not None
        (finding,) = one.assessment.findings
        (value,) = finding.measurements
        assert isinstance(value, NotMeasured)
        assert "a.nii.gz: names no patient, and 1 more of the scans" in value.reason


def test_two_series_of_one_space_share_labels_without_a_patient(
    study: Path, tmp_path: Path
) -> None:
    file = nifti(study, tmp_path / "a.nii.gz", "lesion")
    protocol = Protocol(name="test", entries=(entry(),), sha256="0" * 64)
    second_study(study, study / "ct2")
    readings = list(reading.measure_studies(study, protocol, masks=file))
    assert len(readings) == 2
    for one in readings:
        assert one.assessment is not None
        (finding,) = one.assessment.findings
        assert isinstance(finding.measurements[0], Measurement)


def test_masks_that_are_not_there_are_refused_whatever_is_asked(study: Path) -> None:
    protocol = Protocol(name="test", entries=(), sha256="0" * 64)
    with pytest.raises(OsteotraceError, match="no such file or folder") as caught:
        reading.measure_studies(study, protocol, masks=study / "absent")
    assert caught.value.usage
