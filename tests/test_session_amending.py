"""A record is opened to be amended: all it says is kept, what does not fit is refused."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import highdicom as hd
import msgspec
import numpy as np
import pytest
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom import dcmread
from tests.fixtures import foreign_reports as peer
from tests.fixtures.four_cases import finding
from tests.fixtures.kept_readings import gap, loaded
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID, STUDY_UID

from osteotrace.errors import OsteotraceError
from osteotrace.protocol import CaliperEntry
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.records import sr
from osteotrace.records.sealed_json import sealed
from osteotrace.regions import Mask
from osteotrace.segmentation import marked
from osteotrace.session import Session, mark_entries, marking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Fact

    Make = Callable[..., Session]

FOREIGN_SEG_UID = "2.25.7002"
LINE = (0.0, -6.0, 0.0, 0.0, 6.0, 0.0)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "records"


@pytest.fixture(scope="module")
def kims(tmp_path_factory: pytest.TempPathFactory, small_study: Path) -> Path:
    """The record of Dr Kim: a gap with a note, a fact, a drug and a stage set by hand."""
    folder = tmp_path_factory.mktemp("kim")
    session = Session(reader="Dr Kim", drafts=folder / "drafts")
    session.open(small_study)
    session.priors.use(folder / "records")
    loaded(session)
    gap(session, kind="palatal_bony_defect", site="hard_palate", note="as measured")
    session.statements.state("exposed_bone", True)
    session.statements.add_drug("denosumab")
    session.statements.override("aaoms_2022", "2", "erythema at the bedside")
    (path, *_) = session.save(folder / "records")
    session.close()
    return path


@pytest.fixture
def own(kims: Path, records: Path) -> Path:
    """A copy of Dr Kim's record in the records folder."""
    records.mkdir()
    shutil.copy(kims, records / kims.name)
    return records / kims.name


@pytest.fixture
def lee(make_session: Make) -> Session:
    """A reader who has done nothing yet."""
    return make_session("Dr Lee")


def foreign_report(folder: Path, *, frame: str = CT_FRAME_UID, **elements: Any) -> Path:
    """Return a report of other software: a line of 12 mm, and a part nobody knows."""
    unknown = peer.code(("1", "99PEER", "Mood"), ("2", "99PEER", "Good"))
    group = peer.group(
        "Length 1",
        peer.in_space("POLYLINE", LINE, frame),
        peer.number(peer.LENGTH, "12.0", peer.MM),
        unknown,
    )
    folder.mkdir(exist_ok=True)
    return peer.saved(peer.report(group, **elements), folder / "peer.dcm")


def foreign_segmentation(folder: Path, study: Path) -> Path:
    """Return a segmentation of other software with one sequestrum on the CT."""
    headers: list[Dataset] = [dcmread(file) for file in sorted((study / "ct").iterdir())]
    voxels = np.zeros((20, 96, 70), np.uint8)
    voxels[9:12, 30:50, 20:40] = 1
    segment = SegmentDescription(
        1,
        "SEQ-1",
        CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure"),
        CodedConcept("4857006", "SCT", "Sequestrum"),
        SegmentAlgorithmTypeValues.MANUAL,
    )
    made = hd.seg.Segmentation(
        headers,
        voxels,
        hd.seg.SegmentationTypeValues.BINARY,
        [segment],
        series_instance_uid="2.25.7001",
        series_number=7,
        sop_instance_uid=FOREIGN_SEG_UID,
        instance_number=1,
        manufacturer="Peer",
        manufacturer_model_name="Segmenter",
        software_versions="3",
        device_serial_number="1",
    )
    folder.mkdir(exist_ok=True)
    made.save_as(folder / "seg.dcm")
    return folder / "seg.dcm"


def predecessors(file: Path) -> list[str]:
    """Return the SOP instances that a DICOM record says it amends."""
    return [
        str(one.ReferencedSOPInstanceUID)
        for study in dcmread(file).PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]


