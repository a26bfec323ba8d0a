"""Voxels with their place in the patient: the one carrier that everything measures on.

Voxels keep their stored integer type, with slope and intercept beside them. Nothing is
read, decoded or resampled here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.series import Instance, SeriesIdentity

HOUNSFIELD: Final = "[hnsf'U]"
ARBITRARY: Final = "1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Volume(Shown):
    """Voxels with their place in the patient.

    Parameters
    ----------
    voxels : (slices, rows, columns) array, read-only
        Stored values: integers, or float32 where they were resampled or read from a
        file of floats.
    grid : Grid
        Where they lie.
    slope, intercept : (slices,) float64
        Rescale Slope and Intercept (0028,1053), (0028,1052) of each slice.
    unit : str
        UCUM unit of the rescaled values; ``"1"`` for MR signal.
    frame_of_reference_uid : str
        FrameOfReferenceUID (0020,0052).
    instances : tuple of Instance
        The image of each slice, in slice order; empty where the voxels came from a file
        that is no DICOM.
    identity : SeriesIdentity
        The series.
    notes : tuple of str
        What was done to the voxels or found about them on the way here, in words.
    source_grid : Grid or None
        The grid that the instances lie on, where the voxels were resampled.
    """

    voxels: NDArray[Any] = field(repr=False)
    grid: Grid
    slope: Array = field(repr=False)
    intercept: Array = field(repr=False)
    unit: str
    frame_of_reference_uid: str
    instances: tuple[Instance, ...] = field(repr=False)
    identity: SeriesIdentity
    notes: tuple[str, ...] = ()
    source_grid: Grid | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.voxels.setflags(write=False)
        if self.voxels.shape != self.grid.shape:
            raise ValueError(f"voxels {self.voxels.shape}, grid {self.grid.shape}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return self.grid.shape

    @property
    def spacing(self) -> Array:
        """Typical mm between slices, rows and columns (`Grid.spacing`)."""
        return self.grid.spacing

    def rescaled(self, window: tuple[slice, slice, slice] | None = None) -> Array:
        """Return values in `unit`, (slices, rows, columns) float64, of a window."""
        box = window or (slice(None), slice(None), slice(None))
        slope = self.slope[box[0]][:, None, None]
        intercept = self.intercept[box[0]][:, None, None]
        return np.asarray(self.voxels[box] * slope + intercept, dtype=np.float64)

    def slices_between(self, points: ArrayLike) -> tuple[Instance, ...]:
        """Return the instances that (n, 3) LPS mm points lie on or between.

        Empty for a volume without instances.
        """
        if not self.instances:
            return ()
        grid = self.source_grid or self.grid
        at = np.round(grid.to_index(points)[..., 0])
        last = len(self.instances) - 1
        low, high = np.clip([at.min(), at.max()], 0, last).astype(int)
        return self.instances[low : high + 1]

    def cropped(self, box: tuple[slice, slice, slice]) -> Volume:
        """Return the part of the volume in a box of voxels, which shares its memory.

        Parameters
        ----------
        box : (slice, row, column) ranges of step one
            `Grid.box_around` gives one around points.
        """
        whole = self.source_grid is None
        return replace(
            self,
            voxels=self.voxels[box],
            grid=self.grid.cropped(box),
            slope=self.slope[box[0]],
            intercept=self.intercept[box[0]],
            instances=self.instances[box[0]] if whole else self.instances,
        )

    def rectified(self, spacing: float | Sequence[float] | None = None) -> Volume:
        """Return the volume on a rectilinear grid (`resampling.rectified`)."""
        from osteotrace.volume.resampling import rectified

        return rectified(self, spacing)
