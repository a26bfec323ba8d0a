"""The cortex along the surface of a bone: its mass per area at every place.

The surface is that of the closed and filled bone, so it runs across holes. At each of
its points the excess density over marrow and soft tissue is integrated along the normal.
Blur moves density, and leaves its integral as it is: a cortex thinner than the point
spread keeps its mass where its peak is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.measurements.bone_envelope import (
    STEP_MM,
    NoBone,
    distances,
    envelope,
    levels,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.bone_envelope import Levels, Window

# Smoothing of the envelope before its surface is taken, mm.
SURFACE_SMOOTHING_MM: Final = 1.0
# Profiles along the normal: outwards positive, mm.
REACH_MM: Final = (-7.0, 3.0)
SAMPLE_MM: Final = 0.3
# The cortex's peak lies no deeper than this under the surface, mm.
DEEPEST_PEAK_MM: Final = 4.5
# The cortex ends inside where the typical profile is down to this share of its peak, and
# outside this far beyond its peak, mm.
INNER_SHARE: Final = 0.1
BEYOND_PEAK_MM: Final = 2.1
# Depth behind the cortex that the marrow's level is read from, mm.
MARROW_MM: Final = 1.5
# Marrow is no brighter than this share of the way from soft tissue to bone.
MOST_MARROW_SHARE: Final = 0.6
# Darker than soft tissue by more than this share of the bone's step counts as no darker:
# air outside would outweigh a thin wall.
DARK_SHARE: Final = 0.25
# Averaging over neighbouring points of the surface: rounds for marrow and for mass.
MARROW_ROUNDS: Final = 4
MASS_ROUNDS: Final = 2
# The neighbourhood that a place is compared with, mm, and how far its normals may turn.
NEIGHBOURHOOD_MM: Final = 10.0
LEAST_COSINE: Final = 0.3
ANCHORS: Final = 500
# Places above this share of the neighbourhood's 75th percentile are intact cortex.
INTACT_SHARE: Final = 0.8
# A place expects at least this share of what is usual in the region.
LEAST_EXPECTED_SHARE: Final = 0.25
# Distance that a turned normal counts for where neighbourhoods are interpolated, mm.
TURN_MM: Final = 3.0
# The window's border that profiles cannot use, mm.
BORDER_MM: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CorticalSurface:
    """Points on the surface of a bone, and the cortex under each.

    Parameters
    ----------
    points : (n, 3) float64
        mm in the window.
    normals : (n, 3) float64
        Outward unit normals.
    area : (n,) float64
        mm² of the middle of the cortex that each point stands for.
    mass : (n,) float64
        Excess density along the normal, value units times mm.
    expected : (n,) float64
        Mass of the intact cortex around each point.
    in_region : (n,) bool
    neighbours : sparse (n, n) matrix
        Which points share an edge of the surface.
    inner_mm, peak_mm : float
        Where the typical cortex ends inside and peaks, mm along the normal.
    marrow : float
        Typical grey level inside the cortex.
    levels : Levels
    filled : bool array
        The envelope, on the window's even grid.
    """

    points: Array
    normals: Array
    area: Array
    mass: Array
    expected: Array
    in_region: NDArray[np.bool_]
    neighbours: Any
    inner_mm: float
    peak_mm: float
    marrow: float
    levels: Levels
    filled: NDArray[np.bool_]

    @property
    def deficit(self) -> Array:
        """Share of the cortex that is missing at each point, -1 to 1."""
        return np.clip(1.0 - self.mass / self.expected, -1.0, 1.0)

    @property
    def whole_area(self) -> float:
        """mm² of the region's cortex."""
        return float(self.area[self.in_region].sum())


