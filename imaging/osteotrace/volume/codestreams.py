"""The compressed frames of a DICOM file, and the size that each states of itself.

Only headers are looked at here: where the items of encapsulated PixelData lie (PS3.5
section A.4), which of them make up a frame, and what a JPEG, JPEG-LS or JPEG 2000
codestream says of its own rows and columns. Nothing is decoded. What cannot be right
raises `ValueError` with the reason.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from typing import BinaryIO

RLE_LOSSLESS: Final = "1.2.840.10008.1.2.5"

_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_UNDEFINED: Final = 0xFFFFFFFF
# JPEG and JPEG-LS end a stream with EOI, JPEG 2000 with EOC: the same two bytes.
_END_OF_IMAGE: Final = b"\xff\xd9"
# The end may be followed by padding (PS3.5 section 8.2.1 pads to an even length).
_PADDING_BYTES: Final = 16

_JPEG: Final = b"\xff\xd8"
# Start of frame, all processes of ISO/IEC 10918-1 table B.1, and JPEG-LS (14495-1).
_FRAME_HEADERS: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
# Discrete cosine transform, baseline to progressive: the lossy processes.
_COSINE: Final = frozenset({0xC0, 0xC1, 0xC2})
_SCAN, _END, _FILL = 0xDA, 0xD9, 0xFF
# SOC and SIZ open every JPEG 2000 codestream (ISO/IEC 15444-1 section A.4, A.5).
_JPEG_2000: Final = b"\xff\x4f\xff\x51"


class Fragments(NamedTuple):
    """The items of encapsulated PixelData after the first.

    Parameters
    ----------
    offset_table : tuple of int
        The Basic Offset Table: of each frame's first item, counted from the first item
        after the table. Often empty.
    places : tuple of (int, int)
        Where the value of each item begins in the file, and its length in bytes.
    """

    offset_table: tuple[int, ...]
    places: tuple[tuple[int, int], ...]


def fragments(file: BinaryIO, offset: int) -> Fragments:
    """Find the items of encapsulated PixelData (PS3.5 table A.4-1).

    Parameters
    ----------
    file : file
        Of any length; no more than what it holds is promised by the result.
    offset : int
        Where the value of PixelData (7FE0,0010) begins.

    Returns
    -------
    Fragments

    Raises
    ------
    ValueError
        If there is no item at ``offset``, or an item reaches past the end of the file.
    """
    size = file.seek(0, 2)
    places: list[tuple[int, int]] = []
    while offset < size:
        file.seek(offset)
        header = file.read(8)
        if header[:4] == _DELIMITER:
            break
        if header[:4] != _ITEM:
            raise ValueError("no item (FFFE,E000) where one of PixelData should begin")
        length = int.from_bytes(header[4:], "little")
        offset += 8
        if len(header) < 8 or length == _UNDEFINED or offset + length > size:
            raise ValueError("an item of PixelData that reaches past the end of the file")
        places.append((offset, length))
        offset += length
    if not places:
        raise ValueError("PixelData without an item")
    (start, length), *rest = places
    if length % 4:
        raise ValueError(f"a Basic Offset Table of {length} bytes")
    file.seek(start)
    table = struct.unpack(f"<{length // 4}I", file.read(length))
    return Fragments(table, tuple(rest))


def frame_places(
    file: BinaryIO, found: Fragments, index: int, frames: int
) -> tuple[tuple[int, int], ...]:
    """Choose the items that hold one frame.

    One item a frame needs no table, and the Extended Offset Table (PS3.3 C.7.6.3.1.8)
    is only allowed there. Several a frame are told apart by the Basic Offset Table, and
    without one by the markers that end a stream.

    Parameters
    ----------
    file : file
        The one that ``found`` is of.
    found : Fragments
        From `fragments`.
    index : int
        Of the frame, from 0.
    frames : int
        NumberOfFrames (0028,0008).

    Returns
    -------
    tuple of (int, int)
        Where each part of the frame begins and its length in bytes, in order.

    Raises
    ------
    ValueError
        If there are fewer items than frames, or they cannot be told apart.
    """
    places = found.places
    if not 0 <= index < frames:
        raise ValueError(f"frame {index + 1} of {frames}")
    if len(places) < frames:
        raise ValueError(f"{len(places)} compressed frames of {frames}")
    if frames == 1:
        return places
    if len(places) == frames:
        return places[index : index + 1]
    starts = _starts_by_table(found) or _starts_by_markers(file, places)
    if len(starts) != frames:
        raise ValueError(f"{len(places)} items that do not make up {frames} frames")
    first, last = list(pairwise((*starts, len(places))))[index]
    return places[first:last]


def _starts_by_table(found: Fragments) -> list[int]:
    """Return the index of each frame's first item, nothing where the table is wrong."""
    origin = found.places[0][0]
    items = {start - origin: k for k, (start, _) in enumerate(found.places)}
    starts = [items.get(offset, -1) for offset in found.offset_table]
    ascending = all(a < b for a, b in pairwise(starts))
    return starts if starts[:1] == [0] and ascending else []


