"""Two edges on one line: found, fitted, and turned perpendicular where walls allow it.

Each edge is anchored to its own end of the line. Where both walls are flat and parallel
the line is laid again, perpendicular to them through the middle of the gap. What cannot
be fitted raises `CannotFit` with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from osteotrace import geometry
from osteotrace.measurements import edges
from osteotrace.measurements.profiles import Line, Sampler, line_between

if TYPE_CHECKING:
    from osteotrace.geometry import Array, Grid
    from osteotrace.measurements.edges import Candidate, Edge
    from osteotrace.volume import Volume

# What lies between the two edges: a gap (walls brighter than it), a structure (darker
# surroundings), or whichever of the two the gradients favour.
Between = Literal["auto", "gap", "structure"]

# Bundle of parallel lines: 5 × 5 over 2 × 2 mm, narrower where a wall is curved.
LINES_A_SIDE: Final = 5
HALF_WIDTH_MM: Final = 1.0
CURVED_HALF_WIDTH_MM: Final = 0.5
SAMPLE_STEP_MM: Final = 0.2
# Image wanted beyond each point (the search, and a plateau after it), and needed.
BEYOND_MM: Final = edges.SEARCH_MM + edges.PLATEAU_MM + 0.5
LEAST_BEYOND_MM: Final = edges.SEARCH_MM

# Two walls are flat and parallel when their normals differ by at most this angle, each
# leaves its plane by at most this much across the bundle, and the line meets them at
# no more than this angle.
PARALLEL_DEG: Final = 8.0
FLATNESS_MM: Final = 0.15
OBLIQUE_DEG: Final = 35.0

# The perpendicular length and the projected one agree to this, mm, on the same edges.
OTHER_EDGES_MM: Final = 0.5

# The wide and the narrow bundle see the same edge within this distance, mm.
SAME_EDGE_MM: Final = 0.5

# A wall counts as curved from this mean curvature on (1/mm: a cylinder of 6 mm radius)
# and this many times its spread: flat walls stay below, under correlated noise too. The
# bundle must see two voxels of no more than this, mm.
LEAST_CURVATURE: Final = 0.08
LEAST_SPREADS: Final = 6.0
WIDEST_VOXEL_MM: Final = 1.05

# Another edge with this share of the chosen one's weighted gradient is a rival.
RIVAL_SHARE: Final = 0.6


class CannotFit(Exception):
    """Why a line cannot be measured."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdgePair:
    """Two fitted edges on one line.

    Parameters
    ----------
    line : Line
    first, second : Edge
        Near the line's start and end.
    between : {"gap", "structure"}
        What lies between them.
    doubts : tuple of str
        Other edges that fit nearly as well.
    """

    line: Line
    first: Edge
    second: Edge
    between: Between
    doubts: tuple[str, ...] = ()

    @property
    def length(self) -> float:
        """Distance between the edges along the line, mm."""
        return self.second.t - self.first.t

    @property
    def edges(self) -> tuple[Edge, Edge]:
        """Both edges, the one near the start first."""
        return self.first, self.second

    @property
    def ends(self) -> tuple[Array, Array]:
        """The two edge points, LPS mm."""
        return self.line.point(self.first.t), self.line.point(self.second.t)

    @property
    def sampled_corners(self) -> Array:
        """The (8, 3) LPS mm corners of the image that both fits used."""
        reach = self.first.window[0], self.second.window[1]
        half = max(edge.half_width for edge in self.edges)
        return np.array(
            [
                self.line.point(t) + half * (i * self.line.u + j * self.line.v)
                for t in reach
                for i in (-1, 1)
                for j in (-1, 1)
            ]
        )

    @property
    def normals(self) -> tuple[Array, Array]:
        """Unit normals of the two walls, LPS, pointing along the line."""
        return self.first.normal(self.line), self.second.normal(self.line)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GapFit:
    """The edges along the drawn line, and perpendicular to the walls where that holds.

    Parameters
    ----------
    along : EdgePair
    across : EdgePair or None
        On the line perpendicular to both walls.
    why_not_across : str
        Why there is none.
    wall_angle_deg : float
        Angle between the normals of the walls.
    """

    along: EdgePair
    across: EdgePair | None
    why_not_across: str = ""
    wall_angle_deg: float

    @property
    def chosen(self) -> EdgePair:
        """The pair whose length is the value."""
        return self.along if self.across is None else self.across


