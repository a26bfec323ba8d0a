"""Masks of a reading, saved as DICOM segmentations, come back equal, or not at all."""

from __future__ import annotations

import datetime
import logging
import shutil
import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian
from tests.fixtures.assessments import ASSESSMENT_UID, assessment, caliper_finding
from tests.fixtures.enhanced_study import frame_of
from tests.fixtures.mask_studies import (
    MaskStudy,
    around,
    finding_of,
    fragment,
    grids,
    mask_study,
    speckled,
)
from tests.fixtures.stacks import stack

import osteotrace as ot
from osteotrace import about
from osteotrace.codes import KINDS, PRIVATE_SCHEME, PRIVATE_SCHEME_UID
from osteotrace.errors import OsteotraceError
from osteotrace.findings import to_json
from osteotrace.measurements import cement, fragments, gas, marrow_growth, moth_eaten
from osteotrace.records import assessments, publication, sr, store
from osteotrace.records.segmentations import reading as seg_reading
from osteotrace.records.segmentations import segments as seg_segments
from osteotrace.regions import ImagePoints, Mask, Polyline
from osteotrace.segmentation import marked
from osteotrace.segmentation.labels import read_labels
from osteotrace.uids import source_name
from osteotrace.volume.resampling import rectified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset
    from tests.fixtures.enhanced_study import EnhancedStudy

    from osteotrace.findings import Assessment
    from osteotrace.records.seg import Encoding

logger = logging.getLogger(__name__)
NOW = datetime.datetime(2024, 5, 1, 10, 30)
ENCODINGS: tuple[Encoding, ...] = ("binary", "labelmap")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MaskStudy]:
    """A CT series on a grid of each kind."""
    return {
        name: mask_study(tmp_path_factory.mktemp("study"), grid)
        for name, grid in grids().items()
    }


@pytest.fixture(scope="module")
def study(studies: dict[str, MaskStudy]) -> MaskStudy:
    return studies["tilted, uneven"]


@pytest.fixture
def reading(study: MaskStudy) -> Assessment:
    """Two masks of one finding that overlap, and one of another."""
    volume = study.volume
    return study.reading(
        finding_of(around(volume), fragment(volume), role="fragment"),
        finding_of(fragment(volume, seed=2), uid="2.25.3002"),
    )


def segmentations(report: Path) -> list[Path]:
    """Return the segmentations beside a report, in the order that it names them."""
    (group,) = (
        item
        for item in dcmread(report).ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "D-SEGS"
    )
    return [
        report.with_name(f"{item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID}.dcm")
        for item in group.ContentSequence
    ]


def items(document: Dataset, code: str) -> Iterator[Dataset]:
    """Yield the content items of a concept, at any depth."""
    for child in document.get("ContentSequence", []):
        if child.ConceptNameCodeSequence[0].CodeValue == code:
            yield child
        yield from items(child, code)


def bits_of(mask: Mask) -> bytes:
    """Return every number of a mask's box as it is in memory."""
    grid = (*mask.row_direction, *mask.column_direction, *mask.pixel_spacing)
    every = [*grid, *(mm for origin in mask.origins for mm in origin)]
    return np.array(every, np.float64).tobytes() + mask.bits


# Nothing is lost -----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", list(grids()))
def test_masks_come_back_equal_from_a_grid_of_every_kind(
    studies: dict[str, MaskStudy], tmp_path: Path, kind: str, encoding: Encoding
) -> None:
    study = studies[kind]
    one, two = fragment(study.volume), around(study.volume)
    made = study.reading(finding_of(one, two))
    path = sr.write(made, study.catalogue, tmp_path, now=NOW, encoding=encoding)
    back = sr.read(path)
    assert back == made
    assert to_json(back) == to_json(made)
    for region, mask in zip(back.findings[0].regions, (one, two), strict=True):
        assert isinstance(region, Mask)
        assert bits_of(region) == bits_of(mask)


