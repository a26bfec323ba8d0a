"""Canvases in a window: linked planes, one crosshair, side by side, coming and going."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.stacks import IRREGULAR, stack, volume_on

from osteotrace.errors import OsteotraceError
from osteotrace.volume import planes
from osteotrace_napari.canvas import layers
from osteotrace_napari.canvas.arrangement import Arrangement
from osteotrace_napari.canvas.display import RESAMPLED
from osteotrace_napari.canvas.marks import Line, Mark

if TYPE_CHECKING:
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView

pytestmark = pytest.mark.plugin

SETTLE_MS = 50


def noise(grid: Any, **changes: Any) -> Volume:
    """Return a volume of values that differ from voxel to voxel."""
    rng = np.random.default_rng(11)
    values = rng.integers(-900, 900, grid.shape).astype(np.int16)
    return replace(volume_on(grid, values), **changes)


@pytest.fixture
def volume() -> Volume:
    return noise(stack())


@pytest.fixture
def arrangement(viewer: Any, qtbot: Any) -> Arrangement:
    made = Arrangement(viewer)
    qtbot.wait(SETTLE_MS)
    return made


def qt_viewers() -> int:
    from napari.qt import QtViewer

    gc.collect()
    return len(QtViewer._instances)


def place_of(view: ReadingView) -> float:
    """Return the LPS mm of the slice shown along the axis across its plane."""
    index = (np.array(view.grid.shape) - 1) / 2
    index[view.plane_view.order[0]] = view.slice_index
    return float(view.grid.to_patient(index)[view.plane_view.patient_axis])


def mouse_at(view: ReadingView, point: Any, **more: Any) -> Any:
    """Return a mouse event of napari's at a patient point."""

    class Event:
        type = more.get("kind", "mouse_move")
        position = tuple(layers.to_display(view.grid, point))
        pos = tuple(view.to_canvas(point))
        modifiers = more.get("modifiers", ())
        button = more.get("button", 1)
        is_dragging = False
        handled = False

    return Event()


def test_linked_views_show_the_three_planes_from_one_array(
    arrangement: Arrangement, volume: Volume
) -> None:
    arrangement.show(volume)
    arrangement.show_planes(True)
    shown = [view.plane_view.plane for view in arrangement.views]
    assert sorted(shown) == sorted(layers.PLANES)
    assert shown[0] == "axial"
    for view in arrangement.views:
        assert view.image.data is volume.voxels
        assert tuple(view.image.scale) == layers.display_scale(volume.grid)
    arrangement.set_plane("sagittal")
    shown = [view.plane_view.plane for view in arrangement.views]
    assert shown[0] == "sagittal"
    assert sorted(shown) == sorted(layers.PLANES)


@pytest.mark.parametrize("linked", [False, True])
def test_another_plane_and_back_shows_the_slice_that_was_shown(
    arrangement: Arrangement, volume: Volume, linked: bool
) -> None:
    arrangement.show(volume)
    arrangement.show_planes(linked)
    main = arrangement.main
    main.go_to_slice(5)
    place = arrangement.crosshair.point
    assert place is not None
    for plane in ("sagittal", "coronal", "axial"):
        arrangement.set_plane(plane)
        assert arrangement.crosshair.point == pytest.approx(place)
        main.go_to_slice(main.slice_index + 3 if plane == "coronal" else main.slice_index)
        place = arrangement.crosshair.point
        assert place is not None
        for view in arrangement.views:
            assert place[view.plane_view.patient_axis] == pytest.approx(
                place_of(view), abs=0.5
            )
    assert main.slice_index == 5


def test_scrolling_a_view_moves_the_crosshair_in_the_others_and_no_other_slice(
    arrangement: Arrangement, volume: Volume
) -> None:
    arrangement.show(volume)
    arrangement.show_planes(True)
    main, *others = arrangement.views
    before = [view.slice_index for view in others]
    main.go_to_slice(5)
    assert arrangement.crosshair.point is not None
    assert arrangement.crosshair.point[2] == pytest.approx(place_of(main))
    assert [view.slice_index for view in others] == before
    for view in others:
        scene = view.scene()
        assert scene is not None
        assert scene.crosshair == pytest.approx(
            tuple(view.to_canvas(arrangement.crosshair.point))
        )


