"""Gas in bone or soft tissue: its volume from the missing density, and what it touches.

Gas is what lies at or under -300 HU (the design's own choice). A pocket smaller than the
blur never reaches the value of air, and a count of dark voxels would miss half of it; the
density that is missing, over the step from tissue to gas, gives the volume instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from osteotrace.measurements.image_noise import noise_in
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Measurement,
    Method,
    Presence,
    measured,
    not_measured,
)
from osteotrace.regions import Mask
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace gas", version="1")
REGION: Final = "marked region"
GAS: Final = "gas"
# Clinical specification 2.8, this project's own choice.
GAS_HU: Final = -300.0
# Gas without anything else in the voxel, HU.
PURE_HU: Final = -1000.0
# Voxels over this are no plain soft tissue (bone, teeth), HU.
SOFT_HU: Final = (-200.0, 200.0)
# Missing density is integrated this far around the gas: so many times the sum of a usual
# point spread (sigma, mm) and the slice gap. Soft tissue is read in a ring beyond, mm.
COLLAR_FACTOR: Final = 1.5
USUAL_SIGMA_MM: Final = 0.6
RING_MM: Final = 1.5
# Left uncertain: the value of the tissue and of the gas, as a share of the volume.
MODEL_SHARE: Final = 0.03
TISSUE_UNCERTAINTY_HU: Final = 10.0
# How flags begin where gas is the airway's, or may be: joined to it, or not known.
OF_AIRWAY: Final = "touches_airway"
# Gas whose darkest voxel stays above this is blurred all through, HU.
UNRESOLVED_HU: Final = -850.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pocket:
    """Gas of a region, on the voxels of its surroundings."""

    gas: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    outside: bool
    airway: str


def measure(volume: Volume, region: Mask, *, airway: Mask | None = None) -> LesionReading:
    """Measure the gas in a marked region.

    Parameters
    ----------
    volume : Volume
        CT in Hounsfield units.
    region : Mask
        On the volume's voxels, around the gas.
    airway : Mask, optional
        Mouth, nose, sinuses and pharynx as far as they are near. Without it, whether the
        gas is the airway's is unknown wherever it goes on beyond the region.

    Returns
    -------
    LesionReading
        ``gas_volume`` first, then ``minimum_value``; absent where no voxel is gas.

    Raises
    ------
    OsteotraceError
        If a mask does not lie on the volume's voxels.
    """
    marked_region = msgspec.structs.replace(region, role=REGION)
    corners: Array = region.grid.corners()
    sources = tuple(image.source for image in volume.slices_between(corners))
    marked_there = region.on(volume.grid)
    airway_there = airway.on(volume.grid) if airway is not None else None
    if volume.unit != HOUNSFIELD:
        return _refused(
            "the values are no Hounsfield units: -300 HU means nothing in them",
            sources,
            marked_region,
        )
    reach = _reach(volume)
    box = volume.grid.box_around(corners, reach + 2 * RING_MM)
    values = volume.rescaled(box)
    marked = marked_there[box]
    in_airway = airway_there[box] if airway_there is not None else None
    pocket = _pocket(values, marked, in_airway)
    if not pocket.gas.any():
        return _refused(
            f"no voxel of the region is at or under {GAS_HU:.0f} HU",
            sources,
            marked_region,
            presence="absent",
        )
    mask = _mask(volume, box, pocket.gas, GAS)
    told = _Told(
        sources=mask.source_instances or sources,
        flags=_flags(volume, region, pocket, values),
    )
    found = _volume(volume, box, values, pocket, in_airway)
    return LesionReading(
        measurements=(
            _gas_volume(found, pocket, reach, told),
            _lowest(float(values[pocket.gas].min()), told),
        ),
        regions=(mask, marked_region),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What both values of a pocket carry."""

    sources: tuple[str, ...]
    flags: list[str]


def _gas_volume(
    found: tuple[float, dict[str, float], float],
    pocket: _Pocket,
    reach: float,
    told: _Told,
) -> Measurement:
    value, terms, tissue = found
    uncertainty = float(np.sqrt(sum(term**2 for term in terms.values())))
    touches = {"no": 0.0, "yes": 1.0, "unknown": -1.0}[pocket.airway]
    return measured(
        "gas_volume",
        value,
        "mm3",
        method=METHOD,
        sources=told.sources,
        uncertainty=uncertainty,
        interval95=(max(0.0, value - 1.96 * uncertainty), value + 1.96 * uncertainty),
        region=GAS,
        definition=f"density missing within {reach:.1f} mm of voxels at or under "
        f"{GAS_HU:.0f} HU in the region, over the step from soft tissue to "
        f"{PURE_HU:.0f} HU; voxels brighter than soft tissue count for nothing",
        flags=told.flags,
        details=[
            *(Detail(name, term, "mm3") for name, term in terms.items()),
            Detail("touches airway (1 yes, 0 no, -1 unknown)", touches, "{counts}"),
            Detail("touches region border", float(pocket.outside), "{counts}"),
            Detail("soft tissue around", tissue, HOUNSFIELD),
        ],
    )


def _lowest(value: float, told: _Told) -> Measurement:
    return measured(
        "minimum_value",
        value,
        HOUNSFIELD,
        method=METHOD,
        sources=told.sources,
        uncertainty_reason="one voxel, the darkest of many: noise makes it darker and "
        "partial volume brighter",
        region=GAS,
        definition="lowest voxel of the gas",
        flags=told.flags,
    )