def refused(session: Session, path: Path, match: str) -> None:
    """Expect a record to be refused, and nothing to change."""
    before = (session.held, session.draft.statements, session.draft.predecessor_uid)
    with pytest.raises(OsteotraceError, match=match):
        session.open_record(path)
    now = (session.held, session.draft.statements, session.draft.predecessor_uid)
    assert now == before


def test_a_caliper_of_a_record_is_moved_by_the_rule_it_was_measured_by(
    lee: Session,
) -> None:
    volume = loaded(lee)
    drawn = gap(lee, between="gap")
    # A record holds what was found, and not the entry.
    bare = msgspec.structs.replace(lee.held_finding(drawn.tracking_uid), entry=None)
    again = mark_entries.rebuilt(bare, volume)
    assert isinstance(again.entry, CaliperEntry)
    assert (again.entry.between, again.entry.walls) == ("gap", "any")
    (found,) = marking.measured([again], volume)[drawn.label]
    assert found.measurements == drawn.measurements


# A record of osteotrace ------------------------------------------------------------


def test_an_own_record_is_taken_over_whole_and_accepted(lee: Session, own: Path) -> None:
    base = sr.read(own)
    opened = lee.open_record(own)
    assert opened.amends
    assert lee.findings == base.findings
    assert all(one.accepted for one in lee.held)
    stated = lee.statements.stated
    assert (stated.facts, stated.drugs) == (base.facts, base.drugs)
    assert [one.stage for one in stated.overrides] == ["2"]
    assert opened.as_text == (
        "1 finding read by Dr Kim: the next save amends that record."
    )


def test_what_is_saved_next_is_a_new_instance_that_names_its_predecessor(
    lee: Session, own: Path, records: Path
) -> None:
    bytes_before, base = own.read_bytes(), sr.read(own)
    lee.open_record(own)
    (uid,) = (one.tracking_uid for one in lee.findings)
    lee.edit_finding(uid, note="smaller than it was said")
    (path, *_) = lee.save(records)
    amendment = sr.read(path)
    assert amendment.assessment_uid != base.assessment_uid
    assert amendment.predecessor_uid == base.assessment_uid
    assert predecessors(path) == [base.assessment_uid]
    assert amendment.reader == "Dr Lee"
    assert amendment.findings[0].note == "smaller than it was said"
    assert amendment.findings[0].measurements == base.findings[0].measurements
    assert own.read_bytes() == bytes_before
    assert sr.read(own) == base


def test_the_second_save_amends_the_first_not_the_base(
    lee: Session, own: Path, records: Path
) -> None:
    lee.open_record(own)
    (first, *_) = lee.save(records)
    lee.statements.state("pus", False)
    (second, *_) = lee.save(records)
    assert sr.read(second).predecessor_uid == sr.read(first).assessment_uid


def test_opening_is_one_command_that_can_be_taken_back(lee: Session, own: Path) -> None:
    base = sr.read(own)
    lee.open_record(own)
    assert lee.undo() == f"{own.name} opened"
    assert (lee.held, lee.draft.predecessor_uid, lee.draft.base) == ((), "", None)
    assert lee.statements.stated == CaseFacts()
    lee.redo()
    assert lee.findings == base.findings
    assert lee.draft.predecessor_uid == base.assessment_uid


def test_taken_back_after_a_save_that_save_is_still_what_is_amended(
    lee: Session, own: Path, records: Path
) -> None:
    lee.open_record(own)
    (first, *_) = lee.save(records)
    lee.undo()
    assert lee.draft.predecessor_uid == sr.read(first).assessment_uid


def test_an_opened_record_survives_the_session(
    make_session: Make, lee: Session, own: Path, records: Path
) -> None:
    lee.open_record(own)
    lee.close()
    again = make_session("Dr Lee")
    assert again.findings == sr.read(own).findings
    (path, *_) = again.save(records)
    assert sr.read(path).predecessor_uid == sr.read(own).assessment_uid


