"""What the panel says: every verdict in words, every number as the library shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from osteotrace.codes import QUANTITIES
from osteotrace.findings import Finding
from osteotrace.measurements.measurement import Measurement, Method, NotMeasured
from osteotrace.series import SeriesIdentity
from osteotrace_napari import windows, wording

if TYPE_CHECKING:
    from osteotrace.measurements.measurement import Reading

METHOD = Method(name="test", version="1")


def length(
    value: float,
    uncertainty: float | None = 0.021,
    *,
    name: str = "distance",
    flags: tuple[str, ...] = (),
) -> Measurement:
    return Measurement(
        name=name,
        code=QUANTITIES[name],
        value=value,
        unit="mm",
        method=METHOD,
        sources=(),
        uncertainty=uncertainty,
        uncertainty_reason="" if uncertainty is not None else "points as drawn",
        flags=flags,
    )


REFUSED = NotMeasured(
    name="distance",
    code=QUANTITIES["distance"],
    reason="no wall at the first point",
    method=METHOD,
)
DRAWN = length(11.83, None, name="length_as_drawn")


def finding(*measurements: Reading) -> Finding:
    return Finding(
        tracking_uid="2.25.1",
        label="CAL-1",
        kind="lesion",
        site="jaw",
        measurements=measurements,
    )


@pytest.mark.parametrize(
    ("measurements", "state", "value"),
    [
        ((length(12.0712), DRAWN), "accepted", "12.07 ± 0.02 mm"),
        ((length(12.0712, flags=("rival edge",)), DRAWN), "flagged", "12.07 ± 0.02 mm"),
        ((REFUSED, DRAWN), "not measured", "not measured; as drawn 11.8 mm"),
        ((REFUSED,), "not measured", "not measured"),
    ],
)
def test_a_finding_has_a_state_and_a_value_in_words(
    measurements: tuple[Reading, ...], state: str, value: str
) -> None:
    assert wording.state(finding(*measurements)) == state
    assert wording.value(finding(*measurements)) == value


def test_a_refusal_says_why_and_what_was_drawn() -> None:
    assert wording.sentence((REFUSED, DRAWN)) == (
        "not measured: no wall at the first point; as drawn 11.8 mm"
    )


def test_a_flag_and_a_missing_uncertainty_are_said() -> None:
    assert "check: rival edge" in wording.sentence((length(12.0, flags=("rival edge",)),))
    assert "no uncertainty: points as drawn" in wording.sentence((length(12.0, None),))


@pytest.mark.parametrize(
    ("modality", "description", "name"),
    [
        ("CT", "CT maxilla", "CT maxilla"),
        ("MR", "T2 sag", "MR T2 sag"),
        ("CT", "", "CT"),
    ],
)
def test_a_series_name_says_its_modality_once(
    modality: str, description: str, name: str
) -> None:
    identity = SeriesIdentity(
        study_uid="2.25.1",
        series_uid="2.25.2",
        modality=modality,
        description=description,
        date="",
        patient="P-X",
        patient_id="X",
    )
    assert wording.series_name(identity) == name


def test_ct_windows_are_those_that_readers_know() -> None:
    assert (windows.BONE.width, windows.BONE.level) == (2000, 500)
    assert (windows.SOFT_TISSUE.width, windows.SOFT_TISSUE.level) == (400, 40)
    assert windows.SOFT_TISSUE.limits == (-160, 240)
