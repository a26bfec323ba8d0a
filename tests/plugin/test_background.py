"""What is done beside the window: marks that are measured, loads that are stopped."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
# Rough points of the 12 mm gap of the small CT, in one axial slice.
START: Point = (0.0, -6.6, 0.0)
END: Point = (0.6, 5.2, 0.0)
# Balls within the image.
BALLS: tuple[tuple[Point, Point], ...] = (
    ((0.0, 0.0, 0.0), (2.5, 0.0, 0.0)),
    ((-4.0, 0.0, 0.0), (-2.5, 1.0, 0.0)),
)


def idle(room: ReadingRoom, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    qtbot.wait(20)


@pytest.fixture
def held_up(
    room: ReadingRoom, monkeypatch: pytest.MonkeyPatch
) -> Iterator[threading.Event]:
    """Have what is measured beside the window wait for a sign."""
    go_on = threading.Event()
    prepare = room.session.prepare

    def waits(*what: Any, **where: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            go_on.wait(PATIENCE_MS / 1000)
        return prepare(*what, **where)

    monkeypatch.setattr(room.session, "prepare", waits)
    yield go_on
    go_on.set()


def mark_ball(hand: Hand, ball: tuple[Point, Point]) -> None:
    """Mark a ball with the tool in hand."""
    hand.drag([ball[0], ball[1]])


def test_enter_waits_for_the_mark_that_is_measured_and_accepts_no_other(
    room: ReadingRoom,
    hand: Hand,
    load: Callable[[str], None],
    qtbot: Any,
    held_up: threading.Event,
) -> None:
    load("CT")
    caliper = hand.caliper(START, END).tracking_uid
    hand.key("Shift+R")
    mark_ball(hand, BALLS[0])
    assert room.busy
    hand.key("Enter")
    assert [one.accepted for one in room.session.held] == [False]
    assert "as soon as it is measured" in room.dock.message.text()
    held_up.set()
    idle(room, qtbot)
    accepted = {one.uid: one.accepted for one in room.session.held}
    assert len(accepted) == 2
    assert accepted.pop(caliper) is False
    assert set(accepted.values()) == {True}


def test_enter_accepts_what_was_chosen_while_a_mark_is_measured(
    room: ReadingRoom,
    hand: Hand,
    load: Callable[[str], None],
    qtbot: Any,
    held_up: threading.Event,
) -> None:
    load("CT")
    caliper = hand.caliper(START, END).tracking_uid
    hand.key("Shift+R")
    mark_ball(hand, BALLS[0])
    room.marking.choose(caliper)
    hand.key("Enter")
    assert room.session.held_finding(caliper).accepted
    held_up.set()
    idle(room, qtbot)
    assert [one.accepted for one in room.session.held] == [True, False]


def test_escape_drops_no_mark_that_waits_to_be_measured(
    room: ReadingRoom,
    hand: Hand,
    load: Callable[[str], None],
    qtbot: Any,
    held_up: threading.Event,
) -> None:
    load("CT")
    hand.key("Shift+R")
    for ball in BALLS:
        mark_ball(hand, ball)
    for _ in range(3):
        hand.key("Esc")
    held_up.set()
    idle(room, qtbot)
    assert len(room.session.held) == len(BALLS)


def test_escape_stops_a_load_and_measures_what_waits_behind_it(
    room: ReadingRoom, qtbot: Any
) -> None:
    begun, seen = threading.Event(), threading.Event()
    done: list[str] = []

    def slow(*, progress: Any = None) -> str:
        begun.set()
        while True:
            seen.wait(0.01)
            progress(1, 2)

    room.background.start("Loading …", slow, done.append, counts=True)
    room.background.start("Loading …", slow, done.append, counts=True)
    room.background.start("Measuring …", lambda: "measured", done.append, marks=True)
    qtbot.waitUntil(begun.is_set, timeout=PATIENCE_MS)
    room.background.cancel()
    idle(room, qtbot)
    assert done == ["measured"]


def test_a_problem_in_what_follows_leaves_no_queue_standing(
    room: ReadingRoom, qtbot: Any
) -> None:
    done: list[str] = []

    def fails(result: str) -> None:
        raise RuntimeError(result)

    with qtbot.captureExceptions() as problems:
        room.background.start("One …", lambda: "one", fails)
        room.background.start("Two …", lambda: "two", done.append)
        idle(room, qtbot)
    assert done == ["two"]
    assert [str(problem[1]) for problem in problems] == ["one"]
    assert room.dock.progress.isHidden()


def test_one_slice_after_linked_planes_stands_alone_and_the_window_goes_on(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> None:
    load("CT")
    hand.key("F6")
    assert len(list(room.views)) == 3
    header, volume = room.opening.header, room.view.volume
    assert header is not None
    assert volume is not None
    grid = replace(volume.grid, origins=volume.grid.origins[:1])
    one = replace(
        volume,
        grid=grid,
        voxels=volume.voxels[:1],
        slope=volume.slope[:1],
        intercept=volume.intercept[:1],
        instances=volume.instances[:1],
    )
    room.background.start(
        "Loading …", lambda: one, lambda it: room.opening._loaded(header, it)
    )
    idle(room, qtbot)
    assert room.arrangement.main.volume is one
    assert len(list(room.views)) == 1
    assert not room.arrangement.is_linked
    assert room.dock.progress.isHidden()
    assert "In its own plane alone" in room.dock.message.text()
    hand.key("Alt+2")
    assert np.isfinite(room.view.viewer.scene.camera.zoom)
    load("MR")
    hand.key("F6")
    assert len(list(room.views)) == 3
    assert room.opening.header is not None
    assert room.opening.header.identity.modality == "MR"
