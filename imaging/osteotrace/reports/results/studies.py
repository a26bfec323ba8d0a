"""The folder of one study: its record, its pictures, and DICOM objects where asked."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, Literal

from osteotrace.findings import marked_volume
from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.records.sealed_json import sealed
from osteotrace.reports import figures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue
    from osteotrace.volume import Volume

RECORD: Final = "assessment.json"
NO_SR: Final = "no_structured_report.txt"
CASE_PICTURE: Final = "case.jpg"
# Of the study's digest in its folder's name: where thousands of studies have no patient
# and no date, nothing else tells them apart.
_DIGITS: Final = 16
# Goes into the contact sheet.
SMALL_PICTURE: Final = "case_small.jpg"

# One picture a finding, one of the whole case, or none.
Pictures = Literal["finding", "case", "none"]


def write_study(
    draft: Path,
    assessment: Assessment,
    volumes: Iterable[Volume],
    images: Catalogue,
    *,
    records: bool = True,
    pictures: Pictures = "finding",
) -> list[Path]:
    """Write what belongs to one study into a folder that is there and empty.

    Parameters
    ----------
    draft : Path
        The folder; give it its name when all is written
        (`osteotrace.records.store.new_folder`).
    assessment : Assessment
    volumes : iterable of Volume
        Those that were measured, for the pictures.
    images : Catalogue
        The study's series, for DICOM objects that name their images.
    records : bool
        Also a DICOM SR, and a DICOM SEG of the masks; where the images do not say what
        an SR must, a text that says what that is.
    pictures : str
        ``"finding"`` for one a finding, ``"case"`` for one of the whole case, ``"none"``.

    Returns
    -------
    list of Path
        The files, the JSON record first.

    Raises
    ------
    OsteotraceError
        If one of them cannot be made; what was written so far stays in the draft.
    """
    record = draft / RECORD
    record.write_bytes(sealed(assessment))
    written = [record]
    if records:
        written += _dicom(assessment, images, draft)
    if pictures == "finding":
        written += _of_findings(assessment, tuple(volumes), draft)
    elif pictures == "case":
        written += _of_case(assessment, tuple(volumes), draft)
    return written


def study_folder(assessment: Assessment) -> str:
    """Return a folder name for a study, without its UIDs or the patient's identity."""
    return folder_name(assessment.patient, assessment.study_date, assessment.study_uid)


def folder_name(patient: str, study_date: str, study_uid: str) -> str:
    """Return the same from what a row of the table says."""
    digest = hashlib.sha256(study_uid.encode()).hexdigest()[:_DIGITS]
    return _file_name(f"{patient}_{study_date or 'undated'}_{digest}")


def _dicom(assessment: Assessment, images: Catalogue, folder: Path) -> list[Path]:
    from osteotrace.records import sr
    from osteotrace.records.report_content.date_times import moment
    from osteotrace.records.report_content.source_images import lack

    lacking = lack(assessment)
    if lacking is not None:
        told = folder / NO_SR
        told.write_text(f"{lacking}\n", encoding="utf-8")
        return [told]
    now = moment(assessment.recorded)
    structured = sr.write(assessment, images, folder, now=now)
    masks = sorted(file for file in folder.glob("*.dcm") if file != structured)
    return [structured, *masks]


def _of_findings(
    assessment: Assessment, volumes: tuple[Volume, ...], folder: Path
) -> list[Path]:
    written = []
    for number, finding in enumerate(assessment.findings, start=1):
        volume = marked_volume(finding, volumes)
        if volume is None:
            continue
        calipers = any(region.role == AS_DRAWN for region in finding.regions)
        what = "caliper" if calipers else "lesion"
        draw = figures.caliper_picture if calipers else figures.lesion_picture
        file = folder / f"{what}_{number}_{_file_name(finding.label)}.png"
        file.write_bytes(draw(volume, finding))
        written.append(file)
    return written


def _of_case(
    assessment: Assessment, volumes: tuple[Volume, ...], folder: Path
) -> list[Path]:
    picture = figures.case_picture(assessment, volumes)
    (folder / CASE_PICTURE).write_bytes(picture.whole)
    (folder / SMALL_PICTURE).write_bytes(picture.small)
    return [folder / CASE_PICTURE, folder / SMALL_PICTURE]


def _file_name(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", words)
