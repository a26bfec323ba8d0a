"""Sampling a volume along a bundle of lines."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fixtures.stacks import ALL_KINDS, UNEVENLY_SPACED, ramp_at, ramp_on, volume_on

from osteotrace import geometry
from osteotrace.geometry import Grid
from osteotrace.measurements.profiles import Sampler, line_between
from osteotrace.phantoms.walls import Walls, photograph
from osteotrace.volume import Volume


def ramp(*, shear: float = 0.0) -> tuple[Volume, np.ndarray]:
    """Return a volume whose value at p is gradient · p, and the gradient."""
    source = photograph(Walls(noise=0.0, spacing=(0.9, 0.5, 0.4)))
    origins = source.grid.origins.copy()
    origins[:, 1] += shear * source.grid.slice_positions
    grid = Grid(
        row_direction=source.grid.row_direction,
        column_direction=source.grid.column_direction,
        pixel_spacing=source.grid.pixel_spacing,
        origins=origins,
        rows=source.grid.rows,
        columns=source.grid.columns,
    )
    gradient = np.array([300.0, -700.0, 450.0])
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    stored = np.round(grid.to_patient(index) @ gradient).astype(np.int32)
    volume = Volume(
        voxels=stored,
        grid=grid,
        slope=np.full(len(stored), 0.5),
        intercept=np.full(len(stored), 10.0),
        unit=source.unit,
        frame_of_reference_uid=source.frame_of_reference_uid,
        instances=source.instances,
        identity=source.identity,
    )
    return volume, gradient


@pytest.mark.parametrize("shear", [0.0, 0.25])
def test_samples_are_the_rescaled_values_at_their_patient_points(shear: float) -> None:
    volume, gradient = ramp(shear=shear)
    line = line_between([-3, -8, -4], [4, 9, 5], towards=volume.grid.normal)
    bundle = Sampler(volume, [[-3, -8, -4], [4, 9, 5]], 3.0).bundle(
        line, (-1.0, 15.0), 0.2, 1.0, 5
    )
    points = (
        line.start
        + bundle.t[None, :, None] * line.direction
        + bundle.u[:, None, None] * line.u
        + bundle.v[:, None, None] * line.v
    )
    assert bundle.values == pytest.approx(0.5 * (points @ gradient) + 10.0, abs=0.5)


@pytest.mark.parametrize("grid", ALL_KINDS.values(), ids=ALL_KINDS.keys())
def test_a_linear_field_is_sampled_exactly_on_a_stack_of_any_kind(grid: Grid) -> None:
    ends = np.array([[-3.0, -8.0, -4.0], [4.0, 6.0, 5.0]])
    line = line_between(*ends, towards=grid.normal)
    bundle = Sampler(ramp_on(grid), ends, 3.0).bundle(line, (-1.0, 17.0), 0.2, 1.0, 5)
    assert bundle.t[[0, -1]] == pytest.approx([-1.0, 17.0])
    points = (
        line.start
        + bundle.t[None, :, None] * line.direction
        + bundle.u[:, None, None] * line.u
        + bundle.v[:, None, None] * line.v
    )
    assert bundle.values == pytest.approx(ramp_at(points), abs=1e-9)


@pytest.mark.parametrize("grid", ALL_KINDS.values(), ids=ALL_KINDS.keys())
def test_samples_reach_as_far_as_the_volume_and_no_farther(grid: Grid) -> None:
    ends = np.zeros((2, 3))
    ends[1] = 60.0 * grid.normal
    line = line_between(*ends, towards=grid.row_direction)
    bundle = Sampler(ramp_on(grid), ends, 3.0).bundle(line, (0.0, 60.0), 0.05, 0.1, 3)
    inside = grid.contains(line.start + bundle.t[:, None] * line.direction)
    assert inside.all()
    beyond = line.point(bundle.t[-1] + 0.3)
    assert not grid.contains(beyond)


def test_between_two_slices_far_apart_lies_what_is_between_their_values() -> None:
    grid = UNEVENLY_SPACED["uneven"]
    rng = np.random.default_rng(5)
    volume = volume_on(grid, rng.normal(size=grid.shape))
    wide = int(np.argmax(grid.slice_gaps))
    low, high = grid.to_patient([[wide, 30, 40], [wide + 1, 30, 40]])
    line = line_between(low, high, towards=grid.row_direction)
    bundle = Sampler(volume, [low, high], 3.0).bundle(line, (0.0, 2.0), 0.5, 0.4, 3)
    (middle,) = np.flatnonzero(np.hypot(bundle.u, bundle.v) < 1e-9)
    first, last = volume.voxels[wide, 30, 40], volume.voxels[wide + 1, 30, 40]
    expected = [first + share * (last - first) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert bundle.values[middle] == pytest.approx(expected, abs=1e-9)


def test_samples_outside_the_volume_are_left_out() -> None:
    volume, _ = ramp()
    top = volume.grid.corners()[:, 2].max()
    line = line_between([0, 0, top - 5], [0, 0, top], towards=[0, 1, 0])
    bundle = Sampler(volume, [[0, 0, top - 5], [0, 0, top]], 8.0).bundle(
        line, (0.0, 10.0), 0.2, 1.0, 5
    )
    assert 4.9 <= bundle.t[-1] <= 5.5


def test_a_line_has_a_right_handed_frame_with_u_towards_the_slices() -> None:
    line = line_between([0, 0, 0], [1, 2, 0.5], towards=[0, 0, 1])
    frame = np.stack([line.direction, line.u, line.v])
    assert frame @ frame.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1.0)
    assert line.u[2] > 0.9
    assert geometry.distance(line.point(2.0), line.start) == pytest.approx(2.0)
