"""What a reader marks: points and lines in patient LPS mm, with their frame.

A region never travels without its FrameOfReferenceUID and the images it was marked on;
what came without them says so by an empty text or an empty tuple. Coordinates are
float32-representable (`geometry.as_stored`), so a DICOM record gives them back to the
bit. Nothing here measures.
"""

from __future__ import annotations

import math

import msgspec

from osteotrace import geometry
from osteotrace.errors import OsteotraceError

Point = tuple[float, float, float]


class Polyline(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
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
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True
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
        if len(self.point_roles) != len(self.points):
            raise OsteotraceError(
                f"{len(self.points)} points with {len(self.point_roles)} roles",
                expected="one role a point",
                advice="name every point",
            )


Region = Polyline | Points


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
