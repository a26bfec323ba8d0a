"""An alignment as a Spatial Registration object (PS3.3 A.39, C.20.2).

The Registered RCS is the later frame of reference: the item of the later study has the
identity, that of the earlier one the matrix that takes its points there. What DICOM has
no place for stands beside it in a private block, to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace import about
from osteotrace.codes.concepts import Concept
from osteotrace.records import sealed_parts
from osteotrace.records.dicom_objects import EXPLICIT_LITTLE_ENDIAN, UTF_8
from osteotrace.records.report_content.items import coded, person_name
from osteotrace.records.report_content.source_images import header_of
from osteotrace.records.segmentations.frames import dataset_of, decimal

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from osteotrace.alignment import Alignment
    from osteotrace.series import Instance, VolumeHeader
    from osteotrace.volume import Volume

SPATIAL_REGISTRATION: Final = "1.2.840.10008.5.1.4.1.1.66.1"
# The private block (PS3.5 7.8): its group, its creator, and the one element in it.
PRIVATE_GROUP: Final = 0x0099
PRIVATE_CREATOR: Final = "OSTEOTRACE ALIGNMENT"
ALIGNMENT_ELEMENT: Final = 0x01
# Name of the sealed part.
ALIGNMENT: Final = "alignment"
RIGID: Final = "RIGID"
_CONTENT_LABEL: Final = "OSTEOTRACE_REG"
# Stands behind the reports and masks in a study's list.
_SERIES_NUMBER: Final = 9100
# What went into a registration (PS3.16 CID 7100).
_IDENTITY: Final = Concept("125021", "DCM", "Frame of Reference Identity")
_BY_CONTENT: Final = Concept("125024", "DCM", "Image Content-based Alignment")
# PS3.5 6.2, VR LO.
_LONG_STRING: Final = 64


def document(
    alignment: Alignment,
    earlier: Volume | VolumeHeader,
    later: Volume | VolumeHeader,
    *,
    sop_instance_uid: str,
    series_uid: str,
    instance_number: int,
    creator: str,
    now: datetime.datetime,
) -> Dataset:
    """Return the object, filed in the later study.

    Parameters as in `osteotrace.records.registration.write`.
    """
    header = header_of(later.instances[0].path)
    transform = alignment.transform
    made = _empty(header, sop_instance_uid, series_uid, instance_number, now)
    made.FrameOfReferenceUID = transform.to_frame_uid
    made.PositionReferenceIndicator = header.get("PositionReferenceIndicator") or ""
    made.ContentLabel = _CONTENT_LABEL
    made.ContentDescription = _short(
        f"{alignment.region}; {about.RESEARCH_USE_SHORT}", alignment.pair
    )
    made.ContentCreatorName = person_name(creator)
    matrix = np.array(transform.matrix)
    made.RegistrationSequence = [
        _item(later, np.eye(4), _IDENTITY, ""),
        _item(earlier, matrix, _BY_CONTENT, _comment(alignment)),
    ]
    made.ReferencedSeriesSequence = [_series(later)]
    made.StudiesContainingOtherReferencedInstancesSequence = [
        dataset_of(
            StudyInstanceUID=earlier.identity.study_uid,
            ReferencedSeriesSequence=[_series(earlier)],
        )
    ]
    if earlier.identity.study_uid == later.identity.study_uid:
        # Two series of one study: the second is no instance of another.
        del made.StudiesContainingOtherReferencedInstancesSequence
        made.ReferencedSeriesSequence = [_series(later), _series(earlier)]
    block = made.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    content = sealed_parts.sealed(ALIGNMENT, msgspec.json.encode(alignment))
    block.add_new(ALIGNMENT_ELEMENT, "UT", content.decode().rstrip("\n"))
    return made


def _empty(
    header: Dataset,
    sop_instance_uid: str,
    series_uid: str,
    instance_number: int,
    now: datetime.datetime,
) -> Dataset:
    """Return the object without its content: patient, study, series, equipment."""
    from highdicom.base import SOPClass
    from pydicom.valuerep import DA, TM

    made = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=series_uid,
        series_number=_SERIES_NUMBER,
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=SPATIAL_REGISTRATION,
        instance_number=instance_number,
        modality="REG",
        manufacturer=about.SOFTWARE_NAME,
        manufacturer_model_name=about.SOFTWARE_NAME,
        software_versions=about.VERSION,
        series_description=f"{about.SOFTWARE_NAME} registration, research use only",
        transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN,
        specific_character_set=UTF_8,
        content_date=now.date(),
        content_time=now.time(),
        patient_id=header.PatientID,
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate,
        patient_sex=header.PatientSex,
        accession_number=header.AccessionNumber,
        study_id=header.StudyID,
        study_date=header.StudyDate,
        study_time=header.StudyTime,
        referring_physician_name=header.ReferringPhysicianName,
    )
    for keyword in ("BodyPartExamined", "Laterality"):
        if keyword in header:
            setattr(made, keyword, header[keyword].value)
    if "BodyPartExamined" not in made and "Laterality" not in made:
        # Type 2C: whether what was aligned is one of a pair is not known.
        made.Laterality = ""
    made.InstanceCreationDate, made.InstanceCreationTime = DA(now.date()), TM(now.time())
    return made


def _item(
    volume: Volume | VolumeHeader,
    matrix: NDArray[np.float64],
    how: Concept,
    comment: str,
) -> Dataset:
    """Return what takes one study's points to the registered space."""
    numbers = [decimal(value) for value in matrix.ravel()]
    one = dataset_of(
        FrameOfReferenceTransformationMatrix=numbers,
        FrameOfReferenceTransformationMatrixType=RIGID,
    )
    spatial = dataset_of(RegistrationTypeCodeSequence=[coded(how)], MatrixSequence=[one])
    if comment:
        spatial.FrameOfReferenceTransformationComment = comment
    return dataset_of(
        FrameOfReferenceUID=volume.frame_of_reference_uid,
        ReferencedImageSequence=_images(volume.instances),
        MatrixRegistrationSequence=[spatial],
    )


def _series(volume: Volume | VolumeHeader) -> Dataset:
    return dataset_of(
        SeriesInstanceUID=volume.identity.series_uid,
        ReferencedInstanceSequence=_images(volume.instances),
    )


def _images(instances: Iterable[Instance]) -> list[Dataset]:
    """Return references to images, each object once."""
    classes = {one.sop_instance_uid: one.sop_class_uid for one in instances}
    return [
        dataset_of(ReferencedSOPClassUID=kind, ReferencedSOPInstanceUID=uid)
        for uid, kind in classes.items()
    ]


def _comment(alignment: Alignment) -> str:
    return _short(
        f"u {alignment.u_mm:.3f} mm and {alignment.u_deg:.3f} deg, "
        f"{alignment.similarity_measure} {alignment.similarity:.4f}"
    )


def _short(text: str, fallback: str = "") -> str:
    """Return a text that VR LO can hold, another where it cannot."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    kept = plain.replace("\\", "/").strip()
    return kept if len(kept) <= _LONG_STRING else (fallback or kept[:_LONG_STRING])
