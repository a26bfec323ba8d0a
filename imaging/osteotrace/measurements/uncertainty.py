"""The standard uncertainty of a caliper reading, term by term.

Noise is transplanted from the image itself, the reader's part is the spread of nine
redrawn lines beyond what noise explains; definition, voxel and scale follow from the
geometry. u² is the sum of their squares.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements import noise
from osteotrace.measurements.doubts import robust_spread
from osteotrace.measurements.edge_pairs import CannotFit, fit_gap
from osteotrace.measurements.measurement import Detail
from osteotrace.measurements.profiles import Sampler, line_between

if TYPE_CHECKING:
    from osteotrace.geometry import Array
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


def redrawn_lengths(
    sampler: Sampler, volume: Volume, pair: GapFit, drawn: Polyline
) -> list[float]:
    """Return the lengths from nine lines with moved ends; failures are left out."""
    points = np.array(drawn.points)
    line = line_between(points[0], points[1], towards=volume.grid.normal)
    lengths = []
    for shift in REDRAW_PATTERN:
        su, sv, eu, ev = REDRAW_MM * np.array(shift)
        moved = points + np.array([su * line.u + sv * line.v, eu * line.u + ev * line.v])
        try:
            again = fit_gap(sampler, volume, moved, pair.along.between)
        except CannotFit:
            continue
        if pair.across is None:
            lengths.append(again.along.length)
        elif again.across is not None:
            lengths.append(again.across.length)
    return lengths


def _seed(drawn: Polyline) -> int:
    text = repr((drawn.points, drawn.frame_of_reference_uid)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def _noise_uncertainty(
    volume: Volume, blocks: noise.NoiseField, fit: EdgePair, seed: int
) -> float:
    parts = []
    for k, edge in enumerate((fit.first, fit.second)):
        u = float("nan")
        if len(blocks.centres):
            u = noise.transplant(volume, blocks, fit.line, edge, seed + k)
        parts.append(u if np.isfinite(u) else noise.white_noise(edge))
    return float(np.hypot(parts[0], parts[1]))


def _voxel_extent(volume: Volume, direction: Array) -> float:
    grid = volume.grid
    frame = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    share: Array = frame @ direction
    return float(np.linalg.norm(share * grid.spacing))


def budget(
    volume: Volume,
    pair: GapFit,
    blocks: noise.NoiseField,
    lengths: list[float],
    drawn: Polyline,
) -> list[Detail]:
    """Return the terms of the standard uncertainty, mm."""
    fit = pair.chosen
    u_noise = _noise_uncertainty(volume, blocks, fit, _seed(drawn))
    spread = robust_spread(lengths) if len(lengths) > 2 else 0.0
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


def _thin_walls(fit: EdgePair) -> bool:
    outer = (fit.first.t - fit.first.window[0], fit.second.window[1] - fit.second.t)
    return bool(fit.between == "gap" and min(outer) < THIN_WALL_MM)
