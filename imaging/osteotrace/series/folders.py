"""The files below a path, folder by folder, with the header of each.

Walks a tree of any depth, reads the headers that the index does not know yet, and gives
one `FolderHeaders` a folder. Links are followed once, drafts left alone; what cannot be
listed, entered or opened is a row with its reason, and the walk goes on.
"""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from itertools import chain
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from osteotrace.about import UNFINISHED
from osteotrace.catalogue_index import CatalogueIndex, default_path
from osteotrace.series.header_process import Headers, Stretch
from osteotrace.series.headers import UNREADABLE, FileHeader
from osteotrace.series.instances import ImageAttributes, SeriesIdentity
from osteotrace.series.many_headers import STRETCH_FILES, joined, pruned, read_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = Callable[[int, int], None]

# A file that changed within this time (ns) before the scan may change again within the
# same tick of the file system's clock, and look the same: it is read again next time.
_TICK_NS: Final = 50_000_000
# Some file systems count in steps of two seconds.
_COARSE_TICK_NS: Final = 2_000_000_000
# Folders written to the index at one go.
_BATCH: Final = 500

# Studies that are on their way, or whose writer was killed.
_UNFINISHED: Final = os.fsencode(UNFINISHED)

# Why a link has no target: it is not there, its path is none, it leads to itself.
_NOWHERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)

# Name, size in bytes, times of the last change of content and of status, ns. A name
# need not be text: it stays in bytes.
Listed = tuple[bytes, int, int, int]


class FolderHeaders(msgspec.Struct, array_like=True):
    """What the files of one folder hold.

    Parameters
    ----------
    listing : list of (name, size, ns of last change, ns of last change of status)
        In the order of the names.
    headers : list of FileHeader
        One a file.
    identities, attributes
        The tables that the headers point into.
    """

    listing: list[Listed]
    headers: list[FileHeader]
    identities: list[SeriesIdentity]
    attributes: list[ImageAttributes]


_NOTHING: Final = FolderHeaders([], [], [], [])


class Folder(NamedTuple):
    """A folder of the walk: its path, its files, and what could not be entered."""

    path: str
    listing: list[Listed]
    problems: list[tuple[str, str]]


def read_tree(
    root: str, *, index: bool = True, progress: Progress | None = None
) -> Iterator[tuple[Folder, FolderHeaders]]:
    """Read the headers of all files below a folder, or of one file.

    Parameters
    ----------
    root : str
        Absolute path.
    index : bool
        Whether to use and to fill the index.
    progress : callable, optional
        Called now and then with the number of files done and the number of all.

    Yields
    ------
    Folder, FolderHeaders
        In the order of the folders' names.
    """
    # The index knows whole folders only.
    cache = CatalogueIndex(default_path()) if index and os.path.isdir(root) else None
    fresh: dict[str, bytes] = {}
    started = time.time_ns()
    try:
        plans = [
            _planned(folder, None if _on_a_disc(folder) else cache)
            for folder in walk(root)
        ]
        total = sum(len(plan.folder.listing) for plan in plans)
        known = total - sum(len(plan.missing) for plan in plans)

        def tell(read: int) -> None:
            if progress is not None:
                progress(known + read, total)

        tell(0)
        wanted = [plan.stretches() for plan in plans]
        parts = read_many([*chain.from_iterable(wanted)], tell)
        for plan, stretches in zip(plans, wanted, strict=True):
            found = plan.filled([next(parts) for _ in stretches])
            if plan.cache is not None and (plan.missing or plan.outdated):
                fresh[plan.folder.path] = _settled(found, started)
                if len(fresh) >= _BATCH:
                    plan.cache.put(fresh)
                    fresh.clear()
            yield plan.folder, found
    finally:
        if cache is not None:
            cache.put(fresh)
            cache.close()


@dataclass(frozen=True, slots=True)
class _Plan:
    """A folder with what is known of it and what has to be read."""

    folder: Folder
    known: FolderHeaders
    missing: list[Listed]
    cache: CatalogueIndex | None

    @property
    def outdated(self) -> bool:
        """True where files that are known are there no more."""
        return len(self.known.listing) + len(self.missing) > len(self.folder.listing)

    def stretches(self) -> list[Stretch]:
        """The missing files in portions."""
        path = os.fsencode(self.folder.path)
        return [
            Stretch(path, [row[0] for row in rows], [row[1] for row in rows])
            for rows in _portions(self.missing)
        ]

    def filled(self, parts: list[Headers]) -> FolderHeaders:
        """Return the whole folder, given what was missing."""
        known = self.known
        if not parts and known.listing == self.folder.listing:
            return known
        have = Headers(known.headers, known.identities, known.attributes)
        whole = joined([have, *parts] if known.listing else parts or [have])
        rows = [*known.listing, *self.missing]
        headers = dict(zip(rows, whole.headers, strict=True))
        return FolderHeaders(
            self.folder.listing,
            [headers[row] for row in self.folder.listing],
            whole.identities,
            whole.attributes,
        )


