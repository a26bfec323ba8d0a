"""Staging: published systems as data, one engine, one file a system.

`stage` answers with an interval, the rules that fired, the unknowns that block and the
one question that would narrow it most. No result advises treatment. A further system is
one new file in `osteotrace.staging.systems`.
"""

from __future__ import annotations

import datetime
import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Case
from osteotrace.findings.dates import days
from osteotrace.staging import systems as _systems
from osteotrace.staging.contradictions import contradictions
from osteotrace.staging.evidence import Evidence, dates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.findings import Override, StagingResult

__all__ = ["Evidence", "contradictions", "dates", "stage", "system_names"]


class System(Protocol):
    """A module of `osteotrace.staging.systems`.

    Attributes
    ----------
    SYSTEMS : tuple of str
        Keys of `osteotrace.codes.STAGINGS` that it stages by.
    ENABLED : bool
        False for a table that awaits confirmation: it is staged only when asked for.
    """

    SYSTEMS: tuple[str, ...]
    ENABLED: bool

    def stage(self, case: Case, date: str) -> tuple[StagingResult, ...]:
        """Return its results at a date; none where nothing of it is known."""
        ...


@cache
def _modules() -> tuple[System, ...]:
    found = sorted(module.name for module in pkgutil.iter_modules(_systems.__path__))
    return tuple(
        cast("System", importlib.import_module(f"{_systems.__name__}.{name}"))
        for name in found
    )


def system_names(*, enabled_only: bool = False) -> tuple[str, ...]:
    """Return every staging system, as `stage` takes them."""
    return tuple(
        name
        for module in _modules()
        if module.ENABLED or not enabled_only
        for name in module.SYSTEMS
    )


def stage(
    case: Case | Assessment,
    date: str | datetime.date | None = None,
    *,
    systems: str | Iterable[str] | None = None,
) -> tuple[StagingResult, ...]:
    """Stage a case at a date by every system that applies.

    Parameters
    ----------
    case : Case or Assessment
        The patient: facts, courses of drugs, assessments; or one reading alone.
    date : str or date, optional
        ISO 8601 day; by default the last at which something is stated or read.
    systems : str or iterable of str, optional
        Names from `system_names`; by default all that are enabled. One that is not
        enabled is staged only when it is named here.

    Returns
    -------
    tuple of StagingResult
        A system of which nothing is known at the date is left out. A stage that a reader
        has set in a reading of that date stands beside the computed one.

    Raises
    ------
    OsteotraceError
        If a system is not known, the date is no day, or the case has no date.
    """
    case = _as_case(case)
    if systems is not None:
        systems = {systems} if isinstance(systems, str) else set(systems)
    wanted = systems
    strange = (wanted or set()) - set(system_names())
    if strange:
        raise OsteotraceError(
            f"the staging system {min(strange)!r}",
            expected="one of " + ", ".join(sorted(system_names())),
            advice="choose one of them",
            usage=True,
        )
    day = _day(case, date.isoformat() if isinstance(date, datetime.date) else date)
    kept = _overrides(case, day)
    return tuple(
        msgspec.structs.replace(result, override=kept.get((result.system, result.site)))
        for module in _modules()
        if (module.ENABLED if wanted is None else wanted & set(module.SYSTEMS))
        for result in module.stage(case, day)
        if wanted is None or result.system in wanted
    )


def _as_case(given: object) -> Case:
    if isinstance(given, Assessment):
        return Case(patient=given.patient, assessments=(given,))
    if isinstance(given, Case):
        return given
    raise OsteotraceError(
        f"{type(given).__name__} to be staged",
        expected="a Case or an Assessment",
        advice="read a record first: osteotrace.stage(osteotrace.read(path))",
        usage=True,
    )


def _overrides(case: Case, day: str) -> dict[tuple[str, str], Override]:
    """Return the stages that readers have set at a date, the latest of each system."""
    kept: dict[tuple[str, str], Override] = {}
    for assessment in case.current():
        for result in assessment.stagings:
            if result.override is not None and result.date == day:
                kept[result.system, result.site] = result.override
    return kept


def _day(case: Case, date: str | None) -> str:
    known = dates(case)
    if date is None and not known:
        raise OsteotraceError(
            "nothing that is stated or read at a date",
            expected="a study, or a fact with the day it held (YYYY-MM-DD)",
            advice="state a fact at its date, or name the date to stage at",
            usage=True,
        )
    day = known[-1] if date is None else date
    if not _is_day(day):
        raise OsteotraceError(
            f"the date {day!r}",
            expected="a day, YYYY-MM-DD",
            advice="name the day to stage at",
            usage=True,
        )
    return day


def _is_day(text: str) -> bool:
    try:
        first, last = days(text)
    except OsteotraceError:
        return False
    return first == last
