"""What jaw systems share: where the jaw is, and whether anything is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS
from osteotrace.codes.facts import JAW, JAW_IMAGES, PALATE

if TYPE_CHECKING:
    from osteotrace.findings import Case
    from osteotrace.staging.evidence import Evidence
    from osteotrace.staging.rule_table import Observed

JAW_SITES: Final = frozenset(
    {
        "alveolar_process",
        "alveolar_process_of_mandible",
        "facial_bones",
        "hard_palate",
        "jaw",
        "mandible",
        "maxilla",
        "maxillary_sinus",
        "palate",
        "palatine_bone",
        "premaxilla",
        "soft_palate",
        "upper_jaw",
        "zygoma",
    }
)
# Nonspecific symptoms and signs beside swelling (springer 40729-021-00323-0 table 1).
_NONSPECIFIC: Final = (
    "loose_tooth",
    "jaw_pain_not_of_a_tooth",
    "odontalgia_unexplained",
    "lip_paresthesia",
    "deep_pocket",
    "mucosal_ulcer",
    "abscess",
    "trismus",
    "intraoral_fistula",
)


def is_known(case: Case) -> bool:
    """Tell whether anything was stated or read of the jaw at any date."""
    stated = [*case.facts, *(fact for one in case.current() for fact in one.facts)]
    groups = (JAW, JAW_IMAGES, PALATE)
    return any(FACTS[fact.name].group in groups for fact in stated) or any(
        finding.site in JAW_SITES for one in case.current() for finding in one.findings
    )


def nonspecific(evidence: Evidence) -> Observed:
    """Return whether there is a nonspecific symptom or sign other than swelling."""
    parts = [evidence.truth(name) for name in _NONSPECIFIC]
    return evidence.any_of(parts, evidence.truth("nonspecific_symptom_or_sign"))


def pain(evidence: Evidence) -> Observed:
    """Return whether there is pain, as stated or by a scale above zero."""
    stated = evidence.truth("pain")
    by_scale = evidence.holds("pain_vas", lambda value: value > 0)
    if stated.known and by_scale.known and stated.possible != by_scale.possible:
        evidence.conflicts.append(
            f"pain: {'; '.join(stated.because)}, but {'; '.join(by_scale.because)}"
        )
        return evidence.any_of([])
    return stated if stated.known else by_scale
