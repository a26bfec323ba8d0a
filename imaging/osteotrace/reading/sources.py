"""Where voxels come from: a folder, a file, a scanned series, a NIfTI or NRRD file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.codes import UNITS, look_up
from osteotrace.series import Catalogue, Series, VolumeHeader, scan
from osteotrace.volume import Volume, open_image
from osteotrace.volume import load as load_volume
from osteotrace.volume.image_files import READERS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable


def load(
    source: str | os.PathLike[str] | Catalogue | Series | VolumeHeader,
    *,
    series_uid: str | None = None,
    volume: int | None = None,
    allow_gaps: bool = False,
    unit: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Volume:
    """Read one volume.

    Parameters
    ----------
    source : path, Catalogue, Series or VolumeHeader
        A folder or file, or what `osteotrace.scan` found in one; a NIfTI or NRRD file.
    series_uid : str, optional
        SeriesInstanceUID, where the path holds more than one.
    volume : int, optional
        Number of the volume inside its series, where there is more than one.
    allow_gaps : bool
        Whether missing and duplicate slices will do; `Volume.notes` then say so.
    unit : str, optional
        UCUM unit of the values of a NIfTI or NRRD file, which does not say;
        ``"[hnsf'U]"`` for CT.
    progress : callable, optional
        Called with the slices read and the number of all.

    Returns
    -------
    Volume

    Raises
    ------
    OsteotraceError
        If nothing or more than one volume fits, or it cannot be measured.
    """
    if isinstance(source, VolumeHeader):
        return load_volume(source, allow_gaps=allow_gaps, progress=progress)
    if isinstance(source, Series):
        root = source.volumes[0].instances[0].path.parent
        catalogue = Catalogue(root=root, series=(source,), skipped=())
    elif isinstance(source, Catalogue):
        catalogue = source
    elif is_image_file(source):
        if unit is not None:
            look_up(UNITS, unit, "unit")
        return open_image(Path(source), unit=unit)
    else:
        catalogue = scan(source)
    header = catalogue.choose(series_uid, volume, allow_gaps=allow_gaps)
    return load_volume(header, allow_gaps=allow_gaps, progress=progress)


def is_image_file(source: str | os.PathLike[str]) -> bool:
    """Tell whether a path names a NIfTI or NRRD file rather than DICOM."""
    return Path(source).is_file() and str(source).lower().endswith(tuple(READERS))
