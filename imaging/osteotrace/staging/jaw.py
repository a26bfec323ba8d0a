"""What jaw systems share: where the jaw is, and whether anything is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS, VERTEBRAE
from osteotrace.codes.drugs import ANTIANGIOGENIC, ANTIRESORPTIVE
from osteotrace.codes.facts import JAW, JAW_IMAGES, PALATE, VERTEBRA
from osteotrace.findings import StagingPart
from osteotrace.staging import sentences
from osteotrace.staging.rule_table import TRUTH, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from osteotrace.findings import Case
    from osteotrace.staging.evidence import Evidence
    from osteotrace.staging.rule_table import Criterion

ALVEOLAR_SITES: Final = ("alveolar_process_of_mandible", "alveolar_process_of_maxilla")
HARD_PALATE_SITES: Final = ("hard_palate", "hard_palate_mucosa", "palatine_bone")
JAW_SITES: Final = frozenset(
    {
        *ALVEOLAR_SITES,
        *HARD_PALATE_SITES,
        "body_of_mandible",
        "condyle_of_mandible",
        "facial_bones",
        "jaw",
        "mandible",
        "mandibular_dental_arch",
        "maxilla",
        "maxillary_dental_arch",
        "maxillary_sinus",
        "premaxilla",
        "ramus_of_mandible",
        "soft_palate",
        "zygoma",
    }
)
SPINE_SITES: Final = frozenset(
    {
        *VERTEBRAE,
        *("spine", "cervical_spine", "thoracic_spine", "lumbar_spine"),
        *("sacrum", "coccyx"),
    }
)
# What is measured of a vertebra or marked in it without being ill.
_NO_DISEASE: Final = ("vertebra", "region")
# Findings at jaw sites that answer for a fact, once a reader has accepted them.
FACT_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "abscess": ("abscess",),
    "gas_outside_airway": ("gas",),
    "oroantral_or_oronasal": ("oroantral_communication",),
    "path_fracture": ("pathological_fracture",),
    "periosteal_reaction": ("periosteal_reaction",),
    "sequestrum": ("sequestrum",),
}
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
    return any(
        fact.name in FACTS and FACTS[fact.name].group in groups for fact in stated
    ) or any(
        finding.site in JAW_SITES for one in case.current() for finding in one.findings
    )


def fact(evidence: Evidence, name: str) -> Observed:
    """Return whether a fact of the jaw holds, by a statement or by findings."""
    return evidence.truth(name, kinds=FACT_KINDS.get(name, ()), sites=JAW_SITES)


def observed(
    evidence: Evidence,
    criteria: Iterable[Criterion],
    special: Mapping[str, Callable[[Evidence], Observed]],
) -> dict[str, Observed]:
    """Return what is known of each criterion of a jaw system.

    Parameters
    ----------
    evidence : Evidence
        What is known of the case.
    criteria : iterable of Criterion
        Those with the name of a fact are that fact.
    special : mapping of str to function
        How the others are answered, beside those of `SHARED`.
    """
    answers = SHARED | dict(special)
    return {
        one.name: answers[one.name](evidence)
        if one.name in answers
        else fact(evidence, one.name)
        for one in criteria
    }


def nonspecific(evidence: Evidence) -> Observed:
    """Return whether there is a nonspecific symptom or sign beside what stages by itself.

    Swelling and an extraoral fistula are criteria of their own.
    """
    parts = [fact(evidence, name) for name in _NONSPECIFIC]
    return evidence.any_of(parts, evidence.truth("nonspecific_symptom_or_sign"))


def communication(evidence: Evidence) -> Observed:
    """Return whether the mouth is open to the sinus or the nose.

    An oro-nasal fistula is one such opening; where there is none, the sinus may be open.
    """
    return evidence.any_of(
        [evidence.truth("oronasal_fistula")],
        fact(evidence, "oroantral_or_oronasal"),
        complete=False,
    )


def swelling(evidence: Evidence) -> Observed:
    """Return whether there is swelling: none where no sign at all is stated."""
    stated = fact(evidence, "swelling_or_erythema")
    whole = evidence.truth("nonspecific_symptom_or_sign")
    if whole.possible != (False,):
        return stated
    return evidence.agreed("swelling_or_erythema", stated, whole)


def pain(evidence: Evidence) -> Observed:
    """Return whether there is pain of the jaw, as stated or by a scale above zero.

    Pain of which no place is stated may be of the spine where that is known to be ill.
    """
    stated = evidence.truth("jaw_pain")
    by_scale = evidence.holds("pain_vas", lambda value: value > 0)
    anywhere = evidence.agreed("pain", evidence.truth("pain"), by_scale)
    if anywhere.possible == (False,):
        return evidence.agreed("jaw_pain", stated, anywhere)
    if stated.known or stated.contradicted:
        return stated
    spine = _of_spine(evidence) if anywhere.known else ()
    if not spine:
        return evidence.agreed("pain", stated, anywhere)
    because = (
        *stated.because,
        *(f"{words}, its place not stated" for words in anywhere.because),
        *(f"may be of the spine: {words}" for words in spine),
    )
    return Observed(possible=TRUTH, because=because)


def _of_spine(evidence: Evidence) -> tuple[str, ...]:
    """Return in words what is known of a spine that may hurt, up to the date."""
    back = evidence.truth("back_pain")
    if back.possible == (False,):
        return ()
    stated = (
        sentences.said(one)
        for one in evidence.facts_until()
        if (
            one.name == "back_pain"
            or FACTS[one.name].group == VERTEBRA
            or one.site in SPINE_SITES
        )
        and one.value not in (None, False, 0, "0")
    )
    read = (
        sentences.read(assessment, finding)
        for assessment in evidence.assessments(until=True)
        for finding in assessment.findings
        if finding.presence == "present"
        and finding.kind not in _NO_DISEASE
        and (finding.kind == "vcf" or finding.site in SPINE_SITES)
    )
    return tuple(dict.fromkeys((*stated, *read)))


SHARED: Final[dict[str, Callable[[Evidence], Observed]]] = {
    "drug_antiresorptive": lambda evidence: evidence.drug_given(ANTIRESORPTIVE),
    "drug_antiangiogenic": lambda evidence: evidence.drug_given(ANTIANGIOGENIC),
    "oroantral_or_oronasal": communication,
    "pain": pain,
}


def status_part(evidence: Evidence) -> StagingPart:
    """Return whether the disease is active or healed: stages of MRONJ do not say it."""
    status = evidence.choice("status")
    words = status.as_text if status.known else "unknown"
    first, last = str(status.possible[0]), str(status.possible[-1])
    return StagingPart(name="status", lowest=first, highest=last, text=f"status {words}")


def exclusions(evidence: Evidence) -> tuple[str, ...]:
    """Return what excludes MRONJ by definition although bone is exposed or probed."""
    bone = any(
        evidence.truth(name).possible == (True,)
        for name in ("exposed_bone", "fistula_probes_bone")
    )
    stated = [
        (words, evidence.truth(name))
        for name, words in (
            ("jaw_radiotherapy", "jaw radiotherapy"),
            ("jaw_metastasis", "metastatic disease of the jaw"),
        )
    ]
    return tuple(
        f"{words} is stated ({'; '.join(answer.because)}): the case definition of MRONJ "
        "excludes it, the stage is shown all the same"
        for words, answer in stated
        if bone and answer.possible == (True,)
    )
