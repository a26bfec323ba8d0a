"""A vertebra from six marked points, moved onto the endplates where there is an image.

Unlike a mask, six points say nothing of the depth: heights are the distances between the
marks of a pair, so they compare with other six-point readings only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import as_stored, unit_vector
from osteotrace.measurements.measurement import LesionReading, Measurement, Method
from osteotrace.measurements.vertebra import levels, plates, refinement, smooth_plate
from osteotrace.measurements.vertebra.frame import Frame
from osteotrace.measurements.vertebra.profiles import voxel_extent
from osteotrace.measurements.vertebra.quantities import (
    Said,
    height_measurements,
    loss_measurements,
)
from osteotrace.measurements.vertebra.records import (
    WHERE,
    BodyFrame,
    VertebraReading,
    heights_of,
    plain,
)
from osteotrace.regions import Points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace vertebra, six points", version="1")
ROLES: Final = tuple(
    f"{end} {where}" for end in ("superior", "inferior") for where in WHERE
)
DEFINITION: Final = (
    "heights between the anterior, middle and posterior mark of the superior and the "
    "inferior endplate, each the distance between the two marks"
)
AS_MARKED: Final = "; marks as placed"
FITTED: Final = (
    "; marks moved along the bisector of the endplates onto the outer surface of a thin "
    "plate fitted within 2.5 mm"
)
FITTED_ROLE: Final = "fitted endplates"
# Relative repeatability of six-point heights (published, radiographs), a height.
READER_SHARE: Final = 0.02
# A mark is moved by the mean of the endplate this far around it, and at most this far.
_AROUND_MM: Final = 2.5
_FARTHEST_MM: Final = 3.0
# A reader places a mark along the endplate to about this (SD), mm.
_PLACED_MM: Final = 0.7
_VOXEL_SHARE: Final = 0.08
# A mark this far out of the plane of the six is misplaced, mm.
_OUT_OF_PLANE_MM: Final = 5.0


def in_order(roles: tuple[str, ...]) -> list[int]:
    """Return where each of `ROLES` stands among the roles of six points.

    Raises
    ------
    OsteotraceError
        If they are not those six.
    """
    if sorted(roles) != sorted(ROLES):
        raise OsteotraceError(
            f"points with the roles {', '.join(roles)}",
            expected="six points: " + ", ".join(ROLES),
            advice="mark front, middle and back of both endplates",
            usage=True,
        )
    return [roles.index(role) for role in ROLES]


def from_points(
    points: Points, *, level: str, volume: Volume | None = None
) -> VertebraReading:
    """Measure a vertebra from six points in patient space.

    Parameters
    ----------
    points : Points
        With the six `ROLES`, e.g. ``"superior anterior"``.
    level : str
        E.g. ``"L1"``.
    volume : Volume, optional
        The image: marks then move onto the endplates near them.

    Returns
    -------
    VertebraReading

    Raises
    ------
    OsteotraceError
        If the level has no body, a role is missing, a point lies outside the volume, or
        the points are not in the order of their roles.
    """
    name = levels.checked(level)
    marks = np.array(points.points)[in_order(points.point_roles)]
    check_places(marks, volume)
    frame = _frame(marks)
    flags = [*levels.doubts(name), *_plane_doubts(marks, frame)]
    placed, terms = marks, _reader_terms(marks)
    basis, role = DEFINITION + AS_MARKED, points.role
    regions: tuple[Points, ...] = (points,)
    if volume is not None:
        try:
            placed, terms = _fitted(volume, marks, frame)
            basis, role = DEFINITION + FITTED, FITTED_ROLE
            regions = (_as_points(placed, points), points)
            frame = _frame(placed)
        except smooth_plate.NotSeen as reason:
            flags.append(f"marks not moved onto endplates: {reason}")
        flags += volume.notes
    said = Said(
        method=METHOD,
        sources=points.source_instances,
        flags=tuple(dict.fromkeys(flags)),
        basis=basis,
        regions=(role, role, role),
    )
    return _reading(name, placed, frame, said, terms, regions)


def check_places(marks: Array, volume: Volume | None) -> None:
    """Refuse six marks, in the order of `ROLES`, that cannot lie in their places.

    Raises
    ------
    OsteotraceError
        If one lies outside the image, or they are not in the order of their roles.
    """
    if volume is not None and not volume.grid.contains(marks).all():
        raise OsteotraceError(
            "a mark outside the image",
            expected="six points in patient LPS mm inside it",
            advice="check that the points belong to this series' frame of reference",
            usage=True,
        )
    upper, lower = marks[:3], marks[3:]
    posterior = (upper[2] - upper[0]) + (lower[2] - lower[0])
    up = (upper - lower).mean(axis=0)
    if posterior[1] <= 0 or up[2] <= 0:
        raise OsteotraceError(
            "marks whose roles do not fit their places in the patient",
            expected="anterior marks in front of posterior ones, superior above inferior",
            advice="correct the roles of the points",
            usage=True,
        )
    if np.linalg.norm(upper - lower, axis=1).min() < 1.0:
        raise OsteotraceError(
            "two marks of one pair at the same place",
            expected="a superior and an inferior mark at least 1 mm apart",
            advice="mark both endplates",
            usage=True,
        )


def _frame(marks: Array) -> Frame:
    """Return the frame of six marks: in their plane, up the endplates' bisector."""
    middle = marks.mean(axis=0)
    _, _, axes = np.linalg.svd(marks - middle)
    left = axes[2] * np.sign(axes[2][0] or 1.0)
    lines = [unit_vector(row[2] - row[0]) for row in (marks[:3], marks[3:])]
    posterior = lines[0] + lines[1]
    posterior = unit_vector(posterior - (posterior @ left) * left)
    up = np.cross(left, posterior)
    frame = Frame(origin=middle, left=left, posterior=posterior, up=up, depth=0.0)
    places = frame.to_frame(marks)[:, 1]
    front, back = places[[0, 3]].mean(), places[[2, 5]].mean()
    return replace(frame.moved(0.0, front, 0.0), depth=float(back - front))


