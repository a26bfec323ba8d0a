"""A coded concept, the private scheme, and how both are looked up.

A concept is a code value with its scheme and meaning. Standard codes are those that
DICOM PS3.16 publishes; what no standard scheme names has a code of 99OSTEO, whose
values are never reused.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Mapping

Entry = TypeVar("Entry")

PRIVATE_SCHEME: Final = "99OSTEO"
PRIVATE_SCHEME_NAME: Final = "Bone lesion annotation, research"
# UUID-derived UID of the private scheme (DICOM PS3.5 B.2), fixed for ever.
PRIVATE_SCHEME_UID: Final = "2.25.278014649975893708401319332780597281323"


class Concept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A coded concept: code value, coding scheme designator, code meaning (PS3.3 8)."""

    value: str
    scheme: str
    meaning: str


def table(scheme: str, **meanings: tuple[str, str]) -> dict[str, Concept]:
    return {
        name: Concept(value, scheme, meaning)
        for name, (value, meaning) in meanings.items()
    }


def look_up(table: Mapping[str, Entry], name: str, what: str) -> Entry:
    """Return a concept, or another entry of a table, by its short name.

    Raises
    ------
    OsteotraceError
        If the table has no such name; the names it has are listed.
    """
    try:
        return table[name]
    except KeyError:
        near = get_close_matches(name.lower(), table, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise OsteotraceError(
            f"the {what} {name!r}",
            expected="one of " + ", ".join(sorted(table)),
            advice=f"correct the {what}{meant}",
            usage=True,
        ) from None


def name_of(table: dict[str, Concept], concept: Concept) -> str:
    """Return the short name of a concept, matched by value and scheme."""
    for name, known in table.items():
        if (known.value, known.scheme) == (concept.value, concept.scheme):
            return name
    raise OsteotraceError(
        f"the code {concept.value} of {concept.scheme} ({concept.meaning})",
        expected="a code of the osteotrace vocabulary",
        advice="read this record with the version of osteotrace that wrote it",
    )
