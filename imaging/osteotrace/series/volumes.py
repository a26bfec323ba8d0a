"""The separate volumes inside one SeriesInstanceUID.

Images go apart by what they are (size, spacing, orientation, echo, image type, kernel,
b-value, stack), then as `splitting` says. Each group gets its stack and verdict from
`stacks`. What comes first is decided by instance number and UID, never by file name.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import chain, product
from typing import TYPE_CHECKING, Final

from osteotrace.series.catalogue import Series, VolumeHeader
from osteotrace.series.kinds import (
    ENHANCED_SOP_CLASSES,
    MEASURED_MODALITIES,
    apart,
    is_cone_beam,
    kind_words,
    no_stack,
)
from osteotrace.series.splitting import Group, Part, first_number, parts
from osteotrace.series.stacks import COSINE_TOLERANCE, stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osteotrace.series.instances import ImageAttributes, Instance, SeriesIdentity

# Spacings that differ by less than this share are one spacing, written differently.
SPACING_TOLERANCE: Final = 1e-4
# Groups are looked up by their cosines, rounded to this many decimals.
_CELL_DECIMALS: Final = 2


def series_of(
    members: Mapping[SeriesIdentity, list[Instance]], damaged: tuple[str, ...] = ()
) -> Series:
    """Return a series with its volumes, each with its verdict.

    Parameters
    ----------
    members : mapping from SeriesIdentity to list of Instance
        The images of one series, at least one; as a rule all state the same identity.
    damaged : tuple of str
        Names of files that say they belong to it and cannot be used.
    """
    identity = min(
        members,
        key=lambda who: (
            who.modality not in MEASURED_MODALITIES,
            min(map(_order, members[who])) if len(members) > 1 else None,
        ),
    )
    instances, notes = _without_copies(
        sorted(chain.from_iterable(members.values()), key=_order)
    )
    if not identity.series_uid:
        notes.append("no Series Instance UID: no DICOM SR")
    if len({who.study_uid for who in members}) > 1:
        notes.append("its images name different studies; the first one's is used")
    volumes = _volumes(identity, instances)
    if damaged:
        # No names of files, which may name a patient: records carry these notes.
        left_out = f"{len(damaged)} damaged file{'s' * (len(damaged) > 1)} left out"
        notes.append(left_out)
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


def _order(instance: Instance) -> tuple[int, str, int]:
    return instance.number, instance.sop_instance_uid, instance.frame


def _without_copies(instances: list[Instance]) -> tuple[list[Instance], list[str]]:
    """Return each image once, and what was noticed on the way."""
    if len({(i.sop_instance_uid, i.frame) for i in instances}) == len(instances):
        return instances, []
    seen: dict[tuple[str, int], Instance] = {}
    kept, notes = [], []
    for instance in instances:
        known = seen.setdefault((instance.sop_instance_uid, instance.frame), instance)
        same = (known.position, known.moment) == (instance.position, instance.moment)
        if known is not instance and same:
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
    for group in sorted(_by_attributes(instances), key=first_number):
        refused = no_stack(group)
        whole: list[Part] = [(group, "", ())]
        for part, label, notes in whole if refused else parts(group):
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


def _by_attributes(instances: list[Instance]) -> list[Group]:
    """Group images of one kind and orientation; frames of reference come later."""
    # Attributes that are equal are one object: few to compare, however many images.
    alike: dict[object, Group] = defaultdict(list)
    for instance in instances:
        shared, placed = id(instance.attributes), instance.position is not None
        alike[shared if placed else -shared].append(instance)
    groups: list[Group] = []
    cells: dict[object, list[Group]] = defaultdict(list)
    for members in alike.values():
        attributes, placed = members[0].attributes, members[0].position is not None
        kind = (*apart(attributes), placed)
        near = cells[kind, _cell(attributes.orientation)]
        for group in near:
            if _parallel(attributes, group[0].attributes):
                group += members
                break
        else:
            groups.append(members)
            for cell in _cells(attributes.orientation):
                cells[kind, cell].append(members)
    return groups


def _cell(orientation: tuple[float, ...] | None) -> tuple[float, ...]:
    return tuple([round(c, _CELL_DECIMALS) for c in orientation or ()])


def _cells(orientation: tuple[float, ...] | None) -> set[tuple[float, ...]]:
    """Return the cells in which something parallel may be looked up."""
    low, high = (
        _cell(tuple([c + shift for c in orientation or ()]))
        for shift in (-COSINE_TOLERANCE, COSINE_TOLERANCE)
    )
    return set(product(*({a, b} for a, b in zip(low, high, strict=True))))


def _parallel(one: ImageAttributes, other: ImageAttributes) -> bool:
    return _close(
        one.pixel_spacing, other.pixel_spacing, relative=SPACING_TOLERANCE
    ) and _close(one.orientation, other.orientation, absolute=COSINE_TOLERANCE)


def _close(
    one: tuple[float, ...] | None,
    other: tuple[float, ...] | None,
    *,
    relative: float = 0.0,
    absolute: float = 0.0,
) -> bool:
    if one is None or other is None:
        return one is other
    return all(
        abs(a - b) <= absolute + relative * abs(b)
        for a, b in zip(one, other, strict=True)
    )
