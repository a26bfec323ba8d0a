"""Assessments as rows: one row a measurement, for CSV and data frames.

The research-use statement is a column: a comment line before the header breaks CSV
readers, and a file beside the table is lost when the table is copied. Numbers keep
every digit; nothing is rounded here.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.measurements.measurement import Measurement
from osteotrace.regions import Points, Polyline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.errors import OsteotraceError
    from osteotrace.findings import Assessment, Finding
    from osteotrace.measurements.measurement import Reading
    from osteotrace.regions import Region

COLUMNS: Final = (
    "patient", "study_uid", "study_date", "series_uid", "label", "kind", "site",
    "laterality", "quantity", "code", "coding_scheme", "primary", "status", "value",
    "unit", "u", "interval95_low", "interval95_high", "u_reason", "definition",
    "method", "method_version", "flags", "reason", "frame_of_reference_uid",
    "points_lps_mm", "n_sources", "tracking_uid", "assessment_uid", "protocol",
    "reader", "recorded", "software", "statement",
)  # fmt: skip

# A spreadsheet takes a text that starts with one of these for a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")

Row = dict[str, Any]


def rows(assessment: Assessment) -> list[Row]:
    """Return one row a measurement, in the order of the findings.

    ``status`` is ``accepted``, ``flagged`` (``flags`` says why) or ``not_measured``
    (``reason`` says why); ``primary`` is true for the value of its finding.
    """
    study = {
        "patient": assessment.patient,
        "study_uid": assessment.study_uid,
        "study_date": assessment.study_date,
        "assessment_uid": assessment.assessment_uid,
        "protocol": assessment.protocol,
        "reader": assessment.reader,
        "recorded": assessment.recorded,
        "software": assessment.software,
        "statement": RESEARCH_USE_SHORT,
    }
    return [
        {**study, **_finding(assessment, finding), **_reading(finding, reading)}
        | {"primary": number == 0}
        for finding in assessment.findings
        for number, reading in enumerate(finding.measurements)
    ]


def failure_row(study_uid: str, patient: str, error: OsteotraceError) -> Row:
    """Return the row of a study that could not be measured."""
    return {
        "patient": patient,
        "study_uid": study_uid,
        "status": "failed",
        "reason": f"found {error.found}; expected {error.expected}; {error.advice}",
        "statement": RESEARCH_USE_SHORT,
    }


def to_csv(table: Iterable[Row], columns: Iterable[str] = COLUMNS) -> str:
    """Return rows as CSV (RFC 4180) with a header line of these columns.

    Text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in table:
        writer.writerow({column: _cell(value) for column, value in row.items()})
    return text.getvalue()


def frame(assessments: Iterable[Assessment]) -> Any:
    """Return assessments as a `pandas.DataFrame`, one row a measurement."""
    import pandas as pd

    table = [row for assessment in assessments for row in rows(assessment)]
    return pd.DataFrame(table, columns=list(COLUMNS))


def _finding(assessment: Assessment, finding: Finding) -> Row:
    frames = {region.frame_of_reference_uid for region in finding.regions}
    return {
        "series_uid": finding.series_uid or _only_series(assessment, frames),
        "label": finding.label,
        "kind": finding.kind,
        "site": finding.site,
        "laterality": finding.laterality,
        "tracking_uid": finding.tracking_uid,
        "frame_of_reference_uid": " ".join(sorted(filter(None, frames))),
    }


def _only_series(assessment: Assessment, frames: set[str]) -> str:
    """Return the one series of some frames; where there are several, none is named."""
    series = [
        s.series_uid for s in assessment.series if s.frame_of_reference_uid in frames
    ]
    return series[0] if len(series) == 1 else ""


def _reading(finding: Finding, reading: Reading) -> Row:
    common = {
        "quantity": reading.name,
        "code": reading.code.value,
        "coding_scheme": reading.code.scheme,
        "method": reading.method.name,
        "method_version": reading.method.version,
        "n_sources": len(reading.sources),
    }
    if not isinstance(reading, Measurement):
        return common | {"status": "not_measured", "reason": reading.reason}
    low, high = reading.interval95 or (None, None)
    return common | {
        "status": "accepted" if reading.accepted else "flagged",
        "value": reading.value,
        "unit": reading.unit,
        "u": reading.uncertainty,
        "u_reason": reading.uncertainty_reason,
        "interval95_low": low,
        "interval95_high": high,
        "definition": reading.definition,
        "flags": "; ".join(reading.flags),
        "points_lps_mm": _points(finding.regions, reading.region),
    }


def _points(regions: Iterable[Region], role: str) -> str:
    # Brackets first, so that a negative coordinate does not look like a formula.
    return " ".join(
        f"({x!r} {y!r} {z!r})"
        for region in regions
        if region.role == role and isinstance(region, Points | Polyline)
        for x, y, z in region.points
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
