"""The marks of a reading that were carried forward, as the links that they are.

A value that was carried tells what the transform added to it (`findings.carried_values`),
so a saved reading says by itself which of its marks nobody clicked anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.comparison.records import Link
from osteotrace.findings.carried_values import registration_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.findings import Assessment


def carried_links(assessments: Iterable[Assessment]) -> tuple[Link, ...]:
    """Return a link for each carried finding: it has its lesion's tracking UID.

    Who made a reading has accepted what it holds.
    """
    found: dict[str, Link] = {}
    for reading in assessments:
        for _, uid, _ in registration_of([reading]):
            found[uid] = Link(
                earlier_uid=uid,
                later_uid=uid,
                basis="carried",
                confirmed_by=reading.reader,
            )
    return tuple(found.values())
