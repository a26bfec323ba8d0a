"""An archive's answer to a query for studies, as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.pacs.records import StudyFound
from osteotrace.pseudonym import pseudonym
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

# What a query asks to be told of a study.
STUDY_KEYWORDS: Final = (
    "StudyInstanceUID",
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "AccessionNumber",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)


def studies_found(answers: Iterable[Dataset], limit: int) -> tuple[StudyFound, ...]:
    """Return the studies that an archive named, newest first, each once.

    Parameters
    ----------
    answers : iterable of Dataset
        One a study; what has no usable UID is left out.
    limit : int
        Most to return.
    """
    found = {one.study_uid: one for one in map(_study, answers) if is_uid(one.study_uid)}
    newest = sorted(
        found.values(), key=lambda one: (one.date, one.time, one.study_uid), reverse=True
    )
    return tuple(newest[:limit])


def _study(answer: Dataset) -> StudyFound:
    patient_id, issuer = _text(answer, "PatientID"), _text(answer, "IssuerOfPatientID")
    return StudyFound(
        study_uid=_text(answer, "StudyInstanceUID"),
        patient=pseudonym(patient_id, issuer),
        patient_id=patient_id,
        issuer=issuer,
        patient_name=_text(answer, "PatientName"),
        birth_date=_date(_text(answer, "PatientBirthDate")),
        accession_number=_text(answer, "AccessionNumber"),
        date=_date(_text(answer, "StudyDate")),
        time=_time(_text(answer, "StudyTime")),
        description=_text(answer, "StudyDescription"),
        modalities=_texts(answer, "ModalitiesInStudy"),
        n_series=_count(answer, "NumberOfStudyRelatedSeries"),
        n_instances=_count(answer, "NumberOfStudyRelatedInstances"),
    )


def _texts(answer: Dataset, keyword: str) -> tuple[str, ...]:
    value = answer.get(keyword)
    if value is None or value == "":
        return ()
    values = [value] if isinstance(value, str) or not hasattr(value, "append") else value
    return tuple(str(part).strip(" \0") for part in values)


def _text(answer: Dataset, keyword: str) -> str:
    return "\\".join(_texts(answer, keyword))


def _date(text: str) -> str:
    digits = text.replace(".", "")
    if len(digits) != 8 or not digits.isdigit():
        return text
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _time(text: str) -> str:
    digits = text.replace(":", "")
    if len(digits) < 6 or not digits[:6].isdigit():
        return text
    return f"{digits[:2]}:{digits[2:4]}:{digits[4:6]}"


def _count(answer: Dataset, keyword: str) -> int:
    text = _text(answer, keyword)
    return int(text) if text.isascii() and text.isdigit() else 0
