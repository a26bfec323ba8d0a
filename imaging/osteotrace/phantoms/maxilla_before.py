"""The maxilla before treatment: dead bone in a cavity, eaten bone, gas, a breach.

The same head and the same palatal defect of 12.07 mm as `maxilla`, in the same frame, but
the defect is full of granulation tissue, the right sinus and the bone under it are a
cavity with sequestra, and the right front of the alveolar process is moth-eaten.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.codes import KINDS
from osteotrace.phantoms import maxilla
from osteotrace.phantoms.dentition import UPPER, dental_organ
from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.maxilla_after import palatal_defect, palatal_gap
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose
from osteotrace.phantoms.scans import (
    Ball,
    Known,
    KnownFinding,
    PhantomCase,
    Scan,
    Segment,
    grid_around,
    integrated_volume,
)
from osteotrace.phantoms.shapes import (
    below,
    complement,
    ellipsoid,
    grown,
    halfspace,
    intersection,
    remembered,
    rounded_box,
    smooth_union,
    turned,
    union,
)

if TYPE_CHECKING:
    from osteotrace.phantoms.scans import Vector
    from osteotrace.phantoms.shapes import Array, Shape

HOUNSFIELD: Final = {
    **maxilla.HOUNSFIELD,
    "granulation": Level(42.0),
    "mass": Level(78.0),
    "sequestrum": Level(1080.0),
    "rim": Level(1350.0),
}

# The cavity under and in the right maxillary sinus; its wall of sclerotic bone.
CAVITY_CENTRE_MM: Final = (-25.0, 12.0, 7.0)
CAVITY_RADII_MM: Final = (9.0, 13.5, 7.5)
RIM_MM: Final = 2.0
CAVITY: Final = "cavity"

# Dead bone: name, centre, half axes, and turn about the superior axis, deg. Pathology
# found fragments up to 11 by 7 mm.
SEQUESTRA: Final[tuple[tuple[str, Vector, Vector, float], ...]] = (
    ("SEQ-A", (-25.5, 6.0, 6.8), (3.4, 5.5, 2.6), 14.0),
    ("SEQ-B", (-22.6, 16.6, 5.2), (2.5, 3.6, 2.0), -35.0),
    ("SEQ-C", (-28.4, 17.6, 8.8), (2.0, 2.6, 2.1), 20.0),
    ("SEQ-D", (-29.5, 14.4, 4.2), (1.8, 2.1, 1.8), 0.0),
)
SEARCH: Final = Ball(CAVITY_CENTRE_MM, 13.0)

# Moth-eaten: left and superior of each hole in the labial plate, and its radius.
HOLES_MM: Final = (
    (-3.6, -7.2, 1.2),
    (-4.4, -2.2, 1.5),
    (-3.8, 3.2, 1.3),
    (-7.4, -5.2, 1.4),
    (-8.6, 0.4, 1.7),
    (-7.2, 4.6, 1.1),
    (-11.4, -8.0, 1.2),
    (-11.8, -2.8, 1.6),
    (-12.4, 2.8, 1.4),
    (-15.2, -5.8, 1.4),
    (-15.6, 0.0, 1.3),
)
HOLE_DEPTH_MM: Final = 2.6
EATEN: Final = Ball((-9.5, -26.0, -2.0), 11.0)
INTACT_SIDE: Final = Ball((9.5, -26.0, -2.0), 11.0)

# A round hole through the right palatal process, along the superior axis.
BREACH_CENTRE_MM: Final = (-12.5, 13.0, 2.6)
BREACH_RADIUS_MM: Final = 2.5

# Gas: under the defect, in the cheek, in the cavity: centre and half axes.
GAS: Final[tuple[tuple[str, Vector, Vector], ...]] = (
    ("GAS-1", (0.0, -7.0, -8.8), (3.2, 2.5, 2.0)),
    ("GAS-2", (-40.0, -5.0, -9.0), (2.2, 2.2, 2.2)),
    ("GAS-3", (-22.0, 9.6, 11.2), (1.8, 1.8, 1.8)),
)
_CHEEK: Final = ((-40.0, -5.0, -10.0), (7.0, 14.0, 12.0))


def _ball_volume(radii: Vector) -> float:
    return 4 / 3 * np.pi * float(np.prod(radii))


@cache
def sequestra() -> Shape:
    """Return all dead fragments."""
    return union(
        *(
            turned(ellipsoid(centre, radii), about=centre, yaw_deg=yaw)
            for _, centre, radii, yaw in SEQUESTRA
        )
    )


def cavity() -> Shape:
    """Return the cavity."""
    return ellipsoid(CAVITY_CENTRE_MM, CAVITY_RADII_MM)


def labial_surface(left: float, superior: float) -> float:
    """Return the posterior coordinate of the labial plate's outer surface."""
    posterior = np.arange(-34.0, -8.0, 0.02)
    line = np.stack(
        [np.full_like(posterior, left), posterior, np.full_like(posterior, superior)]
    )
    return float(posterior[int(np.argmax(maxilla.intact_palate()(line) <= 0))])


