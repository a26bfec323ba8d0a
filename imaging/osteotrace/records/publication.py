"""How a complete file gets its name: once, whole, and never in another's place.

A hard link does it in one step and fails where the name is taken. Where a file system
has no hard links (FAT, many network shares), a name is claimed first. A claim is a folder
that stands for one name; the draft's folder is renamed to it, which fails while the claim
holds another draft. Only the draft inside a claim may take the claim's name, so that
between looking whether the name is free and renaming nobody else can take it. Whoever
finds a claim finishes it: its draft is complete and on disk. No clock is asked and no
holder waited for, so that a killed writer blocks nobody
(docs/decisions/0011-writing-without-hard-links.md).

Those who write into one folder at the same time must find the same abilities there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
import unicodedata
import uuid
from typing import TYPE_CHECKING, Final

from osteotrace.about import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER_ONLY_FOLDER: Final = 0o700
# Folders of writers begin so; what else a folder holds is never touched.
_OURS: Final = UNFINISHED
_DRAFT: Final = f"{_OURS}draft-"
_CLAIM: Final = f"{_OURS}claim-"
_SWEPT: Final = f"{_OURS}swept-"
# A draft in which nothing was written for a day (s) has no writer any more.
ABANDONED_AFTER_S: Final = 86_400
# Each failed round ends with another writer's file named; more of them are no accident.
_ROUNDS: Final = 100

# What file systems without hard links answer: FAT, exFAT, SMB, FUSE, Windows.
_NO_LINKS: Final = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.EMLINK,
        errno.EXDEV,
        errno.EINVAL,
    }
)
# What systems answer that cannot force a folder to disk: Windows, SMB, FUSE, 9P.
_NO_FOLDER_FLUSH: Final = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.EBADF,
        errno.EISDIR,
        errno.EINVAL,
    }
)
# What a rename answers where a folder that is not empty has the name.
_CLAIMED: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY})


def new_draft(path: Path) -> Path:
    """Return where to write what shall become ``path``: its name, in a folder of its own.

    Give the draft's place back with `discard`, whatever became of it.

    Raises
    ------
    OSError
        If the folder cannot be made; nothing is left behind then.
    """
    token = uuid.uuid4().hex
    # The inner folder's name is never used again: who remembers a draft's path cannot
    # mistake a later draft for it.
    place = path.parent / f"{_DRAFT}{token}" / token
    place.parent.mkdir(mode=OWNER_ONLY_FOLDER)
    try:
        place.mkdir(mode=OWNER_ONLY_FOLDER)
    except BaseException:
        _remove_if_empty(place.parent)
        raise
    return place / path.name


def discard(draft: Path) -> None:
    """Remove a draft and its folders, as far as they are there."""
    shutil.rmtree(draft.parents[1], ignore_errors=True)


def publish(draft: Path, path: Path) -> None:
    """Give a complete file, already forced to disk, its name.

    Parameters
    ----------
    draft : Path
        From `new_draft` of the same path.
    path : Path
        The name, which must not exist.

    Raises
    ------
    FileExistsError
        If the name is taken.
    OSError
        If the system refuses; the name is free then.
    """
    if not _linked(draft, path):
        _renamed_under_claim(draft, path)
    try:
        flush_name(path)
    except OSError:
        # The caller is told that nothing was saved: so it must be.
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def flush(path: Path) -> None:
    """Force a file's content to the disk."""
    # Windows flushes only what is open for writing.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_folder(folder: Path) -> bool:
    """Force a folder's list of names to the disk; False where the system cannot."""
    try:
        flush(folder)
    except OSError as problem:
        if problem.errno not in _NO_FOLDER_FLUSH:
            raise
        return False
    return True


def flush_name(path: Path) -> None:
    """Force a name to the disk: its folder, or the file where folders cannot be."""
    # NTFS, ext4, XFS and APFS write a new name with the file that is flushed under it.
    if not flush_folder(path.parent) and path.is_file():
        flush(path)


