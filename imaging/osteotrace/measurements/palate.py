"""The palatal defect: the gap in the bone and the gap in the soft tissue over it.

The bony gap is measured as a region: the middle of the bone left around it is a surface,
the density on that surface shows the hole, and an edge is fitted all around its rim, with
the pull of the blur on a curved edge put back. Its greatest antero-posterior extent in
one sagittal plane, its greatest transverse extent in one coronal plane and its area come
from the same rim. The soft-tissue gap is the caliper's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.codes import QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.measurements import (
    caliper,
    palatal_hole,
    palatal_open,
    palatal_uncertainty,
)
from osteotrace.measurements.edge_pairs import CannotFit
from osteotrace.measurements.measurement import LesionReading, Measurement, not_measured
from osteotrace.measurements.palatal_rim import Rim, fitted_rim
from osteotrace.measurements.palatal_sizes import BONY, METHOD, Defect
from osteotrace.measurements.palatal_surface import Midsagittal
from osteotrace.measurements.palatal_uncertainty import rim_noise
from osteotrace.segmentation.thresholds import METAL_HU
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array
    from osteotrace.measurements.palatal_hole import Hole
    from osteotrace.volume import Volume

# What the soft-tissue gap is: both readings of the published text (clinical.md 2.2).
Meaning = Literal["notch_width", "shortening"]

# A plate is refused where the voxels across it are this many times as thick: its bone is
# no plateau any more.
UNRESOLVED: Final = 1.5


def bony_gap(
    volume: Volume,
    start: ArrayLike,
    end: ArrayLike | None = None,
    *,
    midsagittal: tuple[ArrayLike, ArrayLike] | None = None,
) -> LesionReading:
    """Measure the hole in the bony palate around a place.

    Parameters
    ----------
    volume : Volume
        CT, on a grid of any kind; nothing is resampled.
    start : (3,) array
        A rough point on the anterior stump, patient LPS mm; without ``end``, a point
        inside the hole.
    end : (3,) array, optional
        A rough point on the posterior stump.
    midsagittal : (point, normal), optional
        The midsagittal plane, LPS mm and a vector of any length. Without one, sagittal
        means across the patient's left-right axis.

    Returns
    -------
    LesionReading
        ``palatal_gap_ap``, ``palatal_gap_transverse``, ``palatal_gap_area`` and
        ``palatal_gap_on_line``, each measured or with the reason why not.

    Raises
    ------
    OsteotraceError
        If a point lies outside the volume, both coincide, or the midsagittal plane is
        none.
    """
    first = caliper.point_in(volume, "start", start)
    line = None if end is None else _line(volume, first, end)
    seed = first if line is None else line.mean(axis=0)
    plane = Midsagittal.of(midsagittal)
    sources = tuple(image.source for image in volume.slices_between(seed[None]))
    try:
        _require_image(volume)
        hole = palatal_hole.find(volume, seed, line, plane.lateral)
        if set(hole.open_sides) == set(palatal_hole.SIDES):
            raise CannotFit(
                "no palatal bone surrounds the points: mark the stumps, or a point in "
                "the hole at the height of the palate"
            )
        if hole.outline is None:
            return palatal_open.reading(volume, hole, seed)
        _require_resolved(hole)
        rim = fitted_rim(hole.window, hole.surface, hole.outline, hole.image.soft)
        _require_no_metal(rim)
    except CannotFit as refusal:
        refused = (
            not_measured(name, str(refusal), method=METHOD, sources=sources)
            for name in BONY
        )
        return LesionReading(measurements=tuple(refused))
    first_seed = palatal_uncertainty.seed(seed, volume.frame_of_reference_uid)
    drawn = rim_noise(volume, hole.surface, rim, first_seed)
    halves = tuple(_halves(hole, rim))
    return Defect(volume, hole, rim, halves, drawn, plane).reading


def _line(volume: Volume, first: Array, end: ArrayLike) -> Array:
    last = caliper.point_in(volume, "end", end)
    if geometry.distance(first, last) < caliper.LEAST_DRAWN_MM:
        raise OsteotraceError(
            f"two points {geometry.distance(first, last):.2f} mm apart",
            expected=f"points at least {caliper.LEAST_DRAWN_MM} mm apart",
            advice="mark the anterior and the posterior stump, or one point in the hole",
            usage=True,
        )
    return np.stack([first, last])


def _require_image(volume: Volume) -> None:
    if volume.unit != HOUNSFIELD:
        raise CannotFit("bone has no signal of its own on MR: a bony gap is read on CT")
    if len(volume.grid.origins) < 3:
        raise CannotFit(
            f"{len(volume.grid.origins)} slice(s): a hole in the palate needs a stack"
        )


def _require_resolved(hole: Hole) -> None:
    surface = hole.surface
    if surface.gap > UNRESOLVED * surface.thickness:
        raise CannotFit(
            f"the palate is {surface.thickness:.1f} mm thick, which voxels of "
            f"{surface.gap:.1f} mm across it do not resolve"
        )


def _halves(hole: Hole, rim: Rim) -> Iterator[Array]:
    """Yield the rim by the lower and by the upper layers of the plate alone."""
    layers = hole.surface.layers
    for part in (layers[layers < 0], layers[layers > 0]):
        try:
            again = fitted_rim(
                hole.window, hole.surface, rim.outline, hole.image.soft, part
            )
        except CannotFit:
            continue
        yield again.outline


def _require_no_metal(rim: Rim) -> None:
    if rim.brightest > METAL_HU:
        raise CannotFit(f"metal at the rim of the hole ({rim.brightest:.0f} HU)")


def soft_tissue_gap(
    volume: Volume,
    start: ArrayLike,
    end: ArrayLike,
    *,
    meaning: Meaning = "notch_width",
) -> LesionReading:
    """Measure the soft-tissue gap between two margins; the number is the caliper's.

    Parameters
    ----------
    volume : Volume
        MR or CT.
    start, end : (3,) array
        Rough points on both margins, patient LPS mm.
    meaning : {"notch_width", "shortening"}
        What the distance stands for: the width of the notch between two margins, or by
        how much the antero-posterior extent falls short of the expected contour.

    Returns
    -------
    LesionReading
        ``soft_tissue_notch`` and the caliper's own lengths.

    Raises
    ------
    OsteotraceError
        As `osteotrace.measurements.caliper.measure`, or for another meaning.
    """
    if meaning not in get_args(Meaning):
        raise OsteotraceError(
            f"meaning={meaning!r}",
            expected="one of " + ", ".join(get_args(Meaning)),
            advice="say which of the two the distance stands for",
            usage=True,
        )
    reading = caliper.measure(volume, start, end)
    name = "soft_tissue_notch"
    value = msgspec.structs.replace(reading.value, name=name, code=QUANTITIES[name])
    if isinstance(value, Measurement):
        definition = f"{meaning}: {value.definition}"
        value = msgspec.structs.replace(value, definition=definition)
    return LesionReading(
        measurements=(value, *reading.measurements[1:]), regions=reading.regions
    )
