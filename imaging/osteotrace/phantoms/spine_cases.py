"""The three studies of the spine: how it was scanned, and what is known of it."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms import spine
from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.morphometry import DEFINITION, Morphometry, morphometry
from osteotrace.phantoms.rendering import Pose
from osteotrace.phantoms.scans import (
    RATIO_DEFINITION,
    Ball,
    Known,
    KnownFinding,
    PhantomCase,
    Scan,
    grid_around,
    integrated_volume,
)
from osteotrace.phantoms.vertebral_column import body

if TYPE_CHECKING:
    from osteotrace.phantoms.scans import Vector

CASES: Final = {f"spine_{date}": date for date in spine.BY_DATE}
# Study dates: the first is known by its month only.
_DICOM_DATES: Final = {
    "2023-07": "20230715",
    "2023-09-03": "20230903",
    "2023-09-27": "20230927",
}
# Another bed, another day: the poses of CT and MR by date.
_POSES: Final = {
    "2023-07": ((2.0, 1.0, -1.5), (-1.5, -0.5, 1.0)),
    "2023-09-03": ((-1.0, -1.5, 2.0), (2.5, 1.0, -1.0)),
    "2023-09-27": ((3.0, 0.5, 1.0), (0.5, -1.0, 2.0)),
}
_CENTRE_MM: Final = (0.0, 21.0, -6.0)

# How near a reading has to come: mm of height or depression, points of loss, degrees.
# Where an endplate is steep, the windows of the definition reach into its rim.
TOLERANCES: Final = {False: (0.7, 3.0, 2.0), True: (1.0, 4.0, 3.0)}

# Six rough points: mm off the true ones, left, posterior and superior.
_ROUGH_MM: Final = (
    (0.6, 0.5, 0.7),
    (-0.4, 0.8, -0.6),
    (0.5, -0.7, 0.8),
    (-0.6, 0.6, -0.7),
    (0.5, -0.5, 0.7),
    (-0.5, -0.6, -0.8),
)
_PLACES: Final = ("anterior", "middle", "posterior")


def case(name: str) -> PhantomCase:
    """Return one of `CASES`."""
    date = CASES[name]
    return PhantomCase(
        name=name,
        title=f"Spine, {date}: {_story(date)}",
        parts=partial(spine.parts, date),
        scans=(_ct(name, date), _mr(name, date)),
        findings=partial(_findings, date),
    )


def _story(date: str) -> str:
    fresh = [n.upper() for n, b in spine.BY_DATE[date].items() if not b.cemented]
    filled = [n.upper() for n, b in spine.BY_DATE[date].items() if b.cemented]
    return f"new fracture of {' and '.join(fresh)}; cement in {', '.join(filled)}"


def _pose(angles: Vector, shift: Vector) -> Pose:
    pitch, roll, yaw = angles
    return Pose.turned(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw, origin=shift)


def _ct(name: str, date: str) -> Scan:
    pose = _pose(_POSES[date][0], (3.4, -12.8, 905.3))
    return Scan(
        modality="CT",
        label=SeriesLabel(
            study=name,
            name="CT",
            patient_id="SYN-SPINE",
            description="CT spine bone 1.0",
            study_description=f"Spine {date} (synthetic)",
            body_part="TLSPINE",
            number=2,
            date=_DICOM_DATES[date],
        ),
        grid=grid_around(
            pose.to_patient(_CENTRE_MM),
            row_direction=(1, 0, 0),
            column_direction=(0, 1, 0),
            spacing_mm=(1.0, 0.95, 0.95),
            shape=(246, 112, 64),
        ),
        pose=pose,
        levels=spine.HOUNSFIELD,
        subsamples=(2, 2, 2),
        psf_sigma_mm=(0.45, 0.6, 0.6),
        noise_sd=22.0,
        noise_correlation_fwhm_mm=(0.0, 1.2, 1.2),
        segments=partial(spine.segments, date, "CT"),
    )


def _mr(name: str, date: str) -> Scan:
    pose = _pose(_POSES[date][1], (-1.2, 8.7, -41.6))
    # Sagittal slices, planned along the column.
    plane = Pose.turned(yaw_deg=_POSES[date][1][2], roll_deg=_POSES[date][1][1]).rotation
    return Scan(
        modality="MR",
        label=SeriesLabel(
            study=name,
            name="MR",
            patient_id="SYN-SPINE",
            description="STIR sagittal",
            study_description=f"Spine {date} (synthetic)",
            body_part="TLSPINE",
            number=5,
            date=_DICOM_DATES[date],
            inversion_ms=160,
        ),
        grid=grid_around(
            pose.to_patient(_CENTRE_MM),
            row_direction=plane[:, 1],
            column_direction=-plane[:, 2],
            spacing_mm=(3.5, 0.9, 0.9),
            shape=(19, 274, 124),
        ),
        pose=pose,
        levels=spine.STIR_SIGNAL,
        subsamples=(4, 2, 2),
        psf_sigma_mm=(0.0, 0.55, 0.55),
        noise_sd=14.0,
        noise_correlation_fwhm_mm=(0.0, 1.1, 1.1),
        segments=partial(spine.segments, date, "MR"),
    )


# What is known ------------------------------------------------------------------------


@cache
def read(date: str, level: str) -> Morphometry:
    """Return the true morphometry of a level at a date."""
    return morphometry(body(spine.column(date)[level].vertebra))


@cache
def body_volume(date: str, level: str) -> float:
    """Return the true volume of a body, mm3."""
    placed = spine.column(date)[level]
    return integrated_volume(placed.body, placed.body_box)


@cache
def edema_volume(date: str, level: str) -> float:
    """Return the true volume of the edema of a level, mm3."""
    placed = spine.column(date)[level]
    return integrated_volume(spine.edema_in_marrow(date, level), placed.body_box)


@cache
def _findings(date: str) -> tuple[KnownFinding, ...]:
    found = [_vertebra(date, level) for level in spine.LEVELS]
    for level, broken in spine.BY_DATE[date].items():
        if broken.cemented:
            found.append(_cement(date, level))
        if broken.edema is not None:
            found.append(_edema(date, level))
    return tuple(found)


def _vertebra(date: str, level: str) -> KnownFinding:
    placed, true = spine.column(date)[level], read(date, level)
    broken = level in spine.BY_DATE[date]
    rough = true.points.reshape(6, 3) + np.array(_ROUGH_MM)
    roles = [
        f"{plate}_{place}" for plate in ("superior", "inferior") for place in _PLACES
    ]
    points = {
        role: _vector(point)
        for role, point in zip(roles, placed.to_anatomy(rough), strict=True)
    }
    return KnownFinding(
        label=level.upper(),
        kind="vcf" if broken else "vertebra",
        site=level,
        modality="CT",
        values=_vertebra_values(date, level),
        points={**points, "centre": placed.centre},
        segments={"body": f"{level.upper()} vertebral body"},
        directions={
            "superior": _vector(placed.axes[2]),
            "anterior": _vector(-placed.axes[1]),
        },
    )


def _vertebra_values(date: str, level: str) -> dict[str, Known]:
    true = read(date, level)
    front, middle, back = true.heights_mm
    height_tolerance, _, angle_tolerance = TOLERANCES[level in spine.BY_DATE[date]]
    values = {
        f"height_{place}": Known(height, "mm", height_tolerance, DEFINITION)
        for place, height in zip(_PLACES, true.heights_mm, strict=True)
    }
    values["height_loss_own_anterior"] = _loss(front, back, "own posterior height")
    values["height_loss_own_middle"] = _loss(middle, back, "own posterior height")
    values["wedge_angle"] = Known(
        true.wedge_deg,
        "deg",
        angle_tolerance,
        "between the lines of both endplates, positive where the front is lower",
    )
    for plate, depth in zip(("superior", "inferior"), true.depression_mm, strict=True):
        values[f"endplate_depression_{plate}"] = Known(
            depth, "mm", height_tolerance, "deepest below the line from rim to rim"
        )
    volume = body_volume(date, level)
    values["body_volume"] = Known(
        volume, "mm3", 0.04 * volume, "all within the outer surface of the body"
    )
    values.update(_against_others(date, level))
    return values


def _against_others(date: str, level: str) -> dict[str, Known]:
    """Return loss against neighbours and the date before, and kyphosis with the next."""
    values = {}
    reference = _neighbours(date, level)
    dates = list(spine.BY_DATE)
    before = dates[dates.index(date) - 1] if date != dates[0] else None
    for n, place in enumerate(_PLACES):
        own = read(date, level).heights_mm[n]
        if reference and level in spine.BY_DATE[date]:
            mean = float(np.mean([read(date, r).heights_mm[n] for r in reference]))
            against = f"mean of {' and '.join(r.upper() for r in reference)}"
            values[f"height_loss_adjacent_{place}"] = _loss(own, mean, against)
        if before is not None:
            prior = read(before, level).heights_mm[n]
            values[f"height_loss_prior_{place}"] = _loss(
                own, prior, f"the same level in spine_{before}"
            )
    above = list(spine.LEVELS)[max(0, spine.LEVELS.index(level) - 1)]
    if above != level:
        values["local_kyphosis"] = Known(
            _endplate_deg(date, above, 0) - _endplate_deg(date, level, 1),
            "deg",
            TOLERANCES[True][2],
            f"superior endplate of {above.upper()} to inferior endplate of "
            f"{level.upper()}, positive where it bends forwards",
        )
    return values


def _endplate_deg(date: str, level: str, plate: int) -> float:
    """Return how far an endplate rises to the back, in the anatomical frame, deg."""
    return spine.column(date)[level].tilt_deg + read(date, level).endplate_deg[plate]


def _neighbours(date: str, level: str) -> tuple[str, ...]:
    """Return the nearest intact level above and below, each within three levels."""
    place = spine.LEVELS.index(level)
    sides = (spine.LEVELS[:place][::-1][:3], spine.LEVELS[place + 1 :][:3])
    intact = [[n for n in side if n not in spine.BY_DATE[date]] for side in sides]
    return tuple(side[0] for side in intact if side)


def _loss(own: float, reference: float, against: str) -> Known:
    return Known(
        100 * (1 - own / reference),
        "%",
        TOLERANCES[True][1],
        f"height lost against {against}",
    )


def _cement(date: str, level: str) -> KnownFinding:
    placed = spine.column(date)[level]
    volume = spine.CEMENT_VOLUME_MM3
    return KnownFinding(
        label=f"{level.upper()} cement",
        kind="cement",
        site=level,
        modality="CT",
        values={
            "cement_volume": Known(
                volume, "mm3", 0.05 * volume, "two ellipsoids, one through each pedicle"
            )
        },
        balls={"region": Ball(placed.centre, 24.0)},
        segments={"body": f"{level.upper()} vertebral body"},
    )


def _edema(date: str, level: str) -> KnownFinding:
    placed = spine.column(date)[level]
    thickness = (spine.BY_DATE[date][level].edema or (0.0, 0.0))[0]
    volume, whole = edema_volume(date, level), body_volume(date, level)
    vertebra = placed.vertebra
    lowest = 0.5 * vertebra.heights_mm[1] - 0.5 * vertebra.front_loss_mm
    seed = (0.0, -2.0, lowest - vertebra.depression_mm - 0.6 * thickness)
    back = spine.column(date)["l3"].to_anatomy((22.0, 53.0, 0.0))
    signal = spine.STIR_SIGNAL
    ratio = signal["edema"].mean / signal["muscle"].mean
    return KnownFinding(
        label=f"{level.upper()} edema",
        kind="marrow_edema",
        site=level,
        modality="MR",
        values={
            "edema_volume": Known(
                volume, "mm3", 0.12 * volume, "marrow of raised STIR signal"
            ),
            "edema_percent": Known(
                100 * volume / whole, "%", 12 * volume / whole, "of the vertebral body"
            ),
            "signal_ratio_to_muscle": Known(
                ratio, "{ratio}", 0.17 * ratio, RATIO_DEFINITION
            ),
        },
        points={"seed": _vector(placed.to_anatomy(seed))},
        balls={"muscle": Ball(_vector(back), 10.0), "marrow": _marrow_ball(date)},
        segments={
            "edema": f"{level.upper()} marrow edema",
            "body": f"{level.upper()} vertebral body",
            "muscle": "muscle",
        },
    )


def _marrow_ball(date: str) -> Ball:
    """Return a ball in normal marrow: of T12."""
    return Ball(spine.column(date)["t12"].centre, 7.0)


def _vector(values: object) -> Vector:
    x, y, z = (float(v) for v in np.asarray(values))
    return x, y, z
