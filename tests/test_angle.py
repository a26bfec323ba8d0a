"""Angles of marked points and lines: their value, their sign and what placing costs."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fixtures.small_study import CT_FRAME_UID

import osteotrace as ot
from osteotrace import protocol, series
from osteotrace.geometry import as_stored
from osteotrace.measurements import angle
from osteotrace.measurements.measurement import LesionReading, Measurement
from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.records import sr
from osteotrace.regions import Polyline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.errors import OsteotraceError
    from osteotrace.geometry import Array, Grid

    Refusal = Callable[[Callable[[], object]], OsteotraceError]

NOW = datetime.datetime(2024, 5, 1, 10, 30)
MIDDLE = np.array([3.0, -20.0, 50.0])


def grid_of(spacing: tuple[float, float, float] = (0.8, 0.5, 0.6)) -> Grid:
    return straight_grid((120.0, 120.0, 120.0), spacing, centre=MIDDLE.tolist())


VOLUME = as_volume(np.zeros(grid_of().shape), grid_of())


def value(reading: LesionReading) -> Measurement:
    assert isinstance(reading.value, Measurement)
    return reading.value


def turned(degrees: float, *, across: Array, towards: Array) -> Array:
    """Return a direction at an angle from one axis towards another."""
    turn = np.radians(degrees)
    return np.asarray(np.cos(turn) * across + np.sin(turn) * towards)


LEFT, BACK, UP = np.eye(3)


@pytest.mark.parametrize("degrees", [0.0, 12.5, 90.0, 151.0, 180.0])
def test_three_points_make_the_angle_at_the_vertex(degrees: float) -> None:
    one = turned(20.0, across=LEFT, towards=UP)
    other = turned(20.0 + degrees, across=LEFT, towards=UP)
    reading = angle.between_arms(VOLUME, MIDDLE + 25 * one, MIDDLE, MIDDLE + 40 * other)
    found = value(reading)
    assert found.name == "angle"
    assert found.unit == "deg"
    assert found.value == pytest.approx(degrees, abs=1e-4)
    (line,) = reading.regions
    assert isinstance(line, Polyline)
    assert line.points[1] == as_stored(MIDDLE)
    assert found.sources == line.source_instances
    assert found.sources


@pytest.mark.parametrize("arms_mm", [(15.0, 15.0), (30.0, 60.0)])
@pytest.mark.parametrize("degrees", [35.0, 110.0])
def test_u_is_the_spread_of_angles_of_points_placed_anew(
    arms_mm: tuple[float, float], degrees: float
) -> None:
    other = turned(degrees, across=LEFT, towards=BACK)
    points = np.array([MIDDLE + arms_mm[0] * LEFT, MIDDLE, MIDDLE + arms_mm[1] * other])
    told = value(angle.between_arms(VOLUME, *points))
    noise = np.random.default_rng(1)
    voxel = np.array([0.6, 0.5, 0.8])
    again = []
    for _ in range(2000):
        moved = points + noise.normal(0.0, angle.PLACED_MM, points.shape)
        moved += voxel * noise.uniform(-0.5, 0.5, points.shape)
        again.append(value(angle.between_arms(VOLUME, *moved)).value)
    assert told.uncertainty == pytest.approx(np.std(again), rel=0.1)


def test_u_of_two_lines_is_the_spread_of_lines_placed_anew() -> None:
    upper = MIDDLE + np.array([-15 * BACK, 15 * BACK]) + 10 * UP
    slope = turned(-25.0, across=BACK, towards=UP)
    lower = MIDDLE + np.array([-12 * slope, 20 * slope]) - 10 * UP
    told = value(_kyphosis(upper, lower))
    noise = np.random.default_rng(2)
    voxel = np.array([0.6, 0.5, 0.8])

    def placed(line: Array) -> Array:
        moved = line + noise.normal(0.0, angle.PLACED_MM, line.shape)
        return np.asarray(moved + voxel * noise.uniform(-0.5, 0.5, line.shape))

    again = [value(_kyphosis(placed(upper), placed(lower))).value for _ in range(2000)]
    assert told.uncertainty == pytest.approx(np.std(again), rel=0.1)
    assert told.value == pytest.approx(25.0, abs=1e-4)


def test_two_endplates_repeat_as_published() -> None:
    # 42 to 98 % of repeated kyphoses lie within 5 degrees of each other.
    line = np.array([-15 * BACK, 15 * BACK])
    u = value(_kyphosis(MIDDLE + line + 10 * UP, MIDDLE + line - 10 * UP)).uncertainty
    assert u == pytest.approx(2.7, abs=0.2)


def _kyphosis(first: Array, second: Array, name: str = "local_kyphosis") -> LesionReading:
    return angle.between_lines(
        VOLUME, (first[0], first[1]), (second[0], second[1]), quantity=name
    )


@pytest.mark.parametrize("degrees", [-40.0, -3.0, 8.0, 95.0])
@pytest.mark.parametrize("flipped", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("upper_first", [True, False])
def test_lines_that_meet_in_front_are_a_kyphosis_however_they_are_drawn(
    degrees: float, flipped: tuple[bool, bool], upper_first: bool
) -> None:
    # The upper endplate falls towards the front where the front is lower.
    lines = [
        MIDDLE + height * UP + np.array([-15, 15])[:, None] * way
        for height, way in (
            (15.0, turned(degrees / 2, across=BACK, towards=UP)),
            (-15.0, turned(-degrees / 2, across=BACK, towards=UP)),
        )
    ]
    drawn = [
        line[::-1] if flip else line for line, flip in zip(lines, flipped, strict=True)
    ]
    first, second = drawn if upper_first else drawn[::-1]
    assert value(_kyphosis(first, second)).value == pytest.approx(degrees, abs=1e-4)


def test_lines_without_direction_make_at_most_a_right_angle() -> None:
    one = MIDDLE + np.array([-15 * LEFT, 15 * LEFT])
    way = turned(120.0, across=LEFT, towards=UP)
    other = MIDDLE + np.array([-15 * way, 15 * way])
    for name in ("angle", "cobb_angle"):
        assert value(_kyphosis(one, other, name)).value == pytest.approx(60.0, abs=1e-4)


def test_a_kyphosis_is_not_read_from_lines_that_run_to_the_side(refusal: Refusal) -> None:
    one = MIDDLE + np.array([-15 * LEFT, 15 * LEFT])
    other = MIDDLE + np.array([-15 * BACK, 15 * BACK])
    error = refusal(lambda: _kyphosis(one, other))
    assert "front to back" in error.found
    assert error.usage


def test_an_interval_ends_where_angles_end() -> None:
    flat = value(angle.between_arms(VOLUME, MIDDLE - 9 * BACK, MIDDLE, MIDDLE + 9 * BACK))
    assert flat.value == pytest.approx(180.0)
    assert flat.interval95 is not None
    assert flat.interval95[1] == 180.0
    assert flat.interval95[0] < 170.0


def test_an_arm_across_thick_slices_is_less_certain() -> None:
    thick = as_volume(np.zeros(grid_of((5.0, 0.5, 0.6)).shape), grid_of((5.0, 0.5, 0.6)))
    points = (MIDDLE + 30 * BACK, MIDDLE, MIDDLE + 30 * UP)
    u = [value(angle.between_arms(v, *points)).uncertainty for v in (VOLUME, thick)]
    assert u[0] is not None
    assert u[1] is not None
    assert u[1] > 1.3 * u[0]
    in_slice = (MIDDLE + 30 * BACK, MIDDLE, MIDDLE + 30 * LEFT)
    u = [value(angle.between_arms(v, *in_slice)).uncertainty for v in (VOLUME, thick)]
    assert u[0] == pytest.approx(u[1])


def test_what_was_done_to_the_voxels_and_wide_gaps_stand_as_flags() -> None:
    noted = replace(VOLUME, notes=("rectified",))
    points = (MIDDLE + 30 * BACK, MIDDLE, MIDDLE + 30 * UP)
    assert value(angle.between_arms(noted, *points)).flags == ("rectified",)


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (MIDDLE + 2 * UP, "a second arm of 2.0 mm"),
        (MIDDLE + 200 * UP, "outside the volume"),
        (np.array([np.nan, 0, 0]), "the end point"),
    ],
)
def test_arms_that_have_no_direction_are_refused(
    end: Array, found: str, refusal: Refusal
) -> None:
    error = refusal(lambda: angle.between_arms(VOLUME, MIDDLE + 20 * BACK, MIDDLE, end))
    assert found in error.found
    assert error.usage


# Through a protocol and a record --------------------------------------------------------

PROTOCOL = f"""\
name = "angles"

