"""MRONJ stage by SICMF-SIPMO, which reads CT beside the clinical signs.

Bedogni, Br J Oral Maxillofac Surg 2014;52:603. The wording was checked against two
reprinted tables, Int J Dent 2014/719478 and 2014/935657, which disagree on how signs
combine. The strict reading needs increased density on CT and a minor clinical sign; the
lenient one takes either, and counts a listed sign of stage 2 by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS
from osteotrace.staging import jaw
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import (
    Criterion,
    Observed,
    Outcome,
    Rule,
    RuleTable,
    evaluate,
    result,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.findings import Case, StagingResult
    from osteotrace.findings.staging_results import Evidence as EvidenceTag
    from osteotrace.staging.rule_table import Evaluation

SYSTEMS: Final = ("sipmo_strict", "sipmo_lenient")
ENABLED: Final = True
VERSION: Final = "1"

_PAPER: Final = "Bedogni, Br J Oral Maxillofac Surg 2014;52:603"
_SOURCES: Final = {
    "sipmo_strict": f"{_PAPER}; both CT and a minor sign, as PMC8727393 lists them",
    "sipmo_lenient": f"{_PAPER}; CT or a minor sign, as Int J Dent 2014/719478 prints",
}
# The minor signs beside pus, which is a criterion of its own; the printed list is open.
MINOR_SIGNS: Final = (
    "exposed_bone",
    "loose_tooth",
    "non_healing_socket",
    "intraoral_fistula",
    "swelling_or_erythema",
    "abscess",
    "trismus",
    "jaw_deformity",
    "lip_paresthesia",
)


def _fact(name: str, *facts: str) -> Criterion:
    return Criterion(
        name=name,
        question=FACTS[name].question,
        facts=(name, *facts),
        kinds=jaw.FACT_KINDS.get(name, ()),
    )


_CRITERIA: Final = (
    _fact("drug_antiresorptive"),
    _fact("drug_antiangiogenic"),
    _fact("pus"),
    Criterion(
        name="other_minor_sign",
        question="Is there a minor clinical sign of the jaw other than pus?",
        facts=(*MINOR_SIGNS, "minor_sign"),
    ),
    Criterion(
        name="pain",
        question="Is there pain of the jaw?",
        facts=("jaw_pain", "pain", "pain_vas"),
    ),
    _fact("density_alveolar"),
    _fact("density_basal"),
    _fact("prominent_mandibular_canal"),
    _fact("periosteal_reaction"),
    _fact("sinusitis"),
    _fact("sequestrum"),
    _fact("oroantral_or_oronasal", "oronasal_fistula"),
    _fact("extraoral_fistula"),
    _fact("path_fracture"),
    _fact("lysis_to_sinus"),
    _fact("sclerosis_zygoma_or_hard_palate"),
    _fact("nasal_leakage"),
    _fact("mandible_displaced_or_mobile"),
)
_TERMS: Final = {
    "drug": "drug_antiresorptive or drug_antiangiogenic",
    "density": "density_alveolar or density_basal",
    "minor_sign": "pus or other_minor_sign",
    "sign_of_2": "prominent_mandibular_canal or periosteal_reaction or sinusitis "
    "or sequestrum or oroantral_or_oronasal",
    "sign_of_3": "extraoral_fistula or path_fracture or lysis_to_sinus "
    "or sclerosis_zygoma_or_hard_palate or nasal_leakage "
    "or mandible_displaced_or_mobile",
    "diffuse": "density_basal or sign_of_2",
    "strict": "drug and density and minor_sign",
    "lenient": "drug and (density or minor_sign)",
    "symptomatic": "pain and pus",
    "asymptomatic": "not pain and not pus",
}

_SIGN_OF_2: Final = (
    "1..2, check: a sign of stage 2 without increased density of the basal bone"
)
_SIGN_OF_3: Final = "check: a sign of stage 3 without what makes stage 2"
# End of the rules for one of pain and pus without the other.
_ONE_OF_TWO: Final = "ONE-OF-TWO"
_SUFFIX_NOTE: Final = (
    "a..b, check: only one of pain and pus, where copies of the table print 'and' or "
    "'and/or'"
)


@dataclass(frozen=True)
class _Row:
    """A line of the table without the suffix: rule, condition, stages, tag, note."""

    name: str
    when: str
    low: str
    high: str
    evidence: EvidenceTag
    note: str = ""

    def split(self) -> Iterator[tuple[str, str, str, Outcome]]:
        """Yield name, condition and outcome, one for each state of the suffix."""
        if self.high == "none":
            yield self.name, self.when, "none", Outcome(lowest="none", highest="none")
            return
        for name, suffix, low, high in (
            ("A", "asymptomatic", "a", "a"),
            ("B", "symptomatic", "b", "b"),
            (_ONE_OF_TWO, "not asymptomatic and not symptomatic", "a", "b"),
        ):
            # Pus is a minor sign: where there may be none, there is no pus.
            if self.low == "none" and suffix == "symptomatic":
                continue
            lowest = self.low if self.low == "none" else self.low + low
            highest = self.high + high
            outcome = lowest if lowest == highest else f"{lowest}..{highest}"
            yield (
                f"{self.name}-{name}",
                f"{self.when} and {suffix}",
                outcome,
                Outcome(lowest=lowest, highest=highest, note=self.note),
            )


_ROWS: Final = {
    "sipmo_strict": (
        _Row("NONE", "drug and not strict", "none", "none", "V"),
        _Row(
            "1",
            "strict and not density_basal and not sign_of_2 and not sign_of_3",
            *("1", "1", "V"),
        ),
        _Row(
            "SIGN-OF-2",
            "strict and not density_basal and sign_of_2 and not sign_of_3",
            *("1", "2", "D", _SIGN_OF_2),
        ),
        _Row(
            "SIGN-OF-3",
            "strict and not density_basal and sign_of_3",
            *("1", "3", "D", f"1..3, {_SIGN_OF_3}"),
        ),
        _Row("2", "strict and density_basal and not sign_of_3", "2", "2", "V"),
        _Row("3", "strict and density_basal and sign_of_3", "3", "3", "V"),
    ),
    "sipmo_lenient": (
        _Row(
            "NONE",
            "drug and not lenient and not diffuse and not sign_of_3",
            *("none", "none", "V"),
        ),
        _Row(
            "SIGN-OF-3-ALONE",
            "drug and not lenient and not diffuse and sign_of_3",
            *("none", "3", "D", f"none..3, {_SIGN_OF_3}"),
        ),
        _Row("1", "lenient and not diffuse and not sign_of_3", "1", "1", "V"),
        _Row(
            "SIGN-OF-3",
            "lenient and not diffuse and sign_of_3",
            *("1", "3", "D", f"1..3, {_SIGN_OF_3}"),
        ),
        _Row("2", "drug and diffuse and not sign_of_3", "2", "2", "D"),
        _Row("3", "drug and diffuse and sign_of_3", "3", "3", "D"),
    ),
}
_NOT_APPLICABLE: Final = "not applicable"


def _table(system: str) -> RuleTable:
    prefix = "SIPMO" if system == "sipmo_strict" else "SIPMOL"
    source = _SOURCES[system]
    outcomes = {_NOT_APPLICABLE: Outcome(lowest=_NOT_APPLICABLE, highest=_NOT_APPLICABLE)}
    rules = [
        Rule(
            id=f"{prefix}-NOT-APPLICABLE",
            when="not drug",
            outcome=_NOT_APPLICABLE,
            source=source,
            evidence="D",
        )
    ]
    for row in _ROWS[system]:
        for name, when, outcome, meaning in row.split():
            outcomes[outcome] = meaning
            rules.append(
                Rule(
                    id=f"{prefix}-{name}",
                    when=when,
                    outcome=outcome,
                    source=source,
                    evidence=row.evidence,
                )
            )
    return RuleTable(
        system=system,
        version=VERSION,
        source=source,
        stages=(_NOT_APPLICABLE, "none", "1a", "1b", "2a", "2b", "3a", "3b"),
        criteria=_CRITERIA,
        terms=_TERMS,
        outcomes=outcomes,
        rules=tuple(rules),
    )


TABLES: Final = {system: _table(system) for system in SYSTEMS}


def observed(evidence: Evidence) -> dict[str, Observed]:
    """Return what is known of each criterion at the evidence's date."""
    return jaw.observed(
        evidence,
        _CRITERIA,
        {
            "pus": _pus,
            "other_minor_sign": _other_minor_sign,
            "density_alveolar": _density_alveolar,
            "sclerosis_zygoma_or_hard_palate": _sclerosis_beyond,
        },
    )


