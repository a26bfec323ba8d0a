"""A record is on disk whole or not at all, under a name that is never reused."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.records import store

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

# Writes records of one known content, one after another, until it is killed.
_WRITER = """
import sys
from pathlib import Path
from osteotrace.records import store
folder = Path(sys.argv[1])
for n in range(100_000):
    store.write_once(folder / f"{n}.dcm", b"whole" * 40_000)
"""


def test_what_is_written_is_what_is_there(tmp_path: Path) -> None:
    path = store.write_once(tmp_path / "records" / "1.2.dcm", b"content")
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]


def test_a_record_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = store.write_once(tmp_path / "1.2.dcm", b"content")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_record_of_the_same_name_is_refused(tmp_path: Path) -> None:
    path = store.write_once(tmp_path / "1.2.dcm", b"first")
    with pytest.raises(OsteotraceError, match=r"a file that exists.*ever overwritten"):
        store.write_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_writers_of_one_name_one_succeeds(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    written: list[bytes] = []

    def write(content: bytes) -> None:
        start.wait()
        try:
            store.write_once(tmp_path / "1.2.dcm", content)
        except OsteotraceError:
            return
        written.append(content)

    threads = [threading.Thread(target=write, args=(b"%d" % n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [(tmp_path / "1.2.dcm").read_bytes()]


def test_the_name_appears_only_after_the_content_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "1.2.dcm", []
    fsync = os.fsync

    def watched(handle: int) -> None:
        seen.append(path.exists())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    store.write_once(path, b"content")
    # The file first, without its name; then the folder that holds the name.
    assert seen == [False, True]


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OsteotraceError, match="No space left on device"):
        store.write_once(tmp_path / "1.2.dcm", b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file")
    with pytest.raises(OsteotraceError, match="cannot be written"):
        store.write_once(tmp_path / "records" / "1.2.dcm", b"content")


def test_a_killed_writer_leaves_only_whole_records(tmp_path: Path) -> None:
    for n in range(4):
        folder = tmp_path / str(n)
        folder.mkdir()
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)])
        while not list(folder.glob("*.dcm")):
            assert writer.poll() is None
            time.sleep(0.005)
        time.sleep(0.003 * n)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        records = list(folder.glob("[0-9]*.dcm"))
        assert records
        assert {r.read_bytes() for r in records} == {b"whole" * 40_000}


def test_a_new_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "a.txt"

    def stop_half_way() -> None:
        with store.new_file(place) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_half_way()
    assert list(tmp_path.iterdir()) == []
    store.write_once(place, b"all")
    assert place.read_bytes() == b"all"
    assert list(place.parent.iterdir()) == [place]


def test_a_file_that_exists_is_never_replaced(tmp_path: Path) -> None:
    place = tmp_path / "a.txt"
    place.write_text("old")
    with pytest.raises(OsteotraceError, match="ever overwritten"):
        store.write_once(place, b"new")
    assert place.read_text() == "old"


def test_a_file_that_appears_meanwhile_is_not_replaced_either(tmp_path: Path) -> None:
    place = tmp_path / "a.txt"

    def come_second() -> None:
        with store.new_file(place) as draft:
            draft.write_text("mine")
            place.write_text("theirs")

    with pytest.raises(OsteotraceError, match="a file that exists"):
        come_second()
    assert place.read_text() == "theirs"


def test_a_folder_may_be_absent_or_empty_but_not_full(tmp_path: Path) -> None:
    for name in ("absent", "empty"):
        place = tmp_path / name
        if name == "empty":
            place.mkdir()
        with store.new_folder(place) as draft:
            (draft / "a").touch()
        assert [file.name for file in place.iterdir()] == ["a"]
    with pytest.raises(OsteotraceError, match="not empty"), store.new_folder(place):
        pass


@pytest.mark.parametrize("new", [store.new_file, store.new_folder])
def test_a_disk_that_fills_while_writing_is_one_error_that_leaves_nothing(
    tmp_path: Path, new: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    def fill() -> None:
        with new(tmp_path / "deep" / "out"):
            raise OSError(28, "No space left on device")

    with pytest.raises(OsteotraceError, match="No space left on device"):
        fill()
    assert list(tmp_path.iterdir()) == []


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_written_is_its_owners_alone(tmp_path: Path) -> None:
    with store.new_file(tmp_path / "made" / "a.nrrd") as draft:
        draft.write_text("voxels")
        draft.chmod(0o644)
    with store.new_folder(tmp_path / "out") as folder:
        folder.chmod(0o755)
        (folder / "study").mkdir()
        (folder / "study" / "assessment.json").write_text("{}")
    assert mode(tmp_path / "made" / "a.nrrd") == 0o600
    assert mode(tmp_path / "out" / "study" / "assessment.json") == 0o600
    for made in ("made", "out", "out/study"):
        assert mode(tmp_path / made) == 0o700


@pytest.mark.parametrize(
    "uid", ["1", "2.25.278014649975893708401319332780597281323", "1." * 31 + "25"]
)
def test_a_uid_names_its_file(tmp_path: Path, uid: str) -> None:
    assert store.record_path(tmp_path, uid) == tmp_path / f"{uid}.dcm"


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "1.", ".1", "1..2", "1/2", "../1", "1\n", "1 ", "٣", "1" * 65, "1\0"],
)
def test_nothing_but_a_uid_names_a_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(OsteotraceError, match="where a UID belongs"):
        store.record_path(tmp_path, text)
