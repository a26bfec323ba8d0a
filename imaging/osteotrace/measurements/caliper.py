"""The edge-fitted caliper: two rough points in, two sub-voxel edges and a length out.

Each edge is found and fitted on its own, anchored to its own point. The value is the
perpendicular length where both walls are flat and parallel (`PARALLEL_DEG`,
`FLATNESS_MM`), else the length along the line between the fitted edges; the record says
which and keeps both, and the two-point length as drawn. Nine redrawn lines and the
image's own noise give the standard uncertainty; what cannot be measured is refused
with its reason, what is doubtful is flagged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.codes import QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.measurements import edges, noise
from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Detail,
    Measurement,
    Method,
    NotMeasured,
)
from osteotrace.measurements.profiles import Bundle, Line, Sampler, line_between
from osteotrace.regions import Polyline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array
    from osteotrace.measurements.edges import Candidate, Edge
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace caliper", version="1")
AS_DRAWN: Final = "as drawn"
ALONG_LINE: Final = "along the line"
PERPENDICULAR: Final = "perpendicular"

# What lies between the two edges: a gap (walls brighter than it), a structure (darker
# surroundings), or whichever of the two the gradients favour.
Between = Literal["auto", "gap", "structure"]
# What the walls must be: bone is required where a bony gap is measured.
Walls = Literal["any", "bone"]

# Bundle of parallel lines: 5 × 5 over 2 × 2 mm, narrower where a wall is curved.
LINES_A_SIDE: Final = 5
HALF_WIDTH_MM: Final = 1.0
CURVED_HALF_WIDTH_MM: Final = 0.5
SAMPLE_STEP_MM: Final = 0.2
# Image needed beyond each point: the search, and a plateau after it.
BEYOND_MM: Final = edges.SEARCH_MM + edges.PLATEAU_MM + 0.5
LEAST_BEYOND_MM: Final = edges.SEARCH_MM
LEAST_DRAWN_MM: Final = 0.5

# Two walls are flat and parallel when their normals differ by at most this angle, each
# leaves its plane by at most this much across the bundle, and the line meets them at
# no more than this angle.
PARALLEL_DEG: Final = 8.0
FLATNESS_MM: Final = 0.15
OBLIQUE_DEG: Final = 35.0

# Refusals and flags, from repeated readings of real scans.
LEAST_STEP_HU: Final = 150.0
LEAST_STEP_NOISE: Final = 5.0  # MR: multiples of the local noise SD.
FARTHEST_CLICK_MM: Final = 2.5
RIVAL_SHARE: Final = 0.6
SIGMA_RANGE_MM: Final = (0.15, 1.6)
MODEL_DISAGREEMENT_MM: Final = 0.3
SOFT_TISSUE_CEILING_HU: Final = 200.0
BLUR_SHARE: Final = 1.0 / 3.0
THIN_WALL_MM: Final = 1.6
# Below this length two decimals are not defended: u is at least 0.1 mm.
SHORT_MM: Final = 3.0
SHORT_UNCERTAINTY_MM: Final = 0.1

# Redraw gate: nine lines with their ends moved by this much.
REDRAW_MM: Final = 0.7
REDRAW_LIMIT_MM: Final = 0.5
MAD_TO_SD: Final = 1.4826
# An oblique wall turns a point moved across the line into another length: flagged where
# points 1 mm (SD) beside the line would spread the length by more than this, mm.
OBLIQUE_SPREAD_MM: Final = 0.4
# Three-level orthogonal array L9: shifts of the start along u, v and of the end.
REDRAW_PATTERN: Final = (
    (-1, -1, -1, -1),
    (-1, 0, 0, 0),
    (-1, 1, 1, 1),
    (0, -1, 0, 1),
    (0, 0, 1, -1),
    (0, 1, -1, 0),
    (1, -1, 1, 0),
    (1, 0, -1, 1),
    (1, 1, 0, -1),
)

# Terms of the uncertainty besides noise and redraw.
VOXEL_SHARE: Final = 0.02  # of the voxel's extent along the line, on noise-free phantoms
SCALE_SHARE: Final = 0.0005  # of the length: scanner scale, x, y and oblique
THIN_WALL_UNCERTAINTY_MM: Final = 0.1


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fit:
    """Two fitted edges on one line."""

    line: Line
    first: Edge
    second: Edge
    between: Between
    doubts: tuple[str, ...] = ()

    @property
    def length(self) -> float:
        return self.second.t - self.first.t

    @property
    def ends(self) -> tuple[Array, Array]:
        return self.line.point(self.first.t), self.line.point(self.second.t)

    @property
    def normals(self) -> tuple[Array, Array]:
        return self.first.normal(self.line), self.second.normal(self.line)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """The fit along the drawn line, and the perpendicular one where walls allow it."""

    along: _Fit
    across: _Fit | None
    why_not_across: str = ""
    wall_angle_deg: float = field(default=float("nan"))

    @property
    def chosen(self) -> _Fit:
        return self.along if self.across is None else self.across


class _Refusal(Exception):
    """Why a line cannot be measured."""


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
    sampler = Sampler(volume, points, BEYOND_MM + 2 * HALF_WIDTH_MM + 2 * REDRAW_MM)
    try:
        pair = _fit_pair(sampler, volume, points, between)
        return _reading(volume, sampler, pair, drawn, raw, walls=walls, quick=quick)
    except _Refusal as refusal:
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
        source_instances=tuple(
            i.sop_instance_uid for i in volume.slices_between(points)
        ),
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


# --- fitting -------------------------------------------------------------------------


def _fit_pair(
    sampler: Sampler, volume: Volume, points: Array, between: Between
) -> _Pair:
    """Fit the drawn line, then the perpendicular one where the walls allow it."""
    drawn = line_between(points[0], points[1], towards=volume.grid.normal)
    along = _fit_line(sampler, drawn, geometry.distance(*points), between)
    n1, n2 = along.normals
    angle = geometry.angle_deg(n1, n2)
    mean = geometry.unit_vector(n1 + n2)
    oblique = geometry.angle_deg(mean, along.line.direction)
    why = _why_not_perpendicular(along, angle, oblique)
    if why:
        return _Pair(along=along, across=None, why_not_across=why, wall_angle_deg=angle)
    p, q = along.ends
    middle, half = 0.5 * (p + q), 0.5 * abs((q - p) @ mean)
    across_line = line_between(
        middle - half * mean, middle + half * mean, towards=volume.grid.normal
    )
    try:
        across = _fit_line(sampler, across_line, 2 * half, along.between)
    except _Refusal as refusal:
        why = f"the perpendicular line cannot be fitted ({refusal})"
        return _Pair(along=along, across=None, why_not_across=why, wall_angle_deg=angle)
    return _Pair(along=along, across=across, wall_angle_deg=angle)


def _why_not_perpendicular(fit: _Fit, angle: float, oblique: float) -> str:
    bulge = max(fit.first.bulge, fit.second.bulge)
    if angle > PARALLEL_DEG:
        return f"the walls converge by {angle:.0f}°"
    if fit.first.half_width < HALF_WIDTH_MM or bulge > FLATNESS_MM:
        return "a wall is not flat"
    if oblique > OBLIQUE_DEG:
        return f"the line meets the walls at {oblique:.0f}°"
    return ""


def _fit_line(sampler: Sampler, line: Line, length: float, between: Between) -> _Fit:
    fit = _fit_bundle(sampler, line, length, between, HALF_WIDTH_MM)
    if max(fit.first.bulge, fit.second.bulge) <= FLATNESS_MM:
        return fit
    return _fit_bundle(sampler, line, length, fit.between, CURVED_HALF_WIDTH_MM)


def _fit_bundle(
    sampler: Sampler, line: Line, length: float, between: Between, half_width: float
) -> _Fit:
    """Find and fit both edges, each anchored to its own end of the line."""
    reach = (-BEYOND_MM, length + BEYOND_MM)
    bundle = sampler.bundle(line, reach, SAMPLE_STEP_MM, half_width, LINES_A_SIDE)
    if (
        len(bundle.t) == 0
        or bundle.t[0] > -LEAST_BEYOND_MM
        or bundle.t[-1] < length + LEAST_BEYOND_MM
    ):
        raise _Refusal(
            f"the line leaves the volume: {LEAST_BEYOND_MM:g} mm of image are needed "
            "beyond both points"
        )
    near = edges.candidates(bundle, 0.0), edges.candidates(bundle, length)
    chosen, first, second, doubts = _choose(near, length, between)
    fitted = []
    for name, candidate in (("start", first), ("end", second)):
        edge = edges.fit(bundle, candidate)
        if edge is None:
            raise _Refusal(f"no edge can be fitted near the {name} point")
        fitted.append(edge)
    if fitted[1].t - fitted[0].t <= 0:
        raise _Refusal("both points find the same edge")
    return _Fit(
        line=line, first=fitted[0], second=fitted[1], between=chosen, doubts=doubts
    )


def _choose(
    near: tuple[list[Candidate], list[Candidate]], length: float, between: Between
) -> tuple[Between, Candidate, Candidate, tuple[str, ...]]:
    """Choose gap or structure, and the edge of each end."""
    anchors = (0.0, length)
    readings: dict[Between, tuple[float, list[Candidate]]] = {}
    # Along the line a gap starts with a fall and ends with a rise.
    kinds: tuple[tuple[Between, tuple[int, int]], ...] = (
        ("gap", (-1, 1)),
        ("structure", (1, -1)),
    )
    for kind, signs in kinds:
        if between not in ("auto", kind):
            continue
        best: list[Candidate] = []
        for end, anchor, sign in zip(near, anchors, signs, strict=True):
            fitting = [c for c in end if c.slope * sign > 0]
            if fitting:
                best.append(max(fitting, key=lambda c, at=anchor: c.score(at)))  # type: ignore[misc]
        if len(best) == 2:
            weakest = min(best[0].score(0.0), best[1].score(length))
            readings[kind] = (weakest, best)
    if not readings:
        raise _Refusal("no wall on one side of the line")
    order = sorted(readings, key=lambda kind: -readings[kind][0])
    kind = order[0]
    weight, (first, second) = readings[kind]
    doubts = []
    if len(order) > 1 and readings[order[1]][0] >= RIVAL_SHARE * weight:
        doubts.append("both a gap and a structure fit the points: say which is meant")
    for name, end, best_end, anchor in (
        ("start", near[0], first, 0.0),
        ("end", near[1], second, length),
    ):
        rivals = [
            c
            for c in end
            if c is not best_end
            and c.slope * best_end.slope > 0
            and c.score(anchor) >= RIVAL_SHARE * best_end.score(anchor)
        ]
        if rivals:
            doubts.append(f"a rival edge near the {name} point (double cortex?)")
    return kind, first, second, tuple(doubts)


# --- judging -------------------------------------------------------------------------


def _require_walls(volume: Volume, fit: _Fit, anchors: tuple[float, float], sd: float) -> None:
    """Refuse where there is no wall worth the name, or a point lies too far from it."""
    for name, edge, anchor in zip(
        ("start", "end"), (fit.first, fit.second), anchors, strict=True
    ):
        least = (
            LEAST_STEP_HU if volume.identity.modality == "CT" else LEAST_STEP_NOISE * sd
        )
        if not edge.step >= least:
            raise _Refusal(
                f"no wall near the {name} point: the step is {edge.step:.0f}, "
                f"at least {least:.0f} is needed"
            )
        if abs(edge.t - anchor) > FARTHEST_CLICK_MM:
            raise _Refusal(
                f"the {name} point lies {abs(edge.t - anchor):.1f} mm from the nearest "
                f"edge, at most {FARTHEST_CLICK_MM} mm are allowed"
            )


def _doubts(volume: Volume, fit: _Fit, walls: Walls) -> Iterator[str]:
    for name, edge in (("start", fit.first), ("end", fit.second)):
        if not SIGMA_RANGE_MM[0] <= edge.sigma <= SIGMA_RANGE_MM[1]:
            yield f"the {name} edge is blurred by {edge.sigma:.2f} mm"
        if not abs(edge.half_maximum - edge.t) <= MODEL_DISAGREEMENT_MM:
            yield f"half maximum and fit disagree at the {name} edge"
    if volume.identity.modality == "CT" and fit.between == "gap":
        outer = (fit.first.before, fit.second.after)
        soft = [value < SOFT_TISSUE_CEILING_HU for value in outer]
        if any(soft) and (walls == "bone" or not all(soft)):
            yield "air to soft tissue: a wall is soft tissue, not bone"
    # v lies in the slices, where readers place points; the redraw gate covers u.
    oblique = float(np.hypot(fit.first.slopes[1], fit.second.slopes[1]))
    if oblique > OBLIQUE_SPREAD_MM:
        yield (
            "the line meets a wall obliquely: 1 mm beside it reads "
            f"{oblique:.1f} mm different"
        )
    grid = volume.grid
    blur = abs(fit.line.direction @ grid.normal) * grid.spacing[0]
    if blur > BLUR_SHARE * fit.length:
        yield "the slice thickness blurs over a third of the length"


def _thin_walls(fit: _Fit) -> bool:
    outer = (fit.first.t - fit.first.window[0], fit.second.window[1] - fit.second.t)
    return bool(fit.between == "gap" and min(outer) < THIN_WALL_MM)


# --- uncertainty ---------------------------------------------------------------------


def _redraws(
    sampler: Sampler, volume: Volume, pair: _Pair, drawn: Polyline
) -> list[float]:
    """Return the lengths from nine lines with moved ends; failures are left out."""
    points = np.array(drawn.points)
    line = line_between(points[0], points[1], towards=volume.grid.normal)
    lengths = []
    for shift in REDRAW_PATTERN:
        su, sv, eu, ev = REDRAW_MM * np.array(shift)
        moved = points + np.array([su * line.u + sv * line.v, eu * line.u + ev * line.v])
        try:
            again = _fit_pair(sampler, volume, moved, pair.along.between)
        except _Refusal:
            continue
        if pair.across is None:
            lengths.append(again.along.length)
        elif again.across is not None:
            lengths.append(again.across.length)
    return lengths


def _spread(lengths: list[float]) -> float:
    middle = np.median(lengths)
    return MAD_TO_SD * float(np.median(np.abs(np.array(lengths) - middle)))


def _seed(drawn: Polyline) -> int:
    text = repr((drawn.points, drawn.frame_of_reference_uid)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _noise_uncertainty(
    volume: Volume, blocks: noise.NoiseField, fit: _Fit, seed: int
) -> float:
    parts = []
    for k, edge in enumerate((fit.first, fit.second)):
        u = float("nan")
        if len(blocks.centres):
            u = noise.transplant(volume, blocks, fit.line, edge, seed + k)
        parts.append(u if np.isfinite(u) else noise.white_noise(edge))
    return float(np.hypot(*parts))


def _voxel_extent(volume: Volume, direction: Array) -> float:
    grid = volume.grid
    frame = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    return float(np.linalg.norm(frame @ direction * grid.spacing))


# --- the record ----------------------------------------------------------------------


def _reading(
    volume: Volume,
    sampler: Sampler,
    pair: _Pair,
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
        blocks = noise.homogeneous_blocks(
            volume, centre, floor=floor, residual=residual
        )
    sd = residual if blocks is None or not len(blocks.centres) else (
        blocks.standard_deviation
    )
    _require_walls(volume, along, (0.0, raw.value), sd)
    flags = list(dict.fromkeys([*along.doubts, *_doubts(volume, pair.chosen, walls)]))
    budget: list[Detail] = []
    if not quick and blocks is not None:
        lengths = _redraws(sampler, volume, pair, drawn)
        flags += _redraw_flags(pair.chosen.length, lengths)
        budget = _budget(volume, pair, blocks, lengths, _seed(drawn))
    return _record(volume, pair, drawn, raw, tuple(flags), budget)


def _redraw_flags(length: float, lengths: list[float]) -> list[str]:
    if len(lengths) * 2 < len(REDRAW_PATTERN):
        return [f"only {len(lengths)} of {len(REDRAW_PATTERN)} redrawn lines fit"]
    if _spread(lengths) > REDRAW_LIMIT_MM:
        return [
            f"redrawn lines spread by {_spread(lengths):.2f} mm "
            f"(limit {REDRAW_LIMIT_MM} mm)"
        ]
    # The line that was drawn can itself be the odd one out.
    if abs(length - float(np.median(lengths))) > REDRAW_LIMIT_MM:
        return [f"redrawn lines read {np.median(lengths):.2f} mm instead"]
    return []


def _budget(
    volume: Volume, pair: _Pair, blocks: noise.NoiseField, lengths: list[float], seed: int
) -> list[Detail]:
    """Return the terms of the standard uncertainty, mm."""
    fit = pair.chosen
    u_noise = _noise_uncertainty(volume, blocks, fit, seed)
    spread = _spread(lengths) if len(lengths) > 2 else 0.0
    # Redrawn lines see other noise too: only what noise does not explain is the reader.
    u_reader = float(np.sqrt(max(0.0, spread**2 - u_noise**2)))
    u_definition = THIN_WALL_UNCERTAINTY_MM if _thin_walls(fit) else 0.0
    terms = {
        "u edge noise": u_noise,
        "u reader": u_reader,
        "u definition": u_definition,
        "u voxel": VOXEL_SHARE * _voxel_extent(volume, fit.line.direction),
        "u scale": SCALE_SHARE * fit.length,
    }
    return [Detail(name, float(value), "mm") for name, value in terms.items()]


def _record(
    volume: Volume,
    pair: _Pair,
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
        details=(*chosen[0].details, *_wall_details(pair)),
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
    fit: _Fit,
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


def _wall_details(pair: _Pair) -> Iterator[Detail]:
    fit = pair.chosen
    yield Detail("angle between walls", pair.wall_angle_deg, "deg")
    for name, edge in (("start", fit.first), ("end", fit.second)):
        yield Detail(f"{name} edge blur", edge.sigma, "mm")
        yield Detail(f"{name} edge step", edge.step, "1")
