"""One file of a folder of records: a reading, or a segmentation that holds its masks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.records.folder.contents import Record, SegmentationFile
from osteotrace.segmentation import dicom_frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from osteotrace.findings import Assessment

DICOM_SUFFIX: Final = ".dcm"
JSON_SUFFIX: Final = ".json"


def read_file(path: Path, segmentations: Sequence[Path] = ()) -> Assessment:
    """Read the reading that a file holds.

    Parameters
    ----------
    path : Path
        A DICOM SR, or sealed JSON.
    segmentations : sequence of Path, optional
        Segmentations whose files are not named by their UID.

    Raises
    ------
    OsteotraceError
        If it is no record of osteotrace, or was damaged or changed.
    """
    from osteotrace.records import sealed_json, sr

    try:
        if path.suffix != JSON_SUFFIX:
            return sr.read(path, segmentations=segmentations)
        content = path.read_bytes()
        if not sealed_json.is_sealed(content):
            raise OsteotraceError(
                "a JSON file without the digest of a record",
                expected="a record that was added to this folder",
                advice="move it away, or read it and add it anew",
            )
        return sealed_json.unsealed(content)
    except OsteotraceError as problem:
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice=problem.advice,
            # A record is named by its own file, also where its masks are at fault.
            where=str(path),
            usage=problem.usage,
        ) from problem
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def read_record(path: Path, segmentations: Sequence[Path] = ()) -> Record:
    """Read a file whole and return what a list says of it.

    Parameters and errors as in `read_file`.
    """
    one = read_file(path, segmentations)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    return Record(
        file=path.name,
        kind="JSON" if path.suffix == JSON_SUFFIX else "SR",
        sha256=digest,
        assessment_uid=one.assessment_uid,
        predecessor_uid=one.predecessor_uid,
        study_uid=one.study_uid,
        patient=one.patient,
        study_date=one.study_date,
        reader=one.reader,
        recorded=one.recorded,
        findings=len(one.findings),
    )


def read_segmentation(path: Path) -> SegmentationFile | None:
    """Return what the header of a segmentation says; None where it is none."""
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info

    try:
        kind = read_file_meta_info(path).get("MediaStorageSOPClassUID")
        if kind not in dicom_frames.STORAGE_CLASSES:
            return None
        wanted = ["SOPInstanceUID", "StudyInstanceUID"]
        header = dcmread(path, stop_before_pixels=True, specific_tags=wanted)
        return SegmentationFile(
            file=path.name,
            sop_instance_uid=str(header.SOPInstanceUID),
            study_uid=str(header.StudyInstanceUID),
        )
    # Damaged DICOM raises eleven kinds; reading it as a record says what is wrong.
    except Exception:
        return None


def misnamed(path: Path, assessment_uid: str) -> OsteotraceError:
    """Return the error of a file that is named by another record than it holds."""
    return OsteotraceError(
        f"the record {assessment_uid} in a file that is named by another record's UID",
        expected=f"the name {assessment_uid}{path.suffix}",
        advice="the files were renamed or exchanged: give each its own name again",
        where=str(path),
    )


def _unreadable(path: Path, problem: OSError) -> OsteotraceError:
    return OsteotraceError(
        f"a record that cannot be read ({problem.strerror or problem})",
        expected="a file that may be read",
        advice="check the file's rights and its disk",
        where=str(path),
    )
