"""A tilted or unevenly spaced stack on a rectilinear grid: resampled once, and said so.

Filters, reformats and file formats want right angles and one spacing an axis; measuring
does not. Linear between the true places of the slices; nothing else is smoothed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import EVENNESS_MM, HALF_VOXEL, Grid, unit_vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array
    from osteotrace.volume.carrier import Volume

# A grid as fine as this would need 16 GB of float32: a slip of the pen, not a wish.
MOST_VOXELS: Final = 4_000_000_000
# Share of a voxel that rounding may add to the size of a box.
ROUNDING: Final = 1e-6
# Planes whose normals enclose less than 25 degrees cross few slices each.
_NEARLY_PARALLEL: Final = 0.9


def rectified(volume: Volume, spacing: float | Sequence[float] | None = None) -> Volume:
    """Return a volume on a rectilinear grid, resampled linearly, once.

    The slices of a tilted stack become perpendicular to the direction in which it is
    stacked: its step, the row direction made orthogonal to it, and their cross product.
    An untilted stack keeps its own axes. The box is the smallest one around all voxel
    centres.

    Parameters
    ----------
    volume : Volume
        Any of two slices or more.
    spacing : float or three floats, optional
        mm, the same along each axis, or (slice, row, column). As a rule the median
        distance between the origins of the slices and PixelSpacing (0028,0030).

    Returns
    -------
    Volume
        float32 voxels in the rescaled unit on an even grid, with `Volume.source_grid`
        and a note. The volume itself where its grid is rectilinear already and has the
        spacing.

    Raises
    ------
    OsteotraceError
        If there is one slice only, or the spacing is no spacing or far too fine.
    """
    grid = volume.grid
    require_slices(grid)
    usual = np.array([_median_step(grid), *grid.pixel_spacing])
    wanted = usual if spacing is None else _checked(spacing)
    if rectilinear_affine(grid) is not None and np.allclose(
        wanted, usual, rtol=ROUNDING, atol=0
    ):
        return volume
    target = _box_around(grid, wanted)
    lowest = lowest_value(volume)
    return resampled(volume, target, note=_note(volume, target, lowest), fill=lowest)


def resampled(volume: Volume, target: Grid, *, note: str, fill: float) -> Volume:
    """Return a volume linearly interpolated, once, at the voxel centres of a grid.

    Parameters
    ----------
    volume : Volume
        Any of two slices or more.
    target : Grid
        Of even steps.
    note : str
        What was done, in words; it follows the volume's own notes.
    fill : float
        Value of voxels outside the volume, in its rescaled unit.

    Returns
    -------
    Volume
        float32 voxels in the rescaled unit, with `Volume.source_grid` and the note.
    """
    method = _resampled_even if volume.grid.is_even else _resampled_uneven
    return replace(
        volume,
        voxels=method(volume, target, fill),
        grid=target,
        slope=np.ones(target.shape[0]),
        intercept=np.zeros(target.shape[0]),
        notes=(*volume.notes, note),
        source_grid=volume.source_grid or volume.grid,
    )


def rectilinear_affine(grid: Grid) -> Array | None:
    """Return the (4, 4) matrix with right angles that describes a grid, if one does.

    From (slice, row, column, 1) to LPS mm; None where a voxel centre would lie farther
    than `EVENNESS_MM` from its place, or where there is one slice only.
    """
    count = len(grid.origins)
    if count < 2:
        return None
    heights = grid.slice_positions
    matrix = np.eye(4)
    matrix[:3, 0] = grid.normal * (heights[-1] - heights[0]) / (count - 1)
    matrix[:3, 1] = np.cross(grid.normal, grid.row_direction) * grid.pixel_spacing[0]
    matrix[:3, 2] = grid.row_direction * grid.pixel_spacing[1]
    matrix[:3, 3] = grid.origins[0]
    index = _slice_corners(grid)
    off = index @ matrix[:3, :3].T + matrix[:3, 3] - grid.to_patient(index)
    return matrix if np.linalg.norm(off, axis=-1).max() <= EVENNESS_MM else None


def interpolated(values: NDArray[Any], index: ArrayLike) -> NDArray[Any]:
    """Interpolate linearly between voxel centres.

    Parameters
    ----------
    values : (slices, rows, columns) array
    index : (..., 3) array
        Fractional (slice, row, column) of that array.

    Returns
    -------
    (...) array
        The outermost voxels reach half a voxel beyond their centres; NaN farther out.
    """
    from scipy.ndimage import map_coordinates

    at = np.asarray(index, dtype=np.float64)
    last = np.array(values.shape) - 1
    inside = ((at >= -HALF_VOXEL) & (at <= last + HALF_VOXEL)).all(axis=-1)
    sampled = map_coordinates(values, at.reshape(-1, 3).T, order=1, mode="nearest")
    sampled = sampled.reshape(inside.shape)
    return np.where(inside, sampled, np.asarray(np.nan, dtype=sampled.dtype))


def require_slices(grid: Grid) -> None:
    """Refuse a single slice, which has no extent across it."""
    if len(grid.origins) < 2:
        raise OsteotraceError(
            "a single slice, which has no gap to a next one",
            expected="two slices or more",
            advice="give the whole series; one slice has no extent across it",
        )


def _checked(spacing: float | Sequence[float]) -> Array:
    try:
        wanted = np.array(np.broadcast_to(np.asarray(spacing, dtype=np.float64), 3))
    except (TypeError, ValueError):
        wanted = np.full(3, np.nan)
    if not (np.isfinite(wanted) & (wanted > 0)).all():
        raise OsteotraceError(
            f"the spacing {spacing!r}",
            expected="one positive number of mm, or three: slice, row, column",
            advice="correct the spacing",
            usage=True,
        )
    return wanted


def _median_step(grid: Grid) -> float:
    """Return the median distance between neighbouring origins, mm."""
    return float(np.median(np.linalg.norm(np.diff(grid.origins, axis=0), axis=1)))


def _slice_corners(grid: Grid) -> Array:
    """Return the (slices, 4, 3) indices of the corners of every slice."""
    slices, rows, columns = grid.shape
    corners = [(r, c) for r in (0, rows - 1) for c in (0, columns - 1)]
    index = np.zeros((slices, 4, 3))
    index[..., 0] = np.arange(slices)[:, None]
    index[..., 1:] = corners
    return index


def _axes(grid: Grid) -> Array:
    """Return the (3, 3) unit vectors along slices, rows and columns, LPS, as rows."""
    along = grid.origins[-1] - grid.origins[0]
    drift = along - (along @ grid.normal) * grid.normal
    leans = np.linalg.norm(drift) > EVENNESS_MM
    step = unit_vector(along) if leans else grid.normal
    row = unit_vector(grid.row_direction - (grid.row_direction @ step) * step)
    return np.stack([step, np.cross(step, row), row])


def _box_around(grid: Grid, spacing: Array) -> Grid:
    axes = _axes(grid)
    corners = grid.to_patient(_slice_corners(grid)).reshape(-1, 3) @ axes.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = np.ceil((high - low) / spacing - ROUNDING) + 1
    if np.prod(counts) > MOST_VOXELS:
        sizes = " × ".join(f"{n:.0f}" for n in counts)
        raise OsteotraceError(
            f"a spacing that needs {sizes} voxels",
            expected=f"at most {MOST_VOXELS:.0e} voxels",
            advice="choose a coarser spacing",
            usage=True,
        )
    slices, rows, columns = (int(n) for n in counts)
    steps = spacing[0] * np.arange(slices, dtype=np.float64)
    return Grid(
        row_direction=axes[2],
        column_direction=axes[1],
        pixel_spacing=spacing[1:],
        origins=low @ axes + steps[:, None] * axes[0],
        rows=rows,
        columns=columns,
    )


def lowest_value(volume: Volume) -> float:
    """Return the lowest rescaled value, slice by slice to save memory."""
    slices = range(len(volume.voxels))
    return float(np.nanmin([np.nanmin(_values(volume, k, k + 1)) for k in slices]))


def _values(volume: Volume, first: int, end: int) -> NDArray[np.float32]:
    """Return the rescaled values of some slices as float32."""
    box = (slice(first, end), slice(None), slice(None))
    return volume.rescaled(box).astype(np.float32)


def _all_values(volume: Volume) -> NDArray[np.float32]:
    """Return all rescaled values as float32, made slice by slice to save memory."""
    values = np.empty(volume.grid.shape, dtype=np.float32)
    for k in range(len(values)):
        values[k] = _values(volume, k, k + 1)[0]
    return values


def _resampled_even(volume: Volume, target: Grid, fill: float) -> NDArray[np.float32]:
    """Resample a stack that one matrix describes, sheared or not."""
    values = _all_values(volume)
    to_source = np.linalg.inv(volume.grid.affine()) @ target.affine()
    return _transformed(values, to_source, target.shape, fill)


def _transformed(
    values: NDArray[np.float32], to_source: Array, shape: tuple[int, ...], fill: float
) -> NDArray[np.float32]:
    """Resample values by a (4, 4) matrix from wanted to given indices."""
    import SimpleITK as sitk

    transform = sitk.AffineTransform(3)
    # SimpleITK counts (column, row, slice): rows and columns are reversed.
    transform.SetMatrix(to_source[2::-1, 2::-1].ravel().tolist())
    transform.SetTranslation(to_source[2::-1, 3].tolist())
    resample = sitk.ResampleImageFilter()
    resample.SetSize(shape[::-1])
    resample.SetTransform(transform)
    resample.SetInterpolator(sitk.sitkLinear)
    resample.SetDefaultPixelValue(fill)
    image = resample.Execute(sitk.GetImageFromArray(values))
    resampled: NDArray[np.float32] = sitk.GetArrayFromImage(image)
    return resampled


def _resampled_uneven(volume: Volume, target: Grid, fill: float) -> NDArray[np.float32]:
    """Resample between the true places of the slices, one plane at a time."""
    out = np.empty(target.shape, dtype=np.float32)
    last = volume.grid.shape[0] - 1
    far = np.array([target.rows, target.columns]) - 1
    # Planes that cross many slices would read the same ones again and again.
    steep = abs(float(target.normal @ volume.grid.normal)) < _NEARLY_PARALLEL
    whole = _all_values(volume) if steep else None
    for k, plane in enumerate(out):
        ends = np.array([[k, r, c] for r in (0, far[0]) for c in (0, far[1])])
        at = volume.grid.to_index(target.to_patient(ends))
        heights = at[:, 0]
        if heights.max() < -HALF_VOXEL or heights.min() > last + HALF_VOXEL:
            plane[:] = fill
            continue
        low = int(np.clip(np.floor(heights.min() + ROUNDING), 0, last - 1))
        high = int(np.clip(np.ceil(heights.max() - ROUNDING), low + 1, last))
        values = (
            _values(volume, low, high + 1) if whole is None else whole[low : high + 1]
        )
        if high == low + 1:
            # Between two slices one matrix holds.
            matrix = np.eye(4)
            matrix[:3, 1] = (at[2] - at[0]) / max(far[0], 1)
            matrix[:3, 2] = (at[1] - at[0]) / max(far[1], 1)
            matrix[:3, 3] = at[0] - [low, 0, 0]
            plane[:] = _transformed(values, matrix, (1, *plane.shape), fill)[0]
        else:
            plane[:] = _plane(volume.grid, target, k, values, low, fill)
    return out


def _plane(
    grid: Grid, target: Grid, k: int, values: NDArray[np.float32], low: int, fill: float
) -> NDArray[np.float32]:
    """Return a plane that crosses slices, from the values of slices ``low`` onwards."""
    index = np.zeros((target.rows, target.columns, 3))
    index[..., 0] = k
    index[..., 1], index[..., 2] = np.indices(index.shape[:2])
    sampled = interpolated(values, grid.to_index(target.to_patient(index)) - [low, 0, 0])
    return np.where(np.isnan(sampled), np.float32(fill), sampled)


def _note(volume: Volume, target: Grid, fill: float) -> str:
    grid, step = volume.grid, _axes(volume.grid)[0]
    words = []
    if not np.allclose(step, grid.normal):
        lean = np.degrees(np.arccos(min(1.0, float(step @ grid.normal))))
        words.append(f"tilted by {lean:.1f}°")
    if not grid.is_even:
        gaps = grid.slice_gaps
        words.append(f"unevenly spaced by {gaps.min():.2f} to {gaps.max():.2f} mm")
    source = np.array([_median_step(grid), *grid.pixel_spacing])
    return (
        f"resampled linearly from a stack that is {' and '.join(words) or 'regular'} "
        f"({_sizes(source)}) to a rectilinear one ({_sizes(target.spacing)}, slice × row "
        f"× column); voxels outside the scan hold its lowest value, {fill:g}"
    )


def _sizes(spacing: Array) -> str:
    return " × ".join(f"{mm:.3g}" for mm in spacing) + " mm"
