"""The edge-fitted caliper: two rough points in, two sub-voxel edges and a length out.

The value is the perpendicular length where both walls are flat and parallel, else the
length along the line between the two fitted edges; the record says which and keeps both,
and the two-point length as drawn. What cannot be measured is refused with its reason,
what is doubtful is flagged, and so is what was done to the voxels (`Volume.notes`):
no number leaves that behind. `edge_pairs` fits, `doubts` judges, `uncertainty` weighs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.codes import QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.measurements import doubts, noise, uncertainty
from osteotrace.measurements.doubts import Walls
from osteotrace.measurements.edge_pairs import (
    BEYOND_MM,
    HALF_WIDTH_MM,
    OBLIQUE_DEG,
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
from osteotrace.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace caliper", version="1")
AS_DRAWN: Final = "as drawn"
ALONG_LINE: Final = "along the line"
PERPENDICULAR: Final = "perpendicular"

# What a definition says of what lies between the edges.
_GAP: Final = "gap between two walls"
_STRUCTURE: Final = "structure"

# Why a value under the mouse has no uncertainty yet.
LIVE: Final = "live value"

LEAST_DRAWN_MM: Final = 0.5


class CaliperReading(Shown, msgspec.Struct, frozen=True, kw_only=True):
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

    def __getitem__(self, name: str) -> Measurement | NotMeasured:
        """Return the measurement of a quantity by its name; KeyError without one."""
        for reading in self.measurements:
            if reading.name == name:
                return reading
        raise KeyError(name)

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
        If a point lies outside the volume, the points coincide, or a choice is not
        one of those above.
    """
    _check_choice("between", between, get_args(Between))
    _check_choice("walls", walls, get_args(Walls))
    a, b = _checked(volume, start, end)
    drawn = _polyline(volume, AS_DRAWN, a, b)
    raw = _raw_length(volume, drawn)
    if not snap:
        value = msgspec.structs.replace(raw, name="distance", code=QUANTITIES["distance"])
        return CaliperReading(measurements=(value, raw), drawn=drawn)
    points = np.array([a, b])
    sampler = Sampler(volume, points, _margin(raw.value))
    try:
        fit = fit_gap(sampler, volume, points, between)
        return _reading(volume, sampler, fit, drawn, raw, walls=walls, quick=quick)
    except CannotFit as refusal:
        refused = NotMeasured(
            name="distance",
            code=QUANTITIES["distance"],
            reason=str(refusal),
            method=METHOD,
            sources=drawn.source_instances,
        )
        return CaliperReading(measurements=(refused, raw), drawn=drawn)


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OsteotraceError(
            f"{name}={value!r}",
            expected="one of " + ", ".join(known),
            advice=f"correct {name}",
            usage=True,
        )


def _margin(length: float) -> float:
    """Return the mm of image that all lines around a drawn one may touch."""
    # The perpendicular line swings about the gap's middle.
    swing = 0.5 * length * float(np.sin(np.radians(OBLIQUE_DEG)))
    return BEYOND_MM + 2 * HALF_WIDTH_MM + 2 * uncertainty.REDRAW_MM + swing


def _checked(
    volume: Volume, start: ArrayLike, end: ArrayLike
) -> tuple[geometry.Array, geometry.Array]:
    points = []
    for name, point in (("start", start), ("end", end)):
        points.append(point_in(volume, name, point))
    if geometry.distance(*points) < LEAST_DRAWN_MM:
        raise OsteotraceError(
            f"two points {geometry.distance(*points):.2f} mm apart",
            expected=f"points at least {LEAST_DRAWN_MM} mm apart",
            advice="mark the two edges of the gap",
            usage=True,
        )
    return points[0], points[1]


def point_in(volume: Volume, name: str, point: ArrayLike) -> Array:
    """Return a point as it is stored, (3,) float64.

    Parameters
    ----------
    volume : Volume
    name : str
        What the point is called in the message of a refusal.
    point : (3,) array
        Patient LPS mm.

    Raises
    ------
    OsteotraceError
        If it is no point, or lies outside the volume.
    """
    stored = _stored(name, point)
    if not volume.grid.contains(stored):
        raise _outside(volume, name, stored)
    return stored


def _stored(name: str, point: ArrayLike) -> Array:
    try:
        array = np.asarray(point, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape == (3,) and (np.abs(array) < np.finfo(np.float32).max).all():
        return np.array(geometry.as_stored(array))
    raise OsteotraceError(
        f"the {name} point {np.asarray(point).tolist()}",
        expected="three finite numbers: x, y, z in patient LPS mm",
        advice="correct the point",
        usage=True,
    )


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
        source_instances=tuple(image.source for image in volume.slices_between(points)),
    )


def _raw_length(volume: Volume, drawn: Polyline) -> Measurement:
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
        flags=(
            *doubts.gap_doubts(volume.grid, np.array(drawn.points)),
            *volume.notes,
        ),
    )