def test_a_mask_lies_on_the_whole_planes_of_its_images(
    study: MaskStudy, tmp_path: Path
) -> None:
    mask = fragment(study.volume)
    path = sr.write(study.reading(finding_of(mask)), study.catalogue, tmp_path, now=NOW)
    (file,) = segmentations(path)
    document = dcmread(file)
    shape = study.volume.grid.shape
    assert (document.Rows, document.Columns) == shape[1:]
    # The slice without a voxel is left out.
    assert document.NumberOfFrames == len(mask.origins) - 1
    for group in document.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        (image,) = (
            instance
            for instance in study.volume.instances
            if instance.sop_instance_uid == source.ReferencedSOPInstanceUID
        )
        stated = group.PlanePositionSequence[0].ImagePositionPatient
        assert list(stated) == list(dcmread(image.path).ImagePositionPatient)
        assert source.SpatialLocationsPreserved == "YES"


def test_our_own_reader_of_labels_reads_the_same_voxels(
    study: MaskStudy, tmp_path: Path
) -> None:
    one, two = fragment(study.volume), around(study.volume)
    made = study.reading(finding_of(one, two))
    path = sr.write(made, study.catalogue, tmp_path, now=NOW)
    labels = read_labels(segmentations(path)[0], like=study.volume)
    assert labels.names == ("PAL-1, fragment", "PAL-1, marked region")
    for label, mask in zip(labels, (one, two), strict=True):
        assert (label.mask.voxels == mask.voxels).all()
        assert label.mask.source_instances == mask.source_instances
        assert bits_of(label.mask) == bits_of(mask)


def test_masks_of_a_resampled_volume_lie_on_planes_of_their_own(
    study: MaskStudy, tmp_path: Path
) -> None:
    volume = rectified(study.volume, 0.7)
    low = (2, 3, 4)
    apart = speckled(volume.grid, low, (4, 9, 11), seed=3)
    one = marked.from_voxels(volume, apart, role="fragment")
    two = marked.from_voxels(
        volume, speckled(volume.grid, (6, 8, 5), (9, 15, 12), seed=4), role="gas"
    )
    made = study.reading(finding_of(one, two))
    path = sr.write(made, study.catalogue, tmp_path, now=NOW)
    assert sr.read(path) == made
    (file,) = segmentations(path)
    document = dcmread(file)
    # Rows 3 to 15 and columns 4 to 12 hold both boxes.
    assert (document.Rows, document.Columns) == (12, 8)
    labels = read_labels(file)
    for label, mask in zip(labels, (one, two), strict=True):
        points = mask.grid.to_patient(np.argwhere(mask.voxels))
        found = label.mask.grid.to_patient(np.argwhere(label.mask.voxels))
        assert np.abs(found - points).max() < 1e-6


def test_a_mask_of_part_of_a_tilted_stack_without_its_images_comes_back(
    studies: dict[str, MaskStudy], tmp_path: Path
) -> None:
    study = studies["oblique, tilted"]
    without = [
        msgspec.structs.replace(mask, source_instances=())
        for mask in (fragment(study.volume), around(study.volume))
    ]
    made = study.reading(finding_of(*without))
    path = sr.write(made, study.catalogue, tmp_path, now=NOW)
    assert sr.read(path) == made
    # A tilted grid holds one mask alone; each names an image of its series.
    assert len(segmentations(path)) == 2
    for file in segmentations(path):
        (series,) = dcmread(file).ReferencedSeriesSequence
        assert series.SeriesInstanceUID == study.volume.identity.series_uid


def test_masks_of_two_series_are_two_segmentations(
    small_study: Path, tmp_path: Path
) -> None:
    ct, mr = ot.load(small_study / "ct"), ot.load(small_study / "mr")
    masks = [
        marked.from_voxels(
            volume, speckled(volume.grid, (2, 20, 30), (6, 40, 45), seed=5), role="edema"
        )
        for volume in (ct, mr, ct)
    ]
    made = assessment(finding_of(*masks[:2]), finding_of(masks[2], uid="2.25.3002"))
    path = sr.write(made, ot.scan(small_study), tmp_path, now=NOW)
    assert sr.read(path) == made
    said = [dcmread(file) for file in segmentations(path)]
    assert [len(one.SegmentSequence) for one in said] == [2, 1]
    assert [one.FrameOfReferenceUID for one in said] == [
        ct.frame_of_reference_uid,
        mr.frame_of_reference_uid,
    ]
    assert len({one.SeriesInstanceUID for one in said}) == 2


