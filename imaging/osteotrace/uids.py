"""DICOM unique identifiers: their form, fresh ones, and the names of images."""

from __future__ import annotations

import re
import uuid
from typing import Final

from osteotrace.about import UID_PREFIX

# PS3.5 9.1: components of digits, 64 characters in all. It forbids leading zeros too, but
# scanners write them, and a record must name its images as they are.
_FORM: Final = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
UID_LENGTH: Final = 64
# A frame number, from 1 (PS3.3 C.7.6.6), as DICOM's VR IS holds one.
_FRAME: Final = re.compile(r"(.+)/frames/([1-9][0-9]{0,8})", re.ASCII)


def is_uid(text: str) -> bool:
    r"""Return whether a text has the form of a DICOM UID and nothing else.

    Examples
    --------
    >>> is_uid("2.25.17"), is_uid("../2.25.17"), is_uid("2.25.17\n")
    (True, False, False)
    """
    return len(text) <= UID_LENGTH and _FORM.fullmatch(text) is not None


def source_name(sop_instance_uid: str, frame: int = 0) -> str:
    """Return what findings call an image: its UID, with the frame where it has one.

    Parameters
    ----------
    sop_instance_uid : str
        SOPInstanceUID (0008,0018).
    frame : int
        Frame number from 1 in a multi-frame object, else 0.

    Examples
    --------
    >>> source_name("2.25.17"), source_name("2.25.17", 3)
    ('2.25.17', '2.25.17/frames/3')
    """
    return f"{sop_instance_uid}/frames/{frame}" if frame else sop_instance_uid


def source_parts(source: str) -> tuple[str, int]:
    """Return the SOPInstanceUID and the frame number that `source_name` made a name of.

    Examples
    --------
    >>> source_parts("2.25.17"), source_parts("2.25.17/frames/3")
    (('2.25.17', 0), ('2.25.17', 3))
    """
    found = _FRAME.fullmatch(source)
    return (source, 0) if found is None else (found[1], int(found[2]))


def new_uid() -> str:
    """Return a fresh UID of the UUID-derived arc (DICOM PS3.5 B.2)."""
    return f"{UID_PREFIX}{uuid.uuid4().int}"