def _plane_doubts(marks: Array, frame: Frame) -> list[str]:
    aside = float(np.abs(frame.to_frame(marks)[:, 0]).max())
    if aside > _OUT_OF_PLANE_MM:
        return [f"a mark lies {aside:.1f} mm beside the plane of the six"]
    return []


def _reader_terms(marks: Array) -> list[dict[str, float]]:
    lengths = np.linalg.norm(marks[:3] - marks[3:], axis=1)
    return [{"u reader (assumed)": READER_SHARE * float(x)} for x in lengths]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moved:
    place: Array
    u_noise: float
    slope: float
    thickness: float


def _fitted(
    volume: Volume, marks: Array, frame: Frame
) -> tuple[Array, list[dict[str, float]]]:
    """Return the marks on the fitted endplates, and the terms of each height's u."""
    half = 0.5 * float(np.ptp(frame.to_frame(marks)[:, 2]))
    grey = refinement.grey_around(volume, frame, half)
    places = grey.places(frame)
    moved = [
        _moved(volume, grey.values, places, mark, frame, 1.0 if k < 3 else -1.0)
        for k, mark in enumerate(frame.to_frame(marks))
    ]
    voxel = voxel_extent(volume.grid, frame.up)
    terms = []
    for k in range(3):
        pair = (moved[k], moved[k + 3])
        thickness = 0.5 * (pair[0].thickness + pair[1].thickness)
        terms.append(
            {
                "u noise": float(np.hypot(pair[0].u_noise, pair[1].u_noise)),
                "u plate": thickness * smooth_plate.thickness_log_sd(),
                "u reader": _PLACED_MM * float(np.hypot(pair[0].slope, pair[1].slope)),
                "u voxel": _VOXEL_SHARE * voxel,
            }
        )
    return frame.to_patient([m.place for m in moved]), terms


def _moved(
    volume: Volume, values: Array, places: Array, mark: Array, frame: Frame, sign: float
) -> _Moved:
    """Return a mark on the plate near it."""
    spread = plates.spread_along(volume.grid, frame.up)
    x, y, z = ((places - mark) * [1.0, 1.0, sign]).T
    inside, outside = max(5.0, 2.0 * spread.box), max(4.0, 1.6 * spread.box)
    near = np.hypot(x, y) <= _AROUND_MM
    near &= (z >= -inside) & (z <= outside)
    if near.sum() < smooth_plate.LEAST_VOXELS:
        raise smooth_plate.NotSeen("too few voxels lie around a mark")
    samples = plates.Samples(
        x=x[near],
        y=y[near],
        z=z[near],
        values=values[near],
        brighter=np.zeros(int(near.sum())),
    )
    tissues = smooth_plate.first_tissues(volume, samples)
    reach = min(_FARTHEST_MM, 1.5 + 0.6 * spread.box)
    start = np.array([plates.coarse_offset(samples, tissues, spread, reach), 0.0, 0.0])
    columns = np.stack([np.ones_like(samples.x), samples.x, samples.y], axis=1)
    shape = plates.Shape(columns=columns, start=start, expected=np.array([2.0, 0.2, 0.4]))
    fit = plates.fit_plate(samples, shape, tissues, spread)
    told = smooth_plate.thickness_told(fit.thickness)
    offset = float(fit.coefficients[0]) + 0.5 * told
    if abs(offset) > _FARTHEST_MM:
        raise smooth_plate.NotSeen(f"a mark lies {abs(offset):.1f} mm from its endplate")
    return _Moved(
        place=mark + np.array([0.0, 0.0, sign * offset]),
        u_noise=plates.pooled(fit.influence[0] + fit.influence[3], samples),
        slope=float(fit.coefficients[2]),
        thickness=told,
    )


