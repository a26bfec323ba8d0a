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
from typing import TYPE_CHECKING, Final

from osteotrace.series.instances import DEFLATED

if TYPE_CHECKING:
    from collections.abc import Iterable

Value = bytes | list[dict[int, "Value"]]

# First bytes of a file read at one go: most headers end before.
FIRST_READ_BYTES: Final = 1 << 14
# A header that is longer is damaged, or no header.
MAX_HEADER_BYTES: Final = 1 << 26
# An enhanced object of 10,000 frames has some 600,000 elements in its header.
MAX_ELEMENTS: Final = 2_000_000
# Real files nest a handful deep; damaged ones nest until the stack overflows.
MAX_DEPTH: Final = 32

PIXEL_DATA: Final = 0x7FE00010
# Float Pixel Data and Double Float Pixel Data are no CT or MR, but end a header too.
_PIXELS: Final = (PIXEL_DATA, 0x7FE00008, 0x7FE00009)
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_TRANSFER_SYNTAX: Final = 0x00020010
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_IMPLICIT: Final = "1.2.840.10008.1.2"

# Value representations with a length of two bytes and of four (PS3.5 section 7.1.2).
_SHORT_VRS: Final = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()
)
_LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


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
        Where the value of PixelData begins and its length; -1 for an undefined length.
        In a deflated file the place counts in the inflated bytes.
    little_endian : bool
        How numbers in the values are written.
    """

    values: dict[int, Value]
    transfer_syntax: str
    pixels: tuple[int, int] | None
    little_endian: bool


class _Encoding:
    """How the elements of one transfer syntax are written."""

    def __init__(self, *, explicit: bool, little: bool) -> None:
        self.explicit, self.little = explicit, little
        order = "<" if little else ">"
        # Tag and length are read in one step: a little-endian tag arrives with element
        # and group swapped, so tags are compared in that form, `key`.
        self.explicit_head = struct.Struct(f"{order}I2sH").unpack_from
        self.plain_head = struct.Struct(f"{order}II").unpack_from
        self.long_length = struct.Struct(f"{order}I").unpack_from
        self.pixels = frozenset(map(self.key, _PIXELS))
        self.item, self.item_end, self.sequence_end = map(
            self.key, (_ITEM, _ITEM_END, _SEQUENCE_END)
        )

    def key(self, tag: int) -> int:
        """Return a tag as it arrives, or an arrived one as the tag."""
        return (tag & 0xFFFF) << 16 | tag >> 16 if self.little else tag


_EXPLICIT_LITTLE: Final = _Encoding(explicit=True, little=True)
_IMPLICIT_LITTLE: Final = _Encoding(explicit=False, little=True)
_EXPLICIT_BIG: Final = _Encoding(explicit=True, little=False)


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
            for encoding in (_EXPLICIT_LITTLE, _IMPLICIT_LITTLE, _EXPLICIT_BIG)
        }
        self._meta = {
            _EXPLICIT_LITTLE.key(tag): tag
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
            count = FIRST_READ_BYTES
            while True:
                data = os.read(descriptor, count)
                if len(data) < min(count, size):
                    # A signal or a network may cut a read short.
                    data += _rest(descriptor, min(count, size) - len(data))
                try:
                    return self._parse(data, size)
                except (_Short, struct.error):
                    if len(data) >= size:
                        raise DamagedHeader("its header is cut off") from None
                if count >= MAX_HEADER_BYTES:
                    raise DamagedHeader("its header never ends")
                count <<= 4
                os.lseek(descriptor, 0, os.SEEK_SET)
        finally:
            os.close(descriptor)

    def _parse(self, data: bytes, size: int) -> Elements | None:
        start = _start(data)
        if start is None:
            return None
        values: dict[int, Value] = {}
        syntax, pos = self._read_meta(data, start, values)
        if syntax == DEFLATED:
            data, size = _inflated(data[pos:])
            pos = 0
        encoding = _encoding(data, pos, syntax)
        pixels = self._walk(data, pos, size, encoding, values)
        if not syntax:
            syntax = "1.2.840.10008.1.2.1" if encoding.explicit else _IMPLICIT
            syntax = syntax if encoding.little else _BIG_ENDIAN
        return Elements(values, syntax, pixels, encoding.little)

    def _read_meta(
        self, data: bytes, pos: int, values: dict[int, Value]
    ) -> tuple[str, int]:
        """Read group 0002, always explicit little endian (PS3.10 section 7.1)."""
        head, wanted = _EXPLICIT_LITTLE.explicit_head, self._meta
        while pos < len(data):
            key, vr, length = head(data, pos)
            if key & 0xFFFF != 2:
                break
            pos += 8
            if vr in _LONG_VRS:
                (length,) = _EXPLICIT_LITTLE.long_length(data, pos)
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
        encoding: _Encoding,
        values: dict[int, Value],
    ) -> tuple[int, int] | None:
        """Go through the top level; return where the pixels are."""
        if not encoding.explicit:
            return self._walk_implicit(data, pos, size, values)
        wanted, pixels = self._wanted[encoding], encoding.pixels
        head, short = encoding.explicit_head, _SHORT_VRS
        budget = [MAX_ELEMENTS]
        while pos != len(data) or pos < size:
            key, vr, length = head(data, pos)
            # Nine elements of ten end here: this path is the speed of a scan.
            if vr in short:
                if key in wanted:
                    values[wanted[key]] = data[pos + 8 : pos + 8 + length]
                pos += 8 + length
                continue
            if vr not in _LONG_VRS:
                if not any(data[pos:]):
                    return None  # Zeros fill the end of some files.
                raise DamagedHeader(f"no value representation at byte {pos + 4}")
            (length,) = encoding.long_length(data, pos + 8)
            pos += 12
            if key in pixels:
                return pos, -1 if length == _UNDEFINED else length
            if length == _UNDEFINED or (key in wanted and vr == b"SQ"):
                nested = _IMPLICIT_LITTLE if vr == b"UN" else encoding
                pos = self._sequence(data, pos, length, nested, budget, key, values)
                continue
            if key in wanted:
                values[wanted[key]] = data[pos : pos + length]
            pos += length
            budget[0] -= 1
        return None

    def _walk_implicit(
        self, data: bytes, pos: int, size: int, values: dict[int, Value]
    ) -> tuple[int, int] | None:
        """Go through a top level that names no value representations."""
        encoding = _IMPLICIT_LITTLE
        wanted, pixels, head = (
            self._wanted[encoding],
            encoding.pixels,
            encoding.plain_head,
        )
        budget = [MAX_ELEMENTS]
        while pos != len(data) or pos < size:
            key, length = head(data, pos)
            pos += 8
            if key in pixels:
                return pos, -1 if length == _UNDEFINED else length
            if length == _UNDEFINED or (key in wanted and wanted[key] in self._sequences):
                pos = self._sequence(data, pos, length, encoding, budget, key, values)
                continue
            if key in wanted:
                values[wanted[key]] = data[pos : pos + length]
            pos += length
        return None

    def _sequence(
        self,
        data: bytes,
        pos: int,
        length: int,
        encoding: _Encoding,
        budget: list[int],
        key: int,
        values: dict[int, Value],
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
        encoding: _Encoding,
        depth: int,
        budget: list[int],
        keep: bool,
    ) -> tuple[list[dict[int, Value]], int]:
        """Read the items of a sequence (PS3.5 section 7.5); keep them or pass over."""
        if depth > MAX_DEPTH:
            raise DamagedHeader(f"sequences nested more than {MAX_DEPTH} deep")
        items = []
        end = None if length == _UNDEFINED else pos + length
        while end is None or pos < end:
            key, count = encoding.plain_head(data, pos)
            pos += 8
            if key == encoding.sequence_end:
                break
            if key != encoding.item:
                raise DamagedHeader(f"no sequence item at byte {pos - 8}")
            item: dict[int, Value] = {}
            stop = None if count == _UNDEFINED else pos + count
            pos = self._item(data, pos, stop, encoding, depth, budget, item, keep)
            items.append(item)
        return items, pos

    def _item(
        self,
        data: bytes,
        pos: int,
        stop: int | None,
        encoding: _Encoding,
        depth: int,
        budget: list[int],
        item: dict[int, Value],
        keep: bool,
    ) -> int:
        """Read the elements of one item into a dict; return where it ends."""
        if stop is not None and not keep:
            return stop
        while stop is None or pos < stop:
            budget[0] -= 1
            if budget[0] < 0:
                raise DamagedHeader("more elements than any header has")
            key, length = encoding.plain_head(data, pos)
            if key == encoding.item_end:
                return pos + 8
            tag, vr = encoding.key(key), b""
            pos += 8
            if not encoding.explicit:
                vr = b"SQ" if tag in self._sequences else vr
            else:
                _, vr, length = encoding.explicit_head(data, pos - 8)
                if vr in _LONG_VRS:
                    (length,) = encoding.long_length(data, pos)
                    pos += 4
                elif vr not in _SHORT_VRS:
                    raise DamagedHeader(f"no value representation at byte {pos - 4}")
            if length == _UNDEFINED or (vr == b"SQ" and keep):
                nested = _IMPLICIT_LITTLE if vr == b"UN" else encoding
                value: Value
                value, pos = self._items(
                    data, pos, length, nested, depth + 1, budget, keep
                )
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


def _start(data: bytes) -> int | None:
    """Return where the elements begin: after the preamble, or at once without one."""
    if data[128:132] == b"DICM":
        return 132
    # Files without the preamble of PS3.10 begin with group 0002 or 0008 at once.
    if data[:2] in (b"\x02\0", b"\x08\0") and data[3:4] == b"\0":
        letters, length = data[4:6], int.from_bytes(data[4:8], "little")
        if letters in _SHORT_VRS or letters in _LONG_VRS or length < len(data):
            return 0
    big = data[:2] == b"\0\x08" and data[4:6] in _SHORT_VRS
    return 0 if big else None


def _encoding(data: bytes, pos: int, syntax: str) -> _Encoding:
    """Return how the elements are written: as stated, unless the first one disagrees."""
    letters = data[pos + 4 : pos + 6]
    if letters not in _SHORT_VRS and letters not in _LONG_VRS:
        return _IMPLICIT_LITTLE
    # The first group is small: its high byte tells the order, whatever is stated.
    big = data[pos : pos + 1] == b"\0" and data[pos + 1 : pos + 2] != b"\0"
    return _EXPLICIT_BIG if big else _EXPLICIT_LITTLE


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
