"""The studies that are to be compared, with their images and their saved readings.

A path stands for one study or for several: a folder of DICOM, a zip or DICOMDIR, a saved
record, what ``measure --out`` wrote; with a tree, a StudyInstanceUID too. What cannot be
read is named and keeps nobody from the rest.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.about import SOFTWARE_NAME
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Case
from osteotrace.pseudonym import UNKNOWN_PATIENT
from osteotrace.reading.cases import saved_cases
from osteotrace.reading.comparing.record_folders import RecordFolders
from osteotrace.reading.studies import by_study
from osteotrace.records import assessments as records
from osteotrace.series import scan
from osteotrace.series.sources import DICOMDIR, Source, open_source
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue

    Progress = Callable[[int, int], None]

_IMAGES: Final = ("CT", "MR", "CR", "DX", "RG", "PX", "IO", "XA", "PT", "OT")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredStudy:
    """A study that is to be compared.

    Parameters
    ----------
    study_uid : str
    patient : str
        Pseudonym.
    date : str
        ISO 8601; empty where it is not known.
    where : str
        The path that it was found by.
    catalogue : Catalogue or None
        Its series; None where a record alone was given.
    readings : tuple of Assessment
        Saved readings of it that no other one amends.
    """

    study_uid: str
    patient: str
    date: str
    where: str
    catalogue: Catalogue | None = field(default=None, repr=False)
    readings: tuple[Assessment, ...] = field(default=(), repr=False)

    @property
    def called(self) -> str:
        """What messages call it: its date, else the path."""
        return f"the study of {self.date}" if self.date else f"the study in {self.where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What lies at the paths of a comparison.

    Parameters
    ----------
    studies : tuple of GatheredStudy
        In the order of the paths; by date where a path holds several.
    stated : tuple of Assessment
        Records without a study: facts at their dates.
    failures : tuple of OsteotraceError
        What could not be read.
    sources : tuple of Source
        What was opened; the images of an archive are gone when it is closed.
    """

    studies: tuple[GatheredStudy, ...]
    stated: tuple[Assessment, ...] = ()
    failures: tuple[OsteotraceError, ...] = ()
    sources: tuple[Source, ...] = field(default=(), repr=False)


