"""Label files in a reading: refused elsewhere, named anew, measured in one command."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from tests.fixtures.label_images import write_nifti

from osteotrace.measurements.measurement import Measurement
from osteotrace.phantoms.dicom_series import SeriesLabel, write_ct_series
from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.session import Session
from osteotrace.session.opened_labels import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.errors import OsteotraceError
    from osteotrace.findings import Finding
    from osteotrace.volume import Volume

    Refusal = Callable[[Callable[[], object]], OsteotraceError]

GRID = straight_grid((52.0, 44.0, 105.0), (1.25, 1.0, 1.0), centre=(0.0, 0.0, 50.0))
HEIGHT_MM = 24.0
# Middles of three bodies, from head to foot, and a fourth structure beside them.
BODIES = {3: 84.0, 4: 52.0, 5: 20.0}
ROD = 9
NAMES = {
    3: "vertebrae_L1 body",
    4: "vertebrae_L2 body",
    5: "vertebrae_L3 body",
    ROD: "mandible",
}
LABEL = SeriesLabel(study="labels", name="ct")


def structures() -> dict[int, NDArray[np.bool_]]:
    index = np.moveaxis(np.indices(GRID.shape), 0, -1)
    x, y, z = np.moveaxis(GRID.to_patient(index), -1, 0)
    outline = (np.abs(x / 20) ** 2.5 + np.abs(y / 15) ** 2.5) <= 1
    found = {
        number: np.asarray(outline & (np.abs(z - middle) <= HEIGHT_MM / 2))
        for number, middle in BODIES.items()
    }
    found[ROD] = np.asarray((np.hypot(x, y - 19) <= 1.6) & (np.abs(z - 50) <= 40))
    return found


def numbers() -> NDArray[np.uint8]:
    values = np.zeros(GRID.shape, np.uint8)
    for number, voxels in structures().items():
        values[voxels] = number
    return values


@pytest.fixture(scope="module")
def spine_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three bodies with a bright shell on CT."""
    from scipy.ndimage import binary_erosion, gaussian_filter

    folder = tmp_path_factory.mktemp("labels") / "study"
    values = np.full(GRID.shape, 40.0)
    for voxels in structures().values():
        values[voxels] = 800.0
        values[binary_erosion(voxels, iterations=2)] = 180.0
    noise = np.random.default_rng(1).normal(0, 10, GRID.shape)
    write_ct_series(folder / "ct", gaussian_filter(values, 0.6) + noise, GRID, LABEL)
    return folder


@pytest.fixture
def session(tmp_path: Path, spine_study: Path) -> Iterator[Session]:
    made = Session(reader="tester", drafts=tmp_path / "drafts")
    made.open(spine_study)
    yield made
    made.close()


def load(session: Session) -> Volume:
    assert session.catalogue is not None
    return session.load(session.catalogue.choose(LABEL.series_uid))


@pytest.fixture
def nifti(tmp_path: Path) -> Path:
    """Return a label file whose program counted one level too far down."""
    return write_nifti(tmp_path / "spine.nii.gz", numbers(), GRID, NAMES)


def write_seg(file: Path, study: Path, *, frame: str = "", shift: float = 0.0) -> Path:
    """Write the labels as DICOM SEG, perhaps in another space."""
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.sr.codedict import codes

    images = [dcmread(path) for path in sorted((study / "ct").iterdir())]
    images.sort(key=lambda image: float(image.ImagePositionPatient[2]))
    for image in images:
        if frame:
            image.FrameOfReferenceUID = frame
        place = [float(mm) for mm in image.ImagePositionPatient]
        image.ImagePositionPatient = [place[0] + shift, *place[1:]]
    pixels = np.stack([*structures().values()], axis=-1).astype(np.uint8)
    made = Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=[
            SegmentDescription(
                segment_number=number,
                segment_label=name,
                segmented_property_category=codes.SCT.AnatomicalStructure,
                segmented_property_type=codes.SCT.Bone,
                algorithm_type="MANUAL",
            )
            for number, name in enumerate(NAMES.values(), 1)
        ],
        series_instance_uid="2.25.5",
        series_number=5,
        sop_instance_uid="2.25.6",
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(file)
    return file


def height(finding: Finding) -> Measurement:
    (found,) = (one for one in finding.measurements if one.name == "height_middle")
    assert isinstance(found, Measurement)
    return found


# Opening -------------------------------------------------------------------------------


def test_a_file_gives_named_masks_on_the_voxels_of_the_volume(
    session: Session, nifti: Path
) -> None:
    volume = load(session)
    labels = session.imported.open(nifti, volume)
    assert [label.meant for label in labels.labels] == [
        "L1 body", "L2 body", "L3 body", "mandible",
    ]  # fmt: skip
    for label in labels.labels:
        assert np.array_equal(label.mask.on(volume.grid), structures()[label.number])
        assert label.mask.source_instances
    assert list(labels.vertebrae) == ["L1", "L2", "L3"]
    assert session.imported.of(volume) is labels
    assert any("names no patient" in note for note in labels.notes)


