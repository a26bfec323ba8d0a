"""The files below a path, folder by folder, with the header of each.

Walks a tree of any depth, reads the headers that the index does not know yet, and gives
one `FolderHeaders` a folder. Links are followed once; what cannot be opened is a row
with its reason.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import chain
from stat import S_ISREG
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from osteotrace.catalogue_index import CatalogueIndex, default_path
from osteotrace.series.header_process import Headers, Stretch
from osteotrace.series.headers import UNREADABLE, FileHeader
from osteotrace.series.instances import ImageAttributes, SeriesIdentity
from osteotrace.series.many_headers import STRETCH_FILES, joined, read_many

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

# Name, size in bytes, times of the last change of content and of status, ns.
Listed = tuple[str, int, int, int]


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
        plans = [_planned(folder, cache) for folder in walk(root)]
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
            if cache is not None and (plan.missing or plan.outdated):
                fresh[plan.folder.path] = _settled(found, started)
                if len(fresh) >= _BATCH:
                    cache.put(fresh)
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

    @property
    def outdated(self) -> bool:
        """True where files that are known are there no more."""
        return len(self.known.listing) + len(self.missing) > len(self.folder.listing)

    def stretches(self) -> list[Stretch]:
        """The missing files in portions."""
        path = os.fsencode(self.folder.path)
        return [
            Stretch(path, [os.fsencode(row[0]) for row in rows], [row[1] for row in rows])
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
        return _Plan(folder, known, [])
    there = set(known.listing)
    return _Plan(folder, known, [row for row in folder.listing if row not in there])


def walk(root: str) -> Iterator[Folder]:
    """List a folder and all below it, links followed once; or one file alone."""
    if not os.path.isdir(root):
        state = os.stat(root)
        name = os.path.basename(root)
        row = (name, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        yield Folder(os.path.dirname(root), [row], [])
        return
    pending, seen = [root], set()
    while pending:
        path = pending.pop()
        state = os.stat(path)
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
        entries = os.scandir(path)
    except OSError as problem:
        return Folder(
            path, [], [(path, f"a folder that cannot be read ({_why(problem)})")]
        )
    with entries:
        for entry in entries:
            try:
                if entry.is_dir():
                    below.append(entry.path)
                    continue
                state = entry.stat()
            except OSError as problem:
                problems.append(
                    (entry.path, f"a link that leads nowhere ({_why(problem)})")
                )
                continue
            if S_ISREG(state.st_mode):  # Opening a pipe would wait for ever.
                listing.append(
                    (entry.name, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
                )
    listing.sort()
    return Folder(path, listing, problems)


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
    headers = [header for _, header in kept]
    known = FolderHeaders(rows, headers, found.identities, found.attributes)
    return msgspec.msgpack.encode(known)
