"""Planes of one volume on another grid: read part by part, and the same as the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.fixtures.pairs import pose
from tests.fixtures.stacks import ALL_KINDS, ramp_at, ramp_on, stack, voxel_centres

from osteotrace.alignment import moved_grid
from osteotrace.errors import OsteotraceError
from osteotrace.volume.laid_planes import LaidPlanes
from osteotrace.volume.signal_ratio import signal_ratio

PARTS: tuple[Any, ...] = (
    16,
    -1,
    (slice(None), 30),
    (..., 44),
    (slice(10, 15), slice(3, 60, 2), 20),
    slice(4, 6),
)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("oblique", "straight"),
        ("oblique and tilted", "oblique, tilted and uneven"),
        ("oblique, tilted and uneven", "tilted by +14° about rows"),
    ],
)
def test_a_part_holds_the_values_of_its_places_whatever_the_stacks(
    source: str, target: str
) -> None:
    grid = ALL_KINDS[source]
    laid = moved_grid(ALL_KINDS[target], pose(9.0, (1.0, -2.0, 3.0)))
    volume = ramp_on(grid)
    planes = LaidPlanes(volume.voxels.astype(np.float32), grid, laid)
    centres = voxel_centres(laid)
    for part in PARTS:
        values = planes[part]
        places = np.stack([centres[..., k][part] for k in range(3)], axis=-1)
        assert values.shape == places.shape[:-1]
        index = grid.to_index(places)
        last = np.array(grid.shape) - 1
        between = ((index >= 0) & (index <= last)).all(axis=-1)
        assert np.isfinite(values[between]).all()
        assert np.abs(values - ramp_at(places))[between].max(initial=0.0) < 0.02
        far = ((index < -0.51) | (index > last + 0.51)).any(axis=-1)
        assert np.isnan(values[far]).all()


def test_stored_integers_are_sampled_between_and_never_changed() -> None:
    for name in ("straight", "uneven"):
        grid = ALL_KINDS[name]
        stored = np.round(ramp_on(grid).voxels).astype(np.int16)
        stored.setflags(write=False)
        planes = LaidPlanes(stored, grid, moved_grid(grid, pose(3.0, (0.1, 0.2, 0.3))))
        seen = planes[16]
        assert seen.dtype == planes.dtype
        assert np.abs(seen - np.round(seen))[np.isfinite(seen)].max() > 0.1


def test_a_part_that_was_read_is_kept_and_cannot_be_written() -> None:
    grid = stack()
    planes = LaidPlanes(ramp_on(grid).voxels, grid, grid)
    first = planes[3]
    assert np.shares_memory(planes[3], first)
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1.0
    assert (len(planes), planes.shape, planes.size) == (33, grid.shape, 33 * 76 * 90)
    with pytest.raises(IndexError):
        planes[33]


def test_the_factor_between_two_mr_images_is_that_of_the_tissue_that_stayed() -> None:
    rng = np.random.default_rng(5)
    first = np.where(rng.random(4000) < 0.5, 200.0, 5.0) + rng.normal(0, 3, 4000)
    second = 2.5 * first + rng.normal(0, 3, 4000)
    second[:300] *= 3.0
    second[-50:] = np.nan
    assert signal_ratio(first, second) == pytest.approx(0.4, rel=0.01)
    with pytest.raises(OsteotraceError, match="places with signal in both"):
        signal_ratio(first[:80], second[:80])
    with pytest.raises(OsteotraceError, match="0 places with signal"):
        signal_ratio(first, np.full(4000, np.nan))
