"""The studies of the child's mandible: how it was scanned, and what is known of it."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms import mandible
from osteotrace.phantoms.dicom_series import SeriesLabel
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

if TYPE_CHECKING:
    from osteotrace.phantoms.scans import Vector

CASES: Final = {f"mandible_{month}": month for month in mandible.STAGES}
# CT was made once; a child is followed by MR.
WITH_CT: Final = ("month00",)
_TITLES: Final = {
    "month00": "large edema, expansion, periosteal reaction",
    "month05": "edema resolved, expansion",
    "month60": "remodelled toward symmetry",
    "month67": "minor flare",
    "month84": "no edema, near symmetry",
}
_POSES: Final = {
    "month00": (3.0, -1.0, 2.0),
    "month05": (-2.0, 1.5, -1.5),
    "month60": (1.0, 0.5, 3.0),
    "month67": (-3.0, -1.5, 1.0),
    "month84": (2.0, 1.0, -2.5),
}
# Middle of the image by the scale of the jaw, adult mm.
_CENTRE_MM: Final = (0.0, 8.0, -39.0)


def case(name: str) -> PhantomCase:
    """Return one of `CASES`."""
    month = CASES[name]
    scans = (_mr(name, month),)
    return PhantomCase(
        name=name,
        title=f"Mandible of a child, {month}: {_TITLES[month]}",
        parts=partial(mandible.parts, month),
        scans=(_ct(name, month), *scans) if month in WITH_CT else scans,
        findings=partial(_findings, month),
    )


def _label(name: str, month: str, modality: str, description: str) -> SeriesLabel:
    return SeriesLabel(
        study=name,
        name=modality,
        patient_id="SYN-MANDIBLE",
        description=description,
        study_description=f"Mandible {month} (synthetic)",
        body_part="JAW",
        number=2 if modality == "CT" else 5,
        date=mandible.STAGES[month].date,
        inversion_ms=160 if modality == "MR" else None,
    )


def _centre(month: str) -> Vector:
    x, y, z = (mandible.STAGES[month].scale * v for v in _CENTRE_MM)
    return x, y, z


def _ct(name: str, month: str) -> Scan:
    pitch, roll, yaw = _POSES[month]
    pose = Pose.turned(
        pitch_deg=-roll, roll_deg=pitch / 2, yaw_deg=-yaw, origin=(1.8, -22.5, -301.3)
    )
    return Scan(
        modality="CT",
        label=_label(name, month, "CT", "CT mandible bone 1.0"),
        grid=grid_around(
            pose.to_patient(_centre(month)),
            row_direction=(1, 0, 0),
            column_direction=(0, 1, 0),
            spacing_mm=(1.0, 0.7, 0.7),
            shape=(58, 124, 126),
        ),
        pose=pose,
        levels=mandible.HOUNSFIELD,
        subsamples=(2, 2, 2),
        psf_sigma_mm=(0.45, 0.5, 0.5),
        noise_sd=28.0,
        noise_correlation_fwhm_mm=(0.0, 1.0, 1.0),
        segments=partial(mandible.segments, month, "CT"),
    )


def _mr(name: str, month: str) -> Scan:
    pitch, roll, yaw = _POSES[month]
    pose = Pose.turned(
        pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw, origin=(-2.4, 11.9, 33.6)
    )
    size = mandible.STAGES[month].scale / 0.78
    slices, rows, columns = (int(np.ceil(size * n)) for n in (22, 118, 124))
    return Scan(
        modality="MR",
        label=_label(name, month, "MR", "STIR axial"),
        grid=grid_around(
            pose.to_patient(_centre(month)),
            row_direction=(1, 0, 0),
            column_direction=(0, 1, 0),
            spacing_mm=(2.7, 0.75, 0.75),
            shape=(slices, rows, columns),
        ),
        pose=pose,
        levels=mandible.STIR_SIGNAL,
        subsamples=(4, 2, 2),
        psf_sigma_mm=(0.0, 0.45, 0.45),
        noise_sd=14.0,
        noise_correlation_fwhm_mm=(0.0, 0.9, 0.9),
        segments=partial(mandible.segments, month, "MR"),
    )


# What is known ------------------------------------------------------------------------


@cache
def half_volume(month: str, side: str) -> float:
    """Return the true volume of a half of the bone, mm3."""
    box = mandible.half_box(month, side)
    return integrated_volume(mandible.half(month, side), box, step_mm=0.75)


@cache
def edema_volume(month: str) -> float:
    """Return the true volume of the edema, mm3."""
    box = mandible.half_box(month, "left")
    return integrated_volume(mandible.edema(month), box, step_mm=0.5)


@cache
def _findings(month: str) -> tuple[KnownFinding, ...]:
    stage = mandible.STAGES[month]
    modalities = ("CT", "MR") if month in WITH_CT else ("MR",)
    found = [_expansion(month, modality) for modality in modalities]
    found.append(_edema(month))
    if stage.periosteal_mm:
        found.append(
            KnownFinding(
                label="PERIOSTEUM",
                kind="periosteal_reaction",
                site="mandible",
                laterality="left",
                modality="CT",
                values={
                    "periosteal_thickness": Known(
                        stage.periosteal_mm, "mm", 0.6, "of the new bone on the cortex"
                    )
                },
                segments={"bone": "left hemimandible"},
                balls={"region": _lifted(month)},
            )
        )
    return tuple(found)


def _lifted(month: str) -> Ball:
    """Return a ball over the lifted periosteum beside the left molars."""
    scale = mandible.STAGES[month].scale
    return Ball((30.0 * scale, 12.0 * scale, -50.0 * scale), 12.0)


def _expansion(month: str, modality: str) -> KnownFinding:
    left, right = (half_volume(month, side) for side in ("left", "right"))
    index = 100 * (left - right) / (0.5 * (left + right))
    return KnownFinding(
        label="EXPANSION" if modality == "MR" else f"EXPANSION {modality}",
        kind="bone_expansion",
        site="mandible",
        laterality="left",
        modality=modality,
        values={
            "bone_volume_left": Known(
                left, "mm3", 0.05 * left, "half of the bone to the left of the midline"
            ),
            "bone_volume_right": Known(
                right, "mm3", 0.05 * right, "half of the bone to the right"
            ),
            "asymmetry_index_volume": Known(
                index, "%", 3.0, "100 (left - right) by the mean of both"
            ),
        },
        segments={"left": "left hemimandible", "right": "right hemimandible"},
        points={"symphysis": _symphysis(month)},
        directions={"left": (1.0, 0.0, 0.0)},
    )


def _symphysis(month: str) -> Vector:
    scale = mandible.STAGES[month].scale
    return 0.0, -20.0 * scale, -48.0 * scale


def _edema(month: str) -> KnownFinding:
    stage = mandible.STAGES[month]
    centre, radius = mandible.MUSCLE_BALL
    x, y, z = (stage.scale * v for v in centre)
    balls = {"muscle": Ball((x, y, z), stage.scale * radius)}
    if stage.edema is None:
        nothing = Known(0.0, "mm3", 0.0, "no marrow of raised STIR signal")
        return KnownFinding(
            label="EDEMA",
            kind="marrow_edema",
            site="mandible",
            laterality="left",
            modality="MR",
            values={"edema_volume": nothing},
            balls=balls,
            segments={"bone": "left hemimandible", "muscle": "muscle"},
        )
    volume, whole = edema_volume(month), half_volume(month, "left")
    signal = mandible.STIR_SIGNAL
    ratio = signal["edema"].mean / signal["muscle"].mean
    return KnownFinding(
        label="EDEMA",
        kind="marrow_edema",
        site="mandible",
        laterality="left",
        modality="MR",
        values={
            "edema_volume": Known(
                volume, "mm3", 0.15 * volume, "marrow of raised STIR signal, no sockets"
            ),
            "edema_percent": Known(
                100 * volume / whole, "%", 15 * volume / whole, "of the left half"
            ),
            "signal_ratio_to_muscle": Known(
                ratio, "{ratio}", 0.17 * ratio, RATIO_DEFINITION
            ),
        },
        balls=balls,
        segments={
            "edema": "left marrow edema",
            "bone": "left hemimandible",
            "muscle": "muscle",
        },
    )
