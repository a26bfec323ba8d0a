"""Where a voxel lies in the patient: the only module that turns indices into mm.

A `Grid` holds one in-plane frame and one origin per slice, so a regular, tilted
(sheared) or unevenly spaced stack is the same object. Points are patient LPS, in mm,
as ``(..., 3)`` float64 arrays; indices are ``(slice, row, column)``, an integer being
a voxel centre. numpy is the only import: distances, angles and planes live here too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.shown import Shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

# Cosines written as decimal strings carry about six digits (DICOM VR DS).
ORTHONORMAL_TOLERANCE = 1e-3
# Slices are even where no gap differs from the median gap by more than this share of it,
GAP_TOLERANCE = 0.01
# and no origin lies farther than this (mm) from its place at equal steps: small errors of
# the gaps add up along a stack, and the caliper's own uncertainty is near 0.02 mm.
EVENNESS_MM = 0.05
# A point this far beyond the outermost voxel centre still lies in the outermost voxel.
HALF_VOXEL = 0.5


def _frozen(values: ArrayLike, shape: tuple[int, ...], name: str) -> Array:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape and not (shape[0] == -1 and array.shape[1:] == shape[1:]):
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} is not finite")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Grid(Shown):
    """The voxel centres of a stack of parallel slices.

    Parameters
    ----------
    row_direction : (3,) float64
        Unit vector, LPS, of increasing column index: the first three numbers of
        ImageOrientationPatient (0020,0037).
    column_direction : (3,) float64
        Unit vector, LPS, of increasing row index: the last three numbers.
    pixel_spacing : (2,) float64
        mm between rows and mm between columns, in the order of PixelSpacing (0028,0030).
    origins : (slices, 3) float64
        LPS mm of the centre of the first voxel of each slice, ImagePositionPatient
        (0020,0032), ascending along ``row_direction × column_direction``.
    rows, columns : int
        Size of a slice in voxels.

    Attributes
    ----------
    normal : (3,) float64
        Unit normal of the slices, ``row_direction × column_direction``, LPS.
    """

    row_direction: Array
    column_direction: Array
    pixel_spacing: Array
    origins: Array
    rows: int
    columns: int
    normal: Array = field(init=False, repr=False)
    _positions: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "row_direction", _frozen(self.row_direction, (3,), "row_direction"))
        put(
            self,
            "column_direction",
            _frozen(self.column_direction, (3,), "column_direction"),
        )
        put(self, "pixel_spacing", _frozen(self.pixel_spacing, (2,), "pixel_spacing"))
        put(self, "origins", _frozen(self.origins, (-1, 3), "origins"))
        frame = np.stack([self.row_direction, self.column_direction])
        if np.abs(frame @ frame.T - np.eye(2)).max() > ORTHONORMAL_TOLERANCE:
            raise ValueError("row and column directions are not orthonormal")
        if (self.pixel_spacing <= 0).any() or self.rows < 1 or self.columns < 1:
            raise ValueError("spacing and size must be positive")
        put(self, "normal", cross(self.row_direction, self.column_direction))
        self.normal.setflags(write=False)
        positions = self.origins @ self.normal
        positions.setflags(write=False)
        if len(positions) == 0 or (np.diff(positions) <= 0).any():
            raise ValueError("slice positions do not ascend along the normal")
        put(self, "_positions", positions)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.origins), self.rows, self.columns

    @property
    def slice_positions(self) -> Array:
        """Distance of each slice along the normal, mm, ascending."""
        return self._positions

    @property
    def slice_gaps(self) -> Array:
        """Distance between neighbouring slices along the normal, mm."""
        return np.asarray(np.diff(self._positions))

    @property
    def spacing(self) -> Array:
        """Typical mm between slices, rows and columns (median gap between slices).

        A single slice has no gap: the first number is NaN.
        """
        gap = np.median(self.slice_gaps) if len(self.origins) > 1 else np.nan
        return np.array([gap, *self.pixel_spacing])

    @property
    def unevenness_mm(self) -> float:
        """Farthest that an origin lies from equal steps, first to last slice, mm."""
        share = np.linspace(0.0, 1.0, len(self.origins))[:, None]
        even = self.origins[0] + share * (self.origins[-1] - self.origins[0])
        return float(np.linalg.norm(self.origins - even, axis=1).max())

    @property
    def has_even_gaps(self) -> bool:
        """True where no gap along the normal stands out (`GAP_TOLERANCE`)."""
        if len(self.origins) < 2:
            return True
        gaps, median = self.slice_gaps, np.median(self.slice_gaps)
        return bool(np.abs(gaps - median).max() <= GAP_TOLERANCE * median)

    @property
    def is_even(self) -> bool:
        """True where equal steps describe the slices: one affine holds for all."""
        return self.has_even_gaps and self.unevenness_mm <= EVENNESS_MM

    @property
    def tilt_deg(self) -> float:
        """Signed tilt of the stack about the row direction, degrees.

        Zero where the origins of the slices follow the normal.
        """
        if len(self.origins) < 2:
            return 0.0
        along = self.origins[-1] - self.origins[0]
        return float(
            np.degrees(np.arctan2(along @ self.column_direction, along @ self.normal))
        )

    def affine(self) -> Array:
        """Return the (4, 4) matrix from (slice, row, column, 1) to LPS mm.

        Raises
        ------
        OsteotraceError
            If the slices are not evenly spaced: no single matrix describes them.
        """
        if not self.is_even:
            raise OsteotraceError(
                "unevenly spaced slices",
                expected="slices at equal steps for a single matrix",
                advice="resample the volume onto an even grid first",
            )
        last = len(self.origins) - 1
        whole = self.origins[last] - self.origins[0]
        matrix = np.eye(4)
        matrix[:3, 0] = whole / last if last else self.normal
        matrix[:3, 1] = self.column_direction * self.pixel_spacing[0]
        matrix[:3, 2] = self.row_direction * self.pixel_spacing[1]
        matrix[:3, 3] = self.origins[0]
        return matrix

    def to_patient(self, index: ArrayLike) -> Array:
        """Turn (..., 3) indices (slice, row, column) into (..., 3) LPS mm.

        Fractional slices lie on the straight line between neighbouring origins; beyond
        the ends the outermost step goes on.
        """
        index = np.asarray(index, dtype=np.float64)
        origin = self._origin_at(index[..., 0])
        row = index[..., 1, None] * self.pixel_spacing[0] * self.column_direction
        column = index[..., 2, None] * self.pixel_spacing[1] * self.row_direction
        return np.asarray(origin + row + column)

    def to_index(self, points: ArrayLike) -> Array:
        """Turn (..., 3) LPS mm into (..., 3) fractional (slice, row, column)."""
        points = np.asarray(points, dtype=np.float64)
        slices = self._slice_at(points @ self.normal)
        within = points - self._origin_at(slices)
        row = within @ self.column_direction / self.pixel_spacing[0]
        column = within @ self.row_direction / self.pixel_spacing[1]
        return np.stack([slices, row, column], axis=-1)

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell for (..., 3) LPS mm points whether each lies inside a voxel."""
        index = self.to_index(points)
        last = np.array(self.shape) - 1
        inside = (index >= -HALF_VOXEL) & (index <= last + HALF_VOXEL)
        return np.asarray(inside.all(axis=-1))

    def corners(self) -> Array:
        """Return the (8, 3) LPS mm centres of the corner voxels."""
        last = np.array(self.shape) - 1
        picks = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1)
        return self.to_patient(picks.reshape(-1, 3) * last)

    def cropped(self, box: tuple[slice, slice, slice]) -> Grid:
        """Return the grid of a box of voxels, (slice, row, column) ranges of step one.

        ValueError where the box holds no voxel, or its ranges have another step.
        """
        sides = zip(box, self.shape, strict=True)
        first, row, column = (side.indices(count) for side, count in sides)
        if any(end <= start or step != 1 for start, end, step in (first, row, column)):
            raise ValueError(f"the box {box} is empty or skips voxels")
        shift = (
            row[0] * self.pixel_spacing[0] * self.column_direction
            + column[0] * self.pixel_spacing[1] * self.row_direction
        )
        return Grid(
            row_direction=self.row_direction,
            column_direction=self.column_direction,
            pixel_spacing=self.pixel_spacing,
            origins=self.origins[first[0] : first[1]] + shift,
            rows=row[1] - row[0],
            columns=column[1] - column[0],
        )

    def box_around(self, points: ArrayLike, margin: float) -> tuple[slice, slice, slice]:
        """Return the box of voxels around (n, 3) LPS mm points and a margin in mm.

        The margin holds along every axis of the grid; the box ends where the grid ends
        and may be empty. ValueError where a number is not finite.
        """
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        if not (np.isfinite(points).all() and np.isfinite(margin)):
            raise ValueError("a box around a place that is not finite")
        aside = margin * np.stack([self.normal, -self.normal])
        reached = (points[:, None, :] + aside).reshape(-1, 3)
        at = self.to_index(np.concatenate([points, reached]))
        reach = np.array([0.0, *(margin / self.pixel_spacing)])
        low = np.clip(np.floor(at.min(axis=0) - reach), 0, self.shape).astype(int)
        high = np.clip(np.ceil(at.max(axis=0) + reach) + 1, 0, self.shape).astype(int)
        a, b, c = (slice(int(x), int(y)) for x, y in zip(low, high, strict=True))
        return a, b, c

    def _origin_at(self, slices: Array) -> Array:
        count = len(self.origins)
        if count == 1:
            return np.asarray(self.origins[0] + slices[..., None] * self.normal)
        low = np.clip(np.floor(slices), 0, count - 2).astype(np.intp)
        step = self.origins[low + 1] - self.origins[low]
        return np.asarray(self.origins[low] + (slices - low)[..., None] * step)

    def _slice_at(self, height: Array) -> Array:
        count = len(self._positions)
        if count == 1:
            return np.asarray(height - self._positions[0])
        low = np.searchsorted(self._positions, height, side="right") - 1
        low = np.clip(low, 0, count - 2)
        gap = self._positions[low + 1] - self._positions[low]
        return np.asarray(low + (height - self._positions[low]) / gap)


