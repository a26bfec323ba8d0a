"""Raw values of data elements as text and numbers (PS3.5 section 6.2)."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from osteotrace.series.elements import DamagedHeader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osteotrace.series.elements import Value


def text(values: dict[int, Value], tag: int) -> str:
    """Return a value of plain characters, empty where there is none."""
    raw = values.get(tag, b"")
    return raw.decode("latin-1").strip("\0 ") if isinstance(raw, bytes) else ""


def whole(written: str) -> int:
    """Return an integer string, 0 where it is none: it names, it does not measure."""
    try:
        return int(written)
    except ValueError:
        return 0


def numbers(values: dict[int, Value], tag: int, count: int) -> tuple[float, ...] | None:
    """Return the finite numbers of a decimal string, None where they are not there."""
    raw = values.get(tag)
    if not isinstance(raw, bytes):
        return None
    try:
        found = tuple(map(float, raw.rstrip(b"\0").split(b"\\")))
    except ValueError:
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def number(values: dict[int, Value], tag: int) -> float | None:
    """Return a decimal string as a number, None where it is absent or empty.

    Raises
    ------
    DamagedHeader
        If it is no single number: a rescale that cannot be read must not become none.
    """
    raw = values.get(tag, b"")
    if not isinstance(raw, bytes) or not raw.strip(b"\0 "):
        return None
    try:
        return float(raw.rstrip(b"\0"))
    except ValueError:
        place = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        raise DamagedHeader(f"{place} reads {raw[:16]!r}, which is no number") from None


def words(values: dict[int, Value], tag: int) -> tuple[str, ...]:
    """Return the values of a code string."""
    written = text(values, tag)
    return tuple([word.strip() for word in written.split("\\")]) if written else ()


def read_double(raw: Value | None, *, little_endian: bool) -> float | None:
    """Return a binary number of eight bytes (VR FD), None where there is none."""
    if not isinstance(raw, bytes) or len(raw) != 8:
        return None
    (value,) = struct.unpack("<d" if little_endian else ">d", raw)
    return float(value) if math.isfinite(value) else None


def items(values: Mapping[int, Value], tag: int) -> list[dict[int, Value]]:
    """Return the items of a sequence, none where there is no such sequence."""
    found = values.get(tag)
    return found if isinstance(found, list) else []


def read_unsigned(raw: Value | None, *, little_endian: bool) -> int:
    """Return an unsigned number of two or four bytes, 0 where there is none."""
    if not isinstance(raw, bytes) or len(raw) not in (2, 4):
        return 0
    return int.from_bytes(raw, "little" if little_endian else "big")


def first_item(values: Mapping[int, Value], tag: int) -> dict[int, Value]:
    """Return the first item of a sequence, empty where there is none."""
    found = items(values, tag)
    return found[0] if found else {}
