"""New and dense bone around a lesion: its sclerotic rim, and reaction of the periosteum.

Both are read along the normals of a surface: the lesion's own for its rim, that of the
closed and filled bone for new bone on its cortex. Levels are the image's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.bone_envelope import (
    METAL_HU,
    STEP_MM,
    THICK_SLICES_MM,
    NoBone,
    Window,
    envelope,
    levels,
    open_window,
)
from osteotrace.measurements.cortical_surface import adjacency, areas, mesh, profiles
from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Detail,
    LesionReading,
    Method,
    measured,
    not_measured,
)
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.measurement import Reading
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

RIM_METHOD: Final = Method(name="rim along the lesion's normals", version="1")
RIM_NAMES: Final = (
    "sclerotic_rim_thickness",
    "mean_value",
    "sclerotic_rim_completeness",
)
# Profiles outwards from a lesion's border, and where they show lesion and bone, mm.
RIM_REACH_MM: Final = (-2.4, 6.6)
SAMPLE_MM: Final = 0.3
LESION_MM: Final = -1.2
BONE_MM: Final = 4.8
# Excess density of the rim lies within this of the border, mm.
RIM_WINDOW_MM: Final = (-1.5, 4.5)
# A rim stands out from the bone around by this share of the way to it from the lesion,
# and by this many HU or SDs of the bone's texture.
LEAST_RIM_HU: Final = 120.0
LEAST_RIM_SDS: Final = 3.0
# A place is covered where it has this share of the usual mass of the rim.
COVERED_SHARE: Final = 0.5
# A lesion with fewer border points than this is too small, as is one under this in mm.
LEAST_POINTS: Final = 60
# Groups that are left out in turn to see how far a value strays (jackknife).
GROUPS: Final = 10
# How far values stray on phantoms beyond that: of the thickness, mm and as a share; of
# the density and of the completeness, as shares of themselves and points.
RIM_MODEL_MM: Final = 0.06
RIM_MODEL_SHARE: Final = 0.06
RIM_DENSITY_SHARE: Final = 0.05
# A thinner rim hides its thickness in its blur: what it strays by then, mm, and what its
# density strays by, as a share.
THIN_RIM_MM: Final = 1.4
THIN_STRAYS_MM: Final = 0.2
THIN_DENSITY_SHARE: Final = 0.2
RIM_COVER_POINTS: Final = 2.5

PERIOSTEAL_METHOD: Final = Method(name="height over the cortex's inner edge", version="1")
PERIOSTEAL_NAMES: Final = ("periosteal_thickness", "periosteal_length")
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
PERIOSTEAL_MODEL_MM: Final = 0.2
LENGTH_MODEL_MM: Final = 0.9
# The reaction reaches as far as it has this share of its height: the closed envelope
# slopes down beyond its end.
END_SHARE: Final = 0.6


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
    sources = _sources(volume, lesion)
    window = open_window(volume, lesion)
    try:
        _require_readable(volume, lesion)
        rim = _read_rim(window)
    except NoBone as missing:
        reason = str(missing)
        return LesionReading(
            measurements=tuple(
                not_measured(n, reason, method=RIM_METHOD, sources=sources)
                for n in RIM_NAMES
            )
        )
    flags = _flags(volume, window)
    cover, u_cover = _jackknife(rim.cells, lambda keep: 100 * rim.cover(keep))
    u_cover = float(np.hypot(u_cover, RIM_COVER_POINTS))
    completeness = measured(
        RIM_NAMES[2],
        cover,
        "%",
        method=RIM_METHOD,
        sources=sources,
        uncertainty=u_cover,
        interval95=_within(cover, u_cover, 0.0, 100.0),
        region=lesion.role,
        definition="share of the lesion's border with over half of the rim's usual "
        "excess density along the normal",
        flags=flags,
    )
    if not rim.covered.any():
        reason = (
            f"no rim: the border stands out from the bone around by {rim.excess:.0f}, "
            f"at least {rim.least:.0f} are needed"
        )
        refused = [
            not_measured(n, reason, method=RIM_METHOD, sources=sources)
            for n in RIM_NAMES[:2]
        ]
        return LesionReading(measurements=(*refused, completeness), regions=(lesion,))
    try:
        width, u_width = _jackknife(rim.cells, lambda keep: rim.fit(keep)[0])
        density, u_density = _jackknife(rim.cells, lambda keep: rim.fit(keep)[1])
    except NoBone as missing:
        refused = [
            not_measured(n, str(missing), method=RIM_METHOD, sources=sources)
            for n in RIM_NAMES[:2]
        ]
        return LesionReading(measurements=(*refused, completeness), regions=(lesion,))
    sigma = rim.fit(rim.covered)[2]
    thin = width < THIN_RIM_MM
    if thin:
        flags = (*flags, "thinner than its blur: thickness and density trade against "
                 "each other")  # fmt: skip
    terms = (
        Detail("u strays", u_width, "mm"),
        Detail("u definition", float(np.hypot(RIM_MODEL_MM, RIM_MODEL_SHARE * width)),
               "mm"),
        Detail("u blur", THIN_STRAYS_MM if thin else 0.0, "mm"),
    )  # fmt: skip
    thickness = measured(
        RIM_NAMES[0],
        width,
        "mm",
        method=RIM_METHOD,
        sources=sources,
        uncertainty=float(np.linalg.norm([d.value for d in terms])),
        region=lesion.role,
        definition="between two edges of equal blur, fitted with the rim's density to "
        "the mean profile across the covered border",
        flags=flags,
        details=(*terms, Detail("blur", sigma, "mm")),
    )
    share = THIN_DENSITY_SHARE if thin else RIM_DENSITY_SHARE
    spread = share * abs(density - rim.bone)
    mean = measured(
        RIM_NAMES[1],
        density,
        volume.unit,
        method=RIM_METHOD,
        sources=sources,
        uncertainty=float(np.hypot(u_density, spread)),
        region=lesion.role,
        definition="density of the rim from the same fit, free of partial volume",
        flags=flags,
    )
    return LesionReading(measurements=(thickness, mean, completeness), regions=(lesion,))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rim:
    """Profiles across the border of a lesion."""

    values: Array
    t: Array
    area: Array
    covered: NDArray[np.bool_]
    cells: NDArray[np.intp]
    lesion: float
    bone: float
    excess: float
    least: float

    def cover(self, keep: NDArray[np.bool_]) -> float:
        """Return the share of the border that is covered."""
        whole = float(self.area[keep].sum())
        return float(self.area[keep & self.covered].sum()) / whole

    def fit(self, keep: NDArray[np.bool_]) -> tuple[float, float, float]:
        """Return thickness, density and blur of the mean covered profile."""
        from scipy.optimize import least_squares
        from scipy.special import ndtr

        chosen = keep & self.covered
        profile = np.average(self.values[chosen], axis=0, weights=self.area[chosen])
        t = self.t

        def left(p: Array) -> Array:
            start, log_width, log_sigma, density, inside, outside = p
            sigma = np.exp(log_sigma)
            first = ndtr((t - start) / sigma)
            second = ndtr((t - start - np.exp(log_width)) / sigma)
            model = inside + (density - inside) * first + (outside - density) * second
            return np.asarray(model - profile)

        top = float(profile.max())
        begin = [0.0, np.log(1.2), np.log(0.7), top * 1.1, self.lesion, self.bone]
        scale = [0.3, 0.3, 0.2, 100.0, 50.0, 50.0]
        found = least_squares(left, begin, x_scale=scale)
        width, sigma = float(np.exp(found.x[1])), float(np.exp(found.x[2]))
        if not (0.1 < width < RIM_WINDOW_MM[1] and 0.2 < sigma < 2.0):
            raise NoBone(f"the fitted rim of {width:.1f} mm is at the limit")
        return width, float(found.x[3]), sigma


def _read_rim(window: Window) -> _Rim:
    points, faces, normals = mesh(window.region, smoothing_mm=STEP_MM)
    if len(points) < LEAST_POINTS:
        raise NoBone(f"the lesion is too small: {len(points)} points on its border")
    t = np.arange(RIM_REACH_MM[0], RIM_REACH_MM[1] + 1e-9, SAMPLE_MM)
    values = profiles(window, points, normals, t)
    lesion = float(np.median(values[:, t <= LESION_MM]))
    around = values[:, t >= BONE_MM].mean(axis=1)
    bone = float(np.median(around))
    _, average = adjacency(faces, len(points))
    base = np.where(t < 0.0, lesion, bone)
    reach = (t >= RIM_WINDOW_MM[0]) & (t <= RIM_WINDOW_MM[1])
    mass = ((values - base) * reach).sum(axis=1) * SAMPLE_MM
    for _ in range(2):
        mass = average @ mass
    texture = 1.4826 * float(np.median(np.abs(around - bone)))
    least = max(LEAST_RIM_HU if window.unit == HOUNSFIELD else 0.0,
                LEAST_RIM_SDS * texture)  # fmt: skip
    usual = np.percentile(mass, 90)
    strong = mass >= 0.7 * usual
    expected = float(np.median(mass[strong]))
    excess = float(values[strong].mean(axis=0)[reach].max()) - max(bone, lesion)
    covered = mass > COVERED_SHARE * expected
    if excess < least:
        covered = np.zeros(len(points), dtype=bool)
    away = points - points.mean(axis=0)
    turn = np.arctan2(away[:, 1], away[:, 2]) / (2 * np.pi) + 0.5
    cells = np.minimum((turn * GROUPS).astype(int), GROUPS - 1)
    return _Rim(
        values=values,
        t=t,
        area=areas(points, faces, normals, 0.0),
        covered=covered,
        cells=cells,
        lesion=lesion,
        bone=bone,
        excess=excess,
        least=least,
    )


def periosteal_reaction(volume: Volume, region: Mask) -> LesionReading:
    """Measure new bone on the outer surface of a cortex.

    Parameters
    ----------
    volume : Volume
        CT or cone beam CT.
    region : Mask
        Around the reaction, its outer surface included. Bare cortex of the same bone
        must lie in it or within `FLANK_MM` of it.

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
    sources = _sources(volume, region)
    window = open_window(volume, region)
    try:
        _require_readable(volume, region)
        found = _read_periosteum(window)
    except NoBone as missing:
        reason = str(missing)
        return LesionReading(
            measurements=tuple(
                not_measured(n, reason, method=PERIOSTEAL_METHOD, sources=sources)
                for n in PERIOSTEAL_NAMES
            )
        )
    flags = _flags(volume, window)
    spacing = float(window.spacing.max())
    height, strays = _jackknife(found.cells, found.height)
    u_height = float(np.linalg.norm([strays, found.bare_spread, PERIOSTEAL_MODEL_MM]))
    u_length = float(np.hypot(LENGTH_MODEL_MM, spacing / np.sqrt(12)))

    def value(name: str, number: float, terms: dict[str, float], text: str) -> Reading:
        return measured(
            name,
            number,
            "mm",
            method=PERIOSTEAL_METHOD,
            sources=sources,
            uncertainty=float(np.linalg.norm(list(terms.values()))),
            region=region.role,
            definition=text,
            flags=flags,
            details=[Detail(key, u, "mm") for key, u in terms.items()],
        )

    return LesionReading(
        measurements=(
            value(
                PERIOSTEAL_NAMES[0],
                height,
                {
                    "u strays": strays,
                    "u bare cortex": found.bare_spread,
                    "u definition": PERIOSTEAL_MODEL_MM,
                },
                "mean depth of the old cortex's inner edge under the outer surface, less "
                "its depth where the cortex is bare, lucent layers included",
            ),
            value(
                PERIOSTEAL_NAMES[1],
                found.length,
                {"u definition": LENGTH_MODEL_MM, "u voxel": float(spacing / 12**0.5)},
                f"extent of that area along its longest axis (u {u_length:.1f}; "
                f"thickness u {u_height:.2f} mm)",
            ),
        ),
        regions=(region,),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Periosteum:
    """Heights of the outer surface over the old cortex, in the reaction's area."""

    heights: Array
    area: Array
    cells: NDArray[np.intp]
    length: float
    bare_spread: float

    def height(self, keep: NDArray[np.bool_]) -> float:
        """Return the mean height over the area."""
        return float(np.average(self.heights[keep], weights=self.area[keep]))


def _read_periosteum(window: Window) -> _Periosteum:
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
    t = np.arange(PERIOSTEAL_REACH_MM[0], PERIOSTEAL_REACH_MM[1] + 1e-9, SAMPLE_MM / 2)
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
    return _Periosteum(
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


def _jackknife(
    cells: NDArray[np.intp], value: Callable[[NDArray[np.bool_]], float]
) -> tuple[float, float]:
    """Return a value and how far it strays where a tenth of the places is left out."""
    whole = value(np.ones(len(cells), dtype=bool))
    rest = []
    for cell in range(GROUPS):
        keep = cells != cell
        if 0 < keep.sum() < len(cells):
            rest.append(value(keep))
    if len(rest) < 2:
        return whole, 0.0
    share = (len(rest) - 1) / len(rest)
    strays = np.sqrt(share * ((np.array(rest) - np.mean(rest)) ** 2).sum())
    return whole, float(strays)


def _within(value: float, u: float, low: float, high: float) -> tuple[float, float]:
    reach = COVERAGE_FACTOR_95 * u
    return max(low, value - reach), min(high, value + reach)


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
