"""One picture of a caliper: the plane of its line, as near to sagittal as may be.

The plane holds the whole measured line, so nothing in the picture is a projection. It
is resampled once, linearly, onto square pixels, and is for eyes only: no number is
read from it. Every picture carries the word RESEARCH.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace import geometry
from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.errors import OsteotraceError
from osteotrace.findings import shares_space
from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.measurements.measurement import Measurement
from osteotrace.regions import Polyline
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
from osteotrace.reports.figures.planes import Plane, reslice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from osteotrace.findings import Finding
    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

# The picture shows this many times the length, within these bounds, mm.
FIELD_TO_LENGTH: Final = 3.5
FIELD_BOUNDS_MM: Final = (40.0, 160.0)
# The picture is square; words have a strip above and below it, inches. The one above
# grows with the lines of doubts, which begin below its upper border.
PICTURE_INCHES: Final = 7.0
HEAD_INCHES: Final = 1.0
FOOT_INCHES: Final = 0.4
DOUBTS_AT_INCHES: Final = 0.56
DOUBT_LINE_INCHES: Final = 0.15
DOUBT_LETTERS: Final = 62


# Standard views as (normal, right of the picture, down the picture), LPS.
_VIEWS: Final = {
    "sagittal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "axial": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}
# A line nearer than this to left-right has no sagittal plane; the axial one is shown.
_SAGITTAL_LIMIT_DEG: Final = 30.0


def caliper_plane(start: Any, end: Any) -> Plane:
    """Return the plane through a line that is nearest to sagittal.

    Parameters
    ----------
    start, end : (3,) array
        Ends of the line, LPS mm. A line within 30 degrees of left-right gets the
        plane nearest to axial.
    """
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    along = geometry.unit_vector(b - a)
    lean = geometry.angle_deg(along, (1.0, 0.0, 0.0))
    sideways = min(lean, 180.0 - lean) < _SAGITTAL_LIMIT_DEG
    name = "axial" if sideways else "sagittal"
    normal, right, down = (np.array(v) for v in _VIEWS[name])
    normal = geometry.unit_vector(normal - (normal @ along) * along)
    right = geometry.unit_vector(right - (right @ normal) * normal)
    third = np.cross(normal, right)
    length = geometry.distance(a, b)
    return Plane(
        name=name,
        centre=(a + b) / 2,
        right=right,
        down=third if third @ down > 0 else -third,
        width=float(np.clip(FIELD_TO_LENGTH * length, *FIELD_BOUNDS_MM)),
    )


def caliper_picture(volume: Volume, finding: Finding) -> bytes:
    """Return a PNG of a caliper finding on its plane.

    Parameters
    ----------
    volume : Volume
        The volume that was measured.
    finding : Finding
        From `osteotrace.reading.caliper_finding`.

    Raises
    ------
    OsteotraceError
        If the finding has no line, or lives in another frame of reference.
    """
    primary = finding.measurements[0]
    role = primary.region if isinstance(primary, Measurement) else AS_DRAWN
    lines = {
        region.role: region for region in finding.regions if isinstance(region, Polyline)
    }
    shown = lines.get(role)
    if shown is None or not shares_space(finding, shown, volume):
        raise OsteotraceError(
            f"no line of {finding.label} in this volume's frame of reference",
            expected="a caliper measured on this volume",
            advice="give the volume that the finding was measured on",
        )
    plane = caliper_plane(shown.points[0], shown.points[-1])
    values = reslice(volume, plane)
    drawn = plane.to_picture(lines[AS_DRAWN].points) if AS_DRAWN in lines else None
    fitted = None if role == AS_DRAWN else plane.to_picture(shown.points)
    marks = _Marks(drawn=drawn, fitted=fitted)
    return _draw(values, plane, finding, marks, grey_window(values, volume.unit))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """(2, 2) mm in the picture, or None: the line as drawn and the value's own."""

    drawn: Array | None
    fitted: Array | None


