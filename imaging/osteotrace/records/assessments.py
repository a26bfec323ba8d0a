"""An assessment saved and read back: JSON or DICOM SR, whichever the file is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.records import sealed_json, slicer_markups

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue


def save(
    assessment: Assessment,
    path: str | os.PathLike[str],
    *,
    images: Mapping[str, Path] | Catalogue | None = None,
) -> Path:
    """Save an assessment as a new file; nothing is ever overwritten.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    path : path
        A file name that ends in ``.json`` for JSON with a SHA-256 over what it says;
        else the folder that the DICOM SR goes into, as ``<SOPInstanceUID>.dcm``, and
        the DICOM SEG of its masks.
    images : mapping of str to Path, or Catalogue
        For the SR: the files of the images by SOPInstanceUID, or the scan that they
        were found by.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OsteotraceError
        If the file exists, cannot be written, or the SR lacks its images or a frame of
        reference; nothing is left behind then.
    """
    place = Path(path)
    if place.suffix == ".json":
        from osteotrace.records.store import write_once

        return write_once(place, sealed_json.sealed(assessment))
    from osteotrace.records import sr
    from osteotrace.records.report_content import source_images
    from osteotrace.records.report_content.date_times import moment

    if images is None and source_images.lack(assessment) is None:
        raise OsteotraceError(
            "a DICOM SR to be written without its images",
            expected="the scan that the images were found by",
            advice="give images=osteotrace.scan(study), or a file name in .json",
            where=str(place),
            usage=True,
        )
    now = moment(assessment.recorded)
    return sr.write(assessment, images or {}, place, now=now)


def read(
    path: str | os.PathLike[str],
    *,
    images: Mapping[str, Path] | Catalogue | None = None,
    segmentations: Iterable[str | os.PathLike[str]] = (),
) -> Assessment:
    """Read a saved assessment, or a record of other software.

    Parameters
    ----------
    path : path
        What osteotrace saved, JSON or DICOM SR; a DICOM SR or segmentation of other
        software; or Slicer markups (``.mrk.json``).
    images : mapping of str to Path, or Catalogue, optional
        For a report of other software: the images that its coordinates lie on.
    segmentations : iterable of path
        For a report: the segmentations that it refers to, where not beside it.

    Returns
    -------
    Assessment
        Equal to what was saved; of other software what could be read, with what was
        ``not_understood``.

    Raises
    ------
    OsteotraceError
        If the file cannot be read or is none of these. What says that it is
        osteotrace's own is read as such only: it must be whole. JSON of schema version 2
        and later must carry its digest.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            start = stream.read(132)
        if start[128:] == b"DICM":
            return _read_dicom(file, images, segmentations)
        content = file.read_bytes()
    except OSError as problem:
        raise OsteotraceError(
            f"a record that cannot be read ({problem.strerror})",
            expected="an assessment that osteotrace saved, JSON or DICOM SR",
            advice="check the path",
            where=str(file),
            usage=True,
        ) from problem
    if slicer_markups.are_in(content):
        return slicer_markups.read(file)
    try:
        return sealed_json.read(content)
    except OsteotraceError as problem:
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice=problem.advice,
            where=str(file),
        ) from problem


def _read_dicom(
    file: Path,
    images: Mapping[str, Path] | Catalogue | None,
    segmentations: Iterable[str | os.PathLike[str]],
) -> Assessment:
    from osteotrace.records import sr
    from osteotrace.records.foreign import document as foreign_document
    from osteotrace.records.foreign import report as foreign_sr
    from osteotrace.records.foreign import segmentation as foreign_seg

    match foreign_document.origin(file):
        case "own report":
            return sr.read(file, segmentations=segmentations)
        case "report":
            return foreign_sr.read(file, images=images, segmentations=segmentations)
        case "segmentation":
            return foreign_seg.read(file)