def test_a_record_that_lies_elsewhere_is_named_all_the_same(
    lee: Session, own: Path, tmp_path: Path
) -> None:
    lee.open_record(own)
    (path, *_) = lee.save(tmp_path / "other records")
    assert predecessors(path) == [sr.read(own).assessment_uid]


def test_a_record_in_json_is_amended_too(lee: Session, own: Path, records: Path) -> None:
    base = sr.read(own)
    file = own.with_suffix(".json")
    file.write_bytes(sealed(base))
    own.unlink()
    lee.open_record(file)
    assert lee.findings == base.findings
    (path, *_) = lee.save(records)
    assert sr.read(path).predecessor_uid == base.assessment_uid


def test_parts_stay_with_the_finding_they_are_of(lee: Session, own: Path) -> None:
    base = sr.read(own)
    whole = finding("SEQ", "sequestrum", "maxilla")
    parts = [finding(f"SEQ/{n}", "sequestrum", "maxilla") for n in (1, 2)]
    file = own.with_suffix(".json")
    file.write_bytes(sealed(msgspec.structs.replace(base, findings=(whole, *parts))))
    lee.open_record(file)
    assert [one.leader for one in lee.held] == ["", *[whole.tracking_uid] * 2]
    assert [one.part for one in lee.held] == ["", "/1", "/2"]
    lee.unaccept(whole.tracking_uid)
    assert not any(one.accepted for one in lee.held)


def test_masks_of_osteotrace_open_the_report_that_they_belong_to(
    make_session: Make, records: Path
) -> None:
    kim = make_session("Dr Kim")
    volume = loaded(kim)
    ball = marked.ball(volume, (0.0, 0.0, 0.0), 3.0, role="marked region")
    (one, *_) = kim.add("intensity", volume, region=ball)
    kim.accept(one.tracking_uid)
    kim.save(records)
    kept = kim.findings
    kim.close()
    (masks,) = (file for file in records.glob("*.dcm") if dcmread(file).Modality == "SEG")
    lee = make_session("Dr Lee")
    lee.open_record(masks)
    assert lee.findings == kept
    alone = records.parent / "alone.dcm"
    alone.write_bytes(masks.read_bytes())
    refused(make_session("Dr Park"), alone, "without the report")


# Of other software ------------------------------------------------------------


def test_a_foreign_report_is_amended_and_its_unknown_parts_stay_listed(
    lee: Session, tmp_path: Path, records: Path
) -> None:
    file = foreign_report(tmp_path / "peer")
    opened = lee.open_record(file)
    assert opened.amends
    assert "99PEER" in " ".join(opened.not_understood)
    assert "Not understood: 1 part." in opened.as_text
    assert opened.placed == ("Length 1",)
    (found,) = lee.findings
    assert found.measurements[0].name == "length"
    (path, *_) = lee.save(records)
    amendment = sr.read(path)
    assert amendment.predecessor_uid == peer.REPORT_UID
    assert predecessors(path) == [peer.REPORT_UID]
    assert amendment.not_understood == opened.not_understood


def test_a_foreign_segmentation_is_amended_by_findings_with_its_masks(
    lee: Session, tmp_path: Path, records: Path, small_study: Path
) -> None:
    opened = lee.open_record(foreign_segmentation(tmp_path / "peer", small_study))
    assert opened.amends
    (found,) = lee.findings
    (mask,) = found.regions
    assert isinstance(mask, Mask)
    assert mask.voxels.sum() == 3 * 20 * 20
    (path, *_) = lee.save(records)
    amendment = sr.read(path)
    assert amendment.predecessor_uid == FOREIGN_SEG_UID
    assert amendment.findings == (found,)


