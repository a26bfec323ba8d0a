"""What speaks against a caliper reading: refusals, and flags for what is doubtful.

The rules come from repeated readings of real scans, where they keep wrong answers
(over 1 mm from the gap's own median) under 2 % of the accepted ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from osteotrace.measurements.edge_pairs import CannotFit
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.geometry import Array, Grid
    from osteotrace.measurements.edge_pairs import EdgePair
    from osteotrace.volume import Volume

# What the walls must be: bone is required where a bony gap is measured.
Walls = Literal["any", "bone"]

# A wall is a step of at least this size: HU, or multiples of the noise SD without HU.
LEAST_STEP_HU: Final = 150.0
LEAST_STEP_NOISE: Final = 5.0
FARTHEST_CLICK_MM: Final = 2.5
SIGMA_RANGE_MM: Final = (0.15, 1.6)
# Fit and half maximum of the same edge may differ by this much, mm.
MODEL_DISAGREEMENT_MM: Final = 0.3
# CT: a plateau below this is soft tissue, contrast-enhanced included; bone is brighter.
SOFT_TISSUE_CEILING_HU: Final = 200.0
SOFT_WALL: Final = "air to soft tissue: a wall is soft tissue, not bone"
# The slice thickness along the line may take this share of the length.
BLUR_SHARE: Final = 1.0 / 3.0
# A gap between slices is wide beyond this many times the usual one: what lies in it was
# hardly seen, and what is interpolated across it is a guess.
WIDE_GAP_FACTOR: Final = 1.5
# An oblique wall turns a point moved across the line into another length: flagged where
# points 1 mm (SD) beside the line would spread the length by more than this, mm.
OBLIQUE_SPREAD_MM: Final = 0.5
# Nine redrawn lines must agree with each other and with the drawn one to this, mm.
REDRAW_LIMIT_MM: Final = 0.5
# Median absolute deviation to SD, for a normal distribution.
MAD_TO_SD: Final = 1.4826


def require_walls(volume: Volume, pair: EdgePair, noise_sd: float) -> None:
    """Refuse where there is no wall worth the name.

    Raises
    ------
    CannotFit
        If a step is under `LEAST_STEP_HU`, or, without HU, under `LEAST_STEP_NOISE`
        times the SD of the noise.
    """
    in_hu = volume.unit == HOUNSFIELD
    least = LEAST_STEP_HU if in_hu else LEAST_STEP_NOISE * noise_sd
    for name, edge in zip(("start", "end"), pair.edges, strict=True):
        if not edge.step >= least:
            raise CannotFit(
                f"no wall near the {name} point: the step is {edge.step:.0f}"
                f"{' HU' if in_hu else ''}, at least {least:.0f} is needed"
            )


def require_near(pair: EdgePair, drawn_length: float) -> None:
    """Refuse where a point lies too far from its edge.

    Raises
    ------
    CannotFit
        If it is over `FARTHEST_CLICK_MM` away.
    """
    for name, edge, anchor in zip(
        ("start", "end"), pair.edges, (0.0, drawn_length), strict=True
    ):
        if abs(edge.t - anchor) > FARTHEST_CLICK_MM:
            raise CannotFit(
                f"the {name} point lies {abs(edge.t - anchor):.1f} mm from the nearest "
                f"edge, at most {FARTHEST_CLICK_MM} mm are allowed"
            )


def image_doubts(volume: Volume, fit: EdgePair, walls: Walls) -> Iterator[str]:
    """Yield what the image says against the fitted edges."""
    for name, edge in zip(("start", "end"), fit.edges, strict=True):
        if not SIGMA_RANGE_MM[0] <= edge.sigma <= SIGMA_RANGE_MM[1]:
            yield f"the {name} edge is blurred by {edge.sigma:.2f} mm"
        if not abs(edge.half_maximum - edge.t) <= MODEL_DISAGREEMENT_MM:
            yield f"half maximum and fit disagree at the {name} edge"
    if volume.unit == HOUNSFIELD and fit.between == "gap":
        outer = (fit.first.before, fit.second.after)
        soft = [value < SOFT_TISSUE_CEILING_HU for value in outer]
        if any(soft) and (walls == "bone" or not all(soft)):
            yield SOFT_WALL
    # v lies in the slices, where readers place points; the redraw gate covers u.
    oblique = float(np.hypot(fit.first.slopes[1], fit.second.slopes[1]))
    if oblique > OBLIQUE_SPREAD_MM:
        yield (
            "the line meets a wall obliquely: 1 mm beside it reads "
            f"{oblique:.1f} mm different"
        )
    grid, seen = volume.grid, fit.sampled_corners
    blur = abs(fit.line.direction @ grid.normal) * slice_gap_around(grid, seen)
    if blur > BLUR_SHARE * fit.length:
        yield "the slice thickness blurs over a third of the length"
    yield from gap_doubts(grid, seen)


def gap_doubts(grid: Grid, points: Array) -> Iterator[str]:
    """Yield what a wide gap between slices says against what lies across it.

    Parameters
    ----------
    grid : Grid
    points : (n, 3) array
        LPS mm; what they span is what was looked at.
    """
    crossed = gaps_crossed(grid, points)
    if len(crossed) and crossed.max() > WIDE_GAP_FACTOR * grid.spacing[0]:
        yield (
            f"the line crosses a gap of {crossed.max():.1f} mm between slices "
            f"({grid.spacing[0]:.1f} mm is usual)"
        )


def gaps_crossed(grid: Grid, points: Array) -> Array:
    """Return the gaps between neighbouring slices, mm, that LPS mm points reach into."""
    heights = points @ grid.normal
    below, above = grid.slice_positions[:-1], grid.slice_positions[1:]
    crossed = (below < heights.max()) & (above > heights.min())
    return np.asarray(grid.slice_gaps[crossed])


def slice_gap_around(grid: Grid, points: Array) -> float:
    """Return the gap between slices that holds around LPS mm points, mm.

    The widest that they reach into on an uneven grid.
    """
    if grid.is_even:
        return float(grid.spacing[0])
    crossed = gaps_crossed(grid, points)
    return float(crossed.max() if len(crossed) else grid.spacing[0])


def redraw_doubts(length: float, lengths: list[float], count: int) -> list[str]:
    """Return what nine redrawn lines say against a length.

    Parameters
    ----------
    length : float
        The drawn line's, mm.
    lengths : list of float
        The redrawn lines' that could be fitted, mm.
    count : int
        How many lines were redrawn.
    """
    if len(lengths) * 2 < count:
        return [f"only {len(lengths)} of {count} redrawn lines fit"]
    if robust_spread(lengths) > REDRAW_LIMIT_MM:
        return [
            f"redrawn lines spread by {robust_spread(lengths):.2f} mm "
            f"(limit {REDRAW_LIMIT_MM} mm)"
        ]
    # The line that was drawn can itself be the odd one out.
    if abs(length - float(np.median(lengths))) > REDRAW_LIMIT_MM:
        return [f"redrawn lines read {np.median(lengths):.2f} mm instead"]
    return []


def robust_spread(lengths: list[float]) -> float:
    """Return 1.4826 times the median absolute deviation."""
    middle = np.median(lengths)
    return MAD_TO_SD * float(np.median(np.abs(np.array(lengths) - middle)))
