"""What is asked of an archive, and what it answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    from pathlib import Path

# What a query is for is a list to choose from; more is another question.
MOST_STUDIES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which studies are meant; what is left empty may be anything.

    Parameters
    ----------
    study_uid : str
        StudyInstanceUID (0020,000D).
    patient_id : str
        PatientID (0010,0020); ``*`` and ``?`` stand for any characters.
    patient_name : str
        PatientName (0010,0010), ``Family^Given``; ``*`` and ``?`` as above.
    accession_number : str
        AccessionNumber (0008,0050).
    date_from, date_to : str
        First and last StudyDate (0008,0020), ISO 8601; either may be empty.
    modality : str
        One of ModalitiesInStudy (0008,0061).
    description : str
        StudyDescription (0008,1030); ``*`` and ``?`` as above.
    limit : int
        Most studies to return.

    Raises
    ------
    OsteotraceError
        If a date is none, the UID is none, or the limit is below 1.
    """

    study_uid: str = ""
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    accession_number: str = field(default="", repr=False)
    date_from: str = ""
    date_to: str = ""
    modality: str = ""
    description: str = ""
    limit: int = MOST_STUDIES

    def __post_init__(self) -> None:
        if self.study_uid and not is_uid(self.study_uid):
            raise _wrong(f"the study UID {self.study_uid[:64]!r}", "a DICOM UID")
        for day in (self.date_from, self.date_to):
            if day:
                _check_date(day)
        if self.date_from and self.date_to and self.date_to < self.date_from:
            found = f"the dates {self.date_from} to {self.date_to}"
            raise _wrong(found, "the earlier date first")
        if self.limit < 1:
            raise _wrong(f"a limit of {self.limit} studies", "1 or more")

    def keys(self) -> dict[str, str]:
        """Return the matching keys by DICOM keyword, the empty ones left out."""
        days = [day.replace("-", "") for day in (self.date_from, self.date_to)]
        dates = days[0] if days[0] == days[1] else "-".join(days)
        asked = {
            "StudyInstanceUID": self.study_uid,
            "PatientID": self.patient_id,
            "PatientName": self.patient_name,
            "AccessionNumber": self.accession_number,
            "StudyDate": dates,
            "ModalitiesInStudy": self.modality,
            "StudyDescription": self.description,
        }
        return {keyword: value for keyword, value in asked.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFound:
    """A study that an archive holds.

    Parameters
    ----------
    study_uid : str
        StudyInstanceUID (0020,000D).
    patient : str
        Pseudonym, as `osteotrace.scan` gives it to the same patient.
    patient_id, issuer, patient_name, birth_date, accession_number : str
        As the archive states them; no representation shows them.
    date, time : str
        ISO 8601; empty where the archive states none.
    description : str
        StudyDescription (0008,1030).
    modalities : tuple of str
        ModalitiesInStudy (0008,0061).
    n_series, n_instances : int
        As the archive states them; 0 where it does not.
    """

    study_uid: str
    patient: str
    patient_id: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    accession_number: str = field(default="", repr=False)
    date: str = ""
    time: str = ""
    description: str = ""
    modalities: tuple[str, ...] = ()
    n_series: int = 0
    n_instances: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A study, or one series of it, that now lies in a folder whole.

    Parameters
    ----------
    study_uid : str
        StudyInstanceUID (0020,000D).
    folder : Path
        The folder; a folder a series in it, a file an instance, named by their UIDs.
    n_series, n_instances, n_bytes : int
        How many series and instances it holds, and the size of their files.
    """

    study_uid: str
    folder: Path
    n_series: int
    n_instances: int
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Instances that an archive now holds, each read back and found the same.

    Parameters
    ----------
    stored : tuple of str
        SOP Instance UIDs that were sent.
    already_there : tuple of str
        SOP Instance UIDs that the archive held before, with the same content.
    """

    stored: tuple[str, ...]
    already_there: tuple[str, ...] = ()


def _check_date(day: str) -> None:
    try:
        is_whole = date.fromisoformat(day).isoformat() == day
    except ValueError:
        is_whole = False
    if not is_whole:
        raise _wrong(f"the date {day!r}", "a date as 2024-01-31")


def _wrong(found: str, expected: str) -> OsteotraceError:
    return OsteotraceError(
        found, expected=expected, advice="correct the query", usage=True
    )
