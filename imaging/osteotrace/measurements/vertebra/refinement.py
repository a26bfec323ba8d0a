"""The endplates and walls of a body, fitted to the grey values around its mask.

First one smooth surface a plate, which thick slices cannot mislead, then windows on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements.vertebra import plates
from osteotrace.measurements.vertebra.frame import (
    FRACTIONS,
    STRIP_MM,
    WALL_SHARE,
    WINDOW_SHARE,
)
from osteotrace.measurements.vertebra.plates import Shape
from osteotrace.measurements.vertebra.smooth_plate import (
    NotSeen,
    SmoothPlate,
    mask_surface,
    smooth_fit,
    surface_columns,
    thickness_log_sd,
    thickness_told,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.measurements.vertebra.frame import Body, Frame, Surfaces
    from osteotrace.volume import Volume

# Windows beside the three of the heights, which the depressions are read from.
_BETWEEN: Final = (0.2, 0.35, 0.65, 0.8)
_BETWEEN_SHARE: Final = 0.045
# A window's surface stays this near to the smooth one, mm; it may lean this much more.
_WINDOW_SD_MM: Final = 0.6
_WINDOW_SLOPE_SD: Final = 0.12
# The thickness in a window against that of the plate, log SD.
_WINDOW_THICKNESS_LOG_SD: Final = 0.2
# A window of fewer voxels is not fitted; its u is this share of a voxel.
_LEAST_IN_WINDOW: Final = 15
_COARSE_SHARE: Final = 0.2
# About as many voxels fit a frame or a wall; all fit an endplate.
_FRAME_VOXELS: Final = 1500
_ALL: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The outer surface of an endplate in one window.

    Parameters
    ----------
    v : float
        Its mean, mm above the middle of the frame.
    u_noise : float
        From noise and texture, mm.
    """

    v: float
    u_noise: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Endplate:
    """One fitted endplate.

    Parameters
    ----------
    windows : tuple of Window
        At `FRACTIONS` of the depth.
    fractions, profile : (n,) float64
        The outer surface from front to back, mm, mean over the strip.
    thickness : float
        mm, as far as it can be told from the density.
    from_mask : float
        Mean distance from the mask's surface, mm outwards.
    bent : float
        Farthest that a window departs from that mean, mm.
    """

    windows: tuple[Window, ...]
    fractions: Array
    profile: Array
    thickness: float
    from_mask: float
    bent: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grey:
    """Voxels near a body.

    Parameters
    ----------
    grid : Grid
        Of the box that holds them.
    near : (slices, rows, columns) bool array
        The voxels in question.
    values : (n,) float64
        Theirs.
    """

    grid: Grid
    near: NDArray[np.bool_]
    values: Array

    def places(self, frame: Frame) -> Array:
        """Return the (n, 3) places u, s, v of the voxels in a frame."""
        axes = [_along(self.grid, frame.origin, axis)[self.near] for axis in frame.axes]
        return np.stack(axes, axis=1)


def _along(grid: Grid, origin: Array, axis: Array) -> Array:
    """Return the mm along an axis of every voxel, (slices, rows, columns)."""
    rows = np.arange(grid.rows) * grid.pixel_spacing[0] * (grid.column_direction @ axis)
    columns = (
        np.arange(grid.columns) * grid.pixel_spacing[1] * (grid.row_direction @ axis)
    )
    slices = (grid.origins - origin) @ axis
    return np.asarray(slices[:, None, None] + rows[:, None] + columns)


def grey_around(volume: Volume, frame: Frame, half_height: float) -> Grey:
    """Return the voxels of the mid-sagittal strip, with what lies around it."""
    aside, high = STRIP_MM + 1.0, half_height + 9.0
    corners = [
        (u, s, v)
        for u in (-aside, aside)
        for s in (-7.0, frame.depth + 7.0)
        for v in (-high, high)
    ]
    box = volume.grid.box_around(frame.to_patient(corners), 0.0)
    grid = volume.grid.cropped(box)
    near = np.abs(_along(grid, frame.origin, frame.left)) <= aside
    return Grey(grid=grid, near=near, values=volume.rescaled(box)[near])


