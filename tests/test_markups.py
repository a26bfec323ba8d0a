"""Markups of 3D Slicer, read into findings, and what osteotrace exports, back again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.assessments import assessment, caliper_finding, ct_image
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID, STUDY_UID

import osteotrace as ot
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, check, from_json, to_json
from osteotrace.geometry import distance
from osteotrace.measurements.measurement import Measurement
from osteotrace.records import slicer_markups
from osteotrace.regions import Points, Polyline
from osteotrace.reports.markups import to_markups

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.findings import Finding
    from osteotrace.regions import Region
    from osteotrace.volume import Volume

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)


def _point(*position: float, label: str = "", **more: Any) -> dict[str, Any]:
    return {"id": "1", "label": label, "position": list(position), **more}


def _markup(kind: str, *points: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "name": "L", "controlPoints": list(points), **more}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Assessment]:
    """Return what saves markups and reads them."""

    def saved_and_read(*markups: object, **how: Any) -> Assessment:
        file = tmp_path / "L.mrk.json"
        file.write_text(json.dumps({"@schema": SCHEMA, "markups": list(markups)}))
        found = slicer_markups.read(file, **how)
        check(found)
        assert from_json(to_json(found), Assessment) == found
        return found

    return saved_and_read


@pytest.fixture(scope="module")
def volume(small_study: Path) -> Volume:
    return ot.load(small_study / "ct")


def _region(found: Assessment) -> Region:
    (finding,) = found.findings
    (region,) = finding.regions
    return region


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"coordinateSystem": "LPS"}, (1.0, 2.0, 3.0)),
        ({"coordinateSystem": "RAS"}, (-1.0, -2.0, 3.0)),
        # Early files have numbers; the schema means LPS where nothing is stated.
        ({"coordinateSystem": 0}, (-1.0, -2.0, 3.0)),
        ({"coordinateSystem": "1"}, (1.0, 2.0, 3.0)),
        ({}, (1.0, 2.0, 3.0)),
        ({"coordinateUnits": "mm"}, (1.0, 2.0, 3.0)),
        ({"coordinateUnits": ["mm", "UCUM", "millimeter"]}, (1.0, 2.0, 3.0)),
        ({"coordinateUnits": "cm"}, (10.0, 20.0, 30.0)),
    ],
)
def test_points_come_in_patient_lps_mm(
    read: Callable[..., Assessment],
    space: dict[str, Any],
    expected: tuple[float, float, float],
) -> None:
    region = _region(read(_markup("Fiducial", _point(1, 2, 3), **space)))
    assert isinstance(region, Points)
    assert region.points == (expected,)


@pytest.mark.parametrize(
    "space", [{"coordinateSystem": "IJK"}, {"coordinateUnits": "px"}]
)
def test_an_unknown_space_or_unit_is_refused(
    read: Callable[..., Assessment], space: dict[str, Any]
) -> None:
    with pytest.raises(
        OsteotraceError, match=r"found markup 1 L in .*expected RAS or LPS"
    ):
        read(_markup("Fiducial", _point(1, 2, 3), **space))


def test_a_line_is_a_line_with_the_length_that_slicer_reports(
    read: Callable[..., Assessment],
) -> None:
    length = {"name": "length", "enabled": True, "value": 5.0, "units": "mm"}
    ends = (_point(0, 0, 0), _point(3, 4, 0))
    found = read(_markup("Line", *ends, measurements=[length]))
    (finding,) = found.findings
    (region,) = finding.regions
    assert isinstance(region, Polyline)
    assert distance(*region.points) == 5.0
    (value,) = finding.measurements
    assert isinstance(value, Measurement)
    assert (value.name, value.value, value.unit) == ("length", 5.0, "mm")
    assert value.method.name == "as reported by 3D Slicer"
    assert value.uncertainty_reason == "not stated by 3D Slicer"
    assert value.flags == ()
    assert (finding.label, finding.kind, finding.site) == ("L", "region", "unspecified")


def test_a_length_that_the_points_contradict_is_flagged(
    read: Callable[..., Assessment],
) -> None:
    length = {"name": "length", "enabled": True, "value": 6.0, "units": "mm"}
    found = read(_markup("Line", _point(0, 0, 0), _point(3, 4, 0), measurements=[length]))
    (value,) = found.findings[0].measurements
    assert isinstance(value, Measurement)
    assert value.flags == ("the line is 5.00 mm long, 6.00 mm are stated",)


def test_a_measurement_that_is_not_known_is_listed(
    read: Callable[..., Assessment],
) -> None:
    stated = [
        {"name": "curvature mean", "enabled": True, "value": 0.5, "units": "mm-1"},
        {"name": "torsion", "enabled": False, "value": 0.1, "units": "mm-1"},
        {"name": "area", "enabled": True, "value": None},
    ]
    found = read(_markup("Curve", _point(0, 0, 0), _point(1, 0, 0), measurements=stated))
    assert found.findings[0].measurements == ()
    assert found.not_understood == ("markup 1 L / curvature mean: 0.5 mm-1",)


@pytest.mark.parametrize(
    ("kind", "name", "unit"),
    [("Line", "length", "deg"), ("Line", "length", "mm2"), ("Curve", "length", "deg")],
)
def test_a_length_that_is_no_length_is_listed_and_the_rest_is_read(
    read: Callable[..., Assessment], kind: str, name: str, unit: str
) -> None:
    stated = [{"name": name, "enabled": True, "value": 5.0, "units": unit}]
    ends = (_point(0, 0, 0), _point(3, 4, 0))
    found = read(_markup(kind, *ends, measurements=stated), _markup("Line", *ends))
    assert [one.measurements for one in found.findings] == [(), ()]
    assert found.not_understood == (f"markup 1 L / {name}: 5 {unit}",)


def test_an_angle_in_millimetres_is_listed(read: Callable[..., Assessment]) -> None:
    stated = [{"name": "angle", "enabled": True, "value": 5.0, "units": "mm"}]
    ends = (_point(0, 0, 1), _point(0, 0, 0), _point(0, 1, 0))
    found = read(_markup("Angle", *ends, measurements=stated))
    assert found.findings[0].measurements == ()
    assert found.not_understood == ("markup 1 L / angle: 5 mm",)


def test_several_markups_are_several_findings(read: Callable[..., Assessment]) -> None:
    found = read(
        _markup("Curve", _point(0, 0, 0), _point(1, 0, 0), _point(2, 1, 0)),
        _markup("ClosedCurve", _point(0, 0, 0), _point(1, 0, 0), _point(0, 1, 0)),
        _markup("Fiducial", _point(5, 5, 5, label="F-1"), _point(6, 6, 6)),
        _markup("Angle", _point(0, 0, 1), _point(0, 0, 0), _point(0, 1, 0)),
    )
    curve, closed, fiducial, angle = (finding.regions[0] for finding in found.findings)
    assert isinstance(curve, Polyline)
    assert len(curve.points) == 3
    assert isinstance(closed, Polyline)
    assert closed.points[0] == closed.points[-1]
    assert isinstance(fiducial, Points)
    assert fiducial.point_roles == ("F-1", "point 2")
    assert isinstance(angle, Points)
    assert len({finding.tracking_uid for finding in found.findings}) == 4


def test_points_that_were_never_placed_are_listed_and_hidden_ones_count(
    read: Callable[..., Assessment],
) -> None:
    found = read(
        _markup(
            "Fiducial",
            _point(1, 2, 3, label="set", locked=True, visibility=False),
            _point(4, 5, 6, label="preview", positionStatus="preview"),
            _point(0, 0, 0, label="unset", positionStatus="undefined"),
            {"label": "nowhere"},
            locked=True,
        )
    )
    region = _region(found)
    assert isinstance(region, Points)
    assert region.point_roles == ("set",)
    assert found.not_understood == (
        "markup 1 L: the point preview is preview",
        "markup 1 L: the point unset is undefined",
        "markup 1 L: the point nowhere is defined",
    )


def test_what_is_no_point_and_no_line_is_listed(
    read: Callable[..., Assessment],
) -> None:
    found = read(
        _markup("ROI", _point(0, 0, 0), center=[0, 0, 0], size=[5, 5, 5]),
        _markup("Fiducial"),
        _markup("Plane", _point(1, 1, 1), normal=[0, 0, 1]),
        # With one end left it is a point.
        _markup("Line", _point(0, 0, 0), _point(0, 0, 0, positionStatus="undefined")),
    )
    assert len(found.findings) == 2
    assert all(isinstance(one.regions[0], Points) for one in found.findings)
    assert found.not_understood == (
        "markup 1 L: of the type ROI",
        "markup 2 L: without a point that was placed",
        "markup 3 L: the normal [0, 0, 1]",
        "markup 4 L: the point point 2 is undefined",
    )


def test_the_volume_gives_frame_study_and_images(
    read: Callable[..., Assessment], volume: Volume
) -> None:
    low, high = volume.grid.origins[[4, 6]].tolist()
    inside = [(x + 5, y + 5, z) for x, y, z in (low, high)]
    found = read(_markup("Line", *(_point(*p) for p in inside)), like=volume)
    assert found.study_uid == STUDY_UID
    assert found.series[0].series_uid == CT_SERIES_UID
    (finding,) = found.findings
    assert finding.series_uid == CT_SERIES_UID
    assert finding.regions[0].frame_of_reference_uid == CT_FRAME_UID
    assert finding.regions[0].source_instances == tuple(ct_image(n) for n in (5, 6, 7))


def test_without_the_volume_the_frame_of_reference_is_empty(
    read: Callable[..., Assessment],
) -> None:
    found = read(_markup("Fiducial", _point(1, 2, 3)))
    assert _region(found).frame_of_reference_uid == ""
    assert (found.study_uid, found.series) == ("", ())


# Out and in again ----------------------------------------------------------------------


def _places(finding: Finding) -> dict[str, tuple[object, ...]]:
    """Return what a markup can carry of a finding's regions."""
    return {
        region.role: (region.points, getattr(region, "point_roles", ()))
        for region in finding.regions
        if isinstance(region, Points | Polyline)
    }


