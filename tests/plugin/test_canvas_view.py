"""A reading view on a viewer model: planes, places, slabs and windows. No window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from napari.components import ViewerModel
from tests.fixtures.stacks import ALL_KINDS, IRREGULAR, RECTILINEAR, stack, volume_on

from osteotrace.errors import OsteotraceError
from osteotrace_napari.canvas import layers
from osteotrace_napari.canvas.display import NOT_TO_SCALE, RESAMPLED
from osteotrace_napari.canvas.marks import Line, Mark
from osteotrace_napari.canvas.view import ReadingView
from osteotrace_napari.canvas.windows import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from osteotrace.geometry import Grid
    from osteotrace.volume import Volume


def heights(grid: Grid) -> Volume:
    """Return a volume whose value at each voxel is ten times its LPS z, mm."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    return volume_on(grid, np.round(10 * grid.to_patient(index)[..., 2]).astype(np.int16))


def shown_values(view: ReadingView) -> NDArray[Any]:
    return np.asarray(view.image._slice.image.view)


def view_of(volume: Volume) -> ReadingView:
    view = ReadingView(ViewerModel())
    view.show(volume)
    return view


def event_at(view: ReadingView, point: Any) -> Any:
    class Event:
        position = tuple(layers.to_display(view.grid, point))

    return Event()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_point_of_the_canvas_is_a_place_in_the_patient_in_every_plane(
    kind: str,
) -> None:
    view = view_of(heights(ALL_KINDS[kind]))
    for plane in layers.PLANES:
        view.set_plane(plane)
        index = np.array(view.grid.shape) // 2 + [0.0, 3.25, -2.5]
        index[view.plane_view.order[0]] = view.slice_index
        point = view.grid.to_patient(index)
        assert view.point(event_at(view, point)) == pytest.approx(point, abs=1e-9)
        # The grey value under it is the one of that place: nothing is shifted.
        near = view.grid.to_patient(np.round(index))
        value = view.image.data[tuple(np.round(index).astype(int))]
        assert abs(value - 10 * near[2]) <= 3


@pytest.mark.parametrize("kind", IRREGULAR)
def test_an_irregular_stack_is_shown_as_acquired_in_its_own_plane(kind: str) -> None:
    volume = heights(IRREGULAR[kind])
    view = view_of(volume)
    assert view.image.data is volume.voxels
    words = {
        "tilted by +14° about rows": ("tilted by 14.0°, as acquired",),
        "tilted by -14° about rows": ("tilted by -14.0°, as acquired",),
        "tilted by 14° about columns": ("tilted, as acquired",),
        "uneven": (),
    }
    assert view.badges == words.get(kind, view.badges)
    assert bool(view.badges) == ("tilted" in kind)
    for k in (0, 7, volume.grid.shape[0] - 1):
        view.go_to_slice(k)
        assert np.array_equal(np.sort(shown_values(view).ravel()),
                              np.sort(volume.voxels[k].ravel()))  # fmt: skip


@pytest.mark.parametrize("kind", IRREGULAR)
def test_its_other_planes_are_resampled_and_say_so(kind: str) -> None:
    volume = heights(IRREGULAR[kind])
    view = view_of(volume)
    own = view.plane_view.plane
    for plane in layers.PLANES:
        view.set_plane(plane)
        assert (RESAMPLED in view.badges) == (plane != own)
        assert view.volume is volume
        assert (view.shown is volume) == (plane == own)
        assert view.image.data.dtype == np.int16
    view.set_plane(own)
    assert view.image.data is volume.voxels
    assert len(view.viewer.layers) == 1


@pytest.mark.parametrize("kind", RECTILINEAR)
def test_a_straight_stack_is_never_resampled(kind: str) -> None:
    volume = heights(RECTILINEAR[kind])
    view = view_of(volume)
    for plane in layers.PLANES:
        view.set_plane(plane)
        assert view.image.data is volume.voxels
        assert view.badges == ()


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_napari_is_given_no_shear_and_every_layer_one_frame(kind: str) -> None:
    view = view_of(heights(ALL_KINDS[kind]))
    for plane in layers.PLANES:
        view.set_plane(plane)
        for layer in view.viewer.layers:
            matrix = layer.affine.affine_matrix
            assert np.array_equal(matrix, np.diag(np.diag(matrix)))
            assert tuple(layer.scale) == layers.display_scale(view.grid)
            assert [str(unit) for unit in layer.units] == ["millimeter"] * 3


