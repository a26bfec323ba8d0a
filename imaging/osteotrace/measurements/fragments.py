"""One fragment measured: size, excess density, values, lucent rim and separation.

The surface is that of a blurred shape fitted to the grey image (`blurred_shapes`), never
the outline of thresholded voxels. Repeats of the fit on its own model, with noise like
the image's, give the uncertainty and the bias of the volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace import geometry
from osteotrace.measurements.bone_pieces import SURE_SHARE, distance_outside
from osteotrace.measurements.fitted_fragments import RANGE_BELOW_MM, FittedFragment
from osteotrace.measurements.measurement import (
    Detail,
    LesionReading,
    Measurement,
    Method,
    NotMeasured,
    measured,
    not_measured,
)
from osteotrace.measurements.surroundings import rim_and_separation
from osteotrace.regions import Mask, Polyline

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.measurements.blurred_shapes import Window
    from osteotrace.measurements.bone_pieces import Pieces
    from osteotrace.measurements.surroundings import Surroundings
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace fragment", version="1")
FRAGMENT: Final = "fragment"
LONGEST: Final = "longest diameter"

# What the narrow ends of the fitted surface leave uncertain, mm (same phantoms).
TIP_UNCERTAINTY_MM: Final = 0.12
# What is left uncertain of the volume, as a share of it.
MODEL_SHARE: Final = 0.035
SMALL_MODEL_SHARE: Final = 0.12
# A repeat starts from a surface that is noisy already and spreads less than the fit.
REPEAT_GAIN: Final = 1.4
VOXEL_SHARE: Final = 0.05
# An axis of fewer voxels than this is below resolution.
LEAST_VOXELS: Final = 3.0
# Points deeper than this many sigma hold the piece's own value.
DEEP_SIGMAS: Final = 1.5
# A surface of which this share has a lucent gap is separated completely.
COMPLETE: Final = 0.99


def reading(
    pieces: Pieces,
    fragment: FittedFragment,
    *,
    sigma: tuple[float, float],
    host: frozenset[int],
    flags: tuple[str, ...],
) -> LesionReading:
    """Return everything that is measured of one fragment.

    Parameters
    ----------
    pieces : Pieces
    fragment : FittedFragment
    sigma : (value, uncertainty)
        Point spread, mm.
    host : set of int
        Numbers of the pieces that are no fragments.
    flags : tuple of str
        What holds for every value of the image.
    """
    line = _line(pieces, fragment)
    mask = _mask(pieces, fragment)
    sources = mask.source_instances
    around = rim_and_separation(pieces, fragment.window, fragment.shape, host)
    told = (*flags, *_doubts(pieces, fragment, around))
    values = _values(pieces, fragment, mask, told, sigma[0])
    measurements: tuple[Measurement | NotMeasured, ...] = (
        _diameter(pieces, fragment, line, told),
        _volume(fragment, sigma, sources, told),
        *values,
        _contrast(pieces, values[0], told),
        _rim(around, sources, told),
        _separation(around, sources, told),
    )
    return LesionReading(measurements=measurements, regions=(mask, line))


def _places(pieces: Pieces, window: Window, points: Array) -> Array:
    """Return the LPS mm of points given in mm from a window's first lattice point."""
    index = np.asarray(points) / window.steps + np.array(window.corner)
    return pieces.lattice.grid.to_patient(index)


def _line(pieces: Pieces, fragment: FittedFragment) -> Polyline:
    """Return the longest diameter as a line, with its ends corrected."""
    volume = pieces.lattice.volume
    a, b = _places(pieces, fragment.window, np.array(fragment.shape.longest()))
    stretch = 0.5 * (fragment.length - geometry.distance(a, b))
    way = geometry.unit_vector(b - a)
    points = (
        geometry.as_stored(a - stretch * way),
        geometry.as_stored(b + stretch * way),
    )
    return Polyline(
        role=LONGEST,
        points=points,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(image.source for image in volume.slices_between(points)),
    )


