"""How long each measurement takes, beside the caliper on the same machine in one run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

from families import vertebra as vertebra_family
from families.table import FIRST_SEED, OURS, Row
from osteotrace.measurements import caliper, palate, sequestra, vertebra
from osteotrace.phantoms import fragments
from osteotrace.phantoms.in_memory import noisy, straight_grid, true_mask
from osteotrace.phantoms.palates import Palate, clean_image
from osteotrace.phantoms.rendering import Pose, render
from osteotrace.phantoms.shapes import ellipsoid
from osteotrace.phantoms.walls import Walls, photograph

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILY: Final = "speed"
# Each is run once to warm up and then so often; the median is given.
RUNS: Final = 9


def rows(repeats: int) -> list[Row]:
    """Return one row a measurement; ``repeats`` bounds the runs of each."""
    runs = max(3, min(RUNS, repeats))
    return [
        _row("caliper, value alone", 5, _caliper(quick=True), runs),
        _row("caliper with its uncertainty", 50, _caliper(quick=False), runs),
        _row("vertebra, 1 mm CT", 100, _vertebra(), runs),
        _row("palatal defect", 1000, _palate(), runs),
        _row("sequestra, 40 mm region", 1000, _sequestra(), runs),
    ]


def _row(what: str, most_ms: float, run: Callable[[], object], runs: int) -> Row:
    run()
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        spent.append(1000 * (time.perf_counter() - start))
    median = float(np.median(spent))
    return Row(
        family=FAMILY,
        quantity="time",
        condition=what,
        method=OURS,
        reached=f"{median:.3g} ms (median of {runs})",
        goal=f"≤ {most_ms:g} ms",
        met=median <= most_ms,
    )


def _caliper(*, quick: bool) -> Callable[[], object]:
    walls = Walls()
    volume, (start, end) = photograph(walls), walls.edges()
    aside = np.array([0.4, 0.6, -0.3])
    return lambda: caliper.measure(volume, start + aside, end - aside, quick=quick)


def _vertebra() -> Callable[[], object]:
    spacing, modality = next(iter(vertebra_family.CONDITIONS.values()))
    case = vertebra_family.make_case(1, spacing, modality)
    volume = noisy(case.clean, case.grid, noise=30.0)
    return lambda: vertebra.from_mask(case.mask, level="L1", volume=volume)


def _palate() -> Callable[[], object]:
    shape = Palate(radii_mm=(4.92, 4.92), thickness_mm=2.5)
    pose = Pose.turned()
    image, grid = clean_image(shape, spacing_mm=(0.6, 0.45, 0.45), pose=pose)
    volume = noisy(image, grid, noise=30.0)
    inside = pose.to_patient((0.0, 0.0, 0.0))
    return lambda: palate.bony_gap(volume, inside)


def _sequestra() -> Callable[[], object]:
    scene = fragments.scene(FIRST_SEED, count=5, diameters_mm=(3.5, 12.0))
    grid = straight_grid((46.0, 46.0, 46.0), (0.6, 0.45, 0.45), centre=(0.0, 0.0, 0.0))
    image = render(
        scene.parts, scene.levels, grid, Pose.turned(),
        background="soft tissue", psf_sigma_mm=(0.6, 0.6, 0.6), subsamples=(2, 2, 2),
    )  # fmt: skip
    volume = noisy(image, grid, noise=30.0)
    ball = ellipsoid((0.0, 0.0, 0.0), (20.0, 20.0, 20.0))
    region = true_mask(ball, grid, role="region")
    return lambda: sequestra.find(volume, region)
