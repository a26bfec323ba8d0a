"""The window killed at any moment: what was done before is there, and is offered."""

from __future__ import annotations

import random
import shutil
import threading
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from tests.window.conftest import SAMPLES, draft_of, volume_of
from tests.window.program import Program
from tests.window.reader import Reader
from tests.window.readings import MAXILLA, gap_ends, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.window.screen import Screen

pytestmark = [pytest.mark.plugin]

# The window lives this long, once its images are there, before it is killed: seconds.
LIVES_S = 0.2, 4.0
# Words of what a window offers after it was killed.
OFFER = "Go on with it"

# How many findings there are, and how many are accepted.
State = tuple[int, int]


class Reading:
    """A reading without end: calipers, accepted, taken back, made again.

    Attributes
    ----------
    settled : State
        After the last command that was seen to be on disk.
    begun : State
        After the command in hand.
    """

    def __init__(self, reader: Reader, drafts: Path, state: State) -> None:
        self.reader = reader
        self.drafts = drafts
        self.settled = self.begun = state
        self.ends = gap_ends(truth(SAMPLES, MAXILLA))

    def commands(self) -> Iterator[tuple[Callable[[], object], State]]:
        """Yield what is done next, and the state it leads to."""
        reader, step = self.reader, 0
        while True:
            step += 1
            (a, b), shift = self.ends, 0.2 * (step % 10)
            start, end = (a[0], a[1], a[2] + shift), (b[0], b[1], b[2] + shift)
            made, accepted = self.settled
            yield partial(reader.drag, start, end, steps=3), (made + 1, accepted)
            yield partial(reader.press, "accept"), (made + 1, accepted + 1)
            yield partial(reader.press, "undo"), (made + 1, accepted)
            yield partial(reader.press, "redo"), (made + 1, accepted + 1)

    def go_on(self) -> None:
        """Read until the window is gone."""
        process = self.reader.program.process
        for command, state in self.commands():
            lines, self.begun = self.lines(), state
            try:
                command()
                grown = partial(self.has_more_than, lines)
                self.reader.program.wait("a line on disk", grown)
            except RuntimeError:
                assert process.poll() is not None, "the window lives, and does not follow"
                return
            self.settled = state

    def has_more_than(self, lines: int) -> bool:
        """Tell whether the draft on disk has grown."""
        return self.lines() > lines

    def lines(self) -> int:
        """Return how many whole lines the draft on disk has."""
        return sum(file.read_bytes().count(b"\n") for file in self.drafts.glob("*.jsonl"))


def on_disk(study: Path, drafts: Path) -> State:
    """Return what another program finds of the reading, in a copy of its draft."""
    with TemporaryDirectory() as copy:
        shutil.copytree(drafts, copy, dirs_exist_ok=True)
        return state_of(study, Path(copy))


def state_of(study: Path, drafts: Path) -> State:
    """Return how many findings there are, and how many are accepted."""
    with draft_of(study, drafts) as session:
        return len(session.held), sum(one.accepted for one in session.held)


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_loses_the_edit_in_hand_at_most_and_the_rest_is_offered(
    screen: Screen, case: Callable[[str], Path], tmp_path: Path, kills: int
) -> None:
    study, home = case(MAXILLA), tmp_path / "home"
    drafts, volume = home / "state" / "osteotrace" / "drafts", volume_of(study)
    chance, state = random.Random(kills), (0, 0)
    for kill in range(kills):
        with Program(screen, study, home) as program:
            reader = Reader(program, volume)
            reader.look_for("axial")
            if state != (0, 0):
                reader.click_words(OFFER)
            reader.show("sagittal")
            reading = Reading(reader, drafts, state)
            reader.go_to(reading.ends[0])
            reader.press("caliper")
            timer = threading.Timer(chance.uniform(*LIVES_S), program.kill)
            timer.start()
            reading.go_on()
            timer.join()
        state = on_disk(study, drafts)
        known: dict[str, Any] = {"kill": kill, "was": reading.settled, "is": state}
        assert state in (reading.settled, reading.begun), known