def _window(seen: SmoothPlate, middle: float, half: float) -> tuple[float, float]:
    """Return mean z and noise of the outer surface where |y - middle| <= half."""
    samples = seen.samples.kept(np.abs(seen.samples.y - middle) <= half)
    told = thickness_told(seen.plate.thickness)
    x, y = np.meshgrid(np.linspace(-1, 1, 11), np.linspace(-1, 1, 11))
    base = seen.surface(x.ravel() * STRIP_MM, middle + half * y.ravel()).mean()
    if len(samples.z) < _LEAST_IN_WINDOW:
        # Coarse voxels: the smooth surface stands for the window.
        return float(base + 0.5 * told), _COARSE_SHARE * seen.spread.box
    columns = surface_columns(samples.x, samples.y, seen.depth)
    local = replace(samples, z=samples.z - columns @ seen.plate.coefficients)
    plain = np.stack([np.ones_like(local.x), local.x, local.y - middle], axis=1)
    tissues = replace(
        seen.tissues,
        inside=seen.plate.inside,
        outside=seen.plate.outside,
        thickness=seen.plate.thickness,
        thickness_log_sd=_WINDOW_THICKNESS_LOG_SD,
    )
    shape = Shape(
        columns=plain,
        start=np.zeros(3),
        expected=np.array([_WINDOW_SD_MM, _WINDOW_SLOPE_SD, _WINDOW_SLOPE_SD]),
    )
    fit = plates.fit_plate(local, shape, tissues, seen.spread)
    u = plates.pooled(fit.influence[0] + fit.influence[3], local)
    share = told / seen.plate.thickness
    return float(base + fit.coefficients[0] + 0.5 * fit.thickness * share), u


def _mask_mean(seen: SmoothPlate, middle: float, half: float) -> float:
    """Return the mean of the mask's surface in a window."""
    x, y = np.meshgrid(np.linspace(-1, 1, 11), np.linspace(-1, 1, 11))
    columns = surface_columns(x.ravel() * STRIP_MM, middle + half * y.ravel(), seen.depth)
    return float((columns @ seen.base).mean())


def endplate(
    volume: Volume, grey: Grey, frame: Frame, surfaces: Surfaces, *, upper: bool
) -> Endplate:
    """Fit one endplate.

    Raises
    ------
    NotSeen
        If the grey values show no plate near the mask's surface.
    """
    sign = 1.0 if upper else -1.0
    seen = _smooth_endplate(volume, grey, frame, surfaces, sign, most=_ALL)
    depth = frame.depth
    rows = {f: _window(seen, f * depth, WINDOW_SHARE * depth) for f in FRACTIONS}
    rows |= {f: _window(seen, f * depth, _BETWEEN_SHARE * depth) for f in _BETWEEN}
    told = thickness_told(seen.plate.thickness)
    fractions = np.linspace(0.05, 0.95, 46)
    across = np.linspace(-STRIP_MM, STRIP_MM, 11)

    def smooth(parts: Array) -> Array:
        x, y = np.meshgrid(across, parts * depth)
        z = seen.surface(x.ravel(), y.ravel()).reshape(x.shape)
        return np.asarray(z.mean(axis=1) + 0.5 * told)

    nodes = np.array(sorted(rows))
    local = np.array([rows[f][0] for f in nodes]) - smooth(nodes)
    profile = smooth(fractions) + np.interp(fractions, nodes, local)
    x, y = np.meshgrid(across, fractions * depth)
    mask = surface_columns(x.ravel(), y.ravel(), depth) @ seen.base
    offset = float(smooth(fractions).mean() - mask.mean())
    at = [_mask_mean(seen, f * depth, WINDOW_SHARE * depth) for f in FRACTIONS]
    apart = [rows[f][0] - z - offset for f, z in zip(FRACTIONS, at, strict=True)]
    return Endplate(
        windows=tuple(Window(v=sign * rows[f][0], u_noise=rows[f][1]) for f in FRACTIONS),
        fractions=fractions,
        profile=sign * profile,
        thickness=told,
        from_mask=offset,
        bent=float(np.abs(apart).max()),
    )


