"""The standard uncertainty of a caliper reading, term by term.

Noise is transplanted from the image itself, the reader's part is the spread of nine
redrawn lines beyond what noise explains; definition, voxel and scale follow from the
geometry. u² is the sum of their squares.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements import noise
from osteotrace.measurements.doubts import robust_spread, slice_gap_around
from osteotrace.measurements.edge_pairs import CannotFit, fit_gap
from osteotrace.measurements.measurement import Detail
from osteotrace.measurements.profiles import Sampler, line_between

if TYPE_CHECKING:
    from osteotrace.geometry import Array, Grid
    from osteotrace.measurements.edge_pairs import EdgePair, GapFit
    from osteotrace.regions import Polyline
    from osteotrace.volume import Volume

# Nine redrawn lines: a three-level orthogonal array (L9) of shifts, the start's along u
# and v, then the end's, in units of `REDRAW_MM`.
REDRAW_MM: Final = 0.7
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

# The voxel's extent along the line times this share: error of noise-free phantoms.
VOXEL_SHARE: Final = 0.02
# The length times this share: scanner scale in x, y and oblique, on a plastic phantom.
SCALE_SHARE: Final = 0.0005
# A bright wall thinner than this (mm) has no plateau of its own, which costs this (mm).
THIN_WALL_MM: Final = 1.6
THIN_WALL_UNCERTAINTY_MM: Final = 0.1
# Half of what the correction for curved walls moved.
CURVATURE_SHARE: Final = 0.5
# Below this length two decimals are not defended: u is at least 0.1 mm.
SHORT_MM: Final = 3.0
SHORT_UNCERTAINTY_MM: Final = 0.1


@dataclass(frozen=True, slots=True)
class RedrawnLengths:
    """Lengths from lines with moved ends, mm; what cannot be fitted is left out."""

    along: list[float]
    across: list[float]

    def like(self, pair: EdgePair, fit: GapFit) -> list[float]:
        """Return those made in the way of one of the fit's two pairs."""
        return self.across if pair is fit.across else self.along


def redrawn_lengths(
    sampler: Sampler, volume: Volume, fit: GapFit, drawn: Polyline
) -> RedrawnLengths:
    """Fit nine lines with moved ends.

    Parameters
    ----------
    sampler : Sampler
        Its window holds the moved lines.
    volume : Volume
    fit : GapFit
        Of the drawn line.
    drawn : Polyline
        The drawn line.
    """
    points = np.array(drawn.points)
    line = line_between(points[0], points[1], towards=volume.grid.normal)
    redrawn = RedrawnLengths([], [])
    for shift in REDRAW_PATTERN:
        su, sv, eu, ev = REDRAW_MM * np.array(shift)
        moved = points + np.array([su * line.u + sv * line.v, eu * line.u + ev * line.v])
        try:
            again = fit_gap(sampler, volume, moved, fit.along.between)
        except CannotFit:
            continue
        redrawn.along.append(again.along.length)
        if again.across is not None:
            redrawn.across.append(again.across.length)
    return redrawn


def _seed(drawn: Polyline) -> int:
    text = repr((drawn.points, drawn.frame_of_reference_uid)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _noise_uncertainty(blocks: noise.NoiseField, fit: EdgePair, seed: int) -> float:
    parts = []
    for k, edge in enumerate((fit.first, fit.second)):
        u = float("nan")
        if len(blocks.centres):
            u = noise.transplant(blocks, fit.line, edge, seed + k)
        parts.append(u if np.isfinite(u) else noise.white_noise(edge))
    return float(np.hypot(parts[0], parts[1]))


def _voxel_extent(grid: Grid, pair: EdgePair) -> float:
    frame = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    share: Array = frame @ pair.line.direction
    gap = slice_gap_around(grid, pair.sampled_corners)
    return float(np.linalg.norm(share * [gap, *grid.pixel_spacing]))


def budget(
    volume: Volume,
    pair: EdgePair,
    blocks: noise.NoiseField,
    lengths: list[float],
    drawn: Polyline,
) -> tuple[Detail, ...]:
    """Return the terms of a length's standard uncertainty, mm.

    Parameters
    ----------
    volume : Volume
    pair : EdgePair
        The edges whose distance the length is.
    blocks : NoiseField
        May be empty: then the fit's residual stands for the noise.
    lengths : list of float
        Of redrawn lines, made in the same way.
    drawn : Polyline
        The drawn line; it seeds the draws.
    """
    u_noise = _noise_uncertainty(blocks, pair, _seed(drawn))
    spread = robust_spread(lengths) if len(lengths) > 2 else 0.0
    terms = {
        "u edge noise": u_noise,
        # Redrawn lines see other noise too: what noise does not explain is the reader.
        "u reader": float(np.sqrt(max(0.0, spread**2 - u_noise**2))),
        "u definition": THIN_WALL_UNCERTAINTY_MM if _thin_walls(pair) else 0.0,
        "u voxel": VOXEL_SHARE * _voxel_extent(volume.grid, pair),
        "u scale": SCALE_SHARE * pair.length,
    }
    pulled = abs(pair.first.pull) + abs(pair.second.pull)
    if pulled > 0:
        terms["u curvature"] = CURVATURE_SHARE * pulled
    known = float(np.sqrt(sum(value**2 for value in terms.values())))
    if pair.length < SHORT_MM and known < SHORT_UNCERTAINTY_MM:
        terms["u short gap"] = float(np.sqrt(SHORT_UNCERTAINTY_MM**2 - known**2))
    return tuple(Detail(name, float(value), "mm") for name, value in terms.items())


def _thin_walls(fit: EdgePair) -> bool:
    outer = (fit.first.t - fit.first.window[0], fit.second.window[1] - fit.second.t)
    return bool(fit.between == "gap" and min(outer) < THIN_WALL_MM)
