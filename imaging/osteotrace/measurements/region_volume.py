"""The volume of a marked region, with what its border leaves uncertain.

A region is a set of whole voxels, its border a surface that runs between them. The voxel
sum, which can be corrected for the blur of a curved border, carries four uncertainties:
the grid's place, the noise at the border, that blur, and how far the region's border lies
from the half-way surface of the image; flat faces along the grid are a fifth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.measurement import Detail
from osteotrace.measurements.region_values import grown_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.region_values import RegionNoise, RegionValues
    from osteotrace.volume import Volume

# Sigma of an image's own blur in the plane, in pixels: an image sampled at its
# resolution has a full width at half maximum of 1.2 pixels.
BLUR_PIXELS: Final = 0.5
# Spread of a voxel sum against the grid's place, in units of radius times squared
# spacing: 0.33 for a Cavalieri sum over a ball, 0.2 to 0.4 for edema phantoms.
GRID_SHARE: Final = 0.3
# Surroundings are read between these distances outside a region, mm.
COLLAR_MM: Final = (2.0, 5.0)
# A border this many times the noise's SD high can be seen.
LEAST_CONTRAST: Final = 3.0
# Half the band of grey values around the half-way level that counts as the border, as a
# share of the contrast.
BORDER_BAND: Final = 0.15
# A region without a visible border is drawn to about this share of a voxel.
BLIND_CONTOUR_VOXELS: Final = 0.5
NO_THICKNESS: Final = "a single slice has no thickness: no volume without a second slice"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionVolume:
    """A volume and what is behind it.

    Parameters
    ----------
    value : float
        mm³, corrected for the blur of its curved border where that was asked for.
    uncertainty : float
        Standard uncertainty, mm³.
    terms : tuple of Detail
        Terms of the uncertainty and the correction.
    level : float
        Grey value half way between region and surroundings; NaN without a border.
    half_way : float
        mm³ within the half-way surface near the region; NaN without a border.
    surface : float
        mm², of a region of the same volume and as long a border.
    """

    value: float
    uncertainty: float
    terms: tuple[Detail, ...]
    level: float
    half_way: float
    surface: float


def voxel_volumes(volume: Volume, region: RegionValues) -> Array:
    """Return the mm³ of each voxel of a region; uneven slices reach half way to others.

    (n,) float64.
    """
    grid = volume.grid
    heights = grid.slice_positions
    if len(heights) == 1:
        return np.full(region.count, np.nan)
    thickness = np.gradient(heights)
    slices = np.nonzero(region.inside)[0] + region.box[0].start
    return np.asarray(thickness[slices] * float(np.prod(grid.pixel_spacing)))


def of_region(
    volume: Volume,
    region: RegionValues,
    noise: RegionNoise | None,
    within: NDArray[np.bool_] | None = None,
    *,
    corrected: bool = True,
) -> RegionVolume:
    """Return the volume of a region whose border is seen in the image.

    Parameters
    ----------
    volume : Volume
        At least two slices.
    region : RegionValues
    noise : RegionNoise or None
    within : (slices, rows, columns) bool array of the whole volume, optional
        Where the surroundings are read, such as the bone unit.
    corrected : bool
        For the blur of a curved border. False for the voxel sum as it is: a region that
        was drawn need not follow what is seen, so all of the blur is uncertain.
    """
    counted = float(voxel_volumes(volume, region).sum())
    voxel = counted / region.count
    spacing = volume.grid.spacing
    radius = (3 * counted / (4 * np.pi)) ** (1 / 3)
    surface = max(surface_mm2(region.inside, spacing), 4 * np.pi * radius**2)
    # A longer border than a ball's: as many more places where the grid matters.
    reach = surface / (4 * np.pi * radius)
    correction = blur_squared(spacing) * 4 * np.pi * reach
    border = _Border.read(volume, region, within)
    sd = 0.0 if noise is None else noise.standard_deviation
    seen = border is not None and border.contrast > LEAST_CONTRAST * sd
    terms = {
        "u voxel": grid_uncertainty(counted, spacing, surface),
        "u curvature": 0.5 * correction if corrected else correction,
    }
    if not corrected:
        terms["u flat faces"] = flat_faces_uncertainty(volume, region)
    level, half_way = float("nan"), float("nan")
    if border is not None and seen:
        level, half_way = border.level, border.half_way * voxel
        terms["u noise"] = voxel * border.noise(sd, 1.0 if noise is None else noise.clump)
        terms["u contour"] = abs(half_way - counted)
    else:
        blind = BLIND_CONTOUR_VOXELS * voxel ** (1 / 3)
        terms["u contour"] = surface * blind
    details = [Detail(name, float(value), "mm3") for name, value in terms.items()]
    if corrected:
        details.append(Detail("correction for blur", correction, "mm3"))
        details.append(Detail("voxel sum", counted, "mm3"))
    return RegionVolume(
        value=counted + correction if corrected else counted,
        uncertainty=float(np.sqrt(sum(value**2 for value in terms.values()))),
        terms=tuple(details),
        level=level,
        half_way=half_way,
        surface=surface,
    )


def grid_uncertainty(volume: float, spacing: Array, surface: float = 0.0) -> float:
    """Return what the grid's place does to a voxel sum, mm³.

    Parameters
    ----------
    volume : float
        mm³.
    spacing : (3,) float64
        mm between slices, rows and columns.
    surface : float
        mm²; that of a ball of the same volume at least.
    """
    radius = (3 * volume / (4 * np.pi)) ** (1 / 3)
    reach = max(surface / (4 * np.pi * radius), radius)
    return float(GRID_SHARE * reach * np.sqrt((spacing**4).sum()))


def flat_faces_uncertainty(volume: Volume, region: RegionValues) -> float:
    """Return what flat faces along the grid do to a voxel sum, mm³.

    Voxels of a face that follows the grid are all in or all out: as a whole it lies
    anywhere within one voxel. A box has six, a mask cut off at a slice has one; a face
    is flat where it is larger than any of a ball of the same volume.
    """
    grid = volume.grid
    each = np.zeros(region.inside.shape)
    each[region.inside] = voxel_volumes(volume, region)
    radius = (3 * float(each.sum()) / (4 * np.pi)) ** (1 / 3)
    variance = 0.0
    for axis, spacing in enumerate(grid.spacing):
        padded = np.pad(each, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        steps = np.diff(padded > 0, axis=axis)
        lower, upper = (np.delete(padded, end, axis=axis) for end in (-1, 0))
        of_ball = 2 * np.pi * radius * spacing**2
        for begins in (True, False):
            side = upper if begins else lower
            others = tuple(a for a in range(3) if a != axis)
            faces = np.where(steps & (side > 0), side, 0.0).sum(axis=others)
            variance += float((faces[faces > of_ball] ** 2).sum()) / 12
    return float(np.sqrt(variance))


def blur_squared(spacing: Array) -> float:
    """Return the mean variance of an image's blur, mm²: its own and the voxel's box.

    A curved border seen through it moves inwards by this over its radius.
    """
    own = BLUR_PIXELS**2 * float(np.prod(spacing[1:]))
    return own + float((spacing**2).mean()) / 12


def surface_mm2(inside: NDArray[np.bool_], spacing: Array) -> float:
    """Return the surface of a region by Crofton's formula (SimpleITK), mm²."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.pad(inside, 1).astype(np.uint8))
    image.SetSpacing([float(mm) for mm in spacing[::-1]])
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputePerimeterOn()
    shape.Execute(image)
    return float(shape.GetPerimeter(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Border:
    """The image at the border of a region.

    Parameters
    ----------
    level, contrast : float
        Half-way grey value, and the step between region and surroundings, unsigned.
    half_way : float
        Voxels beyond the level, among those inside or beside the region.
    slope : float
        Voxels that cross the level for each unit of grey value it moves.
    doubt : float
        Standard uncertainty of the level where voxels are independent.
    """

    level: float
    contrast: float
    half_way: float
    slope: float
    doubt: float

    @classmethod
    def read(
        cls, volume: Volume, region: RegionValues, within: NDArray[np.bool_] | None
    ) -> _Border | None:
        """Read the border; None where the surroundings have too few voxels."""
        spacing = volume.grid.spacing
        margin = int(np.ceil(COLLAR_MM[1] / float(spacing.min()))) + 1
        box = grown_box(volume, region.box, margin)
        inside = _in_box(region, box)
        image = volume.rescaled(box)
        away = _distance(inside, spacing)
        collar = (away > COLLAR_MM[0]) & (away <= COLLAR_MM[1])
        if within is not None:
            collar &= within[box]
        core = image[deepest_fifth(inside, spacing)]
        if collar.sum() < 8:
            return None
        around = image[collar]
        high, low = float(np.median(core)), float(np.median(around))
        level, contrast = 0.5 * (high + low), abs(high - low)
        sign = 1.0 if high > low else -1.0
        near = away <= 1.01 * float(np.linalg.norm(spacing[1:]))
        beside = near & (within[box] if within is not None else True)
        beyond = sign * (image - level)
        band = beside & (np.abs(beyond) < BORDER_BAND * contrast)
        tops = (core.std() / core.size**0.5, around.std() / around.size**0.5)
        return cls(
            level=level,
            contrast=contrast,
            # Deep voxels on the wrong side of the level are holes, not border.
            half_way=float((beside & ((beyond > 0) | (away < -COLLAR_MM[0]))).sum()),
            slope=float(band.sum()) / max(2 * BORDER_BAND * contrast, 1e-9),
            doubt=0.5 * float(np.hypot(*tops)),
        )

    def noise(self, sd: float, clump: float) -> float:
        """Return how many voxels noise and an uncertain level move across the border."""
        # Voxels within the noise of the level fall on either side: Σ p(1 − p) = slope
        # × SD / √π; neighbours along the border fall together.
        flips = self.slope * sd / np.sqrt(np.pi) * clump
        return float(np.hypot(np.sqrt(flips), self.slope * self.doubt * clump**0.5))


def deepest_fifth(inside: NDArray[np.bool_], spacing: Array) -> NDArray[np.bool_]:
    """Return the fifth of a region that lies deepest, away from its soft border."""
    depth = -_distance(inside, spacing)
    return np.asarray(inside & (depth >= np.quantile(depth[inside], 0.8)))


def _in_box(region: RegionValues, box: tuple[slice, slice, slice]) -> NDArray[np.bool_]:
    whole = np.zeros([side.stop - side.start for side in box], dtype=bool)
    a, b, c = (
        slice(own.start - side.start, own.stop - side.start)
        for own, side in zip(region.box, box, strict=True)
    )
    whole[a, b, c] = region.inside
    return whole


def _distance(inside: NDArray[np.bool_], spacing: Array) -> Array:
    """Return the mm from the border voxels' centres, negative inside (SimpleITK)."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    image.SetSpacing([float(mm) for mm in spacing[::-1]])
    away = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return np.asarray(sitk.GetArrayFromImage(away), dtype=np.float64)
