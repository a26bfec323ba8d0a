"""The points of a mark that can be taken hold of, and what moving one means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace.protocol import Where
from osteotrace_napari.canvas.marks import DRAWN_WIDTH_PX, Ball, Line, Mark, Spot
from osteotrace_napari.tools.region import radius_mm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from osteotrace.protocol import Entry
    from osteotrace.regions import Point

# Keys of entries whose points make one line.
_LINES: Final = (
    ("start", "vertex", "end"),
    ("first_start", "first_end"),
    ("second_start", "second_end"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grip:
    """One point of an entry.

    Parameters
    ----------
    key : str
        The entry's key that it stands under.
    part : str
        Its own key where the entry has a table of points, such as six of a vertebra.
    point : (x, y, z)
        LPS mm; the centre of a ball.
    radius : float
        Of the sphere that is taken hold of, mm; 0 for a point.
    """

    key: str
    part: str = ""
    point: Point
    radius: float = 0.0


def grips_of(entry: Entry) -> tuple[Grip, ...]:
    """Return what can be moved of a mark: points, and centre and edge of balls."""
    return tuple(_grips(entry))


def _grips(entry: Entry) -> Iterator[Grip]:
    for key in entry.__struct_fields__:
        value = getattr(entry, key)
        if isinstance(value, Where):
            if value.centre is not None and value.radius is not None:
                yield Grip(key=key, point=value.centre)
                yield Grip(key=key, point=value.centre, radius=value.radius)
        elif isinstance(value, dict):
            for part, point in value.items():
                yield Grip(key=key, part=part, point=point)
        elif isinstance(value, tuple) and len(value) == 3:
            yield Grip(key=key, point=value)


def moved(entry: Entry, grip: Grip, to: Point) -> dict[str, Any]:
    """Return the keys of an entry whose grip was moved somewhere, as they are then."""
    value = getattr(entry, grip.key)
    if isinstance(value, Where):
        change = (
            {"centre": to} if not grip.radius else {"radius": radius_mm(grip.point, to)}
        )
        return {grip.key: msgspec.structs.replace(value, **change)}
    if isinstance(value, dict):
        return {grip.key: {**value, grip.part: to}}
    return {grip.key: to}


def mark_of(entry: Entry, where: Mapping[str, Any] | None = None) -> Mark:
    """Return the mark of an entry as the reader placed it, without a value.

    Parameters
    ----------
    entry : Entry
    where : mapping, optional
        Keys of it that are otherwise, as `moved` returns them.
    """
    keys = {key: getattr(entry, key) for key in entry.__struct_fields__}
    keys.update(where or {})
    balls = tuple(
        Ball(centre=value.centre, radius=value.radius)
        for value in keys.values()
        if isinstance(value, Where)
        and value.centre is not None
        and value.radius is not None
    )
    table = next((value for value in keys.values() if isinstance(value, dict)), {})
    return Mark(
        lines=(*_lines(keys), *_heights(table)),
        spots=tuple(Spot(point=keys[k]) for k in ("seed", "vertex") if keys.get(k))
        + tuple(Spot(point=point) for point in table.values()),
        balls=balls,
    )


def _lines(keys: Mapping[str, Any]) -> Iterator[Line]:
    for names in _LINES:
        points = tuple(keys[name] for name in names if keys.get(name) is not None)
        if len(points) > 1:
            yield Line(points=points, width=DRAWN_WIDTH_PX, dashed=True)


def _heights(table: Mapping[str, Point]) -> Iterator[Line]:
    for name, upper in table.items():
        lower = table.get(name.replace("superior", "inferior"))
        if name.startswith("superior") and lower is not None:
            yield Line(points=(upper, lower), width=DRAWN_WIDTH_PX)
