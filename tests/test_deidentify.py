"""Studies and readings without what tells whose they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from pydicom import dcmread
from tests.fixtures import planted_study
from tests.fixtures.planted_case import RECORDS, SECRET, Case
from tests.fixtures.planted_study import ROOT, write_renamed

import osteotrace as ot
from osteotrace.deidentify import Options, Secret, deidentify_tree
from osteotrace.deidentify import records as remaking
from osteotrace.measurements.measurement import Measurement
from osteotrace.records.publication import new_draft
from osteotrace.records.report_content.segments import segmentations_read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment

LEAST_PLACES = 50
VALUE_REPRESENTATIONS = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OD"}
    | {"OF", "OL", "OV", "OW", "PN", "SH", "SL", "SQ", "SS", "ST", "SV", "TM", "UC"}
    | {"UI", "UL", "UN", "UR", "US", "UT", "UV"}
)


def objects(folder: Path) -> list[Dataset]:
    return [dcmread(file) for file in sorted(folder.rglob("*.dcm"))]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its path there."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


# What is gone -------------------------------------------------------------------------


def test_every_value_representation_and_every_kind_of_place_is_planted(
    case: Case,
) -> None:
    places = case.planted.markers
    assert len(places) >= LEAST_PLACES
    said = " ".join(places)
    assert {vr for vr in VALUE_REPRESENTATIONS if f"VR {vr}" not in said} == set()
    # What is looked for is there before, or its absence would say nothing.
    before = case.planted.left_below(case.source)
    assert set(places) - {place.rsplit(" in ", 1)[0] for place in before} == set()


def test_no_marker_is_left_in_files_names_or_what_is_printed(case: Case) -> None:
    assert case.planted.left_below(case.out) == []
    assert case.planted.left_in(case.printed) == []
    assert SECRET.content not in case.printed


@pytest.mark.parametrize("dates", ["shift", pytest.param("keep", marks=pytest.mark.slow)])
def test_kept_or_shifted_dates_stay_together_and_bring_no_other_marker_back(
    dates: Any, case: Case, tmp_path: Path
) -> None:
    options = Options(dates=dates, device=True, patient=True)
    done = deidentify_tree(case.source, tmp_path / "out", SECRET, options)
    assert done.refused == ()
    left = {place.split(" in ")[0] for place in case.planted.left_below(done.folder)}
    device = {
        "DeviceSerialNumber",
        "SoftwareVersions",
        "StationName",
        "VR SH, StationName",
    }
    device |= {"SEG: serial number", "SEG: software"}
    patient = {"VR AS, PatientAge", "VR DS, PatientWeight"}
    kept = {"dates of the study", "dates of a record"} if dates == "keep" else set()
    assert left - device - patient == kept
    ages = {str(one.get("PatientAge")) for one in objects(done.folder) if "Rows" in one}
    assert "047Y" in ages
    # The image and the reading of one day stay together.
    image = next(one for one in objects(done.folder) if one.Modality == "CT")
    moved = next(_readings(done.folder)).recorded[:10].replace("-", "")
    assert image.StudyDate == moved
    assert (moved < planted_study.DATE) == (dates == "shift")


def test_a_file_says_that_and_how_identities_were_removed(case: Case) -> None:
    for one in objects(case.out):
        assert one.PatientIdentityRemoved == "YES"
        assert one.LongitudinalTemporalInformationModified == "REMOVED"
        told = {item.CodeValue for item in one.DeidentificationMethodCodeSequence}
        assert told == {"113100", "113104", "113105"}
        assert "pixels untouched" in one.DeidentificationMethod


# What stays ---------------------------------------------------------------------------


def _readings(folder: Path) -> Iterator[Assessment]:
    for file in sorted((folder / RECORDS).glob("*.dcm")):
        if dcmread(file, stop_before_pixels=True).Modality == "SR":
            yield ot.read(file)


def _references(data: Dataset) -> Iterator[str]:
    for element in data.iterall():
        if element.keyword == "ReferencedSOPInstanceUID":
            yield str(element.value)


def test_report_masks_and_images_still_find_one_another(case: Case) -> None:
    def dangling(folder: Path) -> set[str]:
        every = objects(folder)
        there = {str(one.SOPInstanceUID) for one in every}
        return {uid for one in every for uid in _references(one)} - there

    # What pointed at nothing still does, what pointed at something too.
    assert dangling(case.out) == {SECRET.uid(uid) for uid in dangling(case.source)}
    every = {str(one.SOPInstanceUID): one for one in objects(case.out)}
    (report,) = (
        one
        for one in every.values()
        if one.Modality == "SR" and one.Manufacturer == "osteotrace"
    )
    masks = list(segmentations_read(report))
    assert len(masks) == 1
    images = {every[uid].Modality for uid in _references(every[masks[0]])}
    assert images == {"CT"}
    assert every[masks[0]].StudyInstanceUID == report.StudyInstanceUID


def test_the_images_measure_the_same(case: Case, tmp_path: Path) -> None:
    protocol = write_renamed(case.protocol, tmp_path / "again.toml", SECRET.uid)
    again = ot.measure(case.study, protocol)

    def numbers(reading: Assessment) -> list[Any]:
        return [
            (finding.label, one.name, one.value, one.uncertainty, one.interval95)
            for finding in reading.findings[:2]
            for one in finding.measurements
            if isinstance(one, Measurement)
        ]

    assert len(numbers(again)) > 1
    assert numbers(again) == numbers(case.reading)
    before, after = (
        sorted(
            len(volume.instances)
            for series in ot.scan(folder)
            for volume in series.volumes
            if volume.measurable
        )
        for folder in (case.source / "study", case.study)
    )
    assert before == after


def test_a_reading_comes_back_equal_but_for_uids_and_cleaned_texts(case: Case) -> None:
    (back,) = _readings(case.out)
    differing = set(_differences(_plain(case.reading), _plain(back)))
    assert differing == {
        "patient", "reader", "study_date", "recorded", "protocol", "not_understood",
        "description", "label", "note", "role", "author", "indication", "first_dose",
    }  # fmt: skip
    assert [one.label for one in back.findings[:2]] == ["PAL-1", "SOFT-1"]
    assert back.findings[2].label.startswith("T-")
    assert back.findings[2].tracking_uid == SECRET.uid(f"{ROOT}31.7")
    assert back.reader.startswith("R-")


def _plain(record: Assessment) -> Any:
    return json.loads(msgspec.json.encode(record))


def _differences(one: Any, other: Any, field: str = "") -> Iterator[str]:
    """Yield the names of the fields that differ, mapped UIDs aside."""
    if isinstance(one, dict):
        for key, value in one.items():
            yield from _differences(value, other[key], key)
    elif isinstance(one, list) and len(one) == len(other):
        for value, its in zip(one, other, strict=True):
            yield from _differences(value, its, field)
    elif one != other and not (isinstance(one, str) and other == SECRET.uid(one)):
        yield field


def test_a_report_and_masks_of_other_software_are_read_with_the_same_numbers(
    case: Case,
) -> None:
    images = ot.scan(case.study)
    found = {
        one.Modality: file
        for file in sorted(case.study.rglob("*.dcm"))
        if (one := dcmread(file, stop_before_pixels=True)).Modality in ("SR", "SEG")
    }
    report = ot.read(found["SR"], images=images)
    (length,) = report.findings[0].measurements
    assert isinstance(length, Measurement)
    assert length.value == 12.25
    (line,) = report.findings[0].regions
    assert line.frame_of_reference_uid == SECRET.uid(f"{ROOT}1005")
    (masked,) = ot.read(found["SEG"]).findings
    assert masked.regions


# Secrets, repeats and stops -----------------------------------------------------------


def test_another_secret_gives_other_uids(case: Case, tmp_path: Path) -> None:
    other = Secret(b"another secret, also a test")
    image = next(case.source.rglob("ct/*.dcm"))
    done = deidentify_tree(image, tmp_path / "other", other)
    (written,) = (place for _, place in done.written)
    assert written.name not in {path.rsplit("/")[-1] for path in contents(case.out)}


def test_a_run_that_was_stopped_twice_ends_with_the_bytes_of_one_that_was_not(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, done = tmp_path / "out", remaking.file_bytes
    count = iter(range(100))

    def stopped(*arguments: Any) -> bytes:
        if next(count) == 12:
            raise KeyboardInterrupt
        return done(*arguments)

    monkeypatch.setattr(remaking, "file_bytes", stopped)
    with pytest.raises(KeyboardInterrupt):
        deidentify_tree(case.source, out, SECRET)
    assert list(contents(out)) == ["deidentification.json"]
    monkeypatch.undo()
    with pytest.raises(ot.OsteotraceError, match="not empty"):
        deidentify_tree(case.source, out, SECRET)
    with pytest.raises(ot.OsteotraceError, match="another secret"):
        deidentify_tree(case.source, out, SECRET, Options(dates="keep"), resume=True)

    # What a killed run had begun to write is not there in the end.
    draft = new_draft(out / "study")
    draft.write_bytes(b"half")

    # Stopped again, between the studies and the records.
    monkeypatch.setattr(remaking, "remade_reading", stopped)
    count = iter([12])
    with pytest.raises(KeyboardInterrupt):
        deidentify_tree(case.source, out, SECRET, resume=True)
    monkeypatch.undo()
    assert not (out / RECORDS).exists()
    again = deidentify_tree(case.source, out, SECRET, resume=True)
    assert (again.studies, again.already, again.records) == (0, 1, 2)
    assert contents(out) == contents(case.out)
