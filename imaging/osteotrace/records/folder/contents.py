"""What a folder of records holds, and which record amends which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.errors import OsteotraceError


class Record(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    array_like=True,
    tag=True,
):
    """What a folder's list says of one reading.

    Parameters
    ----------
    file : str
        Name in the folder.
    kind : ``"SR"`` or ``"JSON"``
        What the file is.
    sha256 : str
        Digest of the file's bytes.
    findings : int
        How many the reading has.
    assessment_uid, predecessor_uid, study_uid, patient, study_date, reader, recorded
        As in `osteotrace.findings.Assessment`.
    """

    file: str
    kind: Literal["SR", "JSON"]
    sha256: str
    assessment_uid: str
    predecessor_uid: str
    study_uid: str
    patient: str
    study_date: str
    reader: str
    recorded: str
    findings: int


class SegmentationFile(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    array_like=True,
    tag=True,
):
    """A DICOM segmentation in the folder; the report that names it checks its masks.

    Parameters
    ----------
    file : str
        Name in the folder.
    sop_instance_uid, study_uid : str
        SOPInstanceUID (0008,0018) and StudyInstanceUID (0020,000D).
    """

    file: str
    sop_instance_uid: str
    study_uid: str

    @property
    def is_renamed(self) -> bool:
        """Whether a report does not find the file by the UID that it names."""
        return self.file != f"{self.sop_instance_uid}.dcm"


@dataclass(frozen=True, slots=True)
class Divergence:
    """A record that several others amend, each without knowing of the others.

    Parameters
    ----------
    amended_uid : str
        UID of the record that they name.
    amendments : tuple of Record
        By the time they were recorded. All of them are current.
    """

    amended_uid: str
    amendments: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder of records holds.

    Parameters
    ----------
    folder : Path
        The folder.
    records : tuple of Record
        The readings, by patient, study date and time of recording.
    segmentations : tuple of SegmentationFile
        By name.
    refused : tuple of OsteotraceError
        One a file that is damaged, foreign, a second one of the same record, or named
        by the UID of another; its ``where`` is the file.
    """

    folder: Path
    records: tuple[Record, ...]
    segmentations: tuple[SegmentationFile, ...] = ()
    refused: tuple[OsteotraceError, ...] = ()

    def renamed_segmentations(self) -> tuple[Path, ...]:
        """Return the segmentations whose files are not named by their UID."""
        return tuple(self.folder / s.file for s in self.segmentations if s.is_renamed)

    def amendments(self, assessment_uid: str) -> tuple[Record, ...]:
        """Return the records that amend one directly."""
        return tuple(r for r in self.records if r.predecessor_uid == assessment_uid)

    def current(self) -> tuple[Record, ...]:
        """Return the records that no other one here amends."""
        amended = {record.predecessor_uid for record in self.records}
        return tuple(r for r in self.records if r.assessment_uid not in amended)

    def divergences(self) -> tuple[Divergence, ...]:
        """Return where amendments part: records that more than one other amends."""
        amending: dict[str, list[Record]] = {}
        for record in self.records:
            if record.predecessor_uid:
                amending.setdefault(record.predecessor_uid, []).append(record)
        return tuple(
            Divergence(
                uid, tuple(sorted(some, key=lambda r: (r.recorded, r.assessment_uid)))
            )
            for uid, some in sorted(amending.items())
            if len(some) > 1
        )

    def without_predecessor(self) -> tuple[Record, ...]:
        """Return amendments of records that are not, or no longer, in the folder."""
        here = {record.assessment_uid for record in self.records}
        return tuple(r for r in self.records if {r.predecessor_uid} - here - {""})
