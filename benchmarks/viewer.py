"""How fast the reading room is, in one process beside bare napari with the same array.

Both windows show the same 512 × 512 × 400 voxels on an area of one size, with the same
window and interpolation. They change a slice in turn, so that a busy machine slows them
alike; a change ends when every canvas concerned has been painted. "×" is the median over
the rounds of our time over bare napari's in the same round. The value of a caliper is
timed from a move of the mouse to the value that the canvas is given, and the opening of a
study from the call to its first picture. The study lies in a temporary folder.

    xvfb-run -a -s "-screen 0 3840x1080x24" python benchmarks/viewer.py
    … benchmarks/viewer.py --only slices --only caliper --rounds 20
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from contenders.made_series import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

SLICES, STUDY_SLICES, ROWS = 400, 300, 512
# What `Template` writes: mm between slices, rows and columns; HU of a stored zero.
SPACING: Final = (1.0, 0.48828125, 0.46)
INTERCEPT: Final = -1024
GAP_MM: Final = 12.07
# Clicks fall beside the edges by this much.
BESIDE_MM: Final = 1.0
FINDINGS: Final = 50
# Every so many is a ball of this radius: a mask.
EVERY_MASK: Final = 5
BALL_MM: Final = 9.0
# Pixels of the area that shows the images.
AREA: Final = (1000, 800)
PATIENCE_S: Final = 120.0
WARM_UP: Final = 5
FIRST_SLICE: Final = 100
# Qt drops mouse moves that follow each other faster.
PAUSE_S: Final = 0.03
# A mouse that stops and goes on, by more than a pixel.
BETWEEN_MOVES_S: Final = 0.1
STEP_MM: Final = 0.4
# The milliseconds of a frame at 60 Hz.
FRAME_MS: Final = 16.0


# The study ---------------------------------------------------------------------------


def tile() -> Array:
    """Return two walls with a gap between them in some tissue, HU."""
    from osteotrace.phantoms.walls import Walls, photograph

    walls = photograph(Walls(gap_mm=GAP_MM, spacing=SPACING))
    return np.asarray(walls.voxels, dtype=np.float64)


def write_study(folder: Path, slices: int) -> None:
    """Write a CT series full of gaps between walls."""
    folder.mkdir(parents=True)
    template, values = Template(ROWS, 12), tile()
    deep, high, wide = values.shape
    across = np.tile(values - INTERCEPT, (1, -(-ROWS // high), -(-ROWS // wide)))
    pixels = np.clip(across[:, :ROWS, :ROWS], 0, 4095).astype("<i2")
    for n in range(slices):
        file = template.file(1, n, pixels[n % deep].tobytes())
        (folder / f"IM{n:05d}").write_bytes(file)


def gap(volume: Volume, n: int, index: int | None = None) -> tuple[Array, Array]:
    """Return two clicks, LPS mm, beside the edges of one of the gaps."""
    deep, high, wide = tile_shape()
    down, right = ROWS // high, ROWS // wide
    row = high * (n // right % down) + (high - 1) / 2
    column = wide * (n % right) + (wide - 1) / 2
    if index is None:
        index = deep // 2 + deep * (n % (volume.grid.shape[0] // deep))
    half = (GAP_MM / 2 + BESIDE_MM) / SPACING[1]
    ends = volume.grid.to_patient(
        np.array([[index, row - half, column], [index, row + half, column]])
    )
    return ends[0], ends[1]


def tile_shape() -> tuple[int, int, int]:
    """Return the slices, rows and columns of a tile."""
    from osteotrace.phantoms.walls import Walls, straight_grid

    return straight_grid(Walls(gap_mm=GAP_MM, spacing=SPACING)).shape


# The windows -------------------------------------------------------------------------


class Painted:
    """Canvases that tell when they have been painted."""

    def __init__(self, qt_viewers: Sequence[Any]) -> None:
        self._natives = [each.canvas.native for each in qt_viewers]
        self._counts = [0] * len(qt_viewers)
        for n, each in enumerate(qt_viewers):
            each.canvas._scene_canvas.events.draw.connect(self._counting(n))

    def _counting(self, n: int) -> Callable[[Any], None]:
        def count(event: Any) -> None:
            self._counts[n] += 1

        return count

    def after(self, change: Callable[[], object], *, every: bool = False) -> float:
        """Return the seconds until the first canvas, or each, shows a change."""
        process, before = application().processEvents, self._counts.copy()
        needed = len(before) if every else 1
        start = time.perf_counter()
        change()
        while any(self._counts[n] == before[n] for n in range(needed)):
            process()
            if time.perf_counter() - start > PATIENCE_S:
                sys.exit("a canvas was never painted")
        # What was asked for while it was being painted, and the pixels themselves.
        process()
        for native in self._natives:
            native.makeCurrent()
            gl().glFinish()
            native.doneCurrent()
        return time.perf_counter() - start


def application() -> Any:
    """Return the Qt application."""
    from qtpy.QtWidgets import QApplication

    return QApplication.instance()


def gl() -> Any:
    """Return OpenGL as vispy knows it."""
    from vispy import gloo

    return gloo.gl


def wait_until(done: Callable[[], bool]) -> None:
    """Let the windows live until something has happened."""
    give_up = time.monotonic() + PATIENCE_S
    while not done():
        application().processEvents()
        time.sleep(0.001)
        if time.monotonic() > give_up:
            sys.exit("a window did not get ready")


def settle(seconds: float = 0.5) -> None:
    """Let the windows draw themselves."""
    over = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > over)


def new_viewer(title: str) -> Any:
    """Return an empty napari window whose middle has the size of all of them."""
    import napari

    viewer = napari.Viewer(title=title, show_welcome_screen=False)
    viewer.window._qt_window.centralWidget().setFixedSize(*AREA)
    return viewer


class Bare:
    """napari with the array and nothing else, its docks hidden."""

    def __init__(self, values: Array, limits: tuple[float, float]) -> None:
        self.viewer = new_viewer("bare napari")
        self.viewer.add_image(
            values,
            scale=SPACING,
            contrast_limits=limits,
            colormap="gray",
            interpolation2d="linear",
        )
        qt_viewer = self.viewer.window._qt_viewer
        for dock in (qt_viewer.dockLayerList, qt_viewer.dockLayerControls):
            dock.setVisible(False)
        settle()
        self.viewer.reset_view()
        settle()
        self.painted = Painted([qt_viewer])

    def slice(self, index: int) -> None:
        """Show a slice."""
        self.viewer.dims.set_current_step(0, index)


class Ours:
    """The reading room with a study open."""

    def __init__(self, study: Path) -> None:
        from osteotrace_napari.window import reading_room

        self.viewer = new_viewer("osteotrace")
        self.room = reading_room(self.viewer)
        self.open(study)
        self.room.press("reset")
        settle()

    def open(self, study: Path) -> None:
        """Open a study and wait for its first picture."""
        self.room.opening.open(study)
        wait_until(lambda: self.view.volume is not None and not self.room.busy)

    @property
    def view(self) -> Any:
        """The canvas that is read."""
        return self.room.arrangement.main

    @property
    def volume(self) -> Volume:
        """What is shown."""
        volume: Volume = self.view.volume
        return volume

    def painted(self) -> Painted:
        """Return what tells when the canvases that are shown now are painted."""
        settle()
        return Painted([view.qt_viewer for view in self.room.views])


# The figures -------------------------------------------------------------------------


def in_turn(rounds: int, *changes: Callable[[int], float]) -> list[list[float]]:
    """Time the contenders in turn, to and fro; the first rounds warm them up."""
    times: list[list[float]] = [[] for _ in changes]
    for n in range(-WARM_UP, rounds):
        order = list(enumerate(changes))
        for at, change in order if n % 2 else reversed(order):
            # What the one left to be done later is not to be done in the other's time.
            settle(PAUSE_S)
            seconds = change(FIRST_SLICE + n % (SLICES // 2))
            if n >= 0:
                times[at].append(seconds)
    return times


def report(what: str, ours: list[float], others: list[float], goal: float) -> None:
    """Print a line of the README's table, and whether the goal was reached."""
    ratio = statistics.median(a / b for a, b in zip(ours, others, strict=True))
    mine, other = (1000 * statistics.median(times) for times in (ours, others))
    print(
        f"| {what} | {mine:.1f} ms | {other:.1f} ms | {ratio:.2f} × | {goal:g} × "
        f"| {verdict(ratio, goal)} |",
        flush=True,
    )


