"""Labels from files: DICOM segmentations, NIfTI, NRRD and MetaImage.

>>> from osteotrace.segmentation.labels import read_labels
>>> labels = read_labels("spine.nii.gz", like=volume)  # doctest: +SKIP
>>> labels["L1"].mask  # doctest: +SKIP
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.segmentation import dicom_segmentation, label_files
from osteotrace.segmentation.label_maps import Label, LabelMap, bodies

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from osteotrace.volume import Volume

__all__ = ["Label", "LabelMap", "bodies", "read_labels"]

# What is no DICOM, by the end of the name.
READERS: Final = {
    ".nii": label_files.read_nifti,
    ".nii.gz": label_files.read_nifti,
    ".nrrd": label_files.read_nrrd,
    ".nhdr": label_files.read_nrrd,
    ".mha": label_files.read_metaimage,
}


def read_labels(
    path: Path | str | os.PathLike[str],
    *,
    like: Volume | None = None,
    table: str | Mapping[int, str] | None = None,
    least_fraction: float = 0.5,
) -> LabelMap:
    """Read the labels of a segmentation file.

    Parameters
    ----------
    path : path
        A DICOM segmentation, or a file whose name ends in ``.nii``, ``.nii.gz``,
        ``.nrrd`` (Slicer's ``.seg.nrrd`` too), ``.nhdr`` or ``.mha``.
    like : Volume, optional
        The image that the labels were drawn on. Files that are no DICOM take its frame
        of reference and its images where they have its grid, up to the order and the
        direction of the axes, and are refused elsewhere. A DICOM segmentation has to be
        in its frame of reference; where it has its voxels too, the masks are in the
        order of its slices, else the labels stay on their own grid and a note says so.
    table : str or mapping of int to str, optional
        Names by number for files that state none: one of
        `osteotrace.segmentation.label_names.TABLES`, or the names themselves.
    least_fraction : float
        Voxels of a fractional DICOM segmentation count from this share of its maximum.

    Returns
    -------
    LabelMap

    Raises
    ------
    OsteotraceError
        If the file cannot be read, holds no labels, or lies elsewhere than the image.
    """
    file = Path(path)
    name = file.name.lower()
    reader = next((READERS[end] for end in READERS if name.endswith(end)), None)
    try:
        if reader is not None:
            return reader(file, like, table)
        return _read_dicom(file, like, least_fraction)
    except OsteotraceError as problem:
        if problem.where:
            raise
        raise OsteotraceError(
            problem.found,
            expected=problem.expected,
            advice=problem.advice,
            where=str(file),
            usage=problem.usage,
        ) from problem
    except (OSError, MemoryError) as problem:
        reason = getattr(problem, "strerror", None) or "more voxels than fit into memory"
        raise OsteotraceError(
            f"a file that cannot be read ({reason})",
            expected="a segmentation and the right to read it",
            advice="check the path, the permissions and the size",
            where=str(file),
        ) from problem


def _read_dicom(file: Path, like: Volume | None, least_fraction: float) -> LabelMap:
    """Read a DICOM segmentation, whatever pydicom raises turned into one clear error."""
    with warnings.catch_warnings():
        # pydicom warns of odd values on the way; what matters is checked.
        warnings.simplefilter("ignore")
        try:
            return dicom_segmentation.read(file, like, least_fraction)
        except (OsteotraceError, OSError, MemoryError):
            raise
        # Damaged DICOM raises eleven kinds, RecursionError among them.
        except Exception as problem:
            reason = " ".join(f"{type(problem).__name__} {problem}".split())[:160]
            raise OsteotraceError(
                f"a segmentation that cannot be read ({reason})",
                expected="a whole DICOM segmentation",
                advice="the file is damaged or incomplete: fetch it again",
            ) from problem
