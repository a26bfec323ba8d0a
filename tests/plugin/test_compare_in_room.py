"""Before and after in the reading room: its keys, and what no tool does there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fixtures.pairs import alignment, earlier_study, later_study, pose

from osteotrace_napari.canvas.linking import Pair

if TYPE_CHECKING:
    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand

pytestmark = pytest.mark.plugin


def in_hand(room: ReadingRoom) -> str:
    """Return the name of the tool in hand; empty without one."""
    return "" if room.pointer.tool is None else room.pointer.tool.name


def test_in_the_room_keys_lead_through_it_and_no_tool_measures_two_studies_at_once(
    room: ReadingRoom, hand: Hand
) -> None:
    pair = Pair(
        earlier=earlier_study(), later=later_study(pose()), alignment=alignment(pose())
    )
    room.arrangement.show(pair.earlier)
    comparing = room.arrangement.comparing
    hand.key("Ctrl+F7")
    assert "Nothing is compared" in room.dock.message.text()
    comparing.show(pair)
    room.take_up("caliper")
    assert in_hand(room) == "caliper"
    hand.key("Ctrl+F7")
    assert comparing.mode == "swipe"
    # What was in hand is put away, and not taken up again here.
    assert in_hand(room) == ""
    hand.key("Shift+C")
    assert in_hand(room) == ""
    assert "two studies lie in one picture (swipe)" in room.dock.message.text()
    assert room.measured(room.view) is None
    hand.key("F8")
    scene = room.view.scene()
    assert scene is not None
    assert (scene.place, scene.status.words) == ("", comparing.status)
    hand.key("F8")
    for mode in ("checkerboard", "difference", "side by side"):
        hand.key("Ctrl+F7")
        assert comparing.mode == mode
    assert room.measured(room.view) is pair.earlier
    hand.key("Shift+F7")
    assert comparing.own_plane
    hand.key("Ctrl+J")
    assert comparing.link is not None
    assert not comparing.link.any_on
    hand.key("Ctrl+Shift+J")
    assert comparing.link.shift is not None
