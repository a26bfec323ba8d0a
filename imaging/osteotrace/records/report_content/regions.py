"""Regions of a finding in a structured report, written and read side by side.

Every region stands in the finding's group as an item of our own with its role and
images. The one that the value was read from is the group's region of interest too, as
the templates have it (PS3.16 TID 1410: an Image Region; TID 1411: a Referenced Segment),
for viewers that know these alone. The voxels of a mask are in the segmentation that the
item refers to; its box is here, to the bit, which decimal strings there are not.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from osteotrace.codes import REPORT
from osteotrace.measurements.measurement import Measurement
from osteotrace.records.report_content.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_PROPERTIES,
    INFERRED_FROM,
    SELECTED_FROM,
    children,
    code,
    coded,
    concept_of,
    holding,
    image,
    points,
    points_of,
    same_code,
    sources_of,
    text,
    text_below,
    texts,
    texts_below,
    uids,
)
from osteotrace.records.report_content.segments import (
    box_written,
    mask_read,
    segment_written,
)
from osteotrace.regions import ImagePoints, Mask, Points, Polyline
from osteotrace.uids import source_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.findings import Finding
    from osteotrace.records.report_content.items import Relation
    from osteotrace.records.seg import SegmentReference
    from osteotrace.records.segmentations.reading import Segmentation
    from osteotrace.regions import Region

# Kinds with a value a line each: none of their regions is the one of interest.
KINDS_WITHOUT_ONE_REGION: Final = frozenset({"vertebra", "vcf", "endplate_depression"})
# A value names up to this many images itself; a longer list stands once in a finding, or
# a study of masks would name its slices thousands of times.
MOST_NAMED_AGAIN: Final = 10
_SHAPES: Final[dict[type, str]] = {
    Polyline: "line",
    Points: "points",
    Mask: "mask",
    ImagePoints: "image_points",
}


class MarkedRegion(NamedTuple):
    """A region, the segment that a mask was written as, and the headers of its images."""

    region: Region
    segment: SegmentReference | None
    headers: Mapping[str, Dataset]


# Writing -----------------------------------------------------------------------------


def region_of_interest(
    finding: Finding, marked: Sequence[MarkedRegion]
) -> tuple[str, list[ContentItem]]:
    """Return the template of a finding's group and the region of interest it asks for.

    The region that the first value was taken from, where it is a line or a mask; else
    the first line or mask; none for vertebrae, whose every height has a line.
    """
    values = [m.region for m in finding.measurements if isinstance(m, Measurement)]
    shown = [one for one in marked if isinstance(one.region, Polyline | Mask)]
    if not shown or finding.kind in KINDS_WITHOUT_ONE_REGION:
        return "1501", []
    used = [one for one in shown if values and one.region.role == values[0]]
    region, segment, _ = (used or shown)[0]
    if isinstance(region, Polyline):
        return "1410", [_line(region, "image_region", CONTAINS)]
    assert segment is not None
    return "1411", [
        segment_written(segment, CONTAINS),
        *uids(REPORT["source_series"], segment.series_uid, CONTAINS),
    ]


def shapes(one: MarkedRegion) -> list[ContentItem]:
    """Return a region's coordinates or segment as items to be inferred from."""
    region, segment, headers = one
    match region:
        case Polyline():
            return [_line(region, "line", INFERRED_FROM)]
        case Points():
            return _named_points(region)
        case ImagePoints():
            return [_image_point(region, point, headers) for point in region.image_points]
        case _:
            assert segment is not None
            return [segment_written(segment, INFERRED_FROM)]


def regions_written(marked: Sequence[MarkedRegion]) -> list[ContentItem]:
    """Return the items that hold the regions of a finding whole."""
    parts = [one.region.source_instances for one in marked]
    return [
        holding(
            code(REPORT["region"], REPORT[_SHAPES[type(one.region)]], CONTAINS),
            [
                *texts(REPORT["role"], one.region.role, HAS_PROPERTIES),
                *_exact(one.region),
                *_placed(one),
                *_images(parts, number, one.headers),
            ],
        )
        for number, one in enumerate(marked)
    ]


def _placed(one: MarkedRegion) -> list[ContentItem]:
    if isinstance(one.region, ImagePoints):
        return _named_image_points(one.region, one.headers)
    return shapes(one)


def sources_written(
    sources: Iterable[str], headers: Mapping[str, Dataset]
) -> list[ContentItem]:
    """Return the images in order; frames of one object in a row are one item."""
    items: list[ContentItem] = []
    runs = groupby(map(source_parts, sources), key=lambda part: (part[0], part[1] > 0))
    for (instance, of_frames), run in runs:
        frames = [frame for _, frame in run]
        referred = [frames] if of_frames else [[] for _ in frames]
        items += [image(headers[instance], INFERRED_FROM, some) for some in referred]
    return items


