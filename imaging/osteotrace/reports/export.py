"""A reading written for others: tables, text, markups, JSON, or objects for a viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from osteotrace.errors import OsteotraceError
from osteotrace.records.sealed_json import sealed
from osteotrace.records.store import write_once

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue

Form = Literal["csv", "json", "text", "paragraph", "markups", "ohif", "slicer"]
FORMS: Final[tuple[str, ...]] = get_args(Form)
# Those that are written as DICOM objects into a folder.
OF_A_VIEWER: Final = ("ohif", "slicer")


def export(
    assessment: Assessment,
    out: str | os.PathLike[str],
    *,
    form: Form,
    images: Mapping[str, Path] | Catalogue | None = None,
    record: str | os.PathLike[str] | None = None,
) -> tuple[Path, ...]:
    """Write a reading in a form of others; nothing is ever overwritten.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    out : path
        New file; for ``"ohif"`` and ``"slicer"`` the folder that the objects go into.
    form : str
        ``"csv"`` (a row a measurement), ``"json"`` (whole, with a SHA-256), ``"text"``
        (every number), ``"paragraph"`` (what is pasted into a report),
        ``"markups"`` (3D Slicer's ``.mrk.json``); ``"ohif"`` (a DICOM SR with one length
        a caliper) or ``"slicer"`` (DICOM SR of points, and of masks with their
        segmentation).
    images : mapping of str to Path, or Catalogue, optional
        For a viewer: the files of the images by SOPInstanceUID, or the scan that they
        were found by.
    record : path, optional
        For a viewer: the DICOM SR that the reading was read from, to be named.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    OsteotraceError
        If the form is not known, images are needed and not given, nothing is there to
        be shown, or a file cannot be written.
    """
    if form not in FORMS:
        raise OsteotraceError(
            f"the form {form!r}",
            expected="one of " + ", ".join(FORMS),
            advice="choose one of these",
            usage=True,
        )
    if form in OF_A_VIEWER:
        from osteotrace.records import profiles

        if images is None:
            raise OsteotraceError(
                f"an export for {profiles.VIEWERS[form]} without the images",
                expected="the scan that the images were found by",
                advice="give the study: images=osteotrace.scan(study), or --images PATH",
                usage=True,
            )
        return profiles.write(
            assessment, images, out, profile=_profile(form), record=record
        )
    return (write_once(Path(out), content(assessment, form)),)


def content(assessment: Assessment, form: Form) -> bytes:
    """Return the content of a file of a reading: CSV, JSON, text or markups."""
    from osteotrace.reports import markups, paragraph, tables, text

    match form:
        case "csv":
            return tables.to_csv(tables.rows(assessment)).encode()
        case "json":
            return sealed(assessment)
        case "text":
            return text.report(assessment).encode()
        case "paragraph":
            return paragraph.paragraph(assessment).encode()
        case _:
            return markups.to_markups(assessment).encode()


def _profile(form: Form) -> Literal["ohif", "slicer"]:
    return "ohif" if form == "ohif" else "slicer"
