"""Notices: what to bear in mind of a case, whatever it is staged by."""

import pytest
from tests.fixtures.four_cases import finding, maxilla, reading

from osteotrace.findings import Case, Fact, Finding, Presence
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


def test_a_question_that_nobody_answered_lasts_beyond_the_images() -> None:
    for later in ("2024-05-02", "2031-05-01"):
        (said,) = notices(_with_mass(), later)
        assert said == f"is a malignant cause excluded? MASS (mass, {DAY})"
    assert notices(_with_mass(), "2024-04-30") == ()


def test_an_answer_lasts_and_the_latest_counts() -> None:
    excluded = _with_mass(_fact("malignancy_excluded", True, date="2024-05-10"))
    assert notices(excluded, "2024-05-09")
    assert notices(excluded, "2024-05-10") == ()
    assert notices(excluded, "2025-01-01") == ()
    doubted = _with_mass(
        _fact("malignancy_excluded", True, date="2024-05-10"),
        _fact("malignancy_excluded", False, date="2024-06-10"),
    )
    assert notices(doubted, "2024-06-01") == ()
    assert notices(doubted, "2025-01-01")


def test_an_answer_of_before_the_mass_does_not_answer_for_it() -> None:
    case = _with_mass(_fact("malignancy_excluded", True, date="2023-01-01"))
    assert notices(case, DAY)
    assert notices(case, "2024-06-01")


def _followed(*later: Finding, reader: str = "Dr Kim") -> Case:
    (first,) = _with_mass().assessments
    second = reading("2024-08-01", *later, reader=reader)
    return Case(patient="P", assessments=(first, second))


def test_a_mass_that_a_later_reader_finds_gone_asks_no_more() -> None:
    gone = finding("MASS", "mass", "maxilla", presence="absent")
    assert notices(_followed(gone), "2024-09-01") == ()
    assert notices(_followed(gone), "2024-07-31")
    # That no reader answers for an absence leaves the question.
    assert notices(_followed(gone, reader=""), "2024-09-01")


def test_the_absence_of_another_mass_answers_for_that_one_alone() -> None:
    both = [finding(name, "mass", "maxilla") for name in ("MASS", "MASS-2")]
    gone = finding("MASS-2", "mass", "maxilla", presence="absent")
    case = Case(
        patient="P",
        assessments=(reading(DAY, *both), reading("2024-08-01", gone)),
    )
    (said,) = notices(case, "2024-09-01")
    assert said == f"is a malignant cause excluded? MASS (mass, {DAY})"
    # Without a name of its own it is that of the kind at the place.
    unnamed = finding("none seen", "mass", "maxilla", presence="absent")
    assert notices(_followed(unnamed), "2024-09-01") == ()
    elsewhere = finding("none seen", "mass", "cheek", presence="absent")
    assert notices(_followed(elsewhere), "2024-09-01")


def test_a_mass_that_returns_asks_again() -> None:
    gone = finding("MASS", "mass", "maxilla", presence="absent")
    back = finding("MASS", "mass", "maxilla")
    case = Case(
        patient="P",
        assessments=(
            reading(DAY, back),
            reading("2024-08-01", gone),
            reading("2025-01-01", back),
        ),
        facts=(_fact("malignancy_excluded", True, date="2024-06-01"),),
    )
    assert notices(case, "2024-07-01") == notices(case, "2024-09-01") == ()
    (said,) = notices(case, "2025-02-01")
    assert said == "is a malignant cause excluded? MASS (mass, 2025-01-01)"


@pytest.mark.parametrize(
    ("day", "age"), [("2024-05-01", 16), ("2025-05-02", 17), ("2026-04-25", 17)]
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
    assert "4 years old as stated without a day" in said


def test_an_age_of_a_day_counts_before_one_without() -> None:
    facts = (_fact("age", 4.0), _fact("age", 4.0, date="2014-05-01"))
    (said,) = notices(Case(patient="P", facts=facts), DAY)
    assert "a growing patient, 14 years old:" in said


def test_years_pass_after_an_age_of_a_year() -> None:
    case = Case(patient="P", facts=(_fact("age", 4.0, date="2007"),))
    (said,) = notices(case, "2014-03-17")
    assert "a growing patient, 10 years old:" in said
    assert notices(case, "2027-03-17") == ()


def test_an_unknown_age_says_nothing() -> None:
    assert notices(Case(patient="P", facts=(_fact("age", None),)), DAY) == ()


def test_of_the_maxilla_the_nodes_stay_in_question_where_the_mass_is_gone() -> None:
    (malignancy,) = notices(maxilla(), "2023-06-20")
    assert "mass" in malignancy
    assert "lymphadenopathy" in malignancy
    assert "no malignant cells" in malignancy
    (later,) = notices(maxilla(), "2024-01-15")
    assert "is a malignant cause excluded? NODE-1 (lymphadenopathy, 2023-06-20)" in later
    assert "MASS-1" not in later
    assert "no malignant cells" in later
