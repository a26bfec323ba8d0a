"""The edge-fitted caliper: two rough points in, two sub-voxel edges and a length out.

The value is the perpendicular length where both walls are flat and parallel, else the
length along the line between the two fitted edges; the record says which and keeps both,
and the two-point length as drawn. What cannot be measured is refused with its reason,
what is doubtful is flagged. `edge_pairs` fits, `doubts` judges, `uncertainty` weighs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.codes import QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.measurements import doubts, noise, uncertainty
from osteotrace.measurements.edge_pairs import (
    BEYOND_MM,
    HALF_WIDTH_MM,
    Between,
    CannotFit,
    EdgePair,
    GapFit,
    fit_gap,
)
from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Detail,
    Measurement,
    Method,
    NotMeasured,
)
from osteotrace.measurements.profiles import Sampler
from osteotrace.regions import Polyline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array
    from osteotrace.measurements.doubts import Walls
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace caliper", version="1")
AS_DRAWN: Final = "as drawn"
ALONG_LINE: Final = "along the line"
PERPENDICULAR: Final = "perpendicular"

LEAST_DRAWN_MM: Final = 0.5
# Below this length two decimals are not defended: u is at least 0.1 mm.
SHORT_MM: Final = 3.0
SHORT_UNCERTAINTY_MM: Final = 0.1


class CaliperReading(msgspec.Struct, frozen=True, kw_only=True):
    """What one caliper gives.

    Parameters
    ----------
    measurements : tuple
        The value first (quantity ``distance``), then the length along the line, the
        perpendicular length and the length as drawn.
    drawn : Polyline
        The two points as drawn.
    fitted : Polyline or None
        The two edge points whose distance is the value; None where there is none.
    other : Polyline or None
        The edge points of the length that was not chosen as the value.
    """

    measurements: tuple[Measurement | NotMeasured, ...]
    drawn: Polyline
    fitted: Polyline | None = None
    other: Polyline | None = None

    @property
    def value(self) -> Measurement | NotMeasured:
        """The reading's value, or why there is none."""
        return self.measurements[0]

    @property
    def regions(self) -> tuple[Polyline, ...]:
        """The lines of the reading: the value's own first, as drawn last."""
        lines = (self.fitted, self.other, self.drawn)
        return tuple(line for line in lines if line is not None)


def measure(
    volume: Volume,
    start: ArrayLike,
    end: ArrayLike,
    *,
    snap: bool = True,
    quick: bool = False,
    between: Between = "auto",
    walls: Walls = "any",
) -> CaliperReading:
    """Measure the distance between two edges near two rough points.

    Parameters
    ----------
    volume : Volume
        CT or MR.
    start, end : (3,) array
        Rough points, patient LPS mm.
    snap : bool
        False keeps the points as drawn; the value is then the two-point length.
    quick : bool
        Leave the uncertainty and the redraw gate out, for a live value under the mouse.
    between : {"auto", "gap", "structure"}
        What lies between the edges.
    walls : {"any", "bone"}
        With ``"bone"``, a CT gap with a soft-tissue wall is flagged.

    Returns
    -------
    CaliperReading

    Raises
    ------
    OsteotraceError
        If a point lies outside the volume, or the points coincide.
    """
    a, b = _checked(volume, start, end)
    drawn = _polyline(volume, AS_DRAWN, a, b)
    raw = _raw_length(drawn)
    if not snap:
        value = msgspec.structs.replace(raw, name="distance", code=QUANTITIES["distance"])
        return CaliperReading(measurements=(value, raw), drawn=drawn)
    points = np.array([a, b])
    sampler = Sampler(
        volume, points, BEYOND_MM + 2 * HALF_WIDTH_MM + 2 * uncertainty.REDRAW_MM
    )
    try:
        pair = fit_gap(sampler, volume, points, between)
        return _reading(volume, sampler, pair, drawn, raw, walls=walls, quick=quick)
    except CannotFit as refusal:
        refused = NotMeasured(
            name="distance",
            code=QUANTITIES["distance"],
            reason=str(refusal),
            method=METHOD,
            sources=drawn.source_instances,
        )
        return CaliperReading(measurements=(refused, raw), drawn=drawn)


def _checked(
    volume: Volume, start: ArrayLike, end: ArrayLike
) -> tuple[geometry.Array, geometry.Array]:
    points = []
    for name, point in (("start", start), ("end", end)):
        array = np.asarray(point, dtype=np.float64)
        if array.shape != (3,) or not np.isfinite(array).all():
            raise OsteotraceError(
                f"the {name} point {np.asarray(point).tolist()}",
                expected="three finite numbers: x, y, z in patient LPS mm",
                advice="correct the point",
                usage=True,
            )
        stored = np.array(geometry.as_stored(array))
        if not volume.grid.contains(stored):
            raise _outside(volume, name, stored)
        points.append(stored)
    if geometry.distance(*points) < LEAST_DRAWN_MM:
        raise OsteotraceError(
            f"two points {geometry.distance(*points):.2f} mm apart",
            expected=f"points at least {LEAST_DRAWN_MM} mm apart",
            advice="mark the two edges of the gap",
            usage=True,
        )
    return points[0], points[1]


def _outside(volume: Volume, name: str, point: Array) -> OsteotraceError:
    corners = volume.grid.corners()
    ranges = ", ".join(
        f"{axis} {low:.1f} to {high:.1f}"
        for axis, low, high in zip(
            "xyz", corners.min(axis=0), corners.max(axis=0), strict=True
        )
    )
    x, y, z = point
    return OsteotraceError(
        f"the {name} point ({x:.2f}, {y:.2f}, {z:.2f}) outside the volume",
        expected=f"a point in patient LPS mm inside it ({ranges})",
        advice="check the sign of x and y (LPS, not RAS) and that the point belongs to "
        "this series' frame of reference",
        usage=True,
    )


