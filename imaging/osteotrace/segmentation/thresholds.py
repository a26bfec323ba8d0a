"""The grey value that parts bone from soft tissue, taken from the image itself.

Half way between the soft tissue around a region and the region's own bone: it follows
scanner, kernel, dose and the density of the bone, where a fixed HU errs with each of
them (a plate's thickness by up to 0.8 mm). Nothing here is a measurement of density.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.segmentation import marked
from osteotrace.segmentation.smoothing import smoothed
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

METHOD: Final = "self-referenced bone threshold"
VERSION: Final = "1"
# The bone's own plateau: this percentile of its voxels, which a shell of partial volume
# around thin cortex does not reach (shared definition of the moth-eaten index).
BONE_PERCENTILE: Final = 75.0
# Soft tissue is looked for this far around the region, mm.
AROUND_MM: Final = 10.0
# On CT no soft tissue and no fat is darker, HU; elsewhere air ends at this share of the
# way from the image's darkest voxels to the threshold.
AIR_CEILING_HU: Final = -300.0
AIR_SHARE: Final = 0.15
DARKEST_PERCENTILE: Final = 0.5
MOST_CUT_SHARE: Final = 0.1
# Bone stands out from soft tissue by this much: more than muscle from fat (some 160 HU),
# less than osteoporotic cortex; and by this many times the spread of soft tissue.
LEAST_CONTRAST_HU: Final = 200.0
LEAST_CONTRAST_SPREADS: Final = 5.0
# Fewer voxels of bone have no percentile of their own.
LEAST_BONE_VOXELS: Final = 30
LEAST_SOFT_VOXELS: Final = 100
# Denser than enamel, HU: metal. It and what it shines on within this reach stay out.
METAL_HU: Final = 3000.0
METAL_REACH_MM: Final = 3.0
# More of the bone than this near metal, and what is left speaks for nothing.
MOST_METAL_SHARE: Final = 0.5
# Bins in which the commonest soft-tissue value is looked for.
HISTOGRAM_BINS: Final = 512
# Soft tissue ends at the threshold, and the threshold follows soft tissue: so often.
SOFT_TISSUE_ROUNDS: Final = 3
# The level is found when a further round moves it by less than this share of that way.
SETTLED_SHARE: Final = 1e-4
MOST_ROUNDS: Final = 100
# Noise is smoothed away with this sigma before bone is marked, mm.
SMOOTHING_MM: Final = 0.5


class BoneThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """A bone threshold with all it was found from.

    Parameters
    ----------
    level : float
        Voxels at or above it are bone, in `unit`.
    soft_tissue, bone : float
        The two values that it lies half way between.
    unit : str
        UCUM unit of the values of the image.
    soft_tissue_spread : float
        Standard deviation of the soft tissue's own peak of values.
    bone_voxels : int
        How many voxels of the region the percentile was taken of.
    definition : str
        How it was found, in words with the numbers.
    notes : tuple of str
        What is to be doubted: grey values that are no HU, metal left out.
    method, version : str
        Name and version of the method.
    """

    level: float
    soft_tissue: float
    bone: float
    unit: str
    soft_tissue_spread: float
    bone_voxels: int
    definition: str
    notes: tuple[str, ...] = ()
    method: str = METHOD
    version: str = VERSION


def bone_threshold(
    volume: Volume, region: Mask, *, percentile: float = BONE_PERCENTILE
) -> BoneThreshold:
    """Return the threshold of the bone in a region, found in the image itself.

    Half way between two values that are found together: the commonest value of the soft
    tissue within `AROUND_MM` of the region, and a percentile of the region's voxels at
    or above the threshold itself, the least that is so.

    Parameters
    ----------
    volume : Volume
        CT, or cone beam CT, whose grey values are no HU: the notes say so.
    region : Mask
        Where the bone is looked for; it holds bone, and may hold anything else.
    percentile : float
        Of the bone's own voxels.

    Raises
    ------
    OsteotraceError
        On MR; where the region holds no bone or next to none, is off the image, or is
        spoiled by metal.
    """
    if volume.identity.modality == "MR":
        raise OsteotraceError(
            "an MR image",
            expected="CT or cone beam CT, on which bone is brighter than soft tissue",
            advice="mark the bone by hand, or take a segmentation of it",
        )
    if not 0 < percentile < 100:
        raise OsteotraceError(
            f"the percentile {percentile}",
            expected="a percentile of the bone's voxels, between 0 and 100",
            advice="correct the percentile",
            usage=True,
        )
    own = region.on(volume.grid)
    window = volume.grid.box_around(region.grid.corners(), AROUND_MM)
    values, inside = volume.rescaled(window), own[window]
    clean, notes = _without_metal(volume, values, inside)
    clean &= np.isfinite(values)
    around, bone = values[clean], values[clean & inside]
    darkest = float(np.nanpercentile(_middle_slice(volume), DARKEST_PERCENTILE))
    found = _settled(around, bone, volume, darkest, percentile)
    _check(found, volume)
    if volume.unit != HOUNSFIELD:
        notes = (*notes, "the threshold is of uncalibrated grey values, not of HU")
    return BoneThreshold(
        level=found.level,
        soft_tissue=found.soft,
        bone=found.bone,
        unit=volume.unit,
        soft_tissue_spread=found.spread,
        bone_voxels=found.count,
        definition=_definition(found, volume, percentile),
        notes=notes,
    )


def bone(
    volume: Volume,
    region: Mask,
    *,
    threshold: BoneThreshold | None = None,
    smoothing_mm: float = SMOOTHING_MM,
    role: str = "bone",
) -> tuple[Mask, BoneThreshold]:
    """Return the bone in a region, and the threshold that marked it.

    Parameters
    ----------
    volume, region
        As in `bone_threshold`.
    threshold : BoneThreshold, optional
        One found before, on the other side say; else that of the region.
    smoothing_mm : float
        Sigma of the Gaussian that the image is smoothed with before it is compared with
        the threshold; 0 for none. Slices that are unevenly spaced are not smoothed.
    role : str
        What the voxels are within their finding.

    Raises
    ------
    OsteotraceError
        As in `bone_threshold`, or if no voxel reaches the threshold.
    """
    found = threshold or bone_threshold(volume, region)
    own = region.on(volume.grid)
    window = volume.grid.box_around(region.grid.corners(), 4 * smoothing_mm)
    values = smoothed(volume, window, smoothing_mm)
    voxels = own[window] & (values >= found.level)
    if not voxels.any():
        raise _no_bone(f"no voxel of {found.level:.0f} or more in the region")
    return marked.in_window(volume, voxels, window, role=role), found


class _Found(msgspec.Struct, frozen=True):
    level: float
    soft: float
    bone: float
    spread: float
    count: int


def _definition(found: _Found, volume: Volume, percentile: float) -> str:
    what = "HU" if volume.unit == HOUNSFIELD else "grey value"
    return (
        f"half way between the commonest soft-tissue value within {AROUND_MM:g} mm of "
        f"the region ({found.soft:.0f} {what}) and the {percentile:g}th percentile of "
        f"the region's {found.count} voxels at or above the threshold "
        f"({found.bone:.0f} {what})"
    )


def _middle_slice(volume: Volume) -> Array:
    """Return the values of the slice in the middle, which as a rule shows air."""
    middle = volume.grid.shape[0] // 2
    return volume.rescaled((slice(middle, middle + 1), slice(None), slice(None)))


def _without_metal(
    volume: Volume, values: Array, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return the voxels that metal has not spoiled, and what is to be said of it."""
    every = np.ones(values.shape, dtype=bool)
    metal = values >= METAL_HU
    if volume.unit != HOUNSFIELD or not metal.any():
        return every, ()
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(metal.astype(np.uint8))
    image.SetSpacing(np.nan_to_num(volume.grid.spacing, nan=1.0)[::-1].tolist())
    away = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    )
    clean = np.asarray(away > METAL_REACH_MM)
    lost = 1 - (clean & inside).sum() / inside.sum()
    if lost > MOST_METAL_SHARE:
        raise OsteotraceError(
            f"metal in or beside {100 * lost:.0f} % of the region",
            expected=f"at most {100 * MOST_METAL_SHARE:.0f} % of it within "
            f"{METAL_REACH_MM:g} mm of metal ({METAL_HU:.0f} HU or more)",
            advice="mark the bone beside the metal by hand, or measure away from it",
        )
    cube = float(np.prod(np.nan_to_num(volume.grid.spacing, nan=1.0)))
    return clean, (
        f"metal ({metal.sum() * cube:.0f} mm³ of {METAL_HU:.0f} HU or more) and what "
        f"lies within {METAL_REACH_MM:g} mm of it left out of the bone threshold",
    )


