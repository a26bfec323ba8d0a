"""The journal of a draft: what was committed is there, whatever happened then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

import msgspec
import numpy as np
import pytest
from tests.fixtures.assessments import caliper_finding
from tests.fixtures.faulty_disk import Abilities, Fault, FaultyDisk, Killed

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.regions import Mask
from osteotrace.session.changes import FindingChange, Held
from osteotrace.session.draft import Draft
from osteotrace.session.journal import Journal
from osteotrace.session.lines import Done, Started, Undone

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.session.lines import Line

STUDY, READER = "2.25.1", "tester"


def started() -> Started:
    return Started(
        at="2024-05-06T07:08:09+00:00",
        assessment_uid="2.25.2",
        study_uid=STUDY,
        patient="P-ABCDEFGH",
        study_date="2024-01-02",
        reader=READER,
        software="osteotrace",
    )


def done(before: Finding | None, after: Finding | None, position: int) -> Done:
    change = FindingChange(
        before=None if before is None else Held(finding=before),
        after=None if after is None else Held(finding=after),
        position=position,
    )
    return Done(at="2024-05-06T07:08:10+00:00", what="made", changes=(change,))


def added(finding: Finding, position: int) -> Done:
    return done(None, finding, position)


def mask_finding() -> Finding:
    """Return a finding of a block of voxels and one of them alone."""
    grid = straight_grid((9.0, 12.0, 6.0), (0.7, 0.3, 0.3), centre=(1.0, -2.0, 3.0))
    voxels = np.zeros(grid.shape, dtype=bool)
    voxels[2:7, 10:30, 3:27] = True
    voxels[-1, -1, -1] = True
    mask = Mask.of(
        voxels,
        grid,
        role="fragment",
        frame_of_reference_uid="2.25.3",
        source_instances=tuple(f"2.25.4.{n}" for n in range(len(voxels))),
    )
    return Finding(
        tracking_uid="2.25.5",
        label="SEQ-1",
        kind="sequestrum",
        site="mandible",
        regions=(mask,),
    )


def lines() -> tuple[Line, ...]:
    return started(), added(caliper_finding(), 0), added(mask_finding(), 1)


def written(folder: Path) -> Path:
    journal = Journal(STUDY, READER, folder=folder)
    for line in lines():
        journal.append(line)
    journal.close()
    return journal.path


def replayed(folder: Path) -> tuple[Line, ...]:
    journal = Journal(STUDY, READER, folder=folder)
    journal.close()
    return journal.lines


def test_regions_of_every_kind_come_back_from_the_journal(tmp_path: Path) -> None:
    written(tmp_path)
    draft = Draft()
    for line in replayed(tmp_path):
        draft.apply(line)
    assert [one.finding for one in draft.held] == [caliper_finding(), mask_finding()]


def test_a_journal_torn_at_any_byte_keeps_every_line_before(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    ends = [n + 1 for n, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 3
    for cut in [*range(0, len(whole), 61), *ends, *(end - 1 for end in ends)]:
        path.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends)
        assert replayed(tmp_path) == lines()[:kept]
        assert path.read_bytes() == whole[: ([0, *ends])[kept]]


def test_blocks_of_zeros_that_a_power_failure_left_at_the_end_are_dropped(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(4096))
    assert replayed(tmp_path) == lines()
    assert path.read_bytes() == whole


# Damage --------------------------------------------------------------------------------


def assert_refused(folder: Path) -> None:
    with pytest.raises(OsteotraceError, match="damaged draft"):
        replayed(folder)


def test_every_flipped_bit_of_a_journal_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    ends = [n for n, byte in enumerate(whole) if byte == ord("\n")]
    # Every place of the first line, every seventh of the long ones, every line end.
    places = sorted({*range(ends[0]), *range(ends[0], len(whole), 7), *ends})
    for place in places:
        bit = 1 << place % 8
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        assert_refused(tmp_path)


@pytest.mark.parametrize("bit", range(8))
def test_a_line_end_with_any_bit_flipped_is_an_error(tmp_path: Path, bit: int) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for place in (n for n, byte in enumerate(whole) if byte == ord("\n")):
        flipped = bytes([whole[place] ^ (1 << bit)])
        path.write_bytes(whole[:place] + flipped + whole[place + 1 :])
        assert_refused(tmp_path)


@pytest.mark.parametrize(
    "order",
    [(1, 2), (0, 2), (0, 0, 1, 2), (0, 1, 1, 2), (0, 1, 2, 2), (0, 2, 1)],
    ids=[
        "first lost",
        "middle lost",
        "first doubled",
        "middle doubled",
        "last doubled",
        "two swapped",
    ],
)
def test_a_line_lost_doubled_or_moved_is_an_error(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    path = written(tmp_path)
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[n] for n in order))
    assert_refused(tmp_path)


def test_lines_added_after_a_replay_continue_the_chain(tmp_path: Path) -> None:
    for line in lines():
        journal = Journal(STUDY, READER, folder=tmp_path)
        journal.append(line)
        journal.close()
    assert replayed(tmp_path) == lines()
    assert all("checksum" in json.loads(one) for one in journal.path.open())


def version_1(folder: Path) -> tuple[Path, tuple[Line, ...]]:
    """Write a journal as version 1 did: lines without checksums."""
    path = written(folder)
    first, *rest = lines()
    assert isinstance(first, Started)
    old = (msgspec.structs.replace(first, journal_version=1), *rest)
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in old))
    return path, old


def test_a_journal_of_version_1_is_replayed_and_continued(tmp_path: Path) -> None:
    path, old = version_1(tmp_path)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(Undone(at="2026-01-02T03:04:05+00:00")) + b"x")
    journal = Journal(STUDY, READER, folder=tmp_path)
    assert journal.lines == old
    more = added(caliper_finding(), 2)
    journal.append(more)
    journal.close()
    assert replayed(tmp_path) == (*old, more)


def test_a_journal_of_a_later_version_is_refused(tmp_path: Path) -> None:
    journal = Journal(STUDY, READER, folder=tmp_path)
    journal.append(msgspec.structs.replace(started(), journal_version=4))
    journal.close()
    with pytest.raises(OsteotraceError, match="a draft of version 4"):
        Journal(STUDY, READER, folder=tmp_path)


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_and_lines_that_do_not_agree_are_an_error(
    tmp_path: Path, version: int
) -> None:
    start = msgspec.structs.replace(started(), journal_version=version)
    journal = Journal(STUDY, READER, folder=tmp_path)
    if version == 1:
        journal.append(start)
    else:
        journal.path.write_bytes(msgspec.json.encode(start) + b"\n")
    journal.close()
    with pytest.raises(OsteotraceError, match=r"damaged draft \(line 1\)"):
        Journal(STUDY, READER, folder=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        done(mask_finding(), None, 0),
        done(caliper_finding(), None, 1),
        done(caliper_finding(), None, -1),
        added(mask_finding(), 2),
        added(mask_finding(), -1),
    ],
    ids=["another finding", "none there", "before the first", "a gap", "negative"],
)
def test_a_change_of_a_finding_that_is_not_there_is_an_error(change: Done) -> None:
    draft = Draft()
    draft.apply(started())
    draft.apply(added(caliper_finding(), 0))
    with pytest.raises(OsteotraceError, match="a finding that is not there"):
        draft.apply(change)


def test_a_draft_begins_once() -> None:
    draft = Draft()
    draft.apply(started())
    with pytest.raises(OsteotraceError, match="two beginnings"):
        draft.apply(started())


def commit_on(disk: FaultyDisk, folder: Path) -> int:
    """Write the lines on a faulty disk; return how many were said to be there."""
    committed = 0
    with disk.in_use(), suppress(OsteotraceError, OSError, Killed):
        journal = Journal(STUDY, READER, folder=folder)
        for line in lines():
            try:
                journal.append(line)
            except OsteotraceError:
                # A second try, as of a user who made room on the disk.
                journal.append(line)
            committed += 1
        journal.close()
    for handle in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # The system closes what a killed process had open.
            if os.readlink(f"/proc/self/fd/{handle}").startswith(str(folder)):
                os.close(int(handle))
    return committed


@pytest.mark.parametrize("abilities", get_args(Abilities))
@pytest.mark.parametrize("fault", ["refused", "answer lost", "killed after"])
def test_a_fault_at_any_call_loses_no_line_that_was_committed(
    tmp_path: Path, abilities: Abilities, fault: Fault
) -> None:
    undisturbed = FaultyDisk(abilities)
    assert commit_on(undisturbed, tmp_path / "undisturbed") == 3
    steps = len(undisturbed.calls)
    assert steps > 10
    for step in range(1, steps + 1):
        folder = tmp_path / str(step)
        committed = commit_on(FaultyDisk(abilities).fail(step, fault), folder)
        found = replayed(folder)
        # The next line, on its way when the process was killed, may have arrived.
        assert found in (lines()[:committed], lines()[: committed + 1]), step
        if fault == "refused":
            assert found == lines()[:committed], step


def test_two_readers_have_journals_of_their_own(tmp_path: Path) -> None:
    one = Journal(STUDY, "one", folder=tmp_path)
    other = Journal(STUDY, "other", folder=tmp_path)
    assert one.path != other.path
    with pytest.raises(OsteotraceError, match="another window"):
        Journal(STUDY, "one", folder=tmp_path)
    one.close()
    other.close()
    Journal(STUDY, "one", folder=tmp_path).close()


# Windows has no fcntl; its lock of a byte, as its documentation describes it.
_ON_WINDOWS = """
import errno, os, subprocess, sys, types
from pathlib import Path
held = {}

