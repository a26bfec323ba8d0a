"""Series that are the stations of one whole-body exam.

A scanner that moves the table images a body in stations: series of one study with the
same orientation, spacing and frame of reference, named alike, each further down than the
last. They are one exam to a reader.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.series.catalogue import Series

# Neighbouring stations may leave this share of their extent between them, not more.
_GAP_SHARE: Final = 0.1
# Two stations overlap by no more than this share: else they show the same region.
_OVERLAP_SHARE: Final = 0.5
# Head to feet is this axis of LPS.
_SUPERIOR: Final = 2
# Words and numbers that tell stations of one sequence apart.
_STATION: Final = re.compile(
    r"\d+|\b(?:station|stn|stat|head|neck|brain|thorax|chest|abdomen|abd|pelvis|hips?|"
    r"thighs?|knees?|legs?|lower|upper|feet|foot|calves|body|top|mid|middle|bottom)\b|\W|_"
)


def named_exams(series: Sequence[Series]) -> tuple[Series, ...]:
    """Return the series, the stations of a whole-body exam with its name."""
    alike = defaultdict(list)
    for place, one in enumerate(series):
        key = _sequence(one)
        if key is not None:
            alike[key].append(place)
    named = list(series)
    for places in alike.values():
        if len(places) > 1 and _follow([_extent(series[place]) for place in places]):
            name = _name([series[place] for place in places])
            for place in places:
                named[place] = replace(series[place], exam=name)
    return tuple(named)


def head_to_feet(series: Sequence[Series]) -> tuple[Series, ...]:
    """Return stations with the uppermost first."""
    return tuple(sorted(series, key=lambda one: -_extent(one)[1]))


def _sequence(one: Series) -> tuple[object, ...] | None:
    """Return what the stations of one sequence share; None where there is no volume."""
    if len(one.volumes) != 1 or one.volumes[0].grid is None:
        return None
    who, attributes = one.identity, one.volumes[0].instances[0].attributes
    frame = (*(attributes.orientation or ()), *(attributes.pixel_spacing or ()))
    return (
        who.patient_id,
        who.study_uid,
        who.modality,
        _STATION.sub("", who.description.lower()),
        attributes.frame_of_reference_uid,
        *(round(number, 2) for number in frame),
    )


def _extent(one: Series) -> tuple[float, float]:
    """Return the lowest and highest LPS z of the voxel centres of a series, mm."""
    grid = one.volumes[0].grid
    assert grid is not None  # `_sequence` keeps no other
    down = (grid.rows - 1) * grid.pixel_spacing[0] * grid.column_direction[_SUPERIOR]
    right = (grid.columns - 1) * grid.pixel_spacing[1] * grid.row_direction[_SUPERIOR]
    first, last = grid.origins[[0, -1], _SUPERIOR].tolist()
    within = (0.0, float(down), float(right), float(down + right))
    ends = [height + part for height in (first, last) for part in within]
    return min(ends), max(ends)


def _follow(extents: list[tuple[float, float]]) -> bool:
    """Tell whether stations follow one another from head to feet."""
    ordered = sorted(extents, key=lambda extent: -extent[1])
    for upper, lower in pairwise(ordered):
        shorter = min(upper[1] - upper[0], lower[1] - lower[0])
        gap = upper[0] - lower[1]
        if gap > _GAP_SHARE * shorter or gap < -_OVERLAP_SHARE * shorter:
            return False
    return True


def _name(series: list[Series]) -> str:
    who = series[0].identity
    words = re.sub(r"[\W_]*\d*$", "", who.description) or who.protocol_name
    first = min(one.identity.series_uid for one in series)
    return f"{words or who.modality} ({len(series)} stations, {first})"
