"""An assessment as a DICOM structured report: written once, read back equal.

Comprehensive 3D SR (PS3.3 A.35.13) with a Measurement Report (PS3.16 TID 1500) inside.
Patient and study come from the headers of the images that were read; the report is
unverified, partial and marked for research. Masks are segments of segmentations beside it
(`osteotrace.records.seg`), which are published first. Nothing is published that does not
come back equal, and what was damaged or exchanged is refused.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import os
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace import about
from osteotrace.codes import REPORT
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, check, from_json, to_json
from osteotrace.records import seg
from osteotrace.records.dicom_objects import (
    LARGEST_REPORT_BYTES,
    READABLE_SYNTAXES,
    derived_uid,
    encoded,
    new_report,
    one_error,
)
from osteotrace.records.predecessors import predecessor_header
from osteotrace.records.report_content import reading as sr_reading
from osteotrace.records.report_content import writing as sr_writing
from osteotrace.records.report_content.digest import content_sha256
from osteotrace.records.report_content.items import (
    CONTAINS,
    children,
    drop_placeholders,
    text,
    text_of,
)
from osteotrace.records.report_content.segments import segmentations_read
from osteotrace.records.report_content.source_images import headers, lack
from osteotrace.records.segmentations import reading as seg_reading
from osteotrace.records.store import new_file, record_path, write_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pydicom.dataset import Dataset

    from osteotrace.records.seg import Encoding, SegmentationDocument
    from osteotrace.series import Catalogue


COMPREHENSIVE_3D_SR: Final = "1.2.840.10008.5.1.4.1.1.88.34"
# Stands behind image series in a study's list.
SERIES_NUMBER: Final = 9001
_EXPECTED: Final = "a structured report as osteotrace writes it"
_SAVE_JSON: Final = "check the source images, or save this reading as JSON"
# A folder of records is looked through at every save; the same bytes say the same.
_KEPT_READINGS: Final = 32
_kept: dict[bytes, Assessment] = {}
CHANGED: Final = (
    "the file was damaged or edited, or its UIDs were replaced, as de-identification "
    "does: fetch the record from its source, or export it again from the original"
)


def write(
    assessment: Assessment,
    images: Mapping[str, Path] | Catalogue,
    folder: str | os.PathLike[str],
    *,
    sop_instance_uid: str | None = None,
    series_uid: str | None = None,
    now: datetime.datetime | None = None,
    predecessor: str | os.PathLike[str] | None = None,
    encoding: Encoding = "binary",
) -> Path:
    """Write an assessment as a new structured report, its masks as segmentations.

    The segmentations get their names first: where there is a report, it is whole.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    images : mapping of str to Path, or Catalogue
        Files of the images by SOPInstanceUID, or the scan that they were found by.
        Patient and study are taken from their headers.
    folder : path
        Where the report and its segmentations are kept, as ``<SOPInstanceUID>.dcm``.
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
    encoding : ``"binary"`` or ``"labelmap"``
        Of the masks (`osteotrace.records.seg`).

    Returns
    -------
    Path
        The file of the report.

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
    found, now = "a reading that no report can be made of", now or datetime.datetime.now()
    with one_error(path, found, expected=_EXPECTED, advice=_SAVE_JSON):
        lacking = lack(assessment)
        if lacking is not None:
            raise lacking
        check(assessment)
        sources = headers(assessment, images)
        previous = predecessor_header(assessment, predecessor_path)
        masks = seg.documents(
            assessment, sources, record_uid=own_uid, now=now, encoding=encoding
        )
        with _published(path, masks) as (record, drafts):
            document = _document(
                assessment,
                sources,
                masks,
                {uid: seg_reading.read(file) for uid, file in drafts.items()},
                sop_instance_uid=own_uid,
                series_uid=series_uid or derived_uid(f"SR series of {own_uid}"),
                now=now,
                previous=previous,
            )
            content = encoded(document)
            _check_comes_back(assessment, content, drafts.__getitem__)
            record.write_bytes(content)
    return path


def read(
    path: str | os.PathLike[str],
    *,
    segmentations: Iterable[str | os.PathLike[str]] = (),
) -> Assessment:
    """Read a structured report of osteotrace.

    Parameters
    ----------
    path : path
        The report.
    segmentations : iterable of path
        Files of its segmentations, or folders that hold them as
        ``<SOPInstanceUID>.dcm``, where they do not lie beside it.

    Raises
    ------
    OsteotraceError
        If the file is no structured report of osteotrace, was damaged or changed, or
        was written by a later version; or if a segmentation that holds its masks is not
        there, was damaged, changed or exchanged.
    """
    file = Path(path)
    advice = "use a whole, unedited record"
    with one_error(file, "a file that cannot be read", expected=_EXPECTED, advice=advice):
        check_file(file)
        return _assessment(file.read_bytes(), _places(file.parent, segmentations))


def _places(
    folder: Path, segmentations: Iterable[str | os.PathLike[str]]
) -> Callable[[str], Path]:
    """Return what tells the file of a segmentation by its UID."""
    given = [Path(one) for one in segmentations]
    named = {_uid_in(file): file for file in given if not file.is_dir()}
    folders = [*(one for one in given if one.is_dir()), folder]

    def place(uid: str) -> Path:
        every = [named[uid]] if uid in named else [record_path(f, uid) for f in folders]
        return next((file for file in every if file.is_file()), every[0])

    return place


