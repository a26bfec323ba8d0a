"""osteotrace's own records de-identified: comparisons, registrations and statements."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from pydicom import dcmread
from tests.fixtures.assessments import assessment, caliper_finding
from tests.fixtures.before_and_after import (
    AFTER,
    AFTER_UID,
    BEFORE,
    BEFORE_UID,
    LATER_FRAME_UID,
    known_alignment,
)
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID, STUDY_UID
from tests.fixtures.stated_assessments import stated_assessment

import osteotrace as ot
from osteotrace.comparison import Comparison, StudyPair, compare
from osteotrace.comparison import to_json as comparison_json
from osteotrace.deidentify import Deidentified, Options, Secret, deidentify_tree
from osteotrace.findings import Assessment, Case
from osteotrace.pseudonym import pseudonym
from osteotrace.records import comparison_report, record_folder, registration, sr

if TYPE_CHECKING:
    from pathlib import Path

SECRET = Secret(b"no secret at all, only a test")
RECORDS = "osteotrace-records"
NOW = datetime.datetime(2024, 8, 1, 9, 30, tzinfo=datetime.UTC)
COMPARISON_UID = "2.25.880001"
PATIENT = pseudonym("TEST-1")


def reading_of(folder: str, **said: Any) -> Assessment:
    """Return the caliper's reading as one of a study that `copied` made."""
    made = msgspec.json.encode(assessment(caliper_finding()))
    series = f"{CT_SERIES_UID}.{len(folder)}"
    text = made.decode().replace(CT_SERIES_UID, series)
    if folder == "after":
        text = text.replace(CT_FRAME_UID, LATER_FRAME_UID)
    reading = msgspec.json.decode(text, type=Assessment)
    return msgspec.structs.replace(reading, patient=PATIENT, **said)


@dataclass(frozen=True)
class Course:
    """Two studies with every kind of record, and what they say."""

    folder: Path
    comparison: Comparison
    json: Assessment


