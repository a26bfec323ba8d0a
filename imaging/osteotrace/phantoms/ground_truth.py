"""What is known of the sample cases, in the patient LPS mm of each series.

These records are the schema of truth.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.phantoms.cases import phantom_case
from osteotrace.phantoms.scans import Vector

if TYPE_CHECKING:
    from osteotrace.phantoms.scans import Gap, KnownFinding, PhantomCase, Scan
    from osteotrace.phantoms.shapes import Array


class TrueEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A wall of a gap: LPS mm of its centre, normal into the gap, and a rough point."""

    centre_lps_mm: Vector
    normal_into_gap_lps: Vector
    rough_point_lps_mm: Vector


class TrueLength(msgspec.Struct, frozen=True, kw_only=True):
    """A known length and where it lies."""

    modality: str
    series_uid: str
    frame_of_reference_uid: str
    value: float
    unit: str
    tolerance: float
    definition: str
    flat_left_right_mm: float
    flat_superior_inferior_mm: float
    edges: tuple[TrueEdge, TrueEdge]


class TrueValue(msgspec.Struct, frozen=True, kw_only=True):
    """A known quantity, and how near a reading has to come."""

    value: float
    unit: str
    tolerance: float
    definition: str


class TrueBall(msgspec.Struct, frozen=True, kw_only=True):
    """A region to mark: LPS mm of its centre, and its radius."""

    centre_lps_mm: Vector
    radius_mm: float


class TrueFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A lesion or a bone of which values are known, and where a reader marks it.

    Values go by the name of the quantity, all marks by their role; segments are named by
    their label in the label series of the same scan.
    """

    kind: str
    site: str
    modality: str
    series_uid: str
    frame_of_reference_uid: str
    values: dict[str, TrueValue]
    laterality: str = ""
    rough_points_lps_mm: dict[str, Vector] = {}
    balls: dict[str, TrueBall] = {}
    directions_lps: dict[str, Vector] = {}
    segments: dict[str, str] = {}


class TrueSeries(msgspec.Struct, frozen=True, kw_only=True):
    """How a series was made."""

    folder: str
    modality: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    description: str
    shape_slice_row_column: tuple[int, int, int]
    spacing_mm_slice_row_column: Vector
    psf_sigma_mm_slice_row_column: Vector
    noise_sd: float
    noise_unit: str
    noise_kind: str
    noise_correlation_fwhm_mm_slice_row_column: Vector
    anatomical_axes_lps: tuple[Vector, Vector, Vector]


class CaseTruth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of a case, by name of quantity and by modality."""

    title: str
    patient_id: str
    quantities: dict[str, TrueLength]
    series: dict[str, TrueSeries]
    findings: dict[str, TrueFinding] = {}


def truth(name: str) -> CaseTruth:
    """Return all that is known of a sample case; raises as `phantom_case`."""
    case = phantom_case(name)
    return CaseTruth(
        title=case.title,
        patient_id=case.scans[0].label.patient_id,
        quantities={
            gap.name: _true_length(gap, case.scan(gap.modality)) for gap in case.gaps
        },
        series={scan.label.name: _true_series(case, scan) for scan in case.scans},
        findings={
            known.label: _true_finding(known, case.scan(known.modality))
            for known in case.findings()
        },
    )


def _vector(values: Array) -> Vector:
    x, y, z = (round(float(v), 9) + 0.0 for v in values)
    return x, y, z


def _true_length(gap: Gap, scan: Scan) -> TrueLength:
    edges = []
    for side, rough in zip((-1.0, 1.0), gap.rough_offsets_mm, strict=True):
        centre = np.array(gap.centre) + np.array([0.0, side * gap.value_mm / 2, 0.0])
        edges.append(
            TrueEdge(
                centre_lps_mm=_vector(scan.pose.to_patient(centre)),
                normal_into_gap_lps=_vector(scan.pose.direction((0.0, -side, 0.0))),
                rough_point_lps_mm=geometry.as_stored(
                    np.round(scan.pose.to_patient(centre + rough), 2)
                ),
            )
        )
    return TrueLength(
        modality=gap.modality,
        series_uid=scan.label.series_uid,
        frame_of_reference_uid=scan.label.frame_of_reference_uid,
        value=gap.value_mm,
        unit="mm",
        tolerance=gap.tolerance_mm,
        definition="perpendicular distance between two flat parallel walls",
        flat_left_right_mm=gap.flat_mm[0],
        flat_superior_inferior_mm=gap.flat_mm[1],
        edges=(edges[0], edges[1]),
    )


def _true_finding(known: KnownFinding, scan: Scan) -> TrueFinding:
    return TrueFinding(
        kind=known.kind,
        site=known.site,
        laterality=known.laterality,
        modality=known.modality,
        series_uid=scan.label.series_uid,
        frame_of_reference_uid=scan.label.frame_of_reference_uid,
        values={
            name: TrueValue(
                value=round(float(of.value), 4),
                unit=of.unit,
                tolerance=of.tolerance,
                definition=of.definition,
            )
            for name, of in known.values.items()
        },
        rough_points_lps_mm={
            role: geometry.as_stored(np.round(scan.pose.to_patient(point), 2))
            for role, point in known.points.items()
        },
        balls={
            role: TrueBall(
                centre_lps_mm=geometry.as_stored(
                    np.round(scan.pose.to_patient(ball.centre), 2)
                ),
                radius_mm=ball.radius_mm,
            )
            for role, ball in known.balls.items()
        },
        directions_lps={
            role: _vector(scan.pose.direction(direction))
            for role, direction in known.directions.items()
        },
        segments=dict(known.segments),
    )


def _true_series(case: PhantomCase, scan: Scan) -> TrueSeries:
    left, posterior, superior = (_vector(axis) for axis in scan.pose.rotation.T)
    return TrueSeries(
        folder=f"{case.name}/{scan.label.name}",
        modality=scan.modality,
        study_uid=scan.label.study_uid,
        series_uid=scan.label.series_uid,
        frame_of_reference_uid=scan.label.frame_of_reference_uid,
        description=scan.label.description,
        shape_slice_row_column=scan.grid.shape,
        spacing_mm_slice_row_column=_vector(scan.grid.spacing),
        psf_sigma_mm_slice_row_column=scan.psf_sigma_mm,
        noise_sd=scan.noise_sd,
        noise_unit="HU" if scan.modality == "CT" else "signal",
        noise_kind="Gaussian" if scan.modality == "CT" else "Rician",
        noise_correlation_fwhm_mm_slice_row_column=scan.noise_correlation_fwhm_mm,
        anatomical_axes_lps=(left, posterior, superior),
    )
