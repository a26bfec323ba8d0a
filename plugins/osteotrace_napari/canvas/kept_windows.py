"""The window of each study that is compared, kept while canvases show this and that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osteotrace_napari.canvas.overlaying import Overlaid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.display import Display, Displays
    from osteotrace_napari.canvas.linking import Pair
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.canvas.windows import Window


class KeptWindows:
    """Width and level by study.

    Parameters
    ----------
    displays : Displays
        Tell the window that a study begins with.
    """

    def __init__(self, displays: Displays) -> None:
        self._displays = displays
        self._windows: dict[Any, Window] = {}

    def keep(self, views: Iterable[ReadingView], pair: Pair | None) -> None:
        """Remember the windows of views as they are."""
        for view in views:
            if view.display is not None and view.is_ready:
                self._windows[_whose(view.display, pair)] = view.window

    def give(self, view: ReadingView, pair: Pair | None) -> None:
        """Show in a view the window that its study had."""
        if view.display is not None:
            kept = self._windows.get(_whose(view.display, pair))
            if kept is not None:
                view.set_window(kept)

    def of(self, volume: Volume) -> Window:
        """Return the window of a study."""
        kept = self._windows.get(id(volume))
        return kept or self._displays.of(volume).presets[0]

    def forget(self) -> None:
        """Forget all of them."""
        self._windows.clear()


def _whose(display: Display, pair: Pair | None) -> Any:
    """Return whose values a window is of: in one picture those of the earlier study."""
    if display.centred:
        return "difference"
    if isinstance(display.values, Overlaid) and pair is not None:
        return id(pair.earlier)
    return id(display.volume)
