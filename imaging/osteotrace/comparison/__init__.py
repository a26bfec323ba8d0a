"""A patient's studies beside each other: matched lesions, their change, and the timeline.

`records` says what a comparison holds. Everything here works on findings and transforms
that are given: no image is read, nothing is registered or measured.
"""

from osteotrace.comparison.comparing import compare, staging_rows
from osteotrace.comparison.differences import differences
from osteotrace.comparison.json_records import from_json, is_comparison, to_json
from osteotrace.comparison.matching import Candidate, Decided, Mark, propose
from osteotrace.comparison.places import Ways
from osteotrace.comparison.primary import PRIMARY, Primary, deciding, primaries
from osteotrace.comparison.records import (
    COMPARISON_VERSION,
    RECORDS_KIND,
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
from osteotrace.comparison.study_readings import (
    StudyReading,
    study_names,
    study_readings,
)

__all__ = [
    "COMPARISON_VERSION",
    "PRIMARY",
    "RECORDS_KIND",
    "Candidate",
    "ComparedStudy",
    "Comparison",
    "Decided",
    "Difference",
    "Event",
    "Lesion",
    "Link",
    "Mark",
    "Primary",
    "QuantityChange",
    "Seen",
    "StagingRow",
    "State",
    "Step",
    "StudyPair",
    "StudyReading",
    "Ways",
    "compare",
    "deciding",
    "differences",
    "from_json",
    "is_comparison",
    "primaries",
    "propose",
    "staging_rows",
    "study_names",
    "study_readings",
    "to_json",
]
