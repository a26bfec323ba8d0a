"""Exports are read by the viewers they are for: OHIF's adapters, highdicom and dcmqi."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import highdicom as hd
import msgspec
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes
from tests.fixtures.assessments import METHOD, assessment, caliper_finding, ct_image
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID

from osteotrace import geometry, series
from osteotrace.codes import QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Finding
from osteotrace.geometry import Grid, distance
from osteotrace.measurements.measurement import Measurement, measured
from osteotrace.records import profiles, sr
from osteotrace.records.image_planes import ImagePlane
from osteotrace.regions import Mask, Points, Polyline
from osteotrace.uids import source_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.enhanced_study import EnhancedStudy
    from tests.fixtures.peers import Adapters

    Index = tuple[float, float, float]

pytestmark = pytest.mark.interop

# float32 on the way, and cornerstone counts in float32 too.
SAME_POINT_MM = 1e-4
PACKAGES = {"dciodvfy": "dicom3tools", "dsrdump": "dcmtk"}


def _caliper(
    label: str, grid: Grid, start: Index, end: Index, *images: str, uid: str
) -> Finding:
    """Return a finding with the length between two voxels, and the line as drawn."""
    a, b = (geometry.as_stored(grid.to_patient(index)) for index in (start, end))
    ends = (a, b)
    line = Polyline(
        role="fitted edges",
        points=ends,
        frame_of_reference_uid=CT_FRAME_UID,
        source_instances=images,
    )
    drawn = msgspec.structs.replace(
        line, role="as drawn", points=((0.0, 0.0, 0.0), (9.0, 9.0, 9.0))
    )
    value = measured(
        "distance",
        distance(*ends),
        "mm",
        method=METHOD,
        sources=images,
        uncertainty=0.02,
        region="fitted edges",
    )
    raw = measured(
        "length_as_drawn",
        15.6,
        "mm",
        method=METHOD,
        sources=images,
        uncertainty_reason="points as drawn",
        region="as drawn",
    )
    return Finding(
        tracking_uid=uid,
        label=label,
        kind="lesion",
        site="maxilla",
        regions=(drawn, line),
        measurements=(value, raw),
    )


def _grid(images: dict[str, Path]) -> Grid:
    headers = [dcmread(path, stop_before_pixels=True) for path in images.values()]
    cosines = [float(x) for x in headers[0].ImageOrientationPatient]
    return Grid(
        row_direction=np.array(cosines[:3]),
        column_direction=np.array(cosines[3:]),
        pixel_spacing=np.array([float(x) for x in headers[0].PixelSpacing]),
        origins=np.array(
            [[float(x) for x in header.ImagePositionPatient] for header in headers]
        ),
        rows=int(headers[0].Rows),
        columns=int(headers[0].Columns),
    )


def _mixed_record(images: dict[str, Path]) -> tuple[Assessment, dict[str, Finding]]:
    """Return a reading of calipers and everything else, and the calipers by UID."""
    grid = _grid(images)
    one, other, last = (f"{CT_SERIES_UID}.{n}" for n in (3, 4, 6))
    calipers = [
        _caliper("PAL-1", grid, (2, 7.25, 9.5), (2, 30, 11), one, uid="2.25.1"),
        # Between two slices, so on no image.
        _caliper("PAL-2", grid, (2.5, 5, 5), (2.5, 5, 25), one, other, uid="2.25.2"),
        # Across slices.
        _caliper("SEQ-1", grid, (2, 5, 5), (5, 25, 25), one, last, uid="2.25.3"),
        # On the second of the images it names.
        _caliper("SEQ-2", grid, (3, 1, 2), (3, 3, 4), one, other, uid="2.25.4"),
    ]
    points = Points(
        role="corners",
        points=((0.0, 0.0, 0.0), (1.0, 2.0, 3.0)),
        point_roles=("anterior", "posterior"),
        frame_of_reference_uid=CT_FRAME_UID,
        source_instances=(one,),
    )
    voxels = np.zeros(grid.shape, bool)
    voxels[2:5, 4:9, 6:16] = True
    mask = Mask.of(
        voxels,
        grid,
        role="fragment",
        frame_of_reference_uid=CT_FRAME_UID,
        source_instances=tuple(images),
    )
    volume = measured(
        "voxel_volume",
        43.2,
        "mm3",
        method=METHOD,
        sources=(),
        uncertainty_reason="none",
        region="fragment",
    )
    rest = [
        Finding(
            tracking_uid="2.25.10",
            label="VERT-1",
            kind="vertebra",
            site="l1",
            regions=(points,),
        ),
        Finding(
            tracking_uid="2.25.11",
            label="SEQ-3",
            kind="sequestrum",
            site="mandible",
            laterality="left",
            regions=(mask,),
            measurements=(volume,),
        ),
        Finding(
            tracking_uid="2.25.12",
            label="GAS",
            kind="gas",
            site="jaw",
            presence="absent",
        ),
    ]
    mixed = [rest[0], *calipers[:2], rest[1], *calipers[2:], rest[2]]
    return assessment(*mixed), {one.tracking_uid: one for one in calipers}


def _line(finding: Finding) -> Polyline:
    (line,) = (one for one in finding.regions if one.role == "fitted edges")
    assert isinstance(line, Polyline)
    return line


def _check_lengths(found: dict[str, Any], calipers: dict[str, Finding]) -> None:
    """Check that the adapters have every caliper once, where it is and as long."""
    assert set(found) == {"Length"}
    by_uid = {one["trackingUid"]: one for one in found["Length"]}
    assert len(by_uid) == len(found["Length"])
    assert set(by_uid) == set(calipers)
    for uid, finding in calipers.items():
        hydrated, line = by_uid[uid], _line(finding)
        assert len(hydrated["points"]) == 2
        for point, truth in zip(hydrated["points"], line.points, strict=True):
            assert distance(point, truth) < SAME_POINT_MM
        value = finding.measurements[0]
        assert isinstance(value, Measurement)
        assert abs(distance(*hydrated["points"]) - value.value) < SAME_POINT_MM
        for stated in hydrated["stated"]:
            assert abs(stated["length"] - value.value) < SAME_POINT_MM
            assert stated["unit"] == "mm"
        assert hydrated["frameOfReference"] == line.frame_of_reference_uid
        assert hydrated["label"].startswith(
            f"{finding.label}: {value.value:.2f} +/- 0.02"
        )


# OHIF ----------------------------------------------------------------------------------


def test_every_caliper_of_a_record_hydrates_as_one_length(
    square_images: dict[str, Path], tmp_path: Path, adapters: Adapters
) -> None:
    reading, calipers = _mixed_record(square_images)
    (file,) = profiles.write(reading, square_images, tmp_path, profile="ohif")
    found = adapters.hydrated(file, square_images)
    _check_lengths(found, calipers)
    on_image = {
        one["trackingUid"]: one["sopInstanceUid"]
        for one in found["Length"]
        if one["sopInstanceUid"]
    }
    # Those that lie on an image are on it for every version of OHIF.
    assert on_image == {"2.25.1": f"{CT_SERIES_UID}.3", "2.25.4": f"{CT_SERIES_UID}.4"}


def test_calipers_anywhere_hydrate_where_they_are(
    square_images: dict[str, Path], tmp_path: Path, adapters: Adapters
) -> None:
    grid = _grid(square_images)
    chance = np.random.default_rng(5)
    calipers = {}
    for n in range(60):
        start, end = chance.uniform(0, np.array(grid.shape) - 1, (2, 3))
        if n % 2:
            start[0] = end[0] = round(start[0])
        first, last = sorted((int(start[0]), int(end[0])))
        images = [f"{CT_SERIES_UID}.{k + 1}" for k in range(first, last + 1)]
        a, b = (tuple(index.tolist()) for index in (start, end))
        uid = f"2.25.{100 + n}"
        calipers[uid] = _caliper(f"L-{n}", grid, a, b, *images, uid=uid)
    reading = assessment(*calipers.values())
    (file,) = profiles.write(reading, square_images, tmp_path, profile="ohif")
    found = adapters.hydrated(file, square_images)
    _check_lengths(found, calipers)
    on_image = [one for one in found["Length"] if one["sopInstanceUid"]]
    assert len(on_image) == 30


def test_a_caliper_on_pixels_that_are_not_square_keeps_its_place(
    small_study: Path, tmp_path: Path, adapters: Adapters
) -> None:
    catalogue = series.scan(small_study)
    images = _files(catalogue)
    grid = _grid({ct_image(n): images[ct_image(n)] for n in range(1, 21)})
    finding = _caliper(
        "PAL-1", grid, (10, 20, 20), (10, 60, 40), ct_image(11), uid="2.25.1"
    )
    (file,) = profiles.write(assessment(finding), catalogue, tmp_path, profile="ohif")
    _check_lengths(adapters.hydrated(file, images), {"2.25.1": finding})


def test_the_adapters_misplace_an_image_coordinate_on_such_pixels(
    small_study: Path,
    tmp_path: Path,
    adapters: Adapters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Why the test above needs coordinates in space: cornerstone3D, issue 2758.
    monkeypatch.setattr(ImagePlane, "has_square_pixels", True)
    catalogue = series.scan(small_study)
    images = _files(catalogue)
    grid = _grid({ct_image(n): images[ct_image(n)] for n in range(1, 21)})
    finding = _caliper(
        "PAL-1", grid, (10, 20, 20), (10, 60, 40), ct_image(11), uid="2.25.1"
    )
    (file,) = profiles.write(assessment(finding), catalogue, tmp_path, profile="ohif")
    (hydrated,) = adapters.hydrated(file, images)["Length"]
    assert distance(hydrated["points"][0], _line(finding).points[0]) > 1.0


def _files(catalogue: Any) -> dict[str, Path]:
    return {
        instance.sop_instance_uid: instance.path
        for one in catalogue
        for volume in one.volumes
        for instance in volume.instances
    }


def test_a_caliper_on_a_frame_hydrates_on_that_frame(
    enhanced_study: EnhancedStudy, tmp_path: Path, adapters: Adapters
) -> None:
    images = dict(enhanced_study.images)
    frame = 3
    plane = ImagePlane(dcmread(images[enhanced_study.ct]), frame)
    source = source_name(enhanced_study.ct, frame)
    finding = _caliper(
        "PAL-1", plane.grid, (0, 4.75, 4), (0, 8.5, 13.5), source, uid="2.25.1"
    )
    (file,) = profiles.write(assessment(finding), images, tmp_path, profile="ohif")
    found = adapters.hydrated(file, {enhanced_study.ct: images[enhanced_study.ct]})
    _check_lengths(found, {"2.25.1": finding})
    if plane.has_square_pixels:
        assert found["Length"][0]["frame"] == frame


def test_two_findings_of_one_lesion_stay_two_lengths(
    square_images: dict[str, Path], tmp_path: Path, adapters: Adapters
) -> None:
    grid = _grid(square_images)
    image = f"{CT_SERIES_UID}.3"
    both = [
        _caliper(label, grid, (2, 5, 5), (2, 5, n), image, uid="2.25.1")
        for label, n in (("PAL-1", 25), ("PAL-1 width", 35))
    ]
    (file,) = profiles.write(assessment(*both), square_images, tmp_path, profile="ohif")
    lengths = adapters.hydrated(file, square_images)["Length"]
    assert len({one["trackingUid"] for one in lengths}) == 2
    shown = sorted(distance(*one["points"]) for one in lengths)
    assert shown == pytest.approx([12.0, 18.0], abs=SAME_POINT_MM)


def test_what_ohif_reads_before_it_asks_the_adapters_is_there(
    square_images: dict[str, Path], tmp_path: Path
) -> None:
    # Without an Image Library it reads nothing; the first item below a number must be
    # its coordinates; what ties coordinates to an image must be the only item below.
    reading, calipers = _mixed_record(square_images)
    (file,) = profiles.write(reading, square_images, tmp_path, profile="ohif")
    document = dcmread(file)
    below = {
        one.ConceptNameCodeSequence[0].CodeValue: one for one in document.ContentSequence
    }
    library = below["111028"].ContentSequence[0]
    named = {
        one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for one in library.ContentSequence
        if one.ValueType == "IMAGE"
    }
    assert named == {f"{CT_SERIES_UID}.{n}" for n in (3, 4, 6)}
    groups = below["126010"].ContentSequence
    assert len(groups) == len(calipers)
    for group in groups:
        (length,) = (one for one in group.ContentSequence if one.ValueType == "NUM")
        (drawn,) = length.ContentSequence
        assert drawn.ValueType in ("SCOORD", "SCOORD3D")
        assert len(drawn.get("ContentSequence", ())) == (drawn.ValueType == "SCOORD")


def test_an_export_has_uids_of_its_own_and_names_the_record(
    square_images: dict[str, Path], tmp_path: Path
) -> None:
    reading, _ = _mixed_record(square_images)
    record = sr.write(reading, square_images, tmp_path / "record")
    for profile in ("ohif", "slicer"):
        for _ in range(2):
            files = profiles.write(
                reading, square_images, tmp_path / "out", profile=profile, record=record
            )
            document = dcmread(files[-1])
            assert document.SOPInstanceUID != reading.assessment_uid
            assert document.SeriesDescription.startswith("osteotrace export for ")
            previous = document.PredecessorDocumentsSequence[0]
            named = previous.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
            assert named.ReferencedSOPInstanceUID == reading.assessment_uid
            comment = document.ContentSequence[-1].TextValue
            assert reading.assessment_uid in comment
            assert "Research use only" in comment
    uids = [path.stem for path in (tmp_path / "out").iterdir()]
    assert len(set(uids)) == len(uids)


def test_an_export_says_how_many_findings_it_leaves_out(
    square_images: dict[str, Path], tmp_path: Path
) -> None:
    reading, _ = _mixed_record(square_images)
    (file,) = profiles.write(reading, square_images, tmp_path, profile="ohif")
    assert "not here: 3." in dcmread(file).ContentSequence[-1].TextValue


@pytest.mark.parametrize("profile", ["ohif", "slicer"])
def test_a_reading_without_what_a_viewer_shows_is_refused(
    square_images: dict[str, Path], tmp_path: Path, profile: Any
) -> None:
    empty = msgspec.structs.replace(caliper_finding(), regions=(), measurements=())
    with pytest.raises(OsteotraceError, match="a reading without"):
        profiles.write(assessment(empty), square_images, tmp_path, profile=profile)
    assert list(tmp_path.iterdir()) == []


def test_another_record_is_not_named(
    square_images: dict[str, Path], tmp_path: Path
) -> None:
    reading, _ = _mixed_record(square_images)
    record = sr.write(reading, square_images, tmp_path / "record")
    other = msgspec.structs.replace(reading, assessment_uid="2.25.4711")
    with pytest.raises(OsteotraceError, match="the record of this reading"):
        profiles.write(other, square_images, tmp_path, profile="ohif", record=record)


# 3D Slicer -----------------------------------------------------------------------------


def _slicer_exports(
    square_images: dict[str, Path], folder: Path
) -> tuple[list[Path], Path]:
    """Return the reports and the segmentation of the Slicer export of a mixed record."""
    reading, _ = _mixed_record(square_images)
    files = profiles.write(reading, square_images, folder, profile="slicer")
    kinds = {file: dcmread(file, stop_before_pixels=True).Modality for file in files}
    (segmentation,) = (file for file, kind in kinds.items() if kind == "SEG")
    return [file for file, kind in kinds.items() if kind == "SR"], segmentation


def _content(file: Path) -> hd.sr.MeasurementReport:
    content = hd.sr.srread(file).content
    assert isinstance(content, hd.sr.MeasurementReport)
    return content


def test_slicer_finds_every_end_of_a_line_as_a_point(
    square_images: dict[str, Path], tmp_path: Path
) -> None:
    # The question that QuantitativeReporting asks highdicom.
    (points, _), _ = _slicer_exports(square_images, tmp_path)
    groups = _content(points).get_planar_roi_measurement_groups(
        graphic_type=hd.sr.GraphicTypeValues3D.POINT,
        reference_type=codes.DCM.ImageRegion,
    )
    found = {
        group.tracking_identifier: group.roi.value[0].tolist()
        for group in groups
        if group.roi is not None
    }
    _, calipers = _mixed_record(square_images)
    for finding in calipers.values():
        value = finding.measurements[0]
        assert isinstance(value, Measurement)
        for n, truth in enumerate(_line(finding).points, start=1):
            words = f"{finding.label} {value.as_text} (fitted edges {n})"
            assert tuple(found[words]) == truth
    assert found["VERT-1 (posterior)"] == [1.0, 2.0, 3.0]
    # Two lines of two ends a caliper, and two points of the vertebra.
    assert len(found) == len(groups) == 4 * len(calipers) + 2
    assert all(group.finding_type and group.finding_sites for group in groups)


def test_slicer_finds_masks_in_a_report_without_points(
    square_images: dict[str, Path], tmp_path: Path, dcmqi: Callable[..., str]
) -> None:
    (_, masks), segmentation = _slicer_exports(square_images, tmp_path)
    content = _content(masks)
    assert content.get_planar_roi_measurement_groups() == []
    (group,) = content.get_volumetric_roi_measurement_groups()
    assert group.tracking_uid == "2.25.11"
    dcmqi(
        "tid1500reader", "--inputDICOM", masks, "--outputMetadata", tmp_path / "sr.json"
    )
    told = json.loads((tmp_path / "sr.json").read_text())
    (measurements,) = told["Measurements"]
    assert measurements["TrackingIdentifier"] == "SEQ-3 (fragment)"
    assert measurements["segmentationSOPInstanceUID"] == segmentation.stem
    assert measurements["ReferencedSegment"] == 1
    (volume,) = measurements["measurementItems"]
    assert float(volume["value"]) == 43.2
    assert volume["units"]["CodeValue"] == "mm3"
    assert volume["quantity"]["CodeValue"] == QUANTITIES["voxel_volume"].value
    (tmp_path / "masks").mkdir()
    dcmqi(
        "segimage2itkimage",
        *("--inputDICOM", segmentation, "--outputDirectory", tmp_path / "masks"),
        *("--outputType", "nrrd"),
    )
    import SimpleITK as sitk

    (file,) = (tmp_path / "masks").glob("*.nrrd")
    assert int((sitk.GetArrayFromImage(sitk.ReadImage(str(file))) > 0).sum()) == 150


@pytest.mark.parametrize(
    "arguments", [("dciodvfy", "-new"), ("dsrdump",)], ids=lambda a: a[0]
)
@pytest.mark.parametrize("profile", ["ohif", "slicer"])
def test_an_export_is_valid(
    square_images: dict[str, Path],
    tmp_path: Path,
    profile: Any,
    arguments: tuple[str, ...],
) -> None:
    if shutil.which(arguments[0]) is None:
        pytest.fail(f"{arguments[0]}: apt-get install {PACKAGES[arguments[0]]}")
    reading, _ = _mixed_record(square_images)
    files = profiles.write(reading, square_images, tmp_path, profile=profile)
    for file in files:
        if arguments[0] == "dsrdump" and dcmread(file).Modality != "SR":
            continue
        done = subprocess.run(
            [*arguments, str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        assert [line for line in done.stderr.split("\n") if "Error" in line] == []
