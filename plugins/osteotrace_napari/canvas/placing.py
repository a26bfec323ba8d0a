"""Where a text goes beside its line: clear of the edges and of the other texts."""

from __future__ import annotations

from typing import Final

import numpy as np

Pixel = tuple[float, float]
# Left, top, width, height, in pixels.
Box = tuple[float, float, float, float]

# Between a line and its text, and between two places that are tried.
GAP_PX: Final = 12
STEP_PX: Final = 6
TRIES: Final = 12
# Texts keep this far from the edges of the canvas.
EDGE_PX: Final = 4


def beside(
    start: Pixel,
    end: Pixel,
    *,
    size: tuple[float, float],
    canvas: tuple[float, float],
    taken: list[Box],
) -> Box:
    """Return a place for a text across the middle of a line.

    Parameters
    ----------
    start, end : (x, y)
        The line.
    size, canvas : (width, height)
        Of the text and of the canvas.
    taken : list of Box
        Where other texts stand.
    """
    a, b = np.array(start), np.array(end)
    step = b - a
    length = float(np.hypot(*step)) or 1.0
    across = np.array([-step[1], step[0]]) / length
    # To the right of an upright line, above a level one.
    if abs(across[0]) > abs(across[1]):
        across *= np.sign(across[0]) or 1.0
    else:
        across *= -(np.sign(across[1]) or 1.0)
    if not step.any():
        across = np.array([1.0, 0.0])
    reach = GAP_PX + float(np.abs(across) @ size) / 2
    for side in (1.0, -1.0):
        for further in range(TRIES):
            centre = (a + b) / 2 + side * across * (reach + further * STEP_PX)
            box = _around(centre, size)
            if _inside(box, canvas) and not any(_meet(box, other) for other in taken):
                return box
    return _kept_inside(_around((a + b) / 2 + across * reach, size), canvas)


def _around(centre: np.ndarray, size: tuple[float, float]) -> Box:
    x, y = centre - np.array(size) / 2
    return float(x), float(y), size[0], size[1]


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