def _as_points(places: Array, points: Points) -> Points:
    return Points(
        role=FITTED_ROLE,
        points=tuple(as_stored(place) for place in places),
        point_roles=ROLES,
        frame_of_reference_uid=points.frame_of_reference_uid,
        source_instances=points.source_instances,
    )


def _reading(
    level: str,
    placed: Array,
    frame: Frame,
    said: Said,
    terms: list[dict[str, float]],
    regions: tuple[Points, ...],
) -> VertebraReading:
    values = np.linalg.norm(placed[:3] - placed[3:], axis=1)
    variances = np.array([sum(x**2 for x in row.values()) for row in terms])
    covariance = np.diag(variances)
    if all("u plate" in row for row in terms):
        plate = np.array([row["u plate"] for row in terms])
        covariance = np.diag(variances - plate**2) + np.outer(plate, plate)
    heights = heights_of(values, covariance)
    # Each mark holds half of its height's variance; two marks make an endplate.
    u_deg = float(np.degrees(np.sqrt(variances[[0, 2]].mean()) / frame.depth))
    rows: tuple[Measurement, ...] = (
        *height_measurements(heights, said, _as_terms(terms)),
        *loss_measurements(heights, said),
        *mark_shape(placed, frame.up, said, u_deg, float(np.sqrt(variances.max()))),
    )
    return VertebraReading(
        level=level,
        reading=LesionReading(measurements=rows, regions=regions),
        basis=said.basis,
        method=METHOD,
        heights=heights,
        frame=BodyFrame(
            origin=plain(frame.origin),
            left=plain(frame.left),
            posterior=plain(frame.posterior),
            up=plain(frame.up),
            depth=frame.depth,
            superior=plain(unit_vector(placed[2] - placed[0])),
            inferior=plain(unit_vector(placed[5] - placed[3])),
            u_endplate_deg=u_deg,
        ),
    )


def _as_terms(terms: list[dict[str, float]]) -> tuple[Mapping[str, float], ...]:
    return tuple(terms)


def wedge_deg(places: Array, up: Array) -> float:
    """Return the angle between two endplates, positive where the front is lower."""
    rises = []
    for row in (places[:3], places[3:]):
        line = row[2] - row[0]
        rise = float(line @ up)
        along = float(np.linalg.norm(line - rise * up))
        rises.append(np.degrees(np.arctan2(rise, along)))
    return float(rises[0] - rises[1])


def mark_shape(
    places: Array, up: Array, said: Said, u_deg: float, u_mm: float
) -> list[Measurement]:
    """Return wedge angle and depressions of six marks.

    Parameters
    ----------
    places : (6, 3) array
        In the order of `ROLES`.
    up : (3,) array
    u_deg, u_mm : float
        Standard uncertainty of an endplate's direction, and of a height.
    """
    rows = [
        said.measured(
            "wedge_angle",
            wedge_deg(places, up),
            "deg",
            float(np.sqrt(2)) * u_deg,
            definition="angle between the lines from the anterior to the posterior mark "
            "of each endplate; positive where the front is lower",
        )
    ]
    for name, row, sign in (
        ("superior", places[:3], 1.0),
        ("inferior", places[3:], -1.0),
    ):
        along = unit_vector(row[2] - row[0])
        across = unit_vector(up - (up @ along) * along)
        rows.append(
            said.measured(
                f"endplate_depression_{name}",
                -sign * float((row[1] - row[0]) @ across),
                "mm",
                # Half a height's variance a mark, and the line's middle has half of that.
                float(np.sqrt(0.75)) * u_mm,
                definition="distance of the middle mark under the line between the "
                "anterior and the posterior mark",
            )
        )
    return rows
