"""Where a patient point lies on the screen, found by eye: the slice is sought in it.

A reader who knows the anatomy clicks where they see it. Here the seeing is done by
matching the slice, as the volume says it looks, to the picture of the screen: place and
magnification are what fits best. The program is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage, optimize
from skimage.feature import match_template

from osteotrace.geometry import Grid  # noqa: TC001

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.volume import Volume

# Patient axes of a plane: across, down (sign), right (sign); head first, left at right.
PLANES: Final = {
    "axial": ((2, 1), (1, 1), (0, 1)),
    "coronal": ((1, 1), (2, -1), (0, 1)),
    "sagittal": ((0, 1), (2, -1), (1, 1)),
}
# The screen is searched at this reduction first, then matched in full.
COARSE: Final = 4
ZOOMS: Final = np.geomspace(1.0, 16.0, 29)
# A slice that is on the screen matches at least so well, text over it included.
FOUND: Final = 0.8


class NotSeen(LookupError):
    """The slice is not on the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A slice seen on the screen.

    Parameters
    ----------
    grid : Grid
    axes : (int, int, int)
        Array axes across the slice, downwards and to the right.
    signs : (int, int)
        Whether the index rises downwards and to the right.
    spacing : (float, float)
        mm a voxel, downwards and to the right.
    zoom : float
        Pixels a mm.
    corner : (float, float)
        Screen row and column of the centre of the slice's top left voxel.
    likeness : float
        Correlation of the slice with the screen, 1 at best.
    """

    grid: Grid
    axes: tuple[int, int, int]
    signs: tuple[int, int]
    spacing: tuple[float, float]
    zoom: float
    corner: tuple[float, float]
    likeness: float

    def pixel(self, point: ArrayLike) -> tuple[int, int]:
        """Return the screen's (x, y) of a patient point, LPS mm."""
        index = np.asarray(self.grid.to_index(point), dtype=np.float64)
        row, column = (
            corner + self.zoom * mm * (i if sign > 0 else count - 1 - i)
            for corner, mm, i, sign, count in zip(
                self.corner,
                self.spacing,
                index[list(self.axes[1:])],
                self.signs,
                (self.grid.shape[axis] for axis in self.axes[1:]),
                strict=True,
            )
        )
        return round(float(column)), round(float(row))

    def point(self, x: float, y: float, index: int) -> NDArray[np.float64]:
        """Return the patient point, LPS mm, under a pixel of a slice."""
        place = np.zeros(3)
        place[self.axes[0]] = index
        for at, corner, mm, sign, axis in zip(
            (y, x), self.corner, self.spacing, self.signs, self.axes[1:], strict=True
        ):
            steps = (at - corner) / self.zoom / mm
            place[axis] = steps if sign > 0 else self.grid.shape[axis] - 1 - steps
        return np.asarray(self.grid.to_patient(place))


def plane_axes(grid: Grid, plane: str) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """Return the array axes of a plane, across, down and right, and where they rise."""
    directions = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    array_axis = [int(np.argmax(np.abs(directions[:, lps]))) for lps in range(3)]
    axes = tuple(array_axis[lps] for lps, _ in PLANES[plane])
    signs = tuple(
        int(np.sign(directions[array_axis[lps], lps]) * way)
        for lps, way in PLANES[plane][1:]
    )
    return (axes[0], axes[1], axes[2]), (signs[0], signs[1])


def slice_picture(
    volume: Volume, plane: str, index: int, limits: tuple[float, float]
) -> NDArray[np.float64]:
    """Return a slice as a reader sees it, 0 to 1, (down, right)."""
    axes, signs = plane_axes(volume.grid, plane)
    raw = np.take(volume.voxels, index, axis=axes[0]).astype(np.float64)
    slope, intercept = float(volume.slope[0]), float(volume.intercept[0])
    values = (raw * slope + intercept - limits[0]) / (limits[1] - limits[0])
    shown = np.clip(values, 0, 1)
    if axes[1] > axes[2]:
        shown = shown.T
    return np.ascontiguousarray(shown[:: signs[0], :: signs[1]])


