"""Whose draft is whose: a study and its patient, and the journal that belongs to them.

A journal is found by Study Instance UID and reader. Copies of a study under other
pseudonyms share that UID: each patient then has a draft of his own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.session.draft import Draft
from osteotrace.session.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from osteotrace.series import VolumeHeader
    from osteotrace.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOfPatient:
    """What tells the draft of one study from all others.

    Parameters
    ----------
    key : str
        StudyInstanceUID (0020,000D); where it was not named, patient and series.
    patient : str
        Pseudonym of the patient.
    """

    key: str
    patient: str

    @classmethod
    def of(cls, images: VolumeHeader | Volume) -> Self:
        """Return the study that a volume is of."""
        study = images.identity
        if study.study_uid:
            return cls(key=study.study_uid, patient=study.patient)
        series = study.series_uid or images.instances[0].source
        return cls(key=f"{study.patient_id}/{series}", patient=study.patient)

    def journals(self, reader: str, folder: Path | None) -> tuple[str, ...]:
        """Return the keys of the journals that may be its own, the likeliest first."""
        own = f"{self.key}/{self.patient}"
        if Journal.is_there(own, reader, folder=folder):
            return (own,)
        return (self.key, own)

    def owns(self, draft: Draft) -> bool:
        """Tell whether a draft is its own, or of nobody yet."""
        return draft.start is None or draft.start.patient == self.patient


def take_up(
    study: StudyOfPatient, reader: str, folder: Path | None
) -> tuple[Journal, Draft]:
    """Return the journal of a study, held from now on, and the draft it comes to.

    Raises
    ------
    OsteotraceError
        If the draft is damaged, or another session holds it.
    """
    for key in study.journals(reader, folder):
        journal, draft = _replayed(key, reader, folder)
        if study.owns(draft):
            return journal, draft
        journal.close()
    raise OsteotraceError(
        "a draft of another patient under this study",
        expected=f"a draft of {study.patient}",
        advice="begin this reading anew: the draft is set aside, not deleted",
        where=str(journal.path),
    )


def set_aside(study: StudyOfPatient, reader: str, folder: Path | None) -> Path | None:
    """Give the journal of a study another name; return it, None where there was none.

    Raises
    ------
    OsteotraceError
        If another session holds it, or it cannot be renamed.
    """
    for key in study.journals(reader, folder):
        try:
            journal, draft = _replayed(key, reader, folder)
        except OsteotraceError:
            # Damaged: this is the one that stands in the way.
            break
        journal.close()
        if study.owns(draft):
            break
    return Journal.set_aside(key, reader, folder=folder)


def _replayed(key: str, reader: str, folder: Path | None) -> tuple[Journal, Draft]:
    journal = Journal(key, reader, folder=folder)
    draft = Draft()
    try:
        for line in journal.lines:
            draft.apply(line)
    except OsteotraceError:
        journal.close()
        raise
    return journal, draft
