"""A child's mandible with osteomyelitis of its left half, from four years to eleven.

The adult's dental arch, scaled to the child: a body below the teeth, rami behind it. The
left half is expanded, its marrow oedematous, its periosteum lifted; all of it goes back
while the jaw grows. Anatomical mm after scaling; the shapes themselves are the adult's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.codes import KINDS, SITES
from osteotrace.phantoms.dentition import LOWER, arch_coordinates, dental_organ
from osteotrace.phantoms.label_series import MUSCLE
from osteotrace.phantoms.rendering import Layer, Level, Part
from osteotrace.phantoms.scaling import scaled, scaled_parts
from osteotrace.phantoms.scans import Segment
from osteotrace.phantoms.shapes import (
    complement,
    ellipsoid,
    grown,
    halfspace,
    intersection,
    remembered,
    smoothstep,
)
from osteotrace.phantoms.soft_tissue import face, mouth, throat

if TYPE_CHECKING:
    from osteotrace.phantoms.scans import Box
    from osteotrace.phantoms.shapes import Array, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The jaw at a date.

    Parameters
    ----------
    date : str
        YYYYMMDD.
    scale : float
        Size of the child's jaw by the adult's.
    expansion_mm : float
        How far the left half bulges to either side, adult mm.
    edema : (along, half length, half height) or None
        Of the marrow edema: arc length of its middle, its extent along the arch and
        upwards, adult mm.
    periosteal_mm : float
        Thickness of new periosteal bone on the left, anatomical mm.
    """

    date: str
    scale: float
    expansion_mm: float
    edema: tuple[float, float, float] | None = None
    periosteal_mm: float = 0.0


STAGES: Final = {
    "month00": Stage(
        date="20070312",
        scale=0.78,
        expansion_mm=3.6,
        edema=(44.0, 27.0, 12.5),
        periosteal_mm=1.8,
    ),
    "month05": Stage(date="20070816", scale=0.79, expansion_mm=2.9),
    "month60": Stage(date="20120314", scale=0.88, expansion_mm=0.8),
    "month67": Stage(
        date="20121011", scale=0.89, expansion_mm=0.9, edema=(50.0, 7.5, 6.5)
    ),
    "month84": Stage(date="20140317", scale=0.92, expansion_mm=0.3),
}

HOUNSFIELD: Final = {
    "air": Level(-1000.0),
    "skin": Level(45.0),
    "fat": Level(-95.0),
    "muscle": Level(58.0),
    "tongue": Level(55.0),
    "mucosa": Level(48.0),
    "swelling": Level(35.0),
    "periosteal bone": Level(650.0),
    "cortex": Level(1150.0),
    "cancellous": Level(380.0, texture=90.0),
    "edema": Level(250.0, texture=90.0),
    "ligament": Level(200.0),
    "dentine": Level(1500.0),
    "enamel": Level(2400.0),
    "pulp": Level(200.0),
}
# Signal of a short-tau inversion recovery sequence.
STIR_SIGNAL: Final = {
    "air": Level(0.0),
    "skin": Level(180.0),
    "fat": Level(40.0),
    "muscle": Level(165.0),
    "tongue": Level(190.0),
    "mucosa": Level(340.0),
    "swelling": Level(470.0),
    "periosteal bone": Level(330.0),
    "cortex": Level(30.0),
    "cancellous": Level(120.0, texture=8.0),
    "edema": Level(560.0, texture=15.0),
    "ligament": Level(150.0),
    "dentine": Level(25.0),
    "enamel": Level(10.0),
    "pulp": Level(350.0),
}

CORTEX_MM: Final = 1.9
SOCKET_MM: Final = 0.9
SWELLING_MM: Final = 5.5
# Arc length of the middle of the bulge and its spread, adult mm.
_BULGE_MM: Final = (44.0, 17.0)
_ROUNDED_MM: Final = 4.5
_END_MM: Final = 88.0
# The box of the mandible, adult mm.
_LOW: Final = (-46.0, -38.0, -74.0)
_HIGH: Final = (46.0, 60.0, 2.0)
MUSCLE_BALL: Final = ((-43.5, 22.0, -26.0), 5.5)


def _top(along: Array) -> Array:
    """Return the height of the crest and of the upper border of the ramus."""
    ramus = 31.0 * smoothstep((along - 59) / 11)
    notch = 9.0 * np.exp(-(((along - 77) / 4.5) ** 2))
    return np.asarray(-34.5 + ramus - notch)


def _bottom(along: Array) -> Array:
    """Return the height of the lower border, which rises behind the angle."""
    behind = np.maximum(along - 72.0, 0.0)
    return np.asarray(-62.0 + 4.0 * smoothstep(along / 40) + 0.09 * behind**2)


def _half_width(along: Array, superior: Array) -> Array:
    basal = smoothstep((-34.5 - superior) / 14)
    molar = smoothstep((along - 12) / 22) * smoothstep((72 - along) / 14)
    return np.asarray(4.3 + 1.2 * basal + 1.4 * molar)


def mandible(expansion_mm: float) -> Shape:
    """Return the whole mandible, adult mm, its left half bulging."""
    middle, spread = _BULGE_MM

    @remembered
    def distance(points: Array) -> Array:
        signed, across = arch_coordinates(points)
        along, superior = np.abs(signed), points[2]
        bulge = np.exp(-(((along - middle) / spread) ** 2)) * smoothstep(signed / 14)
        bulge = expansion_mm * bulge
        outwards = -2.0 + 0.3 * np.maximum(along - 46, 0.0)
        wall = np.abs(across - outwards) - _half_width(along, superior) - bulge
        top = _sloped(superior, _top(along), _top(along + 0.1))
        low, next_low = _bottom(along) - 0.9 * bulge, _bottom(along + 0.1) - 0.9 * bulge
        edge = np.maximum(top, -_sloped(superior, low, next_low))
        edge = np.maximum(edge, along - _END_MM)
        overlap = np.maximum(_ROUNDED_MM - np.abs(wall - edge), 0.0) / _ROUNDED_MM
        return np.asarray(np.maximum(wall, edge) + overlap**2 * _ROUNDED_MM / 4)

    return distance


