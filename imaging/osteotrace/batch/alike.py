"""Which scans of other patients lie on the same grid: a label file could mean either.

A file of labels that names no patient (NIfTI, NRRD) is not used where it fits scans of
several. A task travels alone, so the few scans that could be mistaken for its own travel
with it, without their images.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import islice, product
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.reading import volumes_of
from osteotrace.volume.stored_image import SAME_GRID_MM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osteotrace.geometry import Grid
    from osteotrace.series import Catalogue, VolumeHeader

# One is enough to make a label file ambiguous; an error counts no more than these.
MOST_ALIKE: Final = 5
# Scans are looked up by the middle of their box, in cells of this size (mm).
_CELL_MM: Final = 1.0

_Key = tuple[tuple[int, ...], tuple[int, ...]]


def alike(studies: Sequence[Catalogue]) -> dict[str, tuple[VolumeHeader, ...]]:
    """Return, by StudyInstanceUID, scans of other studies that lie on one of its grids.

    Parameters
    ----------
    studies : sequence of Catalogue
        One catalogue a study.

    Returns
    -------
    dict
        At most `MOST_ALIKE` headers a study, each with its first image alone. Those that
        share patient and frame of reference are none: labels mean the same place there.
    """
    cells: dict[_Key, list[VolumeHeader]] = defaultdict(list)
    for study in studies:
        for header in volumes_of(study):
            if header.grid is not None:
                cells[_cell(header.grid)].append(header)
    return {
        study.series[0].identity.study_uid: tuple(
            islice(_others(study, cells), MOST_ALIKE)
        )
        for study in studies
    }


def _others(
    study: Catalogue, cells: dict[_Key, list[VolumeHeader]]
) -> Iterator[VolumeHeader]:
    own = study.series[0].identity.study_uid
    for header in volumes_of(study):
        if header.grid is None:
            continue
        for key in _near(header.grid):
            for other in cells.get(key, ()):
                if other.identity.study_uid != own and not _one_space(header, other):
                    yield replace(other, instances=other.instances[:1])


def _one_space(first: VolumeHeader, second: VolumeHeader) -> bool:
    return (
        first.identity.patient_id == second.identity.patient_id
        and first.frame_of_reference_uid == second.frame_of_reference_uid
    )


def _middle(grid: Grid) -> tuple[float, ...]:
    return tuple(grid.corners().mean(axis=0).tolist())


def _cell(grid: Grid) -> _Key:
    return tuple(sorted(grid.shape)), tuple(
        int(np.floor(x / _CELL_MM)) for x in _middle(grid)
    )


def _near(grid: Grid) -> Iterator[_Key]:
    """Yield the cells that a grid which is taken for the same one may be in."""
    ranges = [
        {int(np.floor((x + move) / _CELL_MM)) for move in (-SAME_GRID_MM, SAME_GRID_MM)}
        for x in _middle(grid)
    ]
    shape = tuple(sorted(grid.shape))
    return ((shape, cell) for cell in product(*ranges))
