"""From shapes to voxels: partial volume, point spread and correlated noise.

The physics of a phantom and nothing of its anatomy: `render` integrates a scene over
each voxel and blurs it, `correlated_noise` makes noise of a known spectrum. Voxels are
(slice, row, column); what a voxel is in patient mm is the grid's business.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.geometry import Grid
    from osteotrace.phantoms.shapes import Array, Shape

# Gaussian: full width at half maximum over standard deviation, 2 √(2 ln 2).
FWHM_OVER_SIGMA: Final = 2.3548200450309493
# Trabecular texture is a sum of waves in directions spread over the sphere, with
# wavelengths over the range of trabecular separation that CT still resolves, mm.
_TRABECULAR_WAVES: Final = 14
_TRABECULAR_WAVELENGTHS_MM: Final = (1.7, 4.5)


# Points painted at once: few enough for their distances to stay in the cache.
_CHUNK: Final = 16384


@dataclass(frozen=True, slots=True)
class Level:
    """The grey value of a tissue.

    Parameters
    ----------
    mean : float
        HU on CT, signal on MR.
    texture : float
        Standard deviation of its trabecular texture, in the same unit.
    """

    mean: float
    texture: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A shape filled with one tissue; it covers the layers before it.

    Parameters
    ----------
    shape : callable
        Signed distance in mm of (3, n) points.
    tissue : str
        A key of the levels that the scene is rendered with.
    """

    shape: Shape
    tissue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Layers that belong together, and the box that holds them all.

    Parameters
    ----------
    name : str
        What it is, in anatomical words.
    layers : tuple of Layer
        In painting order.
    box : (low, high)
        Corners in anatomical mm; what a layer has beyond is cut off.
    """

    name: str
    layers: tuple[Layer, ...]
    box: tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose:
    """Where the anatomical frame lies in the patient frame of one series.

    Parameters
    ----------
    rotation : (3, 3) float64
        Columns are the anatomical left, posterior and superior in patient LPS.
    origin : (3,) float64
        LPS mm of the anatomical origin.
    """

    rotation: Array
    origin: Array

    @classmethod
    def turned(
        cls,
        *,
        pitch_deg: float = 0.0,
        roll_deg: float = 0.0,
        yaw_deg: float = 0.0,
        origin: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> Pose:
        """Return the pose after pitch (about left), roll (posterior), yaw (superior)."""
        turns = []
        for angle, (a, b) in (
            (pitch_deg, (1, 2)),
            (roll_deg, (2, 0)),
            (yaw_deg, (0, 1)),
        ):
            turn = np.eye(3)
            cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
            turn[a, a] = turn[b, b] = cosine
            turn[a, b], turn[b, a] = -sine, sine
            turns.append(turn)
        pitch, roll, yaw = turns
        return cls(rotation=yaw @ roll @ pitch, origin=np.array(origin))

    def to_patient(self, points: Sequence[float] | Array) -> Array:
        """Turn (..., 3) anatomical mm into (..., 3) patient LPS mm."""
        return np.asarray(np.asarray(points) @ self.rotation.T + self.origin)

    def direction(self, vector: Sequence[float] | Array) -> Array:
        """Turn a (3,) anatomical direction into patient LPS."""
        return np.asarray(self.rotation @ np.asarray(vector))

    def to_anatomy(self, points: Array) -> Array:
        """Turn (n, 3) patient LPS mm into (3, n) anatomical mm."""
        return np.ascontiguousarray(((points - self.origin) @ self.rotation).T)


def render(
    parts: Sequence[Part],
    levels: Mapping[str, Level],
    grid: Grid,
    pose: Pose,
    *,
    background: str = "air",
    psf_sigma_mm: Sequence[float] = (0.0, 0.0, 0.0),
    subsamples: Sequence[int] = (2, 2, 2),
) -> Array:
    """Return the noise-free image of a scene.

    Every voxel is the mean over its own box (a rectangular slice profile as wide as
    the slice gap); where no surface crosses it, one sample in the plane will do. A
    Gaussian point spread follows.

    Parameters
    ----------
    parts : sequence of Part
        Later ones cover earlier ones.
    levels : mapping
        Tissue to grey value, for one modality.
    grid : Grid
        The voxels; evenly spaced slices.
    pose : Pose
        Where the anatomy lies.
    background : str
        Tissue where there is no layer.
    psf_sigma_mm : (slice, row, column)
        Standard deviation of the point spread along the index axes, mm; 0 for none.
    subsamples : (slice, row, column)
        Samples along each axis of a voxel; in the plane only where a surface crosses.

    Returns
    -------
    (slices, rows, columns) float64 array
    """
    scene = _Scene(
        parts=parts,
        levels=levels,
        pose=pose,
        background=background,
        ramp=float((grid.spacing / subsamples).min()),
        reach=0.5 * float(np.linalg.norm(grid.spacing / [_cuts(grid, subsamples), 1, 1])),
    )
    image = np.stack([_slice(k, scene, grid, subsamples) for k in range(grid.shape[0])])
    return blur(image, grid.spacing, psf_sigma_mm)


def blur(image: Array, spacing_mm: Array, sigma_mm: Sequence[float]) -> Array:
    """Blur an image by a Gaussian of given standard deviation along its axes, mm."""
    from scipy.ndimage import gaussian_filter

    sigma = np.asarray(sigma_mm) / np.where(np.isnan(spacing_mm), 1.0, spacing_mm)
    return np.asarray(gaussian_filter(image, sigma, mode="nearest"), dtype=np.float64)


def _slice(k: int, scene: _Scene, grid: Grid, subsamples: Sequence[int]) -> Array:
    """Return one slice; a thick one is cut into slices as thin as a pixel is wide."""
    cuts = _cuts(grid, subsamples)
    rows, columns = np.indices(grid.shape[1:])
    middles = np.stack([np.zeros(rows.size), rows.ravel(), columns.ravel()], -1)
    per_cut = (_fractions(subsamples[0] // cuts) / cuts, *map(_fractions, subsamples[1:]))
    inside = np.stack(np.meshgrid(*per_cut, indexing="ij"), -1).reshape(-1, 3)
    total = np.zeros(rows.size)
    for offset in _fractions(cuts):
        index = middles + np.array([k + offset, 0.0, 0.0])
        values, nearest = scene.paint(grid.to_patient(index))
        crossed = np.flatnonzero(nearest < scene.reach)
        fine = (index[crossed][:, None, :] + inside).reshape(-1, 3)
        painted, _ = scene.paint(grid.to_patient(fine))
        values[crossed] = painted.reshape(-1, len(inside)).mean(axis=1)
        total += values
    return np.asarray(total / cuts).reshape(grid.shape[1:])


def _cuts(grid: Grid, subsamples: Sequence[int]) -> int:
    """Return into how many slices, about as thin as a pixel is wide, one is cut."""
    thickness = float(grid.spacing[0] / grid.spacing[1:].max())
    return min(subsamples[0], max(1, round(thickness)))


def _fractions(count: int) -> Array:
    """Return the middles of equal shares of a voxel, as offsets from its centre."""
    return np.asarray((np.arange(count) + 0.5) / count - 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What is painted, how wide an edge is (ramp) and how far it matters (reach), mm."""

    parts: Sequence[Part]
    levels: Mapping[str, Level]
    pose: Pose
    background: str
    ramp: float
    reach: float

    def paint(self, points: Array) -> tuple[Array, Array]:
        """Return grey values at (n, 3) LPS mm, and distances to the nearest surface."""
        values = np.full(len(points), self.levels[self.background].mean)
        nearest = np.full(len(points), np.inf)
        for start in range(0, len(points), _CHUNK):
            window = slice(start, start + _CHUNK)
            own = self.pose.to_anatomy(points[window])
            low, high = own.min(axis=1), own.max(axis=1)
            for part in self.parts:
                corner, opposite = part.box
                if (low <= opposite).all() and (high >= corner).all():
                    self._paint_part(part, own, values[window], nearest[window])
        return values, nearest

    def _paint_part(
        self, part: Part, points: Array, values: Array, nearest: Array
    ) -> None:
        low, high = (np.array(corner)[:, None] for corner in part.box)
        inside = np.flatnonzero(((points >= low) & (points <= high)).all(axis=0))
        if len(inside) == 0:
            return
        own = np.ascontiguousarray(points[:, inside])
        grey, edge = values[inside], nearest[inside]
        for layer in part.layers:
            distance = layer.shape(own)
            near = np.flatnonzero(distance < self.reach)
            if len(near) == 0:
                continue
            distance = distance[near]
            # A ramp one subsample wide: an edge between samples keeps its place.
            cover = np.clip(0.5 - distance / self.ramp, 0.0, 1.0)
            level = _grey(self.levels[layer.tissue], own[:, near])
            grey[near] += cover * (level - grey[near])
            # A surface that a layer covers is one no more.
            depth = np.abs(distance)
            edge[near] = np.where(distance < 0, depth, np.minimum(edge[near], depth))
        values[inside], nearest[inside] = grey, edge


