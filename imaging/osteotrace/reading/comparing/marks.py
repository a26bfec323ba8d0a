"""What a finding of an earlier reading was measured by: its entry, and its masks.

A protocol's entry where one asked for it; else the points and regions of the record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.protocol.entry import regions
from osteotrace.reading.marks import rebuilt

if TYPE_CHECKING:
    from osteotrace.findings import Finding
    from osteotrace.protocol import Entry
    from osteotrace.reading.comparing.in_hand import StudyInHand
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a finding was measured by: its entry, and the masks that labels of it mean."""

    entry: Entry
    volume: Volume
    masks: dict[str, Mask] = field(default_factory=dict)


def marks_of(finding: Finding, study: StudyInHand) -> Marks:
    """Return what a finding was measured by: its protocol's entry, else its own marks.

    Raises
    ------
    OsteotraceError
        If its images are not there, or only its result is known.
    """
    header = None if study.images is None else study.images.header_of(finding)
    if header is None or study.images is None:
        raise OsteotraceError(
            f"{finding.label}, whose images are not there",
            expected=f"the images of {study.called}",
            advice="give the study, not its record alone",
        )
    volume = study.images.held(header)
    entry = study.entries.get(finding.tracking_uid)
    if entry is not None:
        masks = {
            key: study.images.region(volume, where, key) for key, where in regions(entry)
        }
        return Marks(entry=entry, volume=volume, masks=masks)
    entry, drawn = rebuilt(finding, volume)
    return Marks(entry=entry, volume=volume, masks=drawn)
