"""Which motions lie between two studies of one patient: numbered, drawn, in bands.

A number alone decides scene, modalities, rotation and how much of the image is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from osteotrace.phantoms.rendering import seed

Modality = Literal["CT", "MR"]
Refusal = Literal[
    "no overlap", "another patient", "another level", "featureless", "round bottle"
]
REFUSALS: Final[tuple[Refusal, ...]] = get_args(Refusal)

# How many pairs with an answer there are.
CASES: Final = 60
# Rotation between the studies: each band, deg, in turn.
BANDS_DEG: Final = ((0.0, 15.0), (15.0, 30.0), (30.0, 45.0), (45.0, 60.0))
# Share of the earlier image that the later one lacks, at most.
MOST_LOST: Final = 0.4
SCENES: Final = ("maxilla", "spine", "mandible", "knee")
# Modalities of the earlier and the later study, in turn.
PAIRS: Final[tuple[tuple[Modality, Modality], ...]] = (
    ("CT", "CT"), ("CT", "MR"), ("MR", "MR"), ("CT", "CT"), ("CT", "CT"),
    ("MR", "CT"), ("CT", "CT"), ("MR", "MR"), ("CT", "CT"), ("CT", "MR"),
    ("CT", "CT"), ("CT", "CT"), ("MR", "MR"), ("MR", "CT"), ("CT", "CT"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """One pair of studies before it is rendered.

    Parameters
    ----------
    number : int
        Decides all that is drawn at random.
    scene : str
        Of `SCENES`.
    modalities : (earlier, later)
    rotation_deg : float
        Between the studies, about a random axis.
    lost : float
        Share of the earlier image that the later one lacks, 0 to 1.
    refusal : str
        Why it is to be refused; empty where it is not.
    """

    number: int
    scene: str
    modalities: tuple[Modality, Modality]
    rotation_deg: float
    lost: float
    refusal: Refusal | Literal[""] = ""

    @property
    def pair(self) -> str:
        """The modalities without their order: ``"CT-MR"``."""
        return "-".join(sorted(self.modalities))

    @property
    def name(self) -> str:
        """What the pair is, in words."""
        what = f"{self.number}: {self.scene}, {'→'.join(self.modalities)}"
        if self.refusal:
            return f"{what}, {self.refusal}"
        return f"{what}, {self.rotation_deg:.0f}°, {100 * self.lost:.0f} % lost"


def motions(count: int = CASES) -> tuple[Motion, ...]:
    """Return the first pairs that have an answer; every prefix is a mixture."""
    return tuple(_motion(number) for number in range(count))


def refusals(count: int = 2 * len(REFUSALS)) -> tuple[Motion, ...]:
    """Return pairs that are to be refused: no answer, or next to none, is right."""
    return tuple(_refused(k) for k in range(count))


def _motion(number: int) -> Motion:
    turn, band = divmod(number, len(BANDS_DEG))
    draw = draws("motion", number)
    return Motion(
        number=number,
        scene=SCENES[(turn + band) % len(SCENES)],
        modalities=PAIRS[(turn + 4 * band) % len(PAIRS)],
        rotation_deg=float(draw.uniform(*BANDS_DEG[band])),
        lost=float(draw.uniform(0.0, MOST_LOST)),
    )


def _refused(k: int) -> Motion:
    number, kind = 1000 + k, REFUSALS[k % len(REFUSALS)]
    draw = draws("refusal", number)
    scene = SCENES[(k // len(REFUSALS) + 2 * k) % len(SCENES)]
    return Motion(
        number=number,
        scene="spine" if kind == "another level" else scene,
        modalities=("CT", "CT") if k % 3 else ("CT", "MR"),
        rotation_deg=float(draw.uniform(0.0, 30.0)),
        lost=float(draw.uniform(0.0, 0.2)),
        refusal=kind,
    )


def draws(*names: object) -> np.random.Generator:
    """Return the random numbers that names alone decide."""
    return np.random.Generator(np.random.PCG64(seed(*map(str, names))))
