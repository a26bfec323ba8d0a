"""The benchmark of runs: what it measures on has the truth that it is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from contenders.small_studies import DICOM, MASKS, PROTOCOL, write_studies

import osteotrace as ot

if TYPE_CHECKING:
    from pathlib import Path


def test_a_study_of_the_benchmark_is_measured_by_its_mask(tmp_path: Path) -> None:
    (study,) = write_studies(tmp_path, 1)
    (tmp_path / "heights.toml").write_text(PROTOCOL)
    (reading,) = ot.measure(
        tmp_path / DICOM, tmp_path / "heights.toml", masks=tmp_path / MASKS
    ).findings
    found = {one.name: one for one in reading.measurements}
    for place in ("anterior", "middle", "posterior"):
        height = found[f"height_{place}"]
        assert isinstance(height, ot.Measurement)
        assert height.value == pytest.approx(getattr(study, place), abs=0.5)
    assert write_studies(tmp_path, 1) == [study]
