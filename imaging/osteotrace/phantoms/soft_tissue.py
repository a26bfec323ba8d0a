"""What surrounds the jaws: face, mouth, tongue and pharynx.

Anatomical mm (left, posterior, superior), as in every description of a case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.dentition import arch_coordinates
from osteotrace.phantoms.rendering import Layer, Part
from osteotrace.phantoms.shapes import (
    below,
    complement,
    ellipsoid,
    full_ellipsoid,
    grown,
    halfspace,
    intersection,
    mirrored,
    remembered,
    rounded_box,
    smooth_union,
    smoothstep,
    tube,
    union,
)

if TYPE_CHECKING:
    from osteotrace.phantoms.shapes import Array, Shape

EVERYWHERE: Final = ((-80.0, -80.0, -120.0), (80.0, 90.0, 90.0))
_FAR: Final = 200.0


def inside_arch(points: Array) -> Array:
    """Return the distance outwards from the dental arch: negative on its tongue side."""
    return arch_coordinates(points)[1]


def face() -> tuple[Part, ...]:
    """Return skin, subcutaneous fat, the muscles of cheek and lips, and the nose."""
    head = ellipsoid((0, 32, 0), (66, 69, _FAR))
    nose = ellipsoid((0, -36, 20), (15, 13, 14))
    lips = union(
        ellipsoid((0, -33.5, -12), (24, 7.5, 8.5)),
        ellipsoid((0, -33.0, -31), (22, 7.5, 8.5)),
    )
    outline = remembered(
        smooth_union(smooth_union(head, nose, blend=8.0), lips, blend=4.0)
    )
    slit = rounded_box((0, -34, -21.6), (23, 14, 0.6))
    return (
        Part(
            name="face",
            box=EVERYWHERE,
            layers=(
                Layer(shape=outline, tissue="skin"),
                Layer(shape=grown(outline, -1.8), tissue="fat"),
            ),
        ),
        *_muscles(),
        Part(
            name="oral fissure",
            box=((-24, -50, -24), (24, -19, -19)),
            layers=(Layer(shape=slit, tissue="air"),),
        ),
    )


def _muscles() -> tuple[Part, ...]:
    """Return the muscles of cheek and lips, and those of mastication."""
    # Buccinator and orbicularis oris lie on the arch; buccal fat fills the rest.
    buccinator = intersection(
        grown(inside_arch, 10.0), rounded_box((0, 0, -14), (_FAR, 40, 26), rounding=6)
    )
    orbicularis = full_ellipsoid((0, -29, -21), (26, 8, 20))
    zygomaticus = tube([(36, -4, 10), (27, -24, -16)], (2.2, 2.6), axes=(0, 1, 2))
    nasalis = tube([(15, -24, 2), (12, -30, 30)], (2.0, 2.0), axes=(0, 1, 2))
    facial_artery = tube([(37, 6, -30), (30, -20, -4)], (1.3, 1.2), axes=(0, 1, 2))
    pterygoids = union(
        ellipsoid((26, 43, 8), (11, 15, 22)), ellipsoid((22, 42, -24), (9, 14, 24))
    )
    masseter = ellipsoid((44, 22, -18), (7, 20, 30))
    return (
        Part(
            name="cheeks and lips",
            box=((-40, -45, -45), (40, 42, 14)),
            layers=(
                Layer(shape=union(buccinator, orbicularis), tissue="muscle"),
                Layer(shape=mirrored(union(zygomaticus, facial_artery)), tissue="muscle"),
            ),
        ),
        Part(
            name="nasal muscles",
            box=((-18, -34, 0), (18, -20, 34)),
            layers=(Layer(shape=mirrored(nasalis), tissue="muscle"),),
        ),
        Part(
            name="muscles of mastication",
            box=((-52, 2, -60), (52, 60, 32)),
            layers=(Layer(shape=mirrored(union(pterygoids, masseter)), tissue="muscle"),),
        ),
    )


def _tongue_surface(left: Array, posterior: Array) -> Array:
    """Return the height of the back of the tongue, mm."""
    rise = 10.6 * smoothstep((posterior - 1) / 14)
    fall = -17.0 * smoothstep((posterior - 27) / 14)
    tip = -3.5 * smoothstep((-8 - posterior) / 10)
    groove = 0.5 * np.exp(-((left / 4.0) ** 2)) * smoothstep((posterior - 6) / 10)
    side = -0.012 * np.maximum(np.abs(left) - 6, 0) ** 2
    return np.asarray(-16.2 + rise + fall + tip - groove + side)


def mouth() -> tuple[Part, ...]:
    """Return the oral cavity with the tongue on its floor."""
    cavity = intersection(
        grown(inside_arch, 2.0), rounded_box((0, 0, -20), (_FAR, 25, 19), rounding=9)
    )
    fauces = rounded_box((0, 30, -18), (14.5, 14, 17), rounding=9)
    floor = intersection(grown(inside_arch, -4.5), halfspace(2, -30.5, above=False))
    plan = full_ellipsoid((0, 12, 0), (18.0, 28.5, 1e6))
    body = intersection(below(_tongue_surface), plan, grown(inside_arch, -6.0))
    return (
        Part(
            name="mouth",
            box=((-34, -34, -90), (34, 48, 2)),
            layers=(
                Layer(shape=union(cavity, fauces), tissue="air"),
                Layer(shape=floor, tissue="mucosa"),
                Layer(shape=body, tissue="tongue"),
            ),
        ),
    )


def throat() -> tuple[Part, ...]:
    """Return the pharynx, its posterior wall and the soft palate."""
    airway = union(
        rounded_box((0, 37.0, 22), (11.5, 6.5, 24), rounding=5),
        rounded_box((0, 41.0, -30), (12, 3.4, 36), rounding=3),
    )
    prevertebral = rounded_box((0, 50, -20), (20, 5.6, 80), rounding=3)
    return (
        Part(
            name="pharynx",
            box=((-21, 25, -101), (21, 58, 61)),
            layers=(
                Layer(shape=grown(airway, 1.2), tissue="mucosa"),
                Layer(shape=airway, tissue="air"),
                Layer(shape=prevertebral, tissue="muscle"),
            ),
        ),
        Part(
            name="soft palate",
            box=((-16, 17, -24), (16, 44, 8)),
            layers=(Layer(shape=_soft_palate(), tissue="mucosa"),),
        ),
    )


def _soft_palate() -> Shape:
    """Return the velum, narrowing to the uvula."""
    velum = tube(
        [(22, 2.2), (30, 0.5), (36, -7), (38.5, -17)], (3.4, 3.6, 3.2, 1.8), axes=(1, 2)
    )
    beside_uvula = mirrored(rounded_box((24, 40, -17), (20, 20, 8), rounding=3))
    width = rounded_box((0, 30, -5), (15, 30, 30), rounding=4)
    return intersection(velum, width, complement(beside_uvula))
