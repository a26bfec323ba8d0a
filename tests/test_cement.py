"""Bone cement of known volume in a phantom vertebra."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace import OsteotraceError
from osteotrace.measurements import cement
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.phantoms import vertebrae
from osteotrace.phantoms.in_memory import noisy, true_mask
from osteotrace.phantoms.rendering import Level
from osteotrace.phantoms.vertebrae import Vertebra
from osteotrace.regions import extent

if TYPE_CHECKING:
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume


@cache
def scene(
    radius: float, slice_mm: float = 1.0, density: float = 1900.0
) -> tuple[Volume, Mask]:
    shape = Vertebra(cement=radius)
    grid = vertebrae.grid_around(shape, (slice_mm, 0.8, 0.8), margin_mm=4.0)
    levels = dict(vertebrae.CT) | {"cement": Level(density)}
    clean = vertebrae.clean_image(shape, grid, levels=levels)
    volume = noisy(clean, grid, noise=30.0, correlation_fwhm_mm=(1.0, 1.0, 1.0))
    return volume, true_mask(vertebrae.body(shape), grid, role="body")


@pytest.mark.parametrize(
    ("radius", "slice_mm", "density"),
    [(8.0, 1.0, 1900.0), (5.0, 1.0, 1500.0), (8.0, 3.0, 1900.0)],
)
def test_cement_volume_is_that_of_the_ball(
    radius: float, slice_mm: float, density: float
) -> None:
    volume, body = scene(radius, slice_mm, density)
    value = cement.measure(volume, body, body=body).value
    assert isinstance(value, Measurement)
    true = 4 / 3 * np.pi * radius**3
    assert value.value == pytest.approx(true, rel=0.05)
    assert value.uncertainty is not None
    assert abs(value.value - true) < 3 * value.uncertainty
    assert value.flags == ()


def test_a_body_without_cement_has_none_within_what_would_be_seen() -> None:
    volume, body = scene(0.0)
    value = cement.measure(volume, body).value
    assert isinstance(value, Measurement)
    assert (value.value, value.interval95) == (0.0, (0.0, 20.0))
    assert "brighter than bone cement" in value.uncertainty_reason


def test_cement_beyond_the_body_is_told_as_a_leak() -> None:
    from osteotrace.regions import Mask

    volume, body = scene(8.0)
    inside = body.on(volume.grid).copy()
    middle = inside.shape[2] // 2
    inside[:, :, middle:] = False
    half = Mask.of(inside, volume.grid, role="half", frame_of_reference_uid="2.25.2")
    value = cement.measure(volume, body, body=half).value
    assert isinstance(value, Measurement)
    outside = {d.name: d.value for d in value.details}["cement outside the body"]
    # A half ball, without the 1.5 mm that may be contour.
    assert 500 < outside < 1072
    assert any("outside the body's mask" in flag for flag in value.flags)


def test_metal_is_no_cement() -> None:
    volume, body = scene(6.0, 1.0, 5000.0)
    value = cement.measure(volume, body).value
    assert isinstance(value, NotMeasured)
    assert "metal" in value.reason


def test_an_mr_or_a_mask_off_the_image_is_refused() -> None:
    from dataclasses import replace

    volume, body = scene(8.0)
    value = cement.measure(replace(volume, unit="1"), body).value
    assert isinstance(value, NotMeasured)
    assert "CT is needed" in value.reason
    other, _ = scene(8.0, 3.0)
    with pytest.raises(OsteotraceError, match="image"):
        cement.measure(other, body)


def test_the_mask_of_the_cement_names_its_images() -> None:
    volume, body = scene(8.0)
    (mask,) = cement.measure(volume, body, body=body).regions
    first, last = volume.grid.to_index(np.array(extent(mask))[[0, -1]])[:, 0]
    there = volume.instances[round(first) : round(last) + 1]
    assert mask.source_instances == tuple(image.source for image in there)
