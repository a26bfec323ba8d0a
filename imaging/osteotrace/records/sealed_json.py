"""An assessment as JSON with a SHA-256 over what it says.

The form of every JSON file of a reading. The digest is over the assessment as compact
JSON: white space and line ends leave it alone, a changed sign does not. Without a digest
only files of schema version 1 are read, which had none.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from osteotrace.about import RESEARCH_USE_STATEMENT
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, from_json, to_json

FORMAT: Final = 1
_LAST_VERSION_WITHOUT_DIGEST: Final = 1
# The first key of a sealed file; an assessment has no such field.
_FIRST_KEY: Final = b'"osteotrace_record"'
# Blanks and a brace may stand before it.
_START_BYTES: Final = 64


class _Version(msgspec.Struct, frozen=True):
    """The one field of plain JSON that tells whether it was written with a digest."""

    schema_version: int = 0


class _Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    osteotrace_record: int
    sha256: str
    assessment: msgspec.Raw
    # Goes wherever results go; it is no part of what was read.
    statement: str = ""


def sealed(assessment: Assessment) -> bytes:
    """Return a sealed file of an assessment: indented UTF-8 JSON."""
    content = to_json(assessment)
    whole = _Sealed(
        FORMAT, _digest(content), msgspec.Raw(content), RESEARCH_USE_STATEMENT
    )
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def is_sealed(content: bytes) -> bool:
    """Tell by its start whether a file claims to be sealed."""
    return _FIRST_KEY in content[:_START_BYTES]


def read(content: bytes) -> Assessment:
    """Return the assessment of a file: sealed, or of schema version 1.

    Raises
    ------
    OsteotraceError
        As `unsealed`; or if the file has no digest and is of a later version than 1.
    """
    if is_sealed(content):
        return unsealed(content)
    found = from_json(content, Assessment)
    version = msgspec.json.decode(content, type=_Version).schema_version
    if version != _LAST_VERSION_WITHOUT_DIGEST:
        raise OsteotraceError(
            f"a JSON reading of schema version {version} without the digest of a record",
            expected="a record that osteotrace saved, which carries a SHA-256",
            advice="save it with --out or osteotrace.save; what --json prints is for "
            "scripts and is read by osteotrace.findings.from_json",
        )
    return found


def unsealed(content: bytes) -> Assessment:
    """Return the assessment of a sealed file.

    Raises
    ------
    OsteotraceError
        If the file is not whole, says something else than it did when it was sealed, or
        is of a later version.
    """
    try:
        whole = msgspec.json.decode(content, type=_Sealed)
        if whole.osteotrace_record == FORMAT:
            stated = _digest(bytes(whole.assessment))
    # Nesting without end has an error of its own kind.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise _damaged(f"a JSON record that is not whole ({problem})") from problem
    if whole.osteotrace_record != FORMAT:
        raise OsteotraceError(
            f"a JSON record of format {whole.osteotrace_record}",
            expected=f"format {FORMAT}",
            advice="read it with the version of osteotrace that wrote it",
        )
    if stated != whole.sha256 or whole.statement not in ("", RESEARCH_USE_STATEMENT):
        raise _damaged("a JSON record whose content does not match its SHA-256")
    return from_json(bytes(whole.assessment), Assessment)


def _digest(assessment: bytes) -> str:
    return hashlib.sha256(msgspec.json.format(assessment, indent=-1)).hexdigest()


def _damaged(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="content as it was saved",
        advice="the file was damaged or edited: fetch the record from its source",
    )