def test_shift_and_a_move_bring_the_other_views_to_the_point(
    arrangement: Arrangement, volume: Volume
) -> None:
    arrangement.show(volume)
    arrangement.show_planes(True)
    main, *others = arrangement.views
    point = volume.grid.to_patient([main.slice_index, 20, 30])
    for call in list(main.viewer.mouse_move_callbacks):
        call(main.viewer, mouse_at(main, point, modifiers=("Shift",)))
    assert arrangement.crosshair.point == pytest.approx(tuple(point))
    for view in others:
        step = layers.display_scale(view.grid)[view.plane_view.order[0]]
        axis = view.plane_view.patient_axis
        assert abs(place_of(view) - point[axis]) <= step / 2
    for call in list(main.viewer.mouse_move_callbacks):
        call(main.viewer, mouse_at(main, [0, 0, 0]))
    assert arrangement.crosshair.point == pytest.approx(tuple(point))


def test_a_click_moves_the_crosshair_only_where_that_is_asked_for(
    arrangement: Arrangement, volume: Volume
) -> None:
    from napari.utils.interactions import mouse_press_callbacks

    arrangement.show(volume)
    arrangement.show_planes(True)
    main = arrangement.main
    point = volume.grid.to_patient([main.slice_index, 20, 30])
    before = arrangement.crosshair.point
    mouse_press_callbacks(main.viewer, mouse_at(main, point, kind="mouse_press"))
    assert arrangement.crosshair.point == before
    arrangement.crosshair.active = True
    mouse_press_callbacks(main.viewer, mouse_at(main, point, kind="mouse_press"))
    assert arrangement.crosshair.point == pytest.approx(tuple(point))


def test_a_window_of_one_series_is_the_window_of_all_its_views(
    arrangement: Arrangement, volume: Volume
) -> None:
    arrangement.show(volume)
    arrangement.show_planes(True)
    arrangement.views[2].set_window(arrangement.main.presets[1])
    assert [view.window.name for view in arrangement.views] == ["Soft tissue"] * 3


def test_views_that_come_and_go_leave_nothing_behind(
    arrangement: Arrangement, volume: Volume
) -> None:
    arrangement.show(volume)
    arrangement.show_planes(True)
    count = qt_viewers()
    assert count == 3
    for n in range(6):
        arrangement.show_planes(n % 2 == 1)
        arrangement.main.go_to_slice(n)
    arrangement.show_planes(False)
    assert qt_viewers() == count
    assert len(arrangement.views) == 1
    assert [len(view.viewer.layers) for view, _ in arrangement._made] == [0, 0]
    assert len(arrangement.main.viewer.layers) == 1
    assert arrangement.main.scene().crosshair is None  # type: ignore[union-attr]
    arrangement.show_planes(True)
    assert [len(view.on_slice) for view in arrangement.views] == [1, 1, 1]


def test_another_volume_is_shown_in_every_view(
    arrangement: Arrangement, volume: Volume
) -> None:
    arrangement.show(volume)
    arrangement.show_planes(True)
    other = noise(stack(rows=40), frame_of_reference_uid="2.25.9")
    arrangement.show(other)
    assert all(view.volume is other for view in arrangement.views)
    assert len(arrangement.displays._made) == 1
    arrangement.clear()
    assert arrangement.views == (arrangement.main,)


def test_a_tilted_stack_shows_its_own_plane_and_says_that_the_others_are_resampled(
    arrangement: Arrangement,
) -> None:
    volume = noise(IRREGULAR["tilted by +14° about rows"])
    arrangement.show(volume)
    arrangement.show_planes(True)
    badges = [view.badges for view in arrangement.views]
    assert badges == [("tilted by 14.0°, as acquired",), (RESAMPLED,), (RESAMPLED,)]
    first, second = arrangement.views[1:]
    assert first.image.data is second.image.data
    point = tuple(volume.grid.to_patient([9, 30, 40]))
    arrangement.crosshair.move_to(point)
    for view in arrangement.views:
        across = view.grid.to_index(point)[view.plane_view.order[0]]
        assert abs(across - view.slice_index) <= 0.5


# Side by side


