"""Room that is kept for the tables, so that they can be written on a disk that is full.

A file without content beside the lines of the run. It grows with them, and a disk that
has no room for it ends the run while there still is some for the tables.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from osteotrace.records.store import OWNER_ONLY_FILE

if TYPE_CHECKING:
    from pathlib import Path

RESERVE: Final = ".room_for_tables"
# Seen: all tables together have 2.4 times the bytes of the lines, beside the rows that
# wait for the wide one; old tables stay until new ones are whole.
_TIMES_THE_LINES: Final = 6
# The contact sheet holds the small picture of each study, 4 characters for 3 bytes.
_TIMES_THE_PICTURES: Final = 1.5
_LEAST_BYTES: Final = 1 << 20


class Reserve:
    """Room on the disk of a run.

    Parameters
    ----------
    place : Path
        The run's folder.
    """

    def __init__(self, place: Path) -> None:
        self._file = place / RESERVE
        self._bytes = 0

    def grow(self, lines_bytes: int, pictures_bytes: int) -> None:
        """Keep room for the tables of so many bytes of lines and of small pictures.

        Raises
        ------
        OSError
            If there is not so much room; what was kept before stays.
        """
        wanted = _LEAST_BYTES + _TIMES_THE_LINES * lines_bytes
        wanted += int(_TIMES_THE_PICTURES * pictures_bytes)
        if wanted <= self._bytes:
            return
        # Twice as much at a time: seldom.
        wanted = max(wanted, 2 * self._bytes)
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT, OWNER_ONLY_FILE)
        try:
            _allocate(handle, self._bytes, wanted)
        finally:
            os.close(handle)
        self._bytes = wanted

    def give_back(self) -> None:
        """Let the room go."""
        with suppress(OSError):
            self._file.unlink()
        self._bytes = 0


def _allocate(handle: int, start: int, end: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, start, end - start)
        return
    # A file of which only the length is set takes no room.
    os.lseek(handle, start, os.SEEK_SET)
    rest = end - start
    while rest:
        rest -= os.write(handle, bytes(min(rest, 1 << 20)))
