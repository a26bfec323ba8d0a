"""What is known of a case at a date: statements, drugs, findings, contradictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.fixtures.statements import DAY, course, fact, finding, patient, reading

from osteotrace.codes import SITES
from osteotrace.codes.drugs import ANTIANGIOGENIC, ANTIRESORPTIVE, GLUCOCORTICOID
from osteotrace.measurements.measurement import Method, measured
from osteotrace.regions import ImagePoints
from osteotrace.staging import Evidence, dates
from osteotrace.staging.jaw import JAW_SITES
from osteotrace.staging.rule_table import Observed

if TYPE_CHECKING:
    from osteotrace.findings import (
        Assessment,
        DrugCourse,
        Fact,
        Finding,
        Laterality,
        Presence,
    )

YES, NO, OPEN = (True,), (False,), (False, True)


def evidence(*statements: Fact | DrugCourse | Assessment, date: str = DAY) -> Evidence:
    return Evidence(patient(*statements), date)


def truth(
    *statements: Fact | DrugCourse | Assessment, name: str = "pus", date: str = DAY
) -> tuple[object, ...]:
    return evidence(*statements, date=date).truth(name).possible


# Dates -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "until", "day", "expected"),
    [
        # A state holds on its date alone.
        ("2023-06-20", "", "2023-06-20", YES),
        ("2023-06-20", "", "2023-06-21", OPEN),
        ("2023-06-20", "", "2023-06-19", OPEN),
        # Until its last day, that day with it.
        ("2023-06-20", "2023-07-05", "2023-07-05", YES),
        ("2023-06-20", "2023-07-05", "2023-07-06", OPEN),
        # A last day that may be any of a month: for certain until the first of them.
        ("2023-06-20", "2023-07", "2023-07-01", YES),
        ("2023-06-20", "2023-07", "2023-07-02", OPEN),
        # A month or a year may be any day in it.
        ("2023-06", "", "2023-06-01", OPEN),
        ("2023-06", "", "2023-06-30", OPEN),
        ("2023", "", "2023-01-02", OPEN),
        ("2023", "", "2022-12-31", OPEN),
        # Both ends by the month: from the last first day to the first last day.
        ("2023-05", "2023-08", "2023-05-30", OPEN),
        ("2023-05", "2023-08", "2023-05-31", YES),
        ("2023-05", "2023-08", "2023-08-01", YES),
        ("2023-05", "2023-08", "2023-08-02", OPEN),
        # What is asked of the month itself is asked of the day that it means.
        ("2023-06", "", "2023-06", YES),
        # Without a date it holds at every one.
        ("", "", "1999-01-01", YES),
    ],
)
def test_a_state_holds_on_its_date_and_until_its_last_day(
    date: str, until: str, day: str, expected: tuple[bool, ...]
) -> None:
    assert truth(fact("pus", date=date, until=until), date=day) == expected


@pytest.mark.parametrize(
    ("date", "until", "day", "expected"),
    [
        ("2015", "", "2014-12-31", OPEN),
        # On a day of that year it may not have begun yet.
        ("2015", "", "2015-01-01", OPEN),
        ("2015", "", "2015-12-30", OPEN),
        ("2015", "", "2015-12-31", YES),
        ("2015", "", "2040-01-01", YES),
        ("2015", "2020", "2021-01-01", OPEN),
        ("", "", "1999-01-01", YES),
    ],
)
def test_a_history_lasts_from_its_date_on(
    date: str, until: str, day: str, expected: tuple[bool, ...]
) -> None:
    irradiated = fact("jaw_radiotherapy", date=date, until=until)
    assert truth(irradiated, name="jaw_radiotherapy", date=day) == expected


def test_what_a_partial_date_leaves_open_is_kept_among_the_reasons() -> None:
    for one in (fact("pus", date="2023"), fact("pus", False, date="2023-06")):
        observed = evidence(one).truth("pus")
        assert not observed.known
        assert len(observed.because) == 1
    bone = evidence(fact("alveolar_extent", "palate only", date="2023"))
    assert len(bone.choice("alveolar_extent").because) == 1
    assert evidence(fact("crp", 1.0, unit="mg/dL", date="2023")).number("crp") is None


def test_an_exact_day_answers_where_a_month_around_it_says_otherwise() -> None:
    known = evidence(fact("pus", date="2023-06"), fact("pus", False))
    assert known.truth("pus").possible == NO
    assert known.conflicts == []


def test_two_statements_of_the_same_month_contradict_each_other() -> None:
    known = evidence(fact("pus", date="2023-06"), fact("pus", False, date="2023-06"))
    assert known.truth("pus").possible == OPEN
    assert len(known.conflicts) == 1


def test_a_history_that_was_denied_and_then_stated_holds_from_then_on() -> None:
    early = fact("jaw_metastasis", False, date="2020-01-01")
    late = fact("jaw_metastasis", date="2022-05")
    for day, expected in (
        ("2021-01-01", NO),
        ("2022-05-15", OPEN),
        ("2023-01-01", YES),
    ):
        known = evidence(early, late, date=day)
        assert known.truth("jaw_metastasis").possible == expected
        assert known.conflicts == []


@pytest.mark.parametrize("name", ["jaw_radiotherapy", "drug_antiresorptive", "cancer"])
def test_a_history_once_stated_cannot_be_denied_later(name: str) -> None:
    stated = fact(name, date="2020-01-01")
    for denied in ("2023-01-01", "2020-01-01", ""):
        known = evidence(stated, fact(name, False, date=denied, author="Dr B"))
        observed = known.truth(name)
        assert (observed.possible, observed.contradicted) == (OPEN, True)
        assert len(known.conflicts) == 1
        assert "in two ways" in known.conflicts[0]
    # Before it was denied nothing contradicts it.
    before = evidence(stated, fact(name, False, date="2023-01-01"), date="2021-01-01")
    assert before.truth(name).possible == YES
    assert before.conflicts == []


@pytest.mark.parametrize("value", [True, False])
def test_not_knowing_never_takes_the_place_of_an_answer(value: bool) -> None:
    known = evidence(
        fact("jaw_radiotherapy", value, date="2020-01-01"),
        fact("jaw_radiotherapy", None, date="2023-01-01", author="Dr B"),
    )
    assert known.truth("jaw_radiotherapy").possible == (value,)


def _recorded(value: bool | None, recorded: str, author: str = "Dr A") -> Fact:
    return msgspec.structs.replace(fact("pus", value, author=author), recorded=recorded)


def test_a_fact_stated_anew_by_its_author_takes_the_place_of_the_old() -> None:
    old = _recorded(True, "2025-01-01T09:00:00+00:00")
    # Recorded an hour later in another time zone; and not recorded yet, which is now.
    for recorded in ("2025-01-01T05:00:00-05:00", ""):
        known = evidence(_recorded(False, recorded), old)
        assert known.truth("pus").possible == NO
        assert known.conflicts == []
    assert truth(old, _recorded(None, "")) == OPEN
    # In a reading as in the case.
    assert truth(reading(facts=(old,)), _recorded(False, "")) == NO


def test_only_its_author_takes_a_fact_back_and_only_later() -> None:
    old = _recorded(True, "2025-01-01T09:00:00+00:00")
    for other in (
        _recorded(False, "", author="Dr B"),
        _recorded(False, "2025-01-01T09:00:00+00:00"),
    ):
        known = evidence(old, other)
        assert known.truth("pus").possible == OPEN
        assert len(known.conflicts) == 1
    nameless = [_recorded(True, "2025-01-01", ""), _recorded(False, "", "")]
    assert truth(*nameless) == OPEN


def test_a_statement_for_every_date_contradicts_one_of_a_date() -> None:
    known = evidence(
        fact("jaw_metastasis", False, date=""), fact("jaw_metastasis", date="2022")
    )
    assert known.truth("jaw_metastasis").possible == OPEN
    assert len(known.conflicts) == 1


def test_an_approximate_date_is_said_in_the_reason() -> None:
    (why,) = evidence(fact("pus", approximate=True)).truth("pus").because
    assert why == "pus yes (Dr Reader, about 2023-06-20)"


def test_a_fact_of_a_reading_holds_at_its_own_date_or_without_one_at_every_date() -> None:
    read = reading(facts=(fact("pus", date=""), fact("pain", date="2023-06-25")))
    assert truth(read) == YES
    assert truth(read, date="2012-10-11") == YES
    assert truth(read, name="pain") == OPEN
    assert truth(read, name="pain", date="2023-06-25") == YES


def test_findings_count_at_their_study_whose_date_may_be_a_month() -> None:
    def seen(read: Assessment, day: str) -> tuple[object, ...]:
        return evidence(read, date=day).truth(kinds=("sequestrum",)).possible

    exact = reading(finding("sequestrum"))
    assert seen(exact, DAY) == YES
    assert seen(exact, "2023-06-21") == OPEN
    month = reading(finding("sequestrum"), date="2023-06")
    assert seen(month, "2023-06-30") == OPEN
    assert seen(month, "2023-06") == YES
    (why,) = evidence(month, date="2023-06-30").truth(kinds=("sequestrum",)).because
    assert "2023-06)" in why
    assert seen(month, "2023-07-01") == OPEN
    assert seen(reading(finding("sequestrum"), date=""), DAY) == OPEN


def test_an_amended_reading_is_not_asked() -> None:
    first = reading(facts=(fact("pus"),), uid="2.25.1")
    second = reading(facts=(fact("pus", False),), uid="2.25.2")
    amended = patient(first, second)
    assert Evidence(amended, DAY).truth("pus").possible == OPEN
    later = msgspec.structs.replace(second, predecessor_uid="2.25.1")
    assert truth(first, later) == NO


def test_what_is_stated_at_other_dates_is_told_in_words() -> None:
    known = evidence(
        fact("pus", date="2023-05-01"),
        fact("pus", False),
        fact("pain", date="2023-05-01"),
    )
    (other,) = known.known_at("pus")
    assert other.startswith("pus yes")
    assert other.endswith("at 2023-05-01")


def test_the_days_of_a_case_are_those_that_are_exact() -> None:
    case = patient(
        fact("pus", date="2023-05-01"),
        fact("pain", date="2023-04"),
        fact("age", 77, unit="a", date=""),
        reading(facts=(fact("pus", date="2023-07-01"),)),
    )
    assert dates(case) == ("2023-05-01", "2023-06-20", "2023-07-01")


# Statements --------------------------------------------------------------------------


def test_absence_of_a_statement_is_unknown_and_so_is_unknown() -> None:
    assert truth() == OPEN
    assert truth(fact("pus", None)) == OPEN
    assert evidence(fact("pus", None)).truth("pus").because == (
        "pus unknown (Dr Reader, 2023-06-20)",
    )


def test_statements_in_two_ways_are_unknown_and_named() -> None:
    known = evidence(fact("pus"), fact("pus", False))
    observed = known.truth("pus")
    assert observed.possible == OPEN
    assert observed.contradicted
    (conflict,) = known.conflicts
    assert conflict.startswith("pus is stated in two ways: pus yes")


def test_what_a_reader_does_not_know_contradicts_nobody() -> None:
    known = evidence(fact("pus"), fact("pus", None))
    assert known.truth("pus").possible == YES
    assert known.conflicts == []


def test_of_no_side_it_holds_where_it_holds_on_one() -> None:
    def either(left: bool | None, right: bool | None) -> tuple[object, ...]:
        known = evidence(
            fact("bone_expansion", left, site="femur", laterality="left"),
            fact("bone_expansion", right, site="femur", laterality="right"),
        )
        observed = known.truth("bone_expansion", site="femur")
        assert known.conflicts == []
        return observed.possible

    assert either(True, False) == YES
    assert either(False, False) == NO
    assert either(False, None) == OPEN
    left_alone = evidence(fact("bone_expansion", False, site="femur", laterality="left"))
    assert left_alone.truth("bone_expansion", site="femur").possible == OPEN


def test_a_fact_of_the_whole_patient_that_names_a_place_is_named_and_not_counted() -> (
    None
):
    known = evidence(fact("exposed_bone", site="maxilla", laterality="right"))
    assert known.truth("exposed_bone").possible == OPEN
    assert "does not count" in known.conflicts[0]


def test_a_fact_of_one_bone_is_of_that_bone_and_side() -> None:
    known = evidence(
        fact("bone_expansion", site="femur", laterality="left"),
        fact("bone_expansion", False, site="femur", laterality="right"),
    )

    def at(site: str, side: str) -> tuple[object, ...]:
        return known.truth("bone_expansion", site=site, laterality=side).possible

    assert at("femur", "left") == YES
    assert at("femur", "right") == NO
    assert at("tibia", "left") == OPEN
    assert known.truth("bone_expansion").possible == OPEN


def test_a_value_from_images_alone_is_no_clinical_fact() -> None:
    measured = fact("exposed_bone", source="measured")
    observed = evidence(measured).truth("exposed_bone")
    assert (observed.possible, observed.basis) == (OPEN, "proposed")
    assert observed.because == ("exposed_bone yes (Dr Reader, 2023-06-20)",)
    weeks = fact("duration_weeks", 12, unit="wk", source="measured")
    assert evidence(weeks).number("duration_weeks") is None


def test_an_imaging_fact_that_was_measured_needs_a_named_reader() -> None:
    accepted = fact("sequestrum", source="measured")
    proposed = fact("sequestrum", source="measured", author=" ")
    assert truth(accepted, name="sequestrum") == YES
    assert truth(proposed, name="sequestrum") == OPEN


def test_a_fact_that_its_definition_refuses_does_not_count_and_is_named() -> None:
    for name, wrong in (
        ("duration_weeks", fact("duration_weeks", 9, unit="mm")),
        ("duration_weeks", fact("duration_weeks", "long")),
        ("duration_weeks", fact("duration_weeks", -1, unit="wk")),
        ("duration_weeks", fact("duration_weeks", 9, unit="wk", until="2023-01-01")),
    ):
        known = evidence(wrong)
        assert known.number(name) is None
        assert len(known.conflicts) == 1
        assert "does not count" in known.conflicts[0]
    odd = evidence(fact("status", "undecided"))
    assert odd.choice("status").possible == ("active", "healed")
    assert "does not count" in odd.conflicts[0]


# Numbers and choices -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "weeks"),
    [(8, "wk", 8.0), (56, "d", 8.0), (2, "mo", 8.696)],
)
def test_a_number_is_told_in_the_first_unit_of_its_fact(
    value: float, unit: str, weeks: float
) -> None:
    stated = evidence(fact("duration_weeks", value, unit=unit)).number("duration_weeks")
    assert stated is not None
    assert stated.low == stated.high == pytest.approx(weeks, abs=0.001)


def test_c_reactive_protein_in_two_units_is_one_number() -> None:
    known = evidence(fact("crp", 0.17, unit="mg/dL"), fact("crp", 1.7, unit="mg/L"))
    stated = known.number("crp")
    assert stated is not None
    assert (stated.low, stated.high) == pytest.approx((0.17, 0.17))


def test_numbers_that_differ_span_a_range_and_are_named() -> None:
    known = evidence(fact("t_score", -3.8, unit="1"), fact("t_score", -3.7, unit="1"))
    stated = known.number("t_score")
    assert stated is not None
    assert (stated.low, stated.high) == (-3.8, -3.7)
    assert known.conflicts[0].startswith("t_score is stated in two ways")
    assert known.holds("t_score", lambda score: score <= -2.5).possible == YES
    assert known.holds("t_score", lambda score: score <= -3.75).possible == OPEN
    assert known.holds("t_score", lambda score: score <= -4).possible == NO


def test_choices_that_differ_leave_both_open() -> None:
    known = evidence(
        fact("liquids", "no leak"),
        fact("liquids", "regular leak, or cannot suck liquids"),
    )
    assert known.choice("liquids").possible == (
        "no leak",
        "regular leak, or cannot suck liquids",
    )
    assert known.conflicts[0].startswith("liquids is stated in two ways")


# Findings ----------------------------------------------------------------------------


def test_a_statement_and_a_finding_that_differ_are_unknown_and_named() -> None:
    known = evidence(fact("sequestrum", False), reading(finding("sequestrum")))
    observed = known.truth("sequestrum", kinds=("sequestrum",))
    assert observed.possible == OPEN
    assert len(known.conflicts) == 1
    assert "but sequestrum-1 sequestrum present" in known.conflicts[0]


def test_a_finding_does_not_settle_a_statement_that_contradicts_itself() -> None:
    known = evidence(
        fact("sequestrum", False), fact("sequestrum"), reading(finding("sequestrum"))
    )
    assert known.truth("sequestrum", kinds=("sequestrum",)).possible == OPEN


def test_one_present_suffices_and_absent_is_of_another() -> None:
    both = reading(
        finding("sequestrum"), finding("sequestrum", "mandible", presence="absent")
    )
    known = evidence(both)
    assert known.truth(kinds=("sequestrum",)).possible == YES
    assert known.truth(kinds=("sequestrum",), sites={"mandible"}).possible == NO


def _absent(*places: str) -> Assessment:
    """Return a reading without a sequestrum at places such as ``left mandible``."""
    return reading(*(_at(place, "absent") for place in places))


def _at(place: str, presence: Presence) -> Finding:
    sides: dict[str, Laterality] = {
        "left": "left",
        "right": "right",
        "bilateral": "bilateral",
    }
    side, _, site = place.rpartition(" ")
    return finding("sequestrum", site, presence=presence, laterality=sides.get(side, ""))


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (("premaxilla",), OPEN),
        (("hard_palate",), OPEN),
        (("maxilla",), OPEN),
        (("mandible", "premaxilla"), OPEN),
        (("left maxilla", "mandible"), OPEN),
        (("left jaw",), OPEN),
        (("maxilla", "mandible"), NO),
        (("bilateral maxilla", "mandible"), NO),
        (("left maxilla", "right maxilla", "mandible"), NO),
        (("jaw",), NO),
        (("facial_bones",), NO),
    ],
)
def test_what_was_looked_for_in_a_part_of_the_jaw_is_not_denied_of_it(
    places: tuple[str, ...], expected: tuple[bool, ...]
) -> None:
    known = evidence(_absent(*places))
    answer = known.truth("sequestrum", kinds=("sequestrum",), sites=JAW_SITES)
    assert answer.possible == expected
    assert len(answer.because) == len(places)
    assert all("sequestrum absent" in why for why in answer.because)
    if expected == OPEN:
        assert "looked for at: " in answer.because[0]


def _with(found: Finding, **fields: object) -> Assessment:
    return reading(msgspec.structs.replace(found, **fields))


def test_none_in_a_marked_region_denies_it_of_that_region_alone() -> None:
    searched = ImagePoints(
        role="marked region",
        image_points=((1.0, 1.0),),
        point_roles=("a",),
        source_instances=("2.25.5",),
    )
    absent = finding("sequestrum", "jaw", presence="absent")
    known = evidence(_with(absent, regions=(searched,)))
    answer = known.truth("sequestrum", kinds=("sequestrum",), sites=JAW_SITES)
    assert answer.possible == OPEN
    assert answer.because[0].endswith("looked for at: marked region, jaw")
    # Nor does it dispute what another reader saw elsewhere in the bone.
    there = reading(finding("sequestrum"), reader="Dr Second", uid="2.25.101")
    both = evidence(_with(absent, regions=(searched,)), there)
    assert both.truth(kinds=("sequestrum",), sites=JAW_SITES).possible == YES
    assert both.conflicts == []


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("touches_airway unknown: the gas goes on beyond the region", OPEN),
        ("touches_airway: the gas is joined to the airway", OPEN),
        ("partial volume: the darkest voxel has -700 HU", YES),
    ],
)
def test_gas_that_may_be_the_airways_is_not_known_to_lie_outside_it(
    flag: str, expected: tuple[bool, ...]
) -> None:
    volume = measured(
        "gas_volume",
        40.0,
        "mm3",
        method=Method(name="by hand", version="1"),
        sources=(),
        uncertainty=2.0,
        flags=[flag],
    )
    gas = _with(finding("gas"), measurements=(volume,))

    def answer(*more: Fact) -> Observed:
        known = evidence(gas, *more)
        return known.truth("gas_outside_airway", kinds=("gas",), sites=JAW_SITES)

    assert answer().possible == expected
    assert ("outside the airway" in answer().because[0]) == (expected == OPEN)
    # Its reader may still say so.
    assert answer(fact("gas_outside_airway")).possible == YES


def test_a_part_without_it_contradicts_no_statement_that_it_is_there() -> None:
    known = evidence(fact("sequestrum"), _absent("premaxilla"))
    answer = known.truth("sequestrum", kinds=("sequestrum",), sites=JAW_SITES)
    assert answer.possible == YES
    assert known.conflicts == []
    whole = evidence(fact("sequestrum"), _absent("jaw"))
    assert not whole.truth("sequestrum", kinds=("sequestrum",), sites=JAW_SITES).known
    assert len(whole.conflicts) == 1


def test_one_side_without_it_leaves_the_other_open() -> None:
    def at(place: str, side: str | None) -> tuple[object, ...]:
        return (
            evidence(_absent(place))
            .truth(kinds=("sequestrum",), sites=("zygoma",), laterality=side)
            .possible
        )

    assert at("left zygoma", None) == OPEN
    assert at("left zygoma", "left") == NO
    assert at("zygoma", None) == NO


def test_two_readers_of_one_study_who_differ_leave_it_unknown() -> None:
    absent = finding("sequestrum", presence="absent")
    second = reading(absent, reader="Dr Second", uid="2.25.101")
    known = evidence(reading(finding("sequestrum")), second)
    assert known.truth(kinds=("sequestrum",)).possible == OPEN
    assert known.conflicts[0].startswith("readers of one study differ")
    # Another place, or another study, is no disagreement.
    elsewhere = finding("sequestrum", "mandible", presence="absent")
    for other in (
        reading(elsewhere, reader="Dr Second", uid="2.25.101"),
        reading(absent, reader="Dr Second", uid="2.25.101", study="2.25.9"),
    ):
        known = evidence(reading(finding("sequestrum")), other)
        assert known.truth(kinds=("sequestrum",)).possible == YES
        assert known.conflicts == []


def test_one_reader_who_marks_one_and_misses_another_does_not_differ() -> None:
    known = evidence(
        reading(finding("sequestrum"), finding("sequestrum", presence="absent"))
    )
    assert known.truth(kinds=("sequestrum",)).possible == YES
    assert known.conflicts == []


@pytest.mark.parametrize("reader", ["", " "])
def test_a_reading_without_a_name_proposes(reader: str) -> None:
    either: tuple[Presence, ...] = ("present", "absent")
    for presence in either:
        seen = finding("sequestrum", presence=presence)
        observed = evidence(reading(seen, reader=reader)).truth(kinds=("sequestrum",))
        assert (observed.possible, observed.basis) == (OPEN, "proposed")
        assert "not accepted by a reader" in observed.because[0]


@pytest.mark.parametrize(
    ("there", "denied", "is_dispute"),
    [
        ("body_of_mandible", "mandible", True),
        ("left mandible", "mandible", True),
        ("premaxilla", "jaw", True),
        ("bilateral mandible", "left mandible", True),
        # The rest of the bone, and the other side, may have it.
        ("mandible", "body_of_mandible", False),
        ("left mandible", "right mandible", False),
        ("premaxilla", "mandible", False),
    ],
)
def test_a_reader_who_denies_it_of_the_whole_differs_from_one_who_saw_a_part(
    there: str, denied: str, *, is_dispute: bool
) -> None:
    def read(place: str, presence: Presence, reader: str) -> Assessment:
        return reading(_at(place, presence), reader=reader, uid=f"2.25.{len(reader)}")

    known = evidence(read(there, "present", "Dr A"), read(denied, "absent", "Dr Bee"))
    answer = known.truth(kinds=("sequestrum",), sites=JAW_SITES)
    assert answer.possible == (OPEN if is_dispute else YES)
    assert len(known.conflicts) == is_dispute


def test_two_amendments_of_one_record_that_differ_are_a_contradiction() -> None:
    """Neither is the later one: both are current, by the same reader."""
    first = reading(finding("sequestrum"), uid="2.25.1")
    versions: tuple[tuple[str, Presence], ...] = (
        ("2.25.2", "absent"),
        ("2.25.3", "present"),
    )
    amended = [
        msgspec.structs.replace(
            reading(finding("sequestrum", presence=presence), uid=uid),
            predecessor_uid="2.25.1",
        )
        for uid, presence in versions
    ]
    known = evidence(first, *amended)
    assert known.truth(kinds=("sequestrum",)).possible == OPEN
    (conflict,) = known.conflicts
    assert conflict.startswith("two amendments of one record differ: ")
    chained = msgspec.structs.replace(amended[1], predecessor_uid="2.25.2")
    later = evidence(first, amended[0], chained)
    assert later.truth(kinds=("sequestrum",)).possible == YES
    assert later.conflicts == []


def test_findings_may_be_asked_by_side() -> None:
    known = evidence(reading(finding("marrow_edema", "femur", laterality="left")))

    def at(side: str) -> tuple[object, ...]:
        return known.truth(kinds=("marrow_edema",), laterality=side).possible

    assert at("left") == YES
    assert at("right") == OPEN


# Drugs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2020-01-01", "", YES),
        ("2024-01-01", "", OPEN),
        ("2023-06-20", "", YES),
        # In the month of the date: before or after it.
        ("2023-06", "", OPEN),
        ("2023", "", OPEN),
        ("2022", "", YES),
        # Without dates it may have begun at any time: it counts.
        ("", "", YES),
        # The last dose alone: given before it, and perhaps not yet before it.
        ("", "2022-10-27", YES),
        ("", "2024-01-01", OPEN),
    ],
)
def test_a_drug_was_given_from_its_first_dose_on(
    first: str, last: str, expected: tuple[bool, ...]
) -> None:
    known = evidence(course("denosumab", first, last))
    assert known.drug_given(ANTIRESORPTIVE).possible == expected
    assert known.drug_given(ANTIANGIOGENIC).possible == OPEN


def test_a_course_that_may_have_begun_is_named_without_being_certain() -> None:
    later = course("denosumab", "", "2024-01-01")
    known = evidence(later, course("zoledronate", "2024-02-01"))
    assert known.drugs() == (later,)
    given = known.drug_given(ANTIRESORPTIVE)
    assert given.because == ("denosumab, route not stated, 2024-01-01 (Dr Reader)",)


def test_a_drug_that_was_given_against_the_statement_is_unknown_and_named() -> None:
    stated = fact("drug_antiresorptive", False, date="")
    known = evidence(course("denosumab", "2020"), stated)
    assert known.drug_given(ANTIRESORPTIVE).possible == OPEN
    assert len(known.conflicts) == 1
    # One that begins later contradicts nothing.
    later = evidence(course("denosumab", "2024"), stated)
    assert later.drug_given(ANTIRESORPTIVE).possible == NO
    assert later.conflicts == []


def test_a_drug_that_was_denied_before_its_first_dose_was_given_from_then_on() -> None:
    denied = fact("drug_antiresorptive", False, date="2019-05-01")
    known = evidence(course("denosumab", "2020"), denied)
    assert known.drug_given(ANTIRESORPTIVE).possible == YES
    assert known.conflicts == []
    undated = evidence(course("denosumab"), denied)
    assert undated.drug_given(ANTIRESORPTIVE).possible == OPEN
    assert len(undated.conflicts) == 1


def test_a_course_without_dates_says_what_is_assumed_of_it() -> None:
    given = evidence(course("alendronate"), date="2005-01-01").drug_given(ANTIRESORPTIVE)
    assert given.possible == YES
    assert given.because == (
        "alendronate, route not stated (Dr Reader): dates not stated, taken as given at "
        "any date",
    )
    dated = evidence(course("alendronate", "2004", route="oral"), date="2005-01-01")
    assert dated.drug_given(ANTIRESORPTIVE).because == (
        "alendronate, oral 2004 (Dr Reader)",
    )


def test_courses_of_readings_count_once_and_a_class_without_a_fact_by_its_courses() -> (
    None
):
    denosumab = course("denosumab", "2020")
    known = evidence(denosumab, reading(drugs=(denosumab,)))
    assert known.drugs(drug="denosumab") == (denosumab,)
    assert known.drug_given(GLUCOCORTICOID).possible == OPEN
    steroid = evidence(course("prednisone", "2020"))
    assert steroid.drug_given(GLUCOCORTICOID).possible == YES


# Several answers ---------------------------------------------------------------------


def seen(*possible: bool, contradicted: bool = False) -> Observed:
    return Observed(possible=possible, because=("said",), contradicted=contradicted)


@pytest.mark.parametrize(
    ("parts", "whole", "complete", "expected"),
    [
        ([YES, NO], OPEN, True, YES),
        ([NO, NO], OPEN, True, NO),
        ([NO, NO], OPEN, False, OPEN),
        ([NO, OPEN], OPEN, True, OPEN),
        ([OPEN, OPEN], NO, False, NO),
        ([OPEN, NO], YES, True, YES),
        # There is another that is not among the parts.
        ([NO, NO], YES, True, YES),
        ([], OPEN, True, OPEN),
    ],
)
def test_any_of_parts(
    parts: list[tuple[bool, ...]],
    whole: tuple[bool, ...],
    complete: bool,
    expected: tuple[bool, ...],
) -> None:
    known = evidence()
    answer = known.any_of([seen(*one) for one in parts], seen(*whole), complete=complete)
    assert answer.possible == expected
    assert known.conflicts == []


def test_one_part_against_none_is_named_and_unknown() -> None:
    known = evidence()
    assert known.any_of([seen(True)], seen(False)).possible == OPEN
    assert len(known.conflicts) == 1


def test_answers_agree_or_are_named() -> None:
    known = evidence()
    assert known.agreed("pain", seen(True), seen(False, True)).possible == YES
    assert known.agreed("pain", seen(False, True), seen(False)).possible == NO
    disputed = seen(False, True, contradicted=True)
    assert known.agreed("pain", disputed, seen(True)).possible == OPEN
    assert known.conflicts == []
    assert known.agreed("pain", seen(True), seen(False)).possible == OPEN
    assert known.conflicts == ["pain: said, but said"]


def test_sites_of_the_jaw_are_sites() -> None:
    assert set(SITES) >= JAW_SITES
