"""An angle between marked points or lines, with what their placing leaves uncertain.

Three points make the angle at the vertex. Two lines have no direction, so they make an
angle of 0 to 90 degrees; only as a kyphosis or a wedge does the angle have a sign, which
then is that of `measurements.vertebra`: positive where the lines meet in front.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.measurements import doubts
from osteotrace.measurements.caliper import point_in
from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Detail,
    LesionReading,
    Method,
    measured,
)
from osteotrace.regions import Polyline

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array, Grid
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace angle", version="1")
# What an angle may be recorded as; all but the first have a sign in the sagittal plane.
ANGLES: Final = (
    "angle",
    "cobb_angle",
    "local_kyphosis",
    "segmental_kyphosis",
    "wedge_angle",
)
# Those that are read in the sagittal plane alone.
SAGITTAL: Final = ANGLES[2:]
AS_DRAWN: Final = "as drawn"
FIRST_LINE: Final = "first line"
SECOND_LINE: Final = "second line"
# A reader places a point to about this (SD, each direction), mm: as the marks of a
# vertebra. Two lines of 30 mm then have u = 2.7 degrees, so that repeats lie within 5
# degrees of each other in 81 %; published: 42 to 98 % (Lee, J Clin Neurosci 2007;14:961).
PLACED_MM: Final = 0.7
# An arm shorter than this (mm) has no direction that a placing to 0.7 mm could tell.
LEAST_ARM_MM: Final = 4.0
# A place somewhere in a voxel: the SD of a uniform distribution.
VOXEL_SHARE: Final = 1.0 / math.sqrt(12.0)
_PARALLEL: Final = 1e-9


def between_arms(
    volume: Volume, start: ArrayLike, vertex: ArrayLike, end: ArrayLike
) -> LesionReading:
    """Measure the angle at a vertex between two arms, 0 to 180 degrees.

    Parameters
    ----------
    volume : Volume
        What the points were placed on.
    start, vertex, end : (3,) array
        Patient LPS mm.

    Returns
    -------
    LesionReading
        ``angle``, and the line through the three points.

    Raises
    ------
    OsteotraceError
        If a point lies outside the volume or an arm is shorter than `LEAST_ARM_MM`.
    """
    a, v, b = (
        point_in(volume, name, point)
        for name, point in (("start", start), ("vertex", vertex), ("end", end))
    )
    first, second = _arm("first arm", v, a), _arm("second arm", v, b)
    value = geometry.angle_deg(first, second)
    moves = _turns(volume.grid, first, second)
    # A vertex that moves takes both arms with it.
    shifts = np.array([moves[0], -(moves[0] + moves[1]), moves[1]])
    return _reading(
        volume,
        ("angle", value, (0.0, 180.0)),
        (_line(volume, AS_DRAWN, a, v, b),),
        shifts,
        "angle at the vertex between the arms to the start and to the end, points as "
        "placed",
    )


def between_lines(
    volume: Volume,
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    quantity: str = "angle",
) -> LesionReading:
    """Measure the angle between two lines.

    Parameters
    ----------
    volume : Volume
        What the points were placed on.
    first, second : two (3,) arrays
        The ends of each line, patient LPS mm, in any order.
    quantity : str
        One of `ANGLES`. An ``angle`` is 0 to 90 degrees, and so is a ``cobb_angle``
        between lines that run from side to side. Between lines that run from front to
        back, every quantity but ``angle`` is positive where they meet in front
        (kyphosis), negative where they meet behind.

    Returns
    -------
    LesionReading
        The angle, and both lines.

    Raises
    ------
    OsteotraceError
        If a point lies outside the volume, a line is shorter than `LEAST_ARM_MM`, or a
        kyphosis or wedge is asked for between lines that do not run from front to back.
    """
    if quantity not in ANGLES:
        raise _refused(f"the quantity {quantity!r}", "one of " + ", ".join(ANGLES))
    names = (("first_start", "first_end"), ("second_start", "second_end"))
    ends = [
        np.array([point_in(volume, n, p) for n, p in zip(pair, line, strict=True)])
        for pair, line in zip(names, (first, second), strict=True)
    ]
    ways = [
        _arm(role, *pair)
        for role, pair in zip((FIRST_LINE, SECOND_LINE), ends, strict=True)
    ]
    signed = quantity != "angle" and all(_runs_back(way) for way in ways)
    if quantity in SAGITTAL and not signed:
        raise _refused(
            "a line that does not run from front to back",
            "two lines along endplates, drawn on a sagittal view",
        )
    value, (one, other), limits = _angle(ways, ends) if signed else _sharp(*ways)
    moves = _turns(volume.grid, one, other)
    return _reading(
        volume,
        (quantity, value, limits),
        tuple(
            _line(volume, role, *pair)
            for role, pair in zip((FIRST_LINE, SECOND_LINE), ends, strict=True)
        ),
        np.array([-moves[0], moves[0], -moves[1], moves[1]]),
        "angle between the two lines, ends as placed"
        + ("; positive where they meet in front" if signed else ""),
    )


def _arm(name: str, start: Array, end: Array) -> Array:
    arm = end - start
    length = geometry.distance(start, end)
    if length < LEAST_ARM_MM:
        raise _refused(
            f"a {name} of {length:.1f} mm", f"one of at least {LEAST_ARM_MM:.0f} mm"
        )
    return np.asarray(arm)


def _refused(found: str, expected: str) -> OsteotraceError:
    return OsteotraceError(
        found, expected=expected, advice="draw the angle again", usage=True
    )


def _runs_back(way: Array) -> bool:
    """Tell whether a direction is front to back rather than side to side."""
    return bool(abs(way[1]) > abs(way[0]))


def _angle(
    ways: list[Array], ends: list[Array]
) -> tuple[float, tuple[Array, Array], tuple[float, float]]:
    """Return the angle from the lower to the upper line, positive for kyphosis."""
    back = [way if way[1] > 0 else -way for way in ways]
    heights = [pair[:, 2].mean() for pair in ends]
    upper, lower = back if heights[0] >= heights[1] else back[::-1]
    # Turning from posterior towards superior is a turn about the patient's left.
    turn = float(np.cross(lower, upper)[0])
    value = float(np.copysign(geometry.angle_deg(upper, lower), turn))
    return value, (back[0], back[1]), (-180.0, 180.0)


def _sharp(
    first: Array, second: Array
) -> tuple[float, tuple[Array, Array], tuple[float, float]]:
    """Return the angle between two lines without direction."""
    if first @ second < 0:
        second = -second
    return geometry.angle_deg(first, second), (first, second), (0.0, 90.0)


def _turns(grid: Grid, first: Array, second: Array) -> tuple[Array, Array]:
    """Return how the angle grows as the end of each arm moves, radians a mm, (3,)."""
    if np.sin(np.radians(geometry.angle_deg(first, second))) > _PARALLEL:
        axis = geometry.cross(first, second)
    else:
        # Parallel arms span no plane: they were drawn in that of the slices, or any.
        axis, _ = geometry.orthogonal_pair(first, towards=grid.normal)
    return (
        -np.cross(axis, first) / (first @ first),
        np.cross(axis, second) / (second @ second),
    )


def _reading(
    volume: Volume,
    found: tuple[str, float, tuple[float, float]],
    lines: tuple[Polyline, ...],
    shifts: Array,
    definition: str,
) -> LesionReading:
    """Weigh the uncertainty of an angle and write it down.

    Parameters
    ----------
    found : (quantity, degrees, the range of possible degrees)
    lines : tuple of Polyline
        The first is the one that the value refers to.
    shifts : (points, 3) array
        How the angle grows as each point moves, radians a mm.
    """
    name, value, (least, most) = found
    points = np.array([point for line in lines for point in line.points])
    placed = PLACED_MM * float(np.linalg.norm(shifts))
    voxel = float(np.linalg.norm(shifts @ _voxel_axes(volume.grid, points).T))
    terms = {"u placed": np.degrees(placed), "u voxel": np.degrees(VOXEL_SHARE * voxel)}
    u = float(np.hypot(*terms.values()))
    reach = COVERAGE_FACTOR_95 * u
    images = dict.fromkeys(uid for line in lines for uid in line.source_instances)
    told = (*doubts.gap_doubts(volume.grid, points), *volume.notes)
    reading = measured(
        name,
        value,
        "deg",
        method=METHOD,
        sources=tuple(images),
        uncertainty=u,
        interval95=(max(value - reach, least), min(value + reach, most)),
        region=lines[0].role,
        definition=definition,
        flags=told,
        details=[Detail(term, float(deg), "deg") for term, deg in terms.items()],
    )
    return LesionReading(measurements=(reading,), regions=lines)


def _voxel_axes(grid: Grid, points: Array) -> Array:
    """Return the edges of a voxel around the points as rows, LPS mm, (3, 3)."""
    frame = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    # A single slice has no gap: what lies across it was not placed.
    gap = np.nan_to_num(doubts.slice_gap_around(grid, points))
    return np.asarray(frame * np.array([gap, *grid.pixel_spacing])[:, None])


def _line(volume: Volume, role: str, *points: Array) -> Polyline:
    stored = tuple(geometry.as_stored(point) for point in points)
    return Polyline(
        role=role,
        points=stored,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(image.source for image in volume.slices_between(stored)),
    )
