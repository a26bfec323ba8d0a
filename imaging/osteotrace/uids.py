"""DICOM unique identifiers: the form that one has, and fresh ones."""

from __future__ import annotations

import re
import uuid
from typing import Final

from osteotrace.about import UID_PREFIX

# PS3.5 9.1: components of digits, 64 characters in all. It forbids leading zeros too, but
# scanners write them, and a record must name its images as they are.
_FORM: Final = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
UID_LENGTH: Final = 64


def is_uid(text: str) -> bool:
    r"""Return whether a text has the form of a DICOM UID and nothing else.

    Examples
    --------
    >>> is_uid("2.25.17"), is_uid("../2.25.17"), is_uid("2.25.17\n")
    (True, False, False)
    """
    return len(text) <= UID_LENGTH and _FORM.fullmatch(text) is not None


def new_uid() -> str:
    """Return a fresh UID of the UUID-derived arc (DICOM PS3.5 B.2)."""
    return f"{UID_PREFIX}{uuid.uuid4().int}"
