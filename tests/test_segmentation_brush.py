"""A brush touches what lies within its radius in mm of its line, on every grid."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fixtures.mask_studies import grids

from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.segmentation import brush

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from osteotrace.errors import OsteotraceError
    from osteotrace.geometry import Array, Grid

    Refusal = Callable[[Callable[[], object]], OsteotraceError]

GRIDS = grids()
FINE = straight_grid((40.0, 36.0, 30.0), (0.8, 0.5, 0.4), centre=(5.0, -12.0, 100.0))


def whole(touched: brush.Touched | None, grid: Grid) -> NDArray[np.bool_]:
    voxels = np.zeros(grid.shape, dtype=bool)
    if touched is not None:
        voxels[touched.window] = touched.voxels
    return voxels


def centres(grid: Grid) -> Array:
    return grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1))


def mm_from(line: Array, points: Array) -> Array:
    """Return the mm from points to a line, through places some µm apart on it."""
    from scipy.spatial import KDTree

    dense = np.concatenate([np.linspace(a, b, 4001) for a, b in pairwise(line)])
    return np.asarray(KDTree(dense).query(points)[0])


def stroke_on(grid: Grid, axis: int, plane: int, seed: int = 0) -> Array:
    """Return LPS mm places of a drag in one plane of voxels."""
    inside = np.random.default_rng(seed).uniform(0.3, 0.7, (4, 3))
    index = inside * (np.array(grid.shape) - 1)
    index[:, axis] = plane
    return grid.to_patient(index)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("kind", GRIDS)
def test_a_disc_holds_the_voxels_of_one_plane_that_lie_near_its_line(
    kind: str, axis: int
) -> None:
    grid = GRIDS[kind]
    plane = grid.shape[axis] // 2
    places = stroke_on(grid, axis, plane)
    voxels = whole(brush.disc(grid, places, 1.3, axis=axis), grid)
    others = tuple(k for k in range(3) if k != axis)
    assert np.flatnonzero(voxels.any(axis=others)).tolist() == [plane]
    away = mm_from(places, np.take(centres(grid), plane, axis=axis))
    shown = np.take(voxels, plane, axis=axis)
    clear = np.abs(away - 1.3) > 0.01
    assert ((away < 1.3) == shown)[clear].all()
    assert shown.sum() > 20


@pytest.mark.parametrize("kind", GRIDS)
def test_a_ball_holds_the_voxels_of_every_plane_that_lie_near_its_line(kind: str) -> None:
    grid = GRIDS[kind]
    index = np.random.default_rng(1).uniform(0.3, 0.7, (3, 3))
    places = grid.to_patient(index * (np.array(grid.shape) - 1))
    voxels = whole(brush.ball(grid, places, 1.7), grid)
    away = mm_from(places, centres(grid))
    clear = np.abs(away - 1.7) > 0.01
    assert ((away < 1.7) == voxels)[clear].all()


@pytest.mark.parametrize(("axis", "pixel_mm2"), [(0, 0.2), (1, 0.32), (2, 0.4)])
def test_a_click_is_round_in_mm_whatever_the_spacing(axis: int, pixel_mm2: float) -> None:
    place = FINE.to_patient(np.array(FINE.shape) // 2)
    touched = brush.disc(FINE, place, 6.0, axis=axis)
    assert touched is not None
    area = touched.voxels.sum() * pixel_mm2
    assert area == pytest.approx(np.pi * 36.0, rel=0.02)
    index = np.argwhere(touched.voxels) + [side.start for side in touched.window]
    extent = np.ptp(FINE.to_patient(index), axis=0)
    assert sorted(extent)[1:] == pytest.approx([12.0, 12.0], abs=0.81)


def test_a_fast_flick_touches_what_a_slow_drag_touches() -> None:
    ends = FINE.to_patient([[18, 12, 20], [18, 55, 71]])
    slow = np.linspace(ends[0], ends[1], 300)
    fast = brush.disc(FINE, ends, 2.0)
    assert np.array_equal(whole(fast, FINE), whole(brush.disc(FINE, slow, 2.0), FINE))


def test_a_brush_thinner_than_a_voxel_still_leaves_an_unbroken_line() -> None:
    from scipy.ndimage import label

    places = FINE.to_patient([[18.3, 12.2, 20.4], [18.3, 55.1, 71.7]])
    voxels = whole(brush.disc(FINE, places, 0.0), FINE)
    assert label(voxels[18], structure=np.ones((3, 3)))[1] == 1
    assert voxels[18, 12, 20]
    assert voxels[18, 55, 72]


def test_places_beside_the_plane_are_put_into_that_of_the_first() -> None:
    flat = FINE.to_patient([[18, 20, 20], [18, 30, 30]])
    bent = FINE.to_patient([[18.4, 20.0, 20.0], [25.0, 30.0, 30.0]])
    assert np.array_equal(
        whole(brush.disc(FINE, flat, 2.0), FINE), whole(brush.disc(FINE, bent, 2.0), FINE)
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_leaves_the_image_is_cut_and_what_lies_outside_is_nothing(axis: int) -> None:
    corner = np.zeros(3)
    beyond = np.full(3, -30.0)
    beyond[axis] = 0
    cut = whole(
        brush.disc(FINE, FINE.to_patient(np.stack([corner, beyond])), 3.0, axis=axis),
        FINE,
    )
    assert cut[0, 0, 0]
    assert 0 < cut.sum() < 200
    gone = np.full(3, -30.0)
    assert brush.disc(FINE, FINE.to_patient(gone), 3.0, axis=axis) is None
    assert (
        brush.disc(FINE, FINE.to_patient(np.stack([beyond, beyond - 4])), 3.0, axis=axis)
        is None
    )
    assert brush.ball(FINE, FINE.to_patient(gone), 3.0) is None


def test_a_single_slice_can_be_painted() -> None:
    flat = FINE.cropped((slice(7, 8), slice(None), slice(None)))
    place = flat.to_patient([0, 30, 30])
    assert whole(brush.disc(flat, place, 2.0), flat).sum() > 50
    assert whole(brush.ball(flat, place, 2.0), flat).sum() > 50


@pytest.mark.parametrize(
    ("places", "radius"),
    [([], 2.0), ([[np.nan, 0, 0]], 2.0), ([[0, 0, 0]], -1.0), ([[0, 0, 0]], np.inf)],
)
def test_a_stroke_that_is_none_is_refused(
    places: list[list[float]], radius: float, refusal: Refusal
) -> None:
    assert "a stroke of" in refusal(lambda: brush.disc(FINE, places, radius)).found
