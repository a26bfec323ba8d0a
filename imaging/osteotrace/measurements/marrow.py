"""Marrow edema on MR: its volume, its share of the bone unit, its signal beside muscle.

`grow` proposes the region from one seed by a threshold half way between the patient's own
normal marrow and the lesion; the reader accepts it, or draws another, and `measure`
weighs it. Signal is only ever compared with signal of the same series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements import region_values, region_volume
from osteotrace.measurements.marrow_growth import grow
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Measurement,
    Method,
    NotMeasured,
    measured,
    not_measured,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.measurements.region_values import RegionNoise, RegionValues
    from osteotrace.measurements.region_volume import RegionVolume
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

__all__ = ["METHOD", "grow", "measure"]

METHOD: Final = Method(name="osteotrace marrow", version="1")
# Edema may reach this far, as a share of its volume, beyond the bone unit.
MOST_OUTSIDE: Final = 0.05
# A region whose border lies this far off the half-way surface, as a share of its volume.
MOST_OFF: Final = 0.15
# Below this signal over noise magnitude signal is no measure of the tissue (Gudbjartsson
# 1995, 10.1002/mrm.1910340618).
LEAST_SIGNAL_TO_NOISE: Final = 3.0


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
    lesion = _Lesion(
        volume=volume,
        role=edema.role,
        found=found,
        noise=region_values.noise_near(volume, found),
        within=None if bone is None else bone.on(volume.grid),
    )
    if len(volume.grid.origins) < 2:
        return _no_volume(found, edema)
    size = region_volume.of_region(volume, found, lesion.noise, lesion.within)
    flags = _doubts(lesion, size)
    return LesionReading(
        measurements=(
            _volume(lesion, size, flags),
            _percent(lesion, size, bone, flags),
            _ratio(lesion, size, muscle, flags),
        ),
        regions=tuple(mask for mask in (edema, bone, muscle) if mask is not None),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lesion:
    """The edema in its image; `within` is the bone unit on the volume's grid."""

    volume: Volume
    role: str
    found: RegionValues
    noise: RegionNoise | None
    within: NDArray[np.bool_] | None

    def refused(self, name: str, reason: str) -> NotMeasured:
        return not_measured(name, reason, method=METHOD, sources=self.found.sources)


def _no_volume(found: RegionValues, edema: Mask) -> LesionReading:
    reason = region_volume.NO_THICKNESS
    names = ("edema_volume", "edema_percent", "signal_ratio_to_muscle")
    return LesionReading(
        measurements=tuple(
            not_measured(name, reason, method=METHOD, sources=found.sources)
            for name in names
        ),
        regions=(edema,),
    )


def _doubts(lesion: _Lesion, size: RegionVolume) -> tuple[str, ...]:
    volume = lesion.volume
    flags = [*region_values.doubts(volume, lesion.found, "edema"), *volume.notes]
    if volume.identity.modality != "MR":
        flags.append("marrow edema is read on MR; this is no MR series")
    if not np.isfinite(size.level):
        flags.append("the edema's border cannot be seen: it does not differ from around")
    elif abs(size.half_way - size.value) > MOST_OFF * size.value:
        flags.append(
            "the region's border lies off the half-way surface of the image, which "
            f"holds {size.half_way:.0f} mm3"
        )
    return tuple(dict.fromkeys(flags))


def _volume(lesion: _Lesion, size: RegionVolume, flags: tuple[str, ...]) -> Measurement:
    return measured(
        "edema_volume",
        size.value,
        "mm3",
        method=METHOD,
        sources=lesion.found.sources,
        uncertainty=size.uncertainty,
        region=lesion.role,
        definition="voxel sum of the accepted region, corrected for the blur of its "
        "curved border; its border is taken half way between normal marrow and lesion",
        flags=flags,
        details=size.terms,
    )


