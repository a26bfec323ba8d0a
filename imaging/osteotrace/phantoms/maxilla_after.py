"""The maxilla after treatment: how it was scanned, and what is known of it."""

from __future__ import annotations

from typing import Final

import numpy as np

from osteotrace.phantoms import maxilla
from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.rendering import Pose
from osteotrace.phantoms.scans import (
    Gap,
    Known,
    KnownFinding,
    PhantomCase,
    Scan,
    grid_around,
)

# Off the true edges, anterior and posterior wall, as a reader clicks.
_ROUGH_MM: Final = ((0.7, 0.9, -0.8), (-0.8, 1.1, 0.6))


def _ct() -> Scan:
    pose = Pose.turned(
        pitch_deg=6.0, roll_deg=1.5, yaw_deg=-3.0, origin=(4.2, -31.5, 112.4)
    )
    return Scan(
        modality="CT",
        label=SeriesLabel(
            study="maxilla_after",
            name="CT",
            patient_id="SYN-MAXILLA",
            description="CT maxilla bone 0.6",
            study_description="Maxilla after treatment (synthetic)",
            body_part="MAXILLA",
            number=2,
            date="20240115",
        ),
        grid=grid_around(
            pose.to_patient((0.0, 2.0, -11.4)),
            row_direction=(1, 0, 0),
            column_direction=(0, 1, 0),
            spacing_mm=(0.6, 0.40, 0.45),
            shape=(86, 216, 168),
        ),
        pose=pose,
        levels=maxilla.HOUNSFIELD,
        subsamples=(2, 2, 2),
        psf_sigma_mm=(0.50, 0.55, 0.55),
        noise_sd=30.0,
        noise_correlation_fwhm_mm=(0.6, 0.7, 0.7),
    )


def _mr() -> Scan:
    pose = Pose.turned(
        pitch_deg=-4.0, roll_deg=-1.0, yaw_deg=2.5, origin=(-3.1, 12.7, 24.9)
    )
    # The slices were planned on the face, one degree off its midplane.
    plane = Pose.turned(yaw_deg=1.5, roll_deg=-0.5).rotation
    return Scan(
        modality="MR",
        label=SeriesLabel(
            study="maxilla_after",
            name="MR",
            patient_id="SYN-MAXILLA",
            description="T2 TSE sagittal",
            study_description="Maxilla after treatment (synthetic)",
            body_part="MAXILLA",
            number=5,
            date="20240115",
        ),
        grid=grid_around(
            pose.to_patient((0.0, 3.0, -6.0)),
            row_direction=plane[:, 1],
            column_direction=-plane[:, 2],
            spacing_mm=(3.0, 0.55, 0.60),
            shape=(20, 120, 152),
        ),
        pose=pose,
        levels=maxilla.T2_SIGNAL,
        subsamples=(5, 2, 2),
        psf_sigma_mm=(0.0, 0.50, 0.50),
        noise_sd=20.0,
        noise_correlation_fwhm_mm=(0.0, 0.7, 0.7),
    )


def palatal_gap() -> Gap:
    """Return the bony gap, the same before treatment and after."""
    return Gap(
        name="palatal_gap",
        modality="CT",
        value_mm=maxilla.BONY_GAP_MM,
        tolerance_mm=0.05,
        centre=maxilla.DEFECT_CENTRE_MM,
        flat_mm=(13.0, 8.0),
        rough_offsets_mm=_ROUGH_MM,
    )


def palatal_defect() -> KnownFinding:
    """Return what is known of the bony defect as a region."""
    length, width = maxilla.BONY_GAP_MM, 2 * maxilla.DEFECT_HALF_WIDTH_MM
    corners = (4 - np.pi) * maxilla.DEFECT_CORNER_MM**2
    left, posterior, superior = maxilla.DEFECT_CENTRE_MM
    walls = [
        (left + off[0], posterior + side * length / 2 + off[1], superior + off[2])
        for side, off in zip((-1, 1), _ROUGH_MM, strict=True)
    ]
    return KnownFinding(
        label="PALATE",
        kind="palatal_bony_defect",
        site="hard_palate",
        modality="CT",
        values={
            "palatal_gap_ap": Known(
                length, "mm", 0.3, "between the flat anterior and posterior wall"
            ),
            "palatal_gap_transverse": Known(
                width, "mm", 0.4, "between the flat left and right wall"
            ),
            "palatal_gap_area": Known(
                length * width - corners,
                "mm2",
                8.0,
                "of the hole's outline, looked at along the superior axis",
            ),
        },
        points={
            "start": walls[0],
            "end": walls[1],
            "seed": (left + 0.8, posterior - 0.6, superior),
        },
        directions={"normal": (0.0, 0.0, 1.0), "anterior": (0.0, -1.0, 0.0)},
    )


def case() -> PhantomCase:
    """Return the case."""
    return PhantomCase(
        name="maxilla_after",
        title="Maxilla after treatment: anterior palatal defect",
        parts=maxilla.parts,
        scans=(_ct(), _mr()),
        gaps=(
            palatal_gap(),
            Gap(
                name="soft_tissue_gap",
                modality="MR",
                value_mm=maxilla.SOFT_TISSUE_GAP_MM,
                tolerance_mm=0.10,
                centre=maxilla.NOTCH_CENTRE_MM,
                flat_mm=(12.8, 9.0),
                rough_offsets_mm=((-0.9, 0.8, 0.7), (0.8, 1.0, -0.9)),
            ),
        ),
        findings=lambda: (palatal_defect(),),
    )
