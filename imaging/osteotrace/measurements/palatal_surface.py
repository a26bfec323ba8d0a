"""The bony palate around a defect as a surface: its middle, and the density on it.

A vault has no plane in which a hole could be drawn. The middle of the bone left around
the hole is fitted with a polynomial height field over a plane, and the mean density of a
thin layer about it is a grey image of the plate, in which the hole is a region. Points
of that plane are (posterior, left) mm. Voxels are interpolated linearly at their true
places, on a grid of any kind; nothing is resampled before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import unit_vector
from osteotrace.measurements.doubts import LEAST_STEP_HU, SOFT_TISSUE_CEILING_HU
from osteotrace.measurements.edge_pairs import CannotFit
from osteotrace.measurements.noise import AIR_CEILING_HU
from osteotrace.volume.resampling import interpolated

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.volume import Volume

# Columns through the palate: mm between them, and mm between samples along them.
COLUMN_STEP_MM: Final = 0.8
HEIGHT_STEP_MM: Final = 0.5
# How far up and down bone is looked at around the seed, mm.
HEIGHT_MM: Final = 12.0
# Spread of the window in which a column's bone is averaged, mm, pass by pass.
WINDOW_MM: Final = (4.0, 3.0, 2.5)
# Columns count by their distance from the rim (before it is known: from the seed), mm.
NEAR_SEED_MM: Final = 12.0
NEAR_RIM_MM: Final = 5.0
# Columns this far from the surface are other bone: teeth, vomer (Tukey's constant), mm.
OTHER_BONE_MM: Final = 1.5
# Terms of the height field: posterior and left to these powers.
POWERS: Final = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
LEAST_COLUMNS: Final = 40
# Share of samples that must be soft tissue for its level to be read from the image.
LEAST_SOFT_SHARE: Final = 0.02
# Bone whose columns are taller than this (mm) is a wall, not a plate.
MOST_THICKNESS_MM: Final = 15.0
# Lattice of the density image, mm.
DENSITY_STEP_MM: Final = 0.4
# Layers averaged about the middle: this share of the thickness in whole voxels.
LAYER_SHARE: Final = 0.45
LAYER_STEP_MM: Final = 0.25
MOST_LAYERS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Midsagittal:
    """The plane that offsets are measured from.

    Parameters
    ----------
    point : (3,) float64 or None
        LPS mm; None where no plane was given.
    lateral : (3,) float64
        Its unit normal, LPS, from right to left.
    """

    point: Array | None
    lateral: Array

    @classmethod
    def of(cls, given: tuple[ArrayLike, ArrayLike] | None) -> Midsagittal:
        """Return a given plane, or across the patient's left-right axis without one."""
        if given is None:
            return cls(point=None, lateral=np.array([1.0, 0.0, 0.0]))
        point, normal = (np.asarray(part, dtype=np.float64) for part in given)
        sound = point.shape == normal.shape == (3,) and np.isfinite([point, normal]).all()
        # A plane that no head has: its normal leans 45° or more out of left-right.
        if not sound or abs(normal[0]) <= np.linalg.norm(normal) * np.sqrt(0.5):
            raise OsteotraceError(
                f"the midsagittal plane {np.asarray(given, dtype=object).tolist()}",
                expected="a point in LPS mm and a normal from right to left",
                advice="correct the plane, or leave it out",
                usage=True,
            )
        lateral = unit_vector(normal) * np.sign(normal[0])
        return cls(point=point, lateral=lateral)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """A plane through the defect.

    Parameters
    ----------
    origin : (3,) float64
        LPS mm.
    axes : (3, 3) float64
        Rows: posterior, left and superior unit vectors in LPS, orthogonal.
    """

    origin: Array
    axes: Array

    @classmethod
    def facing(cls, origin: Array, up: ArrayLike, left: ArrayLike) -> Frame:
        """Return the plane with normal ``up``; ``left`` is made to lie in it."""
        superior = unit_vector(up)
        lateral = np.asarray(left, dtype=np.float64)
        lateral = unit_vector(lateral - (lateral @ superior) * superior)
        posterior = np.cross(superior, lateral)
        return cls(origin=origin, axes=np.stack([posterior, lateral, superior]))

    def to_patient(self, local: Array) -> Array:
        """Turn (..., 3) posterior, left, superior mm into (..., 3) LPS mm."""
        return np.asarray(local @ self.axes + self.origin)

    def to_local(self, points: ArrayLike) -> Array:
        """Turn (..., 3) LPS mm into (..., 3) posterior, left, superior mm."""
        return np.asarray((np.asarray(points) - self.origin) @ self.axes.T)


