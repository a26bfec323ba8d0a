"""A segmentation that stands alone, read as findings: one a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
import pytest
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom import dcmread
from pydicom.dataset import Dataset as PydicomDataset
from pydicom.sr.codedict import codes
from tests.fixtures import foreign_reports as sr_parts
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID, STUDY_UID

import osteotrace as ot
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, check, from_json, to_json
from osteotrace.records.foreign import segmentation as foreign_seg
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom import Dataset

SEQUESTRUM = CodedConcept("4857006", "SCT", "Sequestrum")
ABNORMAL = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")
TISSUE = CodedConcept("85756007", "SCT", "Tissue")
LIVER = CodedConcept("10200004", "SCT", "Liver")


def _segment(
    number: int, label: str, category: CodedConcept, kind: CodedConcept, **more: Any
) -> SegmentDescription:
    return SegmentDescription(
        number, label, category, kind, SegmentAlgorithmTypeValues.MANUAL, **more
    )


@pytest.fixture(scope="module")
def headers(small_study: Path) -> list[Dataset]:
    return [dcmread(path) for path in sorted((small_study / "ct").iterdir())]


def _voxels(*boxes: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
    """Return a segment a box, on the grid of the CT."""
    voxels = np.zeros((20, 96, 70, len(boxes)), np.uint8)
    for n, box in enumerate(boxes):
        voxels[..., n][box] = 1
    return voxels


BOXES = (
    (slice(9, 12), slice(30, 50), slice(20, 40)),
    (slice(5, 8), slice(10, 15), slice(10, 30)),
    # They may overlap.
    (slice(6, 12), slice(30, 40), slice(20, 30)),
)


def _saved(
    file: Path,
    headers: list[Dataset],
    segments: list[SegmentDescription],
    manufacturer: str = "Peer",
    **elements: Any,
) -> Path:
    made = hd.seg.Segmentation(
        headers,
        _voxels(*BOXES[: len(segments)]),
        hd.seg.SegmentationTypeValues.BINARY,
        segments,
        series_instance_uid="2.25.7001",
        series_number=7,
        sop_instance_uid="2.25.7002",
        instance_number=1,
        manufacturer=manufacturer,
        manufacturer_model_name="Segmenter",
        software_versions="3",
        device_serial_number="1",
        **elements,
    )
    made.save_as(file)
    return file


def _read(file: Path) -> Assessment:
    found = ot.read(file)
    check(found)
    assert from_json(to_json(found), Assessment) == found
    return found


def test_every_segment_is_a_finding_with_its_mask(
    headers: list[Dataset], tmp_path: Path
) -> None:
    segments = [
        _segment(
            1,
            "dead bone",
            ABNORMAL,
            SEQUESTRUM,
            anatomic_regions=[codes.SCT.Mandible],
            tracking_uid="2.25.31",
            tracking_id="SEQ-1",
        ),
        _segment(2, "L1 vertebra", codes.SCT.AnatomicalStructure, codes.SCT.L1Vertebra),
        _segment(3, "liver", TISSUE, LIVER),
    ]
    found = _read(_saved(tmp_path / "seg.dcm", headers, segments))
    dead, level, liver = found.findings
    assert (dead.kind, dead.site, dead.label) == ("sequestrum", "mandible", "SEQ-1")
    assert dead.tracking_uid == "2.25.31"
    assert (level.kind, level.site) == ("region", "l1")
    # What it is called here nobody knows; that it is no lesion its category says.
    assert (liver.kind, liver.site) == ("region", "unspecified")
    assert "Segmented Property Type as reported: Liver (10200004 SCT)" in liver.note
    assert found.not_understood == (
        "segment 3 liver / Segmented Property Type: CODE Liver (10200004 SCT)",
    )
    for finding, box in zip(found.findings, BOXES, strict=True):
        (mask,) = finding.regions
        assert isinstance(mask, Mask)
        assert mask.voxels.all()
        assert mask.voxels.shape == tuple(side.stop - side.start for side in box)
        assert mask.frame_of_reference_uid == CT_FRAME_UID
        assert mask.source_instances == tuple(
            str(headers[k].SOPInstanceUID) for k in range(box[0].start, box[0].stop)
        )
        assert finding.series_uid == CT_SERIES_UID
        assert finding.certainty == "unknown"


def test_the_file_says_whose_and_when_it_is(
    headers: list[Dataset], tmp_path: Path
) -> None:
    segment = _segment(1, "x", ABNORMAL, SEQUESTRUM)
    file = _saved(
        tmp_path / "seg.dcm", headers, [segment], content_creator_name="Reader^Two"
    )
    found = _read(file)
    assert (found.predecessor_uid, found.study_uid) == ("2.25.7002", STUDY_UID)
    assert (found.software, found.reader) == ("Peer Segmenter 3", "Reader Two")
    assert found.patient.startswith("P-")
    assert found.series[0].series_uid == CT_SERIES_UID


def test_an_abnormality_that_is_not_known_is_a_lesion(
    headers: list[Dataset], tmp_path: Path
) -> None:
    neoplasm = CodedConcept("108369006", "SCT", "Neoplasm")
    segment = _segment(1, "x", ABNORMAL, neoplasm, anatomic_regions=[LIVER])
    found = _read(_saved(tmp_path / "seg.dcm", headers, [segment]))
    assert (found.findings[0].kind, found.findings[0].site) == ("lesion", "unspecified")
    assert len(found.not_understood) == 2


def test_a_segment_without_tracking_keeps_its_identity(
    headers: list[Dataset], tmp_path: Path
) -> None:
    segments = [_segment(n, f"s{n}", ABNORMAL, SEQUESTRUM) for n in (1, 2)]
    file = _saved(tmp_path / "seg.dcm", headers, segments)
    first, second = _read(file).findings
    assert first.tracking_uid != second.tracking_uid
    assert first.tracking_uid == _read(file).findings[0].tracking_uid


def test_a_region_of_two_sides_is_of_no_side_and_listed(
    headers: list[Dataset], tmp_path: Path
) -> None:
    described = _segment(
        1, "x", ABNORMAL, SEQUESTRUM, anatomic_regions=[codes.SCT.Mandible]
    )
    sides = [CodedConcept("7771000", "SCT", "Left"), CodedConcept("24028007", "SCT", "R")]
    described.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = sides
    found = _read(_saved(tmp_path / "seg.dcm", headers, [described]))
    assert found.findings[0].laterality == ""
    assert found.not_understood == (
        "segment 1 x / Laterality: CODE Left (7771000 SCT)",
        "segment 1 x / Laterality: CODE R (24028007 SCT)",
    )


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.97])
def test_part_of_a_segmentation_is_refused(
    headers: list[Dataset], tmp_path: Path, share: float
) -> None:
    file = _saved(tmp_path / "seg.dcm", headers, [_segment(1, "x", ABNORMAL, SEQUESTRUM)])
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(OsteotraceError) as caught:
        ot.read(file)
    assert caught.value.where == str(file)


def test_a_segmentation_of_our_own_is_read_with_its_report_only(
    headers: list[Dataset], tmp_path: Path
) -> None:
    segment = _segment(1, "x", ABNORMAL, SEQUESTRUM)
    file = _saved(tmp_path / "seg.dcm", headers, [segment], manufacturer="osteotrace")
    with pytest.raises(OsteotraceError, match="part of a record of osteotrace"):
        ot.read(file)


def _without_marks(document: Dataset) -> None:
    document.Manufacturer, document.ManufacturerModelName = "Peer", "Segmenter"
    if "CodingSchemeIdentificationSequence" in document:
        del document.CodingSchemeIdentificationSequence


def test_its_label_alone_tells_a_segmentation_of_our_own(
    headers: list[Dataset], tmp_path: Path
) -> None:
    segment = _segment(1, "x", ABNORMAL, SEQUESTRUM)
    file = _saved(tmp_path / "seg.dcm", headers, [segment], content_label="OSTEOTRACE")
    document = dcmread(file)
    _without_marks(document)
    document.save_as(file)
    with pytest.raises(OsteotraceError, match="part of a record of osteotrace"):
        ot.read(file)


def _as_site(segment: SegmentDescription) -> None:
    segment.AnatomicRegionSequence = [PRIVATE]


def _as_type(segment: SegmentDescription) -> None:
    segment.SegmentedPropertyTypeCodeSequence = [PRIVATE]


def _as_modifier(segment: SegmentDescription) -> None:
    site = CodedConcept("91609006", "SCT", "Mandible")
    site.AnatomicRegionModifierSequence = [PRIVATE]
    segment.AnatomicRegionSequence = [site]


PRIVATE = CodedConcept("F-MOTH", "99OSTEO", "Moth-eaten")


@pytest.mark.parametrize("put", [_as_site, _as_type, _as_modifier])
def test_a_private_code_alone_tells_a_segmentation_of_our_own(
    headers: list[Dataset], tmp_path: Path, put: Callable[[SegmentDescription], None]
) -> None:
    segment = _segment(1, "x", ABNORMAL, SEQUESTRUM)
    put(segment)
    file = _saved(tmp_path / "seg.dcm", headers, [segment])
    with pytest.raises(OsteotraceError, match="part of a record of osteotrace"):
        ot.read(file)


# Segments that a report names ----------------------------------------------------------


def _report_of_segment(uid: str, file: Path) -> Path:
    reference = PydicomDataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    reference.ReferencedSOPInstanceUID = uid
    reference.ReferencedSegmentNumber = 1
    name = ("121191", "DCM", "Referenced Segment")
    named = sr_parts.item("IMAGE", name, ReferencedSOPSequence=[reference])
    return sr_parts.saved(sr_parts.report(sr_parts.group("1", named)), file)


@pytest.mark.parametrize(("uid", "regions"), [("2.25.7002", 1), ("2.25.7003", 0)])
def test_a_segment_is_taken_from_the_segmentation_that_the_report_names(
    headers: list[Dataset], tmp_path: Path, uid: str, regions: int
) -> None:
    # The file has the name that is asked for, whatever it holds.
    _saved(tmp_path / f"{uid}.dcm", headers, [_segment(1, "x", ABNORMAL, SEQUESTRUM)])
    found = ot.read(_report_of_segment(uid, tmp_path / "report.dcm"))
    assert len(found.findings[0].regions) == regions
    assert len(found.not_understood) == 1 - regions


@pytest.mark.parametrize("is_given", [False, True], ids=["beside", "given"])
def test_a_segmentation_of_our_own_is_not_taken_for_another_report(
    headers: list[Dataset], tmp_path: Path, is_given: bool
) -> None:
    folder = tmp_path / "masks" if is_given else tmp_path
    folder.mkdir(exist_ok=True)
    own = _saved(
        folder / "2.25.7002.dcm",
        headers,
        [_segment(1, "x", ABNORMAL, SEQUESTRUM)],
        manufacturer="osteotrace",
    )
    file = _report_of_segment("2.25.7002", tmp_path / "report.dcm")
    with pytest.raises(OsteotraceError, match="part of a record of osteotrace"):
        ot.read(file, segmentations=[own] if is_given else [])


def test_a_real_segmentation_of_a_liver_is_read(real_dicom: Path) -> None:
    file = real_dicom / "seg_liver_ct" / "liver.dcm"
    found = foreign_seg.read(file)
    voxels = sum(
        int(region.voxels.sum())
        for finding in found.findings
        for region in finding.regions
        if isinstance(region, Mask)
    )
    assert voxels == 107_098
    assert [finding.kind for finding in found.findings] == ["region"]
    assert len(found.not_understood) == 1
