"""Marrow edema on MR: its volume, its share of the bone unit, its signal beside muscle.

`grow` proposes the region from one seed by a threshold half way between the patient's own
normal marrow and the lesion; the reader accepts it, or draws another, and `measure`
weighs it. Signal is only ever compared with signal of the same series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements import region_values, region_volume
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Measurement,
    Method,
    NotMeasured,
    measured,
    not_measured,
)
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.region_values import RegionNoise, RegionValues
    from osteotrace.measurements.region_volume import RegionVolume
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace marrow", version="1")
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
# Edema may reach this far, as a share of its volume, beyond the bone unit.
MOST_OUTSIDE: Final = 0.05
# A region whose border lies this far off the half-way surface, as a share of its volume.
MOST_OFF: Final = 0.15
# What moves voxels across the border of a region.
BORDER_TERMS: Final = ("u voxel", "u noise", "u contour")
# Below this signal over noise magnitude signal is no measure of the tissue (Gudbjartsson
# 1995, 10.1002/mrm.1910340618).
LEAST_SIGNAL_TO_NOISE: Final = 3.0


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
        plateau = float(np.median(image[region_volume.deepest_third(region, spacing)]))
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


def measure(
    volume: Volume,
    edema: Mask,
    *,
    bone: Mask | None = None,
    muscle: Mask | None = None,
) -> LesionReading:
    """Measure a marrow edema.

    Parameters
    ----------
    volume : Volume
        MR, fluid-sensitive, on any grid.
    edema : Mask
        The region that the reader accepts, drawn or from `grow`.
    bone : Mask, optional
        The bone unit or vertebral body that holds it.
    muscle : Mask, optional
        Muscle of the same side on the same series.

    Returns
    -------
    LesionReading
        ``edema_volume`` (mm3), ``edema_percent`` and ``signal_ratio_to_muscle``.

    Raises
    ------
    OsteotraceError
        If a region lies off the volume or in another frame of reference.
    """
    found = region_values.read(volume, edema)
    noise = region_values.noise_near(volume, found)
    unit = None if bone is None else region_values.read(volume, bone)
    within = None if bone is None else bone.on(volume.grid)
    flags = [*region_values.doubts(volume, found, "edema"), *volume.notes]
    if volume.identity.modality != "MR":
        flags.append("marrow edema is read on MR; this is no MR series")
    if len(volume.grid.origins) < 2:
        return _no_volume(found, edema)
    size = region_volume.of_region(volume, found, noise, within)
    off = abs(size.half_way - size.value) if np.isfinite(size.half_way) else 0.0
    if off > MOST_OFF * size.value:
        flags.append(
            "the region's border lies off the half-way surface of the image, which "
            f"holds {size.half_way:.0f} mm3"
        )
    if not np.isfinite(size.level):
        flags.append("the edema's border cannot be seen: it does not differ from around")
    told = tuple(dict.fromkeys(flags))
    ratio = _ratio(volume, found, size, noise, muscle, told)
    regions = tuple(mask for mask in (edema, bone, muscle) if mask is not None)
    return LesionReading(
        measurements=(
            _volume(found, size, edema, told),
            _percent(volume, found, size, unit, within, told),
            ratio,
        ),
        regions=regions,
    )


def _no_volume(found: RegionValues, edema: Mask) -> LesionReading:
    reason = "a single slice has no thickness: no volume without a second slice"
    names = ("edema_volume", "edema_percent", "signal_ratio_to_muscle")
    return LesionReading(
        measurements=tuple(
            not_measured(name, reason, method=METHOD, sources=found.sources)
            for name in names
        ),
        regions=(edema,),
    )


def _volume(
    found: RegionValues, size: RegionVolume, edema: Mask, flags: tuple[str, ...]
) -> Measurement:
    return measured(
        "edema_volume",
        size.value,
        "mm3",
        method=METHOD,
        sources=found.sources,
        uncertainty=size.uncertainty,
        region=edema.role,
        definition="voxel sum of the accepted region, corrected for the blur of its "
        "curved border; its border is taken half way between normal marrow and lesion",
        flags=flags,
        details=size.terms,
    )


def _percent(
    volume: Volume,
    found: RegionValues,
    size: RegionVolume,
    unit: RegionValues | None,
    within: NDArray[np.bool_] | None,
    flags: tuple[str, ...],
) -> Measurement | NotMeasured:
    name = "edema_percent"
    if unit is None or within is None:
        reason = "no mask of the bone unit"
        return not_measured(name, reason, method=METHOD, sources=found.sources)
    inside = float(within[found.box][found.inside].mean())
    whole = float(region_volume.voxel_volumes(volume, unit).sum())
    if whole < size.value or unit.count < found.count:
        reason = (
            f"the bone unit ({whole:.0f} mm3) is smaller than the edema "
            f"({size.value:.0f} mm3)"
        )
        return not_measured(name, reason, method=METHOD, sources=found.sources)
    if inside == 0:
        reason = "the edema lies outside the bone unit"
        return not_measured(name, reason, method=METHOD, sources=found.sources)
    if inside < 1 - MOST_OUTSIDE:
        words = f"{100 * (1 - inside):.0f} % of the edema lies outside the bone unit"
        flags = (*flags, words + ": it is left out of the percentage")
    value = 100 * inside * size.value / whole
    radius = (3 * whole / (4 * np.pi)) ** (1 / 3)
    grid_term = region_volume.GRID_SHARE * radius
    grid_term *= float(np.sqrt((volume.grid.spacing**4).sum()))
    terms = (value * size.uncertainty / size.value, value * grid_term / whole)
    return measured(
        name,
        value,
        "%",
        method=METHOD,
        sources=tuple(dict.fromkeys((*found.sources, *unit.sources))),
        uncertainty=float(np.hypot(*terms)),
        region=PERCENT_REGION,
        definition="edema volume over the volume of the bone unit as marked, whose own "
        "contour counts as given",
        flags=flags,
        details=(
            Detail("u edema volume", terms[0], "%"),
            Detail("u bone unit", terms[1], "%"),
            Detail("bone unit", whole, "mm3"),
        ),
    )


PERCENT_REGION: Final = "edema and bone unit"


def _ratio(
    volume: Volume,
    found: RegionValues,
    size: RegionVolume,
    noise: RegionNoise | None,
    muscle: Mask | None,
    flags: tuple[str, ...],
) -> Measurement | NotMeasured:
    name = "signal_ratio_to_muscle"
    if muscle is None:
        reason = "no mask of muscle on the same series"
        return not_measured(name, reason, method=METHOD, sources=found.sources)
    other = region_values.read(volume, muscle)
    overlap = muscle.on(volume.grid)[found.box] & found.inside
    if overlap.any():
        reason = f"muscle and edema share {int(overlap.sum())} voxels"
        return not_measured(name, reason, method=METHOD, sources=found.sources)
    quiet = region_values.noise_near(volume, other) or noise
    sd = 0.0 if quiet is None else quiet.standard_deviation
    lesion, beside = (_signal(float(v.values.mean()), sd) for v in (found, other))
    if not beside > LEAST_SIGNAL_TO_NOISE * sd or beside <= 0:
        reason = f"the muscle's signal ({beside:.0f}) is lost in the noise ({sd:.0f})"
        return not_measured(name, reason, method=METHOD, sources=found.sources)
    value = lesion / beside
    terms = {"u noise": 0.0, "u muscle": 0.0, "u contour": 0.0}
    if quiet is not None:
        terms["u noise"] = (noise or quiet).of_mean(found.inside) / beside
        terms["u muscle"] = value * quiet.of_mean(other.inside) / beside
    if np.isfinite(size.level):
        # A border moved outwards takes in voxels at the half-way level. The correction
        # for blur changes the volume, not the voxels that the mean is taken over.
        border = [t.value for t in size.terms if t.name in BORDER_TERMS]
        moved = abs(lesion - size.level) * np.linalg.norm(border) / size.value
        terms["u contour"] = float(moved) / beside
    u = float(np.sqrt(sum(term**2 for term in terms.values())))
    known = quiet is not None
    told = (*flags, *region_values.doubts(volume, other, "muscle"))
    return measured(
        name,
        value,
        "{ratio}",
        method=METHOD,
        sources=tuple(dict.fromkeys((*found.sources, *other.sources))),
        uncertainty=u if known else None,
        uncertainty_reason="" if known else "no noise estimate in this image",
        region=found_role(muscle),
        definition="mean signal of the accepted region over mean signal of muscle of the "
        "same side on the same series, both freed of the Rician noise floor",
        flags=told,
        details=tuple(Detail(k, float(v), "{ratio}") for k, v in terms.items()),
    )


def found_role(muscle: Mask) -> str:
    """Return the role of the region that a ratio is taken against."""
    return muscle.role


def _signal(mean: float, sd: float) -> float:
    """Return the tissue's signal behind a mean of Rician voxels (second order)."""
    return mean - sd**2 / (2 * mean) if mean > 0 else mean
