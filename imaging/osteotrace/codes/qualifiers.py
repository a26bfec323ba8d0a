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

# Where what is known of a criterion comes from.
BASES: Final[dict[str, Concept]] = table(
    PRIVATE_SCHEME,
    measured=("G-BMEAS", "Measured on images"),
    proposed=("G-BPROP", "Proposed by images, not yet accepted by a reader"),
    entered=("G-BENT", "Stated or accepted by a person"),
    derived=("G-BDER", "Derived from what is known"),
    unknown=("G-BUNK", "Not known"),
)

# How the wording of a rule was checked.
EVIDENCES: Final[dict[str, Concept]] = table(
    PRIVATE_SCHEME,
    V=("G-EV", "Rule seen in the source"),
    P=("G-EP", "Rule partly seen in the source"),
    K=("G-EK", "Rule from general knowledge, not verified"),
    D=("G-ED", "Rule chosen by this project"),
    S0=("G-ES0", "Rule of founding paper S0"),
    S1=("G-ES1", "Rule of founding paper S1"),
    S2=("G-ES2", "Rule of founding paper S2"),
    S3=("G-ES3", "Rule of founding paper S3"),
)
