"""What lies under a path: studies' objects and records, and what is none of them.

Headers are walked with bounds before another library reads a file. Reasons for leaving a
file out never repeat what it says or what it is called: they go to logs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from osteotrace.about import UNFINISHED
from osteotrace.errors import OsteotraceError
from osteotrace.series.elements import DamagedHeader, ElementReader
from osteotrace.series.instances import DEFLATED

if TYPE_CHECKING:
    from osteotrace.series.elements import Elements

Kind = Literal[
    "image", "segmentation", "report", "registration", "own reading",
    "own comparison", "own registration", "json",
]  # fmt: skip
Progress = Callable[[int, int], None]

# Storage classes (PS3.4 B.5).
IMAGES: Final = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "Enhanced MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "Legacy Converted Enhanced MR",
}
SEGMENTATIONS: Final = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
}
REPORTS: Final = {
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
}
REGISTRATION: Final = "1.2.840.10008.5.1.4.1.1.66.1"
SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_JSON_SUFFIX: Final = ".json"
_LARGEST_JSON: Final = 100_000_000
# One of them stands in every reading and comparison, sealed or of an early version.
_RECORD_WORDS: Final = (b'"osteotrace_', b'"assessment_uid"')

_TAGS: Final = {
    "sop_class": 0x00080016, "sop_uid": 0x00080018, "study_uid": 0x0020000D,
    "series_uid": 0x0020000E, "media_class": 0x00020002, "media_uid": 0x00020003,
    "manufacturer": 0x00080070, "model": 0x00081090, "burned_in": 0x00280301,
    "patient_id": 0x00100020, "issuer": 0x00100021,
}  # fmt: skip
_READER: Final = ElementReader(_TAGS.values(), ())


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is de-identified.

    Parameters
    ----------
    path : Path
    kind : str
    sop_uid, study_uid, series_uid : str
        Its UIDs as they are; empty for JSON.
    patient_id, issuer : str
        PatientID and IssuerOfPatientID.
    """

    path: Path
    kind: Kind
    sop_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    patient_id: str = ""
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is left out, and why, in words that name nobody.

    Parameters
    ----------
    path : Path
    reason : str
        For logs: it says nothing that the file says.
    detail : str
        For the private list alone.
    """

    path: Path
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The files under a path.

    Parameters
    ----------
    sources : tuple of Source
        In the order of their paths.
    refused : tuple of Refused
    """

    sources: tuple[Source, ...]
    refused: tuple[Refused, ...]

    def issuers(self) -> dict[tuple[str, str], str]:
        """Return the issuer of a PatientID by study and PatientID.

        Not every object of a study repeats it: each is of the one patient all the same.
        """
        return {
            (one.study_uid, one.patient_id): one.issuer
            for one in reversed(self.sources)
            if one.issuer
        }


def gather(path: Path, *, burned_in: bool, progress: Progress | None = None) -> Gathered:
    """Look at every file of a folder, or at one file.

    Parameters
    ----------
    path : Path
    burned_in : bool
        Whether secondary captures are taken.
    progress : callable, optional
        Told how many files were looked at, of how many.

    Raises
    ------
    OsteotraceError
        If the path is not there.
    """
    if not path.exists():
        raise OsteotraceError(
            "nothing at the path given",
            expected="a DICOM file or folder",
            advice="check the path",
            usage=True,
        )
    files = [path] if path.is_file() else _files(path)
    sources: list[Source] = []
    refused: list[Refused] = []
    for number, file in enumerate(files, start=1):
        found = _source(file, burned_in=burned_in)
        if isinstance(found, Source):
            sources.append(found)
        elif found is not None:
            refused.append(found)
        if progress is not None:
            progress(number, len(files))
    return Gathered(tuple(sources), tuple(refused))


def _files(folder: Path) -> list[Path]:
    """Return the files below a folder in one order, without drafts.

    Links out of it are not followed.
    """
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(UNFINISHED)]
        found += [Path(root, name) for name in names]
    return sorted(found)


def _source(file: Path, *, burned_in: bool) -> Source | Refused | None:
    """Tell what a file is; None for a DICOMDIR, which names files by their old names."""
    try:
        if file.suffix.lower() == _JSON_SUFFIX:
            if file.stat().st_size > _LARGEST_JSON:
                return Refused(file, "a JSON file too large for a record")
            content = file.read_bytes()
            if not any(word in content for word in _RECORD_WORDS):
                return Refused(file, "a JSON file that is no record")
            return Source(file, "json")
        found = _READER.read(str(file), file.stat().st_size)
    except OSError as problem:
        return Refused(file, f"a file that cannot be read ({problem.strerror})")
    except DamagedHeader as problem:
        return Refused(file, "a damaged DICOM file", str(problem))
    except Exception as problem:
        return Refused(file, f"a damaged DICOM file ({type(problem).__name__})")
    if found is None:
        return Refused(file, "a file that is not DICOM")
    if file.name == "DICOMDIR" or "1.2.840.10008.1.3.10" in _said(found, "media_class"):
        return None
    return _dicom(file, found, burned_in=burned_in)


def _dicom(file: Path, found: Elements, *, burned_in: bool) -> Source | Refused:
    sop_class = _said(found, "sop_class") or _said(found, "media_class")
    sop_uid = _said(found, "sop_uid") or _said(found, "media_uid")
    if not sop_uid:
        return Refused(file, "a DICOM file without a SOPInstanceUID")
    if found.transfer_syntax == DEFLATED:
        return Refused(file, "a deflated DICOM file: inflate it first")
    try:
        kind = _kind(file, sop_class, found, burned_in=burned_in)
    except OsteotraceError as problem:
        return Refused(file, "a record that is damaged or an export", str(problem))
    if kind is None:
        return Refused(file, "a DICOM object of a kind that is not supported", sop_class)
    if _said(found, "burned_in").upper() == "YES" and not burned_in:
        return Refused(file, "an image that says that text is burned into it (0028,0301)")
    series = _said(found, "series_uid")
    # Some exports leave one of both out: what has none is one study, and one series.
    study = _said(found, "study_uid") or f"study of {series}"
    return Source(
        file,
        kind,
        sop_uid=sop_uid,
        study_uid=study,
        series_uid=series or f"series of {study}",
        patient_id=_said(found, "patient_id"),
        issuer=_said(found, "issuer"),
    )


def _kind(file: Path, sop_class: str, found: Elements, *, burned_in: bool) -> Kind | None:
    """Return what kind of object it is; osteotrace's own records are told apart."""
    if sop_class in IMAGES or (burned_in and sop_class.startswith(SECONDARY_CAPTURE)):
        return "image"
    if sop_class in SEGMENTATIONS:
        return "segmentation"
    if sop_class == REGISTRATION:
        return "own registration" if _is_own(found) else "registration"
    if sop_class not in REPORTS:
        return None
    from osteotrace.records.dicom_objects import COMPARISON_MODEL
    from osteotrace.records.foreign import document

    if sop_class not in document.REPORTS or document.origin(file) == "report":
        return "report"
    own = _said(found, "model") == COMPARISON_MODEL
    return "own comparison" if own else "own reading"


def _is_own(found: Elements) -> bool:
    from osteotrace.about import SOFTWARE_NAME

    return _said(found, "manufacturer") == SOFTWARE_NAME


def _said(found: Elements, name: str) -> str:
    raw = found.values.get(_TAGS[name], b"")
    return raw.strip(b"\0 ").decode("latin-1") if isinstance(raw, bytes) else ""
