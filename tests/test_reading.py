"""A study and a protocol give an assessment: the same number by every door."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.fixtures.small_study import CT_FRAME_UID, GAP_MM, MR_FRAME_UID
from tests.fixtures.synthetic import wall_gap_options

import osteotrace as ot
from osteotrace import findings, reading
from osteotrace.errors import OsteotraceError
from osteotrace.measurements import caliper
from osteotrace.phantoms import truth
from osteotrace.protocol import CaliperEntry, Protocol
from osteotrace.uids import is_uid, new_uid

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tests.fixtures.synthetic import WriteSeries

NOW = datetime(2026, 1, 3, 12, 0, tzinfo=UTC)
CT_START, CT_END = (0.1, -7.1, 0.2), (-0.4, 6.8, -0.3)


@pytest.fixture(scope="module")
def sample_maxilla() -> Path:
    """Return the committed sample case."""
    return Path(__file__).parents[1] / "sample_dicom" / "maxilla_after"


def ct_entry(**changes: Any) -> CaliperEntry:
    parts: dict[str, Any] = {
        "label": "PAL-1",
        "kind": "palatal_bony_defect",
        "site": "hard_palate",
        "quantity": "palatal_gap_ap",
        "modality": "CT",
        "series": "bone*",
        "frame_of_reference_uid": CT_FRAME_UID,
        "start": CT_START,
        "end": CT_END,
    }
    return CaliperEntry(**parts | changes)


def mr_entry(**changes: Any) -> CaliperEntry:
    parts: dict[str, Any] = {
        "label": "SOFT-1",
        "kind": "soft_tissue_defect",
        "site": "soft_palate",
        "quantity": "soft_tissue_notch",
        "modality": "MR",
        "frame_of_reference_uid": MR_FRAME_UID,
        "series": "*",
        "start": (0.2, -9.2, -6.9),
        "end": (0.1, 5.9, -6.2),
    }
    return CaliperEntry(**parts | changes)


def made(*entries: CaliperEntry) -> Protocol:
    return Protocol(name="test", entries=entries, sha256="0" * 64)


def measured(path: Path, *entries: CaliperEntry) -> findings.Assessment:
    return ot.measure(path, made(*entries), now=NOW, uids=lambda: "2.25.7", reader="A")


def refused(path: Path, *entries: CaliperEntry) -> OsteotraceError:
    with pytest.raises(OsteotraceError) as caught:
        measured(path, *entries)
    return caught.value


def test_the_gap_of_a_ct_has_its_true_width(small_study: Path) -> None:
    (finding,) = measured(small_study, ct_entry()).findings
    primary = finding.measurements[0]
    assert isinstance(primary, ot.Measurement)
    assert primary.name == "palatal_gap_ap"
    assert primary.code.value == "M-GAPAP"
    assert primary.value == pytest.approx(GAP_MM, abs=0.05)


def test_the_value_is_bit_for_bit_that_of_the_measuring_function(
    small_study: Path,
) -> None:
    volume = ot.load(small_study / "ct")
    direct = caliper.measure(volume, CT_START, CT_END)
    through_door = ot.caliper(volume, CT_START, CT_END)
    (finding,) = measured(small_study, ct_entry()).findings
    assert isinstance(direct.value, ot.Measurement)
    assert isinstance(through_door.value, ot.Measurement)
    assert isinstance(finding.measurements[0], ot.Measurement)
    assert direct.value.value == through_door.value.value
    assert direct.value.value == finding.measurements[0].value
    assert direct.value.uncertainty == finding.measurements[0].uncertainty
    assert finding.regions == direct.regions


def test_the_assessment_says_what_was_read_when_by_whom_and_how(
    small_study: Path,
) -> None:
    assessment = measured(small_study, ct_entry())
    assert assessment.assessment_uid == "2.25.7"
    assert assessment.study_uid == ot.scan(small_study).series[0].identity.study_uid
    assert assessment.study_date == "2024-01-02"
    assert assessment.recorded == "2026-01-03T12:00:00+00:00"
    assert assessment.reader == "A"
    assert (assessment.protocol, assessment.protocol_sha256) == ("test", "0" * 64)
    assert [s.modality for s in assessment.series] == ["CT"]
    assert assessment.series[0].frame_of_reference_uid == CT_FRAME_UID


def test_the_patient_is_a_pseudonym(small_study: Path) -> None:
    text = findings.to_json(measured(small_study, ct_entry()))
    assert b"TEST-1" not in text
    assert b"Test^One" not in text


def test_two_series_in_two_frames_are_read_side_by_side(small_study: Path) -> None:
    assessment = measured(small_study, ct_entry(), mr_entry(snap=False))
    assert [f.label for f in assessment.findings] == ["PAL-1", "SOFT-1"]
    frames = [f.regions[0].frame_of_reference_uid for f in assessment.findings]
    assert frames == [CT_FRAME_UID, MR_FRAME_UID]
    assert len(assessment.series) == 2


def test_the_same_input_gives_the_same_record(small_study: Path) -> None:
    first, second = (measured(small_study, ct_entry()) for _ in range(2))
    assert findings.to_json(first) == findings.to_json(second)


def test_the_sample_case_has_its_true_lengths_from_rough_points(
    sample_maxilla: Path,
) -> None:
    assessment = ot.measure(sample_maxilla, "sample_maxilla")
    true = truth("maxilla_after").quantities
    for finding, name in zip(
        assessment.findings, ("palatal_gap", "soft_tissue_gap"), strict=True
    ):
        primary = finding.measurements[0]
        assert isinstance(primary, ot.Measurement)
        assert primary.accepted
        assert primary.uncertainty is not None
        assert primary.value == pytest.approx(true[name].value, abs=true[name].tolerance)


def test_a_tracking_uid_follows_from_study_and_label() -> None:
    assert reading.tracking_uid("1.2", "PAL-1") == reading.tracking_uid("1.2", "PAL-1")
    assert reading.tracking_uid("1.2", "PAL-1") != reading.tracking_uid("1.3", "PAL-1")
    assert reading.tracking_uid("1.2", "PAL-1") != reading.tracking_uid("1.2", "PAL-2")
    assert is_uid(reading.tracking_uid("1.2", "PAL-1"))


def test_fresh_uids_differ() -> None:
    assert new_uid() != new_uid()


def test_points_in_another_frame_of_reference_are_refused(small_study: Path) -> None:
    error = refused(small_study, ct_entry(frame_of_reference_uid=MR_FRAME_UID))
    assert CT_FRAME_UID in error.found
    assert MR_FRAME_UID in error.expected


def test_a_series_that_is_not_there_is_said_with_those_that_are(
    small_study: Path,
) -> None:
    error = refused(small_study, ct_entry(series="*soft*"))
    assert "no series" in error.found
    assert "'T2 sag'" in error.found


def test_two_series_that_fit_are_refused(write_series: WriteSeries) -> None:
    options = wall_gap_options()
    write_series(**options, folder="study/a")
    folder = write_series(**options, folder="study/b", series_uid="2.25.9").parent
    error = refused(folder, ct_entry(series="*"))
    assert "2 volumes" in error.found


def test_a_finding_without_a_value_keeps_its_reason(small_study: Path) -> None:
    in_air = ct_entry(start=(0.0, -2.0, 0.0), end=(0.0, 2.0, 0.0))
    (finding,) = measured(small_study, in_air).findings
    primary = finding.measurements[0]
    assert isinstance(primary, ot.NotMeasured)
    assert primary.name == "palatal_gap_ap"
    assert primary.reason


def two_studies(write_series: WriteSeries) -> Path:
    options = wall_gap_options()
    write_series(**options, folder="tree/one", description="bone")
    write_series(
        **options,
        folder="tree/two",
        description="bone",
        study_uid="2.25.77",
        series_uid="2.25.78",
        frame_uid="2.25.79",
    )
    return write_series(**options | {"voxels": options["voxels"][:0]}, folder="tree")


def wall_entry() -> CaliperEntry:
    return ct_entry(
        frame_of_reference_uid="2.25.5503", start=(4.9, 0.9, 6.8), end=(15.8, -0.3, 5.6)
    )


def test_a_study_that_fails_does_not_stop_the_rest(write_series: WriteSeries) -> None:
    results = list(reading.measure_studies(two_studies(write_series), made(wall_entry())))
    assert [result.assessment is None for result in results] == [False, True]
    assert results[1].study_uid == "2.25.77"
    assert "frame of reference" in str(results[1].error)


def test_measure_wants_one_study(write_series: WriteSeries) -> None:
    error = refused(two_studies(write_series), wall_entry())
    assert error.found == "2 studies"
    assert error.usage


def test_json_and_sr_give_the_assessment_back_equal(
    small_study: Path, tmp_path: Path
) -> None:
    assessment = measured(small_study, ct_entry())
    as_json = ot.save(assessment, tmp_path / "reading.json")
    as_sr = ot.save(assessment, tmp_path, images=ot.scan(small_study))
    assert ot.read(as_json) == assessment
    assert ot.read(as_sr) == assessment


def test_nothing_saved_is_overwritten(small_study: Path, tmp_path: Path) -> None:
    assessment = measured(small_study, ct_entry(snap=False))
    file = ot.save(assessment, tmp_path / "reading.json")
    before = file.read_bytes()
    with pytest.raises(OsteotraceError, match="never overwritten"):
        ot.save(assessment, file)
    assert file.read_bytes() == before


def test_an_sr_without_its_images_is_refused(small_study: Path, tmp_path: Path) -> None:
    with pytest.raises(OsteotraceError, match="without its images"):
        ot.save(measured(small_study, ct_entry(snap=False)), tmp_path / "records")


@pytest.fixture
def saved_as_json(small_study: Path, tmp_path: Path) -> Path:
    return ot.save(measured(small_study, ct_entry(snap=False)), tmp_path / "reading.json")


def test_json_whose_value_was_edited_is_refused(saved_as_json: Path) -> None:
    written = saved_as_json.read_bytes()
    edited = re.sub(rb'"value": (?=\d)', rb'"value": 7', written)
    assert edited != written
    saved_as_json.write_bytes(edited)
    with pytest.raises(OsteotraceError, match="does not match its SHA-256"):
        ot.read(saved_as_json)


def test_json_without_a_digest_is_refused_with_what_to_do(saved_as_json: Path) -> None:
    plain = findings.to_json(ot.read(saved_as_json))
    saved_as_json.write_bytes(plain)
    with pytest.raises(OsteotraceError, match="without the digest") as caught:
        ot.read(saved_as_json)
    assert caught.value.where == str(saved_as_json)
    assert "osteotrace.findings.from_json" in caught.value.advice


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 128 + b"DICM" + b"x" * 40])
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "record"
    file.write_bytes(content)
    with pytest.raises(OsteotraceError) as caught:
        ot.read(file)
    assert str(file) in str(caught.value)


def test_a_record_says_how_far_the_voxels_of_a_series_lie_apart(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    folder = write_series(ramp, spacing=(1.25, 0.5, 0.75))
    (volume,) = (ot.load(header) for header in ot.scan(folder))
    (series,) = reading.assess([volume], []).series
    assert series.spacing_mm == pytest.approx((1.25, 0.5, 0.75))
    # Resampling adds no detail: the images were stored as they were.
    assert reading.series_reference(volume.rectified(0.25)) == series
    other = replace(volume, grid=replace(volume.grid, pixel_spacing=np.array([0.5, 1.5])))
    (both,) = reading.assess([volume, other], []).series
    assert both == msgspec.structs.replace(series, spacing_mm=None)


def test_a_single_image_has_no_spacing(
    write_series: WriteSeries, ramp: NDArray[Any]
) -> None:
    (series,) = ot.scan(write_series(ramp[:1]))
    (header,) = series.volumes
    assert reading.series_reference(header).spacing_mm is None


@pytest.mark.parametrize("mm", [0.0, -1.0, float("nan"), float("inf")])
def test_a_spacing_that_is_no_length_is_refused(mm: float) -> None:
    with pytest.raises(ValueError, match="no length"):
        findings.SeriesReference(
            series_uid="2.25.1",
            frame_of_reference_uid="",
            modality="CT",
            spacing_mm=(1.0, mm, 1.0),
        )


def test_volumes_of_two_studies_make_no_assessment(write_series: WriteSeries) -> None:
    volumes = [ot.load(series) for series in ot.scan(two_studies(write_series))]
    with pytest.raises(OsteotraceError, match="2 studies"):
        reading.assess(volumes, [])
