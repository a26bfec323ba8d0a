"""A comparison as people read it: one page, its pictures, its timeline and its tables."""

from osteotrace.reports.comparison.tables import write_tables
from osteotrace.reports.comparison.timeline import TimelinePoint, timeline_points
from osteotrace.reports.comparison.timeline_figure import (
    timeline_figure,
    timeline_picture,
)

__all__ = [
    "TimelinePoint",
    "timeline_figure",
    "timeline_picture",
    "timeline_points",
    "write_tables",
]
