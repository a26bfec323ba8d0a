"""New and dense bone around a lesion: its sclerotic rim, and reaction of the periosteum.

Both are read along the normals of a surface: the lesion's own for its rim, that of the
closed and filled bone for new bone on its cortex. Levels are the image's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.bone_envelope import NoBone, open_window
from osteotrace.measurements.jackknife import jackknife
from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Detail,
    LesionReading,
    Method,
    measured,
    not_measured,
)
from osteotrace.measurements.periosteum import END_SHARE, read_periosteum
from osteotrace.measurements.region_values import METAL_HU, THICK_SLICES_MM
from osteotrace.measurements.rim_profiles import read_rim
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from osteotrace.measurements.bone_envelope import Window
    from osteotrace.measurements.measurement import Reading
    from osteotrace.measurements.rim_profiles import Rim
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

RIM_METHOD: Final = Method(name="rim along the lesion's normals", version="1")
RIM_NAMES: Final = (
    "sclerotic_rim_thickness",
    "mean_value",
    "sclerotic_rim_completeness",
)
# How far values stray on phantoms beyond what the jackknife shows: of the thickness, mm
# and as a share; of the density, as a share; of the completeness, in points.
RIM_MODEL_MM: Final = 0.06
RIM_MODEL_SHARE: Final = 0.06
RIM_DENSITY_SHARE: Final = 0.05
# A thinner rim hides its thickness in its blur: what it strays by then, mm, and what its
# density strays by, as a share.
THIN_RIM_MM: Final = 1.4
THIN_STRAYS_MM: Final = 0.2
THIN_DENSITY_SHARE: Final = 0.2
RIM_COVER_POINTS: Final = 2.5
THIN_RIM: Final = "thinner than its blur: thickness and density trade against each other"

PERIOSTEAL_METHOD: Final = Method(name="height over the cortex's inner edge", version="1")
PERIOSTEAL_NAMES: Final = ("periosteal_thickness", "periosteal_length")
PERIOSTEAL_MODEL_MM: Final = 0.2
LENGTH_MODEL_MM: Final = 0.9


def sclerotic_rim(volume: Volume, lesion: Mask) -> LesionReading:
    """Measure the dense border around a lucent lesion.

    Parameters
    ----------
    volume : Volume
        CT or cone beam CT.
    lesion : Mask
        The lucent lesion, its rim left out.

    Returns
    -------
    LesionReading
        sclerotic_rim_thickness (mm), mean_value of the rim (unit of the volume),
        sclerotic_rim_completeness (%).

    Raises
    ------
    OsteotraceError
        If the voxels of the mask are not those of the volume, or it is a single slice.
    """
    site = _Site(volume, lesion, _sources(volume, lesion))
    window = open_window(volume, lesion)
    try:
        _require_readable(volume, lesion)
        rim = read_rim(window)
    except NoBone as missing:
        return LesionReading(measurements=_refused(site, RIM_NAMES, str(missing)))
    flags = _flags(volume, window)
    try:
        layer = _rim_layer(site, rim, flags)
    except NoBone as missing:
        layer = _refused(site, RIM_NAMES[:2], str(missing))
    return LesionReading(
        measurements=(*layer, _completeness(site, rim, flags)), regions=(lesion,)
    )


@dataclass(frozen=True, slots=True)
class _Site:
    """What is read, and where from."""

    volume: Volume
    region: Mask
    sources: tuple[str, ...]


def _refused(site: _Site, names: tuple[str, ...], reason: str) -> tuple[Reading, ...]:
    method = PERIOSTEAL_METHOD if names == PERIOSTEAL_NAMES else RIM_METHOD
    return tuple(
        not_measured(name, reason, method=method, sources=site.sources) for name in names
    )


def _completeness(site: _Site, rim: Rim, flags: tuple[str, ...]) -> Reading:
    share, strays = jackknife(rim.cells, lambda keep: 100 * rim.cover(keep))
    u = float(np.hypot(strays, RIM_COVER_POINTS))
    reach = COVERAGE_FACTOR_95 * u
    return measured(
        RIM_NAMES[2],
        share,
        "%",
        method=RIM_METHOD,
        sources=site.sources,
        uncertainty=u,
        interval95=(max(0.0, share - reach), min(100.0, share + reach)),
        region=site.region.role,
        definition="share of the lesion's border with over half of the rim's usual "
        "excess density along the normal",
        flags=flags,
        details=(
            Detail("u strays", strays, "%"),
            Detail("u definition", RIM_COVER_POINTS, "%"),
        ),
    )


def _rim_layer(site: _Site, rim: Rim, flags: tuple[str, ...]) -> tuple[Reading, ...]:
    """Return the rim's thickness and density; NoBone without a rim."""
    if not rim.covered.any():
        raise NoBone(
            f"no rim: the border stands out from the bone around by {rim.excess:.0f}, "
            f"at least {rim.least:.0f} are needed"
        )
    width, u_width = jackknife(rim.cells, lambda keep: rim.fit(keep)[0])
    density, u_density = jackknife(rim.cells, lambda keep: rim.fit(keep)[1])
    thin = width < THIN_RIM_MM
    if thin:
        flags = (*flags, THIN_RIM)
    model = float(np.hypot(RIM_MODEL_MM, RIM_MODEL_SHARE * width))
    terms = {
        "u strays": u_width,
        "u definition": model,
        "u thin rim": THIN_STRAYS_MM if thin else 0.0,
    }
    share = THIN_DENSITY_SHARE if thin else RIM_DENSITY_SHARE
    u_model = share * abs(density - rim.bone)
    unit = site.volume.unit
    thickness = measured(
        RIM_NAMES[0],
        width,
        "mm",
        method=RIM_METHOD,
        sources=site.sources,
        uncertainty=float(np.linalg.norm(list(terms.values()))),
        region=site.region.role,
        definition="between two edges of equal blur, fitted with the rim's density to "
        "the mean profile across the covered border",
        flags=flags,
        details=[Detail(name, u, "mm") for name, u in terms.items()],
    )
    value = measured(
        RIM_NAMES[1],
        density,
        unit,
        method=RIM_METHOD,
        sources=site.sources,
        uncertainty=float(np.hypot(u_density, u_model)),
        region=site.region.role,
        definition="density of the rim from the fit of its thickness, free of partial "
        "volume",
        flags=flags,
        details=(
            Detail("u strays", u_density, unit),
            Detail("u definition", u_model, unit),
        ),
    )
    return thickness, value