@cache
def holes() -> Shape:
    """Return the moth-eaten holes through the labial plate."""
    return union(
        *(
            ellipsoid(
                (left, labial_surface(left, superior), superior),
                (radius, HOLE_DEPTH_MM, radius),
            )
            for left, superior, radius in HOLES_MM
        )
    )


def breach() -> Shape:
    """Return the round hole through the palatal process."""
    left, posterior, _ = BREACH_CENTRE_MM

    def cylinder(points: Array) -> Array:
        across = np.hypot(points[0] - left, points[1] - posterior)
        return np.asarray(across - BREACH_RADIUS_MM)

    return intersection(cylinder, rounded_box(BREACH_CENTRE_MM, (5.0, 5.0, 5.2)))


def _jaw() -> Part:
    """Return the palate with its lining, defect, holes and breach."""
    palate = maxilla.intact_palate()
    swollen = rounded_box((0, -5.5, -7.9), (11.5, 10.5, 6.1), rounding=3.5)
    lining = smooth_union(grown(palate, maxilla.MUCOSA_MM), swollen, blend=3.0)
    mucosa = intersection(lining, below(lambda x, y: maxilla.nasal_floor(x, y) + 0.6))
    filled = intersection(maxilla.defect(), union(grown(palate, 0.3), mucosa))
    hole = breach()
    return Part(
        name="maxilla",
        box=((-36, -32, -20), (36, 40, 12)),
        layers=(
            Layer(shape=mucosa, tissue="mucosa"),
            Layer(shape=intersection(mucosa, swollen), tissue="granulation"),
            Layer(shape=palate, tissue="cortex"),
            Layer(shape=grown(palate, -maxilla.CORTEX_MM), tissue="cancellous"),
            Layer(
                shape=intersection(
                    grown(palate, -1.0), maxilla.defect(maxilla.RIM_SCLEROSIS_MM)
                ),
                tissue="sclerosis",
            ),
            Layer(
                shape=intersection(palate, maxilla.defect(maxilla.RIM_CORTEX_MM)),
                tissue="cortex",
            ),
            Layer(shape=intersection(palate, grown(cavity(), RIM_MM)), tissue="rim"),
            Layer(shape=intersection(holes(), grown(palate, 0.4)), tissue="granulation"),
            Layer(shape=intersection(hole, mucosa), tissue="granulation"),
            Layer(shape=filled, tissue="granulation"),
        ),
    )


def parts() -> tuple[Part, ...]:
    """Return the whole scene, outermost first."""
    centre, radii = _CHEEK
    mass = Part(
        name="cheek mass",
        box=((-48, -20, -24), (-30, 10, 4)),
        layers=(Layer(shape=ellipsoid(centre, radii), tissue="mass"),),
    )
    scene = maxilla.around(_jaw())
    mandible = next(n for n, part in enumerate(scene) if part.name == "mandible")
    return (*scene[:mandible], mass, *scene[mandible:], _cavity_part(), *_gas_parts())


def _cavity_part() -> Part:
    """Return the filled right sinus, the cavity and the dead bone in it."""
    right = intersection(grown(maxilla.sinus(), -0.8), halfspace(0, 0.0, above=False))
    return Part(
        name="cavity",
        box=((-38, -10, -4), (-12, 32, 36)),
        layers=(
            Layer(shape=right, tissue="granulation"),
            Layer(shape=cavity(), tissue="granulation"),
            Layer(shape=sequestra(), tissue="sequestrum"),
        ),
    )


def _gas_parts() -> tuple[Part, ...]:
    made = []
    for name, centre, radii in GAS:
        margin = max(radii) + 1.5
        box = ([v - margin for v in centre], [v + margin for v in centre])
        pocket = Layer(shape=ellipsoid(centre, radii), tissue="air")
        made.append(Part(name=name, box=box, layers=(pocket,)))
    return tuple(made)


# What is known ------------------------------------------------------------------------


@cache
def cortical_shares() -> tuple[float, float]:
    """Return the cortex within the eaten ball, mm3, and the share that holes take."""
    palate = remembered(maxilla.intact_palate())
    _, root, _ = dental_organ(UPPER)
    shell = intersection(
        palate,
        complement(grown(palate, -maxilla.CORTEX_MM)),
        complement(grown(root, 0.9)),
        ellipsoid(EATEN.centre, (EATEN.radius_mm,) * 3),
    )
    low = [v - EATEN.radius_mm for v in EATEN.centre]
    high = [v + EATEN.radius_mm for v in EATEN.centre]
    whole = integrated_volume(shell, (low, high))
    eaten = integrated_volume(intersection(shell, holes()), (low, high), step_mm=0.4)
    return whole, eaten / whole