def verdict(found: float, goal: float) -> str:
    """Return the word of a goal."""
    return "reached" if found <= goal else "MISSED"


def slices(bare: Bare, ours: Ours, rounds: int) -> None:
    """Slice changes: one canvas, three planes, then with masks and findings."""
    room, view = ours.room, ours.view

    def time_ours(what: str, goal: float) -> None:
        painted = ours.painted()
        mine, others = in_turn(
            rounds,
            lambda k: painted.after(lambda: view.go_to_slice(k)),
            lambda k: bare.painted.after(lambda: bare.slice(k)),
        )
        report(what, mine, others, goal)

    time_ours("slice change, text and letters over it", 1.1)
    room.arrangement.show_planes(True)
    time_ours("the same, three linked planes", 1.7)
    room.arrangement.show_planes(False)
    make_findings(ours)
    time_ours(f"with {FINDINGS} findings, masks among them", 1.5)
    room.arrangement.show_planes(True)
    time_ours(f"three planes, with {FINDINGS} findings", 2.5)
    room.arrangement.show_planes(False)


def make_findings(ours: Ours) -> None:
    """Measure gaps all over the volume, and the tissue in balls, which are masks."""
    from osteotrace.protocol import Where

    session, volume = ours.room.session, ours.volume
    for n in range(FINDINGS):
        start, end = gap(volume, n)
        if n % EVERY_MASK == 0:
            x, y, z = ((start + end) / 2).tolist()
            where = Where(centre=(x, y, z), radius=BALL_MM)
            session.add("intensity", volume, region=where)
        else:
            session.add("caliper", volume, start=start, end=end)
    ours.room.refresh()
    settle()


