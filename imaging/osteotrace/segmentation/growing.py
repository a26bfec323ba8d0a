"""What lies between two levels in a region, or hangs together with a point (SimpleITK).

Only within a region, so that nothing leaks into the rest of the image; the mask says
nothing about what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import HALF_VOXEL
from osteotrace.segmentation import marked
from osteotrace.segmentation.smoothing import smoothed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from osteotrace.regions import Mask
    from osteotrace.volume import Volume


def grown(
    volume: Volume,
    seed: ArrayLike,
    low: float,
    high: float,
    *,
    within: Mask,
    role: str,
    smoothing_mm: float = 0.0,
    across_corners: bool = False,
) -> Mask:
    """Return the voxels between two levels that hang together with a point.

    Parameters
    ----------
    volume : Volume
    seed : (x, y, z)
        LPS mm, in a voxel of the region whose value lies between the levels.
    low, high : float
        Values in the unit of the volume, both included; infinite ones are open ends.
    within : Mask
        The region that it stays in.
    role : str
        What the voxels are within their finding.
    smoothing_mm : float
        Sigma of the Gaussian that the values are smoothed with first; 0 for none.
    across_corners : bool
        Let voxels hang together that touch by an edge or a corner (26 neighbours), not
        by a face only (6).

    Returns
    -------
    Mask

    Raises
    ------
    OsteotraceError
        If the seed lies outside the region, its value not between the levels, the region
        is off the image, or a level or the smoothing is none.
    """
    import SimpleITK as sitk

    _check(low, high, smoothing_mm)
    own = within.on(volume.grid)
    window = volume.grid.box_around(within.grid.corners(), 4 * smoothing_mm)
    inside = own[window]
    at = _voxel_of(volume, seed, own) - [side.start for side in window]
    values = smoothed(volume, window, smoothing_mm)
    allowed = inside & (values >= low) & (values <= high)
    start = tuple(int(n) for n in at)
    if not allowed[start]:
        raise OsteotraceError(
            f"a seed where the image is {values[start]:.0f}"
            + (f", smoothed by {smoothing_mm:g} mm" if smoothing_mm > 0 else ""),
            expected=f"a seed on a value between {low:.0f} and {high:.0f}",
            advice="click into the structure, or choose other levels",
        )
    image = sitk.GetImageFromArray(allowed.astype(np.uint8))
    filled = sitk.ConnectedThreshold(
        image,
        seedList=[start[::-1]],
        lower=1,
        upper=1,
        connectivity=(
            sitk.ConnectedThresholdImageFilter.FullConnectivity
            if across_corners
            else sitk.ConnectedThresholdImageFilter.FaceConnectivity
        ),
    )
    reached: NDArray[np.bool_] = sitk.GetArrayFromImage(filled) > 0
    return marked.in_window(volume, reached, window, role=role)


def between_levels(
    volume: Volume,
    low: float,
    high: float,
    *,
    within: Mask,
    role: str,
    smoothing_mm: float = 0.0,
) -> Mask:
    """Return the voxels of a region whose value lies between two levels.

    Parameters
    ----------
    volume, low, high, within, role, smoothing_mm
        As in `grown`.

    Raises
    ------
    OsteotraceError
        If no voxel does, the region is off the image, or a level or the smoothing is
        none.
    """
    _check(low, high, smoothing_mm)
    window = volume.grid.box_around(within.grid.corners(), 4 * smoothing_mm)
    values = smoothed(volume, window, smoothing_mm)
    voxels = within.on(volume.grid)[window] & (values >= low) & (values <= high)
    if not voxels.any():
        raise OsteotraceError(
            f"no voxel between {low:.0f} and {high:.0f} in the region ({within.role})",
            expected="levels that some of the region lies between",
            advice="choose other levels, or another region",
        )
    return marked.in_window(volume, voxels, window, role=role)


def _check(low: float, high: float, smoothing_mm: float) -> None:
    if not low <= high:
        raise OsteotraceError(
            f"values from {low} to {high}",
            expected="two levels, the lower one first",
            advice="correct the levels",
            usage=True,
        )
    if not 0 <= smoothing_mm < np.inf:
        raise OsteotraceError(
            f"a smoothing of {smoothing_mm} mm",
            expected="the sigma of a Gaussian in mm, 0 for none",
            advice="correct the smoothing",
            usage=True,
        )


def _voxel_of(
    volume: Volume, seed: ArrayLike, own: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return the voxel of a seed, which has to lie in the region."""
    point = np.asarray(seed, dtype=np.float64)
    if point.shape == (3,) and np.isfinite(point).all() and volume.grid.contains(point):
        last = np.array(volume.grid.shape) - 1
        at = np.floor(volume.grid.to_index(point) + HALF_VOXEL).astype(np.intp)
        at = np.clip(at, 0, last)
        if own[tuple(at)]:
            return np.asarray(at)
    raise OsteotraceError(
        f"the seed {seed!r}"[:120],
        expected="a point in the region that is grown in, in patient LPS mm",
        advice="click into the region, or widen it",
    )
