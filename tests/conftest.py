"""Small DICOM folders with a known answer, for tests that need a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

STUDY_UID = "2.25.1001"
CT_SERIES_UID = "2.25.1002"
MR_SERIES_UID = "2.25.1003"
LOCALIZER_SERIES_UID = "2.25.1004"
CT_FRAME_UID = "2.25.1005"
MR_FRAME_UID = "2.25.1006"
# mm between slices, rows and columns: all different, so that no swap can hide.
CT_SPACING = (0.8, 0.5, 0.6)
MR_SPACING = (2.0, 0.7, 0.9)
CT_SHAPE = (20, 96, 70)
MR_SHAPE = (9, 60, 64)
CT_ORIGIN = (-21.0, -24.0, -8.0)
MR_ORIGIN = (8.0, -30.0, 20.0)
GAP_MM = 12.0


def _write_slice(
    file: Path,
    pixels: NDArray[np.int16],
    *,
    number: int,
    position: NDArray[np.float64],
    cosines: tuple[float, ...],
    spacing: tuple[float, ...],
    tags: dict[str, object],
) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.SOPInstanceUID = f"{tags['SeriesInstanceUID']}.{number}"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID = STUDY_UID
    dataset.PatientID, dataset.PatientName = "TEST-1", "Test^One"
    dataset.PatientBirthDate, dataset.PatientSex = "", ""
    dataset.StudyDate, dataset.StudyTime = "20240102", "101112"
    dataset.StudyID, dataset.AccessionNumber = "1", ""
    dataset.ReferringPhysicianName, dataset.InstanceNumber = "", number
    dataset.ImagePositionPatient = [float(v) for v in position]
    dataset.ImageOrientationPatient = list(cosines)
    dataset.PixelSpacing = list(spacing[1:])
    dataset.SliceThickness = spacing[0]
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.PixelData = pixels.astype("<i2").tobytes()
    dataset.save_as(file, enforce_file_format=True)


def _write_stack(
    folder: Path,
    voxels: NDArray[np.int16],
    *,
    origin: tuple[float, ...],
    cosines: tuple[float, ...],
    spacing: tuple[float, ...],
    tags: dict[str, object],
) -> None:
    folder.mkdir(parents=True)
    normal = np.cross(cosines[:3], cosines[3:])
    for k, pixels in enumerate(voxels):
        _write_slice(
            folder / f"{k:03}.dcm",
            pixels,
            number=k + 1,
            position=np.array(origin) + k * spacing[0] * normal,
            cosines=cosines,
            spacing=spacing,
            tags=tags,
        )


def _two_walls(shape: tuple[int, ...], spacing: float, *, axis: int) -> NDArray[np.int16]:
    """Two bright walls, blurred, with a dark gap of GAP_MM centred along an axis."""
    from scipy.special import erf

    length = (np.arange(shape[axis]) - (shape[axis] - 1) / 2) * spacing
    sigma = 0.6
    wall = 1.0 - 0.5 * (
        erf((length + GAP_MM / 2) / (np.sqrt(2) * sigma))
        - erf((length - GAP_MM / 2) / (np.sqrt(2) * sigma))
    )
    # Walls of 6 mm, soft tissue behind them.
    wall *= 0.5 * (1 - erf((np.abs(length) - GAP_MM / 2 - 6) / (np.sqrt(2) * sigma)))
    profile = wall.reshape([-1 if n == axis else 1 for n in range(3)])
    noise = np.random.default_rng(7).normal(0, 12, shape)
    return np.asarray(np.round(40 + 1160 * profile + noise), dtype=np.int16)


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study: an axial CT, a sagittal MR in its own frame, and a localizer.

    The CT holds two bony walls 12 mm apart from front to back, centred at y = -0.25.
    """
    folder = tmp_path_factory.mktemp("dicom") / "study"
    ct_image: dict[str, object] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "Modality": "CT",
        "FrameOfReferenceUID": CT_FRAME_UID,
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
        "KVP": "120",
    }
    _write_stack(
        folder / "ct",
        _two_walls(CT_SHAPE, CT_SPACING[1], axis=1),
        origin=CT_ORIGIN,
        cosines=(1, 0, 0, 0, 1, 0),
        spacing=CT_SPACING,
        tags=ct_image
        | {
            "SeriesInstanceUID": CT_SERIES_UID,
            "SeriesDescription": "Bone 0.8",
            "SeriesNumber": 2,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        },
    )
    # Sagittal: columns run to posterior, rows to inferior, slices to the right.
    _write_stack(
        folder / "mr",
        _two_walls(MR_SHAPE, MR_SPACING[2], axis=2),
        origin=MR_ORIGIN,
        cosines=(0, 1, 0, 0, 0, -1),
        spacing=MR_SPACING,
        tags={
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
            "Modality": "MR",
            "FrameOfReferenceUID": MR_FRAME_UID,
            "SeriesInstanceUID": MR_SERIES_UID,
            "SeriesDescription": "T2 sag",
            "SeriesNumber": 3,
            "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        },
    )
    _write_stack(
        folder / "localizer",
        np.zeros((1, 40, 30), np.int16),
        origin=(0, 0, 0),
        cosines=(1, 0, 0, 0, 0, -1),
        spacing=(1, 1, 1),
        tags=ct_image
        | {
            "SeriesInstanceUID": LOCALIZER_SERIES_UID,
            "SeriesDescription": "Scout",
            "SeriesNumber": 1,
            "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        },
    )
    return folder
