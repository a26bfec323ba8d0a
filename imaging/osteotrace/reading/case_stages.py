"""A patient's case and stages for a script: from records, a file of facts, or both."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Case
from osteotrace.reading.case_facts import CaseFacts, read_facts
from osteotrace.reading.cases import saved_cases, stages, with_facts

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable

    from osteotrace.findings import StagingResult
    from osteotrace.reading.cases import CaseReading

    Path = str | os.PathLike[str]


def read_case(path: Path | None = None, *, facts: Path | None = None) -> Case:
    """Read a patient's case: every saved reading below a path, and stated facts.

    Parameters
    ----------
    path : path, optional
        A record (DICOM SR or JSON), a folder of records, or what ``measure`` wrote.
    facts : path, optional
        A TOML file of what is stated of the patient (``osteotrace stage --template``).

    Returns
    -------
    Case
        The readings by date; facts and courses of drugs with dates of their own.

    Raises
    ------
    OsteotraceError
        If neither is given, a record cannot be read, or the records are of several
        patients of whom the facts name none.
    """
    if path is None and facts is None:
        raise OsteotraceError(
            "neither records nor facts",
            expected="saved records, a file of facts, or both",
            advice="give a path, or facts=FILE",
            usage=True,
        )
    stated = _stated(facts)
    case = Case(patient="") if path is None else _case(path, stated)
    return with_facts(case, stated)


def stage(
    case: Case | Assessment | Path | None = None,
    date: str | datetime.date | None = None,
    *,
    facts: Path | CaseFacts | None = None,
    systems: str | Iterable[str] | None = None,
) -> tuple[StagingResult, ...]:
    """Stage a patient at a date by every system that applies.

    Parameters
    ----------
    case : Case, Assessment or path, optional
        The patient, one reading, or saved records, as `osteotrace.read_case` takes them.
    date : str or date, optional
        ISO 8601 day; by default the last at which something is stated or read.
    facts : path or CaseFacts, optional
        What is stated of the patient, with the stages that a reader has set.
    systems : str or iterable of str, optional
        Names from `osteotrace.staging.system_names`; by default all that are enabled.

    Returns
    -------
    tuple of StagingResult
        One a system and place: the interval of stages over every assignment of what is
        not known, with the rules that fired, their source and what blocks. A system of
        which nothing is known at the date is left out. No result advises treatment.

    Raises
    ------
    OsteotraceError
        If there is nothing to stage, a record or the facts cannot be read or are of
        another patient, a system is not known, or the date is no day.
    """
    stated = facts if isinstance(facts, CaseFacts) else _stated(facts)
    whole = with_facts(_case(case, stated), stated)
    day = date if date is None or isinstance(date, str) else date.isoformat()
    names = {systems} if isinstance(systems, str) else systems
    chosen = None if names is None else tuple(names)
    return stages(whole, day, systems=chosen, stated=stated)


def _stated(facts: Path | None) -> CaseFacts:
    return CaseFacts() if facts is None else read_facts(facts)


def _case(given: object, stated: CaseFacts) -> Case:
    """Return the case that is meant, without the facts that are stated beside it."""
    if isinstance(given, str | os.PathLike):
        return _of(saved_cases(given), stated.patient)
    if isinstance(given, Assessment):
        return Case(patient=given.patient, assessments=(given,))
    if given is None and stated != CaseFacts():
        return Case(patient="")
    if isinstance(given, Case):
        return given
    raise OsteotraceError(
        "nothing to stage" if given is None else f"{type(given).__name__} to be staged",
        expected="a case, a reading, saved records, or facts",
        advice="read a record first: osteotrace.stage(osteotrace.read(path))",
        usage=True,
    )


def _of(read: CaseReading, patient: str) -> Case:
    """Return the one case of several, by the patient whom the facts name."""
    if read.failures:
        raise read.failures[0]
    chosen = [case for case in read.cases if patient in ("", case.patient)]
    if len(chosen) == 1:
        return chosen[0]
    raise OsteotraceError(
        f"records of {len(read.cases)} patients",
        expected="one patient",
        advice="give one patient's records, or name the patient in the file of facts",
        usage=True,
    )