def gathered(
    paths: Sequence[str | os.PathLike[str]],
    *,
    records: str | os.PathLike[str] | None = None,
    tree: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Gathered:
    """Return the studies at some paths, with their readings.

    Parameters
    ----------
    paths : sequence of path
        Folders, files, or StudyInstanceUIDs of studies in `tree`.
    records : path, optional
        A folder of records, looked into beside those of the studies themselves.
    tree : path, optional
        A folder of many studies.
    progress : callable, optional
        Called with the headers that are read, and the number of all.

    Raises
    ------
    OsteotraceError
        If a path is a UID without a tree, a study is given twice, or the folder of
        records cannot be read.
    """
    found: list[_Found] = []
    failures: list[OsteotraceError] = []
    forest = None if tree is None else _Tree(Path(tree), progress)
    for path in paths:
        try:
            found.append(_opened(str(path), forest, progress))
        except OsteotraceError as problem:
            if problem.usage and is_uid(str(path)):
                raise
            failures.append(problem)
    failures.extend(problem for one in found for problem in one.failures)
    others = RecordFolders(None if records is None else Path(records))
    studies = _once(
        study for one in found for study in _studies(one, others, forest, failures)
    )
    return Gathered(
        studies=studies,
        # Among the records of a folder may be what is stated of another patient.
        stated=tuple(
            one
            for path in found
            for one in path.readings
            if not one.study_uid and one.patient in {study.patient for study in studies}
        ),
        failures=tuple(failures),
        sources=tuple(one.source for one in found if one.source is not None),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What one path holds."""

    where: str
    source: Source | None = None
    readings: tuple[Assessment, ...] = ()
    failures: tuple[OsteotraceError, ...] = ()


class _Tree:
    """A folder of many studies, read once when a study of it is asked for."""

    def __init__(self, folder: Path, progress: Progress | None) -> None:
        self._folder, self._progress = folder, progress
        self._catalogue: Catalogue | None = None

    def study(self, uid: str) -> Catalogue | None:
        """Return a study, None where it is not there."""
        if self._catalogue is None:
            self._catalogue = scan(self._folder, progress=self._progress)
        for one in by_study(self._catalogue):
            if one.series[0].identity.study_uid == uid:
                return one
        return None

    def meant(self, uid: str) -> Source:
        """Return a study as what was opened.

        Raises
        ------
        OsteotraceError
            If it is not there.
        """
        study = self.study(uid)
        if study is None:
            raise OsteotraceError(
                f"no study {uid}",
                expected="a StudyInstanceUID of a study in the tree",
                advice="list them with 'osteotrace scan --json'",
                where=str(self._folder),
            )
        return Source(study)


def _opened(path: str, tree: _Tree | None, progress: Progress | None) -> _Found:
    place = Path(path)
    if is_uid(path) and not place.exists():
        if tree is None:
            raise OsteotraceError(
                f"the study UID {path}",
                expected="a path, or a UID together with the tree that holds it",
                advice="give --in TREE",
                usage=True,
            )
        source = tree.meant(path)
        return _Found(where=path, source=source, readings=_reports(source.catalogue))
    if place.is_file() and place.suffix.lower() == ".json":
        return _Found(where=path, readings=(records.read(place),))
    try:
        source = open_source(place, progress)
    except OsteotraceError:
        if not place.is_dir():
            raise
        # A folder of records in JSON holds no DICOM.
        try:
            found = saved_cases(place)
        except OsteotraceError:
            found = None
        if found is None:
            raise
        return _Found(where=path, readings=_all(found.cases), failures=found.failures)
    readings, failures = _inside(source, place)
    return _Found(where=path, source=source, readings=readings, failures=failures)


def _all(cases: Iterable[Case]) -> tuple[Assessment, ...]:
    return tuple(one for case in cases for one in case.assessments)


def _inside(
    source: Source, place: Path
) -> tuple[tuple[Assessment, ...], tuple[OsteotraceError, ...]]:
    """Return the readings among what was opened, and the damaged ones."""
    if source.unpacked is not None:
        place = source.unpacked.folder
    elif place.is_file() and place.name.upper() == DICOMDIR:
        place = place.parent
    elif place.is_file() and any(s.identity.modality != "SR" for s in source.catalogue):
        return (), ()
    try:
        found = saved_cases(place)
    except OsteotraceError as problem:
        return (), () if problem.usage or not _is_own(problem) else (problem,)
    kept = tuple(one for one in _all(found.cases) if _says_something(one))
    return kept, tuple(problem for problem in found.failures if _is_own(problem))


def _reports(study: Catalogue) -> tuple[Assessment, ...]:
    """Return the readings among the files of a study of a tree; others are passed by."""
    read = []
    for series in study:
        if series.identity.modality == "SR":
            for image in (one for volume in series.volumes for one in volume.instances):
                with suppress(OsteotraceError):
                    read.append(records.read(image.path))
    return tuple(one for one in read if _says_something(one))


def _says_something(one: Assessment) -> bool:
    """Tell a reading from a report on something else, such as that of a dose."""
    own = one.software.startswith(SOFTWARE_NAME)
    return own or bool(one.findings or one.facts or one.drugs)


def _is_own(problem: OsteotraceError) -> bool:
    """Tell whether what cannot be read may be a record of ours; others are passed by."""
    from osteotrace.records.foreign import document

    file = Path(problem.where.partition(", line")[0])
    if file.suffix != ".dcm" or not file.is_file():
        return True
    try:
        return document.origin(file) == "own report"
    except OsteotraceError:
        return True


def _studies(
    found: _Found,
    others: RecordFolders,
    tree: _Tree | None,
    failures: list[OsteotraceError],
) -> Iterator[GatheredStudy]:
    """Yield the studies of a path by date, each with every reading of it."""
    studies = [] if found.source is None else list(_with_images(found))
    held = {one.study_uid for one in studies}
    for reading in found.readings:
        if reading.study_uid and reading.study_uid not in held:
            held.add(reading.study_uid)
            studies.append(_of_record(reading, found.where, tree))
    if not studies and found.source is not None:
        failures.append(_no_images(found.where))
    for study in sorted(studies, key=lambda one: one.date or "9999"):
        own = [one for one in found.readings if one.study_uid == study.study_uid]
        before = len(others.failures)
        every = {one.assessment_uid: one for one in (*own, *others.of(study))}
        failures.extend(others.failures[before:])
        current = Case(patient=study.patient, assessments=tuple(every.values())).current()
        yield replace(study, readings=current)


def _with_images(found: _Found) -> Iterator[GatheredStudy]:
    assert found.source is not None
    for one in by_study(found.source.catalogue):
        images = [s for s in one if s.identity.modality in _IMAGES]
        if images:
            who = images[0].identity
            yield GatheredStudy(
                study_uid=who.study_uid,
                patient=who.patient,
                date=min(
                    (s.identity.date for s in images if s.identity.date), default=""
                ),
                where=found.where,
                catalogue=one,
            )


def _of_record(reading: Assessment, where: str, tree: _Tree | None) -> GatheredStudy:
    return GatheredStudy(
        study_uid=reading.study_uid,
        patient=reading.patient,
        date=reading.study_date,
        where=where,
        catalogue=None if tree is None else tree.study(reading.study_uid),
    )


def _no_images(where: str) -> OsteotraceError:
    return OsteotraceError(
        "no images and no reading of a study",
        expected="a study, or a saved reading of one",
        advice="check the path",
        where=where,
    )


def _once(studies: Iterable[GatheredStudy]) -> tuple[GatheredStudy, ...]:
    """Return the studies, a record and the images of one joined; none stands twice."""
    joined: dict[str, GatheredStudy] = {}
    for study in studies:
        known = joined.get(study.study_uid)
        if known is None:
            joined[study.study_uid] = study
            continue
        if (known.catalogue is None) == (study.catalogue is None):
            raise OsteotraceError(
                f"{study.called} twice: in {known.where} and in {study.where}",
                expected="studies of two dates or more, each once",
                advice="leave one out; two readings of one study differ by the readers, "
                "not by the lesion",
                usage=True,
            )
        every = {r.assessment_uid: r for r in (*known.readings, *study.readings)}
        merged = Case(patient=study.patient, assessments=tuple(every.values()))
        images = known if known.catalogue is not None else study
        joined[study.study_uid] = replace(images, readings=merged.current())
    return tuple(joined.values())


def check_patient(studies: Sequence[GatheredStudy]) -> str:
    """Return what to mind of whose studies these are; empty where it is one patient.

    Raises
    ------
    OsteotraceError
        If they are of two patients.
    """
    patients = tuple(dict.fromkeys(study.patient for study in studies))
    if len(patients) > 1:
        # It becomes a note of the comparison: a path may name a patient.
        named = "; ".join(f"{one.patient}: {one.date or 'undated'}" for one in studies)
        raise OsteotraceError(
            f"studies of {len(patients)} patients ({named})",
            expected="studies of one patient",
            advice="check the paths, or say that it is one patient with --other-patient "
            "(allow_two_patients=True)",
        )
    if patients and patients[0] in ("", UNKNOWN_PATIENT):
        return "the images name no patient: nobody checked that they are of one"
    return ""
