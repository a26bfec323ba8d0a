"""Masks that a reader or a program marks: balls, boxes, outlines, arrays of voxels.

A voxel belongs to a shape where its centre lies in it. Every grid that loads will do,
tilted and uneven ones too: shapes are cut in patient space, nothing is resampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import unit_vector
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

# Room for rounding where a voxel centre lies on the surface of a shape, mm.
ROUNDING_MM: Final = 1e-6
# Points on the surface of a ball that are looked at to see whether it leaves the image.
SURFACE_POINTS: Final = 400
# An outline may leave its plane by this much, mm: points clicked in one slice do not.
FLATNESS_MM: Final = 0.5


def ball(
    volume: Volume,
    centre: ArrayLike,
    radius_mm: float,
    *,
    role: str,
    cut_at_edge: bool = False,
) -> Mask:
    """Return the voxels whose centre lies in a ball.

    Parameters
    ----------
    volume : Volume
    centre : (x, y, z)
        LPS mm.
    radius_mm : float
    role : str
        What the voxels are within their finding.
    cut_at_edge : bool
        Keep the part inside an image that the ball reaches out of.

    Raises
    ------
    OsteotraceError
        If the centre lies outside the image, the ball reaches out of it and may not be
        cut, or no voxel centre lies in it.
    """
    middle = _points(centre, "the centre of the ball")[0]
    if not (np.isfinite(radius_mm) and radius_mm > 0):
        raise _no_size(f"a radius of {radius_mm} mm")
    surface = middle + radius_mm * _directions(SURFACE_POINTS)
    what = f"a ball of radius {radius_mm:g} mm around {_said(middle)}"
    _check_inside(volume, middle[None], surface, what, cut_at_edge)

    def inside(points: Array) -> NDArray[np.bool_]:
        away = np.linalg.norm(points - middle, axis=-1)
        return np.asarray(away <= radius_mm + ROUNDING_MM)

    return _cut(volume, middle[None], radius_mm, inside, role, what)


def box(
    volume: Volume,
    corner: ArrayLike,
    opposite: ArrayLike,
    *,
    role: str,
    cut_at_edge: bool = False,
) -> Mask:
    """Return the voxels whose centre lies in a box along the axes of the patient.

    Parameters
    ----------
    volume : Volume
    corner, opposite : (x, y, z)
        LPS mm of two corners that lie across from each other.
    role, cut_at_edge
        As in `ball`.

    Raises
    ------
    OsteotraceError
        If the box lies outside the image, reaches out of it and may not be cut, or no
        voxel centre lies in it.
    """
    ends = np.concatenate(
        [_points(point, "a corner of the box") for point in (corner, opposite)]
    )
    low, high = ends.min(axis=0), ends.max(axis=0)
    picks = np.indices((2, 2, 2)).reshape(3, -1).T
    corners = np.where(picks == 1, high, low)
    what = f"a box from {_said(low)} to {_said(high)}"
    within = (ends[:1] + ends[1:]) / 2
    if cut_at_edge:
        # Where the middle lies outside, the part nearest the image may still lie in it.
        grid = volume.grid
        middle = grid.to_patient((np.array(grid.shape) - 1) / 2)
        within = np.clip([*within, middle, *grid.corners()], low, high)
    _check_inside(volume, within, corners, what, cut_at_edge)

    def inside(points: Array) -> NDArray[np.bool_]:
        kept = (points >= low - ROUNDING_MM) & (points <= high + ROUNDING_MM)
        return np.asarray(kept.all(axis=-1))

    return _cut(volume, corners, 0.0, inside, role, what)


def prism(
    volume: Volume,
    outline: ArrayLike,
    thickness_mm: float,
    *,
    role: str,
    cut_at_edge: bool = False,
) -> Mask:
    """Return the voxels whose centre lies in a flat outline given a thickness.

    Parameters
    ----------
    volume : Volume
    outline : (n, 3) array
        LPS mm of three or more points in one plane, in order; it closes itself.
    thickness_mm : float
        Across the plane, half of it on either side; the distance between slices marks
        the voxels of the one slice that the outline was drawn on.
    role, cut_at_edge
        As in `ball`.

    Raises
    ------
    OsteotraceError
        If the points lie in no plane, or as in `ball`.
    """
    points = _points(outline, "the points of the outline")
    middle, u, v, across = _plane(points)
    if not (np.isfinite(thickness_mm) and thickness_mm > 0):
        raise _no_size(f"a thickness of {thickness_mm} mm")
    half = thickness_mm / 2
    corners = np.concatenate([points - half * across, points + half * across])
    what = f"an outline of {len(points)} points around {_said(middle)}"
    _check_inside(volume, points, corners, what, cut_at_edge)
    flat = np.stack([(points - middle) @ u, (points - middle) @ v], axis=-1)

    def inside(centres: Array) -> NDArray[np.bool_]:
        from skimage.measure import points_in_poly

        away = centres.reshape(-1, 3) - middle
        kept = np.abs(away @ across) <= half + ROUNDING_MM
        near = away[kept]
        kept[kept] = points_in_poly(np.stack([near @ u, near @ v], axis=-1), flat)
        return np.asarray(kept.reshape(centres.shape[:-1]))

    return _cut(volume, corners, 0.0, inside, role, what)


def from_voxels(volume: Volume, voxels: NDArray[np.bool_], *, role: str) -> Mask:
    """Return the mask of a bool array of an image's own voxels.

    Parameters
    ----------
    volume : Volume
    voxels : (slices, rows, columns) bool array
    role : str
        What the voxels are within their finding.

    Returns
    -------
    Mask
        Its sources are the images of its slices; where the volume was resampled, the
        images that its slices lie on or between.

    Raises
    ------
    OsteotraceError
        If the array has another shape or type, or no voxel is marked.
    """
    array: NDArray[Any] = np.asarray(voxels)
    if array.shape != volume.grid.shape or array.dtype != np.bool_:
        raise OsteotraceError(
            f"an array of {' × '.join(map(str, array.shape))} voxels of {array.dtype}",
            expected=f"{' × '.join(map(str, volume.grid.shape))} of bool, as the image",
            advice="give one truth value for every voxel of the image, (slice, row, "
            "column)",
            usage=True,
        )
    whole = (slice(None), slice(None), slice(None))
    return in_window(volume, array, whole, role=role)


def in_window(
    volume: Volume,
    voxels: NDArray[np.bool_],
    window: tuple[slice, slice, slice],
    *,
    role: str,
) -> Mask:
    """Return the mask of a bool array of the voxels in a window of an image.

    Parameters
    ----------
    window : (slice, row, column) ranges of step one
    volume, voxels, role
        As in `from_voxels`, ``voxels`` of the window alone.
    """
    own = volume.source_grid is None
    images = volume.instances[window[0]] if own else ()
    mask = Mask.of(
        voxels,
        volume.grid.cropped(window),
        role=role,
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(image.source for image in images),
    )
    if own:
        return mask
    # Slices of a resampled volume are no images: those that they lie between are meant.
    between = volume.slices_between(mask.grid.corners())
    return msgspec.structs.replace(
        mask, source_instances=tuple(image.source for image in between)
    )


def _points(given: ArrayLike, what: str) -> Array:
    """Return (n, 3) finite points."""
    try:
        points = np.array(given, dtype=np.float64).reshape(-1, 3)
    except (TypeError, ValueError):
        points = np.full((1, 3), np.nan)
    if not np.isfinite(points).all():
        raise OsteotraceError(
            f"{what} as {given!r}"[:200],
            expected="finite patient coordinates x, y, z in mm (LPS)",
            advice="mark it again",
            usage=True,
        )
    return points


def _directions(count: int) -> Array:
    """Return unit vectors spread evenly over the sphere (Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    turn = np.pi * (1 + np.sqrt(5)) * k
    across = np.sqrt(1 - z * z)
    around = np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=-1)
    poles = np.concatenate([np.eye(3), -np.eye(3)])
    return np.concatenate([around, poles])


