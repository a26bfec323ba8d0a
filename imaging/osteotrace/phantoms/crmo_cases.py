"""The studies of the five children: how each was scanned, and what is known of it."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Final

from osteotrace.phantoms import limbs, spine
from osteotrace.phantoms.crmo import (
    CASES,
    PHASES,
    SUBJECTS,
    Subject,
    child_body,
    edema,
    edema_box,
    parts,
    segment_label,
    segments,
)
from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.rendering import Pose
from osteotrace.phantoms.scans import (
    RATIO_DEFINITION,
    Known,
    KnownFinding,
    PhantomCase,
    Scan,
    grid_around,
    integrated_volume,
)

if TYPE_CHECKING:
    from osteotrace.geometry import Grid
    from osteotrace.phantoms.rendering import Level
    from osteotrace.phantoms.scans import Vector

# Pitch, roll and yaw of the body in the scanner before and after, deg.
_POSES: Final = ((2.0, -1.5, 1.0), (-1.5, 2.0, -2.5))
_AXES: Final[dict[str, tuple[Vector, Vector]]] = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}


def case(name: str) -> PhantomCase:
    """Return one of `CASES`."""
    number, phase = CASES[name]
    where = " and ".join(
        f"{lesion.laterality} {lesion.site}".strip()
        for lesion in SUBJECTS[number].lesions
    )
    return PhantomCase(
        name=name,
        title=f"Osteomyelitis, subject {number}, {phase} treatment: {where}",
        parts=partial(parts, number, phase),
        scans=(_mr(name),),
        findings=partial(_findings, number, phase),
    )


def _levels(number: int) -> dict[str, Level]:
    return (
        {**spine.STIR_SIGNAL, **limbs.STIR_SIGNAL} if number == 3 else limbs.STIR_SIGNAL
    )


def _mr(name: str) -> Scan:
    number, phase = CASES[name]
    subject = SUBJECTS[number]
    late = PHASES.index(phase)
    pitch, roll, yaw = _POSES[late]
    pose = Pose.turned(
        pitch_deg=pitch,
        roll_deg=roll,
        yaw_deg=yaw,
        origin=(3.1 - 5.0 * late, -7.4 + 9.0 * late, 20.6 + 13.0 * late),
    )
    return Scan(
        modality="MR",
        label=SeriesLabel(
            study=name,
            name="MR",
            patient_id=f"SYN-CRMO-{number}",
            description=f"STIR {subject.plane}",
            study_description=f"Osteomyelitis, subject {number}, {phase} (synthetic)",
            body_part=subject.body_part,
            number=4,
            date=subject.dates[late],
            inversion_ms=160,
        ),
        grid=_grid(subject, pose),
        pose=pose,
        levels=_levels(number),
        subsamples=(4, 2, 2),
        psf_sigma_mm=(0.0, 0.5, 0.5),
        noise_sd=14.0,
        noise_correlation_fwhm_mm=(0.0, 1.0, 1.0),
        segments=partial(segments, number, phase),
    )


def _grid(subject: Subject, pose: Pose) -> Grid:
    row, column = _AXES[subject.plane]
    return grid_around(
        pose.to_patient(subject.centre),
        row_direction=row,
        column_direction=column,
        spacing_mm=subject.spacing_mm,
        shape=subject.shape,
    )


# What is known ------------------------------------------------------------------------


@cache
def edema_volume(number: int, place: int, phase: str) -> float:
    """Return the true volume of a subject's lesion, mm3."""
    subject = SUBJECTS[number]
    lesion = subject.lesions[place]
    shape = edema(lesion, subject.region().marrow[lesion.site], phase)
    return integrated_volume(shape, edema_box(lesion, phase), step_mm=0.4)


@cache
def _body_volume() -> float:
    segment = child_body()
    return integrated_volume(segment.shape, segment.box)


@cache
def _findings(number: int, phase: str) -> tuple[KnownFinding, ...]:
    count = len(SUBJECTS[number].lesions)
    return tuple(_finding(number, place, phase) for place in range(count))


def _finding(number: int, place: int, phase: str) -> KnownFinding:
    subject = SUBJECTS[number]
    lesion = subject.lesions[place]
    volume = edema_volume(number, place, phase)
    levels = _levels(number)
    ratio = levels["edema"].mean / levels["muscle"].mean
    values = {
        "edema_volume": Known(
            volume, "mm3", 0.15 * volume, "marrow of raised STIR signal"
        ),
        "signal_ratio_to_muscle": Known(ratio, "{ratio}", 0.17 * ratio, RATIO_DEFINITION),
    }
    named = {"edema": segment_label(lesion), "muscle": "muscle"}
    if lesion.site == "l3":
        whole = _body_volume()
        values["edema_percent"] = Known(
            100 * volume / whole, "%", 15 * volume / whole, "of the vertebral body"
        )
        named["body"] = "L3 vertebral body"
    return KnownFinding(
        label=f"EDEMA {lesion.site}",
        kind="marrow_edema",
        site=lesion.site,
        laterality=lesion.laterality,
        modality="MR",
        values=values,
        points={"seed": lesion.centre},
        balls={"muscle": subject.muscle, "marrow": subject.marrow},
        segments=named,
    )
