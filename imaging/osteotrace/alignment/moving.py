"""Places of the earlier study in the later one: grids, points, lines and masks moved.

Points keep their order and roles; a mask is taken anew on the voxels of the later volume.
What is moved names the later frame of reference and images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.regions import ImagePoints, Mask, Points, Polyline, Region

if TYPE_CHECKING:
    from osteotrace.alignment.transform import RigidTransform
    from osteotrace.volume import Volume


def moved_grid(grid: Grid, transform: RigidTransform) -> Grid:
    """Return a grid, or a plane, of the earlier study laid into the later one."""
    return Grid(
        row_direction=transform.direction(grid.row_direction),
        column_direction=transform.direction(grid.column_direction),
        pixel_spacing=grid.pixel_spacing,
        origins=transform.apply(grid.origins),
        rows=grid.rows,
        columns=grid.columns,
    )


def moved_region(region: Region, transform: RigidTransform, later: Volume) -> Region:
    """Return a region of the earlier study on the later volume.

    Parameters
    ----------
    region : Points, Polyline or Mask
        In the transform's earlier frame of reference.
    transform : RigidTransform
        To the frame of reference of `later`.
    later : Volume
        Whose voxels a mask is taken on, and whose images are named.

    Raises
    ------
    OsteotraceError
        If the region lies in another frame of reference, or on a radiograph, or outside
        the later volume.
    """
    _check_frames(region, transform, later)
    if isinstance(region, Mask):
        return moved_mask(region, transform, later)
    assert isinstance(region, Points | Polyline)
    points = tuple(transform.stored(point) for point in region.points)
    if not later.grid.contains(np.array(points)).all():
        raise _outside(region)
    return msgspec.structs.replace(
        region,
        points=points,
        frame_of_reference_uid=later.frame_of_reference_uid,
        source_instances=tuple(image.source for image in later.slices_between(points)),
    )


def moved_mask(mask: Mask, transform: RigidTransform, later: Volume) -> Mask:
    """Return the voxels of the later volume whose centre lies in an earlier mask.

    Raises
    ------
    OsteotraceError
        If none does.
    """
    own = mask.grid
    box = later.grid.box_around(
        transform.apply(own.corners()), float(np.nanmax(own.spacing))
    )
    inside = np.zeros(later.grid.shape, dtype=bool)
    if all(side.stop > side.start for side in box):
        part = later.grid.cropped(box)
        index = np.moveaxis(np.indices(part.shape), 0, -1)
        at = np.round(own.to_index(transform.inverse.apply(part.to_patient(index))))
        within = ((at >= 0) & (at < np.array(own.shape))).all(axis=-1)
        nearest = np.clip(at, 0, np.array(own.shape) - 1).astype(np.intp)
        inside[box] = within & mask.voxels[tuple(np.moveaxis(nearest, -1, 0))]
    if not inside.any():
        raise _outside(mask)
    images = later.instances if later.source_grid is None else ()
    return Mask.of(
        inside,
        later.grid,
        role=mask.role,
        frame_of_reference_uid=later.frame_of_reference_uid,
        source_instances=tuple(image.source for image in images),
    )


def _check_frames(region: Region, transform: RigidTransform, later: Volume) -> None:
    if isinstance(region, ImagePoints):
        raise OsteotraceError(
            f"points on a radiograph ({region.role})",
            expected="a region in patient space",
            advice="mark it again: a radiograph has no place in the patient",
        )
    frames = region.frame_of_reference_uid, later.frame_of_reference_uid
    if frames != (transform.from_frame_uid, transform.to_frame_uid):
        raise OsteotraceError(
            f"a region ({region.role}) in the frame of reference {frames[0]}, to be "
            f"moved to {frames[1]}",
            expected=f"{transform.from_frame_uid} and {transform.to_frame_uid}, which "
            "the transform joins",
            advice="use the transform between these two series",
        )


def _outside(region: Region) -> OsteotraceError:
    return OsteotraceError(
        f"a region ({region.role}) that lies outside the later images",
        expected="images that hold the place",
        advice="the place was not imaged at the later date: nothing is said of it",
    )
