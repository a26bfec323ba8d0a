"""Masks of a reading back from a DICOM segmentation, and the digest of what it holds.

Frames are placed by where they lie, never by their order; the box that a mask fills is
known to the bit from the report, the segmentation gives its voxels alone.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.records.dicom_objects import one_error
from osteotrace.regions import SAME_VOXEL_SHARE
from osteotrace.segmentation import dicom_frames

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from osteotrace.geometry import Grid
    from osteotrace.segmentation.dicom_frames import Frame, Frames

# A thousand full frames of 512 × 512 voxels take 33 MB.
LARGEST_FILE_BYTES: Final = 2_000_000_000
_EXPECTED: Final = "the segmentation that the report was saved with"
_FETCH_AGAIN: Final = "fetch the report and its segmentations again from their source"
# What a segment says of itself; a PACS leaves it alone.
_SEGMENT_KEYWORDS: Final = (
    "SegmentLabel",
    "SegmentAlgorithmType",
    "SegmentAlgorithmName",
    "TrackingID",
    "TrackingUID",
)
_SEGMENT_CODES: Final = (
    "SegmentedPropertyCategoryCodeSequence",
    "SegmentedPropertyTypeCodeSequence",
    "AnatomicRegionSequence",
)


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """A segmentation that was read.

    Parameters
    ----------
    path : Path
        Its file.
    frames : Frames
        Its frames, checked.
    pixels : (frames, rows, columns) array or None
        The pixels of compressed frames; others are unpacked as they are asked for.
    """

    path: Path
    frames: Frames = field(repr=False)
    pixels: NDArray[Any] | None = field(repr=False)

    @property
    def sop_instance_uid(self) -> str:
        """SOPInstanceUID (0008,0018)."""
        return str(self.frames.header.SOPInstanceUID)

    @property
    def frame_of_reference_uid(self) -> str:
        """FrameOfReferenceUID (0020,0052)."""
        return str(self.frames.header.get("FrameOfReferenceUID", ""))

    def plane(self, frame: Frame) -> NDArray[Any]:
        """Return the pixels of one frame, (rows, columns)."""
        if self.pixels is not None:
            return np.asarray(self.pixels[frame.number])
        return np.asarray(self.frames.pixels([frame])[0])

    def voxels(self, segment: int, grid: Grid) -> NDArray[np.bool_]:
        """Return the voxels of a segment in the box that it is known to fill.

        Parameters
        ----------
        segment : int
            SegmentNumber (0062,0004).
        grid : Grid
            The box.

        Raises
        ------
        OsteotraceError
            If a frame lies on no slice of the box, or has a voxel beyond it.
        """
        whole = np.zeros(grid.shape, dtype=bool)
        for frame in self.frames.frames:
            if frame.segment not in (0, segment):
                continue
            plane = self.plane(frame)
            marked = plane == segment if frame.segment == 0 else plane > 0
            count = int(marked.sum())
            # A label map has frames of other segments alone, a SEG may have empty ones.
            if count == 0:
                continue
            k, row, column = _place(frame, grid)
            inside = (
                marked[row : row + grid.rows, column : column + grid.columns]
                if min(row, column) >= 0
                else marked[:0]
            )
            if inside.shape != (grid.rows, grid.columns) or inside.sum() != count:
                raise _misplaced(f"voxels of the segment {segment} outside their box")
            whole[k] |= inside
        return whole

    def content_sha256(self) -> str:
        """Return the digest of what it holds: segments, places and pixels.

        The form is one whatever the transfer syntax, the order of segments and frames,
        and empty frames; who the patient is, and when and by whom it was stored, is no
        part of it.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        frames = self.frames
        said = {
            "kind": frames.kind,
            "rows": frames.rows,
            "columns": frames.columns,
            "frame_of_reference_uid": self.frame_of_reference_uid,
            "orientation": [number.hex() for number in frames.orientation.tolist()],
            "pixel_spacing": [number.hex() for number in frames.pixel_spacing.tolist()],
            "segments": sorted(_segment_form(s) for s in frames.header.SegmentSequence),
        }
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        for form in sorted(self._frame_forms()):
            digest.update(form)
        return digest.hexdigest()

    def _frame_forms(self) -> Iterator[bytes]:
        """Yield for every frame with a voxel what it holds, its place first."""
        for frame in self.frames.frames:
            plane = self.plane(frame)
            if plane.any():
                place = struct.pack("<L3d", frame.segment, *frame.position)
                content = np.packbits(plane > 0) if frame.segment else plane
                yield place + hashlib.sha256(content.tobytes()).digest()