def _refused(
    reason: str,
    sources: tuple[str, ...],
    region: Mask,
    *,
    presence: Presence = "present",
) -> LesionReading:
    return LesionReading(
        measurements=tuple(
            not_measured(name, reason, method=METHOD, sources=sources)
            for name in ("gas_volume", "minimum_value")
        ),
        regions=(region,),
        presence=presence,
    )


def _pocket(
    values: Array, marked: NDArray[np.bool_], airway: NDArray[np.bool_] | None
) -> _Pocket:
    """Return the region's gas, and whether it goes on into the airway or beyond."""
    import SimpleITK as sitk

    dark = values <= GAS_HU
    image = sitk.GetImageFromArray(dark.astype(np.uint8))
    parts = np.asarray(sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True)))
    inside = np.setdiff1d(np.unique(parts[dark & marked]), [0])
    here = np.isin(parts, inside)
    outside = bool((here & ~marked).any())
    if airway is not None:
        near = sitk.GetImageFromArray(airway.astype(np.uint8))
        near = sitk.BinaryDilate(near, [1, 1, 1], sitk.sitkBox)
        met = here & np.asarray(sitk.GetArrayFromImage(near)).astype(bool)
        word = "yes" if met.any() else "no"
        gas = here & marked & ~airway
    else:
        word = "unknown" if outside else "no"
        gas = here & marked
    return _Pocket(gas=gas, marked=marked, outside=outside, airway=word)


def _mask(
    volume: Volume, box: tuple[slice, slice, slice], gas: NDArray[np.bool_], role: str
) -> Mask:
    images = volume.instances
    whole = len(images) == len(volume.voxels)
    return Mask.of(
        gas,
        volume.grid.cropped(box),
        role=role,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=(
            tuple(image.source for image in images[box[0]]) if whole else ()
        ),
    )


def _flags(volume: Volume, region: Mask, pocket: _Pocket, values: Array) -> list[str]:
    told = list(volume.notes)
    if pocket.airway == "yes":
        told.append(f"{OF_AIRWAY}: the gas is joined to the airway")
    elif pocket.airway == "unknown":
        told.append(
            f"{OF_AIRWAY} unknown: the gas goes on beyond the region, and no airway "
            "was marked"
        )
    if pocket.outside:
        told.append("the gas goes on beyond the region: only the part inside is measured")
    lowest = float(values[pocket.gas].min())
    if lowest > UNRESOLVED_HU:
        told.append(
            f"partial volume: the darkest voxel has {lowest:.0f} HU; fat or a pocket "
            "smaller than the blur cannot be told apart from its value"
        )
    first = np.round(volume.grid.to_index(region.grid.origins[0])).astype(int)
    last = first + np.array(region.grid.shape)
    if (first <= 0).any() or (last >= np.array(volume.grid.shape)).any():
        told.append("the region touches the border of the volume")
    return told


def _volume(
    volume: Volume,
    box: tuple[slice, slice, slice],
    values: Array,
    pocket: _Pocket,
    airway: NDArray[np.bool_] | None,
) -> tuple[float, dict[str, float], float]:
    """Return the volume of the missing density, its uncertainties, and the tissue."""
    grid = volume.grid.cropped(box)
    voxel = _voxel_volumes(grid.slice_positions, volume.grid.pixel_spacing)
    away = _distance(pocket.gas, grid.spacing)
    reach = _reach(volume)
    collar = away <= reach
    if airway is not None:
        collar &= ~airway
    # Beyond the region other gas begins: where it does, the integral stops there.
    collar &= pocket.marked | ~(values <= GAS_HU)
    beside = (away > reach) & (away <= reach + RING_MM)
    plain = beside & (values > SOFT_HU[0]) & (values < SOFT_HU[1])
    tissue = float(np.median(values[plain])) if plain.sum() >= 20 else 40.0
    step = tissue - PURE_HU
    # Bone beside the gas would count as less than none.
    soft = collar & (values < SOFT_HU[1])
    share = np.where(soft, (tissue - values) / step, 0.0)
    weights = np.broadcast_to(voxel[:, None, None], values.shape)
    value = float((share * weights).sum())
    noise = noise_in(values, plain)
    # Voxels that share noise count as fewer: correlation adds up along each axis.
    clump = float(np.prod([(1 + r) / (1 - min(r, 0.9)) for r in noise.correlation]))
    counted = weights[soft]
    scatter = noise.standard_deviation / step * float(np.sqrt((counted**2).sum() * clump))
    offset = TISSUE_UNCERTAINTY_HU / step
    if plain.sum():
        own = noise.standard_deviation * np.sqrt(clump / plain.sum()) / step
        offset = min(offset, float(np.hypot(own, 2.0 / step)))
    terms = {
        "u noise": scatter,
        "u soft tissue": offset * float(counted.sum()),
        "u definition": MODEL_SHARE * value,
    }
    return max(value, 0.0), terms, tissue


def _reach(volume: Volume) -> float:
    gaps = volume.grid.slice_gaps
    gap = float(gaps.max()) if len(gaps) else 0.0
    return COLLAR_FACTOR * (USUAL_SIGMA_MM + gap)


def _distance(mask: NDArray[np.bool_], spacing: Array) -> Array:
    """Return the mm from every voxel to the nearest one of a mask."""
    import SimpleITK as sitk

    image: Any = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(np.nan_to_num(spacing[::-1], nan=1.0).tolist())
    distance = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return np.asarray(sitk.GetArrayFromImage(distance))


def _voxel_volumes(positions: Array, pixel_spacing: Array) -> Array:
    """Return the volume of a voxel of each slice, half way to its neighbours, mm3."""
    area = float(np.prod(pixel_spacing))
    if len(positions) < 2:
        return np.full(len(positions), area)
    return np.asarray(np.abs(np.gradient(positions)) * area)
