"""Vertebrae and their labels: six clicks each, prompts that advance by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.fake_mouse import FakeMouse, view_of

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.vertebra.marking import ORDER
from osteotrace.protocol import TABLES
from osteotrace.session import levels
from osteotrace.session.levels import Levels
from osteotrace_napari.tools.levels import LabelLevels
from osteotrace_napari.tools.pointer import Pointer
from osteotrace_napari.tools.vertebra import Vertebra

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.grips import Grip

pytestmark = pytest.mark.plugin

# A sagittal slice of the small MR: they lie at x = 8, 6, 4, …
X = 4.0
# Middles of three bodies, from head to foot.
FIRST, SECOND, THIRD = 12.0, 0.0, -12.0


@dataclass
class Bench:
    """What the tools are given to work with, noted."""

    held: Levels | None = None
    done: set[str] = field(default_factory=set)
    recorded: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    shown: list[Mark | None] = field(default_factory=list)

    def record(self, tool: str, view: ReadingView, **where: Any) -> None:
        self.recorded.append((tool, where))
        self.done.add(where["level"])

    def preview(self, mark: Mark | None) -> None:
        self.shown.append(mark)

    def levels(self, view: ReadingView) -> Levels | None:
        return self.held

    def measured(self, view: ReadingView) -> set[str]:
        return self.done

    def add(self, view: ReadingView, point: Point) -> None:
        frame = view.volume.frame_of_reference_uid if view.volume is not None else ""
        before = self.held or Levels(frame_of_reference_uid=frame)
        self.held = levels.with_point(before, point)

    def confirm(self, view: ReadingView) -> bool:
        try:
            assert self.held is not None
            self.held = levels.confirmed(self.held)
        except OsteotraceError:
            return False
        return True

    @property
    def last(self) -> Mark:
        mark = self.shown[-1]
        assert mark is not None
        return mark


@dataclass
class NoMarks:
    def grips(self, view: ReadingView) -> tuple[Grip, ...]:
        return ()

    def choose(self, uid: str) -> None: ...
    def drag(self, grip: Grip, view: ReadingView, point: Point) -> None: ...
    def drop(self, grip: Grip, view: ReadingView, point: Point) -> None: ...
    def let_go(self) -> None: ...


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def mr_view(small_mr_volume: Volume) -> ReadingView:
    view = view_of(small_mr_volume)
    view.go_to([(X, 0.0, 0.0)])
    return view


@pytest.fixture
def mr_mouse(mr_view: ReadingView) -> FakeMouse:
    return FakeMouse(mr_view)


@pytest.fixture
def pointer(mr_view: ReadingView) -> Pointer:
    made = Pointer(NoMarks())
    made.attach(mr_view)
    return made


@pytest.fixture
def tool(bench: Bench) -> Vertebra:
    return Vertebra(
        preview=bench.preview,
        record=bench.record,
        levels=bench.levels,
        measured=bench.measured,
    )


def six(middle_z: float) -> list[Point]:
    """Return the marks of a body 10 mm high and 16 mm deep, in the tool's order."""
    at = {"anterior": -22.0, "middle": -14.0, "posterior": -6.0}
    end = {"superior": middle_z + 5.0, "inferior": middle_z - 5.0}
    places = (name.split("_") for name in ORDER)
    return [(X, at[where], end[plate]) for plate, where in places]


def three_levels(bench: Bench, view: ReadingView) -> None:
    for k in range(3):
        bench.add(view, (X, -14.0, FIRST - 12.0 * k))
    assert bench.held is not None
    bench.held = levels.confirmed(levels.named(bench.held, 0, "T12"))


# Six points


