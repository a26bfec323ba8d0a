"""Write-once files and folders: there whole, or not at all, and never again.

A file is written beside its place, flushed to the disk and then given its name
(`osteotrace.records.publication`), so that a crash leaves either nothing or the whole; an
existing file is never replaced. What is written is readable by its owner alone: a record,
a table or a picture tells of a patient.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.records.publication import (
    OWNER_ONLY_FOLDER,
    discard,
    flush,
    flush_folder,
    flush_name,
    new_draft,
    publish,
)
from osteotrace.uids import UID_LENGTH, is_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER_ONLY_FILE: Final = 0o600


def record_path(folder: Path, sop_instance_uid: str) -> Path:
    """Return the file that a DICOM instance is kept in.

    Parameters
    ----------
    folder : Path
        Folder of the records.
    sop_instance_uid : str
        SOPInstanceUID (0008,0018); it becomes the file's name.

    Raises
    ------
    OsteotraceError
        If the text is no UID: a path must not be made of anything else.
    """
    if not is_uid(sop_instance_uid):
        raise OsteotraceError(
            f"the text {sop_instance_uid[:UID_LENGTH]!r} where a UID belongs",
            expected=f"digits and single dots, at most {UID_LENGTH} characters",
            advice="use a DICOM UID",
        )
    return folder / f"{sop_instance_uid}.dcm"


def write_once(path: Path, content: bytes) -> Path:
    """Write a new file, forced to disk before it gets its name.

    Parameters
    ----------
    path : Path
        Must not exist; its folder is made where it is missing.
    content : bytes
        The whole file.

    Returns
    -------
    Path
        The path given.

    Raises
    ------
    OsteotraceError
        If the file exists or cannot be written; nothing is left behind then.
    """
    with new_file(path) as draft:
        draft.write_bytes(content)
    return path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a draft path to write to; it becomes ``path`` when the block ends well.

    The draft has the suffixes of ``path``, which some writers choose their format by.

    Raises
    ------
    OsteotraceError
        As `write_once`; an OSError of the block is taken for one of writing.
    """
    if os.path.lexists(path):
        raise _taken(path)
    with _as_error(path), _draft_of(path) as draft:
        yield draft
        draft.chmod(OWNER_ONLY_FILE)
        flush(draft)
        try:
            publish(draft, path)
        except FileExistsError:
            raise _taken(path) from None


def check_room(path: Path) -> None:
    """Check, before long work, that something new could be written at a path.

    Raises
    ------
    OsteotraceError
        If a parent is a file, or may not be written to.
    """
    parent = next(one for one in path.absolute().parents if os.path.lexists(one))
    with _as_error(path):
        if not parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a draft folder to fill; it becomes ``path`` when the block ends well.

    Raises
    ------
    OsteotraceError
        If ``path`` is a file or a folder that is not empty, or its parent cannot be
        written to; an OSError of the block is taken for one of writing.
    """
    with _as_error(path):
        if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
            raise _taken(path)
        with _draft_of(path) as draft:
            draft.mkdir()
            yield draft
            for root, _, files in os.walk(draft):
                for name in files:
                    Path(root, name).chmod(OWNER_ONLY_FILE)
                    flush(Path(root, name))
                Path(root).chmod(OWNER_ONLY_FOLDER)
                flush_folder(Path(root))
            _rename_to_free(draft, path)


def _rename_to_free(draft: Path, path: Path) -> None:
    """Give a folder its name, which an empty folder may have."""
    try:
        os.rename(draft, path)
    except FileExistsError:  # Windows replaces no folder, not even an empty one.
        path.rmdir()
        os.rename(draft, path)
    try:
        flush_name(path)
    except OSError:
        # The caller is told that nothing was saved: so it must be.
        os.rename(path, draft)
        raise


@contextmanager
def _draft_of(path: Path) -> Iterator[Path]:
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        for parent in reversed(made):
            parent.mkdir(mode=OWNER_ONLY_FOLDER, exist_ok=True)
            flush_name(parent)
        draft = new_draft(path)
        try:
            yield draft
        finally:
            discard(draft)
    finally:
        if not os.path.lexists(path):
            for parent in made:
                # Something else may have put a file there meanwhile: then it stays.
                with suppress(OSError):
                    parent.rmdir()


@contextmanager
def _as_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise OsteotraceError(
            f"a place that cannot be written to ({problem.strerror or problem})",
            expected="a folder with room and the right to write",
            advice="choose another place or make room",
            where=str(path),
        ) from problem


def _taken(path: Path) -> OsteotraceError:
    what = "a folder that is not empty" if path.is_dir() else "a file that exists"
    return OsteotraceError(
        what,
        expected="a new name: what is saved is never overwritten",
        advice="choose another name, or move the old one away; an amendment of a DICOM "
        "record has a SOP Instance UID of its own",
        where=str(path),
        usage=True,
    )