def test_one_uid_for_several_foreign_findings_is_told_apart(
    lee: Session, tmp_path: Path
) -> None:
    group = peer.group("A", peer.in_space("POLYLINE", LINE, CT_FRAME_UID))
    again = peer.group("B", peer.in_space("POLYLINE", LINE, CT_FRAME_UID))
    file = peer.saved(peer.report(group, again), tmp_path / "peer.dcm")
    lee.open_record(file)
    assert len({one.tracking_uid for one in lee.findings}) == 2


# Beside what is there ------------------------------------------------------------


def test_beside_drafts_the_findings_are_added_as_drafts(lee: Session, own: Path) -> None:
    mine = gap(lee)
    opened = lee.open_record(own)
    assert not opened.amends
    assert lee.draft.predecessor_uid == ""
    assert lee.findings == (mine, *sr.read(own).findings)
    assert [one.accepted for one in lee.held] == [True, False]
    assert "added as drafts" in opened.as_text


def test_statements_alone_make_a_reading_begun(lee: Session, own: Path) -> None:
    fact: Fact = lee.statements.state("pus", True)
    assert not lee.open_record(own).amends
    assert lee.statements.stated.facts == (fact,)


def test_what_is_here_already_stays_as_it_is(lee: Session, own: Path) -> None:
    lee.open_record(own)
    (one,) = lee.findings
    lee.edit_finding(one.tracking_uid, note="mine")
    before = lee.draft
    opened = lee.open_record(own)
    assert opened.as_text == (
        f"Nothing to add: every finding of {own.name} is in this reading already."
    )
    assert (opened.findings, opened.amends) == ((), False)
    assert lee.draft == before
    (one,) = lee.findings
    assert one.note == "mine"


# Refused ------------------------------------------------------------


def changed(own: Path, **fields: Any) -> Path:
    """Return the record of Dr Kim with other fields, sealed anew."""
    record: Assessment = msgspec.structs.replace(
        sr.read(own), assessment_uid="2.25.4444", **fields
    )
    file = own.with_name("2.25.4444.json")
    file.write_bytes(sealed(record))
    return file


def test_a_record_of_another_patient_is_refused(lee: Session, own: Path) -> None:
    refused(lee, changed(own, patient="P-OTHER"), "another patient, P-OTHER")


def test_a_record_of_another_study_is_refused(lee: Session, own: Path) -> None:
    other = changed(own, study_uid="2.25.1", study_date="2023-01-02")
    refused(lee, other, "another study, of 2023-01-02")


def test_a_record_of_no_study_is_refused(lee: Session, own: Path) -> None:
    refused(lee, changed(own, study_uid=""), "no study")


def test_another_frame_of_reference_is_refused_with_the_reason(
    lee: Session, tmp_path: Path
) -> None:
    file = foreign_report(tmp_path / "peer", frame="2.25.6666")
    refused(lee, file, r"another frame of reference, 2\.25\.6666")


def test_images_that_are_not_open_are_named(lee: Session, own: Path) -> None:
    (one,) = sr.read(own).findings
    regions = tuple(
        msgspec.structs.replace(
            region, frame_of_reference_uid="", source_instances=("2.25.77.1",)
        )
        for region in one.regions
    )
    moved = msgspec.structs.replace(one, regions=regions)
    refused(lee, changed(own, findings=(moved,)), "images that are not open")


def test_a_damaged_record_is_refused(lee: Session, own: Path) -> None:
    content = own.read_bytes()
    own.write_bytes(content.replace(b"as measured", b"as imagined"))
    refused(lee, own, "SHA-256")


def test_without_a_study_nothing_is_opened(
    lee: Session, own: Path, small_study: Path
) -> None:
    lee.close()
    lee.open(small_study)
    with pytest.raises(OsteotraceError, match="no study that is read"):
        lee.open_record(own)


def test_the_series_of_what_was_taken_over_are_listed(lee: Session, own: Path) -> None:
    lee.open_record(own)
    assert lee.assessment is not None
    assert CT_SERIES_UID in [one.series_uid for one in lee.assessment.series]
    assert lee.assessment.study_uid == STUDY_UID
