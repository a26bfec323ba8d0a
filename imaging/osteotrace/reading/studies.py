"""Studies measured by a protocol: one, or a tree of them of which some may fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace import protocol as protocols
from osteotrace.errors import OsteotraceError
from osteotrace.reading import cases
from osteotrace.reading.assessing import assess
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.reading.images import StudyImages, label_files
from osteotrace.reading.lesions import findings_of
from osteotrace.reports import tables
from osteotrace.reports.shown import Card, card_of, title_of
from osteotrace.series import Catalogue, scan
from osteotrace.shown import Shown
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    import pandas as pd

    from osteotrace.findings import Assessment
    from osteotrace.protocol import Protocol
    from osteotrace.series import VolumeHeader
    from osteotrace.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StudyReading(Shown):
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

    def own_title(self) -> str:
        """Return what was read, or that it failed."""
        if self.assessment is not None:
            return title_of(self.assessment)
        return f"{self.patient}, study {self.study_uid}: failed"

    def own_card(self) -> Card:
        """Return the reading's card, or why there is none."""
        if self.assessment is not None:
            return card_of(self.assessment)
        assert self.error is not None
        why = (self.error.found, self.error.expected, self.error.advice)
        facts = tuple(zip(("found", "expected", "what to do"), why, strict=True))
        return Card(kind="Study", title=self.own_title(), facts=facts)

    def frame(self) -> pd.DataFrame:
        """Return the rows of the table as a data frame.

        Returns
        -------
        pandas.DataFrame
            One row a measurement, or the one row of a study that failed.
        """
        import pandas as pd

        if self.assessment is not None:
            rows = tables.rows(self.assessment, self.catalogue or ())
        else:
            assert self.error is not None
            rows = [tables.failure_row(self.study_uid, self.patient, self.error)]
        return pd.DataFrame(rows, columns=list(tables.COLUMNS))


