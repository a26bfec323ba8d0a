"""From a folder to patients, studies, series and volumes, by headers alone.

`scan` reads every DICOM header below a path and says for each volume whether its slices
form a stack that can be measured: its verdicts. They come from ImagePositionPatient,
ImageOrientationPatient and PixelSpacing alone; SliceThickness, the tilt tag and file
order decide nothing. No pixel is read here.
"""

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
