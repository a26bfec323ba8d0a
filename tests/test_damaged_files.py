"""What is damaged, locked or a circle of links: its reason, and the rest still loads."""

from __future__ import annotations

import os
import struct
import tempfile
import tracemalloc
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian
from tests.fixtures.odd_series import (
    Stack,
    check_places,
    nested_sequences,
    only_volume,
    place_values,
    rewrite,
    write_stack,
)
from tests.fixtures.synthetic import SERIES_UID

from osteotrace.errors import OsteotraceError
from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.enhanced_ct import write_enhanced_ct
from osteotrace.series import scan
from osteotrace.volume import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


LOADABLE = {"regular", "tilted", "uneven"}
BAD_UID = "2.25.666"
# The slice that is damaged: in the middle, so that leaving it out leaves a gap.
BAD = "image0003.dcm"


def good_and_bad(folder: Path) -> Path:
    """Write a whole series, and one whose middle slice is to be damaged; return that."""
    write_stack(folder / "good", Stack())
    bad = Stack(rows=40, columns=50)
    return write_stack(folder / "bad", bad, series_uid=BAD_UID) / BAD


def check_left_out_or_refused(folder: Path, bad: Path) -> None:
    """Check that a bad file is no part of a volume that loads, and harms no other.

    It is a row of `skipped` with a reason, or its volume is refused with that file named
    or by its verdict.
    """
    catalogue = scan(folder)
    rows = {row.path: row for row in catalogue.skipped}
    for series in catalogue:
        for header in series.volumes:
            if series.identity.series_uid == SERIES_UID:
                check_places(load(header))
                continue
            with pytest.raises(OsteotraceError) as caught:
                load(header)
            error = caught.value
            holds = bad in {instance.path for instance in header.instances}
            if holds and set(header.verdicts) <= LOADABLE:
                assert bad.name in error.where
    if (folder / "good").exists():
        assert any(s.identity.series_uid == SERIES_UID for s in catalogue)
    if bad in rows:
        assert rows[bad].reason
        # Only a file that says it is DICOM can be a slice that is missing now.
        assert rows[bad].damaged == (bad.read_bytes()[128:132] == b"DICM")
    else:
        used = {i.path for s in catalogue for v in s.volumes for i in v.instances}
        assert bad in used


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
@pytest.mark.parametrize("part", ["header", "file"])
def test_a_file_cut_off_anywhere(tmp_path: Path, quarter: int, part: str) -> None:
    bad = good_and_bad(tmp_path)
    content = bad.read_bytes()
    end = content.index(b"\xe0\x7f\x10\x00") if part == "header" else len(content)
    bad.write_bytes(content[: end * quarter // 4])
    check_left_out_or_refused(tmp_path, bad)
    rows = {row.path: row for row in scan(tmp_path).skipped}
    if part == "header":
        # Below byte 132 nothing says that it ever was DICOM.
        assert bad in rows
        assert rows[bad].damaged == (end * quarter // 4 > 132)


def _patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) == 1
    return content.replace(old, new)


ROWS_HEAD = b"\x28\x00\x10\x00US\x02\x00"
COLUMNS_HEAD = b"\x28\x00\x11\x00US\x02\x00"
PIXELS_HEAD = b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 4000)
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "zero bytes": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "not DICOM": lambda content: b"Dear colleague, " * 200,
    "a preamble and nothing else": lambda content: content[:132],
    "a length that reaches over its neighbour": lambda content: _patched(
        content, ROWS_HEAD, b"\x28\x00\x10\x00US\x0a\x00"
    ),
    "a length that is too short": lambda content: _patched(
        content, ROWS_HEAD, b"\x28\x00\x10\x00US\x00\x00"
    ),
    "a length beyond the end": lambda content: _patched(
        content, b"\x20\x00\x32\x00DS", b"\x20\x00\x32\x00UT"
    ),
    "a value representation that is none": lambda content: _patched(
        content, ROWS_HEAD, b"\x28\x00\x10\x00\x01\x02\x02\x00"
    ),
    "pixels promised that are not there": lambda content: content[:-2000],
    "fewer pixels than rows times columns": lambda content: _patched(
        content, PIXELS_HEAD, b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 2000)
    )[:-2000],
    "an odd length of pixels": lambda content: _patched(
        content, PIXELS_HEAD, b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 3999)
    )[:-1],
    "a length of pixels beyond the end": lambda content: _patched(
        content, PIXELS_HEAD, b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 2**31)
    ),
    "an undefined length of native pixels": lambda content: _patched(
        content, PIXELS_HEAD, b"\xe0\x7f\x10\x00OW\0\0\xff\xff\xff\xff"
    ),
    "no pixels": lambda content: content[: content.index(PIXELS_HEAD)],
    "absurd rows and columns": lambda content: _patched(
        _patched(content, ROWS_HEAD + b"\x28\0", ROWS_HEAD + b"\xff\xff"),
        COLUMNS_HEAD + b"\x32\0",
        COLUMNS_HEAD + b"\xff\xff",
    ),
    "200-deep nesting": lambda content: _patched(
        content, PIXELS_HEAD, nested_sequences(200, closed=True) + PIXELS_HEAD
    ),
    "200-deep nesting that never ends": lambda content: _patched(
        content, PIXELS_HEAD, nested_sequences(200, closed=False) + PIXELS_HEAD
    ),
    "100,000-deep nesting": lambda content: _patched(
        content, PIXELS_HEAD, nested_sequences(100_000, closed=False) + PIXELS_HEAD
    ),
    "a syntax that is none": lambda content: _patched(
        content, b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"
    ),
    "compressed pixels that are noise": lambda content: _patched(
        content, b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"
    ),
    "a deflated file that is noise": lambda content: _patched(
        content,
        b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0",
        b"\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99",
    ),
    "a header turned round": lambda content: content[:600] + content[:599:-1],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_has_its_reason_and_the_rest_loads(
    tmp_path: Path, damage: str
) -> None:
    bad = good_and_bad(tmp_path)
    content = DAMAGE[damage](bad.read_bytes())
    bad.write_bytes(content)
    tracemalloc.start()
    try:
        check_left_out_or_refused(tmp_path, bad)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Nothing that a header only claims is ever allocated.
    assert peak < 100_000_000


