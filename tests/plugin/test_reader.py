"""The reader takes what is DICOM and leaves the rest to others, fast. No window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace.errors import OsteotraceError
from osteotrace_napari import reader, sample_data
from osteotrace_napari.reader import PEEKED_FILES

if TYPE_CHECKING:
    from pathlib import Path


def test_a_dicom_folder_and_a_dicom_file_are_taken(small_study: Path) -> None:
    assert reader.get_reader(str(small_study)) is not None
    file = next((small_study / "ct").iterdir())
    assert reader.get_reader(str(file)) is not None
    assert reader.get_reader([str(file)]) is not None


def test_what_is_not_dicom_is_left_to_other_readers(tmp_path: Path) -> None:
    (tmp_path / "notes.dcm").write_text("no image")
    assert reader.get_reader(str(tmp_path)) is None
    assert reader.get_reader(str(tmp_path / "notes.dcm")) is None
    assert reader.get_reader(str(tmp_path / "gone")) is None


def test_a_large_foreign_folder_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(PEEKED_FILES + 50):
        (tmp_path / f"{n}.txt").touch()
    looked_at: list[Path] = []

    def count(file: Path) -> bool:
        looked_at.append(file)
        return False

    monkeypatch.setattr(reader, "_is_dicom", count)
    assert reader.get_reader(str(tmp_path)) is None
    assert len(looked_at) == PEEKED_FILES


def test_without_a_window_a_volume_comes_as_a_layer_in_its_own_unit(
    small_study: Path,
) -> None:
    ((values, attributes, kind),) = reader.read(str(small_study / "ct"))
    assert kind == "image"
    assert values.shape == (20, 96, 70)
    assert values.dtype == np.int16
    assert attributes["scale"] == pytest.approx((0.8, 0.5, 0.6), abs=1e-6)


def test_without_a_window_two_series_are_not_guessed_between(small_study: Path) -> None:
    with pytest.raises(OsteotraceError, match="exactly one"):
        reader.read(str(small_study))


def test_missing_samples_say_how_to_make_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("osteotrace.__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(OsteotraceError, match="osteotrace samples"):
        sample_data.sample_folder("maxilla_after")
