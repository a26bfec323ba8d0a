"""A stack of parallel slices: its grid and the verdict on its geometry.

Position, orientation and spacing decide; thickness, tilt tag and file order do not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.geometry import GAP_TOLERANCE, Grid, cross

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.geometry import Array
    from osteotrace.series.catalogue import VolumeHeader
    from osteotrace.series.instances import Instance

# Two slices share an orientation when no cosine differs by more than this: DS strings
# carry about six digits, and 1e-3 is 0.06 degrees.
COSINE_TOLERANCE: Final = 1e-3
# Slices nearer than this share of the in-plane spacing lie at one position: no slice is
# that thin, and a place repeated by a scanner may differ by rounding or motion.
DUPLICATE_TOLERANCE: Final = 0.05
# A gap is a whole multiple of the smallest to within `GAP_TOLERANCE` of itself, but
# never by more than this share of the smallest: else every large multiple is whole.
WHOLE_TOLERANCE: Final = 0.1
# A stack leans when its origins leave the normal by this angle (degrees): 0.1 degrees
# moves the last of 200 slices of 1 mm by 0.35 mm.
TILT_TOLERANCE_DEG: Final = 0.1

Stack = tuple[tuple["Instance", ...], Grid | None, tuple[str, ...]]


def heights_of(group: Sequence[Instance]) -> Array:
    """Return how far along the normal each slice lies, mm."""
    orientation = np.array(group[0].orientation, dtype=np.float64)
    normal = cross(orientation[:3], orientation[3:])
    return np.asarray(np.array([i.position for i in group], dtype=np.float64) @ normal)


def is_placed(group: Sequence[Instance]) -> bool:
    """Tell whether all images have a place in the patient."""
    return group[0].orientation is not None and all(i.position is not None for i in group)


def same_place_mm(group: Sequence[Instance]) -> float:
    """Return the distance (mm) below which slices lie at one position."""
    return DUPLICATE_TOLERANCE * min(group[0].pixel_spacing or (1.0,))


def stack(group: Sequence[Instance]) -> Stack:
    """Order slices along the normal and judge them.

    Returns
    -------
    instances, grid, verdicts
        No grid where two slices lie at one position or the cosines are impossible.
    """
    orientation = np.array(group[0].orientation, dtype=np.float64)
    row, column = orientation[:3], orientation[3:]
    frame = np.array([row @ row, column @ column, row @ column])
    if np.abs(frame - [1, 1, 0]).max() > COSINE_TOLERANCE:
        return tuple(group), None, ("unreadable",)
    heights = heights_of(group)
    order = np.argsort(heights, kind="stable")
    ordered = tuple(group[n] for n in order)
    if len(group) > 1 and np.diff(heights[order]).min() < same_place_mm(group):
        return ordered, None, ("duplicate_positions",)
    grid = Grid(
        row_direction=row / np.linalg.norm(row),
        column_direction=column / np.linalg.norm(column),
        pixel_spacing=np.array(group[0].pixel_spacing, dtype=np.float64),
        origins=np.array([i.position for i in ordered], dtype=np.float64),
        rows=group[0].rows,
        columns=group[0].columns,
    )
    return ordered, grid, _verdicts(grid)


def without_duplicates(header: VolumeHeader) -> VolumeHeader:
    """Return a volume with one slice at each position: the lowest instance number's.

    What was left out stands in its notes.
    """
    if "duplicate_positions" not in header.verdicts:
        return header
    near = same_place_mm(header.instances)
    kept: list[Instance] = []
    last = -np.inf
    ranked = sorted(
        zip(heights_of(header.instances), header.instances, strict=True),
        key=lambda pair: (pair[0], pair[1].number),
    )
    for height, instance in ranked:
        if height - last >= near:
            kept.append(instance)
            last = height
        elif (instance.number, instance.source) < (kept[-1].number, kept[-1].source):
            kept[-1] = instance
    instances, grid, verdicts = stack(kept)
    left = len(header.instances) - len(kept)
    note = f"{left} slices left out: others with a lower number lie at their positions"
    notes = (*header.notes, note)
    return replace(header, instances=instances, grid=grid, verdicts=verdicts, notes=notes)


def _verdicts(grid: Grid) -> tuple[str, ...]:
    gaps = grid.slice_gaps
    if len(gaps) == 0:
        return ("single_slice",)
    verdicts = []
    if not grid.is_even:
        multiples = gaps / gaps.min()
        allowed = np.minimum(GAP_TOLERANCE * multiples, WHOLE_TOLERANCE)
        whole = bool((np.abs(multiples - np.round(multiples)) <= allowed).all())
        missing = whole and not grid.has_even_gaps
        verdicts.append("missing_slices" if missing else "uneven")
    if is_tilted(grid):
        verdicts.append("tilted")
    return tuple(verdicts) or ("regular",)


def is_tilted(grid: Grid) -> bool:
    """Tell whether a stack leans away from the normal of its slices."""
    along = grid.origins[-1] - grid.origins[0]
    if len(grid.origins) < 2:
        return False
    lean = np.degrees(np.arccos(min(1.0, along @ grid.normal / np.linalg.norm(along))))
    return bool(lean > TILT_TOLERANCE_DEG)
