"""Findings of a protocol's entries: named, coded and traced by what asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.findings import Finding
from osteotrace.measurements.measurement import (
    LesionReading,
    Measurement,
    Method,
    not_measured,
)
from osteotrace.reading.assessing import tracking_uid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.errors import OsteotraceError
    from osteotrace.protocol import Entry
    from osteotrace.volume import Volume

# Who says why an entry was not measured.
METHOD: Final = Method(name="osteotrace protocol", version="1")


def lesion_finding(
    entry: Entry,
    volume: Volume,
    reading: LesionReading,
    *,
    part: str = "",
    site: str = "",
) -> Finding:
    """Return the finding that a lesion's reading stands for.

    Parameters
    ----------
    entry : Entry
        What asked for it.
    volume : Volume
        What it was read on.
    reading : LesionReading
    part : str
        Added to the entry's label where it stands for several findings.
    site : str
        In place of the entry's.
    """
    label = f"{entry.label}{part}"
    return Finding(
        tracking_uid=tracking_uid(volume.identity.study_uid, label),
        label=label,
        kind=entry.kind,
        site=site or entry.site,
        laterality=entry.laterality,
        presence=reading.presence,
        note=entry.note,
        regions=reading.regions,
        measurements=reading.measurements,
        series_uid=volume.identity.series_uid,
    )


def with_notes(finding: Finding, notes: Iterable[str]) -> Finding:
    """Return a finding whose every value is flagged with what was done to its masks."""
    told = tuple(notes)
    if not told:
        return finding
    measurements = tuple(
        msgspec.structs.replace(m, flags=tuple(dict.fromkeys((*m.flags, *told))))
        if isinstance(m, Measurement)
        else m
        for m in finding.measurements
    )
    return msgspec.structs.replace(finding, measurements=measurements)


def refused_finding(entry: Entry, volume: Volume, problem: OsteotraceError) -> Finding:
    """Return the finding without a value that says why an entry was not measured."""
    reason = f"{problem.found}; expected {problem.expected}; {problem.advice}"
    refusal = not_measured(entry.primary, reason, method=METHOD)
    return lesion_finding(entry, volume, LesionReading(measurements=(refusal,)))
