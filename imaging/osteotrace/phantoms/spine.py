"""The spine after the drug was stopped: L1 breaks, then L2 and L5, then L3.

Three studies of one column from T11 to the sacrum, each as CT and as sagittal STIR: which
body has collapsed by then, which is oedematous, which is cemented. The origin of the
anatomical frame is the middle of the body of L3, about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.codes import KINDS, SITES
from osteotrace.phantoms.label_series import MUSCLE
from osteotrace.phantoms.rendering import Layer, Level, Part
from osteotrace.phantoms.scans import Segment
from osteotrace.phantoms.shapes import (
    ellipsoid,
    grown,
    intersection,
    mirrored,
    remembered,
    rounded_box,
    union,
)
from osteotrace.phantoms.vertebral_column import (
    Placed,
    Vertebra,
    arch,
    body_part,
    disc,
    marrow,
    stacked,
)

if TYPE_CHECKING:
    from osteotrace.phantoms.scans import Box
    from osteotrace.phantoms.shapes import Array, Shape

# Middle of the inferior endplate of S1, mm.
FOOT_MM: Final = (0.0, 37.0, -133.0)
# Sizes of an adult woman's vertebrae, lowest first; S1 and T11 are only there to stand on
# and to be a neighbour.
INTACT: Final = tuple(
    Vertebra(
        name=name,
        heights_mm=heights,
        depth_mm=depth,
        width_mm=width,
        tilt_deg=tilt,
        disc_below_mm=below,
    )
    for name, heights, depth, width, tilt, below in (
        ("sacrum", (30.0, 27.0, 23.0), 33.0, 50.0, 36.0, 0.0),
        ("l5", (28.6, 26.4, 25.2), 34.5, 48.0, 20.0, 10.5),
        ("l4", (28.2, 26.6, 27.2), 34.0, 46.5, 9.0, 10.5),
        ("l3", (28.0, 26.5, 28.0), 33.5, 45.0, 1.0, 9.5),
        ("l2", (27.2, 26.2, 28.2), 32.5, 43.0, -8.0, 8.5),
        ("l1", (26.2, 25.4, 27.6), 31.5, 41.0, -13.0, 7.5),
        ("t12", (24.6, 24.0, 26.0), 30.5, 39.5, -14.0, 6.5),
        ("t11", (23.2, 22.7, 24.4), 29.5, 38.0, -13.0, 5.5),
    )
)
# Measured; S1 and T11 are cut by the edge of the image.
LEVELS: Final = ("t12", "l1", "l2", "l3", "l4", "l5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What has befallen a body by a date.

    Parameters
    ----------
    front_loss_mm, depression_mm : float
        As in `Vertebra`.
    edema : (thickness, width) or None
        Of the band of marrow edema under the superior endplate: half height and half
        width, mm.
    cemented : bool
    """

    front_loss_mm: float = 0.0
    depression_mm: float = 0.0
    edema: tuple[float, float] | None = None
    cemented: bool = False


_L4: Final = Broken(front_loss_mm=3.0, depression_mm=1.5, cemented=True)
BY_DATE: Final[dict[str, dict[str, Broken]]] = {
    "2023-07": {
        "l1": Broken(front_loss_mm=6.2, depression_mm=2.0, edema=(7.0, 17.0)),
        "l4": _L4,
    },
    "2023-09-03": {
        "l1": Broken(
            front_loss_mm=7.0, depression_mm=2.2, edema=(4.5, 14.0), cemented=True
        ),
        "l2": Broken(front_loss_mm=5.4, depression_mm=2.0, edema=(7.5, 18.0)),
        "l4": _L4,
        "l5": Broken(front_loss_mm=2.4, depression_mm=2.6, edema=(5.0, 15.0)),
    },
    "2023-09-27": {
        "l1": Broken(front_loss_mm=7.0, depression_mm=2.2, cemented=True),
        "l2": Broken(
            front_loss_mm=5.8, depression_mm=2.0, edema=(4.0, 14.0), cemented=True
        ),
        "l3": Broken(front_loss_mm=4.8, depression_mm=3.6, edema=(8.0, 18.0)),
        "l4": _L4,
        "l5": Broken(
            front_loss_mm=2.4, depression_mm=2.6, edema=(3.5, 12.0), cemented=True
        ),
    },
}

# The columns that there are: one a date, and one that nothing has befallen.
UNBROKEN: Final = "unbroken"
_COLUMNS: Final[dict[str, dict[str, Broken]]] = {**BY_DATE, UNBROKEN: {}}

