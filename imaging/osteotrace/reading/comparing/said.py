"""What a reader says of which findings are one lesion, by labels or tracking UIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.comparison.records import Link
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osteotrace.findings import Assessment

Pair = tuple[str, str]


def confirmed_links(
    said: Iterable[Link | Pair], readings: Sequence[Assessment], *, reader: str
) -> tuple[Link, ...]:
    """Return links of what a reader confirms.

    Parameters
    ----------
    said : iterable of Link or (earlier, later)
        Labels or tracking UIDs of a finding of an earlier and of a later study.
    readings : sequence of Assessment
        By date.
    reader : str
        Who says so.

    Raises
    ------
    OsteotraceError
        If nobody is named, or a pair means no two findings, or more than two.
    """
    links = []
    for one in said:
        if isinstance(one, Link):
            links.append(one)
            continue
        if not reader:
            raise OsteotraceError(
                "a match that nobody confirms",
                expected="the name of who confirms it",
                advice="give --reader NAME",
                usage=True,
            )
        earlier, later = _meant(one, readings)
        links.append(
            Link(
                earlier_uid=earlier,
                later_uid=later,
                basis="confirmed",
                confirmed_by=reader,
            )
        )
    return tuple(links)


def refused_pairs(
    said: Iterable[Pair], readings: Sequence[Assessment]
) -> tuple[Pair, ...]:
    """Return the tracking UIDs of pairs that are not one lesion; errors as above."""
    return tuple(_meant(pair, readings) for pair in said)


def _meant(pair: Pair, readings: Sequence[Assessment]) -> Pair:
    found = dict.fromkeys(_pairs(pair, readings))
    if len(found) == 1:
        return next(iter(found))
    known = sorted({one.label for reading in readings for one in reading.findings})
    several = f"{len(found)} pairs of findings" if found else "no pair of findings"
    raise OsteotraceError(
        f"{several} for {pair[0]}={pair[1]}",
        expected="one finding of an earlier study and one of a later",
        advice="give their tracking UIDs"
        if found
        else "give labels or tracking UIDs; there are " + ", ".join(known),
        usage=True,
    )


def _pairs(pair: Pair, readings: Sequence[Assessment]) -> Iterator[Pair]:
    for number, reading in enumerate(readings):
        for one in reading.findings:
            if pair[0] in (one.label, one.tracking_uid):
                for after in readings[number + 1 :]:
                    for other in after.findings:
                        if pair[1] in (other.label, other.tracking_uid):
                            yield one.tracking_uid, other.tracking_uid
