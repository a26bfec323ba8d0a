"""Comparisons of studies as structured reports and as JSON, read back equal."""

from __future__ import annotations

import datetime
import math
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import pytest
from pydicom import dcmread
from tests.fixtures.assessments import assessment, caliper_finding
from tests.fixtures.copied_study import copied
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID, STUDY_UID
from tests.fixtures.stated_assessments import mronj_staging

from osteotrace import series
from osteotrace.alignment import Alignment, RigidTransform
from osteotrace.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_UID, QUANTITIES, REPORT
from osteotrace.comparison import Comparison, Difference, StudyPair, compare, to_json
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Case, Finding
from osteotrace.measurements.measurement import Measurement, Method
from osteotrace.reading.cases import saved_cases
from osteotrace.records import comparison_report, record_folder, registration, sr
from osteotrace.records.report_content.items import (
    child,
    children,
    code_below,
    number_of,
    text_below,
    uid_below,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.series import Catalogue

NOW = datetime.datetime(2024, 8, 1, 9, 30, tzinfo=datetime.UTC)
UID = "2.25.8001"
LATER_STUDY, LATER_FRAME, LATER_UID = "2.25.1101", "2.25.1105", "2.25.2101"
# What `copied` makes of the series' UID for a folder named "later".
LATER_SERIES = f"{CT_SERIES_UID}.5"


class Two(NamedTuple):
    """Two studies of one patient, a reading of each, and what was compared."""

    images: tuple[Catalogue, Catalogue]
    readings: tuple[Assessment, Assessment]
    comparison: Comparison


def later_finding(finding: Finding, longer: float) -> Finding:
    """Return a finding at the later date, on its images, its first value longer."""
    text = msgspec.json.encode(finding).replace(
        CT_FRAME_UID.encode(), LATER_FRAME.encode()
    )
    moved = msgspec.json.decode(
        text.replace(CT_SERIES_UID.encode(), LATER_SERIES.encode()), type=Finding
    )
    value, *others = moved.measurements
    assert isinstance(value, Measurement)
    grown = msgspec.structs.replace(
        value,
        value=value.value + longer,
        interval95=None,
        flags=(),
    )
    return msgspec.structs.replace(moved, measurements=(grown, *others))


def aligned() -> Alignment:
    transform = RigidTransform.of(
        np.eye(3), (1.5, 0, 1 / 3), from_frame_uid=CT_FRAME_UID, to_frame_uid=LATER_FRAME
    )
    return Alignment(
        transform=transform,
        pair="CT-CT",
        region="whole image",
        centre=(0.0, 0.0, 0.0),
        similarity=0.9987,
        similarity_measure="correlation",
        floor=0.97,
        overlap=0.95,
        starts=(),
        agreement_mm=0.01,
        u_mm=0.02,
        u_deg=0.01,
        method=Method(name="osteotrace rigid registration", version="1"),
    )


@pytest.fixture(scope="module")
def two(small_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Two:
    folder = tmp_path_factory.mktemp("later study") / "later"
    copied(
        small_study,
        folder,
        StudyInstanceUID=LATER_STUDY,
        FrameOfReferenceUID=LATER_FRAME,
        StudyDate="20240702",
    )
    images = series.scan(small_study, index=False), series.scan(folder, index=False)
    gap = caliper_finding()
    value = msgspec.structs.replace(gap.measurements[0], flags=())
    gap = msgspec.structs.replace(gap, measurements=(value, *gap.measurements[1:]))
    gone = msgspec.structs.replace(
        gap, tracking_uid="2.25.3002", label="PAL-2", measurements=gap.measurements[:1]
    )
    absent = msgspec.structs.replace(
        later_finding(gone, 0), presence="absent", measurements=(), regions=()
    )
    earlier = msgspec.structs.replace(
        assessment(gap, gone), stagings=(mronj_staging(),), study_date="2024-01-02"
    )
    later = msgspec.structs.replace(
        assessment(later_finding(gap, 3.5), absent, uid=LATER_UID),
        study_uid=LATER_STUDY,
        study_date="2024-07-02",
        series=tuple(
            msgspec.structs.replace(
                one, series_uid=LATER_SERIES, frame_of_reference_uid=LATER_FRAME
            )
            for one in earlier.series[:1]
        ),
    )
    pair = StudyPair(
        earlier=0,
        later=1,
        alignments=(aligned(),),
        differences=(Difference(kind="kernel", earlier="B70f", later="B30f"),),
    )
    case = Case(patient=earlier.patient, assessments=(later, earlier))
    made = compare(case, pairs=[pair], reader="Müller", now=NOW)
    return Two(images, (earlier, later), made)


@pytest.fixture(scope="module")
def saved(two: Two, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report, beside both readings' reports and the registration."""
    folder = tmp_path_factory.mktemp("records")
    readings = [
        sr.write(one, images, folder, now=NOW.replace(tzinfo=None))
        for one, images in zip(two.readings, two.images, strict=True)
    ]
    volumes = [
        next(
            v
            for s in images
            for v in s.volumes
            if v.frame_of_reference_uid == frame and len(v.instances) > 9
        )
        for images, frame in zip(two.images, (CT_FRAME_UID, LATER_FRAME), strict=True)
    ]
    earlier, later = volumes
    laid = registration.write(aligned(), earlier, later, folder, now=NOW)
    return comparison_report.write(
        two.comparison,
        two.images,
        folder,
        readings=readings,
        registrations=[laid],
        sop_instance_uid=UID,
        now=NOW,
    )


@pytest.fixture(scope="module")
def document(saved: Path) -> Dataset:
    return dcmread(saved)


def test_the_comparison_says_what_the_report_is_to_say(two: Two) -> None:
    # Known truth of the fixture: one gap grew by 3.5 mm, the other was looked for.
    states = {lesion.label: lesion.state for lesion in two.comparison.lesions}
    assert states == {"PAL-1": "growing", "PAL-2": "resolved"}


def test_a_comparison_comes_back_equal(two: Two, saved: Path) -> None:
    back = comparison_report.read(saved)
    assert back == two.comparison
    # JSON tells +0 from -0, which == does not.
    assert to_json(back) == to_json(two.comparison)


def test_it_is_partial_unverified_and_for_research(document: Dataset) -> None:
    assert document.CompletionFlag == "PARTIAL"
    assert document.VerificationFlag == "UNVERIFIED"
    assert "research use only" in document.SeriesDescription
    comments = [i.TextValue for i in children(document, REPORT["comment"])]
    assert any("Not a medical device" in one for one in comments)


def test_it_is_filed_in_the_later_study_and_names_both(
    two: Two, document: Dataset
) -> None:
    assert document.StudyInstanceUID == LATER_STUDY
    assert document.StudyDate == "20240702"
    (own,) = document.CurrentRequestedProcedureEvidenceSequence
    (other,) = document.PertinentOtherEvidenceSequence
    assert (own.StudyInstanceUID, other.StudyInstanceUID) == (LATER_STUDY, STUDY_UID)
    named = [
        str(one.ReferencedSOPInstanceUID)
        for study in (own, other)
        for listed in study.ReferencedSeriesSequence
        for one in listed.ReferencedSOPSequence
    ]
    # Both readings' reports and the registration beside the images.
    assert {two.readings[0].assessment_uid, LATER_UID} <= set(named)
    assert f"{CT_SERIES_UID}.11" in named
    assert f"{LATER_SERIES}.11" in named
    compared = child(document, REPORT["comparison"])
    referred = [
        str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for study in children(compared, REPORT["compared_study"])
        for item in children(study, REPORT["compared_reading"], "COMPOSITE")
    ]
    assert referred == [one.assessment_uid for one in two.readings]
    assert len(list(children(compared, REPORT["spatial_registration"]))) == 1


def count_of(item: Dataset) -> int:
    return int(item.MeasuredValueSequence[0].NumericValue)


def groups(document: Dataset) -> list[Dataset]:
    measured = child(document, REPORT["imaging_measurements"])
    return list(children(measured, REPORT["measurement_group"]))


def test_every_group_of_a_lesion_has_its_tracking_uid_and_a_time_point(
    document: Dataset,
) -> None:
    own = [
        group
        for group in groups(document)
        if uid_below(group, REPORT["tracking_uid"]) == "2.25.3001"
    ]
    # Two dates and one step between them.
    assert len(own) == 3
    points = []
    for group in own:
        coded = {
            item.ConceptNameCodeSequence[0].CodeValue: item
            for item in group.ContentSequence
            if item.RelationshipType == "HAS OBS CONTEXT"
        }
        points.append(coded["126070"].TextValue)
        if count_of(coded["126073"]) == 1:
            assert coded["126072"].ConceptCodeSequence[0].CodeValue == "121079"
        else:
            # 2 January to 2 July of a leap year.
            assert count_of(coded["128740"]) == 182
    assert points == ["2024-01-02", "2024-07-02", "2024-07-02"]


def test_a_change_has_its_difference_its_verdict_and_its_limit(
    document: Dataset,
) -> None:
    (step,) = (
        group
        for group in groups(document)
        if any(children(group, REPORT["state"]))
        and uid_below(group, REPORT["tracking_uid"]) == "2.25.3001"
    )
    assert code_below(step, REPORT["state"]).value == "15454001"
    assert text_below(step, REPORT["compared_with"]) != ""
    delta = child(step, QUANTITIES["palatal_gap_ap"])
    assert number_of(delta) == pytest.approx(3.5, abs=1e-12)
    assert code_below(delta, REPORT["derivation"]).value == "V-DELTA"
    assert code_below(delta, REPORT["verdict"]).value == "V-INCR"
    assert 0 < number_of(child(delta, REPORT["change_limit"])) < 3.5


def test_what_was_resolved_and_what_does_not_compare_is_told(document: Dataset) -> None:
    (step,) = (
        group
        for group in groups(document)
        if any(children(group, REPORT["state"]))
        and uid_below(group, REPORT["tracking_uid"]) == "2.25.3002"
    )
    assert code_below(step, REPORT["state"]).value == "V-RESOLVED"
    compared = child(document, REPORT["comparison"])
    said = [item.TextValue for item in children(compared, REPORT["alignment"])]
    assert any("correlation 0.999 (least 0.970)" in one for one in said)
    told = [item.TextValue for item in children(compared, REPORT["difference"])]
    assert any("kernel, B70f and B30f" in one for one in told)


def test_the_same_input_gives_the_same_bytes_once(two: Two, tmp_path: Path) -> None:
    def write(folder: str) -> bytes:
        return comparison_report.write(
            two.comparison, two.images, tmp_path / folder, sop_instance_uid=UID, now=NOW
        ).read_bytes()

    assert write("a") == write("b")
    with pytest.raises(OsteotraceError, match="a file that exists"):
        write("a")


def test_a_folder_of_records_passes_comparisons_and_registrations_by(
    two: Two, saved: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    shutil.copytree(saved.parent, folder)
    comparison_report.save(two.comparison, folder / "comparison.json")
    found = saved_cases(folder)
    assert found.failures == ()
    (case,) = found.cases
    assert len(case.assessments) == 2
    listed = record_folder.contents(folder)
    assert listed.refused == ()
    assert len(listed.records) == 2
    # What is damaged is still refused.
    (folder / f"{LATER_UID}.dcm").write_bytes(b"")
    assert len(saved_cases(folder).failures) == 1


def test_an_edited_report_is_refused(saved: Path, tmp_path: Path) -> None:
    changed = dcmread(saved)
    step = next(g for g in groups(changed) if any(children(g, REPORT["state"])))
    child(step, REPORT["state"]).ConceptCodeSequence[0].CodeValue = "260388006"
    path = tmp_path / "edited.dcm"
    changed.save_as(path)
    with pytest.raises(OsteotraceError, match="does not match its SHA-256"):
        comparison_report.read(path)


def test_a_reading_is_no_comparison_and_a_comparison_no_reading(
    two: Two, saved: Path
) -> None:
    reading = saved.parent / f"{two.readings[0].assessment_uid}.dcm"
    with pytest.raises(OsteotraceError, match="no comparison"):
        comparison_report.read(reading)
    with pytest.raises(OsteotraceError, match="a comparison of studies"):
        sr.read(saved)


def test_a_comparison_as_json_comes_back_equal(two: Two, tmp_path: Path) -> None:
    path = comparison_report.save(two.comparison, tmp_path / "comparison.json")
    assert comparison_report.read(path) == two.comparison
    with pytest.raises(OsteotraceError, match="never overwritten"):
        comparison_report.save(two.comparison, path)
    edited = tmp_path / "edited.json"
    edited.write_bytes(path.read_bytes().replace(b'"growing"', b'"stable"', 1))
    with pytest.raises(OsteotraceError, match="SHA-256"):
        comparison_report.read(edited)


def test_two_patients_and_strange_reports_are_refused(
    two: Two, saved: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    shutil.copytree(two.images[1].root, stranger)
    for file in stranger.iterdir():
        image = dcmread(file)
        image.PatientID = "SOMEBODY-ELSE"
        image.save_as(file)
    mixed = two.images[0], series.scan(stranger, index=False)
    with pytest.raises(OsteotraceError, match="images of 2 patients"):
        comparison_report.write(two.comparison, mixed, tmp_path / "records")
    with pytest.raises(OsteotraceError, match="which was not compared"):
        comparison_report.write(
            two.comparison, two.images, tmp_path / "records", readings=[saved]
        )
    assert not (tmp_path / "records").exists()


def test_a_whole_number_where_others_stand_is_no_other_value(
    two: Two, tmp_path: Path
) -> None:
    lesion, *others = two.comparison.lesions
    (step,) = lesion.steps
    whole = msgspec.structs.replace(step.changes[0], u_registration=1)
    step = msgspec.structs.replace(step, changes=(whole, *step.changes[1:]))
    lesion = msgspec.structs.replace(lesion, steps=(step,))
    made = msgspec.structs.replace(two.comparison, lesions=(lesion, *others))
    path = comparison_report.write(made, two.images, tmp_path)
    assert comparison_report.read(path) == made


def test_numbers_that_are_not_finite_are_refused(two: Two, tmp_path: Path) -> None:
    lesion, *others = two.comparison.lesions
    (step,) = lesion.steps
    bad = msgspec.structs.replace(step.changes[0], u_registration=math.inf)
    step = msgspec.structs.replace(step, changes=(bad,))
    lesion = msgspec.structs.replace(lesion, steps=(step,))
    broken = msgspec.structs.replace(two.comparison, lesions=(lesion, *others))
    with pytest.raises(OsteotraceError):
        comparison_report.write(broken, two.images, tmp_path / "records")
    assert not (tmp_path / "records").exists()


@pytest.mark.interop
@pytest.mark.parametrize(
    "arguments", [("dciodvfy", "-new"), ("dsrdump",)], ids=lambda a: a[0]
)
def test_the_report_is_valid(saved: Path, arguments: tuple[str, ...]) -> None:
    if shutil.which(arguments[0]) is None:
        pytest.fail(f"{arguments[0]} is missing: see docs")
    done = subprocess.run(
        [*arguments, str(saved)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    known = (
        f"<{PRIVATE_SCHEME}>",
        f"<{PRIVATE_SCHEME_UID}>",
        "VR checker does not support this Specific Character Set: ISO_IR 192",
    )
    said = [
        line
        for line in done.stderr.splitlines()
        if line and line != "Comprehensive3DSR" and not any(k in line for k in known)
    ]
    assert said == []
    assert done.returncode == 0
