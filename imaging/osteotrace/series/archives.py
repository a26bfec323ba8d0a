"""A zip of DICOM files, unpacked into a private folder that goes with the window.

No name of an archive becomes a path: its files are numbered, its folders too. What leaves
the archive, is locked by a password or grows without measure is refused in words before
a byte is written.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import re
import shutil
import stat
import struct
import sys
import tempfile
import weakref
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    Progress = Callable[[int, int], None]

# Local file header, and the end of an archive that holds nothing (PKZIP appnote 4.3).
_SIGNATURES: Final = (b"PK\x03\x04", b"PK\x05\x06")
MOST_FILES: Final = 200_000
MOST_BYTES: Final = 32 << 30
# CT shrinks to a half or a third; deflate reaches 1000 on nothing but zeros. Small
# archives may: a phantom's empty air does no harm.
MOST_GROWTH: Final = 200
_HARMLESS_BYTES: Final = 256 << 20
# Left free on the disk, bytes.
_SPARE_BYTES: Final = 256 << 20
_CHUNK: Final = 1 << 20
_ENCRYPTED: Final = 0x1
_PEEKED: Final = 132
# Without a preamble a file begins with an element of group 0002 or 0008.
_FIRST_GROUPS: Final = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
# What zipfile raises over a broken archive, wherever it is broken.
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
)
# Characters of a reason that are told.
_REASON: Final = 120
_FOLDER: Final = "osteotrace-zip-"
_OWNER: Final = re.compile(re.escape(_FOLDER) + r"(\d+)-")


class Unpacked:
    """The DICOM files of an archive, in a folder of its own until it is closed.

    Attributes
    ----------
    folder : Path
        Where they lie, readable by their owner alone.
    left_out : int
        How many files of the archive are not DICOM and were not unpacked.
    """

    def __init__(self) -> None:
        _sweep()
        try:
            made = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-")
        except OSError as problem:
            raise _no_room(tempfile.gettempdir(), problem) from problem
        self.folder = Path(made)
        self.left_out = 0
        # Also where nobody closes it: at the end of the process.
        self._finalizer = weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)

    def close(self) -> None:
        """Delete the files."""
        self._finalizer()


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a zip file, by its first bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(4) in _SIGNATURES
    except (OSError, ValueError):
        return False


def unpack(path: Path, progress: Progress | None = None) -> Unpacked:
    """Unpack the DICOM files of a zip; close the result when they are done with.

    Parameters
    ----------
    path : Path
        A zip file.
    progress : callable, optional
        Called with the number of files done and the number of all.

    Raises
    ------
    OsteotraceError
        If the archive is damaged, needs a password, has an entry that would leave it,
        holds more than `MOST_FILES` or `MOST_BYTES` or more than the disk has room for,
        or grows more than `MOST_GROWTH` times. Nothing is left behind then.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir()]
            for entry in entries:
                _check_entry(entry, path)
            _check_sizes(entries, path)
            unpacked = Unpacked()
            try:
                _check_disk(entries, unpacked.folder)
                _unpack_all(archive, entries, unpacked, progress)
            except BaseException:
                unpacked.close()
                raise
            return unpacked
    except _BROKEN as problem:
        reason = " ".join(str(problem).split())[:_REASON] or type(problem).__name__
        raise _refused(
            path,
            f"a zip that cannot be read ({reason})",
            advice="fetch it again from its source, or extract it and open the folder",
        ) from problem
    except RuntimeError as problem:  # So zipfile says that a password is wanted.
        raise _locked(path) from problem
    except OSError as problem:
        raise _no_room(str(path), problem) from problem


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    name = entry.filename
    parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor
    if ".." in parts or absolute:
        raise _refused(
            path,
            "a zip with an entry that would be written outside its folder",
            advice="do not trust its source; ask for the study again",
        )
    if entry.flag_bits & _ENCRYPTED:
        raise _locked(path)


