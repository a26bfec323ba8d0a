"""From a folder to patients, studies, series and volumes, by headers alone.

`scan` reads every DICOM header below a path and says for each volume whether its slices
form a stack that can be measured: its verdicts. They come from ImagePositionPatient,
ImageOrientationPatient and PixelSpacing alone; SliceThickness, the tilt tag and file
order decide nothing. No pixel is read here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osteotrace.series.catalogue import (
        Catalogue,
        Series,
        SkippedFile,
        VolumeHeader,
        instances_by_uid,
    )
    from osteotrace.series.instances import (
        ImageAttributes,
        Instance,
        PixelFormat,
        SeriesIdentity,
    )
    from osteotrace.series.scanning import scan
    from osteotrace.series.stacks import without_duplicates

# Loaded when first used: a process that reads headers needs neither numpy nor grids.
_HOMES = {
    "Catalogue": "catalogue",
    "ImageAttributes": "instances",
    "Instance": "instances",
    "PixelFormat": "instances",
    "Series": "catalogue",
    "SeriesIdentity": "instances",
    "SkippedFile": "catalogue",
    "VolumeHeader": "catalogue",
    "instances_by_uid": "catalogue",
    "scan": "scanning",
    "without_duplicates": "stacks",
}

__all__ = [
    "Catalogue",
    "ImageAttributes",
    "Instance",
    "PixelFormat",
    "Series",
    "SeriesIdentity",
    "SkippedFile",
    "VolumeHeader",
    "instances_by_uid",
    "scan",
    "without_duplicates",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'osteotrace.series' has no attribute {name!r}")
    return getattr(importlib.import_module(f"osteotrace.series.{home}"), name)
