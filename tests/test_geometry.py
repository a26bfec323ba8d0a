"""Indices (slice, row, column) and patient LPS mm are the same place, either way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fixtures.synthetic import OBLIQUE_COLUMN, OBLIQUE_ROW

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid

ORIGIN = np.array([-30.0, -12.5, 41.0])
NORMAL = np.cross(OBLIQUE_ROW, OBLIQUE_COLUMN)


def grid(**changes: Any) -> Grid:
    heights = changes.pop("heights", [0.0, 0.6, 1.2, 1.8])
    shear = changes.pop("shear", 0.0)
    steps = np.array(heights)[:, None] * (NORMAL + shear * np.array(OBLIQUE_COLUMN))
    parts: dict[str, Any] = {
        "row_direction": OBLIQUE_ROW,
        "column_direction": OBLIQUE_COLUMN,
        "pixel_spacing": (0.45, 0.4),
        "origins": ORIGIN + steps,
        "rows": 6,
        "columns": 7,
    }
    return Grid(**parts | changes)


def test_index_zero_is_the_image_position_of_the_first_slice() -> None:
    assert grid().to_patient([0, 0, 0]) == pytest.approx(ORIGIN)


def test_a_column_step_follows_the_first_three_cosines_by_the_second_spacing() -> None:
    step = grid().to_patient([0, 0, 1]) - ORIGIN
    assert step == pytest.approx(0.4 * np.array(OBLIQUE_ROW))


def test_a_row_step_follows_the_last_three_cosines_by_the_first_spacing() -> None:
    step = grid().to_patient([0, 1, 0]) - ORIGIN
    assert step == pytest.approx(0.45 * np.array(OBLIQUE_COLUMN))


def test_a_slice_step_follows_the_origins_not_a_thickness() -> None:
    sheared = grid(shear=0.25)
    step = sheared.to_patient([2, 0, 0]) - ORIGIN
    assert step == pytest.approx(1.2 * (NORMAL + 0.25 * np.array(OBLIQUE_COLUMN)))


@pytest.mark.parametrize(
    "made",
    [
        grid(),
        grid(shear=0.25),
        grid(heights=[0.0, 0.6, 1.9, 2.5], shear=-0.1),
        grid(heights=[0.3]),
    ],
    ids=["regular", "tilted", "uneven and tilted", "single slice"],
)
def test_to_index_undoes_to_patient_inside_and_outside(made: Grid) -> None:
    index = np.random.default_rng(3).uniform(-3, 9, (200, 3))
    assert made.to_index(made.to_patient(index)) == pytest.approx(index, abs=1e-9)


def test_the_affine_agrees_with_to_patient_on_a_tilted_stack() -> None:
    tilted = grid(shear=0.25)
    index = np.array([2.0, 3.0, 5.0])
    assert (tilted.affine() @ [*index, 1])[:3] == pytest.approx(tilted.to_patient(index))


def test_unevenly_spaced_slices_have_no_affine() -> None:
    with pytest.raises(OsteotraceError, match="unevenly spaced"):
        grid(heights=[0.0, 0.6, 1.9, 2.5]).affine()


def test_small_errors_of_the_gaps_that_add_up_leave_no_affine() -> None:
    gaps = np.repeat([0.5 * 1.0049, 0.5 * 0.9951], 100)
    made = grid(heights=[0.0, *np.cumsum(gaps)])
    assert made.unevenness_mm == pytest.approx(0.245, abs=0.001)
    with pytest.raises(OsteotraceError, match="unevenly spaced"):
        made.affine()


def test_slices_shifted_to_and_fro_in_their_plane_have_no_affine() -> None:
    shift = np.array([0.0, 0.06, 0.0, 0.06, 0.0])[:, None] * np.array(OBLIQUE_ROW)
    straight = grid(heights=[0.0, 0.6, 1.2, 1.8, 2.4])
    with pytest.raises(OsteotraceError, match="unevenly spaced"):
        grid(origins=straight.origins + shift).affine()


def test_positions_rounded_to_a_hundredth_of_a_millimetre_are_even() -> None:
    made = grid(heights=np.round(4 / 3 * np.arange(200), 2))
    index = np.array([199.0, 3.0, 5.0])
    place = (made.affine() @ [*index, 1])[:3]
    assert place == pytest.approx(made.to_patient(index), abs=geometry.EVENNESS_MM)


def test_contains_reaches_half_a_voxel_beyond_the_outermost_centres() -> None:
    made = grid()
    inside = made.to_patient([[-0.49, -0.49, -0.49], [3.49, 5.49, 6.49]])
    outside = made.to_patient([[-0.51, 0, 0], [0, 5.51, 0], [0, 0, 6.51]])
    assert made.contains(inside).all()
    assert not made.contains(outside).any()


def test_the_tilt_is_signed_about_the_row_direction() -> None:
    assert grid(shear=0.25).tilt_deg == pytest.approx(np.degrees(np.arctan(0.25)))
    assert grid(shear=-0.25).tilt_deg == pytest.approx(-np.degrees(np.arctan(0.25)))
    assert grid().tilt_deg == pytest.approx(0.0, abs=1e-9)


def test_spacing_is_slice_row_column_and_unknown_across_a_single_slice() -> None:
    assert grid().spacing == pytest.approx([0.6, 0.45, 0.4])
    assert np.isnan(grid(heights=[0.0]).spacing[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"heights": [0.0, 0.6, 0.6]},
        {"heights": [0.6, 0.0]},
        {"row_direction": (1.0, 0.0, 0.1)},
        {"pixel_spacing": (0.45, 0.0)},
        {"pixel_spacing": (0.45, np.nan)},
        {"rows": 0},
    ],
)
def test_a_grid_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"orthonormal|finite|positive|ascend"):
        grid(**changes)


def test_a_grid_cannot_be_changed_through_the_arrays_it_was_made_from() -> None:
    spacing = np.array([0.45, 0.4])
    made = grid(pixel_spacing=spacing)
    spacing[0] = 9.0
    assert made.pixel_spacing[0] == 0.45
    with pytest.raises(ValueError, match="read-only"):
        made.origins[0, 0] = 1.0


def test_a_stored_point_is_what_float32_holds() -> None:
    stored = geometry.as_stored((0.1, -250.123456789, 1e-3))
    assert stored == tuple(float(np.float32(x)) for x in (0.1, -250.123456789, 1e-3))
    assert geometry.as_stored(stored) == stored


@pytest.mark.filterwarnings("error")
def test_a_coordinate_beyond_float32_is_stored_as_infinite_without_a_warning() -> None:
    assert geometry.as_stored((1e39, 0.0, -1e39)) == (np.inf, 0.0, -np.inf)


def test_distance_and_angle_are_those_of_space() -> None:
    assert geometry.distance((1, 2, 3), (3, 5, 9)) == pytest.approx(7.0)
    assert geometry.angle_deg((1, 0, 0), (1, 1e-9, 0)) == pytest.approx(5.73e-8, rel=1e-3)
    assert geometry.angle_deg((0, 2, 0), (0, -1, 0)) == pytest.approx(180.0)


def test_a_vector_without_length_has_no_direction() -> None:
    with pytest.raises(ValueError, match="no direction"):
        geometry.unit_vector((0, 0, 0))


@pytest.mark.parametrize("towards", [(0, 0, 1), (1, 2, 2), (2, 4, 4.0000001)])
def test_an_orthogonal_pair_completes_a_right_handed_frame(
    towards: tuple[float, ...],
) -> None:
    first = np.array([1, 2, 2]) / 3
    second, third = geometry.orthogonal_pair(first, towards=towards)
    frame = np.stack([first, second, third])
    assert frame @ frame.T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(frame) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        ((1, 0, 0), "L"),
        ((0, -1, 0), "A"),
        ((0, 0, -1), "I"),
        ((-0.2, 0.5, 0.8), "SP"),
        ((-0.3, 0.5, 0.8), "SPR"),
    ],
)
def test_directions_are_named_by_patient_letters_strongest_first(
    direction: tuple[float, ...], letters: str
) -> None:
    assert geometry.patient_letters(direction) == letters


STACKS = {
    "even": {},
    "tilted": {"shear": 0.4},
    "uneven": {"heights": [0.0, 0.6, 1.9, 2.2]},
    "uneven and tilted": {"heights": [0.0, 0.6, 1.9, 2.2], "shear": -0.3},
    "one slice": {"heights": [1.0]},
}


@pytest.mark.parametrize("parts", STACKS.values(), ids=STACKS)
def test_a_box_of_voxels_stays_where_it_was(parts: dict[str, Any]) -> None:
    whole = grid(**parts)
    box = (slice(0, 2), slice(2, 5), slice(3, 7))
    cut = whole.cropped(box)
    index = np.argwhere(np.ones(cut.shape))
    np.testing.assert_allclose(
        cut.to_patient(index), whole.to_patient(index + np.array([0, 2, 3])), atol=1e-12
    )


@pytest.mark.parametrize(
    "box",
    [
        (slice(4, 4), slice(0, 6), slice(0, 7)),
        (slice(0, 4), slice(6, 6), slice(0, 7)),
        (slice(0, 4, 2), slice(0, 6), slice(0, 7)),
    ],
)
def test_a_box_without_voxels_or_with_gaps_is_no_grid(box: tuple[slice, ...]) -> None:
    with pytest.raises(ValueError, match="empty or skips voxels"):
        grid().cropped((box[0], box[1], box[2]))


@pytest.mark.parametrize("parts", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize("margin", [0.0, 0.7])
def test_the_box_around_points_holds_every_voxel_within_the_margin(
    parts: dict[str, Any], margin: float
) -> None:
    whole = grid(**parts)
    shift = np.random.default_rng(1).uniform(-1, 1, (40, 3))
    centres = whole.to_patient(np.argwhere(np.ones(whole.shape)))
    for point in whole.to_patient(shift + np.array([1.0, 2.5, 3.0])):
        near = np.linalg.norm(centres - point, axis=1) <= margin
        held = np.zeros(whole.shape, dtype=bool)
        held[whole.box_around([point], margin)] = True
        assert held.ravel()[near].all()


def test_the_box_around_a_place_beside_the_grid_is_empty() -> None:
    beside = grid().to_patient([1.0, 60.0, 2.0])
    box = grid().box_around([beside], 1.0)
    assert box[1].stop - box[1].start == 0


@pytest.mark.parametrize(
    ("point", "margin"), [((np.nan, 0, 0), 1.0), ((0, 0, 0), np.nan), ((0, 0, 0), np.inf)]
)
def test_there_is_no_box_around_a_place_that_is_not_finite(
    point: tuple[float, ...], margin: float
) -> None:
    with pytest.raises(ValueError, match="not finite"):
        grid().box_around([point], margin)
