"""Vertebral bodies: heights, losses, angles, grades, from masks, marks and radiographs.

`from_mask`, `from_points` and `from_image_points` read one level each; `compare_levels`
sets levels beside each other and beside a prior. The definition is printed with every
number, and numbers of two definitions are never compared.
"""

from osteotrace.measurements.vertebra.body import from_mask
from osteotrace.measurements.vertebra.comparison import compare_levels
from osteotrace.measurements.vertebra.marks import from_points
from osteotrace.measurements.vertebra.radiograph import from_image_points
from osteotrace.measurements.vertebra.records import VertebraReading

__all__ = [
    "VertebraReading",
    "compare_levels",
    "from_image_points",
    "from_mask",
    "from_points",
]