[[angle]]
label = "ANGLE-1"
modality = "CT"
frame_of_reference_uid = "{CT_FRAME_UID}"
start = [-6.0, 0.0, 0.0]
vertex = [0.0, 0.0, 0.0]
end = [0.0, 8.0, 0.0]

[[angle]]
label = "KYPH-1"
quantity = "local_kyphosis"
modality = "CT"
frame_of_reference_uid = "{CT_FRAME_UID}"
first_start = [0.0, -8.0, 3.0]
first_end = [0.0, 8.0, 5.0]
second_start = [0.0, -8.0, -2.0]
second_end = [0.0, 8.0, -4.0]

[[angle]]
label = "OUT-1"
modality = "CT"
frame_of_reference_uid = "{CT_FRAME_UID}"
start = [-600.0, 0.0, 0.0]
vertex = [0.0, 0.0, 0.0]
end = [0.0, 8.0, 0.0]
"""


def test_a_protocol_s_angles_are_those_of_the_library_and_a_record_keeps_them(
    small_study: Path, tmp_path: Path
) -> None:
    file = tmp_path / "angles.toml"
    file.write_text(PROTOCOL)
    assessment = ot.measure(small_study, protocol.read(file), now=NOW)
    three, lines, outside = assessment.findings
    volume = ot.load(small_study / "ct")
    direct = angle.between_arms(volume, (-6, 0, 0), (0, 0, 0), (0, 8, 0))
    assert three.measurements == direct.measurements
    assert three.regions == direct.regions
    (kyphosis,) = lines.measurements
    assert isinstance(kyphosis, Measurement)
    assert kyphosis.name == "local_kyphosis"
    assert kyphosis.value == pytest.approx(2 * np.degrees(np.arctan(1 / 8)), abs=1e-5)
    assert not isinstance(outside.measurements[0], Measurement)
    catalogue = series.scan(small_study)
    written = sr.write(assessment, catalogue, tmp_path / "records", now=NOW)
    assert sr.read(written) == assessment