def measure(
    path: str | os.PathLike[str] | Catalogue,
    protocol: Protocol | str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    reader: str = "",
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
    allow_gaps: bool = False,
) -> Assessment:
    """Measure one study by a protocol.

    Parameters
    ----------
    path : path or Catalogue
        A folder that holds one study, or what `osteotrace.scan` found in it; one of
        `Catalogue.studies` of several.
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
    allow_gaps : bool
        Whether missing and duplicate slices will do; values then say so.

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
    catalogue = path if isinstance(path, Catalogue) else scan(path)
    studies = by_study(catalogue)
    if len(studies) != 1:
        raise OsteotraceError(
            f"{len(studies)} studies" if studies else "no study",
            expected="one study",
            advice="give one study's folder, or use osteotrace.measure_studies",
            where=str(catalogue.root),
            usage=True,
        )
    result = read_study(
        studies[0],
        protocol_of(protocol),
        masks=masks_below(masks),
        reader=reader,
        now=now,
        assessment_uid=uids(),
        allow_gaps=allow_gaps,
    )
    if result.assessment is None:
        assert result.error is not None
        raise result.error
    return result.assessment


def measure_studies(
    path: str | os.PathLike[str] | Catalogue,
    protocol: Protocol | str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    facts: CaseFacts | None = None,
    reader: str = "",
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
    allow_gaps: bool = False,
) -> Iterator[StudyReading]:
    """Measure every study below a path; a study that fails does not stop the rest.

    A patient's studies follow each other by date, so that each is staged beside those
    before it. `osteotrace.measure_tree` does the same in several processes and writes
    tables.

    Parameters
    ----------
    path : path or Catalogue
        A folder, or what `osteotrace.scan` found in it.
    protocol, masks, reader, now, uids, allow_gaps
        As `measure`.
    facts : CaseFacts, optional
        Clinical facts of the patient, with which every study is staged.

    Yields
    ------
    StudyReading
        What went wrong in a study is its ``error``.

    Raises
    ------
    OsteotraceError
        As `measure`, for the path, the protocol and the masks.
    """
    checked, where = protocol_of(protocol), masks_below(masks)
    catalogue = path if isinstance(path, Catalogue) else scan(path)
    studies = sorted(by_study(catalogue), key=patient_and_date)
    scans = tuple(one for study in studies for one in volumes_of(study))
    return _read_each(
        studies,
        lambda study, earlier: read_study(
            study,
            checked,
            masks=where,
            scans=scans,
            facts=facts,
            earlier=earlier,
            reader=reader,
            now=now,
            assessment_uid=uids(),
            allow_gaps=allow_gaps,
        ),
    )


def _read_each(
    studies: Iterable[Catalogue],
    read: Callable[[Catalogue, list[Assessment]], StudyReading],
) -> Iterator[StudyReading]:
    earlier: list[Assessment] = []
    for study in studies:
        patient = study.series[0].identity.patient
        earlier = [one for one in earlier if one.patient == patient]
        done = read(study, earlier)
        if done.assessment is not None:
            earlier.append(done.assessment)
        yield done


def read_study(
    study: Catalogue,
    protocol: Protocol,
    *,
    masks: Path | None = None,
    scans: Iterable[VolumeHeader] = (),
    facts: CaseFacts | None = None,
    earlier: Iterable[Assessment] = (),
    reader: str = "",
    now: datetime | None = None,
    assessment_uid: str = "",
    allow_gaps: bool = False,
) -> StudyReading:
    """Measure the series of one study, and stage it where facts or the protocol ask.

    Parameters
    ----------
    study : Catalogue
        The series of one study.
    protocol : Protocol
    masks : Path, optional
        A file or folder of labels.
    scans : iterable of VolumeHeader
        Every scan that is measured in the same run: a label file that names no patient
        and fits several of them is not used. The study's own by default.
    facts : CaseFacts, optional
        Clinical facts of the patient.
    earlier : iterable of Assessment
        Readings of the patient's earlier dates.
    reader, now, assessment_uid
        As `osteotrace.reading.assess`.
    allow_gaps : bool
        As `measure`.

    Returns
    -------
    StudyReading
        With the error, where the study cannot be measured.
    """
    who = study.series[0].identity
    images = StudyImages(
        study,
        masks,
        tuple(scans) or volumes_of(study),
        sources=protocol.masks,
        allow_gaps=allow_gaps,
    )
    try:
        findings = findings_of(protocol.entries, images)
        assessment = assess(
            images.volumes,
            findings,
            reader=reader,
            now=now,
            assessment_uid=assessment_uid,
            protocol=protocol,
        )
        systems = protocol.staging.systems
        if facts is not None or systems:
            assessment = cases.staged(
                assessment, facts or CaseFacts(), earlier, systems=systems or None
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


def by_study(catalogue: Catalogue) -> list[Catalogue]:
    """Return one catalogue a study, in the order of the series."""
    return list(catalogue.studies)


def patient_and_date(study: Catalogue) -> tuple[str, str, str]:
    """Return what a tree's studies are put in order by: pseudonym, date and UID."""
    identity = study.series[0].identity
    return identity.patient, identity.date, identity.study_uid


def volumes_of(study: Catalogue) -> tuple[VolumeHeader, ...]:
    """Return every volume of a study, not loaded."""
    return tuple(one for series in study for one in series.volumes)


def protocol_of(given: Protocol | str | os.PathLike[str]) -> Protocol:
    """Return a protocol that was given as one, by name or by file.

    Raises
    ------
    OsteotraceError
        As `osteotrace.protocol.read`.
    """
    return given if isinstance(given, protocols.Protocol) else protocols.read(given)


def masks_below(given: str | os.PathLike[str] | None) -> Path | None:
    """Return the path of the masks, which has to be there whatever the protocol asks.

    Raises
    ------
    OsteotraceError
        If there is no such file or folder.
    """
    if given is None:
        return None
    label_files(Path(given))
    return Path(given)