def sources_of_value_written(
    finding: Finding, number: int, headers: Mapping[str, Dataset]
) -> list[ContentItem]:
    """Return the images of a value, or the part of the finding that names the same."""
    parts = [region.source_instances for region in finding.regions]
    parts += [reading.sources for reading in finding.measurements]
    return _images(parts, len(finding.regions) + number, headers)


def _images(
    parts: Sequence[tuple[str, ...]], number: int, headers: Mapping[str, Dataset]
) -> list[ContentItem]:
    """Return the images of a part of a finding: its regions, then its values."""
    images = parts[number]
    first = parts.index(images)
    if first == number or len(images) <= MOST_NAMED_AGAIN:
        return sources_written(images, headers)
    return [text(REPORT["same_images"], str(first + 1), HAS_PROPERTIES)]


def _line(line: Polyline, concept: str, relation: Relation) -> ContentItem:
    frame = line.frame_of_reference_uid
    return points(REPORT[concept], "POLYLINE", line.points, frame, relation)


def _named_points(region: Points) -> list[ContentItem]:
    return [
        holding(
            points(
                REPORT["point"],
                "POINT",
                [point],
                region.frame_of_reference_uid,
                INFERRED_FROM,
            ),
            texts(REPORT["role"], role, HAS_CONCEPT_MOD),
        )
        for point, role in zip(region.points, region.point_roles, strict=True)
    ]


def _named_image_points(
    region: ImagePoints, headers: Mapping[str, Dataset]
) -> list[ContentItem]:
    """Return the roles of points on an image: an SCOORD can carry no text itself."""
    return [
        holding(
            text(REPORT["point"], role, HAS_PROPERTIES),
            [_image_point(region, point, headers)],
        )
        for point, role in zip(region.image_points, region.point_roles, strict=True)
    ]


def _image_point(
    region: ImagePoints, point: tuple[float, float], headers: Mapping[str, Dataset]
) -> ContentItem:
    """Return a point SELECTED FROM the image that it was marked on (PS3.3 C.18.6)."""
    from highdicom.sr import ScoordContentItem

    instance, frame = source_parts(region.source_instances[0])
    return holding(
        ScoordContentItem(
            name=coded(REPORT["point"]),
            graphic_type="POINT",
            graphic_data=np.array([point], dtype=np.float64),
            relationship_type=INFERRED_FROM,
        ),
        [image(headers[instance], SELECTED_FROM, [frame] if frame else ())],
    )


def _exact(region: Region) -> list[ContentItem]:
    """Return what neither a decimal string nor a 32-bit number holds to the bit."""
    match region:
        case Mask():
            return box_written(region)
        case ImagePoints():
            told = json.dumps(region.image_points)
            return [text(REPORT["exact"], told, HAS_PROPERTIES)]
        case _:
            return []


# Reading -----------------------------------------------------------------------------


def regions_read(
    group: Dataset, segmentations: Mapping[str, Segmentation]
) -> tuple[Region, ...]:
    """Return the regions of a finding.

    Parameters
    ----------
    group : Dataset
        The finding's measurement group.
    segmentations : mapping of str to Segmentation
        By SOPInstanceUID, each checked against its digest.

    Raises
    ------
    OsteotraceError
        If the segmentation of a mask does not hold it.
    """
    found: list[Region] = []
    for item in children(group, REPORT["region"], "CODE"):
        sources = sources_read(item, [one.source_instances for one in found])
        found.append(_region(item, sources, segmentations))
    return tuple(found)


def _region(
    item: Dataset,
    sources: tuple[str, ...],
    segmentations: Mapping[str, Segmentation],
) -> Region:
    shape = concept_of(item.ConceptCodeSequence)
    role = text_below(item, REPORT["role"])
    if same_code(shape, REPORT["mask"]):
        return mask_read(item, role, sources, segmentations)
    if same_code(shape, REPORT["image_points"]):
        held = json.loads(text_below(item, REPORT["exact"]))
        return ImagePoints(
            role=role,
            image_points=tuple((float(x), float(y)) for x, y in held),
            point_roles=texts_below(item, REPORT["point"]),
            source_instances=sources,
        )
    drawn = list(children(item, value_type="SCOORD3D"))
    (frame,) = {str(one.ReferencedFrameOfReferenceUID) for one in drawn}
    if same_code(shape, REPORT["line"]):
        (line,) = drawn
        return Polyline(
            role=role,
            points=points_of(line),
            frame_of_reference_uid=frame,
            source_instances=sources,
        )
    return Points(
        role=role,
        points=tuple(point for one in drawn for point in points_of(one)),
        point_roles=tuple(text_below(one, REPORT["role"]) for one in drawn),
        frame_of_reference_uid=frame,
        source_instances=sources,
    )


def sources_read(item: Dataset, before: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the images of a part of a finding, given those of the parts before it."""
    same = text_below(item, REPORT["same_images"])
    if same:
        return before[int(same) - 1]
    images = children(item, REPORT["source"], "IMAGE")
    return tuple(source for one in images for source in sources_of(one))
