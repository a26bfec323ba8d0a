"""Where the plugin keeps a user's settings; a file is written whole."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from osteotrace.records.publication import OWNER_ONLY_FOLDER, flush, flush_folder


def settings_folder() -> Path:
    """Return the folder of settings, below ``XDG_CONFIG_HOME`` or its like."""
    if sys.platform == "win32":
        roaming = os.environ.get("APPDATA") or Path.home()
        return Path(roaming) / "osteotrace"
    stated = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    home = Path(stated) if os.path.isabs(stated) else Path.home() / ".config"
    return home / "osteotrace"


def replace(file: Path, content: bytes) -> None:
    """Write a file as a whole: after a crash it is the old one or the new one.

    Raises
    ------
    OSError
        If it cannot be written; what was there stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY_FOLDER)
    # Only its owner can read a file of mkstemp.
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        flush(draft)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    flush_folder(file.parent)
