"""JSON of a record other than a reading, with a SHA-256 over what it says.

The form of a comparison's file, and of what a DICOM object has no place for. As in
`osteotrace.records.sealed_json`, white space counts for nothing, a changed sign does.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from osteotrace.about import RESEARCH_USE_STATEMENT
from osteotrace.errors import OsteotraceError

FORMAT: Final = 1
# Blanks and a brace may stand before the first key.
_START_BYTES: Final = 64


def sealed(name: str, content: bytes) -> bytes:
    """Return a sealed file: indented UTF-8 JSON.

    Parameters
    ----------
    name : str
        What it holds, e.g. ``"comparison"``.
    content : bytes
        JSON.
    """
    whole = {
        f"osteotrace_{name}": FORMAT,
        "sha256": _digest(content),
        name: msgspec.Raw(content),
        "statement": RESEARCH_USE_STATEMENT,
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def is_sealed(name: str, content: bytes) -> bool:
    """Tell by its start whether a file claims to hold what the name says."""
    return f'"osteotrace_{name}"'.encode() in content[:_START_BYTES]


def unsealed(name: str, content: bytes) -> bytes:
    """Return the JSON that a sealed file holds.

    Raises
    ------
    OsteotraceError
        If the file is not whole, says something else than it did when it was sealed, or
        is of a later form.
    """
    keys = (f"osteotrace_{name}", "sha256", name, "statement")
    try:
        whole = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        if tuple(sorted(whole)) != tuple(sorted(keys)):
            raise _damaged(f"a JSON file that holds no sealed {name}")
        form = msgspec.json.decode(whole[keys[0]], type=int)
        stated = msgspec.json.decode(whole["sha256"], type=str)
        statement = msgspec.json.decode(whole["statement"], type=str)
    # Nesting without end has an error of its own kind.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise _damaged(f"a JSON record that is not whole ({problem})") from problem
    if form != FORMAT:
        raise OsteotraceError(
            f"a {name} of format {form}",
            expected=f"format {FORMAT}",
            advice="read it with the version of osteotrace that wrote it",
        )
    inner = bytes(whole[name])
    if _digest(inner) != stated or statement != RESEARCH_USE_STATEMENT:
        raise _damaged(f"a {name} whose content does not match its SHA-256")
    return inner


def _digest(content: bytes) -> str:
    return hashlib.sha256(msgspec.json.format(content, indent=-1)).hexdigest()


def _damaged(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="content as it was saved",
        advice="the file was damaged or edited: fetch the record from its source",
    )
