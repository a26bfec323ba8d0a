"""A spine in the reading room: labels first, then six clicks and Enter a vertebra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.measurements.vertebra.marking import ORDER
from osteotrace.protocol.entries import VertebraEntry
from osteotrace_napari.colours import WARNING_COLOUR

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.session import Levels
    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

# A sagittal slice of the small MR, and the middles of three bodies in it.
X = 4.0
MIDDLES = {"T12": 12.0, "L1": 0.0, "L2": -12.0}


def body(level: str) -> Point:
    return (X, -14.0, MIDDLES[level])


def six(level: str) -> list[Point]:
    """Return the marks of a body 10 mm high and 16 mm deep, in the tool's order."""
    at = {"anterior": -22.0, "middle": -14.0, "posterior": -6.0}
    end = {"superior": MIDDLES[level] + 5.0, "inferior": MIDDLES[level] - 5.0}
    places = (name.split("_") for name in ORDER)
    return [(X, at[where], end[plate]) for plate, where in places]


@pytest.fixture
def spine(room: ReadingRoom, load: Callable[[str], None]) -> ReadingRoom:
    load("MR")
    room.view.go_to([body("L1")])
    return room


def label(room: ReadingRoom, hand: Hand) -> None:
    hand.key("Shift+L")
    for level in MIDDLES:
        hand.click(body(level))
    chosen = room.dock.measure.levels.name
    chosen.setCurrentIndex(chosen.findData("L2"))
    chosen.activated.emit(chosen.currentIndex())
    hand.key("Return")


def levels_of(room: ReadingRoom) -> Levels:
    assert room.view.volume is not None
    levels = room.session.levels.of(room.view.volume)
    assert levels is not None
    return levels


def names(room: ReadingRoom) -> tuple[str, ...]:
    return levels_of(room).names


def vertebrae(room: ReadingRoom) -> dict[str, VertebraEntry]:
    entries = (one.entry for one in room.session.held)
    return {e.level: e for e in entries if isinstance(e, VertebraEntry)}


def test_without_labels_the_vertebra_asks_for_them(
    spine: ReadingRoom, hand: Hand
) -> None:
    hand.key("Shift+V")
    assert "label the levels (Shift+L)" in spine.dock.measure.prompt.text()
    hand.click(six("T12")[0])
    assert spine.session.held == ()


def test_labels_are_clicked_named_and_confirmed(spine: ReadingRoom, hand: Hand) -> None:
    label(spine, hand)
    volume = spine.view.volume
    assert volume is not None
    levels = spine.session.levels.of(volume)
    assert levels is not None
    assert levels.names == tuple(MIDDLES)
    assert levels.confirmed
    hand.key("Ctrl+Z")
    again = spine.session.levels.of(volume)
    assert again is not None
    assert not again.confirmed


def test_confirming_puts_the_label_tool_away_and_says_what_comes_next(
    spine: ReadingRoom, hand: Hand
) -> None:
    label(spine, hand)
    assert spine.pointer.tool is None
    assert "Shift+V measures them" in spine.dock.message.text()
    # A click is nobody's then.
    hand.click((X, -14.0, 6.0))
    assert names(spine) == tuple(MIDDLES)
    assert levels_of(spine).confirmed


def test_the_button_confirms_as_the_key_does(spine: ReadingRoom, hand: Hand) -> None:
    label(spine, hand)
    hand.key("Ctrl+Z")
    hand.key("Shift+L")
    spine.dock.measure.levels.confirm.click()
    assert levels_of(spine).confirmed
    assert spine.pointer.tool is None


def test_a_click_beside_the_image_labels_no_body(spine: ReadingRoom, hand: Hand) -> None:
    label(spine, hand)
    hand.key("Shift+L")
    spine.view.viewer.scene.camera.zoom /= 2
    hand.click((X, -14.0, 60.0))
    assert "beside the image" in spine.dock.message.text()
    assert names(spine) == tuple(MIDDLES)
    assert levels_of(spine).confirmed


def test_the_level_that_is_measured_next_follows_the_names_of_its_label(
    spine: ReadingRoom, hand: Hand
) -> None:
    label(spine, hand)
    spine.dock.measure.levels.shifted.emit(-1)
    hand.key("Shift+V")
    assert spine.tool_box.vertebra.level == "T11"
    hand.key("Ctrl+Z")
    assert names(spine) == tuple(MIDDLES)
    assert spine.tool_box.vertebra.level == "T12"
    assert "T12" in spine.dock.measure.prompt.text()
    for point in six("T12"):
        hand.click(point)
    assert list(vertebrae(spine)) == ["T12"]


