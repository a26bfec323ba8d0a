"""The region of a marrow edema, grown from one seed: a proposal that the reader accepts.

The threshold is the patient's own: half way between normal marrow and the lesion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements import region_values, region_volume
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

PROPOSED: Final = "edema, proposed"
# The lesion's plateau is first read within this distance of the seed, mm.
SEED_MM: Final = 2.0
# Lesion and normal marrow must differ by this many times the spread of the reference.
LEAST_CONTRAST: Final = 3.0
# Below this contrast over noise single voxels cross the level: the image is smoothed.
CLEAR_CONTRAST: Final = 6.0
SMOOTHING_PIXELS: Final = 0.7
# The level settles within a few rounds of threshold and plateau.
MOST_ROUNDS: Final = 8


def grow(
    volume: Volume,
    seed_lps: ArrayLike,
    *,
    within: Mask | None = None,
    reference: Mask,
) -> Mask:
    """Propose the region of an edema from one point inside it.

    Voxels beyond the level half way between normal marrow and the lesion's plateau that
    connect to the seed; the plateau is read from the region itself until both settle.

    Parameters
    ----------
    volume : Volume
        MR, on any grid.
    seed_lps : (3,) array
        A point in the edema, LPS mm.
    within : Mask, optional
        Where it may grow, as a rule the bone unit.
    reference : Mask
        Normal marrow of the same patient on the same series.

    Raises
    ------
    OsteotraceError
        If the seed lies off the volume or off `within`, the lesion does not differ from
        the reference, or the region leaks to the border of the volume.
    """
    normal = region_values.read(volume, reference)
    seed = _seed(volume, seed_lps)
    allowed = np.ones(volume.grid.shape, dtype=bool)
    if within is not None:
        region_values.require_same_frame(volume.frame_of_reference_uid, within)
        allowed = within.on(volume.grid)
    if not allowed[seed]:
        raise OsteotraceError(
            "a seed outside the region that the edema may grow in",
            expected="a seed inside it",
            advice="mark a point inside the edema, in the bone unit",
            usage=True,
        )
    image = volume.rescaled()
    marrow, spread = float(np.median(normal.values)), float(normal.values.std())
    plateau = float(np.median(image[_near(volume, seed, SEED_MM) & allowed]))
    _require_contrast(plateau, marrow, spread)
    if abs(plateau - marrow) < CLEAR_CONTRAST * spread:
        image = _smoothed(image)
    region = _settled(image, allowed, seed, volume.grid.spacing, marrow, plateau)
    if within is None and _touches_border(region):
        raise OsteotraceError(
            "an edema that grows to the border of the volume",
            expected="a lesion with normal marrow around it",
            advice="give the bone unit as `within`, or draw the region",
        )
    return Mask.of(
        region,
        volume.grid,
        role=PROPOSED,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=_slices(volume),
    )


def _slices(volume: Volume) -> tuple[str, ...]:
    if volume.source_grid is not None:
        return ()
    return tuple(image.source for image in volume.instances)


def _seed(volume: Volume, seed_lps: ArrayLike) -> tuple[int, int, int]:
    point = np.asarray(seed_lps, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise OsteotraceError(
            f"the seed {point.tolist()}",
            expected="three finite numbers: x, y, z in patient LPS mm",
            advice="correct the seed",
            usage=True,
        )
    if not volume.grid.contains(point):
        raise OsteotraceError(
            f"a seed outside the volume ({', '.join(f'{mm:.1f}' for mm in point)})",
            expected="a point inside it, patient LPS mm",
            advice="check the sign of x and y (LPS, not RAS)",
            usage=True,
        )
    last = np.array(volume.grid.shape) - 1
    a, b, c = np.clip(np.round(volume.grid.to_index(point)), 0, last).astype(int)
    return int(a), int(b), int(c)


def _near(volume: Volume, seed: tuple[int, int, int], mm: float) -> NDArray[np.bool_]:
    """Return the voxels within some mm of one, itself and its slice at least."""
    near = np.zeros(volume.grid.shape, dtype=bool)
    middle = volume.grid.to_patient(np.array(seed))
    box = volume.grid.box_around(middle, mm)
    index = np.moveaxis(np.indices([s.stop - s.start for s in box]), 0, -1)
    places = volume.grid.to_patient(index + [side.start for side in box])
    near[box] = np.linalg.norm(places - middle, axis=-1) <= mm
    near[seed] = True
    return near


def _require_contrast(plateau: float, marrow: float, spread: float) -> None:
    if not abs(plateau - marrow) > LEAST_CONTRAST * spread:
        raise OsteotraceError(
            f"a seed ({plateau:.0f}) that does not differ from the normal marrow "
            f"({marrow:.0f} ± {spread:.0f})",
            expected=f"a difference over {LEAST_CONTRAST:g} times the reference's spread",
            advice="mark another seed or reference, or draw the region",
        )


def _smoothed(image: Array) -> Array:
    import SimpleITK as sitk

    slices = sitk.GetImageFromArray(image)
    # In the plane alone: thick slices are blurred enough. Spacing is one a pixel here.
    smooth = sitk.DiscreteGaussian(slices, [SMOOTHING_PIXELS**2] * 2 + [0.0])
    return np.asarray(sitk.GetArrayFromImage(smooth))


def _settled(
    image: Array,
    allowed: NDArray[np.bool_],
    seed: tuple[int, int, int],
    spacing: Array,
    marrow: float,
    plateau: float,
) -> NDArray[np.bool_]:
    """Return the region grown at a level that its own plateau confirms."""
    levels: list[float] = []
    region = np.zeros(image.shape, dtype=bool)
    for _ in range(MOST_ROUNDS):
        level = 0.5 * (marrow + plateau)
        if level in levels:
            break
        levels.append(level)
        region = _connected(image, allowed, seed, level, bright=plateau > marrow)
        plateau = float(np.median(image[region_volume.deepest_fifth(region, spacing)]))
    return region


def _connected(
    image: Array,
    allowed: NDArray[np.bool_],
    seed: tuple[int, int, int],
    level: float,
    *,
    bright: bool,
) -> NDArray[np.bool_]:
    """Return the voxels beyond a level that connect to a seed, holes filled."""
    import SimpleITK as sitk

    beyond = allowed & ((image > level) if bright else (image < level))
    # The seed itself may be one noisy voxel of the lesion.
    beyond[seed] = True
    binary = sitk.GetImageFromArray(beyond.astype(np.uint8))
    grown = sitk.ConnectedThreshold(binary, [seed[::-1]], 1, 1, 1)
    filled = sitk.GetArrayFromImage(sitk.BinaryFillhole(grown)).astype(bool)
    return np.asarray(filled & allowed)


def _touches_border(region: NDArray[np.bool_]) -> bool:
    faces = (region[:, 0], region[:, -1], region[:, :, 0], region[:, :, -1])
    return any(face.any() for face in faces) or bool(region[0].any() or region[-1].any())
