"""Between drawn slices a mask follows the shape: cones, balls, oblique cylinders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fixtures.mask_studies import grids

from osteotrace.geometry import Grid
from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.segmentation import between_slices
from osteotrace.session.mask_parts import extent

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from osteotrace.errors import OsteotraceError
    from osteotrace.geometry import Array

    Refusal = Callable[[Callable[[], object]], OsteotraceError]
    Shape = Callable[[Array], NDArray[np.bool_]]

SPACING = (0.8, 0.5, 0.6)
STRAIGHT = straight_grid((48.0, 48.0, 32.0), SPACING, centre=(0.0, 0.0, 0.0))
# Every sixth slice is drawn.
STEP = 6


def cone(points: Array) -> NDArray[np.bool_]:
    x, y, z = np.moveaxis(points, -1, 0)
    return np.asarray((np.hypot(x, y) <= 9.0 - 0.4 * z) & (np.abs(z) <= 12.5))


def ball(points: Array) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(points, axis=-1) <= 13.0)


def oblique_cylinder(points: Array) -> NDArray[np.bool_]:
    """Return a cylinder that moves on by more than its radius between drawn slices."""
    x, y, z = np.moveaxis(points, -1, 0)
    round_ = np.hypot(x - 0.9 * z, y + 0.7 * z) <= 4.0
    return np.asarray(round_ & (np.abs(z) <= 13))


SHAPES: dict[str, Shape] = {
    "cone": cone,
    "ball": ball,
    "oblique cylinder": oblique_cylinder,
}


def rendered(shape: Shape, grid: Grid) -> NDArray[np.bool_]:
    return shape(grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1)))


def sparse(voxels: NDArray[np.bool_], axis: int = 0) -> NDArray[np.bool_]:
    """Return a mask of which every sixth slice was drawn, first and last one too."""
    drawn = between_slices.drawn_slices(voxels, axis)
    kept = {*drawn[::STEP].tolist(), int(drawn[-1])}
    planes = np.moveaxis(voxels.copy(), axis, 0)
    planes[[k for k in range(len(planes)) if k not in kept]] = False
    return np.moveaxis(planes, 0, axis)


def overlap(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks."""
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", ["cone", "ball"])
def test_a_shape_comes_back_from_every_sixth_slice_of_any_view(
    name: str, axis: int
) -> None:
    truth = rendered(SHAPES[name], STRAIGHT)
    given = sparse(truth, axis)
    found = between_slices.filled(given, STRAIGHT, axis=axis)
    assert overlap(found, truth) > 0.96
    assert found.sum() == pytest.approx(truth.sum(), rel=0.06)


def test_an_oblique_cylinder_stays_in_one_piece() -> None:
    truth = rendered(oblique_cylinder, STRAIGHT)
    found = between_slices.filled(sparse(truth), STRAIGHT)
    assert overlap(found, truth) > 0.96
    assert found.sum() == pytest.approx(truth.sum(), rel=0.02)
    radii = np.sqrt(found.sum(axis=(1, 2)) * 0.3 / np.pi)
    assert radii[radii > 0] == pytest.approx(4.0, abs=0.15)


def test_between_equal_outlines_nothing_changes() -> None:
    given = np.zeros(STRAIGHT.shape, dtype=bool)
    given[[10, 17], 20:31, 25:40] = True
    found = between_slices.filled(given, STRAIGHT)
    assert (found[10:18] == given[10]).all()
    assert not found[:10].any()
    assert not found[18:].any()


@pytest.mark.parametrize("seed", range(3))
def test_what_was_drawn_stays_and_only_gaps_are_filled(seed: int) -> None:
    given = np.zeros(STRAIGHT.shape, dtype=bool)
    noise = np.random.default_rng(seed)
    for k in (5, 6, 11, 20):
        given[k, 20:50, 30:60] = noise.random((30, 30)) < 0.6
    before = given.copy()
    found = between_slices.filled(given, STRAIGHT)
    assert np.array_equal(given, before)
    for k in (5, 6, 11, 20):
        assert np.array_equal(found[k], given[k])
    filled = set(between_slices.drawn_slices(found).tolist())
    assert filled <= set(range(5, 21))
    assert {7, 10, 12, 19} <= filled


def test_two_pieces_become_one_where_they_meet() -> None:
    given = np.zeros(STRAIGHT.shape, dtype=bool)
    given[10, 30:50, 20:32] = given[10, 30:50, 38:50] = True
    given[16, 30:50, 20:50] = True
    found = between_slices.filled(given, STRAIGHT)
    assert not found[11, 40, 35]
    assert found[15, 40, 35]
    assert found[11:16, 40, 25].all()


def test_outlines_of_pieces_without_anything_in_common_leave_a_gap() -> None:
    given = np.zeros(STRAIGHT.shape, dtype=bool)
    given[10, 5:8, 5:8] = given[10, 5:8, 12:15] = True
    given[16, 60:63, 60:63] = True
    found = between_slices.filled(given, STRAIGHT)
    assert between_slices.drawn_slices(found).tolist() == [10, 16]


