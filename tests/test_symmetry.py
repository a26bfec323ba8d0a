"""Left against right: the plane, widths along the arch, volumes, the mirror."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.measurements import symmetry
from osteotrace.measurements.measurement import LesionReading, Measurement, NotMeasured
from osteotrace.measurements.symmetry_plane import SymmetryPlane, click_precision
from osteotrace.phantoms.in_memory import (
    FRAME_OF_REFERENCE_UID,
    as_volume,
    straight_grid,
    true_mask,
)
from osteotrace.phantoms.jaw_halves import JawHalves, photograph_jaw
from osteotrace.phantoms.shapes import ellipsoid
from osteotrace.regions import Mask, Points

JAW = JawHalves(offset=(0.2, -0.1, 0.3), correlation_fwhm_mm=(1.3, 1.6, 1.6))
VOLUME = photograph_jaw(JAW, seed=5)
LEFT, RIGHT = JAW.mask("left"), JAW.mask("right")
MIDLINE = np.array([[0.2, -80, 40], [0.2, 0, 60], [0.2, 30, 30], [0.2, -70, -5]])
PLANE = symmetry.plane_of_symmetry(MIDLINE, grid=VOLUME.grid)
AT = 45.0


def value(reading: Measurement | NotMeasured) -> Measurement:
    assert isinstance(reading, Measurement), str(reading)
    return reading


# The plane --------------------------------------------------------------------------


def _turned(yaw_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Return midline landmarks of a turned head and the true normal."""
    a = np.radians(yaw_deg)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return MIDLINE @ turn.T, turn @ [1.0, 0.0, 0.0]


def test_the_plane_of_a_turned_head_is_found_and_points_left() -> None:
    points, normal = _turned(12.0)
    plane = symmetry.plane_of_symmetry(points)
    np.testing.assert_allclose(plane.normal, normal, atol=1e-9)
    assert plane.residual_mm == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(plane.distance(points), 0.0, atol=1e-9)
    np.testing.assert_allclose(
        plane.mirrored(plane.mirrored([5.0, 6.0, 7.0])), [5, 6, 7], atol=1e-9
    )


def test_the_residual_says_how_far_landmarks_lie_off_their_plane() -> None:
    points = np.array([[3, 0, 0], [-3, 50, 0], [3, 50, 50], [-3, 0, 50.0]])
    assert symmetry.plane_of_symmetry(points).residual_mm == pytest.approx(3.0)


def test_three_landmarks_fit_any_plane_and_have_no_residual() -> None:
    assert np.isnan(symmetry.plane_of_symmetry(MIDLINE[:3]).residual_mm)


def test_a_click_is_half_a_voxel_uncertain_along_each_axis() -> None:
    np.testing.assert_allclose(click_precision(VOLUME.grid), [0.25, 0.25, 0.5])


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (MIDLINE[:2], "at least three"),
        ([[0, 0, 0], [0, 10, 0], [0, 20, 0]], "on one line"),
        ([[0, 0, 0], [30, 10, 0], [-30, 20, 0.0]], "leans 90"),
        ([[0, 0, 0], [0, np.nan, 0], [0, 20, 9]], "not finite"),
    ],
)
def test_landmarks_that_fix_no_sagittal_plane_are_refused(
    points: np.ndarray, words: str
) -> None:
    with pytest.raises(OsteotraceError, match=words):
        symmetry.plane_of_symmetry(points)


def test_landmarks_off_the_midline_are_refused_by_their_role() -> None:
    marks = Points(
        role="landmarks",
        points=((0.0, 0.0, 0.0), (0.0, 40.0, 0.0), (30.0, 0.0, 40.0)),
        point_roles=("nasion", "sella", "left gonion"),
        frame_of_reference_uid="2.25.1",
        source_instances=("2.25.5",),
    )
    with pytest.raises(OsteotraceError, match="left gonion"):
        symmetry.plane_of_symmetry(marks)


# Landmarks --------------------------------------------------------------------------


def test_landmarks_of_both_sides_differ_by_their_distance_from_the_plane() -> None:
    found = symmetry.landmark_asymmetry([45.2, 10, 0], [-39.8, 12, 3], PLANE)
    assert found.value == pytest.approx(5.0)
    details = {detail.name: detail.value for detail in found.details}
    assert details["from the mirrored right point"] == pytest.approx(np.sqrt(38.0))
    assert found.uncertainty is not None
    assert "growth" in found.definition


