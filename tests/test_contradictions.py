"""Contradictions of a case: named, in words, and never dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.fixtures.four_cases import mandible, maxilla, spine
from tests.fixtures.statements import (
    DAY,
    course,
    fact,
    finding,
    patient,
    reading,
)

from osteotrace.staging import contradictions, stage

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, DrugCourse, Fact


def named(*statements: Fact | DrugCourse | Assessment, date: str | None = None) -> str:
    return "\n".join(contradictions(patient(*statements), date))


# The founding cases ------------------------------------------------------------------


def test_the_maxilla_names_the_unusual_route() -> None:
    (one,) = contradictions(maxilla())
    assert one.startswith(
        "denosumab is normally subcutaneous, the record says intravenous"
    )


def test_the_spine_names_the_two_t_scores() -> None:
    found = contradictions(spine())
    assert any("t_score -3.7" in one and "t_score -3.8" in one for one in found)


def test_the_mandible_contradicts_itself_nowhere() -> None:
    assert contradictions(mandible()) == ()


# One sort after the other ------------------------------------------------------------


def test_exposed_bone_with_jaw_radiotherapy() -> None:
    said = named(fact("exposed_bone"), fact("jaw_radiotherapy", date="2015"))
    assert said.startswith("jaw radiotherapy is stated (jaw_radiotherapy yes")


def test_an_mronj_stage_with_jaw_radiotherapy() -> None:
    """The stage was set by a reading that knew of no radiotherapy."""
    drug = course("denosumab", "2020-01-01")
    (staged,) = stage(
        patient(drug, fact("exposed_bone"), fact("pus")), DAY, systems=["aaoms_2022"]
    )
    read = msgspec.structs.replace(reading(), stagings=(staged,))
    irradiated = fact("jaw_radiotherapy", date="2015")
    assert "an MRONJ stage, 2..3 (aaoms_2022, 2023-06-20)" in named(
        drug, irradiated, read
    )
    (without,) = stage(
        patient(fact("drug_antiresorptive", False), fact("exposed_bone")),
        DAY,
        systems=["aaoms_2022"],
    )
    none = msgspec.structs.replace(reading(), stagings=(without,))
    assert "an MRONJ stage" not in named(irradiated, none)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (course("denosumab", "2022-01", "2020-01"), "denosumab from 2022-01 to 2020-01"),
        (fact("pus", until="2023-01-01"), "from 2023-06-20 to 2023-01-01"),
        (fact("pus", date="yesterday"), "'yesterday' as a date"),
        (fact("duration_weeks", 9, unit="mm"), "9 mm"),
        (fact("crp", 9, unit="wk"), "9 wk"),
        (fact("pus", "much"), "'much'"),
        (fact("no_such_fact"), "no_such_fact"),
        (course("aspirin"), "aspirin"),
        (course("denosumab", "soon"), "'soon' as a date"),
        (reading(date="June"), "the study date 'June'"),
        (
            course("denosumab", "2024-01-01", recorded="2023-01-01T10:00:00"),
            "recorded on 2023-01-01, before the dose of 2024-01-01",
        ),
        (
            course("zoledronate", route="oral"),
            "zoledronate is normally intravenous, the record says oral",
        ),
    ],
)
def test_what_one_statement_says_wrongly(
    statement: Fact | DrugCourse | Assessment, words: str
) -> None:
    assert words in named(statement)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ((fact("pus"), fact("pus", False)), "pus is stated in two ways"),
        (
            (fact("pus", date="2023-06"), fact("pus", False, date="2023-06")),
            "pus is stated in two ways",
        ),
        (
            (fact("cancer", date="2020"), fact("cancer", False, author="Dr Second")),
            "cancer is stated in two ways",
        ),
        (
            (fact("jaw_pain"), fact("pain", False)),
            "jaw_pain: jaw_pain yes",
        ),
        (
            (fact("nonspecific_symptom_or_sign", False), fact("swelling_or_erythema")),
            "swelling_or_erythema: swelling_or_erythema yes",
        ),
        (
            (
                fact("alveolus_involved"),
                reading(finding("palatal_bony_defect", presence="absent")),
            ),
            "alveolus_involved yes (Dr Reader, 2023-06-20), but palatal_bony_defect",
        ),
        (
            (fact("drug_antiresorptive", False), course("denosumab")),
            "drugs: denosumab",
        ),
        (
            (fact("pus", date=""), fact("pus", False, date="")),
            "pus is stated in two ways",
        ),
        (
            (fact("pus", date="2023-06-01", until="2023-07-01"), fact("pus", False)),
            "pus is stated in two ways",
        ),
        (
            (fact("pain", False), fact("pain_vas", 5, unit="1")),
            "pain: pain no",
        ),
        (
            (fact("status", "healed"), fact("exposed_bone")),
            "status healed (Dr Reader, 2023-06-20), but exposed_bone yes",
        ),
        (
            (fact("path_fracture", False), reading(finding("pathological_fracture"))),
            "path_fracture: path_fracture no",
        ),
        (
            (fact("gas_outside_airway", False), reading(finding("gas"))),
            "gas_outside_airway: gas_outside_airway no",
        ),
        (
            (fact("status", "healed"), fact("status", "active")),
            "status is stated in two ways",
        ),
        (
            (fact("nonspecific_symptom_or_sign", False), fact("trismus")),
            "nonspecific_symptom_or_sign no",
        ),
        (
            (fact("oroantral_or_oronasal", False), fact("oronasal_fistula")),
            "oroantral_or_oronasal no",
        ),
        (
            (fact("drug_antiresorptive", False), course("denosumab", "2020")),
            "drugs: denosumab",
        ),
        (
            (fact("drug_antiresorptive", date="2019"), course("denosumab", "2020")),
            "before its first dose, 2020",
        ),
        (
            (fact("exposed_bone", date="2019-05-01"), course("denosumab", "2020")),
            "before the first dose of a drug, 2020",
        ),
        (
            (
                reading(finding("pathological_fracture", "mandible"), date="2019-05-01"),
                course("denosumab", "2020"),
            ),
            "before the first dose of a drug, 2020",
        ),
        (
            (fact("vcf_new", date="2019-05-01", site="l1"), course("denosumab", "2020")),
            "L1: vcf_new yes",
        ),
        (
            (
                fact("signal_extension", 20, unit="%", site="rib", laterality="left"),
                fact("signal_extension", 60, unit="%", site="rib", laterality="left"),
            ),
            "signal_extension is stated in two ways",
        ),
    ],
)
def test_what_two_statements_say_against_each_other(
    statements: tuple[Fact | DrugCourse | Assessment, ...], words: str
) -> None:
    assert words in named(*statements)
    # Neither of them by itself.
    for one in statements:
        assert named(one) == ""


# What is none ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statements",
    [
        # At other dates, or at a day of the month that is another one.
        (fact("pus", date="2023-06"), fact("pus", False)),
        # Denied, and later begun.
        (fact("cancer", False, date="2020-01-01"), fact("cancer")),
        (
            fact("drug_antiresorptive", False, date="2019-01-01"),
            course("denosumab", "2020"),
        ),
        # Pain elsewhere.
        (fact("jaw_pain", False), fact("pain")),
        # A part of the jaw without it.
        (
            fact("sequestrum"),
            reading(finding("sequestrum", "premaxilla", presence="absent")),
        ),
        (fact("pus"), fact("pus", False, date="2023-06-21")),
        (fact("status", "healed", date="2024-01-01"), fact("exposed_bone")),
        # Pain of 0 is no pain, and unknown contradicts nothing.
        (fact("pain", False), fact("pain_vas", 0, unit="1")),
        (fact("pus"), fact("pus", None)),
        # Gas and what grew are two facts, and neither says what the other is.
        (
            fact("gas_outside_airway"),
            fact("organism", "Streptococcus anginosus"),
            reading(finding("gas")),
        ),
        # Two organisms, and two sides.
        (fact("organism", "Streptococcus anginosus"), fact("organism", "Actinomyces")),
        (
            fact("signal_extension", 20, unit="%", site="rib", laterality="left"),
            fact("signal_extension", 60, unit="%", site="rib", laterality="right"),
        ),
        (course("denosumab", "2020", route="subcutaneous"), course("pamidronate")),
        # A fracture in the year of the first dose, or where another drug has no dates.
        (fact("vcf_new", date="2020-05-01", site="l1"), course("denosumab", "2020")),
        (
            fact("exposed_bone", date="2019-05-01"),
            course("denosumab", "2020"),
            course("alendronate"),
        ),
        (fact("jaw_radiotherapy"), fact("pus")),
    ],
)
def test_what_is_no_contradiction(
    statements: tuple[Fact | DrugCourse | Assessment, ...],
) -> None:
    assert named(*statements) == ""


def test_a_date_limits_statements_and_not_what_is_wrong_in_the_record() -> None:
    statements = (fact("pus"), fact("pus", False), course("zoledronate", route="oral"))
    assert "two ways" in named(*statements, date=DAY)
    later = named(*statements, date="2024-01-01")
    assert "two ways" not in later
    assert "zoledronate" in later


def test_each_is_named_once_however_many_days_it_is_met() -> None:
    found = contradictions(
        patient(
            fact("pus", date=""),
            fact("pus", False, date=""),
            *(fact("pain", date=f"2023-01-0{n}") for n in range(1, 9)),
        )
    )
    assert len(found) == 1


def test_a_case_without_anything_contradicts_nothing() -> None:
    assert contradictions(patient()) == ()
