"""Where a text goes beside what it names: clear of the edges and of the other texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Pixel = tuple[float, float]
# Left, top, width, height, in pixels.
Box = tuple[float, float, float, float]

# Between a mark and its text, and between two places that are tried.
GAP_PX: Final = 12.0
STEP_PX: Final = 7.0
TRIES: Final = 10
# Between two parts of a line that may come to stand in two rows.
PARTS: Final = "   "
# Texts keep this far from the edges of the canvas.
EDGE_PX: Final = 4.0


def beside(
    corners: Sequence[Pixel],
    *,
    size: tuple[float, float],
    canvas: tuple[float, float],
    taken: Sequence[Box],
) -> Box:
    """Return a place for a text: across a line, or outside a box.

    Parameters
    ----------
    corners : two (x, y)
        The ends of a line; or four, the corners of a box.
    size, canvas : (width, height)
        Of the text and of the canvas.
    taken : sequence of Box
        Where other texts stand.
    """
    places = _across(corners, size) if len(corners) == 2 else _outside(corners, size)
    first = None
    for centre in places:
        box = centre[0] - size[0] / 2, centre[1] - size[1] / 2, size[0], size[1]
        first = first or box
        if _inside(box, canvas) and not any(_meet(box, other) for other in taken):
            return box
    assert first is not None
    return _kept_inside(first, canvas)


def rows(
    text: str, widths: Sequence[float], measure: Callable[[str], float]
) -> list[str]:
    """Break lines into rows between their parts, never within one.

    Parameters
    ----------
    text : str
        Lines whose parts are parted by `PARTS`.
    widths : sequence of float
        Room in each row; the last one holds for all further rows.
    measure : callable
        Gives the width of a text.
    """
    broken: list[str] = []
    for line in text.split("\n"):
        row = ""
        for part in line.split(PARTS):
            longer = f"{row}{PARTS}{part}" if row else part
            if row and measure(longer) > widths[min(len(broken), len(widths) - 1)]:
                broken.append(row)
                longer = part
            row = longer
        broken.append(row)
    return broken


def two_rows(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break a sentence into two rows of like width where one has no room for it."""
    words = text.split()
    if measure(text) <= width or len(words) < 2:
        return [text]
    breaks = ([" ".join(words[:n]), " ".join(words[n:])] for n in range(1, len(words)))
    return min(breaks, key=lambda pair: max(measure(row) for row in pair))


def _across(ends: Sequence[Pixel], size: tuple[float, float]) -> Iterator[Pixel]:
    """Yield places across the middle of a line, ever farther from it."""
    (ax, ay), (bx, by) = ends
    x, y = ay - by, bx - ax
    length = (x * x + y * y) ** 0.5
    x, y = (x / length, y / length) if length else (1.0, 0.0)
    # To the right of an upright line, above a level one.
    if (abs(x) > abs(y) and x < 0) or (abs(x) <= abs(y) and y > 0):
        x, y = -x, -y
    reach = GAP_PX + abs(x) * size[0] / 2 + abs(y) * size[1] / 2
    middle = (ax + bx) / 2, (ay + by) / 2
    for side in (1.0, -1.0):
        for n in range(TRIES):
            far = side * (reach + n * STEP_PX)
            yield middle[0] + far * x, middle[1] + far * y


def _outside(corners: Sequence[Pixel], size: tuple[float, float]) -> Iterator[Pixel]:
    """Yield places right of a box, left of it, above and below."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    middle = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    for n in range(TRIES):
        far = GAP_PX + n * STEP_PX
        yield max(xs) + far + size[0] / 2, middle[1]
        yield min(xs) - far - size[0] / 2, middle[1]
        yield middle[0], min(ys) - far - size[1] / 2
        yield middle[0], max(ys) + far + size[1] / 2


def _inside(box: Box, canvas: tuple[float, float]) -> bool:
    x, y, width, height = box
    return (
        x >= EDGE_PX
        and y >= EDGE_PX
        and x + width <= canvas[0] - EDGE_PX
        and y + height <= canvas[1] - EDGE_PX
    )


def _kept_inside(box: Box, canvas: tuple[float, float]) -> Box:
    x, y, width, height = box
    return (
        max(min(x, canvas[0] - EDGE_PX - width), EDGE_PX),
        max(min(y, canvas[1] - EDGE_PX - height), EDGE_PX),
        width,
        height,
    )


def _meet(one: Box, other: Box) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )
