"""Rectified volumes hold the values of the scan at the places of the scan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.stacks import (
    ALL_KINDS,
    EVEN,
    IRREGULAR,
    LEAN,
    RECTILINEAR,
    TILTED,
    UNEVEN,
    UNEVENLY_SPACED,
    ball_on,
    ramp_at,
    ramp_on,
    stack,
    volume_on,
    voxel_centres,
)

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid, angle_deg, distance
from osteotrace.volume.resampling import interpolated, rectilinear_affine

if TYPE_CHECKING:
    from osteotrace.volume import Volume

BALL_CENTRE = (0.7, -0.9, 1.1)
BALL_RADIUS = 8.0


def within(source: Grid, target: Grid) -> Any:
    """Tell for each voxel centre of the target whether it lies among the source's."""
    index = source.to_index(voxel_centres(target))
    tolerance = 1e-6
    last = np.array(source.shape) - 1
    return ((index >= -tolerance) & (index <= last + tolerance)).all(axis=-1)


def farthest_off(volume: Volume, source: Grid) -> float:
    """Return the greatest error of the linear field inside the source."""
    inside = within(source, volume.grid)
    assert inside.mean() > 0.4
    expected = ramp_at(voxel_centres(volume.grid))
    return float(np.abs(volume.voxels - expected)[inside].max())


@pytest.mark.parametrize("grid", IRREGULAR.values(), ids=IRREGULAR.keys())
def test_a_linear_field_is_the_same_field_after_resampling(grid: Grid) -> None:
    assert farthest_off(ramp_on(grid).rectified(), grid) < 1e-3


@pytest.mark.parametrize("grid", ALL_KINDS.values(), ids=ALL_KINDS.keys())
@pytest.mark.parametrize("spacing", [0.7, (1.1, 0.6, 0.8)])
def test_any_spacing_keeps_the_field(grid: Grid, spacing: float) -> None:
    volume = ramp_on(grid).rectified(spacing)
    assert volume.grid.spacing == pytest.approx(np.broadcast_to(spacing, 3))
    assert farthest_off(volume, grid) < 1e-3


@pytest.mark.parametrize("grid", ALL_KINDS.values(), ids=ALL_KINDS.keys())
def test_a_ball_of_bone_keeps_its_place_and_its_volume(grid: Grid) -> None:
    volume = ball_on(grid, BALL_CENTRE, BALL_RADIUS).rectified(0.5)
    bone = volume.voxels > 0
    centroid = voxel_centres(volume.grid)[bone].mean(axis=0)
    assert distance(centroid, BALL_CENTRE) < 0.1
    expected = 4 / 3 * np.pi * BALL_RADIUS**3
    assert bone.sum() * 0.5**3 == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("kind", TILTED)
def test_slices_of_a_tilted_stack_become_perpendicular_to_its_step(kind: str) -> None:
    source = TILTED[kind]
    grid = ramp_on(source).rectified().grid
    step = source.origins[-1] - source.origins[0]
    assert angle_deg(grid.normal, step) == pytest.approx(0.0, abs=1e-5)
    assert grid.is_even
    assert rectilinear_affine(grid) is not None
    assert abs(grid.normal @ grid.row_direction) < 1e-12
    # The rows stay as near to the old ones as the step allows.
    lean = angle_deg(source.row_direction, grid.row_direction)
    across = abs(90.0 - angle_deg(source.row_direction, step))
    assert lean == pytest.approx(across, abs=1e-5)


def test_a_tilt_about_the_rows_leaves_the_rows_alone() -> None:
    source = TILTED["tilted by +14° about rows"]
    grid = ramp_on(source).rectified().grid
    assert grid.row_direction == pytest.approx(source.row_direction, abs=1e-12)
    step = distance(source.origins[1], source.origins[0])
    assert grid.spacing == pytest.approx([step, 0.5, 0.4])


def test_an_uneven_stack_keeps_its_axes_and_takes_the_median_gap() -> None:
    source = UNEVENLY_SPACED["uneven"]
    grid = ramp_on(source).rectified().grid
    assert grid.normal == pytest.approx(source.normal, abs=1e-12)
    assert grid.row_direction == pytest.approx(source.row_direction, abs=1e-12)
    assert grid.spacing == pytest.approx([0.9, 0.5, 0.4])
    assert grid.origins[0] == pytest.approx(source.origins[0])


@pytest.mark.parametrize("grid", IRREGULAR.values(), ids=IRREGULAR.keys())
def test_the_box_holds_every_corner_and_is_no_larger_than_it_must(grid: Grid) -> None:
    target = ramp_on(grid).rectified().grid
    index = target.to_index(grid.corners())
    last = np.array(target.shape) - 1
    assert index.min(axis=0) == pytest.approx([0, 0, 0], abs=1e-6)
    assert (index.max(axis=0) <= last + 1e-6).all()
    assert (index.max(axis=0) > last - 1).all()


def test_voxels_outside_the_scan_hold_its_lowest_value_and_the_note_says_so() -> None:
    source = TILTED["tilted by +14° about rows"]
    volume = replace(
        volume_on(source, np.full(source.shape, 300, dtype=np.int16)),
        slope=np.full(source.shape[0], 2.0),
        intercept=np.full(source.shape[0], -1000.0),
    ).rectified()
    assert set(np.unique(volume.voxels)) == {-400.0}
    mixed = volume_on(source, np.full(source.shape, 50, dtype=np.int16))
    cold = mixed.voxels.copy()
    cold[3, 4, 5] = -77
    again = replace(mixed, voxels=cold).rectified()
    assert again.voxels[0, -1, 0] == -77
    assert "outside the scan hold its lowest value, -77" in again.notes[-1]


