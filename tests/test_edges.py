"""One edge, found and fitted on a bundle of known profile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from osteotrace.measurements import edges
from osteotrace.measurements.profiles import Bundle


def bundle(
    place: float = 0.3,
    *,
    slopes: tuple[float, float] = (0.0, 0.0),
    sigma: float = 0.6,
    bulge: float = 0.0,
    noise: float = 0.0,
    plate: float | None = None,
) -> Bundle:
    """Return a fall from 1000 to 50 at a place, or a plate that ends there."""
    t = np.linspace(-8.0, 8.0, 81)
    across = np.linspace(-1, 1, 5)
    u, v = np.tile(across, 5), np.repeat(across, 5)
    edge = place + slopes[0] * u + slopes[1] * v + bulge * (u * u + v * v)
    share = ndtr(-(t - edge[:, None]) / sigma)
    if plate is not None:
        share -= ndtr(-(t + plate - edge[:, None]) / sigma)
    values = 50 + 950 * share
    values += np.random.default_rng(0).normal(0, noise or 1e-9, values.shape)
    return Bundle(values=values, t=t, u=u, v=v)


def fitted(part: Bundle, near: float = 0.0) -> edges.Edge:
    found = edges.candidates(part, near)
    edge = edges.fit(part, max(found, key=lambda c: c.score(near)))
    assert edge is not None
    return edge


@pytest.mark.parametrize("place", [-1.13, 0.0, 0.3, 1.77])
def test_the_place_of_a_clean_edge_is_exact(place: float) -> None:
    edge = fitted(bundle(place))
    assert edge.t == pytest.approx(place, abs=1e-6)
    assert edge.sigma == pytest.approx(0.6, abs=1e-5)
    assert (edge.before, edge.after) == pytest.approx((1000, 50), abs=1e-2)


def test_the_tilt_of_a_wall_is_recovered() -> None:
    edge = fitted(bundle(slopes=(0.2, -0.35)))
    assert edge.slopes == pytest.approx([0.2, -0.35], abs=1e-6)
    assert edge.bulge < 1e-3


def test_a_curved_wall_shows_its_bulge() -> None:
    assert fitted(bundle(bulge=0.2)).bulge == pytest.approx(0.2, abs=0.02)


def test_a_thin_plate_keeps_its_own_plateau() -> None:
    edge = fitted(bundle(plate=2.0, sigma=0.4))
    assert edge.t == pytest.approx(0.3, abs=0.03)
    assert edge.window[0] > 0.3 - 2.0


def test_sensitivity_predicts_the_move_that_noise_causes() -> None:
    clean, noisy = bundle(), bundle(noise=20.0)
    edge = fitted(clean)
    low, high = edge.window
    difference = noisy.between(low, high).values - clean.between(low, high).values
    predicted = edge.t + float(np.sum(edge.sensitivity * difference))
    assert fitted(noisy).t == pytest.approx(predicted, abs=2e-3)


def test_nearer_edges_weigh_more() -> None:
    near, far = edges.Candidate(0.5, -800.0), edges.Candidate(2.9, -1000.0)
    assert near.score(0.0) > far.score(0.0)


def test_no_edge_is_found_beyond_3_mm() -> None:
    assert all(abs(c.t - 4.0) <= 3.0 for c in edges.candidates(bundle(0.3), 4.0))


def test_a_flat_profile_yields_no_fit() -> None:
    flat = bundle()
    empty = Bundle(values=np.full_like(flat.values, 7.0), t=flat.t, u=flat.u, v=flat.v)
    assert edges.fit(empty, edges.Candidate(0.0, 0.0)) is None


def test_noise_without_an_edge_warns_of_nothing() -> None:
    # A step of this fit is thrown 10^189 mm away, whose square is no number.
    part = bundle()
    noise = np.random.default_rng(92).normal(0, 50, part.values.shape)
    part = replace(part, values=noise)
    with np.errstate(all="raise", under="ignore"):
        for candidate in edges.candidates(part, 0.0):
            edges.fit(part, candidate)


def test_an_edge_that_some_lines_do_not_cross_yields_no_fit() -> None:
    part = bundle(slopes=(9.0, 0.0), sigma=0.1).between(-3.0, 3.0)
    for candidate in edges.candidates(part, 0.0):
        edge = edges.fit(part, candidate)
        assert edge is None or np.isfinite(edge.bulge)
    assert edges.fit(part, edges.Candidate(0.3, -100.0)) is None


def test_a_curved_wall_is_put_back_where_it_is() -> None:
    # The blur moves a wall of mean curvature H by s² H towards its centre; the plane of
    # the fit lies in the middle of what the wall bends over the bundle.
    for curvature, noise in ((0.15, 0.0), (-0.15, 5.0)):
        pull = curvature * (0.6**2 + 0.5)
        bent = bundle(0.3 + 0.6**2 * curvature, bulge=curvature / 2, noise=noise)
        u2 = bent.u**2 + bent.v**2
        assert np.mean(u2) == pytest.approx(1.0)
        edge = fitted(bent, near=0.3)
        assert edge.curvature == pytest.approx(curvature, abs=0.02)
        assert edge.t == pytest.approx(0.3 + pull, abs=0.02)
        straight = edge.uncurved(edge.curvature)
        assert straight.t == pytest.approx(0.3, abs=0.02)
        assert straight.pull == pytest.approx(pull, abs=0.02)
        assert straight.half_maximum - straight.t == edge.half_maximum - edge.t


def test_the_curvature_of_a_flat_wall_is_within_its_spread_of_none() -> None:
    edge = fitted(bundle(slopes=(0.1, -0.2), noise=30.0))
    assert 0 < edge.curvature_spread < 0.02
    assert abs(edge.curvature) < 3 * edge.curvature_spread
    assert edge.pull == 0.0
