"""A plane through three landmarks: where it lies, what it holds, what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fixtures.stacks import (
    ALL_KINDS,
    IRREGULAR,
    ramp_at,
    ramp_on,
    stack,
    volume_on,
    voxel_centres,
)

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import angle_deg, patient_letters
from osteotrace.phantoms.in_memory import as_volume
from osteotrace.phantoms.palates import Palate, clean_image
from osteotrace.phantoms.rendering import Pose
from osteotrace.volume import planes
from osteotrace.volume.planes import along_plane, plane_through

if TYPE_CHECKING:
    from osteotrace.geometry import Grid
    from osteotrace.volume import Volume

# A plane that lies along no axis of any of the stacks.
LANDMARKS = np.array([[1.0, -9.0, 4.0], [-2.0, 8.0, 5.0], [3.0, 1.0, -8.0]])
# Anterior and posterior end of the palate, and the vault above, anatomical mm.
MIDLINE = np.array([[0.0, -18.0, -2.0], [0.0, 19.0, 2.0], [0.0, 6.0, 12.0]])
TURNED = Pose.turned(pitch_deg=9.0, roll_deg=12.0, yaw_deg=-7.0, origin=(1.0, -2.0, 0.5))


@pytest.fixture(scope="module")
def palate() -> Volume:
    """Return a palate whose halves are alike, in a head that is turned, CT of 0.7 mm."""
    values, grid = clean_image(
        Palate(texture=0.0), spacing_mm=(0.7, 0.7, 0.7), pose=TURNED
    )
    return as_volume(values, grid)


@pytest.fixture(scope="module")
def midsagittal(palate: Volume) -> Volume:
    return along_plane(palate, TURNED.to_patient(MIDLINE))


def middle_of(grid: Grid) -> int:
    return grid.shape[0] // 2


# Where the plane lies


@pytest.mark.parametrize("grid", ALL_KINDS.values(), ids=ALL_KINDS.keys())
def test_the_middle_slice_holds_the_landmarks(grid: Grid) -> None:
    plane = along_plane(ramp_on(grid), LANDMARKS).grid
    assert plane.shape[0] % 2 == 1
    at = plane.to_index(LANDMARKS)
    assert at[:, 0] == pytest.approx(middle_of(plane), abs=1e-9)
    assert plane.contains(LANDMARKS).all()


@pytest.mark.parametrize("grid", ALL_KINDS.values(), ids=ALL_KINDS.keys())
def test_the_slices_cover_the_volume_at_its_finest_spacing(grid: Grid) -> None:
    plane = along_plane(ramp_on(grid), LANDMARKS).grid
    assert plane.spacing == pytest.approx(np.full(3, 0.4))
    assert plane.contains(voxel_centres(grid)).all()


def test_midline_landmarks_of_a_turned_head_give_its_midsagittal_plane(
    midsagittal: Volume,
) -> None:
    true_left = TURNED.direction([1.0, 0.0, 0.0])
    assert angle_deg(midsagittal.grid.normal, -true_left) < 1e-6


def test_a_midsagittal_picture_is_held_as_radiologists_hold_it(
    midsagittal: Volume,
) -> None:
    grid = midsagittal.grid
    assert patient_letters(grid.row_direction)[0] == "P"
    assert patient_letters(-grid.column_direction)[0] == "S"
    letters = "".join(
        patient_letters(way)[0]
        for points in (
            [[0, 0, 0], [10, 0, 1], [0, 10, 1]],
            [[0, 0, 0], [10, 1, 0], [0, 1, 10]],
        )
        for plane in [plane_through(points)]
        for way in (plane.row_direction, plane.column_direction)
    )
    assert letters == "LP" + "LI"


def test_the_halves_of_a_turned_palate_mirror_each_other_across_its_plane(
    palate: Volume, midsagittal: Volume
) -> None:
    def halves_differ_by(volume: Volume) -> float:
        grid, mid = volume.grid, middle_of(volume.grid)
        offsets = range(2, 16)
        sides = [(mid - k, mid + k) for k in offsets]
        inside = palate.grid.contains(voxel_centres(grid))
        differences = [
            np.abs(volume.voxels[a] - volume.voxels[b])[inside[a] & inside[b]].mean()
            for a, b in sides
        ]
        return float(np.mean(differences))

    along_the_table = along_plane(palate, MIDLINE)
    # What is left is the rounding of voxels; across the table's own plane it is anatomy.
    assert halves_differ_by(midsagittal) < 15.0
    assert halves_differ_by(along_the_table) > 100.0


# What it holds


@pytest.mark.parametrize("grid", ALL_KINDS.values(), ids=ALL_KINDS.keys())
def test_a_linear_field_is_the_same_field_on_the_plane(grid: Grid) -> None:
    resampled = along_plane(ramp_on(grid), LANDMARKS)
    places = voxel_centres(resampled.grid)
    index = grid.to_index(places)
    inside = ((index >= 0) & (index <= np.array(grid.shape) - 1)).all(axis=-1)
    assert inside.mean() > 0.15
    assert np.abs(resampled.voxels - ramp_at(places))[inside].max() < 2e-3


@pytest.mark.parametrize("grid", IRREGULAR.values(), ids=IRREGULAR.keys())
def test_what_lies_outside_the_scan_holds_its_lowest_value(grid: Grid) -> None:
    source = ramp_on(grid)
    resampled = along_plane(source, LANDMARKS)
    outside = ~grid.contains(voxel_centres(resampled.grid))
    lowest = np.float32(source.voxels.min())
    assert (resampled.voxels[outside] == lowest).mean() > 0.99
    assert f"{lowest:g}" in resampled.notes[-1]


def test_it_says_what_was_done_and_where_its_images_are() -> None:
    source = ramp_on(stack(oblique=True))
    resampled = along_plane(source, LANDMARKS)
    assert resampled.source_grid is source.grid
    assert resampled.instances == source.instances
    assert resampled.frame_of_reference_uid == source.frame_of_reference_uid
    assert resampled.unit == source.unit
    assert (
        "plane through three landmarks, 0.4 mm apart, 0.4 mm in plane"
        in (resampled.notes[-1])
    )
    at = round(float(source.grid.to_index(LANDMARKS[0])[0]))
    assert resampled.slices_between(LANDMARKS[:1]) == source.instances[at : at + 1]


def test_the_first_scan_stays_the_source_of_one_that_was_resampled_before() -> None:
    source = ramp_on(IRREGULAR["tilted by +14° about rows"])
    resampled = along_plane(source.rectified(), LANDMARKS)
    assert resampled.source_grid is source.grid
    assert len(resampled.notes) == 2


def test_an_error_of_a_landmark_is_said_as_a_turn_of_the_plane() -> None:
    # The third lies 10 mm from the line through the others: 1 mm there is atan(1/10).
    plane = plane_through([[0, 0, 0], [0, 40, 0], [0, 20, 10]])
    assert plane.tilt_deg_per_mm == pytest.approx(5.711, abs=1e-3)


# Memory


@pytest.mark.parametrize("most", [400_000, 60_000])
def test_no_more_voxels_are_made_than_allowed_and_it_is_said(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planes, "MOST_VOXELS", most)
    grid = stack()
    resampled = along_plane(ramp_on(grid), LANDMARKS)
    assert resampled.voxels.size <= most
    assert resampled.grid.contains(voxel_centres(grid)).all()
    at = resampled.grid.to_index(LANDMARKS)[:, 0]
    assert at == pytest.approx(middle_of(resampled.grid), abs=1e-9)
    step, within = resampled.grid.spacing[:2]
    # Fewer slices first: the picture in the plane keeps its sharpness as long as it can.
    assert step / within <= planes.WIDEST_STEP + 1e-9
    if most == 400_000:
        assert within == pytest.approx(0.4)
        assert step > 0.4
    else:
        assert within > 0.4
        assert "coarser than the scan's 0.4 mm" in resampled.notes[-1]


# What it refuses


@pytest.mark.parametrize(
    "landmarks",
    [
        [[0, 0, 0], [0, 5, 0], [0, 10, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 10, 0]],
        [[1, 1, 1]] * 3,
        [[0, 0, 0], [0, 10, 0], [1.9, 5, 0]],
        # A share of the distance: 2.5 mm aside on 150 mm.
        [[0, 0, 0], [0, 150, 0], [2.5, 75, 0]],
    ],
)
def test_landmarks_in_a_line_make_no_plane(landmarks: list[list[float]]) -> None:
    with pytest.raises(OsteotraceError, match="nearly in a line"):
        plane_through(landmarks)


@pytest.mark.parametrize(
    "landmarks", [[[0, 0, 0], [0, 5, 0]], [[0, 0], [0, 5], [5, 0]], [[0, 0, np.nan]] * 3]
)
def test_what_is_no_three_points_is_refused(landmarks: list[list[float]]) -> None:
    with pytest.raises(OsteotraceError, match="expected three points"):
        plane_through(landmarks)


def test_a_landmark_outside_the_scan_is_refused() -> None:
    volume = ramp_on(stack())
    with pytest.raises(OsteotraceError, match="a landmark outside the scan"):
        along_plane(volume, [*LANDMARKS[:2], [0.0, 0.0, 400.0]])


def test_one_slice_has_no_planes_across_it() -> None:
    grid = stack([0.0])
    volume = volume_on(grid, ramp_at(voxel_centres(grid)))
    with pytest.raises(OsteotraceError, match="a single slice"):
        along_plane(volume, [[0, 0, 0], [0, 5, 0], [5, 0, 0]])
