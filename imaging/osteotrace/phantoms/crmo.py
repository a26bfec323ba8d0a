"""Five children with chronic recurrent multifocal osteomyelitis, before and after.

One STIR series a date; the marrow edema shrinks in four and does not in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.codes import KINDS, SITES
from osteotrace.phantoms import limbs, spine
from osteotrace.phantoms.label_series import MUSCLE
from osteotrace.phantoms.limbs import Region
from osteotrace.phantoms.rendering import Layer, Part
from osteotrace.phantoms.scaling import scaled, scaled_parts
from osteotrace.phantoms.scans import (
    Ball,
    Segment,
)
from osteotrace.phantoms.shapes import ellipsoid, grown, intersection
from osteotrace.phantoms.vertebral_column import ENDPLATE_MM

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.phantoms.scans import Box, Vector
    from osteotrace.phantoms.shapes import Shape

PHASES: Final = ("before", "after")
# Lumbar vertebrae of a child by those of an adult.
CHILD: Final = 0.68


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """An edema: an ellipsoid, as far as it lies in the marrow of a bone.

    Parameters
    ----------
    site, laterality : str
        Keys of `osteotrace.codes.SITES` and ``LATERALITIES``.
    centre : Vector
        Anatomical mm.
    before_mm, after_mm : Vector
        Half axes at both dates.
    """

    site: str
    centre: Vector
    before_mm: Vector
    after_mm: Vector
    laterality: str = ""

    def radii(self, phase: str) -> Vector:
        """Return the half axes at a date."""
        return self.before_mm if phase == "before" else self.after_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One child: what was scanned, how, and what is in it.

    Parameters
    ----------
    region : callable
        Gives the scene and the marrow of its bones.
    plane : str
        ``coronal``, ``sagittal`` or ``axial``.
    centre : Vector
        Middle of the image, anatomical mm.
    spacing_mm, shape : (slice, row, column)
        Of the image.
    muscle, marrow : Ball
        Where normal muscle and normal marrow lie.
    dates : (before, after)
        YYYYMMDD.
    """

    region: Callable[[], Region]
    lesions: tuple[Lesion, ...]
    plane: str
    centre: Vector
    spacing_mm: Vector
    shape: tuple[int, int, int]
    muscle: Ball
    marrow: Ball
    dates: tuple[str, str]
    body_part: str


@cache
def _child_spine() -> Region:
    column = spine.column(spine.UNBROKEN)
    marrow = grown(column["l3"].body, -ENDPLATE_MM)
    return Region(
        parts=scaled_parts(spine.parts(spine.UNBROKEN), CHILD),
        marrow={"l3": scaled(marrow, CHILD)},
    )


def _of_spine(own: Vector, level: str = "l3") -> Vector:
    x, y, z = CHILD * spine.column(spine.UNBROKEN)[level].to_anatomy(own)
    return float(x), float(y), float(z)


