"""From a folder to patients, studies, series and volumes, by headers alone.

`scan` reads every DICOM header below a path and says for each volume whether its slices
form a stack that can be measured: its verdicts. They come from ImagePositionPatient,
ImageOrientationPatient and PixelSpacing alone; SliceThickness, the tilt tag and file
order decide nothing. No pixel is read here.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.series.catalogue import (
    Catalogue,
    Instance,
    Series,
    SeriesIdentity,
    SkippedFile,
    VolumeHeader,
    instances_by_uid,
)
from osteotrace.series.headers import Header, read_header
from osteotrace.series.stacks import series_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Catalogue",
    "Instance",
    "Series",
    "SeriesIdentity",
    "SkippedFile",
    "VolumeHeader",
    "instances_by_uid",
    "scan",
]


def scan(path: str | os.PathLike[str]) -> Catalogue:
    """Read the headers of every DICOM file below a path.

    Parameters
    ----------
    path : path
        A file or a folder of any depth.

    Returns
    -------
    Catalogue
        Series in the order of study date, study, series number of first appearance.

    Raises
    ------
    OsteotraceError
        If the path does not exist or holds no DICOM file.
    """
    root = Path(path)
    found: dict[tuple[str, ...], list[Header]] = defaultdict(list)
    skipped: list[SkippedFile] = []
    for file in _files(root):
        header = read_header(file)
        if isinstance(header, SkippedFile):
            skipped.append(header)
        else:
            found[_series_key(header)].append(header)
    if not found:
        raise _nothing_found(root, skipped)
    series = [series_of(members) for members in found.values()]
    series.sort(key=lambda s: (s.identity.date, s.identity.study_uid))
    return Catalogue(root=root, series=tuple(series), skipped=tuple(skipped))


def _series_key(header: Header) -> tuple[str, ...]:
    """Return what the images of one series share; UIDs may have been blanked out.

    One series UID under two patients is two series: patients are never mixed.
    """
    who, instance = header.identity, header.instance
    place = f"{instance.path.parent} {instance.frame_of_reference_uid}"
    return who.patient_id, who.series_uid or place


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise OsteotraceError(
            "no such file or folder",
            expected="a DICOM file or a folder that holds some",
            advice="check the path",
            where=str(root),
            usage=True,
        )
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            file = Path(folder, name)
            if file.is_file():  # Opening a pipe would wait for ever.
                yield file


def _nothing_found(root: Path, skipped: list[SkippedFile]) -> OsteotraceError:
    if root.is_file():
        found = skipped[0].reason
    elif skipped:
        reasons = Counter(file.reason for file in skipped).most_common(3)
        found = "no DICOM file among " + ", ".join(
            f"{n} × {reason}" for reason, n in reasons
        )
    else:
        found = "an empty folder"
    return OsteotraceError(
        found,
        expected="DICOM files (Part 10: 'DICM' at byte 128)",
        advice="give the folder or file that holds the CT or MR images",
        where=str(root),
    )
