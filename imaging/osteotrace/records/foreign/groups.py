"""A measurement group of a report of other software as a finding.

Written by TID 1500's own measurement groups, planar, volumetric and without a region
(PS3.16 TID 1410, 1411, 1501), as dcmqi, highdicom, OHIF and Slicer write them. What the
group does not say is not guessed: the kind is a lesion, or a region where nothing was
named, and the site is not stated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from osteotrace.codes import (
    KINDS,
    LATERALITIES,
    PRESENCES,
    REPORT,
    SITES,
    VERTEBRAE,
    Concept,
)
from osteotrace.codes.descriptions import SCT_PRESENCES
from osteotrace.codes.equivalents import KIND_EQUIVALENTS, KIND_EQUIVALENTS_AT
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.records.dicom_objects import derived_uid
from osteotrace.records.foreign import measurements as foreign_measurements
from osteotrace.records.foreign import regions as foreign_regions
from osteotrace.records.foreign.content import find, one_line, same, spelled
from osteotrace.uids import is_uid, source_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from osteotrace.findings import Laterality, Presence
    from osteotrace.measurements.measurement import Method, Reading
    from osteotrace.records.foreign.content import Item
    from osteotrace.records.foreign.regions import Headers
    from osteotrace.regions import Mask, Region

    Masks = Callable[[str, int], Mask | None]

REFERENCED_SEGMENT: Final = Concept("121191", "DCM", "Referenced Segment")
SEGMENT_SOURCE: Final = Concept("121233", "DCM", "Source image for segmentation")
SEGMENT_SERIES: Final = Concept("121232", "DCM", "Source series for segmentation")
# Where cornerstone3D keeps the words that a reader typed.
FREE_TEXT: Final = "CORNERSTONEFREETEXT"
# Cornerstone3DTools@^0.1.0:Length, cornerstoneTools@^4.0.0:Length, with a label or none.
_CORNERSTONE: Final = re.compile(
    r"cornerstone(?:3D)?tools@[^:]*:(?P<tool>\w+)(?::(?P<label>.+))?", re.I
)
IMAGE_REGION: Final = "image region"
# A comment that is no longer than this names the lesion.
LONGEST_LABEL: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What all groups of one report share.

    Parameters
    ----------
    sop_instance_uid : str
        SOPInstanceUID (0008,0018) of the report.
    method : Method
        Who reports.
    series : mapping of str to str
        SeriesInstanceUID of the images that the report names, by SOPInstanceUID.
    headers : callable
        Gives the header of an image by SOPInstanceUID, None where there is none.
    masks : callable
        Gives a segment by the SOPInstanceUID of its segmentation and its number.
    """

    sop_instance_uid: str
    method: Method
    series: Mapping[str, str]
    headers: Headers
    masks: Masks


def finding(group: Item, number: int, report: Report) -> Finding:
    """Return the finding that a measurement group tells of, what it tells taken.

    Parameters
    ----------
    group : Item
        CONTAINER Measurement Group (DCM 125007).
    number : int
        Which one of the report, from 1.
    report : Report
        What it shares with the others.
    """
    group.take()
    place = f"Measurement Group {number}"
    notes = [one_line(item.take().text) for item in group.below(REPORT["comment"])]
    kind, site, laterality, words = _what_and_where(group)
    regions = _regions(group, report)
    readings = _readings(group, report, regions)
    named = (n for region in regions.values() for n in region.source_instances)
    series = {report.series.get(source_parts(name)[0], "") for name in named} - {""}
    stated = [
        item.take().text for item in group.below(SEGMENT_SERIES) if is_uid(item.text)
    ]
    return Finding(
        tracking_uid=_tracking_uid(group)
        or derived_uid(f"{place} of {report.sop_instance_uid}"),
        label=_label(group, [*notes, *words]) or place,
        kind=kind,
        site=site,
        laterality=laterality,
        presence=_presence(group),
        certainty="unknown",
        note="; ".join([*notes, *words]),
        regions=tuple(regions.values()),
        measurements=readings,
        series_uid=series.pop() if len(series) == 1 else "".join(stated[:1]),
    )


# What and where ----------------------------------------------------------------------


def _tracking_uid(group: Item) -> str:
    for item in group.below(REPORT["tracking_uid"], "UIDREF"):
        if is_uid(item.text):
            return item.take().text
    return ""


def _label(group: Item, words: list[str]) -> str:
    for item in group.below(REPORT["tracking_identifier"], "TEXT"):
        stated = one_line(item.take().text)
        drawn = _CORNERSTONE.fullmatch(stated)
        if drawn is None:
            return stated
        short = (word for word in words if 0 < len(word) <= LONGEST_LABEL)
        return drawn["label"] or next(short, drawn["tool"])
    return ""


def _what_and_where(group: Item) -> tuple[str, str, Laterality, list[str]]:
    """Return kind, site, side, and the words for what has no place in either."""
    words: list[str] = []
    findings = _coded(group, REPORT["finding"], words)
    places = _coded(group, REPORT["finding_site"], words)
    stated = findings[0].code if findings else None
    at = places[0].code if places else None
    site = find(SITES, at) if at is not None else ""
    laterality: Laterality = ""
    if places:
        laterality = _laterality(places[0], words)
        _settle(places[0], known=bool(site), words=words)
    kind = "region"
    if stated is not None:
        kind = kind_of(stated, at)
        if not kind and find(SITES, stated):
            # The anatomy itself is what was measured.
            kind, site = "region", site or find(SITES, stated)
            findings[0].take()
        else:
            _settle(findings[0], known=bool(kind), words=words)
    return kind or "lesion", site or "unspecified", laterality, words


