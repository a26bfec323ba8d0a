"""Pictures of findings as PNG, one a finding, for eyes only."""

from osteotrace.reports.figures.caliper_picture import caliper_picture, caliper_plane
from osteotrace.reports.figures.lesion_picture import lesion_picture
from osteotrace.reports.figures.planes import PIXELS, Plane, reslice

__all__ = [
    "PIXELS",
    "Plane",
    "caliper_picture",
    "caliper_plane",
    "lesion_picture",
    "reslice",
]
