"""What every picture carries: grey values in a window, letters, a bar, the statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace import geometry
from osteotrace.volume import HOUNSFIELD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from osteotrace.reports.figures.planes import Plane

# Bone window, HU: centre 500, width 2500 keeps cortex and enamel apart.
BONE_WINDOW_HU: Final = (-750.0, 1750.0)
# MR has no unit: the window runs between these percentiles of the picture.
MR_WINDOW_PERCENTILES: Final = (1.0, 99.5)
# Where the volume ends; air is black.
OUTSIDE_COLOUR: Final = "#1b2230"
FITTED_COLOUR: Final = "#ffd23f"
DRAWN_COLOUR: Final = "#4cc9f0"
DOUBT_COLOUR: Final = "#ff8fa3"

DOTS_PER_INCH: Final = 130


def grey_window(values: NDArray[np.float64], unit: str) -> tuple[float, float]:
    """Return the values shown black and white: the bone window, or that of the picture.

    Parameters
    ----------
    values : array
        In ``unit``; NaN where there is no image.
    unit : str
        UCUM unit.
    """
    if unit == HOUNSFIELD:
        return BONE_WINDOW_HU
    inside = values[np.isfinite(values)]
    if not inside.size:
        return 0.0, 1.0
    low, high = np.percentile(inside, MR_WINDOW_PERCENTILES)
    return float(low), float(max(high, low + 1))


def show_slice(
    axes: Axes, values: NDArray[np.float64], plane: Plane, window: tuple[float, float]
) -> None:
    """Draw a slice in mm around the plane's centre."""
    from matplotlib import colormaps

    half = plane.width / 2
    axes.set_axis_off()
    axes.imshow(
        values,
        cmap=colormaps["gray"].with_extremes(bad=OUTSIDE_COLOUR),
        vmin=window[0],
        vmax=window[1],
        extent=(-half, half, half, -half),
        interpolation="bilinear",
    )
    axes.set(xlim=(-half, half), ylim=(half, -half))


def halo() -> list[Any]:
    """Return the black rim that keeps lines and words readable on white."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="black")]


def letters(axes: Axes, plane: Plane) -> None:
    """Write the patient letters of a plane at its four sides."""
    places = (
        (-plane.right, 0.02, 0.5, "left", "center"),
        (plane.right, 0.98, 0.5, "right", "center"),
        (-plane.down, 0.5, 0.985, "center", "top"),
        (plane.down, 0.5, 0.015, "center", "bottom"),
    )
    for direction, x, y, across, along in places:
        axes.text(
            x,
            y,
            geometry.patient_letters(direction),
            transform=axes.transAxes,
            ha=across,
            va=along,
            color="white",
            fontsize=14,
            fontweight="bold",
            path_effects=halo(),
        )


def scale_bar(axes: Axes, half: float) -> None:
    """Draw a bar of 10 mm into a picture that reaches ``half`` mm from its centre."""
    length = 10.0
    x, y = -0.94 * half, 0.88 * half
    axes.plot([x, x + length], [y, y], color="white", linewidth=3, path_effects=halo())
    axes.text(
        x,
        y - 0.02 * half,
        "10 mm",
        color="white",
        fontsize=10,
        va="bottom",
        path_effects=halo(),
    )


def research_mark(axes: Axes) -> None:
    """Write RESEARCH into the picture, where no crop of the words loses it."""
    axes.text(
        0.97,
        0.03,
        "RESEARCH",
        transform=axes.transAxes,
        color="white",
        fontsize=15,
        fontweight="bold",
        ha="right",
        va="bottom",
        path_effects=halo(),
    )
