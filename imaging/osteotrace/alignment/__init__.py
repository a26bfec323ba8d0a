"""Two studies of one patient laid over each other: a rigid transform with its error.

A transform maps earlier to later, LPS mm. What cannot be aligned for certain is refused
with the reason; no transform is ever returned in doubt.
"""

from osteotrace.alignment.aligning import align, pair_of
from osteotrace.alignment.alignment import Alignment, Start, same_space
from osteotrace.alignment.laying import laid_over
from osteotrace.alignment.moving import moved_grid, moved_mask, moved_region
from osteotrace.alignment.transform import RigidTransform

__all__ = [
    "Alignment",
    "RigidTransform",
    "Start",
    "align",
    "laid_over",
    "moved_grid",
    "moved_mask",
    "moved_region",
    "pair_of",
    "same_space",
]