def periosteal_reaction(volume: Volume, region: Mask) -> LesionReading:
    """Measure new bone on the outer surface of a cortex.

    Parameters
    ----------
    volume : Volume
        CT or cone beam CT.
    region : Mask
        Around the reaction, its outer surface included. Bare cortex of the same bone
        must lie in it or within `periosteum.FLANK_MM` of it.

    Returns
    -------
    LesionReading
        periosteal_thickness (mm): mean height of the new bone's outer surface over where
        the old cortex had it, lucent layers included; periosteal_length (mm).

    Raises
    ------
    OsteotraceError
        If the voxels of the mask are not those of the volume, or it is a single slice.
    """
    site = _Site(volume, region, _sources(volume, region))
    window = open_window(volume, region)
    try:
        _require_readable(volume, region)
        found = read_periosteum(window)
    except NoBone as missing:
        reason = str(missing)
        return LesionReading(measurements=_refused(site, PERIOSTEAL_NAMES, reason))
    flags = _flags(volume, window)
    height, strays = jackknife(found.cells, found.height)
    # Where an area ends between two voxels is anybody's guess: a rectangular one.
    u_voxel = float(window.spacing.max() / np.sqrt(12))

    def value(name: str, number: float, text: str, terms: dict[str, float]) -> Reading:
        return measured(
            name,
            number,
            "mm",
            method=PERIOSTEAL_METHOD,
            sources=site.sources,
            uncertainty=float(np.linalg.norm(list(terms.values()))),
            region=region.role,
            definition=text,
            flags=flags,
            details=[Detail(key, u, "mm") for key, u in terms.items()],
        )

    thickness = value(
        PERIOSTEAL_NAMES[0],
        height,
        "mean depth of the old cortex's inner edge under the outer surface, less its "
        "depth where the cortex is bare; lucent layers included",
        {
            "u strays": strays,
            "u bare cortex": found.bare_spread,
            "u definition": PERIOSTEAL_MODEL_MM,
        },
    )
    length = value(
        PERIOSTEAL_NAMES[1],
        found.length,
        f"extent along its longest axis of the area over {END_SHARE:.0%} as high",
        {"u definition": LENGTH_MODEL_MM, "u voxel": u_voxel},
    )
    return LesionReading(measurements=(thickness, length), regions=(region,))


def _sources(volume: Volume, region: Mask) -> tuple[str, ...]:
    return tuple(i.source for i in volume.slices_between(region.grid.corners()))


def _require_readable(volume: Volume, region: Mask) -> None:
    inside = region.voxels
    if min(np.ptp(np.argwhere(inside), axis=0)) < 1:
        raise NoBone(f"the region is one voxel thick ({int(inside.sum())} voxels)")
    box = volume.grid.box_around(region.grid.corners(), 0.0)
    bright = volume.rescaled(box)[region.on(volume.grid)[box]] > METAL_HU
    if bright.any():
        raise NoBone(f"metal in the region: {int(bright.sum())} voxels")


def _flags(volume: Volume, window: Window) -> tuple[str, ...]:
    flags = [*window.notes]
    if window.spacing[0] > THICK_SLICES_MM:
        flags.append(f"slices {window.spacing[0]:.1f} mm apart blur thin layers")
    if volume.unit != HOUNSFIELD:
        flags.append("uncalibrated grey values")
    return tuple(flags)
