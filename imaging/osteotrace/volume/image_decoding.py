"""The stored values of one image, whatever its transfer syntax.

The frame is found in its file and handed to pydicom's decoders. Native code runs here:
`osteotrace.volume.decoder_process` is where to call it.
"""

from __future__ import annotations

import warnings
import zlib
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from osteotrace.series.instances import DEFLATED
from osteotrace.volume.brightness import is_colour, luminance, planar_configuration
from osteotrace.volume.codestreams import (
    RLE_LOSSLESS,
    Fragments,
    checked_size,
    fragments,
    frame_places,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.series import Instance

# A deflated file of 1 MB can hold gigabytes; no CT or MR file holds as much as this.
INFLATED_BYTES: Final = 512 << 20
_INFLATE_BYTES: Final = 1 << 20

_EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
_JPEG_LOSSLESS: Final = "1.2.840.10008.1.2.4.57"
# pydicom's plugins: RLE by itself, the rest by GDCM whatever else is installed, for no
# two decoders agree on lossy formats. pyjpegls takes 10 s over a cut-off JPEG-LS.
_PLUGINS: Final = ("pydicom", "gdcm")

_SHARED_COLOURS: Final = "YBR_FULL_422"
_PIXEL_DATA: Final = 0x7FE00010
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = b"\xfe\xff\x00\xe0"
# Value representations with a length of four bytes (PS3.5 section 7.1.2).
_LONG_VRS: Final = frozenset((b"OB", b"OW", b"UN", b"UT", b"UR", b"UC", b"SQ"))


def decode(
    instance: Instance, dtype: np.dtype[Any], *, colour: bool = False
) -> NDArray[Any]:
    """Decode one image.

    Parameters
    ----------
    instance : Instance
        Of any transfer syntax.
    dtype : dtype
        What to return; it must hold every value that the image could have.
    colour : bool
        Whether an image of several colours will do; its brightness is returned.

    Returns
    -------
    array of shape (rows, columns)
        The stored values, unused bits corrected (PS3.5 section 8.1.1), C order; of a
        colour image its `luminance`.

    Raises
    ------
    ValueError
        If the file holds no such frame, the frame is of another size, or ``dtype`` is
        too small.
    Exception
        Whatever the decoder raises on a damaged stream.
    """
    form = instance.attributes.format
    if form.samples != 1 and not colour:
        raise ValueError(f"{form.samples} samples a pixel")
    if form.transfer_syntax == DEFLATED:
        syntax, source = _EXPLICIT_LITTLE_ENDIAN, _deflated_frame(instance)
    elif form.native:
        syntax, source = form.transfer_syntax, _native_frame(instance)
    else:
        syntax, source = _compressed_frame(instance)
    pixels = _decoded(source, syntax, instance)
    if colour and is_colour(form):
        pixels = luminance(pixels, form, instance.file, instance.stamp)
    if pixels.shape != (instance.rows, instance.columns):
        raise ValueError(f"pixels of shape {pixels.shape}")
    if not np.can_cast(pixels.dtype, dtype, "safe"):
        raise ValueError(f"{pixels.dtype} values, which {dtype} does not hold")
    return np.ascontiguousarray(pixels, dtype=dtype)


def _decoded(source: bytes, syntax: str, instance: Instance) -> NDArray[Any]:
    from pydicom.pixels.decoders.base import get_decoder

    form = instance.attributes.format
    decoder = get_decoder(syntax)
    chosen = (p for p in _PLUGINS if p in decoder.available_plugins)
    options: dict[str, Any] = {
        "rows": instance.rows,
        "columns": instance.columns,
        "samples_per_pixel": form.samples,
        "number_of_frames": 1,
        "photometric_interpretation": form.photometric,
        "bits_allocated": form.bits_allocated,
        "bits_stored": form.bits_stored,
        "pixel_representation": int(form.signed),
        "pixel_keyword": "PixelData",
        "pixel_vr": "OB" if form.bits_allocated == 8 else "OW",
    }
    if form.samples != 1:
        planar = planar_configuration(instance.file, instance.stamp)
        options["planar_configuration"] = planar
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # RLE states no size: a stream of a larger image shows in its length alone.
        warnings.filterwarnings("error", message="The decoded RLE segment")
        return decoder.as_array(
            source,
            index=0,
            raw=form.samples == 1,
            decoding_plugin=next(chosen, ""),
            **options,
        )[0]


def _compressed_frame(instance: Instance) -> tuple[str, bytes]:
    """Return the transfer syntax to decode with, and the frame as its only item."""
    form = instance.attributes.format
    found = _fragments(instance.file, instance.stamp, instance.pixel_offset)
    with open(instance.file, "rb") as file:
        parts = []
        index = max(instance.frame - 1, 0)
        for start, length in frame_places(file, found, index, form.frames):
            file.seek(start)
            parts.append(file.read(length))
    stream = b"".join(parts)
    syntax = form.transfer_syntax
    if syntax != RLE_LOSSLESS:
        stated = checked_size(
            stream,
            rows=instance.rows,
            columns=instance.columns,
            bits_allocated=form.bits_allocated,
            bits_stored=form.bits_stored,
            samples=form.samples,
        )
        if stated.cosine and stated.bits > 8:
            # pydicom bars GDCM from these 12 bits, which it reads as any other JPEG.
            syntax = _JPEG_LOSSLESS
    stream += b"\0" * (len(stream) % 2)
    header = _ITEM + bytes(4) + _ITEM + len(stream).to_bytes(4, "little")
    return syntax, header + stream


@lru_cache(maxsize=1)
def _fragments(path: str, stamp: tuple[int, ...], offset: int) -> Fragments:
    # Kept for the next frame of the same file.
    with open(path, "rb") as file:
        return fragments(file, offset)


def _native_frame(instance: Instance) -> bytes:
    with open(instance.file, "rb") as file:
        file.seek(instance.pixel_offset)
        return _whole(file.read(frame_bytes(instance)), instance)


def _deflated_frame(instance: Instance) -> bytes:
    inflated, start, length = _inflated_pixels(instance.file, instance.stamp)
    size = frame_bytes(instance)
    first = start + max(instance.frame - 1, 0) * size
    end = min(first + size, start + length)
    with inflated.getbuffer() as view:
        return _whole(bytes(view[first:end]), instance)


def frame_bytes(instance: Instance) -> int:
    """Return how many bytes the native pixels of one frame take."""
    form = instance.attributes.format
    # Two pixels of this kind share their colours (PS3.3 C.7.6.3.1.2).
    samples = 2 if form.photometric == _SHARED_COLOURS else form.samples
    return instance.rows * instance.columns * samples * form.bits_allocated // 8


def _whole(frame: bytes, instance: Instance) -> bytes:
    missing = frame_bytes(instance) - len(frame)
    if missing:
        raise ValueError(f"{missing} bytes short")
    return frame


@lru_cache(maxsize=1)
def _inflated_pixels(path: str, stamp: tuple[int, ...]) -> tuple[BytesIO, int, int]:
    """Inflate a file (PS3.5 section A.5).

    Returns
    -------
    the inflated bytes, where in them the value of PixelData begins, its length
    """
    from pydicom.filereader import data_element_generator

    with open(path, "rb") as file:
        inflated = _inflated(file)
    inflated.seek(0)
    for _ in data_element_generator(
        inflated,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, vr, length: tag == _PIXEL_DATA,
    ):
        pass
    header = inflated.read(12)
    length = int.from_bytes(header[8:], "little")
    if header[:4] != b"\xe0\x7f\x10\x00" or length == _UNDEFINED:
        raise ValueError("no PixelData (7FE0,0010) in the inflated file")
    return inflated, inflated.tell(), length


def _inflated(file: BinaryIO) -> BytesIO:
    _skip_file_meta(file)
    inflated, stream = BytesIO(), zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while not stream.eof:
            deflated = stream.unconsumed_tail or file.read(_INFLATE_BYTES)
            more = stream.decompress(deflated, _INFLATE_BYTES)
            if not deflated and not more:
                raise ValueError("a deflated file that is cut off")
            inflated.write(more)
            if inflated.tell() > INFLATED_BYTES:
                raise ValueError(
                    f"a deflated file of more than {INFLATED_BYTES >> 20} MiB"
                )
    except zlib.error:
        raise ValueError("a deflated file that is broken") from None
    return inflated


def _skip_file_meta(file: BinaryIO) -> None:
    """Go to the first element after group 0002 (PS3.10 section 7.1)."""
    preamble = file.read(132)
    file.seek(132 if preamble[128:] == b"DICM" else 0)
    while True:
        start = file.tell()
        header = file.read(8)
        if header[:2] != b"\x02\0":
            file.seek(start)
            return
        if header[4:6] in _LONG_VRS:
            length = int.from_bytes(file.read(4), "little")
        else:
            length = int.from_bytes(header[6:], "little")
        file.seek(length, 1)
