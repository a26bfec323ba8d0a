"""Assessments as 3D Slicer markups: lines and points in patient LPS mm.

The file format is Slicer's Markups JSON, schema 1.0.3; it says itself that it is LPS.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.regions import Points, Polyline
from osteotrace.reports.text import value

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, Finding

SCHEMA: Final = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)


def to_markups(assessment: Assessment) -> str:
    """Return the points and lines of an assessment as one Markups JSON document."""
    markups = [
        _markup(finding, region)
        for finding in assessment.findings
        for region in finding.regions
        if isinstance(region, Points | Polyline)
    ]
    return json.dumps({"@schema": SCHEMA, "markups": markups}, indent=2) + "\n"


def _markup(finding: Finding, region: Polyline | Points) -> dict[str, Any]:
    roles = region.point_roles if isinstance(region, Points) else ()
    values = [m for m in finding.measurements if getattr(m, "region", "") == region.role]
    words = "; ".join(f"{m.code.meaning} {value(m)}" for m in values)
    return {
        "type": _type(region),
        "name": f"{finding.label} ({region.role})",
        "description": f"{words}. {RESEARCH_USE_SHORT}".lstrip(". "),
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": True,
        "controlPoints": [
            {
                "id": str(number + 1),
                "label": roles[number] if roles else f"{finding.label}-{number + 1}",
                "position": list(point),
                "positionStatus": "defined",
                "visibility": True,
                "locked": True,
            }
            for number, point in enumerate(region.points)
        ],
    }


def _type(region: Polyline | Points) -> str:
    if isinstance(region, Points):
        return "Fiducial"
    return "Line" if len(region.points) == 2 else "Curve"
