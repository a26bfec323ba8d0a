"""Alignments as DICOM Spatial Registration objects, and those of other software."""

from __future__ import annotations

import datetime
import math
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian
from tests.fixtures.small_study import CT_FRAME_UID, MR_FRAME_UID

from osteotrace import series
from osteotrace.alignment import Alignment, RigidTransform, Start, same_space
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Method
from osteotrace.records import registration
from osteotrace.records.registrations import writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.series import SeriesIdentity, VolumeHeader

NOW = datetime.datetime(2024, 5, 1, 10, 30, 15, 250)
UID = "2.25.7001"
TURN = 0.7123456789012345


def turned(angle: float) -> NDArray[np.float64]:
    c, s = math.cos(angle), math.sin(angle)
    tilt = np.array([[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]])
    return np.asarray(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ tilt)


def alignment() -> Alignment:
    transform = RigidTransform.of(
        turned(TURN),
        (-123.45678901234567, 1 / 3, 1e-17),
        from_frame_uid=CT_FRAME_UID,
        to_frame_uid=MR_FRAME_UID,
    )
    return Alignment(
        transform=transform,
        pair="CT-MR",
        region="the mandible alone",
        centre=(1.5, -2.25, 0.1),
        similarity=1.2345678901234567,
        similarity_measure="mutual information",
        floor=0.9,
        overlap=0.8123456789,
        starts=(Start(rotation_deg=0.1, similarity=1.2, apart_mm=0.0),),
        agreement_mm=0.0123,
        u_mm=0.1 + 0.2,
        u_deg=1e-3,
        method=Method(name="osteotrace rigid registration", version="1"),
        notes=("the patient has grown: über 5 mm",),
    )


@pytest.fixture(scope="module")
def volumes(small_study: Path) -> tuple[VolumeHeader, VolumeHeader]:
    found = series.scan(small_study, index=False)
    by_frame = {v.frame_of_reference_uid: v for s in found for v in s.volumes if v.grid}
    ct = next(
        v for s in found for v in s.volumes if len(v.instances) > 9 and v.grid is not None
    )
    assert ct.frame_of_reference_uid == CT_FRAME_UID
    return ct, by_frame[MR_FRAME_UID]


@pytest.fixture(scope="module")
def saved(volumes: tuple[VolumeHeader, VolumeHeader], tmp_path_factory: Factory) -> Path:
    folder = tmp_path_factory.mktemp("registrations")
    return registration.write(
        alignment(), *volumes, folder, sop_instance_uid=UID, creator="A. Reader", now=NOW
    )


Factory = pytest.TempPathFactory


def test_an_alignment_comes_back_to_the_bit(saved: Path) -> None:
    found = registration.read(saved)
    assert found.alignment == alignment()
    assert found.transform == alignment().transform
    assert found.sop_instance_uid == UID
    assert found.notes == ()


def test_the_matrix_takes_earlier_points_to_the_registered_space(saved: Path) -> None:
    document = dcmread(saved)
    # The registered space is that of the later study, which stays where it is.
    assert document.FrameOfReferenceUID == MR_FRAME_UID
    later, earlier = document.RegistrationSequence
    assert later.FrameOfReferenceUID == MR_FRAME_UID
    assert (stated(later) == np.eye(4)).all()
    assert earlier.FrameOfReferenceUID == CT_FRAME_UID
    point = np.array([10.0, -20.0, 30.0])
    there = stated(earlier) @ [*point, 1]
    assert np.abs(there[:3] - alignment().transform.apply(point)).max() < 1e-9
    # A decimal string has 16 characters; no number loses more than that.
    assert np.abs(stated(earlier) - alignment().transform.matrix).max() < 1e-9
    (spatial,) = earlier.MatrixRegistrationSequence
    (matrix,) = spatial.MatrixSequence
    assert matrix.FrameOfReferenceTransformationMatrixType == "RIGID"
    assert spatial.RegistrationTypeCodeSequence[0].CodeValue == "125024"
    assert "UsedFiducialsSequence" not in earlier


def stated(item: Dataset) -> NDArray[np.float64]:
    matrix = item.MatrixRegistrationSequence[0].MatrixSequence[0]
    values = [float(v) for v in matrix.FrameOfReferenceTransformationMatrix]
    return np.array(values).reshape(4, 4)


def test_it_names_every_image_of_both_series_and_the_patient(
    saved: Path, volumes: tuple[VolumeHeader, VolumeHeader]
) -> None:
    document = dcmread(saved)
    image = dcmread(volumes[1].instances[0].path)
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
        assert document[keyword].value == image[keyword].value
    named = {
        str(one.SeriesInstanceUID): len(one.ReferencedInstanceSequence)
        for one in document.ReferencedSeriesSequence
    }
    assert named == {v.identity.series_uid: len(v.instances) for v in volumes}
    assert document.ContentCreatorName == "A. Reader^"
    assert "Research use only" in document.ContentDescription


