"""Two readings of one lesion to a verdict, and a spine over time to its new fractures.

Change is called only beyond repeatability; below it the words are "within measurement
error". What a reader states outranks what numbers propose.
"""

from osteotrace.change.fracture_signs import Sign
from osteotrace.change.incident_fractures import (
    Fracture,
    IncidentFracture,
    fractures_of_unknown_age,
    incident_fractures,
)
from osteotrace.change.level_readings import cement_dates
from osteotrace.change.published import (
    PUBLISHED,
    default_repeatability,
    repeatability_row,
)
from osteotrace.change.repeatability import (
    Absolute,
    Conditions,
    FittedCaliper,
    LengthOrVoxels,
    Percent,
    Repeatability,
)
from osteotrace.change.site import SiteRepeatability, site_repeatability
from osteotrace.change.verdicts import Change, Verdict, change, why_not_comparable

__all__ = [
    "PUBLISHED",
    "Absolute",
    "Change",
    "Conditions",
    "FittedCaliper",
    "Fracture",
    "IncidentFracture",
    "LengthOrVoxels",
    "Percent",
    "Repeatability",
    "Sign",
    "SiteRepeatability",
    "Verdict",
    "cement_dates",
    "change",
    "default_repeatability",
    "fractures_of_unknown_age",
    "incident_fractures",
    "repeatability_row",
    "site_repeatability",
    "why_not_comparable",
]
