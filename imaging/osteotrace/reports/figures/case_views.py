"""The small views of findings that a case's picture is put together from.

Drawn without a plotting library: a view is ready in some milliseconds, so that a picture
of every case of ten thousand costs little beside measuring it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.findings import shares_space
from osteotrace.regions import Mask, Points, Polyline, extent
from osteotrace.reports.figures.caliper_picture import caliper_plane
from osteotrace.reports.figures.drawing import (
    DRAWN_COLOUR,
    FITTED_COLOUR,
    OUTSIDE_COLOUR,
    grey_window,
)
from osteotrace.reports.figures.lesion_picture import main_region, planes_through
from osteotrace.reports.figures.planes import Plane, reslice, share_of_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from osteotrace.findings import Finding
    from osteotrace.geometry import Array
    from osteotrace.regions import Region
    from osteotrace.volume import Volume

# Lines are drawn this many times larger and made smaller, so that they have no steps.
FINER: Final = 2
# Widths in pixels of the view: a line, its black rim, the radius of a point.
LINE, RIM, POINT = 1.5, 3.5, 3.0
# How much of the image the black rim hides, of 255; and lines away from the plane.
RIM_SHADE, FAINT_SHADE = 150, 110
# A line farther than this from the plane is faint, mm.
NEAR_MM: Final = 2.0
# Two planes whose normals are nearer than this show the same.
SAME_PLANE_DEG: Final = 30.0


@dataclass(frozen=True, slots=True)
class View:
    """A finding on one plane.

    Parameters
    ----------
    name : str
        Of the plane, e.g. ``"axial"``.
    image : PIL.Image.Image
        RGB, square.
    """

    name: str
    image: Image


def views(volume: Volume, finding: Finding, *, most: int, pixels: int) -> list[View]:
    """Return a finding on the planes that show it best, the best one first.

    Parameters
    ----------
    volume : Volume
        The volume that was measured.
    finding : Finding
    most : int
        How many planes at most, up to three.
    pixels : int
        Side of each.

    Returns
    -------
    list of View
        Empty where no region of the finding lies in the volume.
    """
    shown = [r for r in finding.regions if extent(r) and shares_space(finding, r, volume)]
    if not shown:
        return []
    main = main_region(finding, shown)
    return [
        View(plane.name, _drawn(volume, plane, shown, main.role, pixels))
        for plane in _planes(main, shown)[:most]
    ]


def _planes(main: Region, shown: list[Region]) -> list[Plane]:
    """Return three planes, the one that shows most of the region first."""
    standard = planes_through(main, shown)
    if isinstance(main, Mask):
        return _fullest(main, standard)
    points = extent(main)
    if not isinstance(main, Polyline) or len(points) < 2:
        return list(standard)
    try:
        own = caliper_plane(points[0], points[-1])
    except OsteotraceError:
        return list(standard)
    # The line may lie at the edge of what is shown: the middle is that of all of it.
    aside = standard[0].centre - own.centre
    own = replace(
        own,
        name=f"near {own.name}",
        centre=own.centre + aside - (aside @ own.normal) * own.normal,
        width=max(own.width, standard[0].width),
    )
    others = [p for p in standard if _apart_deg(p, own) > SAME_PLANE_DEG]
    return [own, *others][:3]


def _fullest(mask: Mask, planes: Sequence[Plane]) -> list[Plane]:
    """Move planes to where they cut most of a mask, the one that cuts most first."""
    grid, voxels = mask.grid, mask.voxels
    axes = np.stack([grid.normal, grid.column_direction, grid.row_direction])
    sides = np.nan_to_num(grid.spacing, nan=1.0)
    moved = []
    for plane in planes:
        along = int(np.argmax(np.abs(axes @ plane.normal)))
        cut = voxels.sum(axis=tuple({0, 1, 2} - {along}))
        at = grid.to_index(plane.centre)
        at[along] = np.argmax(cut)
        area_mm2 = cut.max() * sides.prod() / sides[along]
        moved.append((area_mm2, replace(plane, centre=grid.to_patient(at))))
    order = np.argsort([-area for area, _ in moved], kind="stable")
    return [moved[n][1] for n in order]


def _apart_deg(one: Plane, other: Plane) -> float:
    angle = geometry.angle_deg(one.normal, other.normal)
    return min(angle, 180.0 - angle)


def _drawn(
    volume: Volume, plane: Plane, shown: Sequence[Region], role: str, pixels: int
) -> Image:
    from PIL import Image, ImageDraw

    values = reslice(volume, plane, pixels)
    image = Image.fromarray(_grey(values, grey_window(values, volume.unit)))
    for region in sorted(shown, key=lambda one: one.role == role):
        colour = FITTED_COLOUR if region.role == role else DRAWN_COLOUR
        lines, points, faint = _marks(region, plane, volume, pixels)
        if lines or points:
            shade = FAINT_SHADE if faint else 255
            _overlay(image, lines, points, colour, shade)
    pen = ImageDraw.Draw(image)
    _letters(pen, plane, pixels)
    _bar(pen, plane, pixels)
    return image


def _grey(values: NDArray[np.float64], window: tuple[float, float]) -> NDArray[np.uint8]:
    """Return (rows, columns, 3) grey values; where there is no image, another colour."""
    low, high = window
    grey = np.clip((np.nan_to_num(values) - low) * (255 / (high - low)), 0, 255)
    picture = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    outside = [int(OUTSIDE_COLOUR[n : n + 2], 16) for n in (1, 3, 5)]
    picture[np.isnan(values)] = outside
    return picture


def _marks(
    region: Region, plane: Plane, volume: Volume, pixels: int
) -> tuple[list[Array], Array | None, bool]:
    """Return lines and points in pixels of the view, and whether they lie off it."""
    if isinstance(region, Mask):
        from skimage.measure import find_contours

        share = share_of_mask(region, plane, volume.grid, pixels)
        outlines = find_contours(share, 0.5) if share.max() > 0.5 else []
        return [line[:, ::-1] + 0.5 for line in outlines], None, False
    if not isinstance(region, Polyline | Points):
        return [], None, False
    points = np.array(region.points)
    away = np.abs((points - plane.centre) @ plane.normal).min() > NEAR_MM
    flat = (plane.to_picture(points) / plane.width + 0.5) * pixels
    if isinstance(region, Points):
        return [], flat, bool(away)
    return [flat], None, bool(away)


def _overlay(
    image: Image, lines: list[Array], points: Array | None, colour: str, shade: int
) -> None:
    from PIL import Image as images
    from PIL import ImageDraw

    size = (image.width * FINER, image.height * FINER)
    for width, paint, full in ((RIM, "black", RIM_SHADE), (LINE, colour, 255)):
        layer = images.new("L", size)
        pen = ImageDraw.Draw(layer)
        ink = min(full, shade)
        for line in lines:
            flat = [tuple(point) for point in (line * FINER).tolist()]
            pen.line(flat, fill=ink, width=round(width * FINER))
        radius = (POINT + (width - LINE) / 2) * FINER
        for x, y in [] if points is None else (points * FINER).tolist():
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
        image.paste(images.new("RGB", image.size, paint), mask=layer.reduce(FINER))


def _letters(pen: Any, plane: Plane, pixels: int) -> None:
    edge, middle = 4, pixels / 2
    places = (
        (-plane.right, (edge, middle), "lm"),
        (plane.right, (pixels - edge, middle), "rm"),
        (-plane.down, (middle, edge), "ma"),
        (plane.down, (middle, pixels - edge), "md"),
    )
    for direction, place, anchor in places:
        # Two letters say enough in a small view.
        words = geometry.patient_letters(direction)[:2]
        write(pen, place, words, 12, anchor=anchor, rim=2)
    write(pen, (edge, edge), plane.name, 10, anchor="la", rim=2)


def _bar(pen: Any, plane: Plane, pixels: int) -> None:
    """Draw a bar of 10 mm, with what it is."""
    length = 10.0 / plane.width * pixels
    x, y = 8, pixels - 8
    pen.line((x - 1, y, x + length + 1, y), fill="black", width=5)
    pen.line((x, y, x + length, y), fill="white", width=3)
    write(pen, (x, y - 5), "10 mm", 10, anchor="ld", rim=2)


def write(
    pen: Any,
    place: tuple[float, float],
    words: str,
    size: int,
    *,
    colour: str = "white",
    anchor: str = "la",
    bold: bool = False,
    rim: int = 0,
) -> None:
    """Write words at a place in pixels, with a black rim where they lie on an image."""
    pen.text(
        place,
        words,
        font=letters_of(size, bold=bold),
        fill=colour,
        anchor=anchor,
        stroke_width=rim,
        stroke_fill="black",
    )


@cache
def letters_of(size: int, *, bold: bool = False) -> Any:
    """Return the letters of a size in pixels; the same on every machine."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", name)
    # The plain layout does not depend on what else is installed.
    return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)
