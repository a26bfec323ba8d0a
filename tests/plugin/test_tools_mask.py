"""The mask brush, the picture of masks, and what nobody but the session may change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from tests.fixtures.fake_mouse import FakeMouse, on_slice, view_of
from tests.fixtures.label_images import write_nifti
from tests.fixtures.stacks import ALL_KINDS, IRREGULAR, volume_on

from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.regions import Mask
from osteotrace.segmentation import marked
from osteotrace_napari.canvas import layers
from osteotrace_napari.canvas.mask_layer import NAME, MaskLayer
from osteotrace_napari.canvas.mask_values import IN_HAND, MaskValues, Shown
from osteotrace_napari.canvas.view import ReadingView
from osteotrace_napari.tools.mask import LEAST_MM, MOST_MM, MaskBrush
from osteotrace_napari.tools.pointer import Pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tests.plugin.conftest import Hand

    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin


# The brush -----------------------------------------------------------------------------


@dataclass
class Canvas:
    """What the brush asks, noted."""

    refused: str = ""
    begun: bool = False
    strokes: list[tuple[list[Point], float, bool]] = field(default_factory=list)
    shown: list[tuple[list[Point], bool]] = field(default_factory=list)
    dropped: int = 0
    seeds: list[Point] = field(default_factory=list)
    finished: int = 0
    marks: list[Mark | None] = field(default_factory=list)

    def why_not(self, view: ReadingView) -> str:
        return self.refused

    def is_begun(self, view: ReadingView) -> bool:
        return self.begun

    def recorded_as(self) -> str:
        return "gas in a region"

    def show_stroke(
        self, view: ReadingView, places: Sequence[Point], radius: float, *, erase: bool
    ) -> None:
        self.shown.append((list(places), erase))

    def drop_stroke(self, view: ReadingView) -> None:
        self.dropped += 1

    def stroke(
        self, view: ReadingView, places: Sequence[Point], radius: float, *, erase: bool
    ) -> None:
        self.strokes.append((list(places), radius, erase))

    def grow(self, view: ReadingView, seed: Point) -> None:
        self.seeds.append(seed)

    def finish(self, view: ReadingView) -> None:
        self.finished += 1

    def preview(self, mark: Mark | None) -> None:
        self.marks.append(mark)


class NoMarks:
    def grips(self, view: ReadingView) -> tuple[()]:
        return ()

    def choose(self, uid: str) -> None: ...
    def drag(self, grip: Any, view: ReadingView, point: Point) -> None: ...
    def drop(self, grip: Any, view: ReadingView, point: Point) -> None: ...
    def let_go(self) -> None: ...


@pytest.fixture
def canvas() -> Canvas:
    return Canvas()


@pytest.fixture
def pointer(ct_view: ReadingView, canvas: Canvas) -> Pointer:
    made = Pointer(NoMarks())
    made.attach(ct_view)
    brush = MaskBrush(
        preview=canvas.preview, painting=canvas, modifiers=lambda: made.modifiers
    )
    made.take_up(brush)
    return made


@pytest.fixture
def brush(pointer: Pointer) -> MaskBrush:
    assert isinstance(pointer.tool, MaskBrush)
    return pointer.tool


def path(view: ReadingView, *places: tuple[float, float]) -> list[Point]:
    return [on_slice(view, x, y) for x, y in places]


def near(points: Sequence[Point]) -> Any:
    return pytest.approx(np.array(points), abs=1e-4)


def test_a_drag_is_one_stroke_through_every_place_the_release_included(
    mouse: FakeMouse, brush: MaskBrush, canvas: Canvas, ct_view: ReadingView
) -> None:
    through = path(ct_view, (-4, 2), (-1, 3), (2, 3), (5, 1))
    mouse.drag(through)
    ((places, radius, erase),) = canvas.strokes
    assert np.array(places) == near(through)
    assert radius == brush.radius
    assert not erase
    # While it goes on, each new piece of it is shown.
    assert [len(piece) for piece, _ in canvas.shown] == [1, 2, 2, 2]


def test_a_fast_flick_is_a_stroke_between_its_ends(
    mouse: FakeMouse, brush: MaskBrush, canvas: Canvas, ct_view: ReadingView
) -> None:
    ends = path(ct_view, (-4, 2), (5, 1))
    mouse.flick(ends[0], ends[1])
    assert np.array(canvas.strokes[0][0]) == near(ends)


def test_a_click_is_a_stroke_of_one_place(
    mouse: FakeMouse, brush: MaskBrush, canvas: Canvas, ct_view: ReadingView
) -> None:
    (place,) = path(ct_view, (-4, 2))
    mouse.click(place)
    assert len(canvas.strokes[0][0]) == 1


@pytest.mark.parametrize("erases", [False, True])
@pytest.mark.parametrize("ctrl", [False, True])
def test_ctrl_does_the_other_of_painting_and_erasing(
    mouse: FakeMouse,
    brush: MaskBrush,
    canvas: Canvas,
    ct_view: ReadingView,
    erases: bool,
    ctrl: bool,
) -> None:
    brush.erases = erases
    mouse.drag(path(ct_view, (-4, 2), (1, 2)), modifiers=("Control",) if ctrl else ())
    assert canvas.strokes[0][2] is (erases != ctrl)


def test_esc_drops_the_stroke_first_and_then_the_brush(
    mouse: FakeMouse, pointer: Pointer, canvas: Canvas, ct_view: ReadingView
) -> None:
    first, second = path(ct_view, (-4, 2), (1, 2))
    mouse.press(first)
    mouse.move(second)
    assert pointer.cancel()
    assert (canvas.dropped, canvas.strokes) == (1, [])
    mouse.release(second)
    assert canvas.strokes == []
    assert pointer.cancel()
    assert pointer.tool is None


def test_the_next_click_is_the_seed_where_one_is_waited_for(
    mouse: FakeMouse, brush: MaskBrush, canvas: Canvas, ct_view: ReadingView
) -> None:
    seed, other = path(ct_view, (-4, 2), (1, 2))
    brush.grows = True
    assert "click into" in brush.prompt
    mouse.click(seed)
    assert np.array(canvas.seeds) == near([seed])
    assert canvas.strokes == []
    mouse.click(other)
    assert len(canvas.strokes) == 1
    brush.grows = True
    assert brush.cancel()
    assert not brush.cancel()


def test_enter_records_a_mask_that_is_begun_and_is_else_left_to_the_finding(
    pointer: Pointer, canvas: Canvas
) -> None:
    assert not pointer.entered()
    canvas.begun = True
    assert pointer.entered()
    assert canvas.finished == 1


def test_what_cannot_be_painted_is_said(
    mouse: FakeMouse, brush: MaskBrush, canvas: Canvas, ct_view: ReadingView
) -> None:
    canvas.refused = "this plane is resampled"
    mouse.drag(path(ct_view, (-4, 2), (1, 2)))
    assert canvas.strokes == []
    assert canvas.shown == []
    assert "this plane is resampled" in brush.prompt


def test_the_prompt_says_what_a_drag_does_and_what_enter_records(
    mouse: FakeMouse, brush: MaskBrush, canvas: Canvas, ct_view: ReadingView
) -> None:
    assert brush.prompt == "Mask, 2.0 mm: drag paints, Ctrl+drag erases."
    brush.erases, canvas.begun = True, True
    assert "drag erases, Ctrl+drag paints" in brush.prompt
    assert brush.prompt.endswith(": gas in a region.")


def test_the_brush_has_sizes_from_the_least_to_the_most(brush: MaskBrush) -> None:
    brush.resize(1)
    assert brush.radius == 2.5
    brush.resize(-40)
    assert brush.radius == LEAST_MM
    brush.resize(80)
    assert brush.radius == MOST_MM


def test_a_stroke_stays_in_the_view_that_it_began_in(
    brush: MaskBrush, canvas: Canvas, ct_view: ReadingView, small_ct_volume: Volume
) -> None:
    other = view_of(small_ct_volume)
    first, second = path(ct_view, (-4, 2), (1, 2))
    brush.pressed(ct_view, first)
    brush.moved(other, second)
    brush.released(other, second, False)
    assert canvas.strokes[0][0] == [first]


# What each voxel shows -----------------------------------------------------------------

GRID = straight_grid((30.0, 30.0, 16.0), (1.0, 0.5, 0.6), centre=(0, 0, 0))


def cube(volume: Volume, first: int, end: int) -> Mask:
    voxels = np.zeros(volume.grid.shape, dtype=bool)
    voxels[4:9, first:end, first:end] = True
    return marked.from_voxels(volume, voxels, role="x")


@pytest.fixture
def picture() -> MaskValues:
    return MaskValues(as_volume(np.zeros(GRID.shape), GRID))


def hand_on(picture: MaskValues, first: int, end: int) -> NDArray[np.bool_]:
    return cube(picture.volume, first, end).on(GRID)


def at(picture: MaskValues, k: int) -> int:
    assert picture.values is not None
    return int(picture.values[5, k, k])


def test_without_a_mask_there_is_no_picture(picture: MaskValues) -> None:
    assert not picture.show([])
    assert picture.values is None


def test_the_mask_in_hand_lies_on_top_and_later_masks_over_earlier_ones(
    picture: MaskValues,
) -> None:
    one, two = cube(picture.volume, 5, 25), cube(picture.volume, 15, 35)
    assert picture.show([Shown(one, 3), Shown(two, 4)], hand_on(picture, 20, 22))
    assert [at(picture, k) for k in (2, 10, 17, 21, 30)] == [0, 3, 4, IN_HAND, 4]


def test_a_mask_that_goes_uncovers_what_lies_below(picture: MaskValues) -> None:
    one, two = cube(picture.volume, 5, 25), cube(picture.volume, 15, 35)
    picture.show([Shown(one, 3), Shown(two, 4)])
    assert picture.show([Shown(one, 3)])
    assert [at(picture, k) for k in (10, 17, 30)] == [3, 3, 0]
    assert picture.show([])
    assert picture.values is not None
    assert not picture.values.any()


def test_a_mask_in_hand_that_was_taken_back_is_gone_from_the_picture(
    picture: MaskValues,
) -> None:
    hand = hand_on(picture, 10, 20)
    picture.show([], hand)
    hand[:, 15:] = False
    assert picture.show([], hand)
    assert [at(picture, k) for k in (12, 17)] == [IN_HAND, 0]
    picture.show([], None)
    assert at(picture, 12) == 0


def test_a_stroke_that_goes_on_is_taken_away_again(picture: MaskValues) -> None:
    one = cube(picture.volume, 5, 25)
    hand = hand_on(picture, 20, 24)
    picture.show([Shown(one, 3)], hand)
    window = (slice(5, 6), slice(8, 23), slice(8, 23))
    whole = np.ones((1, 15, 15), dtype=bool)
    picture.stroke(window, whole, erase=False)
    assert at(picture, 10) == IN_HAND
    picture.touched(window)
    assert [at(picture, k) for k in (10, 21)] == [3, IN_HAND]
    picture.stroke(window, whole, erase=True)
    assert [at(picture, k) for k in (10, 21)] == [3, 0]


def test_a_mask_of_other_voxels_is_not_shown(picture: MaskValues) -> None:
    moved = GRID.cropped((slice(0, 16), slice(0, 60), slice(0, 50)))
    other = straight_grid((30.0, 30.0, 16.0), (1.0, 0.5, 0.6), centre=(0.3, 0, 0))
    mask = cube(as_volume(np.zeros(other.shape), other), 5, 25)
    picture.show([Shown(mask, 3)])
    assert picture.values is not None
    assert not picture.values.any()
    assert moved.shape == GRID.shape


# The layer -----------------------------------------------------------------------------

COLOURS = {IN_HAND: (0.0, 1.0, 1.0, 0.5), 3: (1.0, 0.0, 0.0, 0.5)}


def some_masks(volume: Volume) -> NDArray[np.uint8]:
    values = np.zeros(volume.grid.shape, np.uint8)
    values[5:9, 10:20, 12:22] = 3
    return values


@pytest.fixture
def shown(ct_view: ReadingView) -> tuple[ReadingView, MaskLayer, NDArray[np.uint8]]:
    assert ct_view.volume is not None
    values = some_masks(ct_view.volume)
    layer = MaskLayer(ct_view)
    layer.show(ct_view.volume, values, COLOURS)
    return ct_view, layer, values


def labels_of(view: ReadingView) -> list[Any]:
    return [layer for layer in view.viewer.layers if layer.name == NAME]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_masks_leave_slider_units_and_active_layer_as_they_were(kind: str) -> None:
    volume = volume_on(ALL_KINDS[kind], np.zeros(ALL_KINDS[kind].shape, np.int16))
    view = ReadingView(ViewerModel())
    view.show(volume)
    dims = view.viewer.dims
    before = (dims.nsteps, dims.range, dims.point, dims.axis_labels, view.slice_index)
    layer = MaskLayer(view)
    layer.show(volume, np.ones(volume.grid.shape, np.uint8), COLOURS)
    assert (
        dims.nsteps, dims.range, dims.point, dims.axis_labels, view.slice_index
    ) == before  # fmt: skip
    (labels,) = labels_of(view)
    assert tuple(labels.scale) == tuple(view.image.scale)
    assert tuple(labels.translate) == tuple(view.image.translate)
    assert labels.units == view.image.units
    assert view.viewer.layers.selection.active is view.image


def test_a_layer_of_another_scale_would_move_the_slider(ct_view: ReadingView) -> None:
    # Why every layer is made by `layers.placement`.
    before = ct_view.viewer.dims.nsteps
    scale = [1.5 * mm for mm in layers.display_scale(ct_view.grid)]
    ct_view.viewer.add_labels(some_masks(ct_view.volume), scale=scale)  # type: ignore[arg-type]
    assert ct_view.viewer.dims.nsteps != before


def test_napari_cannot_change_a_mask(
    shown: tuple[ReadingView, MaskLayer, NDArray[np.uint8]],
) -> None:
    _, layer, values = shown
    before, labels = values.copy(), layer.layer
    assert not labels.editable
    attempts: list[Callable[[], object]] = [
        lambda: labels.paint((6, 15, 15), 1),
        lambda: labels.fill((6, 15, 15), 1),
        lambda: labels.data_setitem((np.array([6]), np.array([15]), np.array([15])), 1),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match="read-only"):
            attempt()
    assert np.array_equal(values, before)


def test_what_changes_in_the_array_is_seen_after_a_refresh(
    shown: tuple[ReadingView, MaskLayer, NDArray[np.uint8]],
) -> None:
    view, layer, values = shown
    view.go_to_slice(7)
    values[7, 40:44, 30:33] = IN_HAND
    layer.refresh((slice(7, 8), slice(40, 44), slice(30, 33)))
    seen = np.asarray(layer.layer._slice.image.raw)
    assert np.array_equal(seen, values[7])
    # What lies on other slices is seen when they are shown.
    values[3, 50, 50] = IN_HAND
    layer.refresh((slice(3, 4), slice(50, 51), slice(50, 51)))
    view.go_to_slice(3)
    assert np.array_equal(np.asarray(layer.layer._slice.image.raw), values[3])


def test_every_canvas_shows_one_array(
    ct_view: ReadingView, small_ct_volume: Volume
) -> None:
    other = view_of(small_ct_volume)
    values = some_masks(small_ct_volume)
    made = [MaskLayer(view) for view in (ct_view, other)]
    for layer in made:
        layer.show(small_ct_volume, values, COLOURS)
        assert np.shares_memory(layer.layer.data, values)


def test_masks_go_with_their_volume_and_from_planes_that_are_resampled(
    ct_view: ReadingView, small_mr_volume: Volume
) -> None:
    grid = next(iter(IRREGULAR.values()))
    volume = volume_on(grid, np.zeros(grid.shape, np.int16))
    view = view_of(volume)
    layer = MaskLayer(view)
    layer.show(volume, np.ones(grid.shape, np.uint8), COLOURS)
    own = view.plane_view.plane
    other = next(plane for plane in layers.PLANES if plane != own)
    assert len(labels_of(view)) == 1
    view.set_plane(other)
    assert labels_of(view) == []
    view.set_plane(own)
    assert len(labels_of(view)) == 1
    view.show(small_mr_volume)
    assert labels_of(view) == []
    layer.show(None, None, {})
    layer.close()
    assert view.on_display == []


# In the window -------------------------------------------------------------------------

START, END = (-6.0, 8.5, 0.0), (5.0, 8.8, 0.0)


@pytest.fixture
def painted(
    room: ReadingRoom, load: Callable[[str], None], hand: Hand
) -> tuple[ReadingRoom, Hand]:
    """Give the room with a stroke painted on the CT."""
    load("CT")
    room.view.go_to([START])
    hand.key("Shift+M")
    hand.drag([START, (0.0, 8.6, 0.0), END])
    return room, hand


def in_hand(room: ReadingRoom) -> NDArray[np.bool_]:
    volume = room.view.volume
    assert volume is not None
    found = room.session.masks.on(volume)
    if not found:
        return np.zeros(volume.grid.shape, dtype=bool)
    return room.session.masks.voxels(found[0]).copy()


def seen(room: ReadingRoom) -> NDArray[np.uint8]:
    """Return the numbers of the masks on the slice shown."""
    (layer,) = labels_of(room.view)
    return np.asarray(layer._slice.image.raw)


def test_a_stroke_on_the_canvas_is_in_the_session_and_seen(
    painted: tuple[ReadingRoom, Hand],
) -> None:
    room, _ = painted
    mask, view = in_hand(room), room.view
    for place in (START, END):
        k, row, column = np.round(view.grid.to_index(place)).astype(int)
        assert mask[k, row, column]
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == [view.slice_index]
    assert np.array_equal(seen(room) == IN_HAND, mask[view.slice_index])


def test_a_fast_flick_paints_what_a_slow_drag_paints(
    painted: tuple[ReadingRoom, Hand],
) -> None:
    room, hand = painted
    slow = in_hand(room)
    hand.key("Ctrl+Z")
    assert not in_hand(room).any()
    hand.flick(START, END)
    # The middle of the drag is rounded to a pixel of the canvas.
    assert (in_hand(room) ^ slow).sum() <= 0.03 * slow.sum()


def test_undo_and_redo_are_seen(painted: tuple[ReadingRoom, Hand]) -> None:
    room, hand = painted
    before = in_hand(room)
    hand.key("Ctrl+Z")
    assert not (labels_of(room.view) and seen(room).any())
    hand.key("Ctrl+Shift+Z")
    assert np.array_equal(seen(room) == IN_HAND, before[room.view.slice_index])


def test_esc_puts_the_brush_away_and_keeps_the_mask(
    painted: tuple[ReadingRoom, Hand],
) -> None:
    room, hand = painted
    before = in_hand(room)
    hand.key("Esc")
    assert room.pointer.tool is None
    assert np.array_equal(in_hand(room), before)
    assert (seen(room) == IN_HAND).any()
    hand.key("Shift+M")
    hand.drag([END, (5.0, 8.6, 0.0)])
    assert not (before & ~in_hand(room)).any()


def test_keys_fill_between_slices_and_enter_records_what_is_painted(
    painted: tuple[ReadingRoom, Hand], qtbot: Any
) -> None:
    room, hand = painted
    first = room.view.slice_index
    room.view.go_to_slice(first + 4)
    z = float(room.view.grid.to_patient([first + 4, 0, 0])[2])
    hand.drag([(*START[:2], z), (*END[:2], z)])
    hand.key("Ctrl+I")
    mask = in_hand(room)
    slices = np.flatnonzero(mask.any(axis=(1, 2))).tolist()
    assert slices == list(range(first, first + 5))
    hand.key("Return")
    qtbot.waitUntil(lambda: not room.busy, timeout=60_000)
    (finding,) = room.session.findings
    assert not in_hand(room).any()
    (region,) = finding.regions
    assert isinstance(region, Mask)
    volume = room.view.volume
    assert volume is not None
    assert np.array_equal(region.on(volume.grid), mask)
    (direct,) = room.session.measure("intensity", volume, region=region)
    assert finding.measurements == direct.measurements
    assert not room.session.held[0].accepted
    hand.key("Return")
    assert room.session.held[0].accepted


def test_no_key_of_napari_changes_a_mask_whichever_layer_is_active(
    painted: tuple[ReadingRoom, Hand],
) -> None:
    from tests.plugin.test_keys import NAPARI_KEYS

    room, hand = painted
    before, done = in_hand(room), len(room.session.draft.done)
    (labels,) = labels_of(room.view)
    names = [layer.name for layer in room.view.viewer.layers]
    for active in (labels, room.view.image):
        room.view.viewer.layers.selection.active = active
        for key in NAPARI_KEYS:
            hand.key(key)
    assert np.array_equal(in_hand(room), before)
    assert len(room.session.draft.done) == done
    assert [layer.name for layer in room.view.viewer.layers] == names
    assert labels.mode == "pan_zoom"
    assert np.array_equal(seen(room) == IN_HAND, before[room.view.slice_index])


def test_the_panel_thresholds_and_clears_the_mask_in_hand(
    painted: tuple[ReadingRoom, Hand],
) -> None:
    room, _ = painted
    panel, volume = room.dock.measure.masks, room.view.volume
    assert volume is not None
    before = in_hand(room)
    panel.low.setValue(1150)
    panel.threshold.click()
    assert np.array_equal(in_hand(room), before & (volume.rescaled() >= 1150))
    panel.low.setValue(9000)
    panel.threshold.click()
    assert "no voxel between" in room.dock.message.text()
    panel.clear.click()
    assert not in_hand(room).any()
    assert not panel.record.isEnabled()


def test_the_mask_of_a_finding_is_taken_in_hand_and_given_back(
    painted: tuple[ReadingRoom, Hand], qtbot: Any
) -> None:
    room, hand = painted
    hand.key("Return")
    qtbot.waitUntil(lambda: not room.busy, timeout=60_000)
    (first,) = room.session.findings
    room.dock.measure.masks.take.click()
    assert in_hand(room).any()
    hand.drag([(-6.0, 7.5, 0.0), (-6.0, 9.5, 0.0)])
    hand.key("Return")
    qtbot.waitUntil(lambda: not room.busy, timeout=60_000)
    (second,) = room.session.findings
    assert second.tracking_uid == first.tracking_uid
    assert second.regions != first.regions


def test_labels_of_a_file_are_listed_shown_and_shifted(
    room: ReadingRoom, load: Callable[[str], None], tmp_path: Path, qtbot: Any
) -> None:
    load("CT")
    grid = room.view.grid
    values = np.zeros(grid.shape, np.uint8)
    values[8:14, 20:40, 10:30], values[8:14, 60:80, 40:60] = 1, 7
    names = {1: "vertebrae_L2 body", 7: "mandible"}
    room.label_files.open(write_nifti(tmp_path / "spine.nii.gz", values, grid, names))
    qtbot.waitUntil(lambda: not room.busy, timeout=60_000)
    panel = room.dock.measure.masks.labels
    assert [panel.rows.item(n).text() for n in range(2)] == [
        "L2 body   vertebrae_L2 body", "mandible",
    ]  # fmt: skip
    assert np.array_equal(seen(room) > 0, values[room.view.slice_index] > 0)
    panel.up.click()
    assert panel.rows.item(0).text().startswith("L1 body")
    panel.rows.item(1).setSelected(True)
    panel.record.click()
    qtbot.waitUntil(lambda: not room.busy, timeout=60_000)
    (finding,) = room.session.findings
    assert finding.site == "mandible"
    panel.close_file.click()
    assert panel.rows.count() == 0
    assert room.session.findings == (finding,)


def test_a_label_file_of_other_voxels_is_refused_in_words(
    room: ReadingRoom, load: Callable[[str], None], tmp_path: Path, qtbot: Any
) -> None:
    load("CT")
    other = straight_grid((20.0, 20.0, 20.0), (1.0, 1.0, 1.0), centre=(0, 0, 0))
    values = np.ones(other.shape, np.uint8)
    room.label_files.open(write_nifti(tmp_path / "other.nii", values, other))
    qtbot.waitUntil(lambda: not room.busy, timeout=60_000)
    words = room.dock.message.text()
    assert "expected" in words
    assert "20 × 20 × 20 voxels" in words
    assert room.dock.measure.masks.labels.rows.count() == 0


def test_labels_of_other_voxels_are_moved_where_the_reader_asks(
    room: ReadingRoom,
    load: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
    tmp_path: Path,
) -> None:
    load("CT")
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(
        room.session.imported, "open", lambda *_, **how: asked.append(how)
    )
    monkeypatch.setattr(room.label_files, "_opened", lambda labels: None)
    for moves in (False, True):
        room.dock.measure.masks.labels.move.setChecked(moves)
        room.label_files.open(tmp_path / "seg.dcm")
        qtbot.waitUntil(lambda: not room.busy, timeout=60_000)
    assert asked == [{"resample": False}, {"resample": True}]
