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
    with pytest.raises(OsteotraceError, match=r"already there.*never overwritten"):
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
