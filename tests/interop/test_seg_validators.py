"""Saved masks pass two validators, and dcmqi reads the same voxels and values."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from tests.fixtures.assessments import assessment, caliper_finding
from tests.fixtures.mask_studies import (
    around,
    finding_of,
    fragment,
    grids,
    mask_study,
    speckled,
)

import osteotrace as ot
from osteotrace.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_UID
from osteotrace.measurements.measurement import Measurement
from osteotrace.records import sr
from osteotrace.regions import ImagePoints
from osteotrace.segmentation import marked
from osteotrace.volume.resampling import rectified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.fixtures.mask_studies import MaskStudy

    from osteotrace.findings import Assessment
    from osteotrace.records.seg import Encoding

    Dcmqi = Callable[..., str]

pytestmark = pytest.mark.interop

NOW = datetime.datetime(2024, 5, 1, 10, 30)
# What dcmtk 3.6 says of every file in UTF-8, and dciodvfy of the kind of object.
KNOWN = (
    "does not support this Specific Character Set: ISO_IR 192",
    f"<{PRIVATE_SCHEME}>",
    f"<{PRIVATE_SCHEME_UID}>",
)
KINDS = ("Comprehensive3DSR", "Segmentation")
# dcmqi rebuilds places from decimal strings.
SAME_PLACE_MM = 1e-3


def complaints(path: Path) -> list[str]:
    """Return what the validators say beyond what is known and wanted."""
    said = []
    programs: list[tuple[str, ...]] = [("dciodvfy", "-new")]
    if dcmread(path, stop_before_pixels=True).Modality == "SR":
        programs.append(("dsrdump",))
    for arguments in programs:
        assert shutil.which(arguments[0]), f"{arguments[0]} is missing"
        done = subprocess.run(
            [*arguments, str(path)], capture_output=True, text=True, check=False
        )
        lines = [line for line in done.stderr.split("\n") if line and line not in KINDS]
        said += [line for line in lines if not any(known in line for known in KNOWN)]
        if done.returncode:
            said.append(f"{arguments[0]} ended with {done.returncode}")
    return said


def saved(
    study: MaskStudy, made: Assessment, folder: Path, encoding: Encoding = "binary"
) -> list[Path]:
    """Return the report and its segmentations."""
    report = sr.write(made, study.catalogue, folder, now=NOW, encoding=encoding)
    assert sr.read(report) == made
    return [report, *(file for file in sorted(folder.iterdir()) if file != report)]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MaskStudy]:
    return {
        name: mask_study(tmp_path_factory.mktemp("study"), grid)
        for name, grid in grids().items()
    }


@pytest.mark.parametrize("kind", list(grids()))
def test_reports_and_masks_are_valid_on_a_grid_of_every_kind(
    studies: dict[str, MaskStudy], tmp_path: Path, kind: str
) -> None:
    study = studies[kind]
    mask = fragment(study.volume)
    image = study.volume.instances[2].source
    points = ImagePoints(
        role="corners",
        image_points=((1.1, 2.0), (3.5, 4.25)),
        point_roles=("superior", ""),
        source_instances=(image,),
    )
    made = study.reading(
        finding_of(mask, around(study.volume)),
        msgspec.structs.replace(finding_of(points, uid="2.25.3002"), measurements=()),
        finding_of(fragment(study.volume, seed=4), uid="2.25.3003"),
    )
    files = saved(study, made, tmp_path)
    assert len(files) == 2
    assert [complaints(file) for file in files] == [[], []]


def test_masks_on_planes_of_their_own_and_of_two_series_are_valid(
    studies: dict[str, MaskStudy], small_study: Path, tmp_path: Path
) -> None:
    study = studies["tilted"]
    volume = rectified(study.volume, 0.7)
    voxels = speckled(volume.grid, (2, 3, 4), (6, 9, 11), seed=3)
    resampled = marked.from_voxels(volume, voxels, role="fragment")
    without = msgspec.structs.replace(around(study.volume), source_instances=())
    made = study.reading(finding_of(resampled, without))
    for file in saved(study, made, tmp_path / "one"):
        assert complaints(file) == []
    ct, mr = ot.load(small_study / "ct"), ot.load(small_study / "mr")
    masks = [
        marked.from_voxels(
            v, speckled(v.grid, (2, 20, 30), (6, 40, 45), seed=5), role="x"
        )
        for v in (ct, mr)
    ]
    path = sr.write(
        assessment(finding_of(*masks)), ot.scan(small_study), tmp_path / "two", now=NOW
    )
    files = list(path.parent.iterdir())
    assert len(files) == 3
    for file in files:
        assert complaints(file) == []


def test_an_error_is_noticed(studies: dict[str, MaskStudy], tmp_path: Path) -> None:
    study = studies["straight"]
    _, file = saved(study, study.reading(finding_of(fragment(study.volume))), tmp_path)
    document = dcmread(file)
    del document.SegmentSequence[0].SegmentAlgorithmType
    document.save_as(file)
    assert complaints(file) != []


# dcmqi -------------------------------------------------------------------------------


def places(image: Any, number: int) -> NDArray[np.float64]:
    """Return the sorted LPS mm of the voxels of a number in an ITK image."""
    index = np.argwhere(sitk.GetArrayFromImage(image) == number)[:, ::-1]
    direction = np.reshape(image.GetDirection(), (3, 3))
    steps = index * np.array(image.GetSpacing())
    return in_order(np.array(image.GetOrigin()) + steps @ direction.T)


def in_order(points: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded = np.round(points / SAME_PLACE_MM / 10).T
    return np.asarray(points[np.lexsort(rounded)])


def read_by_dcmqi(dcmqi: Dcmqi, file: Path, folder: Path) -> dict[int, Any]:
    """Return the image that segimage2itkimage writes, by segment number."""
    folder.mkdir()
    options = ("--outputType", "nrrd", "--outputDirectory", folder)
    dcmqi("segimage2itkimage", *options, "--inputDICOM", file)
    described = json.loads((folder / "meta.json").read_text())
    images = {}
    for number, group in enumerate(described["segmentAttributes"], start=1):
        for segment in group:
            image = sitk.ReadImage(str(folder / f"{number}.nrrd"))
            images[int(segment["labelID"])] = image
    return images


@pytest.mark.parametrize("encoding", ["binary", "labelmap"])
@pytest.mark.parametrize("kind", ["straight", "oblique"])
def test_dcmqi_reads_the_same_voxels(
    studies: dict[str, MaskStudy],
    tmp_path: Path,
    dcmqi: Dcmqi,
    kind: str,
    encoding: Encoding,
) -> None:
    study = studies[kind]
    first = fragment(study.volume)
    # Beside the first, not over it, so that a label map can hold both.
    voxels = speckled(study.volume.grid, (1, 3, 22), (9, 20, 30), seed=9)
    second = marked.from_voxels(study.volume, voxels, role="gas")
    made = study.reading(finding_of(first, second))
    _, file = saved(study, made, tmp_path / "records", encoding)
    images = read_by_dcmqi(dcmqi, file, tmp_path / "itk")
    assert sorted(images) == [1, 2]
    for number, mask in enumerate((first, second), start=1):
        truth = in_order(mask.grid.to_patient(np.argwhere(mask.voxels)))
        found = places(images[number], number)
        assert found.shape == truth.shape
        assert np.abs(found - truth).max() < SAME_PLACE_MM


def test_dcmqi_reads_masks_that_overlap(
    studies: dict[str, MaskStudy], tmp_path: Path, dcmqi: Dcmqi
) -> None:
    study = studies["straight"]
    masks = (fragment(study.volume), around(study.volume), fragment(study.volume, seed=2))
    _, file = saved(study, study.reading(finding_of(*masks)), tmp_path / "records")
    images = read_by_dcmqi(dcmqi, file, tmp_path / "itk")
    for number, mask in enumerate(masks, start=1):
        truth = in_order(mask.grid.to_patient(np.argwhere(mask.voxels)))
        found = places(images[number], number)
        assert found.shape == truth.shape
        assert np.abs(found - truth).max() < SAME_PLACE_MM


def test_dcmqi_reads_the_same_values_units_and_segments(
    studies: dict[str, MaskStudy], tmp_path: Path, dcmqi: Dcmqi
) -> None:
    study = studies["tilted, uneven"]
    mask = fragment(study.volume)
    images = mask.source_instances
    values = tuple(
        msgspec.structs.replace(
            value, region="fragment" if n == 0 else "", sources=images
        )
        for n, value in enumerate(caliper_finding().measurements)
        if isinstance(value, Measurement)
    )
    finding = msgspec.structs.replace(
        finding_of(around(study.volume), mask), measurements=values
    )
    report, file = saved(study, study.reading(finding), tmp_path / "records")
    out = tmp_path / "report.json"
    dcmqi("tid1500reader", "--inputDICOM", report, "--outputMetadata", out)
    (group,) = json.loads(out.read_text())["Measurements"]
    assert group["segmentationSOPInstanceUID"] == file.stem
    assert group["ReferencedSegment"] == 2
    assert group["SourceSeriesForImageSegmentation"] == study.volume.identity.series_uid
    assert group["TrackingUniqueIdentifier"] == finding.tracking_uid
    read = [
        (item["quantity"]["CodeValue"], float(item["value"]), item["units"]["CodeValue"])
        for item in group["measurementItems"]
    ]
    assert [(code, unit) for code, _, unit in read] == [
        (value.code.value, value.unit) for value in values
    ]
    assert [value for _, value, _ in read] == pytest.approx(
        [value.value for value in values], rel=1e-14
    )