def _settled(
    around: Array, region: Array, volume: Volume, darkest: float, percentile: float
) -> _Found:
    """Return the level at which soft tissue and bone define each other."""
    level = _otsu(_without_air(around, volume, darkest, float(np.max(around, initial=0))))
    found = _Found(level, np.nan, np.nan, np.nan, 0)
    ordered = np.sort(region)
    for _ in range(SOFT_TISSUE_ROUNDS):
        tissue = _without_air(around[around < level], volume, darkest, level)
        if len(tissue) < LEAST_SOFT_VOXELS:
            return found
        soft, spread = _commonest(tissue)
        lowest = soft + _least_contrast(volume, spread) / 2
        level, bone, count = _half_way(ordered, soft, lowest, percentile)
        found = _Found(level, soft, bone, spread, count)
        if count < LEAST_BONE_VOXELS:
            return msgspec.structs.replace(found, soft=np.nan)
    return found


def _half_way(
    region: Array, soft: float, lowest: float, percentile: float
) -> tuple[float, float, int]:
    """Return the least level half way to a percentile of the values that reach it.

    From below, each round's level is no lower than the last one's: the least level that
    stays is found, whatever the mixture of cortex and trabecular bone.
    """
    level, bone, count = lowest, np.nan, 0
    for _ in range(MOST_ROUNDS):
        first = int(np.searchsorted(region, level))
        count = len(region) - first
        if count < LEAST_BONE_VOXELS:
            break
        bone = float(np.percentile(region[first:], percentile))
        moved = (soft + bone) / 2
        if abs(moved - level) <= SETTLED_SHARE * (bone - soft):
            break
        level = moved
    return level, bone, count


