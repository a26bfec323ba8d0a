"""What a DICOM object says, whatever its encoding: two copies compared by content.

Archives write what they receive anew: another transfer syntax, other lengths, other
padding. None of that is content; a changed, lost or added element is.
"""

from __future__ import annotations

import hashlib
import io
import struct
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

# An SR of osteotrace nests six deep; a hostile file exhausts the stack.
DEEPEST_NESTING: Final = 32
# Encodings, not content: the character set (texts are compared decoded) and padding.
_CHARACTER_SET: Final = 0x00080005
_TRAILING_PADDING: Final = 0xFFFCFFFC
_PIXEL_DATA: Final = 0x7FE00010
_BINARY: Final = {
    "FL": "<f", "FD": "<d", "SS": "<h", "US": "<H", "SL": "<l", "UL": "<L",
    "SV": "<q", "UV": "<Q",
}  # fmt: skip
_BYTES: Final = frozenset({"OB", "OW", "OD", "OF", "OL", "OV"})
_PADDING: Final = b" \0"
# Words of two bytes in the retired big endian transfer syntax.
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"

Content = dict[str, bytes]


def read(content: bytes, where: str) -> Dataset:
    """Return the dataset of a DICOM file's bytes, whole.

    Parameters
    ----------
    content : bytes
        A file as PS3.10 has it.
    where : str
        Names it in messages.

    Raises
    ------
    OsteotraceError
        If it is none, or was cut short.
    """
    from pathlib import Path

    import pydicom

    from osteotrace.records.dicom_objects import one_error

    expected = "a whole DICOM file"
    advice = "the object was damaged: take it from its source again"
    with one_error(Path(where), "no DICOM file", expected=expected, advice=advice):
        dataset = pydicom.dcmread(io.BytesIO(content))
        short = _cut_short(dataset)
    if short:
        raise OsteotraceError(short, expected=expected, advice=advice, where=where)
    return dataset


def content_of(dataset: Dataset) -> Content:
    """Return the content of a dataset: a digest for each top-level element, by name.

    Raises
    ------
    OsteotraceError
        If items nest deeper than `DEEPEST_NESTING`, or a value is none of its kind.
    """
    from pathlib import Path

    from osteotrace.records.dicom_objects import one_error

    found: Content = {}
    uid = str(dataset.get("SOPInstanceUID", ""))
    expected = "an object whose every value is of its kind"
    advice = "do not trust it; take it from its source again"
    with one_error(Path(uid), "no DICOM object", expected=expected, advice=advice):
        for element in dataset:
            if _is_content(element):
                name = element.keyword or str(element.tag)
                found[name] = _digest(dataset, element)
    return found


def _digest(dataset: Dataset, element: DataElement) -> bytes:
    if element.tag == _PIXEL_DATA:
        return _pixel_digest(dataset, element)
    return hashlib.sha256(_value_form(element, depth=0)).digest()


def differences(
    ours: Content, theirs: Content, may_change: Collection[str] = ()
) -> list[str]:
    """Return the names of the elements in which two objects differ.

    Parameters
    ----------
    ours, theirs : dict
        From `content_of`.
    may_change : collection of str
        Names of elements that do not count.
    """
    names = sorted({*ours, *theirs} - set(may_change))
    return [name for name in names if ours.get(name) != theirs.get(name)]


def differing(
    file: Path, ours: Content, theirs: Dataset, may_change: Collection[str] = ()
) -> list[str]:
    """Return the names of the elements in which an archive's copy differs from a file.

    Parameters
    ----------
    file : Path
        The file; read again where the archive compressed its pixels otherwise.
    ours : dict
        Its content, from `content_of`.
    theirs : Dataset
        The archive's copy.
    may_change : collection of str
        Names of elements that do not count.
    """
    found = differences(ours, content_of(theirs), may_change)
    if "PixelData" in found and _same_pixels(file, theirs):
        found.remove("PixelData")
    return found


