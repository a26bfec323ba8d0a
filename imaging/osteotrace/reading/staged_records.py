"""A reading with its facts and stages as a new record, which amends the one it stages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment
from osteotrace.reading.assessing import SOFTWARE
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from osteotrace.findings import Case, StagingResult
    from osteotrace.reading.case_facts import CaseFacts


def staged_record(
    case: Case,
    stated: CaseFacts,
    results: Iterable[StagingResult],
    *,
    reader: str = "",
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
) -> Assessment:
    """Return the record of a staging: an amendment of the reading of its date.

    Where no study was read at that date, it is a record of facts and stages alone.

    Parameters
    ----------
    case : Case
        The patient, as it was staged.
    stated : CaseFacts
        The facts that were added to it.
    results : iterable of StagingResult
        Its stages, all of one date.
    reader : str
        Who answers for it; by default the reader of the study, else the author of the
        facts.
    now : datetime, optional
        When it is recorded; by default the present.
    uids : callable
        Returns a new UID.

    Raises
    ------
    OsteotraceError
        If there is nothing to record, the dates differ, or several readings of the date
        could be amended.
    """
    every = tuple(results)
    date = _date(every)
    recorded = (now or datetime.now(UTC).astimezone()).isoformat(timespec="seconds")
    base = _base(case, date, reader)
    if base is None:
        authors = dict.fromkeys(fact.author for fact in stated.facts)
        return Assessment(
            assessment_uid=uids(),
            study_uid="",
            patient=case.patient,
            study_date=date,
            reader=reader or next(iter(authors), ""),
            recorded=recorded,
            series=(),
            software=SOFTWARE,
            facts=stated.facts,
            drugs=stated.drugs,
            stagings=every,
            protocol="staging",
        )
    return msgspec.structs.replace(
        base,
        assessment_uid=uids(),
        predecessor_uid=base.assessment_uid,
        reader=reader or base.reader,
        recorded=recorded,
        software=SOFTWARE,
        facts=tuple(dict.fromkeys((*base.facts, *stated.facts))),
        drugs=tuple(dict.fromkeys((*base.drugs, *stated.drugs))),
        stagings=every,
    )


def _date(results: tuple[StagingResult, ...]) -> str:
    dates = sorted({result.date for result in results})
    if len(dates) == 1:
        return dates[0]
    raise OsteotraceError(
        f"stages of the dates {', '.join(dates)}" if dates else "no stage to record",
        expected="stages of one date",
        advice="stage and save one date at a time",
        usage=True,
    )


def _base(case: Case, date: str, reader: str) -> Assessment | None:
    """Return the reading of the date that is amended, None where none was made."""
    readings = [one for one in case.current() if one.study_date == date]
    own = [one for one in readings if reader and one.reader == reader]
    chosen = own or readings
    if len(chosen) > 1:
        raise OsteotraceError(
            f"{len(chosen)} readings of {date}, by "
            + ", ".join(one.reader or "nobody named" for one in chosen),
            expected="one that the stage is recorded in",
            advice="name its reader with --reader",
            usage=True,
        )
    return chosen[0] if chosen else None