def test_a_series_says_that_its_end_slice_is_damaged(tmp_path: Path) -> None:
    # Without its last slice a stack looks whole.
    bad = good_and_bad(tmp_path).with_name("image0001.dcm")
    bad.write_bytes(bad.read_bytes()[:-2000])
    series = {s.identity.series_uid: s for s in scan(tmp_path)}
    assert series[BAD_UID].notes == ("1 damaged file left out",)
    (volume,) = series[BAD_UID].volumes
    assert volume.damaged == (bad.name,)
    assert series[SERIES_UID].notes == ()


def test_a_whole_series_of_absurd_size_is_refused_before_anything_is_allocated(
    tmp_path: Path,
) -> None:
    def absurd(data: Dataset) -> None:
        data.Rows = data.Columns = 65535

    write_stack(tmp_path / "good", Stack())
    rewrite(write_stack(tmp_path / "bad", Stack(), series_uid=BAD_UID), absurd)
    tracemalloc.start()
    try:
        for file in (tmp_path / "bad").iterdir():
            check_left_out_or_refused(tmp_path, file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


def test_a_deflated_bomb_is_left_out_before_it_is_inflated(tmp_path: Path) -> None:
    bad = good_and_bad(tmp_path)
    data = dcmread(bad)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(bad)
    plain = bad.read_bytes()
    body = 144 + struct.unpack("<I", plain[140:144])[0]
    deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    # A private element of 600 MB of zeros, 3 MB on the disk.
    head = b"\x09\x00\x10\x10OB\0\0" + struct.pack("<I", 600_000_000)
    parts = [plain[:body], deflate.compress(head)]
    parts += [deflate.compress(bytes(10_000_000)) for _ in range(60)]
    bad.write_bytes(b"".join(parts) + deflate.flush())
    tracemalloc.start()
    try:
        check_left_out_or_refused(tmp_path, bad)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300_000_000


@pytest.mark.parametrize(
    "lost", ["PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"]
)
def test_an_enhanced_object_without_its_functional_groups_is_refused(
    tmp_path: Path, lost: str
) -> None:
    write_stack(tmp_path / "good", Stack())
    stack = Stack()
    file = tmp_path / "bad" / "enhanced"
    write_enhanced_ct(
        file,
        place_values(stack),
        stack.grid(),
        SeriesLabel(study="damaged", name="enhanced"),
        slopes=[0.1] * 5,
    )
    rewrite(file.parent, lambda data: delattr(data, lost))
    check_left_out_or_refused(tmp_path, file)


# Links and permissions ---------------------------------------------------------------


def test_links_that_lead_in_a_circle_or_nowhere_have_their_reason(
    tmp_path: Path,
) -> None:
    folder = write_stack(tmp_path / "study" / "series", Stack())
    links = {
        "to the folder above": folder.parent,
        "to itself": folder / "to itself",
        "to nothing": tmp_path / "absent",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    catalogue = scan(tmp_path)
    header = only_volume(catalogue)
    assert len(header.instances) == 5
    check_places(load(header))
    (series,) = catalogue
    assert series.notes == ()
    rows = {row.path.name: row.reason for row in catalogue.skipped}
    assert set(rows) == set(links)
    assert all(rows.values())


def test_a_link_to_a_series_elsewhere_is_followed(tmp_path: Path) -> None:
    folder = write_stack(tmp_path / "archive" / "series", Stack())
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "series").symlink_to(folder)
    check_places(load(only_volume(scan(tmp_path / "study"))))


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Return what runs a block as a user without rights: root may read everything."""

    @contextmanager
    def drop() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)  # nobody
        try:
            yield
        finally:
            os.seteuid(0)

    return drop


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="no POSIX users here")
@pytest.mark.parametrize("index", [True, False], ids=["index", "no index"])
def test_what_may_not_be_read_has_its_reason(
    unprivileged: Callable[[], AbstractContextManager[None]], index: bool
) -> None:
    # Folders of pytest are closed to other users.
    with tempfile.TemporaryDirectory(prefix="osteotrace-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_stack(folder / "good", Stack())
        locked = write_stack(folder / "locked", Stack(), series_uid=BAD_UID)
        partly = write_stack(folder / "partly", Stack(), series_uid="2.25.667")
        # Everything is imported by then: another user may not read the interpreter.
        assert len(scan(folder, index=False)) == 3
        locked.chmod(0)
        (partly / BAD).chmod(0)
        try:
            with unprivileged():
                catalogue = scan(folder, index=index)
                series = {s.identity.series_uid: s for s in catalogue}
                (whole,) = series.pop(SERIES_UID).volumes
                check_places(load(whole))
                ((_, rest),) = series.items()
                assert rest.volumes[0].verdicts == ("missing_slices",)
        finally:
            locked.chmod(0o755)
    rows = {row.path: row for row in catalogue.skipped}
    assert set(rows) == {locked, partly / BAD}
    for row in rows.values():
        assert "ermission denied" in row.reason
    assert rows[partly / BAD].damaged