class Window:
    """The voxels around a defect, to be interpolated at any LPS point.

    Parameters
    ----------
    volume : Volume
    around : (n, 3) array
        LPS mm.
    margin : float
        mm kept around them.
    """

    def __init__(self, volume: Volume, around: ArrayLike, margin: float) -> None:
        self.box = volume.grid.box_around(around, margin)
        self.values = volume.rescaled(self.box)
        self.grid: Grid = volume.grid
        self._corner = np.array([side.start for side in self.box])

    def index(self, points: Array) -> Array:
        """Return where (..., 3) LPS mm points lie in the window's voxels."""
        return np.asarray(self.grid.to_index(points) - self._corner)

    def at(self, points: Array) -> Array:
        """Return the values at (..., 3) LPS mm points; NaN outside."""
        return interpolated(self.values, self.index(points))

    def at_index(self, index: Array, values: Array) -> Array:
        """Return other values of the window's shape at places from `index`."""
        return interpolated(values, index)

    def gap_along(self, direction: Array) -> float:
        """Return the mm between voxels along a unit vector."""
        grid = self.grid
        axes = np.stack([grid.normal, grid.column_direction, grid.row_direction])
        return float(np.linalg.norm(axes @ direction * np.nan_to_num(grid.spacing)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Grey values of an image around a palate, HU.

    Parameters
    ----------
    soft : float
        Of soft tissue; of air where there is none.
    least_bone : float
        Above it a sample may be bone.
    """

    soft: float
    least_bone: float


def levels(values: Array) -> Levels:
    """Read the level of soft tissue from samples, as their commonest value.

    Bone has no level here: its own plateau is read where it is measured.
    """
    tissue = values[(values > AIR_CEILING_HU) & (values < SOFT_TISSUE_CEILING_HU)]
    if len(tissue) < LEAST_SOFT_SHARE * values.size:
        soft = float(np.median(values[values <= AIR_CEILING_HU]))
        return Levels(soft=soft, least_bone=SOFT_TISSUE_CEILING_HU)
    counts, edges = np.histogram(tissue, bins=50)
    smooth = np.convolve(counts, np.ones(5) / 5, mode="same")
    peak = int(np.argmax(smooth))
    soft = float(0.5 * (edges[peak] + edges[peak + 1]))
    near = tissue[np.abs(tissue - soft) < 100.0]
    return Levels(soft=float(np.median(near)), least_bone=soft + LEAST_STEP_HU)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """The middle of a plate as heights over a plane.

    Parameters
    ----------
    frame : Frame
    terms : (k,) float64
        Of the powers in `POWERS`, mm.
    thickness : float
        Median thickness of the bone around the defect, mm along the normal.
    gap : float
        mm between voxels along the normal.
    """

    frame: Frame
    terms: Array
    thickness: float
    gap: float

    def height(self, a: Array, b: Array) -> Array:
        """Return heights over the plane at (posterior, left) mm."""
        return np.asarray(_powers(a, b) @ self.terms)

    def points(self, flat: Array, above: float = 0.0) -> Array:
        """Return the LPS mm points of (..., 2) places, ``above`` mm over the middle."""
        a, b = flat[..., 0], flat[..., 1]
        lifted = np.stack([a, b, self.height(a, b) + above], axis=-1)
        return self.frame.to_patient(lifted)

    @property
    def layers(self) -> Array:
        """Heights over the middle that are averaged, mm."""
        # Over whole voxels a mean does not change with where between two of them it is.
        whole = max(1.0, round(LAYER_SHARE * self.thickness / self.gap))
        depth = whole * self.gap
        count = int(np.clip(np.ceil(depth / LAYER_STEP_MM), 3, MOST_LAYERS))
        return np.asarray(depth * ((np.arange(count) + 0.5) / count - 0.5))


def _powers(a: Array, b: Array) -> Array:
    return np.stack([a**i * b**j for i, j in POWERS], axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Samples in columns across a plane.

    Parameters
    ----------
    a, b : (n,) float64
        mm posterior and left.
    heights : (m,) float64
        mm over the plane.
    values : (n, m) float64
    """

    a: Array
    b: Array
    heights: Array
    values: Array


def columns_around(window: Window, frame: Frame, reach: float) -> Columns:
    """Sample columns within a distance of the origin of a frame, mm."""
    side = np.arange(-reach, reach + 0.5 * COLUMN_STEP_MM, COLUMN_STEP_MM)
    a, b = (grid.ravel() for grid in np.meshgrid(side, side, indexing="ij"))
    heights = np.arange(-HEIGHT_MM, HEIGHT_MM + 0.5 * HEIGHT_STEP_MM, HEIGHT_STEP_MM)
    local = np.empty((len(a), len(heights), 3))
    local[..., 0], local[..., 1], local[..., 2] = a[:, None], b[:, None], heights
    values = window.at(frame.to_patient(local))
    return Columns(a=a, b=b, heights=heights, values=np.nan_to_num(values, nan=-1e4))


def fitted(
    columns: Columns, frame: Frame, grey: Levels, weight: Array, gap: float
) -> Surface:
    """Fit the middle of the bone in columns.

    Parameters
    ----------
    columns : Columns
    frame : Frame
        Of the columns.
    grey : Levels
    weight : (n,) float64
        How much each column counts.
    gap : float
        mm between voxels along the normal of the frame.

    Raises
    ------
    CannotFit
        If there is no plate.
    """
    bone = columns.values > grey.least_bone
    count = int((bone.any(axis=1) & (weight > 0.1)).sum())
    if count < LEAST_COLUMNS:
        raise CannotFit("no palatal bone was found around the points")
    plateau = float(np.median(columns.values[bone]))
    share = np.clip((columns.values - grey.soft) / (plateau - grey.soft), 0.0, 1.0)
    share[~bone] = 0.0
    terms = np.zeros(len(POWERS))
    powers = _powers(columns.a, columns.b)
    for spread in WINDOW_MM:
        away = columns.heights - (powers @ terms)[:, None]
        near = share * np.exp(-0.5 * (away / spread) ** 2)
        mass = near.sum(axis=1) * HEIGHT_STEP_MM
        full = mass > 0.5
        if np.count_nonzero(full & (weight > 0.1)) < LEAST_COLUMNS:
            raise CannotFit("no palatal bone was found around the points")
        middle = (near[full] * columns.heights).sum(axis=1) / near[full].sum(axis=1)
        terms = _robust(powers[full], middle, (weight * np.minimum(mass, 2.0))[full])
    away = columns.heights - (powers @ terms)[:, None]
    tall = (share * (np.abs(away) < HEIGHT_MM)).sum(axis=1) * HEIGHT_STEP_MM
    there = full & (weight >= np.quantile(weight[full], 0.5))
    return Surface(
        frame=frame, terms=terms, thickness=float(np.median(tall[there])), gap=gap
    )


def _robust(powers: Array, heights: Array, weight: Array) -> Array:
    """Return the terms of least squares, other bone left out (Tukey's biweight)."""
    terms: Array = np.zeros(powers.shape[1])
    keep = np.ones(len(heights))
    for limit in (4.0, 3.0, 2.0, *[OTHER_BONE_MM] * 5):
        root = np.sqrt(weight * keep)[:, None]
        solved = np.linalg.lstsq(powers * root, heights * root[:, 0], rcond=None)
        terms = np.asarray(solved[0], dtype=np.float64)
        miss = (heights - powers @ terms) / limit
        keep = np.where(np.abs(miss) < 1, (1 - miss**2) ** 2, 1e-6)
    return np.asarray(terms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DensityImage:
    """Mean density of the plate about its middle.

    Parameters
    ----------
    values : (rows, columns) float64
        Rows towards posterior, columns towards left; NaN outside the volume.
    reach : float
        mm from the origin of the frame to the first and last row and column.
    plateau : float
        Of the bone around the hole.
    soft : float
        Of soft tissue.
    """

    values: Array
    reach: float
    plateau: float
    soft: float

    @property
    def level(self) -> float:
        """Half way between soft tissue and bone."""
        return 0.5 * (self.soft + self.plateau)

    @property
    def side(self) -> Array:
        """Mm of the rows and of the columns."""
        return np.linspace(-self.reach, self.reach, len(self.values))

    def near(self, distance: float) -> NDArray[np.bool_]:
        """Return which places lie within a distance of the origin, mm."""
        a, b = np.meshgrid(self.side, self.side, indexing="ij")
        return np.asarray(np.hypot(a, b) <= distance)


def density(window: Window, surface: Surface, grey: Levels, reach: float) -> DensityImage:
    """Return the mean density of a plate about its middle, within a reach in mm."""
    count = 2 * round(reach / DENSITY_STEP_MM) + 1
    side = np.linspace(-reach, reach, count)
    flat = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1)
    layers = [window.at(surface.points(flat, above)) for above in surface.layers]
    values: Array = np.mean(layers, axis=0)
    bone = values[values > grey.least_bone]
    if len(bone) == 0:
        raise CannotFit("no palatal bone was found around the points")
    return DensityImage(
        values=values, reach=reach, plateau=float(np.median(bone)), soft=grey.soft
    )
