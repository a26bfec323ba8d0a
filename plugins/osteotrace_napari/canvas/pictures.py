"""Pictures without a place in the patient, for a canvas that shows volumes.

The stand-in is for the eye alone: it lies nowhere, and nothing is ever measured on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from osteotrace.geometry import Grid
from osteotrace.volume import Volume

if TYPE_CHECKING:
    from osteotrace.volume.pictures import Pictures


def stand_in(pictures: Pictures) -> Volume:
    """Return the frames as a volume of unit steps, shown with the pixels' aspect."""
    count, rows, columns = pictures.frames.shape
    grid = Grid(
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        pixel_spacing=np.array([pictures.aspect, 1.0]),
        origins=np.arange(count)[:, None] * np.array([0.0, 0.0, 1.0]),
        rows=rows,
        columns=columns,
    )
    return Volume(
        voxels=pictures.frames,
        grid=grid,
        slope=np.ones(count),
        intercept=np.zeros(count),
        unit=pictures.unit,
        frame_of_reference_uid="",
        instances=pictures.instances,
        identity=pictures.identity,
        notes=(pictures.badge,),
    )
