"""MRONJ stage by AAOMS, editions 2014 and 2022.

Ruggiero, J Oral Maxillofac Surg 2014;72:1938-56 and 2022;80:920-943. The wording of the
stages was checked against reprinted tables (PMC7378104, PMC9016445), not the full papers.
Stage 0 does not meet the case definition, which is returned beside the stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.codes.drugs import ANTIANGIOGENIC, IMMUNE_MODULATOR
from osteotrace.findings import StagingPart
from osteotrace.staging import jaw
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import (
    Criterion,
    Outcome,
    Rule,
    RuleTable,
    evaluate,
    result,
)

if TYPE_CHECKING:
    from osteotrace.findings import Case, StagingResult
    from osteotrace.findings.staging_results import Evidence as EvidenceTag
    from osteotrace.staging.rule_table import Evaluation, Observed

SYSTEMS: Final = ("aaoms_2014", "aaoms_2022")
ENABLED: Final = True
VERSION: Final = "1"
# Bone must be exposed, or probed, for longer than this.
LEAST_WEEKS: Final = 8

_SOURCES: Final = {
    "aaoms_2014": "Ruggiero, J Oral Maxillofac Surg 2014;72:1938-56",
    "aaoms_2022": "Ruggiero, J Oral Maxillofac Surg 2022;80:920-943",
}
_DRUG: Final = {
    "aaoms_2014": "drug_antiresorptive or drug_antiangiogenic",
    "aaoms_2022": "drug_antiresorptive",
}


def _fact(name: str, question: str, *kinds: str) -> Criterion:
    return Criterion(name=name, question=question, facts=(name,), kinds=kinds)


_CRITERIA: Final = (
    _fact("drug_antiresorptive", "Was an antiresorptive drug given?"),
    _fact("drug_antiangiogenic", "Was an antiangiogenic drug given?"),
    _fact("exposed_bone", "Is bone of the jaw exposed?"),
    _fact("fistula_probes_bone", "Can bone be probed through a fistula?"),
    _fact("pus", "Is there pus or purulent drainage?"),
    _fact("swelling_or_erythema", "Is there swelling or erythema?"),
    Criterion(
        name="pain",
        question="Is there pain of the jaw?",
        facts=("jaw_pain", "pain", "pain_vas"),
    ),
    _fact("path_fracture", "Is there a pathological fracture?", "pathological_fracture"),
    _fact("extraoral_fistula", "Is there an extraoral fistula?"),
    _fact(
        "oroantral_or_oronasal",
        "Is there an oro-antral or oro-nasal communication?",
        "oroantral_communication",
    ),
    _fact(
        "lysis_to_inferior_border_or_sinus_floor",
        "Does osteolysis reach the inferior border of the mandible or the sinus floor?",
    ),
    _fact(
        "beyond_alveolus",
        "Does the necrotic bone reach beyond the alveolus (the text names the inferior "
        "border, the ramus, the maxillary sinus and the zygoma, not the hard palate)?",
    ),
    _fact(
        "explained_by_other_disease",
        "Does another disease explain the symptoms and signs?",
    ),
    Criterion(
        name="other_nonspecific",
        question="Is there a nonspecific symptom or sign other than swelling?",
        facts=("nonspecific_symptom_or_sign",),
    ),
    _fact("stage0_imaging", "Do images show a change of stage 0?"),
    Criterion(
        name="over_8_weeks",
        question="Has bone been exposed or probed for more than eight weeks?",
        facts=("duration_weeks",),
    ),
    _fact("jaw_radiotherapy", "Was the jaw irradiated?"),
    _fact("jaw_metastasis", "Is there metastatic disease of the jaw?"),
)


def _terms(system: str) -> dict[str, str]:
    return {
        "drug": _DRUG[system],
        "bone": "exposed_bone or fistula_probes_bone",
        "nonspecific": "swelling_or_erythema or extraoral_fistula or other_nonspecific",
        "infection": "swelling_or_erythema or pus",
        "stage_3_sign": "path_fracture or extraoral_fistula or oroantral_or_oronasal "
        "or lysis_to_inferior_border_or_sinus_floor",
        "far": "stage_3_sign or beyond_alveolus",
        "stage_0_sign": "nonspecific or stage0_imaging",
    }


_OUTCOMES: Final = {
    "not applicable": Outcome(lowest="not applicable", highest="not applicable"),
    "at risk": Outcome(lowest="at risk", highest="at risk"),
    "0": Outcome(
        lowest="0", highest="0", note="stage 0 does not meet the case definition"
    ),
    "1": Outcome(lowest="1", highest="1"),
    "pain only": Outcome(
        lowest="1",
        highest="2",
        note="1..2, check: pain without infection is neither stage 1 nor stage 2",
    ),
    "2": Outcome(lowest="2", highest="2"),
    "beyond only": Outcome(
        lowest="2",
        highest="3",
        note="2..3, check: copies of the table disagree on necrosis beyond the alveolus "
        "without another sign of stage 3",
    ),
    "3": Outcome(lowest="3", highest="3"),
    "conflict": Outcome(
        lowest="1",
        highest="3",
        note="1..3, check: a sign of stage 3 without infection, which the text couples",
    ),
}
# Rule, condition, outcome, how the wording was checked.
_ROWS: Final[tuple[tuple[str, str, str, EvidenceTag], ...]] = (
    ("NOT-APPLICABLE", "not drug", "not applicable", "P"),
    (
        "AT-RISK",
        "drug and not bone and (not stage_0_sign or explained_by_other_disease)",
        "at risk",
        "D",
    ),
    (
        "STAGE-0",
        "drug and not bone and stage_0_sign and not explained_by_other_disease",
        "0",
        "P",
    ),
    ("STAGE-1", "drug and bone and not infection and not pain and not far", "1", "P"),
    (
        "PAIN-ONLY",
        "drug and bone and pain and not infection and not far",
        "pain only",
        "D",
    ),
    ("STAGE-2", "drug and bone and infection and not far", "2", "P"),
    (
        "BEYOND-ONLY",
        "drug and bone and infection and beyond_alveolus and not stage_3_sign",
        "beyond only",
        "V",
    ),
    ("STAGE-3", "drug and bone and infection and stage_3_sign", "3", "P"),
    ("CONFLICT", "drug and bone and not infection and far", "conflict", "D"),
)
_DEFINITION: Final = (
    "drug and bone and over_8_weeks and not jaw_radiotherapy and not jaw_metastasis"
)


def _table(system: str) -> RuleTable:
    prefix = "AAOMS14" if system == "aaoms_2014" else "AAOMS22"
    return RuleTable(
        system=system,
        version=VERSION,
        source=_SOURCES[system],
        stages=("not applicable", "at risk", "0", "1", "2", "3"),
        criteria=_CRITERIA,
        terms=_terms(system),
        outcomes=_OUTCOMES,
        rules=tuple(
            Rule(
                id=f"{prefix}-{name}",
                when=when,
                outcome=outcome,
                source=_SOURCES[system],
                evidence=tag,
            )
            for name, when, outcome, tag in _ROWS
        ),
    )


def _definition(system: str) -> RuleTable:
    """Return the case definition as a table of its own, with two outcomes."""
    prefix = "AAOMS14" if system == "aaoms_2014" else "AAOMS22"
    return RuleTable(
        system=system,
        version=VERSION,
        source=_SOURCES[system],
        stages=("not met", "met"),
        criteria=_CRITERIA,
        terms=_terms(system),
        outcomes={
            name: Outcome(lowest=name, highest=name) for name in ("not met", "met")
        },
        rules=tuple(
            Rule(
                id=f"{prefix}-CASE-{name}",
                when=when,
                outcome=outcome,
                source=_SOURCES[system],
                evidence="P",
            )
            for name, when, outcome in (
                ("MET", _DEFINITION, "met"),
                ("NOT-MET", f"not ({_DEFINITION})", "not met"),
            )
        ),
    )


TABLES: Final = {system: _table(system) for system in SYSTEMS}
DEFINITIONS: Final = {system: _definition(system) for system in SYSTEMS}


def observed(evidence: Evidence) -> dict[str, Observed]:
    """Return what is known of each criterion at the evidence's date."""
    return jaw.observed(
        evidence,
        _CRITERIA,
        {
            "swelling_or_erythema": jaw.swelling,
            "other_nonspecific": jaw.nonspecific,
            "over_8_weeks": lambda known: known.holds(
                "duration_weeks", lambda weeks: weeks > LEAST_WEEKS
            ),
        },
    )


