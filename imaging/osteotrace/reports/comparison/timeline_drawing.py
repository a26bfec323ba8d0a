"""How the parts of a timeline are drawn: studies, rows of bars and signs, small plots.

Days are numbers here, as matplotlib counts them: from 1 January 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from osteotrace.reports.comparison.timeline import TimelinePoint

ACROSS_INCHES: Final = 5.15
LEFT_INCHES: Final = 1.5
PLOT_INCHES: Final = 0.92
LABEL_INCHES: Final = 0.15
# A letter of the labels, inches.
LETTER_INCHES: Final = 0.055

INK: Final = "#1b2430"
SOFT: Final = "#5b6673"
RULE: Final = "#dfe4ea"
BAR: Final = "#7f93a8"
BREAK: Final = "#9c2f16"
# Okabe and Ito, Color Universal Design, 2008: told apart by every kind of colour vision.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#7b4f9d", "#8a6d00", "#3d3d3d")
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
# Lesions in one small plot; the others stand in the tables.
MOST_LINES: Final = 6
_EPOCH: Final = date(1970, 1, 1).toordinal()

Span = tuple[date, date]


@dataclass(slots=True)
class Panel:
    """A part of the figure that shares the axis of dates."""

    kind: Literal["studies", "rows", "plot"]
    title: str
    points: list[TimelinePoint]
    inches: float


def ends_on(point: TimelinePoint, span: Span) -> Span:
    """Return the first and last day that a point is drawn on, within the axis."""
    first, last = point.first or span[0], point.last or point.first or span[1]
    if point.ongoing:
        last = span[1]
    return max(first, span[0]), min(last, span[1])


def levels_of(studies: Sequence[TimelinePoint], span: Span) -> list[int]:
    """Return the level at which the label of each study stands free of the others."""
    days = (span[1] - span[0]).days or 1
    ends: list[float] = []
    found = []
    for point in studies:
        first, last = ends_on(point, span)
        middle = ACROSS_INCHES * ((first - span[0]) + (last - span[0])).days / 2 / days
        half = LETTER_INCHES * (len(_study_label(point)) + 1) / 2
        free = (level for level, end in enumerate(ends) if end <= middle - half)
        level = next(free, len(ends))
        ends[level : level + 1] = [middle + half]
        found.append(level)
    return found


def _study_label(point: TimelinePoint) -> str:
    if point.label in ("", point.start):
        return point.start
    return f"{_short(point.label, 20)} · {point.start}"


# Parts --------------------------------------------------------------------------------


def draw(axes: Axes, panel: Panel, points: Sequence[TimelinePoint], span: Span) -> None:
    for point in points:
        # In their own part the studies have stems up to their labels instead.
        if point.lane == "study" and panel.kind != "studies":
            first, last = _days(point, span)
            axes.axvline((first + last) / 2, color=RULE, linewidth=0.8, zorder=0)
    if panel.kind == "studies":
        _draw_studies(axes, panel, span)
    elif panel.kind == "rows":
        _draw_rows(axes, panel, span)
    else:
        _draw_plot(axes, panel, span)


def _draw_studies(axes: Axes, panel: Panel, span: Span) -> None:
    levels = levels_of(panel.points, span)
    axes.set_ylim(0, panel.inches)
    _row_name(axes, 0.07, "Studies", bold=True)
    for point, level in zip(panel.points, levels, strict=True):
        first, last = _days(point, span)
        at = (first + last) / 2
        if first < last:
            axes.plot([first, last], [0.07, 0.07], color=INK, linewidth=3, alpha=0.35)
        axes.plot([at], [0.07], marker="v", markersize=5.5, color=INK, clip_on=False)
        up = 0.17 + LABEL_INCHES * level
        if level:
            axes.plot([at, at], [0.12, up], color=RULE, linewidth=0.8, zorder=0)
        axes.text(
            at, up, _study_label(point), fontsize=7, color=INK, ha="center", clip_on=False
        )


def _draw_rows(axes: Axes, panel: Panel, span: Span) -> None:
    rows = list(dict.fromkeys(point.row for point in panel.points))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for place, row in enumerate(rows):
        axes.axhline(place, color=RULE, linewidth=0.6, zorder=0)
        lane = next(point.lane for point in panel.points if point.row == row)
        name = f"{row} fracture" if lane == "fracture" else row
        _row_name(axes, place, name)
    for point in panel.points:
        place = rows.index(point.row)
        if point.lane == "drug":
            _draw_course(axes, point, place, span)
        else:
            _draw_moment(axes, point, place, span)


def _draw_course(axes: Axes, point: TimelinePoint, place: int, span: Span) -> None:
    """Draw a course as a bar; open ends have an arrow, estimated ones are lighter."""
    first, last = _days(point, span)
    begin, end = map(day_number, span)
    looks: dict[str, Any] = {
        "height": 0.52,
        "color": BAR,
        "alpha": 0.6 if point.approximate else 1.0,
    }
    width = max(last - first, 0.006 * (end - begin))
    axes.barh(place, width, left=first, **looks)
    arrow: dict[str, Any] = {"color": INK, "markersize": 4.5, "clip_on": False}
    if point.ongoing or (point.last and point.last > span[1]):
        axes.plot([end], [place], marker=">", **arrow)
    starts_before = point.first is not None and point.first < span[0]
    if starts_before or (point.first is None and not point.start):
        axes.plot([first], [place], marker="<", **arrow)


def _draw_moment(axes: Axes, point: TimelinePoint, place: int, span: Span) -> None:
    """Draw a moment as a sign at its last day, its other days as a line."""
    first, last = _days(point, span)
    broken = point.lane == "fracture"
    colour = BREAK if broken else INK
    if first < last:
        axes.plot([first, last], [place, place], color=colour, linewidth=2.4, alpha=0.3)
    face = "white" if point.proposed else colour
    axes.plot(
        [last],
        [place],
        marker="X" if broken else "D",
        markersize=6.5 if broken else 4.5,
        markerfacecolor=face,
        markeredgecolor=colour,
        clip_on=False,
    )


def _draw_plot(axes: Axes, panel: Panel, span: Span) -> None:
    """Draw values over time, a line a lesion, with error bars and its name at the end."""
    lines: dict[str, list[TimelinePoint]] = {}
    for point in panel.points:
        lines.setdefault(point.tracking_uid or point.label, []).append(point)
    _row_name(axes, 0.5, panel.title, across=True)
    _scale(axes, panel.points)
    shown = list(lines.values())[:MOST_LINES]
    for number, points in enumerate(shown):
        _draw_line(axes, points, number, span)
    if panel.points[0].lane == "value":
        left_out = len(lines) - len(shown)
        _name_lines(axes, shown, span, left_out)


def _scale(axes: Axes, points: Sequence[TimelinePoint]) -> None:
    """Give a plot its scale: pain from 0 to 10, else what its values span."""
    from matplotlib.ticker import MaxNLocator

    known = [
        number
        for point in points
        for number in (point.value, point.low, point.high)
        if number is not None
    ]
    low, high = min(known), max(known)
    if any(point.absent for point in points):
        low = min(low, 0.0)
    if points[0].lane == "pain":
        low, high = 0.0, max(10.0, high)
    # A value that does not change is shown without blowing its noise up.
    room = max(0.14 * (high - low), 0.02 * max(abs(low), abs(high)), 1e-9)
    axes.set_ylim(low - room, high + room)
    ticks = MaxNLocator(nbins=3, steps=[1, 2, 5, 10]).tick_values(low - room, high + room)
    inside = [tick for tick in ticks if low - room <= tick <= high + room]
    axes.set_yticks(inside)
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_color(RULE)
    for tick in inside:
        axes.axhline(tick, color=RULE, linewidth=0.5, zorder=0)


def _draw_line(
    axes: Axes, points: Sequence[TimelinePoint], number: int, span: Span
) -> None:
    colour = COLOURS[number % len(COLOURS)]
    marker = MARKERS[number % len(MARKERS)]
    days = [sum(_days(point, span)) / 2 for point in points]
    values = [0.0 if point.value is None else point.value for point in points]
    axes.plot(days, values, color=colour, linewidth=1.1, zorder=2)
    for day, value, point in zip(days, values, points, strict=True):
        first, last = _days(point, span)
        if first < last:
            axes.plot([first, last], [value, value], color=colour, linewidth=1.6)
        if point.low is not None and point.high is not None:
            ends = [[value - point.low], [point.high - value]]
            axes.errorbar(
                [day], [value], yerr=ends, color=colour, capsize=2.2, linewidth=1.0
            )
        hollow = point.absent or point.proposed
        axes.plot(
            [day],
            [value],
            marker=marker,
            markersize=4.2,
            color=colour,
            markerfacecolor="white" if hollow else colour,
            zorder=3,
            clip_on=False,
        )


def _name_lines(
    axes: Axes, lines: Sequence[Sequence[TimelinePoint]], span: Span, left_out: int
) -> None:
    """Write the lesions' names right of their last values, apart from each other."""
    low, high = axes.get_ylim()
    wanted = sorted(
        (((points[-1].value or 0.0) - low) / (high - low), number, points[-1].label)
        for number, points in enumerate(lines)
    )
    step = LABEL_INCHES / PLOT_INCHES
    free = -1.0
    places = []
    for at, number, label in wanted:
        free = max(at, free + step)
        places.append((free, number, label))
    # What was pushed over the upper border is pulled back, all of them together.
    over = max(0.0, free - 1.0)
    for at, number, label in places:
        axes.text(
            1.035,
            at - over,
            _short(label, 13),
            transform=axes.transAxes,
            fontsize=6.8,
            color=COLOURS[number % len(COLOURS)],
            va="center",
        )
        axes.plot(
            [1.018],
            [at - over],
            transform=axes.transAxes,
            marker=MARKERS[number % len(MARKERS)],
            markersize=3.2,
            color=COLOURS[number % len(COLOURS)],
            clip_on=False,
        )
    if left_out:
        told = f"and {left_out} more in the tables"
        axes.text(
            1.0, 1.02, told, transform=axes.transAxes, fontsize=6, color=SOFT, ha="right"
        )


def _row_name(
    axes: Axes, at: float, name: str, *, bold: bool = False, across: bool = False
) -> None:
    """Write a name into the left margin: at a row, or in the middle of a plot."""
    where = axes.transAxes if across else axes.get_yaxis_transform()
    left = -(LEFT_INCHES - 0.06) / ACROSS_INCHES
    axes.text(
        left,
        at,
        fill(name, 20) if across else _short(name, 24),
        transform=where,
        fontsize=7.2,
        color=INK,
        va="center",
        fontweight="bold" if bold else "normal",
        linespacing=1.25,
    )


def _short(label: str, letters: int) -> str:
    return label if len(label) <= letters else f"{label[: letters - 1]}…"


def day_number(day: date) -> float:
    """Return a day as matplotlib counts it."""
    return float(day.toordinal() - _EPOCH)


def _days(point: TimelinePoint, span: Span) -> tuple[float, float]:
    """Return first and last day of a point as numbers, within the axis."""
    first, last = ends_on(point, span)
    return day_number(first), day_number(last)