def test_a_vertebra_whose_level_is_in_doubt_is_flagged_in_the_colour_of_warnings(
    spine: ReadingRoom, hand: Hand
) -> None:
    label(spine, hand)
    hand.key("Shift+V")
    for point in six("T12"):
        hand.click(point)
    flag = spine.dock.measure.doubts
    assert not flag.isVisible()
    spine.dock.measure.levels.shifted.emit(-1)
    assert flag.isVisible()
    assert "levels not confirmed" in flag.text()
    assert "the marks of T12 lie nearest to the label of T11" in flag.text()
    assert WARNING_COLOUR in flag.styleSheet()


def test_each_vertebra_takes_six_clicks_and_enter(spine: ReadingRoom, hand: Hand) -> None:
    label(spine, hand)
    hand.key("Shift+V")
    for level in ("T12", "L1"):
        for point in six(level):
            hand.click(point)
        hand.key("Return")
    assert list(vertebrae(spine)) == ["T12", "L1"]
    assert all(one.accepted for one in spine.session.held)
    assert [one.finding.site for one in spine.session.held] == ["t12", "l1"]
    assert spine.pointer.tool is spine.tool_box.vertebra
    assert spine.tool_box.vertebra.level == "L2"
    rows = spine.dock.measure.levels.levels
    assert [rows.item(n).text() for n in range(3)] == [
        "T12   measured",
        "L1   measured",
        "L2",
    ]


def test_the_points_of_a_vertebra_are_those_that_were_clicked(
    spine: ReadingRoom, hand: Hand
) -> None:
    label(spine, hand)
    hand.key("Shift+V")
    for point in six("T12"):
        hand.click(point)
    pixel = 1.0 / spine.view.viewer.scene.camera.zoom
    points = vertebrae(spine)["T12"].points
    assert points is not None
    for name, place in zip(ORDER, six("T12"), strict=True):
        assert points[name] == pytest.approx(place, abs=pixel)


def test_a_vertebra_said_to_be_fractured_is_measured_with_its_neighbours_anew(
    spine: ReadingRoom, hand: Hand
) -> None:
    label(spine, hand)
    hand.key("Shift+V")
    for point in six("T12"):
        hand.click(point)
    hand.key("Return")
    spine.dock.measure.said_of["fractured"].click()
    entry = vertebrae(spine)["T12"]
    assert (entry.fractured, entry.kind) == (True, "vcf")
    assert spine.session.held[0].finding.kind == "vcf"
    hand.key("Ctrl+Z")
    assert not vertebrae(spine)["T12"].fractured


def test_escape_takes_points_back_one_by_one_and_then_puts_the_tool_away(
    spine: ReadingRoom, hand: Hand
) -> None:
    label(spine, hand)
    hand.key("Shift+V")
    for point in six("T12")[:2]:
        hand.click(point)
    tool: Any = spine.pointer.tool
    for left in (1, 0):
        hand.key("Esc")
        assert len(tool.points) == left
        assert spine.pointer.tool is tool
    hand.key("Esc")
    assert spine.pointer.tool is None


def test_undo_takes_a_point_in_hand_back_before_anything_that_was_recorded(
    spine: ReadingRoom, hand: Hand
) -> None:
    label(spine, hand)
    hand.key("Shift+V")
    hand.click(six("T12")[0])
    hand.key("Ctrl+Z")
    assert spine.tool_box.vertebra.points == []
    volume = spine.view.volume
    assert volume is not None
    levels = spine.session.levels.of(volume)
    assert levels is not None
    assert levels.confirmed


def test_labels_that_were_taken_back_are_not_shown_any_more(
    spine: ReadingRoom, hand: Hand
) -> None:
    hand.key("Shift+L")
    for level in ("T12", "L1"):
        hand.click(body(level))
    hand.key("Ctrl+Z")
    dots = spine.view.scene_picture().dots
    assert [dot.label for dot in dots] == ["?"]
    assert "1 labelled" in spine.dock.measure.prompt.text()
