"""A header's elements come out as a general parser reads them, or the file is refused."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from osteotrace.series import elements
from osteotrace.series.elements import (
    MAX_DEPTH,
    DamagedHeader,
    ElementReader,
    Elements,
)

MODALITY, UID, POSITION, ROWS = 0x00080060, 0x00080018, 0x00200032, 0x00280010
SERIES, EVIDENCE, INSTANCES = 0x0020000E, 0x00081115, 0x0008114A
REFERENCED = 0x00081155
TAGS = (MODALITY, UID, POSITION, ROWS, SERIES, EVIDENCE)


def read(file: Path) -> Elements | None:
    return ElementReader(TAGS, (EVIDENCE, INSTANCES)).read(str(file), file.stat().st_size)


def sample(**more: Any) -> Dataset:
    data = Dataset()
    data.Modality, data.SOPInstanceUID = "CT", "2.25.7"
    data.ImagePositionPatient = ["1.5", "-2", "3.25"]
    data.SeriesInstanceUID = "2.25.8"
    data.Rows, data.Columns = 2, 3
    data.BitsAllocated = 16
    data.add_new(0x00091010, "UN", b"some private bytes")
    for keyword, value in more.items():
        setattr(data, keyword, value)
    data.PixelData = bytes(range(12))
    data["PixelData"].VR = "OW"
    return data


def written(file: Path, data: Dataset, syntax: str, *, preamble: bool = True) -> Path:
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("2.25.7")
    buffer = BytesIO()
    dcmwrite(buffer, data, enforce_file_format=True)
    file.write_bytes(buffer.getvalue()[0 if preamble else 132 :])
    return file


def bare(file: Path, data: Dataset, *, implicit: bool, little: bool = True) -> Path:
    """Write a data set with neither preamble nor file meta information."""
    data.save_as(file, implicit_vr=implicit, little_endian=little)
    return file


SYNTAXES = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


def check_sample(found: Elements | None, *, little: bool = True) -> None:
    assert found is not None
    assert found.values[MODALITY] == b"CT"
    assert found.values[POSITION] == b"1.5\\-2\\3.25 "
    assert found.values[ROWS] == struct.pack("<H" if little else ">H", 2)
    assert found.little_endian is little
    assert found.pixels is not None
    assert found.pixels[1] == 12


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("preamble", [True, False])
def test_every_encoding_gives_the_same_values(
    tmp_path: Path, syntax: str, preamble: bool
) -> None:
    file = written(tmp_path / "a", sample(), syntax, preamble=preamble)
    found = read(file)
    check_sample(found, little=syntax != ExplicitVRBigEndian)
    assert found is not None
    assert found.transfer_syntax == syntax


@pytest.mark.parametrize("syntax", SYNTAXES[:3])
def test_the_pixels_begin_where_the_walk_says(tmp_path: Path, syntax: str) -> None:
    file = written(tmp_path / "a", sample(), syntax)
    found = read(file)
    assert found is not None
    assert found.pixels is not None
    start, length = found.pixels
    assert file.read_bytes()[start : start + length] == bytes(range(12))


@pytest.mark.parametrize(
    ("implicit", "little", "syntax"),
    [
        (True, True, ImplicitVRLittleEndian),
        (False, True, ExplicitVRLittleEndian),
        (False, False, ExplicitVRBigEndian),
    ],
)
def test_without_any_file_meta_the_bytes_show_their_encoding(
    tmp_path: Path, implicit: bool, little: bool, syntax: str
) -> None:
    data = sample()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    found = read(bare(tmp_path / "a", data, implicit=implicit, little=little))
    check_sample(found, little=little)
    assert found is not None
    assert found.transfer_syntax == syntax


def test_a_file_that_names_the_wrong_encoding_is_read_by_its_bytes(
    tmp_path: Path,
) -> None:
    file = written(tmp_path / "a", sample(), ExplicitVRLittleEndian)
    text = file.read_bytes()
    explicit, implicit = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"
    assert explicit in text
    file.write_bytes(text.replace(explicit, implicit))
    check_sample(read(file))


def referring() -> Dataset:
    series, image = Dataset(), Dataset()
    image.ReferencedSOPInstanceUID = "2.25.99"
    series.SeriesInstanceUID = "2.25.98"
    series.ReferencedInstanceSequence = [image, image]
    return series


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [True, False])
def test_the_items_of_a_sequence_come_out_nested(
    tmp_path: Path, syntax: str, undefined: bool
) -> None:
    data = sample(ReferencedSeriesSequence=[referring(), referring()])
    data["ReferencedSeriesSequence"].is_undefined_length = undefined
    for item in data.ReferencedSeriesSequence:
        item.is_undefined_length_sequence_item = undefined
        item["ReferencedInstanceSequence"].is_undefined_length = undefined
    found = read(written(tmp_path / "a", data, syntax))
    check_sample(found, little=syntax != ExplicitVRBigEndian)
    assert found is not None
    items: Any = found.values[EVIDENCE]
    assert [item[SERIES].rstrip(b"\0") for item in items] == [b"2.25.98"] * 2
    assert [len(item[INSTANCES]) for item in items] == [2, 2]
    assert items[0][INSTANCES][0][REFERENCED].rstrip(b"\0") == b"2.25.99"


def test_sequences_that_nobody_asks_for_are_passed_over(tmp_path: Path) -> None:
    data = sample(RequestAttributesSequence=[referring()])
    data["RequestAttributesSequence"].is_undefined_length = True
    check_sample(read(written(tmp_path / "a", data, ExplicitVRLittleEndian)))


def nested(depth: int) -> bytes:
    """Return an element that holds sequences of undefined length, one in another."""
    opened = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return (opened + item) * depth + closed * depth


def part_10(elements: bytes) -> bytes:
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(syntax)) + syntax
    return bytes(128) + b"DICM" + meta + elements


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


MODALITY_CT = element(MODALITY, b"CS", b"CT")


@pytest.mark.parametrize(("depth", "fine"), [(MAX_DEPTH, True), (200, False)])
def test_nesting_is_bounded(tmp_path: Path, depth: int, fine: bool) -> None:
    file = tmp_path / "a"
    file.write_bytes(part_10(nested(depth) + MODALITY_CT))
    if fine:
        found = read(file)
        assert found is not None
        assert found.values[MODALITY] == b"CT"
    else:
        with pytest.raises(DamagedHeader, match="nested more than 32 deep"):
            read(file)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (MODALITY_CT[:-1], "cut off"),
        (MODALITY_CT + b"\x08", "cut off"),
        (struct.pack("<HH2sH", 8, 0x60, b"CS", 60_000) + b"CT", "cut off"),
        (MODALITY_CT + b"\x10\0\x10\0??\x04\0abcd", "no value representation"),
        (nested(3)[:40], "cut off"),
        (nested(1)[:12] + MODALITY_CT, "no sequence item"),
    ],
)
def test_a_header_that_breaks_the_rules_says_how(
    tmp_path: Path, text: bytes, reason: str
) -> None:
    file = tmp_path / "a"
    file.write_bytes(part_10(text))
    with pytest.raises(DamagedHeader, match=reason):
        read(file)


def sequence(tag: int, content: bytes) -> bytes:
    """Return a sequence of undefined length."""
    head = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, 0xFFFFFFFF)
    return head + content + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def item(content: bytes, *, undefined: bool = False) -> bytes:
    """Return an item of a sequence."""
    if undefined:
        end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
        return struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content + end
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


NOT_WANTED = 0x00400275
SMALL = element(0x00091010, b"LO", b"")
EMPTY_SEQUENCE = struct.pack("<HH2sHI", 8, 0x1115, b"SQ", 0, 0)
IMPLICIT_SMALL = struct.pack("<HHI", 9, 0x1010, 0)


@pytest.mark.parametrize(
    "many",
    [
        lambda n: sequence(EVIDENCE, item(b"") * n),
        lambda n: sequence(NOT_WANTED, item(b"") * n),
        lambda n: sequence(EVIDENCE, item(b"", undefined=True) * n),
        lambda n: sequence(EVIDENCE, item(SMALL) * n),
        lambda n: sequence(EVIDENCE, item(SMALL * n)),
        lambda n: sequence(EVIDENCE, item(EMPTY_SEQUENCE * n)),
        lambda n: sequence(NOT_WANTED, b"") * n,
        lambda n: EMPTY_SEQUENCE * n,
        lambda n: SMALL * n,
        lambda n: IMPLICIT_SMALL * n,
    ],
    ids=[
        "items", "items passed over", "items without a length", "items of one element",
        "elements of an item", "sequences in an item", "sequences passed over",
        "sequences", "elements", "elements without a representation",
    ],
)  # fmt: skip
def test_what_a_header_may_cost_is_bounded_whatever_it_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: Any
) -> None:
    monkeypatch.setattr(elements, "MAX_COST", 5000)
    file = tmp_path / "a"
    file.write_bytes(part_10(many(1000)))
    assert read(file) is not None
    file.write_bytes(part_10(many(6000)))
    with pytest.raises(DamagedHeader, match="more elements than any header has"):
        read(file)


def test_a_header_is_not_paid_for_anew_each_time_more_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, file = 6000, tmp_path / "a"
    file.write_bytes(part_10(sequence(EVIDENCE, item(SMALL * n))))
    assert file.stat().st_size > elements.FIRST_READ_BYTES
    monkeypatch.setattr(elements, "MAX_COST", n + 100)
    with pytest.raises(DamagedHeader, match="more elements than any header has"):
        read(file)


def test_an_enhanced_object_of_ten_thousand_frames_is_within_bounds(
    tmp_path: Path,
) -> None:
    # Ten functional groups a frame, of five elements each.
    groups = b"".join(
        sequence(0x00209100 + n, item(SMALL * 5, undefined=True)) for n in range(10)
    )
    file = tmp_path / "a"
    file.write_bytes(part_10(sequence(EVIDENCE, item(groups, undefined=True) * 10_000)))
    found = read(file)
    assert found is not None
    assert len(found.values[EVIDENCE]) == 10_000


@pytest.mark.parametrize(
    ("keyword", "representation", "floating"),
    [
        ("PixelData", "OW", False),
        ("FloatPixelData", "OF", True),
        ("DoubleFloatPixelData", "OD", True),
    ],
)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_pixels_that_are_no_integers_are_said_to_be_none(
    tmp_path: Path, syntax: str, keyword: str, representation: str, floating: bool
) -> None:
    data = sample()
    del data.PixelData
    setattr(data, keyword, bytes(16))
    data[keyword].VR = representation
    found = read(written(tmp_path / "a", data, syntax))
    assert found is not None
    assert found.floating is floating
    assert found.pixels is not None
    assert found.pixels[1] == 16


def test_a_header_longer_than_the_first_read_is_read_whole(tmp_path: Path) -> None:
    data = sample()
    data.add_new(0x00091011, "OB", bytes(300_000))
    check_sample(read(written(tmp_path / "a", data, ExplicitVRLittleEndian)))


def test_zeros_behind_the_last_element_are_no_damage(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(part_10(MODALITY_CT) + bytes(512))
    found = read(file)
    assert found is not None
    assert found.values[MODALITY] == b"CT"


@pytest.mark.parametrize(
    "text", [b"", b"\0", b"junk", b"%PDF-1.7 ...", bytes(4096), b"\x08\0 text of its own"]
)
def test_what_is_not_dicom_is_none(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "a"
    file.write_bytes(text)
    assert read(file) is None


@pytest.mark.parametrize(
    "file",
    sorted(Path(pydicom.data.__file__).parent.glob("test_files/*.dcm")),
    ids=lambda file: file.name,
)
@pytest.mark.filterwarnings("ignore:Expected explicit VR:UserWarning")
def test_values_equal_those_of_a_general_parser(file: Path) -> None:
    try:
        found = read(file)
    except DamagedHeader:
        found = None
    if found is None:
        # The tests of the scan say which files may be refused, and why.
        return
    general = dcmread(file, force=True, stop_before_pixels=True)
    for tag in (MODALITY, UID, POSITION, SERIES):
        raw = found.values.get(tag)
        if raw is None:
            assert tag not in general
            continue
        assert isinstance(raw, bytes)
        value = general[tag].value
        words = [str(v) for v in value] if general[tag].VM > 1 else [str(value or "")]
        assert raw.decode("ascii").strip("\0 ").split("\\") == words
    if isinstance(found.values.get(ROWS), bytes):
        raw = found.values[ROWS]
        assert int.from_bytes(raw, "little" if found.little_endian else "big") == (  # type: ignore[arg-type]
            general.Rows
        )
