"""One piece of even density, blurred: its surface and density from the grey image.

The piece is the inside of a level set on a lattice that divides the voxels. The set is
moved until the piece, averaged over every voxel and blurred by the point spread, looks
like the image; what else shines into its surroundings is modelled and taken off. A
threshold needs no such model and is wrong by a quarter of a small piece's volume.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.bone_pieces import along_valleys, distance_outside
from osteotrace.measurements.image_noise import noise_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.measurements.bone_pieces import Pieces, Values
    from osteotrace.measurements.image_noise import ImageNoise

# Image around a piece that is explained by the model, and how far its surface may move.
COLLAR_MM: Final = 2.4
WINDOW_MM: Final = 2.6
MOVES_MM: Final = 1.0
# Lucent points this far from every piece are plain background.
PLAIN_MM: Final = 1.2
LEAST_PLAIN_POINTS: Final = 30
# Steps down the squared residual; more of them fit the noise.
STEPS: Final = 4
STEP_SIZE: Final = 2.0
# Neighbours settle in this many of them.
NEIGHBOUR_STEPS: Final = 2
# Voxels with this share of the piece's density belong to its integral.
TRACE_SHARE: Final = 0.01
# Voxels with less than this share lie beside the piece: noise alone is left there.
BESIDE_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """The surroundings of one piece, and how a shape in them becomes an image.

    Parameters
    ----------
    corner : (slice, row, column)
        Lattice index of the first point.
    steps : (3,) float64
        mm between lattice points.
    voxel_mm3 : float
        Volume of a voxel of the image.
    image : (slices, rows, columns) float32
        The voxels.
    own, territory, near, plain : bool arrays of the lattice
        The piece as it was found; what is nearer to it than to other bone; where its
        surface may lie; lucent points far from all bone.
    collar : bool array of the image
        Voxels that the piece is fitted to.
    interpolation : three matrices
        From voxels to lattice points, axis by axis.
    """

    corner: tuple[int, int, int]
    steps: Array
    voxel_mm3: float
    image: Values
    own: NDArray[np.bool_]
    territory: NDArray[np.bool_]
    near: NDArray[np.bool_]
    plain: NDArray[np.bool_]
    collar: NDArray[np.bool_]
    voxel_places: tuple[Array, Array, Array]
    lattice_places: tuple[Array, Array, Array]
    voxel_sizes: Array

    @property
    def interpolation(self) -> list[Values]:
        """Return the matrices from voxels to lattice points, axis by axis."""
        return [
            _interpolation(voxels, points)
            for voxels, points in zip(self.voxel_places, self.lattice_places, strict=True)
        ]

    def imaging(self, sigma_mm: float) -> list[Values]:
        """Return the matrices from lattice points to voxels for a point spread."""
        sides = zip(
            self.voxel_places, self.voxel_sizes, self.lattice_places, self.steps,
            strict=True,
        )  # fmt: skip
        return [
            _imaging(voxels, size, points, step, sigma_mm)
            for voxels, size, points, step in sides
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """A fitted piece.

    Parameters
    ----------
    level_set : (slices, rows, columns) float32
        Zero on the surface, positive inside, on the lattice of the window.
    cover : same shape
        Share of each lattice cell inside.
    density, background : float
        Step from background to piece, and the background, unit of the volume.
    model, residual : image of the window
        What the fit makes of the image, and what is left.
    volume : float
        mm3: the shape's, and the integrated residual over the density.
    residual_sd, collar_voxels : float, int
        Of the residual in the collar, and its size.
    noise : ImageNoise
        Of the residual beside the piece.
    surface : (n, 3) float64
        Points of the surface, mm from the window's first lattice point.
    """

    level_set: Values
    cover: Values
    density: float
    background: float
    model: Values
    residual: Values
    volume: float
    residual_sd: float
    collar_voxels: int
    noise: ImageNoise
    surface: Array

    def longest(self) -> tuple[Array, Array]:
        """Return the two surface points that lie farthest apart."""
        from scipy.spatial import ConvexHull, QhullError
        from scipy.spatial.distance import cdist

        points = self.surface
        # A flat cloud has no hull; then every point is compared.
        with suppress(QhullError):
            points = points[np.sort(ConvexHull(points).vertices)]
        apart = cdist(points, points)
        first, second = np.unravel_index(int(np.argmax(apart)), apart.shape)
        return points[first], points[second]


def window_around(pieces: Pieces, number: int) -> Window:
    """Return the surroundings of a piece."""
    lattice = pieces.lattice
    parts = np.array(lattice.parts)
    found = np.argwhere(pieces.labels == number)
    reach = WINDOW_MM / lattice.steps
    shape = np.array(lattice.native.grid.shape)
    low = np.clip(np.floor((found.min(axis=0) - reach) / parts), 0, shape - 2)
    high = np.clip(np.ceil((found.max(axis=0) + reach) / parts), low + 1, shape - 1)
    first, last = low.astype(int), high.astype(int)
    a, b, c = (slice(int(x), int(y) + 1) for x, y in zip(first, last, strict=True))
    fine = tuple(
        slice(int(x * p), int(y * p) + 1)
        for x, y, p in zip(first, last, parts, strict=True)
    )
    labels = along_valleys(pieces.labels[fine], pieces.sharp[fine], lattice.steps)
    own = labels == number
    to_own = distance_outside(own, lattice.steps)
    other = (labels > 0) & ~own
    to_other = (
        distance_outside(other, lattice.steps)
        if other.any()
        else np.full(own.shape, np.inf, dtype=np.float32)
    )
    territory = to_own < to_other
    every = tuple(slice(None, None, int(p)) for p in parts)
    sizes = lattice.native.grid.spacing
    # The lattice's first point is the crop's first voxel.
    places = [
        np.arange(x, y + 1) * mm for x, y, mm in zip(first, last, sizes, strict=True)
    ]
    points = [
        np.arange(side.start, side.stop) * mm
        for side, mm in zip(fine, lattice.steps, strict=True)
    ]
    return Window(
        corner=(fine[0].start, fine[1].start, fine[2].start),
        steps=lattice.steps,
        voxel_mm3=float(np.prod(sizes)),
        image=lattice.native.rescaled((a, b, c)).astype(np.float32),
        own=own,
        territory=territory,
        near=territory & (to_own < MOVES_MM),
        plain=territory & (to_own > PLAIN_MM) & (to_other > PLAIN_MM),
        collar=np.ascontiguousarray((territory & (to_own < COLLAR_MM))[every]),
        voxel_places=(places[0], places[1], places[2]),
        lattice_places=(points[0], points[1], points[2]),
        voxel_sizes=sizes,
    )


class Fit:
    """A window with its point spread, ready to be fitted to one image after another.

    Parameters
    ----------
    window : Window
    sigma_mm : float
        Of the point spread; the voxel's own box comes on top.
    """

    def __init__(self, window: Window, sigma_mm: float) -> None:
        self._window = window
        self._imaging = window.imaging(sigma_mm)
        self._back = [
            np.ascontiguousarray(m.T / m.sum(axis=0).mean()) for m in self._imaging
        ]
        self._interpolation = window.interpolation

    def __call__(self, image: Values) -> Shape | None:
        """Fit the piece to an image of the window; None where nothing is left of it."""
        window = self._window
        grey = _along_axes(self._interpolation, image)
        background = self._start(grey)
        density = float(np.quantile(grey[window.own], 0.95)) - background
        if not density > 0:
            return None
        level = (grey - np.float32(background)) / np.float32(density) - np.float32(0.5)
        others = np.zeros_like(image)
        for step in range(STEPS):
            cover = _cover(level) * window.near
            shone = _along_axes(self._imaging, cover)
            if step < NEIGHBOUR_STEPS:
                excess = np.maximum(grey - np.float32(background), 0)
                others = _along_axes(
                    self._imaging, np.where(window.territory, np.float32(0), excess)
                )
            background, density = _line(
                shone[window.collar], (image - others)[window.collar]
            )
            if not density > 0:
                return None
            model = background + density * shone + others
            residual = image - model
            if step < STEPS - 1:
                move = STEP_SIZE * _along_axes(self._back, residual)
                grey = grey + move if step < NEIGHBOUR_STEPS - 1 else grey
                level = level + move / np.float32(density)
        surface = _surface(level, _around_main(level, window.near), window.steps)
        if len(surface) < 4:
            return None
        seen = window.collar & (shone > TRACE_SHARE)
        excess_mm3 = float(residual[seen].sum()) * window.voxel_mm3 / density
        return Shape(
            level_set=level,
            cover=cover,
            density=density,
            background=background,
            model=model.astype(np.float32),
            residual=residual,
            volume=float(cover.sum()) * float(np.prod(window.steps)) + excess_mm3,
            residual_sd=float(residual[window.collar].std()),
            collar_voxels=int(window.collar.sum()),
            noise=noise_in(residual, window.collar & (shone < BESIDE_SHARE)),
            surface=surface,
        )

    def _start(self, grey: Values) -> float:
        plain = grey[self._window.plain]
        if len(plain) >= LEAST_PLAIN_POINTS:
            return float(np.median(plain))
        return float(np.quantile(grey[self._window.territory], 0.1))


def _line(x: Values, y: Values) -> tuple[float, float]:
    """Return intercept and slope of a least-squares line."""
    mean = float(x.mean())
    slope = float(((x - mean) * y).sum() / max(float(((x - mean) ** 2).sum()), 1e-9))
    return float(y.mean()) - slope * mean, slope


def _along_axes(matrices: list[Values], values: Values) -> Values:
    """Apply one matrix along each axis."""
    a, b, c = values.shape
    values = (matrices[0] @ values.reshape(a, -1)).reshape(-1, b, c)
    return np.asarray(np.matmul(np.matmul(matrices[1], values), matrices[2].T))


def _imaging(
    voxels: Array, size: float, points: Array, step: float, sigma: float
) -> Values:
    """Return what each voxel sees of each lattice cell along one axis.

    SimpleITK has no filter for a Gaussian over the box of thick, overlapping voxels.
    """
    from scipy.special import ndtr

    # A cell's own width blurs too: that part is taken off the point spread.
    spread = np.sqrt(max(sigma**2 - step**2 / 12, (0.2 * step) ** 2))
    away = voxels[:, None] - points[None, :]
    seen = ndtr((away + size / 2) / spread) - ndtr((away - size / 2) / spread)
    return np.asarray(seen * step / size, dtype=np.float32)


def _interpolation(voxels: Array, points: Array) -> Values:
    """Return the weights of linear interpolation from voxels to points on one axis."""
    below = np.clip(np.searchsorted(voxels, points, side="right") - 1, 0, len(voxels) - 2)
    share = np.clip((points - voxels[below]) / (voxels[below + 1] - voxels[below]), 0, 1)
    weights = np.zeros((len(points), len(voxels)), dtype=np.float32)
    rows = np.arange(len(points))
    weights[rows, below] = 1 - share
    weights[rows, below + 1] += share.astype(np.float32)
    return weights


def _cover(level: Values) -> Values:
    """Return the share of each cell inside a level set."""
    change = np.abs(np.array(np.gradient(level))).sum(axis=0)
    cover: Values = np.clip(0.5 + level / np.maximum(change, 1e-6), 0, 1)
    return cover


def _around_main(level: Values, near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest part inside a level set, with one layer of points around."""
    import SimpleITK as sitk

    inside = sitk.GetImageFromArray(((level > 0) & near).astype(np.uint8))
    sorted_parts = sitk.RelabelComponent(sitk.ConnectedComponent(inside))
    main = sitk.BinaryDilate(sorted_parts == 1, [1, 1, 1], sitk.sitkBox)
    return np.asarray(sitk.GetArrayFromImage(main)).astype(bool) & near


def _surface(level: Values, near: NDArray[np.bool_], steps: Array) -> Array:
    """Return where the level set crosses zero between neighbouring points, mm."""
    found = []
    for axis in range(3):
        own, allowed = np.moveaxis(level, axis, 0), np.moveaxis(near, axis, 0)
        a, b = own[:-1], own[1:]
        crossing = ((a > 0) != (b > 0)) & allowed[:-1] & allowed[1:]
        index = np.stack(np.nonzero(crossing), axis=1).astype(np.float64)
        index[:, 0] += a[crossing] / (a[crossing] - b[crossing])
        found.append(np.insert(index[:, 1:], axis, index[:, 0], axis=1))
    return np.asarray(np.concatenate(found) * steps)
