"""Where the hole in a palate is: its plate, its plane and its region, found by turns.

The first plane faces the head; the middle of the bone around the seed gives a surface,
the density on it a region, and the rim of the region the next plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements import outlines, palatal_surface
from osteotrace.measurements.edge_pairs import CannotFit
from osteotrace.measurements.palatal_surface import (
    DENSITY_STEP_MM,
    MOST_THICKNESS_MM,
    NEAR_RIM_MM,
    NEAR_SEED_MM,
    DensityImage,
    Frame,
    Surface,
    Window,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

PASSES: Final = 3
# How far from the seed the palate is looked at, mm; a hole that is not closed within the
# last of them is open.
REACH_MM: Final = (18.0, 28.0)
# Image around the plane that the columns need, mm.
MARGIN_MM: Final = palatal_surface.HEIGHT_MM + 4.0
# The seed lies no farther than this above or below the faces of the plate, mm.
MOST_ABOVE_MM: Final = 4.0
# The bone whose plateau the hole is held against lies within this of its rim, mm.
PLATEAU_RING_MM: Final = 5.0
SIDES: Final = ("anterior", "posterior", "right", "left")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hole:
    """A hole in the palate.

    Parameters
    ----------
    window : Window
    surface : Surface
        Its frame faces the rim; the origin lies in the hole.
    image : DensityImage
    outline : (n, 2) float64 or None
        First outline, posterior and left mm; None where the hole is open.
    open_sides : tuple of str
        Of `SIDES`: where it has no bony rim within `REACH_MM`.
    """

    window: Window
    surface: Surface
    image: DensityImage
    outline: Array | None
    open_sides: tuple[str, ...] = ()


def find(volume: Volume, seed: Array, line: Array | None, lateral: Array) -> Hole:
    """Find the hole that a seed lies in.

    Parameters
    ----------
    volume : Volume
    seed : (3,) float64
        LPS mm.
    line : (2, 3) float64 or None
        The two rough points, where there are two.
    lateral : (3,) float64
        Unit vector, LPS, from right to left.

    Raises
    ------
    CannotFit
        With the reason.
    """
    near = _within(volume, seed, line, lateral, REACH_MM[0])
    if not near.open_sides:
        return near
    try:
        far = _within(volume, seed, line, lateral, REACH_MM[1])
    except CannotFit:
        return near
    # Farther out an open hole runs around the palate: the near view knows its sides.
    return near if far.open_sides else far


def _within(
    volume: Volume, seed: Array, line: Array | None, lateral: Array, reach: float
) -> Hole:
    half = 0.0 if line is None else 0.5 * float(np.linalg.norm(line[1] - line[0]))
    reach = max(reach, half + 10.0)
    window = Window(volume, seed, float(np.hypot(1.2 * reach, MARGIN_MM)))
    frame = Frame.facing(seed, _up(line, lateral), lateral)
    region: NDArray[np.bool_] | None = None
    image: DensityImage | None = None
    for turn in range(PASSES):
        columns = palatal_surface.columns_around(window, frame, reach)
        grey = palatal_surface.levels(columns.values[columns.values > -1e4])
        weight = _weights(columns.a, columns.b, region, reach)
        gap = window.gap_along(frame.axes[2])
        surface = palatal_surface.fitted(columns, frame, grey, weight, gap)
        if turn == 0:
            _require_plate(surface, seed, line)
        image = palatal_surface.density(window, surface, grey, reach)
        if region is not None:
            image = _against_own_rim(image, region, grey.least_bone)
        region = _region(image, _places(frame, seed, line))
        sides = _borders(region, image)
        outline = None if sides else _outline(image, region)
        if outline is None or turn == PASSES - 1:
            continue
        frame = _facing_rim(surface, outline, lateral)
        # The region is kept on the lattice of the new frame.
        region = _moved(region, surface.frame, frame, image)
    assert image is not None
    return Hole(
        window=window, surface=surface, image=image, outline=outline, open_sides=sides
    )


def _up(line: Array | None, lateral: Array) -> Array:
    """Return the first normal: superior, made perpendicular to a drawn line."""
    up = np.array([0.0, 0.0, 1.0])
    if line is not None:
        along = (line[1] - line[0]) / np.linalg.norm(line[1] - line[0])
        # A line that rises steeply was not drawn along the palate.
        if abs(along @ up) < np.sin(np.radians(35.0)):
            up = up - (along @ up) * along
    return np.asarray(up - (up @ lateral) * lateral)


def _places(frame: Frame, seed: Array, line: Array | None) -> Array:
    """Return where the hole may be: the seed, then along the middle of the line."""
    if line is None:
        return frame.to_local(seed)[None, :2]
    shares = np.array([0.5, 0.42, 0.58, 0.34, 0.66])[:, None]
    return frame.to_local(line[0] + shares * (line[1] - line[0]))[:, :2]


def _weights(a: Array, b: Array, region: NDArray[np.bool_] | None, reach: float) -> Array:
    if region is None:
        return np.asarray(np.exp(-0.5 * (a**2 + b**2) / NEAR_SEED_MM**2))
    away = _from(region)
    row, column = (np.round((x + reach) / DENSITY_STEP_MM).astype(int) for x in (a, b))
    last = len(away) - 1
    distance = away[np.clip(row, 0, last), np.clip(column, 0, last)]
    return np.asarray(np.exp(-0.5 * (np.maximum(distance, 0) / NEAR_RIM_MM) ** 2))


def _from(region: NDArray[np.bool_]) -> Array:
    """Return the distance of every place from a region, mm; negative inside."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(region.astype(np.uint8))
    image.SetSpacing([DENSITY_STEP_MM] * 2)
    away = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return np.asarray(sitk.GetArrayFromImage(away), dtype=np.float64)


