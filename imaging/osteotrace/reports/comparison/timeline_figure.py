"""The timeline of a comparison drawn: studies, drugs, pain, fractures, lesions over time.

One axis of dates below rows and small plots that share it. Markers and line styles say
what colours say. The figure is made without pyplot: no global state, no display.
"""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from osteotrace.reports.comparison import words
from osteotrace.reports.comparison.timeline import TimelinePoint, timeline_points
from osteotrace.reports.comparison.timeline_drawing import (
    ACROSS_INCHES,
    LABEL_INCHES,
    LEFT_INCHES,
    PLOT_INCHES,
    SOFT,
    Panel,
    Span,
    day_number,
    draw,
    ends_on,
    levels_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from osteotrace.comparison import Comparison

WIDTH_INCHES: Final = 7.6
AXIS_INCHES: Final = 0.24
ROW_INCHES: Final = 0.21
GAP_INCHES: Final = 0.1
# Small plots; the other quantities stand in the tables.
MOST_PLOTS: Final = 8
DOTS_PER_INCH: Final = 200
# Share of the whole time on either side, and the least of it, days.
MARGIN: Final = 0.035
LEAST_MARGIN_DAYS: Final = 4
# The studies are drawn once more, larger, where they fill less than this share.
ENLARGED_BELOW: Final = 0.3

Format = Literal["svg", "png"]


def timeline_picture(
    comparison: Comparison,
    file_format: Format = "svg",
    *,
    between: Span | None = None,
    plots: bool = True,
) -> bytes:
    """Return the timeline as a file, the same bytes for the same comparison.

    Parameters as in `timeline_figure`.
    """
    import matplotlib as mpl

    figure = timeline_figure(comparison, between=between, plots=plots)
    out = io.BytesIO()
    empty = (
        {"Date": None, "Creator": None} if file_format == "svg" else {"Software": None}
    )
    # Letters as shapes: the file looks the same wherever it is opened.
    with mpl.rc_context({"svg.hashsalt": "osteotrace", "svg.fonttype": "path"}):
        figure.savefig(out, format=file_format, dpi=DOTS_PER_INCH, metadata=empty)
    return out.getvalue()


def timeline_figure(
    comparison: Comparison, *, between: Span | None = None, plots: bool = True
) -> Figure:
    """Return the timeline as a matplotlib figure.

    Parameters
    ----------
    comparison : Comparison
    between : (first, last), optional
        Days that the axis spans; all that is dated by default. What lies outside is left
        out, and courses are cut there.
    plots : bool
        False leaves the small plots of values out: what happened when remains.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    every = timeline_points(comparison)
    points = [one for one in every if _dated(one) and not one.is_part]
    span = between or whole_span(points)
    shown = [] if span is None else [point for point in points if _within(point, span)]
    panels = _panels(shown, span, plots=plots)
    height = AXIS_INCHES + sum(panel.inches + GAP_INCHES for panel in panels)
    figure = Figure((WIDTH_INCHES, height), facecolor="white")
    FigureCanvasAgg(figure)
    if span is None:
        told = "No date is known: nothing stands on an axis."
        figure.text(0.5, 0.5, told, ha="center", va="center", fontsize=8, color=SOFT)
        return figure
    top = height
    for panel in panels:
        top -= panel.inches
        box = (LEFT_INCHES, top, ACROSS_INCHES, panel.inches)
        axes = _axes(figure, box, span)
        draw(axes, panel, shown, span)
        top -= GAP_INCHES
    _date_axis(axes)
    return figure


def whole_span(points: Iterable[TimelinePoint]) -> Span | None:
    """Return the days from the first to the last thing that is dated, with a margin."""
    known = [day for point in points for day in (point.first, point.last) if day]
    if not known:
        return None
    return _with_margin(min(known), max(known))


def enlarged_span(comparison: Comparison) -> Span | None:
    """Return the days of the studies where the whole axis shows them too small."""
    points = timeline_points(comparison)
    studies = [point for point in points if point.lane == "study"]
    whole, part = whole_span(points), whole_span(studies)
    if whole is None or part is None or len(studies) < 2:
        return None
    share = (part[1] - part[0]) / (whole[1] - whole[0])
    return part if share < ENLARGED_BELOW else None


def _with_margin(first: date, last: date) -> Span:
    days = max(LEAST_MARGIN_DAYS, round(MARGIN * (last - first).days))
    return first - timedelta(days), last + timedelta(days)


def _dated(point: TimelinePoint) -> bool:
    return point.first is not None or point.last is not None


def _within(point: TimelinePoint, span: Span) -> bool:
    first, last = ends_on(point, span)
    return first <= last


# What stands where --------------------------------------------------------------------


def _panels(
    points: Sequence[TimelinePoint], span: Span | None, *, plots: bool
) -> list[Panel]:
    if span is None:
        return [Panel("rows", "", [], 0.4)]
    by_lane: dict[str, list[TimelinePoint]] = {}
    for point in points:
        by_lane.setdefault(point.lane, []).append(point)
    studies = by_lane.get("study", [])
    levels = 1 + max(levels_of(studies, span), default=0)
    panels = [Panel("studies", "Studies", studies, 0.14 + LABEL_INCHES * levels)]
    rows = [("drug", "Drugs"), ("procedure", ""), ("fracture", "Fractures")]
    for lane, title in rows:
        found = by_lane.get(lane, [])
        count = len({point.row for point in found})
        if count:
            panels.append(Panel("rows", title, found, ROW_INCHES * count))
    return panels + _plots(by_lane)[:MOST_PLOTS] if plots else panels


def _plots(by_lane: Mapping[str, list[TimelinePoint]]) -> list[Panel]:
    """Return a small plot for each score, and for each quantity of lesions."""
    numbers = [
        point
        for lane in ("pain", "value", "score", "laboratory")
        for point in by_lane.get(lane, [])
    ]
    found: dict[tuple[str, str], list[TimelinePoint]] = {}
    for point in numbers:
        unit = point.unit or _unit_of(numbers, point)
        found.setdefault((point.row, unit), []).append(point)
    return [
        Panel("plot", _title(row, unit), points, PLOT_INCHES)
        for (row, unit), points in found.items()
        if _is_course(points)
    ]


def _is_course(points: Sequence[TimelinePoint]) -> bool:
    """Tell whether values are worth a plot: a single one is told by the list."""
    dates: dict[str, set[str]] = {}
    for point in points:
        dates.setdefault(point.tracking_uid or point.label, set()).add(point.start)
    is_known = any(point.value is not None for point in points)
    return is_known and (points[0].lane == "pain" or max(map(len, dates.values())) > 1)


def _unit_of(numbers: Sequence[TimelinePoint], point: TimelinePoint) -> str:
    """Return the unit of a lesion that was looked for and absent: that of its values."""
    return next(
        (
            one.unit
            for one in numbers
            if one.unit
            and one.tracking_uid == point.tracking_uid
            and one.row == point.row
        ),
        "",
    )


def _title(row: str, unit: str) -> str:
    told = words.unit(unit)
    return f"{row}, {told}" if told else row


# Axes ---------------------------------------------------------------------------------


def _axes(figure: Figure, box: tuple[float, float, float, float], span: Span) -> Axes:
    width, height = figure.get_size_inches()
    left, bottom, across, up = box
    place = (left / width, bottom / height, across / width, up / height)
    axes = figure.add_axes(place)
    axes.set_xlim(*map(day_number, span))
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=6.5, colors=SOFT)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def _date_axis(axes: Axes) -> None:
    """Write the dates below the lowest part."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    formatter.formats = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S"]
    formatter.zero_formats = ["", "%Y", "%b %Y", "", "", ""]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formatter)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(axis="x", length=3, labelsize=7, colors=SOFT)
