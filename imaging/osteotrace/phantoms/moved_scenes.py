"""What is scanned twice: a head, a jaw, a spine, a knee, each with a lesion that changes.

The bone stays as it is between the dates, so one rigid transform holds for it; the
lesion heals, is filled or shrinks. Anatomical mm, as the scenes have them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms import crmo, limbs, mandible, maxilla, maxilla_before, spine
from osteotrace.phantoms.rendering import Layer, Level, Part
from osteotrace.phantoms.scaling import scaled_parts
from osteotrace.phantoms.scans import Ball
from osteotrace.phantoms.vertebral_column import body_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osteotrace.phantoms.scans import Vector
    from osteotrace.phantoms.shapes import Array, Shape

Parts = Callable[[], tuple[Part, ...]]

BEFORE_T2: Final = {
    **maxilla.T2_SIGNAL,
    "granulation": Level(520.0),
    "mass": Level(330.0),
    "sequestrum": Level(45.0),
    "rim": Level(60.0),
}
# Usual values of a limb at 120 kV, HU.
LIMB_HOUNSFIELD: Final = {
    "air": Level(-1000.0),
    "skin": Level(45.0),
    "fat": Level(-95.0),
    "muscle": Level(55.0),
    "vessel": Level(45.0),
    "fluid": Level(10.0),
    "cartilage": Level(110.0),
    "cortex": Level(1150.0),
    "marrow": Level(180.0, texture=60.0),
    "physis": Level(130.0),
    "edema": Level(130.0, texture=60.0),
}
# The level of the spine whose lesion is followed, and how large its edema is, mm.
LEVEL: Final = "l2"
_EDEMA_MM: Final = (7.5, 18.0)
_BEHIND_BODY_MM: Final = (0.0, 12.0, 0.0)
# A second patient: of another size, and bent otherwise.
OTHER_SCALE: Final = 0.93
_BENT_MM: Final = 4.0
_BEND_LENGTH_MM: Final = 55.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedScene:
    """One region of the body at two dates.

    Parameters
    ----------
    name : str
    earlier, later : callable
        Give the scene, outermost first.
    levels : mapping
        Modality to the grey value of each tissue, of both dates.
    lesion : Ball
        What changes: a ball that holds it at both dates.
    centre, extent_mm : (left, posterior, superior)
        Middle and size of the earlier image.
    """

    name: str
    earlier: Parts
    later: Parts
    levels: Mapping[str, Mapping[str, Level]]
    lesion: Ball
    centre: Vector
    extent_mm: Vector


def _jaw_before() -> mandible.Stage:
    return mandible.STAGES["month00"]


def _jaw_after() -> mandible.Stage:
    """Return the jaw when the edema has gone, at the size it had before."""
    return replace(mandible.STAGES["month05"], scale=_jaw_before().scale)


def _spine_with(layer: Layer) -> tuple[Part, ...]:
    """Return the unbroken spine with something in the marrow of `LEVEL`."""
    placed = spine.column(spine.UNBROKEN)[LEVEL]
    return (*spine.parts(spine.UNBROKEN), body_part(placed, (layer,)))


def _spine_before() -> tuple[Part, ...]:
    placed = spine.column(spine.UNBROKEN)[LEVEL]
    return _spine_with(Layer(shape=spine.edema(placed, *_EDEMA_MM), tissue="edema"))


def _spine_after() -> tuple[Part, ...]:
    placed = spine.column(spine.UNBROKEN)[LEVEL]
    return _spine_with(Layer(shape=spine.cement(placed), tissue="cement"))


@cache
def scenes() -> dict[str, MovedScene]:
    """Return the scenes by name."""
    jaw = _jaw_before().scale
    found = (
        MovedScene(
            name="maxilla",
            earlier=maxilla_before.parts,
            later=maxilla.parts,
            levels={"CT": maxilla_before.HOUNSFIELD, "MR": BEFORE_T2},
            lesion=Ball(maxilla_before.CAVITY_CENTRE_MM, 15.0),
            centre=(-6.0, 3.0, 2.0),
            extent_mm=(88.0, 84.0, 60.0),
        ),
        MovedScene(
            name="mandible",
            earlier=lambda: mandible.parts_at(_jaw_before()),
            later=lambda: mandible.parts_at(_jaw_after()),
            levels={"CT": mandible.HOUNSFIELD, "MR": mandible.STIR_SIGNAL},
            lesion=Ball((29.0 * jaw, 10.0 * jaw, -48.0 * jaw), 22.0),
            centre=(0.0, 10.0 * jaw, -40.0 * jaw),
            extent_mm=(96.0, 92.0, 60.0),
        ),
        MovedScene(
            name="spine",
            earlier=_spine_before,
            later=_spine_after,
            levels={"CT": spine.HOUNSFIELD, "MR": spine.STIR_SIGNAL},
            lesion=Ball(_level_centre(LEVEL), 20.0),
            centre=_level_centre(LEVEL, _BEHIND_BODY_MM),
            extent_mm=(80.0, 92.0, 104.0),
        ),
        MovedScene(
            name="knee",
            earlier=lambda: crmo.parts(1, "before"),
            later=lambda: crmo.parts(1, "after"),
            levels={"CT": LIMB_HOUNSFIELD, "MR": limbs.STIR_SIGNAL},
            lesion=Ball(crmo.SUBJECTS[1].lesions[0].centre, 14.0),
            centre=(0.0, 4.0, 8.0),
            extent_mm=(100.0, 92.0, 104.0),
        ),
    )
    return {scene.name: scene for scene in found}


def _level_centre(level: str, own: Vector = (0.0, 0.0, 0.0)) -> Vector:
    x, y, z = spine.column(spine.UNBROKEN)[level].to_anatomy(own)
    return float(x), float(y), float(z)


def other_level(scene: MovedScene, level: str) -> MovedScene:
    """Return the spine seen around another level."""
    return replace(scene, centre=_level_centre(level, _BEHIND_BODY_MM))


def other_patient(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the scene of somebody else: smaller, and bent along every axis."""
    bent = tuple(
        Part(
            name=part.name,
            box=_wider(part.box),
            layers=tuple(
                replace(layer, shape=_bent(layer.shape)) for layer in part.layers
            ),
        )
        for part in parts
    )
    return scaled_parts(bent, OTHER_SCALE)


def _bent(shape: Shape) -> Shape:
    """Return a shape that is pushed to and fro in smooth waves, another along each axis.

    Its level is right, its distances about.
    """

    def distance(points: Array) -> Array:
        x, y, z = points / _BEND_LENGTH_MM
        push = np.stack([np.sin(2.1 * z + y), np.sin(1.7 * x + 0.6), np.sin(2.4 * y - x)])
        return shape(points + _BENT_MM * push)

    return distance


def _wider(box: tuple[object, object]) -> tuple[list[float], list[float]]:
    low, high = (np.asarray(corner, dtype=np.float64) for corner in box)
    return (low - _BENT_MM).tolist(), (high + _BENT_MM).tolist()
