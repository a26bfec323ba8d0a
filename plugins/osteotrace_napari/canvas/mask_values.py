"""Which number each voxel has in the picture of masks of one volume.

What lies on top: the mask in hand, then findings, the later ones over the earlier ones,
then labels that are open, then regions that were only searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.session.mask_parts import extent, on_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from osteotrace.regions import Mask
    from osteotrace.session.mask_parts import Window
    from osteotrace.volume import Volume

NOTHING: Final = 0
IN_HAND: Final = 1


@dataclass(frozen=True, slots=True)
class Shown:
    """A mask and its number in the picture, above `IN_HAND`."""

    mask: Mask
    number: int


class MaskValues:
    """The picture of the masks of a volume.

    Parameters
    ----------
    volume : Volume

    Attributes
    ----------
    values : (slices, rows, columns) uint8 array or None
        None until there is a mask.
    """

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.values: NDArray[np.uint8] | None = None
        self._shown: tuple[Shown, ...] = ()
        self._hand: NDArray[np.bool_] | None = None
        # Where the mask in hand was painted last.
        self._hand_box: Window | None = None
        self._placed: dict[int, tuple[Mask, Window, NDArray[np.bool_]] | None] = {}

    def show(self, shown: Sequence[Shown], hand: NDArray[np.bool_] | None = None) -> bool:
        """Show these masks, the lowest first, and the mask in hand; tell of a change.

        Parameters
        ----------
        shown : sequence of Shown
        hand : (slices, rows, columns) bool array, optional
            The mask in hand.
        """
        after = tuple(shown)
        same = len(after) == len(self._shown) and all(
            a.mask is b.mask and a.number == b.number
            for a, b in zip(after, self._shown, strict=True)
        )
        if same and hand is None and self._hand is None:
            return False
        if self.values is None:
            self.values = np.zeros(self.volume.grid.shape, np.uint8)
        both = () if same else (*self._shown, *after)
        boxes = [one[1] for one in map(self._place, both) if one]
        hands = (self._hand_box, None if hand is None else extent(hand))
        boxes += [box for box in hands if box is not None]
        self._shown, self._hand, self._hand_box = after, hand, hands[1]
        kept = {id(one.mask) for one in after}
        self._placed = {key: one for key, one in self._placed.items() if key in kept}
        for box in boxes:
            self._repaint(box)
        return bool(boxes)

    def touched(self, window: Window) -> None:
        """Show a window as the masks are now."""
        if self._hand is not None:
            self._hand_box = around(self._hand_box, window)
        self._repaint(window)

    def _repaint(self, window: Window) -> None:
        if self.values is None:
            return
        part = self.values[window]
        part[...] = NOTHING
        for one in self._shown:
            placed = self._place(one)
            if placed is not None:
                _paint(self.values, window, placed[1], placed[2], one.number)
        if self._hand is not None:
            part[self._hand[window]] = IN_HAND

    def stroke(self, window: Window, voxels: NDArray[np.bool_], *, erase: bool) -> None:
        """Show a stroke that goes on; `touched` takes it away again."""
        if self.values is None:
            self.values = np.zeros(self.volume.grid.shape, np.uint8)
        part = self.values[window]
        if erase:
            voxels = voxels & (part == IN_HAND)
        part[voxels] = NOTHING if erase else IN_HAND

    def _place(self, shown: Shown) -> tuple[Mask, Window, NDArray[np.bool_]] | None:
        """Return where a mask lies; None where its voxels are not the volume's."""
        key = id(shown.mask)
        if key not in self._placed:
            try:
                self._placed[key] = (shown.mask, *on_volume(self.volume, shown.mask))
            except OsteotraceError:
                self._placed[key] = None
        return self._placed[key]


def around(box: Window | None, window: Window) -> Window:
    """Return the box around two."""
    if box is None:
        return window
    a, b, c = (
        slice(min(one.start, other.start), max(one.stop, other.stop))
        for one, other in zip(box, window, strict=True)
    )
    return a, b, c


def _paint(
    values: NDArray[np.uint8],
    window: Window,
    box: Window,
    voxels: NDArray[np.bool_],
    number: int,
) -> None:
    """Give the voxels of a mask in a box their number, in a window alone."""
    common, inside = [], []
    for side, own, count in zip(window, box, values.shape, strict=True):
        first, end = max(side.start, own.start), min(side.stop, own.stop, count)
        if first >= end:
            return
        common.append(slice(first, end))
        inside.append(slice(first - own.start, end - own.start))
    values[tuple(common)][voxels[tuple(inside)]] = number
