"""A reader at the window: looks for a slice, goes to a place, takes a tool in hand."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

import numpy as np
from tests.window import sight
from tests.window.words import find_word

from osteotrace_napari import keys

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from tests.window.program import Program
    from tests.window.sight import Sight

    from osteotrace.volume import Volume

# Words come a moment after what they tell.
READING_S: Final = 60.0
# So often a slice is looked for where it was before, until it is sought all over.
LOOKS_NEARBY: Final = 8
# The window a CT opens with: bone, width 2000, level 500.
BONE: Final = (-500.0, 1500.0)


def key_of(command: str) -> str:
    """Return the default key of a command of the window."""
    return keys.command_of(command).key


class Reader:
    """Who reads one volume in the window, by eye and hand alone.

    Parameters
    ----------
    program : Program
    volume : Volume
        What the reader knows of the images: how each slice looks and where it lies.
    limits : (low, high)
        The window the images are shown with.
    """

    def __init__(
        self, program: Program, volume: Volume, *, limits: tuple[float, float] = BONE
    ) -> None:
        self.program = program
        self.volume = volume
        self.limits = limits
        self.plane = "axial"
        self.index = 0
        self.sight: Sight | None = None
        self._known: dict[str, Sight] = {}

    # Eyes ------------------------------------------------------------------------

    def look_for(self, plane: str, index: int | None = None) -> Sight:
        """Look until a slice is on the screen; the middle one by default."""
        axes, _ = sight.plane_axes(self.volume.grid, plane)
        if index is None:
            index = (self.volume.grid.shape[axes[0]] - 1) // 2
        looks = count()
        self.sight = self._known[plane] = self.program.wait(
            f"{plane} slice {index}", lambda: self._seen(plane, index, next(looks))
        )
        self.plane, self.index = plane, index
        return self.sight

    def _seen(self, plane: str, index: int, look: int) -> Sight | None:
        """Look where the plane was before; everywhere where it was not, or in vain."""
        known = self._known.get(plane)
        near = None if look and look % LOOKS_NEARBY == 0 else known
        try:
            return sight.find_slice(
                self.program.screen.rest(),
                self.volume,
                plane,
                index,
                self.limits,
                near=near,
            )
        except sight.NotSeen:
            return None

    def at(self, point: ArrayLike) -> tuple[int, int]:
        """Return where a patient point is on the screen."""
        assert self.sight is not None, "look for a slice first"
        return self.sight.pixel(point)

    def slice_of(self, plane: str, point: ArrayLike) -> int:
        """Return the slice of a plane nearest to a point."""
        axes, _ = sight.plane_axes(self.volume.grid, plane)
        place = np.asarray(self.volume.grid.to_index(point))[axes[0]]
        return int(np.clip(np.rint(place), 0, self.volume.grid.shape[axes[0]] - 1))

    # Hands -----------------------------------------------------------------------

    def press(self, command: str) -> None:
        """Press the key of a command."""
        self.program.key(key_of(command))

    def show(self, plane: str) -> None:
        """Show another plane of the volume."""
        self.press(plane)
        self.look_for(plane)

    def go_to(self, point: ArrayLike) -> None:
        """Turn the wheel to the slice of a point, and see that it is that slice."""
        assert self.sight is not None, "look for a slice first"
        target = self.slice_of(self.plane, point)
        if target != self.index:
            middle = self.volume.grid.to_patient(
                (np.array(self.volume.grid.shape) - 1) / 2
            )
            self.program.wheel(self.index - target, self.at(middle))
        self.look_for(self.plane, target)

    def drag(self, start: ArrayLike, end: ArrayLike, *, steps: int = 12) -> None:
        """Drag from one patient point to another."""
        self.program.drag(self.at(start), self.at(end), steps=steps)

    def click(self, point: ArrayLike) -> None:
        """Click on a patient point."""
        self.program.click(self.at(point))

    def read(self, words: str, nth: int = 0) -> tuple[int, int] | None:
        """Return where words stand on the screen, None where they do not."""
        return find_word(self.program.screen.rest(), words, nth=nth)

    def wait_for_words(self, words: str, *, nth: int = 0) -> tuple[int, int]:
        """Read the screen until words stand on it; which of several, from the top."""
        seen = partial(self.read, words, nth)
        x, y = self.program.wait(f"the words {words!r}", seen, READING_S)
        return int(x), int(y)

    def wait_for_no_words(self, words: str) -> None:
        """Read the screen until words stand on it no more."""
        gone = partial(self._is_gone, words)
        self.program.wait(f"no words {words!r}", gone, READING_S)

    def _is_gone(self, words: str) -> bool:
        return self.read(words) is None

    def click_words(self, words: str, *, nth: int = 0) -> None:
        """Click where words stand."""
        self.program.click(self.wait_for_words(words, nth=nth))
