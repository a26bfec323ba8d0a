"""A lock on an open file that ends with its process, whatever ends it.

``flock`` where there is one; on Windows the lock of one byte. Neither leaves anything on
disk, so that no lock is ever stale.
"""

from __future__ import annotations

import errno
import os
from typing import Final

# Windows keeps others from reading what is locked: this byte lies far behind any text.
_LOCKED_BYTE: Final = 1 << 40
# What both systems answer where another process holds the lock.
_HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK})


def lock(handle: int) -> bool:
    """Lock an open file for this process; False where another one holds the lock.

    Parameters
    ----------
    handle : int
        Of a file open for writing; closing it ends the lock.

    Raises
    ------
    OSError
        If the file system has no locks.
    """
    try:
        _lock(handle)
    except OSError as problem:
        if problem.errno not in _HELD:
            raise
        return False
    return True


try:
    import fcntl
except ImportError:
    import msvcrt

    def _lock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
else:

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
