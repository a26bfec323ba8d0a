"""The voxels of a marked region and what the image's own noise does to their mean.

Noise on CT and MR is correlated between voxels, so the SD over the square root of the
count is far too small. Here the autocovariance of the noise is read from homogeneous
blocks of the same image and summed over the pairs of voxels that the region really has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.noise import (
    AIR_CEILING_HU,
    homogeneous_blocks,
)
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

# Noise of CT and MR is correlated over less than this, mm (autocorrelation 1 to 1.6 mm
# wide at half maximum).
CORRELATION_REACH_MM: Final = 2.5
# Side of the blocks that noise is read from, mm: the small ones lie in one muscle or one
# vertebral body; the large ones say more, where they hold no structure.
BLOCKS_MM: Final = (8.0, 14.0)
# Blocks whose SD is over this many times that of smaller ones hold structure.
STRUCTURE_FACTOR: Final = 1.1
# A region says something of its own noise where it has more voxels than this.
LEAST_VOXELS: Final = 8
# Where more of a region's voxels than this lie at its border, they are flagged.
MOST_BORDER_SHARE: Final = 0.75
# Above this many voxels in the box of a region, its border does not matter to the pairs.
MOST_EXACT_VOXELS: Final = 2_000_000
# Without HU, blocks darker than this share of what is usual around the region are air.
TISSUE_SHARE: Final = 0.6
AROUND_MM: Final = 25.0
# Dense metal and its streaks; enamel ends near 3000 HU.
METAL_HU: Final = 2800.0
# Beyond this gap between slices a warning is due, mm (the jaw; clinical specification).
THICK_SLICES_MM: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionValues:
    """The voxels of a region, in the box that holds it.

    Parameters
    ----------
    inside : (slices, rows, columns) bool array
        The region within its box.
    values : (n,) float64
        Of its voxels, in the unit of the volume.
    box : (slice, row, column) ranges
        Of the volume.
    centre : (3,) float64
        LPS mm of its centroid.
    sources : tuple of str
        The images it was read from.
    """

    inside: NDArray[np.bool_]
    values: Array
    box: tuple[slice, slice, slice]
    centre: Array
    sources: tuple[str, ...]

    @property
    def count(self) -> int:
        """Voxels in the region."""
        return len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionNoise:
    """Noise of single voxels and how it carries over to its neighbours.

    Parameters
    ----------
    standard_deviation : float
        Of single voxels, in the unit of the volume.
    autocovariance : (slices, rows, columns) float64
        By lag in voxels, lag zero in the middle.
    origin : str
        Where it was read, in words.
    """

    standard_deviation: float
    autocovariance: Array
    origin: str

    def of_mean(self, inside: NDArray[np.bool_]) -> float:
        """Return the standard uncertainty of the mean over a region's voxels."""
        count = int(inside.sum())
        pairs = _pairs(inside, self._reach)
        variance = float((self.autocovariance * pairs).sum()) / count**2
        # A ramp-filtered image can have less noise at low frequencies than white noise
        # would; that gain is not claimed.
        return float(np.sqrt(max(variance, self.standard_deviation**2 / count)))

    @property
    def clump(self) -> float:
        """How many voxels move together: summed autocovariance over variance, >= 1."""
        if not self.standard_deviation > 0:
            return 1.0
        whole = float(self.autocovariance.sum())
        return max(1.0, whole / self.standard_deviation**2)

    @property
    def _reach(self) -> tuple[int, int, int]:
        a, b, c = (n // 2 for n in self.autocovariance.shape)
        return a, b, c


def read(volume: Volume, region: Mask) -> RegionValues:
    """Return the voxels of a region of a volume.

    Raises
    ------
    OsteotraceError
        If the region lives in another frame of reference, or its voxels are not voxels
        of the volume.
    """
    require_same_frame(volume.frame_of_reference_uid, region)
    whole = region.on(volume.grid)
    box = _box(whole)
    inside = whole[box]
    values = volume.rescaled(box)[inside]
    if not np.isfinite(values).all():
        raise OsteotraceError(
            f"voxels without a finite value in the region ({region.role})",
            expected="a finite number in every voxel of the region",
            advice="mark a region inside the scanned part of the volume",
        )
    start = [side.start for side in box]
    places = volume.grid.to_patient(np.argwhere(inside) + start)
    sources = tuple(image.source for image in volume.slices_between(places))
    return RegionValues(
        inside=inside,
        values=values,
        box=box,
        centre=np.asarray(places.mean(axis=0)),
        sources=sources,
    )


def require_same_frame(frame_of_reference_uid: str, *regions: Mask) -> None:
    """Refuse regions of another frame of reference than the given one.

    A region without a frame (from a file that has none) is taken by its voxels alone.

    Raises
    ------
    OsteotraceError
        If a region names another frame of reference.
    """
    for region in regions:
        own = region.frame_of_reference_uid
        if own and frame_of_reference_uid and own != frame_of_reference_uid:
            raise OsteotraceError(
                f"a region ({region.role}) in another frame of reference ({own})",
                expected=f"the frame of the image ({frame_of_reference_uid})",
                advice="register the two studies and transfer the region first",
            )


def noise_near(volume: Volume, region: RegionValues) -> RegionNoise | None:
    """Return the image's noise near a region.

    From homogeneous blocks of the image; without any, from the region itself, whose
    structure then counts as noise. None where neither says anything.
    """
    covariances = _block_covariances(volume, region)
    if covariances:
        covariance = np.mean(covariances, axis=0)
        origin = "homogeneous blocks of the image"
    elif region.count > LEAST_VOXELS:
        covariance = _region_covariance(volume, region)
        origin = "the region itself, its structure included"
    else:
        return None
    middle = tuple(n // 2 for n in covariance.shape)
    return RegionNoise(
        standard_deviation=float(np.sqrt(max(covariance[middle], 0.0))),
        autocovariance=covariance,
        origin=origin,
    )


def _block_covariances(volume: Volume, region: RegionValues) -> list[Array]:
    """Return the autocovariance of each homogeneous block near a region.

    Of the largest blocks that hold no more than noise: as quiet as small ones are.
    """
    found: list[Array] = []
    if len(volume.grid.origins) < 2:
        return found
    floor = _tissue_floor(volume, region)
    quiet = float("inf")
    for side in BLOCKS_MM:
        blocks = homogeneous_blocks(
            volume, region.centre, floor=floor, residual=float("inf"), block_mm=side
        )
        if not blocks.standard_deviation <= STRUCTURE_FACTOR * quiet:
            break
        new = [_block_covariance(volume, centre, side) for centre in blocks.centres]
        found = [covariance for covariance in new if covariance is not None] or found
        quiet = min(quiet, blocks.standard_deviation)
    return found


def _tissue_floor(volume: Volume, region: RegionValues) -> float:
    """Return the value below which a block counts as air, where noise is smaller."""
    if volume.unit == HOUNSFIELD:
        return AIR_CEILING_HU
    # A lesion can be far brighter than the tissue around it, or far darker.
    around = volume.grid.box_around(region.centre, AROUND_MM)
    usual = float(np.median(volume.rescaled(around)))
    return TISSUE_SHARE * min(usual, float(region.values.mean()))


def doubts(volume: Volume, region: RegionValues, what: str) -> Iterator[str]:
    """Yield what speaks against any number from a region.

    Parameters
    ----------
    what : str
        What the region is, in words, e.g. ``"region"``.
    """
    if region.count == 1:
        yield f"the {what} is a single voxel"
    border = border_share(region.inside)
    if region.count > 1 and border > MOST_BORDER_SHARE:
        yield (
            f"{100 * border:.0f} % of the {what}'s voxels lie at its border, where "
            "values mix with what lies outside (partial volume)"
        )
    gap = volume.grid.spacing[0]
    slices = int(region.inside.any(axis=(1, 2)).sum())
    if gap > THICK_SLICES_MM and slices < 3:
        yield f"the {what} spans {slices} slice(s) of {gap:.1f} mm: slices too thick"
    if len(volume.grid.origins) == 1:
        yield f"a single slice: what lies above and below the {what} is not seen"
    if not volume.grid.has_even_gaps:
        yield "unevenly spaced slices: each voxel counts the gap around its own slice"
    yield from metal_doubts(volume, region, what)


def metal_doubts(volume: Volume, region: RegionValues, what: str) -> Iterator[str]:
    """Yield that metal lies in or beside a region, on CT in HU."""
    if volume.unit != HOUNSFIELD:
        return
    box = grown_box(volume, region.box, 2)
    brightest = float(volume.rescaled(box).max())
    if float(region.values.max()) >= METAL_HU:
        yield f"metal in the {what} ({region.values.max():.0f} HU)"
    elif brightest >= METAL_HU:
        yield f"metal within two voxels of the {what} ({brightest:.0f} HU): streaks"


def grown_box(
    volume: Volume, box: tuple[slice, slice, slice], voxels: int
) -> tuple[slice, slice, slice]:
    """Return a box with some voxels more on every side, where the volume has them."""
    a, b, c = (
        slice(max(0, side.start - voxels), min(count, side.stop + voxels))
        for side, count in zip(box, volume.grid.shape, strict=True)
    )
    return a, b, c


def border_share(inside: NDArray[np.bool_]) -> float:
    """Return the share of a region's voxels with a neighbour (of six) outside it."""
    padded = np.pad(inside, 1)
    deep = padded.copy()
    for axis in range(3):
        for step in (-1, 1):
            deep &= np.roll(padded, step, axis=axis)
    return float(1 - deep.sum() / inside.sum())


def _box(whole: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    others = ((1, 2), (0, 2), (0, 1))
    a, b, c = (
        slice(int(where[0]), int(where[-1]) + 1)
        for where in (np.flatnonzero(whole.any(axis=axes)) for axes in others)
    )
    return a, b, c


def _reach(volume: Volume) -> tuple[int, int, int]:
    """Return how many voxels noise may be correlated over, along each axis."""
    spacing = np.nan_to_num(volume.grid.spacing, nan=np.inf)
    a, b, c = (max(1, round(CORRELATION_REACH_MM / mm)) for mm in spacing)
    return a, b, c


def _block_covariance(volume: Volume, centre: Array, side: float) -> Array | None:
    """Return the autocovariance of the homogeneous block around an LPS mm point."""
    size = np.maximum(np.round(side / volume.grid.spacing).astype(int), 3)
    start = np.round(volume.grid.to_index(centre) - (size - 1) / 2).astype(int)
    reach = _reach(volume)
    if (size <= np.array(reach)).any():
        return None
    a, b, c = (slice(int(i), int(i + n)) for i, n in zip(start, size, strict=True))
    block = volume.rescaled((a, b, c))
    terms = _trend_terms(block.shape)
    rest = block - sum(float((block * term).sum()) * term for term in terms)
    pairs = _pairs(np.ones(rest.shape, dtype=bool), reach)
    covariance = _correlated(rest, reach) / pairs
    # The trend took some of the noise with it: give back what it takes on average.
    taken = sum(_correlated(term, reach) for term in terms) / pairs
    whole = float(covariance.sum()) / max(1 - float(taken.sum()), 0.25)
    return np.asarray(covariance + max(whole, 0.0) * taken)


def _region_covariance(volume: Volume, region: RegionValues) -> Array:
    """Return the autocovariance of a region's own values around their mean."""
    reach = _reach(volume)
    rest = np.zeros(region.inside.shape)
    rest[region.inside] = region.values - region.values.mean()
    pairs = np.maximum(_pairs(region.inside, reach), 1.0)
    return np.asarray(_correlated(rest, reach) / pairs)


def _trend_terms(shape: tuple[int, ...]) -> list[Array]:
    """Return a constant and a slope along each axis, of length one, over a block."""
    terms = [np.full(shape, 1.0)]
    for axis, count in enumerate(shape):
        form = [1, 1, 1]
        form[axis] = count
        line = np.arange(count) - 0.5 * (count - 1)
        terms.append(np.broadcast_to(line.reshape(form), shape))
    lengths = [float(np.sqrt((term * term).sum())) for term in terms]
    return [t / length for t, length in zip(terms, lengths, strict=True) if length > 0]


def _pairs(inside: NDArray[np.bool_], reach: tuple[int, int, int]) -> Array:
    """Return how many pairs of a region's voxels lie at each lag."""
    if inside.size > MOST_EXACT_VOXELS:
        return np.full([2 * n + 1 for n in reach], float(inside.sum()))
    return np.asarray(np.round(_correlated(inside.astype(np.float64), reach)))


def _correlated(field: Array, reach: tuple[int, int, int]) -> Array:
    """Return the sum of products at each lag up to a reach, lag zero in the middle."""
    from scipy import fft

    size = [n + r for n, r in zip(field.shape, reach, strict=True)]
    spectrum = fft.rfftn(field, size)
    summed = fft.irfftn(np.abs(spectrum) ** 2, size)
    lags = [np.arange(-r, r + 1) % n for r, n in zip(reach, size, strict=True)]
    return np.asarray(summed[np.ix_(*lags)])
