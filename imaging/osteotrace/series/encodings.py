"""How the data elements of each transfer syntax are written (PS3.5 chapter 7).

What of it a file uses is read off its first bytes.
"""

from __future__ import annotations

import struct
from typing import Final

PIXEL_DATA: Final = 0x7FE00010
# Float Pixel Data and Double Float Pixel Data end a header too.
FLOATING: Final = (0x7FE00008, 0x7FE00009)
UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

# Value representations with a length of two bytes and of four (PS3.5 section 7.1.2).
SHORT_VRS: Final = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()
)
LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


class Encoding:
    """How the elements of one transfer syntax are written."""

    def __init__(self, *, explicit: bool, little: bool) -> None:
        self.explicit, self.little = explicit, little
        order = "<" if little else ">"
        # Tag and length are read in one step: a little-endian tag arrives with element
        # and group swapped, so tags are compared in that form, `key`.
        self.explicit_head = struct.Struct(f"{order}I2sH").unpack_from
        self.plain_head = struct.Struct(f"{order}II").unpack_from
        self.long_length = struct.Struct(f"{order}I").unpack_from
        self.floating = frozenset(map(self.key, FLOATING))
        self.pixels = self.floating | {self.key(PIXEL_DATA)}
        self.item, self.item_end, self.sequence_end = map(
            self.key, (_ITEM, _ITEM_END, _SEQUENCE_END)
        )

    def key(self, tag: int) -> int:
        """Return a tag as it arrives, or an arrived one as the tag."""
        return (tag & 0xFFFF) << 16 | tag >> 16 if self.little else tag


EXPLICIT_LITTLE: Final = Encoding(explicit=True, little=True)
IMPLICIT_LITTLE: Final = Encoding(explicit=False, little=True)
EXPLICIT_BIG: Final = Encoding(explicit=True, little=False)


def start(data: bytes) -> int | None:
    """Return where the elements begin: after the preamble, or at once without one."""
    if data[128:132] == b"DICM":
        return 132
    # Files without the preamble of PS3.10 begin with group 0002 or 0008 at once.
    if data[:2] in (b"\x02\0", b"\x08\0") and data[3:4] == b"\0":
        letters, length = data[4:6], int.from_bytes(data[4:8], "little")
        if letters in SHORT_VRS or letters in LONG_VRS or length < len(data):
            return 0
    big = data[:2] == b"\0\x08" and data[4:6] in SHORT_VRS
    return 0 if big else None


def encoding_of(data: bytes, pos: int) -> Encoding:
    """Return how elements are written: as the first one shows, whatever is stated."""
    letters = data[pos + 4 : pos + 6]
    if letters not in SHORT_VRS and letters not in LONG_VRS:
        return IMPLICIT_LITTLE
    # The first group is small: its high byte tells the order.
    big = data[pos : pos + 1] == b"\0" and data[pos + 1 : pos + 2] != b"\0"
    return EXPLICIT_BIG if big else EXPLICIT_LITTLE
