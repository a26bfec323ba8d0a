"""A DICOM record of other software, checked before anything is taken from it.

A foreign report carries no digest, so that what can be checked is checked: the file is
whole, of a kind that is read, and nests no deeper than records do. Whose a record is is
told here too: one that claims to be osteotrace's own is never read as anybody else's.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, Literal

from osteotrace import about
from osteotrace.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_UID
from osteotrace.errors import OsteotraceError
from osteotrace.records import dicom_objects
from osteotrace.records.report_content.digest import DEEPEST_NESTING
from osteotrace.records.seg import CONTENT_LABEL
from osteotrace.segmentation import dicom_frames
from osteotrace.series.elements import DamagedHeader, ElementReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pydicom.dataset import Dataset

Origin = Literal["own report", "report", "segmentation"]

# Enhanced, Comprehensive and Comprehensive 3D SR (PS3.4 B.5).
REPORTS: Final = {
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
}
# How the model of an export for a viewer begins (`osteotrace.records.profiles`); that of
# no record does.
EXPORT: Final = f"{about.SOFTWARE_NAME} export"
_SOP_CLASS: Final = 0x00080016
# The sequences that content consists of (PS3.3 C.17.3), for files that do not say
# which elements are sequences.
_SEQUENCES: Final = (
    0x0040A730, 0x0040A043, 0x0040A168, 0x0040A300, 0x004008EA, 0x0040A301,
    0x00081199, 0x00081115, 0x0040A504, 0x0040A375, 0x0040A360, 0x00081140,
)  # fmt: skip
_FETCH_AGAIN: Final = "the file is damaged or incomplete: fetch it again from its source"
_EXPECTED: Final = (
    "a record: Enhanced, Comprehensive or Comprehensive 3D SR, or a segmentation"
)


def origin(file: Path) -> Origin:
    """Tell what a DICOM file is, and whether it claims to be osteotrace's own.

    Raises
    ------
    OsteotraceError
        If it is damaged, too large, no record, or an export of osteotrace.
    """
    with one_error(file):
        if _sop_class(file) in dicom_frames.STORAGE_CLASSES:
            return "segmentation"
        document = _parsed(file)
        if str(document.get("ManufacturerModelName") or "").startswith(EXPORT):
            raise OsteotraceError(
                "an export for a viewer, which holds a part of a record",
                expected="the record that it was made from",
                advice="read that record; the comment of the export names it",
            )
        return "own report" if claims_to_be_own(document) else "report"


def report(file: Path) -> Dataset:
    """Return a structured report that is whole.

    Raises
    ------
    OsteotraceError
        If it is none, is cut off, too large, nests deeper than 32 items, or says that it
        is osteotrace's own: that one's own reader checks its digest.
    """
    with one_error(file):
        _check_whole(file)
        document = _parsed(file)
        check_foreign(document)
        if not document.get("ContentSequence"):
            raise OsteotraceError(
                "a report without content",
                expected="a whole report",
                advice=_FETCH_AGAIN,
            )
        return document


def check_foreign(document: Dataset) -> None:
    """Refuse what says that it is osteotrace's own: it has a reader that checks it.

    Raises
    ------
    OsteotraceError
        If any mark of osteotrace is on it.
    """
    if claims_to_be_own(document):
        raise OsteotraceError(
            "a part of a record of osteotrace",
            expected="a record of other software",
            advice="read the report with osteotrace.read, which checks that it is whole",
        )


def _check_whole(file: Path) -> None:
    """Refuse what is cut off or nests too deep: pydicom reads most of it in silence."""
    reader = ElementReader((_SOP_CLASS, *_SEQUENCES), _SEQUENCES)
    try:
        reader.read(str(file), file.stat().st_size)
    except DamagedHeader as problem:
        raise OsteotraceError(
            f"a damaged report: {str(problem).replace('header', 'content')}",
            expected=f"a whole report, at most {DEEPEST_NESTING} items deep",
            advice=_FETCH_AGAIN,
        ) from problem


def _parsed(file: Path) -> Dataset:
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info

    kind = _sop_class(file)
    if kind not in REPORTS:
        raise _refused(f"a DICOM file of another kind ({_kind_name(kind)})")
    if file.stat().st_size > dicom_objects.LARGEST_REPORT_BYTES:
        raise _refused(f"a report of {file.stat().st_size:,} bytes")
    syntax = read_file_meta_info(file).get("TransferSyntaxUID")
    if syntax not in dicom_objects.READABLE_SYNTAXES:
        raise _refused(f"a report in the transfer syntax {syntax}")
    return dcmread(io.BytesIO(file.read_bytes()))


def claims_to_be_own(document: Dataset) -> bool:
    """Tell whether a record names osteotrace anywhere that its records name it.

    Any one mark is enough: damage may have taken the others.
    """
    stated = [document.get("Manufacturer"), document.get("ManufacturerModelName")]
    if any(str(name or "").startswith(about.SOFTWARE_NAME) for name in stated):
        return True
    schemes = document.get("CodingSchemeIdentificationSequence") or []
    if any(item.get("CodingSchemeUID") == PRIVATE_SCHEME_UID for item in schemes):
        return True
    if document.get("ContentLabel") == CONTENT_LABEL:
        return True
    names = (
        name
        for item in document.get("ContentSequence") or []
        for name in item.get("ConceptNameCodeSequence") or []
    )
    segments = (
        code for item in document.get("SegmentSequence") or [] for code in _codes_of(item)
    )
    return any(
        code.get("CodingSchemeDesignator") == PRIVATE_SCHEME
        for code in (*names, *segments)
    )


def _codes_of(segment: Dataset) -> Iterator[Dataset]:
    """Yield what a segment is and where it lies, with their modifiers."""
    for keyword in (
        "SegmentedPropertyCategoryCodeSequence",
        "SegmentedPropertyTypeCodeSequence",
        "AnatomicRegionSequence",
    ):
        for code in segment.get(keyword) or []:
            yield code
            for modifier in (
                "SegmentedPropertyTypeModifierCodeSequence",
                "AnatomicRegionModifierSequence",
            ):
                yield from code.get(modifier) or []


def one_error(file: Path) -> AbstractContextManager[None]:
    """Turn whatever a damaged file makes the DICOM libraries raise into one error."""
    return dicom_objects.one_error(
        file,
        "a file that cannot be read",
        expected=f"{_EXPECTED}, whole and at most {DEEPEST_NESTING} items deep",
        advice=_FETCH_AGAIN,
    )


def _sop_class(file: Path) -> str:
    elements = ElementReader((_SOP_CLASS,), ()).read(str(file), file.stat().st_size)
    stated = elements.values.get(_SOP_CLASS) if elements is not None else None
    if not isinstance(stated, bytes):
        raise _refused("a file that does not say what it is")
    return stated.decode("ascii").strip("\0 ")


def _kind_name(kind: str) -> str:
    from pydicom.uid import UID

    return UID(kind).name


def _refused(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected=_EXPECTED,
        advice="choose a record that osteotrace or a viewer saved",
    )
