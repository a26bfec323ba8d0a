"""A reading killed at random moments: at most the edit in hand is lost."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.session import Held

# Reads, and says of every call that returned what is held then.
KILLED_READER = """
import random, sys
from pathlib import Path
from osteotrace.protocol import Where
from osteotrace.session import Session

rng = random.Random(int(sys.argv[3]))
session = Session(reader="tester", drafts=Path(sys.argv[2]))
volume = session.load(session.open(sys.argv[1]).choose("2.25.1002"))
print("ready", flush=True)
while True:
    held = session.held
    one = rng.choice(held).uid if held else ""
    what = rng.choice(["add", "add", "move", "edit", "accept", "undo", "redo", "delete"])
    if what == "add" or not held:
        end = (0.3, 5.5, rng.uniform(-3, 3))
        session.add("caliper", volume, start=(0, -6, 0), end=end, snap=False)
    elif what == "move":
        session.move(one, end=(0.3, 5.5, rng.uniform(-3, 3)))
    elif what == "edit":
        session.edit_finding(one, note=str(rng.random()))
    elif what == "accept":
        session.accept(one)
    elif what == "delete":
        session.delete_finding(one)
    else:
        getattr(session, what)()
    print(hash_of(session.held), flush=True)
"""
HASH = """
import hashlib, msgspec

def hash_of(held):
    return hashlib.sha256(msgspec.json.encode(held)).hexdigest()
"""


def hash_of(held: tuple[Held, ...]) -> str:
    names: dict[str, Any] = {}
    exec(HASH, names)
    return str(names["hash_of"](held))


def assert_a_kill_loses_at_most_the_edit_in_hand(
    study: Path, drafts: Path, seed: int
) -> None:
    rng = random.Random(seed)
    process = subprocess.Popen(
        [sys.executable, "-c", HASH + KILLED_READER, str(study), str(drafts), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    told = [process.stdout.readline().strip() for _ in range(rng.randrange(1, 60))]
    # Some moment of the next call, whose length is a millisecond or so.
    for _ in range(rng.randrange(20_000)):
        pass
    process.kill()
    told += process.stdout.read().split("\n")[:-1]
    process.wait()
    process.stdout.close()

    session = Session(reader="tester", drafts=drafts)
    session.load(session.open(study).choose("2.25.1002"))
    recovery = session.recovery
    assert recovery is not None
    assert recovery.after_crash
    if hash_of(session.held) != told[-1]:
        # The call in hand had reached the disk: what was told before is behind it.
        if not session.undo():
            raise AssertionError("what was there before the kill is not there after it")
        behind = {hash_of(session.held)}
        session.redo()
        session.redo()
        behind.add(hash_of(session.held))
        assert told[-1] in behind
    session.close()


def test_a_killed_reading_comes_back_but_for_the_edit_in_hand(
    small_study: Path, tmp_path: Path
) -> None:
    for seed in range(8):
        folder = tmp_path / str(seed)
        assert_a_kill_loses_at_most_the_edit_in_hand(small_study, folder, seed)


@pytest.mark.slow
def test_a_hundred_killed_readings_come_back(small_study: Path, tmp_path: Path) -> None:
    for seed in range(100, 200):
        folder = tmp_path / str(seed)
        assert_a_kill_loses_at_most_the_edit_in_hand(small_study, folder, seed)
