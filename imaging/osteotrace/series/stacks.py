"""From the images of a series to its volumes, each with the verdict on its geometry.

Position, orientation and spacing decide; thickness, tilt tag and file order do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.geometry import GAP_TOLERANCE, Grid
from osteotrace.series.catalogue import Instance, Series, SeriesIdentity, VolumeHeader

if TYPE_CHECKING:
    from osteotrace.series.headers import Header

# Two slices share an orientation when no cosine differs by more than this: DS strings
# carry about six digits, and 1e-3 is 0.06 degrees.
COSINE_TOLERANCE: Final = 1e-3
# Slices nearer than this share of the in-plane spacing lie at one position.
DUPLICATE_TOLERANCE: Final = 0.01
# A stack leans when its origins leave the normal by this angle (degrees): 0.1 degrees
# moves the last of 200 slices of 1 mm by 0.35 mm.
TILT_TOLERANCE_DEG: Final = 0.1

PROJECTION_MODALITIES: Final = frozenset({"CR", "DX", "RG", "PX", "IO", "MG", "RF"})
MEASURED_MODALITIES: Final = frozenset({"CT", "MR"})
ENHANCED_SOP_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
        "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
    }
)


def series_of(members: list[Header]) -> Series:
    identity = members[0].identity
    notes = [] if identity.series_uid else ["no Series Instance UID: no DICOM SR"]
    groups: list[list[Instance]] = []
    seen: dict[str, Instance] = {}
    for member in members:
        instance = member.instance
        known = seen.setdefault(instance.sop_instance_uid, instance)
        if known is not instance and known.position == instance.position:
            notes.append("the same SOP instance lies there twice; one copy is used")
            continue
        if known is not instance:
            notes.append("different images carry one SOP Instance UID")
        _put(instance, groups)
    if any(m.instance.sop_class_uid in ENHANCED_SOP_CLASSES for m in members):
        notes.append("enhanced multi-frame images are listed, not yet read")
    if len({member.identity.study_uid for member in members}) > 1:
        notes.append("its images name different studies; the first one's is used")
    groups.sort(key=lambda g: min(i.number for i in g))
    volumes = tuple(_volume(k, identity, group) for k, group in enumerate(groups))
    if any(v.grid is not None and not v.frame_of_reference_uid for v in volumes):
        notes.append("no FrameOfReferenceUID (0020,0052): listed, not measured")
    return Series(identity=identity, volumes=volumes, notes=tuple(dict.fromkeys(notes)))


def _put(instance: Instance, groups: list[list[Instance]]) -> None:
    """Put an instance into the group it stacks with, or a new one."""
    for group in groups:
        first = group[0]
        if _same_kind(instance, first) and _parallel(instance, first):
            group.append(instance)
            return
    groups.append([instance])


def _same_kind(one: Instance, other: Instance) -> bool:
    def kind(instance: Instance) -> tuple[object, ...]:
        return (
            instance.rows,
            instance.columns,
            instance.pixel_spacing,
            instance.frame_of_reference_uid,
            instance.image_type[2:],
            instance.echo_time,
        )

    return kind(one) == kind(other)


def _parallel(one: Instance, other: Instance) -> bool:
    if one.orientation is None or other.orientation is None:
        return one.orientation is other.orientation
    step = np.subtract(one.orientation, other.orientation)
    return bool(np.abs(step).max() <= COSINE_TOLERANCE)


def _volume(k: int, identity: SeriesIdentity, group: list[Instance]) -> VolumeHeader:
    verdicts: tuple[str, ...]
    refused = _no_stack(identity, group)
    if refused:
        ordered, grid, verdicts = group, None, (refused,)
    else:
        ordered, grid, verdicts = _stack(group)
    return VolumeHeader(
        k=k,
        identity=identity,
        instances=tuple(ordered),
        grid=grid,
        kind=_kind(ordered[0]),
        verdicts=verdicts,
    )


def _no_stack(identity: SeriesIdentity, group: list[Instance]) -> str:
    """Return the verdict that rules a stack out, or an empty string."""
    first = group[0]
    if identity.modality in PROJECTION_MODALITIES:
        return "projection"
    if (
        not first.rows
        or not first.columns
        or identity.modality not in MEASURED_MODALITIES
    ):
        return "not_an_image"
    if any(i.sop_class_uid in ENHANCED_SOP_CLASSES for i in group):
        return "unreadable"
    if "LOCALIZER" in first.image_type:
        return "localizer"
    if first.pixel_spacing is None or min(first.pixel_spacing) <= 0:
        return "no_spacing"
    if first.orientation is None or any(i.position is None for i in group):
        return "not_an_image"
    return ""


def _kind(instance: Instance) -> str:
    words = []
    if instance.orientation is not None:
        normal = np.cross(instance.orientation[:3], instance.orientation[3:])
        words.append(("sagittal", "coronal", "axial")[int(np.argmax(np.abs(normal)))])
    if instance.echo_time is not None:
        words.append(f"TE {instance.echo_time:g} ms")
    words.extend(instance.image_type[2:3])
    return ", ".join(words)


def _stack(
    group: list[Instance],
) -> tuple[list[Instance], Grid | None, tuple[str, ...]]:
    """Order the slices along the normal and judge them."""
    orientation = np.array(group[0].orientation, dtype=np.float64)
    row, column = orientation[:3], orientation[3:]
    if np.abs(np.array([row @ row, column @ column, row @ column]) - [1, 1, 0]).max() > (
        COSINE_TOLERANCE
    ):
        return group, None, ("unreadable",)
    normal = np.cross(row, column)
    positions = np.array([i.position for i in group], dtype=np.float64)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    ordered = [group[n] for n in order]
    gaps = np.diff(heights[order])
    spacing = np.array(group[0].pixel_spacing, dtype=np.float64)
    if len(group) > 1 and gaps.min() < DUPLICATE_TOLERANCE * spacing.min():
        return ordered, None, ("duplicate_positions",)
    grid = Grid(
        row_direction=row / np.linalg.norm(row),
        column_direction=column / np.linalg.norm(column),
        pixel_spacing=spacing,
        origins=positions[order],
        rows=group[0].rows,
        columns=group[0].columns,
    )
    return ordered, grid, _verdicts(grid)


def _verdicts(grid: Grid) -> tuple[str, ...]:
    gaps = grid.slice_gaps
    if len(gaps) == 0:
        return ("single_slice",)
    verdicts = []
    if not grid.is_even:
        multiples = gaps / gaps.min()
        whole = np.abs(multiples - np.round(multiples)).max() <= GAP_TOLERANCE * (
            multiples.max()
        )
        missing = whole and not grid.has_even_gaps
        verdicts.append("missing_slices" if missing else "uneven")
    along = grid.origins[-1] - grid.origins[0]
    lean = np.degrees(np.arccos(min(1.0, along @ grid.normal / np.linalg.norm(along))))
    if lean > TILT_TOLERANCE_DEG:
        verdicts.append("tilted")
    return tuple(verdicts) or ("regular",)
