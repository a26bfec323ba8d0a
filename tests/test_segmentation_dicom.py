"""DICOM segmentations: what highdicom and dcmqi write, and what damage makes of it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import highdicom
import numpy as np
import pytest
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
)

import osteotrace as ot
from osteotrace import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.phantoms.in_memory import as_volume
from osteotrace.segmentation.labels import read_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.volume import Volume

FRAME_OF_REFERENCE = "2.25.2"
SERIES = "2.25.4"


def stack(
    *,
    oblique: bool = False,
    tilt: bool = False,
    slices: int = 9,
    size: tuple[int, int] = (18, 14),
) -> Grid:
    """Return slices of pixels of 0.7 × 0.5 mm, 2 mm apart, straight or not."""
    row, column = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    if oblique:
        turn, lean = np.radians(25), np.radians(-15)
        row = np.array([np.cos(turn), np.sin(turn), 0])
        column = np.cross([-np.sin(lean) * np.sin(turn), 0, np.cos(lean)], row)
        column /= np.linalg.norm(column)
    step = 2.0 * np.cross(row, column) + (0.6 * column if tilt else 0.0)
    origins = np.array([-30.5, 12.25, 100.0]) + np.arange(slices)[:, None] * step
    return Grid(
        row_direction=row, column_direction=column, pixel_spacing=np.array([0.7, 0.5]),
        origins=np.round(origins, 6), rows=size[0], columns=size[1],
    )  # fmt: skip


def scan(grid: Grid) -> Volume:
    return as_volume(np.zeros(grid.shape), grid)


def images(grid: Grid) -> list[Dataset]:
    """Return the CT images of a grid, with the identifiers that `scan` gives them."""
    made = []
    for k, origin in enumerate(grid.origins):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, f"2.25.1.{k + 1}"
        image.StudyInstanceUID, image.SeriesInstanceUID = "2.25.3", SERIES
        image.FrameOfReferenceUID = FRAME_OF_REFERENCE
        image.PatientID, image.PatientName = "P", "P^"
        image.PatientBirthDate = image.PatientSex = image.AccessionNumber = ""
        image.StudyID = image.StudyDate = image.StudyTime = ""
        image.Modality, image.InstanceNumber = "CT", k + 1
        image.Rows, image.Columns = grid.rows, grid.columns
        image.PixelSpacing = [float(x) for x in grid.pixel_spacing]
        image.SliceThickness = 2.0
        cosines = [*grid.row_direction, *grid.column_direction]
        image.ImageOrientationPatient = [f"{x:.10f}" for x in cosines]
        image.ImagePositionPatient = [f"{x:.6f}" for x in origin]
        made.append(image)
    return made


def segment(number: int, name: str, kind: Code | None = None) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=kind or codes.SCT.Bone,
        algorithm_type="MANUAL",
        tracking_uid=f"2.25.77.{number}",
        tracking_id=f"finding {number}",
    )


def truth(grid: Grid, *, overlap: bool = True) -> NDArray[np.uint8]:
    """Return two segments, (slices, rows, columns, 2), with empty slices between."""
    voxels = np.zeros((*grid.shape, 2), np.uint8)
    voxels[2:4, 3:9, 2:8, 0] = 1
    voxels[6, 5:7, 4:6, 0] = 1
    first = 3 if overlap else 4
    voxels[first:6, 8:15, 5:12, 1] = 1
    return voxels


def write(
    path: Path,
    grid: Grid,
    pixels: NDArray[Any],
    kind: str = "BINARY",
    segments: Sequence[SegmentDescription] | None = None,
    **options: Any,
) -> Path:
    """Write pixels as a segmentation with highdicom, which leaves empty frames out."""
    made = Segmentation(
        source_images=images(grid),
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=segments or [segment(1, "L1 body"), segment(2, "lesion")],
        series_instance_uid="2.25.5",
        series_number=5,
        sop_instance_uid="2.25.6",
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        **options,
    )
    made.save_as(path)
    return path


def changed(path: Path, change: Callable[[Dataset], object]) -> Path:
    """Change a written segmentation and write it again."""
    header = dcmread(path)
    change(header)
    header.save_as(path)
    return path


@pytest.mark.parametrize("place", ["straight", "oblique", "tilted"])
@pytest.mark.parametrize("given", [True, False])
def test_segments_come_back_where_they_were_drawn(
    tmp_path: Path, place: str, given: bool
) -> None:
    grid = stack(oblique=place == "oblique", tilt=place == "tilted")
    voxels = truth(grid)
    labels = read_labels(
        write(tmp_path / "a.dcm", grid, voxels), like=scan(grid) if given else None
    )
    assert labels.names == ("L1 body", "lesion")
    for k, label in enumerate(labels):
        assert (label.mask.on(grid) == voxels[..., k]).all()
        held = np.flatnonzero(voxels[..., k].any(axis=(1, 2)))
        named = [int(name.rpartition(".")[2]) - 1 for name in label.mask.source_instances]
        if given:
            assert named == list(range(held[0], held[-1] + 1))
        else:
            # An empty frame that was left out names no image.
            assert set(held) <= set(named) <= set(range(held[0], held[-1] + 1))


def test_what_the_file_says_of_segments_is_kept(tmp_path: Path) -> None:
    grid = stack()
    l2 = Code("14293000", "SCT", "L2 vertebra")
    described = [segment(1, "L1 body"), segment(2, "second from above", l2)]
    labels = read_labels(write(tmp_path / "a", grid, truth(grid), segments=described))
    first, second = labels
    assert (first.number, first.standard_name) == (1, "L1 body")
    assert second.standard_name == "L2"
    assert first.tracking_uid == "2.25.77.1"
    assert first.tracking_identifier == "finding 1"
    assert first.algorithm == "MANUAL"
    assert labels.frame_of_reference_uid == FRAME_OF_REFERENCE
    assert labels.series_uid == SERIES
    assert labels.source == "2.25.6"
    assert labels["L1 body"].mask.role == "L1 body"


def test_frames_are_matched_by_place_and_not_by_order(tmp_path: Path) -> None:
    grid = stack(oblique=True)
    voxels = truth(grid)
    path = write(tmp_path / "a.dcm", grid, voxels)

    def shuffle(header: Dataset) -> None:
        groups = list(header.PerFrameFunctionalGroupsSequence)
        bits = np.unpackbits(np.frombuffer(header.PixelData, np.uint8), bitorder="little")
        size = header.Rows * header.Columns
        planes = bits[: len(groups) * size].reshape(len(groups), size)
        order = np.random.default_rng(3).permutation(len(groups))
        assert (order != np.arange(len(groups))).any()
        header.PerFrameFunctionalGroupsSequence = [groups[k] for k in order]
        packed = np.packbits(planes[order].ravel(), bitorder="little").tobytes()
        header.PixelData = packed + b"\0" * (len(packed) % 2)

    labels = read_labels(changed(path, shuffle))
    for k, label in enumerate(labels):
        assert (label.mask.on(grid) == voxels[..., k]).all()


def test_slices_whose_frames_were_left_out_are_put_back_and_said(tmp_path: Path) -> None:
    grid = stack()
    voxels = np.zeros((*grid.shape, 1), np.uint8)
    voxels[[1, 2, 7], 4:8, 4:9] = 1
    path = write(tmp_path / "a.dcm", grid, voxels, segments=[segment(1, "L1")])
    labels = read_labels(path)
    assert labels.grid.shape == (7, 18, 14)
    assert np.allclose(labels.grid.slice_gaps, 2.0)
    assert labels.notes == ("4 empty slices between the frames were put back",)
    assert (labels[1].mask.on(grid) == voxels[..., 0]).all()


def test_gaps_that_no_step_explains_are_kept_and_said(tmp_path: Path) -> None:
    grid = stack()
    path = write(tmp_path / "a.dcm", grid, truth(grid))

    def move(header: Dataset) -> None:
        for group in header.PerFrameFunctionalGroupsSequence:
            position = group.PlanePositionSequence[0].ImagePositionPatient
            position[2] = 100 + round((float(position[2]) - 100) ** 1.3, 6)

    labels = read_labels(changed(path, move))
    assert not labels.grid.is_even
    assert "empty ones in between may have been left out" in labels.notes[0]


def test_a_tiny_gap_does_not_make_every_other_gap_whole(tmp_path: Path) -> None:
    grid = stack()
    path = write(tmp_path / "a.dcm", grid, truth(grid))
    height = {104.0: 104.0, 106.0: 104.06, 108.0: 108.0, 110.0: 111.03, 112.0: 113.0}

    def move(header: Dataset) -> None:
        for group in header.PerFrameFunctionalGroupsSequence:
            position = group.PlanePositionSequence[0].ImagePositionPatient
            position[2] = height[round(float(position[2]), 6)]

    labels = read_labels(changed(path, move))
    assert labels.grid.shape[0] == 5
    assert "0.06 to 3.94 mm apart" in labels.notes[0]


def test_one_slice_alone_is_not_moved_onto_another_grid(tmp_path: Path) -> None:
    grid = stack()
    voxels = np.zeros((*grid.shape, 1), np.uint8)
    voxels[2, 4:8, 4:9] = 1
    labels = read_labels(
        write(tmp_path / "a.dcm", grid, voxels, segments=[segment(1, "L1")])
    )
    moved = labels.resampled_onto(scan(grid))
    assert (moved[1].mask.on(grid) == voxels[..., 0]).all()
    finer = replace(grid, pixel_spacing=grid.pixel_spacing / 2)
    with pytest.raises(OsteotraceError, match="labels of one slice"):
        labels.resampled_onto(scan(finer))


@pytest.mark.parametrize("place", ["straight", "oblique"])
def test_centres_half_way_between_two_voxels_belong_to_one_of_them(
    tmp_path: Path, place: str
) -> None:
    grid = stack(oblique=place == "oblique")
    labels = read_labels(write(tmp_path / "a.dcm", grid, truth(grid)))
    finer = scan(grid).rectified((1.0, 0.7, 0.5))
    moved = labels.resampled_onto(finer)["lesion"].mask.voxels
    assert moved.sum() == 2 * truth(grid)[..., 1].sum()


def test_a_fractional_segmentation_says_where_it_was_cut(tmp_path: Path) -> None:
    grid = stack()
    share = np.zeros((*grid.shape, 2), np.float32)
    share[2:5, 4:10, 3:9, 0] = np.linspace(0, 1, 6)[:, None]
    share[..., 1] = 0.3 * (truth(grid)[..., 1] > 0)
    path = write(tmp_path / "a.dcm", grid, share, "FRACTIONAL")
    labels = read_labels(path, like=scan(grid))
    # 0, 0.2, 0.4, 0.6, 0.8 and 1 of the maximum: the last three rows count.
    assert (labels[1].mask.on(grid) == (share[..., 0] >= 0.5)).all()
    assert labels.empty == ("lesion",)
    assert "fractional segments (probability): voxels from 50 %" in labels.notes[0]
    low = read_labels(path, like=scan(grid), least_fraction=0.25)
    assert (low[1].mask.on(grid) == (share[..., 0] >= 0.25)).all()
    assert (low[2].mask.on(grid) == (share[..., 1] > 0)).all()
    with pytest.raises(OsteotraceError, match="a share of the maximum"):
        read_labels(path, least_fraction=50)


# Plain, RLE and JPEG-LS.
LABEL_MAP_SYNTAXES = [
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80",
]  # fmt: skip


@pytest.mark.parametrize("syntax", LABEL_MAP_SYNTAXES)
def test_a_label_map_comes_back_in_every_encoding(tmp_path: Path, syntax: str) -> None:
    # GDCM's RLE encoder aborts on an odd count of pixels.
    grid = stack(oblique=True, size=(34, 38))
    voxels = truth(grid, overlap=False)
    described = [segment(1, "L1"), segment(2, "L2"), segment(3, "L3")]
    numbers = voxels[..., 0] + 2 * voxels[..., 1]
    path = write(tmp_path / "a.dcm", grid, numbers, "LABELMAP", described,
                 transfer_syntax_uid=syntax)  # fmt: skip
    assert dcmread(path).SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    labels = read_labels(path, like=scan(grid))
    assert labels.names == ("L1", "L2")
    assert labels.empty == ("L3",)
    for k, label in enumerate(labels):
        assert (label.mask.on(grid) == voxels[..., k]).all()


def test_a_label_map_of_16_bits_comes_back(tmp_path: Path) -> None:
    grid = stack()
    numbers = np.where(truth(grid)[..., 0], 300, 0).astype(np.uint16)
    described = [segment(n, f"part {n}") for n in range(1, 301)]
    path = write(tmp_path / "a.dcm", grid, numbers, "LABELMAP", described)
    assert dcmread(path).BitsAllocated == 16
    labels = read_labels(path)
    assert labels.names == ("part 300",)
    assert (labels[300].mask.on(grid) == (numbers == 300)).all()


def test_compressed_fractional_frames_come_back(tmp_path: Path) -> None:
    grid = stack()
    voxels = truth(grid)
    path = write(tmp_path / "a.dcm", grid, voxels.astype(np.float32), "FRACTIONAL",
                 transfer_syntax_uid="1.2.840.10008.1.2.5")  # fmt: skip
    for k, label in enumerate(read_labels(path)):
        assert (label.mask.on(grid) == voxels[..., k]).all()


def test_a_deflated_file_comes_back(tmp_path: Path) -> None:
    grid = stack()
    voxels = truth(grid)
    path = write(tmp_path / "a.dcm", grid, voxels)
    header = dcmread(path)
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    header.save_as(path)
    for k, label in enumerate(read_labels(path)):
        assert (label.mask.on(grid) == voxels[..., k]).all()


# Against the image -------------------------------------------------------------------


def test_part_of_an_image_lies_on_its_grid(tmp_path: Path) -> None:
    whole = stack(slices=15)
    part = whole.cropped((slice(3, 12), slice(4, 16), slice(2, 13)))
    voxels = truth(part)
    labels = read_labels(write(tmp_path / "a.dcm", part, voxels), like=scan(whole))
    assert labels.grid is not part
    assert labels.grid.shape == whole.shape
    for k, label in enumerate(labels):
        assert (label.mask.on(whole)[3:12, 4:16, 2:13] == voxels[..., k]).all()


def test_labels_of_another_grid_stay_on_their_own_until_they_are_moved(
    tmp_path: Path,
) -> None:
    grid = stack()
    finer = Grid(
        row_direction=grid.row_direction, column_direction=grid.column_direction,
        pixel_spacing=grid.pixel_spacing / 2, origins=grid.origins, rows=36, columns=28,
    )  # fmt: skip
    labels = read_labels(write(tmp_path / "a.dcm", grid, truth(grid)), like=scan(finer))
    assert labels.grid.rows == 18
    assert "labels stay on their own grid" in labels.notes[0]
    with pytest.raises(OsteotraceError, match="not those of the image"):
        labels[1].mask.on(finer)
    moved = labels.resampled_onto(scan(finer))
    index = np.moveaxis(np.indices(finer.shape), 0, -1)
    own = np.round(grid.to_index(finer.to_patient(index))).astype(int)
    own = np.minimum(own, np.array(grid.shape) - 1)
    expected = truth(grid)[..., 0][tuple(np.moveaxis(own, -1, 0))]
    assert (moved[1].mask.on(finer) == expected).mean() > 0.99
    assert "labels resampled onto the grid of the image" in moved.notes[-1]


def test_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    grid = stack()
    path = write(tmp_path / "a.dcm", grid, truth(grid))
    for other in ("2.25.99", ""):
        elsewhere = replace(scan(grid), frame_of_reference_uid=other)
        with pytest.raises(OsteotraceError, match=r"frame of reference 2\.25\.2"):
            read_labels(path, like=elsewhere)


def test_another_series_of_the_same_space_is_said(tmp_path: Path) -> None:
    grid = stack()
    volume = scan(grid)
    identity = type(volume.identity)(
        study_uid="2.25.3", series_uid="2.25.44", modality="MR", description="", date="",
        patient="P", patient_id="",
    )  # fmt: skip
    labels = read_labels(
        write(tmp_path / "a.dcm", grid, truth(grid)),
        like=replace(volume, identity=identity),
    )
    assert labels.notes == (
        "the segmentation was drawn on another series of this space, 2.25.4",
    )


# Damage ------------------------------------------------------------------------------


def drop(name: str) -> Callable[[Dataset], None]:
    def change(header: Dataset) -> None:
        shared = header.SharedFunctionalGroupsSequence[0]
        for group in (header, shared, *header.PerFrameFunctionalGroupsSequence):
            if name in group:
                del group[name]

    return change


def renumber(header: Dataset) -> None:
    group = header.PerFrameFunctionalGroupsSequence[1]
    group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9


def repeat(header: Dataset) -> None:
    first, second = header.PerFrameFunctionalGroupsSequence[:2]
    second.PlanePositionSequence = first.PlanePositionSequence
    second.SegmentIdentificationSequence = first.SegmentIdentificationSequence


def turn(header: Dataset) -> None:
    group = header.PerFrameFunctionalGroupsSequence[1]
    group.PlaneOrientationSequence = [Dataset()]
    group.PlaneOrientationSequence[0].ImageOrientationPatient = [0, 1, 0, 0, 0, 1]


def shift(header: Dataset) -> None:
    group = header.PerFrameFunctionalGroupsSequence[-1]
    header.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[
        0
    ].ImagePositionPatient = [
        float(group.PlanePositionSequence[0].ImagePositionPatient[0]) + 3,
        *group.PlanePositionSequence[0].ImagePositionPatient[1:],
    ]


def point(*cosines: float) -> Callable[[Dataset], None]:
    def change(header: Dataset) -> None:
        shared = header.SharedFunctionalGroupsSequence[0]
        shared.PlaneOrientationSequence[0].ImageOrientationPatient = list(cosines)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (drop("FrameOfReferenceUID"), "without a FrameOfReferenceUID"),
        (drop("PlanePositionSequence"), "without ImagePositionPatient"),
        (drop("PlaneOrientationSequence"), "without ImageOrientationPatient"),
        (drop("PixelMeasuresSequence"), "without PixelSpacing"),
        (drop("SegmentIdentificationSequence"), "a frame of no segment"),
        (drop("SegmentSequence"), "segment 1, which is not described"),
        (drop("SegmentationType"), "type '' with 1 bits"),
        (drop("PixelData"), "no pixels"),
        (drop("Rows"), "cannot be read"),
        (renumber, "segment 9, which is not described"),
        (repeat, "two frames of one segment"),
        (turn, "different orientations"),
        (shift, "different places in it"),
        (lambda h: h.PerFrameFunctionalGroupsSequence.pop(), "of which say where"),
        (lambda h: setattr(h, "PixelData", h.PixelData[:-40]), "bytes of pixels"),
        (lambda h: setattr(h, "Rows", 60000), "bytes of pixels"),
        (lambda h: setattr(h, "Rows", h.Rows // 2), "bytes of pixels"),
        (lambda h: setattr(h, "PixelData", h.PixelData + bytes(2)), "bytes of pixels"),
        (point(2, 0, 0, 0, 2, 0), "direction cosines 2, 0, 0, 0, 2, 0"),
        (point(1, 0, 0, 0.1, 1, 0), "direction cosines"),
        (point(0, 0, 0, 0, 1, 0), "direction cosines"),
        (lambda h: setattr(h, "BitsAllocated", 8), "with 8 bits"),
        (lambda h: setattr(h, "PixelData", bytes(len(h.PixelData))), "without a voxel"),
    ],
)
def test_damage_is_refused_by_what_is_wrong(
    tmp_path: Path, change: Callable[[Dataset], object], reason: str
) -> None:
    grid = stack()
    path = changed(write(tmp_path / "a.dcm", grid, truth(grid)), change)
    with pytest.raises(OsteotraceError, match=reason) as refused:
        read_labels(path)
    assert refused.value.where == str(path)


def test_a_segmentation_that_names_no_images_takes_those_of_the_volume(
    tmp_path: Path,
) -> None:
    grid = stack()
    path = write(tmp_path / "a.dcm", grid, truth(grid))
    changed(path, drop("DerivationImageSequence"))
    changed(path, drop("ReferencedSeriesSequence"))
    alone = read_labels(path)
    assert alone[1].mask.source_instances == ()
    assert "does not name the images" in alone.notes[-1]
    beside = read_labels(path, like=scan(grid))
    assert beside[1].mask.source_instances == tuple(f"2.25.1.{k}" for k in range(3, 8))
    assert beside.notes == ()


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    grid = stack()
    whole = write(tmp_path / "a.dcm", grid, truth(grid)).read_bytes()
    # The last two bytes are padding.
    for length in range(0, len(whole) - 2, 97):
        (tmp_path / "b.dcm").write_bytes(whole[:length])
        with pytest.raises(OsteotraceError):
            read_labels(tmp_path / "b.dcm")


def test_bytes_changed_at_random_give_labels_or_a_clear_error(tmp_path: Path) -> None:
    grid = stack()
    whole = write(tmp_path / "a.dcm", grid, truth(grid)).read_bytes()
    random = np.random.default_rng(5)
    for _ in range(60):
        content = bytearray(whole)
        for at in random.integers(132, len(whole), 8):
            content[at] = random.integers(0, 256)
        (tmp_path / "b.dcm").write_bytes(bytes(content))
        # Anything but an `OsteotraceError` ends the test.
        with suppress(OsteotraceError):
            assert len(read_labels(tmp_path / "b.dcm")) > 0


def test_what_is_no_segmentation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("L1")
    with pytest.raises(OsteotraceError, match="not DICOM"):
        read_labels(tmp_path / "a.txt")
    image = images(stack())[0]
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    with pytest.raises(OsteotraceError, match=r"another kind \(CT Image Storage\)"):
        read_labels(tmp_path / "ct.dcm")
    with pytest.raises(OsteotraceError, match="cannot be read"):
        read_labels(tmp_path / "absent.dcm")


def test_a_label_map_with_a_number_that_is_not_described_is_refused(
    tmp_path: Path,
) -> None:
    grid = stack()
    path = write(tmp_path / "a.dcm", grid, truth(grid)[..., 0] * 2, "LABELMAP")
    changed(path, lambda header: header.SegmentSequence.pop())
    with pytest.raises(OsteotraceError, match="segment 2, which is not described"):
        read_labels(path)


# Size and real files -----------------------------------------------------------------


def test_a_large_segmentation_is_read_in_seconds(tmp_path: Path) -> None:
    grid = stack(slices=300, size=(512, 512))
    voxels = np.zeros((*grid.shape, 1), np.uint8)
    voxels[20:280, 100:400, 120:420] = 1
    path = write(tmp_path / "a.dcm", grid, voxels, segments=[segment(1, "L1")])
    begun = time.perf_counter()
    labels = read_labels(path)
    taken = time.perf_counter() - begun
    assert labels[1].mask.voxels.sum() == voxels.sum()
    assert taken < 3.0, f"{taken:.1f} s"


def test_a_real_segmentation_lies_on_its_ct(real_dicom: Path) -> None:
    folder = real_dicom / "seg_liver_ct"
    volume = ot.load(folder / "ct-3slice")
    labels = read_labels(folder / "liver.dcm", like=volume)
    mask = labels["Liver"].mask
    # The count that the MANIFEST states, and its images in slice order.
    assert mask.voxels.sum() == 107_098
    assert mask.source_instances == tuple(image.source for image in volume.instances)
    inside = volume.rescaled()[mask.on(volume.grid)]
    assert 0 < np.median(inside) < 200


def test_a_real_segmentation_equals_the_labels_it_was_made_of(real_dicom: Path) -> None:
    folder = real_dicom / "seg_liver_ct" / "23x38x3"
    volume = ot.load(folder / "image")
    (own,) = read_labels(folder / "seg" / "label.seg", like=volume)
    (drawn,) = read_labels(folder / "nrrd" / "label.nrrd", like=volume)
    assert (own.mask.on(volume.grid) == drawn.mask.on(volume.grid)).all()


def test_real_segments_overlap(real_dicom: Path) -> None:
    folder = real_dicom / "seg_liver_ct"
    labels = read_labels(folder / "partial_overlaps.dcm")
    assert len(labels) == 5
    on = np.array([label.mask.on(labels.grid) for label in labels])
    assert (on.sum(axis=0) > 1).any()
    whole = highdicom.seg.segread(folder / "partial_overlaps.dcm")
    frames = whole.pixel_array.astype(bool)
    assert sum(label.mask.voxels.sum() for label in labels) == frames.sum()
