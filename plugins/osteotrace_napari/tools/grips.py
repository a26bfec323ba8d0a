"""The points of a mark that can be taken hold of, and what moving one means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace.protocol import Where
from osteotrace_napari.tools.region import radius_mm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.protocol import Entry
    from osteotrace.regions import Point


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
