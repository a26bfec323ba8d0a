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
    from osteotrace.measurements.measurement import Measurement, NotMeasured
    from osteotrace.reading import caliper, load, measure, measure_studies
    from osteotrace.reading.comparing import compare
    from osteotrace.records.assessments import read, save
    from osteotrace.regions import Points, Polyline
    from osteotrace.series import Catalogue, scan
    from osteotrace.staging import stage
    from osteotrace.volume import Volume

_HOMES = {
    "Assessment": "findings",
    "Case": "findings",
    "Catalogue": "series",
    "DrugCourse": "findings",
    "Fact": "findings",
    "Finding": "findings",
    "Grid": "geometry",
    "Measurement": "measurements.measurement",
    "NotMeasured": "measurements.measurement",
    "OsteotraceError": "errors",
    "Points": "regions",
    "Polyline": "regions",
    "StagingResult": "findings",
    "Volume": "volume",
    "caliper": "reading",
    "compare": "reading.comparing",
    "load": "reading",
    "measure": "reading",
    "measure_studies": "reading",
    "read": "records.assessments",
    "save": "records.assessments",
    "scan": "series",
    "stage": "staging",
}

__all__ = [
    "Assessment",
    "Case",
    "Catalogue",
    "DrugCourse",
    "Fact",
    "Finding",
    "Grid",
    "Measurement",
    "NotMeasured",
    "OsteotraceError",
    "Points",
    "Polyline",
    "StagingResult",
    "Volume",
    "__version__",
    "caliper",
    "compare",
    "load",
    "measure",
    "measure_studies",
    "read",
    "save",
    "scan",
    "stage",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'osteotrace' has no attribute {name!r}")
    return getattr(importlib.import_module(f"osteotrace.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