def _reading(
    volume: Volume,
    sampler: Sampler,
    fit: GapFit,
    drawn: Polyline,
    raw: Measurement,
    *,
    walls: Walls,
    quick: bool,
) -> CaliperReading:
    """Judge a fit, weigh its uncertainty and write it down."""
    residual = max(fit.along.first.residual, fit.along.second.residual)
    blocks = noise.NOTHING
    if not quick:
        plateaus = [p for e in fit.along.edges for p in (e.before, e.after)]
        blocks = noise.homogeneous_blocks(
            volume,
            np.mean(drawn.points, axis=0),
            floor=noise.tissue_floor(volume.unit, plateaus),
            residual=residual,
        )
    noise_sd = blocks.standard_deviation if len(blocks.centres) else residual
    doubts.require_walls(volume, fit.along, noise_sd)
    doubts.require_near(fit.along, raw.value)
    flags = [*fit.along.doubts, *doubts.image_doubts(volume, fit.chosen, walls)]
    if fit.across is not None:
        doubts.require_walls(volume, fit.across, noise_sd)
    budgets: dict[str, tuple[Detail, ...]] = {}
    if not quick:
        redrawn = uncertainty.redrawn_lengths(sampler, volume, fit, drawn)
        lengths = redrawn.like(fit.chosen, fit)
        count = len(uncertainty.REDRAW_PATTERN)
        flags += doubts.redraw_doubts(fit.chosen.length, lengths, count)
        for role, pair in _pairs(fit):
            same = redrawn.like(pair, fit)
            budgets[role] = uncertainty.budget(volume, pair, blocks, same, drawn)
    told = tuple(dict.fromkeys([*flags, *volume.notes]))
    return _record(volume, fit, drawn, raw, told, budgets)


def _pairs(fit: GapFit) -> Iterator[tuple[str, EdgePair]]:
    yield ALONG_LINE, fit.along
    if fit.across is not None:
        yield PERPENDICULAR, fit.across


def _record(
    volume: Volume,
    fit: GapFit,
    drawn: Polyline,
    raw: Measurement,
    flags: tuple[str, ...],
    budgets: dict[str, tuple[Detail, ...]],
) -> CaliperReading:
    lengths = {
        role: _length(volume, role, pair, flags, budgets.get(role, ()))
        for role, pair in _pairs(fit)
    }
    along, _ = lengths[ALONG_LINE]
    chosen, fitted = lengths.get(PERPENDICULAR, lengths[ALONG_LINE])
    value = msgspec.structs.replace(
        chosen,
        name="distance",
        code=QUANTITIES["distance"],
        details=(*chosen.details, *_wall_details(fit, volume.unit)),
    )
    perpendicular: Measurement | NotMeasured = NotMeasured(
        name="length_perpendicular",
        code=QUANTITIES["length_perpendicular"],
        reason=fit.why_not_across,
        method=METHOD,
        sources=along.sources,
    )
    if fit.across is not None:
        perpendicular = chosen
    return CaliperReading(
        measurements=(value, along, perpendicular, raw),
        drawn=drawn,
        fitted=fitted,
        other=None if fit.across is None else lengths[ALONG_LINE][1],
    )


def _length(
    volume: Volume,
    role: str,
    pair: EdgePair,
    flags: tuple[str, ...],
    budget: tuple[Detail, ...],
) -> tuple[Measurement, Polyline]:
    line = _polyline(volume, role, *pair.ends)
    # Measured between the stored points, so that a record gives the length back.
    value = geometry.distance(*line.points)
    name = "length_perpendicular" if role == PERPENDICULAR else "length_along_line"
    measurement = Measurement(
        name=name,
        code=QUANTITIES[name],
        value=value,
        unit="mm",
        method=METHOD,
        sources=line.source_instances,
        uncertainty_reason=LIVE,
        region=role,
        definition=_definition(role, pair.between),
        flags=flags,
        details=budget,
    )
    if budget:
        u = float(np.sqrt(sum(term.value**2 for term in budget)))
        interval = value - COVERAGE_FACTOR_95 * u, value + COVERAGE_FACTOR_95 * u
        measurement = msgspec.structs.replace(
            measurement, uncertainty=u, uncertainty_reason="", interval95=interval
        )
    return measurement, line


def choices_of(value: Measurement | NotMeasured) -> tuple[Between, Walls]:
    """Return what a caliper was asked for, as far as its value says it.

    Parameters
    ----------
    value : Measurement or NotMeasured
        Of `measure`, perhaps under the name of another length.

    Returns
    -------
    between, walls : str
        As in `measure`; what the value does not tell is as where nothing is asked for.
    """
    if isinstance(value, NotMeasured):
        return "auto", "any"
    walls: Walls = "bone" if doubts.SOFT_WALL in value.flags else "any"
    what = value.definition.partition(":")[0]
    return (
        "gap" if what == _GAP else "structure" if what == _STRUCTURE else "auto"
    ), walls


def _definition(role: str, between: Between) -> str:
    what = _GAP if between == "gap" else _STRUCTURE
    how = (
        "perpendicular distance between planes fitted to both edges (walls flat and "
        "parallel)"
        if role == PERPENDICULAR
        else "distance between the two fitted edges along the drawn line"
    )
    return f"{what}: {how}; error-function edges with free local plateaus"


def _wall_details(fit: GapFit, unit: str) -> Iterator[Detail]:
    yield Detail("angle between walls", fit.wall_angle_deg, "deg")
    for name, edge in zip(("start", "end"), fit.chosen.edges, strict=True):
        yield Detail(f"{name} edge blur", edge.sigma, "mm")
        yield Detail(f"{name} edge step", edge.step, unit)