def _portions(rows: list[Listed]) -> list[list[Listed]]:
    starts = range(0, len(rows), STRETCH_FILES)
    return [rows[start : start + STRETCH_FILES] for start in starts]


def _planned(folder: Folder, cache: CatalogueIndex | None) -> _Plan:
    entries = None if cache is None else cache.entries(folder.path)
    known = _NOTHING if entries is None else _decoded(entries)
    if known.listing == folder.listing:
        return _Plan(folder, known, [], cache)
    there = set(known.listing)
    missing = [row for row in folder.listing if row not in there]
    return _Plan(folder, known, missing, cache)


def _on_a_disc(folder: Folder) -> bool:
    """Return whether another disc at this place could look the same: no index then.

    A disc has one time a file, which its writer chose, instead of one for content and
    one for status, which the system sets.
    """
    if not hasattr(os, "statvfs"):
        return False
    try:
        flags = os.statvfs(folder.path).f_flag
    except OSError:
        return True
    return bool(flags & os.ST_RDONLY) and all(r[2] == r[3] for r in folder.listing)


def walk(root: str) -> Iterator[Folder]:
    """List a folder and all below it, links followed once; or one file alone."""
    pending, seen = [root], set()
    while pending:
        path = pending.pop()
        try:
            state = os.stat(path)
        except OSError as problem:  # Not to be entered, too deep, or gone meanwhile.
            yield _unread(path, problem)
            continue
        if not S_ISDIR(state.st_mode):
            folder, name = os.path.split(path)
            yield Folder(folder, [_row(os.fsencode(name), state)], [])
            continue
        if (state.st_dev, state.st_ino) in seen:
            yield Folder(path, [], [(path, "a link to a folder that was read already")])
            continue
        seen.add((state.st_dev, state.st_ino))
        below: list[str] = []
        yield _listed(path, below)
        pending += sorted(below, reverse=True)


def _listed(path: str, below: list[str]) -> Folder:
    """List one folder; the folders in it are appended to ``below``."""
    listing: list[Listed] = []
    problems: list[tuple[str, str]] = []
    try:
        with os.scandir(os.fsencode(path)) as entries:
            for entry in entries:
                try:
                    if entry.is_dir():
                        if not entry.name.startswith(_UNFINISHED):
                            below.append(os.fsdecode(entry.path))
                        continue
                    state = entry.stat()
                except OSError as problem:
                    problems.append(_unreached(entry, problem))
                    continue
                if S_ISREG(state.st_mode):
                    listing.append(_row(entry.name, state))
                else:  # Opening a pipe would wait for ever.
                    problems.append(
                        (os.fsdecode(entry.path), "neither a file nor a folder")
                    )
    except OSError as problem:
        problems += _unread(path, problem).problems
    listing.sort()
    return Folder(path, listing, problems)


def _unreached(entry: os.DirEntry[bytes], problem: OSError) -> tuple[str, str]:
    nowhere = problem.errno in _NOWHERE and entry.is_symlink()
    what = "a link that leads nowhere" if nowhere else "a file that cannot be reached"
    return os.fsdecode(entry.path), f"{what} ({_why(problem)})"


def _row(name: bytes, state: os.stat_result) -> Listed:
    return name, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _unread(path: str, problem: OSError) -> Folder:
    return Folder(path, [], [(path, f"a folder that cannot be read ({_why(problem)})")])


def _why(problem: OSError) -> str:
    return problem.strerror or type(problem).__name__


def _decoded(entries: bytes) -> FolderHeaders:
    try:
        return msgspec.msgpack.decode(entries, type=FolderHeaders)
    except (msgspec.MsgspecError, ValueError):
        return _NOTHING


def _settled(found: FolderHeaders, started: int) -> bytes:
    """Encode a folder without the files that may still be changing."""
    kept = [
        (row, header)
        for row, header in zip(found.listing, found.headers, strict=True)
        if started - row[2] > (_TICK_NS if row[2] % 1_000_000_000 else _COARSE_TICK_NS)
        and not header.reason.startswith(UNREADABLE)
    ]
    rows = [row for row, _ in kept]
    part = Headers([header for _, header in kept], found.identities, found.attributes)
    used = pruned(part)  # What removed files alone pointed into is personal data too.
    known = FolderHeaders(rows, used.headers, used.identities, used.attributes)
    return msgspec.msgpack.encode(known)
