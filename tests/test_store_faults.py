"""Whatever fails and whenever the power goes: the whole file, or nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, get_args

import pytest
from tests.fixtures.faulty_disk import Abilities, Fault, FaultyDisk, Killed

from osteotrace.errors import OsteotraceError
from osteotrace.records import store
from osteotrace.records.publication import ABANDONED_AFTER_S, sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ALL_ABILITIES = get_args(Abilities)
ALL_FAULTS = get_args(Fault)
WITHOUT_LINKS = ("neither", "Windows")
OLD, MINE, THEIRS = b"old" * 500, b"mine" * 500, b"theirs" * 500


def shelf(place: Path) -> Path:
    """Return a folder with one record in it."""
    place.mkdir()
    (place / "1.1.dcm").write_bytes(OLD)
    return place


def write(disk: FaultyDisk, path: Path, content: bytes) -> str:
    """Write a file on a faulty disk; return what its writer came to know."""
    try:
        with disk.in_use():
            store.write_once(path, content)
    except OsteotraceError:
        return "refused"
    except (Killed, KeyboardInterrupt) as end:
        return type(end).__name__
    return "saved"


def there(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def calls(place: Path, abilities: Abilities) -> int:
    """Return how many calls one undisturbed write makes."""
    disk = FaultyDisk(abilities)
    assert write(disk, shelf(place) / "1.2.dcm", MINE) == "saved"
    return len(disk.calls)


def check_only_records_remain(folder: Path) -> None:
    """A day later a sweep leaves the records and nothing else."""
    records = {path.name: path.read_bytes() for path in folder.glob("*.dcm")}
    sweep(folder, now=time.time() + ABANDONED_AFTER_S + 60)
    left = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert records.items() <= left.items()
    assert {path.name for path in folder.iterdir()} <= {"1.1.dcm", "1.2.dcm"}
    assert left["1.1.dcm"] == OLD


@pytest.mark.parametrize("fault", ALL_FAULTS)
@pytest.mark.parametrize("abilities", ALL_ABILITIES)
def test_a_fault_at_any_call_leaves_the_whole_file_or_nothing(
    tmp_path: Path, abilities: Abilities, fault: Fault
) -> None:
    steps = calls(tmp_path / "undisturbed", abilities)
    assert steps > 15
    known = set()
    for step in range(1, steps + 1):
        folder = shelf(tmp_path / str(step))
        path = folder / "1.2.dcm"
        outcome = write(FaultyDisk(abilities).fail(step, fault), path, MINE)
        known.add(outcome)
        found = there(path)
        assert found in (None, MINE)
        if outcome == "saved":
            assert found == MINE
        if outcome == "refused" and fault == "refused":
            assert found is None
        # Nothing that was left stands in the way of a second try.
        again = write(FaultyDisk(abilities), path, THEIRS)
        assert there(path) == (found or there(path))
        assert there(path) in (MINE, THEIRS)
        assert (again == "saved") == (there(path) == THEIRS)
        check_only_records_remain(folder)
    ends = {"refused": "refused", "stopped": "KeyboardInterrupt", "killed": "Killed"}
    assert ends[fault.replace("answer lost", "refused").split()[0]] in known


@pytest.mark.parametrize("abilities", ALL_ABILITIES)
def test_an_interrupted_or_refused_writer_clears_up_after_itself(
    tmp_path: Path, abilities: Abilities
) -> None:
    steps = calls(tmp_path / "undisturbed", abilities)
    names = FaultyDisk(abilities)
    write(names, shelf(tmp_path / "names") / "1.2.dcm", MINE)
    # A fault of clearing up itself leaves what it could not clear.
    clearing = ("unlink", "rmdir", "scandir", "listdir", "close", "open", "stat", "lstat")
    for step in range(1, steps + 1):
        if names.calls[step - 1] in clearing:
            continue
        folder = shelf(tmp_path / str(step))
        write(FaultyDisk(abilities).fail(step, "refused"), folder / "1.2.dcm", MINE)
        left = {path.name for path in folder.iterdir()}
        assert left <= {"1.1.dcm", "1.2.dcm"}, names.calls[step - 1]


@pytest.mark.parametrize("abilities", ALL_ABILITIES)
def test_who_writes_in_the_midst_of_another_neither_replaces_nor_is_replaced(
    tmp_path: Path, abilities: Abilities
) -> None:
    for step in range(1, calls(tmp_path / "undisturbed", abilities) + 1):
        folder = shelf(tmp_path / str(step))
        path = folder / "1.2.dcm"
        outcomes: list[str] = []

        def come_between(
            call: Callable[[], Any],
            path: Path = path,
            outcomes: list[str] = outcomes,
        ) -> Any:
            outcomes.append(write(FaultyDisk(abilities), path, THEIRS))
            return call()

        disk = FaultyDisk(abilities).meanwhile(step, come_between)
        outcomes.append(write(disk, path, MINE))
        theirs, mine = outcomes
        assert (theirs == "saved") == (there(path) == THEIRS), step
        assert (mine == "saved") == (there(path) == MINE), step
        check_only_records_remain(folder)


@pytest.mark.parametrize("abilities", WITHOUT_LINKS)
@pytest.mark.parametrize("at_once", [False, True], ids=["after", "within"])
def test_two_writers_killed_at_any_two_calls_leave_what_a_third_can_build_on(
    tmp_path: Path, abilities: Abilities, at_once: bool
) -> None:
    steps = calls(tmp_path / "undisturbed", abilities)
    # The calls before the claim touch only the writer's own folder: every fourth.
    firsts = [*range(1, steps // 2, 4), *range(steps // 2, steps + 1)]
    for first in firsts:
        for second in range(1, steps + 1, 2):
            folder = shelf(tmp_path / f"{first} {second}")
            path = folder / "1.2.dcm"
            killed = FaultyDisk(abilities).fail(second, "killed after")
            if at_once:

                def die_between(
                    call: Callable[[], Any],
                    killed: FaultyDisk = killed,
                    path: Path = path,
                ) -> Any:
                    write(killed, path, THEIRS)
                    return call()

                disk = FaultyDisk(abilities).meanwhile(first, die_between)
                mine = write(disk, path, MINE)
                assert there(path) in (MINE, THEIRS)
                assert (mine == "saved") == (there(path) == MINE)
            else:
                write(FaultyDisk(abilities).fail(first, "killed before"), path, MINE)
                before = there(path)
                write(killed, path, THEIRS)
                assert there(path) in ((before,) if before else (None, MINE, THEIRS))
            found = there(path)
            assert write(FaultyDisk(abilities), path, OLD) in ("saved", "refused")
            assert there(path) == (found or there(path))
            assert there(path) in (MINE, THEIRS, OLD)
            check_only_records_remain(folder)


@pytest.mark.parametrize("abilities", ALL_ABILITIES)
def test_the_content_is_on_disk_before_the_name_and_the_name_before_success(
    tmp_path: Path, abilities: Abilities
) -> None:
    disk = FaultyDisk(abilities)
    assert write(disk, shelf(tmp_path / "records") / "1.2.dcm", MINE) == "saved"
    named = max(n for n, call in enumerate(disk.calls) if call in ("link", "rename"))
    assert disk.calls.index("write") < disk.calls.index("fsync") < named
    assert "fsync" in disk.calls[named:]


def test_a_draft_that_is_being_written_is_not_swept_and_an_old_one_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / "1.2.dcm"
    with store.new_file(path) as draft:
        draft.write_bytes(MINE)
        sweep(tmp_path)
        assert draft.read_bytes() == MINE
        sweep(tmp_path, now=time.time() + ABANDONED_AFTER_S - 60)
        assert draft.read_bytes() == MINE
    assert path.read_bytes() == MINE


def test_a_writer_whose_draft_was_swept_is_told_and_publishes_nothing(
    tmp_path: Path,
) -> None:
    def sleep_too_long() -> None:
        with store.new_file(tmp_path / "1.2.dcm") as draft:
            draft.write_bytes(MINE)
            sweep(tmp_path, now=time.time() + ABANDONED_AFTER_S + 60)

    with pytest.raises(OsteotraceError, match="cannot be written"):
        sleep_too_long()
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_touches_nothing_that_is_not_a_writers(tmp_path: Path) -> None:
    kept = [tmp_path / "notes", tmp_path / ".osteotrace-notes.txt", tmp_path / "1.dcm"]
    kept[0].mkdir()
    kept[1].write_text("mine")
    kept[2].write_bytes(b"")
    sweep(tmp_path, now=time.time() + 10 * ABANDONED_AFTER_S)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


# Forks of one small process: no interpreter has to start for each kill.
_KILLS = """
import errno, json, os, random, signal, sys, time
from pathlib import Path
from osteotrace.errors import OsteotraceError
from osteotrace.records import store
from osteotrace.records.publication import sweep
folder, links, kills = Path(sys.argv[1]), sys.argv[2] == "links", int(sys.argv[3])
WHOLE = b"whole" * 40_000

