"""What a measurement promises, and how it is shown."""

from __future__ import annotations

import pytest

from osteotrace.codes import QUANTITIES
from osteotrace.findings import Fact
from osteotrace.measurements.measurement import (
    Detail,
    Measurement,
    Method,
    measured,
    shown,
    shown_range,
)


def measurement(**changes: object) -> Measurement:
    fields: dict[str, object] = {
        "name": "distance",
        "code": QUANTITIES["distance"],
        "value": 12.0712345,
        "unit": "mm",
        "method": Method(name="test", version="1"),
        "sources": ("2.25.1",),
        "uncertainty": 0.021,
    }
    return Measurement(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "uncertainty", "text"),
    [
        (12.0712, "mm", 0.021, "12.07 ± 0.02 mm"),
        (12.0712, "mm", 0.0999, "12.07 ± 0.10 mm"),
        (12.0712, "mm", 0.1, "12.1 ± 0.1 mm"),
        (12.0712, "mm", None, "12.1 mm"),
        (43.6, "deg", 1.2, "44 ± 1 deg"),
        (512.4, "[hnsf'U]", None, "512 HU"),
        (0.5, "{ratio}", 0.02, "0.50 ± 0.02"),
        (0.1234, "{ratio}", 0.0012, "0.123 ± 0.001"),
        (3.21, "mm3", 0.32, "3.2 ± 0.3 mm3"),
        (321.4, "mm3", 12.3, "321 ± 12 mm3"),
        (4.0, "mm3", 0.0, "4 ± 0 mm3"),
    ],
)
def test_a_value_shows_the_decimals_that_its_uncertainty_supports(
    value: float, unit: str, uncertainty: float | None, text: str
) -> None:
    assert shown(value, unit, uncertainty) == text


@pytest.mark.parametrize(
    ("low", "high", "unit", "text"),
    [
        (0.12, 0.41, "mm3", "0.1 to 0.4 mm3"),
        (11.9, 31.2, "mm3", "12 to 31 mm3"),
        (0.001, 0.004, "{ratio}", "0.001 to 0.004"),
        (2.0, 2.0, "{counts}", "2 to 2"),
    ],
)
def test_a_range_shows_that_its_ends_differ(
    low: float, high: float, unit: str, text: str
) -> None:
    assert shown_range(low, high, unit) == text


def test_an_interval_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before it begins"):
        measured(
            "voxel_volume",
            3.0,
            "mm3",
            method=Method(name="test", version="1"),
            sources=(),
            uncertainty_reason="only a range",
            interval95=(5.0, 1.0),
        )


def test_the_raw_value_is_never_rounded() -> None:
    assert measurement().value == 12.0712345


def test_a_value_has_an_uncertainty_or_the_reason_why_not() -> None:
    with pytest.raises(ValueError, match="uncertainty or the reason"):
        measurement(uncertainty=None)
    with pytest.raises(ValueError, match="uncertainty or the reason"):
        measurement(uncertainty_reason="both at once")
    assert (
        measurement(uncertainty=None, uncertainty_reason="as drawn").uncertainty is None
    )


def test_a_number_that_is_none_is_not_a_measurement() -> None:
    with pytest.raises(ValueError, match="NotMeasured"):
        measurement(value=float("nan"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_nothing_beside_the_value_is_without_a_finite_number(number: float) -> None:
    with pytest.raises(ValueError, match="uncertainty of distance"):
        measurement(uncertainty=number)
    for interval in ((number, 12.1), (12.0, number)):
        with pytest.raises(ValueError, match="interval of distance"):
            measurement(interval95=interval)
    with pytest.raises(ValueError, match="edge blur is"):
        Detail("edge blur", number, "mm")
    with pytest.raises(ValueError, match="pain is"):
        Fact(name="pain", value=number, source="entered", author="", recorded="")


def test_an_uncertainty_is_not_negative() -> None:
    assert measurement(uncertainty=0.0).uncertainty == 0.0
    with pytest.raises(ValueError, match="negative"):
        measurement(uncertainty=-0.01)


def test_a_flag_takes_the_acceptance_away() -> None:
    assert measurement().accepted
    assert not measurement(flags=("a doubt",)).accepted
