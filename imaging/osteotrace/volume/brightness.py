"""The brightness of a colour image, for looking at it: no measure of anything.

RGB, YBR and palette images become 8-bit luminance. Like everything that decodes, it is
called inside a process that may crash (`osteotrace.volume.decoder_process`).
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

    from osteotrace.series.instances import PixelFormat

PALETTE: Final = "PALETTE COLOR"
GREY: Final = "MONOCHROME"
# Shares of red, green and blue in the luminance (ITU-R BT.601).
_SHARES: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_BYTE_BITS: Final = 8
# PlanarConfiguration (0028,0006) and the palette's elements (PS3.3 C.7.6.3).
_LOOKED_UP: Final = (
    "PlanarConfiguration",
    *(f"{c}PaletteColorLookupTableDescriptor" for c in ("Red", "Green", "Blue")),
    *(f"{c}PaletteColorLookupTableData" for c in ("Red", "Green", "Blue")),
    *(f"Segmented{c}PaletteColorLookupTableData" for c in ("Red", "Green", "Blue")),
)


def is_colour(form: PixelFormat) -> bool:
    """Tell whether an image has colours."""
    return form.samples == 3 or form.photometric == PALETTE


def planar_configuration(path: str, stamp: tuple[int, ...]) -> int:
    """Return PlanarConfiguration (0028,0006) of a file, 0 where it is absent."""
    return int(_elements(path, stamp).get("PlanarConfiguration") or 0)


def luminance(
    pixels: NDArray[Any], form: PixelFormat, path: str, stamp: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Return the brightness of decoded pixels, 0 to 255.

    Parameters
    ----------
    pixels : (rows, columns) or (rows, columns, 3) array
        Indices into the palette, or red, green and blue.
    form : PixelFormat
        Of the image.
    path, stamp
        Its file, where the palette stands, and the file's stamp.

    Raises
    ------
    Exception
        Whatever pydicom raises on a damaged palette.
    """
    bits = form.bits_stored
    if form.photometric == PALETTE:
        from pydicom.pixels.processing import apply_color_lut

        pixels = apply_color_lut(pixels, _elements(path, stamp))[..., :3]
        bits = _BYTE_BITS * pixels.dtype.itemsize
    # Slowly changing tones matter less here than memory: float32 and one sum.
    bright = pixels.astype(np.float32) @ _SHARES
    top = (1 << bits) - 1
    return np.asarray(np.clip(np.rint(bright * (255 / top)), 0, 255), dtype=np.uint8)


@lru_cache(maxsize=1)
def _elements(path: str, stamp: tuple[int, ...]) -> Dataset:
    # Kept for the next frame of the same file.
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path, stop_before_pixels=True, specific_tags=list(_LOOKED_UP))
