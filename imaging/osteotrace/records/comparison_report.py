"""A comparison of studies as a DICOM structured report, or as JSON: written once.

Comprehensive 3D SR (PS3.3 A.35.13) with a Measurement Report (PS3.16 TID 1500) inside,
filed in the latest study. It refers to the images of every study and to the readings and
registrations that it was made from, is unverified, partial and marked for research, and
comes back equal.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace import about
from osteotrace.codes import REPORT
from osteotrace.comparison import Comparison, from_json, to_json
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment
from osteotrace.records import sealed_parts
from osteotrace.records.dicom_objects import (
    COMPARISON_MODEL,
    derived_uid,
    encoded,
    new_report,
    one_error,
)
from osteotrace.records.report_content import comparisons
from osteotrace.records.report_content.digest import content_sha256
from osteotrace.records.report_content.items import (
    CONTAINS,
    child,
    children,
    drop_placeholders,
    text,
    text_of,
)
from osteotrace.records.report_content.source_images import (
    files_of,
    headers,
    lack,
    references,
)
from osteotrace.records.report_content.writing import evidence_tree
from osteotrace.records.sr import CHANGED, check_file
from osteotrace.records.store import record_path, write_once
from osteotrace.uids import new_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from pydicom.dataset import Dataset

    from osteotrace.comparison import ComparedStudy
    from osteotrace.series import Catalogue

COMPARISON: Final = "comparison"
# Stands behind the reports and masks of readings in a study's list.
SERIES_NUMBER: Final = 9101
_EXPECTED: Final = "a comparison of studies as osteotrace writes it"
_SAVE_JSON: Final = "check the source images, or save this comparison as JSON"


def save(
    comparison: Comparison,
    path: str | os.PathLike[str],
    *,
    images: Mapping[str, Path] | Sequence[Catalogue] = (),
    readings: Iterable[str | os.PathLike[str]] = (),
    registrations: Iterable[str | os.PathLike[str]] = (),
) -> Path:
    """Save a comparison as a new file: JSON where the name ends so, else an SR.

    Parameters
    ----------
    comparison : Comparison
    path : path
        A file name in ``.json`` for JSON with a SHA-256 over what it says; else the
        folder that the DICOM SR goes into.
    images, readings, registrations
        As in `write`.
    """
    place = Path(path)
    if place.suffix == ".json":
        content = sealed_parts.sealed(COMPARISON, to_json(comparison))
        return write_once(place, content)
    return write(
        comparison, images, place, readings=readings, registrations=registrations
    )


def write(
    comparison: Comparison,
    images: Mapping[str, Path] | Sequence[Catalogue],
    folder: str | os.PathLike[str],
    *,
    readings: Iterable[str | os.PathLike[str]] = (),
    registrations: Iterable[str | os.PathLike[str]] = (),
    sop_instance_uid: str | None = None,
    series_uid: str | None = None,
    now: datetime.datetime | None = None,
) -> Path:
    """Write a comparison as a new structured report of the latest study with images.

    Parameters
    ----------
    comparison : Comparison
    images : mapping of str to Path, or sequence of Catalogue
        Files of the images of all studies by SOPInstanceUID, or the scans that they were
        found by.
    folder : path
        Where it is kept, as ``<SOPInstanceUID>.dcm``.
    readings : iterable of path
        The structured reports that were compared, to be referred to as evidence; what
        is not given is named by its UID alone.
    registrations : iterable of path
        The registration objects that were used.
    sop_instance_uid, series_uid : str, optional
        A new UID; the series' is derived from it.
    now : datetime, optional
        Content Date and Time. With it and a UID, the same input gives the same bytes.

    Raises
    ------
    OsteotraceError
        If a finding lacks its frame of reference or its images, an image is missing, the
        studies are of two patients, a report is none of those compared, the comparison
        holds what DICOM cannot, or the file exists.
    """
    own_uid = sop_instance_uid or new_uid()
    path = record_path(Path(folder), own_uid)
    found, now = "a comparison that no report can be made of", now or _now()
    with one_error(path, found, expected=_EXPECTED, advice=_SAVE_JSON):
        sources, referred = _images(comparison, images)
        uids = {study.assessment_uid for study in comparison.studies}
        reports = [_report(Path(one), uids) for one in readings]
        reports += [_registration(Path(one)) for one in registrations]
        _check_patient([*sources.values(), *reports])
        document = new_report(
            evidence_tree(sources, []),
            [*sources.values(), *reports],
            sop_instance_uid=own_uid,
            series_uid=series_uid or derived_uid(f"SR series of {own_uid}"),
            series_number=SERIES_NUMBER,
            model=COMPARISON_MODEL,
            description=f"{about.SOFTWARE_NAME} comparison, research use only",
            previous=None,
            now=now,
        )
        content = comparisons.content_tree(comparison, sources, referred, reports)
        document.ContentSequence = content.ContentSequence
        drop_placeholders(document)
        digest = text(REPORT["content_sha256"], content_sha256(document), CONTAINS)
        document.ContentSequence.append(digest)
        whole = encoded(document)
        # A whole number among floats is the same number, written otherwise.
        if _comparison(whole) != comparison:
            raise OsteotraceError(
                "a comparison that DICOM would not give back as it is",
                expected="finite numbers",
                advice="save it as JSON",
            )
        return write_once(path, whole)


def read(path: str | os.PathLike[str]) -> Comparison:
    """Read a comparison that was saved: DICOM SR, or JSON.

    Raises
    ------
    OsteotraceError
        If the file is no comparison of osteotrace, was damaged or changed, or was
        written by a later version.
    """
    file = Path(path)
    advice = "use a whole, unedited file"
    with one_error(file, "a file that cannot be read", expected=_EXPECTED, advice=advice):
        with file.open("rb") as stream:
            is_dicom = stream.read(132)[128:] == b"DICM"
        if is_dicom:
            check_file(file)
            return _comparison(file.read_bytes())
        return from_json(sealed_parts.unsealed(COMPARISON, file.read_bytes()))


def _now() -> datetime.datetime:
    return datetime.datetime.now()


def _comparison(content: bytes) -> Comparison:
    """Return the comparison of a whole file, its digest checked."""
    from pydicom import dcmread

    document = dcmread(io.BytesIO(content))
    stated = [text_of(item) for item in children(document, REPORT["content_sha256"])]
    parts = list(children(document, REPORT["comparison"]))
    if not stated or len(parts) != 1:
        raise OsteotraceError(
            "a structured report that is no comparison",
            expected=_EXPECTED,
            advice="choose a comparison that osteotrace saved",
        )
    if stated != [content_sha256(document)]:
        raise OsteotraceError(
            "a report whose content does not match its SHA-256",
            expected="content as it was saved",
            advice=CHANGED,
        )
    return from_json(text_of(child(parts[0], REPORT["comparison_exact"])))


# What it refers to ---------------------------------------------------------------------


def _images(
    comparison: Comparison, images: Mapping[str, Path] | Sequence[Catalogue]
) -> tuple[dict[str, Dataset], dict[str, tuple[int, ...]]]:
    """Return the headers of the images of all studies, the latest study first."""
    found: dict[str, Dataset] = {}
    referred: dict[str, tuple[int, ...]] = {}
    for study in reversed(comparison.studies):
        reading = _read_again(comparison, study)
        lacking = lack(reading)
        if lacking is not None:
            raise lacking
        named = references(reading)
        files = _files(reading, images)
        if not named and not (files and study.study_uid):
            # What was stated without images stands in the comparison alone.
            continue
        found |= headers(reading, files)
        referred |= named
    if not found:
        raise OsteotraceError(
            "no image of any study",
            expected="an image of one of the studies, which says whose they are",
            advice="give the folders that the studies were read from",
        )
    return found, referred


def _files(
    reading: Assessment, images: Mapping[str, Path] | Sequence[Catalogue]
) -> dict[str, Path]:
    """Return the files of one study; of a mapping those that its findings name."""
    if isinstance(images, Mapping):
        named = references(reading)
        return {uid: file for uid, file in images.items() if uid in named}
    return {k: v for one in images for k, v in files_of(reading, one).items()}


def _read_again(comparison: Comparison, study: ComparedStudy) -> Assessment:
    """Return the findings that are compared as the reading of their study."""
    findings = (
        one
        for lesion in comparison.lesions
        for seen in lesion.seen
        if seen.study == study.number
        for one in seen.findings
    )
    return Assessment(
        assessment_uid=study.assessment_uid,
        study_uid=study.study_uid,
        patient=comparison.patient,
        study_date=study.date,
        reader=study.reader,
        recorded=comparison.recorded,
        series=study.series,
        software=comparison.software,
        findings=tuple(findings),
    )


def _report(file: Path, uids: set[str]) -> Dataset:
    """Return the header of a reading that was compared."""
    from pydicom import dcmread

    header = dcmread(file, stop_before_pixels=True)
    if str(header.SOPInstanceUID) not in uids:
        raise OsteotraceError(
            f"the report {header.SOPInstanceUID}, which was not compared",
            expected=f"one of {', '.join(sorted(uids))}",
            advice="give the reports of the readings that are compared",
            where=str(file),
        )
    return header


def _registration(file: Path) -> Dataset:
    from pydicom import dcmread

    from osteotrace.records.registrations.reading import check_kind

    header = dcmread(file)
    check_kind(header)
    return header


def _check_patient(evidence: Sequence[Dataset]) -> None:
    """Refuse evidence of two patients: a report is filed under one."""
    patients = {str(one.get("PatientID") or "") for one in evidence}
    if len(patients) > 1:
        raise OsteotraceError(
            f"images of {len(patients)} patients by their Patient ID (0010,0020)",
            expected="one patient: a report is filed under one",
            advice="correct the identities, or save this comparison as JSON",
        )
