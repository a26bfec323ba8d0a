"""What napari must not do to an image under its marks: move it, turn it, tilt it.

Marks, letters and values are painted where the image is meant to lie. What napari offers
by keys, buttons and menus to lay it elsewhere is refused, whoever asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import ref

import numpy as np

from osteotrace_napari import keyboard

if TYPE_CHECKING:
    from osteotrace_napari.canvas.volume_view import VolumeView

# What napari has of the place of a layer, each with an event of its name.
_PLACE: Final = ("affine", "rotate", "scale", "shear", "translate")


class Guard:
    """Keeps the image of a view, and its viewer, as the view has laid them.

    Parameters
    ----------
    view : VolumeView
    """

    def __init__(self, view: VolumeView) -> None:
        self._view = ref(view)
        self._place: dict[str, Any] = {}
        self._layer: Any = None
        events, grid = view.viewer.dims.events, view.viewer.canvas.grid.events
        # Before napari has drawn anything of it.
        for emitter in (events.ndisplay, events.order, grid.enabled):
            emitter.connect(self._lay_flat, position="first")

    def keep(self, layer: Any) -> None:
        """Keep a layer where it lies now; None lets go."""
        view = self._view()
        if layer is self._layer or view is None:
            return
        self._let_go(view.viewer)
        self._layer = layer
        if layer is None:
            return
        keyboard.guard(view.viewer)
        keyboard.guard(layer)
        # No mode but to look; dragging a box would shift the image.
        layer.mode = "pan_zoom"
        layer.editable = False
        self._place = {name: _of(layer, name) for name in _PLACE}
        for name in _PLACE:
            getattr(layer.events, name).connect(self._put_back)

    def close(self) -> None:
        """Let go of the layer and of the viewer."""
        view = self._view()
        if view is None:
            return
        self._let_go(view.viewer)
        events, grid = view.viewer.dims.events, view.viewer.canvas.grid.events
        for emitter in (events.ndisplay, events.order, grid.enabled):
            emitter.disconnect(self._lay_flat)

    def _let_go(self, viewer: Any) -> None:
        keyboard.release(viewer)
        if self._layer is not None:
            for name in _PLACE:
                getattr(self._layer.events, name).disconnect(self._put_back)
        self._layer = None

    def _put_back(self, event: Any = None) -> None:
        """Lay the image back where it was."""
        for name, value in self._place.items():
            if not np.array_equal(_of(self._layer, name), value):
                setattr(self._layer, name, value)

    def _lay_flat(self, event: Any = None) -> None:
        """Show one slice of one plane, and all layers in one place."""
        view = self._view()
        # While a view turns to another plane, it has none.
        if view is None or not view.is_ready:
            return
        dims, order = view.viewer.dims, view.plane_view.order
        if dims.ndisplay != 2:
            dims.ndisplay = 2
        # A user's own layer may have more axes.
        if dims.ndim == len(order) and tuple(dims.order) != tuple(order):
            dims.order = order
        if view.viewer.canvas.grid.enabled:
            view.viewer.canvas.grid.enabled = False


def keep_no_sliders(model: Any, qt_viewer: Any) -> None:
    """Hide the sliders of a canvas and leave them as they are.

    napari makes new ones whenever a canvas gets its image, and never frees the old.
    """
    sliders, events = qt_viewer.dims, model.dims.events
    sliders.hide()
    events.ndim.disconnect(sliders._update_nsliders)
    events.current_step.disconnect(sliders._update_slider)
    events.range.disconnect(sliders._update_range)
    events.last_used.disconnect(sliders._on_last_used_changed)
    for emitter in (events.ndisplay, events.order):
        emitter.disconnect(sliders._update_display)


def _of(layer: Any, name: str) -> Any:
    value = getattr(layer, name)
    return np.array(getattr(value, "affine_matrix", value), dtype=np.float64)
