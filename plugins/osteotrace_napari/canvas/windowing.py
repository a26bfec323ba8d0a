"""Which grey values a canvas shows: presets, and width and level by right-drag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osteotrace_napari.canvas.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A drag over this many pixels changes width or level by the present width.
WINDOW_DRAG_PX: Final = 400
RIGHT_BUTTON: Final = 2
# Width and level are those of a preset where they differ by less than this.
_SAME: Final = 0.5


def apply(image: Any, window: Window) -> None:
    """Show the grey values of a napari Image layer by width and level."""
    low, high = window.limits
    # napari clips limits to their range: the range goes first.
    old_low, old_high = image.contrast_limits_range
    image.contrast_limits_range = min(low, old_low), max(high, old_high)
    image.contrast_limits = low, high


def current(image: Any, presets: Sequence[Window]) -> Window:
    """Return the window of a layer; its name is that of the preset it equals."""
    low, high = image.contrast_limits
    width, level = float(high - low), float(high + low) / 2
    for preset in presets:
        if abs(preset.width - width) < _SAME and abs(preset.level - level) < _SAME:
            return preset
    return Window("", width, level)


def dragged(start: Window, event: Any) -> Iterator[Window]:
    """Yield the window while the right button drags: width across, level downwards.

    The event is consumed from the press on, else the camera zooms.
    """
    event.handled = True
    x, y = event.pos
    gain = max(start.width, 1.0) / WINDOW_DRAG_PX
    yield start
    while event.type == "mouse_move":
        event.handled = True
        width = max(start.width + (event.pos[0] - x) * gain, 1.0)
        yield Window("", width, start.level + (event.pos[1] - y) * gain)
