"""Bone cement found by its density, its volume, and what of it lies outside the body.

The threshold refers to the bone of the same region: well above its trabecular and its
cortical level. Volume is the density above bone, integrated over a collar as wide as the
blur, over the cement's own plateau: partial volume neither adds nor takes away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
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
from osteotrace.segmentation.thresholds import METAL_HU
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace cement", version="1")
CEMENT: Final = "cement"
# Acrylic cement with barium or zirconium on CT; brighter is metal or saturated, HU.
LEAST_HU: Final = 1000.0
# Bone in the region is darker than this; cement lies this far above its median, and
# this far above its brightest twentieth, HU.
_BONE_CEILING_HU: Final = 900.0
_ABOVE_BONE_HU: Final = 600.0
_ABOVE_CORTEX_HU: Final = 200.0
# Smaller pieces are noise or a dense osteophyte, mm3.
LEAST_MM3: Final = 20.0
_LEAST_VOXELS: Final = 5
# The collar is this many times the blur (half a voxel and the point spread) wide.
_COLLAR: Final = 1.5
_POINT_SPREAD_MM: Final = 0.6
# Relative uncertainty of the plateau where cement is interdigitated with bone (assumed).
_PLATEAU_SHARE: Final = 0.03
# Cement farther outside the body's mask than this is a leak, mm.
_LEAK_MM: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """Cement in a box of a volume.

    Parameters
    ----------
    box : (slice, row, column) ranges
    values : (slices, rows, columns) float64
        HU in the box.
    core : bool array
        Voxels over the threshold, in pieces of `LEAST_MM3` at least.
    bone, plateau, threshold : float
        HU.
    """

    box: tuple[slice, slice, slice]
    values: Array
    core: NDArray[np.bool_]
    bone: float
    plateau: float
    threshold: float


def found(volume: Volume, region: Mask, margin_mm: float = 10.0) -> Found | None:
    """Return cement in or touching a region, or None.

    Raises
    ------
    OsteotraceError
        If the region's voxels are not those of the volume.
    """
    inside = region.on(volume.grid)
    box = volume.grid.box_around(region.grid.corners(), margin_mm)
    values, own = volume.rescaled(box), inside[box]
    held = values[own]
    bone = held[held < _BONE_CEILING_HU]
    if len(bone) == 0:
        bone = np.array([0.0])
    level, cortex = float(np.median(bone)), float(np.quantile(bone, 0.95))
    threshold = max(LEAST_HU, level + _ABOVE_BONE_HU, cortex + _ABOVE_CORTEX_HU)
    if not (held > threshold).any():
        return None
    core = _pieces(values > threshold, own, _voxel_mm3(volume))
    if not core.any():
        return None
    brightest = values[core]
    plateau = float(np.median(brightest[brightest >= np.quantile(brightest, 0.5)]))
    return Found(
        box=box,
        values=values,
        core=core,
        bone=level,
        plateau=plateau,
        threshold=threshold,
    )


def _pieces(
    bright: NDArray[np.bool_], own: NDArray[np.bool_], voxel_mm3: float
) -> NDArray[np.bool_]:
    """Return the bright pieces that are large enough and reach into the region."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(bright.astype(np.uint8))
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True))
    least = max(LEAST_MM3, _LEAST_VOXELS * voxel_mm3)
    sizes = np.bincount(labels.ravel()) * voxel_mm3
    touching = np.unique(labels[own & bright])
    kept = [n for n in touching if n > 0 and sizes[n] >= least]
    return np.isin(labels, kept)


def measure(volume: Volume, region: Mask, *, body: Mask | None = None) -> LesionReading:
    """Measure the cement in a region of a CT.

    Parameters
    ----------
    volume : Volume
    region : Mask
        Where to look, e.g. the vertebral body; cement that goes on beyond is included.
    body : Mask, optional
        The vertebral body: cement outside it is told as a leak.

    Returns
    -------
    LesionReading
        ``cement_volume``, and the mask of the cement.

    Raises
    ------
    OsteotraceError
        If a mask does not lie on the volume.
    """
    sources = _sources(volume, region)
    if volume.unit != HOUNSFIELD:
        return _refused("cement is told from bone by its HU: a CT is needed", sources)
    cement = found(volume, region)
    if cement is None:
        return _none(volume, region, sources)
    if cement.plateau > METAL_HU:
        return _refused(
            f"brighter than bone cement ({cement.plateau:.0f} HU): metal, or saturated",
            sources,
        )
    values, details, flags = _volume_of(volume, cement)
    value, u = values
    if body is not None:
        outside = _leak(volume, cement, body)
        details = (*details, Detail("cement outside the body", outside, "mm3"))
        if outside >= LEAST_MM3:
            flags = (*flags, f"{outside:.0f} mm3 of cement lie outside the body's mask")
    measurement = measured(
        "cement_volume",
        value,
        "mm3",
        method=METHOD,
        sources=sources,
        uncertainty=u,
        region=CEMENT,
        definition=(
            f"density above bone ({cement.bone:.0f} HU) over the plateau of the cement "
            f"({cement.plateau:.0f} HU), in and around voxels over "
            f"{cement.threshold:.0f} HU"
        ),
        flags=(*flags, *volume.notes),
        details=details,
    )
    mask = Mask.of(
        cement.core,
        volume.grid.cropped(cement.box),
        role=CEMENT,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(
            image.source for image in volume.cropped(cement.box).instances
        ),
    )
    return LesionReading(measurements=(measurement,), regions=(mask,))


