"""The frames of a DICOM segmentation: where each lies, what it belongs to, its pixels.

Order and number of the frames mean nothing (PS3.3 A.51, C.8.20): each says itself where
it lies and which segment it holds. Everything is checked before a pixel is decoded.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.series.instances import (
    BIG_ENDIAN,
    DEFLATED,
    NATIVE,
    ImageAttributes,
    Instance,
    PixelFormat,
)
from osteotrace.series.stacks import COSINE_TOLERANCE
from osteotrace.uids import is_uid, source_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from osteotrace.geometry import Array

# Segmentation Storage and Label Map Segmentation Storage (PS3.4 B.5).
SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP: Final = "1.2.840.10008.5.1.4.1.1.66.7"
STORAGE_CLASSES: Final = (SEGMENTATION, LABEL_MAP)
# Bits Allocated (0028,0100) of each kind (PS3.3 C.8.20.2).
BITS: Final = {"BINARY": (1,), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}
# No slice is as large, and no file inflates to as much.
MOST_SLICE_PIXELS: Final = 1 << 26
MOST_INFLATED_BYTES: Final = 1 << 31
CHUNK: Final = 1 << 20
# Orientation and spacing of the frames of one stack differ by no more than their digits.
SAME_FRAME: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame.

    Parameters
    ----------
    number : int
        Its place in the file, from 0.
    position : (x, y, z)
        ImagePositionPatient (0020,0032), LPS mm.
    segment : int
        ReferencedSegmentNumber (0062,000B); 0 in a label map, which holds all.
    source : str
        The image that it was drawn on, as findings name it; empty where it names none.
    """

    number: int
    position: tuple[float, float, float]
    segment: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frames:
    """The frames of a segmentation, its header checked.

    Parameters
    ----------
    header : Dataset
        The whole object.
    kind : str
        ``"BINARY"``, ``"FRACTIONAL"`` or ``"LABELMAP"``.
    rows, columns, bits : int
        Of every frame; bits a pixel.
    orientation : (6,) float64
        ImageOrientationPatient (0020,0037).
    pixel_spacing : (2,) float64
        PixelSpacing (0028,0030).
    frames : tuple of Frame
        In the order of the file.
    """

    header: Dataset = field(repr=False)
    kind: str
    rows: int
    columns: int
    bits: int
    orientation: Array
    pixel_spacing: Array
    frames: tuple[Frame, ...] = field(repr=False)

    @property
    def is_compressed(self) -> bool:
        """True where every frame is a stream of its own."""
        syntax = str(self.header.file_meta.TransferSyntaxUID)
        return syntax not in NATIVE and syntax != DEFLATED

    def pixels(self, wanted: Sequence[Frame]) -> NDArray[Any]:
        """Return the pixels of some frames as stored, (frames, rows, columns)."""
        content = np.frombuffer(self.header.PixelData, np.uint8)
        size = self.rows * self.columns
        out = np.empty((len(wanted), self.rows, self.columns), _type_of(self.bits))
        for plane, frame in zip(out, wanted, strict=True):
            first = frame.number * size
            if self.bits == 1:
                # Frames follow each other bit by bit, lowest bit first (PS3.5 8.1.1).
                packed = content[first // 8 : (first + size + 7) // 8]
                bits = np.unpackbits(packed, bitorder="little")
                plane[:] = bits[first % 8 :][:size].reshape(plane.shape)
            else:
                width = self.bits // 8
                values = content[first * width : (first + size) * width]
                plane[:] = values.view(f"<u{width}").reshape(plane.shape)
        return out

    def decoded(self, path: Path) -> NDArray[Any]:
        """Return the pixels of all compressed frames, (frames, rows, columns).

        Decoded where a codec that crashes takes nothing else with it.
        """
        from osteotrace.volume.decoding import decode_into

        stat = path.stat()
        attributes = ImageAttributes(
            sop_class_uid=str(self.header.SOPClassUID),
            rows=self.rows,
            columns=self.columns,
            frame_of_reference_uid="",
            image_type=(),
            orientation=None,
            pixel_spacing=None,
            format=PixelFormat(
                transfer_syntax=str(self.header.file_meta.TransferSyntaxUID),
                bits_allocated=self.bits,
                bits_stored=int(self.header.BitsStored),
                signed=False,
                samples=1,
                # Numbers of segments are meant, whatever colours they are shown in.
                photometric="MONOCHROME2",
                frames=len(self.frames),
                high_bit=self.bits - 1,
            ),
        )
        instances = [
            Instance(
                file=str(path),
                stamp=(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns),
                attributes=attributes,
                sop_instance_uid=str(self.header.SOPInstanceUID),
                frame=frame.number + 1,
                pixel_offset=int(self.header["PixelData"].file_tell or 0),
                pixel_bytes=-1,
            )
            for frame in self.frames
        ]
        shape = (len(self.frames), self.rows, self.columns)
        out: NDArray[Any] = np.empty(shape, _type_of(self.bits))
        decode_into(out, instances)
        return out


def read(path: Path) -> Frames:
    """Read a DICOM segmentation and check it.

    Raises
    ------
    OsteotraceError
        If it is none, names no place or no segment for a frame, is cut off, or is of a
        kind that is not read.
    Exception
        Whatever pydicom raises on a damaged file.
    """
    header = _opened(path)
    kind, bits = _kind(header)
    rows, columns = int(header.Rows), int(header.Columns)
    if not 0 < rows * columns <= MOST_SLICE_PIXELS:
        raise _damaged(f"frames of {rows} × {columns} pixels")
    frames, plane = _placed(header, kind)
    found = Frames(
        header=header,
        kind=kind,
        rows=rows,
        columns=columns,
        bits=bits,
        orientation=plane[:6],
        pixel_spacing=plane[6:],
        frames=frames,
    )
    _check_pixels(found)
    return found


def _placed(header: Dataset, kind: str) -> tuple[tuple[Frame, ...], Array]:
    """Return the frames, and the cosines and spacings that they share."""
    groups = header.get("PerFrameFunctionalGroupsSequence") or []
    count = int(header.get("NumberOfFrames") or 1)
    if len(groups) != count:
        raise _damaged(f"{count} frames, {len(groups)} of which say where they lie")
    shared = (header.get("SharedFunctionalGroupsSequence") or [None])[0]
    known = {int(item.SegmentNumber) for item in header.get("SegmentSequence") or []}
    frames, planes = [], []
    for number, group in enumerate(groups):
        planes.append(_plane(group, shared))
        segment = _segment(group, shared, known) if kind != "LABELMAP" else 0
        frames.append(
            Frame(
                number=number,
                position=_position(group, shared),
                segment=segment,
                source=_source(group),
            )
        )
    if np.ptp(planes, axis=0).max() > SAME_FRAME:
        raise OsteotraceError(
            "frames of different orientations or spacings",
            expected="parallel frames of one spacing",
            advice="save each stack of frames as a segmentation of its own",
        )
    _check_cosines(np.array(planes[0][:6]))
    return tuple(frames), np.array(planes[0])


def _check_cosines(cosines: Array) -> None:
    """Refuse directions of rows and columns that are no unit vectors at right angles."""
    pair = cosines.reshape(2, 3)
    if np.abs(pair @ pair.T - np.eye(2)).max() > COSINE_TOLERANCE:
        raise _damaged(f"the direction cosines {', '.join(f'{x:g}' for x in cosines)}")


def storage_class(path: Path) -> str:
    """Return the SOP class that a DICOM file says it is; empty for any other file."""
    from pydicom.filereader import read_file_meta_info

    # Damaged DICOM raises eleven kinds.
    with suppress(Exception):
        return str(read_file_meta_info(path).get("MediaStorageSOPClassUID", ""))
    return ""


def _opened(path: Path) -> Dataset:
    """Return the whole object, once it is known to be a segmentation of a sane size."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info

    try:
        meta = read_file_meta_info(path)
    except InvalidDicomError:
        raise _foreign("a file that is not DICOM") from None
    kind = meta.get("MediaStorageSOPClassUID")
    if kind not in STORAGE_CLASSES:
        raise _foreign(f"a DICOM file of another kind ({getattr(kind, 'name', kind)})")
    syntax = meta.get("TransferSyntaxUID")
    if syntax == BIG_ENDIAN:
        raise _foreign("a segmentation in big endian order")
    if syntax == DEFLATED:
        _check_inflated(path)
    return dcmread(path)


def _check_inflated(path: Path) -> None:
    """Refuse a file that inflates beyond reason, without keeping what it inflates to."""
    from pydicom.filereader import read_file_meta_info, read_preamble

    with path.open("rb") as file:
        read_preamble(file, force=False)
        # pydicom ends where the file meta information does.
        length = read_file_meta_info(path).FileMetaInformationGroupLength
        file.seek(132 + 12 + int(length))
        stream, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
        part = file.read(CHUNK)
        while part and not stream.eof:
            total += len(stream.decompress(part, CHUNK))
            if total > MOST_INFLATED_BYTES:
                raise _damaged(f"content that inflates beyond {total:,} bytes")
            part = stream.unconsumed_tail or file.read(CHUNK)


def _kind(header: Dataset) -> tuple[str, int]:
    kind = str(header.get("SegmentationType", ""))
    bits = int(header.get("BitsAllocated", 0))
    if bits not in BITS.get(kind, ()):
        raise _foreign(f"a segmentation of type {kind!r} with {bits} bits a pixel")
    return kind, bits


def _group(group: Dataset, shared: Dataset | None, name: str) -> Dataset | None:
    """Return the one item of a functional group, the frame's own or that of all."""
    for place in (group, shared):
        items = place.get(name) if place is not None else None
        if items:
            item: Dataset = items[0]
            return item
    return None


def _numbers(item: Dataset | None, keyword: str, count: int) -> list[float]:
    values = item.get(keyword) if item is not None else None
    numbers = [float(value) for value in values or ()]
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise OsteotraceError(
            f"a frame without {keyword}",
            expected="every frame to say where it lies in the patient",
            advice="export the segmentation again, from the images of the patient",
        )
    return numbers


def _plane(group: Dataset, shared: Dataset | None) -> list[float]:
    """Return the six cosines and the two spacings of a frame."""
    plane = _group(group, shared, "PlaneOrientationSequence")
    measures = _group(group, shared, "PixelMeasuresSequence")
    return [
        *_numbers(plane, "ImageOrientationPatient", 6),
        *_numbers(measures, "PixelSpacing", 2),
    ]


def _position(group: Dataset, shared: Dataset | None) -> tuple[float, float, float]:
    place = _group(group, shared, "PlanePositionSequence")
    x, y, z = _numbers(place, "ImagePositionPatient", 3)
    return x, y, z


def _segment(group: Dataset, shared: Dataset | None, known: set[int]) -> int:
    item = _group(group, shared, "SegmentIdentificationSequence")
    number = item.get("ReferencedSegmentNumber") if item is not None else None
    if number is None or int(number) not in known:
        raise OsteotraceError(
            "a frame of no segment"
            if number is None
            else f"a frame of the segment {number}, which is not described",
            expected="every frame to belong to a segment of the SegmentSequence",
            advice="the file is damaged or incomplete: export the segmentation again",
        )
    return int(number)


def _source(group: Dataset) -> str:
    """Return the first image that a frame was drawn on, if it names one."""
    for derivation in group.get("DerivationImageSequence") or ():
        for image in derivation.get("SourceImageSequence") or ():
            uid = str(image.get("ReferencedSOPInstanceUID", ""))
            number = image.get("ReferencedFrameNumber")
            if is_uid(uid):
                return source_name(uid, int(number) if isinstance(number, int) else 0)
    return ""


def _check_pixels(frames: Frames) -> None:
    """Refuse native pixels that are not as many as the frames have.

    One byte may follow to make their length even (PS3.5 8.1.1).
    """
    content = frames.header.get("PixelData")
    if not content:
        raise _damaged("no pixels")
    if frames.is_compressed:
        if frames.bits == 1:
            raise _foreign("a compressed segmentation of one bit a pixel")
        return
    bits = len(frames.frames) * frames.rows * frames.columns * frames.bits
    promised = (bits + 7) // 8
    if len(content) not in (promised, promised + promised % 2):
        raise _damaged(f"{promised} bytes of pixels, {len(content)} found")


def _type_of(bits: int) -> type[np.unsignedinteger[Any]]:
    return np.uint16 if bits == 16 else np.uint8


def _foreign(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="a DICOM segmentation (SEG): binary, fractional or a label map",
        advice="give the SEG object, or labels as NIfTI or NRRD",
    )


def _damaged(found: str) -> OsteotraceError:
    return OsteotraceError(
        f"a damaged segmentation ({found})",
        expected="a whole DICOM segmentation",
        advice="the file is damaged or cut off: fetch it again from its source",
    )
