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

    from osteotrace.findings import Case, DrugCourse, Fact, StagingResult
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
    """Return the record of a staging.

    The one reading of its date is amended by its own reader: the findings stay whose they
    are, and proposals that nobody has accepted stay proposals. Where no study was read at
    that date, or another reader stages it, it is a record of facts and stages alone.

    Parameters
    ----------
    case : Case
        The patient, as it was staged.
    stated : CaseFacts
        The facts that were added to it.
    results : iterable of StagingResult
        Its stages, all of one date.
    reader : str
        Who answers for the stages; by default the reader of the study, else the author
        of the facts.
    now : datetime, optional
        When it is recorded; by default the present. Facts that do not say when they were
        recorded get this time.
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
    facts, drugs = _recorded(stated, recorded)
    base = _base(case, date, reader)
    if base is None:
        authors = dict.fromkeys(fact.author for fact in facts)
        return Assessment(
            assessment_uid=uids(),
            study_uid="",
            patient=case.patient,
            study_date=date,
            reader=reader or next(iter(authors), ""),
            recorded=recorded,
            series=(),
            software=SOFTWARE,
            facts=facts,
            drugs=drugs,
            stagings=every,
            protocol="staging",
        )
    return msgspec.structs.replace(
        base,
        assessment_uid=uids(),
        predecessor_uid=base.assessment_uid,
        recorded=recorded,
        software=SOFTWARE,
        facts=_replaced(base.facts, facts),
        drugs=tuple(dict.fromkeys((*base.drugs, *drugs))),
        stagings=_restaged(base.stagings, every),
    )


def _restaged(
    old: tuple[StagingResult, ...], new: tuple[StagingResult, ...]
) -> tuple[StagingResult, ...]:
    """Return new stages, and the old ones of systems that were not staged again."""
    again = {(one.system, one.site, one.date) for one in new}
    kept = (one for one in old if (one.system, one.site, one.date) not in again)
    return (*kept, *new)


def _recorded(
    stated: CaseFacts, now: str
) -> tuple[tuple[Fact, ...], tuple[DrugCourse, ...]]:
    """Return the facts and drugs of a file with the time at which they are recorded."""
    facts = tuple(
        fact if fact.recorded else msgspec.structs.replace(fact, recorded=now)
        for fact in stated.facts
    )
    drugs = tuple(
        one if one.recorded else msgspec.structs.replace(one, recorded=now)
        for one in stated.drugs
    )
    return facts, drugs


def _replaced(old: tuple[Fact, ...], new: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Return facts with those taken out that the same author has stated anew."""
    anew = {fact.subject for fact in new}
    return (*(fact for fact in old if fact.subject not in anew), *new)


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
    """Return the reading of the date that is amended, None where there is none."""
    readings = [
        one
        for one in case.current()
        if one.study_date == date and reader in ("", one.reader)
    ]
    if len(readings) > 1:
        raise OsteotraceError(
            f"{len(readings)} readings of {date}, by "
            + ", ".join(one.reader or "nobody named" for one in readings),
            expected="one that the stage is recorded in",
            advice="name its reader with --reader, or who stages beside them",
            usage=True,
        )
    return readings[0] if readings else None