def _volume_of(
    volume: Volume, cement: Found
) -> tuple[tuple[float, float], tuple[Detail, ...], tuple[str, ...]]:
    """Return volume and u, mm3, their terms, and doubts."""
    voxel = _voxel_mm3(volume)
    spacing = volume.grid.spacing
    reach = _COLLAR * (_POINT_SPREAD_MM + 0.5 * spacing)
    collar = _grown(cement.core, np.maximum(np.round(reach / spacing), 1).astype(int))
    step = cement.plateau - cement.bone
    share = (cement.values - cement.bone) / step
    # Air and fat around a leak are no negative cement.
    share = np.maximum(share, -0.1)
    integrated = float(share[collar].sum()) * voxel
    halved = float((collar & (share >= 0.5)).sum()) * voxel
    noise = 1.4826 * float(np.median(np.abs(share[collar & (share < 0.2)] - 0.0)) if
                           (collar & (share < 0.2)).any() else 0.02)  # fmt: skip
    terms = {
        "u noise": 2.0 * noise * float(np.sqrt(collar.sum())) * voxel,
        "u plateau": _PLATEAU_SHARE * integrated,
        "u definition": 0.5 * abs(integrated - halved),
    }
    u = float(np.sqrt(sum(term**2 for term in terms.values())))
    details = [Detail(name, term, "mm3") for name, term in terms.items()]
    details.append(Detail("volume over half of the plateau", halved, "mm3"))
    flags = []
    if float(spacing[0]) > 3.0:
        flags.append(f"slices of {spacing[0]:.1f} mm are too thick for small volumes")
    return (integrated, u), tuple(details), tuple(flags)


def _grown(core: NDArray[np.bool_], radius: NDArray[np.intp]) -> NDArray[np.bool_]:
    import SimpleITK as sitk

    image: Any = sitk.GetImageFromArray(core.astype(np.uint8))
    grown = sitk.BinaryDilate(image, [int(n) for n in radius[::-1]], sitk.sitkBall)
    return np.asarray(sitk.GetArrayFromImage(grown).astype(bool))


def _leak(volume: Volume, cement: Found, body: Mask) -> float:
    """Return the volume of the cement's core farther than `_LEAK_MM` outside, mm3."""
    own = body.on(volume.grid)[cement.box]
    radius = np.maximum(np.round(_LEAK_MM / volume.grid.spacing), 1).astype(int)
    outside = cement.core & ~_grown(own, radius)
    return float(outside.sum()) * _voxel_mm3(volume)


def _none(volume: Volume, region: Mask, sources: tuple[str, ...]) -> LesionReading:
    """Return zero, as a range up to the smallest piece that would be seen."""
    none = measured(
        "cement_volume",
        0.0,
        "mm3",
        method=METHOD,
        sources=sources,
        uncertainty_reason=(
            f"only a range: no piece of {LEAST_MM3:.0f} mm3 is brighter than bone cement"
        ),
        interval95=(0.0, LEAST_MM3),
        region=region.role,
        definition=f"nothing in the region is brighter than {LEAST_HU:.0f} HU",
        flags=volume.notes,
    )
    return LesionReading(measurements=(none,), regions=())


def _refused(reason: str, sources: tuple[str, ...]) -> LesionReading:
    refusal: Measurement | NotMeasured = not_measured(
        "cement_volume", reason, method=METHOD, sources=sources
    )
    return LesionReading(measurements=(refusal,))


def _sources(volume: Volume, region: Mask) -> tuple[str, ...]:
    corners = region.grid.corners()
    if not volume.grid.contains(corners).all():
        raise OsteotraceError(
            f"a mask ({region.role}) that lies outside the image",
            expected="a mask on the grid of the image that is measured",
            advice="measure the image that the mask was drawn on",
        )
    return tuple(image.source for image in volume.slices_between(corners))


def _voxel_mm3(volume: Volume) -> float:
    return float(np.prod(volume.grid.spacing))
