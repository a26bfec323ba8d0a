"""The frame of a vertebral body: up is the bisector of its two endplates.

Found from a mask of the body, or of the whole vertebra: mirror symmetry turns the frame
about its long axis, the endplates tilt it. Places in it are (u, s, v): mm to the left of
the mid-sagittal plane, mm behind the anterior wall, mm above the middle of the body.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.geometry import unit_vector
from osteotrace.measurements.profiles import field_over

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.geometry import Array, Grid

# Half the width of the mid-sagittal strip, and half a window's share of the depth.
STRIP_MM: Final = 5.0
WINDOW_SHARE: Final = 0.07
# Where heights are read: shares of the depth, from the front.
FRACTIONS: Final = (0.1, 0.5, 0.9)
# The walls are read in this share of the height, above and below the middle.
WALL_SHARE: Final = 0.15
# How far to each side columns are read, which levels the frame sideways, mm.
_BESIDE_MM: Final = 10.0
# Lattice steps along the depth and the height, mm, and how far beyond the body it goes.
_STEP_MM: Final = 0.75
_BEYOND_MM: Final = 4.0
_MOST_TURNS: Final = 6
# Points that a first turn is found from, and mm between lines while it settles.
_MOST_POINTS: Final = 4000
_COARSE_MM: Final = 2.0
_SETTLED: Final = 2e-3
_YAW_DEG: Final = np.arange(-30.0, 30.1, 3.0)
_PITCH_DEG: Final = np.arange(-40.0, 40.1, 5.0)
# A degree of turn must win this share of mirrored overlap.
_YAW_PENALTY: Final = 1e-5


class NoFrame(Exception):
    """The mask has no frame; the reason is the message."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """Where a vertebral body lies.

    Parameters
    ----------
    origin : (3,) float64
        LPS mm: on the anterior wall, in the mid-sagittal plane, at mid-height.
    left, posterior, up : (3,) float64
        Unit vectors, LPS; right-handed.
    depth : float
        mm from the anterior to the posterior wall at mid-height.
    """

    origin: Array
    left: Array
    posterior: Array
    up: Array
    depth: float

    @property
    def axes(self) -> Array:
        """The unit vectors left, posterior, up as rows, (3, 3)."""
        return np.stack([self.left, self.posterior, self.up])

    def to_frame(self, points: ArrayLike) -> Array:
        """Turn (..., 3) LPS mm into (..., 3) u, s, v."""
        return np.asarray((np.asarray(points) - self.origin) @ self.axes.T)

    def to_patient(self, places: ArrayLike) -> Array:
        """Turn (..., 3) u, s, v into (..., 3) LPS mm."""
        return np.asarray(np.asarray(places) @ self.axes + self.origin)

    def turned(self, *, pitch: float = 0.0, roll: float = 0.0, about: ArrayLike) -> Frame:
        """Return the frame turned about a place (u, s, v).

        Parameters
        ----------
        pitch, roll : float
            Radians that raise the axis ``posterior``, and the axis ``left``.
        """
        pivot = self.to_patient(about)
        posterior = unit_vector(self.posterior + np.tan(pitch) * self.up)
        left = self.left + np.tan(roll) * self.up
        left = unit_vector(left - (left @ posterior) * posterior)
        up = np.cross(left, posterior)
        turned = replace(self, left=left, posterior=posterior, up=up)
        origin = pivot - np.asarray(about) @ turned.axes
        return replace(turned, origin=origin)

    def moved(self, u: float, s: float, v: float) -> Frame:
        """Return the frame with its origin at a place (u, s, v)."""
        return replace(self, origin=self.to_patient([u, s, v]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surfaces:
    """Both endplates of a mask on a lattice of columns.

    Parameters
    ----------
    u : (lines,) float64
    s : (places,) float64
    top, bottom : (lines, places) float64
        v of the outer surfaces, mm; NaN in a column without the mask.
    """

    u: Array
    s: Array
    top: Array
    bottom: Array

    @property
    def in_strip(self) -> Array:
        """True for the lines of the mid-sagittal strip."""
        return np.asarray(np.abs(self.u) <= STRIP_MM)

    def mean(self, surface: Array, fraction: float, depth: float) -> float:
        """Return the mean of a surface over the window at a fraction of the depth."""
        inside = np.abs(self.s - fraction * depth) <= WINDOW_SHARE * depth
        seen = surface[self.in_strip][:, inside]
        if not np.isfinite(seen).any():
            raise NoFrame(
                f"the mask has no column at {100 * fraction:.0f} % of its depth"
            )
        return float(np.nanmean(seen))


class Body:
    """A mask of a vertebral body, ready to be sampled along any axes.

    Parameters
    ----------
    voxels : (slices, rows, columns) bool array
    grid : Grid
    """

    def __init__(self, voxels: NDArray[np.bool_], grid: Grid) -> None:
        # One empty voxel around, so that the surface closes at the box.
        padded = np.pad(voxels.astype(np.float64), 1)
        self._field = field_over(grid, padded, np.array([-1, -1, -1]))
        self._longest = float(np.max(grid.spacing))
        self.points = grid.to_patient(np.argwhere(voxels))

    def sampled(self, u: Array, s: Array, v: Array, frame: Frame) -> Array:
        """Return the mask, interpolated linearly, on even axes of a frame, (u, s, v)."""
        corner = frame.to_patient([u[0], s[0], v[0]])
        steps = [axis[1] - axis[0] for axis in (u, s, v)]
        values = self._field.lattice(
            corner, frame.axes.T * steps, (len(u), len(s), len(v))
        )
        return np.nan_to_num(values.transpose(2, 1, 0))

    def surfaces(
        self, frame: Frame, half_height: float, *, apart: float = 1.0
    ) -> Surfaces:
        """Return both endplates in a frame, on lines so many mm apart."""
        count = 2 * round(_BESIDE_MM / apart) + 1
        u = np.linspace(-_BESIDE_MM, _BESIDE_MM, count)
        s = np.arange(0.5 * _STEP_MM, frame.depth, _STEP_MM)
        reach = half_height + _BEYOND_MM + 0.5 * self._longest
        v = np.arange(-reach, reach + _STEP_MM, _STEP_MM)
        values = self.sampled(u, s, v, frame)
        return Surfaces(
            u=u,
            s=s,
            top=_exit(v, values),
            bottom=_exit(v[::-1], values[..., ::-1]),
        )

    def walls(self, frame: Frame, height: float) -> tuple[Array, Array]:
        """Return s of the anterior and the posterior wall, each (lines, levels)."""
        u = np.linspace(-STRIP_MM, STRIP_MM, 11)
        v = np.linspace(-WALL_SHARE, WALL_SHARE, 7) * height
        reach = 0.5 * frame.depth + 2 * _BEYOND_MM
        s = np.arange(-reach, reach + _STEP_MM, _STEP_MM)
        sampled = self.sampled(u, 0.5 * frame.depth + s, v, frame)
        values = np.moveaxis(sampled, 1, -1)
        back = _exit(s, values)
        front = _exit(s[::-1], values[..., ::-1])
        return front + 0.5 * frame.depth, back + 0.5 * frame.depth


def _exit(axis: Array, values: Array) -> Array:
    """Return where values fall under one half, going out from the axis' middle.

    Where the middle itself is outside (a tilted column), from the first place inside.
    """
    inside = values >= 0.5
    count = len(axis)
    start = count // 2
    beyond = np.arange(count) >= start
    entered = np.where(inside[..., start], start, (inside & beyond).argmax(axis=-1))
    outside = ~inside & (np.arange(count) > entered[..., None])
    k = np.clip(outside.argmax(axis=-1), 1, count - 1)
    after = np.take_along_axis(values, k[..., None], -1)[..., 0]
    before = np.take_along_axis(values, k[..., None] - 1, -1)[..., 0]
    share = (before - 0.5) / np.where(before > after, before - after, 1.0)
    found = axis[k - 1] + share * (axis[k] - axis[k - 1])
    seen = (inside & beyond).any(axis=-1) & outside.any(axis=-1)
    return np.where(seen, found, np.nan)


def first_frame(points: Array, *, up: ArrayLike, anterior: ArrayLike) -> Frame:
    """Return the frame of hints, turned to the mirror symmetry of a mask.

    Parameters
    ----------
    points : (n, 3) array
        LPS mm centres of the mask's voxels.
    up, anterior : (3,) array
        Rough directions, LPS.
    """
    axis = unit_vector(up)
    behind = -np.asarray(anterior, dtype=np.float64)
    posterior = unit_vector(behind - (behind @ axis) * axis)
    left = np.cross(posterior, axis)
    centre = points.mean(axis=0)
    flat = (points - centre) @ np.stack([left, posterior]).T
    yaw = _symmetric_yaw(flat)
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return Frame(
        origin=centre,
        left=cosine * left + sine * posterior,
        posterior=cosine * posterior - sine * left,
        up=axis,
        depth=0.0,
    )


def _symmetric_yaw(flat: Array) -> float:
    """Return the turn, radians, that mirrors (n, 2) points best about their middle."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    extent = int(np.abs(flat).max()) + 4
    bins = np.arange(-extent, extent + 1.5) - 0.5
    count, _, _ = np.histogram2d(flat[:, 0], flat[:, 1], bins=(bins, bins))
    image = gaussian_filter(count, 1.5)
    places = np.indices(image.shape).reshape(2, -1) - extent
    scores = []
    for angle in np.radians(_YAW_DEG):
        normal = np.array([np.cos(angle), np.sin(angle)])
        mirrored = places - 2 * normal[:, None] * (normal @ places)
        there = map_coordinates(image, mirrored + extent, order=1)
        overlap = float((image.ravel() * there).sum() / (image * image).sum())
        scores.append(overlap - _YAW_PENALTY * np.degrees(angle) ** 2)
    return float(np.radians(_vertex(_YAW_DEG, np.array(scores))))