def _same_pixels(file: Path, theirs: Dataset) -> bool:
    """Tell whether pixels that are compressed in two ways unfold to the same values."""
    import numpy as np
    import pydicom

    mine = pydicom.dcmread(file)
    if mine.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID:
        return False
    try:
        return bool(np.array_equal(mine.pixel_array, theirs.pixel_array))
    # Decoders raise what they like; pixels that cannot be seen cannot be called the same.
    except Exception:
        return False


def _is_content(element: DataElement) -> bool:
    # Group lengths (gggg,0000) are of the encoding, too.
    return (
        element.tag not in (_CHARACTER_SET, _TRAILING_PADDING)
        and element.tag.element != 0
    )


def _value_form(element: DataElement, *, depth: int) -> bytes:
    if element.VR == "SQ":
        return _sequence_form(element, depth=depth)
    value = element.value
    if value is None or element.VM == 0:
        return b""
    if element.VR == "UN":
        # Where the VR is not known on one side, the same text comes as bytes.
        return bytes(value).strip(_PADDING)
    if element.VR in _BYTES:
        return bytes(value)
    values = value if element.VM > 1 else [value]
    if element.VR in _BINARY:
        return b"".join(struct.pack(_BINARY[element.VR], number) for number in values)
    words = (str(part).strip(" \0") for part in values)
    return "\\".join(words).encode("utf-8", "surrogatepass")


def _sequence_form(element: DataElement, *, depth: int) -> bytes:
    if depth >= DEEPEST_NESTING:
        raise OsteotraceError(
            f"content nested deeper than {DEEPEST_NESTING} items",
            expected="an image, a segmentation or a report",
            advice="do not trust this file; fetch it from its source",
        )
    body = struct.pack("<L", len(element.value))
    for item in element.value:
        for inner in item:
            if _is_content(inner):
                form = _value_form(inner, depth=depth + 1)
                body += struct.pack("<LQ", int(inner.tag), len(form)) + form
        body += b"item"
    return body


def _pixel_digest(dataset: Dataset, element: DataElement) -> bytes:
    """Return a digest of the pixels as they are stored, compressed or not."""
    syntax = dataset.file_meta.TransferSyntaxUID
    digest = hashlib.sha256()
    if not syntax.is_compressed or syntax.is_deflated:
        value = bytes(element.value)
        if syntax == _BIG_ENDIAN and dataset.BitsAllocated > 8:
            value = _swapped(value, dataset.BitsAllocated // 8)
        digest.update(b"native")
        digest.update(value[: _native_bytes(dataset) or None])
        return digest.digest()
    from pydicom.encaps import generate_fragments

    digest.update(str(syntax).encode())
    fragments = generate_fragments(_without_offsets(bytes(element.value)))
    for fragment in fragments:
        digest.update(fragment.rstrip(b"\0"))
    return digest.digest()


def _without_offsets(value: bytes) -> bytes:
    """Return encapsulated pixels without the basic offset table, an archive's to make."""
    (length,) = struct.unpack_from("<L", value, 4)
    return value[8 + length :]


def _swapped(value: bytes, width: int) -> bytes:
    import numpy as np

    return np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()


def _native_bytes(dataset: Dataset) -> int:
    """Return how many bytes uncompressed pixels take, without the padding."""
    sizes = ("Rows", "Columns", "BitsAllocated")
    if any(dataset.get(key) is None for key in sizes):
        return 0
    bits = dataset.Rows * dataset.Columns * dataset.BitsAllocated
    bits *= int(dataset.get("SamplesPerPixel") or 1)
    bits *= int(dataset.get("NumberOfFrames") or 1)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    return int(bits + 7) // 8


def _cut_short(dataset: Dataset) -> str:
    """Return what shows that a transfer broke off, or nothing."""
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        if not dataset.get(keyword):
            return f"an object without {keyword}"
    pixels = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    held = [key for key in pixels if key in dataset]
    if not held:
        return "an image without pixels" if dataset.get("BitsAllocated") else ""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed and not syntax.is_deflated:
        return ""
    wanted, found = _native_bytes(dataset), len(dataset[held[0]].value)
    return f"{found} bytes of pixels where {wanted} belong" if found < wanted else ""
