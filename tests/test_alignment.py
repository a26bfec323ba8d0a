"""Two studies laid over each other: found from afar, with an honest error, or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from osteotrace.alignment import RigidTransform, align, laid_over, pair_of
from osteotrace.errors import OsteotraceError
from osteotrace.phantoms.in_memory import noisy, straight_grid
from osteotrace.phantoms.moved_motions import motions, refusals
from osteotrace.phantoms.moved_studies import moved_pair
from osteotrace.phantoms.rendering import Pose
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from osteotrace.alignment import Alignment
    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

CENTRE = np.array([4.0, -9.0, 30.0])
AT_REST = Pose.turned(origin=CENTRE.tolist())


def skull(points: Array, *, seed: int = 3, mr: bool = False) -> Array:
    """Return the grey values of soft tissue with forty bones of its own kind."""
    random = np.random.default_rng(seed)
    centres, radii = random.uniform(-26, 26, (40, 3)), random.uniform(2.5, 7, 40)
    grey = np.zeros(len(points))
    body = 1 / (1 + np.exp((np.linalg.norm(points / [1, 0.9, 1.1], axis=1) - 33) / 0.5))
    grey += (110 if mr else 1040) * body
    for number, (centre, radius) in enumerate(zip(centres, radii, strict=True)):
        near = np.linalg.norm(points - centre, axis=1)
        inside = body / (1 + np.exp((near - radius) / 0.5))
        value = (15.0, 260.0)[number % 2] if mr else (1900.0, 1350.0)[number % 2]
        grey += inside * (value - grey)
    return grey if mr else grey - 1000


def scan(
    pose: Pose,
    frame: str,
    *,
    spacing: tuple[float, float, float] = (1.4, 1.1, 1.1),
    extent: tuple[float, float, float] = (74, 70, 76),
    shift: tuple[float, float, float] = (0, 0, 0),
    seed: int = 3,
    mr: bool = False,
    larger: float = 0.0,
) -> Volume:
    """Return a scan of the head at a pose, larger by a share about its middle."""
    grid = straight_grid(extent, spacing, centre=(pose.origin + shift).tolist())
    index = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
    own = pose.to_anatomy(grid.to_patient(index)).T / (1 + larger)
    clean = skull(own, seed=seed, mr=mr)
    volume = noisy(
        clean.reshape(grid.shape),
        grid,
        noise=8.0 if mr else 25.0,
        modality="MR" if mr else "CT",
        seed=int(frame[-1]),
    )
    return replace(volume, frame_of_reference_uid=frame)


def turned(degrees: float) -> Pose:
    axis = np.array([0.48, -0.6, 0.64])
    angle = np.radians(degrees)
    cross = np.cross(np.eye(3), axis)
    turn = np.eye(3) - np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return Pose(rotation=turn, origin=np.array([-20.0, 14.0, 55.0]))


def target_error(found: Alignment, pose: Pose) -> float:
    """Return how far bones end from their true places at most, mm."""
    own = np.random.default_rng(5).uniform(-26, 26, (200, 3))
    there = found.transform.apply(AT_REST.to_patient(own))
    return float(np.linalg.norm(there - pose.to_patient(own), axis=1).max())


@pytest.fixture(scope="module")
def before() -> Volume:
    return scan(AT_REST, "2.25.1001")


@pytest.fixture(scope="module")
def found(before: Volume) -> Alignment:
    return align(before, scan(turned(52), "2.25.1002", spacing=(1.0, 1.2, 1.2)))


def test_a_large_turn_is_found_to_hundredths_of_a_millimetre(found: Alignment) -> None:
    assert target_error(found, turned(52)) <= 0.05
    assert found.transform.rotation_deg == pytest.approx(52, abs=0.1)
    assert (found.transform.from_frame_uid, found.transform.to_frame_uid) == (
        "2.25.1001",
        "2.25.1002",
    )


def test_the_record_tells_how_the_result_is_known(found: Alignment) -> None:
    assert found.pair == "CT-CT"
    assert found.similarity > found.floor
    assert len(found.starts) >= 3
    assert found.starts[0].apart_mm == 0.0
    assert max(start.apart_mm for start in found.starts) <= found.agreement_mm <= 0.3
    assert 0 < found.u_mm < 0.05
    assert found.uncertainty_at(found.centre) == pytest.approx(found.u_mm)


def test_a_head_that_grew_is_told_and_widens_the_error(
    before: Volume, found: Alignment
) -> None:
    """One rigid transform leaves bones off by 1.2 % of their way from the middle."""
    share, pose = 0.012, turned(6)
    grown = align(before, scan(pose, "2.25.1011", larger=share))
    assert "1.2 % larger: has the patient grown?" in grown.notes[-1]
    own = np.random.default_rng(5).uniform(-19, 19, (200, 3))
    off = grown.transform.apply(AT_REST.to_patient(own))
    off -= pose.to_patient((1 + share) * own)
    of_one_axis = float(np.sqrt((off**2).mean()))
    assert of_one_axis < grown.u_mm < 2 * of_one_axis
    assert not found.notes
    assert grown.u_mm > 5 * found.u_mm


@pytest.mark.slow
def test_little_overlap_is_enough(before: Volume) -> None:
    pose = turned(14)
    later = scan(pose, "2.25.1004", shift=(0, 0, 28))
    assert target_error(align(before, later), pose) <= 0.05


@pytest.mark.slow
def test_mr_is_laid_over_ct(before: Volume) -> None:
    pose = turned(20)
    later = scan(pose, "2.25.1005", spacing=(2.5, 1.0, 1.0), mr=True)
    both = align(before, later)
    assert both.pair == "CT-MR"
    assert target_error(both, pose) <= 0.5


def test_another_patient_is_refused_with_the_figures(before: Volume) -> None:
    with pytest.raises(OsteotraceError, match=r"correlation|places|%|apart") as refusal:
        align(before, scan(turned(5), "2.25.1006", seed=8))
    assert any(letter.isdigit() for letter in refusal.value.found)


def test_what_has_no_place_in_the_patient_is_refused(before: Volume) -> None:
    nowhere = replace(before, frame_of_reference_uid="")
    with pytest.raises(OsteotraceError, match="without a frame of reference"):
        align(before, nowhere)
    slab = before.cropped((slice(0, 1), slice(0, 20), slice(0, 20)))
    localizer = replace(slab, frame_of_reference_uid="2.25.1007")
    with pytest.raises(OsteotraceError, match="1 slices"):
        align(before, localizer)


def test_a_mask_of_a_third_study_is_refused(before: Volume) -> None:
    later = replace(before, frame_of_reference_uid="2.25.1008")
    foreign = ball(before, radius=5, frame="2.25.999")
    with pytest.raises(OsteotraceError, match=r"2\.25\.999"):
        align(before, later, region=foreign)
    with pytest.raises(OsteotraceError, match=r"2\.25\.999"):
        align(before, later, left_out=[foreign])


def test_one_frame_of_reference_is_not_registered(before: Volume) -> None:
    same = align(before, before)
    assert pair_of(before, before) == same.pair == "same frame"
    assert (same.transform.rotation == np.eye(3)).all()


def ball(volume: Volume, *, radius: float, frame: str = "") -> Mask:
    grid = volume.grid
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    away = np.linalg.norm(grid.to_patient(index) - CENTRE, axis=-1)
    return Mask.of(
        away <= radius,
        grid,
        role="bone",
        frame_of_reference_uid=frame or volume.frame_of_reference_uid,
    )


def test_a_bone_that_moved_by_itself_is_followed_near_where_the_rest_lies(
    before: Volume,
) -> None:
    """The true place of the bone is 1.6 mm and 2° off what the whole image says."""
    own = Pose(
        rotation=Pose.turned(yaw_deg=2).rotation @ turned(10).rotation,
        origin=turned(10).origin + np.array([1.0, -0.8, 0.8]),
    )
    around = msgspec.structs.replace(
        align(before, before), transform=true_transform(turned(10), "2.25.1009")
    )
    later, bone = scan(own, "2.25.1009"), ball(before, radius=19)
    local, again = (
        align(before, later, region=bone, around=around, name="mandible")
        for _ in range(2)
    )
    assert local.region == "mandible"
    near = AT_REST.to_patient(np.random.default_rng(2).uniform(-9, 9, (50, 3)))
    off = local.transform.apply(near) - own.to_patient(near - CENTRE)
    assert np.linalg.norm(off, axis=1).max() <= 0.1
    # The same images give the same bits.
    assert msgspec.json.encode(local) == msgspec.json.encode(again)


def true_transform(pose: Pose, frame: str) -> RigidTransform:
    return RigidTransform.of(
        pose.rotation,
        pose.origin - pose.rotation @ CENTRE,
        from_frame_uid="2.25.1001",
        to_frame_uid=frame,
    )


def test_the_later_images_are_laid_over_the_earlier_ones_to_look_at(
    before: Volume,
) -> None:
    pose = turned(17)
    later = scan(pose, "2.25.1010")
    transform = true_transform(pose, "2.25.1010")
    laid = laid_over(later, before.grid, transform)
    assert laid.grid is before.grid
    assert laid.frame_of_reference_uid == "2.25.1001"
    middle = (slice(10, 40),) * 3
    both = np.corrcoef(laid.voxels[middle].ravel(), before.voxels[middle].ravel())
    assert both[0, 1] > 0.97
    assert "looked at" in laid.notes[-1]
    with pytest.raises(OsteotraceError, match="where the transform ends"):
        laid_over(before, before.grid, transform)


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 7])
def test_a_spine_that_shows_other_levels_is_refused(number: int) -> None:
    """Vertebrae look alike: one level off is the classic wrong answer."""
    pair = moved_pair(refusals(10)[number])
    with pytest.raises(OsteotraceError) as refusal:
        align(pair.earlier, pair.later)
    assert "%" in refusal.value.found


@pytest.mark.slow
def test_a_fit_that_stopped_on_its_way_is_no_other_place() -> None:
    """Fitted finer, the rival of this pair runs to the best place."""
    pair = moved_pair(motions()[22])
    found = align(pair.earlier, pair.later, left_out=[pair.lesion])
    assert np.linalg.norm(pair.errors(found.transform), axis=1).max() <= 0.5
