"""The measurement groups of an export, each in the dialect of its viewer.

OHIF lists and edits a group whose Tracking Identifier names one of its tools, and draws
what the group's first number was taken from. 3D Slicer's QuantitativeReporting reads
single points in space, and groups of a segment; lines it places by pixels, wrongly where
the image is not axial with square pixels, so that their ends are given as points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.codes import (
    CERTAINTIES,
    KINDS,
    LATERALITIES,
    QUANTITIES,
    REPORT,
    SITES,
    look_up,
)
from osteotrace.geometry import distance
from osteotrace.measurements.measurement import Measurement
from osteotrace.records.dicom_objects import derived_uid
from osteotrace.records.image_planes import ImagePlane
from osteotrace.records.report_content.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    INFERRED_FROM,
    SELECTED_FROM,
    code,
    coded,
    container,
    holding,
    image,
    number,
    person_name,
    points,
    text,
    uid,
    uids,
)
from osteotrace.regions import Mask, Points, Polyline
from osteotrace.uids import source_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from highdicom.sr import ContentItem, ContentSequence
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Finding
    from osteotrace.records.seg import SegmentReference
    from osteotrace.records.segmentations.planes import Key
    from osteotrace.regions import Point, Region

SHOWN: Final[dict[str, str]] = {
    "ohif": "a caliper of something present",
    "slicer": "a point, a line of two points or a mask of something present",
}
# The name that OHIF knows its length tool by; what follows it is the reader's.
LENGTH_TOOL: Final = "Cornerstone3DTools@^0.1.0:Length"
# Points this near to a plane lie on it: half the last digit that a length is shown with.
IN_PLANE_MM: Final = 0.005


def observer(part: Assessment) -> ContentSequence | tuple[()]:
    """Return the reader as observer (TID 1003), nothing where nobody is named."""
    from highdicom.sr import (
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes

    name = person_name(part.reader)
    if not name:
        return ()
    person = PersonObserverIdentifyingAttributes(name=name)
    return ObservationContext(
        observer_person_context=ObserverContext(codes.DCM.Person, person)
    )


# OHIF --------------------------------------------------------------------------------


def calipers(assessment: Assessment) -> list[Assessment]:
    """Return the reading with its calipers alone, each with its value and that line.

    A caliper is a finding that is present and whose first measured length was taken from
    a line of two points.
    """
    found = [
        msgspec.structs.replace(finding, regions=(line,), measurements=(value,))
        for finding in _present(assessment)
        for value, line in _caliper(finding)
    ]
    return [_part(assessment, found)] if found else []


def _caliper(finding: Finding) -> Iterator[tuple[Measurement, Polyline]]:
    """Yield the first length of a finding with its line, nothing where there is none."""
    lines = {
        region.role: region
        for region in finding.regions
        if isinstance(region, Polyline) and len(region.points) == 2
    }
    for value in finding.measurements:
        if (
            isinstance(value, Measurement)
            and value.unit == "mm"
            and value.region in lines
        ):
            line = lines[value.region]
            yield msgspec.structs.replace(value, sources=()), line
            return


def lengths(part: Assessment, headers: Mapping[str, Dataset]) -> list[ContentItem]:
    """Return one group a caliper, in the form that OHIF writes its own lengths in.

    The number is the length of the line: OHIF measures it anew as soon as it draws it.
    The recorded value stands in the comment, which OHIF shows as the label.
    """
    taken: set[str] = set()
    return [_length(finding, headers, taken) for finding in part.findings]


def _length(
    finding: Finding, headers: Mapping[str, Dataset], taken: set[str]
) -> ContentItem:
    (line,) = finding.regions
    (value,) = finding.measurements
    assert isinstance(line, Polyline)
    assert isinstance(value, Measurement)
    length = number(QUANTITIES["length"], distance(*line.points), "mm", CONTAINS)
    # dcmjs reads text below the top level as Latin-1, whatever the file says.
    told = value.as_text.replace("±", "+/-")
    shown = f"{finding.label}: {told}, {value.code.meaning}{_doubts(finding, [value])}"
    return container(
        REPORT["measurement_group"],
        [
            text(
                REPORT["tracking_identifier"],
                f"{LENGTH_TOOL}:{finding.label}",
                HAS_OBS_CONTEXT,
            ),
            # OHIF takes two groups of one UID for one measurement.
            uid(
                REPORT["tracking_uid"],
                _unused(finding.tracking_uid, taken),
                HAS_OBS_CONTEXT,
            ),
            code(REPORT["finding"], look_up(KINDS, finding.kind, "kind"), CONTAINS),
            _site(finding),
            holding(length, [_drawn(line, headers)]),
            text(REPORT["comment"], shown, CONTAINS),
        ],
        template="1501",
    )


def _unused(name: str, taken: set[str]) -> str:
    """Return a tracking UID, one derived from it where it is taken."""
    while name in taken:
        name = derived_uid(f"another of {name}")
    taken.add(name)
    return name


def _drawn(line: Polyline, headers: Mapping[str, Dataset]) -> ContentItem:
    """Return the coordinates of a line: on an image where it lies on one, else in space.

    Every version of OHIF reads them on an image; but it takes the spacing of rows for
    that of columns (cornerstone3D, issue 2758), so only where both are the same.
    """
    from highdicom.sr import ScoordContentItem

    for source in line.source_instances:
        instance, frame = source_parts(source)
        try:
            plane = ImagePlane(headers[instance], frame)
        except ValueError:
            continue
        if plane.has_square_pixels and plane.off_plane_mm(line.points) <= IN_PLANE_MM:
            item = ScoordContentItem(
                name=coded(REPORT["image_region"]),
                graphic_type="POLYLINE",
                graphic_data=np.asarray(plane.to_image(line.points)),
                relationship_type=INFERRED_FROM,
            )
            frames = [frame] if frame else ()
            return holding(item, [image(headers[instance], SELECTED_FROM, frames)])
    frame_of_reference = line.frame_of_reference_uid
    return points(
        REPORT["image_region"], "POLYLINE", line.points, frame_of_reference, INFERRED_FROM
    )


# 3D Slicer ---------------------------------------------------------------------------


def points_and_masks(assessment: Assessment) -> list[Assessment]:
    """Return the reading with its points and short lines, and with its masks alone.

    Two parts: QuantitativeReporting leaves the segments out of a report that has points.
    """
    parts = []
    for wanted in (_is_pointlike, _is_mask):
        found = [
            msgspec.structs.replace(finding, regions=regions)
            for finding in _present(assessment)
            if (regions := tuple(filter(wanted, finding.regions)))
        ]
        if found:
            parts.append(_part(assessment, found))
    return parts


def _is_pointlike(region: Region) -> bool:
    return isinstance(region, Points) or (
        isinstance(region, Polyline) and len(region.points) == 2
    )


def _is_mask(region: Region) -> bool:
    return isinstance(region, Mask)


def points_or_segments(
    part: Assessment,
    segments: Mapping[Key, SegmentReference],
    tracking: Mapping[Key, str],
) -> list[ContentItem]:
    """Return a group a point (TID 1410) or a group a mask (TID 1411).

    Parameters
    ----------
    part : Assessment
        Points and short lines, or masks.
    segments : mapping of (finding, region) to SegmentReference
        The segment of each mask.
    tracking : mapping of (finding, region) to str
        Its tracking UID in the segmentation.
    """
    taken: set[str] = set()
    groups: list[ContentItem] = []
    for f, finding in enumerate(part.findings):
        for r, region in enumerate(finding.regions):
            if isinstance(region, Mask):
                # Slicer takes two groups of one UID for one.
                name = _unused(tracking[f, r], taken)
                groups.append(_segment(finding, region, segments[f, r], name))
            elif isinstance(region, Points | Polyline):
                groups += _points(finding, region)
    return groups


def values_shown(region: Region, finding: Finding) -> list[Measurement]:
    """Return the values of a region that Slicer is given, the first alone for points.

    A number cannot say that it is the middle of a range: ranges stand in words alone.
    """
    of_region = [
        value
        for value in finding.measurements
        if isinstance(value, Measurement) and value.region == region.role
    ]
    if isinstance(region, Mask):
        return [value for value in of_region if not value.is_range]
    return of_region[:1]


def _points(finding: Finding, region: Points | Polyline) -> Iterator[ContentItem]:
    values = values_shown(region, finding)
    roles = (
        region.point_roles
        if isinstance(region, Points)
        else tuple(f"{region.role} {n}" for n in (1, 2))
    )
    told = " ".join([finding.label, *(value.as_text for value in values)])
    doubts = _doubts(finding, values)
    for point, role in zip(region.points, roles, strict=True):
        words = f"{told} ({role}){doubts}"
        yield _point(finding, region.frame_of_reference_uid, point, words)


def _point(finding: Finding, frame: str, point: Point, words: str) -> ContentItem:
    own_uid = derived_uid(f"{words} {point!r} of {finding.tracking_uid}")
    return container(
        REPORT["measurement_group"],
        [
            text(REPORT["tracking_identifier"], words, HAS_OBS_CONTEXT),
            uid(REPORT["tracking_uid"], own_uid, HAS_OBS_CONTEXT),
            code(REPORT["finding"], look_up(KINDS, finding.kind, "kind"), CONTAINS),
            _site(finding),
            points(REPORT["image_region"], "POINT", [point], frame, CONTAINS),
        ],
        template="1410",
    )


def _segment(
    finding: Finding, region: Mask, segment: SegmentReference, tracking_uid: str
) -> ContentItem:
    from highdicom.sr import ImageContentItem

    values = values_shown(region, finding)
    referenced = ImageContentItem(
        name=coded(REPORT["referenced_segment"]),
        referenced_sop_class_uid=segment.sop_class_uid,
        referenced_sop_instance_uid=segment.sop_instance_uid,
        referenced_segment_numbers=segment.number,
        relationship_type=CONTAINS,
    )
    return container(
        REPORT["measurement_group"],
        [
            text(
                REPORT["tracking_identifier"],
                f"{finding.label} ({region.role}){_doubts(finding, values)}",
                HAS_OBS_CONTEXT,
            ),
            uid(REPORT["tracking_uid"], tracking_uid, HAS_OBS_CONTEXT),
            code(REPORT["finding"], look_up(KINDS, finding.kind, "kind"), CONTAINS),
            _site(finding),
            referenced,
            *uids(REPORT["source_series"], segment.series_uid, CONTAINS),
            *(number(value.code, value.value, value.unit, CONTAINS) for value in values),
        ],
        template="1411",
    )


# Both --------------------------------------------------------------------------------


def _present(assessment: Assessment) -> list[Finding]:
    """Return the findings that are there: a viewer has no place for any other."""
    return [one for one in assessment.findings if one.presence == "present"]


def _doubts(finding: Finding, values: Sequence[Measurement]) -> str:
    """Return what speaks against a finding or its values, in words to append."""
    words = []
    if finding.certainty != "definite":
        words.append(CERTAINTIES[finding.certainty].meaning.lower())
    flags = dict.fromkeys(flag for value in values for flag in value.flags)
    words += [f"doubtful: {flag}" for flag in flags]
    return "".join(f", {word}" for word in words)


def _part(assessment: Assessment, findings: list[Finding]) -> Assessment:
    return msgspec.structs.replace(assessment, findings=tuple(findings), stagings=())


def _site(finding: Finding) -> ContentItem:
    site = code(
        REPORT["finding_site"], look_up(SITES, finding.site, "site"), HAS_CONCEPT_MOD
    )
    if not finding.laterality:
        return site
    side = look_up(LATERALITIES, finding.laterality, "laterality")
    return holding(site, [code(REPORT["laterality"], side, HAS_CONCEPT_MOD)])
