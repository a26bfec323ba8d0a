"""Calipers on the canvas: the fitted line, the line as drawn and the value beside them.

A napari Shapes layer that is a view of the session's findings, rebuilt for the slice
shown. Values are labels of the canvas with a dark ground, so that they read on bone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace_napari import layers
from osteotrace_napari.value_labels import ValueLabels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.geometry import Array
    from osteotrace_napari.marks import Mark
    from osteotrace_napari.views import ReadingView

LAYER_NAME: Final = "calipers"
FITTED_WIDTH_PX: Final = 2.5
DRAWN_WIDTH_PX: Final = 1.2
BAR_PX: Final = 13.0
DRAWN_COLOUR: Final = "#aab6c2"
# Said of a line that looks shorter than it is.
CROSSES_PLANE: Final = "  (crosses this plane)"
# The line as drawn is dashed: this many dashes, as long as the gaps between them.
DASHES: Final = 9


class CaliperLayer:
    """Shows marks on the slice of a reading view.

    Attributes
    ----------
    layer : napari Shapes layer or None
        Made with the first volume shown.
    """

    def __init__(self, view: ReadingView) -> None:
        self.view = view
        self.layer: Any = None
        self.labels = ValueLabels(view.viewer)
        self._marks: tuple[Mark, ...] = ()
        self._preview: Mark | None = None
        view.on_slice.append(self.redraw)
        view.viewer.scene.camera.events.zoom.connect(self.redraw)
        view.viewer.scene.camera.events.center.connect(self._place_labels)
        view.viewer.canvas.events.size.connect(self._place_labels)

    def attach(self) -> Any:
        """Make the layer for the volume now shown and return it."""
        assert self.view.volume is not None
        self.layer = self.view.viewer.add_shapes(
            None,
            ndim=3,
            name=LAYER_NAME,
            opacity=1.0,
            **layers.placement(self.view.volume.grid),
        )
        self.layer.mode = "pan_zoom"
        self.view.viewer.layers.selection.active = self.view.image
        self.redraw()
        return self.layer

    def show(self, marks: Sequence[Mark]) -> None:
        """Show these marks and no others."""
        self._marks = tuple(marks)
        self.redraw()

    def show_preview(self, mark: Mark | None) -> None:
        """Show the caliper being drawn, or none."""
        if mark is not None or self._preview is not None:
            self._preview = mark
            self.redraw()

    @property
    def visible_marks(self) -> tuple[Mark, ...]:
        """The marks whose drawn or fitted line is seen on the slice shown."""
        volume = self.view.volume
        if volume is None:
            return ()
        view, index = self.view.plane_view, self.view.slice_index
        marks = (*self._marks, *(() if self._preview is None else (self._preview,)))
        # Either line: on thick slices the fit may end next to where it was drawn.
        return tuple(
            m
            for m in marks
            if layers.passes_slice(volume.grid, view, (*m.drawn, *m.fitted), index)
        )

    def redraw(self, event: Any = None) -> None:
        """Lay the marks onto the slice shown."""
        if self.layer is None or self.layer not in self.view.viewer.layers:
            return
        if self.view.volume is None:
            self.labels.show([])
            self._replace([], [], [], [])
            return
        lines: list[Array] = []
        widths: list[float] = []
        colours: list[str] = []
        uids: list[str] = []
        for mark in self.visible_marks:
            for line, width, colour in self._strokes(mark):
                lines.append(line)
                widths.append(width)
                colours.append(colour)
                uids.append(mark.uid)
        self._replace(lines, widths, colours, uids)
        self._place_labels()

    def _replace(
        self,
        lines: list[Array],
        widths: list[float],
        colours: list[str],
        uids: list[str],
    ) -> None:
        layer = self.layer
        # A Shapes layer costs as much to draw empty as the whole image does.
        if layer.visible != bool(lines):
            layer.visible = bool(lines)
        if not lines and not layer.nshapes:
            return
        layer.selected_data = set()
        layer.data = []
        if lines:
            layer.add(lines, shape_type="line", edge_width=widths, edge_color=colours)
            layer.features = {"uid": uids}
            layer.selected_data = set()

    def _strokes(self, mark: Mark) -> list[tuple[Array, float, str]]:
        """Return the lines of a mark with their width and colour."""
        volume = self.view.volume
        assert volume is not None
        grid, view, index = volume.grid, self.view.plane_view, self.view.slice_index
        scale = layers.display_scale(grid)
        zoom = self.view.viewer.scene.camera.zoom
        # Shapes measure widths in layer data, readers see pixels.
        pixel = 1.0 / (zoom * min(scale[axis] for axis in view.order[1:]))
        strokes: list[tuple[Array, float, str]] = []
        drawn = layers.on_slice(grid, view, mark.drawn, index)
        if mark.fitted:
            fitted = layers.on_slice(grid, view, mark.fitted, index)
            width = FITTED_WIDTH_PX * pixel * (1.5 if mark.strong else 1.0)
            bars = layers.end_bars(
                fitted, scale=scale, view=view, length_mm=BAR_PX / zoom
            )
            strokes += [(line, width, mark.colour) for line in (fitted, *bars)]
        colour = DRAWN_COLOUR if mark.fitted else mark.colour
        cuts = np.linspace(0.0, 1.0, 2 * DASHES)
        for a, b in zip(cuts[::2], cuts[1::2], strict=True):
            dash = drawn[0] + np.array([[a], [b]]) * (drawn[1] - drawn[0])
            strokes.append((dash, DRAWN_WIDTH_PX * pixel, colour))
        return strokes

    def _place_labels(self, event: Any = None) -> None:
        volume = self.view.volume
        if volume is None:
            self.labels.show([])
            return
        camera = self.view.viewer.scene.camera
        placed = []
        for mark in self.visible_marks:
            data = layers.on_slice(
                volume.grid, self.view.plane_view, mark.points, self.view.slice_index
            )
            ends = [
                layers.canvas_position(
                    point,
                    scale=layers.display_scale(volume.grid),
                    view=self.view.plane_view,
                    centre=camera.center,
                    zoom=camera.zoom,
                    size=self.view.viewer.canvas.size,
                )
                for point in data
            ]
            crosses = layers.is_foreshortened(
                volume.grid, self.view.plane_view, mark.points
            )
            text = f"{mark.text}{CROSSES_PLANE}" if crosses else mark.text
            placed.append((text, mark.colour, ends[0], ends[1]))
        self.labels.show(placed)
