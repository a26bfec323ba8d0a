"""Masks on a canvas: one Labels layer of small numbers, shared by all canvases.

Every canvas shows the same array, each through a layer of its own. The layer is for
looking: it is read-only to napari and takes none of its keys, so that nothing but the
session changes a mask. It lies exactly where the image does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace_napari.canvas import layers
from osteotrace_napari.keyboard import guard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.volume_view import VolumeView

    Window = tuple[slice, slice, slice]

NAME: Final = "masks"
# How a mask covers the image: the mask in hand; findings and labels, through which bone
# is still read; and what was only searched.
STRONG: Final = 0.4
FILLED: Final = 0.25
FAINT: Final = 0.1
_NOTHING: Final = (0.0, 0.0, 0.0, 0.0)


class MaskLayer:
    """The masks on one canvas.

    Parameters
    ----------
    view : VolumeView
        Whose volume they are shown on; where it shows resampled voxels, none are shown.
    """

    def __init__(self, view: VolumeView) -> None:
        self._view = view
        self._volume: Volume | None = None
        self._values: NDArray[np.uint8] | None = None
        self._colours: dict[int, tuple[float, ...]] = {}
        self.layer: Any = None
        view.on_display.append(self._display_changed)

    def show(
        self,
        volume: Volume | None,
        values: NDArray[np.uint8] | None,
        colours: Mapping[int, tuple[float, ...]],
    ) -> None:
        """Show an array of masks of a volume, 0 for nothing, or no masks.

        Parameters
        ----------
        volume : Volume or None
        values : (slices, rows, columns) uint8 array or None
            Shown as it is, without a copy: `refresh` shows what was changed in it.
        colours : mapping of int to (red, green, blue, alpha)
            Of each number in it, 0 to 1.
        """
        self._volume, self._values = volume, values
        changed = self._colours != dict(colours)
        self._colours = dict(colours)
        self._display_changed()
        if self.layer is not None and changed:
            self._colour()
            self.refresh()

    def refresh(self, window: Window | None = None) -> None:
        """Show what was changed in the array, in a window of it or anywhere."""
        view, layer = self._view, self.layer
        if layer is None or view.volume is None:
            return
        axis = view.plane_view.order[0]
        shown = range(view.slice_count)
        if window is None or view.slice_index in shown[window[axis]] or view.slab[0]:
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def close(self) -> None:
        """Let go of the canvas."""
        self._values = self._volume = None
        self._display_changed()
        if self._display_changed in self._view.on_display:
            self._view.on_display.remove(self._display_changed)

    def _display_changed(self) -> None:
        """Have a layer where there is something to show, and none elsewhere."""
        view, values = self._view, self._values
        fits = (
            values is not None
            and view.image is not None
            and view.volume is self._volume
            and view.shown is self._volume
        )
        own = [layer for layer in view.viewer.layers if layer is self.layer]
        if own and fits and own[0].data.base is values:
            return
        self.layer = None
        for layer in own:
            view.viewer.layers.remove(layer)
        if fits and values is not None:
            self._make(values)

    def _make(self, values: NDArray[np.uint8]) -> None:
        view = self._view
        # napari is to look at it, never to paint in it.
        seen = values.view()
        seen.setflags(write=False)
        self.layer = view.viewer.add_labels(
            seen, name=NAME, opacity=1.0, **layers.placement(view.grid)
        )
        self.layer.editable = False
        guard(self.layer)
        self._colour()
        # The image stays the active layer.
        view.viewer.layers.selection.active = view.image

    def _colour(self) -> None:
        from napari.utils.colormaps import DirectLabelColormap

        colours: dict[int | None, Any] = {None: np.array(_NOTHING), 0: np.array(_NOTHING)}
        colours |= {number: np.array(rgba) for number, rgba in self._colours.items()}
        self.layer.colormap = DirectLabelColormap(color_dict=colours)
