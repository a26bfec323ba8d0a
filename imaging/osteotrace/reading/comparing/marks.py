"""What a finding of an earlier reading was measured by: its entry, and its masks.

A protocol's entry where one asked for it; else the points and regions of the record.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.protocol import Where
from osteotrace.protocol import entries as kinds
from osteotrace.protocol.entry import regions
from osteotrace.reading.calipers import marked_caliper
from osteotrace.regions import Mask, Polyline

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Finding
    from osteotrace.protocol import Entry
    from osteotrace.reading.comparing.in_hand import StudyInHand
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
    return _rebuilt(finding, volume)


def _rebuilt(finding: Finding, volume: Volume) -> Marks:
    """Return the marks of a finding that its record holds."""
    drawn = [r for r in finding.regions if isinstance(r, Polyline) and r.role == AS_DRAWN]
    primary = finding.measurements[0].name if finding.measurements else ""
    if len(drawn) == 1 and primary in kinds.LENGTHS:
        return Marks(entry=marked_caliper(finding, volume), volume=volume)
    outlines = [r for r in finding.regions if isinstance(r, Polyline)]
    if primary == kinds.PalatalDefectEntry.primary and outlines:
        points = np.concatenate([np.array(one.points) for one in outlines])
        middle = geometry.as_stored((points.min(axis=0) + points.max(axis=0)) / 2)
        return Marks(
            entry=kinds.PalatalDefectEntry(**_said(finding, volume), seed=middle),
            volume=volume,
        )
    searched = [r for r in finding.regions if isinstance(r, Mask) and r.role in SEARCHED]
    entry_type = _BY_PRIMARY.get(primary)
    if entry_type is None or not searched:
        raise OsteotraceError(
            f"{finding.label}, of which only the result is known",
            expected="a finding that was marked by points or looked for in a region",
            advice="mark it on the later images",
        )
    entry = entry_type(**_said(finding, volume), region=Where(label="region"))
    return Marks(entry=entry, volume=volume, masks={"region": searched[0]})


# What a record calls the region that was looked into.
SEARCHED: Final = ("marked region", "region")
_BY_PRIMARY: Final[dict[str, Callable[..., Entry]]] = {
    kinds.SequestraEntry.primary: kinds.SequestraEntry,
    kinds.GasEntry.primary: kinds.GasEntry,
    kinds.MothEatenEntry.primary: kinds.MothEatenEntry,
    kinds.PeriostealReactionEntry.primary: kinds.PeriostealReactionEntry,
    kinds.IntensityEntry.primary: kinds.IntensityEntry,
}


def _said(finding: Finding, volume: Volume) -> dict[str, Any]:
    return {
        "label": finding.label,
        "kind": finding.kind,
        "site": finding.site,
        "laterality": finding.laterality,
        "note": finding.note,
    } | series_keys(volume)


def series_keys(volume: Volume) -> dict[str, str]:
    """Return the keys of an entry that mean the series of a volume."""
    return {
        "modality": volume.identity.modality,
        "series": glob.escape(volume.identity.description),
        "series_uid": volume.identity.series_uid,
        "frame_of_reference_uid": volume.frame_of_reference_uid,
    }
