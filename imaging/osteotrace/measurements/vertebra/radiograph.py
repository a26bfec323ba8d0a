"""A vertebra from six marks on a lateral radiograph: ratios and angles, mm only if known.

A radiograph magnifies: mm follow from a calibrated spacing alone, and carry a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import unit_vector
from osteotrace.measurements.measurement import (
    LesionReading,
    Measurement,
    Method,
    NotMeasured,
)
from osteotrace.measurements.vertebra import levels, marks
from osteotrace.measurements.vertebra.quantities import (
    HEIGHT_NAMES,
    Said,
    height_measurements,
    loss_measurements,
)
from osteotrace.measurements.vertebra.records import (
    BodyFrame,
    VertebraReading,
    heights_of,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.geometry import Array
    from osteotrace.regions import ImagePoints

METHOD: Final = Method(name="osteotrace vertebra, radiograph", version="1")
DEFINITION: Final = (
    "heights between the marks of the superior and the inferior endplate on a lateral "
    "radiograph, as placed"
)
MAGNIFIED: Final = (
    "a radiograph magnifies by an unknown share (10 to 30 % is usual): mm do not compare "
    "with CT or MR"
)
SQUARE: Final = "pixels taken as square: the image gives no spacing"


def from_image_points(
    points: ImagePoints,
    *,
    level: str,
    pixel_spacing: Sequence[float] | None = None,
    calibrated: bool = False,
) -> VertebraReading:
    """Measure a vertebra from six marks on a lateral radiograph.

    Parameters
    ----------
    points : ImagePoints
        With the six `marks.ROLES`.
    level : str
        E.g. ``"L1"``.
    pixel_spacing : (row, column), optional
        mm between rows and between columns; its ratio serves in any case.
    calibrated : bool
        True where the spacing was calibrated at the spine: then heights are given in mm.

    Returns
    -------
    VertebraReading

    Raises
    ------
    OsteotraceError
        If the level has no body, a role is missing, or the spacing is no two positive
        numbers.
    """
    name = levels.checked(level)
    flat = np.array(points.image_points)[marks.in_order(points.point_roles)]
    spacing = _checked(pixel_spacing)
    in_mm = calibrated and pixel_spacing is not None
    scale = spacing if in_mm else spacing / spacing[0]
    # Columns to the right, rows turned up, so that up is up and the plane is x and y.
    places = np.stack(
        [flat[:, 0] * scale[1], -flat[:, 1] * scale[0], np.zeros(6)], axis=1
    )
    lengths = np.linalg.norm(places[:3] - places[3:], axis=1)
    if lengths.min() == 0:
        raise OsteotraceError(
            "two marks of one pair at the same place",
            expected="a superior and an inferior mark apart from each other",
            advice="mark both endplates",
            usage=True,
        )
    flags = [*levels.doubts(name)]
    flags += [MAGNIFIED] if in_mm else []
    flags += [SQUARE] if pixel_spacing is None else []
    role = points.role
    said = Said(
        method=METHOD,
        sources=points.source_instances,
        flags=tuple(flags),
        basis=DEFINITION,
        regions=(role, role, role),
    )
    return _reading(name, places, lengths, said, points, in_mm)


def _checked(pixel_spacing: Sequence[float] | None) -> Array:
    spacing = np.ones(2) if pixel_spacing is None else np.array(pixel_spacing, float)
    if spacing.shape != (2,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise OsteotraceError(
            f"the pixel spacing {pixel_spacing!r}",
            expected="mm between rows and between columns, both above zero",
            advice="give the spacing of the image, or leave it out",
            usage=True,
        )
    return spacing


def _reading(
    level: str,
    places: Array,
    lengths: Array,
    said: Said,
    points: ImagePoints,
    in_mm: bool,
) -> VertebraReading:
    u = marks.READER_SHARE * lengths
    unit = "mm" if in_mm else "{pixels}"
    heights = heights_of(lengths, np.diag(u**2), unit)
    lines = [unit_vector(row[2] - row[0]) for row in (places[:3], places[3:])]
    posterior = unit_vector(lines[0] + lines[1])
    middle = (places[:3] - places[3:]).mean(axis=0)
    up = unit_vector(middle - (middle @ posterior) * posterior)
    depth = float(np.mean([(row[2] - row[0]) @ posterior for row in
                           (places[:3], places[3:])]))  # fmt: skip
    u_deg = float(np.degrees(np.sqrt((u[[0, 2]] ** 2).mean()) / depth))
    reason = (
        "no calibrated pixel spacing: a radiograph gives ratios and angles, no mm "
        "(magnification)"
    )
    shape = marks.mark_shape(places, up, said, u_deg, float(u.max()))
    rows: list[Measurement | NotMeasured] = []
    if in_mm:
        terms = tuple({"u reader (assumed)": float(x)} for x in u)
        rows += [*height_measurements(heights, said, terms)]
        rows += [*loss_measurements(heights, said), *shape]
    else:
        losses = loss_measurements(heights, said)
        rows += [*losses, shape[0]]
        rows += [said.refused(name, reason) for name in HEIGHT_NAMES]
        rows += [said.refused(row.name, reason) for row in shape[1:]]
    return VertebraReading(
        level=level,
        reading=LesionReading(measurements=tuple(rows), regions=(points,)),
        basis=said.basis,
        method=METHOD,
        heights=heights,
        frame=BodyFrame(
            origin=plain(places.mean(axis=0)),
            left=plain(np.cross(posterior, up)),
            posterior=plain(posterior),
            up=plain(up),
            depth=depth,
            superior=plain(lines[0]),
            inferior=plain(lines[1]),
            u_endplate_deg=u_deg,
        ),
    )
