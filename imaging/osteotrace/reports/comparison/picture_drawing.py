"""How a key picture is drawn: grey values in a window, marks, letters, bar, RESEARCH."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace import geometry
from osteotrace.regions import Mask, Points, Polyline
from osteotrace.reports.figures.drawing import (
    BONE_WINDOW_HU,
    DRAWN_COLOUR,
    FITTED_COLOUR,
    halo,
    letters,
    research_mark,
    scale_bar,
    show_slice,
)
from osteotrace.reports.figures.planes import PIXELS, reslice, share_of_mask
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from osteotrace.geometry import Array
    from osteotrace.regions import Region
    from osteotrace.reports.figures.planes import Plane
    from osteotrace.volume import Volume

INCHES: Final = 3.6
DOTS_PER_INCH: Final = 140
# Soft tissue, HU: centre 40, width 400.
SOFT_WINDOW_HU: Final = (-160.0, 240.0)
SOFT_KINDS: Final = (
    *("fistula", "soft_tissue_defect", "soft_tissue_edema", "lymphadenopathy"),
    *("abscess", "mass"),
)
# MR has no unit: black is zero, white this many times this percentile of the volume. The
# brightest voxels may be the lesion, so they do not set the window.
MR_PERCENTILE: Final = 90.0
MR_WHITE: Final = 3.0
# Where two whites differ by less than this share, one window serves both.
SAME_WHITE: Final = 0.25
# Marks farther than this from the plane are faint, mm.
NEAR_MM: Final = 2.0
FAINT: Final = 0.3
# At most this many voxels tell the percentile.
_SAMPLED: Final = 200_000
_ROLES_OF_HEIGHTS: Final = "height"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The values shown black and white, and how the caption says it."""

    low: float
    high: float
    unit: str
    words: str


def window_of(volume: Volume, kind: str, *, like: Window | None) -> Window:
    """Return the window of a lesion's picture: that of its first picture if it can be.

    Parameters
    ----------
    volume : Volume
    kind : str
        Of the lesion: soft tissue has a window of its own on CT.
    like : Window or None
        Of the date before. Signals of MR compare only where both are scaled alike.
    """
    if volume.unit == HOUNSFIELD:
        low, high = SOFT_WINDOW_HU if kind in SOFT_KINDS else BONE_WINDOW_HU
        told = f"window {low:.0f} to {high:.0f} HU".replace("-", "\N{MINUS SIGN}")
        return Window(low=low, high=high, unit=volume.unit, words=told)
    white = _white(volume)
    if like is not None and like.unit == volume.unit:
        if abs(white - like.high) <= SAME_WHITE * like.high:
            return like
        told = f"own window 0 to {white:.0f}: its signal is scaled differently"
        return Window(low=0.0, high=white, unit=volume.unit, words=told)
    told = f"window 0 to {white:.0f} (signal)"
    return Window(low=0.0, high=white, unit=volume.unit, words=told)


def _white(volume: Volume) -> float:
    flat = volume.voxels.reshape(volume.voxels.shape[0], -1)
    step = max(1, volume.voxels.size // _SAMPLED)
    values = flat[:, ::step] * volume.slope[:, None] + volume.intercept[:, None]
    return float(max(MR_WHITE * np.percentile(values, MR_PERCENTILE), 1.0))


def drawn(
    volume: Volume,
    plane: Plane,
    marks: Sequence[tuple[Region, bool]],
    window: Window,
) -> bytes:
    """Return a square PNG of a volume on a plane.

    Parameters
    ----------
    volume : Volume
    plane : Plane
    marks : sequence of (region, is_main)
        What was marked at this date; the main ones are of the lesion's own value.
    window : Window
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure((INCHES, INCHES), dpi=DOTS_PER_INCH, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    show_slice(axes, reslice(volume, plane), plane, (window.low, window.high))
    for region, is_main in marks:
        _draw_mark(axes, region, plane, volume, is_main=is_main)
    half = plane.width / 2
    axes.set(xlim=(-half, half), ylim=(half, -half))
    letters(axes, plane)
    scale_bar(axes, half)
    research_mark(axes)
    canvas.draw()  # type: ignore[no-untyped-call]
    out = io.BytesIO()
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    # Pictures are opaque: a third of the file less, and the same file each time.
    Image.fromarray(pixels[..., :3]).save(out, "PNG")
    return out.getvalue()


def _draw_mark(
    axes: Axes, region: Region, plane: Plane, volume: Volume, *, is_main: bool
) -> None:
    colour = FITTED_COLOUR if is_main else DRAWN_COLOUR
    if isinstance(region, Mask):
        _outline(axes, share_of_mask(region, plane, volume.grid), plane, colour, is_main)
    elif isinstance(region, Points):
        flat, look = _projected(region, plane, colour)
        axes.plot(*flat.T, linestyle="none", marker="o", markersize=4.5, **look)
    elif isinstance(region, Polyline) and (
        is_main or region.role.endswith(_ROLES_OF_HEIGHTS)
    ):
        # Other lines of a caliper say the same once more.
        flat, look = _projected(region, plane, colour)
        axes.plot(*flat.T, linewidth=1.6, **look)
        if len(flat) == 2:
            _bars(axes, flat, plane, look)


def _outline(axes: Axes, share: Array, plane: Plane, colour: str, is_main: bool) -> None:
    if not share.max() > 0.5:
        return
    middle = (np.arange(PIXELS) + 0.5) * plane.width / PIXELS - plane.width / 2
    width = 1.6 if is_main else 1.0
    style = "solid" if is_main else "dashed"
    axes.contour(middle, middle, share, levels=[0.5], colors="black",
                 linewidths=width + 1.2, alpha=0.6)  # fmt: skip
    axes.contour(middle, middle, share, levels=[0.5], colors=[colour],
                 linewidths=width, linestyles=style)  # fmt: skip


def _projected(
    region: Polyline | Points, plane: Plane, colour: str
) -> tuple[Array, dict[str, Any]]:
    """Return points on a plane, and how they look: faint where they lie off it."""
    points = np.array(region.points)
    away = np.abs((points - plane.centre) @ plane.normal)
    alpha = 1.0 if away.min() <= NEAR_MM else FAINT
    return plane.to_picture(points), {
        "color": colour,
        "alpha": alpha,
        "path_effects": halo(),
    }


def _bars(axes: Axes, flat: Array, plane: Plane, look: dict[str, Any]) -> None:
    """Draw a short bar across each end of a line, as a caliper has."""
    if np.linalg.norm(flat[1] - flat[0]) == 0:
        return
    along = geometry.unit_vector([*(flat[1] - flat[0]), 0.0])[:2]
    across = 0.022 * plane.width * np.array([-along[1], along[0]])
    for end in flat:
        axes.plot(*np.stack([end - across, end + across]).T, linewidth=1.6, **look)
