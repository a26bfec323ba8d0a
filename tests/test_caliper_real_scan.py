"""The caliper on a real head and neck CT, 1 × 1 × 3 mm: repeatability under rough clicks.

No truth exists here, so spread is what counts. Each gap is clicked again and again with
points moved by 1 mm (SD) in both in-plane directions; three thick slices of blur across,
some of these gaps are hard on purpose.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter

import osteotrace as ot
from osteotrace import geometry
from osteotrace.measurements import caliper
from osteotrace.measurements.measurement import Measurement, NotMeasured

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command_line import Outcome

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

CLICK_SD_MM = 1.0
REPEATS = 16
WRONG_MM = 1.0

# Both ends as (slice, row, column), picked by eye on the axial slices.
GAPS = {
    "mandible, inner width, front": ((4, 165, 225), (4, 165, 265)),
    "mandibular symphysis, thickness": ((4, 136, 246), (4, 147, 246)),
    "mandibular symphysis, thickness, higher": ((6, 136, 246), (6, 145, 246)),
    "mandibular body, thickness": ((4, 185, 203), (4, 185, 210)),
    "maxillary alveolar process, inner width": ((16, 170, 230), (16, 170, 262)),
    "maxillary tuberosities, inner width": ((16, 185, 229), (16, 185, 261)),
    "occipital condyles, inner width": ((8, 240, 229), (8, 240, 261)),
    "posterior fossa, inner width": ((18, 290, 195), (18, 290, 301)),
    "skull, inner width": ((24, 290, 187), (24, 290, 309)),
    "skull, inner length": ((20, 229, 246), (20, 335, 246)),
    "occipital bone, thickness": ((20, 335, 246), (20, 344, 246)),
}
# Thick and thin, hard and easy, near the gantry and far: what the default run clicks.
SOME = (
    "mandibular symphysis, thickness, higher",
    "maxillary alveolar process, inner width",
    "occipital condyles, inner width",
    "skull, inner width",
    "occipital bone, thickness",
)


@pytest.fixture(scope="module")
def jaw(real_dicom: Path) -> Volume:
    return ot.load(real_dicom / "jaw_ct_cerr")


def in_plane_edges(volume: Volume, ends: tuple[tuple[int, ...], ...]) -> Array:
    """Return the edges that undisturbed clicks find, as places to click, (2, 3) mm."""
    points = volume.grid.to_patient(np.array(ends))
    reading = caliper.measure(volume, *points, quick=True)
    along = {line.role: line for line in reading.regions}.get(caliper.ALONG_LINE)
    assert along is not None, str(reading.value)
    return np.array(along.points)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SOME, id="some gaps"),
        pytest.param(tuple(GAPS), id="every gap", marks=pytest.mark.slow),
    ],
)
def repeats(
    jaw: Volume, request: pytest.FixtureRequest
) -> dict[str, tuple[Array, Array, int]]:
    """Return accepted lengths, drawn lengths and readings made, for each gap."""
    generator = np.random.default_rng(2026)
    done = {}
    for name in request.param:
        edges = in_plane_edges(jaw, GAPS[name])
        accepted, drawn = [], []
        for _ in range(REPEATS):
            moved = edges.copy()
            moved[:, :2] += generator.normal(0.0, CLICK_SD_MM, (2, 2))
            value = caliper.measure(jaw, *moved).value
            drawn.append(geometry.distance(*moved))
            if isinstance(value, Measurement) and value.accepted:
                accepted.append(value.value)
        done[name] = np.array(accepted), np.array(drawn), REPEATS
    return done


def test_fitted_lengths_spread_at_most_half_as_much_as_the_clicks(
    repeats: dict[str, tuple[Array, Array, int]],
) -> None:
    deviations, clicks = [], []
    for name, (accepted, drawn, _) in repeats.items():
        if len(accepted) < 4:
            continue
        off = accepted - np.median(accepted)
        assert 1.4826 * np.median(np.abs(off)) <= 0.5 * drawn.std(ddof=1), name
        deviations.append(off)
        clicks.append(drawn - drawn.mean())
    fitted = np.sqrt(np.mean(np.concatenate(deviations) ** 2))
    assert fitted <= 0.5 * np.sqrt(np.mean(np.concatenate(clicks) ** 2))


def test_at_most_2_percent_of_the_accepted_lengths_are_wrong(
    repeats: dict[str, tuple[Array, Array, int]],
) -> None:
    accepted = [lengths for lengths, _, _ in repeats.values() if len(lengths)]
    wrong = sum((np.abs(each - np.median(each)) > WRONG_MM).sum() for each in accepted)
    total = sum(len(each) for each in accepted)
    assert wrong <= 0.02 * total
    # A gate that accepts nothing would pass the line above.
    assert total >= 0.5 * sum(made for _, _, made in repeats.values())


def quiet_places(volume: Volume, *, low: float, high: float, count: int) -> Array:
    """Return voxel centres with all values of the 9 mm around them between two, mm."""
    values = volume.rescaled()
    box = (3, 9, 9)
    calm = (minimum_filter(values, box) >= low) & (maximum_filter(values, box) <= high)
    calm[:2], calm[-2:] = False, False
    calm[:, :15], calm[:, -15:], calm[:, :, :15], calm[:, :, -15:] = (False,) * 4
    places = np.argwhere(calm)
    assert len(places) >= count
    generator = np.random.default_rng(11)
    return volume.grid.to_patient(places[generator.choice(len(places), count, False)])


@pytest.mark.parametrize(("low", "high"), [(-1100, -900), (-150, 140)])
def test_clicks_in_open_air_or_without_a_wall_are_never_accepted(
    jaw: Volume, low: float, high: float
) -> None:
    generator = np.random.default_rng(12)
    for start in quiet_places(jaw, low=low, high=high, count=60):
        angle = generator.uniform(0, 2 * np.pi)
        step = np.array([np.cos(angle), np.sin(angle), 0.0])
        end = start + generator.uniform(3, 14) * step
        value = caliper.measure(jaw, start, end).value
        assert isinstance(value, NotMeasured) or value.flags, (start, end, str(value))


def test_the_command_line_gives_the_number_of_the_library(
    jaw: Volume, real_dicom: Path, osteotrace: Callable[..., Outcome]
) -> None:
    start, end = in_plane_edges(jaw, GAPS["maxillary alveolar process, inner width"])
    points = [",".join(repr(float(x)) for x in point) for point in (start, end)]
    ran = osteotrace(
        "caliper", real_dicom / "jaw_ct_cerr", "--json",
        "--from", points[0], "--to", points[1],
    )  # fmt: skip
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)["findings"][0]["measurements"][0]
    value = caliper.measure(jaw, start, end).value
    assert isinstance(value, Measurement)
    assert printed["value"] == value.value
    assert printed["uncertainty"] == value.uncertainty