def _grey(level: Level, points: Array) -> Array | float:
    if not level.texture:
        return level.mean
    return level.mean + level.texture * _trabecular(points)


def _trabecular(points: Array) -> Array:
    """Return a smooth texture of zero mean and unit variance at (3, n) points."""
    number = np.arange(_TRABECULAR_WAVES)
    # Golden-angle spiral: near-even directions without a common period.
    height = 1 - (number + 0.5) / _TRABECULAR_WAVES
    turn = number * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    directions = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], -1)
    short, long = _TRABECULAR_WAVELENGTHS_MM
    wavelength = short * (long / short) ** (number * 0.618 % 1)
    phase = directions @ points * (2 * np.pi / wavelength)[:, None]
    waves = np.sin(phase + (2.4 * number)[:, None])
    return np.asarray(waves.sum(axis=0) * np.sqrt(2 / _TRABECULAR_WAVES))


def seed(*names: str) -> int:
    """Return a 128-bit seed that names alone decide."""
    return int.from_bytes(hashlib.sha256("/".join(names).encode()).digest()[:16], "big")


def correlated_noise(
    shape: tuple[int, int, int],
    spacing_mm: Sequence[float] | Array,
    *,
    sd: float,
    correlation_fwhm_mm: Sequence[float],
    seed: int,
) -> Array:
    """Return stationary Gaussian noise of known standard deviation and correlation.

    White noise is given the spectrum of a Gaussian autocorrelation (Wiener-Khinchin),
    so both hold exactly on the voxel grid; the field is periodic.

    Parameters
    ----------
    shape : (slices, rows, columns)
        Size.
    spacing_mm : (slice, row, column)
        mm between voxels.
    sd : float
        Standard deviation.
    correlation_fwhm_mm : (slice, row, column)
        Full width at half maximum of the autocorrelation along each axis, mm; 0 for
        white noise along that axis.
    seed : int
        Of numpy's PCG64 generator.

    Returns
    -------
    (slices, rows, columns) float64 array
    """
    field = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    for axis, (count, step, width) in enumerate(
        zip(shape, spacing_mm, correlation_fwhm_mm, strict=True)
    ):
        if width <= 0:
            continue
        lag = np.minimum(np.arange(count), count - np.arange(count)) * step
        correlation = np.exp(-0.5 * (lag * FWHM_OVER_SIGMA / width) ** 2)
        power = np.maximum(np.fft.rfft(correlation).real, 0.0)
        form = [1, 1, 1]
        form[axis] = len(power)
        spectrum = np.fft.rfft(field, axis=axis) * np.sqrt(power).reshape(form)
        field = np.fft.irfft(spectrum, n=count, axis=axis)
    return np.asarray(sd * field)