def _uid_in(file: Path) -> str:
    from pydicom.filereader import read_file_meta_info

    return str(read_file_meta_info(file).get("MediaStorageSOPInstanceUID", ""))


# Reading -----------------------------------------------------------------------------


def check_file(file: Path) -> None:
    """Refuse a file that is no report that osteotrace could have written."""
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info

    if file.stat().st_size > LARGEST_REPORT_BYTES:
        raise _foreign(f"a file of {file.stat().st_size:,} bytes")
    try:
        meta = read_file_meta_info(file)
    except InvalidDicomError:
        raise _foreign("a file that is not DICOM") from None
    if meta.get("TransferSyntaxUID") not in READABLE_SYNTAXES:
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


def _assessment(content: bytes, place: Callable[[str], Path]) -> Assessment:
    """Return the assessment of a whole file, its digest and its segmentations checked.

    What was read of the same bytes before is given again, unless files of masks belong
    to it, which may have changed.
    """
    from pydicom import dcmread

    name = hashlib.sha256(content).digest()
    if (known := _kept.get(name)) is not None:
        return known
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
            advice=CHANGED,
        )
    if any(children(document, REPORT["comparison"])):
        raise _foreign("a comparison of studies, which is no reading")
    segmentations = {
        uid: seg_reading.read_checked(place(uid), uid, sha256)
        for uid, sha256 in segmentations_read(document).items()
    }
    assessment = sr_reading.assessment(document, segmentations)
    if assessment.study_uid != document.StudyInstanceUID:
        raise OsteotraceError(
            f"a report filed under the study {document.StudyInstanceUID}",
            expected=f"the study that was read, {assessment.study_uid}",
            advice=CHANGED,
        )
    _check_words(assessment)
    if not segmentations:
        while len(_kept) >= _KEPT_READINGS:
            _kept.pop(next(iter(_kept), b""), None)
        _kept[name] = assessment
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


@contextmanager
def _noted(target: Path, published: list[Path]) -> Iterator[Path]:
    """Give a draft of a new file, and note the file once it has its name."""
    with new_file(target) as draft:
        yield draft
    published.append(target)


@contextmanager
def _published(
    path: Path, masks: Sequence[SegmentationDocument]
) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Give a draft of the report and the segmentations, by UID, to check and to fill.

    When the block ends well the segmentations get their names, the report last.
    """
    published: list[Path] = []
    reused: dict[Path, bytes] = {}
    had_folder = path.parent.exists()
    try:
        # Left in reverse: the segmentations first.
        with new_file(path) as record, ExitStack() as stack:
            drafts = {}
            for one in masks:
                uid = str(one.dataset.SOPInstanceUID)
                target, content = record_path(path.parent, uid), encoded(one.dataset)
                # What an interrupted call left behind is what this one would write.
                if target.is_file() and target.read_bytes() == content:
                    drafts[uid], reused[target] = target, content
                    continue
                drafts[uid] = stack.enter_context(_noted(target, published))
                drafts[uid].write_bytes(content)
            yield record, drafts
    except BaseException:
        _withdraw(published, path)
        if not had_folder:
            with suppress(OSError):
                path.parent.rmdir()
        raise
    # Who wrote them first may have failed, and withdrawn them, meanwhile.
    for target, content in reused.items():
        if not target.is_file():
            write_once(target, content)


def _withdraw(segmentations: Sequence[Path], report: Path) -> None:
    """Take back the segmentations of a report that was not saved.

    Where the report has its name all the same, another call saved the same reading, or
    the answer was lost: that report needs them.
    """
    if os.path.lexists(report):
        return
    for file in segmentations:
        file.unlink(missing_ok=True)


def _check_comes_back(
    assessment: Assessment, content: bytes, place: Callable[[str], Path]
) -> None:
    back = _assessment(content, place)
    # JSON tells +0 from -0, which == does not; by way of it, 12 and 12.0 are one.
    meant = from_json(to_json(assessment), Assessment)
    if back != assessment or to_json(back) != to_json(meant):
        raise OsteotraceError(
            "an assessment that DICOM would not give back as it is",
            expected="text without control characters, and finite numbers",
            advice="save this record as JSON, or clean its texts",
        )


def _document(
    assessment: Assessment,
    sources: dict[str, Dataset],
    masks: Sequence[SegmentationDocument],
    segmentations: Mapping[str, seg_reading.Segmentation],
    *,
    sop_instance_uid: str,
    series_uid: str,
    now: datetime.datetime,
    previous: list[Dataset] | None,
) -> Dataset:
    segments = {key: one for made in masks for key, one in made.segments.items()}
    digests = {uid: one.content_sha256() for uid, one in segmentations.items()}
    objects = [made.dataset for made in masks]
    document = new_report(
        sr_writing.evidence_tree(sources, objects),
        [*sources.values(), *objects],
        sop_instance_uid=sop_instance_uid,
        series_uid=series_uid,
        series_number=SERIES_NUMBER,
        model=about.SOFTWARE_NAME,
        description=f"{about.SOFTWARE_NAME} reading, research use only",
        previous=previous,
        now=now,
    )
    content = sr_writing.content_tree(assessment, sources, segments, digests)
    document.ContentSequence = content.ContentSequence
    drop_placeholders(document)
    digest = text(REPORT["content_sha256"], content_sha256(document), CONTAINS)
    document.ContentSequence.append(digest)
    return document