def test_the_uncertainty_of_landmarks_is_the_spread_of_repeated_clicks() -> None:
    generator = np.random.default_rng(1)
    click = np.array([0.4, 0.4, 0.8])
    plane = symmetry.plane_of_symmetry(MIDLINE, click_mm=click.tolist())
    left, right = np.array([45.2, 10, 0]), np.array([-39.8, 12, 3])
    first = symmetry.landmark_asymmetry(left, right, plane)
    again = []
    for _ in range(400):
        moved = symmetry.plane_of_symmetry(MIDLINE + generator.normal(0, click, (4, 3)))
        a, b = (p + generator.normal(0, click, 3) for p in (left, right))
        again.append(symmetry.landmark_asymmetry(a, b, moved).value)
    assert first.uncertainty == pytest.approx(np.std(again), rel=0.12)


def test_without_the_precision_of_clicks_there_is_no_uncertainty() -> None:
    plane = symmetry.plane_of_symmetry(MIDLINE)
    found = symmetry.landmark_asymmetry([45.2, 10, 0], [-39.8, 12, 3], plane)
    assert found.uncertainty is None
    assert "not stated" in found.uncertainty_reason


def test_swapped_landmarks_are_refused() -> None:
    with pytest.raises(OsteotraceError, match="swap the points"):
        symmetry.landmark_asymmetry([-40, 0, 0], [40, 0, 0], PLANE)


FRANKFORT = np.array([[60, 30, 0], [-60, 30, 0], [35, -55, 0], [-35, -55, 0.0]])


def test_point_a_behind_the_nasion_perpendicular_is_a_depression() -> None:
    reading = symmetry.premaxilla_depression(
        [0.2, -70, 30], [0.2, -66.5, -25], FRANKFORT, PLANE
    )
    found = value(reading.value)
    assert found.value == pytest.approx(3.5, abs=1e-6)
    assert found.uncertainty == pytest.approx(0.35, abs=0.2)


def test_a_depression_is_compared_with_a_prior_and_the_same_when_the_head_nods() -> None:
    a = np.radians(15)
    nod = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    nasion, a_point = np.array([0.2, -70, 30]), np.array([0.2, -66.5, -25])
    first = symmetry.premaxilla_depression(nasion, a_point, FRANKFORT, PLANE)
    prior = value(first.value)
    again = symmetry.premaxilla_depression(
        nod @ nasion, nod @ a_point, FRANKFORT @ nod.T, PLANE, prior=prior
    )
    details = {detail.name: detail.value for detail in value(again.value).details}
    assert details["change from prior"] == pytest.approx(0.0, abs=1e-6)
    own = value(again.value).uncertainty
    assert own is not None
    assert details["u change from prior"] > own


def test_no_frankfort_plane_no_depression() -> None:
    line = np.array([[60, 30, 0], [0, 30, 0], [-60, 30, 0.0]])
    reading = symmetry.premaxilla_depression([0, -70, 30], [0, -66, -25], line, PLANE)
    assert "one line" in str(reading.value)


# Widths and volumes -----------------------------------------------------------------


@pytest.fixture(scope="module")
def reading() -> LesionReading:
    return symmetry.expansion(VOLUME, LEFT, RIGHT, plane=PLANE, at=AT)


def test_widths_of_both_sides_are_true_below_the_voxel(
    reading: LesionReading,
) -> None:
    for name, truth in zip(
        ("bone_width_left", "bone_width_right"), JAW.widths(), strict=True
    ):
        found = value(reading[name])
        assert found.value == pytest.approx(truth, abs=0.12)
        assert found.uncertainty is not None
        assert abs(found.value - truth) < 3 * found.uncertainty
        assert not found.flags


def test_the_index_is_the_difference_over_the_mean(
    reading: LesionReading,
) -> None:
    left, right = JAW.widths()
    assert reading.value.name == "asymmetry_index"
    found = value(reading.value)
    assert found.value == pytest.approx(200 * (left - right) / (left + right), abs=1.0)
    sides = [value(reading[f"bone_width_{s}"]) for s in ("left", "right")]
    step, moved = 1e-4, []
    for k in range(2):
        pair = [s.value + (step if j == k else 0) for j, s in enumerate(sides)]
        change = 200 * (pair[0] - pair[1]) / sum(pair) - found.value
        moved.append(change / step * (sides[k].uncertainty or 0))
    assert found.uncertainty == pytest.approx(float(np.linalg.norm(moved)), rel=1e-3)


def test_volumes_of_both_sides_and_their_index(reading: LesionReading) -> None:
    truth = {side: JAW.volume_mm3(side) for side in ("left", "right")}
    for side, volume in truth.items():
        assert value(reading[f"bone_volume_{side}"]).value == pytest.approx(
            volume, rel=0.01
        )
    index = 200 * (truth["left"] - truth["right"]) / (truth["left"] + truth["right"])
    assert value(reading["asymmetry_index_volume"]).value == pytest.approx(index, abs=1.0)