def test_the_result_says_what_was_done_and_keeps_what_it_was() -> None:
    source = replace(
        ramp_on(TILTED["tilted by -14° about rows"]), notes=("a slice lost",)
    )
    volume = source.rectified()
    assert volume.voxels.dtype == np.float32
    assert (volume.slope == 1).all()
    assert (volume.intercept == 0).all()
    assert volume.source_grid is source.grid
    assert volume.unit == source.unit
    assert volume.frame_of_reference_uid == source.frame_of_reference_uid
    assert volume.identity == source.identity
    assert volume.instances == source.instances
    first, note = volume.notes
    assert first == "a slice lost"
    assert note.startswith(
        "resampled linearly from a stack that is tilted by 14.0° (0.928 × 0.5 × 0.4 mm) "
        "to a rectilinear one (0.928 × 0.5 × 0.4 mm, slice × row × column)"
    )


def test_an_uneven_stack_is_called_so() -> None:
    (note,) = ramp_on(UNEVENLY_SPACED["oblique, tilted and uneven"]).rectified(1.0).notes
    assert "tilted by 14.0° and unevenly spaced by 0.90 to 2.00 mm" in note
    assert "to a rectilinear one (1 × 1 × 1 mm" in note


def test_the_images_of_a_point_are_those_of_the_scan_not_of_the_new_grid() -> None:
    source = ramp_on(TILTED["tilted by +14° about rows"])
    volume = source.rectified(0.3)
    points = source.grid.to_patient([[7.0, 30, 40], [9.2, 32, 44]])
    assert volume.slices_between(points) == source.instances[7:10]
    assert volume.slices_between(points) == source.slices_between(points)


def test_resampling_twice_still_knows_the_grid_of_the_images() -> None:
    source = ramp_on(TILTED["tilted by +14° about rows"])
    again = source.rectified().rectified(1.0)
    assert again.source_grid is source.grid
    assert len(again.notes) == 2


@pytest.mark.parametrize("kind", RECTILINEAR)
def test_a_rectilinear_volume_comes_back_itself(kind: str) -> None:
    volume = ramp_on(RECTILINEAR[kind])
    assert volume.rectified() is volume
    assert volume.rectified((0.9, 0.5, 0.4)) is volume
    assert volume.rectified(0.5) is not volume


def test_a_rectified_volume_comes_back_itself() -> None:
    volume = ramp_on(UNEVENLY_SPACED["uneven"]).rectified()
    assert volume.rectified() is volume


def test_a_lean_that_moves_no_voxel_by_a_twentieth_of_a_millimetre_is_none() -> None:
    high = EVEN[-1]
    assert rectilinear_affine(stack(about_rows=0.04 / high)) is not None
    assert rectilinear_affine(stack(about_rows=0.06 / high)) is None


def test_a_lost_slice_is_filled_from_its_neighbours() -> None:
    grid = stack(np.delete(EVEN, 10))
    volume = ramp_on(grid).rectified()
    assert volume.grid.shape == (33, grid.rows, grid.columns)
    assert within(grid, volume.grid).all()
    assert farthest_off(volume, grid) < 1e-3


def test_slices_shifted_to_and_fro_in_their_plane_stay_within_the_box() -> None:
    straight = stack(EVEN)
    origins = straight.origins.copy()
    origins[5:9] += 3.0 * straight.column_direction
    grid = Grid(
        row_direction=straight.row_direction,
        column_direction=straight.column_direction,
        pixel_spacing=straight.pixel_spacing,
        origins=origins,
        rows=straight.rows,
        columns=straight.columns,
    )
    volume = ramp_on(grid).rectified()
    assert volume.grid.shape == (33, straight.rows + 6, straight.columns)
    assert farthest_off(volume, grid) < 1e-3


def test_a_single_slice_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="a single slice"):
        ramp_on(stack([0.0])).rectified()


@pytest.mark.parametrize("spacing", [0.0, -1.0, np.nan, (1.0, 2.0), "fine"])
def test_a_spacing_that_is_none_is_refused(spacing: Any) -> None:
    with pytest.raises(OsteotraceError, match="one positive number of mm, or three"):
        ramp_on(stack()).rectified(spacing)


def test_a_spacing_that_needs_more_voxels_than_fit_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="choose a coarser spacing"):
        ramp_on(stack(about_rows=LEAN)).rectified(0.01)


def test_interpolation_reaches_half_a_voxel_beyond_the_outermost_centres() -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    assert interpolated(values, [0.5, 1.25, 2.5]) == pytest.approx(13.5)
    assert interpolated(values, [-0.4, 0, 3.4]) == pytest.approx(3.0)
    outside = interpolated(values, [[-0.6, 0, 0], [0, 2.6, 0], [0, 0, 3.6]])
    assert np.isnan(outside).all()


def test_values_between_uneven_slices_are_those_of_a_line_between_them() -> None:
    grid = stack(UNEVEN)
    rng = np.random.default_rng(2)
    source = volume_on(grid, rng.normal(size=grid.shape))
    volume = source.rectified((0.25, 0.5, 0.4))
    index = grid.to_index(volume.grid.to_patient([[k, 20, 30] for k in range(40)]))
    column = np.interp(index[:, 0], np.arange(len(UNEVEN)), source.voxels[:, 20, 30])
    assert volume.voxels[:40, 20, 30] == pytest.approx(column, abs=1e-5)
