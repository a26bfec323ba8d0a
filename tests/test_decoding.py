"""Compressed images: the values that were encoded come back, or the file is named.

Codecs are native code and run in processes of their own: their crashes, hangs and
hunger for memory must stay there.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gdcm
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID, CTImageStorage

from osteotrace.errors import OsteotraceError
from osteotrace.series.instances import ImageAttributes, Instance, PixelFormat
from osteotrace.volume import decoding
from osteotrace.volume.decoding import decode_into

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BASELINE = "1.2.840.10008.1.2.4.50"
EXTENDED = "1.2.840.10008.1.2.4.51"
LOSSLESS = "1.2.840.10008.1.2.4.57"
LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
JPEG_2000_LOSSY = "1.2.840.10008.1.2.4.91"
RLE = "1.2.840.10008.1.2.5"

ROWS, COLUMNS = 48, 40
ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"


def picture(
    dtype: str = "u2",
    bits: int = 12,
    rows: int = ROWS,
    columns: int = COLUMNS,
    k: int = 0,
) -> NDArray[Any]:
    """Return a rough slope that uses every bit, another one for each k."""
    signed = np.dtype(dtype).kind == "i"
    low, high = (
        (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    )
    noise = np.random.default_rng(k).integers(-3, 4, (rows, columns))
    slope = np.add.outer(np.arange(rows) * 2, np.arange(columns)) / (2 * rows + columns)
    values = low + (high - low) * slope + noise * max(1, (high - low) // 500)
    values[0, :2] = low, high
    return values.clip(low, high).astype(dtype)


def described(values: NDArray[Any], bits: int, syntax: str) -> Dataset:
    """Return a dataset that states what the values are."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "2.25.77"
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = values.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    return dataset


def by_gdcm(values: NDArray[Any], bits: int, folder: Path, *options: str) -> bytes:
    """Encode with the program that comes with python-gdcm."""
    program = Path(gdcm.__file__).parent / "_gdcm" / "gdcmconv"
    plain, packed = folder / "plain.dcm", folder / "packed.dcm"
    dataset = described(values, bits, EXPLICIT)
    dataset.add_new("PixelData", "OW", values.tobytes())
    dataset.save_as(plain, enforce_file_format=True)
    subprocess.run([program, *options, plain, packed], check=True, capture_output=True)
    stream: bytes = get_frame(dcmread(packed).PixelData, 0, number_of_frames=1)
    return stream


def encoded(values: NDArray[Any], bits: int, syntax: str, folder: Path) -> bytes:
    """Return the values as one compressed stream."""
    if syntax == JPEG_2000:
        return by_gdcm(values, bits, folder, "--j2k")
    if syntax == JPEG_2000_LOSSY:
        return by_gdcm(values, bits, folder, "--j2k", "--lossy", "--irreversible")
    if syntax in (LOSSLESS, LOSSLESS_SV1):
        return by_gdcm(values, bits, folder, "--jpeg")
    if syntax == BASELINE:
        return by_gdcm(values, bits, folder, "--jpeg", "--lossy")
    options: dict[str, Any] = {"jls_error": 2} if syntax == NEAR_LOSSLESS else {}
    stream: bytes = get_encoder(syntax).encode(
        values,
        rows=values.shape[0],
        columns=values.shape[1],
        samples_per_pixel=1,
        number_of_frames=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=values.dtype.itemsize * 8,
        bits_stored=bits,
        pixel_representation=int(values.dtype.kind == "i"),
        **options,
    )
    return stream


