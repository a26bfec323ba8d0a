"""Records that real peers wrote: dcmqi (as 3D Slicer uses it), highdicom and OHIF."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from highdicom.sr import (
    CodedConcept,
    FindingSite,
    ImageRegion,
    ImageRegion3D,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForRegion,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom import dcmread
from pydicom.sr.codedict import codes
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID

import osteotrace as ot
from osteotrace.findings import Assessment, check, from_json, to_json
from osteotrace.geometry import distance
from osteotrace.measurements.measurement import Measurement
from osteotrace.regions import ImagePoints, Mask, Points, Polyline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.peers import Adapters

    from osteotrace.findings import Finding

pytestmark = pytest.mark.interop

HU = ("[hnsf'U]", "UCUM", "Hounsfield unit")
MM3 = ("mm3", "UCUM", "cubic millimeter")
ATTENUATION = ("112031", "DCM", "Attenuation Coefficient")
SEQUESTRUM = CodedConcept("4857006", "SCT", "Sequestrum")
# Cornerstone counts in float32.
SAME_POINT_MM = 1e-4


def _read(file: Path, **how: Any) -> Assessment:
    """Read a record of a peer; it can be saved as a record of our own."""
    found = ot.read(file, **how)
    check(found)
    assert from_json(to_json(found), Assessment) == found
    return found


def _values(finding: Finding) -> dict[str, tuple[float, str]]:
    return {
        one.name: (one.value, one.unit)
        for one in finding.measurements
        if isinstance(one, Measurement)
    }


# dcmqi, which 3D Slicer's QuantitativeReporting writes with -----------------------------


def _code(value: str, scheme: str, meaning: str) -> dict[str, str]:
    return {
        "CodeValue": value,
        "CodingSchemeDesignator": scheme,
        "CodeMeaning": meaning,
    }


def _value(
    value: str, quantity: tuple[str, str, str], unit: tuple[str, str, str], **more: Any
) -> dict[str, Any]:
    return {"value": value, "quantity": _code(*quantity), "units": _code(*unit), **more}


@pytest.fixture
def dcmqi_segmentation(
    square_images: dict[str, Path], tmp_path: Path, dcmqi: Callable[..., str]
) -> Path:
    """Return a segmentation of one sequestrum that dcmqi made."""
    files = [str(path) for path in square_images.values()]
    image = sitk.ReadImage(files)
    labels = np.zeros(sitk.GetArrayFromImage(image).shape, np.uint8)
    labels[2:5, 4:9, 6:16] = 1
    drawn = sitk.GetImageFromArray(labels)
    drawn.CopyInformation(image)
    sitk.WriteImage(drawn, str(tmp_path / "labels.nrrd"))
    segment = {
        "labelID": 1,
        "SegmentLabel": "dead bone",
        "SegmentDescription": "by hand",
        "SegmentAlgorithmType": "SEMIAUTOMATIC",
        "SegmentAlgorithmName": "SlicerEditor",
        "SegmentedPropertyCategoryCodeSequence": _code(
            "49755003", "SCT", "Morphologically Altered Structure"
        ),
        "SegmentedPropertyTypeCodeSequence": _code("4857006", "SCT", "Sequestrum"),
        "AnatomicRegionSequence": _code("T-11180", "SRT", "Mandible"),
    }
    told = {
        "ContentCreatorName": "Reader^One",
        "SeriesDescription": "Segmentation",
        "SeriesNumber": "300",
        "InstanceNumber": "1",
        "segmentAttributes": [[segment]],
    }
    (tmp_path / "segmentation.json").write_text(json.dumps(told))
    out = tmp_path / "segmentation.dcm"
    dcmqi(
        "itkimage2segimage",
        *("--inputImageList", tmp_path / "labels.nrrd"),
        *("--inputDICOMList", ",".join(files), "--outputDICOM", out),
        *("--inputMetadata", tmp_path / "segmentation.json", "--skip"),
    )
    return out


def _dcmqi_report(segmentation: Path, folder: Path, dcmqi: Callable[..., str]) -> Path:
    """Return a report as QuantitativeReporting has dcmqi write one."""
    mean = {"derivationModifier": _code("R-00317", "SRT", "Mean")}
    least = {"derivationModifier": _code("R-404FB", "SRT", "Minimum")}
    how = {
        "measurementAlgorithmIdentification": {
            "AlgorithmName": "3D Slicer Editor effect",
            "AlgorithmVersion": "4.6",
        }
    }
    group = {
        "TrackingIdentifier": "SEQ-1",
        "TrackingUniqueIdentifier": "2.25.4444",
        "ReferencedSegment": 1,
        "SourceSeriesForImageSegmentation": CT_SERIES_UID,
        "segmentationSOPInstanceUID": str(dcmread(segmentation).SOPInstanceUID),
        "Finding": _code("4857006", "SCT", "Sequestrum"),
        "FindingSite": _code("T-11180", "SRT", "Mandible"),
        "measurementItems": [
            _value("37.3289", ATTENUATION, HU, **mean),
            _value("-778", ATTENUATION, HU, **least),
            _value("43.2", ("G-D705", "SRT", "Volume"), MM3, **how),
            _value(
                "1.96772",
                ("126401", "DCM", "SUVbw"),
                ("{SUVbw}g/ml", "UCUM", "SUVbw"),
                **mean,
            ),
        ],
        "qualitativeEvaluations": [
            {
                "conceptCode": _code("123", "99TEST", "Tremendousness"),
                "conceptValue": "Bad",
            }
        ],
    }
    told = {
        "SeriesDescription": "Measurements",
        "SeriesNumber": "1001",
        "InstanceNumber": "1",
        "compositeContext": [segmentation.name],
        "observerContext": {"ObserverType": "PERSON", "PersonObserverName": "Kim^Jo"},
        "VerificationFlag": "VERIFIED",
        "CompletionFlag": "COMPLETE",
        "activitySession": "1",
        "timePoint": "1",
        "Measurements": [group],
    }
    (folder / "report.json").write_text(json.dumps(told))
    out = folder / "report.dcm"
    dcmqi(
        "tid1500writer",
        *("--inputImageLibraryDirectory", folder),
        *("--inputCompositeContextDirectory", segmentation.parent),
        *("--inputMetadata", folder / "report.json", "--outputDICOM", out),
    )
    return out


def test_a_report_of_dcmqi_is_read_with_its_segment(
    dcmqi_segmentation: Path, tmp_path: Path, dcmqi: Callable[..., str]
) -> None:
    report = _dcmqi_report(dcmqi_segmentation, tmp_path, dcmqi)
    found = _read(report, segmentations=[dcmqi_segmentation])
    (finding,) = found.findings
    assert (finding.label, finding.tracking_uid) == ("SEQ-1", "2.25.4444")
    assert (finding.kind, finding.site) == ("sequestrum", "mandible")
    assert finding.series_uid == CT_SERIES_UID
    (mask,) = finding.regions
    assert isinstance(mask, Mask)
    assert int(mask.voxels.sum()) == 150
    assert mask.frame_of_reference_uid == CT_FRAME_UID
    assert _values(finding) == {
        "mean_value": (37.3289, "[hnsf'U]"),
        "minimum_value": (-778.0, "[hnsf'U]"),
        "volume": (43.2, "mm3"),
    }
    assert all(
        isinstance(one, Measurement)
        and one.region == mask.role
        and one.uncertainty is None
        and one.method.name.startswith("as reported by QIICR")
        for one in finding.measurements
    )
    assert found.reader == "Kim Jo"
    prefix = "Imaging Measurement Report / "
    group = f"{prefix}Imaging Measurements / Measurement Group / "
    assert found.not_understood == (
        f"{prefix}Procedure reported: CODE Imaging procedure (363679005 SCT)",
        f"{group}Activity Session: TEXT 1",
        f"{group}Time Point: TEXT 1",
        f"{group}SUVbw: NUM 1.96772 {{SUVbw}}g/ml",
        f"{group}SUVbw / Derivation: CODE Mean (R-00317 SRT)",
        f"{group}Tremendousness: TEXT Bad",
    )


def test_without_its_segmentation_a_report_lists_the_segment(
    dcmqi_segmentation: Path, tmp_path: Path, dcmqi: Callable[..., str]
) -> None:
    report = _dcmqi_report(dcmqi_segmentation, tmp_path, dcmqi)
    found = _read(report)
    assert found.findings[0].regions == ()
    uid = dcmread(dcmqi_segmentation).SOPInstanceUID
    assert any(
        line.endswith(f"Referenced Segment: IMAGE {uid} segment 1")
        for line in found.not_understood
    )


def test_a_segmentation_of_dcmqi_alone_is_findings(dcmqi_segmentation: Path) -> None:
    found = _read(dcmqi_segmentation)
    (finding,) = found.findings
    assert (finding.label, finding.kind, finding.site) == (
        "dead bone",
        "sequestrum",
        "mandible",
    )
    assert "SEMIAUTOMATIC SlicerEditor" in finding.note
    (mask,) = finding.regions
    assert isinstance(mask, Mask)
    assert int(mask.voxels.sum()) == 150
    assert found.not_understood == ()


# highdicom ------------------------------------------------------------------------------


def _highdicom_report(square_images: dict[str, Path], folder: Path) -> tuple[Path, Path]:
    """Return a report of every kind of group, and its segmentation."""
    headers = [dcmread(path) for path in square_images.values()]
    voxels = np.zeros((len(headers), 40, 50, 2), np.uint8)
    voxels[2:5, 4:9, 6:16, 0] = 1
    voxels[5:7, 20:30, 6:16, 1] = 1
    segments = [
        hd.seg.SegmentDescription(
            n,
            f"dead bone {n}",
            CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure"),
            SEQUESTRUM,
            hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for n in (1, 2)
    ]
    segmentation = hd.seg.Segmentation(
        headers,
        voxels,
        hd.seg.SegmentationTypeValues.BINARY,
        segments,
        series_instance_uid=hd.UID(),
        series_number=7,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        device_serial_number="1",
        manufacturer="Peer",
        manufacturer_model_name="highdicom",
        software_versions="0.28",
    )
    outline = np.array([[0, 0, 1.5], [5, 0, 1.5], [5, 5, 1.5], [0, 0, 1.5]])
    groups: list[Any] = [
        PlanarROIMeasurementsAndQualitativeEvaluations(
            TrackingIdentifier("2.25.51", "ROI-1"),
            referenced_region=ImageRegion3D(
                hd.sr.GraphicTypeValues3D.POLYGON, outline, CT_FRAME_UID
            ),
            finding_type=codes.SCT.Mass,
            finding_sites=[FindingSite(codes.SCT.Maxilla, laterality=codes.SCT.Left)],
            measurements=[
                hd.sr.Measurement(codes.SCT.Area, 12.5, codes.UCUM.SquareMillimeter),
                hd.sr.Measurement(
                    CodedConcept(*ATTENUATION),
                    812.5,
                    codes.UCUM.HounsfieldUnit,
                    derivation=codes.SCT.Mean,
                ),
            ],
            qualitative_evaluations=[
                QualitativeEvaluation(
                    CodedConcept("T1", "99PEER", "Texture"),
                    CodedConcept("T2", "99PEER", "Rough"),
                )
            ],
        ),
        PlanarROIMeasurementsAndQualitativeEvaluations(
            TrackingIdentifier("2.25.52", "ROI-2"),
            referenced_region=ImageRegion(
                hd.sr.GraphicTypeValues.CIRCLE,
                np.array([[20.5, 20.5], [25.5, 20.5]]),
                SourceImageForRegion.from_source_image(headers[3]),
            ),
            finding_type=SEQUESTRUM,
        ),
        VolumetricROIMeasurementsAndQualitativeEvaluations(
            TrackingIdentifier("2.25.53", "SEQ-1"),
            referenced_segment=ReferencedSegment.from_segmentation(segmentation, 1),
            finding_type=SEQUESTRUM,
            measurements=[
                hd.sr.Measurement(codes.SCT.Volume, 43.2, codes.UCUM.CubicMillimeter)
            ],
        ),
        MeasurementsAndQualitativeEvaluations(
            TrackingIdentifier("2.25.54", "L1"),
            finding_type=CodedConcept("21947006", "SCT", "Compression fracture"),
            finding_sites=[FindingSite(codes.SCT.L1Vertebra)],
            measurements=[
                hd.sr.Measurement(codes.SCT.CobbAngle, 12.5, codes.UCUM.Degree)
            ],
        ),
    ]
    observer = hd.sr.ObserverContext(
        codes.DCM.Person, hd.sr.PersonObserverIdentifyingAttributes("Kim^Jo")
    )
    document = hd.sr.Comprehensive3DSR(
        [*headers, segmentation],
        MeasurementReport(
            hd.sr.ObservationContext(observer_person_context=observer),
            codes.LN.CTUnspecifiedBodyRegion,
            imaging_measurements=groups,
        ),
        hd.UID(),
        8,
        hd.UID(),
        1,
        manufacturer="Peer",
        manufacturer_model_name="highdicom",
        software_versions="0.28",
    )
    segmentation.save_as(folder / f"{segmentation.SOPInstanceUID}.dcm")
    document.save_as(folder / "report.dcm")
    return folder / "report.dcm", folder / f"{segmentation.SOPInstanceUID}.dcm"


def test_a_report_of_highdicom_is_read_with_all_its_groups(
    square_images: dict[str, Path], tmp_path: Path
) -> None:
    report, _ = _highdicom_report(square_images, tmp_path)
    # The segmentation beside the report is found by its UID.
    found = _read(report, images=square_images)
    outline, circle, mask, fracture = found.findings
    assert [one.tracking_uid for one in found.findings] == [
        f"2.25.{n}" for n in (51, 52, 53, 54)
    ]
    assert (outline.kind, outline.site, outline.laterality) == ("mass", "maxilla", "left")
    (line,) = outline.regions
    assert isinstance(line, Polyline)
    assert line.points[1] == (5.0, 0.0, 1.5)
    assert _values(outline) == {"area": (12.5, "mm2"), "mean_value": (812.5, "[hnsf'U]")}
    (round_one,) = circle.regions
    assert isinstance(round_one, Points)
    # Five pixels of 0.6 mm, wherever the plane lies.
    assert distance(*round_one.points) == pytest.approx(3.0, abs=SAME_POINT_MM)
    assert round_one.point_roles == ("centre", "on the circle")
    (voxels,) = mask.regions
    assert isinstance(voxels, Mask)
    assert int(voxels.voxels.sum()) == 150
    assert _values(mask) == {"volume": (43.2, "mm3")}
    assert (fracture.kind, fracture.site) == ("vcf", "l1")
    assert _values(fracture) == {"cobb_angle": (12.5, "deg")}
    assert [line.split(" / ")[-1] for line in found.not_understood] == [
        "Procedure reported: CODE CT unspecified body region (25045-6 LN)",
        "Texture: CODE Rough (T2 99PEER)",
    ]


# OHIF -----------------------------------------------------------------------------------


def _annotations(image: str, z: float) -> list[dict[str, Any]]:
    """Return what a reader drew in OHIF, in LPS mm."""
    drawn = {"image": image}
    bone = {
        "CodingSchemeDesignator": "SCT",
        "CodeValue": "4857006",
        "CodeMeaning": "Sequestrum",
    }
    return [
        drawn
        | {
            "tool": "Length",
            "points": [[-21.0, -24.0, z], [-16.2, -20.4, z]],
            "label": "PAL-1",
            "finding": bone,
            "stats": {"length": 6.0, "unit": "mm"},
        },
        drawn
        | {
            "tool": "Bidirectional",
            "points": [
                [-20.0, -15.0, z], [-12.0, -9.0, z], [-17.5, -10.0, z], [-14.5, -14.0, z]
            ],
            "label": "node",
            "stats": {"length": 10.0, "width": 5.0, "unit": "mm", "widthUnit": "mm"},
        },
        drawn
        | {
            "tool": "EllipticalROI",
            "points": [
                [-20.0, -15.0, z], [-12.0, -9.0, z], [-17.5, -10.0, z], [-14.5, -14.0, z]
            ],
            "label": "",
            "stats": {
                "area": 39.3,
                "mean": 612.5,
                "stdDev": 31.0,
                "max": 900,
                "min": 12,
                "areaUnit": "mm2",
                "modalityUnit": "HU",
            },
        },
        drawn | {"tool": "ArrowAnnotate", "points": [[-20.0, -15.0, z], [-12.0, -9.0, z]],
                 "label": "look here"},
        drawn | {"tool": "Probe", "points": [[-20.0, -15.0, z]], "label": "spot"},
    ]  # fmt: skip


def test_what_a_reader_drew_in_ohif_is_read(
    square_images: dict[str, Path], tmp_path: Path, adapters: Adapters
) -> None:
    image = f"{CT_SERIES_UID}.4"
    z = float(dcmread(square_images[image]).ImagePositionPatient[2])
    drawn = _annotations(image, z)
    report = adapters.write(tmp_path / "ohif.dcm", square_images, drawn)
    found = _read(report, images=square_images)
    by_label = {finding.label: finding for finding in found.findings}
    assert set(by_label) == {"PAL-1", "node", "EllipticalROI", "look here", "spot"}
    length = by_label["PAL-1"]
    assert length.kind == "sequestrum"
    (line,) = length.regions
    assert isinstance(line, Polyline)
    for point, truth in zip(line.points, drawn[0]["points"], strict=True):
        assert distance(point, truth) < SAME_POINT_MM
    assert line.source_instances == (image,)
    assert _values(length) == {"length": (6.0, "mm")}
    # Length and line agree, so nothing is flagged.
    assert all(isinstance(m, Measurement) and not m.flags for m in length.measurements)
    assert _values(by_label["node"]) == {
        "long_axis": (10.0, "mm"),
        "short_axis": (5.0, "mm"),
    }
    assert _values(by_label["EllipticalROI"])["mean_value"] == (612.5, "[hnsf'U]")
    assert _values(by_label["EllipticalROI"])["area"] == (39.3, "mm2")
    # An arrow and a spot measure nothing; the zeros that stand for it are listed.
    assert _values(by_label["look here"]) == _values(by_label["spot"]) == {}
    assert [line.split(" / ")[-1] for line in found.not_understood] == [
        "Procedure reported: CODE Imaging procedure (363679005 SCT)",
        "label: NUM 0 1",
        "Center: NUM 0 1",
    ]
    # Read into a record and exported again, it is the same length in OHIF.
    hydrated = adapters.hydrated(report, square_images)["Length"][0]
    assert hydrated["trackingUid"] == length.tracking_uid
    assert hydrated["points"] == [
        pytest.approx(point, abs=SAME_POINT_MM) for point in line.points
    ]


def test_without_the_images_ohifs_points_stay_on_them(
    square_images: dict[str, Path], tmp_path: Path, adapters: Adapters
) -> None:
    image = f"{CT_SERIES_UID}.4"
    z = float(dcmread(square_images[image]).ImagePositionPatient[2])
    drawn = _annotations(image, z)[:1]
    report = adapters.write(tmp_path / "ohif.dcm", square_images, drawn)
    (region,) = _read(report).findings[0].regions
    assert isinstance(region, ImagePoints)
    # The first voxel's centre, and ten pixels along its row: 6 mm of 0.6 mm.
    assert region.image_points[0] == pytest.approx((0.5, 0.5), abs=1e-4)
    assert region.image_points[1] == pytest.approx((10.5, 0.5), abs=1e-4)


def test_a_length_of_ohif_in_space_is_read_without_images(
    square_images: dict[str, Path], tmp_path: Path, adapters: Adapters
) -> None:
    drawn = _annotations(f"{CT_SERIES_UID}.4", 1.25)[:1]
    report = adapters.write(
        tmp_path / "ohif.dcm", square_images, drawn, three_dimensional=True
    )
    (finding,) = _read(report).findings
    (line,) = finding.regions
    assert isinstance(line, Polyline)
    assert line.frame_of_reference_uid == CT_FRAME_UID
    for point, truth in zip(line.points, drawn[0]["points"], strict=True):
        assert distance(point, truth) < SAME_POINT_MM
