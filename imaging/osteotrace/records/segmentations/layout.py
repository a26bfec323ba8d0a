"""Where masks go in segmentations: which share one, on which planes, at which pixels.

Masks on the grid of their images take the planes of these images whole, so that viewers
lay them over; others take planes of their own (``lattices``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.records.report_content.source_images import values
from osteotrace.records.segmentations.lattices import add_to_a_lattice
from osteotrace.records.segmentations.planes import Placed, Stack
from osteotrace.regions import SAME_AXES, SAME_VOXEL_SHARE, Mask
from osteotrace.uids import source_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment
    from osteotrace.records.segmentations.lattices import Lattice
    from osteotrace.records.segmentations.planes import Key

# Orientation and spacing of images are one where these many decimals are.
SAME_DECIMALS: Final = 4


def stacks(assessment: Assessment, headers: Mapping[str, Dataset]) -> list[Stack]:
    """Return the segmentations that the masks of a reading need.

    Parameters
    ----------
    assessment : Assessment
    headers : mapping of str to Dataset
        Header of each image that it refers to, by SOPInstanceUID.

    Returns
    -------
    list of Stack
        One a series and grid, in the order of first mention.
    """
    on_images: dict[tuple[object, ...], list[_OnImages]] = {}
    lattices: list[Lattice] = []
    planes = _ImagePlanes(headers)
    for finding, region, mask in _masks(assessment):
        found = planes.under(mask)
        if found is None:
            series = planes.series_of(mask)
            add_to_a_lattice(lattices, (finding, region), mask, series)
        else:
            on_images.setdefault(found.planes[0].key, []).append(
                _OnImages((finding, region), mask, found)
            )
    made = [_stack_on_images(members) for members in on_images.values()]
    made += [lattice.stack() for lattice in lattices]
    return sorted(made, key=lambda stack: min(placed.key for placed in stack.masks))


def _masks(assessment: Assessment) -> Iterator[tuple[int, int, Mask]]:
    for f, finding in enumerate(assessment.findings):
        for r, region in enumerate(finding.regions):
            if isinstance(region, Mask):
                yield f, r, region


# On the images ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImagePlane:
    """Where one image, or one frame of one, lies."""

    name: str
    series_uid: str
    frame_of_reference_uid: str
    rows: int
    columns: int
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    position: tuple[float, ...]
    slice_thickness: float | None

    @property
    def key(self) -> tuple[object, ...]:
        """What images have in common that one segmentation lies on."""
        shape = (*self.orientation, *self.pixel_spacing)
        return (
            self.series_uid,
            self.frame_of_reference_uid,
            self.rows,
            self.columns,
            *(round(number, SAME_DECIMALS) + 0.0 for number in shape),
        )


@dataclass(frozen=True, slots=True)
class _Under:
    """The image under each slice of a mask, and its first voxel in each of them."""

    planes: tuple[_ImagePlane, ...]
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class _OnImages:
    key: Key
    mask: Mask
    under: _Under


class _ImagePlanes:
    """The planes of images, each read from its header once."""

    def __init__(self, headers: Mapping[str, Dataset]) -> None:
        self._headers = headers
        self._known: dict[str, _ImagePlane | None] = {}

    def series_of(self, mask: Mask) -> str:
        """Return the series of the first image of a mask, empty where it has none."""
        if not mask.source_instances:
            return ""
        uid, _ = source_parts(mask.source_instances[0])
        return str(self._headers[uid].SeriesInstanceUID)

    def under(self, mask: Mask) -> _Under | None:
        """Return the images that the voxels of a mask are voxels of, if they are."""
        named = [self._plane(name) for name in mask.source_instances]
        usable = [
            plane for plane in named if plane is not None and _are_parallel(plane, mask)
        ]
        if not usable:
            return None
        grid = mask.grid
        away = grid.origins[:, None] - np.array([plane.position for plane in usable])
        pixels = np.stack([away @ grid.column_direction, away @ grid.row_direction], -1)
        pixels /= grid.pixel_spacing
        whole = np.round(pixels)
        near = np.abs(away @ grid.normal) <= SAME_VOXEL_SHARE * np.nanmin(grid.spacing)
        near &= np.abs(pixels - whole).max(axis=-1) <= SAME_VOXEL_SHARE
        if not near.any(axis=1).all():
            return None
        chosen = _chosen(near, aligned=len(usable) == len(named) == len(near))
        places = whole[np.arange(len(near)), chosen].astype(int)
        planes = tuple(usable[k] for k in chosen)
        row, column = places[0].tolist()
        if (places != places[0]).any() or len({plane.key for plane in planes}) > 1:
            return None
        last = (row + mask.rows, column + mask.columns)
        inside = min(row, column) >= 0 and (
            last[0] <= planes[0].rows and last[1] <= planes[0].columns
        )
        return _Under(planes, row, column) if inside else None

    def _plane(self, name: str) -> _ImagePlane | None:
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def _read(self, name: str) -> _ImagePlane | None:
        uid, frame = source_parts(name)
        header = self._headers[uid]
        if not frame and int(header.get("NumberOfFrames") or 1) > 1:
            return None
        frames = (frame,) if frame else ()
        orientation = values(header, "ImageOrientationPatient", frames)
        spacing = values(header, "PixelSpacing", frames)
        position = values(header, "ImagePositionPatient", frames)
        if (len(orientation), len(spacing), len(position)) != (6, 2, 3):
            return None
        thickness = values(header, "SliceThickness", frames)
        return _ImagePlane(
            name=name,
            series_uid=str(header.SeriesInstanceUID),
            frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or ""),
            rows=int(header.get("Rows") or 0),
            columns=int(header.get("Columns") or 0),
            orientation=orientation,
            pixel_spacing=spacing,
            position=position,
            slice_thickness=thickness[0] if thickness and thickness[0] > 0 else None,
        )


def _are_parallel(plane: _ImagePlane, mask: Mask) -> bool:
    """Tell whether a mask lies in the space and along the pixels of an image."""
    directions = np.array([*mask.row_direction, *mask.column_direction])
    spacing = np.array(mask.pixel_spacing)
    return bool(
        plane.frame_of_reference_uid == mask.frame_of_reference_uid
        and np.abs(directions - plane.orientation).max() <= SAME_AXES
        and np.abs(spacing / plane.pixel_spacing - 1).max() <= SAME_AXES
    )


def _chosen(near: NDArray[np.bool_], *, aligned: bool) -> NDArray[np.intp]:
    """Return the image of each slice: its own in order, else the first that fits.

    Several time points lie at one place: the order tells which was marked.
    """
    if aligned and near.diagonal().all():
        return np.arange(len(near))
    return np.asarray(near.argmax(axis=1))


def _stack_on_images(members: list[_OnImages]) -> Stack:
    positions: dict[tuple[float, ...], int] = {}
    placed = []
    for member in members:
        numbers = [
            positions.setdefault(plane.position, len(positions))
            for plane in member.under.planes
        ]
        placed.append(
            Placed(
                key=member.key,
                mask=member.mask,
                planes=tuple(numbers),
                row=member.under.row,
                column=member.under.column,
                sources=tuple(plane.name for plane in member.under.planes),
            )
        )
    first = members[0].under.planes[0]
    return Stack(
        series_uid=first.series_uid,
        frame_of_reference_uid=first.frame_of_reference_uid,
        orientation=first.orientation,
        pixel_spacing=first.pixel_spacing,
        slice_thickness=first.slice_thickness,
        rows=first.rows,
        columns=first.columns,
        positions=tuple((x, y, z) for x, y, z in positions),
        masks=tuple(placed),
    )
