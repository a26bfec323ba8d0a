"""A comparison as people read it: one page, its pictures, its timeline and its tables."""

from osteotrace.reports.comparison.key_pictures import KeyPicture, key_pictures
from osteotrace.reports.comparison.page import page, write_page
from osteotrace.reports.comparison.tables import write_tables
from osteotrace.reports.comparison.timeline import TimelinePoint, timeline_points
from osteotrace.reports.comparison.timeline_figure import (
    timeline_figure,
    timeline_picture,
)

__all__ = [
    "KeyPicture",
    "TimelinePoint",
    "key_pictures",
    "page",
    "timeline_figure",
    "timeline_picture",
    "timeline_points",
    "write_page",
    "write_tables",
]