def find_slice(
    picture: NDArray[np.uint8],
    volume: Volume,
    plane: str,
    index: int,
    limits: tuple[float, float],
    *,
    near: Sight | None = None,
) -> Sight:
    """Find a slice in a picture of the screen.

    Parameters
    ----------
    picture : (rows, columns, 3) array
    volume, plane, index
        Which slice is sought.
    limits : (low, high)
        The window it is shown with.
    near : Sight, optional
        Where it was before: only the fit is done anew.

    Raises
    ------
    NotSeen
        If nothing on the screen looks like it.
    """
    axes, signs = plane_axes(volume.grid, plane)
    spacing = (
        float(volume.grid.spacing[axes[1]]),
        float(volume.grid.spacing[axes[2]]),
    )
    shown = slice_picture(volume, plane, index, limits)
    grey = picture.astype(np.float64).mean(axis=-1) / 255
    start = (
        _search(grey, shown, spacing)
        if near is None
        else np.array([near.zoom, *near.corner])
    )
    steps = np.array([[0, 0, 0], [0.03 * start[0], 0, 0], [0, 3, 0], [0, 0, 3]])
    fitted, unlikeness, *_ = optimize.fmin(  # type: ignore[call-overload]
        lambda at: -_likeness(grey, shown, spacing, at),
        list(start),
        xtol=1e-3,
        ftol=1e-7,
        full_output=True,
        disp=False,
        initial_simplex=start + steps,
    )
    likeness = -float(unlikeness)
    if likeness < FOUND:
        raise NotSeen(f"{plane} slice {index}: likeness {likeness:.2f} at best")
    return Sight(
        grid=volume.grid,
        axes=axes,
        signs=signs,
        spacing=spacing,
        zoom=float(fitted[0]),
        corner=(float(fitted[1]), float(fitted[2])),
        likeness=likeness,
    )


def _search(
    grey: NDArray[np.float64],
    shown: NDArray[np.float64],
    spacing: tuple[float, float],
) -> NDArray[np.float64]:
    """Return the zoom and corner that fit best at a coarse look."""
    small = _reduced(grey, COARSE)
    best, found = -1.0, np.array([1.0, 0.0, 0.0])
    for zoom in ZOOMS:
        scale = [zoom * mm / COARSE for mm in spacing]
        template = ndimage.zoom(
            ndimage.gaussian_filter(shown, [max(0.0, 0.4 / s - 0.4) for s in scale]),
            scale,
            order=1,
            grid_mode=True,
            mode="nearest",
        )
        if min(template.shape) < 16 or np.any(np.array(template.shape) > small.shape):
            continue
        match = match_template(small, template)
        if match.max() > best:
            best = float(match.max())
            row, column = np.unravel_index(int(match.argmax()), match.shape)
            # From the picture's corner to the centre of the first voxel, in full pixels.
            corner = [
                COARSE * at + zoom * mm / 2 - 0.5
                for at, mm in zip((row, column), spacing, strict=True)
            ]
            found = np.array([zoom, *corner])
    return found


def _likeness(
    grey: NDArray[np.float64],
    shown: NDArray[np.float64],
    spacing: tuple[float, float],
    at: NDArray[Any],
) -> float:
    """Return the correlation of the slice with the screen below it."""
    zoom, *corner = at
    lines = [
        corner[axis] + zoom * spacing[axis] * np.arange(shown.shape[axis])
        for axis in (0, 1)
    ]
    seen = ndimage.map_coordinates(
        grey, np.meshgrid(*lines, indexing="ij"), order=1, mode="constant"
    )
    if not seen.std() or not shown.std():
        return 0.0
    return float(np.corrcoef(seen.ravel(), shown.ravel())[0, 1])


def _reduced(grey: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    rows, columns = (n // by * by for n in grey.shape)
    blocks = grey[:rows, :columns].reshape(rows // by, by, columns // by, by)
    return np.asarray(blocks.mean(axis=(1, 3)))
