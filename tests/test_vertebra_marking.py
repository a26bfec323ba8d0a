"""Six points while they are being placed: what the reader is told of them."""

from __future__ import annotations

import itertools

import pytest

from osteotrace.measurements.vertebra.marking import ORDER, heights_as_marked, mixed_up
from osteotrace.protocol.entries import SIX_POINTS

# A body 30 mm deep: 20 mm high in front, 22 in the middle, 25 at the back; LPS.
SIX = {
    "superior_anterior": (0.0, 0.0, 20.0),
    "superior_middle": (0.0, 15.0, 22.0),
    "superior_posterior": (0.0, 30.0, 25.0),
    "inferior_posterior": (0.0, 30.0, 0.0),
    "inferior_middle": (0.0, 15.0, 0.0),
    "inferior_anterior": (0.0, 0.0, 0.0),
}


def test_the_order_is_that_of_a_protocol_once_around_the_body() -> None:
    assert set(ORDER) == set(SIX_POINTS)
    places = [SIX[name] for name in ORDER]
    steps = [
        max(abs(a - b) for a, b in zip(p, q, strict=True))
        for p, q in itertools.pairwise(places)
    ]
    assert max(steps) <= 25.0


def test_heights_come_as_their_pairs_are_complete() -> None:
    assert heights_as_marked({}) == {}
    four = {name: SIX[name] for name in ORDER[:4]}
    assert heights_as_marked(four) == {"posterior": 25.0}
    assert heights_as_marked(SIX) == {
        "anterior": 20.0,
        "middle": 22.0,
        "posterior": 25.0,
    }


def test_well_placed_points_are_not_doubted_at_any_moment() -> None:
    for count in range(len(ORDER) + 1):
        assert mixed_up({name: SIX[name] for name in ORDER[:count]}) == ""


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("superior_anterior", "superior_posterior", "in front of"),
        ("superior_middle", "superior_posterior", "in front of"),
        ("inferior_posterior", "inferior_anterior", "in front of"),
        ("superior_posterior", "inferior_posterior", "above the superior"),
    ],
)
def test_points_in_each_others_place_are_told(one: str, other: str, said: str) -> None:
    assert said in mixed_up({**SIX, one: SIX[other], other: SIX[one]})


def test_what_the_measurement_refuses_is_told_before() -> None:
    flat = {**SIX, "inferior_anterior": (0.0, 0.0, 19.8)}
    assert "same place" in mixed_up(flat)