def sweep(folder: Path, *, now: float | None = None) -> None:
    """Clear away what killed writers left: claims are finished, old drafts removed.

    Parameters
    ----------
    folder : Path
        What it cannot clear is left to the next one.
    now : float, optional
        The present time, s since 1970.
    """
    now = time.time() if now is None else now
    for left in _entries(folder):
        if not left.name.startswith(_OURS) or not left.is_dir():
            continue
        if left.name.startswith(_CLAIM):
            _finish(left, now)
        elif left.name.startswith(_SWEPT):
            shutil.rmtree(left, ignore_errors=True)
        elif _is_abandoned(left, now):
            # Renamed first: a writer that wakes up after all finds nothing, not a part.
            swept = folder / f"{_SWEPT}{uuid.uuid4().hex}"
            with contextlib.suppress(OSError):
                left.rename(swept)
                shutil.rmtree(swept, ignore_errors=True)


def _linked(draft: Path, path: Path) -> bool:
    """Link a draft to its name; False where there are no hard links."""
    if not hasattr(os, "link"):
        return False
    try:
        os.link(draft, path)
    except OSError as problem:
        # A network share may lose its answer, and ask twice for what was done once.
        if _are_one(draft, path):
            return True
        if problem.errno not in _NO_LINKS:
            raise
        return False
    return True


def _renamed_under_claim(draft: Path, path: Path) -> None:
    """Give a draft its name while it alone is allowed to."""
    claim = _claim_of(path)
    held = claim / draft.parent.name / draft.name
    try:
        _take(claim, draft, held, path)
        if not os.path.lexists(path):
            _rename_held(held, path)
        elif held.exists():
            raise _taken(path)
        # Else another writer found the claim and finished it: the file there is ours.
    finally:
        shutil.rmtree(held.parent, ignore_errors=True)
        _remove_if_empty(claim)


def _take(claim: Path, draft: Path, held: Path, path: Path) -> None:
    """Move a draft into the claim on its name, finishing those that hold it before."""
    for attempt in range(_ROUNDS):
        if os.path.lexists(path):
            raise _taken(path)
        try:
            draft.parents[1].rename(claim)
        except OSError as problem:
            if held.exists():  # It was done, and only the answer was lost.
                return
            held_by_another = problem.errno in _CLAIMED or claim.exists()
            if attempt == _ROUNDS - 1 or not held_by_another:
                raise
            _finish(claim, time.time())
        else:
            return


def _rename_held(held: Path, path: Path) -> None:
    try:
        held.rename(path)
    except OSError:
        # Another writer was quicker to finish the claim, or only the answer was lost.
        if held.exists() or not os.path.lexists(path):
            raise


def _finish(claim: Path, now: float) -> None:
    """Do what the holder of a claim has left to do; it may do so itself meanwhile."""
    for place in _entries(claim):
        for draft in _entries(place):
            path = claim.parent / draft.name
            with contextlib.suppress(OSError):
                if not os.path.lexists(path) and _claim_of(path) == claim:
                    draft.rename(path)
                    flush_name(path)
                elif _is_abandoned(place, now):
                    draft.unlink()
        _remove_if_empty(place)
    _remove_if_empty(claim)


def _claim_of(path: Path) -> Path:
    """Return the one claim of a name, the same for all that a disk may take for it."""
    # FAT and Windows do not tell capitals, HFS+ and APFS not composed letters.
    name = unicodedata.normalize("NFC", path.name).casefold()
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return path.parent / f"{_CLAIM}{digest[:32]}"


def _is_abandoned(left: Path, now: float) -> bool:
    """Tell whether nothing was written in a folder for a day."""
    try:
        newest = left.lstat().st_mtime
        for one in left.rglob("*"):
            newest = max(newest, one.lstat().st_mtime)
    except OSError:  # Gone meanwhile, so somebody is at work there; or not to be read.
        return False
    return now - newest > ABANDONED_AFTER_S


def _are_one(draft: Path, path: Path) -> bool:
    try:
        return os.path.samestat(os.lstat(draft), os.lstat(path))
    except OSError:
        return False


def _entries(folder: Path) -> Iterator[Path]:
    """Yield what a folder holds; nothing where it cannot be read or is gone."""
    with contextlib.suppress(OSError):
        yield from sorted(folder.iterdir())


def _remove_if_empty(folder: Path) -> None:
    # Another writer may have put something there meanwhile: then it stays.
    with contextlib.suppress(OSError):
        folder.rmdir()


def _taken(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
