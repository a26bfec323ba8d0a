"""The files to be sent: whole, named once, and in an order that leaves no loose ends."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import contents
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

    from osteotrace.pacs.contents import Content

# Reports name images and segmentations: they are sent last.
_REPORTS: Final = "1.2.840.10008.5.1.4.1.1.88."
_PREAMBLE_BYTES: Final = 128
_MAGIC: Final = b"DICM"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file to be sent.

    Parameters
    ----------
    path : Path
        The file.
    study_uid, series_uid, sop_uid, sop_class_uid : str
        As its header states them.
    transfer_syntax_uid : str
        How it is encoded.
    content : dict
        From `osteotrace.pacs.contents.content_of`.
    """

    path: Path
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    content: Content


def outgoing(files: Iterable[str | os.PathLike[str]]) -> list[Outgoing]:
    """Read the files to be sent; of a folder, every DICOM file below it.

    Returns
    -------
    list of Outgoing
        Images and segmentations first, then reports; each instance once.

    Raises
    ------
    OsteotraceError
        If a file is no whole DICOM file, a reading of osteotrace was changed, two files
        of one SOP Instance UID differ, or there is nothing to send.
    """
    by_uid: dict[str, Outgoing] = {}
    for path in _paths(files):
        one = _read(path)
        before = by_uid.setdefault(one.sop_uid, one)
        differing = contents.differences(before.content, one.content)
        if differing:
            raise OsteotraceError(
                f"two files of one SOP Instance UID that differ in "
                f"{', '.join(differing[:5])}: {before.path.name}, {path.name}",
                expected="one content under one UID",
                advice="send the right one alone",
                where=str(path),
            )
    if not by_uid:
        raise _nothing()
    return sorted(
        by_uid.values(),
        key=lambda one: (one.sop_class_uid.startswith(_REPORTS), one.study_uid),
    )


def by_study(files: Iterable[str | os.PathLike[str]]) -> list[tuple[str, list[Path]]]:
    """Return the files to be sent, study by study; only their headers are read.

    Returns
    -------
    list of (str, list of Path)
        StudyInstanceUID and files. A file that cannot be read stands alone, with an
        empty UID.

    Raises
    ------
    OsteotraceError
        If there is nothing to send.
    """
    found: dict[str, list[Path]] = {}
    unread: list[tuple[str, list[Path]]] = []
    for path in _paths(files):
        try:
            found.setdefault(_study_of(path), []).append(path)
        except OsteotraceError:
            unread.append(("", [path]))
    if not found and not unread:
        raise _nothing()
    return [*found.items(), *unread]


def _study_of(path: Path) -> str:
    import pydicom

    from osteotrace.records.dicom_objects import one_error

    keyword, expected, advice = "StudyInstanceUID", "a DICOM file", "check the path"
    with one_error(path, "no DICOM file", expected=expected, advice=advice):
        header = pydicom.dcmread(path, specific_tags=[keyword], stop_before_pixels=True)
        return _uid(header, keyword, path)


def _nothing() -> OsteotraceError:
    return OsteotraceError(
        "no DICOM file to send",
        expected="DICOM files, or a folder that holds some",
        advice="check the path; 'osteotrace measure --out' writes SR and SEG files",
        usage=True,
    )


def _paths(files: Iterable[str | os.PathLike[str]]) -> list[Path]:
    found: list[Path] = []
    for given in files:
        place = Path(given)
        if not place.is_dir():
            found.append(place)
            continue
        for root, folders, names in os.walk(place):
            # Drafts of writers at work, among them.
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            below = (Path(root, name) for name in sorted(names))
            found += [path for path in below if _is_dicom(path)]
    return found


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            stream.seek(_PREAMBLE_BYTES)
            return stream.read(4) == _MAGIC
    except OSError:
        return False


def _read(path: Path) -> Outgoing:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise OsteotraceError(
            f"a file that cannot be read ({problem.strerror or problem})",
            expected="a DICOM file",
            advice="check the path",
            where=str(path),
            usage=True,
        ) from problem
    if content[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] != _MAGIC:
        raise OsteotraceError(
            "a file that is not DICOM",
            expected="DICOM files, or folders of which every DICOM file is sent",
            advice="check the path",
            where=str(path),
        )
    dataset = contents.read(content, str(path))
    study_uid, series_uid, sop_uid = (
        _uid(dataset, keyword, path)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    _check_reading(path, str(dataset.SOPClassUID))
    return Outgoing(
        path,
        study_uid,
        series_uid,
        sop_uid,
        str(dataset.SOPClassUID),
        str(dataset.file_meta.TransferSyntaxUID),
        contents.content_of(dataset),
    )


def _uid(dataset: Dataset, keyword: str, path: Path) -> str:
    uid = str(dataset.get(keyword, ""))
    if not is_uid(uid):
        raise OsteotraceError(
            f"{keyword} {uid[:64]!r}",
            expected="a DICOM UID",
            advice="an object without it can be stored nowhere",
            where=str(path),
        )
    return uid


def _check_reading(path: Path, sop_class_uid: str) -> None:
    """Refuse a reading of osteotrace that is not as it was saved."""
    if not sop_class_uid.startswith(_REPORTS):
        return
    from osteotrace.records import sr
    from osteotrace.records.foreign.document import origin

    if origin(path) == "own report":
        sr.read(path)
