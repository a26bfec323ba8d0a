"""What lies beside readings in a folder of records, and is none: told without a doubt.

Comparisons and registrations. A folder of readings passes them by; a damaged reading is
none of them and is refused as ever.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from osteotrace.comparison import is_comparison
from osteotrace.records import sealed_parts
from osteotrace.records.dicom_objects import COMPARISON_MODEL
from osteotrace.records.registrations.writing import SPATIAL_REGISTRATION

if TYPE_CHECKING:
    from pathlib import Path

_TAGS: Final = ("SOPClassUID", "ManufacturerModelName")


def is_beside(file: Path) -> bool:
    """Tell whether a file is a comparison, as DICOM or JSON, or a registration."""
    from pydicom import dcmread

    try:
        if file.suffix == ".json":
            content = file.read_bytes()
            return sealed_parts.is_sealed("comparison", content) or is_comparison(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dcmread(file, stop_before_pixels=True, specific_tags=[*_TAGS])
    # Damaged DICOM raises eleven kinds; who reads it as a record says what is wrong.
    except Exception:
        return False
    kind, model = header.get("SOPClassUID"), header.get("ManufacturerModelName")
    return str(kind) == SPATIAL_REGISTRATION or str(model) == COMPARISON_MODEL
