"""The reader takes what is DICOM and leaves the rest to others, fast. No window."""

from __future__ import annotations

import tempfile
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.fileset import FileSet

from osteotrace.errors import OsteotraceError
from osteotrace_napari import reader
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


def test_a_zip_is_taken_where_it_holds_dicom_and_a_dicomdir_always(
    small_study: Path, tmp_path: Path
) -> None:
    files = sorted((small_study / "ct").iterdir())
    study, other = tmp_path / "study.zip", tmp_path / "other.zip"
    with zipfile.ZipFile(study, "w") as archive:
        archive.writestr("README.txt", "a disc")
        archive.write(files[0], "DICOM/1")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("README.txt", "no disc")
    assert reader.get_reader(str(study)) is not None
    assert reader.get_reader(str(other)) is None
    # What is wrong with an archive is said where it is opened.
    study.write_bytes(study.read_bytes()[:-30])
    assert reader.get_reader(str(study)) is not None
    disc = FileSet()
    disc.add(files[0])
    disc.write(tmp_path / "disc")
    assert reader.get_reader(str(tmp_path / "disc" / "DICOMDIR")) is not None


def test_without_a_window_a_zip_comes_as_a_layer_and_leaves_nothing(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in (small_study / "ct").iterdir():
            archive.write(file, file.name)
    ((values, _, _),) = reader.read(str(packed))
    assert values.shape == (20, 96, 70)
    assert list(temporary.iterdir()) == []
