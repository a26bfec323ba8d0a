"""pydicom's own test files, good and bad: each is read right or left out with a reason.

The files come with pydicom's wheel. Values are compared with what pydicom decodes.
"""

from __future__ import annotations

import shutil
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data.data_manager import DATA_ROOT
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from osteotrace.errors import OsteotraceError
from osteotrace.series import Catalogue, scan
from osteotrace.volume import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from osteotrace.series import VolumeHeader

ROOT = Path(DATA_ROOT)
TEST_FILES = ROOT / "test_files"
FILES = sorted(
    file
    for file in ROOT.rglob("*")
    if file.is_file() and file.suffix not in (".py", ".pyc")
)
LOADABLE = {"regular", "tilted", "uneven"}
# No file takes as long as this (s), however damaged it is.
LONGEST = 10.0


def named(name: str) -> Path:
    (file,) = [f for f in FILES if f.name == name]
    return file


@pytest.fixture(autouse=True)
def _within_seconds() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < LONGEST


@pytest.fixture(autouse=True)
def _pydicom_may_grumble() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")
        yield


def used_files(catalogue: Catalogue) -> set[Path]:
    return {i.path for s in catalogue for v in s.volumes for i in v.instances}


def check_accounted_for(catalogue: Catalogue, files: set[Path]) -> None:
    used = used_files(catalogue)
    skipped = {row.path for row in catalogue.skipped}
    # A copy of an image is not used twice; its series says so.
    noted = any("twice" in note for s in catalogue for note in s.notes)
    left = files - used - skipped
    assert not left or (noted and all(_is_copy(file, used) for file in left))
    assert not used & skipped
    assert all(row.reason for row in catalogue.skipped)


def _is_copy(file: Path, used: set[Path]) -> bool:
    uid = dcmread(file, stop_before_pixels=True, force=True).SOPInstanceUID
    return any(
        dcmread(f, stop_before_pixels=True, force=True).get("SOPInstanceUID") == uid
        for f in used
    )


def check_volumes(catalogue: Catalogue) -> int:
    """Check every volume against pydicom; return how many were loaded."""
    headers = [header for series in catalogue for header in series.volumes]
    return sum(_check_volume(header) for header in headers)


def _check_volume(header: VolumeHeader) -> bool:
    if not set(header.verdicts) <= LOADABLE:
        with pytest.raises(OsteotraceError):
            load(header)
        return False
    try:
        volume = load(header)
    except OsteotraceError:
        assert any(decoded(i.path) is None for i in header.instances)
        return False
    for voxels, instance in zip(volume.voxels, volume.instances, strict=True):
        np.testing.assert_array_equal(voxels, decoded(instance.path))
    return True


def decoded(file: Path) -> NDArray[Any] | None:
    """Return what pydicom makes of a file's pixels, None where it cannot."""
    try:
        pixels: NDArray[Any] = dcmread(file, force=True).pixel_array
    except Exception:
        return None
    return pixels


def test_the_whole_tree_is_scanned_and_every_file_accounted_for() -> None:
    catalogue = scan(ROOT)
    found = set(FILES) | {f for f in ROOT.rglob("*") if f.suffix in (".py", ".pyc")}
    check_accounted_for(catalogue, found)
    assert check_volumes(catalogue) >= 1


@pytest.mark.parametrize(
    ("folder", "verdict"),
    [
        ("98892001/CT5N", "regular"),
        # One slice 202.5 mm below three that are 1.25 mm apart: 161 are missing.
        ("77654033/CT2", "missing_slices"),
        ("98892001/CT2N", "localizer"),
        ("77654033/CR1", "projection"),
        ("TINY_ALPHA/PT000000", "not_an_image"),
    ],
)
def test_the_series_of_its_media_have_their_verdicts(folder: str, verdict: str) -> None:
    catalogue = scan(TEST_FILES / "dicomdirtests" / folder)
    headers = [header for series in catalogue for header in series.volumes]
    assert {header.verdicts for header in headers} == {(verdict,)}
    assert check_volumes(catalogue) == (verdict == "regular")


def scanned(file: Path) -> Catalogue | OsteotraceError:
    try:
        return scan(file)
    except OsteotraceError as refused:
        return refused


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_a_file_alone_is_an_image_or_has_a_reason(file: Path) -> None:
    found = scanned(file)
    if isinstance(found, OsteotraceError):
        assert found.where == str(file)
        assert found.found
        return
    check_accounted_for(found, {file})
    check_volumes(found)


# Single slices of CT and MR, with how they are written. Where pydicom decodes them,
# two made of one are a volume: the second 2 mm further, with its own UID.
SLICES = {
    "CT_small.dcm": "explicit little endian, 1.2.840.10008.1.2.1",
    "MR_small.dcm": "explicit little endian, 1.2.840.10008.1.2.1",
    "MR_small_implicit.dcm": "implicit little endian, 1.2.840.10008.1.2",
    "MR_small_bigendian.dcm": "explicit big endian, 1.2.840.10008.1.2.2",
    "MR_small_expb.dcm": "explicit big endian, 1.2.840.10008.1.2.2",
    "MR_small_RLE.dcm": "RLE, 1.2.840.10008.1.2.5",
    "MR_small_jp2klossless.dcm": "JPEG 2000 lossless, 1.2.840.10008.1.2.4.90",
    "MR_small_jpeg_ls_lossless.dcm": "JPEG-LS lossless, 1.2.840.10008.1.2.4.80",
    "MR_small_padded.dcm": "bytes after the pixels, 1.2.840.10008.1.2.1",
    "693_J2KI.dcm": "JPEG 2000, 1.2.840.10008.1.2.4.91",
    "J2K_pixelrep_mismatch.dcm": "JPEG 2000 that disagrees, 1.2.840.10008.1.2.4.90",
    "examples_overlay.dcm": "an overlay beside the pixels, 1.2.840.10008.1.2.1",
}