def _mask(pieces: Pieces, fragment: FittedFragment) -> Mask:
    """Return the voxels of the marked image that are at least half in the fragment."""
    lattice = pieces.lattice
    volume = lattice.volume
    whole = np.zeros(lattice.grid.shape, dtype=bool)
    shape, corner = fragment.shape.cover.shape, fragment.window.corner
    box = tuple(slice(c, c + n) for c, n in zip(corner, shape, strict=True))
    whole[box] = fragment.shape.cover >= 0.5
    if not whole.any():
        whole = pieces.labels == fragment.number
    points = lattice.grid.to_patient(np.argwhere(whole))
    box_there = volume.grid.box_around(points, 0.0)
    part = volume.grid.cropped(box_there)
    index = np.moveaxis(np.indices(part.shape), 0, -1)
    at = np.round(lattice.grid.to_index(part.to_patient(index))).astype(np.intp)
    at = np.clip(at, 0, np.array(whole.shape) - 1)
    marked = whole[at[..., 0], at[..., 1], at[..., 2]]
    if not marked.any():
        nearest = np.round(part.to_index(points.mean(axis=0))).astype(int)
        marked[tuple(np.clip(nearest, 0, np.array(part.shape) - 1))] = True
    images = volume.instances
    return Mask.of(
        marked,
        part,
        role=FRAGMENT,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=(
            tuple(image.source for image in images[box_there[0]])
            if len(images) == len(volume.voxels)
            else ()
        ),
    )


def _doubts(pieces: Pieces, fragment: FittedFragment, around: Surroundings) -> list[str]:
    extent = np.ptp(fragment.shape.surface, axis=0)
    voxels = extent / pieces.lattice.native.grid.spacing
    told = []
    if voxels.min() < LEAST_VOXELS:
        told.append(
            f"below_resolution: only {voxels.min():.1f} voxels along an axis, at least "
            f"{LEAST_VOXELS:.0f} are needed"
        )
    if around.separated < COMPLETE:
        told.append(
            f"no lucent gap is seen at {100 * (1 - around.separated):.0f} % of its "
            "surface: it may be attached"
        )
    if around.touching:
        told.append("touches another fragment: the two may be one")
    return told


def _diameter(
    pieces: Pieces, fragment: FittedFragment, line: Polyline, flags: tuple[str, ...]
) -> Measurement:
    terms = {
        "u noise": REPEAT_GAIN * fragment.sd[0],
        "u definition": TIP_UNCERTAINTY_MM,
        "u voxel": VOXEL_SHARE * float(pieces.lattice.native.grid.spacing.max()),
    }
    return measured(
        "longest_diameter",
        geometry.distance(*line.points),
        "mm",
        method=METHOD,
        sources=line.source_instances,
        uncertainty=_root_sum(terms),
        region=LONGEST,
        definition="greatest distance between two points of the surface of a blurred "
        "shape fitted to the grey image; the rounding of narrow ends and what noise "
        "adds to the farthest points, known from phantoms, are taken off",
        flags=flags,
        details=[Detail(name, value, "mm") for name, value in terms.items()],
    )


def _root_sum(terms: dict[str, float]) -> float:
    return float(np.sqrt(sum(value**2 for value in terms.values())))


def _volume(
    fragment: FittedFragment,
    sigma: tuple[float, float],
    sources: tuple[str, ...],
    flags: tuple[str, ...],
) -> Measurement:
    value, small = fragment.volume, fragment.length < RANGE_BELOW_MM
    terms = {
        "u noise": REPEAT_GAIN * fragment.sd[1],
        "u definition": (SMALL_MODEL_SHARE if small else MODEL_SHARE) * value,
        "u point spread": abs(fragment.volume_per_sigma) * sigma[1],
    }
    uncertainty = _root_sum(terms)
    low = max(0.0, value - 1.96 * uncertainty)
    return measured(
        "excess_density_volume",
        value,
        "mm3",
        method=METHOD,
        sources=sources,
        uncertainty=None if small else uncertainty,
        uncertainty_reason=(
            f"only a range: under {RANGE_BELOW_MM:g} mm the density cannot be told from "
            "the size"
            if small
            else ""
        ),
        interval95=(low, value + 1.96 * uncertainty) if small else None,
        region=FRAGMENT,
        definition="excess over the lucent background, integrated over a collar of 2.4 "
        "mm, over the fitted excess of the fragment; neighbours are modelled and taken "
        "off",
        flags=flags,
        details=[
            *(Detail(name, term, "mm3") for name, term in terms.items()),
            Detail("point spread, sigma", sigma[0], "mm"),
        ],
    )


