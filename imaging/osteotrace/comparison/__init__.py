"""A patient's studies beside each other: matched lesions, their change, and the timeline.

`records` says what a comparison holds. Everything here works on findings and transforms
that are given: no image is read, nothing is registered or measured.
"""

from osteotrace.comparison.records import (
    COMPARISON_VERSION,
    ComparedStudy,
    Comparison,
    Difference,
    Event,
    Lesion,
    Link,
    QuantityChange,
    Seen,
    StagingRow,
    State,
    Step,
    StudyPair,
)

__all__ = [
    "COMPARISON_VERSION",
    "ComparedStudy",
    "Comparison",
    "Difference",
    "Event",
    "Lesion",
    "Link",
    "QuantityChange",
    "Seen",
    "StagingRow",
    "State",
    "Step",
    "StudyPair",
]
