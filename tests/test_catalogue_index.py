"""The index of headers makes a second scan quick and changes nothing else."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace import catalogue_index
from osteotrace.catalogue_index import CatalogueIndex, default_path
from osteotrace.pseudonym import KEY_VARIABLE
from osteotrace.series import Catalogue, elements, headers, scan

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.fixtures.synthetic import WriteSeries

# A file that changed just before a scan is not kept: the tests wait that out.
SETTLED_S = 0.1


@pytest.fixture(autouse=True)
def index_of_this_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return default_path()


@pytest.fixture
def folder(write_series: WriteSeries, ramp: NDArray[Any]) -> Path:
    written = write_series(ramp)
    time.sleep(SETTLED_S)
    return written


def said(catalogue: Catalogue) -> list[object]:
    """Return all that a scan found, in plain values."""
    volumes = [v for series in catalogue for v in series.volumes]
    return [
        [series.as_dict(identities=True) for series in catalogue],
        [volume.instances for volume in volumes],
        catalogue.skipped,
    ]


@pytest.fixture
def headers_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of files whose header is read from now on."""
    files: list[str] = []
    read = headers.HeaderReader.read

    def noted(self: headers.HeaderReader, file: str, size: int) -> headers.FileHeader:
        files.append(os.path.basename(file))
        return read(self, file, size)

    monkeypatch.setattr(headers.HeaderReader, "read", noted)
    return files


def test_a_second_scan_reads_no_header_and_finds_the_same(
    folder: Path, headers_read: list[str]
) -> None:
    first = said(scan(folder))
    assert len(headers_read) == 5
    assert said(scan(folder)) == first
    assert len(headers_read) == 5


def test_without_the_index_nothing_is_written(
    folder: Path, index_of_this_test: Path
) -> None:
    scan(folder, index=False)
    assert not index_of_this_test.exists()


def test_only_files_that_changed_are_read_again(
    folder: Path, headers_read: list[str]
) -> None:
    scan(folder)
    headers_read.clear()
    changed = folder / "image0002.dcm"
    # Of the same length: time alone tells.
    data = changed.read_bytes().replace(b"TEST-1", b"TEST-2")
    changed.write_bytes(data)
    catalogue = scan(folder)
    assert headers_read == ["image0002.dcm"]
    assert {series.identity.patient_id for series in catalogue} == {"TEST-1", "TEST-2"}


def test_a_change_that_keeps_the_time_of_the_content_is_seen(
    folder: Path, headers_read: list[str]
) -> None:
    scan(folder)
    headers_read.clear()
    changed = folder / "image0002.dcm"
    state = changed.stat()
    changed.write_bytes(changed.read_bytes().replace(b"TEST-1", b"TEST-2"))
    os.utime(changed, ns=(state.st_atime_ns, state.st_mtime_ns))
    scan(folder)
    assert headers_read == ["image0002.dcm"]


def test_a_file_taken_away_or_added_is_gone_or_there(folder: Path) -> None:
    scan(folder)
    (folder / "image0005.dcm").unlink()
    (folder / "notes.txt").write_text("no image")
    (series,) = (catalogue := scan(folder))
    assert series.n_instances == 4
    assert [file.path.name for file in catalogue.skipped] == ["notes.txt"]


def test_a_file_still_warm_from_writing_is_not_kept(
    write_series: WriteSeries, ramp: NDArray[Any], headers_read: list[str]
) -> None:
    folder = write_series(ramp)
    # A minute ahead: a machine that is slow today does not let it cool down.
    written = time.time_ns() + 60 * 10**9
    for file in folder.iterdir():
        os.utime(file, ns=(written, written))
    scan(folder)
    headers_read.clear()
    scan(folder)
    assert len(headers_read) == 5


def test_deleting_the_index_changes_nothing(
    folder: Path, index_of_this_test: Path
) -> None:
    first = said(scan(folder))
    index_of_this_test.unlink()
    assert said(scan(folder)) == first


