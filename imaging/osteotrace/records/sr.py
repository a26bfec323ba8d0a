"""An assessment as a DICOM structured report: written once, read back equal.

Comprehensive 3D SR (PS3.3 A.35.13) with a Measurement Report (PS3.16 TID 1500) inside.
Patient and study come from the headers of the images that were read; the report is
unverified, partial and marked for research. Nothing is published that does not come
back equal, and a report whose content was damaged is refused.
"""

from __future__ import annotations

import datetime
import io
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace import about
from osteotrace.codes import (
    PRIVATE_SCHEME,
    PRIVATE_SCHEME_NAME,
    PRIVATE_SCHEME_UID,
    REPORT,
)
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, check, from_json, to_json
from osteotrace.records import sr_reading, sr_writing
from osteotrace.records.content_digest import content_sha256
from osteotrace.records.content_items import (
    CONTAINS,
    children,
    drop_placeholders,
    text,
    text_of,
)
from osteotrace.records.source_images import headers, lack
from osteotrace.records.store import record_path, write_once

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from pydicom.dataset import Dataset

    from osteotrace.series import Catalogue

COMPREHENSIVE_3D_SR: Final = "1.2.840.10008.5.1.4.1.1.88.34"
EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
# Neither deflated nor big endian: a deflated megabyte can unfold to gigabytes.
_READABLE_SYNTAXES: Final = frozenset({"1.2.840.10008.1.2", EXPLICIT_LITTLE_ENDIAN})
# A thousand calipers take some 10 MB.
LARGEST_FILE_BYTES: Final = 100_000_000
# Stands behind image series in a study's list.
SERIES_NUMBER: Final = 9001
UTF_8: Final = "ISO_IR 192"
_SAVE_JSON: Final = "check the source images, or save this reading as JSON"
_FETCH_AGAIN: Final = "use a whole, unedited record"


def write(
    assessment: Assessment,
    images: Mapping[str, Path] | Catalogue,
    folder: str | os.PathLike[str],
    *,
    sop_instance_uid: str | None = None,
    series_uid: str | None = None,
    now: datetime.datetime | None = None,
    predecessor: str | os.PathLike[str] | None = None,
) -> Path:
    """Write an assessment as a new structured report.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    images : mapping of str to Path, or Catalogue
        Files of the images by SOPInstanceUID, or the scan that they were found by.
        Patient and study are taken from their headers.
    folder : path
        Where the report is kept, as ``<SOPInstanceUID>.dcm``.
    sop_instance_uid : str, optional
        SOPInstanceUID; by default the assessment's own UID.
    series_uid : str, optional
        SeriesInstanceUID; by default derived from the SOPInstanceUID.
    now : datetime, optional
        Content Date and Time; by default the present. With it, the same input gives
        the same bytes.
    predecessor : path, optional
        File of the record that `Assessment.predecessor_uid` names; by default looked
        for in the folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OsteotraceError
        If a finding lacks its frame of reference or its images, an image is missing or
        belongs to another study, the assessment holds what DICOM cannot, the
        predecessor is not found, or the file exists.
    """
    own_uid = sop_instance_uid or assessment.assessment_uid
    path = record_path(Path(folder), own_uid)
    predecessor_path = (
        record_path(Path(folder), assessment.predecessor_uid)
        if predecessor is None and assessment.predecessor_uid
        else predecessor
    )
    with _one_error(path, "a reading that no report can be made of", _SAVE_JSON):
        lacking = lack(assessment)
        if lacking is not None:
            raise lacking
        check(assessment)
        document = _document(
            assessment,
            headers(assessment, images),
            sop_instance_uid=own_uid,
            series_uid=series_uid or sr_writing.derived_uid(f"SR series of {own_uid}"),
            now=now or datetime.datetime.now(),
            previous=_predecessor(assessment, predecessor_path),
        )
        content = _encoded(document)
        _check_comes_back(assessment, content)
    return write_once(path, content)


def read(path: str | os.PathLike[str]) -> Assessment:
    """Read a structured report of osteotrace.

    Raises
    ------
    OsteotraceError
        If the file is no structured report of osteotrace, was damaged or changed, or
        was written by a later version.
    """
    file = Path(path)
    with _one_error(file, "a file that cannot be read", _FETCH_AGAIN):
        _check_file(file)
        return _assessment(file.read_bytes())


# Reading -----------------------------------------------------------------------------


@contextmanager
def _one_error(path: Path, found: str, advice: str) -> Iterator[None]:
    """Turn whatever the DICOM libraries raise into one clear error."""
    try:
        with warnings.catch_warnings():
            # pydicom warns of odd values on the way; the digest is the judge of them.
            warnings.simplefilter("ignore")
            yield
    except OsteotraceError as problem:
        if problem.where:
            raise
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice=problem.advice,
            where=str(path),
            usage=problem.usage,
        ) from problem
    # Damaged DICOM raises eleven kinds, RecursionError and MemoryError among them.
    except Exception as problem:
        reason = " ".join(f"{type(problem).__name__} {problem}".split())[:160]
        raise OsteotraceError(
            f"{found} ({reason})",
            expected="a structured report as osteotrace writes it",
            advice=advice,
            where=str(path),
        ) from problem


