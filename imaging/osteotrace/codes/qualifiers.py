"""What qualifies a finding or a fact: side, presence, certainty, source, truth."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

LATERALITIES: Final[dict[str, Concept]] = table(
    "SCT",
    left=("7771000", "Left"),
    right=("24028007", "Right"),
    bilateral=("51440002", "Bilateral"),
    unilateral=("66459002", "Unilateral"),
)

# Whether the finding is there (PS3.16 CID 240).
PRESENCES: Final[dict[str, Concept]] = table(
    "DCM",
    present=("121053", "Present"),
    absent=("121054", "Absent"),
    unknown=("121059", "Presence Undetermined"),
)

CERTAINTIES: Final[dict[str, Concept]] = table(
    PRIVATE_SCHEME,
    definite=("C-DEF", "Definite"),
    probable=("C-PROB", "Probable"),
    possible=("C-POSS", "Possible"),
    unknown=("C-UNK", "Certainty not stated"),
)

# Where a clinical fact comes from.
FACT_SOURCES: Final[dict[str, Concept]] = table(
    PRIVATE_SCHEME,
    measured=("X-MEAS", "Measured on images and accepted by the reader"),
    entered=("X-ENT", "Entered by a person"),
    derived=("X-DER", "Derived from other facts"),
)

TRUTH_VALUES: Final[dict[str, Concept]] = table(
    "SCT",
    true=("373066001", "Yes"),
    false=("373067005", "No"),
    unknown=("261665006", "Unknown"),
)