def test_a_mask_on_frames_of_an_enhanced_object_names_its_time_point(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    catalogue = ot.scan(enhanced_study.folder / "ct.dcm", index=False)
    headers = [header for found in catalogue for header in found.volumes]
    for time_point, header in enumerate(sorted(headers, key=lambda h: h.kind)):
        volume = ot.load(header)
        voxels = speckled(volume.grid, (1, 5, 6), (5, 20, 22), seed=6)
        mask = marked.from_voxels(volume, voxels, role="fragment")
        made = assessment(finding_of(mask))
        folder = tmp_path / str(time_point)
        path = sr.write(made, enhanced_study.images, folder, now=NOW)
        assert sr.read(path) == made
        document = dcmread(segmentations(path)[0])
        sources = [
            group.DerivationImageSequence[0].SourceImageSequence[0]
            for group in document.PerFrameFunctionalGroupsSequence
        ]
        # Slice 2 of the volume, the second of the mask, is empty.
        expected = [frame_of(time_point, k) for k in (1, 3, 4)]
        assert [int(one.ReferencedFrameNumber) for one in sources] == expected
        named = [source_name(enhanced_study.ct, n) for n in expected]
        assert set(named) < set(mask.source_instances)


def test_a_single_voxel_and_a_whole_image_come_back(
    study: MaskStudy, tmp_path: Path
) -> None:
    voxels = np.zeros(study.volume.grid.shape, dtype=bool)
    voxels[4, 22, 30] = True
    one = marked.from_voxels(study.volume, voxels, role="one voxel")
    whole = marked.from_voxels(study.volume, np.ones_like(voxels), role="all")
    made = study.reading(finding_of(one, whole))
    assert sr.read(sr.write(made, study.catalogue, tmp_path, now=NOW)) == made


def test_points_on_a_radiograph_come_back_to_the_bit(
    study: MaskStudy, tmp_path: Path
) -> None:
    image = study.volume.instances[3].source
    points = ImagePoints(
        role="corners",
        image_points=((1.1, 2.0), (1 / 3, -0.0), (30.7, 22.9)),
        point_roles=("superior anterior", "", "inferior "),
        source_instances=(image,),
    )
    value = msgspec.structs.replace(
        caliper_finding().measurements[1], region="corners", sources=(image,)
    )
    finding = msgspec.structs.replace(
        caliper_finding(), kind="vcf", regions=(points,), measurements=(value,)
    )
    made = study.reading(finding)
    path = sr.write(made, study.catalogue, tmp_path, now=NOW)
    assert to_json(sr.read(path)) == to_json(made)
    marks = list(items(dcmread(path), "R-POINT"))
    coordinates = [mark for mark in marks if mark.ValueType == "SCOORD"]
    # Below the region by their roles, and below the number that was read from them.
    assert len(coordinates) == 6
    for mark in coordinates:
        (selected,) = mark.ContentSequence
        assert (mark.GraphicType, selected.RelationshipType) == ("POINT", "SELECTED FROM")
        reference = selected.ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == image


# What the files say to others ----------------------------------------------------------


def test_the_group_refers_to_the_segment_that_its_value_was_read_from(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    groups = list(items(dcmread(path), "125007"))
    assert [g.ContentTemplateSequence[0].TemplateIdentifier for g in groups] == [
        "1411",
        "1411",
    ]
    uid = segmentations(path)[0].stem
    for group, number in zip(groups, (2, 3), strict=True):
        (segment,) = (
            item
            for item in group.ContentSequence
            if item.ConceptNameCodeSequence[0].CodeValue == "121191"
        )
        reference = segment.ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == uid
        assert reference.ReferencedSegmentNumber == number
        (series,) = items(group, "121232")
        assert study.volume.identity.series_uid == series.UID
        (value,) = items(group, "M-GAPAP")
        (below,) = items(value, "121191")
        assert below.RelationshipType == "INFERRED FROM"
        assert below.ReferencedSOPSequence[0].ReferencedSegmentNumber == number


@pytest.mark.parametrize(
    ("kind", "role", "template"),
    [
        ("sequestrum", "fragment", "1411"),
        ("sequestrum", "longest diameter", "1410"),
        ("vertebra", "longest diameter", "1501"),
        ("vcf", "fragment", "1501"),
    ],
)
def test_line_and_mask_of_one_finding_stay_and_the_value_tells_the_template(
    study: MaskStudy, tmp_path: Path, kind: str, role: str, template: str
) -> None:
    mask = fragment(study.volume)
    line = Polyline(
        role="longest diameter",
        points=((0.0, 0.0, 0.0), (1.0, 2.0, 0.5)),
        frame_of_reference_uid=mask.frame_of_reference_uid,
        source_instances=mask.source_instances[:2],
    )
    finding = msgspec.structs.replace(finding_of(mask, line, role=role), kind=kind)
    made = study.reading(finding)
    path = sr.write(made, study.catalogue, tmp_path, now=NOW)
    assert sr.read(path) == made
    (group,) = items(dcmread(path), "125007")
    assert group.ContentTemplateSequence[0].TemplateIdentifier == template
    shown = [i for i in group.ContentSequence if i.ValueType in ("SCOORD3D", "IMAGE")]
    assert len(shown) == (template != "1501")


def test_highdicom_reads_the_group_and_the_segments(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    from highdicom.seg import segread
    from highdicom.sr import MeasurementReport, srread

    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    report = srread(path).content
    assert isinstance(report, MeasurementReport)
    groups = report.get_volumetric_roi_measurement_groups()
    assert [group.tracking_uid for group in groups] == ["2.25.3001", "2.25.3002"]
    seg = segread(segmentations(path)[0])
    assert seg.segment_numbers == [1, 2, 3]
    sizes = [seg.get_pixels_by_source_instance([i.sop_instance_uid
             for i in study.volume.instances], segment_numbers=[n],
             assert_missing_frames_are_empty=True).sum() for n in (1, 2, 3)]  # fmt: skip
    masks = [r for f in reading.findings for r in f.regions if isinstance(r, Mask)]
    assert sizes == [mask.voxels.sum() for mask in masks]


def test_a_segment_says_what_it_is_and_who_drew_it(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    document = dcmread(segmentations(path)[0])
    given, found, other = document.SegmentSequence
    assert [s.SegmentLabel for s in (given, found, other)] == [
        "PAL-1, marked region",
        "PAL-1, fragment",
        "PAL-1, fragment",
    ]
    (kind,) = found.SegmentedPropertyTypeCodeSequence
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("F-SEQ", PRIVATE_SCHEME)
    (place,) = given.SegmentedPropertyTypeCodeSequence
    assert place.CodeValue == KINDS["region"].value
    assert found.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert found.SegmentAlgorithmName == "osteotrace caliper 1"
    assert given.SegmentAlgorithmType == "MANUAL"
    assert given.SegmentDescription == seg_segments.GIVEN
    assert found.AnatomicRegionSequence[0].CodeMeaning == "Mandible"
    assert (given.TrackingUID, other.TrackingUID) == ("2.25.3001", "2.25.3002")
    assert len({s.TrackingUID for s in document.SegmentSequence}) == 3


def test_the_file_is_marked_for_research_and_names_its_codes(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    document = dcmread(segmentations(path)[0])
    assert document.ContentDescription == about.RESEARCH_USE_SHORT
    assert document.SegmentsOverlap == "YES"
    assert document.StudyInstanceUID == study.study_uid
    assert document.PatientID == dcmread(path).PatientID
    assert document.FrameOfReferenceUID == study.volume.frame_of_reference_uid
    (scheme,) = document.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeUID == PRIVATE_SCHEME_UID
    assert (document.ContentDate, document.ContentTime) == ("20240501", "103000")


def test_computed_roles_are_those_that_measurements_draw() -> None:
    drawn = {fragments.FRAGMENT, gas.GAS, cement.CEMENT, marrow_growth.PROPOSED}
    assert drawn | {moth_eaten.BREACHED} == seg_segments.COMPUTED_ROLES


def test_every_kind_of_finding_is_a_segment(study: MaskStudy, tmp_path: Path) -> None:
    findings = [
        msgspec.structs.replace(
            finding_of(fragment(study.volume), uid=f"2.25.{n}"),
            kind=kind,
            label=f"{kind}\n\\ 병변 " + "x" * 80,
            laterality="",
        )
        for n, kind in enumerate(KINDS, start=1)
    ]
    made = study.reading(*findings)
    path = sr.write(made, study.catalogue, tmp_path, now=NOW)
    assert sr.read(path) == made
    said = dcmread(segmentations(path)[0]).SegmentSequence
    kinds = [s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in said]
    assert kinds == [concept.value for concept in KINDS.values()]
    assert all(len(segment.SegmentLabel) <= 64 for segment in said)


def test_the_same_input_gives_the_same_bytes(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    paths = [
        sr.write(reading, study.catalogue, tmp_path / name, now=NOW) for name in "ab"
    ]
    files = [sorted(path.parent.iterdir()) for path in paths]
    assert [f.name for f in files[0]] == [f.name for f in files[1]]
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]


def test_a_label_map_is_smaller_and_masks_that_overlap_stay_binary(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    def kind(made: Assessment, encoding: Encoding) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        path = sr.write(made, study.catalogue, folder, now=NOW, encoding=encoding)
        assert sr.read(path) == made
        return str(dcmread(segmentations(path)[0]).SegmentationType)

    alone = study.reading(finding_of(fragment(study.volume)))
    assert kind(alone, "labelmap") == "LABELMAP"
    assert kind(alone, "binary") == "BINARY"
    assert kind(reading, "labelmap") == "BINARY"


# The order of things means nothing -----------------------------------------------------


def test_shuffled_segments_and_frames_and_empty_ones_are_read_as_they_lie(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    (file,) = segmentations(path)
    document = dcmread(file)
    shape = (document.NumberOfFrames, document.Rows, document.Columns)
    bits = np.unpackbits(np.frombuffer(document.PixelData, np.uint8), bitorder="little")
    planes = bits[: np.prod(shape)].reshape(shape)
    groups = list(document.PerFrameFunctionalGroupsSequence)
    # An empty frame more, on the plane of the last and of another segment.
    planes = np.concatenate([planes, np.zeros_like(planes[:1])])
    groups.append(dcmread(file).PerFrameFunctionalGroupsSequence[-1])
    groups[-1].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 1
    order = np.random.default_rng(0).permutation(len(groups))
    packed = np.packbits(planes[order].ravel(), bitorder="little").tobytes()
    document.PixelData = packed + b"\0" * (len(packed) % 2)
    document.NumberOfFrames = len(groups)
    document.PerFrameFunctionalGroupsSequence = [groups[n] for n in order]
    document.SegmentSequence = list(document.SegmentSequence)[::-1]
    document.save_as(file)
    assert sr.read(path) == reading


def test_what_a_pacs_may_change_is_no_damage(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    (file,) = segmentations(path)
    document = dcmread(file)
    document.PatientName, document.PatientID = "Other^Name", "OTHER"
    document.AccessionNumber = "A-17"
    document.InstanceCreationDate = "20300101"
    document.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    document.save_as(file, implicit_vr=True, little_endian=True)
    assert sr.read(path) == reading


# What is damaged, exchanged or missing -------------------------------------------------


def refused(path: Path, message: str, **options: Any) -> None:
    with pytest.raises(OsteotraceError, match=message) as caught:
        sr.read(path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: setattr(d, "PixelData", bytes([d.PixelData[0] ^ 1]) + d.PixelData[1:]),
        lambda d: setattr(d.SegmentSequence[0], "SegmentLabel", "another"),
        lambda d: setattr(d.SegmentSequence[1], "TrackingUID", "2.25.9"),
        lambda d: setattr(
            d.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0],
            "ImagePositionPatient",
            [0, 0, 0],
        ),
        lambda d: setattr(
            d.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0],
            "PixelSpacing",
            [0.4, 0.5],
        ),
        lambda d: setattr(d, "FrameOfReferenceUID", "2.25.9"),
    ],
    ids=["a bit", "a label", "a tracking uid", "a place", "the spacing", "the space"],
)
def test_a_changed_segmentation_is_refused(
    study: MaskStudy, reading: Assessment, tmp_path: Path, change: Any
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    (file,) = segmentations(path)
    document = dcmread(file)
    change(document)
    document.save_as(file)
    refused(path, "does not match its SHA-256")


def test_a_cut_or_scrambled_segmentation_is_refused(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    (file,) = segmentations(path)
    content = file.read_bytes()
    chance = np.random.default_rng(3)
    refusals = 0
    for n in range(60):
        if n % 3 == 0:
            damaged = bytearray(content[: int(chance.integers(len(content)))])
        else:
            damaged = bytearray(content)
            damaged[int(chance.integers(len(damaged)))] ^= 1 << int(chance.integers(8))
        file.write_bytes(damaged)
        try:
            back = sr.read(path)
        except OsteotraceError:
            refusals += 1
        else:
            assert back == reading
    assert refusals > 30


def test_an_exchanged_segmentation_is_refused(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path / "one", now=NOW)
    other = msgspec.structs.replace(
        study.reading(finding_of(around(study.volume))), assessment_uid="2.25.2009"
    )
    another = sr.write(other, study.catalogue, tmp_path / "two", now=NOW)
    (file,) = segmentations(path)
    shutil.copy(segmentations(another)[0], file)
    refused(path, f"the segmentation {segmentations(another)[0].stem}")


def test_a_missing_segmentation_is_named_with_its_folder(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path / "records", now=NOW)
    (file,) = segmentations(path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file.rename(elsewhere / file.name)
    refused(path, f"no segmentation {file.stem} in {path.parent}")
    assert sr.read(path, segmentations=[elsewhere]) == reading
    named = (elsewhere / file.name).rename(elsewhere / "IM0001")
    assert sr.read(path, segmentations=[named]) == reading
    assert assessments.read(path, segmentations=[named]) == reading
    refused(path, "cannot be read", segmentations=[elsewhere / "absent"])


# Published whole or not at all ---------------------------------------------------------


def test_a_save_that_fails_leaves_nothing(
    study: MaskStudy,
    reading: Assessment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, folder = publication.publish, tmp_path / "records"

    def fail_at_the_report(draft: Path, path: Path) -> None:
        if path.stem == ASSESSMENT_UID:
            # The segmentation has its name by now.
            assert len(list(folder.glob("*.dcm"))) == 1
            raise OSError(28, "No space left on device")
        real(draft, path)

    monkeypatch.setattr(store, "publish", fail_at_the_report)
    with pytest.raises(OsteotraceError, match="No space left"):
        sr.write(reading, study.catalogue, folder, now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_save_left_behind_does_not_stand_in_the_way(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    path.unlink()
    assert sr.read(sr.write(reading, study.catalogue, tmp_path, now=NOW)) == reading
    assert len(list(tmp_path.iterdir())) == 2
    path.unlink()
    later = NOW + datetime.timedelta(minutes=1)
    assert sr.read(sr.write(reading, study.catalogue, tmp_path, now=later)) == reading


def test_a_report_that_exists_keeps_its_segmentations(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    changed = study.reading(finding_of(around(study.volume)))
    for made in (reading, changed):
        with pytest.raises(OsteotraceError, match="a file that exists"):
            sr.write(made, study.catalogue, tmp_path, now=NOW)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert sr.read(path) == reading


def test_an_amendment_has_a_segmentation_of_its_own(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    first = sr.write(reading, study.catalogue, tmp_path, now=NOW)
    amendment = msgspec.structs.replace(
        reading, assessment_uid="2.25.2002", predecessor_uid=ASSESSMENT_UID
    )
    second = sr.write(amendment, study.catalogue, tmp_path, now=NOW)
    assert segmentations(first) != segmentations(second)
    assert (sr.read(first), sr.read(second)) == (reading, amendment)


def test_saving_and_reading_need_no_more_than_the_folder(
    study: MaskStudy, reading: Assessment, tmp_path: Path
) -> None:
    path = ot.save(reading, tmp_path / "records", images=study.catalogue)
    assert len(list(path.parent.iterdir())) == 2
    assert ot.read(path) == reading


def test_a_mask_in_a_space_that_was_not_read_lives_in_json_alone(
    study: MaskStudy, tmp_path: Path
) -> None:
    mask = msgspec.structs.replace(
        fragment(study.volume), source_instances=(), frame_of_reference_uid="2.25.404"
    )
    made = study.reading(finding_of(mask))
    with pytest.raises(OsteotraceError, match="marked on no DICOM image"):
        ot.save(made, tmp_path / "records", images=study.catalogue)
    assert ot.read(ot.save(made, tmp_path / "reading.json")) == made
    # Said to have been read, and not there.
    claimed = msgspec.structs.replace(
        made,
        series=(
            msgspec.structs.replace(made.series[0], frame_of_reference_uid="2.25.404"),
        ),
    )
    with pytest.raises(OsteotraceError, match=r"no image in the frame of .* 2\.25\.404"):
        ot.save(claimed, tmp_path / "records", images=study.catalogue)
    assert not (tmp_path / "records").exists()


# From the command line -----------------------------------------------------------------


def test_measuring_a_sample_case_writes_its_masks_beside_the_report(
    osteotrace: Callable[..., Any],
    samples_with: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    samples = samples_with("crmo_2_after")
    outcome = osteotrace(
        "measure",
        samples / "crmo_2_after",
        "--protocol",
        samples / "protocols" / "crmo_2_after.toml",
        "--out",
        tmp_path / "out",
    )
    assert outcome.code == 0
    (record,) = (tmp_path / "out").glob("*/assessment.json")
    made = ot.read(record)
    report = record.with_name(f"{made.assessment_uid}.dcm")
    assert ot.read(report) == made
    masks = [r for f in made.findings for r in f.regions if isinstance(r, Mask)]
    files = segmentations(report)
    assert masks
    assert files
    assert set(record.parent.glob("*.dcm")) == {report, *files}
    assert all(str(file) in outcome.out for file in files)


# Real masks, and many ------------------------------------------------------------------


def test_a_real_segmentation_is_saved_and_comes_back(
    real_dicom: Path, tmp_path: Path
) -> None:
    folder = real_dicom / "seg_liver_ct"
    volume = ot.load(folder / "ct-3slice")
    mask = read_labels(folder / "liver.dcm", like=volume)["Liver"].mask
    assert mask.voxels.sum() == 107_098
    made = msgspec.structs.replace(
        assessment(finding_of(mask)), study_uid=volume.identity.study_uid
    )
    catalogue = ot.scan(folder / "ct-3slice", index=False)
    path = sr.write(made, catalogue, tmp_path, now=NOW)
    assert sr.read(path) == made
    back = read_labels(segmentations(path)[0], like=volume)
    assert [label.mask.voxels.sum() for label in back] == [107_098]


def test_a_study_of_many_fragments_is_saved_in_seconds(
    tmp_path: Path,
) -> None:
    study = mask_study(tmp_path, stack(0.9 * np.arange(30), rows=256, columns=256))
    findings = []
    for n in range(100):
        voxels = np.zeros(study.volume.grid.shape, dtype=bool)
        k, r, c = n % 25, 2 * n, 240 - 2 * n
        voxels[k : k + 5, r : r + 9, c : c + 8] = True
        mask = marked.from_voxels(study.volume, voxels, role="fragment")
        findings.append(finding_of(mask, uid=f"2.25.{n + 1}"))
    made = study.reading(*findings)
    begun = time.process_time()
    path = sr.write(made, study.catalogue, tmp_path / "records", now=NOW)
    written = time.process_time() - begun
    begun = time.process_time()
    assert sr.read(path) == made
    taken = time.process_time() - begun
    size = sum(file.stat().st_size for file in path.parent.iterdir()) / 1e6
    logger.info("100 fragments: %.1f s, read %.1f s, %.0f MB", written, taken, size)
    assert written < 20
    assert seg_reading.read(segmentations(path)[0]).frames.kind == "BINARY"
