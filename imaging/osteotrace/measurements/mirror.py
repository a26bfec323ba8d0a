"""How far one side's surface lies from the mirror image of the other side's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.bone_sides import side_doubts, sides_of
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    measured,
    not_measured,
)
from osteotrace.measurements.symmetry_plane import GROWTH, METHOD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.bone_sides import Side
    from osteotrace.measurements.symmetry_plane import SymmetryPlane
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

# Error of a mask's surface laid between voxels, as a share of a voxel.
SURFACE_VOXELS: Final = 0.2
MOST_SURFACE_POINTS: Final = 6000


def mirror_distance(
    volume: Volume, left: Mask, right: Mask, plane: SymmetryPlane
) -> LesionReading:
    """Measure how far the left surface lies from the mirrored right one.

    Parameters
    ----------
    volume : Volume
        The image that the masks were drawn on.
    left, right : Mask
        The bone of the patient's left and right side.
    plane : SymmetryPlane

    Returns
    -------
    LesionReading
        ``mirror_distance``, the root mean square distance in mm, both ways.

    Raises
    ------
    OsteotraceError
        If the masks overlap, are swapped, lie off the volume or in another frame of
        reference.
    """
    sides = sides_of(volume, left, right)
    flags = (*volume.notes, *side_doubts(volume, sides, plane))
    surfaces = [_surface(volume, side) for side in sides]
    name = "mirror_distance"
    sources = tuple(dict.fromkeys(s for side in sides for s in side.found.sources))
    if any(len(points) == 0 for points, _ in surfaces):
        reason = "a mask too small for a surface"
        refused = not_measured(name, reason, method=METHOD, sources=sources)
        return LesionReading(measurements=(refused,), regions=(left, right))

    def read(p: SymmetryPlane) -> float:
        return _mirror_rms(surfaces, p)

    value = read(plane)
    terms = {"u voxel": SURFACE_VOXELS * float(np.cbrt(np.prod(volume.grid.spacing)))}
    terms["u plane"] = plane.uncertainty_of(read)
    u = float(np.hypot(terms["u voxel"], terms["u plane"]))
    known = bool(np.isfinite(u))
    reading = measured(
        name,
        value,
        "mm",
        method=METHOD,
        sources=sources,
        uncertainty=u if known else None,
        uncertainty_reason="" if known else "the precision of the plane is not stated",
        definition="root mean square distance between the left surface and the mirror "
        f"image of the right one, both ways, to the surface's tangent plane; {GROWTH}",
        flags=flags,
        details=[Detail(k, v, "mm") for k, v in terms.items() if np.isfinite(v)],
    )
    return LesionReading(measurements=(reading,), regions=(left, right))


def _surface(volume: Volume, side: Side) -> tuple[Array, Array]:
    """Return points on a mask's surface, LPS mm, and their unit normals.

    SimpleITK has no surface mesh: scikit-image's marching cubes on the mask smoothed by
    one voxel, whose half-way surface keeps the mask's own place.
    """
    import SimpleITK as sitk
    from skimage.measure import marching_cubes

    padded = np.pad(side.found.inside, 3).astype(np.float32)
    smooth = sitk.GetArrayFromImage(
        sitk.DiscreteGaussian(sitk.GetImageFromArray(padded), 1.0)
    )
    if not smooth.max() > 0.5:
        return np.empty((0, 3)), np.empty((0, 3))
    index, faces, _, _ = marching_cubes(smooth, 0.5)
    start = np.array([s.start for s in side.found.box]) - 3
    points = volume.grid.to_patient(index + start)
    normals = _vertex_normals(points, faces)
    step = max(1, len(points) // MOST_SURFACE_POINTS)
    return points[::step], normals[::step]


def _vertex_normals(points: Array, faces: NDArray[np.integer]) -> Array:
    """Return the unit normal at each vertex: the mean of its faces', by area."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for k in range(3):
        np.add.at(normals, faces[:, k], flat)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-12))


def _mirror_rms(surfaces: list[tuple[Array, Array]], plane: SymmetryPlane) -> float:
    """Return the root mean square distance to the other mirrored surface, both ways."""
    from scipy.spatial import cKDTree

    squares = []
    for (own, _), (other, normals) in (surfaces, surfaces[::-1]):
        mirrored = plane.mirrored(own)
        _, nearest = cKDTree(other).query(mirrored)
        step = mirrored - other[nearest]
        squares.append(np.einsum("ij,ij->i", step, normals[nearest]) ** 2)
    return float(np.sqrt(np.mean(np.concatenate(squares))))
