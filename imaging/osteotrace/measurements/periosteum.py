"""New bone on a cortex: how high the outer surface lies over the old cortex.

The inner edge of the cortex stays where it was. Its depth under the outer surface, less
its depth where the cortex is bare, is the height of what was laid on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.bone_envelope import STEP_MM, NoBone, envelope, levels
from osteotrace.measurements.cortical_surface import adjacency, areas, mesh, profiles
from osteotrace.measurements.jackknife import GROUPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.bone_envelope import Window

# Profiles along the normals, outwards positive, and their step, mm.
PERIOSTEAL_REACH_MM: Final = (-9.0, 3.0)
# The outer plateau of bone is the most within this of its first rise, mm.
PLATEAU_MM: Final = 0.9
# The cortex ends inside at this share of the way from soft tissue to its peak.
CORTEX_SHARE: Final = 0.6
# New bone is at least this high over the cortex's usual depth, mm, on this area, mm².
LEAST_HEIGHT_MM: Final = 0.7
LEAST_AREA_MM2: Final = 8.0
# Bare cortex is looked for within this of the region, mm, facing the same way.
FLANK_MM: Final = 9.0
LEAST_COSINE: Final = 0.6
LEAST_BARE_MM2: Final = 20.0
SAMPLE_MM: Final = 0.15
# The reaction reaches as far as it has this share of its height: the closed envelope
# slopes down beyond its end.
END_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Periosteum:
    """Heights of the outer surface over the old cortex, in the reaction's area."""

    heights: Array
    area: Array
    cells: NDArray[np.intp]
    length: float
    bare_spread: float

    def height(self, keep: NDArray[np.bool_]) -> float:
        """Return the mean height over the area."""
        return float(np.average(self.heights[keep], weights=self.area[keep]))


def read_periosteum(window: Window) -> Periosteum:
    """Return the new bone in a window's region.

    Raises
    ------
    NoBone
        If there is no bone, no bare cortex to compare with, or no new bone.
    """
    from scipy.ndimage import map_coordinates
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    found = levels(window)
    points, faces, normals = mesh(envelope(window, found))
    mark = window.region.astype(np.float32)
    inside = map_coordinates(mark, points.T / STEP_MM, order=1) > 0.3
    if not inside.any():
        raise NoBone("the region holds no surface of a bone")
    facing = normals[inside].mean(axis=0)
    away, _ = cKDTree(points[inside]).query(points, distance_upper_bound=FLANK_MM)
    last = (np.array(window.even.shape) - 1) * STEP_MM
    clear = ((points > 2.0) & (points < last - 2.0)).all(axis=1)
    alike = normals @ facing > LEAST_COSINE * np.linalg.norm(facing)
    usable = np.isfinite(away) & alike & (clear | inside)
    t = np.arange(PERIOSTEAL_REACH_MM[0], PERIOSTEAL_REACH_MM[1] + 1e-9, SAMPLE_MM)
    depth = _depths(profiles(window, points, normals, t), t, found.soft)
    joined, average = adjacency(faces, len(points))
    for _ in range(3):
        depth = average @ depth
    area = areas(points, faces, normals, 0.0)
    lowest = np.percentile(depth[usable], 10)
    bare = usable & (depth < lowest + LEAST_HEIGHT_MM)
    if area[bare].sum() < LEAST_BARE_MM2:
        raise NoBone(
            f"no bare cortex within {FLANK_MM:.0f} mm of the region to compare with"
        )
    height = depth - np.median(depth[bare])
    high = inside & usable & (height > LEAST_HEIGHT_MM)
    top = float(np.percentile(height[high], 75)) if high.any() else 0.0
    reaction = np.flatnonzero(inside & usable & (height > max(END_SHARE * top, 0.5)))
    if len(reaction) == 0:
        raise NoBone(f"no new bone over {LEAST_HEIGHT_MM} mm high in the region")
    count, label = connected_components(joined[reaction][:, reaction], directed=False)
    sizes = np.bincount(label, area[reaction], minlength=count)
    if sizes.max() < LEAST_AREA_MM2 or top < LEAST_HEIGHT_MM:
        raise NoBone(f"no new bone over {LEAST_HEIGHT_MM} mm high in the region")
    largest = reaction[label == int(sizes.argmax())]
    away_from = points[largest] - np.average(points[largest], axis=0)
    _, _, axes = np.linalg.svd(away_from, full_matrices=False)
    along = away_from @ axes[0]
    # The rim of the area rises slowly: its height is read where that is left behind.
    core = largest[height[largest] > 0.8 * top]
    turn = np.floor((points[core] - points[core].min(axis=0)) / 3.0).astype(int)
    _, cells = np.unique(turn, axis=0, return_inverse=True)
    spread = 1.4826 * float(np.median(np.abs(depth[bare] - np.median(depth[bare]))))
    return Periosteum(
        heights=height[core],
        area=area[core],
        cells=np.asarray(cells.ravel() % GROUPS),
        length=float(along.max() - along.min()),
        bare_spread=spread / 2,
    )


def _depths(values: Array, t: Array, soft: float) -> Array:
    """Return how deep under its outer edge each profile has the cortex's inner, mm."""
    outermost = values[:, ::-1]
    place = t[::-1]
    peak = values.max(axis=1)
    rows = np.arange(len(values))
    first = (outermost > soft + 0.2 * (peak - soft)[:, None]).argmax(axis=1)
    reach = round(PLATEAU_MM / (t[1] - t[0]))
    window = np.minimum(first[:, None] + np.arange(reach + 1), values.shape[1] - 1)
    plateau = outermost[rows[:, None], window].max(axis=1)
    half = 0.5 * (soft + plateau)
    edge = (outermost > half[:, None]).argmax(axis=1)
    before = np.maximum(edge - 1, 0)
    low, high = outermost[rows, before], outermost[rows, edge]
    part = np.clip((half - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    outer = place[before] + part * (place[edge] - place[before])
    level = soft + CORTEX_SHARE * (peak - soft)
    behind = np.arange(values.shape[1]) < values.argmax(axis=1)[:, None]
    dark = behind & (values < level[:, None])
    at = np.where(dark.any(axis=1), values.shape[1] - 1 - dark[:, ::-1].argmax(axis=1), 0)
    above = np.minimum(at + 1, values.shape[1] - 1)
    low, high = values[rows, at], values[rows, above]
    part = np.clip((level - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    inner = t[at] + part * (t[above] - t[at])
    return np.asarray(outer - inner)