def locking(handle, mode, count):
    assert (mode, count) == (2, 1)
    byte = os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR)
    assert byte[1] > 1_000_000_000, "Windows keeps others from reading what is locked"
    if held.get(byte, handle) != handle:
        raise PermissionError(errno.EACCES, "Permission denied")
    held[byte] = handle

def close(handle, close=os.close):
    for byte in [byte for byte, holder in held.items() if holder == handle]:
        del held[byte]
    close(handle)

sys.modules["fcntl"] = None
sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
os.close = close
import osteotrace.session
from osteotrace.errors import OsteotraceError
from osteotrace.session.lines import Started
from osteotrace.session.journal import Journal
folder = Path(sys.argv[1])
line = Started(at="", assessment_uid="1.2", study_uid="1.3", patient="", study_date="",
               reader="one", software="")
journal = Journal("1.3", "one", folder=folder)
journal.append(line)
try:
    Journal("1.3", "one", folder=folder)
except OsteotraceError as problem:
    assert "another window" in str(problem), problem
else:
    raise SystemExit("the same reader was let in twice")
Journal("1.3", "two", folder=folder).close()
journal.close()
assert Journal("1.3", "one", folder=folder).lines == (line,)
"""


def test_journals_are_locked_on_windows_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ON_WINDOWS, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
