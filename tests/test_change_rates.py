"""How often a change is called: 5 % at most where nothing changed, nearly always else.

The short form of benchmarks/change.py; the long one is behind the marker.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import change as benchmark
import numpy as np
import pytest
from families import repeats

from osteotrace.change import change, site_repeatability
from osteotrace.measurements.measurement import Method, measured

if TYPE_CHECKING:
    from collections.abc import Callable

# Numbers of pairs that share two lesions and two poses: two scenes are rendered for each.
APART = repeats.LESIONS * repeats.POSES * (repeats.POSES - 1)
# Registered; nothing but the repeatability decides.
QUICK_GAP = repeats.SUBJECTS[1]


def numbers(count: int, *, first: int = 0) -> list[int]:
    return [APART * (first + k // 2) + k % 2 for k in range(count)]


@pytest.fixture(scope="module")
def kept() -> benchmark.Kept:
    return benchmark.Kept(None)


# A simulated site: normal errors, no images ------------------------------------------


def share_called(lesions: int, counts: Callable[..., float]) -> float:
    """The share of unchanged lesions that 1,000 sites of so many lesions call changed."""
    draw = np.random.default_rng(8)
    called = []
    for _ in range(1000):
        twice = draw.normal(10.0, 0.4, (lesions, 2))
        limit = counts(site_repeatability("distance", twice.tolist(), "mm"))
        called.append(abs(float(np.diff(draw.normal(10.0, 0.4, 2))[0])) > limit)
    return float(np.mean(called))


@pytest.mark.parametrize("lesions", [3, 10])
def test_a_site_of_few_lesions_calls_5_percent_of_the_unchanged_changed(
    lesions: int,
) -> None:
    found = share_called(lesions, lambda site: site.counted)
    # 1,000 draws: a standard error of 0.7 %.
    assert found == pytest.approx(0.05, abs=0.021)


def test_its_coefficient_alone_would_call_more() -> None:
    """Student's t with 3 degrees of freedom is beyond 1.96 in 14.5 %."""
    found = share_called(3, lambda site: site.coefficient)
    assert found == pytest.approx(0.145, abs=0.033)


def test_what_counts_nears_the_coefficient_as_lesions_are_read_twice() -> None:
    draw = np.random.default_rng(9)
    ratios = []
    for lesions in (3, 20, 400):
        twice = draw.normal(10.0, 0.4, (lesions, 2)).tolist()
        site = site_repeatability("distance", twice, "mm")
        ratios.append(site.counted / site.coefficient)
    assert ratios == pytest.approx([3.182 / 1.96, 2.086 / 1.96, 1.966 / 1.96], rel=1e-3)


def test_a_site_tells_both_its_coefficient_and_what_counts() -> None:
    site = site_repeatability("distance", [(1.0, 1.2), (2.0, 2.1), (3.0, 3.2)], "mm")
    told = site.repeatability.published
    assert f"{site.coefficient:.3g} mm" in told
    assert f"counted as {site.counted:.3g}" in told


@pytest.mark.parametrize(
    ("scanned_twice", "verdict"),
    [(True, "increased"), (False, "within measurement error")],
)
def test_a_coefficient_of_repeated_scans_stands_alone(
    scanned_twice: bool, verdict: str
) -> None:
    """Each reading is uncertain by 5 mm3, nearly all of it the same in both scans."""
    site = site_repeatability(
        "gas_volume", [(100.0, 101.0), (200.0, 199.0)], "mm3", scanned_twice=scanned_twice
    )
    volumes = [
        measured(
            "gas_volume",
            value,
            "mm3",
            method=Method(name="a method", version="1"),
            sources=(scan,),
            uncertainty=5.0,
        )
        for value, scan in ((150.0, "2.25.1"), (158.0, "2.25.2"))
    ]
    found = change(*volumes, same_reader=True, repeatability=site.repeatability)
    assert site.counted < 8.0 < 1.96 * math.hypot(5.0, 5.0)
    assert found.verdict == verdict
    assert any("both uncertainties leave 13.9 mm3 open" in n for n in found.notes) == (
        scanned_twice
    )


# Scans of a gap between two walls -----------------------------------------------------


def test_nothing_changed_and_nothing_is_called_by_the_assumed_repeatability(
    kept: benchmark.Kept,
) -> None:
    pairs = kept.pairs(QUICK_GAP, numbers(60), 0.0)
    tally = benchmark.by_assumed(QUICK_GAP, pairs)
    assert tally.compared >= 57
    assert tally.interval95[0] <= 0.05


def test_nothing_changed_and_5_percent_at_most_are_called_by_a_sites_own(
    kept: benchmark.Kept,
) -> None:
    pairs = kept.pairs(QUICK_GAP, numbers(60), 0.0)
    others = kept.pairs(QUICK_GAP, numbers(20, first=60), 0.0)
    tally = benchmark.by_sites(QUICK_GAP, pairs, others, 20)
    assert tally.compared >= 57
    assert tally.interval95[0] <= 0.05


def test_a_change_of_twice_the_assumed_repeatability_is_called(
    kept: benchmark.Kept,
) -> None:
    pairs = kept.pairs(QUICK_GAP, numbers(60), 0.0)
    by = benchmark.assumed_change(QUICK_GAP, pairs)
    truly = kept.pairs(QUICK_GAP, numbers(20), by)
    assert by == pytest.approx(2 * (0.3 + 0.002 * 7.8), abs=0.02)
    assert {benchmark.verdict(QUICK_GAP, pair, None) for pair in truly} == {"increased"}


def test_a_change_of_twice_a_sites_own_repeatability_is_called(
    kept: benchmark.Kept,
) -> None:
    others = kept.pairs(QUICK_GAP, numbers(20, first=60), 0.0)
    by = benchmark.estimated_change(QUICK_GAP, others)
    truly = kept.pairs(QUICK_GAP, numbers(20), by)
    assert benchmark.by_sites(QUICK_GAP, truly, others, 20).rate >= 0.9


def test_both_scans_are_of_other_images_in_other_poses() -> None:
    earlier, later = repeats.gap_twice(0, quick=True)
    assert not set(earlier.sources) & set(later.sources)
    poses = {repeats._two_poses(number) for number in range(APART)}
    assert len(poses) == repeats.POSES * (repeats.POSES - 1)
    assert all(first != second for first, second in poses)


# The long form ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("subject", repeats.SUBJECTS[2:4], ids=lambda one: one.quantity)
def test_400_repeats_without_a_change_and_200_with_one(
    subject: repeats.Subject, kept: benchmark.Kept
) -> None:
    pairs = kept.pairs(subject, range(400), 0.0)
    others = kept.pairs(subject, range(benchmark.OF_SITES, benchmark.OF_SITES + 400), 0.0)
    assert benchmark.by_assumed(subject, pairs).interval95[0] <= benchmark.MOST_FALSE
    own = benchmark.by_sites(subject, pairs, others, benchmark.ADVISED)
    assert own.interval95[0] <= benchmark.MOST_FALSE
    by = benchmark.assumed_change(subject, pairs)
    truly = kept.pairs(subject, range(200), by)
    assert benchmark.by_assumed(subject, truly).rate >= benchmark.LEAST_FOUND
    by = benchmark.estimated_change(subject, others)
    truly = kept.pairs(subject, range(200), by)
    found = benchmark.by_sites(subject, truly, others, benchmark.ADVISED)
    assert found.rate >= benchmark.LEAST_FOUND
