"""Write-once files and folders: there whole, or not at all.

A file is written beside its place, flushed to the disk and then linked into it, so that
a crash leaves either nothing or the whole; an existing file is never replaced.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Iterator


def write_new(path: Path, content: bytes) -> Path:
    """Write a file that must not exist yet.

    Raises
    ------
    OsteotraceError
        If the file exists or its folder cannot be written to.
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
        As `write_new`.
    """
    if os.path.lexists(path):
        raise _taken(path)
    with _draft_folder(path) as folder:
        draft = folder / path.name
        yield draft
        with _as_error(path):
            _flush(draft)
            # A link fails where the name is taken; a rename would replace it.
            try:
                os.link(draft, path)
            except FileExistsError:
                raise _taken(path) from None
            _flush(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a draft folder to fill; it becomes ``path`` when the block ends well.

    Raises
    ------
    OsteotraceError
        If ``path`` is a file or a folder that is not empty, or its parent cannot be
        written to.
    """
    with _as_error(path):
        if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
            raise _taken(path)
    with _draft_folder(path) as folder:
        draft = folder / "draft"
        draft.mkdir()
        yield draft
        with _as_error(path):
            for root, _, files in os.walk(draft):
                for name in files:
                    _flush(Path(root, name))
                _flush(Path(root))
            # Replaces an empty folder only.
            os.rename(draft, path)
            _flush(path.parent)


@contextmanager
def _draft_folder(path: Path) -> Iterator[Path]:
    made = _missing_parents(path)
    with _as_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".osteotrace-", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(path):
            for parent in made:
                _remove_if_empty(parent)


def _missing_parents(path: Path) -> list[Path]:
    return [parent for parent in path.parents if not parent.exists()]


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
            f"a place that cannot be written to ({problem.strerror})",
            expected="a folder with room and the right to write",
            advice="choose another place",
            where=str(path),
        ) from problem


def _taken(path: Path) -> OsteotraceError:
    what = "a folder that is not empty" if path.is_dir() else "a file that exists"
    return OsteotraceError(
        what,
        expected="a new name: nothing saved is ever overwritten",
        advice="choose another name, or move the old one away",
        where=str(path),
        usage=True,
    )


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
