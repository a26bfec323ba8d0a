"""The images that a report refers to: their headers, and what it says of them.

Patient and study of a report come from these headers; its Image Library lists the images
that the findings were marked on and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from osteotrace.codes import IMAGE_DESCRIPTORS, MODALITIES, PROCEDURES, REPORT
from osteotrace.errors import OsteotraceError
from osteotrace.records.content_items import (
    CONTAINS,
    HAS_ACQ_CONTEXT,
    HAS_CONCEPT_MOD,
    code,
    container,
    holding,
    image,
    number,
    uids,
)

if TYPE_CHECKING:
    from pathlib import Path

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue

# What an image must say of itself before a report can refer to it (type 1).
_TYPE_1_KEYWORDS: Final = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
)
# Elements of the patient and study modules that must be there, if only empty (type 2).
_TYPE_2_KEYWORDS: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_SEXES: Final = frozenset({"M", "F", "O"})


def references(assessment: Assessment) -> list[str]:
    """Return the SOPInstanceUIDs that the findings refer to, each once."""
    found: dict[str, None] = {}
    for finding in assessment.findings:
        for region in finding.regions:
            found |= dict.fromkeys(region.source_instances)
        for reading in finding.measurements:
            found |= dict.fromkeys(reading.sources)
    return list(found)


def _files(
    assessment: Assessment, images: Mapping[str, Path] | Catalogue
) -> dict[str, Path]:
    if isinstance(images, Mapping):
        return dict(images)
    return {
        instance.sop_instance_uid: instance.path
        for series in images
        if series.identity.study_uid == assessment.study_uid
        for volume in series.volumes
        for instance in volume.instances
    }


def headers(
    assessment: Assessment, images: Mapping[str, Path] | Catalogue
) -> dict[str, Dataset]:
    """Return the headers that the report needs, by SOPInstanceUID.

    Only the images that the findings refer to are read; where they refer to none, one
    image stands for the patient and the study.
    """
    files = _files(assessment, images)
    wanted = references(assessment)
    missing = [uid for uid in wanted if uid not in files]
    if missing or not files:
        raise OsteotraceError(
            f"{len(missing)} of the images absent, first {missing[0]}"
            if missing
            else f"no image of the study {assessment.study_uid}",
            expected="every image that the findings were marked on",
            advice="give the folder that the study was read from",
        )
    found = {uid: _header(files[uid]) for uid in wanted or list(files)[:1]}
    for uid, header in found.items():
        _check_image(header, uid, assessment.study_uid, files[uid])
    return found


def _header(file: Path) -> Dataset:
    from pydicom import dcmread

    header = dcmread(file, stop_before_pixels=True)
    # Names change from the image's character set to the report's own.
    header.decode()
    for keyword in _TYPE_2_KEYWORDS:
        if keyword not in header:
            setattr(header, keyword, "")
    if header.PatientSex not in _SEXES:
        header.PatientSex = ""
    return header


def _check_image(header: Dataset, uid: str, study_uid: str, file: Path) -> None:
    absent = [keyword for keyword in _TYPE_1_KEYWORDS if not header.get(keyword)]
    if absent:
        raise OsteotraceError(
            f"an image without {', '.join(absent)}",
            expected="the identification that every DICOM image carries",
            advice="use the series as the scanner sent it",
            where=str(file),
        )
    if header.SOPInstanceUID != uid or header.StudyInstanceUID != study_uid:
        raise OsteotraceError(
            f"the image {header.SOPInstanceUID} of the study {header.StudyInstanceUID}",
            expected=f"the image {uid} of the study {study_uid}",
            advice="give the images that the findings were marked on",
            where=str(file),
        )


def procedures(sources: Mapping[str, Dataset]) -> list[ContentItem]:
    """Return what was done to make the images (TID 1500, row 4)."""
    modalities = {str(header.Modality) for header in sources.values()} & set(PROCEDURES)
    return [
        code(REPORT["procedure_reported"], PROCEDURES[modality], HAS_CONCEPT_MOD)
        for modality in sorted(modalities) or [""]
    ]


def image_library(sources: Mapping[str, Dataset]) -> list[ContentItem]:
    """Return the Image Library (TID 1600): one group a modality and frame."""
    groups: dict[tuple[str, str], list[ContentItem]] = {}
    for header in sources.values():
        shared = (str(header.Modality), str(header.get("FrameOfReferenceUID", "")))
        groups.setdefault(shared, []).append(_library_entry(header))
    return [
        container(
            REPORT["image_library"],
            [container(REPORT["image_library_group"], g) for g in groups.values()],
        )
    ]


def _library_entry(header: Dataset) -> ContentItem:
    """Return one image with what its header says (TID 1602, TID 1604)."""
    modality = MODALITIES.get(str(header.Modality))
    described = (
        [] if modality is None else [code(REPORT["modality"], modality, HAS_ACQ_CONTEXT)]
    )
    frame = str(header.get("FrameOfReferenceUID") or "")
    described += uids(REPORT["frame_of_reference_uid"], frame, HAS_ACQ_CONTEXT)
    for keyword, place, concept, unit in IMAGE_DESCRIPTORS:
        value = header.get(keyword)
        if value is None or value == "":
            continue
        part = value if header[keyword].VM == 1 else value[place]
        described.append(number(concept, float(part), unit, HAS_ACQ_CONTEXT))
    return holding(image(header, CONTAINS), described)
