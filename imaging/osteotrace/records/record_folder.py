"""A folder of records that only grows: readings as DICOM SR and SEG, or as JSON.

What was added stays as it is; who corrects a reading adds an amendment that names it.
Readers and programs may add side by side: each record has a name of its own, and two
amendments of one record are both kept and both named. Records are found by reading the
folder; an index only saves the time of reading again what did not change. A file that is
damaged or foreign is named and keeps nobody from the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Case
from osteotrace.records.folder.files import JSON_SUFFIX, misnamed, read_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from osteotrace.records.folder.contents import Contents
    from osteotrace.series import Catalogue


@dataclass(frozen=True, slots=True)
class CasesRead:
    """The cases of a folder, and the files that hold no reading.

    Parameters
    ----------
    cases : tuple of Case
        One a patient, by pseudonym; amended readings are among the assessments.
    refused : tuple of OsteotraceError
        As in `Contents`.
    """

    cases: tuple[Case, ...]
    refused: tuple[OsteotraceError, ...]


def add(
    folder: str | os.PathLike[str],
    assessment: Assessment,
    images: Mapping[str, Path] | Catalogue | None = None,
) -> Path:
    """Add a reading to a folder.

    Parameters
    ----------
    folder : path
        Made where it does not exist, for its owner alone.
    assessment : Assessment
        An amendment names the record that it amends in `Assessment.predecessor_uid`.
    images : mapping of str to Path, or Catalogue, optional
        The images that were read, as in `osteotrace.records.sr.write`: with them the
        record is a DICOM SR with SEG. Without them it is JSON, which is for readings
        without images and for those whose images no DICOM object can name.

    Returns
    -------
    Path
        The file of the record.

    Raises
    ------
    OsteotraceError
        If the reading has images that are not given, the record that it amends is not
        there, a record of the same UID is, or the folder cannot be written.
    """
    from osteotrace.records import assessments, publication, store

    place = Path(folder)
    publication.sweep(place)
    own = store.record_path(place, assessment.assessment_uid)
    as_json = images is None and _needs_no_images(assessment)
    other = own if as_json else own.with_suffix(JSON_SUFFIX)
    if other.exists():
        raise OsteotraceError(
            "a record of the same UID",
            expected="a reading with a UID of its own",
            advice="give an amendment a new assessment_uid",
            where=str(other),
            usage=True,
        )
    if not as_json:
        return assessments.save(assessment, place, images=images)
    from osteotrace.records.sealed_json import sealed

    if assessment.predecessor_uid:
        file_of(place, assessment.predecessor_uid)
    return store.write_once(own.with_suffix(JSON_SUFFIX), sealed(assessment))


def contents(folder: str | os.PathLike[str], *, index: bool = True) -> Contents:
    """List what a folder of records holds.

    Parameters
    ----------
    folder : path
        Files in it that end in ``.dcm`` and ``.json`` are looked at, folders are not.
    index : bool
        False reads every file whatever the index knows.

    Raises
    ------
    OsteotraceError
        If the folder cannot be read.
    """
    from osteotrace.records.folder.index import listed

    return listed(Path(folder), index=index)


def read(folder: str | os.PathLike[str], assessment_uid: str) -> Assessment:
    """Read one record of a folder, its digest checked.

    Raises
    ------
    OsteotraceError
        If it is not there, was damaged or changed, or its file holds another record.
    """
    place = Path(folder)
    path = file_of(place, assessment_uid)
    try:
        found = read_file(path)
    except OsteotraceError:
        renamed = contents(place).renamed_segmentations()
        if not renamed:
            raise
        found = read_file(path, renamed)
    _check_is(found, assessment_uid, path)
    return found


def read_cases(
    folder: str | os.PathLike[str], *, patient: str | None = None, index: bool = True
) -> CasesRead:
    """Read the records of a folder, one case a patient, every digest checked.

    Parameters
    ----------
    folder : path
        The folder.
    patient : str, optional
        Pseudonym of the one patient to read.
    index : bool
        Whether to use the index to find a patient's records.

    Raises
    ------
    OsteotraceError
        If the folder cannot be read. A file that cannot is named in the result.
    """
    found = contents(folder, index=index)
    refused, masks = list(found.refused), found.renamed_segmentations()
    gathered: dict[str, list[Assessment]] = {}
    for record in found.records:
        if patient not in (None, record.patient):
            continue
        try:
            one = read_file(found.folder / record.file, masks)
            _check_is(one, record.assessment_uid, found.folder / record.file)
        except OsteotraceError as problem:
            refused.append(problem)
        else:
            gathered.setdefault(one.patient, []).append(one)
    cases = tuple(
        Case(patient=pseudonym, assessments=tuple(ones))
        for pseudonym, ones in sorted(gathered.items())
    )
    return CasesRead(cases=cases, refused=tuple(refused))


def cases(folder: str | os.PathLike[str]) -> tuple[Case, ...]:
    """Return the cases of a folder; `read_cases` names the files left out, too."""
    return read_cases(folder).cases


def file_of(folder: Path, assessment_uid: str) -> Path:
    """Return the file of a record, whatever its name.

    Raises
    ------
    OsteotraceError
        If the folder has no such record.
    """
    from osteotrace.records.store import record_path

    named = record_path(folder, assessment_uid)
    for path in (named, named.with_suffix(JSON_SUFFIX)):
        if path.is_file():
            return path
    if folder.is_dir():
        for record in contents(folder).records:
            if record.assessment_uid == assessment_uid:
                return folder / record.file
    raise OsteotraceError(
        f"no record {assessment_uid}",
        expected="the UID of a record in the folder",
        advice="list the folder's records, or fetch the missing one from its source",
        where=str(folder),
        usage=True,
    )


def _check_is(found: Assessment, assessment_uid: str, path: Path) -> None:
    """Refuse another record than the one asked for: files may have been exchanged."""
    if found.assessment_uid != assessment_uid:
        raise misnamed(path, found.assessment_uid)


def _needs_no_images(assessment: Assessment) -> bool:
    from osteotrace.records.report_content.source_images import lack

    return not assessment.study_uid or lack(assessment) is not None
