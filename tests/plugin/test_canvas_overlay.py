"""What is painted over the canvas, looked at pixel by pixel in the real window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtGui import QColor, QFontMetricsF
from tests.fixtures.stacks import stack, volume_on

from osteotrace_napari.canvas import overlay
from osteotrace_napari.canvas.marks import DRAWN_COLOUR, Line, Mark, caliper_lines
from osteotrace_napari.canvas.view import ReadingView

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.plugin

SETTLE_MS = 100
MARK_COLOUR = "#ff00ff"
ENDS = ((-8.0, 0.0, 0.0), (8.0, 4.0, 0.0))


@pytest.fixture
def view(viewer: Any, qtbot: Any) -> ReadingView:
    """Give a view of a volume whose slices go from black to white."""
    grid = stack()
    made = ReadingView(viewer)
    values = np.empty(grid.shape, np.int16)
    values[:] = np.linspace(-600, 1600, grid.shape[0])[:, None, None]
    made.show(volume_on(grid, values))
    qtbot.wait(SETTLE_MS)
    return made


def picture(view: ReadingView) -> NDArray[np.uint8]:
    """Return the canvas as the window shows it, (height, width, 3)."""
    window = view.viewer.window._qt_window
    canvas = view.qt_viewer.canvas.native
    corner = canvas.mapTo(window, canvas.rect().topLeft())
    image = window.grab().toImage().convertToFormat(window.grab().toImage().Format(4))
    data = np.frombuffer(image.constBits(), np.uint8)
    whole = data.reshape(image.height(), image.bytesPerLine() // 4, 4)
    top, left = corner.y(), corner.x()
    part = whole[top : top + canvas.height(), left : left + canvas.width()]
    return np.ascontiguousarray(part[..., 2::-1])


def is_colour(pixels: NDArray[np.uint8], colour: str, within: int = 40) -> Any:
    """Tell for each pixel whether it has nearly a colour."""
    made = QColor(colour)
    wanted = np.array([made.red(), made.green(), made.blue()])
    return np.abs(pixels.astype(int) - wanted).max(axis=-1) <= within


def test_the_letters_stand_at_their_sides(view: ReadingView) -> None:
    seen = picture(view)
    height, width = seen.shape[:2]
    yellow = is_colour(seen, overlay.LETTER_COLOUR)
    sides = {
        "left": yellow[height // 2 - 20 : height // 2 + 20, :40],
        "right": yellow[height // 2 - 20 : height // 2 + 20, -40:],
        "top": yellow[:40, width // 2 - 20 : width // 2 + 20],
        "bottom": yellow[-40:, width // 2 - 20 : width // 2 + 20],
    }
    for side, part in sides.items():
        assert part.sum() > 15, side
    # And nowhere else.
    assert yellow.sum() == sum(part.sum() for part in sides.values())


@pytest.mark.parametrize("index", [0, 16, 32])
def test_a_line_has_its_colour_with_a_dark_edge_on_any_grey(
    view: ReadingView, qtbot: Any, index: int
) -> None:
    ends = view.grid.to_patient([[index, 38, 20], [index, 38, 70]])
    line = Line(points=tuple(tuple(end) for end in ends.tolist()))
    view.show_marks([Mark(lines=(line,), colour=MARK_COLOUR)])
    view.go_to_slice(index)
    qtbot.wait(SETTLE_MS)
    seen = picture(view)
    (x, y), (u, _) = view.to_canvas(ends)
    column = int((x + u) / 2)
    across = seen[int(y) - 8 : int(y) + 9, column]
    coloured = np.flatnonzero(is_colour(across, MARK_COLOUR, 60))
    assert 1 <= len(coloured) <= 4
    assert abs(coloured.mean() - 8) <= 1.5
    edges = across[[coloured[0] - 1, coloured[-1] + 1]]
    grey = int(seen[int(y) - 30, column].mean())
    assert (edges.max(axis=-1) <= max(grey, 130)).all()
    assert grey < 100 or (edges.min(axis=-1) < grey - 60).all()


def test_a_line_as_drawn_is_dashed(view: ReadingView, qtbot: Any) -> None:
    ends = view.grid.to_patient([[[3, 38, 20], [3, 38, 70]], [[3, 20, 20], [3, 30, 70]]])
    drawn, fitted = (tuple(tuple(end) for end in pair) for pair in ends.tolist())
    view.show_marks([Mark(lines=caliper_lines(drawn, fitted), colour=MARK_COLOUR)])
    view.go_to_slice(3)
    qtbot.wait(SETTLE_MS)
    (x, y), (u, _) = view.to_canvas(drawn)
    row = picture(view)[round(y) - 1 : round(y) + 2, round(x) : round(u)]
    here = is_colour(row, DRAWN_COLOUR, 80).any(axis=0)
    starts = int((np.diff(here.astype(int)) == 1).sum())
    assert starts >= 5
    assert 0.2 < here.mean() < 0.85


def test_a_value_stands_on_a_dark_ground(view: ReadingView, qtbot: Any) -> None:
    view.show_marks(
        [Mark(lines=(Line(points=ENDS),), text="12.07 ± 0.02 mm", colour=MARK_COLOUR)]
    )
    view.go_to_slice(32)
    view.show_preview(None)
    view.go_to([ENDS[0]])
    qtbot.wait(SETTLE_MS)
    assert view.texts == ["12.07 ± 0.02 mm"]
    seen = picture(view)
    ground = is_colour(seen, "#080c12", 60)
    below = is_colour(seen, MARK_COLOUR, 90)
    assert ground.sum() > 1000
    assert below.sum() > 150


def test_prompt_badge_and_crosshair_are_painted(view: ReadingView, qtbot: Any) -> None:
    before = picture(view)
    assert not is_colour(before, overlay.PROMPT_COLOUR, 25).any()
    view.prompt("Click the anterior superior corner.")
    view.show_crosshair((4.0, 2.0, 0.0))
    view.why_no_mm = "no spacing"
    view.refresh()
    qtbot.wait(SETTLE_MS)
    seen = picture(view)
    height, width = seen.shape[:2]
    x, y = view.to_canvas((4.0, 2.0, 0.0))
    green = is_colour(seen, overlay.CROSSHAIR_COLOUR, 60)
    assert green[round(y) - 1 : round(y) + 2].any(axis=0).mean() > 0.5
    assert green[:, round(x) - 1 : round(x) + 2].any(axis=1).mean() > 0.5
    # Free in the middle: what it points at is to be seen.
    assert not green[round(y) - 8 : round(y) + 8, round(x) - 8 : round(x) + 8].any()
    assert is_colour(seen[height * 3 // 4 :], overlay.PROMPT_COLOUR, 25).sum() > 100
    assert is_colour(seen[:60, width // 2 :], overlay.BADGE_COLOUR, 25).sum() > 100


def test_a_long_prompt_takes_two_rows_and_leaves_the_scale_free(
    view: ReadingView, qtbot: Any
) -> None:
    words = "Click the middle of each end plate, from the front to the back, then Enter."
    view.prompt(words)
    qtbot.wait(SETTLE_MS)
    assert view.overlay is not None
    width = view.overlay.width()
    font = overlay._font(overlay.PROMPT_PX, bold=True)
    assert QFontMetricsF(font).horizontalAdvance(words) > width, "too wide a canvas"
    edge = is_colour(picture(view), overlay.PROMPT_COLOUR, 25)
    tall = np.flatnonzero(edge.any(axis=1))
    assert tall[-1] - tall[0] > 2 * overlay.PROMPT_PX
    # The scale and its number stand in the last 46 rows, at the right.
    assert not edge[-46:].any()
    assert edge[-90:].any()


def test_the_scale_is_as_long_as_it_says(view: ReadingView) -> None:
    seen = picture(view)
    zoom = view.viewer.scene.camera.zoom
    length = next(
        mm for mm in overlay.SCALES_MM if mm * zoom <= seen.shape[1] * overlay.SCALE_SHARE
    )
    row = seen[seen.shape[0] - 16]
    light = np.flatnonzero(is_colour(row, overlay.TEXT_COLOUR, 40))
    assert light[-1] - light[0] + 1 == pytest.approx(length * zoom, abs=4)


def test_the_overlay_takes_no_mouse_and_follows_the_canvas(
    view: ReadingView, qtbot: Any
) -> None:
    canvas = view.qt_viewer.canvas.native
    assert view.overlay is not None
    assert canvas.childAt(canvas.rect().center()) is None
    width = canvas.width()
    view.viewer.window._qt_window.resize(1000, 700)
    qtbot.waitUntil(lambda: canvas.width() > width)
    assert view.overlay.size() == canvas.size()


def test_the_image_stays_fitted_while_the_window_is_resized(
    view: ReadingView, qtbot: Any
) -> None:
    canvas = view.qt_viewer.canvas.native
    zoom = view.viewer.scene.camera.zoom
    view.viewer.window._qt_window.resize(1300, 950)
    qtbot.waitUntil(lambda: view.viewer.scene.camera.zoom > zoom)
    corners = view.to_canvas(view.grid.corners())
    assert corners.min() > 0
    assert (corners.max(axis=0) < [canvas.width(), canvas.height()]).all()
    # What the reader zoomed himself stays as it is.
    view.viewer.scene.camera.zoom = 30.0
    view.viewer.window._qt_window.resize(900, 600)
    qtbot.wait(SETTLE_MS)
    assert view.viewer.scene.camera.zoom == 30.0
