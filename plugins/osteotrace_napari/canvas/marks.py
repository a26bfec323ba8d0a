"""What stands over the image: lines, points, balls and values, kept in patient LPS mm.

A mark knows no view; `drawing` projects it onto the slice that a view shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.measurements.palatal_sizes import PALATAL_LINE
from osteotrace.measurements.vertebra.marks import ROLES
from osteotrace.regions import ImagePoints, Mask, Points, Polyline, extent
from osteotrace_napari import wording
from osteotrace_napari.colours import LIVE_COLOUR, PROPOSED_COLOUR, STATE_COLOURS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.findings import Finding
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.regions import Point, Region

# Of a line as drawn, beside the one that was fitted to the image.
DRAWN_COLOUR: Final = "#d5dee8"
FITTED_WIDTH_PX: Final = 2.5
DRAWN_WIDTH_PX: Final = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through two or more points.

    Parameters
    ----------
    points : tuple of (x, y, z)
        LPS mm.
    width : float
        Pixels.
    colour : str
        Empty: that of the mark.
    dashed, closed : bool
    bars : bool
        Whether a short bar stands across each end.
    """

    points: tuple[Point, ...]
    width: float = FITTED_WIDTH_PX
    colour: str = ""
    dashed: bool = False
    closed: bool = False
    bars: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A point with what is written beside it."""

    point: Point
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """A ball in mm: seen as the circle that the slice cuts out of it."""

    centre: Point
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What stands for one finding, or for one being drawn.

    Parameters
    ----------
    uid : str
        Tracking UID of its finding; empty for the one being drawn.
    lines : tuple of Line
        The first one is the line of the value.
    spots : tuple of Spot
    balls : tuple of Ball
    box : tuple of (x, y, z)
        Corners of what has no line of its own, such as a mask: its text stands beside.
    text : str
        The value, beside the mark.
    colour : str
        Of lines and text.
    strong : bool
        Whether it is the selected one.
    is_proposed : bool
        Whether it was carried over from another study and waits for a reader: dashed.
    """

    uid: str = ""
    lines: tuple[Line, ...] = ()
    spots: tuple[Spot, ...] = ()
    balls: tuple[Ball, ...] = ()
    box: tuple[Point, ...] = ()
    text: str = ""
    colour: str = LIVE_COLOUR
    strong: bool = False
    is_proposed: bool = False

    @property
    def points(self) -> tuple[Point, ...]:
        """Every point of it; the centre of a ball."""
        return (
            *chain.from_iterable(line.points for line in self.lines),
            *(spot.point for spot in self.spots),
            *(ball.centre for ball in self.balls),
            *self.box,
        )


def proposed(mark: Mark) -> Mark:
    """Return a mark as one that waits for a reader: dashed, in a colour of its own."""
    return replace(mark, is_proposed=True, colour=PROPOSED_COLOUR)


def caliper_lines(
    drawn: tuple[Point, ...], fitted: tuple[Point, ...] = ()
) -> tuple[Line, ...]:
    """Return the fitted line with its end bars, if any, and the line as drawn."""
    if not fitted:
        return (Line(points=drawn, width=DRAWN_WIDTH_PX, dashed=True),)
    return (
        Line(points=fitted, bars=True),
        Line(points=drawn, width=DRAWN_WIDTH_PX, colour=DRAWN_COLOUR, dashed=True),
    )


def live_mark(reading: CaliperReading) -> Mark:
    """Return the mark of a caliper that is still being drawn."""
    fitted = () if reading.fitted is None else reading.fitted.points
    return Mark(
        lines=caliper_lines(reading.drawn.points, fitted),
        text=wording.short(reading.measurements),
        colour=LIVE_COLOUR,
    )


def finding_mark(finding: Finding, *, strong: bool = False) -> Mark:
    """Return the mark of a finding: what its regions in the first one's space show."""
    space = finding.regions[0].frame_of_reference_uid
    regions = [r for r in finding.regions if r.frame_of_reference_uid == space]
    if any(region.role == AS_DRAWN for region in regions):
        # Of a caliper's fits, the one that its value is of.
        regions = [r for r in regions if r is regions[0] or r.role == AS_DRAWN]
    lines = tuple(chain.from_iterable(_lines(region, regions) for region in regions))
    six = next((r for r in regions if isinstance(r, Points) and _is_vertebra(r)), None)
    if six is not None:
        # As fitted; where they were clicked lies within a pixel or two of it.
        regions, lines = [six], (*_heights(six), *lines)
    spots = tuple(chain.from_iterable(_spots(region) for region in regions))
    masks = [region for region in regions if isinstance(region, Mask)]
    level = "" if six is None else wording.site_name(finding.site)
    return Mark(
        uid=finding.tracking_uid,
        lines=lines,
        spots=spots,
        box=extent(masks[0]) if masks and not lines and not spots else (),
        text=f"{level}  {wording.value(finding)}" if level else wording.value(finding),
        colour=STATE_COLOURS[wording.state(finding)],
        strong=strong,
    )


def _lines(region: Region, regions: list[Region]) -> Iterator[Line]:
    if not isinstance(region, Polyline):
        return
    if region.role == PALATAL_LINE:
        # The gap is projected on it; it reaches into the stumps and is no length itself.
        yield Line(
            points=region.points,
            width=DRAWN_WIDTH_PX,
            colour=DRAWN_COLOUR,
            dashed=True,
        )
        return
    if region.role != AS_DRAWN:
        # Two points are a length; more are an outline.
        yield Line(points=region.points, bars=len(region.points) == 2)
        return
    alone = not any(isinstance(r, Polyline) for r in regions if r is not region)
    yield Line(
        points=region.points,
        width=DRAWN_WIDTH_PX,
        colour="" if alone else DRAWN_COLOUR,
        dashed=True,
    )


def _spots(region: Region) -> Iterator[Spot]:
    if not isinstance(region, Points) or isinstance(region, ImagePoints):
        return
    for point in region.points:
        yield Spot(point=point)


def _is_vertebra(points: Points) -> bool:
    return sorted(points.point_roles) == sorted(ROLES)


def _heights(six: Points) -> Iterator[Line]:
    """Yield the line of each height of a vertebra, the hindmost first.

    The text stands beside the first: beside the posterior one it covers no bone.
    """
    at = dict(zip(six.point_roles, six.points, strict=True))
    for upper, lower in zip(ROLES[2::-1], ROLES[:2:-1], strict=True):
        yield Line(points=(at[upper], at[lower]), width=DRAWN_WIDTH_PX)
