"""The separate volumes inside one SeriesInstanceUID.

Images go apart by what they are (size, spacing, orientation, echo, image type, b-value,
stack), then, where several lie at one place, by station and by time point. Each group
gets its stack and verdict from `stacks`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.series.catalogue import Series, VolumeHeader
from osteotrace.series.headers import MOMENTS
from osteotrace.series.kinds import (
    ENHANCED_SOP_CLASSES,
    apart,
    is_cone_beam,
    kind_words,
    no_stack,
)
from osteotrace.series.stacks import (
    COSINE_TOLERANCE,
    heights_of,
    is_placed,
    same_place_mm,
    stack,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.geometry import Array
    from osteotrace.series.instances import ImageAttributes, Instance, SeriesIdentity

# Spacings that differ by less than this share are one spacing, written differently.
SPACING_TOLERANCE: Final = 1e-4
# Stations of a whole-body series lie apart by centimetres; a shift below this (mm) is
# a fault of one stack.
STATION_MM: Final = 20.0

Group = list["Instance"]
# Images, the words that tell them from their neighbours, and what was noticed.
Part = tuple[Group, str, tuple[str, ...]]


def series_of(
    members: Sequence[tuple[SeriesIdentity, Instance]], damaged: tuple[str, ...] = ()
) -> Series:
    """Return a series with its volumes, each with its verdict.

    Parameters
    ----------
    members : sequence of (SeriesIdentity, Instance)
        The images of one series, at least one where nothing is damaged.
    damaged : tuple of str
        Names of files that say they belong to it and cannot be used.
    """
    identity = members[0][0]
    instances, notes = _without_copies([instance for _, instance in members])
    if not identity.series_uid:
        notes.append("no Series Instance UID: no DICOM SR")
    if len({who.study_uid for who, _ in members}) > 1:
        notes.append("its images name different studies; the first one's is used")
    volumes = _volumes(identity, instances)
    if damaged:
        notes.append(f"damaged and left out: {', '.join(damaged)}")
        # Records carry a volume's notes: no names of files, which may name a patient.
        left_out = f"{len(damaged)} damaged file{'s' * (len(damaged) > 1)} left out"
        volumes = tuple(
            replace(v, notes=(*v.notes, left_out), damaged=damaged) for v in volumes
        )
    if any(i.sop_class_uid in ENHANCED_SOP_CLASSES and not i.frame for i in instances):
        notes.append("an enhanced image without functional groups: it has no geometry")
    if any(v.grid is not None and not v.frame_of_reference_uid for v in volumes):
        notes.append("no FrameOfReferenceUID (0020,0052): measured, but no DICOM SR")
    if is_cone_beam(identity, instances[0].attributes):
        notes.append("cone beam CT: its grey values are no Hounsfield units")
    refers = dict.fromkeys(uid for i in instances for uid in i.refers_to)
    return Series(
        identity=identity,
        volumes=volumes,
        notes=tuple(dict.fromkeys(notes)),
        refers_to=tuple(refers),
    )


def _without_copies(instances: list[Instance]) -> tuple[list[Instance], list[str]]:
    """Return each image once, and what was noticed on the way."""
    seen: dict[tuple[str, int], Instance] = {}
    kept, notes = [], []
    for instance in instances:
        known = seen.setdefault((instance.sop_instance_uid, instance.frame), instance)
        if known is not instance and known.position == instance.position:
            notes.append("the same SOP instance lies there twice; one copy is used")
            continue
        if known is not instance:
            notes.append("different images carry one SOP Instance UID")
        kept.append(instance)
    return kept, notes


def _volumes(
    identity: SeriesIdentity, instances: list[Instance]
) -> tuple[VolumeHeader, ...]:
    found: list[VolumeHeader] = []
    for group in sorted(_by_attributes(instances), key=_first_number):
        refused = no_stack(identity, group)
        parts: list[Part] = [(group, "", ())] if refused else list(_parts(group))
        for part, label, notes in parts:
            ordered, grid, verdicts = (
                (tuple(part), None, (refused,)) if refused else stack(part)
            )
            words = kind_words(identity, ordered[0].attributes)
            found.append(
                VolumeHeader(
                    k=0,
                    identity=identity,
                    instances=ordered,
                    grid=grid,
                    kind=", ".join([*words, label] if label else words),
                    verdicts=verdicts,
                    notes=notes,
                )
            )
    return tuple(replace(volume, k=k) for k, volume in enumerate(found))


def _first_number(group: Group) -> int:
    return min(instance.number for instance in group)


def _by_attributes(instances: list[Instance]) -> list[Group]:
    """Group images of one kind and orientation; frames of reference come later."""
    # Attributes that are equal are one object: few to compare, however many images.
    alike: dict[int, Group] = defaultdict(list)
    for instance in instances:
        alike[id(instance.attributes)].append(instance)
    groups: list[Group] = []
    for members in alike.values():
        for group in groups:
            if _one_kind(members[0].attributes, group[0].attributes):
                group += members
                break
        else:
            groups.append(members)
    return groups


def _one_kind(one: ImageAttributes, other: ImageAttributes) -> bool:
    return apart(one) == apart(other) and (
        _close(one.pixel_spacing, other.pixel_spacing, relative=SPACING_TOLERANCE)
        and _close(one.orientation, other.orientation, absolute=COSINE_TOLERANCE)
    )


def _close(
    one: tuple[float, ...] | None,
    other: tuple[float, ...] | None,
    *,
    relative: float = 0.0,
    absolute: float = 0.0,
) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other, rtol=relative, atol=absolute))


def _parts(group: Group) -> Iterable[Part]:
    """Split images of one kind by frame of reference, station and time point."""
    for in_frame, notes in _by_frame(group):
        if not _repeated(in_frame, heights_of(in_frame)):
            yield in_frame, "", notes
            continue
        stations = _by_station(in_frame)
        for s, station in enumerate(stations):
            times, how = _by_time(station)
            for t, part in enumerate(times):
                words = []
                if len(stations) > 1:
                    words.append(f"station {s + 1} of {len(stations)}")
                if len(times) > 1:
                    words.append(f"time point {t + 1} of {len(times)}")
                yield part, ", ".join(words), (*notes, *how)


def _by_frame(group: Group) -> list[tuple[Group, tuple[str, ...]]]:
    """Split by FrameOfReferenceUID, unless only together the slices make a stack.

    Some exports give each slice a frame of its own: then no frame alone is a stack, and
    all of them together are one at half the gap or less.
    """
    frames: dict[str, Group] = defaultdict(list)
    for instance in group:
        frames[instance.attributes.frame_of_reference_uid].append(instance)
    if len(frames) == 1:
        return [(group, ())]
    _, grid, _ = stack(group)
    if grid is not None:
        gap = np.median(grid.slice_gaps)
        own = [stack(members)[1] for members in frames.values()]
        if any(
            part is None
            or len(part.origins) < 2
            or np.median(part.slice_gaps) > 1.5 * gap
            for part in own
        ):
            note = f"its slices name {len(frames)} frames of reference and make one stack"
            return [(group, (note,))]
    return [(members, ()) for members in sorted(frames.values(), key=_first_number)]


def _by_station(group: Group) -> list[Group]:
    """Split slices that lie side by side at one height, as stations of a body do."""
    heights = heights_of(group)
    if not _repeated(group, heights):
        return [group]
    orientation = np.array(group[0].orientation)
    positions = np.array([i.position for i in group])
    within = positions @ np.stack([orientation[:3], orientation[3:]], axis=1)
    stations: list[tuple[Array, Group]] = []
    for place, instance in zip(within, group, strict=True):
        for middle, members in stations:
            if np.abs(place - middle).max() < STATION_MM:
                members.append(instance)
                break
        else:
            stations.append((place, [instance]))
    return sorted((members for _, members in stations), key=_first_number)


def _by_time(group: Group) -> tuple[list[Group], tuple[str, ...]]:
    """Split images that lie at the same places into time points, where tags tell them.

    Where no tag does, the order at each place does, by time and instance number, if
    every place holds equally many.
    """
    heights = heights_of(group)
    if not _repeated(group, heights):
        return [group], ()
    said = [_moments(instance) for instance in group]
    for n in range(len(MOMENTS)):
        moments: dict[str, Group] = defaultdict(list)
        for instance, values in zip(group, said, strict=True):
            moments[values[n]].append(instance)
        if _are_time_points(list(moments.values())) and "" not in moments:
            return [moments[m] for m in sorted(moments, key=_moment_order)], ()
    return _by_order(group, heights)


def _by_order(group: Group, heights: Array) -> tuple[list[Group], tuple[str, ...]]:
    order = np.argsort(heights, kind="stable")
    breaks = np.flatnonzero(np.diff(heights[order]) >= same_place_mm(group)) + 1
    places = [[group[n] for n in part] for part in np.split(order, breaks)]
    counts = {len(place) for place in places}
    if len(places) < 2 or len(counts) > 1:
        return [group], ()
    ranked = [sorted(place, key=_rank) for place in places]
    if any(_rank(a) == _rank(b) for p in ranked for a, b in pairwise(p)):
        return [group], ()
    how = "time points told apart by the order of their images at each place"
    return [list(part) for part in zip(*ranked, strict=True)], (how,)


def _rank(instance: Instance) -> tuple[tuple[str, ...], int]:
    # The last three moments are clock times: as text they sort as in time.
    return tuple(_moments(instance)[-3:]), instance.number


def _moments(instance: Instance) -> list[str]:
    """Return what an image says of its time, one text for each of `MOMENTS`."""
    values = instance.moment.split("\0")
    return values if len(values) == len(MOMENTS) else [""] * len(MOMENTS)


def _moment_order(moment: str) -> tuple[float, str]:
    try:
        return float(moment), moment
    except ValueError:
        return np.inf, moment


def _repeated(group: Group, heights: Array) -> bool:
    """Tell whether two slices lie at one height."""
    if len(group) < 2:
        return False
    return bool(np.diff(np.sort(heights)).min() < same_place_mm(group))


def _are_time_points(groups: list[Group]) -> bool:
    """Tell whether groups are whole stacks: two places or more, none twice."""
    return len(groups) > 1 and all(
        len(group) > 1 and is_placed(group) and not _repeated(group, heights_of(group))
        for group in groups
    )
