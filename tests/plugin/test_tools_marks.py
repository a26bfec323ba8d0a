"""Caliper, gap, regions, palate, angle, landmarks: what each hands over to record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.fake_mouse import FakeMouse, on_slice, view_of

from osteotrace.protocol import TABLES, Where
from osteotrace_napari import keys
from osteotrace_napari.tools.angle import Angle
from osteotrace_napari.tools.caliper import Caliper, soft_tissue_gap
from osteotrace_napari.tools.grips import Grip, grips_of, mark_of, moved
from osteotrace_napari.tools.landmarks import Landmarks
from osteotrace_napari.tools.palatal import PalatalDefect
from osteotrace_napari.tools.pointer import Pointer
from osteotrace_napari.tools.region import region_tools

if TYPE_CHECKING:
    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.tools.region import Region
    from osteotrace_napari.tools.tool import Tool

pytestmark = pytest.mark.plugin

ENTRY: dict[str, Any] = {
    "label": "X-1",
    "modality": "CT",
    "frame_of_reference_uid": "2.25.1",
}


@dataclass
class Bench:
    """What a tool is given to work with, noted."""

    recorded: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    completed: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    shown: list[Mark | None] = field(default_factory=list)
    followed: list[tuple[Point, Point]] = field(default_factory=list)
    planes: list[tuple[Point, ...]] = field(default_factory=list)
    snap: bool = True

    def record(self, tool: str, view: ReadingView, **where: Any) -> None:
        self.recorded.append((tool, where))

    def complete(self, tool: str, view: ReadingView, **where: Any) -> None:
        self.completed.append((tool, where))

    def preview(self, mark: Mark | None) -> None:
        self.shown.append(mark)

    def begin(self, view: ReadingView) -> None: ...

    def follow(self, view: ReadingView, start: Point, end: Point) -> None:
        self.followed.append((start, end))

    def stop(self) -> None:
        self.followed.append(((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))

    def plane(self, view: ReadingView, points: tuple[Point, ...]) -> None:
        self.planes.append(points)

    @property
    def last(self) -> Mark:
        mark = self.shown[-1]
        assert mark is not None
        return mark

    def caliper(self) -> Caliper:
        return Caliper(
            preview=self.preview, record=self.record, live=self, snapped=lambda: self.snap
        )

    def regions(self, pointer: Pointer) -> dict[str, Region]:
        tools = region_tools(
            preview=self.preview,
            record=self.record,
            complete=self.complete,
            modifiers=lambda: pointer.modifiers,
        )
        return {tool.name: tool for tool in tools}


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
def pointer(ct_view: ReadingView) -> Pointer:
    made = Pointer(NoMarks())
    made.attach(ct_view)
    return made


def entry_of(tool: str, **where: Any) -> Any:
    return TABLES[tool](**ENTRY, **where)


def near(point: Point) -> Any:
    return pytest.approx(point, abs=1e-4)


def path(view: ReadingView, *places: tuple[float, float]) -> list[Point]:
    return [on_slice(view, x, y) for x, y in places]


# Caliper


def test_a_flick_a_drag_and_two_clicks_record_the_same_caliper(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(bench.caliper())
    start, end = path(mouse.view, (0.0, -6.6), (0.6, 5.2))
    mouse.flick(start, end)
    steps = [(0.6 * t, -6.6 + 11.8 * t) for t in np.linspace(0, 1, 25)]
    mouse.drag(path(mouse.view, *steps))
    mouse.click(start)
    mouse.move(end, held=False)
    mouse.click(end)
    flicked, dragged, clicked = bench.recorded
    assert flicked == ("caliper", {"start": near(start), "end": near(end), "snap": True})
    assert flicked == dragged == clicked


def test_the_caliper_stays_in_hand_and_measures_as_drawn_where_told(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    tool = bench.caliper()
    pointer.take_up(tool)
    mouse.flick(*path(mouse.view, (0.0, -6.0), (0.0, 6.0)))
    bench.snap = False
    mouse.flick(*path(mouse.view, (2.0, -6.0), (2.0, 6.0)))
    assert [where["snap"] for _, where in bench.recorded] == [True, False]
    assert pointer.tool is tool
    assert "as drawn" in tool.prompt


def test_a_second_click_where_the_first_was_waits_for_another_one(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(bench.caliper())
    start, end = path(mouse.view, (0.0, -6.0), (0.0, 6.0))
    mouse.click(start)
    mouse.click(start)
    assert bench.recorded == []
    mouse.click(end)
    assert len(bench.recorded) == 1


def test_a_caliper_may_begin_on_one_slice_and_end_on_another(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(bench.caliper())
    view = mouse.view
    start = on_slice(view, 0.0, -6.0)
    mouse.click(start)
    view.go_to_slice(view.slice_index + 4)
    end = on_slice(view, 0.0, 6.0)
    mouse.click(end)
    assert bench.recorded == [
        ("caliper", {"start": near(start), "end": near(end), "snap": True})
    ]
    assert end[2] - start[2] == pytest.approx(4 * 0.8)


def test_a_caliper_may_end_in_another_view_of_the_same_space_only(
    mouse: FakeMouse,
    pointer: Pointer,
    bench: Bench,
    small_ct_volume: Volume,
    small_mr_volume: Volume,
) -> None:
    beside, other = view_of(small_ct_volume), view_of(small_mr_volume)
    pointer.attach(beside)
    pointer.attach(other)
    pointer.take_up(bench.caliper())
    beside.set_plane("sagittal")
    mouse.click(on_slice(mouse.view, 0.0, -6.0))
    FakeMouse(beside).click((0.0, 6.0, 2.0))
    assert len(bench.recorded) == 1
    mouse.click(on_slice(mouse.view, 0.0, -6.0))
    FakeMouse(other).click((12.0, -10.0, 10.0))
    FakeMouse(other).click((12.0, -20.0, 10.0))
    assert len(bench.recorded) == 2
    (_, where) = bench.recorded[1]
    assert where["start"][1] == pytest.approx(-10.0, abs=0.01)


def test_the_line_follows_the_mouse_between_the_clicks_and_escape_ends_it(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(bench.caliper())
    start, on, end = path(mouse.view, (0.0, -6.0), (0.0, 1.0), (0.0, 6.0))
    mouse.move(on, held=False)
    assert bench.followed == []
    mouse.click(start)
    mouse.move(on, held=False)
    assert bench.followed == [(near(start), near(on))]
    assert pointer.cancel()
    assert pointer.tool is not None
    assert bench.shown[-1] is None
    mouse.click(end)
    assert bench.recorded == []


def test_a_soft_tissue_gap_is_a_line_of_its_own(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(soft_tissue_gap(preview=bench.preview, record=bench.record))
    start, end = path(mouse.view, (0.0, -6.0), (0.0, 6.0))
    mouse.press(start)
    mouse.move(end)
    assert bench.last.lines[0].points == (near(start), near(end))
    mouse.release(end)
    assert bench.recorded == [
        ("soft_tissue_gap", {"start": near(start), "end": near(end)})
    ]


# Regions


def test_a_region_is_a_ball_with_the_radius_that_was_shown(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(bench.regions(pointer)["sequestra"])
    centre, edge = path(mouse.view, (1.0, 2.0), (6.04, 2.0))
    mouse.press(centre)
    mouse.move(edge)
    (ball,) = bench.last.balls
    assert (ball.centre, ball.radius) == (near(centre), 5.0)
    assert bench.last.text == "r 5.0 mm"
    mouse.release(edge)
    (tool_name, where) = bench.recorded[0]
    assert tool_name == "sequestra"
    assert where == {"region": Where(centre=ball.centre, radius=5.0)}


def test_a_region_can_be_clicked_and_clicked(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(bench.regions(pointer)["moth_eaten"])
    centre, edge = path(mouse.view, (0.0, 0.0), (0.0, 7.0))
    mouse.click(centre)
    mouse.move(edge, held=False)
    mouse.click(edge)
    assert bench.recorded[0][1]["region"].radius == 7.0


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("moth_eaten", "reference", "Shift and drag on the sound side for a reference"),
        ("gas", "airway", "Shift and drag in the airway"),
    ],
)
def test_a_ball_drawn_with_shift_belongs_to_the_finding_made_last(
    mouse: FakeMouse, pointer: Pointer, bench: Bench, name: str, key: str, words: str
) -> None:
    tool = bench.regions(pointer)[name]
    pointer.take_up(tool)
    first = tool.prompt
    mouse.drag(path(mouse.view, (0.0, 0.0), (5.0, 0.0)))
    assert words in tool.prompt
    centre, edge = path(mouse.view, (-8.0, 0.0), (-4.0, 0.0))
    mouse.press(centre, modifiers=("Shift",))
    assert tool.prompt.lower().startswith(key)
    # The key may come up before the button does.
    mouse.move(edge)
    mouse.release(edge)
    assert [told for told, _ in bench.recorded] == [name]
    ((told, where),) = bench.completed
    assert (told, list(where)) == (name, [key])
    assert where[key].centre == near(centre)
    assert where[key].radius == pytest.approx(4.0, abs=0.1)
    pointer.accepted()
    assert tool.prompt == first


def test_shift_means_nothing_where_there_is_no_second_ball(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    tool = bench.regions(pointer)["intensity"]
    pointer.take_up(tool)
    assert "Shift" not in tool.prompt
    mouse.drag(path(mouse.view, (0.0, 0.0), (5.0, 0.0)), modifiers=("Shift",))
    assert [told for told, _ in bench.recorded] == ["intensity"]
    assert bench.completed == []


def test_every_region_tool_names_an_entry_and_keys_of_it(
    pointer: Pointer, bench: Bench
) -> None:
    for tool in bench.regions(pointer).values():
        assert keys.command_of(tool.name).name == tool.name
        named = {tool.marked.key, tool.marked.second} - {""}
        assert named <= set(TABLES[tool.name].__struct_fields__)


# Palate


def test_one_click_into_a_palatal_defect_is_a_seed(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(PalatalDefect(preview=bench.preview, record=bench.record))
    seed = on_slice(mouse.view, 0.3, -0.2)
    mouse.click(seed)
    assert bench.recorded == [("palatal_defect", {"seed": near(seed)})]
    # The seed stays to be seen while it is measured.
    assert bench.last.spots[0].point == near(seed)
    start, end = path(mouse.view, (0.0, -6.0), (0.0, 6.0))
    mouse.flick(start, end)
    assert bench.recorded[1] == (
        "palatal_defect",
        {"start": near(start), "end": near(end)},
    )


# Angle and landmarks


def angle(bench: Bench) -> Angle:
    return Angle(
        preview=bench.preview, record=bench.record, value=lambda view, **where: "90°"
    )


def test_three_clicks_make_an_angle_at_the_second(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    tool = angle(bench)
    pointer.take_up(tool)
    start, vertex, end = path(mouse.view, (0.0, -8.0), (0.0, 0.0), (8.0, 0.0))
    prompts = [tool.prompt]
    for point in (start, vertex):
        mouse.click(point)
        prompts.append(tool.prompt)
    assert prompts == [
        "Angle: end of the first arm, 1 of 3",
        "Angle: vertex, 2 of 3",
        "Angle: end of the second arm, 3 of 3",
    ]
    mouse.move(end, held=False)
    assert bench.last.text == "90°"
    assert bench.last.lines[0].points == (near(start), near(vertex), near(end))
    mouse.click(end)
    assert bench.recorded == [
        (
            "angle",
            {
                "quantity": "angle",
                "start": near(start),
                "vertex": near(vertex),
                "end": near(end),
            },
        )
    ]


def test_four_clicks_make_an_angle_between_two_lines(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    tool = angle(bench)
    pointer.take_up(tool)
    tool.use("local_kyphosis")
    places = path(mouse.view, (-8.0, -5.0), (8.0, -5.0), (-8.0, 5.0), (8.0, 6.0))
    assert tool.prompt == "Local kyphosis: first line, start, 1 of 4"
    for point in places:
        mouse.click(point)
    (name, where) = bench.recorded[0]
    assert not list(entry_of(name, **where).wrong())
    assert where["second_start"] == near(places[2])


def test_points_are_taken_back_one_by_one(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    tool = angle(bench)
    pointer.take_up(tool)
    for point in path(mouse.view, (0.0, -8.0), (0.0, 0.0)):
        mouse.click(point)
    assert [pointer.take_back() for _ in range(3)] == [True, True, False]
    assert tool.points == []


def test_three_landmarks_are_handed_over(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    pointer.take_up(Landmarks(preview=bench.preview, plane=bench.plane))
    places = path(mouse.view, (0.0, -8.0), (0.0, 8.0))
    for point in places:
        mouse.click(point)
    mouse.view.go_to_slice(mouse.view.slice_index + 5)
    third = on_slice(mouse.view, 0.5, 0.0)
    mouse.drag([on_slice(mouse.view, 3.0, 3.0), third])
    assert bench.planes == [(near(places[0]), near(places[1]), near(third))]
    assert bench.recorded == []


# What is recorded can be measured, and moved


def test_what_the_tools_record_makes_entries_of_a_protocol(
    mouse: FakeMouse, pointer: Pointer, bench: Bench
) -> None:
    tools: list[Tool] = [
        bench.caliper(),
        soft_tissue_gap(preview=bench.preview, record=bench.record),
        PalatalDefect(preview=bench.preview, record=bench.record),
        *bench.regions(pointer).values(),
    ]
    for tool in tools:
        pointer.take_up(tool)
        mouse.flick(*path(mouse.view, (0.0, -6.0), (0.0, 6.0)))
    assert len(bench.recorded) == len(tools)
    more = {"caliper": {"quantity": "distance", "kind": "lesion", "site": "jaw"}}
    for name, where in bench.recorded:
        entry = entry_of(name, **more.get(name, {}), **where)
        assert not list(entry.wrong())


def test_each_point_of_an_entry_is_a_grip_that_moves_it_alone() -> None:
    entry = entry_of("palatal_defect", start=(0.0, 0.0, 0.0), end=(0.0, 9.0, 0.0))
    start, end = grips_of(entry)
    assert (start.key, end.key) == ("start", "end")
    assert moved(entry, end, (0.0, 8.0, 0.0)) == {"end": (0.0, 8.0, 0.0)}


def test_a_ball_is_moved_by_its_centre_and_sized_by_its_edge() -> None:
    where = Where(centre=(0.0, 0.0, 0.0), radius=5.0)
    entry = entry_of("gas", region=where)
    centre, edge = grips_of(entry)
    assert moved(entry, centre, (1.0, 0.0, 0.0)) == {
        "region": Where(centre=(1.0, 0.0, 0.0), radius=5.0)
    }
    assert moved(entry, edge, (0.0, 7.02, 0.0)) == {
        "region": Where(centre=(0.0, 0.0, 0.0), radius=7.0)
    }


def test_one_of_six_points_is_moved_by_its_own_name() -> None:
    six = {"superior_anterior": (0.0, 0.0, 20.0), "inferior_anterior": (0.0, 0.0, 0.0)}
    entry = entry_of("vertebra", level="L1", points=six)
    first, _ = grips_of(entry)
    assert first.part == "superior_anterior"
    assert moved(entry, first, (0.0, 0.0, 21.0)) == {
        "points": {**six, "superior_anterior": (0.0, 0.0, 21.0)}
    }


def test_a_mark_with_a_point_elsewhere_is_shown_as_it_would_be() -> None:
    gap = entry_of("palatal_defect", start=(0.0, 0.0, 0.0), end=(0.0, 9.0, 0.0))
    shown = mark_of(gap, {"end": (0.0, 8.0, 0.0)})
    assert [line.points for line in shown.lines] == [((0.0, 0.0, 0.0), (0.0, 8.0, 0.0))]
    seed = mark_of(entry_of("palatal_defect", seed=(1.0, 2.0, 3.0)))
    assert [spot.point for spot in seed.spots] == [(1.0, 2.0, 3.0)]
    ball = mark_of(entry_of("gas", region=Where(centre=(0.0, 0.0, 0.0), radius=5.0)))
    assert [each.radius for each in ball.balls] == [5.0]
    six = {"superior_anterior": (0.0, 0.0, 20.0), "inferior_anterior": (0.0, 0.0, 0.0)}
    body = mark_of(entry_of("vertebra", level="L1", points=six))
    assert [line.points for line in body.lines] == [tuple(six.values())]
    assert len(body.spots) == 2
