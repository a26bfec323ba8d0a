"""The masks of a reading as DICOM segmentations (SEG, PS3.3 A.51), one segment a mask.

Binary by default: overlapping masks are kept as they are, and every viewer reads it. As
a label map with run lengths (PS3.3 A.51.5) a large one takes a sixth of the place.
Decimal strings hold no place to the bit: the report beside it does.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from osteotrace import about
from osteotrace.records.dicom_objects import (
    EXPLICIT_LITTLE_ENDIAN,
    UTF_8,
    complete,
    derived_uid,
)
from osteotrace.records.report_content.items import person_name
from osteotrace.records.segmentations.frames import (
    dataset_of,
    decimal,
    label_planes,
    put_labels,
    put_masks,
)
from osteotrace.records.segmentations.layout import stacks
from osteotrace.records.segmentations.segments import descriptions, state_who_drew
from osteotrace.uids import source_parts

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from highdicom.seg import Segmentation as HighdicomSegmentation
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment
    from osteotrace.records.segmentations.planes import Key, Stack

Encoding = Literal["binary", "labelmap"]

CT_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
CONTENT_LABEL: Final = "OSTEOTRACE"
# Stands behind image series in a study's list, and behind the report.
FIRST_SERIES_NUMBER: Final = 9002


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReference:
    """One segment of a segmentation, as a report refers to it.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid : str
        Of the segmentation.
    number : int
        SegmentNumber (0062,0004).
    series_uid : str
        SeriesInstanceUID of the images that it was drawn on.
    """

    sop_class_uid: str
    sop_instance_uid: str
    number: int
    series_uid: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentationDocument:
    """A segmentation to be written, and which mask each of its segments is.

    Parameters
    ----------
    dataset : Dataset
        The object.
    segments : dict of (finding, region) to SegmentReference
    """

    dataset: Dataset
    segments: dict[Key, SegmentReference]


def documents(
    assessment: Assessment,
    headers: Mapping[str, Dataset],
    *,
    record_uid: str,
    now: datetime.datetime,
    encoding: Encoding = "binary",
) -> list[SegmentationDocument]:
    """Return the segmentations that hold the masks of a reading.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    headers : mapping of str to Dataset
        Header of each image that it refers to, by SOPInstanceUID
        (`osteotrace.records.report_content.source_images.headers`).
    record_uid : str
        SOPInstanceUID of the report that will refer to them; theirs derive from it and
        from what the reading says.
    now : datetime
        Content Date and Time.
    encoding : ``"binary"`` or ``"labelmap"``
        Masks that overlap are binary in either case.

    Returns
    -------
    list of SegmentationDocument
        One a series and grid; none for a reading without masks.

    Raises
    ------
    OsteotraceError
        If a kind, a site or a side is not in `osteotrace.codes`.
    """
    from osteotrace.findings import to_json

    made = []
    found = stacks(assessment, headers)
    # Another content or time is another object: what a killed call left is in no way.
    content = f"{now.isoformat()} {to_json(assessment).hex()}" if found else ""
    for number, stack in enumerate(found):
        uid = derived_uid(f"SEG {number} of {record_uid} {encoding} {content}")
        planes = label_planes(stack) if encoding == "labelmap" else None
        dataset = _base(assessment, stack, headers, uid, number, planes is not None)
        if planes is None:
            put_masks(dataset, stack, headers)
        else:
            put_labels(dataset, stack, headers, planes)
        complete(dataset, now)
        segments = {
            placed.key: SegmentReference(
                sop_class_uid=str(dataset.SOPClassUID),
                sop_instance_uid=uid,
                number=segment,
                series_uid=str(_image(stack, headers).SeriesInstanceUID),
            )
            for segment, placed in enumerate(stack.masks, start=1)
        }
        made.append(SegmentationDocument(dataset=dataset, segments=segments))
    return made


# The object without its frames --------------------------------------------------------


def _base(
    assessment: Assessment,
    stack: Stack,
    headers: Mapping[str, Dataset],
    uid: str,
    number: int,
    label_map: bool,
) -> HighdicomSegmentation:
    """Return the object with its segments, and one frame that stands for the others."""
    from highdicom.seg import Segmentation, SegmentationTypeValues

    kinds = SegmentationTypeValues
    dataset = Segmentation(
        source_images=[_like_plane(_image(stack, headers), stack)],
        pixel_array=np.ones((1, stack.rows, stack.columns), dtype=np.uint8),
        segmentation_type=kinds.LABELMAP if label_map else kinds.BINARY,
        segment_descriptions=descriptions(assessment, stack),
        series_instance_uid=derived_uid(f"series of {uid}"),
        series_number=FIRST_SERIES_NUMBER + number,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=about.SOFTWARE_NAME,
        manufacturer_model_name=about.SOFTWARE_NAME,
        software_versions=about.VERSION,
        device_serial_number=about.VERSION,
        content_label=CONTENT_LABEL,
        content_description=about.RESEARCH_USE_SHORT,
        content_creator_name=person_name(assessment.reader) or None,
        series_description=f"{about.SOFTWARE_NAME} masks, research use only",
        transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN,
        specific_character_set=UTF_8,
    )
    state_who_drew(dataset.SegmentSequence, assessment, stack)
    step = stack.spacing_between_slices
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    if step is not None:
        measures.SpacingBetweenSlices = decimal(step)
    dimensions = derived_uid(f"dimensions of {uid}")
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
    _put_sources(dataset, stack, headers)
    return dataset


def _image(stack: Stack, headers: Mapping[str, Dataset]) -> Dataset:
    """Return the image that stands for patient and study: of the series, of the space."""
    every = list(headers.values())
    frame = stack.frame_of_reference_uid
    series = [h for h in every if str(h.SeriesInstanceUID) == stack.series_uid]
    space = [h for h in every if str(h.get("FrameOfReferenceUID") or "") == frame]
    return (series or space or every)[0]


def _like_plane(header: Dataset, stack: Stack) -> Dataset:
    """Return a header as of one plain slice in the place of the first plane.

    highdicom takes geometry from its source and knows not every kind of it: an enhanced
    object or a tilted stack has the planes that are stated here.
    """
    plane = copy.copy(header)
    for keyword in (
        "NumberOfFrames",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "SpacingBetweenSlices",
    ):
        if keyword in plane:
            delattr(plane, keyword)
    plane.SOPClassUID = CT_IMAGE
    plane.FrameOfReferenceUID = stack.frame_of_reference_uid
    plane.Rows, plane.Columns = stack.rows, stack.columns
    plane.PixelSpacing = [decimal(mm) for mm in stack.pixel_spacing]
    plane.ImageOrientationPatient = [decimal(cosine) for cosine in stack.orientation]
    plane.ImagePositionPatient = [decimal(mm) for mm in stack.positions[0]]
    thickness = stack.slice_thickness or stack.spacing_between_slices
    plane.SliceThickness = None if thickness is None else decimal(thickness)
    return plane


# Images -------------------------------------------------------------------------------


def _put_sources(dataset: Dataset, stack: Stack, headers: Mapping[str, Dataset]) -> None:
    """Name the images that the masks were drawn on, series by series, in place."""
    named = [name for placed in stack.masks for name in placed.mask.source_instances]
    uids = dict.fromkeys(source_parts(name)[0] for name in named)
    series: dict[str, list[Dataset]] = {}
    for uid in uids or [str(_image(stack, headers).SOPInstanceUID)]:
        header = headers[uid]
        reference = dataset_of(
            ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=uid
        )
        series.setdefault(str(header.SeriesInstanceUID), []).append(reference)
    # As a sequence of its own each: a list that two share is one list to pydicom.
    dataset.SourceImageSequence = [
        copy.copy(reference) for references in series.values() for reference in references
    ]
    dataset.ReferencedSeriesSequence = [
        dataset_of(SeriesInstanceUID=uid, ReferencedInstanceSequence=references)
        for uid, references in series.items()
    ]
