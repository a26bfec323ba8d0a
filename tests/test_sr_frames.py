"""Findings on frames of enhanced objects: to a structured report and back."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from pydicom import dcmread
from tests.fixtures.assessments import (
    FRAMES,
    assessment,
    caliper_finding,
    ct_image,
    random_assessment,
)
from tests.fixtures.enhanced_study import ENHANCED_FRAME_UID, frame_of
from tests.fixtures.small_study import CT_SPACING, STUDY_UID

import osteotrace as ot
from osteotrace import reading
from osteotrace.errors import OsteotraceError
from osteotrace.findings import marked_volume, to_json
from osteotrace.phantoms.dicom_series import SeriesLabel, write_ct_series
from osteotrace.phantoms.enhanced_ct import write_enhanced_ct
from osteotrace.phantoms.walls import Walls, photograph
from osteotrace.records import sr
from osteotrace.uids import source_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset
    from tests.fixtures.enhanced_study import EnhancedStudy

    from osteotrace.findings import Assessment

NOW = datetime.datetime(2024, 5, 1, 10, 30)


def _marked_on(*sources: str) -> Assessment:
    """Return a reading with one line, marked on the images named."""
    line = msgspec.structs.replace(caliper_finding().regions[0], source_instances=sources)
    finding = msgspec.structs.replace(caliper_finding(), regions=(line,), measurements=())
    return assessment(finding)


def _items(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from _items(child)


def _references(item: Dataset) -> list[tuple[str, Any]]:
    """Return each image that is referred to, with its frame numbers or None."""
    found = (i.ReferencedSOPSequence[0] for i in _items(item) if i.ValueType == "IMAGE")
    return [
        (str(f.ReferencedSOPInstanceUID), f.get("ReferencedFrameNumber")) for f in found
    ]


def _named(item: Dataset, code: str) -> Dataset:
    (found,) = [i for i in _items(item) if i.ConceptNameCodeSequence[0].CodeValue == code]
    return found


def _described(study: EnhancedStudy, folder: Path, *sources: str) -> dict[str, float]:
    """Return the numbers that the Image Library gives for the one image marked."""
    path = sr.write(_marked_on(*sources), study.images, folder, now=NOW)
    library = _named(dcmread(path), "111028")
    return {
        i.ConceptNameCodeSequence[0].CodeMeaning: float(
            i.MeasuredValueSequence[0].NumericValue
        )
        for i in _items(library)
        if i.ValueType == "NUM"
    }


# Nothing is lost -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_any_reading_of_frames_and_slices_comes_back_equal(
    enhanced_study: EnhancedStudy, tmp_path: Path, seed: int
) -> None:
    drawn = random_assessment(seed, frames_of=enhanced_study.ct)
    path = sr.write(drawn, enhanced_study.images, tmp_path, now=NOW)
    assert sr.read(path) == drawn
    assert to_json(sr.read(path)) == to_json(drawn)


def test_order_and_repetition_of_frames_and_slices_are_kept(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    ct, mr = enhanced_study.ct, enhanced_study.mr
    marked = _marked_on(
        source_name(ct, 3), source_name(ct, 1), source_name(ct, 1), ct_image(4),
        ct_image(4), source_name(ct, 1), ct, ct, source_name(ct, 12),
        source_name(mr, 12), mr, source_name(mr, 2),
    )  # fmt: skip
    path = sr.write(marked, enhanced_study.images, tmp_path, now=NOW)
    back = sr.read(path)
    assert back.findings[0].regions == marked.findings[0].regions
    assert back == marked


# What it says to others ------------------------------------------------------------


def test_frames_in_a_row_are_one_reference_with_their_numbers(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    ct = enhanced_study.ct
    marked = _marked_on(
        source_name(ct, 3), source_name(ct, 1), ct_image(4), source_name(ct, 2), ct
    )
    document = dcmread(sr.write(marked, enhanced_study.images, tmp_path, now=NOW))
    assert _references(_named(document, "125007")) == [
        (ct, [3, 1]),
        (ct_image(4), None),
        (ct, 2),
        (ct, None),
    ]


def test_the_library_has_one_entry_an_object_with_the_frames_marked(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    ct, mr = enhanced_study.ct, enhanced_study.mr
    marked = _marked_on(
        source_name(ct, 9), ct_image(4), source_name(ct, 2), source_name(mr, 1), mr
    )
    document = dcmread(sr.write(marked, enhanced_study.images, tmp_path, now=NOW))
    # The enhanced MR was marked as a whole too: all its frames are meant.
    assert _references(_named(document, "111028")) == [
        (ct, [2, 9]),
        (ct_image(4), None),
        (mr, None),
    ]
    evidence = [
        reference.ReferencedSOPInstanceUID
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for listed in study.ReferencedSeriesSequence
        for reference in listed.ReferencedSOPSequence
    ]
    assert sorted(evidence) == sorted([ct, ct_image(4), mr])


def test_the_library_describes_a_frame_by_its_functional_groups(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    frame = frame_of(time=1, k=4)
    said = _described(enhanced_study, tmp_path, source_name(enhanced_study.ct, frame))
    position = [said[f"Image Position (Patient) {axis}"] for axis in "XYZ"]
    assert position == pytest.approx([-10.0, -12.0, 4 * CT_SPACING[0]])
    assert said["Vertical Pixel Spacing"] == CT_SPACING[1]
    assert said["Horizontal Pixel Spacing"] == CT_SPACING[2]
    assert said["Slice Thickness"] == CT_SPACING[0]
    assert said["Image Orientation (Patient) Row X"] == 1
    assert said["Image Orientation (Patient) Column Y"] == 1
    assert said["Pixel Data Rows"] == 48


@pytest.mark.parametrize("frames", [(3, 5), ()], ids=["two frames", "the whole object"])
def test_what_differs_between_frames_is_not_said_of_all(
    enhanced_study: EnhancedStudy, tmp_path: Path, frames: tuple[int, ...]
) -> None:
    ct = enhanced_study.ct
    marked = [source_name(ct, n) for n in frames] or [ct]
    said = _described(enhanced_study, tmp_path, *marked)
    assert not any("Position" in name for name in said)
    assert said["Vertical Pixel Spacing"] == CT_SPACING[1]


def test_two_time_points_of_one_place_share_its_position(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    marked = [source_name(enhanced_study.ct, frame_of(time, k=2)) for time in (0, 1)]
    said = _described(enhanced_study, tmp_path, *marked)
    assert said["Image Position (Patient) Z"] == pytest.approx(2 * CT_SPACING[0])


# What cannot be written --------------------------------------------------------------


def test_a_frame_that_the_image_does_not_have_is_refused(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    beyond = _marked_on(source_name(enhanced_study.ct, FRAMES + 1))
    with pytest.raises(OsteotraceError, match=rf"frame 13 .* with {FRAMES} frames"):
        sr.write(beyond, enhanced_study.images, tmp_path / "records")
    slice_of_one = _marked_on(source_name(ct_image(4), 1))
    with pytest.raises(OsteotraceError, match="frame 1 of an image with no frames"):
        sr.write(slice_of_one, enhanced_study.images, tmp_path / "records")
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize("frame", ["0", "01", "-1", "x", "", "1/frames/2"])
def test_what_names_no_frame_is_a_missing_image(
    enhanced_study: EnhancedStudy, tmp_path: Path, frame: str
) -> None:
    odd = _marked_on(f"{enhanced_study.ct}/frames/{frame}")
    with pytest.raises(OsteotraceError, match="1 of the images absent"):
        sr.write(odd, enhanced_study.images, tmp_path / "records")


# From the scan -------------------------------------------------------------------


def test_a_caliper_on_a_time_point_names_its_frames_and_comes_back(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    catalogue = ot.scan(enhanced_study.folder / "ct.dcm", index=False)
    headers = [header for found in catalogue for header in found.volumes]
    headers.sort(key=lambda header: header.kind)
    assert ["time point" in header.kind for header in headers] == [True, True]
    volumes = [ot.load(header) for header in headers]
    ends = (-8.0, -8.0, CT_SPACING[0]), (0.0, 5.0, 3 * CT_SPACING[0])
    for time, volume in enumerate(volumes):
        line = ot.caliper(volume, *ends, snap=False)
        finding = reading.caliper_finding(line, tracking_uid="2.25.1", label="CAL-1")
        expected = [source_name(enhanced_study.ct, frame_of(time, k)) for k in (1, 2, 3)]
        assert list(finding.source_instances) == expected
        assert marked_volume(finding, volumes) is volume
        assert marked_volume(finding, headers) is headers[time]
        made = reading.assess(volumes, [finding], now=NOW.astimezone())
        assert made.study_uid == STUDY_UID
        assert made.series[0].frame_of_reference_uid == ENHANCED_FRAME_UID
        assert sr.read(sr.write(made, catalogue, tmp_path)) == made


def test_the_number_is_the_same_whether_slices_are_files_or_frames(
    tmp_path: Path,
) -> None:
    walls = Walls(spacing=(1.0, 0.5, 0.6), gap_mm=9.4)
    made = photograph(walls, seed=4)
    label, count = SeriesLabel(study="walls", name="walls"), made.grid.shape[0]
    write_ct_series(tmp_path / "slices", made.rescaled(), made.grid, label)
    write_enhanced_ct(
        tmp_path / "enhanced" / "ct.dcm",
        made.rescaled(),
        made.grid,
        label,
        order=list(reversed(range(count))),
        intercepts=[-1024.0 - k for k in range(count)],
    )
    files, frames = (
        ot.caliper(ot.load(tmp_path / name), (0.3, -5.0, 0.4), (-0.2, 4.2, -0.6))
        for name in ("slices", "enhanced")
    )
    assert isinstance(files.value, ot.Measurement)
    assert isinstance(frames.value, ot.Measurement)
    assert frames.value.value == files.value.value
    assert frames.value.uncertainty == files.value.uncertainty
    assert frames.fitted is not None
    assert files.fitted is not None
    assert frames.fitted.points == files.fitted.points
    assert len(frames.value.sources) == len(files.value.sources)
    assert all("/frames/" in source for source in frames.value.sources)
