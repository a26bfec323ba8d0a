"""Images of one kind and orientation, split where they are more than one stack.

By frame of reference, by station of a whole-body series, by time point, by slab. A tag
that tells time points apart is believed; without one, images that lie at the same places
are told apart by their order there, if that is possible without a guess at any place.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.series.instances import CLOCKS, MOMENTS, Instance
from osteotrace.series.stacks import heights_of, same_place_mm, stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.geometry import Array

Group = list[Instance]
# Images, the words that tell them from their neighbours, and what was noticed.
Part = tuple[Group, str, tuple[str, ...]]

# Stations of a whole-body series lie apart by centimetres; a shift below this (mm) is
# a fault of one stack.
STATION_MM: Final = 20.0
# A gap over this many times the usual one parts two slabs, if it is no whole multiple.
SLAB_GAPS: Final = 3.0
# Time points show the same places: each at least this share of them.
SHARED_PLACES: Final = 0.5


def first_number(group: Group) -> tuple[int, str]:
    """Return what orders groups: the lowest instance number, then the UID."""
    return min((i.number, i.sop_instance_uid) for i in group)


def parts(group: Group) -> Iterator[Part]:
    """Split images of one kind into those of one stack each.

    Parameters
    ----------
    group : list of Instance
        Placed, parallel, of one size and spacing.
    """
    for in_frame, notes in _by_frame(group):
        heights = heights_of(in_frame)
        stations = _by_station(in_frame, heights)
        for s, station in enumerate(stations):
            if station is not in_frame:
                heights = heights_of(station)
            times, how = _by_time(station, heights)
            for t, time in enumerate(times):
                slabs = _by_slab(time, heights if time is station else heights_of(time))
                for n, slab in enumerate(slabs):
                    places = (
                        ("station", s, stations),
                        ("time point", t, times),
                        ("slab", n, slabs),
                    )
                    words = [
                        f"{word} {place + 1} of {len(all_of_them)}"
                        for word, place, all_of_them in places
                        if len(all_of_them) > 1
                    ]
                    yield slab, ", ".join(words), (*notes, *how)


def _by_frame(group: Group) -> list[tuple[Group, tuple[str, ...]]]:
    """Split by FrameOfReferenceUID, unless each slice has one of its own.

    Some exports give each slice a frame of reference: they are one stack, in none.
    """
    frames: dict[str, Group] = defaultdict(list)
    for instance in group:
        frames[instance.attributes.frame_of_reference_uid].append(instance)
    if len(frames) == 1:
        return [(group, ())]
    if len(frames) == len(group) and stack(group)[1] is not None:
        note = f"its slices name {len(frames)} frames of reference and make one stack"
        return [(group, (note,))]
    return [(members, ()) for members in sorted(frames.values(), key=first_number)]


def _by_station(group: Group, heights: Array) -> list[Group]:
    """Split slices that lie side by side at one height, as stations of a body do."""
    if not _repeated(group, heights):
        return [group]
    orientation = np.array(group[0].orientation)
    positions = np.array([i.position for i in group])
    within = positions @ np.stack([orientation[:3], orientation[3:]], axis=1)
    if all(np.ptp(within[place], axis=0).max() < STATION_MM for place in _places(group)):
        return [group]
    stations: list[tuple[Array, Group]] = []
    for place, instance in zip(within, group, strict=True):
        for middle, members in stations:
            if np.abs(place - middle).max() < STATION_MM:
                members.append(instance)
                break
        else:
            stations.append((place, [instance]))
    return sorted((members for _, members in stations), key=first_number)


def _by_time(group: Group, heights: Array) -> tuple[list[Group], tuple[str, ...]]:
    """Split into time points by the first tag that tells them, else by order.

    Clocks run on from slice to slice: they tell only where images lie at one place.
    """
    repeated = _repeated(group, heights)
    if not repeated and len({i.moment.rsplit("\0", CLOCKS)[0] for i in group}) == 1:
        return [group], ()
    said = [_moments(instance) for instance in group]
    places = len(_places(group))
    for n in range(len(MOMENTS) if repeated else len(MOMENTS) - CLOCKS):
        moments: dict[str, Group] = defaultdict(list)
        for instance, stated in zip(group, said, strict=True):
            moments[stated[n]].append(instance)
        if len(moments) < 2 or "" in moments:
            continue
        if _are_time_points(list(moments.values()), places):
            return [moments[m] for m in sorted(moments, key=_in_order)], ()
    return _by_order(group) if repeated else ([group], ())


def _are_time_points(groups: list[Group], places: int) -> bool:
    """Tell whether groups are stacks over the same region, none with a place twice."""
    heights = [np.sort(heights_of(group)) for group in groups]
    lowest, highest = max(h[0] for h in heights), min(h[-1] for h in heights)
    whole = max(h[-1] for h in heights) - min(h[0] for h in heights)
    return highest - lowest >= SHARED_PLACES * whole > 0 and all(
        len(group) >= max(2, SHARED_PLACES * places / len(groups))
        and len(group) >= SHARED_PLACES * max(map(len, groups))
        and not _repeated(group, at)
        for group, at in zip(groups, heights, strict=True)
    )


def _by_order(group: Group) -> tuple[list[Group], tuple[str, ...]]:
    """Take the first, the second … image at each place, where all have equally many."""
    ranked = [sorted((group[n] for n in place), key=_rank) for place in _places(group)]
    counts = {len(place) for place in ranked}
    tied = any(_rank(a) == _rank(b) for place in ranked for a, b in pairwise(place))
    if len(ranked) < 2 or len(counts) > 1 or tied:
        return [group], ()
    how = "time points told apart by the order of their images at each place"
    return [list(part) for part in zip(*ranked, strict=True)], (how,)


def _by_slab(group: Group, heights: Array) -> list[Group]:
    """Part slabs that a wide gap divides: both temporomandibular joints in one series."""
    gaps = np.diff(np.sort(heights))
    # No gap is wide beside the median if none is beside the smallest.
    if len(gaps) < 3 or gaps.max() <= SLAB_GAPS * gaps.min():
        return [group]
    ordered, grid, verdicts = stack(group)
    if grid is None or "uneven" not in verdicts:
        return [group]
    cuts = np.flatnonzero(grid.slice_gaps > SLAB_GAPS * np.median(grid.slice_gaps)) + 1
    slabs = [list(ordered[a:b]) for a, b in pairwise([0, *cuts, len(ordered)])]
    return slabs if all(len(slab) > 1 for slab in slabs) else [group]


def _places(group: Group) -> list[Array]:
    """Return which images lie at each height."""
    heights = heights_of(group)
    order = np.argsort(heights, kind="stable")
    breaks = np.flatnonzero(np.diff(heights[order]) >= same_place_mm(group)) + 1
    return list(np.split(order, breaks))


def _repeated(group: Group, heights: Array) -> bool:
    """Tell whether two slices lie at one height."""
    if len(group) < 2:
        return False
    return bool(np.diff(np.sort(heights)).min() < same_place_mm(group))


def _moments(instance: Instance) -> list[str]:
    """Return what an image says of its time, one text for each of `MOMENTS`."""
    values = instance.moment.split("\0")
    return values if len(values) == len(MOMENTS) else [""] * len(MOMENTS)


def _rank(instance: Instance) -> tuple[tuple[tuple[float, str], ...], int]:
    return tuple(map(_in_order, _moments(instance))), instance.number


def _in_order(moment: str) -> tuple[float, str]:
    """Return what sorts a moment: as a number where it is one."""
    try:
        return float(moment), ""
    except ValueError:
        return np.inf, moment
