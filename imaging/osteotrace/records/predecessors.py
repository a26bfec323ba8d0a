"""The record that an amendment names: there, and of a kind that can be amended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.records import sealed_json
from osteotrace.records.foreign import document as foreign_document
from osteotrace.segmentation import dicom_frames

if TYPE_CHECKING:
    import os

    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment


def predecessor_header(
    assessment: Assessment, path: str | os.PathLike[str] | None
) -> list[Dataset] | None:
    """Return the header of the record that is amended, in a list; None where none is.

    Parameters
    ----------
    assessment : Assessment
        The amendment.
    path : path or None
        File of the record that it names; where it is not there, JSON of the same name.
        Of JSON there is no header.

    Raises
    ------
    OsteotraceError
        If there is no record, another one, or what is no record of its own: the masks
        of one of osteotrace, an image.
    """
    from pydicom import dcmread

    if not assessment.predecessor_uid or path is None:
        return None
    file = Path(path)
    as_json = file if file.suffix == ".json" else file.with_suffix(".json")
    header = None
    try:
        if file == as_json or (not file.exists() and as_json.exists()):
            # Predecessor Documents (0040,A360) can name DICOM objects alone.
            uid = sealed_json.read(as_json.read_bytes()).assessment_uid
        else:
            header = dcmread(file, stop_before_pixels=True)
            uid = str(header.SOPInstanceUID)
    except FileNotFoundError:
        found = "no record there"
    else:
        if uid != assessment.predecessor_uid:
            found = f"the record {uid}"
        elif header is not None and not _may_be_amended(header):
            found = f"no record of its own ({header.SOPClassUID.name})"
        else:
            return None if header is None else [header]
    raise OsteotraceError(
        found,
        expected=f"the record that is amended, {assessment.predecessor_uid}",
        advice="save the amendment beside it, or name its file",
        where=str(path),
    )


def _may_be_amended(header: Dataset) -> bool:
    """Tell a report, or a segmentation of other software, from a part of a record."""
    if header.SOPClassUID in foreign_document.REPORTS:
        return True
    if header.SOPClassUID not in dicom_frames.STORAGE_CLASSES:
        return False
    return not foreign_document.claims_to_be_own(header)
