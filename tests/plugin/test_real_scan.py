"""The reading window on a real head and neck CT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.measurements import caliper
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.regions import extent

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000

# Inner width of the maxillary alveolar process, and open air: (slice, row, column).
ALVEOLAR_PROCESS = ((16, 170, 230), (16, 170, 262))
OPEN_AIR = ((16, 60, 60), (16, 60, 90))


def test_a_gap_drawn_on_a_real_scan_is_the_librarys_number_bit_for_bit(
    room: ReadingRoom, hand: Hand, qtbot: Any, real_dicom: Path
) -> None:
    room.opening.open(real_dicom / "jaw_ct_cerr")
    qtbot.waitUntil(lambda: room.view.volume is not None, timeout=PATIENCE_MS)
    volume = room.view.volume
    assert volume is not None

    finding = hand.caliper(*(tuple(volume.grid.to_patient(i)) for i in ALVEOLAR_PROCESS))
    drawn = next(line for line in finding.regions if line.role == caliper.AS_DRAWN)
    value = finding.measurements[0]
    again = caliper.measure(volume, *extent(drawn)).value
    assert isinstance(value, Measurement)
    assert isinstance(again, Measurement)
    assert (value.value, value.uncertainty) == (again.value, again.uncertainty)
    # What eleven other clicks at this gap read (tests/test_caliper_real_scan.py).
    assert abs(value.value - 30.0) < 0.5

    nothing = hand.caliper(*(tuple(volume.grid.to_patient(i)) for i in OPEN_AIR))
    assert isinstance(nothing.measurements[0], NotMeasured)
