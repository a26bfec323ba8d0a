"""SICMF-SIPMO, strict and lenient, against the table said in plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fixtures.four_cases import maxilla
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
from osteotrace.staging.systems.sipmo import MINOR_SIGNS, SYSTEMS, TABLES

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, DrugCourse, Fact, StagingResult
    from osteotrace.staging.rule_table import Value

DENOSUMAB = course("denosumab", "2020-01-01")
SIGNS_OF_2 = (
    "prominent_mandibular_canal",
    "periosteal_reaction",
    "sinusitis",
    "sequestrum",
    "oroantral_or_oronasal",
)
SIGNS_OF_3 = (
    "extraoral_fistula",
    "path_fracture",
    "lysis_to_sinus",
    "sclerosis_zygoma_or_hard_palate",
    "nasal_leakage",
    "mandible_displaced_or_mobile",
)
CT = ("density_alveolar", "density_basal", *SIGNS_OF_2)


def no(*names: str) -> tuple[Fact, ...]:
    return tuple(fact(name, False) for name in names)


def yes(*names: str) -> tuple[Fact, ...]:
    return tuple(fact(name) for name in names)


def staged(
    *statements: Fact | DrugCourse | Assessment, system: str = "sipmo_strict"
) -> StagingResult:
    (one,) = stage(patient(DENOSUMAB, *statements), DAY, systems=[system])
    return one


# The table ---------------------------------------------------------------------------


def stated_number(system: str, known: dict[str, Value]) -> tuple[str, str]:
    """Return the lowest and highest stage without suffix, as the table is printed."""
    minor = bool(known["pus"] or known["other_minor_sign"])
    alveolar, basal = bool(known["density_alveolar"]), bool(known["density_basal"])
    sign_of_2 = any(known[name] for name in SIGNS_OF_2)
    sign_of_3 = any(known[name] for name in SIGNS_OF_3)
    if system == "sipmo_strict":
        # Both CT and a clinical sign; only the basal density makes stage 2.
        if not (minor and (alveolar or basal)):
            return "none", "none"
        if basal:
            return ("3", "3") if sign_of_3 else ("2", "2")
        if sign_of_3:
            return "1", "3"
        return ("1", "2") if sign_of_2 else ("1", "1")
    # Either; a listed sign of stage 2 makes it stage 2 by itself.
    if basal or sign_of_2:
        return ("3", "3") if sign_of_3 else ("2", "2")
    low = "1" if minor or alveolar else "none"
    return (low, "3") if sign_of_3 else (low, low)


def stated_stage(system: str, known: dict[str, Value]) -> tuple[str, str]:
    if not (known["drug_antiresorptive"] or known["drug_antiangiogenic"]):
        return "not applicable", "not applicable"
    low, high = stated_number(system, known)
    first = "b" if known["pain"] and known["pus"] else "a"
    last = "b" if known["pain"] or known["pus"] else "a"
    return (
        low if low == "none" else low + first,
        high if high == "none" else high + last,
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_full_assignment_has_one_outcome_and_the_stated_one(system: str) -> None:
    table = TABLES[system]
    ends = [
        (outcome.lowest, outcome.highest)
        for outcome in (table.outcomes[rule.outcome] for rule in table.rules)
    ]
    fired = evaluate(table, {}).fired.ravel().tolist()
    stated = [stated_stage(system, known) for known in assignments(table)]
    assert len(fired) == 2**18
    assert [ends[n] for n in fired] == stated


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_rule_names_its_paper_and_is_there_for_some_patient(system: str) -> None:
    table = TABLES[system]
    done = evaluate(table, {})
    assert done.rules == table.rules
    assert all("Bedogni" in rule.source for rule in table.rules)
    assert len({rule.id for rule in table.rules}) == len(table.rules)


def test_where_nothing_but_the_question_is_known_every_stage_is_open() -> None:
    nothing = patient(fact("exposed_bone", None))
    results = stage(nothing, DAY, systems=SYSTEMS)
    assert [one.as_text for one in results] == ["not applicable..3b"] * 2
    assert all(len(one.blocking) == 18 for one in results)


# The maxilla of the case report ------------------------------------------------------


def test_the_maxilla_at_presentation_by_both_readings() -> None:
    strict, lenient = stage(maxilla(), "2023-06-20", systems=SYSTEMS)
    assert strict.as_text == "none..3b"
    assert lenient.as_text == "2b..3b"
    open_strict = {one.criterion for one in strict.blocking}
    assert open_strict == {
        "density_alveolar",
        "density_basal",
        *(set(SIGNS_OF_3)),
    }
    assert {one.criterion for one in lenient.blocking} == set(SIGNS_OF_3)
    assert strict.ask is not None
    assert strict.ask.criterion == "density_basal"


# Hand cases --------------------------------------------------------------------------

SYMPTOMS = yes("pus", "pain")
NONE_OF_3 = no(*SIGNS_OF_3)


def test_stage_1_is_density_of_the_alveolus_with_a_minor_sign() -> None:
    focal = (*no("density_basal", *SIGNS_OF_2), *NONE_OF_3, fact("density_alveolar"))
    assert staged(*focal, *SYMPTOMS).as_text == "1b"
    assert staged(*focal, *no("pus", "pain"), fact("trismus")).as_text == "1a"


def test_strict_needs_both_ct_and_a_sign_where_lenient_takes_either() -> None:
    signs_alone = (*no(*CT), *NONE_OF_3, *SYMPTOMS)
    assert staged(*signs_alone).as_text == "none"
    assert staged(*signs_alone, system="sipmo_lenient").as_text == "1b"
    ct_alone = (
        *no("density_basal", *SIGNS_OF_2, *MINOR_SIGNS, "minor_sign", "pus", "pain"),
        *NONE_OF_3,
        fact("density_alveolar"),
    )
    assert staged(*ct_alone).as_text == "none"
    assert staged(*ct_alone, system="sipmo_lenient").as_text == "1a"


def test_a_sequestrum_alone_is_stage_2_in_the_lenient_reading() -> None:
    case = (
        *no("density_alveolar", "density_basal", *SIGNS_OF_2[:3], SIGNS_OF_2[4]),
        *NONE_OF_3,
        fact("sequestrum"),
        *SYMPTOMS,
    )
    assert staged(*case).as_text == "none"
    assert staged(*case, system="sipmo_lenient").as_text == "2b"


def test_a_sequestrum_beside_focal_density_is_checked_in_the_strict_reading() -> None:
    done = staged(
        fact("density_alveolar"),
        fact("density_basal", False),
        fact("sequestrum"),
        *NONE_OF_3,
        *SYMPTOMS,
    )
    assert done.as_text == "1b..2b"
    assert any(note.startswith("1..2, check") for note in done.notes)


def test_a_sign_of_stage_3_needs_what_makes_stage_2() -> None:
    diffuse = (fact("density_basal"), *SYMPTOMS)
    assert staged(*diffuse, fact("nasal_leakage")).as_text == "3b"
    focal = (fact("density_alveolar"), *no("density_basal", *SIGNS_OF_2), *SYMPTOMS)
    done = staged(*focal, fact("path_fracture"))
    assert done.as_text == "1b..3b"
    assert any(note.startswith("1..3, check") for note in done.notes)


@pytest.mark.parametrize(
    ("pain", "pus", "expected", "is_open"),
    [
        (False, False, "2a", False),
        (True, True, "2b", False),
        (True, False, "2a..2b", True),
        (False, True, "2a..2b", True),
    ],
)
def test_one_of_pain_and_pus_leaves_the_suffix_open(
    pain: bool, pus: bool, expected: str, is_open: bool
) -> None:
    done = staged(
        fact("density_basal"),
        fact("trismus"),
        *NONE_OF_3,
        fact("pain", pain),
        fact("pus", pus),
    )
    assert done.as_text == expected
    assert any(note.startswith("a..b, check") for note in done.notes) is is_open


def test_a_premaxilla_without_a_sequestrum_leaves_the_rest_of_the_jaw_open() -> None:
    case = (
        fact("density_alveolar"),
        *no("density_basal", *(one for one in SIGNS_OF_2 if one != "sequestrum")),
        *NONE_OF_3,
        *SYMPTOMS,
    )
    part = reading(finding("sequestrum", "premaxilla", presence="absent"))
    assert staged(*case, part).as_text == "1b..2b"
    whole = reading(finding("sequestrum", "jaw", presence="absent"))
    assert staged(*case, whole).as_text == "1b"


def test_pain_beside_a_broken_vertebra_leaves_the_suffix_open() -> None:
    case = (fact("density_basal"), *NONE_OF_3, fact("pus"), fact("pain"))
    assert staged(*case).as_text == "2b"
    broken = fact("vcf_new", site="l1")
    assert staged(*case, broken).as_text == "2a..2b"
    assert staged(*case, broken, fact("jaw_pain")).as_text == "2b"


# What answers ------------------------------------------------------------------------


def test_without_a_drug_it_does_not_apply() -> None:
    without = patient(
        fact("drug_antiresorptive", False, date=""),
        fact("drug_antiangiogenic", False, date=""),
        fact("sequestrum"),
    )
    for done in stage(without, DAY, systems=SYSTEMS):
        assert done.as_text == "not applicable"


def test_no_minor_sign_at_all_means_no_pus_either() -> None:
    case = (fact("density_basal"), *NONE_OF_3, fact("pain", False))
    assert staged(*case, fact("minor_sign", False)).as_text == "none"
    done = staged(*case, fact("minor_sign", False), fact("pus"))
    assert done.as_text == "none..2b"
    assert any(one.startswith("pus: ") for one in done.conflicts)


def test_the_list_of_minor_signs_is_open() -> None:
    """All that are printed are absent: whether there is another is still asked."""
    case = (fact("density_basal"), *NONE_OF_3, *no(*MINOR_SIGNS, "pus", "pain"))
    assert staged(*case).as_text == "none..2a"
    assert staged(*case, fact("minor_sign", False)).as_text == "none"
    assert staged(*case, fact("minor_sign")).as_text == "2a"


def test_a_stated_sign_contradicts_that_there_is_none() -> None:
    case = (fact("density_basal"), *NONE_OF_3, *no("pus", "pain"))
    done = staged(*case, fact("minor_sign", False), fact("trismus"))
    assert done.as_text == "none..2a"
    assert any("trismus yes" in one for one in done.conflicts)


@pytest.mark.parametrize(
    ("kind", "site"),
    [
        ("sequestrum", "mandible"),
        ("periosteal_reaction", "mandible"),
        ("oroantral_communication", "maxilla"),
    ],
)
def test_accepted_findings_of_the_jaw_are_signs_of_stage_2(kind: str, site: str) -> None:
    case = (*no("density_basal"), *NONE_OF_3, *SYMPTOMS)
    lenient = "sipmo_lenient"
    assert staged(*case, reading(finding(kind, site)), system=lenient).as_text == "2b"
    assert staged(*case, reading(finding(kind, "tibia")), system=lenient).lowest == "1b"
    proposed = reading(finding(kind, site), reader="")
    assert staged(*case, proposed, system=lenient).as_text == "1b..2b"


def test_sclerosis_of_the_zygoma_or_the_hard_palate_is_a_sign_of_stage_3() -> None:
    others = [name for name in SIGNS_OF_3 if not name.startswith("sclerosis")]
    case = (fact("density_basal"), *no(*others), *SYMPTOMS)
    palate = finding("diffuse_sclerosis", "hard_palate")
    assert staged(*case, reading(palate)).as_text == "3b"
    # No sclerosis of the one says nothing of the other.
    absent = finding("diffuse_sclerosis", "hard_palate", presence="absent")
    assert staged(*case, reading(absent)).as_text == "2b..3b"
    both = (absent, finding("diffuse_sclerosis", "zygoma", presence="absent"))
    assert staged(*case, reading(*both)).as_text == "2b"


def test_sclerosis_of_the_alveolar_process_is_density_and_of_the_body_is_not_said() -> (
    None
):
    case = (*no("density_basal", *SIGNS_OF_2), *NONE_OF_3, *SYMPTOMS)
    alveolar = finding("diffuse_sclerosis", "alveolar_process_of_mandible")
    assert staged(*case, reading(alveolar)).as_text == "1b"
    mandible = finding("diffuse_sclerosis", "mandible")
    assert staged(*case, reading(mandible)).as_text == "none..1b"


def test_what_the_table_does_not_ask_is_said_beside_it() -> None:
    done = staged(
        fact("density_basal"),
        fact("exposed_bone"),
        fact("jaw_radiotherapy"),
        fact("explained_by_other_disease"),
    )
    assert any("another disease explains" in note for note in done.notes)
    assert any(one.startswith("jaw radiotherapy") for one in done.conflicts)
