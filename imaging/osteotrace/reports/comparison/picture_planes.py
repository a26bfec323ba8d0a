"""In which plane a lesion is shown: chosen by what was measured, as radiologists hold it.

A line is shown in the plane that holds it, a mask in the slice that cuts most of it, a
vertebra in the plane of its heights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace import geometry
from osteotrace.codes.sites import VERTEBRAE
from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.measurements.gas import REGION
from osteotrace.measurements.measurement import Measurement
from osteotrace.regions import Mask, Points, Polyline, extent
from osteotrace.reports.figures.planes import Plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import Finding
    from osteotrace.geometry import Array, Grid
    from osteotrace.regions import Region

# The picture shows this many times the extent of the lesion, within these bounds, mm.
FIELD_TO_EXTENT: Final = 1.8
FIELD_BOUNDS_MM: Final = (36.0, 170.0)
# A line nearer than this to a plane's normal cannot lie in a plane near that one.
_LEAST_LEAN_DEG: Final = 30.0
# Points off a line by less than this (mm, root mean square) span no plane.
_FLAT_MM: Final = 2.0
# Six points, or the three lines of the heights.
_HEIGHT: Final = "height"
# Lengths of these are antero-posterior: they are read on sagittal pictures.
_SAGITTAL_KINDS: Final = ("palatal_bony_defect", "soft_tissue_defect")
# Of these a picture shows both sides of the patient.
_BOTH_SIDES: Final = ("bone_expansion", "facial_asymmetry", "remodelling")

# Right and down of the pictures, LPS, by the axis that they lie across.
_VIEWS: Final = {
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}
_NAMES: Final = tuple(_VIEWS)
# A plane within this of a standard one has its name alone.
_STANDARD_DEG: Final = 5.0


def plane_of(finding: Finding, shown: Sequence[Region], grid: Grid) -> Plane:
    """Return the plane that shows a finding best.

    Parameters
    ----------
    finding : Finding
    shown : sequence of Region
        Those of its regions that lie in the volume, at least one.
    grid : Grid
        Of the volume: a mask is shown as it was acquired.

    Returns
    -------
    Plane
        Named in words, about the marks, no wider than the images are.
    """
    main = main_region(finding, shown)
    of_spine = finding.site in VERTEBRAE
    heights = _height_points(shown)
    if heights is not None:
        plane = _through(heights)
    elif isinstance(main, Polyline) and len(main.points) > 1:
        sagittal = finding.kind in _SAGITTAL_KINDS or of_spine
        view = "sagittal" if sagittal else acquired_view(grid)
        plane = plane_of_line(main.points[0], main.points[-1], view)
    elif isinstance(main, Mask):
        plane = _of_mask(main, "sagittal" if of_spine else "", grid)
    else:
        centre = np.mean(extent(main), axis=0)
        plane = _acquired(centre, grid, "sagittal" if of_spine else "")
    marks = [extent(region) for region in main_regions(finding, shown)]
    plane = _centred(plane, marks)
    widest = _across(plane, grid.corners())
    return replace(plane, width=min(field_of(plane, marks), widest))


def main_region(finding: Finding, shown: Sequence[Region]) -> Region:
    """Return the region of the finding's own value, else the first that is a mark."""
    primary = finding.measurements[0] if finding.measurements else None
    role = primary.region if isinstance(primary, Measurement) else ""
    own = [region for region in shown if region.role == role]
    # What was searched in is larger than what was found.
    found = [region for region in shown if region.role not in (REGION, AS_DRAWN)]
    return (own or found or list(shown))[0]


def main_regions(finding: Finding, shown: Sequence[Region]) -> list[Region]:
    """Return the regions that a picture has to hold: the deciding one and its like.

    Heights of a vertebra belong together, and so do both sides that are compared.
    """
    if not shown:
        return []
    if finding.kind in _BOTH_SIDES:
        return [one for one in shown if one.role != REGION] or list(shown)
    main = main_region(finding, shown)
    if main.role.endswith(_HEIGHT):
        return [one for one in shown if one.role.endswith(_HEIGHT)]
    return [one for one in shown if one.role == main.role]


def field_of(plane: Plane, extents: Sequence[Sequence[Sequence[float]]]) -> float:
    """Return the width of a picture that holds some points with room around them, mm."""
    points = np.concatenate([np.asarray(one) for one in extents])
    return float(np.clip(FIELD_TO_EXTENT * _across(plane, points), *FIELD_BOUNDS_MM))


def _across(plane: Plane, points: Array) -> float:
    """Return the side of the square about a plane's centre that holds some points."""
    return 2 * float(np.abs(plane.to_picture(points)).max())