def _smooth_endplate(
    volume: Volume,
    grey: Grey,
    frame: Frame,
    surfaces: Surfaces,
    sign: float,
    *,
    most: int,
) -> SmoothPlate:
    surface = surfaces.top if sign > 0 else surfaces.bottom
    strip = surfaces.in_strip
    x, y = np.meshgrid(surfaces.u[strip], surfaces.s, indexing="ij")
    z = sign * surface[strip]
    base = mask_surface(x.ravel(), y.ravel(), z.ravel(), frame.depth)
    places = grey.places(frame) * [1.0, 1.0, sign]
    out = sign * frame.up
    return smooth_fit(
        volume,
        places,
        grey.values,
        base,
        frame.depth,
        out,
        most=most,
        walled=True,
    )


def refined_frame(
    volume: Volume, body: Body, grey: Grey, frame: Frame, surfaces: Surfaces
) -> tuple[Frame, float]:
    """Return the frame from fitted plates, and the uncertainty of its depth, mm."""
    slopes, middles = [], []
    for sign in (1.0, -1.0):
        seen = _smooth_endplate(volume, grey, frame, surfaces, sign, most=_FRAME_VOXELS)
        told = 0.5 * thickness_told(seen.plate.thickness)
        means = []
        for f in FRACTIONS:
            x, y = np.meshgrid(
                np.linspace(-STRIP_MM, STRIP_MM, 11),
                (f + np.linspace(-WINDOW_SHARE, WINDOW_SHARE, 9)) * frame.depth,
            )
            means.append(sign * (seen.surface(x.ravel(), y.ravel()).mean() + told))
        run = (FRACTIONS[2] - FRACTIONS[0]) * frame.depth
        slopes.append(np.arctan((means[2] - means[0]) / run))
        middles.append(means[1])
    middle = 0.5 * (middles[0] + middles[1])
    about = [0.0, 0.5 * frame.depth, middle]
    frame = frame.turned(pitch=0.5 * float(sum(slopes)), about=about).moved(0, 0, middle)
    return _walled(volume, body, grey, frame, middles[0] - middles[1])


def _walled(
    volume: Volume, body: Body, grey: Grey, frame: Frame, height: float
) -> tuple[Frame, float]:
    """Return the frame with its depth from wall to wall, and u of the depth, mm."""
    reach = WALL_SHARE * height
    ends, variances = [], []
    for sign, wall in zip((-1.0, 1.0), body.walls(frame, height), strict=True):
        x, y = np.meshgrid(
            np.linspace(-STRIP_MM, STRIP_MM, wall.shape[0]),
            np.linspace(0.0, 2 * reach, wall.shape[1]),
            indexing="ij",
        )
        at_mask = float(np.nanmean(wall))
        places = grey.places(frame)
        places = np.stack(
            [places[:, 0], places[:, 2] + reach, sign * places[:, 1]], axis=1
        )
        z = sign * wall.ravel()
        out = sign * frame.posterior
        try:
            base = mask_surface(x.ravel(), y.ravel(), z, 2 * reach)
            seen = smooth_fit(
                volume, places, grey.values, base, 2 * reach, out, most=_FRAME_VOXELS
            )
        except NotSeen:
            ends.append(at_mask)
            variances.append(0.5**2)
            continue
        told = thickness_told(seen.plate.thickness)
        middle = seen.surface(x.ravel(), y.ravel()).mean()
        ends.append(sign * float(middle + 0.5 * told))
        noise = plates.pooled(
            seen.plate.influence[0] + seen.plate.influence[-1], seen.samples
        )
        variances.append(noise**2 + (0.5 * told * thickness_log_sd()) ** 2)
    moved = frame.moved(0.0, ends[0], 0.0)
    return replace(moved, depth=ends[1] - ends[0]), float(np.sqrt(sum(variances)))
