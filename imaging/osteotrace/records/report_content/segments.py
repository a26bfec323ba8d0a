"""Masks in a structured report: the segments it refers to, and the boxes they fill.

The voxels of a mask are in a segmentation, whose content the report knows by its SHA-256.
The box is in the report, to the bit, which decimal strings in the segmentation are not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.codes import REPORT
from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.records.report_content.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_PROPERTIES,
    children,
    coded,
    container,
    holding,
    text,
    text_below,
    uid,
    uid_below,
)
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.codes import Concept
    from osteotrace.records.report_content.items import Relation
    from osteotrace.records.seg import SegmentReference
    from osteotrace.records.segmentations.reading import Segmentation

_MASK_FIELDS: Final = (
    "row_direction",
    "column_direction",
    "pixel_spacing",
    "origins",
    "rows",
    "columns",
)


def segment_written(segment: SegmentReference, relation: Relation) -> ContentItem:
    """Return an IMAGE item that refers to one segment (PS3.3 C.18.4)."""
    return _object(REPORT["referenced_segment"], segment, relation, segment.number)


def box_written(mask: Mask) -> list[ContentItem]:
    """Return the space and the box of a mask."""
    held = {name: getattr(mask, name) for name in _MASK_FIELDS}
    frame = mask.frame_of_reference_uid
    return [
        uid(REPORT["frame_of_reference_uid"], frame, HAS_PROPERTIES),
        text(REPORT["exact"], json.dumps(held), HAS_PROPERTIES),
    ]


def mask_read(
    item: Dataset,
    role: str,
    sources: tuple[str, ...],
    segmentations: Mapping[str, Segmentation],
) -> Mask:
    """Return the mask of a region's item.

    Raises
    ------
    OsteotraceError
        If the segmentation does not hold it.
    """
    (referenced,) = children(item, REPORT["referenced_segment"], "IMAGE")
    name, number = _referenced(referenced)
    held: dict[str, Any] = json.loads(text_below(item, REPORT["exact"]))
    row, column = held["row_direction"], held["column_direction"]
    spacing, origins = held["pixel_spacing"], held["origins"]
    frame = uid_below(item, REPORT["frame_of_reference_uid"])
    grid = Grid(
        row_direction=row,
        column_direction=column,
        pixel_spacing=spacing,
        origins=origins,
        rows=held["rows"],
        columns=held["columns"],
    )
    segmentation = segmentations[name]
    if segmentation.frame_of_reference_uid != frame:
        raise OsteotraceError(
            f"a mask ({role}) in another frame of reference than its segmentation",
            expected=f"the frame of reference {frame}",
            advice="fetch the report and its segmentations again from their source",
            where=str(segmentation.path),
        )
    voxels = segmentation.voxels(number, grid)
    return Mask(
        role=role,
        row_direction=_numbers(row),
        column_direction=_numbers(column),
        pixel_spacing=_numbers(spacing),
        origins=tuple(_numbers(origin) for origin in origins),
        rows=grid.rows,
        columns=grid.columns,
        bits=np.packbits(voxels).tobytes(),
        frame_of_reference_uid=frame,
        source_instances=sources,
    )


def segmentations_written(
    segments: Iterable[SegmentReference], digests: Mapping[str, str]
) -> list[ContentItem]:
    """Return the segmentations that a report refers to, each with what it must hold."""
    every = {segment.sop_instance_uid: segment for segment in segments}
    if not every:
        return []
    items = [
        holding(
            _object(REPORT["segmentation"], segment, CONTAINS),
            [text(REPORT["segmentation_sha256"], digests[name], HAS_CONCEPT_MOD)],
        )
        for name, segment in every.items()
    ]
    return [container(REPORT["segmentations"], items)]


def segmentations_read(document: Dataset) -> dict[str, str]:
    """Return the SHA-256 of what each segmentation of a report must hold, by UID."""
    return {
        _referenced(item)[0]: text_below(item, REPORT["segmentation_sha256"])
        for group in children(document, REPORT["segmentations"], "CONTAINER")
        for item in children(group, REPORT["segmentation"], "IMAGE")
    }


def _object(
    concept: Concept,
    segment: SegmentReference,
    relation: Relation,
    number: int | None = None,
) -> ContentItem:
    from highdicom.sr import ImageContentItem

    return ImageContentItem(
        name=coded(concept),
        referenced_sop_class_uid=segment.sop_class_uid,
        referenced_sop_instance_uid=segment.sop_instance_uid,
        referenced_segment_numbers=number,
        relationship_type=relation,
    )


def _numbers(values: Iterable[float]) -> Any:
    return tuple(float(value) for value in values)


def _referenced(item: Dataset) -> tuple[str, int]:
    """Return the object and the segment that an IMAGE item refers to, 0 for no one."""
    (reference,) = item.ReferencedSOPSequence
    number = reference.get("ReferencedSegmentNumber") or 0
    return str(reference.ReferencedSOPInstanceUID), int(number)
