"""The images that a report refers to: their headers, and what it says of them.

Patient and study of a report come from these headers; its Image Library lists the images
that the findings were marked on and no others. A multi-frame object is one image there,
with the frames that were marked; what it says of a frame stands in functional groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from osteotrace.codes import IMAGE_DESCRIPTORS, MODALITIES, PROCEDURES, REPORT
from osteotrace.errors import OsteotraceError
from osteotrace.records.report_content.items import (
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
from osteotrace.regions import ImagePoints, Mask
from osteotrace.uids import source_parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Finding
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
# PS3.5 6.2, VR AS; scanners and anonymisers write other ages, which no report may repeat.
_AGE: Final = re.compile(r"[0-9]{3}[DWMY]")
# Where an enhanced object says of a frame what other images say at their top level
# (PS3.3 C.7.6.16.2).
_FUNCTIONAL_GROUPS: Final = {
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
}


def references(assessment: Assessment) -> dict[str, tuple[int, ...]]:
    """Return the images that the findings refer to, in the order of first mention.

    Returns
    -------
    dict of str to tuple of int
        SOPInstanceUID to the frames referred to, ascending; none where the whole image
        is meant.
    """
    found: dict[str, set[int]] = {}
    for finding in assessment.findings:
        named = [region.source_instances for region in finding.regions]
        named += [reading.sources for reading in finding.measurements]
        for uid, frame in (source_parts(name) for names in named for name in names):
            found.setdefault(uid, set()).add(frame)
    return {uid: () if 0 in f else tuple(sorted(f)) for uid, f in found.items()}


def lack(assessment: Assessment) -> OsteotraceError | None:
    """Return why no report can be made of an assessment whatever its images, if so.

    A report names the images that a finding was marked on, and the space that its points
    live in. Findings of a NIfTI file have neither; some anonymised images lack the
    second. A mask that names no image is at home in the space of a series that was read.
    """
    spaces = {series.frame_of_reference_uid for series in assessment.series} - {""}
    lacking = {
        "without a FrameOfReferenceUID (0020,0052)": [
            finding.label
            for finding in assessment.findings
            if any(
                not region.frame_of_reference_uid
                for region in finding.regions
                if not isinstance(region, ImagePoints)
            )
        ],
        "marked on no DICOM image": [
            finding.label
            for finding in assessment.findings
            if _names_no_image(finding, spaces)
        ],
    }
    told = [
        f"{len(labels)} finding(s) {how}, first {labels[0][:40]!r}"
        for how, labels in lacking.items()
        if labels
    ]
    if not told:
        return None
    return OsteotraceError(
        "; ".join(told),
        expected="regions with the frame of reference and the images of every finding, "
        "which a DICOM SR has to name",
        advice="keep this reading as JSON and tables, which hold it whole; or measure on "
        "the original DICOM series",
    )


def _names_no_image(finding: Finding, spaces: set[str]) -> bool:
    """Tell whether a finding was marked on no image that a report could name."""
    images = any(
        isinstance(region, ImagePoints) and not region.source_instances
        for region in finding.regions
    )
    if images or finding.source_instances:
        return images
    return any(
        not isinstance(region, Mask) or region.frame_of_reference_uid not in spaces
        for region in finding.regions
    )


def files_of(
    assessment: Assessment, images: Mapping[str, Path] | Catalogue
) -> dict[str, Path]:
    """Return the files of a reading's study by SOPInstanceUID."""
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

    Raises
    ------
    OsteotraceError
        If an image or one of its frames is not there, or belongs to another study.
    """
    files = files_of(assessment, images)
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
    found = {uid: header_of(files[uid]) for uid in list(wanted) or list(files)[:1]}
    for frame in _spaces_of_masks(assessment, found):
        uid = _image_of_space(files, frame)
        found[uid] = header_of(files[uid])
    for uid, header in found.items():
        _check_image(header, uid, assessment.study_uid, files[uid])
        _check_frames(header, wanted.get(uid, ()), files[uid])
    return found


def _spaces_of_masks(assessment: Assessment, found: Mapping[str, Dataset]) -> list[str]:
    """Return the frames of reference of masks that no image found so far has."""
    known = {str(header.get("FrameOfReferenceUID") or "") for header in found.values()}
    wanted = dict.fromkeys(
        region.frame_of_reference_uid
        for finding in assessment.findings
        for region in finding.regions
        if isinstance(region, Mask)
    )
    return [frame for frame in wanted if frame not in known]


def _image_of_space(files: Mapping[str, Path], frame: str) -> str:
    """Return the first image that has a frame of reference.

    Raises
    ------
    OsteotraceError
        If none has.
    """
    from pydicom import dcmread

    for uid, file in files.items():
        header = dcmread(file, specific_tags=["FrameOfReferenceUID", "Rows"])
        if header.get("FrameOfReferenceUID") == frame and "Rows" in header:
            return uid
    raise OsteotraceError(
        f"no image in the frame of reference {frame}",
        expected="an image of the series that each mask was drawn on",
        advice="give the folder that the study was read from",
    )


def header_of(file: Path) -> Dataset:
    """Return an image's header, what a report needs of it there if only empty."""
    from pydicom import dcmread

    header = dcmread(file, stop_before_pixels=True)
    # Names change from the image's character set to the report's own.
    header.decode()
    for keyword in _TYPE_2_KEYWORDS:
        if keyword not in header:
            setattr(header, keyword, "")
    if header.PatientSex not in _SEXES:
        header.PatientSex = ""
    if "PatientAge" in header and not _AGE.fullmatch(str(header.PatientAge)):
        del header.PatientAge
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