def test_a_dicom_segmentation_of_the_series_is_taken(
    session: Session, spine_study: Path, tmp_path: Path
) -> None:
    volume = load(session)
    labels = session.imported.open(write_seg(tmp_path / "seg.dcm", spine_study), volume)
    assert list(labels.vertebrae) == ["L1", "L2", "L3"]
    assert labels.notes == ()
    body = labels.vertebrae["L2"].mask
    assert np.array_equal(body.on(volume.grid), structures()[4])


def test_a_segmentation_in_another_frame_of_reference_is_refused_with_the_reason(
    session: Session, spine_study: Path, tmp_path: Path, refusal: Refusal
) -> None:
    volume = load(session)
    file = write_seg(tmp_path / "seg.dcm", spine_study, frame="2.25.4711")
    error = refusal(lambda: session.imported.open(file, volume))
    assert "the frame of reference 2.25.4711" in error.found
    assert volume.frame_of_reference_uid in error.expected
    assert "register" in error.advice
    assert error.where == str(file)
    assert session.imported.of(volume) is None


def test_labels_on_other_voxels_are_moved_only_when_asked(
    session: Session, spine_study: Path, tmp_path: Path, refusal: Refusal
) -> None:
    volume = load(session)
    file = write_seg(tmp_path / "seg.dcm", spine_study, shift=0.4)
    error = refusal(lambda: session.imported.open(file, volume))
    assert "other voxels" in error.found
    assert error.where == str(file)
    labels = session.imported.open(file, volume, resample=True)
    assert any("nearest" in note for note in labels.notes)
    moved = labels.vertebrae["L1"].mask.on(volume.grid)
    assert (moved & structures()[3]).sum() > 0.95 * moved.sum()


def test_what_is_no_label_file_is_refused(
    session: Session, tmp_path: Path, refusal: Refusal
) -> None:
    volume = load(session)
    file = tmp_path / "empty.nii.gz"
    file.write_bytes(b"")
    assert refusal(lambda: session.imported.open(file, volume)).where == str(file)
    refusal(lambda: session.imported.open(tmp_path / "none.nii", volume))
    error = refusal(lambda: session.imported.shift(volume, 1))
    assert error.found == "no labels on this series"


# Naming --------------------------------------------------------------------------------


def test_one_step_names_every_level_further_up_and_back(
    session: Session, nifti: Path
) -> None:
    volume = load(session)
    session.imported.open(nifti, volume)
    up = session.imported.shift(volume, -1)
    assert list(up.vertebrae) == ["T12", "L1", "L2"]
    assert up[ROD].meant == "mandible"
    assert up[3].part == "body"
    down = session.imported.shift(volume, 1)
    assert list(down.vertebrae) == ["L1", "L2", "L3"]


def test_a_level_goes_past_a_thirteenth_thoracic_vertebra_where_the_reader_counted_it(
    session: Session, nifti: Path
) -> None:
    volume = load(session)
    session.levels.add(volume, (0.0, 0.0, BODIES[3]))
    session.levels.name(volume, 0, "T13")
    session.imported.open(nifti, volume)
    assert list(session.imported.shift(volume, -1).vertebrae) == ["T13", "L1", "L2"]
    assert list(session.imported.shift(volume, -1).vertebrae) == ["T12", "T13", "L1"]


def test_no_level_is_named_beyond_the_spine(
    session: Session, nifti: Path, refusal: Refusal
) -> None:
    volume = load(session)
    session.imported.open(nifti, volume)
    before = session.imported.of(volume)
    error = refusal(lambda: session.imported.shift(volume, -30))
    assert "named 30 further up" in error.found
    assert session.imported.of(volume) is before


def test_one_label_is_named_anew_and_no_level_stands_twice(
    session: Session, nifti: Path, refusal: Refusal
) -> None:
    volume = load(session)
    session.imported.open(nifti, volume)
    assert session.imported.rename(volume, 3, "t12")[3].meant == "T12 body"
    error = refusal(lambda: session.imported.rename(volume, 3, "L2"))
    assert error.found == "L2 body twice, vertebrae_L2 body and vertebrae_L1 body"
    refusal(lambda: session.imported.rename(volume, 3, "X4"))
    refusal(lambda: session.imported.rename(volume, 77, "L4"))
    gone = session.imported.rename(volume, 4, "")
    assert list(gone.vertebrae) == ["T12", "L3"]


def test_a_body_goes_before_its_whole_vertebra(tmp_path: Path, session: Session) -> None:
    values = numbers()
    names = {3: "L1", 4: "L2", 5: "L2 body", ROD: "S1"}
    file = write_nifti(tmp_path / "a.nii", values, GRID, names)
    found = opened(file, load(session)).vertebrae
    assert {level: label.number for level, label in found.items()} == {"L1": 3, "L2": 5}