def fit_gap(sampler: Sampler, volume: Volume, points: Array, between: Between) -> GapFit:
    """Fit the drawn line, then the perpendicular one where the walls allow it.

    Parameters
    ----------
    sampler : Sampler
        A window of the volume that holds the line and `BEYOND_MM` around it.
    volume : Volume
    points : (2, 3) float64
        Rough points, LPS mm.
    between : {"auto", "gap", "structure"}

    Raises
    ------
    CannotFit
        With the reason.
    """
    drawn = line_between(points[0], points[1], towards=volume.grid.normal)
    along = _fit_line(sampler, drawn, geometry.distance(*points), between, volume.grid)
    n1, n2 = along.normals
    angle = geometry.angle_deg(n1, n2)
    mean = geometry.unit_vector(n1 + n2)
    oblique = geometry.angle_deg(mean, along.line.direction)
    why = _why_not_perpendicular(along, angle, oblique)
    if why:
        return GapFit(along=along, across=None, why_not_across=why, wall_angle_deg=angle)
    p, q = along.ends
    middle, half = 0.5 * (p + q), 0.5 * abs(float((q - p) @ mean))
    across_line = line_between(
        middle - half * mean, middle + half * mean, towards=volume.grid.normal
    )
    try:
        across = _fit_line(sampler, across_line, 2 * half, along.between, volume.grid)
        if abs(across.length - 2 * half) > OTHER_EDGES_MM:
            raise CannotFit("it finds other edges")
    except CannotFit as refusal:
        why = f"the perpendicular line cannot be fitted: {refusal}"
        return GapFit(along=along, across=None, why_not_across=why, wall_angle_deg=angle)
    return GapFit(along=along, across=across, wall_angle_deg=angle)


def _why_not_perpendicular(fit: EdgePair, angle: float, oblique: float) -> str:
    bulge = max(fit.first.bulge, fit.second.bulge)
    if angle > PARALLEL_DEG:
        return f"the walls converge by {angle:.0f}°"
    if fit.first.half_width < HALF_WIDTH_MM or bulge > FLATNESS_MM:
        return "a wall is not flat"
    if oblique > OBLIQUE_DEG:
        return f"the line meets the walls at {oblique:.0f}°"
    return ""


def _fit_line(
    sampler: Sampler, line: Line, length: float, between: Between, grid: Grid
) -> EdgePair:
    fit = _fit_bundle(sampler, line, length, between, HALF_WIDTH_MM)
    if max(fit.first.bulge, fit.second.bulge) <= FLATNESS_MM:
        return _uncurved(fit, fit, grid)
    narrow = _fit_bundle(sampler, line, length, fit.between, CURVED_HALF_WIDTH_MM)
    # The choice of gap or structure was made on the wide bundle: so are its doubts.
    doubts = tuple(dict.fromkeys([*fit.doubts, *narrow.doubts]))
    return _uncurved(replace(narrow, doubts=doubts), fit, grid)


def _uncurved(fit: EdgePair, wide: EdgePair, grid: Grid) -> EdgePair:
    """Return both edges where curved walls lie; the wide bundle knows the curvature."""
    moved = [
        edge.uncurved(seen.curvature)
        if abs(edge.t - seen.t) < SAME_EDGE_MM and _surely_curved(seen, wide.line, grid)
        else edge
        for edge, seen in zip(fit.edges, wide.edges, strict=True)
    ]
    return replace(fit, first=moved[0], second=moved[1])


def _surely_curved(edge: Edge, line: Line, grid: Grid) -> bool:
    """Tell whether the voxels show that a wall is curved."""
    frame = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    voxels = [np.linalg.norm(frame @ side * grid.spacing) for side in (line.u, line.v)]
    if max(voxels) > WIDEST_VOXEL_MM:
        return False
    # Lines nearer to each other than voxels are say the same thing.
    apart = 2 * edge.half_width / (edge.lines_a_side - 1)
    repeats = np.prod(np.maximum(np.array(voxels) / apart, 1.0))
    sure = LEAST_SPREADS * edge.curvature_spread * float(np.sqrt(repeats))
    return abs(edge.curvature) > max(LEAST_CURVATURE, sure)