def _check_frames(header: Dataset, frames: tuple[int, ...], file: Path) -> None:
    count = int(header.get("NumberOfFrames") or 0)
    if frames and frames[-1] > count:
        raise OsteotraceError(
            f"frame {frames[-1]} of an image with {count or 'no'} frames",
            expected="frames that the image has, NumberOfFrames (0028,0008)",
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


def image_library(
    sources: Mapping[str, Dataset], referred: Mapping[str, tuple[int, ...]]
) -> list[ContentItem]:
    """Return the Image Library (TID 1600): one group a modality and frame of reference.

    What the images of a group have in common stands at the group (TID 1600, row 3).

    Parameters
    ----------
    sources : mapping of str to Dataset
        Headers by SOPInstanceUID: one entry each.
    referred : mapping of str to tuple of int
        From `references`.
    """
    groups: dict[tuple[str, str], list[Dataset]] = {}
    for header in sources.values():
        shared = (str(header.Modality), str(header.get("FrameOfReferenceUID") or ""))
        groups.setdefault(shared, []).append(header)
    return [
        container(
            REPORT["image_library"],
            [
                _library_group(modality, frame, headers, referred)
                for (modality, frame), headers in groups.items()
            ],
        )
    ]


def _library_group(
    modality: str,
    frame: str,
    headers: Sequence[Dataset],
    referred: Mapping[str, tuple[int, ...]],
) -> ContentItem:
    """Return the images of one modality and space with what their headers say."""
    frames = [referred.get(str(header.SOPInstanceUID), ()) for header in headers]
    said = [_described(h, f) for h, f in zip(headers, frames, strict=True)]
    alone = len(headers) == 1
    common = {} if alone else dict(set.intersection(*(set(one.items()) for one in said)))
    known = MODALITIES.get(modality)
    shared = [] if known is None else [code(REPORT["modality"], known, HAS_ACQ_CONTEXT)]
    shared += uids(REPORT["frame_of_reference_uid"], frame, HAS_ACQ_CONTEXT)
    shared += _descriptors(common)
    entries = []
    for header, of, own in zip(headers, frames, said, strict=True):
        differing = {n: value for n, value in own.items() if n not in common}
        described = [*(shared if alone else ()), *_descriptors(differing)]
        entries.append(holding(image(header, CONTAINS, of), described))
    return container(
        REPORT["image_library_group"], [*([] if alone else shared), *entries]
    )


def _described(header: Dataset, frames: tuple[int, ...]) -> dict[int, float]:
    """Return what a header says, by the place of the descriptor in its table."""
    found = {}
    for n, (keyword, place, _, _) in enumerate(IMAGE_DESCRIPTORS):
        said = values(header, keyword, frames)
        if said:
            found[n] = said[place]
    return found


def _descriptors(said: Mapping[int, float]) -> list[ContentItem]:
    """Return descriptors as content items (TID 1602, TID 1604)."""
    return [
        number(concept, said[n], unit, HAS_ACQ_CONTEXT)
        for n, (_, _, concept, unit) in enumerate(IMAGE_DESCRIPTORS)
        if n in said
    ]


def values(header: Dataset, keyword: str, frames: tuple[int, ...]) -> tuple[float, ...]:
    """Return what an image, or all frames referred to, say; nothing where they differ.

    Parameters
    ----------
    header : Dataset
    keyword : str
        Of an element that holds numbers.
    frames : tuple of int
        From 1; none for the whole image.
    """
    group = _FUNCTIONAL_GROUPS.get(keyword)
    per_frame = header.get("PerFrameFunctionalGroupsSequence")
    if group is None or not per_frame:
        return _numbers(header, keyword)
    shared = header.get("SharedFunctionalGroupsSequence") or [{}]
    said = set()
    for n in frames or range(1, len(per_frame) + 1):
        items = per_frame[n - 1].get(group) or shared[0].get(group)
        said.add(_numbers(items[0], keyword) if items else ())
    return said.pop() if len(said) == 1 else ()


def _numbers(item: Dataset, keyword: str) -> tuple[float, ...]:
    value = item.get(keyword)
    if value is None or value == "":
        return ()
    return tuple(map(float, value if item[keyword].VM > 1 else [value]))
