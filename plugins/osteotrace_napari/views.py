"""The canvas as a reading view: one volume, one plane, its letters, window and slice.

`ReadingView` arranges a napari viewer; what it shows comes from `layers` and `windows`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari.components.overlays import TextOverlay

from osteotrace import about
from osteotrace_napari import layers, windows, wording

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from osteotrace.volume import Volume
    from osteotrace_napari.layers import Plane, PlaneView
    from osteotrace_napari.windows import Window

LETTER_COLOUR: Final = "#ffd60a"
TEXT_COLOUR: Final = "#e8edf2"
LETTER_SIZE_PT: Final = 15
TEXT_SIZE_PT: Final = 10
# Letters sit on the canvas sides, text in the corners.
_LETTERS: Final = {
    "left": "middle_left",
    "right": "middle_right",
    "top": "top_center",
    "bottom": "bottom_center",
}
# A drag over this many pixels changes width or level by the present width.
_WINDOW_DRAG_PX: Final = 400
_RIGHT_BUTTON: Final = 2


class ReadingView:
    """One volume on the canvas of a napari viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are replaced when a volume is shown.

    Attributes
    ----------
    volume : Volume or None
        What is shown.
    image : napari Image layer or None
        Its layer.
    on_slice : list of callable
        Called without arguments after the slice, plane or volume changed.
    on_window : list of callable
        Called without arguments after the window changed.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.volume: Volume | None = None
        self.image: Any = None
        self.presets: tuple[Window, ...] = ()
        self.on_slice: list[Callable[[], None]] = []
        self.on_window: list[Callable[[], None]] = []
        self._view: PlaneView | None = None
        self._prepare_canvas()
        viewer.dims.events.current_step.connect(self._slice_changed)
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
        self.volume = None
        if layer is None:
            values, attributes, _ = layers.image_layer(volume)
            layer = self.viewer.add_image(values, **attributes)
        # After the new one is there: napari forgets its sliders when it is empty.
        for old in [each for each in self.viewer.layers if each is not layer]:
            self.viewer.layers.remove(old)
        self.image, self.volume = layer, volume
        self.presets = windows.presets(volume.identity.modality, layer.data)
        layer.events.contrast_limits.connect(self._window_changed)
        self.set_window(self.presets[0])
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.viewer.dims.ndisplay = 2
        self.set_plane(layers.acquired_plane(volume.grid))
        self.viewer.layers.selection.active = layer

    def clear(self) -> None:
        """Forget the volume; its layer is gone."""
        self.volume, self.image, self._view = None, None, None
        self.viewer.canvas.overlays.scale_bar.visible = False
        for name, overlay in self.viewer.canvas.overlays.items():
            if name.startswith("osteotrace_"):
                overlay.text = ""

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
        grid = self.volume.grid
        self._view = view = layers.plane_view(grid, plane)
        self.viewer.dims.order = view.order
        self.viewer.scene.camera.orientation2d = view.orientation
        for axis, count in enumerate(grid.shape):
            self.viewer.dims.set_current_step(axis, (count - 1) // 2)
        self._letter(view)
        self.viewer.reset_view()
        self._slice_changed()

    @property
    def slice_index(self) -> int:
        """Index of the slice shown, along the plane's slider."""
        return int(self.viewer.dims.current_step[self.plane_view.order[0]])

    @property
    def slice_count(self) -> int:
        """How many slices the plane has."""
        assert self.volume is not None
        return self.volume.grid.shape[self.plane_view.order[0]]

    def go_to_slice(self, index: int) -> None:
        """Show a slice, the nearest there is."""
        if self.volume is not None:
            index = min(max(index, 0), self.slice_count - 1)
            self.viewer.dims.set_current_step(self.plane_view.order[0], index)

    def go_to(self, points: ArrayLike) -> None:
        """Show the slice nearest to (n, 3) patient LPS mm, in the present plane."""
        if self.volume is not None:
            self.go_to_slice(layers.slice_of(self.volume.grid, self.plane_view, points))

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

    # Canvas ----------------------------------------------------------------------

    def _prepare_canvas(self) -> None:
        canvas = self.viewer.canvas
        canvas.background_color_override = "black"
        for side, position in _LETTERS.items():
            canvas.overlays[f"osteotrace_{side}"] = TextOverlay(
                position=position,
                color=LETTER_COLOUR,
                font_size=LETTER_SIZE_PT,
                box=False,
                visible=True,
            )
        canvas.overlays["osteotrace_place"] = TextOverlay(
            position="top_left", color=TEXT_COLOUR, font_size=TEXT_SIZE_PT, visible=True
        )
        canvas.overlays.scale_bar.position = "bottom_right"

    def _letter(self, view: PlaneView) -> None:
        overlays = self.viewer.canvas.overlays
        for side in _LETTERS:
            overlays[f"osteotrace_{side}"].text = getattr(view, side)

    def _wheel(self, viewer: Any, event: Any) -> None:
        if "Control" in event.modifiers or self.volume is None:
            return
        event.handled = True
        self.go_to_slice(self.slice_index - round(float(event.delta[1])))

    def _slice_changed(self, event: Any = None) -> None:
        if self.volume is None or self._view is None:
            return
        self._describe()
        for call in self.on_slice:
            call()

    def _window_changed(self, event: Any = None) -> None:
        if self.volume is None or self._view is None:
            return
        self._describe()
        for call in self.on_window:
            call()

    def _describe(self) -> None:
        assert self.volume is not None
        who, view, window = self.volume.identity, self.plane_view, self.window
        place = layers.slice_place(self.volume.grid, view, self.slice_index)
        named = f"  {window.name}" if window.name else ""
        self.viewer.canvas.overlays.osteotrace_place.text = (
            f"{who.patient}   {wording.series_name(who)}   {who.date}\n"
            f"{view.plane} {self.slice_index + 1} / {self.slice_count}   {place}\n"
            f"W {window.width:.0f}  L {window.level:.0f}{named}\n"
            f"{about.RESEARCH_USE_SHORT}"
        )
