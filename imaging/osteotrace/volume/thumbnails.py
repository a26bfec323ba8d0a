"""A small grey picture of a series for a list: only its middle image is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.volume.carrier import HOUNSFIELD
from osteotrace.volume.pictures import one_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.series import VolumeHeader
    from osteotrace.volume.pictures import Pictures

# Pixels of the longer side.
SIZE: Final = 96
# Bone and soft tissue are both told in so small a picture, HU.
_HOUNSFIELD_ENDS: Final = (-300.0, 1100.0)
_PERCENTILES: Final = (1.0, 99.5)


def thumbnail(header: VolumeHeader, *, size: int = SIZE) -> NDArray[np.uint8]:
    """Return a picture of the middle image of a volume, whatever its verdict.

    Parameters
    ----------
    header : VolumeHeader
    size : int
        Pixels of its longer side.

    Returns
    -------
    (rows, columns) array
        0 to 255, pixels as wide as high: Hounsfield units in one window for all series,
        others between the 1st and the 99.5th percentile of the image.

    Raises
    ------
    OsteotraceError
        As `osteotrace.volume.pictures.open_pictures`.
    """
    seen = one_picture(header)
    picture = seen.frames[0].astype(np.float64)
    rows, columns = _shape(picture.shape, seen.aspect, size)
    small = _resized(_resized(picture, rows).T, columns).T
    low, high = _ends(seen, picture)
    share = (small - low) / max(high - low, np.finfo(np.float64).tiny)
    return np.asarray(np.rint(255 * np.clip(share, 0, 1)), dtype=np.uint8)


def _shape(shape: tuple[int, ...], aspect: float, size: int) -> tuple[int, int]:
    height, width = shape[0] * aspect, float(shape[1])
    scale = size / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _resized(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Return so many rows: means of the rows that each covers, or the nearest one."""
    rows = len(values)
    starts = np.arange(count) * rows // count
    if count >= rows:
        return np.asarray(values[starts])
    ends = np.append(starts[1:], rows)
    sums = np.add.reduceat(values, starts, axis=0)
    return np.asarray(sums / (ends - starts)[:, None])


def _ends(seen: Pictures, picture: NDArray[Any]) -> tuple[float, float]:
    low, high = _HOUNSFIELD_ENDS
    # An image that lies beside the window would be black or white alone.
    if seen.unit == HOUNSFIELD and picture.max() > low and picture.min() < high:
        return _HOUNSFIELD_ENDS
    if seen.is_colour:
        return 0.0, 255.0
    dark, bright = np.percentile(picture, _PERCENTILES)
    return float(dark), float(bright)