def _plane(points: Array) -> tuple[Array, Array, Array, Array]:
    """Return the middle of an outline, two directions in its plane, one across it."""
    middle = points.mean(axis=0)
    _, sizes, axes = np.linalg.svd(points - middle, full_matrices=True)
    off = float(np.abs((points - middle) @ axes[2]).max())
    if len(points) < 3 or sizes[1] < ROUNDING_MM or off > FLATNESS_MM:
        raise OsteotraceError(
            f"an outline of {len(points)} points, up to {off:.1f} mm off their plane",
            expected="three points or more around an area, all in one plane",
            advice="draw the outline on one slice",
            usage=True,
        )
    return middle, axes[0], axes[1], unit_vector(axes[2])


def _check_inside(
    volume: Volume, within: Array, surface: Array, what: str, cut_at_edge: bool
) -> None:
    """Refuse a shape that lies outside the image, or reaches out of it uncut."""
    grid = volume.grid
    if not (grid.contains(within).any() if cut_at_edge else grid.contains(within).all()):
        low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
        raise OsteotraceError(
            f"{what}, which lies outside the image",
            expected=f"a place in the image, between {_said(low)} and {_said(high)} mm",
            advice="mark it on the image that is measured",
        )
    if not cut_at_edge and not grid.contains(surface).all():
        raise OsteotraceError(
            f"{what}, which reaches out of the image",
            expected="a shape inside the image",
            advice="make it smaller, or give cut_at_edge to keep the part inside",
        )