def refuse(*_):
    raise OSError(errno.EPERM, "Operation not permitted")

def write_on(writer):
    for n in range(100_000):
        try:
            store.write_once(folder / f"{writer}.{n}.dcm", WHOLE)
            store.write_once(folder / f"9.{writer // 2}.{n}.dcm", WHOLE)
        except OsteotraceError:
            pass  # The other writer of the pair was first.

if not links:
    os.link = refuse
chance = random.Random(5)
for pair in range(0, kills, 2):
    writers = []
    for writer in (pair, pair + 1):
        child = os.fork()
        if not child:
            try:
                write_on(writer)
            finally:
                os._exit(1)
        writers.append(child)
    while not any(folder.glob(f"{pair}.*.dcm")):
        time.sleep(0.001)
    for child in writers:
        time.sleep(chance.random() * 0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
records = [path for path in folder.iterdir() if path.suffix == ".dcm"]
torn = sum(path.read_bytes() != WHOLE for path in records)
sweep(folder, now=time.time() + 1e6)
after = list(folder.iterdir())
print(json.dumps({
    "records": len(records), "torn": torn,
    "after": len(after), "torn after": sum(p.read_bytes() != WHOLE for p in after),
}))
"""


@pytest.mark.parametrize("mode", ["links", "no links"])
def test_sixty_kills_tear_no_file(tmp_path: Path, mode: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLS, str(tmp_path), mode, "60"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    counts = json.loads(done.stdout)
    assert counts["records"] > 60
    assert (counts["torn"], counts["torn after"]) == (0, 0)
    # What a sweep finishes was whole before it.
    assert counts["records"] <= counts["after"] <= counts["records"] + 60


_RACE = """
import errno, os, sys
from pathlib import Path
from osteotrace.errors import OsteotraceError
from osteotrace.records import store

def refuse(*_):
    raise OSError(errno.EPERM, "Operation not permitted")

os.link = refuse
folder, won = Path(sys.argv[1]), 0
children = []
for writer in range(4):
    child = os.fork()
    if not child:
        try:
            for n in range(50):
                try:
                    store.write_once(folder / f"{n}.dcm", b"%d" % writer * 5000)
                except OsteotraceError as problem:
                    assert "a file that exists" in str(problem), problem
                else:
                    (folder / f"{n}.won-by-{writer}").touch()
        except BaseException as problem:
            print(problem, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
"""


def test_of_four_writers_without_links_one_has_each_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RACE, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for n in range(50):
        (won,) = tmp_path.glob(f"{n}.won-by-*")
        content = won.name[-1].encode() * 5000
        assert (tmp_path / f"{n}.dcm").read_bytes() == content
    assert not list(tmp_path.glob(".osteotrace-*"))


_ONE_WRITE = """
import sys
from pathlib import Path
from osteotrace.records import store
store.write_once(Path(sys.argv[1]), b"mine" * 500)
"""
_WRITING = ("write", "fsync", "mkdir", "chmod", "link", "rename", "unlinkat", "rmdir")


@pytest.mark.slow
@pytest.mark.interop
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_kill_at_any_call_into_the_kernel_leaves_the_whole_file_or_nothing(
    tmp_path: Path, links: bool
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    refuse = [] if links else ["-e", "inject=link:error=EPERM"]
    killed, saved = [], 0
    for call in _WRITING if links else set(_WRITING) - {"link"}:
        # The first step that the writer does not reach lets it end well.
        for step in range(1, 9):
            folder = shelf(tmp_path / f"{call} {step}")
            path = folder / "1.2.dcm"
            trace = ["strace", "-qq", "-f", "-o", "/dev/null"]
            trace += ["-e", f"trace={','.join(_WRITING)}", *refuse]
            trace += ["-e", f"inject={call}:signal=SIGKILL:when={step}"]
            writer = [sys.executable, "-B", "-c", _ONE_WRITE, str(path)]
            done = subprocess.run([*trace, *writer], check=False)
            found = there(path)
            assert found in (None, MINE)
            check_only_records_remain(folder)
            if done.returncode == 0:
                assert found == MINE
                saved += 1
                break
            killed.append(found)
    assert saved > 5
    assert len(killed) > 8
    assert {None, MINE} == set(killed)