def _check_sizes(entries: list[zipfile.ZipInfo], path: Path) -> None:
    if len(entries) > MOST_FILES:
        raise _refused(
            path,
            f"a zip of {len(entries):,} files",
            advice=f"at most {MOST_FILES:,} are unpacked: extract it and open a part",
        )
    size = sum(entry.file_size for entry in entries)
    # Entries of a crafted archive may share the same bytes.
    packed = min(sum(entry.compress_size for entry in entries), path.stat().st_size)
    if size > MOST_BYTES:
        raise _refused(
            path,
            f"a zip of {size / 2**30:,.0f} GiB unpacked",
            advice=f"at most {MOST_BYTES >> 30} GiB are unpacked: extract it and open a "
            "part",
        )
    if size > max(_HARMLESS_BYTES, MOST_GROWTH * packed):
        raise _refused(
            path,
            f"a zip that grows {size / max(packed, 1):,.0f} times when unpacked, as no "
            "study does",
            advice="do not trust its source; ask for the study again",
        )


def _check_disk(entries: list[zipfile.ZipInfo], folder: Path) -> None:
    size = sum(entry.file_size for entry in entries)
    free = shutil.disk_usage(folder).free
    if size + _SPARE_BYTES > free:
        raise OsteotraceError(
            f"{free / 2**30:.1f} GiB free for a zip of {size / 2**30:.1f} GiB unpacked",
            expected="room for it beside the archive",
            advice="make room, or extract it elsewhere and open the folder",
            where=str(folder.parent),
        )


def _unpack_all(
    archive: zipfile.ZipFile,
    entries: list[zipfile.ZipInfo],
    unpacked: Unpacked,
    progress: Progress | None,
) -> None:
    folders: dict[str, Path] = {}
    for number, entry in enumerate(entries, 1):
        # Images of one folder stay together: a series without a name is told by it.
        home = entry.filename.rpartition("/")[0]
        if home not in folders:
            folders[home] = unpacked.folder / f"{len(folders) + 1:04d}"
            folders[home].mkdir()
        if stat.S_ISLNK(entry.external_attr >> 16) or not _unpack_one(
            archive, entry, folders[home] / f"{number:06d}"
        ):
            unpacked.left_out += 1
        if progress is not None:
            progress(number, len(entries))


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: Path) -> bool:
    """Write one entry where it may be DICOM; False where it is not."""
    with archive.open(entry) as source:
        start = source.read(_PEEKED)
        if start[128:] != b"DICM" and start[:2] not in _FIRST_GROUPS:
            return False
        with file.open("xb") as target:
            target.write(start)
            _copy(source, target, entry.file_size - len(start))
    return True


def _copy(source: IO[bytes], target: IO[bytes], most: int) -> None:
    """Copy what an entry promised and no more."""
    while chunk := source.read(min(_CHUNK, most + 1)):
        most -= len(chunk)
        if most < 0:
            raise zipfile.BadZipFile("an entry longer than it says")
        target.write(chunk)


def _sweep() -> None:
    """Delete what processes left behind that were killed."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        for entry in os.scandir(tempfile.gettempdir()):
            found = _OWNER.match(entry.name)
            if found is None or entry.stat(follow_symlinks=False).st_uid != os.getuid():
                continue
            if entry.is_dir(follow_symlinks=False) and not _runs(int(found[1])):
                shutil.rmtree(entry.path, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _refused(path: Path, found: str, *, advice: str) -> OsteotraceError:
    return OsteotraceError(
        found, expected="a zip of DICOM files", advice=advice, where=str(path)
    )


def _locked(path: Path) -> OsteotraceError:
    return _refused(
        path,
        "a zip that needs a password",
        advice="extract it with its password and open the folder",
    )


def _no_room(where: str, problem: OSError) -> OsteotraceError:
    return OsteotraceError(
        f"a zip that cannot be unpacked ({problem.strerror or problem})",
        expected="a readable file, and room in the folder for temporary files",
        advice="make room, or extract it and open the folder",
        where=where,
    )
