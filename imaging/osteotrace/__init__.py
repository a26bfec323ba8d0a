"""Measure, annotate, stage and follow bone lesions on CT and MRI DICOM.

>>> import osteotrace as ot
>>> volume = ot.load("study")  # doctest: +SKIP
>>> print(ot.caliper(volume, (10, 4, 7), (22, 4, 7)).value)  # doctest: +SKIP
distance 12.07 ± 0.02 mm

The names below are the library's front door; each is loaded when first used, so that
``import osteotrace`` costs nothing. Research use only. Not a medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from osteotrace.about import VERSION as __version__

if TYPE_CHECKING:
    from osteotrace.batch import Run, measure_tree
    from osteotrace.comparison import Comparison, Lesion
    from osteotrace.errors import OsteotraceError
    from osteotrace.findings import (
        Assessment,
        Case,
        DrugCourse,
        Fact,
        Finding,
        StagingResult,
    )
    from osteotrace.geometry import Grid
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.measurements.measurement import Measurement, NotMeasured
    from osteotrace.phantoms.samples import write_samples
    from osteotrace.protocol import (
        Protocol,
    )
    from osteotrace.protocol import (
        names as protocol_names,
    )
    from osteotrace.protocol import (
        read as read_protocol,
    )
    from osteotrace.reading import StudyReading, caliper, load, measure, measure_studies
    from osteotrace.reading.case_stages import read_case, stage
    from osteotrace.reading.comparing import ComparisonReading, compare
    from osteotrace.records.assessments import read, save
    from osteotrace.regions import Mask, Points, Polyline
    from osteotrace.reports.export import export
    from osteotrace.reports.paragraph import paragraph
    from osteotrace.reports.shown import frame
    from osteotrace.series import Catalogue, Series, VolumeHeader, scan
    from osteotrace.volume import Volume

# The module of each name, and after a colon its own name there where it is another.
_HOMES = {
    "Assessment": "findings",
    "CaliperReading": "measurements.caliper",
    "Case": "findings",
    "Catalogue": "series",
    "Comparison": "comparison",
    "ComparisonReading": "reading.comparing",
    "DrugCourse": "findings",
    "Fact": "findings",
    "Finding": "findings",
    "Grid": "geometry",
    "Lesion": "comparison",
    "Mask": "regions",
    "Measurement": "measurements.measurement",
    "NotMeasured": "measurements.measurement",
    "OsteotraceError": "errors",
    "Points": "regions",
    "Polyline": "regions",
    "Protocol": "protocol",
    "Run": "batch",
    "Series": "series",
    "StagingResult": "findings",
    "StudyReading": "reading",
    "Volume": "volume",
    "VolumeHeader": "series",
    "caliper": "reading",
    "compare": "reading.comparing",
    "export": "reports.export",
    "frame": "reports.shown",
    "load": "reading",
    "measure": "reading",
    "measure_studies": "reading",
    "measure_tree": "batch",
    "paragraph": "reports.paragraph",
    "protocol_names": "protocol:names",
    "read": "records.assessments",
    "read_case": "reading.case_stages",
    "read_protocol": "protocol:read",
    "save": "records.assessments",
    "scan": "series",
    "stage": "reading.case_stages",
    "write_samples": "phantoms.samples",
}

__all__ = [
    "Assessment",
    "CaliperReading",
    "Case",
    "Catalogue",
    "Comparison",
    "ComparisonReading",
    "DrugCourse",
    "Fact",
    "Finding",
    "Grid",
    "Lesion",
    "Mask",
    "Measurement",
    "NotMeasured",
    "OsteotraceError",
    "Points",
    "Polyline",
    "Protocol",
    "Run",
    "Series",
    "StagingResult",
    "StudyReading",
    "Volume",
    "VolumeHeader",
    "__version__",
    "caliper",
    "compare",
    "export",
    "frame",
    "load",
    "measure",
    "measure_studies",
    "measure_tree",
    "paragraph",
    "protocol_names",
    "read",
    "read_case",
    "read_protocol",
    "save",
    "scan",
    "stage",
    "write_samples",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'osteotrace' has no attribute {name!r}")
    module, _, own_name = home.partition(":")
    return getattr(importlib.import_module(f"osteotrace.{module}"), own_name or name)


def __dir__() -> list[str]:
    return sorted(__all__)
