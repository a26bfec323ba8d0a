"""What a reader marks: points, lines and masks in patient LPS mm, with their frame.

A region never travels without its FrameOfReferenceUID and the images it was marked on;
what came without them says so by an empty text or an empty tuple. Coordinates of points
are float32-representable (`geometry.as_stored`), so a DICOM record gives them back to the
bit. Points on a radiograph, which has no patient space, are `ImagePoints`. Nothing here
measures.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.shown import Shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Grid

Point = tuple[float, float, float]

# Voxels of a mask and of an image are the same where their centres agree to this share
# of a voxel, and their axes and spacings to this relative difference.
SAME_VOXEL_SHARE: Final = 0.02
SAME_AXES: Final = 1e-4


class Polyline(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """An open line through two or more points.

    Parameters
    ----------
    role : str
        What the line is within its finding, e.g. ``"fitted edges"`` or ``"as drawn"``.
    points : tuple of (x, y, z)
        Patient LPS, mm, float32-representable.
    frame_of_reference_uid : str
        FrameOfReferenceUID (0020,0052) that the points live in; empty where the images
        have none.
    source_instances : tuple of str
        The images the line was marked on, in slice order: the SOPInstanceUID of each,
        ``UID/frames/N`` for a frame of a multi-frame object; empty where the voxels came
        from a file that is no DICOM.
    """

    role: str
    points: tuple[Point, ...]
    frame_of_reference_uid: str
    source_instances: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_points(self.points, least=2)


class Points(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """Single points, each with its own role.

    Parameters
    ----------
    role : str
        What the points are within their finding, e.g. ``"as clicked"``.
    points : tuple of (x, y, z)
        Patient LPS, mm, float32-representable.
    point_roles : tuple of str
        One role a point, e.g. ``("anterior edge", "posterior edge")``.
    frame_of_reference_uid, source_instances
        As in `Polyline`.
    """

    role: str
    points: tuple[Point, ...]
    point_roles: tuple[str, ...]
    frame_of_reference_uid: str
    source_instances: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_points(self.points, least=1)
        _check_roles(len(self.points), self.point_roles)


class Mask(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """A set of voxels: the box that holds it, with one bit a voxel.

    Make one with `Mask.of`; read it with `voxels`, `grid` or `on`.

    Parameters
    ----------
    role : str
        What the voxels are within their finding, e.g. ``"fragment"``.
    row_direction, column_direction : (x, y, z)
        Unit vectors, LPS, of increasing column index and of increasing row index.
    pixel_spacing : (row, column)
        mm between rows and between columns.
    origins : tuple of (x, y, z)
        LPS mm of the centre of the first voxel of each slice of the box.
    rows, columns : int
        Size of a slice of the box.
    bits : bytes
        The box in C order, (slices, rows, columns), eight voxels a byte, the first in
        the highest bit (`numpy.packbits`).
    frame_of_reference_uid, source_instances
        As in `Polyline`.
    """

    role: str
    row_direction: Point
    column_direction: Point
    pixel_spacing: tuple[float, float]
    origins: tuple[Point, ...]
    rows: int
    columns: int
    bits: bytes
    frame_of_reference_uid: str
    source_instances: tuple[str, ...]

    def __post_init__(self) -> None:
        try:
            count = math.prod(self.grid.shape)
        except ValueError as problem:
            raise OsteotraceError(
                f"a mask ({self.role}) on no grid: {problem}",
                expected="a box of voxels in patient space",
                advice="use a record that osteotrace wrote, unedited",
            ) from problem
        expected = (count + 7) // 8
        if len(self.bits) != expected or not any(self.bits):
            raise OsteotraceError(
                f"a mask of {len(self.bits)} bytes"
                + ("" if any(self.bits) else " without a voxel in it"),
                expected=f"{expected} bytes with a voxel in them",
                advice="mark at least one voxel",
            )
        if self.bits[-1] & ((1 << (8 * expected - count)) - 1):
            raise OsteotraceError(
                f"a mask ({self.role}) with bits set beyond its last voxel",
                expected=f"{count} voxels, then zeros to the end of the byte",
                advice="use a record that osteotrace wrote, unedited",
            )

    @classmethod
    def of(
        cls,
        voxels: NDArray[np.bool_],
        grid: Grid,
        *,
        role: str,
        frame_of_reference_uid: str,
        source_instances: tuple[str, ...] = (),
    ) -> Mask:
        """Return the mask of a (slices, rows, columns) bool array on a grid.

        Parameters
        ----------
        voxels : (slices, rows, columns) bool array
        grid : Grid
            Where they lie.
        source_instances : tuple of str
            The image of each slice of the grid, or none.

        Raises
        ------
        OsteotraceError
            If no voxel is marked.
        """
        if voxels.shape != grid.shape:
            raise ValueError(f"voxels {voxels.shape}, grid {grid.shape}")
        if len(source_instances) not in (0, len(voxels)):
            raise ValueError(f"{len(source_instances)} images, {len(voxels)} slices")
        if not voxels.any():
            raise OsteotraceError(
                f"an empty mask ({role})",
                expected="at least one voxel",
                advice="mark the lesion, or choose another label",
            )
        box = tuple(
            slice(int(where[0]), int(where[-1]) + 1)
            for where in (np.flatnonzero(voxels.any(axis=others)) for others in _OTHERS)
        )
        cropped = voxels[box]
        inside = grid.cropped((box[0], box[1], box[2]))
        return cls(
            role=role,
            row_direction=_plain(grid.row_direction),
            column_direction=_plain(grid.column_direction),
            pixel_spacing=(float(grid.pixel_spacing[0]), float(grid.pixel_spacing[1])),
            origins=tuple(_plain(origin) for origin in inside.origins),
            rows=inside.rows,
            columns=inside.columns,
            bits=np.packbits(cropped).tobytes(),
            frame_of_reference_uid=frame_of_reference_uid,
            source_instances=source_instances[box[0]],
        )

    @property
    def grid(self) -> Grid:
        """The grid of the box."""
        return geometry.Grid(
            row_direction=np.array(self.row_direction),
            column_direction=np.array(self.column_direction),
            pixel_spacing=np.array(self.pixel_spacing),
            origins=np.array(self.origins),
            rows=self.rows,
            columns=self.columns,
        )

    @property
    def voxels(self) -> NDArray[np.bool_]:
        """The (slices, rows, columns) bool array of the box."""
        shape = (len(self.origins), self.rows, self.columns)
        flat = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=math.prod(shape))
        return flat.astype(bool).reshape(shape)

    def on(self, grid: Grid) -> NDArray[np.bool_]:
        """Return the mask as a bool array of a grid that has the same voxels.

        Raises
        ------
        OsteotraceError
            If the voxels of the mask are not voxels of the grid.
        """
        whole = np.zeros(grid.shape, dtype=bool)
        whole[self.box_on(grid)] = self.voxels
        return whole

    def box_on(self, grid: Grid) -> tuple[slice, slice, slice]:
        """Return the box of a grid that `voxels` fill; errors as `on`."""
        own = self.grid
        first = np.round(grid.to_index(own.origins[0])).astype(int)
        last = first + np.array(own.shape)
        if (
            _differ(own, grid)
            or (first < 0).any()
            or (last > np.array(grid.shape)).any()
            or _farthest(grid.cropped(_box(first, last)), own) > SAME_VOXEL_SHARE
        ):
            raise OsteotraceError(
                f"a mask ({self.role}) whose voxels are not those of the image",
                expected="a mask on the grid of the image that is measured",
                advice="measure the image that the mask was drawn on, or resample the "
                "mask onto this one first",
            )
        return _box(first, last)


# The axes to look along for the extent along each of the three.
_OTHERS: Final = ((1, 2), (0, 2), (0, 1))


def _box(first: NDArray[np.intp], last: NDArray[np.intp]) -> tuple[slice, slice, slice]:
    a, b, c = (slice(int(x), int(y)) for x, y in zip(first, last, strict=True))
    return a, b, c


def _differ(own: Grid, grid: Grid) -> bool:
    """Tell whether two grids have other axes or spacings."""
    turned = max(
        float(np.abs(own.row_direction - grid.row_direction).max()),
        float(np.abs(own.column_direction - grid.column_direction).max()),
    )
    stretched = float(np.abs(own.pixel_spacing / grid.pixel_spacing - 1).max())
    return max(turned, stretched) > SAME_AXES


def _farthest(part: Grid, own: Grid) -> float:
    """Return how far the voxels of two grids lie apart, in shares of a voxel."""
    ends = [_ends(grid) for grid in (part, own)]
    apart = float(np.linalg.norm(ends[0] - ends[1], axis=-1).max())
    return apart / float(np.nanmin(part.spacing))


def _ends(grid: Grid) -> NDArray[np.float64]:
    """Return the LPS mm of the four corners of every slice."""
    down = (grid.rows - 1) * grid.pixel_spacing[0] * grid.column_direction
    along = (grid.columns - 1) * grid.pixel_spacing[1] * grid.row_direction
    return np.stack([grid.origins + way for way in (0, down, along, down + along)])


def _plain(vector: NDArray[np.float64]) -> Point:
    x, y, z = (float(number) for number in vector)
    return x, y, z


class ImagePoints(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
):
    """Single points on one image that has no patient space, such as a radiograph.

    Parameters
    ----------
    role : str
        What the points are within their finding.
    image_points : tuple of (column, row)
        In pixels; (0, 0) is the outer corner of the first pixel and (1, 1) its inner
        one (PS3.3 C.18.6.1.1).
    point_roles : tuple of str
        One role a point.
    source_instances : tuple of str
        The one image, named as in `Polyline`.
    """

    role: str
    image_points: tuple[tuple[float, float], ...]
    point_roles: tuple[str, ...]
    source_instances: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_roles(len(self.image_points), self.point_roles)
        if not all(math.isfinite(x) for point in self.image_points for x in point):
            raise OsteotraceError(
                "a point that is not finite",
                expected="column and row in pixels",
                advice="mark the point again",
            )

    @property
    def frame_of_reference_uid(self) -> str:
        """Empty: there is no patient space."""
        return ""


Region = Polyline | Points | Mask | ImagePoints


def extent(region: Region) -> tuple[Point, ...]:
    """Return the LPS mm points that a region spans: its own, or the corners of a mask.

    Empty for points on a radiograph.
    """
    if isinstance(region, ImagePoints):
        return ()
    if isinstance(region, Mask):
        return tuple(_plain(corner) for corner in region.grid.corners())
    return region.points


def _check_roles(count: int, roles: tuple[str, ...]) -> None:
    if count == 0 or len(roles) != count:
        raise OsteotraceError(
            f"{count} points with {len(roles)} roles",
            expected="at least one point, and one role a point",
            advice="name every point",
        )


def _check_points(points: tuple[Point, ...], *, least: int) -> None:
    if len(points) < least:
        raise OsteotraceError(
            f"{len(points)} point(s)",
            expected=f"at least {least}",
            advice="mark the missing points",
        )
    for point in points:
        if not all(map(math.isfinite, point)) or tuple(point) != geometry.as_stored(
            point
        ):
            raise OsteotraceError(
                f"the point {tuple(point)}",
                expected="finite coordinates that float32 holds exactly",
                advice="round points with osteotrace.geometry.as_stored first",
            )
