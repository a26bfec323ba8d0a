"""One picture of a lesion: three planes through it, with everything that was marked.

Masks are outlined where the plane cuts them; lines and points are projected onto the
plane, faint where they lie away from it. Beside the planes stand the finding's values.
Every picture carries the word RESEARCH.
"""

from __future__ import annotations

import io
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.errors import OsteotraceError
from osteotrace.findings import shares_space
from osteotrace.measurements.measurement import Measurement
from osteotrace.regions import Mask, Points, Polyline, extent
from osteotrace.reports import text
from osteotrace.reports.figures.drawing import (
    DOTS_PER_INCH,
    DOUBT_COLOUR,
    DRAWN_COLOUR,
    FITTED_COLOUR,
    grey_window,
    halo,
    letters,
    research_mark,
    scale_bar,
    show_slice,
)
from osteotrace.reports.figures.planes import PIXELS, Plane, reslice, share_of_mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from osteotrace.findings import Finding
    from osteotrace.geometry import Array
    from osteotrace.regions import Region
    from osteotrace.volume import Volume

# Each panel is a square of this side; words have a strip above and below, inches.
PANEL_INCHES: Final = 4.0
HEAD_INCHES: Final = 0.55
LINE_INCHES: Final = 0.19
FOOT_INCHES: Final = 0.35
# The planes show this many times the extent of the lesion, within these bounds, mm.
FIELD_TO_EXTENT: Final = 1.6
FIELD_BOUNDS_MM: Final = (30.0, 180.0)
# A line farther than this from the plane is faint, mm.
NEAR_MM: Final = 2.0
# Letters of a doubt's line, and the most lines of values and of doubts.
DOUBT_LETTERS: Final = 92
MOST_LINES: Final = 14
# Letters of a value's line, beside the doubts.
LETTERS: Final = 82