def test_two_series_of_one_frame_stand_side_by_side_at_the_same_place(
    arrangement: Arrangement, volume: Volume
) -> None:
    grid = stack(np.arange(12) * 2.7, rows=50, columns=60, spacing=(0.7, 0.7))
    other = noise(grid)
    arrangement.show(volume)
    arrangement.show_beside(other)
    left, right = arrangement.views
    assert (left.volume, right.volume) == (volume, other)
    for k in (4, 16, 27):
        left.go_to_slice(k)
        assert abs(place_of(right) - place_of(left)) <= 2.7 / 2 + 1e-6
    right.go_to_slice(3)
    assert abs(place_of(right) - place_of(left)) <= 0.9 / 2 + 1e-6
    assert right.slice_index == 3


def test_zoom_and_pan_are_those_of_the_other_side(
    arrangement: Arrangement, volume: Volume
) -> None:
    other = noise(stack(np.arange(12) * 2.7, rows=50, columns=60))
    arrangement.show(volume)
    arrangement.show_beside(other)
    left, right = arrangement.views
    for moved, follower in ((left, right), (right, left)):
        camera = moved.viewer.scene.camera
        camera.zoom = camera.zoom * 1.7
        camera.center = (0.0, camera.center[1] + 2.0, camera.center[2] - 3.0)
        assert follower.viewer.scene.camera.zoom == pytest.approx(camera.zoom)
        assert follower.middle[:2] == pytest.approx(moved.middle[:2], abs=1e-5)


def test_a_mark_is_shown_in_both_at_its_place(
    arrangement: Arrangement, volume: Volume
) -> None:
    other = noise(stack(np.arange(12) * 2.7, rows=50, columns=60))
    arrangement.show(volume)
    arrangement.show_beside(other)
    ends = ((-3.0, 0.0, 0.0), (3.0, 0.0, 0.0))
    for view in arrangement.views:
        view.show_marks([Mark(lines=(Line(points=ends),), text="6.0 mm")])
    arrangement.main.go_to(ends)
    for view in arrangement.views:
        assert view.texts == ["6.0 mm"]
        (stroke,) = view.scene_picture().strokes
        length = np.linalg.norm(stroke.points[1] - stroke.points[0])
        assert length == pytest.approx(6.0 * view.viewer.scene.camera.zoom, rel=1e-5)


def test_another_frame_of_reference_is_refused_with_the_reason(
    arrangement: Arrangement, volume: Volume
) -> None:
    arrangement.show(volume)
    for uid in ("2.25.9", ""):
        with pytest.raises(OsteotraceError, match="another frame of reference"):
            arrangement.show_beside(replace(volume, frame_of_reference_uid=uid))
    assert arrangement.views == (arrangement.main,)


# A plane through landmarks


def test_a_plane_through_landmarks_is_shown_with_its_badge_and_measured_on_the_scan(
    arrangement: Arrangement, volume: Volume
) -> None:
    landmarks = [[-2.0, -12.0, -6.0], [3.0, 10.0, -4.0], [0.5, 2.0, 9.0]]
    arrangement.show(volume)
    arrangement.show_through(planes.along_plane(volume, landmarks))
    view = arrangement.views[1]
    assert view.volume is volume
    assert view.badges == (planes.BADGE,)
    middle = view.slice_count // 2
    assert view.slice_index == middle
    axis = view.plane_view.order[0]
    for landmark in landmarks:
        assert abs(view.grid.to_index(landmark)[axis] - middle) < 1e-3
    assert view.shown is not None
    assert view.shown.voxels.dtype == np.int16
    arrangement.show_through(None)
    assert arrangement.views == (arrangement.main,)


def test_four_views_stand_two_by_two(arrangement: Arrangement, volume: Volume) -> None:
    arrangement.show(volume)
    arrangement.show_planes(True)
    arrangement.show_beside(noise(stack(rows=40)))
    corners = {
        view.overlay.mapToGlobal(view.overlay.rect().center()).toTuple()  # type: ignore[union-attr]
        for view in arrangement.views
    }
    assert len(corners) == 4
    assert all(view.overlay.isVisible() for view in arrangement.views)  # type: ignore[union-attr]


def test_a_window_closes_with_its_views_open(
    arrangement: Arrangement, viewer: Any, volume: Volume
) -> None:
    arrangement.show(volume)
    arrangement.show_planes(True)
    viewer.close()
    assert arrangement._made == []
