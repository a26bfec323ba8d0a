"""Where multifocal osteomyelitis of a child sits: about the knee, ilium, clavicle.

Each scene is a region of the body with its bones, their marrow and the muscles around.
Anatomical mm; the origin is named with each scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.rendering import Layer, Level, Part
from osteotrace.phantoms.shapes import (
    complement,
    ellipsoid,
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
    from osteotrace.phantoms.scans import Box
    from osteotrace.phantoms.shapes import Array, Shape

CORTEX_MM: Final = 1.6
PHYSIS_MM: Final = 1.1
EVERYWHERE: Final = ((-200.0, -200.0, -250.0), (200.0, 200.0, 250.0))

# Signal of a short-tau inversion recovery sequence.
STIR_SIGNAL: Final = {
    "air": Level(0.0),
    "skin": Level(150.0),
    "fat": Level(40.0),
    "muscle": Level(160.0),
    "vessel": Level(60.0),
    "fluid": Level(700.0),
    "cartilage": Level(300.0),
    "cortex": Level(30.0),
    "marrow": Level(105.0, texture=7.0),
    "physis": Level(330.0),
    "edema": Level(500.0, texture=12.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A region of the body: its scene, and the marrow of its bones by their site."""

    parts: tuple[Part, ...]
    marrow: dict[str, Shape]


def _bone(name: str, bone: Shape, box: Box, physes: tuple[float, ...] = ()) -> Part:
    layers = [
        Layer(shape=bone, tissue="cortex"),
        Layer(shape=grown(bone, -CORTEX_MM), tissue="marrow"),
    ]
    for height in physes:
        plate = rounded_box((0, 0, height), (60, 60, PHYSIS_MM))
        layers.append(Layer(shape=intersection(plate, bone), tissue="physis"))
    return Part(name=name, box=box, layers=tuple(layers))


def _flared(
    middle: tuple[float, float],
    ends: tuple[float, float],
    wide: tuple[float, float],
    narrow: float,
    flare_mm: float,
) -> Shape:
    """Return a long bone's end: an ellipse that narrows to a round shaft.

    Parameters
    ----------
    middle : (left, posterior)
        Of its axis.
    ends : (joint, shaft)
        Heights of the joint surface and of where the shaft is cut.
    wide : (left-right, antero-posterior)
        Half widths near the joint.
    narrow : float
        Radius of the shaft.
    flare_mm : float
        Over which it narrows.
    """
    joint, shaft = ends
    direction = np.sign(shaft - joint)

    @remembered
    def distance(points: Array) -> Array:
        up = direction * (points[2] - joint)
        share = smoothstep((up - 10.0) / flare_mm)
        a, b = (half + (narrow - half) * share for half in wide)
        u, v = (points[0] - middle[0]) / a, (points[1] - middle[1]) / b
        level = np.hypot(u, v)
        slope = np.hypot(u / a, v / b)
        side = level * (level - 1) / np.maximum(slope, 1e-9)
        overlap = np.maximum(8.0 - np.abs(side + up), 0.0) / 8.0
        end = np.maximum(side, -up) + overlap**2 * 2.0
        return np.asarray(np.maximum(end, direction * (points[2] - shaft)))

    return distance


def knee(side: str) -> Region:
    """Return a knee; the origin is the middle of its joint line."""
    lateral = 1.0 if side == "left" else -1.0
    femur = _flared((0, 0), (2.5, 140), (33, 25), 11.5, 42.0)
    notch = ellipsoid((0, 14, 0), (8.5, 20, 13))
    femur = remembered(intersection(femur, complement(notch)))
    tibia = _flared((0, 3), (-2.5, -140), (32, 22), 11.0, 40.0)
    fibula = _flared((27 * lateral, 15), (-20, -140), (7, 7), 5.0, 14.0)
    patella = ellipsoid((0, -31, 20), (15, 7, 17))
    leg = ellipsoid((0, 4, 0), (55, 58, 420))
    muscle = union(
        intersection(ellipsoid((0, 6, 90), (47, 48, 78)), grown(leg, -5.0)),
        intersection(ellipsoid((0, 14, -80), (40, 38, 66)), grown(leg, -5.0)),
    )
    joint = rounded_box((0, 2, 0), (34, 26, 4.5), rounding=4.0)
    return Region(
        parts=(
            Part(
                name="leg",
                box=EVERYWHERE,
                layers=(
                    Layer(shape=leg, tissue="skin"),
                    Layer(shape=grown(leg, -1.8), tissue="fat"),
                    Layer(shape=muscle, tissue="muscle"),
                    Layer(shape=joint, tissue="cartilage"),
                ),
            ),
            _bone("femur", femur, ((-36, -28, 0), (36, 28, 143)), (22.0,)),
            _bone("tibia", tibia, ((-35, -22, -143), (35, 28, 0)), (-18.0,)),
            _bone(
                "fibula", remembered(fibula), ((-37, 5, -143), (37, 25, -18)), (-30.0,)
            ),
            _bone("patella", remembered(patella), ((-17, -40, 1), (17, -22, 39))),
        ),
        marrow={
            "femur": intersection(
                grown(femur, -CORTEX_MM), halfspace(2, 22.0 + PHYSIS_MM, above=True)
            ),
            "tibia": intersection(
                grown(tibia, -CORTEX_MM), halfspace(2, -18.0 - PHYSIS_MM, above=False)
            ),
        },
    )


