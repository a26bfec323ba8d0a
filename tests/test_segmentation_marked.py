"""Masks that are marked: balls, boxes and outlines against their analytic size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.segmentation import marked

if TYPE_CHECKING:
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

CENTRE = np.array([5.0, -12.0, 100.0])


def scan(spacing: tuple[float, float, float] = (0.8, 0.5, 0.4)) -> Volume:
    grid = straight_grid((40, 36, 30), spacing, centre=CENTRE.tolist())
    return as_volume(np.zeros(grid.shape), grid)


def tilted(deg: float = 20.0, uneven: bool = False) -> Volume:
    """Return a stack whose origins drift along its columns, its gaps perhaps uneven."""
    lean = np.tan(np.radians(deg))
    z = np.arange(40) * 0.8
    if uneven:
        z = z + np.where(np.arange(40) > 20, 1.7, 0.0)
    drift = lean * z + (0.9 * np.sin(z) if uneven else 0.0)
    origins = np.stack([np.full(40, -16.0), -30.0 - drift, 84.0 + z], axis=-1)
    grid = Grid(
        row_direction=np.array([1.0, 0, 0]), column_direction=np.array([0, 1.0, 0]),
        pixel_spacing=np.array([0.5, 0.4]), origins=origins, rows=110, columns=100,
    )  # fmt: skip
    return as_volume(np.zeros(grid.shape), grid)


def by_every_voxel(volume: Volume, centre: np.ndarray, radius: float) -> np.ndarray:
    index = np.moveaxis(np.indices(volume.grid.shape), 0, -1)
    away = volume.grid.to_patient(index) - centre
    return np.asarray(np.linalg.norm(away, axis=-1) <= radius)


def volume_mm3(mask: Mask) -> float:
    return float(mask.voxels.sum() * np.prod(mask.grid.spacing))


def test_a_ball_has_its_volume_its_middle_and_its_images() -> None:
    volume = scan()
    mask = marked.ball(volume, CENTRE, 9.0, role="search region")
    assert volume_mm3(mask) == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.005)
    middle = mask.grid.to_patient(np.argwhere(mask.voxels)).mean(axis=0)
    assert middle == pytest.approx(CENTRE, abs=0.02)
    assert mask.role == "search region"
    assert mask.frame_of_reference_uid == volume.frame_of_reference_uid
    heights = mask.grid.slice_positions
    expected = [
        image.source
        for image, z in zip(volume.instances, volume.grid.slice_positions, strict=True)
        if heights[0] - 1e-6 <= z <= heights[-1] + 1e-6
    ]
    assert list(mask.source_instances) == expected


@pytest.mark.parametrize("uneven", [False, True])
def test_a_ball_on_a_tilted_or_uneven_stack_is_round_in_the_patient(uneven: bool) -> None:
    volume = tilted(uneven=uneven)
    centre = volume.grid.to_patient([20, 55, 50])
    mask = marked.ball(volume, centre, 8.0, role="ball")
    assert (mask.on(volume.grid) == by_every_voxel(volume, centre, 8.0)).all()


def test_a_box_has_its_size_whichever_corners_name_it() -> None:
    volume = scan()
    low, high = CENTRE - [6.0, 5.0, 4.0], CENTRE + np.array([6.0, 5.0, 4.0])
    mask = marked.box(volume, low, high, role="box")
    assert volume_mm3(mask) == pytest.approx(12 * 10 * 8, rel=0.11)
    swapped = marked.box(volume, (low[0], high[1], low[2]), (high[0], low[1], high[2]),
                         role="box")  # fmt: skip
    assert swapped == mask
    at = mask.grid.to_patient(np.argwhere(mask.voxels))
    assert (at >= low - 1e-6).all()
    assert (at <= high + 1e-6).all()


def test_an_outline_becomes_a_prism() -> None:
    volume = scan()
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = CENTRE + 8.0 * np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=-1)
    mask = marked.prism(volume, circle, 6.0, role="drawn")
    area = 0.5 * 40 * np.sin(2 * np.pi / 40) * 8.0**2
    slices = np.abs(volume.grid.slice_positions - CENTRE[2]) <= 3.0 + 1e-6
    expected = area * 0.8 * slices.sum()
    assert volume_mm3(mask) == pytest.approx(expected, rel=0.01)
    # A concave outline keeps its notch.
    corners = [(-5, -5, 0), (5, -5, 0), (5, 5, 0), (0, -3, 0), (-5, 5, 0)]
    notch = CENTRE + np.array(corners)
    middle = np.round(volume.grid.to_index(CENTRE + np.array([0, 2, 0]))).astype(int)
    kept = marked.prism(volume, notch, 2.0, role="drawn").on(volume.grid)
    assert not kept[tuple(middle)]
    assert kept[tuple(middle - [0, 14, 0])]


def test_an_array_keeps_its_voxels_and_names_its_images() -> None:
    volume = scan()
    voxels = np.zeros(volume.grid.shape, dtype=bool)
    voxels[3:6, 10:20, 7] = True
    mask = marked.from_voxels(volume, voxels, role="drawn")
    assert (mask.on(volume.grid) == voxels).all()
    assert mask.source_instances == tuple(v.source for v in volume.instances[3:6])


def test_a_resampled_volume_names_the_images_its_slices_lie_between() -> None:
    volume = scan()
    fine = volume.rectified((0.3, 0.5, 0.4))
    mask = marked.ball(fine, CENTRE, 3.0, role="ball")
    low, high = CENTRE[2] - 3.0, CENTRE[2] + 3.0
    at = [image.position[2] for image in volume.instances
          if image.position and image.source in mask.source_instances]  # fmt: skip
    assert min(at) == pytest.approx(low, abs=0.8)
    assert max(at) == pytest.approx(high, abs=0.8)


def test_a_volume_without_images_gives_a_mask_without_sources() -> None:
    bare = replace(scan(), instances=(), frame_of_reference_uid="")
    mask = marked.ball(bare, CENTRE, 3.0, role="ball")
    assert (mask.source_instances, mask.frame_of_reference_uid) == ((), "")


def test_a_shape_outside_the_image_is_refused_with_where_the_image_is() -> None:
    volume = scan()
    with pytest.raises(OsteotraceError, match="outside the image"):
        marked.ball(volume, (500, 0, 0), 3.0, role="ball", cut_at_edge=True)
    with pytest.raises(OsteotraceError, match="outside the image"):
        marked.box(volume, (400, 0, 0), (420, 9, 9), role="box")
    with pytest.raises(OsteotraceError, match=r"between \(-14\.8, "):
        marked.ball(volume, (500, 0, 0), 3.0, role="ball")


def test_a_shape_that_reaches_out_is_refused_unless_it_may_be_cut() -> None:
    volume = scan()
    edge = CENTRE + np.array([17.0, 0.0, 0.0])
    with pytest.raises(OsteotraceError, match="reaches out of the image"):
        marked.ball(volume, edge, 6.0, role="ball")
    cut = marked.ball(volume, edge, 6.0, role="ball", cut_at_edge=True)
    assert (cut.on(volume.grid) == by_every_voxel(volume, edge, 6.0)).all()


@pytest.mark.parametrize("volume", [scan(), tilted(), tilted(uneven=True)])
def test_a_box_that_may_be_cut_may_have_its_middle_outside(volume: Volume) -> None:
    corner = volume.grid.to_patient((np.array(volume.grid.shape) - 1) * 0.8)
    far = corner + np.array([60.0, 60.0, 60.0])
    with pytest.raises(OsteotraceError, match="lies outside the image"):
        marked.box(volume, corner, far, role="box")
    cut = marked.box(volume, corner, far, role="box", cut_at_edge=True)
    index = np.moveaxis(np.indices(volume.grid.shape), 0, -1)
    expected = (volume.grid.to_patient(index) >= corner - 1e-6).all(axis=-1)
    assert (cut.on(volume.grid) == expected).all()
    with pytest.raises(OsteotraceError, match="lies outside the image"):
        marked.box(volume, far, far + 5, role="box", cut_at_edge=True)


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), float("inf")])
def test_a_ball_without_a_size_is_refused(radius: float) -> None:
    with pytest.raises(OsteotraceError, match="radius"):
        marked.ball(scan(), CENTRE, radius, role="ball")


def test_a_shape_between_voxel_centres_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="no voxel centre"):
        marked.ball(scan(), CENTRE + np.array([0, 0, 0.001]), 0.02, role="ball")


def test_points_that_are_no_points_are_refused() -> None:
    with pytest.raises(OsteotraceError, match="finite patient coordinates"):
        marked.ball(scan(), (0.0, float("nan"), 0.0), 3.0, role="ball")
    with pytest.raises(OsteotraceError, match="all in one plane"):
        marked.prism(scan(), CENTRE + np.eye(3)[[0, 1, 2, 0]] * [[9], [9], [9], [-9]],
                     2.0, role="drawn")  # fmt: skip
    with pytest.raises(OsteotraceError, match="all in one plane"):
        marked.prism(scan(), [CENTRE, CENTRE + 1.0], 2.0, role="drawn")


def test_an_array_of_another_shape_or_kind_is_refused() -> None:
    volume = scan()
    with pytest.raises(OsteotraceError, match="of bool, as the image"):
        marked.from_voxels(volume, np.ones((2, 3, 4), dtype=bool), role="drawn")
    with pytest.raises(OsteotraceError, match="of bool, as the image"):
        marked.from_voxels(volume, np.ones(volume.grid.shape, np.uint8), role="drawn")
    with pytest.raises(OsteotraceError, match="empty mask"):
        marked.from_voxels(volume, np.zeros(volume.grid.shape, bool), role="drawn")