def read(path: Path) -> Segmentation:
    """Read a segmentation.

    Raises
    ------
    OsteotraceError
        If it is none, is damaged, or is larger than `LARGEST_FILE_BYTES`.
    """
    found = "a segmentation that cannot be read"
    with one_error(path, found, expected=_EXPECTED, advice=_FETCH_AGAIN):
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise OsteotraceError(
                f"a segmentation of {size:,} bytes",
                expected=f"at most {LARGEST_FILE_BYTES:,}",
                advice=_FETCH_AGAIN,
            )
        frames = dicom_frames.read(path)
        pixels = frames.decoded(path) if frames.is_compressed else None
        return Segmentation(path, frames, pixels)


def read_checked(path: Path, sop_instance_uid: str, sha256: str) -> Segmentation:
    """Read the segmentation that a report names, and refuse another or a changed one.

    Raises
    ------
    OsteotraceError
        If there is none, it is damaged, or what it holds is not what was saved.
    """
    if not path.is_file():
        raise OsteotraceError(
            f"no segmentation {sop_instance_uid} in {path.parent}",
            expected="the segmentations of a report beside it",
            advice="copy it there, or give segmentations=, the folder that it is in",
            where=str(path),
        )
    found = read(path)
    with one_error(path, "a damaged segmentation", expected="", advice=_FETCH_AGAIN):
        if found.sop_instance_uid != sop_instance_uid:
            raise _other(f"the segmentation {found.sop_instance_uid}", sop_instance_uid)
        if found.content_sha256() != sha256:
            raise _other(
                "a segmentation whose content does not match its SHA-256",
                sop_instance_uid,
            )
    return found


def _place(frame: Frame, grid: Grid) -> tuple[int, int, int]:
    """Return the slice of a box that a frame lies on, and where in it the box begins."""
    away = grid.origins - np.array(frame.position)
    heights = np.abs(away @ grid.normal)
    k = int(heights.argmin())
    pixels = np.array([away[k] @ grid.column_direction, away[k] @ grid.row_direction])
    pixels /= grid.pixel_spacing
    whole = np.round(pixels)
    near = SAME_VOXEL_SHARE * float(np.nanmin(grid.spacing))
    if heights[k] > near or np.abs(pixels - whole).max() > SAME_VOXEL_SHARE:
        raise _misplaced(f"a frame at {frame.position}, between the voxels of its mask")
    row, column = whole.astype(int).tolist()
    return k, row, column


def _segment_form(item: Dataset) -> list[Any]:
    """Return what a segment says of itself, its number first."""
    said = [str(item.get(keyword, "")).rstrip(" \0") for keyword in _SEGMENT_KEYWORDS]
    codes = [
        [str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", ""))]
        for keyword in _SEGMENT_CODES
        for code in item.get(keyword) or ()
    ]
    return [int(item.SegmentNumber), said, codes]


def _misplaced(found: str) -> OsteotraceError:
    return OsteotraceError(
        found, expected="frames on the slices of the mask", advice=_FETCH_AGAIN
    )


def _other(found: str, sop_instance_uid: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected=f"the segmentation {sop_instance_uid} as it was saved",
        advice="it was damaged, edited or exchanged, or its UIDs were replaced, as "
        "de-identification does: " + _FETCH_AGAIN,
    )
