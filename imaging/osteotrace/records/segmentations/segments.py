"""What a segment says of the mask that it is: names, codes, and who drew it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osteotrace import about
from osteotrace.codes import KINDS, LATERALITIES, SITES, Concept, look_up
from osteotrace.records.dicom_objects import derived_uid
from osteotrace.records.report_content.items import coded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from highdicom.seg import SegmentDescription
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Finding
    from osteotrace.records.segmentations.planes import Placed, Stack
    from osteotrace.regions import Mask

# VR LO (PS3.5 6.2): what a label cannot hold, and how much it holds.
_NO_LABEL: Final = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]+")
LABEL_LENGTH: Final = 64
# Segmentation Property Categories (PS3.16 CID 7150).
ABNORMALITY: Final = Concept("49755003", "SCT", "Morphologically Abnormal Structure")
ANATOMY: Final = Concept("123037004", "SCT", "Anatomical Structure")
OBJECT: Final = Concept("260787004", "SCT", "Physical object")
PLACE: Final = Concept("309825002", "SCT", "Spatial and Relational Concept")
_CATEGORIES: Final = {"vertebra": ANATOMY, "cement": OBJECT, "region": PLACE}
# Masks that a measurement of osteotrace draws, from a seed or within what was marked
# (a test holds them against `osteotrace.measurements`). All others were given to it.
COMPUTED_ROLES: Final = frozenset(
    {"fragment", "gas", "cement", "edema, proposed", "breached cortex"}
)
# Masks that say where a finding was looked for or what it was compared with.
PLACE_ROLES: Final = frozenset(
    {"marked region", "reference", "within", "normal marrow", "bone", "muscle", "airway"}
)
GIVEN: Final = "Given to the reading; who or what drew it is not recorded."


def descriptions(assessment: Assessment, stack: Stack) -> list[SegmentDescription]:
    """Return the segments of a segmentation, from number 1, one a mask.

    Raises
    ------
    OsteotraceError
        If a kind, a site or a side is not in `osteotrace.codes`.
    """
    described = []
    for number, placed in enumerate(stack.masks, start=1):
        finding = assessment.findings[placed.key[0]]
        described.append(_description(number, finding, placed))
    return described


def _description(number: int, finding: Finding, placed: Placed) -> SegmentDescription:
    from highdicom.seg import SegmentDescription

    label, tracking_uid = _names(finding, placed)
    kind = "region" if placed.mask.role in PLACE_ROLES else finding.kind
    described = SegmentDescription(
        segment_number=number,
        segment_label=label[:LABEL_LENGTH],
        segmented_property_category=coded(_CATEGORIES.get(kind, ABNORMALITY)),
        segmented_property_type=coded(look_up(KINDS, kind, "kind")),
        algorithm_type="MANUAL",
        tracking_uid=tracking_uid,
        tracking_id=label,
        anatomic_regions=[coded(look_up(SITES, finding.site, "site"))],
    )
    if finding.laterality:
        side = coded(look_up(LATERALITIES, finding.laterality, "laterality"))
        region = described.AnatomicRegionSequence[0]
        region.AnatomicRegionModifierSequence = [side]
    return described


def state_who_drew(
    segments: Sequence[Dataset], assessment: Assessment, stack: Stack
) -> None:
    """State of every segment who drew it, in place.

    highdicom asks for a code of the algorithm's family, which no code here is.
    """
    described = {int(segment.SegmentNumber): segment for segment in segments}
    for number, placed in enumerate(stack.masks, start=1):
        segment, finding = described[number], assessment.findings[placed.key[0]]
        if placed.mask.role in COMPUTED_ROLES:
            segment.SegmentAlgorithmType = "SEMIAUTOMATIC"
            segment.SegmentAlgorithmName = _algorithm(finding, placed.mask)
        else:
            segment.SegmentDescription = GIVEN


def _names(finding: Finding, placed: Placed) -> tuple[str, str]:
    """Return label and tracking UID: the finding's own for its first mask."""
    masks = [r for r in finding.regions if type(r) is type(placed.mask)]
    before = finding.regions[: placed.key[1]]
    alike = [r.role for r in before].count(placed.mask.role)
    tracking_uid = finding.tracking_uid
    if placed.mask is not masks[0]:
        what = f"{placed.mask.role}, {alike}" if alike else placed.mask.role
        tracking_uid = derived_uid(f"mask {what} of {finding.tracking_uid}")
    words = [finding.label, placed.mask.role, str(alike + 1) if alike else ""]
    told = ", ".join(filter(None, (_plain(word) for word in words)))
    return told or KINDS[finding.kind].meaning, tracking_uid


def _plain(words: str) -> str:
    return " ".join(_NO_LABEL.sub(" ", words).split())


def _algorithm(finding: Finding, mask: Mask) -> str:
    """Return name and version of the method that drew a mask."""
    methods = [
        reading.method
        for reading in finding.measurements
        if getattr(reading, "region", mask.role) == mask.role
    ]
    told = [_plain(f"{method.name} {method.version}") for method in methods]
    return (next(filter(None, told), "") or about.SOFTWARE_NAME)[:LABEL_LENGTH]
