"""What a reader found: frozen records from one finding up to a patient's case.

A `Finding` is one lesion at one date with its regions and measurements; an
`Assessment` is one reader's reading of one study, with the clinical facts and stagings;
a `Case` gathers a patient's assessments over time. `to_json` and `from_json` are lossless
and strict. Records know nothing of files, images or viewers.
"""

from osteotrace.findings.case import SCHEMA_VERSION, Assessment, Case
from osteotrace.findings.facts import (
    DrugCourse,
    Fact,
    Source,
    check_drug,
    check_fact,
)
from osteotrace.findings.finding import (
    Certainty,
    Finding,
    Laterality,
    SeriesReference,
    leaders_of_parts,
    marked_volume,
    shares_space,
)
from osteotrace.findings.json_records import check, from_json, json_schema, to_json
from osteotrace.findings.staging_results import (
    FiredRule,
    Override,
    Question,
    Reason,
    StagingPart,
    StagingResult,
    overridden,
)
from osteotrace.measurements.measurement import Presence

__all__ = [
    "SCHEMA_VERSION",
    "Assessment",
    "Case",
    "Certainty",
    "DrugCourse",
    "Fact",
    "Finding",
    "FiredRule",
    "Laterality",
    "Override",
    "Presence",
    "Question",
    "Reason",
    "SeriesReference",
    "Source",
    "StagingPart",
    "StagingResult",
    "check",
    "check_drug",
    "check_fact",
    "from_json",
    "json_schema",
    "leaders_of_parts",
    "marked_volume",
    "overridden",
    "shares_space",
    "to_json",
]
