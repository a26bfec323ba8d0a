"""Write-once files and folders: there whole, or not at all, and never again.

A file is written beside its place, flushed to the disk and then linked into it, so that
a crash leaves either nothing or the whole; an existing file is never replaced. What is
written is readable by its owner alone: a record, a table or a picture tells of a patient.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.uids import UID_LENGTH, is_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER_ONLY_FOLDER: Final = 0o700
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
    with _as_error(path), _draft_folder(path) as folder:
        draft = folder / path.name
        yield draft
        draft.chmod(OWNER_ONLY_FILE)
        flush(draft)
        # A link fails where the name is taken; a rename would replace it.
        try:
            os.link(draft, path)
        except FileExistsError:
            raise _taken(path) from None
        flush(path.parent)


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
        with _draft_folder(path) as folder:
            draft = folder / "draft"
            draft.mkdir()
            yield draft
            for root, _, files in os.walk(draft):
                for name in files:
                    Path(root, name).chmod(OWNER_ONLY_FILE)
                    flush(Path(root, name))
                Path(root).chmod(OWNER_ONLY_FOLDER)
                flush(Path(root))
            # Replaces an empty folder only.
            os.rename(draft, path)
            flush(path.parent)


def flush(path: Path) -> None:
    """Force a file's content, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _draft_folder(path: Path) -> Iterator[Path]:
    made = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(made):
        parent.mkdir(mode=OWNER_ONLY_FOLDER, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".osteotrace-", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(path):
            for parent in made:
                _remove_if_empty(parent)


def _remove_if_empty(folder: Path) -> None:
    # Something else may have put a file there meanwhile: then it stays.
    try:
        folder.rmdir()
    except OSError:
        return


@contextmanager
def _as_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise OsteotraceError(
            f"a place that cannot be written to ({problem.strerror or problem})",
            expected="a folder with room, the right to write, and hard links",
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
