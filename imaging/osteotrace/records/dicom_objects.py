"""What every DICOM object of osteotrace has in common, and the one error of all."""

from __future__ import annotations

import io
import uuid
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from osteotrace import about
from osteotrace.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_NAME, PRIVATE_SCHEME_UID
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
UTF_8: Final = "ISO_IR 192"
# Of reports. Neither deflated nor big endian: a deflated megabyte can unfold to
# gigabytes.
READABLE_SYNTAXES: Final = frozenset({"1.2.840.10008.1.2", EXPLICIT_LITTLE_ENDIAN})
# A report of a thousand calipers takes some 10 MB.
LARGEST_REPORT_BYTES: Final = 100_000_000
# Manufacturer's Model Name of comparisons: a folder of records tells them by it.
COMPARISON_MODEL: Final = f"{about.SOFTWARE_NAME} comparison"
# Namespace of the UIDs that osteotrace derives from a text (RFC 9562, version 5).
_UID_NAMESPACE: Final = uuid.UUID("0b7b1a56-7d3c-5b53-9d0c-52f64f1a7c5e")


def derived_uid(text: str) -> str:
    """Return the UID that osteotrace derives from a text, the same every time."""
    return f"{about.UID_PREFIX}{uuid.uuid5(_UID_NAMESPACE, text).int}"


def new_report(
    content: ContentItem,
    evidence: Sequence[Dataset],
    *,
    sop_instance_uid: str,
    series_uid: str,
    series_number: int,
    model: str,
    description: str,
    previous: list[Dataset] | None,
    now: datetime.datetime,
) -> Dataset:
    """Return a Comprehensive 3D SR of osteotrace (PS3.3 A.35.13) on its evidence.

    Parameters
    ----------
    content : ContentItem
        Root of the content tree.
    evidence : sequence of Dataset
        Headers of the images and segmentations that it refers to; patient and study are
        theirs.
    sop_instance_uid, series_uid, series_number
        Its place in the study.
    model : str
        Manufacturer's Model Name.
    description : str
        Series Description, which says that it is for research alone.
    previous : list of Dataset, optional
        Headers of the documents that it amends or was derived from.
    now : datetime
        Content Date and Time.
    """
    from highdicom.sr import Comprehensive3DSR

    document = Comprehensive3DSR(
        evidence=list(evidence),
        content=content,
        series_instance_uid=series_uid,
        series_number=series_number,
        sop_instance_uid=sop_instance_uid,
        instance_number=1,
        manufacturer=about.SOFTWARE_NAME,
        manufacturer_model_name=model,
        software_versions=about.VERSION,
        series_description=description,
        previous_versions=previous,
        record_evidence=True,
        transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN,
        specific_character_set=UTF_8,
        content_date=now.date(),
        content_time=now.time(),
    )
    complete(document, now)
    return document


def complete(document: Dataset, now: datetime.datetime) -> None:
    """State the time of writing and the private coding scheme, in place.

    highdicom states the time of its own call, which no argument changes.
    """
    from pydicom.dataset import Dataset
    from pydicom.valuerep import DA, DT, TM

    document.ContentDate = document.InstanceCreationDate = DA(now.date())
    document.ContentTime = document.InstanceCreationTime = TM(now.time())
    # highdicom adds itself last.
    highdicom = document.ContributingEquipmentSequence[-1]
    highdicom.ContributionDateTime = DT(now.replace(tzinfo=None))
    scheme = Dataset()
    scheme.CodingSchemeDesignator = PRIVATE_SCHEME
    scheme.CodingSchemeUID = PRIVATE_SCHEME_UID
    scheme.CodingSchemeName = PRIVATE_SCHEME_NAME
    document.CodingSchemeIdentificationSequence = [scheme]


def encoded(document: Dataset) -> bytes:
    """Return the file of a DICOM object."""
    stream = io.BytesIO()
    document.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@contextmanager
def one_error(path: Path, found: str, *, expected: str, advice: str) -> Iterator[None]:
    """Turn whatever the DICOM libraries raise into one clear error that names a file."""
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
            f"{found} ({reason})", expected=expected, advice=advice, where=str(path)
        ) from problem
