"""Readings of several dates with what is known between them, compared as they are now."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from osteotrace.comparison import Link, StudyPair, compare
from osteotrace.comparison.differences import differences
from osteotrace.comparison.study_readings import study_readings
from osteotrace.findings import Case
from osteotrace.findings.carried_values import registration_of
from osteotrace.series.acquisition import acquisition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from osteotrace.alignment import Alignment
    from osteotrace.comparison import Comparison
    from osteotrace.findings import Assessment
    from osteotrace.reading.comparing.in_hand import StudyInHand
    from osteotrace.session.session import Session

    # The transforms between two studies by their UIDs, and why there are none.
    Between = Callable[[str, str], tuple[tuple[Alignment, ...], tuple[str, ...]]]


def compared(
    session: Session,
    studies: Sequence[StudyInHand],
    between: Between,
    *,
    now: datetime,
) -> Comparison:
    """Return studies of a session's patient compared, the draft as it is now.

    Parameters
    ----------
    session : Session
    studies : sequence of StudyInHand
        Two or more that were read.
    between : callable
        Returns the transforms between two of them, and refusals in words.
    now : datetime
        When it is made.

    Raises
    ------
    OsteotraceError
        If they cannot be compared.
    """
    case = _case(session, [one.assessment for one in studies])
    by_uid = {one.study.study_uid: one for one in studies}
    ordered = [
        by_uid[one.assessment.study_uid]
        for one in study_readings(case, reader=session.reader)
    ]
    read = [header for one in ordered for header in one.read_on().values()]
    matches = session.draft.agreed.matches
    return compare(
        case,
        pairs=tuple(_pairs(ordered, between)),
        confirmed=(
            *_proposals(session),
            *(
                Link(
                    earlier_uid=one.earlier_uid,
                    later_uid=one.later_uid,
                    basis="confirmed",
                    confirmed_by=one.by,
                )
                for one in matches
                # One that took the lesion's UID is the same by that.
                if one.is_same and not one.was_uid
            ),
        ),
        refused=tuple(one.pair for one in matches if not one.is_same),
        acquisitions=tuple(map(acquisition_of, read)),
        extents={
            header.identity.series_uid: header.grid
            for header in read
            if header.grid is not None
        },
        repeatabilities=session.comparing.standards.repeatabilities,
        accepted_flags=session.comparing.standards.accepted_flags,
        reader=session.reader,
        now=now,
    )


def _case(session: Session, readings: Sequence[Assessment]) -> Case:
    """Return the patient with these readings, and what was stated without images."""
    stated = [one for one in session.comparing.records if not one.study_uid]
    return Case(
        patient=readings[0].patient,
        assessments=tuple(_staged(session, one) for one in readings),
        facts=tuple(fact for one in stated for fact in one.facts),
        drugs=tuple(course for one in stated for course in one.drugs),
    )


def _staged(session: Session, reading: Assessment) -> Assessment:
    """Return a reading with its stages: those of the draft are as they are now."""
    own = session.draft.assessment()
    if own is None or reading.assessment_uid != own.assessment_uid:
        return reading
    return msgspec.structs.replace(reading, stagings=session.statements.stagings())


def _proposals(session: Session) -> Iterator[Link]:
    """Yield the carried marks of the draft that the reader has not accepted."""
    own = session.draft.assessment()
    if own is None:
        return
    carried = {uid for _, uid, _ in registration_of([own])}
    for one in session.held:
        if one.uid in carried and not one.accepted:
            yield Link(earlier_uid=one.uid, later_uid=one.uid, basis="carried")


def _pairs(ordered: Sequence[StudyInHand], between: Between) -> Iterator[StudyPair]:
    """Yield each study with the next, and the first with the last."""
    numbers = list(pairwise(range(len(ordered))))
    if len(ordered) > 2:
        numbers.append((0, len(ordered) - 1))
    for first, last in numbers:
        earlier, later = ordered[first], ordered[last]
        alignments, refusals = between(earlier.study.study_uid, later.study.study_uid)
        before, after = (
            [acquisition_of(header) for header in one.read_on().values()]
            for one in (earlier, later)
        )
        yield StudyPair(
            earlier=first,
            later=last,
            alignments=alignments,
            refusals=refusals,
            differences=differences(before, after) if before and after else (),
        )
