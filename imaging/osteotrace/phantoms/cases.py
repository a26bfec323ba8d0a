"""The sample cases: which anatomy, scanned how, with which true lengths.

A case is a scene, the scans of it and its known gaps, all in one anatomical frame.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.phantoms import maxilla, spine_cases
from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.rendering import Pose, correlated_noise, render, seed
from osteotrace.phantoms.scans import Gap, PhantomCase, Scan, grid_around

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.phantoms.shapes import Array


def _maxilla_ct() -> Scan:
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


def _maxilla_mr() -> Scan:
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


def _maxilla_after() -> PhantomCase:
    return PhantomCase(
        name="maxilla_after",
        title="Maxilla after treatment: anterior palatal defect",
        parts=maxilla.parts,
        scans=(_maxilla_ct(), _maxilla_mr()),
        gaps=(
            Gap(
                name="palatal_gap",
                modality="CT",
                value_mm=maxilla.BONY_GAP_MM,
                tolerance_mm=0.05,
                centre=maxilla.DEFECT_CENTRE_MM,
                flat_mm=(13.0, 8.0),
                rough_offsets_mm=((0.7, 0.9, -0.8), (-0.8, 1.1, 0.6)),
            ),
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
    )


_CASES: Final[dict[str, Callable[[], PhantomCase]]] = {
    "maxilla_after": _maxilla_after,
    **{name: partial(spine_cases.case, name) for name in spine_cases.CASES},
}
CASES: Final = tuple(_CASES)


def phantom_case(name: str) -> PhantomCase:
    """Return the description of a sample case.

    Raises
    ------
    OsteotraceError
        If there is no case of that name.
    """
    if name not in _CASES:
        raise OsteotraceError(
            f"no sample case {name!r}",
            expected=f"one of {', '.join(CASES)}",
            advice="choose one of these",
            usage=True,
        )
    return _CASES[name]()


def image(case: PhantomCase, scan: Scan, *, noise: bool = True) -> Array:
    """Return the image of one scan in HU or signal, (slices, rows, columns) float64.

    MR is the magnitude of two channels with independent noise (Rician); CT noise is
    additive.
    """
    clean = render(
        case.parts(),
        scan.levels,
        scan.grid,
        scan.pose,
        psf_sigma_mm=scan.psf_sigma_mm,
        subsamples=scan.subsamples,
    )
    if not noise:
        return clean
    if scan.modality == "CT":
        return np.asarray(clean + noise_field(case, scan, "attenuation"))
    real = clean + noise_field(case, scan, "real")
    return np.asarray(np.hypot(real, noise_field(case, scan, "imaginary")))


def noise_field(case: PhantomCase, scan: Scan, channel: str) -> Array:
    """Return the noise of one channel, seeded by the names of case, series, channel."""
    return correlated_noise(
        scan.grid.shape,
        scan.grid.spacing,
        sd=scan.noise_sd,
        correlation_fwhm_mm=scan.noise_correlation_fwhm_mm,
        seed=seed(case.name, scan.label.name, channel),
    )