def caliper(ours: Ours, rounds: int) -> None:
    """From a move of the mouse to the caliper's value on the canvas."""
    view, volume = ours.view, ours.volume
    ours.room.arrangement.show_planes(False)
    view.go_to_slice(FIRST_SLICE)
    settle()
    start, end = gap(volume, 4, FIRST_SLICE)
    mouse = Mouse(view)
    ours.room.take_up("caliper")
    mouse.press(start)
    values, pictures = [], []
    for n in range(rounds):
        settle(BETWEEN_MOVES_S)
        there = end + np.array([0.0, STEP_MM * (n % 3), 0.0])
        before, begun = view._preview, time.perf_counter()
        mouse.move(there)
        wait_until(partial(has_new_value, view, before))
        values.append(time.perf_counter() - begun)
        pictures.append(values[-1] + painted_overlay(view))
    ours.room.press("cancel")
    ours.room.press("cancel")
    middle = 1000 * statistics.median(values)
    slow = 1000 * float(np.quantile(values, 0.9))
    seen = 1000 * statistics.median(pictures)
    print(
        f"| caliper: mouse move to value | {middle:.1f} ms (90 % within {slow:.1f}; "
        f"painted after {seen:.1f}) | | | {FRAME_MS:g} ms | {verdict(middle, FRAME_MS)} |"
    )


def has_new_value(view: Any, before: Any) -> bool:
    """Tell whether the line under the mouse was fitted anew, and has its value."""
    mark = view._preview
    fitted = mark is not None and len(mark.lines) > 1 and bool(mark.text)
    return fitted and mark is not before


def painted_overlay(view: Any) -> float:
    """Return the seconds until what lies over the image is painted."""
    from qtpy.QtCore import QEvent, QObject

    class Watch(QObject):  # type: ignore[misc]
        seen = False

        def eventFilter(self, watched: Any, event: Any) -> bool:
            self.seen = self.seen or event.type() == QEvent.Type.Paint
            return False

    watch, start = Watch(), time.perf_counter()
    view.overlay.installEventFilter(watch)
    view.overlay.update()
    wait_until(lambda: watch.seen)
    view.overlay.removeEventFilter(watch)
    return time.perf_counter() - start


class Mouse:
    """A mouse on a canvas, its left button held once pressed."""

    def __init__(self, view: Any) -> None:
        self.view = view
        self.canvas = view.qt_viewer.canvas.native

    def press(self, point: Array) -> None:
        """Press the left button at a patient point."""
        from qtpy.QtCore import QEvent

        self._send(QEvent.Type.MouseButtonPress, point)

    def move(self, point: Array) -> None:
        """Move to a patient point."""
        from qtpy.QtCore import QEvent

        self._send(QEvent.Type.MouseMove, point)

    def _send(self, kind: Any, point: Array) -> None:
        from qtpy.QtCore import QPointF, Qt
        from qtpy.QtGui import QMouseEvent

        x, y = self.view.to_canvas(point).tolist()
        there, left = QPointF(x, y), Qt.MouseButton.LeftButton
        globally = QPointF(self.canvas.mapToGlobal(there.toPoint()))
        none = Qt.KeyboardModifier.NoModifier
        event = QMouseEvent(kind, there, globally, left, left, none)
        application().sendEvent(self.canvas, event)


def opening(ours: Ours, rounds: int, study: Path) -> None:
    """From opening a study in an empty room to its first picture, beside the load."""
    import osteotrace as ot

    loads, pictures = [], []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        ot.load(ot.scan(study).choose())
        loads.append(time.perf_counter() - start)
        ours.viewer.layers.clear()
        settle()
        pictures.append(ours.painted().after(lambda: ours.open(study)))
    load, picture = (statistics.median(times[1:]) for times in (loads, pictures))
    goal = 1.5 * load + 1.0
    print(
        f"| {STUDY_SLICES} slices opened, to the first picture | {picture:.2f} s "
        f"| load alone {load:.2f} s | | {goal:.2f} s | {verdict(picture, goal)} |"
    )


SECTIONS: Final = ("slices", "caliper", "opening")


def main() -> None:
    """Print the lines of the table asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", action="append", choices=SECTIONS)
    options = parser.parse_args()
    asked = options.only or SECTIONS
    with tempfile.TemporaryDirectory(prefix="osteotrace-viewer-") as name:
        place = Path(name)
        for kind in ("STATE", "CONFIG", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = str(place / kind.lower())
        write_study(place / "large" / "CT", SLICES)
        write_study(place / "study" / "CT", STUDY_SLICES)
        ours = Ours(place / "large")
        bare = Bare(ours.view.image.data, ours.view.image.contrast_limits)
        print("| what | osteotrace | bare napari | ratio | goal | |")
        print("|---|---|---|---|---|---|")
        if "slices" in asked:
            slices(bare, ours, options.rounds)
        if "caliper" in asked:
            caliper(ours, options.rounds)
        if "opening" in asked:
            opening(ours, 5, place / "study")
        for viewer in (ours.viewer, bare.viewer):
            viewer.close()


if __name__ == "__main__":
    main()