def test_exported_findings_come_back_with_label_roles_and_points(
    tmp_path: Path, volume: Volume
) -> None:
    points = Points(
        role="corners (six)",
        points=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
        point_roles=("anterior", "posterior"),
        frame_of_reference_uid=CT_FRAME_UID,
        source_instances=(ct_image(11),),
    )
    other = msgspec.structs.replace(
        caliper_finding(), label="VERT (L1)", tracking_uid="2.25.5", regions=(points,)
    )
    reading = assessment(caliper_finding(), other)
    file = tmp_path / "record.mrk.json"
    file.write_text(to_markups(reading))
    back = slicer_markups.read(file, like=volume)
    assert back.findings[0].label == "PAL-1"
    assert _places(back.findings[0]) == _places(reading.findings[0])
    assert back.findings[1].regions[0].frame_of_reference_uid == CT_FRAME_UID
    assert list(_places(back.findings[1]).values()) == list(_places(other).values())
    assert back.not_understood == ()
    assert "12.07 ± 0.02 mm" in back.findings[0].note
    assert "Research use only" not in back.findings[0].note


def test_read_tells_markups_from_an_assessment(tmp_path: Path) -> None:
    markups, record = tmp_path / "a.mrk.json", tmp_path / "b.json"
    markups.write_text(to_markups(assessment(caliper_finding())))
    ot.save(assessment(caliper_finding()), record)
    assert ot.read(markups).software == "3D Slicer"
    assert ot.read(record) == assessment(caliper_finding())


