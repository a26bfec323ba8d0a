"""What the types cannot tell of an entry: codes, points, regions, patterns of labels."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from osteotrace.codes import KINDS, QUANTITIES, SITES
from osteotrace.protocol.entries import VertebraEntry
from osteotrace.protocol.entry import Entry, Where, places, regions
from osteotrace.protocol.marked import MarkedEntry
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.codes import Concept
    from osteotrace.errors import OsteotraceError

    # Key, what was found, what was expected.
    Refuse = Callable[[str, str, str], OsteotraceError]

_PLACEHOLDER: Final = re.compile(r"\{(\w*)\}")


def check_entry(entry: Entry, refuse: Refuse) -> None:
    """Check one entry.

    Parameters
    ----------
    entry : Entry
    refuse : callable
        Makes the error of a key, of what was found and what was expected.

    Raises
    ------
    OsteotraceError
        What `refuse` returns, at the first mistake.
    """
    vocabularies: dict[str, dict[str, Concept]] = {
        "kind": KINDS,
        "site": SITES,
        "quantity": QUANTITIES,
    }
    for key, known in vocabularies.items():
        value = getattr(entry, key, None)
        if value is not None and value not in known:
            choice = "one of " + ", ".join(sorted(known))
            raise refuse(key, f"the {key} {value!r}", choice)
    for key in ("label", "modality"):
        if not getattr(entry, key).strip():
            expected = "a short text" + (", here or in [series]" * (key == "modality"))
            raise refuse(key, f"an empty {key}", expected)
    located = tuple(places(entry))
    uid = entry.frame_of_reference_uid
    if (uid or located) and not is_uid(uid):
        raise refuse("frame_of_reference_uid", f"{uid!r}", "a DICOM UID")
    for key, point in located:
        if not all(abs(x) < float("inf") for x in point):
            raise refuse(key, f"{point}", "three finite numbers, LPS mm")
    for key, where in regions(entry):
        check_where(where, partial(refuse, key))
    for key, found, expected in entry.wrong():
        raise refuse(key, found, expected)
    for key, found, expected in entry.select.wrong() if entry.select else ():
        raise refuse("select", f"{found} ({key})", expected)
    _check_names(entry, refuse)


def check_where(where: Where, refuse: Callable[[str, str], OsteotraceError]) -> None:
    """Check one region; ``refuse`` makes the error of what was found and expected."""
    ball = where.centre is not None or where.radius is not None
    given = [ball, where.corners is not None, where.label is not None]
    if sum(given) != 1:
        raise refuse(
            f"{sum(given)} of ball, box and label", "centre and radius, corners, or label"
        )
    if ball and (where.centre is None or not 0 < (where.radius or 0.0) < float("inf")):
        raise refuse("half a ball", "a centre and a radius above 0 mm")
    if where.corners is not None and any(
        a == b for a, b in zip(*where.corners, strict=True)
    ):
        raise refuse("a box without thickness", "corners that differ in x, y and z")
    if where.label is not None and not where.label.strip():
        raise refuse("an empty label", "the name of a label")
    if where.optional is not None and where.label is None:
        raise refuse("an optional place", "optional beside a label alone")


def _check_names(entry: Entry, refuse: Refuse) -> None:
    """Check the placeholders of an entry that stands for several findings."""
    wild = [key for key, where in regions(entry) if "*" in (where.label or "")]
    if len(wild) > 1:
        found = f"patterns in {' and '.join(wild)}"
        raise refuse(wild[1], found, "one pattern; {match} where the others follow it")
    known = {"name", "match"} if wild else set()
    if isinstance(entry, VertebraEntry) and entry.levels:
        known = {"level"}
    if isinstance(entry, MarkedEntry):
        known = {"name"}
    names = [(key, where.label or "") for key, where in regions(entry)]
    for key, text in [("label", entry.label), *names]:
        for name in _PLACEHOLDER.findall(text) if known else ():
            if name not in known:
                choice = " or ".join(f"{{{one}}}" for one in sorted(known))
                raise refuse(key, f"the placeholder {{{name}}}", choice)
