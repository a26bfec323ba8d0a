"""The bone of a marked region, split into separate pieces.

The threshold is taken from the image itself, low, on an image sharpened by the blur that
scanners have; the pieces are its 26-connected parts, parted at their necks by a watershed
of the distance map and joined again wherever no lucent gap runs through the neck. What is
a fragment among them is judged elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.volume import HOUNSFIELD
from osteotrace.volume.resampling import rectilinear_affine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

    Values = NDArray[np.float32]

# Image around the region: host bone for the reference, and a collar of every piece.
MARGIN_MM: Final = 6.0
# Voxels are divided into whole parts of about this size, mm.
LATTICE_MM: Final = 0.5
# Blur that is undone, in so many steps of Van Cittert, before pieces are told apart.
SHARPENING_SIGMA_MM: Final = 0.6
SHARPENING_STEPS: Final = 2
# Share of the way from lucent to bone that counts as bone here.
LOW_SHARE: Final = 0.35
# A neck is a neck where the distance map falls by this much, mm.
WATERSHED_LEVEL_MM: Final = 0.25
# A neck whose brightest tenth reaches this share of the fainter piece is bone.
BRIDGE_SHARE: Final = 0.75
BRIDGE_QUANTILE: Final = 0.9
# The core of a piece reaches this share of its brightest tenth.
CORE_SHARE: Final = 0.75
# A smaller piece is a speck of noise or of texture, mm3.
LEAST_MM3: Final = 4.0
# Below this HU is air.
AIR_HU: Final = -300.0
# Without HU: the lowest of three classes is air where it lies this far below the next
# one, in steps from the middle one to the highest.
AIR_STEP: Final = 0.35
# Sharpened values over this share are bone beyond doubt; its quantile is the reference.
SURE_SHARE: Final = 0.6
REFERENCE_QUANTILE: Final = 0.75


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """The image around a region on a lattice that divides its voxels.

    Parameters
    ----------
    volume : Volume
        The image that was marked.
    native : Volume
        Its crop, on a rectilinear grid.
    resampled : bool
        True where ``native`` had to be resampled (tilted or uneven stacks).
    parts : (slice, row, column)
        Into how many each voxel is divided.
    grid : Grid
        Of the lattice: every ``parts``-th point is a voxel of ``native``.
    values : (slices, rows, columns) float32
        Interpolated linearly, in the unit of the volume.
    inside : (slices, rows, columns) bool
        Whether a point lies in the region; the outermost layer never does.
    """

    volume: Volume
    native: Volume
    resampled: bool
    parts: tuple[int, int, int]
    grid: Grid
    values: Values
    inside: NDArray[np.bool_]

    @property
    def steps(self) -> Array:
        """Return the mm between points, (slice, row, column)."""
        return self.grid.spacing

    def nearest(self, volume_grid: Grid) -> NDArray[np.intp]:
        """Return the (slices, rows, columns, 3) index nearest to each point."""
        index = np.moveaxis(np.indices(self.grid.shape), 0, -1)
        return np.round(volume_grid.to_index(self.grid.to_patient(index))).astype(np.intp)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """Bone around a region, piece by piece.

    Parameters
    ----------
    lattice : Lattice
    lucent, bone : float
        Reference values of lucent tissue and of the bone around, unit of the volume.
    sharp : (slices, rows, columns) float32
        The sharpened image, 0 at the lucent and 1 at the bone reference.
    labels : (slices, rows, columns) int32
        Number of the piece, 0 where there is no bone, or a speck of it only.
    """

    lattice: Lattice
    lucent: float
    bone: float
    sharp: Values
    labels: NDArray[np.int32]

    def enclosed(self) -> NDArray[np.int32]:
        """Return the numbers of the pieces that lie wholly inside the region."""
        outside = np.unique(self.labels[~self.lattice.inside])
        known = np.unique(self.labels)
        return np.setdiff1d(known, np.append(outside, 0)).astype(np.int32)

    def cut(self) -> NDArray[np.int32]:
        """Return the numbers of the pieces that lie partly inside the region.

        What goes on to the border of the lattice, or all around the region, may be the
        host bone, and is none.
        """
        inside, labels = self.lattice.inside, self.labels
        sizes = np.bincount(labels[inside], minlength=1)
        within = np.flatnonzero(sizes * float(np.prod(self.lattice.steps)) >= LEAST_MM3)
        parted = np.intersect1d(within, np.unique(labels[~inside]))
        core = np.zeros(labels.shape, dtype=bool)
        core[1:-1, 1:-1, 1:-1] = True
        loose = np.setdiff1d(parted, np.append(np.unique(labels[~core]), 0))
        low, high = _ends(inside)
        around = []
        for number in loose:
            first, last = _ends(labels == number)
            if (first <= low).all() and (last >= high).all():
                around.append(number)
        return np.setdiff1d(loose, around).astype(np.int32)


def _ends(there: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the lowest and highest index of what is true, (slice, row, column)."""
    where = np.argwhere(there)
    return where.min(axis=0), where.max(axis=0)