def test_six_clicks_make_a_vertebra_with_a_prompt_for_each(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    tool.choose("l2")
    pointer.take_up(tool)
    prompts = []
    for point in six(SECOND):
        prompts.append(tool.prompt)
        mr_mouse.click(point)
    assert prompts == [
        "L2: anterior superior corner, 1 of 6",
        "L2: middle of the superior endplate, 2 of 6",
        "L2: posterior superior corner, 3 of 6",
        "L2: posterior inferior corner, 4 of 6",
        "L2: middle of the inferior endplate, 5 of 6",
        "L2: anterior inferior corner, 6 of 6",
    ]
    ((name, where),) = bench.recorded
    assert (name, where["level"]) == ("vertebra", "L2")
    for key, point in zip(ORDER, six(SECOND), strict=True):
        assert where["points"][key] == pytest.approx(point, abs=1e-4)
    assert where["note"] == "levels not labelled: L2 is as the reader called it"
    entry = TABLES["vertebra"](
        label="V-1", modality="MR", frame_of_reference_uid="1", **where
    )
    assert not list(entry.wrong())
    # The tool goes on by itself.
    assert tool.prompt == "L3: anterior superior corner, 1 of 6"


def test_points_stand_with_letters_and_heights_as_they_come(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    tool.choose("L2")
    pointer.take_up(tool)
    marks = six(SECOND)
    for point in marks[:4]:
        mr_mouse.click(point)
    assert [spot.label for spot in bench.last.spots] == ["as", "ms", "ps", "pi"]
    assert bench.last.text == "L2  posterior 10.0 mm"
    # The height of what is under the mouse is told before it is placed.
    mr_mouse.move(marks[4], held=False)
    assert bench.last.text == "L2  middle 10.0  posterior 10.0 mm"


def test_a_point_is_taken_back_and_placed_again(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    tool.choose("L2")
    pointer.take_up(tool)
    marks = six(SECOND)
    for point in marks[:3]:
        mr_mouse.click(point)
    assert pointer.take_back()
    assert tool.prompt == "L2: posterior superior corner, 3 of 6"
    for point in marks[2:]:
        mr_mouse.click(point)
    assert len(bench.recorded) == 1


def test_points_in_each_others_place_are_told_and_not_recorded(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    tool.choose("L2")
    pointer.take_up(tool)
    marks = six(SECOND)
    wrong = [*marks[3:], *marks[:3]]
    for point in wrong:
        mr_mouse.click(point)
    assert bench.recorded == []
    assert "lies in front of" in tool.prompt or "lies above" in tool.prompt
    assert "Esc takes the last point back" in tool.prompt
    while pointer.take_back():
        pass
    assert tool.prompt == "L2: anterior superior corner, 1 of 6"


def test_no_level_no_points(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    pointer.take_up(tool)
    assert "label the levels (Shift+L)" in tool.prompt
    mr_mouse.click(six(SECOND)[0])
    assert tool.points == []


# Level after level


def test_the_uppermost_labelled_level_comes_first_and_the_next_by_itself(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    three_levels(bench, mr_mouse.view)
    pointer.take_up(tool)
    for middle in (FIRST, SECOND):
        for point in six(middle):
            mr_mouse.click(point)
    assert [where["level"] for _, where in bench.recorded] == ["T12", "L1"]
    assert all(where["note"] == "" for _, where in bench.recorded)
    assert tool.level == "L2"


def test_accepting_takes_the_view_to_the_label_of_the_next_level(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    view = mr_mouse.view
    three_levels(bench, view)
    assert bench.held is not None
    bench.held = levels.confirmed(levels.moved(bench.held, "L1", (0.0, -14.0, SECOND)))
    pointer.take_up(tool)
    for point in six(FIRST):
        mr_mouse.click(point)
    before = view.slice_index
    pointer.accepted()
    assert abs(view.slice_index - before) == 2


def test_the_level_to_be_measured_is_pointed_out_while_the_tool_is_in_hand(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    three_levels(bench, mr_mouse.view)
    pointer.take_up(tool)
    assert [(spot.label, spot.point[2]) for spot in bench.last.spots] == [("T12", FIRST)]
    for point in six(FIRST):
        mr_mouse.click(point)
    mr_mouse.move(six(SECOND)[0], held=False)
    assert [spot.label for spot in bench.last.spots] == ["L1"]
    pointer.take_up(None)
    assert bench.shown[-1] is None


def test_a_reader_who_chooses_the_level_above_goes_upwards(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    three_levels(bench, mr_mouse.view)
    tool.choose("L2")
    pointer.take_up(tool)
    for point in six(THIRD):
        mr_mouse.click(point)
    tool.choose("L1")
    for point in six(SECOND):
        mr_mouse.click(point)
    assert tool.level == "T12"


def test_a_level_is_measured_once(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    three_levels(bench, mr_mouse.view)
    bench.done = {"T12", "L2"}
    pointer.take_up(tool)
    assert tool.level == "L1"
    for point in six(SECOND):
        mr_mouse.click(point)
    assert tool.level == ""
    tool.choose("T12")
    mr_mouse.click(six(FIRST)[0])
    assert tool.points == []
    assert "measured already" in tool.prompt


def test_the_sacrum_has_no_body_to_measure(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    three_levels(bench, mr_mouse.view)
    assert bench.held is not None
    bench.held = levels.confirmed(levels.named(bench.held, -1, "S1"))
    pointer.take_up(tool)
    for middle in (FIRST, SECOND):
        for point in six(middle):
            mr_mouse.click(point)
    assert [where["level"] for _, where in bench.recorded] == ["L4", "L5"]
    assert tool.level == ""


def test_marks_beside_another_label_are_noted_with_the_finding(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench, tool: Vertebra
) -> None:
    three_levels(bench, mr_mouse.view)
    tool.choose("L2")
    pointer.take_up(tool)
    for point in six(FIRST):
        mr_mouse.click(point)
    ((_, where),) = bench.recorded
    assert where["note"] == "the marks of L2 lie nearest to the label of T12"


# Labels


def test_bodies_are_labelled_by_a_click_each_and_confirmed_with_enter(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    tool = LabelLevels(preview=bench.preview, labelling=bench)
    pointer.take_up(tool)
    assert "from head to foot" in tool.prompt
    for z in (FIRST, SECOND, THIRD):
        mr_mouse.click((X, -14.0, z))
    assert [spot.label for spot in bench.last.spots] == ["?", "?", "?"]
    assert "3 labelled" in tool.prompt
    assert not pointer.entered()
    assert bench.held is not None
    bench.held = levels.named(bench.held, -1, "L2")
    pointer.show_prompt()
    assert tool.prompt == "Levels: 3 levels, T12 to L2; Enter confirms names and count."
    assert pointer.entered()
    assert bench.held.confirmed
    assert "confirmed; Shift+V measures them" in tool.prompt


def test_the_labels_are_seen_while_they_are_made_and_not_after(
    mr_mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    three_levels(bench, mr_mouse.view)
    pointer.take_up(LabelLevels(preview=bench.preview, labelling=bench))
    assert [spot.label for spot in bench.last.spots] == ["T12", "L1", "L2"]
    pointer.cancel()
    assert pointer.tool is None
    assert bench.shown[-1] is None
