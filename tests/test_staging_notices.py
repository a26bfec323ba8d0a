"""Notices: what a reader should look at again, whatever a case is staged by."""

import pytest
from tests.fixtures.four_cases import finding, maxilla, reading

from osteotrace.findings import Case, DrugCourse, Fact
from osteotrace.staging.notices import notices

DAY = "2024-05-01"


def _fact(name: str, value: bool | float | str | None, *, date: str = "") -> Fact:
    unit = "a" if name == "age" else ""
    return Fact(
        name=name,
        value=value,
        unit=unit,
        source="entered",
        author="Dr Kim",
        recorded="",
        date=date,
    )


def _given(drug: str, route: str) -> Case:
    course = DrugCourse(drug=drug, route=route, author="Dr Kim", recorded="")
    return Case(patient="P", drugs=(course,))


def test_a_drug_by_an_unusual_route_is_asked_about() -> None:
    (said,) = notices(_given("denosumab", "intravenous"), DAY)
    assert said == (
        "denosumab is stated as given into a vein (Dr Kim): it is usually given under "
        "the skin, check"
    )


@pytest.mark.parametrize(
    ("drug", "route"),
    [
        ("denosumab", "subcutaneous"),
        ("denosumab", "unknown"),
        ("zoledronate", "intravenous"),
        ("alendronate", "oral"),
    ],
)
def test_a_usual_route_or_an_unknown_one_is_not(drug: str, route: str) -> None:
    assert notices(_given(drug, route), DAY) == ()


def test_a_drug_that_begins_later_is_not_asked_about() -> None:
    course = DrugCourse(
        drug="denosumab",
        route="oral",
        author="Dr Kim",
        recorded="",
        first_dose="2024-05-02",
    )
    assert notices(Case(patient="P", drugs=(course,)), DAY) == ()


def _with_mass(*facts: Fact, presence: str = "present") -> Case:
    mass = finding("MASS", "mass", "maxilla", presence=presence)
    return Case(patient="P", assessments=(reading(DAY, mass),), facts=facts)


def test_a_mass_keeps_the_question_of_a_malignancy_open() -> None:
    (said,) = notices(_with_mass(), DAY)
    assert said == f"is a malignant cause excluded? MASS (mass, {DAY})"


def test_a_negative_cytology_does_not_answer_it() -> None:
    (said,) = notices(_with_mass(_fact("cytology", "no malignant cells")), DAY)
    assert "cytology: no malignant cells, which excludes nothing" in said


def test_a_named_person_answers_it() -> None:
    assert notices(_with_mass(_fact("malignancy_excluded", True)), DAY) == ()
    assert notices(_with_mass(_fact("malignancy_excluded", False)), DAY)
    assert notices(_with_mass(_fact("malignancy_excluded", None)), DAY)


def test_a_mass_that_is_absent_asks_nothing() -> None:
    assert notices(_with_mass(presence="absent"), DAY) == ()
    assert notices(_with_mass(), "2024-06-01") == ()


@pytest.mark.parametrize(
    ("day", "age"), [("2024-05-01", 16), ("2025-05-02", 17), ("2026-04-25", 18)]
)
def test_a_child_grows_until_it_is_eighteen(day: str, age: int) -> None:
    case = Case(patient="P", facts=(_fact("age", 16.0, date=DAY),))
    (said,) = notices(case, day)
    assert f"a growing patient, {age} years old" in said


def test_an_adult_does_not_grow() -> None:
    case = Case(patient="P", facts=(_fact("age", 16.0, date=DAY),))
    assert notices(case, "2026-05-02") == ()
    assert notices(Case(patient="P", facts=(_fact("age", 18.0),)), DAY) == ()


def test_of_an_age_at_every_date_it_is_known_without_a_day() -> None:
    (said,) = notices(Case(patient="P", facts=(_fact("age", 4.0),)), DAY)
    assert "4 years old" in said


def test_an_unknown_age_says_nothing() -> None:
    assert notices(Case(patient="P", facts=(_fact("age", None),)), DAY) == ()


def test_the_maxilla_asks_about_the_route_and_the_malignancy_at_presentation() -> None:
    route, malignancy = notices(maxilla(), "2023-06-20")
    assert route.startswith("denosumab is stated as given into a vein (case report S0)")
    assert "mass" in malignancy
    assert "lymphadenopathy" in malignancy
    assert "no malignant cells" in malignancy
