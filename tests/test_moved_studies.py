"""Pairs of studies with a known motion: what is said of them is what the voxels show."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace.phantoms import moved_studies
from osteotrace.phantoms.moved_motions import (
    BANDS_DEG,
    CASES,
    MOST_LOST,
    REFUSALS,
    Motion,
    motions,
    refusals,
)
from osteotrace.phantoms.moved_scenes import scenes
from osteotrace.phantoms.moved_studies import MovedPair, moved_pair

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def coarse() -> Iterator[None]:
    """Voxels of 3 mm: the geometry is the same, the rendering is quicker."""
    voxels = {
        "CT": ((3.0, 2.8, 2.8), (2.9, 3.0, 3.0)),
        "MR": ((3.2, 3.0, 3.0), (3.0, 2.9, 3.0)),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moved_studies, "VOXELS", voxels)
        moved_studies._earlier_of.cache_clear()
        moved_studies._earlier_image.cache_clear()
        yield
    moved_studies._earlier_of.cache_clear()
    moved_studies._earlier_image.cache_clear()


@pytest.fixture(scope="module")
def knee(coarse: None) -> MovedPair:
    return moved_pair(of_scene("knee", ("CT", "CT")))


def of_scene(scene: str, modalities: tuple[str, str]) -> Motion:
    return next(
        motion
        for motion in motions()
        if motion.scene == scene and motion.modalities == modalities
    )


def test_every_band_of_rotation_has_its_share_and_no_more_is_lost_than_said() -> None:
    found = motions()
    assert len(found) == CASES
    bands = Counter(
        next(k for k, (low, high) in enumerate(BANDS_DEG) if low <= m.rotation_deg < high)
        for m in found
    )
    assert set(bands.values()) == {CASES // len(BANDS_DEG)}
    assert all(0 <= motion.lost <= MOST_LOST for motion in found)
    assert {motion.pair for motion in found} == {"CT-CT", "CT-MR", "MR-MR"}


def test_a_dozen_pairs_are_a_mixture_already() -> None:
    first = motions(12)
    assert {motion.pair for motion in first} == {"CT-CT", "CT-MR", "MR-MR"}
    assert len({motion.scene for motion in first}) == 4
    assert first == motions()[:12]


def test_each_reason_to_refuse_comes_in_turn() -> None:
    assert Counter(motion.refusal for motion in refusals()) == dict.fromkeys(REFUSALS, 2)


def test_the_true_transform_has_the_rotation_and_joins_both_frames(
    knee: MovedPair,
) -> None:
    assert knee.transform.rotation_deg == pytest.approx(knee.motion.rotation_deg)
    assert knee.transform.from_frame_uid == knee.earlier.frame_of_reference_uid
    assert knee.transform.to_frame_uid == knee.later.frame_of_reference_uid
    assert knee.earlier.frame_of_reference_uid != knee.later.frame_of_reference_uid
    images = [{image.source for image in v.instances} for v in (knee.earlier, knee.later)]
    assert not images[0] & images[1]


def test_both_images_show_the_same_tissue_at_a_place_and_where_it_went(
    knee: MovedPair,
) -> None:
    from scipy.ndimage import map_coordinates

    def at(volume: str, points: np.ndarray) -> np.ndarray:
        image = getattr(knee, volume)
        index = image.grid.to_index(points)
        return np.asarray(map_coordinates(image.rescaled(), index.T, order=1))

    draw = np.random.default_rng(3)
    index = draw.uniform(1, np.array(knee.earlier.grid.shape) - 2, (4000, 3))
    points = knee.earlier.grid.to_patient(index)
    moved = knee.transform.apply(points)
    shared = knee.later.grid.contains(moved)
    apart = np.linalg.norm(points - knee.targets[0], axis=1)
    shared &= apart > scenes()["knee"].lesion.radius_mm
    found = np.corrcoef(at("earlier", points[shared]), at("later", moved[shared]))[0, 1]
    wrong = np.corrcoef(at("earlier", points[shared]), at("later", moved[shared] + 5))
    assert found > 0.9
    assert wrong[0, 1] < found - 0.1


def test_the_later_image_lacks_the_share_that_is_said(knee: MovedPair) -> None:
    index = np.stack(
        np.meshgrid(*[np.arange(n) for n in knee.earlier.grid.shape], indexing="ij"), -1
    )
    moved = knee.transform.apply(knee.earlier.grid.to_patient(index.reshape(-1, 3)))
    lost = 1 - knee.later.grid.contains(moved).mean()
    assert lost == pytest.approx(knee.motion.lost, abs=0.04)


def test_the_targets_begin_at_the_lesion_and_lie_in_both_images(knee: MovedPair) -> None:
    assert knee.earlier.grid.contains(knee.targets).all()
    assert knee.later.grid.contains(knee.transform.apply(knee.targets)).all()
    marked = knee.lesion.grid.to_patient(np.argwhere(knee.lesion.voxels)).mean(axis=0)
    assert marked == pytest.approx(knee.targets[0], abs=0.5)


def test_the_error_of_a_transform_is_read_at_the_targets(knee: MovedPair) -> None:
    assert knee.errors(knee.transform) == pytest.approx(0.0)
    matrix = np.array(knee.transform.matrix)
    matrix[0, 3] += 0.3
    shifted = type(knee.transform).of(
        matrix[:3, :3],
        matrix[:3, 3],
        from_frame_uid=knee.transform.from_frame_uid,
        to_frame_uid=knee.transform.to_frame_uid,
    )
    assert knee.errors(shifted) == pytest.approx(np.tile([0.3, 0, 0], (9, 1)))


def test_the_same_number_gives_the_same_studies_to_the_bit(
    knee: MovedPair, coarse: None
) -> None:
    again = moved_pair(knee.motion)
    assert again.transform == knee.transform
    assert (again.later.voxels == knee.later.voxels).all()
    other = moved_pair(replace(knee.motion, number=knee.motion.number + 400))
    assert other.transform != knee.transform


def test_without_overlap_the_later_image_holds_nothing_of_the_earlier(
    coarse: None,
) -> None:
    apart = next(m for m in refusals() if m.refusal == "no overlap")
    pair = moved_pair(apart)
    assert not pair.later.grid.contains(pair.transform.apply(pair.targets)).any()


def test_a_study_without_features_is_noise_alone(coarse: None) -> None:
    pair = moved_pair(next(m for m in refusals() if m.refusal == "featureless"))
    smooth = pair.earlier.rescaled()
    assert smooth[5:-5, 5:-5, 5:-5].std() < 60