def _without_air(values: Array, volume: Volume, darkest: float, level: float) -> Array:
    """Return the values that are no air."""
    if volume.unit == HOUNSFIELD:
        return values[values > AIR_CEILING_HU]
    ceiling = darkest + AIR_SHARE * (level - darkest)
    above = values > ceiling
    # Air lies far below the ceiling. Where much lies right below it, there is no air in
    # the image, and the ceiling would cut soft tissue.
    near = ~above & (values > ceiling - AIR_SHARE * (level - darkest) / 2)
    return values if near.sum() > MOST_CUT_SHARE * above.sum() else values[above]


def _otsu(values: Array) -> float:
    """Return Otsu's threshold of values, extremes left out."""
    import SimpleITK as sitk

    if len(values) < LEAST_SOFT_VOXELS:
        raise _no_bone(f"{len(values)} voxels of tissue")
    low, high = np.percentile(values, [0.1, 99.9])
    image = sitk.GetImageFromArray(np.clip(values, low, high)[None])
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.SetNumberOfHistogramBins(256)
    otsu.Execute(image)
    return float(otsu.GetThreshold())


def _commonest(values: Array) -> tuple[float, float]:
    """Return the commonest value and the spread around it, fat and edges left aside.

    The top of the histogram, smoothed by half the spread of its own peak.
    """
    from scipy.ndimage import gaussian_filter1d

    low, high = float(values.min()), float(values.max())
    step = max((high - low) / HISTOGRAM_BINS, 1e-9)
    heights, edges = np.histogram(values, bins=HISTOGRAM_BINS, range=(low, high))
    middles = (edges[1:] + edges[:-1]) / 2
    # Wide enough that bins of few voxels do not make the top, narrow beside any peak.
    sigma = 2.0 * step
    for _ in range(2):
        smooth = gaussian_filter1d(heights.astype(np.float64), sigma / step)
        top = int(np.argmax(smooth))
        sigma = max(_half_width(smooth, top) * step / 1.177, step) / 2
    spread = 2 * sigma
    near = np.abs(values - middles[top]) <= spread
    return float(np.mean(values[near])), spread


def _half_width(heights: Array, top: int) -> float:
    """Return the lesser way from a top to half its height, in bins."""
    above = heights >= heights[top] / 2
    right = np.flatnonzero(~above[top:])
    left = np.flatnonzero(~above[top::-1])
    reaches = [float(side[0]) for side in (left, right) if len(side)]
    return min(reaches, default=float(len(heights)))


def _check(found: _Found, volume: Volume) -> None:
    """Refuse a level that nothing but noise or fat lies below."""
    if np.isnan(found.soft):
        raise _no_bone(
            f"{found.count} voxels at or above {found.level:.0f}, or no soft tissue there"
        )
    contrast = found.bone - found.soft
    if contrast < _least_contrast(volume, found.spread):
        raise _no_bone(
            f"a step of {contrast:.0f} from soft tissue ({found.soft:.0f} ± "
            f"{found.spread:.0f}) to the brightest quarter"
        )


def _least_contrast(volume: Volume, spread: float) -> float:
    least = LEAST_CONTRAST_HU if volume.unit == HOUNSFIELD else 0.0
    return max(least, LEAST_CONTRAST_SPREADS * spread)


def _no_bone(found: str) -> OsteotraceError:
    return OsteotraceError(
        f"no bone in the region ({found})",
        expected=f"bone that stands out from soft tissue by {LEAST_CONTRAST_HU:.0f} HU, "
        f"and by {LEAST_CONTRAST_SPREADS:g} times the spread of soft tissue",
        advice="mark a region that holds bone and some soft tissue",
    )
