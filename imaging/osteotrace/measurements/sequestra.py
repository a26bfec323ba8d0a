"""Sequestra: separate pieces of bone in a marked region, counted and measured.

A candidate is a piece that lies wholly inside the region and is joined to no other bone;
the reader accepts each. `bone_pieces` splits the bone, `fragments` measures one piece.
Teeth, implants and cement are told by their brightness alone: mark around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from osteotrace.measurements import bone_pieces, fragments
from osteotrace.measurements.fitted_fragments import fitted_fragments
from osteotrace.measurements.image_noise import noise_in
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Method,
    Presence,
    measured,
    not_measured,
)
from osteotrace.segmentation.thresholds import METAL_HU
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.measurements.bone_pieces import Lattice, Pieces
    from osteotrace.measurements.image_noise import ImageNoise
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace sequestra", version="1")
REGION: Final = "marked region"

# This much metal in the region blinds it, mm3.
METAL_MM3: Final = 1.0
# Enamel and metal are brighter than bone: HU, and steps from lucent to bone without HU.
TOOTH_HU: Final = 2000.0
TOOTH_SHARE: Final = 2.0
# Under this step from lucent to bone (HU; noise SDs without HU) there is no bone.
LEAST_STEP_HU: Final = 250.0
LEAST_STEP_NOISE: Final = 6.0
# Slices farther apart (mm) are flagged, and refused.
WIDE_MM: Final = 1.5
TOO_WIDE_MM: Final = 5.0
# A region narrower than so many voxels cannot hold a piece with its gap.
LEAST_VOXELS: Final = 5
# A candidate is at least this bright (share of the step from lucent to bone
# before sharpening), and stands this far out of noise and texture (their SD).
LEAST_BRIGHTNESS: Final = 0.33
LEAST_SIGNIFICANCE: Final = 4.0
# Noise is read this far from all bone (mm), under this share of the step; so many voxels.
PLAIN_MM: Final = 1.2
PLAIN_SHARE: Final = 0.25
LEAST_PLAIN: Final = 200
UNSHARP_QUANTILE: Final = 0.95


class SequestraReading(msgspec.Struct, frozen=True, kw_only=True):
    """What looking for sequestra in a region gives.

    Parameters
    ----------
    summary : LesionReading
        The count first, with the marked region. Absent where none is counted; unknown
        where a piece was left out that the border of the region cuts or that is faint.
    fragments : tuple of LesionReading
        The longest first.
    """

    summary: LesionReading
    fragments: tuple[LesionReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidates:
    """Pieces inside the region, judged, and those that its border cuts."""

    accepted: tuple[int, ...]
    teeth: int
    faint: int
    cut: int


def find(volume: Volume, region: Mask) -> SequestraReading:
    """Find and measure the separate pieces of bone in a marked region.

    Parameters
    ----------
    volume : Volume
        CT or cone beam CT, of two slices or more.
    region : Mask
        On the volume's voxels: the lucent area with its pieces and a little of its wall.

    Returns
    -------
    SequestraReading
        The count refuses with its reason where metal, slices too far apart or a region
        without bone leave no answer.

    Raises
    ------
    OsteotraceError
        If the mask does not lie on the volume's voxels, or there is one slice only.
    """
    marked = msgspec.structs.replace(region, role=REGION)
    lattice = bone_pieces.lattice_around(volume, region)
    refusal = _refusal(volume, region, lattice)
    if refusal:
        return _refused(volume, marked, refusal)
    pieces = bone_pieces.split(lattice)
    noise = _noise(pieces)
    refusal = _no_bone(pieces, noise)
    if refusal:
        return _refused(volume, marked, refusal)
    flags = _flags(lattice, region)
    judged = _judged(pieces)
    fitted, sigma, sigma_u = fitted_fragments(pieces, judged.accepted)
    accepted = {fragment.number for fragment in fitted}
    host = frozenset(int(n) for n in np.unique(pieces.labels)) - accepted - {0}
    readings = [
        fragments.reading(
            pieces, fragment, sigma=(sigma, sigma_u), host=host, flags=flags
        )
        for fragment in fitted
    ]
    order = sorted(range(len(fitted)), key=lambda k: (-fitted[k].length, k))
    return SequestraReading(
        summary=_summary(volume, marked, pieces, noise, judged, len(fitted), flags),
        fragments=tuple(readings[k] for k in order),
    )


def _refusal(volume: Volume, region: Mask, lattice: Lattice) -> str:
    """Return what leaves no answer before bone is looked for, or nothing."""
    gap = float(volume.grid.slice_gaps.max())
    if gap > TOO_WIDE_MM:
        return (
            f"slices {gap:.1f} mm apart: pieces of bone cannot be told apart beyond "
            f"{TOO_WIDE_MM:g} mm"
        )
    shape = region.grid.shape
    if min(shape) < LEAST_VOXELS:
        return (
            f"a region of {' × '.join(map(str, shape))} voxels: a piece with the gap "
            f"around it needs {LEAST_VOXELS} a side"
        )
    if volume.unit == HOUNSFIELD:
        voxel = float(np.prod(lattice.native.grid.spacing / lattice.parts))
        metal = float((lattice.values[lattice.inside] >= METAL_HU).sum()) * voxel
        if metal > METAL_MM3:
            return (
                f"{metal:.0f} mm3 in the region reach {METAL_HU:.0f} HU (metal or "
                "saturated): streaks make and hide pieces; mark around it"
            )
    return ""


def _no_bone(pieces: Pieces, noise: ImageNoise) -> str:
    step = pieces.bone - pieces.lucent
    if pieces.lattice.volume.unit == HOUNSFIELD:
        if step < LEAST_STEP_HU:
            return (
                f"no bone in or around the region: the brightest tissue is {step:.0f} HU "
                f"over the darkest, at least {LEAST_STEP_HU:.0f} is needed"
            )
    elif step < LEAST_STEP_NOISE * noise.standard_deviation:
        return "no bone in or around the region: nothing stands out of the noise"
    return ""


def _refused(volume: Volume, marked: Mask, reason: str) -> SequestraReading:
    refused = not_measured(
        "fragment_count", reason, method=METHOD, sources=_sources(volume, marked)
    )
    return SequestraReading(
        summary=LesionReading(measurements=(refused,), regions=(marked,))
    )


def _sources(volume: Volume, marked: Mask) -> tuple[str, ...]:
    corners: Array = marked.grid.corners()
    return tuple(image.source for image in volume.slices_between(corners))


def _flags(lattice: Lattice, region: Mask) -> tuple[str, ...]:
    volume = lattice.volume
    told = list(volume.notes)
    gap = float(volume.grid.slice_gaps.max())
    if gap > WIDE_MM:
        told.append(
            f"slices {gap:.1f} mm apart: pieces under {2 * gap:.0f} mm and gaps between "
            "slices can be missed"
        )
    if lattice.resampled:
        told.append("measured on voxels resampled to right angles and even slices")
    if volume.unit != HOUNSFIELD:
        told.append("uncalibrated grey values, not HU")
    elif (lattice.values >= METAL_HU).any():
        told.append(
            f"values of {METAL_HU:.0f} HU within {bone_pieces.MARGIN_MM:g} mm of the "
            "region: streaks of metal can make and hide pieces"
        )
    first = np.round(volume.grid.to_index(region.grid.origins[0])).astype(int)
    last = first + np.array(region.grid.shape)
    if (first <= 0).any() or (last >= np.array(volume.grid.shape)).any():
        told.append(
            "the region touches the border of the volume: a piece there is not counted"
        )
    return tuple(told)


def _noise(pieces: Pieces) -> ImageNoise:
    """Return the noise of the lucent voxels in the region, else of all lucent ones."""
    lattice = pieces.lattice
    every = tuple(slice(None, None, part) for part in lattice.parts)
    away = bone_pieces.distance_outside(pieces.labels > 0, lattice.steps)
    plain = (away > PLAIN_MM) & (pieces.sharp < PLAIN_SHARE)
    if lattice.volume.unit == HOUNSFIELD:
        plain &= lattice.values > bone_pieces.AIR_HU
    near = (plain & lattice.inside)[every]
    values = lattice.native.rescaled()
    return noise_in(values, near if near.sum() >= LEAST_PLAIN else plain[every])


def _judged(pieces: Pieces) -> _Candidates:
    """Judge the pieces that lie wholly inside the region."""
    lattice = pieces.lattice
    step = pieces.bone - pieces.lucent
    lucent = lattice.values[lattice.inside & (pieces.sharp < bone_pieces.LOW_SHARE)]
    middle = float(np.median(lucent)) if len(lucent) else pieces.lucent
    spread = 1.4826 * float(np.median(np.abs(lucent - middle))) if len(lucent) else 0.0
    tooth = (
        TOOTH_HU
        if lattice.volume.unit == HOUNSFIELD
        else pieces.lucent + TOOTH_SHARE * step
    )

    def brightness(number: int) -> Literal["bone", "tooth", "faint"]:
        values = lattice.values[pieces.labels == number]
        bright = float(np.quantile(values, UNSHARP_QUANTILE))
        if bright > tooth:
            return "tooth"
        is_faint = (
            bright - pieces.lucent < LEAST_BRIGHTNESS * step
            or bright - middle < LEAST_SIGNIFICANCE * spread
        )
        return "faint" if is_faint else "bone"

    judged = {int(number): brightness(number) for number in pieces.enclosed()}
    return _Candidates(
        accepted=tuple(number for number, what in judged.items() if what == "bone"),
        teeth=sum(what == "tooth" for what in judged.values()),
        faint=sum(what == "faint" for what in judged.values()),
        cut=sum(brightness(number) == "bone" for number in pieces.cut()),
    )


def _summary(
    volume: Volume,
    marked: Mask,
    pieces: Pieces,
    noise: ImageNoise,
    judged: _Candidates,
    count: int,
    flags: tuple[str, ...],
) -> LesionReading:
    told = list(flags)
    if judged.teeth:
        told.append(
            f"{judged.teeth} separate piece(s) as bright as enamel or metal left out"
        )
    unfitted = len(judged.accepted) - count
    if unfitted:
        told.append(f"{unfitted} separate piece(s) too faint to be measured left out")
    if judged.cut:
        told.append(
            f"{judged.cut} separate piece(s) at the edge of the region left out: mark a "
            "larger region"
        )
    unit = volume.unit
    value = measured(
        "fragment_count",
        count,
        "{counts}",
        method=METHOD,
        sources=_sources(volume, marked),
        uncertainty_reason="a count of candidates that a reader accepts; pieces under "
        "3.5 mm, and two with a gap under 0.5 mm, can be missed",
        region=REGION,
        definition="pieces of bone wholly inside the region and joined to no other "
        "bone: over 35 % of the step from lucent tissue to bone on the sharpened image, "
        "parted at necks through which a lucent gap runs, at least "
        f"{bone_pieces.LEAST_MM3:g} mm3",
        flags=told,
        details=[
            Detail("lucent tissue around", pieces.lucent, unit),
            Detail("bone around", pieces.bone, unit),
            Detail("noise SD", noise.standard_deviation, unit),
            Detail("faint specks left out", judged.faint, "{counts}"),
            Detail("lattice, widest step", float(pieces.lattice.steps.max()), "mm"),
        ],
    )
    # What was left out may be a fragment: then none counted is not none there.
    none: Presence = "unknown" if judged.cut or unfitted else "absent"
    return LesionReading(
        measurements=(value,),
        regions=(marked,),
        presence="present" if count else none,
    )
