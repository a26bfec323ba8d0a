"""One volume of a series: read-only voxels on their grid, as stored.

`load` reads what `osteotrace.series.scan` found; `Volume` carries the voxels;
`to_image` and `write_image` hand them to SimpleITK and to NRRD and NIfTI files, and
`open_image` takes such files in.
"""

from osteotrace.volume.carrier import ARBITRARY, HOUNSFIELD, Volume
from osteotrace.volume.image_files import open_image, to_image, write_image
from osteotrace.volume.loading import load

__all__ = [
    "ARBITRARY",
    "HOUNSFIELD",
    "Volume",
    "load",
    "open_image",
    "to_image",
    "write_image",
]