def _check_file(file: Path) -> None:
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info

    if file.stat().st_size > LARGEST_FILE_BYTES:
        raise _foreign(f"a file of {file.stat().st_size:,} bytes")
    try:
        meta = read_file_meta_info(file)
    except InvalidDicomError:
        raise _foreign("a file that is not DICOM") from None
    if meta.get("TransferSyntaxUID") not in _READABLE_SYNTAXES:
        raise _foreign(f"the transfer syntax {meta.get('TransferSyntaxUID')}")
    if meta.get("MediaStorageSOPClassUID") != COMPREHENSIVE_3D_SR:
        kind = meta.get("MediaStorageSOPClassUID")
        raise _foreign(f"a DICOM file of another kind ({getattr(kind, 'name', kind)})")


def _foreign(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="a Comprehensive 3D SR that osteotrace wrote",
        advice="choose a record that osteotrace saved",
    )


def _assessment(content: bytes) -> Assessment:
    """Return the assessment of a whole file, its digest checked."""
    from pydicom import dcmread

    document = dcmread(io.BytesIO(content))
    if document.get("SOPClassUID") != COMPREHENSIVE_3D_SR:
        raise _foreign("a DICOM file of another kind")
    stated = [text_of(item) for item in children(document, REPORT["content_sha256"])]
    if not stated:
        raise _foreign("a structured report of other software")
    if stated != [content_sha256(document)]:
        raise OsteotraceError(
            "a report whose content does not match its SHA-256",
            expected="content as it was saved",
            advice="the file was damaged or edited: fetch the record from its source",
        )
    assessment = sr_reading.assessment(document)
    if assessment.study_uid != document.StudyInstanceUID:
        raise OsteotraceError(
            f"a report filed under the study {document.StudyInstanceUID}",
            expected=f"the study that was read, {assessment.study_uid}",
            advice="the file was changed: fetch the record from its source",
        )
    _check_words(assessment)
    return assessment


def _check_words(assessment: Assessment) -> None:
    """Refuse a whole record whose words are none of the vocabulary, or do not fit."""
    try:
        check(assessment)
    except OsteotraceError as problem:
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice="read it with the version of osteotrace that wrote it",
        ) from problem


# Writing -----------------------------------------------------------------------------


def _check_comes_back(assessment: Assessment, content: bytes) -> None:
    back = _assessment(content)
    # JSON tells +0 from -0, which == does not; by way of it, 12 and 12.0 are one.
    meant = from_json(to_json(assessment), Assessment)
    if back != assessment or to_json(back) != to_json(meant):
        raise OsteotraceError(
            "an assessment that DICOM would not give back as it is",
            expected="text without control characters, and finite numbers",
            advice="save this record as JSON, or clean its texts",
        )


def _predecessor(
    assessment: Assessment, path: str | os.PathLike[str] | None
) -> list[Dataset] | None:
    """Return the header of the record that is amended, if one is."""
    from pydicom import dcmread

    if not assessment.predecessor_uid or path is None:
        return None
    try:
        header = dcmread(path, stop_before_pixels=True)
    except FileNotFoundError:
        found = "no record there"
    else:
        if header.SOPInstanceUID == assessment.predecessor_uid:
            return [header]
        found = f"the record {header.SOPInstanceUID}"
    raise OsteotraceError(
        found,
        expected=f"the record that is amended, {assessment.predecessor_uid}",
        advice="save the amendment beside it, or name its file",
        where=str(path),
    )


def _document(
    assessment: Assessment,
    sources: dict[str, Dataset],
    *,
    sop_instance_uid: str,
    series_uid: str,
    now: datetime.datetime,
    previous: list[Dataset] | None,
) -> Dataset:
    from highdicom.sr import Comprehensive3DSR
    from pydicom.valuerep import DT

    document = Comprehensive3DSR(
        evidence=list(sources.values()),
        content=sr_writing.content_tree(assessment, sources),
        series_instance_uid=series_uid,
        series_number=SERIES_NUMBER,
        sop_instance_uid=sop_instance_uid,
        instance_number=1,
        manufacturer=about.SOFTWARE_NAME,
        manufacturer_model_name=about.SOFTWARE_NAME,
        software_versions=about.VERSION,
        series_description=f"{about.SOFTWARE_NAME} reading, research use only",
        previous_versions=previous,
        record_evidence=True,
        transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN,
        specific_character_set=UTF_8,
        content_date=now.date(),
        content_time=now.time(),
    )
    document.InstanceCreationDate = document.ContentDate
    document.InstanceCreationTime = document.ContentTime
    # highdicom adds itself last, at the time of the call.
    highdicom = document.ContributingEquipmentSequence[-1]
    highdicom.ContributionDateTime = DT(now.replace(tzinfo=None))
    document.CodingSchemeIdentificationSequence = [_private_scheme()]
    drop_placeholders(document)
    digest = text(REPORT["content_sha256"], content_sha256(document), CONTAINS)
    document.ContentSequence.append(digest)
    return document


def _private_scheme() -> Dataset:
    from pydicom.dataset import Dataset

    scheme = Dataset()
    scheme.CodingSchemeDesignator = PRIVATE_SCHEME
    scheme.CodingSchemeUID = PRIVATE_SCHEME_UID
    scheme.CodingSchemeName = PRIVATE_SCHEME_NAME
    return scheme


def _encoded(document: Dataset) -> bytes:
    stream = io.BytesIO()
    document.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
