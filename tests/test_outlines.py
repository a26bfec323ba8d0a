"""Outlines of grey fields against shapes of known size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from osteotrace.measurements import outlines

STEP = (0.5, 0.4)
ORIGIN = (-10.0, -9.0)


def field(distance: np.ndarray, sigma: float = 0.7) -> np.ndarray:
    """Return grey 0 inside, 1000 outside, blurred across its edge."""
    return np.asarray(1000 * ndtr(distance / sigma))


def places() -> tuple[np.ndarray, np.ndarray]:
    i, j = np.indices((41, 46))
    return ORIGIN[0] + STEP[0] * i, ORIGIN[1] + STEP[1] * j


def disc(radius: float, centre: tuple[float, float] = (0.3, -0.2)) -> np.ndarray:
    a, b = places()
    return field(np.hypot(a - centre[0], b - centre[1]) - radius)


def ellipse(a: float, b: float, count: int = 400) -> np.ndarray:
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([a * np.cos(angle), b * np.sin(angle)], axis=1)


def test_a_disc_keeps_its_size_to_a_hundredth_of_a_sample() -> None:
    grey = disc(5.0)
    line = outlines.contour_around(grey, 500, (0, 0), origin=ORIGIN, step=STEP)
    assert line is not None
    assert outlines.area(line) == pytest.approx(np.pi * 25, rel=2e-3)
    assert outlines.perimeter(line) == pytest.approx(10 * np.pi, rel=2e-3)
    assert outlines.longest_diameter(line)[0] == pytest.approx(10.0, abs=0.01)
    assert outlines.least_width(line)[0] == pytest.approx(10.0, abs=0.02)


def test_of_two_nested_outlines_the_inner_one_holds_the_point() -> None:
    a, b = places()
    grey = field(np.abs(np.hypot(a, b) - 5.0) - 2.0)
    line = outlines.contour_around(1000 - grey, 500, (0, 0), origin=ORIGIN, step=STEP)
    assert line is not None
    assert outlines.area(line) == pytest.approx(np.pi * 9, rel=0.02)


def test_an_outline_open_to_the_border_is_none() -> None:
    assert not outlines.contours(disc(12.0), 500, origin=ORIGIN, step=STEP)
    assert outlines.contour_around(disc(4), 500, (8, 8), origin=ORIGIN, step=STEP) is None


def test_an_outline_that_meets_a_place_without_a_value_is_none() -> None:
    grey = disc(4.0)
    grey[:, 25] = np.nan
    assert not outlines.contours(grey, 500, origin=ORIGIN, step=STEP)


def test_even_odd_rule_on_a_shape_with_a_bay() -> None:
    bay = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], dtype=float)
    assert outlines.contains(bay, (0.5, 1))
    assert outlines.contains(bay, (3.5, 1))
    assert not outlines.contains(bay, (2, 3))
    assert not outlines.contains(bay, (5, 1))


def test_area_does_not_depend_on_direction_or_place() -> None:
    line = ellipse(6, 3)
    exact = outlines.area(line)
    assert exact == pytest.approx(np.pi * 18, rel=1e-3)
    assert outlines.area(line[::-1]) == pytest.approx(exact, rel=1e-12)
    assert outlines.area(line + 1e6) == pytest.approx(exact, rel=1e-9)
    assert outlines.signed_area(outlines.counted_turns(line[::-1])) > 0


def test_curvature_of_an_ellipse_at_its_vertices() -> None:
    line = outlines.evenly_spaced(ellipse(6, 3, 4000), 0.1)
    bend = outlines.curvatures(line, reach=3)
    assert bend[np.argmax(line[:, 0])] == pytest.approx(6 / 9, rel=0.02)
    assert bend[np.argmax(line[:, 1])] == pytest.approx(3 / 36, rel=0.02)
    # Any closed line turns once around: the curvature sums to 2 π.
    step = outlines.perimeter(line) / len(line)
    assert bend.sum() * step == pytest.approx(2 * np.pi, rel=1e-3)
    assert np.allclose(outlines.curvatures(line[::-1], reach=3), bend[::-1], atol=1e-3)


def test_normals_point_outwards_whichever_way_the_outline_turns() -> None:
    line = outlines.evenly_spaced(ellipse(5, 5), 0.2)
    for turned in (line, line[::-1].copy()):
        cosine = (outlines.normals(turned) * turned).sum(axis=1) / 5
        assert cosine.min() > 0.999


def test_smoothing_takes_noise_away_and_leaves_the_radius() -> None:
    line = outlines.evenly_spaced(ellipse(5, 5, 2000), 0.25)
    noise = np.random.default_rng(1).normal(0, 0.05, len(line))[:, None]
    rough = line * (1 + noise)
    smooth = outlines.smoothed(rough, 5)
    radius = np.hypot(*smooth.T)
    assert radius.mean() == pytest.approx(5.0, abs=0.05)
    assert radius.std() < 0.6 * np.hypot(*rough.T).std()
    assert np.hypot(*outlines.smoothed(line, 5).T).mean() == pytest.approx(5, abs=5e-3)


def test_too_few_corners_stay_as_they_are() -> None:
    corner = np.array([[0.0, 0], [1, 0], [0, 1], [0.3, 0.3]])
    assert (outlines.smoothed(corner, 4) == corner).all()


def test_longest_diameter_of_a_box_and_of_points_in_space() -> None:
    box = np.array([[x, y, z] for x in (0, 3) for y in (0, 4) for z in (0, 12)])
    assert outlines.longest_diameter(box)[0] == pytest.approx(13.0)
    flat = np.array([[0.0, 0], [1, 1], [4, 4]])
    length, ends = outlines.longest_diameter(flat)
    assert length == pytest.approx(np.sqrt(32))
    assert ends.shape == (2, 2)


def test_rotating_calipers_find_the_width_of_a_turned_box() -> None:
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    box = np.array([[0.0, 0], [7, 0], [7, 2], [0, 2], [3, 1]]) @ turn.T
    width, across = outlines.least_width(box)
    assert width == pytest.approx(2.0)
    assert abs(across @ turn[:, 1]) == pytest.approx(1.0)


def test_the_longest_chord_lies_where_the_shape_is_longest() -> None:
    line = ellipse(6, 3) + np.array([1.0, 2.0])
    for axis, half in ((0, 6), (1, 3)):
        a, b = outlines.longest_chord(line, axis)
        assert b[axis] - a[axis] == pytest.approx(2 * half, abs=0.01)
        assert a[1 - axis] == b[1 - axis] == pytest.approx([2.0, 1.0][axis], abs=0.1)


def test_a_chord_does_not_bridge_a_bay() -> None:
    bay = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], dtype=float)
    (crossings,) = outlines.chords(bay, 0, [3.0])
    assert len(crossings) == 4
    a, b = outlines.longest_chord(bay, 0)
    assert b[0] - a[0] == pytest.approx(4.0, abs=0.2)
    assert a[1] < 1.0


def test_a_ripple_is_not_taken_for_the_greatest_extent() -> None:
    across = np.arange(-5, 5, 0.1)
    plain: list[float] = []
    smoothed: list[float] = []
    for seed in range(10):
        ripple = np.random.default_rng(seed).normal(0, 0.1, (2, len(across)))
        sides = np.array([-3.0, 3.0])[:, None] + ripple
        there = np.stack([sides[0], across], axis=1)
        back = np.stack([sides[1], across], axis=1)[::-1]
        line = np.concatenate([there, back])
        for lengths, over in ((plain, 0.0), (smoothed, 1.5)):
            a, b = outlines.longest_chord(line, 0, over=over)
            lengths.append(b[0] - a[0])
    assert np.mean(plain) > 6.2
    assert np.mean(smoothed) < 6.15
    a, b = outlines.longest_chord(ellipse(3, 3), 0, over=1.5)
    assert b[0] - a[0] == pytest.approx(6.0, abs=0.01)
