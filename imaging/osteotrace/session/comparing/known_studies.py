"""The studies of the patient that stand beside the one that is read.

Known are the studies below every folder that is open, and those of which a reading is
saved: a study may have images, a reading, or both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.findings import Assessment, Case
from osteotrace.findings.dates import interval
from osteotrace.pseudonym import is_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.findings import Finding
    from osteotrace.series import VolumeHeader

# Modality (0008,0060) of what belongs to images and is none itself.
NO_IMAGES: Final = ("SEG", "SR")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStudy:
    """A study of the patient: its images where they are open, its reading where saved.

    Parameters
    ----------
    study_uid : str
        StudyInstanceUID (0020,000D).
    date : str
        ISO 8601; empty where not known.
    headers : tuple of VolumeHeader
        The volumes that can be measured.
    reading : Assessment or None
        The saved reading that stands beside the one in hand: the reader's own where
        there is one, else the latest. Of the study that is read, the draft itself.
    readers : tuple of str
        Whose readings of it are saved.
    is_read : bool
        Whether it is the study that is read.
    """

    study_uid: str
    date: str
    headers: tuple[VolumeHeader, ...] = ()
    reading: Assessment | None = None
    readers: tuple[str, ...] = ()
    is_read: bool = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found on it."""
        return () if self.reading is None else self.reading.findings

    @property
    def name(self) -> str:
        """Its date, as people call it."""
        return self.date or "without a date"

    def apart(self, read: KnownStudy) -> str:
        """Return how long before or after the study that is read it was, in words.

        Examples
        --------
        >>> now = KnownStudy(study_uid="2.25.1", date="2024-01-15", is_read=True)
        >>> KnownStudy(study_uid="2.25.2", date="2023-06-20").apart(now)
        '7 months before'
        """
        if self.is_read or not self.date or not read.date:
            return ""
        if self.date == read.date:
            return "the same day"
        if self.date < read.date:
            return f"{interval(self.date, read.date)} before"
        return f"{interval(read.date, self.date)} after"


def known_studies(
    headers: Iterable[VolumeHeader],
    saved: Iterable[Assessment],
    draft: Assessment | None,
) -> tuple[KnownStudy, ...]:
    """Return the studies of the patient of a draft, by date; undated ones last.

    Parameters
    ----------
    headers : iterable of VolumeHeader
        The volumes below every folder that is open.
    saved : iterable of Assessment
        Every saved reading of the patient.
    draft : Assessment or None
        The reading in hand; nothing is known without one.
    """
    if draft is None:
        return ()
    images: dict[str, list[VolumeHeader]] = {draft.study_uid: []}
    dates: dict[str, str] = {draft.study_uid: draft.study_date}
    for header in headers:
        if not _is_of(header, draft):
            continue
        uid = header.identity.study_uid
        dates.setdefault(uid, header.identity.date)
        every = images.setdefault(uid, [])
        if header.measurable and header.identity.modality not in NO_IMAGES:
            every.append(header)
    readings = _readings(saved, draft)
    for uid, ones in readings.items():
        dates[uid] = dates.get(uid) or ones[0].study_date
    found = (
        KnownStudy(
            study_uid=uid,
            date=date,
            headers=_once(images.get(uid, [])),
            reading=_beside(readings.get(uid, []), draft, uid),
            readers=tuple(dict.fromkeys(one.reader for one in readings.get(uid, []))),
            is_read=uid == draft.study_uid,
        )
        for uid, date in dates.items()
    )
    return tuple(sorted(found, key=lambda one: (not one.date, one.date, one.study_uid)))


def _is_of(header: VolumeHeader, draft: Assessment) -> bool:
    """Tell whether a volume is of the patient; of nameless ones only the study tells."""
    if is_named(draft.patient):
        return header.identity.patient == draft.patient
    return header.identity.study_uid == draft.study_uid


def _readings(
    saved: Iterable[Assessment], draft: Assessment
) -> dict[str, list[Assessment]]:
    """Return the readings that nothing amends by study, the latest first."""
    current = Case(patient=draft.patient, assessments=tuple(saved)).current()
    found: dict[str, list[Assessment]] = {}
    for one in sorted(current, key=lambda one: one.recorded, reverse=True):
        if one.study_uid:
            found.setdefault(one.study_uid, []).append(one)
    return found


def _beside(ones: list[Assessment], draft: Assessment, uid: str) -> Assessment | None:
    if uid == draft.study_uid:
        return draft
    own = (one for one in ones if one.reader == draft.reader)
    return next(own, ones[0] if ones else None)


def _once(headers: Iterable[VolumeHeader]) -> tuple[VolumeHeader, ...]:
    """Return each volume once: a folder may be open twice."""
    found = {(one.identity.series_uid, one.k): one for one in headers}
    return tuple(found.values())