def stage(case: Case, date: str) -> tuple[StagingResult, ...]:
    """Return the stage by both editions, each with its case definition beside it."""
    if not jaw.is_known(case):
        return ()
    evidence = Evidence(case, date)
    known = observed(evidence)
    status = jaw.status_part(evidence)
    conflicts = (*jaw.exclusions(evidence), *evidence.conflicts)
    results = []
    for system in SYSTEMS:
        done = evaluate(TABLES[system], known)
        defined = evaluate(DEFINITIONS[system], known)
        results.append(
            result(
                done,
                date,
                beside=[defined],
                parts=(_case_definition(defined), status),
                notes=(*_not_in_table(done), *_beside(evidence, system)),
                conflicts=conflicts,
            )
        )
    return tuple(results)


def _not_in_table(done: Evaluation) -> tuple[str, ...]:
    """Return what the table of stage 0 does not ask: pus or pain without exposed bone."""
    if "at risk" not in done.possible or _is(done, "explained_by_other_disease"):
        return ()
    there = [name for name in ("pus", "pain") if _is(done, name)]
    if not there:
        return ()
    return (
        f"{' and '.join(there)} without exposed bone: not in the table of stage 0, check",
    )


def _is(done: Evaluation, name: str) -> bool:
    return done.observed[name].possible == (True,)


def _beside(evidence: Evidence, system: str) -> tuple[str, ...]:
    """Return drugs that the edition records and does not stage by."""
    classes: tuple[str, ...] = (IMMUNE_MODULATOR,)
    if system == "aaoms_2022":
        classes += (ANTIANGIOGENIC,)
    given = ((one, evidence.drug_given(one)) for one in classes)
    return tuple(
        f"{drug_class} given ({'; '.join(answer.because)}): recorded beside the stage"
        for drug_class, answer in given
        if answer.possible == (True,)
    )


def _case_definition(done: Evaluation) -> StagingPart:
    if done.lowest == done.highest:
        text = f"case definition {done.lowest}"
    else:
        open_ = ", ".join(one.name for one in done.blocking)
        text = f"case definition unknown ({open_})"
    return StagingPart(
        name="case definition", lowest=done.lowest, highest=done.highest, text=text
    )
