"""What becomes of a lesion between two dates, and the verdict on a change."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

# Verdicts of `osteotrace.change.Change`.
VERDICTS: Final[dict[str, Concept]] = {
    "increased": Concept("V-INCR", PRIVATE_SCHEME, "Real change: increased"),
    "decreased": Concept("V-DECR", PRIVATE_SCHEME, "Real change: decreased"),
    "within measurement error": Concept(
        "V-WITHIN", PRIVATE_SCHEME, "Within measurement error"
    ),
    "not comparable": Concept("V-NOTCOMP", PRIVATE_SCHEME, "Not comparable"),
}

# States of `osteotrace.comparison.State`. SNOMED CT's difference in size (129806009) is
# one of mammography and is not used.
STATES: Final[dict[str, Concept]] = {
    "stable": Concept("260388006", "SCT", "No change"),
    "growing": Concept("15454001", "SCT", "Increase in size"),
    "shrinking": Concept("19776001", "SCT", "Decrease in size"),
    "not comparable": VERDICTS["not comparable"],
    **table(
        PRIVATE_SCHEME,
        new=("V-NEW", "New lesion: looked for before and not there"),
        resolved=("V-RESOLVED", "Resolved: looked for and no longer there"),
        absent=("V-ABSENT", "Absent at both dates"),
        merged=("V-MERGED", "Merged with another lesion"),
        split=("V-SPLIT", "Split into several lesions"),
    ),
    "not assessed": Concept("V-NOTASSESS", PRIVATE_SCHEME, "Not assessed"),
}