def _polyline(volume: Volume, role: str, a: ArrayLike, b: ArrayLike) -> Polyline:
    points = (geometry.as_stored(a), geometry.as_stored(b))
    return Polyline(
        role=role,
        points=points,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(i.sop_instance_uid for i in volume.slices_between(points)),
    )


def _raw_length(drawn: Polyline) -> Measurement:
    return Measurement(
        name="length_as_drawn",
        code=QUANTITIES["length_as_drawn"],
        value=geometry.distance(*drawn.points),
        unit="mm",
        method=METHOD,
        sources=drawn.source_instances,
        uncertainty_reason="the points are as drawn, not fitted to the image",
        region=AS_DRAWN,
        definition="distance between the two points as drawn",
    )


def _reading(
    volume: Volume,
    sampler: Sampler,
    pair: GapFit,
    drawn: Polyline,
    raw: Measurement,
    *,
    walls: Walls,
    quick: bool,
) -> CaliperReading:
    along = pair.along
    darkest = min(along.first.before, along.first.after)
    floor = darkest + noise.TISSUE_SHARE * min(along.first.step, along.second.step)
    needs_noise = not quick or volume.identity.modality != "CT"
    centre = np.mean(drawn.points, axis=0)
    residual = max(along.first.residual, along.second.residual)
    blocks = None
    if needs_noise:
        blocks = noise.homogeneous_blocks(volume, centre, floor=floor, residual=residual)
    sd = (
        residual
        if blocks is None or not len(blocks.centres)
        else (blocks.standard_deviation)
    )
    doubts.require_walls(volume, along, (0.0, raw.value), sd)
    flags = list(
        dict.fromkeys([*along.doubts, *doubts.image_doubts(volume, pair.chosen, walls)])
    )
    terms: list[Detail] = []
    if not quick and blocks is not None:
        lengths = uncertainty.redrawn_lengths(sampler, volume, pair, drawn)
        flags += doubts.redraw_doubts(
            pair.chosen.length, lengths, len(uncertainty.REDRAW_PATTERN)
        )
        terms = uncertainty.budget(volume, pair, blocks, lengths, drawn)
    return _record(volume, pair, drawn, raw, tuple(flags), terms)


def _record(
    volume: Volume,
    pair: GapFit,
    drawn: Polyline,
    raw: Measurement,
    flags: tuple[str, ...],
    budget: list[Detail],
) -> CaliperReading:
    along = _length(volume, "length_along_line", ALONG_LINE, pair.along, flags, budget)
    if pair.across is not None:
        across = _length(
            volume, "length_perpendicular", PERPENDICULAR, pair.across, flags, budget
        )
        chosen, other = across, along
    else:
        chosen, other = along, None
    value = msgspec.structs.replace(
        chosen[0],
        name="distance",
        code=QUANTITIES["distance"],
        details=(*chosen[0].details, *_wall_details(pair, volume.unit)),
    )
    perpendicular: Measurement | NotMeasured = (
        across[0]
        if pair.across is not None
        else NotMeasured(
            name="length_perpendicular",
            code=QUANTITIES["length_perpendicular"],
            reason=pair.why_not_across,
            method=METHOD,
            sources=along[0].sources,
        )
    )
    return CaliperReading(
        measurements=(value, along[0], perpendicular, raw),
        drawn=drawn,
        fitted=chosen[1],
        other=None if other is None else other[1],
    )


def _length(
    volume: Volume,
    name: str,
    role: str,
    fit: EdgePair,
    flags: tuple[str, ...],
    budget: list[Detail],
) -> tuple[Measurement, Polyline]:
    line = _polyline(volume, role, *fit.ends)
    # Measured between the stored points, so that a record gives the length back.
    value = geometry.distance(*line.points)
    u = float(np.sqrt(sum(term.value**2 for term in budget))) if budget else None
    if u is not None and value < SHORT_MM:
        u = max(u, SHORT_UNCERTAINTY_MM)
    measurement = Measurement(
        name=name,
        code=QUANTITIES[name],
        value=value,
        unit="mm",
        method=METHOD,
        sources=line.source_instances,
        uncertainty=u,
        uncertainty_reason="" if u is not None else "live value",
        interval95=None
        if u is None
        else (value - COVERAGE_FACTOR_95 * u, value + COVERAGE_FACTOR_95 * u),
        region=role,
        definition=_definition(role, fit.between),
        flags=flags,
        details=tuple(budget),
    )
    return measurement, line


def _definition(role: str, between: Between) -> str:
    what = "gap between two walls" if between == "gap" else "structure"
    how = (
        "perpendicular distance between planes fitted to both edges (walls flat and "
        "parallel)"
        if role == PERPENDICULAR
        else "distance between the two fitted edges along the drawn line"
    )
    return f"{what}: {how}; error-function edges with free local plateaus"


def _wall_details(pair: GapFit, unit: str) -> Iterator[Detail]:
    fit = pair.chosen
    yield Detail("angle between walls", pair.wall_angle_deg, "deg")
    for name, edge in (("start", fit.first), ("end", fit.second)):
        yield Detail(f"{name} edge blur", edge.sigma, "mm")
        yield Detail(f"{name} edge step", edge.step, unit)
