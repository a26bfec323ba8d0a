"""Which grey values a canvas shows: presets, and width and level by right-drag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osteotrace_napari.canvas.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A drag over this many pixels changes width or level by the present width.
WINDOW_DRAG_PX: Final = 400
RIGHT_BUTTON: Final = 2
# A window narrower than this share of the image's own is of no use; of one grey value,
# neither.
LEAST_SHARE: Final = 1e-3
LEAST_WIDTH: Final = 1.0
# Width and level are those of a preset where they differ by less than this share of
# the least width.
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
    same = _SAME * least_width(presets)
    for preset in presets:
        if abs(preset.width - width) < same and abs(preset.level - level) < same:
            return preset
    return Window("", width, level)


def least_width(presets: Sequence[Window]) -> float:
    """Return the least width for an image: less than 1 where its own values are."""
    widest = max((preset.width for preset in presets), default=LEAST_WIDTH / LEAST_SHARE)
    return min(LEAST_WIDTH, LEAST_SHARE * widest)


def dragged(start: Window, event: Any, presets: Sequence[Window]) -> Iterator[Window]:
    """Yield the window while the right button drags: width across, level downwards.

    The event is consumed from the press on, else the camera zooms.
    """
    least = least_width(presets)
    event.handled = True
    x, y = event.pos
    gain = max(start.width, least) / WINDOW_DRAG_PX
    yield start
    while event.type == "mouse_move":
        event.handled = True
        width = max(start.width + (event.pos[0] - x) * gain, least)
        yield Window("", width, start.level + (event.pos[1] - y) * gain)
