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

__all__ = [
    "Fracture",
    "IncidentFracture",
    "Sign",
    "cement_dates",
    "fractures_of_unknown_age",
    "incident_fractures",
]
