"""The picture of masks on every canvas: in hand, of findings, of labels that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.findings import shares_space
from osteotrace.protocol import TABLES
from osteotrace.regions import Mask
from osteotrace_napari import wording
from osteotrace_napari.canvas.mask_layer import FAINT, FILLED, STRONG, MaskLayer
from osteotrace_napari.canvas.mask_values import IN_HAND, MaskValues, Shown
from osteotrace_napari.colours import LIVE_COLOUR, STATE_COLOURS
from osteotrace_napari.tools.grips import mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from osteotrace.segmentation.brush import Touched
    from osteotrace.session import Held
    from osteotrace.session.mask_parts import Window
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room.reading_room import ReadingRoom

# Tools that look for something in a region: what they find stands out, the region is
# faint.
SEARCHING: Final = frozenset({"sequestra", "moth_eaten", "gas", "periosteal_reaction"})
# Labels that are open: one colour each, again from the first after the last.
LABEL_COLOURS: Final = (
    "#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6",
    "#bcf60c", "#fabebe", "#008080", "#e6beff", "#9a6324",
)  # fmt: skip
_STATES: Final = tuple(STATE_COLOURS)
_FIRST_STATE: Final = IN_HAND + 1
_FIRST_FAINT: Final = _FIRST_STATE + len(_STATES)
_FIRST_LABEL: Final = _FIRST_FAINT + len(_STATES)


def _rgba(colour: str, alpha: float) -> tuple[float, ...]:
    """Return a colour such as ``"#ffd60a"`` as four numbers from 0 to 1."""
    return (*(int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)), alpha)


COLOURS: Final[dict[int, tuple[float, ...]]] = {
    IN_HAND: _rgba(LIVE_COLOUR, STRONG),
    **{
        first + n: _rgba(STATE_COLOURS[state], alpha)
        for first, alpha in ((_FIRST_STATE, FILLED), (_FIRST_FAINT, FAINT))
        for n, state in enumerate(_STATES)
    },
    **{_FIRST_LABEL + n: _rgba(colour, FILLED) for n, colour in enumerate(LABEL_COLOURS)},
}


class MaskPicture:
    """What masks there are to see, one picture a volume, and the layers that show it.

    Parameters
    ----------
    room : ReadingRoom
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self._values: dict[int, MaskValues] = {}
        self._layers: dict[int, tuple[ReadingView, MaskLayer]] = {}

    def show(self, in_hand: Callable[[Volume], str]) -> None:
        """Show the masks of every view's volume.

        Parameters
        ----------
        in_hand : callable
            Returns the UID of the mask in hand of a volume, or an empty text.
        """
        room = self._room
        volumes = {
            id(view.volume): view.volume
            for view in room.views
            if view.volume is not None and not view.why_no_mm
        }
        self._values = {key: one for key, one in self._values.items() if key in volumes}
        for volume in volumes.values():
            self._show_volume(volume, in_hand(volume))

    def stroke(self, volume: Volume, touched: Touched, *, erase: bool) -> None:
        """Show a stroke that goes on; `touched` takes it away again."""
        values = self._values_of(volume)
        values.stroke(touched.window, touched.voxels, erase=erase)
        self._show_values(volume, touched.window)

    def touched(self, volume: Volume, window: Window) -> None:
        """Show a window of a volume as its masks are now."""
        self._values_of(volume).touched(window)
        self._show_values(volume, window)

    def _show_volume(self, volume: Volume, uid: str) -> None:
        session = self._room.session
        values = self._values_of(volume)
        hand = session.masks.voxels(uid) if uid in session.masks else None
        shown = [
            *self._labels(volume),
            *_finding_masks(session.held, volume, without=uid),
        ]
        changed = values.show(shown, hand)
        for view, layer in self._layers_of(volume):
            layer.show(volume, values.values, COLOURS)
            if changed and view.volume is volume:
                layer.refresh()

    def _labels(self, volume: Volume) -> Iterator[Shown]:
        """Yield the labels of a file that is open on a volume."""
        try:
            labels = self._room.session.imported.of(volume)
        except OsteotraceError:
            return
        for n, label in enumerate(() if labels is None else labels.labels):
            yield Shown(label.mask, _FIRST_LABEL + n % len(LABEL_COLOURS))

    def _values_of(self, volume: Volume) -> MaskValues:
        if id(volume) not in self._values:
            self._values[id(volume)] = MaskValues(volume)
        return self._values[id(volume)]

    def _layers_of(self, volume: Volume) -> Iterator[tuple[ReadingView, MaskLayer]]:
        """Yield the views of a volume, each with its layer of masks."""
        views = {id(view): view for view in self._room.views}
        self._layers = {
            key: pair for key, pair in self._layers.items() if views.get(key) is pair[0]
        }
        for key, view in views.items():
            if view.volume is volume:
                if key not in self._layers:
                    self._layers[key] = (view, MaskLayer(view))
                yield self._layers[key]

    def _show_values(self, volume: Volume, window: Window) -> None:
        """Show a window of the picture in every view of a volume."""
        values = self._values_of(volume).values
        for _, layer in self._layers_of(volume):
            if layer.layer is None:
                layer.show(volume, values, COLOURS)
            layer.refresh(window)


def _finding_masks(held: Sequence[Held], volume: Volume, *, without: str) -> list[Shown]:
    """Return the masks of findings with their numbers, what was searched lowest."""
    searched, found = [], []
    for one in held:
        if without in (one.uid, one.leader) and without:
            continue
        state = _STATES.index(wording.state(one.finding))
        masks = [
            region
            for region in one.finding.regions
            if isinstance(region, Mask) and shares_space(one.finding, region, volume)
        ]
        for mask in masks:
            if _is_searched(one, mask) and _is_ball(one):
                # Its circle is drawn: a fill would only veil what was searched.
                continue
            if _is_searched(one, mask):
                searched.append(Shown(mask, _FIRST_FAINT + state))
            else:
                found.append(Shown(mask, _FIRST_STATE + state))
    return [*searched, *found]


def _is_ball(held: Held) -> bool:
    """Tell whether the region of a finding is a ball: its circle is on the canvas."""
    return held.entry is not None and bool(mark_of(held.entry).balls)


def _is_searched(held: Held, mask: Mask) -> bool:
    """Tell whether a mask is the region that its finding was looked for in."""
    tool = next((t for t, kind in TABLES.items() if type(held.entry) is kind), "")
    return tool in SEARCHING and mask.role in ("region", "marked region")