def two_of(file: Path, folder: Path) -> Path:
    data = dcmread(file)
    data.save_as(folder / "first")
    normal = np.cross(
        *np.reshape([float(x) for x in data.ImageOrientationPatient], (2, 3))
    )
    position = np.array(data.ImagePositionPatient, dtype=float) + 2.0 * normal
    data.ImagePositionPatient = [f"{x:.8f}" for x in position]
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = UID("2.25.77")
    data.save_as(folder / "second")
    return folder


@pytest.mark.parametrize("name", SLICES)
def test_a_slice_of_every_syntax_has_the_values_that_pydicom_decodes(
    name: str, tmp_path: Path
) -> None:
    (series,) = scan(two_of(named(name), tmp_path))
    (header,) = series.volumes
    assert header.verdicts == ("regular",)
    syntax = header.instances[0].attributes.format.transfer_syntax
    assert syntax == SLICES[name].rsplit(" ", 1)[1]
    expected = decoded(named(name))
    assert expected is not None
    volume = load(header)
    for voxels in volume.voxels:
        np.testing.assert_array_equal(voxels, expected)


@pytest.mark.parametrize("name", ["MR_small", "CT_small"])
def test_a_deflated_slice_has_the_values_of_the_plain_one(
    name: str, tmp_path: Path
) -> None:
    plain = two_of(named(f"{name}.dcm"), tmp_path)
    for file in plain.iterdir():
        data = dcmread(file)
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        data.save_as(file)
    (series,) = scan(plain)
    (header,) = series.volumes
    volume = load(header)
    for voxels in volume.voxels:
        np.testing.assert_array_equal(voxels, decoded(named(f"{name}.dcm")))


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        # Explicit VR big endian.
        ("ExplVR_BigEnd.dcm", "US"),
        ("rtdose_expb.dcm", "RTDOSE"),
        # Deflated.
        ("image_dfl.dcm", "OT"),
        # Implicit VR little endian.
        ("rtdose.dcm", "RTDOSE"),
        ("rtplan.dcm", "RTPLAN"),
        # No preamble, and no file meta information.
        ("ExplVR_BigEndNoMeta.dcm", "RTPLAN"),
        ("ExplVR_LitEndNoMeta.dcm", "RTPLAN"),
        ("rtstruct.dcm", "RTSTRUCT"),
        # Reports.
        ("test-SR.dcm", "SR"),
        ("reportsi.dcm", "SR"),
    ],
)
def test_headers_of_every_encoding_are_read(name: str, modality: str) -> None:
    (series,) = scan(named(name))
    assert series.identity.modality == modality
    header = dcmread(named(name), force=True, stop_before_pixels=True)
    assert series.identity.series_uid == header.SeriesInstanceUID
    assert series.identity.study_uid == header.StudyInstanceUID
    (volume,) = series.volumes
    assert volume.instances[0].sop_instance_uid == header.SOPInstanceUID
    assert not set(volume.verdicts) & LOADABLE


@pytest.mark.parametrize("preamble", [True, False], ids=["preamble", "none"])
def test_a_slice_without_preamble_has_its_values(preamble: bool, tmp_path: Path) -> None:
    folder = two_of(named("CT_small.dcm"), tmp_path)
    expected = decoded(named("CT_small.dcm"))
    for file in folder.iterdir():
        written = file.read_bytes()
        assert written[128:132] == b"DICM"
        file.write_bytes(written if preamble else written[132:])
    (series,) = scan(folder)
    (header,) = series.volumes
    for voxels in load(header).voxels:
        np.testing.assert_array_equal(voxels, expected)


def test_a_slice_whose_pixels_are_cut_off_is_refused(tmp_path: Path) -> None:
    shutil.copy(named("MR_truncated.dcm"), tmp_path / "cut")
    whole = dcmread(named("MR_small.dcm"))
    position = whole.ImagePositionPatient
    position[2] = float(position[2]) + 2
    whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = UID("2.25.78")
    whole.save_as(tmp_path / "whole")
    catalogue = scan(tmp_path)
    reasons = {row.path.name: row.reason for row in catalogue.skipped}
    if "cut" not in reasons:
        for series in catalogue:
            for header in series.volumes:
                with pytest.raises(OsteotraceError):
                    load(header)
    assert decoded(named("MR_truncated.dcm")) is None


def _is_directory(file: Path) -> bool:
    header: Dataset = dcmread(file, force=True, stop_before_pixels=True)
    return "DirectoryRecordSequence" in header


def test_dicomdirs_are_left_out_as_such() -> None:
    folder = TEST_FILES / "dicomdirtests"
    catalogue = scan(folder)
    directories = {f for f in FILES if "DICOMDIR" in f.name and _is_directory(f)}
    assert len(directories) >= 7
    reasons = {row.path: row for row in catalogue.skipped}
    for file in directories:
        if file.is_relative_to(folder):
            assert "DICOMDIR" in reasons[file].reason
            assert not reasons[file].damaged
    patients = {series.identity.patient_id for series in catalogue}
    assert {"77654033", "98890234"} <= patients