# HU at 120 kV of an osteoporotic spine.
HOUNSFIELD: Final = {
    "air": Level(-1000.0),
    "fat": Level(-95.0),
    "muscle": Level(52.0),
    "vessel": Level(42.0),
    "calcification": Level(420.0),
    "annulus": Level(85.0),
    "nucleus": Level(70.0),
    "canal": Level(22.0),
    "cauda": Level(38.0),
    "cortex": Level(560.0),
    "arch marrow": Level(210.0, texture=45.0),
    "endplate": Level(520.0),
    "marrow": Level(85.0, texture=32.0),
    "edema": Level(105.0, texture=32.0),
    "cement": Level(2300.0),
}
# Signal of a short-tau inversion recovery sequence.
STIR_SIGNAL: Final = {
    "air": Level(0.0),
    "fat": Level(45.0),
    "muscle": Level(160.0),
    "vessel": Level(60.0),
    "calcification": Level(30.0),
    "annulus": Level(90.0),
    "nucleus": Level(330.0),
    "canal": Level(900.0),
    "cauda": Level(420.0),
    "cortex": Level(40.0),
    "arch marrow": Level(110.0),
    "endplate": Level(45.0),
    "marrow": Level(115.0, texture=8.0),
    "edema": Level(520.0, texture=12.0),
    "cement": Level(25.0),
}

# Two casts of cement, one through each pedicle: in the frame of the body.
_CAST_RADII_MM: Final = (7.0, 8.5, 6.0)
_CAST_CENTRE_MM: Final = (9.5, 0.5, -3.0)
CEMENT_VOLUME_MM3: Final = 2 * 4 / 3 * np.pi * float(np.prod(_CAST_RADII_MM))
PSOAS_MM: Final = 15.0
ERECTOR_MM: Final = 17.0


@cache
def column(date: str) -> dict[str, Placed]:
    """Return the vertebrae as they stand at a date, by name, lowest first."""
    broken = _COLUMNS[date]
    vertebrae = [
        replace(
            vertebra,
            front_loss_mm=broken[vertebra.name].front_loss_mm,
            depression_mm=broken[vertebra.name].depression_mm,
        )
        if vertebra.name in broken
        else vertebra
        for vertebra in INTACT
    ]
    return {placed.vertebra.name: placed for placed in stacked(vertebrae, foot=FOOT_MM)}


def cement(placed: Placed) -> Shape:
    """Return the two casts of cement in a body."""
    left, posterior, superior = _CAST_CENTRE_MM
    return placed.shape(
        union(
            *(
                ellipsoid((side * left, posterior, superior), _CAST_RADII_MM)
                for side in (-1, 1)
            )
        )
    )


def edema(placed: Placed, thickness_mm: float, width_mm: float) -> Shape:
    """Return the band of edema under the superior endplate, cut by nothing."""
    vertebra = placed.vertebra
    lowest = 0.5 * vertebra.heights_mm[1] - 0.5 * vertebra.front_loss_mm
    band = ellipsoid(
        (0.0, -2.0, lowest - vertebra.depression_mm - 0.6 * thickness_mm),
        (width_mm, 0.42 * vertebra.depth_mm, thickness_mm),
    )
    return placed.shape(band)


def edema_in_marrow(date: str, level: str) -> Shape:
    """Return the edema of a level: band and marrow, less the cement."""
    placed, broken = column(date)[level], BY_DATE[date][level]
    if broken.edema is None:
        raise KeyError(level)
    without = (cement(placed),) if broken.cemented else ()
    return marrow(placed, edema(placed, *broken.edema), without=without)


def parts(date: str) -> tuple[Part, ...]:
    """Return the whole scene at a date, outermost first."""
    placed = column(date)
    bodies = list(placed.values())
    discs = [disc(a, b) for a, b in pairwise(bodies)]
    arches = [arch(p) for p in bodies]
    lesions: dict[str, list[Layer]] = {name: [] for name in placed}
    for name, broken in _COLUMNS[date].items():
        if broken.edema is not None:
            band = edema(placed[name], *broken.edema)
            lesions[name].append(Layer(shape=band, tissue="edema"))
        if broken.cemented:
            lesions[name].append(Layer(shape=cement(placed[name]), tissue="cement"))
    return (
        *_trunk(date),
        *discs,
        *arches,
        *(body_part(p, lesions[name]) for name, p in placed.items()),
    )


