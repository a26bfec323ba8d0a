"""From one study's frame of reference to another's, along the alignments that hold.

Where two studies were not aligned with each other, the way leads over those between them;
the errors of its parts add up in quadrature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace import geometry
from osteotrace.alignment import RigidTransform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.alignment import Alignment
    from osteotrace.comparison import Comparison
    from osteotrace.geometry import Array

# A local alignment, such as that of a vertebra, speaks for places this near to it.
LOCAL_MM: Final = 60.0
_GLOBAL: Final = ("whole image", "one frame of reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a place of one frame is found in another.

    Parameters
    ----------
    transform : RigidTransform
    u_mm : float
        Standard uncertainty of the place along one axis, at the point asked for.
    regions : tuple of str
        What the alignments on the way were limited to.
    """

    transform: RigidTransform
    u_mm: float
    regions: tuple[str, ...] = ()


def way(comparison: Comparison, from_frame: str, to_frame: str, at: Array) -> Way | None:
    """Return the way from one frame of reference to another, None where there is none.

    Parameters
    ----------
    comparison : Comparison
        With its alignments.
    from_frame, to_frame : str
        FrameOfReferenceUID.
    at : (3,) array
        LPS mm in the first frame: the place that is looked for. Of several alignments
        between two frames the one that speaks for it is taken.
    """
    start = Way(
        transform=RigidTransform.of(
            np.eye(3), np.zeros(3), from_frame_uid=from_frame, to_frame_uid=from_frame
        ),
        u_mm=0.0,
    )
    found = {from_frame: start}
    edge = [from_frame]
    # Breadth first: the fewest alignments on the way.
    while edge and to_frame not in found:
        further = []
        for frame in edge:
            here = found[frame]
            for step in _steps(comparison, frame, here.transform.apply(at)):
                reached = step.transform.to_frame_uid
                if reached not in found:
                    found[reached] = _joined(here, step)
                    further.append(reached)
        edge = further
    return found.get(to_frame)


def _joined(here: Way, step: Way) -> Way:
    return Way(
        transform=here.transform.then(step.transform),
        u_mm=math.hypot(here.u_mm, step.u_mm),
        regions=(*here.regions, *step.regions),
    )


def _steps(comparison: Comparison, frame: str, at: Array) -> Iterator[Way]:
    """Yield the alignments that leave a frame, the one that speaks for a place first."""
    leaving = []
    for pair in comparison.pairs:
        for alignment in pair.alignments:
            transform = alignment.transform
            if transform.from_frame_uid == transform.to_frame_uid:
                continue
            if transform.from_frame_uid == frame:
                leaving.append(_step(alignment, transform, at, at))
            elif transform.to_frame_uid == frame:
                back = transform.inverse
                leaving.append(_step(alignment, back, at, back.apply(at)))
    for _, one in sorted(leaving, key=lambda pair: pair[0]):
        yield one


def _step(
    alignment: Alignment, transform: RigidTransform, at: Array, earlier: Array
) -> tuple[tuple[bool, float], Way]:
    """Return an alignment as a step, with what it is sorted by.

    A local one whose middle is near speaks for a place before one of the whole image.
    """
    apart = geometry.distance(alignment.centre, earlier)
    is_local = alignment.region not in _GLOBAL and apart <= LOCAL_MM
    u_mm = alignment.uncertainty_at(earlier)
    step = Way(transform=transform, u_mm=u_mm, regions=(alignment.region,))
    return (not is_local, apart if is_local else u_mm), step