# Damage --------------------------------------------------------------------------------


# Python reads whole numbers of any size, which no float holds.
HUGE = "9" * 400
HUGE_POSITION = (
    '{"markups": [{"type": "Line", "controlPoints": [{"position": [1, 2, '
    + HUGE
    + "]}]}]}"
)
HUGE_LENGTH = (
    '{"markups": [{"type": "Line", "controlPoints": [{"position": [1, 2, 3]}], '
    '"measurements": [{"name": "length", "value": ' + HUGE + "}]}]}"
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"markups": {}}',
        '{"markups": [1]}',
        '{"markups": [{"name": "no type"}]}',
        '{"markups": [{"type": "Line", "controlPoints": [{"position": [1, 2]}]}]}',
        '{"markups": [{"type": "Line", "controlPoints": [{"position": "1 2 3"}]}]}',
        '{"markups": [{"type": "Line", "controlPoints": [{"position": [1, 2, NaN]}]}]}',
        '{"markups": [{"type": "Line", "controlPoints": [{"position": [1, 2, 1e999]}]}]}',
        '{"markups": [{"type": "Line", "controlPoints": 7}]}',
        HUGE_POSITION,
        HUGE_LENGTH,
        '{"markups": ' + "[" * 100_000,
        "\x00\x01",
    ],
)
def test_damaged_markups_are_refused_with_one_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.mrk.json"
    file.write_text(text)
    with pytest.raises(OsteotraceError) as caught:
        slicer_markups.read(file)
    assert caught.value.where == str(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OsteotraceError, match="cannot be read"):
        slicer_markups.read(tmp_path / "none.mrk.json")
