"""Two walls with a gap of known width between them: the phantom of the accuracy table.

Closed form throughout: a planar edge under a Gaussian point spread is an error function,
averaged over each voxel. Nothing is written to disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.geometry import Grid, unit_vector
from osteotrace.phantoms.in_memory import as_volume
from osteotrace.phantoms.rendering import correlated_noise

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

# Image around the gap: across it, and beyond each wall along it, mm. Beyond the walls
# lies the homogeneous tissue that the noise is read from.
ACROSS_MM: Final = 28.0
BEYOND_MM: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """Two walls, the gap between them, and the image they are seen in.

    Parameters
    ----------
    gap_mm : float
        Perpendicular distance between the walls.
    normal : (x, y, z)
        LPS direction across the gap, of any length.
    converge_deg : float
        Angle between the two walls, opening towards +x.
    inside, wall : float
        Grey values of the gap (and of what lies beyond the walls) and of the walls.
    depth_mm : float
        Thickness of each wall.
    spacing : (slice, row, column)
        mm between voxels.
    blur_mm : float
        Sigma of the point spread.
    noise : float
        SD of the noise, grey values.
    correlation_fwhm_mm : (slice, row, column)
        Full width at half maximum of its autocorrelation; zeros for white noise.
    modality : {"CT", "MR"}
    """

    gap_mm: float = 12.07
    normal: tuple[float, float, float] = (0.0, 1.0, 0.0)
    converge_deg: float = 0.0
    inside: float = 50.0
    wall: float = 1050.0
    depth_mm: float = 6.0
    spacing: tuple[float, float, float] = (1.0, 0.5, 0.5)
    blur_mm: float = 0.6
    noise: float = 30.0
    correlation_fwhm_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    modality: str = "CT"

    def edges(self, offset: float = 0.0) -> tuple[Array, Array]:
        """Return the LPS mm centres of both edges, the gap centred at an offset."""
        unit = unit_vector(self.normal)
        half = 0.5 * self.gap_mm
        return (offset - half) * unit, (offset + half) * unit


def photograph(
    walls: Walls, *, offset: float = 0.0, seed: int = 0, grid: Grid | None = None
) -> Volume:
    """Return the walls as a volume around the origin of patient space.

    Parameters
    ----------
    walls : Walls
    offset : float
        The gap's centre along the normal, mm: moves it against the voxel grid.
    seed : int
        Of the noise.
    grid : Grid, optional
        Where the voxels lie; as a rule an even stack along x, y and z (`straight_grid`).
    """
    grid = grid or straight_grid(walls)
    values = walls.inside + (walls.wall - walls.inside) * _share(walls, grid, offset)
    values += correlated_noise(
        grid.shape,
        walls.spacing,
        sd=walls.noise,
        correlation_fwhm_mm=walls.correlation_fwhm_mm,
        seed=seed,
    )
    return as_volume(values, grid, walls.modality)


def straight_grid(walls: Walls) -> Grid:
    """Return the even grid that holds the walls and the image around them."""
    spacing = np.array(walls.spacing)
    length = walls.gap_mm + 2 * (walls.depth_mm + BEYOND_MM)
    extent = np.array([ACROSS_MM, length, ACROSS_MM])
    slices, rows, columns = (int(n) for n in np.round(extent / spacing))
    first = -0.5 * (np.array([columns, rows, slices]) - 1) * spacing[::-1]
    heights = spacing[0] * np.arange(slices)
    return Grid(
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        pixel_spacing=spacing[1:],
        origins=first + heights[:, None] * np.array([0.0, 0.0, 1.0]),
        rows=rows,
        columns=columns,
    )


def _share(walls: Walls, grid: Grid, offset: float) -> Array:
    """Return the wall's share of each voxel, averaged over 2 × 2 × 2 places in it."""
    from scipy.special import ndtr

    points = grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1))
    # A slice is as thick as the usual gap, across its own plane, however it is stacked.
    axes = np.stack([grid.normal, grid.column_direction, grid.row_direction], axis=1)
    to_patient = axes * grid.spacing
    share = np.zeros(grid.shape)
    places = (-0.25, 0.25)
    shifts = np.stack(np.meshgrid(places, places, places), axis=-1).reshape(-1, 3)
    for edge, normal in zip(walls.edges(offset), _outward(walls), strict=True):
        depth = (points - edge) @ normal
        for shift in shifts:
            inner = (depth + (to_patient @ shift) @ normal) / walls.blur_mm
            share += ndtr(inner) - ndtr(inner - walls.depth_mm / walls.blur_mm)
    return share / len(shifts)


def _outward(walls: Walls) -> tuple[Array, Array]:
    """Return the unit normals from the gap into the first and the second wall."""
    unit = unit_vector(walls.normal)
    lean = np.tan(np.radians(walls.converge_deg / 2)) * np.array([1.0, 0.0, 0.0])
    return unit_vector(-unit - lean), unit_vector(unit - lean)
