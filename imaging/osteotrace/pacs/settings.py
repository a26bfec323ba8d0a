"""The file that names the archives: ``archives.toml``.

One table an archive, by the name that users call it::

    [hospital]
    url = "https://pacs.example.org/dicom-web"
    user = "reader"
    password_variable = "HOSPITAL_PACS_PASSWORD"

    [research]
    host = "10.0.0.7"
    port = 104
    aet = "RESEARCH"
    tls = true
    ca_file = "authority.pem"

Paths are meant from the file's own folder. A secret in its text is refused.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.pacs.archive import Archive, WrongSetting

FILE_NAME: Final = "archives.toml"
# A list of archives is a page; more is another kind of file.
MAX_BYTES: Final = 1_000_000
_PATHS: Final = (
    "ca_file",
    "certificate_file",
    "key_file",
    "password_file",
    "token_file",
)
# Keys that would hold a secret themselves.
_SECRETS: Final = ("password", "token", "secret", "passcode")
_LIKE: Final = "a table an archive, as in the documentation (docs/pacs.md)"


def archives_file() -> Path:
    """Return the user's file: below ``XDG_CONFIG_HOME`` or its like."""
    if sys.platform == "win32":
        home = Path(os.environ.get("APPDATA") or Path.home())
    else:
        stated = os.environ.get("XDG_CONFIG_HOME", "")
        # The XDG base directory specification has relative paths ignored.
        home = Path(stated) if os.path.isabs(stated) else Path.home() / ".config"
    return home / "osteotrace" / FILE_NAME


def archives(file: str | os.PathLike[str] | None = None) -> dict[str, Archive]:
    """Read the archives of a file, by name, in the file's order.

    Parameters
    ----------
    file : path, optional
        `archives_file` by default.

    Raises
    ------
    OsteotraceError
        If the file cannot be read or something in it is wrong; the message names the
        line where it can be told.
    """
    place = archives_file() if file is None else Path(file)
    try:
        with place.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise OsteotraceError(
            f"no file of archives ({problem.strerror})",
            expected=_LIKE,
            advice=f"write {archives_file()}, or name another file",
            where=str(place),
            usage=True,
        ) from problem
    if len(content) > MAX_BYTES:
        raise _wrong(place, "a file of over 1 MB")
    return parse(content, place)


def named(name: str, file: str | os.PathLike[str] | None = None) -> Archive:
    """Return the archive of a name.

    Raises
    ------
    OsteotraceError
        As `archives`, or if there is none of that name.
    """
    known = archives(file)
    if name not in known:
        raise OsteotraceError(
            f"no archive {name!r}",
            expected=f"one of {', '.join(known) or '(the file names none)'}",
            advice="check the name, or add the archive to the file",
            where=str(archives_file() if file is None else file),
            usage=True,
        )
    return known[name]


def parse(content: bytes, file: Path) -> dict[str, Archive]:
    """Check the bytes of a file of archives; ``file`` names it in messages.

    Raises
    ------
    OsteotraceError
        As `archives`.
    """
    try:
        text = content.decode("utf-8")
        tables: dict[str, Any] = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise _wrong(file, f"text that is not TOML: {problem}") from problem
    return {name: _archive(file, text, name, table) for name, table in tables.items()}


def _archive(file: Path, text: str, name: str, table: object) -> Archive:
    if not isinstance(table, dict):
        raise _wrong(file, f"the key {name!r}", _line(text, "", name))
    for key in _SECRETS:
        if key in table:
            found = f"a {key} in the file's text (table {name!r})"
            line = _line(text, name, key)
            raise _wrong(
                file, found, line, f"{key}_variable or {key}_file, which name it"
            )
    placed = {
        key: str(file.parent / Path(value).expanduser())
        if key in _PATHS and isinstance(value, str) and value
        else value
        for key, value in table.items()
    }
    try:
        return msgspec.convert({**placed, "name": name}, Archive)
    except msgspec.ValidationError as problem:
        where = re.search(r"`\$\.(\w+)", str(problem)) or re.search(
            r"field `(\w+)`", str(problem)
        )
        line = _line(text, name, where.group(1) if where else "")
        raise _wrong(file, f"{problem} (table {name!r})", line) from problem
    except WrongSetting as problem:
        line = _line(text, name, problem.key)
        found = f"{problem.found} (table {name!r})"
        raise _wrong(file, found, line, problem.expected) from problem


def _line(text: str, table: str, key: str) -> int | None:
    """Return the line of a table's key, or of its head where the key is not there."""
    head, inside = None, not table
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped.split("]")[0].strip("[ \t'\"") == table
            head = number if inside else head
        if key and inside and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*=", stripped):
            return number
    return head


def _wrong(
    file: Path, found: str, line: int | None = None, expected: str = _LIKE
) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected=expected,
        advice="correct the file",
        where=f"{file}, line {line}" if line else str(file),
        usage=True,
    )
