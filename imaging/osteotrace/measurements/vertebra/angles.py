"""Angles between endplates of different levels, in their common sagittal plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from osteotrace.geometry import unit_vector

if TYPE_CHECKING:
    from osteotrace.measurements.vertebra.records import BodyFrame


def kyphosis_deg(above: BodyFrame, below: BodyFrame) -> tuple[float, float]:
    """Return the angle from a superior to an inferior endplate, and u, degrees.

    Positive for kyphosis: the endplates meet in front.

    Parameters
    ----------
    above : BodyFrame
        Of the level whose superior endplate is one side.
    below : BodyFrame
        Of the level whose inferior endplate is the other side.
    """
    left = unit_vector(np.array(above.left) + np.array(below.left))
    posterior = np.array(above.posterior) + np.array(below.posterior)
    posterior = unit_vector(posterior - (posterior @ left) * left)
    up = np.cross(left, posterior)
    rises = [
        np.arctan2(np.array(line) @ up, np.array(line) @ posterior)
        for line in (above.superior, below.inferior)
    ]
    u = float(np.hypot(above.u_endplate_deg, below.u_endplate_deg))
    return float(np.degrees(rises[0] - rises[1])), u
