"""What a canvas has drawn images with, kept as long as the canvas.

vispy deletes the textures of an image that is let go while other visuals may still use
them: the next Labels layer on the canvas then crashes in the driver (napari 0.9.2, vispy
0.17, Mesa: each time). Each image that was replaced costs the slice it showed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class KeptDrawings:
    """Keeps the vispy node of every layer that leaves a viewer.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    qt_viewer : callable
        Returns the QtViewer that draws it, None without one.
    """

    def __init__(self, viewer: Any, qt_viewer: Callable[[], Any]) -> None:
        self._layers = viewer.layers
        self._qt_viewer = qt_viewer
        self._nodes: list[Any] = []
        self._layers.events.removing.connect(self._removing)

    def close(self) -> None:
        """Let go of everything, with the canvas."""
        self._layers.events.removing.disconnect(self._removing)
        self._nodes.clear()

    def _removing(self, event: Any) -> None:
        qt_viewer = self._qt_viewer()
        if qt_viewer is not None:
            visual = qt_viewer.canvas.layer_to_visual.get(self._layers[event.index])
            if visual is not None:
                self._nodes.append(visual.node)