def _require_plate(surface: Surface, seed: Array, line: Array | None) -> None:
    above = abs(float(surface.height(np.zeros(1), np.zeros(1))[0]))
    if surface.thickness > MOST_THICKNESS_MM:
        raise CannotFit(
            f"no palatal plate around the points: the bone there is "
            f"{surface.thickness:.0f} mm high"
        )
    if above > 0.5 * surface.thickness + MOST_ABOVE_MM:
        what = "seed lies" if line is None else "middle of the points lies"
        raise CannotFit(f"the {what} {above:.0f} mm above or below the palatal plate")


def _against_own_rim(
    image: DensityImage, region: NDArray[np.bool_], least_bone: float
) -> DensityImage:
    """Return the image with the plateau of the bone around the hole."""
    from dataclasses import replace

    away = _from(region)
    ring = (away > 0.5) & (away < PLATEAU_RING_MM)
    bone = image.values[ring & (image.values > least_bone)]
    return replace(image, plateau=float(np.median(bone))) if len(bone) else image


def _region(image: DensityImage, places: Array) -> NDArray[np.bool_]:
    """Return the places darker than half way to bone that belong to the first seed."""
    import SimpleITK as sitk

    dark = image.values <= image.level
    labels = sitk.GetArrayFromImage(
        sitk.ConnectedComponent(sitk.GetImageFromArray(dark.astype(np.uint8)))
    )
    last = len(dark) - 1
    rows = np.round((places + image.reach) / DENSITY_STEP_MM).astype(int)
    for row, column in np.clip(rows, 0, last):
        if labels[row, column]:
            return np.asarray(labels == labels[row, column])
    row, column = np.clip(rows[0], 0, last)
    raise CannotFit(
        "the seed lies in bone, there is no hole in the palate: "
        f"{image.values[row, column]:.0f} HU, the palate around it has "
        f"{image.plateau:.0f} HU"
    )


def _borders(region: NDArray[np.bool_], image: DensityImage) -> tuple[str, ...]:
    """Return the sides on which a region leaves the lattice, or the volume."""
    beyond = np.pad(np.isnan(image.values), 1, constant_values=True)
    neighbours = (
        beyond[:-2, 1:-1],
        beyond[2:, 1:-1],
        beyond[1:-1, :-2],
        beyond[1:-1, 2:],
    )
    return tuple(
        side
        for side, outside in zip(SIDES, neighbours, strict=True)
        if (region & outside).any()
    )


def _outline(image: DensityImage, region: NDArray[np.bool_]) -> Array:
    """Return the outer outline of a region at half height, below the sampling."""
    # Everything else dark is filled, so that no other hole is met.
    import SimpleITK as sitk

    grown = sitk.GetArrayFromImage(
        sitk.BinaryDilate(sitk.GetImageFromArray(region.astype(np.uint8)), [1, 1])
    ).astype(bool)
    field = np.where(grown, image.values, np.maximum(image.values, image.level + 1.0))
    found = outlines.contours(
        np.nan_to_num(field, nan=image.plateau),
        image.level,
        origin=(-image.reach, -image.reach),
        step=(DENSITY_STEP_MM, DENSITY_STEP_MM),
    )
    if not found:
        raise CannotFit("the hole is smaller than the image resolves")
    return max(found, key=outlines.area)


def _facing_rim(surface: Surface, outline: Array, lateral: Array) -> Frame:
    rim = surface.points(outline)
    middle = rim.mean(axis=0)
    normal = np.linalg.svd(rim - middle)[2][2]
    up = surface.frame.axes[2]
    return Frame.facing(middle, normal * np.sign(normal @ up), lateral)


def _moved(
    region: NDArray[np.bool_], old: Frame, new: Frame, image: DensityImage
) -> NDArray[np.bool_]:
    shift = (old.to_local(new.origin)[:2] / DENSITY_STEP_MM).round().astype(int)
    moved = np.zeros_like(region)
    rows, columns = np.nonzero(region)
    rows, columns = rows - shift[0], columns - shift[1]
    last = len(image.values)
    inside = (rows >= 0) & (rows < last) & (columns >= 0) & (columns < last)
    moved[rows[inside], columns[inside]] = True
    return moved
