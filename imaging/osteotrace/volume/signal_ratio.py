"""How much brighter one MR image is than another of the same places: a scanner's gain.

MR signal has no unit, but its zero is one: two images differ by a factor, not by a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Fewer places say nothing about a factor.
LEAST_PLACES: Final = 100


def signal_ratio(earlier: ArrayLike, later: ArrayLike) -> float:
    """Return the factor that brings later values to the earlier ones.

    Parameters
    ----------
    earlier, later : arrays of one shape
        Values at the same places; NaN where an image has none.

    Returns
    -------
    float
        The median of the ratios where both are brighter than their own mean: lesions,
        which changed, are the lesser part of that, and noise is left out.

    Raises
    ------
    OsteotraceError
        If the two have too little tissue in common.
    """
    one, other = np.asarray(earlier, float).ravel(), np.asarray(later, float).ravel()
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    if len(one):
        tissue = (one > max(one.mean(), 0.0)) & (other > max(other.mean(), 0.0))
        one, other = one[tissue], other[tissue]
    if len(one) < LEAST_PLACES:
        raise OsteotraceError(
            f"{len(one)} places with signal in both images",
            expected=f"{LEAST_PLACES} or more, to match how bright they are",
            advice="look at them side by side",
        )
    return float(np.median(one / other))