SUBJECTS: Final = {
    1: Subject(
        region=partial(limbs.knee, "left"),
        lesions=(
            Lesion(
                site="femur",
                laterality="left",
                centre=(9.0, -2.0, 38.0),
                before_mm=(13.0, 12.0, 14.0),
                after_mm=(7.0, 7.0, 8.0),
            ),
            Lesion(
                site="tibia",
                laterality="left",
                centre=(-8.0, 3.0, -31.0),
                before_mm=(11.0, 10.0, 11.0),
                after_mm=(6.5, 6.0, 6.0),
            ),
        ),
        plane="coronal",
        centre=(0.0, 2.0, 6.0),
        spacing_mm=(3.5, 0.9, 0.9),
        shape=(20, 176, 128),
        muscle=Ball((30.0, 10.0, 76.0), 8.0),
        marrow=Ball((0.0, 0.0, 72.0), 6.0),
        dates=("20040219", "20050614"),
        body_part="KNEE",
    ),
    2: Subject(
        region=partial(limbs.knee, "right"),
        lesions=(
            Lesion(
                site="tibia",
                laterality="right",
                centre=(4.0, 2.0, -35.0),
                before_mm=(15.0, 12.0, 15.0),
                after_mm=(8.5, 7.0, 8.0),
            ),
        ),
        plane="coronal",
        centre=(0.0, 2.0, -8.0),
        spacing_mm=(3.5, 0.9, 0.9),
        shape=(20, 168, 128),
        muscle=Ball((26.0, 18.0, -64.0), 7.0),
        marrow=Ball((0.0, 3.0, -78.0), 6.0),
        dates=("20040907", "20051122"),
        body_part="KNEE",
    ),
    3: Subject(
        region=_child_spine,
        lesions=(
            Lesion(
                site="l3",
                centre=_of_spine((2.0, -3.0, 1.0)),
                before_mm=(12.0, 8.5, 7.0),
                after_mm=(6.0, 5.0, 4.0),
            ),
        ),
        plane="sagittal",
        centre=(0.0, 14.0, -10.0),
        spacing_mm=(3.0, 0.8, 0.8),
        shape=(17, 212, 112),
        muscle=Ball(_of_spine((22.0, 53.0, 0.0)), 7.0),
        marrow=Ball(_of_spine((0.0, 0.0, 0.0), "l1"), 5.0),
        dates=("20050118", "20060221"),
        body_part="LSPINE",
    ),
    4: Subject(
        region=limbs.pelvis,
        lesions=(
            Lesion(
                site="pelvis",
                laterality="right",
                centre=(-36.0, 42.0, 4.0),
                before_mm=(14.0, 12.0, 16.0),
                after_mm=(14.5, 12.3, 16.6),
            ),
        ),
        plane="axial",
        centre=(0.0, 22.0, 4.0),
        spacing_mm=(4.0, 1.1, 1.1),
        shape=(20, 128, 184),
        muscle=Ball((-76.0, 52.0, 0.0), 9.0),
        marrow=Ball((38.0, 40.0, 4.0), 4.0),
        dates=("20050412", "20060509"),
        body_part="PELVIS",
    ),
    5: Subject(
        region=partial(limbs.clavicle, "right"),
        lesions=(
            Lesion(
                site="clavicle",
                laterality="right",
                centre=(-24.0, -6.0, 2.0),
                before_mm=(21.0, 9.0, 9.0),
                after_mm=(9.0, 6.0, 6.0),
            ),
        ),
        plane="coronal",
        centre=(-40.0, 8.0, 2.0),
        spacing_mm=(3.0, 0.8, 0.8),
        shape=(20, 128, 168),
        muscle=Ball((-64.0, -4.0, -30.0), 7.0),
        marrow=Ball((-78.0, 3.0, 7.6), 3.0),
        dates=("20050906", "20061010"),
        body_part="CLAVICLE",
    ),
}
CASES: Final = {
    f"crmo_{number}_{phase}": (number, phase) for number in SUBJECTS for phase in PHASES
}


def parts(number: int, phase: str) -> tuple[Part, ...]:
    """Return the whole scene of a subject at a date."""
    subject = SUBJECTS[number]
    scene = subject.region()
    lesions = (
        Part(
            name=f"edema of {lesion.site}",
            box=edema_box(lesion, phase),
            layers=(
                Layer(
                    shape=edema(lesion, scene.marrow[lesion.site], phase),
                    tissue="edema",
                ),
            ),
        )
        for lesion in subject.lesions
    )
    return (*scene.parts, *lesions)


def edema(lesion: Lesion, marrow: Shape, phase: str) -> Shape:
    """Return what a lesion fills of the marrow at a date."""
    return intersection(ellipsoid(lesion.centre, lesion.radii(phase)), marrow)


def edema_box(lesion: Lesion, phase: str) -> Box:
    """Return the box that holds an edema."""
    reach = zip(lesion.centre, lesion.radii(phase), strict=True)
    low, high = zip(*((v - r - 1.5, v + r + 1.5) for v, r in reach), strict=True)
    return low, high


def segments(number: int, phase: str) -> tuple[Segment, ...]:
    """Return what the label series marks: each edema, a body, and muscle."""
    subject = SUBJECTS[number]
    marrow = subject.region().marrow
    marked = [
        Segment(
            label=segment_label(lesion),
            shape=edema(lesion, marrow[lesion.site], phase),
            box=edema_box(lesion, phase),
            property_type=KINDS["marrow_edema"],
            lesion=True,
            laterality=lesion.laterality,
        )
        for lesion in subject.lesions
    ]
    if number == 3:
        marked.append(child_body())
    centre, radius = subject.muscle.centre, subject.muscle.radius_mm
    return (
        *marked,
        Segment(
            label="muscle",
            shape=ellipsoid(centre, [radius] * 3),
            box=([v - radius for v in centre], [v + radius for v in centre]),
            property_type=MUSCLE,
        ),
    )


def segment_label(lesion: Lesion) -> str:
    """Return the label of an edema in the label series."""
    where = lesion.site.upper() if lesion.site == "l3" else lesion.site
    return f"{lesion.laterality} {where} marrow edema".strip()


def child_body() -> Segment:
    """Return the body of the child's L3."""
    placed = spine.column(spine.UNBROKEN)["l3"]
    low, high = (CHILD * np.asarray(corner) for corner in placed.body_box)
    return Segment(
        label="L3 vertebral body",
        shape=scaled(placed.body, CHILD),
        box=(low.tolist(), high.tolist()),
        property_type=SITES["l3"],
    )
