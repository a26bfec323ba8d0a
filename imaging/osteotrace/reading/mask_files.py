"""Files that labels may be in: the DICOM SEG of a study, and files given or beside it."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.protocol.choices import patterns
from osteotrace.records.places import dicom_folder
from osteotrace.segmentation.dicom_frames import STORAGE_CLASSES, storage_class
from osteotrace.segmentation.labels import READERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.protocol.choices import Patterns
    from osteotrace.series import Catalogue
    from osteotrace.series.instances import SeriesIdentity
    from osteotrace.volume import Volume

SEGMENTATION: Final = "SEG"
# Label files beside a study's images that are tried, each by its grid.
MOST_BESIDE: Final = 50
# What may stand for a placeholder in a path: one name, not "." or "..".
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]*", re.ASCII)


def segmentations(study: Catalogue, volume: Volume, *, own: bool = True) -> list[Path]:
    """Return the DICOM SEG of a study that refer to a volume's series, or the others."""
    series_uid = volume.identity.series_uid
    files = (
        image.path
        for series in study
        if series.identity.modality == SEGMENTATION
        and (series_uid in (series.refers_to or (series_uid,))) is own
        for part in series.volumes
        for image in part.instances
    )
    return list(dict.fromkeys(files))


def files_beside(masks: Path | None, study: Catalogue, wanted: Patterns) -> list[Path]:
    """Return the label files that are given, or lie with the images of a study.

    Parameters
    ----------
    masks : Path or None
        The file or folder that is given; else the folder that holds the study's images
        and the one above it.
    study : Catalogue
    wanted : str or tuple of str
        Patterns below these folders, or below the top of what was scanned, their
        placeholders not yet replaced; all files without one.

    Raises
    ------
    OsteotraceError
        If what is given is not there, or too many files lie beside the images.
    """
    if masks is not None and not (patterns(wanted) and masks.is_dir()):
        return label_files(masks)
    places = [masks] if masks is not None else _places(study)
    if not patterns(wanted):
        return _lying_beside(*places[:2])
    found = {
        file
        for place in places
        for series in study
        for pattern in patterns(wanted)
        for file in _matching(place, pattern, series.identity)
        # A link may lead out of the folder.
        if file.is_file() and file.resolve().is_relative_to(place.resolve())
    }
    return sorted(found)


def _places(study: Catalogue) -> list[Path]:
    """Return where label files may lie: with the images, one folder up, at the top."""
    own, top = study_folder(study), dicom_folder(study.root.absolute())
    above = own if own == top or not own.is_relative_to(top) else own.parent
    return list(dict.fromkeys([own, above, top]))


def _lying_beside(own: Path, above: Path | None = None) -> list[Path]:
    """Return the label files below a folder, and those right in the one above.

    Raises
    ------
    OsteotraceError
        If too many lie there to try them all.
    """
    # DICOM SEG among the images are the study's own.
    found = {file for file in own.rglob("*") if _is_label_file(file)}
    if above is not None:
        found |= {file for file in above.iterdir() if _is_label_file(file)}
    if len(found) > MOST_BESIDE:
        raise OsteotraceError(
            f"{len(found)} label files beside the images",
            expected=f"at most {MOST_BESIDE} that are to be tried",
            advice="say in [masks] how they are called: "
            'beside = "{study_uid}.nii.gz", say',
        )
    return sorted(found)


def _is_label_file(file: Path) -> bool:
    return file.name.lower().endswith(tuple(READERS)) and file.is_file()


def study_folder(study: Catalogue) -> Path:
    """Return the innermost folder that holds every image of a study."""
    parents = {
        image.path.parent.absolute()
        for series in study
        for volume in series.volumes
        for image in volume.instances
    }
    return Path(os.path.commonpath(parents)) if parents else study.root


def _matching(folder: Path, pattern: str, who: SeriesIdentity) -> Iterator[Path]:
    """Yield the files that a pattern means for a series; none where a name is missing."""
    values = {
        "study_uid": who.study_uid,
        "series_uid": who.series_uid,
        "patient": who.patient,
        "patient_id": who.patient_id,
        "date": who.date,
    }
    path = pattern
    for name, value in values.items():
        placeholder = f"{{{name}}}"
        if placeholder in path:
            # What a header says must not lead elsewhere.
            if not _PLAIN.fullmatch(value):
                return
            path = path.replace(placeholder, glob.escape(value))
    yield from folder.glob(path)


def label_files(masks: Path | None) -> list[Path]:
    """Return the file of labels, or the files in a folder that may hold some.

    Raises
    ------
    OsteotraceError
        If there is no such file or folder.
    """
    if masks is None:
        return []
    if masks.is_dir():
        return sorted(file for file in masks.rglob("*") if _may_hold_labels(file))
    if not masks.is_file():
        raise OsteotraceError(
            "no such file or folder",
            expected="DICOM SEG, NIfTI or NRRD labels, or a folder of them",
            advice="check the path of --masks",
            where=str(masks),
            usage=True,
        )
    return [masks]


def _may_hold_labels(file: Path) -> bool:
    """Tell by its name, or by what DICOM says it is, whether a file may hold labels."""
    if not file.is_file():
        return False
    if file.name.lower().endswith(tuple(READERS)):
        return True
    kind = storage_class(file)
    # One that is damaged is looked at, so that an error can say so.
    return file.suffix.lower() == ".dcm" if not kind else kind in STORAGE_CLASSES
