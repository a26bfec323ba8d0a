"""The same pixels in every way that DICOM may write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from tests.fixtures.odd_series import (
    Stack,
    check_places,
    compress_with_gdcm,
    only_volume,
    write_stack,
)

from osteotrace.series import scan
from osteotrace.volume import load

if TYPE_CHECKING:
    from pathlib import Path

SYNTAXES = {
    "implicit little endian": ImplicitVRLittleEndian,
    "explicit little endian": ExplicitVRLittleEndian,
    "explicit big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG lossless": JPEGLosslessSV1,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
}


def write_in_syntax(file: Path, syntax: str) -> None:
    if syntax in (JPEGLosslessSV1, JPEG2000Lossless):
        compress_with_gdcm(file, syntax)
        return
    data = dcmread(file)
    if syntax in (RLELossless, JPEGLSLossless):
        data.compress(syntax, generate_instance_uid=False)
        data.save_as(file)
        return
    data.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax == ExplicitVRBigEndian:
        # A dataset of its own: pydicom writes one that was read only as it was.
        fresh = Dataset({e.tag: e for e in data})
        fresh.file_meta = data.file_meta
        fresh.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
        fresh.save_as(file)
        return
    data.save_as(file)


@pytest.mark.parametrize("name", SYNTAXES)
def test_every_transfer_syntax_gives_the_same_voxels(tmp_path: Path, name: str) -> None:
    stack = Stack(rows=12, columns=14)
    folder = write_stack(tmp_path, stack)
    expected = {dcmread(f).SOPInstanceUID: dcmread(f).PixelData for f in folder.iterdir()}
    for file in folder.iterdir():
        write_in_syntax(file, SYNTAXES[name])
    header = only_volume(scan(folder))
    assert header.instances[0].attributes.format.transfer_syntax == SYNTAXES[name]
    volume = load(header)
    for voxels, instance in zip(volume.voxels, volume.instances, strict=True):
        pixels = expected[instance.sop_instance_uid]
        np.testing.assert_array_equal(voxels.ravel(), np.frombuffer(pixels, "<u2"))
    check_places(volume)


def test_slices_of_one_volume_may_be_written_in_different_syntaxes(
    tmp_path: Path,
) -> None:
    stack = Stack(heights=tuple(0.6 * n for n in range(len(SYNTAXES))))
    folder = write_stack(tmp_path, stack)
    for file, syntax in zip(sorted(folder.iterdir()), SYNTAXES.values(), strict=True):
        write_in_syntax(file, syntax)
    header = only_volume(scan(folder))
    assert header.verdicts == ("regular",)
    check_places(load(header))