def cortical_surface(window: Window) -> CorticalSurface:
    """Return the cortex in and around the region of a window.

    Raises
    ------
    NoBone
        If there is no bone, or no surface of a bone in the region.
    """
    found = levels(window)
    filled = envelope(window, found)
    points, faces, normals = mesh(filled)
    in_region = _in_region(window, points)
    if not in_region.any():
        raise NoBone("the region holds no surface of a bone, so no cortex")
    last = (np.array(window.even.shape) - 1) * STEP_MM
    clear = ((points > BORDER_MM) & (points < last - BORDER_MM)).all(axis=1)
    usable = clear | in_region
    t = np.arange(REACH_MM[0], REACH_MM[1] + 1e-9, SAMPLE_MM)
    values = profiles(window, points, normals, t)
    typical = np.median(values[usable], axis=0)
    peak = int(np.argmax(np.where(t > -DEEPEST_PEAK_MM, typical, -np.inf)))
    inner = _inner_end(typical, peak, t, found)
    neighbours, average = adjacency(faces, len(points))
    middle = _middles(filled, points, normals, t)
    marrow = _marrow(values, t, float(t[inner]), middle)
    for _ in range(MARROW_ROUNDS):
        marrow = average @ marrow
    # Solid bone has no marrow: what is brighter than marrow can be counts as cortex.
    marrow = np.minimum(marrow, found.at(MOST_MARROW_SHARE))
    floor = found.soft - DARK_SHARE * found.step
    base = np.where(t < t[peak], marrow[:, None], found.soft)
    start = np.maximum(t[inner], middle)[:, None] - 1e-9
    cortex = (t >= start) & (t <= t[peak] + BEYOND_PEAK_MM)
    mass = ((np.maximum(values, floor) - base) * cortex).sum(axis=1) * SAMPLE_MM
    for _ in range(MASS_ROUNDS):
        mass = average @ mass
    expected = _expected(points, normals, mass, np.flatnonzero(usable))
    usual = float(np.median(expected[in_region]))
    if usual <= 0:
        raise NoBone("the bone in the region has no cortex denser than its marrow")
    expected = np.maximum(expected, LEAST_EXPECTED_SHARE * usual)
    return CorticalSurface(
        points=points,
        normals=normals,
        area=areas(points, faces, normals, float(t[peak])),
        mass=mass,
        expected=expected,
        in_region=in_region,
        neighbours=neighbours,
        inner_mm=float(t[inner]),
        peak_mm=float(t[peak]),
        marrow=float(np.median(marrow[usable])),
        levels=found,
        filled=filled,
    )


def mesh(
    filled: NDArray[np.bool_], smoothing_mm: float = SURFACE_SMOOTHING_MM
) -> tuple[Array, NDArray[np.intp], Array]:
    """Return points (n, 3) in mm, faces (m, 3) and outward normals of the envelope."""
    from scipy.ndimage import gaussian_filter, map_coordinates
    from skimage.measure import marching_cubes

    soft = gaussian_filter(filled.astype(np.float32), smoothing_mm / STEP_MM)
    if not soft.min() < 0.5 < soft.max():
        raise NoBone("the window holds no surface of a bone, so no cortex")
    vertices, faces, _, _ = marching_cubes(soft, 0.5)
    rise: list[Array] = list(np.gradient(gaussian_filter(soft, 1.0)))
    slope = np.stack([map_coordinates(r, vertices.T, order=1) for r in rise], axis=1)
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    normals = -slope / np.maximum(length, 1e-12)
    return np.asarray(vertices, float) * STEP_MM, faces, np.asarray(normals, float)


def _in_region(window: Window, points: Array) -> NDArray[np.bool_]:
    from scipy.ndimage import map_coordinates

    # Half a voxel aside is still inside: a region drawn on the bone ends at its surface.
    mark = window.region.astype(np.float32)
    return np.asarray(map_coordinates(mark, points.T / STEP_MM, order=1) > 0.3)


def profiles(window: Window, points: Array, normals: Array, t: Array) -> Array:
    """Return the grey values along the normals, (n, samples), from unsmoothed voxels."""
    from scipy.ndimage import map_coordinates

    at = (points[:, None, :] + t[None, :, None] * normals[:, None, :]) / window.spacing
    values = window.values.astype(np.float32)
    sampled = map_coordinates(values, at.reshape(-1, 3).T, order=1, mode="nearest")
    return np.asarray(sampled, dtype=np.float64).reshape(len(points), len(t))