def test_labels_that_lie_where_the_reader_named_another_level_are_told(
    session: Session, nifti: Path
) -> None:
    volume = load(session)
    for z in BODIES.values():
        session.levels.add(volume, (0.0, 0.0, z))
    session.levels.name(volume, 0, "T12")
    session.levels.confirm(volume)
    labels = session.imported.open(nifti, volume)
    (said,) = session.imported.doubts(volume, labels[3])
    assert said == "the marks of L1 lie nearest to the label of T12"
    shifted = session.imported.shift(volume, -1)
    assert [session.imported.doubts(volume, one) for one in shifted.labels] == [[]] * 4


# Recording -----------------------------------------------------------------------------


def test_all_levels_are_measured_in_one_command(session: Session, nifti: Path) -> None:
    volume = load(session)
    session.imported.open(nifti, volume)
    session.imported.shift(volume, -1)
    done = len(session.draft.done)
    prepared = session.imported.prepare_levels(volume)
    assert len(session.draft.done) == done
    found = session.imported.record_levels(prepared)
    assert len(session.draft.done) == done + 1
    assert [one.label for one in found] == ["VERT-T12", "VERT-L1", "VERT-L2"]
    assert [one.site for one in found] == ["t12", "l1", "l2"]
    assert not any(one.accepted for one in session.held)
    for finding in found:
        assert height(finding).value == pytest.approx(HEIGHT_MM, abs=1.5)
    assert session.undo() == "3 levels of spine.nii.gz added"
    assert list(session.findings) == []
    session.redo()
    assert session.findings == found


def test_levels_measured_together_are_what_levels_measured_singly_come_to(
    session: Session, nifti: Path
) -> None:
    volume = load(session)
    labels = session.imported.open(nifti, volume)
    for level, label in labels.vertebrae.items():
        session.add("vertebra", volume, level=level, body=label.mask)
    singly = [one.measurements for one in session.findings]
    for _ in singly:
        session.undo()
    together = session.imported.record_levels(session.imported.prepare_levels(volume))
    assert [one.measurements for one in together] == singly


def test_levels_marked_before_stay_and_those_chosen_are_added(
    session: Session, nifti: Path, refusal: Refusal
) -> None:
    volume = load(session)
    session.imported.open(nifti, volume)
    some = session.imported.prepare_levels(volume, ["L2"])
    session.imported.record_levels(some)
    rest = session.imported.record_levels(session.imported.prepare_levels(volume))
    assert [one.label for one in rest] == ["VERT-L1", "VERT-L3"]
    error = refusal(lambda: session.imported.prepare_levels(volume))
    assert "not marked before: (none)" in error.expected


def test_what_was_marked_while_levels_were_measured_is_not_lost(
    session: Session, nifti: Path
) -> None:
    volume = load(session)
    session.imported.open(nifti, volume)
    prepared = session.imported.prepare_levels(volume, ["L1"])
    (other,) = session.add(
        "caliper", volume, start=(0, 0, 40), end=(0, 0, 60), snap=False
    )
    session.imported.record_levels(prepared)
    assert [one.label for one in session.findings] == [other.label, "VERT-L1"]


def test_a_level_that_cannot_be_measured_is_told_and_the_others_stand(
    session: Session, tmp_path: Path
) -> None:
    volume = load(session)
    values = numbers()
    values[values == 4] = 0
    values[40:42, 20:24, 20:24] = 4
    session.imported.open(write_nifti(tmp_path / "a.nii", values, GRID, NAMES), volume)
    prepared = session.imported.prepare_levels(volume)
    found = session.imported.record_levels(prepared)
    assert [one.label for one in found] == ["VERT-L1", "VERT-L3"]
    assert list(prepared.refused) == ["VERT-L2"]
    assert "32 voxels" in prepared.refused["VERT-L2"]


def test_a_label_that_is_no_vertebra_becomes_a_finding_of_a_chosen_kind(
    session: Session, nifti: Path, refusal: Refusal
) -> None:
    volume = load(session)
    session.imported.open(nifti, volume)
    prepared = session.imported.prepare(volume, ROD, "intensity", kind="osteolysis")
    (finding,) = session.record(prepared)
    assert (finding.kind, finding.site) == ("osteolysis", "mandible")
    (found,) = (one for one in finding.measurements if one.name == "mean_value")
    assert isinstance(found, Measurement)
    inside = volume.rescaled()[structures()[ROD]]
    assert found.value == pytest.approx(inside.mean())
    refusal(lambda: session.imported.prepare(volume, ROD, "caliper"))


def test_labels_are_those_of_the_folder_they_were_opened_for(
    session: Session, spine_study: Path, tmp_path: Path, nifti: Path
) -> None:
    session.imported.open(nifti, load(session))
    assert session.imported.of(load(session)) is not None
    shutil.copytree(spine_study, tmp_path / "copy")
    copy = session.open(tmp_path / "copy")
    # What was read is there until another volume is.
    assert session.imported.of(load(session)) is not None
    volume = session.load(copy.choose(LABEL.series_uid))
    assert session.imported.of(volume) is None
