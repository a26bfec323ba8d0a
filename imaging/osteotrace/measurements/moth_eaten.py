"""Moth-eaten destruction: how much of a bone's cortex and marrow is eaten away.

The primary value is the cortical breach fraction, referred to the bone's own intact
cortex: neither osteoporosis nor a thin cortex makes it rise, since both change the bone
and its neighbourhood alike. It is an index of the cortex, not a removed volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements import trabecular
from osteotrace.measurements.bone_envelope import NoBone, open_window
from osteotrace.measurements.breaches import (
    COLLAR_MM,
    CORE_SHARE,
    LEAST_AREA_MM2,
    find_breaches,
)
from osteotrace.measurements.cortical_surface import NEIGHBOURHOOD_MM, cortical_surface
from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Detail,
    LesionReading,
    Method,
    measured,
    not_measured,
)
from osteotrace.measurements.region_values import METAL_HU, THICK_SLICES_MM
from osteotrace.regions import Mask
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.geometry import Grid
    from osteotrace.measurements.bone_envelope import Window
    from osteotrace.measurements.breaches import Breaches
    from osteotrace.measurements.cortical_surface import CorticalSurface
    from osteotrace.measurements.measurement import Reading
    from osteotrace.volume import Volume

METHOD: Final = Method(name="cortical mass deficit", version="1")
BREACHED: Final = "breached cortex"
# A region with less surface than this has no neighbourhood to speak of, mm².
LEAST_SURFACE_MM2: Final = 50.0
# Slices thicker than this many times the cortex cannot show a hole in it.
MOST_SLICES_PER_CORTEX: Final = 3.0
# A hole must stand out from what intact cortex does by this many SDs.
CORE_SDS: Final = 4.0
# Cortex of less than this share of the other side's mass is thinned as a whole.
THINNED_SHARE: Final = 0.6
# Metal in the region: share of its voxels that is too much.
MOST_METAL: Final = 1e-3
# Voxels of the region within this of a breach are marked, mm.
MARKED_MM: Final = 1.5
_CORTICAL: Final = ("cortical_breach_fraction", "breach_count", "breach_area")
DEFINITION: Final = (
    "index of the cortex, not a removed volume: share of the region's cortical mass "
    "(excess density over marrow and soft tissue, integrated along the normal of the "
    f"closed and filled bone) missing against intact cortex within {NEIGHBOURHOOD_MM:.0f}"
    f" mm, summed to {COLLAR_MM} mm around holes of at least {LEAST_AREA_MM2} mm² with "
    f"over {CORE_SHARE:.0%} missing; foramina and sockets in the region count as holes; "
    "the uncertainty covers the true share of the cortex lost on phantoms"
)


def measure(
    volume: Volume, region: Mask, *, reference: Mask | None = None
) -> LesionReading:
    """Measure moth-eaten destruction in a region.

    Parameters
    ----------
    volume : Volume
        CT, or cone beam CT: levels are the image's own. A tilted or uneven stack is
        resampled around the region, and the values say so.
    region : Mask
        Around the lesion, the bone's outer surface included; teeth left out.
    reference : Mask, optional
        The same part of the unaffected side.

    Returns
    -------
    LesionReading
        cortical_breach_fraction (%), breach_count, breach_area (mm²),
        trabecular_lucent_fraction (%, against the reference), voxel_volume of the region
        (mm³); the breached voxels as a region.

    Raises
    ------
    OsteotraceError
        If the voxels of a mask are not those of the volume, or it is a single slice.
    """
    sources = _sources(volume, region)
    window = open_window(volume, region)
    other = None if reference is None else open_window(volume, reference)
    drawn = _drawn_volume(volume, region, sources)
    reason = _refusal(volume, region) or (
        _refusal(volume, reference, "reference side") if reference is not None else ""
    )
    surface = beyond = None
    if not reason:
        try:
            surface = cortical_surface(window)
            beyond = None if other is None else cortical_surface(other)
        except NoBone as missing:
            reason = str(missing)
    if surface is not None and not reason:
        reason = _too_little(surface, window)
    if reason or surface is None:
        names = (*_CORTICAL, "trabecular_lucent_fraction")
        refused = [not_measured(n, reason, method=METHOD, sources=sources) for n in names]
        return LesionReading(measurements=(*refused, drawn))
    lesion = _Lesion(volume, region, window, surface, find_breaches(surface), sources)
    flags = tuple(_doubts(lesion, beyond))
    lucent = trabecular.lucent_fraction(
        window, surface, other, beyond, sources=sources, flags=_image_flags(lesion)
    )
    readings = (*_cortical(lesion, beyond, flags), lucent, drawn)
    marked = _breached_mask(lesion)
    return LesionReading(
        measurements=readings, regions=(region, *(() if marked is None else (marked,)))
    )


AREA_DEFINITION: Final = "missing share of the cortex times its area, in mid-cortex"
ONLY_A_RANGE: Final = (
    "only a range: slices this thick blur intact cortex away where it lies along them"
)


@dataclass(frozen=True, slots=True)
class _Lesion:
    """What is known of a region."""

    volume: Volume
    region: Mask
    window: Window
    surface: CorticalSurface
    breaches: Breaches
    sources: tuple[str, ...]


def _sources(volume: Volume, region: Mask) -> tuple[str, ...]:
    return tuple(i.source for i in volume.slices_between(region.grid.corners()))


def _refusal(volume: Volume, region: Mask, what: str = "region") -> str:
    """Return why a region cannot be measured at all, or nothing."""
    inside = region.voxels
    count = int(inside.sum())
    if min(np.ptp(np.argwhere(inside), axis=0)) < 1:
        return f"the {what} is one voxel thick ({count} voxels): it holds no cortex"
    box = volume.grid.box_around(region.grid.corners(), 0.0)
    bright = volume.rescaled(box)[region.on(volume.grid)[box]] > METAL_HU
    if bright.mean() > MOST_METAL:
        return f"metal in the {what}: {int(bright.sum())} voxels over {METAL_HU:.0f}"
    return ""


def _too_little(surface: CorticalSurface, window: Window) -> str:
    """Return why the cortex of a region cannot be read, or nothing."""
    if surface.whole_area < LEAST_SURFACE_MM2:
        return (
            f"only {surface.whole_area:.0f} mm² of cortex in the region, at least "
            f"{LEAST_SURFACE_MM2:.0f} are needed"
        )
    slices, thickness = float(window.spacing.max()), equivalent_thickness(surface)
    if slices > MOST_SLICES_PER_CORTEX * thickness:
        return (
            f"slices of {slices:.1f} mm are over {MOST_SLICES_PER_CORTEX:.0f} times the "
            f"cortex, which is about {thickness:.1f} mm"
        )
    return ""


def equivalent_thickness(surface: CorticalSurface) -> float:
    """Return the mm of cortex, as dense as the bone's densest, that hold its mass.

    A bound from below where the cortex is thinner than the point spread.
    """
    expected = float(np.median(surface.expected[surface.in_region]))
    middle = 0.5 * (surface.marrow + surface.levels.soft)
    return expected / max(CORTEX_HU - middle, 1.0)


# A cortex thinner than the point spread hides its density: this one is assumed, HU.
CORTEX_HU: Final = 1300.0


def _image_flags(lesion: _Lesion) -> tuple[str, ...]:
    """Return what the image says against any value of the region."""
    flags = [*lesion.window.notes]
    slices = float(lesion.window.spacing[0])
    if slices > THICK_SLICES_MM:
        flags.append(
            f"slices {slices:.1f} mm apart are too thick for small holes "
            f"(up to {THICK_SLICES_MM} mm)"
        )
    if lesion.volume.unit != HOUNSFIELD:
        flags.append("uncalibrated grey values: levels are the image's own")
    if (lesion.window.values > METAL_HU).any():
        flags.append("metal near the region: its streaks pass for holes or for cortex")
    at = np.argwhere(lesion.region.on(lesion.volume.grid))
    if (at.min(axis=0) == 0).any() or (
        at.max(axis=0) == np.array(lesion.volume.grid.shape) - 1
    ).any():
        flags.append("the region reaches the border of the image")
    return tuple(flags)


def _doubts(lesion: _Lesion, beyond: CorticalSurface | None) -> Iterator[str]:
    yield from _image_flags(lesion)
    spread = lesion.breaches.spread
    if CORE_SDS * spread > CORE_SHARE:
        yield (
            f"intact cortex varies by {spread:.0%} (SD): noise or unevenness may pass "
            "for small holes"
        )
    if beyond is None:
        return
    own = float(np.median(lesion.surface.expected[lesion.surface.in_region]))
    theirs = float(np.median(beyond.expected[beyond.in_region]))
    if own < THINNED_SHARE * theirs:
        yield (
            f"intact cortex has {own / theirs:.0%} of the mass of the reference side's: "
            "thinned as a whole, which the fraction does not count"
        )


def _cortical(
    lesion: _Lesion, beyond: CorticalSurface | None, flags: tuple[str, ...]
) -> tuple[Reading, ...]:
    found, area = lesion.breaches, lesion.surface.whole_area
    details = [
        Detail("u noise", 100 * found.u_noise, "%"),
        Detail("u smallest hole", 100 * found.u_hidden, "%"),
        Detail("u definition", 100 * found.u_model, "%"),
        Detail("cortex in the region", area, "mm2"),
        Detail("SD of intact cortex", 100 * found.spread, "%"),
        Detail("soft tissue level", lesion.surface.levels.soft, lesion.volume.unit),
        Detail("bone level", lesion.surface.levels.bone, lesion.volume.unit),
    ]
    terms = [found.uncertainty]
    if beyond is not None:
        # What the unaffected side reads is no destruction: neither may be as much here.
        theirs = find_breaches(beyond).fraction
        details.append(Detail("u reference side", 100 * theirs, "%"))
        terms.append(theirs)
    u = float(np.linalg.norm(terms))
    thick = float(lesion.window.spacing[0]) > THICK_SLICES_MM
    common = {
        "method": METHOD,
        "sources": lesion.sources,
        "region": BREACHED if found.count else lesion.region.role,
        "flags": flags,
    }

    def value(name: str, number: float, unit: str, u: float, most: float) -> Reading:
        reach = COVERAGE_FACTOR_95 * u
        low, high = max(0.0, number - reach), min(most, number + reach)
        share = name == _CORTICAL[0]
        return measured(
            name,
            number,
            unit,
            uncertainty=None if thick else u,
            uncertainty_reason=ONLY_A_RANGE if thick else "",
            interval95=(0.0 if thick else low, high),
            definition=DEFINITION if share else AREA_DEFINITION,
            details=details if share else (),
            **common,  # type: ignore[arg-type]
        )

    return (
        value(_CORTICAL[0], 100 * found.fraction, "%", 100 * u, 100.0),
        measured(
            _CORTICAL[1],
            found.count,
            "{counts}",
            uncertainty_reason="a descriptor: holes closer than the point spread merge",
            definition="separate holes through the cortex",
            **common,  # type: ignore[arg-type]
        ),
        value(_CORTICAL[2], found.area, "mm2", area * u, area),
    )


def _drawn_volume(volume: Volume, region: Mask, sources: tuple[str, ...]) -> Reading:
    inside, grid = region.voxels, region.grid
    depth = _slice_depths(volume.grid)[_first_slice(volume.grid, grid) :]
    each = inside.sum(axis=(1, 2)) * depth[: len(inside)]
    return measured(
        "voxel_volume",
        float(each.sum() * np.prod(grid.pixel_spacing)),
        "mm3",
        method=Method(name="voxel sum", version="1"),
        sources=sources,
        uncertainty_reason="the region as drawn; how it is drawn is the reader's choice",
        region=region.role,
        definition="voxels of the region times their volume",
        flags=volume.notes,
    )


def _slice_depths(grid: Grid) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return how much of the stack's length each slice stands for, mm."""
    gaps = grid.slice_gaps
    halves = np.concatenate([gaps[:1], gaps, gaps[-1:]]) / 2
    return np.asarray(halves[:-1] + halves[1:])


def _first_slice(whole: Grid, part: Grid) -> int:
    return int(np.round(whole.to_index(part.origins[0])[0]))


def _breached_mask(lesion: _Lesion) -> Mask | None:
    """Return the voxels of the region near a breach."""
    from scipy.spatial import cKDTree

    surface = lesion.surface
    if not lesion.breaches.at.any():
        return None
    middle = surface.points + surface.peak_mm * surface.normals
    holes = lesion.window.to_patient(middle[lesion.breaches.at])
    grid = lesion.region.grid
    index = np.argwhere(lesion.region.voxels)
    away, _ = cKDTree(holes).query(grid.to_patient(index), distance_upper_bound=MARKED_MM)
    near = index[away <= MARKED_MM]
    if len(near) == 0:
        return None
    voxels = np.zeros(grid.shape, dtype=bool)
    voxels[tuple(near.T)] = True
    return Mask.of(
        voxels,
        grid,
        role=BREACHED,
        frame_of_reference_uid=lesion.region.frame_of_reference_uid,
        source_instances=lesion.region.source_instances,
    )
