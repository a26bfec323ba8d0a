"""The noise transplant against what repeats show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace.measurements import edges, noise
from osteotrace.measurements.profiles import Sampler, line_between
from osteotrace.phantoms.walls import Walls, photograph

if TYPE_CHECKING:
    from osteotrace.volume import Volume


def edge_of(walls: Walls, seed: int) -> tuple[Volume, edges.Edge, float]:
    """Return the volume, its first edge, and the transplanted uncertainty."""
    volume = photograph(walls, seed=seed)
    start, end = walls.edges()
    line = line_between(start, end, towards=volume.grid.normal)
    bundle = Sampler(volume, [start, end], 8.0).bundle(line, (-6.0, 18.0), 0.2, 1.0, 5)
    found = edges.candidates(bundle, 0.0)
    edge = edges.fit(bundle, max(found, key=lambda c: c.score(0.0)))
    assert edge is not None
    blocks = noise.homogeneous_blocks(
        volume, np.zeros(3), floor=-200.0, residual=edge.residual
    )
    assert len(blocks.centres)
    return volume, edge, noise.transplant(blocks, line, edge, seed=1)


@pytest.mark.parametrize("fwhm", [(0.0, 0.0, 0.0), (1.3, 1.6, 1.6)])
def test_the_transplant_predicts_the_spread_of_repeats(
    fwhm: tuple[float, float, float],
) -> None:
    walls = Walls(correlation_fwhm_mm=fwhm)
    repeats = [edge_of(walls, seed) for seed in range(24)]
    spread = np.std([edge.t for _, edge, _ in repeats], ddof=1)
    predicted = np.sqrt(np.mean([u**2 for _, _, u in repeats]))
    # 24 repeats know their own SD to 15 %.
    assert predicted == pytest.approx(spread, rel=0.40)


def test_blocks_hold_the_noise_of_the_image_and_no_wall() -> None:
    walls = Walls(noise=25.0)
    volume = photograph(walls, seed=2)
    blocks = noise.homogeneous_blocks(volume, np.zeros(3), floor=-200.0, residual=25.0)
    assert blocks.standard_deviation == pytest.approx(25.0, rel=0.05)
    clear = walls.gap_mm / 2 + walls.depth_mm + noise.BLOCK_MM / 2
    assert (np.abs(blocks.centres[:, 1]) > clear - 1.0).all()


def test_an_image_of_structure_only_has_no_homogeneous_block() -> None:
    walls = Walls(noise=5.0)
    volume = photograph(walls, seed=2)
    blocks = noise.homogeneous_blocks(volume, np.zeros(3), floor=500.0, residual=5.0)
    assert len(blocks.centres) == 0
    assert np.isnan(blocks.standard_deviation)
