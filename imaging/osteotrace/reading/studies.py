"""Studies measured by a protocol: one, or a tree of them of which some may fail."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace import protocol as protocols
from osteotrace.errors import OsteotraceError
from osteotrace.reading.assessing import assess
from osteotrace.reading.images import StudyImages, label_files
from osteotrace.reading.lesions import findings_of
from osteotrace.series import Catalogue, Series, scan
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from osteotrace.findings import Assessment
    from osteotrace.protocol import Protocol
    from osteotrace.series import VolumeHeader
    from osteotrace.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReading:
    """What became of one study: its assessment, or the error that prevented it.

    Parameters
    ----------
    study_uid, patient : str
        StudyInstanceUID and pseudonym.
    assessment : Assessment or None
        None where the study failed.
    error : OsteotraceError or None
        Why it failed.
    volumes : tuple of Volume
        The volumes that were read, for pictures.
    catalogue : Catalogue or None
        The study's series, for records that name their images.
    """

    study_uid: str
    patient: str
    assessment: Assessment | None = None
    error: OsteotraceError | None = None
    volumes: tuple[Volume, ...] = field(default=(), repr=False)
    catalogue: Catalogue | None = field(default=None, repr=False)


def measure(
    path: str | os.PathLike[str],
    protocol: Protocol | str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    reader: str = "",
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
) -> Assessment:
    """Measure one study by a protocol.

    Parameters
    ----------
    path : path
        A folder that holds one study.
    protocol : Protocol, str or path
        A protocol, its name, or its file.
    masks : path, optional
        A file or folder of DICOM SEG, NIfTI or NRRD labels that the protocol names;
        the study's own DICOM SEG are read in any case. Files that are no DICOM name no
        patient: where scans of several patients share a grid, they are not used.
    reader : str
        Who is responsible for the reading.
    now : datetime, optional
        Time of the reading; the clock's by default.
    uids : callable
        Makes the assessment's UID; tracking UIDs follow from study and label.

    Returns
    -------
    Assessment

    Raises
    ------
    OsteotraceError
        If the path does not hold exactly one study, there are no masks, a series or a
        label that the protocol means is missing or ambiguous, or a series is in another
        frame of reference or cannot be measured.
    """
    catalogue = scan(path)
    studies = by_study(catalogue)
    if len(studies) > 1:
        raise OsteotraceError(
            f"{len(studies)} studies",
            expected="one study",
            advice="give one study's folder, or use osteotrace.measure_studies",
            where=str(path),
            usage=True,
        )
    (study,) = studies
    images = StudyImages(study, _masks(masks), _scans(studies))
    result = _read_study(study, images, _protocol(protocol), reader, now, uids)
    if result.assessment is None:
        assert result.error is not None
        raise result.error
    return result.assessment


def measure_studies(
    path: str | os.PathLike[str],
    protocol: Protocol | str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    reader: str = "",
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
) -> Iterator[StudyReading]:
    """Measure every study below a path; a study that fails does not stop the rest.

    A patient's studies follow each other by date, so that one can be staged beside those
    before it.
    Parameters and errors of the path and the protocol are those of `measure`; what goes
    wrong in a study is the ``error`` of its `StudyReading`.
    """
    checked = _protocol(protocol)
    studies = sorted(by_study(scan(path)), key=_patient_and_date)
    where, scans = _masks(masks), _scans(studies)
    return (
        _read_study(study, StudyImages(study, where, scans), checked, reader, now, uids)
        for study in studies
    )


def by_study(catalogue: Catalogue) -> list[Catalogue]:
    """Return one catalogue a study, in the order of the series."""
    members: dict[str, list[Series]] = defaultdict(list)
    for series in catalogue:
        members[series.identity.study_uid].append(series)
    return [
        Catalogue(root=catalogue.root, series=tuple(group), skipped=catalogue.skipped)
        for group in members.values()
    ]


def _patient_and_date(study: Catalogue) -> tuple[str, str]:
    identity = study.series[0].identity
    return identity.patient, identity.date


def _protocol(given: Protocol | str | os.PathLike[str]) -> Protocol:
    if isinstance(given, protocols.Protocol):
        return given
    return protocols.read(given)


def _masks(given: str | os.PathLike[str] | None) -> Path | None:
    """Return the path of the masks, which has to be there whatever the protocol asks."""
    if given is None:
        return None
    label_files(Path(given))
    return Path(given)


def _scans(studies: list[Catalogue]) -> tuple[VolumeHeader, ...]:
    return tuple(one for study in studies for series in study for one in series.volumes)


def _read_study(
    study: Catalogue,
    images: StudyImages,
    protocol: Protocol,
    reader: str,
    now: datetime | None,
    uids: Callable[[], str],
) -> StudyReading:
    who = study.series[0].identity
    try:
        findings = findings_of(protocol.entries, images)
        assessment = assess(
            images.volumes,
            findings,
            reader=reader,
            now=now,
            assessment_uid=uids(),
            protocol=protocol,
        )
    except OsteotraceError as problem:
        return StudyReading(study_uid=who.study_uid, patient=who.patient, error=problem)
    return StudyReading(
        study_uid=who.study_uid,
        patient=who.patient,
        assessment=assessment,
        volumes=images.volumes,
        catalogue=study,
    )