def test_images_of_another_study_are_named_under_it(
    volumes: tuple[VolumeHeader, VolumeHeader], tmp_path: Path
) -> None:
    earlier, later = volumes
    other = msgspec.structs.replace(earlier.identity, study_uid="2.25.99")
    path = registration.write(alignment(), renamed(earlier, other), later, tmp_path)
    document = dcmread(path)
    (mine,) = document.ReferencedSeriesSequence
    assert mine.SeriesInstanceUID == later.identity.series_uid
    (study,) = document.StudiesContainingOtherReferencedInstancesSequence
    assert study.StudyInstanceUID == "2.25.99"
    assert len(study.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 20


def renamed(volume: VolumeHeader, identity: SeriesIdentity) -> VolumeHeader:
    return replace(volume, identity=identity)


def test_the_same_input_gives_the_same_bytes(
    saved: Path, volumes: tuple[VolumeHeader, VolumeHeader], tmp_path: Path
) -> None:
    again = registration.write(
        alignment(),
        *volumes,
        tmp_path,
        sop_instance_uid=UID,
        creator="A. Reader",
        now=NOW,
    )
    assert again.read_bytes() == saved.read_bytes()


def test_a_file_is_never_replaced(
    saved: Path, volumes: tuple[VolumeHeader, VolumeHeader]
) -> None:
    with pytest.raises(OsteotraceError, match="a file that exists"):
        registration.write(alignment(), *volumes, saved.parent, sop_instance_uid=UID)


@pytest.mark.interop
def test_dciodvfy_finds_nothing_wrong(saved: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.fail("dciodvfy is missing: apt-get install dicom3tools")
    done = subprocess.run(
        ["dciodvfy", "-new", str(saved)], capture_output=True, text=True, check=False
    )
    # It names the kind of object it found, the private element it cannot know, and
    # that these images do not say what body part they show.
    known = ("SpatialRegistration", writing.PRIVATE_CREATOR, "</Laterality(0020,0060)>")
    said = [
        line
        for line in done.stderr.splitlines()
        if not any(words in line for words in known)
    ]
    assert said == []
    assert done.returncode == 0


def test_the_wrong_volumes_are_refused(
    volumes: tuple[VolumeHeader, VolumeHeader], tmp_path: Path
) -> None:
    earlier, later = volumes
    with pytest.raises(OsteotraceError, match="the earlier one first"):
        registration.write(alignment(), later, earlier, tmp_path)
    stranger = msgspec.structs.replace(earlier.identity, patient="P-OTHER")
    with pytest.raises(OsteotraceError, match="two patients"):
        registration.write(alignment(), renamed(earlier, stranger), later, tmp_path)
    with pytest.raises(OsteotraceError, match="nothing to save"):
        registration.write(
            same_space(CT_FRAME_UID, (0, 0, 0)), earlier, earlier, tmp_path
        )
    assert list(tmp_path.iterdir()) == []


def edited(saved: Path, tmp_path: Path, change: Callable[[Dataset], None]) -> Path:
    document = dcmread(saved)
    change(document)
    path = tmp_path / "edited.dcm"
    document.save_as(path)
    return path


def test_an_edited_object_is_refused(saved: Path, tmp_path: Path) -> None:
    def shift(document: Dataset) -> None:
        item = document.RegistrationSequence[1].MatrixRegistrationSequence[0]
        matrix = item.MatrixSequence[0].FrameOfReferenceTransformationMatrix
        matrix[3] = "-123.456"

    def rename(document: Dataset) -> None:
        document.FrameOfReferenceUID = "2.25.5"

    def improve(document: Dataset) -> None:
        block = document.private_block(writing.PRIVATE_GROUP, writing.PRIVATE_CREATOR)
        text = block[writing.ALIGNMENT_ELEMENT]
        text.value = str(text.value).replace('"u_deg": 0.001', '"u_deg": 0.0001')

    for change, match in (
        (shift, "not those of its alignment"),
        (rename, "not those of its alignment"),
        (improve, "does not match its SHA-256"),
    ):
        with pytest.raises(OsteotraceError, match=match):
            registration.read(edited(saved, tmp_path, change))


def test_without_the_private_block_the_transform_is_read_and_no_uncertainty(
    saved: Path, tmp_path: Path
) -> None:
    # As a PACS that drops private elements sends it.
    path = edited(saved, tmp_path, Dataset.remove_private_tags)
    found = registration.read(path)
    assert found.alignment is None
    assert found.notes == (registration.NO_UNCERTAINTY,)
    assert (
        np.abs(np.array(found.transform.matrix) - alignment().transform.matrix).max()
        < 1e-9
    )


# Other software -----------------------------------------------------------------------


def foreign(
    tmp_path: Path, *items: tuple[str, list[NDArray[np.float64]]], kind: str = "RIGID"
) -> Path:
    """Write a registration as other software does: fixed and moving frame, no figures."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = writing.SPATIAL_REGISTRATION, "2.25.8"
    made.FrameOfReferenceUID = "2.25.1"
    made.RegistrationSequence = [_item(frame, steps, kind) for frame, steps in items]
    path = tmp_path / "foreign.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


def _item(frame: str, steps: list[NDArray[np.float64]], kind: str) -> Dataset:
    spatial, item = Dataset(), Dataset()
    spatial.MatrixSequence = []
    for step in steps:
        one = Dataset()
        # Six digits, as C's %g prints them.
        one.FrameOfReferenceTransformationMatrix = [f"{v:g}" for v in step.ravel()]
        one.FrameOfReferenceTransformationMatrixType = kind
        spatial.MatrixSequence.append(one)
    if frame:
        item.FrameOfReferenceUID = frame
    else:
        image = Dataset()
        image.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        image.ReferencedSOPInstanceUID = "2.25.1002.1"
        item.ReferencedImageSequence = [image]
    item.MatrixRegistrationSequence = [spatial]
    return item


def rigid(turn: NDArray[np.float64], *shift: float) -> NDArray[np.float64]:
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = turn, shift
    return whole


def test_an_object_of_other_software_is_a_transform_without_uncertainty(
    tmp_path: Path,
) -> None:
    meant = rigid(turned(0.4), 12.5, -3, 7)
    path = foreign(tmp_path, ("2.25.1", [np.eye(4)]), ("2.25.2", [meant]))
    found = registration.read(path)
    assert found.alignment is None
    assert found.notes[0] == registration.NO_UNCERTAINTY
    assert (found.transform.from_frame_uid, found.transform.to_frame_uid) == (
        "2.25.2",
        "2.25.1",
    )
    assert np.abs(np.array(found.transform.matrix) - meant).max() < 1e-5


def test_frames_that_are_asked_for_are_joined_through_the_registered_one(
    tmp_path: Path,
) -> None:
    first, second = rigid(turned(0.4), 12.5, -3, 7), rigid(turned(-0.2), 0, 1, 2)
    path = foreign(tmp_path, ("2.25.2", [first]), ("2.25.3", [second]))
    found = registration.read(path, from_frame_uid="2.25.2", to_frame_uid="2.25.3")
    meant = np.linalg.inv(second) @ first
    assert np.abs(np.array(found.transform.matrix) - meant).max() < 1e-4
    with pytest.raises(OsteotraceError, match="which two are meant"):
        registration.read(path)


def test_several_matrices_are_multiplied_in_their_order(tmp_path: Path) -> None:
    first, second = rigid(turned(0.4), 12.5, -3, 7), rigid(turned(-0.2), 0, 1, 2)
    path = foreign(tmp_path, ("2.25.2", [first, second]))
    matrix = np.array(registration.read(path).transform.matrix)
    assert np.abs(matrix - first @ second).max() < 1e-4
    assert np.abs(matrix - second @ first).max() > 1


def test_what_is_not_rigid_is_refused_with_what_it_does(tmp_path: Path) -> None:
    scaled = np.diag([1.02, 1.02, 1.02, 1.0])
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0])
    for matrix, kind, match in (
        (scaled, "RIGID_SCALE", "scales lengths by 1.0200 to 1.0200"),
        (scaled, "RIGID", "scales lengths"),
        (mirrored, "AFFINE", "mirrors"),
    ):
        path = foreign(tmp_path, ("2.25.2", [matrix]), kind=kind)
        with pytest.raises(OsteotraceError, match=match):
            registration.read(path)


def test_images_without_a_frame_take_that_of_a_catalogue(
    tmp_path: Path, small_study: Path
) -> None:
    path = foreign(tmp_path, ("", [rigid(turned(0.1), 1, 2, 3)]))
    with pytest.raises(OsteotraceError, match="no frame of reference"):
        registration.read(path)
    catalogue = series.scan(small_study, index=False)
    found = registration.read(path, images=catalogue)
    assert found.transform.from_frame_uid == CT_FRAME_UID


def test_other_files_are_refused(tmp_path: Path, small_study: Path) -> None:
    text = tmp_path / "text.dcm"
    text.write_text("no DICOM")
    image = next(iter(sorted(small_study.rglob("*.dcm"))))
    for path, match in ((text, "cannot be read"), (image, "of another kind")):
        with pytest.raises(OsteotraceError, match=match) as caught:
            registration.read(path)
        assert str(path) in str(caught.value)