def _strand(
    date: str,
    *,
    beside_mm: float,
    behind_mm: float,
    radius_mm: float,
    squeeze: float = 1.0,
) -> Shape:
    """Return a round strand along the column.

    Parameters
    ----------
    beside_mm : float
        Of its middle to the left.
    behind_mm : float
        Of its middle behind the posterior walls of the bodies.
    squeeze : float
        Its antero-posterior radius by its left-right one.
    """
    middles = np.array(
        [
            p.to_anatomy((0.0, p.vertebra.depth_mm / 2 + behind_mm, 0.0))
            for p in column(date).values()
        ]
    )
    ends = [middles[0] + (0, 18, -34), *middles, middles[-1] + (0, 0, 40)]
    _, posterior, superior = np.array(ends).T

    def distance(points: Array) -> Array:
        middle = np.interp(points[2], superior, posterior)
        across = np.hypot(points[0] - beside_mm, (points[1] - middle) / squeeze)
        return np.asarray(across - radius_mm)

    return distance


@cache
def muscles(date: str) -> Shape:
    """Return psoas and erector spinae of both sides."""
    psoas = _strand(date, beside_mm=38.0, behind_mm=-18.0, radius_mm=PSOAS_MM)
    back = _strand(date, beside_mm=22.0, behind_mm=36.0, radius_mm=ERECTOR_MM)
    return remembered(mirrored(union(psoas, back)))


def _trunk(date: str) -> tuple[Part, ...]:
    """Return fat, muscles, the great vessels and the spinal canal."""
    everywhere = ((-120.0, -150.0, -220.0), (120.0, 160.0, 220.0))
    trunk = rounded_box((0, 10, 0), (118, 92, np.inf), rounding=60)
    thecal = remembered(
        _strand(date, beside_mm=0.0, behind_mm=9.0, radius_mm=8.4, squeeze=0.85)
    )
    roots = _strand(date, beside_mm=0.0, behind_mm=11.5, radius_mm=4.6, squeeze=0.7)
    aorta = remembered(
        _strand(date, beside_mm=9.0, behind_mm=-52.0, radius_mm=9.0, squeeze=1.0)
    )
    vein = _strand(date, beside_mm=-13.0, behind_mm=-50.0, radius_mm=9.5, squeeze=0.9)
    plaque = ellipsoid((16.0, -26.0, 20.0), (4.0, 6.0, 22.0))
    return (
        Part(
            name="trunk",
            box=everywhere,
            layers=(
                Layer(shape=trunk, tissue="fat"),
                Layer(shape=muscles(date), tissue="muscle"),
            ),
        ),
        Part(
            name="vessels",
            # Both divide before L4.
            box=((-30, -70, -46), (30, 0, 220)),
            layers=(
                Layer(shape=union(aorta, vein), tissue="vessel"),
                Layer(shape=intersection(aorta, plaque), tissue="calcification"),
            ),
        ),
        Part(
            name="canal",
            box=((-9, -20, -220), (9, 90, 220)),
            layers=(
                Layer(shape=thecal, tissue="canal"),
                Layer(shape=intersection(roots, thecal), tissue="cauda"),
            ),
        ),
    )


def segments(date: str, modality: str) -> tuple[Segment, ...]:
    """Return what the label series marks: bodies; on MR edema and muscle besides."""
    placed = column(date)
    marked = [
        Segment(
            label=f"{name.upper()} vertebral body",
            shape=placed[name].body,
            box=placed[name].body_box,
            property_type=SITES[name],
        )
        for name in LEVELS
    ]
    if modality == "CT":
        return tuple(marked)
    for name, broken in BY_DATE[date].items():
        if broken.edema is not None:
            marked.append(
                Segment(
                    label=f"{name.upper()} marrow edema",
                    shape=edema_in_marrow(date, name),
                    box=placed[name].body_box,
                    property_type=KINDS["marrow_edema"],
                    lesion=True,
                )
            )
    muscle = Segment(
        label="muscle",
        shape=grown(muscles(date), -3.0),
        box=_muscle_box(date),
        property_type=MUSCLE,
    )
    return (*marked, muscle)


def _muscle_box(date: str) -> Box:
    """Return the box of the erector spinae beside L3, where muscle is marked."""
    back = column(date)["l3"].to_anatomy((0.0, 53.0, 0.0))
    return (-40.0, back[1] - 16, back[2] - 30), (40.0, back[1] + 16, back[2] + 30)