# Name, right and down of each panel, LPS.
_PANELS: Final = (
    ("axial", (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ("coronal", (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    ("sagittal", (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
)


def lesion_picture(volume: Volume, finding: Finding) -> bytes:
    """Return a PNG of a finding on three planes through it.

    Parameters
    ----------
    volume : Volume
        The volume that was measured.
    finding : Finding

    Raises
    ------
    OsteotraceError
        If no region of the finding lies in this volume.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [r for r in finding.regions if extent(r) and shares_space(finding, r, volume)]
    if not shown:
        raise OsteotraceError(
            f"no region of {finding.label} in this volume's frame of reference",
            expected="a finding that was measured on this volume",
            advice="give the volume that the finding was measured on",
        )
    values, doubts = _words(finding)
    head = HEAD_INCHES + LINE_INCHES * max(len(values), len(doubts))
    height = head + PANEL_INCHES + FOOT_INCHES
    figure = Figure((3 * PANEL_INCHES, height), dpi=DOTS_PER_INCH, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    planes = planes_through(main_region(finding, shown), shown)
    for number, plane in enumerate(planes):
        place = (number / 3, FOOT_INCHES / height, 1 / 3, PANEL_INCHES / height)
        _draw_panel(figure.add_axes(place), volume, finding, plane, shown)
    _write(figure, finding, values, doubts)
    out = io.BytesIO()
    # Without the writer's name the same picture is the same file.
    canvas.print_figure(out, format="png", metadata={"Software": None})
    return out.getvalue()


def main_region(finding: Finding, shown: list[Region]) -> Region:
    """Return the region of the finding's own value, else its first."""
    primary = finding.measurements[0] if finding.measurements else None
    role = primary.region if isinstance(primary, Measurement) else ""
    return next((region for region in shown if region.role == role), shown[0])


def planes_through(region: Region, shown: list[Region]) -> tuple[Plane, ...]:
    """Return the axial, coronal and sagittal plane through a region.

    They are as wide as it and the others that reach into its box.
    """
    points = np.array(extent(region))
    low, high = points.min(axis=0), points.max(axis=0)
    for other in shown:
        corners = np.array(extent(other))
        if (corners.min(axis=0) <= high).all() and (corners.max(axis=0) >= low).all():
            points = np.concatenate([points, corners])
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    if isinstance(region, Mask):
        marked = np.argwhere(region.voxels)
        centre = region.grid.to_patient(marked.mean(axis=0))
    size = float((points.max(axis=0) - points.min(axis=0)).max())
    width = float(np.clip(FIELD_TO_EXTENT * size, *FIELD_BOUNDS_MM))
    return tuple(
        Plane(
            name=name,
            centre=centre,
            right=np.array(right),
            down=np.array(down),
            width=width,
        )
        for name, right, down in _PANELS
    )


def _draw_panel(
    axes: Axes, volume: Volume, finding: Finding, plane: Plane, shown: list[Region]
) -> None:
    values = reslice(volume, plane)
    show_slice(axes, values, plane, grey_window(values, volume.unit))
    role = main_region(finding, shown).role
    for region in shown:
        colour = FITTED_COLOUR if region.role == role else DRAWN_COLOUR
        if isinstance(region, Mask):
            _outline(axes, share_of_mask(region, plane, volume.grid), plane, colour)
        elif isinstance(region, Polyline | Points):
            _project(axes, region, plane, colour)
    axes.set(
        xlim=(-plane.width / 2, plane.width / 2), ylim=(plane.width / 2, -plane.width / 2)
    )
    letters(axes, plane)
    scale_bar(axes, plane.width / 2)
    if plane.name == "sagittal":
        research_mark(axes)
    name: dict[str, Any] = {
        "color": "white",
        "fontsize": 9,
        "va": "top",
        "path_effects": halo(),
    }
    axes.text(0.02, 0.98, plane.name, transform=axes.transAxes, **name)


def _outline(axes: Axes, share: Array, plane: Plane, colour: str) -> None:
    if not share.max() > 0.5:
        return
    middle = (np.arange(PIXELS) + 0.5) * plane.width / PIXELS - plane.width / 2
    axes.contour(middle, middle, share, levels=[0.5], colors=[colour], linewidths=1.1)


def _project(axes: Axes, region: Polyline | Points, plane: Plane, colour: str) -> None:
    points = np.array(region.points)
    away = np.abs((points - plane.centre) @ plane.normal)
    style: dict[str, Any] = {"color": colour, "path_effects": halo()}
    style["alpha"] = 1.0 if away.min() <= NEAR_MM else 0.35
    flat = plane.to_picture(points)
    if isinstance(region, Points):
        axes.plot(*flat.T, linestyle="none", marker="o", markersize=4, **style)
    else:
        axes.plot(*flat.T, linewidth=1.2, **style)


def _words(finding: Finding) -> tuple[list[str], list[str]]:
    """Return the finding's values as lines, and its doubts as lines."""
    values, doubts = [], []
    for reading in finding.measurements:
        values.append(f"{reading.code.meaning}: {text.value(reading)}")
        doubts.extend(text.doubts(reading) if isinstance(reading, Measurement) else [])
    once = dict.fromkeys(doubts)
    lines = [line for doubt in once for line in wrap(f"doubt: {doubt}", DOUBT_LETTERS)]
    return _at_most(values), _at_most(lines)


def _at_most(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    rest = len(lines) - MOST_LINES + 1
    return [*lines[: MOST_LINES - 1], f"and {rest} more lines in the table"]


def _write(
    figure: Figure, finding: Finding, values: list[str], doubts: list[str]
) -> None:
    height = figure.get_figheight()
    looks: dict[str, Any] = {"va": "top", "linespacing": 1.3}
    figure.text(
        0.01, 1 - 0.1 / height, text.heading(finding), color="white", fontsize=12, **looks
    )
    top = 1 - 0.42 / height
    shown = "\n".join(
        line if len(line) <= LETTERS else f"{line[:LETTERS]}…" for line in values
    )
    figure.text(0.01, top, shown, color=FITTED_COLOUR, fontsize=9, **looks)
    figure.text(0.5, top, "\n".join(doubts), color=DOUBT_COLOUR, fontsize=8, **looks)
    y = 0.5 * FOOT_INCHES / height
    grey: dict[str, Any] = {"color": "#b0b0b0", "fontsize": 9, "va": "center"}
    told = "yellow: the region of the value; blue: other regions; faint: off the plane"
    figure.text(0.01, y, told, **grey)
    figure.text(0.99, y, RESEARCH_USE_SHORT, ha="right", **(grey | {"color": "white"}))
