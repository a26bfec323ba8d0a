"""One reader's reading of one study, and a patient over time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from osteotrace.findings.facts import DrugCourse, Fact
from osteotrace.findings.finding import Finding, SeriesReference
from osteotrace.findings.staging_results import StagingResult
from osteotrace.shown import Shown

SCHEMA_VERSION: Final = 2
# The protocol of a reading that decides between two others.
_ADJUDICATION: Final = re.compile(r"adjudication of ([0-9.]+) and ([0-9.]+)", re.ASCII)


class Assessment(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One reader's reading of one study, or what was stated at a date without images.

    Parameters
    ----------
    assessment_uid : str
        UID of this reading (the SR's SOPInstanceUID once it is saved as one).
    study_uid : str
        StudyInstanceUID; empty where no images were read: then the reading has a date
        and facts, and its record is JSON.
    patient : str
        Pseudonym, never a name or identifier.
    study_date : str
        ISO 8601 date of the study, or empty.
    reader : str
        Who read it.
    recorded : str
        ISO 8601 date and time of the reading.
    series : tuple of SeriesReference
        The series that were read.
    findings : tuple of Finding
        What was found.
    facts : tuple of Fact
        Clinical inputs with dates of their own; one without a date holds at every date.
    drugs : tuple of DrugCourse
        Courses of drugs as known at this reading.
    stagings : tuple of StagingResult
        What staging gave at this reading.
    not_understood : tuple of str
        Parts of a record of other software that could not be read as findings.
    protocol : str
        Name of the protocol, or ``"interactive"``.
    protocol_sha256 : str
        SHA-256 of the protocol's text, or empty.
    software : str
        Name and version of the software that made the record.
    predecessor_uid : str
        SOPInstanceUID of the record this one amends, or empty.
    """

    assessment_uid: str
    study_uid: str
    patient: str
    study_date: str
    reader: str
    recorded: str
    series: tuple[SeriesReference, ...]
    software: str
    findings: tuple[Finding, ...] = ()
    facts: tuple[Fact, ...] = ()
    drugs: tuple[DrugCourse, ...] = ()
    stagings: tuple[StagingResult, ...] = ()
    not_understood: tuple[str, ...] = ()
    protocol: str = "interactive"
    protocol_sha256: str = ""
    predecessor_uid: str = ""
    schema_version: int = SCHEMA_VERSION

    def __getitem__(self, label: str) -> Finding:
        """Return the one finding of a label or tracking UID; KeyError without one."""
        found = [one for one in self.findings if label in (one.label, one.tracking_uid)]
        if len(found) != 1:
            raise KeyError(f"{len(found)} findings {label!r}")
        return found[0]

    @property
    def adjudicates(self) -> tuple[str, ...]:
        """UIDs of the two readings that this one decides between; else none."""
        found = _ADJUDICATION.fullmatch(self.protocol)
        return () if found is None else found.groups()


class Case(Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A patient over time: what belongs to the patient, and the assessments.

    Parameters
    ----------
    patient : str
        Pseudonym, never a name or identifier.
    assessments : tuple of Assessment
        Readings at their dates; several readers may have read one study.
    facts : tuple of Fact
        Clinical inputs with dates of their own; one without a date holds at every date.
    drugs : tuple of DrugCourse
        Courses of drugs over the whole time.
    """

    patient: str
    assessments: tuple[Assessment, ...] = ()
    facts: tuple[Fact, ...] = ()
    drugs: tuple[DrugCourse, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def current(self) -> tuple[Assessment, ...]:
        """Return the assessments that no other one here amends or decides on, by date."""
        amended = {one.predecessor_uid for one in self.assessments}
        amended |= {uid for one in self.assessments for uid in one.adjudicates}
        kept = (one for one in self.assessments if one.assessment_uid not in amended)
        return tuple(sorted(kept, key=lambda one: (one.study_date, one.recorded)))

    def stated(self) -> tuple[Fact, ...]:
        """Return the facts of the case and of its current readings, each once.

        What its author has stated anew (`Fact.subject`) takes the place of what was
        stated before; one that is not recorded yet is the latest. Nobody can say whether
        two nameless statements are of one person: both stay.
        """
        read = (fact for one in self.current() for fact in one.facts)
        # A record and a file of facts may state the very same.
        every = tuple(dict.fromkeys((*self.facts, *read)))
        latest: dict[tuple[str, ...], datetime] = {}
        for fact in every:
            moment = _recorded(fact)
            latest[fact.subject] = max(moment, latest.get(fact.subject, moment))
        return tuple(
            fact
            for fact in every
            if not fact.author.strip() or _recorded(fact) == latest[fact.subject]
        )


def _recorded(fact: Fact) -> datetime:
    """Return when a fact was recorded; without that it is stated now, the latest."""
    if not fact.recorded:
        return datetime.max.replace(tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(fact.recorded)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
