"""Voxels on a grid out as a conformant single-frame CT or MR series.

CT Image and MR Image Storage (DICOM PS3.3 A.3, A.4), Explicit VR Little Endian. UIDs,
dates and every byte follow from the names alone, so a series written twice is the same.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.about import SOFTWARE_NAME, UID_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

    from osteotrace.geometry import Grid
    from osteotrace.phantoms.shapes import Array

CT_IMAGE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.4"
RESCALE_INTERCEPT_HU: Final = -1024
LARGEST_STORED: Final = 4095  # 12 bits
BITS_STORED: Final = 12
STUDY_TIME: Final = "090000"
COMMENT: Final = "synthetic phantom, research use only"

_UID_SPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "osteotrace phantoms")


def uid(*names: str) -> str:
    """Return the UID that belongs to some names, always the same (PS3.5 B.2)."""
    return UID_PREFIX + str(uuid.uuid5(_UID_SPACE, "/".join(names)).int)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLabel:
    """What names a series and its study in the header.

    Parameters
    ----------
    study : str
        Name of the study; PatientID and all UIDs follow from it.
    name : str
        Name of the series within the study.
    patient_id : str
        PatientID (0010,0020).
    description : str
        SeriesDescription (0008,103E).
    study_description : str
        StudyDescription (0008,1030).
    body_part : str
        BodyPartExamined (0018,0015).
    number : int
        SeriesNumber (0020,0011).
    date : str
        Of study, series and content, YYYYMMDD.
    inversion_ms : float or None
        Inversion time of an inversion recovery sequence (MR); None for none.
    """

    study: str
    name: str
    patient_id: str = "SYN-PHANTOM"
    description: str = "phantom"
    study_description: str = "synthetic phantom"
    body_part: str = "HEAD"
    number: int = 1
    date: str = "20240102"
    inversion_ms: float | None = None

    @property
    def study_uid(self) -> str:
        """StudyInstanceUID (0020,000D)."""
        return uid(self.study)

    @property
    def series_uid(self) -> str:
        """SeriesInstanceUID (0020,000E)."""
        return uid(self.study, self.name)

    @property
    def frame_of_reference_uid(self) -> str:
        """FrameOfReferenceUID (0020,0052): each series has its own."""
        return uid(self.study, self.name, "frame of reference")


def write_ct_series(
    folder: Path, hounsfield: Array, grid: Grid, label: SeriesLabel
) -> tuple[Path, ...]:
    """Write a CT series, 12 bits with intercept -1024.

    Parameters
    ----------
    folder : Path
        Made where it does not exist; its files must not.
    hounsfield : (slices, rows, columns) array
        HU; rounded, and clipped to what 12 bits hold.
    grid : Grid
        Where the voxels lie.
    label : SeriesLabel
        Names and numbers for the header.

    Returns
    -------
    tuple of Path
        One file a slice, ascending along the grid's normal.
    """
    tags = {
        "SOPClassUID": CT_IMAGE_STORAGE,
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "KVP": 120,
        "ConvolutionKernel": "GAUSSIAN",
        "RescaleIntercept": RESCALE_INTERCEPT_HU,
        "RescaleSlope": 1,
        "RescaleType": "HU",
        "WindowCenter": 500,
        "WindowWidth": 2500,
    }
    return _write(folder, hounsfield - RESCALE_INTERCEPT_HU, grid, label, tags)


def write_mr_series(
    folder: Path, signal: Array, grid: Grid, label: SeriesLabel
) -> tuple[Path, ...]:
    """Write a T2-weighted or inversion recovery series; else as `write_ct_series`."""
    tags = {
        "SOPClassUID": MR_IMAGE_STORAGE,
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "ScanningSequence": "SE",
        "SequenceVariant": "SK",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": 4200,
        "EchoTime": 90,
        "EchoTrainLength": 15,
        "MagneticFieldStrength": 1.5,
        "SpacingBetweenSlices": round(float(grid.spacing[0]), 6),
        "WindowCenter": 300,
        "WindowWidth": 600,
    }
    if label.inversion_ms is not None:
        tags["ScanningSequence"] = ["SE", "IR"]
        tags["InversionTime"] = label.inversion_ms
    return _write(folder, signal, grid, label, tags)


def _write(
    folder: Path, values: Array, grid: Grid, label: SeriesLabel, tags: dict[str, object]
) -> tuple[Path, ...]:
    if values.shape != grid.shape:
        raise ValueError(f"voxels {values.shape}, grid {grid.shape}")
    stored = np.clip(np.round(values), 0, LARGEST_STORED).astype("<u2")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for k, pixels in enumerate(stored):
        dataset = header(label, tags)
        _place(dataset, grid, k)
        _pixels(dataset, pixels)
        dataset.SOPInstanceUID = uid(label.study, label.name, str(k + 1))
        dataset.file_meta = file_meta(dataset)
        path = folder / f"{k + 1:04}.dcm"
        dataset.save_as(path, enforce_file_format=True, overwrite=False)
        files.append(path)
    return tuple(files)


def header(label: SeriesLabel, tags: dict[str, object]) -> Dataset:
    """Return what every image of a series says of patient, study and series."""
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(dataset, keyword, label.date)
        setattr(dataset, keyword.replace("Date", "Time"), STUDY_TIME)
    dataset.AccessionNumber = ""
    dataset.Manufacturer = SOFTWARE_NAME
    dataset.ManufacturerModelName = "phantom"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = label.study_description
    dataset.SeriesDescription = label.description
    dataset.PatientName = "OSTEOTRACE^PHANTOM"
    dataset.PatientID = label.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.QualityControlSubject = "YES"
    dataset.BodyPartExamined = label.body_part
    dataset.PatientPosition = "HFS"
    dataset.StudyInstanceUID = label.study_uid
    dataset.SeriesInstanceUID = label.series_uid
    dataset.FrameOfReferenceUID = label.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""
    dataset.StudyID = "1"
    dataset.SeriesNumber = label.number
    dataset.AcquisitionNumber = 1
    dataset.ImageComments = COMMENT
    dataset.BurnedInAnnotation = "NO"
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def _place(dataset: Dataset, grid: Grid, k: int) -> None:
    from pydicom.valuerep import format_number_as_ds

    cosines = [*grid.row_direction, *grid.column_direction]
    dataset.InstanceNumber = k + 1
    dataset.SliceThickness = round(float(grid.spacing[0]), 6)
    dataset.PixelSpacing = [format_number_as_ds(float(v)) for v in grid.pixel_spacing]
    dataset.ImageOrientationPatient = [format_number_as_ds(float(v)) for v in cosines]
    dataset.ImagePositionPatient = [
        format_number_as_ds(float(v)) for v in grid.origins[k]
    ]


def _pixels(dataset: Dataset, pixels: NDArray[np.uint16]) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = BITS_STORED
    dataset.HighBit = BITS_STORED - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes()


def file_meta(dataset: Dataset) -> FileMetaDataset:
    """Return file meta information that no library's version shows in (PS3.10 7.1)."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(uid("implementation class"))
    meta.ImplementationVersionName = "OSTEO_PHANTOM_1"
    return meta