def _vertex(axis: Array, scores: Array) -> float:
    """Return where a parabola through the best score and its neighbours is highest."""
    k = int(np.argmax(scores))
    if not 0 < k < len(axis) - 1:
        return float(axis[k])
    a, b, c = scores[k - 1 : k + 2]
    bend = a - 2 * b + c
    shift = 0.5 * (a - c) / bend if bend < 0 else 0.0
    return float(axis[k] + shift * (axis[1] - axis[0]))


def tilted(frame: Frame, strip: Array) -> Frame:
    """Return the frame pitched to the smallest box around the body's strip.

    Parameters
    ----------
    strip : (n, 3) array
        LPS mm of the body's voxels near the mid-sagittal plane.
    """
    middle = strip.mean(axis=0)
    frame = replace(frame, origin=middle)
    thinned = strip[:: max(1, len(strip) // _MOST_POINTS)]
    flat = frame.to_frame(thinned)[:, 1:]
    sizes, boxes = [], []
    for angle in np.radians(_PITCH_DEG):
        cosine, sine = np.cos(angle), np.sin(angle)
        turned = flat @ np.array([[cosine, -sine], [sine, cosine]])
        low, high = np.quantile(turned, [0.005, 0.995], axis=0)
        sizes.append(-float(np.prod(high - low)))
        boxes.append(high - low)
    best = int(np.argmax(sizes))
    pitch = float(np.radians(_vertex(_PITCH_DEG, np.array(sizes))))
    turned_frame = frame.turned(pitch=pitch, about=[0.0, 0.0, 0.0])
    depth = float(boxes[best][0])
    return replace(turned_frame.moved(0.0, -0.5 * depth, 0.0), depth=depth)


def settled(body: Body, frame: Frame, half_height: float) -> tuple[Frame, Surfaces]:
    """Return the frame levelled by the endplates of the mask, and those endplates.

    Raises
    ------
    NoFrame
        If the mask has no two walls or endplates that settle.
    """
    for _ in range(_MOST_TURNS):
        surfaces = body.surfaces(frame, half_height, apart=_COARSE_MM)
        upper, lower = (
            [surfaces.mean(plate, f, frame.depth) for f in FRACTIONS]
            for plate in (surfaces.top, surfaces.bottom)
        )
        run = (FRACTIONS[2] - FRACTIONS[0]) * frame.depth
        pitch = 0.5 * sum(float(np.arctan((p[2] - p[0]) / run)) for p in (upper, lower))
        roll = 0.5 * (_roll(surfaces, surfaces.top) + _roll(surfaces, surfaces.bottom))
        middle = 0.5 * (upper[1] + lower[1])
        half_height = 0.5 * max(np.array(upper) - lower)
        about = [0.0, 0.5 * frame.depth, middle]
        frame = frame.turned(pitch=pitch, roll=roll, about=about).moved(0, 0, middle)
        front, back = body.walls(frame, upper[1] - lower[1])
        if np.isnan(front).all() or np.isnan(back).all():
            raise NoFrame("the mask has no anterior or no posterior wall at mid-height")
        start, end = float(np.nanmean(front)), float(np.nanmean(back))
        frame = replace(frame.moved(0.0, start, 0.0), depth=end - start)
        if max(abs(pitch), abs(roll), abs(middle) / 10, abs(start) / 10) < _SETTLED:
            break
    return frame, body.surfaces(frame, half_height)


def _roll(surfaces: Surfaces, surface: Array) -> float:
    """Return the sideways slope of an endplate as an angle, radians."""
    depth = surfaces.s[-1]
    inner = (surfaces.s > 0.15 * depth) & (surfaces.s < 0.85 * depth)
    line = np.array([np.nanmean(row) if np.isfinite(row).any() else np.nan
                     for row in surface[:, inner]])  # fmt: skip
    seen = np.isfinite(line)
    # Only lines with a mirrored twin: a one-sided edge is no tilt.
    seen &= seen[::-1]
    if seen.sum() < 3:
        return 0.0
    u = surfaces.u[seen]
    return float(np.arctan(u @ line[seen] / (u @ u)))
