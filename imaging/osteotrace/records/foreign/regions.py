"""Coordinates of a report of other software as regions.

Three-dimensional ones become points and lines in patient space. Two-dimensional ones
lie on an image: in patient space where the image is given and says where it lies, else
they stay points on the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.geometry import as_stored
from osteotrace.records.image_planes import ImagePlane
from osteotrace.regions import ImagePoints, Points, Polyline
from osteotrace.uids import is_uid, source_name, source_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydicom.dataset import Dataset

    from osteotrace.records.foreign.content import Item
    from osteotrace.regions import Point, Region

    Headers = Callable[[str], Dataset | None]

# Points of each graphic type that is no line (PS3.3 C.18.6.1.2, C.18.9.1.2).
_ROLES: Final = {
    "POINT": ("point",),
    "CIRCLE": ("centre", "on the circle"),
    "ELLIPSE": (
        "end of the major axis",
        "other end of the major axis",
        "end of the minor axis",
        "other end of the minor axis",
    ),
    "ELLIPSOID": (
        "end of the first axis",
        "other end of the first axis",
        "end of the second axis",
        "other end of the second axis",
        "end of the third axis",
        "other end of the third axis",
    ),
}
_LINES: Final = ("POLYLINE", "POLYGON")
KINDS: Final = ("SCOORD", "SCOORD3D")


class CannotPlace(Exception):
    """Coordinates that make no region; the text says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an item of coordinates says, before it has a place."""

    graphic: str
    numbers: tuple[float, ...]
    sources: tuple[str, ...]


def region(item: Item, role: str, headers: Headers, *, square_only: bool) -> Region:
    """Return the region that an item of coordinates marks, the item taken.

    Parameters
    ----------
    item : Item
        SCOORD or SCOORD3D.
    role : str
        What the region is to be called within its finding.
    headers : callable
        Gives the header of an image by SOPInstanceUID, None where there is none.
    square_only : bool
        Whether coordinates on an image are put into the patient on square pixels only.

    Raises
    ------
    CannotPlace
        If it names no image or space, or has a shape that is not known; nothing is
        taken then.
    """
    images = [below for below in item.children if below.kind == "IMAGE"]
    shape = Shape(
        graphic=str(item.dataset.get("GraphicType") or ""),
        numbers=_numbers(item.dataset.get("GraphicData")),
        sources=tuple(name for image in images for name in image_names(image)),
    )
    found = (
        _in_patient(shape, role, item.dataset)
        if item.kind == "SCOORD3D"
        else _on_image(shape, role, headers, square_only)
    )
    item.take()
    for image in images:
        image.take()
    return found


def image_names(item: Item) -> Iterator[str]:
    """Yield the images and frames that an IMAGE item refers to, as findings name them."""
    for reference in item.dataset.get("ReferencedSOPSequence") or []:
        uid = str(reference.get("ReferencedSOPInstanceUID") or "")
        if is_uid(uid):
            frames = _numbers(reference.get("ReferencedFrameNumber"))
            yield from (source_name(uid, int(n)) for n in frames or (0,))


def _in_patient(shape: Shape, role: str, dataset: Dataset) -> Region:
    frame = str(dataset.get("ReferencedFrameOfReferenceUID") or "")
    if not is_uid(frame):
        raise CannotPlace("no frame of reference")
    return _shaped(shape, role, _tuples(shape.numbers, 3), frame)


def _on_image(shape: Shape, role: str, headers: Headers, square_only: bool) -> Region:
    if len(shape.sources) != 1:
        raise CannotPlace(f"{len(shape.sources)} images where one belongs")
    flat = _tuples(shape.numbers, 2)
    uid, frame = source_parts(shape.sources[0])
    plane = _plane(headers(uid), frame)
    trusted = plane is not None and (plane.has_square_pixels or not square_only)
    if plane is not None and trusted:
        placed = [as_stored(point) for point in plane.to_patient(flat)]
        return _shaped(shape, role, placed, plane.frame_of_reference_uid)
    return ImagePoints(
        role=role,
        image_points=tuple((float(x), float(y)) for x, y in flat),
        point_roles=_roles(shape.graphic, len(flat)),
        source_instances=shape.sources,
    )


def _plane(header: Dataset | None, frame: int) -> ImagePlane | None:
    """Return the plane of an image that says where it lies in the patient."""
    if header is None or not header.get("FrameOfReferenceUID"):
        return None
    try:
        return ImagePlane(header, frame)
    except ValueError:
        return None


def _shaped(
    shape: Shape, role: str, points: Iterable[Iterable[float]], frame: str
) -> Region:
    stored: tuple[Point, ...] = tuple(as_stored(tuple(point)) for point in points)
    if shape.graphic in _LINES and len(stored) > 1:
        return Polyline(
            role=role,
            points=stored,
            frame_of_reference_uid=frame,
            source_instances=shape.sources,
        )
    return Points(
        role=role,
        points=stored,
        point_roles=_roles(shape.graphic, len(stored)),
        frame_of_reference_uid=frame,
        source_instances=shape.sources,
    )


def _roles(graphic: str, count: int) -> tuple[str, ...]:
    """Return what the points of a graphic are, each by its own role."""
    if graphic in _LINES or graphic == "MULTIPOINT":
        return tuple(f"point {n}" for n in range(1, count + 1))
    roles = _ROLES.get(graphic)
    if roles is None or len(roles) != count:
        raise CannotPlace(f"a graphic {graphic or 'of no type'} of {count} points")
    return roles


def _tuples(numbers: tuple[float, ...], size: int) -> list[tuple[float, ...]]:
    if not numbers or len(numbers) % size:
        raise CannotPlace(f"{len(numbers)} numbers for points of {size}")
    return list(zip(*(numbers[n::size] for n in range(size)), strict=True))


def _numbers(value: object) -> tuple[float, ...]:
    """Return the numbers of a value of any multiplicity."""
    if value is None or value == "":
        return ()
    if isinstance(value, int | float | str):
        return (float(value),)
    assert hasattr(value, "__iter__")
    return tuple(float(number) for number in value)