def _percent(
    lesion: _Lesion, size: RegionVolume, bone: Mask | None, flags: tuple[str, ...]
) -> Measurement | NotMeasured:
    name, found = "edema_percent", lesion.found
    if bone is None or lesion.within is None:
        return lesion.refused(name, "no mask of the bone unit")
    unit = region_values.read(lesion.volume, bone)
    inside = float(lesion.within[found.box][found.inside].mean())
    whole = float(region_volume.voxel_volumes(lesion.volume, unit).sum())
    if whole < size.value or unit.count < found.count:
        return lesion.refused(
            name,
            f"the bone unit ({whole:.0f} mm3) is smaller than the edema "
            f"({size.value:.0f} mm3)",
        )
    if inside == 0:
        return lesion.refused(name, "the edema lies outside the bone unit")
    if inside < 1 - MOST_OUTSIDE:
        words = f"{100 * (1 - inside):.0f} % of the edema lies outside the bone unit"
        flags = (*flags, words + ": it is left out of the percentage")
    value = 100 * inside * size.value / whole
    grid_term = region_volume.grid_uncertainty(whole, lesion.volume.grid.spacing)
    terms = (value * size.uncertainty / size.value, value * grid_term / whole)
    return measured(
        name,
        value,
        "%",
        method=METHOD,
        sources=tuple(dict.fromkeys((*found.sources, *unit.sources))),
        uncertainty=float(np.hypot(terms[0], terms[1])),
        region=lesion.role,
        definition="edema volume over the volume of the bone unit as marked, whose own "
        "contour counts as given",
        flags=flags,
        details=(
            Detail("u edema volume", terms[0], "%"),
            Detail("u bone unit", terms[1], "%"),
            Detail("bone unit", whole, "mm3"),
        ),
    )


def _ratio(
    lesion: _Lesion, size: RegionVolume, muscle: Mask | None, flags: tuple[str, ...]
) -> Measurement | NotMeasured:
    name, found = "signal_ratio_to_muscle", lesion.found
    if muscle is None:
        return lesion.refused(name, "no mask of muscle on the same series")
    other = region_values.read(lesion.volume, muscle)
    overlap = muscle.on(lesion.volume.grid)[found.box] & found.inside
    if overlap.any():
        return lesion.refused(name, f"muscle and edema share {int(overlap.sum())} voxels")
    quiet = region_values.noise_near(lesion.volume, other) or lesion.noise
    sd = 0.0 if quiet is None else quiet.standard_deviation
    bright, beside = (_signal(float(v.values.mean()), sd) for v in (found, other))
    if not beside > LEAST_SIGNAL_TO_NOISE * sd or beside <= 0:
        return lesion.refused(
            name, f"the muscle's signal ({beside:.0f}) is lost in the noise ({sd:.0f})"
        )
    terms = _ratio_terms(lesion, size, other, quiet, (bright, beside))
    u = float(np.sqrt(sum(term.value**2 for term in terms)))
    known = quiet is not None
    told = (*flags, *region_values.doubts(lesion.volume, other, "muscle"))
    return measured(
        name,
        bright / beside,
        "{ratio}",
        method=METHOD,
        sources=tuple(dict.fromkeys((*found.sources, *other.sources))),
        uncertainty=u if known else None,
        uncertainty_reason="" if known else "no noise estimate in this image",
        region=lesion.role,
        definition="mean signal of the accepted region over mean signal of muscle of the "
        "same side on the same series, both freed of the Rician noise floor",
        flags=told,
        details=terms,
    )


def _ratio_terms(
    lesion: _Lesion,
    size: RegionVolume,
    other: RegionValues,
    quiet: RegionNoise | None,
    signals: tuple[float, float],
) -> tuple[Detail, ...]:
    """Return the terms of a ratio's uncertainty, from the signals of both regions."""
    bright, beside = signals
    terms = {"u noise": 0.0, "u muscle": 0.0, "u contour": 0.0}
    if quiet is not None:
        terms["u noise"] = (lesion.noise or quiet).of_mean(lesion.found.inside) / beside
        # Muscle is not the same everywhere: its own spread counts, where it is wider.
        spread = float(other.values.std()) / max(quiet.standard_deviation, 1e-9)
        of_muscle = quiet.of_mean(other.inside) * max(1.0, spread)
        terms["u muscle"] = bright / beside * of_muscle / beside
    if np.isfinite(size.level):
        # A border moved outwards takes in voxels at the half-way level.
        moved = abs(bright - size.level) * size.uncertainty / size.value
        terms["u contour"] = float(moved) / beside
    return tuple(Detail(name, float(term), "{ratio}") for name, term in terms.items())


def _signal(mean: float, sd: float) -> float:
    """Return the tissue's signal behind a mean of Rician voxels (second order)."""
    return mean - sd**2 / (2 * mean) if mean > 0 else mean
