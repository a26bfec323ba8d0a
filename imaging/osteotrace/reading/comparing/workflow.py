"""Two studies or more in, a comparison out: gathered, read, aligned, carried, staged."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from osteotrace.comparison.site_repeatabilities import read_repeatabilities
from osteotrace.comparison.study_readings import study_readings
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Case
from osteotrace.reading.case_facts import CaseFacts, read_facts
from osteotrace.reading.comparing.gathering import check_patient, gathered
from osteotrace.reading.comparing.proposing import carry_forward
from osteotrace.reading.comparing.reading_studies import (
    How,
    checked_masks,
    protocols_of,
    read_studies,
)
from osteotrace.reading.comparing.said import confirmed_links, refused_pairs
from osteotrace.reading.comparing.task import Steps, Task
from osteotrace.reports import comparison as reports
from osteotrace.reports.shown import card_of, title_of
from osteotrace.shown import Shown
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import pandas as pd

    from osteotrace.change import Repeatability
    from osteotrace.comparison.records import Comparison, Link
    from osteotrace.findings import Assessment
    from osteotrace.protocol import Protocol
    from osteotrace.reading.comparing.in_hand import StudyInHand
    from osteotrace.reports.shown import Card
    from osteotrace.series import Catalogue
    from osteotrace.series.sources import Source
    from osteotrace.volume import Volume

    Path = str | os.PathLike[str]
    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ComparisonReading(Shown):
    """A comparison, with what it was made from.

    Parameters
    ----------
    comparison : Comparison
    assessments : tuple of Assessment
        The reading of each study, by its number; proposals are among their findings.
    volumes : dict of int to tuple of Volume
        What was loaded of each study, by its number, for pictures.
    catalogues : dict of int to Catalogue
        The series of each study that has images, for records that name them.
    failures : tuple of OsteotraceError
        What could not be read or followed; the rest is done.
    sources : tuple of Source
        Where the images come from: those of an archive are there as long as it is held.
    """

    comparison: Comparison
    assessments: tuple[Assessment, ...]
    volumes: dict[int, tuple[Volume, ...]] = field(default_factory=dict, repr=False)
    catalogues: dict[int, Catalogue] = field(default_factory=dict, repr=False)
    failures: tuple[OsteotraceError, ...] = ()
    sources: tuple[Source, ...] = field(default=(), repr=False)

    def own_title(self) -> str:
        """Return how many studies of whom, and what became of each lesion."""
        return title_of(self.comparison)

    def own_card(self) -> Card:
        """Return what is shown: the comparison, and what could not be done."""
        card = card_of(self.comparison)
        failed = tuple(f"failed: {one.found}; {one.advice}" for one in self.failures)
        return replace(card, lines=(*card.lines, *failed))

    def frame(self) -> pd.DataFrame:
        """Return the table of the comparison as a data frame.

        Returns
        -------
        pandas.DataFrame
            One row a lesion, quantity and step, in the columns of ``comparison.csv``.
        """
        return self.comparison.frame()

    def write_page(self, path: Path) -> pathlib.Path:
        """Write the comparison as one self-contained HTML page with its pictures.

        Parameters
        ----------
        path : path
            A new file.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        OsteotraceError
            If it exists or cannot be written.
        """
        pictures = reports.key_pictures(self.comparison, self.volumes)
        return reports.write_page(pathlib.Path(path), self.comparison, pictures)

    def write_tables(self, folder: Path) -> tuple[pathlib.Path, pathlib.Path]:
        """Write ``comparison.csv`` and ``comparison.parquet``, both or none.

        Parameters
        ----------
        folder : path
            Made where it is missing.

        Returns
        -------
        tuple of two pathlib.Path
            The CSV and the Parquet file.

        Raises
        ------
        OsteotraceError
            If one of them exists or cannot be written.
        """
        return reports.write_tables(pathlib.Path(folder), self.comparison)

    def save(self, folder: Path) -> tuple[pathlib.Path, ...]:
        """Write the comparison as a DICOM SR, and each transform as an object.

        Parameters
        ----------
        folder : path
            Made where it is missing; nothing in it is overwritten.

        Returns
        -------
        tuple of pathlib.Path
            The registrations, then the report.

        Raises
        ------
        OsteotraceError
            If the images do not say what a record must, or it cannot be written.
        """
        from osteotrace.reading.comparing.saving import save

        return save(self, folder)


def compare(
    *paths: Path,
    protocols: Sequence[Protocol | Path] = (),
    records: Path | None = None,
    masks: Path | None = None,
    tree: Path | None = None,
    facts: Path | CaseFacts | None = None,
    confirmed: Sequence[Link | tuple[str, str]] = (),
    refused: Sequence[tuple[str, str]] = (),
    repeatability: Mapping[str, Repeatability] | Path | None = None,
    accepted_flags: Sequence[str] = (),
    reader: str = "",
    allow_two_patients: bool = False,
    register: bool = True,
    carry: bool = True,
    now: datetime | None = None,
    uids: Callable[[], str] = new_uid,
    progress: Progress | None = None,
) -> ComparisonReading:
    """Compare two or more studies of a patient.

    Parameters
    ----------
    *paths : path
        A folder, zip or DICOMDIR of one study or of several; a saved record; what
        ``measure`` wrote; with `tree`, a StudyInstanceUID.
    protocols : sequence of Protocol, str or path
        By which studies without a saved reading are measured: one for all, or one a
        study in the order of the paths.
    records : path, optional
        A folder of saved readings; those beside the studies are found by themselves.
    masks : path, optional
        Labels that a protocol names, as in `osteotrace.measure`.
    tree : path, optional
        A folder that holds the studies which are given by their UID.
    facts : path or CaseFacts, optional
        What is stated of the patient: every date is then staged.
    confirmed : sequence of Link, or of (earlier, later)
        What a reader says is one lesion: labels or tracking UIDs of two findings.
    refused : sequence of (earlier, later)
        What a reader says is not.
    repeatability : path, or mapping of str to Repeatability, optional
        A site's own coefficients by quantity, or their file.
    accepted_flags : sequence of str
        Words of the doubts that a reader has looked at and lets pass: a value whose
        other doubts are none is compared.
    reader : str
        Whose readings are compared where several people read a study, and who compares.
    allow_two_patients : bool
        True where two identifiers are of one patient.
    register : bool
        False compares without laying the studies over each other.
    carry : bool
        False carries no mark forward to studies that do not speak of it.
    now : datetime, optional
        Time of the comparison; the clock's by default.
    uids : callable
        Makes the UIDs of readings.
    progress : callable, optional
        Called with the parts done so far and all of them.

    Returns
    -------
    ComparisonReading

    Raises
    ------
    OsteotraceError
        If there are less than two studies, they are of two patients, one is given twice,
        or no study has a finding that could be followed.
    """
    at = now or datetime.now().astimezone()
    steps = Steps(progress)
    # What is wrong with a small file is told before the long work.
    stated = facts if isinstance(facts, CaseFacts) else _facts(facts)
    coefficients = _repeatabilities(repeatability)
    found = gathered(paths, records=records, tree=tree, progress=steps.within)
    failures = list(found.failures)
    notes = _whose(found.studies, allow_two_patients=allow_two_patients)
    how = How(
        now=at,
        protocols=protocols_of(protocols),
        masks=checked_masks(masks),
        reader=reader,
        uids=uids,
    )
    _check_several(found.studies, failures, paths)
    studies = _by_date(read_studies(found.studies, how, failures))
    failures += _nothing_to_follow(studies)
    read = [one.assessment for one in studies]
    task = Task(
        studies=studies,
        others=found.stated,
        stated=stated,
        confirmed=confirmed_links(confirmed, read, reader=reader),
        let_pass=tuple(accepted_flags),
        keywords={
            "refused": refused_pairs(refused, read),
            "repeatabilities": coefficients,
            "reader": reader,
            "now": at,
        },
    )
    steps.plan(len(studies) - 1 if register else 0)
    task.pair(steps, register=register)
    if carry:
        notes += carry_forward(studies, task.pairs, task.comparison)
    task.stage(anew=facts is not None)
    for study in studies:
        failures += study.loaded_for_findings()
    return ComparisonReading(
        comparison=task.finished(notes),
        assessments=tuple(one.assessment for one in studies),
        volumes={number: one.volumes() for number, one in enumerate(studies)},
        catalogues={
            number: one.study.catalogue
            for number, one in enumerate(studies)
            if one.study.catalogue is not None
        },
        failures=tuple(failures),
        sources=found.sources,
    )


def _whose(studies: Sequence[object], *, allow_two_patients: bool) -> list[str]:
    try:
        note = check_patient(studies)  # type: ignore[arg-type]
    except OsteotraceError as problem:
        if not allow_two_patients:
            raise
        return [f"{problem.found}: compared as one patient, as was asked for"]
    return [note] if note else []


def _check_several(
    studies: Sequence[object], failures: list[OsteotraceError], paths: Sequence[Path]
) -> None:
    if len(studies) > 1:
        return
    if failures:
        raise failures[0]
    raise OsteotraceError(
        "one study" if studies else "no study",
        expected="two studies or more of one patient",
        advice="give the study before and the study after",
        where=" ".join(map(str, paths)),
        usage=True,
    )


def _by_date(studies: list[StudyInHand]) -> list[StudyInHand]:
    """Return studies by date, as a comparison numbers them."""
    own = {one.assessment.assessment_uid: one for one in studies}
    case = Case(
        patient=studies[0].study.patient,
        assessments=tuple(one.assessment for one in studies),
    )
    return [own[one.assessment.assessment_uid] for one in study_readings(case)]


def _nothing_to_follow(studies: list[StudyInHand]) -> list[OsteotraceError]:
    """Return what is wrong with a first study of which nothing can be followed.

    Raises
    ------
    OsteotraceError
        If no study has a finding.
    """
    with_findings = [one for one in studies if one.assessment.findings]
    first = studies[0]
    why = "a reading without a finding" if first.is_read else "no reading"
    problem = OsteotraceError(
        f"nothing to follow: {first.called} has {why}",
        expected="a study with findings before the others",
        advice="read it in the window, or give its record or --protocol",
        where=first.study.where,
    )
    if not with_findings:
        raise problem
    return [problem] if first is not with_findings[0] else []


def _repeatabilities(
    given: Mapping[str, Repeatability] | Path | None,
) -> Mapping[str, Repeatability] | None:
    if given is None or isinstance(given, Mapping):
        return given
    return read_repeatabilities(given)


def _facts(file: Path | None) -> CaseFacts:
    return CaseFacts() if file is None else read_facts(file)
