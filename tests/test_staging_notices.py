"""Notices: what to bear in mind of a case, whatever it is staged by."""

import pytest
from tests.fixtures.four_cases import finding, maxilla, reading

from osteotrace.findings import Case, Fact, Presence
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


def _with_mass(*facts: Fact, presence: Presence = "present") -> Case:
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


def test_the_maxilla_keeps_its_question_at_presentation_alone() -> None:
    (malignancy,) = notices(maxilla(), "2023-06-20")
    assert "mass" in malignancy
    assert "lymphadenopathy" in malignancy
    assert "no malignant cells" in malignancy
    assert notices(maxilla(), "2024-01-15") == ()
