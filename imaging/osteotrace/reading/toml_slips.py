"""What people often write in a TOML file that is none, and how it is said right."""

from __future__ import annotations

import re
from typing import Final

# A line as it was written, and what to write.
_SLIPS: Final = (
    (
        re.compile(r"=\s*(yes|no|true|false|y|n)\s*(#.*)?$", re.IGNORECASE),
        "true or false, in small letters",
    ),
    (re.compile(r"=\s*-?\d+,\d+"), "a decimal point, not a comma"),
    (re.compile(r"=\s*unknown\s*(#.*)?$", re.IGNORECASE), '"unknown", in quotes'),
    (
        re.compile(r"=\s*(?!true\b|false\b|inf\b|nan\b)[A-Za-z]"),
        'a text in quotes: "..."',
    ),
)
_LINE: Final = re.compile(r"at line (\d+)")


def said_right(text: str, problem: str) -> str:
    """Return how a line that the TOML reader refused should be written, or nothing.

    Parameters
    ----------
    text : str
        The file.
    problem : str
        What the reader said of it.
    """
    found = _LINE.search(problem)
    lines = text.splitlines()
    number = int(found.group(1)) if found else len(lines)
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    if "overwrite" in problem:
        return "each key once in a table; another date or bone has a table of its own"
    return next((right for slip, right in _SLIPS if slip.search(line)), "")