def lattice_around(volume: Volume, region: Mask) -> Lattice:
    """Return the image around a region, divided.

    Raises
    ------
    OsteotraceError
        If the mask does not lie on the volume's voxels, or there is one slice only.
    """
    marked = region.on(volume.grid)
    box = volume.grid.box_around(region.grid.corners(), MARGIN_MM)
    crop = volume.cropped(box)
    straight = rectilinear_affine(crop.grid) is not None
    native = crop if straight else crop.rectified()
    a, b, c = (max(1, round(float(mm) / LATTICE_MM)) for mm in native.grid.spacing)
    fine = native.rectified((native.grid.spacing / [a, b, c]).tolist())
    parts = (a, b, c)
    lattice = Lattice(
        volume=volume,
        native=native,
        resampled=not straight,
        parts=parts,
        grid=fine.grid,
        values=fine.rescaled().astype(np.float32),
        inside=np.zeros(fine.grid.shape, dtype=bool),
    )
    if straight:
        nearest = [
            np.minimum((np.arange(n) + part // 2) // part, limit - 1)
            for n, part, limit in zip(
                fine.grid.shape, parts, crop.grid.shape, strict=True
            )
        ]
        inside = marked[box][np.ix_(*nearest)]
    else:
        index = lattice.nearest(volume.grid)
        index = np.clip(index, 0, np.array(volume.grid.shape) - 1)
        inside = marked[index[..., 0], index[..., 1], index[..., 2]]
    core = (slice(1, -1),) * 3
    lattice.inside[core] = inside[core]
    return lattice


def split(lattice: Lattice) -> Pieces:
    """Split the bone of a lattice into pieces."""
    lucent, bone = reference_levels(lattice.values, lattice.volume.unit)
    scale = max(bone - lucent, 1e-6)
    sharp = _sharpened((lattice.values - np.float32(lucent)) / scale, lattice.steps)
    parted = along_valleys(_parted(sharp, lattice.steps), sharp, lattice.steps)
    labels = _without_specks(_joined(parted, sharp), lattice.steps)
    # A thin cortex reaches its own value in the sharpened image only.
    sure = sharp[sharp > SURE_SHARE]
    if len(sure):
        full = float(np.quantile(sure, REFERENCE_QUANTILE))
        bone = lucent + full * scale
        sharp = sharp / np.float32(full)
    return Pieces(lattice=lattice, lucent=lucent, bone=bone, sharp=sharp, labels=labels)


def reference_levels(values: Values, unit: str) -> tuple[float, float]:
    """Return the values of lucent tissue and of bone, from the image itself.

    Air is left out; Otsu's threshold parts the rest. Lucent is the lower quartile of
    what is below, so that marrow does not raise it; bone the upper quartile above.
    """
    tissue = values[values > _air_ceiling(values, unit)].ravel()
    if len(tissue) < 2 or not np.ptp(tissue) > 0:
        return float(values.min()), float(values.max())
    threshold = _otsu(tissue, 1)[0]
    below, above = tissue[tissue < threshold], tissue[tissue >= threshold]
    if not len(below) or not len(above):
        return float(tissue.min()), float(tissue.max())
    return float(np.quantile(below, 0.25)), float(np.quantile(above, REFERENCE_QUANTILE))


def _air_ceiling(values: Values, unit: str) -> float:
    if unit == HOUNSFIELD:
        return AIR_HU
    if not np.ptp(values) > 0:
        return -np.inf
    low, high = _otsu(values.ravel(), 2)
    classes = (values[values < low], values[(values >= low) & (values < high)],
               values[values >= high])  # fmt: skip
    if not all(len(part) for part in classes):
        return -np.inf
    dark, middle, bright = (float(part.mean()) for part in classes)
    return low if middle - dark > AIR_STEP * (bright - middle) else -np.inf


def _otsu(values: Values, thresholds: int) -> list[float]:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(values[None, :]))
    otsu = sitk.OtsuMultipleThresholdsImageFilter()
    otsu.SetNumberOfThresholds(thresholds)
    otsu.SetNumberOfHistogramBins(256)
    otsu.Execute(image)
    return [float(value) for value in otsu.GetThresholds()]


def as_image(values: NDArray[Any], steps: Array) -> Any:
    """Return a SimpleITK image of a lattice with its spacing."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(values))
    image.SetSpacing(steps[::-1].tolist())
    return image


def _sharpened(values: Values, steps: Array) -> Values:
    import SimpleITK as sitk

    image = as_image(values, steps)
    sharp = image
    for _ in range(SHARPENING_STEPS):
        blurred = sitk.DiscreteGaussian(sharp, [SHARPENING_SIGMA_MM**2] * 3)
        sharp = sharp + (image - blurred)
    out: Values = sitk.GetArrayFromImage(sharp)
    return out


def distance_outside(mask: NDArray[np.bool_], steps: Array) -> Values:
    """Return the mm from every point to the nearest one of a mask, 0 within it."""
    import SimpleITK as sitk

    image = as_image(mask.astype(np.uint8), steps)
    distance = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return np.maximum(np.asarray(sitk.GetArrayFromImage(distance), np.float32), 0)


def _parted(sharp: Values, steps: Array) -> NDArray[np.int32]:
    """Return the bone, parted at every neck."""
    import SimpleITK as sitk

    bone = as_image((sharp > LOW_SHARE).astype(np.uint8), steps)
    depth = sitk.SignedMaurerDistanceMap(
        bone, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    basins = sitk.MorphologicalWatershed(
        depth, level=WATERSHED_LEVEL_MM, markWatershedLine=False, fullyConnected=True
    )
    basins = sitk.Cast(basins, sitk.sitkInt32) * sitk.Cast(bone, sitk.sitkInt32)
    return np.asarray(sitk.GetArrayFromImage(basins), dtype=np.int32)


def _joined(parts: NDArray[np.int32], sharp: Values) -> NDArray[np.int32]:
    """Join parts again whose neck is bone, not a gap."""
    count = int(parts.max()) + 1
    plateau = _quantiles(parts.ravel(), sharp.ravel(), count, 0.9)
    pairs, necks = _necks(parts, sharp)
    if not len(pairs):
        return parts
    keys, which = np.unique(pairs[:, 0] * count + pairs[:, 1], return_inverse=True)
    bright = _quantiles(which.ravel(), necks, len(keys), BRIDGE_QUANTILE)
    a, b = np.divmod(keys, count)
    same = bright >= BRIDGE_SHARE * np.minimum(plateau[a], plateau[b])
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(same.sum()), (a[same], b[same])), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    # Nothing joins the background, which keeps its zero.
    group = np.where(group == group[0], 0, group + 1)
    return np.asarray(group[parts], dtype=np.int32)


def along_valleys(
    labels: NDArray[np.int32], sharp: Values, steps: Array
) -> NDArray[np.int32]:
    """Return pieces whose borders follow the darkest way between their bright cores."""
    import SimpleITK as sitk

    plateau = _quantiles(labels.ravel(), sharp.ravel(), int(labels.max()) + 1, 0.9)
    cores = np.where((labels > 0) & (sharp > CORE_SHARE * plateau[labels]), labels, 0)
    # Lucent voxels are marked too: flooding them would take most of the time.
    lucent = int(labels.max()) + 1
    cores = np.where(labels > 0, cores, lucent)
    basins = sitk.MorphologicalWatershedFromMarkers(
        as_image(-sharp, steps),
        as_image(cores.astype(np.uint32), steps),
        markWatershedLine=False,
        fullyConnected=True,
    )
    found = np.asarray(sitk.GetArrayFromImage(basins))
    return np.where((labels > 0) & (found != lucent), found, labels).astype(np.int32)


def _without_specks(labels: NDArray[np.int32], steps: Array) -> NDArray[np.int32]:
    sizes = np.bincount(labels.ravel()) * float(np.prod(steps))
    return np.where(sizes[labels] >= LEAST_MM3, labels, 0).astype(np.int32)


def _quantiles(
    which: NDArray[Any], values: NDArray[Any], count: int, share: float
) -> Array:
    """Return a quantile of the values of each number; NaN where a number has none."""
    order = np.lexsort((values, which))
    sizes = np.bincount(which, minlength=count)
    last = np.cumsum(sizes)
    at = last - sizes + np.floor(share * np.maximum(sizes - 1, 0)).astype(np.intp)
    picked = values[order][np.minimum(at, len(order) - 1)]
    return np.where(sizes > 0, picked, np.nan)


def _necks(
    parts: NDArray[np.int32], sharp: Values
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs of parts that touch, and the darker value at each contact."""
    pairs, values = [], []
    for axis in range(3):
        own = np.moveaxis(parts, axis, 0)
        grey = np.moveaxis(sharp, axis, 0)
        here, there = own[:-1], own[1:]
        i, j, k = np.nonzero((here != there) & (here > 0) & (there > 0))
        pair = np.stack([here[i, j, k], there[i, j, k]], axis=1).astype(np.int64)
        pairs.append(np.sort(pair, axis=1))
        values.append(np.minimum(grey[i, j, k], grey[i + 1, j, k]))
    return np.concatenate(pairs), np.concatenate(values)
