"""Records to JSON and back: lossless, strict, and old versions read.

What is read is checked against the vocabulary of `osteotrace.codes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from osteotrace.codes import (
    FACTS,
    KINDS,
    QUANTITIES,
    SITES,
    STAGINGS,
    UNITS,
    look_up,
)
from osteotrace.errors import OsteotraceError
from osteotrace.findings.case import SCHEMA_VERSION, Assessment, Case
from osteotrace.findings.facts import check_drug, check_fact
from osteotrace.findings.version_1 import date_anew, name_anew
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from osteotrace.findings.finding import Finding
    from osteotrace.findings.staging_results import StagingResult

Record = Assessment | Case
RecordType = TypeVar("RecordType", Assessment, Case)


def to_json(record: Record) -> bytes:
    """Return a record as indented UTF-8 JSON; floats keep every bit."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def from_json(text: bytes | str, kind: type[RecordType]) -> RecordType:
    """Read a record back, strictly.

    Parameters
    ----------
    text : bytes or str
        What `to_json` wrote.
    kind : type
        `Assessment` or `Case`.

    Raises
    ------
    OsteotraceError
        If the text is not JSON, a field is unknown, missing or of another type, a kind,
        site, quantity or unit is not in `osteotrace.codes`, or the record was written by
        a later version.
    """
    try:
        record = msgspec.json.decode(_migrated(text), type=kind)
    # Nesting without end has an error of its own kind.
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise OsteotraceError(
            f"a text that is no {kind.__name__}: {problem}",
            expected=f"{kind.__name__} JSON, schema version {SCHEMA_VERSION}",
            advice="use a file that osteotrace wrote, unedited",
        ) from problem
    if record.schema_version != SCHEMA_VERSION:
        raise OsteotraceError(
            f"schema version {record.schema_version}",
            expected=f"schema version {SCHEMA_VERSION}",
            advice="read it with the version of osteotrace that wrote it",
        )
    _check_words(record)
    return record


def _migrated(text: bytes | str) -> bytes | str:
    """Return the text of an older version as the present one; any other as it is."""
    raw = text.encode() if isinstance(text, str) else text
    if b'"schema_version"' not in raw:
        return text
    record = msgspec.json.decode(raw)
    if not isinstance(record, dict) or record.get("schema_version") != 1:
        return text
    for part in (record, *_objects(record, "assessments")):
        part["schema_version"] = SCHEMA_VERSION
        for fact in _objects(part, "facts"):
            name_anew(fact)
            date_anew(fact, part.get("study_date", ""))
    return msgspec.json.encode(record)


def _objects(part: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """Return the objects of a list; what is none is left for strict reading to refuse."""
    listed = part.get(field)
    if not isinstance(listed, list):
        return []
    return [one for one in listed if isinstance(one, dict)]


def check(record: Record) -> None:
    """Refuse a record that names what `osteotrace.codes` does not.

    Raises
    ------
    OsteotraceError
        If a kind, site, quantity, unit, fact, drug or staging system is not known, or a
        fact's value, unit or dates are not those of its definition.
    """
    assessments = record.assessments if isinstance(record, Case) else (record,)
    parts: tuple[Record, ...] = (record, *assessments)
    for one in assessments:
        for finding in one.findings:
            _check_finding(finding)
        for result in one.stagings:
            _check_staging(result)
    for part in parts:
        for fact in part.facts:
            check_fact(fact)
        for course in part.drugs:
            check_drug(course)


def _check_words(record: Record) -> None:
    try:
        check(record)
    except OsteotraceError as problem:
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice="use a file that osteotrace wrote, unedited",
        ) from problem


def _check_finding(finding: Finding) -> None:
    look_up(KINDS, finding.kind, "kind")
    look_up(SITES, finding.site, "site")
    for reading in finding.measurements:
        look_up(QUANTITIES, reading.name, "quantity")
        if isinstance(reading, Measurement):
            for unit in (reading.unit, *(detail.unit for detail in reading.details)):
                look_up(UNITS, unit, "unit")


def _check_staging(result: StagingResult) -> None:
    look_up(STAGINGS, result.system, "staging system")
    asked = (*result.blocking, *([result.ask] if result.ask else []))
    for site in filter(None, (result.site, *(question.site for question in asked))):
        look_up(SITES, site, "site")
    for question in asked:
        for fact in question.facts:
            look_up(FACTS, fact, "clinical fact")
        for kind in question.kinds:
            look_up(KINDS, kind, "kind")


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of `Assessment`."""
    return msgspec.json.schema(Assessment)
