"""Whatever stops a run: its tables are whole, and it goes on as if nothing had been."""

from __future__ import annotations

import csv
import errno
import multiprocessing
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.study_trees import ASKED, study_uid, write_study

from osteotrace import reading
from osteotrace.batch import (
    head,
    journal,
    measure_tree,
    opening,
    reserve,
    running,
    software,
)
from osteotrace.batch.journal import LINES, RUN, UNFINISHED
from osteotrace.reports import results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fixtures.study_trees import Measured

    from osteotrace.batch import Progress
    from osteotrace.errors import OsteotraceError
    from osteotrace.series import Catalogue

    Refusal = Callable[[Callable[[], object]], OsteotraceError]

pytestmark = pytest.mark.usefixtures("in_this_process")


def go_on(tree: Measured, out: Path, **asked: Any) -> dict[str, bytes]:
    """Resume a run and return the bytes of its tables."""
    measure_tree(tree.tree, tree.protocol, out, resume=True, **(ASKED | asked))
    return tree.tables(out)


def studies_in(out: Path) -> list[str]:
    with (out / results.CSV).open(encoding="utf-8", newline="") as stream:
        return list(dict.fromkeys(row["study_uid"] for row in csv.DictReader(stream)))


def folders_in(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.is_dir())


class _Killer:
    """Kills this process at one call into the system, as kill -9 does."""

    def __init__(self, at: int) -> None:
        self._at, self.calls = at, 0

    def at_once(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call before which, or half way through which, the process may die."""

        def counted(*given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self._at:
                if call is os.write:
                    os_write(given[0], bytes(given[1])[: len(given[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **named)

        return counted


os_write = os.write
# What a run changes on the disk.
CALLS = ("write", "fsync", "rename", "mkdir", "ftruncate", "replace")


def killed_run(tree: Measured, out: Path, at: int) -> None:
    """Measure in a process that is killed at a call."""
    killer = _Killer(at)
    for name in CALLS:
        setattr(os, name, killer.at_once(getattr(os, name)))
    measure_tree(tree.tree, tree.protocol, out, **ASKED)


@pytest.fixture
def killed(undisturbed: Measured) -> Callable[[Path, int], int]:
    """Return a function that kills a run at its n-th call and gives its exit code."""

    def kill(out: Path, at: int) -> int:
        child = multiprocessing.get_context("fork").Process(
            target=killed_run, args=(undisturbed, out, at)
        )
        child.start()
        child.join()
        assert child.exitcode is not None
        return child.exitcode

    return kill


def check_killed_runs_go_on(
    tree: Measured, kill: Callable[[Path, int], int], folder: Path, steps: Iterator[int]
) -> int:
    """Kill a run at each of some calls and go on; return how many were killed."""
    deaths = 0
    for step in steps:
        out = folder / str(step)
        if kill(out, step) != -signal.SIGKILL:
            break
        deaths += 1
        assert go_on(tree, out) == tree.tables()
        assert folders_in(out) == folders_in(tree.out)
        shutil.rmtree(out)
    return deaths


def test_a_run_killed_at_any_of_some_calls_goes_on_to_the_same_tables(
    undisturbed: Measured, killed: Callable[[Path, int], int], tmp_path: Path
) -> None:
    # A stride that shares no factor with the calls of a study meets all kinds of them.
    steps = iter(range(1, 1000, 11))
    assert check_killed_runs_go_on(undisturbed, killed, tmp_path, steps) >= 6


@pytest.mark.slow
def test_a_run_killed_at_any_call_goes_on_to_the_same_tables(
    undisturbed: Measured, killed: Callable[[Path, int], int], tmp_path: Path
) -> None:
    steps = iter(range(1, 1000))
    assert check_killed_runs_go_on(undisturbed, killed, tmp_path, steps) >= 60


def stop_after(done: int) -> Callable[[Progress], None]:
    def tell(far: Progress) -> None:
        if far.done == done:
            raise KeyboardInterrupt

    return tell


@pytest.fixture
def stopped(undisturbed: Measured, tmp_path: Path) -> Path:
    """Return what a run leaves that Ctrl-C stopped after three studies."""
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        measure_tree(
            undisturbed.tree, undisturbed.protocol, out, progress=stop_after(3), **ASKED
        )
    return out


def test_a_run_that_was_stopped_has_whole_tables_of_what_is_done(
    undisturbed: Measured, stopped: Path
) -> None:
    assert len(studies_in(stopped)) == 3
    assert len(folders_in(stopped)) == 3
    assert set(studies_in(stopped)) < set(studies_in(undisturbed.out))


def test_ctrl_c_twice_still_leaves_whole_tables(
    undisturbed: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = results.write_tables

    def impatient(*given: Any, **named: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return write(*given, **named)

    monkeypatch.setattr(results, "write_tables", impatient)
    before = signal.getsignal(signal.SIGINT)
    call = (undisturbed.tree, undisturbed.protocol)
    with pytest.raises(KeyboardInterrupt):
        measure_tree(*call, tmp_path / "stopped", progress=stop_after(3), **ASKED)
    assert len(studies_in(tmp_path / "stopped")) == 3
    # The last moment of a run that is done, too.
    measure_tree(*call, tmp_path / "done", **ASKED)
    assert undisturbed.tables(tmp_path / "done") == undisturbed.tables()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_done_is_not_measured_again(undisturbed: Measured, stopped: Path) -> None:
    lines = (stopped / LINES).read_bytes()
    records = {file: file.stat().st_mtime_ns for file in stopped.glob("*/*.json")}
    assert go_on(undisturbed, stopped) == undisturbed.tables()
    assert (stopped / LINES).read_bytes().startswith(lines)
    assert all(file.stat().st_mtime_ns == time for file, time in records.items())


def test_going_on_with_a_run_that_is_done_changes_nothing(
    undisturbed: Measured, tmp_path: Path
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(undisturbed.out, out)
    assert go_on(undisturbed, out) == undisturbed.tables()
    assert (out / LINES).read_bytes() == (undisturbed.out / LINES).read_bytes()


def test_a_torn_or_changed_line_is_measured_again(
    undisturbed: Measured, stopped: Path
) -> None:
    lines = (stopped / LINES).read_bytes().splitlines(keepends=True)
    changed = lines[1].replace(b"accepted", b"flagged ")
    assert changed != lines[1]
    (stopped / LINES).write_bytes(lines[0] + changed + lines[2][:-20])
    assert go_on(undisturbed, stopped) == undisturbed.tables()
    assert folders_in(stopped) == folders_in(undisturbed.out)


def test_studies_that_came_later_are_measured_too(
    undisturbed: Measured, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    for number in (0, 1):
        write_study(tree, number)
    out = tmp_path / "out"
    measure_tree(tree, undisturbed.protocol, out, **ASKED)
    write_study(tree, 2)
    run = measure_tree(tree, undisturbed.protocol, out, resume=True, **ASKED)
    assert run.n_done == 3
    assert sorted(studies_in(out)) == [study_uid(n) for n in range(3)]


def test_what_a_run_wrote_below_its_tree_is_none_of_its_images(
    undisturbed: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    write_study(tree, 0)
    call = (tree, undisturbed.protocol, tree / "results")
    asked = ASKED | {"records": True}
    measure_tree(*call, **asked)
    assert list(tree.glob("results/*/*.dcm"))
    write_study(tree, 1)
    seen: list[Path] = []

    def looked(catalogue: Catalogue) -> list[Catalogue]:
        volumes = [one for series in catalogue for one in series.volumes]
        seen.extend(image.path for one in volumes for image in one.instances)
        return reading.by_study(catalogue)

    monkeypatch.setattr(running, "by_study", looked)
    run = measure_tree(*call, resume=True, **asked)
    assert run.n_done == 2
    assert {path.parent.name for path in seen} == {"s0000", "s0001"}
    seen.clear()
    measure_tree(tree, undisturbed.protocol, tmp_path / "elsewhere", **ASKED)
    assert {path.parent.name for path in seen} == {"s0000", "s0001"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"reader": "Dr B"}, "--reader"),
        ({"pictures": "case"}, "--pictures"),
        ({"records": True}, "--records"),
        ({"allow_gaps": True}, "--allow-gaps"),
    ],
)
def test_a_run_goes_on_with_its_own_options_only(
    undisturbed: Measured, stopped: Path, refusal: Refusal, asked: Any, told: str
) -> None:
    error = refusal(lambda: go_on(undisturbed, stopped, **asked))
    assert error.usage
    assert told in error.found


def test_a_run_goes_on_with_its_own_protocol_tree_and_software_only(
    undisturbed: Measured,
    stopped: Path,
    refusal: Refusal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(undisturbed.protocol.read_text() + "\n")

    def resumed(tree: Path, protocol: Path) -> Callable[[], object]:
        return lambda: measure_tree(tree, protocol, stopped, resume=True, **ASKED)

    assert "the protocol tree" in refusal(resumed(undisturbed.tree, other)).found
    elsewhere = write_study(tmp_path / "elsewhere", 9)
    assert "PATH" in refusal(resumed(elsewhere, undisturbed.protocol)).found
    first = msgspec.json.decode((stopped / RUN).read_bytes())
    assert dict(first["software"]) == dict(software.versions())
    first["software"] = [
        (name, "0.0" if name == "numpy" else version)
        for name, version in first["software"]
    ]
    (stopped / RUN).write_bytes(msgspec.json.encode(first))
    error = refusal(resumed(undisturbed.tree, undisturbed.protocol))
    assert "numpy 0.0 and not" in error.found


def test_a_worker_of_other_versions_ends_the_run_with_one_line(
    undisturbed: Measured,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    refusal: Refusal,
) -> None:
    monkeypatch.setattr(running, "versions", lambda: (("osteotrace", "0.0"),))
    out = tmp_path / "out"
    error = refusal(
        lambda: measure_tree(undisturbed.tree, undisturbed.protocol, out, **ASKED)
    )
    assert "the run began with osteotrace 0.0 and not" in error.found
    assert (out / results.CSV).is_file()


def test_a_worker_that_does_not_see_the_folder_of_the_run_ends_it(
    undisturbed: Measured, tmp_path: Path, refusal: Refusal
) -> None:
    out = tmp_path / "out"

    def unshare(far: Progress) -> None:
        if far.done == 1:
            (out / UNFINISHED).rmdir()

    error = refusal(
        lambda: measure_tree(
            undisturbed.tree, undisturbed.protocol, out, progress=unshare, **ASKED
        )
    )
    assert "no folder of this run" in error.found
    assert len(studies_in(out)) == 1


def test_labels_that_a_worker_does_not_see_end_the_run(
    undisturbed: Measured, tmp_path: Path, refusal: Refusal
) -> None:
    out, masks = tmp_path / "out", tmp_path / "masks"
    masks.mkdir()

    def unshare(far: Progress) -> None:
        if far.done == 1:
            masks.rmdir()

    call = (undisturbed.tree, undisturbed.protocol, out)
    error = refusal(lambda: measure_tree(*call, masks=masks, progress=unshare, **ASKED))
    assert "no labels (--masks)" in error.found
    assert len(studies_in(out)) == 1
    masks.mkdir()
    run = measure_tree(*call, masks=masks, resume=True, **ASKED)
    assert run.n_done == len(studies_in(undisturbed.out))


def test_a_folder_of_something_else_is_no_run(
    undisturbed: Measured, tmp_path: Path, refusal: Refusal
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for resume in (False, True):
        error = refusal(
            lambda resume=resume: measure_tree(  # type: ignore[misc]
                undisturbed.tree, undisturbed.protocol, tmp_path, resume=resume, **ASKED
            )
        )
        assert error.usage
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_one_run_at_a_time_is_at_work_in_a_folder(
    undisturbed: Measured, stopped: Path, refusal: Refusal
) -> None:
    with journal.Journal(stopped):
        error = refusal(lambda: go_on(undisturbed, stopped))
    assert "at work" in error.found
    assert go_on(undisturbed, stopped) == undisturbed.tables()


def test_of_two_runs_that_begin_at_the_same_moment_one_is_told_of_the_other(
    undisturbed: Measured,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Refusal,
) -> None:
    out = tmp_path / "out"

    def late(*given: Any) -> None:
        head.write_head(*given)  # The other one.
        head.write_head(*given)

    monkeypatch.setattr(opening, "write_head", late)
    error = refusal(
        lambda: measure_tree(undisturbed.tree, undisturbed.protocol, out, **ASKED)
    )
    assert "a run that was begun there" in error.found
    assert error.where == str(out)


def test_studies_that_vanish_in_the_middle_are_rows_with_the_reason(
    undisturbed: Measured, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    for number in range(3):
        write_study(tree, number)

    def vanish(far: Progress) -> None:
        if far.done == 1:
            shutil.rmtree(tree)

    run = measure_tree(
        tree, undisturbed.protocol, tmp_path / "out", progress=vanish, **ASKED
    )
    assert (run.n_done, run.n_failed) == (1, 2)
    assert sorted(studies_in(tmp_path / "out")) == [study_uid(n) for n in range(3)]
    assert all("No such file" in str(one.error) for one in run.failures())
    assert all(str(tree) not in str(one.rows) for one in run.failures())
    # They are there again: what failed is tried once more, and nothing else.
    for number in range(3):
        write_study(tree, number)
    told: list[Progress] = []
    run = measure_tree(
        *(tree, undisturbed.protocol, tmp_path / "out"),
        resume=True,
        progress=told.append,
        **ASKED,
    )
    assert (run.n_done, run.n_failed) == (3, 0)
    assert [one.done for one in told] == [1, 2, 3]
    assert len(studies_in(tmp_path / "out")) == 3


@pytest.fixture
def full_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that lets a disk take so many lines and then no more."""

    def fill(lines: int) -> None:
        left = [lines]

        def write(handle: int, content: Any) -> int:
            if left[0] == 0:
                os_write(handle, bytes(content)[:10])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left[0] -= 1
            return os_write(handle, content)

        monkeypatch.setattr(os, "write", write)

    return fill


def test_a_full_disk_ends_a_run_with_whole_tables_and_it_goes_on(
    undisturbed: Measured,
    full_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    refusal: Refusal,
) -> None:
    out = tmp_path / "out"
    full_after(2)
    error = refusal(
        lambda: measure_tree(undisturbed.tree, undisturbed.protocol, out, **ASKED)
    )
    assert "No space left" in error.found
    assert "--resume" in error.advice
    assert not error.usage
    assert len(studies_in(out)) == 2
    monkeypatch.setattr(os, "write", os_write)
    assert go_on(undisturbed, out) == undisturbed.tables()
    assert folders_in(out) == folders_in(undisturbed.out)


def test_room_is_kept_for_the_pictures_of_the_contact_sheet(
    undisturbed: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    grow = reserve.Reserve.grow

    def noted(self: reserve.Reserve, lines: int, pictures: int) -> None:
        kept.append(pictures)
        grow(self, lines, pictures)

    monkeypatch.setattr(reserve.Reserve, "grow", noted)
    write_study(tmp_path / "tree", 0)
    call = (tmp_path / "tree", undisturbed.protocol, tmp_path / "out")
    measure_tree(*call, resume=True, **(ASKED | {"pictures": "case"}))
    (picture,) = (tmp_path / "out").glob("*/case_small.jpg")
    measure_tree(*call, resume=True, **(ASKED | {"pictures": "case"}))
    size = picture.stat().st_size
    assert kept == [0, size, size]
    assert size > 1000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of three megabytes; only some may."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=3m", "none", str(place))
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("this user cannot mount a file system")
    yield place
    subprocess.run(("umount", str(place)), check=True)


def test_a_real_disk_that_fills_up_has_whole_tables_and_the_run_goes_on(
    undisturbed: Measured, small_disk: Path, refusal: Refusal
) -> None:
    out, ballast = small_disk / "out", small_disk / "ballast"

    def fill(far: Progress) -> None:
        if far.done == 2:
            left = os.statvfs(small_disk)
            with ballast.open("wb") as stream:
                stream.write(bytes(left.f_bavail * left.f_bsize))

    error = refusal(
        lambda: measure_tree(
            undisturbed.tree, undisturbed.protocol, out, progress=fill, **ASKED
        )
    )
    assert "No space left" in error.found
    assert len(studies_in(out)) == 2
    assert len(folders_in(out)) == 2
    ballast.unlink()
    assert go_on(undisturbed, out) == undisturbed.tables()
