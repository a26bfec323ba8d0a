"""Where in the text of a protocol something stands: tables, entries and their keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEAD: Final = re.compile(r"\[(\[?)\s*([\w.\"' -]+?)\s*\]\]?")


def line_of(text: str, table: str, number: int | None, *keys: str) -> int | None:
    """Return the line of the first of some keys that is there, else of the table.

    Parameters
    ----------
    text : str
        The file.
    table : str
        Its dotted name; empty for the keys at the top.
    number : int or None
        Which of the tables of that name, from 0; None for the last one.
    keys : str
        Keys in that table.
    """
    heads = [line for line, name in _heads(text) if name == table]
    lines = text.splitlines()
    if not table:
        first, head = 0, None
    elif heads:
        head = heads[-1] if number is None or number >= len(heads) else heads[number]
        first = head
    else:
        # Written in one line at the top, or as a table within one.
        return next(
            (
                n
                for n, line in enumerate(lines, 1)
                if _is_key(line, table.rpartition(".")[2])
            ),
            None,
        )
    later = [line for line, _ in _heads(text) if line > first]
    last = later[0] - 1 if later else len(lines)
    for key in filter(None, keys):
        for n in range(first, last):
            if _is_key(lines[n], key):
                return n + 1
    return head


def _heads(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of every table."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _HEAD.match(line.strip()):
            yield number, re.sub(r"[\s\"']", "", found[2])


def _is_key(line: str, key: str) -> bool:
    return re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line) is not None


# What a protocol is, where nothing more precise is expected.
PROTOCOL: Final = "a protocol: a name and entries (see osteotrace.protocol)"


def wrong(
    file: Path,
    found: str,
    line: int | None = None,
    key: str = "",
    expected: str = PROTOCOL,
) -> OsteotraceError:
    """Return the error of a mistake in a protocol, with its place."""
    return OsteotraceError(
        found,
        expected=expected,
        advice=f"correct the key {key!r}" if key else "correct the file",
        where=f"{file}, line {line}" if line else str(file),
        usage=True,
    )
