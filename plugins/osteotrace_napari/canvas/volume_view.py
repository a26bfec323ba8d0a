"""One volume in one plane on a napari viewer: what is shown, and where a point lies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

import numpy as np

from osteotrace_napari.canvas import drawing, layers, windowing, windows
from osteotrace_napari.canvas.display import Displays
from osteotrace_napari.canvas.guarding import Guard
from osteotrace_napari.canvas.kept_drawings import KeptDrawings
from osteotrace_napari.canvas.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from osteotrace.geometry import Array, Grid
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.display import Display
    from osteotrace_napari.canvas.layers import Plane, PlaneView
    from osteotrace_napari.canvas.windows import Window

# Of the width and height of a canvas, left free around the image.
FIT_MARGIN: Final = 0.05


class VolumeView:
    """One volume on the canvas of a napari viewer.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Its layers are replaced when a volume is shown.
    qt_viewer : QtViewer, optional
        Its canvas; that of the window where the viewer has one.
    displays : Displays, optional
        Shared by views that show the same volumes.

    Attributes
    ----------
    volume : Volume or None
        What is measured.
    display : Display or None
        What is displayed of it.
    why_no_mm : str
        Why the volume cannot be measured; empty where it can.
    slab : (float, str)
        Thickness in mm, 0 for one slice, and ``mean`` or ``max``.
    image : napari Image layer or None
        Its layer.
    on_slice : list of callable
        Called without arguments after the slice, plane or volume changed.
    on_window : list of callable
        Called without arguments after the window changed.
    on_display : list of callable
        Called without arguments after the image layer became another one or went.
    """

    def __init__(
        self, viewer: Any, qt_viewer: Any = None, *, displays: Displays | None = None
    ) -> None:
        self.viewer = viewer
        self.displays = Displays() if displays is None else displays
        if qt_viewer is None and hasattr(viewer, "window"):
            qt_viewer = viewer.window._qt_viewer
        self._qt_viewer = None if qt_viewer is None else ref(qt_viewer)
        self.volume: Volume | None = None
        self.display: Display | None = None
        self.why_no_mm = ""
        self.slab: tuple[float, str] = (0.0, "mean")
        self.image: Any = None
        self.on_slice: list[Callable[[], None]] = []
        self.on_window: list[Callable[[], None]] = []
        self.on_display: list[Callable[[], None]] = []
        self._view: PlaneView | None = None
        self._fitted: tuple[Any, ...] = ()
        self._guard = Guard(self)
        self._kept = KeptDrawings(viewer, lambda: self.qt_viewer)
        viewer.canvas.background_color_override = "black"
        viewer.dims.events.current_step.connect(self._slice_changed)
        viewer.scene.camera.events.connect(self.refresh)
        viewer.canvas.events.size.connect(self._resized)
        viewer.mouse_drag_callbacks.append(self._drag_window)
        # The wheel scrolls through slices; with Ctrl it zooms: a reader's habit.
        self._wheel = Wheel()
        viewer.mouse_wheel_callbacks[:] = [self._scroll]

    # What is shown ---------------------------------------------------------------

    def show(
        self,
        volume: Volume,
        *,
        layer: Any = None,
        plane: Plane | None = None,
        display: Display | None = None,
        why_no_mm: str = "",
    ) -> None:
        """Put a volume on the canvas, in the plane it was acquired in by default.

        Parameters
        ----------
        volume : Volume
        layer : napari Image layer, optional
            A layer that already shows it; else one is made.
        plane : str, optional
        display : Display, optional
            What is displayed of it, where that is not one of its own planes.
        why_no_mm : str
            The reason where its geometry cannot be measured: it is for looking only.

        Raises
        ------
        OsteotraceError
            If the plane cannot be shown; nothing has changed then.
        """
        if layer is not None:
            self.displays.adopt(volume, layer.data)
        if plane is None:
            shown = volume if display is None else display.shown
            plane = layers.acquired_plane(shown.grid)
        display = display or self.displays.of(volume, plane)
        self.clear()
        self.why_no_mm = why_no_mm
        self._put(display, layer=layer)
        self.volume = volume
        self.set_window(display.presets[windows.first_of(volume.identity)])
        self.viewer.dims.ndisplay = 2
        self._turn(plane)

    def clear(self) -> None:
        """Forget the volume; its layer is gone."""
        self.volume = self.display = self.image = self._view = None
        self.why_no_mm = ""
        self._display_changed()

    def put_away(self) -> None:
        """Show nothing until the next volume; the canvas stays."""
        if self.volume is not None or len(self.viewer.layers):
            self.clear()
            self.viewer.layers.clear()

    def close(self) -> None:
        """Let go of everything, before the canvas is closed."""
        self.put_away()
        self._kept.close()
        self._guard.close()
        for listeners in (self.on_slice, self.on_window, self.on_display):
            listeners.clear()
        self.viewer.dims.events.current_step.disconnect(self._slice_changed)
        self.viewer.scene.camera.events.disconnect(self.refresh)
        self.viewer.canvas.events.size.disconnect(self._resized)
        for calls in (
            self.viewer.mouse_drag_callbacks,
            self.viewer.mouse_move_callbacks,
            self.viewer.mouse_wheel_callbacks,
        ):
            calls.clear()

    def _put(self, display: Display, *, layer: Any = None) -> None:
        """Make the layer of a display the only one of our own."""
        if layer is None:
            attributes = layers.image_attributes(display.shown)
            attributes["colormap"] = display.colormap
            limits = display.presets[0].limits
            layer = self.viewer.add_image(
                display.values, contrast_limits=limits, **attributes
            )
        self.image, self.display = layer, display
        # After the new one is there: napari forgets its sliders when it is empty.
        for old in [each for each in self.viewer.layers if each is not layer]:
            self.viewer.layers.remove(old)
        layer.events.contrast_limits.connect(self._window_changed)
        self.viewer.layers.selection.active = layer
        self._display_changed()

    @property
    def shown(self) -> Volume | None:
        """What is displayed: the volume itself, or what was resampled from it."""
        return None if self.display is None else self.display.shown

    @property
    def lattice(self) -> Grid | None:
        """The grid whose slices are shown: of the study that this one is laid onto."""
        if self.display is None:
            return None
        return self.display.like or self.display.shown.grid

    @property
    def presets(self) -> tuple[Window, ...]:
        """The windows that fit what is shown, the default first."""
        return () if self.display is None else self.display.presets

    @property
    def qt_viewer(self) -> Any:
        """The QtViewer whose canvas this is; None without a window."""
        return None if self._qt_viewer is None else self._qt_viewer()

    @property
    def grid(self) -> Grid:
        """The grid of what is displayed."""
        assert self.display is not None
        return self.display.shown.grid

    @property
    def why_not_measured(self) -> str:
        """Why nothing can be measured on what is shown; empty where it can."""
        return self.why_no_mm or ("" if self.display is None else self.display.refuses)

    @property
    def is_ready(self) -> bool:
        """Whether a volume is shown, in a plane."""
        return self.volume is not None and self._view is not None

    @property
    def plane_view(self) -> PlaneView:
        """The plane shown; only while a volume is shown."""
        if self._view is None:
            raise RuntimeError("no volume is shown")
        return self._view

    def set_plane(self, plane: Plane) -> None:
        """Show a plane, at the middle of the volume when it is another one.

        Raises
        ------
        OsteotraceError
            If the plane cannot be shown; nothing has changed then.
        """
        if self.volume is None:
            return
        display = self.displays.of(self.volume, plane)
        if display is not self.display:
            window, self._view = self.window, None
            self._put(display)
            self.set_window(window)
        self._turn(plane)

    def _turn(self, plane: Plane) -> None:
        # Half turned, a place would be none: nobody is told before the end.
        assert self.display is not None
        view = layers.plane_view(self.grid, plane, like=self.display.like)
        self._view = None
        self.viewer.dims.order = view.order
        self.viewer.scene.camera.orientation2d = view.orientation
        for axis, count in enumerate(self.grid.shape):
            self.viewer.dims.set_current_step(axis, (count - 1) // 2)
        self._view = view
        self._set_thickness()
        self.fit()
        self._slice_changed()

    def set_slab(self, mm: float, mode: str = "mean") -> None:
        """Show the mean or the maximum over about a thickness; 0 mm is one slice."""
        self.slab = (mm, mode)
        if self.volume is not None and self._view is not None:
            self._set_thickness()
            self._slice_changed()

    @property
    def slab_slices(self) -> int:
        """How many slices are shown as one: an odd number, the middle one named."""
        return 2 * self._slab_half() + 1

    @property
    def slab_mm(self) -> float:
        """The thickness that is shown as one, mm."""
        return self.slab_slices * self._step()

    def _slab_half(self) -> int:
        return max(round((self.slab[0] / self._step() - 1) / 2), 0)

    def _step(self) -> float:
        return layers.display_scale(self.grid)[self.plane_view.order[0]]

    def _set_thickness(self) -> None:
        axis, half = self.plane_view.order[0], self._slab_half()
        # Whole slices on either side: napari rounds other margins to one side.
        across = 2 * half * self._step()
        thickness = tuple(across if n == axis else 0.0 for n in range(3))
        if self.viewer.dims.thickness != thickness:
            self.viewer.dims.thickness = thickness
        self.image.projection_mode = self.slab[1] if half else "none"

    def fit(self) -> None:
        """Fit the image to the canvas; it stays fitted while the canvas is resized."""
        self.viewer.fit_to_view(margin=FIT_MARGIN)
        self._fitted = self._camera()

    @property
    def is_fitted(self) -> bool:
        """Whether the camera is where `fit` left it."""
        return self._camera() == self._fitted

    def _camera(self) -> tuple[Any, ...]:
        camera = self.viewer.scene.camera
        return camera.zoom, camera.center

    def _resized(self, event: Any = None) -> None:
        if self.volume is not None and self.is_fitted:
            self.fit()

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

    @property
    def middle(self) -> Array:
        """The (3,) LPS mm in the middle of the canvas, on the slice shown."""
        _, across, right = self.plane_view.order
        display = self.slice_index * np.array(layers.display_scale(self.grid))
        display[[across, right]] = self.viewer.scene.camera.center[-2:]
        return layers.to_patient(self.grid, display)

    def look_at(self, point: ArrayLike, zoom: float) -> None:
        """Put an LPS mm point into the middle of the canvas, at pixels a mm."""
        _, across, right = self.plane_view.order
        display = layers.to_display(self.grid, point)
        camera = self.viewer.scene.camera
        camera.zoom = zoom
        camera.center = (0.0, float(display[across]), float(display[right]))

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
            scale=layers.display_scale(self.grid),
            half_slab=self._slab_half() + drawing.HALF_SLICE,
        )

    def _size(self) -> tuple[float, float]:
        height, width = self.viewer.canvas.size
        return width, height

    # Window ----------------------------------------------------------------------

    def set_window(self, window: Window) -> None:
        """Show grey values by width and level."""
        if self.display is not None and self.display.centred:
            window = replace(window, level=0.0)
        if self.image is not None:
            windowing.apply(self.image, window)

    @property
    def window(self) -> Window:
        """The window shown; its name is that of the preset it equals."""
        return windowing.current(self.image, self.presets)

    def _drag_window(self, viewer: Any, event: Any) -> Any:
        if event.button == windowing.RIGHT_BUTTON and self.image is not None:
            for window in windowing.dragged(self.window, event, self.presets):
                self.set_window(window)
                yield

    # Changes ---------------------------------------------------------------------

    def _scroll(self, viewer: Any, event: Any) -> None:
        if "Control" in event.modifiers or self.volume is None:
            return
        event.handled = True
        self.go_to_slice(self.slice_index - self._wheel.turned(float(event.delta[1])))

    def _slice_changed(self, event: Any = None) -> None:
        if self.volume is None or self._view is None:
            return
        self.refresh()
        for call in tuple(self.on_slice):
            call()

    def _window_changed(self, event: Any = None) -> None:
        if self.volume is None or self._view is None:
            return
        self.refresh()
        for call in self.on_window:
            call()

    def _display_changed(self) -> None:
        self._guard.keep(self.image)
        self.refresh()
        for call in tuple(self.on_display):
            call()

    def refresh(self, event: Any = None) -> None:
        """Paint what lies over the image again; a view with an overlay does."""