@pytest.mark.parametrize(("gap", "count"), [(0.35, 400), (0.1, 333), (1 / 3, 128)])
def test_every_slice_can_be_reached_whatever_the_spacing(gap: float, count: int) -> None:
    grid = stack(gap * np.arange(count), rows=8, columns=8)
    view = view_of(heights(grid))
    for k in (0, 1, count - 2, count - 1):
        view.go_to_slice(k)
        assert view.slice_index == k
        assert np.array_equal(shown_values(view), view.image.data[k])
    view.go_to_slice(10 * count)
    assert view.slice_index == count - 1


def test_a_slab_shows_the_mean_or_the_maximum_of_the_slices_within_it() -> None:
    grid = stack(1.0 * np.arange(21), rows=8, columns=8)
    values = np.random.default_rng(3).integers(-900, 900, grid.shape).astype(np.int16)
    view = view_of(volume_on(grid, values))
    view.go_to_slice(10)
    single = shown_values(view)
    assert np.array_equal(single, values[10])
    view.set_slab(5.0, "max")
    assert np.array_equal(shown_values(view), values[8:13].max(axis=0))
    assert view.place_text.splitlines()[1].endswith("maximum of 5.0 mm")
    view.set_slab(5.0, "mean")
    assert shown_values(view) == pytest.approx(values[8:13].mean(axis=0), abs=1)
    view.go_to_slice(0)
    assert shown_values(view) == pytest.approx(values[:3].mean(axis=0), abs=1)
    view.set_slab(1.4)
    assert view.slab_slices == 1
    view.set_slab(0.0)
    view.go_to_slice(10)
    assert np.array_equal(shown_values(view), single)
    assert "mean" not in view.place_text


def test_marks_within_the_slab_are_shown() -> None:
    grid = stack(1.0 * np.arange(21), rows=8, columns=8)
    view = view_of(heights(grid))
    line = tuple(tuple(p) for p in grid.to_patient([[12, 2, 2], [12, 5, 5]]).tolist())
    view.show_marks([Mark(lines=(Line(points=line),), text="4 mm")])
    view.go_to_slice(10)
    assert view.texts == []
    view.set_slab(5.0)
    assert view.texts == ["4 mm"]
    view.go_to_slice(9)
    assert view.texts == []


def test_a_mark_is_shown_where_it_lies_on_whatever_is_displayed() -> None:
    grid = IRREGULAR["oblique, tilted and uneven"]
    view = view_of(heights(grid))
    centre = grid.to_patient((np.array(grid.shape) - 1) / 2)
    ends = tuple(tuple(p) for p in np.add(centre, [[-3, 0, 0], [3, 0, 0]]).tolist())
    view.show_marks([Mark(lines=(Line(points=ends),), text="6 mm")])
    for plane in layers.PLANES:
        view.set_plane(plane)
        view.go_to(ends)
        (label,) = view.scene_picture().labels
        assert label.text.startswith("6 mm")
        middle = np.mean(label.corners, axis=0)
        assert middle == pytest.approx(view.to_canvas(centre), abs=1e-6)


def test_one_slice_is_shown_and_its_other_planes_are_refused() -> None:
    grid = stack([0.0], rows=8, columns=8)
    view = view_of(heights(grid))
    assert view.slice_count == 1
    with pytest.raises(OsteotraceError, match="single slice"):
        view.set_plane("coronal")
    assert view.plane_view.plane == "axial"
    assert len(view.viewer.layers) == 1


def test_what_cannot_be_measured_says_why_in_place_of_mm() -> None:
    view = ReadingView(ViewerModel())
    view.show(heights(stack()), why_no_mm="no pixel spacing")
    assert view.letters == {}
    assert view.badges == (NOT_TO_SCALE,)
    assert "no pixel spacing" in view.place_text
    assert "mm" not in view.place_text.replace("no pixel spacing", "")
    scene = view.scene()
    assert scene is not None
    assert scene.zoom == 0
    view.show(heights(stack()))
    assert "mm" in view.place_text
    assert view.why_no_mm == ""