def _draw(
    values: NDArray[np.float64],
    plane: Plane,
    finding: Finding,
    marks: _Marks,
    window: tuple[float, float],
) -> bytes:
    # The figure without pyplot: no global state, no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    doubts = _doubts(finding)
    lowest = DOUBTS_AT_INCHES + DOUBT_LINE_INCHES * (len(doubts) + 0.5)
    height = max(HEAD_INCHES, lowest) + PICTURE_INCHES + FOOT_INCHES
    figure = Figure((PICTURE_INCHES, height), dpi=DOTS_PER_INCH, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, FOOT_INCHES / height, 1, PICTURE_INCHES / height))
    show_slice(axes, values, plane, window)
    if marks.drawn is not None:
        _draw_points(axes, marks.drawn)
    if marks.fitted is not None:
        _draw_fitted(axes, marks.fitted)
    letters(axes, plane)
    scale_bar(axes, plane.width / 2)
    _head(figure, plane, finding, doubts)
    _foot(figure, axes)
    out = io.BytesIO()
    # Without the writer's name the same picture is the same file.
    canvas.print_figure(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _draw_points(axes: Axes, points: Array) -> None:
    axes.plot(*points.T, color=DRAWN_COLOUR, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.plot(
        *points.T,
        linestyle="none",
        marker="o",
        markersize=9,
        markerfacecolor="none",
        markeredgecolor=DRAWN_COLOUR,
        markeredgewidth=1.3,
        path_effects=halo(),
    )


def _draw_fitted(axes: Axes, points: Array) -> None:
    """Draw the fitted line with a short bar across each end, as a caliper has."""
    axes.plot(*points.T, color=FITTED_COLOUR, linewidth=1.6, path_effects=halo())
    along = geometry.unit_vector([*(points[-1] - points[0]), 0.0])[:2]
    across = np.array([-along[1], along[0]]) * 0.12 * np.diff(axes.get_xlim())[0] / 4
    for end in (points[0], points[-1]):
        bar = np.stack([end - across, end + across])
        axes.plot(*bar.T, color=FITTED_COLOUR, linewidth=1.6, path_effects=halo())


def _doubts(finding: Finding) -> list[str]:
    """Return the lines that say what speaks against the value."""
    primary = finding.measurements[0]
    flags = primary.flags if isinstance(primary, Measurement) else ()
    return [line for flag in flags for line in wrap(f"doubt: {flag}", DOUBT_LETTERS)]


def _head(figure: Figure, plane: Plane, finding: Finding, doubts: list[str]) -> None:
    primary = finding.measurements[0]
    put = partial(_put, figure)
    put(0.03, 0.10, text.heading(finding), fontsize=12)
    put(0.97, 0.10, f"plane of the line, near {plane.name}", ha="right")
    put(0.03, 0.34, primary.code.meaning)
    if isinstance(primary, Measurement):
        colour = FITTED_COLOUR if primary.accepted else DOUBT_COLOUR
        put(0.03, 0.56, text.value(primary), color=colour, fontsize=18)
        limits = text.interval(primary)
        put(0.97, 0.34, f"95 % interval {limits} mm" if limits else "", ha="right")
        style = {"color": DOUBT_COLOUR, "fontsize": 9, "ha": "right"}
        put(0.97, DOUBTS_AT_INCHES, "\n".join(doubts), **style)
    else:
        put(0.03, 0.60, fill(text.value(primary), 80), color=DOUBT_COLOUR, fontsize=11)


def _put(figure: Figure, x: float, down: float, words: str, **style: Any) -> None:
    """Write words in the head, ``down`` inches below the upper border."""
    looks: dict[str, Any] = {"color": "white", "fontsize": 10, "va": "top"} | style
    figure.text(x, 1 - down / figure.get_figheight(), words, **looks)


def _foot(figure: Figure, axes: Axes) -> None:
    research_mark(axes)
    y = 0.5 * FOOT_INCHES / figure.get_figheight()
    words = "circles: points as drawn; barred line: fitted edges"
    figure.text(0.03, y, words, color="#b0b0b0", fontsize=9, va="center")
    figure.text(
        0.97, y, RESEARCH_USE_SHORT, color="white", fontsize=9, va="center", ha="right"
    )
