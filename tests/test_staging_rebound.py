"""The flag of a rebound fracture after denosumab: the rules RVF_FLAG and RVF_MULTI."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import msgspec
import pytest
from tests.fixtures.spines import (
    DENOSUMAB,
    REBOUND,
    case,
    course,
    exam,
    fact,
    finding,
)

from osteotrace.findings import Case, DrugCourse, Fact, StagingResult, overridden
from osteotrace.staging import stage
from osteotrace.staging.rule_table import Observed, evaluate
from osteotrace.staging.systems.rebound import LIKELY_TABLE, TABLE
from osteotrace.staging.vertebrae.denosumab import Months
from osteotrace.staging.vertebrae.rebound_rule import FRACTURE_TABLE

DAY = "2023-09-27"
OTHER_CAUSES = ("fracture_malignancy_excluded", "fracture_infection_excluded")


def staged(patient: Case, day: str = DAY) -> StagingResult:
    (one,) = stage(patient, day, systems=["rebound_fracture"])
    return one


def reason(result: StagingResult, criterion: str) -> str:
    (one,) = [each for each in result.reasons if each.criterion == criterion]
    return one.value


# The rules ------------------------------------------------------------------------


def test_every_assignment_of_one_fracture_gives_the_stated_flag() -> None:
    names = [one.name for one in FRACTURE_TABLE.needed]
    assert len(names) == 5
    for values in product((False, True), repeat=5):
        known, vcf, trauma, in_time, follow_on = values
        is_flag = known and vcf and not trauma and in_time and not follow_on
        given = dict(zip(names, values, strict=True))
        done = evaluate(
            FRACTURE_TABLE, {k: Observed(possible=(v,)) for k, v in given.items()}
        )
        assert len(done.rules) == 1
        assert done.lowest == done.highest == ("flag" if is_flag else "no flag"), given


def test_every_assignment_of_the_patient_gives_the_stated_stage() -> None:
    for flagged, several in product((False, True), repeat=2):
        values = {"flagged": flagged, "two_new_levels_within_6_months": several}
        done = evaluate(TABLE, {k: Observed(possible=(v,)) for k, v in values.items()})
        expected = ("flag, multiple" if several else "flag") if flagged else "no flag"
        assert len(done.rules) == 1
        assert done.lowest == done.highest == expected


def test_every_assignment_of_other_causes_is_likely_only_where_both_are_excluded() -> (
    None
):
    names = ("flagged", *OTHER_CAUSES)
    for values in product((False, True), repeat=3):
        given = dict(zip(names, values, strict=True))
        done = evaluate(
            LIKELY_TABLE, {k: Observed(possible=(v,)) for k, v in given.items()}
        )
        assert len(done.rules) == 1
        assert done.lowest == done.highest == ("yes" if all(values) else "no")


# The case of the founding paper ---------------------------------------------------


def test_the_founding_case_has_the_flag_at_several_levels() -> None:
    result = staged(REBOUND)
    assert result.as_text == "flag, multiple"
    months = result.part("months since last dose")
    assert (months.lowest, months.highest) == ("8.6", "11.0")
    window = result.part("in published window")
    assert (window.lowest, window.highest) == ("yes", "yes")
    count = result.part("new levels within 6 months")
    assert (count.lowest, count.highest) == ("3", "4")
    assert count.text == (
        "new levels within 6 months: 3..4 (L1, L2, L3; not accepted: L5)"
    )
    assert result.blocking == ()
    assert result.ask is None
    assert result.notes == ("a flag, not a diagnosis",)


@pytest.mark.parametrize(
    ("level", "low", "high"),
    [
        ("L1", "8.6", "8.6"),
        ("L2", "10.2", "10.2"),
        # Suspected, and nothing says that it was recent: not seen in July.
        ("L5", "8.6", "10.2"),
        ("L3", "11.0", "11.0"),
    ],
)
def test_each_fracture_is_timed_from_the_last_dose(
    level: str, low: str, high: str
) -> None:
    part = staged(REBOUND).part(level)
    assert (part.lowest, part.highest) == (low, high)


def test_the_suspected_level_stays_suspected() -> None:
    result = staged(REBOUND)
    assert "not accepted: suspected" in result.part("L5").text
    assert reason(result, "l5.new_vcf") == "unknown"
    assert "about 8.6 months" in result.part("L1").text


def test_the_zoledronate_of_august_came_too_late_to_clear_the_flag() -> None:
    result = staged(REBOUND)
    assert reason(result, "antiresorptive_started_within_7_months") == "no"
    (why,) = [
        each
        for each in result.reasons
        if each.criterion == "antiresorptive_started_within_7_months"
    ]
    assert "zoledronate" in why.because[0]
    assert "9.1 to 10.1 months after the last dose" in why.because[0]


@pytest.mark.parametrize(
    ("day", "text"),
    [
        ("2023-07-15", "flag"),
        ("2023-09-02", "flag"),
        ("2023-09-03", "flag, multiple"),
        ("2023-09-27", "flag, multiple"),
    ],
)
def test_the_flag_follows_the_fractures_by_date(day: str, text: str) -> None:
    # On the first day the zoledronate of August is in the future: nobody says whether
    # another drug was started.
    one = msgspec.structs.replace(
        REBOUND,
        facts=(*REBOUND.facts, fact("antiresorptive_follow_on", False)),
    )
    assert staged(one, day).as_text == text


def test_likely_waits_until_other_causes_are_answered() -> None:
    part = staged(REBOUND).part("likely")
    assert (part.lowest, part.highest) == ("no", "yes")
    assert part.text == (
        "not called likely: a malignant cause and an infectious cause not stated as "
        "excluded"
    )
    excluded = tuple(fact(name, True, DAY) for name in OTHER_CAUSES)
    one = msgspec.structs.replace(REBOUND, facts=(*REBOUND.facts, *excluded))
    assert staged(one).part("likely").lowest == "yes"
    other = fact("fracture_infection_excluded", False, DAY)
    two = msgspec.structs.replace(REBOUND, facts=(*REBOUND.facts, excluded[0], other))
    assert staged(two).part("likely").highest == "no"


def test_a_malignancy_of_the_jaw_that_is_excluded_says_nothing_of_the_spine() -> None:
    jaw = fact("malignancy_excluded", True, DAY, author="Jaw Surgeon")
    infection = fact("fracture_infection_excluded", True, DAY)
    one = msgspec.structs.replace(REBOUND, facts=(*REBOUND.facts, jaw, infection))
    part = staged(one).part("likely")
    assert (part.lowest, part.highest) == ("no", "yes")
    assert part.text == "not called likely: a malignant cause not stated as excluded"


def test_no_result_says_what_to_do() -> None:
    words = str(staged(REBOUND)).lower()
    assert not any(word in words for word in ("should", "recommend", "treat"))


# Limits ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Spine:
    """One fracture of L1, stated as new, after denosumab, with all else answered."""

    seen: str = "2023-07-15"
    drugs: tuple[DrugCourse, ...] = (DENOSUMAB,)
    facts: tuple[Fact, ...] = (
        fact("high_energy_trauma", False),
        fact("antiresorptive_follow_on", False),
    )
    approximate: bool = False
    reader: str = "Reader One"

    def staged(self, day: str = "2026-01-01") -> StagingResult:
        new = fact(
            "vcf_new",
            True,
            self.seen,
            site="l1",
            approximate=self.approximate,
            author=self.reader,
        )
        seen = exam(self.seen, finding("l1"), facts=(new,), reader=self.reader)
        return staged(case(seen, facts=self.facts, drugs=self.drugs), day)


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        # 214 days are the first over 7 months of 30.44 days, 730 the last under 24.
        ("2023-05-27", "no flag"),
        ("2023-05-28", "no flag"),
        ("2023-05-29", "flag"),
        ("2024-10-26", "flag"),
        ("2024-10-27", "no flag"),
        ("2022-11-15", "no flag"),
        ("2022-10-01", "no flag"),
    ],
)
def test_a_fracture_counts_from_7_to_24_months_after_the_last_dose(
    seen: str, text: str
) -> None:
    assert Spine(seen=seen).staged().as_text == text


def test_months_are_shown_finer_where_one_decimal_would_read_as_the_limit() -> None:
    assert Spine(seen="2023-05-27").staged().part("L1").lowest == "6.97"
    assert Spine(seen="2023-07-15").staged().part("L1").lowest == "8.6"


@pytest.mark.parametrize(
    ("seen", "answer"),
    [("2023-06-10", "no"), ("2023-07-01", "yes"), ("2024-06-01", "no")],
)
def test_the_published_window_is_8_to_16_months(seen: str, answer: str) -> None:
    part = Spine(seen=seen).staged().part("in published window")
    assert (part.lowest, part.highest) == (answer, answer)


@pytest.mark.parametrize(
    ("last", "text"),
    [("2022-10", "flag"), ("2022-12", "no flag..flag"), ("2022", "no flag..flag")],
)
def test_a_partial_date_of_the_last_dose_is_an_interval(last: str, text: str) -> None:
    spine = Spine(drugs=(course("denosumab", "2020-02", last),))
    assert spine.staged().as_text == text


def test_a_partial_date_prints_the_fewest_and_the_most_months() -> None:
    part = Spine(drugs=(course("denosumab", "2020-02", "2022-10"),)).staged().part("L1")
    assert (part.lowest, part.highest) == ("8.4", "9.4")


def test_a_count_in_the_published_window_that_is_open_is_an_interval() -> None:
    one = Spine(seen="2023-09-01", drugs=(course("denosumab", "2020-02", "2022"),))
    part = one.staged().part("in published window")
    assert (part.lowest, part.highest) == ("no", "yes")
    assert part.text.startswith("0..1 of 1 fractures")
    assert Spine().staged().part("in published window").text.startswith("1 of 1 ")


# When it happened -----------------------------------------------------------------


def found_later(
    without: str, seen: str, *said: Fact, drugs: tuple[DrugCourse, ...] = (DENOSUMAB,)
) -> StagingResult:
    """L1 seen without a fracture and later with one, all else answered."""
    exams = (exam(without, finding("l1", "absent")), exam(seen, finding("l1")))
    facts = (*Spine().facts, *said)
    return staged(case(*exams, facts=facts, drugs=drugs), "2026-01-01")


@pytest.mark.parametrize(
    ("without", "seen", "text"),
    [
        # Not there under treatment, 10 months after it: any time in between.
        ("2021-01-01", "2023-09-01", "no flag..flag"),
        # Not there at 5 months, there at 30.
        ("2023-03-27", "2025-04-27", "no flag..flag"),
        ("2023-05-29", "2024-10-26", "flag"),
        ("2023-05-28", "2024-10-26", "no flag..flag"),
        ("2022-11-01", "2023-05-28", "no flag"),
        ("2024-10-27", "2025-04-27", "no flag"),
    ],
)
def test_a_fracture_lies_anywhere_between_the_images_without_and_with_it(
    without: str, seen: str, text: str
) -> None:
    result = found_later(without, seen)
    assert result.as_text == text
    asked = {question.criterion for question in result.blocking}
    assert asked == ({"l1.within_7_to_24_months"} if ".." in text else set())


@pytest.mark.parametrize("name", ["vcf_new", "vertebral_edema"])
def test_a_fracture_that_is_new_or_has_edema_is_of_the_day_it_is_seen(name: str) -> None:
    stated = fact(name, True, "2023-09-01", site="l1")
    result = found_later("2021-01-01", "2023-09-01", stated)
    assert result.as_text == "flag"
    assert (result.part("L1").lowest, result.part("L1").highest) == ("10.2", "10.2")
    elsewhere = fact(name, True, "2023-09-01", site="l2")
    other = found_later("2021-01-01", "2023-09-01", elsewhere)
    assert other.part("L1").lowest == "before"


def test_months_that_reach_back_before_the_dose_say_so() -> None:
    part = found_later("2021-01-01", "2023-09-01").part("L1")
    assert (part.lowest, part.highest) == ("before", "10.2")
    assert part.text == (
        "L1: before, or up to 10.2 months after the last dose, first seen 2023-09-01, "
        "last seen without it 2021-01-01"
    )


def test_a_fracture_may_lie_after_an_earlier_course() -> None:
    drugs = (
        course("denosumab", "2018-01-01", "2020-01-01"),
        course("denosumab", "2023-01-01", "2023-06-01"),
    )
    assert found_later("2020-06-01", "2023-09-01", drugs=drugs).highest == "flag"
    assert found_later("2023-02-01", "2023-09-01", drugs=drugs).as_text == "no flag"


def test_a_fracture_of_unknown_age_seen_after_24_months_may_be_of_before() -> None:
    one = case(exam("2025-04-27", finding("l1")), facts=Spine().facts, drugs=(DENOSUMAB,))
    assert staged(one, "2025-04-27").as_text == "no flag..flag"


def test_levels_are_surely_multiple_where_both_whole_intervals_lie_in_six_months() -> (
    None
):
    def both(without: str) -> StagingResult:
        exams = (
            exam(without, finding("l2", "absent")),
            exam("2023-09-03", finding("l2")),
        )
        new = fact("vcf_new", True, "2023-08-15", site="l1")
        facts = (*Spine().facts, new)
        return staged(case(*exams, facts=facts, drugs=(DENOSUMAB,)), "2024-12-01")

    assert both("2023-07-15").as_text == "flag, multiple"
    assert both("2022-07-15").as_text == "flag..flag, multiple"


def test_the_basis_of_a_fracture_is_entered_where_a_fact_states_it() -> None:
    bases = {one.criterion: one.basis for one in staged(REBOUND).reasons}
    assert bases["l1.new_vcf"] == "entered"
    assert bases["l2.new_vcf"] == "measured"


def test_an_estimated_day_near_a_limit_leaves_the_flag_open() -> None:
    near = Spine(seen="2023-06-01")
    assert near.staged().as_text == "flag"
    assert replace(near, approximate=True).staged().as_text == "no flag..flag"


# What is not known ----------------------------------------------------------------


def test_without_a_word_on_trauma_or_follow_on_the_flag_is_open_and_asks() -> None:
    result = Spine(facts=()).staged()
    assert result.as_text == "no flag..flag"
    assert {question.criterion for question in result.blocking} == {
        "l1.high_energy_trauma",
        "antiresorptive_started_within_7_months",
    }
    assert result.ask is not None
    assert result.ask.facts


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (course("zoledronate", "2023-03-01"), "no flag"),
        (course("zoledronate", "2023-07-01"), "flag"),
        (course("zoledronate", "2023-05"), "no flag..flag"),
        (course("alendronate"), "no flag..flag"),
        (course("alendronate", "2015", "2019"), "no flag..flag"),
        (course("alendronate", "2021-01", ongoing=True), "no flag..flag"),
        (course("teriparatide", "2023-03-01"), "no flag..flag"),
    ],
)
def test_another_antiresorptive_within_7_months_clears_the_flag(
    other: DrugCourse, text: str
) -> None:
    spine = Spine(drugs=(DENOSUMAB, other), facts=(fact("high_energy_trauma", False),))
    assert spine.staged().as_text == text


def test_a_follow_on_denied_beside_one_that_is_entered_is_named() -> None:
    spine = Spine(drugs=(DENOSUMAB, course("zoledronate", "2023-03-01")))
    result = spine.staged()
    assert result.as_text == "no flag..flag"
    assert "zoledronate" in result.conflicts[0]


def test_a_high_energy_trauma_clears_the_flag() -> None:
    facts = (
        fact("high_energy_trauma", True, "2023-07-15"),
        fact("antiresorptive_follow_on", False),
    )
    assert Spine(facts=facts).staged().as_text == "no flag"


def two_new(*facts: Fact, second: str = "2023-09-27") -> StagingResult:
    """L1 in July and L3 later, both stated as new, with no other word than facts."""
    new = (
        fact("vcf_new", True, "2023-07-15", site="l1"),
        fact("vcf_new", True, second, site="l3"),
        fact("antiresorptive_follow_on", False),
    )
    return staged(case(facts=(*new, *facts), drugs=(DENOSUMAB,)), "2023-12-01")


def trauma(result: StagingResult) -> tuple[str, str]:
    levels = ("l1", "l3")
    first, last = (reason(result, f"{one}.high_energy_trauma") for one in levels)
    return first, last


def test_the_trauma_of_a_later_fracture_says_nothing_of_an_earlier_one() -> None:
    for value, said in ((True, "yes"), (False, "no")):
        result = two_new(fact("high_energy_trauma", value, "2023-09-27"))
        assert trauma(result) == ("unknown", said)
        assert result.lowest == ("no flag" if value else "flag, multiple")
        assert result.highest == "flag, multiple"


def test_a_trauma_of_one_level_is_of_that_fracture_whenever_it_is_stated() -> None:
    later = fact("high_energy_trauma", True, "2023-11-01", site="l1")
    assert trauma(two_new(later)) == ("yes", "unknown")
    both = (later, fact("high_energy_trauma", False, "2023-11-01", site="l3"))
    assert trauma(two_new(*both)) == ("yes", "no")


def test_a_trauma_of_no_level_is_of_the_only_fracture_of_its_day() -> None:
    day = "2023-07-15"
    struck = fact("high_energy_trauma", True, day)
    assert trauma(two_new(struck)) == ("yes", "unknown")
    assert trauma(two_new(struck, second=day)) == ("unknown", "unknown")
    spared = fact("high_energy_trauma", False, day)
    assert trauma(two_new(spared, second=day)) == ("no", "no")
    later = fact("high_energy_trauma", True, "2023-11-01")
    assert trauma(two_new(later)) == ("unknown", "yes")
    assert trauma(two_new(later, second=day)) == ("unknown", "unknown")


def test_a_trauma_of_a_level_against_one_of_none_is_a_contradiction() -> None:
    day = "2023-07-15"
    result = two_new(
        fact("high_energy_trauma", True, day, site="l1"),
        fact("high_energy_trauma", False, day),
    )
    assert trauma(result)[0] == "unknown"
    assert len(result.conflicts) == 1


def test_an_earlier_trauma_says_nothing_of_a_later_fracture() -> None:
    facts = (
        fact("high_energy_trauma", True, "2023-01-10"),
        fact("antiresorptive_follow_on", False),
    )
    assert Spine(facts=facts).staged().as_text == "no flag..flag"


def test_a_fracture_that_no_named_reader_states_is_a_proposal() -> None:
    result = Spine(reader="").staged()
    assert result.as_text == "no flag..flag"
    (one,) = [each for each in result.reasons if each.criterion == "l1.new_vcf"]
    assert one.basis == "proposed"


def test_a_fracture_during_the_course_has_no_flag() -> None:
    drugs = (course("denosumab", "2020-02", "2024-08-01"),)
    assert Spine(drugs=drugs).staged().as_text == "no flag"


@pytest.mark.parametrize(
    ("drug", "text"),
    [
        (course("denosumab", "2022-10-27"), "no flag..flag"),
        (course("denosumab", "2022-10-27", doses=1), "flag"),
        (course("denosumab", "2020-02", ongoing=True), "no flag..flag"),
        (course("denosumab", "2020-02", "2022-10-27", ongoing=True), "no flag..flag"),
        (course("denosumab", "2020-02", "2022-10-27", ongoing=False), "flag"),
        (course("denosumab", "2020-02", "2024-08-01", ongoing=True), "no flag"),
    ],
)
def test_a_last_dose_without_a_date_is_not_known(drug: DrugCourse, text: str) -> None:
    assert Spine(drugs=(drug,)).staged().as_text == text


def test_a_fracture_without_a_word_on_denosumab_asks_for_it() -> None:
    result = Spine(drugs=()).staged()
    assert result.as_text == "no flag..flag"
    assert "denosumab_last_date_known" in {q.criterion for q in result.blocking}


def test_a_patient_who_never_had_an_antiresorptive_has_no_flag() -> None:
    never = fact("drug_antiresorptive", False)
    assert Spine(drugs=(), facts=(never,)).staged().as_text == "no flag"


def test_the_latest_of_several_courses_counts() -> None:
    early = course("denosumab", "2015-01-01", "2018-01-01")
    assert Spine(drugs=(early, DENOSUMAB)).staged().as_text == "flag"


def test_a_fracture_of_unknown_age_is_asked_after() -> None:
    seen = exam("2023-07-15", finding("l1"))
    one = case(seen, facts=Spine().facts, drugs=(DENOSUMAB,))
    result = staged(one)
    assert result.as_text == "no flag..flag"
    assert [question.criterion for question in result.blocking] == ["l1.new_vcf"]
    assert result.ask is not None
    assert result.ask.facts == ("vcf_new",)


def test_a_spine_looked_at_without_a_fracture_has_no_flag() -> None:
    seen = exam("2023-07-15", finding("spine", "absent"))
    assert staged(case(seen, drugs=(DENOSUMAB,)), "2023-07-15").as_text == "no flag"


def test_nothing_is_returned_where_no_vertebra_was_looked_at() -> None:
    one = case(drugs=(DENOSUMAB,), facts=(fact("pain", True, DAY),))
    assert stage(one, DAY, systems=["rebound_fracture"]) == ()


# Several levels -------------------------------------------------------------------


def two_levels(
    second: str, *, certainty: str = "definite", level: str = "l2"
) -> StagingResult:
    new = [
        exam(
            when,
            msgspec.structs.replace(finding(site), certainty=sure),
            facts=(fact("vcf_new", True, when, site=site),),
        )
        for when, site, sure in (
            ("2023-07-15", "l1", "definite"),
            (second, level, certainty),
        )
    ]
    return staged(case(*new, facts=Spine().facts, drugs=(DENOSUMAB,)), "2024-12-01")


@pytest.mark.parametrize(
    ("second", "text"),
    [
        ("2023-07-15", "flag, multiple"),
        ("2024-01-13", "flag, multiple"),
        ("2024-01-15", "flag"),
        # A level broken before the flag's time is new all the same.
        ("2023-05-01", "flag, multiple"),
    ],
)
def test_two_levels_are_multiple_within_six_months(second: str, text: str) -> None:
    assert two_levels(second).as_text == text


def test_the_same_level_twice_is_one_level() -> None:
    assert two_levels("2023-09-03", level="l1").as_text == "flag"


def test_a_suspected_second_level_leaves_the_count_open() -> None:
    result = two_levels("2023-09-03", certainty="possible")
    assert result.as_text == "flag..flag, multiple"
    count = result.part("new levels within 6 months")
    assert (count.lowest, count.highest) == ("1", "2")
    assert [question.criterion for question in result.blocking] == ["l2.new_vcf"]


def brute_force(
    new: tuple[bool | None, bool | None],
    trauma: tuple[bool | None, bool | None],
    follow_on: bool | None,
) -> tuple[str, str]:
    """Return the lowest and the highest stage over every assignment of the unknowns."""
    order = ("no flag", "flag", "flag, multiple")
    reached = set()
    free = [
        (False, True) if value is None else (value,)
        for value in (*new, *trauma, follow_on)
    ]
    for first, second, hit_first, hit_second, followed in product(*free):
        flag = not followed and ((first and not hit_first) or (second and not hit_second))
        reached.add((1 + (first and second)) if flag else 0)
    return order[min(reached)], order[max(reached)]


def test_two_fractures_give_the_ends_over_every_assignment_of_the_unknowns() -> None:
    days = ("2023-07-15", "2023-09-03")
    known = (False, True, None)
    for sure, hit, follow_on in product(
        product((True, False), repeat=2), product(known, repeat=2), known
    ):
        exams = [
            exam(
                day,
                finding(site, certainty="definite" if certain else "possible"),
                facts=(
                    fact("vcf_new", True, day, site=site),
                    fact("high_energy_trauma", trauma, day),
                ),
            )
            for day, site, certain, trauma in zip(
                days, ("l1", "l2"), sure, hit, strict=True
            )
        ]
        facts = (fact("antiresorptive_follow_on", follow_on),)
        result = staged(case(*exams, facts=facts, drugs=(DENOSUMAB,)))
        # What is said of a trauma on the second day is of the second fracture.
        new = tuple(True if certain else None for certain in sure)
        expected = brute_force((new[0], new[1]), (hit[0], hit[1]), follow_on)
        assert (result.lowest, result.highest) == expected, (sure, hit, follow_on)


def test_the_readers_own_word_stands_with_its_reason() -> None:
    own = overridden(
        staged(REBOUND),
        "no flag",
        reason="fall from a ladder, told later",
        author="Reader Two",
        recorded="2023-10-02T10:00:00",
    )
    assert own.as_text == "no flag (set by the reader; computed flag, multiple)"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (7.0, 24.0, (True,)),
        (6.9, 7.1, (False, True)),
        (23.9, 24.1, (False, True)),
        (6.0, 25.0, (False, True)),
        (24.1, 30.0, (False,)),
        (-3.0, 6.9, (False,)),
    ],
)
def test_months_as_an_interval_lie_inside_outside_or_either(
    low: float, high: float, expected: tuple[bool, ...]
) -> None:
    months = Months(low=low, high=high, earliest=low, latest=high)
    assert months.within(7.0, 24.0) == expected