def _fit_bundle(
    sampler: Sampler, line: Line, length: float, between: Between, half_width: float
) -> EdgePair:
    """Find and fit both edges, each anchored to its own end of the line."""
    reach = (-BEYOND_MM, length + BEYOND_MM)
    bundle = sampler.bundle(line, reach, SAMPLE_STEP_MM, half_width, LINES_A_SIDE)
    if len(bundle.t) == 0:
        raise CannotFit(f"the line runs within {half_width:g} mm of the volume's border")
    if bundle.t[0] > -LEAST_BEYOND_MM or bundle.t[-1] < length + LEAST_BEYOND_MM:
        raise CannotFit(
            f"the line leaves the volume: {LEAST_BEYOND_MM:g} mm of image are needed "
            "beyond both points"
        )
    ends = (
        _End("start", 0.0, edges.candidates(bundle, 0.0)),
        _End("end", length, edges.candidates(bundle, length)),
    )
    chosen, first, second, doubts = _choose(ends, between)
    fitted = []
    for name, candidate in (("start", first), ("end", second)):
        edge = edges.fit(bundle, candidate)
        if edge is None:
            raise CannotFit(f"no edge can be fitted near the {name} point")
        fitted.append(edge)
    if fitted[1].t - fitted[0].t <= 0:
        raise CannotFit("both points find the same edge")
    return EdgePair(
        line=line, first=fitted[0], second=fitted[1], between=chosen, doubts=doubts
    )


@dataclass(frozen=True, slots=True)
class _End:
    """One end of the line with the edges near it."""

    name: str
    anchor: float
    found: list[Candidate]

    def best(self, sign: int) -> Candidate | None:
        """Return the edge of this sign that weighs most."""
        fitting = [c for c in self.found if c.slope * sign > 0]
        return max(fitting, key=self.weight, default=None)

    def weight(self, candidate: Candidate) -> float:
        """Return the gradient weighted by nearness to the reader's point."""
        return candidate.score(self.anchor)

    def doubt(self, chosen: Candidate, *, auto: bool) -> str:
        """Return what another edge says against the chosen one, or nothing."""
        weight = self.weight(chosen)
        others = [c for c in self.found if c is not chosen]
        same = [c for c in others if c.slope * chosen.slope > 0]
        if any(self.weight(c) >= RIVAL_SHARE * weight for c in same):
            return f"a rival edge near the {self.name} point (double cortex?)"
        if auto and any(self.weight(c) > weight for c in others):
            return f"the other face of the wall is nearer to the {self.name} point"
        return ""


# Along the line a gap starts with a fall and ends with a rise.
_SIGNS: Final[dict[Between, tuple[int, int]]] = {"gap": (-1, 1), "structure": (1, -1)}


def _choose(
    ends: tuple[_End, _End], between: Between
) -> tuple[Between, Candidate, Candidate, tuple[str, ...]]:
    """Choose gap or structure, and the edge of each end."""
    pairs: dict[Between, tuple[Candidate, Candidate]] = {}
    for kind, signs in _SIGNS.items():
        first, second = ends[0].best(signs[0]), ends[1].best(signs[1])
        if between in ("auto", kind) and first is not None and second is not None:
            pairs[kind] = first, second
    if not pairs:
        raise CannotFit("no wall on one side of the line")
    # A reading is as good as its weaker edge.
    weights = {
        kind: min(end.weight(edge) for end, edge in zip(ends, pair, strict=True))
        for kind, pair in pairs.items()
    }
    kind = max(weights, key=lambda k: weights[k])
    doubts = []
    if any(weights[k] >= RIVAL_SHARE * weights[kind] for k in weights if k != kind):
        doubts.append("both a gap and a structure fit the points: say which is meant")
    for end, edge in zip(ends, pairs[kind], strict=True):
        doubts.append(end.doubt(edge, auto=between == "auto"))
    return kind, *pairs[kind], tuple(doubt for doubt in doubts if doubt)
