"""Before and after on the canvas: one place on both sides, through a transform in mm."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.fixtures.fake_mouse import FakeMouse
from tests.fixtures.pairs import (
    LANDMARKS,
    alignment,
    earlier_study,
    later_study,
    pose,
)
from tests.fixtures.stacks import stack

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import as_stored
from osteotrace_napari.canvas.arrangement import Arrangement
from osteotrace_napari.canvas.linking import LINKS, Pair
from osteotrace_napari.canvas.marks import Line, Mark, proposed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.alignment import RigidTransform
    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView

pytestmark = pytest.mark.plugin

SETTLE_MS = 50
PLACE: Point = LANDMARKS[1]
# What a place may be off on the other side, pixels of the canvas.
HALF_PIXEL = 0.5


@pytest.fixture(scope="module")
def transform() -> RigidTransform:
    return pose()


@pytest.fixture(scope="module")
def earlier() -> Volume:
    return earlier_study()


@pytest.fixture(scope="module")
def later(transform: RigidTransform) -> Volume:
    return later_study(transform)


@pytest.fixture(scope="module")
def pair(earlier: Volume, later: Volume, transform: RigidTransform) -> Pair:
    return Pair(earlier=earlier, later=later, alignment=alignment(transform))


@pytest.fixture(scope="module")
def window(qapp: Any) -> Iterator[Arrangement]:
    """Give one window for all tests: making one takes longer than all they do."""
    if not os.environ.get("DISPLAY"):
        pytest.fail("no display: run it under xvfb-run, as make test does")
    import napari
    from napari.qt import QtViewer

    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(900, 600)
    made = Arrangement(viewer)
    # napari collects garbage for every layer that goes: not all that was imported.
    gc.freeze()
    yield made
    gc.unfreeze()
    made.clear()
    viewer.close()
    del made
    qapp.processEvents()
    del viewer
    gc.collect()
    assert not QtViewer._instances


@pytest.fixture
def arrangement(window: Arrangement, qtbot: Any) -> Arrangement:
    return window


@pytest.fixture
def both(window: Arrangement, pair: Pair, qtbot: Any) -> Arrangement:
    """Give the two studies side by side, linked; the earlier one is read."""
    comparing = window.comparing
    if window.main.volume is not pair.earlier:
        window.show(pair.earlier)
    comparing.show(pair)
    comparing.set_mode("side by side")
    comparing.set_own_plane(False)
    comparing.link_as_aligned()
    for name in LINKS:
        comparing.set_link(name, True)
    if window.main.plane_view.plane != "axial":
        window.set_plane("axial")
    return window


def sides(arrangement: Arrangement, pair: Pair) -> tuple[ReadingView, ReadingView]:
    """Return the views of the earlier and of the later study."""
    views = {id(view.volume): view for view in arrangement.views}
    return views[id(pair.earlier)], views[id(pair.later)]


def from_middle(view: ReadingView, point: Any) -> Any:
    """Return where a place lies, in pixels from the middle of the canvas."""
    return view.to_canvas(point) - np.array(view.place.size) / 2


def brightest(view: ReadingView, near: Any) -> Any:
    """Return the LPS mm of the brightest voxel shown within some mm of a place."""
    assert view.display is not None
    axis = view.plane_view.order[0]
    key: list[Any] = [slice(None)] * 3
    key[axis] = view.slice_index
    plane = np.asarray(view.display.values[tuple(key)], dtype=np.float64)
    at = np.moveaxis(np.indices(plane.shape), 0, -1).astype(float)
    index = np.insert(at, axis, view.slice_index, axis=-1)
    points = view.grid.to_patient(index)
    far = np.linalg.norm(points - near, axis=-1) > 4.0
    plane[far | np.isnan(plane)] = -np.inf
    return points[np.unravel_index(plane.argmax(), plane.shape)]


def moves_of(view: ReadingView) -> list[int]:
    """Return a list that grows by every slice the view goes to."""
    seen: list[int] = []
    view.on_slice.append(lambda: seen.append(view.slice_index))
    return seen


def divider_of(view: ReadingView) -> Any:
    scene = view.scene()
    assert scene is not None
    assert scene.divider is not None
    return scene.divider


# Side by side


@pytest.mark.parametrize("read", ["earlier", "later"])
def test_a_landmark_lies_at_the_same_place_on_both_sides_whichever_is_read(
    arrangement: Arrangement, pair: Pair, transform: RigidTransform, read: str, qtbot: Any
) -> None:
    arrangement.show(getattr(pair, read))
    arrangement.comparing.show(pair)
    qtbot.wait(SETTLE_MS)
    main, _ = arrangement.views
    assert main.volume is getattr(pair, read)
    before, after = sides(arrangement, pair)
    # The earlier one stands left, whichever canvas it is on.
    left = [
        view.qt_viewer.mapToGlobal(view.qt_viewer.rect().topLeft()).x()
        for view in (before, after)
    ]
    assert left[0] < left[1]
    for plane in ("axial", "sagittal") if read == "earlier" else ("coronal",):
        arrangement.set_plane(plane)
        for place in LANDMARKS:
            arrangement.comparing.go_to(place, pair.earlier)
            there = transform.apply(place)
            assert before.slice_index == after.slice_index
            off = from_middle(after, there) - from_middle(before, place)
            assert np.abs(off).max() < HALF_PIXEL
            # What is drawn there is the landmark: within a voxel of either study.
            assert np.linalg.norm(brightest(after, there) - there) < 0.9
            scene = after.scene()
            assert scene is not None
            assert scene.crosshair == pytest.approx(tuple(after.to_canvas(there)))
    # Pointing on either side points at the place on the other.
    index = after.grid.to_index(transform.apply(PLACE))
    index[after.plane_view.order[0]] = after.slice_index
    seen = after.grid.to_patient(index)
    FakeMouse(after).move(as_stored(seen), held=False, modifiers=("Shift",))
    scene = before.scene()
    assert scene is not None
    assert scene.crosshair == pytest.approx(
        tuple(before.to_canvas(transform.inverse.apply(seen))), abs=HALF_PIXEL
    )
    zooms = [view.viewer.scene.camera.zoom for view in (before, after)]
    assert zooms[0] == pytest.approx(zooms[1])
    assert after.badges == ("resampled: plane of 2023-06-20",)
    assert before.badges == ()


def test_a_change_on_one_side_moves_the_other_once(
    both: Arrangement, pair: Pair, transform: RigidTransform
) -> None:
    before, after = both.views
    for own in (False, True):
        both.comparing.set_own_plane(own)
        both.comparing.go_to(PLACE, pair.earlier)
        for source, target in ((before, after), (after, before)):
            here, there = moves_of(source), moves_of(target)
            source.go_to_slice(source.slice_index + 4)
            assert here == [source.slice_index]
            assert len(there) == 1
            place = both.crosshair.place_in(target)
            assert place is not None
            off = target.grid.to_index(place)[target.plane_view.order[0]]
            assert abs(off - target.slice_index) <= 0.5 + 1e-6
            camera = target.viewer.scene.camera.center
            source.look_at(source.middle + source.grid.row_direction, 9.0)
            assert target.viewer.scene.camera.zoom == pytest.approx(9.0)
            assert target.viewer.scene.camera.center != camera
            seen = transform if source is before else transform.inverse
            assert from_middle(target, seen.apply(source.middle)) == pytest.approx(
                np.zeros(2), abs=HALF_PIXEL
            )


def test_the_later_study_in_its_own_plane_shows_the_slice_nearest_to_the_place(
    both: Arrangement, pair: Pair, transform: RigidTransform
) -> None:
    both.comparing.set_own_plane(True)
    _, after = both.views
    for place in LANDMARKS:
        both.comparing.go_to(place, pair.earlier)
        index = pair.later.grid.to_index(transform.apply(place))
        assert abs(after.slice_index - index[0]) <= 0.5
    assert after.image.data is pair.later.voxels
    normals = transform.direction(pair.earlier.grid.normal), pair.later.grid.normal
    angle = np.degrees(np.arccos(normals[0] @ normals[1]))
    assert after.badges == (f"own plane, {angle:.1f}° from 2023-06-20",)
    both.comparing.set_own_plane(False)
    assert after.badges == ("resampled: plane of 2023-06-20",)


# What goes together


def test_a_side_is_left_to_itself_and_linked_again_at_the_place(
    both: Arrangement, pair: Pair
) -> None:
    before, after = both.views
    both.comparing.go_to(PLACE, pair.earlier)
    at = after.slice_index
    both.comparing.set_link("slices", False)
    before.go_to_slice(3)
    assert after.slice_index == at
    after.go_to_slice(at + 2)
    assert before.slice_index == 3
    assert both.comparing.status.endswith("slices not linked")
    both.comparing.set_link("slices", True)
    assert after.slice_index == before.slice_index == 3
    zoom = after.viewer.scene.camera.zoom
    both.comparing.set_link("zoom", False)
    before.look_at(before.middle, 3 * zoom)
    assert after.viewer.scene.camera.zoom == pytest.approx(zoom)
    both.comparing.set_link("zoom", True)
    assert after.viewer.scene.camera.zoom == pytest.approx(3 * zoom)
    both.comparing.set_link("cursor", False)
    before.go_to_slice(9)
    scene = after.scene()
    assert scene is not None
    assert scene.crosshair is None
    both.comparing.toggle_link()
    assert both.comparing.link is not None
    assert not both.comparing.link.any_on
    assert both.comparing.status.endswith("· not linked")


def test_sides_linked_as_shown_keep_the_shift_between_them(
    both: Arrangement, pair: Pair
) -> None:
    before, after = both.views
    both.comparing.toggle_link()
    before.go_to_slice(10)
    after.go_to_slice(13)
    both.comparing.link_as_shown()
    before.go_to_slice(20)
    assert after.slice_index == 23
    after.go_to_slice(5)
    assert before.slice_index == 2
    scene = before.scene()
    assert scene is not None
    assert "shifted by hand, 2.7 mm" in scene.status.words
    assert scene.status.is_warning
    both.comparing.link_as_aligned()
    assert after.slice_index == before.slice_index


def test_without_a_registration_both_are_seen_and_nothing_goes_together(
    arrangement: Arrangement, pair: Pair
) -> None:
    alone = replace(pair, alignment=None, why_not="two starts ended 12.3 mm apart")
    arrangement.show(pair.earlier)
    arrangement.comparing.show(alone)
    before, after = arrangement.views
    at, zoom = after.slice_index, after.viewer.scene.camera.zoom
    before.go_to_slice(3)
    before.look_at(before.middle, 2 * zoom)
    assert (after.slice_index, after.viewer.scene.camera.zoom) == (at, zoom)
    for view in (before, after):
        scene = view.scene()
        assert scene is not None
        assert scene.status.words == "not aligned: two starts ended 12.3 mm apart"
        assert scene.status.is_warning
    assert after.badges == ("own plane",)
    for mode in ("swipe", "checkerboard", "difference"):
        with pytest.raises(OsteotraceError, match="not aligned"):
            arrangement.comparing.set_mode(mode)
    assert arrangement.comparing.mode == "side by side"
    # By hand they can be linked all the same.
    after.go_to_slice(10)
    arrangement.comparing.link_as_shown()
    before.go_to_slice(7)
    assert after.slice_index == 14
    # The registration comes later: from then on it leads.
    arrangement.comparing.show(pair)
    assert after.slice_index == before.slice_index == 7
    assert after.badges == ("resampled: plane of 2023-06-20",)


# What is said of the registration


def test_the_error_of_the_registration_stands_on_the_canvas_at_the_place(
    arrangement: Arrangement, pair: Pair
) -> None:
    assert pair.alignment is not None
    arrangement.show(pair.later)
    arrangement.comparing.show(pair)
    said = []
    for place in ((0.0, 0.0, 0.0), (10.0, 10.0, 10.0)):
        arrangement.comparing.go_to(place, pair.earlier)
        u = pair.alignment.uncertainty_at(place)
        words = f"registration u {u:.2f} mm, correlation 0.996"
        assert arrangement.comparing.status == words
        scenes = [view.scene() for view in arrangement.views]
        assert [scene.status.words for scene in scenes if scene] == [words] * 2
        said.append(words)
    assert said[0] == "registration u 0.03 mm, correlation 0.996"
    assert said[0] != said[1]
    # A corner of the earlier study that the later one does not show.
    arrangement.comparing.go_to((-17.0, -18.0, -14.0), pair.earlier)
    before, after = sides(arrangement, pair)
    outside = " · this place lies outside these images"
    painted = [scene.status.words for scene in (before.scene(), after.scene()) if scene]
    status = arrangement.comparing.status
    assert painted == [status, status + outside]
    arrangement.comparing.go_to((10.0, 10.0, 10.0), pair.earlier)
    for mode in ("swipe", "checkerboard", "difference"):
        arrangement.comparing.set_mode(mode)
        scene = arrangement.main.scene()
        assert scene is not None
        assert scene.status.words == said[1]
    # Marks and text can be put off; this cannot.
    arrangement.main.show_bare(True)
    scene = arrangement.main.scene()
    assert scene is not None
    assert (scene.status.words, scene.place, scene.letters) == (said[1], "", {})


# Both in one picture


def test_swipe_shows_the_earlier_study_left_of_a_divider_that_is_dragged(
    both: Arrangement, pair: Pair, qtbot: Any
) -> None:
    before, after = both.views
    after.set_window(after.presets[1])
    both.comparing.set_mode("swipe")
    qtbot.wait(SETTLE_MS)
    (main,) = both.views
    k, columns = main.slice_index, main.grid.columns
    assert main.display is not None
    seen, own = main.display.values[k], pair.earlier.voxels[k]
    assert np.array_equal(seen[:, : columns // 2], own[:, : columns // 2])
    assert not np.array_equal(seen[:, columns // 2 :], own[:, columns // 2 :])
    divider = divider_of(main)
    assert (divider.left, divider.right) == ("2023-06-20", "2024-01-15")
    row, camera = main.middle, main.viewer.scene.camera.center
    mouse, step = FakeMouse(main), np.array([6.0, 0.0, 0.0])
    here, there = as_stored(row), as_stored(row + step)
    # Elsewhere the drag is the camera's.
    assert not mouse.press(there).handled
    mouse.release(there)
    assert mouse.press(here).handled
    mouse.move(there)
    mouse.release(there)
    assert divider_of(main).x == pytest.approx(main.to_canvas(there)[0], abs=1.0)
    assert main.viewer.scene.camera.center == camera
    # Each side has the window that it had.
    both.comparing.set_mode("side by side")
    before, after = both.views
    assert (before.window.name, after.window.name) == ("Bone", "Soft tissue")


# Marks, dates, coming and going


def test_marks_stand_on_the_side_of_their_study_and_proposed_ones_are_dashed(
    arrangement: Arrangement, pair: Pair, transform: RigidTransform
) -> None:
    arrangement.show(pair.later)
    arrangement.comparing.show(pair)
    x, y, z = PLACE
    line = Line(points=(PLACE, (x + 3, y, z)))
    there = tuple(transform.stored(point) for point in line.points)
    own = Mark(uid="1", lines=(line,), text="3.0 mm")
    carried = proposed(Mark(uid="2", lines=(Line(points=there),)))
    arrangement.comparing.show_marks(earlier=[own], later=[carried])
    arrangement.comparing.go_to(PLACE, pair.earlier)
    before, after = sides(arrangement, pair)
    assert [mark.uid for mark in before.visible_marks] == ["1"]
    assert [mark.uid for mark in after.visible_marks] == ["2"]
    assert not before.scene_picture().strokes[0].dashed
    assert after.scene_picture().strokes[0].dashed
    # Marks of the reading come and go beside them.
    after.show_marks([Mark(uid="3", lines=carried.lines)])
    assert [mark.uid for mark in after.visible_marks] == ["3", "2"]
    arrangement.comparing.end()
    assert [mark.uid for mark in arrangement.main._marks] == ["3"]


def test_the_comparison_ends_with_the_study_that_is_read_as_it_was(
    arrangement: Arrangement, pair: Pair
) -> None:
    # Two other dates are compared, and the one that is read comes back.
    read = earlier_study(stack(rows=40))
    arrangement.show(read)
    arrangement.comparing.show(pair)
    assert [view.volume for view in arrangement.views] == [pair.earlier, pair.later]
    # The study that is read has its canvas again as soon as it is one of the two.
    day = msgspec.structs.replace(read.identity, date="2025-02-01")
    third = replace(pair.later, identity=day)
    arrangement.comparing.show(Pair(earlier=read, later=third, alignment=pair.alignment))
    assert [view.volume for view in arrangement.views] == [read, third]
    told: list[bool] = []
    arrangement.comparing.on_change.append(
        lambda: told.append(arrangement.comparing.is_on)
    )
    arrangement.comparing.end()
    assert [view.volume for view in arrangement.views] == [read]
    arrangement.comparing.show(pair)
    arrangement.show(pair.later)
    assert told == [False, True, False]
    arrangement.comparing.on_change.pop()
    main = arrangement.main
    main.set_window(main.presets[1])
    main.go_to_slice(9)
    arrangement.comparing.show(pair)
    assert [view.volume for view in arrangement.views] == [pair.later, pair.earlier]
    arrangement.comparing.end()
    assert [view.volume for view in arrangement.views] == [pair.later]
    assert main.volume is pair.later
    assert main.image.data is pair.later.voxels
    assert (main.window.name, main.slice_index) == ("Soft tissue", 9)
    assert main.badges == ()
    scene = main.scene()
    assert scene is not None
    assert (scene.status.words, scene.crosshair) == ("", None)
