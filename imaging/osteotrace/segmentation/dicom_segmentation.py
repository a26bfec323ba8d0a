"""Labels from a DICOM segmentation, the one place that turns SEG pixels into masks.

Frames are matched by where they lie, never by their order; empty ones may be left out,
and segments may overlap. On the grid of the image where its voxels are the frames', else
on the grid that the frames themselves span.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid, cross, unit_vector
from osteotrace.regions import SAME_VOXEL_SHARE, Mask
from osteotrace.segmentation import dicom_frames, marked
from osteotrace.segmentation.label_files import boxes
from osteotrace.segmentation.label_maps import Label, LabelMap, other_frame
from osteotrace.segmentation.label_names import standard_name, standard_name_of_codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from osteotrace.geometry import Array
    from osteotrace.segmentation.dicom_frames import Frame, Frames
    from osteotrace.volume import Volume

# Two frames lie in one slice where they are no farther apart than this, mm.
SAME_SLICE_MM: Final = 0.01
# Gaps are whole multiples of the smallest one up to this share of themselves, and never
# more than a quarter of a step off: beside a tiny gap every other one is a multiple.
WHOLE_GAP_SHARE: Final = 0.02
MOST_STEP_SHARE: Final = 0.25
# No stack has as many slices.
MOST_SLICES: Final = 10_000


def read(path: Path, like: Volume | None, least_fraction: float) -> LabelMap:
    """Read a DICOM segmentation (`osteotrace.segmentation.labels.read_labels`).

    Raises
    ------
    OsteotraceError
        If it is none, is damaged, or lies in another frame of reference than ``like``.
    Exception
        Whatever pydicom raises on a damaged file.
    """
    if not 0 < least_fraction <= 1:
        raise OsteotraceError(
            f"the fraction {least_fraction}",
            expected="a share of the maximum, above 0 and up to 1",
            advice="correct the fraction",
            usage=True,
        )
    frames = dicom_frames.read(path)
    reference = str(frames.header.get("FrameOfReferenceUID", ""))
    if not reference:
        raise OsteotraceError(
            "a segmentation without a FrameOfReferenceUID (0020,0052)",
            expected="the frame of reference that its places are meant in",
            advice="export the segmentation again, from the images of the patient",
        )
    if like is not None and like.frame_of_reference_uid != reference:
        raise other_frame(reference, like.frame_of_reference_uid)
    stack = _on_image(frames, like) or _on_its_own(frames, like)
    labels, empty = [], []
    for item, box, voxels in _segments(path, frames, stack, least_fraction):
        if voxels is None:
            empty.append(str(item.get("SegmentLabel", "")))
        else:
            labels.append(_label(item, stack.mask(box, voxels, reference)))
    if not labels:
        raise OsteotraceError(
            "a segmentation without a voxel in it",
            expected="at least one segment that holds a voxel",
            advice="check that the segmentation found anything",
        )
    series = _series(frames.header, like)
    return LabelMap(
        labels=tuple(labels),
        grid=stack.grid,
        frame_of_reference_uid=reference,
        series_uid=series,
        source=str(frames.header.get("SOPInstanceUID", "")),
        empty=tuple(empty),
        notes=(*stack.notes, *_notes(frames, like, series, least_fraction)),
    )


Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stack:
    """Where the frames lie on a grid.

    Parameters
    ----------
    grid : Grid
        That of the image, or the one that the frames span.
    places : (frames, 3) int
        Slice, row and column of the first pixel of each frame.
    sources : dict of int to str
        The image that a slice was drawn on, where a frame names one.
    image : Volume or None
        Where its voxels are those of the frames.
    notes : tuple of str
        What is to be said of the grid.
    """

    grid: Grid
    places: NDArray[np.intp] = field(repr=False)
    sources: dict[int, str] = field(repr=False)
    image: Volume | None = None
    notes: tuple[str, ...] = ()

    def box(self, frames: Sequence[Frame], rows: int, columns: int) -> Box:
        """Return the box of voxels that holds some frames."""
        places = self.places[[frame.number for frame in frames]]
        size = np.array([1, rows, columns])
        low, high = places.min(axis=0), places.max(axis=0) + size
        a, b, c = (slice(int(x), int(y)) for x, y in zip(low, high, strict=True))
        return a, b, c

    def mask(self, box: Box, voxels: NDArray[np.bool_], reference: str) -> Mask:
        """Return the mask of the voxels in a box, with the images it was drawn on."""
        if self.image is not None and self.image.instances:
            return marked.in_window(self.image, voxels, box, role="")
        held = np.flatnonzero(voxels.any(axis=(1, 2))) + box[0].start
        slices = range(int(held[0]), int(held[-1]) + 1)
        mask = Mask.of(
            voxels, self.grid.cropped(box), role="", frame_of_reference_uid=reference
        )
        names = tuple(self.sources[k] for k in slices if k in self.sources)
        return msgspec.structs.replace(mask, source_instances=names)


def _on_image(frames: Frames, like: Volume | None) -> _Stack | None:
    """Return the frames on the grid of the image, if its voxels are theirs."""
    if like is None:
        return None
    row, column = frames.orientation[:3], frames.orientation[3:]
    along = np.array(
        [
            np.zeros(3),
            row * frames.pixel_spacing[1] * (frames.columns - 1),
            column * frames.pixel_spacing[0] * (frames.rows - 1),
        ]
    )
    corners = _positions(frames)[:, None] + along
    at = like.grid.to_index(corners)
    places = np.round(at).astype(np.intp)
    span = [[0, 0, 0], [0, 0, frames.columns - 1], [0, frames.rows - 1, 0]]
    last = places[:, 0] + [0, frames.rows - 1, frames.columns - 1]
    if (
        np.abs(at - places).max() > SAME_VOXEL_SHARE
        or (places - places[:, :1] != span).any()
        or (places[:, 0] < 0).any()
        or (last >= like.grid.shape).any()
    ):
        return None
    first = places[:, 0]
    return _Stack(
        grid=like.grid, places=first, sources=_sources(frames, first), image=like
    )


def _on_its_own(frames: Frames, like: Volume | None) -> _Stack:
    """Return the frames on the grid that they span, left-out slices put in between."""
    row = unit_vector(frames.orientation[:3])
    normal = cross(row, frames.orientation[3:])
    positions = _positions(frames)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    steps = np.diff(heights[order]) > SAME_SLICE_MM
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.concatenate([[0], np.cumsum(steps)])
    origins = np.array([positions[rank == k][0] for k in range(rank.max() + 1)])
    if np.linalg.norm(positions - origins[rank], axis=1).max() > SAME_SLICE_MM:
        raise OsteotraceError(
            "frames of one slice at different places in it",
            expected="frames that cover the same pixels of a slice",
            advice="read it with the image that it was drawn on",
        )
    filled, numbers, notes = _filled(origins, normal)
    grid = Grid(
        row_direction=row,
        column_direction=np.cross(normal, row),
        pixel_spacing=frames.pixel_spacing,
        origins=filled,
        rows=frames.rows,
        columns=frames.columns,
    )
    if like is not None:
        notes = (
            "labels stay on their own grid, whose voxels are not those of the image "
            f"({_sizes(grid)}, the image {_sizes(like.grid)})",
            *notes,
        )
    places = np.stack([numbers[rank], 0 * rank, 0 * rank], axis=-1)
    return _Stack(grid=grid, places=places, sources=_sources(frames, places), notes=notes)


def _filled(
    origins: Array, normal: Array
) -> tuple[Array, NDArray[np.intp], tuple[str, ...]]:
    """Put slices where frames were left out: gaps that are multiples of the smallest.

    Returns
    -------
    origins : (n, 3) float64
    numbers : (slices,) int
        Where the given origins are among them.
    notes : tuple of str
    """
    count = len(origins)
    numbers = np.arange(count)
    if count == 1:
        note = "a segmentation of one slice, whose extent across it is unknown"
        return origins, numbers, (note,)
    gaps = np.diff(origins @ normal)
    multiples = gaps / gaps.min()
    whole = np.round(multiples)
    allowed = np.minimum(WHOLE_GAP_SHARE * whole, MOST_STEP_SHARE)
    uneven = np.abs(multiples - whole) > allowed
    if uneven.any() or whole.sum() >= MOST_SLICES:
        note = (
            f"slices of the segmentation lie {gaps.min():.2f} to {gaps.max():.2f} mm "
            "apart: empty ones in between may have been left out"
        )
        return origins, numbers, (note,)
    numbers = np.concatenate([[0], np.cumsum(whole)]).astype(np.intp)
    if numbers[-1] == count - 1:
        return origins, numbers, ()
    every = np.arange(numbers[-1] + 1)
    filled = np.stack([np.interp(every, numbers, axis) for axis in origins.T], axis=-1)
    note = f"{len(every) - count} empty slices between the frames were put back"
    return filled, numbers, (note,)


def _positions(frames: Frames) -> Array:
    return np.array([frame.position for frame in frames.frames])


def _sources(frames: Frames, places: NDArray[np.intp]) -> dict[int, str]:
    slices = places[:, 0].tolist()
    pairs = zip(slices, frames.frames, strict=True)
    return {k: frame.source for k, frame in pairs if frame.source}


Segment = tuple["Dataset", Box, "NDArray[np.bool_] | None"]


def _segments(
    path: Path, frames: Frames, stack: _Stack, least_fraction: float
) -> Iterator[Segment]:
    """Yield each segment with the box that holds it and its voxels, None where empty."""
    items = {int(item.SegmentNumber): item for item in frames.header.SegmentSequence}
    nothing = (slice(0, 0),) * 3
    if frames.kind == "LABELMAP":
        yield from _of_label_map(path, frames, stack, items)
        return
    least = 1.0
    if frames.kind == "FRACTIONAL":
        least = least_fraction * float(frames.header.MaximumFractionalValue)
    compressed = frames.decoded(path) if frames.is_compressed else None
    for number, item in items.items():
        own = [frame for frame in frames.frames if frame.segment == number]
        if not own:
            yield item, nothing, None
            continue
        if compressed is None:
            pixels = frames.pixels(own)
        else:
            pixels = compressed[[frame.number for frame in own]]
        box = stack.box(own, frames.rows, frames.columns)
        values = _laid_out(own, pixels >= least, stack, box)
        yield item, box, values if values.any() else None


def _of_label_map(
    path: Path, frames: Frames, stack: _Stack, items: dict[int, Dataset]
) -> Iterator[Segment]:
    nothing = (slice(0, 0),) * 3
    every = frames.frames
    pixels = frames.decoded(path) if frames.is_compressed else frames.pixels(every)
    whole = stack.box(every, frames.rows, frames.columns)
    values = _laid_out(every, pixels, stack, whole)
    found = dict(boxes(values))
    unknown = sorted(set(found) - set(items))
    if unknown:
        raise OsteotraceError(
            f"pixels of the segment {unknown[0]}, which is not described",
            expected="every number in the pixels to be a segment of the SegmentSequence",
            advice="the file is damaged or incomplete: export the segmentation again",
        )
    for number, item in items.items():
        # Number 0 is the background where it is described at all.
        if number in found:
            inner = found[number]
            outer = tuple(
                slice(side.start + cut.start, side.start + cut.stop)
                for side, cut in zip(whole, inner, strict=True)
            )
            yield item, (outer[0], outer[1], outer[2]), values[inner] == number
        elif number != 0:
            yield item, nothing, None


def _laid_out(
    frames: Sequence[Frame], pixels: NDArray[Any], stack: _Stack, box: Box
) -> NDArray[Any]:
    """Return the pixels of frames at their places in a box of voxels."""
    first = np.array([side.start for side in box])
    out = np.zeros([side.stop - side.start for side in box], pixels.dtype)
    taken: set[tuple[int, ...]] = set()
    for frame, plane in zip(frames, pixels, strict=True):
        place = tuple((stack.places[frame.number] - first).tolist())
        if place in taken:
            raise OsteotraceError(
                f"two frames of one segment at {frame.position}",
                expected="one frame a segment and place",
                advice="the file is damaged: export the segmentation again",
            )
        taken.add(place)
        k, r, c = place
        target = out[k, r : r + plane.shape[0], c : c + plane.shape[1]]
        np.maximum(target, plane, out=target)
    return out


def _label(item: Dataset, mask: Mask) -> Label:
    number = int(item.SegmentNumber)
    name = str(item.get("SegmentLabel", "")) or f"label {number}"
    types = item.get("SegmentedPropertyTypeCodeSequence") or ()
    codes = [
        (str(code.get("CodingSchemeDesignator", "")), str(code.get("CodeValue", "")))
        for code in types
    ]
    standard = standard_name(name) or standard_name_of_codes(codes)
    drawn = (item.get("SegmentAlgorithmType"), item.get("SegmentAlgorithmName"))
    return Label(
        number=number,
        name=name,
        standard_name=standard,
        mask=msgspec.structs.replace(mask, role=standard or name),
        tracking_uid=str(item.get("TrackingUID", "")),
        tracking_identifier=str(item.get("TrackingID", "")),
        algorithm=" ".join(str(part) for part in drawn if part),
    )


def _series(header: Dataset, like: Volume | None) -> str:
    """Return the series that a segmentation says it was drawn on, if it does.

    That of the image, if it is among several; else the first.
    """
    items = header.get("ReferencedSeriesSequence") or ()
    named = [str(item.get("SeriesInstanceUID", "")) for item in items]
    if like is not None and like.identity.series_uid in named:
        return like.identity.series_uid
    return next(iter(named), "")


def _notes(
    frames: Frames, like: Volume | None, series: str, least_fraction: float
) -> Iterator[str]:
    if frames.kind == "FRACTIONAL":
        kind = str(frames.header.get("SegmentationFractionalType", "")).lower()
        share = f"{100 * least_fraction:g} %"
        yield f"fractional segments ({kind}): voxels from {share} of the maximum taken"
    if like is None and not any(frame.source for frame in frames.frames):
        yield "the segmentation does not name the images that it was drawn on"
    if like is not None and series and series != like.identity.series_uid:
        yield f"the segmentation was drawn on another series of this space, {series}"


def _sizes(grid: Grid) -> str:
    voxels = " × ".join(map(str, grid.shape))
    return f"{voxels} voxels of {' × '.join(f'{mm:.3g}' for mm in grid.spacing)} mm"