def _pus(evidence: Evidence) -> Observed:
    """Return whether there is pus; where there is no minor sign at all there is none."""
    stated = evidence.truth("pus")
    signs = evidence.truth("minor_sign")
    if signs.possible != (False,):
        return stated
    return evidence.agreed("pus", stated, signs)


def _other_minor_sign(evidence: Evidence) -> Observed:
    parts = [jaw.fact(evidence, name) for name in MINOR_SIGNS]
    return evidence.any_of(parts, evidence.truth("minor_sign"), complete=False)


def _density_alveolar(evidence: Evidence) -> Observed:
    return _sclerosis_at(evidence, "density_alveolar", *jaw.ALVEOLAR_SITES)


def _sclerosis_beyond(evidence: Evidence) -> Observed:
    name = "sclerosis_zygoma_or_hard_palate"
    return _sclerosis_at(evidence, name, "zygoma", "hard_palate")


def _sclerosis_at(evidence: Evidence, name: str, *sites: str) -> Observed:
    """Return whether there is sclerosis at any site: no only if looked for at each."""
    parts = [
        evidence.truth(kinds=("diffuse_sclerosis",), sites=(site,)) for site in sites
    ]
    return evidence.any_of(parts, evidence.truth(name))


def stage(case: Case, date: str) -> tuple[StagingResult, ...]:
    """Return the stage by the strict and by the lenient reading."""
    if not jaw.is_known(case):
        return ()
    evidence = Evidence(case, date)
    known = observed(evidence)
    parts = (jaw.status_part(evidence),)
    explained = _explained(evidence)
    conflicts = (*jaw.exclusions(evidence), *evidence.conflicts)
    return tuple(
        result(
            done, date, parts=parts, notes=_notes(done, explained), conflicts=conflicts
        )
        for done in (evaluate(TABLES[system], known) for system in SYSTEMS)
    )


def _notes(done: Evaluation, explained: tuple[str, ...]) -> tuple[str, ...]:
    is_open = any(rule.id.endswith(_ONE_OF_TWO) for rule in done.rules)
    return (*((_SUFFIX_NOTE,) if is_open else ()), *explained)


def _explained(evidence: Evidence) -> tuple[str, ...]:
    other = evidence.truth("explained_by_other_disease")
    if other.possible != (True,):
        return ()
    return (
        f"another disease explains the signs ({'; '.join(other.because)}): this table "
        "does not ask for it",
    )
