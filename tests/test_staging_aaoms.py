"""AAOMS 2014 and 2022, against the tables of the specification said in plain Python."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from tests.fixtures.statements import (
    DAY,
    assignments,
    course,
    fact,
    finding,
    patient,
    reading,
)

from osteotrace.staging import stage
from osteotrace.staging.rule_table import evaluate
from osteotrace.staging.systems.aaoms import DEFINITIONS, SYSTEMS, TABLES

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, Case, DrugCourse, Fact, StagingResult
    from osteotrace.staging.rule_table import Value

NINE = (
    "not applicable",
    "at risk",
    "0",
    "1",
    "pain only",
    "2",
    "beyond only",
    "3",
    "conflict",
)
DENOSUMAB = course("denosumab", "2020-01-01")
# No sign of stage 3, and nothing beyond the alveolus.
NOT_FAR = tuple(
    fact(name, False)
    for name in (
        "path_fracture",
        "extraoral_fistula",
        "oroantral_or_oronasal",
        "lysis_to_inferior_border_or_sinus_floor",
        "beyond_alveolus",
    )
)


def staged(
    *statements: Fact | DrugCourse | Assessment, system: str = "aaoms_2022"
) -> StagingResult:
    return of_case(patient(*statements), system)


def of_case(case: Case, system: str = "aaoms_2022") -> StagingResult:
    (one,) = stage(case, DAY, systems=[system])
    return one


# The table ---------------------------------------------------------------------------


def stated_outcome(system: str, known: dict[str, Value]) -> str:
    """Return the outcome by section 3.1 of the specification, branch by branch."""
    drug = known["drug_antiresorptive"]
    if system == "aaoms_2014":
        drug = drug or known["drug_antiangiogenic"]
    if not drug:
        return "not applicable"
    if not (known["exposed_bone"] or known["fistula_probes_bone"]):
        symptoms = (
            known["swelling_or_erythema"]
            or known["extraoral_fistula"]
            or known["other_nonspecific"]
        )
        if known["explained_by_other_disease"]:
            return "at risk"
        return "0" if symptoms or known["stage0_imaging"] else "at risk"
    of_stage_3 = (
        known["path_fracture"]
        or known["extraoral_fistula"]
        or known["oroantral_or_oronasal"]
        or known["lysis_to_inferior_border_or_sinus_floor"]
    )
    if known["swelling_or_erythema"] or known["pus"]:
        if of_stage_3:
            return "3"
        return "beyond only" if known["beyond_alveolus"] else "2"
    if of_stage_3 or known["beyond_alveolus"]:
        return "conflict"
    return "pain only" if known["pain"] else "1"


def met(system: str, known: dict[str, Value]) -> bool:
    drug = known["drug_antiresorptive"]
    if system == "aaoms_2014":
        drug = drug or known["drug_antiangiogenic"]
    bone = known["exposed_bone"] or known["fistula_probes_bone"]
    excluded = known["jaw_radiotherapy"] or known["jaw_metastasis"]
    return bool(drug and bone and known["over_8_weeks"] and not excluded)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_full_assignment_has_one_of_nine_outcomes_and_the_stated_one(
    system: str,
) -> None:
    table = TABLES[system]
    fired = evaluate(table, {}).fired.ravel()
    outcomes = [table.rules[n].outcome for n in fired]
    stated = [stated_outcome(system, known) for known in assignments(table)]
    assert len(outcomes) == (2**15 if system == "aaoms_2014" else 2**14)
    assert outcomes == stated
    assert set(outcomes) == set(NINE) == set(table.outcomes)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_full_assignment_meets_the_case_definition_or_does_not(system: str) -> None:
    table = DEFINITIONS[system]
    outcomes = [table.rules[n].outcome for n in evaluate(table, {}).fired.ravel()]
    stated = ["met" if met(system, known) else "not met" for known in assignments(table)]
    assert outcomes == stated
    assert set(outcomes) == {"met", "not met"}


def test_every_rule_names_its_paper_and_how_its_wording_was_checked() -> None:
    for system in SYSTEMS:
        rules = (*TABLES[system].rules, *DEFINITIONS[system].rules)
        assert len({rule.id for rule in rules}) == len(rules)
        year = system.removeprefix("aaoms_")
        assert all("Ruggiero" in rule.source and year in rule.source for rule in rules)
        assert {rule.evidence for rule in rules} == {"P", "D", "V"}


# Hand cases --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # Exposed bone alone: nothing else is known.
        ((fact("exposed_bone"),), "1..3"),
        ((fact("exposed_bone"), fact("pus")), "2..3"),
        ((fact("exposed_bone"), fact("pus"), *NOT_FAR), "2"),
        ((fact("fistula_probes_bone"), fact("pus"), *NOT_FAR), "2"),
        (
            (
                fact("exposed_bone"),
                fact("pus", False),
                fact("swelling_or_erythema", False),
                fact("pain", False),
                *NOT_FAR,
            ),
            "1",
        ),
        ((fact("exposed_bone"), fact("pus"), fact("extraoral_fistula")), "3"),
        ((fact("exposed_bone"), fact("pus"), fact("path_fracture")), "3"),
        (
            (
                fact("exposed_bone", False),
                fact("fistula_probes_bone", False),
                fact("trismus"),
                fact("explained_by_other_disease", False),
            ),
            "0",
        ),
        # Another disease explains it: the flare of the child's mandible is no stage 0.
        (
            (
                fact("exposed_bone", False),
                fact("fistula_probes_bone", False),
                fact("swelling_or_erythema"),
                fact("explained_by_other_disease"),
            ),
            "at risk",
        ),
        (
            (
                fact("exposed_bone", False),
                fact("fistula_probes_bone", False),
                fact("trismus"),
            ),
            "at risk..0",
        ),
        # The examination of the maxilla: a fistula of unknown depth, swelling, pus.
        (
            (
                fact("intraoral_fistula"),
                fact("swelling_or_erythema"),
                fact("pus"),
                fact("pain"),
                fact("explained_by_other_disease", False),
            ),
            "0..3",
        ),
    ],
)
def test_the_interval_of_cases_staged_by_hand(
    facts: tuple[Fact, ...], expected: str
) -> None:
    assert staged(DENOSUMAB, *facts).as_text == expected


def test_no_drug_is_not_applicable_and_an_unknown_drug_leaves_all_open() -> None:
    without = fact("drug_antiresorptive", False, date="")
    assert staged(without, fact("exposed_bone")).as_text == "not applicable"
    assert staged(fact("exposed_bone")).as_text == "not applicable..3"


def test_pain_without_infection_is_between_the_stages() -> None:
    done = staged(
        DENOSUMAB,
        fact("exposed_bone"),
        fact("pus", False),
        fact("swelling_or_erythema", False),
        fact("pain_vas", 4, unit="1"),
        *NOT_FAR,
    )
    assert done.as_text == "1..2"
    assert done.possible == ("pain only",)
    assert done.blocking == ()
    assert any(note.startswith("1..2, check") for note in done.notes)
    assert [rule.id for rule in done.rules] == ["AAOMS22-PAIN-ONLY"]


def test_necrosis_beyond_the_alveolus_alone_is_where_copies_disagree() -> None:
    near = [one for one in NOT_FAR if one.name != "beyond_alveolus"]
    done = staged(
        DENOSUMAB, fact("exposed_bone"), fact("pus"), fact("beyond_alveolus"), *near
    )
    assert done.as_text == "2..3"
    assert done.possible == ("beyond only",)
    assert any("copies of the table disagree" in note for note in done.notes)


def test_a_sign_of_stage_3_without_infection_is_a_conflict() -> None:
    done = staged(
        DENOSUMAB,
        fact("exposed_bone"),
        fact("pus", False),
        fact("swelling_or_erythema", False),
        fact("path_fracture"),
    )
    assert done.as_text == "1..3"
    assert done.possible == ("conflict",)
    assert any(note.startswith("1..3, check") for note in done.notes)


def test_stage_0_says_that_it_does_not_meet_the_case_definition() -> None:
    done = staged(
        DENOSUMAB,
        fact("exposed_bone", False),
        fact("fistula_probes_bone", False),
        fact("lip_paresthesia"),
        fact("explained_by_other_disease", False),
    )
    assert done.as_text == "0"
    assert "stage 0 does not meet the case definition" in done.notes
    assert done.part("case definition").text == "case definition not met"


# Drugs -------------------------------------------------------------------------------


def test_an_antiangiogenic_alone_counts_in_2014_and_not_in_2022() -> None:
    statements: tuple[Fact | DrugCourse, ...] = (
        course("bevacizumab", "2022-01-01"),
        fact("drug_antiresorptive", False, date=""),
        fact("exposed_bone"),
        fact("pus"),
        *NOT_FAR,
    )
    early = staged(*statements, system="aaoms_2014")
    assert early.as_text == "2"
    assert not any("antiangiogenic" in note for note in early.notes)
    late = staged(*statements, system="aaoms_2022")
    assert late.as_text == "not applicable"
    assert any("antiangiogenic given (bevacizumab" in note for note in late.notes)


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_immune_modulator_alone_counts_in_neither_and_is_recorded(system: str) -> None:
    done = staged(
        course("methotrexate", "2022-01-01"),
        fact("drug_antiresorptive", False, date=""),
        fact("drug_antiangiogenic", False, date=""),
        fact("exposed_bone"),
        system=system,
    )
    assert done.as_text == "not applicable"
    assert any("immune modulator given (methotrexate" in note for note in done.notes)


def test_a_drug_that_began_after_the_date_was_not_given() -> None:
    later = course("denosumab", "2024-01-01")
    assert staged(later, fact("exposed_bone")).as_text == "not applicable..3"


def test_a_course_that_contradicts_the_statement_is_named_and_unknown() -> None:
    done = staged(
        DENOSUMAB, fact("drug_antiresorptive", False), fact("exposed_bone"), fact("pus")
    )
    assert done.lowest == "not applicable"
    assert any("denosumab" in one and "no" in one for one in done.conflicts)


# Case definition ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (8, "wk", "not met"),
        (8.1, "wk", "met"),
        (56, "d", "not met"),
        (57, "d", "met"),
        (1, "mo", "not met"),
        (2, "mo", "met"),
        (None, "", "unknown (over_8_weeks)"),
    ],
)
def test_exposure_counts_beyond_eight_weeks_in_any_unit(
    value: float | None, unit: str, expected: str
) -> None:
    done = staged(
        DENOSUMAB,
        fact("exposed_bone"),
        fact("duration_weeks", value, unit=unit),
        fact("jaw_radiotherapy", False, date=""),
        fact("jaw_metastasis", False, date=""),
    )
    assert done.part("case definition").text == f"case definition {expected}"


def test_jaw_radiotherapy_is_named_as_a_conflict_and_the_stage_is_shown() -> None:
    done = staged(
        DENOSUMAB,
        fact("exposed_bone"),
        fact("pus"),
        fact("jaw_radiotherapy", date="2015"),
        *NOT_FAR,
    )
    assert done.as_text == "2"
    assert done.part("case definition").text == "case definition not met"
    (conflict,) = done.conflicts
    assert conflict.startswith("jaw radiotherapy is stated")


# What images show --------------------------------------------------------------------

INFECTED: tuple[Fact | DrugCourse, ...] = (DENOSUMAB, fact("exposed_bone"), fact("pus"))
OPEN = tuple(one for one in NOT_FAR if one.name != "path_fracture")


def test_an_accepted_finding_answers() -> None:
    seen = reading(finding("pathological_fracture", "mandible"))
    done = staged(*INFECTED, *OPEN, seen)
    assert done.as_text == "3"
    why = {reason.criterion: reason for reason in done.reasons}["path_fracture"]
    assert (why.value, why.basis) == ("yes", "measured")


def test_a_finding_that_no_reader_accepted_stays_unknown() -> None:
    proposed = reading(finding("pathological_fracture", "mandible"), reader="")
    done = staged(*INFECTED, *OPEN, proposed)
    assert done.as_text == "2..3"
    assert [one.criterion for one in done.blocking] == ["path_fracture"]
    why = {reason.criterion: reason for reason in done.reasons}["path_fracture"]
    assert (why.value, why.basis) == ("unknown", "proposed")


def test_a_possible_finding_stays_unknown() -> None:
    seen = reading(finding("pathological_fracture", "mandible", certainty="possible"))
    assert staged(*INFECTED, *OPEN, seen).as_text == "2..3"


def test_looked_for_and_absent_is_no_and_not_looked_for_is_unknown() -> None:
    absent = reading(finding("pathological_fracture", "jaw", presence="absent"))
    unknown = reading(finding("pathological_fracture", "mandible", presence="unknown"))
    assert staged(*INFECTED, *OPEN, absent).as_text == "2"
    assert staged(*INFECTED, *OPEN, unknown).as_text == "2..3"
    assert staged(*INFECTED, *OPEN).as_text == "2..3"


def test_a_condyle_without_a_fracture_says_nothing_of_the_rest_of_the_jaw() -> None:
    part = finding(
        "pathological_fracture",
        "condyle_of_mandible",
        presence="absent",
        laterality="left",
    )
    done = staged(*INFECTED, *OPEN, reading(part))
    assert done.as_text == "2..3"
    why = {reason.criterion: reason for reason in done.reasons}["path_fracture"]
    assert why.because[0].endswith("looked for at: left condyle of mandible")


def test_a_fracture_of_another_bone_is_none_of_the_jaw() -> None:
    elsewhere = reading(finding("pathological_fracture", "femur"))
    assert staged(*INFECTED, *OPEN, elsewhere).as_text == "2..3"


def test_an_oronasal_fistula_is_a_communication_and_none_leaves_the_sinus_open() -> None:
    near = [one for one in NOT_FAR if one.name != "oroantral_or_oronasal"]
    assert staged(*INFECTED, *near, fact("oronasal_fistula")).as_text == "3"
    assert staged(*INFECTED, *near, fact("oronasal_fistula", False)).as_text == "2..3"


# Symptoms ----------------------------------------------------------------------------

NO_BONE: tuple[Fact | DrugCourse, ...] = (
    DENOSUMAB,
    fact("exposed_bone", False),
    fact("fistula_probes_bone", False),
    fact("explained_by_other_disease", False),
    fact("stage0_imaging", False),
    fact("swelling_or_erythema", False),
    fact("extraoral_fistula", False),
)


def test_no_symptom_at_all_is_at_risk() -> None:
    none = fact("nonspecific_symptom_or_sign", False)
    assert staged(*NO_BONE, none).as_text == "at risk"
    assert staged(*NO_BONE).as_text == "at risk..0"


def test_no_sign_at_all_is_no_swelling_either() -> None:
    stated = fact("swelling_or_erythema", False)
    asked = tuple(one for one in NO_BONE if one != stated)
    assert len(asked) == len(NO_BONE) - 1
    none = fact("nonspecific_symptom_or_sign", False)
    assert staged(*asked, none).as_text == "at risk"
    done = staged(*asked, none, fact("swelling_or_erythema"))
    assert done.as_text == "at risk..0"
    assert any(one.startswith("swelling_or_erythema: ") for one in done.conflicts)


def test_a_symptom_against_the_statement_that_there_is_none_is_unknown_and_named() -> (
    None
):
    done = staged(*NO_BONE, fact("nonspecific_symptom_or_sign", False), fact("trismus"))
    assert done.as_text == "at risk..0"
    assert len(done.conflicts) == 1
    assert "trismus yes" in done.conflicts[0]


def test_pain_against_its_scale_is_unknown_and_named() -> None:
    done = staged(
        DENOSUMAB,
        fact("exposed_bone"),
        fact("pus", False),
        fact("swelling_or_erythema", False),
        fact("pain", False),
        fact("pain_vas", 6, unit="1"),
        *NOT_FAR,
    )
    assert done.as_text == "1..2"
    assert done.possible == ("1", "pain only")
    assert any(one.startswith("pain: pain no") for one in done.conflicts)


def test_status_healed_stands_beside_the_stage() -> None:
    done = staged(DENOSUMAB, fact("exposed_bone"), fact("status", "healed"))
    assert done.part("status").text == "status healed"
    assert staged(DENOSUMAB, fact("exposed_bone")).part("status").text == "status unknown"


def test_both_editions_are_staged_and_nothing_of_the_jaw_gives_none() -> None:
    systems = [one.system for one in stage(patient(DENOSUMAB, fact("pus")), DAY)]
    assert systems[:2] == ["aaoms_2014", "aaoms_2022"]
    spine = patient(DENOSUMAB, fact("vcf_new", site="l1"), reading(finding("vcf", "l1")))
    assert stage(spine, DAY, systems=SYSTEMS) == ()


def test_each_unknown_that_blocks_is_one_whose_answer_can_change_the_outcome() -> None:
    """The blocking unknowns of the maxilla, each answered both ways."""
    base = (*INFECTED, fact("jaw_radiotherapy", False))
    done = staged(*base)
    names = [one.criterion for one in done.blocking]
    assert names == [one.name for one in NOT_FAR]
    answers = product((False, True), repeat=len(names))
    stages = {
        values: staged(*base, *(fact(n, v) for n, v in zip(names, values, strict=True)))
        for values in answers
    }
    assert {one.as_text for one in stages.values()} == {"2", "2..3", "3"}


# Pain, and whose it is ---------------------------------------------------------------

NO_INFECTION: tuple[Fact | DrugCourse, ...] = (
    DENOSUMAB,
    fact("exposed_bone"),
    fact("pus", False),
    fact("swelling_or_erythema", False),
    *NOT_FAR,
)
VAS_7 = fact("pain_vas", 7, unit="1")


@pytest.mark.parametrize("any_pain", [fact("pain"), VAS_7])
@pytest.mark.parametrize(
    "spine",
    [
        fact("back_pain"),
        fact("vcf_new", site="l1", date="2023-06-01"),
        fact("genant_grade", "2", site="l1", date=""),
        reading(finding("vcf", "l1"), date="2023-05-01"),
        reading(finding("vcf", "l1", certainty="possible")),
        reading(finding("marrow_edema", "lumbar_spine")),
    ],
)
def test_pain_of_no_stated_place_may_be_of_a_spine_that_is_ill(
    any_pain: Fact, spine: Fact | Assessment
) -> None:
    done = staged(*NO_INFECTION, any_pain, spine)
    assert done.possible == ("1", "pain only")
    assert done.ask is not None
    assert done.ask.facts[0] == "jaw_pain"
    why = {reason.criterion: reason for reason in done.reasons}["pain"]
    assert why.value == "unknown"
    assert any("may be of the spine" in one for one in why.because)
    # The place stated settles it.
    assert staged(*NO_INFECTION, any_pain, spine, fact("jaw_pain")).possible == (
        "pain only",
    )
    no = fact("jaw_pain", False)
    assert staged(*NO_INFECTION, any_pain, spine, no).possible == ("1",)


@pytest.mark.parametrize(
    "other",
    [
        fact("back_pain", False),
        fact("vcf_new", False, site="l1"),
        fact("vcf_new", site="l1", date="2023-07-01"),
        fact("genant_grade", "0", site="l1"),
        # No answer to its question, which is told of the vertebra and not of the jaw.
        fact("genant_grade", "much", site="l1"),
        fact("prior_osteoporotic_fracture"),
        reading(finding("vcf", "l1", presence="absent")),
        reading(finding("vertebra", "l1")),
        reading(finding("marrow_edema", "femur")),
    ],
)
def test_pain_of_no_stated_place_is_of_the_jaw_where_no_spine_is_known_to_be_ill(
    other: Fact | Assessment,
) -> None:
    done = staged(*NO_INFECTION, VAS_7, other)
    assert done.possible == ("pain only",)
    assert done.conflicts == ()


def test_no_pain_at_all_is_none_of_the_jaw_whatever_the_spine() -> None:
    spine = reading(finding("vcf", "l1"))
    assert staged(*NO_INFECTION, fact("pain", False), spine).possible == ("1",)
    zero = fact("pain_vas", 0, unit="1")
    assert staged(*NO_INFECTION, zero, spine).possible == ("1",)


def test_a_back_that_is_said_not_to_hurt_leaves_the_pain_to_the_jaw() -> None:
    spine = reading(finding("vcf", "l1"))
    done = staged(*NO_INFECTION, VAS_7, spine, fact("back_pain", False))
    assert done.possible == ("pain only",)


def test_pus_or_pain_without_exposed_bone_is_checked() -> None:
    none = fact("nonspecific_symptom_or_sign", False)
    for signs, words in (
        ((fact("pus"),), "pus"),
        ((VAS_7,), "pain"),
        ((fact("pus"), VAS_7), "pus and pain"),
    ):
        done = staged(*NO_BONE, none, *signs)
        assert done.as_text == "at risk"
        assert done.notes == (
            f"{words} without exposed bone: not in the table of stage 0, check",
        )
    without = staged(*NO_BONE, none, fact("pus", False), fact("pain", False))
    assert without.notes == ()
    # Another disease explains them; and with bone the table has them.
    other = tuple(one for one in NO_BONE if one != NO_BONE[3])
    explained = fact("explained_by_other_disease")
    assert staged(*other, none, fact("pus"), explained).notes == ()
    assert not any("stage 0" in one for one in staged(*INFECTED).notes)