def test_equal_sides_have_an_index_of_nothing() -> None:
    even = replace(JAW, expansion_mm=0.0)
    found = value(
        symmetry.expansion(
            photograph_jaw(even),
            even.mask("left"),
            even.mask("right"),
            plane=PLANE,
            at=AT,
        ).value
    )
    low, high = found.interval95 or (1, 1)
    assert low < 0 < high


def test_without_a_plane_the_middle_between_the_sides_stands_in_and_says_so() -> None:
    found = value(symmetry.expansion(VOLUME, LEFT, RIGHT, at=AT)["bone_width_right"])
    assert found.value == pytest.approx(JAW.width_mm, abs=0.12)
    assert any("no plane of symmetry" in flag for flag in found.flags)


def test_a_place_beyond_the_arch_is_not_measured() -> None:
    found = symmetry.expansion(VOLUME, LEFT, RIGHT, plane=PLANE, at=200.0)
    assert "no section 200 mm" in str(found["bone_width_left"])
    assert isinstance(found.value, NotMeasured)
    assert isinstance(found["bone_volume_left"], Measurement)


def test_thick_slices_are_flagged() -> None:
    thick = replace(JAW, spacing=(3.0, 0.8, 0.8))
    found = symmetry.expansion(
        photograph_jaw(thick), thick.mask("left"), thick.mask("right"), plane=PLANE
    )
    flags = value(found["bone_volume_left"]).flags
    assert any("slices of 3.0 mm" in flag for flag in flags)


def test_swapped_overlapping_or_foreign_masks_are_refused() -> None:
    with pytest.raises(OsteotraceError, match="swap the masks"):
        symmetry.expansion(VOLUME, RIGHT, LEFT, plane=PLANE)
    with pytest.raises(OsteotraceError, match="share"):
        symmetry.expansion(VOLUME, LEFT, LEFT, plane=PLANE)
    other = Mask.of(
        RIGHT.on(VOLUME.grid), VOLUME.grid, role="right", frame_of_reference_uid="2.25.8"
    )
    with pytest.raises(OsteotraceError, match="another frame of reference"):
        symmetry.expansion(VOLUME, LEFT, other, plane=PLANE)
    with pytest.raises(OsteotraceError, match="at=-3"):
        symmetry.expansion(VOLUME, LEFT, RIGHT, plane=PLANE, at=-3.0)


def test_metal_in_the_bone_is_flagged() -> None:
    values = VOLUME.rescaled()
    k, row, column = np.argwhere(RIGHT.on(VOLUME.grid))[4000]
    values[k, row, column] = 3071
    metal = as_volume(values, VOLUME.grid)
    found = symmetry.expansion(metal, LEFT, RIGHT, plane=PLANE)
    assert any("metal" in f for f in value(found["bone_volume_right"]).flags)


# The mirror -------------------------------------------------------------------------


def _balls(radius_left: float) -> tuple[LesionReading, SymmetryPlane]:
    grid = straight_grid((80.0, 40.0, 40.0), (1.0, 0.8, 0.8), centre=(0.0, 0.0, 0.0))
    volume = as_volume(np.zeros(grid.shape), grid)
    plane = symmetry.plane_of_symmetry(
        np.array([[0, -40, 0], [0, 40, 0], [0, 0, 40.0]]), grid=grid
    )
    left = true_mask(ellipsoid((20.0, 0.3, 0.1), (radius_left,) * 3), grid)
    right = true_mask(ellipsoid((-20.0, 0.3, 0.1), (10.0,) * 3), grid)
    return symmetry.mirror_distance(volume, left, right, plane), plane


@pytest.mark.parametrize("expansion", [0.0, 1.0, 3.0])
def test_a_ball_and_its_larger_mirror_image_lie_apart_by_the_expansion(
    expansion: float,
) -> None:
    found = value(_balls(10.0 + expansion)[0].value)
    assert found.uncertainty is not None
    assert found.value == pytest.approx(expansion, abs=1.96 * found.uncertainty)
    assert found.uncertainty < 0.5


def test_a_mask_of_one_voxel_has_no_surface_to_mirror() -> None:
    one = np.zeros(VOLUME.grid.shape, dtype=bool)
    one[20, 60, 20] = True
    tiny = Mask.of(
        one, VOLUME.grid, role="right", frame_of_reference_uid=FRAME_OF_REFERENCE_UID
    )
    reading = symmetry.mirror_distance(VOLUME, LEFT, tiny, PLANE)
    assert "too small" in str(reading.value)


def test_the_same_input_gives_the_same_reading(reading: LesionReading) -> None:
    assert reading == symmetry.expansion(VOLUME, LEFT, RIGHT, plane=PLANE, at=AT)
