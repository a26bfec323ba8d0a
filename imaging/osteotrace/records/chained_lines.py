"""Lines of JSON, each with a checksum over its content and the checksum before it.

A line that was changed, lost, doubled or moved breaks the chain. The checksum is the last
field of a line's object, so that every line stays JSON::

    {"type": "Undone", "at": "2026-01-02T03:04:05+00:00", "checksum": "0f3a5c7e9b1d2468"}
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

# What the first line follows.
BEGINNING: Final = b""
# Hexadecimal digits of SHA-256 that a line carries: 64 bits.
_DIGITS: Final = 16
_CHECKSUM: Final = re.compile(rb',"checksum":"([0-9a-f]{%d})"\}\Z' % _DIGITS)


def chained(content: bytes, before: bytes) -> tuple[bytes, bytes]:
    """Return a line as it is written, and its checksum.

    Parameters
    ----------
    content : bytes
        A JSON object that is not empty, without a line end.
    before : bytes
        Checksum of the line before, or `BEGINNING`.
    """
    checksum = _checksum(content, before)
    return b'%s,"checksum":"%s"}\n' % (content[:-1], checksum), checksum


def carries_checksum(line: bytes) -> bool:
    """Tell whether a line, without its end, ends as chained lines do."""
    return _CHECKSUM.search(line) is not None


def unchained(line: bytes, before: bytes) -> tuple[bytes, bytes] | None:
    """Return the content of a line and its checksum; None where it does not follow.

    Parameters
    ----------
    line : bytes
        As it was written, without its end.
    before : bytes
        Checksum of the line before, or `BEGINNING`.
    """
    stated = _CHECKSUM.search(line)
    if stated is None:
        return None
    content = line[: stated.start()] + b"}"
    if _checksum(content, before) != stated[1]:
        return None
    return content, stated[1]


def _checksum(content: bytes, before: bytes) -> bytes:
    return hashlib.sha256(before + content).hexdigest()[:_DIGITS].encode()
