"""What travels to the process that measures, and what comes back: no pixels.

A task is a study, or all studies of a patient where one is staged beside those before it.
Its catalogue names the files and what their headers say; the voxels are read where they
are measured. The answer is rows of text and numbers, and the name of the folder that the
files of the study wait in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from osteotrace.findings import Assessment
    from osteotrace.protocol import Protocol
    from osteotrace.protocol.outcomes import Pictures
    from osteotrace.reading.case_facts import CaseFacts
    from osteotrace.series import Catalogue, VolumeHeader

# A row of a table with the columns that say nothing left out.
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all tasks of a run share.

    Parameters
    ----------
    protocol : Protocol
    root : Path
        The tree; a process that does not see it cannot measure any of it.
    unfinished : Path
        Folder that the files of studies wait in until the run takes them over.
    masks : Path or None
    facts : CaseFacts or None
        As `osteotrace.reading.read_study`.
    reader : str
    allow_gaps : bool
    records : bool
        Whether DICOM SR and SEG are written.
    pictures : str
        ``finding``, ``case`` or ``none``.
    now : datetime or None
        Time of the readings; the clock's where it is None.
    software : tuple of (str, str)
        Names and versions of what measures: other versions may give other numbers.
    seconds : float or None
        A task that takes longer is ended.
    """

    protocol: Protocol
    root: Path
    unfinished: Path
    masks: Path | None
    facts: CaseFacts | None
    reader: str
    allow_gaps: bool
    records: bool
    pictures: Pictures
    now: datetime | None
    software: tuple[tuple[str, str], ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Study:
    """One study of a task.

    Parameters
    ----------
    catalogue : Catalogue
        Its series: files and headers.
    alike : tuple of VolumeHeader
        Scans of other patients on the grid of one of its scans.
    """

    catalogue: Catalogue
    alike: tuple[VolumeHeader, ...] = field(default=(), repr=False)

    @property
    def patient(self) -> str:
        """Pseudonym."""
        return self.catalogue.series[0].identity.patient

    @property
    def date(self) -> str:
        """Study date, ISO 8601; may be empty."""
        return self.catalogue.series[0].identity.date

    @property
    def uid(self) -> str:
        """StudyInstanceUID."""
        return self.catalogue.series[0].identity.study_uid


# One is itself alone: what it holds is not compared.
@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Studies that are measured together, by date, and the settings of the run.

    Parameters
    ----------
    studies : tuple of Study
    settings : Settings
    earlier : tuple of Assessment
        Readings of the patient that were made before.
    """

    studies: tuple[Study, ...]
    settings: Settings
    earlier: tuple[Assessment, ...] = ()


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An `OsteotraceError` as a record."""

    found: str
    expected: str
    advice: str
    where: str = ""

    @classmethod
    def of(cls, error: OsteotraceError) -> Problem:
        """Return the record of an error."""
        return cls(**error.as_dict())

    @property
    def error(self) -> OsteotraceError:
        """The error itself."""
        return OsteotraceError(
            self.found, expected=self.expected, advice=self.advice, where=self.where
        )


class StudyOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one study.

    Parameters
    ----------
    study_uid, patient, date : str
    rows : list of dict
        Of the table; one that says why where the study failed.
    folder : str
        Name of the study's folder in the run's, empty where it failed.
    draft : str
        Name of the folder it waits in.
    error : Problem or None
        Why it was not measured, without the place, which may name a patient.
    selected : bool
        False where that is no failure: the protocol means nothing in the study.
    """

    study_uid: str
    patient: str
    date: str
    rows: list[Row]
    folder: str = ""
    draft: str = ""
    error: Problem | None = None
    selected: bool = True

    @property
    def failed(self) -> bool:
        """Whether it could not be measured although the protocol means it."""
        return self.error is not None and self.selected


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a task.

    Parameters
    ----------
    studies : tuple of StudyOutcome
        One a study of the task; empty where it was not measured.
    unseen : bool
        Whether the tree was not there any more when a study failed.
    stop : Problem or None
        Why neither this task nor any other can be done as things are.
    died : str
        How the process ended that was measuring it, where it did.
    """

    studies: tuple[StudyOutcome, ...] = ()
    unseen: bool = False
    stop: Problem | None = None
    died: str = ""