def pelvis() -> Region:
    """Return sacrum and iliac wings; the origin is in front of the sacrum, midline."""
    wing = mirrored(
        tube(
            [(30, 50), (42, 34), (66, 4), (80, -30)],
            (10.5, 8.0, 6.5, 8.0),
            axes=(0, 1),
        )
    )
    # The wings widen upwards and end in the iliac crest.
    crest = ellipsoid((0, 8, 2), (130, 75, 52))
    ilium = remembered(intersection(wing, crest))
    sacrum = remembered(
        intersection(
            smooth_union(
                ellipsoid((0, 30, 6), (24, 15, 48)),
                ellipsoid((0, 40, 10), (30, 11, 46)),
                blend=8.0,
            ),
            complement(grown(ilium, 2.2)),
        )
    )
    trunk = ellipsoid((0, 8, 0), (150, 92, 900))
    gluteal = mirrored(ellipsoid((72, 48, -6), (44, 26, 70)))
    iliacus = mirrored(ellipsoid((46, 2, 4), (22, 26, 60)))
    erector = mirrored(ellipsoid((20, 66, 20), (19, 12, 70)))
    bowel = ellipsoid((0, -25, 0), (42, 24, 60))
    return Region(
        parts=(
            Part(
                name="trunk",
                box=EVERYWHERE,
                layers=(
                    Layer(shape=trunk, tissue="skin"),
                    Layer(shape=grown(trunk, -2.0), tissue="fat"),
                    Layer(shape=union(gluteal, iliacus, erector), tissue="muscle"),
                    Layer(shape=bowel, tissue="cartilage"),
                ),
            ),
            _bone("sacrum", sacrum, ((-40, 5, -52), (40, 62, 66))),
            _bone("ilium", ilium, ((-94, -45, -53), (94, 66, 57))),
        ),
        marrow={"pelvis": grown(ilium, -CORTEX_MM)},
    )


def clavicle(side: str) -> Region:
    """Return a shoulder girdle's front; the origin is the sternoclavicular joint."""
    outwards = 1.0 if side == "left" else -1.0
    path = [(4, 0, 0), (32, -9, 3), (66, -4, 7), (100, 14, 9), (128, 20, 8)]
    bent = tube(
        [(outwards * x, y, z) for x, y, z in path],
        (9.5, 8.0, 5.8, 5.6, 7.0),
        axes=(0, 1, 2),
    )
    bone = remembered(bent)
    sternum = remembered(
        rounded_box((-outwards * 20, 2, -22), (17, 6.5, 26), rounding=5.5)
    )
    rib = tube(
        [(-outwards * 2, 4, -16), (outwards * 40, 10, -20), (outwards * 85, 45, -8)],
        (5.0, 5.0, 5.0),
        axes=(0, 1, 2),
    )
    chest = rounded_box((0, 90, -60), (170, 122, 94), rounding=32)
    neck = ellipsoid((-outwards * 22, 50, 60), (48, 52, 90))
    body = remembered(smooth_union(chest, neck, blend=25.0))
    pectoral = ellipsoid((outwards * 62, -6, -26), (58, 12, 26))
    mastoid = tube(
        [(-outwards * 8, -6, 6), (outwards * 22, 26, 90)], (9.0, 11.0), axes=(0, 1, 2)
    )
    trapezius = ellipsoid((outwards * 85, 48, 26), (55, 22, 20))
    lung = ellipsoid((outwards * 48, 70, -48), (52, 48, 60))
    vessel = tube(
        [(-outwards * 10, 26, -10), (outwards * 50, 20, -6), (outwards * 120, 40, -10)],
        (6.0, 5.5, 5.0),
        axes=(0, 1, 2),
    )
    return Region(
        parts=(
            Part(
                name="chest",
                box=EVERYWHERE,
                layers=(
                    Layer(shape=body, tissue="skin"),
                    Layer(shape=grown(body, -2.0), tissue="fat"),
                    Layer(
                        shape=intersection(
                            union(pectoral, mastoid, trapezius), grown(body, -5.0)
                        ),
                        tissue="muscle",
                    ),
                    Layer(shape=vessel, tissue="vessel"),
                    Layer(shape=lung, tissue="air"),
                ),
            ),
            _bone("rib", remembered(rib), ((-95, -4, -28), (95, 56, 0))),
            _bone("sternum", sternum, ((-40, -7, -51), (40, 11, 7))),
            _bone("clavicle", bone, ((-140, -22, -14), (140, 32, 20))),
        ),
        marrow={"clavicle": grown(bone, -CORTEX_MM)},
    )