def _cut(
    volume: Volume,
    around: Array,
    margin_mm: float,
    inside: Callable[[Array], NDArray[np.bool_]],
    role: str,
    what: str,
) -> Mask:
    """Return the mask of the voxels near some points whose centre is inside."""
    grid = volume.grid
    heights = around @ grid.normal
    at = grid.slice_positions
    first = np.searchsorted(at, heights.min() - margin_mm - ROUNDING_MM)
    end = np.searchsorted(at, heights.max() + margin_mm + ROUNDING_MM, side="right")
    rows, columns = slice(0, grid.rows), slice(0, grid.columns)
    slices = slice(int(first), max(int(end), int(first) + 1))
    voxels = np.zeros((slices.stop - slices.start, grid.rows, grid.columns), dtype=bool)
    for k, plane in zip(range(slices.start, slices.stop), voxels, strict=True):
        if k < len(at):
            _cut_slice(volume, k, plane, around, margin_mm, inside)
    if not voxels.any():
        raise _no_size(f"{what}, in which no voxel centre lies")
    return in_window(volume, voxels, (slices, rows, columns), role=role)


def _cut_slice(
    volume: Volume,
    k: int,
    plane: NDArray[np.bool_],
    around: Array,
    margin_mm: float,
    inside: Callable[[Array], NDArray[np.bool_]],
) -> None:
    """Mark the voxels of one slice near some points whose centre is inside."""
    grid = volume.grid
    # Each slice has its own origin: that of a tilted stack moves along it.
    within = around - grid.origins[k]
    ranges = []
    for direction, spacing, count in (
        (grid.column_direction, grid.pixel_spacing[0], grid.rows),
        (grid.row_direction, grid.pixel_spacing[1], grid.columns),
    ):
        reach = within @ direction
        low = np.floor((reach.min() - margin_mm) / spacing)
        high = np.ceil((reach.max() + margin_mm) / spacing) + 1
        low, high = np.clip([low, high], 0, count).astype(int)
        ranges.append(np.arange(low, high))
    index = np.stack(np.meshgrid(k, *ranges, indexing="ij"), axis=-1)[0]
    window = np.ix_(*ranges)
    plane[window] = inside(grid.to_patient(index))


def _no_size(found: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="a shape that holds at least one voxel",
        advice="make it larger",
        usage=True,
    )


def _said(point: Array) -> str:
    return "(" + ", ".join(f"{mm:.1f}" for mm in point) + ")"
