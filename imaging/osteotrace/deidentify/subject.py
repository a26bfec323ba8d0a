"""Whose file it is: the name that patient gets, and the words that must not stay."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from osteotrace.deidentify.vocabulary import words_of
from osteotrace.pseudonym import pseudonym

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom.dataset import Dataset

    from osteotrace.deidentify.options import Options
    from osteotrace.deidentify.secret import Secret

# Elements whose words go from every text: who it is, by name and number.
_NUMBERS: Final = (
    "PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "AdmissionID",
    "PatientBirthName", "PatientMotherBirthName", "RequestedProcedureID",
)  # fmt: skip
# PS3.5 6.2: a date, a time, and both, without ranges.
_DATE: Final = re.compile(r"[0-9]{8}")
_TIME: Final = re.compile(r"[0-9]{2,6}(\.[0-9]{1,6})?")
_DATE_TIME: Final = re.compile(r"[0-9]{8}([0-9]{0,6})(\.[0-9]{1,6})?([+-][0-9]{4})?")


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient in the run: the secret, the options and what they make of this one.

    Parameters
    ----------
    secret : Secret
    options : Options
    patient : str
        PatientID and its issuer as the file states them; empty for a nameless file.
    names : frozenset of str
        Words of names and numbers, lower case, that no text keeps.
    """

    secret: Secret
    options: Options
    patient: str
    names: frozenset[str] = frozenset()

    @property
    def patient_id(self) -> str:
        """The new PatientID; a nameless patient stays nameless."""
        return self.secret.word("patient", self.patient, "D-") if self.patient else ""

    @property
    def pseudonym(self) -> str:
        """What tables call the patient from now on."""
        return pseudonym(self.patient_id)

    @property
    def days(self) -> int:
        """By how many days dates move."""
        return self.secret.days(self.patient)

    def person(self, name: str) -> str:
        """Return what a reader is called from now on; nobody stays nobody."""
        known = " ".join(name.replace("^", " ").split()).lower()
        return self.secret.word("person", known, "R-") if known else ""

    def date(self, text: str) -> str:
        """Return a DICOM date (VR DA) as the options want it, empty where it must go."""
        if self.options.dates == "remove" or not _DATE.fullmatch(text):
            return ""
        return self._moved(text)

    def time(self, text: str) -> str:
        """Return a DICOM time (VR TM) as the options want it."""
        kept = self.options.dates != "remove" and _TIME.fullmatch(text)
        return text if kept else ""

    def date_time(self, text: str) -> str:
        """Return a DICOM date and time (VR DT) as the options want it."""
        if self.options.dates == "remove" or not _DATE_TIME.fullmatch(text):
            return ""
        moved = self._moved(text[:8])
        # The offset from UTC tells the place.
        return re.sub(r"[+-][0-9]{4}$", "", f"{moved}{text[8:]}") if moved else ""

    def _moved(self, text: str) -> str:
        try:
            day = datetime.datetime.strptime(text, "%Y%m%d").date()
            if self.options.dates == "shift":
                day += datetime.timedelta(days=self.days)
        except (ValueError, OverflowError):
            return ""
        return f"{day.year:04d}{day.month:02d}{day.day:02d}"


@dataclass(frozen=True, slots=True)
class Subjects:
    """What tells whose a file is.

    Parameters
    ----------
    secret : Secret
    options : Options
    issuers : mapping of (str, str) to str
        IssuerOfPatientID by StudyInstanceUID and PatientID, for files that leave it out.
    """

    secret: Secret
    options: Options
    issuers: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def of(self, header: Dataset) -> Subject:
        """Return whose a file is, by its header."""
        study, patient = _text(header, "StudyInstanceUID"), _text(header, "PatientID")
        issuer = _text(header, "IssuerOfPatientID").strip()
        known = self.issuers.get((study, patient.strip()), "")
        return _subject(header, self.secret, self.options, patient, issuer or known)


def _subject(
    header: Dataset, secret: Secret, options: Options, patient_id: str, issuer: str
) -> Subject:
    patient = patient_id.strip()
    return Subject(
        secret=secret,
        options=options,
        patient=f"{issuer}\x1f{patient}" if patient else "",
        names=_names(header),
    )


def _text(header: Dataset, keyword: str) -> str:
    try:
        return str(header.get(keyword) or "")
    # What pydicom cannot decode is no name that a text could repeat.
    except Exception:
        return ""


def _names(header: Dataset) -> frozenset[str]:
    """Return the words of every person's name and of the patient's numbers."""
    from pydicom.datadict import dictionary_VR

    found: set[str] = set()
    for keyword in _NUMBERS:
        found |= words_of(_text(header, keyword))
    for tag in list(header.keys()):
        try:
            if not tag.is_private and dictionary_VR(tag) == "PN":
                found |= words_of(str(header[tag].value))
        except Exception:
            continue
    return frozenset(found)
