"""Assessments as rows: one row a measurement, for CSV and data frames.

The research-use statement is a column: a comment line before the header breaks CSV
readers, and a file beside the table is lost when the table is copied. Numbers keep
every digit; nothing is rounded here.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final, TextIO

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.codes import STAGINGS
from osteotrace.errors import NothingSelectedError
from osteotrace.measurements.measurement import Measurement
from osteotrace.regions import Points, Polyline
from osteotrace.reports.columns import NAMES, NOT_SELECTED, SCHEMA_VERSION, whole_row
from osteotrace.reports.provenance import Scans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osteotrace.errors import OsteotraceError
    from osteotrace.findings import Assessment, Finding, StagingResult
    from osteotrace.measurements.measurement import Reading
    from osteotrace.regions import Region
    from osteotrace.series import Series

COLUMNS: Final = NAMES

# A spreadsheet takes a text that starts with one of these for a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")

# Every value is text, a number, true, false or None: it goes through JSON unharmed.
Row = dict[str, Any]


def rows(assessment: Assessment, images: Iterable[Series] = ()) -> list[Row]:
    """Return one row a measurement, in the order of the findings, then one a stage.

    A finding without a value has a row, and so has a reading without a finding: what was
    read is never lost from a table.

    Parameters
    ----------
    assessment : Assessment
    images : iterable of Series
        The study's (a `Catalogue`), which tell the verdict on the geometry, the kernel
        and the slice thickness. Without them a row says what the record does.

    Returns
    -------
    list of dict
        Each with every column of `osteotrace.reports.columns`, all of them text, numbers,
        true, false or None. ``status`` says what a row is
        (`osteotrace.reports.columns.STATUSES`); ``primary`` is true for the value of its
        finding.
    """
    study = _study(assessment)
    scans = Scans(assessment, images)
    table = [
        row
        for finding in assessment.findings
        for row in _of_finding(finding, study | scans.of(finding))
    ]
    if not assessment.findings and assessment.study_uid:
        table.append(study | {"status": "nothing_found"})
    table += [study | _stage(result) for result in assessment.stagings]
    return [whole_row(row) for row in table]


def failure_row(
    study_uid: str, patient: str, error: OsteotraceError, **known: str
) -> Row:
    """Return the row of a study that was not measured: nothing selected, or failed.

    Parameters
    ----------
    study_uid, patient : str
        StudyInstanceUID and pseudonym.
    error : OsteotraceError
        Why; the path in it is left out.
    **known : str
        More columns, such as ``study_date``, ``protocol``, ``protocol_sha256``,
        ``reader``, ``recorded`` and ``software``.
    """
    nothing = isinstance(error, NothingSelectedError)
    return whole_row(
        {
            "schema_version": SCHEMA_VERSION,
            "patient": patient,
            "study_uid": study_uid,
            "status": NOT_SELECTED if nothing else "failed",
            "reason": f"found {error.found}; expected {error.expected}; {error.advice}",
            "statement": RESEARCH_USE_SHORT,
        }
        | known
    )


def to_csv(table: Iterable[Row], columns: Iterable[str] = COLUMNS) -> str:
    """Return rows as CSV (RFC 4180) with a header line of these columns.

    Text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    text = io.StringIO()
    write_csv(text, table, columns)
    return text.getvalue()


def write_csv(
    stream: TextIO, table: Iterable[Row], columns: Iterable[str] = COLUMNS
) -> None:
    """Write rows as `to_csv` gives them, one by one.

    Parameters
    ----------
    stream : text stream
        Opened with ``newline=""``.
    table : iterable of Row
        A column that a row lacks is empty.
    columns : iterable of str
    """
    names = list(columns)
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([_cell(name) for name in names])
    for row in table:
        writer.writerow([_cell(row.get(name)) for name in names])


def frame(assessments: Iterable[Assessment]) -> Any:
    """Return assessments as a `pandas.DataFrame`, one row a measurement."""
    import pandas as pd

    table = [row for assessment in assessments for row in rows(assessment)]
    return pd.DataFrame(table, columns=list(COLUMNS))


def _study(assessment: Assessment) -> Row:
    return {
        "schema_version": SCHEMA_VERSION,
        "patient": assessment.patient,
        "study_uid": assessment.study_uid,
        "study_date": assessment.study_date,
        "assessment_uid": assessment.assessment_uid,
        "protocol": assessment.protocol,
        "protocol_sha256": assessment.protocol_sha256,
        "reader": assessment.reader,
        "recorded": assessment.recorded,
        "software": assessment.software,
        "statement": RESEARCH_USE_SHORT,
    }


def _of_finding(finding: Finding, known: Row) -> Iterator[Row]:
    frames = {region.frame_of_reference_uid for region in finding.regions}
    told = known | {
        "label": finding.label,
        "kind": finding.kind,
        "site": finding.site,
        "laterality": finding.laterality,
        "presence": finding.presence,
        "certainty": finding.certainty,
        "tracking_uid": finding.tracking_uid,
        "frame_of_reference_uid": " ".join(sorted(filter(None, frames))),
    }
    for number, reading in enumerate(finding.measurements):
        yield told | _reading(finding, reading) | {"primary": number == 0}
    if not finding.measurements:
        yield told | {"status": "no_value"}


def _stage(result: StagingResult) -> Row:
    system = STAGINGS[result.system]
    unknown = dict.fromkeys(one.criterion for one in result.blocking)
    return {
        "label": result.site,
        "site": result.site,
        "quantity": result.system,
        "code": system.value,
        "coding_scheme": system.scheme,
        "status": "staged",
        "stage": result.as_text,
        "method": result.source,
        "method_version": result.version,
        "flags": "; ".join(result.conflicts),
        "reason": f"not known: {', '.join(unknown)}" if unknown else "",
    }


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
