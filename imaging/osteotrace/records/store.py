"""Files that are written once: whole or not at all, and never again.

A record is published by linking a finished temporary file to its name, so a crash
leaves the record complete or absent and a second write of the same name is refused.
Files are readable by their owner alone.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from osteotrace.errors import OsteotraceError

# PS3.5 9.1: components of digits, 64 characters in all.
_UID_FORM: Final = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
UID_LENGTH: Final = 64
_PARTIAL_SUFFIX: Final = ".partial"


def is_uid(text: str) -> bool:
    r"""Return whether a text has the form of a DICOM UID and nothing else.

    Examples
    --------
    >>> is_uid("2.25.17"), is_uid("../2.25.17"), is_uid("2.25.17\n")
    (True, False, False)
    """
    return len(text) <= UID_LENGTH and _UID_FORM.fullmatch(text) is not None


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _publish(path, content)
    except OSError as problem:
        # A file where the folder should be is no record already there.
        if isinstance(problem, FileExistsError) and path.exists():
            raise OsteotraceError(
                "a record that is already there",
                expected="a new name: a saved record is never overwritten",
                advice="save an amendment under a new SOP Instance UID",
                where=str(path),
            ) from problem
        raise OsteotraceError(
            f"a place that cannot be written ({problem.strerror or problem})",
            expected="a folder with free space, write permission and hard links",
            advice="choose another folder or make room",
            where=str(path),
        ) from problem
    return path


def _publish(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=_PARTIAL_SUFFIX
    )
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # A link, unlike a rename, fails where the name is taken.
        os.link(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
