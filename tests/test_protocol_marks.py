"""What readers have marked is measured again, and the number is the same."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.fixtures.foreign_reports import (
    FINDING,
    LENGTH,
    MM,
    code,
    group,
    in_space,
    number,
    report,
    saved,
)
from tests.fixtures.small_study import CT_FRAME_UID, STUDY_UID

import osteotrace as ot
from osteotrace import reading
from osteotrace.errors import OsteotraceError
from osteotrace.protocol import parse
from osteotrace.protocol.entries import (
    AngleEntry,
    CaliperEntry,
    MarrowEdemaEntry,
    PalatalDefectEntry,
    VertebraEntry,
)
from osteotrace.reading.marks import marked_again
from osteotrace.regions import Points, Polyline
from osteotrace.segmentation import marked

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.findings import Assessment, Finding
    from osteotrace.protocol import Protocol
    from osteotrace.volume import Volume

READ = """\
name = "read"

[[caliper]]
label = "GAP-1"
kind = "palatal_bony_defect"
site = "hard_palate"
quantity = "palatal_gap_ap"
modality = "CT"
between = "gap"
frame_of_reference_uid = "2.25.1005"
start = [0.0, -5.5, 0.0]
end = [0.0, 5.0, 0.0]

[[intensity]]
label = "VALUES"
kind = "region"
site = "hard_palate"
modality = "CT"
frame_of_reference_uid = "2.25.1005"
region = { centre = [0.0, -8.5, 0.0], radius = 3.0 }
"""
AGAIN = """\
name = "again"
[masks]
sources = ["marks"]
[[marked]]
modality = "CT"
marks = {marks}
"""


def protocol(text: str) -> Protocol:
    from pathlib import Path

    return parse(text.encode(), Path("marks.toml"))


def again(marks: str) -> Protocol:
    return protocol(AGAIN.replace("{marks}", marks))


@pytest.fixture(scope="module")
def first(small_study: Path) -> Assessment:
    """Return a reading of the small study."""
    return reading.measure(small_study, protocol(READ))


@pytest.fixture
def study(small_study: Path, tmp_path: Path, first: Assessment) -> Path:
    """Return the study with the DICOM SR and SEG of its reading among the images."""
    folder = shutil.copytree(small_study, tmp_path / "study")
    ot.save(first, folder / "records", images=ot.scan(small_study))
    return folder


@pytest.fixture(scope="module")
def scanned(small_study: Path) -> Volume:
    """Return the CT of the small study."""
    return ot.load(small_study / "ct")


def test_marks_in_the_study_are_measured_again_to_the_bit(
    study: Path, first: Assessment
) -> None:
    found = reading.measure(study, again('"*"')).findings
    assert [one.label for one in found] == ["GAP-1", "VALUES"]
    for one, other in zip(found, first.findings, strict=True):
        assert one.measurements == other.measurements
        assert (one.kind, one.site) == (other.kind, other.site)
        assert one.tracking_uid == other.tracking_uid


def test_marks_are_meant_by_their_label_or_their_kind(study: Path) -> None:
    for marks in ('"GAP-*"', '"palatal*"', '["x", "gap-1"]'):
        (one,) = reading.measure(study, again(marks)).findings
        assert one.label == "GAP-1"


def test_a_record_below_the_masks_will_do_and_the_latest_reading_counts(
    small_study: Path, tmp_path: Path, first: Assessment
) -> None:
    moved = msgspec.structs.replace(
        first,
        assessment_uid="2.25.77",
        recorded="2099-01-01T00:00:00+00:00",
        findings=first.findings[:1],
    )
    note = msgspec.structs.replace(moved.findings[0], laterality="left")
    ot.save(first, tmp_path / "masks" / "a.json")
    ot.save(
        msgspec.structs.replace(moved, findings=(note,)), tmp_path / "masks" / "b.json"
    )
    found = reading.measure(small_study, again('"*"'), masks=tmp_path / "masks").findings
    assert {one.label: one.laterality for one in found} == {"GAP-1": "left", "VALUES": ""}


def test_where_nobody_has_marked_anything_it_is_said(small_study: Path) -> None:
    with pytest.raises(OsteotraceError) as caught:
        reading.measure(small_study, again('"PAL-*"'))
    assert caught.value.found == "no mark of a reader for lesion: PAL-*"


def test_the_mask_of_a_saved_finding_is_a_label(study: Path, first: Assessment) -> None:
    text = 'name = "m"\n[masks]\nsources = ["marks"]\n[[intensity]]\nlabel = "V"\n'
    text += 'modality = "CT"\nsite = "jaw"\nregion = { label = "VALUES" }\n'
    (one,) = reading.measure(study, protocol(text)).findings
    value, other = one.measurements[0], first.findings[1].measurements[0]
    assert isinstance(value, ot.Measurement)
    assert isinstance(other, ot.Measurement)
    assert value.value == other.value


# Marks of other software --------------------------------------------------------------


def foreign(volume: Volume, kind: str, *points: tuple[float, float, float]) -> Finding:
    region: Points | Polyline = (
        Polyline(
            role="",
            points=points,
            frame_of_reference_uid=volume.frame_of_reference_uid,
            source_instances=(),
        )
        if len(points) > 1
        else Points(
            role="",
            points=points,
            point_roles=("",),
            frame_of_reference_uid=volume.frame_of_reference_uid,
            source_instances=(),
        )
    )
    return ot.Finding(
        tracking_uid="2.25.1", label="F", kind=kind, site="l1", regions=(region,)
    )


GAP_FINDING = ("SCT", "52988006", "Lesion")
A, B, C = (0.0, -5.5, 0.0), (0.0, 5.0, 0.0), (4.0, 5.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "points", "entry"),
    [
        ("lesion", (A, B), CaliperEntry),
        ("palatal_bony_defect", (A, B), PalatalDefectEntry),
        ("palatal_bony_defect", (A,), PalatalDefectEntry),
        ("lesion", (A, B, C), AngleEntry),
    ],
)
def test_points_of_other_software_are_what_their_number_and_kind_say(
    scanned: Volume,
    kind: str,
    points: tuple[tuple[float, float, float], ...],
    entry: type,
) -> None:
    made, masks = marked_again(foreign(scanned, kind, *points), scanned)
    assert type(made) is entry
    assert masks == {}


@pytest.mark.parametrize(
    ("kind", "entry"), [("vertebra", VertebraEntry), ("marrow_edema", MarrowEdemaEntry)]
)
def test_masks_of_other_software_are_measured_by_their_kind(
    scanned: Volume, kind: str, entry: type
) -> None:
    mask = marked.ball(scanned, (0.0, -8.5, 0.0), 3.0, role="any")
    finding = msgspec.structs.replace(foreign(scanned, kind, A), regions=(mask,))
    made, masks = marked_again(finding, scanned)
    assert type(made) is entry
    assert list(masks.values()) == [mask]


def test_a_result_without_a_mark_is_refused(scanned: Volume) -> None:
    finding = msgspec.structs.replace(foreign(scanned, "lesion", A), regions=())
    with pytest.raises(OsteotraceError, match="of which only the result is known"):
        marked_again(finding, scanned)


def test_a_length_in_a_report_of_other_software_is_snapped_and_measured(
    small_study: Path, tmp_path: Path, first: Assessment
) -> None:
    study = shutil.copytree(small_study, tmp_path / "study")
    line = in_space("POLYLINE", [*A, *B], CT_FRAME_UID)
    (study / "sr").mkdir()
    document = report(
        group("PAL-9", code(FINDING, GAP_FINDING), number(LENGTH, "10.5", MM, line)),
        StudyInstanceUID=STUDY_UID,
        PatientID="TEST-1",
    )
    saved(document, study / "sr" / "1.dcm")
    (found,) = reading.measure(study, again('"PAL-*"')).findings
    value, own = found.measurements[0], first.findings[0].measurements[0]
    assert isinstance(value, ot.Measurement)
    assert isinstance(own, ot.Measurement)
    # Edges fitted near the same rough points: 12 mm, not the 10.5 mm between them.
    assert (found.label, value.value) == ("PAL-9", own.value)
