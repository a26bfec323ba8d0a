"""What is displayed of two studies that are compared: each alone, or both in one picture.

The lattice is that of the earlier study's plane. The later one is sampled on it slice by
slice, as it is looked at; whole volumes are never resampled for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from osteotrace.alignment import moved_grid
from osteotrace.errors import OsteotraceError
from osteotrace.volume.laid_planes import LaidPlanes
from osteotrace.volume.signal_ratio import signal_ratio
from osteotrace_napari.canvas import layers
from osteotrace_napari.canvas.display import Display, Displays
from osteotrace_napari.canvas.linking import PARALLEL_DEG
from osteotrace_napari.canvas.overlaying import (
    Checkerboard,
    Overlaid,
    Swipe,
    Way,
    difference,
)
from osteotrace_napari.canvas.windows import Window

if TYPE_CHECKING:
    from osteotrace.geometry import Grid
    from osteotrace.volume import Volume
    from osteotrace_napari.canvas.layers import Plane
    from osteotrace_napari.canvas.linking import Link

CompareMode = Literal["side by side", "swipe", "checkerboard", "difference"]
MODES: Final[tuple[CompareMode, ...]] = (
    "side by side",
    "swipe",
    "checkerboard",
    "difference",
)

OWN: Final = "own plane"
# Windows of a difference of Hounsfield units.
HU_DIFFERENCES: Final = (
    Window("±500 HU", 1000.0, 0.0),
    Window("±200 HU", 400.0, 0.0),
)
# Places that two MR images are matched at: a share of the slices, rows and columns.
_SAMPLED: Final = 24
# Lower in the later study is blue, higher is orange; no change is grey, and black is
# what one of the two does not show.
_DIVERGING: Final = (
    (0.72, 0.93, 1.0, 1.0),
    (0.10, 0.55, 0.95, 1.0),
    (0.20, 0.21, 0.23, 1.0),
    (0.95, 0.50, 0.08, 1.0),
    (1.0, 0.94, 0.70, 1.0),
)


class ComparedDisplays:
    """Makes the displays of one pair of studies, each once.

    Parameters
    ----------
    displays : Displays
        Of the volumes as they are.
    link : Link
        The pair, and how it goes together.
    main : Volume
        The one of the two that is read: both in one picture lie in its space.
    """

    def __init__(self, displays: Displays, link: Link, main: Volume) -> None:
        self._displays, self._link, self.main = displays, link, main
        self._kept: dict[Any, Display] = {}
        self._laid: dict[int, LaidPlanes] = {}

    def earlier(self, plane: Plane) -> Display:
        """Return the earlier study in one of its planes."""
        return self._displays.of(self._link.pair.earlier, plane)

    def own(self, plane: Plane) -> tuple[Display, Plane]:
        """Return the later study in its own plane nearest to one of the earlier's.

        The angle between the two is said where they were registered.
        """
        pair, shown = self._link.pair, self.earlier(plane).shown.grid
        across = layers.across_plane(shown, plane)
        angles = {
            own: self._link.angle_between(
                across, layers.across_plane(pair.later.grid, own)
            )
            for own in layers.PLANES
        }
        nearest = min(angles, key=lambda own: angles[own])
        display = self._displays.of(pair.later, nearest)
        words = [OWN]
        if pair.transform is not None:
            angle = angles[nearest]
            words = [f"{OWN}, {angle:.1f}° from {pair.days[0]}"]
            if angle < PARALLEL_DEG:
                words = [f"{OWN}, parallel to {pair.days[0]}"]
        if display.badge:
            words.insert(0, display.badge)
        return self._once(
            ("own", nearest, plane), lambda: replace(display, badge=": ".join(words))
        ), nearest

    def later(self, plane: Plane) -> Display:
        """Return the later study in a plane of the earlier one."""

        def made() -> Display:
            base, pair = self.earlier(plane), self._link.pair
            return Display(
                pair.later,
                _placed(pair.later, self._lattice(base.shown.grid, pair.later)),
                self._planes(base),
                self._displays.of(pair.later).presets,
                f"resampled: plane of {pair.days[0]}",
                like=base.shown.grid,
            )

        return self._once(("later", plane), made)

    def overlaid(
        self, mode: CompareMode, plane: Plane, *, checker_mm: float, share: float
    ) -> Display:
        """Return both studies in one picture.

        Raises
        ------
        OsteotraceError
            If their values cannot be subtracted.
        """
        if mode == "difference":
            return self._once((mode, plane), lambda: self._difference(plane))
        base = self.earlier(plane)
        grid = base.shown.grid
        view = layers.plane_view(grid, plane)
        way: Way
        if mode == "swipe":
            way = Swipe.across(view, grid.shape, share)
        else:
            # A single slice has no gap: any will do.
            steps = np.nan_to_num(grid.spacing, nan=1.0).tolist()
            axes = view.order[1], view.order[2]
            way = Checkerboard(axes, (steps[axes[0]], steps[axes[1]]), checker_mm)
        first, second = self._link.pair.days
        words = mode if mode == "swipe" else f"{mode} {checker_mm:g} mm"
        badge = f"{words}: {first} | {second}, resampled"
        return self._both(base, way, badge=badge, refuses=mode)

    def _difference(self, plane: Plane) -> Display:
        pair, base = self._link.pair, self.earlier(plane)
        units = pair.earlier.unit, pair.later.unit
        modalities = {volume.identity.modality for volume in pair.volumes}
        if len(modalities) > 1 or units[0] != units[1]:
            raise OsteotraceError(
                f"values of {' and '.join(sorted(modalities))}: their difference means "
                "nothing",
                expected="two CT, or two MR images of one sequence",
                advice="use swipe or the checkerboard",
            )
        if modalities == {"MR"}:
            laid = self._planes(base)
            gain = signal_ratio(_sampled(base.values), _sampled(laid))
            widest = max(preset.width for preset in base.presets)
            presets = tuple(
                Window(f"±{half:.3g}", 2 * half, 0.0) for half in (widest / 4, widest / 2)
            )
            scaled = f"later × {gain:.3g} (median ratio)"
        else:
            gain, presets, scaled = 1.0, HU_DIFFERENCES, "HU"
        made = self._both(
            base,
            difference,
            gain=gain,
            badge=f"{pair.days[1]} − {pair.days[0]}, {scaled}, resampled",
            refuses="difference",
        )
        return replace(made, presets=presets, colormap=_diverging(), centred=True)

    def matched(self, earlier: Window, later: Window) -> tuple[float, float]:
        """Return gain and offset that show the later values as their window does."""
        if len({volume.unit for volume in self._link.pair.volumes}) == 1 and (
            self.main.identity.modality == "CT"
        ):
            return 1.0, 0.0
        gain = earlier.width / later.width
        return gain, earlier.limits[0] - gain * later.limits[0]

    def with_windows(self, display: Display, earlier: Window, later: Window) -> Display:
        """Return a swipe or checkerboard with each study in its own window."""
        gain, offset = self.matched(earlier, later)
        both = display.values
        assert isinstance(both, Overlaid)
        return replace(display, values=both.scaled(gain, offset))

    def _both(
        self, base: Display, way: Way, *, badge: str, refuses: str, gain: float = 1.0
    ) -> Display:
        values = Overlaid(base.values, self._planes(base), way, gain=gain)
        shown = self._link.pair.earlier
        grid = base.shown.grid
        if self.main is not shown:
            shown, grid = self.main, self._lattice(grid, self.main)
        return Display(
            self.main,
            _placed(shown, grid),
            values,
            base.presets,
            badge,
            refuses=f"two studies lie in one picture ({refuses}); show them side by side",
            like=base.shown.grid,
        )

    def _planes(self, base: Display) -> LaidPlanes:
        """Return the later study on the lattice of a display of the earlier one."""
        grid = base.shown.grid
        if id(grid) not in self._laid:
            later = self._displays.of(self._link.pair.later)
            target = self._lattice(grid, later.volume)
            laid = LaidPlanes(later.values, later.volume.grid, target)
            self._laid[id(grid)] = laid
        return self._laid[id(grid)]

    def _lattice(self, grid: Grid, later: Volume) -> Grid:
        """Return a grid of the earlier study where it lies in the later one."""
        transform = self._link.pair.transform
        if transform is None:
            raise OsteotraceError(
                "two studies that are not aligned",
                expected="a registration that was accepted",
                advice="look at them side by side, each in its own plane",
            )
        return moved_grid(grid, transform)

    def _once(self, key: Any, make: Any) -> Display:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


def _placed(volume: Volume, grid: Grid) -> Volume:
    """Return a volume that says where a picture lies; its voxels are in the display."""
    nothing = np.broadcast_to(np.zeros((), np.float32), grid.shape)
    count = grid.shape[0]
    return replace(
        volume,
        voxels=nothing,
        grid=grid,
        slope=np.ones(count),
        intercept=np.zeros(count),
        source_grid=volume.source_grid or volume.grid,
    )


def _sampled(values: Any) -> Any:
    """Return every so many voxels of some slices."""
    slices, rows, columns = values.shape
    down, right = max(rows // _SAMPLED, 1), max(columns // _SAMPLED, 1)
    picks = range(0, slices, max(slices // _SAMPLED, 1))
    return np.stack([values[k, ::down, ::right] for k in picks])


def _diverging() -> Any:
    from napari.utils.colormaps import Colormap

    return Colormap([*_DIVERGING], name="osteotrace difference")
