"""The canvas as a reading view: one volume, one plane, and what is painted over it.

`ReadingView` arranges a napari viewer; what it shows comes from `layers`, `windows` and
`drawing`, and is painted by `Overlay`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import ref

import numpy as np
from qtpy.compat import isalive

from osteotrace import about
from osteotrace_napari import wording
from osteotrace_napari.canvas import drawing, layers, windows
from osteotrace_napari.canvas.overlay import Overlay, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array, Grid
    from osteotrace.regions import Point
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.layers import Plane, PlaneView
    from osteotrace_napari.canvas.marks import Mark
    from osteotrace_napari.canvas.windows import Window

# A drag over this many pixels changes width or level by the present width.
_WINDOW_DRAG_PX: Final = 400
_RIGHT_BUTTON: Final = 2


class ReadingView:
    """One volume on the canvas of a napari viewer.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Its layers are replaced when a volume is shown.
    qt_viewer : QtViewer, optional
        Its canvas; that of the window where the viewer has one, else nothing is painted.

    Attributes
    ----------
    volume : Volume or None
        What is measured.
    shown : Volume or None
        What is displayed: the volume itself, or what was resampled from it.
    image : napari Image layer or None
        Its layer.
    overlay : Overlay or None
    on_slice : list of callable
        Called without arguments after the slice, plane or volume changed.
    on_window : list of callable
        Called without arguments after the window changed.
    """

    def __init__(self, viewer: Any, qt_viewer: Any = None) -> None:
        self.viewer = viewer
        if qt_viewer is None and hasattr(viewer, "window"):
            qt_viewer = viewer.window._qt_viewer
        self._qt_viewer = None if qt_viewer is None else ref(qt_viewer)
        self.volume: Volume | None = None
        self.shown: Volume | None = None
        self.image: Any = None
        self.presets: tuple[Window, ...] = ()
        self.on_slice: list[Callable[[], None]] = []
        self.on_window: list[Callable[[], None]] = []
        self._view: PlaneView | None = None
        self._marks: tuple[Mark, ...] = ()
        self._spans: list[tuple[float, float]] | None = None
        self._preview: Mark | None = None
        self._prompt = ""
        self._crosshair: Point | None = None
        self.overlay: Overlay | None = None
        if qt_viewer is not None:
            self.overlay = Overlay(qt_viewer.canvas.native, self.scene)
        viewer.canvas.background_color_override = "black"
        viewer.dims.events.current_step.connect(self._slice_changed)
        viewer.scene.camera.events.connect(self.refresh)
        viewer.mouse_drag_callbacks.append(self._drag_window)
        # The wheel scrolls through slices; with Ctrl it zooms: a reader's habit.
        viewer.mouse_wheel_callbacks[:] = [self._wheel]

    # What is shown ---------------------------------------------------------------

    def show(self, volume: Volume, *, layer: Any = None) -> None:
        """Put a volume on the canvas in the plane it was acquired in.

        Parameters
        ----------
        volume : Volume
        layer : napari Image layer, optional
            A layer that already shows it; else one is made.
        """
        self.volume = self.shown = None
        if layer is None:
            values, attributes, _ = layers.image_layer(volume)
            layer = self.viewer.add_image(values, **attributes)
        # After the new one is there: napari forgets its sliders when it is empty.
        for old in [each for each in self.viewer.layers if each is not layer]:
            self.viewer.layers.remove(old)
        self.image, self.volume, self.shown = layer, volume, volume
        self.presets = windows.presets(volume.identity.modality, layer.data)
        layer.events.contrast_limits.connect(self._window_changed)
        self.set_window(self.presets[0])
        self.viewer.dims.ndisplay = 2
        self.set_plane(layers.acquired_plane(volume.grid))
        self.viewer.layers.selection.active = layer

    def clear(self) -> None:
        """Forget the volume; its layer is gone."""
        self.volume, self.shown, self.image, self._view = None, None, None, None
        self._crosshair, self._prompt = None, ""
        self.refresh()

    @property
    def qt_viewer(self) -> Any:
        """The QtViewer whose canvas this is; None without a window."""
        return None if self._qt_viewer is None else self._qt_viewer()

    @property
    def grid(self) -> Grid:
        """The grid of what is displayed."""
        assert self.shown is not None
        return self.shown.grid

    @property
    def plane_view(self) -> PlaneView:
        """The plane shown; only while a volume is shown."""
        if self._view is None:
            raise RuntimeError("no volume is shown")
        return self._view

    def set_plane(self, plane: Plane) -> None:
        """Show a plane, at the middle of the volume when it is another one."""
        if self.volume is None:
            return
        self._view = view = layers.plane_view(self.grid, plane)
        self._spans = None
        self.viewer.dims.order = view.order
        self.viewer.scene.camera.orientation2d = view.orientation
        for axis, count in enumerate(self.grid.shape):
            self.viewer.dims.set_current_step(axis, (count - 1) // 2)
        self.viewer.reset_view()
        self._slice_changed()

    @property
    def slice_index(self) -> int:
        """Index of the slice shown, along the plane's slider."""
        return int(self.viewer.dims.current_step[self.plane_view.order[0]])

    @property
    def slice_count(self) -> int:
        """How many slices the plane has."""
        return self.grid.shape[self.plane_view.order[0]]

    def go_to_slice(self, index: int) -> None:
        """Show a slice, the nearest there is."""
        if self.volume is not None:
            index = min(max(index, 0), self.slice_count - 1)
            self.viewer.dims.set_current_step(self.plane_view.order[0], index)

    def go_to(self, points: ArrayLike) -> None:
        """Show the slice nearest to (n, 3) patient LPS mm, in the present plane."""
        if self.volume is not None:
            self.go_to_slice(layers.slice_of(self.grid, self.plane_view, points))

    # Patient and canvas ----------------------------------------------------------

    def point(self, event: Any) -> Array:
        """Return the (3,) LPS mm that a mouse event points at, on the slice shown."""
        display = np.array(event.position, dtype=np.float64)
        axis = self.plane_view.order[0]
        display[axis] = self.slice_index * layers.display_scale(self.grid)[axis]
        return layers.to_patient(self.grid, display)

    def to_canvas(self, points: ArrayLike) -> Array:
        """Return (..., 2) pixels of the canvas, x and y, of (..., 3) LPS mm."""
        return self.place.to_canvas(points)

    @property
    def place(self) -> drawing.Place:
        """The slice shown and where it lies on the canvas."""
        camera = self.viewer.scene.camera
        return drawing.Place(
            grid=self.grid,
            view=self.plane_view,
            index=self.slice_index,
            centre=camera.center,
            zoom=camera.zoom,
            size=self._size(),
        )

    def _size(self) -> tuple[float, float]:
        if self.overlay is not None and isalive(self.overlay):
            return self.overlay.width(), self.overlay.height()
        height, width = self.viewer.canvas.size
        return width, height

    # Over the image --------------------------------------------------------------

    def show_marks(self, marks: Sequence[Mark]) -> None:
        """Show these marks and no others."""
        self._marks, self._spans = tuple(marks), None
        self.refresh()

    def show_preview(self, mark: Mark | None) -> None:
        """Show the mark being drawn, or none."""
        if mark is not None or self._preview is not None:
            self._preview = mark
            self.refresh()

    def prompt(self, text: str) -> None:
        """Say at the bottom of the canvas what is to be done next."""
        if text != self._prompt:
            self._prompt = text
            self.refresh()

    def show_crosshair(self, point: Point | None) -> None:
        """Show where a patient point lies, by lines across the canvas."""
        if point != self._crosshair:
            self._crosshair = point
            self.refresh()

    @property
    def visible_marks(self) -> tuple[Mark, ...]:
        """The marks that are seen on the slice shown."""
        if self.volume is None or self._view is None:
            return ()
        grid, view, place = self.grid, self._view, self.place
        if self._spans is None:
            self._spans = [drawing.mark_span(grid, view, mark) for mark in self._marks]
        pairs = zip(self._marks, self._spans, strict=True)
        seen = [mark for mark, reach in pairs if place.shows(*reach)]
        preview = self._preview
        if preview is not None and place.shows(*drawing.mark_span(grid, view, preview)):
            seen.append(preview)
        return tuple(seen)

    @property
    def texts(self) -> list[str]:
        """The values that stand on the canvas now."""
        return [label.text for label in self.scene_picture().labels]

    @property
    def letters(self) -> dict[str, str]:
        """Patient letters of the sides of the canvas; empty without a volume."""
        if self._view is None:
            return {}
        sides = ("left", "right", "top", "bottom")
        return {side: getattr(self._view, side) for side in sides}

    @property
    def place_text(self) -> str:
        """Who, what and where, in lines; empty without a volume."""
        if self.volume is None or self._view is None:
            return ""
        who, window = self.volume.identity, self.window
        place = layers.slice_place(self.grid, self._view, self.slice_index)
        named = f"  {window.name}" if window.name else ""
        return (
            f"{who.patient}   {wording.series_name(who)}   {who.date}\n"
            f"{self._view.plane} {self.slice_index + 1} / {self.slice_count}   {place}\n"
            f"W {window.width:.0f}  L {window.level:.0f}{named}\n"
            f"{about.RESEARCH_USE_SHORT}"
        )

    def scene_picture(self) -> drawing.Picture:
        """Return the marks as they lie on the canvas now."""
        marks = self.visible_marks
        return drawing.picture(marks, self.place) if marks else drawing.Picture()

    def scene(self) -> Scene | None:
        """Return everything that is painted over the image now."""
        if self.volume is None or self._view is None:
            return None
        crosshair = None
        if self._crosshair is not None:
            x, y = self.to_canvas(self._crosshair).tolist()
            crosshair = (x, y)
        return Scene(
            letters=self.letters,
            place=self.place_text,
            picture=self.scene_picture(),
            crosshair=crosshair,
            prompt=self._prompt,
            zoom=self.viewer.scene.camera.zoom,
        )

    def refresh(self, event: Any = None) -> None:
        """Paint what lies over the image again."""
        if self.overlay is not None and isalive(self.overlay):
            self.overlay.update()

    # Window ----------------------------------------------------------------------

    def set_window(self, window: Window) -> None:
        """Show grey values by width and level."""
        if self.image is None:
            return
        low, high = window.limits
        # napari clips limits to their range: the range goes first.
        old_low, old_high = self.image.contrast_limits_range
        self.image.contrast_limits_range = min(low, old_low), max(high, old_high)
        self.image.contrast_limits = low, high

    @property
    def window(self) -> Window:
        """The window shown; its name is that of the preset it equals."""
        low, high = self.image.contrast_limits
        width, level = float(high - low), float(high + low) / 2
        for preset in self.presets:
            if abs(preset.width - width) < 0.5 and abs(preset.level - level) < 0.5:
                return preset
        return windows.Window("", width, level)

    def _drag_window(self, viewer: Any, event: Any) -> Any:
        if event.button != _RIGHT_BUTTON or self.image is None:
            return
        # Consumed on press, else the camera zooms.
        event.handled = True
        start, (x, y) = self.window, event.pos
        gain = max(start.width, 1.0) / _WINDOW_DRAG_PX
        yield
        while event.type == "mouse_move":
            event.handled = True
            width = max(start.width + (event.pos[0] - x) * gain, 1.0)
            level = start.level + (event.pos[1] - y) * gain
            self.set_window(windows.Window("", width, level))
            yield

    # Changes ---------------------------------------------------------------------

    def _wheel(self, viewer: Any, event: Any) -> None:
        if "Control" in event.modifiers or self.volume is None:
            return
        event.handled = True
        self.go_to_slice(self.slice_index - round(float(event.delta[1])))

    def _slice_changed(self, event: Any = None) -> None:
        if self.volume is None or self._view is None:
            return
        self.refresh()
        for call in self.on_slice:
            call()

    def _window_changed(self, event: Any = None) -> None:
        if self.volume is None or self._view is None:
            return
        self.refresh()
        for call in self.on_window:
            call()