def _values(
    pieces: Pieces,
    fragment: FittedFragment,
    mask: Mask,
    flags: tuple[str, ...],
    sigma: float,
) -> tuple[Measurement, Measurement, Measurement]:
    """Return median, mean and SD of the voxels of a fragment."""
    volume = pieces.lattice.volume
    values = _inside(volume, mask)
    deep = _deep_share(fragment, sigma)
    full = fragment.shape.background + fragment.density
    unit = volume.unit
    told = flags
    if deep < 0.5:
        told = (
            *flags,
            f"partial volume: {100 * (1 - deep):.0f} % of the fragment lies within the "
            f"blur of its surface; its fitted value is {full:.0f}",
        )
    # Voxels share noise with their neighbours: about eight of them are one.
    independent = max(1.0, len(values) / 8)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    noise = float(fragment.shape.residual_sd)
    terms = {
        "median_value": (float(np.median(values)), 1.25 * spread / independent**0.5),
        "mean_value": (float(values.mean()), spread / independent**0.5),
        "value_sd": (spread, max(spread, noise) / (2 * independent) ** 0.5),
    }
    words = {
        "median_value": "median",
        "mean_value": "mean",
        "value_sd": "standard deviation",
    }
    out = [
        measured(
            name,
            value,
            unit,
            method=METHOD,
            sources=mask.source_instances,
            uncertainty=u,
            region=FRAGMENT,
            definition=f"{words[name]} of the voxels at least half inside the fitted "
            "surface, partial volume included; u is that of sampling, not of the "
            "partial volume",
            flags=told,
            details=[
                Detail("voxels", len(values), "{counts}"),
                Detail("share beyond the blur of the surface", 100 * deep, "%"),
                Detail("fitted value of the fragment", full, unit),
            ],
        )
        for name, (value, u) in terms.items()
    ]
    return out[0], out[1], out[2]


def _inside(volume: Volume, mask: Mask) -> Array:
    """Return the values of the voxels of a mask."""
    box = volume.grid.box_around(mask.grid.corners(), 0.0)
    return volume.rescaled(box)[mask.on(volume.grid)[box]]


def _deep_share(fragment: FittedFragment, sigma: float) -> float:
    """Return the share of the fragment's volume out of reach of the blur."""
    cover = fragment.shape.cover
    depth = distance_outside(cover < 0.5, fragment.window.steps)
    return float(cover[depth > DEEP_SIGMAS * sigma].sum() / max(cover.sum(), 1e-6))


def _contrast(pieces: Pieces, median: Measurement, flags: tuple[str, ...]) -> Measurement:
    sure = pieces.sharp[pieces.sharp > SURE_SHARE]
    share = 0.5 * float(np.ptp(np.quantile(sure, [0.65, 0.85]))) if len(sure) else 0.0
    host = share * (pieces.bone - pieces.lucent)
    terms = {"u fragment": median.uncertainty or 0.0, "u host": host}
    unit = median.unit
    return measured(
        "contrast_to_host",
        median.value - pieces.bone,
        unit,
        method=METHOD,
        sources=median.sources,
        uncertainty=_root_sum(terms),
        region=FRAGMENT,
        definition="median of the fragment minus the upper quartile of the bone within "
        "6 mm of the marked region, on the sharpened image",
        flags=(*flags, *(flag for flag in median.flags if flag not in flags)),
        details=[
            *(Detail(name, value, unit) for name, value in terms.items()),
            Detail("bone around", pieces.bone, unit),
            Detail("lucent tissue around", pieces.lucent, unit),
        ],
    )


def _rim(
    around: Surroundings, sources: tuple[str, ...], flags: tuple[str, ...]
) -> Measurement | NotMeasured:
    if around.rim is None:
        return not_measured(
            "lucent_rim_width", around.why_no_rim, method=METHOD, sources=sources
        )
    return measured(
        "lucent_rim_width",
        around.rim,
        "mm",
        method=METHOD,
        sources=sources,
        uncertainty=around.rim_uncertainty,
        region=FRAGMENT,
        definition="median distance from the fragment's surface to the nearest bone "
        "that is no fragment, both at half of their own step",
        flags=flags,
        details=[
            Detail("narrowest, tenth percentile", around.narrow, "mm"),
            Detail("widest, ninetieth percentile", around.wide, "mm"),
        ],
    )


def _separation(
    around: Surroundings, sources: tuple[str, ...], flags: tuple[str, ...]
) -> Measurement:
    return measured(
        "separated_fraction",
        100 * around.separated,
        "%",
        method=METHOD,
        sources=sources,
        uncertainty=100 * around.separated_uncertainty,
        interval95=(
            max(0.0, 100 * (around.separated - 1.96 * around.separated_uncertainty)),
            min(100.0, 100 * (around.separated + 1.96 * around.separated_uncertainty)),
        ),
        region=FRAGMENT,
        definition="share of the surface from which an outward line meets a lucent gap "
        "(under half of the fragment's density) before it meets bone that is no "
        "fragment; complete from 99 %",
        flags=flags,
        details=[Detail("complete", float(around.separated >= COMPLETE), "{counts}")],
    )