@pytest.mark.parametrize("damage", ["junk", "empty", "cut", "bits"])
def test_a_damaged_index_is_replaced_in_silence(
    folder: Path, index_of_this_test: Path, damage: str
) -> None:
    first = said(scan(folder))
    whole = index_of_this_test.read_bytes()
    broken = {
        "junk": b"no database at all" * 100,
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        # Pages past the first: SQLite itself may not notice.
        "bits": whole[:4096] + bytes(b ^ 0x10 for b in whole[4096:]),
    }[damage]
    index_of_this_test.write_bytes(broken)
    assert said(scan(folder)) == first
    assert said(scan(folder)) == first


def test_every_flipped_byte_of_what_is_kept_is_noticed(
    folder: Path, index_of_this_test: Path, headers_read: list[str]
) -> None:
    first = said(scan(folder))
    with sqlite3.connect(index_of_this_test) as database:
        (kept,) = database.execute("SELECT entries FROM folders").fetchone()
        turned = kept[:200] + bytes([kept[200] ^ 1]) + kept[201:]
        database.execute("UPDATE folders SET entries = ?", (turned,))
    database.close()
    headers_read.clear()
    assert said(scan(folder)) == first
    assert len(headers_read) == 5


def test_an_index_of_another_version_is_emptied(
    folder: Path,
    headers_read: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan(folder)
    headers_read.clear()
    monkeypatch.setattr(catalogue_index, "FORMAT", catalogue_index.FORMAT + 1)
    scan(folder)
    assert len(headers_read) == 5


def test_a_locked_index_is_done_without(
    folder: Path, index_of_this_test: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_index, "PATIENCE_S", 0.05)
    first = said(scan(folder))
    other = sqlite3.connect(index_of_this_test, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert said(scan(folder)) == first
    finally:
        other.close()
    assert said(scan(folder)) == first


def test_a_home_that_takes_no_index_is_done_without(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    assert len(scan(folder)) == 1


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX")
def test_the_index_is_its_owners_alone(folder: Path, index_of_this_test: Path) -> None:
    index_of_this_test.parent.mkdir(parents=True)
    index_of_this_test.touch(0o666)
    scan(folder)
    assert stat.S_IMODE(index_of_this_test.stat().st_mode) == 0o600


def test_an_interrupted_scan_leaves_the_index_whole(
    write_series: WriteSeries, ramp: NDArray[Any], index_of_this_test: Path
) -> None:
    for n in range(4):
        write_series(ramp, folder=f"tree/part{n}", series_uid=f"2.25.8{n}")
    root = write_series(ramp, folder="tree/part9", series_uid="2.25.9").parent
    time.sleep(SETTLED_S)

    def interrupt(done: int, total: int) -> None:
        if done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(root, progress=interrupt)
    with sqlite3.connect(index_of_this_test) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (kept,) = database.execute("SELECT count(*) FROM folders").fetchone()
    database.close()
    assert 0 < kept < 6
    assert said(scan(root)) == said(scan(root, index=False))


def test_progress_runs_from_none_to_all(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    scan(folder, progress=lambda done, total: told.append((done, total)))
    assert {total for _, total in told} == {5}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (5, 5)


def test_what_one_process_puts_another_finds(tmp_path: Path) -> None:
    one, other = (CatalogueIndex(tmp_path / "index.sqlite") for _ in range(2))
    one.put({"/a": b"first"})
    assert other.entries("/a") == b"first"
    other.put({"/a": b"second"})
    assert one.entries("/a") == b"second"
    assert one.entries("/b") is None
    one.close()
    assert one.entries("/a") is None
    other.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name must be text")
def test_a_name_that_is_no_text_is_kept_as_it_is(
    folder: Path, headers_read: list[str]
) -> None:
    odd = os.fsencode(folder) + b"/image\xff.dcm"
    os.rename(folder / "image0002.dcm", odd)
    time.sleep(SETTLED_S)
    first = scan(folder)
    assert os.fsdecode(odd) in [i.file for i in first.series[0].volumes[0].instances]
    headers_read.clear()
    assert said(scan(folder)) == said(first)
    assert headers_read == []


def test_the_pseudonym_is_that_of_the_present_key(
    folder: Path, headers_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    plain = scan(folder).series[0].identity
    headers_read.clear()
    monkeypatch.setenv(KEY_VARIABLE, "a key of this hospital")
    keyed = scan(folder).series[0].identity
    assert headers_read == []
    assert keyed.patient != plain.patient
    assert keyed == scan(folder, index=False).series[0].identity


@pytest.mark.parametrize("failure", [MemoryError(), OSError(24, "Too many open files")])
def test_a_failure_that_passes_is_not_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    read = elements.ElementReader.read

    def fails_once(self: Any, file: str, size: int) -> Any:
        if file.endswith("image0002.dcm"):
            raise failure
        return read(self, file, size)

    with monkeypatch.context() as patch:
        patch.setattr(elements.ElementReader, "read", fails_once)
        assert [file.path.name for file in scan(folder).skipped] == ["image0002.dcm"]
    assert scan(folder).skipped == ()


@pytest.mark.skipif(not hasattr(os, "statvfs"), reason="POSIX alone tells a disc apart")
@pytest.mark.parametrize(
    ("flags", "one_time", "read_again"),
    [("ST_RDONLY", True, True), ("ST_RDONLY", False, False), ("ST_NOSUID", True, False)],
)
def test_a_disc_is_read_again_for_another_may_look_the_same(
    folder: Path,
    headers_read: list[str],
    monkeypatch: pytest.MonkeyPatch,
    flags: str,
    one_time: bool,
    read_again: bool,
) -> None:
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes())  # Content and status change at once.
        if not one_time:
            os.utime(file, ns=(0, file.stat().st_mtime_ns - 1))
    time.sleep(SETTLED_S)
    state = SimpleNamespace(f_flag=getattr(os, flags))
    monkeypatch.setattr(os, "statvfs", lambda path: state)
    scan(folder)
    scan(folder)
    assert len(headers_read) == (10 if read_again else 5)


def test_nothing_is_kept_of_patients_whose_files_are_gone(
    write_series: WriteSeries, ramp: NDArray[Any], index_of_this_test: Path
) -> None:
    folder = write_series(ramp, series_uid="2.25.1", patient_id="STAYS-HERE")
    other = write_series(
        ramp, folder="other", series_uid="2.25.2", patient_id="WENT-AWAY"
    )
    for file in other.iterdir():
        shutil.move(file, folder / f"other-{file.name}")
    time.sleep(SETTLED_S)
    first = scan(folder)
    assert b"WENT-AWAY" in kept(index_of_this_test)
    for file in folder.glob("other-*"):
        file.unlink()
    scan(folder)
    assert b"STAYS-HERE" in kept(index_of_this_test)
    assert b"WENT-AWAY" not in kept(index_of_this_test)
    assert said(scan(folder)) == said(scan(folder, index=False))
    assert len(first) == 2


def kept(index: Path) -> bytes:
    with sqlite3.connect(index) as database:
        rows = database.execute("SELECT entries FROM folders").fetchall()
    database.close()
    return b"".join(entries for (entries,) in rows)


def test_a_folder_that_is_still_scanned_is_not_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite"
    almost = int(time.time()) - (catalogue_index.KEEP_DAYS - 1) * 86_400
    index = CatalogueIndex(file)
    index.put({"/asked for": b"old", "/not asked for": b"old"})
    index.close()
    with sqlite3.connect(file) as database:
        database.execute("UPDATE folders SET used = ?", (almost,))
    database.close()
    index = CatalogueIndex(file)
    assert index.entries("/asked for") == b"old"
    index.put({})
    index.close()
    with sqlite3.connect(file) as database:
        used = dict(database.execute("SELECT path, used FROM folders").fetchall())
    database.close()
    assert used[b"/asked for"] > almost + 86_400
    assert used[b"/not asked for"] == almost
