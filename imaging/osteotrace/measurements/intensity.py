"""Grey values of a region: HU on CT, uncalibrated on cone beam CT, signal on MR.

The mean comes with the uncertainty that the image's correlated noise gives it. The other
values describe the voxels as they are. The region's volume comes last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

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
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from osteotrace.measurements.region_values import RegionNoise, RegionValues
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace intensity", version="1")
UNCALIBRATED: Final = "uncalibrated: grey values, not Hounsfield units"
NO_UNIT: Final = "signal has no unit; compare ratios only"
# Variance of the median over that of the mean of normal values, π/2.
MEDIAN_OVER_MEAN: Final = 0.5 * np.pi


def measure(volume: Volume, region: Mask) -> LesionReading:
    """Measure the grey values of a region, and its volume.

    Parameters
    ----------
    volume : Volume
        CT, cone beam CT or MR, on any grid: the voxels are read where they lie.
    region : Mask
        Of voxels of the volume.

    Returns
    -------
    LesionReading
        ``mean_value`` first, then ``median_value``, ``value_sd``, ``minimum_value`` and
        ``maximum_value``, in the unit of the image; ``voxel_volume`` (mm3) last.

    Raises
    ------
    OsteotraceError
        If the region lives in another frame of reference, lies off the volume, or holds
        voxels without a finite value.
    """
    found = region_values.read(volume, region)
    noise = region_values.noise_near(volume, found)
    doubts = (*region_values.doubts(volume, found, "region"), *volume.notes)
    flags = (*calibration_doubts(volume), *doubts)
    return LesionReading(
        measurements=(
            _mean(volume, region, found, noise, flags),
            _median(volume, region, found, noise, flags),
            *_descriptors(volume, region, found, flags),
            _size(volume, region, found, noise, doubts),
        ),
        regions=(region,),
    )


def calibration_doubts(volume: Volume) -> tuple[str, ...]:
    """Return what the values of a volume cannot be compared with, in words.

    A CT volume has no Hounsfield unit where a cone beam scanner made it or where its
    header names no rescale to HU (`osteotrace.volume.loading`).
    """
    if volume.identity.modality == "MR":
        return (NO_UNIT,)
    return () if volume.unit == HOUNSFIELD else (UNCALIBRATED,)


def _mean(
    volume: Volume,
    region: Mask,
    found: RegionValues,
    noise: RegionNoise | None,
    flags: tuple[str, ...],
) -> Measurement:
    u = None if noise is None else noise.of_mean(found.inside)
    details = [Detail("voxels", float(found.count), "{counts}")]
    if noise is not None and u is not None:
        details += [
            Detail("u noise", u, volume.unit),
            Detail("noise of one voxel", noise.standard_deviation, volume.unit),
            Detail("voxels whose noise moves together", noise.clump, "{counts}"),
        ]
    origin = "" if noise is None else f"; noise from {noise.origin}"
    return measured(
        "mean_value",
        float(found.values.mean()),
        volume.unit,
        method=METHOD,
        sources=found.sources,
        uncertainty=u,
        uncertainty_reason="" if noise else _NO_NOISE,
        region=region.role,
        definition="mean of the voxels whose centre lies in the region, border voxels "
        f"included; u is that of the image's noise, not of its calibration{origin}",
        flags=flags,
        details=details,
    )


_NO_NOISE: Final = "no homogeneous block in the image, and too few voxels in the region"


def _median(
    volume: Volume,
    region: Mask,
    found: RegionValues,
    noise: RegionNoise | None,
    flags: tuple[str, ...],
) -> Measurement:
    u = None
    if noise is not None:
        # The sample median moves with the few voxels near it: the wider the tissue's own
        # values spread beside the noise, the fewer they are.
        spread = float(found.values.std())
        wider = max(1.0, spread / max(noise.standard_deviation, 1e-9))
        u = noise.of_mean(found.inside) * float(np.sqrt(MEDIAN_OVER_MEAN * wider))
    return measured(
        "median_value",
        float(np.median(found.values)),
        volume.unit,
        method=METHOD,
        sources=found.sources,
        uncertainty=u,
        uncertainty_reason="" if noise else _NO_NOISE,
        region=region.role,
        definition="median of the voxels whose centre lies in the region",
        flags=flags,
        details=() if u is None else (Detail("u noise", u, volume.unit),),
    )


def _descriptors(
    volume: Volume, region: Mask, found: RegionValues, flags: tuple[str, ...]
) -> tuple[Measurement | NotMeasured, ...]:
    readings: list[Measurement | NotMeasured] = []
    if found.count > 1:
        values = {
            "value_sd": (float(found.values.std(ddof=1)), "noise and tissue together")
        }
    else:
        values = {}
        readings.append(
            not_measured(
                "value_sd",
                "one voxel has no spread",
                method=METHOD,
                sources=found.sources,
            )
        )
    values["minimum_value"] = float(found.values.min()), "one voxel with its noise"
    values["maximum_value"] = float(found.values.max()), "one voxel with its noise"
    for name, (value, words) in values.items():
        readings.append(
            measured(
                name,
                value,
                volume.unit,
                method=METHOD,
                sources=found.sources,
                uncertainty_reason=f"it describes the voxels as they are: {words}",
                region=region.role,
                definition="of the voxels whose centre lies in the region",
                flags=flags,
            )
        )
    return tuple(readings)


def _size(
    volume: Volume,
    region: Mask,
    found: RegionValues,
    noise: RegionNoise | None,
    flags: tuple[str, ...],
) -> Measurement | NotMeasured:
    """Return the volume of the voxels, whatever their values can be compared with."""
    name = "voxel_volume"
    if len(volume.grid.origins) < 2:
        reason = region_volume.NO_THICKNESS
        return not_measured(name, reason, method=METHOD, sources=found.sources)
    size = region_volume.of_region(volume, found, noise, corrected=False)
    border = (
        "half way between its deep voxels and what lies around"
        if np.isfinite(size.level)
        else "not seen in the image, so taken as drawn to half a voxel"
    )
    return measured(
        name,
        size.value,
        "mm3",
        method=METHOD,
        sources=found.sources,
        uncertainty=size.uncertainty if noise else None,
        uncertainty_reason="" if noise else _NO_NOISE,
        region=region.role,
        definition="voxels whose centre lies in the region times the volume of each; u "
        f"includes how far its border lies from the image's, {border}",
        flags=flags,
        details=size.terms if noise else (),
    )
