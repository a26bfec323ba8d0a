"""Marks projected onto a slice, and where their values go. No window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.stacks import ALL_KINDS, stack

from osteotrace.findings import Finding
from osteotrace.measurements.palatal_sizes import (
    AP_EDGES,
    OUTLINE,
    PALATAL_LINE,
    TRANSVERSE_EDGES,
)
from osteotrace.regions import Polyline
from osteotrace_napari.canvas import drawing, layers, placing
from osteotrace_napari.canvas.drawing import CROSSES_PLANE, Place
from osteotrace_napari.canvas.marks import (
    Ball,
    Line,
    Mark,
    Spot,
    caliper_lines,
    finding_mark,
)

if TYPE_CHECKING:
    from osteotrace.geometry import Array, Grid
    from osteotrace_napari.canvas.layers import Plane

SIZE = 800.0, 600.0
GRID = stack()


def place(grid: Grid, plane: Plane = "axial", index: int = 16, **more: Any) -> Place:
    middle = grid.to_patient((np.array(grid.shape) - 1) / 2)
    view = layers.plane_view(grid, plane)
    return Place(
        grid=grid,
        view=view,
        index=index,
        centre=tuple(layers.to_display(grid, middle)[list(view.order)]),
        zoom=10.0,
        size=SIZE,
        scale=layers.display_scale(grid),
        **more,
    )


def points(grid: Grid, index: Any) -> tuple[tuple[float, float, float], ...]:
    return tuple(tuple(point) for point in grid.to_patient(index).tolist())


def caliper(grid: Grid, index: Any, text: str = "4 mm") -> Mark:
    return Mark(lines=caliper_lines(points(grid, index)), text=text)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_what_is_marked_on_a_slice_is_painted_on_its_voxels(kind: str) -> None:
    grid = ALL_KINDS[kind]
    shown = place(grid, layers.acquired_plane(grid), 7)
    ends = [[7, 20, 30], [7, 28, 30]]
    (stroke,) = drawing.picture([caliper(grid, ends)], shown).strokes
    assert stroke.points == pytest.approx(shown.from_index(ends), abs=1e-6)
    # Eight rows of 0.5 mm at ten pixels a mm.
    assert np.linalg.norm(stroke.points[1] - stroke.points[0]) == pytest.approx(40.0)


def test_bars_of_a_palatal_gap_stand_at_its_edges_and_not_in_the_stumps() -> None:
    # 12 mm from edge to edge, and the line through the stumps 10 mm beyond either.
    along = {AP_EDGES: 12.0, PALATAL_LINE: 32.0}
    lines: dict[str, tuple[tuple[float, float, float], ...]] = {
        role: ((0.0, -0.5 * mm, 0.0), (0.0, 0.5 * mm, 0.0)) for role, mm in along.items()
    }
    lines[TRANSVERSE_EDGES] = ((-5.0, 0.0, 0.0), (5.0, 0.0, 0.0))
    corners = ((0.0, -6.0, 0.0), (5.0, 0.0, 0.0), (0.0, 6.0, 0.0), (-5.0, 0.0, 0.0))
    lines[OUTLINE] = (*corners, corners[0])
    finding = Finding(
        kind="palatal_bony_defect",
        site="hard_palate",
        tracking_uid="2.25.1",
        label="PAL-1",
        regions=tuple(
            Polyline(
                role=role,
                points=lines[role],
                frame_of_reference_uid="2.25.71",
                source_instances=(),
            )
            for role in (AP_EDGES, TRANSVERSE_EDGES, OUTLINE, PALATAL_LINE)
        ),
    )
    mark = finding_mark(finding)
    assert mark.lines[0].points == lines[AP_EDGES]
    barred = [line.points for line in mark.lines if line.bars]
    assert barred == [lines[AP_EDGES], lines[TRANSVERSE_EDGES]]
    (palatal,) = (line for line in mark.lines if line.points == lines[PALATAL_LINE])
    assert palatal.dashed


def test_a_mark_is_seen_on_the_slices_it_reaches_and_no_others() -> None:
    view = layers.plane_view(GRID, "axial")
    low, high = drawing.mark_span(GRID, view, caliper(GRID, [[2, 5, 5], [4, 9, 9]]))
    assert [k for k in range(9) if place(GRID, index=k).shows(low, high)] == [2, 3, 4]
    flat = drawing.mark_span(GRID, view, caliper(GRID, [[2.2, 5, 5], [2.2, 9, 9]]))
    assert [k for k in range(9) if place(GRID, index=k).shows(*flat)] == [2]
    thick = [k for k in range(9) if place(GRID, index=k, half_slab=2.5).shows(*flat)]
    assert thick == [0, 1, 2, 3, 4]


def test_a_ball_is_the_circle_that_the_slice_cuts_out_of_it() -> None:
    (centre,) = points(GRID, [[16, 38, 45]])
    mark = Mark(balls=(Ball(centre=centre, radius=3.0),))
    radii = {}
    for k in range(33):
        strokes = drawing.picture([mark], place(GRID, index=k)).strokes
        if strokes:
            middle = place(GRID, index=k).to_canvas(centre)
            radii[k] = np.linalg.norm(strokes[0].points - middle, axis=1)
    # 0.9 mm between slices, ten pixels a mm.
    assert list(radii) == [13, 14, 15, 16, 17, 18, 19]
    for k, radius in radii.items():
        expected = 10 * np.sqrt(9 - (0.9 * (k - 16)) ** 2)
        assert radius == pytest.approx(expected, abs=1e-3)
    low, high = drawing.mark_span(GRID, layers.plane_view(GRID, "axial"), mark)
    assert (low, high) == pytest.approx((16 - 3 / 0.9, 16 + 3 / 0.9), abs=1e-3)


def test_end_bars_stand_across_both_ends() -> None:
    line = np.array([[3.0, 4.0], [20.0, 11.0]])
    for bar, end in zip(drawing.end_bars(line, 5.0), line, strict=True):
        across = bar[1] - bar[0]
        assert np.linalg.norm(across) == pytest.approx(5.0)
        assert across @ (line[1] - line[0]) == pytest.approx(0.0, abs=1e-9)
        assert bar.mean(axis=0) == pytest.approx(end)
    assert drawing.end_bars(np.zeros((2, 2)), 5.0) == []


@pytest.mark.parametrize(
    ("plane", "crosses"), [("axial", False), ("sagittal", False), ("coronal", True)]
)
def test_a_line_that_looks_shorter_than_it_is_is_said_to(
    plane: Plane, crosses: bool
) -> None:
    mark = caliper(GRID, [[16, 20, 45], [16, 40, 45]])
    (label,) = drawing.picture([mark], place(GRID, plane)).labels
    assert label.text == "4 mm" + (CROSSES_PLANE if crosses else "")


def test_the_selected_mark_is_on_top_and_stronger() -> None:
    weak = caliper(GRID, [[16, 20, 30], [16, 40, 30]])
    strong = Mark(lines=(Line(points=weak.lines[0].points),), strong=True)
    plain = Mark(lines=strong.lines)
    first, last = drawing.picture([strong, plain], place(GRID)).strokes
    assert last.width > first.width


def test_points_carry_their_labels() -> None:
    (point,) = points(GRID, [[16, 20, 30]])
    shown = place(GRID)
    (dot,) = drawing.picture([Mark(spots=(Spot(point=point, label="2"),))], shown).dots
    assert (dot.x, dot.y) == pytest.approx(tuple(shown.to_canvas(point)))
    assert dot.label == "2"


def test_a_point_that_lies_on_another_slice_is_hollow() -> None:
    spots = [Spot(point=point) for point in points(GRID, [[10, 20, 30], [16, 40, 30]])]
    for index, hollow in ((16, [True, False]), (13, [True, True]), (10, [False, True])):
        dots = drawing.picture([Mark(spots=tuple(spots))], place(GRID, index=index)).dots
        assert [dot.hollow for dot in dots] == hollow


def test_a_mark_of_nothing_is_nothing() -> None:
    drawn = drawing.picture([Mark(text="12 mm")], place(GRID))
    assert (drawn.strokes, drawn.dots, drawn.labels) == ([], [], [])


# Where values go

TEXT = 90.0, 22.0


def free_of(box: placing.Box, corners: Any) -> bool:
    left, top, width, height = box
    return not any(left < x < left + width and top < y < top + height for x, y in corners)


@pytest.mark.parametrize("angle", range(0, 360, 30))
def test_a_value_stands_beside_its_line_and_within_the_canvas(angle: int) -> None:
    step = 60 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    for middle in ([400, 300], [3, 3], [797, 597], [3, 597]):
        ends = [tuple(middle + share * step) for share in (-1, 1)]
        box = placing.beside(ends, size=TEXT, canvas=SIZE, taken=[])
        assert box[0] >= placing.EDGE_PX
        assert box[1] >= placing.EDGE_PX
        assert box[0] + box[2] <= SIZE[0] - placing.EDGE_PX
        assert box[1] + box[3] <= SIZE[1] - placing.EDGE_PX
        along: Array = np.linspace(ends[0], ends[1], 50)
        assert middle != [400, 300] or free_of(box, along)


def test_values_of_marks_at_one_place_stand_clear_of_each_other() -> None:
    taken: list[placing.Box] = []
    corners = [(x, y) for x in (380.0, 420.0) for y in (280.0, 320.0)]
    for ends in ([(360.0, 300.0), (440.0, 300.0)], corners) * 4:
        taken.append(placing.beside(ends, size=TEXT, canvas=SIZE, taken=taken))
    for n, one in enumerate(taken):
        for other in taken[n + 1 :]:
            apart_x = abs(one[0] - other[0]) >= TEXT[0]
            assert apart_x or abs(one[1] - other[1]) >= TEXT[1]


def test_the_value_of_a_box_stands_outside_it() -> None:
    corners = [(x, y) for x in (700.0, 790.0) for y in (280.0, 320.0)]
    box = placing.beside(corners, size=TEXT, canvas=SIZE, taken=[])
    assert box[0] + box[2] <= 700.0


def test_a_long_line_is_broken_between_its_parts() -> None:
    text = "coronal 109 / 216   A 28.1 mm   maximum of 5.2 mm\nW 2000  L 500"
    broken = placing.rows(text, [20.0, 40.0], len)
    assert broken == [
        "coronal 109 / 216",
        "A 28.1 mm   maximum of 5.2 mm",
        "W 2000  L 500",
    ]
    assert placing.rows(text, [99.0], len) == text.split("\n")