def _starts_by_markers(file: BinaryIO, places: tuple[tuple[int, int], ...]) -> list[int]:
    starts = [0]
    for k, (start, length) in enumerate(places, start=1):
        tail = min(length, _PADDING_BYTES)
        file.seek(start + length - tail)
        if _END_OF_IMAGE in file.read(tail):
            starts.append(k)
    # The last stream ends where the items do.
    return starts[:-1] if starts[-1] == len(places) else starts


class StatedSize(NamedTuple):
    """What a codestream says of itself.

    Parameters
    ----------
    rows, columns : int
    samples : int
        Components a pixel.
    bits : int
        Precision of a sample.
    cosine : bool
        True for the lossy processes of JPEG (ISO/IEC 10918-1).
    """

    rows: int
    columns: int
    samples: int
    bits: int
    cosine: bool = False


def checked_size(
    stream: bytes,
    *,
    rows: int,
    columns: int,
    bits_allocated: int,
    bits_stored: int,
    samples: int = 1,
) -> StatedSize:
    """Read the size that a codestream states, and refuse one that is not the image's.

    A decoder would reshape it, and every row would be shifted against the last.

    Parameters
    ----------
    stream : bytes
        One JPEG, JPEG-LS or JPEG 2000 codestream.
    rows, columns, bits_allocated, bits_stored, samples : int
        Rows (0028,0010), Columns (0028,0011), BitsAllocated (0028,0100), BitsStored
        (0028,0101), SamplesPerPixel (0028,0002).

    Returns
    -------
    StatedSize

    Raises
    ------
    ValueError
        If it states another size, other components, or more bits than a pixel has;
        or if it is no such codestream.
    """
    stated = stated_size(stream)
    if (stated.rows, stated.columns) != (rows, columns):
        raise ValueError(f"a codestream of {stated.rows} × {stated.columns} pixels")
    if stated.samples != samples:
        raise ValueError(f"a codestream of {stated.samples} components")
    # GDCM decodes lossy JPEG of 12 bits to wrong values where the header says fewer.
    exact = stated.cosine and stated.bits > 8
    if stated.bits > bits_allocated or (exact and stated.bits != bits_stored):
        raise ValueError(
            f"a codestream of {stated.bits} bits for {bits_stored} in {bits_allocated}"
        )
    return stated


def stated_size(stream: bytes) -> StatedSize:
    """Read the size that a codestream states.

    Parameters
    ----------
    stream : bytes
        JPEG (ISO/IEC 10918-1), JPEG-LS (14495-1) or JPEG 2000 (15444-1), the last with
        or without the boxes of a JP2 file around it.

    Returns
    -------
    StatedSize

    Raises
    ------
    ValueError
        If it is none of these or has no frame header.
    """
    try:
        if stream.startswith(_JPEG):
            return _jpeg_size(stream)
        start = stream.find(_JPEG_2000)
        if start < 0:
            raise ValueError("neither a JPEG nor a JPEG 2000 codestream")
        return _jpeg_2000_size(stream[start : start + 47])
    except (IndexError, struct.error):
        raise ValueError("a codestream that ends within its header") from None


def _jpeg_size(stream: bytes) -> StatedSize:
    at = 2
    while True:
        marker = stream[at + 1]
        if stream[at] != _FILL or marker in (_SCAN, _END):
            raise ValueError("a JPEG codestream without a frame header")
        if marker == _FILL:
            at += 1
        elif marker in _FRAME_HEADERS:
            break
        else:
            at += 2 + struct.unpack_from(">H", stream, at + 2)[0]
    bits, rows, columns, samples = struct.unpack_from(">BHHB", stream, at + 4)
    return StatedSize(rows, columns, samples, bits, cosine=marker in _COSINE)


def _jpeg_2000_size(header: bytes) -> StatedSize:
    right, bottom, left, top = struct.unpack_from(">4I", header, 8)
    samples, depth, step_x, step_y = struct.unpack_from(">H3B", header, 40)
    if not step_x or not step_y:
        raise ValueError("a JPEG 2000 component that is sampled at no interval")
    # A component covers ceil(edge / step) of the reference grid (15444-1 section B.2).
    columns = -(-right // step_x) - -(-left // step_x)
    rows = -(-bottom // step_y) - -(-top // step_y)
    return StatedSize(rows, columns, samples, (depth & 0x7F) + 1)