@pytest.fixture(scope="module")
def course(before_and_after: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    folder = tmp_path_factory.mktemp("patient")
    images = []
    for name in ("before", "after"):
        (folder / name).symlink_to(before_and_after / name)
        images.append(ot.scan(before_and_after / name))
    records = folder / RECORDS
    readings = (
        reading_of(
            "before",
            assessment_uid="2.25.880010",
            study_uid=BEFORE_UID,
            study_date=BEFORE,
        ),
        reading_of(
            "after",
            assessment_uid="2.25.880020",
            study_uid=AFTER_UID,
            study_date=AFTER,
        ),
    )
    files = [
        sr.write(one, catalogue, records, now=NOW)
        for one, catalogue in zip(readings, images, strict=True)
    ]
    earlier, later = (
        next(v for s in one for v in s.volumes if v.measurable) for one in images
    )
    laid = registration.write(known_alignment(), earlier, later, records, now=NOW)
    pair = StudyPair(earlier=0, later=1, alignments=(known_alignment(),))
    case = Case(patient=PATIENT, assessments=readings)
    compared = compare(case, pairs=[pair], reader="Müller", now=NOW)
    comparison_report.write(
        compared,
        images,
        records,
        readings=files,
        registrations=[laid],
        sop_instance_uid=COMPARISON_UID,
        now=NOW,
    )
    stated = msgspec.structs.replace(
        stated_assessment(),
        assessment_uid="2.25.880030",
        patient=PATIENT,
        study_uid="",
        findings=(),
        series=(),
    )
    record_folder.add(records, stated)
    return Course(folder, compared, stated)


def deidentified(course: Course, out: Path, **options: Any) -> Deidentified:
    # Links are followed where they are named, not where they are found.
    folder = out.parent / "input"
    folder.mkdir()
    for name in ("before", "after", RECORDS):
        _copy((course.folder / name).resolve(), folder / name)
    return deidentify_tree(folder, out, SECRET, Options(**options))


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for file in source.iterdir():
        if not file.name.startswith("."):
            (target / file.name).write_bytes(file.read_bytes())


@pytest.fixture(
    scope="module", params=["remove", pytest.param("shift", marks=pytest.mark.slow)]
)
def done(
    request: pytest.FixtureRequest,
    course: Course,
    tmp_path_factory: pytest.TempPathFactory,
) -> Deidentified:
    out = tmp_path_factory.mktemp("result") / "out"
    return deidentified(course, out, dates=request.param)


def test_every_record_is_made_anew(done: Deidentified) -> None:
    assert done.refused == ()
    assert (done.studies, done.records) == (2, 5)


def test_a_comparison_says_the_same_of_renamed_studies(
    done: Deidentified, course: Course
) -> None:
    back = comparison_report.read(
        done.folder / RECORDS / f"{SECRET.uid(COMPARISON_UID)}.dcm"
    )
    was = course.comparison
    assert [one.label for one in back.lesions] == [one.label for one in was.lesions]
    for old, new in zip(was.lesions, back.lesions, strict=True):
        assert new.tracking_uid == SECRET.uid(old.tracking_uid)
        assert new.steps == old.steps
    assert [one.study_uid for one in back.studies] == [
        SECRET.uid(BEFORE_UID),
        SECRET.uid(AFTER_UID),
    ]
    text = comparison_json(back).decode()
    assert "Müller" not in text
    assert "Kim" not in text
    assert BEFORE not in text


def test_a_registration_keeps_every_bit_of_its_matrix(done: Deidentified) -> None:
    (file,) = (
        one
        for one in (done.folder / RECORDS).glob("*.dcm")
        if dcmread(one, stop_before_pixels=True).Modality == "REG"
    )
    back = registration.read(file).alignment
    was = known_alignment()
    assert back is not None
    assert back.transform.matrix == was.transform.matrix
    assert back.transform.from_frame_uid == SECRET.uid(CT_FRAME_UID)
    assert back.transform.to_frame_uid == SECRET.uid(LATER_FRAME_UID)
    assert (back.u_mm, back.pair, back.method) == (was.u_mm, was.pair, was.method)


def test_what_a_comparison_refers_to_is_there(done: Deidentified) -> None:
    files = list(done.folder.rglob("*.dcm"))
    there = {str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files}
    document = dcmread(done.folder / RECORDS / f"{SECRET.uid(COMPARISON_UID)}.dcm")
    named = {
        str(element.value)
        for element in document.iterall()
        if element.keyword == "ReferencedSOPInstanceUID"
    }
    assert named
    assert named <= there


def test_facts_without_their_dates_would_hold_at_every_date_and_go(
    done: Deidentified, course: Course
) -> None:
    back = ot.read(done.folder / RECORDS / f"{SECRET.uid('2.25.880030')}.json")
    dated = [one for one in course.json.facts if one.date or one.until]
    assert dated
    if done.lost_facts:
        assert {one.name for one in back.facts} == {
            one.name for one in course.json.facts if not (one.date or one.until)
        }
        assert all(not one.first_dose for one in back.drugs)
    else:
        assert len(back.facts) == len(course.json.facts)
        gaps = [
            _days(one.date) - _days(was.date)
            for one, was in zip(back.facts, course.json.facts, strict=True)
            if len(was.date) == 10
        ]
        assert len(set(gaps)) == 1
        assert gaps[0] % 7 == 0
    assert not any(one.note for one in back.facts)
    assert not any(one.note for one in back.drugs)
    assert [one.lowest for one in back.stagings] == [
        one.lowest for one in course.json.stagings
    ]


def _days(date: str) -> int:
    return datetime.date.fromisoformat(date).toordinal()


def test_the_reasons_of_a_stage_stay_without_their_authors(
    done: Deidentified, course: Course
) -> None:
    back = ot.read(done.folder / RECORDS / f"{SECRET.uid('2.25.880030')}.json")
    old, new = course.json.stagings[0], back.stagings[0]
    assert [one.id for one in new.rules] == [one.id for one in old.rules]
    assert [one.text for one in new.rules] == [one.text for one in old.rules]
    assert [one.criterion for one in new.reasons] == [
        one.criterion for one in old.reasons
    ]
    told = " ".join(text for one in new.reasons for text in one.because)
    authors = {one.author for one in course.json.facts}
    assert not [name for name in authors if name in told]


# What cannot be made anew --------------------------------------------------------------


def test_records_whose_images_are_not_here_or_that_were_changed_are_left_out(
    small_study: Path, tmp_path: Path
) -> None:
    images = ot.scan(small_study)
    records = tmp_path / "in" / RECORDS
    kept = ot.save(assessment(caliper_finding()), records, images=images)
    done = deidentify_tree(tmp_path / "in", tmp_path / "out", SECRET)
    (refused,) = done.refused
    assert "cannot be made anew" in refused.reason
    assert "images absent" in refused.detail
    # The reason goes to logs: it repeats nothing of the file and no path.
    assert str(tmp_path) not in refused.reason
    assert [file.name for file in done.folder.iterdir()] == ["deidentification.json"]

    content = kept.read_bytes()
    kept.write_bytes(content.replace(b"12.07", b"12.08"))
    _copy(small_study / "ct", tmp_path / "in" / "ct")
    again = deidentify_tree(tmp_path / "in", tmp_path / "again", SECRET)
    assert ["SHA-256" in one.detail for one in again.refused] == [True]
    assert again.studies == 1


def test_a_reading_that_marks_nothing_is_made_anew_in_its_own_study(
    before_and_after: Path, tmp_path: Path
) -> None:
    source = tmp_path / "patient"
    for number, (name, uid, date) in enumerate(
        (("before", BEFORE_UID, BEFORE), ("after", AFTER_UID, AFTER))
    ):
        (source / name).mkdir(parents=True)
        scan = ot.scan(before_and_after / name)
        for series in scan:
            for image in series.volumes[0].instances:
                shutil.copy(image.path, source / name)
        nothing = reading_of(name, findings=(), study_uid=uid, study_date=date)
        nothing = msgspec.structs.replace(nothing, assessment_uid=f"2.25.88005{number}")
        sr.write(nothing, scan, source / RECORDS, now=NOW)
    done = deidentify_tree(source, tmp_path / "out", SECRET)
    assert (done.records, done.refused) == (2, ())


def test_an_amendment_without_the_record_that_it_amends_stands_for_itself(
    small_study: Path, tmp_path: Path
) -> None:
    images = ot.scan(small_study)
    first = assessment(caliper_finding())
    folder = tmp_path / "in" / RECORDS
    ot.save(first, folder, images=images)
    second = msgspec.structs.replace(
        first, assessment_uid="2.25.880040", predecessor_uid=first.assessment_uid
    )
    ot.save(second, folder, images=images)
    _copy(small_study / "ct", tmp_path / "in" / "ct")
    whole = deidentify_tree(tmp_path / "in", tmp_path / "whole", SECRET)
    assert (whole.records, whole.lost_predecessors) == (2, 0)
    back = ot.read(whole.folder / RECORDS / f"{SECRET.uid('2.25.880040')}.dcm")
    assert back.predecessor_uid == SECRET.uid(first.assessment_uid)

    (folder / f"{first.assessment_uid}.dcm").unlink()
    alone = deidentify_tree(tmp_path / "in", tmp_path / "alone", SECRET)
    assert (alone.records, alone.lost_predecessors) == (1, 1)
    assert STUDY_UID not in str(list(alone.folder.rglob("*")))
