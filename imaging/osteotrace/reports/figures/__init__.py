"""Pictures of findings, one a finding or one of a whole case, for eyes only."""

from osteotrace.reports.figures.caliper_picture import caliper_picture, caliper_plane
from osteotrace.reports.figures.case_picture import CasePicture, case_picture
from osteotrace.reports.figures.lesion_picture import lesion_picture
from osteotrace.reports.figures.planes import PIXELS, Plane, reslice

__all__ = [
    "PIXELS",
    "CasePicture",
    "Plane",
    "caliper_picture",
    "caliper_plane",
    "case_picture",
    "lesion_picture",
    "reslice",
]
