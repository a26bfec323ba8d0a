"""Which points of an image are compared: edges to fit, an even spread to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment.fitting import Sample
from osteotrace.geometry import HALF_VOXEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.alignment.images import Field, Prepared
    from osteotrace.geometry import Array

# Places drawn for each point that is kept, so that edges can be preferred.
DRAWN_PER_POINT: Final = 8
# What a flat place weighs beside the steepest edge.
FLAT_WEIGHT: Final = 0.02
# The region falls into 3 × 3 × 2 parts of equal counts, whose errors are independent.
PARTS: Final = (3, 3, 2)
# A slice this much thicker than the other image's voxels is averaged over its thickness.
THICK: Final = 1.8
PROFILE_POINTS: Final = 3


def edge_sample(
    prepared: Prepared,
    field: Field,
    count: int,
    *,
    seed: int,
    onto_mm: float,
    between: bool = False,
) -> Sample:
    """Return points where the image changes.

    Parameters
    ----------
    prepared, field : Prepared, Field
        The image, and the field of it that is sampled.
    count : int
        Most points.
    seed : int
        Different ones give different points; the same one always the same.
    onto_mm : float
        Least distance between voxels of the other image.
    between : bool
        Off the voxel centres, but within their slices: what depends on how the grids of
        both images meet then averages out.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    size = np.array(field.values.shape)
    most = min(DRAWN_PER_POINT * count, 2 * int(size.prod()))
    drawn = np.sort(random.integers(0, int(size.prod()), most))
    drawn = drawn[np.diff(drawn, prepend=-1) > 0]
    index = np.stack(np.unravel_index(drawn, tuple(size)), axis=-1)
    index = index[prepared.may_use(field.points(index.astype(float)))]
    steep = _steepness(field, index)
    limit = float(np.quantile(steep, 0.98)) if len(steep) else 1.0
    weight = np.clip(steep / max(limit, 1e-9), FLAT_WEIGHT, 1.0)
    # The least of exponential waiting times draws by weight, without putting back.
    waiting = random.exponential(size=len(weight)) / weight
    kept = np.sort(np.argsort(waiting, kind="stable")[:count])
    index = index[kept]
    if not between:
        return _sample(field, index, onto_mm)
    aside = random.uniform(-HALF_VOXEL, HALF_VOXEL, index.shape)
    aside[:, int(np.argmax(field.spacing))] = 0.0
    points = field.points(index + aside)
    values, _, inside = field.at(points)
    points = points[inside]
    return Sample(points, values[inside], _profile(field, onto_mm), _parts(points))


def even_sample(prepared: Prepared, field: Field, count: int) -> Sample:
    """Return voxel centres on a lattice over everything that may be used."""
    size = np.array(field.values.shape)
    stride = max(1, int(np.floor((size.prod() / (3 * count)) ** (1 / 3))))
    index = np.stack(np.meshgrid(*(np.arange(n)[::stride] for n in size), indexing="ij"))
    index = index.reshape(3, -1).T
    index = index[prepared.may_use(field.points(index.astype(float)))]
    return _sample(field, index, 0.0)


def _sample(field: Field, index: NDArray[np.intp], onto_mm: float) -> Sample:
    points = field.points(index.astype(float))
    values = field.values[index[:, 0], index[:, 1], index[:, 2]].astype(np.float64)
    return Sample(points, values, _profile(field, onto_mm), _parts(points))


def _steepness(field: Field, index: NDArray[np.intp]) -> Array:
    last = np.array(field.values.shape) - 1
    total = np.zeros(len(index))
    for axis, spacing in enumerate(field.spacing):
        way = np.eye(3, dtype=np.intp)[axis]
        up, down = np.minimum(index + way, last), np.maximum(index - way, 0)
        rise = field.values[tuple(up.T)].astype(float) - field.values[tuple(down.T)]
        total += (rise / (2 * spacing)) ** 2
    return np.asarray(np.sqrt(total))


def _profile(field: Field, onto_mm: float) -> Array:
    if onto_mm <= 0:
        return np.zeros((1, 3))
    thickest = int(np.argmax(field.spacing))
    if field.spacing[thickest] < THICK * onto_mm:
        return np.zeros((1, 3))
    shares = (np.arange(PROFILE_POINTS) + 0.5) / PROFILE_POINTS - 0.5
    return np.asarray(shares[:, None] * field.steps[:, thickest])


def _parts(points: Array) -> NDArray[np.intp]:
    """Return the part of each point: thirds, thirds and halves along the axes."""
    part = np.zeros(len(points), dtype=np.intp)
    if len(points) == 0:
        return part
    order = np.argsort(-np.ptp(points, axis=0), kind="stable")
    for axis, count in zip(order, PARTS, strict=True):
        new = np.zeros_like(part)
        for which in np.unique(part):
            inside = np.flatnonzero(part == which)
            rank = np.argsort(np.argsort(points[inside, axis], kind="stable"))
            new[inside] = rank * count // max(len(inside), 1)
        part = part * count + new
    return part
