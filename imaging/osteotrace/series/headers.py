"""One file's header: whose image it is and where it lies, or why it is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.pseudonym import pseudonym
from osteotrace.series.catalogue import Instance, SeriesIdentity, SkippedFile

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom import Dataset

# A DICOMDIR names files; it is no instance itself (PS3.10 section 8).
NOT_INSTANCES: Final = frozenset({"1.2.840.10008.1.3.10"})
DEFLATED: Final = "1.2.840.10008.1.2.1.99"

# Every header element that is read, by keyword.
_HEADER: Final = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "Modality", "SeriesDescription", "SeriesDate", "StudyDate", "AcquisitionDate",
    "PatientID", "IssuerOfPatientID", "ImageType", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "FrameOfReferenceUID", "Rows", "Columns", "EchoTime",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    identity: SeriesIdentity
    instance: Instance


def read_header(file: Path) -> Header | SkippedFile:
    """Read the elements of `_HEADER`, or say why the file is none of ours."""
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info

    try:
        with file.open("rb") as stream:
            stream.seek(128)
            if stream.read(4) != b"DICM":
                return SkippedFile(file, "a file that is not DICOM", False)
        meta = read_file_meta_info(file)
        if meta.get("MediaStorageSOPClassUID") in NOT_INSTANCES:
            return SkippedFile(file, "a DICOMDIR", False)
        if meta.get("TransferSyntaxUID") == DEFLATED:
            # One megabyte of it can inflate to gigabytes, pixels left out or not.
            return SkippedFile(file, "a deflated DICOM file, which is not read", True)
        header = dcmread(file, stop_before_pixels=True, specific_tags=list(_HEADER))
        # Some files carry these two in the file meta information alone.
        for keyword in ("SOPInstanceUID", "SOPClassUID"):
            if not header.get(keyword):
                setattr(header, keyword, meta.get(f"MediaStorage{keyword}") or "")
        if not header.SOPInstanceUID or "SeriesInstanceUID" not in header:
            reason = "a DICOM file without SOP or Series Instance UID"
            return SkippedFile(file, reason, True)
        # Values are parsed on access: damage shows here.
        return Header(_identity(header), _instance(file, header))
    except OSError as problem:
        reason = f"a file that cannot be read ({problem.strerror})"
        return SkippedFile(file, reason, True)
    # Damaged headers raise some ten exception types inside pydicom: one boundary.
    except Exception as problem:
        reason = f"a damaged DICOM header ({type(problem).__name__})"
        return SkippedFile(file, reason, True)


def _identity(header: Dataset) -> SeriesIdentity:
    dates = (header.get(k) for k in ("StudyDate", "SeriesDate", "AcquisitionDate"))
    date = str(next((d for d in dates if d), ""))
    patient_id = str(header.get("PatientID") or "")
    return SeriesIdentity(
        study_uid=str(header.get("StudyInstanceUID") or ""),
        series_uid=str(header.get("SeriesInstanceUID") or ""),
        modality=str(header.get("Modality") or ""),
        description=str(header.get("SeriesDescription") or ""),
        date=f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) >= 8 else date,
        patient=pseudonym(patient_id, str(header.get("IssuerOfPatientID") or "")),
        patient_id=patient_id,
    )


def _numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    value = header.get(keyword)
    if value is None or isinstance(value, (str, bytes)):
        return None
    try:
        numbers = tuple(float(v) for v in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _instance(path: Path, header: Dataset) -> Instance:
    image_type = header.get("ImageType") or ()
    if isinstance(image_type, str):
        image_type = (image_type,)
    echo = header.get("EchoTime")
    return Instance(
        path=path,
        sop_instance_uid=str(header.SOPInstanceUID),
        sop_class_uid=str(header.get("SOPClassUID") or ""),
        number=int(header.get("InstanceNumber") or 0),
        rows=int(header.get("Rows") or 0),
        columns=int(header.get("Columns") or 0),
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or ""),
        image_type=tuple(str(v) for v in image_type),
        echo_time=None if echo is None else float(echo),
        position=_numbers(header, "ImagePositionPatient", 3),
        orientation=_numbers(header, "ImageOrientationPatient", 6),
        pixel_spacing=_numbers(header, "PixelSpacing", 2),
    )
