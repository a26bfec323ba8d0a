"""A scene made smaller or larger as a whole: a child's from an adult's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from osteotrace.phantoms.rendering import Part
from osteotrace.phantoms.shapes import remembered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.phantoms.scans import Box
    from osteotrace.phantoms.shapes import Shape


def scaled_box(box: Box, scale: float) -> Box:
    """Return a box scaled about the origin."""
    low, high = ((np.array(corner) * scale).tolist() for corner in box)
    return low, high


def scaled(shape: Shape, scale: float, *, shrink: Shape | None = None) -> Shape:
    """Return a shape scaled about the origin; `shrink` shares `passage` of the scale."""
    to_own = shrink or passage(scale)
    return lambda points: scale * shape(to_own(points))


def passage(scale: float) -> Shape:
    """Return the way from scaled points to those of the shape, the same for the same."""
    return remembered(lambda points: points / scale)


def scaled_parts(parts: Sequence[Part], scale: float) -> tuple[Part, ...]:
    """Return a scene scaled about the origin."""
    shrink = passage(scale)
    return tuple(
        Part(
            name=part.name,
            box=scaled_box(part.box, scale),
            layers=tuple(
                replace(layer, shape=scaled(layer.shape, scale, shrink=shrink))
                for layer in part.layers
            ),
        )
        for part in parts
    )
