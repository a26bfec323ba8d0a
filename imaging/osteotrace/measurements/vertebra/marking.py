"""A vertebra's six points while they are being placed: order, heights, slips.

What is told here is for the eye of whoever places the points; `from_points` measures.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import distance
from osteotrace.measurements.vertebra import marks
from osteotrace.measurements.vertebra.records import WHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from osteotrace.volume import Volume

# Once around the body, so that each point lies next to the one before it.
ORDER: Final = (
    "superior_anterior",
    "superior_middle",
    "superior_posterior",
    "inferior_posterior",
    "inferior_middle",
    "inferior_anterior",
)


def heights_as_marked(points: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Return the mm between the two marks of each pair placed so far.

    Parameters
    ----------
    points : mapping of str to (x, y, z)
        By the names in `ORDER`, LPS mm.
    """
    return {
        where: distance(points[f"superior_{where}"], points[f"inferior_{where}"])
        for where in WHERE
        if f"superior_{where}" in points and f"inferior_{where}" in points
    }


def mixed_up(points: Mapping[str, ArrayLike], volume: Volume | None = None) -> str:
    """Return what is wrong with marks placed so far, in words; empty where nothing is.

    Parameters
    ----------
    points : mapping of str to (x, y, z)
        By the names in `ORDER`, LPS mm; all six are held against what `from_points`
        requires.
    volume : Volume, optional
        The image that they must lie in.
    """
    at = {name: np.asarray(point, dtype=np.float64) for name, point in points.items()}
    for endplate in ("superior", "inferior"):
        for front, back in (("anterior", "posterior"), *pairwise(WHERE)):
            ahead, behind = at.get(f"{endplate}_{front}"), at.get(f"{endplate}_{back}")
            if ahead is not None and behind is not None and behind[1] <= ahead[1]:
                return f"the {endplate} {back} point lies in front of the {front} one"
    for where in WHERE:
        upper, lower = at.get(f"superior_{where}"), at.get(f"inferior_{where}")
        if upper is not None and lower is not None and upper[2] <= lower[2]:
            return f"the inferior {where} point lies above the superior one"
    if set(at) == set(ORDER):
        six = np.array([at[role.replace(" ", "_")] for role in marks.ROLES])
        try:
            marks.check_places(six, volume)
        except OsteotraceError as problem:
            return problem.found
    return ""
