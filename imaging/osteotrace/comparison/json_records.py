"""Comparisons to JSON and back: lossless and strict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from osteotrace.codes import KINDS, QUANTITIES, SITES, UNITS, look_up
from osteotrace.comparison.records import (
    COMPARISON_VERSION,
    RECORDS_KIND,
    Comparison,
)
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from osteotrace.comparison.records import Lesion


def to_json(comparison: Comparison) -> bytes:
    """Return a comparison as indented UTF-8 JSON; floats keep every bit."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=2) + b"\n"


def from_json(text: bytes | str) -> Comparison:
    """Read a comparison back, strictly.

    Parameters
    ----------
    text : bytes or str
        What `to_json` wrote.

    Raises
    ------
    OsteotraceError
        If the text is not JSON, a field is unknown, missing or of another type, a kind,
        site, quantity or unit is not in `osteotrace.codes`, or the comparison was
        written by a later version.
    """
    try:
        found = msgspec.json.decode(text, type=Comparison)
    # Nesting without end has an error of its own kind; a transform refuses its matrix.
    except (
        msgspec.MsgspecError,
        OsteotraceError,
        UnicodeError,
        RecursionError,
    ) as problem:
        raise OsteotraceError(
            f"a text that is no comparison: {problem}",
            expected=f"{RECORDS_KIND} JSON, version {COMPARISON_VERSION}",
            advice="use a file that osteotrace wrote, unedited",
        ) from problem
    if found.comparison_version != COMPARISON_VERSION:
        raise OsteotraceError(
            f"version {found.comparison_version} of a comparison",
            expected=f"version {COMPARISON_VERSION}",
            advice="read it with the version of osteotrace that wrote it",
        )
    _check_words(found)
    return found


def is_comparison(text: bytes) -> bool:
    """Tell whether a JSON text says that it is a comparison, without reading it whole."""

    class Head(msgspec.Struct):
        records_kind: str = ""

    try:
        return msgspec.json.decode(text, type=Head).records_kind == RECORDS_KIND
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


def _check_words(found: Comparison) -> None:
    for lesion in found.lesions:
        try:
            _check_lesion(lesion)
        except OsteotraceError as problem:
            raise OsteotraceError(
                problem.found,
                expected=problem.expected,
                advice="use a file that osteotrace wrote, unedited",
            ) from problem


def _check_lesion(lesion: Lesion) -> None:
    findings = [one for seen in lesion.seen for one in seen.findings]
    named = [(one.kind, one.site) for one in findings]
    for kind, site in (*named, (lesion.kind, lesion.site)):
        look_up(KINDS, kind, "kind")
        look_up(SITES, site, "site")
    readings = [one for finding in findings for one in finding.measurements]
    for reading in readings:
        look_up(QUANTITIES, reading.name, "quantity")
        if isinstance(reading, Measurement):
            look_up(UNITS, reading.unit, "unit")
    for step in (*lesion.steps, *filter(None, [lesion.whole])):
        for one in step.changes:
            look_up(QUANTITIES, one.name, "quantity")
