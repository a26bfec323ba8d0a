"""What is displayed of a volume: its own slices, or planes that had to be resampled.

A stack whose slices are tilted or unevenly spaced is shown as acquired in its own plane,
slice by slice; any other plane of it needs a straight grid. What was made once is kept,
so that all canvases share one array.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.volume.resampling import rectified, rectilinear_affine
from osteotrace_napari.canvas import layers, windows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from osteotrace.geometry import Grid
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.layers import Plane
    from osteotrace_napari.canvas.windows import Window

RESAMPLED: Final = "resampled"
NOT_TO_SCALE: Final = "not to scale"


@dataclass(frozen=True, slots=True, eq=False)
class Display:
    """Values that a canvas shows, and where they lie.

    Parameters
    ----------
    volume : Volume
        What is measured.
    shown : Volume
        What is displayed: the volume itself, or what was resampled from it.
    values : (slices, rows, columns) array
        Rescaled voxels of ``shown``, shared by all canvases; or what is read like an
        array and made when it is.
    presets : tuple of Window
        The windows that fit it.
    badge : str
        What must stand beside the picture, such as ``"resampled"``; else empty.
    refuses : str
        Why nothing is measured on this picture; empty where marks can be made.
    like : Grid or None
        The grid whose planes it shows, where that was laid into this frame of reference:
        its axes and flips hold, whatever way they lie here.
    colormap : str or napari Colormap
    centred : bool
        Whether the middle of the window stays zero: signed values.
    """

    volume: Volume
    shown: Volume
    values: Any
    presets: tuple[Window, ...]
    badge: str = ""
    refuses: str = ""
    like: Grid | None = None
    colormap: Any = "gray"
    centred: bool = False


class Displays:
    """Makes displays, each once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, bool], Display] = {}

    def of(self, volume: Volume, plane: Plane | None = None) -> Display:
        """Return what a plane of a volume is shown from; as acquired without a plane.

        Raises
        ------
        OsteotraceError
            If the plane needs resampling and there is one slice only.
        """
        straight = plane is not None and needs_resampling(volume.grid, plane)
        made = self._made.get((id(volume), straight))
        if made is None:
            made = self._resampled(volume) if straight else _as_acquired(volume)
            # It holds its volume, so the number of the key stays that volume's own.
            self._made[id(volume), straight] = made
        return made

    def adopt(self, volume: Volume, values: NDArray[Any]) -> None:
        """Take values that a layer already shows as those of a volume as acquired."""
        presets = windows.presets(volume.identity.modality, values)
        self._made[id(volume), False] = Display(volume, volume, values, presets)

    def keep(self, volumes: Iterable[Volume]) -> None:
        """Let go of the displays of all other volumes."""
        kept = {id(volume) for volume in volumes}
        # Another one may be made beside the window meanwhile.
        made = list(self._made.items())
        self._made = {key: one for key, one in made if key[0] in kept}

    def through(self, volume: Volume, resampled: Volume, badge: str) -> Display:
        """Return the display of what was resampled from a volume, with its badge."""
        values = _for_the_eye(volume, resampled)
        # Measuring is done on the volume itself: other voxels are not kept.
        shown = replace(
            resampled,
            voxels=values,
            slope=np.ones(len(values)),
            intercept=np.zeros(len(values)),
        )
        return Display(volume, shown, values, self.of(volume).presets, badge)

    def _resampled(self, volume: Volume) -> Display:
        return self.through(volume, rectified(volume), RESAMPLED)


def _for_the_eye(volume: Volume, resampled: Volume) -> NDArray[Any]:
    """Return rescaled values; whole ones where the volume has: half the memory."""
    values = layers.image_values(resampled)
    if not np.issubdtype(layers.image_values_type(volume), np.integer):
        return values
    limits = np.iinfo(np.int16)
    whole = np.empty(values.shape, np.int16)
    for k, plane in enumerate(values):
        whole[k] = np.clip(np.rint(plane), limits.min, limits.max)
    whole.setflags(write=False)
    return whole


def needs_resampling(grid: Grid, plane: Plane) -> bool:
    """Tell whether a plane of a grid cannot be shown from its voxels as they lie."""
    return layers.acquired_plane(grid) != plane and rectilinear_affine(grid) is None


def _as_acquired(volume: Volume) -> Display:
    values = layers.image_values(volume)
    presets = windows.presets(volume.identity.modality, values)
    return Display(volume, volume, values, presets)
