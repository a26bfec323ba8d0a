"""The data elements of a DICOM header, walked strictly and without a pixel.

Reads the explicit and implicit little endian, the big endian and the deflated encoding
of PS3.5 chapter 7 and PS3.10 chapter 7. It goes from element to element by their
lengths, keeps the raw values of the few elements that are asked for, and says where the
pixels begin. Depth, number and size are bounded, so that no file can hold it up. Raw
bytes come out; what they mean is in `headers`.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Final

from osteotrace.series.encodings import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED,
    Encoding,
    encoding_of,
    start,
)
from osteotrace.series.instances import DEFLATED

if TYPE_CHECKING:
    from collections.abc import Iterable

Value = bytes | list[dict[int, "Value"]]

# First bytes of a file read at one go: most headers end before. Others are read and
# walked anew, once to where private data end and once whole.
FIRST_READ_BYTES: Final = 1 << 14
_SECOND_READ_BYTES: Final = 1 << 18
# A header that is longer is damaged, or no header.
MAX_HEADER_BYTES: Final = 1 << 26
# What one file may cost: 1 an element, 2 more a sequence and an item, which take more
# time and memory. An enhanced object of 10,000 frames costs some 1,100,000.
MAX_COST: Final = 1_400_000
# Real file meta information has some fifteen elements.
_MAX_META: Final = 1000
# Real files nest a handful deep; damaged ones nest until the stack overflows.
MAX_DEPTH: Final = 32

_TRANSFER_SYNTAX: Final = 0x00020010
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_IMPLICIT: Final = "1.2.840.10008.1.2"

_TOO_MANY: Final = "more elements than any header has"


class DamagedHeader(Exception):
    """A header that cannot be right; the text says why."""


class _Short(Exception):
    """The bytes at hand end before the header does."""


@dataclass(frozen=True, slots=True)
class Elements:
    """What a walk through a header found.

    Parameters
    ----------
    values : dict
        Raw values by tag; a sequence is a list of items, each a dict of the same kind.
    transfer_syntax : str
        As the file meta information states it, or as the bytes show where it does not.
    pixels : (int, int) or None
        Where the value of the pixels begins and its length; -1 for an undefined length.
        In a deflated file the place counts in the inflated bytes.
    floating : bool
        True where they are Float or Double Float Pixel Data (7FE0,0008 and 0009), not
        PixelData.
    little_endian : bool
        How numbers in the values are written.
    """

    values: dict[int, Value]
    transfer_syntax: str
    pixels: tuple[int, int] | None
    floating: bool
    little_endian: bool


class ElementReader:
    """Reads the elements asked for from one file after another.

    Parameters
    ----------
    tags : iterable of int
        The elements whose raw values are kept.
    sequences : iterable of int
        Those among them, and inside them, that are sequences: implicit encoding does
        not say so itself.
    """

    def __init__(self, tags: Iterable[int], sequences: Iterable[int]) -> None:
        tags = tuple(tags)
        self._sequences = frozenset(sequences)
        self._wanted = {
            encoding: {encoding.key(tag): tag for tag in tags}
            for encoding in (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG)
        }
        self._meta = {
            EXPLICIT_LITTLE.key(tag): tag
            for tag in (_TRANSFER_SYNTAX, *tags)
            if tag >> 16 == 2
        }

    def read(self, file: str, size: int) -> Elements | None:
        """Return the elements of a file, or None where it is not DICOM.

        Parameters
        ----------
        file : str
            Path.
        size : int
            Its length in bytes.

        Raises
        ------
        OSError
            If it cannot be read.
        DamagedHeader
            If its header breaks the rules, or ends too early.
        """
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            budget = [MAX_COST]
            for most in (FIRST_READ_BYTES, _SECOND_READ_BYTES, MAX_HEADER_BYTES):
                count = min(most, size)
                os.lseek(descriptor, 0, os.SEEK_SET)
                data = os.read(descriptor, count)
                if len(data) < count:
                    # A signal or a network may cut a read short.
                    data += _rest(descriptor, count - len(data))
                try:
                    return self._parse(data, size, budget)
                except (_Short, struct.error):
                    if len(data) >= size:
                        raise DamagedHeader("its header is cut off") from None
            raise DamagedHeader("its header never ends")
        finally:
            os.close(descriptor)

    def _parse(self, data: bytes, size: int, budget: list[int]) -> Elements | None:
        pos = start(data)
        if pos is None:
            return None
        if 0 < pos >= size:
            raise DamagedHeader("nothing follows its preamble")
        values: dict[int, Value] = {}
        syntax, pos = self._read_meta(data, pos, values)
        if syntax == DEFLATED:
            data, size = _inflated(data[pos:])
            pos = 0
        encoding = encoding_of(data, pos)
        found = self._walk(data, pos, size, encoding, values, budget)
        if not syntax:
            syntax = "1.2.840.10008.1.2.1" if encoding.explicit else _IMPLICIT
            syntax = syntax if encoding.little else _BIG_ENDIAN
        pixels, floating = (found[:2], found[2]) if found else (None, False)
        return Elements(values, syntax, pixels, floating, encoding.little)

    def _read_meta(
        self, data: bytes, pos: int, values: dict[int, Value]
    ) -> tuple[str, int]:
        """Read group 0002, always explicit little endian (PS3.10 section 7.1)."""
        head, wanted = EXPLICIT_LITTLE.explicit_head, self._meta
        for _ in range(_MAX_META):
            if pos >= len(data):
                break
            key, vr, length = head(data, pos)
            if key & 0xFFFF != 2:
                break
            pos += 8
            if vr in LONG_VRS:
                (length,) = EXPLICIT_LITTLE.long_length(data, pos)
                pos += 4
            if key in wanted:
                values[wanted[key]] = data[pos : pos + length]
            pos += length
        raw = values.pop(_TRANSFER_SYNTAX, b"")
        return bytes(raw).rstrip(b"\0 ").decode("ascii", "replace"), pos  # type: ignore[arg-type]

    def _walk(
        self,
        data: bytes,
        pos: int,
        size: int,
        encoding: Encoding,
        values: dict[int, Value],
        budget: list[int],
    ) -> tuple[int, int, bool] | None:
        """Go through the top level; return where the pixels are, and if they float."""
        if not encoding.explicit:
            return self._walk_implicit(data, pos, size, values, budget)
        wanted, pixels = self._wanted[encoding], encoding.pixels
        head, short = encoding.explicit_head, SHORT_VRS
        # The quickest way to count, for nine elements of ten end in the first branch:
        # this path is the speed of a scan.
        for _ in repeat(None, max(budget[0], 0)):
            if pos == len(data) and pos >= size:
                return None
            key, vr, length = head(data, pos)
            if vr in short:
                if key in wanted:
                    values[wanted[key]] = data[pos + 8 : pos + 8 + length]
                pos += 8 + length
                continue
            if vr not in LONG_VRS:
                if not data[pos:].strip(b"\0"):
                    return None  # Zeros fill the end of some files.
                raise DamagedHeader(f"no value representation at byte {pos + 4}")
            (length,) = encoding.long_length(data, pos + 8)
            pos += 12
            if key in pixels:
                length = -1 if length == UNDEFINED else length
                return pos, length, key in encoding.floating
            if length == UNDEFINED or (key in wanted and vr == b"SQ"):
                nested = IMPLICIT_LITTLE if vr == b"UN" else encoding
                pos = self._sequence(data, pos, length, nested, key, values, budget)
                continue
            if key in wanted:
                values[wanted[key]] = data[pos : pos + length]
            pos += length
        raise DamagedHeader(_TOO_MANY)

    def _walk_implicit(
        self,
        data: bytes,
        pos: int,
        size: int,
        values: dict[int, Value],
        budget: list[int],
    ) -> tuple[int, int, bool] | None:
        """Go through a top level that names no value representations."""
        encoding = IMPLICIT_LITTLE
        wanted, head = self._wanted[encoding], encoding.plain_head
        for _ in repeat(None, max(budget[0], 0)):
            if pos == len(data) and pos >= size:
                return None
            key, length = head(data, pos)
            pos += 8
            if key in encoding.pixels:
                length = -1 if length == UNDEFINED else length
                return pos, length, key in encoding.floating
            if length == UNDEFINED or (key in wanted and wanted[key] in self._sequences):
                pos = self._sequence(data, pos, length, encoding, key, values, budget)
                continue
            if key in wanted:
                values[wanted[key]] = data[pos : pos + length]
            pos += length
        raise DamagedHeader(_TOO_MANY)

    def _sequence(
        self,
        data: bytes,
        pos: int,
        length: int,
        encoding: Encoding,
        key: int,
        values: dict[int, Value],
        budget: list[int],
    ) -> int:
        """Keep a sequence of the top level, or pass over it; return where it ends."""
        tag = self._wanted[encoding].get(key)
        items, pos = self._items(data, pos, length, encoding, 1, budget, tag is not None)
        if tag is not None:
            values[tag] = items
        return pos

    def _items(
        self,
        data: bytes,
        pos: int,
        length: int,
        encoding: Encoding,
        depth: int,
        budget: list[int],
        keep: bool,
    ) -> tuple[list[dict[int, Value]], int]:
        """Read the items of a sequence (PS3.5 section 7.5); keep them or pass over."""
        if depth > MAX_DEPTH:
            raise DamagedHeader(f"sequences nested more than {MAX_DEPTH} deep")
        items = []
        end = None if length == UNDEFINED else pos + length
        budget[0] -= 2
        while end is None or pos < end:
            key, count = encoding.plain_head(data, pos)
            pos += 8
            if key == encoding.sequence_end:
                break
            if key != encoding.item:
                raise DamagedHeader(f"no sequence item at byte {pos - 8}")
            budget[0] -= 2
            if budget[0] < 0:
                raise DamagedHeader(_TOO_MANY)
            if not keep and count != UNDEFINED:
                pos += count
                continue
            item: dict[int, Value] = {}
            stop = None if count == UNDEFINED else pos + count
            pos = self._item(data, pos, stop, encoding, depth, budget, item, keep)
            if keep:
                items.append(item)
        return items, pos

    def _item(
        self,
        data: bytes,
        pos: int,
        stop: int | None,
        encoding: Encoding,
        depth: int,
        budget: list[int],
        item: dict[int, Value],
        keep: bool,
    ) -> int:
        """Read the elements of one item into a dict; return where it ends."""
        explicit = encoding.explicit
        head = encoding.explicit_head if explicit else encoding.plain_head
        while stop is None or pos < stop:
            budget[0] -= 1
            if budget[0] < 0:
                raise DamagedHeader(_TOO_MANY)
            if explicit:
                key, vr, length = head(data, pos)
            else:
                key, length = head(data, pos)
            if key == encoding.item_end:
                return pos + 8
            pos += 8
            tag = encoding.key(key) if keep else 0
            if not explicit:
                vr = b"SQ" if tag in self._sequences else b""
            elif vr in LONG_VRS:
                (length,) = encoding.long_length(data, pos)
                pos += 4
            elif vr not in SHORT_VRS:
                raise DamagedHeader(f"no value representation at byte {pos - 4}")
            value: Value
            if length == UNDEFINED or (vr == b"SQ" and keep):
                form = IMPLICIT_LITTLE if vr == b"UN" else encoding
                value, pos = self._items(data, pos, length, form, depth + 1, budget, keep)
            else:
                value = data[pos : pos + length]
                pos += length
                if pos > len(data):
                    raise _Short
            if keep:
                item[tag] = value
        return pos


def _rest(descriptor: int, count: int) -> bytes:
    """Read what one call did not give."""
    parts = []
    while count > 0 and (part := os.read(descriptor, count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _inflated(deflated: bytes) -> tuple[bytes, int]:
    """Inflate as much as a header may be (PS3.5 section A.5), never more.

    Returns the bytes and how many there are in all, one more where more would come.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = stream.decompress(deflated, MAX_HEADER_BYTES)
    except zlib.error as problem:
        raise DamagedHeader(f"its deflated header is broken ({problem})") from None
    return inflated, len(inflated) + (not stream.eof)
