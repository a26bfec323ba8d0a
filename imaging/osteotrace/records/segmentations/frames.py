"""The frames of a segmentation: where each lies, what it shows, its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.codes import Concept
from osteotrace.records.report_content.items import coded
from osteotrace.uids import source_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from osteotrace.records.segmentations.planes import Placed, Stack

# PS3.16 CID 7203 and CID 7202.
_SEGMENTATION: Final = Concept("113076", "DCM", "Segmentation")
_SOURCE_IMAGE: Final = Concept(
    "121322", "DCM", "Source image for image processing operation"
)


def put_masks(dataset: Dataset, stack: Stack, headers: Mapping[str, Dataset]) -> None:
    """Put one frame a segment and plane, without empty ones, in place."""
    rank = _ranks(stack)
    groups, planes = [], []
    for number, placed in enumerate(stack.masks, start=1):
        for k, voxels in _slices(placed):
            plane = placed.planes[k]
            source = placed.sources[k] if placed.sources else ""
            index = [number, rank[plane]]
            group = _group(stack, plane, index, [source], headers)
            group.SegmentIdentificationSequence = [
                dataset_of(ReferencedSegmentNumber=number)
            ]
            groups.append(group)
            planes.append((placed, voxels))
    # A segment alone stands in the group that all frames share.
    shared = dataset.SharedFunctionalGroupsSequence[0]
    if "SegmentIdentificationSequence" in shared:
        del shared.SegmentIdentificationSequence
    dataset.SegmentsOverlap = "YES" if _overlap(stack) else "NO"
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.NumberOfFrames = len(groups)
    shape = (stack.rows, stack.columns)
    dataset.PixelData = _packed(_on_plane(*plane, shape) for plane in planes)


def put_labels(
    dataset: Dataset,
    stack: Stack,
    headers: Mapping[str, Dataset],
    labels: dict[int, NDArray[np.uint16]],
) -> None:
    """Put one frame a plane, each pixel the number of its segment, in place."""
    from pydicom.encaps import encapsulate
    from pydicom.uid import RLELossless

    rank = _ranks(stack)
    groups, frames = [], []
    for plane in sorted(labels, key=rank.__getitem__):
        sources = [
            placed.sources[placed.planes.index(plane)]
            for placed in stack.masks
            if placed.sources and plane in placed.planes
        ]
        groups.append(_group(stack, plane, [rank[plane]], sources or [""], headers))
        frames.append(_run_lengths(labels[plane], dataset))
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.NumberOfFrames = len(groups)
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = RLELossless


def _run_lengths(labels: NDArray[np.uint16], dataset: Dataset) -> bytes:
    """Return one frame of labels as run lengths (PS3.5 annex G).

    By pydicom's own encoder: that of GDCM, which is the faster one, aborts the process
    where a frame has an odd number of pixels.
    """
    from pydicom.pixels.encoders.base import RLELosslessEncoder

    return RLELosslessEncoder.encode(
        labels.astype(f"u{dataset.BitsAllocated // 8}"),
        encoding_plugin="pydicom",
        rows=dataset.Rows,
        columns=dataset.Columns,
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=dataset.BitsAllocated,
        bits_stored=dataset.BitsStored,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
    )


def _slices(placed: Placed) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield the slices of a mask that hold a voxel."""
    for k, voxels in enumerate(placed.mask.voxels):
        if voxels.any():
            yield k, voxels


def _ranks(stack: Stack) -> dict[int, int]:
    """Return the place of each plane along the normal, from 1; one for one height."""
    _, ranks = np.unique(np.round(stack.heights, 3), return_inverse=True)
    return {plane: int(rank) + 1 for plane, rank in enumerate(ranks)}


def _on_plane(
    placed: Placed, voxels: NDArray[np.bool_], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    plane = np.zeros(shape, dtype=bool)
    rows, columns = voxels.shape
    plane[placed.row : placed.row + rows, placed.column : placed.column + columns] = (
        voxels
    )
    return plane


def _packed(planes: Iterable[NDArray[np.bool_]]) -> bytes:
    """Return pixels of one bit: frame after frame, lowest bit first (PS3.5 8.1.1)."""
    parts, rest = [], np.zeros(0, dtype=bool)
    for plane in planes:
        bits = np.concatenate([rest, plane.ravel()])
        whole = len(bits) // 8 * 8
        parts.append(np.packbits(bits[:whole], bitorder="little").tobytes())
        rest = bits[whole:]
    parts.append(np.packbits(rest, bitorder="little").tobytes())
    content = b"".join(parts)
    return content + b"\0" * (len(content) % 2)


def label_planes(stack: Stack) -> dict[int, NDArray[np.uint16]] | None:
    """Return the segment number of each pixel by plane, None where masks overlap."""
    labels: dict[int, NDArray[np.uint16]] = {}
    shape = (stack.rows, stack.columns)
    for number, placed in enumerate(stack.masks, start=1):
        for k, voxels in _slices(placed):
            plane = labels.setdefault(placed.planes[k], np.zeros(shape, np.uint16))
            marked = _on_plane(placed, voxels, shape)
            if plane[marked].any():
                return None
            plane[marked] = number
    return labels


def _overlap(stack: Stack) -> bool:
    return label_planes(stack) is None


def _group(
    stack: Stack,
    plane: int,
    index: list[int],
    sources: Iterable[str],
    headers: Mapping[str, Dataset],
) -> Dataset:
    """Return where a frame lies and which image it lies on (PS3.3 C.7.6.16.2)."""
    position = [decimal(mm) for mm in stack.positions[plane]]
    named = [_source(name, headers) for name in dict.fromkeys(sources) if name]
    derived = dataset_of(
        DerivationCodeSequence=[coded(_SEGMENTATION)], SourceImageSequence=named
    )
    return dataset_of(
        FrameContentSequence=[dataset_of(DimensionIndexValues=index)],
        PlanePositionSequence=[dataset_of(ImagePositionPatient=position)],
        DerivationImageSequence=[derived] if named else [],
    )


def _source(name: str, headers: Mapping[str, Dataset]) -> Dataset:
    uid, frame = source_parts(name)
    item = dataset_of(
        ReferencedSOPClassUID=headers[uid].SOPClassUID,
        ReferencedSOPInstanceUID=uid,
        PurposeOfReferenceCodeSequence=[coded(_SOURCE_IMAGE)],
        SpatialLocationsPreserved="YES",
    )
    if frame:
        item.ReferencedFrameNumber = frame
    return item


def decimal(number: float) -> str:
    """Return a number as a decimal string of at most 16 characters (PS3.5 6.2, DS)."""
    from pydicom.valuerep import format_number_as_ds

    # format_number_as_ds leaves -0.0 as it is: one place, one text.
    return format_number_as_ds(float(number) + 0.0)


def dataset_of(**elements: object) -> Dataset:
    """Return a dataset of these elements."""
    from pydicom.dataset import Dataset

    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made