def _coded(group: Item, name: Concept, words: list[str]) -> list[Item]:
    """Return the coded children of a name; a reader's free text goes to the words."""
    coded = []
    for item in group.below(name, "CODE"):
        if item.code.value == FREE_TEXT:
            words.append(one_line(item.take().code.meaning))
        else:
            coded.append(item)
    return coded


def _settle(item: Item, *, known: bool, words: list[str]) -> None:
    """Take an item that is known; keep the words of one that is not, still listed."""
    if known:
        item.take()
    else:
        words.append(f"{item.name.meaning} as reported: {spelled(item.code)}")


def kind_of(stated: Concept, at: Concept | None) -> str:
    """Return the kind that a code of a finding or segment means, empty where none.

    Parameters
    ----------
    stated : Concept
        The code.
    at : Concept or None
        The code of where it lies.
    """
    named, place = find(KINDS, stated), find(SITES, at) if at is not None else ""
    if named:
        return named
    for code, kind in KIND_EQUIVALENTS.items():
        # A compression fracture is one of a vertebra where it says that it is.
        if same(code, stated) and (kind != "vcf" or place in (*VERTEBRAE, "spine")):
            return kind
    for (code, where), kind in KIND_EQUIVALENTS_AT.items():
        if at is not None and same(code, stated) and same(where, at):
            return kind
    return ""


def _laterality(site: Item, words: list[str]) -> Laterality:
    """Return the side that a site states; sides that disagree go to the words."""
    stated = site.below(REPORT["laterality"], "CODE")
    side = only_side(item.code for item in stated)
    if side:
        for item in stated:
            item.take()
    else:
        words += [
            f"{item.name.meaning} as reported: {spelled(item.code)}" for item in stated
        ]
    return side


def only_side(codes: Iterable[Concept]) -> Laterality:
    """Return the one side that codes state, empty where they disagree or are unknown."""
    sides = {find(LATERALITIES, code) for code in codes}
    return cast("Laterality", sides.pop()) if len(sides) == 1 else ""


def _presence(group: Item) -> Presence:
    """Return whether the finding is there: unknown where the answer is not understood.

    A group that does not ask tells of something that is there.
    """
    answers = group.below(REPORT["presence"])
    if not answers:
        return "present"
    stated = {presence_of(item.code) for item in answers}
    if len(stated) != 1 or "" in stated:
        # What contradicts itself, or is not understood, stays to be listed.
        return "unknown"
    for item in answers:
        item.take()
    return cast("Presence", stated.pop())


def presence_of(code: Concept) -> str:
    """Return what a code says of presence (DCM or SNOMED CT), empty where nothing."""
    return find(PRESENCES, code) or find(SCT_PRESENCES, code)


# Regions and numbers -----------------------------------------------------------------


def _regions(group: Item, report: Report) -> dict[Item, Region]:
    """Return the regions of a group by the item that marks each."""
    found: dict[Item, Region] = {}
    # cornerstone3D takes the spacing of rows for that of columns (its issue 2758, open
    # in version 5.14), so where its pixels are not square its points lie elsewhere.
    square_only = any(
        _CORNERSTONE.fullmatch(one_line(item.text))
        for item in group.below(REPORT["tracking_identifier"], "TEXT")
    )
    for item in group.children:
        if item.kind in foreign_regions.KINDS:
            _add(found, item, item.name.meaning or IMAGE_REGION, report, square_only)
        elif same(item.name, REFERENCED_SEGMENT):
            _add_segment(found, item, report)
        elif item.kind == "NUM":
            for below in item.children:
                if below.kind in foreign_regions.KINDS:
                    _add(found, below, item.name.meaning, report, square_only)
    if any(same(item.name, REFERENCED_SEGMENT) for item in found):
        # The mask names its images itself.
        for item in group.below(SEGMENT_SOURCE):
            item.take()
    return found


def _add(
    found: dict[Item, Region],
    item: Item,
    name: str,
    report: Report,
    square_only: bool,
) -> None:
    role = one_line(name).lower() or "region"
    taken = {region.role for region in found.values()}
    if role in taken:
        role = next(f"{role} {n}" for n in range(2, 10_000) if f"{role} {n}" not in taken)
    try:
        found[item] = foreign_regions.region(
            item, role, report.headers, square_only=square_only
        )
    # Coordinates that make no region stay to be listed.
    except (foreign_regions.CannotPlace, OsteotraceError, ValueError):
        return


def _add_segment(found: dict[Item, Region], item: Item, report: Report) -> None:
    for reference in item.dataset.get("ReferencedSOPSequence") or []:
        number = reference.get("ReferencedSegmentNumber")
        frames = reference.get("ReferencedFrameNumber")
        if isinstance(number, int) and frames is None:
            uid = str(reference.get("ReferencedSOPInstanceUID") or "")
            mask = report.masks(uid, number)
            if mask is not None:
                found[item.take()] = mask


def _readings(
    group: Item, report: Report, regions: Mapping[Item, Region]
) -> tuple[Reading, ...]:
    readings = []
    stated = foreign_measurements.how(group)
    own = [regions[item] for item in group.children if item in regions]
    for item in group.children:
        if item.kind != "NUM":
            continue
        drawn = [regions[child] for child in item.children if child in regions]
        region = (drawn or own)[0] if len(drawn or own) == 1 else None
        images = [child for child in item.children if child.kind == "IMAGE"]
        sources = tuple(n for i in images for n in foreign_regions.image_names(i))
        result = foreign_measurements.reading(
            item,
            group,
            method=report.method,
            sources=sources or (region.source_instances if region else ()),
            region=region,
            stated=stated,
        )
        if result is not None:
            readings.append(result)
            for image in images:
                image.take()
    return tuple(readings)