def test_a_rescale_is_done_once_for_every_view() -> None:
    volume = replace(heights(stack()), intercept=np.full(33, -1024.0))
    first = view_of(volume)
    second = ReadingView(ViewerModel(), displays=first.displays)
    second.show(volume)
    assert second.image.data is first.image.data
    assert first.image.data.dtype == np.int16


def test_the_place_names_plane_slice_and_place_in_the_patient() -> None:
    grid = stack()
    view = view_of(heights(grid))
    view.go_to_slice(20)
    who, where, window, _ = view.place_text.splitlines()
    assert where == "axial 21 / 33   S 3.6 mm"
    assert window == "W 2000  L 500   Bone"
    view.says_who = False
    assert view.place_text.splitlines() == [where, window]
    assert who


def test_a_view_that_is_put_away_keeps_nothing() -> None:
    view = view_of(heights(stack()))
    called: list[str] = []
    view.on_display.append(lambda: called.append("display"))
    view.put_away()
    assert len(view.viewer.layers) == 0
    assert (view.volume, view.display, view.image) == (None, None, None)
    assert (view.texts, view.place_text, view.scene()) == ([], "", None)
    assert called


# The mouse


class Turn:
    """A turn of the wheel, or a drag of the right button, as napari gives them."""

    button, modifiers, handled = 2, (), False

    def __init__(self, *, delta: float = 0.0) -> None:
        self.delta = (0.0, delta)
        self.pos, self.type = (0, 0), "mouse_press"


def scroll(view: ReadingView, *deltas: float) -> list[int]:
    """Turn the wheel and return the slices shown."""
    (turn,) = view.viewer.mouse_wheel_callbacks
    shown = []
    for delta in deltas:
        turn(view.viewer, Turn(delta=delta))
        shown.append(view.slice_index)
    return shown


def test_each_step_of_a_wheel_is_a_slice() -> None:
    view = view_of(heights(stack()))
    view.go_to_slice(16)
    assert scroll(view, -1.0, -1.0, 3.0) == [17, 18, 15]


def test_a_touchpad_scrolls_by_the_parts_it_turns() -> None:
    view = view_of(heights(stack()))
    view.go_to_slice(16)
    assert scroll(view, *[-0.25] * 9) == [16, 16, 16, 17, 17, 17, 17, 18, 18]
    # Back begins anew: what was left of the other way is not waited for.
    assert scroll(view, 0.5, 0.5) == [18, 17]


def drag_window(view: ReadingView, across: int, down: int = 0) -> None:
    """Drag the right button by some pixels."""
    event = Turn()
    drag = view.viewer.mouse_drag_callbacks[-1]
    step = drag(view.viewer, event)
    next(step)
    event.type, event.pos = "mouse_move", (across, down)
    next(step)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6])
def test_a_signal_of_any_scale_can_be_windowed(scale: float) -> None:
    values = np.random.default_rng(4).random(stack().shape) * scale
    volume = volume_on(stack(), values.astype(np.float32))
    identity = msgspec.structs.replace(volume.identity, modality="MR")
    view = view_of(replace(volume, identity=identity))
    first = view.window
    assert first.name == "MR T1"
    assert first.width == pytest.approx(0.985 * scale, rel=0.01)
    drag_window(view, -200)
    assert view.window.width == pytest.approx(first.width / 2, rel=1e-4)
    drag_window(view, 0, 100)
    assert view.window.level == pytest.approx(first.level + first.width / 8, rel=1e-4)
    assert view.window.name == ""
    drag_window(view, -1000)
    assert 0 < view.window.width < first.width / 500


def test_a_window_is_never_narrower_than_a_grey_value_where_there_are_many() -> None:
    view = view_of(heights(stack()))
    drag_window(view, -1000)
    assert view.window.width == 1.0


@pytest.mark.parametrize(
    ("width", "level", "text"),
    [
        (2000, 500, "W 2000  L 500"),
        (1.0, 40.25, "W 1.0  L 40.2"),
        (0.985, 0.5, "W 0.98  L 0.50"),
    ],
)
def test_a_window_is_said_in_two_digits_at_least(
    width: float, level: float, text: str
) -> None:
    assert Window("", width, level).as_text == text
