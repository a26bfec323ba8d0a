"""A disposable cache of what was read of each folder, in one SQLite file.

It knows nothing of DICOM: for a folder it keeps the bytes that `osteotrace.series` gave
it, with a checksum. Deleting it changes nothing but time. It holds patient identities,
so that only its owner can read it. Whatever goes wrong with it (locked, full, damaged,
no home), work goes on without it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.about import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is stored changed: an index of another format is emptied.
FORMAT: Final = 3
# A folder that no scan asked for in so many days is forgotten.
KEEP_DAYS: Final = 180
# Another process may be writing; after this time (s) we go on without the index.
PATIENCE_S: Final = 2.0
OWNER_ONLY_FOLDER: Final = 0o700
OWNER_ONLY_FILE: Final = 0o600
_SECONDS_A_DAY: Final = 86_400

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS folders
(path BLOB PRIMARY KEY, used INTEGER, checksum INTEGER, entries BLOB) WITHOUT ROWID
"""


def default_path() -> Path:
    """Return where the index lies: below the user's cache folder."""
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home())
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Caches"
    else:
        stated = os.environ.get("XDG_CACHE_HOME", "")
        # A relative path is to be ignored (XDG Base Directory Specification).
        home = Path(stated) if os.path.isabs(stated) else Path.home() / ".cache"
    return home / "osteotrace" / "catalogue.sqlite"


class CatalogueIndex:
    """The index, open; `entries` and `put` never raise.

    Parameters
    ----------
    file : Path
        Made where it does not exist; replaced where it is damaged.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._database: sqlite3.Connection | None = None
        self._renewed: list[bytes] = []
        with contextlib.suppress(OSError):
            try:
                self._database = _connect(file)
            except sqlite3.OperationalError:
                pass  # Locked, or no place to write: work without it.
            except sqlite3.DatabaseError:
                self._start_again()

    def entries(self, folder: str) -> bytes | None:
        """Return what was put for a folder, None where there is nothing sound."""
        if self._database is None:
            return None
        try:
            row = self._database.execute(
                "SELECT checksum, entries, used FROM folders WHERE path = ?",
                (os.fsencode(folder),),
            ).fetchone()
        except sqlite3.OperationalError:
            return None
        except sqlite3.DatabaseError:
            self._start_again()
            return None
        if row is None or zlib.crc32(row[1]) != row[0]:
            return None
        if row[2] < time.time() - _SECONDS_A_DAY:  # Once a day at most.
            self._renewed.append(os.fsencode(folder))
        return bytes(row[1])

    def put(self, folders: Mapping[str, bytes]) -> None:
        """Keep what was read of some folders, and that others were asked for.

        All of it or nothing.
        """
        if self._database is None or not (folders or self._renewed):
            return
        now = int(time.time())
        rows = [
            (os.fsencode(folder), now, zlib.crc32(entries), entries)
            for folder, entries in folders.items()
        ]
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO folders VALUES (?, ?, ?, ?)", rows
                )
                self._database.executemany(
                    "UPDATE folders SET used = ? WHERE path = ?",
                    [(now, path) for path in self._renewed],
                )
                self._database.execute(
                    "DELETE FROM folders WHERE used < ?",
                    (now - KEEP_DAYS * _SECONDS_A_DAY,),
                )
            self._renewed.clear()
        except sqlite3.OperationalError:
            pass
        except sqlite3.DatabaseError:
            self._start_again()

    def close(self) -> None:
        """Let the file go."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _start_again(self) -> None:
        """Replace a damaged file by an empty one."""
        self.close()
        with contextlib.suppress(OSError, sqlite3.Error):
            self._file.unlink(missing_ok=True)
            self._database = _connect(self._file)


def _connect(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
    # SQLite would make the file with whatever rights the process gives.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, OWNER_ONLY_FILE)
    if os.name == "posix":
        os.fchmod(descriptor, OWNER_ONLY_FILE)
    os.close(descriptor)
    database = sqlite3.connect(file, timeout=PATIENCE_S)
    try:
        form = f"{FORMAT} {VERSION}"
        database.execute("CREATE TABLE IF NOT EXISTS format (text TEXT)")
        known = database.execute("SELECT text FROM format").fetchall()
        if known != [(form,)]:
            with database:
                database.execute("DROP TABLE IF EXISTS folders")
                database.execute("DELETE FROM format")
                database.execute("INSERT INTO format VALUES (?)", (form,))
                database.execute(_TABLE)
    except BaseException:
        database.close()
        raise
    return database
