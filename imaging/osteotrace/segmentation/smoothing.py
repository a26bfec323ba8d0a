"""Grey values smoothed before they are compared with a level, by a Gaussian in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.volume import Volume


def smoothed(
    volume: Volume, window: tuple[slice, slice, slice], sigma_mm: float
) -> Array:
    """Return the rescaled values of a window, smoothed by a Gaussian in mm.

    Parameters
    ----------
    volume : Volume
    window : (slice, row, column) ranges of step one
    sigma_mm : float
        0 for none.

    Returns
    -------
    (slices, rows, columns) float64 array
        In the unit of the volume. Single slices are smoothed within themselves.

    Raises
    ------
    OsteotraceError
        If the slices are unevenly spaced: a filter of one step would smooth them
        unevenly.
    """
    values = volume.rescaled(window)
    if not sigma_mm > 0:
        return values
    grid = volume.grid
    if not grid.has_even_gaps:
        raise OsteotraceError(
            "unevenly spaced slices",
            expected="even slices for a filter",
            advice="rectify the volume first, or do without smoothing",
        )
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(values)
    spacing = np.nan_to_num(grid.spacing, nan=1.0)
    image.SetSpacing(spacing[::-1].tolist())
    # Along the slices of a single one there is nothing to smooth.
    sigmas = [sigma_mm, sigma_mm, sigma_mm if len(values) > 1 else 0.0]
    gaussian = sitk.DiscreteGaussianImageFilter()
    gaussian.SetVariance([sigma**2 for sigma in sigmas])
    gaussian.SetUseImageSpacing(True)
    gaussian.SetMaximumKernelWidth(65)
    return np.asarray(sitk.GetArrayFromImage(gaussian.Execute(image)))
