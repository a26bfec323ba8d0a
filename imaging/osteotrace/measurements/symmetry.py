"""Bone expansion and left-right asymmetry: widths, volumes, their indices, the mirror.

Widths are read by the edge-fitted caliper across the arch, at the same distance from the
symphysis on both sides. An index compares a patient with himself; a change in mm of a
growing child is confounded by growth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.measurements import caliper, region_volume
from osteotrace.measurements.bone_sides import side_doubts, sides_of
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Measurement,
    NotMeasured,
    measured,
    not_measured,
)
from osteotrace.measurements.mirror import mirror_distance
from osteotrace.measurements.symmetry_plane import (
    GROWTH,
    METHOD,
    SymmetryPlane,
    landmark_asymmetry,
    plane_of_symmetry,
    premaxilla_depression,
)
from osteotrace.regions import Polyline
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.measurements.bone_sides import Side
    from osteotrace.measurements.edge_pairs import Between
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

__all__ = [
    "expansion",
    "landmark_asymmetry",
    "mirror_distance",
    "plane_of_symmetry",
    "premaxilla_depression",
]

# A section is this thick along the arch, and the arch's direction is read from sections
# this far before and behind it, mm.
SECTION_MM: Final = 3.0
ALONG_MM: Final = 6.0
# The width is read at mid-height of the section, from voxels within this of it, mm.
MID_HEIGHT_MM: Final = 2.0
# Neighbouring sections tell how the width changes along the arch, mm.
NEIGHBOURS_MM: Final = (-2.0, 2.0)
# The arch's direction, read from a mask, is uncertain by this (SD): a line off the
# perpendicular reads longer.
ACROSS_DEG: Final = 4.0
# How well the two sides' places along the arch match, SD in mm.
MATCHING_MM: Final = 1.0
# Why a width is flagged.
NO_PLANE: Final = "no plane of symmetry given: half way between both sides stands in"
# The contour of an accepted bone mask, SD in voxels (measured on vertebral masks).
CONTOUR_VOXELS: Final = 0.3
# Both sides are segmented alike: their contours err together, but for this share.
CONTOUR_APART: Final = 0.3


def expansion(
    volume: Volume,
    left: Mask,
    right: Mask,
    *,
    plane: SymmetryPlane | None = None,
    at: float | None = None,
) -> LesionReading:
    """Measure how much wider and larger a bone is on one side.

    Parameters
    ----------
    volume : Volume
        CT or MR, on any grid.
    left, right : Mask
        The bone of the patient's left and right side.
    plane : SymmetryPlane, optional
        Where the symphysis lies; half way between both masks without one, and the widths
        are flagged.
    at : float, optional
        mm along the arch from the symphysis where the widths are read; half of the
        shorter arch by default.

    Returns
    -------
    LesionReading
        ``asymmetry_index`` (% of the mean width), ``bone_width_left`` and ``_right``
        (mm), ``asymmetry_index_volume`` (%), ``bone_volume_left`` and ``_right`` (mm3).

    Raises
    ------
    OsteotraceError
        If the masks overlap, are swapped, lie off the volume or in another frame of
        reference, or `at` is no length.
    """
    if at is not None and not at >= 0:
        raise OsteotraceError(
            f"at={at}",
            expected="mm along the arch from the symphysis",
            advice="give a positive length, or none",
            usage=True,
        )
    sides = sides_of(volume, left, right)
    stands_in: tuple[str, ...] = ()
    if plane is None:
        plane = _half_way(sides)
        stands_in = (NO_PLANE,)
    flags = [*volume.notes, *side_doubts(volume, sides, plane)]
    arches = [_along_arch(volume, side, plane) for side in sides]
    reach = min(float(arch[np.isfinite(arch)].max()) for arch in arches)
    place = 0.5 * reach if at is None else at
    told = tuple(dict.fromkeys(flags))
    # The plane says where along the arch a width is read; the masks alone say which bone
    # is which side's, and so what its volume is.
    widths = [
        _width(volume, side, arch, place, (*stands_in, *told))
        for side, arch in zip(sides, arches, strict=True)
    ]
    large, small = (_bone_volume(volume, side, told) for side in sides)
    (wide, lines), (other, more) = widths
    return LesionReading(
        measurements=(
            _index("asymmetry_index", wide, other, (*stands_in, *told), apart=1.0),
            wide,
            other,
            _index("asymmetry_index_volume", large, small, told, apart=CONTOUR_APART),
            large,
            small,
        ),
        regions=(*lines, *more, left, right),
    )


def _half_way(sides: tuple[Side, Side]) -> SymmetryPlane:
    left, right = sides
    x = 0.5 * (left.places[:, 0].min() + right.places[:, 0].max())
    return SymmetryPlane(
        point=np.array([x, 0.0, 0.0]),
        normal=np.array([1.0, 0.0, 0.0]),
        residual_mm=float("nan"),
        landmarks=np.empty((0, 3)),
        click_mm=np.full(3, np.nan),
    )


def _along_arch(volume: Volume, side: Side, plane: SymmetryPlane) -> Array:
    """Return the mm of each voxel of a side along the bone from the midline, (n,).

    Shortest way inside the mask (SimpleITK fast marching); infinite where no way leads.
    """
    import SimpleITK as sitk

    away = np.abs(plane.distance(side.places))
    first = np.flatnonzero(away <= away.min() + float(volume.grid.pixel_spacing.max()))
    speed = sitk.GetImageFromArray(np.pad(side.found.inside, 1).astype(np.float32))
    spacing = np.nan_to_num(volume.grid.spacing, nan=1.0)
    speed.SetSpacing([float(mm) for mm in spacing[::-1]])
    index = np.argwhere(side.found.inside) + 1
    march = sitk.FastMarchingImageFilter()
    march.SetTrialPoints([tuple(int(i) for i in index[k][::-1]) for k in first])
    march.SetInitialTrialValues([float(away[k]) for k in first])
    march.SetStoppingValue(1e6)
    times = sitk.GetArrayFromImage(march.Execute(speed))[tuple(index.T)]
    return np.where(times < 1e5, times, np.inf).astype(np.float64)


def _width(
    volume: Volume, side: Side, along: Array, place: float, flags: tuple[str, ...]
) -> tuple[Measurement | NotMeasured, tuple[Polyline, ...]]:
    """Return the width of one side at a place along its arch, and its line."""
    name = f"bone_width_{side.name}"
    section = _section(side.places, along, place, volume)
    if section is None:
        reason = f"the {side.name} bone has no section {place:.0f} mm from the midline"
        refused = not_measured(name, reason, method=METHOD, sources=side.found.sources)
        return refused, ()
    between: Between = "structure" if volume.unit == HOUNSFIELD else "auto"
    reading = caliper.measure(volume, *section, between=between)
    read = reading.value
    if isinstance(read, NotMeasured):
        refused = not_measured(name, read.reason, method=METHOD, sources=read.sources)
        return refused, ()
    if read.uncertainty is None:
        raise AssertionError("a caliper that is not quick has an uncertainty")
    slope = _slope(volume, side, along, place, between)
    matching = MATCHING_MM * abs(slope)
    direction = read.value * (1 - float(np.cos(np.radians(ACROSS_DEG))))
    terms = [read.uncertainty, matching, direction]
    value = measured(
        name,
        read.value,
        "mm",
        method=METHOD,
        sources=read.sources,
        uncertainty=float(np.linalg.norm(terms)),
        region=f"{name}, {read.region}",
        definition=f"bucco-lingual width at mid-height, {place:.1f} mm along the arch "
        "from the symphysis, across the arch and horizontal; "
        f"{read.definition}; {GROWTH}",
        flags=(*flags, *read.flags),
        details=(
            Detail("u caliper", read.uncertainty, "mm"),
            Detail("u matching", matching, "mm"),
            Detail("u direction", direction, "mm"),
            Detail("distance along the arch", place, "mm"),
        ),
    )
    assert reading.fitted is not None
    line = Polyline(
        role=f"{name}, {read.region}",
        points=reading.fitted.points,
        frame_of_reference_uid=reading.fitted.frame_of_reference_uid,
        source_instances=reading.fitted.source_instances,
    )
    return value, (line,)


def _section(
    places: Array, along: Array, place: float, volume: Volume
) -> tuple[Array, Array] | None:
    """Return the two rough LPS ends of the width at a place along the arch."""
    middles = []
    for shift in (-ALONG_MM, 0.0, ALONG_MM):
        near = np.abs(along - place - shift) <= 0.5 * SECTION_MM
        if not near.any():
            return None
        middles.append(places[near].mean(axis=0))
    up = np.array([0.0, 0.0, 1.0])
    across = np.cross(middles[2] - middles[0], up)
    if np.linalg.norm(across) == 0:
        return None
    across = geometry.unit_vector(across)
    offset = places[np.abs(along - place) <= 0.5 * SECTION_MM] - middles[1]
    level = np.abs(offset @ up) <= max(MID_HEIGHT_MM, float(volume.grid.spacing[0]))
    reach = (offset @ across)[level]
    if len(reach) == 0:
        return None
    # Voxel centres end half a voxel before the surface.
    half = 0.5 * float(volume.grid.pixel_spacing.mean())
    return (
        middles[1] + (reach.min() - half) * across,
        middles[1] + (reach.max() + half) * across,
    )


def _slope(
    volume: Volume, side: Side, along: Array, place: float, between: Between
) -> float:
    """Return how the width changes for each mm along the arch."""
    widths = []
    for shift in NEIGHBOURS_MM:
        section = _section(side.places, along, place + shift, volume)
        if section is None:
            return 0.0
        read = caliper.measure(volume, *section, between=between, quick=True).value
        if isinstance(read, NotMeasured):
            return 0.0
        widths.append(read.value)
    return (widths[1] - widths[0]) / (NEIGHBOURS_MM[1] - NEIGHBOURS_MM[0])


def _bone_volume(
    volume: Volume, side: Side, flags: tuple[str, ...]
) -> Measurement | NotMeasured:
    name = f"bone_volume_{side.name}"
    sources = side.found.sources
    if len(volume.grid.origins) < 2:
        reason = "a single slice has no thickness"
        return not_measured(name, reason, method=METHOD, sources=sources)
    value = float(region_volume.voxel_volumes(volume, side.found).sum())
    spacing = volume.grid.spacing
    surface = region_volume.surface_mm2(side.found.inside, spacing)
    contour = surface * CONTOUR_VOXELS * float(np.cbrt(np.prod(spacing)))
    grid_term = region_volume.grid_uncertainty(value, spacing, surface)
    return measured(
        name,
        value,
        "mm3",
        method=METHOD,
        sources=sources,
        uncertainty=float(np.hypot(contour, grid_term)),
        region=side.mask.role,
        definition=f"voxel sum of the mask as accepted; {GROWTH}",
        flags=flags,
        details=(
            Detail("u contour", contour, "mm3"),
            Detail("u voxel", grid_term, "mm3"),
        ),
    )


def _index(
    name: str,
    left: Measurement | NotMeasured,
    right: Measurement | NotMeasured,
    flags: tuple[str, ...],
    *,
    apart: float,
) -> Measurement | NotMeasured:
    """Return 100 (L − R) over the mean; `apart` is the share of u that is not shared."""
    for side in (left, right):
        if isinstance(side, NotMeasured):
            return not_measured(name, str(side), method=METHOD, sources=side.sources)
    assert isinstance(left, Measurement)
    assert isinstance(right, Measurement)
    a, b = left.value, right.value
    rates = 400 * b / (a + b) ** 2, 400 * a / (a + b) ** 2
    terms = [
        rate * apart * (side.uncertainty or 0.0)
        for rate, side in zip(rates, (left, right), strict=True)
    ]
    return measured(
        name,
        200 * (a - b) / (a + b),
        "%",
        method=METHOD,
        sources=tuple(dict.fromkeys((*left.sources, *right.sources))),
        uncertainty=float(np.hypot(terms[0], terms[1])),
        region=left.region,
        definition="100 (left - right) over the mean of both",
        flags=(*flags, *left.flags, *right.flags),
        details=(Detail("u left", terms[0], "%"), Detail("u right", terms[1], "%")),
    )
