"""Regions and grids laid from an earlier study into a later one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from osteotrace import geometry
from osteotrace.alignment import RigidTransform
from osteotrace.alignment.moving import moved_grid, moved_mask, moved_region
from osteotrace.errors import OsteotraceError
from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.phantoms.rendering import Pose
from osteotrace.regions import Mask, Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.volume import Volume

EARLIER, LATER = "2.25.10", "2.25.2"
TURN = Pose.turned(pitch_deg=20, roll_deg=-8, yaw_deg=35).rotation
SHIFT = np.array([4.0, -7.0, 11.0])


def transform() -> RigidTransform:
    return RigidTransform.of(TURN, SHIFT, from_frame_uid=EARLIER, to_frame_uid=LATER)


def later_volume() -> Volume:
    grid = straight_grid((60, 60, 60), (1.5, 0.8, 0.8), centre=SHIFT.tolist())
    return as_volume(np.zeros(grid.shape), grid)


def ball(radius: float = 9.0) -> Mask:
    grid = straight_grid((40, 40, 40), (1.0, 0.7, 0.7), centre=(0, 0, 0))
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    inside = np.linalg.norm(grid.to_patient(index), axis=-1) <= radius
    return Mask.of(inside, grid, role="ball", frame_of_reference_uid=EARLIER)


def test_there_and_back_is_where_it_was() -> None:
    points = np.random.default_rng(1).normal(0, 50, (20, 3))
    there = transform().apply(points)
    assert np.abs(transform().inverse.apply(there) - points).max() < 1e-12
    assert np.allclose(there, points @ TURN.T + SHIFT)


def test_the_angle_of_a_turn_about_one_axis_is_that_turn() -> None:
    for angle in (1e-7, 0.3, 45.0, 179.0):
        turn = Pose.turned(yaw_deg=angle).rotation
        moved = RigidTransform.of(turn, SHIFT, from_frame_uid="1", to_frame_uid="2")
        assert moved.rotation_deg == pytest.approx(angle, abs=1e-9)


def test_two_transforms_join_in_the_order_of_the_studies_only() -> None:
    on = RigidTransform.of(TURN, -SHIFT, from_frame_uid=LATER, to_frame_uid="2.25.30")
    point = np.array([3.0, 4.0, 5.0])
    both = transform().then(on)
    assert np.allclose(both.apply(point), on.apply(transform().apply(point)))
    with pytest.raises(OsteotraceError, match="order of the studies"):
        on.then(transform())


@pytest.mark.parametrize(
    "matrix", [np.eye(3) * 1.01, np.diag([1, 1, -1]), np.full((3, 3), np.nan)]
)
def test_what_scales_mirrors_or_is_no_number_is_refused(
    matrix: NDArray[np.float64],
) -> None:
    with pytest.raises(OsteotraceError, match="rigid"):
        RigidTransform.of(matrix, SHIFT, from_frame_uid="1", to_frame_uid="2")


def test_a_voxel_of_a_moved_grid_lies_where_the_voxel_itself_is_moved_to() -> None:
    grid = straight_grid((40, 30, 20), (2.0, 0.7, 0.5), centre=(5, 6, 7))
    index = np.array([[0, 0, 0], [3.5, 10, 20], [9, 41, 79]])
    there = moved_grid(grid, transform()).to_patient(index)
    assert np.allclose(there, transform().apply(grid.to_patient(index)))


def test_a_moved_ball_keeps_its_middle_and_its_volume() -> None:
    earlier, later = ball(), later_volume()
    moved = moved_mask(earlier, transform(), later)
    own = np.argwhere(moved.voxels)
    middle = moved.grid.to_patient(own).mean(axis=0)
    assert geometry.distance(middle, SHIFT) < 0.1
    volume = moved.voxels.sum() * 1.5 * 0.8 * 0.8
    assert volume == pytest.approx(4 / 3 * np.pi * 9.0**3, rel=0.02)
    assert moved.frame_of_reference_uid == LATER
    assert moved.on(later.grid).sum() == moved.voxels.sum()


def test_moved_points_are_stored_points_of_the_later_frame() -> None:
    points = Points(
        role="as clicked",
        points=(geometry.as_stored((1.1, 2.2, 3.3)),),
        point_roles=("anterior edge",),
        frame_of_reference_uid=EARLIER,
        source_instances=("2.25.99",),
    )
    moved = moved_region(points, transform(), later_volume())
    assert isinstance(moved, Points)
    assert moved.points[0] == geometry.as_stored(transform().apply(points.points[0]))
    assert moved.frame_of_reference_uid == LATER
    assert all(uid.startswith("2.25.1.") for uid in moved.source_instances)


def test_another_frame_of_reference_is_refused() -> None:
    other = msgspec.structs.replace(ball(), frame_of_reference_uid="2.25.77")
    with pytest.raises(OsteotraceError, match=r"2\.25\.77"):
        moved_region(other, transform(), later_volume())


def test_what_the_later_images_do_not_hold_is_refused() -> None:
    far = RigidTransform.of(TURN, SHIFT + 500, from_frame_uid=EARLIER, to_frame_uid=LATER)
    with pytest.raises(OsteotraceError, match="outside the later images"):
        moved_mask(ball(), far, later_volume())
