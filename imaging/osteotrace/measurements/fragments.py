"""One fragment measured: size, excess density, values, lucent rim and separation.

The surface is that of a blurred shape fitted to the grey image (`blurred_shapes`), never
the outline of thresholded voxels. Repeats of the fit on its own model, with noise like
the image's, give the uncertainty and the bias of the volume.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace import geometry
from osteotrace.measurements.blurred_shapes import Fit, window_around
from osteotrace.measurements.bone_pieces import SURE_SHARE, distance_outside
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
    from collections.abc import Sequence

    from osteotrace.geometry import Array
    from osteotrace.measurements.blurred_shapes import Shape, Window
    from osteotrace.measurements.bone_pieces import Pieces
    from osteotrace.measurements.surroundings import Surroundings
    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace fragment", version="1")
FRAGMENT: Final = "fragment"
LONGEST: Final = "longest diameter"

# Point spreads tried on an image, sigma in mm, and what is assumed where no fragment is
# large enough to tell.
SIGMAS_MM: Final = (0.45, 0.6, 0.75)
ASSUMED_SIGMA_MM: Final = 0.6
ASSUMED_SIGMA_UNCERTAINTY_MM: Final = 0.1
FITTED_SIGMA_UNCERTAINTY_MM: Final = 0.03
MOST_FRAGMENTS_FOR_SIGMA: Final = 3
# Repeats of the fit with other noise.
REPEATS: Final = 8
# Below this longest diameter (mm) only a range of the volume is honest.
RANGE_BELOW_MM: Final = 4.0
# What the fitted surface loses at narrow ends, mm, and how many SD of the repeats the
# farthest of many noisy points lies too far out; what is left uncertain. Found on
# phantoms of the family `osteotrace.phantoms.fragments`.
TIP_MM: Final = 0.22
OUTERMOST_SDS: Final = 1.6
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedFragment:
    """A piece with its fitted shape.

    Parameters
    ----------
    number : int
        Of the piece.
    window : Window
    shape : Shape
    repeats : tuple of Shape
        Fits of the model under other noise.
    volume_per_sigma : float
        mm3 for a mm of point spread.
    """

    number: int
    window: Window
    shape: Shape
    repeats: tuple[Shape, ...]
    volume_per_sigma: float

    @property
    def sd(self) -> tuple[float, float]:
        """Return the spread of length and volume over the repeats, mm and mm3."""
        lengths = [_length(shape) for shape in self.repeats]
        volumes = [shape.volume for shape in self.repeats]
        return float(np.std(lengths, ddof=1)), float(np.std(volumes, ddof=1))

    @property
    def length(self) -> float:
        """Return the longest diameter without the bias of its ends, mm."""
        return _length(self.shape) + TIP_MM - OUTERMOST_SDS * self.sd[0]

    @property
    def volume(self) -> float:
        """Return the volume without the bias that the repeats show, mm3."""
        again = float(np.mean([shape.volume for shape in self.repeats]))
        return self.shape.volume**2 / again

    @property
    def density(self) -> float:
        """Return the step from background to fragment without that bias."""
        again = float(np.mean([shape.density for shape in self.repeats]))
        return self.shape.density**2 / again


def _length(shape: Shape) -> float:
    a, b = shape.longest()
    return geometry.distance(a, b)


def fitted(
    pieces: Pieces, numbers: Sequence[int]
) -> tuple[list[FittedFragment], float, float]:
    """Fit pieces with the point spread that explains the image best.

    Returns
    -------
    fragments : list of FittedFragment
        Those that can be fitted, in the order of ``numbers``.
    sigma, uncertainty : float
        Of the point spread, mm.
    """
    windows = {number: window_around(pieces, number) for number in numbers}
    sizes = {number: int(windows[number].own.sum()) for number in numbers}
    largest = sorted(numbers, key=lambda number: (-sizes[number], number))
    trial = [
        {sigma: Fit(windows[n], sigma)(windows[n].image) for sigma in SIGMAS_MM}
        for n in largest[:MOST_FRAGMENTS_FOR_SIGMA]
    ]
    sigma, uncertainty = _best_sigma(trial)
    fragments = []
    for number in numbers:
        fragment = _fitted_one(number, windows[number], sigma)
        if fragment is not None:
            fragments.append(fragment)
    return fragments, sigma, uncertainty


def _best_sigma(trials: Sequence[dict[float, Shape | None]]) -> tuple[float, float]:
    """Return the sigma at the lowest residual of all fragments large enough to tell."""
    low, middle, high = SIGMAS_MM
    total = np.zeros(3)
    for trial in trials:
        shapes = [trial[sigma] for sigma in SIGMAS_MM]
        told = [shape for shape in shapes if shape is not None]
        if len(told) == 3 and _length(told[1]) >= RANGE_BELOW_MM:
            total += [shape.collar_voxels * shape.residual_sd**2 for shape in told]
    left, here, right = total
    bend = left - 2 * here + right
    if not total.any() or not bend > 0:
        return ASSUMED_SIGMA_MM, ASSUMED_SIGMA_UNCERTAINTY_MM
    step = 0.5 * (high - low)
    best = middle + 0.5 * step * (left - right) / bend
    reach = 0.5 * step
    return float(np.clip(best, low - reach, high + reach)), FITTED_SIGMA_UNCERTAINTY_MM


def _fitted_one(number: int, window: Window, sigma: float) -> FittedFragment | None:
    fit = Fit(window, sigma)
    shape = fit(window.image)
    if shape is None:
        return None
    text = f"{number} {window.corner} {window.image.shape}".encode()
    text += window.image.tobytes()
    seed = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    generator = np.random.Generator(np.random.PCG64(seed))
    again = [
        fit(shape.model + shape.noise.draw(shape.model.shape, generator))
        for _ in range(REPEATS)
    ]
    repeats = tuple(one for one in again if one is not None)
    if len(repeats) < REPEATS // 2:
        return None
    wider = Fit(window, sigma + ASSUMED_SIGMA_UNCERTAINTY_MM)(window.image)
    slope = 0.0
    if wider is not None:
        slope = (wider.volume - shape.volume) / ASSUMED_SIGMA_UNCERTAINTY_MM
    return FittedFragment(
        number=number,
        window=window,
        shape=shape,
        repeats=repeats,
        volume_per_sigma=slope,
    )


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