def item(value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return ITEM + len(value).to_bytes(4, "little") + value


def encapsulated(
    frames: Sequence[Sequence[bytes]], *, table: bool = False, delimited: bool = True
) -> bytes:
    """Return the value of PixelData of frames that consist of fragments."""
    items = [b"".join(item(fragment) for fragment in frame) for frame in frames]
    starts = np.cumsum([0, *map(len, items[:-1])]).astype("<u4")
    offsets = item(starts.tobytes() if table else b"")
    return offsets + b"".join(items) + (DELIMITER if delimited else b"")


def in_parts(stream: bytes, parts: int) -> list[bytes]:
    size = -(-len(stream) // parts // 2) * 2
    return [stream[k : k + size] for k in range(0, len(stream), size)]


def write(
    path: Path,
    value: bytes,
    like: NDArray[Any],
    bits: int,
    syntax: str,
    frames: int = 1,
    **stated: Any,
) -> list[Instance]:
    """Write a file and return its images; ``stated`` is what its header says amiss."""
    dataset = described(like, bits, syntax)
    if frames > 1:
        dataset.NumberOfFrames = frames
    for keyword, amiss in stated.items():
        setattr(dataset, keyword, amiss)
    dataset.add_new("PixelData", "OB", value)
    dataset[
        "PixelData"
    ].is_undefined_length = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    dataset.save_as(path, enforce_file_format=True)
    return images(path)


def images(path: Path) -> list[Instance]:
    """Return the images of a file as its header states them."""
    dataset, content = dcmread(path), path.read_bytes()
    headers = [b"\xe0\x7f\x10\0" + vr + b"\0\0" for vr in (b"OB", b"OW")]
    offset = max(content.rfind(header) for header in headers) + 12
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    frames = int(dataset.get("NumberOfFrames") or 1)
    attributes = ImageAttributes(
        sop_class_uid="",
        rows=dataset.Rows,
        columns=dataset.Columns,
        frame_of_reference_uid="",
        image_type=(),
        orientation=None,
        pixel_spacing=None,
        format=PixelFormat(
            transfer_syntax=syntax,
            bits_allocated=dataset.BitsAllocated,
            bits_stored=dataset.BitsStored,
            signed=bool(dataset.PixelRepresentation),
            samples=dataset.SamplesPerPixel,
            photometric=dataset.PhotometricInterpretation,
            frames=frames,
        ),
    )
    state = path.stat()
    return [
        Instance(
            file=str(path),
            stamp=(state.st_size, state.st_mtime_ns),
            sop_instance_uid="2.25.77",
            frame=frame,
            number=1,
            position=None,
            attributes=attributes,
            pixel_offset=0 if syntax == DEFLATED else offset,
            pixel_bytes=-1,
        )
        for frame in (range(1, frames + 1) if frames > 1 else (0,))
    ]


def decoded(
    instances: Sequence[Instance], dtype: str | None = None, **options: Any
) -> NDArray[Any]:
    form = instances[0].attributes.format
    stored = f"{'i' if form.signed else 'u'}{form.bits_allocated // 8}"
    shape = (len(instances), instances[0].rows, instances[0].columns)
    voxels = np.full(shape, 99, dtype=dtype or stored)
    decode_into(voxels, instances, **options)
    return voxels


def refusal(instances: Sequence[Instance], **options: Any) -> OsteotraceError:
    """Return the error of images that cannot be decoded; it names their file."""
    with pytest.raises(OsteotraceError) as caught:
        decoded(instances, **options)
    assert caught.value.where in {instance.file for instance in instances}
    return caught.value


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Return every decoder process that the test starts."""
    started: list[subprocess.Popen[bytes]] = []
    start = decoding._started

    def recording(first: Instance) -> subprocess.Popen[bytes]:
        started.append(start(first))
        return started[-1]

    monkeypatch.setattr(decoding, "_started", recording)
    return started


@pytest.fixture
def decoder_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], None]:
    """Return a function that puts Python source in the place of the decoder."""

    def replace(body: str) -> None:
        program = (
            "import os, time\nimport numpy as np\n"
            "from osteotrace.volume import decoder_process\n"
            f"def decode(instance, dtype, **options):\n    {body}\n"
            "decoder_process.decode = decode\nserve = decoder_process.serve\n"
        )
        (tmp_path / "other_decoder.py").write_text(program)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(decoding, "_DECODER", "other_decoder")

    return replace


@pytest.fixture
def small(tmp_path: Path) -> list[Instance]:
    """Return 24 images of one RLE file, image k all of the value k."""
    flat = np.ones((ROWS, COLUMNS), "u1")
    streams = [[encoded(flat * k, 8, RLE, tmp_path)] for k in range(24)]
    return write(tmp_path / "small.dcm", encapsulated(streams), flat, 8, RLE, frames=24)


@pytest.mark.parametrize("syntax", [RLE, LOSSLESS, LOSSLESS_SV1, JPEG_LS, JPEG_2000])
def test_every_lossless_format_gives_the_encoded_values_back(
    tmp_path: Path, syntax: str
) -> None:
    kinds = [("u1", 8), ("u2", 12), ("u2", 16), ("i2", 13), ("i2", 16)]
    pictures = [picture(dtype, bits) for dtype, bits in kinds]
    instances = []
    for k, (values, (_, bits)) in enumerate(zip(pictures, kinds, strict=True)):
        value = encapsulated([[encoded(values, bits, syntax, tmp_path)]])
        instances += write(tmp_path / f"{k}.dcm", value, values, bits, syntax)
    result = decoded(instances, np.result_type(*pictures).str)
    for found, values in zip(result, pictures, strict=True):
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("syntax", "dtype", "bits", "most"),
    [
        # JPEG-LS keeps to the error that it was told, ISO/IEC 14495-1 section A.4.
        (NEAR_LOSSLESS, "u2", 12, 2),
        (JPEG_2000_LOSSY, "i2", 16, 8),
        (BASELINE, "u1", 8, 8),
    ],
)
def test_a_lossy_format_comes_close(
    tmp_path: Path, syntax: str, dtype: str, bits: int, most: int
) -> None:
    values = picture(dtype, bits)
    stream = encoded(values, bits, syntax, tmp_path)
    instances = write(tmp_path / "a.dcm", encapsulated([[stream]]), values, bits, syntax)
    error = decoded(instances)[0].astype(int) - values
    assert 0 < np.abs(error).max() <= most


def test_lossy_jpeg_of_12_bits_is_decoded_as_dcmtk_decodes_it() -> None:
    path = get_testdata_file("JPGExtended.dcm")
    assert isinstance(path, str)
    result = decoded(images(Path(path)))[0]
    # From dcmdjpeg (dcmtk 3.6.7) on the same file.
    assert result.shape == (1024, 256)
    assert (result.min(), result.max(), int(result.sum())) == (0, 264, 3767007)


def test_lossy_jpeg_of_12_bits_for_a_header_of_8_is_refused(tmp_path: Path) -> None:
    path = get_testdata_file("JPGExtended.dcm")
    assert isinstance(path, str)
    stream = get_frame(dcmread(path).PixelData, 0, number_of_frames=1)
    like = np.zeros((1024, 256), "u2")
    # GDCM decodes it to wrong values without an error.
    bad = write(tmp_path / "a.dcm", encapsulated([[stream]]), like, 8, EXTENDED)
    assert "a codestream of 12 bits for 8 in 16" in refusal(bad).found


@pytest.mark.parametrize(("dtype", "expected"), [("u2", 0xABC), ("i2", 0xABC - 0x1000)])
def test_bits_above_bits_stored_are_not_part_of_the_value(
    tmp_path: Path, dtype: str, expected: int
) -> None:
    overlaid = np.full((ROWS, COLUMNS), 0x7ABC, dtype)
    stream = encoded(overlaid, 16, RLE, tmp_path)
    instances = write(tmp_path / "a.dcm", encapsulated([[stream]]), overlaid, 12, RLE)
    assert np.unique(decoded(instances)).tolist() == [expected]


@pytest.mark.parametrize("table", [False, True])
def test_a_frame_may_lie_in_several_fragments(tmp_path: Path, table: bool) -> None:
    # RLE has no marker that would tell where a stream ends.
    syntax = RLE if table else JPEG_LS
    values = np.stack([picture(k=k) for k in range(3)])
    streams = [encoded(v, 12, syntax, tmp_path) for v in values]
    instances, expected = [], []
    for frames, parts in [(1, 1), (1, 3), (3, 1), (3, 3)]:
        fragments = [in_parts(stream, parts) for stream in streams[:frames]]
        value = encapsulated(fragments, table=table)
        path = tmp_path / f"{frames}_{parts}.dcm"
        # Last frame first: each is found for itself.
        instances += write(path, value, values, 12, syntax, frames=frames)[::-1]
        expected += [*values[:frames][::-1]]
    np.testing.assert_array_equal(decoded(instances), expected)


def test_fragments_that_no_table_nor_marker_tells_apart_are_refused(
    tmp_path: Path,
) -> None:
    values = np.stack([picture(k=k) for k in range(2)])
    parts = [in_parts(encoded(v, 12, RLE, tmp_path), 2) for v in values]
    path = tmp_path / "a.dcm"
    bad = write(path, encapsulated(parts), values, 12, RLE, frames=2)
    assert "4 items that do not make up 2 frames" in refusal(bad).found


def test_fewer_frames_than_the_header_says_are_refused(tmp_path: Path) -> None:
    values = np.stack([picture(k=k) for k in range(2)])
    streams = [[encoded(v, 12, JPEG_LS, tmp_path)] for v in values]
    path = tmp_path / "a.dcm"
    bad = write(path, encapsulated(streams), values, 12, JPEG_LS, frames=3)
    assert "frame 1: 2 compressed frames of 3" in refusal(bad).found


def test_a_missing_end_of_sequence_is_no_reason_to_refuse(tmp_path: Path) -> None:
    values = picture()
    stream = encoded(values, 12, JPEG_LS, tmp_path)
    path = tmp_path / "a.dcm"
    instances = write(path, encapsulated([[stream]]), values, 12, JPEG_LS)
    path.write_bytes(path.read_bytes().removesuffix(DELIMITER))
    np.testing.assert_array_equal(decoded(instances)[0], values)


@pytest.mark.parametrize("syntax", [RLE, LOSSLESS_SV1, JPEG_LS, JPEG_2000, BASELINE])
@pytest.mark.parametrize("kept", [0.9, 0.01])
def test_a_stream_that_is_cut_off_is_refused(
    tmp_path: Path, syntax: str, kept: float
) -> None:
    values = picture("u1", 8)
    stream = encoded(values, 8, syntax, tmp_path)
    short = stream[: int(len(stream) * kept)]
    bad = write(tmp_path / "a.dcm", encapsulated([[short]]), values, 8, syntax)
    assert refusal(bad).found.startswith("an image whose pixels cannot be read (")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    values = picture()
    stream = encoded(values, 12, JPEG_LS, tmp_path)
    path = tmp_path / "a.dcm"
    bad = write(path, encapsulated([[stream]]), values, 12, JPEG_LS)
    path.write_bytes(path.read_bytes()[:-40])
    assert "past the end of the file" in refusal(bad).found


def test_a_jpeg_that_its_codec_calls_corrupt_is_refused(tmp_path: Path) -> None:
    values = picture("u1", 8, rows=256, columns=240)
    stream = bytearray(encoded(values, 8, BASELINE, tmp_path))
    # One bit, from which libjpeg decodes thousands of wrong pixels with a warning.
    stream[len(stream) // 2] ^= 0x10
    bad = write(tmp_path / "a.dcm", encapsulated([[bytes(stream)]]), values, 8, BASELINE)
    assert "Corrupt JPEG data" in refusal(bad).found


@pytest.mark.parametrize("syntax", [BASELINE, LOSSLESS_SV1, JPEG_LS, JPEG_2000])
def test_a_codestream_of_another_size_is_refused_not_reshaped(
    tmp_path: Path, syntax: str
) -> None:
    values = picture("u1", 8)
    stream = encoded(values.T.copy(), 8, syntax, tmp_path)
    bad = write(tmp_path / "a.dcm", encapsulated([[stream]]), values, 8, syntax)
    assert f"a codestream of {COLUMNS} × {ROWS} pixels" in refusal(bad).found


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS + 1])
def test_rle_of_another_size_is_refused(tmp_path: Path, rows: int) -> None:
    stream = encoded(picture(rows=rows), 12, RLE, tmp_path)
    bad = write(tmp_path / "a.dcm", encapsulated([[stream]]), picture(), 12, RLE)
    assert f"{rows * COLUMNS} vs. {ROWS * COLUMNS} bytes" in refusal(bad).found


def test_more_bits_than_a_pixel_has_are_refused(tmp_path: Path) -> None:
    stream = encoded(picture("u2", 16), 16, LOSSLESS_SV1, tmp_path)
    like = picture("u1", 8)
    bad = write(tmp_path / "a.dcm", encapsulated([[stream]]), like, 8, LOSSLESS_SV1)
    assert "a codestream of 16 bits for 8 in 8" in refusal(bad).found


def test_colour_is_refused(tmp_path: Path) -> None:
    colour = np.zeros((ROWS, COLUMNS, 3), "u1")
    options: dict[str, Any] = {"samples_per_pixel": 3, "planar_configuration": 0}
    stream = get_encoder(JPEG_LS).encode(
        colour,
        rows=ROWS,
        columns=COLUMNS,
        number_of_frames=1,
        photometric_interpretation="RGB",
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
        **options,
    )
    like = np.zeros((ROWS, COLUMNS), "u1")
    value = encapsulated([[stream]])
    hidden = write(tmp_path / "a.dcm", value, like, 8, JPEG_LS)
    assert "3 components" in refusal(hidden).found
    stated = write(tmp_path / "b.dcm", value, like, 8, JPEG_LS, SamplesPerPixel=3)
    assert "3 samples a pixel" in refusal(stated).found


def test_no_slice_is_so_large_and_no_decoder_is_asked(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    stream = encoded(picture(), 12, JPEG_LS, tmp_path)
    path = tmp_path / "a.dcm"
    value = encapsulated([[stream]])
    bad = write(path, value, picture(), 12, JPEG_LS, Rows=65535, Columns=65535)
    with pytest.raises(OsteotraceError, match="65535 × 65535 pixels"):
        decode_into(np.empty((1, 1, 1), "u2"), bad)
    assert processes == []


def test_a_format_that_nothing_here_decodes_is_refused(tmp_path: Path) -> None:
    high_throughput = "1.2.840.10008.1.2.4.201"
    stream = encoded(picture(), 12, JPEG_2000, tmp_path)
    value = encapsulated([[stream]])
    bad = write(tmp_path / "a.dcm", value, picture(), 12, high_throughput)
    assert "pylibjpeg" in refusal(bad).found


def test_values_go_into_a_wider_type_and_never_into_one_that_loses_them(
    tmp_path: Path,
) -> None:
    values = picture("u2", 16)
    stream = encoded(values, 16, JPEG_LS, tmp_path)
    path = tmp_path / "a.dcm"
    instances = write(path, encapsulated([[stream]]), values, 16, JPEG_LS)
    np.testing.assert_array_equal(decoded(instances, "i4")[0], values)
    found = refusal(instances, dtype="i2").found
    assert "uint16 values, which int16 does not hold" in found


def test_a_native_image_may_stand_among_compressed_ones(tmp_path: Path) -> None:
    values = [picture("i2", 16, k=k) for k in range(2)]
    plain = write(tmp_path / "a.dcm", values[0].tobytes(), values[0], 16, EXPLICIT)
    stream = encoded(values[1], 16, RLE, tmp_path)
    packed = write(tmp_path / "b.dcm", encapsulated([[stream]]), values[1], 16, RLE)
    np.testing.assert_array_equal(decoded([*plain, *packed]), values)


def deflate(path: Path) -> list[Instance]:
    """Deflate what follows the file meta information."""
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = UID(DEFLATED)
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
    return images(path)


def test_deflated_files_are_inflated(tmp_path: Path) -> None:
    values = np.stack([picture("i2", 13, k=k) for k in range(3)])
    path = tmp_path / "a.dcm"
    write(path, values.tobytes(), values, 13, EXPLICIT, frames=3)
    np.testing.assert_array_equal(decoded(deflate(path)), values)


@pytest.mark.parametrize("missing", [1, 300])
def test_a_deflated_file_that_is_cut_off_is_refused(tmp_path: Path, missing: int) -> None:
    values = picture()
    path = tmp_path / "a.dcm"
    write(path, values.tobytes(), values, 12, EXPLICIT)
    bad = deflate(path)
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-missing])
    assert "a deflated file that is cut off" in refusal(bad).found


def test_deflated_pixels_that_are_too_few_are_refused(tmp_path: Path) -> None:
    values = picture()
    path = tmp_path / "a.dcm"
    write(path, values.tobytes(), values, 12, EXPLICIT, Rows=ROWS + 1)
    assert f"{2 * COLUMNS} bytes short" in refusal(deflate(path)).found


def test_a_small_deflated_file_of_a_gigabyte_is_refused_soon(tmp_path: Path) -> None:
    path = tmp_path / "bomb.dcm"
    bad = deflate_bomb(path)
    assert path.stat().st_size < 1.2e6
    # Kilobytes, of the largest process that this one has waited for.
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    start = time.monotonic()
    assert "a deflated file of more than 512 MiB" in refusal(bad).found
    assert time.monotonic() - start < 15
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert largest < 1 << 20 or largest == before


def deflate_bomb(path: Path) -> list[Instance]:
    """Write a deflated image with 1 GiB of zeros after its pixels."""
    write(path, picture().tobytes(), picture(), 12, EXPLICIT)
    instances = deflate(path)
    content = path.read_bytes()
    length = int.from_bytes(content[140:144], "little")
    start = 144 + length
    inflated = zlib.decompress(content[start:].rstrip(b"\0") + b"\0", -zlib.MAX_WBITS)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [content[:start], packer.compress(inflated), packer.flush(zlib.Z_FULL_FLUSH)]
    zeros = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush the same bytes mean the same again.
    path.write_bytes(b"".join([*parts, *[zeros] * 64, packer.flush()]))
    return instances


def test_a_file_that_crashes_its_codec_is_one_error(tmp_path: Path) -> None:
    values = picture("u2", 16)
    stream = encoded(values, 16, LOSSLESS_SV1, tmp_path)
    # GDCM aborts the process on JPEG for 32 bits allocated.
    path = tmp_path / "a.dcm"
    value = encapsulated([[stream]])
    bad = write(path, value, values, 16, LOSSLESS_SV1, BitsAllocated=32)
    assert refusal(bad).found == "an image whose decoder stopped (signal 6)"


def test_a_decoder_that_is_killed_is_one_error_and_ends_all_of_them(
    small: list[Instance],
    processes: list[subprocess.Popen[bytes]],
    decoder_that: Callable[[str], None],
) -> None:
    decoder_that("time.sleep(0.1); return np.zeros((48, 40), dtype)")

    def kill(done: int) -> None:
        if done == 4:
            processes[0].send_signal(signal.SIGSEGV)

    found = refusal(small, progress=kill).found
    assert found.startswith("an image whose decoder stopped (frame ")
    assert found.endswith("signal 11)")
    assert all(process.poll() is not None for process in processes)


def test_a_decoder_that_hangs_is_ended(
    small: list[Instance],
    processes: list[subprocess.Popen[bytes]],
    decoder_that: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoding, "FRAME_SECONDS", 2)
    decoder_that("time.sleep(100)")
    start = time.monotonic()
    assert refusal(small).found == "an image that is not decoded after 2 s"
    assert time.monotonic() - start < 10
    assert all(process.poll() is not None for process in processes)


def test_a_decoder_that_hangs_ends_itself_when_nobody_is_left_to_end_it(
    small: list[Instance], decoder_that: Callable[[str], None]
) -> None:
    # `alarm` returns the seconds that were left, and the end is brought forward.
    decoder_that(
        "import signal; left = signal.alarm(1); "
        "assert 30 < left <= 35, left; time.sleep(100)"
    )
    assert refusal(small).found.endswith("signal 14)")


def test_ctrl_c_reaches_the_caller_and_not_the_decoder(
    small: list[Instance], decoder_that: Callable[[str], None]
) -> None:
    decoder_that("os.kill(os.getpid(), 2); return np.full((48, 40), 7, dtype)")
    assert np.unique(decoded(small)).tolist() == [7]


def test_a_decoder_gets_no_more_memory_than_its_bound(
    small: list[Instance], decoder_that: Callable[[str], None]
) -> None:
    decoder_that("return np.ones(decoder_process.MEMORY_BYTES, 'u1')")
    assert "Unable to allocate" in refusal(small).found


def test_what_a_codec_prints_or_reads_does_not_reach_the_answers(
    small: list[Instance], decoder_that: Callable[[str], None]
) -> None:
    decoder_that(
        "print('x' * 999, flush=True); os.system('echo noise; echo noise >&2; cat'); "
        "os.write(1, b'y' * 99); assert os.read(0, 9) == b''; "
        "return np.full((48, 40), instance.frame, dtype)"
    )
    np.testing.assert_array_equal(decoded(small)[:, 0, 0], np.arange(1, 25))


def test_the_first_bad_image_is_the_one_that_is_named(
    small: list[Instance], decoder_that: Callable[[str], None]
) -> None:
    # Its problem shows last.
    decoder_that(
        "time.sleep(2) if instance.frame == 13 else None; "
        "assert instance.frame < 13, 'bad'; return np.zeros((48, 40), dtype)"
    )
    assert "(frame 13: AssertionError: bad)" in refusal(small).found


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_no_process_is_left_when_the_caller_stops(
    small: list[Instance],
    processes: list[subprocess.Popen[bytes]],
    decoder_that: Callable[[str], None],
    stop: type[BaseException],
) -> None:
    decoder_that(
        "time.sleep(20) if instance.frame > 1 else None; return np.zeros((48, 40), dtype)"
    )

    def interrupt(done: int) -> None:
        raise stop

    before, start = threading.active_count(), time.monotonic()
    with pytest.raises(stop):
        decoded(small, progress=interrupt)
    assert time.monotonic() - start < 10
    assert processes
    assert all(process.poll() is not None for process in processes)
    assert threading.active_count() == before


def test_a_process_ends_with_its_input(small: list[Instance]) -> None:
    process = decoding._started(small[0])
    with process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_progress_counts_images_in_the_callers_thread(small: list[Instance]) -> None:
    counted: list[tuple[int, int]] = []
    result = decoded(
        small, progress=lambda done: counted.append((done, threading.get_ident()))
    )
    assert counted == [(k + 1, threading.get_ident()) for k in range(24)]
    np.testing.assert_array_equal(result, np.arange(24)[:, None, None] + 0 * result)


@pytest.mark.parametrize(("given", "expected"), [(1, 1), (8, 1), (9, 2), (24, 3)])
def test_there_are_as_many_processes_as_the_work_is_worth(
    small: list[Instance],
    processes: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    given: int,
    expected: int,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    decoded(small[:given])
    assert len(processes) == expected


def test_a_script_without_a_main_guard_runs_once(
    tmp_path: Path, small: list[Instance]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; sys.path[:] = sys.argv[2:]\n"
        "import msgspec, numpy as np\n"
        "from osteotrace.series.instances import Instance\n"
        "from osteotrace.volume.decoding import decode_into\n"
        "instances = msgspec.json.decode(sys.argv[1], type=list[Instance])\n"
        "voxels = np.zeros((24, 48, 40), 'u1')\n"
        "decode_into(voxels, instances)\n"
        "print(voxels[:, 0, 0].tolist())\n"
    )
    import msgspec

    arguments = [msgspec.json.encode(small).decode(), *sys.path]
    # A bare interpreter, which finds osteotrace by the script's own sys.path alone.
    output = subprocess.run(
        [sys.executable, "-S", script, *arguments],
        capture_output=True,
        check=True,
        text=True,
        cwd=tmp_path,
    )
    assert output.stdout == f"{list(range(24))}\n"


def test_a_file_whose_name_is_not_text_is_read(tmp_path: Path) -> None:
    values = picture()
    stream = encoded(values, 12, JPEG_LS, tmp_path)
    path = tmp_path / os.fsdecode(b"\xff\xfe.dcm")
    instances = write(path, encapsulated([[stream]]), values, 12, JPEG_LS)
    np.testing.assert_array_equal(decoded(instances)[0], values)


def test_a_file_that_is_gone_is_named(tmp_path: Path, small: list[Instance]) -> None:
    Path(small[0].file).unlink()
    assert "No such file" in refusal(small).found


@pytest.mark.parametrize(
    "folder", ["compressed_jpeg", "compressed_jpegls", "compressed_rle"]
)
def test_real_compressed_mr_equals_what_pydicom_reads(
    real_dicom: Path, folder: str
) -> None:
    files = sorted((real_dicom / "compressed_mr" / folder).rglob("*.dcm"))
    expected = np.stack([dcmread(file).pixel_array for file in files])
    instances = [instance for file in files for instance in images(file)]
    np.testing.assert_array_equal(decoded(instances), expected)


def test_real_jpeg_2000_ct_equals_what_pydicom_reads(real_dicom: Path) -> None:
    files = sorted((real_dicom / "spine_ct_j2k" / "example_ct_dicom").iterdir())
    expected = np.stack([dcmread(file).pixel_array for file in files])
    instances = [instance for file in files for instance in images(file)]
    np.testing.assert_array_equal(decoded(instances), expected)