@pytest.mark.parametrize("kind", grids())
def test_uneven_gaps_and_leaning_stacks_do_not_bend_what_is_straight(kind: str) -> None:
    small = grids()[kind]
    grid = Grid(
        row_direction=small.row_direction,
        column_direction=small.column_direction,
        pixel_spacing=np.array([0.25, 0.2]),
        origins=small.origins,
        rows=50,
        columns=62,
    )
    middle = grid.to_patient((np.array(grid.shape) - 1) / 2)
    # A cone along the patient's own line between the slices, not along the stack.
    axis = grid.normal + 0.2 * grid.row_direction

    def slanted(points: Array) -> NDArray[np.bool_]:
        away = points - middle
        height = away @ grid.normal
        aside = away - height[..., None] * axis
        return np.asarray(np.linalg.norm(aside, axis=-1) <= 3.0 - 0.15 * height)

    truth = rendered(slanted, grid)
    given = truth.copy()
    given[[k for k in range(10) if k not in (0, 4, 9)]] = False
    found = between_slices.filled(given, grid)
    assert overlap(found[1:4], truth[1:4]) > 0.97
    assert overlap(found[5:9], truth[5:9]) > 0.97


@pytest.mark.parametrize("slices", [[], [4], [4, 5], [7, 8, 9]])
def test_without_a_gap_there_is_nothing_to_fill(
    slices: list[int], refusal: Refusal
) -> None:
    given = np.zeros(STRAIGHT.shape, dtype=bool)
    given[slices, 20:30, 20:30] = True
    error = refusal(lambda: between_slices.filled(given, STRAIGHT))
    assert error.found == f"{len(slices)} drawn slices with none between them"


def test_an_outline_at_the_edge_of_the_image_is_an_outline_too() -> None:
    given = np.zeros(STRAIGHT.shape, dtype=bool)
    given[10, :12, :12] = given[16, :4, :4] = True
    found = between_slices.filled(given, STRAIGHT)
    sides = np.sqrt(found[10:17].sum(axis=(1, 2)))
    assert (np.diff(sides) <= 0).all()
    assert sides[3] == pytest.approx(8.0, abs=1.0)


# Two discs drawn far apart and aside of each other: the middle wanders, the radius too.
DRIFTS = {
    "as it is": (7.0, 7.0, 0.0),
    "narrower": (9.0, 3.0, 0.0),
    "aside": (6.0, 6.0, 9.0),
    "aside, wider": (3.0, 9.0, 7.0),
    "aside by more than it is wide": (6.0, 1.5, 20.0),
}


def frustum(first: float, last: float, drift: float) -> Shape:
    """Return what lies between two discs whose middles are ``drift`` mm apart."""
    low, high = float(STRAIGHT.slice_positions[4]), float(STRAIGHT.slice_positions[30])

    def shape(points: Array) -> NDArray[np.bool_]:
        x, y, z = np.moveaxis(points, -1, 0)
        share = (z - low) / (high - low)
        there = (share > -1e-9) & (share < 1 + 1e-9)
        away = np.hypot(x - drift * (share - 0.5), y + 0.7 * drift * (share - 0.5))
        return np.asarray(there & (away <= first + share * (last - first)))

    return shape


@pytest.mark.parametrize("is_tight", [False, True], ids=["whole image", "tight crop"])
@pytest.mark.parametrize("name", DRIFTS)
def test_between_two_discs_lies_the_volume_of_the_frustum(
    name: str, is_tight: bool
) -> None:
    first, last, drift = DRIFTS[name]
    truth = rendered(frustum(first, last, drift), STRAIGHT)
    given = np.zeros_like(truth)
    given[[4, 30]] = truth[[4, 30]]
    box = extent(given) if is_tight else (slice(None),) * 3
    assert box is not None
    found = between_slices.filled(given[box], STRAIGHT.cropped(box))
    height = float(np.ptp(STRAIGHT.slice_positions[[4, 30]]))
    # Half a slice of either disc lies beyond its middle.
    ends = np.pi * (first**2 + last**2) * SPACING[0] / 2
    analytic = np.pi * height * (first**2 + first * last + last**2) / 3 + ends
    measured = float(found.sum()) * np.prod(SPACING)
    assert measured == pytest.approx(analytic, rel=0.03)
    assert overlap(found, truth[box]) > 0.95


@pytest.mark.parametrize("seed", range(4))
def test_a_tight_crop_is_filled_as_the_whole_image_is(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y = np.ogrid[: STRAIGHT.shape[1], : STRAIGHT.shape[2]]
    given = np.zeros(STRAIGHT.shape, dtype=bool)
    for k in (3, 9, 20):
        row, column, radius = *random.uniform(25, 70, 2), random.uniform(2, 20)
        given[k] = (x - row) ** 2 + (y - column) ** 2 <= radius**2
    box = extent(given)
    assert box is not None
    whole = between_slices.filled(given, STRAIGHT)
    tight = between_slices.filled(given[box], STRAIGHT.cropped(box))
    assert np.array_equal(tight, whole[box])
    assert tight.sum() == whole.sum()