def _centred(plane: Plane, extents: Sequence[Sequence[Sequence[float]]]) -> Plane:
    """Return a plane with the marks in its middle."""
    flat = plane.to_picture(np.concatenate([np.asarray(one) for one in extents]))
    right, down = (flat.min(axis=0) + flat.max(axis=0)) / 2
    return replace(plane, centre=plane.centre + right * plane.right + down * plane.down)


def plane_of_line(start: Sequence[float], end: Sequence[float], view: str) -> Plane:
    """Return the plane that holds a line and is nearest to a view.

    Parameters
    ----------
    start, end : (x, y, z)
        LPS mm.
    view : str
        ``"sagittal"``, ``"coronal"`` or ``"axial"``; where the line lies within 30
        degrees of its normal, the next view that holds it better.
    """
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    along = geometry.unit_vector(b - a)
    order = sorted(_NAMES, key=lambda name: (name != view, _NAMES.index(name)))
    most = np.cos(np.radians(_LEAST_LEAN_DEG))
    name = next(one for one in order if abs(along @ _normal(one)) <= most)
    normal = _normal(name)
    return facing((a + b) / 2, normal - (normal @ along) * along, held=along)


def facing(centre: Array, normal: Array, *, held: Array | None = None) -> Plane:
    """Return the plane across a normal, held as radiologists hold pictures near it.

    Parameters
    ----------
    centre, normal : (3,) array
        LPS mm.
    held : (3,) array, optional
        A direction that lies in the plane; it settles nothing but the name.
    """
    normal = geometry.unit_vector(normal)
    name = max(_NAMES, key=lambda one: abs(float(normal @ _normal(one))))
    right, down = (np.array(way) for way in _VIEWS[name])
    ahead = np.cross(right, down)
    normal = normal if normal @ ahead > 0 else -normal
    down = geometry.unit_vector(down - (down @ normal) * normal)
    right = np.cross(down, normal)
    lean = geometry.angle_deg(normal, ahead)
    said = name if lean < _STANDARD_DEG else f"near {name}, turned by {lean:.0f}°"
    if held is not None:
        said = f"{said}, through the line"
    return Plane(name=said, centre=np.asarray(centre), right=right, down=down, width=1.0)


def acquired_view(grid: Grid) -> str:
    """Return the standard view that is nearest to the slices of a grid."""
    return max(_NAMES, key=lambda one: abs(float(grid.normal @ _normal(one))))


def _normal(name: str) -> Array:
    right, down = _VIEWS[name]
    return np.cross(right, down)


def _acquired(centre: Array, grid: Grid, view: str) -> Plane:
    return facing(centre, _normal(view) if view else grid.normal)


def _of_mask(mask: Mask, view: str, grid: Grid) -> Plane:
    """Return the plane through the slice that cuts most of a mask, as acquired."""
    voxels = np.argwhere(mask.voxels)
    points = mask.grid.to_patient(voxels)
    normal = geometry.unit_vector(_normal(view) if view else grid.normal)
    heights = points @ normal
    step = max(float(np.nanmin(mask.grid.pixel_spacing)), 0.5)
    if not view and len(mask.grid.origins) > 1:
        step = float(np.nanmedian(mask.grid.slice_gaps))
    bins = np.round((heights - heights.min()) / step).astype(int)
    counts = np.bincount(bins)
    # The middle one of those that cut most: a ball is cut through its middle.
    fullest = np.flatnonzero(counts >= counts.max())
    chosen = points[bins == fullest[len(fullest) // 2]]
    centre = (chosen.min(axis=0) + chosen.max(axis=0)) / 2
    return _acquired(centre, grid, view)


def _height_points(shown: Sequence[Region]) -> Array | None:
    """Return the ends of the heights of a vertebra, or its six points; None without."""
    lines = [r for r in shown if isinstance(r, Polyline) and r.role.endswith(_HEIGHT)]
    points = [point for line in lines for point in line.points]
    if not points:
        points = [p for r in shown if isinstance(r, Points) for p in r.points]
    return np.array(points) if len(points) >= 4 else None


def _through(points: Array) -> Plane:
    """Return the plane of some points, sagittal where they span none."""
    centre = points.mean(axis=0)
    _, sizes, axes = np.linalg.svd(points - centre)
    spread = sizes / np.sqrt(len(points))
    flat = spread[1] >= _FLAT_MM and abs(axes[2] @ _normal("sagittal")) > np.sqrt(0.5)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    if not flat:
        return facing(middle, _normal("sagittal"))
    normal = axes[2]
    return facing(middle - ((middle - centre) @ normal) * normal, normal)