def cross(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the unit vector across two others, right-handed; zero for parallel ones.

    Parameters
    ----------
    a, b : (3,) array
    """
    # np.cross takes some ten times as long for one pair, and a scan needs thousands.
    (ax, ay, az), (bx, by, bz) = np.asarray(a).tolist(), np.asarray(b).tolist()
    across = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
    return np.asarray(across / (np.sqrt(across @ across) or 1.0))


def as_stored(point: ArrayLike) -> tuple[float, float, float]:
    """Round an LPS mm point to float32, as DICOM GraphicData holds it.

    Every stored point passes here first and is measured after, so that a record gives
    points and lengths back to the bit (PS3.3 C.18.9, VR FL).
    """
    # Beyond float32 a coordinate becomes infinite; whoever keeps the point refuses it.
    with np.errstate(over="ignore"):
        stored = np.asarray(point, dtype=np.float64).astype(np.float32)
    x, y, z = stored.astype(np.float64)
    return float(x), float(y), float(z)


def distance(a: ArrayLike, b: ArrayLike) -> float:
    """Return the mm between two LPS mm points."""
    step = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    return float(np.sqrt(step @ step))


def unit_vector(vector: ArrayLike) -> Array:
    """Return the vector at length one; ValueError where it has no length."""
    array = np.asarray(vector, dtype=np.float64)
    length = np.linalg.norm(array)
    if not length > 0:
        raise ValueError("a vector without length has no direction")
    return np.asarray(array / length)


def angle_deg(a: ArrayLike, b: ArrayLike) -> float:
    """Return the angle between two vectors, 0 to 180 degrees."""
    u, v = unit_vector(a), unit_vector(b)
    # atan2 of cross and dot keeps small angles exact where arccos loses them.
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v)))


def orthogonal_pair(direction: ArrayLike, *, towards: ArrayLike) -> tuple[Array, Array]:
    """Return two unit vectors that complete a direction to a right-handed frame.

    Parameters
    ----------
    direction : (3,) array
        The first axis.
    towards : (3,) array
        The second axis is the part of this vector across ``direction``; where that
        vanishes, the patient axis least aligned with ``direction`` is taken.
    """
    first = unit_vector(direction)
    hint = np.asarray(towards, dtype=np.float64)
    across = hint - (hint @ first) * first
    if np.linalg.norm(across) < 1e-6 * max(1.0, float(np.linalg.norm(hint))):
        hint = np.eye(3)[int(np.argmin(np.abs(first)))]
        across = hint - (hint @ first) * first
    second = unit_vector(across)
    return second, np.cross(first, second)


def patient_letters(direction: ArrayLike, *, least: float = 0.25) -> str:
    """Name a direction by patient letters, strongest first (``"L"``, ``"AS"``).

    Parameters
    ----------
    direction : (3,) array
        LPS: +x left, +y posterior, +z superior (head).
    least : float
        Components below this share of the unit vector are not named.

    Examples
    --------
    >>> patient_letters([1, 0, 0]), patient_letters([0, -1, 0.5])
    ('L', 'AS')
    """
    unit = unit_vector(direction)
    names = (("R", "L"), ("A", "P"), ("I", "S"))
    order = np.argsort(-np.abs(unit), kind="stable")
    return "".join(names[k][int(unit[k] > 0)] for k in order if abs(unit[k]) >= least)
