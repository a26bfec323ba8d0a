"""How far a value strays where a part of the places it was read at is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Groups that are left out in turn to see how far a value strays (jackknife).
GROUPS: Final = 10


def jackknife(
    cells: NDArray[np.intp], value: Callable[[NDArray[np.bool_]], float]
) -> tuple[float, float]:
    """Return a value and how far it strays where a tenth of the places is left out."""
    whole = value(np.ones(len(cells), dtype=bool))
    rest = []
    for cell in range(GROUPS):
        keep = cells != cell
        if 0 < keep.sum() < len(cells):
            rest.append(value(keep))
    if len(rest) < 2:
        return whole, 0.0
    share = (len(rest) - 1) / len(rest)
    strays = np.sqrt(share * ((np.array(rest) - np.mean(rest)) ** 2).sum())
    return whole, float(strays)