def _middles(filled: NDArray[np.bool_], points: Array, normals: Array, t: Array) -> Array:
    """Return where each normal reaches the middle of the bone, mm along it."""
    from scipy.ndimage import map_coordinates

    depths = distances(filled).astype(np.float32)
    inwards = t <= 0
    at = (points[:, None, :] + t[None, inwards, None] * normals[:, None, :]) / STEP_MM
    depth = map_coordinates(depths, at.reshape(-1, 3).T, order=1, mode="nearest")
    return np.asarray(t[inwards][depth.reshape(len(points), -1).argmin(axis=1)])


def _marrow(values: Array, t: Array, inner: float, middle: Array) -> Array:
    """Return the mean grey level behind the cortex, no deeper than the bone's middle."""
    end = np.maximum(inner, middle + 0.5 * MARROW_MM)[:, None]
    behind = (t <= end + 1e-9) & (t >= end - MARROW_MM - 1e-9)
    return np.asarray((values * behind).sum(axis=1) / behind.sum(axis=1))


def _inner_end(typical: Array, peak: int, t: Array, found: Levels) -> int:
    """Return the sample where the typical cortex ends inside."""
    deep = t <= t[peak] - 3.5
    marrow = float(np.median(typical[deep])) if deep.any() else found.soft
    limit = marrow + INNER_SHARE * (typical[peak] - marrow)
    below = np.flatnonzero(typical[:peak] <= limit)
    return int(below[-1]) if len(below) else 0


def adjacency(faces: NDArray[np.intp], count: int) -> tuple[Any, Any]:
    """Return which points share an edge, and the matrix that averages over them."""
    from scipy import sparse

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    shape = (count, count)
    joined = sparse.csr_matrix((np.ones(len(both)), both.T), shape=shape)
    joined.data[:] = 1.0
    whole = joined + sparse.identity(count, format="csr")
    share = sparse.diags(1.0 / np.asarray(whole.sum(axis=1)).ravel())
    return joined, share @ whole


def areas(points: Array, faces: NDArray[np.intp], normals: Array, depth: float) -> Array:
    """Return mm² of each point at a depth along the normals.

    A corner has less cortex than surface: areas are taken in the middle of the cortex.
    """
    outer, moved = points[faces], (points + depth * normals)[faces]

    def across(corners: Array) -> Array:
        return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    size, first = across(moved), across(outer)
    # A face that turned over lies deeper than its centre of curvature: nothing is left.
    upright = (size * first).sum(axis=1) > 0
    each = np.where(upright, np.linalg.norm(size, axis=1) / 6.0, 0.0)
    summed = np.bincount(faces.ravel(), np.repeat(each, 3), minlength=len(points))
    return summed.astype(np.float64)


def _expected(
    points: Array, normals: Array, mass: Array, usable: NDArray[np.intp]
) -> Array:
    """Return the mass of intact cortex around each point.

    The median of the neighbours that reach most of their own 75th percentile.
    """
    from scipy.spatial import cKDTree

    anchors = usable[:: max(1, len(usable) // ANCHORS)]
    near = cKDTree(points[usable]).query_ball_point(points[anchors], NEIGHBOURHOOD_MM)
    found = np.empty(len(anchors))
    for k, (anchor, members) in enumerate(zip(anchors, near, strict=True)):
        around = usable[np.asarray(members)]
        around = around[normals[around] @ normals[anchor] > LEAST_COSINE]
        own = mass[around] if len(around) else mass[anchor : anchor + 1]
        upper = INTACT_SHARE * np.percentile(own, 75)
        found[k] = np.median(own[own >= min(upper, own.max())])
    places = np.hstack([points, TURN_MM * normals])
    count = min(4, len(anchors))
    away, which = cKDTree(places[anchors]).query(places, k=[*range(1, count + 1)])
    weight = 1.0 / (np.asarray(away) + 0.5)
    return np.asarray((found[which] * weight).sum(axis=1) / weight.sum(axis=1))