def _findings() -> tuple[KnownFinding, ...]:
    return (
        palatal_defect(),
        _all_sequestra(),
        *(_sequestrum(*of) for of in SEQUESTRA),
        _eaten(),
        _breached(),
        *(_gas(*of) for of in GAS),
        KnownFinding(
            label="RIM",
            kind="sclerotic_rim",
            site="maxilla",
            laterality="right",
            modality="CT",
            values={
                "sclerotic_rim_thickness": Known(
                    RIM_MM, "mm", 0.8, "sclerotic bone around the cavity, in bone"
                )
            },
            segments={"lesion": CAVITY},
        ),
    )


def _all_sequestra() -> KnownFinding:
    return KnownFinding(
        label="SEQ",
        kind="sequestrum",
        site="maxilla",
        laterality="right",
        modality="CT",
        values={
            "fragment_count": Known(
                len(SEQUESTRA), "{counts}", 0.0, "separate fragments in the cavity"
            )
        },
        balls={"region": SEARCH},
    )


def _sequestrum(
    label: str, centre: Vector, radii: Vector, yaw_deg: float
) -> KnownFinding:
    volume = _ball_volume(radii)
    return KnownFinding(
        label=label,
        kind="sequestrum",
        site="maxilla",
        laterality="right",
        modality="CT",
        values={
            "longest_diameter": Known(
                2 * max(radii), "mm", 0.5, f"of an ellipsoid turned by {yaw_deg:g} deg"
            ),
            "excess_density_volume": Known(
                volume, "mm3", 0.1 * volume, "of the ellipsoid"
            ),
            "separated_fraction": Known(100.0, "%", 1.0, "granulation tissue all around"),
        },
        points={"centre": centre},
        balls={"region": SEARCH},
    )


def _eaten() -> KnownFinding:
    _, share = cortical_shares()
    return KnownFinding(
        label="MOTH",
        kind="moth_eaten",
        site="maxilla",
        laterality="right",
        modality="CT",
        values={
            "cortical_breach_fraction": Known(
                100 * share,
                "%",
                0.5 * 100 * share,
                "of the outer cortical shell of 1.4 mm within the ball, sockets apart, "
                "what the holes take",
            ),
            "breach_count": Known(
                len(HOLES_MM), "{counts}", 5.0, "holes through the labial plate"
            ),
        },
        balls={"region": EATEN, "reference": INTACT_SIDE},
    )


def _breached() -> KnownFinding:
    return KnownFinding(
        label="BREACH",
        kind="irregular_cortex",
        site="hard_palate",
        laterality="right",
        modality="CT",
        values={
            "breach_area": Known(
                np.pi * BREACH_RADIUS_MM**2,
                "mm2",
                2.0,
                "round hole through the palatal process, along the superior axis",
            )
        },
        points={"seed": BREACH_CENTRE_MM},
        balls={"region": Ball(BREACH_CENTRE_MM, 8.0)},
        directions={"through": (0.0, 0.0, 1.0)},
    )


def _gas(label: str, centre: Vector, radii: Vector) -> KnownFinding:
    volume = _ball_volume(radii)
    return KnownFinding(
        label=label,
        kind="gas",
        site="maxilla",
        modality="CT",
        values={"gas_volume": Known(volume, "mm3", 0.15 * volume, "of the ellipsoid")},
        balls={"region": Ball(centre, max(radii) + 1.6)},
    )


def _segments() -> tuple[Segment, ...]:
    """Return what the label series marks: the cavity."""
    reach = zip(CAVITY_CENTRE_MM, CAVITY_RADII_MM, strict=True)
    low, high = zip(*((v - r, v + r) for v, r in reach), strict=True)
    return (
        Segment(
            label=CAVITY,
            shape=cavity(),
            box=(low, high),
            property_type=KINDS["osteolysis"],
            lesion=True,
            laterality="right",
        ),
    )


def case() -> PhantomCase:
    """Return the case."""
    pose = Pose.turned(
        pitch_deg=4.0, roll_deg=-1.0, yaw_deg=2.0, origin=(-2.6, -28.4, 207.9)
    )
    scan = Scan(
        modality="CT",
        label=SeriesLabel(
            study="maxilla_before",
            name="CT",
            patient_id="SYN-MAXILLA",
            description="CT maxilla bone 0.6",
            study_description="Maxilla before treatment (synthetic)",
            body_part="MAXILLA",
            number=2,
            date="20230620",
        ),
        grid=grid_around(
            pose.to_patient((-4.0, 0.0, 0.9)),
            row_direction=(1, 0, 0),
            column_direction=(0, 1, 0),
            spacing_mm=(0.6, 0.45, 0.45),
            shape=(74, 180, 190),
        ),
        pose=pose,
        levels=HOUNSFIELD,
        subsamples=(2, 2, 2),
        psf_sigma_mm=(0.50, 0.55, 0.55),
        noise_sd=30.0,
        noise_correlation_fwhm_mm=(0.6, 0.7, 0.7),
        segments=_segments,
    )
    return PhantomCase(
        name="maxilla_before",
        title="Maxilla before treatment: sequestra, eaten bone, gas, the same defect",
        parts=parts,
        scans=(scan,),
        gaps=(palatal_gap(),),
        findings=_findings,
    )