def _sloped(superior: Array, level: Array, ahead: Array) -> Array:
    """Return the distance above a level whose height 0.1 mm further on is known."""
    return np.asarray((superior - level) / np.hypot(1.0, (ahead - level) / 0.1))


def _band(along_mm: float, half_length_mm: float, half_height_mm: float) -> Shape:
    """Return a stretch of the left body: an ellipse of arc length and height."""

    def distance(points: Array) -> Array:
        along, _ = arch_coordinates(points)
        u = (along - along_mm) / half_length_mm
        v = (points[2] + 48.0) / half_height_mm
        level = np.hypot(u, v)
        slope = np.hypot(u / half_length_mm, v / half_height_mm)
        return np.asarray(level * (level - 1) / np.maximum(slope, 1e-9))

    return distance


def _edema(stage: Stage) -> Shape:
    """Return the edema in the marrow, adult mm, less the sockets of the teeth."""
    if stage.edema is None:
        raise ValueError(f"no edema on {stage.date}")
    _, root, _ = dental_organ(LOWER)
    inner = grown(mandible(stage.expansion_mm), -CORTEX_MM)
    return intersection(_band(*stage.edema), inner, complement(grown(root, SOCKET_MM)))


def _jaw(stage: Stage) -> Part:
    bone = mandible(stage.expansion_mm)
    diseased = _band(_BULGE_MM[0], 30.0, 24.0)
    layers = [Layer(shape=grown(bone, 1.3), tissue="mucosa")]
    if stage.periosteal_mm:
        lifted = grown(bone, stage.periosteal_mm / stage.scale)
        below_crest = halfspace(2, -37.0, above=False)
        layers += [
            Layer(
                shape=intersection(grown(bone, SWELLING_MM), diseased), tissue="swelling"
            ),
            Layer(
                shape=intersection(lifted, diseased, below_crest),
                tissue="periosteal bone",
            ),
        ]
    layers += [
        Layer(shape=bone, tissue="cortex"),
        Layer(shape=grown(bone, -CORTEX_MM), tissue="cancellous"),
    ]
    if stage.edema is not None:
        inner = grown(bone, -CORTEX_MM)
        layers.append(
            Layer(shape=intersection(_band(*stage.edema), inner), tissue="edema")
        )
    return Part(name="mandible", box=(_LOW, _HIGH), layers=tuple(layers))


def _teeth() -> Part:
    tooth, root, pulp = dental_organ(LOWER)
    return Part(
        name="lower teeth",
        box=((-30, -31, -52), (30, 30, -20)),
        layers=(
            Layer(shape=grown(root, SOCKET_MM), tissue="cortex"),
            Layer(shape=grown(root, 0.35), tissue="ligament"),
            Layer(shape=tooth, tissue="enamel"),
            Layer(shape=grown(tooth, -1.1), tissue="dentine"),
            Layer(shape=root, tissue="dentine"),
            Layer(shape=pulp, tissue="pulp"),
        ),
    )


def parts(month: str) -> tuple[Part, ...]:
    """Return the whole scene at a month, outermost first."""
    return parts_at(STAGES[month])


def parts_at(stage: Stage) -> tuple[Part, ...]:
    """Return the whole scene at a stage, outermost first."""
    scene = (*face(), *mouth(), *throat(), _jaw(stage), _teeth())
    return scaled_parts(scene, stage.scale)


@cache
def half(month: str, side: str) -> Shape:
    """Return the left or the right half of the bone, anatomical mm."""
    stage = STAGES[month]
    bone = mandible(stage.expansion_mm)
    own = intersection(bone, halfspace(0, 0.0, above=side == "left"))
    return scaled(own, stage.scale)


def half_box(month: str, side: str) -> Box:
    """Return the box that holds a half."""
    scale = STAGES[month].scale
    low, high = ([scale * v for v in corner] for corner in (_LOW, _HIGH))
    (low if side == "left" else high)[0] = 0.0
    return low, high


@cache
def edema(month: str) -> Shape:
    """Return the edema of a month, anatomical mm."""
    stage = STAGES[month]
    return scaled(_edema(stage), stage.scale)


def segments(month: str, modality: str) -> tuple[Segment, ...]:
    """Return what the label series marks: both halves; on MR edema and muscle besides."""
    stage = STAGES[month]
    marked = [
        Segment(
            label=f"{side} hemimandible",
            shape=half(month, side),
            box=half_box(month, side),
            property_type=SITES["mandible"],
            laterality=side,
        )
        for side in ("left", "right")
    ]
    if modality == "CT":
        return tuple(marked)
    if stage.edema is not None:
        marked.append(
            Segment(
                label="left marrow edema",
                shape=edema(month),
                box=half_box(month, "left"),
                property_type=KINDS["marrow_edema"],
                lesion=True,
                laterality="left",
            )
        )
    centre, radius = (np.array(v) * stage.scale for v in MUSCLE_BALL)
    muscle = Segment(
        label="muscle",
        shape=ellipsoid(centre.tolist(), [float(radius)] * 3),
        box=((centre - radius).tolist(), (centre + radius).tolist()),
        property_type=MUSCLE,
        laterality="right",
    )
    return (*marked, muscle)
