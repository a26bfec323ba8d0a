"""Genant's grade level by level, and the SDI as a sum of intervals."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from tests.fixtures.spines import case, exam, fact, finding

from osteotrace.findings import (
    Assessment,
    Case,
    Finding,
    Presence,
    StagingResult,
    overridden,
)
from osteotrace.measurements.measurement import LesionReading, Measurement, Method
from osteotrace.measurements.vertebra import VertebraReading, compare_levels
from osteotrace.measurements.vertebra.comparison import GRADE_BEFORE_CEMENT
from osteotrace.measurements.vertebra.grading import (
    Loss,
    deformity_type,
    proposed_grade,
)
from osteotrace.measurements.vertebra.records import heights_of
from osteotrace.staging import contradictions, stage
from osteotrace.staging.rule_table import Observed, evaluate
from osteotrace.staging.systems.genant import SDI_LEVELS, TABLE
from osteotrace.staging.vertebrae.grades import MEASURED, READ

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = "2023-09-27"
METHOD = Method(name="test", version="1")


def rows(
    loss: float, u: float = 0.0, *, where: str = "anterior", flags: tuple[str, ...] = ()
) -> tuple[Measurement, ...]:
    """Return grade and type as measuring one loss gives them."""
    losses = [Loss(where=where, against="its own posterior height", value=loss, u=u)]
    return (
        proposed_grade(losses, method=METHOD, sources=(), flags=flags),
        deformity_type(losses, method=METHOD, sources=()),
    )


def vertebrae(losses: Mapping[str, float], u: float = 0.0) -> tuple[Finding, ...]:
    return tuple(
        finding(site, kind="vertebra", measurements=rows(loss, u))
        for site, loss in losses.items()
    )


def measured_exam(
    day: str = DAY, *, reader: str = "Reader One", u: float = 0.0, **losses: float
) -> Assessment:
    return exam(day, *vertebrae(losses, u), reader=reader)


def levels(patient: Case, day: str = DAY) -> dict[str, StagingResult]:
    return {one.site: one for one in stage(patient, day, systems=["genant"])}


def index(patient: Case, day: str = DAY) -> StagingResult:
    (one,) = stage(patient, day, systems=["spinal_deformity_index"])
    return one


# The table ------------------------------------------------------------------------


def test_every_full_assignment_gives_one_grade_and_the_readers_own_outranks() -> None:
    for read, by_heights in product(READ, MEASURED):
        known = {
            "reader_grade": Observed(possible=(read,)),
            "measured_grade": Observed(possible=(by_heights,)),
        }
        done = evaluate(TABLE, known)
        assert len(done.rules) == 1
        expected = by_heights if read == "not given" else read
        assert done.lowest == done.highest == ("0" if expected == "0.5" else expected)


def stated_grades(loss: float, u: float) -> tuple[int, int]:
    """Return the grades of a loss with its doubt: [20, 25), [25, 40), above 40 %."""

    def grade(percent: float, *, at_40: int) -> int:
        if percent < 20:
            return 0
        if percent < 25:
            return 1
        if percent < 40:
            return 2
        return at_40 if percent == 40 else 3

    return grade(loss - 1.96 * u, at_40=2), grade(loss + 1.96 * u, at_40=3)


@pytest.mark.parametrize(
    ("loss", "u", "text"),
    [
        (0.0, 0.0, "0"),
        (19.99, 0.0, "0"),
        (20.0, 0.0, "1"),
        (24.99, 0.0, "1"),
        (25.0, 0.0, "2"),
        (39.99, 0.0, "2"),
        (40.0, 0.0, "2..3"),
        (40.01, 0.0, "3"),
        (19.0, 0.5, "0"),
        (19.0, 0.52, "0..1"),
        (22.5, 1.27, "1"),
        (22.5, 1.29, "0..2"),
        (38.0, 1.0, "2"),
        (38.0, 1.05, "2..3"),
        (42.0, 1.0, "3"),
        (42.0, 1.05, "2..3"),
    ],
)
def test_measured_heights_propose_the_grade_by_half_open_edges(
    loss: float, u: float, text: str
) -> None:
    result = levels(case(measured_exam(u=u, l1=loss)))["l1"]
    assert result.as_text == text
    low, high = stated_grades(loss, u)
    assert (result.lowest, result.highest) == (str(low), str(high))


@pytest.mark.parametrize("u", [0.0, 0.3, 1.0, 2.5])
def test_the_grade_staged_is_the_grade_measured_at_every_loss(u: float) -> None:
    for loss in np.arange(0.0, 60.0, 0.73):
        result = levels(case(measured_exam(u=u, l1=float(loss))))["l1"]
        row = rows(float(loss), u)[0]
        ends = row.interval95 or (row.value, row.value)
        assert (result.lowest, result.highest) == tuple(f"{end:.0f}" for end in ends)


def body(level: str, front: float, middle: float, back: float) -> VertebraReading:
    """Return a level whose heights are known to 0.1 mm."""
    return VertebraReading(
        level=level,
        reading=LesionReading(measurements=()),
        basis="test",
        method=METHOD,
        heights=heights_of(np.array([front, middle, back]), np.eye(3) * 0.01),
    )


def test_a_reference_on_one_side_alone_proposes_no_grade() -> None:
    whole = {name: body(name, 25.0, 25.0, 25.0) for name in ("T12", "L2")}
    crushed = body("L1", 17.5, 17.5, 17.5)
    for reference, expected in ((("T12",), "0"), (("T12", "L2"), "2")):
        readings = {name: whole[name] for name in reference} | {"L1": crushed}
        compared = compare_levels(readings, excluded={"L1"})["L1"]
        seen = finding("l1", measurements=compared.measurements)
        assert levels(case(exam(DAY, seen)))["l1"].as_text == expected


# Whose grade it is ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "basis", "words"),
    [
        ("", "proposed", "not accepted by a reader"),
        ("Reader One", "measured", "no reader gave a grade of their own"),
    ],
)
def test_a_grade_from_heights_is_a_proposal_until_a_named_reader_accepts(
    reader: str, basis: str, words: str
) -> None:
    result = levels(case(measured_exam(reader=reader, l1=30.0)))["l1"]
    assert result.as_text == "2"
    (why,) = [one for one in result.reasons if one.criterion == "l1.measured_grade"]
    assert why.basis == basis
    assert any(words in note for note in result.notes)


def test_the_readers_grade_outranks_the_heights_and_both_are_said() -> None:
    patient = case(
        measured_exam(l1=30.0), facts=(fact("genant_grade", "1", DAY, site="l1"),)
    )
    result = levels(patient)["l1"]
    assert result.as_text == "1"
    assert result.part("measured grade").lowest == "2"
    assert any("propose 2" in note or "grade 2" in note for note in result.notes)


def test_a_borderline_grade_counts_0_and_is_said() -> None:
    patient = case(facts=(fact("genant_grade", "0.5", DAY, site="l1"),))
    result = levels(patient)["l1"]
    assert result.as_text == "0"
    assert result.notes == ("grade 0.5, borderline: it counts 0",)
    assert index(patient).lowest == "0"


def test_two_readers_who_differ_leave_both_grades_and_are_named() -> None:
    patient = case(
        facts=(
            fact("genant_grade", "1", DAY, site="l1"),
            fact("genant_grade", "2", DAY, site="l1", author="Reader Two"),
        )
    )
    result = levels(patient)["l1"]
    assert result.as_text == "1..2"
    assert "stated in two ways" in result.conflicts[0]
    assert [question.criterion for question in result.blocking] == ["l1.reader_grade"]
    assert index(patient).conflicts == result.conflicts


def test_two_measurements_that_differ_span_both_and_are_named() -> None:
    patient = case(measured_exam(l1=5.0), measured_exam(l1=30.0))
    result = levels(patient)["l1"]
    assert result.as_text == "0..2"
    assert "measured in two ways" in result.conflicts[0]


@pytest.mark.parametrize(
    ("where", "kind"),
    [("anterior", "wedge"), ("middle", "biconcave"), ("posterior", "crush")],
)
def test_the_type_of_deformity_stands_beside_the_grade(where: str, kind: str) -> None:
    seen = finding("l1", kind="vertebra", measurements=rows(30.0, where=where))
    part = levels(case(exam(DAY, seen)))["l1"].part("deformity")
    assert (part.lowest, part.highest) == (kind, kind)


def test_the_readers_own_stage_stands_with_its_reason() -> None:
    own = overridden(
        levels(case(measured_exam(l1=30.0)))["l1"],
        "1",
        reason="Schmorl node, no fracture of the plate",
        author="Reader Two",
        recorded="2023-10-02T10:00:00",
    )
    assert own.as_text == "1 (set by the reader; computed 2)"


# Cement and time ------------------------------------------------------------------


def cemented(*, before: bool) -> Case:
    exams = [
        exam(
            "2023-08-30",
            finding("l1", kind="cement"),
            finding("l1", kind="vertebra", measurements=rows(8.0)),
        ),
        measured_exam(l1=5.0, l2=30.0),
    ]
    if before:
        exams += [
            measured_exam("2023-07-01", l1=22.0),
            measured_exam("2023-08-01", l1=30.0),
        ]
    return case(*exams)


def test_a_cemented_level_keeps_the_grade_of_the_last_reading_before() -> None:
    result = levels(cemented(before=True))["l1"]
    assert result.as_text == "2"
    assert (
        "bone cement, seen first on 2023-08-30: the grade is that of 2023-08-01"
        in " ".join(result.notes)
    )
    assert index(cemented(before=True)).part("L1").text == (
        "L1 2 (2023-08-01, before cement)"
    )


def test_a_cemented_level_never_read_before_has_every_grade_open() -> None:
    result = levels(cemented(before=False))["l1"]
    assert result.as_text == "0..3"
    assert result.notes == (
        "bone cement, seen first on 2023-08-30, and no grade was read before it",
    )


def test_before_the_cement_the_level_is_graded_as_any_other() -> None:
    assert levels(cemented(before=True), "2023-07-01")["l1"].as_text == "1"


def test_cement_that_only_the_measurement_found_masks_the_level_too() -> None:
    filled = finding("l1", measurements=rows(5.0, flags=(GRADE_BEFORE_CEMENT,)))
    patient = case(measured_exam("2023-08-01", l1=30.0), exam(DAY, filled))
    assert levels(patient)["l1"].as_text == "2"


def test_a_readers_grade_of_a_cemented_level_stands_and_says_so() -> None:
    patient = msgspec.structs.replace(
        cemented(before=True), facts=(fact("genant_grade", "3", DAY, site="l1"),)
    )
    result = levels(patient)["l1"]
    assert result.as_text == "3"
    assert any("bone cement" in note for note in result.notes)


def test_a_level_read_earlier_and_not_now_is_open_and_names_the_day() -> None:
    patient = case(measured_exam("2023-07-15", l1=30.0), measured_exam(l2=5.0))
    result = levels(patient)["l1"]
    assert result.as_text == "0..3"
    assert result.notes == ("not read at this date; last read on 2023-07-15",)


# The index ------------------------------------------------------------------------


def test_the_index_is_the_sum_of_t4_to_l4_without_l5() -> None:
    whole = dict.fromkeys(SDI_LEVELS, 5.0) | {"l1": 30.0, "l2": 22.0, "l5": 45.0}
    result = index(case(exam(DAY, *vertebrae(whole, 0.1))))
    assert len(SDI_LEVELS) == 13
    assert result.as_text == "3"
    assert result.part("SDI(T4-L4)").text == "SDI(T4-L4) 3"
    assert result.part("sum_all_levels").text == "sum_all_levels 6; beside T4-L4: L5 3"
    assert result.blocking == ()
    assert result.stages == tuple(str(n) for n in range(40))


def test_levels_not_read_are_named_and_count_0_to_3() -> None:
    result = index(case(measured_exam(u=0.1, l1=30.0, l2=22.0, l5=45.0)))
    assert result.as_text == "3..36"
    assert result.part("SDI(T4-L4)").text == (
        "SDI(T4-L4) 3..36; not read, 0..3 each: "
        "T4, T5, T6, T7, T8, T9, T10, T11, T12, L3, L4"
    )
    read = result.part("sum over levels read")
    assert (read.lowest, read.highest) == ("3", "3")
    assert read.text == "sum over levels read 3; 2 of 13 levels"
    every = result.part("sum_all_levels")
    assert (every.lowest, every.highest) == ("6", "39")
    assert len(result.blocking) == 11
    assert result.ask is not None
    assert (result.ask.site, result.ask.facts) == ("t4", ("genant_grade",))


def test_an_open_l5_is_said_beside_the_sum_of_all_levels() -> None:
    part = index(case(measured_exam(u=0.1, l1=30.0))).part("sum_all_levels")
    assert (part.lowest, part.highest) == ("2", "41")
    assert part.text.endswith("L5 not read")


def test_levels_above_t4_are_in_the_sum_of_all_levels_alone() -> None:
    result = index(case(measured_exam(u=0.1, t3=30.0, l1=30.0)))
    assert result.part("SDI(T4-L4)").lowest == "2"
    assert result.part("sum_all_levels").lowest == "4"


def test_intervals_of_levels_add_up_to_every_sum_between() -> None:
    whole = dict.fromkeys(SDI_LEVELS, 5.0) | {"l1": 40.0, "l2": 24.9}
    result = index(case(exam(DAY, *vertebrae(whole, 0.2))))
    # L1 is 2..3 and L2 is 1..2, every other level 0.
    assert result.as_text == "3..5"
    assert result.possible == ("3", "4", "5")
    assert [question.site for question in result.blocking] == ["l1", "l2"]


def test_the_index_says_which_grades_no_reader_accepted() -> None:
    result = index(case(measured_exam(reader="", l1=30.0, l2=22.0)))
    assert "proposed, not accepted by a reader: L1, L2" in result.notes


def test_without_any_grade_there_is_no_index() -> None:
    patient = case(exam(DAY, finding("l1")))
    assert stage(patient, DAY, systems=["spinal_deformity_index"]) == ()
    assert levels(patient)["l1"].as_text == "0..3"


def test_a_spine_of_which_nothing_is_known_has_no_grades() -> None:
    assert stage(case(exam(DAY)), DAY, systems=["genant"]) == ()


# Against what is stated of a fracture ------------------------------------------------


def test_a_level_that_a_reader_saw_without_a_fracture_has_grade_0() -> None:
    patient = case(exam(DAY, *(finding(level, "absent") for level in SDI_LEVELS)))
    assert {one.as_text for one in levels(patient).values()} == {"0"}
    assert index(patient).as_text == "0"
    assert index(patient).blocking == ()
    measured = case(measured_exam(l1=30.0), exam(DAY, finding("l1", "absent")))
    assert levels(measured)["l1"].as_text == "0"
    assert any("own grade stands" in note for note in levels(measured)["l1"].notes)


def test_an_absence_that_nobody_answers_for_is_no_grade() -> None:
    for patient in (
        case(exam(DAY, finding("l1", "absent"), reader="")),
        case(exam(DAY, finding("l1", "absent", "possible"))),
    ):
        assert stage(patient, DAY, systems=["spinal_deformity_index"]) == ()


def test_an_absence_of_before_is_no_grade_of_a_later_date_or_of_a_cemented_body() -> None:
    before = exam("2023-07-15", finding("l1", "absent"))
    broken = exam("2023-09-03", finding("l1"))
    cement = exam("2023-09-04", finding("l1", kind="cement"))
    assert levels(case(before, broken))["l1"].as_text == "0..3"
    assert levels(case(before, broken, cement))["l1"].as_text == "0..3"
    after = exam(DAY, finding("l1", "absent"))
    assert levels(case(cement, after))["l1"].as_text == "0..3"


@pytest.mark.parametrize(
    ("grade", "presence", "text"),
    [
        ("0", "present", "0..3"),
        ("2", "absent", "0..2"),
        ("0.5", "present", "0"),
        ("0.5", "absent", "0"),
        ("0", "absent", "0"),
        ("2", "present", "2"),
    ],
)
def test_a_grade_against_a_fracture_that_is_seen_or_not_is_a_contradiction(
    grade: str, presence: Presence, text: str
) -> None:
    stated = fact("genant_grade", grade, DAY, site="l2")
    patient = case(exam(DAY, finding("l2", presence)), facts=(stated,))
    result = levels(patient)["l2"]
    assert result.as_text == text
    named = (*result.conflicts, *contradictions(patient, DAY))
    if ".." not in text:
        assert named == ()
        return
    said = f"L2: genant_grade {grade} "
    assert len(result.conflicts) == 1
    assert all(one.startswith(said) and f"vcf {presence}" in one for one in named)
    assert len(named) == 2
