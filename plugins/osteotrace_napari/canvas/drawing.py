"""Marks projected onto the slice a view shows: pure maths, in pixels of the canvas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace_napari.canvas import layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array, Grid
    from osteotrace_napari.canvas.layers import PlaneView
    from osteotrace_napari.canvas.marks import Ball, Line, Mark

# A mark is shown on the slices it passes, and on one that is nearest to it.
HALF_SLICE: Final = 0.5
# A point farther than this from the slices shown is drawn hollow.
NEAR_SLICES: Final = 0.5
BAR_PX: Final = 13.0
STRONG: Final = 1.5
# Said of a line that looks shorter than it is.
CROSSES_PLANE: Final = "  (crosses this plane)"
# As many corners as make a circle look round.
_ANGLES: Final = np.linspace(0.0, 2 * np.pi, 64, endpoint=False)
_CIRCLE: Final = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a view shows: where a patient point comes to lie on its canvas.

    Parameters
    ----------
    grid : Grid
    view : PlaneView
    index : int
        The slice shown.
    centre, zoom : camera
        Display coordinates at the centre of the canvas, and pixels a mm.
    size : (width, height)
        Of the canvas, in pixels.
    scale : (float, float, float)
        Display coordinates a slice, row and column.
    half_slab : float
        How far beyond its slice the view shows what lies there, in slices.
    """

    grid: Grid
    view: PlaneView
    index: int
    centre: tuple[float, ...]
    zoom: float
    size: tuple[float, float]
    scale: tuple[float, float, float]
    half_slab: float = HALF_SLICE

    def to_canvas(self, points: ArrayLike) -> Array:
        """Return (..., 2) pixels, x and y, of (..., 3) patient LPS mm."""
        return self.from_index(self.grid.to_index(points))

    def from_index(self, index: ArrayLike) -> Array:
        """Return (..., 2) pixels, x and y, of (..., 3) slice, row and column."""
        return layers.canvas_positions(
            index,
            scale=self.scale,
            view=self.view,
            centre=self.centre,
            zoom=self.zoom,
            size=self.size,
        )

    def passes(self, points: ArrayLike) -> bool:
        """Tell whether what spans (n, 3) LPS points is seen on the slice shown."""
        low, high = span(self.grid, self.view, points)
        return self.shows(low, high)

    def shows(self, low: float, high: float) -> bool:
        """Tell whether slices from ``low`` to ``high`` are among those shown."""
        return low - self.half_slab <= self.index <= high + self.half_slab

    def cut_radius(self, ball: Ball) -> float:
        """Return the radius in mm of the circle cut out of a ball; 0 where it is none."""
        axis = self.view.order[0]
        step = self.scale[axis]
        off = abs(float(self.grid.to_index(ball.centre)[axis]) - self.index)
        off = max(off - (self.half_slab - HALF_SLICE), 0.0) * step
        return float(np.sqrt(max(ball.radius**2 - off**2, 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line on the canvas; (n, 2) pixels."""

    points: Array
    width: float
    colour: str
    dashed: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A point on the canvas with what is written beside it; hollow beyond the slice."""

    x: float
    y: float
    label: str
    colour: str
    strong: bool
    hollow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A value, and what it goes beside: the two ends of a line or four corners."""

    text: str
    colour: str
    corners: tuple[tuple[float, float], ...]
    strong: bool


@dataclass(slots=True)
class Picture:
    """Everything that marks put onto one canvas."""

    strokes: list[Stroke] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


def span(grid: Grid, view: PlaneView, points: ArrayLike) -> tuple[float, float]:
    """Return the first and last slice of a plane that (n, 3) LPS points reach."""
    along = grid.to_index(points)[..., view.order[0]]
    return float(along.min()), float(along.max())


def mark_span(grid: Grid, view: PlaneView, mark: Mark) -> tuple[float, float]:
    """Return the first and last slice that a mark reaches."""
    axis = view.order[0]
    along = [grid.to_index(mark.points)[..., axis]] if mark.points else []
    for ball in mark.balls:
        reach = ball.radius / layers.display_scale(grid)[axis]
        along.append(grid.to_index(ball.centre)[axis] + np.array([-reach, reach]))
    if not along:
        return np.inf, -np.inf
    every = np.concatenate(along)
    return float(every.min()), float(every.max())


def picture(marks: Sequence[Mark], place: Place) -> Picture:
    """Project marks that the slice shows; the selected one comes last, on top."""
    drawn = Picture()
    shown = [m for m in sorted(marks, key=lambda each: each.strong) if m.points]
    if not shown:
        return drawn
    # All at once: projecting a thousand points takes as long as projecting one.
    index = place.grid.to_index(np.array([p for mark in shown for p in mark.points]))
    pixels, first = place.from_index(index), 0
    for mark in shown:
        end = first + len(mark.points)
        _add(drawn, mark, place, pixels[first:end], index[first:end])
        first = end
    return drawn


def end_bars(line: Array, length: float) -> list[Array]:
    """Return a short bar across each end of a (n, 2) line; none where it is a point."""
    step = line[-1] - line[0]
    if not np.hypot(*step) > 1e-6:
        return []
    across = np.array([-step[1], step[0]]) / np.hypot(*step) * length / 2
    return [np.stack([end - across, end + across]) for end in (line[0], line[-1])]


def _add(drawn: Picture, mark: Mark, place: Place, pixels: Array, index: Array) -> None:
    """Add a mark, given its points on the canvas and in the grid, in their order."""
    first = 0
    for line in mark.lines:
        end = first + len(line.points)
        drawn.strokes += _strokes(mark, line, pixels[first:end])
        first = end
    along = index[first:, place.view.order[0]].tolist()
    for spot, (x, y), at in zip(mark.spots, pixels[first:].tolist(), along, strict=False):
        dot = Dot(
            x=x,
            y=y,
            label=spot.label,
            colour=mark.colour,
            strong=mark.strong,
            hollow=not place.shows(at - NEAR_SLICES, at + NEAR_SLICES),
        )
        drawn.dots.append(dot)
    first += len(mark.spots)
    for ball, centre in zip(mark.balls, pixels[first:], strict=False):
        drawn.strokes += _circle(mark, ball, place, centre)
    if mark.text:
        drawn.labels.append(_label(mark, place, pixels, index))


def _strokes(mark: Mark, line: Line, points: Array) -> Iterator[Stroke]:
    width = line.width * (STRONG if mark.strong and not line.dashed else 1.0)
    colour = line.colour or mark.colour
    yield Stroke(
        points=points,
        width=width,
        colour=colour,
        dashed=line.dashed or mark.is_proposed,
        closed=line.closed,
    )
    if line.bars:
        for bar in end_bars(points, BAR_PX):
            yield Stroke(points=bar, width=width, colour=colour)


def _circle(mark: Mark, ball: Ball, place: Place, centre: Array) -> Iterator[Stroke]:
    radius = place.cut_radius(ball) * place.zoom
    if radius > 0:
        yield Stroke(
            points=centre + radius * _CIRCLE,
            width=2.0 * (STRONG if mark.strong else 1.0),
            colour=mark.colour,
            dashed=mark.is_proposed,
            closed=True,
        )


def _label(mark: Mark, place: Place, pixels: Array, index: Array) -> Label:
    text = mark.text
    if mark.lines and len(mark.lines[0].points) == 2:
        corners = pixels[:2]
        step = np.abs(index[1] - index[0]) * place.scale
        shown = np.hypot(*step[list(place.view.order[1:])])
        if shown < layers.FORESHORTENED_SHARE * np.linalg.norm(step):
            text += CROSSES_PLANE
    else:
        reach = max((ball.radius for ball in mark.balls), default=0.0) * place.zoom
        (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
        xs, ys = (left - reach, right + reach), (top - reach, bottom + reach)
        corners = np.array([(x, y) for x in xs for y in ys])
    return Label(
        text=text,
        colour=mark.colour,
        corners=tuple((x, y) for x, y in corners.tolist()),
        strong=mark.strong,
    )
