"""The maxilla after treatment: an anterior palatal defect healed with soft tissue.

Below the healed defect a notch between two soft-tissue margins is left, packed with
gauze: dark on MR, half air on CT.

All coordinates are mm in the anatomical frame: left, posterior, superior of a point in
the midline at the level of the palate. The bony gap lies between two flat walls that
face each other along the posterior axis; the soft-tissue notch below it likewise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.dentition import (
    LOWER,
    UPPER,
    arch_coordinates,
    dental_organ,
    ridge,
)
from osteotrace.phantoms.rendering import Layer, Level, Part
from osteotrace.phantoms.shapes import (
    below,
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
from osteotrace.phantoms.soft_tissue import face, mouth, throat

if TYPE_CHECKING:
    from osteotrace.phantoms.shapes import Array, Shape

BONY_GAP_MM: Final = 12.07
SOFT_TISSUE_GAP_MM: Final = 6.51
DEFECT_CENTRE_MM: Final = (0.0, -7.0, 1.0)
DEFECT_HALF_WIDTH_MM: Final = 10.0
DEFECT_CORNER_MM: Final = 3.5
NOTCH_CENTRE_MM: Final = (0.0, -7.0, -9.3)
NOTCH_HALF_WIDTH_MM: Final = 7.6
NOTCH_CORNER_MM: Final = 1.2
NOTCH_ROOF_MM: Final = -4.6
NOTCH_FLOOR_MM: Final = -14.9
# The rim of the defect: dense cortex, then sclerotic bone, then the cancellous core.
RIM_CORTEX_MM: Final = 4.2
RIM_SCLEROSIS_MM: Final = 6.2

CORTEX_MM: Final = 1.4
MUCOSA_MM: Final = 2.6
POSTERIOR_NASAL_SPINE_MM: Final = 25.0

# Usual values at 120 kV, HU.
HOUNSFIELD: Final = {
    "air": Level(-1000.0),
    "skin": Level(45.0),
    "fat": Level(-95.0),
    "muscle": Level(58.0),
    "tongue": Level(55.0),
    "mucosa": Level(48.0),
    "scar": Level(50.0),
    "packing": Level(-250.0),
    "cartilage": Level(120.0),
    "thin bone": Level(900.0),
    "cortex": Level(1250.0),
    "sclerosis": Level(950.0),
    "cancellous": Level(430.0, texture=140.0),
    "ligament": Level(200.0),
    "dentine": Level(1600.0),
    "enamel": Level(2550.0),
    "pulp": Level(250.0),
}
# Signal of a T2-weighted turbo spin echo; the noise of the series is 20 of these.
T2_SIGNAL: Final = {
    "air": Level(0.0),
    "skin": Level(260.0),
    "fat": Level(620.0),
    "muscle": Level(170.0),
    "tongue": Level(190.0),
    "mucosa": Level(400.0),
    "scar": Level(400.0),
    # Four times the noise: magnitude noise does not lift it, as it would lift air, so
    # the half-way level of the notch's edges stays where the walls are.
    "packing": Level(80.0),
    "cartilage": Level(220.0),
    "thin bone": Level(40.0),
    "cortex": Level(30.0),
    "sclerosis": Level(120.0),
    "cancellous": Level(430.0, texture=30.0),
    "ligament": Level(150.0),
    "dentine": Level(25.0),
    "enamel": Level(10.0),
    "pulp": Level(350.0),
}


def nasal_floor(left: Array, posterior: Array) -> Array:
    """Return the height of the bony nasal floor, mm: a trough with a median crest."""
    crest = 1.8 * np.exp(-((left / 2.0) ** 2))
    side = 0.012 * np.maximum(np.abs(left) - 5, 0) ** 2
    front = 1.5 * smoothstep((-17 - posterior) / 7)
    back = -1.2 * smoothstep((posterior - 2) / 18)
    return np.asarray(5.6 + crest + side + front + back)


def palatal_vault(left: Array, posterior: Array) -> Array:
    """Return the height of the oral surface of the palatal bone, mm."""
    rise = 4.6 * smoothstep((posterior - 1) / 12)
    arch = 0.010 * np.maximum(np.abs(left) - 4, 0) ** 2
    return np.asarray(-4.6 + rise - arch)


def intact_palate() -> Shape:
    """Return the palate and upper alveolar process as if there were no defect."""

    def plate(points: Array) -> Array:
        left, posterior, superior = points
        across = arch_coordinates(points)[1]
        thickness = np.maximum(
            superior - nasal_floor(left, posterior),
            palatal_vault(left, posterior) - superior,
        )
        spine = POSTERIOR_NASAL_SPINE_MM - 3.5 * (1 - np.exp(-((left / 4.0) ** 2)))
        edge = np.maximum(across - 1.0, posterior - spine)
        return np.asarray(np.maximum(thickness, edge))

    def width(along: Array, depth: Array) -> Array:
        molar = smoothstep((np.abs(along) - 12) / 22)
        # The process is widest at mid-root and narrows towards the canine fossa.
        body = 0.16 * np.clip(depth, 0, 9) - 0.22 * np.clip(depth - 9, 0, 8)
        return np.asarray(4.2 + 1.9 * molar + body)

    process = intersection(
        ridge(UPPER, half_width=width),
        below(lambda x, y: 7.2 - 4.0 * smoothstep((np.abs(x) - 12) / 9) + 0 * y),
    )
    return remembered(smooth_union(plate, process, blend=5.0))


def defect(margin: float = 0.0) -> Shape:
    """Return the prism of the bony defect, grown by a margin."""
    return grown(
        rounded_box(
            (0.0, DEFECT_CENTRE_MM[1], 0.0),
            (DEFECT_HALF_WIDTH_MM, BONY_GAP_MM / 2, np.inf),
            rounding=DEFECT_CORNER_MM,
        ),
        margin,
    )


def _notch() -> Shape:
    """Return the notch between the two soft-tissue margins, open downwards."""
    plan = rounded_box(
        (0.0, NOTCH_CENTRE_MM[1], 0.0),
        (NOTCH_HALF_WIDTH_MM, SOFT_TISSUE_GAP_MM / 2, np.inf),
        rounding=NOTCH_CORNER_MM,
    )
    height = intersection(
        halfspace(2, NOTCH_ROOF_MM, above=False), halfspace(2, NOTCH_FLOOR_MM, above=True)
    )
    return intersection(plan, height)


def sinus() -> Shape:
    """Return both maxillary sinuses, unlined."""
    return remembered(mirrored(full_ellipsoid((25.0, 10, 18), (9.8, 18, 15.5))))


def _midface() -> Part:
    """Return the thin bones: sinus walls, zygoma, frontal and pterygoid processes."""
    zygoma = mirrored(ellipsoid((36, -1, 9), (9, 9.5, 7)))
    frontal = mirrored(
        tube([(13, -20.5, 3), (12.5, -17, 30)], (3.4, 2.6), axes=(0, 1, 2))
    )
    pterygoid = mirrored(
        union(
            tube([(12.4, 25), (13.2, 36)], (0.8, 0.8), axes=(0, 1)),
            tube([(16.0, 25), (22.0, 37)], (0.9, 0.8), axes=(0, 1)),
            tube([(12.4, 25), (18.0, 23)], (1.0, 1.4), axes=(0, 1)),
        )
    )
    plates = intersection(pterygoid, halfspace(2, -7.5, above=True))
    solid = remembered(union(zygoma, frontal))
    return Part(
        name="midface",
        box=((-48, -28, -9), (48, 40, 60)),
        layers=(
            Layer(shape=union(grown(sinus(), 1.5), plates), tissue="thin bone"),
            Layer(shape=solid, tissue="cortex"),
            Layer(shape=grown(solid, -1.2), tissue="cancellous"),
        ),
    )


def healed_jaw() -> Part:
    """Return the palate and alveolar process with mucosa, scar, defect and notch."""
    palate = intact_palate()
    scar = rounded_box((0, -5.5, -7.9), (11.5, 10.5, 6.1), rounding=3.5)
    lining = smooth_union(grown(palate, MUCOSA_MM), scar, blend=3.0)
    mucosa = intersection(lining, below(lambda x, y: nasal_floor(x, y) + 0.6))
    # The bone is missing through and through; scar closes it to both cavities.
    healed = intersection(
        defect(),
        union(grown(palate, 0.3), mucosa),
        halfspace(2, NOTCH_ROOF_MM, above=True),
    )
    return Part(
        name="maxilla",
        box=((-36, -32, -20), (36, 40, 12)),
        layers=(
            Layer(shape=mucosa, tissue="mucosa"),
            Layer(shape=_notch(), tissue="packing"),
            Layer(shape=palate, tissue="cortex"),
            Layer(shape=grown(palate, -CORTEX_MM), tissue="cancellous"),
            Layer(
                shape=intersection(grown(palate, -1.0), defect(RIM_SCLEROSIS_MM)),
                tissue="sclerosis",
            ),
            Layer(shape=intersection(palate, defect(RIM_CORTEX_MM)), tissue="cortex"),
            Layer(shape=healed, tissue="scar"),
        ),
    )


def _nasal_cavity(margin: float) -> Shape:
    """Return both nasal cavities, lined by a margin on floor and walls only."""

    def distance(points: Array) -> Array:
        left, posterior, superior = points
        wall = 12.5 - 4.5 * smoothstep((-12 - posterior) / 12) - margin
        floor = nasal_floor(left, posterior) + margin - superior
        ends = np.maximum(-27.0 - posterior, posterior - 36.0)
        return np.asarray(np.maximum(np.maximum(np.abs(left) - wall, floor), ends))

    return distance


def _septum() -> tuple[Layer, ...]:
    """Return the nasal septum: cartilage with the vomer behind and below."""
    septum = rounded_box((0, -2, 34), (1.1, 29, 26))
    vomer = intersection(
        rounded_box((0, 13, 33.4), (0.8, 14, 26)),
        lambda points: 0.7 * (points[2] - 5 - 0.55 * (points[1] + 3)),
    )
    return (
        Layer(shape=grown(septum, 0.9), tissue="mucosa"),
        Layer(shape=septum, tissue="cartilage"),
        Layer(shape=vomer, tissue="thin bone"),
    )


def _turbinates() -> tuple[Layer, ...]:
    """Return the inferior turbinates with the curl of their conchae."""
    turbinate = mirrored(ellipsoid((8.3, 5, 13.2), (3.1, 20, 4.6)))
    curl = [(11.5, 17), (8.0, 16), (7.6, 11.5), (9.2, 10.6)]
    concha = intersection(
        mirrored(tube(curl, (0.6,) * 4, axes=(0, 2))),
        rounded_box((0, 5, 13), (20, 16, 20)),
    )
    return (
        Layer(shape=turbinate, tissue="mucosa"),
        Layer(shape=concha, tissue="thin bone"),
    )


def _nose() -> tuple[Part, ...]:
    """Return nostrils and nasal cavities."""
    nostril = tube(
        [(5.5, -25, 14), (6, -37, 12), (6.5, -39, 2)], (4.2, 4, 3.2), axes=(0, 1, 2)
    )
    wall = mirrored(rounded_box((13.6, 6, 31), (0.8, 20, 27)))
    return (
        Part(
            name="nostrils",
            box=((-12, -45, -3), (12, -20, 20)),
            layers=(Layer(shape=mirrored(nostril), tissue="air"),),
        ),
        Part(
            name="nasal cavity",
            box=((-16, -28, 2), (16, 37, 60)),
            layers=(
                Layer(shape=wall, tissue="thin bone"),
                Layer(shape=_nasal_cavity(0.0), tissue="mucosa"),
                Layer(shape=_nasal_cavity(1.0), tissue="air"),
                *_septum(),
                *_turbinates(),
            ),
        ),
    )


def _sinuses() -> Part:
    """Return the maxillary sinuses with their lining."""
    both = sinus()
    return Part(
        name="maxillary sinuses",
        box=((-36, -10, 0), (36, 30, 36)),
        layers=(
            Layer(shape=grown(both, 0.1), tissue="mucosa"),
            Layer(shape=grown(both, -0.8), tissue="air"),
        ),
    )


def _mandible() -> Part:
    """Return the crest of the lower jaw with its gingiva."""

    def width(along: Array, depth: Array) -> Array:
        molar = smoothstep((np.abs(along) - 12) / 22)
        return np.asarray(3.8 + 1.6 * molar + 0.10 * np.clip(depth, 0, 14))

    crest = remembered(ridge(LOWER, half_width=width))
    return Part(
        name="mandible",
        box=((-34, -30, -90), (34, 45, -26)),
        layers=(
            Layer(shape=grown(crest, 1.6), tissue="mucosa"),
            Layer(shape=crest, tissue="cortex"),
            Layer(shape=grown(crest, -1.8), tissue="cancellous"),
        ),
    )


def teeth() -> tuple[Part, ...]:
    """Return both rows of teeth, from their sockets inwards."""
    boxes = {
        "upper teeth": (UPPER, ((-32, -33, -25), (32, 30, 7))),
        "lower teeth": (LOWER, ((-30, -31, -52), (30, 30, -20))),
    }
    parts = []
    for name, (arch, box) in boxes.items():
        tooth, root, pulp = dental_organ(arch)
        layers = (
            Layer(shape=grown(root, 0.9), tissue="cortex"),
            Layer(shape=grown(root, 0.35), tissue="ligament"),
            Layer(shape=tooth, tissue="enamel"),
            Layer(shape=grown(tooth, -1.1), tissue="dentine"),
            Layer(shape=root, tissue="dentine"),
            Layer(shape=pulp, tissue="pulp"),
        )
        parts.append(Part(name=name, box=box, layers=layers))
    return tuple(parts)


def around(jaw: Part) -> tuple[Part, ...]:
    """Return a jaw within the whole scene, outermost first."""
    return (
        *face(),
        *mouth(),
        *throat(),
        _mandible(),
        _midface(),
        jaw,
        *_nose(),
        _sinuses(),
        *teeth(),
    )


def parts() -> tuple[Part, ...]:
    """Return the whole scene, outermost first."""
    return around(healed_jaw())
