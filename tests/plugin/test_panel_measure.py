"""The Measure tab: what is in hand, which vertebra is which, every value of a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.measurements.caliper import measure
from osteotrace.protocol.entries import SIX_POINTS, VertebraEntry
from osteotrace.reading.calipers import caliper_finding
from osteotrace.session import levels
from osteotrace.session.levels import Levels
from osteotrace_napari.canvas.marks import Mark
from osteotrace_napari.panels.level_list import COUNTS, LevelList
from osteotrace_napari.panels.measure import NOTHING_SELECTED, MeasureTab
from osteotrace_napari.tools.angle import Angle
from osteotrace_napari.tools.levels import LabelLevels
from osteotrace_napari.tools.palatal import PalatalDefect
from osteotrace_napari.tools.vertebra import Vertebra

if TYPE_CHECKING:
    from osteotrace.volume import Volume

pytestmark = pytest.mark.plugin


def nothing(*_: Any, **__: Any) -> None:
    """Stand for what a tool is given."""


@pytest.fixture
def tab(qtbot: Any) -> MeasureTab:
    made = MeasureTab()
    qtbot.addWidget(made)
    made.show()
    return made


def three(name: str = "") -> Levels:
    every = Levels(frame_of_reference_uid="2.25.1")
    for k in range(3):
        every = levels.with_point(every, (0.0, 0.0, -30.0 * k))
    return levels.named(every, 0, name) if name else every


def rows(listed: LevelList) -> list[str]:
    return [listed.levels.item(n).text() for n in range(listed.levels.count())]


def test_the_tool_in_hand_is_named_with_what_it_asks_for(tab: MeasureTab) -> None:
    assert tab.title.text() == "<b>No tool in hand.</b>"
    tab.show_tool(PalatalDefect(preview=nothing, record=nothing))
    assert tab.title.text() == "<b>Palatal defect</b>"
    assert tab.prompt.text().startswith("Palatal defect: click into the hole")
    tab.show_live(Mark(text="12.07 ± 0.02 mm"))
    assert (tab.live.text(), tab.live.isVisible()) == ("12.07 ± 0.02 mm", True)
    tab.show_live(None)
    assert not tab.live.isVisible()


def test_a_hint_of_another_length_moves_no_button(tab: MeasureTab, qtbot: Any) -> None:
    tab.resize(470, 700)
    tab.show_levels(three(), labelling=True)
    qtbot.wait(20)
    confirm, below = set(), set()
    for hint in ("Levels.", "Levels: " + "click the next body, or name one. " * 3):
        for levels_ in (three(), three("T12")):
            tab.prompt.setText(hint)
            tab.show_levels(levels_, labelling=True)
            for mark in (Mark(text="12.07 ± 0.02 mm"), None):
                tab.show_live(mark)
                qtbot.wait(20)
                confirm.add(tab.levels.confirm.mapTo(tab, tab.rect().topLeft()).y())
                below.add(tab.values_title.mapTo(tab, tab.rect().topLeft()).y())
    assert len(confirm) == 1
    assert len(below) == 1


def test_a_caliper_snaps_or_measures_as_drawn(tab: MeasureTab, qtbot: Any) -> None:
    assert tab.snapped.isChecked()
    with qtbot.waitSignal(tab.snap_chosen) as heard:
        tab.as_drawn.click()
    assert heard.args == [False]
    tab.show_snap(snapped=False)
    assert (tab.snapped.isChecked(), tab.as_drawn.isChecked()) == (False, True)


def test_the_mode_of_the_tool_in_hand_alone_is_shown(tab: MeasureTab, qtbot: Any) -> None:
    assert not tab.modes.isVisible()
    tab.show_tool(
        Angle(preview=nothing, record=nothing, value=lambda view, **where: "90°")
    )
    assert tab.angles.isVisible()
    assert not tab.snapped.isVisible()
    tab.angles.setCurrentIndex(1)
    with qtbot.waitSignal(tab.angle_chosen) as heard:
        tab.angles.activated.emit(1)
    assert heard.args == ["cobb_angle"]
    tab.show_angle("wedge_angle")
    assert tab.angles.currentData() == "wedge_angle"


def test_levels_are_shown_where_there_are_some_or_a_spine_is_read(
    tab: MeasureTab,
) -> None:
    assert not tab.levels.isVisible()
    tab.show_tool(LabelLevels(preview=nothing, labelling=None))  # type: ignore[arg-type]
    assert tab.levels.isVisible()
    assert "No level is labelled" in tab.levels.said.text()
    tab.show_tool(None)
    assert not tab.levels.isVisible()
    tab.show_levels(three())
    assert tab.levels.isVisible()


def test_levels_stand_from_head_to_foot_with_what_is_measured(tab: MeasureTab) -> None:
    tab.show_levels(three("T12"), chosen="L1", measured={"T12"})
    assert rows(tab.levels) == ["T12   measured", "L1", "L2"]
    assert tab.levels.levels.currentRow() == 1
    assert "confirm" in tab.levels.said.text()
    assert tab.levels.confirm.isEnabled()
    tab.show_levels(levels.confirmed(three("T12")))
    assert tab.levels.confirm.text() == "Levels confirmed"
    assert not tab.levels.confirm.isEnabled()


def test_one_level_is_named_and_the_others_are_asked_to_follow(
    tab: MeasureTab, qtbot: Any
) -> None:
    listed = tab.levels
    tab.show_levels(three())
    assert rows(listed) == ["not named"] * 3
    assert not listed.confirm.isEnabled()
    # Without a choice the lowest one is meant.
    listed.name.setCurrentIndex(listed.name.findData("L3"))
    with qtbot.waitSignal(listed.named) as heard:
        listed.name.activated.emit(0)
    assert heard.args == [2, "L3"]
    listed.levels.itemClicked.emit(listed.levels.item(0))
    tab.show_levels(three())
    listed.name.setCurrentIndex(listed.name.findData("T13"))
    with qtbot.waitSignal(listed.named) as heard:
        listed.name.activated.emit(0)
    assert heard.args == [0, "T13"]


def test_the_lowest_is_meant_however_many_labels_came_after_each_other(
    tab: MeasureTab,
) -> None:
    every = Levels(frame_of_reference_uid="2.25.1")
    for k in range(3):
        every = levels.with_point(every, (0.0, 0.0, -30.0 * k))
        tab.show_levels(every, labelling=True)
        assert tab.levels.levels.currentRow() == k


def test_a_level_clicked_while_labels_are_made_is_picked_and_not_measured(
    tab: MeasureTab, qtbot: Any
) -> None:
    tab.show_levels(three("L1"), labelling=True)
    with qtbot.assertNotEmitted(tab.level_chosen):
        tab.levels.levels.itemClicked.emit(tab.levels.levels.item(1))
    tab.show_levels(three("L1"), labelling=True)
    assert tab.levels.levels.currentRow() == 1


def test_names_are_shifted_by_one_with_one_click(tab: MeasureTab, qtbot: Any) -> None:
    tab.show_levels(three("L1"))
    for made, by in ((tab.levels.up, -1), (tab.levels.down, 1)):
        with qtbot.waitSignal(tab.levels.shifted) as heard:
            made.click()
        assert heard.args == [by]


def test_every_count_that_is_offered_can_be_counted(tab: MeasureTab, qtbot: Any) -> None:
    for n, counts in enumerate(COUNTS.values()):
        counted = levels.counted(three("L1"), **counts)
        tab.show_levels(counted)
        assert tab.levels.count.currentIndex() == n
        with qtbot.waitSignal(tab.levels.counted) as heard:
            tab.levels.count.activated.emit(n)
        assert heard.args == [counts]


def test_a_clicked_level_is_the_one_to_measure(tab: MeasureTab, qtbot: Any) -> None:
    tab.show_levels(three("L1"))
    with qtbot.waitSignal(tab.level_chosen) as heard:
        tab.levels.levels.itemClicked.emit(tab.levels.levels.item(1))
    assert heard.args == ["L2"]
    tab.show_tool(Vertebra(preview=nothing, record=nothing, levels=lambda view: None))
    tab.level.setCurrentIndex(tab.level.findData("C3"))
    with qtbot.waitSignal(tab.level_chosen) as heard:
        tab.level.activated.emit(1)
    assert heard.args == ["C3"]


def test_every_level_that_can_be_chosen_has_a_body_to_measure(tab: MeasureTab) -> None:
    from osteotrace.measurements.vertebra.levels import checked

    names = [str(tab.level.itemData(n)) for n in range(1, tab.level.count())]
    assert [checked(name) for name in names] == names
    assert (names[0], names[-1]) == ("C3", "L6")


def test_a_vertebra_can_be_said_to_be_fractured(tab: MeasureTab, qtbot: Any) -> None:
    assert not tab.references.isVisible()
    entry = VertebraEntry(
        label="V-1",
        modality="CT",
        level="L1",
        points=dict.fromkeys(SIX_POINTS, (0.0, 0.0, 0.0)),
        cemented=True,
    )
    tab.show_vertebra(entry)
    assert tab.references.isVisible()
    assert [box.isChecked() for box in tab.said_of.values()] == [False, True]
    with qtbot.waitSignal(tab.said_of_vertebra) as heard:
        tab.said_of["fractured"].click()
    assert heard.args == ["fractured", True]


def test_every_value_of_the_selected_finding_is_shown_with_its_uncertainty(
    tab: MeasureTab, small_ct_volume: Volume
) -> None:
    reading = measure(small_ct_volume, (0.0, -6.6, 0.0), (0.6, 5.2, 0.0))
    finding = caliper_finding(
        reading,
        tracking_uid="2.25.7",
        label="CAL-1",
        kind="lesion",
        site="jaw",
        quantity="distance",
    )
    assert NOTHING_SELECTED in tab.values_title.text()
    tab.show_finding(finding)
    assert "CAL-1" in tab.values_title.text()
    shown = [tab.values.topLevelItem(n) for n in range(tab.values.topLevelItemCount())]
    assert [item.text(1) for item in shown if item is not None] == [
        reading.as_text if hasattr(reading, "as_text") else "not measured"
        for reading in finding.measurements
    ]
    tab.show_finding(None)
    assert tab.values.topLevelItemCount() == 0
