"""Brown and Shaw's class of a palatal defect, borrowed for necrosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fixtures.four_cases import maxilla
from tests.fixtures.statements import (
    DAY,
    assignments,
    fact,
    finding,
    patient,
    reading,
)

from osteotrace.staging import stage
from osteotrace.staging.rule_table import evaluate
from osteotrace.staging.systems.brown import BORROWED, HORIZONTAL, VERTICAL

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, Fact, StagingResult
    from osteotrace.staging.rule_table import Value

EXTENTS = (
    "palate only",
    "half or less, unilateral",
    "half or less, bilateral or transverse anterior",
    "more than half",
)
# The orbit is intact, and the defect is one of the palate.
PALATE_ALONE = tuple(
    fact(name, False)
    for name in (
        "orbital_adnexa_involved",
        "eye_removed",
        "orbit_removed_with_maxilla",
        "nasomaxillary",
    )
)

DEFECT = reading(finding("palatal_bony_defect", "hard_palate"))


def staged(*statements: Fact | Assessment) -> StagingResult:
    (one,) = stage(patient(*statements), DAY, systems=["brown"])
    return one


def stated_class(known: dict[str, Value]) -> tuple[str, str]:
    """Return the vertical class as the paper lists them."""
    if known["orbit_removed_with_maxilla"] and known["nasomaxillary"]:
        return "V", "VI"
    if known["nasomaxillary"]:
        return "VI", "VI"
    if known["orbit_removed_with_maxilla"]:
        return "V", "V"
    if known["eye_removed"]:
        return "IV", "IV"
    if known["orbital_adnexa_involved"]:
        return "III", "III"
    return ("II", "II") if known["oronasal_fistula"] else ("I", "I")


def test_every_full_assignment_has_one_class_and_it_is_the_stated_one() -> None:
    done = evaluate(VERTICAL, {})
    outcomes = [VERTICAL.outcomes[VERTICAL.rules[n].outcome] for n in done.fired.ravel()]
    assert [(one.lowest, one.highest) for one in outcomes] == [
        stated_class(known) for known in assignments(VERTICAL)
    ]
    assert len(outcomes) == 2**5
    assert done.rules == VERTICAL.rules


def test_every_extent_has_its_letter() -> None:
    done = evaluate(HORIZONTAL, {})
    assert [HORIZONTAL.rules[n].outcome for n in done.fired] == list("abcd")
    for extent, letter in zip(EXTENTS, "abcd", strict=True):
        assert staged(fact("alveolar_extent", extent)).part("horizontal").lowest == letter


def test_every_result_says_that_it_is_borrowed() -> None:
    assert BORROWED in staged(fact("alveolus_involved")).notes
    assert "borrowed" in BORROWED


@pytest.mark.parametrize("date", ["2023-06-20", "2024-01-15"])
def test_the_maxilla_is_one_or_two_with_the_letter_c(date: str) -> None:
    (done,) = stage(maxilla(), date, systems=["brown"])
    assert done.as_text == "I..II"
    assert [one.criterion for one in done.blocking] == ["oronasal_fistula"]
    assert done.ask is not None
    assert done.ask.criterion == "oronasal_fistula"
    assert done.part("vertical").text == "vertical I..II candidate"
    horizontal = done.part("horizontal")
    assert (horizontal.lowest, horizontal.highest) == ("c", "c")
    assert horizontal.text == (
        "horizontal c candidate (half or less, bilateral or transverse anterior)"
    )


def test_an_orbit_of_which_nothing_is_known_leaves_every_class_open() -> None:
    done = staged(DEFECT, fact("oronasal_fistula", False))
    assert done.as_text == "I..VI"
    assert len(done.blocking) == 5
    assert "oronasal_fistula" not in {one.criterion for one in done.blocking}


def test_no_communication_at_all_is_no_oronasal_fistula() -> None:
    closed = fact("oroantral_or_oronasal", False)
    assert staged(DEFECT, *PALATE_ALONE, closed).as_text == "I"
    # A communication may be one to the sinus alone.
    opened = fact("oroantral_or_oronasal")
    assert staged(DEFECT, *PALATE_ALONE, opened).as_text == "I..II"


def test_both_orbit_and_nose_without_palate_is_checked() -> None:
    done = staged(fact("orbit_removed_with_maxilla"), fact("nasomaxillary"))
    assert done.as_text == "V..VI"
    assert any(note.startswith("V..VI, check") for note in done.notes)


@pytest.mark.parametrize(("alveolus", "letters"), [(False, ("a", "a")), (True, "bd")])
def test_whether_the_alveolus_is_lost_narrows_the_letter(
    alveolus: bool, letters: tuple[str, str]
) -> None:
    part = staged(DEFECT, fact("alveolus_involved", alveolus)).part("horizontal")
    assert (part.lowest, part.highest) == tuple(letters)


def test_a_palate_alone_whose_alveolus_is_lost_is_a_contradiction() -> None:
    done = staged(fact("alveolus_involved"), fact("alveolar_extent", EXTENTS[0]))
    part = done.part("horizontal")
    assert (part.lowest, part.highest) == ("a", "d")
    assert any(one.startswith("alveolar_extent") for one in done.conflicts)


def test_a_measured_defect_proposes_and_narrows_nothing() -> None:
    done = staged(reading(finding("palatal_bony_defect", "premaxilla")))
    assert done.as_text == "I..VI"
    part = done.part("horizontal")
    assert (part.lowest, part.highest) == ("a", "d")
    assert "images propose c (palatal_bony_defect-1 at the premaxilla" in part.text
    why = {reason.criterion: reason for reason in done.reasons}["alveolar_extent"]
    assert why.basis == "proposed"
    beside = staged(reading(finding("palatal_bony_defect", "hard_palate")))
    assert "propose" not in beside.part("horizontal").text


@pytest.mark.parametrize(
    "statements",
    [
        (fact("exposed_bone"),),
        (fact("oronasal_fistula", None),),
        (reading(finding("palatal_bony_defect", presence="absent")),),
        (reading(finding("palatal_bony_defect", "femur")),),
        (fact("oronasal_fistula", date="2022-01-01"),),
        # Every question of a defect answered no: there is none.
        (fact("oronasal_fistula", False),),
        (
            *PALATE_ALONE,
            fact("oronasal_fistula", False),
            fact("alveolus_involved", False),
        ),
        # Read and not there, whatever is stated of it.
        (
            reading(finding("palatal_bony_defect", "hard_palate", presence="absent")),
            fact("alveolar_extent", "palate only"),
        ),
    ],
)
def test_without_a_defect_at_the_date_there_is_no_class(
    statements: tuple[Fact | Assessment, ...],
) -> None:
    assert stage(patient(*statements), DAY, systems=["brown"]) == ()
