"""Readings of a study that were saved: in its own SRs, or in a folder that is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.reading.cases import saved_cases
from osteotrace.reading.mask_files import SEGMENTATION
from osteotrace.records import assessments as records
from osteotrace.records.beside_readings import is_beside

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.findings import Assessment
    from osteotrace.series import Catalogue

REPORT = "SR"


def readings_of(
    study: Catalogue, folder: Path | None
) -> tuple[tuple[Assessment, ...], tuple[str, ...]]:
    """Return the saved readings of a study, the latest first.

    Parameters
    ----------
    study : Catalogue
        Its series, SRs and SEGs among them.
    folder : Path or None
        A record or a folder that may hold records of it, of other studies too.

    Returns
    -------
    readings : tuple of Assessment
        Own ones and those of other software; one that another one amends is kept too.
    refused : tuple of str
        Records that could not be read, with the reason.
    """
    files = {
        kind: [
            image.path
            for series in study
            if series.identity.modality == kind
            for volume in series.volumes
            for image in volume.instances
        ]
        for kind in (REPORT, SEGMENTATION)
    }
    found: dict[str, Assessment] = {}
    refused: list[str] = []
    for file in dict.fromkeys(files[REPORT]):
        try:
            one = _read(file, study, files[SEGMENTATION])
        except OsteotraceError as problem:
            if not is_beside(file):
                refused.append(f"{file.name}: {problem.found}")
            continue
        found.setdefault(one.assessment_uid, one)
    if folder is not None:
        for one in _below(folder, refused):
            found.setdefault(one.assessment_uid, one)
    uids = {series.identity.study_uid for series in study}
    own = [one for one in found.values() if one.study_uid in uids]
    own.sort(key=lambda one: one.recorded, reverse=True)
    return tuple(own), tuple(refused)


def _read(file: Path, study: Catalogue, segmentations: list[Path]) -> Assessment:
    try:
        return records.read(file, images=study, segmentations=segmentations)
    except OsteotraceError:
        # A report of other software refuses osteotrace's own segmentations.
        return records.read(file, images=study)


def _below(folder: Path, refused: list[str]) -> tuple[Assessment, ...]:
    try:
        cases = saved_cases(folder)
    except OsteotraceError as problem:
        # A folder of masks alone holds no record.
        if not problem.usage:
            refused.append(f"{folder.name}: {problem.found}")
        return ()
    refused += [problem.found for problem in cases.failures]
    return tuple(one for case in cases.cases for one in case.assessments)
