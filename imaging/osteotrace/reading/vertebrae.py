"""Vertebrae of a protocol: measured level by level, then beside each other.

A level without fracture or cement is a reference for its neighbours; what its neighbours
tell is added to each level's measurements.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from osteotrace.codes import SITES
from osteotrace.errors import OsteotraceError
from osteotrace.measurements import vertebra
from osteotrace.measurements.measurement import LesionReading, Measurement
from osteotrace.protocol.entries import SIX_POINTS
from osteotrace.reading.images import points_of
from osteotrace.reading.naming import lesion_finding, refused_finding, with_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import Finding
    from osteotrace.measurements.vertebra import VertebraReading
    from osteotrace.protocol.entries import VertebraEntry
    from osteotrace.reading.images import StudyImages
    from osteotrace.volume import Volume

# The semi-quantitative grade of a fracture (Genant 1993), key of `osteotrace.codes`.
GRADE: Final = "genant_grade"

Member = tuple["VertebraEntry", "Volume"]


def vertebra_findings(
    entries: Sequence[VertebraEntry], images: StudyImages
) -> dict[str, Finding]:
    """Return the finding of each vertebra entry, by its label.

    A level that cannot be measured is a finding with the reason, and no reference.

    Raises
    ------
    OsteotraceError
        If there is no volume, or more than one, that an entry means, or a level is named
        twice on one series.
    """
    by_series: dict[tuple[str, int], list[Member]] = defaultdict(list)
    for entry in entries:
        volume = images.volume(entry)
        by_series[volume.identity.series_uid, id(volume)].append((entry, volume))
    findings: dict[str, Finding] = {}
    for members in by_series.values():
        findings |= _spine(members, images)
    return findings


def _spine(members: list[Member], images: StudyImages) -> dict[str, Finding]:
    """Return the findings of the levels of one series, by label."""
    readings: dict[str, VertebraReading] = {}
    findings: dict[str, Finding] = {}
    for entry, volume in members:
        try:
            reading = _measured(entry, volume, images)
        except OsteotraceError as problem:
            findings[entry.label] = refused_finding(entry, volume, problem)
            continue
        if reading.level in readings:
            raise OsteotraceError(
                f"the level {reading.level} twice on one series, last as {entry.label!r}",
                expected="one entry a level",
                advice="narrow the series pattern, or take one of the entries out",
                usage=True,
            )
        readings[reading.level] = reading
    beside = _compared(readings, [entry for entry, _ in members])
    for entry, volume in members:
        if entry.label not in findings:
            level = entry.level.upper()
            joined = _joined(readings[level].reading, beside[level])
            site = level.lower() if level.lower() in SITES else entry.site
            finding = lesion_finding(entry, volume, joined, site=site)
            findings[entry.label] = with_notes(finding, images.notes_of(entry, volume))
    return findings


def _compared(
    readings: dict[str, VertebraReading], entries: list[VertebraEntry]
) -> dict[str, LesionReading]:
    """Compare levels with those that are intact, as a reader says or as they are graded.

    Of levels that nobody has judged, those that are graded as fractured are taken out of
    the references, and the rest is compared again until nothing moves.
    """
    said = {e.level.upper() for e in entries if e.fractured or e.cemented}
    unjudged = {e.level.upper() for e in entries if e.levels} & set(readings)
    out = said & set(readings)
    while True:
        beside = vertebra.compare_levels(readings, excluded=out)
        graded = {level for level in unjudged if _is_fractured(beside[level])}
        if graded <= out:
            return beside
        out |= graded


def _is_fractured(beside: LesionReading) -> bool:
    """Tell whether a level is graded 1 or more without doubt."""
    grades = [one for one in beside.measurements if one.name == GRADE]
    return any(
        isinstance(one, Measurement)
        and (one.value if one.interval95 is None else one.interval95[0]) >= 1
        for one in grades
    )


def _measured(
    entry: VertebraEntry, volume: Volume, images: StudyImages
) -> VertebraReading:
    if entry.body is not None:
        body = images.region(volume, entry.body, "vertebral body")
        return vertebra.from_mask(body, level=entry.level, volume=volume)
    assert entry.points is not None
    six = {key: entry.points[key] for key in SIX_POINTS}
    marks = points_of(volume, "six points", six)
    return vertebra.from_points(marks, level=entry.level, volume=volume)


def _joined(own: LesionReading, beside: LesionReading) -> LesionReading:
    """Return a level's measurements; what its neighbours tell replaces what it knows."""
    told = {reading.name: reading for reading in beside.measurements}
    kept = tuple(told.pop(reading.name, reading) for reading in own.measurements)
    return LesionReading(
        measurements=(*kept, *told.values()), regions=(*own.regions, *beside.regions)
    )
